//! Servers: up, down, away and back.

use std::path::Path;

use hookwatch::lab::guard::GuardError;
use hookwatch::lab::servers::nats::{self, Auth};
use hookwatch::lab::servers::postgres;
use hookwatch::lab::{Lab, LabError};
use sqlx::{Connection as _, PgConnection, Row as _};

use super::{folder, is_empty, nothing_is_left, options};
use crate::support;

#[tokio::test]
async fn a_lab_that_is_taken_down_leaves_nothing() {
    let folder = folder();
    let lab = Lab::up(options(folder.path())).await.unwrap();
    assert!(lab.folder().starts_with(folder.path()));
    let client = lab.connect().await.unwrap();
    assert!(client.server_info().jetstream);
    let mut postgres = lab.connect_postgres("postgres").await.unwrap();
    let row = sqlx::query("SELECT current_user::text, current_setting('fsync')")
        .fetch_one(&mut postgres)
        .await
        .unwrap();
    assert_eq!((row.get(0), row.get(1)), ("hookwatch", "off"));
    assert_eq!(superusers_that_may_connect(&lab).await, 0);
    assert!(support::processes_with(folder.path()).len() >= 3);
    // An open session does not hold it up.
    lab.down().await.unwrap();
    assert!(is_empty(folder.path()));
    assert_eq!(support::processes_with(folder.path()), []);
}

/// The port is open to everybody on the machine: nobody may become a superuser through it.
async fn superusers_that_may_connect(lab: &Lab) -> usize {
    let mut connection = lab.connect_postgres("postgres").await.unwrap();
    let names: Vec<String> = sqlx::query_scalar("SELECT rolname::text FROM pg_roles WHERE rolsuper")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    assert!(!names.is_empty());
    let url = lab.postgres_url("postgres").unwrap();
    let mut open = 0;
    for name in names {
        let url = url.replacen("hookwatch", &name, 1);
        open += usize::from(PgConnection::connect(&url).await.is_ok());
    }
    open
}

#[tokio::test]
async fn a_lab_that_is_dropped_leaves_nothing() {
    let folder = folder();
    drop(Lab::up(options(folder.path())).await.unwrap());
    nothing_is_left(folder.path()).await;
}

#[tokio::test]
async fn a_lab_that_does_not_come_up_leaves_nothing_and_says_why() {
    let folder = folder();
    let mut options = options(folder.path());
    options.postgres = Some(postgres::Options {
        settings: vec![("no_such_setting".to_owned(), "1".to_owned())],
        ..postgres::Options::default()
    });
    let error = Lab::up(options).await.unwrap_err().to_string();
    assert!(error.starts_with("postgres ended: exit code 1"), "{error}");
    assert!(error.contains("no_such_setting"), "{error}");
    assert!(is_empty(folder.path()), "it waits for the end");
    assert_eq!(support::processes_with(folder.path()), []);
}

#[tokio::test]
async fn a_missing_guard_is_named() {
    let folder = folder();
    let mut options = options(folder.path());
    options.program = "/no/such/hookwatch".into();
    let error = Lab::up(options).await.unwrap_err();
    assert!(matches!(error, LabError::Guard(GuardError::Spawn { .. })), "{error}");
}

#[tokio::test]
async fn two_labs_at_once_do_not_meet() {
    let (one, two) = (folder(), folder());
    let (one, two) = tokio::join!(Lab::up(options(one.path())), Lab::up(options(two.path())));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_ne!(one.nats_url().unwrap(), two.nats_url().unwrap());
    assert_ne!(one.postgres_url("x").unwrap(), two.postgres_url("x").unwrap());
    let (one_nats, two_nats) = (one.connect().await.unwrap(), two.connect().await.unwrap());
    assert_ne!(one_nats.server_info().server_id, two_nats.server_info().server_id);
    one.down().await.unwrap();
    two_nats.flush().await.unwrap();
    two.connect_postgres("postgres").await.unwrap().ping().await.unwrap();
    two.down().await.unwrap();
}

#[tokio::test]
async fn nats_comes_back_on_the_same_port_with_its_store() {
    let folder = folder();
    let mut options = options(folder.path());
    options.postgres = None;
    let lab = Lab::up(options).await.unwrap();
    let url = lab.nats_url().unwrap();
    let stream = async_nats::jetstream::stream::Config {
        name: "kept".to_owned(),
        ..Default::default()
    };
    let context = async_nats::jetstream::new(lab.connect().await.unwrap());
    context.create_stream(stream).await.unwrap();
    for (sent, graceful) in [(1, true), (2, false)] {
        let context = async_nats::jetstream::new(lab.connect().await.unwrap());
        context.publish("kept", "x".into()).await.unwrap().await.unwrap();
        lab.stop_nats(graceful).await.unwrap();
        assert!(lab.connect().await.is_err());
        lab.start_nats().await.unwrap();
        assert_eq!(lab.nats_url().unwrap(), url);
        let context = async_nats::jetstream::new(lab.connect().await.unwrap());
        let stream = context.get_stream("kept").await.unwrap();
        assert_eq!(stream.cached_info().state.last_sequence, sent);
    }
    lab.down().await.unwrap();
}

#[tokio::test]
async fn postgres_comes_back_on_the_same_port_with_its_data() {
    let folder = folder();
    let mut options = options(folder.path());
    options.nats = None;
    options.postgres = Some(postgres::Options {
        durable: true,
        ..postgres::Options::default()
    });
    let lab = Lab::up(options).await.unwrap();
    let mut open = lab.connect_postgres("postgres").await.unwrap();
    sqlx::query("CREATE TABLE kept AS SELECT 7 AS n")
        .execute(&mut open)
        .await
        .unwrap();
    lab.stop_postgres().await.unwrap();
    assert!(open.ping().await.is_err(), "open sessions end");
    lab.start_postgres().await.unwrap();
    lab.kill("postgres").await.unwrap();
    lab.start("postgres").await.unwrap();
    let mut again = lab.connect_postgres("postgres").await.unwrap();
    let kept: i32 = sqlx::query_scalar("SELECT n FROM kept")
        .fetch_one(&mut again)
        .await
        .unwrap();
    assert_eq!(kept, 7);
    lab.down().await.unwrap();
}

#[tokio::test]
async fn servers_ask_for_credentials_when_told_to() {
    let folder = folder();
    let mut options = options(folder.path());
    options.nats = Some(nats::Options {
        auth: Auth::User {
            user: "bob".to_owned(),
            password: "s3cret".to_owned(),
        },
        ..nats::Options::default()
    });
    options.postgres = Some(postgres::Options {
        password: Some("pg-s3cret".to_owned()),
        ..postgres::Options::default()
    });
    let lab = Lab::up(options).await.unwrap();
    lab.connect().await.unwrap().flush().await.unwrap();
    lab.connect_postgres("postgres").await.unwrap().ping().await.unwrap();
    let with = lab.nats_url().unwrap();
    assert!(with.starts_with("nats://bob:s3cret@127.0.0.1:"), "{with}");
    let without = with.replace("bob:s3cret@", "");
    assert!(async_nats::connect(without).await.is_err());
    let wrong = lab.postgres_url("postgres").unwrap().replace("pg-s3cret", "wrong");
    assert!(PgConnection::connect(&wrong).await.is_err());
    lab.down().await.unwrap();
}

#[tokio::test]
async fn nats_speaks_tls_asks_for_a_token_and_goes_without_jetstream_when_told_to() {
    support::choose_tls();
    let folder = folder();
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tls");
    let certificate = data.join("localhost.pem");
    let mut options = options(folder.path());
    options.postgres = None;
    options.nats = Some(nats::Options {
        auth: Auth::Token("t0k3n".to_owned()),
        tls: Some(nats::Tls {
            cert: certificate.clone(),
            key: data.join("localhost.key"),
            clients: None,
        }),
        without_jetstream: true,
        ..nats::Options::default()
    });
    let lab = Lab::up(options).await.unwrap();
    let url = lab.nats_url().unwrap();
    assert!(url.starts_with("tls://t0k3n@127.0.0.1:"), "{url}");
    let address = url.replace("t0k3n@", "");
    let connect = async |token: &str, authority: Option<&Path>| {
        let options = async_nats::ConnectOptions::with_token(token.to_owned());
        let options = match authority {
            Some(authority) => options.add_root_certificates(authority.to_owned()),
            None => options,
        };
        options.connect(&address).await
    };
    let client = connect("t0k3n", Some(&certificate)).await.unwrap();
    assert!(client.server_info().tls_required && !client.server_info().jetstream);
    assert!(connect("wrong", Some(&certificate)).await.is_err());
    assert!(
        connect("t0k3n", None).await.is_err(),
        "nobody vouches for its certificate"
    );
    lab.down().await.unwrap();
}

#[tokio::test]
async fn a_cluster_of_three_keeps_a_stream_while_one_server_is_away() {
    let folder = folder();
    let mut options = options(folder.path());
    options.postgres = None;
    options.nats = Some(nats::Options {
        servers: 3,
        ..nats::Options::default()
    });
    let lab = Lab::up(options).await.unwrap();
    let context = async_nats::jetstream::new(lab.connect().await.unwrap());
    let stream = async_nats::jetstream::stream::Config {
        name: "replicated".to_owned(),
        num_replicas: 3,
        ..Default::default()
    };
    let stream = context.create_stream(stream).await.unwrap();
    let leader = stream.cached_info().cluster.as_ref().unwrap().leader.clone().unwrap();
    let other = ["nats-1", "nats-2", "nats-3"]
        .into_iter()
        .find(|name| *name != leader)
        .unwrap();
    lab.kill(other).await.unwrap();
    context.publish("replicated", "x".into()).await.unwrap().await.unwrap();
    lab.start_nats().await.unwrap();
    lab.down().await.unwrap();
}

#[tokio::test]
async fn the_shared_servers_give_every_test_a_database_of_its_own() {
    let (one, two) = tokio::join!(support::database(), support::database());
    assert_ne!(one, two);
    for url in [one, two] {
        let mut connection = PgConnection::connect(&url).await.unwrap();
        sqlx::query("CREATE TABLE mine (n int)")
            .execute(&mut connection)
            .await
            .unwrap();
    }
    support::nats().await.flush().await.unwrap();
}

//! Every way in which a connection is refused, and what is said of it.

use rcgen::{CertificateParams, KeyPair};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// What a source says that cannot connect.
async fn refused(url: &str) -> String {
    Rig::new(&link(url)).refusal().await
}

#[tokio::test]
async fn a_refusal_says_what_to_do() {
    let cluster = Cluster::shared();
    let mut admin = cluster.database("refusals").await;
    run(
        &mut admin,
        "CREATE ROLE with_password LOGIN PASSWORD 's3cret'; CREATE ROLE tls_only LOGIN; CREATE ROLE rejected LOGIN; CREATE ROLE no_login;
         CREATE ROLE crowd LOGIN CONNECTION LIMIT 0; REVOKE CONNECT ON DATABASE refusals FROM public",
    )
    .await;
    let at = |user: &str, database: &str| cluster.url(user, database);
    for (url, expected) in [
        (
            at("with_password:wrong", "postgres"),
            "password authentication failed for user \"with_password\" → check user and password",
        ),
        (
            at("test", "nowhere"),
            "database \"nowhere\" does not exist → check the database in its url",
        ),
        (
            at("unknown", "postgres"),
            "role \"unknown\" does not exist → check the user in its url",
        ),
        (
            at("no_login", "postgres"),
            "role \"no_login\" is not permitted to log in → ALTER ROLE … LOGIN",
        ),
        (
            at("rejected", "postgres"),
            "→ write sslmode=require in its url, or let pg_hba.conf admit us without TLS",
        ),
        (
            at("tls_only", "postgres"),
            "no pg_hba.conf entry for host \"127.0.0.1\", user \"tls_only\", database \"postgres\", no encryption → write sslmode=require in its url",
        ),
        (
            at("crowd", "postgres"),
            "too many connections for role \"crowd\" → close sessions, or raise max_connections",
        ),
        (
            at("with_password:s3cret", "refusals"),
            "permission denied for database \"refusals\" → GRANT CONNECT ON DATABASE",
        ),
        (
            at("test", "postgres?sslmode=require"),
            "TLS failed: server does not support TLS → turn ssl on at the server",
        ),
        ("postgres://no-such-host.invalid/x".into(), "its host name is not known"),
        (
            "postgres:///x?host=/nonexistent".into(),
            "no socket there → is Postgres up",
        ),
        (
            "postgres://h:port/x".into(),
            "its url cannot be used: invalid port number → write it like postgres://",
        ),
    ] {
        let said = refused(&url).await;
        assert!(
            said.starts_with("connect to postgres://db: ") && said.contains(expected),
            "{url}: {said}"
        );
        assert!(!said.contains("s3cret"));
    }
    let mut rig = Rig::new(&cluster.link("with_password:s3cret", "postgres"));
    assert!(rig.read().await.database.is_some());
}

#[tokio::test]
async fn what_is_not_postgres_is_said_so() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        std::future::pending::<()>().await;
    });
    let said = refused(&format!("postgres://u@127.0.0.1:{port}/x")).await;
    assert!(
        said.contains("it does not speak the Postgres protocol → check host and port in its url"),
        "{said}"
    );
}

#[test]
fn an_address_of_ipv6_is_used_without_its_brackets() {
    let access = Access::new(&link("postgres://u@[::1]:5433/x")).unwrap();
    assert_eq!(access.options().get_host(), "::1");
}

#[tokio::test]
async fn tls_works_with_a_private_authority() {
    let key = KeyPair::generate().unwrap();
    let cert = CertificateParams::new(vec!["127.0.0.1".to_owned()])
        .unwrap()
        .self_signed(&key)
        .unwrap();
    let mut cluster = Cluster::start("");
    cluster.stop();
    let ca = cluster.private_file("server.crt", &cert.pem());
    cluster.private_file("server.key", &key.serialize_pem());
    cluster.private_file("postgresql.auto.conf", "ssl = on\n");
    cluster.launch();
    run(&mut cluster.admin("postgres").await, "CREATE ROLE tls_only LOGIN").await;
    let url = cluster.url("tls_only", "postgres");
    let verified = format!("{url}?sslmode=verify-full&sslrootcert={}", ca.display());
    assert!(Rig::new(&link(&verified)).read().await.database.is_some());
    assert!(Rig::new(&link(&url)).read().await.database.is_some());
    let said = refused(&format!("{url}?sslmode=verify-full")).await;
    assert!(
        said.contains("→ check the server's certificate, and sslmode and sslrootcert in its url"),
        "{said}"
    );
}

/// Copies one connection after the other to `port`, but refuses settings at the start of a
/// session, as poolers do.
async fn pooler(port: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            let mut ask_tls = [0; 8];
            client.read_exact(&mut ask_tls).await.unwrap();
            client.write_all(b"N").await.unwrap();
            let len = client.read_u32().await.unwrap();
            let mut startup = vec![0; len as usize - 4];
            client.read_exact(&mut startup).await.unwrap();
            if startup.windows(8).any(|part| part == b"options\0") {
                let fields = b"SFATAL\0VFATAL\0C08P01\0Munsupported startup parameter: options\0\0";
                client.write_u8(b'E').await.unwrap();
                client
                    .write_u32(u32::try_from(fields.len()).unwrap() + 4)
                    .await
                    .unwrap();
                client.write_all(fields).await.unwrap();
                continue;
            }
            let mut server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            server.write_u32(len).await.unwrap();
            server.write_all(&startup).await.unwrap();
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut client, &mut server).await });
        }
    });
    own
}

#[tokio::test]
async fn a_pooler_that_refuses_settings_is_no_obstacle() {
    let cluster = Cluster::shared();
    let _admin = cluster.database("pooled").await;
    let port = pooler(cluster.port).await;
    let mut rig = Rig::new(&link(&format!("postgres://pooled@127.0.0.1:{port}/pooled")));
    assert!(rig.read().await.counters.is_some());
    // Every transaction brings them along.
    let mut session = rig.source.session.take().unwrap();
    let settings = "SELECT current_setting('transaction_read_only'), current_setting('statement_timeout')";
    assert_eq!(
        session.ask(settings).await.unwrap(),
        [Some("on".to_owned()), Some("1500ms".to_owned())]
    );
}

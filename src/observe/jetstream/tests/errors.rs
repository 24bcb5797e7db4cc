//! Every way of not getting in, and what it says.

use std::os::unix::fs::PermissionsExt as _;

use rustix::process::Signal;
use secrecy::SecretString;
use tokio::io::AsyncWriteExt as _;

use super::server::{JETSTREAM, Server, data, free_port, link, user};
use super::*;
use crate::config::{NatsAuth, Tls};

/// What a busy machine may add to our own limits, which add up to less than 3 s: without them it
/// would take minutes, or for ever.
const SLACK: Duration = Duration::from_secs(10);

async fn error(link: NatsLink) -> SourceError {
    let begun = SystemClock::start();
    let error = Reader::new(link, pipeline(Some("webhooks"), None, None))
        .read_error()
        .await;
    let took = crate::base::time::Clock::now(&begun).mono;
    assert!(took < Duration::from_secs(3) + SLACK, "reported after {took:?}");
    error
}

#[track_caller]
fn says(error: &SourceError, parts: &[&str]) {
    let text = error.to_string();
    for part in parts {
        assert!(text.contains(part), "{part:?} is missing in: {text}");
    }
}

#[tokio::test]
async fn a_refused_connection_names_the_server_and_the_next_step() {
    let port = free_port();
    let error = error(link(&format!("nats://127.0.0.1:{port}"))).await;
    assert_eq!(
        error.to_string(),
        format!(
            "connect to nats://127.0.0.1:{port}: connection refused → start nats-server there, or check host and port"
        )
    );
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_said() {
    says(
        &error(link("nats://no-such-host.invalid:4222")).await,
        &["no-such-host.invalid", "cannot be resolved", "check the host name"],
    );
}

#[tokio::test]
async fn a_server_that_never_greets_is_reported_within_3_s() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    says(
        &error(link(&format!("nats://127.0.0.1:{port}"))).await,
        &["no greeting within 2 s", "tls_first"],
    );
}

#[tokio::test]
async fn something_else_than_nats_is_told_apart() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        }
    });
    says(
        &error(link(&format!("nats://127.0.0.1:{port}"))).await,
        &["client port"],
    );
}

#[tokio::test]
async fn urls_that_cannot_be_used_are_named_without_their_password() {
    says(
        &error(link("http://bob:hunter22@h:1")).await,
        &["http://•••@h:1", "write it as nats://"],
    );
    says(&error(link("ws://h:1")).await, &["WebSocket"]);
    let mut none = link("nats://h");
    none.servers.clear();
    says(&error(none).await, &["no server is configured"]);
}

#[tokio::test]
async fn of_several_servers_each_reason_is_told_and_the_gravest_decides() {
    let server = Server::start("authorization { user: a, password: right }").await;
    let dead = free_port();
    let mut link = link(&format!("nats://127.0.0.1:{dead}"));
    link.servers.push(server.url());
    link.auth = user("a", "wrong-password");
    let error = error(link).await;
    says(
        &error,
        &[
            "connection refused",
            "authorization violation for user a",
            "check the user name",
        ],
    );
    assert!(!error.to_string().contains("wrong-password"));
}

#[tokio::test]
async fn the_second_server_is_used_when_the_first_is_away_or_hangs() {
    let server = Server::start(JETSTREAM).await;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut link = link(&format!("nats://127.0.0.1:{}", free_port()));
    link.servers.push(format!("nats://{}", silent.local_addr().unwrap()));
    link.servers.push(server.url());
    Reader::new(link, pipeline(None, None, None)).read_ok().await;
}

#[tokio::test]
async fn wrong_logins_are_told_by_their_kind() {
    let server = Server::start("authorization { user: alice, password: right }").await;
    let mut wanted = server.link();
    says(
        &error(wanted.clone()).await,
        &["a client without login", "set user and password, creds, nkey or token"],
    );
    wanted.auth = user("alice", "wrong-password");
    says(
        &error(wanted.clone()).await,
        &[
            "authorization violation for user alice",
            "check the user name and the password",
        ],
    );
    wanted.auth = NatsAuth {
        token: Some(SecretString::from("not-the-token")),
        ..NatsAuth::default()
    };
    says(&error(wanted.clone()).await, &["this token", "check the token"]);
    // A well-formed seed that the server does not know.
    wanted.auth = NatsAuth {
        nkey: Some(SecretString::from(
            "SUAIBDPBAUTWCWBKIO6XHQNINK5FWJW4OHLXC3HQ2KFE4PEJUA44CNHTC4",
        )),
        ..NatsAuth::default()
    };
    says(&error(wanted.clone()).await, &["this nkey", "public key"]);
}

#[tokio::test]
async fn garbled_credentials_are_named_and_never_shown() {
    let server = Server::start(JETSTREAM).await;
    let mut link = server.link();
    link.auth.credentials = Some(SecretString::from("hunter22 is no credentials file"));
    let garbled = error(link.clone()).await;
    says(
        &garbled,
        &["log in with the credentials file", "user JWT and an nkey seed"],
    );
    assert!(!garbled.to_string().contains("hunter22"));
    link.auth = NatsAuth {
        jwt: Some((SecretString::from("not.a.jwt"), SecretString::from("SUNOSEED"))),
        ..NatsAuth::default()
    };
    says(&error(link).await, &["the user JWT and its seed", "user_seed"]);
    let server = Server::start(
        "authorization { users: [ { nkey: UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4 } ] }",
    )
    .await;
    let mut link = server.link();
    link.auth.nkey = Some(SecretString::from("hunter22"));
    let garbled = error(link).await;
    says(&garbled, &["the nkey seed cannot sign", "starts with SU"]);
    assert!(!garbled.to_string().contains("hunter22"));
}

fn tls_config(extra: &str, certificate: &str) -> String {
    format!(
        "{JETSTREAM}\ntls {{ cert_file: {:?}, key_file: {:?}, ca_file: {:?}, {extra} }}",
        data(&format!("tls/{certificate}.pem")),
        data(&format!("tls/{certificate}.key")),
        data("tls/ca.pem"),
    )
}

fn with_ca(server: &Server, ca: &str) -> NatsLink {
    let mut link = server.link();
    link.tls.ca = Some(data(ca));
    link
}

fn with_certificate(server: &Server, name: &str) -> NatsLink {
    let mut link = with_ca(server, "tls/ca.pem");
    link.tls.cert = Some(data(&format!("tls/{name}.pem")));
    link.tls.key = Some(data(&format!("tls/{name}.key")));
    link
}

#[tokio::test]
async fn an_unknown_authority_is_told_with_and_without_a_configured_one() {
    let server = Server::start(&tls_config("", "server")).await;
    says(
        &error(server.link()).await,
        &["TLS", "unknown authority", "give the authority's certificate as ca"],
    );
    says(
        &error(with_ca(&server, "tls/other-ca.pem")).await,
        &["unknown authority", "other-ca.pem does not hold"],
    );
    Reader::new(with_ca(&server, "tls/ca.pem"), pipeline(None, None, None))
        .read_ok()
        .await;
}

#[tokio::test]
async fn a_certificate_for_another_name_is_told() {
    let server = Server::start(&tls_config("", "misnamed")).await;
    says(
        &error(with_ca(&server, "tls/ca.pem")).await,
        &["not valid for 127.0.0.1", "connect by a name"],
    );
}

#[tokio::test]
async fn a_server_without_tls_is_told_when_tls_is_wanted() {
    let server = Server::start(JETSTREAM).await;
    says(
        &error(link(&server.url().replace("nats:", "tls:"))).await,
        &["does not speak TLS", "turn TLS on"],
    );
    says(&error(with_ca(&server, "tls/ca.pem")).await, &["does not speak TLS"]);
    let mut first = with_ca(&server, "tls/ca.pem");
    first.tls_first = true;
    says(&error(first).await, &["does not speak TLS", "tls_first"]);
}

#[tokio::test]
async fn client_certificates_are_asked_for_refused_and_accepted() {
    let server = Server::start(&tls_config("verify: true", "server")).await;
    says(
        &error(with_ca(&server, "tls/ca.pem")).await,
        &["TLS", "set cert and key"],
    );
    says(
        &error(with_certificate(&server, "stranger")).await,
        &["refused our certificate", "check cert and key"],
    );
    Reader::new(with_certificate(&server, "client"), pipeline(None, None, None))
        .read_ok()
        .await;
}

#[tokio::test]
async fn certificate_files_that_cannot_be_used_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let garbage = dir.path().join("garbage.pem");
    std::fs::write(&garbage, "no certificate").unwrap();
    std::fs::set_permissions(&garbage, std::fs::Permissions::from_mode(0o600)).unwrap();
    let absent = dir.path().join("absent.pem");
    let with = |tls: Tls| {
        let mut link = link("nats://127.0.0.1:1");
        link.tls = tls;
        link
    };
    let ca = |path: &std::path::Path| Tls {
        ca: Some(path.to_owned()),
        ..Tls::default()
    };
    says(
        &error(with(ca(&absent))).await,
        &["read the CA certificate", "absent.pem", "no such file"],
    );
    says(
        &error(with(ca(&garbage))).await,
        &["garbage.pem", "it holds no certificate"],
    );
    says(&error(with(ca(dir.path()))).await, &["it is a folder"]);
    let pair = |cert, key| Tls { ca: None, cert, key };
    let certificate = Some(data("tls/client.pem"));
    says(
        &error(with(pair(certificate.clone(), Some(garbage.clone())))).await,
        &["client key", "it holds no private key"],
    );
    says(
        &error(with(pair(certificate, None))).await,
        &["client certificate", "its key is not configured"],
    );
    says(
        &error(with(pair(None, Some(data("tls/client.key"))))).await,
        &["its certificate is not configured"],
    );
}

#[tokio::test]
async fn jetstream_switched_off_is_said_for_the_server_the_account_and_the_domain() {
    let server = Server::start("").await;
    let off = error(server.link()).await;
    says(
        &off,
        &[
            "JetStream is not enabled on",
            "start nats-server with -js or enable it for this account",
        ],
    );
    says(&off, &[&server.url()]);
    let mut domain = server.link();
    domain.api_prefix = "$JS.hub.API".to_owned();
    says(
        &error(domain).await,
        &["nobody answers on $JS.hub.API", "check the domain"],
    );
    let config = format!("{JETSTREAM}\naccounts {{ A {{ users: [ {{ user: a, password: b }} ] }} }}");
    let server = Server::start(&config).await;
    let mut account = server.link();
    account.auth = user("a", "b");
    says(&error(account.clone()).await, &["JetStream is not enabled", "account"]);
    // Also where no stream is followed.
    says(
        &Reader::new(account, pipeline(None, None, None)).read_error().await,
        &["JetStream is not enabled"],
    );
}

#[tokio::test]
async fn a_missing_stream_is_named_with_the_nearest_one_and_the_rest_is_read() {
    let server = Server::start(JETSTREAM).await;
    let admin = server.admin().await;
    for name in ["WEBHOOKS", "orders"] {
        admin.create_stream(stream_config(name)).await.unwrap();
    }
    let mut reader = Reader::new(server.link(), pipeline(Some("webhook"), None, None));
    let (outcome, seen) = reader.read().await;
    let error = outcome.unwrap_err();
    says(
        &error,
        &["read stream webhook", "no such stream", "did you mean WEBHOOKS?"],
    );
    assert_eq!(seen.queues.len(), 2, "what is there is read all the same");
    assert!(seen.server.is_some());
    admin.create_stream(stream_config("webhook")).await.unwrap();
    assert_eq!(reader.read_ok().await.queue("webhook").before.state.messages, 0);
}

#[tokio::test]
async fn a_stream_name_that_is_none_is_refused_before_it_is_asked_for() {
    let server = Server::start(JETSTREAM).await;
    for name in ["a.b", "a*", "webhooks >"] {
        let error = Reader::new(server.link(), pipeline(Some(name), None, None))
            .read_error()
            .await;
        says(&error, &["is no valid name", "check the name"]);
    }
}

#[tokio::test]
async fn a_frozen_server_is_reported_and_its_return_is_seen() {
    let server = Server::start(JETSTREAM).await;
    let mut reader = Reader::new(server.link(), pipeline(None, None, None));
    reader.read_ok().await;
    server.signal(Signal::STOP);
    let clock = SystemClock::start();
    let error = reader.read_error().await;
    let took = crate::base::time::Clock::now(&clock).mono;
    says(&error, &["connection lost", &server.url()]);
    const {
        assert!(
            super::link::SILENCE.as_millis() < 3_000,
            "a dead server is shown within 3 s"
        );
    };
    assert!(took < super::link::SILENCE + SLACK, "{took:?}");
    server.signal(Signal::CONT);
    reader.read_ok().await;
}

#[tokio::test]
async fn a_server_that_stops_fails_the_reading_and_one_that_is_back_is_read_again() {
    let mut server = Server::start(JETSTREAM).await;
    let stream = async_nats::jetstream::stream::Config {
        name: "webhooks".to_owned(),
        subjects: vec!["webhook.*.*".to_owned()],
        ..Default::default()
    };
    server.admin().await.create_stream(stream).await.unwrap();
    let mut reader = Reader::new(server.link(), pipeline(Some("webhooks"), None, None));
    assert!(reader.read().await.0.is_ok());
    server.stop();
    assert!(reader.read().await.0.is_err());
    server.start_again().await;
    // The first reading may still find the old connection's end.
    let again = match reader.read().await {
        (Ok(rtt), _) => Ok(rtt),
        (Err(_), _) => reader.read().await.0,
    };
    assert!(again.is_ok(), "{again:?}");
}

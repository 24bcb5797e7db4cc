//! Receivers that are away, close, talk nonsense or may not be trusted, and plans that make no sense.

use super::*;

#[tokio::test]
async fn a_receiver_that_is_not_there_fails_every_shot_and_none_counts_as_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let summary = fire(Plan {
        limit: count(10),
        ..plan(&url, "generic")
    })
    .await;
    assert_eq!((summary.sent, summary.failed, summary.due), (0, 10, 10));
    assert_eq!(summary.failures, BTreeMap::from([(FailureKind::Connect, 10)]));
    assert_eq!(summary.samples.len(), 1);
    assert!(summary.samples[0].text.contains("refused"), "{:?}", summary.samples);
}

/// Answers requests of the generic template on one connection.
async fn answer_each<S>(mut stream: S, answer: &str, then_close: bool, counter: &AtomicU64)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let mut read = Vec::new();
    let mut buffer = [0; 8_192];
    while let Ok(length @ 1..) = stream.read(&mut buffer).await {
        read.extend_from_slice(&buffer[..length]);
        // The template's body ends in "}}", and nothing else does.
        if !read.ends_with(b"}}") {
            continue;
        }
        read.clear();
        counter.fetch_add(1, Ordering::Relaxed);
        let written = stream.write_all(answer.as_bytes()).await;
        if written.is_err() || stream.flush().await.is_err() || then_close {
            return;
        }
    }
}

/// A server of fixed behaviour: reads a request, writes `answer`, closes where told so.
async fn raw_server(answer: &'static str, then_close: bool) -> (String, Arc<AtomicU64>, AbortOnDropHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answered = Arc::new(AtomicU64::new(0));
    let counter = answered.clone();
    let server = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let counter = counter.clone();
            tokio::spawn(async move { answer_each(stream, answer, then_close, &counter).await });
        }
    });
    (url, answered, AbortOnDropHandle::new(server))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_receiver_that_closes_after_each_answer_loses_nothing() {
    for announced in [true, false] {
        let answer = if announced {
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        } else {
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
        };
        let (url, served, _server) = raw_server(answer, true).await;
        let summary = fire(Plan {
            limit: count(50),
            // Slow enough for the close to arrive before the next request leaves.
            shape: steady(100.0),
            ..plan(&url, "generic")
        })
        .await;
        if announced {
            assert_eq!((summary.accepted, summary.failed), (50, 0), "{summary:?}");
        }
        // A close that nobody announced may cross a request on its way: it is counted, never hidden.
        assert_eq!(
            summary.accepted + summary.failures.get(&FailureKind::Closed).unwrap_or(&0),
            50
        );
        assert_eq!(served.load(Ordering::Relaxed), summary.accepted);
    }
}

#[tokio::test]
async fn what_is_no_http_is_a_protocol_failure_and_a_cut_answer_a_closed_connection() {
    let (url, ..) = &raw_server("SSH-2.0-OpenSSH_9.2\r\n\r\n", true).await;
    let summary = fire(plan(url, "generic")).await;
    assert_eq!(
        summary.failures,
        BTreeMap::from([(FailureKind::Protocol, 1)]),
        "{summary:?}"
    );
    let (url, _, _server) = &raw_server("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf", true).await;
    let summary = fire(plan(url, "generic")).await;
    assert_eq!(
        summary.failures,
        BTreeMap::from([(FailureKind::Closed, 1)]),
        "{summary:?}"
    );
}

#[tokio::test]
async fn credentials_of_the_url_become_a_header_and_are_shown_nowhere() {
    let receiver = Receiver::ok().await;
    let url = receiver.url.replace("http://", "http://bob:p%40ss@");
    let summary = fire(plan(&url, "generic")).await;
    assert_eq!(summary.accepted, 1);
    assert_eq!(receiver.seen()[0].headers["authorization"], "Basic Ym9iOnBAc3M=");
    let error = refusal(plan("ftp://bob:s3cret@host/", "generic")).await;
    assert!(
        error.contains("ftp://•••@host/") && !error.contains("s3cret"),
        "{error}"
    );
    let error = refusal(plan("http://bob:s3cret@no-such-host.invalid/", "generic")).await;
    assert!(
        error.contains("no-such-host.invalid") && !error.contains("s3cret"),
        "{error}"
    );
}

#[tokio::test]
async fn a_certificate_is_accepted_when_its_authority_is_named_and_refused_when_not() {
    use rustls::pki_types::pem::PemObject as _;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};

    let data = |name: &str| {
        std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/data/tls")
            .join(name)
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_file(data("localhost.pem")).unwrap()],
            PrivateKeyDer::from_pem_file(data("localhost.key")).unwrap(),
        )
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
    let _server = AbortOnDropHandle::new(tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(stream) = acceptor.accept(stream).await else {
                continue;
            };
            answer_each(
                stream,
                "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
                false,
                &AtomicU64::new(0),
            )
            .await;
        }
    }));
    let trusting = Plan {
        limit: count(3),
        tls: crate::config::Tls {
            ca: Some(data("localhost.pem")),
            ..crate::config::Tls::default()
        },
        ..plan(&url, "generic")
    };
    assert_eq!(fire(trusting.clone()).await.accepted, 3);
    let error = refusal(plan(&url, "generic")).await;
    assert!(error.starts_with(&format!("TLS with {url}")), "{error}");
    let error = refusal(Plan {
        tls: crate::config::Tls {
            ca: Some("/does/not/exist.pem".into()),
            ..crate::config::Tls::default()
        },
        ..trusting
    })
    .await;
    assert!(error.starts_with("read certificate /does/not/exist.pem"), "{error}");
}

#[tokio::test]
async fn a_target_without_tls_is_refused_before_the_first_shot() {
    let receiver = Receiver::ok().await;
    let error = refusal(plan(&receiver.url.replace("http:", "https:"), "generic")).await;
    assert!(error.starts_with("TLS with https://127.0.0.1"), "{error}");
    assert_eq!(receiver.count(), 0);
}

#[tokio::test]
async fn a_plan_that_makes_no_sense_is_refused_before_the_first_shot() {
    let receiver = Receiver::ok().await;
    let base = || plan(&receiver.url, "generic");
    for (plan, reason) in [
        (
            Plan {
                limit: count(0),
                ..base()
            },
            "nothing to fire",
        ),
        (
            Plan {
                timeout: Duration::ZERO,
                ..base()
            },
            "timeout 0",
        ),
        (
            Plan {
                concurrency: lanes(100_000),
                ..base()
            },
            "concurrency 100000",
        ),
        (plan("not a url", "generic"), "target not a url"),
        (plan("http://", "generic"), "target http://"),
        (
            Plan {
                batch: Some(lanes(2)),
                ..plan(&receiver.url, "twilio")
            },
            "batch of twilio.status_callback",
        ),
    ] {
        let error = refusal(plan).await;
        assert!(error.contains(reason) && error.contains(" → "), "{error}");
    }
    assert_eq!(receiver.count(), 0);
}

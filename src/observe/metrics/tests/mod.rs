//! The source against servers that behave and servers that do not.

pub(in crate::observe) mod server;

use std::sync::Arc;
use std::time::Duration;

use rstest::rstest;
use tokio::sync::mpsc;

use self::server::{Answer, Authority, Server, Step, answer, gzip, page};
use super::*;
use crate::base::secret::Redactor;
use crate::base::time::{SharedClock, SystemClock};
use crate::config::{HttpAuth, Tls};
use crate::sample::Envelope;

const PAGE: &str = "# TYPE webhook_queued_total counter\nwebhook_queued_total{provider=\"telnyx\"} 7\nup 1\n";

fn target(url: &str) -> Target {
    Target {
        discovery: crate::config::Discovery::One,
        name: "w-1".into(),
        url: url.to_owned(),
        auth: None,
        headers: Vec::new(),
        tls: Tls::default(),
        interval: Duration::from_secs(1),
        timeout: Duration::from_secs(5),
    }
}

/// A source with somewhere to put its samples.
struct Rig {
    source: Metrics,
    outlet: Outlet,
    samples: mpsc::Receiver<Envelope>,
}

impl Rig {
    fn new(target: &Target) -> Self {
        Self::try_new(target).unwrap()
    }

    fn try_new(target: &Target) -> Result<Self, SourceError> {
        // Whichever test is first installs it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let source = Metrics::new(target, &Families::default())?;
        let (sender, samples) = mpsc::channel(16);
        let clock: SharedClock = SystemClock::shared();
        let outlet = Outlet::new(sender, "test".into(), source.id(), clock, Redactor::default());
        Ok(Self {
            source,
            outlet,
            samples,
        })
    }

    async fn read(&mut self) -> Result<Scrape, SourceError> {
        self.source.read(&mut self.outlet).await?;
        match self.samples.try_recv().unwrap().sample {
            Sample::Scrape(scrape) => Ok(scrape),
            other => panic!("unexpected {other:?}"),
        }
    }

    /// What a failed reading says; nothing was sent.
    async fn refusal(&mut self) -> String {
        let said = self.read().await.unwrap_err().to_string();
        assert!(self.samples.try_recv().is_err());
        said
    }
}

async fn served(respond: impl Fn() -> Answer + Send + Sync + 'static) -> (Server, Rig) {
    let server = Server::start(move |_, _| respond()).await;
    let rig = Rig::new(&target(&server.url()));
    (server, rig)
}

#[tokio::test]
async fn a_page_becomes_a_scrape() {
    let (_server, mut rig) = served(|| page(PAGE)).await;
    assert_eq!(rig.source.id().to_string(), "metrics/w-1");
    let scrape = rig.read().await.unwrap();
    assert_eq!(&*scrape.target, "w-1");
    assert_eq!(scrape.values, [7.0]);
    assert_eq!(scrape.layout.series[0].label("provider"), Some("telnyx"));
    assert_eq!(scrape.bytes, PAGE.len() as u64);
    assert!(!scrape.took.is_zero());
    assert_eq!((scrape.skipped, scrape.left_out), (0, 0));
}

#[tokio::test]
async fn connection_and_layout_are_kept_between_scrapes() {
    let server = Server::start(|n, _| page(PAGE.replace('7', &n.to_string()))).await;
    let mut rig = Rig::new(&target(&server.url()));
    let first = rig.read().await.unwrap();
    for n in 1..4 {
        let next = rig.read().await.unwrap();
        assert_eq!(next.values, [f64::from(n)]);
        assert!(Arc::ptr_eq(&first.layout, &next.layout));
    }
    assert_eq!(server.seen.lock().unwrap().connections, 1);
}

#[tokio::test]
async fn a_connection_that_the_target_closed_meanwhile_is_no_failure() {
    let (server, mut rig) = served(|| [page(PAGE), vec![Step::Close]].concat()).await;
    for _ in 0..3 {
        assert_eq!(rig.read().await.unwrap().values, [7.0]);
    }
    assert_eq!(server.seen.lock().unwrap().connections, 3);
}

#[rstest]
#[case::bearer(HttpAuth::Bearer("t0ken\n".to_owned().into()), "authorization: Bearer t0ken")]
#[case::basic(HttpAuth::Basic("ann".into(), "pässword".to_owned().into()), "authorization: Basic YW5uOnDDpHNzd29yZA==")]
#[tokio::test]
async fn a_target_gets_its_login_and_headers(#[case] auth: HttpAuth, #[case] expected: &str) {
    let server = Server::start(|_, _| page(PAGE)).await;
    let mut target = target(&server.url());
    target.auth = Some(auth);
    target.headers = vec![("X-Scope".into(), "t-1".to_owned().into())];
    let mut rig = Rig::new(&target);
    rig.read().await.unwrap();
    let request = server.requests().remove(0);
    for line in [
        expected,
        "x-scope: t-1",
        "accept-encoding: gzip",
        "user-agent: hookwatch/",
    ] {
        assert!(request.contains(line), "{line} in {request}");
    }
    assert!(request.contains("accept: text/plain;version=0.0.4;q=1,application/openmetrics-text"));
    assert!(!format!("{rig:?}", rig = rig.source).contains("t0ken"));
}

#[tokio::test]
async fn gzip_is_unpacked_and_counted_unpacked() {
    let (_server, mut rig) = served(|| answer("200 OK", "content-encoding: gzip\r\n", gzip(PAGE.as_bytes()))).await;
    let scrape = rig.read().await.unwrap();
    assert_eq!(
        (scrape.values.as_slice(), scrape.bytes),
        (&[7.0][..], PAGE.len() as u64)
    );
}

#[tokio::test]
async fn damaged_gzip_is_an_error() {
    let mut body = gzip(PAGE.repeat(1_000).as_bytes());
    body.truncate(body.len() / 2);
    let (_server, mut rig) = served(move || answer("200 OK", "content-encoding: gzip\r\n", &body)).await;
    let said = rig.refusal().await;
    assert!(
        said.contains("its body is damaged") || said.contains("before its answer was complete"),
        "{said}"
    );
}

#[tokio::test]
async fn a_bomb_stops_at_the_page_limit() {
    let bomb = gzip(&vec![b'\n'; 40 << 20]);
    let (_server, mut rig) = served(move || answer("200 OK", "content-encoding: gzip\r\n", &bomb)).await;
    let said = rig.refusal().await;
    assert!(said.contains("its page is larger than 16.0 MiB"), "{said}");
}

#[tokio::test]
async fn a_page_of_10_mb_is_read_and_one_above_the_limit_is_refused() {
    let server = Server::start(|n, _| {
        let line = |i| {
            format!(
                "other_total{{a=\"{i}\",b=\"{}\"}} 1\nwebhook_queued_total{{p=\"{}\"}} 2\n",
                "x".repeat(800),
                i
            )
        };
        page((0..[12_000, 20_000][n]).map(line).collect::<String>())
    })
    .await;
    let mut rig = Rig::new(&target(&server.url()));
    let scrape = rig.read().await.unwrap();
    assert!(scrape.bytes > 10_000_000);
    assert_eq!(scrape.values.len(), 12_000);
    let said = rig.refusal().await;
    assert!(
        said.ends_with("its page is larger than 16.0 MiB → give this target a page with fewer series"),
        "{said}"
    );
}

#[tokio::test]
async fn a_slow_page_that_makes_it_is_read() {
    let (_server, mut rig) = served(|| {
        let Some(Step::Send(bytes)) = page(PAGE).pop() else {
            unreachable!()
        };
        bytes
            .chunks(9)
            .flat_map(|c| [Step::Send(c.to_vec()), Step::Pause(Duration::from_millis(2))])
            .collect()
    })
    .await;
    assert_eq!(rig.read().await.unwrap().values, [7.0]);
}

#[tokio::test]
async fn a_target_that_hangs_is_named_before_the_supervisor_loses_patience() {
    let server = Server::start(|n, _| match n {
        0 => vec![Step::Hang],
        1 => vec![
            Step::Send(b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\nup 1\n".to_vec()),
            Step::Hang,
        ],
        2 => vec![
            Step::Send(b"HTTP/1.1 500 Oops\r\ncontent-length: 9999\r\n\r\n".to_vec()),
            Step::Hang,
        ],
        _ => page(PAGE),
    })
    .await;
    let mut target = target(&server.url());
    target.timeout = Duration::from_millis(400);
    let mut rig = Rig::new(&target);
    assert!(rig.source.timeout() > target.timeout);
    let said = rig.refusal().await;
    assert!(said.contains("no answer within 400 ms → is the process hung"), "{said}");
    let said = rig.refusal().await;
    assert!(
        said.contains("its page was not complete after 400 ms (5 B so far)"),
        "{said}"
    );
    let said = rig.refusal().await;
    assert!(said.contains("500 Internal Server Error →"), "{said}");
    assert_eq!(rig.read().await.unwrap().values, [7.0]);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_no_page() {
    let (_server, mut rig) = served(|| {
        let head = "HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n";
        vec![Step::Send(format!("{head}{PAGE}").into_bytes()), Step::Close]
    })
    .await;
    let said = rig.refusal().await;
    assert!(
        said.contains("it closed the connection before its answer was complete"),
        "{said}"
    );
}

#[rstest]
#[case::rate_limited(
    "429 Too Many Requests", "content-type: application/json\r\n", include_bytes!("../../../../tests/data/metrics/ratelimited.txt"),
    "429 Too Many Requests: {\"error\":\"Too many requests\",\"retryAfter\":60} → give this target a longer interval"
)]
#[case::collector_failed(
    "500 Internal Server Error", "", include_bytes!("../../../../tests/data/metrics/nats-down-down.txt"),
    "500 Internal Server Error: {\"error\":\"Failed to collect metrics\"} → look at the process's own log"
)]
#[case::unavailable(
    "503 Service Unavailable",
    "retry-after: Fri, 20 Nov 2026\r\n",
    b"",
    "503 Service Unavailable, retry after Fri, 20 Nov 2026 → look"
)]
#[case::login(
    "401 Unauthorized",
    "",
    b"",
    "401 Unauthorized → give this target a bearer token, or basic user and password"
)]
#[case::right("403 Forbidden", "", b"no", "403 Forbidden: no → its login lacks the right")]
#[case::path(
    "404 Not Found",
    "",
    b"",
    "404 Not Found → check the path in its url, usually /metrics"
)]
#[case::no_content("204 No Content", "", b"", "204 No Content → check that its url is a metrics page")]
#[case::unknown_status("599 Whatever", "", b"", "599 → look")]
#[case::hostile_body(
    "500 Oops",
    "",
    b"a\x1b[31m\r\n\xffb",
    "500 Internal Server Error: a\\x1b[31m \u{fffd}b → look"
)]
#[tokio::test]
async fn any_status_but_200_is_shown_as_such(
    #[case] status: &'static str,
    #[case] headers: &'static str,
    #[case] body: &'static [u8],
    #[case] expected: &str,
) {
    let (server, mut rig) = served(move || answer(status, headers, body)).await;
    let said = rig.refusal().await;
    assert!(
        said.starts_with(&format!("scrape {}: {expected}", server.url())),
        "{said}"
    );
}

#[tokio::test]
async fn a_target_that_asks_for_a_pause_gets_it() {
    let (server, mut rig) = served(|| answer("429 Too Many Requests", "retry-after: 20\r\n", "")).await;
    assert!(
        rig.refusal()
            .await
            .contains("429 Too Many Requests, retry after 20 s → give")
    );
    for _ in 0..3 {
        let said = rig.refusal().await;
        assert!(
            said.contains("429 Too Many Requests, asked to stay away for another 20 s"),
            "{said}"
        );
    }
    assert_eq!(server.requests().len(), 1);
    rig.source.paused_until = Duration::ZERO;
    assert!(rig.refusal().await.contains("retry after 20 s"));
}

#[rstest]
#[case::empty("", "its page is empty → check that the process registers its metrics")]
#[case::blank(" \n\n", "its page is empty")]
#[case::html(
    "<!doctype html>\n<html><title>Grafana</title>",
    "an HTML page instead of metrics: <!doctype html> <html><title>Grafana</title> → check that its url"
)]
#[case::json("{\"status\": \"ok\"}", "JSON instead of metrics: {\"status\": \"ok\"} →")]
#[case::json_list("[1]", "JSON instead of metrics: [1] →")]
#[case::other_metrics(
    "# TYPE up gauge\nup 1\n# TYPE go_threads gauge\n",
    "no known metric among 2 families; the page begins # TYPE up gauge up 1 # TYPE go_threads gauge → set [metrics.names]"
)]
#[case::quoted_names(
    "{\"up\", a=\"1\"} 1\n",
    "no known metric among 0 families; the page begins {\"up\", a=\"1\"} 1 →"
)]
#[case::text("OK", "no known metric among 1 families; the page begins OK")]
#[case::zeroes("\0\0\0\0", "binary data instead of metrics text →")]
#[tokio::test]
async fn a_page_without_metrics_says_what_it_is_instead(#[case] body: &'static str, #[case] expected: &str) {
    let (_server, mut rig) = served(move || page(body)).await;
    let said = rig.refusal().await;
    assert!(said.contains(expected), "{said}");
}

#[tokio::test]
async fn protobuf_and_cut_off_openmetrics_are_refused() {
    let server = Server::start(|n, _| match n {
        0 => answer(
            "200 OK",
            "content-type: application/vnd.google.protobuf; proto=x\r\n",
            PAGE,
        ),
        1 => answer(
            "200 OK",
            "content-type: application/openmetrics-text; version=1.0.0\r\n",
            PAGE,
        ),
        _ => answer(
            "200 OK",
            "content-type: application/openmetrics-text; version=1.0.0\r\n",
            format!("{PAGE}# EOF\n"),
        ),
    })
    .await;
    let mut rig = Rig::new(&target(&server.url()));
    assert!(rig.refusal().await.contains("binary data instead of metrics text"));
    assert!(
        rig.refusal()
            .await
            .contains("its page is cut off: it does not end with # EOF")
    );
    assert_eq!(rig.read().await.unwrap().values, [7.0]);
}

#[tokio::test]
async fn declared_families_without_samples_are_a_page() {
    let (_server, mut rig) = served(|| page("# TYPE webhook_queued_total counter\n")).await;
    assert!(rig.read().await.unwrap().values.is_empty());
}

#[tokio::test]
async fn unreadable_lines_are_reported_with_the_sample() {
    let (_server, mut rig) = served(|| page(format!("{PAGE}webhook_queued_total{{p=\"x}} 1\n"))).await;
    let scrape = rig.read().await.unwrap();
    assert_eq!((scrape.values.as_slice(), scrape.skipped), (&[7.0][..], 1));
    assert_eq!(
        scrape.first_skipped.unwrap(),
        "a quote is not closed: webhook_queued_total{p=\"x} 1"
    );
}

#[tokio::test]
async fn nobody_there_is_said_so() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let mut rig = Rig::new(&target(&format!("http://127.0.0.1:{port}/metrics?token=s3cret")));
    let said = rig.refusal().await;
    let expected = format!(
        "scrape http://127.0.0.1:{port}/metrics: connection refused → is the process up, and does it listen there?"
    );
    assert_eq!(said, expected);
    let mut rig = Rig::new(&target("http://no-such-host.invalid/metrics"));
    let said = rig.refusal().await;
    assert!(
        said.contains("its host name is not known") && said.contains("→ check the host in its url"),
        "{said}"
    );
}

#[tokio::test]
async fn what_does_not_speak_http_is_said_so() {
    let (_server, mut rig) =
        served(|| vec![Step::Send(b"INFO {\"server_id\":\"x\"}\r\n\r\n".to_vec()), Step::Close]).await;
    let said = rig.refusal().await;
    assert!(
        said.contains("it does not answer in HTTP → write https:// if it speaks TLS"),
        "{said}"
    );
}

#[tokio::test]
async fn credentials_go_to_no_other_host() {
    let other = Server::start(|_, _| page(PAGE)).await;
    let elsewhere = other.url();
    let server = Server::start(move |_, request| match request.split(' ').nth(1) {
        Some("/metrics") => answer("302 Found", "location: /real?x=1\r\n", ""),
        Some("/real?x=1") => page(PAGE),
        _ => answer("302 Found", &format!("location: {elsewhere}?token=s3cret\r\n"), ""),
    })
    .await;
    let mut target = target(&server.url());
    target.auth = Some(HttpAuth::Bearer("t0ken".to_owned().into()));
    assert_eq!(Rig::new(&target).read().await.unwrap().values, [7.0]);
    assert!(server.requests()[1].contains("authorization: Bearer t0ken"));

    target.url = server.url().replace("/metrics", "/away");
    let said = Rig::new(&target).refusal().await;
    let expected = format!(
        "302 Found to {}, which is another host → write the place it names as its url",
        other.url()
    );
    assert!(said.ends_with(&expected), "{said}");
    assert!(other.requests().is_empty());
}

#[tokio::test]
async fn a_redirect_loop_ends() {
    let (server, mut rig) = served(|| answer("302 Found", "location: /metrics\r\n", "")).await;
    assert!(rig.refusal().await.contains("302 Found"));
    assert!(server.requests().len() <= 5);
}

async fn tls_server(authority: &Authority, names: &[&str], until: i32, clients: bool) -> Server {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let acceptor = authority.acceptor(&authority.sign("server", names, until), clients);
    Server::start_with(Some(acceptor), |_, _| page(PAGE)).await
}

fn tls_target(server: &Server, authority: &Authority) -> Target {
    let mut target = target(&format!("https://localhost:{}/metrics", server.port));
    target.tls.ca = Some(authority.ca.clone());
    target
}

#[tokio::test]
async fn a_private_authority_is_trusted_where_it_is_named_and_nowhere_else() {
    let authority = Authority::new();
    let server = tls_server(&authority, &["localhost"], 4_000, false).await;
    let mut target = tls_target(&server, &authority);
    assert_eq!(Rig::new(&target).read().await.unwrap().values, [7.0]);

    let stranger = Authority::new();
    target.tls.ca = Some(stranger.ca.clone());
    let said = Rig::new(&target).refusal().await;
    assert!(
        said.contains("signed by nobody we trust → give this target the ca that signed it"),
        "{said}"
    );

    target.tls.ca = None;
    match Rig::try_new(&target) {
        Ok(mut rig) => assert!(rig.refusal().await.contains("signed by nobody we trust")),
        // A machine without any authorities of its own.
        Err(error) => assert!(error.to_string().contains("ca-certificates"), "{error}"),
    }
}

#[tokio::test]
async fn a_wrong_or_expired_certificate_is_said_so() {
    let authority = Authority::new();
    let server = tls_server(&authority, &["elsewhere"], 4_000, false).await;
    let said = Rig::new(&tls_target(&server, &authority)).refusal().await;
    assert!(said.contains("its certificate is for another host name"), "{said}");
    let server = tls_server(&authority, &["localhost"], 2_001, false).await;
    let said = Rig::new(&tls_target(&server, &authority)).refusal().await;
    assert!(said.contains("its certificate has expired → renew it"), "{said}");
}

#[tokio::test]
async fn a_client_certificate_is_shown_where_it_is_asked_for() {
    let authority = Authority::new();
    let server = tls_server(&authority, &["localhost"], 4_000, true).await;
    let mut target = tls_target(&server, &authority);
    let said = Rig::new(&target).refusal().await;
    assert!(
        said.contains("→ give this target a cert and key that it accepts"),
        "{said}"
    );
    let (cert, key) = authority.sign("client", &["console"], 4_000);
    target.tls.cert = Some(cert);
    let said = Rig::try_new(&target).err().unwrap().to_string();
    assert!(
        said.ends_with("a certificate and its key belong together → give this target both cert and key"),
        "{said}"
    );
    target.tls.key = Some(key);
    assert_eq!(Rig::new(&target).read().await.unwrap().values, [7.0]);
}

#[tokio::test]
async fn http_and_https_mixed_up_are_said_so() {
    let authority = Authority::new();
    let server = tls_server(&authority, &["localhost"], 4_000, false).await;
    let said = Rig::new(&target(&server.url())).refusal().await;
    assert!(
        said.contains("write https:// if it speaks TLS") || said.contains("closed the connection"),
        "{said}"
    );
    let plain = Server::start(|_, _| page(PAGE)).await;
    let mut target = tls_target(&server, &authority);
    target.url = target.url.replace(&server.port.to_string(), &plain.port.to_string());
    // The server reads the greeting as a request that never ends.
    target.timeout = Duration::from_millis(300);
    let said = Rig::new(&target).refusal().await;
    assert!(
        said.contains("no answer within 300 ms") || said.contains("it does not speak TLS"),
        "{said}"
    );
}

#[test]
fn a_thousand_targets_share_what_they_can() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let authority = Authority::new();
    let mut fleet = Fleet::new(&Families::default());
    for port in 1..=1_000 {
        let mut one = target(&format!("http://127.0.0.1:{port}/metrics"));
        one.auth = Some(HttpAuth::Bearer(format!("token {port}").into()));
        fleet.source(&one).unwrap();
        one.url = one.url.replace("http:", "https:");
        one.tls.ca = Some(authority.ca.clone());
        fleet.source(&one).unwrap();
    }
    assert_eq!(fleet.clients.clients.len(), 2);
}

#[rstest]
#[case::url(
    "no url",
    None,
    "its url is none: relative URL without a base → write the target's url like"
)]
#[case::scheme("nats://h:4222", None, "its url is neither http nor https")]
#[case::header("http://h/", Some(("X-A", "a\nb")), "the value of its X-A header is no header value")]
#[case::header_name("http://h/", Some(("X A", "a")), "`X A` is no header name")]
fn a_target_that_cannot_be_asked_is_refused_at_once(
    #[case] url: &str,
    #[case] header: Option<(&str, &str)>,
    #[case] expected: &str,
) {
    let mut target = target(url);
    target.headers = header
        .into_iter()
        .map(|(k, v)| (k.into(), v.to_owned().into()))
        .collect();
    let said = Metrics::new(&target, &Families::default()).unwrap_err().to_string();
    assert!(said.starts_with("use w-1: ") && said.contains(expected), "{said}");
}

#[test]
fn certificate_files_that_are_missing_or_empty_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    let mut target = target("https://h/metrics");
    target.tls.ca = Some(path.clone());
    let said = Metrics::new(&target, &Families::default()).unwrap_err().to_string();
    assert!(
        said.contains("ca.pem: No such file") && said.contains("→ check the path"),
        "{said}"
    );
    std::fs::write(&path, "nothing").unwrap();
    let said = Metrics::new(&target, &Families::default()).unwrap_err().to_string();
    assert!(
        said.contains("ca.pem: no certificate in it → ca wants certificates in PEM form"),
        "{said}"
    );
}

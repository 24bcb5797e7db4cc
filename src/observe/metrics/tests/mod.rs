//! The source against servers that behave and servers that do not.

mod refusals;
mod tls;

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

//! Groups against real servers on loopback: targets come and go, wrong lists are refused.

use std::fmt::Write as _;

use tokio::sync::mpsc;

use super::*;
use crate::base::secret::Redactor;
use crate::base::time::SystemClock;
use crate::config::{Families, Tls};
use crate::observe::metrics::tests::server::{Server, Step, page};
use crate::sample::Envelope;

const PAGE: &str = "# TYPE webhook_received_total counter\nwebhook_received_total{provider=\"a\"} 7\n";

fn target(discovery: Discovery, url: &str) -> Target {
    Target {
        name: "group".into(),
        url: url.to_owned(),
        discovery,
        auth: None,
        headers: Vec::new(),
        tls: Tls::default(),
        interval: Duration::from_millis(50),
        timeout: Duration::from_secs(2),
    }
}

struct Rig {
    group: Group,
    outlet: Outlet,
    samples: mpsc::Receiver<Envelope>,
}

impl Rig {
    fn new(target: &Target) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self::of(Fleet::new(&Families::default()).group(target))
    }

    fn of(group: Group) -> Self {
        let (sender, samples) = mpsc::channel(256);
        let outlet = Outlet::new(
            sender,
            "test".into(),
            group.id(),
            SystemClock::shared(),
            Redactor::default(),
        );
        Self { group, outlet, samples }
    }

    async fn read(&mut self) -> Result<Duration, String> {
        self.group
            .read(&mut self.outlet)
            .await
            .map_err(|error| error.to_string())
    }

    /// The next scrape of a target.
    async fn scrape_of(&mut self, name: &str) {
        let wanted =
            |envelope: &Envelope| matches!(envelope.sample, Sample::Scrape(_)) && &*envelope.source.name == name;
        let found = async { while !wanted(&self.samples.recv().await.unwrap()) {} };
        tokio::time::timeout(Duration::from_secs(5), found).await.unwrap();
    }

    /// Waits until a target is said to be gone.
    async fn end_of(&mut self, name: &str) {
        let over = |envelope: &Envelope| {
            matches!(&envelope.sample, Sample::Report(report) if report.state == SourceState::Off)
                && &*envelope.source.name == name
        };
        let found = async { while !over(&self.samples.recv().await.unwrap()) {} };
        tokio::time::timeout(Duration::from_secs(5), found).await.unwrap();
    }
}

/// Writes a list whose time differs from the last one's.
fn write(path: &Path, content: &str, second: u64) {
    std::fs::write(path, content).unwrap();
    let file = std::fs::File::options().append(true).open(path).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(second))
        .unwrap();
}

#[tokio::test]
async fn a_hundred_targets_that_hang_delay_nobody_else() {
    let (good, hung) = (
        Server::start(|_, _| page(PAGE)).await,
        Server::start(|_, _| vec![Step::Hang]).await,
    );
    let entries: Vec<String> = [(good.port, "good", 20), (hung.port, "hung", 100)]
        .into_iter()
        .flat_map(|(port, kind, count)| {
            (0..count).map(move |n| {
                format!(r#"{{"targets":["127.0.0.1:{port}"],"labels":{{"__metrics_path__":"/{kind}/{n}"}}}}"#)
            })
        })
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hooks.json");
    write(&path, &format!("[{}]", entries.join(",")), 1);
    let mut target = target(Discovery::File(path), "http://file.invalid/metrics");
    // Whoever waited for one that hangs would wait for longer than this test does.
    target.timeout = Duration::from_mins(1);
    let mut rig = Rig::new(&target);
    rig.read().await.unwrap();
    let mut pages: BTreeMap<Arc<str>, u32> = BTreeMap::new();
    let all_read = async {
        while pages.len() < 20 || pages.values().any(|count| *count < 3) {
            let envelope = rig.samples.recv().await.unwrap();
            if matches!(envelope.sample, Sample::Scrape(_)) {
                *pages.entry(envelope.source.name).or_default() += 1;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), all_read).await.unwrap();
}

#[tokio::test]
async fn many_targets_are_read_more_seldom_and_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hooks.json");
    let list = |count: u16| {
        let targets: Vec<String> = (0..count).map(|n| format!("\"127.0.0.1:1{n:03}\"")).collect();
        format!(r#"[{{"targets":[{}]}}]"#, targets.join(","))
    };
    let mut target = target(Discovery::File(path.clone()), "http://file.invalid/metrics");
    target.interval = Duration::from_secs(1);
    let mut fleet = Fleet::new(&Families::default());
    let alone = fleet.source_at(&target, None, true).unwrap();
    assert_eq!(alone.period(), Duration::from_secs(1));
    let mut rig = Rig::of(fleet.group(&target));
    write(&path, &list(999), 1);
    rig.read().await.unwrap();
    assert_eq!(alone.period(), Duration::from_secs(5));
    write(&path, &list(399), 2);
    // Those that are gone are told, one by one.
    let told = tokio::spawn(async move { while rig.samples.recv().await.is_some() {} });
    rig.group.read(&mut rig.outlet).await.unwrap();
    tokio::time::timeout(Duration::from_secs(10), async {
        while alone.period() > Duration::from_secs(2) {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    told.abort();
}

#[tokio::test]
async fn a_files_targets_come_and_go_and_a_wrong_file_changes_nothing() {
    let (one, two) = (
        Server::start(|_, _| page(PAGE)).await,
        Server::start(|_, _| page(PAGE)).await,
    );
    let (a, b) = (format!("127.0.0.1:{}", one.port), format!("127.0.0.1:{}", two.port));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hooks.json");
    write(
        &path,
        &format!(r#"[{{"targets":["{a}"],"labels":{{"job":"hooks"}}}}]"#),
        1,
    );
    let mut rig = Rig::new(&target(Discovery::File(path.clone()), "http://file.invalid/metrics"));
    rig.read().await.unwrap();
    rig.scrape_of(&a).await;
    write(&path, &format!(r#"[{{"targets":["{a}","{b}"]}}]"#), 2);
    rig.read().await.unwrap();
    rig.scrape_of(&b).await;
    for (second, content, expected) in [
        (3, "", "it is no file_sd list: EOF"),
        (
            4,
            r#"{"targets":[]}"#,
            "it is no file_sd list: invalid type: map, expected a sequence",
        ),
        (
            5,
            r#"[{"targets":[7]}]"#,
            "it is no file_sd list: invalid type: integer `7`, expected a string at line 1",
        ),
        (
            6,
            r#"[{"targets":["h:1"]},{"labels":{}}]"#,
            "it is no file_sd list: missing field `targets` at line 1",
        ),
        (
            7,
            r#"[{"targets":["h:1"]},{"targets":["x/../\u001b[31m"]}]"#,
            "entry 2: `x/../\\x1b[31m` is no host:port",
        ),
    ] {
        write(&path, content, second);
        let said = rig.read().await.unwrap_err();
        assert!(
            said.contains("hooks.json") && said.contains(expected) && said.contains("are kept"),
            "{said}"
        );
        rig.scrape_of(&a).await;
        rig.scrape_of(&b).await;
    }
    write(&path, &format!(r#"[{{"targets":["{b}"]}}]"#), 8);
    rig.read().await.unwrap();
    rig.end_of(&a).await;
    rig.scrape_of(&b).await;
    std::fs::remove_file(&path).unwrap();
    assert!(rig.read().await.unwrap_err().contains("are kept"));
    rig.scrape_of(&b).await;
}

#[test]
fn labels_give_scheme_and_path() {
    let places = parse(
        br#"[{"targets":["h:1"],"labels":{"__scheme__":"https","__metrics_path__":"/m"}}]"#,
        Form::Json,
    )
    .unwrap();
    assert_eq!(places["h:1"].url, "https://h:1/m");
    let pages = br#"[{"targets":["h:1"]},{"targets":["h:1","h:1"],"labels":{"__metrics_path__":"/b"}}]"#;
    let keys: Vec<String> = parse(pages, Form::Json).unwrap().into_keys().collect();
    assert_eq!(keys, ["h:1", "h:1/b"]);
}

#[tokio::test]
async fn a_yaml_files_targets_come_and_go_as_a_json_files_do() {
    let server = Server::start(|_, _| page(PAGE)).await;
    let there = format!("127.0.0.1:{}", server.port);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hooks.yml");
    write(&path, &format!("- targets: ['{there}']\n"), 1);
    let mut rig = Rig::new(&target(Discovery::File(path.clone()), "http://file.invalid/metrics"));
    rig.read().await.unwrap();
    rig.scrape_of(&there).await;
    write(&path, "- targets: 7\n", 2);
    let said = rig.read().await.unwrap_err();
    assert!(
        said.contains("hooks.yml") && said.contains("line 1") && said.contains("are kept"),
        "{said}"
    );
    rig.scrape_of(&there).await;
    write(&path, "[]\n", 3);
    rig.read().await.unwrap();
    rig.end_of(&there).await;
    let other = folder.path().join("hooks.txt");
    write(&other, "[]", 1);
    let mut rig = Rig::new(&target(Discovery::File(other), "http://file.invalid/metrics"));
    let said = rig.read().await.unwrap_err();
    assert!(
        said.contains("neither JSON nor YAML") && said.contains(".yml"),
        "{said}"
    );
}

#[test]
fn yaml_reads_as_the_same_list_as_json() {
    let yaml = b"# ours\n- targets: ['h:1', \"h:2\"]\n  labels: &l\n    __scheme__: https\n    __metrics_path__: /m\n    shard: \"7\"\n- targets:\n    - h:3\n  labels: *l\n";
    let json = br#"[{"targets":["h:1","h:2"],"labels":{"__scheme__":"https","__metrics_path__":"/m"}},
        {"targets":["h:3"],"labels":{"__scheme__":"https","__metrics_path__":"/m"}}]"#;
    assert_eq!(parse(yaml, Form::Yaml), parse(json, Form::Json));
}

#[test]
fn aliases_that_multiply_are_refused_before_they_fill_the_memory() {
    let mut bomb = "a0: &a0 ['h:1', 'h:1']\n".to_owned();
    for level in 1..40 {
        let last = level - 1;
        writeln!(bomb, "a{level}: &a{level} [*a{last}, *a{last}]").unwrap();
    }
    assert!(parse(bomb.as_bytes(), Form::Yaml).is_err());
}

#[test]
fn wrong_yaml_is_refused_with_the_line() {
    for (content, expected) in [
        ("", "it is empty"),
        ("# soon\n", "it is empty"),
        ("targets: []", "line 1"),
        ("- targets: [7]\n", "entry 1: `7` is no host:port"),
        ("- targets: h:1\n", "line 1"),
        ("- targets: [h:1]\n  labels: [a]\n", "line 2"),
        ("- targets: [h:1]\n- labels: {a: b}\n", "line 2"),
        ("- targets: [h:1\n", "line "),
        ("- targets: [h:1]\n---\n- targets: [h:2]\n", "line "),
        ("- targets: [h:1]\n  targets: [h:2]\n", "line 2"),
        ("- targets: [h:1]\n  labels: {a: \u{1b}[31m\n", "line "),
    ] {
        let said = parse(content.as_bytes(), Form::Yaml).unwrap_err();
        assert!(
            said.contains(expected) && !said.contains(['\u{1b}', '\n']),
            "{content:?}: {said}"
        );
    }
}

#[tokio::test]
async fn every_address_of_a_name_is_a_target_that_is_asked_by_its_name() {
    let server = Server::start(|_, _| page(PAGE)).await;
    let mut rig = Rig::new(&target(
        Discovery::Dns,
        &format!("http://localhost:{}/metrics", server.port),
    ));
    rig.read().await.unwrap();
    rig.scrape_of(&format!("127.0.0.1:{}", server.port)).await;
    let asked = server.requests();
    assert!(
        asked[0].contains(&format!("host: localhost:{}", server.port)),
        "{asked:?}"
    );
    // Looked up again: the same targets stay.
    let members = rig.group.members.len();
    rig.read().await.unwrap();
    assert_eq!(rig.group.members.len(), members);
    let mut rig = Rig::new(&target(Discovery::Dns, "http://no-such-host.invalid:1/metrics"));
    let said = rig.read().await.unwrap_err();
    assert!(
        said.starts_with("look up http://no-such-host.invalid:1/metrics: ") && said.contains("are kept"),
        "{said}"
    );
}

#[tokio::test]
async fn a_federated_page_is_many_instances() {
    let body = "# TYPE webhook_received_total counter\n\
        webhook_received_total{instance=\"10.0.0.1:9100\",job=\"gw\",provider=\"a\"} 7 1700000000000\n\
        webhook_received_total{instance=\"10.0.0.2:9100\",job=\"gw\",provider=\"a\"} 9 1700000000000\n\
        webhook_received_total{job=\"gw\",provider=\"a\"} 1 1700000000000\n";
    let fewer = body
        .lines()
        .take(2)
        .fold(String::new(), |page, line| page + line + "\n");
    let server = Server::start(move |number, _| page(if number == 0 { body.to_owned() } else { fewer.clone() })).await;
    let _ = rustls::crypto::ring::default_provider().install_default();
    let target = target(
        Discovery::Federation,
        &format!("http://127.0.0.1:{}/federate?match[]=%7Bjob%3D%22gw%22%7D", server.port),
    );
    let mut federation = Fleet::new(&Families::default()).federation(&target).unwrap();
    let (sender, mut samples) = mpsc::channel(64);
    let mut outlet = Outlet::new(
        sender,
        "test".into(),
        federation.id(),
        SystemClock::shared(),
        Redactor::default(),
    );
    federation.read(&mut outlet).await.unwrap();
    assert!(
        server.requests()[0].starts_with("GET /federate?match[]="),
        "{:?}",
        server.requests()
    );
    let mut seen = BTreeMap::new();
    while let Ok(envelope) = samples.try_recv() {
        if let Sample::Scrape(scrape) = envelope.sample {
            assert_eq!(envelope.source.name, scrape.target);
            assert!(
                scrape
                    .layout
                    .series
                    .iter()
                    .all(|series| series.label("instance").is_none())
            );
            seen.insert(scrape.target.to_string(), scrape.values);
        }
    }
    let expected = [
        ("10.0.0.1:9100", 7.0),
        ("10.0.0.2:9100", 9.0),
        ("group/no instance", 1.0),
    ];
    assert_eq!(
        seen,
        expected.map(|(name, value)| (name.to_owned(), vec![value])).into()
    );
    // What the server says nothing of any more is not silently stale.
    federation.read(&mut outlet).await.unwrap();
    let mut gone = Vec::new();
    while let Ok(envelope) = samples.try_recv() {
        if let Sample::Report(report) = envelope.sample
            && report.state == SourceState::Failing
        {
            gone.push(envelope.source.name.to_string());
        }
    }
    assert_eq!(gone, ["10.0.0.2:9100", "group/no instance"]);
}

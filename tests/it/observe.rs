//! Sources together, on real servers: workers by their connections, probes, lists of targets,
//! several URLs of NATS, through the session and through the program.

use std::fmt::Write as _;
use std::process::Stdio;
use std::time::Duration;

use hookwatch::base::time::SystemClock;
use hookwatch::config::{Discovery, NatsLink, Profile, Target, Tls};
use hookwatch::model::{Health, View, WorkerCondition};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::support::{PROGRAM, servers, unique};
use crate::watcher::{Watcher, health};

const PATIENCE: Duration = Duration::from_secs(30);

/// A server on loopback that answers everything so, until the test ends.
async fn serve(status: &'static str, kind: &'static str, body: String) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = format!(
                "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            tokio::spawn(async move {
                let mut request = [0; 4_096];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    port
}

async fn profile(servers_before: &[&str]) -> Profile {
    let lab = servers().await;
    let mut profile = Profile::empty("observe");
    let urls = servers_before.iter().map(ToString::to_string);
    profile.nats = Some(NatsLink {
        monitoring: Some(lab.monitoring_url().unwrap()),
        ..NatsLink::to(urls.chain([lab.nats_url().unwrap()]).collect())
    });
    profile
}

fn condition(view: &View, name: &str) -> Option<WorkerCondition> {
    let worker = view.workers.iter().find(|worker| &*worker.name == name)?;
    Some(worker.condition)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_is_known_by_its_connection_and_its_end_is_seen() {
    let name = unique("worker-seen");
    let url = servers().await.nats_url().unwrap();
    let client = async_nats::ConnectOptions::new()
        .name(&name)
        .connect(&url)
        .await
        .unwrap();
    let mut watcher = Watcher::start(&profile(&[]).await, &SystemClock::shared());
    watcher
        .until("the connection", PATIENCE, |view| {
            condition(view, &name) == Some(WorkerCondition::Running)
        })
        .await;
    let view = watcher.view();
    let worker = view.workers.iter().find(|worker| *worker.name == *name).unwrap();
    assert_eq!(worker.seen_by, ["nats".into()]);
    assert!(
        worker.accounts[0].text.starts_with("1 connection, last active "),
        "{worker:?}"
    );
    client.drain().await.unwrap();
    watcher
        .until("its end", PATIENCE, |view| {
            condition(view, &name) == Some(WorkerCondition::Dead)
        })
        .await;
    let view = watcher.view();
    let worker = view.workers.iter().find(|worker| *worker.name == *name).unwrap();
    assert!(
        worker.accounts[0].text.starts_with("its connection ended "),
        "{worker:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_monitoring_port_that_is_none_costs_the_connections_and_nothing_else() {
    let port = serve("200 OK", "text/html", "<html>".to_owned()).await;
    let mut profile = profile(&[]).await;
    profile.nats.as_mut().unwrap().monitoring = Some(format!("http://127.0.0.1:{port}"));
    let mut watcher = Watcher::start(&profile, &SystemClock::shared());
    watcher
        .until("the panel that is off", PATIENCE, |view| {
            view.panels_off.iter().any(|(panel, why)| {
                panel.relation() == "/connz" && why.contains("is this the server's monitoring port?")
            })
        })
        .await;
    assert_eq!(health(&watcher.view(), "nats"), Health::Ok);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_urls_one_that_answers_is_enough() {
    let profile = profile(&["nats://127.0.0.1:1", "nats://127.0.0.1:2"]).await;
    let mut watcher = Watcher::start(&profile, &SystemClock::shared());
    watcher
        .until("nats", PATIENCE, |view| health(view, "nats") == Health::Ok)
        .await;
}

/// What `hookwatch snapshot --json` prints.
async fn snapshot(arguments: &[&str]) -> serde_json::Value {
    let output = tokio::process::Command::new(PROGRAM)
        .args(["snapshot", "--json", "--wait", "3s"])
        .args(arguments)
        .env_clear()
        .env("HOME", "/nonexistent")
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn probes_and_listed_targets_stand_in_the_snapshot() {
    let sick = r#"{"status":"degraded","service":"bridge","version":"1.4.2","checks":{"database":{"status":"healthy"},"eventBus":{"status":"unhealthy","error":"refused"}}}"#;
    let probe = serve("503 Service Unavailable", "application/json", sick.to_owned()).await;
    let page = serve("200 OK", "text/html", "<html>sign in".to_owned()).await;
    let metrics = "# TYPE webhook_received_total counter\nwebhook_received_total{provider=\"telnyx\"} 7\n";
    let gateway = serve("200 OK", "text/plain", metrics.to_owned()).await;
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("hooks.json");
    std::fs::write(&list, format!(r#"[{{"targets":["127.0.0.1:{gateway}"]}}]"#)).unwrap();
    let (bridge, login) = (
        format!("bridge=http://127.0.0.1:{probe}"),
        format!("login=http://127.0.0.1:{page}"),
    );
    let seen = snapshot(&[
        "--probe",
        &bridge,
        "--probe",
        &login,
        "--metrics",
        list.to_str().unwrap(),
    ])
    .await;
    let source = |name: &str| {
        let sources = seen["sources"].as_array().unwrap();
        let found = sources.iter().find(|source| source["name"] == name);
        found.unwrap_or_else(|| panic!("{name}: {seen:#}")).clone()
    };
    let sick = source("bridge");
    assert_eq!(
        (sick["kind"].as_str(), sick["state"].as_str()),
        (Some("probe"), Some("ok"))
    );
    assert_eq!(sick["probe"]["state"], "unhealthy");
    assert_eq!(sick["probe"]["status"], 503);
    assert_eq!(sick["probe"]["checks"][1]["detail"], "error refused");
    assert!(sick["probe"]["response_s"].as_f64().unwrap() > 0.0);
    let login = source("login");
    assert_eq!(login["state"], "failing");
    assert!(
        login["error"].as_str().unwrap().contains("HTML instead of JSON"),
        "{login}"
    );
    assert!(login["probe"]["state"].is_null());
    assert_eq!(source(&format!("127.0.0.1:{gateway}"))["state"], "ok");
    assert_eq!(source("hooks.json")["state"], "ok");
    assert_eq!(seen["providers"][0]["name"], "telnyx");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_providers_are_bounded_and_the_number_left_out_is_told() {
    const PROVIDERS: usize = 100_000;
    let long = format!("\u{202e}{}", "x".repeat(10_000));
    let mut page = format!("# TYPE webhook_received_total counter\nwebhook_received_total{{provider=\"{long}\"}} 1\n");
    for number in 1..PROVIDERS {
        writeln!(page, "webhook_received_total{{provider=\"p{number}\"}} {number}").unwrap();
    }
    let port = serve("200 OK", "text/plain; version=0.0.4", page).await;
    let mut profile = Profile::empty("many");
    profile.targets.push(Target {
        name: "gateway".into(),
        url: format!("http://127.0.0.1:{port}/metrics"),
        discovery: Discovery::One,
        auth: None,
        headers: Vec::new(),
        tls: Tls::default(),
        interval: Duration::from_secs(1),
        timeout: Duration::from_secs(10),
    });
    let mut watcher = Watcher::start(&profile, &SystemClock::shared());
    watcher
        .until("what is left out", PATIENCE, |view| {
            let shown = view.providers.len() as u64;
            (1..=201).contains(&shown) && shown + view.left_out >= PROVIDERS as u64
        })
        .await;
    let view = watcher.view();
    for provider in &view.providers {
        assert!(
            provider.name.chars().count() <= 200 && !provider.name.contains('\u{202e}'),
            "{:?}",
            provider.name
        );
    }
    // Reading it again and again counts nothing twice.
    let before = view.left_out;
    let views = watcher.during(Duration::from_secs(3)).await;
    assert!(views.iter().all(|view| view.left_out == before), "{before}");
}

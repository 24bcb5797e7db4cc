//! How fast letters are replayed, beside what the same server does without a replay around it.
//!
//! `cargo bench --bench replay [-- LETTERS]`. Everything shares the machine's cores.
//!
//! Budgets: published 50,000/s unpaced with every `PubAck` awaited and journalled; end to end at
//! least half of the raw `MSG.DELETE` (`no_erase`) rate of the same run.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark prints what it measures and measures time itself"
)]

mod usage;

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::HeaderMap;
use async_nats::jetstream::stream::Config;
use bytes::Bytes;
use futures_util::StreamExt as _;
use hookwatch::act::exchange::Exchange;
use hookwatch::act::journal::{Folder, How};
use hookwatch::act::permit::{Asked, Confirmed, Gate, Write};
use hookwatch::act::plan::Plan;
use hookwatch::act::replay::{self, Context, Progress, Report, Steering, Timing};
use hookwatch::act::select;
use hookwatch::base::time::SystemClock;
use hookwatch::config::{Environment, NatsLink, Overrides, Profile, Surroundings};
use hookwatch::lab::{Lab, Options};
use hookwatch::model::letters::LetterFilter;
use hookwatch::observe::letters::Mailbox;
use tokio::sync::watch;
use usage::{Usage, descendant};

const LETTERS: usize = 100_000;

/// Letters that a replay may have on their way: two windows.
const IN_FLIGHT: usize = 512;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    // `cargo test --benches` only wants to know that it builds.
    let arguments: Vec<String> = std::env::args().collect();
    if !arguments.iter().any(|argument| argument == "--bench") {
        return;
    }
    let letters = arguments.iter().find_map(|argument| argument.parse().ok());
    let letters = letters.unwrap_or(LETTERS);
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut options = Options::servers(env!("CARGO_BIN_EXE_hookwatch"), std::env::vars().collect());
    options.postgres = None;
    let lab = Lab::up(options).await.unwrap();
    let client = lab.connect().await.unwrap();
    let context = async_nats::jetstream::new(client.clone());
    for (name, subject) in [
        ("webhooks", "webhook.*.*"),
        ("dlq", "dlq.>"),
        ("raw", "raw.>"),
        ("taker", "taker.>"),
    ] {
        let config = Config {
            name: name.to_owned(),
            subjects: vec![subject.to_owned()],
            allow_direct: true,
            ..Config::default()
        };
        context.create_stream(config).await.unwrap();
    }
    publish(&client, "dlq.webhook.sent", letters).await;
    publish(&client, "raw.webhook.sent", letters).await;
    let raw_publish = publish(&client, "taker.webhook.sent", letters).await;

    let link = link(&lab);
    let clock = SystemClock::shared();
    let exchange = Exchange::connect(&link, &clock).await.unwrap();

    let sequences: Vec<u64> = (1..=letters as u64).collect();
    let begun = Instant::now();
    exchange.delete_all("raw", &sequences).await.unwrap();
    let raw_delete = letters as f64 / begun.elapsed().as_secs_f64();

    let state = tempfile::tempdir().unwrap();
    let journals = Folder::new(state.path(), clock.clone());
    let filter = LetterFilter::default();
    let how = How {
        canary: 0,
        ..How::default()
    };
    let mailbox = Mailbox::open(&link, "dlq", &clock).await.unwrap();
    let selection = select::select(&mailbox, &filter, &journals, &clock, |_, _| {});
    let selection = selection.await.unwrap();
    let (takers, streams) = select::targets(&exchange, &selection, &how).await.unwrap();
    let plan = Plan::draw(&selection, how, None, &takers, &streams).unwrap();
    let asked = Asked {
        action: "replay",
        plan: &plan.hash,
        count: plan.count,
        is_load: false,
    };
    let confirmed = Confirmed {
        count: Some(plan.count),
        profile: None,
    };
    let gate = Gate::new(&Profile::empty("bench"), Write::Asked);
    let permit = gate.permit(asked, confirmed, Duration::ZERO).unwrap();
    let (_steer, steering) = watch::channel(Steering::Run);
    let setting = Context {
        link,
        profile: "bench".into(),
        who: Arc::from("bench@here"),
        journals,
        clock,
        steering,
        progress: watch::channel(Progress::default()).0,
        timing: Timing {
            verify: Duration::ZERO,
            // Nobody works: only publishing and deleting is measured.
            follow: Duration::ZERO,
            backlog: u64::MAX,
            ..Timing::default()
        },
        attended: false,
        signer: None,
        oracle: None,
    };
    let server = descendant("nats-server").unwrap();
    let usage = || [std::process::id(), server].map(|pid| Usage::of(pid).unwrap());
    let before = usage();
    let report = Box::pin(replay::start(&plan, None, permit, setting)).await.unwrap();
    let after = usage();
    assert_eq!(report.counts.deleted, letters as u64);
    println!("{letters} letters, one by one journalled, windows of 256");
    compare(&report, raw_publish, raw_delete);
    let each = |which: usize| (after[which].cpu - before[which].cpu) / letters as f64 * 1e6;
    println!(
        "CPU a letter {:>9.1} µs for the replay, {:.1} µs for the server: read, published, deleted; {:.0} MB at most",
        each(0),
        each(1),
        after[0].peak / 1e6
    );
    lab.down().await.unwrap();
}

fn link(lab: &Lab) -> NatsLink {
    let overrides = Overrides {
        nats: Some(lab.nats_url().unwrap()),
        ..Default::default()
    };
    let environment = Environment::new();
    let surroundings = Surroundings {
        environment: &environment,
        home: None,
    };
    let resolved = hookwatch::config::resolve(&overrides, &surroundings);
    resolved.unwrap().profile.nats.unwrap()
}

fn compare(report: &Report, raw_publish: f64, raw_delete: f64) {
    let published = report.published as f64 / report.publishing_s;
    let whole = report.published as f64 / report.elapsed_s;
    println!(
        "published    {published:>9.0}/s   budget 50,000/s; publishing alone with {IN_FLIGHT} in flight \
         {raw_publish:.0}/s, ratio {:.2}",
        published / raw_publish
    );
    println!(
        "end to end   {whole:>9.0}/s   raw MSG.DELETE {raw_delete:.0}/s, ratio {:.2}, budget 0.50",
        whole / raw_delete
    );
}

/// Publishes letters with so many in flight and awaits every `PubAck`. Returns how many a second.
async fn publish(client: &async_nats::Client, subject: &str, letters: usize) -> f64 {
    let inbox = client.new_inbox();
    let mut answers = client.subscribe(inbox.clone()).await.unwrap();
    let begun = Instant::now();
    let mut sent = 0;
    for answered in 0..letters {
        while sent < letters.min(answered + IN_FLIGHT) {
            let (headers, payload) = letter(sent);
            let published = client.publish_with_reply_and_headers(subject.to_owned(), inbox.clone(), headers, payload);
            published.await.unwrap();
            sent += 1;
        }
        let answer = answers.next().await.unwrap();
        assert!(answer.payload.starts_with(b"{\"stream\""), "{answer:?}");
    }
    letters as f64 / begun.elapsed().as_secs_f64()
}

fn letter(n: usize) -> (HeaderMap, Bytes) {
    let mut headers = HeaderMap::new();
    headers.insert("X-NATS-Original-Subject", format!("webhook.telnyx.sent{}", n % 7));
    headers.insert("X-NATS-DLQ-Reason", "timeout");
    headers.insert(
        "X-Signature",
        "t=1700000000,v1=5257a869e7ecebeda32affa62cdca3fa51cad7e77a0e56ff536d0ce8e108d8bd",
    );
    let payload = format!("{{\"id\":\"evt_{n}\",\"data\":\"{}\"}}", "x".repeat(300));
    (headers, payload.into())
}

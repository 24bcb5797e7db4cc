//! How fast letters are replayed, beside what the same server does without a replay around it.
//!
//! Budgets: published 50,000/s unpaced with every `PubAck` awaited and journalled; end to end at
//! least half of the raw `MSG.DELETE` (`no_erase`) rate of the same run.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark prints what it measures and measures time itself"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::HeaderMap;
use async_nats::jetstream::stream::Config;
use hookwatch::act::exchange::Exchange;
use hookwatch::act::journal::{Folder, How};
use hookwatch::act::permit::{Asked, Confirmed, Gate, Write};
use hookwatch::act::plan::Plan;
use hookwatch::act::replay::{self, Context, Progress, Steering, Timing};
use hookwatch::act::select;
use hookwatch::base::time::SystemClock;
use hookwatch::config::Profile;
use hookwatch::lab::{Lab, Options};
use hookwatch::model::letters::LetterFilter;
use hookwatch::observe::letters::Mailbox;
use tokio::sync::watch;

const LETTERS: usize = 100_000;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    // `cargo test --benches` only wants to know that it builds.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut options = Options::servers(env!("CARGO_BIN_EXE_hookwatch"), std::env::vars().collect());
    options.postgres = None;
    let lab = Lab::up(options).await.unwrap();
    let context = async_nats::jetstream::new(lab.connect().await.unwrap());
    for (name, subject) in [("webhooks", "webhook.*.*"), ("dlq", "dlq.>"), ("raw", "raw.>")] {
        let config = Config {
            name: name.to_owned(),
            subjects: vec![subject.to_owned()],
            allow_direct: true,
            ..Config::default()
        };
        context.create_stream(config).await.unwrap();
    }
    fill(&context, "dlq.webhook").await;
    fill(&context, "raw.webhook").await;

    let overrides = hookwatch::config::Overrides {
        nats: Some(lab.nats_url().unwrap()),
        ..Default::default()
    };
    let environment = hookwatch::config::Environment::new();
    let surroundings = hookwatch::config::Surroundings {
        environment: &environment,
        home: None,
    };
    let link = hookwatch::config::resolve(&overrides, &surroundings)
        .unwrap()
        .profile
        .nats
        .unwrap();
    let clock = SystemClock::shared();
    let exchange = Exchange::connect(&link, &clock).await.unwrap();

    let sequences: Vec<u64> = (1..=LETTERS as u64).collect();
    let begun = Instant::now();
    exchange.delete_all("raw", &sequences).await.unwrap();
    let raw_delete = LETTERS as f64 / begun.elapsed().as_secs_f64();

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
    let report = Box::pin(replay::start(&plan, None, permit, setting)).await.unwrap();
    assert_eq!(report.counts.deleted, LETTERS as u64);
    let published = report.published as f64 / report.publishing_s;
    let whole = LETTERS as f64 / report.elapsed_s;
    println!("{LETTERS} letters, one by one journalled, windows of 256");
    println!("published    {published:>9.0}/s   budget 50,000/s");
    println!(
        "end to end   {whole:>9.0}/s   raw MSG.DELETE {raw_delete:.0}/s, ratio {:.2}, budget 0.50",
        whole / raw_delete
    );
    lab.down().await.unwrap();
}

async fn fill(context: &async_nats::jetstream::Context, prefix: &str) {
    let mut acks = Vec::new();
    for n in 0..LETTERS {
        let mut headers = HeaderMap::new();
        headers.insert("X-NATS-Original-Subject", format!("webhook.telnyx.sent{}", n % 7));
        headers.insert("X-NATS-DLQ-Reason", "timeout");
        headers.insert(
            "X-Signature",
            "t=1700000000,v1=5257a869e7ecebeda32affa62cdca3fa51cad7e77a0e56ff536d0ce8e108d8bd",
        );
        let payload = format!("{{\"id\":\"evt_{n}\",\"data\":\"{}\"}}", "x".repeat(300));
        let ack = context
            .publish_with_headers(format!("{prefix}.sent"), headers, payload.into())
            .await;
        acks.push(ack.unwrap());
        if acks.len() == 1_000 {
            for ack in acks.drain(..) {
                ack.await.unwrap();
            }
        }
    }
}

//! Each rule on hand-made facts: what triggers it, what clears it, and a near miss. Then what
//! is common to all rules.

mod answers;
mod database;
mod delivery;
mod ledger;
mod monitor;
mod process;
mod provider;
mod queue;
mod stream;

use std::time::Duration;

use super::facts::{
    ConsumerFacts, Crew, DepthFacts, Gate, LineFacts, ProbeFacts, ProviderFacts, SilentWorker, SourceFacts, StreamFacts,
};
use super::learnt::{Canary, Silence};
use super::monitor::{ConsumerMonitor, StreamMonitor};
use super::*;
use crate::base::time::{Moment, Timestamp};
use crate::model::failures::Tried;
use crate::model::ledger::LineId;
use crate::model::queues::{Limit, Rise};
use crate::model::view::{Health, Severity};
use crate::sample::{Blocked, CanaryReading, ProbeState, SourceId, SourceKind};

/// Time goes on second by second.
struct Bench {
    verdicts: Verdicts,
    facts: Facts,
    second: u64,
    changes: Vec<Change>,
}

fn moment(second: u64) -> Moment {
    Moment {
        at: Timestamp::UNIX_EPOCH + Duration::from_secs(second),
        mono: Duration::from_secs(second),
    }
}

impl Bench {
    fn new() -> Self {
        Self {
            verdicts: Verdicts::default(),
            facts: Facts::none(moment(0)),
            second: 100,
            changes: Vec::new(),
        }
    }

    /// The facts stay as they are for so many seconds.
    fn hold(&mut self, seconds: u64) -> &mut Self {
        for _ in 0..seconds {
            self.second += 1;
            self.facts.now = moment(self.second);
            let changes = self.verdicts.evaluate(&self.facts);
            self.changes.extend(changes);
        }
        self
    }

    fn ids(&self) -> Vec<String> {
        self.verdicts
            .view()
            .iter()
            .map(|verdict| verdict.id.to_string())
            .collect()
    }

    fn has(&self, id: &str) -> bool {
        self.ids().iter().any(|known| known == id)
    }

    fn text(&self, id: &str) -> String {
        let verdict = self
            .verdicts
            .view()
            .into_iter()
            .find(|verdict| &*verdict.id == id)
            .unwrap();
        assert!(!verdict.evidence.iter().any(String::is_empty), "{verdict:?}");
        assert!(!verdict.next.is_empty(), "{verdict:?}");
        verdict.text
    }
}

/// A consumer that is well.
fn consumer() -> ConsumerFacts {
    ConsumerFacts {
        subject: "webhooks/workers".into(),
        fresh: true,
        followed: true,
        pending: 100.0,
        ack_pending: 50.0,
        waiting: 1.0,
        fill: Some(0.05),
        max_ack_pending: Some(1_000.0),
        ack_wait_s: 30.0,
        ingest: Some(1_000.0),
        completed: Some(1_000.0),
        oldest_waiting_s: Some(0.1),
        parked: Some((0.0, false)),
        ..ConsumerFacts::default()
    }
}

fn crew() -> Crew {
    Crew {
        known: 4,
        up: 4,
        per_worker: Some(2_470.0),
        breaker_known: 4,
        batch: Some(100.0),
        batch_p95_s: Some(0.21),
        update_p95_s: Some(0.031),
        working: true,
        ..Crew::default()
    }
}

fn bench_with(consumer: ConsumerFacts) -> Bench {
    let mut bench = Bench::new();
    bench.facts.crew = crew();
    bench.facts.consumers = vec![consumer];
    bench
}

fn source(kind: SourceKind, name: &str, health: Health) -> SourceFacts {
    SourceFacts {
        id: SourceId::new(kind, name),
        health,
        failures: 0,
        goods: 10,
        failing_s: 0.0,
        error: None,
    }
}

fn stream() -> StreamFacts {
    StreamFacts {
        name: "webhooks".into(),
        fresh: true,
        followed: true,
        keeps: true,
        refuses: true,
        ..StreamFacts::default()
    }
}

fn limit(name: &'static str, used: f64, most: f64, eta: Option<f64>) -> Limit {
    Limit {
        name,
        used,
        most,
        eta,
        refuses: true,
    }
}

fn line(line: LineId, difference: f64, apart: u32, apart_s: f64) -> LineFacts {
    LineFacts {
        line,
        difference,
        apart,
        apart_s,
        meeting: 0,
    }
}

/// Another consumer than the followed one, from which nobody pulls.
fn deserted() -> ConsumerFacts {
    ConsumerFacts {
        subject: "audit/nobody".into(),
        followed: false,
        still_s: 60.0,
        delivery_s: 60.0,
        waiting: 0.0,
        ack_pending: 0.0,
        ..consumer()
    }
}

fn growing() -> ConsumerFacts {
    ConsumerFacts {
        pending: 84_160.0,
        ingest: Some(12_431.0),
        completed: Some(9_870.0),
        oldest_waiting_s: Some(8.4),
        rise: Rise {
            steps: 6,
            rises: 6,
            grown: 15_366.0,
            seconds: 6.0,
        },
        ..consumer()
    }
}

fn provider(received: f64, failed: f64) -> ProviderFacts {
    let tried = Tried {
        received,
        refused: failed,
        ..Tried::default()
    };
    ProviderFacts {
        name: "stripe".into(),
        minute: tried,
        lately: tried,
        signatures: (0.0, 0.0),
        answers: None,
        silence: None,
    }
}

#[test]
fn a_healthy_pipeline_has_no_verdict() {
    let mut bench = bench_with(consumer());
    bench.facts.streams = vec![stream()];
    bench.facts.sources = vec![
        source(SourceKind::Jetstream, "nats", Health::Ok),
        source(SourceKind::Metrics, "w-1", Health::Ok),
        source(SourceKind::Postgres, "postgres", Health::Ok),
    ];
    bench.hold(60);
    assert_eq!(bench.ids(), Vec::<String>::new());
}

#[test]
fn a_server_that_does_not_answer_hides_what_follows_from_it() {
    let mut bench = Bench::new();
    bench.facts.sources = vec![source(SourceKind::Jetstream, "nats", Health::Failing)];
    bench.facts.providers = vec![provider(1_000.0, 10.0)];
    bench.hold(3);
    assert_eq!(bench.text("leader_lost"), "NATS cannot be read");
    bench.facts.providers = vec![provider(1_000.0, 300.0)];
    bench.hold(5);
    assert!(!bench.has("error_rate"));
    bench.facts.sources[0].health = Health::Ok;
    bench.hold(10);
    assert!(
        !bench.has("leader_lost") && !bench.has("error_rate"),
        "the window still holds it"
    );
    bench.hold(25);
    assert!(bench.has("error_rate"), "it goes on without its cause");
}

#[test]
fn a_symptom_waits_for_a_cause_that_is_about_to_be_told() {
    let mut bench = Bench::new();
    bench.facts.sources = vec![source(SourceKind::Jetstream, "nats", Health::Ok)];
    bench.facts.providers = vec![provider(1_000.0, 300.0)];
    bench.hold(4);
    bench.facts.sources[0].health = Health::Failing;
    bench.hold(2);
    assert_eq!(bench.ids(), Vec::<String>::new(), "both are nearly sure");
    bench.facts.sources[0].health = Health::Ok;
    bench.hold(1);
    assert_eq!(bench.ids(), ["error_rate"], "it was something else");
}

#[test]
fn rates_are_not_judged_while_they_mean_nothing() {
    let mut bench = bench_with(growing());
    bench.facts.muted.queues = true;
    bench.hold(10);
    assert!(!bench.has("backlog_growing"));
    bench.facts.muted.queues = false;
    bench.hold(1);
    assert!(bench.has("backlog_growing"));
    bench.facts.muted.queues = true;
    bench.facts.consumers[0].rise.rises = 0;
    bench.hold(60);
    assert!(bench.has("backlog_growing"), "nor is it over");
}

#[test]
fn a_process_that_comes_and_goes_does_not_silence_the_queues() {
    let mut bench = bench_with(growing());
    bench.facts.muted.ledger = true;
    bench.facts.muted.answers = true;
    bench.facts.providers = vec![provider(1_000.0, 300.0)];
    bench.hold(10);
    assert_eq!(bench.ids(), ["backlog_growing"]);
}

#[test]
fn what_is_wrong_with_one_queue_does_not_hide_what_is_wrong_with_another() {
    let mut bench = bench_with(growing());
    bench.facts.consumers.push(deserted());
    bench.facts.missing = vec!["audit/gone".into()];
    bench.facts.inactive = vec![SilentWorker {
        name: "w-1".into(),
        silent_s: 600.0,
    }];
    bench.hold(1);
    let shown = bench.ids();
    for id in ["consumer_missing", "no_workers", "backlog_growing", "worker_inactive"] {
        assert!(shown.iter().any(|shown| shown == id), "{id} is not among {shown:?}");
    }
    bench.facts.streams = vec![StreamFacts {
        name: "audit".into(),
        leaderless: true,
        followed: false,
        ..stream()
    }];
    bench.hold(3);
    assert!(bench.has("leader_lost") && bench.has("backlog_growing"));
    assert!(!bench.has("no_workers"), "it is of the stream without a leader");
}

#[test]
fn what_was_never_shown_is_no_event_and_what_was_is_one() {
    let mut bench = bench_with(growing());
    bench.facts.crew.breaker_open = vec!["w-1".into()];
    bench.hold(3);
    let raised: Vec<_> = bench
        .changes
        .iter()
        .map(|change| change.verdict.id.to_string())
        .collect();
    assert_eq!(raised, ["breaker_open"]);
    bench.facts.crew.breaker_open.clear();
    bench.facts.consumers.clear();
    bench.hold(30);
    let last = bench.changes.last().unwrap();
    assert_eq!((&*last.verdict.id, last.raised), ("breaker_open", false));
    assert_eq!(bench.changes.len(), 2);
}

#[test]
fn most_severe_first_and_causes_before_symptoms() {
    let mut bench = bench_with(ConsumerFacts {
        fill: Some(1.0),
        ..growing()
    });
    bench.facts.missing = vec!["webhooks/other".into()];
    bench.facts.falls = vec![("w-1".into(), "acks")];
    bench.hold(10);
    assert_eq!(
        bench.ids(),
        ["consumer_missing", "saturated", "backlog_growing", "counter_reset"]
    );
}

#[test]
fn the_next_run_knows_what_was_silenced_and_what_was_acknowledged_a_moment_ago() {
    let mut bench = bench_with(growing());
    bench.hold(1);
    let subject = Some("webhooks/workers");
    bench.verdicts.silence(
        "backlog_growing",
        subject,
        Duration::from_hours(1),
        moment(bench.second),
    );
    let silenced = bench.verdicts.answers();
    let mut next = bench_with(growing());
    next.verdicts.recall(&silenced[0], moment(next.second));
    next.hold(1);
    assert!(matches!(next.verdicts.view()[0].hush, Some(Hush::Silenced { .. })));
    bench.verdicts.heed("backlog_growing", subject);
    assert_eq!(bench.verdicts.answers(), []);
    bench
        .verdicts
        .acknowledge("backlog_growing", subject, moment(bench.second));
    let acknowledged = bench.verdicts.answers();
    let mut next = bench_with(growing());
    next.verdicts.recall(&acknowledged[0], moment(next.second));
    next.hold(1);
    assert!(matches!(next.verdicts.view()[0].hush, Some(Hush::Acknowledged { .. })));
    // What is raised later is another incident.
    let mut later = bench_with(consumer());
    later.verdicts.recall(&acknowledged[0], moment(later.second));
    later.hold(90);
    later.facts.consumers = vec![growing()];
    later.hold(1);
    assert_eq!(later.verdicts.view()[0].hush, None);
}

#[test]
fn rules_are_evaluated_once_a_second() {
    let mut bench = Bench::new();
    bench.facts.missing = vec!["a/b".into()];
    bench.facts.now = moment(10);
    assert_eq!(bench.verdicts.evaluate(&bench.facts).len(), 1);
    bench.facts.missing.clear();
    bench.facts.now.mono += Duration::from_millis(250);
    assert!(bench.verdicts.evaluate(&bench.facts).is_empty());
    assert!(bench.has("consumer_missing"));
}

#[test]
fn every_id_is_there_once_and_every_link_names_rules() {
    let ids: std::collections::BTreeSet<_> = RULES.iter().map(|rule| rule.id).collect();
    assert_eq!(ids.len(), RULES.len());
    assert_eq!(
        super::ids().collect::<Vec<_>>(),
        crate::config::VERDICTS,
        "runbooks are checked against these"
    );
    for link in SYMPTOMS {
        assert!(
            ids.contains(link.cause) && ids.contains(link.symptom),
            "{}",
            link.symptom
        );
    }
}

//! The JSON contract of `hookwatch snapshot --json`.
//!
//! Keys are only ever added, at the end of their object; their order is the order of the fields
//! here. Numbers are in SI units, unknown is `null`. A list holds what is known: an empty one
//! says that nothing of the kind has been seen, `sources` says who was asked.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::json::Number;
use crate::base::time::Timestamp;
use crate::model::letters::Group;
use crate::model::{
    FailureGroup, Flow, Health, LedgerLine, ProbeView, Provider, Queue, QueueState, Reading, ReadingState, Severity,
    SourceView, Verdict, View, Webhook, WebhookMode, Worker, WorkerCondition, WorkerState,
};
use crate::sample::{Panel, ProbeState, SourceKind};

/// One reading of a pipeline.
#[derive(Debug, Serialize)]
pub struct Contract {
    hookwatch: &'static str,
    at: Timestamp,
    profile: Arc<str>,
    read_only: bool,
    window_s: Number,
    sources: Vec<SourceOut>,
    flow: FlowOut,
    providers: Vec<ProviderOut>,
    queues: Vec<QueueOut>,
    workers: Vec<WorkerOut>,
    /// Webhooks that the pipeline sends, by webhook and subject.
    webhooks: Vec<WebhookOut>,
    /// The latest failures that Postgres tells, by their cause.
    failures: Vec<FailureOut>,
    dead_letters: DeadLettersOut,
    ledger: Vec<LineOut>,
    verdicts: Vec<VerdictOut>,
    /// When the session started.
    started: Timestamp,
    /// Since when the ledger counts.
    ledger_since: Option<Timestamp>,
    /// Parts of a source that cannot be read, and what to do about it.
    panels_off: Vec<PanelOut>,
    /// Labels left out because there are too many.
    left_out: u64,
    /// Figures that are not fresh measurements, by path: `stale` (the last known value) or
    /// `at_most` (a bound).
    marked: BTreeMap<String, &'static str>,
    /// Queue, NATS and both, side by side.
    modes: Vec<ModeOut>,
    /// Webhooks and subjects left out because there are too many.
    webhooks_left_out: u64,
    /// Failures that Postgres has besides those that were read.
    failures_left_out: u64,
}

#[derive(Debug, Serialize)]
struct SourceOut {
    name: Arc<str>,
    kind: &'static str,
    state: Health,
    age_s: Number,
    latency_s: Number,
    error: Option<String>,
    since: Timestamp,
    /// Of a probe: what the service says; `null` of other sources and until it has answered.
    probe: Option<ProbeOut>,
    /// How often it is read.
    period_s: Number,
}

#[derive(Debug, Serialize)]
struct ProbeOut {
    /// `null` when it does not answer now.
    state: Option<ProbeState>,
    last: Option<ProbeState>,
    status: Option<u16>,
    service: Option<Arc<str>>,
    version: Option<Arc<str>>,
    response_s: Number,
    checks: Vec<CheckOut>,
    left_out: u64,
}

#[derive(Debug, Serialize)]
struct CheckOut {
    name: Arc<str>,
    state: Option<ProbeState>,
    detail: String,
}

#[derive(Debug, Serialize)]
struct FlowOut {
    received_per_s: Number,
    queued_per_s: Number,
    stored_per_s: Number,
    processed_per_s: Number,
    written_per_s: Number,
    backlog: Number,
    oldest_unprocessed_s: Number,
    drain_eta_s: Number,
    dead: Number,
    received_total: Number,
    queued_total: Number,
    processed_total: Number,
    written_total: Number,
    refused_total: Number,
    unconfirmed_total: Number,
    backlog_per_s: Number,
    oldest_held_s: Number,
    limit_eta_s: Number,
    limit: Option<String>,
    dead_per_min: Number,
    response_p99_s: Number,
    batch_p95_s: Number,
    update_p95_s: Number,
}

#[derive(Debug, Serialize)]
struct ProviderOut {
    name: Arc<str>,
    received_per_s: Number,
    processed_per_s: Number,
    error_ratio: Number,
    response_p50_s: Number,
    response_p99_s: Number,
}

#[derive(Debug, Serialize)]
struct QueueOut {
    stream: Arc<str>,
    consumer: Option<Arc<str>>,
    messages: Number,
    pending: Number,
    ack_pending: Number,
    waiting: Number,
    redelivered: Number,
    parked: Number,
    orphaned: Number,
    unmatched: Number,
    ingest_per_s: Number,
    completed_per_s: Number,
    attempts_per_s: Number,
    retries_per_s: Number,
    oldest_age_s: Number,
    oldest_held_s: Number,
    drain_eta_s: Number,
    limit_eta_s: Number,
    state: QueueState,
    leader: Option<String>,
    replicas: u32,
    bytes: Number,
}

#[derive(Debug, Serialize)]
struct WorkerOut {
    name: Arc<str>,
    state: WorkerState,
    seen_by: Vec<Arc<str>>,
    rate_per_s: Number,
    last_seen_s: Number,
    batch_size: Number,
    batch_p95_s: Number,
    errors_per_s: Number,
    breaker: Number,
    cpu: Number,
    memory: Number,
    condition: WorkerCondition,
    accounts: Vec<AccountOut>,
}

#[derive(Debug, Serialize)]
struct AccountOut {
    source: Arc<str>,
    up: Option<bool>,
    text: String,
}

#[derive(Debug, Serialize)]
struct WebhookOut {
    name: Arc<str>,
    subject: Option<Arc<str>>,
    total: Number,
    failed: Number,
    success_ratio: Number,
    latency_p50_s: Number,
    latency_p95_s: Number,
    latency_p99_s: Number,
    mode: Option<Arc<str>>,
    latency_avg_s: Number,
    recent_attempts: Number,
    recent_success_ratio: Number,
    recent_latency_s: Number,
    waiting: Number,
    retrying: Number,
    oldest_waiting_s: Number,
    last_at: Option<Timestamp>,
}

#[derive(Debug, Serialize)]
struct FailureOut {
    kind: String,
    count: u64,
    per_s: Number,
    last_at: Option<Timestamp>,
    example: String,
    relation: Arc<str>,
    about: Arc<str>,
    others: u64,
}

#[derive(Debug, Serialize)]
struct ModeOut {
    mode: Arc<str>,
    webhooks: u64,
    published: Number,
    published_ratio: Number,
    called: Number,
    called_ratio: Number,
    waiting: Number,
    retrying: Number,
    failed: Number,
}

#[derive(Debug, Serialize)]
struct DeadLettersOut {
    total: Number,
    /// `null` until the letters have been read, which no source does.
    groups: Option<Vec<GroupOut>>,
}

#[derive(Debug, Serialize)]
struct GroupOut {
    signature: Arc<str>,
    count: u64,
    first_at: Option<Timestamp>,
    last_at: Option<Timestamp>,
}

#[derive(Debug, Serialize)]
struct LineOut {
    line: Arc<str>,
    left: Number,
    right: Number,
    difference: Number,
    tolerance: Number,
    balanced: Option<bool>,
    left_label: Arc<str>,
    terms: Vec<TermOut>,
}

#[derive(Debug, Serialize)]
struct TermOut {
    name: Arc<str>,
    value: Number,
}

#[derive(Debug, Serialize)]
struct VerdictOut {
    id: Arc<str>,
    severity: Severity,
    since: Timestamp,
    text: String,
    evidence: Vec<String>,
    next: String,
    subject: Option<Arc<str>>,
}

#[derive(Debug, Serialize)]
struct PanelOut {
    panel: Panel,
    problem: String,
}

/// The contract of what is known at one moment.
#[must_use]
pub fn contract(view: &View, read_only: bool) -> Contract {
    let mut marks = Marks::default();
    let modes = each(&view.modes, "modes", &mut marks, mode);
    Contract {
        hookwatch: env!("CARGO_PKG_VERSION"),
        at: millis(view.now.at),
        profile: view.profile.clone(),
        read_only,
        window_s: Number(Some(view.window_s)),
        sources: view.sources.iter().map(|of| source(of, &view.probes)).collect(),
        flow: flow(&view.flow, &mut marks),
        providers: each(&view.providers, "providers", &mut marks, provider),
        queues: each(&view.queues, "queues", &mut marks, queue),
        workers: each(&view.workers, "workers", &mut marks, worker),
        webhooks: each(&view.webhooks, "webhooks", &mut marks, webhook),
        failures: each(&view.failures, "failures", &mut marks, failure),
        dead_letters: DeadLettersOut {
            total: Number(view.flow.dead.value),
            groups: view
                .letter_groups
                .as_ref()
                .map(|groups| groups.iter().map(group).collect()),
        },
        ledger: view.ledger.lines.iter().map(line).collect(),
        verdicts: view.verdicts.iter().map(verdict).collect(),
        started: millis(view.started),
        ledger_since: view.ledger.since.map(millis),
        panels_off: view
            .panels_off
            .iter()
            .map(|(panel, problem)| PanelOut {
                panel: *panel,
                problem: problem.clone(),
            })
            .collect(),
        left_out: view.left_out,
        marked: marks.0,
        modes,
        webhooks_left_out: view.webhooks_left_out,
        failures_left_out: view.failures_left_out,
    }
}

fn group(group: &Group) -> GroupOut {
    GroupOut {
        signature: group.key.clone(),
        count: group.count,
        first_at: group.first.map(millis),
        last_at: group.last.map(millis),
    }
}

/// Figures that are not fresh measurements.
#[derive(Default)]
struct Marks(BTreeMap<String, &'static str>);

impl Marks {
    /// A figure; what it is worth is noted under its path.
    fn number(&mut self, at: &str, key: &str, reading: &Reading) -> Number {
        let mark = match reading.state {
            ReadingState::Stale => Some("stale"),
            ReadingState::AtMost => Some("at_most"),
            ReadingState::Fresh => None,
            ReadingState::Unknown => return Number(None),
        };
        if let (Some(mark), Some(_)) = (mark, reading.value) {
            self.0.insert(format!("{at}.{key}"), mark);
        }
        Number(reading.value)
    }
}

fn each<T, O>(items: &[T], name: &str, marks: &mut Marks, one: fn(&T, &str, &mut Marks) -> O) -> Vec<O> {
    let numbered = items.iter().enumerate();
    numbered
        .map(|(i, item)| one(item, &format!("{name}[{i}]"), marks))
        .collect()
}

/// Fills a struct: keys whose values are readings, then the others.
macro_rules! figures {
    ($marks:ident, $at:expr, $from:expr, $out:ident { $($key:ident: $reading:ident,)* } { $($other:ident: $value:expr,)* }) => {
        $out {
            $($key: $marks.number($at, stringify!($key), &$from.$reading),)*
            $($other: $value,)*
        }
    };
}

fn probe(probe: &ProbeView) -> ProbeOut {
    ProbeOut {
        state: probe.state,
        last: probe.last,
        status: probe.status,
        service: probe.service.clone(),
        version: probe.version.clone(),
        response_s: Number(probe.response_s.value),
        checks: probe
            .checks
            .iter()
            .map(|check| CheckOut {
                name: check.name.clone(),
                state: check.state,
                detail: check.detail.clone(),
            })
            .collect(),
        left_out: probe.left_out,
    }
}

fn source(source: &SourceView, probes: &[ProbeView]) -> SourceOut {
    let told = (source.id.kind == SourceKind::Probe)
        .then(|| probes.iter().find(|probe| probe.name == source.id.name))
        .flatten();
    SourceOut {
        name: source.id.name.clone(),
        kind: source.id.kind.name(),
        state: source.state,
        age_s: Number(source.age.map(|age| age.as_secs_f64())),
        latency_s: Number(source.latency.map(|latency| latency.as_secs_f64())),
        error: source.error.clone(),
        since: millis(source.since),
        probe: told.map(probe),
        period_s: Number(source.period.map(|period| period.as_secs_f64())),
    }
}

fn flow(flow: &Flow, marks: &mut Marks) -> FlowOut {
    figures!(marks, "flow", flow, FlowOut {
        received_per_s: received_per_s,
        queued_per_s: queued_per_s,
        stored_per_s: stored_per_s,
        processed_per_s: processed_per_s,
        written_per_s: written_per_s,
        backlog: backlog,
        oldest_unprocessed_s: oldest_waiting_s,
        drain_eta_s: drain_eta_s,
        dead: dead,
        received_total: received_total,
        queued_total: queued_total,
        processed_total: processed_total,
        written_total: written_total,
        refused_total: refused_total,
        unconfirmed_total: unconfirmed_total,
        backlog_per_s: backlog_per_s,
        oldest_held_s: oldest_held_s,
        limit_eta_s: limit_eta_s,
        dead_per_min: dead_per_min,
        response_p99_s: response_p99_s,
        batch_p95_s: batch_p95_s,
        update_p95_s: update_p95_s,
    } {
        limit: flow.limit.clone(),
    })
}

fn provider(provider: &Provider, at: &str, marks: &mut Marks) -> ProviderOut {
    figures!(marks, at, provider, ProviderOut {
        received_per_s: received_per_s,
        processed_per_s: processed_per_s,
        error_ratio: error_ratio,
        response_p50_s: response_p50_s,
        response_p99_s: response_p99_s,
    } {
        name: provider.name.clone(),
    })
}

fn queue(queue: &Queue, at: &str, marks: &mut Marks) -> QueueOut {
    figures!(marks, at, queue, QueueOut {
        messages: messages,
        pending: pending,
        ack_pending: ack_pending,
        waiting: waiting,
        redelivered: redelivered,
        parked: parked,
        orphaned: orphaned,
        unmatched: unmatched,
        ingest_per_s: ingest_per_s,
        completed_per_s: completed_per_s,
        attempts_per_s: attempts_per_s,
        retries_per_s: retries_per_s,
        oldest_age_s: oldest_age_s,
        oldest_held_s: oldest_held_s,
        drain_eta_s: drain_eta_s,
        limit_eta_s: limit_eta_s,
        bytes: bytes,
    } {
        stream: queue.stream.clone(),
        consumer: queue.consumer.clone(),
        state: queue.state,
        leader: queue.leader.clone(),
        replicas: queue.replicas.max(1),
    })
}

fn worker(worker: &Worker, at: &str, marks: &mut Marks) -> WorkerOut {
    figures!(marks, at, worker, WorkerOut {
        rate_per_s: rate_per_s,
        last_seen_s: last_seen_s,
        batch_size: batch_size,
        batch_p95_s: batch_p95_s,
        errors_per_s: errors_per_s,
        breaker: breaker,
        cpu: cpu,
        memory: memory,
    } {
        name: worker.name.clone(),
        state: worker.state,
        seen_by: worker.seen_by.clone(),
        condition: worker.condition,
        accounts: worker
            .accounts
            .iter()
            .map(|account| AccountOut {
                source: account.source.clone(),
                up: account.up,
                text: account.text.clone(),
            })
            .collect(),
    })
}

fn webhook(webhook: &Webhook, at: &str, marks: &mut Marks) -> WebhookOut {
    figures!(marks, at, webhook, WebhookOut {
        total: total,
        failed: failed,
        success_ratio: success_ratio,
        latency_p50_s: latency_p50_s,
        latency_p95_s: latency_p95_s,
        latency_p99_s: latency_p99_s,
        latency_avg_s: latency_avg_s,
        recent_attempts: recent_attempts,
        recent_success_ratio: recent_success_ratio,
        recent_latency_s: recent_latency_s,
        waiting: waiting,
        retrying: retrying,
        oldest_waiting_s: oldest_waiting_s,
    } {
        name: webhook.name.clone(),
        subject: webhook.subject.clone(),
        mode: webhook.mode.clone(),
        last_at: webhook.last_at.map(millis),
    })
}

fn failure(group: &FailureGroup, at: &str, marks: &mut Marks) -> FailureOut {
    figures!(marks, at, group, FailureOut {
        per_s: per_s,
    } {
        kind: group.kind.clone(),
        count: group.count,
        last_at: group.last_at.map(millis),
        example: group.example.clone(),
        relation: group.relation.clone(),
        about: group.about.clone(),
        others: group.others,
    })
}

fn mode(mode: &WebhookMode, at: &str, marks: &mut Marks) -> ModeOut {
    figures!(marks, at, mode, ModeOut {
        published: published,
        published_ratio: published_ratio,
        called: called,
        called_ratio: called_ratio,
        waiting: waiting,
        retrying: retrying,
        failed: failed,
    } {
        mode: mode.mode.clone(),
        webhooks: mode.webhooks,
    })
}

fn line(line: &LedgerLine) -> LineOut {
    LineOut {
        line: line.line.clone(),
        left: Number(line.left),
        right: Number(line.right),
        difference: Number(line.difference),
        tolerance: Number(line.tolerance),
        balanced: line.balanced,
        left_label: line.left_label.clone(),
        terms: line
            .terms
            .iter()
            .map(|(name, value)| TermOut {
                name: name.clone(),
                value: Number(*value),
            })
            .collect(),
    }
}

fn verdict(verdict: &Verdict) -> VerdictOut {
    VerdictOut {
        id: verdict.id.clone(),
        severity: verdict.severity,
        since: millis(verdict.since),
        text: verdict.text.clone(),
        evidence: verdict.evidence.clone(),
        next: verdict.next.clone(),
        subject: verdict.subject.clone(),
    }
}

/// A time without what is below a millisecond.
fn millis(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}

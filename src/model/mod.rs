//! Pure: samples in, numbers out. No clock, no I/O, no hash map that is iterated.

mod connections;
mod counter;
mod database;
mod events;
mod failures;
pub mod field;
mod flow;
mod histogram;
mod interval;
mod ledger;
pub mod letters;
mod metrics;
mod news;
mod outbound;
mod probes;
mod queues;
mod reading;
mod series;
mod sources;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod verdicts;
mod view;
pub mod whatif;
mod workers;

pub use reading::{Reading, ReadingState};
pub use series::{Histories, REACH, SeriesKey};
pub use verdicts::ids as verdict_ids;
pub use view::{
    Event, EventKind, FailureGroup, Flow, Health, Hush, Ledger, LedgerLine, ProbeView, Provider, Queue, QueueState,
    Severity, SourceView, Verdict, View, Webhook, WebhookMode, Worker, WorkerAccount, WorkerCondition, WorkerState,
};

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::connections::Connections;
use self::counter::WINDOW;
use self::database::Database;
use self::events::{Happening, Merger};
use self::failures::ProviderFigures;
use self::field::Field;
use self::ledger::{Books, Context, Ledger as Accounts, Tallies, Unread};
use self::letters::Group;
use self::metrics::{Metrics, Sum, Tally};
use self::outbound::Outbound;
use self::probes::Probes;
pub(crate) use self::queues::covers;
use self::queues::{Queues, seconds};
use self::sources::{Sources, Stamp};
use self::verdicts::{Facts, Memory, Sight, Verdicts};
use crate::base::time::Moment;
use crate::config::{Families, Pipeline, Thresholds};
use crate::sample::{Envelope, OutboundRows, Panel, QueueReading, Sample, SourceKind, SourceState, SubjectsReading};

/// What the model needs to know of the profile. Recorded with what the model was given.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Settings {
    /// The profile's name.
    pub profile: Arc<str>,
    /// The names of the pipeline's parts.
    pub pipeline: Pipeline,
    /// What the metrics mean.
    pub families: Families,
    /// When to raise an alarm.
    pub thresholds: Thresholds,
    /// Where it says what to do, by a verdict's id.
    #[serde(default)]
    pub runbooks: BTreeMap<Arc<str>, Arc<str>>,
}

/// What is known from before a model began.
#[derive(Clone, Debug)]
pub struct History {
    /// Made with [`Histories::reaching_back`].
    pub histories: Histories,
    /// What happened, as another model told it.
    pub events: Vec<Event>,
    /// From where it is known, and until when: safe text.
    pub told: String,
}

/// The model of one profile: a pure function of its samples and their timestamps.
#[derive(Clone, Debug)]
pub struct Model {
    settings: Settings,
    /// Session start, unix seconds.
    epoch: f64,
    start: Moment,
    first_data: Option<Duration>,
    sources: Sources,
    metrics: Metrics,
    database: Database,
    queues: Queues,
    outbound: Outbound,
    connections: Connections,
    probes: Probes,
    ledger: Accounts,
    verdicts: Verdicts,
    memory: Memory,
    merger: Merger,
    /// When the followed stream was last read before its source failed, while it is not read again.
    outage: Option<f64>,
    view: View,
    histories: Histories,
    /// What has been charted on screen.
    charted: BTreeSet<SeriesKey>,
}

/// Queues, workers and providers whose figures have a history whether or not somebody looks.
const CHARTED: usize = 12;

/// Workers and queues beyond which this is a fleet, whose histories may take more memory.
const FLEET: usize = 100;

/// What of the figures is worked out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    /// All of it.
    Shown,
    /// What later moments build on.
    Charted,
}

/// What the histories of a queue are about.
fn queue_subject(stream: &Arc<str>, consumer: Option<&Arc<str>>) -> Arc<str> {
    match consumer {
        Some(consumer) => format!("{stream}/{consumer}").into(),
        None => stream.clone(),
    }
}

/// Streams whose counts per subject are kept, and subjects of each.
const SUBJECTS_KEPT: usize = 4;
const SUBJECTS_SHOWN: usize = 200;

/// Series that are recorded because somebody looked at them.
const LOOKED_AT: usize = 64;

/// A stale value is no news: the chart shows a gap.
fn fresh(reading: &Reading) -> Option<f64> {
    reading.value.filter(|_| !reading.is_stale())
}

impl Model {
    /// A model that has seen nothing.
    #[must_use]
    pub fn new(settings: Settings, start: Moment) -> Self {
        let mut model = Self {
            epoch: seconds(start.at) - start.mono.as_secs_f64(),
            start,
            first_data: None,
            sources: Sources::default(),
            metrics: Metrics::default(),
            database: Database::default(),
            queues: Queues::default(),
            outbound: Outbound::default(),
            connections: Connections::default(),
            probes: Probes::default(),
            ledger: Accounts::default(),
            verdicts: Verdicts::default(),
            memory: Memory::default(),
            merger: Merger::default(),
            outage: None,
            view: View::empty(&settings.profile, start),
            histories: Histories::default(),
            charted: BTreeSet::new(),
            settings,
        };
        // A silent worker stays on the list for long enough to be called inactive.
        model.database.forgotten = model.settings.thresholds.worker_inactive * 2;
        let profile = crate::base::text::safe(&model.settings.profile).into_owned();
        let begun = Happening::new("console", EventKind::Console, Severity::Info, "console started");
        model.tell(start, &begun.detail(format!("profile {profile}")));
        model
    }

    /// What it was told of the profile.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Takes in what is known from before it began: histories in this model's time, and events.
    /// The seam is told. No total and no line of the ledger changes: they count since the start.
    pub fn remember(&mut self, past: History, now: Moment) {
        self.histories.precede(past.histories, self.start.mono);
        let mut older = past.events;
        older.retain(|event| event.at < self.start.at);
        older.sort_by_key(|event| event.at);
        self.merger.precede(&mut self.view.events, &older);
        let what = Happening::new(
            "history",
            EventKind::Console,
            Severity::Info,
            "what was before is known",
        );
        self.tell(now, &what.detail(past.told));
    }

    /// Takes a sample in. Cheap: figures are worked out by [`Model::advance`].
    pub fn apply(&mut self, envelope: &Envelope) {
        if envelope.profile != self.settings.profile {
            return;
        }
        let moment = envelope.moment();
        let stamp = Stamp {
            at: envelope.at,
            mono: envelope.mono,
            source: envelope.source.clone(),
        };
        // A canary's run is no reading: it makes no source that could be missed.
        if !matches!(envelope.sample, Sample::Report(_) | Sample::Canary(_)) {
            self.sources.note(&envelope.source, moment);
            self.first_data.get_or_insert(envelope.mono);
        }
        self.take(stamp, moment, &envelope.sample);
    }

    fn take(&mut self, stamp: Stamp, moment: Moment, sample: &Sample) {
        match sample {
            Sample::Report(report) if report.state == SourceState::Off && stamp.source.kind == SourceKind::Metrics => {
                // A discovered target that is gone: its totals stay, its row goes.
                let sign = self.metrics.refuse(&stamp.source, moment.mono.as_secs_f64());
                self.hear_target(&stamp.source.name, sign.into_iter().collect(), moment);
                self.sources.forget(&stamp.source);
                self.metrics.retire(&stamp.source.name);
            }
            Sample::Report(report) => {
                self.sources.report(&stamp.source, moment, report);
                match stamp.source.kind {
                    SourceKind::Metrics if sources::refuses(report) => {
                        let sign = self.metrics.refuse(&stamp.source, moment.mono.as_secs_f64());
                        self.hear_target(&stamp.source.name, sign.into_iter().collect(), moment);
                    }
                    SourceKind::Jetstream if report.state == SourceState::Failing && self.outage.is_none() => {
                        self.outage = self.last_read();
                    }
                    _ => {}
                }
            }
            Sample::Scrape(scrape) => {
                let name = stamp.source.name.clone();
                let first = scrape.first_skipped.as_deref();
                if self.sources.page(&stamp.source, moment, scrape.skipped, first) {
                    self.hear_page(&stamp.source, moment);
                }
                let new = !self.metrics.targets.contains_key(&name);
                let signs = self.metrics.apply(stamp, scrape, &self.settings.families, self.epoch);
                if new {
                    self.target_joined(&name, moment);
                }
                self.hear_target(&name, signs, moment);
            }
            Sample::Server(server) => {
                self.hear_server(server, moment);
                self.queues.serve(stamp, server);
                self.view.server = Some((**server).clone());
            }
            Sample::Queue(reading) => self.take_cycle(&stamp, moment, reading),
            Sample::Inventory(reading) => {
                let before = self.last_read();
                let signs = self.queues.sweep(&stamp, reading, self.epoch);
                self.hear_queues(signs, before, moment);
            }
            Sample::Oldest(reading) => self.queues.oldest(stamp, reading),
            Sample::Subjects(reading) => {
                self.queues.subjects(&stamp, reading);
                self.keep_subjects(reading);
            }
            Sample::Advisory(advisory) => self.hear_advisory(advisory, moment),
            Sample::Counters(reading) => {
                if self.database.count(stamp, reading, &mut self.metrics.providers) {
                    self.ledger.rows_fell();
                    self.memory.reset = moment.mono;
                    self.memory
                        .falls
                        .insert("postgres".into(), (moment.mono.as_secs_f64(), "rows written"));
                }
            }
            Sample::Heartbeats(reading) => self.database.beat(stamp, reading),
            Sample::Database(reading) => {
                self.database.blocked = Some((stamp, reading.blocked.clone()));
                self.view.database = Some((**reading).clone());
            }
            Sample::Panel(reading) => {
                if reading.problem.is_some() {
                    self.outbound.lose(reading.panel);
                    self.database.lose(reading.panel);
                    if reading.panel == Panel::Connections {
                        self.connections.lose();
                    }
                }
                self.database.panel(reading);
            }
            Sample::Outbound(reading) => {
                if let OutboundRows::Workers(rows) = &reading.rows {
                    self.database.take_stats(&stamp, reading, rows);
                } else {
                    self.outbound.take(&stamp, reading);
                }
            }
            Sample::Probe(reading) => {
                let name = stamp.source.name.clone();
                if self.probes.take(stamp, reading) {
                    self.hear_probe(&name, reading, moment);
                }
            }
            Sample::Connections(reading) => self.connections.take(&stamp, reading),
            Sample::Canary(reading) => self.memory.canary(reading),
        }
    }

    /// Keeps the latest counts per subject of the last few streams that somebody looked at.
    fn keep_subjects(&mut self, reading: &SubjectsReading) {
        let kept = &mut self.view.subjects;
        if kept.len() >= SUBJECTS_KEPT && !kept.contains_key(&reading.stream) {
            kept.clear();
        }
        let mut shown = reading.clone();
        let over = shown.counts.split_off(shown.counts.len().min(SUBJECTS_SHOWN));
        shown.left_out.0 += over.len() as u64;
        shown.left_out.1 += over.iter().map(|(_, count)| count).sum::<u64>();
        kept.insert(reading.stream.clone(), shown);
    }

    fn take_cycle(&mut self, stamp: &Stamp, moment: Moment, reading: &QueueReading) {
        let before = self.last_read();
        for refused in self.memory.refusals(reading) {
            let what = Happening::new(
                refused.clone(),
                EventKind::Console,
                Severity::Warning,
                "threshold refused",
            );
            self.tell(moment, &what.detail(refused));
        }
        let letters = self.settings.pipeline.dlq.as_ref() == Some(&reading.before.name);
        let dead = |queues: &Queues| {
            let track = queues.streams.get(&reading.before.name)?;
            Some(track.stored.since_start())
        };
        let then = dead(&self.queues);
        let signs = self.queues.cycle(stamp, reading, self.epoch);
        self.hear_queues(signs, before, moment);
        if self.settings.pipeline.stream.is_none() {
            self.follow_the_only_one(moment);
        }
        if self.settings.pipeline.stream.as_ref() == Some(&reading.before.name) {
            self.close_outage(moment);
        }
        if letters && let (Some(then), Some(now)) = (then, dead(&self.queues)) {
            self.hear_letters(now - then, reading.after.state.last_seq, moment);
        }
    }

    /// A profile that names no stream means the only one with consumers, once all are known: a
    /// console that is given just a server would otherwise show nothing of its one pipeline.
    fn follow_the_only_one(&mut self, now: Moment) {
        let Some(stream) = self.queues.only_consumed() else {
            return;
        };
        let text = format!("following stream {stream}");
        self.settings.pipeline.stream = Some(stream);
        let what = Happening::new("following".to_owned(), EventKind::Console, Severity::Info, text);
        let why = "the only one with consumers; --stream names another";
        self.tell(now, &what.detail(why.to_owned()));
    }

    /// When the followed stream was last read: the beginning of that reading.
    fn last_read(&self) -> Option<f64> {
        let (_, stream) = self.queues.followed_stream(&self.settings.pipeline)?;
        Some(stream.span.begun)
    }

    /// Whether a source has changed its state since figures were last worked out: news that
    /// should not wait for the next full second.
    #[must_use]
    pub fn has_news(&self) -> bool {
        self.sources.have_turned()
    }

    /// Works out every figure as of `now`, evaluates the verdicts and records the histories.
    /// Called once a second, 4 times a second in the first 2 s, and soon after [`Model::has_news`].
    pub fn advance(&mut self, now: Moment) {
        self.work(now, Scope::Shown);
    }

    /// The same for a moment that nobody looks at, at a fraction of the cost: all that later
    /// moments build on (ledger, verdicts, events, histories) is exactly as after
    /// [`Model::advance`], and [`Model::view`] is whole again after the next one.
    pub fn pass(&mut self, now: Moment) {
        self.work(now, Scope::Charted);
    }

    fn work(&mut self, now: Moment, scope: Scope) {
        let turns = self.sources.advance(now);
        self.metrics.judge(&self.sources);
        self.hear_sources(turns, now);
        let figures = failures::figures(&self.metrics, &self.database);
        let known = workers::known(&workers::Witnesses {
            metrics: &self.metrics,
            database: &self.database,
            sources: &self.sources,
            connections: &self.connections,
            now,
        });
        let unread = Unread::of(&self.metrics, &self.sources);
        let unread_workers = workers::some_unread(&known, now);
        let tallies = Tallies::of(&self.metrics, unread, unread_workers);
        let ledger = self.ledger.evaluate(&Context {
            books: Books {
                sources: &self.sources,
                metrics: &self.metrics,
                database: &self.database,
                stream: self
                    .queues
                    .followed_stream(&self.settings.pipeline)
                    .map(|(_, stream)| stream),
                letters: self
                    .queues
                    .dead_letters(&self.settings.pipeline)
                    .map(|(_, stream)| stream),
                unread,
                tallies: &tallies,
            },
            consumer: self
                .queues
                .followed(&self.settings.pipeline)
                .map(|(_, consumer)| consumer),
            now,
        });
        let facts = self.memory.gather(&Sight {
            now,
            started: self.start.mono,
            thresholds: &self.settings.thresholds,
            pipeline: &self.settings.pipeline,
            sources: &self.sources,
            metrics: &self.metrics,
            database: &self.database,
            queues: &self.queues,
            ledger: &self.ledger,
            figures: &figures,
            workers: &known,
            outbound: &self.outbound,
            probes: &self.probes,
        });
        if known.len() + self.queues.consumers.len() > FLEET {
            self.histories.allow(series::FLEET_BUDGET);
        }
        for (name, worker) in &known {
            let key = SeriesKey::about(Field::WorkerRate, name.clone());
            self.histories.record(&key, now, fresh(&worker.rate));
        }
        let charted = |number: usize, name: &Arc<str>| self.is_charted(number, || name.clone(), Field::BatchP95);
        let whole = scope == Scope::Shown;
        self.view.workers = workers::rows(&known, &self.sources, &self.histories, now, whole, |number, name| {
            whole || charted(number, name)
        });
        self.view.ledger = ledger;
        self.fill(now, scope, &facts, &figures, unread_workers);
        self.record(now);
        let changes = self.verdicts.evaluate(&facts);
        if scope == Scope::Shown {
            self.fill_rest();
            self.list_verdicts();
        }
        self.hear_verdicts(changes, now);
    }

    /// The verdicts as they are shown, with their runbooks.
    fn list_verdicts(&mut self) {
        self.view.verdicts = self.verdicts.view();
        for verdict in &mut self.view.verdicts {
            verdict.runbook = self.settings.runbooks.get(&verdict.id).cloned();
        }
    }

    /// Notes how many dead letters of each cause there are: somebody has read them.
    pub fn note_letters(&mut self, groups: Arc<[Group]>) {
        self.view.letter_groups = Some(groups);
    }

    /// Notes that somebody has seen a verdict: it stays on the list and is quiet until it clears;
    /// `loss`, which never clears by itself, is over with that. False when there is none.
    pub fn acknowledge(&mut self, id: &str, subject: Option<&str>, now: Moment) -> bool {
        let answered = self.verdicts.acknowledge(id, subject, now);
        if id == "loss" && answered.is_some() {
            let replaced = &mut self.memory.replaced;
            replaced.retain(|(stream, _)| Some(&**stream) != subject);
        }
        self.answered(answered, "acknowledged", String::new(), now)
    }

    /// Silences a verdict: it stays on the list and is quiet for so long, even when it clears and
    /// comes back meanwhile. False when there is none.
    pub fn silence(&mut self, id: &str, subject: Option<&str>, lasts: Duration, now: Moment) -> bool {
        let answered = self.verdicts.silence(id, subject, lasts, now);
        let detail = format!("for {}", crate::base::text::duration(lasts));
        self.answered(answered, "silenced", detail, now)
    }

    /// Takes an acknowledgement or a silence back. False when there is none.
    pub fn heed(&mut self, id: &str, subject: Option<&str>, now: Moment) -> bool {
        let answered = self.verdicts.heed(id, subject);
        self.answered(answered, "heard again", String::new(), now)
    }

    /// Tells of somebody's answer to a verdict, and lists the verdicts anew.
    fn answered(&mut self, verdict: Option<Verdict>, how: &str, detail: String, now: Moment) -> bool {
        let Some(verdict) = verdict else { return false };
        let about = verdict.subject.as_deref().unwrap_or_default();
        let key = format!("{how} {} {about}", verdict.id);
        let text = format!("{how}: {}", verdict.text);
        let what = Happening::new(key, EventKind::Action, Severity::Info, text).detail(detail);
        self.tell(now, &what);
        self.list_verdicts();
        true
    }

    /// Whether the figures of one queue, worker or provider have a history: those of the first few
    /// whether or not somebody looks, others when somebody does.
    fn is_charted(&self, number: usize, subject: impl FnOnce() -> Arc<str>, field: Field) -> bool {
        number < CHARTED || (!self.charted.is_empty() && self.charted.contains(&SeriesKey::about(field, subject())))
    }

    /// Fills in what is recorded in histories, and does not need the workers' rows.
    /// `unread_workers`: there are workers besides those whose counters are read, and a sum of the
    /// latter would be too little.
    fn fill(&mut self, now: Moment, scope: Scope, facts: &Facts, figures: &[ProviderFigures], unread_workers: bool) {
        let followed = queues::Followed {
            acks: if unread_workers {
                Sum::default()
            } else {
                self.metrics.rate(Tally::Acked).clone()
            },
            retries: self.metrics.rate(Tally::Naked).clone(),
        };
        let states = facts.states();
        let own = self.queues.followed(&self.settings.pipeline).map(|(key, _)| key);
        let rows = self.queues.rows(
            &self.sources,
            &self.settings.pipeline,
            &followed,
            |number, stream, consumer| {
                scope == Scope::Shown
                    || own.is_some_and(|own| own.0 == *stream && Some(&own.1) == consumer)
                    || self.is_charted(number, || queue_subject(stream, consumer), Field::Pending)
            },
            |key, consumer, stream| {
                let judged = states.get(&*format!("{}/{}", key.0, key.1)).copied();
                judged.unwrap_or_else(|| queues::plain_state(consumer, stream.stored.rate()))
            },
        );
        self.view.flow = flow::flow(&flow::Inputs {
            sources: &self.sources,
            metrics: &self.metrics,
            database: &self.database,
            queues: &self.queues,
            pipeline: &self.settings.pipeline,
            rows: &rows,
            unread_workers,
        });
        self.view.queues = rows;
        self.view.lag_critical_s = facts.lag();
        self.view.api_calls_per_s = self.queues.calls(&self.sources);
        self.view.providers = failures::rows(figures, &self.sources);
        if unread_workers {
            for provider in &mut self.view.providers {
                provider.processed_per_s = Reading::unknown();
            }
        }
        self.view.now = now;
        self.view.window_s = self
            .first_data
            .map_or(0.0, |first| now.mono.saturating_sub(first).as_secs_f64().min(WINDOW));
    }

    /// Fills in what is only shown.
    fn fill_rest(&mut self) {
        self.view.sources = self.sources.views();
        self.view.panels_off = self
            .database
            .off
            .iter()
            .map(|(panel, problem)| (*panel, problem.clone()))
            .collect();
        self.view.webhooks = self.outbound.rows(&self.sources);
        self.view.modes = self.outbound.modes(&self.view.webhooks, &self.sources);
        self.view.webhooks_left_out = self.outbound.left_out();
        self.view.probes = self.probes.rows(&self.sources);
        self.view.failures = self.outbound.groups(&self.sources);
        self.view.failures_left_out = self.outbound.failures_left_out();
        self.view.left_out = self.metrics.left_out() + self.database.left_out + self.database.stats_left_out;
    }

    /// Records the figures that are charted.
    fn record(&mut self, now: Moment) {
        let flow = &self.view.flow;
        let charted = [
            (Field::ReceivedPerS, &flow.received_per_s),
            (Field::QueuedPerS, &flow.queued_per_s),
            (Field::StoredPerS, &flow.stored_per_s),
            (Field::ProcessedPerS, &flow.processed_per_s),
            (Field::WrittenPerS, &flow.written_per_s),
            (Field::Backlog, &flow.backlog),
            (Field::OldestWaiting, &flow.oldest_waiting_s),
            (Field::Dead, &flow.dead),
            (Field::ResponseP99, &flow.response_p99_s),
        ];
        for (field, reading) in charted {
            self.histories.record(&SeriesKey::of(field), now, fresh(reading));
        }
        self.record_rows(now);
    }

    /// Records the figures of single queues, workers and providers: of the first few, and of
    /// those that somebody looks at.
    fn record_rows(&mut self, now: Moment) {
        for (number, queue) in self.view.queues.iter().enumerate() {
            let subject = || queue_subject(&queue.stream, queue.consumer.as_ref());
            if !self.is_charted(number, subject, Field::Pending) {
                continue;
            }
            let subject = subject();
            let pending = if queue.consumer.is_none() {
                &queue.messages
            } else {
                &queue.pending
            };
            for (field, reading) in [
                (Field::Pending, pending),
                (Field::StoredPerS, &queue.ingest_per_s),
                (Field::CompletedPerS, &queue.completed_per_s),
                (Field::OldestWaiting, &queue.oldest_age_s),
            ] {
                let key = SeriesKey::about(field, subject.clone());
                self.histories.record(&key, now, fresh(reading));
            }
        }
        for (number, worker) in self.view.workers.iter().enumerate() {
            if !self.is_charted(number, || worker.name.clone(), Field::BatchP95) {
                continue;
            }
            for (field, reading) in [
                (Field::BatchP95, &worker.batch_p95_s),
                (Field::ErrorsPerS, &worker.errors_per_s),
                (Field::Memory, &worker.memory),
            ] {
                let key = SeriesKey::about(field, worker.name.clone());
                self.histories.record(&key, now, fresh(reading));
            }
        }
        for provider in self.view.providers.iter().take(CHARTED) {
            for (field, reading) in [
                (Field::ReceivedPerS, &provider.received_per_s),
                (Field::ErrorRatio, &provider.error_ratio),
            ] {
                let key = SeriesKey::about(field, provider.name.clone());
                self.histories.record(&key, now, fresh(reading));
            }
        }
    }

    /// Notes that a chart of this series is on screen, so that it is recorded and its fine
    /// history is kept longest.
    pub fn touch(&mut self, key: &SeriesKey) {
        if self.charted.len() >= LOOKED_AT && !self.charted.contains(key) {
            self.charted.clear();
        }
        self.charted.insert(key.clone());
        self.histories.touch(key);
    }

    /// The figures as of the last [`Model::advance`].
    #[must_use]
    pub fn view(&self) -> &View {
        &self.view
    }

    /// The histories.
    #[must_use]
    pub fn histories(&self) -> &Histories {
        &self.histories
    }
}

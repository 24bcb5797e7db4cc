//! Pure: samples in, numbers out. No clock, no I/O, no hash map that is iterated.

mod answers;
mod charts;
mod connections;
mod counter;
mod database;
mod events;
mod failures;
pub mod field;
mod flow;
mod histogram;
mod intake;
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
    Answer, Event, EventKind, FailureGroup, Flow, Health, Hush, Ledger, LedgerLine, ProbeView, Provider, Queue,
    QueueState, Severity, SourceView, Verdict, View, Webhook, WebhookMode, Worker, WorkerAccount, WorkerCondition,
    WorkerState,
};

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::charts::{fresh, queue_subject};
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
use self::sources::Sources;
use self::verdicts::{Facts, Memory, Sight, Verdicts};
use crate::base::time::Moment;
use crate::config::{Families, Pipeline, Thresholds};

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
        self.hear_pause(now);
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

    /// Notes how many dead letters of each cause there are: somebody has read them.
    pub fn note_letters(&mut self, groups: Arc<[Group]>) {
        self.view.letter_groups = Some(groups);
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

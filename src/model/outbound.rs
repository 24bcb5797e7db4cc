//! The webhooks that a pipeline sends: how many went well, how long they took, why some did not.
//!
//! What Postgres tells are counts over everything that is kept: they fall when old rows go, and
//! a ratio of them never recovers. Alarms and rates are from their growth within the last minute.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::counter::{Counter, Span};
use super::metrics::safe_name;
use super::reading::Reading;
use super::sources::{Sources, Stamp};
use super::view::{FailureGroup, Webhook, WebhookMode};
use crate::base::cause::cause;
use crate::base::text;
use crate::base::time::{Timestamp, since};
use crate::sample::{CallCount, KnownWebhook, OutboundReading, OutboundRows, Panel, SendFailure, Sent, SentLatency};

/// Webhooks kept; the rest is counted.
const WEBHOOKS: usize = 2_000;

/// Latest examples are cut to this width, in columns.
const EXAMPLE: usize = 240;

/// What alarms look at, seconds.
const MINUTE: f64 = 60.0;

/// A view rounds its mean to hundredths of a millisecond: it is off by as much as this, seconds.
const ROUNDING: f64 = 0.000_005;

/// When a relation was read, and when it will be again.
#[derive(Clone, Debug, PartialEq)]
struct Read {
    stamp: Stamp,
    period: Duration,
    left_out: u64,
    now: Timestamp,
}

/// A webhook by one way: NATS on one subject, or HTTP from the queue.
type Key = (Arc<str>, Option<Arc<str>>);

/// What was sent by one way.
#[derive(Clone, Debug, PartialEq)]
struct Way {
    sent: Sent,
    total: Counter,
    failed: Option<Counter>,
    /// Seconds spent: the mean times the number.
    spent: Option<Counter>,
}

/// The last minute of a webhook by one way.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Minute {
    /// `name`, or `name → subject`.
    pub(super) subject: Arc<str>,
    pub(super) fresh: bool,
    pub(super) attempts: f64,
    pub(super) failed: Option<f64>,
    /// Mean latency, seconds, and by how much it may be off.
    pub(super) mean: Option<(f64, f64)>,
}

/// Everything that is known of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Outbound {
    read: BTreeMap<Panel, Read>,
    known: BTreeMap<i64, KnownWebhook>,
    ways: BTreeMap<Key, Way>,
    latencies: BTreeMap<Key, SentLatency>,
    calls: BTreeMap<Arc<str>, Queued>,
    /// The latest failures, each with its cause.
    failures: BTreeMap<Panel, Vec<(String, SendFailure)>>,
    /// Rows that do not fit.
    over: u64,
}

/// The calls of one webhook in the queue, by status.
#[derive(Clone, Debug, Default, PartialEq)]
struct Queued {
    by_status: BTreeMap<Arc<str>, u64>,
    oldest_waiting: Option<Timestamp>,
}

impl Queued {
    fn count(&self, status: &str) -> u64 {
        self.by_status.get(status).copied().unwrap_or(0)
    }

    fn total(&self) -> u64 {
        self.by_status.values().sum()
    }
}

impl Outbound {
    /// Takes a relation in. The workers' statistics are not for here.
    pub(super) fn take(&mut self, stamp: &Stamp, reading: &OutboundReading) {
        self.read.insert(
            reading.panel,
            Read {
                stamp: stamp.clone(),
                period: reading.period,
                left_out: reading.left_out,
                now: reading.now.unwrap_or(stamp.at),
            },
        );
        match &reading.rows {
            OutboundRows::Known(rows) => {
                self.known = rows.iter().take(WEBHOOKS).map(|row| (row.id, row.clone())).collect();
            }
            OutboundRows::Sent(rows) => self.sent(Span::new(stamp.mono, reading.took), reading.panel, rows),
            OutboundRows::Latency(rows) => {
                let by_nats = reading.panel == Panel::PublishLatency;
                self.latencies.retain(|(_, subject), _| subject.is_some() != by_nats);
                for row in rows.iter().take(WEBHOOKS) {
                    self.latencies.insert(key(&row.name, row.subject.as_ref()), row.clone());
                }
            }
            OutboundRows::Calls(rows) => self.queued(rows),
            OutboundRows::Failures(rows) => {
                let told = rows.iter().map(|row| (cause(&row.error), row.clone()));
                self.failures.insert(reading.panel, told.collect());
            }
            OutboundRows::Workers(_) => {}
        }
    }

    /// Notes that a relation cannot be read any more: what it said is not shown as if it were true.
    pub(super) fn lose(&mut self, panel: Panel) {
        if self.read.remove(&panel).is_none() {
            return;
        }
        match panel {
            Panel::Webhooks => self.known.clear(),
            Panel::Published => self.ways.retain(|(_, subject), _| subject.is_none()),
            Panel::CallStatus => self.ways.retain(|(_, subject), _| subject.is_some()),
            Panel::PublishLatency => self.latencies.retain(|(_, subject), _| subject.is_none()),
            Panel::CallLatency => self.latencies.retain(|(_, subject), _| subject.is_some()),
            Panel::Calls => self.calls.clear(),
            panel => {
                self.failures.remove(&panel);
            }
        }
    }

    fn sent(&mut self, span: Span, panel: Panel, rows: &[Sent]) {
        let by_nats = panel == Panel::Published;
        let mut before: BTreeMap<Key, Way> = std::mem::take(&mut self.ways);
        self.over = 0;
        // Those of the other relation stay.
        self.ways = before
            .extract_if(.., |(_, subject), _| subject.is_some() != by_nats)
            .collect();
        for row in rows {
            let Some(total) = row.total else { continue };
            let key = key(&row.name, row.subject.as_ref());
            if self.ways.len() >= 2 * WEBHOOKS || self.ways.contains_key(&key) {
                self.over += 1;
                continue;
            }
            let way = Way::next(before.remove(&key), span, row, total as f64);
            self.ways.insert(key, way);
        }
    }

    fn queued(&mut self, rows: &[CallCount]) {
        self.calls.clear();
        for row in rows {
            let name = match row.webhook {
                Some(id) => match self.known.get(&id) {
                    Some(known) => safe_name(&known.name),
                    None => format!("webhook {id}").into(),
                },
                None => "webhooks".into(),
            };
            if self.calls.len() >= WEBHOOKS && !self.calls.contains_key(&name) {
                continue;
            }
            let queued = self.calls.entry(name).or_default();
            if queued.by_status.len() < 16 {
                *queued.by_status.entry(safe_name(&row.status)).or_default() += row.count;
            }
            if matches!(&*row.status, "pending" | "retrying") {
                queued.oldest_waiting = [queued.oldest_waiting, row.oldest].into_iter().flatten().min();
            }
        }
    }

    /// Whether any of the relations has been read.
    pub(super) fn is_known(&self) -> bool {
        !self.read.is_empty()
    }

    /// Rows of summaries that are not shown.
    pub(super) fn left_out(&self) -> u64 {
        let summaries = [Panel::Published, Panel::CallStatus];
        let read = summaries.iter().filter_map(|panel| self.read.get(panel));
        read.map(|read| read.left_out).sum::<u64>() + self.over
    }

    /// Failures that are not shown.
    pub(super) fn failures_left_out(&self) -> u64 {
        let failures = [Panel::PublishFailures, Panel::CallFailures];
        let read = failures.iter().filter_map(|panel| self.read.get(panel));
        read.map(|read| read.left_out).sum()
    }

    fn reading(&self, panel: Panel, value: Option<f64>, sources: &Sources) -> Reading {
        let read = self.read.get(&panel);
        let period = read.map_or(Duration::ZERO, |read| read.period);
        sources.reading_for(value, read.map(|read| &read.stamp), period)
    }

    /// The webhooks as they are shown, those that fail most first.
    pub(super) fn rows(&self, sources: &Sources) -> Vec<Webhook> {
        let modes: BTreeMap<Arc<str>, Option<Arc<str>>> = self
            .known
            .values()
            .map(|known| (safe_name(&known.name), known.mode.as_deref().map(safe_name)))
            .collect();
        let mut keys: BTreeSet<Key> = self.ways.keys().cloned().collect();
        keys.extend(self.calls.keys().map(|name| (name.clone(), None)));
        keys.extend(self.latencies.keys().cloned());
        let mut rows: Vec<Webhook> = Vec::with_capacity(keys.len().min(2 * WEBHOOKS));
        for key in keys.into_iter().take(2 * WEBHOOKS) {
            let way = self.ways.get(&key);
            let mode = way
                .and_then(|way| way.sent.mode.as_deref().map(safe_name))
                .or_else(|| modes.get(&key.0).cloned().flatten());
            let queued = self.calls.get(&key.0).filter(|_| key.1.is_none());
            let nothing = way.is_none_or(|way| way.sent.total == Some(0)) && queued.is_none_or(|q| q.total() == 0);
            // A view lists every webhook, also those that are not sent this way.
            if key.1.is_none() && nothing && mode.as_deref() == Some("nats") {
                continue;
            }
            rows.push(self.row(&key, mode, sources));
        }
        let failed = |row: &Webhook| row.failed.value.unwrap_or(0.0);
        rows.sort_by(|a, b| {
            failed(b)
                .total_cmp(&failed(a))
                .then_with(|| (&a.name, &a.subject).cmp(&(&b.name, &b.subject)))
        });
        rows
    }

    fn row(&self, key: &Key, mode: Option<Arc<str>>, sources: &Sources) -> Webhook {
        let by_nats = key.1.is_some();
        let (summary, stats) = if by_nats {
            (Panel::Published, Panel::PublishLatency)
        } else {
            (Panel::CallStatus, Panel::CallLatency)
        };
        let way = self.ways.get(key);
        let queued = self.calls.get(&key.0).filter(|_| !by_nats);
        // The queue itself knows what its summary says, where there is none.
        let counted = if way.is_none() && queued.is_some() {
            Panel::Calls
        } else {
            summary
        };
        let figure = |value: Option<f64>| self.reading(counted, value, sources);
        let total = way
            .map(|way| way.total.raw())
            .or_else(|| queued.map(|q| q.total() as f64));
        let failed = match way {
            Some(way) => way.failed.as_ref().map(Counter::raw),
            None => queued.map(|queued| queued.count("failed") as f64),
        };
        let successful = match way {
            Some(way) => way.sent.successful.map(|count| count as f64),
            None => queued.map(|queued| queued.count("success") as f64),
        };
        let minute = way.and_then(Way::minute);
        let ratio = |good: f64, bad: f64| (good + bad > 0.0).then(|| good / (good + bad));
        let latency = self.latencies.get(key);
        let tail = |of: fn(&SentLatency) -> Option<f64>| {
            let value = latency.and_then(of).map(|ms| ms / 1_000.0);
            self.reading(stats, value, sources)
        };
        let queue = |status: &str, of: fn(&Sent) -> Option<u64>| match queued {
            Some(queued) => self.reading(Panel::Calls, Some(queued.count(status) as f64), sources),
            None => figure(way.and_then(|way| of(&way.sent)).map(|count| count as f64)),
        };
        let read = self.read.get(&Panel::Calls);
        let age = queued
            .zip(read)
            .and_then(|(queued, read)| Some(since(queued.oldest_waiting?, read.now).as_secs_f64()));
        Webhook {
            name: key.0.clone(),
            subject: key.1.clone(),
            mode,
            total: figure(total),
            failed: figure(failed),
            success_ratio: figure(successful.zip(failed).and_then(|(good, bad)| ratio(good, bad))),
            recent_attempts: figure(minute.map(|minute| minute.0)),
            recent_success_ratio: figure(minute.and_then(|(attempts, failed, _)| {
                (attempts > 0.0).then_some(1.0 - (failed? / attempts).clamp(0.0, 1.0))
            })),
            recent_latency_s: figure(minute.and_then(|(attempts, _, mean)| mean.filter(|_| attempts > 0.0)).map(|m| m.0)),
            latency_p50_s: tail(|latency| latency.p50_ms),
            latency_p95_s: tail(|latency| latency.p95_ms),
            latency_p99_s: tail(|latency| latency.p99_ms),
            latency_avg_s: figure(way.and_then(|way| way.sent.avg_ms).map(|ms| ms / 1_000.0)),
            waiting: if by_nats {
                Reading::unknown()
            } else {
                queue("pending", |sent| sent.pending)
            },
            retrying: if by_nats {
                Reading::unknown()
            } else {
                queue("retrying", |sent| sent.retrying)
            },
            oldest_waiting_s: self.reading(Panel::Calls, age, sources),
            last_at: way.and_then(|way| way.sent.last_at),
        }
    }

    /// The last minute of every webhook, for the rules.
    pub(super) fn minutes(&self, sources: &Sources) -> Vec<Minute> {
        self.ways
            .iter()
            .filter_map(|((name, subject), way)| {
                let panel = if subject.is_some() {
                    Panel::Published
                } else {
                    Panel::CallStatus
                };
                let read = self.read.get(&panel)?;
                let (attempts, failed, mean) = way.minute()?;
                Some(Minute {
                    subject: match subject {
                        Some(subject) if !subject.is_empty() => format!("{name} → {subject}").into(),
                        _ => name.clone(),
                    },
                    fresh: sources.is_fresh_for(&read.stamp, read.period),
                    attempts,
                    failed,
                    mean,
                })
            })
            .collect()
    }

    /// Queue, NATS and both side by side, over the rows that are shown.
    pub(super) fn modes(&self, rows: &[Webhook], sources: &Sources) -> Vec<WebhookMode> {
        if !self.is_known() || rows.is_empty() {
            return Vec::new();
        }
        let mut by_mode: BTreeMap<(u8, Arc<str>), Vec<&Webhook>> = BTreeMap::new();
        for row in rows {
            let (rank, mode) = match (row.mode.as_deref(), &row.subject) {
                (Some("queue"), _) => (0, "queue"),
                (Some("nats"), _) => (1, "nats"),
                (Some("both"), _) => (2, "both"),
                (Some(_), _) => (3, "other"),
                (None, Some(_)) => (1, "nats"),
                (None, None) => (0, "queue"),
            };
            by_mode.entry((rank, mode.into())).or_default().push(row);
        }
        by_mode
            .into_iter()
            .map(|((_, mode), rows)| {
                let names: BTreeSet<&Arc<str>> = rows.iter().map(|row| &row.name).collect();
                let sum = |by_nats: bool, of: fn(&Webhook) -> &Reading| {
                    let values = rows
                        .iter()
                        .filter(|row| row.subject.is_some() == by_nats)
                        .map(|row| of(row).value);
                    // A sum of some of them would be too small.
                    values.fold(None, |sum: Option<Option<f64>>, value| {
                        Some(match sum {
                            None => value,
                            Some(sum) => sum.zip(value).map(|(a, b)| a + b),
                        })
                    })?
                };
                let nats = |value| self.reading(Panel::Published, value, sources);
                let summarised = self.read.contains_key(&Panel::CallStatus);
                let calls = if summarised { Panel::CallStatus } else { Panel::Calls };
                let queue = |value| self.reading(calls, value, sources);
                let ratio = |total: Option<f64>, failed: Option<f64>| {
                    let (total, failed) = (total?, failed?);
                    (total > 0.0).then(|| 1.0 - failed / total)
                };
                let settled = |by_nats| {
                    let total = sum(by_nats, |row| &row.total)?;
                    let open = if by_nats {
                        0.0
                    } else {
                        sum(false, |row| &row.waiting)? + sum(false, |row| &row.retrying)?
                    };
                    Some((total - open).max(0.0))
                };
                WebhookMode {
                    mode,
                    webhooks: names.len() as u64,
                    published: nats(sum(true, |row| &row.total)),
                    published_ratio: nats(ratio(settled(true), sum(true, |row| &row.failed))),
                    called: queue(sum(false, |row| &row.total)),
                    called_ratio: queue(ratio(settled(false), sum(false, |row| &row.failed))),
                    waiting: queue(sum(false, |row| &row.waiting)),
                    retrying: queue(sum(false, |row| &row.retrying)),
                    failed: queue(sum(false, |row| &row.failed)),
                }
            })
            .collect()
    }

    /// The latest failures by their cause, the most frequent first.
    pub(super) fn groups(&self, sources: &Sources) -> Vec<FailureGroup> {
        let mut groups: Vec<FailureGroup> = Vec::new();
        for (panel, failures) in &self.failures {
            let Some(read) = self.read.get(panel) else { continue };
            let mut of_panel: BTreeMap<String, (FailureGroup, BTreeSet<Arc<str>>, u64)> = BTreeMap::new();
            // Where rows were left out, only the span that was read is known whole.
            let oldest = failures.iter().filter_map(|(_, failure)| failure.at).min();
            let seen = oldest.map_or(0.0, |oldest| since(oldest, read.now).as_secs_f64());
            let span = if read.left_out > 0 { seen.min(MINUTE) } else { MINUTE };
            for (kind, failure) in failures {
                let (group, names, lately) = of_panel.entry(kind.clone()).or_insert_with(|| {
                    let group = FailureGroup {
                        kind: kind.clone(),
                        relation: panel.relation().into(),
                        count: 0,
                        per_s: Reading::unknown(),
                        last_at: None,
                        example: String::new(),
                        about: Arc::default(),
                        others: 0,
                    };
                    (group, BTreeSet::new(), 0)
                });
                group.count += 1;
                names.insert(safe_name(&failure.name));
                let age = failure.at.map(|at| since(at, read.now).as_secs_f64());
                if age.is_some_and(|age| age <= MINUTE) {
                    *lately += 1;
                }
                if group.example.is_empty() || failure.at > group.last_at {
                    group.last_at = failure.at;
                    group.example = text::cut(&text::safe(&failure.error), EXAMPLE).into_owned();
                    group.about = match &failure.subject {
                        Some(subject) if !subject.is_empty() => {
                            format!("{} → {}", safe_name(&failure.name), safe_name(subject)).into()
                        }
                        _ => safe_name(&failure.name),
                    };
                }
            }
            groups.extend(of_panel.into_values().map(|(mut group, names, lately)| {
                group.others = names.len().saturating_sub(1) as u64;
                let rate = (oldest.is_some() && span > 0.0).then(|| lately as f64 / span);
                group.per_s = self.reading(*panel, rate, sources);
                group
            }));
        }
        groups.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.kind.cmp(&b.kind)));
        groups
    }
}

fn key(name: &str, subject: Option<&Arc<str>>) -> Key {
    (safe_name(name), subject.map(|subject| safe_name(subject)))
}

impl Way {
    fn next(before: Option<Self>, span: Span, row: &Sent, total: f64) -> Self {
        let failed = match (row.failed, row.successful) {
            (Some(failed), _) => Some(failed as f64),
            // What waits has not failed.
            (None, Some(successful)) if row.subject.is_some() => Some((total - successful as f64).max(0.0)),
            _ => None,
        };
        let spent = row.avg_ms.map(|ms| ms / 1_000.0 * total);
        let Some(before) = before else {
            let new = |raw| Counter::new(span, raw, false);
            return Self {
                sent: row.clone(),
                total: new(total),
                failed: failed.map(new),
                spent: spent.map(new),
            };
        };
        // Old rows have gone: what grew meanwhile is not known of any of them.
        let fell = total < before.total.raw() || failed.zip(before.failed.as_ref()).is_some_and(|(f, b)| f < b.raw());
        let follow = |counter: Option<Counter>, raw: Option<f64>| {
            let raw = raw?;
            Some(match counter {
                None => Counter::new(span, raw, false),
                Some(mut counter) if fell => {
                    counter.rejoin(span, raw);
                    counter
                }
                Some(mut counter) => {
                    counter.observe(span, raw);
                    counter
                }
            })
        };
        Self {
            sent: row.clone(),
            failed: follow(before.failed, failed),
            spent: follow(before.spent, spent),
            total: follow(Some(before.total), Some(total)).unwrap_or_else(|| Counter::new(span, total, false)),
        }
    }

    /// Attempts and failures of the last minute; mean latency and by how much it may be off.
    fn minute(&self) -> Option<(f64, Option<f64>, Option<(f64, f64)>)> {
        let attempts = self.total.last_minute()?.delta;
        let failed = self.failed.as_ref().and_then(Counter::last_minute).map(|growth| growth.delta);
        let spent = self.spent.as_ref().and_then(Counter::last_minute).map(|growth| growth.delta);
        let mean = spent.filter(|_| attempts > 0.0).map(|spent| {
            let off = 2.0 * ROUNDING * self.total.raw() / attempts;
            ((spent / attempts).max(0.0), off)
        });
        Some((attempts, failed, mean))
    }
}

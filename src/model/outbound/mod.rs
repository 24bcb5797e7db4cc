//! The webhooks that a pipeline sends: how many went well, how long they took, why some did not.
//!
//! What Postgres tells are counts over everything that is kept: they fall when old rows go, and
//! a ratio of them never recovers. Alarms and rates are from their growth within the last minute.

mod show;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::counter::{Counter, Span};
use super::metrics::safe_name;
use super::reading::Reading;
use super::sources::{Sources, Stamp};
use crate::base::cause::cause;
use crate::base::time::Timestamp;
use crate::sample::{CallCount, KnownWebhook, OutboundReading, OutboundRows, Panel, SendFailure, Sent, SentLatency};

/// Webhooks kept; the rest is counted.
const WEBHOOKS: usize = 2_000;

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

/// The last minute of one way.
#[derive(Clone, Copy, Debug, PartialEq)]
struct LastMinute {
    attempts: f64,
    failed: Option<f64>,
    /// Mean latency, seconds, and by how much it may be off.
    mean: Option<(f64, f64)>,
}

/// The last minute of a webhook by one way, for the rules.
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
                // The view and its table say the same: what is read now counts.
                let other = match reading.panel {
                    Panel::CallFailures => Some(Panel::FailedCalls),
                    Panel::FailedCalls => Some(Panel::CallFailures),
                    _ => None,
                };
                if let Some(other) = other {
                    self.lose(other);
                }
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
        let failures = [Panel::PublishFailures, Panel::CallFailures, Panel::FailedCalls];
        let read = failures.iter().filter_map(|panel| self.read.get(panel));
        read.map(|read| read.left_out).sum()
    }

    fn reading(&self, panel: Panel, value: Option<f64>, sources: &Sources) -> Reading {
        let read = self.read.get(&panel);
        let period = read.map_or(Duration::ZERO, |read| read.period);
        sources.reading_for(value, read.map(|read| &read.stamp), period)
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
                let LastMinute { attempts, failed, mean } = way.minute()?;
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
    fn minute(&self) -> Option<LastMinute> {
        let attempts = self.total.last_minute()?.delta;
        let failed = self
            .failed
            .as_ref()
            .and_then(Counter::last_minute)
            .map(|growth| growth.delta);
        let spent = self
            .spent
            .as_ref()
            .and_then(Counter::last_minute)
            .map(|growth| growth.delta);
        let mean = spent.filter(|_| attempts > 0.0).map(|spent| {
            let off = 2.0 * ROUNDING * self.total.raw() / attempts;
            ((spent / attempts).max(0.0), off)
        });
        Some(LastMinute { attempts, failed, mean })
    }
}

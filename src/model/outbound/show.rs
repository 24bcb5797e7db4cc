//! The webhooks that are sent, as they are shown.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Key, MINUTE, Outbound, WEBHOOKS, Way};
use crate::base::text;
use crate::base::time::since;
use crate::model::counter::Counter;
use crate::model::metrics::safe_name;
use crate::model::reading::Reading;
use crate::model::sources::Sources;
use crate::model::view::{FailureGroup, Webhook, WebhookMode};
use crate::sample::{Panel, Sent, SentLatency};

/// Latest examples are cut to this width, in columns.
const EXAMPLE: usize = 240;

impl Outbound {
    /// The webhooks as they are shown, those that fail most first.
    pub(in crate::model) fn rows(&self, sources: &Sources) -> Vec<Webhook> {
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
            recent_attempts: figure(minute.map(|minute| minute.attempts)),
            recent_success_ratio: figure(
                minute
                    .filter(|minute| minute.attempts > 0.0)
                    .and_then(|minute| Some(1.0 - (minute.failed? / minute.attempts).clamp(0.0, 1.0))),
            ),
            recent_latency_s: figure(minute.and_then(|minute| Some(minute.mean?.0))),
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

    /// Queue, NATS and both side by side, over the rows that are shown.
    pub(in crate::model) fn modes(&self, rows: &[Webhook], sources: &Sources) -> Vec<WebhookMode> {
        if !self.is_known() || rows.is_empty() {
            return Vec::new();
        }
        let mut by_mode: BTreeMap<(u8, Arc<str>), Vec<&Webhook>> = BTreeMap::new();
        for row in rows {
            let (rank, mode) = match (row.mode.as_deref(), &row.subject) {
                (Some("queue"), _) | (None, None) => (0, "queue"),
                (Some("nats"), _) | (None, Some(_)) => (1, "nats"),
                (Some("both"), _) => (2, "both"),
                (Some(_), _) => (3, "other"),
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
    pub(in crate::model) fn groups(&self, sources: &Sources) -> Vec<FailureGroup> {
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

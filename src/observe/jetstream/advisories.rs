//! Advisories: listened to by name, never by `$JS.EVENT.ADVISORY.>` (which makes the server
//! echo every API answer), and passed on in bounded numbers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::{Client, Subscriber};
use futures_util::StreamExt as _;
use futures_util::stream::SelectAll;
use tokio_util::task::AbortOnDropHandle;

use super::wire::{self, AdvisoryEvent};
use crate::base::time::SharedClock;
use crate::sample::{Advisory, AdvisoryKind};

/// What every advisory's subject begins with.
const PREFIX: &str = "$JS.EVENT.ADVISORY.";

/// Advisories of one kind, stream and consumer that are passed on one by one per reading.
const EACH: usize = 5;

/// Advisories passed on one by one per reading, and counts besides.
const ALL: usize = 50;

/// Kinds, streams and consumers told apart per reading; what exceeds it is counted per kind.
const KEYS: usize = 256;

/// How long the clock comparison of an advisory is kept.
const SKEW_FOR: Duration = Duration::from_mins(1);

/// Whether a subject is an advisory's.
pub(crate) fn is_advisory(subject: &str) -> bool {
    subject.starts_with(PREFIX)
}

/// The subjects to listen to. Deaths and refusals are wanted of the followed stream alone; its
/// name must be one token.
pub(crate) fn subjects(stream: Option<&str>) -> Vec<String> {
    let mut subjects: Vec<String> = [
        "STREAM.LEADER_ELECTED.*",
        "STREAM.QUORUM_LOST.*",
        "CONSUMER.LEADER_ELECTED.*.*",
        "CONSUMER.QUORUM_LOST.*.*",
        "API.LIMIT_REACHED",
    ]
    .iter()
    .map(|rest| format!("{PREFIX}{rest}"))
    .collect();
    if let Some(stream) = stream {
        for kind in ["MAX_DELIVERIES", "MSG_TERMINATED", "MSG_NAKED"] {
            subjects.push(format!("{PREFIX}CONSUMER.{kind}.{stream}.*"));
        }
    }
    subjects
}

/// What an advisory counts under.
type Key = (AdvisoryKind, Option<Arc<str>>, Option<Arc<str>>);

/// Advisories since the last reading, folded so that a storm stays small.
#[derive(Debug, Default)]
struct Digest {
    each: Vec<Advisory>,
    counted: BTreeMap<Key, (usize, Advisory)>,
    /// The server's clock minus ours, and when that was compared.
    skew: Option<(f64, Duration)>,
}

impl Digest {
    fn add(&mut self, event: AdvisoryEvent) {
        let advisory = event.advisory;
        let mut key: Key = (advisory.kind, advisory.stream.clone(), advisory.consumer.clone());
        if self.counted.len() >= KEYS && !self.counted.contains_key(&key) {
            key = (advisory.kind, None, None);
        }
        let folded = Advisory {
            stream: key.1.clone(),
            consumer: key.2.clone(),
            stream_seq: None,
            deliveries: None,
            reason: None,
            count: 0,
            ..advisory.clone()
        };
        let (passed, rest) = self.counted.entry(key).or_insert((0, folded));
        if *passed < EACH && self.each.len() < ALL {
            *passed += 1;
            self.each.push(advisory);
        } else {
            rest.count += 1;
        }
    }

    /// A message that travelled for a while makes the server's clock look slower than it is, so
    /// the largest difference of the last minute is the best one.
    fn compare(&mut self, skew: f64, now: Duration) {
        let kept = self.skew.filter(|(_, at)| now.saturating_sub(*at) < SKEW_FOR);
        if kept.is_none_or(|(best, _)| skew > best) {
            self.skew = Some((skew, now));
        }
    }

    fn take(&mut self) -> Vec<Advisory> {
        let mut all = std::mem::take(&mut self.each);
        let counted = std::mem::take(&mut self.counted);
        all.extend(
            counted
                .into_values()
                .map(|(_, rest)| rest)
                .filter(|rest| rest.count > 0),
        );
        all
    }
}

/// Listens until dropped.
#[derive(Debug)]
pub(crate) struct Listener {
    digest: Arc<Mutex<Digest>>,
    _task: AbortOnDropHandle<()>,
}

impl Listener {
    /// Subscribes to `subjects`. A subject that is denied is told by the connection's signals,
    /// not here.
    pub(crate) async fn start(client: &Client, subjects: Vec<String>, clock: SharedClock) -> Self {
        let mut heard: SelectAll<Subscriber> = SelectAll::new();
        for subject in subjects {
            if let Ok(subscriber) = client.subscribe(subject).await {
                heard.push(subscriber);
            }
        }
        let digest = Arc::new(Mutex::new(Digest::default()));
        let filled = digest.clone();
        let task = tokio::spawn(async move {
            while let Some(message) = heard.next().await {
                let Some(event) = wire::parse(&message.subject, &message.payload) else {
                    continue;
                };
                let now = clock.now();
                let mut digest = filled.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(at) = event.at {
                    digest.compare(at.duration_since(now.at).as_secs_f64(), now.mono);
                }
                digest.add(event);
            }
        });
        Self {
            digest,
            _task: AbortOnDropHandle::new(task),
        }
    }

    /// What was heard since the last call.
    pub(crate) fn take(&self) -> Vec<Advisory> {
        self.digest.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The server's clock minus ours in seconds, at least, from advisories of the last minute.
    pub(crate) fn skew(&self, now: Duration) -> Option<f64> {
        let digest = self.digest.lock().unwrap_or_else(PoisonError::into_inner);
        digest
            .skew
            .filter(|(_, at)| now.saturating_sub(*at) < SKEW_FOR)
            .map(|(skew, _)| skew)
    }
}

//! What one cycle reads, and what is known for it: the profile's own streams and the rows on
//! screen always, everything else only on a small server and only within the budget.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::queue::{Errand, Names, Outcome};
use crate::config::Pipeline;
use crate::sample::{AccountReading, ConsumerReading, Interest, Scope};

/// Streams and consumers up to which a server is small: everything on it is read every second.
const SMALL: (u64, u64) = (64, 256);

/// Consumers of a followed stream up to which all of them are read.
const FOLLOWED_ALL: u64 = 64;

/// Requests that a cycle spends on streams that nobody asked for.
const SPARE_REQUESTS: u64 = 512;

/// How long a stream that did not answer is left alone, unless it is followed.
const REST: Duration = Duration::from_secs(10);

/// How long a list of consumers is believed while their number stays the same.
const NAMES_FOR: Duration = Duration::from_secs(15);

/// How long the list of streams is believed while their number stays the same.
const STREAMS_FOR: Duration = Duration::from_secs(15);

/// Consumers remembered per stream at most.
const REMEMBERED: usize = 256;

/// What is known of a stream between cycles.
#[derive(Debug, Default)]
struct Known {
    /// Its consumers' names, when they were read, and how many there were then.
    names: Option<(Names, Duration, u64)>,
    /// Its consumers at the last reading.
    consumers: Option<u64>,
    /// Consumers that should stay: durable ones, and the followed one.
    remembered: BTreeSet<Arc<str>>,
    /// When it was last read.
    read: Option<Duration>,
    /// Until when it is left alone.
    rests_until: Option<Duration>,
}

/// What is known between cycles.
#[derive(Debug)]
pub(crate) struct Plan {
    pipeline: Pipeline,
    streams: BTreeMap<Arc<str>, Known>,
    /// When the streams were listed, and how many the account had then.
    listed: Option<(Duration, Option<u64>)>,
    account: Option<(u64, u64)>,
}

impl Plan {
    pub(crate) fn new(pipeline: Pipeline) -> Self {
        Self {
            pipeline,
            streams: BTreeMap::new(),
            listed: None,
            account: None,
        }
    }

    /// The stream that is followed.
    pub(crate) fn followed(&self) -> Option<&Arc<str>> {
        self.pipeline.stream.as_ref()
    }

    /// The dead letter stream.
    pub(crate) fn dlq(&self) -> Option<&Arc<str>> {
        self.pipeline.dlq.as_ref()
    }

    /// Whether this consumer's ages are wanted at the quick pace: the configured one, or every
    /// one of the followed stream.
    pub(crate) fn is_followed(&self, consumer: &ConsumerReading) -> bool {
        self.pipeline.stream.as_ref() == Some(&consumer.stream)
            && self
                .pipeline
                .consumer
                .as_ref()
                .is_none_or(|name| *name == consumer.name)
    }

    /// The names of all streams, as far as they were listed.
    pub(crate) fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.streams.keys()
    }

    /// Whether the streams must be listed now.
    pub(crate) fn wants_names(&self, now: Duration) -> bool {
        self.listed.is_none_or(|(at, count)| {
            let changed = matches!((self.account, count), (Some((streams, _)), Some(then)) if streams != then);
            changed || now.saturating_sub(at) >= STREAMS_FOR
        })
    }

    /// Takes the account's numbers in.
    pub(crate) fn learn_account(&mut self, account: &AccountReading) {
        self.account = Some((account.streams, account.consumers));
    }

    /// Takes a list of all streams in: those that are not on it are forgotten.
    pub(crate) fn learn_names(&mut self, names: Vec<Arc<str>>, now: Duration) {
        self.listed = Some((now, self.account.map(|(streams, _)| streams)));
        let mut old = std::mem::take(&mut self.streams);
        for name in names {
            let known = old.remove(&name).unwrap_or_default();
            self.streams.insert(name, known);
        }
        // What the profile names is remembered also while it is away.
        for name in [&self.pipeline.stream, &self.pipeline.dlq].into_iter().flatten() {
            if let Some(known) = old.remove(name) {
                self.streams.insert(name.clone(), known);
            }
        }
    }

    /// Whether everything can be read every second.
    fn is_small(&self) -> bool {
        let listed = self.streams.len() as u64;
        let counted: u64 = self.streams.values().filter_map(|known| known.consumers).sum();
        let (streams, consumers) = self.account.unwrap_or((listed, counted));
        streams.max(listed) <= SMALL.0 && consumers <= SMALL.1
    }

    /// What is read in any case: the followed stream, the dead letters, the rows on screen.
    pub(crate) fn wanted(&self, interest: &Interest, now: Duration) -> Vec<Errand> {
        let mut errands: Vec<Errand> = Vec::new();
        for stream in [&self.pipeline.stream, &self.pipeline.dlq].into_iter().flatten() {
            if !errands.iter().any(|errand| errand.stream == *stream) {
                errands.push(self.errand(stream, FOLLOWED_ALL, now));
            }
        }
        if let Scope::Rows(rows) = &interest.queues {
            for row in rows {
                let at = errands
                    .iter()
                    .position(|errand| errand.stream == row.stream)
                    .or_else(|| {
                        (!self.rests(&row.stream, now)).then(|| {
                            errands.push(self.errand(&row.stream, 0, now));
                            errands.len() - 1
                        })
                    });
                if let Some(at) = at
                    && !row.consumer.is_empty()
                {
                    errands[at].named.insert(row.consumer.clone());
                }
            }
        }
        if self.is_small() {
            for errand in &mut errands {
                errand.all_up_to = SMALL.1;
            }
        }
        errands
    }

    /// What is read besides, on a small server: the longest unread first, within the budget.
    pub(crate) fn spare(&self, already: &BTreeSet<Arc<str>>, now: Duration) -> Vec<Errand> {
        if !self.is_small() {
            return Vec::new();
        }
        let mut others: Vec<(Option<Duration>, &Arc<str>, u64)> = self
            .streams
            .iter()
            .filter(|(name, _)| !already.contains(*name) && !self.rests(name, now))
            .map(|(name, known)| (known.read, name, known.consumers.unwrap_or(1)))
            .collect();
        others.sort_unstable();
        let mut budget = SPARE_REQUESTS;
        others
            .into_iter()
            .take_while(|(_, _, consumers)| {
                let cost = 2 + consumers;
                let fits = cost <= budget;
                budget = budget.saturating_sub(cost);
                fits
            })
            .map(|(_, name, _)| self.errand(name, SMALL.1, now))
            .collect()
    }

    fn rests(&self, stream: &Arc<str>, now: Duration) -> bool {
        let until = self.streams.get(stream).and_then(|known| known.rests_until);
        until.is_some_and(|until| now < until)
    }

    fn errand(&self, stream: &Arc<str>, all_up_to: u64, now: Duration) -> Errand {
        let known = self.streams.get(stream);
        let mut named = BTreeSet::new();
        if self.pipeline.stream.as_ref() == Some(stream) {
            named.extend(self.pipeline.consumer.clone());
        }
        Errand {
            stream: stream.clone(),
            all_up_to,
            named,
            names: known
                .and_then(|known| known.names.as_ref())
                .filter(|(_, at, _)| now.saturating_sub(*at) < NAMES_FOR)
                .map(|(names, _, count)| (names.clone(), *count)),
            remembered: known.map(|known| known.remembered.clone()).unwrap_or_default(),
        }
    }

    /// Takes what a stream's reading brought in.
    pub(crate) fn learn(&mut self, outcome: &Outcome, now: Duration) {
        let followed = self.pipeline.stream.as_ref() == Some(&outcome.stream);
        let known = self.streams.entry(outcome.stream.clone()).or_default();
        known.read = Some(now);
        let reading = match &outcome.reading {
            Ok(reading) => reading,
            Err(error) => {
                known.rests_until = (!error.is_missing_stream()).then(|| now + REST);
                return;
            }
        };
        known.rests_until = None;
        known.consumers = Some(reading.consumers_total);
        if let Some((names, count)) = &outcome.names {
            known.names = Some((names.clone(), now, *count));
        }
        if outcome.gone {
            known.names = None;
        }
        let only = followed && reading.consumers_total == 1;
        for consumer in &reading.consumers {
            if (consumer.config.durable || only) && known.remembered.len() < REMEMBERED {
                known.remembered.insert(consumer.name.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::ConsumerKey;

    const NOW: Duration = Duration::from_secs(100);

    fn plan(stream: Option<&str>, consumer: Option<&str>, dlq: Option<&str>) -> Plan {
        Plan::new(Pipeline {
            stream: stream.map(Arc::from),
            consumer: consumer.map(Arc::from),
            dlq: dlq.map(Arc::from),
        })
    }

    fn account(streams: u64, consumers: u64) -> AccountReading {
        AccountReading {
            streams,
            consumers,
            ..AccountReading::default()
        }
    }

    fn names(count: usize) -> Vec<Arc<str>> {
        (0..count).map(|i| format!("s{i:04}").into()).collect()
    }

    fn rows(rows: &[(&str, &str)]) -> Interest {
        Interest {
            queues: Scope::Rows(
                rows.iter()
                    .map(|(stream, consumer)| ConsumerKey {
                        stream: (*stream).into(),
                        consumer: (*consumer).into(),
                    })
                    .collect(),
            ),
            subjects: None,
        }
    }

    #[test]
    fn a_small_server_is_read_whole() {
        let mut plan = plan(Some("s0000"), None, Some("s0001"));
        plan.learn_account(&account(64, 256));
        plan.learn_names(names(64), NOW);
        let wanted = plan.wanted(&Interest::default(), NOW);
        assert_eq!(wanted.len(), 2);
        assert!(wanted.iter().all(|errand| errand.all_up_to == SMALL.1));
        let already = wanted.iter().map(|errand| errand.stream.clone()).collect();
        assert_eq!(plan.spare(&already, NOW).len(), 62);
    }

    #[test]
    fn on_a_large_server_only_the_profile_and_the_rows_on_screen_are_read() {
        let mut plan = plan(Some("s0000"), Some("workers"), None);
        plan.learn_account(&account(300, 1_000));
        plan.learn_names(names(300), NOW);
        let wanted = plan.wanted(
            &rows(&[("s0007", "a"), ("s0007", "b"), ("s0009", ""), ("s0000", "x")]),
            NOW,
        );
        let streams: Vec<&str> = wanted.iter().map(|errand| &*errand.stream).collect();
        assert_eq!(streams, ["s0000", "s0007", "s0009"]);
        assert_eq!(wanted[0].named, ["workers".into(), "x".into()].into());
        assert_eq!(wanted[1].named, ["a".into(), "b".into()].into());
        assert!(wanted[2].named.is_empty());
        assert!(plan.spare(&BTreeSet::new(), NOW).is_empty());
    }

    #[test]
    fn without_an_account_answer_the_lists_decide_what_is_small() {
        let mut plan = plan(None, None, None);
        plan.learn_names(names(65), NOW);
        assert!(plan.spare(&BTreeSet::new(), NOW).is_empty());
        plan.learn_names(names(10), NOW);
        assert_eq!(plan.spare(&BTreeSet::new(), NOW).len(), 10);
    }

    #[test]
    fn the_budget_bounds_a_cycle_and_the_longest_unread_come_first() {
        let mut plan = plan(None, None, None);
        plan.learn_account(&account(64, 256));
        plan.learn_names(names(64), NOW);
        for (i, known) in plan.streams.values_mut().enumerate() {
            known.consumers = Some(20);
            known.read = Some(Duration::from_secs(i as u64 % 2));
        }
        let spare = plan.spare(&BTreeSet::new(), NOW);
        assert_eq!(spare.len(), 23, "512 requests at 22 each");
        assert_eq!(&*spare[0].stream, "s0000");
        assert_eq!(&*spare[1].stream, "s0002");
    }

    #[test]
    fn a_stream_that_did_not_answer_rests_unless_it_is_followed() {
        let mut plan = plan(Some("s0000"), None, None);
        plan.learn_account(&account(3, 0));
        plan.learn_names(names(3), NOW);
        for stream in ["s0000", "s0001"] {
            plan.learn(
                &Outcome {
                    stream: stream.into(),
                    reading: Err(super::super::api::ApiError::TimedOut(Duration::from_secs(2))),
                    names: None,
                    names_error: None,
                    failed: Vec::new(),
                    gone: false,
                },
                NOW,
            );
        }
        let now = NOW + Duration::from_secs(1);
        assert_eq!(plan.wanted(&Interest::default(), now).len(), 1);
        let already = BTreeSet::from(["s0000".into()]);
        assert_eq!(plan.spare(&already, now).len(), 1);
        assert_eq!(plan.spare(&already, NOW + REST).len(), 2);
    }

    #[test]
    fn streams_are_listed_again_when_their_number_changes_and_now_and_then() {
        let mut plan = plan(None, None, None);
        assert!(plan.wants_names(NOW));
        plan.learn_account(&account(3, 0));
        plan.learn_names(names(3), NOW);
        assert!(!plan.wants_names(NOW));
        assert!(plan.wants_names(NOW + STREAMS_FOR));
        plan.learn_account(&account(4, 0));
        assert!(plan.wants_names(NOW));
    }

    #[test]
    fn a_deleted_stream_is_forgotten_unless_the_profile_names_it() {
        let mut plan = plan(Some("s0000"), None, None);
        plan.learn_names(names(3), NOW);
        plan.streams
            .get_mut("s0000")
            .unwrap()
            .remembered
            .insert("workers".into());
        plan.learn_names(vec!["s0002".into()], NOW);
        let left: Vec<&str> = plan.names().map(|name| &**name).collect();
        assert_eq!(left, ["s0000", "s0002"]);
        assert!(plan.wanted(&Interest::default(), NOW)[0].remembered.contains("workers"));
    }
}

//! The table of rules. Ids are part of the JSON contract. Root causes stand before symptoms:
//! among verdicts equally severe, that is the order on screen.

mod database;
mod delivery;
mod ledger;
mod process;
mod provider;
mod queue;
mod stream;

use std::sync::Arc;
use std::time::Duration;

pub(super) use queue::{is_stalled, nobody_pulls};

use super::facts::{ConsumerFacts, Facts};
use super::mute::Rates;
use super::words::Words;
use super::{Finding, Rule, Stage};
use crate::base::text;

/// Characters of a consumer's name in a sentence.
const SUBJECT: usize = 80;

/// A cause whose verdict hides another.
pub(super) struct Link {
    pub(super) cause: &'static str,
    pub(super) symptom: &'static str,
    pub(super) reach: Reach,
}

/// Which subjects of a symptom a cause is the cause of. What goes wrong with one queue says nothing
/// of the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// All.
    All,
    /// The same one.
    Same,
    /// What is about a stream, or a consumer of it; all, where a whole server is the cause.
    Stream,
    /// The workers of a consumer: of the followed one all, else the one that it is named after.
    Crew,
}

const fn link(cause: &'static str, symptom: &'static str) -> Link {
    Link {
        cause,
        symptom,
        reach: Reach::All,
    }
}

const fn within(cause: &'static str, symptom: &'static str, reach: Reach) -> Link {
    Link { cause, symptom, reach }
}

/// Which verdict hides which.
pub(super) const SYMPTOMS: &[Link] = &[
    within("leader_lost", "storage_full", Reach::Stream),
    link("leader_lost", "error_rate"),
    within("leader_lost", "no_workers", Reach::Stream),
    within("leader_lost", "stalled", Reach::Stream),
    within("leader_lost", "backlog_growing", Reach::Stream),
    link("leader_lost", "provider_silent"),
    link("leader_lost", "slow_webhook"),
    link("leader_lost", "canary_failed"),
    link("leader_lost", "probe_failing"),
    link("database_down", "database_slow"),
    link("database_down", "breaker_open"),
    link("database_down", "no_workers"),
    link("database_down", "stalled"),
    link("database_down", "backlog_growing"),
    link("database_down", "saturated"),
    link("database_down", "probe_failing"),
    link("database_slow", "breaker_open"),
    link("database_slow", "no_workers"),
    link("database_slow", "stalled"),
    link("database_slow", "backlog_growing"),
    link("database_slow", "saturated"),
    link("breaker_open", "saturated"),
    link("breaker_open", "no_workers"),
    link("breaker_open", "stalled"),
    link("breaker_open", "backlog_growing"),
    within("consumer_missing", "no_workers", Reach::Same),
    within("consumer_missing", "stalled", Reach::Same),
    within("consumer_missing", "backlog_growing", Reach::Same),
    within("consumer_missing", "redelivery_storm", Reach::Same),
    within("no_workers", "worker_inactive", Reach::Crew),
    within("no_workers", "stalled", Reach::Same),
    within("no_workers", "backlog_growing", Reach::Same),
    within("stalled", "backlog_growing", Reach::Same),
    link("storage_full", "error_rate"),
    within("storage_full", "limit_eviction", Reach::Same),
    link("loss", "sources_disagree"),
    within("signature_failures", "error_rate", Reach::Same),
];

const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// Every rule.
pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "loss",
        hold: seconds(0),
        clear_after: seconds(0),
        rates: Some(Rates::Ledger),
        lasting: true,
        find: ledger::loss,
    },
    Rule {
        id: "leader_lost",
        hold: seconds(2),
        clear_after: seconds(3),
        rates: None,
        lasting: false,
        find: stream::leader_lost,
    },
    Rule {
        id: "database_down",
        hold: seconds(0),
        clear_after: seconds(0),
        rates: None,
        lasting: false,
        find: database::database_down,
    },
    Rule {
        id: "database_slow",
        hold: seconds(0),
        clear_after: seconds(0),
        rates: None,
        lasting: false,
        find: database::database_slow,
    },
    Rule {
        id: "breaker_open",
        hold: seconds(0),
        clear_after: seconds(0),
        rates: None,
        lasting: false,
        find: database::breaker_open,
    },
    Rule {
        id: "consumer_missing",
        hold: seconds(0),
        clear_after: seconds(0),
        rates: None,
        lasting: false,
        find: queue::consumer_missing,
    },
    Rule {
        id: "no_workers",
        hold: seconds(0),
        clear_after: seconds(0),
        rates: None,
        lasting: false,
        find: queue::no_workers,
    },
    Rule {
        id: "storage_full",
        hold: seconds(0),
        clear_after: seconds(3),
        rates: None,
        lasting: false,
        find: stream::storage_full,
    },
    Rule {
        id: "limit_eviction",
        hold: seconds(5),
        clear_after: seconds(5),
        rates: Some(Rates::Queues),
        lasting: false,
        find: stream::limit_eviction,
    },
    Rule {
        id: "saturated",
        hold: seconds(5),
        clear_after: seconds(0),
        rates: None,
        lasting: false,
        find: queue::saturated,
    },
    Rule {
        id: "stalled",
        hold: seconds(0),
        clear_after: seconds(0),
        rates: Some(Rates::Queues),
        lasting: false,
        find: queue::stalled,
    },
    Rule {
        id: "backlog_growing",
        hold: seconds(0),
        clear_after: seconds(15),
        rates: Some(Rates::Queues),
        lasting: false,
        find: queue::backlog_growing,
    },
    Rule {
        id: "parked_messages",
        hold: seconds(0),
        clear_after: seconds(0),
        rates: None,
        lasting: false,
        find: queue::parked_messages,
    },
    Rule {
        id: "unmatched_messages",
        hold: seconds(0),
        clear_after: seconds(0),
        rates: None,
        lasting: false,
        find: delivery::unmatched_messages,
    },
    Rule {
        id: "redelivery_storm",
        hold: seconds(5),
        clear_after: seconds(30),
        rates: Some(Rates::Queues),
        lasting: false,
        find: delivery::redelivery_storm,
    },
    Rule {
        id: "metadata_threshold",
        hold: seconds(2),
        clear_after: seconds(5),
        rates: None,
        lasting: false,
        find: queue::metadata_threshold,
    },
    Rule {
        id: "worker_inactive",
        hold: seconds(0),
        clear_after: seconds(0),
        rates: None,
        lasting: false,
        find: process::worker_inactive,
    },
    Rule {
        id: "signature_failures",
        hold: seconds(0),
        clear_after: seconds(60),
        rates: Some(Rates::Answers),
        lasting: false,
        find: process::signature_failures,
    },
    Rule {
        id: "error_rate",
        // Long enough for what takes the stream away to be known first.
        hold: seconds(4),
        clear_after: seconds(30),
        rates: Some(Rates::Answers),
        lasting: false,
        find: process::error_rate,
    },
    Rule {
        id: "slow_webhook",
        hold: seconds(5),
        clear_after: seconds(30),
        rates: Some(Rates::Answers),
        lasting: false,
        find: provider::slow_webhook,
    },
    Rule {
        id: "provider_silent",
        hold: seconds(0),
        clear_after: seconds(0),
        rates: None,
        lasting: false,
        find: provider::provider_silent,
    },
    Rule {
        id: "canary_failed",
        hold: seconds(0),
        clear_after: seconds(0),
        rates: None,
        lasting: false,
        find: process::canary_failed,
    },
    Rule {
        id: "probe_failing",
        hold: seconds(0),
        clear_after: seconds(0),
        rates: None,
        lasting: false,
        find: process::probe_failing,
    },
    Rule {
        id: "scrape_failing",
        hold: seconds(0),
        clear_after: seconds(0),
        rates: None,
        lasting: false,
        find: process::scrape_failing,
    },
    Rule {
        id: "sources_disagree",
        hold: seconds(0),
        clear_after: seconds(0),
        rates: Some(Rates::Ledger),
        lasting: false,
        find: ledger::sources_disagree,
    },
    Rule {
        id: "counter_reset",
        hold: seconds(0),
        clear_after: seconds(0),
        rates: None,
        lasting: false,
        find: process::counter_reset,
    },
];

impl Finding {
    fn new(subject: Option<Arc<str>>, stage: Stage, words: impl FnOnce() -> Words) -> Self {
        Self {
            subject,
            stage,
            words: (stage == Stage::Trigger).then(words),
        }
    }

    /// Names the consumer that it is about, where that is not the one that everything is about.
    fn of_consumer(mut self, consumer: &ConsumerFacts) -> Self {
        if let Some(words) = self.words.as_mut().filter(|_| !consumer.followed) {
            let name = text::safe(&consumer.subject);
            words.text = format!("{}: {}", text::cut(&name, SUBJECT), words.text);
        }
        self
    }

    /// Nothing new is known: what was said before stands.
    fn between(subject: Option<Arc<str>>) -> Self {
        Self {
            subject,
            stage: Stage::Between,
            words: None,
        }
    }
}

/// The stage of a rule with one condition to trigger and one to clear.
fn stage(triggers: bool, clears: bool) -> Stage {
    if triggers {
        Stage::Trigger
    } else if clears {
        Stage::Clear
    } else {
        Stage::Between
    }
}

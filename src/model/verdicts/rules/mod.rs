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

use super::facts::Facts;
use super::words::Words;
use super::{Finding, Rule, Stage};

/// A cause whose verdict hides another.
pub(super) struct Link {
    pub(super) cause: &'static str,
    pub(super) symptom: &'static str,
    /// Only where both are about the same subject.
    pub(super) same_subject: bool,
}

const fn link(cause: &'static str, symptom: &'static str) -> Link {
    Link {
        cause,
        symptom,
        same_subject: false,
    }
}

/// Which verdict hides which.
pub(super) const SYMPTOMS: &[Link] = &[
    link("leader_lost", "storage_full"),
    link("leader_lost", "error_rate"),
    link("leader_lost", "no_workers"),
    link("leader_lost", "stalled"),
    link("leader_lost", "backlog_growing"),
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
    link("consumer_missing", "no_workers"),
    link("consumer_missing", "stalled"),
    link("consumer_missing", "backlog_growing"),
    link("consumer_missing", "redelivery_storm"),
    link("no_workers", "worker_inactive"),
    link("no_workers", "stalled"),
    link("no_workers", "backlog_growing"),
    link("stalled", "backlog_growing"),
    link("storage_full", "error_rate"),
    link("storage_full", "limit_eviction"),
    link("loss", "sources_disagree"),
    Link {
        cause: "signature_failures",
        symptom: "error_rate",
        same_subject: true,
    },
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
        rates: true,
        lasting: true,
        find: ledger::loss,
    },
    Rule {
        id: "leader_lost",
        hold: seconds(2),
        clear_after: seconds(3),
        rates: false,
        lasting: false,
        find: stream::leader_lost,
    },
    Rule {
        id: "database_down",
        hold: seconds(0),
        clear_after: seconds(0),
        rates: false,
        lasting: false,
        find: database::database_down,
    },
    Rule {
        id: "database_slow",
        hold: seconds(0),
        clear_after: seconds(0),
        rates: false,
        lasting: false,
        find: database::database_slow,
    },
    Rule {
        id: "breaker_open",
        hold: seconds(0),
        clear_after: seconds(0),
        rates: false,
        lasting: false,
        find: database::breaker_open,
    },
    Rule {
        id: "consumer_missing",
        hold: seconds(0),
        clear_after: seconds(0),
        rates: false,
        lasting: false,
        find: queue::consumer_missing,
    },
    Rule {
        id: "no_workers",
        hold: seconds(0),
        clear_after: seconds(0),
        rates: false,
        lasting: false,
        find: queue::no_workers,
    },
    Rule {
        id: "storage_full",
        hold: seconds(0),
        clear_after: seconds(3),
        rates: false,
        lasting: false,
        find: stream::storage_full,
    },
    Rule {
        id: "limit_eviction",
        hold: seconds(5),
        clear_after: seconds(5),
        rates: true,
        lasting: false,
        find: stream::limit_eviction,
    },
    Rule {
        id: "saturated",
        hold: seconds(5),
        clear_after: seconds(0),
        rates: false,
        lasting: false,
        find: queue::saturated,
    },
    Rule {
        id: "stalled",
        hold: seconds(0),
        clear_after: seconds(0),
        rates: true,
        lasting: false,
        find: queue::stalled,
    },
    Rule {
        id: "backlog_growing",
        hold: seconds(0),
        clear_after: seconds(15),
        rates: true,
        lasting: false,
        find: queue::backlog_growing,
    },
    Rule {
        id: "parked_messages",
        hold: seconds(0),
        clear_after: seconds(0),
        rates: false,
        lasting: false,
        find: queue::parked_messages,
    },
    Rule {
        id: "unmatched_messages",
        hold: seconds(0),
        clear_after: seconds(0),
        rates: false,
        lasting: false,
        find: delivery::unmatched_messages,
    },
    Rule {
        id: "redelivery_storm",
        hold: seconds(5),
        clear_after: seconds(30),
        rates: true,
        lasting: false,
        find: delivery::redelivery_storm,
    },
    Rule {
        id: "metadata_threshold",
        hold: seconds(2),
        clear_after: seconds(5),
        rates: false,
        lasting: false,
        find: queue::metadata_threshold,
    },
    Rule {
        id: "worker_inactive",
        hold: seconds(0),
        clear_after: seconds(0),
        rates: false,
        lasting: false,
        find: process::worker_inactive,
    },
    Rule {
        id: "signature_failures",
        hold: seconds(0),
        clear_after: seconds(60),
        rates: true,
        lasting: false,
        find: process::signature_failures,
    },
    Rule {
        id: "error_rate",
        // Long enough for what takes the stream away to be known first.
        hold: seconds(4),
        clear_after: seconds(30),
        rates: true,
        lasting: false,
        find: process::error_rate,
    },
    Rule {
        id: "slow_webhook",
        hold: seconds(5),
        clear_after: seconds(30),
        rates: true,
        lasting: false,
        find: provider::slow_webhook,
    },
    Rule {
        id: "provider_silent",
        hold: seconds(0),
        clear_after: seconds(0),
        rates: false,
        lasting: false,
        find: provider::provider_silent,
    },
    Rule {
        id: "canary_failed",
        hold: seconds(0),
        clear_after: seconds(0),
        rates: false,
        lasting: false,
        find: process::canary_failed,
    },
    Rule {
        id: "probe_failing",
        hold: seconds(0),
        clear_after: seconds(0),
        rates: false,
        lasting: false,
        find: process::probe_failing,
    },
    Rule {
        id: "scrape_failing",
        hold: seconds(0),
        clear_after: seconds(0),
        rates: false,
        lasting: false,
        find: process::scrape_failing,
    },
    Rule {
        id: "sources_disagree",
        hold: seconds(0),
        clear_after: seconds(0),
        rates: true,
        lasting: false,
        find: ledger::sources_disagree,
    },
    Rule {
        id: "counter_reset",
        hold: seconds(0),
        clear_after: seconds(0),
        rates: false,
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

//! A configuration in plain words, with what is unwise about it.

use std::time::Duration;

use crate::base::text;
use crate::console::theme::Role;
use crate::model::Queue;
use crate::sample::{ConsumerConfig, Discard, Retention, StreamConfig};

/// One fact: what it is about, in plain words, and whether to look at it.
pub(super) type Fact = (&'static str, String, Role);

/// An `ack_wait` below this cannot be meant: no worker answers that fast, seconds.
const QUICKEST: Duration = Duration::from_millis(100);

/// Everything about a queue's stream and consumer.
pub(super) fn facts(queue: &Queue) -> Vec<Fact> {
    let mut facts = queue.consumer_config.as_deref().map_or_else(Vec::new, consumer);
    facts.extend(stream(&queue.stream_config));
    // What is unwise about it stands first.
    facts.sort_by_key(|(_, _, role)| match role {
        Role::Critical => 0,
        Role::Warning => 1,
        _ => 2,
    });
    facts
}

fn count(value: Option<u64>, unlimited: &str) -> String {
    value.map_or_else(|| unlimited.to_owned(), text::count)
}

fn stream(config: &StreamConfig) -> Vec<Fact> {
    let retention = match config.retention {
        Retention::Limits => "messages stay until a limit",
        Retention::Interest => "messages go when every consumer has acked them",
        Retention::Workqueue => "messages go when they are acked",
    };
    let limited = config.max_msgs.is_some() || config.max_bytes.is_some();
    let discard = match (config.discard, limited) {
        (Discard::Old, true) => ("the oldest messages are evicted, silently", Role::Warning),
        (Discard::Old, false) => ("nothing: there is no limit of messages or bytes", Role::Text),
        (Discard::New, _) => ("new messages are refused", Role::Text),
    };
    let replicas = match config.replicas {
        0 | 1 => "1: gone with its server".to_owned(),
        more => format!("{more}"),
    };
    let mut facts = vec![
        ("subjects", config.subjects.join(", "), Role::Text),
        ("retention", retention.to_owned(), Role::Text),
        ("messages at most", count(config.max_msgs, "unlimited"), Role::Text),
        (
            "bytes at most",
            config.max_bytes.map_or_else(|| "unlimited".to_owned(), text::bytes),
            Role::Text,
        ),
        (
            "age at most",
            config.max_age.map_or_else(|| "unlimited".to_owned(), text::duration),
            Role::Text,
        ),
        ("at a limit", discard.0.to_owned(), discard.1),
        (
            "duplicates",
            format!("dropped within {}", text::duration(config.duplicate_window)),
            Role::Text,
        ),
        ("storage", config.storage.clone(), Role::Text),
        ("replicas", replicas, Role::Text),
    ];
    if let Some(limit) = config.max_msgs_per_subject {
        facts.push((
            "per subject",
            format!("{} messages at most", text::count(limit)),
            Role::Text,
        ));
    }
    if let Some(mirror) = &config.mirror {
        facts.push(("mirrors", mirror.clone(), Role::Text));
    }
    if config.sealed {
        facts.push(("sealed", "nothing can be added or deleted".to_owned(), Role::Warning));
    }
    facts
}

fn consumer(config: &ConsumerConfig) -> Vec<Fact> {
    let wait = text::duration(config.ack_wait);
    let ack_wait = if config.ack_wait < QUICKEST {
        (
            format!("{wait}: delivered again before any worker can answer; was a number of seconds meant?"),
            Role::Critical,
        )
    } else {
        (format!("{wait}, then delivered again"), Role::Text)
    };
    let deliver = match config.max_deliver {
        None => ("without end".to_owned(), Role::Text),
        Some(most) => (format!("at most {} times, then parked", text::count(most)), Role::Text),
    };
    let kind = match (config.push, config.durable) {
        (true, _) => "push: the server sends",
        (false, true) => "pull, durable: outlives its workers",
        (false, false) => "pull, ephemeral: goes with its workers",
    };
    let filter = if config.filter_subjects.is_empty() {
        "everything".to_owned()
    } else {
        config.filter_subjects.join(", ")
    };
    let mut facts = vec![
        ("consumer", kind.to_owned(), Role::Text),
        ("takes", filter, Role::Text),
        ("acks", config.ack_policy.clone(), Role::Text),
        ("ack wait", ack_wait.0, ack_wait.1),
        ("delivered", deliver.0, deliver.1),
        (
            "unacked at most",
            count(config.max_ack_pending, "unlimited"),
            Role::Text,
        ),
        ("pulls at most", count(config.max_waiting, "unlimited"), Role::Text),
        ("begins with", config.deliver_policy.clone(), Role::Text),
    ];
    if !config.backoff.is_empty() {
        let waits: Vec<String> = config.backoff.iter().map(|wait| text::duration(*wait)).collect();
        facts.push(("retries after", waits.join(", "), Role::Text));
    }
    if let Some(until) = config.pause_until {
        facts.push(("paused until", until.to_string(), Role::Warning));
    }
    facts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ack_wait_of_30_us_is_printed_as_such_and_doubted() {
        let config = ConsumerConfig {
            ack_wait: Duration::from_micros(30),
            ..ConsumerConfig::default()
        };
        let facts = consumer(&config);
        let (_, text, role) = facts.iter().find(|(what, _, _)| *what == "ack wait").unwrap();
        assert!(text.starts_with("30 µs: "), "{text}");
        assert_eq!(*role, Role::Critical);
    }

    #[test]
    fn a_limit_that_evicts_is_said_to() {
        let config = StreamConfig {
            max_bytes: Some(1_000_000),
            ..StreamConfig::default()
        };
        let facts = stream(&config);
        assert!(
            facts
                .iter()
                .any(|(what, text, role)| *what == "at a limit" && text.contains("evicted") && *role == Role::Warning)
        );
    }
}

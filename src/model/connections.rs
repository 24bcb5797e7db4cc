//! Who is connected to NATS, and which worker that is.

use std::sync::Arc;
use std::time::Duration;

use super::sources::Stamp;
use crate::base::text;
use crate::base::time::{Moment, since};
use crate::sample::{Connection, ConnectionsReading};

/// How often the monitoring port is read.
pub(super) const PERIOD: Duration = Duration::from_secs(5);

/// The connections as they were last read.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Connections {
    read: Option<(Stamp, ConnectionsReading)>,
}

/// What the connections say of one worker.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Link {
    /// Whether it is connected; `None`: it cannot be told.
    pub(super) up: Option<bool>,
    /// When something last came or went, before now.
    pub(super) idle: Option<Duration>,
    pub(super) text: String,
}

impl Connections {
    pub(super) fn take(&mut self, stamp: &Stamp, reading: &ConnectionsReading) {
        self.read = Some((stamp.clone(), reading.clone()));
    }

    /// Forgets what cannot be read any more.
    pub(super) fn lose(&mut self) {
        self.read = None;
    }

    pub(super) fn stamp(&self) -> Option<&Stamp> {
        self.read.as_ref().map(|(stamp, _)| stamp)
    }

    /// Names of connections that call themselves workers, those that have ended lately too.
    pub(super) fn workers(&self) -> impl Iterator<Item = &Arc<str>> {
        let connections = self.read.iter().flat_map(|(_, reading)| &reading.connections);
        connections
            .map(|one| &one.name)
            .filter(|name| name.to_ascii_lowercase().contains("worker"))
    }

    /// What is known of a worker's connections; `None`: nobody reads them.
    pub(super) fn of(&self, worker: &str, now: Moment) -> Option<Link> {
        let (stamp, reading) = self.read.as_ref()?;
        let later = now.mono.saturating_sub(stamp.mono);
        let at = reading.now.unwrap_or(stamp.at);
        let own: Vec<&Connection> = reading
            .connections
            .iter()
            .filter(|one| is_of(&one.name, worker))
            .collect();
        let open: Vec<&&Connection> = own.iter().filter(|one| one.ended.is_none()).collect();
        if !open.is_empty() {
            let active = open.iter().filter_map(|one| one.last_activity).max();
            let idle = active.map(|active| since(active, at) + later);
            let mut text = match open.len() {
                1 => "1 connection".to_owned(),
                many => format!("{many} connections"),
            };
            if let Some(idle) = idle {
                text = format!("{text}, last active {} ago", text::duration(idle));
            }
            let waits: u64 = open.iter().map(|one| one.pending_bytes).sum();
            if waits > 0 {
                text = format!("{text}, {} wait to be read", text::bytes(waits));
            }
            return Some(Link {
                up: Some(true),
                idle,
                text,
            });
        }
        if let Some(last) = own.iter().max_by_key(|one| one.ended) {
            let ago = last.ended.map(|ended| since(ended, at) + later);
            let reason = last.reason.as_deref().unwrap_or("no reason told");
            return Some(Link {
                up: Some(false),
                idle: ago,
                text: format!(
                    "its connection ended {} ago: {reason}",
                    ago.map_or_else(|| text::UNKNOWN.to_owned(), text::duration)
                ),
            });
        }
        let unnamed = reading.unnamed;
        let (up, text) = match (unnamed, reading.left_out) {
            (0, 0) => (Some(false), "no connection of it".to_owned()),
            (0, more) => (
                None,
                format!("no connection of it among those read, {} left out", text::count(more)),
            ),
            (1, _) => (None, "no connection of its name, and 1 without a name".to_owned()),
            (many, _) => (
                None,
                format!("no connection of its name, and {} without a name", text::count(many)),
            ),
        };
        Some(Link { up, idle: None, text })
    }
}

/// Whether a connection of this name is a worker's: `w-1`, `worker-w-1`, `hooks/w-1`.
pub(super) fn is_of(connection: &str, worker: &str) -> bool {
    connection
        .strip_suffix(worker)
        .is_some_and(|before| before.chars().next_back().is_none_or(|last| !last.is_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_a_workers_when_its_name_ends_in_the_workers() {
        for (connection, worker, is) in [
            ("w-1", "w-1", true),
            ("worker-worker-1", "worker-1", true),
            ("hooks w-1", "w-1", true),
            ("w-11", "w-1", false),
            ("aw-1", "w-1", false),
            ("publisher", "w-1", false),
        ] {
            assert_eq!(is_of(connection, worker), is, "{connection} {worker}");
        }
    }
}

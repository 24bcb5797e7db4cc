//! The server's monitoring port, where the profile names it: who is connected. Read beside the
//! cycles, so that a port that hangs delays nothing.

use std::sync::Arc;
use std::time::Duration;

use reqwest::StatusCode;
use serde::Deserialize;
use tokio::sync::oneshot;
use tokio_util::task::AbortOnDropHandle;

use crate::base::text;
use crate::base::time::{SharedClock, Timestamp, since};
use crate::config::{Discovery, Target, Tls};
use crate::observe::metrics::client::{ClientPool, Request};
use crate::observe::metrics::fault::{self, quote};
use crate::sample::{Connection, ConnectionsReading};

/// How often it is read, and how long an answer may take.
const PERIOD: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(2);

/// Connections asked for, and the largest answer, bytes.
const CONNECTIONS: u64 = 4_096;
const ANSWER: usize = 16 << 20;

/// Longest name and reason, in columns.
const NAME: usize = 120;

/// What has ended longer ago than this is no news any more.
const LATELY: Duration = Duration::from_mins(10);

type Answer = Result<ConnectionsReading, String>;

/// Asks now and then, and hands the answers over.
#[derive(Debug, Default)]
pub(super) struct Monitor {
    /// `None`: the profile names no monitoring port.
    url: Option<String>,
    request: Option<Arc<Request>>,
    running: Option<(oneshot::Receiver<Answer>, AbortOnDropHandle<()>)>,
    next: Duration,
}

impl Monitor {
    pub(super) fn new(url: Option<&str>) -> Self {
        Self {
            url: url.map(str::to_owned),
            ..Self::default()
        }
    }

    /// Asks when that is due. Returns why it cannot be asked at all.
    pub(super) fn begin(&mut self, clock: &SharedClock) -> Option<String> {
        let url = self.url.as_ref()?;
        let now = clock.now().mono;
        if self.running.is_some() || now < self.next {
            return None;
        }
        self.next = now + PERIOD;
        let request = match &self.request {
            Some(request) => request.clone(),
            None => match Request::accepting("application/json", &target(url), &mut ClientPool::default()) {
                Ok(request) => self.request.insert(Arc::new(request)).clone(),
                Err(error) => return Some(error.to_string()),
            },
        };
        let (sender, receiver) = oneshot::channel();
        let clock = clock.clone();
        let task = tokio::spawn(async move {
            let asked = tokio::time::timeout(TIMEOUT, ask(&request, &clock)).await;
            let answer = asked.unwrap_or_else(|_| Err(format!("no answer within {}", text::duration(TIMEOUT))));
            let answer = answer.map_err(|reason| format!("read {}: {reason}", request.shown));
            // Nobody listens any more when the source has ended meanwhile.
            let _ = sender.send(answer);
        });
        self.running = Some((receiver, AbortOnDropHandle::new(task)));
        None
    }

    /// An answer that has come.
    pub(super) fn take(&mut self) -> Option<Answer> {
        let (receiver, _) = self.running.as_mut()?;
        match receiver.try_recv() {
            Ok(answer) => {
                self.running = None;
                Some(answer)
            }
            Err(oneshot::error::TryRecvError::Empty) => None,
            Err(oneshot::error::TryRecvError::Closed) => {
                self.running = None;
                None
            }
        }
    }
}

fn target(url: &str) -> Target {
    Target {
        name: "monitoring".into(),
        url: format!("{}/connz?state=any&limit={CONNECTIONS}", url.trim_end_matches('/')),
        discovery: Discovery::One,
        auth: None,
        headers: Vec::new(),
        tls: Tls::default(),
        interval: PERIOD,
        timeout: TIMEOUT,
    }
}

async fn ask(request: &Request, clock: &SharedClock) -> Answer {
    let begun = clock.now().mono;
    let told = |error| {
        let (reason, next) = fault::transport(error, request.is_https());
        format!("{reason} → {next}")
    };
    let mut response = request.send().await.map_err(told)?;
    let status = response.status();
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(told)? {
        if body.len() + piece.len() > ANSWER {
            return Err(format!("its answer is larger than {}", text::bytes(ANSWER as u64)));
        }
        body.extend_from_slice(&piece);
    }
    if status != StatusCode::OK {
        return Err(format!(
            "{status}: {} → is this the server's monitoring port?",
            quote(&body)
        ));
    }
    let mut reading = read(&body).map_err(|error| {
        format!("its answer is no list of connections: {error} → is this the server's monitoring port?")
    })?;
    reading.took = clock.now().mono.saturating_sub(begun);
    Ok(reading)
}

#[derive(Deserialize)]
struct Page {
    now: Option<String>,
    #[serde(default)]
    total: u64,
    connections: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    #[serde(default)]
    name: String,
    start: Option<String>,
    last_activity: Option<String>,
    stop: Option<String>,
    reason: Option<String>,
    #[serde(default)]
    pending_bytes: u64,
    #[serde(default)]
    subscriptions: u64,
}

/// What a page says.
///
/// # Errors
/// When it is none.
pub(super) fn read(body: &[u8]) -> Result<ConnectionsReading, serde_json::Error> {
    let page: Page = serde_json::from_slice(body)?;
    let now = time(page.now.as_deref());
    let read = page.connections.len() as u64;
    let mut unnamed = 0;
    let mut connections = Vec::new();
    for row in page.connections {
        let ended = time(row.stop.as_deref());
        if row.name.trim().is_empty() {
            unnamed += u64::from(ended.is_none());
            continue;
        }
        if ended.zip(now).is_some_and(|(ended, now)| since(ended, now) > LATELY) {
            continue;
        }
        connections.push(Connection {
            name: short(&row.name).into(),
            started: time(row.start.as_deref()),
            last_activity: time(row.last_activity.as_deref()),
            ended,
            reason: row.reason.as_deref().map(short),
            pending_bytes: row.pending_bytes,
            subscriptions: row.subscriptions,
        });
    }
    Ok(ConnectionsReading {
        connections,
        unnamed,
        left_out: page.total.saturating_sub(read),
        now,
        took: Duration::ZERO,
    })
}

fn time(text: Option<&str>) -> Option<Timestamp> {
    text?.parse().ok()
}

fn short(text: &str) -> String {
    let end = text.floor_char_boundary(text.len().min(NAME * 8));
    text::cut(&text::safe(&text[..end]), NAME).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KILLED: &[u8] = include_bytes!("../../../tests/data/nats/publishing/11-worker2-killed.connz.json");
    const INBOUND: &[u8] = include_bytes!("../../../tests/data/nats/inbound/load-01.connz.json");

    #[test]
    fn captured_pages_name_who_is_connected_and_count_who_does_not_say() {
        let reading = read(KILLED).unwrap();
        let names: Vec<&str> = reading.connections.iter().map(|one| &*one.name).collect();
        assert_eq!(
            (names.as_slice(), reading.unnamed, reading.left_out),
            (["publisher", "publisher"].as_slice(), 1, 0)
        );
        let reading = read(INBOUND).unwrap();
        assert_eq!(&*reading.connections[0].name, "worker-worker-1");
        assert!(reading.connections[0].last_activity > reading.connections[0].started);
    }

    #[test]
    fn hostile_names_are_cut_and_wrong_pages_refused() {
        let page = serde_json::json!({"now": "2026-11-20T23:17:38Z", "total": 9, "connections": [
            {"name": format!("\u{1b}]0;x\u{202e}{}", "n".repeat(10_000)), "stop": null},
            {"name": "old", "stop": "2026-11-19T23:17:38Z", "reason": "Client Closed"},
            {"name": "late", "stop": "2026-11-20T23:17:08Z", "reason": "Stale Connection"}]});
        let reading = read(page.to_string().as_bytes()).unwrap();
        assert_eq!((reading.connections.len(), reading.left_out), (2, 6));
        let name = &reading.connections[0].name;
        assert!(text::width(name) <= NAME && text::safe(name) == **name);
        assert_eq!(reading.connections[1].reason.as_deref(), Some("Stale Connection"));
        for bad in [
            "",
            "[]",
            "{}",
            r#"{"connections":7}"#,
            r#"{"connections":[{"name":7}]}"#,
        ] {
            assert!(read(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}

//! Alarms for those who do not look at the screen: a command with JSON on its standard input, the
//! terminal's bell and its notifications.
//!
//! [`Alarms::note`] compares the verdicts with those that it knows, and never waits: the command
//! runs in a task of its own, one run after the other, each for a limited time, with a pause in
//! between. What comes faster than that waits in a queue; what does not fit is counted.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::base::text;
use crate::base::time::Timestamp;
use crate::config::{AlertLevel, Alerts};
use crate::model::{Severity, Verdict, View};

/// Alarms that may wait for the command.
const QUEUE: usize = 64;

/// How long the last runs may take when everything ends.
const FAREWELL: Duration = Duration::from_secs(15);

/// A verdict that was raised or is over, as the command gets it on standard input.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Alert {
    /// The version of hookwatch.
    pub hookwatch: &'static str,
    /// When.
    pub at: Timestamp,
    /// The profile.
    pub profile: Arc<str>,
    /// `raised` or `cleared`.
    pub event: &'static str,
    /// The verdict.
    pub verdict: Verdict,
    /// Alarms that were left out before this one, because the command is too slow for them.
    pub left_out: u64,
}

impl Alert {
    /// What the terminal is sent for it: the bell and a notification (OSC 9, and OSC 777 for the
    /// terminals that know only that), as configured. Empty when neither is, or when it cleared.
    #[must_use]
    pub fn terminal(&self, alerts: &Alerts) -> String {
        if self.event != "raised" {
            return String::new();
        }
        let mut out = String::new();
        if alerts.notify {
            // A `;` would begin another field of OSC 777.
            let said = text::safe(&self.verdict.text).replace(';', ",");
            let said = text::cut(&said, 120);
            let profile = text::safe(&self.profile).replace(';', ",");
            out = format!("\u{1b}]9;{profile}: {said}\u{1b}\\\u{1b}]777;notify;hookwatch {profile};{said}\u{1b}\\");
        }
        if alerts.bell {
            out.push('\u{7}');
        }
        out
    }
}

/// Tells which verdicts came and went, and runs the command for them.
#[derive(Debug)]
pub struct Alarms {
    alerts: Alerts,
    known: BTreeMap<(Arc<str>, Option<Arc<str>>), Verdict>,
    queue: Option<mpsc::Sender<Alert>>,
    task: Option<JoinHandle<Option<String>>>,
    left_out: u64,
}

impl Alarms {
    /// Alarms as configured. Without a command nothing is run.
    #[must_use]
    pub fn new(alerts: &Alerts) -> Self {
        let (queue, task) = if alerts.command.is_empty() {
            (None, None)
        } else {
            let (queue, waiting) = mpsc::channel(QUEUE);
            (Some(queue), Some(tokio::spawn(run_all(alerts.clone(), waiting))))
        };
        Self {
            alerts: alerts.clone(),
            known: BTreeMap::new(),
            queue,
            task,
            left_out: 0,
        }
    }

    /// Takes the verdicts of now in, runs the command for what changed, and returns what changed.
    /// What is hushed or not severe enough is neither raised nor cleared.
    pub fn note(&mut self, view: &View) -> Vec<Alert> {
        let least = match self.alerts.least {
            AlertLevel::Info => Severity::Info,
            AlertLevel::Warning => Severity::Warning,
            AlertLevel::Critical => Severity::Critical,
        };
        let mut found = Vec::new();
        let mut now = BTreeMap::new();
        for verdict in &view.verdicts {
            let key = (verdict.id.clone(), verdict.subject.clone());
            let heard = verdict.hush.is_none() && verdict.severity >= least;
            let known = self.known.remove(&key);
            let again = known.as_ref().is_some_and(|known| known.since == verdict.since);
            if heard && !again {
                found.push(self.alert(view, "raised", verdict.clone()));
            }
            if heard || known.is_some() {
                now.insert(key, verdict.clone());
            }
        }
        // Whoever acknowledged it need not hear that it is over.
        for verdict in std::mem::replace(&mut self.known, now).into_values() {
            if verdict.hush.is_none() {
                found.push(self.alert(view, "cleared", verdict));
            }
        }
        for alert in &found {
            self.enqueue(alert.clone());
        }
        found
    }

    /// What the terminal is sent for an alarm, as configured.
    #[must_use]
    pub fn terminal(&self, alert: &Alert) -> String {
        alert.terminal(&self.alerts)
    }

    fn alert(&self, view: &View, event: &'static str, verdict: Verdict) -> Alert {
        Alert {
            hookwatch: env!("CARGO_PKG_VERSION"),
            at: view.now.at,
            profile: view.profile.clone(),
            event,
            verdict,
            left_out: self.left_out,
        }
    }

    fn enqueue(&mut self, alert: Alert) {
        let Some(queue) = &self.queue else { return };
        let alert = Alert {
            left_out: self.left_out,
            ..alert
        };
        match queue.try_send(alert) {
            Ok(()) => self.left_out = 0,
            Err(_) => self.left_out += 1,
        }
    }

    /// Waits for the runs that are still to come, for a limited time. Returns why the last run
    /// that failed did.
    pub async fn finish(mut self) -> Option<String> {
        self.queue = None;
        let task = self.task.take()?;
        match tokio::time::timeout(FAREWELL, task).await {
            Ok(Ok(failed)) => failed,
            Ok(Err(error)) => Some(format!("on_alert: {error}")),
            Err(_) => Some("on_alert: still runs; not waited for any longer".to_owned()),
        }
    }
}

/// One run after the other. Returns why the last one that failed did.
async fn run_all(alerts: Alerts, mut waiting: mpsc::Receiver<Alert>) -> Option<String> {
    let mut failed = None;
    while let Some(alert) = waiting.recv().await {
        if let Err(error) = run(&alerts, &alert).await {
            tracing::warn!(%error, verdict = %alert.verdict.id, "on_alert");
            failed = Some(error);
        }
        if !waiting.is_closed() || !waiting.is_empty() {
            tokio::time::sleep(alerts.interval).await;
        }
    }
    failed
}

/// Runs the command once. It is killed when it takes too long.
async fn run(alerts: &Alerts, alert: &Alert) -> Result<(), String> {
    let Some((program, arguments)) = alerts.command.split_first() else {
        return Ok(());
    };
    let shown = text::safe(program).into_owned();
    let fail = |what: &str, error: &dyn std::fmt::Display| format!("on_alert: {what} {shown}: {error}");
    let mut input = serde_json::to_vec(alert).map_err(|error| fail("write JSON for", &error))?;
    input.push(b'\n');
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| fail("start", &error))?;
    let run = async {
        if let Some(mut stdin) = child.stdin.take() {
            // A command that does not read its input is fine.
            let _ = stdin.write_all(&input).await;
            let _ = stdin.shutdown().await;
        }
        child.wait().await
    };
    match tokio::time::timeout(alerts.timeout, run).await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(fail("run", &status)),
        Ok(Err(error)) => Err(fail("wait for", &error)),
        Err(_) => Err(fail(
            "run",
            &format!("no end within {}, killed", text::duration(alerts.timeout)),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Moment;
    use crate::model::Hush;

    fn verdict(id: &str, severity: Severity, since: u64) -> Verdict {
        Verdict {
            id: id.into(),
            subject: None,
            severity,
            since: Timestamp::UNIX_EPOCH + Duration::from_secs(since),
            text: "Falling; \u{1b}[31mbehind".to_owned(),
            evidence: vec!["backlog 7".to_owned()],
            next: "add workers".to_owned(),
            runbook: Some("https://runbooks/backlog".into()),
            hush: None,
        }
    }

    fn view(verdicts: Vec<Verdict>) -> View {
        let now = Moment {
            at: Timestamp::UNIX_EPOCH + Duration::from_secs(100),
            mono: Duration::from_secs(100),
        };
        View {
            verdicts,
            ..View::empty("p", now)
        }
    }

    fn quiet() -> Alarms {
        Alarms {
            alerts: Alerts::default(),
            known: BTreeMap::new(),
            queue: None,
            task: None,
            left_out: 0,
        }
    }

    fn said(found: &[Alert]) -> Vec<(String, &str)> {
        found
            .iter()
            .map(|alert| (alert.verdict.id.to_string(), alert.event))
            .collect()
    }

    #[test]
    fn what_comes_and_goes_is_told_once() {
        let mut alarms = quiet();
        let growing = || verdict("backlog_growing", Severity::Warning, 1);
        assert_eq!(
            said(&alarms.note(&view(vec![growing()]))),
            [("backlog_growing".to_owned(), "raised")]
        );
        assert_eq!(alarms.note(&view(vec![growing()])), []);
        assert_eq!(
            said(&alarms.note(&view(vec![]))),
            [("backlog_growing".to_owned(), "cleared")]
        );
        assert_eq!(alarms.note(&view(vec![])), []);
    }

    #[test]
    fn what_is_hushed_or_not_severe_enough_is_not_told() {
        let mut alarms = quiet();
        let hushed = |since| Verdict {
            hush: Some(Hush::Acknowledged {
                at: Timestamp::UNIX_EPOCH,
            }),
            ..verdict("stalled", Severity::Critical, since)
        };
        assert_eq!(
            alarms.note(&view(vec![hushed(1), verdict("counter_reset", Severity::Info, 1)])),
            []
        );
        assert_eq!(alarms.note(&view(vec![])), []);
        // Told, then acknowledged: its end is not told.
        assert_eq!(
            alarms
                .note(&view(vec![verdict("stalled", Severity::Critical, 2)]))
                .len(),
            1
        );
        assert_eq!(alarms.note(&view(vec![hushed(2)])), []);
        assert_eq!(alarms.note(&view(vec![])), []);
    }

    #[test]
    fn the_terminal_gets_a_bell_and_a_notification_without_anybodys_escapes() {
        let found = quiet().note(&view(vec![verdict("backlog_growing", Severity::Warning, 1)]));
        let both = Alerts {
            bell: true,
            notify: true,
            ..Alerts::default()
        };
        let sent = found[0].terminal(&both);
        assert_eq!(sent.matches('\u{1b}').count(), 4, "{sent:?}");
        assert!(
            sent.ends_with('\u{7}') && sent.starts_with("\u{1b}]9;p: Falling, "),
            "{sent:?}"
        );
        assert_eq!(found[0].terminal(&Alerts::default()), "");
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn the_command_gets_each_alarm_as_json_on_standard_input() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("alarms");
        let script = format!("cat >> {}", file.display());
        let mut alarms = Alarms::new(&Alerts {
            command: ["sh", "-c", &script].map(str::to_owned).to_vec(),
            interval: Duration::from_millis(1),
            ..Alerts::default()
        });
        alarms.note(&view(vec![verdict("stalled", Severity::Critical, 1)]));
        alarms.note(&view(vec![]));
        assert_eq!(alarms.finish().await, None);
        let text = std::fs::read_to_string(file).unwrap();
        let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0]["event"], "raised");
        assert_eq!(lines[0]["verdict"]["id"], "stalled");
        assert_eq!(lines[0]["verdict"]["severity"], "critical");
        assert_eq!(lines[0]["verdict"]["runbook"], "https://runbooks/backlog");
        assert_eq!(lines[1]["event"], "cleared");
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_command_that_hangs_is_killed_and_holds_nobody_up() {
        let mut alarms = Alarms::new(&Alerts {
            command: ["sleep", "60"].map(str::to_owned).to_vec(),
            timeout: Duration::from_millis(20),
            interval: Duration::from_millis(1),
            ..Alerts::default()
        });
        for since in 0..200 {
            alarms.note(&view(vec![verdict("stalled", Severity::Critical, since)]));
        }
        assert!(alarms.left_out > 100, "{}: the queue is bounded", alarms.left_out);
        let failed = alarms.finish().await.unwrap();
        assert!(
            failed.starts_with("on_alert: run sleep: no end within 20 ms"),
            "{failed}"
        );
    }

    #[tokio::test]
    async fn a_command_that_is_not_there_is_named() {
        let mut alarms = Alarms::new(&Alerts {
            command: vec!["/nowhere/pager".to_owned()],
            ..Alerts::default()
        });
        alarms.note(&view(vec![verdict("stalled", Severity::Critical, 1)]));
        let failed = alarms.finish().await.unwrap();
        assert!(failed.starts_with("on_alert: start /nowhere/pager: "), "{failed}");
    }
}

//! How the rows of these relations read. Every value comes as text or null, whatever its type is.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use crate::base::secret::{strip_bearers, strip_url_paths};
use crate::base::time::Timestamp;
use crate::sample::{
    CallCount, KnownWebhook, OutboundReading, OutboundRows, Panel, SendFailure, Sent, SentLatency, WorkerStats,
};

#[derive(Deserialize)]
struct Answer {
    now: i64,
    total: u64,
    rows: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(transparent)]
struct Row(Vec<Option<String>>);

impl Row {
    fn text(&mut self, at: usize) -> Option<String> {
        self.0.get_mut(at)?.take()
    }

    fn name(&mut self, at: usize) -> Option<Arc<str>> {
        self.text(at).map(Arc::from)
    }

    /// A number that is one: NaN and infinities are unknown.
    fn number(&mut self, at: usize) -> Option<f64> {
        let value: f64 = self.0.get(at)?.as_deref()?.trim().parse().ok()?;
        value.is_finite().then_some(value)
    }

    /// A count, of whatever number type.
    fn count(&mut self, at: usize) -> Option<u64> {
        let text = self.0.get(at)?.as_deref()?.trim();
        let whole = text.split_once('.').map_or(text, |(whole, _)| whole);
        whole.parse().ok()
    }

    fn id(&mut self, at: usize) -> Option<i64> {
        self.0.get(at)?.as_deref()?.trim().parse().ok()
    }

    fn time(&mut self, at: usize) -> Option<Timestamp> {
        let micros: i64 = self.0.get(at)?.as_deref()?.parse().ok()?;
        Timestamp::from_microsecond(micros).ok()
    }

    fn flag(&mut self, at: usize) -> Option<bool> {
        match self.0.get(at)?.as_deref()? {
            "t" | "true" | "on" | "yes" | "1" => Some(true),
            "f" | "false" | "off" | "no" | "0" => Some(false),
            _ => None,
        }
    }
}

/// What a relation's answer says. The columns stand as in its definition.
///
/// # Errors
/// When it is not what was asked for.
pub(super) fn read(
    panel: Panel,
    answer: &str,
    took: Duration,
    period: Duration,
) -> Result<OutboundReading, serde_json::Error> {
    let answer: Answer = serde_json::from_str(answer)?;
    let left_out = answer.total.saturating_sub(answer.rows.len() as u64);
    let rows = answer.rows;
    let rows = match panel {
        Panel::Published => OutboundRows::Sent(each(rows, published)),
        Panel::CallStatus => OutboundRows::Sent(each(rows, called)),
        Panel::PublishLatency => OutboundRows::Latency(each(rows, published_latency)),
        Panel::CallLatency => OutboundRows::Latency(each(rows, called_latency)),
        Panel::Calls => OutboundRows::Calls(each(rows, calls)),
        Panel::PublishFailures => OutboundRows::Failures(each(rows, publish_failure)),
        Panel::CallFailures | Panel::FailedCalls => OutboundRows::Failures(each(rows, call_failure)),
        Panel::ConsumerStats => OutboundRows::Workers(each(rows, worker)),
        _ => OutboundRows::Known(each(rows, known)),
    };
    Ok(OutboundReading {
        panel,
        rows,
        left_out,
        now: Timestamp::from_microsecond(answer.now).ok(),
        took,
        period,
    })
}

fn each<T>(rows: Vec<Row>, one: fn(&mut Row) -> T) -> Vec<T> {
    rows.into_iter().map(|mut row| one(&mut row)).collect()
}

fn known(row: &mut Row) -> KnownWebhook {
    KnownWebhook {
        id: row.id(0).unwrap_or_default(),
        name: row.name(1).unwrap_or_default(),
        mode: row.name(2),
        subject: row.name(3),
        enabled: row.flag(4),
    }
}

fn published(row: &mut Row) -> Sent {
    Sent {
        name: row.name(0).unwrap_or_default(),
        // A summary without the column is still about what was published.
        subject: Some(row.name(1).unwrap_or_default()),
        mode: row.name(2),
        total: row.count(3),
        successful: row.count(4),
        failed: row.count(5),
        avg_ms: row.number(6),
        max_ms: row.number(7),
        last_at: row.time(8),
        ..Sent::default()
    }
}

fn called(row: &mut Row) -> Sent {
    Sent {
        name: row.name(0).unwrap_or_default(),
        total: row.count(1),
        successful: row.count(2),
        failed: row.count(3),
        pending: row.count(4),
        retrying: row.count(5),
        avg_ms: row.number(6),
        last_at: row.time(7),
        ..Sent::default()
    }
}

fn published_latency(row: &mut Row) -> SentLatency {
    SentLatency {
        name: row.name(0).unwrap_or_default(),
        subject: Some(row.name(1).unwrap_or_default()),
        count: row.count(2),
        p50_ms: row.number(3),
        p95_ms: row.number(4),
        p99_ms: row.number(5),
    }
}

fn called_latency(row: &mut Row) -> SentLatency {
    SentLatency {
        name: row.name(0).unwrap_or_default(),
        subject: None,
        count: row.count(1),
        p50_ms: row.number(2),
        p95_ms: row.number(3),
        p99_ms: row.number(4),
    }
}

fn calls(row: &mut Row) -> CallCount {
    CallCount {
        webhook: row.id(0),
        status: row.name(1).unwrap_or_default(),
        count: row.count(2).unwrap_or_default(),
        oldest: row.time(3),
    }
}

fn publish_failure(row: &mut Row) -> SendFailure {
    SendFailure {
        name: row.name(0).unwrap_or_default(),
        subject: Some(row.name(1).unwrap_or_default()),
        error: discreet(&row.text(2).unwrap_or_default()),
        at: row.time(3),
    }
}

fn call_failure(row: &mut Row) -> SendFailure {
    let said = row.text(1).filter(|said| !said.trim().is_empty());
    let status = row.text(2).map(|status| format!("HTTP {status}"));
    SendFailure {
        name: row.name(0).unwrap_or_default(),
        subject: None,
        error: discreet(&said.or(status).unwrap_or_default()),
        at: row.time(3).or_else(|| row.time(4)),
    }
}

fn worker(row: &mut Row) -> WorkerStats {
    WorkerStats {
        stream: row.name(0),
        name: row.name(1).unwrap_or_default(),
        acknowledged: row.count(2),
        delivered: row.count(3),
        avg_ms: row.number(4),
        last_active: row.time(5),
        active: row.flag(6),
    }
}

/// An error's text without what may be a secret in it: receivers put tokens into a URL's path.
fn discreet(error: &str) -> String {
    strip_bearers(&strip_url_paths(error)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(panel: Panel, answer: &str) -> OutboundReading {
        read(panel, answer, Duration::ZERO, Duration::ZERO).unwrap()
    }

    #[test]
    fn numbers_of_any_type_are_read_and_what_is_none_is_unknown() {
        let answer =
            r#"{"now":1000000,"total":7,"rows":[["a","s.a","nats","129","128.0",null,"NaN","-Infinity",null]]}"#;
        let reading = rows(Panel::Published, answer);
        assert_eq!(reading.left_out, 6);
        let OutboundRows::Sent(sent) = reading.rows else {
            panic!("{reading:?}")
        };
        assert_eq!(
            (sent[0].total, sent[0].successful, sent[0].failed),
            (Some(129), Some(128), None)
        );
        assert_eq!((sent[0].avg_ms, sent[0].max_ms, sent[0].last_at), (None, None, None));
    }

    #[test]
    fn a_failure_tells_no_secret_of_its_url_or_headers() {
        let answer = r#"{"now":1,"total":1,"rows":[["a","request to https://u:p@hooks.example.com/services/T0/B0/s3cr3t?x=1 failed, Authorization: Bearer abc.def",null,null,"5000000"]]}"#;
        let OutboundRows::Failures(failures) = rows(Panel::CallFailures, answer).rows else {
            panic!("not failures")
        };
        assert_eq!(
            failures[0].error,
            "request to https://•••@hooks.example.com/••• failed, Authorization: Bearer •••"
        );
        assert_eq!(failures[0].at.unwrap().as_second(), 5);
    }

    #[test]
    fn a_short_row_has_unknowns_and_a_wrong_answer_is_none() {
        let answer = r#"{"now":1,"total":1,"rows":[["w"]]}"#;
        let OutboundRows::Workers(workers) = rows(Panel::ConsumerStats, answer).rows else {
            panic!("not workers")
        };
        assert_eq!((workers[0].active, workers[0].last_active), (None, None));
        for bad in [
            "",
            "[]",
            r#"{"now":"x","total":1,"rows":[]}"#,
            r#"{"now":1,"total":1,"rows":[[1]]}"#,
        ] {
            assert!(
                read(Panel::Published, bad, Duration::ZERO, Duration::ZERO).is_err(),
                "{bad}"
            );
        }
    }
}

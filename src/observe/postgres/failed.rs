//! Failed calls: the dead letters of a queue that lives in Postgres.

use serde::Deserialize;

use super::fault;
use super::session::{Access, Failure};
use crate::config::PostgresLink;
use crate::sample::FailedCall;

/// What is read. As JSON, so that a column that is not there is not missed, and without payloads:
/// they may be of any size.
const STATEMENT: &str = "SELECT coalesce(jsonb_agg(to_jsonb(failed) - 'payload'), '[]')::text FROM (\
     SELECT * FROM rule_webhook_calls WHERE status = 'failed' ORDER BY scheduled_at DESC NULLS LAST LIMIT ";

#[derive(Deserialize)]
struct Row {
    #[serde(default)]
    call_id: serde_json::Value,
    #[serde(default)]
    webhook_id: serde_json::Value,
    retry_count: Option<u64>,
    response_status: Option<i64>,
    error_message: Option<String>,
    scheduled_at: Option<String>,
}

/// The latest `most` calls with status failed, in a read-only transaction.
///
/// # Errors
/// Why they cannot be read, and what to do.
pub async fn failed_calls(link: &PostgresLink, most: u32) -> Result<Vec<FailedCall>, String> {
    let told = |(reason, next): fault::Fault| format!("failed calls: {reason} → {next}");
    let refused = |error| told(fault::session(&Failure::Answered(error)));
    let mut access = Access::new(link).map_err(refused)?;
    let mut session = access.open().await.map_err(|failure| told(fault::session(&failure)))?;
    let answer = session.ask_one(&format!("{STATEMENT}{most}) failed")).await;
    let json = answer.map_err(|failure| told(cause(&failure)))?;
    let rows: Vec<Row> = serde_json::from_str(&json).map_err(|error| format!("failed calls: unreadable: {error}"))?;
    Ok(rows.into_iter().map(call).collect())
}

fn cause(failure: &Failure) -> fault::Fault {
    if let Failure::Answered(sqlx::Error::Database(error)) = failure {
        match error.code().as_deref() {
            Some("42P01") => {
                let reason = "there is no table rule_webhook_calls in this database";
                return (reason.to_owned(), "nothing to do, if the queue is elsewhere".to_owned());
            }
            Some("42501") => {
                let reason = "no right to read rule_webhook_calls";
                return (reason.to_owned(), "GRANT SELECT ON rule_webhook_calls".to_owned());
            }
            _ => {}
        }
    }
    fault::session(failure)
}

fn call(row: Row) -> FailedCall {
    let text = |value: serde_json::Value| match value {
        serde_json::Value::Null => None,
        serde_json::Value::String(text) => Some(text.into()),
        other => Some(other.to_string().into()),
    };
    FailedCall {
        call: text(row.call_id).unwrap_or_else(|| "–".into()),
        webhook: text(row.webhook_id),
        retries: row.retry_count,
        status: row.response_status,
        error: row.error_message.map(Into::into),
        at: row.scheduled_at.and_then(|at| at.parse().ok()),
    }
}

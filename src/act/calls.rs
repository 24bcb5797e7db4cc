//! Failed calls of a queue in Postgres, put back: through `rule_webhook_retry` where the database
//! has it, else by setting their status to pending.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use sqlx::PgConnection;

use super::database::{self, Access, within};
use super::hash;
use super::journal::{Counts, Hash};
use super::permit::{Permit, Refusal};
use crate::config::PostgresLink;
use crate::sample::FailedCall;

/// How long connecting and any answer may take.
const ANSWER: Duration = Duration::from_secs(10);

/// Calls that are put back in one transaction.
const AT_ONCE: usize = 500;

/// Whether the function is there and may be called.
const HAS_FUNCTION: &str = "SELECT EXISTS (SELECT 1 FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace \
     WHERE p.proname = 'rule_webhook_retry' AND p.pronargs = 1 AND pg_function_is_visible(p.oid) \
     AND has_function_privilege(p.oid, 'EXECUTE'))";

/// A call that somebody else has in hand, or that is no longer failed, is left alone.
const CALL_FUNCTION: &str = "SELECT chosen.call_id::text FROM (SELECT call_id FROM rule_webhook_calls \
     WHERE call_id::text = ANY($1) AND status = 'failed' FOR UPDATE SKIP LOCKED) chosen, \
     LATERAL rule_webhook_retry(chosen.call_id)";
const SET_PENDING: &str = "UPDATE rule_webhook_calls SET status = 'pending', retry_count = 0, next_retry_at = now() \
     WHERE call_id IN (SELECT call_id FROM rule_webhook_calls \
     WHERE call_id::text = ANY($1) AND status = 'failed' FOR UPDATE SKIP LOCKED) RETURNING call_id::text";

/// How a call is put back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// `rule_webhook_retry(call_id)`.
    Function,
    /// Its status is set to pending, its retries to 0.
    Status,
}

/// What a retry would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CallPlan {
    /// How.
    pub way: Way,
    /// How many calls.
    pub count: u64,
    /// The hash of all of this.
    pub hash: Hash,
    #[serde(skip)]
    calls: Vec<Arc<str>>,
}

/// What a retry did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CallReport {
    /// Put back.
    pub retried: u64,
    /// No longer failed, or in somebody else's hands: left alone.
    pub left: u64,
}

impl CallReport {
    /// What the audit log is told of it: the counts, and whether every call was put back.
    #[must_use]
    pub fn told(&self, planned: u64) -> (Counts, bool) {
        let counts = Counts {
            selected: planned,
            landed: self.retried,
            gone: self.left,
            ..Counts::default()
        };
        (counts, self.left == 0)
    }
}

/// Why calls are not put back.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The database did not answer as it should.
    #[error("{operation}: {reason} → {next}")]
    Database {
        /// What was tried.
        operation: &'static str,
        /// Why it failed.
        reason: String,
        /// What to do.
        next: &'static str,
    },
    /// There is no permit.
    #[error(transparent)]
    Refusal(#[from] Refusal),
    /// It broke off.
    #[error("put failed calls back: {reason}; {done} are put back, the others are as they were → run it again")]
    Broken {
        /// Why.
        reason: String,
        /// Put back before.
        done: u64,
    },
}

/// A plan for these calls.
///
/// # Errors
/// When the database cannot be asked how it puts calls back.
pub async fn plan(link: &PostgresLink, failed: &[FailedCall]) -> Result<CallPlan, CallError> {
    let mut connection = session(link, Access::Read).await?;
    let has_function = sqlx::query_scalar::<_, bool>(HAS_FUNCTION).fetch_one(&mut connection);
    let has_function = within(ANSWER, has_function)
        .await
        .map_err(|reason| CallError::Database {
            operation: "ask for rule_webhook_retry",
            reason,
            next: "check the rights",
        })?;
    let way = if has_function { Way::Function } else { Way::Status };
    Ok(CallPlan::of(
        way,
        failed.iter().map(|failed| failed.call.clone()).collect(),
    ))
}

impl CallPlan {
    /// A plan for the calls of these ids.
    pub(crate) fn of(way: Way, calls: Vec<Arc<str>>) -> Self {
        let mut text = format!("{way:?}\n");
        for call in &calls {
            text.push_str(call);
            text.push('\n');
        }
        Self {
            way,
            count: calls.len() as u64,
            hash: hash::short(text.as_bytes()),
            calls,
        }
    }
}

/// Puts the calls of a plan back.
///
/// # Errors
/// When none was, or it broke off: each is either put back or as it was.
pub async fn retry(link: &PostgresLink, plan: &CallPlan, permit: Permit) -> Result<CallReport, CallError> {
    permit.redeem(&plan.hash)?;
    let mut connection = session(link, Access::Write).await?;
    let statement = match plan.way {
        Way::Function => CALL_FUNCTION,
        Way::Status => SET_PENDING,
    };
    let mut report = CallReport::default();
    for some in plan.calls.chunks(AT_ONCE) {
        let ids: Vec<&str> = some.iter().map(|call| &**call).collect();
        // One statement is one transaction.
        let put_back = sqlx::query_scalar::<_, String>(statement)
            .bind(ids)
            .fetch_all(&mut connection);
        let put_back = within(ANSWER, put_back).await.map_err(|reason| CallError::Broken {
            reason,
            done: report.retried,
        })?;
        report.retried += put_back.len() as u64;
        report.left += (some.len() - put_back.len()) as u64;
    }
    Ok(report)
}

async fn session(link: &PostgresLink, access: Access) -> Result<PgConnection, CallError> {
    let connected = database::connect(link, access, ANSWER, ANSWER).await;
    connected.map_err(|reason| CallError::Database {
        operation: "connect to Postgres",
        reason,
        next: "check --postgres and that the server is up",
    })
}

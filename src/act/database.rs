//! One session in Postgres for one action: it connects, asks, and waits no longer than it may.

use std::str::FromStr as _;
use std::time::Duration;

use secrecy::ExposeSecret as _;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection};

use crate::base::text;
use crate::config::PostgresLink;

/// What a session may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// It reads.
    Read,
    /// It changes something, for which there is a permit.
    Write,
}

/// Connects within `limit`. No statement takes longer than `statement`.
///
/// # Errors
/// Why not, in one safe line.
pub(super) async fn connect(
    link: &PostgresLink,
    access: Access,
    statement: Duration,
    limit: Duration,
) -> Result<PgConnection, String> {
    let read_only = match access {
        Access::Read => "on",
        Access::Write => "off",
    };
    let options = PgConnectOptions::from_str(link.url.expose_secret())
        .map_err(|error| reason(&error))?
        .application_name("hookwatch")
        .disable_statement_logging()
        .options([
            ("default_transaction_read_only", read_only.to_owned()),
            ("statement_timeout", statement.as_millis().max(1).to_string()),
        ]);
    within(limit, options.connect()).await
}

/// An answer within `limit`.
///
/// # Errors
/// Why there is none, in one safe line.
pub(super) async fn within<T>(limit: Duration, answer: impl Future<Output = sqlx::Result<T>>) -> Result<T, String> {
    match tokio::time::timeout(limit, answer).await {
        Ok(answered) => answered.map_err(|error| reason(&error)),
        Err(_) => Err(format!("no answer within {}", text::duration(limit))),
    }
}

fn reason(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => text::safe(error.message()).into_owned(),
        other => text::safe(&other.to_string()).into_owned(),
    }
}

/// A session that asks a configured query whether there is a row, read-only.
#[derive(Debug)]
pub(super) struct Rows {
    connection: PgConnection,
    query: String,
    wants_sequence: bool,
    limit: Duration,
}

impl Rows {
    /// Connects. No answer takes longer than `limit`, no statement than the profile's `statement_timeout`.
    ///
    /// # Errors
    /// Why not.
    pub(super) async fn open(link: &PostgresLink, query: &str, limit: Duration) -> Result<Self, String> {
        let statement = link.statement_timeout.min(limit);
        Ok(Self {
            connection: connect(link, Access::Read, statement, limit).await?,
            wants_sequence: query.contains("$2"),
            query: query.to_owned(),
            limit,
        })
    }

    /// Whether the row is there. `key` is `$1`, `sequence` is `$2`.
    ///
    /// # Errors
    /// Why nobody knows.
    pub(super) async fn is_there(&mut self, key: &str, sequence: Option<u64>) -> Result<bool, String> {
        // Typed in the query as it likes: text is cast by whoever wrote it, so are numbers.
        let mut query = sqlx::query(AssertSqlSafe(self.query.as_str())).bind(key);
        if self.wants_sequence {
            let Some(sequence) = sequence.and_then(|sequence| i64::try_from(sequence).ok()) else {
                return Ok(false);
            };
            query = query.bind(sequence);
        }
        let answer = async {
            let mut transaction = self.connection.begin().await?;
            let row = query.fetch_optional(&mut *transaction).await?;
            transaction.rollback().await?;
            Ok(row.is_some())
        };
        within(self.limit, answer).await
    }
}

//! One session in Postgres for one action: it connects, asks, and waits no longer than it may.

use std::str::FromStr as _;
use std::time::Duration;

use secrecy::ExposeSecret as _;
use sqlx::postgres::{PgArguments, PgConnectOptions};
use sqlx::{Arguments as _, AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection};

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

/// What stands for `$1` and `$2` in a query.
struct Arguments(PgArguments);

impl Arguments {
    fn of(key: &str) -> Result<Self, String> {
        let mut arguments = Self(PgArguments::default());
        arguments.add(key)?;
        Ok(arguments)
    }

    fn add<'q, T: sqlx::Encode<'q, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>>(
        &mut self,
        value: T,
    ) -> Result<(), String> {
        self.0.add(value).map_err(|error| error.to_string())
    }
}

/// A session that asks a configured query whether there is a row, read-only.
#[derive(Debug)]
pub(super) struct Rows {
    connection: PgConnection,
    query: String,
    wants_second: bool,
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
            wants_second: query.contains("$2"),
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
        let mut arguments = Arguments::of(key)?;
        if self.wants_second {
            let Some(sequence) = sequence.and_then(|sequence| i64::try_from(sequence).ok()) else {
                return Ok(false);
            };
            arguments.add(sequence)?;
        }
        self.ask(arguments).await
    }

    /// Whether the row is there. `key` is `$1`, `id` is `$2`.
    ///
    /// # Errors
    /// Why nobody knows.
    pub(super) async fn is_known(&mut self, key: &str, id: &str) -> Result<bool, String> {
        let mut arguments = Arguments::of(key)?;
        if self.wants_second {
            arguments.add(id)?;
        }
        self.ask(arguments).await
    }

    async fn ask(&mut self, arguments: Arguments) -> Result<bool, String> {
        let query = sqlx::query_with(AssertSqlSafe(self.query.as_str()), arguments.0);
        let answer = async {
            let mut transaction = self.connection.begin().await?;
            let row = query.fetch_optional(&mut *transaction).await?;
            transaction.rollback().await?;
            Ok(row.is_some())
        };
        within(self.limit, answer).await
    }
}

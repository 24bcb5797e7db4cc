//! The row in Postgres: the configured query, asked in read-only transactions.

use std::str::FromStr as _;
use std::time::Duration;

use secrecy::ExposeSecret as _;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection};

use crate::config::PostgresLink;

/// How long connecting and any answer may take.
const ANSWER: Duration = Duration::from_secs(3);

/// A session that asks for one row.
#[derive(Debug)]
pub(super) struct Rows {
    connection: PgConnection,
    query: String,
    wants_sequence: bool,
}

impl Rows {
    pub(super) async fn open(link: &PostgresLink, query: &str) -> Result<Self, String> {
        let timeout = link.statement_timeout.clamp(Duration::from_millis(1), ANSWER);
        let options = PgConnectOptions::from_str(link.url.expose_secret())
            .map_err(|error| error.to_string())?
            .application_name("hookwatch")
            .disable_statement_logging()
            .options([
                ("default_transaction_read_only", "on".to_owned()),
                ("statement_timeout", timeout.as_millis().to_string()),
            ]);
        let connection = within(options.connect()).await?;
        Ok(Self {
            connection,
            wants_sequence: query.contains("$2"),
            query: query.to_owned(),
        })
    }

    /// Whether the row is there. `key` is `$1`, `sequence` is `$2`.
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
        within(answer).await
    }
}

async fn within<T>(answer: impl Future<Output = sqlx::Result<T>>) -> Result<T, String> {
    match tokio::time::timeout(ANSWER, answer).await {
        Ok(answered) => answered.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer within {}", crate::base::text::duration(ANSWER))),
    }
}

//! A read-only session: connecting, and one round trip at a time.

use std::str::FromStr as _;
use std::time::Duration;

use secrecy::ExposeSecret as _;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, Row as _};

use crate::config::PostgresLink;

/// How long a server may take to let us in. Includes TLS and the login.
pub(super) const CONNECT: Duration = Duration::from_millis(2_800);

/// How long any other answer may take before the server counts as hung: together with a period
/// of 1 s, less than 3 s.
pub(super) const ANSWER: Duration = Duration::from_millis(1_800);

/// A statement is cancelled by the server before we give the server up.
const STATEMENT: Duration = Duration::from_millis(1_500);

/// We never stand in a queue for a lock: whoever holds it is news by itself.
const LOCK: Duration = Duration::from_millis(500);

/// Why a round trip failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// No answer within this time.
    Hung(Duration),
    /// An answer, and what it was.
    Answered(sqlx::Error),
}

/// How to connect.
#[derive(Clone, Debug)]
pub(super) struct Access {
    options: PgConnectOptions,
    /// Some poolers refuse settings at the start of a session. Every transaction sets them anyway.
    pub(super) bare: bool,
    preamble: String,
    /// The limit of a statement's run time.
    pub(super) statement_timeout: Duration,
}

impl Access {
    /// # Errors
    /// When the link's URL is none.
    pub(super) fn new(link: &PostgresLink) -> Result<Self, sqlx::Error> {
        let mut options = PgConnectOptions::from_str(link.url.expose_secret())?
            .application_name("hookwatch")
            // All numbers that are read are integers: one setting less that a pooler may refuse.
            .extra_float_digits(None)
            .disable_statement_logging();
        // An address of IPv6 comes in brackets out of a URL, and nobody takes them off.
        if let Some(address) = options
            .get_host()
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
        {
            let address = address.to_owned();
            options = options.host(&address);
        }
        let statement_timeout = link.statement_timeout.clamp(Duration::from_millis(1), STATEMENT);
        let (statement, lock) = (statement_timeout.as_millis(), LOCK.as_millis());
        Ok(Self {
            options,
            bare: false,
            // In one message these and what follows are one transaction, which ends with it,
            // whatever happens: nothing is left behind, not even in a pooler's session.
            preamble: format!(
                "SET TRANSACTION READ ONLY; SET LOCAL statement_timeout = {statement}; SET LOCAL lock_timeout = {lock}; "
            ),
            statement_timeout,
        })
    }

    pub(super) fn options(&self) -> PgConnectOptions {
        if self.bare {
            return self.options.clone();
        }
        self.options.clone().options([
            ("default_transaction_read_only", "on".to_owned()),
            ("statement_timeout", self.statement_timeout.as_millis().to_string()),
            ("lock_timeout", LOCK.as_millis().to_string()),
        ])
    }

    /// Opens a session.
    pub(super) async fn open(&mut self) -> Result<Session, Failure> {
        let connected = within(CONNECT, self.options().connect()).await;
        let connection = match connected {
            Err(Failure::Answered(sqlx::Error::Database(error)))
                if !self.bare
                    && error.code().as_deref() == Some("08P01")
                    && error.message().contains("startup parameter") =>
            {
                self.bare = true;
                within(CONNECT, self.options().connect()).await?
            }
            other => other?,
        };
        Ok(Session {
            connection,
            preamble: self.preamble.clone(),
        })
    }
}

/// An open session. Dropping it closes the connection at once.
#[derive(Debug)]
pub(super) struct Session {
    connection: PgConnection,
    preamble: String,
}

impl Session {
    /// The shortest round trip there is.
    pub(super) async fn ping(&mut self) -> Result<(), Failure> {
        within(ANSWER, self.connection.ping()).await
    }

    /// Runs one statement that returns one row, and returns its columns as text.
    pub(super) async fn ask(&mut self, statement: &str) -> Result<Vec<Option<String>>, Failure> {
        let statement = format!("{}{statement}", self.preamble);
        let query = sqlx::raw_sql(AssertSqlSafe(statement)).fetch_one(&mut self.connection);
        let row = within(ANSWER, query).await?;
        (0..row.len())
            .map(|column| row.try_get_unchecked(column).map_err(Failure::Answered))
            .collect()
    }

    /// Runs one statement that returns one value.
    pub(super) async fn ask_one(&mut self, statement: &str) -> Result<String, Failure> {
        let mut row = self.ask(statement).await?;
        row.pop().flatten().ok_or(Failure::Answered(sqlx::Error::RowNotFound))
    }
}

async fn within<T>(limit: Duration, answer: impl Future<Output = sqlx::Result<T>>) -> Result<T, Failure> {
    match tokio::time::timeout(limit, answer).await {
        Ok(answered) => answered.map_err(Failure::Answered),
        Err(_) => Err(Failure::Hung(limit)),
    }
}

//! Postgres: a batch in one transaction, idempotent, exactly counted.

mod batch;

use std::str::FromStr as _;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};

use super::settings::ConfigError;
use crate::base::secret::strip_url_credentials;
use crate::base::time::{SharedClock, Timestamp};
use batch::{Batch, Timed};

/// The schema, to be applied with [`migrate`].
pub const SCHEMA: &str = include_str!("../schema.sql");

/// Any number of our own: workers that start together must not create tables side by side.
const MIGRATION_LOCK: i64 = 0x686f_6f6b_7761_7463;

/// Creates what is missing of the schema.
///
/// # Errors
/// When the database refuses.
pub async fn migrate(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    sqlx::query("SELECT pg_advisory_xact_lock($1)")
        .bind(MIGRATION_LOCK)
        .execute(&mut *transaction)
        .await?;
    transaction.execute(sqlx::raw_sql(SCHEMA)).await?;
    transaction.commit().await
}

/// A message of a batch, as it goes into the database.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::pipeline) struct Entry<'a> {
    /// The webhook's id.
    pub(in crate::pipeline) id: &'a str,
    pub(in crate::pipeline) provider: &'a str,
    pub(in crate::pipeline) event: &'a str,
    /// The message's sequence in the stream.
    pub(in crate::pipeline) sequence: u64,
    /// Which delivery of the message this is, from 1.
    pub(in crate::pipeline) delivery: u64,
    pub(in crate::pipeline) received_at: Timestamp,
    pub(in crate::pipeline) recipient: Option<&'a str>,
    /// Why it could not be processed: only the attempt is recorded.
    pub(in crate::pipeline) failure: Option<&'a str>,
}

/// What the transaction made of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pipeline) enum Fate {
    /// Its webhook is written.
    Written,
    /// Another message had written its webhook.
    Skipped,
    /// An earlier delivery of this very message had been dealt with; only the ack was lost.
    Known,
    /// The attempt failed and is recorded.
    Failed {
        /// Failed attempts so far, this one included.
        attempts: u32,
    },
}

/// Why a batch is not written. Nothing of it is, or it is not known and can be repeated.
#[derive(Debug, thiserror::Error)]
pub(in crate::pipeline) enum StoreError {
    /// The database is away, or it cannot work: nobody's message is to blame.
    #[error("{0}")]
    Outage(String),
    /// A value of the batch was refused.
    #[error("{0}")]
    Data(String),
    /// Another transaction was in the way.
    #[error("{0}")]
    Conflict(String),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let text = error.to_string();
        match &error {
            sqlx::Error::Database(database) => match database.code().as_deref().and_then(|code| code.get(..2)) {
                // Deadlocks and serialization failures.
                Some("40") => Self::Conflict(text),
                // Connections, authorization, databases, schemas, read-only standbys, locks,
                // resources, operators, the system: the same would happen to every batch.
                Some("08" | "25" | "28" | "3D" | "42" | "53" | "55" | "57" | "58" | "XX") | None => Self::Outage(text),
                // What is left is about values: too long, out of range, forbidden by a
                // constraint or a trigger.
                Some(_) => Self::Data(text),
            },
            sqlx::Error::Encode(_) => Self::Data(text),
            _ => Self::Outage(text),
        }
    }
}

/// Where a connection's parameters come from.
///
/// # Errors
/// When `url` is none. The error shows no password.
pub(in crate::pipeline) fn options(url: &SecretString, application: &str) -> Result<PgConnectOptions, ConfigError> {
    let options = PgConnectOptions::from_str(url.expose_secret()).map_err(|error| {
        let text = error.to_string();
        ConfigError::new("DATABASE_URL", strip_url_credentials(&text).into_owned())
    })?;
    Ok(options.application_name(application).disable_statement_logging())
}

/// One connection, made when it is needed and dropped when it fails.
pub(in crate::pipeline) struct Store {
    options: PgConnectOptions,
    worker: String,
    writer: i16,
    /// How long connecting, and how long a transaction may take.
    timeout: Duration,
    clock: SharedClock,
    observe: Box<dyn Fn(&'static str, Duration) + Send + Sync>,
    connection: Option<PgConnection>,
    migrated: bool,
}

/// The names under which the times of a transaction's parts are observed.
pub(in crate::pipeline) const OPERATIONS: [&str; 5] = [
    "insert_events",
    "update_recipients",
    "update_counters",
    "record_attempts",
    "commit",
];

impl Store {
    /// A store that connects when it is first used, of one of a worker's writers. `observe` is told
    /// how long each of [`OPERATIONS`] took.
    pub(in crate::pipeline) fn new(
        options: &PgConnectOptions,
        (worker, writer): (&str, i16),
        timeout: Duration,
        clock: SharedClock,
        observe: impl Fn(&'static str, Duration) + Send + Sync + 'static,
    ) -> Self {
        // The server's own limit ends what it still does after we have given up.
        let limit = timeout.as_millis().to_string();
        Self {
            options: options.clone().options([
                ("statement_timeout", &*limit),
                // A plan made for an empty table would be kept while the table grows.
                ("plan_cache_mode", "force_custom_plan"),
            ]),
            worker: worker.to_owned(),
            writer,
            timeout,
            clock,
            observe: Box::new(observe),
            connection: None,
            migrated: false,
        }
    }

    /// Connects where there is no connection, and applies the schema once.
    ///
    /// # Errors
    /// When the database is away or refuses.
    pub(in crate::pipeline) async fn connect(&mut self) -> Result<(), StoreError> {
        if self.connection.is_some() {
            return Ok(());
        }
        let connecting = async {
            let mut connection = PgConnection::connect_with(&self.options).await?;
            if !self.migrated {
                match migrate(&mut connection).await {
                    // A role that may not create tables works with those that are there.
                    Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("42501") => {
                        tracing::warn!(%error, "the schema is not applied");
                    }
                    migrated => migrated?,
                }
            }
            Ok::<_, StoreError>(connection)
        };
        let connection = tokio::time::timeout(self.timeout, connecting)
            .await
            .unwrap_or_else(|_| Err(self.too_slow("connecting")))?;
        self.connection = Some(connection);
        self.migrated = true;
        Ok(())
    }

    /// Writes a batch: all of it, or nothing. A batch whose outcome is not known (the connection
    /// broke while it was committed) can be written again: the result is the same.
    ///
    /// # Errors
    /// When nothing is known to be written.
    pub(in crate::pipeline) async fn write(
        &mut self,
        created: Timestamp,
        entries: &[Entry<'_>],
    ) -> Result<Vec<Fate>, StoreError> {
        self.connect().await?;
        let Some(mut connection) = self.connection.take() else {
            return Err(StoreError::Outage("no connection".to_owned()));
        };
        let batch = Batch {
            worker: &self.worker,
            writer: self.writer,
            created: created.to_string(),
            entries,
        };
        let timed = Timed {
            clock: &self.clock,
            observe: &*self.observe,
        };
        let written = tokio::time::timeout(self.timeout, batch.write(&mut connection, &timed)).await;
        match written {
            Ok(Ok(fates)) => {
                self.connection = Some(connection);
                Ok(fates)
            }
            Ok(Err(error)) => {
                let error = StoreError::from(error);
                // After an error of the batch's own the connection is as good as before; its
                // transaction is rolled back at its next use.
                if !matches!(error, StoreError::Outage(_)) {
                    self.connection = Some(connection);
                }
                Err(error)
            }
            Err(_) => Err(self.too_slow("writing a batch")),
        }
    }

    fn too_slow(&self, what: &str) -> StoreError {
        let limit = crate::base::text::duration(self.timeout);
        StoreError::Outage(format!("{what} took longer than {limit}"))
    }
}

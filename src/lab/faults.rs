//! What goes wrong in a lab, and how it is undone.

use std::time::Duration;

use async_nats::jetstream;
use sqlx::{Connection as _, Executor as _, PgConnection};

use super::LabError;
use super::guard::Signal;
use super::scenario::{Fault, STREAM_LEADER, What};
use super::up::{DATABASE, Lab};
use crate::pipeline::topology::{self, Topology};

/// Who holds the lock of [`What::LockDatabase`], as `pg_stat_activity` shows it.
pub const LOCKER: &str = "nightly-report";

/// The table that every worker updates.
const TABLE: &str = "webhook_recipients";

/// Faults of one lab: begun, and still to be undone.
#[derive(Debug, Default)]
pub struct Faults {
    /// The session that holds a lock.
    lock: Option<PgConnection>,
    /// The server that led the stream when [`STREAM_LEADER`] was a target.
    leader: Option<String>,
}

impl Faults {
    /// Lets something go wrong, and returns when it has.
    ///
    /// # Errors
    /// When it can't: the target does not run, a server does not answer.
    pub async fn begin(&mut self, lab: &Lab, fault: &Fault) -> Result<(), LabError> {
        if fault.target.as_deref() == Some(STREAM_LEADER) {
            self.leader = Some(stream_leader(lab).await?);
        }
        match fault.what {
            What::Stop => lab.stop(self.target(fault)?).await.map(drop),
            What::Kill => lab.kill(self.target(fault)?).await.map(drop),
            What::Hang => lab.signal(self.target(fault)?, Signal::Stop),
            What::SlowDatabase => slow_down(lab, value(fault)?).await,
            What::LockDatabase => {
                self.lock = Some(lock(lab).await?);
                Ok(())
            }
            What::AckWait => set_ack_wait(lab, value(fault)?).await,
            What::DeleteConsumer => delete_consumer(lab).await,
        }
    }

    /// Undoes it, and returns when it is undone.
    ///
    /// # Errors
    /// When it can't be.
    pub async fn end(&mut self, lab: &Lab, fault: &Fault) -> Result<(), LabError> {
        match fault.what {
            What::Stop | What::Kill => lab.start(self.target(fault)?).await,
            What::Hang => lab.signal(self.target(fault)?, Signal::Continue),
            What::SlowDatabase => speed_up(lab).await,
            What::LockDatabase => match self.lock.take() {
                Some(session) => unlock(session).await,
                None => Ok(()),
            },
            What::AckWait => {
                let reference = lab.topology()?.ack_wait;
                set_ack_wait(lab, reference).await
            }
            // The first worker that misses it makes it anew; without workers we do.
            What::DeleteConsumer => ensure_consumer(lab).await,
        }
    }

    /// The process that a fault is about.
    fn target<'a>(&'a self, fault: &'a Fault) -> Result<&'a str, LabError> {
        let target = match fault.target.as_deref() {
            Some(STREAM_LEADER) => self.leader.as_deref(),
            named => named,
        };
        target.ok_or_else(|| LabError::Without("target for this fault".to_owned()))
    }
}

fn value(fault: &Fault) -> Result<Duration, LabError> {
    fault
        .value
        .ok_or_else(|| LabError::Without("value for this fault".to_owned()))
}

fn database(operation: &str, error: &sqlx::Error) -> LabError {
    LabError::server(operation, error)
}

/// A trigger that sleeps before every update, as a table without its index would.
async fn slow_down(lab: &Lab, by: Duration) -> Result<(), LabError> {
    let function = format!(
        "CREATE OR REPLACE FUNCTION lab_slow() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN PERFORM pg_sleep({}); RETURN NULL; END $$",
        by.as_secs_f64()
    );
    let trigger = format!(
        "CREATE OR REPLACE TRIGGER lab_slow BEFORE UPDATE ON {TABLE} FOR EACH STATEMENT EXECUTE FUNCTION lab_slow()"
    );
    execute(lab, "slow the database down", &[function, trigger]).await
}

async fn speed_up(lab: &Lab) -> Result<(), LabError> {
    let statements = ["DROP FUNCTION IF EXISTS lab_slow CASCADE".to_owned()];
    execute(lab, "end the database's slowness", &statements).await
}

async fn execute(lab: &Lab, operation: &str, statements: &[String]) -> Result<(), LabError> {
    let mut connection = lab.connect_postgres(DATABASE).await?;
    for statement in statements {
        // Built from constants and numbers.
        connection
            .execute(sqlx::AssertSqlSafe(statement.as_str()))
            .await
            .map_err(|error| database(operation, &error))?;
    }
    connection.close().await.map_err(|error| database(operation, &error))
}

/// Readers pass, writers wait.
async fn lock(lab: &Lab) -> Result<PgConnection, LabError> {
    let failed = |error: sqlx::Error| database("lock the workers' table", &error);
    let mut connection = lab.connect_postgres(DATABASE).await?;
    for statement in [
        format!("SET application_name = '{LOCKER}'"),
        "BEGIN".to_owned(),
        format!("LOCK TABLE {TABLE} IN SHARE ROW EXCLUSIVE MODE"),
    ] {
        connection
            .execute(sqlx::AssertSqlSafe(statement))
            .await
            .map_err(failed)?;
    }
    Ok(connection)
}

/// A session that is merely closed keeps its locks until the server has noticed.
async fn unlock(mut session: PgConnection) -> Result<(), LabError> {
    let failed = |error: sqlx::Error| database("unlock the workers' table", &error);
    session.execute("ROLLBACK").await.map_err(failed)?;
    session.close().await.map_err(failed)
}

/// The consumer stays the same, its messages and its count of deliveries too.
async fn set_ack_wait(lab: &Lab, ack_wait: Duration) -> Result<(), LabError> {
    let reference = lab.topology()?.clone();
    let stream = reference.stream.clone();
    let config = Topology { ack_wait, ..reference }.consumer_config();
    let context = jetstream::new(lab.connect().await?);
    context
        .update_consumer_on_stream(config, stream)
        .await
        .map(drop)
        .map_err(|error| LabError::server("change the consumer's ack_wait", &error))
}

/// The server that leads the stream.
async fn stream_leader(lab: &Lab) -> Result<String, LabError> {
    let stream = &lab.topology()?.stream;
    let context = jetstream::new(lab.connect().await?);
    let failed = |error: &dyn std::fmt::Display| LabError::server("find the stream's leader", &error.to_string());
    let info = context.get_stream(stream).await.map_err(|error| failed(&error))?;
    let cluster = info.cached_info().cluster.as_ref();
    cluster
        .and_then(|cluster| cluster.leader.clone())
        .ok_or_else(|| failed(&"it has none"))
}

/// The server may fail to remove the consumer's folder while it is written to, and say so,
/// although the consumer is gone: what counts is that the old one is not there any more.
async fn delete_consumer(lab: &Lab) -> Result<(), LabError> {
    let topology = lab.topology()?;
    let context = jetstream::new(lab.connect().await?);
    let before = created(&context, topology).await;
    let deleted = context
        .delete_consumer_from_stream(&topology.consumer, &topology.stream)
        .await;
    let Err(error) = deleted else { return Ok(()) };
    if before.is_some() && created(&context, topology).await == before {
        return Err(LabError::server("delete the consumer", &error));
    }
    Ok(())
}

/// When the workers' consumer was created, unix nanoseconds; `None`: there is none.
async fn created(context: &jetstream::Context, topology: &Topology) -> Option<i128> {
    let found: Result<jetstream::consumer::PullConsumer, _> = context
        .get_consumer_from_stream(&topology.consumer, &topology.stream)
        .await;
    let consumer = found.ok()?;
    Some(consumer.cached_info().created.unix_timestamp_nanos())
}

async fn ensure_consumer(lab: &Lab) -> Result<(), LabError> {
    let context = jetstream::new(lab.connect().await?);
    topology::ensure(&context, lab.topology()?)
        .await
        .map(drop)
        .map_err(|error| LabError::server("create the consumer again", &error))
}

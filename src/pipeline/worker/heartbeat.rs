//! A sign of life every second, outside the transactions of the work.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use sqlx::Connection as _;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use tokio_util::sync::CancellationToken;

use super::Shared;
use crate::base::time::Timestamp;

const PERIOD: Duration = Duration::from_secs(1);

/// A heartbeat that takes longer is given up; the next one tries again.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Writes the worker's row every second until `finished`, then that it has stopped.
pub(super) async fn beat(shared: Arc<Shared>, options: PgConnectOptions, finished: CancellationToken) {
    let started = shared.clock.now().at;
    let mut connection = None;
    let mut database_up = shared.database_up.subscribe();
    loop {
        let state = match () {
            () if finished.is_cancelled() => "stopped",
            () if shared.stop.is_cancelled() => "stopping",
            () if !*database_up.borrow_and_update() => "paused",
            () => "running",
        };
        let beat = write(&shared, &options, &mut connection, started, state);
        if !matches!(tokio::time::timeout(TIMEOUT, beat).await, Ok(Ok(()))) {
            // The breaker tells of the outage: here it is only one heartbeat less.
            connection = None;
        }
        if state == "stopped" {
            return;
        }
        tokio::select! {
            () = finished.cancelled() => {}
            () = tokio::time::sleep(PERIOD) => {}
            // A worker is seen as soon as it can be.
            Ok(()) = database_up.changed() => {}
        }
    }
}

async fn write(
    shared: &Shared,
    options: &PgConnectOptions,
    connection: &mut Option<PgConnection>,
    started: Timestamp,
    state: &str,
) -> Result<(), sqlx::Error> {
    // Where the database is known to be away, only the writing stage knocks.
    if connection.is_none() && !*shared.database_up.borrow() {
        return Ok(());
    }
    // Put back only when it worked: a heartbeat that is given up half-way leaves nothing behind.
    let mut connected = match connection.take() {
        Some(connected) => connected,
        None => PgConnection::connect_with(options).await?,
    };
    sqlx::query(
        "INSERT INTO webhook_workers (worker, started_at, last_seen_at, version, state, processed)
         VALUES ($1, $2::timestamptz, now(), $3, $4, $5)
         ON CONFLICT (worker) DO UPDATE
         SET started_at = excluded.started_at, last_seen_at = excluded.last_seen_at, version = excluded.version,
             state = excluded.state, processed = excluded.processed",
    )
    .bind(&shared.config.name)
    .bind(started.to_string())
    .bind(env!("CARGO_PKG_VERSION"))
    .bind(state)
    .bind(i64::try_from(shared.processed.load(Ordering::Relaxed)).unwrap_or(i64::MAX))
    .execute(&mut connected)
    .await?;
    *connection = Some(connected);
    Ok(())
}

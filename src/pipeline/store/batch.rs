//! A batch in its transaction: the statements, and what they make of each message.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, Postgres, Row as _, Transaction};

use super::{Entry, Fate};
use crate::base::time::{SharedClock, Timestamp};

/// Observes how long things take.
pub(super) struct Timed<'a> {
    pub(super) clock: &'a SharedClock,
    pub(super) observe: &'a (dyn Fn(&'static str, Duration) + Send + Sync),
}

impl Timed<'_> {
    async fn run<T>(&self, operation: &'static str, work: impl Future<Output = T>) -> T {
        let begun = self.clock.now().mono;
        let done = work.await;
        (self.observe)(operation, self.clock.now().mono.saturating_sub(begun));
        done
    }
}

/// A batch in its transaction.
pub(super) struct Batch<'a> {
    pub(super) worker: &'a str,
    /// Which of the worker's writers this is.
    pub(super) writer: i16,
    /// The stream's creation time, RFC 3339.
    pub(super) created: String,
    pub(super) entries: &'a [Entry<'a>],
}

/// A transaction on a connection of the store's.
type Tx<'a> = Transaction<'a, Postgres>;

impl Batch<'_> {
    /// Writes it: all of it, or nothing.
    pub(super) async fn write(
        &self,
        connection: &mut PgConnection,
        timed: &Timed<'_>,
    ) -> Result<Vec<Fate>, sqlx::Error> {
        let mut tx = connection.begin().await?;
        // In the order of their ids, so that two workers never wait for each other crosswise.
        let mut good: Vec<&Entry<'_>> = self.entries.iter().filter(|entry| entry.failure.is_none()).collect();
        good.sort_unstable_by_key(|entry| (entry.id, entry.sequence));
        let mut written = HashSet::new();
        let mut skipped = HashSet::new();
        if !good.is_empty() {
            written = timed.run("insert_events", self.insert_events(&mut tx, &good)).await?;
            let absent: Vec<_> = good
                .iter()
                .copied()
                .filter(|e| !written.contains(&e.sequence))
                .collect();
            if !absent.is_empty() {
                skipped = self.insert_duplicates(&mut tx, &absent).await?;
            }
            let rows = good.iter().copied().filter(|entry| written.contains(&entry.sequence));
            timed.run("update_recipients", update_recipients(&mut tx, rows)).await?;
            timed
                .run("update_counters", self.update_counters(&mut tx, &written, &skipped))
                .await?;
            self.forget_attempts(&mut tx, &good).await?;
        }
        let mut attempts = HashMap::new();
        if good.len() < self.entries.len() {
            attempts = timed.run("record_attempts", self.record_attempts(&mut tx)).await?;
        }
        timed.run("commit", tx.commit()).await?;
        let fate = |entry: &Entry<'_>| match attempts.get(&entry.sequence) {
            Some(attempts) => Fate::Failed { attempts: *attempts },
            None if written.contains(&entry.sequence) => Fate::Written,
            None if skipped.contains(&entry.sequence) => Fate::Skipped,
            None => Fate::Known,
        };
        Ok(self.entries.iter().map(fate).collect())
    }

    /// Inserts what is not there yet. Returns the sequences of the messages that wrote a row.
    async fn insert_events(&self, tx: &mut Tx<'_>, good: &[&Entry<'_>]) -> Result<HashSet<u64>, sqlx::Error> {
        let rows = sqlx::query(
            "INSERT INTO webhook_events (webhook_id, provider, event_type, stream_seq, received_at, stream_created)
             SELECT u.id, u.provider, u.event, u.seq, to_timestamp(u.received), $6::timestamptz
             FROM UNNEST($1::text[], $2::text[], $3::text[], $4::int8[], $5::float8[])
                  AS u(id, provider, event, seq, received)
             ON CONFLICT (webhook_id) DO NOTHING
             RETURNING stream_seq",
        )
        .bind(column(good, |entry| entry.id))
        .bind(column(good, |entry| entry.provider))
        .bind(column(good, |entry| entry.event))
        .bind(column(good, |entry| bigint(entry.sequence)))
        .bind(column(good, |entry| entry.received_at.as_duration().as_secs_f64()))
        .bind(&self.created)
        .fetch_all(&mut **tx)
        .await?;
        sequences(&rows)
    }

    /// Of messages whose webhook is there already, records those that are not the message that
    /// wrote it. Returns the sequences of those that were not recorded before.
    async fn insert_duplicates(&self, tx: &mut Tx<'_>, absent: &[&Entry<'_>]) -> Result<HashSet<u64>, sqlx::Error> {
        let rows = sqlx::query(
            "INSERT INTO webhook_duplicates (stream_created, stream_seq, webhook_id)
             SELECT $3::timestamptz, u.seq, u.id
             FROM UNNEST($1::text[], $2::int8[]) AS u(id, seq) JOIN webhook_events e ON e.webhook_id = u.id
             WHERE (e.stream_created, e.stream_seq) IS DISTINCT FROM ($3::timestamptz, u.seq)
             ON CONFLICT DO NOTHING
             RETURNING stream_seq",
        )
        .bind(column(absent, |entry| entry.id))
        .bind(column(absent, |entry| bigint(entry.sequence)))
        .bind(&self.created)
        .fetch_all(&mut **tx)
        .await?;
        sequences(&rows)
    }

    /// Adds what this transaction did to the writer's counters.
    async fn update_counters(
        &self,
        tx: &mut Tx<'_>,
        written: &HashSet<u64>,
        skipped: &HashSet<u64>,
    ) -> Result<(), sqlx::Error> {
        let mut counts: BTreeMap<(&str, &str), (i64, i64)> = BTreeMap::new();
        for entry in self.entries {
            let row = i64::from(written.contains(&entry.sequence));
            let skip = i64::from(skipped.contains(&entry.sequence));
            if row + skip > 0 {
                let count = counts.entry((entry.provider, entry.event)).or_default();
                count.0 += row;
                count.1 += skip;
            }
        }
        if counts.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "INSERT INTO webhook_counters (worker, writer, provider, event_type, rows_written, skipped)
             SELECT $1, $2, u.provider, u.event, u.written, u.skipped
             FROM UNNEST($3::text[], $4::text[], $5::int8[], $6::int8[]) AS u(provider, event, written, skipped)
             ON CONFLICT (worker, provider, event_type, writer) DO UPDATE
             SET rows_written = webhook_counters.rows_written + excluded.rows_written,
                 skipped = webhook_counters.skipped + excluded.skipped,
                 updated_at = now()",
        )
        .bind(self.worker)
        .bind(self.writer)
        .bind(counts.keys().map(|(provider, _)| *provider).collect::<Vec<_>>())
        .bind(counts.keys().map(|(_, event)| *event).collect::<Vec<_>>())
        .bind(counts.values().map(|(written, _)| *written).collect::<Vec<_>>())
        .bind(counts.values().map(|(_, skipped)| *skipped).collect::<Vec<_>>())
        .execute(&mut **tx)
        .await?;
        Ok(())
    }

    /// Counts one failed attempt for every failed message; twice recorded, one delivery counts once.
    async fn record_attempts(&self, tx: &mut Tx<'_>) -> Result<HashMap<u64, u32>, sqlx::Error> {
        let mut failed: Vec<&Entry<'_>> = self.entries.iter().filter(|entry| entry.failure.is_some()).collect();
        failed.sort_unstable_by_key(|entry| entry.sequence);
        let rows = sqlx::query(
            "INSERT INTO webhook_attempts AS a (stream_created, stream_seq, delivery, attempts, error)
             SELECT $4::timestamptz, u.seq, u.delivery, 1, u.error
             FROM UNNEST($1::int8[], $2::int8[], $3::text[]) AS u(seq, delivery, error)
             ON CONFLICT (stream_created, stream_seq) DO UPDATE
             SET attempts = a.attempts + (a.delivery <> excluded.delivery)::int,
                 delivery = excluded.delivery, error = excluded.error, failed_at = now()
             RETURNING stream_seq, attempts",
        )
        .bind(column(&failed, |entry| bigint(entry.sequence)))
        .bind(column(&failed, |entry| bigint(entry.delivery)))
        .bind(column(&failed, |entry| entry.failure.unwrap_or_default()))
        .bind(&self.created)
        .fetch_all(&mut **tx)
        .await?;
        rows.iter()
            .map(|row| {
                let (sequence, attempts) = (row.try_get::<i64, _>(0)?, row.try_get::<i32, _>(1)?);
                Ok((sequence.unsigned_abs(), attempts.unsigned_abs()))
            })
            .collect()
    }

    /// Removes the failed attempts of what has now succeeded.
    async fn forget_attempts(&self, tx: &mut Tx<'_>, good: &[&Entry<'_>]) -> Result<(), sqlx::Error> {
        let again: Vec<i64> = good
            .iter()
            .filter(|entry| entry.delivery > 1)
            .map(|entry| bigint(entry.sequence))
            .collect();
        if again.is_empty() {
            return Ok(());
        }
        sqlx::query("DELETE FROM webhook_attempts WHERE stream_created = $1::timestamptz AND stream_seq = ANY($2)")
            .bind(&self.created)
            .bind(again)
            .execute(&mut **tx)
            .await?;
        Ok(())
    }
}

/// What a batch means for one recipient.
struct Reached<'a> {
    webhooks: i64,
    event: &'a str,
    at: Timestamp,
}

/// The bulk update: one row per recipient, whatever the number of its webhooks (one statement
/// touches a row once).
async fn update_recipients<'a>(tx: &mut Tx<'_>, rows: impl Iterator<Item = &'a Entry<'a>>) -> Result<(), sqlx::Error> {
    let mut recipients: BTreeMap<&str, Reached<'_>> = BTreeMap::new();
    for entry in rows {
        let Some(recipient) = entry.recipient else { continue };
        let reached = recipients.entry(recipient).or_insert(Reached {
            webhooks: 0,
            event: entry.event,
            at: entry.received_at,
        });
        reached.webhooks += 1;
        if entry.received_at >= reached.at {
            (reached.event, reached.at) = (entry.event, entry.received_at);
        }
    }
    if recipients.is_empty() {
        return Ok(());
    }
    // In the order of their keys, so that two workers that reach the same recipients never wait
    // for each other crosswise. Each key is looked up in the index, however many recipients there
    // are: an `UPDATE … FROM` of a thousand keys reads the whole table instead until it is large.
    sqlx::query(
        "INSERT INTO webhook_recipients AS r (recipient, webhooks, last_event_type, last_event_at)
         SELECT u.recipient, u.webhooks, u.event, to_timestamp(u.at)
         FROM UNNEST($1::text[], $2::int8[], $3::text[], $4::float8[]) AS u(recipient, webhooks, event, at)
         ON CONFLICT (recipient) DO UPDATE
         SET webhooks = r.webhooks + excluded.webhooks,
             last_event_type = CASE WHEN excluded.last_event_at >= r.last_event_at
                                    THEN excluded.last_event_type ELSE r.last_event_type END,
             last_event_at = greatest(r.last_event_at, excluded.last_event_at)",
    )
    .bind(recipients.keys().copied().collect::<Vec<_>>())
    .bind(recipients.values().map(|reached| reached.webhooks).collect::<Vec<_>>())
    .bind(recipients.values().map(|reached| reached.event).collect::<Vec<_>>())
    .bind(
        recipients
            .values()
            .map(|reached| reached.at.as_duration().as_secs_f64())
            .collect::<Vec<_>>(),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

fn column<'a, T>(entries: &[&'a Entry<'a>], value: impl Fn(&'a Entry<'a>) -> T) -> Vec<T> {
    entries.iter().map(|entry| value(entry)).collect()
}

fn sequences(rows: &[sqlx::postgres::PgRow]) -> Result<HashSet<u64>, sqlx::Error> {
    rows.iter()
        .map(|row| row.try_get::<i64, _>(0).map(i64::unsigned_abs))
        .collect()
}

/// Sequences never reach 2^63.
fn bigint(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

//! The lease: one replay at a time on a DLQ, across operators. Fenced: its holder stops 2 s
//! before it ends, whoever takes it over waits until it has ended and nothing that the holder
//! sent can still arrive.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::bucket::{self, BucketError, Revised};
use super::exchange::{Exchange, PATIENCE};
use super::journal::Counts;
use crate::base::text;
use crate::base::time::{Moment, SharedClock, Timestamp};

/// How long before the end of its lease a holder stops.
pub const MARGIN: Duration = Duration::from_secs(2);

/// How long a lease lasts without being renewed.
pub const LASTS: Duration = Duration::from_secs(15);

/// The shortest lease: [`MARGIN`] and time to renew it twice.
pub const SHORTEST: Duration = Duration::from_secs(3);

/// What the bucket holds of a lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Who has it: `user@host`.
    pub holder: Arc<str>,
    /// The holder's process: unique.
    pub session: Arc<str>,
    /// The replay.
    pub replay: Arc<str>,
    /// The DLQ, and when it was created.
    pub dlq: Arc<str>,
    /// When that was created.
    pub dlq_created: Timestamp,
    /// How often it was taken over.
    pub epoch: u64,
    /// Since when, by the holder's clock.
    pub since: Timestamp,
    /// How long it lasts after each renewal, milliseconds.
    pub lasts_ms: u64,
    /// Whether its holder gave it back.
    pub released: bool,
    /// Whether the replay came to its end.
    pub ended: bool,
    /// How far it is.
    pub progress: Counts,
}

impl Claim {
    /// Whether somebody may hold it, or left a replay unfinished.
    #[must_use]
    pub fn is_free(&self) -> bool {
        self.released && self.ended
    }
}

/// Why there is no lease.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeaseError {
    /// Another replay of this DLQ runs, or was left unfinished.
    #[error("{} is replaying {} since {}: {} of {} published → wait for its end; if it is dead: --resume --take-over {}",
        text::safe(&.0.holder), text::safe(&.0.dlq), .0.since.strftime("%Y-%m-%d %H:%M:%SZ"), .0.progress.landed, .0.progress.selected, text::safe(&.0.holder))]
    Held(Box<Claim>),
    /// There is a replay to go on with.
    #[error("{} left a replay of {} unfinished: {} of {} published → go on with --resume{}",
        text::safe(&.claim.holder), text::safe(&.claim.dlq), .claim.progress.landed, .claim.progress.selected,
        if *.ours { String::new() } else { format!(" --take-over {}", text::safe(&.claim.holder)) })]
    Unfinished {
        /// What the bucket holds.
        claim: Box<Claim>,
        /// Whether we ourselves left it.
        ours: bool,
    },
    /// The name that was typed is not the holder's.
    #[error("the lease is held by {holder}, not by {typed} → --take-over {holder}")]
    WrongHolder {
        /// Who holds it.
        holder: String,
        /// What was typed.
        typed: String,
    },
    /// The holder lives: it renewed its lease while we waited.
    #[error("{0} is alive and renewed its lease → end it there first")]
    Alive(String),
    /// Somebody took it from us, or it could not be renewed in time.
    #[error("the lease is lost: {0} → --resume goes on with what is left")]
    Lost(String),
    /// The bucket cannot be used.
    #[error("lease: {0} → allow publishing to $KV.hookwatch.> and creating the stream KV_hookwatch")]
    Bucket(String),
}

impl From<BucketError> for LeaseError {
    fn from(error: BucketError) -> Self {
        Self::Bucket(error.to_string())
    }
}

/// How the lease stands, for those who send.
#[derive(Clone, Debug)]
struct Fence {
    /// Nothing may be sent from here on: monotonic clock.
    mono: Duration,
    /// The same by the wall clock, which goes on while the machine sleeps.
    wall: Timestamp,
    lost: Option<String>,
}

/// A lease that we hold and that renews itself.
#[derive(Debug)]
pub struct Lease {
    key: String,
    lasts: Duration,
    clock: SharedClock,
    state: Arc<Mutex<State>>,
    fence: watch::Receiver<Fence>,
    renewing: Option<DropGuard>,
}

#[derive(Debug)]
struct State {
    claim: Claim,
    revision: u64,
}

/// What a lease is wanted for.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Who wants it: `user@host`.
    pub holder: Arc<str>,
    /// This process: unique.
    pub session: Arc<str>,
    /// The replay.
    pub replay: Arc<str>,
    /// The DLQ.
    pub dlq: Arc<str>,
    /// When that was created.
    pub dlq_created: Timestamp,
    /// How long it is to last.
    pub lasts: Duration,
}

impl Wanted {
    fn claim(&self, epoch: u64, now: Moment) -> Claim {
        Claim {
            holder: self.holder.clone(),
            session: self.session.clone(),
            replay: self.replay.clone(),
            dlq: self.dlq.clone(),
            dlq_created: self.dlq_created,
            epoch,
            since: now.at,
            lasts_ms: u64::try_from(self.lasts.max(SHORTEST).as_millis()).unwrap_or(u64::MAX),
            released: false,
            ended: false,
            progress: Counts::default(),
        }
    }
}

/// What the bucket says of a DLQ's lease.
///
/// # Errors
/// When it cannot be read.
pub async fn look(exchange: &Exchange, dlq: &str) -> Result<Option<Revised<Claim>>, LeaseError> {
    Ok(bucket::get(exchange, &bucket::key("lease", dlq)).await?)
}

impl Lease {
    /// Takes a lease that is free, for a new replay.
    ///
    /// # Errors
    /// When somebody has it, or a replay was left unfinished.
    pub async fn take(exchange: &Arc<Exchange>, wanted: &Wanted, clock: &SharedClock) -> Result<Self, LeaseError> {
        let found = look(exchange, &wanted.dlq).await?;
        let (epoch, revision) = match found {
            None => (1, 0),
            Some(found) if found.value.is_free() || found.value.dlq_created != wanted.dlq_created => {
                (found.value.epoch + 1, found.revision)
            }
            Some(found) if found.value.released => {
                return Err(LeaseError::Unfinished {
                    ours: found.value.holder == wanted.holder,
                    claim: Box::new(found.value),
                });
            }
            Some(found) => return Err(LeaseError::Held(Box::new(found.value))),
        };
        Self::claim(exchange, wanted, epoch, revision, clock).await
    }

    /// Takes back the lease of our own replay, whose journal we have locked: its holder is dead.
    ///
    /// # Errors
    /// When another operator took over in the meantime.
    pub async fn take_back(exchange: &Arc<Exchange>, wanted: &Wanted, clock: &SharedClock) -> Result<Self, LeaseError> {
        match look(exchange, &wanted.dlq).await? {
            None => Self::claim(exchange, wanted, 1, 0, clock).await,
            Some(found) if found.value.replay == wanted.replay && found.value.holder == wanted.holder => {
                Self::claim(exchange, wanted, found.value.epoch, found.revision, clock).await
            }
            Some(found) if found.value.is_free() => {
                Self::claim(exchange, wanted, found.value.epoch + 1, found.revision, clock).await
            }
            Some(found) => Err(LeaseError::Held(Box::new(found.value))),
        }
    }

    /// Takes the lease of another operator whose name was typed. Waits until it has ended and
    /// whatever its holder sent has arrived; fails when the holder renews it meanwhile.
    ///
    /// # Errors
    /// When it is another's, or its holder lives.
    pub async fn take_over(
        exchange: &Arc<Exchange>,
        wanted: &Wanted,
        typed: &str,
        clock: &SharedClock,
    ) -> Result<Self, LeaseError> {
        let Some(found) = look(exchange, &wanted.dlq).await? else {
            return Self::claim(exchange, wanted, 1, 0, clock).await;
        };
        let shown = |text: &str| text::safe(text).into_owned();
        if *found.value.holder != *typed {
            return Err(LeaseError::WrongHolder {
                holder: shown(&found.value.holder),
                typed: shown(typed),
            });
        }
        if !found.value.released {
            // No clock is compared with another: it has ended when it stayed the same for as
            // long as it lasts.
            tokio::time::sleep(Duration::from_millis(found.value.lasts_ms) + PATIENCE).await;
            let again = look(exchange, &wanted.dlq).await?;
            if again.is_none_or(|again| again.revision != found.revision) {
                return Err(LeaseError::Alive(shown(&found.value.holder)));
            }
        }
        Self::claim(exchange, wanted, found.value.epoch + 1, found.revision, clock).await
    }

    async fn claim(
        exchange: &Arc<Exchange>,
        wanted: &Wanted,
        epoch: u64,
        revision: u64,
        clock: &SharedClock,
    ) -> Result<Self, LeaseError> {
        let key = bucket::key("lease", &wanted.dlq);
        let asked = clock.now();
        let claim = wanted.claim(epoch, asked);
        let revision = match bucket::put(exchange, &key, &claim, Some(revision)).await {
            Ok(revision) => revision,
            Err(BucketError::Conflict) => {
                let holder = look(exchange, &wanted.dlq).await?.map(|found| found.value);
                return Err(holder.map_or_else(
                    || LeaseError::Lost("somebody else was faster".to_owned()),
                    |claim| LeaseError::Held(Box::new(claim)),
                ));
            }
            Err(error) => return Err(error.into()),
        };
        let lasts = wanted.lasts.max(SHORTEST);
        let (sender, fence) = watch::channel(fence(asked, lasts));
        let mut lease = Self {
            key,
            lasts,
            clock: clock.clone(),
            state: Arc::new(Mutex::new(State { claim, revision })),
            fence,
            renewing: None,
        };
        lease.renew_over(exchange.clone(), sender);
        Ok(lease)
    }

    /// Renews it over another connection, the one before being lost.
    ///
    /// # Errors
    /// When it was taken from us, or cannot be renewed.
    pub async fn reconnect(&mut self, exchange: &Arc<Exchange>) -> Result<(), LeaseError> {
        self.renewing = None;
        let asked = self.clock.now();
        renew(exchange, &self.key, &self.state).await?;
        let (sender, receiver) = watch::channel(fence(asked, self.lasts));
        self.fence = receiver;
        self.renew_over(exchange.clone(), sender);
        Ok(())
    }

    fn renew_over(&mut self, exchange: Arc<Exchange>, fences: watch::Sender<Fence>) {
        let stop = CancellationToken::new();
        let (ended, clock, lasts) = (stop.clone(), self.clock.clone(), self.lasts);
        let (key, state) = (self.key.clone(), self.state.clone());
        let work = async move {
            loop {
                tokio::time::sleep(lasts.saturating_sub(MARGIN) / 3).await;
                let asked = clock.now();
                match renew(&exchange, &key, &state).await {
                    Ok(()) => {
                        fences.send_replace(fence(asked, lasts));
                    }
                    Err(LeaseError::Lost(reason)) => {
                        fences.send_modify(|fence| fence.lost = Some(reason));
                        return;
                    }
                    // Tried again; without success the fence comes.
                    Err(error) => tracing::warn!(%error, "the lease was not renewed"),
                }
            }
        };
        tokio::spawn(async move {
            tokio::select! {
                () = work => {}
                () = ended.cancelled() => {}
            }
        });
        self.renewing = Some(stop.drop_guard());
    }

    /// Whether we may still send.
    ///
    /// # Errors
    /// When not: nothing may be sent or deleted any more.
    pub fn check(&self) -> Result<(), LeaseError> {
        check(&self.fence.borrow(), &self.clock)
    }

    /// The same for a task that sends beside its holder. It knows nothing of what
    /// [`Lease::reconnect`] renews after this.
    #[must_use]
    pub fn guard(&self) -> Guard {
        Guard {
            fence: self.fence.clone(),
            clock: self.clock.clone(),
        }
    }

    /// What others are to see of the progress, from the next renewal on.
    pub fn show(&self, progress: Counts) {
        lock(&self.state).claim.progress = progress;
    }

    /// The same lease for the replay under its new name.
    ///
    /// # Errors
    /// When it was taken from us, or cannot be renewed.
    pub async fn rename(mut self, exchange: &Arc<Exchange>, replay: Arc<str>) -> Result<Self, LeaseError> {
        self.renewing = None;
        lock(&self.state).claim.replay = replay;
        self.reconnect(exchange).await?;
        Ok(self)
    }

    /// How often it was taken over.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        lock(&self.state).claim.epoch
    }

    /// Gives it back; `ended`: nothing is left to do.
    ///
    /// # Errors
    /// When it could not be given back: it then ends by itself.
    pub async fn release(&mut self, exchange: &Exchange, progress: Counts, ended: bool) -> Result<(), LeaseError> {
        self.renewing = None;
        {
            let mut state = lock(&self.state);
            state.claim.released = true;
            state.claim.ended = ended;
            state.claim.progress = progress;
        }
        renew(exchange, &self.key, &self.state).await
    }
}

/// Whether the lease lasts, for a task that sends.
#[derive(Clone, Debug)]
pub struct Guard {
    fence: watch::Receiver<Fence>,
    clock: SharedClock,
}

impl Guard {
    /// As [`Lease::check`].
    ///
    /// # Errors
    /// When nothing may be sent any more.
    pub fn check(&self) -> Result<(), LeaseError> {
        check(&self.fence.borrow(), &self.clock)
    }
}

fn check(fence: &Fence, clock: &SharedClock) -> Result<(), LeaseError> {
    if let Some(reason) = &fence.lost {
        return Err(LeaseError::Lost(reason.clone()));
    }
    let now = clock.now();
    if now.mono >= fence.mono || now.at >= fence.wall {
        return Err(LeaseError::Lost(
            "it could not be renewed in time, or this process stood still".to_owned(),
        ));
    }
    Ok(())
}

/// From `asked` on, because the server may have counted from then.
fn fence(asked: Moment, lasts: Duration) -> Fence {
    let until = lasts.saturating_sub(MARGIN);
    Fence {
        mono: asked.mono + until,
        wall: asked.at.saturating_add(until).unwrap_or(asked.at),
        lost: None,
    }
}

async fn renew(exchange: &Exchange, key: &str, state: &Arc<Mutex<State>>) -> Result<(), LeaseError> {
    let (claim, revision) = {
        let state = lock(state);
        (state.claim.clone(), state.revision)
    };
    let revision = match bucket::put(exchange, key, &claim, Some(revision)).await {
        Ok(revision) => revision,
        Err(BucketError::Conflict) => {
            // After a crash the server may have forgotten our last renewals, or have kept one
            // whose answer was lost: as long as it names us, it is ours.
            let found = bucket::get::<Claim>(exchange, key).await?;
            match found {
                Some(found) if found.value.session != claim.session => {
                    return Err(LeaseError::Lost(format!("{} has it", text::safe(&found.value.holder))));
                }
                found => {
                    let known = found.map_or(0, |found| found.revision);
                    match bucket::put(exchange, key, &claim, Some(known)).await {
                        Ok(revision) => revision,
                        Err(BucketError::Conflict) => {
                            return Err(LeaseError::Lost("somebody else took it".to_owned()));
                        }
                        Err(error) => return Err(error.into()),
                    }
                }
            }
        }
        Err(error) => return Err(error.into()),
    };
    lock(state).revision = revision;
    Ok(())
}

fn lock(state: &Arc<Mutex<State>>) -> std::sync::MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

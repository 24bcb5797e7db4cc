//! Who sends which shot when. One thread lets shots go at their times; lanes take them.
//!
//! A thread of its own because the runtime's timers count in milliseconds: a shot every 50 µs
//! would come in bundles, and every latency would hold a millisecond of ours.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::{self, Thread};
use std::time::Duration;

use tokio::sync::{Semaphore, watch};

use super::mix::Mix;
use super::plan::{Limit, Plan, Steering};
use crate::act::pace::Schedule;
use crate::base::time::{Moment, SharedClock};

/// The shortest sleep: closer times go together, a tenth of a millisecond late at most.
const SHORTEST: Duration = Duration::from_micros(100);

/// The longest sleep: how soon a change of the steering is seen.
const LONGEST: Duration = Duration::from_millis(20);

/// Locks what no panic can leave half done.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the dispatcher and the lanes share.
pub(super) struct Dispatch {
    clock: SharedClock,
    start: Duration,
    schedule: Mutex<Schedule>,
    mix: RwLock<Arc<Mix>>,
    /// Shots below this number may be taken.
    released: AtomicU64,
    /// The number of the next shot.
    taken: AtomicU64,
    /// No shot from this number on will ever be taken.
    end: AtomicU64,
    /// Wakes lanes. A wake-up is a hint, [`Dispatch::try_take`] decides: so there need be no more
    /// of them than lanes.
    wake: Semaphore,
    lanes: usize,
    is_over: AtomicBool,
}

/// A shot to be sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken {
    pub(super) seq: u64,
    /// When it should have been sent, since the start.
    pub(super) intended: Duration,
}

impl Dispatch {
    pub(super) fn new(plan: &Plan, clock: SharedClock) -> Self {
        Self {
            start: clock.now().mono,
            clock,
            schedule: Mutex::new(Schedule::new(plan.shape)),
            mix: RwLock::new(plan.mix.clone()),
            released: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            end: AtomicU64::new(plan.limit.count.unwrap_or(u64::MAX)),
            wake: Semaphore::new(0),
            lanes: plan.concurrency.get(),
            is_over: AtomicBool::new(false),
        }
    }

    /// Time since the start.
    pub(super) fn elapsed(&self) -> Duration {
        self.clock.now().mono.saturating_sub(self.start)
    }

    /// A moment as time since the start.
    pub(super) fn since_start(&self, moment: Moment) -> Duration {
        moment.mono.saturating_sub(self.start)
    }

    /// Whether nothing more is to be sent.
    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    /// What is fired now.
    pub(super) fn mix(&self) -> Arc<Mix> {
        self.mix.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The next shot, as soon as it is due; `None`: there will be none.
    pub(super) async fn take(&self) -> Option<Taken> {
        loop {
            if let Some(seq) = self.try_take() {
                let schedule = lock(&self.schedule);
                let intended = if schedule.is_unpaced() { None } else { schedule.due(seq) };
                drop(schedule);
                return Some(Taken {
                    seq,
                    intended: intended.unwrap_or_else(|| self.elapsed()),
                });
            }
            if self.is_finished() {
                return None;
            }
            self.wake.acquire().await.ok()?.forget();
        }
    }

    fn try_take(&self) -> Option<u64> {
        let mut next = self.taken.load(Ordering::Acquire);
        loop {
            let limit = self
                .released
                .load(Ordering::Acquire)
                .min(self.end.load(Ordering::Acquire));
            if next >= limit {
                return None;
            }
            match self
                .taken
                .compare_exchange_weak(next, next + 1, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) => {
                    if next + 1 >= self.end.load(Ordering::Acquire) {
                        // That was the last: nobody need wait any longer.
                        self.wake.close();
                    }
                    return Some(next);
                }
                Err(now) => next = now,
            }
        }
    }

    fn is_finished(&self) -> bool {
        self.taken.load(Ordering::Acquire) >= self.end.load(Ordering::Acquire)
    }

    /// Ends the run: no further shot is taken, those under way are finished.
    pub(super) fn halt(&self) {
        self.is_over.store(true, Ordering::Release);
        self.end.store(0, Ordering::Release);
        self.wake.close();
    }

    /// How many shots the schedule asks for until now, or asked for until the end.
    pub(super) fn due(&self, limit: Limit, now: Duration) -> u64 {
        let until = limit.duration.map_or(now, |duration| {
            // A shot due at the very end is beyond it.
            now.min(duration.saturating_sub(Duration::from_nanos(1)))
        });
        let schedule = lock(&self.schedule);
        let due = if schedule.is_unpaced() {
            self.taken.load(Ordering::Acquire)
        } else {
            schedule.count_until(until)
        };
        due.min(limit.count.unwrap_or(u64::MAX))
    }

    /// Lets shots below `to` go.
    fn release(&self, to: u64) {
        let from = self.released.swap(to, Ordering::AcqRel);
        let new = usize::try_from(to.saturating_sub(from)).unwrap_or(usize::MAX);
        let asleep_at_most = self.lanes.saturating_sub(self.wake.available_permits());
        self.wake.add_permits(new.min(asleep_at_most));
    }

    fn steer(&self, steering: &Steering) {
        *self.mix.write().unwrap_or_else(PoisonError::into_inner) = steering.mix.clone();
        let taken = self.taken.load(Ordering::Acquire);
        let now = self.elapsed();
        let mut schedule = lock(&self.schedule);
        let was_unpaced = schedule.is_unpaced();
        schedule.change(now, taken, steering.shape);
        if was_unpaced {
            // Everything had been let go; from here on the schedule says what.
            self.released.store(taken, Ordering::Release);
        }
    }

    /// One look at the clock: lets go what is due, and says how long to sleep; `None`: it is over.
    fn step(&self, limit: Limit) -> Option<Duration> {
        if self.is_over.load(Ordering::Acquire) || self.is_finished() {
            return None;
        }
        let now = self.elapsed();
        let mut schedule = lock(&self.schedule);
        schedule.forget_before(self.taken.load(Ordering::Acquire));
        let ends_in = limit.duration.map(|duration| duration.saturating_sub(now));
        if ends_in == Some(Duration::ZERO) {
            drop(schedule);
            self.halt();
            return None;
        }
        let due = schedule.count_until(now).min(limit.count.unwrap_or(u64::MAX));
        // When all are out there is no next time to wake for.
        let next = (due < limit.count.unwrap_or(u64::MAX))
            .then(|| schedule.due(due))
            .flatten();
        drop(schedule);
        if due > self.released.load(Ordering::Acquire) {
            self.release(due);
        }
        let wait = next.map_or(LONGEST, |next| next.saturating_sub(now));
        Some(wait.clamp(SHORTEST, LONGEST).min(ends_in.unwrap_or(LONGEST)))
    }
}

/// The thread that lets shots go; it ends when the handle is dropped.
pub(super) struct Dispatcher {
    dispatch: Arc<Dispatch>,
    thread: Thread,
}

impl Dispatcher {
    pub(super) fn start(
        dispatch: Arc<Dispatch>,
        limit: Limit,
        steering: Option<watch::Receiver<Steering>>,
    ) -> std::io::Result<Self> {
        let own = dispatch.clone();
        let handle = thread::Builder::new()
            .name("fire".to_owned())
            .spawn(move || run(&own, limit, steering))?;
        Ok(Self {
            dispatch,
            thread: handle.thread().clone(),
        })
    }
}

impl Drop for Dispatcher {
    fn drop(&mut self) {
        self.dispatch.halt();
        self.thread.unpark();
    }
}

fn run(dispatch: &Dispatch, limit: Limit, mut steering: Option<watch::Receiver<Steering>>) {
    while let Some(wait) = dispatch.step(limit) {
        if let Some(steering) = &mut steering
            && steering.has_changed().unwrap_or(false)
        {
            let change = steering.borrow_and_update().clone();
            dispatch.steer(&change);
            continue;
        }
        thread::park_timeout(wait);
    }
}

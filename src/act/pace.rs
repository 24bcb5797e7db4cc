//! Open-loop pacing, shared by replay, test webhooks and the lab's load: when each shot is *due*,
//! whatever became of the ones before it. Latency that is counted from that moment holds the wait
//! that a slow receiver caused (no coordinated omission).
//!
//! Pure arithmetic on the time since the start, in whole numbers: no drift, no rounding that adds
//! up, the same answer on every machine.

use std::collections::VecDeque;
use std::num::NonZeroU64;
use std::time::Duration;

/// One shot, in the unit that a rate's counter advances in: nanoseconds × shots per 1,000 s.
const SHOT: u128 = 1_000_000_000 * 1_000;

/// The longest ramp. Its arithmetic stays within 128 bits.
pub const LONGEST_RAMP: Duration = Duration::from_hours(24);

/// Shots per second, with a resolution of 0.001/s.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate {
    per_1000_s: u64,
}

/// A rate that cannot be.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("rate {given}/s: {reason} → {next}")]
pub struct RateError {
    given: f64,
    reason: &'static str,
    next: &'static str,
}

impl Rate {
    /// No shots at all: a pause.
    pub const PAUSED: Self = Self { per_1000_s: 0 };

    /// The highest rate per second. More than one process can generate.
    pub const MAX: f64 = 500_000.0;

    /// A rate above 0.
    ///
    /// # Errors
    /// When it is not a number, not above 0 (0.0005 rounds to 0), or above [`Rate::MAX`].
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to lie between 0.0005 and MAX"
    )]
    pub fn per_second(given: f64) -> Result<Self, RateError> {
        let error = |reason, next| RateError { given, reason, next };
        if !given.is_finite() {
            return Err(error("it is not a number", "give shots per second"));
        }
        if given < 0.0005 {
            return Err(error("it must be above 0", "give shots per second, from 0.001 up"));
        }
        if given > Self::MAX {
            return Err(error(
                "no single process sends that fast",
                "give at most 500000, or share the load among processes",
            ));
        }
        Ok(Self {
            per_1000_s: (given * 1_000.0).round() as u64,
        })
    }

    /// Shots per second.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        self.per_1000_s as f64 / 1_000.0
    }
}

/// How shots are spread over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Evenly. The first shot is due at once.
    Steady(Rate),
    /// From one rate to another in a straight line, then steady.
    Ramp {
        /// The rate at first.
        from: Rate,
        /// The rate at the end.
        to: Rate,
        /// How long it takes; at most [`LONGEST_RAMP`], longer is cut.
        over: Duration,
    },
    /// So many at once, again and again. `every` zero: all at once.
    Bursts {
        /// Shots in a burst.
        size: NonZeroU64,
        /// From one burst to the next.
        every: Duration,
    },
    /// As fast as they can be sent: a shot is due when somebody is free to send it. No intended
    /// times, hence no open loop.
    Unpaced,
}

impl Shape {
    /// Whether every shot there may ever be is due at the beginning.
    fn is_boundless(self) -> bool {
        match self {
            Self::Unpaced => true,
            Self::Bursts { every, .. } => every.is_zero(),
            Self::Steady(_) | Self::Ramp { .. } => false,
        }
    }

    /// How far the counter has come after `elapsed`, in [`SHOT`]s.
    fn progress(self, elapsed: Duration) -> u128 {
        let nanos = elapsed.as_nanos();
        match self {
            Self::Steady(rate) => nanos * u128::from(rate.per_1000_s),
            Self::Ramp { from, to, over } => {
                let over = over.min(LONGEST_RAMP).as_nanos();
                let within = nanos.min(over);
                let beyond = nanos - within;
                let (from, to) = (u128::from(from.per_1000_s), u128::from(to.per_1000_s));
                // The area under the line: from·t + (to − from)·t²/2T, written without a negative term.
                let area = if over == 0 {
                    0
                } else {
                    (2 * over - within) * within * from / (2 * over) + within * within * to / (2 * over)
                };
                area + beyond * to
            }
            Self::Bursts { size, every } => {
                let bursts = nanos.checked_div(every.as_nanos());
                bursts.map_or(u128::MAX, |bursts| {
                    (bursts + 1)
                        .saturating_mul(u128::from(size.get()))
                        .saturating_sub(1)
                        .saturating_mul(SHOT)
                })
            }
            Self::Unpaced => u128::MAX,
        }
    }

    /// After how long the counter has come to `target`; `None`: never.
    fn time_of(self, target: u128) -> Option<Duration> {
        if target == 0 {
            return Some(Duration::ZERO);
        }
        match self {
            Self::Steady(rate) => Some(nanoseconds(target.div_ceil(nonzero(rate)?))),
            Self::Ramp { to, over, .. } => {
                let over = over.min(LONGEST_RAMP);
                let at_end = self.progress(over);
                if target > at_end {
                    let rest = (target - at_end).div_ceil(nonzero(to)?);
                    return Some(over + nanoseconds(rest));
                }
                let (mut low, mut high) = (0, over.as_nanos());
                while low < high {
                    let middle = u128::midpoint(low, high);
                    if self.progress(nanoseconds(middle)) < target {
                        low = middle + 1;
                    } else {
                        high = middle;
                    }
                }
                Some(nanoseconds(low))
            }
            Self::Bursts { size, every } => {
                let burst = target.div_ceil(SHOT) / u128::from(size.get());
                Some(nanoseconds(burst.saturating_mul(every.as_nanos())))
            }
            Self::Unpaced => Some(Duration::ZERO),
        }
    }
}

fn nonzero(rate: Rate) -> Option<u128> {
    (rate.per_1000_s > 0).then_some(u128::from(rate.per_1000_s))
}

/// Nanoseconds as a duration; more than 584 years are cut.
fn nanoseconds(nanos: u128) -> Duration {
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// A stretch of time in which the shape stays the same.
#[derive(Clone, Debug)]
struct Segment {
    shape: Shape,
    /// The number of its first shot.
    first: u64,
    /// When it begins.
    begin: Duration,
    /// What the counter still has to run before its first shot: what is left of the shot that was
    /// under way when the shape changed.
    owed: u128,
}

impl Segment {
    /// Whether nothing is ever due, not even a first shot.
    fn is_paused(&self) -> bool {
        self.shape == Shape::Steady(Rate::PAUSED)
    }

    fn due(&self, shot: u64) -> Option<Duration> {
        if self.is_paused() {
            return None;
        }
        let target = u128::from(shot - self.first) * SHOT + self.owed;
        Some(self.begin + self.shape.time_of(target)?)
    }

    /// The number of the first shot that is not yet due, and what it is still owed.
    fn standing(&self, now: Duration) -> (u64, u128) {
        if self.is_paused() {
            return (self.first, self.owed);
        }
        let progress = self.shape.progress(now.saturating_sub(self.begin));
        let Some(beyond) = progress.checked_sub(self.owed) else {
            return (self.first, self.owed - progress);
        };
        let shots = u64::try_from(beyond / SHOT).unwrap_or(u64::MAX).saturating_add(1);
        (self.first.saturating_add(shots), SHOT - beyond % SHOT)
    }
}

/// When each of a run's shots is due, counted from the run's start. It depends on nothing but its
/// shapes: a stall changes no intended time.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// Oldest first, never empty.
    segments: VecDeque<Segment>,
}

impl Schedule {
    /// A schedule that begins at time 0 with shot 0.
    #[must_use]
    pub fn new(shape: Shape) -> Self {
        Self {
            segments: VecDeque::from([Segment {
                shape,
                first: 0,
                begin: Duration::ZERO,
                owed: 0,
            }]),
        }
    }

    /// The intended time of a shot; `None`: never (paused), or its segment was forgotten.
    #[must_use]
    pub fn due(&self, shot: u64) -> Option<Duration> {
        self.segments.iter().rev().find(|s| s.first <= shot)?.due(shot)
    }

    /// How many shots are due until `now`, that moment included.
    #[must_use]
    pub fn count_until(&self, now: Duration) -> u64 {
        self.segments.back().map_or(0, |segment| segment.standing(now).0)
    }

    /// Goes on with another shape from `now` on; what was due before keeps its time. A shot that
    /// was half due stays half due, a burst begins afresh. Times before the last change count as
    /// that change's time. `taken`: how many shots were taken, which counts where all were due at once.
    pub fn change(&mut self, now: Duration, taken: u64, shape: Shape) {
        let Some(last) = self.segments.back() else { return };
        let now = now.max(last.begin);
        let (first, owed) = if last.shape.is_boundless() {
            (last.first.max(taken), 0)
        } else {
            last.standing(now)
        };
        let owed = if matches!(shape, Shape::Steady(_) | Shape::Ramp { .. }) {
            owed
        } else {
            0
        };
        if first == last.first {
            self.segments.pop_back();
        }
        self.segments.push_back(Segment {
            shape,
            first,
            begin: now,
            owed,
        });
    }

    /// Forgets what is only needed for shots before `shot`.
    pub fn forget_before(&mut self, shot: u64) {
        while self.segments.get(1).is_some_and(|next| next.first <= shot) {
            self.segments.pop_front();
        }
    }

    /// Whether shots have no intended time now.
    #[must_use]
    pub fn is_unpaced(&self) -> bool {
        self.segments.back().is_some_and(|s| s.shape == Shape::Unpaced)
    }
}

/// A token bucket: at most `capacity` at once and `rate` in the long run. What was not used while
/// the bucket was full is forgotten, so that a replay does not rush after a pause.
#[derive(Clone, Debug)]
pub struct Bucket {
    rate: Rate,
    capacity: u128,
    level: u128,
    at: Duration,
}

impl Bucket {
    /// A full bucket.
    #[must_use]
    pub fn new(rate: Rate, capacity: NonZeroU64, now: Duration) -> Self {
        let capacity = u128::from(capacity.get()) * SHOT;
        Self {
            rate,
            capacity,
            level: capacity,
            at: now,
        }
    }

    /// Another rate from `now` on.
    pub fn set_rate(&mut self, rate: Rate, now: Duration) {
        self.fill(now);
        self.rate = rate;
    }

    /// Takes one, or says how long to wait until there is one; [`Duration::MAX`]: paused.
    ///
    /// # Errors
    /// The wait, when the bucket is empty.
    pub fn take(&mut self, now: Duration) -> Result<(), Duration> {
        self.fill(now);
        if let Some(rest) = self.level.checked_sub(SHOT) {
            self.level = rest;
            return Ok(());
        }
        Err(nonzero(self.rate).map_or(Duration::MAX, |rate| nanoseconds((SHOT - self.level).div_ceil(rate))))
    }

    fn fill(&mut self, now: Duration) {
        let elapsed = now.saturating_sub(self.at);
        self.at = self.at.max(now);
        self.level = self
            .capacity
            .min(self.level + elapsed.as_nanos() * u128::from(self.rate.per_1000_s));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const NANO: Duration = Duration::from_nanos(1);

    fn rate(per_second: f64) -> Rate {
        Rate::per_second(per_second).unwrap()
    }

    fn steady(per_second: f64) -> Schedule {
        Schedule::new(Shape::Steady(rate(per_second)))
    }

    fn burst(size: u64, every: Duration) -> Schedule {
        Schedule::new(Shape::Bursts {
            size: NonZeroU64::new(size).unwrap(),
            every,
        })
    }

    #[test]
    fn a_rate_is_refused_when_no_one_can_mean_it() {
        for given in [0.0, -1.0, 0.000_1, f64::NAN, f64::INFINITY, 1_000_000.0] {
            let error = Rate::per_second(given).unwrap_err().to_string();
            assert!(error.starts_with("rate ") && error.contains(" → "), "{error}");
        }
        assert!((rate(12.5).as_f64() - 12.5).abs() < f64::EPSILON);
    }

    #[test]
    fn a_steady_schedule_is_exact_after_a_year_of_shots() {
        let schedule = steady(20_000.0);
        let year = 365 * 86_400;
        assert_eq!(schedule.due(20_000 * year), Some(Duration::from_secs(year)));
        assert_eq!(steady(3.0).due(1), Some(Duration::from_nanos(333_333_334)));
        assert_eq!(steady(3.0).due(3_000_000), Some(Duration::from_secs(1_000_000)));
    }

    #[test]
    fn bursts_are_due_together() {
        let schedule = burst(3, SECOND);
        let due: Vec<_> = (0..7).map(|shot| schedule.due(shot).unwrap().as_secs()).collect();
        assert_eq!(due, [0, 0, 0, 1, 1, 1, 2]);
        assert_eq!(schedule.count_until(SECOND.saturating_sub(NANO)), 3);
        assert_eq!(schedule.count_until(SECOND), 6);
        assert_eq!(burst(5, Duration::ZERO).due(1_000), Some(Duration::ZERO));
    }

    #[test]
    fn a_ramp_covers_the_area_under_its_line_and_goes_on_steadily() {
        let schedule = Schedule::new(Shape::Ramp {
            from: rate(100.0),
            to: rate(300.0),
            over: 10 * SECOND,
        });
        // 100·5 + 200·25/20 = 750; 100·10 + 200·100/20 = 2,000; then 300 a second.
        assert_eq!(schedule.due(750), Some(5 * SECOND));
        assert_eq!(schedule.due(2_000), Some(10 * SECOND));
        assert_eq!(schedule.due(2_600), Some(12 * SECOND));
        let down = Schedule::new(Shape::Ramp {
            from: rate(300.0),
            to: Rate::PAUSED,
            over: 10 * SECOND,
        });
        assert_eq!(down.due(1_500), Some(10 * SECOND));
        assert_eq!(down.due(1_501), None);
    }

    #[test]
    fn a_change_keeps_what_was_due_and_what_was_half_due() {
        let mut schedule = steady(1.0);
        schedule.change(2 * SECOND + SECOND / 2, 0, Shape::Steady(rate(10.0)));
        assert_eq!(schedule.due(2), Some(2 * SECOND));
        // Half a shot is left to go: 50 ms at ten a second.
        assert_eq!(schedule.due(3), Some(Duration::from_millis(2_550)));
        assert_eq!(schedule.due(4), Some(Duration::from_millis(2_650)));
        schedule.forget_before(3);
        assert_eq!(schedule.due(2), None);
        assert_eq!(schedule.due(4), Some(Duration::from_millis(2_650)));
    }

    #[test]
    fn a_paused_schedule_holds_its_breath() {
        let mut schedule = steady(2.0);
        schedule.change(Duration::from_millis(750), 0, Shape::Steady(Rate::PAUSED));
        assert_eq!(schedule.due(2), None);
        assert_eq!(schedule.count_until(100 * SECOND), 2);
        schedule.change(10 * SECOND, 0, Shape::Steady(rate(2.0)));
        assert_eq!(schedule.due(2), Some(Duration::from_millis(10_250)));
    }

    #[test]
    fn a_schedule_that_begins_paused_owes_its_first_shot() {
        let mut schedule = Schedule::new(Shape::Steady(Rate::PAUSED));
        assert_eq!(schedule.due(0), None);
        assert_eq!(schedule.count_until(100 * SECOND), 0);
        schedule.change(10 * SECOND, 0, Shape::Steady(rate(2.0)));
        assert_eq!(schedule.due(0), Some(10 * SECOND));
        assert_eq!(schedule.count_until(10 * SECOND), 1);
    }

    #[test]
    fn after_shots_without_a_time_the_schedule_goes_on_behind_those_that_were_taken() {
        let mut schedule = Schedule::new(Shape::Unpaced);
        assert!(schedule.is_unpaced());
        assert_eq!(schedule.count_until(Duration::ZERO), u64::MAX);
        schedule.change(SECOND, 70, Shape::Steady(rate(10.0)));
        assert_eq!(schedule.due(70), Some(SECOND));
        assert_eq!(schedule.due(71), Some(Duration::from_millis(1_100)));
        assert_eq!(schedule.count_until(2 * SECOND), 81);
    }

    #[test]
    fn a_bucket_does_not_save_up_beyond_its_capacity() {
        let mut bucket = Bucket::new(rate(10.0), NonZeroU64::new(2).unwrap(), Duration::ZERO);
        assert_eq!(bucket.take(100 * SECOND), Ok(()));
        assert_eq!(bucket.take(100 * SECOND), Ok(()));
        assert_eq!(bucket.take(100 * SECOND), Err(Duration::from_millis(100)));
        assert_eq!(bucket.take(100 * SECOND + Duration::from_millis(100)), Ok(()));
        bucket.set_rate(Rate::PAUSED, 100 * SECOND + Duration::from_millis(100));
        assert_eq!(bucket.take(200 * SECOND), Err(Duration::MAX));
    }

    fn any_rate() -> impl Strategy<Value = Rate> {
        (1u64..500_000_000).prop_map(|per_1000_s| Rate { per_1000_s })
    }

    fn any_shape() -> impl Strategy<Value = Shape> {
        prop_oneof![
            any_rate().prop_map(Shape::Steady),
            Just(Shape::Steady(Rate::PAUSED)),
            (any_rate(), any_rate(), 0u64..86_400_000).prop_map(|(from, to, over)| Shape::Ramp {
                from,
                to,
                over: Duration::from_millis(over),
            }),
            (1u64..1_000, 1u64..10_000_000).prop_map(|(size, every)| Shape::Bursts {
                size: NonZeroU64::new(size).unwrap(),
                every: Duration::from_micros(every),
            }),
        ]
    }

    proptest! {
        #[test]
        fn the_nth_shot_of_a_steady_schedule_is_due_at_n_over_the_rate(rate in any_rate(), shot in 0u64..1_000_000_000) {
            let schedule = Schedule::new(Shape::Steady(rate));
            let exact = (u128::from(shot) * SHOT).div_ceil(u128::from(rate.per_1000_s));
            prop_assert_eq!(schedule.due(shot).unwrap().as_nanos(), exact);
        }

        #[test]
        fn a_shot_counts_from_its_intended_time_on(
            shape in any_shape(),
            changes in proptest::collection::vec((0u64..5_000_000_000, any_shape()), 0..4),
            shot in 0u64..100_000,
        ) {
            let mut schedule = Schedule::new(shape);
            let mut at = Duration::ZERO;
            for (after, shape) in changes {
                at += Duration::from_nanos(after);
                schedule.change(at, 0, shape);
            }
            let shot = schedule.segments.back().unwrap().first + shot;
            if let Some(due) = schedule.due(shot) {
                prop_assert!(due >= at);
                prop_assert!(schedule.count_until(due) > shot);
                if due > at {
                    prop_assert!(schedule.count_until(due.saturating_sub(NANO)) <= shot);
                }
                prop_assert!(schedule.due(shot + 1).is_none_or(|next| next >= due));
            }
        }

        #[test]
        fn a_stall_leaves_the_schedule_intact(
            shape in any_shape(),
            stall_at in 0u64..10_000_000_000,
            stall in 0u64..10_000_000_000,
        ) {
            // Asking late is all that a stall is: every shot that came due meanwhile has a time
            // of its own within it, not the time at which it was asked for.
            let schedule = Schedule::new(shape);
            let (begin, end) = (Duration::from_nanos(stall_at), Duration::from_nanos(stall_at + stall));
            let (before, after) = (schedule.count_until(begin), schedule.count_until(end));
            for shot in [before, u64::midpoint(before, after), after.saturating_sub(1)] {
                if (before..after).contains(&shot) {
                    let due = schedule.due(shot).unwrap();
                    prop_assert!(due > begin && due <= end);
                }
            }
        }

        #[test]
        fn a_bucket_gives_no_more_than_its_rate_and_capacity(
            rate in any_rate(),
            capacity in 1u64..100,
            waits in proptest::collection::vec(0u64..200_000_000, 1..200),
        ) {
            let mut bucket = Bucket::new(rate, NonZeroU64::new(capacity).unwrap(), Duration::ZERO);
            let (mut now, mut taken) = (Duration::ZERO, 0u128);
            for wait in waits {
                now += Duration::from_nanos(wait);
                match bucket.take(now) {
                    Ok(()) => taken += 1,
                    Err(wait) => {
                        now += wait;
                        prop_assert_eq!(bucket.take(now), Ok(()));
                        taken += 1;
                    }
                }
                prop_assert!((taken - u128::from(capacity).min(taken)) * SHOT <= now.as_nanos() * u128::from(rate.per_1000_s));
            }
        }
    }
}

//! Counters: what only grows until its process restarts. Keeps the readings of the last
//! minute, so that rates use the time that really passed, and so that the value at any moment
//! in between can be bounded.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::interval::Interval;

/// What rates are over, seconds.
pub(super) const WINDOW: f64 = 10.0;
/// Readings younger than this are all kept.
const RECENT: f64 = 16.0;
/// Older ones are kept at least this far apart.
const SPACING: f64 = 5.0;
/// Readings older than this are dropped.
const MINUTE: f64 = 62.0;
/// A window may be longer by this share, so that jitter does not drop its first reading.
const SLACK: f64 = 0.05;

/// When a value was read, in seconds since session start: it is from somewhere in between.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Span {
    /// When the request was sent.
    pub(super) begun: f64,
    /// When the answer was in.
    pub(super) ended: f64,
    /// The best guess at the moment the value is from: the server's own time where it tells
    /// it, else the middle. Rates are over differences of this.
    pub(super) clock: f64,
}

impl Span {
    /// An answer that was in at `mono` and took `took`.
    pub(super) fn new(mono: Duration, took: Duration) -> Self {
        let ended = mono.as_secs_f64();
        let begun = mono.saturating_sub(took).as_secs_f64();
        Self {
            begun,
            ended,
            clock: f64::midpoint(begun, ended),
        }
    }

    /// Whether its value may be older than that of `known`, although its answer came later: the
    /// two were asked for side by side.
    pub(super) fn may_precede(&self, known: &Self) -> bool {
        self.begun < known.ended
    }

    /// The same with the server's own time.
    #[must_use]
    pub(super) fn with_clock(self, clock: Option<f64>) -> Self {
        Self {
            clock: clock.unwrap_or(self.clock),
            ..self
        }
    }
}

/// Counters of one page were read at the same time: they share it, and a fleet has many of them.
#[derive(Clone, Debug, PartialEq)]
struct Point {
    span: Arc<Span>,
    total: f64,
    /// Whether the growth since the point before is known.
    joined: bool,
}

/// How much a counter grew, and in how many seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Growth {
    /// By how much.
    pub(super) delta: f64,
    /// Within.
    pub(super) seconds: f64,
}

impl Growth {
    /// Per second.
    pub(super) fn per_second(self) -> f64 {
        self.delta / self.seconds
    }
}

/// A counter with its readings of the last minute.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Counter {
    raw: f64,
    total: f64,
    origin: f64,
    /// When it was first read.
    since: f64,
    points: VecDeque<Point>,
    /// How many points at the front are older than [`RECENT`].
    old: usize,
    /// Growth over the window that is asked for at every turn, worked out once per reading.
    recent: Option<Growth>,
}

impl Counter {
    /// A counter as it was first read. `from_zero`: all that it counted, it counted since the
    /// session started.
    pub(super) fn new(span: impl Into<Arc<Span>>, raw: f64, from_zero: bool) -> Self {
        let span = span.into();
        let since = span.ended;
        let mut points = VecDeque::with_capacity(4);
        points.push_back(Point {
            span,
            total: raw,
            joined: false,
        });
        Self {
            raw,
            total: raw,
            origin: if from_zero { 0.0 } else { raw },
            since,
            points,
            old: 0,
            recent: None,
        }
    }

    /// The value as it was last read.
    pub(super) fn raw(&self) -> f64 {
        self.raw
    }

    /// What it counted over all its processes: grows whatever its process does.
    pub(super) fn total(&self) -> f64 {
        self.total
    }

    /// What it counted since the session started.
    pub(super) fn since_start(&self) -> f64 {
        self.total - self.origin
    }

    /// When it was last read.
    pub(super) fn newest(&self) -> Span {
        self.points.back().map_or(
            Span {
                begun: 0.0,
                ended: 0.0,
                clock: 0.0,
            },
            |point| *point.span,
        )
    }

    /// Takes a reading of the same process; `raw` must not have fallen.
    pub(super) fn observe(&mut self, span: impl Into<Arc<Span>>, raw: f64) {
        self.total += raw - self.raw;
        self.push(span.into(), raw, true);
    }

    /// Takes the first reading of a new process: it counted `raw` since it started, and what
    /// the old one counted after its last reading is not known.
    pub(super) fn restart(&mut self, span: impl Into<Arc<Span>>, raw: f64) {
        self.total += raw;
        self.push(span.into(), raw, false);
    }

    /// Takes a reading whose distance from the one before says nothing about a rate: the
    /// interval is discarded. What it grew is counted, a fall is not.
    pub(super) fn rejoin(&mut self, span: impl Into<Arc<Span>>, raw: f64) {
        if raw > self.raw {
            self.total += raw - self.raw;
        }
        self.push(span.into(), raw, false);
    }

    /// Takes a reading of what can also fall, as a whole: its total falls with it.
    pub(super) fn follow(&mut self, span: impl Into<Arc<Span>>, raw: f64) {
        self.total += raw - self.raw;
        self.push(span.into(), raw, false);
    }

    fn push(&mut self, span: Arc<Span>, raw: f64, joined: bool) {
        self.raw = raw;
        // A clock that stands still or goes back says nothing about a rate.
        let joined = joined && self.points.back().is_some_and(|last| span.clock > last.span.clock);
        let now = span.clock;
        self.points.push_back(Point {
            span,
            total: self.total,
            joined,
        });
        self.thin(now);
        self.recent = self.growth(WINDOW);
    }

    /// Drops what no window needs any more.
    fn thin(&mut self, now: f64) {
        while self.points.get(self.old).is_some_and(|p| p.span.clock < now - RECENT) {
            let crowded = self.old > 0
                && self.points[self.old].span.clock - self.points[self.old - 1].span.clock < SPACING
                && self.old + 1 < self.points.len();
            if crowded {
                let gone = self.points.remove(self.old);
                if let (Some(gone), Some(next)) = (gone, self.points.get_mut(self.old)) {
                    next.joined &= gone.joined;
                }
            } else {
                self.old += 1;
            }
        }
        while self.points.len() > 1 && self.points[1].span.clock < now - MINUTE {
            self.points.pop_front();
            self.old = self.old.saturating_sub(1);
        }
    }

    /// Its growth over the last `window` seconds before its newest reading, discarded
    /// intervals left out; `None` when the newest reading has no predecessor to compare with.
    pub(super) fn growth(&self, window: f64) -> Option<Growth> {
        let newest = self.points.back()?.span.clock;
        let mut growth = Growth {
            delta: 0.0,
            seconds: 0.0,
        };
        let mut later = self.points.len().checked_sub(1)?;
        while later > 0 {
            let (from, to) = (&self.points[later - 1], &self.points[later]);
            // A slow source may have no second reading within the window: its last interval counts.
            let inside = from.span.clock >= newest - window * (1.0 + SLACK);
            if !inside && growth.seconds > 0.0 {
                break;
            }
            if to.joined {
                growth.delta += to.total - from.total;
                growth.seconds += to.span.clock - from.span.clock;
            }
            if !inside {
                break;
            }
            later -= 1;
        }
        (growth.seconds > 0.0).then_some(growth)
    }

    /// Its rate over the last [`WINDOW`].
    pub(super) fn rate(&self) -> Option<f64> {
        self.recent.map(Growth::per_second)
    }

    /// Its growth over the last [`WINDOW`].
    pub(super) fn lately(&self) -> Option<Growth> {
        self.recent
    }

    /// Its growth over the last minute.
    pub(super) fn last_minute(&self) -> Option<Growth> {
        self.growth(60.0)
    }

    /// Whether it grew at its newest reading; `None` when that is not known.
    pub(super) fn moved(&self) -> Option<bool> {
        let to = self.points.back().filter(|to| to.joined)?;
        let from = self.points.get(self.points.len().checked_sub(2)?)?;
        Some(to.total > from.total)
    }

    /// What it must have been at `t`, given that it only grows: not below its last reading
    /// that ended before, not above the first that began after. `None` on a side without
    /// such a reading.
    pub(super) fn bounds(&self, t: f64) -> (Option<f64>, Option<f64>) {
        let below = self.points.iter().rev().find(|p| p.span.ended <= t).map(|p| p.total);
        // Readings begin in the order in which they end, so the first from the back that
        // begins before `t` ends the search.
        let mut above = None;
        for point in self.points.iter().rev() {
            if point.span.begun < t {
                break;
            }
            above = Some(point.total);
        }
        (below, above)
    }

    /// What it counted from the session's start until `t`. Before its first reading nothing
    /// bounds it from below but 0; after its last one nothing bounds it from above.
    pub(super) fn at(&self, t: f64) -> Interval {
        let (below, above) = self.bounds(t);
        let lo = below.map_or(0.0, |total| total - self.origin);
        Interval::new(lo, above.map_or(f64::INFINITY, |total| total - self.origin).max(lo))
    }

    /// What it had counted when it was first read: in the session or before it.
    pub(super) fn origin(&self) -> f64 {
        self.origin
    }

    /// When it was first read.
    pub(super) fn first_read(&self) -> f64 {
        self.since
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(t: f64) -> Span {
        Span {
            begun: t - 0.01,
            ended: t,
            clock: t - 0.005,
        }
    }

    fn close(a: Option<f64>, b: f64) -> bool {
        a.is_some_and(|a| (a - b).abs() < 1e-6)
    }

    #[test]
    fn a_rate_is_unknown_under_two_readings() {
        let mut counter = Counter::new(span(0.0), 500.0, false);
        assert_eq!(counter.rate(), None);
        counter.observe(span(0.5), 600.0);
        assert!(close(counter.rate(), 200.0));
    }

    #[test]
    fn jitter_of_the_readings_does_not_matter() {
        let mut counter = Counter::new(span(0.0), 0.0, false);
        for t in [0.9, 2.3, 3.0, 4.4, 5.1, 6.0, 7.2, 8.1, 9.05, 9.9, 11.3, 12.0] {
            counter.observe(span(t), t * 1000.0);
            assert!(close(counter.rate(), 1000.0));
        }
    }

    #[test]
    fn a_rate_is_over_its_window_only() {
        let mut counter = Counter::new(span(0.0), 0.0, false);
        for t in 1..=30 {
            counter.observe(span(f64::from(t)), f64::from(t.max(15) - 15) * 10.0);
        }
        assert!(close(counter.rate(), 10.0));
        assert!(close(counter.growth(60.0).map(|g| g.seconds), 30.0));
    }

    #[test]
    fn a_slow_source_is_rated_over_its_last_interval() {
        let mut counter = Counter::new(span(0.0), 0.0, false);
        counter.observe(span(30.0), 300.0);
        counter.observe(span(60.0), 900.0);
        assert!(close(counter.rate(), 20.0));
    }

    #[test]
    fn a_restart_discards_its_interval_and_keeps_the_total_growing() {
        let mut counter = Counter::new(span(0.0), 1000.0, false);
        counter.observe(span(1.0), 1100.0);
        counter.restart(span(2.0), 30.0);
        assert!(close(Some(counter.since_start()), 130.0));
        assert!(close(counter.rate(), 100.0));
        counter.observe(span(3.0), 130.0);
        assert!(close(counter.rate(), 100.0));
    }

    #[test]
    fn a_rate_right_after_the_only_interval_was_discarded_is_unknown() {
        let mut counter = Counter::new(span(0.0), 1000.0, false);
        counter.rejoin(span(1.0), 10.0);
        assert_eq!(counter.rate(), None);
        assert!(close(Some(counter.since_start()), 0.0));
        counter.rejoin(span(2.0), 25.0);
        assert_eq!(counter.rate(), None);
        assert!(close(Some(counter.since_start()), 15.0));
    }

    #[test]
    fn a_clock_that_went_back_discards_its_interval() {
        let mut counter = Counter::new(span(10.0), 0.0, false);
        counter.observe(span(11.0), 100.0);
        counter.observe(
            Span {
                clock: 3.0,
                ..span(12.0)
            },
            200.0,
        );
        assert!(close(counter.rate(), 100.0));
        assert!(close(Some(counter.since_start()), 200.0));
    }

    #[test]
    fn between_readings_a_counter_lies_between_their_values() {
        let mut counter = Counter::new(span(1.0), 100.0, true);
        counter.observe(span(2.0), 150.0);
        counter.observe(span(3.0), 170.0);
        assert_eq!(counter.at(1.5), Interval::new(100.0, 150.0));
        assert_eq!(counter.at(2.0), Interval::new(150.0, 170.0));
        assert_eq!(counter.at(1.995), Interval::new(100.0, 170.0));
        assert_eq!(counter.at(0.5), Interval::new(0.0, 100.0));
        assert_eq!(counter.bounds(3.5), (Some(170.0), None));
    }

    #[test]
    fn a_minute_is_kept_in_few_points() {
        let mut counter = Counter::new(span(0.0), 0.0, false);
        for t in 1..=1000 {
            counter.observe(span(f64::from(t)), f64::from(t) * 7.0);
            assert!(counter.points.len() <= 32, "{}", counter.points.len());
        }
        assert!(close(counter.last_minute().map(Growth::per_second), 7.0));
        assert!(counter.growth(60.0).unwrap().seconds >= 55.0);
    }

    proptest::proptest! {
        #[test]
        fn bounds_always_hold_the_truth(steps in proptest::collection::vec((0.01f64..1.5, 0.0f64..0.3, 0u32..500), 2..60), pick in 0.0f64..1.0) {
            // Truth: a counter that grows by `grow` exactly at the middle of each reading.
            let mut truth: Vec<(f64, f64)> = vec![(0.0, 0.0)];
            let (mut t, mut value) = (0.0, 0.0);
            let mut counter: Option<Counter> = None;
            for (wait, took, grow) in steps {
                t += wait + took;
                value += f64::from(grow);
                let span = Span { begun: t - took, ended: t, clock: t - took / 2.0 };
                truth.push((span.clock, value));
                match &mut counter {
                    None => counter = Some(Counter::new(span, value, false)),
                    Some(counter) => counter.observe(span, value),
                }
            }
            let counter = counter.unwrap();
            let start = counter.origin();
            let at = (t - RECENT).max(0.0) + pick * t.min(RECENT);
            let real = (truth.iter().rev().find(|(when, _)| *when <= at).unwrap().1 - start).max(0.0);
            let bounds = counter.at(at);
            proptest::prop_assert!(bounds.lo <= real && real <= bounds.hi, "{real} not in {bounds:?} at {at}");
        }
    }
}

//! A circuit breaker: after several failures in a row nothing is tried for a while; then one
//! attempt decides. Pure: the time comes with the call.

use std::time::Duration;

/// When to open and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Failures in a row that open it.
    pub failures: u32,
    /// How long it stays open before the next attempt.
    pub open_for: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            failures: 3,
            open_for: Duration::from_secs(1),
        }
    }
}

/// What it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Attempts are made.
    Closed,
    /// No attempt is made.
    Open,
    /// One attempt is being made.
    HalfOpen,
}

impl State {
    /// As `webhook_circuit_breaker_state` exports it: 0 closed, 1 open, 2 half-open.
    #[must_use]
    pub fn code(self) -> i64 {
        match self {
            Self::Closed => 0,
            Self::Open => 1,
            Self::HalfOpen => 2,
        }
    }
}

/// The breaker.
#[derive(Clone, Copy, Debug)]
pub struct Breaker {
    limits: Limits,
    state: State,
    failures: u32,
    /// On the monotonic clock, while open.
    opened_at: Duration,
}

impl Breaker {
    /// A closed breaker.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            state: State::Closed,
            failures: 0,
            opened_at: Duration::ZERO,
        }
    }

    /// What it is.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// Asks to make an attempt at `now` (monotonic): `None` to go ahead, else how long to wait
    /// before asking again. An open breaker whose time is over lets one attempt through and is
    /// half-open until that is reported.
    pub fn admit(&mut self, now: Duration) -> Option<Duration> {
        match self.state {
            State::Closed => None,
            State::HalfOpen => Some(self.limits.open_for / 4),
            State::Open => {
                let left = (self.opened_at + self.limits.open_for).saturating_sub(now);
                if left.is_zero() {
                    self.state = State::HalfOpen;
                    return None;
                }
                Some(left)
            }
        }
    }

    /// The attempt succeeded.
    pub fn succeeded(&mut self) {
        self.state = State::Closed;
        self.failures = 0;
    }

    /// The attempt failed at `now` (monotonic).
    pub fn failed(&mut self, now: Duration) {
        self.failures = self.failures.saturating_add(1);
        if self.state == State::HalfOpen || self.failures >= self.limits.failures {
            self.state = State::Open;
            self.opened_at = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn breaker() -> Breaker {
        Breaker::new(Limits {
            failures: 3,
            open_for: SECOND,
        })
    }

    #[test]
    fn it_opens_after_failures_in_a_row_only() {
        let mut breaker = breaker();
        for _ in 0..10 {
            breaker.failed(Duration::ZERO);
            breaker.failed(Duration::ZERO);
            assert_eq!(breaker.state(), State::Closed);
            breaker.succeeded();
        }
        for _ in 0..3 {
            breaker.failed(Duration::ZERO);
        }
        assert_eq!(breaker.state(), State::Open);
    }

    #[test]
    fn an_open_breaker_lets_one_attempt_through_when_its_time_is_over() {
        let mut breaker = breaker();
        for _ in 0..3 {
            breaker.failed(SECOND);
        }
        assert_eq!(breaker.admit(SECOND), Some(SECOND));
        assert_eq!(breaker.admit(SECOND * 3 / 2), Some(SECOND / 2));
        assert_eq!(breaker.admit(SECOND * 2), None);
        assert_eq!(breaker.state(), State::HalfOpen);
        assert!(breaker.admit(SECOND * 2).is_some(), "one attempt, not two");
    }

    #[test]
    fn the_attempt_decides() {
        let mut breaker = breaker();
        for _ in 0..3 {
            breaker.failed(Duration::ZERO);
        }
        assert_eq!(breaker.admit(SECOND), None);
        breaker.failed(SECOND);
        assert_eq!(breaker.state(), State::Open, "one failure is enough when half-open");
        assert_eq!(breaker.admit(SECOND), Some(SECOND), "and its time begins anew");
        assert_eq!(breaker.admit(SECOND * 2), None);
        breaker.succeeded();
        assert_eq!(breaker.state(), State::Closed);
        breaker.failed(SECOND * 2);
        assert_eq!(breaker.state(), State::Closed, "earlier failures are forgotten");
    }
}

//! What if: how many workers would drain the backlog, and how long would so many take?

use std::time::Duration;

/// Workers needed to drain `backlog` within `within` while `ingest` per second goes on
/// arriving, each working at `per_worker` per second. `None` when a worker gets nothing done
/// or nothing is known of the time.
///
/// `n = ⌈(ingest + backlog / within) / per_worker⌉`, at least one while there is anything to do.
#[must_use]
pub fn workers_to_drain(backlog: f64, ingest: f64, per_worker: f64, within: Duration) -> Option<u64> {
    let within = within.as_secs_f64();
    if !(per_worker.is_finite() && per_worker > 0.0 && within > 0.0 && backlog.is_finite() && ingest.is_finite()) {
        return None;
    }
    let needed = (ingest.max(0.0) + backlog.max(0.0) / within) / per_worker;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative, and `as` saturates"
    )]
    let whole = needed.ceil() as u64;
    Some(whole)
}

/// Time that `workers` take to drain `backlog` while `ingest` per second goes on arriving.
/// `None` when they do not outpace it.
#[must_use]
pub fn time_to_drain(backlog: f64, ingest: f64, per_worker: f64, workers: u64) -> Option<Duration> {
    let pace = per_worker * workers as f64 - ingest;
    if !(pace.is_finite() && pace > 0.0 && backlog >= 0.0) {
        return None;
    }
    Duration::try_from_secs_f64(backlog / pace).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN_MINUTES: Duration = Duration::from_mins(10);

    #[test]
    fn so_many_workers_drain_it_in_time_and_one_less_does_not() {
        let n = workers_to_drain(84_210.0, 12_431.0, 2_470.0, TEN_MINUTES).unwrap();
        assert_eq!(n, 6);
        assert!(time_to_drain(84_210.0, 12_431.0, 2_470.0, n).unwrap() <= TEN_MINUTES);
        assert!(time_to_drain(84_210.0, 12_431.0, 2_470.0, n - 1).is_none_or(|time| time > TEN_MINUTES));
    }

    #[test]
    fn nothing_to_do_needs_nobody() {
        assert_eq!(workers_to_drain(0.0, 0.0, 100.0, TEN_MINUTES), Some(0));
    }

    #[test]
    fn idle_workers_tell_nothing() {
        assert_eq!(workers_to_drain(10.0, 1.0, 0.0, TEN_MINUTES), None);
        assert_eq!(workers_to_drain(10.0, 1.0, f64::NAN, TEN_MINUTES), None);
        assert_eq!(time_to_drain(10.0, 100.0, 10.0, 10), None);
    }

    proptest::proptest! {
        #[test]
        fn the_answer_is_the_smallest_that_works(backlog in 0.0f64..1e6, ingest in 0.0f64..1e5, per in 0.1f64..1e4) {
            let n = workers_to_drain(backlog, ingest, per, TEN_MINUTES).unwrap();
            if n > 1 {
                let fewer = time_to_drain(backlog, ingest, per, n - 1);
                proptest::prop_assert!(fewer.is_none_or(|time| time >= TEN_MINUTES.mul_f64(0.999)));
            }
            if backlog > 0.0 {
                let enough = time_to_drain(backlog, ingest, per, n + 1);
                proptest::prop_assert!(enough.is_some_and(|time| time <= TEN_MINUTES.mul_f64(1.001)));
            }
        }
    }
}

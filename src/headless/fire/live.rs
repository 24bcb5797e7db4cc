//! Progress while a run goes on: one line on a terminal, drawn over and over, and nothing elsewhere.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::Write;
use std::time::Duration;

use tokio::sync::watch;

use super::CommandError;
use super::report::shown;
use crate::act::fire::{FailureKind, Progress};
use crate::base::text;

/// Looks that the latency chart shows.
const CHART: usize = 16;

/// Heights of its bars.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Back to the line's beginning, and everything after the cursor gone.
const AFRESH: &str = "\r\x1b[K";

/// Waits for a run; on a terminal it says four times a second how it stands.
pub(super) async fn with_progress<T>(
    run: impl Future<Output = T>,
    mut watched: watch::Receiver<Progress>,
    is_live: bool,
    err: &mut (impl Write + Send),
) -> Result<T, CommandError> {
    let mut run = std::pin::pin!(run);
    if !is_live {
        return Ok(run.await);
    }
    let mut recent = VecDeque::new();
    loop {
        tokio::select! {
            outcome = &mut run => {
                write!(err, "{AFRESH}")?;
                err.flush()?;
                return Ok(outcome);
            }
            Ok(()) = watched.changed() => {
                let progress = watched.borrow_and_update().clone();
                // One that is over at once needs no progress.
                if progress.elapsed >= Duration::from_millis(250) {
                    if recent.len() == CHART {
                        recent.pop_front();
                    }
                    recent.push_back(progress.recent.p99);
                    write!(err, "{AFRESH}{}", standing(&progress, recent.make_contiguous()))?;
                    err.flush()?;
                }
            }
        }
    }
}

/// How a run stands, on one line.
fn standing(progress: &Progress, recent: &[Option<f64>]) -> String {
    let outcomes = &progress.outcomes;
    let seconds = progress.elapsed.as_secs_f64();
    let mut line = format!(
        "{}  {} sent  {}/s",
        text::duration(Duration::from_secs(progress.elapsed.as_secs())),
        text::count(outcomes.sent()),
        text::per_second(if seconds > 0.0 {
            outcomes.sent() as f64 / seconds
        } else {
            0.0
        }),
    );
    // Writing to a text does not fail.
    for (status, count) in outcomes.statuses.iter().take(4) {
        let _ = write!(line, "  {status} {}", text::count(*count));
    }
    for (kind, count) in &outcomes.failures {
        let _ = write!(line, "  {} {}", FailureKind::name(*kind), text::count(*count));
    }
    let behind = progress.due.saturating_sub(outcomes.fired);
    if behind > 0 {
        let _ = write!(line, "  behind {}", text::count(behind));
    }
    let _ = write!(line, "  p99 {} {}", shown(progress.recent.p99), chart(recent));
    text::cut(&line, 110).into_owned()
}

/// Latency over the last looks, the highest of them as high as a line is.
fn chart(recent: &[Option<f64>]) -> String {
    let highest = recent.iter().flatten().copied().fold(0.0, f64::max);
    recent
        .iter()
        .map(|value| match value {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 7")]
            Some(value) if highest > 0.0 => BARS[((value / highest) * 7.0).round().clamp(0.0, 7.0) as usize],
            _ => ' ',
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_is_as_high_as_its_highest_and_has_gaps_where_nothing_was_measured() {
        assert_eq!(chart(&[Some(0.1), None, Some(0.2), Some(0.0)]), "▅ █▁");
        assert_eq!(chart(&[None]), " ");
    }
}

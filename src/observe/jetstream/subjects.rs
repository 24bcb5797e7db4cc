//! Messages per subject: a costly question on large streams, asked at a pace that fits.

use std::sync::Arc;
use std::time::Duration;

use super::api::{Api, ApiError};
use crate::sample::{StreamState, SubjectsReading};

/// Subjects passed on at most.
const MOST: usize = 1_000;

/// Subjects up to which a stream is asked at all: the server lists no more in one answer.
const ASKED: u64 = 100_000;

/// Subjects up to which the followed stream is asked also when nobody looks.
const UNASKED: u64 = 10_000;

/// How often the followed stream is asked when nobody looks.
const SLOW: Duration = Duration::from_secs(15);

/// When the counts were last asked for.
#[derive(Debug, Default)]
pub(crate) struct Cadence {
    asked: Option<(Arc<str>, Duration)>,
    unasked: Option<Duration>,
}

impl Cadence {
    /// Whether a stream that was just read is due; `shown`: somebody looks at its subjects.
    pub(crate) fn take(&mut self, stream: &Arc<str>, state: &StreamState, shown: bool, now: Duration) -> bool {
        // A server that does not count subjects is treated like one with many.
        let subjects = state
            .num_subjects
            .unwrap_or(if state.messages == 0 { 0 } else { UNASKED });
        let (last, pace) = if shown {
            let pace = match subjects {
                0..=1_000 => Duration::from_millis(1_500),
                1_001..=20_000 => Duration::from_secs(10),
                20_001..=ASKED => Duration::from_secs(30),
                _ => return false,
            };
            let last = self
                .asked
                .as_ref()
                .filter(|(asked, _)| asked == stream)
                .map(|(_, at)| *at);
            (last, pace)
        } else if subjects <= UNASKED {
            (self.unasked, SLOW)
        } else {
            return false;
        };
        if last.is_some_and(|last| now.saturating_sub(last) < pace) {
            return false;
        }
        if shown {
            self.asked = Some((stream.clone(), now));
        }
        self.unasked = Some(now);
        true
    }
}

/// Asks for the counts: the largest first, the rest as a sum.
pub(crate) async fn read(api: Arc<Api>, stream: Arc<str>) -> Result<SubjectsReading, ApiError> {
    let (reading, counts) = api.subjects(&stream).await?;
    Ok(fold(stream, &reading.state, counts))
}

fn fold(stream: Arc<str>, state: &StreamState, mut counts: Vec<(String, u64)>) -> SubjectsReading {
    counts.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let subjects = state.num_subjects.unwrap_or(0).max(counts.len() as u64);
    counts.truncate(MOST);
    let kept: u64 = counts.iter().map(|(_, count)| count).sum();
    let left_out = subjects - counts.len() as u64;
    SubjectsReading {
        stream,
        left_out: (
            left_out,
            if left_out == 0 {
                0
            } else {
                state.messages.saturating_sub(kept)
            },
        ),
        counts: counts
            .into_iter()
            .map(|(subject, count)| (subject.into(), count))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(messages: u64, subjects: u64) -> StreamState {
        StreamState {
            messages,
            num_subjects: Some(subjects),
            ..StreamState::default()
        }
    }

    #[test]
    fn the_largest_subjects_are_kept_and_the_rest_is_summed() {
        let counts = (1..=1_500).map(|i| (format!("s.{i:04}"), i)).collect();
        let reading = fold("s".into(), &state(1_125_750, 1_500), counts);
        assert_eq!(reading.counts.len(), 1_000);
        assert_eq!(reading.counts[0], ("s.1500".into(), 1_500));
        assert_eq!(reading.left_out, (500, (1..=500).sum()));
    }

    #[test]
    fn a_stream_is_asked_less_often_the_more_subjects_it_has() {
        let stream: Arc<str> = "s".into();
        for (subjects, shown, asked) in [
            (10, true, 30),
            (5_000, true, 6),
            (50_000, true, 2),
            (200_000, true, 0),
            (10, false, 4),
            (50_000, false, 0),
        ] {
            let mut cadence = Cadence::default();
            let times = (0..60_u64)
                .filter(|second| cadence.take(&stream, &state(1, subjects), shown, Duration::from_secs(*second)));
            assert_eq!(times.count(), asked, "{subjects} {shown}");
        }
    }
}

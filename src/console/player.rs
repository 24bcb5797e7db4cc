//! The past on screen: a recording, or the last minutes of a live session. Plain data: what it
//! holds, where one stands in it, and what a person wants of it. [`run`](super::run) does it.

mod reel;

use std::sync::Arc;
use std::time::Duration;

pub use reel::{Cell, Mark, MarkKind, Reel, length};

use crate::base::time::Timestamp;

/// Where one stands in a reel.
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
#[derive(Clone, Debug, PartialEq)]
pub struct Player {
    /// What is played.
    pub reel: Arc<Reel>,
    /// Where: time from its beginning. While a moment is worked out, where it will be.
    pub position: Duration,
    /// Whether it plays.
    pub playing: bool,
    /// How fast: `½×`.
    pub speed: &'static str,
    /// The same as a number: times real time.
    pub factor: f64,
    /// Whether it goes faster where nothing happens.
    pub ramp: bool,
    /// Whether it begins anew at its end.
    pub looping: bool,
    /// Whether a moment is being worked out.
    pub seeking: bool,
    /// From when on totals, ledger and events count, where that is not the session's beginning.
    pub since: Option<Timestamp>,
}

/// How long a caption stays, as a person sees it.
const CAPTION: Duration = Duration::from_secs(5);

impl Player {
    /// The marker that was passed last, while its caption is on screen.
    #[must_use]
    pub fn caption(&self) -> Option<&Mark> {
        let stays = CAPTION.mul_f64(self.factor.max(1.0));
        let passed = self.reel.markers.partition_point(|mark| mark.at <= self.position);
        let mark = self.reel.markers.get(passed.checked_sub(1)?)?;
        (self.position.saturating_sub(mark.at) < stays).then_some(mark)
    }

    /// The moment that is shown.
    #[must_use]
    pub fn moment(&self) -> Timestamp {
        self.reel.moment(self.position)
    }
}

/// Where a live session steps back to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Back {
    /// So far.
    By(Duration),
    /// The last marker or alert.
    To(MarkKind),
    /// As it was typed: [`Reel::read`].
    Typed(String),
}

/// What a person wants of the past.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Control {
    /// Plays or pauses.
    Toggle,
    /// One reading forward or back, and pauses.
    Step {
        /// Forward, not back.
        forward: bool,
    },
    /// Goes to a position.
    To(Duration),
    /// Plays faster.
    Faster,
    /// Plays slower.
    Slower,
    /// Begins anew at the end, or not.
    Loop,
    /// Faster where nothing happens, or not.
    Ramp,
    /// Steps back from a live session.
    Back(Back),
    /// Returns to the live session.
    Live,
    /// Marks a position of the past; `None`: this moment of the live session.
    Note(Option<Duration>, String),
}

/// What a person wants kept of a live session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Starts to record.
    Record(File),
    /// Ends the recording.
    Stop,
    /// Saves the last 15 minutes.
    Save(File),
}

/// A file as it is typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct File {
    /// Its path; `None`: a name of its own in the recordings folder.
    pub path: Option<String>,
    /// Whether one that is there is overwritten.
    pub force: bool,
}

/// How a recording in the making is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tape {
    /// Bytes on disk.
    pub bytes: u64,
    /// Items left out because the disk was too slow.
    pub dropped: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caption_stays_for_a_while_and_longer_where_it_plays_faster() {
        let caption = |at: u64, factor: f64| {
            let player = Player {
                reel: Arc::new(Reel {
                    length: Duration::from_mins(4),
                    markers: vec![
                        Mark::new(Duration::from_mins(1), "deploy"),
                        Mark::new(Duration::from_secs(200), "back"),
                    ],
                    ..Reel::default()
                }),
                position: Duration::from_secs(at),
                playing: true,
                speed: "",
                factor,
                ramp: false,
                looping: false,
                seeking: false,
                since: None,
            };
            player.caption().map(|mark| mark.text.clone())
        };
        assert_eq!(caption(59, 1.0), None);
        assert_eq!(caption(60, 1.0).as_deref(), Some("deploy"));
        assert_eq!(caption(66, 1.0), None);
        assert_eq!(caption(66, 4.0).as_deref(), Some("deploy"));
    }
}

//! The past on screen: a recording, or the last minutes of a live session. Plain data: what it
//! holds, where one stands in it, and what a person wants of it. [`run`](super::run) does it.

use std::sync::Arc;
use std::time::Duration;

use jiff::ToSpan as _;

use super::widget::time::Zone;
use crate::base::text::safe;
use crate::base::time::{Timestamp, since};
use crate::config::parse_duration;

/// A moment of a reel that stands out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Time from the reel's beginning.
    pub at: Duration,
    /// What, safe to be shown.
    pub text: String,
}

impl Mark {
    /// A mark with a stranger's text.
    #[must_use]
    pub fn new(at: Duration, text: &str) -> Self {
        Self {
            at,
            text: safe(text).into_owned(),
        }
    }
}

/// What one can jump to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarkKind {
    /// A marked moment.
    Marker,
    /// A verdict that was raised.
    Alert,
}

impl MarkKind {
    /// What it is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Marker => "marker",
            Self::Alert => "alert",
        }
    }
}

/// What can be played. Times are from its beginning.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reel {
    /// Whether it is the past of a live session, not a recording.
    pub live: bool,
    /// The file's name, safe to be shown.
    pub name: String,
    /// The moment of its beginning.
    pub start: Timestamp,
    /// Its length.
    pub length: Duration,
    /// Mean webhooks per second over spans of time, in order.
    pub load: Vec<(Duration, Duration, f32)>,
    /// Verdicts that were raised, in order.
    pub alerts: Vec<Mark>,
    /// Marked moments, in order.
    pub markers: Vec<Mark>,
    /// What somebody did, in order.
    pub actions: Vec<Mark>,
    /// Spans in which something is missing.
    pub gaps: Vec<(Duration, Duration)>,
    /// Where what recordings know ends and the memory of the live session begins.
    pub seam: Option<Duration>,
    /// What of it cannot be shown, a sentence each, safe to be shown.
    pub missing: Vec<String>,
}

/// One column of the strip.
#[expect(
    clippy::struct_excessive_bools,
    reason = "one for each mark that may stand in a column"
)]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cell {
    /// The highest mean of webhooks per second in it; `None`: unknown.
    pub load: Option<f32>,
    /// A verdict was raised in it.
    pub alert: bool,
    /// Somebody marked a moment in it.
    pub marker: bool,
    /// Somebody acted in it.
    pub action: bool,
    /// Something is missing in it.
    pub gap: bool,
    /// The memory of the live session begins in it.
    pub seam: bool,
}

impl Reel {
    /// The moment at a position.
    #[must_use]
    pub fn moment(&self, position: Duration) -> Timestamp {
        self.start.saturating_add(position).unwrap_or(self.start)
    }

    /// The position of a moment; what lies outside is its beginning or its end.
    #[must_use]
    pub fn position(&self, at: Timestamp) -> Duration {
        since(self.start, at).min(self.length)
    }

    /// The column of a position among so many.
    #[must_use]
    pub fn column(&self, at: Duration, columns: u16) -> u16 {
        let span = self.length.as_nanos().max(1);
        let column = at.as_nanos().saturating_mul(u128::from(columns)) / span;
        u16::try_from(column).unwrap_or(u16::MAX).min(columns.saturating_sub(1))
    }

    /// The position that a column of so many stands for: the first one begins, the last one ends.
    #[must_use]
    pub fn at_column(&self, column: u16, columns: u16) -> Duration {
        let last = columns.saturating_sub(1).max(1);
        self.length.mul_f64(f64::from(column.min(last)) / f64::from(last))
    }

    /// It in so many columns.
    #[must_use]
    pub fn strip(&self, columns: u16) -> Vec<Cell> {
        let mut cells = vec![Cell::default(); usize::from(columns)];
        if columns == 0 {
            return cells;
        }
        let column = |at: Duration| usize::from(self.column(at, columns));
        for (from, to, load) in &self.load {
            for cell in &mut cells[column(*from)..=column(*to)] {
                cell.load = Some(cell.load.unwrap_or(0.0).max(*load));
            }
        }
        for (from, to) in &self.gaps {
            for cell in &mut cells[column(*from)..=column(*to)] {
                cell.gap = true;
            }
        }
        let mut mark = |marks: &[Mark], set: fn(&mut Cell)| {
            for mark in marks {
                set(&mut cells[column(mark.at)]);
            }
        };
        mark(&self.alerts, |cell| cell.alert = true);
        mark(&self.markers, |cell| cell.marker = true);
        mark(&self.actions, |cell| cell.action = true);
        if let Some(seam) = self.seam {
            cells[column(seam)].seam = true;
        }
        cells
    }

    /// The marks of a kind.
    #[must_use]
    pub fn marks(&self, kind: MarkKind) -> &[Mark] {
        match kind {
            MarkKind::Marker => &self.markers,
            MarkKind::Alert => &self.alerts,
        }
    }

    /// The next mark after a position, or the last one before it.
    #[must_use]
    pub fn find(&self, kind: MarkKind, from: Duration, forward: bool) -> Option<&Mark> {
        let marks = self.marks(kind);
        if forward {
            marks.iter().find(|mark| mark.at > from)
        } else {
            marks.iter().rev().find(|mark| mark.at < from)
        }
    }

    /// Markers and alerts together, in order.
    #[must_use]
    pub fn all_marks(&self) -> Vec<(MarkKind, &Mark)> {
        let of = |kind: MarkKind| self.marks(kind).iter().map(move |mark| (kind, mark));
        let mut all: Vec<_> = of(MarkKind::Marker).chain(of(MarkKind::Alert)).collect();
        all.sort_by_key(|(_, mark)| mark.at);
        all
    }

    /// Adds a marker at its place.
    pub fn add_marker(&mut self, mark: Mark) {
        let at = self.markers.partition_point(|known| known.at <= mark.at);
        self.markers.insert(at, mark);
    }

    /// Reads where to go: a time of day as it is shown (`14:03:22`, `14:03`), a moment
    /// (`2026-07-31T14:03:22Z`), so long after the beginning (`90s`), so far from here (`+10s`,
    /// `-1m`), or a part (`30%`).
    ///
    /// # Errors
    /// Says why there is no such moment.
    pub fn read(&self, text: &str, from: Duration, zone: &Zone) -> Result<Duration, String> {
        let text = text.trim();
        if let Ok(at) = text.parse::<Timestamp>() {
            return self.within(at, zone);
        }
        if let Some(percent) = text.strip_suffix('%') {
            return match percent.trim().parse::<f64>() {
                Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(self.length.mul_f64(percent / 100.0)),
                _ => Err(format!("no such part: {} → 0% to 100%", safe(text))),
            };
        }
        if let Some(rest) = text.strip_prefix(['+', '-', '−'])
            && let Ok(by) = parse_duration(rest)
        {
            let to = if text.starts_with('+') {
                from.saturating_add(by)
            } else {
                from.saturating_sub(by)
            };
            return Ok(to.min(self.length));
        }
        if let Some(at) = self.time_of_day(text, zone) {
            return at;
        }
        match parse_duration(text) {
            Ok(after) if after <= self.length => Ok(after),
            Ok(_) => Err(format!(
                "no such moment: {} is longer than it is ({})",
                safe(text),
                length(self.length)
            )),
            Err(_) => Err(format!(
                "no time: {} → write it like {}, 90s, -10s or 30%",
                safe(text),
                zone.clock(self.start)
            )),
        }
    }

    /// `None`: that is no time of day.
    fn time_of_day(&self, text: &str, zone: &Zone) -> Option<Result<Duration, String>> {
        let format = if text.matches(':').count() == 1 {
            "%H:%M"
        } else {
            "%H:%M:%S"
        };
        let time = jiff::civil::Time::strptime(format, text).ok()?;
        let end = self.moment(self.length).to_zoned(zone.zone.clone());
        let mut day = self.start.to_zoned(zone.zone.clone()).date();
        let mut first = None;
        while day <= end.date() {
            if let Ok(at) = day.to_datetime(time).to_zoned(zone.zone.clone()) {
                let within = self.within(at.timestamp(), zone);
                if within.is_ok() {
                    return Some(within);
                }
                first.get_or_insert(within);
            }
            day = day.checked_add(1.day()).ok()?;
        }
        first
    }

    fn within(&self, at: Timestamp, zone: &Zone) -> Result<Duration, String> {
        let end = self.moment(self.length);
        // Times are typed in whole seconds: the second in which it begins is in it.
        let begin = self.start.as_second();
        if at.as_second() < begin || at > end {
            return Err(format!(
                "no such moment: it goes from {} to {}",
                zone.clock(self.start),
                zone.clock(end)
            ));
        }
        Ok(self.position(at))
    }
}

/// `2:05`, `1:02:05`.
#[must_use]
pub fn length(value: Duration) -> String {
    let seconds = value.as_secs();
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

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

    fn reel() -> Reel {
        let seconds = Duration::from_secs;
        Reel {
            start: "2026-07-31T23:58:00Z".parse().unwrap(),
            length: seconds(240),
            load: vec![
                (seconds(0), seconds(60), 10.0),
                (seconds(60), seconds(119), 30.0),
                (seconds(180), seconds(240), 20.0),
            ],
            markers: vec![Mark::new(seconds(60), "deploy"), Mark::new(seconds(200), "\u{1b}[2J")],
            alerts: vec![Mark::new(seconds(90), "no_workers")],
            gaps: vec![(seconds(121), seconds(179))],
            ..Reel::default()
        }
    }

    #[test]
    fn the_strip_shows_load_marks_and_gaps_where_they_were() {
        let strip = reel().strip(4);
        assert_eq!(
            strip.iter().map(|cell| cell.load).collect::<Vec<_>>(),
            [Some(10.0), Some(30.0), None, Some(20.0)]
        );
        assert!(strip[1].marker && strip[1].alert && !strip[1].gap);
        assert!(strip[2].gap && !strip[2].marker && strip[3].marker);
        assert_eq!(reel().strip(0), []);
        assert_eq!(Reel::default().strip(3).len(), 3, "an empty one, too");
    }

    #[test]
    fn a_column_and_back_is_the_same_column() {
        let reel = reel();
        for columns in [1, 2, 77, 200] {
            for column in 0..columns {
                let back = reel.column(reel.at_column(column, columns), columns);
                assert!(back.abs_diff(column) <= 1, "{column} of {columns}: {back}");
            }
        }
        assert_eq!(reel.at_column(0, 80), Duration::ZERO);
        assert_eq!(reel.at_column(79, 80), reel.length);
    }

    #[test]
    fn marks_are_found_forward_and_back_and_never_where_one_stands() {
        let reel = reel();
        let at = |from: u64, forward| {
            let mark = reel.find(MarkKind::Marker, Duration::from_secs(from), forward);
            mark.map(|mark| mark.at.as_secs())
        };
        assert_eq!((at(0, true), at(60, true), at(200, true)), (Some(60), Some(200), None));
        assert_eq!(
            (at(240, false), at(200, false), at(60, false)),
            (Some(200), Some(60), None)
        );
        let all: Vec<u64> = reel.all_marks().iter().map(|(_, mark)| mark.at.as_secs()).collect();
        assert_eq!(all, [60, 90, 200]);
        assert!(!reel.markers[1].text.contains('\u{1b}'));
    }

    #[test]
    fn a_moment_is_read_as_a_time_an_offset_or_a_part() {
        let (reel, zone) = (reel(), Zone::utc());
        let read = |text: &str| reel.read(text, Duration::from_secs(100), &zone);
        for (text, seconds) in [
            ("23:59:10", 70),
            ("00:00", 120),
            ("2026-08-01T00:01:00Z", 180),
            ("90s", 90),
            ("1m30s", 90),
            ("+10s", 110),
            ("-10s", 90),
            ("+1h", 240),
            ("50%", 120),
            ("0%", 0),
        ] {
            assert_eq!(read(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in [
            "12:00:00",
            "2020-01-01T00:00:00Z",
            "5m",
            "101%",
            "soon",
            "",
            "25:00:00",
            "\u{1b}[2J",
        ] {
            let error = read(text).unwrap_err();
            assert!(error.starts_with("no ") && !error.contains('\u{1b}'), "{text}: {error}");
        }
    }

    #[test]
    fn a_time_is_read_in_the_zone_in_which_times_are_shown() {
        let zone = Zone::local(jiff::tz::TimeZone::fixed(jiff::tz::offset(2)), Timestamp::UNIX_EPOCH);
        assert_eq!(
            reel().read("01:59:10", Duration::ZERO, &zone),
            Ok(Duration::from_secs(70))
        );
    }

    #[test]
    fn a_caption_stays_for_a_while_and_longer_where_it_plays_faster() {
        let caption = |at: u64, factor: f64| {
            let player = Player {
                reel: Arc::new(reel()),
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

    #[test]
    fn lengths_read_like_a_players() {
        for (seconds, text) in [(5, "0:05"), (125, "2:05"), (3_725, "1:02:05")] {
            assert_eq!(length(Duration::from_secs(seconds)), text);
        }
    }
}

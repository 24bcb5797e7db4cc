//! How the sources are: what their supervisors report, and `stale` when nothing arrives.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::reading::{Reading, ReadingState};
use super::view::{Health, SourceView};
use crate::base::text;
use crate::base::time::{Moment, Timestamp};
use crate::sample::{SourceId, SourceKind, SourceReport, SourceState};

/// A source is not called stale before this, however short its period.
const PATIENCE: Duration = Duration::from_secs(3);

/// A metrics endpoint that misses one scrape has not been away: its counters tell what it counted.
const AWAY: u32 = 2;

/// The period of a source that has not told it yet.
const USUAL_PERIOD: Duration = Duration::from_secs(1);

/// When and where a sample was taken.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Stamp {
    pub(super) at: Timestamp,
    pub(super) mono: Duration,
    pub(super) source: SourceId,
}

impl Stamp {
    /// Until when, counted from session start, a sample taken at `mono` every `period` is fresh.
    fn limit(period: Duration) -> Duration {
        (period * 3).max(PATIENCE)
    }
}

#[derive(Clone, Debug, PartialEq)]
struct Track {
    report: Option<SourceReport>,
    last_good: Option<Moment>,
    health: Health,
    since: Timestamp,
    /// Failed and good reports in a row.
    failures: u32,
    goods: u32,
    failing_from: Option<Duration>,
    recovered: Duration,
    /// When it last reported.
    reported: Duration,
    /// Lines of its last page that could not be read, and the first of them with its reason.
    unreadable: Option<(u64, String)>,
}

impl Track {
    fn period(&self) -> Duration {
        self.report.as_ref().map_or(USUAL_PERIOD, |report| report.period)
    }

    /// What is wrong with it: why it fails, or what of its answers is no use.
    fn trouble(&self) -> Option<String> {
        let error = self.report.as_ref().and_then(|report| report.error.clone());
        error.or_else(|| {
            let (lines, first) = self.unreadable.as_ref()?;
            let lines = match lines {
                1 => "a line".to_owned(),
                several => format!("{} lines", text::count(*several)),
            };
            Some(format!(
                "{lines} of its page cannot be read, the first: {first} → look at what writes it"
            ))
        })
    }

    /// `awake`: since when this process has run without standing still itself.
    fn judge(&self, now: Duration, awake: Duration) -> Health {
        let stale = || {
            self.last_good
                .is_none_or(|good| now.saturating_sub(good.mono.max(awake)) > Stamp::limit(self.period()))
        };
        match self.report.as_ref().map(|report| report.state) {
            Some(SourceState::Connecting) if self.last_good.is_none() => Health::Connecting,
            Some(SourceState::Off) => Health::Off,
            Some(SourceState::Failing) => Health::Failing,
            _ if stale() => Health::Stale,
            _ => Health::Ok,
        }
    }
}

/// A source that changed its state.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Turn {
    pub(super) id: SourceId,
    pub(super) from: Health,
    pub(super) to: Health,
    pub(super) error: Option<String>,
}

/// Every source of the profile.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Sources {
    tracks: BTreeMap<SourceId, Track>,
    turned: bool,
    now: Duration,
    /// When the sources were last judged, and since when that was done without a pause: a stopped
    /// process must not call silent whom it did not ask.
    judged: Option<Duration>,
    awake: Duration,
    stood_still: Option<Duration>,
}

impl Sources {
    fn track(&mut self, id: &SourceId, moment: Moment) -> &mut Track {
        self.tracks.entry(id.clone()).or_insert_with(|| Track {
            report: None,
            last_good: None,
            health: Health::Connecting,
            since: moment.at,
            failures: 0,
            goods: 0,
            failing_from: None,
            recovered: Duration::ZERO,
            reported: moment.mono,
            unreadable: None,
        })
    }

    /// Takes a supervisor's report in.
    pub(super) fn report(&mut self, id: &SourceId, moment: Moment, report: &SourceReport) {
        let track = self.track(id, moment);
        let turned = track.report.as_ref().is_none_or(|last| last.state != report.state);
        match report.state {
            SourceState::Ok => {
                let away = if id.kind == SourceKind::Metrics { AWAY } else { 1 };
                if track.failures >= away {
                    track.recovered = moment.mono;
                }
                track.last_good = Some(moment);
                track.failures = 0;
                track.failing_from = None;
                track.goods = track.goods.saturating_add(1);
            }
            SourceState::Failing => {
                track.failures = track.failures.saturating_add(1);
                track.goods = 0;
                track.failing_from.get_or_insert(moment.mono);
            }
            SourceState::Connecting | SourceState::Off => {}
        }
        track.reported = moment.mono;
        track.report = Some(report.clone());
        self.turned |= turned;
    }

    /// Whether a source has changed its state since the last judgement.
    pub(super) fn have_turned(&self) -> bool {
        self.turned
    }

    /// Notes that a source delivered data.
    pub(super) fn note(&mut self, id: &SourceId, moment: Moment) {
        self.track(id, moment).last_good = Some(moment);
    }

    /// Notes which lines of a page could not be read. True when that is news: its last page had none.
    pub(super) fn page(&mut self, id: &SourceId, moment: Moment, skipped: u64, first: Option<&str>) -> bool {
        let track = self.track(id, moment);
        let news = skipped > 0 && track.unreadable.is_none();
        track.unreadable = (skipped > 0).then(|| (skipped, first.unwrap_or_default().to_owned()));
        news
    }

    /// What is wrong with a source.
    pub(super) fn trouble(&self, id: &SourceId) -> Option<String> {
        self.tracks.get(id)?.trouble()
    }

    /// Judges every source as of `now`.
    pub(super) fn advance(&mut self, now: Moment) -> Vec<Turn> {
        self.now = now.mono;
        self.turned = false;
        let pause = self.judged.replace(now.mono).map(|last| now.mono.saturating_sub(last));
        self.stood_still = pause.filter(|pause| *pause > PATIENCE);
        if self.stood_still.is_some() {
            self.awake = now.mono;
        }
        let mut turns = Vec::new();
        for (id, track) in &mut self.tracks {
            let health = track.judge(now.mono, self.awake);
            if health != track.health {
                turns.push(Turn {
                    id: id.clone(),
                    from: track.health,
                    to: health,
                    error: track.report.as_ref().and_then(|report| report.error.clone()),
                });
                if track.health == Health::Stale && health == Health::Ok {
                    track.recovered = now.mono;
                }
                track.health = health;
                track.since = now.at;
            }
        }
        turns
    }

    /// For how long nobody judged the sources before the last judgement, where that is long: this
    /// process stood still.
    pub(super) fn stood_still(&self) -> Option<Duration> {
        self.stood_still
    }

    /// The sources as they are shown.
    pub(super) fn views(&self) -> Vec<SourceView> {
        self.tracks
            .iter()
            .map(|(id, track)| SourceView {
                id: id.clone(),
                state: track.health,
                since: track.since,
                age: track.last_good.map(|good| self.now.saturating_sub(good.mono)),
                latency: track.report.as_ref().and_then(|report| report.latency),
                period: track.report.as_ref().map(|report| report.period),
                error: track.trouble(),
                retry_in: track.report.as_ref().and_then(|report| report.retry_in),
            })
            .collect()
    }

    /// Forgets a source that is no more: it is not a failing one.
    pub(super) fn forget(&mut self, id: &SourceId) {
        self.tracks.remove(id);
    }

    /// The sources of a kind.
    pub(super) fn of_kind(&self, kind: SourceKind) -> impl Iterator<Item = SourceStatus<'_>> {
        self.tracks
            .iter()
            .filter(move |(id, _)| id.kind == kind)
            .map(|(id, track)| SourceStatus { id, track })
    }

    /// Every source.
    pub(super) fn all(&self) -> impl Iterator<Item = SourceStatus<'_>> {
        self.tracks.iter().map(|(id, track)| SourceStatus { id, track })
    }

    /// Whether a sample taken then is still fresh: its source answers and the sample itself is
    /// younger than three periods.
    pub(super) fn is_fresh(&self, stamp: &Stamp) -> bool {
        self.is_fresh_for(stamp, Duration::ZERO)
    }

    /// The same for samples that are taken only every `cadence`.
    pub(super) fn is_fresh_for(&self, stamp: &Stamp, cadence: Duration) -> bool {
        let track = self.tracks.get(&stamp.source);
        track.is_some_and(|track| self.is_recent(track, stamp, cadence))
    }

    fn is_recent(&self, track: &Track, stamp: &Stamp, cadence: Duration) -> bool {
        track.health == Health::Ok && self.now.saturating_sub(stamp.mono) <= Stamp::limit(track.period().max(cadence))
    }

    /// The same of a sample whose source is at hand.
    pub(super) fn is_fresh_of(&self, source: SourceStatus<'_>, stamp: &Stamp, cadence: Duration) -> bool {
        self.is_recent(source.track, stamp, cadence)
    }

    /// What is known by the names of metrics endpoints, in their order, each with its source.
    pub(super) fn pair<'a, T>(
        &'a self,
        targets: impl Iterator<Item = (&'a Arc<str>, T)>,
    ) -> impl Iterator<Item = (&'a Arc<str>, T, Option<SourceStatus<'a>>)> {
        let mut sources = self.of_kind(SourceKind::Metrics).peekable();
        targets.map(move |(name, target)| {
            while sources.next_if(|source| source.id.name < *name).is_some() {}
            (name, target, sources.next_if(|source| source.id.name == *name))
        })
    }

    /// A figure with its source and state.
    pub(super) fn reading(&self, value: Option<f64>, stamp: Option<&Stamp>) -> Reading {
        self.reading_for(value, stamp, Duration::ZERO)
    }

    /// A figure of a sample of which it is known whether it is fresh.
    pub(super) fn reading_as(fresh: bool, value: Option<f64>, stamp: Option<&Stamp>) -> Reading {
        let (Some(value), Some(stamp)) = (value.filter(|value| value.is_finite()), stamp) else {
            return Reading::unknown();
        };
        Reading {
            // Sums of nothing are -0.
            value: Some(value + 0.0),
            at: Some(stamp.at),
            source: Some(stamp.source.clone()),
            state: if fresh {
                ReadingState::Fresh
            } else {
                ReadingState::Stale
            },
        }
    }

    /// The same of a sample that is taken only every `cadence`.
    pub(super) fn reading_for(&self, value: Option<f64>, stamp: Option<&Stamp>, cadence: Duration) -> Reading {
        let fresh = value.is_some() && stamp.is_some_and(|stamp| self.is_fresh_for(stamp, cadence));
        Self::reading_as(fresh, value, stamp)
    }

    /// When the last source of a kind came back, so that rules about its rates wait until it has
    /// said enough.
    pub(super) fn last_recovery(&self, kind: SourceKind) -> Duration {
        self.of_kind(kind)
            .map(|source| source.track.recovered)
            .max()
            .unwrap_or_default()
            .max(self.awake)
    }
}

/// A source and how it has been.
#[derive(Clone, Copy, Debug)]
pub(super) struct SourceStatus<'a> {
    /// Which.
    pub(super) id: &'a SourceId,
    track: &'a Track,
}

impl<'a> SourceStatus<'a> {
    pub(super) fn health(self) -> Health {
        self.track.health
    }

    /// Failed reports in a row.
    pub(super) fn failures(self) -> u32 {
        self.track.failures
    }

    /// Good reports in a row.
    pub(super) fn goods(self) -> u32 {
        self.track.goods
    }

    pub(super) fn error(self) -> Option<&'a str> {
        self.track.report.as_ref()?.error.as_deref()
    }

    /// Whether the last report says that nobody listens there: the process is not running.
    pub(super) fn refuses(self) -> bool {
        self.track.report.as_ref().is_some_and(refuses)
    }

    /// When it last reported, since session start.
    pub(super) fn reported(self) -> Duration {
        self.track.reported
    }

    /// When it began to fail, since session start.
    pub(super) fn failing_from(self) -> Option<Duration> {
        self.track.failing_from
    }
}

/// Whether a report says that the connection was refused: nobody listens, so the process that
/// would answer is not running (and counts nothing).
pub(super) fn refuses(report: &SourceReport) -> bool {
    report.state == SourceState::Failing
        && report
            .error
            .as_deref()
            .is_some_and(|error| error.to_ascii_lowercase().contains("connection refused"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(seconds: u64) -> Moment {
        Moment {
            at: Timestamp::UNIX_EPOCH + Duration::from_secs(seconds),
            mono: Duration::from_secs(seconds),
        }
    }

    fn report(state: SourceState, error: Option<&str>) -> SourceReport {
        SourceReport {
            state,
            latency: None,
            error: error.map(str::to_owned),
            retry_in: None,
            period: Duration::from_secs(2),
        }
    }

    fn id() -> SourceId {
        SourceId::new(SourceKind::Metrics, "w-1")
    }

    #[test]
    fn silence_for_three_periods_is_stale_and_an_answer_ends_it() {
        let mut sources = Sources::default();
        sources.report(&id(), moment(0), &report(SourceState::Ok, None));
        sources.advance(moment(6));
        assert_eq!(sources.views()[0].state, Health::Ok);
        let turns = sources.advance(moment(7));
        assert_eq!(turns[0].to, Health::Stale);
        assert_eq!(sources.views()[0].age, Some(Duration::from_secs(7)));
        sources.report(&id(), moment(8), &report(SourceState::Ok, None));
        assert_eq!(sources.advance(moment(8))[0].to, Health::Ok);
        assert_eq!(sources.last_recovery(SourceKind::Metrics), Duration::from_secs(8));
        assert_eq!(sources.last_recovery(SourceKind::Probe), Duration::ZERO);
    }

    #[test]
    fn whoever_stood_still_does_not_call_the_others_silent() {
        let mut sources = Sources::default();
        sources.report(&id(), moment(9), &report(SourceState::Ok, None));
        for second in [9, 10] {
            sources.advance(moment(second));
            assert_eq!(sources.stood_still(), None);
        }
        assert_eq!(sources.advance(moment(42)), []);
        assert_eq!(sources.stood_still(), Some(Duration::from_secs(32)));
        assert_eq!(
            sources.last_recovery(SourceKind::Jetstream),
            Duration::from_secs(42),
            "rates wait"
        );
        // What was read before is old all the same, and who stays silent is told.
        let stamp = Stamp {
            at: moment(9).at,
            mono: moment(9).mono,
            source: id(),
        };
        assert!(!sources.is_fresh(&stamp));
        for second in 43..=48 {
            assert_eq!(sources.advance(moment(second)), []);
        }
        assert_eq!(sources.advance(moment(49))[0].to, Health::Stale);
    }

    #[test]
    fn an_endpoint_that_misses_one_scrape_was_not_away() {
        let mut sources = Sources::default();
        let failed = report(SourceState::Failing, Some("HTTP 503"));
        sources.report(&id(), moment(1), &failed);
        sources.report(&id(), moment(2), &report(SourceState::Ok, None));
        assert_eq!(sources.last_recovery(SourceKind::Metrics), Duration::ZERO);
        sources.report(&id(), moment(3), &failed);
        sources.report(&id(), moment(4), &failed);
        sources.report(&id(), moment(5), &report(SourceState::Ok, None));
        assert_eq!(sources.last_recovery(SourceKind::Metrics), Duration::from_secs(5));
        // What a server said is over once it is away.
        let nats = SourceId::new(SourceKind::Jetstream, "nats");
        sources.report(&nats, moment(6), &failed);
        sources.report(&nats, moment(7), &report(SourceState::Ok, None));
        assert_eq!(sources.last_recovery(SourceKind::Jetstream), Duration::from_secs(7));
    }

    #[test]
    fn a_failure_shows_at_once_with_its_reason() {
        let mut sources = Sources::default();
        sources.report(&id(), moment(0), &report(SourceState::Ok, None));
        sources.report(
            &id(),
            moment(1),
            &report(SourceState::Failing, Some("connection refused")),
        );
        sources.advance(moment(1));
        let view = &sources.views()[0];
        assert_eq!(view.state, Health::Failing);
        assert_eq!(view.error.as_deref(), Some("connection refused"));
        assert_eq!(view.age, Some(Duration::from_secs(1)));
        assert!(sources.all().all(SourceStatus::refuses));
    }

    #[test]
    fn a_figure_of_a_silent_source_keeps_its_value_and_is_marked() {
        let mut sources = Sources::default();
        sources.report(&id(), moment(0), &report(SourceState::Ok, None));
        sources.advance(moment(1));
        let stamp = Stamp {
            at: moment(0).at,
            mono: moment(0).mono,
            source: id(),
        };
        assert_eq!(sources.reading(Some(7.0), Some(&stamp)).state, ReadingState::Fresh);
        sources.report(&id(), moment(20), &report(SourceState::Ok, None));
        sources.advance(moment(20));
        // The source answers, but this figure was not in its answers for long.
        let old = sources.reading(Some(7.0), Some(&stamp));
        assert_eq!((old.value, old.state), (Some(7.0), ReadingState::Stale));
        assert_eq!(sources.reading(None, Some(&stamp)), Reading::unknown());
        assert_eq!(sources.reading(Some(f64::NAN), Some(&stamp)), Reading::unknown());
    }
}

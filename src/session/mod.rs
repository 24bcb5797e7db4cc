//! One profile live, or one recording: what the console and the headless commands share.

use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::base::time::{Moment, SharedClock};
use crate::config::Profile;
use crate::model::Settings;
use crate::sample::{Envelope, Interest, SourceId, SourceKind};

/// Envelopes that may wait for the model. A source waits when it is full; the screen never does.
const QUEUE: usize = 4_096;

/// How often figures are worked out: at first, for how long, and then.
const TICKS: (Duration, Duration, Duration) = (
    Duration::from_millis(250),
    Duration::from_secs(2),
    Duration::from_secs(1),
);

/// A profile with its sources at work. They end when it is dropped.
#[derive(Debug)]
pub struct Session {
    /// What the model needs to know.
    pub settings: Settings,
    /// When it started.
    pub started: Moment,
    /// What the sources see. Ends when there is no source left.
    pub envelopes: mpsc::Receiver<Envelope>,
    /// What is on screen, so that sources read just that.
    pub interest: watch::Sender<Interest>,
    /// Ends the sources when it is dropped.
    pub stop: DropGuard,
}

impl Session {
    /// Starts the sources of `profile`.
    #[must_use]
    pub fn live(profile: &Profile, clock: &SharedClock) -> Self {
        let (_sender, envelopes) = mpsc::channel(QUEUE);
        Self {
            settings: settings(profile),
            started: clock.now(),
            envelopes,
            interest: watch::Sender::new(Interest::default()),
            stop: CancellationToken::new().drop_guard(),
        }
    }
}

/// What the model needs to know of a profile.
#[must_use]
pub fn settings(profile: &Profile) -> Settings {
    Settings {
        profile: profile.name.clone(),
        pipeline: profile.pipeline.clone(),
        families: profile.families.clone(),
        thresholds: profile.thresholds.clone(),
    }
}

/// The sources that a profile configures, sorted. Each must answer for a reading to be whole.
#[must_use]
pub fn source_ids(profile: &Profile) -> Vec<SourceId> {
    let nats = profile
        .nats
        .iter()
        .map(|_| SourceId::new(SourceKind::Jetstream, "nats"));
    let metrics = profile
        .targets
        .iter()
        .map(|t| SourceId::new(SourceKind::Metrics, &t.name));
    let postgres = profile
        .postgres
        .iter()
        .map(|_| SourceId::new(SourceKind::Postgres, "postgres"));
    let mut ids: Vec<SourceId> = nats.chain(metrics).chain(postgres).collect();
    ids.sort();
    ids
}

/// How long after `mono` (time since session start) figures are to be worked out next: every
/// 250 ms for the first 2 s, then at every full second.
#[must_use]
pub fn until_tick(mono: Duration) -> Duration {
    let (quick, quick_for, calm) = TICKS;
    let period = if mono < quick_for { quick } else { calm };
    let into = Duration::from_nanos(u64::try_from(mono.as_nanos() % period.as_nanos()).unwrap_or(0));
    period.saturating_sub(into)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{PostgresLink, Target, Tls};

    #[test]
    fn ticks_are_quick_at_first_and_then_at_full_seconds() {
        let mut mono = Duration::ZERO;
        let mut ticks = Vec::new();
        while mono < Duration::from_secs(4) {
            mono += until_tick(mono);
            ticks.push(mono.as_millis());
        }
        assert_eq!(ticks, [250, 500, 750, 1000, 1250, 1500, 1750, 2000, 3000, 4000]);
        assert_eq!(until_tick(Duration::from_millis(310)), Duration::from_millis(190));
        assert_eq!(until_tick(Duration::from_millis(2_900)), Duration::from_millis(100));
    }

    #[test]
    fn every_configured_source_is_expected_and_no_other() {
        let mut profile = Profile::empty("p");
        assert_eq!(source_ids(&profile), []);
        profile.targets.push(Target {
            name: "gateway".into(),
            url: "http://h/metrics".to_owned(),
            auth: None,
            headers: Vec::new(),
            tls: Tls::default(),
            interval: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
        });
        profile.postgres = Some(PostgresLink {
            url: "postgres://h/x".into(),
            shown: "postgres://h/x".to_owned(),
            statement_timeout: Duration::from_secs(1),
            pool: 1,
        });
        let shown: Vec<String> = source_ids(&profile).iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["metrics/gateway", "postgres/postgres"]);
    }
}

//! One profile live, or one recording: what the console and the headless commands share.

mod alert;
pub mod clerk;
mod describe;
mod history;
mod playback;
#[cfg(test)]
#[path = "tests.rs"]
mod playing_tests;
mod ring;
mod tap;
mod ticker;

pub use alert::{Alarms, Alert};
pub use history::{Before, FURTHER, HistoryError, past_of, past_on};
pub use playback::{Load, Loaded, Past, Playback, PlaybackError, Seek, Speed, Step, Timeline, settings_of, state_at};
pub use ring::Ring;
pub use tap::Tap;
pub use ticker::Ticker;

use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::base::text;
use crate::base::time::{Moment, SharedClock};
use crate::config::{Discovery, Profile};
use crate::model::Settings;
use crate::observe::jetstream::JetStream;
use crate::observe::metrics::Fleet;
use crate::observe::postgres::Postgres;
use crate::observe::probe::Probe;
use crate::observe::{Outlet, Source, SourceError, supervise};
use crate::sample::{Envelope, Interest, Sample, SourceId, SourceKind, SourceReport, SourceState};

/// Envelopes that may wait for the model. A source waits when it is full; the screen never does.
const QUEUE: usize = 4_096;

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
    /// Whoever is told of verdicts besides the screen.
    pub alarms: Alarms,
    /// Ends the sources when it is dropped.
    pub stop: DropGuard,
}

impl Session {
    /// Starts the sources of `profile`. Waits for none of them; one that cannot even be started
    /// is a failing source, which says why, and the others work.
    #[must_use]
    pub fn live(profile: &Profile, clock: &SharedClock) -> Self {
        let (sender, envelopes) = mpsc::channel(QUEUE);
        let interest = watch::Sender::new(Interest::default());
        let stop = CancellationToken::new();
        let crew = Crew {
            profile,
            sender,
            clock,
            stop: &stop,
        };
        if let Some(link) = &profile.nats {
            crew.start(JetStream::new(
                link.clone(),
                profile.pipeline.clone(),
                interest.subscribe(),
            ));
        }
        let mut fleet = Fleet::new(&profile.families);
        fleet.expect(profile.targets.len());
        for target in &profile.targets {
            let refused = match &target.discovery {
                Discovery::One => fleet.source(target).map(|source| crew.start(source)),
                Discovery::Federation => fleet.federation(target).map(|source| crew.start(source)),
                Discovery::Dns | Discovery::File(_) => {
                    crew.start(fleet.group(target));
                    Ok(())
                }
            };
            if let Err(error) = refused {
                let id = SourceId::new(SourceKind::Metrics, &target.name);
                crew.refuse(&id, &error, target.interval);
            }
        }
        if let Some(link) = &profile.postgres {
            crew.start(Postgres::new(link));
        }
        for target in &profile.probes {
            match Probe::new(target) {
                Ok(source) => crew.start(source),
                Err(error) => crew.refuse(&SourceId::new(SourceKind::Probe, &target.name), &error, target.interval),
            }
        }
        Self {
            settings: settings(profile),
            started: clock.now(),
            envelopes,
            interest,
            alarms: Alarms::new(&profile.alerts),
            stop: stop.drop_guard(),
        }
    }
}

/// What every source of a session shares.
struct Crew<'a> {
    profile: &'a Profile,
    sender: mpsc::Sender<Envelope>,
    clock: &'a SharedClock,
    stop: &'a CancellationToken,
}

impl Crew<'_> {
    fn outlet(&self, source: SourceId) -> Outlet {
        Outlet::new(
            self.sender.clone(),
            self.profile.name.clone(),
            source,
            self.clock.clone(),
            self.profile.redactor.clone(),
        )
    }

    fn start<S: Source>(&self, source: S) {
        let outlet = self.outlet(source.id());
        tokio::spawn(supervise(source, outlet, self.stop.clone()));
    }

    /// A source that could not be made: it fails for good, and says why.
    fn refuse(&self, source: &SourceId, error: &SourceError, period: Duration) {
        let mut outlet = self.outlet(source.clone());
        let error = self.profile.redactor.clean(&error.to_string()).into_owned();
        tokio::spawn(async move {
            let report = SourceReport {
                state: SourceState::Failing,
                latency: None,
                error: Some(text::safe(&error).into_owned()),
                retry_in: None,
                period,
            };
            outlet.send(Sample::Report(report)).await;
        });
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
        runbooks: profile.runbooks.clone(),
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
    let probes = profile.probes.iter().map(|t| SourceId::new(SourceKind::Probe, &t.name));
    let mut ids: Vec<SourceId> = nats.chain(metrics).chain(postgres).chain(probes).collect();
    ids.sort();
    ids
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{PostgresLink, Target, Tls};

    #[test]
    fn every_configured_source_is_expected_and_no_other() {
        let mut profile = Profile::empty("p");
        assert_eq!(source_ids(&profile), []);
        profile.targets.push(Target {
            name: "gateway".into(),
            url: "http://h/metrics".to_owned(),
            discovery: Discovery::One,
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

//! Recordings on screen.

use std::time::Duration;

use crate::cli::{Cli, DemoArgs, PlayArgs};
use crate::config;
use crate::console::player::Reel;
use crate::console::run::Recorded;
use crate::console::screen::Badge;
use crate::console::widget::time::Zone;
use crate::headless::Snapshot;
use crate::lab::Missing;
use crate::record::{Recording, RecordingFile};
use crate::session::{PlaybackError, Speed, settings_of};

use super::console::require_terminal;
use super::{Failure, Program, block_on, complain, print};

/// What the demo plays where it cannot run servers: recorded from the demo itself.
const DEMO: &[u8] = include_bytes!("../../recordings/demo.mcap");

impl From<PlaybackError> for Failure {
    fn from(error: PlaybackError) -> Self {
        Self::Refused(vec![error.to_string()])
    }
}

impl Program<'_> {
    /// Plays a recording. The file is only read: notes on it go beside it.
    pub(crate) fn play(&self, cli: &Cli, args: &PlayArgs) -> Result<u8, Failure> {
        let refuse = |name: &str, reason: &str| Failure::Refused(vec![format!("{name}: {reason}")]);
        let speed = Speed::parse(&args.speed).map_err(|reason| refuse("--speed", &reason))?;
        refuse_to_record(cli)?;
        let recording = Recording::open(&args.recording)?;
        let settings = settings_of(recording.info())?;
        let recorded = Recorded::new(recording, Some(&args.recording))?;
        let looks = config::console_options(&cli.overrides(), &self.surroundings)?;
        let at = match &args.at {
            None => Duration::ZERO,
            Some(text) => self
                .position(recorded.reel(), text, looks.utc)
                .map_err(|reason| refuse("--at", &reason))?,
        };
        require_terminal()?;
        self.start_log(cli.log.as_deref(), &config::redactor_of(self.surroundings.environment))?;
        let recorded = recorded.from(at, speed, args.looping);
        let badges = vec![Badge::Playback];
        block_on(self.player(recorded, settings, &looks, Vec::new(), badges))?
    }

    fn position(&self, reel: &Reel, text: &str, utc: bool) -> Result<Duration, String> {
        let zone = if utc {
            Zone::utc()
        } else {
            Zone::local(self.local_zone(), reel.start)
        };
        reel.read(text, Duration::ZERO, &zone)
    }

    /// The demo without servers of its own: the recording of one, over and over.
    pub(crate) fn recorded_demo(&self, cli: &Cli, args: &DemoArgs, missing: &[Missing]) -> Result<u8, Failure> {
        refuse_to_record(cli)?;
        let why = why_recorded(args, missing)?;
        let recording = Recording::of(vec![RecordingFile::in_memory(DEMO.into())?], Vec::new())?;
        if args.headless.is_some() {
            complain(&why);
            let snapshot = Snapshot::of_recording(recording)?;
            print(format!("{}\n", snapshot.json()?).as_bytes())?;
            return Ok(0);
        }
        let looks = config::console_options(&cli.overrides(), &self.surroundings)?;
        self.start_log(cli.log.as_deref(), &config::redactor_of(self.surroundings.environment))?;
        let settings = settings_of(recording.info())?;
        let recorded = Recorded::new(recording, None)?.from(Duration::ZERO, Speed::Normal, true);
        let badges = vec![Badge::Demo, Badge::Playback];
        block_on(self.player(recorded, settings, &looks, vec![why], badges))?
    }
}

/// Why a recording of the demo is shown. What was asked of a live one is not left out in silence.
fn why_recorded(args: &DemoArgs, missing: &[Missing]) -> Result<String, Failure> {
    let recorded = "this is a recording of the demo: nothing here is live";
    if missing.is_empty() || args.recorded {
        return Ok(recorded.to_owned());
    }
    let mut reasons: Vec<String> = missing.iter().map(ToString::to_string).collect();
    if args.scenario.is_given() {
        reasons
            .push("without servers a recording is played, which has one scenario → leave its options out".to_owned());
        return Err(Failure::Refused(reasons));
    }
    Ok(format!("{recorded}; {}", reasons.join("; ")))
}

fn refuse_to_record(cli: &Cli) -> Result<(), Failure> {
    match cli.record() {
        None => Ok(()),
        Some(_) => Err(Failure::Refused(vec![
            "--record: a recording is played, there is nothing live to record → leave it out".to_owned(),
        ])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::ScenarioArgs;

    #[test]
    fn a_recording_is_not_shown_for_a_scenario_that_was_asked_for() {
        let missing = [Missing {
            program: "nats-server",
            install: "install it with `apt-get install nats-server`".to_owned(),
        }];
        let plain = DemoArgs::default();
        let why = why_recorded(&plain, &missing).ok().unwrap();
        assert!(
            why.contains("nothing here is live; nats-server is not installed"),
            "{why}"
        );
        for scenario in [
            ScenarioArgs {
                scenario: Some("spike".to_owned()),
                ..ScenarioArgs::default()
            },
            ScenarioArgs {
                workers: Some(2),
                ..ScenarioArgs::default()
            },
        ] {
            let args = DemoArgs {
                scenario,
                ..DemoArgs::default()
            };
            let Err(Failure::Refused(reasons)) = why_recorded(&args, &missing) else {
                panic!()
            };
            assert!(reasons[0].contains("apt-get install nats-server"), "{reasons:?}");
        }
    }
}

//! Recordings: size per hour, cost per tick, opening and seeking in a day of rotated files.

#[path = "../../src/record/fixture.rs"]
mod fixture;

extern crate hookwatch;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use fixture::{CALM, FULL, Session, Width, moment};
use hookwatch::base::secret::Redactor;
use hookwatch::base::time::{Clock as _, SystemClock};
use hookwatch::config::{Families, Pipeline, Thresholds};
use hookwatch::model::Settings;
use hookwatch::record::{Limits, Recorder, RecorderOptions, Recording, SessionInfo, Target};
use hookwatch::session::Playback;

/// Budgets of a recording at 1 Hz: MiB an hour, calm and full; a seek in a day.
const SIZE: [(&str, Width, f64); 2] = [("calm", CALM, 4.0), ("full width", FULL, 16.0)];
const SEEK: Duration = Duration::from_millis(200);

const HOUR: u32 = 3_600;

fn main() -> ExitCode {
    let outcome = tempfile::tempdir()
        .map_err(anyhow::Error::from)
        .and_then(|folder| run(folder.path()));
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) | Err(_) => {
            if let Err(error) = outcome {
                say(&format!("record: {error:#}"));
            }
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "the report of a bench")]
fn say(line: &str) {
    println!("{line}");
}

fn run(folder: &Path) -> anyhow::Result<bool> {
    let clock = SystemClock::start();
    let mut within = true;
    for (name, width, budget) in SIZE {
        let path = folder.join(name.replace(' ', "-"));
        let begun = clock.now().mono;
        let bytes = record(&path, width, HOUR)?;
        let took = clock.now().mono.saturating_sub(begun);
        let size = bytes as f64 / 1_048_576.0;
        within &= size <= budget;
        say(&format!(
            "record {name:<11} {size:>6.2} MiB/h  {} its budget of {budget} MiB/h, {:?} a tick with the making-up",
            verdict(size <= budget),
            took / HOUR
        ));
        within &= seek(name, &path, &clock)?;
    }
    let day = folder.join("day");
    let bytes = record(&day, CALM, 24 * HOUR)?;
    say(&format!("record 24 h calm    {:.1} MiB", bytes as f64 / 1_048_576.0));
    within &= seek("24 h", &day, &clock)?;
    Ok(within)
}

fn verdict(within: bool) -> &'static str {
    if within { "within" } else { "OVER" }
}

fn record(path: &Path, width: Width, seconds: u32) -> anyhow::Result<u64> {
    let settings = Settings {
        profile: "made-up".into(),
        pipeline: Pipeline {
            stream: Some("webhooks".into()),
            consumer: Some("workers-0".into()),
            dlq: None,
        },
        families: Families::default(),
        thresholds: Thresholds::default(),
        runbooks: std::collections::BTreeMap::new(),
    };
    let mut recorder = Recorder::start(RecorderOptions {
        target: Target::Folder(path.to_owned(), Limits::default()),
        info: SessionInfo::new("made-up", moment(0.0), serde_json::to_value(settings)?),
        redactor: Redactor::default(),
    })?;
    let mut session = Session::new(width);
    for second in 0..seconds {
        session
            .second(second)
            .into_iter()
            .for_each(|item| recorder.offer_waiting(item));
    }
    Ok(recorder.finish().bytes)
}

fn seek(name: &str, path: &Path, clock: &SystemClock) -> anyhow::Result<bool> {
    let begun = clock.now().mono;
    let recording = Recording::open(path)?;
    let files = recording.files().len();
    let playback = Playback::new(recording)?;
    let opened = clock.now().mono.saturating_sub(begun);
    let mut worst = Duration::ZERO;
    for tenth in [9, 3, 7, 1, 5] {
        let begun = clock.now().mono;
        let past = playback.seek(playback.duration() * tenth / 10).run()?;
        worst = worst.max(clock.now().mono.saturating_sub(begun));
        anyhow::ensure!(past.damage().is_empty(), "damage in a fresh recording");
    }
    let recording: &Arc<Recording> = playback.recording();
    let chunks = recording.chunks().len();
    say(&format!(
        "  {name}: {files} files, {chunks} chunks; opened in {opened:.1?}; slowest of 5 seeks {worst:.1?}, {} its budget of {SEEK:?}",
        verdict(worst <= SEEK)
    ));
    Ok(worst <= SEEK)
}

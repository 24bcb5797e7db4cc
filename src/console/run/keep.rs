//! Keeping the present: recording it, and saving the last 15 minutes after the fact.

use std::path::{Path, PathBuf};

use super::deck::last_minutes;
use super::job::{Done, Jobs};
use crate::base::text::safe;
use crate::base::time::{Moment, Timestamp};
use crate::console::app::{App, Msg, update};
use crate::console::command::Command;
use crate::console::player::{File, Keep, Tape};
use crate::console::screen::Hits;
use crate::model::Severity;
use crate::record::{Note, RecordError, Recorder, RecorderState, Target, write_notes};
use crate::session::{Ring, Tap};

/// Where recordings without a name go, and what they are named after.
#[derive(Clone, Debug, Default)]
pub struct Shelf {
    /// The recordings folder; `None`: the folder one is in.
    pub folder: Option<PathBuf>,
    /// The profile.
    pub profile: String,
}

impl Shelf {
    /// The profile's name as a part of a file's name.
    #[must_use]
    pub fn plain_name(&self) -> String {
        let plain = |c: char| {
            if c.is_ascii_alphanumeric() || c == '-' || c == '_' {
                c
            } else {
                '-'
            }
        };
        self.profile.chars().take(60).map(plain).collect()
    }

    /// Where a file goes: as it is typed, else by profile and time in the recordings folder.
    fn place(&self, file: &File, now: Timestamp) -> PathBuf {
        if let Some(path) = &file.path {
            return path.into();
        }
        let name = format!("{}-{}.mcap", self.plain_name(), now.strftime("%Y%m%dT%H%M%SZ"));
        self.folder.as_deref().unwrap_or(Path::new("")).join(name)
    }
}

/// The folder of a file that was not named is made.
fn make_folder(shelf: &Shelf, file: &File) -> std::io::Result<()> {
    match &shelf.folder {
        Some(folder) if file.path.is_none() => std::fs::create_dir_all(folder),
        _ => Ok(()),
    }
}

/// Does what a person wants kept.
pub(super) fn keep(
    keep: Keep,
    now: Moment,
    shelf: &Shelf,
    retro: &[Note],
    app: &mut App,
    tap: Option<&mut Tap>,
    jobs: &mut Jobs,
) {
    let Some(tap) = tap else { return };
    match keep {
        Keep::Record(_) if jobs.beginning => {}
        Keep::Record(file) => {
            jobs.beginning = true;
            let path = shelf.place(&file, now.at);
            let options = tap.recorder(Target::of(&path, file.force), now);
            let shelf = shelf.clone();
            jobs.start(move || {
                let made = make_folder(&shelf, &file).map_err(|reason| RecordError::Io {
                    operation: "make the folder of",
                    path,
                    reason,
                });
                Done::Recording(made.and_then(|()| Recorder::start(options)))
            });
        }
        Keep::Stop => {
            if let Some(recorder) = tap.detach() {
                update(app, Msg::Tape(None), &Hits::default());
                jobs.start(move || {
                    let progress = recorder.finish();
                    Done::Written(match &progress.state {
                        RecorderState::Stopped(reason) => Err(format!("the recording stopped: {reason}")),
                        _ => Ok(progress.told()),
                    })
                });
            }
        }
        Keep::Save(file) => {
            let Some(ring) = tap.ring().cloned() else { return };
            let path = shelf.place(&file, now.at);
            let (shelf, redactor, retro) = (shelf.clone(), tap.redactor().clone(), retro.to_vec());
            jobs.start(move || {
                let saved = make_folder(&shelf, &file)
                    .map_err(|error| format!("save {}: {error}", path.display()))
                    .and_then(|()| {
                        let target = Target::of(&path, file.force);
                        let (recording, _) = last_minutes(&ring).map_err(|reason| format!("cannot save: {reason}"))?;
                        Ring::save(recording, &target, &redactor).map_err(|error| refusal(&error, "save"))
                    })
                    .and_then(|progress| {
                        if !retro.is_empty() {
                            write_notes(&progress.path, &retro).map_err(|error| error.to_string())?;
                        }
                        Ok(progress.told().replacen("recorded", "saved", 1))
                    });
                Done::Written(saved)
            });
        }
    }
}

/// A recorder was started, or not.
pub(super) fn started(recorder: Result<Recorder, RecordError>, app: &mut App, tap: Option<&mut Tap>) {
    match (recorder, tap) {
        (Ok(recorder), Some(tap)) => {
            let path = recorder.progress().path.display().to_string();
            app.flash(
                Severity::Info,
                format!("Recording to {}; {} ends it", safe(&path), app.key(Command::Record)),
            );
            tap.attach(recorder);
            tell_tape(tap, app);
        }
        (Err(error), _) => app.flash(Severity::Warning, refusal(&error, "record")),
        (Ok(_), None) => {}
    }
}

/// How the recording in the making is. One that stopped is told, and left.
pub(super) fn tell_tape(tap: &mut Tap, app: &mut App) {
    let Some(progress) = tap.progress() else { return };
    if let RecorderState::Stopped(reason) = progress.state {
        drop(tap.stop_recording());
        update(app, Msg::Tape(None), &Hits::default());
        return app.flash(Severity::Critical, format!("the recording stopped: {reason}"));
    }
    let tape = Tape {
        bytes: progress.bytes,
        dropped: progress.dropped,
    };
    update(app, Msg::Tape(Some(tape)), &Hits::default());
}

/// Why not, with what to type instead.
fn refusal(error: &RecordError, word: &str) -> String {
    match error {
        RecordError::Exists(path) => {
            let path = path.display().to_string();
            let path = safe(&path);
            format!("{path} exists → :{word} another name, or overwrite it with :{word}! {path}")
        }
        error => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_without_a_name_is_named_after_profile_and_time() {
        let now = "2026-07-31T14:03:22Z".parse().unwrap();
        let shelf = Shelf {
            folder: Some("/r".into()),
            profile: "../prod eu".to_owned(),
        };
        let place = |path: Option<&str>| {
            let file = File {
                path: path.map(str::to_owned),
                force: false,
            };
            shelf.place(&file, now)
        };
        assert_eq!(place(None), Path::new("/r/---prod-eu-20260731T140322Z.mcap"));
        assert_eq!(place(Some("x.mcap")), Path::new("x.mcap"));
    }

    #[test]
    fn a_file_that_is_there_is_refused_with_what_overwrites_it() {
        let told = refusal(&RecordError::Exists("x.mcap".into()), "save");
        assert!(told.ends_with(":save! x.mcap"), "{told}");
    }
}

//! What the console does besides the terminal: test webhooks fired, a body edited, letters read
//! and replayed.

use std::io::Write as _;
use std::process::Stdio;
use std::sync::Arc;

use tempfile::NamedTempFile;
use tokio::process::{Child, Command};

use super::app::{App, Edit, Effect, Msg, update};
use super::screen::Hits;
use super::screen::fire::load_text;
use crate::act::firing::{Firing, Report};
use crate::act::letters::Told;
use crate::act::trace::Outcome;
use crate::base::text;
use crate::base::time::Moment;
use crate::record::Action;
use crate::sample::{Envelope, Sample, SourceId, SourceKind};
use crate::session::Tap;
use crate::session::clerk::Clerk;

/// The largest file that is taken from an editor, bytes.
const LARGEST: u64 = 4 << 20;

/// What goes on outside.
#[derive(Debug)]
pub(super) struct Outside {
    profile: Arc<str>,
    firing: Option<Firing>,
    clerk: Option<Clerk>,
    /// What is run to edit a file; may have arguments.
    editor: String,
    editing: Option<Editing>,
    /// Runs of canaries so far.
    canaries: u64,
}

/// What happened there.
#[derive(Debug)]
pub(super) enum Happening {
    /// To something that is fired.
    Fired(Report),
    /// Of dead letters.
    Told(Told),
    /// Somebody has left the editor: what was edited, and the text.
    Edited(Edit, Result<String, String>),
}

impl Outside {
    pub(super) fn new(profile: Arc<str>, firing: Option<Firing>, clerk: Option<Clerk>, editor: String) -> Self {
        Self {
            profile,
            firing,
            clerk,
            editor,
            editing: None,
            canaries: 0,
        }
    }

    /// Whether somebody else has the terminal.
    pub(super) fn has_terminal(&self) -> bool {
        self.editing.is_some()
    }

    /// The next thing that happens; nothing is lost when this is dropped and called again.
    pub(super) async fn next(&mut self) -> Happening {
        let Self {
            firing, clerk, editing, ..
        } = self;
        let fired = async {
            match firing {
                Some(firing) => firing.next().await,
                None => std::future::pending().await,
            }
        };
        let told = async {
            match clerk {
                Some(clerk) => clerk.next().await,
                None => std::future::pending().await,
            }
        };
        let edited = async {
            match editing {
                Some(editing) => editing.end().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            report = fired => Happening::Fired(report),
            told = told => Happening::Told(told),
            edited = edited => {
                let what = editing.take().map_or(Edit::Payload, |editing| editing.what);
                Happening::Edited(what, edited)
            }
        }
    }

    /// Does what was asked for. `Err`: why it could not even be begun.
    pub(super) fn perform(&mut self, effect: Effect) {
        if let Effect::Letters(request) = effect {
            if let Some(clerk) = &mut self.clerk {
                clerk.take(*request);
            }
            return;
        }
        let Some(firing) = &mut self.firing else { return };
        match effect {
            Effect::Fire { request, confirmed } if request.every.is_some() => {
                firing.start_canary(*request, confirmed.as_deref());
            }
            Effect::Fire { request, confirmed } => firing.fire(*request, confirmed.as_deref()),
            Effect::StopFiring => firing.stop(),
            Effect::StopCanary => firing.stop_canary(),
            _ => {}
        }
    }

    /// Hands a text to the editor, which has the terminal from now on.
    ///
    /// # Errors
    /// Why it could not be started.
    pub(super) fn edit(&mut self, what: Edit, text: &str) -> Result<(), String> {
        self.editing = Some(Editing::begin(&self.editor, what, text)?);
        Ok(())
    }

    /// Tells the model, the recording and the screen what happened to something that is fired.
    pub(super) fn tell(
        &mut self,
        app: &mut App,
        mut tap: Option<&mut Tap>,
        report: Report,
        now: Moment,
        hits: &Hits,
    ) -> Vec<Effect> {
        match &report {
            Report::CanaryRan(outcome) => {
                let envelope = self.envelope(outcome, now);
                if let Some(tap) = &mut tap {
                    tap.envelope(&envelope);
                }
                update(app, Msg::Data(envelope), hits);
            }
            Report::Ended(fired) => {
                if let Some(tap) = tap {
                    tap.action(&Action {
                        moment: now,
                        what: "fire".to_owned(),
                        text: format!("{}, {}", fired.request.order.template, load_text(&fired.request)),
                        detail: format!("{} sent to {}", text::count(fired.ended.sent()), fired.to),
                    });
                }
            }
            _ => {}
        }
        update(app, Msg::Fired(now, Box::new(report)), hits)
    }

    /// A canary's run as the model takes it in.
    fn envelope(&mut self, outcome: &Outcome, now: Moment) -> Envelope {
        let seq = self.canaries;
        self.canaries += 1;
        Envelope {
            profile: self.profile.clone(),
            source: SourceId::new(SourceKind::Probe, "canary"),
            seq,
            at: now.at,
            mono: now.mono,
            sample: Sample::Canary(outcome.reading.clone()),
        }
    }
}

/// A text that is being edited. Its file is open to its owner alone and gone afterwards.
#[derive(Debug)]
struct Editing {
    what: Edit,
    file: NamedTempFile,
    child: Child,
    editor: String,
}

impl Editing {
    fn begin(editor: &str, what: Edit, body: &str) -> Result<Self, String> {
        let failed = |what: &str, error: &std::io::Error| format!("{what}: {error} → check the temporary folder");
        let is_json = body.trim_start().starts_with(['{', '[']);
        let mut file = tempfile::Builder::new()
            .prefix("hookwatch-")
            .suffix(if is_json { ".json" } else { ".txt" })
            .tempfile()
            .map_err(|error| failed("create a file to edit", &error))?;
        file.write_all(body.as_bytes())
            .and_then(|()| file.write_all(if body.ends_with('\n') { b"" } else { b"\n" }))
            .and_then(|()| file.flush())
            .map_err(|error| failed("write a file to edit", &error))?;
        // As git does it: the variable may hold arguments.
        let child = Command::new("sh")
            .arg("-c")
            .arg(format!("{editor} \"$1\""))
            .arg("hookwatch")
            .arg(file.path())
            .stdin(Stdio::inherit())
            .spawn()
            .map_err(|error| format!("run {}: {error} → set $VISUAL or $EDITOR", shown(editor)))?;
        Ok(Self {
            what,
            file,
            child,
            editor: editor.to_owned(),
        })
    }

    /// Waits until it is closed.
    async fn end(&mut self) -> Result<String, String> {
        let editor = shown(&self.editor);
        let status = self.child.wait().await;
        let status = status.map_err(|error| format!("wait for {editor}: {error}"))?;
        match status.code() {
            Some(0) => {}
            Some(127) => {
                return Err(format!(
                    "run {editor}: there is no such program → set $VISUAL or $EDITOR"
                ));
            }
            _ => return Err(format!("{editor} ended with {status}: the body stays as it was")),
        }
        let path = self.file.path();
        let size = std::fs::metadata(path).map(|metadata| metadata.len());
        match size {
            Ok(size) if size > LARGEST => Err(format!("the body has {}: at most 1 MiB", text::bytes(size))),
            _ => std::fs::read_to_string(path)
                .map_err(|error| format!("read what {editor} wrote: {error} → save UTF-8 text in the same file")),
        }
    }
}

fn shown(editor: &str) -> String {
    text::cut(&text::safe(editor), 40).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn edit(editor: &str, body: &str) -> Result<String, String> {
        let mut editing = Editing::begin(editor, Edit::Payload, body)?;
        editing.end().await
    }

    #[tokio::test]
    async fn an_editor_gets_a_file_of_its_own_and_what_it_saves_comes_back() {
        // The file's rights and name, seen from within the editor.
        let seen = edit(
            "f() { stat -c '%a %n' \"$1\" > \"$1.new\" && mv \"$1.new\" \"$1\"; }; f",
            "{}",
        )
        .await
        .unwrap();
        assert!(seen.starts_with("600 ") && seen.ends_with(".json\n"), "{seen}");
        let path = seen.trim_end().split_once(' ').unwrap().1;
        assert!(!std::path::Path::new(path).exists(), "{path} is left behind");
        assert_eq!(edit("true", "a=b").await, Ok("a=b\n".to_owned()));
    }

    #[tokio::test]
    async fn an_editor_that_is_not_there_or_fails_changes_nothing_and_is_named() {
        let error = edit("/no/such/editor --wait", "{}").await.unwrap_err();
        assert!(
            error.contains("/no/such/editor --wait: there is no such program → set $VISUAL"),
            "{error}"
        );
        let error = edit("false", "{}").await.unwrap_err();
        assert!(
            error.contains("false ended with") && error.contains("stays as it was"),
            "{error}"
        );
        let error = edit("f() { printf '\\377' > \"$1\"; }; f", "{}").await.unwrap_err();
        assert!(error.contains("UTF-8"), "{error}");
    }
}

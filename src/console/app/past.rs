//! The past on screen: what commands do there, and what is told of it.

use std::time::Duration;

use crossterm::event::{Event, KeyCode};

use super::layers::code;
use super::{App, Effect, Played};
use crate::console::command::{Command, Mode, When};
use crate::console::layer::Layer;
use crate::console::palette::Palette;
use crate::console::player::{Back, Control, File, Keep, MarkKind, Player};
use crate::console::screen::Hits;
use crate::console::widget::input::Input;
use crate::model::Severity;

/// How far the arrows and their larger sisters go.
const SKIP: Duration = Duration::from_secs(5);
const MINUTE: Duration = Duration::from_mins(1);

/// Columns of a marker's text at most.
const NOTE: usize = 200;

impl App {
    /// What is played goes on.
    pub(super) fn played(&mut self, played: &Played) {
        let charted = match played {
            Played::Tick(_) => self.charted(),
            Played::Data(_) => Vec::new(),
        };
        let Some(past) = &mut self.past else { return };
        match played {
            Played::Data(envelope) => past.apply(envelope),
            Played::Tick(now) => {
                for key in &charted {
                    past.touch(key);
                }
                past.advance(*now);
            }
        }
    }

    /// Where one stands in what is played.
    pub(super) fn stand(&mut self, player: Option<Box<Player>>) {
        if player.is_none() {
            self.past = None;
            self.ui.layers.retain(|layer| !matches!(layer, Layer::Marks { .. }));
        }
        self.player = player;
    }

    /// Whether a command has no meaning on what is on screen; then it says so.
    pub(super) fn refuses(&mut self, command: Command) -> bool {
        let mode = self.mode();
        let key = self.key(Command::Rewind);
        let reason = if command.acts() && mode != Mode::Live {
            "nothing can be answered or changed in the past".to_owned()
        } else if command.fits(mode) {
            return false;
        } else if command.when() == Some(When::Past) {
            format!("for recordings and the last 15 minutes; {key} steps back into them")
        } else if mode == Mode::Recording {
            "only a live session can do that, and this is a recording".to_owned()
        } else {
            format!("this is the past; {key} returns to live")
        };
        self.flash(Severity::Info, format!("{}: {reason}", command.id()));
        true
    }

    /// Runs a command that is about the past, or about keeping the present; `None`: it is neither.
    pub(super) fn run_past(&mut self, command: Command) -> Option<Vec<Effect>> {
        if let Some(tenth) = command.tenth() {
            return Some(self.go_to(|player| Some(player.reel.length * tenth / 10)));
        }
        Some(match command {
            Command::PlayPause => vec![Effect::Play(Control::Toggle)],
            Command::SkipBack => self.go_to(|player| Some(player.position.saturating_sub(SKIP))),
            Command::SkipForward => self.go_to(|player| Some(player.position.saturating_add(SKIP))),
            Command::MinuteBack => self.go_to(|player| Some(player.position.saturating_sub(MINUTE))),
            Command::MinuteForward => self.go_to(|player| Some(player.position.saturating_add(MINUTE))),
            Command::StepBack => self.step(false),
            Command::StepForward => self.step(true),
            Command::Slower => vec![Effect::Play(Control::Slower)],
            Command::Faster => vec![Effect::Play(Control::Faster)],
            Command::IdleRamp => vec![Effect::Play(Control::Ramp)],
            Command::Loop => vec![Effect::Play(Control::Loop)],
            Command::PreviousMarker => self.jump(MarkKind::Marker, false),
            Command::NextMarker => self.jump(MarkKind::Marker, true),
            Command::PreviousAlert => self.jump(MarkKind::Alert, false),
            Command::NextAlert => self.jump(MarkKind::Alert, true),
            Command::Goto => self.ask_line("goto "),
            Command::Note => self.begin_note(),
            Command::Markers => self.list_marks(),
            Command::Pin => self.pin(),
            Command::Compare => self.compare(),
            Command::Rewind => self.rewind(),
            Command::Record => self.record(),
            Command::Save => self.save(File::default()),
            _ => return None,
        })
    }

    /// Runs a command with what was typed behind it.
    pub(super) fn typed_past(&mut self, command: Command, text: &str, force: bool) -> Vec<Effect> {
        if self.refuses(command) {
            return Vec::new();
        }
        let file = || File {
            path: Some(text.to_owned()),
            force,
        };
        match command {
            Command::Goto => self.go_to_typed(text),
            Command::Note => self.note(self.position(), text),
            Command::Record if self.tape.is_some() => {
                let key = self.key(Command::Record);
                self.flash(
                    Severity::Warning,
                    format!("It is being recorded already: {key} ends that"),
                );
                Vec::new()
            }
            Command::Record => vec![Effect::Keep(Keep::Record(file()))],
            Command::Save => self.save(file()),
            _ => Vec::new(),
        }
    }

    /// The position of the past that is shown.
    fn position(&self) -> Option<Duration> {
        self.player.as_ref().map(|player| player.position)
    }

    /// Goes to a position, if there is one; never beyond the ends.
    fn go_to(&mut self, to: impl FnOnce(&Player) -> Option<Duration>) -> Vec<Effect> {
        let Some(player) = self.player.as_deref() else {
            return Vec::new();
        };
        let to = to(player).map(|to| to.min(player.reel.length));
        to.map(|to| Effect::Play(Control::To(to))).into_iter().collect()
    }

    fn step(&mut self, forward: bool) -> Vec<Effect> {
        match (self.mode(), forward) {
            (Mode::Live, true) => self.is_now(),
            (Mode::Live, false) => vec![Effect::Play(Control::Back(Back::By(Duration::from_secs(1))))],
            _ => vec![Effect::Play(Control::Step { forward })],
        }
    }

    fn is_now(&mut self) -> Vec<Effect> {
        self.flash(Severity::Info, "This is now: nothing comes after it yet");
        Vec::new()
    }

    fn jump(&mut self, kind: MarkKind, forward: bool) -> Vec<Effect> {
        let Some(player) = &self.player else {
            return if forward {
                self.is_now()
            } else {
                vec![Effect::Play(Control::Back(Back::To(kind)))]
            };
        };
        if let Some(mark) = player.reel.find(kind, player.position, forward) {
            let (to, text) = (mark.at, mark.text.clone());
            if kind == MarkKind::Alert {
                self.flash(Severity::Info, text);
            }
            return vec![Effect::Play(Control::To(to))];
        }
        let where_to = if forward { "after" } else { "before" };
        self.flash(Severity::Info, format!("No {} {where_to} this moment", kind.name()));
        Vec::new()
    }

    /// Opens the palette with the beginning of a line.
    fn ask_line(&mut self, line: &str) -> Vec<Effect> {
        self.ui.layers.push(Layer::Palette(Palette {
            input: Input::new(line),
            ..Palette::default()
        }));
        Vec::new()
    }

    fn go_to_typed(&mut self, text: &str) -> Vec<Effect> {
        let Some(player) = &self.player else {
            return vec![Effect::Play(Control::Back(Back::Typed(text.to_owned())))];
        };
        match player.reel.read(text, player.position, self.ui.zone()) {
            Ok(to) => vec![Effect::Play(Control::To(to))],
            Err(problem) => {
                self.flash(Severity::Warning, problem);
                Vec::new()
            }
        }
    }

    /// Goes to a place on the strip.
    pub(super) fn scrub(&mut self, column: u16, hits: &Hits) -> Vec<Effect> {
        let Some(strip) = hits.strip else { return Vec::new() };
        let into = column.saturating_sub(strip.left());
        self.go_to(|player| Some(player.reel.at_column(into, strip.width)))
    }

    fn begin_note(&mut self) -> Vec<Effect> {
        let at = self.position();
        let input = Input::default();
        self.ui.layers.push(Layer::Note { at, input });
        Vec::new()
    }

    /// A marker's text is being typed.
    pub(super) fn type_note(&mut self, event: &Event) -> Vec<Effect> {
        let Some(Layer::Note { at, input }) = self.ui.layers.last_mut() else {
            return Vec::new();
        };
        match code(event) {
            Some(KeyCode::Esc) => self.close(),
            Some(KeyCode::Enter) => {
                let (at, text) = (*at, input.text().to_owned());
                self.close();
                return self.note(at, &text);
            }
            _ => {
                input.handle(event);
            }
        }
        Vec::new()
    }

    fn note(&mut self, at: Option<Duration>, text: &str) -> Vec<Effect> {
        let text: String = text.trim().chars().take(NOTE).collect();
        if text.is_empty() {
            self.flash(Severity::Info, "A marker needs a text");
            return Vec::new();
        }
        vec![Effect::Play(Control::Note(at, text))]
    }

    fn list_marks(&mut self) -> Vec<Effect> {
        let Some(player) = &self.player else { return Vec::new() };
        let all = player.reel.all_marks();
        // The cursor stands on what was passed last.
        let at = all.partition_point(|(_, mark)| mark.at <= player.position);
        let at = at.saturating_sub(1);
        self.ui.layers.push(Layer::Marks { at });
        Vec::new()
    }

    /// Goes to a mark of the list.
    pub(super) fn go_to_mark(&mut self, at: usize) -> Vec<Effect> {
        self.close();
        self.go_to(|player| player.reel.all_marks().get(at).map(|(_, mark)| mark.at))
    }

    fn pin(&mut self) -> Vec<Effect> {
        let view = self.view().clone();
        let clock = self.ui.zone().clock(view.now.at);
        self.pinned = Some(Box::new(view));
        self.flash(
            Severity::Info,
            format!("Pinned {clock}: D compares it with another moment"),
        );
        Vec::new()
    }

    fn compare(&mut self) -> Vec<Effect> {
        if self.pinned.is_none() && self.mode() != Mode::Rewind {
            self.flash(
                Severity::Info,
                "Pin a moment first (P), then compare it with another one",
            );
        } else {
            self.ui.layers.push(Layer::Compare(0));
        }
        Vec::new()
    }

    fn rewind(&mut self) -> Vec<Effect> {
        match self.mode() {
            Mode::Live => vec![Effect::Play(Control::Back(Back::By(SKIP)))],
            Mode::Rewind => vec![Effect::Play(Control::Live)],
            Mode::Recording => {
                self.flash(Severity::Info, "This is a recording: there is nothing live behind it");
                Vec::new()
            }
        }
    }

    fn record(&mut self) -> Vec<Effect> {
        vec![Effect::Keep(if self.tape.is_some() {
            Keep::Stop
        } else {
            Keep::Record(File::default())
        })]
    }

    fn save(&mut self, file: File) -> Vec<Effect> {
        if self.mode() == Mode::Recording {
            self.flash(Severity::Info, "This is a recording already: copy its file");
            return Vec::new();
        }
        vec![Effect::Keep(Keep::Save(file))]
    }
}

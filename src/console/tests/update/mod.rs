//! Messages in, state and effects out.

mod panels;
mod questions;
mod tables;

use std::time::Duration;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::app::{App, Effect, Msg, Options, draw, update};
use super::super::command::{Command, Mode};
use super::super::dialog::{Confirm, Consent, Dialog};
use super::super::fixture;
use super::super::keymap::{Chord, Keymap};
use super::super::palette::{Choices, parse};
use super::super::screen::{Badge, PanelId, Screen, Spot};
use super::theme_of_roles;
use crate::base::time::Moment;
use crate::config::{Families, Pipeline, Thresholds};
use crate::model::{Hush, Settings};
use crate::sample::{Interest, Scope};

const LIST: PanelId = PanelId("queues.list");

/// A console with a screen, as the loop drives it.
struct Desk {
    app: App,
    area: Rect,
    hits: super::super::screen::Hits,
    text: String,
}

impl Desk {
    fn new(app: App, width: u16, height: u16) -> Self {
        let mut desk = Self {
            app,
            area: Rect::new(0, 0, width, height),
            hits: super::Hits::default(),
            text: String::new(),
        };
        desk.draw();
        desk
    }

    fn rich() -> Self {
        Self::new(fixture::app(fixture::rich(), &[Badge::Demo]), 80, 24)
    }

    fn draw(&mut self) {
        let mut buffer = Buffer::empty(self.area);
        self.hits = draw(&self.app, &theme_of_roles(), self.area, &mut buffer).hits;
        self.text = super::rows(&buffer, |cell| cell.symbol().to_owned());
    }

    fn send(&mut self, msg: Msg) -> Vec<Effect> {
        let effects = update(&mut self.app, msg, &self.hits);
        self.draw();
        effects
    }

    fn event(&mut self, code: KeyCode, modifiers: KeyModifiers) -> Vec<Effect> {
        self.send(Msg::Input(fixture::now(), Event::Key(KeyEvent::new(code, modifiers))))
    }

    /// Presses keys as they are written, one after the other.
    fn press(&mut self, keys: &str) -> Vec<Effect> {
        let mut effects = Vec::new();
        for key in keys.split(' ') {
            let (modifiers, name) = key
                .strip_prefix("ctrl-")
                .map_or((KeyModifiers::NONE, key), |name| (KeyModifiers::CONTROL, name));
            let code = match name {
                "tab" => KeyCode::Tab,
                "shift-tab" => KeyCode::BackTab,
                "esc" => KeyCode::Esc,
                "enter" => KeyCode::Enter,
                "space" => KeyCode::Char(' '),
                "up" => KeyCode::Up,
                "down" => KeyCode::Down,
                "right" => KeyCode::Right,
                "backspace" => KeyCode::Backspace,
                name => KeyCode::Char(name.chars().next().unwrap()),
            };
            effects.extend(self.event(code, modifiers));
        }
        effects
    }

    /// Types a text, a key a character, some milliseconds after the picture was taken.
    fn type_at(&mut self, millis: u64, codes: &[KeyCode]) -> Vec<Effect> {
        let now = fixture::now();
        let by = Duration::from_millis(millis);
        let at = Moment {
            at: now.at + by,
            mono: now.mono + by,
        };
        let mut effects = Vec::new();
        for code in codes {
            let event = Event::Key(KeyEvent::new(*code, KeyModifiers::NONE));
            effects.extend(self.send(Msg::Input(at, event)));
        }
        effects
    }

    fn types(&mut self, text: &str) {
        let codes: Vec<KeyCode> = text.chars().map(KeyCode::Char).collect();
        self.type_at(0, &codes);
    }

    fn queues() -> Self {
        let mut desk = Self::new(fixture::app(fixture::many(), &[]), 120, 40);
        desk.press("2");
        desk
    }

    fn row(&self) -> Option<String> {
        self.app.ui().grid(LIST).row.clone()
    }

    fn mouse(&mut self, kind: MouseEventKind, column: u16, row: u16) -> Vec<Effect> {
        self.send(Msg::Input(
            fixture::now(),
            Event::Mouse(MouseEvent {
                kind,
                column,
                row,
                modifiers: KeyModifiers::NONE,
            }),
        ))
    }

    fn click_on(&mut self, spot: Spot) -> Vec<Effect> {
        let (area, _) = *self.hits.spots.iter().find(|(_, known)| *known == spot).unwrap();
        self.mouse(MouseEventKind::Down(MouseButton::Left), area.x, area.y)
    }

    fn tick(&mut self, seconds: u64) {
        let now = fixture::now();
        let by = Duration::from_secs(seconds);
        self.send(Msg::Tick(Moment {
            at: now.at + by,
            mono: now.mono + by,
        }));
    }

    fn last_row(&self) -> &str {
        self.text.lines().last().unwrap()
    }
}

#[test]
fn keys_of_the_console_become_effects() {
    for (key, effect) in [
        ("q", Effect::Quit),
        ("ctrl-c", Effect::Quit),
        ("ctrl-z", Effect::Suspend),
        ("ctrl-l", Effect::Redraw),
    ] {
        assert_eq!(Desk::rich().press(key), [effect], "{key}");
    }
    assert_eq!(Desk::rich().press("x"), []);
}

#[test]
fn a_key_that_is_let_go_runs_nothing() {
    let mut desk = Desk::rich();
    let released = KeyEvent::new_with_kind(KeyCode::Char('q'), KeyModifiers::NONE, KeyEventKind::Release);
    assert_eq!(desk.send(Msg::Input(fixture::now(), Event::Key(released))), []);
}

#[test]
fn escape_goes_back_one_layer_at_a_time() {
    let mut desk = Desk::rich();
    desk.press("tab z ?");
    assert!(desk.app.ui().help().is_some() && desk.app.ui().zoomed().is_some());
    desk.press("esc");
    assert!(desk.app.ui().help().is_none() && desk.app.ui().zoomed().is_some());
    desk.press("esc");
    assert!(desk.app.ui().zoomed().is_none() && desk.app.ui().focus().is_some());
    desk.press("esc");
    assert!(desk.app.ui().focus().is_none());
}

#[test]
fn a_message_gives_the_key_line_back_after_a_while() {
    let mut desk = Desk::rich();
    desk.press("T");
    assert!(desk.last_row().contains("Theme light"));
    assert_eq!(desk.app.theme(), 1);
    desk.tick(5);
    assert!(desk.last_row().contains("q quit"));
    desk.press("T T");
    assert_eq!(desk.app.theme(), 0);
}

#[test]
fn charts_reach_as_far_back_as_the_session_until_somebody_chooses() {
    let mut desk = Desk::rich();
    let minutes = |desk: &Desk, age: u64| desk.app.ui().range(Duration::from_mins(age)).as_secs() / 60;
    assert_eq!((minutes(&desk, 0), minutes(&desk, 4), minutes(&desk, 600)), (1, 5, 15));
    desk.press("+");
    assert_eq!(minutes(&desk, 0), 60);
    desk.press("+");
    assert_eq!(minutes(&desk, 0), 60);
    desk.press("- - - - -");
    assert_eq!(minutes(&desk, 600), 1);
}

#[test]
fn times_are_shown_in_utc_or_in_local_time() {
    let mut desk = Desk::rich();
    desk.press("U");
    assert!(desk.last_row().contains("not known"));
    let options = Options {
        local: Some(jiff::tz::TimeZone::fixed(jiff::tz::offset(2))),
        ..Options::default()
    };
    let (view, histories) = fixture::rich();
    let app = App::still(super::super::app::Still { view, histories }, None, options);
    let mut desk = Desk::new(app, 120, 40);
    assert!(desk.text.contains("14:03:22 UTC"));
    desk.press("U");
    assert!(desk.text.contains("16:03:22 +02") && !desk.text.contains("14:03:22"));
}

#[test]
fn the_verdicts_are_copied_as_text() {
    let effects = Desk::rich().press("y");
    let [Effect::Copy(text)] = effects.as_slice() else {
        panic!("{effects:?}");
    };
    assert_eq!(
        text.lines().take(3).collect::<Vec<_>>(),
        [
            "demo at 14:03:22 UTC",
            "warning: Falling behind by 2,561/s (since 13:58)",
            "  why: 4 workers pull, each at its ceiling of 2,470/s",
        ]
    );
    let hostile = Desk::new(fixture::app(fixture::hostile(), &[]), 80, 24).press("y");
    let [Effect::Copy(text)] = hostile.as_slice() else {
        panic!("{hostile:?}");
    };
    assert!(text.lines().all(|line| crate::base::text::safe(line) == line));
    assert!(text.len() < 20_000);
}

#[test]
fn a_picture_that_is_held_still_does_not_move_while_time_goes_on() {
    let settings = Settings {
        profile: "demo".into(),
        pipeline: Pipeline {
            stream: None,
            consumer: None,
            dlq: None,
        },
        families: Families::default(),
        thresholds: Thresholds::default(),
        runbooks: std::collections::BTreeMap::new(),
    };
    let mut desk = Desk::new(App::live(settings, Options::default(), fixture::now()), 120, 40);
    desk.tick(1);
    let shown = desk.app.view().now;
    desk.press("p");
    desk.tick(5);
    assert_eq!(desk.app.view().now, shown);
    assert!(
        desk.text.contains("PAUSED 14:03:23") && desk.text.contains("14:03:27 UTC"),
        "{}",
        desk.text
    );
    desk.press("p");
    desk.tick(6);
    assert_ne!(desk.app.view().now, shown);
}

#[test]
fn every_command_is_reached_by_a_key_and_by_its_name() {
    let keymap = Keymap::default();
    for command in Command::ALL {
        let key: Chord = keymap
            .keys(*command)
            .next()
            .unwrap_or_else(|| panic!("{}", command.id()));
        let screens: Vec<Screen> = Screen::ALL
            .into_iter()
            .filter(|screen| command.applies(*screen))
            .collect();
        let mode = if command.fits(Mode::Live) {
            Mode::Live
        } else {
            Mode::Recording
        };
        for screen in screens {
            assert_eq!(keymap.command(key, screen, mode), Some(*command), "{}", command.id());
            let choices = Choices {
                screen,
                ..Choices::default()
            };
            let request = parse(command.id(), &choices).unwrap();
            assert_eq!((request.command, request.argument), (*command, None));
        }
    }
}

#[test]
fn what_loses_its_key_to_the_past_is_known_and_is_reached_by_its_name() {
    let keymap = Keymap::default();
    let lost: Vec<&str> = Command::ALL
        .iter()
        .filter(|command| command.fits(Mode::Recording) && command.applies(Screen::Queues))
        .filter(|command| {
            let mut keys = keymap.keys(**command);
            keys.all(|key| keymap.command(key, Screen::Queues, Mode::Recording) != Some(**command))
        })
        .map(|command| command.id())
        .collect();
    assert_eq!(lost, ["mark"], "the arrows have h and l beside them");
}

#[test]
fn a_screen_that_is_too_small_has_nothing_to_click() {
    let desk = Desk::new(fixture::app(fixture::rich(), &[]), 59, 15);
    assert!(desk.hits.spots.is_empty());
    assert!(desk.text.contains("needs 60×16") && desk.text.contains("this is 59×15"));
}

#[test]
fn a_drag_over_a_chart_selects_its_time_and_esc_shows_all_again() {
    let mut desk = Desk::rich();
    let chart = desk.hits.charts[0];
    let (x, y) = (chart.plot.x, chart.plot.y + 1);
    desk.mouse(MouseEventKind::Down(MouseButton::Left), x + 5, y);
    desk.mouse(MouseEventKind::Drag(MouseButton::Left), x + 14, y);
    desk.mouse(MouseEventKind::Up(MouseButton::Left), x + 14, y);
    let (from, to) = desk.app.ui().span().unwrap();
    let whole = chart.span.as_secs_f64();
    let share = to.saturating_sub(from).as_secs_f64() / whole * f64::from(chart.plot.width);
    assert!((share - 10.0).abs() < 0.01, "{share}");
    desk.press("esc");
    assert_eq!(desk.app.ui().span(), None);
}

#[test]
fn the_palette_runs_words_with_what_stands_behind_them_and_remembers() {
    let mut desk = Desk::queues();
    for (line, check) in [
        ("theme light", (|app: &App| app.theme() == 1) as fn(&App) -> bool),
        ("sort pending", |app| {
            app.ui().grid(LIST).sort.as_ref().is_some_and(|sort| sort.down)
        }),
        ("range 1h", |app| {
            app.ui().range(Duration::ZERO) == Duration::from_hours(1)
        }),
        ("screen workers", |app| app.ui().screen() == Screen::Workers),
        ("queues", |app| app.ui().screen() == Screen::Queues),
    ] {
        desk.press(":");
        desk.types(line);
        desk.press("enter");
        assert!(check(&desk.app), "{line}");
    }
    desk.press(": up up enter");
    assert_eq!(desk.app.ui().screen(), Screen::Workers);
    assert_eq!(desk.app.ui().typed().last().map(String::as_str), Some("screen workers"));
}

#[test]
fn a_word_that_is_not_known_says_what_comes_near() {
    let mut desk = Desk::rich();
    desk.press(":");
    desk.types("qeues");
    desk.press("enter");
    assert!(desk.last_row().contains("did you mean queues?"), "{}", desk.last_row());
}

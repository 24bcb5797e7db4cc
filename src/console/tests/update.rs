//! Messages in, state and effects out.

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
fn tab_goes_through_the_panels_on_screen_and_round_again() {
    let mut desk = Desk::rich();
    let panels: Vec<PanelId> = desk.hits.panels.iter().map(|panel| panel.id).collect();
    let mut seen = Vec::new();
    for _ in &panels {
        desk.press("tab");
        seen.push(desk.app.ui().focus().unwrap());
    }
    assert_eq!(seen, panels);
    desk.press("tab");
    assert_eq!(desk.app.ui().focus(), Some(panels[0]));
    desk.press("shift-tab");
    assert_eq!(desk.app.ui().focus(), panels.last().copied());
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
fn zoom_asks_for_a_panel_first() {
    let mut desk = Desk::rich();
    desk.press("z");
    assert_eq!(desk.app.ui().zoomed(), None);
    assert!(desk.last_row().contains("Choose a panel first"));
    desk.press("tab z");
    assert_eq!(desk.hits.panels.len(), 1);
    desk.press("z");
    assert!(desk.hits.panels.len() > 1);
}

#[test]
fn a_panel_scrolls_to_its_end_and_no_further() {
    let mut desk = Desk::rich();
    let verdict = PanelId("overview.verdict");
    desk.click_on(Spot::Panel(verdict));
    let panel = desk.hits.panel(verdict).unwrap().clone();
    let last = panel.rows - panel.visible;
    assert!(last > 1, "the fixture must not fit: {panel:?}");
    desk.press("j");
    assert_eq!(desk.app.ui().scroll(verdict), 1);
    desk.press("k k");
    assert_eq!(desk.app.ui().scroll(verdict), 0);
    desk.press("G j");
    assert_eq!(desk.app.ui().scroll(verdict), last);
    desk.press("g");
    assert_eq!(desk.app.ui().scroll(verdict), 0);
    desk.press("ctrl-d");
    assert_eq!(desk.app.ui().scroll(verdict), (panel.visible / 2).min(last));
}

#[test]
fn the_wheel_scrolls_the_panel_under_the_pointer() {
    let mut desk = Desk::rich();
    let verdict = PanelId("overview.verdict");
    let (area, _) = *desk
        .hits
        .spots
        .iter()
        .find(|(_, spot)| *spot == Spot::Panel(verdict))
        .unwrap();
    desk.mouse(MouseEventKind::ScrollDown, area.x + 2, area.y + 2);
    assert_eq!(desk.app.ui().scroll(verdict), 3);
    assert_eq!(desk.app.ui().focus(), None);
    desk.mouse(MouseEventKind::ScrollUp, area.x + 2, area.y + 2);
    assert_eq!(desk.app.ui().scroll(verdict), 0);
}

#[test]
fn the_help_scrolls_and_keeps_the_panels_out_of_reach() {
    let mut desk = Desk::rich();
    desk.press("?");
    let help = desk.hits.popup.clone().unwrap();
    assert!(help.rows > help.visible);
    desk.press("G j");
    assert_eq!(desk.app.ui().help(), Some(help.rows - help.visible));
    for position in Rect::new(0, 1, 80, 22).positions() {
        assert!(!matches!(desk.hits.at(position), Some(Spot::Panel(_))), "{position}");
    }
    desk.press("?");
    assert_eq!(desk.app.ui().help(), None);
}

#[test]
fn a_click_on_the_key_line_runs_its_command() {
    let mut desk = Desk::rich();
    assert_eq!(desk.click_on(Spot::Command(Command::Quit)), [Effect::Quit]);
    desk.click_on(Spot::Command(Command::Help));
    assert!(desk.app.ui().help().is_some());
}

#[test]
fn keys_that_come_faster_than_a_screen_is_drawn_go_to_its_own_panels() {
    for (screen, key) in [
        (Screen::Queues, '2'),
        (Screen::DeadLetters, '5'),
        (Screen::TestWebhooks, '6'),
    ] {
        let mut desk = Desk::rich();
        let overview = desk.hits.clone();
        for key in [key, '/', 'x'] {
            let pressed = Event::Key(KeyEvent::new(KeyCode::Char(key), KeyModifiers::NONE));
            update(&mut desk.app, Msg::Input(fixture::now(), pressed), &overview);
        }
        assert_eq!(desk.app.ui().focus(), screen.page().home(), "{screen:?}");
        desk.draw();
        assert_eq!(desk.app.ui().screen(), screen);
        assert!(desk.last_row().contains(" / x"), "{screen:?}: {}", desk.last_row());
    }
}

#[test]
fn the_mouse_can_be_left_to_the_terminal() {
    let mut desk = Desk::rich();
    assert_eq!(desk.press("M"), [Effect::Mouse(false)]);
    desk.tick(10);
    assert_eq!(desk.click_on(Spot::Command(Command::Quit)), []);
    assert_eq!(desk.press("M"), [Effect::Mouse(true)]);
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
fn the_cursor_goes_through_the_rows_and_stays_on_screen() {
    let mut desk = Desk::queues();
    desk.press("j j k");
    assert_eq!(desk.row().as_deref(), Some("tenant-000/reader-0001"));
    desk.press("G");
    assert_eq!(desk.row().as_deref(), Some("tenant-499/reader-0999"));
    assert!(desk.text.contains("reader-0999"));
    desk.press("g");
    assert!(desk.text.contains("reader-0000"));
}

#[test]
fn a_filter_holds_while_it_is_typed_and_esc_shows_all_again() {
    let mut desk = Desk::queues();
    desk.press("/");
    desk.types("READER-09");
    assert!(desk.text.contains("100 of 1000"), "{}", desk.text);
    desk.press("enter j");
    assert!(desk.row().unwrap().contains("reader-09"));
    desk.press("esc");
    assert_eq!(desk.app.ui().grid(LIST).filter, "");
    desk.press("/ x esc");
    assert_eq!(desk.app.ui().grid(LIST).filter, "");
    assert_eq!(desk.app.ui().screen(), Screen::Queues);
}

#[test]
fn a_click_on_a_heading_sorts_and_another_one_turns_it_round() {
    let mut desk = Desk::queues();
    let heading = |desk: &Desk| {
        let found = desk.hits.spots.iter().find(|(_, spot)| *spot == Spot::Heading(LIST, 2));
        found.unwrap().0
    };
    for down in [true, false] {
        let area = heading(&desk);
        desk.mouse(MouseEventKind::Down(MouseButton::Left), area.x + 1, area.y);
        let sort = desk.app.ui().grid(LIST).sort.clone().unwrap();
        assert_eq!((sort.column.as_str(), sort.down), ("pending", down));
    }
}

#[test]
fn a_click_selects_a_row_and_a_second_one_opens_it() {
    let mut desk = Desk::queues();
    let found = desk.hits.spots.iter().find(|(_, spot)| *spot == Spot::Row(LIST, 5));
    let area = found.unwrap().0;
    desk.mouse(MouseEventKind::Down(MouseButton::Left), area.x + 3, area.y);
    assert_eq!(desk.row().as_deref(), Some("tenant-002/reader-0005"));
    assert!(desk.app.ui().detail().is_none());
    desk.mouse(MouseEventKind::Down(MouseButton::Left), area.x + 3, area.y);
    assert_eq!(desk.app.ui().detail().unwrap().key, "tenant-002/reader-0005");
    desk.press("esc");
    assert!(desk.app.ui().detail().is_none());
    assert_eq!(desk.app.ui().focus(), Some(LIST));
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

fn ask(desk: &mut Desk, confirm: Confirm) {
    let consent = Consent::Effects(vec![Effect::Redraw]);
    desk.app.ask(Dialog::new("Replay", "Replay", confirm, consent));
    desk.draw();
}

#[test]
fn keys_that_were_on_their_way_answer_no_question() {
    let mut desk = Desk::rich();
    ask(&mut desk, Confirm::Yes);
    assert_eq!(
        desk.type_at(299, &[KeyCode::Char('y'), KeyCode::Enter, KeyCode::Esc]),
        []
    );
    assert_eq!(desk.app.ui().layers().len(), 1);
    assert_eq!(desk.type_at(300, &[KeyCode::Char('y')]), [Effect::Redraw]);
    assert_eq!(desk.app.ui().layers().len(), 0);
}

#[test]
fn enter_alone_says_no() {
    let mut desk = Desk::rich();
    ask(&mut desk, Confirm::Yes);
    assert_eq!(desk.type_at(400, &[KeyCode::Enter]), []);
    assert_eq!(desk.app.ui().layers().len(), 0);
}

#[test]
fn what_must_be_typed_must_be_typed_and_then_the_button_pressed() {
    let confirm = || Confirm::Typed {
        ask: "Type the count".to_owned(),
        expected: "31".to_owned(),
    };
    let mut desk = Desk::rich();
    ask(&mut desk, confirm());
    let wrong = [KeyCode::Char('3'), KeyCode::Tab, KeyCode::Enter];
    assert_eq!(desk.type_at(400, &wrong), []);
    assert_eq!(desk.app.ui().layers().len(), 1);
    let right = [KeyCode::Tab, KeyCode::Char('1'), KeyCode::Tab, KeyCode::Enter];
    assert_eq!(desk.type_at(400, &right), [Effect::Redraw]);
}

#[test]
fn a_verdict_is_acknowledged_and_heard_again() {
    let mut desk = Desk::rich();
    desk.press("v a");
    assert!(matches!(
        desk.app.view().verdicts[0].hush,
        Some(Hush::Acknowledged { .. })
    ));
    desk.press("a");
    assert_eq!(desk.app.view().verdicts[0].hush, None);
}

#[test]
fn what_is_copied_is_what_is_focused() {
    let copied = |keys: &str| {
        let mut desk = Desk::rich();
        match desk.press(keys).pop() {
            Some(Effect::Copy(text)) => text,
            other => panic!("{keys}: {other:?}"),
        }
    };
    assert!(copied("y").contains("Falling behind"));
    assert!(copied("2 y").starts_with("queue: webhooks/workers\n"));
    assert!(copied("2 enter y").contains("ack wait"));
    assert!(copied("v j y").contains("stripe"));
}

#[test]
fn enter_on_an_event_goes_to_what_it_is_about() {
    let mut desk = Desk::rich();
    desk.press("7 j enter");
    assert_eq!(desk.app.ui().screen(), Screen::Workers);
    assert_eq!(desk.app.ui().grid(PanelId("workers.list")).row.as_deref(), Some("w-4"));
}

#[test]
fn sort_columns_and_what_was_typed_are_kept_for_the_next_run() {
    let mut desk = Desk::queues();
    desk.press("right right s c j space esc :");
    desk.types("theme light");
    desk.press("enter");
    let kept = desk.app.kept();
    assert_eq!(kept.theme.as_deref(), Some("light"));
    assert_eq!(kept.typed, ["theme light"]);
    let options = Options {
        kept,
        ..Options::default()
    };
    let still = super::super::app::Still {
        view: desk.app.view().clone(),
        histories: crate::model::Histories::default(),
    };
    let next = App::still(still, None, options);
    let (before, after) = (desk.app.ui().grid(LIST), next.ui().grid(LIST));
    assert_eq!((&after.sort, &after.columns), (&before.sort, &before.columns));
    assert!(after.sort.is_some() && after.columns.len() == 1);
}

#[test]
fn sources_are_asked_for_the_rows_on_screen_only() {
    let mut desk = Desk::queues();
    let asked = |desk: &Desk| match desk.app.interest(&desk.hits).queues {
        Scope::Rows(rows) => rows.len(),
        Scope::Profile => 0,
    };
    let visible = desk.hits.panel(LIST).unwrap().visible;
    assert_eq!(asked(&desk), visible);
    desk.press("enter");
    assert_eq!(asked(&desk), 1);
    assert!(desk.app.interest(&desk.hits).subjects.is_some());
    desk.press("1");
    assert_eq!(desk.app.interest(&desk.hits), Interest::default());
}

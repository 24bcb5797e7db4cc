//! Panels: focus, zoom, scrolling, the mouse over them.

use super::*;
use crate::model::letters::Group;
use crate::model::{self, EventKind, Reading, Severity};

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
fn enter_says_so_where_nothing_lies_behind_a_row() {
    let mut desk = Desk::rich();
    desk.press("4 enter");
    assert!(desk.last_row().contains("Nothing lies behind this"), "{}", desk.text);
}

#[test]
fn a_limit_is_counted_down_to_from_a_day_before() {
    let told = |seconds: f64| {
        let (mut view, histories) = fixture::rich();
        view.flow.limit_eta_s.value = Some(seconds);
        Desk::new(fixture::app((view, histories), &[]), 120, 40).text
    };
    let near = told(80_000.0);
    assert!(near.contains("max_bytes reached in 22 h"), "{near}");
    let far = told(90_000.0);
    assert!(
        !far.contains("max_bytes reached in") && far.contains("rates over 10 s"),
        "{far}"
    );
}

/// The Failures screen of a pipeline in which something was refused, and letters died.
fn failures(letters: Option<Group>) -> Desk {
    let (mut view, histories) = fixture::rich();
    view.flow.refused_total = Reading {
        value: Some(972.0),
        ..view.flow.received_total.clone()
    };
    view.events = vec![model::Event {
        at: view.now.at,
        kind: EventKind::Process,
        severity: Severity::Warning,
        text: "3 letters dead".to_owned(),
        detail: "webhooks_dlq 7–9".to_owned(),
        count: 3,
    }];
    view.letter_groups = letters.map(|group| vec![group].into());
    let mut desk = Desk::new(fixture::app((view, histories), &[]), 120, 40);
    desk.press("4");
    desk
}

#[test]
fn what_the_gateway_refused_and_what_letters_died_of_are_causes_of_failures() {
    let desk = failures(None);
    assert!(desk.text.contains("refused by the gateway with 4xx"), "{}", desk.text);
    assert!(desk.text.contains("972"), "{}", desk.text);
    // A stream and its sequences are no cause.
    assert!(!desk.text.contains("webhooks_dlq ‹n›"), "{}", desk.text);
    assert!(desk.text.contains("letters died: screen 5 reads why"), "{}", desk.text);
    let mut desk = failures(Some(Group {
        key: "recipient ‹n› not found".into(),
        count: 3,
        first: None,
        last: None,
        example: 9,
    }));
    assert!(desk.text.contains("recipient ‹n› not found"), "{}", desk.text);
    assert!(!desk.text.contains("screen 5 reads why"), "counted once: {}", desk.text);
    desk.press("tab tab");
    while desk.app.ui().focus() != Some(PanelId("failures.causes")) {
        desk.press("tab");
    }
    desk.press("/");
    desk.types("recipient");
    desk.press("enter enter");
    assert_eq!(desk.app.ui().screen(), Screen::DeadLetters);
}

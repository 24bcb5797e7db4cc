//! Several profiles side by side: the lines, and the ways from one profile to another.

use std::sync::Arc;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::app::{App, Effect, Msg, draw, update};
use super::super::command::Command;
use super::super::dialog::{Confirm, Consent, Dialog};
use super::super::fixture;
use super::super::fleet::{Fleet, Lane};
use super::super::glyph::Charset;
use super::super::screen::{Badge, Hits, Screen};
use super::super::theme::Library;
use super::super::theme::colour::Depth;
use super::{SIZES, looks, paint, rows, snapshot_sizes, theme_of_roles};

/// Profiles of every kind: one that is well, one that is not, one that does not answer, one that
/// is not known yet, one with a hostile name.
fn lanes() -> Vec<Lane> {
    let pictures = [
        ("shop-eu", fixture::healthy_pipeline(), true),
        ("shop-us", fixture::rich(), true),
        ("billing", fixture::failing(), false),
        ("staging", fixture::connecting(), false),
    ];
    let mut lanes: Vec<Lane> = pictures
        .into_iter()
        .map(|(name, (mut view, _), protected)| {
            view.profile = name.into();
            Lane::of(&view, protected)
        })
        .collect();
    lanes.push(Lane::of(&fixture::hostile().0, false));
    lanes
}

fn app(here: usize, count: usize) -> App {
    let mut app = fixture::app(fixture::rich(), &[Badge::ReadOnly]);
    let lanes = lanes().into_iter().cycle().take(count).collect();
    update(&mut app, Msg::Fleet(Arc::new(Fleet { lanes, here })), &Hits::default());
    app
}

fn hits(app: &App, width: u16, height: u16) -> Hits {
    let area = Rect::new(0, 0, width, height);
    draw(app, &theme_of_roles(), area, &mut Buffer::empty(area)).hits
}

fn key(app: &mut App, key: char) -> Vec<Effect> {
    let event = Event::Key(KeyEvent::new(KeyCode::Char(key), KeyModifiers::NONE));
    update(app, Msg::Input(fixture::now(), event), &Hits::default())
}

#[test]
fn a_line_for_each_profile_at_every_size() {
    snapshot_sizes("fleet", &app(1, 5), &SIZES[..4]);
    snapshot_sizes("fleet_of_two", &app(0, 2), &[(80, 24)]);
}

#[test]
fn lines_in_dark_light_and_ascii_without_colours() {
    let app = app(1, 4);
    for (name, theme, depth, charset) in [
        ("light", "light", Depth::True, Charset::Unicode),
        ("base", "base", Depth::Ansi, Charset::Unicode),
        ("ascii_no_color", "dark", Depth::None, Charset::Ascii),
    ] {
        insta::assert_snapshot!(format!("fleet_{name}"), looks(&app, theme, depth, charset, 120, 24));
    }
}

#[test]
fn a_critical_profile_is_never_among_those_there_is_no_room_for() {
    let app = app(0, 40);
    for (width, height) in [(60, 16), (80, 24), (120, 40)] {
        let text = rows(&paint(&app, &theme_of_roles(), width, height), |cell| {
            cell.symbol().to_owned()
        });
        assert!(text.contains("critical"), "{width}×{height}\n{text}");
        let more = text.lines().find(|line| line.contains(" more: ")).unwrap_or_default();
        let told = hits(&app, width, height).spots;
        let shown = told
            .iter()
            .filter(|(_, spot)| matches!(spot, super::super::screen::Spot::Lane(_)))
            .count();
        assert!(
            more.contains(&format!("{} more: ", 40 - shown)),
            "{width}×{height}: {more}"
        );
    }
}

#[test]
fn one_profile_alone_has_no_line() {
    let alone = fixture::app(fixture::rich(), &[Badge::ReadOnly]);
    let mut told = fixture::app(fixture::rich(), &[Badge::ReadOnly]);
    let lanes = lanes().into_iter().take(1).collect();
    update(
        &mut told,
        Msg::Fleet(Arc::new(Fleet { lanes, here: 0 })),
        &Hits::default(),
    );
    let theme = theme_of_roles();
    assert_eq!(paint(&told, &theme, 120, 40), paint(&alone, &theme, 120, 40));
    assert_eq!(key(&mut told, 'n'), []);
    assert!(told.ui().flash(fixture::now()).unwrap().text.contains("--profile a,b"));
}

#[test]
fn keys_palette_and_mouse_go_to_another_profile() {
    let mut app = app(1, 5);
    assert_eq!(key(&mut app, 'n'), [Effect::Profile(2)]);
    assert_eq!(
        app.run(Command::PreviousProfile, &Hits::default()),
        [Effect::Profile(0)]
    );
    key(&mut app, ':');
    for letter in "profile stag".chars() {
        key(&mut app, letter);
    }
    let enter = Event::Key(KeyEvent::new(KeyCode::Enter, KeyModifiers::NONE));
    let effects = update(&mut app, Msg::Input(fixture::now(), enter), &Hits::default());
    assert_eq!(effects, [Effect::Profile(3)]);
    for (width, height) in [(120, 40), (200, 60)] {
        let hits = hits(&app, width, height);
        // Under the status line and the heading: the profiles in their order.
        let click = |row| MouseEvent {
            kind: MouseEventKind::Down(MouseButton::Left),
            column: 30,
            row,
            modifiers: KeyModifiers::NONE,
        };
        let mut go = |row| update(&mut app, Msg::Input(fixture::now(), Event::Mouse(click(row))), &hits);
        assert_eq!(go(3), [], "the one that is there already");
        assert_eq!(go(2), [Effect::Profile(0)], "{width}×{height}");
    }
}

#[test]
fn a_question_is_about_the_profile_that_asked_it() {
    let mut app = app(1, 5);
    let consent = Consent::Effects(vec![Effect::Quit]);
    app.ask(Dialog::new("Sure", "Yes", Confirm::Yes, consent));
    assert_eq!(key(&mut app, 'n'), []);
    let mut app = self::app(1, 5);
    app.ask(Dialog::new("Sure", "Yes", Confirm::Yes, Consent::Effects(Vec::new())));
    let hits = hits(&app, 120, 40);
    let click = MouseEvent {
        kind: MouseEventKind::Down(MouseButton::Left),
        column: 30,
        row: 2,
        modifiers: KeyModifiers::NONE,
    };
    let effects = update(&mut app, Msg::Input(fixture::now(), Event::Mouse(click)), &hits);
    assert_eq!(effects, []);
    assert!(!app.ui().layers().is_empty());
}

#[test]
fn the_other_console_goes_on_as_this_one_was_left() {
    let mut left = app(0, 2);
    for pressed in ['2', 's', 'T', '+'] {
        key(&mut left, pressed);
    }
    let mut there = app(1, 2);
    there.continue_from(&left);
    assert_eq!(there.ui().screen(), Screen::Queues);
    assert_eq!(there.theme(), left.theme());
    assert_eq!(there.kept(), left.kept());
}

#[test]
fn lines_are_drawn_at_every_size_in_ascii_where_that_is_asked_for() {
    let theme = Library::embedded()
        .unwrap()
        .theme("dark", Depth::True, Charset::Ascii)
        .unwrap();
    for count in [2, 5, 60] {
        let app = app(count - 1, count);
        for width in (0..=240).step_by(13) {
            for height in (0..=80).step_by(7) {
                let buffer = paint(&app, &theme, width, height);
                assert!(
                    buffer.content().iter().all(|cell| cell.symbol().is_ascii()),
                    "{count}: {width}×{height}"
                );
            }
        }
    }
}

//! Every screen, popup and open row: at three sizes, in three themes, with hostile names, small and large.

use std::time::Duration;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::app::{App, Msg, draw, update};
use super::super::dialog::{Confirm, Consent, Dialog};
use super::super::fixture;
use super::super::glyph::Charset;
use super::super::screen::{Badge, Screen};
use super::super::theme::colour::Depth;
use super::super::theme::{Library, Role};
use super::{SIZES, looks, paint, planes, snapshot_sizes, theme_of_roles};
use crate::base::text;
use crate::base::time::Moment;
use crate::model::{Histories, View};

/// Opens a picture and presses keys: `4`, `tab`, `enter`, or a text after a quote.
pub(super) fn after(picture: (View, Histories), keys: &str) -> App {
    let mut app = fixture::app(picture, &[Badge::Demo]);
    let area = Rect::new(0, 0, 120, 40);
    for key in keys.split(' ').filter(|key| !key.is_empty()) {
        let hits = draw(&app, &theme_of_roles(), area, &mut Buffer::empty(area)).hits;
        let codes: Vec<KeyCode> = match key {
            "enter" => vec![KeyCode::Enter],
            "esc" => vec![KeyCode::Esc],
            "tab" => vec![KeyCode::Tab],
            "right" => vec![KeyCode::Right],
            "space" => vec![KeyCode::Char(' ')],
            text => text.trim_start_matches('\'').chars().map(KeyCode::Char).collect(),
        };
        for code in codes {
            let event = Event::Key(KeyEvent::new(code, KeyModifiers::NONE));
            update(&mut app, Msg::Input(later(400), event), &hits);
        }
    }
    app
}

fn later(millis: u64) -> Moment {
    let now = fixture::now();
    let by = Duration::from_millis(millis);
    Moment {
        at: now.at + by,
        mono: now.mono + by,
    }
}

/// What there is to see, by name: the keys that lead there.
const PLACES: [(&str, &str); 17] = [
    ("queues", "2"),
    ("queue", "2 enter"),
    ("queues_sorted", "2 right right right s"),
    ("queues_filtered", "2 / \'work"),
    ("queues_marked", "2 space"),
    ("queues_columns", "2 c"),
    ("queues_why", "2 right right right i"),
    ("workers", "3"),
    ("worker", "3 enter"),
    ("failures", "4"),
    ("events", "7"),
    ("verdicts", "v"),
    ("verdicts_acknowledged", "v a"),
    ("what_if", "w"),
    ("palette", ": \'th"),
    ("messages", "T U N"),
    ("flow_why", "tab i"),
];

#[test]
fn every_place_at_three_sizes() {
    for (name, keys) in PLACES {
        snapshot_sizes(&format!("place_{name}"), &after(fixture::rich(), keys), &SIZES[..3]);
    }
}

#[test]
fn every_screen_in_dark_light_and_without_colours() {
    for (name, keys) in [
        ("queues", "2"),
        ("queue", "2 enter"),
        ("workers", "3"),
        ("failures", "4"),
        ("events", "7"),
    ] {
        let app = after(fixture::rich(), keys);
        for (look, theme, depth, charset) in [
            ("dark", "dark", Depth::True, Charset::Unicode),
            ("light", "light", Depth::True, Charset::Unicode),
            ("ascii_mono", "mono", Depth::None, Charset::Ascii),
        ] {
            insta::assert_snapshot!(
                format!("look_{name}_{look}"),
                looks(&app, theme, depth, charset, 120, 40)
            );
        }
    }
}

#[test]
fn a_fleet_is_scrolled_with_the_cursor_on_screen() {
    for screen in ["2", "3", "4", "7"] {
        let app = after(fixture::many(), &format!("{screen} G"));
        snapshot_sizes(&format!("many_{screen}"), &app, &[(120, 40)]);
    }
}

#[test]
fn a_failing_pipeline_shows_what_is_off_and_why() {
    snapshot_sizes("place_failures_off", &after(fixture::failing(), "4"), &[(120, 40)]);
    snapshot_sizes(
        "place_worker_down",
        &after(fixture::failing(), "3 j j enter"),
        &[(120, 40)],
    );
}

#[test]
fn webhooks_that_are_sent_stand_by_subject_and_by_mode() {
    snapshot_sizes("place_webhooks", &after(fixture::outbound(), "4"), &SIZES[..3]);
    snapshot_sizes(
        "place_webhooks_sorted",
        &after(fixture::outbound(), "4 j right right right right s"),
        &[(120, 40)],
    );
    snapshot_sizes("place_webhook_workers", &after(fixture::outbound(), "3"), &[(120, 40)]);
    snapshot_sizes(
        "place_webhook_worker",
        &after(fixture::outbound(), "3 j enter"),
        &[(120, 40)],
    );
}

#[test]
fn a_question_has_cancel_focused() {
    let mut app = after(fixture::rich(), "2");
    let confirm = Confirm::Typed {
        ask: "Type the count to replay".to_owned(),
        expected: "31".to_owned(),
    };
    let dialog = Dialog::new("Replay 31 letters", "Replay", confirm, Consent::Effects(Vec::new()));
    app.ask(
        dialog
            .row(
                "target",
                "stream webhooks, subject webhook.telnyx.sms.delivered",
                Role::Text,
            )
            .row("pace", "canary 1, then 50/s", Role::Text),
    );
    snapshot_sizes("dialog", &app, &[(80, 24), (120, 40)]);
}

#[test]
fn no_stranger_steers_any_place_and_every_size_draws() {
    let ascii = Library::embedded()
        .unwrap()
        .theme("mono", Depth::None, Charset::Ascii)
        .unwrap();
    for (name, keys) in PLACES {
        for picture in [
            fixture::hostile(),
            fixture::empty(),
            fixture::connecting(),
            fixture::many(),
            fixture::outbound(),
        ] {
            let app = after(picture, keys);
            for (width, height) in [(60, 16), (61, 17), (80, 24), (97, 31), (120, 40), (200, 60), (240, 20)] {
                for cell in paint(&app, &theme_of_roles(), width, height).content() {
                    assert_eq!(text::safe(cell.symbol()), cell.symbol(), "{name} {width}×{height}");
                }
            }
            let plain = paint(&app, &ascii, 120, 40);
            assert!(plain.content().iter().all(|cell| cell.symbol().is_ascii()), "{name}");
        }
    }
}

#[test]
fn every_screen_has_a_name_of_its_own_on_it() {
    for screen in Screen::ALL.into_iter().filter(|screen| *screen != Screen::Overview) {
        let key = (1 + Screen::ALL.iter().position(|known| *known == screen).unwrap()).to_string();
        let text = planes(&after(fixture::rich(), &key), 120, 40);
        assert!(
            text.contains(screen.title()) || text.contains("By provider"),
            "{}",
            screen.title()
        );
    }
}

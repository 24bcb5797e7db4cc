//! What the letters look like, whoever wrote them.

use super::*;
use crate::console::tests::{SIZES, looks, paint, snapshot_sizes};

#[test]
fn no_stranger_steers_the_letters_and_every_size_draws() {
    let ascii = Library::embedded()
        .unwrap()
        .theme("mono", Depth::None, Charset::Ascii)
        .unwrap();
    for row in 0..6 {
        for keys in ["", "enter", "enter d", "enter d d", "R y"] {
            let mut desk = Desk::with(&profile(), hostile(), 120, 40);
            for _ in 0..row {
                desk.press("j");
            }
            if !keys.is_empty() {
                desk.press(keys);
            }
            for (width, height) in [(60, 16), (97, 31), (200, 60)] {
                for cell in paint(&desk.app, &theme_of_roles(), width, height).content() {
                    assert_eq!(text::safe(cell.symbol()), cell.symbol(), "{row} {keys}");
                }
            }
            let plain = paint(&desk.app, &ascii, 120, 40);
            assert!(
                plain.content().iter().all(|cell| cell.symbol().is_ascii()),
                "{row} {keys}"
            );
        }
    }
}

/// What there is to see, by name: the keys that lead there.
const PLACES: [(&str, &str); 9] = [
    ("list", "j j"),
    ("marked", "space j space"),
    ("filtered", "/ 'timeout enter"),
    ("narrowed", "tab j enter"),
    ("detail", "j j enter"),
    ("plan", "a R y"),
    ("plan_one", "R y"),
    ("unlock", "R"),
    ("parked", "f"),
];

#[test]
fn every_place_of_the_letters_at_three_sizes() {
    for (name, keys) in PLACES {
        let mut desk = Desk::new();
        desk.press(keys);
        snapshot_sizes(&format!("letters_{name}"), &desk.app, &SIZES[..3]);
    }
}

#[test]
fn a_letter_of_many_megabytes_is_cut_on_screen_wherever_it_is_shown() {
    let huge = "xy".repeat(2 << 20);
    let mut monster = letter(1, 1, "webhook.telnyx.sent", &huge, &vec![b'['; 8 << 20]);
    monster.headers.push((huge.as_str().into(), huge.as_str().into()));
    monster.payload = format!("\"{}\"", "y".repeat(8 << 20)).into_bytes().into();
    let mut desk = Desk::with(&profile(), vec![monster], 120, 40);
    for keys in ["j k", "enter", "d", "d", "esc", "R y"] {
        desk.press(keys);
        let screen = paint(&desk.app, &theme_of_roles(), 120, 40);
        let shown: String = screen.content().iter().map(ratatui::buffer::Cell::symbol).collect();
        assert!(shown.contains('…'), "{keys}: {shown}");
    }
}

#[test]
fn a_webhooks_history_at_three_sizes() {
    let mut desk = super::browse::died_twice();
    desk.press("enter");
    snapshot_sizes("letters_history", &desk.app, &SIZES[..3]);
}

#[test]
fn an_edited_letter_for_a_gateway_at_three_sizes() {
    let mut desk = Desk::new();
    desk.press("R y tab tab right right tab 'http://127.0.0.1:8080/webhooks/telnyx tab enter");
    let (what, text) = desk.editing.take().unwrap();
    let now = desk.now();
    desk.send(Msg::Edited(now, what, Ok(text.replace("delivered", "failed"))));
    snapshot_sizes("letters_edited", &desk.app, &SIZES[..3]);
}

#[test]
fn a_replay_at_three_sizes() {
    let mut desk = Desk::new();
    desk.press("a R y");
    desk.press("'37 enter enter");
    desk.tell(Told::Progress(Box::new(progress(Phase::Sending, 13, 11))));
    // The flash of the lock is gone.
    desk.at += Duration::from_secs(10);
    desk.tick();
    snapshot_sizes("letters_running", &desk.app, &SIZES[..3]);
    desk.letters.truncate(6);
    desk.tell(Told::Ended(Ok(Box::new(report()))));
    desk.at += Duration::from_secs(10);
    desk.tick();
    snapshot_sizes("letters_report", &desk.app, &SIZES[..3]);
}

#[test]
fn the_letters_in_dark_light_and_without_colours() {
    for (name, keys) in [("list", "j j"), ("detail", "enter"), ("plan", "a R y")] {
        let mut desk = Desk::new();
        desk.press(keys);
        for (look, theme, depth, charset) in [
            ("dark", "dark", Depth::True, Charset::Unicode),
            ("light", "light", Depth::True, Charset::Unicode),
            ("ascii_mono", "mono", Depth::None, Charset::Ascii),
        ] {
            insta::assert_snapshot!(
                format!("look_letters_{name}_{look}"),
                looks(&desk.app, theme, depth, charset, 120, 40)
            );
        }
    }
}

//! One lock for all that the console can do, and keys that are shown as they are.

use std::time::Duration;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};

use super::super::app::{App, Effect, Msg, Options, Still, draw, update};
use super::super::fixture;
use super::super::keymap::Keymap;
use super::super::letters::Office;
use super::super::screen::{Badge, Hits};
use super::{paint, rows, theme_of_roles};
use crate::act::firing::Report;
use crate::base::time::Moment;
use crate::config::Profile;

struct Hand {
    app: App,
    hits: Hits,
    now: Moment,
}

impl Hand {
    fn new(profile: &Profile, keymap: Keymap) -> Self {
        let (view, histories) = fixture::rich();
        let supply = fixture::supply();
        let options = Options {
            badges: vec![Badge::ReadOnly],
            themes: vec!["dark".into()],
            office: Some(Office::new(profile, &supply.library)),
            supply: Some(supply),
            keymap,
            ..Options::default()
        };
        Self {
            app: App::still(Still { view, histories }, Some("webhooks".into()), options),
            hits: Hits::default(),
            now: fixture::now(),
        }
    }

    /// Single keys, each long after the last one; a text after a quote.
    fn press(&mut self, keys: &str) -> Vec<Effect> {
        let mut effects = Vec::new();
        for key in keys.split(' ') {
            let codes: Vec<KeyCode> = match key {
                "enter" => vec![KeyCode::Enter],
                text => text.trim_start_matches('\'').chars().map(KeyCode::Char).collect(),
            };
            for code in codes {
                let by = Duration::from_millis(400);
                self.now = Moment {
                    at: self.now.at + by,
                    mono: self.now.mono + by,
                };
                let event = Event::Key(KeyEvent::new(code, KeyModifiers::NONE));
                effects.extend(update(&mut self.app, Msg::Input(self.now, event), &self.hits));
                let area = ratatui::layout::Rect::new(0, 0, 200, 60);
                let mut buffer = ratatui::buffer::Buffer::empty(area);
                self.hits = draw(&self.app, &theme_of_roles(), area, &mut buffer).hits;
            }
        }
        effects
    }

    fn text(&self) -> String {
        rows(&paint(&self.app, &theme_of_roles(), 200, 60), |cell| {
            cell.symbol().to_owned()
        })
    }
}

#[test]
fn nothing_is_fired_while_the_badge_says_read_only() {
    for (key, wanted) in [("f", "fire"), ("C", "canary")] {
        let mut hand = Hand::new(&Profile::empty("prod"), Keymap::default());
        hand.press("6 / 'telnyx enter");
        assert!(hand.text().contains("READ-ONLY"), "{}", hand.text());
        assert_eq!(hand.press(key), [], "{wanted}");
        assert!(hand.text().contains("Unlock changes on prod"), "{}", hand.text());
        let effects = hand.press("y");
        assert!(
            matches!(effects.as_slice(), [Effect::Fire { .. }]),
            "{wanted}: {effects:?}"
        );
        assert!(
            !hand.text().contains("READ-ONLY") && hand.text().contains("WRITE"),
            "{}",
            hand.text()
        );
        // The same key as on the other screen locks it again.
        hand.press("W");
        assert!(hand.text().contains("READ-ONLY"), "{}", hand.text());
        assert_eq!(hand.press(key), [], "{wanted}");
    }
    let read_only = Profile {
        read_only: true,
        ..Profile::empty("prod")
    };
    let mut hand = Hand::new(&read_only, Keymap::default());
    assert_eq!(hand.press("6 / 'telnyx enter f C"), []);
    assert!(hand.text().contains("prod is read-only"), "{}", hand.text());
}

#[test]
fn what_goes_on_after_the_lock_is_shut_is_not_called_read_only() {
    let mut hand = Hand::new(&Profile::empty("prod"), Keymap::default());
    let effects = hand.press("6 / 'telnyx enter C y");
    let [Effect::Fire { request, .. }] = effects.as_slice() else {
        panic!("{effects:?}");
    };
    let begun = Report::CanaryBegun {
        request: request.clone(),
        to: "http://127.0.0.1:8080".to_owned(),
    };
    update(&mut hand.app, Msg::Fired(hand.now, Box::new(begun)), &hand.hits);
    hand.press("W");
    let text = hand.text();
    assert!(
        !text.contains("READ-ONLY") && text.contains("AT WORK") && text.contains("CANARY"),
        "{text}"
    );
}

#[test]
fn keys_that_somebody_chose_stand_in_the_hints_of_every_screen() {
    let (keymap, wrong) = Keymap::with_file(
        "keys.toml",
        "fire = \"ctrl-f\"\ncanary = \"ctrl-k\"\nopen = \"ctrl-o\"\nlook = \"ctrl-p\"\nunlock = \"ctrl-w\"\n",
    );
    assert!(wrong.is_empty(), "{wrong:?}");
    let mut hand = Hand::new(&Profile::empty("prod"), keymap);
    hand.press("6 / 'telnyx.message.sent enter");
    let text = hand.text();
    for hint in [
        "ctrl-f fires telnyx.message.sent at",
        "ctrl-k fires this template every 30 s",
        "ctrl-o edits",
    ] {
        assert!(text.contains(hint), "{hint}\n{text}");
    }
    assert!(
        !text.contains("f fires telnyx.message.sent at") || text.contains("ctrl-f fires"),
        "{text}"
    );
}

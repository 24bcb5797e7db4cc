//! The past on screen: what it looks like, what keys, clicks and messages do there.

mod moving;

use std::sync::Arc;
use std::time::Duration;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Color;

use super::super::app::{App, Drawn, Effect, Msg, Options, draw, update};
use super::super::fixture;
use super::super::glyph::Charset;
use super::super::player::{Back, Control, File, Keep, Mark, MarkKind, Player, Reel, Tape};
use super::super::screen::{Badge, Hits, PanelId};
use super::super::theme::Library;
use super::super::theme::colour::Depth;
use super::{rows, snapshot_sizes, theme_of_roles};
use crate::base::time::Moment;
use crate::config::{Families, Pipeline, Thresholds};
use crate::model::field::Field;
use crate::model::{Histories, History, Model, SeriesKey, Settings};
use crate::sample::{Envelope, Layout, Sample, Scrape, SeriesId, SeriesKind, SourceId, SourceKind};

fn settings() -> Settings {
    Settings {
        profile: "demo".into(),
        pipeline: Pipeline::default(),
        families: Families::default(),
        thresholds: Thresholds::default(),
        runbooks: std::collections::BTreeMap::new(),
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Twenty minutes with two alerts, two markers, an action and a hole.
fn reel(live: bool) -> Reel {
    Reel {
        live,
        name: if live { String::new() } else { "outage.mcap".to_owned() },
        start: fixture::now().at - seconds(600),
        length: seconds(1_200),
        load: (0..120)
            .filter(|bucket| !(80..90).contains(bucket))
            .map(|bucket| {
                let load = if (50..80).contains(&bucket) {
                    20.0
                } else {
                    100.0 + f32::from(u8::try_from(bucket).unwrap())
                };
                (seconds(bucket * 10), seconds(bucket * 10 + 10), load)
            })
            .collect(),
        alerts: vec![Mark::new(seconds(500), "no_workers"), Mark::new(seconds(620), "loss")],
        markers: vec![
            Mark::new(seconds(300), "deploy v2"),
            Mark::new(seconds(900), "rolled \u{1b}[31mback"),
        ],
        actions: vec![Mark::new(seconds(1_000), "replayed 37 letters")],
        gaps: vec![(seconds(800), seconds(899))],
        seam: live.then_some(seconds(400)),
        missing: vec!["at byte 7: damaged; missing: 99 s".to_owned()],
    }
}

fn player(reel: Reel, position: u64) -> Player {
    Player {
        reel: Arc::new(reel),
        position: seconds(position),
        playing: true,
        speed: "4×",
        factor: 4.0,
        ramp: true,
        looping: false,
        seeking: false,
        since: None,
    }
}

struct Desk {
    app: App,
    area: Rect,
    drawn: Drawn,
    text: String,
}

impl Desk {
    /// On a recording.
    fn recording() -> Self {
        let app = App::recorded(&settings(), options(), fixture::now());
        let mut desk = Self::over(app);
        desk.send(Msg::Past(Box::new(Model::new(settings(), fixture::now()))));
        desk.stand(player(reel(false), 600));
        desk
    }

    /// On a live session that has stepped back.
    fn rewound() -> Self {
        let mut desk = Self::live();
        desk.send(Msg::Past(Box::new(Model::new(settings(), fixture::now()))));
        desk.stand(player(reel(true), 600));
        desk
    }

    fn live() -> Self {
        Self::over(App::live(settings(), options(), fixture::now()))
    }

    fn over(app: App) -> Self {
        let mut desk = Self {
            app,
            area: Rect::new(0, 0, 120, 40),
            drawn: Drawn::default(),
            text: String::new(),
        };
        desk.draw();
        desk
    }

    fn draw(&mut self) {
        let mut buffer = Buffer::empty(self.area);
        self.drawn = draw(&self.app, &theme_of_roles(), self.area, &mut buffer);
        self.text = rows(&buffer, |cell| cell.symbol().to_owned());
    }

    fn send(&mut self, msg: Msg) -> Vec<Effect> {
        let effects = update(&mut self.app, msg, &self.drawn.hits);
        self.draw();
        effects
    }

    fn stand(&mut self, player: Player) {
        self.send(Msg::Player(Some(Box::new(player))));
    }

    fn key(&mut self, code: KeyCode, modifiers: KeyModifiers) -> Vec<Effect> {
        self.send(Msg::Input(fixture::now(), Event::Key(KeyEvent::new(code, modifiers))))
    }

    /// Types characters, `\n` for enter.
    fn types(&mut self, text: &str) -> Vec<Effect> {
        text.chars()
            .flat_map(|c| {
                let code = if c == '\n' { KeyCode::Enter } else { KeyCode::Char(c) };
                self.key(code, KeyModifiers::NONE)
            })
            .collect()
    }

    fn mouse(&mut self, kind: MouseEventKind, column: u16, row: u16) -> Vec<Effect> {
        let event = MouseEvent {
            kind,
            column,
            row,
            modifiers: KeyModifiers::NONE,
        };
        self.send(Msg::Input(fixture::now(), Event::Mouse(event)))
    }
}

fn options() -> Options {
    Options {
        badges: vec![Badge::Demo],
        themes: vec!["dark".into(), "light".into()],
        ..Options::default()
    }
}

fn to(position: u64) -> Vec<Effect> {
    vec![Effect::Play(Control::To(seconds(position)))]
}

fn play(control: Control) -> Vec<Effect> {
    vec![Effect::Play(control)]
}

/// A picture with a strip under it.
fn picture(live: bool, position: u64) -> App {
    let badges: &[Badge] = if live { &[Badge::Demo] } else { &[Badge::Playback] };
    let mut app = fixture::app(fixture::rich(), badges);
    let player = player(reel(live), position);
    update(&mut app, Msg::Player(Some(Box::new(player))), &Hits::default());
    app
}

#[test]
fn a_recording_on_screen() {
    snapshot_sizes("played", &picture(false, 600), &[(80, 24), (120, 40), (200, 60)]);
}

#[test]
fn the_past_of_a_live_session_shows_where_recordings_end_and_its_own_memory_begins() {
    snapshot_sizes("rewound", &picture(true, 600), &[(80, 24), (120, 40)]);
}

/// A live session of four minutes with ten minutes of history before it, and a gap between them.
fn after_history() -> App {
    let start = fixture::now();
    let zero = i64::try_from(start.mono.as_secs()).unwrap();
    let mut app = App::live(settings(), options(), start);
    let mut histories = Histories::reaching_back();
    for (ago, value) in (90..600_i32)
        .step_by(10)
        .rev()
        .zip([80.0, 84.0, 90.0, 86.0, 82.0].into_iter().cycle())
    {
        histories.recall(&SeriesKey::of(Field::ReceivedPerS), zero - i64::from(ago), value);
        histories.recall(
            &SeriesKey::of(Field::ProcessedPerS),
            zero - i64::from(ago),
            value - 10.0,
        );
    }
    let told = "until 13:00:00 UTC from recordings".to_owned();
    let events = Vec::new();
    app.remember(
        Ok(History {
            histories,
            events,
            told,
        }),
        start,
    );
    for second in 1..=240_u32 {
        let now = Moment {
            at: start.at + seconds(second.into()),
            mono: start.mono + seconds(second.into()),
        };
        let series = ["webhook_processed_total", "webhook_received_total"].map(|name| SeriesId {
            name: name.into(),
            labels: vec![("provider".into(), "telnyx".into())],
            kind: SeriesKind::Counter,
        });
        let scrape = Scrape {
            target: "gateway".into(),
            layout: Arc::new(Layout::new(series.to_vec())),
            values: vec![f64::from(second) * 68.0, f64::from(second) * 70.0],
            took: Duration::from_millis(1),
            bytes: 100,
            skipped: 0,
            first_skipped: None,
            left_out: 0,
        };
        let envelope = Envelope {
            profile: "demo".into(),
            source: SourceId::new(SourceKind::Metrics, "gateway"),
            seq: second.into(),
            at: now.at,
            mono: now.mono,
            sample: Sample::Scrape(scrape),
        };
        update(&mut app, Msg::Data(envelope), &Hits::default());
        update(&mut app, Msg::Tick(now), &Hits::default());
    }
    app
}

#[test]
fn a_chart_shows_where_history_ends_and_the_live_session_begins() {
    let app = after_history();
    snapshot_sizes("seam", &app, &[(80, 24), (120, 40)]);
    let library = Library::embedded().unwrap();
    let area = Rect::new(0, 0, 120, 40);
    for name in library.names() {
        for (charset, seam) in [(Charset::Unicode, "┊"), (Charset::Ascii, "|")] {
            let theme = library.theme(name, Depth::True, charset).unwrap();
            let mut buffer = Buffer::empty(area);
            let drawn = draw(&app, &theme, area, &mut buffer);
            let plot = drawn.hits.charts[0].plot;
            // Four minutes of fifteen from the right.
            let ago = plot.width * 4 / 15;
            let column = (plot.right() - ago - 3..=plot.right() - ago)
                .find(|x| (plot.top()..plot.bottom()).all(|y| buffer[(*x, y)].symbol() == seam))
                .unwrap_or_else(|| panic!("{name}: no line"));
            let cell = &buffer[(column, plot.top())];
            assert!(cell.fg != cell.bg || cell.fg == Color::Reset, "{name}: it can be seen");
            let top: String = (plot.left()..plot.right())
                .map(|x| buffer[(x, plot.top())].symbol())
                .collect();
            assert!(top.contains(&format!("history {seam} live")), "{name}: {top}");
        }
    }
}

#[test]
fn a_caption_a_list_of_marks_and_a_comparison_over_it() {
    snapshot_sizes("played_caption", &picture(false, 302), &[(80, 24), (120, 40)]);
    let mut marks = picture(false, 620);
    press(&mut marks, '\'');
    snapshot_sizes("played_marks", &marks, &[(80, 24), (120, 40)]);
    let mut compared = picture(false, 620);
    press(&mut compared, 'P');
    press(&mut compared, 'D');
    snapshot_sizes("played_compare", &compared, &[(80, 24), (120, 40)]);
}

fn press(app: &mut App, key: char) {
    let event = Event::Key(KeyEvent::new(KeyCode::Char(key), KeyModifiers::NONE));
    update(app, Msg::Input(fixture::now(), event), &Hits::default());
}

#[test]
fn the_same_figures_and_place_draw_the_same_cells() {
    let paint = || super::paint(&picture(false, 600), &theme_of_roles(), 120, 40);
    assert_eq!(paint(), paint());
}

#[test]
fn every_size_draws_and_ascii_means_ascii() {
    let theme = Library::embedded().unwrap();
    let theme = theme.theme("mono", Depth::None, Charset::Ascii).unwrap();
    let mut caption = picture(false, 302);
    press(&mut caption, '\'');
    for app in [picture(true, 0), picture(false, 1_200), caption] {
        for (width, height) in [(60, 16), (61, 29), (80, 24), (120, 40), (240, 80)] {
            let buffer = super::paint(&app, &theme, width, height);
            assert!(
                buffer.content().iter().all(|cell| cell.symbol().is_ascii()),
                "{width}×{height}"
            );
        }
    }
}

#[test]
fn the_badge_says_that_it_is_over_and_how_far_behind_it_is() {
    let mut desk = Desk::rewound();
    assert!(
        desk.text.contains("REWIND −0:00") && !desk.text.contains("LIVE"),
        "{}",
        desk.text
    );
    desk.stand(player(reel(true), 475));
    assert!(desk.text.contains("REWIND −2:05"), "{}", desk.text);
    desk.send(Msg::Player(None));
    assert!(!desk.text.contains("REWIND") && desk.drawn.hits.strip.is_none());
}

#[test]
fn live_figures_go_on_while_the_past_is_on_screen() {
    let mut desk = Desk::rewound();
    let shown = desk.app.view().now;
    let later = Moment {
        at: fixture::now().at + seconds(9),
        mono: fixture::now().mono + seconds(9),
    };
    desk.send(Msg::Tick(later));
    assert_eq!(desk.app.view().now, shown);
    assert_eq!(desk.app.live_view().unwrap().now, later);
    assert!(desk.text.contains("REWIND −0:09"), "{}", desk.text);
    let recording = Desk::recording();
    assert!(
        recording.app.live_view().is_none(),
        "nothing is live behind a recording"
    );
}

#[test]
fn a_marker_needs_a_text_and_marks_the_moment_at_which_it_was_begun() {
    let mut desk = Desk::recording();
    desk.types("m");
    assert!(desk.text.contains("marks 14:03:22"), "{}", desk.text);
    desk.stand(player(reel(false), 700));
    let note = Control::Note(Some(seconds(600)), "deploy m q".to_owned());
    assert_eq!(desk.types("deploy m q\n"), play(note));
    assert_eq!(desk.types("m  \n"), []);
    assert!(desk.text.contains("A marker needs a text"), "{}", desk.text);
    let mut live = Desk::live();
    assert_eq!(live.types("mhere\n"), play(Control::Note(None, "here".to_owned())));
    let note = Control::Note(None, "two words".to_owned());
    assert_eq!(live.types(":mark two words\n"), play(note));
}

#[test]
fn nothing_acts_in_the_past() {
    for mut desk in [Desk::recording(), Desk::rewound()] {
        for key in ["a", "A"] {
            assert_eq!(desk.types(key), []);
            assert!(
                desk.text.contains("nothing can be answered or changed in the past"),
                "{}",
                desk.text
            );
        }
        desk.types("v");
        assert_eq!(desk.types("a"), []);
        assert!(
            desk.text.contains("nothing can be answered"),
            "on the list, too: {}",
            desk.text
        );
    }
    let mut desk = Desk::recording();
    assert_eq!(desk.types("r"), []);
    assert!(desk.text.contains("only a live session can do that"), "{}", desk.text);
    assert_eq!(desk.types("R"), []);
    assert!(desk.text.contains("nothing live behind it"), "{}", desk.text);
}

#[test]
fn what_is_kept_says_where_and_shows_that_it_is() {
    let keep = |keep: Keep| vec![Effect::Keep(keep)];
    let file = |path: &str, force| File {
        path: Some(path.to_owned()),
        force,
    };
    let mut desk = Desk::live();
    assert_eq!(desk.types("r"), keep(Keep::Record(File::default())));
    assert_eq!(
        desk.types(":record a b.mcap\n"),
        keep(Keep::Record(file("a b.mcap", false)))
    );
    assert_eq!(desk.types(":record! x\n"), keep(Keep::Record(file("x", true))));
    assert_eq!(desk.types("S"), keep(Keep::Save(File::default())));
    assert_eq!(desk.types(":save! x.mcap\n"), keep(Keep::Save(file("x.mcap", true))));
    desk.send(Msg::Tape(Some(Tape {
        bytes: 1_300_000,
        dropped: 0,
    })));
    assert!(desk.text.contains("REC 1.2 MiB"), "{}", desk.text);
    assert_eq!(desk.types("r"), keep(Keep::Stop));
    assert_eq!(desk.types(":record y\n"), [], "it is recorded already");
    desk.send(Msg::Tape(Some(Tape {
        bytes: 1_300_000,
        dropped: 12,
    })));
    assert!(desk.text.contains("12 left out"), "{}", desk.text);
    desk.send(Msg::Tape(None));
    assert!(!desk.text.contains("REC "), "{}", desk.text);
    let mut rewound = Desk::rewound();
    assert_eq!(rewound.types("S"), keep(Keep::Save(File::default())));
}

#[test]
fn a_pinned_moment_is_compared_with_now() {
    let mut desk = Desk::live();
    desk.types("D");
    assert!(desk.text.contains("Pin a moment first"), "{}", desk.text);
    desk.types("P");
    assert!(desk.text.contains("Pinned 14:03:22"), "{}", desk.text);
    desk.types("D");
    assert!(desk.text.contains("14:03:22 and 14:03:22"), "{}", desk.text);
    let mut rewound = Desk::rewound();
    rewound.types("D");
    assert!(
        rewound.text.contains("14:03:22 and 14:03:22"),
        "without a pin: shown and now"
    );
}

#[test]
fn the_help_tells_the_tenths_in_one_row() {
    let mut desk = Desk::recording();
    desk.types("?");
    let mut rows = 0;
    while !desk.text.contains("alt-1 .. alt-9") && rows < 80 {
        desk.types("j");
        rows += 1;
    }
    assert!(desk.text.contains("alt-1 .. alt-9"), "{}", desk.text);
    assert!(!desk.text.contains("alt-3"), "{}", desk.text);
}

//! The screen of test webhooks: keys and reports in, a screen and effects out.

mod form;
mod runs;

use std::time::Duration;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::app::{App, Edit, Effect, Msg, Options, Still, draw, update};
use super::super::bench::Supply;
use super::super::fixture;
use super::super::glyph::Charset;
use super::super::screen::fire::{FORM, HISTORY, LIST};
use super::super::screen::{Badge, Hits, PanelId, Screen};
use super::super::theme::Library as Themes;
use super::super::theme::colour::Depth;
use super::{SIZES, looks, paint, rows, snapshot_sizes, theme_of_roles};
use crate::act::fire::{FailureKind, Latency, Library, Outcomes, Progress, Request, Sample, Summary};
use crate::act::firing::{Ended, Fired, Report};
use crate::act::trace::{Outcome, State, Timeline, reading};
use crate::base::text;
use crate::base::time::Moment;

const TARGET: &str = "http://127.0.0.1:8080/webhooks/telnyx";

/// A console on the sixth screen, with telnyx.message.sent under the cursor.
struct Table {
    app: App,
    hits: Hits,
    now: Moment,
}

impl Table {
    fn new() -> Self {
        Self::with(fixture::supply())
    }

    fn with(supply: Supply) -> Self {
        let (view, histories) = fixture::rich();
        let options = Options {
            badges: vec![Badge::Demo],
            themes: vec!["dark".into()],
            supply: Some(supply),
            ..Options::default()
        };
        let still = Still { view, histories };
        let mut table = Self {
            app: App::still(still, Some("webhooks".into()), options),
            hits: Hits::default(),
            now: fixture::now(),
        };
        table.press("6 / 'telnyx enter j j");
        table
    }

    fn send(&mut self, msg: Msg) -> Vec<Effect> {
        let effects = update(&mut self.app, msg, &self.hits);
        self.draw();
        effects
    }

    fn draw(&mut self) {
        let area = Rect::new(0, 0, 120, 40);
        self.hits = draw(&self.app, &theme_of_roles(), area, &mut Buffer::empty(area)).hits;
    }

    /// Keys by their names; a text after a quote.
    fn press(&mut self, keys: &str) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.draw();
        for key in keys.split(' ').filter(|key| !key.is_empty()) {
            let codes: Vec<KeyCode> = match key {
                "enter" => vec![KeyCode::Enter],
                "esc" => vec![KeyCode::Esc],
                "tab" => vec![KeyCode::Tab],
                "clear" => vec![KeyCode::Backspace; 80],
                text => text.trim_start_matches('\'').chars().map(KeyCode::Char).collect(),
            };
            for code in codes {
                let event = Event::Key(KeyEvent::new(code, KeyModifiers::NONE));
                effects.extend(update(&mut self.app, Msg::Input(self.now, event), &self.hits));
            }
            self.draw();
        }
        effects
    }

    fn hear(&mut self, report: Report) -> Vec<Effect> {
        self.send(Msg::Fired(self.now, Box::new(report)))
    }

    fn later(&mut self, by: Duration) {
        self.now = Moment {
            at: self.now.at + by,
            mono: self.now.mono + by,
        };
    }

    fn text(&self) -> String {
        self.text_at(120, 40)
    }

    fn text_at(&self, width: u16, height: u16) -> String {
        rows(&paint(&self.app, &theme_of_roles(), width, height), |cell| {
            cell.symbol().to_owned()
        })
    }

    /// What the key fires.
    fn fires(&mut self) -> Request {
        self.fires_at("f")
    }

    /// What a key fires.
    fn fires_at(&mut self, key: &str) -> Request {
        let effects = self.press(key);
        let [
            Effect::Fire {
                request,
                confirmed: None,
            },
        ] = effects.as_slice()
        else {
            panic!("{effects:?}\n{}", self.text());
        };
        (**request).clone()
    }

    /// Puts the cursor on a field of the form.
    fn choose(&mut self, field: &str) {
        self.focus(FORM);
        self.press("/ clear enter g");
        let common = [
            "target",
            "scheme",
            "secret",
            "trace",
            "count",
            "rate",
            "for",
            "concurrency",
            "variant",
            "expect",
        ];
        match common.iter().position(|known| *known == field) {
            Some(at) => (0..at).for_each(|_| drop(self.press("j"))),
            None => drop(self.press(&format!("/ '{field} enter"))),
        }
    }

    fn focus(&mut self, panel: PanelId) {
        while self.app.ui().focus() != Some(panel) {
            self.press("tab");
        }
    }

    /// Opens a field, replaces what stands there, and keeps it.
    fn set(&mut self, field: &str, value: &str) {
        self.choose(field);
        self.press("enter clear");
        for c in value.chars() {
            let event = Event::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE));
            self.send(Msg::Input(self.now, event));
        }
        self.press("enter");
    }

    fn begin(&mut self, request: Request) {
        let (at, notices) = (self.now.at, Vec::new());
        self.hear(Report::Begun {
            request: Box::new(request),
            to: TARGET.to_owned(),
            at,
            notices,
        });
    }

    fn end(&mut self, request: Request, at: Moment, ended: Ended) {
        self.hear(Report::Ended(Box::new(Fired {
            at: at.at,
            request,
            to: TARGET.to_owned(),
            ended,
        })));
    }
}

fn reached(millis: u64, at_most: bool) -> State {
    State::Reached {
        after: Duration::from_millis(millis),
        at_most,
    }
}

/// A way as far as `states` say.
fn way(states: [State; 4], stuck: Option<&str>) -> Timeline {
    let details = ["HTTP 200", "webhooks #120331", "left the stream", "telnyx-8d0f"];
    let mut timeline = Timeline {
        id: "8d0f0c2e-5f7a-4e55-9c6e-0a4bb2a1f2d3".to_owned(),
        stuck: stuck.map(ToOwned::to_owned),
        ..Timeline::default()
    };
    for ((step, state), detail) in timeline.steps.iter_mut().zip(states).zip(details) {
        if state != State::Pending {
            detail.clone_into(&mut step.detail);
        }
        step.state = state;
    }
    timeline
}

fn through() -> Timeline {
    way(
        [
            reached(3, false),
            reached(2, true),
            reached(31, false),
            reached(28, false),
        ],
        None,
    )
}

fn stuck() -> Timeline {
    let states = [reached(3, false), reached(2, true), State::Pending, State::Pending];
    way(states, Some("waiting in the stream, no worker pulls"))
}

fn traced(timeline: Timeline) -> Ended {
    Ended::Traced(Box::new(Outcome {
        at: fixture::now().at,
        reading: reading("telnyx.message.sent", &timeline),
        timeline: Some(timeline),
    }))
}

fn latency(millis: f64) -> Latency {
    let seconds = |factor: f64| Some(millis * factor / 1e3);
    Latency {
        count: 250,
        mean: seconds(1.1),
        p50: seconds(1.0),
        p90: seconds(1.8),
        p99: seconds(3.1),
        p999: seconds(4.0),
        max: seconds(4.4),
    }
}

fn progress(quarter: u32) -> Progress {
    let answered = u64::from(quarter) * 250;
    Progress {
        elapsed: Duration::from_millis(250) * quarter,
        due: answered + 3,
        latency: latency(4.0),
        recent: latency(3.0 + f64::from(quarter % 7)),
        outcomes: Outcomes {
            fired: answered + 2,
            retried: 0,
            statuses: [(202, answered - 8), (401, 7)].into(),
            failures: [(FailureKind::Timeout, 1)].into(),
        },
        samples: samples("the signature does not match"),
    }
}

fn samples(body: &str) -> Vec<Sample> {
    vec![Sample {
        status: Some(401),
        failure: None,
        template: "telnyx.message.sent".to_owned(),
        text: body.to_owned(),
    }]
}

fn summary(body: &str) -> Summary {
    Summary {
        elapsed_s: 12.0,
        due: 12_000,
        unsent: 0,
        sent: 12_000,
        retried: 0,
        answered: 11_999,
        accepted: 11_992,
        failed: 1,
        unfinished: 0,
        stopped: false,
        sent_per_s: Some(1_000.0),
        statuses: [(202, 11_992), (401, 7)].into(),
        failures: [(FailureKind::Timeout, 1)].into(),
        latency_s: latency(4.0),
        service_s: latency(4.0),
        lateness_s: latency(0.1),
        parts: Vec::new(),
        checks: Vec::new(),
        samples: samples(body),
    }
}

/// A trace on its way, a load that goes on, one that has ended, a canary that fails: and a history.
fn tables() -> Vec<(&'static str, Table)> {
    let fresh = Table::new();
    let mut trace = Table::new();
    let request = trace.fires();
    trace.begin(request);
    trace.hear(Report::Step(stuck()));
    trace.later(Duration::from_secs(3));
    trace.send(Msg::Tick(trace.now));

    let mut load = Table::new();
    load.set("count", "12000");
    load.set("rate", "1,000/s");
    let request = load.fires();
    load.begin(request);
    for quarter in 1..=33 {
        load.hear(Report::Progress(Box::new(progress(quarter))));
    }

    let mut done = Table::new();
    let one = done.fires();
    let at = done.now;
    done.begin(one.clone());
    done.end(one.clone(), at, traced(through()));
    done.later(Duration::from_secs(9));
    let mut many = one.clone();
    many.load.count = Some(12_000);
    many.load.rate = Some(1_000.0);
    many.trace = false;
    let at = done.now;
    done.begin(many.clone());
    for quarter in 1..=48 {
        done.hear(Report::Progress(Box::new(progress(quarter))));
    }
    let summary = summary("the signature does not match");
    let checks = many
        .load
        .expect
        .iter()
        .map(|expected| expected.check(&summary))
        .collect();
    let ended = Ended::Counted {
        summary: Box::new(summary),
        checks,
        seed: 7,
    };
    done.end(many, at, ended);
    let canary = Request {
        every: Some(Duration::from_secs(30)),
        ..one
    };
    fly(&mut done, canary, 12);
    vec![
        ("fire", fresh),
        ("fire_trace", trace),
        ("fire_load", load),
        ("fire_done", done),
    ]
}

/// A canary whose every fifth run gets stuck, and whose last one does.
fn fly(table: &mut Table, request: Request, runs: u64) {
    table.hear(Report::CanaryBegun {
        request: Box::new(request),
        to: TARGET.to_owned(),
    });
    for number in 0..runs {
        let timeline = if number % 5 == 4 || number == runs - 1 {
            stuck()
        } else {
            through()
        };
        table.hear(Report::CanaryStep(timeline.clone()));
        table.hear(Report::CanaryRan(Box::new(Outcome {
            at: table.now.at,
            reading: reading("telnyx.message.sent", &timeline),
            timeline: Some(timeline),
        })));
    }
}

#[test]
fn the_bench_at_three_sizes() {
    for (name, table) in tables() {
        snapshot_sizes(&format!("place_{name}"), &table.app, &SIZES[..3]);
    }
}

#[test]
fn the_bench_in_dark_light_and_without_colours() {
    for (name, table) in tables().into_iter().skip(1) {
        for (look, theme, depth, charset) in [
            ("dark", "dark", Depth::True, Charset::Unicode),
            ("light", "light", Depth::True, Charset::Unicode),
            ("ascii_mono", "mono", Depth::None, Charset::Ascii),
        ] {
            insta::assert_snapshot!(
                format!("look_{name}_{look}"),
                looks(&table.app, theme, depth, charset, 120, 40)
            );
        }
    }
}

#[test]
fn no_template_body_or_answer_of_a_stranger_steers_the_screen() {
    let folder = tempfile::tempdir().unwrap();
    let evil = r#"
        name = "evil.\u001b[2J\u202e"
        provider = "\u0007p\u001b]0;x\u0007"
        event = "\u009b31m"
        scheme = "github"
        body = "{\"\u202ekey\": \"\u009b2J\", \"\u009b\": [\"\u202e\"]}"
        [headers]
        x-evil = "ok"
    "#;
    std::fs::write(folder.path().join("evil.toml"), evil).unwrap();
    let library = Library::load(Some(folder.path()));
    assert_eq!(library.broken(), []);
    let supply = Supply {
        library: library.into(),
        ..fixture::supply()
    };
    let mut table = Table::with(supply);
    table.focus(LIST);
    table.press("/ clear 'evil enter");
    let request = table.fires();
    assert!(request.order.template.starts_with("evil."), "{request:?}");
    let at = table.now;
    let hostile = "\x1b[2J\u{202e}\u{9b}31m\r\n\x07".repeat(20);
    table.begin(request.clone());
    table.hear(Report::Step(way(
        [reached(3, false), State::Failed, State::Pending, State::Pending],
        Some(&hostile),
    )));
    table.end(request.clone(), at, Ended::Refused(hostile.clone()));
    let mut tables = vec![table];
    let mut counted = Table::new();
    let summary = summary(&hostile);
    counted.begin(request.clone());
    counted.end(
        request,
        at,
        Ended::Counted {
            checks: Vec::new(),
            summary: Box::new(summary),
            seed: 1,
        },
    );
    counted.send(Msg::Edited(
        at,
        Edit::Body("telnyx.message.sent".to_owned()),
        Ok(format!("{{\"a\": {hostile}")),
    ));
    tables.push(counted);
    let ascii = Themes::embedded()
        .unwrap()
        .theme("mono", Depth::None, Charset::Ascii)
        .unwrap();
    for table in &mut tables {
        for zoomed in [false, true] {
            if zoomed {
                table.press("tab z");
            }
            for (width, height) in [(60, 16), (61, 17), (80, 24), (97, 31), (120, 40), (200, 60), (240, 20)] {
                for cell in paint(&table.app, &theme_of_roles(), width, height).content() {
                    assert_eq!(text::safe(cell.symbol()), cell.symbol(), "{width}×{height}");
                }
                let plain = paint(&table.app, &ascii, width, height);
                assert!(plain.content().iter().all(|cell| cell.symbol().is_ascii()));
            }
        }
    }
}

#[test]
fn every_panel_is_zoomed_and_copied() {
    let (_, mut table) = tables().pop().unwrap();
    for panel in 0..6 {
        table.press("z");
        let zoomed = table.text_at(80, 24);
        assert!(zoomed.contains("╭─"), "{panel}: {zoomed}");
        assert!(
            matches!(table.press("y").as_slice(), [Effect::Copy(text)] if !text.is_empty()),
            "{panel}"
        );
        table.press("i");
        assert_eq!(table.app.ui().layers().len(), 1, "{panel}");
        table.press("i z tab");
    }
}

#[test]
fn the_help_lists_what_can_be_done_here() {
    let mut table = Table::new();
    table.press("?");
    let text = table.text_at(120, 60);
    for wanted in [
        "Fires what the form says",
        "Stops what is being fired",
        "$EDITOR",
        "every 30 s",
    ] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
}

//! How long a frame takes: working out the cells of all panels, comparing them with the frame
//! before, encoding what changed. Budget: 1.5 ms at 200×60, 99th percentile.

#[path = "../../src/console/fixture.rs"]
#[expect(dead_code, reason = "shared with the unit tests, which use more of it")]
mod fixture;

extern crate hookwatch;

use std::process::ExitCode;
use std::time::Duration;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use hdrhistogram::Histogram;
use hookwatch::base::time::{Clock as _, SystemClock};
use hookwatch::console::app::{App, Msg, draw, update};
use hookwatch::console::glyph::Charset;
use hookwatch::console::screen::{Badge, Hits};
use hookwatch::console::theme::Library;
use hookwatch::console::theme::colour::Depth;
use hookwatch::model::{Histories, View};
use ratatui::backend::{Backend as _, CrosstermBackend};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 60)];

/// Budget of the 99th percentile of an ordinary picture.
const BUDGET: Duration = Duration::from_micros(1_500);

/// Names of 10,000 characters may cost something, but no more than this.
const BUDGET_HOSTILE: Duration = Duration::from_millis(5);

const FRAMES: usize = 2_000;

/// Frames of a screen besides the Overview.
const FRAMES_OF_SCREEN: usize = 500;

/// What is drawn: its name, two pictures in turn, the keys that lead there, the budget, how many frames.
struct Case {
    name: String,
    apps: [App; 2],
    budget: Duration,
    frames: usize,
}

/// Opens a picture and presses keys.
fn after(picture: (View, Histories), keys: &str) -> App {
    let mut app = fixture::app(picture, &[Badge::Demo]);
    for key in keys.chars() {
        let code = if key == '\n' {
            KeyCode::Enter
        } else {
            KeyCode::Char(key)
        };
        let event = Event::Key(KeyEvent::new(code, KeyModifiers::NONE));
        update(&mut app, Msg::Input(fixture::now(), event), &Hits::default());
    }
    app
}

/// The Overview as it is and under attack; every other screen with a fleet on it.
fn cases() -> Vec<Case> {
    let case = |name: &str, apps: [App; 2], budget, frames| Case {
        name: name.to_owned(),
        apps,
        budget,
        frames,
    };
    let mut cases = vec![
        case(
            "rich",
            [after(fixture::rich(), ""), after(fixture::failing(), "")],
            BUDGET,
            FRAMES,
        ),
        case(
            "hostile",
            [after(fixture::hostile(), ""), after(fixture::rich(), "")],
            BUDGET_HOSTILE,
            FRAMES,
        ),
    ];
    for (name, keys) in [
        ("queues", "2"),
        ("sorted", "2s"),
        ("filtered", "2/9"),
        ("queue", "2\n"),
        ("workers", "3"),
        ("worker", "3\n"),
        ("failures", "4"),
        ("events", "7"),
        ("verdicts", "v"),
        ("palette", ":s"),
        ("help", "?"),
    ] {
        let apps = [after(fixture::many(), keys), after(fixture::rich(), keys)];
        cases.push(case(name, apps, BUDGET, FRAMES_OF_SCREEN));
    }
    cases
}

#[expect(clippy::print_stdout, reason = "the report of a bench")]
fn main() -> ExitCode {
    let clock = SystemClock::start();
    let Ok(theme) = Library::embedded().and_then(|library| library.theme("dark", Depth::True, Charset::Unicode)) else {
        return ExitCode::FAILURE;
    };
    let mut within = true;
    for Case {
        name,
        apps,
        budget,
        frames,
    } in cases()
    {
        for (width, height) in SIZES {
            let area = Rect::new(0, 0, width, height);
            let (mut shown, mut next) = (Buffer::empty(area), Buffer::empty(area));
            let mut out = Vec::new();
            let Ok(mut times) = Histogram::<u64>::new_with_bounds(1, 10_000_000_000, 3) else {
                return ExitCode::FAILURE;
            };
            // Two pictures in turn, so that there is something to encode.
            for frame in 0..frames {
                let begun = clock.now().mono;
                draw(&apps[frame % 2], &theme, area, &mut next);
                out.clear();
                let encoded = CrosstermBackend::new(&mut out).draw(shown.diff(&next).into_iter());
                std::mem::swap(&mut shown, &mut next);
                let took = clock.now().mono.saturating_sub(begun);
                if encoded.is_err() {
                    return ExitCode::FAILURE;
                }
                times.saturating_record(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
            }
            let at = |quantile: f64| Duration::from_nanos(times.value_at_quantile(quantile));
            let verdict = if at(0.99) <= budget { "within" } else { "OVER" };
            within &= at(0.99) <= budget;
            println!(
                "frame {name:<8} {width:>3}×{height:<3} p50 {:>9.3?}  p99 {:>9.3?}  {verdict} its budget of {budget:?}, {} bytes",
                at(0.5),
                at(0.99),
                out.len()
            );
        }
    }
    if within { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

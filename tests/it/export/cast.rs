//! A terminal emulator that is fed with a cast shows what the console draws.

use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use hookwatch::console::glyph::Charset;
use hookwatch::console::theme::colour::Depth;
use hookwatch::console::theme::{Library, Theme};
use hookwatch::export::shot::Shot;
use hookwatch::headless::export::frame_at;
use hookwatch::record::{Item, Recording};
use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier};
use serde_json::Value;

use super::{shipped, text};

fn theme(name: &str) -> Theme {
    let library = Library::embedded().unwrap();
    library.theme(name, Depth::True, Charset::Unicode).unwrap()
}

/// The times of the ticks, unix nanoseconds: each is a frame.
fn ticks(recording: &Arc<Recording>) -> Vec<u64> {
    let mut reader = recording.reader();
    let chunks = 0..recording.chunks().len();
    let items = chunks.flat_map(|chunk| reader.read(chunk).unwrap());
    items
        .filter_map(|(at, item)| matches!(item, Item::Tick(_)).then_some(at))
        .collect()
}

fn rgb(color: vt100::Color) -> Color {
    match color {
        vt100::Color::Default => Color::Reset,
        vt100::Color::Idx(index) => Color::Indexed(index),
        vt100::Color::Rgb(r, g, b) => Color::Rgb(r, g, b),
    }
}

fn nanoseconds(seconds: f64) -> u64 {
    u64::try_from(Duration::from_secs_f64(seconds).as_nanos()).unwrap()
}

#[track_caller]
fn same(screen: &vt100::Screen, frame: &Buffer, at: f64) {
    let area = frame.area;
    for y in 0..area.height {
        for x in 0..area.width {
            let (shown, drawn) = (screen.cell(y, x).unwrap(), &frame[(x, y)]);
            let symbol = if shown.has_contents() { shown.contents() } else { " " };
            assert_eq!(
                symbol,
                drawn.symbol(),
                "at {at} s, column {x}, row {y}:\n{}",
                screen.contents()
            );
            assert_eq!(rgb(shown.bgcolor()), drawn.bg, "at {at} s, column {x}, row {y}");
            if symbol != " " {
                assert_eq!(rgb(shown.fgcolor()), drawn.fg, "at {at} s, column {x}, row {y}");
                assert_eq!(shown.bold(), drawn.modifier.contains(Modifier::BOLD), "at {at} s");
            }
        }
    }
}

/// Plays a cast into a terminal emulator, and compares at every marker and at the end. Returns
/// how many markers there were.
fn play(name: &str, screen: &str, size: (u16, u16), look: &str, form: &str) -> usize {
    let path = shipped(name);
    let written = format!("{}x{}", size.0, size.1);
    let cast = text(
        &path,
        &["--as", form, "--size", &written, "--theme", look, "--screen", screen],
    );
    assert!(
        cast.ends_with("]\n") && !cast.contains("\n\n"),
        "one newline, no blank line"
    );
    let recording = Arc::new(Recording::open(&path).unwrap());
    let (ticks, theme, shot) = (ticks(&recording), theme(look), Shot::read(screen, &written).unwrap());
    let columns = NonZeroU16::new(size.0).unwrap();
    let mut terminal = vt100::Parser::new(NonZeroU16::new(size.1).unwrap(), columns, 0);
    let (mut markers, mut last, mut time) = (0, 0.0_f64, 0.0_f64);
    let events: Vec<Value> = cast
        .lines()
        .skip(1)
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    // The last frame stays for a second: so its first one is known, too.
    let length: f64 = match form {
        "cast" => events.last().unwrap()[0].as_f64().unwrap(),
        _ => events.iter().map(|event| event[0].as_f64().unwrap()).sum(),
    };
    let origin = ticks.last().unwrap() - nanoseconds(length - 1.0);
    for event in events {
        let told = event[0].as_f64().unwrap();
        time = if form == "cast" { told } else { time + told };
        assert!(time >= last, "times never go back");
        match event[1].as_str().unwrap() {
            "o" => terminal.process(event[2].as_str().unwrap().as_bytes()),
            "m" => {
                // The frame that is on screen is that of the last tick.
                let now = origin + nanoseconds(time + 1e-5);
                let at = ticks.iter().copied().rfind(|tick| *tick <= now).unwrap();
                let (frame, missing) = frame_at(&recording, at, &theme, shot).unwrap();
                assert!(missing.is_empty());
                same(terminal.screen(), &frame, time);
                markers += 1;
            }
            other => panic!("{other}"),
        }
        last = time;
    }
    let (frame, _) = frame_at(&recording, *ticks.last().unwrap(), &theme, shot).unwrap();
    same(terminal.screen(), &frame, last);
    assert!(!terminal.screen().hide_cursor(), "the cursor is given back");
    markers
}

#[test]
fn at_every_marker_a_terminal_shows_exactly_what_the_console_draws() {
    assert!(play("database-outage", "overview", (120, 40), "dark", "cast") >= 2);
    assert!(play("database-outage", "events", (80, 24), "light", "cast3") >= 2);
    play("poison", "queues", (60, 16), "high-contrast", "cast");
}

#[test]
fn a_header_says_size_title_time_and_colours() {
    let cast = text(
        &shipped("steady"),
        &["--as", "cast", "--size", "100x30", "--theme", "light"],
    );
    let header: Value = serde_json::from_str(cast.lines().next().unwrap()).unwrap();
    assert_eq!(
        (&header["version"], &header["width"], &header["height"]),
        (&2.into(), &100.into(), &30.into())
    );
    assert_eq!(header["title"], "hookwatch: demo");
    assert!(header["timestamp"].as_i64().unwrap() > 1_700_000_000);
    assert_eq!(header["theme"]["palette"].as_str().unwrap().split(':').count(), 16);
    let cast = text(&shipped("steady"), &["--as", "cast3", "--from", "10s", "--to", "20s"]);
    let header: Value = serde_json::from_str(cast.lines().next().unwrap()).unwrap();
    assert_eq!((&header["version"], &header["term"]["cols"]), (&3.into(), &120.into()));
}

#[test]
fn a_part_of_a_cast_begins_with_a_whole_screen_at_zero_and_a_faster_one_is_shorter() {
    let last = |arguments: &[&str]| {
        let cast = text(&shipped("steady"), arguments);
        let events: Vec<Value> = cast
            .lines()
            .skip(1)
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(events[0][0].as_f64(), Some(0.0));
        assert!(events[0][2].as_str().unwrap().contains("PLAYBACK"));
        events.last().unwrap()[0].as_f64().unwrap()
    };
    let plain = last(&["--as", "cast", "--from", "10s", "--to", "30s"]);
    let fast = last(&["--as", "cast", "--from", "10s", "--to", "30s", "--speed", "4x"]);
    assert!((18.0..=21.5).contains(&plain), "{plain}");
    assert!(((plain - 1.0) / 4.0 - (fast - 1.0)).abs() < 0.01, "{plain} {fast}");
}

//! Under the screen while the past is on it: the whole of it at a glance, where one stands in it,
//! how it is played; and the captions of markers that are passed.

use ratatui::layout::Rect;

use super::{Scene, Spot, Stage};
use crate::base::text;
use crate::console::command::Command;
use crate::console::glyph::Glyphs;
use crate::console::player::{Cell, Player, length};
use crate::console::theme::Role;
use crate::console::widget::{Line, chart, span, tidy};

/// From this height of the screen on, marks have a row of their own.
const TALL: u16 = 30;

/// Rows that it takes.
#[must_use]
pub fn height(scene: &Scene<'_>, screen: u16) -> u16 {
    match scene.player {
        None => 0,
        Some(_) if screen < TALL => 2,
        Some(_) => 3,
    }
}

/// Draws it: marks, load, and a line in words.
pub fn draw(scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect) {
    let Some(player) = scene.player.filter(|_| area.height >= 2) else {
        return;
    };
    let plot = Rect::new(
        area.left() + 1,
        area.top(),
        area.width.saturating_sub(2),
        area.height - 1,
    );
    let load = plot.bottom() - 1;
    let glyphs = stage.canvas.glyphs();
    let cells = player.reel.strip(plot.width);
    let here = player.reel.column(player.position, plot.width);
    let ceiling = cells.iter().filter_map(|cell| cell.load).fold(0.0, f32::max);
    let values: Vec<Option<f32>> = cells.iter().map(|cell| cell.load).collect();
    let blocks = chart::sparkline(&values, plot.width, ceiling, &glyphs.levels);
    for ((column, cell), block) in (0..plot.width).zip(&cells).zip(blocks.chars()) {
        let x = plot.left() + column;
        let (glyph, role) = match (cell.gap, column <= here) {
            (true, _) => (glyphs.hatch, Role::ChartAxis),
            (false, true) => (block, Role::Sparkline),
            (false, false) => (block, Role::ChartAxis),
        };
        stage.canvas.glyph(x, load, glyph, role);
        if cell.seam {
            for y in plot.top()..plot.bottom() {
                stage.canvas.glyph(x, y, glyphs.seam, Role::Note);
            }
        }
        if column == here {
            for y in plot.top()..plot.bottom() {
                stage.canvas.glyph(x, y, glyphs.marker.1, Role::Marker);
            }
        }
        // Where there is one row only, what stands out is worth more than the load there.
        if let Some((glyph, role)) = mark(cell, glyphs) {
            stage.canvas.glyph(x, plot.top(), glyph, role);
        }
    }
    stage.hits.strip = Some(plot);
    stage.hits.spots.push((plot, Spot::Strip));
    words(
        scene,
        player,
        stage,
        Rect::new(area.left(), area.bottom() - 1, area.width, 1),
    );
}

/// What stands out in a column: a marker before an alert before an action.
fn mark(cell: &Cell, glyphs: &Glyphs) -> Option<(char, Role)> {
    if cell.marker {
        Some((glyphs.flag, Role::Accent))
    } else if cell.alert {
        Some((glyphs.warning, Role::Warning))
    } else if cell.action {
        Some((glyphs.action, Role::Info))
    } else {
        None
    }
}

fn words(scene: &Scene<'_>, player: &Player, stage: &mut Stage<'_>, area: Rect) {
    let glyphs = stage.canvas.glyphs();
    let (glyph, word, role) = match (player.seeking, player.playing) {
        (true, _) => (glyphs.connecting, "seeking", Role::Info),
        (false, true) => (glyphs.arrow.1, "playing", Role::Ok),
        (false, false) => (glyphs.pause, "paused", Role::Warning),
    };
    let room = area.width.saturating_sub(2);
    let how = [
        span(format!("{glyph} {word:<7} "), role),
        span(player.speed, Role::Strong),
    ];
    let used = stage.canvas.line(area.left() + 1, area.top(), room, &how);
    let button = Rect::new(area.left() + 1, area.top(), used, 1);
    stage.hits.spots.push((button, Spot::Command(Command::PlayPause)));
    let place = [
        span(length(player.position), Role::Strong),
        span(format!(" / {}", length(player.reel.length)), Role::Dim),
    ];
    let x = area.left() + used + 4;
    let used = used + 4 + stage.canvas.line(x, area.top(), room.saturating_sub(used + 3), &place);
    // What does not fit is left out from the end.
    let mut notes = notes(scene, player, glyphs);
    let free = room.saturating_sub(used + 3);
    while notes.iter().map(|note| stage.canvas.width(note) + 3).sum::<u16>() > free + 3 && notes.pop().is_some() {}
    let line: Line<'_> = notes
        .into_iter()
        .rev()
        .enumerate()
        .flat_map(|(number, note)| {
            let air = if number == 0 { "" } else { "   " };
            std::iter::once(span(air, Role::Text)).chain(note)
        })
        .collect();
    stage
        .canvas
        .line_right(area.left() + 1 + used, area.top(), room.saturating_sub(used), &line);
}

/// What else is to be said, what matters most first.
fn notes<'a>(scene: &Scene<'a>, player: &'a Player, glyphs: &Glyphs) -> Vec<Line<'a>> {
    let reel = &player.reel;
    let mut notes: Vec<Line<'a>> = Vec::new();
    if !reel.missing.is_empty() {
        let what = if reel.missing.len() == 1 {
            "part is"
        } else {
            "parts are"
        };
        let text = format!("{} {} {what} missing", glyphs.warning, reel.missing.len());
        notes.push(vec![span(text, Role::Warning)]);
    }
    if let Some(since) = player.since {
        let clock = scene.zone().clock(since);
        notes.push(vec![span(format!("totals since {clock}"), Role::Info)]);
    }
    let flags = [(player.looping, "loop"), (player.ramp, "idle ramp")];
    notes.extend(
        flags
            .iter()
            .filter(|(on, _)| *on)
            .map(|(_, name)| vec![span(*name, Role::Accent)]),
    );
    for (glyph, role, count) in [
        (glyphs.warning, Role::Warning, reel.alerts.len()),
        (glyphs.flag, Role::Accent, reel.markers.len()),
        (glyphs.action, Role::Info, reel.actions.len()),
    ] {
        if count > 0 {
            let count = text::count(count as u64);
            notes.push(vec![span(format!("{glyph} "), role), span(count, Role::Dim)]);
        }
    }
    if !reel.name.is_empty() {
        notes.push(vec![span(tidy(&reel.name, 40), Role::Dim)]);
    }
    notes
}

/// Draws the caption of the marker that was passed last.
pub fn caption(scene: &Scene<'_>, stage: &mut Stage<'_>, body: Rect) {
    let Some(mark) = scene.player.and_then(Player::caption) else {
        return;
    };
    let glyphs = stage.canvas.glyphs();
    let most = usize::from(body.width.saturating_sub(12));
    let text = format!("  {} {}  ", glyphs.flag, tidy(&mark.text, most));
    let width = stage.canvas.text_width(&text);
    let x = body.left() + body.width.saturating_sub(width) / 2;
    stage
        .canvas
        .put(x, body.bottom().saturating_sub(2), width, &text, Role::Badge);
}

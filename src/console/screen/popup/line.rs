//! What is typed in place of the key line: filter, palette, a marker's text.

use std::time::Duration;

use ratatui::layout::Rect;

use super::super::{PanelId, Scene, Spot, Stage};
use crate::console::bench::Field;
use crate::console::palette::{Palette, complete};
use crate::console::theme::Role;
use crate::console::widget::grid::passing;
use crate::console::widget::input::Input;
use crate::console::widget::{Frame, span};

/// Completions that are offered at most.
pub(super) const OFFERED: usize = 12;

/// Draws a filter while it is typed.
pub(super) fn filter(scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect, panel: PanelId, input: &Input) {
    let count = scene.rows(panel).map_or_else(String::new, |rows| {
        if rows.arranged().is_some() {
            return "also provider=  reason=  since=2h  match=$.a=1".to_owned();
        }
        let shown = passing(&*rows, scene.ui.grid(panel)).len();
        format!("{shown} of {}", rows.count())
    });
    prompt(stage, area, "/ ", input, &format!("{count}   enter keeps  esc clears"));
}

/// Draws a marker's text while it is typed, and which moment it marks.
pub(super) fn note(scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect, at: Option<Duration>, input: &Input) {
    let moment = match (scene.player, at) {
        (Some(player), Some(at)) => player.reel.moment(at),
        _ => scene.now.at,
    };
    let note = format!("marks {}   enter keeps  esc closes", scene.zone().clock(moment));
    prompt(stage, area, "marker ", input, &note);
}

/// Says what may be typed into a field of the form, or why it was refused. Where the field itself
/// is not on screen, it is typed here.
pub(super) fn field(stage: &mut Stage<'_>, area: Rect, field: &Field, problem: Option<&str>, input: &Input) {
    let told = problem.unwrap_or(field.help());
    if stage.cursor.is_none() {
        return prompt(stage, area, &format!("{}: ", field.name()), input, told);
    }
    stage.canvas.clear(area);
    stage.canvas.fill(area, Role::Raised);
    let (x, y, room) = (area.left() + 1, area.top(), area.width.saturating_sub(2));
    let keys = [
        span("enter", Role::Key),
        span(" keeps   ", Role::Text),
        span("esc", Role::Key),
        span(" leaves it", Role::Text),
    ];
    let at = stage.canvas.line_right(x, y, room, &keys);
    let role = if problem.is_some() { Role::Warning } else { Role::Dim };
    stage.canvas.put(x, y, (at - x).saturating_sub(2), told, role);
}

fn prompt(stage: &mut Stage<'_>, area: Rect, prompt: &str, input: &Input, note: &str) {
    stage.canvas.clear(area);
    stage.canvas.fill(area, Role::Raised);
    let room = area.width.saturating_sub(2);
    let note = [span(note, Role::Dim)];
    let size = stage.canvas.width(&note);
    let room = if size + 24 < room {
        stage.canvas.line_right(area.left() + 1, area.top(), room, &note);
        room - size - 2
    } else {
        room
    };
    let cursor = input.draw(&mut stage.canvas, area.left() + 1, area.top(), room, prompt);
    stage.cursor = Some(cursor);
}

/// Draws the palette: what is typed in the key line, what could be meant above it.
pub(super) fn palette(scene: &Scene<'_>, stage: &mut Stage<'_>, body: Rect, area: Rect, palette: &Palette) {
    let most = OFFERED.min(usize::from(body.height.saturating_sub(2)));
    let offered = complete(palette.input.text(), &scene.choices(), most);
    let width = body.width.min(84);
    let height = u16::try_from(offered.len()).unwrap_or(0) + 2;
    let place = Rect::new(body.left(), body.bottom().saturating_sub(height), width, height);
    stage.hits.spots.push((body, Spot::Layer));
    if !offered.is_empty() {
        stage.canvas.clear(place);
        let frame = Frame {
            title: "Commands",
            note: vec![span("tab completes, enter runs", Role::Note)],
            focused: true,
            tone: None,
        };
        let inner = frame.draw(&mut stage.canvas, place);
        for (number, (completion, y)) in offered.iter().zip(inner.top()..inner.bottom()).enumerate() {
            let row = Rect::new(place.left() + 1, y, place.width - 2, 1);
            if palette.at == Some(number) {
                stage.canvas.fill(row, Role::Selection);
                let marker = stage.canvas.glyphs().marker.0;
                stage.canvas.glyph(row.left(), y, marker, Role::Marker);
            }
            let keys = scene.keymap.keys(completion.command).next();
            let key = keys.map_or_else(String::new, |key| key.to_string());
            let doc = completion.command.doc();
            stage.canvas.put(inner.left(), y, 24, &completion.line, Role::Strong);
            stage.canvas.put(inner.left() + 25, y, 10, &key, Role::Key);
            let room = inner.width.saturating_sub(36);
            stage.canvas.put(inner.left() + 36, y, room, doc, Role::Dim);
            stage.hits.spots.push((row, Spot::Choice(number)));
        }
    }
    prompt(stage, area, ": ", &palette.input, "enter runs  esc closes");
}

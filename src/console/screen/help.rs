//! The help: every command of this screen, from the command table.

use ratatui::layout::Rect;

use super::{PanelHit, PanelId, Scene, Spot, Stage};
use crate::console::command::{Chapter, Command};
use crate::console::theme::Role;
use crate::console::widget::{Frame, Line, scroll_bar, span, wrap};

/// Widest and highest that it gets.
const MOST: (u16, u16) = (84, 44);

/// Columns for the keys.
const KEYS: u16 = 16;

/// Draws it over the screen.
pub fn draw(scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect) {
    let width = if area.width < MOST.0 + 6 { area.width } else { MOST.0 };
    let lines = lines(scene, width.saturating_sub(KEYS + 8));
    let content = u16::try_from(lines.len()).unwrap_or(u16::MAX);
    let height = area.height.min(MOST.1).min(content.saturating_add(2));
    let frame = Rect::new(
        area.left() + (area.width - width) / 2,
        area.top() + (area.height - height) / 2,
        width,
        height,
    );
    stage.canvas.clear(frame);
    let title = format!("Keys of {}", scene.ui.screen().title());
    let panel = Frame {
        title: &title,
        note: vec![span("? or esc closes", Role::Note)],
        focused: true,
        tone: None,
    };
    let inner = panel.draw(&mut stage.canvas, frame);
    let visible = usize::from(inner.height);
    let offset = scene.ui.help().unwrap_or(0).min(lines.len().saturating_sub(visible));
    for (line, y) in lines.iter().skip(offset).zip(inner.top()..inner.bottom()) {
        stage.canvas.line(inner.left(), y, inner.width, line);
    }
    scroll_bar(&mut stage.canvas, frame, true, lines.len(), visible, offset);
    stage.hits.spots.push((area, Spot::Layer));
    stage.hits.popup = Some(PanelHit {
        rows: lines.len(),
        visible,
        first: offset,
        ..PanelHit::new(PanelId("help"))
    });
}

fn lines(scene: &Scene<'_>, width: u16) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    for chapter in Chapter::ALL {
        let commands: Vec<Command> = Command::ALL
            .iter()
            .filter(|command| command.chapter() == chapter && command.applies(scene.ui.screen()))
            .filter(|command| command.fits(scene.mode()))
            .copied()
            .collect();
        let entries = commands
            .chunk_by(|a, b| a.does_the_same(*b))
            .map(|group| (scene.keymap.written(group, "  "), group[0].doc()));
        section(&mut lines, chapter.title(), entries, width);
    }
    let mouse = [
        (
            "click",
            "Focuses a panel, selects a row, sorts by a heading; runs a command of the key line.",
        ),
        ("double click", "Opens a row."),
        ("wheel", "Scrolls the panel under the pointer."),
        ("drag", "Selects a span of time on a chart; esc shows all again."),
    ];
    section(
        &mut lines,
        "Mouse",
        mouse.map(|(what, does)| (what.to_owned(), does)).into_iter(),
        width,
    );
    lines
}

fn section(
    lines: &mut Vec<Line<'static>>,
    title: &'static str,
    entries: impl Iterator<Item = (String, &'static str)>,
    width: u16,
) {
    let mut entries = entries.peekable();
    if entries.peek().is_none() {
        return;
    }
    if !lines.is_empty() {
        lines.push(Line::new());
    }
    lines.push(vec![span(title, Role::Strong)]);
    let keys = usize::from(KEYS);
    for (left, doc) in entries {
        for (number, row) in wrap(doc, width, 3).into_iter().enumerate() {
            let left = if number == 0 { left.as_str() } else { "" };
            lines.push(vec![span(format!("  {left:<keys$}"), Role::Key), span(row, Role::Text)]);
        }
    }
}

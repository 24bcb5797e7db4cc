//! The help: every command of this screen, from the command table.

use ratatui::layout::Rect;

use super::{PanelHit, PanelId, Scene, Spot, Stage};
use crate::console::command::{Chapter, Command};
use crate::console::theme::Role;
use crate::console::widget::{Frame, Line, scroll_bar, span};

/// Widest and highest that it gets.
const MOST: (u16, u16) = (84, 44);

/// Columns for the keys.
const KEYS: usize = 16;

/// Draws it over the screen.
pub fn draw(scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect) {
    let lines = lines(scene);
    let content = u16::try_from(lines.len()).unwrap_or(u16::MAX);
    let width = area.width.saturating_sub(4).min(MOST.0);
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
    scroll_bar(&mut stage.canvas, frame, lines.len(), visible, offset);
    // What lies beneath is out of reach until it closes.
    stage.hits.spots.retain(|(_, spot)| !matches!(spot, Spot::Panel(_)));
    stage.hits.help = Some(PanelHit {
        id: PanelId("help"),
        rows: lines.len(),
        visible,
    });
}

fn lines(scene: &Scene<'_>) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    for chapter in Chapter::ALL {
        let commands: Vec<Command> = Command::ALL
            .iter()
            .copied()
            .filter(|command| command.chapter() == chapter && command.applies(scene.ui.screen()))
            .collect();
        if commands.is_empty() {
            continue;
        }
        if !lines.is_empty() {
            lines.push(Line::new());
        }
        lines.push(vec![span(chapter.title(), Role::Strong)]);
        for command in commands {
            let keys: Vec<String> = scene.keymap.keys(command).map(|chord| chord.to_string()).collect();
            let keys = if keys.is_empty() {
                "–".to_owned()
            } else {
                keys.join("  ")
            };
            lines.push(vec![
                span(format!("  {keys:<KEYS$}"), Role::Key),
                span(command.doc(), Role::Text),
            ]);
        }
    }
    lines.push(Line::new());
    lines.push(vec![span("Mouse", Role::Strong)]);
    for (what, does) in [
        ("click", "Focuses a panel; runs a command of the key line."),
        ("wheel", "Scrolls the panel under the pointer."),
    ] {
        lines.push(vec![
            span(format!("  {what:<KEYS$}"), Role::Key),
            span(does, Role::Text),
        ]);
    }
    lines
}

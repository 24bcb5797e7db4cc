//! The console as it is drawn: what is always there, the screen between, what lies over it.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::App;
use crate::console::screen::{Hits, Stage, lanes, pages, popup, status, strip};
use crate::console::theme::{Role, Theme};

/// The smallest screen that can be drawn, columns and rows.
pub const SMALLEST: (u16, u16) = (60, 16);

/// What was drawn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drawn {
    /// What is where.
    pub hits: Hits,
    /// Where the cursor stands, where text is typed.
    pub cursor: Option<Position>,
}

/// Draws the console. Changes nothing: what it found out is in its answer.
pub fn draw(app: &App, theme: &Theme, area: Rect, buffer: &mut Buffer) -> Drawn {
    let mut stage = Stage::new(buffer, theme);
    stage.canvas.clear(area);
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        too_small(&mut stage, area);
        return Drawn::default();
    }
    let scene = app.scene();
    stage.hits.bare = app.ui.layers.is_empty().then_some(app.ui.screen);
    let row = |y: u16| Rect::new(area.left(), y, area.width, 1);
    status::status_line(&scene, &mut stage, row(area.top()));
    status::key_line(&scene, &mut stage, row(area.bottom() - 1));
    let lanes = lanes::height(&scene, area.height);
    let below = area.top() + 1 + lanes;
    let fleet = Rect::new(area.left(), area.top() + 1, area.width, lanes);
    lanes::draw(&scene, &mut stage, fleet, area.height);
    let most = usize::from((area.height / 6).clamp(2, 6));
    let alerts = status::alerts(&scene, stage.canvas.glyphs(), area.width - 2, most);
    for (line, y) in alerts.iter().zip(below..) {
        stage.canvas.line(area.left() + 1, y, area.width - 2, line);
    }
    let above = 1 + lanes + u16::try_from(alerts.len()).unwrap_or(0);
    let under = strip::height(&scene, area.height);
    let body = Rect::new(
        area.left(),
        area.top() + above,
        area.width,
        area.height - above - under - 1,
    );
    if scene.player.is_some_and(|player| player.seeking) && scene.view.sources.is_empty() {
        // Nothing was shown yet: that is no empty pipeline.
        stage.hint(body, "Working out the figures of this moment …");
    } else {
        pages::draw(&scene, &mut stage, body);
    }
    strip::draw(
        &scene,
        &mut stage,
        Rect::new(area.left(), body.bottom(), area.width, under),
    );
    strip::caption(&scene, &mut stage, body);
    popup::draw(&scene, &mut stage, body, row(area.bottom() - 1));
    Drawn {
        hits: stage.hits,
        cursor: stage.cursor,
    }
}

fn too_small(stage: &mut Stage<'_>, area: Rect) {
    let (width, height) = SMALLEST;
    let rows = [
        ("hookwatch".to_owned(), Role::Accent),
        (format!("needs {width}×{height}"), Role::Text),
        (format!("this is {}×{}", area.width, area.height), Role::Dim),
    ];
    let top = area.top() + area.height.saturating_sub(3) / 2;
    for ((text, role), y) in rows.iter().zip(top..area.bottom()) {
        let size = stage.canvas.text_width(text);
        stage.canvas.put(
            area.left() + area.width.saturating_sub(size) / 2,
            y,
            area.width,
            text,
            *role,
        );
    }
}

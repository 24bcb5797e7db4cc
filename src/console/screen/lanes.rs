//! Under the status line, where several profiles are watched: a line for each. It always shows
//! now, whatever the screens below show of the one profile that fills them.

use ratatui::layout::Rect;

use super::{Scene, Spot, Stage, status};
use crate::base::text;
use crate::console::command::Command;
use crate::console::fleet::{Fleet, Lane, Standing};
use crate::console::glyph::Glyphs;
use crate::console::theme::Role;
use crate::console::widget::table::{Align, Cell, Column, arrange};
use crate::console::widget::{Line, figure, span, tidy};
use crate::model::field::Unit;

/// From this height of the screen on, the lines have a heading.
const TALL: u16 = 22;

/// A line for each takes at most one row in so many of the screen.
const SHARE: u16 = 6;

const COLUMNS: [Column; 8] = [
    Column::text("state", 12, 0),
    Column::text("profile", 12, 0),
    Column::number("received", 8, 3),
    Column::number("processed", 9, 2),
    Column::number("backlog", 8, 0),
    Column::number("dead", 5, 2),
    Column {
        rank: 1,
        ..Column::name("sources", 12)
    },
    Column {
        rank: 4,
        ..Column::name("verdict", 20)
    },
];

/// Rows of lines that there is room for.
fn rows(fleet: &Fleet, screen: u16) -> u16 {
    let most = (screen / SHARE).clamp(2, 10);
    u16::try_from(fleet.lanes.len()).unwrap_or(u16::MAX).min(most)
}

/// Rows that it takes.
#[must_use]
pub fn height(scene: &Scene<'_>, screen: u16) -> u16 {
    scene
        .fleet
        .map_or(0, |fleet| rows(fleet, screen) + u16::from(screen >= TALL))
}

/// Draws it on a screen of that height: a heading where there is room, a line for each profile,
/// and what there is no room for.
pub fn draw(scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect, screen: u16) {
    let Some(fleet) = scene.fleet.filter(|_| area.height > 0) else {
        return;
    };
    let mut area = area;
    let inner = Rect::new(area.left() + 1, area.top(), area.width.saturating_sub(2), area.height);
    let places = arrange(&COLUMNS, inner.width);
    if screen >= TALL {
        heading(scene, stage, inner, &places);
        area = Rect::new(area.left(), area.top() + 1, area.width, area.height - 1);
    }
    let room = usize::from(area.height);
    let told = if fleet.lanes.len() > room {
        room.saturating_sub(1).max(1)
    } else {
        room
    };
    let chosen = fleet.chosen(told);
    for (index, y) in chosen.iter().zip(area.top()..) {
        let row = Rect::new(area.left(), y, area.width, 1);
        row_of(fleet, *index, stage, row, &places);
        stage.hits.spots.push((row, Spot::Lane(*index)));
    }
    if chosen.len() < fleet.lanes.len() && room > 1 {
        let row = Rect::new(inner.left(), area.bottom() - 1, inner.width, 1);
        left_out(fleet, &chosen, stage, row);
    }
}

fn heading(scene: &Scene<'_>, stage: &mut Stage<'_>, inner: Rect, places: &[(usize, u16, u16)]) {
    for (index, x, width) in places {
        let column = COLUMNS[*index];
        // What is below may be over; these lines are not.
        let title = match column.title {
            "state" if scene.player.is_some() => "now",
            title => title,
        };
        let line = vec![span(title, Role::Heading)];
        align(stage, column.align, inner.left() + x, inner.top(), *width, &line);
    }
}

fn align(stage: &mut Stage<'_>, align: Align, x: u16, y: u16, width: u16, line: &Line<'_>) {
    match align {
        Align::Left => stage.canvas.line(x, y, width, line),
        Align::Right => stage.canvas.line_right(x, y, width, line),
    };
}

fn row_of(fleet: &Fleet, index: usize, stage: &mut Stage<'_>, row: Rect, places: &[(usize, u16, u16)]) {
    let here = index == fleet.here;
    if here {
        stage.canvas.fill(row, Role::Selection);
    }
    let glyphs = stage.canvas.glyphs();
    let profile = &fleet.lanes[index];
    for (column, x, width) in places {
        let line = match cell(profile, *column, glyphs) {
            Cell::Text(line) => line,
            Cell::Figure(reading, unit, role) => figure::fitting(reading, unit, role, *width),
        };
        let align_as = COLUMNS[*column].align;
        align(stage, align_as, row.left() + 1 + x, row.top(), *width, &line);
    }
    if here {
        stage.canvas.glyph(row.left(), row.top(), glyphs.under, Role::Marker);
    }
}

fn cell<'a>(profile: &'a Lane, column: usize, glyphs: &Glyphs) -> Cell<'a> {
    let text = Role::Text;
    match column {
        0 => {
            let (glyph, role) = standing(profile.standing, glyphs);
            Cell::Text(vec![
                span(format!("{glyph} "), role),
                span(profile.standing.word(), role),
            ])
        }
        1 => {
            let role = if profile.protected { Role::Strong } else { text };
            Cell::Text(vec![span(&*profile.name, role)])
        }
        2 => Cell::Figure(&profile.received, Unit::PerSecond, text),
        3 => Cell::Figure(&profile.processed, Unit::PerSecond, text),
        4 => Cell::Figure(&profile.backlog, Unit::Count, text),
        5 => Cell::Figure(&profile.dead, Unit::Count, text),
        6 => Cell::Text(sources(profile, glyphs)),
        _ => {
            let mut line = vec![span(tidy(&profile.told, 120), text)];
            if profile.more > 0 {
                line.insert(0, span(format!("+{}  ", profile.more), Role::Dim));
            }
            Cell::Text(line)
        }
    }
}

/// The glyph and role of how a profile is.
fn standing(standing: Standing, glyphs: &Glyphs) -> (char, Role) {
    match standing {
        Standing::Ok => (glyphs.ok, Role::Ok),
        Standing::Connecting => (glyphs.connecting, Role::Info),
        Standing::Warning => (glyphs.warning, Role::Warning),
        Standing::Unknown => (glyphs.stale, Role::Warning),
        Standing::Critical => (glyphs.critical, Role::Critical),
    }
}

/// `● 5/5`, and which do not answer: `✖ 3/5 nats`.
fn sources(profile: &Lane, glyphs: &Glyphs) -> Line<'static> {
    let sources = &profile.sources;
    let Some(worst) = sources.worst else {
        return vec![span(text::UNKNOWN, Role::Unknown)];
    };
    let (glyph, role, _) = status::health(worst, glyphs);
    let mut line = vec![
        span(format!("{glyph} "), role),
        span(format!("{}/{}", sources.fresh, sources.all), Role::Dim),
    ];
    let kinds: Vec<&str> = sources.kinds.iter().map(|kind| status::kind_name(*kind)).collect();
    if !kinds.is_empty() {
        line.push(span(format!(" {}", kinds.join(" ")), role));
    }
    line
}

/// How many lines there is no room for, and how the worst of them is.
fn left_out(fleet: &Fleet, chosen: &[usize], stage: &mut Stage<'_>, row: Rect) {
    let rest = || (0..fleet.lanes.len()).filter(|index| !chosen.contains(index));
    let Some(worst) = rest().map(|index| fleet.lanes[index].standing).max() else {
        return;
    };
    let glyphs = stage.canvas.glyphs();
    let (glyph, role) = standing(worst, glyphs);
    let alike = rest().filter(|index| fleet.lanes[*index].standing == worst).count();
    let line = [
        span(format!("{glyph} "), role),
        span(format!("{} more: ", rest().count()), Role::Dim),
        span(format!("{alike} {}", worst.word()), role),
    ];
    let used = stage.canvas.line(row.left(), row.top(), row.width, &line);
    // A click goes on to the next one, as its key does.
    let spot = Rect::new(row.left(), row.top(), used, 1);
    stage.hits.spots.push((spot, Spot::Command(Command::NextProfile)));
}

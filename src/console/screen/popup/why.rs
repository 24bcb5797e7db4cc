//! Why this number: where it is from, how old it is, how it is worked out.

use ratatui::layout::Rect;

use super::super::{Scene, Stage};
use super::sheet::Sheet;
use crate::base::text;
use crate::base::time::since;
use crate::console::layer::Why;
use crate::console::theme::Role;
use crate::console::widget::grid::Value;
use crate::console::widget::{Line, figure, span, tidy, wrap};
use crate::model::field::{Field, Unit};
use crate::model::{Reading, ReadingState, SeriesKey};

/// Seconds of the history that are shown.
const RECENT: usize = 10;

/// Draws what is known of a figure, or of every figure of a panel.
pub(super) fn draw(scene: &Scene<'_>, stage: &mut Stage<'_>, body: Rect, why: &Why) {
    let sheet = Sheet {
        title: "Why this number",
        note: "esc closes",
        width: 90,
        first: why.scroll,
    };
    let room = sheet.room(body);
    let mut lines = Vec::new();
    match &why.cell {
        Some((key, column)) => cell(scene, why, key, *column, room, &mut lines),
        None => {
            let figures = scene.ui.screen().page().figures(*scene, why.panel);
            for (number, (field, reading)) in figures.into_iter().enumerate() {
                if number > 0 {
                    lines.push(Line::new());
                }
                explain(scene, field, reading, None, room, &mut lines);
            }
        }
    }
    if lines.is_empty() {
        lines.push(vec![span("There is no figure here.", Role::Dim)]);
    }
    sheet.draw(stage, body, &lines);
}

fn cell(scene: &Scene<'_>, why: &Why, key: &str, column: usize, room: u16, lines: &mut Vec<Line<'static>>) {
    let Some(rows) = scene.rows(why.panel) else { return };
    let Some(row) = (0..rows.count()).find(|row| rows.key(*row) == key) else {
        lines.push(vec![span("Its row is gone.", Role::Dim)]);
        return;
    };
    let title = rows.columns().get(column).map_or("", |column| column.title);
    match rows.value(row, column) {
        Value::Figure(reading, field) => explain(scene, field, reading, Some(key), room, lines),
        Value::Text(value) => {
            lines.push(vec![
                span(title, Role::Strong),
                span(format!(" of {}", tidy(key, 60)), Role::Dim),
            ]);
            lines.extend(
                wrap(&value, room, 20)
                    .into_iter()
                    .map(|row| vec![span(row, Role::Text)]),
            );
        }
        Value::Number(value, unit) => {
            lines.push(vec![
                span(title, Role::Strong),
                span(format!("  {}", unit.format(value)), Role::Text),
            ]);
        }
        Value::At(at) => lines.push(vec![span(title, Role::Strong), span(format!("  {at}"), Role::Text)]),
        Value::Unknown => lines.push(vec![span(title, Role::Strong), span("  not known", Role::Unknown)]),
    }
}

/// One figure: its name and value, then a row each for what is known about it.
fn explain(
    scene: &Scene<'_>,
    field: Field,
    reading: &Reading,
    subject: Option<&str>,
    room: u16,
    lines: &mut Vec<Line<'static>>,
) {
    let mut head = vec![span(format!("{}  ", field.label()), Role::Strong)];
    head.extend(figure::figure(reading, field.unit(), Role::Accent));
    if let Some(subject) = subject {
        head.push(span(format!("   {}", tidy(subject, 48)), Role::Dim));
    }
    lines.push(head);
    let mut fact = |label: &str, value: &str, role: Role| {
        for (number, row) in wrap(value, room.saturating_sub(10).max(8), 4).into_iter().enumerate() {
            let label = if number == 0 { label } else { "" };
            lines.push(vec![span(format!("  {label:<8}"), Role::Dim), span(row, role)]);
        }
    };
    fact("means", field.meaning(), Role::Text);
    fact("formula", field.formula(), Role::Text);
    if let Some(value) = reading.value {
        fact("exact", &exact(value, field.unit()), Role::Text);
    }
    let (state, role) = match reading.state {
        ReadingState::Fresh => ("fresh: younger than three periods of its source", Role::Ok),
        ReadingState::Stale => ("stale: its source has not answered since", Role::Stale),
        ReadingState::AtMost => ("a bound: at most this", Role::Info),
        ReadingState::Unknown => ("unknown: no source, or not enough samples", Role::Unknown),
    };
    fact("state", state, role);
    if let Some(source) = &reading.source {
        let kind = format!("{:?}", source.kind).to_lowercase();
        fact("source", &format!("{kind}, {}", tidy(&source.name, 60)), Role::Text);
    }
    if let Some(at) = reading.at {
        let age = text::duration(since(at, scene.view.now.at));
        fact("taken", &format!("{at}, {age} ago"), Role::Text);
    }
    let key = subject.map_or_else(|| SeriesKey::of(field), |subject| SeriesKey::about(field, subject));
    let span_of = std::time::Duration::from_secs(RECENT as u64);
    let recent = scene.histories.window(&key, scene.view.now, span_of, RECENT);
    if recent.iter().any(Option::is_some) {
        let values: Vec<String> = recent
            .into_iter()
            .map(|value| value.map_or_else(|| text::UNKNOWN.to_owned(), |value| text::compact(f64::from(value))))
            .collect();
        fact(
            "recent",
            &format!("{}  (one a second, newest last)", values.join("  ")),
            Role::Text,
        );
    }
}

/// The value as it is, in the SI unit.
fn exact(value: f64, unit: Unit) -> String {
    let unit = match unit {
        Unit::Count => "",
        Unit::PerSecond => " per second",
        Unit::PerMinute => " per minute",
        Unit::Seconds => " seconds",
        Unit::Ratio => " of 1",
        Unit::Bytes => " bytes",
    };
    format!("{value}{unit}")
}

//! What was fired in this session, latest first.

use std::borrow::Cow;

use ratatui::layout::Rect;

use super::super::{Scene, Stage};
use super::parts::{HISTORY, load_text};
use super::timeline;
use crate::act::firing::{Ended, Fired};
use crate::base::text;
use crate::console::bench::Bench;
use crate::console::glyph::Glyphs;
use crate::console::theme::Role;
use crate::console::widget::grid::{Rows, Value, plain};
use crate::console::widget::table::{Cell, Column};
use crate::console::widget::{Frame, Line, span};
use crate::model::field::Unit;

const COLUMNS: [Column; 8] = [
    Column::text("fired", 8, 0),
    Column::text("outcome", 17, 0),
    Column {
        grows: true,
        ..Column::text("template", 20, 0)
    },
    Column::text("how", 20, 2),
    Column::number("sent", 9, 3),
    Column::number("p99", 8, 4),
    Column::number("took", 8, 1),
    Column::text("target", 40, 5),
];

/// Every run.
pub(super) struct Runs<'a> {
    pub(super) scene: Scene<'a>,
}

impl<'a> Runs<'a> {
    fn run(&self, row: usize) -> Option<&'a Fired> {
        self.scene.bench.history().get(row)
    }
}

/// The place in the history of a row's key.
#[must_use]
pub fn place_of(bench: &Bench, key: &str) -> Option<usize> {
    let number: usize = key.parse().ok()?;
    bench.history().place(number)
}

impl Rows for Runs<'_> {
    fn columns(&self) -> &'static [Column] {
        &COLUMNS
    }

    fn count(&self) -> usize {
        self.scene.bench.history().iter().len()
    }

    fn key(&self, row: usize) -> Cow<'_, str> {
        self.scene.bench.history().number(row).to_string().into()
    }

    fn value(&self, row: usize, column: usize) -> Value<'_> {
        let Some(run) = self.run(row) else {
            return Value::Unknown;
        };
        match column {
            0 => Value::At(run.at),
            1 => Value::text(outcome(&run.ended)),
            2 => Value::text(run.request.order.template.as_str()),
            3 => Value::text(load_text(&run.request)),
            4 => Value::Number(run.ended.sent() as f64, Unit::Count),
            5 => seconds(match &run.ended {
                Ended::Counted { summary, .. } => summary.latency_s.p99,
                _ => None,
            }),
            6 => seconds(run.ended.took().map(|took| took.as_secs_f64())),
            _ => Value::text(run.to.as_str()),
        }
    }

    fn cell(&self, row: usize, column: usize, glyphs: &Glyphs) -> Cell<'_> {
        let Some(run) = self.run(row) else { return Cell::blank() };
        match column {
            0 => Cell::Text(vec![span(self.scene.zone().clock(run.at), Role::Text)]),
            1 => Cell::Text(shown(&run.ended, glyphs)),
            3 | 7 => match self.value(row, column) {
                Value::Text(text) => Cell::Text(vec![span(text, Role::Dim)]),
                value => plain(value),
            },
            _ => plain(self.value(row, column)),
        }
    }
}

fn seconds(seconds: Option<f64>) -> Value<'static> {
    seconds.map_or(Value::Unknown, |seconds| Value::Number(seconds, Unit::Seconds))
}

/// What a run came to, in a few words.
fn outcome(ended: &Ended) -> String {
    match ended {
        Ended::Refused(_) => "not fired".to_owned(),
        Ended::Traced(outcome) => match &outcome.timeline {
            Some(timeline) if !outcome.reading.passed => {
                format!("not {}", timeline.next().map_or("through", timeline::name))
            }
            _ if outcome.reading.passed => "through".to_owned(),
            _ => "failed".to_owned(),
        },
        Ended::Counted { summary, .. } if summary.stopped => "stopped".to_owned(),
        Ended::Counted { summary, checks, .. } => {
            if let Some(missed) = checks.iter().find(|check| !check.is_met) {
                return format!("not {}", missed.expected);
            }
            let statuses: Vec<String> = summary.statuses.keys().take(3).map(ToString::to_string).collect();
            statuses.join(" ")
        }
    }
}

fn shown(ended: &Ended, glyphs: &Glyphs) -> Line<'static> {
    let (glyph, role) = match ended {
        _ if ended.passed() => (glyphs.check, Role::Ok),
        Ended::Traced(_) => (glyphs.warning, Role::Warning),
        Ended::Counted { summary, .. } if summary.stopped => (glyphs.warning, Role::Warning),
        _ => (glyphs.critical, Role::Critical),
    };
    vec![span(format!("{glyph} "), role), span(outcome(ended), role)]
}

pub(super) fn draw(scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect) {
    let note = if scene.ui.focus() == Some(HISTORY) {
        vec![
            span("f", Role::Key),
            span(" fires it again   ", Role::Note),
            span("enter", Role::Key),
            span(" into the form", Role::Note),
        ]
    } else {
        Line::new()
    };
    let frame = Frame {
        title: "History",
        note,
        ..Frame::default()
    };
    let rows = Runs { scene: *scene };
    if area.height >= 3 {
        return stage.grid(
            scene,
            HISTORY,
            area,
            frame,
            &rows,
            "Nothing has been fired in this session.",
        );
    }
    let inner = stage.panel(scene, HISTORY, area, frame);
    let glyphs = stage.canvas.glyphs();
    let line = match scene.bench.history().get(0) {
        None => vec![span("nothing yet", Role::Dim)],
        Some(last) => {
            let count = rows.count() as u64;
            let runs = if count == 1 {
                "1 run".to_owned()
            } else {
                format!("{} runs", text::count(count))
            };
            let mut line = vec![span(runs, Role::Text), span("   last ", Role::Dim)];
            line.push(span(scene.zone().clock(last.at), Role::Text));
            line.push(span("  ", Role::Text));
            line.extend(shown(&last.ended, glyphs));
            line.push(span(format!("  {}", last.request.order.template), Role::Dim));
            line
        }
    };
    stage.canvas.line(inner.left(), inner.top(), inner.width, &line);
}

//! Who sends, how much, and with what errors.

use ratatui::layout::Rect;

use super::super::failures::is_silent_other;
use super::super::{PanelId, Scene, Stage, left_out, status};
use super::{absence, staleness};
use crate::base::text;
use crate::console::theme::Role;
use crate::console::widget::table::{self, Cell, Column};
use crate::console::widget::{Frame, figure, span};
use crate::model::field::Unit;
use crate::model::{Provider, Severity};
use crate::sample::SourceKind;

const COLUMNS: [Column; 6] = [
    Column::name("provider", NAME.0),
    Column::number("received", 8, 0),
    Column::number("errors", 6, 0),
    Column::number("ack p99", 7, 1),
    Column::number("processed", 9, 2),
    Column::number("ack p50", 7, 3),
];

/// Columns of a provider's name, at least and at most where there is no room to spare.
const NAME: (u16, u16) = (8, 14);

/// Errors from here on are drawn as a warning, as a ratio; a verdict says more.
const NOTABLE: f64 = 0.01;

/// Draws the panel.
pub(super) fn draw(scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect, id: PanelId) {
    let providers: Vec<&Provider> = scene
        .view
        .providers
        .iter()
        .filter(|provider| !is_silent_other(provider))
        .collect();
    let note =
        staleness(scene, providers.iter().map(|provider| &provider.received_per_s)).unwrap_or_else(|| left_out(scene));
    let title = if area.height < 3 { "Providers" } else { "By provider" };
    let inner = stage.panel(
        scene,
        id,
        area,
        Frame {
            title,
            note,
            ..Frame::default()
        },
    );
    if providers.is_empty() {
        let text = absence(
            scene,
            SourceKind::Metrics,
            "Not watched: --metrics URL of the gateway shows who sends.",
            "Waiting for the gateway's counters.",
        );
        stage.hint(inner, &text);
        return;
    }
    if area.height < 3 {
        draw_flat(&providers, stage, inner);
        return;
    }
    // A name says more than the last of the figures, up to a point.
    let longest = providers.iter().map(|provider| text::width(&provider.name)).max();
    let mut columns = COLUMNS;
    columns[0].width = u16::try_from(longest.unwrap_or(0))
        .unwrap_or(NAME.1)
        .clamp(NAME.0, NAME.1);
    let visible = usize::from(inner.height.saturating_sub(1));
    let offset = stage.scroll(scene, id, area, providers.len(), visible);
    table::draw(
        &mut stage.canvas,
        inner,
        &columns,
        providers.len(),
        offset,
        |row, column| cell(scene, providers[row], column),
    );
}

fn cell<'a>(scene: &Scene<'a>, provider: &'a Provider, column: usize) -> Cell<'a> {
    match column {
        0 => Cell::Text(vec![span(&*provider.name, Role::Text)]),
        1 => Cell::Figure(&provider.received_per_s, Unit::PerSecond, Role::Text),
        2 => Cell::Figure(&provider.error_ratio, Unit::Ratio, tone(scene, provider)),
        3 => Cell::Figure(&provider.response_p99_s, Unit::Seconds, Role::Text),
        4 => Cell::Figure(&provider.processed_per_s, Unit::PerSecond, Role::Text),
        _ => Cell::Figure(&provider.response_p50_s, Unit::Seconds, Role::Text),
    }
}

fn tone(scene: &Scene<'_>, provider: &Provider) -> Role {
    let about = scene
        .view
        .verdicts
        .iter()
        .filter(|verdict| verdict.subject.as_ref() == Some(&provider.name));
    match about.map(|verdict| verdict.severity).max() {
        Some(Severity::Critical) => Role::Critical,
        Some(Severity::Warning) => Role::Warning,
        _ if provider.error_ratio.value.is_some_and(|ratio| ratio >= NOTABLE) => Role::Warning,
        _ => Role::Text,
    }
}

/// The busiest ones in one row.
fn draw_flat(providers: &[&Provider], stage: &mut Stage<'_>, inner: Rect) {
    let mut x = inner.left();
    for provider in providers {
        let mut line = vec![span(&*provider.name, Role::Text), span(" ", Role::Text)];
        line.extend(figure::short(&provider.received_per_s, Unit::PerSecond, Role::Dim));
        if provider.error_ratio.value.is_some_and(|ratio| ratio >= NOTABLE) {
            line.push(span(
                format!(" {} ", status::severity(Severity::Warning, stage.canvas.glyphs()).0),
                Role::Warning,
            ));
            line.extend(figure::short(&provider.error_ratio, Unit::Ratio, Role::Warning));
        }
        if x > inner.left() && x + stage.canvas.width(&line) > inner.right() {
            break;
        }
        x += stage
            .canvas
            .line(x, inner.top(), inner.right().saturating_sub(x), &line)
            + 3;
    }
}

//! How an event looks, wherever it is told.

use crate::base::text;
use crate::console::glyph::Glyphs;
use crate::console::screen::{Scene, status};
use crate::console::theme::Role;
use crate::console::widget::{Line, span};
use crate::model::{Event, EventKind, Severity};

/// The glyph and role of an event: good news are no less told than bad.
pub(super) fn looks(event: &Event, glyphs: &Glyphs) -> (char, Role) {
    match (event.severity, event.kind) {
        (Severity::Info, EventKind::Source | EventKind::Process | EventKind::Action) => (glyphs.ok, Role::Ok),
        (Severity::Info, EventKind::Verdict) => (glyphs.check, Role::Ok),
        (severity, _) => status::severity(severity, glyphs),
    }
}

/// An event in one row: when, how bad, what.
#[must_use]
pub(in crate::console::screen) fn line<'a>(scene: &Scene<'a>, event: &'a Event, glyphs: &Glyphs) -> Line<'a> {
    let (glyph, role) = looks(event, glyphs);
    let mut line = vec![
        span(scene.zone().clock(event.at), Role::Dim),
        span("  ", Role::Text),
        span(glyph.to_string(), role),
        span(" ", Role::Text),
        span(&*event.text, Role::Text),
    ];
    if let Some(times) = event.times() {
        line.push(span(format!(" ×{}", text::compact(times as f64)), Role::Dim));
    }
    if !event.detail.is_empty() {
        line.push(span("   ", Role::Text));
        line.push(span(&*event.detail, Role::Dim));
    }
    line
}

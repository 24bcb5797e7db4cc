//! What the panels of this screen share: their names, the keys of their rows, how things are said.

use ratatui::layout::Rect;

use super::super::{PanelId, Scene, Stage};
use crate::base::text;
use crate::base::time::{Timestamp, since};
use crate::console::theme::Role;
use crate::console::widget::{Frame, Line, Span, figure, span, tidy};
use crate::model::letters::LetterRow;
use crate::sample::LetterForm;

/// The letters.
pub const LIST: PanelId = PanelId("letters.list");
/// The groups.
pub const GROUPS: PanelId = PanelId("letters.groups");

/// From this width on the groups stand beside the letters.
pub(super) const WIDE: u16 = 110;

/// What the key of a message in the source stream begins with.
const IN_SOURCE: &str = "source ";

/// A row's key.
#[must_use]
pub fn key(row: &LetterRow) -> String {
    match row.form {
        LetterForm::Copy => row.sequence.to_string(),
        LetterForm::Parked | LetterForm::Orphaned => format!("{IN_SOURCE}{}", row.sequence),
        LetterForm::Row => format!("row {}", row.id.as_deref().unwrap_or_default()),
    }
}

/// The sequence of a message's key; `None`: it is a row.
#[must_use]
pub fn sequence(key: &str) -> Option<u64> {
    key.strip_prefix(IN_SOURCE).unwrap_or(key).parse().ok()
}

/// When something happened: the time of today, else with the date.
pub(super) fn when(scene: &Scene<'_>, at: Timestamp) -> String {
    let minute = scene.zone().minute(at, scene.now.at);
    if minute.len() > 5 {
        minute
    } else {
        scene.zone().clock(at)
    }
}

/// How long ago something happened, in short.
pub(super) fn ago(scene: &Scene<'_>, at: Timestamp) -> String {
    format!("{} ago", figure::duration(since(at, scene.now.at)))
}

/// The first of several notes that there is room for beside a title.
pub(super) fn fitting<'a>(stage: &Stage<'_>, area: Rect, title: &str, notes: Vec<Line<'a>>) -> Line<'a> {
    let room = usize::from(area.width.saturating_sub(4)).saturating_sub(text::width(title) + 5);
    let fits = |line: &Line<'_>| usize::from(stage.canvas.width(line)) <= room;
    notes.into_iter().find(fits).unwrap_or_default()
}

/// A label in a column of its own.
pub(super) fn label(text: &str) -> Span<'static> {
    span(format!("{text:<10}"), Role::Dim)
}

/// A panel with one sentence in it.
pub(super) fn sentence(scene: &Scene<'_>, stage: &mut Stage<'_>, id: PanelId, area: Rect, title: &str, text: &str) {
    let title = tidy(title, usize::from(area.width.saturating_sub(8))).into_owned();
    let frame = Frame {
        title: &title,
        ..Frame::default()
    };
    let inner = stage.panel(scene, id, area, frame);
    stage.hint(inner, text);
}

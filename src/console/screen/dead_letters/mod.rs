//! The fifth screen: dead letters by what killed them, one by one, and replayed.

mod detail;
pub mod form;
mod groups;
mod list;
mod replay;

pub use form::{Place, place};
use ratatui::layout::{Constraint, Layout, Rect};

use super::{Opening, Page, PanelId, Scene, Stage};
use crate::base::text;
use crate::base::time::{Timestamp, since};
use crate::console::letters::Deed;
use crate::console::theme::Role;
use crate::console::widget::grid::Rows;
use crate::console::widget::{Frame, Line, figure, span, tidy};
use crate::model::letters::LetterRow;
use crate::sample::LetterForm;

/// The letters.
pub const LIST: PanelId = PanelId("letters.list");
/// The groups.
pub const GROUPS: PanelId = PanelId("letters.groups");

/// From this width on the groups stand beside the letters.
const WIDE: u16 = 110;

/// The screen.
#[derive(Clone, Copy, Debug)]
pub struct DeadLetters;

impl Page for DeadLetters {
    fn draw(&self, scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect) {
        match scene.ui.zoomed() {
            Some(panel) if panel == GROUPS => return groups::draw(scene, stage, area),
            Some(panel) if panel == LIST => return list::draw(scene, stage, area),
            Some(panel) if panel == replay::REPLAY => return replay::draw(scene, stage, area),
            _ => {}
        }
        let (groups, right) = if area.width >= WIDE {
            let width = (area.width * 7 / 20).clamp(42, 68);
            let [left, right] = Layout::horizontal([Constraint::Length(width), Constraint::Fill(1)]).areas(area);
            (left, right)
        } else {
            let height = if area.height >= 20 { 7 } else { 5 };
            let [above, below] = Layout::vertical([Constraint::Length(height), Constraint::Fill(1)]).areas(area);
            (above, below)
        };
        groups::draw(scene, stage, groups);
        let (letters, below) = beneath(scene, right);
        list::draw(scene, stage, letters);
        if let Some(below) = below {
            replay::draw(scene, stage, below);
        }
    }

    fn home(&self) -> Option<PanelId> {
        Some(LIST)
    }

    fn tables(&self) -> &'static [PanelId] {
        &[LIST, GROUPS]
    }

    fn rows<'a>(&self, scene: Scene<'a>, panel: PanelId) -> Option<Box<dyn Rows + 'a>> {
        if panel == LIST {
            Some(Box::new(list::List { scene }))
        } else if panel == GROUPS {
            Some(Box::new(groups::Groups { scene }))
        } else {
            None
        }
    }

    fn open(&self, _: &Scene<'_>, panel: PanelId, row: Option<&str>) -> Opening {
        match row {
            // Of a failed row the list says all that is known.
            Some(key) if panel == LIST && sequence(key).is_some() => Opening::Detail,
            Some(key) if panel == GROUPS => Opening::Narrow(key.to_owned()),
            _ => Opening::Nothing,
        }
    }

    fn detail(&self, scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect, key: &str) {
        let (letter, below) = beneath(scene, area);
        detail::draw(scene, stage, letter, key);
        if let Some(below) = below {
            replay::draw(scene, stage, below);
        }
    }

    fn detail_home(&self) -> Option<PanelId> {
        Some(detail::PAYLOAD)
    }

    fn summary(&self, scene: &Scene<'_>) -> Option<String> {
        scene.ui.detail()?;
        detail::summary(scene)
    }
}

/// The room above the replay, and that of the replay while there is one.
fn beneath(scene: &Scene<'_>, area: Rect) -> (Rect, Option<Rect>) {
    if scene.ui.zoomed().is_some() {
        return (area, None);
    }
    let height = match scene.ui.letters().deed {
        Deed::None if replay::is_pending(scene) => 3,
        Deed::None => return (area, None),
        _ if area.height >= 24 => 9,
        _ => 7,
    };
    let [above, below] = Layout::vertical([Constraint::Fill(1), Constraint::Length(height)]).areas(area);
    (above, Some(below))
}

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
fn when(scene: &Scene<'_>, at: Timestamp) -> String {
    let minute = scene.zone().minute(at, scene.now.at);
    if minute.len() > 5 {
        minute
    } else {
        scene.zone().clock(at)
    }
}

/// How long ago something happened, in short.
fn ago(scene: &Scene<'_>, at: Timestamp) -> String {
    format!("{} ago", figure::duration(since(at, scene.now.at)))
}

/// The first of several notes that there is room for beside a title.
fn fitting<'a>(stage: &Stage<'_>, area: Rect, title: &str, notes: Vec<Line<'a>>) -> Line<'a> {
    let room = usize::from(area.width.saturating_sub(4)).saturating_sub(text::width(title) + 5);
    let fits = |line: &Line<'_>| usize::from(stage.canvas.width(line)) <= room;
    notes.into_iter().find(fits).unwrap_or_default()
}

/// A label in a column of its own.
fn label(text: &str) -> super::super::widget::Span<'static> {
    span(format!("{text:<10}"), Role::Dim)
}

/// A panel with one sentence in it.
fn sentence(scene: &Scene<'_>, stage: &mut Stage<'_>, id: PanelId, area: Rect, title: &str, text: &str) {
    let title = tidy(title, usize::from(area.width.saturating_sub(8))).into_owned();
    let frame = Frame {
        title: &title,
        ..Frame::default()
    };
    let inner = stage.panel(scene, id, area, frame);
    stage.hint(inner, text);
}

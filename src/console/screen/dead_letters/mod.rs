//! The fifth screen: dead letters by what killed them, one by one, and replayed.

mod detail;
pub mod form;
mod groups;
mod list;
mod parts;
mod replay;

pub use form::{Place, place};
pub use parts::{GROUPS, LIST, key, sequence};
use ratatui::layout::{Constraint, Layout, Rect};

use self::parts::WIDE;
use super::{Opening, Page, PanelId, Scene, Stage};
use crate::console::letters::Deed;
use crate::console::widget::grid::Rows;

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

//! The sixth screen: a template, what is made of it, what became of it.
//!
//! The form belongs to the template under the cursor; what was fired stands below, step by step.

mod canary;
mod form;
mod history;
mod parts;
mod preview;
mod result;
mod run;
mod templates;
mod timeline;

pub use history::place_of;
pub use parts::{FORM, HISTORY, LIST, load_text};

use ratatui::layout::{Constraint, Layout, Rect};

use self::parts::{CANARY, PREVIEW, RESULT, chosen};
use super::{Opening, Page, PanelId, Place, Scene, Screen, Stage};
use crate::console::widget::grid::Rows;

/// From this size on there is room for every panel.
const ROOMY: (u16, u16) = (110, 32);

/// The screen.
#[derive(Clone, Copy, Debug)]
pub struct TestWebhooks;

impl Page for TestWebhooks {
    fn draw(&self, scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect) {
        if scene.bench.supply().is_none() {
            let frame = crate::console::widget::Frame {
                title: Screen::TestWebhooks.title(),
                ..Default::default()
            };
            let inner = stage.panel(scene, LIST, area, frame);
            stage.hint(inner, "Nothing can be fired from here: this is not live.");
            return;
        }
        if let Some(panel) = scene.ui.zoomed() {
            panel_of(scene, stage, area, panel);
        } else if area.width >= ROOMY.0 && area.height >= ROOMY.1 {
            roomy(scene, stage, area);
        } else {
            narrow(scene, stage, area);
        }
    }

    fn home(&self) -> Option<PanelId> {
        Some(LIST)
    }

    fn tables(&self) -> &'static [PanelId] {
        &[LIST, HISTORY]
    }

    fn rows<'a>(&self, scene: Scene<'a>, panel: PanelId) -> Option<Box<dyn Rows + 'a>> {
        match panel {
            LIST => Some(Box::new(templates::Templates { scene })),
            FORM => Some(Box::new(form::Fields::of(&scene))),
            HISTORY => Some(Box::new(history::Runs { scene })),
            _ => None,
        }
    }

    fn open(&self, scene: &Scene<'_>, panel: PanelId, _: Option<&str>) -> Opening {
        match panel {
            LIST => match chosen(scene).and_then(|(_, form)| form.rows.first()) {
                Some(first) => Opening::Go(Place {
                    screen: Screen::TestWebhooks,
                    panel: FORM,
                    row: first.field.key(),
                }),
                None => Opening::Nothing,
            },
            FORM | HISTORY => Opening::Own,
            _ => Opening::Nothing,
        }
    }

    fn summary(&self, scene: &Scene<'_>) -> Option<String> {
        match scene.ui.focus() {
            Some(PREVIEW) => preview::summary(scene),
            Some(RESULT) => result::summary(scene),
            _ => None,
        }
    }
}

/// Everything at once: templates, form and body; the result; canary and history.
fn roomy(scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect) {
    let middle = (area.height / 3).clamp(13, 17);
    let low = (area.height / 4).clamp(11, 14);
    let [top, result, bottom] =
        Layout::vertical([Constraint::Fill(1), Constraint::Length(middle), Constraint::Length(low)]).areas(area);
    let list = (area.width / 4).clamp(30, 50);
    let [list, form, preview] =
        Layout::horizontal([Constraint::Length(list), Constraint::Fill(3), Constraint::Fill(2)]).areas(top);
    let canary = (area.width / 3).clamp(48, 60);
    let [canary, history] = Layout::horizontal([Constraint::Length(canary), Constraint::Fill(1)]).areas(bottom);
    for (panel, place) in [
        (LIST, list),
        (FORM, form),
        (PREVIEW, preview),
        (RESULT, result),
        (CANARY, canary),
        (HISTORY, history),
    ] {
        panel_of(scene, stage, place, panel);
    }
}

/// Templates and form, the result, and a line for each of the others; `z` gives it the screen.
fn narrow(scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect) {
    let result = (area.height * 3 / 8).clamp(5, 11);
    let [top, result, preview, canary, history] = Layout::vertical([
        Constraint::Fill(1),
        Constraint::Length(result),
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(1),
    ])
    .areas(area);
    let list = (area.width * 3 / 8).clamp(22, 40);
    let [list, form] = Layout::horizontal([Constraint::Length(list), Constraint::Fill(1)]).areas(top);
    for (panel, place) in [
        (LIST, list),
        (FORM, form),
        (RESULT, result),
        (PREVIEW, preview),
        (CANARY, canary),
        (HISTORY, history),
    ] {
        panel_of(scene, stage, place, panel);
    }
}

fn panel_of(scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect, panel: PanelId) {
    match panel {
        LIST => templates::draw(scene, stage, area),
        FORM => form::draw(scene, stage, area),
        PREVIEW => preview::draw(scene, stage, area),
        CANARY => canary::draw(scene, stage, area),
        HISTORY => history::draw(scene, stage, area),
        _ => result::draw(scene, stage, area),
    }
}

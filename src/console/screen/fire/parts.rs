//! What the panels of this screen share: their names, what is chosen and shown in them.

use std::time::Duration;

use super::super::{PanelId, Scene};
use crate::act::fire::Request;
use crate::base::text;
use crate::console::bench::Form;

/// The templates.
pub const LIST: PanelId = PanelId("fire.templates");
/// The form of the template under the cursor.
pub const FORM: PanelId = PanelId("fire.form");
/// What was fired.
pub const HISTORY: PanelId = PanelId("fire.history");
pub(super) const PREVIEW: PanelId = PanelId("fire.preview");
pub(super) const RESULT: PanelId = PanelId("fire.result");
pub(super) const CANARY: PanelId = PanelId("fire.canary");

/// The template under the cursor and its form.
pub(super) fn chosen<'a>(scene: &Scene<'a>) -> Option<(String, &'a Form)> {
    let name = scene.row(LIST)?;
    let form = scene.bench.form(&name)?;
    Some((name, form))
}

/// A time as it stands in a column.
pub(super) fn shown(seconds: Option<f64>) -> String {
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .map_or_else(|| crate::base::text::UNKNOWN.to_owned(), crate::base::text::duration)
}

/// How much is fired, in a few words: `60,000 at 1,000/s`, `one, followed`.
#[must_use]
pub fn load_text(request: &Request) -> String {
    let load = &request.load;
    let followed = if request.trace { ", followed" } else { "" };
    if let Some(every) = request.every {
        return format!("every {}{followed}", text::duration(every));
    }
    let mut words = match (load.count, load.duration) {
        (Some(count), _) if count > 1 => text::count(count),
        (_, Some(_)) => String::new(),
        _ => format!("one{followed}"),
    };
    let mut add = |word: String| {
        if !words.is_empty() {
            words.push(' ');
        }
        words.push_str(&word);
    };
    if let Some(rate) = load.rate.filter(|_| load.is_load()) {
        add(format!("at {}/s", text::per_second(rate)));
    }
    if let Some(lasts) = load.duration {
        add(format!("for {}", text::duration(lasts)));
    }
    if load.variant != crate::act::fire::Variant::Valid {
        add(load.variant.name().to_owned());
    }
    words
}

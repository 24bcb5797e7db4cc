//! The form of a template: how it is fired, and the fields of its body.

use std::sync::{Arc, OnceLock};

use super::field::{Field, Origin};
use super::typed::{concurrency_of, count_of, lasts_of, place_of, rate_of};
use super::{Bench, Item, Supply};
use crate::act::fire::{
    BodyField, Load, Preview, Request, SecretSource, Template, Variant, check_scheme, expectations, host_of,
};
use crate::base::secret::strip_url_credentials;
use crate::base::text;

/// The seed of what is shown as an example.
const EXAMPLE: u64 = 1;

/// A row, as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormRow {
    /// Which.
    pub field: Field,
    /// What is shown.
    pub value: String,
    /// What is edited; the same but for what is empty.
    pub text: String,
    /// Where it comes from.
    pub origin: Origin,
    /// Whether there is nothing to be shown but why.
    pub is_vacant: bool,
}

impl FormRow {
    /// What is given; where nothing is, `vacant` says what holds.
    fn new(field: Field, given: Option<String>, vacant: &str, origin: Origin) -> Self {
        Self {
            field,
            value: given.clone().unwrap_or_else(|| vacant.to_owned()),
            is_vacant: given.is_none(),
            text: given.unwrap_or_default(),
            origin,
        }
    }

    /// The same of what is given by the person alone.
    fn optional(field: Field, given: Option<String>, vacant: &str) -> Self {
        let origin = origin(given.is_some(), false, Origin::Usual);
        Self::new(field, given, vacant, origin)
    }
}

/// A template's form.
#[derive(Clone, Debug)]
pub struct Form {
    /// The template with its fields set; what is wrong with it instead.
    pub template: Result<Arc<Template>, String>,
    /// The rows.
    pub rows: Vec<FormRow>,
    /// As it would be sent; the example's numbers are made up.
    pub preview: Option<Preview>,
    /// A body that was refused: why.
    pub refused: Option<String>,
}

/// What Enter does on a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The row goes on to its next value.
    Turned,
    /// Text is typed, beginning with this.
    Type(String),
    /// Nothing, because.
    Refused(String),
}

impl Bench {
    /// The form of a template; `None`: there is no such template.
    #[must_use]
    pub fn form(&self, name: &str) -> Option<&Form> {
        let (item, supply) = (self.item(name)?, self.supply.as_ref()?);
        Some(item.form.get_or_init(|| item.work_out(supply, self.begun)))
    }

    /// Whether somebody changed something in a template's form.
    #[must_use]
    pub fn is_edited(&self, name: &str) -> bool {
        let Some(item) = self.item(name) else { return false };
        item.refused.is_some() || item.request != self.fresh(name)
    }

    /// Begins to change a row.
    pub fn step(&mut self, name: &str, field: &Field) -> Option<Step> {
        let text = self.row(name, field)?.text.clone();
        let untraceable = self.supply.as_ref().and_then(|supply| supply.untraceable.clone());
        let (item, _) = self.change(name)?;
        match field {
            Field::Trace => {
                if let Some(reason) = untraceable {
                    return Some(Step::Refused(reason));
                }
                item.request.trace = !item.request.trace;
            }
            Field::Variant => {
                let at = Variant::ALL
                    .iter()
                    .position(|known| *known == item.request.load.variant);
                item.request.load.variant = Variant::ALL[at.map_or(0, |at| at + 1) % Variant::ALL.len()];
            }
            _ => return Some(Step::Type(text)),
        }
        item.form = OnceLock::new();
        Some(Step::Turned)
    }

    /// A row of a form.
    #[must_use]
    pub fn row(&self, name: &str, field: &Field) -> Option<&FormRow> {
        self.form(name)?.rows.iter().find(|row| row.field == *field)
    }

    /// Sets a row to what was typed.
    ///
    /// # Errors
    /// What is wrong with it; nothing is changed then.
    pub fn set(&mut self, name: &str, field: &Field, typed: &str) -> Result<(), String> {
        let typed = typed.trim();
        let given = Some(typed).filter(|typed| !typed.is_empty());
        let Some((item, supply)) = self.change(name) else {
            return Ok(());
        };
        let mut request = item.request.clone();
        let load = &mut request.load;
        match field {
            Field::Target => {
                if let Some(url) = given {
                    host_of(url).map_err(|error| error.to_string())?;
                }
                request.order.to = given.map(ToOwned::to_owned);
            }
            Field::Scheme => {
                if let Some(scheme) = given {
                    check_scheme(scheme).map_err(|error| error.to_string())?;
                }
                request.order.scheme = given.map(ToOwned::to_owned);
            }
            Field::Secret => request.order.secret = given.map(place_of).transpose()?,
            Field::Count => load.count = given.map(count_of).transpose()?,
            Field::Rate => load.rate = given.map(rate_of).transpose()?,
            Field::Lasts => load.duration = given.map(lasts_of).transpose()?,
            Field::Concurrency => load.concurrency = given.map(concurrency_of).transpose()?,
            Field::Expect => {
                let texts: Vec<String> = typed.split_whitespace().map(ToOwned::to_owned).collect();
                load.expect = expectations(&texts).map_err(|error| error.to_string())?;
            }
            Field::Body(path) => {
                set_field(&mut request, supply, path, typed)?;
                // Whatever else is wrong with the body stands in its form.
                if let Err(error) = request.order.template(&supply.library) {
                    return Err(error.to_string());
                }
            }
            Field::Trace | Field::Variant => {}
        }
        (item.request, item.form) = (request, OnceLock::new());
        Ok(())
    }

    /// Takes a row back to what profile and template say.
    pub fn reset(&mut self, name: &str, field: &Field) {
        let fresh = self.fresh(name);
        let Some((item, _)) = self.change(name) else { return };
        let (order, load) = (&mut item.request.order, &mut item.request.load);
        match field {
            Field::Target => order.to = None,
            Field::Scheme => order.scheme = None,
            Field::Secret => order.secret = None,
            Field::Trace => item.request.trace = fresh.trace,
            Field::Count => load.count = None,
            Field::Rate => load.rate = None,
            Field::Lasts => load.duration = None,
            Field::Concurrency => load.concurrency = None,
            Field::Variant => load.variant = Variant::Valid,
            Field::Expect => load.expect = fresh.load.expect,
            Field::Body(path) => {
                let is_set = order.set.iter().any(|set| is_of(set, path));
                order.set.retain(|set| !is_of(set, path));
                // Of a body that was written anew, a field goes back with all of it.
                if !is_set {
                    order.body = None;
                    item.refused = None;
                }
            }
        }
        item.form = OnceLock::new();
    }

    /// The body as text, to be edited: what was refused before is not lost. With the template's name and
    /// whether it is JSON.
    #[must_use]
    pub fn body(&self, name: &str) -> Option<String> {
        let item = self.item(name)?;
        if let Some((text, _)) = &item.refused {
            return Some(text.clone());
        }
        let template = self.form(name)?.template.as_ref().ok()?;
        Some(template.body_text())
    }

    /// Sets the body to what came from an editor.
    ///
    /// # Errors
    /// Why it is refused; the text is kept and can be edited again.
    pub fn set_body(&mut self, name: &str, written: &str) -> Result<(), String> {
        let before = self.body(name);
        let Some((item, supply)) = self.change(name) else {
            return Ok(());
        };
        if before.is_some_and(|before| before.trim_end() == written.trim_end()) {
            return match &item.refused {
                Some((_, reason)) => Err(reason.clone()),
                None => Ok(()),
            };
        }
        item.form = OnceLock::new();
        let mut request = item.request.clone();
        (request.order.body, request.order.set) = (Some(written.to_owned()), Vec::new());
        match request.order.template(&supply.library) {
            Ok(_) => {
                (item.request, item.refused) = (request, None);
                Ok(())
            }
            Err(error) => {
                let reason = error.to_string();
                item.refused = Some((written.to_owned(), reason.clone()));
                Err(reason)
            }
        }
    }
}

impl Item {
    fn work_out(&self, supply: &Supply, begun: crate::base::time::Timestamp) -> Form {
        let order = &self.request.order;
        let template = order.template(&supply.library).map_err(|error| error.to_string());
        let mut rows = common(&self.request, supply);
        let fields = template
            .as_ref()
            .map_or_else(|_| Vec::new(), |template| template.fields());
        rows.extend(fields.into_iter().map(|BodyField { path, value }| {
            let is_set = order.body.is_some() || order.set.iter().any(|set| is_of(set, &path));
            FormRow {
                text: value.clone(),
                value,
                origin: if is_set { Origin::Edited } else { Origin::Template },
                is_vacant: false,
                field: Field::Body(path),
            }
        }));
        let preview = template.as_ref().ok().map(|template| template.preview(EXAMPLE, begun));
        Form {
            template,
            rows,
            preview,
            refused: self.refused.as_ref().map(|(_, reason)| reason.clone()),
        }
    }
}

/// The rows that every form has.
fn common(request: &Request, supply: &Supply) -> Vec<FormRow> {
    let (order, load) = (&request.order, &request.load);
    let template = supply.library.get(&order.template).ok();
    let provider = template.map_or("", |template| template.provider());
    let (url, scheme) = order.directions(&supply.fire, provider);
    let row = |field: Field| match field {
        Field::Target => {
            let origin = origin(order.to.is_some(), url.is_some(), Origin::Usual);
            let url = url.as_deref().map(|url| strip_url_credentials(url).into_owned());
            FormRow::new(field, url, "none: enter names one", origin)
        }
        Field::Scheme => {
            let origin = origin(order.scheme.is_some(), scheme.is_some(), Origin::Template);
            let own = template.map(|template| template.scheme().to_string());
            FormRow::new(field, scheme.clone().or(own), "", origin)
        }
        Field::Secret => {
            let key = order.key(&supply.fire, provider);
            let origin = origin(order.secret.is_some(), key.is_some(), Origin::Usual);
            FormRow::new(field, key.as_ref().map(shown_place), "none, it is not signed", origin)
        }
        Field::Trace => {
            let is_usual = request.trace == supply.untraceable.is_none();
            let origin = origin(!is_usual, false, Origin::Usual);
            FormRow::new(field, Some(followed(request, supply).to_owned()), "", origin)
        }
        Field::Body(_) => FormRow::new(field, None, "", Origin::Template),
        Field::Count | Field::Rate | Field::Lasts | Field::Concurrency | Field::Variant | Field::Expect => {
            load_row(field, load)
        }
    };
    Field::COMMON.into_iter().map(row).collect()
}

/// Where a value comes from: the person, the profile, or else.
fn origin(is_edited: bool, of_profile: bool, otherwise: Origin) -> Origin {
    match (is_edited, of_profile) {
        (true, _) => Origin::Edited,
        (false, true) => Origin::Profile,
        (false, false) => otherwise,
    }
}

/// Whether it is followed, and how far.
fn followed(request: &Request, supply: &Supply) -> &'static str {
    let load = &request.load;
    match (&supply.untraceable, request.trace) {
        (Some(_), _) => "off, nowhere to look",
        (None, true) if load.is_load() => "off for a load",
        (None, true) if load.variant != Variant::Valid => "off for an attack",
        (None, true) => "on, to its row",
        (None, false) => "off",
    }
}

/// A row of what says how many are fired, how, and what is expected.
fn load_row(field: Field, load: &Load) -> FormRow {
    match field {
        Field::Count => {
            let vacant = if load.duration.is_some() { "no limit" } else { "1" };
            FormRow::optional(field, load.count.map(text::count), vacant)
        }
        Field::Rate => {
            let rate = load.rate.map(|rate| format!("{}/s", text::per_second(rate)));
            FormRow::optional(field, rate, "as fast as it goes")
        }
        Field::Lasts => FormRow::optional(field, load.duration.map(text::duration), "until all are sent"),
        Field::Concurrency => {
            let vacant = if load.is_load() { "64" } else { "1" };
            let lanes = load.concurrency.map(|lanes| text::count(lanes.get() as u64));
            FormRow::optional(field, lanes, vacant)
        }
        Field::Expect => {
            let given: Vec<String> = load.expect.iter().map(ToString::to_string).collect();
            let origin = origin(given != ["2xx"], false, Origin::Usual);
            FormRow::new(field, Some(given.join(" ")), "", origin)
        }
        _ => {
            let origin = origin(load.variant != Variant::Valid, false, Origin::Usual);
            FormRow::new(field, Some(load.variant.name().to_owned()), "", origin)
        }
    }
}

/// Sets a field of the body, or takes back what was set where it is the template's own value.
fn set_field(request: &mut Request, supply: &Supply, path: &str, typed: &str) -> Result<(), String> {
    let mut without = request.order.clone();
    without.set.retain(|set| !is_of(set, path));
    let base = without.template(&supply.library).map_err(|error| error.to_string())?;
    let own = base.fields().into_iter().find(|field| field.path == path);
    request.order.set = without.set;
    if own.is_none_or(|own| own.value != typed) {
        request.order.set.push(format!("{path}={typed}"));
    }
    Ok(())
}

/// Whether `path=value` is of this path.
fn is_of(set: &str, path: &str) -> bool {
    set.strip_prefix(path).is_some_and(|rest| rest.starts_with('='))
}

/// Where a key is, never the key.
fn shown_place(source: &SecretSource) -> String {
    match source {
        SecretSource::Variable(name) => format!("${name}"),
        SecretSource::File(path) => path.display().to_string(),
        SecretSource::Given(_) => "given".to_owned(),
    }
}

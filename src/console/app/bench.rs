//! Test webhooks: what commands do there, and what is heard of them.

use crossterm::event::{Event, KeyCode, KeyEvent};

use super::{App, Edit, Effect};
use crate::act::fire::Request;
use crate::act::firing::Report;
use crate::console::bench::{Field, News, Step};
use crate::console::command::Command;
use crate::console::dialog::{Confirm, Consent, Dialog};
use crate::console::layer::Layer;
use crate::console::screen::PanelId;
use crate::console::screen::fire::{FORM, HISTORY, LIST, load_text, place_of};
use crate::console::theme::Role;
use crate::console::widget::input::Input;
use crate::console::widget::tidy;
use crate::model::Severity;

impl App {
    /// The template under the cursor.
    fn template(&self) -> Option<String> {
        self.scene().row(LIST)
    }

    /// The field under the cursor.
    fn field(&self) -> Option<(String, Field)> {
        let (name, key) = (self.template()?, self.scene().row(FORM)?);
        let rows = &self.bench.form(&name)?.rows;
        let field = rows.iter().find(|row| row.field.key() == key)?.field.clone();
        Some((name, field))
    }

    /// Whether something may be fired; says why not.
    fn may_fire(&mut self) -> bool {
        let refusal = match self.bench.supply() {
            None => Some("Nothing can be fired from here: this is not live".to_owned()),
            Some(supply) => supply.refusal.clone(),
        };
        if let Some(reason) = refusal {
            self.flash(Severity::Warning, reason);
            return false;
        }
        true
    }

    pub(super) fn fire(&mut self) -> Vec<Effect> {
        if !self.may_fire() {
            return Vec::new();
        }
        let again = match self.ui.focus() {
            Some(HISTORY) => self.scene().row(HISTORY).and_then(|row| place_of(&self.bench, &row)),
            _ => None,
        };
        let request = match again {
            Some(place) => self.bench.history().get(place).map(|fired| fired.request.clone()),
            None => self.template().and_then(|name| self.bench.request(&name)),
        };
        if self.bench.is_firing() {
            let key = self.key(Command::StopFiring);
            self.flash(Severity::Info, format!("Something is being fired: {key} stops it"));
            return Vec::new();
        }
        if !self.may_change(Command::Fire) {
            return Vec::new();
        }
        request.map_or_else(Vec::new, |request| self.ready(request))
    }

    /// What is fired, unless the form holds a body that was refused.
    fn ready(&mut self, request: Request) -> Vec<Effect> {
        let form = self.bench.form(&request.order.template);
        if let Some(reason) = form.and_then(|form| form.refused.clone()) {
            self.flash(Severity::Warning, format!("not fired: {reason}"));
            return Vec::new();
        }
        vec![Effect::Fire {
            request: Box::new(request),
            confirmed: None,
        }]
    }

    pub(super) fn stop_firing(&mut self) -> Vec<Effect> {
        if !self.bench.is_firing() {
            self.flash(Severity::Info, "Nothing is being fired");
            return Vec::new();
        }
        self.bench.stopping();
        vec![Effect::StopFiring]
    }

    pub(super) fn canary(&mut self) -> Vec<Effect> {
        if self.bench.canary().is_some_and(|canary| canary.is_flying) {
            return vec![Effect::StopCanary];
        }
        if !self.may_fire() {
            return Vec::new();
        }
        if !self.may_change(Command::Canary) {
            return Vec::new();
        }
        let request = self.template().and_then(|name| self.bench.canary_request(&name));
        request.map_or_else(Vec::new, |request| self.ready(request))
    }

    pub(super) fn toggle_trace(&mut self) {
        if let Some(name) = self.template() {
            self.turn(&name, &Field::Trace);
        }
    }

    /// Goes on to a field's next value, or begins to type one.
    fn turn(&mut self, name: &str, field: &Field) {
        match self.bench.step(name, field) {
            Some(Step::Type(text)) => {
                // A second click leaves the field that was being typed.
                self.ui.layers.retain(|layer| !matches!(layer, Layer::Field { .. }));
                self.ui.layers.push(Layer::Field {
                    template: name.to_owned(),
                    field: field.clone(),
                    input: Input::new(&text),
                    problem: None,
                });
            }
            Some(Step::Refused(reason)) => self.flash(Severity::Warning, reason),
            Some(Step::Turned) | None => {}
        }
    }

    pub(super) fn reset_field(&mut self) {
        if self.ui.focus() != Some(FORM) {
            self.flash(Severity::Info, "Choose a field of the form first: tab, or a click");
            return;
        }
        if let Some((name, field)) = self.field() {
            self.bench.reset(&name, &field);
        }
    }

    /// Enter on a field or on a run.
    pub(super) fn open_on_bench(&mut self, panel: PanelId, row: Option<&str>) {
        if panel == FORM {
            if let Some((name, field)) = self.field() {
                self.turn(&name, &field);
            }
        } else if panel == HISTORY {
            let place = row.and_then(|row| place_of(&self.bench, row));
            if let Some(name) = place.and_then(|place| self.bench.recall(place)) {
                let grid = self.grid(LIST);
                grid.filter.clear();
                grid.row = Some(name);
                self.focus(FORM);
                let key = self.key(Command::Fire);
                self.flash(Severity::Info, format!("As it was fired then: {key} fires it again"));
            }
        }
    }

    /// A key or a paste while a field is typed.
    pub(super) fn type_field(&mut self, event: &Event) {
        let Some(Layer::Field {
            template,
            field,
            input,
            problem,
        }) = self.ui.layers.last_mut()
        else {
            return;
        };
        let code = match event {
            Event::Key(KeyEvent { code, .. }) => Some(*code),
            _ => None,
        };
        match code {
            Some(KeyCode::Esc) => self.close(),
            Some(KeyCode::Enter) => match self.bench.set(template, field, input.text()) {
                Ok(()) => self.close(),
                Err(reason) => {
                    // What may be a key is not left standing.
                    if *field == Field::Secret {
                        input.set("");
                    }
                    *problem = Some(reason);
                }
            },
            _ => {
                if input.handle(event) {
                    *problem = None;
                }
            }
        }
    }

    pub(super) fn edit_body(&mut self) -> Vec<Effect> {
        let Some(template) = self.template() else {
            return Vec::new();
        };
        match self.bench.body(&template) {
            Some(text) => vec![Effect::Edit {
                what: Edit::Body(template),
                text,
            }],
            None => Vec::new(),
        }
    }

    /// The editor is back.
    pub(super) fn edited(&mut self, template: &str, edited: Result<String, String>) {
        match edited.and_then(|text| self.bench.set_body(template, &text)) {
            Ok(()) => {}
            Err(reason) => self.flash(Severity::Warning, reason),
        }
    }

    /// Something happened to what is fired.
    pub(super) fn hear(&mut self, report: Report) -> Vec<Effect> {
        match self.bench.hear(report, self.now) {
            News::Nothing => {}
            News::Confirm { request, to, host } => self.confirm_target(*request, &to, host),
            News::Ended(text, well) | News::Canary(text, well) => {
                let severity = if well { Severity::Info } else { Severity::Warning };
                self.flash(severity, text);
            }
        }
        Vec::new()
    }

    /// Elsewhere than on this machine a webhook may do real harm: its host's name is typed.
    fn confirm_target(&mut self, request: Request, to: &str, host: String) {
        let what = load_text(&request);
        let template = tidy(&request.order.template, 60).into_owned();
        let effect = Effect::Fire {
            request: Box::new(request),
            confirmed: Some(host.clone()),
        };
        let confirm = Confirm::Typed {
            ask: "Type the host's name".to_owned(),
            expected: host,
        };
        let dialog = Dialog::new(
            "Fire at another machine",
            "Fire",
            confirm,
            Consent::Effects(vec![effect]),
        )
        .row("webhook", template, Role::Strong)
        .row("how", what, Role::Text)
        .row("target", to, Role::Warning)
        .row(
            "",
            "It is neither on this machine nor listed in the profile.",
            Role::Text,
        );
        self.ask(dialog);
    }
}

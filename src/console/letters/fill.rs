//! What keys, clicks and answers do with the form of a replay.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use crossterm::event::{Event, KeyCode};

use super::Deed;
use super::follow::ask;
use super::form::{Draft, Field, Focus, Form, Subject, Target};
use crate::act::calls::CallPlan;
use crate::act::letters::{Order, Query, Request, Said, Scanned, Slot, Standing};
use crate::act::plan::Plan;
use crate::base::text;
use crate::console::app::{App, Edit, Effect};
use crate::console::command::Command;
use crate::console::dialog::Confirm;
use crate::console::layer::Layer;
use crate::console::screen::dead_letters::{Place, place};
use crate::console::widget::input::Input;
use crate::model::Severity;

/// Rows that a page of the plan goes.
const PAGE: usize = 6;

impl App {
    /// The form that is open.
    pub(in crate::console) fn form(&mut self) -> Option<&mut Form> {
        self.ui.layers.iter_mut().rev().find_map(|layer| match layer {
            Layer::Replay(form) => Some(&mut **form),
            _ => None,
        })
    }

    /// Opens a form and asks for its first plan.
    pub(super) fn open_form(&mut self, form: Form) -> Vec<Effect> {
        self.ui.letters.deed = Deed::None;
        self.ui.layers.push(Layer::Replay(Box::new(form)));
        self.draw_plan()
    }

    /// Asks for the plan of what the form says now.
    fn draw_plan(&mut self) -> Vec<Effect> {
        let number = self.ui.letters.number();
        let Some(form) = self.form() else { return Vec::new() };
        form.is_stale = false;
        form.answer = Input::default();
        form.shown = Duration::MAX;
        let query = match &form.subject {
            Subject::Calls(calls) => Query::PlanCalls(calls.clone()),
            Subject::Letters(..) => match form.wish() {
                Ok(wish) => Query::Plan(Box::new(wish)),
                Err(reason) => {
                    form.draft = Draft::Refused(reason);
                    return vec![Effect::Letters(Box::new(Request::Drop(Slot::Plan)))];
                }
            },
        };
        form.draft = Draft::Drawing(number, Scanned::default());
        vec![ask(number, query)]
    }

    /// Whether the form waits for this answer.
    fn awaits(&mut self, number: u64) -> Option<&mut Form> {
        self.form()
            .filter(|form| matches!(form.draft, Draft::Drawing(asked, _) if asked == number))
    }

    /// How far the selection is.
    pub(super) fn plan_goes_on(&mut self, number: u64, scan: Scanned) {
        if let Some(form) = self.awaits(number) {
            form.draft = Draft::Drawing(number, scan);
        }
    }

    /// The plan is there.
    pub(super) fn plan_is_drawn(&mut self, number: u64, plan: Arc<Plan>, payload: Option<Bytes>, standing: Standing) {
        if self.awaits(number).is_none() {
            return;
        }
        self.ui.letters.standing = standing;
        if let Some(reason) = self.is_hindered(plan.count) {
            self.close();
            self.ui.letters.deed = Deed::Refused(reason);
            return;
        }
        let Some(form) = self.form() else { return };
        // From the first plan on, later arrivals are left out of every other one.
        if let Subject::Letters(filter, _) = &mut form.subject {
            filter.upto.get_or_insert(plan.dlq_last_seq);
        }
        if form.provider.is_none() {
            form.provider = sole_provider(&plan);
        }
        if form.original.is_none() {
            form.original = payload.filter(|payload| std::str::from_utf8(payload).is_ok());
        }
        form.draft = Draft::Letters(plan);
        self.settle();
    }

    /// The plan of failed calls is there.
    pub(super) fn calls_are_planned(&mut self, number: u64, plan: Arc<CallPlan>) {
        if self.awaits(number).is_none() {
            return;
        }
        if plan.count == 0 {
            self.close();
            let gone = format!(
                "none of them is failed any more → {} reads the list again",
                self.key(Command::Reload)
            );
            self.ui.letters.deed = Deed::Refused(gone);
            return;
        }
        if let Some(form) = self.form() {
            form.draft = Draft::Calls(plan);
        }
        self.settle();
    }

    /// There is no plan, and why. Returns whether it was asked for.
    pub(super) fn plan_failed(&mut self, number: u64, reason: &str) -> bool {
        let Some(form) = self.awaits(number) else { return false };
        form.draft = Draft::Refused(reason.to_owned());
        true
    }

    /// What stands in the way of any replay.
    fn is_hindered(&self, count: u64) -> Option<String> {
        let standing = &self.ui.letters.standing;
        if let Some(claim) = standing.claim.as_ref().filter(|_| !standing.ours) {
            let (holder, progress) = (text::safe(&claim.holder).into_owned(), claim.progress);
            return Some(format!(
                "{holder} is replaying since {}: {} of {} published → wait for its end; if it is dead, {} takes it over",
                self.ui.zone().clock(claim.since),
                text::count(progress.landed),
                text::count(progress.selected),
                self.key(Command::ResumeReplay),
            ));
        }
        if standing.unfinished.is_some() {
            let key = self.key(Command::ResumeReplay);
            return Some(format!("a replay was left unfinished → {key} goes on with it first"));
        }
        let key = self.key(Command::Reload);
        (count == 0).then(|| format!("there is no letter left that is meant → {key} reads the list again"))
    }

    /// A plan came: from now on it can be read, and answered a moment later.
    fn settle(&mut self) {
        let now = self.now.mono;
        let Some(form) = self.form() else { return };
        form.shown = now;
        form.first = 0;
        let is_typed = matches!(form.confirm(), Some(Confirm::Typed { .. }));
        form.focus = match form.focus {
            Focus::Field(field) if form.fields().contains(&field) => Focus::Field(field),
            _ if is_typed => Focus::Answer,
            _ => Focus::Cancel,
        };
    }

    /// A key or a paste while the form is open.
    pub(in crate::console) fn fill(&mut self, event: &Event) -> Vec<Effect> {
        let code = match event {
            Event::Key(key) => Some(key.code),
            _ => None,
        };
        match code {
            Some(KeyCode::Esc) => return self.cancel_form(),
            Some(KeyCode::Tab | KeyCode::Down) => return self.step_form(1),
            Some(KeyCode::BackTab | KeyCode::Up) => return self.step_form(-1),
            Some(KeyCode::PageDown) => {
                self.scroll_form(PAGE.cast_signed());
                return Vec::new();
            }
            Some(KeyCode::PageUp) => {
                self.scroll_form(-PAGE.cast_signed());
                return Vec::new();
            }
            _ => {}
        }
        let Some(focus) = self.form().map(|form| form.focus) else {
            return Vec::new();
        };
        match focus {
            Focus::Field(field) => self.fill_field(field, code, event),
            Focus::Answer => self.answer_form(code, event),
            Focus::Cancel | Focus::Go => self.press_form(code),
        }
    }

    fn fill_field(&mut self, field: Field, code: Option<KeyCode>, event: &Event) -> Vec<Effect> {
        let Some(form) = self.form() else { return Vec::new() };
        if let Some(line) = form.line_mut(field) {
            if code == Some(KeyCode::Enter) {
                return self.step_form(1);
            }
            let before = line.text().to_owned();
            line.handle(event);
            // The reason is no part of the plan.
            if field != Field::Reason && line.text() != before {
                form.is_stale = true;
            }
            return Vec::new();
        }
        let (count, at) = (form.options(field).len(), form.chosen(field));
        let to = match code {
            Some(KeyCode::Left | KeyCode::Char('h')) => at.checked_sub(1),
            Some(KeyCode::Right | KeyCode::Char('l')) => Some(at + 1).filter(|to| *to < count),
            Some(KeyCode::Char(' ')) => Some((at + 1) % count),
            // What is edited is edited on.
            Some(KeyCode::Enter | KeyCode::Char('e')) if field == Field::Payload => Some(1),
            Some(KeyCode::Enter) => return self.step_form(1),
            _ => None,
        };
        to.map_or_else(Vec::new, |to| self.choose_in_form(field, to))
    }

    fn choose_in_form(&mut self, field: Field, option: usize) -> Vec<Effect> {
        let Some(form) = self.form() else { return Vec::new() };
        if field == Field::Payload && option == 1 {
            return match form.to_edit() {
                Ok(text) => vec![Effect::Edit {
                    what: Edit::Payload,
                    text,
                }],
                Err(reason) => {
                    self.flash(Severity::Warning, reason);
                    Vec::new()
                }
            };
        }
        if !form.choose(field, option) {
            return Vec::new();
        }
        let pace = form.pace;
        if field == Field::Rate {
            // The next one goes as fast.
            self.ui.letters.pace = pace;
        }
        self.suggest_url();
        self.draw_plan()
    }

    /// The profile's own gateway stands there to begin with.
    fn suggest_url(&mut self) {
        let url = self.office.as_ref().and_then(|office| office.profile.fire.url.clone());
        let Some(form) = self.form() else { return };
        if form.target != Target::Gateway || !form.to_url.text().is_empty() {
            return;
        }
        let Some(url) = url else { return };
        match &form.provider {
            Some(provider) => form.to_url.set(&url.replace("{provider}", provider)),
            None if !url.contains("{provider}") => form.to_url.set(&url),
            // Letters of several providers have several gateways.
            None => {}
        }
    }

    /// Somebody has left the editor.
    pub(in crate::console) fn payload_edited(&mut self, edited: Result<String, String>) -> Vec<Effect> {
        let Some(form) = self.form() else { return Vec::new() };
        match edited.and_then(|written| form.take_edited(&written)) {
            Ok(()) => self.draw_plan(),
            Err(reason) => {
                self.flash(Severity::Warning, reason);
                Vec::new()
            }
        }
    }

    fn answer_form(&mut self, code: Option<KeyCode>, event: &Event) -> Vec<Effect> {
        let now = self.now.mono;
        let Some(form) = self.form() else { return Vec::new() };
        // Keys that were on their way before the plan could be read were meant for something else.
        if !form.is_readable(now) {
            return Vec::new();
        }
        if code != Some(KeyCode::Enter) {
            form.answer.handle(event);
        } else if form.is_answered() {
            form.focus = Focus::Go;
        } else {
            return self.cancel_form();
        }
        Vec::new()
    }

    fn press_form(&mut self, code: Option<KeyCode>) -> Vec<Effect> {
        let now = self.now.mono;
        let Some(form) = self.form() else { return Vec::new() };
        match code {
            Some(KeyCode::Left | KeyCode::Right) => {
                form.focus = if form.focus == Focus::Go {
                    Focus::Cancel
                } else {
                    Focus::Go
                };
                Vec::new()
            }
            _ if !form.is_readable(now) && form.count().is_some() => Vec::new(),
            Some(KeyCode::Enter) if form.focus == Focus::Go => self.order_form(),
            Some(KeyCode::Char('y')) if form.confirm() == Some(Confirm::Yes) => self.order_form(),
            Some(KeyCode::Enter | KeyCode::Char('n' | 'q')) => self.cancel_form(),
            _ => Vec::new(),
        }
    }

    /// A click.
    pub(in crate::console) fn click_form(&mut self, at: usize) -> Vec<Effect> {
        let now = self.now.mono;
        let Some(form) = self.form() else { return Vec::new() };
        match place(at) {
            Place::Cancel => self.cancel_form(),
            Place::Go if form.is_readable(now) => {
                form.focus = Focus::Go;
                self.order_form()
            }
            Place::Go => Vec::new(),
            Place::Answer => self.go_in_form(Focus::Answer),
            Place::Row(row) => match form.fields().get(row) {
                Some(field) => self.go_in_form(Focus::Field(*field)),
                None => Vec::new(),
            },
            Place::Option(row, option) => {
                let Some(field) = form.fields().get(row).copied() else {
                    return Vec::new();
                };
                let mut effects = self.go_in_form(Focus::Field(field));
                effects.extend(self.choose_in_form(field, option));
                effects
            }
        }
    }

    fn go_in_form(&mut self, focus: Focus) -> Vec<Effect> {
        let Some(form) = self.form() else { return Vec::new() };
        form.focus = focus;
        // What was typed is planned when it is left.
        if form.is_stale { self.draw_plan() } else { Vec::new() }
    }

    fn step_form(&mut self, step: isize) -> Vec<Effect> {
        let Some(form) = self.form() else { return Vec::new() };
        let mut stops: Vec<Focus> = form.fields().into_iter().map(Focus::Field).collect();
        if matches!(form.confirm(), Some(Confirm::Typed { .. })) {
            stops.push(Focus::Answer);
        }
        stops.extend([Focus::Cancel, Focus::Go]);
        let at = stops.iter().position(|stop| *stop == form.focus).unwrap_or(0);
        let next = (at + stops.len()).saturating_add_signed(step) % stops.len();
        self.go_in_form(stops[next])
    }

    pub(in crate::console) fn scroll_form(&mut self, rows: isize) {
        if let Some(form) = self.form() {
            form.first = form.first.saturating_add_signed(rows);
        }
    }

    /// Nothing is done.
    fn cancel_form(&mut self) -> Vec<Effect> {
        self.close();
        vec![Effect::Letters(Box::new(Request::Drop(Slot::Plan)))]
    }

    /// Yes, if it is one.
    fn order_form(&mut self) -> Vec<Effect> {
        let write = self.write();
        let Some(form) = self.form() else { return Vec::new() };
        if form.is_stale {
            return self.draw_plan();
        }
        if !form.is_answered() {
            let text = if form.confirm().is_none() {
                "There is no plan to say yes to"
            } else {
                "What is typed is not what is asked for"
            };
            self.flash(Severity::Warning, text);
            return Vec::new();
        }
        let reason = Some(form.reason.text().trim().to_owned()).filter(|reason| !reason.is_empty());
        let said = Said {
            count: form.count().unwrap_or_default(),
            profile: form.protected(),
            host: form.host(),
            reason,
            write,
        };
        let order = match &form.draft {
            Draft::Letters(plan) => Order::Replay {
                plan: plan.clone(),
                sign: form.key().cloned(),
                said,
            },
            Draft::Calls(plan) => Order::Retry {
                plan: plan.clone(),
                said,
            },
            Draft::Drawing(..) | Draft::Refused(_) => return Vec::new(),
        };
        self.ui.layers.pop();
        self.order(order)
    }
}

/// The provider of all letters of a plan; `None`: there are several, or nobody knows.
fn sole_provider(plan: &Plan) -> Option<String> {
    let mut providers = plan.letters.iter().map(|letter| letter.subject.split('.').nth(1));
    let first = providers.next()??;
    providers.all(|other| other == Some(first)).then(|| first.to_owned())
}

//! What is meant: letters, their order and grouping, the rate.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::follow::ask;
use super::words::pace;
use super::{Deed, Export, PACES};
use crate::act::letters::{Query, Request, Scanned, Slot};
use crate::console::app::{App, Effect};
use crate::console::screen::dead_letters::{GROUPS, LIST, key, sequence};
use crate::model::Severity;
use crate::model::letters::{GroupBy, LetterFilter, LetterRow};
use crate::sample::LetterForm;

impl App {
    /// What is selected: what all is marked of, else the marks, else the row under the cursor, or
    /// the group under it.
    pub(super) fn selected(&self) -> Option<LetterFilter> {
        let letters = &self.ui.letters;
        if letters.list.all_marked {
            return Some(letters.list.filter.clone());
        }
        let named = |ids: Vec<u64>| LetterFilter {
            ids: Some(ids.into_iter().collect()),
            ..LetterFilter::default()
        };
        let marks: Vec<u64> = self
            .ui
            .grid(LIST)
            .marks
            .iter()
            .filter_map(|key| sequence(key))
            .collect();
        if !marks.is_empty() {
            return Some(named(marks));
        }
        if let Some(detail) = self.ui.detail() {
            return Some(named(vec![sequence(&detail.key)?]));
        }
        if self.ui.focus() == Some(GROUPS) {
            let key = self.scene().row(GROUPS)?;
            let mut filter = LetterFilter::parse(&letters.list.wanted.typed, self.now.at).ok()?;
            filter.group = Some((letters.groups.by, key.into()));
            return Some(filter);
        }
        Some(named(vec![sequence(&self.scene().row(LIST)?)?]))
    }

    /// The failed calls that are selected.
    pub(super) fn selected_calls(&self) -> Option<BTreeSet<Arc<str>>> {
        let list = &self.ui.letters.list;
        let grid = self.ui.grid(LIST);
        let at = self.scene().row(LIST);
        let is_meant = |row: &&LetterRow| {
            let key = key(row);
            list.all_marked || grid.marks.contains(&key) || (grid.marks.is_empty() && at.as_ref() == Some(&key))
        };
        let calls: BTreeSet<Arc<str>> = list
            .rows
            .iter()
            .filter(is_meant)
            .filter_map(|row| row.id.clone())
            .collect();
        (!calls.is_empty()).then_some(calls)
    }

    pub(super) fn mark_all(&mut self) {
        let marked = self.ui.letters.list.all_marked || !self.ui.grid(LIST).marks.is_empty();
        self.grid(LIST).marks.clear();
        let list = &mut self.letters_mut().list;
        list.all_marked = !marked && !list.rows.is_empty();
    }

    pub(super) fn next_form(&mut self) {
        self.grid(LIST).marks.clear();
        let wanted = &mut self.letters_mut().list.wanted;
        wanted.other = match wanted.other {
            None => Some(LetterForm::Parked),
            Some(LetterForm::Parked) => Some(LetterForm::Row),
            Some(_) => None,
        };
    }

    pub(super) fn next_grouping(&mut self) {
        let groups = &mut self.letters_mut().groups;
        // Asked for, whatever it takes.
        if groups.scan.is_none() && !groups.forced {
            groups.forced = true;
            return;
        }
        let at = GroupBy::ALL.iter().position(|by| *by == groups.by).unwrap_or(0);
        groups.by = GroupBy::ALL[(at + 1) % GroupBy::ALL.len()];
        groups.forced = true;
    }

    pub(super) fn step_pace(&mut self, step: isize) {
        let letters = self.letters_mut();
        letters.pace = letters.pace.saturating_add_signed(step).min(PACES.len() - 1);
        let pace = pace(letters.rate());
        self.flash(Severity::Info, format!("The next replay goes {pace}"));
    }

    /// Esc, where a report is shown or something is being looked for: that ends.
    pub(in crate::console) fn stop_scans(&mut self) -> Option<Vec<Effect>> {
        let letters = self.letters_mut();
        // A report is put away first: what is read behind it goes on.
        if matches!(letters.deed, Deed::Ended { .. } | Deed::Retried(..) | Deed::Refused(_)) {
            letters.deed = Deed::None;
            return Some(Vec::new());
        }
        let slot = if letters.export.is_some() {
            letters.export = None;
            Slot::Export
        } else if letters.list.is_searching() {
            letters.list.loading = None;
            Slot::List
        } else if letters.groups.is_loading() {
            letters.groups.loading = None;
            Slot::Groups
        } else {
            return None;
        };
        self.flash(Severity::Info, "Stopped looking: what was found stays");
        Some(vec![Effect::Letters(Box::new(Request::Drop(slot)))])
    }

    /// Esc, where nothing else is left: the list is no longer narrowed.
    pub(in crate::console) fn widen_letters(&mut self) -> bool {
        let letters = self.letters_mut();
        if letters.list.all_marked {
            letters.list.all_marked = false;
            return true;
        }
        let wanted = &mut letters.list.wanted;
        wanted.other.take().is_some() || wanted.group.take().is_some()
    }

    pub(super) fn export(&mut self) -> Vec<Effect> {
        let Some(filter) = self.selected() else {
            self.flash(Severity::Info, "There is no letter to write");
            return Vec::new();
        };
        let form = self.ui.letters.list.wanted.form();
        if form == LetterForm::Row {
            let text = "Failed rows are not written from here → hookwatch dlq retry --json lists them";
            self.flash(Severity::Info, text);
            return Vec::new();
        }
        let now = self.now.at.strftime("%Y%m%dT%H%M%SZ");
        let file: Arc<str> = format!("letters-{now}.jsonl").into();
        let letters = self.letters_mut();
        let number = letters.number();
        letters.export = Some(Export {
            number,
            file: file.clone(),
            scan: Scanned::default(),
        });
        vec![ask(number, Query::Export { form, filter, file })]
    }
}

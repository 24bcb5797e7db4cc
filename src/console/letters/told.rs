//! Answers taken in. One to a question that nobody asks any more is no answer.

use super::{Answered, Deed, KEPT, Letters, Open, Part};
use crate::act::letters::{Answer, Opened, Scanned, Told};
use crate::base::text;
use crate::console::app::App;
use crate::console::screen::dead_letters::{LIST, key};
use crate::model::Severity;
use crate::model::letters::payload::{self, Look};
use crate::model::letters::{GroupBy, LetterRow};
use crate::sample::LetterForm;

/// Lines of a payload that are kept.
const LINES: usize = 5_000;

impl App {
    /// Takes in what was told of dead letters.
    pub(in crate::console) fn told(&mut self, told: Told) {
        match told {
            Told::Answer(number, answer) => self.answered(number, answer),
            Told::Progress(news) => {
                if let Deed::Running { progress, .. } = &mut self.ui.letters.deed {
                    *progress = news;
                }
            }
            Told::Ended(end) => self.replay_ended(end),
            Told::Retried(end) => self.retry_ended(end),
        }
    }

    fn answered(&mut self, number: u64, answer: Answer) {
        let letters = &mut self.ui.letters;
        match answer {
            Answer::Page { rows, more, total } => self.take_page(number, rows, more, total),
            Answer::Found { rows, scan } => {
                if letters.list.loading.is_some_and(|(asked, _)| asked == number) {
                    letters.list.take_found(rows, scan);
                }
            }
            Answer::Groups { groups, left_out, scan } => {
                if letters.groups.loading == Some(number) {
                    let list = &mut letters.groups;
                    (list.rows, list.left_out, list.scan) = (groups, left_out, Some(scan));
                    if scan.done {
                        list.loading = None;
                        let whole = list
                            .shown
                            .as_ref()
                            .is_some_and(|(_, typed, form)| typed.trim().is_empty() && *form == LetterForm::Copy);
                        if list.by == GroupBy::Cause && whole {
                            list.causes = Some(list.rows.clone());
                            let known = list.rows.clone().into();
                            self.note_letters(known);
                        }
                    }
                }
            }
            Answer::Letter(letter) => {
                let look = letters.look;
                if let Some(open) = letters.opened.as_mut().filter(|open| open.asked == number) {
                    open.take(letter, look);
                }
            }
            Answer::Kin { rows, scan } => {
                let kin = letters.opened.as_mut().and_then(|open| open.kin.as_mut());
                if let Some(kin) = kin.filter(|kin| kin.asked == number) {
                    (kin.rows, kin.scan) = (rows, scan);
                }
            }
            Answer::Standing(standing) => {
                if let Some((asked, _, _)) = &mut letters.standing_asked
                    && *asked == number
                {
                    *asked = 0;
                    letters.standing = standing;
                }
            }
            Answer::Planning(scan) => self.plan_goes_on(number, scan),
            Answer::Planned {
                plan,
                payload,
                standing,
            } => self.plan_is_drawn(number, plan, payload, standing),
            Answer::CallsPlanned(plan) => self.calls_are_planned(number, plan),
            Answer::Exported { file, scan } => self.exported(number, &file, scan),
            Answer::Failed(reason) => self.failed(number, reason),
        }
    }

    fn take_page(&mut self, number: u64, rows: Vec<LetterRow>, more: bool, total: u64) {
        let list = &mut self.ui.letters.list;
        let Some((_, part)) = list.loading.filter(|(asked, _)| *asked == number) else {
            return;
        };
        (list.loading, list.stale, list.total) = (None, false, Some(total));
        let count = rows.len();
        let (mut added, mut dropped) = (0, 0);
        match part {
            Part::After => {
                list.rows.extend(rows);
                list.beyond.1 = more;
                dropped = list.rows.len().saturating_sub(KEPT);
                list.rows.drain(..dropped);
                list.beyond.0 |= dropped > 0;
            }
            Part::Before => {
                list.rows.splice(0..0, rows.into_iter().rev());
                list.beyond.0 = more;
                added = count;
                list.beyond.1 |= list.rows.len() > KEPT;
                list.rows.truncate(KEPT);
            }
            Part::Last => {
                list.rows = rows.into_iter().rev().collect();
                list.beyond = (more, false);
            }
            Part::First | Part::Again | Part::Search => {
                list.rows = rows;
                list.beyond = (false, more);
            }
        }
        let lowest = list.rows.last().map(key);
        let end = list.rows.len().saturating_sub(1);
        let grid = self.grid(LIST);
        grid.at = (grid.at + added).saturating_sub(dropped);
        grid.offset = (grid.offset + added).saturating_sub(dropped);
        match part {
            Part::Last => (grid.row, grid.at, grid.offset) = (lowest, end, end),
            Part::First => (grid.row, grid.at, grid.offset) = (None, 0, 0),
            _ => {}
        }
    }

    fn exported(&mut self, number: u64, file: &str, scan: Scanned) {
        let Some(export) = self.ui.letters.export.as_mut().filter(|export| export.number == number) else {
            return;
        };
        export.scan = scan;
        if scan.done {
            self.ui.letters.export = None;
            let count = text::count(scan.found);
            let noun = if scan.found == 1 { "letter" } else { "letters" };
            self.flash(Severity::Info, format!("{count} {noun} written to {file}"));
        }
    }

    /// A question that could not be answered.
    fn failed(&mut self, number: u64, reason: String) {
        if self.plan_failed(number, &reason) {
            return;
        }
        let letters = &mut self.ui.letters;
        if letters.list.loading.is_some_and(|(asked, _)| asked == number) {
            let list = &mut letters.list;
            (list.loading, list.problem) = (None, Some(reason));
            // Of the other forms all is read at once: what was here before is no part of it.
            if list.stale && list.wanted.other.is_some() {
                list.rows.clear();
            }
            if list.rows.is_empty() {
                list.total = None;
            }
        } else if letters.groups.loading == Some(number) {
            (letters.groups.loading, letters.groups.problem) = (None, Some(reason));
        } else if let Some(open) = letters.opened.as_mut().filter(|open| open.asked == number) {
            open.letter = Answered::Failed(reason);
        } else if letters.export.as_ref().is_some_and(|export| export.number == number) {
            letters.export = None;
            self.flash(Severity::Warning, reason);
        } else if let Some((asked, _, _)) = &mut letters.standing_asked
            && *asked == number
        {
            // Whoever may not look at leases can still read letters.
            *asked = 0;
        }
    }
}

impl super::List {
    fn take_found(&mut self, rows: Vec<LetterRow>, scan: Scanned) {
        if self.stale {
            self.rows.clear();
            self.stale = false;
        }
        self.rows.extend(rows);
        self.scan = Some(scan);
        if scan.done {
            self.loading = None;
        }
    }
}

impl Open {
    fn take(&mut self, letter: Option<Box<Opened>>, look: Look) {
        self.letter = match letter {
            Some(letter) => Answered::Here(letter),
            None => Answered::Gone,
        };
        self.render(look);
    }

    /// Lays the payload out anew: once, not at every drawing.
    pub(super) fn render(&mut self, look: Look) {
        self.lines = match &self.letter {
            Answered::Here(opened) => payload::lines(&opened.letter.payload, look, LINES),
            _ => Vec::new(),
        };
        if let Answered::Here(opened) = &self.letter {
            self.kind = payload::kind(&opened.letter.payload);
        }
    }
}

impl Letters {
    /// Shows the payload another way.
    pub(super) fn turn(&mut self) {
        self.look = self.look.next();
        if let Some(open) = &mut self.opened {
            open.render(self.look);
        }
    }
}

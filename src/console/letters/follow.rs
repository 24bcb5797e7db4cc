//! What should be on screen against what was asked for: the difference is asked for.

use std::time::Duration;

use super::{Answered, Deed, FOUND, Kin, Letters, Open, PAGE, Part, Shown, UNASKED};
use crate::act::letters::{Page, Query, Request, Slot, Standing};
use crate::base::time::Moment;
use crate::console::app::{App, Effect};
use crate::console::command::Mode;
use crate::console::layer::Layer;
use crate::console::screen::dead_letters::{LIST, sequence};
use crate::console::screen::{Hits, Screen};
use crate::model::letters::{GroupBy, webhook_id};
use crate::sample::LetterForm;

/// The list is read again at most this often while letters come and go.
const AFRESH: Duration = Duration::from_secs(1);

/// The groups are counted again at most this often, and only of so many letters.
const REGROUP: (Duration, f64) = (Duration::from_secs(5), 20_000.0);

/// How often it is asked how another operator's replay goes.
const LOOK: Duration = Duration::from_secs(3);

impl App {
    /// Asks for what the screen should show and does not. Called after everything that happens.
    pub(in crate::console) fn follow_letters(&mut self, hits: &Hits) -> Vec<Effect> {
        // While the past is on screen, nothing of now is asked for.
        if self.office.is_none() || self.mode() != Mode::Live {
            return Vec::new();
        }
        let now = self.now;
        let dead = self.view().flow.dead.value;
        if self.ui.screen == Screen::Failures && dead.is_some_and(|dead| dead > 0.0) {
            // What letters died of is a cause like others.
            let letters = &mut self.ui.letters;
            let of_all = letters.groups.by == GroupBy::Cause && letters.list.wanted.typed.trim().is_empty();
            let asked = of_all && letters.list.wanted.form() == LetterForm::Copy;
            return asked
                .then(|| letters.follow_groups(now, dead))
                .flatten()
                .into_iter()
                .collect();
        }
        if self.ui.screen != Screen::DeadLetters {
            return Vec::new();
        }
        let (typed, at) = (self.ui.grid(LIST).filter.clone(), self.ui.grid(LIST).at);
        let visible = hits.panel(LIST).map_or(0, |panel| panel.visible);
        // Rows move under nobody's hands: who has chosen one reads the others with `r`.
        let grid = self.ui.grid(LIST);
        let untouched = grid.row.is_none() && grid.marks.is_empty() && self.ui.layers.is_empty();
        let letters = &mut self.ui.letters;
        letters.list.wanted.typed = typed;
        let mut queries = Vec::new();
        queries.extend(letters.follow_list(now, dead, at, visible, untouched));
        queries.extend(letters.follow_groups(now, dead));
        queries.extend(letters.follow_standing(now));
        let mut effects: Vec<Effect> = queries;
        if letters
            .list
            .loading
            .is_some_and(|(_, part)| part == Part::First || part == Part::Search)
            && letters.list.stale
        {
            let grid = self.grid(LIST);
            (grid.row, grid.at, grid.offset) = (None, 0, 0);
        }
        effects.extend(self.follow_opened());
        effects
    }

    /// Goes to the first or the last letter of all, which may have to be read.
    pub(in crate::console) fn go_to_end(&mut self, bottom: bool) {
        let list = &mut self.ui.letters.list;
        if bottom && list.beyond.1 {
            list.jump = Some(Part::Last);
        } else if !bottom && list.beyond.0 {
            list.jump = Some(Part::First);
        }
    }

    /// Narrows the list to a group.
    pub(in crate::console) fn narrow(&mut self, key: String) {
        let letters = &mut self.ui.letters;
        letters.list.wanted.group = Some((letters.groups.by, key.into()));
        self.focus(LIST);
    }

    fn follow_opened(&mut self) -> Option<Effect> {
        let dead = self.view().flow.dead.value;
        let key = self.ui.layers.iter().rev().find_map(|layer| match layer {
            Layer::Detail(detail) if detail.panel == LIST => Some(detail.key.clone()),
            _ => None,
        });
        let letters = &mut self.ui.letters;
        let Some(key) = key else {
            letters.opened = None;
            return None;
        };
        if letters.opened.as_ref().is_some_and(|open| open.key == key) {
            return letters.follow_kin(dead);
        }
        let number = letters.number();
        let (sequence, form) = (sequence(&key), letters.list.wanted.form());
        letters.opened = Some(Open {
            key,
            letter: if sequence.is_some() {
                Answered::Waiting
            } else {
                Answered::Gone
            },
            lines: Vec::new(),
            kind: "",
            kin: None,
            asked: number,
        });
        Some(ask(number, Query::Letter(form, sequence?)))
    }
}

pub(super) fn ask(number: u64, query: Query) -> Effect {
    Effect::Letters(Box::new(Request::Ask(number, query)))
}

impl Letters {
    /// The list as it should be.
    fn follow_list(
        &mut self,
        now: Moment,
        dead: Option<f64>,
        at: usize,
        visible: usize,
        untouched: bool,
    ) -> Option<Effect> {
        let wanted = self.list.wanted.clone();
        if self.list.shown.as_ref() != Some(&wanted) {
            return Some(self.begin_list(wanted, now, dead));
        }
        let list = &mut self.list;
        let part = if list.scan.is_some() || list.problem.is_some() {
            // A search has all that it found; letters that come later are looked for by hand.
            return None;
        } else if let Some(part) = list.jump.take() {
            part
        } else if list.loading.is_some() {
            return None;
        } else if list.beyond.1 && at + 2 * visible.max(10) >= list.rows.len() {
            Part::After
        } else if list.beyond.0 && at < 2 * visible.max(10) {
            Part::Before
        } else if !list.beyond.0 && list.dead != dead && untouched && now.mono.saturating_sub(list.loaded_at) >= AFRESH
        {
            Part::Again
        } else {
            return None;
        };
        Some(self.page(part, now, dead))
    }

    fn begin_list(&mut self, wanted: Shown, now: Moment, dead: Option<f64>) -> Effect {
        let (oldest_first, form) = (wanted.oldest_first, wanted.form());
        let filter = match wanted.filter(now.at) {
            Ok(filter) => filter,
            Err(problem) => {
                // What was here stays until there is a filter again.
                self.list.problem = Some(problem);
                self.list.shown = Some(wanted);
                self.list.loading = None;
                return Effect::Letters(Box::new(Request::Drop(Slot::List)));
            }
        };
        let list = &mut self.list;
        if list.shown.as_ref().is_some_and(|shown| shown.form() != form) {
            // Letters of one form are no picture of those of another.
            list.rows.clear();
            list.total = None;
        }
        list.shown = Some(wanted);
        (list.problem, list.all_marked, list.stale) = (None, false, true);
        list.filter = filter.clone();
        if filter.is_all() && form == LetterForm::Copy {
            list.scan = None;
            return self.page(Part::First, now, dead);
        }
        let number = self.number();
        let list = &mut self.list;
        list.scan = Some(crate::act::letters::Scanned::default());
        list.beyond = (false, false);
        (list.loading, list.loaded_at, list.dead) = (Some((number, Part::Search)), now.mono, dead);
        let query = Query::Search {
            form,
            filter,
            oldest_first,
            most: FOUND,
        };
        ask(number, query)
    }

    fn page(&mut self, part: Part, now: Moment, dead: Option<f64>) -> Effect {
        let number = self.number();
        let list = &mut self.list;
        let up = list.wanted.oldest_first;
        let next = |sequence: u64, up: bool| {
            if up {
                sequence.saturating_add(1)
            } else {
                sequence.saturating_sub(1)
            }
        };
        let (upwards, from) = match part {
            Part::After => (up, list.rows.last().map(|row| next(row.sequence, up))),
            Part::Before => (!up, list.rows.first().map(|row| next(row.sequence, !up))),
            Part::Last => (!up, None),
            Part::First | Part::Again | Part::Search => (up, None),
        };
        (list.loading, list.loaded_at, list.dead) = (Some((number, part)), now.mono, dead);
        let most = PAGE as u64;
        ask(number, Query::Page(Page { upwards, from, most }))
    }

    /// The groups as they should be: of what was typed, whatever group the list is narrowed to.
    fn follow_groups(&mut self, now: Moment, dead: Option<f64>) -> Option<Effect> {
        let form = self.list.wanted.form();
        let wanted = (self.groups.by, self.list.wanted.typed.clone(), form);
        let groups = &self.groups;
        let changed = groups.shown.as_ref() != Some(&wanted);
        let (pause, most) = REGROUP;
        let rested = now.mono.saturating_sub(groups.loaded_at) >= pause;
        let copies = form == LetterForm::Copy;
        let again = copies
            && groups.dead != dead
            && groups.loading.is_none()
            && rested
            && dead.is_some_and(|dead| dead <= most);
        let few = dead.is_none_or(|dead| dead <= UNASKED);
        // As long as nobody knows how many there are, nothing is begun that might take long.
        let allowed = !copies || groups.forced || (few && (dead.is_some() || self.list.total.is_some()));
        if !(changed || again) || !allowed {
            return None;
        }
        let shown = Shown {
            typed: wanted.1.clone(),
            ..Shown::default()
        };
        let Ok(filter) = shown.filter(now.at) else { return None };
        let number = self.number();
        let groups = &mut self.groups;
        if changed {
            groups.rows.clear();
            groups.scan = Some(crate::act::letters::Scanned::default());
        }
        (groups.shown, groups.problem) = (Some(wanted), None);
        (groups.loading, groups.loaded_at, groups.dead) = (Some(number), now.mono, dead);
        let by = groups.by;
        Some(ask(number, Query::Groups { form, by, filter }))
    }

    /// Other letters of the open one's webhook, unless that would take long.
    fn follow_kin(&mut self, dead: Option<f64>) -> Option<Effect> {
        let form = self.list.wanted.form();
        let few = form != LetterForm::Copy || dead.is_some_and(|dead| dead <= UNASKED);
        let open = self.opened.as_ref().filter(|open| open.kin.is_none() && few)?;
        let Answered::Here(opened) = &open.letter else {
            return None;
        };
        let id = webhook_id(&opened.letter.headers)?.into();
        let asked = self.number();
        self.opened.as_mut()?.kin = Some(Kin {
            asked,
            ..Kin::default()
        });
        Some(ask(asked, Query::Kin(form, id)))
    }

    /// Once at first, and now and then while another operator is at work.
    fn follow_standing(&mut self, now: Moment) -> Option<Effect> {
        let form = self.list.wanted.form();
        let due = match self.standing_asked {
            None => true,
            Some((_, _, of)) if of != form => {
                self.standing = Standing::default();
                true
            }
            Some((0, at, _)) => {
                let theirs = self.standing.claim.is_some() && !matches!(self.deed, Deed::Running { .. });
                theirs && now.mono.saturating_sub(at) >= LOOK
            }
            Some(_) => false,
        };
        if !due {
            return None;
        }
        let number = self.number();
        self.standing_asked = Some((number, now.mono, form));
        Some(ask(number, Query::Standing(form)))
    }

    /// Everything is read again.
    pub(super) fn forget(&mut self) {
        self.list.shown = None;
        self.groups.shown = None;
        self.standing_asked = None;
        self.opened = None;
    }
}

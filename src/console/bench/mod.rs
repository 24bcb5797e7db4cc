//! The bench on which webhooks are tested: what can be fired, what is made of it, what goes on,
//! what was. Reports in, plain data out; whoever fires is elsewhere.

mod field;
mod form;
mod run;
mod typed;

pub use field::{Field, Origin};
pub use form::{Form, FormRow, Step};
pub use run::{Look, Run};

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::act::fire::{Library, Load, Request, Template, Variant, expectations};
use crate::act::firing::{EVERY, Ended, Fired, History, Report};
use crate::act::trace::{self, Timeline};
use crate::base::text;
use crate::base::time::{Moment, Timestamp};
use crate::config;

/// What can be fired, and where: told at the start.
#[derive(Clone, Debug, Default)]
pub struct Supply {
    /// The templates.
    pub library: Arc<Library>,
    /// Targets, schemes and where keys are.
    pub fire: config::Fire,
    /// Why nothing can be followed; `None`: it can.
    pub untraceable: Option<String>,
    /// Why nothing is fired at all; `None`: it may be.
    pub refusal: Option<String>,
}

/// The bench.
#[derive(Debug, Default)]
pub struct Bench {
    supply: Option<Supply>,
    /// Filled when somebody first looks at it.
    shelf: OnceLock<Shelf>,
    /// When the session began: what an example is dated.
    begun: Timestamp,
    run: Option<Run>,
    canary: Option<Canary>,
    history: History,
}

/// What can be chosen from.
#[derive(Debug, Default)]
struct Shelf {
    templates: Vec<Arc<Template>>,
    items: BTreeMap<Arc<str>, Item>,
}

/// A template, and what a person made of it.
#[derive(Debug)]
struct Item {
    /// What would be fired.
    request: Request,
    /// A body that was refused, and why: it is not lost.
    refused: Option<(String, String)>,
    /// Worked out when it is first looked at.
    form: OnceLock<Form>,
}

/// A canary: one webhook after the other, always the same.
#[derive(Clone, Debug)]
pub struct Canary {
    /// What it fires, and how often.
    pub request: Request,
    /// The target. Safe text.
    pub to: String,
    /// Whether it flies.
    pub is_flying: bool,
    /// Its runs.
    pub history: trace::History,
    /// How far its webhook has come that is on its way.
    pub step: Option<Timeline>,
    /// When it flies again, time since session start.
    pub next: Duration,
}

impl Canary {
    /// Whether its last run failed.
    #[must_use]
    pub fn is_failing(&self) -> bool {
        let last = self.history.recent().next_back();
        last.is_some_and(|outcome| !outcome.reading.passed)
    }
}

/// What a person should be told of a report.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// Nothing that is not on screen.
    Nothing,
    /// Somebody has to confirm a target.
    Confirm {
        /// What was asked for.
        request: Box<Request>,
        /// The target.
        to: String,
        /// Its host.
        host: String,
    },
    /// A run has ended: in one line, and whether as expected.
    Ended(String, bool),
    /// The canary is not what it was: in one line, and whether that is well.
    Canary(String, bool),
}

impl Bench {
    /// A bench in a session that began at `begun`; without a supply nothing can be fired.
    #[must_use]
    pub fn new(supply: Option<Supply>, begun: Timestamp) -> Self {
        Self {
            supply,
            begun,
            ..Self::default()
        }
    }

    fn shelf(&self) -> &Shelf {
        self.shelf.get_or_init(|| {
            let templates = self.supply.iter().flat_map(|supply| supply.library.templates());
            let templates: Vec<Arc<Template>> = templates.cloned().collect();
            let fresh = |template: &Arc<Template>| {
                let request = self.fresh(template.name());
                (template.name().clone(), Item::new(request))
            };
            let items = templates.iter().map(fresh).collect();
            Shelf { templates, items }
        })
    }

    fn item(&self, name: &str) -> Option<&Item> {
        self.shelf().items.get(name)
    }

    /// An item to change, with what can be fired.
    fn change(&mut self, name: &str) -> Option<(&mut Item, &Supply)> {
        self.shelf();
        let item = self.shelf.get_mut()?.items.get_mut(name)?;
        Some((item, self.supply.as_ref()?))
    }

    /// What can be fired; `None`: nothing can.
    #[must_use]
    pub fn supply(&self) -> Option<&Supply> {
        self.supply.as_ref()
    }

    /// The templates, by name.
    #[must_use]
    pub fn templates(&self) -> &[Arc<Template>] {
        &self.shelf().templates
    }

    /// The run that goes on, or the last one.
    #[must_use]
    pub fn run(&self) -> Option<&Run> {
        self.run.as_ref()
    }

    /// Whether something is being fired.
    #[must_use]
    pub fn is_firing(&self) -> bool {
        self.run.as_ref().is_some_and(|run| run.ended.is_none())
    }

    /// The canary that flies, or the last one.
    #[must_use]
    pub fn canary(&self) -> Option<&Canary> {
        self.canary.as_ref()
    }

    /// What was fired.
    #[must_use]
    pub fn history(&self) -> &History {
        &self.history
    }

    /// What the form of a template asks for: a load and an attack are not followed.
    #[must_use]
    pub fn request(&self, name: &str) -> Option<Request> {
        let mut request = self.item(name)?.request.clone();
        request.trace &= may_be_followed(&request.load);
        Some(request)
    }

    /// What a template's form asks for while nobody has changed it.
    fn fresh(&self, name: &str) -> Request {
        let mut request = Request {
            trace: self.is_traceable(),
            ..Request::default()
        };
        name.clone_into(&mut request.order.template);
        // `2xx` is one.
        request.load.expect = expectations(&[]).unwrap_or_default();
        request
    }

    fn is_traceable(&self) -> bool {
        self.supply.as_ref().is_some_and(|supply| supply.untraceable.is_none())
    }

    /// The same as a canary: one webhook, again and again.
    #[must_use]
    pub fn canary_request(&self, name: &str) -> Option<Request> {
        let mut request = self.item(name)?.request.clone();
        (request.load.count, request.load.duration, request.load.rate) = (None, None, None);
        request.trace &= may_be_followed(&request.load);
        request.every = Some(EVERY);
        Some(request)
    }

    /// Puts a run of the history into the form of its template. Returns the template's name.
    pub fn recall(&mut self, place: usize) -> Option<String> {
        let request = self.history.get(place)?.request.clone();
        let name = request.order.template.clone();
        *self.change(&name)?.0 = Item::new(request);
        Some(name)
    }

    /// That somebody asked for the run's end.
    pub fn stopping(&mut self) {
        if let Some(run) = &mut self.run {
            run.is_stopping = true;
        }
    }

    /// Takes a report in.
    pub fn hear(&mut self, report: Report, now: Moment) -> News {
        match report {
            Report::Unconfirmed { request, to, host } => return News::Confirm { request, to, host },
            Report::Begun {
                request,
                to,
                at,
                notices,
            } => self.run = Some(Run::begun(*request, to, at, now.mono, notices)),
            Report::Progress(progress) => {
                if let Some(run) = &mut self.run {
                    run.hear(*progress);
                }
            }
            Report::Step(timeline) => {
                if let Some(run) = &mut self.run {
                    run.timeline = Some(timeline);
                }
            }
            Report::Ended(fired) => return self.ended(*fired, now),
            Report::CanaryBegun { request, to } => {
                let text = format!("canary {} flies", request.order.template);
                self.canary = Some(Canary {
                    request: *request,
                    to,
                    is_flying: true,
                    history: trace::History::default(),
                    step: None,
                    next: now.mono,
                });
                return News::Canary(text, true);
            }
            Report::CanaryStep(timeline) => {
                if let Some(canary) = &mut self.canary {
                    canary.step = Some(timeline);
                }
            }
            Report::CanaryRan(outcome) => return self.ran(*outcome),
            Report::CanaryEnded(reason) => {
                if let Some(canary) = &mut self.canary {
                    (canary.is_flying, canary.step) = (false, None);
                }
                return match reason {
                    Some(reason) => News::Canary(format!("canary: {reason}"), false),
                    None => News::Canary("the canary is back".to_owned(), true),
                };
            }
        }
        News::Nothing
    }

    fn ended(&mut self, fired: Fired, now: Moment) -> News {
        let passed = fired.ended.passed();
        let name = &fired.request.order.template;
        let text = match &fired.ended {
            Ended::Refused(reason) => format!("{name}: {reason}"),
            Ended::Traced(outcome) => match &outcome.reading.reason {
                Some(reason) => format!("{name}: {reason}"),
                None => format!("{name}: {}", run::through(outcome.reading.total)),
            },
            Ended::Counted { summary, checks, .. } => {
                let missed = checks.iter().find(|check| !check.is_met);
                let [sent, answered] = [summary.sent, summary.answered].map(text::count);
                let counts = format!("{sent} sent, {answered} answered");
                match missed {
                    _ if summary.stopped => format!("{name}: stopped, {counts}"),
                    Some(missed) => format!("{name}: expected {}, but {}", missed.expected, missed.actual),
                    None => format!("{name}: {counts}"),
                }
            }
        };
        // What was refused at once never began; while something else goes on it leaves that alone.
        let is_own = self
            .run
            .as_ref()
            .is_some_and(|run| run.ended.is_none() && run.at == fired.at);
        if is_own || !self.is_firing() {
            let run =
                self.run.take().filter(|_| is_own).unwrap_or_else(|| {
                    Run::begun(fired.request.clone(), fired.to.clone(), fired.at, now.mono, Vec::new())
                });
            self.run = Some(run.end(fired.ended.clone()));
        }
        self.history.push(fired);
        News::Ended(text, passed)
    }

    fn ran(&mut self, outcome: trace::Outcome) -> News {
        let Some(canary) = &mut self.canary else {
            return News::Nothing;
        };
        let was_failing = canary.is_failing();
        let passed = outcome.reading.passed;
        let reason = outcome.reading.reason.clone().unwrap_or_default();
        canary.next += canary.request.every.unwrap_or(EVERY);
        canary.step = None;
        canary.history.push(outcome);
        match (was_failing, passed) {
            (false, false) => News::Canary(format!("the canary failed: {reason}"), false),
            (true, true) => News::Canary("the canary gets through again".to_owned(), true),
            _ => News::Nothing,
        }
    }
}

/// One valid webhook has a way to its row; of a load and of what is to be refused, answers are counted.
fn may_be_followed(load: &Load) -> bool {
    !load.is_load() && load.variant == Variant::Valid
}

impl Item {
    fn new(request: Request) -> Self {
        Self {
            request,
            refused: None,
            form: OnceLock::new(),
        }
    }
}

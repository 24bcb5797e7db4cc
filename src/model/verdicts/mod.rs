//! Verdicts: rules that turn evidence into one sentence, a cause and a next step.
//!
//! A rule is a pure function of the facts (`facts`); the table of rules stands in `rules`.
//! What is common to all of them is here: a trigger must hold for a while, a clear condition
//! too; rules about rates wait after a start, a reset or a stale source; a root cause hides
//! its symptoms; there is one verdict per rule and subject.

mod facts;
mod gather;
mod learnt;
mod monitor;
mod mute;
mod rules;
mod words;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

pub(super) use facts::Facts;
pub(super) use gather::{Memory, Sight};
pub(super) use words::Words;

use super::view::{Answer, Hush, Verdict};
use crate::base::time::{Moment, Timestamp, since};
use mute::Rates;
use rules::{RULES, Reach, SYMPTOMS};

/// Rules are evaluated this often.
const EVERY: Duration = Duration::from_millis(900);

/// A symptom stays hidden for this long after its cause is gone: windows still hold it.
const LINGER: Duration = Duration::from_secs(12);

/// What was acknowledged in the run before is, when it is raised again within this after the start.
const RECALLED: Duration = Duration::from_mins(1);

/// How a rule sees its subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The trigger condition holds.
    Trigger,
    /// Neither: what was said before stands.
    Between,
    /// The clear condition holds.
    Clear,
}

/// What a rule finds about one subject.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Finding {
    pub(super) subject: Option<Arc<str>>,
    pub(super) stage: Stage,
    /// What to say; needed with a trigger only.
    pub(super) words: Option<Words>,
}

/// One rule. Its subjects that it does not find any more count as clear.
pub(super) struct Rule {
    /// Its stable id.
    pub(super) id: &'static str,
    /// How long the trigger must hold.
    pub(super) hold: Duration,
    /// How long the clear condition must hold.
    pub(super) clear_after: Duration,
    /// Whose rates it judges, if any: it waits after starts, resets and stale sources.
    pub(super) rates: Option<Rates>,
    /// Whether it stays until somebody has acknowledged it.
    pub(super) lasting: bool,
    pub(super) find: fn(&Facts) -> Vec<Finding>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct State {
    triggered: Option<(Duration, Timestamp)>,
    clearing: Option<Duration>,
    active: Option<Active>,
}

#[derive(Clone, Debug, PartialEq)]
struct Active {
    since: Timestamp,
    words: Words,
    /// Whether it was shown: raising and clearing of what was hidden is no event.
    announced: bool,
    /// When somebody acknowledged it, and how much it was about then.
    acknowledged: Option<(Timestamp, f64)>,
}

/// A verdict that came or went.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Change {
    pub(super) verdict: Verdict,
    pub(super) raised: bool,
}

/// A verdict that is not to be heard of for a while.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Silence {
    until: Moment,
}

type Key = (usize, Option<Arc<str>>);

/// Of each rule: those whose verdicts hide its own, and how far.
static CAUSES: LazyLock<Vec<Vec<(usize, Reach)>>> = LazyLock::new(|| {
    let of = |id| RULES.iter().enumerate().filter(move |(_, rule)| rule.id == id);
    let hide = |rule: &Rule| {
        let links = SYMPTOMS.iter().filter(|link| link.symptom == rule.id);
        links
            .flat_map(|link| of(link.cause).map(|(cause, _)| (cause, link.reach)))
            .collect()
    };
    RULES.iter().map(hide).collect()
});

/// Every verdict's state.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Verdicts {
    states: BTreeMap<Key, State>,
    evaluated: Option<Duration>,
    /// When a rule last had an active verdict, by rule and subject.
    causes: BTreeMap<Key, Duration>,
    silences: BTreeMap<Key, Silence>,
    /// What was acknowledged in the run before, until when that counts.
    recalled: BTreeMap<Key, (Timestamp, Duration)>,
    /// The consumer that is followed, and the servers: what is wrong with them reaches further.
    followed: Option<Arc<str>>,
    servers: Vec<Arc<str>>,
}

impl Verdicts {
    /// Evaluates every rule, unless that was done less than a second ago.
    pub(super) fn evaluate(&mut self, facts: &Facts) -> Vec<Change> {
        let now = facts.now.mono;
        if self.evaluated.is_some_and(|last| now.saturating_sub(last) < EVERY) {
            return Vec::new();
        }
        self.evaluated = Some(now);
        self.followed = facts.followed().cloned();
        self.servers = facts.servers();
        let mut changes = Vec::new();
        for (index, rule) in RULES.iter().enumerate() {
            let mut findings = (rule.find)(facts);
            findings.sort_by(|a, b| a.subject.cmp(&b.subject));
            let lost = self.lost(index, &findings);
            if !lost.is_empty() {
                findings.extend(lost);
                findings.sort_by(|a, b| a.subject.cmp(&b.subject));
            }
            let mut findings = findings.into_iter().peekable();
            while let Some(finding) = findings.next() {
                // Of several about one subject the last one counts.
                if findings.peek().is_none_or(|next| next.subject != finding.subject) {
                    self.settle((index, finding.subject.clone()), rule, finding, facts, &mut changes);
                }
            }
        }
        self.states
            .retain(|_, state| state.active.is_some() || state.triggered.is_some());
        self.causes.retain(|_, last| now.saturating_sub(*last) <= LINGER);
        self.silences.retain(|_, silence| now < silence.until.mono);
        self.announce(&mut changes);
        changes
    }

    /// Subjects of a rule that it does not find any more. `findings`: in the order of their subjects.
    fn lost(&self, index: usize, findings: &[Finding]) -> Vec<Finding> {
        let known = self.states.keys().filter(|(of, _)| *of == index);
        let lost = known.filter(|(_, subject)| findings.binary_search_by(|one| one.subject.cmp(subject)).is_err());
        lost.map(|(_, subject)| Finding {
            subject: subject.clone(),
            stage: Stage::Clear,
            words: None,
        })
        .collect()
    }

    fn settle(&mut self, key: Key, rule: &Rule, finding: Finding, facts: &Facts, changes: &mut Vec<Change>) {
        // Most of what rules look at is in order, and was before.
        if finding.stage == Stage::Clear && !self.states.contains_key(&key) {
            return;
        }
        let now = facts.now.mono;
        let hidden = self.is_hidden(&key);
        let awaited = self.is_awaited(&key);
        // Causes stand before their symptoms in the table, so this second counts already.
        if self.states.get(&key).is_some_and(|state| state.active.is_some()) {
            self.causes.insert(key.clone(), now);
        }
        let state = self.states.entry(key.clone()).or_default();
        if hidden {
            // It is part of its cause now. What goes on without it is raised anew.
            state.active = None;
        }
        if rule.rates.is_some_and(|rates| facts.muted.is(rates)) {
            // Neither raised nor cleared on what is not known well enough yet.
            state.triggered = None;
            state.clearing = None;
            return;
        }
        match finding.stage {
            Stage::Trigger => {
                state.clearing = None;
                let (from, at) = *state.triggered.get_or_insert((now, facts.now.at));
                let Some(words) = finding.words else { return };
                let amount = words.amount;
                match &mut state.active {
                    Some(active) => active.update(words, rule, facts.now.at),
                    None if !hidden && !awaited && now.saturating_sub(from) >= rule.hold => {
                        state.active = Some(Active {
                            since: at,
                            words,
                            announced: false,
                            acknowledged: self
                                .recalled
                                .remove(&key)
                                .filter(|(_, until)| now <= *until)
                                .map(|(at, _)| (at, amount)),
                        });
                        self.causes.insert(key, now);
                    }
                    None => {}
                }
            }
            Stage::Clear if rule.lasting && !state.is_acknowledged() => state.triggered = None,
            Stage::Between => {
                state.triggered = None;
                state.clearing = None;
            }
            Stage::Clear => {
                state.triggered = None;
                let from = *state.clearing.get_or_insert(now);
                if now.saturating_sub(from) >= rule.clear_after
                    && let Some(active) = state.active.take()
                    && active.announced
                    // That was over when somebody said so.
                    && !(rule.lasting && active.acknowledged.is_some())
                {
                    changes.push(Change {
                        verdict: self.verdict(&key, &active),
                        raised: false,
                    });
                }
            }
        }
    }

    /// Whether a root cause of the same trouble is known, or was a moment ago.
    fn is_hidden(&self, key: &Key) -> bool {
        self.any_cause(key, &self.causes, |_| true)
    }

    /// Whether a root cause of the same trouble is about to be known: its trigger holds, and must
    /// for a moment longer. Told before it, a symptom would send somebody the wrong way.
    fn is_awaited(&self, key: &Key) -> bool {
        self.any_cause(key, &self.states, |state| {
            state.triggered.is_some() && state.active.is_none()
        })
    }

    /// Whether one of `known` that `is` so is a cause of `key`.
    fn any_cause<T>(&self, (index, symptom): &Key, known: &BTreeMap<Key, T>, is: impl Fn(&T) -> bool) -> bool {
        // An outage of a fleet has a thousand verdicts, each of which may be the other's cause.
        CAUSES[*index].iter().any(|&(cause, reach)| {
            if reach == Reach::Same {
                return known.get(&(cause, symptom.clone())).is_some_and(&is);
            }
            known
                .range((cause, None)..)
                .take_while(|((of, _), _)| *of == cause)
                .any(|((_, subject), state)| is(state) && self.reaches(reach, subject.as_ref(), symptom.as_deref()))
        })
    }

    /// Whether a cause about `cause` is one of what is wrong with `symptom`.
    fn reaches(&self, reach: Reach, cause: Option<&Arc<str>>, symptom: Option<&str>) -> bool {
        let (Some(cause), Some(symptom)) = (cause, symptom) else {
            return true;
        };
        let is_within = |whole: &str, part: &str| part.strip_prefix(whole).is_some_and(|rest| rest.starts_with('/'));
        match reach {
            Reach::All => true,
            Reach::Same => **cause == *symptom,
            Reach::Stream => self.servers.contains(cause) || **cause == *symptom || is_within(cause, symptom),
            Reach::Crew => {
                self.followed.as_ref() == Some(cause) || cause.rsplit_once('/').is_some_and(|(_, name)| name == symptom)
            }
        }
    }

    /// Tells of the verdicts that are shown for the first time. One that is already on its way
    /// out is not.
    fn announce(&mut self, changes: &mut Vec<Change>) {
        let visible: Vec<Key> = self
            .states
            .iter()
            .filter(|(key, state)| {
                let new = state.active.as_ref().is_some_and(|active| !active.announced);
                new && state.clearing.is_none() && !self.is_hidden(key)
            })
            .map(|(key, _)| key.clone())
            .collect();
        for key in visible {
            let Some(active) = self.states.get_mut(&key).and_then(|state| state.active.as_mut()) else {
                continue;
            };
            active.announced = true;
            let active = active.clone();
            changes.push(Change {
                verdict: self.verdict(&key, &active),
                raised: true,
            });
        }
    }

    /// The verdicts as they are shown: most severe first, causes before symptoms.
    pub(super) fn view(&self) -> Vec<Verdict> {
        let mut out: Vec<Verdict> = self
            .states
            .iter()
            .filter(|(key, state)| !self.is_hidden(key) && !state.is_over(&RULES[key.0]))
            .filter_map(|(key, state)| {
                let active = state.active.as_ref().filter(|active| active.announced)?;
                Some(self.verdict(key, active))
            })
            .collect();
        // The states are in the order of the table, causes first; the sort keeps it.
        out.sort_by_key(|verdict| std::cmp::Reverse(verdict.severity));
        out
    }

    /// Notes that somebody has seen a verdict: it is quiet until it clears. One that never
    /// clears by itself is over with that. Returns it as it was; `None` when there is none.
    pub(super) fn acknowledge(&mut self, id: &str, subject: Option<&str>, now: Moment) -> Option<Verdict> {
        let key = self.shown(id, subject)?;
        let shown = self.states.get(&key)?.active.clone()?;
        let verdict = self.verdict(&key, &shown);
        let active = self.states.get_mut(&key)?.active.as_mut()?;
        active.acknowledged = Some((now.at, active.words.amount));
        Some(verdict)
    }

    /// Notes that nobody wants to hear of a verdict for a while, even when it clears and comes
    /// back. Returns it as it was; `None` when there is none.
    pub(super) fn silence(&mut self, id: &str, subject: Option<&str>, lasts: Duration, now: Moment) -> Option<Verdict> {
        let key = self.shown(id, subject)?;
        let verdict = self.verdict(&key, self.states.get(&key)?.active.as_ref()?);
        let until = Moment {
            at: now.at.checked_add(lasts).unwrap_or(Timestamp::MAX),
            mono: now.mono.saturating_add(lasts),
        };
        self.silences.insert(key, Silence { until });
        Some(verdict)
    }

    /// What somebody answered, and still counts.
    pub(super) fn answers(&self) -> Vec<Answer> {
        let answer = |(index, subject): &Key, hush| Answer {
            id: RULES[*index].id.into(),
            subject: subject.clone(),
            hush,
        };
        let silenced = self.silences.iter().map(|(key, silence)| {
            let until = silence.until.at;
            answer(key, Hush::Silenced { until })
        });
        let acknowledged = self.states.iter().filter_map(|(key, state)| {
            let (at, _) = state.active.as_ref()?.acknowledged?;
            Some(answer(key, Hush::Acknowledged { at }))
        });
        silenced.chain(acknowledged).collect()
    }

    /// Takes over what somebody answered in the run before: a silence until it ends, an
    /// acknowledgement where the verdict is still there as this run begins. One of what never clears
    /// by itself is not taken over: it was about that run.
    pub(super) fn recall(&mut self, answer: &Answer, now: Moment) {
        let Some(index) = RULES.iter().position(|rule| *rule.id == *answer.id) else {
            return;
        };
        let key: Key = (index, answer.subject.clone());
        match answer.hush {
            Hush::Silenced { until } if until > now.at => {
                let mono = now.mono.saturating_add(since(now.at, until));
                self.silences.insert(
                    key,
                    Silence {
                        until: Moment { at: until, mono },
                    },
                );
            }
            Hush::Acknowledged { at } if !RULES[index].lasting => {
                self.recalled.insert(key, (at, now.mono.saturating_add(RECALLED)));
            }
            _ => {}
        }
    }

    /// Takes both back. Returns the verdict as it was; `None` when nothing was to be taken back.
    pub(super) fn heed(&mut self, id: &str, subject: Option<&str>) -> Option<Verdict> {
        let key = self.shown(id, subject)?;
        let verdict = self.verdict(&key, self.states.get(&key)?.active.as_ref()?);
        verdict.hush?;
        self.silences.remove(&key);
        self.states.get_mut(&key)?.active.as_mut()?.acknowledged = None;
        Some(verdict)
    }

    /// The key of a verdict that is on the list.
    fn shown(&self, id: &str, subject: Option<&str>) -> Option<Key> {
        let index = RULES.iter().position(|rule| rule.id == id)?;
        let key: Key = (index, subject.map(Arc::from));
        let state = self.states.get(&key)?;
        let shown = state.active.as_ref().is_some_and(|active| active.announced);
        (shown && !state.is_over(&RULES[index])).then_some(key)
    }

    fn verdict(&self, key: &Key, active: &Active) -> Verdict {
        let silenced = self.silences.get(key).map(|silence| Hush::Silenced {
            until: silence.until.at,
        });
        let acknowledged = active.acknowledged.map(|(at, _)| Hush::Acknowledged { at });
        Verdict {
            id: RULES[key.0].id.into(),
            subject: key.1.clone(),
            severity: active.words.severity,
            since: active.since,
            text: active.words.text.clone(),
            evidence: active.words.evidence.clone(),
            next: active.words.next.clone(),
            runbook: None,
            hush: silenced.or(acknowledged),
        }
    }
}

impl State {
    /// Whether it never clears by itself, and somebody has acknowledged it.
    fn is_over(&self, rule: &Rule) -> bool {
        rule.lasting && self.is_acknowledged()
    }

    fn is_acknowledged(&self) -> bool {
        self.active.as_ref().is_some_and(|active| active.acknowledged.is_some())
    }
}

impl Active {
    /// Says it as it is now. What was acknowledged as over and has grown since is news again.
    fn update(&mut self, words: Words, rule: &Rule, now: Timestamp) {
        let grown = self.acknowledged.is_some_and(|(_, amount)| words.amount > amount);
        if rule.lasting && grown {
            self.acknowledged = None;
            self.announced = false;
            self.since = now;
        }
        self.words = words;
    }
}

/// The ids of all rules, root causes first: part of the JSON contract.
pub fn ids() -> impl Iterator<Item = &'static str> {
    RULES.iter().map(|rule| rule.id)
}

#[cfg(test)]
mod tests;

//! Every scenario of the lab yields its verdict within 10 s of the evidence and none but the
//! allowed ones; without what goes wrong it does not. What a scenario expects stands in its file.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt as _;
use hookwatch::base::time::{SharedClock, SystemClock};
use hookwatch::lab::scenario::Scenario;
use hookwatch::lab::{Lab, Options, play};
use hookwatch::model::View;
use tokio_util::sync::CancellationToken;

use crate::lab::{folder, options};
use crate::support;
use crate::watcher::{Watcher, all_answer, picture};

/// A verdict must be there this soon after its evidence.
const SOON: Duration = Duration::from_secs(10);

/// How long a lab may take until every source answers.
const PATIENCE: Duration = Duration::from_mins(1);

/// The scenarios are dealt out to so many tests, which run side by side where there are threads.
const TESTS: usize = 2;

/// Labs side by side in a test: each is light, and most of a scenario is waiting.
const TOGETHER: usize = 2;

/// Names of scenarios with commas, to look at a few only.
const ONLY: &str = "SCENARIOS";

/// When a verdict was first and last shown, since the scenario's start.
type Seen = BTreeMap<String, (Duration, Duration)>;

/// What a scenario showed.
struct Outcome {
    seen: Seen,
    /// The verdicts of its end.
    left: Vec<String>,
    /// What each said when it was first shown.
    said: BTreeMap<String, String>,
    picture: String,
}

/// Plays a scenario on a lab of its own and notes every verdict that a person would have seen.
async fn watch(scenario: &Scenario) -> Outcome {
    let folder = folder();
    let base = options(folder.path());
    let lab = Lab::up(Options::scenario(base.program, base.environment, scenario))
        .await
        .unwrap();
    let clock: SharedClock = SystemClock::shared();
    let mut watcher = Watcher::start(&lab.profile(&scenario.name).unwrap(), &clock);
    watcher.until("every source answers", PATIENCE, all_answer).await;
    let begun = clock.now().mono;
    play(&lab, scenario, clock.clone(), &CancellationToken::new())
        .await
        .unwrap();
    if scenario.clear.is_some() {
        // By its plan it is over now. What has to be seen for that comes later where the machine is
        // busy: the last readings are waited for, no longer than a verdict may take to come.
        let over = |view: &View| {
            !view
                .verdicts
                .iter()
                .any(|verdict| scenario.expect.contains(&verdict.id.to_string()))
        };
        watcher.lets_see(SOON, over).await;
    }
    let (mut seen, mut said) = (Seen::new(), BTreeMap::new());
    for view in watcher.all() {
        let at = view.now.mono.saturating_sub(begun);
        for verdict in &view.verdicts {
            let id = verdict.id.to_string();
            seen.entry(id.clone()).or_insert((at, at)).1 = at;
            said.entry(id)
                .or_insert_with(|| format!("{} {:?} → {}", verdict.text, verdict.evidence, verdict.next));
        }
    }
    let last = watcher.view();
    let outcome = Outcome {
        seen,
        left: last.verdicts.iter().map(|verdict| verdict.id.to_string()).collect(),
        said,
        picture: picture(&last),
    };
    drop(watcher);
    lab.down().await.unwrap();
    outcome
}

/// What is wrong with what a scenario showed.
fn judge(scenario: &Scenario, outcome: &Outcome) -> Vec<String> {
    let mut wrong = Vec::new();
    let fault_at = scenario.fault_at.unwrap_or_default();
    let deadline = fault_at + scenario.evidence + SOON;
    for id in &scenario.expect {
        match outcome.seen.get(id) {
            None => wrong.push(format!("{id} is missing")),
            Some((at, _)) if *at < fault_at => wrong.push(format!("{id} at {at:?}, before anything was wrong")),
            Some((at, _)) if *at > deadline => wrong.push(format!("{id} at {at:?}, not by {deadline:?}")),
            Some(_) => {}
        }
        if scenario.clear.is_some() && outcome.left.contains(id) {
            wrong.push(format!("{id} is still there {SOON:?} after the end"));
        }
    }
    for (id, (at, _)) in &outcome.seen {
        if !scenario.expect.contains(id) && !scenario.allow.contains(id) {
            wrong.push(format!("{id} at {at:?} is not allowed: {}", outcome.said[id]));
        }
    }
    wrong
}

/// The same without what goes wrong, for as long as `expect` has time to appear. Scenarios that
/// are then the same are played once.
fn mutations(scenarios: &[Scenario]) -> Vec<(Scenario, Vec<Scenario>)> {
    let mut all: Vec<(Scenario, Vec<Scenario>)> = Vec::new();
    for original in scenarios.iter().filter(|scenario| !scenario.expect.is_empty()) {
        let name = "mutation".to_owned();
        let mut mutated = original.clone().without_faults();
        let lasts = original.fault_at.unwrap_or_default() + original.evidence + SOON;
        mutated = Scenario {
            name,
            summary: String::new(),
            lasts: Duration::ZERO,
            fault_at: None,
            evidence: Duration::ZERO,
            clear: None,
            expect: Vec::new(),
            allow: Vec::new(),
            ..mutated
        };
        let place = all.iter().position(|(known, _)| {
            Scenario {
                lasts: Duration::ZERO,
                ..known.clone()
            } == mutated
        });
        let place = place.unwrap_or_else(|| {
            all.push((mutated, Vec::new()));
            all.len() - 1
        });
        let (known, of) = &mut all[place];
        known.lasts = known.lasts.max(lasts);
        of.push(original.clone());
    }
    all
}

#[test]
fn a_scenario_lasts_as_long_as_its_verdicts_may_take() {
    for (name, _) in Scenario::built_in().unwrap() {
        let scenario = Scenario::named(&name).unwrap();
        if let Some(clear) = scenario.clear {
            let over = scenario.undone_at().expect("a fault that is undone") + clear;
            assert!(scenario.lasts >= over, "{name}: {over:?}");
        }
        assert!(scenario.repeat || scenario.lasts <= Duration::from_secs(40), "{name}");
    }
}

#[expect(
    clippy::print_stdout,
    reason = "the table of times, for those who run it with --nocapture"
)]
fn report(name: &str, scenario: &Scenario, outcome: &Outcome, wrong: &[String]) {
    let fault_at = scenario.fault_at.unwrap_or_default().as_secs_f64();
    for (id, (first, last)) in &outcome.seen {
        let (first, last) = (first.as_secs_f64() - fault_at, last.as_secs_f64() - fault_at);
        println!(
            "{name:<18} {id:<20} {first:>6.1} s … {last:>5.1} s  {}",
            outcome.said[id]
        );
    }
    if outcome.seen.is_empty() {
        println!("{name:<18} no verdict");
    }
    for what in wrong {
        println!("{name:<18} WRONG {what}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scenarios_yield_their_verdicts_and_their_mutations_do_not_first_half() {
    play_and_judge(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scenarios_yield_their_verdicts_and_their_mutations_do_not_second_half() {
    play_and_judge(1).await;
}

/// Plays the scenarios of one of the tests.
async fn play_and_judge(part: usize) {
    let only = support::environment().remove(ONLY);
    let chosen = |name: &str| {
        only.as_deref()
            .is_none_or(|only| only.split(',').any(|one| one == name))
    };
    let scenarios: Vec<Scenario> = Scenario::built_in()
        .unwrap()
        .keys()
        .filter(|name| chosen(name))
        .map(|name| Scenario::named(name).unwrap())
        // What goes round for a show has no end to judge.
        .filter(|scenario| !scenario.repeat)
        .collect();
    let mutations = mutations(&scenarios);
    let played: Vec<(&Scenario, Option<&[Scenario]>)> = scenarios
        .iter()
        .map(|scenario| (scenario, None))
        .chain(mutations.iter().map(|(mutated, of)| (mutated, Some(&**of))))
        .skip(part)
        .step_by(TESTS)
        .collect();
    let found: Vec<Vec<String>> = futures_util::stream::iter(played)
        .map(|(scenario, originals)| async move {
            let outcome = watch(scenario).await;
            let (name, wrong) = match originals {
                None => (scenario.name.clone(), judge(scenario, &outcome)),
                Some(originals) => {
                    let mut wrong = Vec::new();
                    for original in originals {
                        for id in original.expect.iter().filter(|id| outcome.seen.contains_key(*id)) {
                            wrong.push(format!("{id} without the fault: {}", outcome.said[id]));
                        }
                    }
                    let names: Vec<&str> = originals.iter().map(|original| &*original.name).collect();
                    (format!("without: {}", names.join(" ")), wrong)
                }
            };
            report(&name, scenario, &outcome, &wrong);
            let mut wrong: Vec<String> = wrong.into_iter().map(|what| format!("{name}: {what}")).collect();
            if let Some(last) = wrong.last_mut() {
                last.push('\n');
                last.push_str(&outcome.picture);
            }
            wrong
        })
        .buffer_unordered(TOGETHER)
        .collect()
        .await;
    let wrong: Vec<String> = found.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

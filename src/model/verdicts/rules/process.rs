//! Rules about processes: failures, signatures, endpoints, heartbeats, canaries.

use super::{Facts, Finding, Stage, Words, stage};
use crate::base::text;
use crate::model::verdicts::facts::{ProbeFacts, ProviderFacts, SourceFacts, is};
use crate::model::verdicts::words::{about, count, counted};
use crate::model::view::{Health, Severity};
use crate::sample::{ProbeState, SourceKind};

/// Failed scrapes in a row, and good ones that clear.
const SCRAPES: (u32, u32) = (2, 2);
/// Answers of a health endpoint in a row, or none at all, that alarm; and healthy ones that clear.
const PROBES: (u32, u32) = (2, 2);
/// Checks that are named in the evidence.
const CHECKS: usize = 3;
/// Attempts that a failure ratio needs, and the ratio that clears, as a share of the one that alarms.
const ATTEMPTS: f64 = 50.0;
const CALM: f64 = 0.6;
/// Failed runs of a canary that alarm, and passes that clear.
const CANARY: (u32, u32) = (1, 2);
/// Invalid signatures, their share that alarms and the one that clears.
const SIGNATURES: (f64, f64, f64) = (5.0, 0.2, 0.05);

/// What is said of a source that is stale and reported no error.
const SILENT: &str = "silent for more than three periods";

pub(super) fn error_rate(facts: &Facts) -> Vec<Finding> {
    let most = facts.thresholds.error_ratio;
    facts
        .providers
        .iter()
        .filter_map(|provider| {
            let ratio = provider.minute.error_ratio()?;
            let enough = provider.minute.attempts() >= ATTEMPTS;
            // A burst that is over needs nobody: it must still go on.
            let still = provider.lately.error_ratio().is_some_and(|lately| lately > most);
            let stage = stage(enough && ratio > most && still, ratio < most * CALM);
            Some(Finding::new(Some(provider.name.clone()), stage, || {
                failing(provider, ratio)
            }))
        })
        .collect()
}

fn failing(provider: &ProviderFacts, ratio: f64) -> Words {
    let tried = &provider.minute;
    let parts: Vec<String> = [
        (tried.refused, "refused with 4xx"),
        (tried.unconfirmed, "not confirmed by the stream"),
        (tried.failed, "failed in a worker"),
    ]
    .into_iter()
    .filter(|(number, _)| *number > 0.0)
    .map(|(number, what)| format!("{} {what}", count(number)))
    .collect();
    let next = if tried.failed >= tried.refused.max(tried.unconfirmed) {
        "read the workers' errors, and the newest dead letters"
    } else if tried.refused >= tried.unconfirmed {
        "compare with the provider: signature, form or size is not what the gateway takes"
    } else {
        "look at the stream: the gateway gets no PubAck"
    };
    Words::new(
        Severity::Warning,
        format!("{} of {}'s webhooks fail", text::percent(ratio), provider.name),
    )
    .because(format!(
        "{} of {} in the last 60 s",
        count(tried.failures()),
        count(tried.attempts())
    ))
    .because(parts.join(", "))
    .next(next)
}

pub(super) fn signature_failures(facts: &Facts) -> Vec<Finding> {
    facts
        .providers
        .iter()
        .filter_map(|provider| {
            let (valid, invalid) = provider.signatures;
            let checked = valid + invalid;
            if checked <= 0.0 {
                return None;
            }
            let ratio = invalid / checked;
            let stage = stage(invalid >= SIGNATURES.0 && ratio > SIGNATURES.1, ratio < SIGNATURES.2);
            Some(Finding::new(Some(provider.name.clone()), stage, || {
                Words::new(
                    Severity::Warning,
                    format!("{} of {}'s signatures are wrong", text::percent(ratio), provider.name),
                )
                .because(format!("{} of {} in the last 30 s", count(invalid), count(checked)))
                .next("compare the signing secret with the provider's; if it is right, somebody forges webhooks")
            }))
        })
        .collect()
}

/// All metrics endpoints together: one that is gone should not fill the screen.
pub(super) fn scrape_failing(facts: &Facts) -> Vec<Finding> {
    let targets: Vec<&SourceFacts> = facts
        .sources
        .iter()
        .filter(|source| is(source, SourceKind::Metrics) && source.health != Health::Off)
        .collect();
    if targets.is_empty() {
        return Vec::new();
    }
    let bad = |source: &&&SourceFacts| source.failures >= SCRAPES.0 || source.health == Health::Stale;
    let failing: Vec<&&SourceFacts> = targets.iter().filter(bad).collect();
    let well = targets
        .iter()
        .all(|source| source.failures == 0 && source.goods >= SCRAPES.1 && source.health == Health::Ok);
    vec![Finding::new(None, stage(!failing.is_empty(), well), || {
        let text = match failing.as_slice() {
            [only] => format!("{} cannot be read", only.id.name),
            several => format!(
                "{} of {} metrics endpoints cannot be read",
                text::count(several.len() as u64),
                text::count(targets.len() as u64)
            ),
        };
        let mut words = Words::new(Severity::Warning, text);
        let otherwise = "look whether the process runs; sums leave it out meanwhile";
        for source in failing.iter().take(3) {
            let why = source.error.as_deref().unwrap_or(SILENT);
            let why = format!("{}: {why}", source.id.name);
            words = match failing.as_slice() {
                [_only] => words.because_unread(Some(&why), otherwise),
                // Each has a next step of its own.
                _ => words.because(why).next(otherwise),
            };
        }
        if failing.len() > 3 {
            words = words.because(format!("and {} more", text::count(failing.len() as u64 - 3)));
        }
        let longest = failing.iter().map(|source| source.failing_s).fold(0.0, f64::max);
        if longest > 0.0 {
            words = words.because(format!("for {}", about(longest)));
        }
        words
    })]
}

/// What a service says of itself, or that it says nothing. One by one: each is another service.
pub(super) fn probe_failing(facts: &Facts) -> Vec<Finding> {
    facts
        .probes
        .iter()
        .filter(|probe| probe.health != Health::Off)
        .map(|probe| {
            let silent = probe.failures >= PROBES.0 || probe.health == Health::Stale;
            // What it said before it fell silent is no longer its word.
            let ill = probe.health == Health::Ok && probe.ill >= PROBES.0;
            let well = probe.health == Health::Ok && probe.failures == 0 && probe.well >= PROBES.1;
            let words = || if silent { no_answer(probe) } else { unwell(probe) };
            Finding::new(Some(probe.name.clone()), stage(silent || ill, well), words)
        })
        .collect()
}

fn unwell(probe: &ProbeFacts) -> Words {
    let (severity, says) = match probe.said {
        Some(ProbeState::Unhealthy) => (Severity::Critical, "is unhealthy"),
        _ => (Severity::Warning, "is degraded"),
    };
    let mut words = Words::new(severity, format!("{} says that it {says}", probe.name)).because(format!(
        "{} in a row{}",
        counted(f64::from(probe.ill), "answer", "answers"),
        probe
            .status
            .map_or_else(String::new, |status| format!(", the last with HTTP {status}")),
    ));
    for check in probe.bad.iter().take(CHECKS) {
        words = words.because(check.as_str());
    }
    if probe.bad.len() > CHECKS {
        words = words.because(format!(
            "and {} more",
            counted((probe.bad.len() - CHECKS) as f64, "check", "checks")
        ));
    }
    if probe.bad.is_empty() {
        words.next("read the service's log: its answer names no check that fails")
    } else {
        words.next("look at what the named checks depend on; the probes stand beside the workers")
    }
}

fn no_answer(probe: &ProbeFacts) -> Words {
    let why = probe.error.as_deref().unwrap_or(SILENT);
    Words::new(
        Severity::Warning,
        format!("{}'s health endpoint cannot be read", probe.name),
    )
    .because_unread(
        Some(why),
        "look whether the process runs, and whether the probe's url and token are right",
    )
    .because_of(probe.said.map(|said| {
        let said = match said {
            ProbeState::Healthy => "healthy",
            ProbeState::Degraded => "degraded",
            ProbeState::Unhealthy => "unhealthy",
        };
        format!("before that it said {said}")
    }))
}

pub(super) fn counter_reset(facts: &Facts) -> Vec<Finding> {
    facts
        .falls
        .iter()
        .map(|(target, family)| {
            Finding::new(Some(target.clone()), Stage::Trigger, || {
                Words::new(Severity::Info, format!("A counter of {target} fell"))
                    .because(format!("{family}, in the same process"))
                    .next("its totals begin anew; look whether the process cleared its registry")
            })
        })
        .collect()
}

/// Silent for so long that it is not merely restarting.
pub(super) fn worker_inactive(facts: &Facts) -> Vec<Finding> {
    facts
        .inactive
        .iter()
        .map(|worker| {
            Finding::new(Some(worker.name.clone()), Stage::Trigger, || {
                Words::new(
                    Severity::Warning,
                    format!(
                        "Worker {} was last heard of {} ago",
                        worker.name,
                        about(worker.silent_s)
                    ),
                )
                .because(format!(
                    "its heartbeat in Postgres is older than {}, and webhooks wait",
                    about(facts.thresholds.worker_inactive.as_secs_f64())
                ))
                .next("look whether its process runs and reaches Postgres; it never said that it stopped")
            })
        })
        .collect()
}

pub(super) fn canary_failed(facts: &Facts) -> Vec<Finding> {
    facts
        .canaries
        .iter()
        .map(|(name, canary)| {
            let stage = stage(canary.failures >= CANARY.0, canary.passes >= CANARY.1);
            Finding::new(Some(name.clone()), stage, || {
                let reason = canary.reason.as_deref().map(text::safe);
                Words::new(Severity::Critical, format!("Canary {name} did not get through"))
                    .because_of(reason.map(|reason| text::cut(&reason, 200).into_owned()))
                    .because(format!(
                        "{} failed in a row",
                        counted(f64::from(canary.failures), "run", "runs")
                    ))
                    .because_of(
                        canary
                            .total
                            .map(|took| format!("the last one took {}", text::duration(took))),
                    )
                    .next("follow it with `hookwatch fire --trace`: it says at which hop a webhook gets stuck")
            })
        })
        .collect()
}

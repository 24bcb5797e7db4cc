//! Rules about providers: who falls silent, who is answered late.

use super::{Facts, Finding, Words, stage};
use crate::model::verdicts::words::{about, count, measured};
use crate::model::view::Severity;

/// Answers that a mean needs.
const ANSWERS: f64 = 20.0;
/// The mean that clears, as a share of the one that alarms.
const CALM: f64 = 0.8;

pub(super) fn provider_silent(facts: &Facts) -> Vec<Finding> {
    facts
        .providers
        .iter()
        .map(|provider| {
            let subject = Some(provider.name.clone());
            let Some(silence) = provider.silence else {
                return Finding::between(subject);
            };
            let stage = stage(silence.lasts > silence.unusual, silence.lasts <= 0.0);
            Finding::new(subject, stage, || {
                Words::new(
                    Severity::Warning,
                    format!("Nothing from {} for {}", provider.name, about(silence.lasts)),
                )
                .because(format!("a webhook came every {} on average", measured(silence.mean)))
                .because(format!("more than {} is unusual for it", about(silence.unusual)))
                .next("look at the provider's status page, and whether its webhooks still point here")
            })
        })
        .collect()
}

pub(super) fn slow_webhook(facts: &Facts) -> Vec<Finding> {
    let most = facts.thresholds.latency.as_secs_f64();
    facts
        .providers
        .iter()
        .filter_map(|provider| {
            let (mean, answers) = provider.answers?;
            let stage = stage(answers >= ANSWERS && mean > most, mean < most * CALM);
            Some(Finding::new(Some(provider.name.clone()), stage, || {
                Words::new(
                    Severity::Warning,
                    format!("{} waits {} for an answer on average", provider.name, measured(mean)),
                )
                .because(format!("{} answers of the last 10 s", count(answers)))
                .because(format!("it should be below {}", measured(most)))
                .next("look at the gateway's CPU and at the stream's PubAck times; providers give up and send again")
            }))
        })
        .collect()
}

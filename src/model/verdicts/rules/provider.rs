//! Rules about providers: who falls silent, who is answered late.

use super::{Facts, Finding, Words, stage};
use crate::base::text;
use crate::model::outbound::Minute;
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

/// Gateways that answer late, and webhooks of ours that fail or take too long.
pub(super) fn slow_webhook(facts: &Facts) -> Vec<Finding> {
    let most = facts.thresholds.latency.as_secs_f64();
    let answers = facts.providers.iter().filter_map(|provider| {
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
    });
    answers
        .chain(facts.webhooks.iter().filter_map(|webhook| sent(facts, webhook)))
        .collect()
}

/// A webhook that the pipeline sends, over the last minute: what the views say of 24 h never clears.
fn sent(facts: &Facts, webhook: &Minute) -> Option<Finding> {
    let (least, most) = (facts.thresholds.success_ratio, facts.thresholds.latency.as_secs_f64());
    let subject = Some(webhook.subject.clone());
    if !webhook.fresh {
        return Some(Finding::between(subject));
    }
    if webhook.attempts <= 0.0 {
        return None;
    }
    let enough = webhook.attempts >= ANSWERS;
    let success = webhook.failed.map(|failed| 1.0 - failed / webhook.attempts);
    let fails = success.is_some_and(|success| success < least);
    // A mean of rounded means is off by so much at most.
    let slow = webhook.mean.is_some_and(|(mean, off)| mean - off > most);
    let calm = success.is_none_or(|success| success >= least)
        && webhook
            .mean
            .is_none_or(|(mean, off)| mean + off < most * CALM || off > most);
    let stage = stage(enough && (fails || slow), calm);
    Some(Finding::new(subject, stage, || {
        let text = match (success, webhook.mean) {
            (Some(success), _) if fails => {
                format!("Only {} of {} succeeds", text::percent(success), webhook.subject)
            }
            (_, Some((mean, _))) => format!("{} takes {} on average", webhook.subject, measured(mean)),
            _ => webhook.subject.to_string(),
        };
        let failed = webhook.failed.filter(|_| fails);
        Words::new(Severity::Warning, text)
            .because_of(failed.map(|failed| {
                format!("{} of {} failed in the last 60 s", count(failed), count(webhook.attempts))
            }))
            .because_of(webhook.mean.filter(|_| slow).map(|(mean, _)| {
                format!("{} on average over {} of the last 60 s", measured(mean), count(webhook.attempts))
            }))
            .because(if fails {
                format!("it should be {} or more", text::percent(least))
            } else {
                format!("it should be below {}", measured(most))
            })
            .next("read its latest failures on the Failures screen; look whether its receiver is up and its stream takes the subject")
    }))
}

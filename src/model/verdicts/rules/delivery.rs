//! Rules about deliveries: what comes again and again, and what never comes.

use super::{Facts, Finding, Words, stage};
use crate::base::text;
use crate::model::verdicts::facts::{ConsumerFacts, Crew};
use crate::model::verdicts::words::{count, counted, measured, names, rate};
use crate::model::view::Severity;

/// Share of retries among the attempts that alarms, and the one that clears.
const RETRIES: (f64, f64) = (0.2, 0.1);
/// Fewer retries a second are none to speak of.
const FEW: f64 = 1.0;
/// No batch is as quick as this, seconds: an `ack_wait` below it is in the wrong unit.
const QUICKEST: f64 = 0.001;
/// Counts per subject that must agree.
const SWEEPS: u32 = 2;

/// Whether deliveries are taken back before a worker can have acked them.
fn impatient(consumer: &ConsumerFacts, crew: &Crew) -> bool {
    let batch = crew.batch_p95_s.filter(|_| consumer.followed);
    consumer.ack_wait_s > 0.0 && (consumer.ack_wait_s < QUICKEST || batch.is_some_and(|p95| consumer.ack_wait_s < p95))
}

pub(super) fn redelivery_storm(facts: &Facts) -> Vec<Finding> {
    let judge = |consumer: &ConsumerFacts| {
        let subject = Some(consumer.subject.clone());
        if !consumer.fresh {
            return Finding::between(subject);
        }
        let share = consumer
            .retries
            .zip(consumer.attempts)
            .filter(|(_, attempts)| *attempts > 0.0)
            .map(|(retries, attempts)| (retries, retries / attempts));
        let storm = share.is_some_and(|(retries, share)| share > RETRIES.0 && retries > FEW);
        let calm = share.is_none_or(|(retries, share)| share < RETRIES.1 || retries <= FEW);
        let many = consumer.monitor.redelivery.filter(|most| consumer.redelivered >= *most);
        let impatient = impatient(consumer, &facts.crew);
        let stage = stage(storm || impatient || many.is_some(), calm);
        Finding::new(subject, stage, || {
            let ack_wait = measured(consumer.ack_wait_s);
            let sentence = match share {
                _ if impatient => format!("ack_wait is {ack_wait}: webhooks are delivered again before they are done"),
                Some((_, share)) if storm => format!("{} of all deliveries are retries", text::percent(share)),
                _ => format!(
                    "{} delivered more than once",
                    counted(consumer.redelivered, "webhook was", "webhooks were")
                ),
            };
            let severity = if many.is_some() {
                Severity::Critical
            } else {
                Severity::Warning
            };
            Words::new(severity, sentence)
                .because_of(share.map(|(retries, _)| {
                    format!(
                        "{} of {} deliveries are retries",
                        rate(retries),
                        rate(consumer.attempts.unwrap_or_default())
                    )
                }))
                .because_of(
                    facts
                        .crew
                        .batch_p95_s
                        .filter(|_| consumer.followed)
                        .map(|p95| format!("ack_wait {ack_wait}, batch p95 {}", measured(p95))),
                )
                .because_of(many.map(|most| format!("redelivery-critical of its metadata is {}", count(most))))
                .because(format!(
                    "{} delivered more than once and not acked",
                    count(consumer.redelivered)
                ))
                .next(if impatient {
                    "set ack_wait well above the slowest batch, and mind its unit: nanoseconds in the API"
                } else {
                    "read the workers' errors: what fails is delivered again; idempotent workers bear it"
                })
        })
        .of_consumer(consumer)
    };
    facts.consumers.iter().map(judge).collect()
}

/// Stored, acknowledged to the provider, and nobody will ever get them.
pub(super) fn unmatched_messages(facts: &Facts) -> Vec<Finding> {
    let judge = |stream: &crate::model::verdicts::facts::StreamFacts| {
        let (messages, sweeps) = stream.unmatched?;
        let subject = Some(stream.name.clone());
        if !stream.fresh || !stream.keeps {
            return Some(Finding::between(subject));
        }
        let stage = stage(messages > 0.0 && sweeps >= SWEEPS, messages <= 0.0);
        Some(Finding::new(subject, stage, || {
            let subjects: Vec<String> = stream
                .unmatched_subjects
                .iter()
                .map(|subject| text::cut(&text::safe(subject), 60).into_owned())
                .collect();
            Words::new(
                Severity::Warning,
                format!(
                    "{} in {} match no consumer",
                    counted(messages, "message", "messages"),
                    stream.name
                ),
            )
            .because(format!(
                "no filter takes {}",
                names(subjects.iter().map(String::as_str))
            ))
            .because(format!("{sweeps} counts per subject agree"))
            .next("add a consumer for these subjects, or widen a filter: nobody gets them, and they fill the stream")
        }))
    };
    let of_webhooks = |stream: &&crate::model::verdicts::facts::StreamFacts| !stream.letters;
    facts.streams.iter().filter(of_webhooks).filter_map(judge).collect()
}

//! Rules about streams and servers: limits, space, leaders.

use super::queue::reaches;
use super::{Facts, Finding, Stage, Words, stage};
use crate::base::text;
use crate::model::queues::Limit;
use crate::model::verdicts::facts::{StreamFacts, is};
use crate::model::verdicts::words::{about, count, counted};
use crate::model::view::{Health, Severity};
use crate::sample::SourceKind;

/// A limit this near in time is alarming, seconds.
const SOON: f64 = 1_800.0;
/// A forecast counts from this share of a limit on: below it, batches alone look like growth.
const USED: f64 = 0.1;
/// Headroom that clears, above the threshold that alarms.
const CLEAR: f64 = 0.05;
/// A limit with less room than this is reached.
const REACHED: f64 = 0.005;

fn forecast(limit: &Limit) -> bool {
    limit.eta.is_some_and(|eta| eta < SOON) && limit.used >= USED * limit.most
}

/// The limit that is most pressing, where one is.
fn pressing(stream: &StreamFacts, headroom: f64) -> Option<&Limit> {
    stream
        .limits
        .iter()
        .filter(|limit| limit.headroom() < headroom || forecast(limit))
        .min_by(|a, b| a.headroom().total_cmp(&b.headroom()))
}

pub(super) fn limit_eviction(facts: &Facts) -> Vec<Finding> {
    let mut out = Vec::new();
    for stream in &facts.streams {
        let subject = Some(stream.name.clone());
        if !stream.fresh {
            out.push(Finding::between(subject));
            continue;
        }
        if stream.evicted > 0.0 {
            out.push(Finding::new(subject, Stage::Trigger, || {
                Words::new(
                    Severity::Critical,
                    format!(
                        "{} evicted from {} at a limit",
                        counted(stream.evicted, "webhook was", "webhooks were"),
                        stream.name
                    ),
                )
                .because("at least so many of the last minute were never delivered, whatever their PubAck said")
                .next("raise the limit or set discard: new, so that the gateway is told")
            }));
            continue;
        }
        let (warning, critical) = stream.monitor.messages;
        let over = |most: &f64| stream.messages >= *most;
        let most = critical.filter(over).or(warning.filter(over));
        if let Some(most) = most.filter(|_| !stream.monitor.too_few(stream.acks_remove)) {
            out.push(Finding::new(subject, Stage::Trigger, || {
                monitored(stream, most, critical.is_some_and(|c| over(&c)))
            }));
            continue;
        }
        // A log that rolls over at its limit is as it should be.
        let headroom = facts.thresholds.headroom;
        let near = pressing(stream, headroom).filter(|_| stream.keeps);
        let clear = !stream.keeps
            || stream
                .limits
                .iter()
                .all(|limit| limit.headroom() > headroom + CLEAR && !forecast(limit));
        out.push(match near {
            Some(limit) => Finding::new(subject, Stage::Trigger, || near_limit(stream, limit)),
            None if clear => continue,
            None => Finding::between(subject),
        });
    }
    out
}

/// More than the stream's own metadata calls well.
fn monitored(stream: &StreamFacts, most: f64, critical: bool) -> Words {
    let (severity, key) = if critical {
        (Severity::Critical, "msgs-critical")
    } else {
        (Severity::Warning, "msgs-warn")
    };
    Words::new(
        severity,
        format!(
            "{} holds {}",
            stream.name,
            counted(stream.messages, "message", "messages")
        ),
    )
    .because(format!("{key} of its metadata is {}", count(most)))
    .next("drain it, or change the threshold in its metadata")
}

/// Fewer messages than the stream's own metadata calls well.
pub(super) fn too_few(stream: &StreamFacts) -> Option<Finding> {
    let (warning, critical) = stream.monitor.messages;
    warning.or(critical)?;
    let subject = Some(stream.name.clone());
    if !stream.fresh {
        return Some(Finding::between(subject));
    }
    let under = |least: &f64| stream.messages <= *least;
    let (critical, warning) = (critical.filter(under), warning.filter(under));
    let least = critical.or(warning);
    let few = least.is_some() && stream.monitor.too_few(stream.acks_remove);
    Some(Finding::new(subject, stage(few, !few), || {
        let (severity, key) = if critical.is_some() {
            (Severity::Critical, "msgs-critical")
        } else {
            (Severity::Warning, "msgs-warn")
        };
        let holds = counted(stream.messages, "message", "messages");
        Words::new(severity, format!("{} holds only {holds}", stream.name))
            .because(format!("{key} of its metadata is {}", count(least.unwrap_or_default())))
            .next("look whether anybody publishes to it, and what deletes from it")
    }))
}

fn near_limit(stream: &StreamFacts, limit: &Limit) -> Words {
    let left = text::percent(limit.headroom().max(0.0));
    let text = match limit.eta {
        Some(eta) => format!("{}: {} in {}", stream.name, reaches(limit), about(eta)),
        None => format!("{}: {left} of {} left", stream.name, limit.name),
    };
    let used = match limit.name {
        "max_bytes" | "account storage" | "account memory" => {
            format!("{} of {} used", bytes(limit.used), bytes(limit.most))
        }
        "max_age" => format!("oldest message {} of {} old", about(limit.used), about(limit.most)),
        _ => format!("{} of {} used", count(limit.used), count(limit.most)),
    };
    Words::new(Severity::Warning, text)
        .because(format!("{}: {used}, {left} left", limit.name))
        .next(if limit.refuses {
            "drain the backlog or raise the limit; beyond it the gateway answers 503"
        } else {
            "drain the backlog or raise the limit; beyond it the oldest are lost"
        })
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "bytes are not negative; `as` saturates"
)]
fn bytes(value: f64) -> String {
    text::bytes(value as u64)
}

pub(super) fn storage_full(facts: &Facts) -> Vec<Finding> {
    facts
        .streams
        .iter()
        .filter(|stream| stream.followed)
        .map(|stream| {
            let reached = stream
                .limits
                .iter()
                .find(|limit| limit.refuses && limit.headroom() < REACHED);
            // Which subject is full only a sweep over the subjects tells; that one may be is enough
            // when the gateway's publishes fail.
            let may = reached.is_some()
                || stream
                    .per_subject
                    .is_some_and(|most| stream.messages >= most && facts.gate.unconfirmed > 0.0 && stream.refuses);
            let refused = facts.gate.no_space > 0.0 || (may && facts.gate.unconfirmed > 0.0);
            let stage = if stream.fresh || facts.gate.no_space > 0.0 {
                stage(refused, !refused)
            } else {
                Stage::Between
            };
            Finding::new(Some(stream.name.clone()), stage, || {
                let fact = match (reached, stream.per_subject) {
                    (Some(limit), _) => format!("{} of {} is reached", limit.name, count(limit.most)),
                    (None, Some(most)) => format!("a subject holds its limit of {}", count(most)),
                    (None, None) => "a limit of the stream, the account or the server".to_owned(),
                };
                let refusals = facts.gate.no_space.max(facts.gate.unconfirmed);
                Words::new(
                    Severity::Critical,
                    format!("{} is full: publishes are refused", stream.name),
                )
                .because(fact)
                .because(format!(
                    "{} refused in the last 10 s",
                    counted(refusals, "webhook", "webhooks")
                ))
                .next("drain the backlog or raise the limit; providers retry what got 503")
            })
        })
        .collect()
}

pub(super) fn leader_lost(facts: &Facts) -> Vec<Finding> {
    let mut out: Vec<Finding> = facts
        .streams
        .iter()
        .filter(|stream| stream.followed || stream.leaderless)
        .map(|stream| {
            let stage = if stream.fresh {
                stage(stream.leaderless, true)
            } else {
                Stage::Between
            };
            Finding::new(Some(stream.name.clone()), stage, || {
                Words::new(Severity::Critical, format!("Stream {} has no leader", stream.name))
                    .because("nothing can be stored or delivered until one is elected")
                    .next("look at the servers of its cluster: a majority of its replicas must be up")
            })
        })
        .collect();
    out.extend(
        facts
            .sources
            .iter()
            .filter(|source| is(source, SourceKind::Jetstream))
            .map(|source| {
                let failing = source.health == Health::Failing;
                Finding::new(
                    Some(source.id.name.clone()),
                    stage(failing, source.health == Health::Ok),
                    || {
                        let refused = (facts.gate.unconfirmed > 0.0).then(|| {
                            format!(
                                "{} without a PubAck in the last 10 s",
                                counted(facts.gate.unconfirmed, "webhook", "webhooks")
                            )
                        });
                        // Away, refusing our login, without JetStream or our stream: the error says which.
                        Words::new(Severity::Critical, "NATS cannot be read")
                            .because_unread(source.error.as_deref(), "look at the server and at the way to it")
                            .because_of(refused)
                    },
                )
            }),
    );
    out
}

//! Rules about consumers: who pulls, who holds, what waits.

use std::sync::Arc;
use std::time::Duration;

use super::stream::too_few;
use super::{Facts, Finding, Stage, Words, stage};
use crate::model::queues::Limit;
use crate::model::verdicts::facts::{ConsumerFacts, Crew};
use crate::model::verdicts::words::{about, count, counted, measured, names, rate};
use crate::model::view::Severity;
use crate::model::whatif;

/// Nothing must have moved for this long, seconds.
const STILL: f64 = 5.0;
/// A consumer that holds this share of what it may is saturated; below the second one not any more.
const FULL: (f64, f64) = (0.98, 0.9);
/// Growth counts above this share of the ingest.
const GROWTH: f64 = 0.02;
/// Without a completion for this long a backlog does not grow, it stands, seconds.
const HALT: f64 = 1.5;
/// A batch's size where no worker tells it.
const BATCH: f64 = 100.0;
/// Workers are worked out for a drain within this.
const DRAIN: Duration = Duration::from_mins(10);

fn each(facts: &Facts, find: impl Fn(&ConsumerFacts) -> Option<Finding>) -> Vec<Finding> {
    facts
        .consumers
        .iter()
        .filter_map(|consumer| {
            if consumer.fresh {
                find(consumer)
            } else {
                // Nothing is concluded from old numbers.
                Some(Finding::between(Some(subject(consumer))))
            }
        })
        .collect()
}

fn subject(consumer: &ConsumerFacts) -> Arc<str> {
    consumer.subject.clone()
}

/// Whether nobody pulls from a consumer.
pub(in crate::model) fn nobody_pulls(consumer: &ConsumerFacts, crew: &Crew) -> bool {
    let still = consumer.pending > 0.0
        && consumer.waiting <= 0.0
        && consumer.still_s >= STILL
        && !consumer.paused
        && consumer.fill.is_none_or(|fill| fill < FULL.0);
    let down = consumer.followed && crew.known > 0 && crew.down == crew.known;
    still && (down || consumer.ack_pending <= 0.0 || consumer.delivery_s > consumer.ack_wait_s)
}

pub(super) fn no_workers(facts: &Facts) -> Vec<Finding> {
    each(facts, |consumer| {
        // A delivery clears it.
        let stage = stage(nobody_pulls(consumer, &facts.crew), consumer.still_s < STILL);
        Some(Finding::new(Some(subject(consumer)), stage, || {
            let crew = &facts.crew;
            let text = format!(
                "No worker pulls: {} wait",
                counted(consumer.pending, "webhook", "webhooks")
            );
            let who = (consumer.followed && crew.known > 0).then(|| match crew.up {
                0 if crew.down == crew.known => format!("all {} known workers are down", crew.known),
                up => format!("{up} of {} workers are up, and pull nothing", crew.known),
            });
            Words::new(Severity::Critical, text)
                .because(format!(
                    "nothing was delivered for {}",
                    about(consumer.delivery_s.max(STILL))
                ))
                .because_of(who)
                .because(format!("{} held by workers", count(consumer.ack_pending)))
                .next("start the workers, and look why they stopped; webhooks stay in the stream meanwhile")
        }))
    })
}

pub(super) fn consumer_missing(facts: &Facts) -> Vec<Finding> {
    let gone = facts.missing.iter().map(|subject| {
        Finding::new(Some(subject.clone()), Stage::Trigger, || {
            Words::new(Severity::Critical, format!("Consumer {subject} is gone"))
                .because("it is configured or was seen before, and the server does not know it")
                .next("create it again with the same configuration: without it nothing is delivered")
        })
    });
    let anew = facts.consumers.iter().filter_map(|consumer| {
        let ago = consumer.recreated_s?;
        Some(Finding::new(Some(subject(consumer)), Stage::Trigger, || {
            Words::new(
                Severity::Warning,
                format!("Consumer {} was created anew", consumer.subject),
            )
            .because(format!("{} ago; its counters began again at 0", about(ago)))
            .next("check its configuration, and whether messages were delivered twice or passed over")
        }))
    });
    gone.chain(anew).collect()
}

pub(super) fn saturated(facts: &Facts) -> Vec<Finding> {
    each(facts, |consumer| {
        let of_limit = consumer.fill;
        let of_monitor = consumer.monitor.outstanding_ack.map(|most| consumer.ack_pending / most);
        let told = of_monitor.is_some_and(|share| share >= 1.0);
        let full = of_limit.is_some_and(|fill| fill >= FULL.0) && consumer.pending > 0.0;
        let room = of_limit.is_none_or(|fill| fill < FULL.1) && of_monitor.is_none_or(|share| share < FULL.1);
        of_limit.or(of_monitor)?;
        let stage = stage(full || told, room);
        Some(Finding::new(Some(subject(consumer)), stage, || {
            let monitored = consumer.monitor.outstanding_ack.filter(|_| told && !full);
            let most = monitored.or(consumer.max_ack_pending).unwrap_or_default();
            let severity = if told { Severity::Critical } else { Severity::Warning };
            Words::new(
                severity,
                format!(
                    "Workers hold {} of {} allowed",
                    count(consumer.ack_pending),
                    count(most)
                ),
            )
            .because(format!(
                "{} wait meanwhile",
                counted(consumer.pending, "webhook", "webhooks")
            ))
            .because_of(told.then(|| {
                let most = count(consumer.monitor.outstanding_ack.unwrap_or_default());
                format!("outstanding-ack-critical of its metadata is {most}")
            }))
            .because_of(facts.crew.batch_p95_s.map(|p95| format!("batch p95 {}", measured(p95))))
            .next("find what slows the workers; raise max_ack_pending only if they can take more")
        }))
    })
}

/// What metadata calls critical, and no other rule is about.
pub(super) fn metadata_threshold(facts: &Facts) -> Vec<Finding> {
    let pulls = facts.consumers.iter().filter_map(|consumer| {
        let most = consumer.monitor.waiting?;
        if !consumer.fresh {
            return Some(Finding::between(Some(subject(consumer))));
        }
        let over = consumer.waiting >= most;
        Some(Finding::new(Some(subject(consumer)), stage(over, !over), || {
            let waiting = counted(consumer.waiting, "pull waits", "pulls wait");
            Words::new(Severity::Critical, format!("{waiting} on {}", consumer.subject))
                .because(format!("waiting-critical of its metadata is {}", count(most)))
                .because(format!(
                    "{} never delivered, {} held",
                    counted(consumer.pending, "message", "messages"),
                    count(consumer.ack_pending)
                ))
                .next("look whether workers pull again before a pull has ended, or whether there are too many of them")
        }))
    });
    pulls.chain(facts.streams.iter().filter_map(too_few)).collect()
}

/// For how long nothing may be completed before that is a stall.
fn patience(crew: &Crew) -> f64 {
    crew.batch_p95_s.map_or(STILL, |p95| (3.0 * p95).max(STILL))
}

/// What metadata calls too long without an ack or a delivery, where it is that long.
fn told_late(consumer: &ConsumerFacts) -> Option<String> {
    let monitor = &consumer.monitor;
    let late = |limit: Option<f64>, since: f64| limit.filter(|limit| since >= *limit);
    let ack = late(monitor.last_ack, consumer.idle_s).map(|limit| ("last-ack-critical", limit));
    let delivery = late(monitor.last_delivery, consumer.delivery_s)
        .filter(|_| consumer.pending > 0.0)
        .map(|limit| ("last-delivery-critical", limit));
    let (key, limit) = ack.or(delivery)?;
    Some(format!("{key} of its metadata is {}", measured(limit)))
}

/// Whether there is a backlog and nothing is completed, though it should be.
pub(in crate::model) fn is_stalled(consumer: &ConsumerFacts, crew: &Crew) -> bool {
    let told = told_late(consumer).is_some();
    consumer.backlog() > 0.0
        && (consumer.idle_s >= patience(crew) || told)
        && !consumer.only_retries
        && !consumer.paused
}

pub(super) fn stalled(facts: &Facts) -> Vec<Finding> {
    let crew = &facts.crew;
    let deserted = crew.known > 0 && crew.down == crew.known;
    each(facts, |consumer| {
        // Nobody is there: a moment later that is said, and it is the cause.
        if deserted && consumer.followed && consumer.still_s < STILL {
            return Some(Finding::between(Some(subject(consumer))));
        }
        let stage = stage(
            is_stalled(consumer, &facts.crew),
            !is_stalled(consumer, &facts.crew) && (consumer.idle_s < STILL || consumer.backlog() <= 0.0),
        );
        Some(Finding::new(Some(subject(consumer)), stage, || {
            let crew = &facts.crew;
            Words::new(
                Severity::Critical,
                format!(
                    "Nothing is completed, {} wait",
                    counted(consumer.backlog(), "webhook", "webhooks")
                ),
            )
            .because(format!("no ack for {}", about(consumer.idle_s)))
            .because_of(told_late(consumer))
            .because(format!(
                "{} held by workers, {} waiting",
                count(consumer.ack_pending),
                count(consumer.pending)
            ))
            .because_of((crew.known > 0).then(|| format!("{} of {} workers up", crew.up, crew.known)))
            .because_of((!crew.silent.is_empty()).then(|| {
                let silent = names(crew.silent.iter().map(|name| &**name));
                format!("{silent}: runs, and answers nobody")
            }))
            .because_of(crew.update_p95_s.map(|p95| format!("database p95 {}", measured(p95))))
            .next("look at what the workers wait for: locks in Postgres, a remote call, a stuck batch")
        }))
    })
}

pub(super) fn backlog_growing(facts: &Facts) -> Vec<Finding> {
    each(facts, |consumer| {
        let rise = consumer.rise;
        if rise.steps < 5 || rise.seconds <= 0.0 {
            return Some(Finding::between(Some(subject(consumer))));
        }
        let slope = rise.grown / rise.seconds;
        let batch = facts.crew.batch.unwrap_or(BATCH).max(1.0);
        let waits = consumer
            .oldest_waiting_s
            .or_else(|| Some(consumer.pending / consumer.completed.filter(|rate| *rate > 0.0)?));
        // Nothing is completed, or nothing delivered while workers finish what they hold: that is a
        // stall in the making, and soon named.
        if consumer.idle_s.max(consumer.undelivered_s) >= HALT {
            return Some(Finding::between(Some(subject(consumer))));
        }
        let over = consumer
            .monitor
            .unprocessed
            .is_some_and(|most| consumer.pending >= most);
        let grows = over
            || rise.rises >= 5
                && slope > GROWTH * consumer.ingest.unwrap_or(0.0)
                && rise.grown > 2.0 * batch
                && waits.is_none_or(|age| age > 1.0);
        Some(Finding::new(Some(subject(consumer)), stage(grows, true), || {
            falling_behind(facts, consumer, slope, waits)
        }))
    })
}

fn falling_behind(facts: &Facts, consumer: &ConsumerFacts, slope: f64, waits: Option<f64>) -> Words {
    let lag = consumer.lag.unwrap_or(facts.thresholds.lag.1.as_secs_f64());
    let over = consumer.monitor.unprocessed.filter(|most| consumer.pending >= *most);
    let late = over.is_some() || waits.is_some_and(|age| age > lag);
    let severity = if late { Severity::Critical } else { Severity::Warning };
    let oldest = waits
        .map(|age| format!(", oldest waits {}", measured(age)))
        .unwrap_or_default();
    let paces = consumer
        .ingest
        .zip(consumer.completed)
        .map(|(ingest, completed)| format!("{} arrive, {} are completed", rate(ingest), rate(completed)));
    let text = match over {
        Some(most) if slope <= 0.0 => {
            format!("{} wait, {} are called critical", count(consumer.pending), count(most))
        }
        _ => format!("Falling behind by {}", rate(slope)),
    };
    Words::new(severity, text)
        .because(format!("backlog {}{oldest}", count(consumer.backlog())))
        .because_of(over.map(|most| format!("unprocessed-critical of its metadata is {}", count(most))))
        .because_of(paces)
        .because_of(consumer.followed.then(|| crew_fact(&facts.crew)).flatten())
        .because_of(consumer.followed.then(|| database_fact(&facts.crew)).flatten())
        .next(drain_advice(facts, consumer, slope))
}

/// `4 workers pull, each at its ceiling of 2,470/s`.
fn crew_fact(crew: &Crew) -> Option<String> {
    let each = crew.per_worker?;
    Some(match crew.up {
        1 => format!("1 worker pulls, {}", rate(each)),
        up => format!("{up} workers pull, {} each", rate(each)),
    })
}

/// `database p95 31 ms, breaker closed`.
fn database_fact(crew: &Crew) -> Option<String> {
    let breaker = match (
        crew.breaker_known,
        crew.breaker_open.len() + crew.breaker_half_open.len(),
    ) {
        (0, _) => None,
        (_, 0) => Some("breaker closed".to_owned()),
        (known, open) => Some(format!("breaker open on {open} of {known}")),
    };
    let update = crew.update_p95_s.map(|p95| format!("database p95 {}", measured(p95)));
    let facts: Vec<String> = update.into_iter().chain(breaker).collect();
    (!facts.is_empty()).then(|| facts.join(", "))
}

/// `6 workers would drain it in 9 min; as it is, max_bytes is reached in 21 min`.
fn drain_advice(facts: &Facts, consumer: &ConsumerFacts, slope: f64) -> String {
    let backlog = consumer.backlog();
    let crew = facts.crew.per_worker.filter(|_| consumer.followed);
    let ingest = consumer
        .ingest
        .or_else(|| consumer.completed.map(|completed| completed + slope));
    let drained = crew.zip(ingest).and_then(|(each, ingest)| {
        let least = whatif::workers_to_drain(backlog, ingest, each, DRAIN)?;
        let workers = least.max(facts.crew.up as u64 + 1);
        let time = whatif::time_to_drain(backlog, ingest, each, workers)?;
        Some(format!(
            "{workers} workers would drain it in {}",
            about(time.as_secs_f64())
        ))
    });
    let limit = facts
        .next_limit
        .as_ref()
        .filter(|_| consumer.followed)
        .and_then(|limit| Some(format!("as it is, {} in {}", reaches(limit), about(limit.eta?))));
    match (drained, limit) {
        (Some(drained), Some(limit)) => format!("{drained}; {limit}"),
        (Some(only), None) | (None, Some(only)) => only,
        (None, None) => "add workers, or find what slows them".to_owned(),
    }
}

/// What happens at a limit.
pub(super) fn reaches(limit: &Limit) -> String {
    if limit.refuses {
        format!("{} refuses webhooks", limit.name)
    } else {
        format!("{} evicts the oldest", limit.name)
    }
}

pub(super) fn parked_messages(facts: &Facts) -> Vec<Finding> {
    each(facts, |consumer| {
        let (parked, kept) = consumer.parked?;
        let stage = stage(parked > 0.0 && !kept, parked <= 0.0);
        Some(Finding::new(Some(subject(consumer)), stage, || {
            Words::new(
                Severity::Warning,
                format!(
                    "{} past max_deliver, delivered no more",
                    counted(parked, "message is parked", "messages are parked")
                ),
            )
            .because("stored, in no backlog, and redelivered before: three readings agree")
            .next("replay or delete them; raising max_deliver does not revive them")
        }))
    })
}

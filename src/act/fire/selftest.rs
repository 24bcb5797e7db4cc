//! Attacks on our own gateway: every variant once, and what it made of them.

use serde::Serialize;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::error::{FireError, PlanError};
use super::mix::{Entry, Mix};
use super::outcome::{Exchange, Progress};
use super::plan::{Limit, Plan};
use super::run::run;
use super::variant::Variant;
use crate::act::pace::Shape;
use crate::base::text;
use crate::base::time::SharedClock;

/// What a gateway made of a variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Judgement {
    /// As it should be.
    Right,
    /// It took what it should not have taken, or refused what it should have taken.
    Wrong,
    /// Its answer does not tell.
    Unclear,
    /// This webhook cannot be sent like that.
    NotApplicable,
}

/// One attack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Attack {
    /// Which.
    pub variant: &'static str,
    /// What the gateway made of it.
    pub judgement: Judgement,
    /// The status of its answer; `None`: none.
    pub status: Option<u16>,
    /// What that means, in one sentence.
    pub text: String,
}

/// Fires every variant, one after the other, and tells each as it is known. `plan` says where and
/// how; what it says of mix, count and pace does not matter.
///
/// # Errors
/// When nothing can be sent at all.
pub async fn selftest(
    plan: &Plan,
    entry: &Entry,
    clock: &SharedClock,
    mut tell: impl FnMut(&Attack),
    stop: &CancellationToken,
) -> Result<Vec<Attack>, FireError> {
    let mut attacks = Vec::new();
    for variant in Variant::ALL {
        if stop.is_cancelled() {
            break;
        }
        let attack = match attempt(plan, entry, variant, clock, stop).await? {
            Ok(exchange) => judge(variant, exchange.as_ref()),
            Err(reason) => Attack {
                variant: variant.name(),
                judgement: Judgement::NotApplicable,
                status: None,
                text: reason,
            },
        };
        tell(&attack);
        attacks.push(attack);
    }
    Ok(attacks)
}

/// The last exchange of a variant, or why it cannot be had.
async fn attempt(
    plan: &Plan,
    entry: &Entry,
    variant: Variant,
    clock: &SharedClock,
    stop: &CancellationToken,
) -> Result<Result<Option<Exchange>, String>, FireError> {
    let mix = match Mix::new(vec![entry.clone()], &[(variant, 1.0)], None) {
        Ok(mix) => mix,
        Err(PlanError::Unfit { reason, .. }) => return Ok(Err(reason)),
        Err(error) => return Err(error.into()),
    };
    let (reports, mut heard) = mpsc::unbounded_channel();
    let plan = Plan {
        mix: mix.into(),
        // The one that is replayed, and the replay.
        limit: Limit {
            count: Some(if variant == Variant::ReplayedId { 2 } else { 1 }),
            duration: None,
        },
        shape: Shape::Unpaced,
        concurrency: std::num::NonZeroUsize::MIN,
        batch: None,
        webhooks: None,
        // Whoever cuts a slow body off does so before it is whole.
        timeout: if variant == Variant::SlowBody {
            plan.timeout.max(plan.slow_for + plan.timeout)
        } else {
            plan.timeout
        },
        retries: 0,
        expect: Vec::new(),
        reports: Some(reports),
        steering: None,
        // Ids of its own: what one variant sent is no replay for the next.
        seed: plan.seed.wrapping_add(variant as u64),
        ..plan.clone()
    };
    let (progress, _watched) = watch::channel(Progress::default());
    run(plan, clock.clone(), progress, stop.clone()).await?;
    let mut last = None;
    while let Some(exchange) = heard.recv().await {
        last = Some(exchange);
    }
    Ok(Ok(last))
}

fn judge(variant: Variant, exchange: Option<&Exchange>) -> Attack {
    let attack = |judgement, status, text: String| Attack {
        variant: variant.name(),
        judgement,
        status,
        text,
    };
    let Some(exchange) = exchange else {
        return attack(Judgement::Unclear, None, "it was interrupted".to_owned());
    };
    let Some(status) = exchange.status else {
        let why = exchange.failure.map_or("no answer", super::FailureKind::name);
        // A connection that is closed on a huge or slow body is a refusal, too.
        let is_cut = matches!(variant, Variant::Oversized | Variant::SlowBody)
            && exchange.failure == Some(super::FailureKind::Closed);
        return if is_cut {
            attack(Judgement::Right, None, "cut off: the connection was closed".to_owned())
        } else {
            let judgement = if variant == Variant::Valid {
                Judgement::Wrong
            } else {
                Judgement::Unclear
            };
            let reason = text::safe(&exchange.body).into_owned();
            attack(
                judgement,
                None,
                format!("no answer ({why}): {}", text::cut(&reason, 120)),
            )
        };
    };
    let (judgement, text) = match (variant, status) {
        (Variant::Valid, 200..=299) => (Judgement::Right, "accepted"),
        (Variant::Valid, _) => (
            Judgement::Wrong,
            "refused, although nothing is wrong with it: check key, scheme and URL, the rest proves nothing",
        ),
        (Variant::ReplayedId, 200..=299) if says_duplicate(&exchange.body) => {
            (Judgement::Right, "recognised as a duplicate")
        }
        (Variant::ReplayedId, 200..=299) => (
            Judgement::Unclear,
            "answered like the first one: does the stream hold it twice? --trace tells",
        ),
        (_, 200..=299) => (Judgement::Wrong, "accepted, which it should not be"),
        (_, 300..=399) => (Judgement::Unclear, "redirected: fire at where it leads"),
        (_, 400..=499) => (Judgement::Right, "refused"),
        _ => (Judgement::Unclear, "not accepted, but by an error of the gateway's own"),
    };
    attack(judgement, Some(status), text.to_owned())
}

/// Whether an answer says that the webhook was there already.
fn says_duplicate(body: &str) -> bool {
    let body: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    body["duplicate"] == true || body["status"] == "duplicate"
}

//! From what was composed to a plan: how many, how fast, in what company.

use std::num::{NonZeroU64, NonZeroUsize};
use std::time::Duration;

use super::error::PlanError;
use super::expect::Expectation;
use super::mix::Mix;
use super::order::Composed;
use super::plan::{HttpVersion, Limit, Plan};
use super::variant::Variant;
use crate::act::pace::{Rate, Shape};
use crate::config::Tls;

/// Lanes of a load whose concurrency is not given.
const LANES: usize = 64;

/// Several webhooks in one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    /// At most so many.
    pub size: NonZeroUsize,
    /// And at most what the rate brings in this time.
    pub within: Option<Duration>,
}

/// How many, how fast, and what must hold. The default is one valid webhook, answered 2xx or not.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Load {
    /// How many webhooks; 1 where neither this nor a duration is given.
    pub count: Option<u64>,
    /// How long.
    pub duration: Option<Duration>,
    /// How many webhooks a second; `None`: one after the other in each lane.
    pub rate: Option<f64>,
    /// All at once.
    pub burst: bool,
    /// Requests in flight at most.
    pub concurrency: Option<NonZeroUsize>,
    /// Webhooks in one request.
    pub batch: Option<Batch>,
    /// For one request.
    pub timeout: Option<Duration>,
    /// Attempts beyond the first.
    pub retries: u32,
    /// Which HTTP.
    pub version: HttpVersion,
    /// An attack instead of a valid webhook.
    pub variant: Variant,
    /// What must hold.
    pub expect: Vec<Expectation>,
    /// For the same webhooks again.
    pub seed: Option<u64>,
    /// A CA, and a certificate of our own.
    pub tls: Tls,
}

impl Load {
    /// Whether it is more than one webhook.
    #[must_use]
    pub fn is_load(&self) -> bool {
        self.count.is_some_and(|count| count > 1) || self.duration.is_some()
    }

    /// How many webhooks a request holds. At a steady rate, a batch that is closed after a time
    /// always holds as many: the first, and what comes until then.
    fn batch_size(&self, rate: Option<Rate>) -> Result<Option<NonZeroUsize>, PlanError> {
        let Some(Batch { size, within }) = self.batch else {
            return Ok(None);
        };
        let Some(within) = within else {
            return Ok(Some(size));
        };
        let rate = rate.ok_or(PlanError::BatchTime)?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "above 0, and cut to the size"
        )]
        let come = (rate.as_f64() * within.as_secs_f64()).floor().min(size.get() as f64) as usize;
        Ok(NonZeroUsize::new(come.saturating_add(1)).map(|come| come.min(size)))
    }
}

impl Composed {
    /// What is fired, checked.
    ///
    /// # Errors
    /// When it cannot be fired like that.
    pub fn plan(&self, load: &Load) -> Result<Plan, PlanError> {
        let variant = load.variant;
        let mix = Mix::new(vec![self.entry.clone()], &[(variant, 1.0)], None)?;
        // A replay needs something to replay.
        let one = if variant == Variant::ReplayedId { 2 } else { 1 };
        let webhooks = load.count.or_else(|| load.duration.is_none().then_some(one));
        let rate = load.rate.map(Rate::per_second).transpose()?;
        let size = load.batch_size(rate)?;
        let per_request = size.map_or(1, |size| size.get() as u64);
        let base = Plan::new(&self.url, mix, load.seed.unwrap_or_else(rand::random));
        let plan = Plan {
            limit: Limit {
                count: webhooks.map(|webhooks| webhooks.div_ceil(per_request)),
                duration: load.duration,
            },
            webhooks,
            shape: match rate {
                Some(rate) => Shape::Steady(Rate::per_second(rate.as_f64() / per_request as f64)?),
                None if load.burst => Shape::Bursts {
                    size: webhooks.and_then(NonZeroU64::new).unwrap_or(NonZeroU64::MIN),
                    every: Duration::ZERO,
                },
                None => Shape::Unpaced,
            },
            concurrency: load
                .concurrency
                .or_else(|| NonZeroUsize::new(if load.is_load() { LANES } else { 1 }))
                .unwrap_or(NonZeroUsize::MIN),
            batch: size,
            timeout: load.timeout.unwrap_or(match variant {
                Variant::SlowBody => base.slow_for + base.timeout,
                _ => base.timeout,
            }),
            retries: load.retries,
            version: load.version,
            tls: load.tls.clone(),
            redactor: self.redactor.clone(),
            expect: load.expect.clone(),
            ..base
        };
        plan.check()?;
        Ok(plan)
    }
}

//! The load: the firing engine, aimed at the lab's gateway, its rate and mix changing with the
//! scenario's phases.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::LabError;
use super::scenario::Phase;
use super::up::Lab;
use crate::act::fire::{
    Entry, FireError, Library, Limit, Mix, Plan, PlanError, Poison, Progress, Steering, Summary, Variant, run,
};
use crate::act::pace::{Rate, Shape};
use crate::base::time::SharedClock;
use crate::signature::Signer;

/// Why a webhook can't be processed, as the reference worker knows it. All of them, when a
/// phase names none.
pub const CAUSES: [&str; 5] = [
    "timeout",
    "recipient_not_found",
    "invalid_payload",
    "upstream_500",
    "duplicate_key",
];

/// Requests in flight at most. A gateway answers within milliseconds: 64 are enough for tens of
/// thousands a second, and few enough to be kind to one that hangs.
const CONCURRENCY: NonZeroUsize = NonZeroUsize::new(64).unwrap();

/// How long a request may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Where a load goes, and how it is signed.
#[derive(Clone, Debug)]
pub struct Target {
    /// The gateway's URL; a provider's webhooks go to `/webhooks/<provider>` there.
    pub url: String,
    /// Signing keys by provider.
    pub keys: BTreeMap<String, SecretString>,
}

/// What is sent: the sum of all phases so far.
#[derive(Clone, Debug, PartialEq)]
pub struct Traffic {
    /// Webhooks a second.
    pub rate: f64,
    /// Providers or templates and their weights.
    pub providers: BTreeMap<String, f64>,
    /// Share that no worker can process.
    pub poison: f64,
    /// Why not.
    pub causes: Vec<String>,
    /// Share that is wrong on purpose, by variant.
    pub variants: BTreeMap<String, f64>,
}

impl Default for Traffic {
    /// Nothing yet; of both providers, once there is a rate.
    fn default() -> Self {
        Self {
            rate: 0.0,
            providers: [("telnyx".to_owned(), 70.0), ("resend".to_owned(), 30.0)].into(),
            poison: 0.0,
            causes: CAUSES.map(str::to_owned).into(),
            variants: BTreeMap::new(),
        }
    }
}

impl Traffic {
    /// What a phase makes of it.
    pub fn change(&mut self, phase: &Phase) {
        fn set<T: Clone>(field: &mut T, value: Option<&T>) {
            if let Some(value) = value {
                field.clone_from(value);
            }
        }
        set(&mut self.rate, phase.rate.as_ref());
        set(&mut self.providers, phase.providers.as_ref());
        set(&mut self.poison, phase.poison.as_ref());
        set(&mut self.causes, phase.causes.as_ref());
        set(&mut self.variants, phase.variants.as_ref());
    }

    fn shape(&self) -> Result<Shape, LabError> {
        if self.rate == 0.0 {
            return Ok(Shape::Steady(Rate::PAUSED));
        }
        let rate = Rate::per_second(self.rate).map_err(|error| LabError::server("set the load's rate", &error))?;
        Ok(Shape::Steady(rate))
    }

    fn mix(&self, keys: &BTreeMap<String, SecretString>) -> Result<Mix, LabError> {
        let library = Library::load(None);
        let mut entries = Vec::new();
        for (name, weight) in self.providers.iter().filter(|(_, weight)| **weight > 0.0) {
            let of_provider: Vec<_> = library
                .templates()
                .filter(|template| &**template.provider() == name.as_str())
                .collect();
            let templates = if of_provider.is_empty() {
                vec![library.get(name)?]
            } else {
                of_provider
            };
            let share = weight / templates.len() as f64;
            for template in templates {
                let provider = template.provider();
                let key = keys.get(&**provider);
                let key = key.ok_or_else(|| LabError::Without(format!("signing key of {provider}")))?;
                let signer = Signer::new(template.scheme(), key)
                    .map_err(|error| LabError::server(format!("sign as {provider}"), &error))?;
                entries.push(Entry {
                    path: Some(format!("/webhooks/{provider}")),
                    template: template.clone(),
                    weight: share,
                    signer: Some(signer),
                });
            }
        }
        let variants = self
            .variants
            .iter()
            .map(|(name, share)| Ok((name.parse::<Variant>()?, *share)))
            .collect::<Result<Vec<_>, crate::act::fire::UnknownVariant>>()
            .map_err(|error| LabError::server("read the load's variants", &error))?;
        let poison = (self.poison > 0.0).then(|| Poison {
            share: self.poison,
            causes: self.causes.iter().map(|cause| Arc::from(cause.as_str())).collect(),
        });
        Mix::new(entries, &variants, poison).map_err(plan_error)
    }
}

fn plan_error(error: PlanError) -> LabError {
    LabError::Load(FireError::Plan(error))
}

/// A running load. Dropping it stops it.
#[derive(Debug)]
pub struct Load {
    keys: BTreeMap<String, SecretString>,
    traffic: Traffic,
    steering: watch::Sender<Steering>,
    progress: watch::Receiver<Progress>,
    stop: CancellationToken,
    run: JoinHandle<Result<Summary, FireError>>,
}

impl Load {
    /// Starts to send `traffic`, until `limit` or until it is stopped. The same `seed` sends the
    /// same webhooks, ids included: twice within the stream's duplicate window, and the second
    /// ones are duplicates.
    ///
    /// # Errors
    /// When the traffic makes no sense. What goes wrong later is in the summary.
    pub fn start(
        target: Target,
        traffic: Traffic,
        seed: u64,
        limit: Limit,
        clock: SharedClock,
    ) -> Result<Self, LabError> {
        let mix = traffic.mix(&target.keys)?;
        let shape = traffic.shape()?;
        let mut plan = Plan::new(target.url, mix, seed);
        let (steering, steered) = watch::channel(Steering {
            shape,
            mix: plan.mix.clone(),
        });
        plan.shape = shape;
        plan.limit = limit;
        plan.concurrency = CONCURRENCY;
        plan.timeout = TIMEOUT;
        plan.steering = Some(steered);
        plan.check().map_err(plan_error)?;
        let (reports, progress) = watch::channel(Progress::default());
        let stop = CancellationToken::new();
        Ok(Self {
            keys: target.keys,
            traffic,
            steering,
            progress,
            run: tokio::spawn(run(plan, clock, reports, stop.clone())),
            stop,
        })
    }

    /// What is sent now.
    #[must_use]
    pub fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// Changes what is sent.
    ///
    /// # Errors
    /// When that makes no sense: what was sent before goes on.
    pub fn change(&mut self, phase: &Phase) -> Result<(), LabError> {
        let mut traffic = self.traffic.clone();
        traffic.change(phase);
        let shape = traffic.shape()?;
        let mix = Arc::new(traffic.mix(&self.keys)?);
        self.steering.send_replace(Steering { shape, mix });
        self.traffic = traffic;
        Ok(())
    }

    /// Where it stands; a new value four times a second.
    #[must_use]
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.clone()
    }

    /// Stops it, waits for the answers to what was sent, and returns what it came to.
    ///
    /// # Errors
    /// When it could not be sent at all.
    pub async fn stop(self) -> Result<Summary, LabError> {
        self.stop.cancel();
        self.finished().await
    }

    /// Waits until it ends by its own limit or `stop` is cancelled.
    ///
    /// # Errors
    /// When it could not be sent at all.
    pub async fn until(self, stop: &CancellationToken) -> Result<Summary, LabError> {
        let own = self.stop.clone();
        let mut finished = pin!(self.finished());
        tokio::select! {
            summary = &mut finished => summary,
            () = stop.cancelled() => {
                own.cancel();
                finished.await
            }
        }
    }

    /// Waits until it ends by its own limit.
    ///
    /// # Errors
    /// When it could not be sent at all.
    pub async fn finished(mut self) -> Result<Summary, LabError> {
        match (&mut self.run).await {
            Ok(summary) => Ok(summary?),
            Err(error) => Err(LabError::server("send the load", &error)),
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Lab {
    /// Where a load for this lab goes: its first gateway.
    ///
    /// # Errors
    /// When the lab has none.
    pub fn target(&self) -> Result<Target, LabError> {
        Ok(Target {
            url: self.gateway_url()?,
            keys: self.signing_keys(),
        })
    }

    /// Sends webhooks to the gateway, until `limit` or until it is stopped: see [`Load::start`].
    ///
    /// # Errors
    /// When the traffic makes no sense.
    pub fn load(&self, traffic: Traffic, seed: u64, limit: Limit, clock: SharedClock) -> Result<Load, LabError> {
        Load::start(self.target()?, traffic, seed, limit, clock)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> BTreeMap<String, SecretString> {
        use crate::pipeline::provider::Provider;
        use crate::signature::SecretPair;
        let pair = |p: Provider| SecretPair::generate(&p.scheme(), &mut rand::rng()).signing;
        Provider::ALL.map(|p| (p.name().to_owned(), pair(p))).into()
    }

    #[test]
    fn a_phase_changes_only_what_it_names() {
        let mut traffic = Traffic::default();
        traffic.change(&Phase {
            rate: Some(5.0),
            poison: Some(0.5),
            ..Phase::default()
        });
        assert_eq!((traffic.rate, traffic.poison), (5.0, 0.5));
        assert_eq!(traffic.causes.len(), CAUSES.len());
        traffic.change(&Phase {
            poison: Some(0.0),
            ..Phase::default()
        });
        assert_eq!((traffic.rate, traffic.poison), (5.0, 0.0));
    }

    #[test]
    fn providers_stand_for_their_templates_and_templates_for_themselves() {
        let mut traffic = Traffic::default();
        assert!(traffic.mix(&keys()).is_ok());
        traffic.providers = [("telnyx.message.sent".to_owned(), 1.0)].into();
        assert!(traffic.mix(&keys()).is_ok());
        traffic.providers = [("telnyx".to_owned(), 0.0)].into();
        assert!(traffic.mix(&keys()).is_err(), "nothing is left to send");
        traffic.providers = [("stripe".to_owned(), 1.0)].into();
        let error = traffic.mix(&keys()).unwrap_err().to_string();
        assert_eq!(error, "this lab has no signing key of stripe");
        traffic.providers = [("acme".to_owned(), 1.0)].into();
        assert!(traffic.mix(&keys()).unwrap_err().to_string().contains("acme"));
    }

    #[test]
    fn a_rate_of_zero_is_a_pause() {
        let mut traffic = Traffic::default();
        assert_eq!(traffic.shape().unwrap(), Shape::Steady(Rate::PAUSED));
        traffic.rate = -1.0;
        assert!(traffic.shape().is_err());
    }
}

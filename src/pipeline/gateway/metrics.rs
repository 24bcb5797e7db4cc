//! What the gateway counts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::outcome::{Outcome, Refusal, Unconfirmed};
use crate::pipeline::metrics::{Counters, Labels, PerEvent, UNKNOWN, count, counter, response_buckets};
use crate::pipeline::provider::Provider;

/// The gateway's metrics.
pub(super) struct Metrics {
    received: Counters,
    refused: Counters,
    unconfirmed: Counters,
    queued: Counters,
    in_flight: Gauge,
    providers: BTreeMap<Provider, PerProvider>,
    unknown: Histogram,
    events: PerEvent<Event>,
}

/// Handles of one provider.
struct PerProvider {
    duplicate: Counter,
    valid: Counter,
    invalid: Counter,
    response: Histogram,
}

/// Handles of one event.
#[derive(Debug)]
pub(super) struct Event {
    received: Counter,
    queued: Counter,
}

impl Metrics {
    /// Registers every family, with all series of the `enabled` providers at 0.
    pub(super) fn register(registry: &mut Registry, enabled: impl Iterator<Item = Provider>) -> Self {
        let [refused, unconfirmed, queued, duplicate, received, signature]: [Counters; 6] = Default::default();
        let response: Family<Labels, Histogram, fn() -> Histogram> =
            Family::new_with_constructor(|| Histogram::new(response_buckets()));
        let in_flight = Gauge::default();
        // The page is written in this order. What a webhook becomes stands before its arrival,
        // so that a page never shows more outcomes than arrivals.
        registry.register("webhook_refused", "Answered 4xx", refused.clone());
        registry.register("webhook_unconfirmed", "Without a PubAck", unconfirmed.clone());
        registry.register("webhook_queued", "With a PubAck, duplicates included", queued.clone());
        registry.register("webhook_duplicate", "PubAcks that said duplicate", duplicate.clone());
        registry.register(
            "webhook_in_flight",
            "Webhooks whose outcome is not known yet",
            in_flight.clone(),
        );
        registry.register("webhook_received", "Webhooks that arrived", received.clone());
        registry.register("webhook_signature_verification", "Signature checks", signature.clone());
        registry.register(
            "webhook_response_duration_seconds",
            "Time to the answer",
            response.clone(),
        );

        let providers: BTreeMap<Provider, PerProvider> = enabled
            .map(|provider| {
                let name = provider.name();
                let labels: Labels = vec![("provider", name.into())];
                let handles = PerProvider {
                    duplicate: counter(&duplicate, [("provider", name)]),
                    valid: counter(&signature, [("provider", name), ("status", "valid")]),
                    invalid: counter(&signature, [("provider", name), ("status", "invalid")]),
                    response: response.get_or_create_owned(&labels),
                };
                (provider, handles)
            })
            .collect();
        for provider in providers.keys().map(|provider| provider.name()).chain([UNKNOWN]) {
            for refusal in Refusal::ALL {
                counter(&refused, [("provider", provider), ("reason", refusal.label())]);
            }
            for reason in Unconfirmed::ALL {
                counter(&unconfirmed, [("provider", provider), ("reason", reason.label())]);
            }
            counter(&received, invalid(provider));
        }
        let events = PerEvent::new(&|provider, event| Event::new(&received, &queued, provider, event));
        Self {
            unknown: response.get_or_create_owned(&vec![("provider", UNKNOWN.into())]),
            received,
            refused,
            unconfirmed,
            queued,
            in_flight,
            providers,
            events,
        }
    }

    /// So many more webhooks are in flight.
    pub(super) fn in_flight(&self, more: i64) {
        self.in_flight.inc_by(more);
    }

    /// A webhook arrived that is refused before its event is known.
    pub(super) fn refused(&self, provider: &str, refusal: Refusal) {
        count(&self.received, invalid(provider));
        count(&self.refused, [("provider", provider), ("reason", refusal.label())]);
    }

    /// A signature was checked.
    pub(super) fn verified(&self, provider: Provider, valid: bool) {
        if let Some(handles) = self.providers.get(&provider) {
            if valid { &handles.valid } else { &handles.invalid }.inc();
        }
    }

    /// A valid webhook arrived; its outcome is to be counted with [`Self::settled`].
    pub(super) fn received(&self, provider: Provider, event: &str) -> Arc<Event> {
        let handles = self.events.of(provider.name(), event, &|provider, event| {
            Event::new(&self.received, &self.queued, provider, event)
        });
        handles.received.inc();
        handles
    }

    /// What a valid webhook became.
    pub(super) fn settled(&self, provider: Provider, event: &Event, outcome: &Outcome) {
        let name = provider.name();
        match outcome {
            Outcome::Queued { duplicate, .. } => {
                if let (true, Some(handles)) = (*duplicate, self.providers.get(&provider)) {
                    handles.duplicate.inc();
                }
                event.queued.inc();
            }
            Outcome::Refused(refusal) => count(&self.refused, [("provider", name), ("reason", refusal.label())]),
            Outcome::Unconfirmed(reason) => {
                count(&self.unconfirmed, [("provider", name), ("reason", reason.label())]);
            }
        }
    }

    /// An answer went out.
    pub(super) fn responded(&self, provider: Option<Provider>, took: Duration) {
        provider
            .and_then(|provider| self.providers.get(&provider))
            .map_or(&self.unknown, |handles| &handles.response)
            .observe(took.as_secs_f64());
    }
}

/// The labels of an arrival whose event is not to be believed.
fn invalid(provider: &str) -> [(&'static str, &str); 3] {
    [("provider", provider), ("event_type", UNKNOWN), ("status", "invalid")]
}

impl Event {
    fn new(received: &Counters, queued: &Counters, provider: &str, event: &str) -> Self {
        let labels = [("provider", provider), ("event_type", event), ("status", "valid")];
        Self {
            received: counter(received, labels),
            queued: counter(queued, [("provider", provider), ("event_type", event)]),
        }
    }
}

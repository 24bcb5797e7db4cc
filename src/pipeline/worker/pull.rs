//! The first stage: pulls batches while there is room and the database takes them.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::consumer::pull::BatchConfig;
use async_nats::jetstream::{self, consumer::PullConsumer};
use async_nats::{StatusCode, Subject, Subscriber};
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::sync::{Semaphore, mpsc, watch};

use super::settle;
use super::webhook::Webhook;
use super::{Batch, Shared};
use crate::pipeline::bus::{self, Link};
use crate::pipeline::status::EVENT_BUS;
use crate::pipeline::topology::{self, Standing};

/// Longest pull: a worker that is told to stop finishes its pull first, so that no message is
/// sent to an inbox that nobody reads any more.
const LONGEST_PULL: Duration = Duration::from_secs(1);

/// How long after a pull's end the server's word on it may take.
const GRACE: Duration = Duration::from_secs(1);

/// How long to wait before looking for the stream and the consumer again.
const RETRY: Duration = Duration::from_millis(250);

/// Pulls until the worker stops, then drops `batches`.
pub(super) async fn pull(shared: Arc<Shared>, batches: mpsc::Sender<Batch>) {
    let stop = shared.stop.clone();
    let Some(mut puller) = stop
        .run_until_cancelled(Puller::subscribe(&shared, batches))
        .await
        .flatten()
    else {
        return;
    };
    while !stop.is_cancelled() {
        let Some(true) = stop.run_until_cancelled(bus::up(&mut puller.link)).await else {
            break;
        };
        puller.since = *puller.link.borrow_and_update();
        let ensured = topology::ensure(shared.bus.api(), &shared.config.topology);
        match stop.run_until_cancelled(ensured).await {
            None => break,
            Some(Ok(standing)) => {
                shared.health.set(EVENT_BUS, Ok(()));
                let ended = puller.pull_from(&standing).await;
                if let Err(reason) = ended {
                    shared.health.set(EVENT_BUS, Err(&reason));
                }
            }
            Some(Err(error)) => {
                shared.health.set(EVENT_BUS, Err(&error));
                stop.run_until_cancelled(tokio::time::sleep(RETRY)).await;
            }
        }
    }
    puller.give_back().await;
}

/// Pulls into one inbox for the worker's whole life: what an interrupted pull still brings is not lost.
struct Puller<'a> {
    shared: &'a Shared,
    batches: mpsc::Sender<Batch>,
    inbox: Subject,
    messages: Subscriber,
    room: Arc<Semaphore>,
    link: watch::Receiver<Link>,
    since: Link,
}

/// How a pull ended.
enum Pulled {
    /// As it should.
    Done,
    /// The connection broke, or the consumer is not there any more.
    Broken(String),
}

impl<'a> Puller<'a> {
    async fn subscribe(shared: &'a Shared, batches: mpsc::Sender<Batch>) -> Option<Self> {
        let inbox = Subject::from(shared.bus.client().new_inbox());
        match shared.bus.client().subscribe(inbox.clone()).await {
            Ok(messages) => Some(Self {
                shared,
                batches,
                inbox,
                messages,
                room: Arc::new(Semaphore::new(shared.config.in_flight())),
                link: shared.bus.link(),
                since: Link::default(),
            }),
            Err(error) => {
                shared.health.set(EVENT_BUS, Err(&error));
                None
            }
        }
    }

    /// Pulls batch after batch until the worker stops or, with the reason, until it is broken.
    async fn pull_from(&mut self, standing: &Standing) -> Result<(), String> {
        let stop = self.shared.stop.clone();
        let size = self.shared.config.pull_size();
        let share = u32::try_from(size).unwrap_or(u32::MAX);
        let mut database_up = self.shared.database_up.subscribe();
        loop {
            let room = async {
                let up = database_up.wait_for(|up| *up).await;
                drop(up);
                self.room.clone().acquire_many_owned(share).await
            };
            let mut permit = tokio::select! {
                permit = room => permit.map_err(|error| error.to_string())?,
                () = stop.cancelled() => return Ok(()),
                () = bus::lost(&mut self.link, self.since) => return Err("the connection to NATS is lost".to_owned()),
            };
            let (messages, pulled) = self.pull_batch(&standing.consumer, size).await;
            // What was not needed is given back.
            if let Some(spare) = permit.split(size.saturating_sub(messages.len())) {
                drop(spare);
            }
            let now = self.shared.clock.now().at;
            let webhooks: Vec<Webhook> = messages.into_iter().filter_map(|m| Webhook::read(m, now)).collect();
            if !webhooks.is_empty() {
                let ack_wait = standing.consumer.cached_info().config.ack_wait;
                let batch = Batch {
                    holding: self.shared.held.hold(&webhooks, ack_wait),
                    webhooks,
                    created: standing.stream_created,
                    permit,
                };
                if self.batches.send(batch).await.is_err() {
                    return Err("the writing stage has ended".to_owned());
                }
            }
            if let Pulled::Broken(reason) = pulled {
                return Err(reason);
            }
            if stop.is_cancelled() {
                return Ok(());
            }
        }
    }

    /// Collects up to `size` messages for one flush interval at most.
    async fn pull_batch(&mut self, consumer: &PullConsumer, size: usize) -> (Vec<jetstream::Message>, Pulled) {
        let mut messages = Vec::with_capacity(size);
        let begun = self.shared.clock.now().mono;
        loop {
            let gone = self.shared.clock.now().mono.saturating_sub(begun);
            let left = self.shared.config.flush_interval.saturating_sub(gone);
            if messages.len() >= size || left.is_zero() || (gone > Duration::ZERO && self.shared.stop.is_cancelled()) {
                return (messages, Pulled::Done);
            }
            let request = BatchConfig {
                batch: size - messages.len(),
                expires: Some(left.min(LONGEST_PULL)),
                ..Default::default()
            };
            if let Err(reason) = self.pull_once(consumer, request, &mut messages).await {
                return (messages, Pulled::Broken(reason));
            }
        }
    }

    /// Sends one pull and takes what it brings.
    async fn pull_once(
        &mut self,
        consumer: &PullConsumer,
        request: BatchConfig,
        messages: &mut Vec<jetstream::Message>,
    ) -> Result<(), String> {
        let wanted = messages.len() + request.batch;
        let patience = tokio::time::sleep(request.expires.unwrap_or_default() + GRACE);
        tokio::pin!(patience);
        consumer
            .request_batch(request, self.inbox.clone())
            .await
            .map_err(|error| error.to_string())?;
        while messages.len() < wanted {
            let message = tokio::select! {
                biased;
                message = self.messages.next() => message.ok_or("the subscription has ended")?,
                () = bus::lost(&mut self.link, self.since) => return Err("the connection to NATS is lost".to_owned()),
                // The server's word on the pull's end did not come.
                () = &mut patience => return Ok(()),
            };
            match message.status {
                None | Some(StatusCode::OK) => messages.push(jetstream::Message {
                    message,
                    context: self.shared.bus.api().clone(),
                }),
                Some(StatusCode::IDLE_HEARTBEAT) => {}
                Some(StatusCode::TIMEOUT | StatusCode::NOT_FOUND) => return Ok(()),
                Some(StatusCode::NO_RESPONDERS) => return Err("the consumer is gone".to_owned()),
                Some(status) => {
                    let description = message.description.unwrap_or_default();
                    return Err(format!("the pull ended: {status} {description}"));
                }
            }
        }
        Ok(())
    }

    /// Hands messages that came after their pull had ended to others.
    async fn give_back(&mut self) {
        while let Some(Some(message)) = self.messages.next().now_or_never() {
            if let (None, Some(reply)) = (message.status, message.reply) {
                settle::nak(self.shared, reply, None).await;
            }
        }
    }
}

//! The first stage: pulls messages while there is room and the database takes them, and makes
//! batches of them.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::consumer::pull::BatchConfig;
use async_nats::jetstream::{self, consumer::PullConsumer};
use async_nats::{Message, StatusCode, Subject, Subscriber};
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};

use super::settle;
use super::webhook::Webhook;
use super::{Batch, Shared};
use crate::base::time::Moment;
use crate::pipeline::bus::{self, Link};
use crate::pipeline::status::EVENT_BUS;
use crate::pipeline::topology::{self, Standing};

/// How long the server keeps a pull. A worker that is told to stop waits for the end of its
/// pulls, so that no message is sent to an inbox that nobody reads any more.
const PULL: Duration = Duration::from_secs(1);

/// When to pull again while a pull is still waiting. Servers of 2.9 forget, until `ack_wait` is
/// over, a redelivery that falls due in the moment in which the only waiting pull expires; so
/// there is always a younger one behind it.
const OVERLAP: Duration = Duration::from_millis(600);

/// How long after a pull's end the server's word on it may take.
const GRACE: Duration = Duration::from_secs(1);

/// How long to wait before looking for the stream and the consumer again.
const RETRY: Duration = Duration::from_millis(250);

/// Pulls until the worker stops, then drops `batches`.
pub(super) async fn pull(shared: Arc<Shared>, batches: mpsc::Sender<Batch>) {
    let _ended = shared.pulling_ended.clone().drop_guard();
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
                if let Err(reason) = puller.pull_from(&standing).await {
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
    asked: Asked,
    gathered: Gathered,
    link: watch::Receiver<Link>,
    since: Link,
}

/// What the server was asked for and has not sent yet.
#[derive(Default)]
struct Asked {
    /// Room for it: one permit a message.
    room: Option<OwnedSemaphorePermit>,
    /// When the newest pull was sent, on the monotonic clock.
    at: Duration,
}

/// The batch in the making.
#[derive(Default)]
struct Gathered {
    webhooks: Vec<Webhook>,
    room: Option<OwnedSemaphorePermit>,
    /// When its first message came, on the monotonic clock.
    since: Duration,
}

impl Asked {
    /// Messages that may still come.
    fn outstanding(&self) -> usize {
        self.room.as_ref().map_or(0, OwnedSemaphorePermit::num_permits)
    }

    /// Whether it is time for another pull of `size`.
    fn wants(&self, now: Duration, size: usize) -> bool {
        self.outstanding() <= size / 2 || (self.outstanding() <= size && now >= self.at + OVERLAP)
    }

    /// Another pull was sent.
    fn add(&mut self, room: OwnedSemaphorePermit, now: Duration) {
        self.at = now;
        put(&mut self.room, Some(room));
    }

    /// Gives up the room of `count` messages: to a message that came, or because it will not come.
    fn take(&mut self, count: usize) -> Option<OwnedSemaphorePermit> {
        let room = self.room.as_mut()?;
        room.split(count.min(room.num_permits()))
    }
}

fn put(room: &mut Option<OwnedSemaphorePermit>, more: Option<OwnedSemaphorePermit>) {
    match (room, more) {
        (Some(room), Some(more)) => room.merge(more),
        (room, more @ Some(_)) => *room = more,
        (_, None) => {}
    }
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
                asked: Asked::default(),
                gathered: Gathered::default(),
                link: shared.bus.link(),
                since: Link::default(),
            }),
            Err(error) => {
                shared.health.set(EVENT_BUS, Err(&error));
                None
            }
        }
    }

    /// Pulls until the worker stops or, with the reason, until it cannot go on.
    async fn pull_from(&mut self, standing: &Standing) -> Result<(), String> {
        let pulled = self.pull_until(standing).await;
        // Broken pulls bring nothing more.
        self.asked = Asked::default();
        self.hand_over(standing).await?;
        pulled
    }

    async fn pull_until(&mut self, standing: &Standing) -> Result<(), String> {
        let stop = self.shared.stop.clone();
        let mut database_up = self.shared.database_up.subscribe();
        let size = self.shared.config.pull_size();
        let share = u32::try_from(size).unwrap_or(u32::MAX);
        loop {
            let arrived = self.shared.clock.now();
            let now = arrived.mono;
            let stopping = stop.is_cancelled();
            if self.gathered.webhooks.len() >= size || self.flush_in(now).is_some_and(|left| left.is_zero()) {
                self.hand_over(standing).await?;
            }
            if self.asked.outstanding() > 0 && now >= self.asked.at + PULL + GRACE {
                tracing::debug!("the server's word on a pull did not come");
                self.asked = Asked::default();
            }
            if stopping && self.asked.outstanding() == 0 {
                return Ok(());
            }
            let up = *database_up.borrow_and_update();
            let wants = up && !stopping && self.asked.wants(now, size);
            let wake = tokio::time::sleep(self.wake_in(now));
            tokio::select! {
                biased;
                room = self.room.clone().acquire_many_owned(share), if wants => {
                    let room = room.map_err(|error| error.to_string())?;
                    self.ask(&standing.consumer, size).await?;
                    self.asked.add(room, now);
                }
                message = self.messages.next() => {
                    self.take(message.ok_or("the subscription has ended")?, arrived)?;
                    self.take_ready(arrived, size)?;
                }
                () = bus::lost(&mut self.link, self.since) => return Err("the connection to NATS is lost".to_owned()),
                () = stop.cancelled(), if !stopping => {}
                Ok(()) = database_up.changed() => {}
                () = wake => {}
            }
        }
    }

    /// Time left until the batch in the making is due.
    fn flush_in(&self, now: Duration) -> Option<Duration> {
        let due = self.gathered.since + self.shared.config.flush_interval;
        (!self.gathered.webhooks.is_empty()).then(|| due.saturating_sub(now))
    }

    /// Time left until there is something to do although nothing comes.
    fn wake_in(&self, now: Duration) -> Duration {
        let asked = if now < self.asked.at + OVERLAP {
            OVERLAP
        } else {
            PULL + GRACE
        };
        let asked = (self.asked.at + asked).saturating_sub(now);
        // Never at once: what is due already waits for an event.
        let asked = if asked.is_zero() { PULL } else { asked };
        self.flush_in(now).map_or(asked, |flush| flush.min(asked))
    }

    async fn ask(&self, consumer: &PullConsumer, size: usize) -> Result<(), String> {
        let request = BatchConfig {
            batch: size,
            expires: Some(PULL),
            ..Default::default()
        };
        consumer
            .request_batch(request, self.inbox.clone())
            .await
            .map_err(|error| error.to_string())
    }

    /// Takes what is here already, up to the end of a batch or the next pull: a turn of the loop
    /// for each message would cost more than the message.
    fn take_ready(&mut self, now: Moment, size: usize) -> Result<(), String> {
        while self.gathered.webhooks.len() < size {
            if self.asked.wants(now.mono, size) && self.room.available_permits() >= size {
                break;
            }
            let Some(message) = self.messages.next().now_or_never() else {
                break;
            };
            self.take(message.ok_or("the subscription has ended")?, now)?;
        }
        Ok(())
    }

    /// Takes a message, or the server's word on a pull. Messages are read at once: as the client
    /// has it, one takes kilobytes.
    fn take(&mut self, message: Message, now: Moment) -> Result<(), String> {
        match message.status {
            None | Some(StatusCode::OK) => {
                let room = self.asked.take(1);
                let message = jetstream::Message {
                    message,
                    context: self.shared.bus.api().clone(),
                };
                if let Some(webhook) = Webhook::read(message, now.at) {
                    if self.gathered.webhooks.is_empty() {
                        self.gathered.since = now.mono;
                    }
                    put(&mut self.gathered.room, room);
                    self.gathered.webhooks.push(webhook);
                }
                Ok(())
            }
            Some(StatusCode::IDLE_HEARTBEAT) => Ok(()),
            Some(StatusCode::TIMEOUT | StatusCode::NOT_FOUND) => {
                let left = message
                    .headers
                    .as_ref()
                    .and_then(|headers| headers.get("Nats-Pending-Messages"));
                let left = left.and_then(|left| left.as_str().parse().ok());
                drop(self.asked.take(left.unwrap_or(usize::MAX)));
                Ok(())
            }
            Some(StatusCode::NO_RESPONDERS) => Err("the consumer is gone".to_owned()),
            Some(status) => {
                let description = message.description.unwrap_or_default();
                Err(format!("the pull ended: {status} {description}"))
            }
        }
    }

    /// Hands the batch in the making to the writers.
    async fn hand_over(&mut self, standing: &Standing) -> Result<(), String> {
        let Gathered {
            mut webhooks, mut room, ..
        } = std::mem::take(&mut self.gathered);
        let ack_wait = standing.consumer.cached_info().config.ack_wait;
        let holding = self.shared.held.hold(&mut webhooks, ack_wait);
        if webhooks.is_empty() {
            return Ok(());
        }
        // What was delivered while it is in hand already needs no room of its own.
        let spare = room
            .as_mut()
            .and_then(|room| room.split(room.num_permits().saturating_sub(webhooks.len())));
        drop(spare);
        let batch = Batch {
            holding,
            webhooks,
            created: standing.stream_created,
            room,
        };
        let sent = self.batches.send(batch).await;
        sent.map_err(|_| "the writing stage has ended".to_owned())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn room(permits: usize) -> OwnedSemaphorePermit {
        let semaphore = Arc::new(Semaphore::new(permits));
        semaphore
            .try_acquire_many_owned(u32::try_from(permits).unwrap())
            .unwrap()
    }

    #[test]
    fn there_is_always_a_younger_pull_behind_one_that_expires() {
        let mut asked = Asked::default();
        assert!(asked.wants(Duration::ZERO, 10));
        let semaphore = Arc::new(Semaphore::new(20));
        asked.add(semaphore.clone().try_acquire_many_owned(10).unwrap(), Duration::ZERO);
        assert!(!asked.wants(OVERLAP / 2, 10));
        assert!(asked.wants(OVERLAP, 10) && OVERLAP < PULL);
        asked.add(semaphore.try_acquire_many_owned(10).unwrap(), OVERLAP);
        assert!(!asked.wants(OVERLAP * 2, 10), "never more than two");
        drop(asked.take(10));
        assert!(asked.wants(OVERLAP * 2, 10));
    }

    #[test]
    fn half_a_batch_before_the_end_the_next_is_asked_for() {
        let mut asked = Asked::default();
        asked.add(room(10), Duration::ZERO);
        for _ in 0..4 {
            assert_eq!(asked.take(1).unwrap().num_permits(), 1);
        }
        assert!(!asked.wants(Duration::ZERO, 10));
        drop(asked.take(1));
        assert!(asked.wants(Duration::ZERO, 10));
        drop(asked.take(usize::MAX));
        assert_eq!(asked.outstanding(), 0, "the rest will not come");
    }
}

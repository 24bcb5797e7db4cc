//! The third stage: acks what is done, delays what is to be tried again, copies what is given up
//! to the dead letter stream and acks it then.

use std::sync::Arc;
use std::time::Duration;

use async_nats::Subject;
use async_nats::jetstream::AckKind;
use async_nats::jetstream::message::PublishMessage;
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::join_all;

use super::webhook::Webhook;
use super::{Batch, Shared};
use crate::pipeline::dead_letter::Origin;
use crate::pipeline::store::Fate;

/// "Work goes on".
pub(super) const PROGRESS: Bytes = Bytes::from_static(b"+WPI");

/// How long a dead letter's `PubAck` is waited for.
pub(super) const LETTER_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the confirmation of an ack is waited for before the ack is sent again.
const CONFIRMATION: Duration = Duration::from_secs(2);

/// Acks that wait for their confirmation together.
const JOINED: usize = 1_000;

/// How long an ack is sent again and again. Then the server delivers the message again, and the
/// database knows it.
const ACK_PATIENCE: Duration = Duration::from_mins(1);

/// The same for a worker that stops.
const LAST_ACK_PATIENCE: Duration = Duration::from_secs(3);

/// Longest delay of a message whose copy the dead letter stream did not take.
const LONGEST_DELAY: Duration = Duration::from_secs(30);

/// Settles a batch that was written, `begun` on the monotonic clock.
pub(super) async fn settle(shared: Arc<Shared>, batch: Batch, fates: Vec<Fate>, begun: Duration) {
    let mut done = Vec::with_capacity(batch.webhooks.len());
    let mut given_up = Vec::new();
    for (webhook, fate) in batch.webhooks.iter().zip(fates) {
        match fate {
            Fate::Written | Fate::Skipped | Fate::Known => done.push(webhook),
            Fate::Failed { attempts } => {
                shared.metrics.failed(webhook);
                if attempts < shared.config.max_attempts {
                    let delay = doubled(shared.config.retry_delay, u64::from(attempts.saturating_sub(1)));
                    nak(&shared, webhook.reply.clone(), Some(delay)).await;
                } else {
                    given_up.push(webhook);
                }
            }
        }
    }
    let letters = join_all(given_up.into_iter().map(|webhook| bury(&shared, &batch, webhook)));
    let (acked, ()) = tokio::join!(confirm(&shared, done), async {
        let buried: Vec<_> = letters.await.into_iter().flatten().collect();
        for webhook in confirm(&shared, buried).await {
            shared.metrics.dead_lettered(webhook);
        }
    });
    shared
        .processed
        .fetch_add(acked.len() as u64, std::sync::atomic::Ordering::Relaxed);
    for webhook in acked {
        shared.metrics.succeeded(webhook);
    }
    let took = shared.clock.now().mono.saturating_sub(begun);
    shared.metrics.batch(batch.webhooks.len(), took);
    drop((batch.holding, batch.room));
}

/// Gives a batch back unprocessed: others may have it at once.
pub(super) async fn give_back(shared: Arc<Shared>, batch: Batch) {
    // While a pull of ours still waits they would come straight back to us.
    shared.pulling_ended.cancelled().await;
    for webhook in batch.webhooks {
        nak(&shared, webhook.reply, None).await;
    }
}

/// Asks for another delivery, after `delay`.
pub(super) async fn nak(shared: &Shared, reply: Subject, delay: Option<Duration>) {
    let kind: Bytes = AckKind::Nak(delay).into();
    match shared.bus.client().publish(reply, kind).await {
        Ok(()) => shared.metrics.naked(),
        // The server delivers it again when its patience ends.
        Err(error) => tracing::warn!(%error, "nak"),
    }
}

/// `delay` doubled `times` times, up to a limit.
fn doubled(delay: Duration, times: u64) -> Duration {
    let factor = 1_u32
        .checked_shl(u32::try_from(times).unwrap_or(u32::MAX))
        .unwrap_or(u32::MAX);
    delay.saturating_mul(factor).min(LONGEST_DELAY.max(delay))
}

/// Copies a webhook to the dead letter stream and waits for the `PubAck`. Without one the
/// message is delivered again later; its copy has the same id then, and is stored once.
async fn bury<'a>(shared: &Shared, batch: &Batch, webhook: &'a Webhook) -> Option<&'a Webhook> {
    let topology = &shared.config.topology;
    let origin = Origin {
        subject: &webhook.subject,
        stream: &topology.stream,
        stream_created: batch.created,
        sequence: webhook.sequence,
        deliveries: webhook.delivery,
        consumer: &topology.consumer,
        reason: webhook.failure.as_ref().map_or("", |failure| &failure.text),
    };
    let letter = PublishMessage::build()
        .headers(origin.letter_headers(Some(&webhook.headers.unpack())))
        .expected_stream(&topology.dlq)
        .payload(webhook.payload.clone());
    let stored = async {
        let ack = shared
            .bus
            .publisher()
            .send_publish(origin.letter_subject(), letter)
            .await?;
        ack.await
    };
    match stored.await {
        Ok(_) => Some(webhook),
        Err(error) => {
            tracing::warn!(%error, sequence = webhook.sequence, "copy to the dead letter stream");
            let delay = doubled(shared.config.retry_delay, webhook.delivery);
            nak(shared, webhook.reply.clone(), Some(delay)).await;
            None
        }
    }
}

/// Acks, again where no confirmation comes. Returns what the server confirmed.
async fn confirm<'a>(shared: &Shared, mut left: Vec<&'a Webhook>) -> Vec<&'a Webhook> {
    let mut confirmed = Vec::with_capacity(left.len());
    let begun = shared.clock.now().mono;
    while !left.is_empty() {
        let mut again = Vec::new();
        for chunk in left.chunks(JOINED) {
            for (webhook, acked) in chunk.iter().zip(ack(shared, chunk).await) {
                if acked { &mut confirmed } else { &mut again }.push(*webhook);
            }
        }
        left = again;
        if left.is_empty() {
            break;
        }
        let patience = if shared.stop.is_cancelled() {
            LAST_ACK_PATIENCE
        } else {
            ACK_PATIENCE
        };
        if shared.clock.now().mono.saturating_sub(begun) >= patience {
            tracing::warn!(
                acks = left.len(),
                "not confirmed: these messages will be delivered again"
            );
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    shared.metrics.acked(confirmed.len());
    confirmed
}

/// Acks messages together. Which of them the server confirmed: one inbox takes the confirmations of
/// all, because a request of its own for each would cost a timer, a channel and kilobytes.
async fn ack(shared: &Shared, webhooks: &[&Webhook]) -> Vec<bool> {
    let mut acked = vec![false; webhooks.len()];
    let asking = async {
        let client = shared.bus.client();
        let inbox = client.new_inbox();
        let mut confirmations = client.subscribe(format!("{inbox}.*")).await.ok()?;
        for (index, webhook) in webhooks.iter().enumerate() {
            // In the client it would wait for the next connection: better ask again then.
            if !shared.bus.is_up() {
                return None;
            }
            let own = format!("{inbox}.{index}");
            let sent = client.publish_with_reply(webhook.reply.clone(), own, AckKind::Ack.into());
            sent.await.ok()?;
        }
        let mut left = webhooks.len();
        while left > 0 {
            let confirmation = confirmations.next().await?;
            left -= 1;
            let index = confirmation.subject.rsplit('.').next()?.parse::<usize>().ok()?;
            // With a status it is the server's word that nobody took the ack.
            if let (None, Some(acked)) = (confirmation.status, acked.get_mut(index)) {
                *acked = true;
            }
        }
        Some(())
    };
    // What is not confirmed by then is asked for again.
    let _ = tokio::time::timeout(CONFIRMATION, asking).await;
    acked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_a_limit() {
        let delay = Duration::from_millis(250);
        assert_eq!(doubled(delay, 0), delay);
        assert_eq!(doubled(delay, 1), delay * 2);
        assert_eq!(doubled(delay, 2), delay * 4);
        assert_eq!(doubled(delay, 500), LONGEST_DELAY);
    }
}

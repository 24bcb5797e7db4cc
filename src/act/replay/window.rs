//! Windows: journalled, sent, settled. While one is answered the next is read.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use async_nats::HeaderMap;
use bytes::Bytes;

use super::ahead::Ahead;
use super::answer::{Flight, Landing, Reply, settle};
use super::choose::{Next, Ready};
use super::halt::Halt;
use super::message::message;
use super::ramp::Ramp;
use super::run::Run;
use crate::act::exchange::{Exchange, ExchangeError, Stored};
use crate::act::journal::{Intent, Purpose, Record, Window};

/// What is known and still to be written down.
#[derive(Default)]
struct Settled {
    records: Vec<Record>,
    landed: Vec<u64>,
}

impl Run {
    /// Sends the letters of `queue`, a window at a time. While the answers to one come in, the
    /// next is written down and sent, unless letters must go one after the other.
    pub(super) async fn send(&mut self, queue: &mut VecDeque<u64>, ramp: &mut Ramp) -> Result<(), Halt> {
        let overlaps = !self.begin.how.ordered && self.begin.how.window > 1 && self.begin.how.parked.is_none();
        let exchange = self.exchange.clone();
        let mut settled = Settled::default();
        let mut flight = None;
        let mut ahead = if overlaps && !ramp.is_paced() && queue.len() > self.begin.how.window {
            self.open_ahead().await
        } else {
            None
        };
        let mut next = self.fetch(queue, ramp, ahead.as_mut()).await?;
        let mut looked = self.context.clock.now().mono;
        let is_left = |queue: &VecDeque<u64>, ahead: &Option<Ahead>| {
            !queue.is_empty() || ahead.as_ref().is_some_and(|ahead| !ahead.is_empty())
        };
        while !next.ready.is_empty() || !next.gone.is_empty() || is_left(queue, &ahead) {
            if self.begin.how.parked.is_some() {
                self.land(settle(flight.take()).await, &mut settled).await?;
                self.flush(&mut settled).await?;
                self.collect_deletes(true).await?;
                self.leave_out_held(&mut next).await?;
            }
            self.write_down(&mut next, &mut settled, flight.as_ref()).await?;
            let resent = self.resent(&next.ready);
            let sent = Flight {
                answers: self.publish(&exchange, &next.ready).await,
                ready: next.ready,
                resent,
            };
            self.published += sent.ready.len() as u64;
            let due = if overlaps { flight.replace(sent) } else { Some(sent) };
            if self.begin.how.ordered {
                // What waits behind these letters goes when it is known that they landed.
                self.land(settle(due).await, &mut settled).await?;
                self.flush(&mut settled).await?;
                next = self.fetch(queue, ramp, None).await?;
            } else {
                let (landed, fetched) = tokio::join!(settle(due), self.fetch(queue, ramp, ahead.as_mut()));
                self.land(landed, &mut settled).await?;
                next = fetched?;
            }
            let now = self.context.clock.now().mono;
            let is_due = now.saturating_sub(looked) >= Duration::from_millis(200);
            let is_held = *self.context.steering.borrow() != super::Steering::Run;
            if is_due || is_held {
                self.land(settle(flight.take()).await, &mut settled).await?;
                self.flush(&mut settled).await?;
            }
            if is_held && let Some(ahead) = &mut ahead {
                ahead.put_back(queue);
            }
            if is_due {
                looked = now;
                self.look().await?;
                self.tell();
                self.brake().await?;
            }
            self.heed().await?;
        }
        self.land(settle(flight.take()).await, &mut settled).await?;
        self.flush(&mut settled).await
    }

    /// Takes up what became of a window.
    async fn land(&mut self, landed: Landing, settled: &mut Settled) -> Result<(), Halt> {
        if landed.limbo {
            self.commit(landed.records).await?;
            return Err(Halt::Lost);
        }
        for (stream, stored, id, letter) in landed.followed {
            if self.how_of(letter).purpose == Purpose::Replay {
                self.follow.published(&stream, stored, &id);
            }
        }
        settled.records.extend(landed.records);
        settled.landed.extend(landed.landed);
        Ok(())
    }

    /// Writes down what is known of the windows before, and deletes what has landed.
    async fn flush(&mut self, settled: &mut Settled) -> Result<(), Halt> {
        if settled.records.is_empty() {
            return Ok(());
        }
        self.commit(std::mem::take(&mut settled.records)).await?;
        self.publish_standpoint(&[]).await?;
        self.lease.check()?;
        self.delete(std::mem::take(&mut settled.landed));
        Ok(())
    }

    /// Journal and bucket hold the window before anything of it is sent, and what is known of
    /// those before. Only then is deleted what has landed.
    async fn write_down(
        &mut self,
        next: &mut Next,
        settled: &mut Settled,
        flight: Option<&Flight<'_>>,
    ) -> Result<(), Halt> {
        let number = self.standings.next_window();
        for one in &mut next.ready {
            one.intent.window = number;
        }
        let mut records = std::mem::take(&mut settled.records);
        records.extend(self.finished_deletes(false).await?);
        records.extend(next.gone.drain(..).map(|letter| Record::Gone { letter }));
        records.extend(next.ready.iter().map(|one| Record::Intent(one.intent.clone())));
        if !next.ready.is_empty() {
            records.push(Record::Window(Window {
                window: number,
                letters: next.ready.len() as u64,
                server_id: self.exchange.server_id(),
                who: self.context.who.clone(),
                age_ms: 0,
                targets: std::mem::take(&mut next.targets),
            }));
        }
        self.commit(records).await?;
        let on_their_way: Vec<(u64, Vec<u64>)> = [flight.map(|flight| &flight.ready), Some(&next.ready)]
            .into_iter()
            .flatten()
            .filter_map(|ready| {
                let number = ready.first()?.intent.window;
                Some((number, ready.iter().map(|one| one.intent.letter).collect()))
            })
            .collect();
        self.publish_standpoint(&on_their_way).await?;
        self.lease.check()?;
        self.delete(std::mem::take(&mut settled.landed));
        Ok(())
    }

    /// Sends a window, one message right after the other.
    async fn publish<'a>(
        &self,
        exchange: &'a Exchange,
        ready: &[Ready],
    ) -> Vec<(Intent, Result<Reply<'a>, ExchangeError>)> {
        let mut answers = Vec::with_capacity(ready.len());
        for one in ready {
            // Between two messages this process may have stood still for long.
            let answer = if let Err(error) = self.lease.check() {
                Err(ExchangeError::Unsent(error.to_string()))
            } else {
                let how = self.how_of(one.intent.letter);
                let gateway = self.gateway.as_ref().filter(|_| how.to_url.is_some());
                match (self.message(&one.letter, &one.intent, &how), gateway) {
                    (Ok((headers, payload)), None) => {
                        let answer = exchange.send(one.intent.subject.to_string(), headers, payload).await;
                        answer.map(Reply::Stream)
                    }
                    (Ok((headers, payload)), Some(gateway)) => {
                        Ok(Reply::Gateway(gateway.post(one.intent.letter, &headers, payload)))
                    }
                    (Err(error), _) => Err(error),
                }
            };
            answers.push((one.intent.clone(), answer));
        }
        answers
    }

    /// What is sent of a letter.
    pub(super) fn message(
        &self,
        letter: &Stored,
        intent: &Intent,
        how: &crate::act::journal::How,
    ) -> Result<(HeaderMap, Bytes), ExchangeError> {
        let signer = self.context.signer.as_ref();
        message(
            letter,
            intent,
            how,
            signer.map(|signer| (signer, self.context.clock.now().at)),
        )
    }

    /// How a letter goes: a dropped one as into the archive.
    pub(super) fn how_of(&self, letter: u64) -> std::borrow::Cow<'_, crate::act::journal::How> {
        if self
            .standings
            .letters
            .get(&letter)
            .is_some_and(|standing| standing.dropped)
        {
            std::borrow::Cow::Owned(crate::act::journal::How {
                purpose: Purpose::Archive,
                payload: None,
                sign: None,
                to_url: None,
                ..self.begin.how.clone()
            })
        } else {
            std::borrow::Cow::Borrowed(&self.begin.how)
        }
    }

    /// The letters of a window that were sent before in this replay: a duplicate is then ours.
    fn resent(&self, ready: &[Ready]) -> BTreeSet<u64> {
        let windows = |one: &&Ready| {
            let standing = self.standings.letters.get(&one.intent.letter);
            standing.is_some_and(|standing| standing.sends > 1)
        };
        ready.iter().filter(windows).map(|one| one.intent.letter).collect()
    }
}

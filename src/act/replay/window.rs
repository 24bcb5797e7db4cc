//! Windows: journalled, sent, settled. While one is on its way the next is written down.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use super::ahead::Ahead;
use super::answer::Landing;
use super::choose::Next;
use super::flight::{Flights, Sender};
use super::halt::Halt;
use super::pack::Ready;
use super::ramp::Ramp;
use super::run::Run;
use crate::act::journal::{Purpose, Record, Window};

/// How often the stream and the DLQ are read while letters are sent.
const LOOK: Duration = Duration::from_millis(200);

/// What is known and still to be written down.
#[derive(Default)]
struct Settled {
    records: Vec<Record>,
    landed: Vec<u64>,
}

impl Run {
    /// Sends the letters of `queue`, a window at a time. While one is on its way the next is
    /// written down, unless letters must go one after the other.
    pub(super) async fn send(&mut self, queue: &mut VecDeque<u64>, ramp: &mut Ramp) -> Result<(), Halt> {
        let mut flights = Flights::default();
        let sent = self.send_over(queue, ramp, &mut flights).await;
        flights.ground().await;
        sent
    }

    async fn send_over(
        &mut self,
        queue: &mut VecDeque<u64>,
        ramp: &mut Ramp,
        flights: &mut Flights,
    ) -> Result<(), Halt> {
        let how = &self.begin.how;
        // Windows that may be on their way while another is written down: so many, and that one,
        // are in limbo when this process dies.
        let beside = usize::from(!how.ordered && how.window > 1 && how.parked.is_none());
        let mut settled = Settled::default();
        let mut ahead = if beside > 0 && !ramp.is_paced() && queue.len() > self.begin.how.window {
            self.open_ahead().await
        } else {
            None
        };
        let mut looked = self.context.clock.now().mono;
        let is_left = |queue: &VecDeque<u64>, ahead: &Option<Ahead>| {
            !queue.is_empty() || ahead.as_ref().is_some_and(|ahead| !ahead.is_empty())
        };
        loop {
            let mut next = self.fetch(queue, ramp, ahead.as_mut()).await?;
            if next.is_empty() && !is_left(queue, &ahead) {
                break;
            }
            self.land(flights, &mut settled, beside).await?;
            if self.begin.how.parked.is_some() {
                self.flush(&mut settled).await?;
                self.finish_deletes().await?;
                self.leave_out_held(&mut next).await?;
            }
            let ready = self.write_down(next, &mut settled, flights).await?;
            self.published += ready.len() as u64;
            let before = self.sent_before(&ready);
            flights.launch(self.sender(), ready, before);
            if beside == 0 {
                self.land(flights, &mut settled, 0).await?;
            }
            if self.begin.how.ordered {
                // What waits behind these letters goes when it is known that they landed.
                self.flush(&mut settled).await?;
            }
            let now = self.context.clock.now().mono;
            let is_due = now.saturating_sub(looked) >= LOOK;
            let is_held = *self.context.steering.borrow() != super::Steering::Run;
            if is_due || is_held {
                self.land(flights, &mut settled, 0).await?;
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
        self.land(flights, &mut settled, 0).await?;
        self.flush(&mut settled).await
    }

    fn sender(&self) -> Sender {
        Sender {
            exchange: self.exchange.clone(),
            gateway: self.gateway.clone(),
            guard: self.lease.guard(),
        }
    }

    /// Takes up what became of windows, until at most `most` are on their way.
    async fn land(&mut self, flights: &mut Flights, settled: &mut Settled, most: usize) -> Result<(), Halt> {
        while flights.len() > most
            && let Some(landing) = flights.next().await
        {
            self.take_up(landing, settled).await?;
        }
        while let Some(landing) = flights.landed().await {
            self.take_up(landing, settled).await?;
        }
        Ok(())
    }

    async fn take_up(&mut self, landing: Landing, settled: &mut Settled) -> Result<(), Halt> {
        if landing.limbo {
            self.commit(landing.records).await?;
            return Err(Halt::Lost);
        }
        for (stream, stored, id, letter) in landing.followed {
            if self.how_of(letter).purpose == Purpose::Replay {
                self.follow.published(&stream, stored, &id);
            }
        }
        settled.records.extend(landing.records);
        settled.landed.extend(landing.landed);
        Ok(())
    }

    /// Writes down what is known of the windows before, and deletes what has landed.
    async fn flush(&mut self, settled: &mut Settled) -> Result<(), Halt> {
        if settled.records.is_empty() {
            return Ok(());
        }
        let records = std::mem::take(&mut settled.records);
        self.commit_to_both(records, &[]).await?;
        self.lease.check()?;
        self.delete(std::mem::take(&mut settled.landed));
        Ok(())
    }

    /// Journal and bucket hold the window before anything of it is sent, and what is known of
    /// those before. Only then is deleted what has landed.
    async fn write_down(&mut self, next: Next, settled: &mut Settled, flights: &Flights) -> Result<Vec<Ready>, Halt> {
        let number = self.standings.next_window();
        let mut ready = next.packed.ready;
        for one in &mut ready {
            one.intent.window = number;
        }
        let mut records = std::mem::take(&mut settled.records);
        records.extend(self.finished_deletes()?);
        records.extend(next.packed.gone.into_iter().map(|letter| Record::Gone { letter }));
        records.extend(ready.iter().map(|one| Record::Intent(one.intent.clone())));
        let mut windows: Vec<(u64, Vec<u64>)> = flights.windows().collect();
        if !ready.is_empty() {
            records.push(Record::Window(Window {
                window: number,
                letters: ready.len() as u64,
                server_id: self.exchange.server_id(),
                who: self.context.who.clone(),
                age_ms: 0,
                targets: next.targets,
            }));
            windows.push((number, ready.iter().map(|one| one.intent.letter).collect()));
        }
        self.commit_to_both(records, &windows).await?;
        self.lease.check()?;
        self.delete(std::mem::take(&mut settled.landed));
        Ok(ready)
    }

    /// The letters of a window that were sent before in this replay: a duplicate is then ours.
    fn sent_before(&self, ready: &[Ready]) -> BTreeSet<u64> {
        let windows = |one: &&Ready| {
            let standing = self.standings.letters.get(&one.intent.letter);
            standing.is_some_and(|standing| standing.sends > 1)
        };
        ready.iter().filter(windows).map(|one| one.intent.letter).collect()
    }
}

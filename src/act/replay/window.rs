//! Windows: journalled, sent, settled. While one is answered the next is read.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use async_nats::HeaderMap;
use bytes::Bytes;

use super::ahead::Ahead;
use super::gateway::Posting;
use super::message::message;
use super::run::{Halt, Run};
use crate::act::exchange::{Answer, Exchange, ExchangeError, PATIENCE, PubAck, Stored};
use crate::act::hash;
use crate::act::journal::{Intent, MOST_IN_A_WINDOW, Purpose, Record, Standing, TargetMark, Window};
use crate::act::pace::{Bucket, Rate};
use crate::act::plan::{archive_of, destination};
use crate::observe::letters::Mailbox;

/// How long it takes from a tenth of the rate to all of it.
const RAMP: Duration = Duration::from_secs(10);

/// How many letters may go.
pub(super) struct Ramp {
    rate: Option<(f64, Bucket)>,
    begun: Duration,
}

impl Ramp {
    /// As fast as it goes.
    pub(super) fn unpaced() -> Self {
        Self {
            rate: None,
            begun: Duration::ZERO,
        }
    }

    /// Up to `rate` letters a second.
    pub(super) fn new(rate: Option<f64>, now: Duration) -> Result<Self, String> {
        let Some(rate) = rate else { return Ok(Self::unpaced()) };
        let first = Rate::per_second((rate / 10.0).max(0.001)).map_err(|error| error.to_string())?;
        Rate::per_second(rate).map_err(|error| error.to_string())?;
        Ok(Self {
            rate: Some((rate, Bucket::new(first, NonZeroU64::MIN, now))),
            begun: now,
        })
    }

    /// Whether there is a rate to keep to.
    fn is_paced(&self) -> bool {
        self.rate.is_some()
    }

    /// How many of `most` letters may go now, or how long to wait.
    fn take(&mut self, most: usize, now: Duration) -> Result<usize, Duration> {
        let Some((rate, bucket)) = &mut self.rate else {
            return Ok(most);
        };
        let share = (now.saturating_sub(self.begun).as_secs_f64() / RAMP.as_secs_f64()).clamp(0.1, 1.0);
        if let Ok(rate) = Rate::per_second((*rate * share).max(0.001)) {
            bucket.set_rate(rate, now);
        }
        let mut taken = 0;
        while taken < most {
            match bucket.take(now) {
                Ok(()) => taken += 1,
                Err(wait) if taken == 0 => return Err(wait),
                Err(_) => break,
            }
        }
        Ok(taken)
    }
}

/// A letter that is about to go.
struct Ready {
    intent: Intent,
    letter: Stored,
}

/// What is known and still to be written down.
#[derive(Default)]
struct Settled {
    records: Vec<Record>,
    landed: Vec<u64>,
}

/// What the answers of a window say.
#[derive(Default)]
struct Landing {
    records: Vec<Record>,
    landed: Vec<u64>,
    /// Stream, sequence there, replay id and letter of those to follow.
    followed: Vec<(Arc<str>, u64, Arc<str>, u64)>,
    /// Whether an answer is missing.
    limbo: bool,
}

/// What will say whether a letter landed.
enum Reply<'a> {
    /// A `PubAck`.
    Stream(Answer<'a>),
    /// A gateway's answer.
    Gateway(Posting),
}

/// A window on its way.
struct Flight<'a> {
    ready: Vec<Ready>,
    answers: Vec<(Intent, Result<Reply<'a>, ExchangeError>)>,
    /// Those that were sent before in this replay: a duplicate is then ours.
    resent: BTreeSet<u64>,
}

/// What goes next: letters that are there, those that are gone, and their targets as they stand.
struct Next {
    ready: Vec<Ready>,
    gone: Vec<u64>,
    targets: BTreeMap<Arc<str>, TargetMark>,
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
            let (landed, fetched) = tokio::join!(settle(due), self.fetch(queue, ramp, ahead.as_mut()));
            self.land(landed, &mut settled).await?;
            next = fetched?;
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

    /// Leaves parked messages out that are gone, just before their copies are sent.
    async fn leave_out_held(&self, next: &mut Next) -> Result<(), Halt> {
        let letters: Vec<u64> = next.ready.iter().map(|one| one.intent.letter).collect();
        let idle = self.idle(&letters).await?;
        let gone = letters.into_iter().filter(|letter| !idle.contains(letter));
        next.gone.extend(gone);
        next.ready.retain(|one| idle.contains(&one.intent.letter));
        Ok(())
    }

    /// The next window: chosen, read, and its targets looked at.
    async fn fetch(&self, queue: &mut VecDeque<u64>, ramp: &mut Ramp, ahead: Option<&mut Ahead>) -> Result<Next, Halt> {
        let most = self.begin.how.window.clamp(1, MOST_IN_A_WINDOW);
        let (chosen, found) = match ahead {
            Some(_) if *self.context.steering.borrow() != super::Steering::Run => (Vec::new(), None),
            Some(ahead) => ahead.next(queue, most).await,
            None => (self.choose(queue, ramp).await, None),
        };
        let read = async {
            match found {
                Some(found) => Ok(found),
                None => self.exchange.messages(&self.begin.dlq, &chosen).await,
            }
        };
        let (found, targets) = tokio::join!(read, self.marks(&chosen));
        let (ready, gone) = self.sort(&chosen, found?);
        Ok(Next {
            ready,
            gone,
            targets: targets?,
        })
    }

    /// Reads ahead where it can.
    async fn open_ahead(&self) -> Option<Ahead> {
        let mailbox = Mailbox::open(&self.context.link, &self.begin.dlq, &self.context.clock).await;
        if let Err(error) = &mailbox {
            tracing::debug!(%error, "letters are read in their turn");
        }
        mailbox.ok().map(Ahead::new)
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

    /// The letters of the next window, as many as may go; waits until one may.
    async fn choose(&self, queue: &mut VecDeque<u64>, ramp: &mut Ramp) -> Vec<u64> {
        let most = self.begin.how.window.clamp(1, MOST_IN_A_WINDOW).min(queue.len());
        let may = loop {
            if most == 0 {
                break 0;
            }
            match ramp.take(most, self.context.clock.now().mono) {
                Ok(may) => break may,
                Err(wait) => tokio::time::sleep(wait.min(Duration::from_millis(100))).await,
            }
            if *self.context.steering.borrow() != super::Steering::Run {
                return Vec::new();
            }
        };
        if !self.begin.how.ordered {
            return queue.drain(..may).collect();
        }
        let mut busy: BTreeSet<Arc<str>> = self.blocked();
        let mut chosen = Vec::new();
        let mut left = VecDeque::new();
        for letter in queue.drain(..) {
            let Some(standing) = self.standings.letters.get(&letter) else {
                continue;
            };
            if chosen.len() < may && busy.insert(standing.subject.clone()) {
                chosen.push(letter);
            } else {
                left.push_back(letter);
            }
        }
        // What waits behind a letter that did not land stays in the DLQ.
        if chosen.is_empty() {
            left.clear();
        }
        *queue = left;
        chosen
    }

    /// Letters as they were found; those that are no longer there, or are others now, come second.
    fn sort(&self, letters: &[u64], found: Vec<Option<Stored>>) -> (Vec<Ready>, Vec<u64>) {
        let mut ready = Vec::with_capacity(letters.len());
        let mut gone = Vec::new();
        for (sequence, letter) in letters.iter().zip(found) {
            let standing = self.standings.letters.get(sequence);
            let same = letter
                .zip(standing)
                .filter(|(letter, standing)| hash::short(&letter.payload) == standing.hash);
            let Some((letter, standing)) = same else {
                gone.push(*sequence);
                continue;
            };
            let (subject, stream) = self.target(standing);
            let id = hash::replay_id(&self.begin.dlq, self.begin.dlq_created, *sequence, 1);
            let intent = Intent {
                window: 0,
                letter: *sequence,
                hash: standing.hash.clone(),
                id,
                subject,
                stream,
            };
            ready.push(Ready { intent, letter });
        }
        (ready, gone)
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

    /// The targets of letters, as they stand.
    async fn marks(&self, letters: &[u64]) -> Result<BTreeMap<Arc<str>, TargetMark>, Halt> {
        let mut marks = BTreeMap::new();
        for letter in letters {
            let stream = self
                .standings
                .letters
                .get(letter)
                .map(|standing| self.target(standing).1);
            // A gateway is no stream.
            if let Some(stream) = stream.filter(|stream| !stream.is_empty() && !marks.contains_key(stream)) {
                let mark = self.mark(&stream).await?;
                marks.insert(stream, mark);
            }
        }
        Ok(marks)
    }

    /// The subject that a letter goes to, and the stream that takes it.
    fn target(&self, standing: &Standing) -> (Arc<str>, Arc<str>) {
        if !standing.dropped {
            return (standing.subject.clone(), standing.stream.clone());
        }
        let how = crate::act::journal::How {
            purpose: Purpose::Archive,
            ..self.begin.how.clone()
        };
        let subject = destination(&how, &self.begin.dlq, Some(&standing.subject));
        (
            subject.unwrap_or_else(|| standing.subject.clone()),
            archive_of(&self.begin.dlq).into(),
        )
    }

    /// A target as it stands.
    pub(super) async fn mark(&self, stream: &str) -> Result<TargetMark, Halt> {
        let reading = self.exchange.stream(stream).await?;
        Ok(TargetMark {
            created: reading.created.unwrap_or_default(),
            last_seq: reading.state.last_seq,
            leader: reading.cluster.and_then(|cluster| cluster.leader),
        })
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

/// Waits for the answers of a window.
async fn settle(flight: Option<Flight<'_>>) -> Landing {
    let mut landing = Landing::default();
    let Some(flight) = flight else { return landing };
    for (intent, answer) in flight.answers {
        let letter = intent.letter;
        let was_sent = flight.resent.contains(&letter);
        let record = match answer {
            Ok(Reply::Gateway(posting)) => posting.outcome().await,
            Ok(Reply::Stream(answer)) => verdict(&intent, answer.acked(PATIENCE).await, was_sent),
            Err(error) => verdict(&intent, Err(error), was_sent),
        };
        match record {
            Some(record) => {
                if let Record::Landed { stored, .. } = &record {
                    landing.landed.push(letter);
                    let followed = stored.map(|stored| (intent.stream, stored, intent.id, letter));
                    landing.followed.extend(followed);
                }
                landing.records.push(record);
            }
            None => landing.limbo = true,
        }
    }
    landing
}

/// What an answer means; `None`: nobody knows yet.
pub(super) fn verdict(intent: &Intent, outcome: Result<PubAck, ExchangeError>, was_sent: bool) -> Option<Record> {
    let letter = intent.letter;
    match outcome {
        Ok(ack) if *ack.stream != *intent.stream => Some(Record::Doubt {
            letter,
            reason: format!("it was stored in {}", crate::base::text::safe(&ack.stream)),
        }),
        Ok(ack) if ack.duplicate && !was_sent => Some(Record::Refused {
            letter,
            reason:
                "its id is in the target's deduplication window: an earlier replay sent it → look whether that was \
                     processed, and replay it again when the window is over"
                    .to_owned(),
        }),
        Ok(ack) => Some(Record::Landed {
            letter,
            stored: Some(ack.sequence),
            duplicate: ack.duplicate,
        }),
        Err(error) if error.is_open() => None,
        // The connection was gone before it could be sent: its window is looked at as a whole.
        Err(ExchangeError::Unsent(reason))
            if reason.starts_with("connection lost") || reason.starts_with("the lease") =>
        {
            None
        }
        Err(error) => Some(Record::Refused {
            letter,
            reason: error.to_string(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intent() -> Intent {
        Intent {
            window: 1,
            letter: 7,
            hash: "h".into(),
            id: "id".into(),
            subject: "s".into(),
            stream: "webhooks".into(),
        }
    }

    #[expect(clippy::unnecessary_wraps, reason = "an outcome, as it is judged")]
    fn ack(stream: &str, duplicate: bool) -> Result<PubAck, ExchangeError> {
        Ok(PubAck {
            stream: stream.into(),
            sequence: 9,
            duplicate,
        })
    }

    #[test]
    fn only_a_puback_of_the_expected_stream_is_landed() {
        let landed = |record: Option<Record>| matches!(record, Some(Record::Landed { stored: Some(9), .. }));
        assert!(landed(verdict(&intent(), ack("webhooks", false), false)));
        assert!(
            landed(verdict(&intent(), ack("webhooks", true), true)),
            "our own, sent before"
        );
        let stranger = verdict(&intent(), ack("webhooks", true), false);
        assert!(
            matches!(stranger, Some(Record::Refused { .. })),
            "an id that we never sent"
        );
        assert!(matches!(
            verdict(&intent(), ack("other", false), false),
            Some(Record::Doubt { .. })
        ));
    }

    #[test]
    fn no_answer_is_limbo_and_a_no_is_a_no() {
        for open in [ExchangeError::Lost("x".into()), ExchangeError::TimedOut(PATIENCE)] {
            assert_eq!(verdict(&intent(), Err(open), false), None);
        }
        let full = ExchangeError::Refused {
            description: "maximum messages exceeded".into(),
            code: 10_077,
        };
        for no in [full, ExchangeError::NoResponders("s".into())] {
            assert!(matches!(
                verdict(&intent(), Err(no), false),
                Some(Record::Refused { .. })
            ));
        }
    }

    #[test]
    fn a_ramp_begins_at_a_tenth_of_its_rate_and_does_not_rush_after_a_pause() {
        let mut ramp = Ramp::new(Some(100.0), Duration::ZERO).unwrap();
        let mut sent = 0;
        for millis in 0..1_000u64 {
            sent += ramp.take(256, Duration::from_millis(millis)).unwrap_or(0);
        }
        assert!((9..=12).contains(&sent), "{sent}");
        assert!(ramp.take(256, Duration::from_mins(1)).unwrap() <= 1, "a bucket of one");
        assert!(Ramp::new(Some(-1.0), Duration::ZERO).is_err());
    }
}

//! A pipeline in a box: gateways, a stream, workers and a database with true counters, read by
//! sources at jittered times, each reading from somewhere within the time that it took.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::Feed;
use super::polls::{Answer, Cycle, Poll};

/// One step, seconds.
const STEP: f64 = 0.002;

/// A small generator of random numbers, the same everywhere.
#[derive(Clone, Debug)]
pub(in crate::model) struct Dice(u64);

impl Dice {
    pub(in crate::model) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number from 0 to 1.
    pub(in crate::model) fn roll(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(super) fn between(&mut self, from: f64, to: f64) -> f64 {
        from + (to - from) * self.roll()
    }

    fn chance(&mut self, p: f64) -> bool {
        self.roll() < p
    }
}

/// What goes wrong.
#[derive(Clone, Debug)]
pub(in crate::model) enum Fault {
    Load(f64),
    KillWorker(usize),
    StartWorker(usize),
    KillGateway,
    StartGateway,
    /// The server crashes: acks of the last seconds are forgotten.
    NatsDown {
        forgets: f64,
    },
    NatsUp,
    /// Messages are deleted behind everybody's back.
    Delete(usize),
    /// The stream confirms and does not store.
    Forget(usize),
    DatabaseDown,
    DatabaseUp,
    /// Workers stop pulling.
    Pause(bool),
}

/// How the pipeline is.
#[derive(Clone, Debug)]
pub(in crate::model) struct Setup {
    pub(in crate::model) seed: u64,
    pub(in crate::model) rate: f64,
    /// When the load begins.
    pub(in crate::model) load_from: f64,
    pub(in crate::model) workers: usize,
    /// Shares of webhooks that are refused, sent twice, and fail in a worker.
    pub(in crate::model) refused: f64,
    pub(in crate::model) twice: f64,
    pub(in crate::model) poison: f64,
    pub(in crate::model) ack_wait: f64,
    /// The session begins this long after the pipeline.
    pub(in crate::model) watched_from: f64,
    /// A worker counts what it processed when the database has it, not when it is acked.
    pub(in crate::model) counts_early: bool,
    pub(in crate::model) faults: Vec<(f64, Fault)>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            seed: 1,
            rate: 1_000.0,
            load_from: 1.5,
            workers: 3,
            refused: 0.01,
            twice: 0.01,
            poison: 0.0,
            ack_wait: 30.0,
            watched_from: 0.0,
            counts_early: false,
            faults: Vec::new(),
        }
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Gateway {
    pub(super) alive: bool,
    pub(super) started: f64,
    pub(super) received: u64,
    pub(super) refused: u64,
    pub(super) unconfirmed: u64,
    pub(super) queued: u64,
    pub(super) duplicates: u64,
    /// When the stream has it, when the answer goes out, what became of it.
    pub(super) in_flight: Vec<(f64, f64, Fate)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Fate {
    Refused,
    Publishing,
    Twice,
    Stored,
    Doubled,
    Lost,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Worker {
    pub(super) alive: bool,
    pub(super) started: f64,
    pub(super) processed: u64,
    pub(super) failed: u64,
    pub(super) acked: u64,
    pub(super) copied: u64,
    pub(super) batch: Vec<u64>,
    /// Acked by the server, not counted yet.
    pub(super) confirming: Vec<(u64, bool)>,
    pub(super) stage: Stage,
    pub(super) until: f64,
    pub(super) waiting_since: f64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Stage {
    #[default]
    Pulling,
    Writing,
    Acking,
    Confirming,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Message {
    pub(super) deliveries: u32,
    pub(super) attempts: u32,
    pub(super) poisoned: bool,
    /// When it is delivered again.
    pub(super) again: Option<f64>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Stream {
    pub(super) up: bool,
    pub(super) last_seq: u64,
    pub(super) waiting: VecDeque<u64>,
    pub(super) held: BTreeMap<u64, Message>,
    pub(super) consumer_seq: u64,
    pub(super) delivered_seq: u64,
    pub(super) letters: u64,
    /// Acked messages, for a server that forgets.
    pub(super) gone: VecDeque<(f64, u64, Message)>,
    pub(super) forgets_sequences: u64,
}

/// The pipeline, its sources, and the model that watches.
pub(in crate::model) struct Simulator {
    pub(in crate::model) feed: Feed,
    pub(super) setup: Setup,
    pub(super) dice: Dice,
    pub(super) now: f64,
    pub(super) rate: f64,
    pub(super) due: f64,
    pub(super) gateway: Gateway,
    pub(super) stream: Stream,
    pub(super) workers: Vec<Worker>,
    pub(super) database_up: bool,
    pub(super) rows: u64,
    pub(super) written: BTreeSet<u64>,
    pub(super) paused: bool,
    pub(super) forget: usize,
    pub(super) polls: Vec<(Poll, f64)>,
    /// A page or cycle that is being read: source, when it is captured, when it is in.
    pub(super) reading: Vec<(Poll, f64, f64)>,
    pub(super) answers: Vec<Answer>,
    pub(super) next_advance: f64,
    pub(super) cycle: Option<Cycle>,
    /// Every moment at which a line did not balance: time, line, difference.
    pub(in crate::model) alarms: Vec<(f64, String, f64)>,
    /// Every verdict that was raised.
    pub(in crate::model) verdicts: BTreeSet<String>,
}

impl Simulator {
    pub(in crate::model) fn new(mut setup: Setup) -> Self {
        setup.faults.insert(0, (setup.load_from, Fault::Load(setup.rate)));
        let mut dice = Dice::new(setup.seed);
        let mut polls = vec![(Poll::Gateway, 0.0), (Poll::Jetstream, 0.0), (Poll::Postgres, 0.0)];
        polls.extend((0..setup.workers).map(|worker| (Poll::Worker(worker), 0.0)));
        for (_, at) in &mut polls {
            *at = setup.watched_from + dice.between(0.0, 0.3);
        }
        Self {
            feed: Feed::default(),
            rate: 0.0,
            gateway: Gateway {
                alive: true,
                started: -100.0,
                ..Gateway::default()
            },
            stream: Stream {
                up: true,
                ..Stream::default()
            },
            workers: vec![
                Worker {
                    alive: true,
                    started: -100.0,
                    ..Worker::default()
                };
                setup.workers
            ],
            database_up: true,
            rows: 0,
            written: BTreeSet::new(),
            paused: false,
            forget: 0,
            next_advance: setup.watched_from + 0.25,
            polls,
            reading: Vec::new(),
            answers: Vec::new(),
            cycle: None,
            now: 0.0,
            due: 0.0,
            alarms: Vec::new(),
            verdicts: BTreeSet::new(),
            dice,
            setup,
        }
    }

    /// Lets the pipeline run until `end`.
    pub(in crate::model) fn run(&mut self, end: f64) -> &mut Self {
        while self.now < end {
            self.now += STEP;
            self.apply_faults();
            self.arrive();
            self.serve_gateway();
            self.redeliver();
            for worker in 0..self.workers.len() {
                self.work(worker);
            }
            self.poll();
            self.deliver();
            if self.now >= self.next_advance {
                self.advance();
            }
        }
        self
    }

    /// Messages that wait or are held.
    pub(in crate::model) fn backlog(&self) -> usize {
        self.stream.waiting.len() + self.stream.held.len()
    }

    pub(in crate::model) fn received(&self) -> u64 {
        self.gateway.received
    }

    pub(super) fn session(&self) -> f64 {
        self.now - self.setup.watched_from
    }

    fn advance(&mut self) {
        self.next_advance += if self.session() < 2.0 { 0.25 } else { 1.0 };
        let now = self.session();
        self.feed.at(now).advance();
        let view = self.feed.view();
        for line in &view.ledger.lines {
            if line.balanced == Some(false) {
                self.alarms.push((now, line.line.to_string(), line.difference.unwrap()));
            }
        }
        for verdict in &view.verdicts {
            self.verdicts.insert(verdict.id.to_string());
        }
    }

    fn apply_faults(&mut self) {
        let now = self.now;
        let due: Vec<Fault> = self
            .setup
            .faults
            .extract_if(.., |(at, _)| *at <= now)
            .map(|(_, fault)| fault)
            .collect();
        for fault in due {
            self.strike(&fault);
        }
    }

    fn strike(&mut self, fault: &Fault) {
        match *fault {
            Fault::Load(rate) => self.rate = rate,
            Fault::KillWorker(at) => self.workers[at].alive = false,
            Fault::StartWorker(at) => {
                self.workers[at] = Worker {
                    alive: true,
                    started: self.now,
                    ..Worker::default()
                };
            }
            Fault::KillGateway => self.gateway.alive = false,
            Fault::StartGateway => {
                self.gateway = Gateway {
                    alive: true,
                    started: self.now,
                    ..Gateway::default()
                };
            }
            Fault::NatsDown { forgets } => self.crash(forgets),
            Fault::NatsUp => self.stream.up = true,
            Fault::Delete(count) => {
                for _ in 0..count {
                    self.stream.waiting.pop_front();
                }
            }
            Fault::Forget(count) => self.forget = count,
            Fault::DatabaseDown => self.database_up = false,
            Fault::DatabaseUp => self.database_up = true,
            Fault::Pause(paused) => self.paused = paused,
        }
    }

    /// Acks of the last seconds are forgotten: those messages are there again, and the
    /// consumer's counters with them.
    fn crash(&mut self, forgets: f64) {
        let stream = &mut self.stream;
        stream.up = false;
        let mut back = 0;
        while let Some((at, seq, mut message)) = stream.gone.pop_back() {
            if at < self.now - forgets {
                stream.gone.push_back((at, seq, message));
                break;
            }
            message.again = Some(self.now + 1.0);
            stream.held.insert(seq, message);
            back += 1;
        }
        stream.consumer_seq -= back;
        stream.forgets_sequences = back;
    }

    fn arrive(&mut self) {
        self.due += self.rate * STEP;
        while self.due >= 1.0 {
            self.due -= 1.0;
            if !self.gateway.alive {
                continue;
            }
            let stored = self.now + self.dice.between(0.001, 0.006);
            let answered = stored + self.dice.between(0.0005, 0.006);
            let fate = if self.dice.chance(self.setup.refused) {
                Fate::Refused
            } else if self.dice.chance(self.setup.twice) {
                Fate::Twice
            } else {
                Fate::Publishing
            };
            self.gateway.received += 1;
            self.gateway.in_flight.push((stored, answered, fate));
        }
    }

    fn serve_gateway(&mut self) {
        if !self.gateway.alive {
            return;
        }
        let (now, gateway, stream) = (self.now, &mut self.gateway, &mut self.stream);
        for (stored, _, fate) in &mut gateway.in_flight {
            if *stored > now || matches!(fate, Fate::Refused | Fate::Stored | Fate::Doubled | Fate::Lost) {
                continue;
            }
            *fate = match (*fate, stream.up) {
                (_, false) => Fate::Lost,
                (Fate::Twice, true) => Fate::Doubled,
                _ => {
                    if self.forget > 0 {
                        self.forget -= 1;
                    } else {
                        stream.last_seq += 1;
                        stream.waiting.push_back(stream.last_seq);
                    }
                    // The server may die before its PubAck is out.
                    Fate::Stored
                }
            };
        }
        let up = stream.up;
        gateway.in_flight.retain(|(_, answered, fate)| {
            if *answered > now {
                return true;
            }
            match fate {
                Fate::Refused => gateway.refused += 1,
                Fate::Stored if up => gateway.queued += 1,
                Fate::Doubled if up => {
                    gateway.queued += 1;
                    gateway.duplicates += 1;
                }
                _ => gateway.unconfirmed += 1,
            }
            false
        });
    }

    fn redeliver(&mut self) {
        if !self.stream.up {
            return;
        }
        while self.stream.gone.len() > 20_000 {
            self.stream.gone.pop_front();
        }
    }

    fn work(&mut self, at: usize) {
        if !self.workers[at].alive {
            return;
        }
        match self.workers[at].stage {
            Stage::Pulling => self.pull(at),
            Stage::Writing if self.now >= self.workers[at].until => self.write(at),
            Stage::Acking if self.now >= self.workers[at].until => self.ack(at),
            Stage::Confirming if self.now >= self.workers[at].until => self.confirm(at),
            _ => {}
        }
    }

    fn pull(&mut self, at: usize) {
        let now = self.now;
        let (stream, worker) = (&mut self.stream, &mut self.workers[at]);
        if !stream.up || !self.database_up || self.paused {
            return;
        }
        let again: Vec<u64> = stream
            .held
            .iter()
            .filter(|(_, message)| message.again.is_some_and(|again| again <= now))
            .map(|(seq, _)| *seq)
            .take(100)
            .collect();
        let ready = again.len() + stream.waiting.len();
        if ready == 0 {
            worker.waiting_since = now;
            return;
        }
        if ready < 100 && now - worker.waiting_since < 0.2 {
            return;
        }
        let ack_by = now + self.setup.ack_wait;
        let mut batch = again;
        for seq in &batch {
            let message = stream.held.get_mut(seq).unwrap();
            message.deliveries += 1;
            message.again = Some(ack_by);
        }
        while batch.len() < 100
            && let Some(seq) = stream.waiting.pop_front()
        {
            let message = Message {
                deliveries: 1,
                attempts: 0,
                poisoned: self.dice.chance(self.setup.poison),
                again: Some(ack_by),
            };
            stream.held.insert(seq, message);
            stream.delivered_seq = stream.delivered_seq.max(seq);
            batch.push(seq);
        }
        stream.consumer_seq += batch.len() as u64;
        worker.batch = batch;
        worker.stage = Stage::Writing;
        worker.until = now + self.dice.between(0.005, 0.05);
    }

    fn write(&mut self, at: usize) {
        if !self.database_up {
            return;
        }
        let worker = &mut self.workers[at];
        for seq in &worker.batch {
            let poisoned = self.stream.held.get(seq).is_some_and(|message| message.poisoned);
            if !poisoned && self.written.insert(*seq) {
                self.rows += 1;
            }
            if !poisoned && self.setup.counts_early {
                worker.processed += 1;
            }
        }
        worker.stage = Stage::Acking;
        worker.until = self.now + self.dice.between(0.001, 0.01);
    }

    /// The server takes the acks; the worker has not heard of it yet.
    fn ack(&mut self, at: usize) {
        if !self.stream.up {
            return;
        }
        let (stream, worker) = (&mut self.stream, &mut self.workers[at]);
        worker.confirming.clear();
        for seq in std::mem::take(&mut worker.batch) {
            let Some(message) = stream.held.get_mut(&seq) else {
                // Somebody else acked it: the server confirms again.
                worker.confirming.push((seq, false));
                continue;
            };
            if message.poisoned {
                message.attempts += 1;
                worker.failed += 1;
                if message.attempts < 3 {
                    message.again = Some(self.now + 0.5);
                    continue;
                }
                stream.letters += 1;
            }
            let message = stream.held.remove(&seq).unwrap();
            worker.confirming.push((seq, message.poisoned));
            stream.gone.push_back((self.now, seq, message));
        }
        worker.stage = Stage::Confirming;
        worker.until = self.now + self.dice.between(0.0005, 0.004);
    }

    fn confirm(&mut self, at: usize) {
        let worker = &mut self.workers[at];
        for (_, poisoned) in worker.confirming.drain(..) {
            worker.acked += 1;
            if poisoned {
                worker.copied += 1;
            } else if !self.setup.counts_early {
                worker.processed += 1;
            }
        }
        worker.stage = Stage::Pulling;
        worker.waiting_since = self.now;
    }
}

//! A pipeline in a box: gateways, a stream, workers and a database with true counters, read by
//! sources at jittered times, each reading from somewhere within the time that it took.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::{Feed, QueueSpec, jetstream, metrics, postgres};
use crate::base::time::Timestamp;
use crate::sample::{CounterReading, ProviderCounters, QueueReading, Sample};

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

    fn between(&mut self, from: f64, to: f64) -> f64 {
        from + (to - from) * self.roll()
    }

    fn chance(&mut self, p: f64) -> bool {
        self.roll() < p
    }
}

/// What goes wrong.
#[derive(Clone, Copy, Debug)]
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
struct Gateway {
    alive: bool,
    started: f64,
    received: u64,
    refused: u64,
    unconfirmed: u64,
    queued: u64,
    duplicates: u64,
    /// When the stream has it, when the answer goes out, what became of it.
    in_flight: Vec<(f64, f64, Fate)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Refused,
    Publishing,
    Twice,
    Stored,
    Doubled,
    Lost,
}

#[derive(Clone, Debug, Default)]
struct Worker {
    alive: bool,
    started: f64,
    processed: u64,
    failed: u64,
    acked: u64,
    copied: u64,
    batch: Vec<u64>,
    /// Acked by the server, not counted yet.
    confirming: Vec<(u64, bool)>,
    stage: Stage,
    until: f64,
    waiting_since: f64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Stage {
    #[default]
    Pulling,
    Writing,
    Acking,
    Confirming,
}

#[derive(Clone, Debug, Default)]
struct Message {
    deliveries: u32,
    attempts: u32,
    poisoned: bool,
    /// When it is delivered again.
    again: Option<f64>,
}

#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_field_names, reason = "the server's own names")]
struct Stream {
    up: bool,
    last_seq: u64,
    waiting: VecDeque<u64>,
    held: BTreeMap<u64, Message>,
    consumer_seq: u64,
    stream_seq: u64,
    letters: u64,
    /// Acked messages, for a server that forgets.
    gone: VecDeque<(f64, u64, Message)>,
    forgets_sequences: u64,
}

/// What a poll saw, on its way.
struct Answer {
    at: f64,
    what: Box<dyn FnOnce(&mut Feed)>,
}

/// The pipeline, its sources, and the model that watches.
pub(in crate::model) struct Simulator {
    pub(in crate::model) feed: Feed,
    setup: Setup,
    dice: Dice,
    now: f64,
    rate: f64,
    due: f64,
    gateway: Gateway,
    stream: Stream,
    workers: Vec<Worker>,
    database_up: bool,
    rows: u64,
    written: BTreeSet<u64>,
    paused: bool,
    forget: usize,
    polls: Vec<(Poll, f64)>,
    /// A page or cycle that is being read: source, when it is captured, when it is in.
    reading: Vec<(Poll, f64, f64)>,
    answers: Vec<Answer>,
    next_advance: f64,
    cycle: Option<Cycle>,
    /// Every moment at which a line did not balance: time, line, difference.
    pub(in crate::model) alarms: Vec<(f64, String, f64)>,
    /// Every verdict that was raised.
    pub(in crate::model) verdicts: BTreeSet<String>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Poll {
    Gateway,
    Worker(usize),
    Jetstream,
    Postgres,
}

/// A cycle over the stream: S1, the consumer, S2.
struct Cycle {
    times: [f64; 6],
    before: Option<QueueSpec>,
    consumer: Option<QueueSpec>,
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

    fn session(&self) -> f64 {
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
            self.strike(fault);
        }
    }

    fn strike(&mut self, fault: Fault) {
        match fault {
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
            stream.stream_seq = stream.stream_seq.max(seq);
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

    fn poll(&mut self) {
        let now = self.now;
        for index in 0..self.polls.len() {
            let (poll, at) = self.polls[index];
            if at > now {
                continue;
            }
            let period = if self.session() < 2.0 { 0.25 } else { 1.0 };
            let took = self.dice.between(0.001, 0.08);
            self.polls[index].1 = now + period + self.dice.between(-0.1, 0.1) + took;
            if poll == Poll::Jetstream {
                let mut times = [now; 6];
                for at in 1..6 {
                    times[at] = times[at - 1] + self.dice.between(0.0, 0.015);
                }
                self.cycle = Some(Cycle {
                    times,
                    before: None,
                    consumer: None,
                });
                continue;
            }
            let captured = now + took * self.dice.roll();
            self.reading.push((poll, captured, now + took));
        }
        self.read_cycle();
        let due: Vec<(Poll, f64, f64)> = self
            .reading
            .extract_if(.., |(_, captured, _)| *captured <= now)
            .collect();
        for (poll, _, end) in due {
            self.capture(poll, end);
        }
    }

    fn spec(&self) -> QueueSpec {
        let stream = &self.stream;
        let messages = (stream.waiting.len() + stream.held.len()) as u64;
        let first = stream
            .held
            .keys()
            .next()
            .into_iter()
            .chain(stream.waiting.front())
            .min()
            .copied()
            .unwrap_or(stream.last_seq + 1);
        QueueSpec {
            last_seq: stream.last_seq,
            messages,
            bytes: messages * 500,
            first_seq: first,
            pending: stream.waiting.len() as u64,
            ack_pending: stream.held.len() as u64,
            redelivered: stream.held.values().filter(|message| message.deliveries > 1).count() as u64,
            delivered: stream.consumer_seq,
            delivered_seq: stream.stream_seq,
            floor: first - 1,
            waiting: 1,
            ..QueueSpec::default()
        }
    }

    /// S1, the consumer and S2 are taken one after the other.
    fn read_cycle(&mut self) {
        let Some(mut cycle) = self.cycle.take() else { return };
        if !self.stream.up {
            let at = self.session();
            self.feed
                .at(at)
                .fail(&jetstream(), "read stream webhooks: connection refused");
            return;
        }
        if cycle.before.is_none() && self.now >= cycle.times[1] {
            cycle.before = Some(self.spec());
        }
        if cycle.consumer.is_none() && self.now >= cycle.times[3] {
            cycle.consumer = Some(self.spec());
        }
        if self.now < cycle.times[5] {
            self.cycle = Some(cycle);
            return;
        }
        let (before, consumer, after) = (cycle.before.unwrap(), cycle.consumer.unwrap(), self.spec());
        let begin = self.setup.watched_from;
        let [_, s1, _, c, _, s2] = cycle.times.map(|time| Duration::from_secs_f64((time - begin).max(0.0)));
        let at = self.session();
        let wall = self.feed.at(at).moment().at;
        let reading = assemble(&before, &consumer, &after, [s1, c, s2.max(c)], wall);
        self.feed.send(&jetstream(), Sample::Queue(Box::new(reading)));
        let letters = QueueSpec::letters(self.stream.letters);
        self.feed.queue(&letters);
    }

    fn capture(&mut self, poll: Poll, end: f64) {
        let took = Duration::from_secs_f64(end - self.now + 0.08);
        let at = end - self.setup.watched_from;
        let what: Box<dyn FnOnce(&mut Feed)> = match poll {
            Poll::Gateway if self.gateway.alive => {
                let page = self.gateway_page();
                Box::new(move |feed| {
                    feed.scrape_taking("gateway", &page, took);
                })
            }
            Poll::Worker(worker) if self.workers[worker].alive => {
                let page = self.worker_page(worker);
                Box::new(move |feed| {
                    feed.scrape_taking(&format!("w-{worker}"), &page, took);
                })
            }
            Poll::Gateway => Box::new(|feed| {
                feed.fail(&metrics("gateway"), "scrape gateway: connection refused");
            }),
            Poll::Worker(worker) => Box::new(move |feed| {
                feed.fail(&metrics(&format!("w-{worker}")), "scrape worker: connection refused");
            }),
            Poll::Postgres if self.database_up => {
                let rows = self.rows;
                Box::new(move |feed| {
                    let reading = CounterReading {
                        providers: vec![ProviderCounters {
                            provider: "telnyx".into(),
                            rows_written: rows,
                            skipped: 0,
                        }],
                        took,
                    };
                    feed.send(&postgres(), Sample::Counters(reading));
                    feed.ok(&postgres());
                })
            }
            Poll::Postgres => Box::new(|feed| {
                feed.fail(&postgres(), "connect to postgres: connection refused");
            }),
            Poll::Jetstream => return,
        };
        self.answers.push(Answer { at, what });
    }

    fn deliver(&mut self) {
        let now = self.session();
        let mut due: Vec<Answer> = self.answers.extract_if(.., |answer| answer.at <= now).collect();
        due.sort_by(|a, b| a.at.total_cmp(&b.at));
        for answer in due {
            self.feed.at(now);
            (answer.what)(&mut self.feed);
        }
    }

    fn gateway_page(&self) -> Vec<(String, f64)> {
        let gateway = &self.gateway;
        let count = |name: &str, value: u64| (format!("{name}{{provider=telnyx}}"), value as f64);
        vec![
            ("webhook_build_info{role=gateway,name=gateway}".into(), 1.0),
            ("process_start_time_seconds".into(), self.wall(gateway.started)),
            count("webhook_refused_total", gateway.refused),
            count("webhook_unconfirmed_total", gateway.unconfirmed),
            count("webhook_queued_total", gateway.queued),
            count("webhook_duplicate_total", gateway.duplicates),
            ("webhook_in_flight".into(), gateway.in_flight.len() as f64),
            count("webhook_received_total", gateway.received),
        ]
    }

    fn worker_page(&self, at: usize) -> Vec<(String, f64)> {
        let worker = &self.workers[at];
        vec![
            (format!("webhook_build_info{{role=worker,name=w-{at}}}"), 1.0),
            ("process_start_time_seconds".into(), self.wall(worker.started)),
            (
                "webhook_processed_total{provider=telnyx,status=success}".into(),
                worker.processed as f64,
            ),
            (
                "webhook_processed_total{provider=telnyx,status=failure}".into(),
                worker.failed as f64,
            ),
            ("webhook_acked_total".into(), worker.acked as f64),
            ("webhook_dead_lettered_total".into(), worker.copied as f64),
            (
                "webhook_circuit_breaker_state".into(),
                f64::from(u8::from(!self.database_up)),
            ),
        ]
    }

    /// Unix time of a simulated moment.
    fn wall(&self, at: f64) -> f64 {
        super::feed::EPOCH as f64 + at - self.setup.watched_from
    }
}

/// One cycle from three states of the queue.
fn assemble(
    before: &QueueSpec,
    consumer: &QueueSpec,
    after: &QueueSpec,
    times: [Duration; 3],
    wall: Timestamp,
) -> QueueReading {
    let took = Duration::from_millis(20);
    let mut reading = before.reading(times[0], wall);
    let mut middle = consumer.reading(times[1], wall);
    let last = after.reading(times[2], wall);
    reading.before.mono = times[0];
    reading.before.took = took;
    for consumer in &mut middle.consumers {
        consumer.mono = times[1];
        consumer.took = took;
    }
    reading.consumers = middle.consumers;
    reading.after = last.before;
    reading.after.mono = times[2];
    reading.after.took = took;
    reading
}

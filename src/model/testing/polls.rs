//! How the simulated pipeline is read: at jittered times, each reading from somewhere within
//! the time that it took, the parts of a cycle one after the other.

use std::time::Duration;

use super::simulator::{Simulator, Stage, Worker};
use super::{EPOCH, Feed, QueueSpec, jetstream, metrics, postgres};
use crate::base::time::Timestamp;
use crate::sample::{CounterReading, ProviderCounters, QueueReading, Sample};

/// What a poll saw, on its way.
pub(super) struct Answer {
    at: f64,
    what: Box<dyn FnOnce(&mut Feed)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Poll {
    Gateway,
    Worker(usize),
    Jetstream,
    Postgres,
}

/// A cycle over the stream: S1, the consumer, S2.
pub(super) struct Cycle {
    times: [f64; 6],
    before: Option<QueueSpec>,
    consumer: Option<QueueSpec>,
}

impl Simulator {
    pub(super) fn poll(&mut self) {
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

    fn pulls(&self, worker: &Worker) -> bool {
        worker.alive && worker.stage == Stage::Pulling && self.database_up && !self.paused
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
            delivered_seq: stream.delivered_seq,
            floor: first - 1,
            waiting: self.workers.iter().filter(|worker| self.pulls(worker)).count() as u64,
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
            cycle.times[1] = self.now;
        }
        if cycle.consumer.is_none() && self.now >= cycle.times[3] {
            cycle.consumer = Some(self.spec());
            cycle.times[3] = self.now;
        }
        if self.now < cycle.times[5] {
            self.cycle = Some(cycle);
            return;
        }
        cycle.times[5] = self.now;
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

    pub(super) fn deliver(&mut self) {
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
        EPOCH as f64 + at - self.setup.watched_from
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

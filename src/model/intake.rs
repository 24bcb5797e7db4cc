//! Samples are taken in: each goes to the part of the model that it is about, and what it reveals
//! is heard.

use super::Model;
use super::events::Happening;
use super::queues::Queues;
use super::sources::{self, Stamp};
use super::view::{EventKind, Severity};
use crate::base::time::Moment;
use crate::sample::{Envelope, OutboundRows, Panel, QueueReading, Sample, SourceKind, SourceState, SubjectsReading};

/// Streams whose counts per subject are kept, and subjects of each.
const SUBJECTS_KEPT: usize = 4;
const SUBJECTS_SHOWN: usize = 200;

impl Model {
    /// Takes a sample in. Cheap: figures are worked out by [`Model::advance`].
    pub fn apply(&mut self, envelope: &Envelope) {
        if envelope.profile != self.settings.profile {
            return;
        }
        let moment = envelope.moment();
        let stamp = Stamp {
            at: envelope.at,
            mono: envelope.mono,
            source: envelope.source.clone(),
        };
        // A canary's run is no reading: it makes no source that could be missed.
        if !matches!(envelope.sample, Sample::Report(_) | Sample::Canary(_)) {
            self.sources.note(&envelope.source, moment);
            self.first_data.get_or_insert(envelope.mono);
        }
        self.take(stamp, moment, &envelope.sample);
    }

    fn take(&mut self, stamp: Stamp, moment: Moment, sample: &Sample) {
        match sample {
            Sample::Report(report) if report.state == SourceState::Off && stamp.source.kind == SourceKind::Metrics => {
                // A discovered target that is gone: its totals stay, its row goes.
                let sign = self.metrics.refuse(&stamp.source, moment.mono.as_secs_f64());
                self.hear_target(&stamp.source.name, sign.into_iter().collect(), moment);
                self.sources.forget(&stamp.source);
                self.metrics.retire(&stamp.source.name);
            }
            Sample::Report(report) => {
                self.sources.report(&stamp.source, moment, report);
                match stamp.source.kind {
                    SourceKind::Metrics if sources::refuses(report) => {
                        let sign = self.metrics.refuse(&stamp.source, moment.mono.as_secs_f64());
                        self.hear_target(&stamp.source.name, sign.into_iter().collect(), moment);
                    }
                    SourceKind::Jetstream if report.state == SourceState::Failing && self.outage.is_none() => {
                        self.outage = self.last_read();
                    }
                    _ => {}
                }
            }
            Sample::Scrape(scrape) => {
                let name = stamp.source.name.clone();
                let first = scrape.first_skipped.as_deref();
                if self.sources.page(&stamp.source, moment, scrape.skipped, first) {
                    self.hear_page(&stamp.source, moment);
                }
                let new = !self.metrics.targets.contains_key(&name);
                let signs = self.metrics.apply(stamp, scrape, &self.settings.families, self.epoch);
                if new {
                    self.target_joined(&name, moment);
                }
                self.hear_target(&name, signs, moment);
            }
            Sample::Server(server) => {
                self.hear_server(server, moment);
                self.queues.serve(stamp, server);
                self.view.server = Some((**server).clone());
            }
            Sample::Queue(reading) => self.take_cycle(&stamp, moment, reading),
            Sample::Inventory(reading) => {
                let before = self.last_read();
                let signs = self.queues.sweep(&stamp, reading, self.epoch);
                self.hear_queues(signs, before, moment);
            }
            Sample::Oldest(reading) => self.queues.oldest(stamp, reading),
            Sample::Subjects(reading) => {
                self.queues.subjects(&stamp, reading);
                self.keep_subjects(reading);
            }
            Sample::Advisory(advisory) => self.hear_advisory(advisory, moment),
            Sample::Counters(reading) => {
                if self.database.count(stamp, reading, &mut self.metrics.providers) {
                    self.ledger.rows_fell();
                    self.memory.resets.rows(moment.mono);
                    self.memory
                        .falls
                        .insert("postgres".into(), (moment.mono.as_secs_f64(), "rows written"));
                }
            }
            Sample::Heartbeats(reading) => self.database.beat(stamp, reading),
            Sample::Database(reading) => {
                self.database.blocked = Some((stamp, reading.blocked.clone()));
                self.view.database = Some((**reading).clone());
            }
            Sample::Panel(reading) => {
                if reading.problem.is_some() {
                    self.outbound.lose(reading.panel);
                    self.database.lose(reading.panel);
                    if reading.panel == Panel::Connections {
                        self.connections.lose();
                    }
                }
                self.database.panel(reading);
            }
            Sample::Outbound(reading) => {
                if let OutboundRows::Workers(rows) = &reading.rows {
                    self.database.take_stats(&stamp, reading, rows);
                } else {
                    self.outbound.take(&stamp, reading);
                }
            }
            Sample::Probe(reading) => {
                let name = stamp.source.name.clone();
                if self.probes.take(stamp, reading) {
                    self.hear_probe(&name, reading, moment);
                }
            }
            Sample::Connections(reading) => self.connections.take(&stamp, reading),
            Sample::Canary(reading) => self.memory.canary(reading),
        }
    }

    /// Keeps the latest counts per subject of the last few streams that somebody looked at.
    fn keep_subjects(&mut self, reading: &SubjectsReading) {
        let kept = &mut self.view.subjects;
        if kept.len() >= SUBJECTS_KEPT && !kept.contains_key(&reading.stream) {
            kept.clear();
        }
        let mut shown = reading.clone();
        let over = shown.counts.split_off(shown.counts.len().min(SUBJECTS_SHOWN));
        shown.left_out.0 += over.len() as u64;
        shown.left_out.1 += over.iter().map(|(_, count)| count).sum::<u64>();
        kept.insert(reading.stream.clone(), shown);
    }

    fn take_cycle(&mut self, stamp: &Stamp, moment: Moment, reading: &QueueReading) {
        let before = self.last_read();
        for refused in self.memory.refusals(reading) {
            let what = Happening::new(
                refused.clone(),
                EventKind::Console,
                Severity::Warning,
                "threshold refused",
            );
            self.tell(moment, &what.detail(refused));
        }
        let letters = self.settings.pipeline.dlq.as_ref() == Some(&reading.before.name);
        let dead = |queues: &Queues| {
            let track = queues.streams.get(&reading.before.name)?;
            Some(track.stored.since_start())
        };
        let then = dead(&self.queues);
        let signs = self.queues.cycle(stamp, reading, self.epoch);
        self.hear_queues(signs, before, moment);
        if self.settings.pipeline.stream.is_none() {
            self.follow_the_only_one(moment);
        }
        if self.settings.pipeline.stream.as_ref() == Some(&reading.before.name) {
            self.close_outage(moment);
        }
        if letters && let (Some(then), Some(now)) = (then, dead(&self.queues)) {
            self.hear_letters(now - then, reading.after.state.last_seq, moment);
        }
    }

    /// A profile that names no stream means the only one with consumers, once all are known: a
    /// console that is given just a server would otherwise show nothing of its one pipeline.
    fn follow_the_only_one(&mut self, now: Moment) {
        let Some(stream) = self.queues.only_consumed() else {
            return;
        };
        let text = format!("following stream {stream}");
        self.settings.pipeline.stream = Some(stream);
        let what = Happening::new("following".to_owned(), EventKind::Console, Severity::Info, text);
        let why = "the only one with consumers; --stream names another";
        self.tell(now, &what.detail(why.to_owned()));
    }

    /// When the followed stream was last read: the beginning of that reading.
    fn last_read(&self) -> Option<f64> {
        let (_, stream) = self.queues.followed_stream(&self.settings.pipeline)?;
        Some(stream.span.begun)
    }
}

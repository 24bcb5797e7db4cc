//! What samples reveal beyond their numbers: restarts, vanished consumers, advisories. Each
//! becomes an event, and what it means for the ledger and the verdicts is noted.

use std::sync::Arc;
use std::time::Duration;

use super::Model;
use super::events::Happening;
use super::metrics::{Sign, Tally, Target, Unseen, safe_name};
use super::queues::{ConsumerSign, QueueSign, StreamSign};
use super::sources::Turn;
use super::verdicts::Change;
use super::view::{EventKind, Health, LETTERS_DIED, Severity};
use crate::base::text;
use crate::base::time::Moment;
use crate::sample::{Advisory, AdvisoryKind, ProbeReading, ProbeState, ServerReading, SourceId, SourceKind};

/// Processes that show up this soon after the start were there before.
const ARRIVALS: Duration = Duration::from_secs(5);

fn process(severity: Severity, text: String) -> Happening {
    Happening::new(text.clone(), EventKind::Process, severity, text)
}

impl Model {
    pub(super) fn tell(&mut self, now: Moment, what: &Happening) {
        self.merger.add(&mut self.view.events, now, what);
    }

    /// A process's name as it calls itself, with its role where it is a worker.
    fn process_name(&self, endpoint: &str) -> String {
        let Some(target) = self.metrics.targets.get(endpoint) else {
            return text::safe(endpoint).into_owned();
        };
        let name = target.identity.name.as_deref().unwrap_or(endpoint);
        let name = text::safe(name);
        if target.is_worker() {
            format!("worker {name}")
        } else {
            name.into_owned()
        }
    }

    /// A target was read for the first time.
    pub(super) fn target_joined(&mut self, endpoint: &str, now: Moment) {
        if now.mono.saturating_sub(self.start.mono) < ARRIVALS {
            return;
        }
        let name = self.process_name(endpoint);
        let version = self
            .metrics
            .targets
            .get(endpoint)
            .and_then(|target| target.identity.version.clone());
        let detail = version.map(|version| format!("version {version}")).unwrap_or_default();
        self.tell(now, &process(Severity::Info, format!("{name} up")).detail(detail));
    }

    pub(super) fn hear_target(&mut self, endpoint: &Arc<str>, signs: Vec<Sign>, now: Moment) {
        for sign in signs {
            let name = self.process_name(endpoint);
            match sign {
                Sign::Gone(unseen) => self.process_ended(endpoint, unseen),
                Sign::Restarted(unseen) => {
                    if let Some(unseen) = unseen {
                        self.process_ended(endpoint, unseen);
                    }
                    self.memory.resets.process(self.is_gateway(endpoint), now.mono);
                    let what = process(Severity::Warning, format!("{name} restarted"));
                    self.tell(now, &what.detail("its counters began again at 0"));
                }
                Sign::Fell(tally) => {
                    self.memory.resets.process(self.is_gateway(endpoint), now.mono);
                    let family = family(tally);
                    self.memory
                        .falls
                        .insert(endpoint.clone(), (now.mono.as_secs_f64(), family));
                    let what = process(Severity::Info, format!("{name}: {family} fell in the same process"));
                    self.tell(now, &what);
                }
                Sign::Version(version) => {
                    self.tell(now, &process(Severity::Info, format!("{name} now runs {version}")));
                }
            }
        }
    }

    /// A service says that it is otherwise than before.
    pub(super) fn hear_probe(&mut self, name: &Arc<str>, reading: &ProbeReading, now: Moment) {
        let name = safe_name(name);
        let (severity, word) = match reading.state {
            ProbeState::Healthy => (Severity::Info, "healthy"),
            ProbeState::Degraded => (Severity::Warning, "degraded"),
            ProbeState::Unhealthy => (Severity::Critical, "unhealthy"),
        };
        let bad = reading
            .checks
            .iter()
            .filter(|check| check.state > Some(ProbeState::Healthy));
        let checks: Vec<String> = bad
            .take(3)
            .map(|check| format!("{}: {}", check.name, check.detail))
            .collect();
        let what = Happening::new(
            format!("probe {name}"),
            EventKind::Source,
            severity,
            format!("probe {name} says {word}"),
        );
        let detail = format!(
            "HTTP {}{}{}",
            reading.status,
            if checks.is_empty() { "" } else { "; " },
            checks.join("; ")
        );
        self.tell(now, &what.detail(detail));
    }

    fn is_gateway(&self, endpoint: &str) -> bool {
        let target = self.metrics.targets.get(endpoint);
        target.is_some_and(Target::is_gateway)
    }

    /// The counters of a stream or of its consumers began anew.
    fn reset_queues(&mut self, stream: &Arc<str>, ours: bool, now: Moment) {
        if ours {
            self.memory.resets.queues(now.mono);
        } else {
            self.memory.resets.stream(stream, now.mono);
        }
    }

    fn process_ended(&mut self, endpoint: &str, unseen: Unseen) {
        if let Some(target) = self.metrics.targets.get(endpoint) {
            self.ledger.process_ended(target, unseen);
        }
    }

    pub(super) fn hear_queues(&mut self, signs: Vec<QueueSign>, before: Option<f64>, now: Moment) {
        let followed = self.settings.pipeline.stream.clone();
        let letters = self.settings.pipeline.dlq.clone();
        for sign in signs {
            match sign {
                QueueSign::Stream(stream, sign) => {
                    let ours = followed.as_ref() == Some(&stream);
                    if matches!(sign, StreamSign::Recreated | StreamSign::SequenceBack(_)) {
                        let back = match sign {
                            StreamSign::SequenceBack(by) => Some(by),
                            _ => None,
                        };
                        if ours {
                            self.ledger.stream_replaced();
                            self.memory.replaced.push((stream.clone(), back));
                        } else if letters.as_ref() == Some(&stream) {
                            self.ledger.letters_replaced();
                        }
                    } else if ours {
                        self.note_gap(before, now);
                    }
                    self.reset_queues(&stream, ours, now);
                    let name = text::safe(&stream);
                    self.tell(now, &stream_event(&name, &sign));
                }
                QueueSign::Consumer(stream, consumer, sign) => {
                    let ours = followed.as_ref() == Some(&stream);
                    if ours {
                        self.note_gap(before, now);
                    }
                    self.reset_queues(&stream, ours, now);
                    let name = format!("{}/{}", text::safe(&stream), text::safe(&consumer));
                    let what = match sign {
                        ConsumerSign::Recreated => format!("consumer {name} was created anew"),
                        ConsumerSign::FellBack => format!("consumer {name} fell back: its server restarted"),
                    };
                    self.tell(now, &process(Severity::Warning, what));
                }
                QueueSign::Missing(stream, consumer) => {
                    let name = format!("{}/{}", text::safe(&stream), text::safe(&consumer));
                    self.tell(now, &process(Severity::Critical, format!("consumer {name} is gone")));
                }
            }
        }
    }

    /// What happened to the followed stream between two readings was not all seen.
    fn note_gap(&mut self, before: Option<f64>, now: Moment) {
        if let Some(before) = before {
            self.ledger.server_gap(before, now.mono.as_secs_f64());
        }
    }

    /// The followed stream is read again after its source failed.
    pub(super) fn close_outage(&mut self, now: Moment) {
        if let Some(before) = self.outage.take() {
            self.ledger.server_gap(before, now.mono.as_secs_f64());
        }
    }

    pub(super) fn hear_server(&mut self, server: &ServerReading, now: Moment) {
        let known = self.queues.server.as_ref().map(|known| &known.server_id);
        if known.is_some_and(|known| *known != server.server_id) {
            let name = text::safe(&server.name);
            self.memory.resets.queues(now.mono);
            let what = process(Severity::Warning, format!("another NATS server answers: {name}"));
            self.tell(now, &what.detail("restarted, or the client went to another one"));
        }
    }

    /// Letters that came since the last reading.
    pub(super) fn hear_letters(&mut self, came: f64, last_seq: u64, now: Moment) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a count, checked to be positive"
        )]
        let count = came as u64;
        if count == 0 {
            return;
        }
        let stream = self.settings.pipeline.dlq.as_deref().unwrap_or_default();
        let (one, many) = LETTERS_DIED;
        let what = Happening::new("letters", EventKind::Process, Severity::Warning, one)
            .many(count, many)
            .run(text::safe(stream), last_seq);
        self.tell(now, &what);
    }

    pub(super) fn hear_advisory(&mut self, advisory: &Advisory, now: Moment) {
        let about = match (&advisory.stream, &advisory.consumer) {
            (Some(stream), Some(consumer)) => format!("{}/{}", text::safe(stream), text::safe(consumer)),
            (Some(stream), None) => text::safe(stream).into_owned(),
            _ => "the account".to_owned(),
        };
        let (severity, one, many) = advisory_words(advisory.kind, &about);
        if let Some(stream) = &advisory.stream {
            match advisory.kind {
                AdvisoryKind::QuorumLost => {
                    self.memory.quorum_lost.insert(stream.clone(), now.mono.as_secs_f64());
                }
                AdvisoryKind::LeaderElected => {
                    self.memory.quorum_lost.remove(stream);
                }
                _ => {}
            }
        }
        let reason = advisory.reason.as_deref().map(|reason| text::safe(reason).into_owned());
        let key = format!("{:?} {about}", advisory.kind);
        let what = Happening::new(key, EventKind::Advisory, severity, one)
            .many(advisory.count.max(1), many)
            .detail(reason.unwrap_or_default());
        self.tell(now, &what);
    }

    /// This process stood still: stopped, or starved of time.
    pub(super) fn hear_pause(&mut self, now: Moment) {
        if let Some(pause) = self.sources.stood_still() {
            let lasted = text::duration(Duration::from_secs(pause.as_secs()));
            let what = Happening::new(
                "pause",
                EventKind::Console,
                Severity::Info,
                format!("the console stood still for {lasted}"),
            );
            self.tell(now, &what.detail("nothing was read meanwhile"));
        }
    }

    /// A page with lines that cannot be read, after one without.
    pub(super) fn hear_page(&mut self, source: &SourceId, now: Moment) {
        let text = format!("{} has lines that cannot be read", self.process_name(&source.name));
        let what = Happening::new("page".to_owned(), EventKind::Source, Severity::Warning, text)
            .many(1, "{n} pages have lines that cannot be read")
            .detail(self.sources.trouble(source).unwrap_or_default());
        self.tell(now, &what);
    }

    /// Sources that changed their state.
    pub(super) fn hear_sources(&mut self, turns: Vec<Turn>, now: Moment) {
        for turn in turns {
            let name = match turn.id.kind {
                SourceKind::Metrics => self.process_name(&turn.id.name),
                _ => turn.id.name.to_string(),
            };
            let (severity, one, many) = match (turn.from, turn.to) {
                (_, Health::Failing) => (
                    Severity::Warning,
                    format!("{name} cannot be read"),
                    "{n} sources cannot be read: {names}",
                ),
                (_, Health::Stale) => (
                    Severity::Warning,
                    format!("{name} is silent"),
                    "{n} sources are silent: {names}",
                ),
                (Health::Failing | Health::Stale, Health::Ok) => (
                    Severity::Info,
                    format!("{name} answers again"),
                    "{n} sources answer again: {names}",
                ),
                _ => continue,
            };
            let key = format!("source {:?} {many}", turn.to);
            let what = Happening::new(key, EventKind::Source, severity, one)
                .many(1, many)
                .named(name)
                .detail(turn.error.unwrap_or_default());
            self.tell(now, &what);
        }
    }

    /// Verdicts that came or went.
    pub(super) fn hear_verdicts(&mut self, changes: Vec<Change>, now: Moment) {
        for Change { verdict, raised } in changes {
            let about = verdict
                .subject
                .as_deref()
                .map(|of| format!(" {}", text::safe(of)))
                .unwrap_or_default();
            let (severity, text) = if raised {
                (verdict.severity, verdict.text)
            } else {
                (Severity::Info, format!("over: {}", verdict.text))
            };
            let key = format!("verdict {} {raised}{about}", verdict.id);
            let what = Happening::new(key, EventKind::Verdict, severity, text).detail(format!("{}{about}", verdict.id));
            self.tell(now, &what);
        }
    }
}

fn stream_event(name: &str, sign: &StreamSign) -> Happening {
    let (severity, what) = match sign {
        StreamSign::Recreated => (Severity::Critical, format!("stream {name} was created anew")),
        StreamSign::SequenceBack(by) => (
            Severity::Critical,
            format!("stream {name} went back by {} messages", text::count(*by)),
        ),
        StreamSign::Reappeared(by) => (
            Severity::Warning,
            format!("{} messages reappeared in {name}", text::count(*by)),
        ),
        StreamSign::Leader(leader) => (Severity::Info, format!("{name} is now led by {}", text::safe(leader))),
    };
    process(severity, what)
}

fn advisory_words(kind: AdvisoryKind, about: &str) -> (Severity, String, String) {
    let words = |one: &str, many: &str| (format!("{one} {about}"), format!("{{n}} {many} {about}"));
    let (severity, (one, many)) = match kind {
        AdvisoryKind::MaxDeliveries => (
            Severity::Warning,
            words("last delivery of a message on", "messages at their last delivery on"),
        ),
        AdvisoryKind::Terminated => (
            Severity::Warning,
            words("a message was terminated on", "messages were terminated on"),
        ),
        AdvisoryKind::Naked => (
            Severity::Info,
            words("a message was given back on", "messages were given back on"),
        ),
        AdvisoryKind::LeaderElected => (
            Severity::Info,
            words("a leader was elected for", "leaders were elected for"),
        ),
        AdvisoryKind::QuorumLost => (Severity::Critical, words("quorum lost for", "times quorum lost for")),
        AdvisoryKind::ApiLimitReached => (
            Severity::Warning,
            words("API limit reached on", "times the API limit was reached on"),
        ),
    };
    (severity, one, many)
}

/// What a counter is called on screen.
fn family(tally: Tally) -> &'static str {
    match tally {
        Tally::Received => "received",
        Tally::Refused => "refused",
        Tally::Unconfirmed | Tally::NoSpace => "unconfirmed",
        Tally::Queued => "queued",
        Tally::Duplicate => "duplicates",
        Tally::OtherPublished => "published by others",
        Tally::SignatureValid | Tally::SignatureInvalid => "signature checks",
        Tally::Processed | Tally::Failed => "processed",
        Tally::Acked => "acks",
        Tally::Terminated => "terminated",
        Tally::Naked => "given back",
        Tally::DeadLettered => "dead letters",
        Tally::Written => "rows written",
        Tally::Skipped => "skipped",
        Tally::Cpu => "CPU seconds",
    }
}

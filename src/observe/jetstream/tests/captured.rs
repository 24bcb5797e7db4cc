//! Moments captured on running systems, folded as if they had just been read: what is shown of
//! them is what they say, and what they do not say is unknown.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::base::text;
use crate::base::time::{Moment, Timestamp};
use crate::config::{Families, Pipeline, Thresholds};
use crate::console::app::{App, Msg, Options, Still, draw, update};
use crate::console::glyph::Charset;
use crate::console::theme::Library;
use crate::console::theme::colour::Depth;
use crate::model::{Model, Queue, Reading, ReadingState, Settings, View, WorkerCondition};
use crate::observe::jetstream::wire::{ConsumerInfo, StreamInfo};
use crate::observe::metrics::exposition::{Reader, SERIES_LIMIT, Wanted};
use crate::sample::{Envelope, QueueReading, Sample, Scrape, SourceId, SourceKind, SourceReport, SourceState};

const TOOK: Duration = Duration::from_millis(2);

fn data(path: &str) -> Vec<u8> {
    let whole = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(path);
    std::fs::read(&whole).unwrap_or_else(|error| panic!("{}: {error}", whole.display()))
}

/// A console's model, and the time of what it was told last.
struct Watch {
    model: Model,
    origin: Timestamp,
    now: Moment,
    reader: Reader,
}

impl Watch {
    fn new(begin: &str, stream: &str, consumer: &str) -> Self {
        let at: Timestamp = begin.parse().unwrap();
        let now = Moment {
            at,
            mono: Duration::from_secs(10),
        };
        let settings = Settings {
            profile: "captured".into(),
            pipeline: Pipeline {
                stream: Some(stream.into()),
                consumer: Some(consumer.into()),
                dlq: None,
            },
            families: Families::default(),
            thresholds: Thresholds::default(),
            runbooks: BTreeMap::new(),
        };
        Self {
            model: Model::new(settings, now),
            origin: at,
            now,
            reader: Reader::new(Arc::new(Wanted::new(&Families::default())), SERIES_LIMIT),
        }
    }

    fn tell(&mut self, source: &SourceId, sample: Sample) {
        self.model.apply(&Envelope {
            profile: "captured".into(),
            source: source.clone(),
            seq: 0,
            at: self.now.at,
            mono: self.now.mono,
            sample,
        });
    }

    fn report(&mut self, source: &SourceId, error: Option<&str>) {
        let report = SourceReport {
            state: if error.is_some() {
                SourceState::Failing
            } else {
                SourceState::Ok
            },
            latency: error.is_none().then_some(TOOK),
            error: error.map(str::to_owned),
            retry_in: None,
            period: Duration::from_secs(1),
        };
        self.tell(source, Sample::Report(report));
    }

    /// Everything that was captured of one moment.
    fn moment(&mut self, folder: &str, name: &str) {
        let page: serde_json::Value = serde_json::from_slice(&data(&format!("nats/{folder}/{name}.jsz.json"))).unwrap();
        let at: Timestamp = page["now"].as_str().unwrap().parse().unwrap();
        self.now = Moment {
            at,
            mono: Duration::from_secs(10) + Duration::try_from(at.duration_since(self.origin)).unwrap(),
        };
        let nats = SourceId::new(SourceKind::Jetstream, "nats");
        for stream in page["account_details"][0]["stream_detail"].as_array().unwrap() {
            let info: StreamInfo = serde_json::from_value(stream.clone()).unwrap();
            let before = info.reading(self.now.mono, TOOK).unwrap();
            let consumers = stream["consumer_detail"].as_array().into_iter().flatten();
            let consumers: Vec<_> = consumers
                .map(|consumer| {
                    let info: ConsumerInfo = serde_json::from_value(consumer.clone()).unwrap();
                    info.reading(self.now.mono, TOOK).unwrap()
                })
                .collect();
            let reading = QueueReading {
                consumers_total: consumers.len() as u64,
                after: before.clone(),
                before,
                consumers,
                missing: Vec::new(),
            };
            self.tell(&nats, Sample::Queue(Box::new(reading)));
        }
        let connections = data(&format!("nats/{folder}/{name}.connz.json"));
        let connections = super::super::monitor::read(&connections).unwrap();
        self.tell(&nats, Sample::Connections(connections));
        self.report(&nats, None);
    }

    /// A captured page of metrics.
    fn scrape(&mut self, name: &str) {
        let body = data(&format!("metrics/{name}.txt"));
        let source = SourceId::new(SourceKind::Metrics, "email-system");
        self.reader.begin();
        self.reader.feed(&body);
        let page = self.reader.finish();
        let scrape = Scrape {
            target: source.name.clone(),
            layout: page.layout,
            values: page.values,
            took: TOOK,
            bytes: body.len() as u64,
            skipped: page.skipped,
            first_skipped: page.first_skipped,
            left_out: page.left_out,
        };
        self.tell(&source, Sample::Scrape(scrape));
        self.report(&source, None);
    }

    /// What is shown now; every screen draws at every size, and nothing on it steers a terminal.
    fn view(&mut self) -> View {
        self.model.advance(self.now);
        let view = self.model.view().clone();
        let theme = Library::embedded()
            .unwrap()
            .theme("dark", Depth::True, Charset::Unicode)
            .unwrap();
        for key in ['1', '2', '3', '4', '7'] {
            let still = Still {
                view: view.clone(),
                histories: self.model.histories().clone(),
            };
            let mut app = App::still(still, Some("webhooks".into()), Options::default());
            let press = crossterm::event::KeyEvent::from(crossterm::event::KeyCode::Char(key));
            for (width, height) in [(80, 24), (120, 40), (200, 60)] {
                let area = Rect::new(0, 0, width, height);
                let mut buffer = Buffer::empty(area);
                let hits = draw(&app, &theme, area, &mut buffer).hits;
                update(
                    &mut app,
                    Msg::Input(self.now, crossterm::event::Event::Key(press)),
                    &hits,
                );
                draw(&app, &theme, area, &mut buffer);
                for cell in buffer.content() {
                    assert_eq!(text::safe(cell.symbol()), cell.symbol());
                }
            }
        }
        view
    }
}

fn queue<'a>(view: &'a View, consumer: &str) -> &'a Queue {
    let found = view
        .queues
        .iter()
        .find(|queue| queue.consumer.as_deref() == Some(consumer));
    found.unwrap_or_else(|| panic!("{consumer}: {:?}", view.queues))
}

fn verdicts(view: &View) -> Vec<&str> {
    view.verdicts.iter().map(|verdict| &*verdict.id).collect()
}

#[test]
fn messages_past_max_deliver_are_bounded_and_never_counted_as_done() {
    let mut watch = Watch::new("2026-11-20T23:14:15.638087788Z", "WEBHOOKS", "webhook-worker-1");
    watch.moment("publishing", "00-empty");
    let view = watch.view();
    assert_eq!(queue(&view, "webhook-worker-1").pending.value, Some(0.0));
    assert_eq!(
        queue(&view, "webhook-worker-1").completed_per_s.value,
        None,
        "one reading says no rate"
    );
    watch.moment("publishing", "02-ok-under-load");
    let view = watch.view();
    let under_load = queue(&view, "webhook-worker-1");
    assert_eq!(
        (under_load.pending.value, under_load.ack_pending.value),
        (Some(1_338.0), Some(9.0))
    );
    watch.moment("publishing", "06-failing-later");
    let view = watch.view();
    let parked = queue(&view, "webhook-worker-1");
    // 594 are past their last delivery: pending and ack pending know nothing of them.
    assert_eq!((parked.pending.value, parked.ack_pending.value), (Some(0.0), Some(0.0)));
    assert_eq!(
        (parked.redelivered.value, parked.messages.value),
        (Some(594.0), Some(3_430.0))
    );
    // On a limits stream the arithmetic says nothing: at most what was delivered again, and not 0.
    assert_eq!(
        (parked.parked.value, parked.parked.state),
        (Some(594.0), ReadingState::AtMost)
    );
    assert_eq!(parked.orphaned.value, None);
    assert_eq!(
        parked.consumer_config.as_ref().unwrap().ack_wait,
        Duration::from_secs(30)
    );
    assert!(!verdicts(&view).contains(&"loss"), "{:?}", view.verdicts);
}

#[test]
fn several_durables_are_fan_out_and_a_killed_worker_is_no_load_that_the_other_takes() {
    let mut watch = Watch::new("2026-11-20T23:17:08.597853815Z", "WEBHOOKS", "webhook-worker-1");
    watch.moment("publishing", "08-worker1-just-stopped");
    watch.view();
    watch.moment("publishing", "11-worker2-killed");
    let view = watch.view();
    for (consumer, pending) in [("webhook-worker-1", 1_406.0), ("webhook-worker-2", 1_410.0)] {
        assert_eq!(queue(&view, consumer).pending.value, Some(pending));
        assert_eq!(
            queue(&view, consumer).redelivered.value.map(|many| many >= 598.0),
            Some(true)
        );
    }
    // The backlog is the followed consumer's own: each durable gets every message.
    assert_eq!(view.flow.backlog.value, Some(1_416.0));
    // The page names publishers, and one connection that does not say whose it is.
    assert!(view.workers.is_empty(), "{:?}", view.workers);
}

#[test]
fn after_a_server_restart_floors_fall_back_and_nothing_is_called_lost() {
    let mut watch = Watch::new("2026-11-20T23:17:38.733354082Z", "WEBHOOKS", "webhook-worker-1");
    watch.moment("publishing", "11-worker2-killed");
    watch.view();
    watch.moment("publishing", "30-after-nats-restart-no-worker");
    let view = watch.view();
    let one = queue(&view, "webhook-worker-1");
    assert_eq!((one.pending.value, one.ack_pending.value), (Some(0.0), Some(1_046.0)));
    for rate in [
        &one.ingest_per_s,
        &one.completed_per_s,
        &one.attempts_per_s,
        &one.retries_per_s,
    ] {
        assert!(rate.value.is_none_or(|rate| rate >= 0.0), "{one:?}");
    }
    watch.moment("publishing", "33-restarted");
    let view = watch.view();
    // Parked messages left ack pending with the next pull, and were not completed by that.
    let one = queue(&view, "webhook-worker-1");
    assert_eq!(
        (one.ack_pending.value, one.redelivered.value),
        (Some(0.0), Some(1_046.0))
    );
    assert!(one.completed_per_s.value.is_none_or(|rate| rate >= 0.0));
    assert!(!verdicts(&view).contains(&"loss"), "{:?}", view.verdicts);
}

#[test]
fn an_ack_wait_of_30_microseconds_is_said_exactly_and_refusing_pages_leave_gaps() {
    let mut watch = Watch::new("2026-11-20T23:32:05.145596895Z", "webhooks", "webhook-processor");
    for moment in ["load-01", "load-02", "load-03"] {
        watch.moment("inbound", moment);
        watch.scrape(moment);
        watch.view();
    }
    let view = watch.view();
    let consumer = queue(&view, "webhook-processor");
    assert_eq!(
        consumer.consumer_config.as_ref().unwrap().ack_wait,
        Duration::from_micros(30)
    );
    assert_eq!(text::duration(Duration::from_micros(30)), "30 µs");
    // 943 stored in 6.27 s by last_seq. The page counts what its workers get, and with this
    // ack_wait they get everything three times: both are shown, each with its source.
    let stored = consumer.ingest_per_s.value.unwrap();
    assert!((stored - 943.0 / 6.272_663).abs() < 1.0, "{stored}");
    let received: f64 = view
        .providers
        .iter()
        .filter_map(|provider| provider.received_per_s.value)
        .sum();
    assert!(
        (2.8..3.2).contains(&(received / stored)),
        "received {received}, stored {stored}"
    );
    let of = |reading: &Reading| reading.source.as_ref().map(ToString::to_string);
    assert_eq!(of(&consumer.ingest_per_s).as_deref(), Some("jetstream/nats"));
    assert_eq!(
        of(&view.providers[0].received_per_s).as_deref(),
        Some("metrics/email-system")
    );
    let connected = view.workers.iter().find(|worker| worker.name.contains("worker-1"));
    assert_eq!(
        connected.map(|worker| worker.condition),
        Some(WorkerCondition::Running),
        "{:?}",
        view.workers
    );

    // The page answers 429, then 500: its figures grow stale, and none becomes 0.
    watch.now = Moment {
        at: watch.now.at + Duration::from_secs(20),
        mono: watch.now.mono + Duration::from_secs(20),
    };
    let source = SourceId::new(SourceKind::Metrics, "email-system");
    watch.report(&source, Some("scrape http://h/metrics: 429 Too Many Requests"));
    let view = watch.view();
    for provider in &view.providers {
        assert!(provider.received_per_s.is_stale(), "{provider:?}");
    }
    assert!(view.flow.received_per_s.is_stale());
}

//! What was before the console's start: from recordings that a service keeps, or from a
//! Prometheus server. Every sample counts once.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Query;
use axum::routing::get;
use hookwatch::base::secret::Redactor;
use hookwatch::base::time::{Clock as _, Moment, SystemClock, Timestamp};
use hookwatch::config::{Families, Pipeline, Profile, Thresholds};
use hookwatch::model::field::Field;
use hookwatch::model::{Model, SeriesKey, Settings};
use hookwatch::record::{Item, RecordWriter, Redaction, SessionInfo, Tick};
use hookwatch::sample::{Envelope, Layout, Sample, Scrape, SeriesId, SeriesKind, SourceId, SourceKind};
use hookwatch::session::{Before, FURTHER, Playback, Step, Tap, past_of, past_on};

use crate::support;
use crate::terminal::Terminal;

fn settings(stream: &str) -> Settings {
    Settings {
        profile: "service".into(),
        pipeline: Pipeline {
            stream: Some(stream.into()),
            ..Pipeline::default()
        },
        families: Families::default(),
        thresholds: Thresholds::default(),
        runbooks: std::collections::BTreeMap::new(),
    }
}

/// A gateway's counter that grows by `rate` a second.
fn scrape(second: u32, rate: f64) -> Sample {
    let series = SeriesId {
        name: "webhook_received_total".into(),
        labels: vec![("provider".into(), "telnyx".into())],
        kind: SeriesKind::Counter,
    };
    Sample::Scrape(Scrape {
        target: "gateway".into(),
        layout: Arc::new(Layout::new(vec![series])),
        values: vec![1_000.0 + f64::from(second) * rate],
        took: Duration::from_millis(1),
        bytes: 100,
        skipped: 0,
        first_skipped: None,
        left_out: 0,
    })
}

/// A session that was recorded from `start` on, a scrape and a tick a second.
fn record(path: &Path, stream: &str, start: Timestamp, seconds: u32, rate: f64) {
    let moment = |second: u32| Moment {
        at: start + Duration::from_secs(second.into()),
        mono: Duration::from_secs(second.into()),
    };
    let info = SessionInfo::new("service", moment(0), serde_json::to_value(settings(stream)).unwrap());
    let out = std::fs::File::create(path).unwrap();
    let mut writer = RecordWriter::new(out, info, moment(0), Redaction::new(Redactor::default())).unwrap();
    for second in 0..seconds {
        let now = moment(second);
        let envelope = Envelope {
            profile: "service".into(),
            source: SourceId::new(SourceKind::Metrics, "gateway"),
            seq: second.into(),
            at: now.at,
            mono: now.mono,
            sample: scrape(second, rate),
        };
        writer.write(Item::Envelope(Box::new(envelope))).unwrap();
        let load = Some(rate);
        writer.write(Item::Tick(Tick { moment: now, load })).unwrap();
    }
    writer.finish().map_err(|(error, _)| error).unwrap();
}

/// The rate that stands in a chart so many seconds before `now`.
fn charted(model: &Model, now: Moment, ago: usize) -> Option<f32> {
    let key = SeriesKey::of(Field::ReceivedPerS);
    let span = Duration::from_mins(10);
    model.histories().window(&key, now, span, 600)[600 - ago]
}

#[test]
fn charts_reach_back_into_the_recordings_up_to_the_start_and_totals_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let clock = SystemClock::start();
    let start = clock.now();
    let ago = |seconds: u64| start.at - Duration::from_secs(seconds);
    record(&folder.path().join("a.mcap"), "webhooks", ago(500), 200, 50.0);
    // The service was started anew, and goes on while the console runs.
    record(&folder.path().join("b.mcap"), "webhooks", ago(200), 260, 80.0);
    record(&folder.path().join("c.mcap"), "other", ago(400), 300, 9_000.0);
    let past = past_of(folder.path(), &settings("webhooks"), start).unwrap();
    assert!(
        past.told.contains("totals and ledger count from the start"),
        "{}",
        past.told
    );

    let mut model = Model::new(settings("webhooks"), start);
    let now = |second: u32| Moment {
        at: start.at + Duration::from_secs(second.into()),
        mono: start.mono + Duration::from_secs(second.into()),
    };
    model.advance(now(0));
    model.remember(past, now(0));
    for second in 1..=20 {
        model.apply(&Envelope {
            profile: "service".into(),
            source: SourceId::new(SourceKind::Metrics, "gateway"),
            seq: second.into(),
            at: now(second).at,
            mono: now(second).mono,
            sample: scrape(second, 10.0),
        });
        model.advance(now(second));
    }
    let end = now(20);
    for (seconds, rate) in [(400, 50.0), (330, 50.0), (150, 80.0), (30, 80.0), (5, 10.0)] {
        let value = charted(&model, end, seconds).unwrap_or_else(|| panic!("{seconds} s ago: nothing"));
        assert!((value - rate).abs() < 1.0, "{seconds} s ago: {value}, not {rate}");
    }
    assert_eq!(
        charted(&model, end, 260),
        None,
        "between the two sessions nothing is known"
    );
    assert_eq!(charted(&model, end, 560), None);
    let seam = model
        .view()
        .events
        .iter()
        .filter(|event| event.text == "what was before is known");
    assert_eq!(seam.count(), 1);
    let total = model.view().flow.received_total.value;
    assert!(total.is_some_and(|total| total <= 200.0), "since the start: {total:?}");
}

/// A live session of 20 s that has stepped back, with the recordings of a service before it.
fn step_back(folder: &Path, start: Moment) -> (Playback, Model) {
    let mut model = Model::new(settings("webhooks"), start);
    let mut tap = Tap::new(&Profile::empty("service"), settings("webhooks"))
        .with_ring(start)
        .unwrap();
    let history = past_of(folder, &settings("webhooks"), start).unwrap();
    tap.remember(&history);
    model.remember(history, start);
    for second in 1..=20_u32 {
        let now = Moment {
            at: start.at + Duration::from_secs(second.into()),
            mono: start.mono + Duration::from_secs(second.into()),
        };
        let envelope = Envelope {
            profile: "service".into(),
            source: SourceId::new(SourceKind::Metrics, "gateway"),
            seq: second.into(),
            at: now.at,
            mono: now.mono,
            sample: scrape(second, 10.0),
        };
        tap.envelope(&envelope);
        model.apply(&envelope);
        model.advance(now);
        tap.tick(model.view());
    }
    let (recording, base) = tap.ring().unwrap().recording().unwrap();
    let earlier = Before::Recordings(folder.to_owned())
        .recording(base.settings())
        .unwrap();
    let earlier = earlier.map(|earlier| (earlier, FURTHER));
    (Playback::rewind_beyond(recording, base, earlier).unwrap(), model)
}

fn service_until_after(start: Timestamp) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let ago = |seconds: u64| start - Duration::from_secs(seconds);
    record(&folder.path().join("a.mcap"), "webhooks", ago(500), 200, 50.0);
    // The service goes on while the console runs.
    record(&folder.path().join("b.mcap"), "webhooks", ago(200), 260, 80.0);
    record(&folder.path().join("c.mcap"), "other", ago(400), 300, 9_000.0);
    folder
}

#[test]
fn a_live_session_steps_back_beyond_its_start_into_the_recordings_and_returns_to_what_it_was() {
    let start = SystemClock::start().now();
    let folder = service_until_after(start.at);
    let (playback, model) = step_back(folder.path(), start);
    let seam = playback.timeline().seam.expect("the seam is known");
    let zero = playback.timeline().start;
    let place = |seconds_ago: u64| {
        Duration::from_nanos(seam - zero)
            .checked_sub(Duration::from_secs(seconds_ago))
            .unwrap()
    };
    for (ago, rate) in [(400, 50.0), (100, 80.0), (2, 80.0)] {
        let past = playback.seek(place(ago)).run().unwrap();
        let received = past.model().view().flow.received_per_s.value.unwrap();
        assert!((received - rate).abs() < 1.0, "{ago} s before the seam: {received}");
    }
    let past = playback.seek(playback.duration()).run().unwrap();
    let (here, live) = (past.model(), &model);
    assert_eq!(
        here.view().flow,
        live.view().flow,
        "at the end it is what the live session shows"
    );
    assert_eq!(here.view().ledger, live.view().ledger);
    for ago in [400, 150, 30, 5] {
        let now = live.view().now;
        assert_eq!(
            charted(here, now, ago),
            charted(live, now, ago),
            "the chart {ago} s ago"
        );
    }
    assert_eq!(here.histories().seam(), Some(start.mono));
}

#[test]
fn no_sample_counts_twice_where_recordings_and_the_live_session_overlap() {
    let start = SystemClock::start().now();
    let folder = service_until_after(start.at);
    let (mut playback, _) = step_back(folder.path(), start);
    // From its beginning, over the seam, to its end.
    let mut past = playback.seek(Duration::ZERO).run().unwrap();
    playback.arrive(&mut past);
    let seam = playback.timeline().seam.unwrap();
    let (mut last, mut resumed, mut service, mut own) = (Timestamp::UNIX_EPOCH, 0, 0, 0);
    loop {
        playback.read_ahead();
        let steps = playback.step().unwrap();
        if steps.is_empty() {
            break;
        }
        for step in steps {
            match step {
                Step::Resume(model) => {
                    resumed += 1;
                    assert_eq!(
                        model.view().flow.received_total.value,
                        None,
                        "it begins at its own start"
                    );
                }
                Step::Tick(now) => {
                    assert!(now.at > last, "time never goes back: {} after {last}", now.at);
                    last = now.at;
                    let before = u64::try_from(now.at.as_nanosecond()).unwrap() < seam;
                    assert_eq!(before, resumed == 0, "{}", now.at);
                    *(if before { &mut service } else { &mut own }) += 1;
                }
                Step::Damage(damage) => panic!("{damage}"),
                _ => {}
            }
        }
    }
    assert_eq!((resumed, own), (1, 20), "each second of the live session once");
    // 200 of one session and 200 of the next, but for the first one, at which it began.
    assert!(
        (398..=401).contains(&service),
        "each second of the recordings once: {service}"
    );
}

#[test]
fn a_folder_without_the_last_hours_of_this_stream_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let start = SystemClock::start().now();
    record(
        &folder.path().join("old.mcap"),
        "webhooks",
        start.at - Duration::from_hours(20),
        60,
        5.0,
    );
    record(
        &folder.path().join("other.mcap"),
        "other",
        start.at - Duration::from_secs(100),
        60,
        5.0,
    );
    let error = past_of(folder.path(), &settings("webhooks"), start)
        .unwrap_err()
        .to_string();
    assert!(error.contains("is `hookwatch record` running?"), "{error}");
}

/// A server that answers range queries with 12.5 for every step.
async fn prometheus() -> String {
    let answer = |Query(asked): Query<std::collections::BTreeMap<String, String>>| async move {
        let number = |name: &str| asked[name].parse::<i64>().unwrap();
        let values: Vec<_> = (number("start")..=number("end"))
            .step_by(usize::try_from(number("step")).unwrap())
            .map(|at| serde_json::json!([at, "12.5"]))
            .collect();
        let metric = if asked["query"].contains("by (provider)") {
            serde_json::json!({"provider": "tel\u{1b}nyx"})
        } else {
            serde_json::json!({})
        };
        let known = asked["query"].contains("webhook_received_total");
        let result = if known {
            serde_json::json!([{"metric": metric, "values": values}])
        } else {
            serde_json::json!([])
        };
        axum::Json(serde_json::json!({"status": "success", "data": {"resultType": "matrix", "result": result}}))
    };
    let refuse = || async {
        let body = r#"{"status":"error","errorType":"bad_data","error":"too many \u001b points"}"#;
        (axum::http::StatusCode::BAD_REQUEST, body)
    };
    let routes = Router::new()
        .route("/api/v1/query_range", get(answer))
        .route("/refuses/api/v1/query_range", get(refuse))
        .route("/else/api/v1/query_range", get(|| async { "hello" }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await });
    url
}

#[tokio::test]
async fn charts_reach_back_into_a_prometheus_servers_memory() {
    support::choose_tls();
    let server = prometheus().await;
    let start = SystemClock::start().now();
    let past = past_on(&server, &settings("webhooks"), start).await.unwrap();
    let mut model = Model::new(settings("webhooks"), start);
    model.advance(start);
    model.remember(past, start);
    for ago in [590, 300, 60] {
        assert_eq!(charted(&model, start, ago), Some(12.5), "{ago} s ago");
    }
    let provider = SeriesKey::about(Field::ReceivedPerS, "tel\\x1bnyx");
    assert_eq!(
        model.histories().latest(&provider),
        Some(12.5),
        "a stranger's name is made safe"
    );

    for (path, reason) in [
        ("/refuses", "too many"),
        ("/else", "the answer is not Prometheus's"),
        ("/nothing", "HTTP 404"),
    ] {
        let error = past_on(&format!("{server}{path}"), &settings("webhooks"), start).await;
        let error = error.unwrap_err().to_string();
        assert!(error.contains(reason) && !error.contains('\u{1b}'), "{error}");
    }
    let error = past_on("http://u:hidden@127.0.0.1:1", &settings("webhooks"), start).await;
    let error = error.unwrap_err().to_string();
    assert!(!error.contains("hidden") && error.contains("127.0.0.1:1"), "{error}");
}

#[test]
fn charts_alone_cannot_be_stepped_into_and_the_console_says_so() {
    support::choose_tls();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(prometheus());
    let home = tempfile::tempdir().unwrap();
    let arguments = [
        "--metrics",
        "gateway=http://127.0.0.1:9/metrics",
        "--stream",
        "webhooks",
        "--history",
        &server,
    ];
    let home = home.path().to_str().unwrap();
    let mut terminal = Terminal::start(&arguments, &[("HOME", home)], 120, 40);
    terminal.see("what was before is known");
    terminal.see("history ┊");
    terminal.press("R");
    terminal.see("REWIND −0:0");
    terminal.press("\u{1b}0");
    terminal.see("What Prometheus knows of the time before this is charts: it cannot be stepped into");
    terminal.press("Rq");
    assert_eq!(terminal.end(Duration::from_secs(10)), 0);
}

#[test]
fn the_console_tells_where_what_was_before_is_from() {
    let folder = tempfile::tempdir().unwrap();
    let clock = SystemClock::start();
    let home = tempfile::tempdir().unwrap();
    let home = home.path().to_str().unwrap();
    let path = folder.path().join("a.mcap");
    record(&path, "webhooks", clock.now().at - Duration::from_mins(5), 280, 50.0);
    let arguments = [
        "--metrics",
        "gateway=http://127.0.0.1:9/metrics",
        "--stream",
        "webhooks",
        "--history",
        folder.path().to_str().unwrap(),
    ];
    let mut terminal = Terminal::start(&arguments, &[("HOME", home)], 120, 40);
    terminal.see("what was before is known");
    terminal.see("last 15 min");
    terminal.see("history ┊");
    // Nearly all of what is there are recordings: it stands in the middle, and at their beginning.
    terminal.press("R");
    terminal.see("REWIND −0:0");
    terminal.press("\u{1b}5");
    terminal.wait("a moment in the recordings", Duration::from_secs(10), |screen| {
        screen.contains("REWIND −2:") && screen.contains("50/s")
    });
    terminal.press("\u{1b}0");
    terminal.see("Nothing before this is in the recordings");
    terminal.see("REWIND −5:");
    terminal.press("R");
    terminal.wait("live again", Duration::from_secs(10), |screen| {
        !screen.contains("REWIND")
    });
    terminal.press("q");
    assert_eq!(terminal.end(Duration::from_secs(10)), 0);

    let missing = Terminal::start(
        &["--metrics", "http://127.0.0.1:9/metrics", "--history", "/nonexistent/x"],
        &[("HOME", home)],
        120,
        40,
    );
    missing.see("/nonexistent/x");
    assert_eq!(missing.end(Duration::from_secs(10)), 2);
}

//! Playback and the ring, on a made-up session.

use std::time::Duration;

use crate::base::secret::Redactor;
use crate::base::time::{Moment, Timestamp};
use crate::config::{Families, Pipeline, Thresholds};
use crate::model::field::Field;
use crate::model::{Model, SeriesKey, Settings};
use crate::record::fixture::{self, FULL, Session};
use crate::record::{
    Event, Item, Marker, RecordWriter, Recording, RecordingFile, Redaction, SessionInfo, Target, Tick,
};
use crate::sample::{Envelope, Sample, SourceId, SourceKind, SourceReport, SourceState};

use super::playback::{feed, pass};
use super::{Playback, Ring, Speed, Step};

fn settings() -> Settings {
    Settings {
        profile: "p".into(),
        pipeline: Pipeline::default(),
        families: Families::default(),
        thresholds: Thresholds::default(),
        runbooks: std::collections::BTreeMap::new(),
    }
}

fn moment(seconds: f64) -> Moment {
    let mono = Duration::from_secs_f64(seconds);
    Moment {
        at: Timestamp::from_second(1_800_000_000).unwrap() + mono,
        mono,
    }
}

/// A source that fails for ten seconds of every minute, a tick a second, a marker and an alert.
fn items(seconds: u32) -> Vec<Item> {
    let mut items = Vec::new();
    for second in 0..seconds {
        let (now, tick) = (moment(f64::from(second) + 0.5), moment(f64::from(second) + 1.0));
        let failing = second % 60 >= 50;
        items.push(Item::Envelope(Box::new(Envelope {
            profile: "p".into(),
            source: SourceId::new(SourceKind::Metrics, "gateway"),
            seq: u64::from(second),
            at: now.at,
            mono: now.mono,
            sample: Sample::Report(SourceReport {
                state: if failing { SourceState::Failing } else { SourceState::Ok },
                latency: None,
                error: failing.then(|| "refused".to_owned()),
                retry_in: None,
                period: Duration::from_secs(1),
            }),
        })));
        if second == 70 {
            let text = "here".to_owned();
            items.push(Item::Marker(Marker { moment: tick, text }));
        }
        if second == 100 {
            items.push(Item::Event(Event {
                moment: tick,
                happened: tick.at,
                kind: "verdict".to_owned(),
                severity: "critical".to_owned(),
                text: "down".to_owned(),
                detail: String::new(),
                count: 1,
            }));
        }
        let load = Some(f64::from(second));
        items.push(Item::Tick(Tick { moment: tick, load }));
    }
    items
}

fn recording(items: Vec<Item>) -> Recording {
    let info = SessionInfo::new("p", moment(0.0), serde_json::to_value(settings()).unwrap());
    let mut writer = RecordWriter::new(Vec::new(), info, moment(0.0), Redaction::default()).unwrap();
    for item in items {
        writer.write(item).unwrap();
    }
    let bytes = writer.finish().map_err(|(error, _)| error).unwrap();
    Recording::of(vec![RecordingFile::in_memory(bytes.into()).unwrap()], Vec::new()).unwrap()
}

/// The model after so many items.
fn live(items: &[Item]) -> Model {
    let mut model = Model::new(settings(), moment(0.0));
    for item in items {
        feed(&mut model, item);
    }
    model
}

fn advance(playback: &mut Playback, wall: Duration) -> Vec<Step> {
    playback.read_ahead();
    playback.advance(wall)
}

fn step(playback: &mut Playback) -> Vec<Step> {
    playback.read_ahead();
    playback.step().expect("enough was read")
}

fn ticks(steps: &[Step]) -> usize {
    steps.iter().filter(|step| matches!(step, Step::Tick(_))).count()
}

#[test]
fn it_plays_at_its_speed_pauses_and_ends() {
    let mut playback = Playback::new(recording(items(20))).unwrap();
    assert_eq!(playback.duration(), Duration::from_secs(20));
    assert!(
        advance(&mut playback, Duration::from_secs(5)).is_empty(),
        "paused at first"
    );
    playback.set_playing(true);
    let steps = advance(&mut playback, Duration::from_secs(5));
    assert!(matches!(steps[0], Step::Begin(..)));
    assert_eq!(ticks(&steps), 5);
    playback.set_speed(Speed::Normal.faster());
    assert_eq!(ticks(&advance(&mut playback, Duration::from_secs(2))), 4);
    playback.set_speed(Speed::Half);
    assert_eq!(ticks(&advance(&mut playback, Duration::from_secs(2))), 1);
    assert_eq!(playback.position(), Duration::from_secs(10));
    assert_eq!(ticks(&step(&mut playback)), 1);
    playback.set_speed(Speed::Sixteen);
    advance(&mut playback, Duration::from_secs(9));
    assert!(playback.is_over() && !playback.is_playing());
    assert_eq!(playback.position(), playback.duration());
}

#[test]
fn a_loop_begins_anew_with_a_new_model() {
    let mut playback = Playback::new(recording(items(3))).unwrap();
    playback.set_looping(true);
    playback.set_playing(true);
    let steps = advance(&mut playback, Duration::from_secs(4));
    assert_eq!(ticks(&steps), 3);
    let again = advance(&mut playback, Duration::from_secs(1));
    let begun = steps
        .iter()
        .chain(&again)
        .filter(|step| matches!(step, Step::Begin(..)))
        .count();
    assert_eq!(begun, 2);
    assert!(playback.is_playing());
}

#[test]
fn a_seek_gives_the_live_view_and_play_goes_on_from_there() {
    let all = items(120);
    let mut playback = Playback::new(recording(all.clone())).unwrap();
    for second in [1_usize, 9, 10, 11, 55, 119, 3] {
        let mut past = playback.seek(Duration::from_secs(second as u64)).run().unwrap();
        assert!(past.is_exact());
        let upto = all
            .iter()
            .position(|item| matches!(item, Item::Tick(t) if t.moment == moment(second as f64)));
        assert_eq!(
            past.model().view(),
            live(&all[..=upto.unwrap()]).view(),
            "second {second}"
        );
        playback.arrive(&mut past);
        assert_eq!(playback.position(), Duration::from_secs(second as u64));
        let Some(Step::Tick(next)) = step(&mut playback).pop() else {
            panic!()
        };
        assert_eq!(next, moment(second as f64 + 1.0));
    }
}

#[test]
fn what_came_after_a_tick_is_not_in_it_though_it_was_seen_before_and_is_not_lost() {
    let mut all = items(20);
    let tick = |item: &Item| matches!(item, Item::Tick(tick) if tick.moment == moment(10.0));
    let at = all.iter().position(tick).unwrap();
    // A source was read before the tick, and its sample came in after it.
    let Item::Envelope(late) = all[at - 1].clone() else {
        panic!()
    };
    let sample = Sample::Database(Box::default());
    all.insert(at + 1, Item::Envelope(Box::new(Envelope { sample, ..*late })));
    let mut playback = Playback::new(recording(all.clone())).unwrap();
    let mut past = playback.seek(Duration::from_secs(10)).run().unwrap();
    assert_eq!(past.model().view(), live(&all[..=at]).view());
    playback.arrive(&mut past);
    let next = step(&mut playback);
    assert!(
        matches!(&next[0], Step::Data(envelope) if matches!(envelope.sample, Sample::Database(_))),
        "{next:?}"
    );
    assert_eq!(ticks(&next), 1);
}

#[test]
fn the_timeline_knows_load_alerts_and_markers() {
    let playback = Playback::new(recording(items(120))).unwrap();
    let timeline = playback.timeline();
    let seconds = |at: u64| Duration::from_nanos(at - timeline.start).as_secs();
    let outline = &timeline.outline;
    assert_eq!(
        outline
            .markers
            .iter()
            .map(|point| seconds(point.at))
            .collect::<Vec<_>>(),
        [71]
    );
    assert_eq!(
        outline.alerts.iter().map(|point| seconds(point.at)).collect::<Vec<_>>(),
        [101]
    );
    assert!(outline.load.len() >= 12 && timeline.holes.is_empty());
}

#[test]
fn what_is_not_read_yet_is_waited_for_and_nothing_of_it_is_left_out() {
    let mut playback = Playback::new(recording(items(60))).unwrap();
    playback.set_playing(true);
    assert!(playback.step().is_none(), "nothing is read where it is asked for");
    assert!(playback.advance(Duration::from_secs(30)).is_empty());
    assert_eq!(playback.position(), Duration::ZERO, "time waits as well");
    let load = playback.wanted().unwrap();
    assert!(playback.wanted().is_none(), "one at a time");
    let seek = playback.seek(Duration::from_secs(30));
    playback.take(load.run());
    let first = ticks(&playback.advance(Duration::from_secs(30)));
    assert!((9..=11).contains(&first), "one chunk was read: {first}");
    let rest = (0..10).map(|_| ticks(&advance(&mut playback, Duration::from_secs(15))));
    assert_eq!(first + rest.sum::<usize>(), 60);

    // What was asked for before a seek is of no use after it.
    let mut past = seek.run().unwrap();
    playback.arrive(&mut past);
    let load = playback.wanted().unwrap();
    let mut beginning = playback.seek(Duration::ZERO).run().unwrap();
    playback.arrive(&mut beginning);
    playback.take(load.run());
    let next = step(&mut playback);
    assert!(
        matches!(next.last(), Some(Step::Tick(tick)) if *tick == moment(1.0)),
        "{next:?}"
    );
}

/// Two models on the way through the same items: one shows every tick, the other one every `shown`th.
fn fold_both_ways(items: impl IntoIterator<Item = Item>, mut whole: Model, shown: usize) {
    let charted = [
        SeriesKey::about(Field::Pending, "webhooks/workers-40"),
        SeriesKey::about(Field::BatchP95, "worker-77"),
    ];
    for key in &charted {
        whole.touch(key);
    }
    let mut brief = whole.clone();
    let mut ticks = 0;
    for item in items {
        feed(&mut whole, &item);
        if !matches!(item, Item::Tick(_)) {
            feed(&mut brief, &item);
            continue;
        }
        ticks += 1;
        if ticks % shown == 0 {
            feed(&mut brief, &item);
            assert_eq!(brief.view(), whole.view(), "tick {ticks}");
        } else {
            pass(&mut brief, &item);
        }
        assert_eq!(brief.histories(), whole.histories(), "tick {ticks}");
        assert_eq!(brief.view().events, whole.view().events, "tick {ticks}");
    }
    assert!(ticks > shown, "{ticks}");
}

#[test]
fn moments_that_nobody_looks_at_leave_the_same_model_behind() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("recordings");
    for name in ["steady", "database-outage", "poison", "provider-outage"] {
        let recording = Recording::open(&folder.join(name).with_extension("mcap")).unwrap();
        let recording = std::sync::Arc::new(recording);
        let info = recording.info();
        let model = Model::new(super::settings_of(info).unwrap(), info.start);
        let mut reader = recording.reader();
        let chunks = 0..recording.chunks().len();
        let items = chunks
            .flat_map(|chunk| reader.read(chunk).unwrap())
            .map(|(_, item)| item);
        fold_both_ways(items, model, 7);
    }
    let mut wide = Session::new(FULL);
    let settings = Settings {
        profile: "made-up".into(),
        pipeline: Pipeline {
            stream: Some("webhooks".into()),
            consumer: Some("workers-9".into()),
            dlq: None,
        },
        ..settings()
    };
    let model = Model::new(settings, fixture::moment(0.0));
    fold_both_ways((0..30).flat_map(|second| wide.second(second)), model, 4);
}

#[test]
fn a_hole_is_left_at_once_and_what_was_recorded_is_not() {
    let mut all = items(20);
    all.extend(
        items(140)
            .into_iter()
            .skip_while(|item| item.moment().mono < Duration::from_mins(2)),
    );
    let mut playback = Playback::new(recording(all)).unwrap();
    playback.set_playing(true);
    assert_eq!(ticks(&advance(&mut playback, Duration::from_secs(10))), 10);
    assert_eq!(playback.skip_hole(), None);
    assert_eq!(ticks(&advance(&mut playback, Duration::from_secs(12))), 10);
    let skipped = playback.skip_hole().unwrap();
    assert!(skipped > Duration::from_secs(90), "{skipped:?}");
    assert_eq!(playback.skip_hole(), None);
    assert!(
        ticks(&advance(&mut playback, Duration::from_secs(2))) >= 2,
        "it goes on behind it"
    );
}

#[test]
fn a_speed_is_read_as_it_is_typed() {
    for (text, speed) in [
        ("1", Speed::Normal),
        ("4x", Speed::Four),
        ("16×", Speed::Sixteen),
        ("0.5", Speed::Half),
        ("½", Speed::Half),
    ] {
        assert_eq!(Speed::parse(text), Ok(speed), "{text}");
    }
    for text in ["", "3", "x", "NaN", "-1", "1e9"] {
        assert!(Speed::parse(text).is_err(), "{text}");
    }
}

#[test]
fn the_idle_ramp_hurries_where_nothing_happens_and_not_near_an_alert() {
    let mut playback = Playback::new(recording(items(120))).unwrap();
    playback.set_idle_ramp(true);
    playback.set_playing(true);
    assert_eq!(ticks(&advance(&mut playback, Duration::from_secs(1))), 8);
    let mut past = playback.seek(Duration::from_secs(99)).run().unwrap();
    playback.arrive(&mut past);
    assert_eq!(ticks(&advance(&mut playback, Duration::from_secs(1))), 1);
}

#[test]
fn the_ring_holds_fifteen_minutes_and_rewinds_to_exactly_what_was_seen() {
    let ring = Ring::start(settings(), moment(0.0), Redactor::default()).unwrap();
    let all = items(1_300);
    for item in &all {
        ring.offer(item.clone());
    }
    let (recording, base) = ring.recording().unwrap();
    let (start, end) = recording.span();
    let held = Duration::from_nanos(end - start);
    assert!(
        held >= Duration::from_mins(15) && held <= Duration::from_secs(920),
        "{held:?}"
    );
    assert!(ring.bytes() > 0 && ring.bytes() < 1 << 20, "{}", ring.bytes());
    let playback = Playback::rewind(recording.clone(), base).unwrap();
    assert_eq!(playback.position(), playback.duration(), "it stands at its end");
    for second in [500_u32, 900, 1_300] {
        let past = playback.seek_time(moment(f64::from(second)).at).run().unwrap();
        let upto = all
            .iter()
            .position(|item| matches!(item, Item::Tick(t) if t.moment == moment(f64::from(second))));
        assert_eq!(
            past.model().view(),
            live(&all[..=upto.unwrap()]).view(),
            "second {second}"
        );
    }

    let folder = tempfile::tempdir().unwrap();
    let target = Target::of(&folder.path().join("saved.mcap"), false);
    let progress = Ring::save(recording, &target, &Redactor::default()).unwrap();
    let saved = Recording::open(&progress.path).unwrap();
    assert_eq!(saved.verify().unwrap().1, []);
    assert!(Duration::from_nanos(saved.span().1 - saved.span().0) >= Duration::from_mins(15));
}

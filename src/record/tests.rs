//! What is written is read back; what is damaged is left out and told.

use std::ops::{ControlFlow, RangeInclusive};
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::json;

use super::fixture::{CALM, FULL, Session, Width, moment};
use super::*;
use crate::base::secret::{MASK, Redactor};
use crate::sample::{Envelope, Sample, SourceId, SourceKind, SourceReport, SourceState};

fn info() -> SessionInfo {
    SessionInfo::new("made-up", moment(0.0), json!({"profile": "made-up"}))
}

fn write(info: SessionInfo, items: &[Item]) -> Vec<u8> {
    let mut writer = RecordWriter::new(Vec::new(), info, moment(0.0), Redaction::default()).unwrap();
    for item in items {
        writer.write(item.clone()).unwrap();
    }
    writer.finish().map_err(|(error, _)| error).unwrap()
}

fn seconds(width: Width, count: u32) -> Vec<Item> {
    let mut session = Session::new(width);
    (0..count).flat_map(|second| session.second(second)).collect()
}

/// Everything that can be read, and everything that is said to be wrong.
fn read(bytes: Vec<u8>) -> Result<(Vec<Item>, Vec<Damage>), RecordError> {
    let file = RecordingFile::in_memory(bytes.into())?;
    let recording = Arc::new(Recording::of(vec![file], Vec::new())?);
    let mut damage = recording.damage();
    let mut reader = recording.reader();
    let mut items = Vec::new();
    for chunk in 0..recording.chunks().len() {
        match reader.read(chunk) {
            Ok(found) => items.extend(found.into_iter().map(|(_, item)| item)),
            Err(broken) => damage.push(broken),
        }
    }
    if damage.is_empty() {
        // What costs nothing shows in the checksum of the whole file alone.
        damage = recording.verify()?.1;
    }
    items.retain(|item| !matches!(item, Item::Session(_)));
    Ok((items, damage))
}

#[test]
fn what_was_written_is_read_back() {
    for width in [CALM, FULL] {
        let items = seconds(width, 35);
        let bytes = write(info(), &items);
        let (back, damage) = read(bytes).unwrap();
        assert_eq!(damage, []);
        assert_eq!(back.len(), items.len());
        for (back, item) in back.iter().zip(&items) {
            assert_eq!(back, item);
        }
    }
}

#[test]
fn the_same_items_give_the_same_bytes() {
    let (info, items) = (info(), seconds(CALM, 25));
    assert_eq!(write(info.clone(), &items), write(info, &items));
}

#[test]
fn a_chunk_holds_ten_seconds_and_can_be_read_alone() {
    let bytes = write(info(), &seconds(CALM, 60));
    let file = RecordingFile::in_memory(bytes.into()).unwrap();
    let recording = Arc::new(Recording::of(vec![file], Vec::new()).unwrap());
    assert_eq!(recording.chunks().len(), 6);
    for chunk in (0..6).rev() {
        let items = recording.reader().read(chunk).unwrap();
        let scrapes = items
            .iter()
            .filter(|(_, item)| matches!(item, Item::Envelope(e) if matches!(e.sample, Sample::Scrape(_))));
        assert_eq!(scrapes.count(), 30);
        assert!(!items.iter().any(|(_, item)| matches!(item, Item::Gap(_))));
    }
    for chunk in recording.chunks() {
        assert!(chunk.end - chunk.start <= 10_000_000_000);
    }
}

#[test]
fn values_that_json_does_not_know_come_back() {
    let mut session = Session::new(CALM);
    let mut items = session.second(0);
    let Some(Item::Envelope(envelope)) = items.first_mut() else {
        panic!()
    };
    let Sample::Scrape(scrape) = &mut envelope.sample else {
        panic!()
    };
    let odd = [
        f64::INFINITY,
        f64::NEG_INFINITY,
        -0.0,
        1e300,
        0.1,
        9_007_199_254_740_993.0,
        f64::NAN,
    ];
    scrape.values[..odd.len()].copy_from_slice(&odd);
    let (back, _) = read(write(info(), &items)).unwrap();
    let Item::Envelope(envelope) = &back[0] else { panic!() };
    let Sample::Scrape(scrape) = &envelope.sample else {
        panic!()
    };
    for (value, odd) in scrape.values.iter().zip(odd) {
        assert!(
            value.to_bits() == odd.to_bits() || (value.is_nan() && odd.is_nan()),
            "{value} {odd}"
        );
    }
}

#[test]
fn what_must_not_be_lost_is_sealed_at_once() {
    let mut writer = RecordWriter::new(Vec::new(), info(), moment(0.0), Redaction::default()).unwrap();
    for item in seconds(CALM, 3) {
        writer.write(item).unwrap();
    }
    assert_eq!(writer.counts().chunks, 0);
    let marker = Marker {
        moment: moment(3.2),
        text: "here".to_owned(),
    };
    writer.write(Item::Marker(marker.clone())).unwrap();
    assert_eq!(writer.counts().chunks, 1);
    let (items, damage) = read(writer.abandon()).unwrap();
    assert_eq!(items.last(), Some(&Item::Marker(marker)));
    assert_eq!(damage.len(), 1, "it was not finished");
    assert!(damage[0].lost.is_some());
}

#[test]
fn secrets_are_not_written_and_are_counted() {
    let mut redactor = Redactor::default();
    redactor.learn("hunter2\\\"");
    let report = SourceReport {
        state: SourceState::Failing,
        latency: None,
        error: Some("password hunter2\\\" at postgres://bob:pw@db/x refused".to_owned()),
        retry_in: None,
        period: std::time::Duration::from_secs(1),
    };
    let envelope = Envelope {
        profile: "made-up".into(),
        source: SourceId::new(SourceKind::Postgres, "postgres"),
        seq: 0,
        at: moment(1.0).at,
        mono: moment(1.0).mono,
        sample: Sample::Report(report),
    };
    let mut writer = RecordWriter::new(Vec::new(), info(), moment(0.0), Redaction::new(redactor)).unwrap();
    writer.write(Item::Envelope(Box::new(envelope))).unwrap();
    assert_eq!(writer.counts().redacted, 1);
    let (items, _) = read(writer.finish().map_err(|(error, _)| error).unwrap()).unwrap();
    let Item::Envelope(envelope) = &items[0] else { panic!() };
    let Sample::Report(report) = &envelope.sample else {
        panic!()
    };
    assert_eq!(
        report.error.as_deref(),
        Some(format!("password {MASK} at postgres://{MASK}@db/x refused").as_str())
    );
}

#[test]
fn a_later_minor_version_is_read_and_a_later_major_refused() {
    let items = seconds(CALM, 12);
    let versioned = |schema: &str| SessionInfo {
        schema: schema.to_owned(),
        ..info()
    };
    assert_eq!(read(write(versioned("1.9"), &items)).unwrap().0, items);
    let refused = read(write(versioned("2.0"), &items)).unwrap_err();
    assert!(
        matches!(refused, RecordError::TooNew { found, .. } if found.major == 2),
        "{refused}"
    );
    assert!(refused.to_string().ends_with("update hookwatch"));
}

#[test]
fn what_is_no_recording_is_said_to_be_none() {
    assert!(matches!(read(Vec::new()), Err(RecordError::Empty(_))));
    assert!(matches!(
        read(b"PK\x03\x04 something else".to_vec()),
        Err(RecordError::NotMcap(_))
    ));
    assert!(matches!(read(b"x".to_vec()), Err(RecordError::NotMcap(_))));
    let foreign = mcap::Writer::new(std::io::Cursor::new(Vec::new())).unwrap();
    let mut foreign = foreign;
    foreign.finish().unwrap();
    let bytes = foreign.into_inner().into_inner();
    assert!(matches!(read(bytes), Err(RecordError::Foreign { .. })));
}

/// Ten-second chunks of a small session, and which items are in which.
fn sample_file() -> (Vec<u8>, Vec<Item>, Vec<std::ops::Range<usize>>) {
    let width = Width {
        targets: 1,
        series: 6,
        workers: 1,
        ..CALM
    };
    let items = seconds(width, 40);
    let bytes = write(info(), &items);
    let file = RecordingFile::in_memory(bytes.clone().into()).unwrap();
    let recording = Arc::new(Recording::of(vec![file], Vec::new()).unwrap());
    let mut reader = recording.reader();
    let mut ranges = Vec::new();
    let mut from = 0;
    for chunk in 0..recording.chunks().len() {
        let count = reader
            .read(chunk)
            .unwrap()
            .iter()
            .filter(|(_, item)| !matches!(item, Item::Session(_)))
            .count();
        ranges.push(from..from + count);
        from += count;
    }
    assert_eq!((ranges.len(), from), (4, items.len()));
    (bytes, items, ranges)
}

/// Whether `found` is `items` without at most one of `chunks`: which one.
fn lost(found: &[Item], items: &[Item], chunks: &[std::ops::Range<usize>]) -> Option<usize> {
    if found == items {
        return None;
    }
    let without = |chunk: &std::ops::Range<usize>| {
        found.len() == items.len() - chunk.len()
            && found[..chunk.start] == items[..chunk.start]
            && found[chunk.start..] == items[chunk.end..]
    };
    let chunk = chunks.iter().position(without);
    assert!(
        chunk.is_some(),
        "more than a chunk is lost, or something is wrong: {} of {}",
        found.len(),
        items.len()
    );
    chunk
}

#[test]
fn a_flipped_bit_costs_at_most_its_chunk_and_is_told() {
    let (bytes, items, chunks) = sample_file();
    let mut dice = 88_172_645_463_325_252_u64;
    let mut losses = 0;
    for round in 0..1_000 {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        // Half of them where no checksum protects: in the headers and the records around them.
        let bit = if round % 2 == 0 {
            dice % (bytes.len() as u64 * 8)
        } else {
            dice % (2_000 * 8)
        };
        let mut bytes = bytes.clone();
        bytes[usize::try_from(bit / 8).unwrap()] ^= 1 << (bit % 8);
        let (found, damage) = read(bytes).unwrap_or_else(|error| panic!("bit {bit}: {error}"));
        assert!(!damage.is_empty(), "bit {bit} is not noticed");
        if lost(&found, &items, &chunks).is_some() {
            losses += 1;
            assert!(
                damage.iter().any(|d| d.lost.is_some()),
                "bit {bit}: the loss is not told: {damage:?}"
            );
        }
    }
    assert!(losses > 300, "{losses}");
}

#[test]
fn a_truncated_file_gives_all_its_whole_chunks_and_tells_what_is_missing() {
    let (bytes, items, chunks) = sample_file();
    let mut dice = 1_234_567_890_123_u64;
    for _ in 0..1_000 {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        let length = usize::try_from(dice % bytes.len() as u64).unwrap();
        match read(bytes[..length].to_vec()) {
            Ok((found, damage)) => {
                assert_eq!(found, items[..found.len()]);
                let whole = found.is_empty() || chunks.iter().any(|chunk| chunk.end == found.len());
                assert!(whole, "{length}: {}", found.len());
                assert!(!damage.is_empty());
                if found.len() < items.len() {
                    assert!(damage.iter().any(|d| d.lost.is_some()), "{length}: {damage:?}");
                }
            }
            Err(error) => assert!(length < 4_000, "{length}: {error}"),
        }
    }
}

type Chunks = Vec<(usize, Result<Vec<(u64, Item)>, Damage>)>;

/// Chunks as [`Recording::each_chunk`] gives them, up to the one after which nobody wants more.
fn read_ahead(recording: &Arc<Recording>, chunks: RangeInclusive<usize>, enough: usize) -> Chunks {
    let mut read = Vec::new();
    recording.each_chunk(chunks, |chunk, items| {
        read.push((chunk, items));
        if chunk == enough {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    read
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn chunks_that_are_read_side_by_side_are_those_read_one_by_one(
        wounds in proptest::collection::vec(any::<proptest::sample::Index>(), 0..4),
        cut in proptest::option::of(any::<proptest::sample::Index>()),
        (first, last, enough) in (0usize..12, 0usize..12, 0usize..12),
    ) {
        let (mut bytes, ..) = sample_file();
        for wound in wounds {
            let place = wound.index(bytes.len());
            bytes[place] ^= 0x10;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let Ok(file) = RecordingFile::in_memory(bytes.into()) else { return Ok(()) };
        let recording = Arc::new(Recording::of(vec![file; 3], Vec::new()).unwrap());
        let Some(end) = recording.chunks().len().checked_sub(1) else { return Ok(()) };
        let chunks = first.min(end)..=last.min(end);
        let mut reader = recording.reader();
        let mut one_by_one = Chunks::new();
        for chunk in chunks.clone() {
            one_by_one.push((chunk, reader.read(chunk)));
            if chunk == enough {
                break;
            }
        }
        prop_assert_eq!(read_ahead(&recording, chunks, enough), one_by_one);
    }
}

#[test]
fn what_is_the_same_in_many_chunks_is_held_once_whoever_reads_them() {
    let width = Width { targets: 1, ..CALM };
    let file = RecordingFile::in_memory(write(info(), &seconds(width, 100)).into()).unwrap();
    let recording = Arc::new(Recording::of(vec![file], Vec::new()).unwrap());
    let read = read_ahead(&recording, 0..=9, 9);
    let items = read.iter().flat_map(|(_, items)| items.as_ref().unwrap());
    let mut layouts = items.filter_map(|(_, item)| match item {
        Item::Envelope(envelope) => match &envelope.sample {
            Sample::Scrape(scrape) => Some(&scrape.layout),
            _ => None,
        },
        _ => None,
    });
    let first = layouts.next().unwrap();
    assert_eq!(layouts.filter(|layout| Arc::ptr_eq(first, layout)).count(), 99);
}

#[test]
fn several_damaged_places_cost_a_chunk_each() {
    let (bytes, items, _) = sample_file();
    let file = RecordingFile::in_memory(bytes.clone().into()).unwrap();
    let places: Vec<_> = [0, 1, 3].map(|i| file.chunks[i].offset + 200).to_vec();
    let mut broken = bytes;
    for place in &places {
        broken[usize::try_from(*place).unwrap()] ^= 0x10;
    }
    let (found, damage) = read(broken).unwrap();
    assert_eq!(damage.len(), 3);
    assert_eq!(found.len(), items.len() - 3 * items.len() / 4);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_that_is_no_recording_makes_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), magic: bool) {
        let mut file = if magic { mcap::MAGIC.to_vec() } else { Vec::new() };
        file.extend(bytes);
        prop_assert!(read(file).is_err());
    }
}

/// Files of every schema that was ever released are read for ever. Beside each stands what the
/// first sample of every kind in it says.
#[test]
fn the_golden_file_of_schema_1_is_read_as_it_was_written() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/recordings");
    let (items, damage) = read(std::fs::read(folder.join("schema-1.mcap")).unwrap()).unwrap();
    assert_eq!(damage, []);
    let mut counts = std::collections::BTreeMap::<String, usize>::new();
    let mut firsts = serde_json::Map::new();
    for item in &items {
        let kind = match item {
            Item::Envelope(envelope) => {
                let json = serde_json::to_value(envelope).unwrap();
                let sample = json["sample"].as_object().unwrap();
                let kind = sample.keys().next().unwrap().clone();
                firsts.entry(kind.clone()).or_insert(json);
                kind
            }
            Item::Tick(_) => "tick".to_owned(),
            Item::Event(_) => "event".to_owned(),
            other => panic!("{other:?}"),
        };
        *counts.entry(kind).or_default() += 1;
    }
    let said = json!({"counts": counts, "firsts": firsts});
    let expected = std::fs::read_to_string(folder.join("schema-1.json")).unwrap();
    let expected: serde_json::Value = serde_json::from_str(&expected).unwrap();
    assert_eq!(said, expected);
}

//! Pages of arbitrary families, written in every way that the formats allow.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::select;

use super::*;

/// A sample to be written in many ways.
#[derive(Clone, Debug)]
struct Written {
    family: usize,
    suffix: &'static str,
    labels: BTreeMap<String, String>,
    value: f64,
}

/// Families by name, type, and the endings of their samples.
const WRITTEN: [(&str, &str, &[&str]); 6] = [
    ("webhook_received_total", "counter", &[""]),
    ("webhook_queue_depth", "gauge", &[""]),
    ("job:webhooks:rate", "gauge", &[""]),
    ("webhook.größe \"x\"\\", "counter", &[""]),
    ("webhook_batch_size", "histogram", &["_bucket", "_sum", "_count"]),
    ("x", "summary", &["", "_sum", "_count"]),
];

/// What label values are made of.
const NASTY: [&str; 20] = [
    "}", "{", ",", "=", "\"", "\\", "\n", " ", "\t", "\r", "#", "\", b=\"", "\\n", "é", "🦀", "\u{202e}", "\u{2028}",
    "0", "odd", "plain",
];

/// What garbage is made of.
const GARBAGE: [&[u8]; 21] = [
    b"x",
    b"webhook_queued_total",
    b"{",
    b"}",
    b"\"",
    b"\\",
    b"=",
    b",",
    b" ",
    b"\t",
    b"\n",
    b"\r",
    b"#",
    b"# TYPE x ",
    b"1",
    b"NaN",
    b"a=\"1\"",
    b"\xff",
    b"\xc3",
    b"\xc3\xa9",
    b"\0",
];

fn nasty() -> impl Strategy<Value = String> {
    let pieces = select(&NASTY[..]);
    prop::collection::vec(pieces, 0..6).prop_map(|pieces| pieces.concat())
}

fn label_name() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-zA-Z_][a-zA-Z0-9_]{0,5}",
        1 => nasty().prop_filter("a label has a name", |name| !name.is_empty()),
    ]
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>(),
        Just(f64::NAN),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY),
        (0u64..1 << 50).prop_map(|n| n as f64),
    ]
}

fn written() -> impl Strategy<Value = Written> {
    (
        0..WRITTEN.len(),
        0usize..3,
        prop::collection::btree_map(label_name(), nasty(), 0..4),
        number(),
    )
        .prop_map(|(family, suffix, mut labels, value)| {
            let suffixes = WRITTEN[family].2;
            let suffix = suffixes[suffix % suffixes.len()];
            match (WRITTEN[family].1, suffix) {
                ("histogram", "_bucket") => labels.insert("le".into(), "0.5".into()),
                ("summary", "") => labels.insert("quantile".into(), "0.5".into()),
                _ => None,
            };
            Written {
                family,
                suffix,
                labels,
                value,
            }
        })
}

fn kind_of(sample: &Written) -> SeriesKind {
    match (WRITTEN[sample.family].1, sample.suffix) {
        ("counter", _) => SeriesKind::Counter,
        ("gauge", _) => SeriesKind::Gauge,
        (_, "_bucket") => SeriesKind::Bucket,
        (_, "_sum") => SeriesKind::Sum,
        (_, "_count") => SeriesKind::Count,
        _ => SeriesKind::Quantile,
    }
}

/// How a page is written: each choice takes the next number of an endless list.
struct Pen<'a> {
    choices: std::iter::Cycle<std::slice::Iter<'a, u8>>,
    openmetrics: bool,
}

impl Pen<'_> {
    fn choose(&mut self, among: usize) -> usize {
        usize::from(*self.choices.next().unwrap()) % among
    }

    fn blank(&mut self) -> &'static str {
        ["", " ", "\t", "  \t"][self.choose(4)]
    }

    fn quoted(text: &str) -> String {
        format!(
            "\"{}\"",
            text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
        )
    }

    fn is_bare(name: &str) -> bool {
        name.bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b':'))
    }

    fn sample(&mut self, sample: &Written) -> String {
        let name = format!("{}{}", WRITTEN[sample.family].0, sample.suffix);
        let mut items = Vec::new();
        let bare = Self::is_bare(&name) && self.choose(8) > 0;
        if !bare {
            items.push(Self::quoted(&name));
        }
        let mut labels: Vec<_> = sample.labels.iter().collect();
        let turn = self.choose(4);
        let turn = turn.min(labels.len());
        labels.rotate_left(turn);
        for (key, value) in labels {
            let bare = Self::is_bare(key) && !key.contains(':') && self.choose(8) > 0;
            let key = if bare { key.clone() } else { Self::quoted(key) };
            items.push(format!("{key}{}={}{}", self.blank(), self.blank(), Self::quoted(value)));
        }
        let mut line = String::from(self.blank());
        if bare {
            line += &name;
        }
        if items.is_empty() && self.choose(2) == 0 {
            line += " ";
        } else {
            line += self.blank();
            line += "{";
            for (i, item) in items.iter().enumerate() {
                line += if i > 0 { "," } else { "" };
                line += self.blank();
                line += item;
                line += self.blank();
            }
            line += if !items.is_empty() && self.choose(3) == 0 {
                ", }"
            } else {
                "}"
            };
        }
        line += self.blank();
        let value = match (sample.value, self.choose(2)) {
            (v, 0) if v.is_finite() => format!("{v:e}"),
            (v, _) if v == f64::INFINITY => "+Inf".to_owned(),
            (v, _) if v == f64::NEG_INFINITY => "-Inf".to_owned(),
            (v, _) => v.to_string(),
        };
        line += &value;
        match self.choose(4) {
            0 if self.openmetrics => line += " 1395066363.123",
            0 => line += "\t1395066363000",
            _ => {}
        }
        if self.openmetrics && self.choose(4) == 0 {
            line += " # {trace=\"} 1\\\"\"} 0.5 1.5";
        }
        line + self.blank()
    }

    /// Lines in an order that mixes families, types before or after, and strangers in between.
    fn page(&mut self, samples: &[Written]) -> String {
        let mut lines: Vec<String> = samples.iter().map(|sample| self.sample(sample)).collect();
        for (name, kind, _) in WRITTEN {
            let name = if self.openmetrics {
                name.strip_suffix("_total").unwrap_or(name)
            } else {
                name
            };
            let name = if Self::is_bare(name) {
                name.to_owned()
            } else {
                Self::quoted(name)
            };
            let at = self.choose(lines.len() + 1);
            lines.insert(at, format!("#{} TYPE {name} {kind}{}", self.blank(), self.blank()));
            let at = self.choose(lines.len() + 1);
            let strangers = [
                "# HELP x } \" {",
                "up{a=\"}\"} 1",
                "",
                "# UNIT x seconds",
                "x_created 1",
                "#",
                "garbage {{",
            ];
            lines.insert(at, strangers[self.choose(strangers.len())].to_owned());
        }
        if self.openmetrics {
            lines.push("# EOF".to_owned());
        }
        let ending = ["\n", "\r\n"][self.choose(2)];
        lines.join(ending) + ["", ending][self.choose(2)]
    }
}

/// What a page must be read as: of a series that is written twice, the first.
fn expected(samples: &[Written]) -> BTreeMap<(String, Labels), (SeriesKind, f64)> {
    let mut out = BTreeMap::new();
    for sample in samples {
        let name = format!("{}{}", WRITTEN[sample.family].0, sample.suffix);
        let labels = sample.labels.clone().into_iter().collect();
        out.entry((name, labels)).or_insert((kind_of(sample), sample.value));
    }
    out
}

fn assert_holds(page: &Page, samples: &[Written]) {
    let expected = expected(samples);
    let read = series(page);
    assert_eq!(
        page.skipped,
        (samples.len() - expected.len()) as u64,
        "{:?}",
        page.first_skipped
    );
    assert_eq!(read.len(), expected.len());
    for ((id, (name, labels, value)), (key, (kind, wanted))) in page.layout.series.iter().zip(read).zip(expected) {
        assert_eq!((name, labels), key);
        assert_eq!(id.kind, kind, "{key:?}");
        assert!(
            value.to_bits() == wanted.to_bits() || (value.is_nan() && wanted.is_nan()),
            "{key:?}: {value} {wanted}"
        );
    }
    assert!(page.layout.series.is_sorted());
}

proptest! {
    #[test]
    fn no_sample_is_lost_or_altered(
        samples in prop::collection::vec(written(), 0..12),
        choices in prop::collection::vec(any::<u8>(), 1..200),
        openmetrics in any::<bool>(),
    ) {
        let mut pen = Pen { choices: choices.iter().cycle(), openmetrics };
        let page = pen.page(&samples);
        let mut reader = reader();
        let read = read_with(&mut reader, page.as_bytes());
        assert_holds(&read, &samples);
        prop_assert_eq!(read.ended, openmetrics);

        // Once more through the same reader, where every head is known.
        let again = read_with(&mut reader, page.as_bytes());
        assert_holds(&again, &samples);
        prop_assert!(Arc::ptr_eq(&read.layout, &again.layout));
        prop_assert_eq!(read.families, again.families);
    }

    #[test]
    fn a_reader_that_knows_the_last_page_reads_the_next_one_like_a_new_reader(
        first in prop::collection::vec(written(), 0..8),
        common in prop::collection::vec(written(), 0..8),
        second in prop::collection::vec(written(), 0..8),
        choices in prop::collection::vec(any::<u8>(), 1..200),
        piece in 1usize..50,
    ) {
        let mut pen = Pen { choices: choices.iter().cycle(), openmetrics: false };
        let mut reader = reader();
        read_with(&mut reader, pen.page(&[common.clone(), first].concat()).as_bytes());
        let samples = [common, second].concat();
        let page = pen.page(&samples);
        reader.begin();
        page.as_bytes().chunks(piece).for_each(|piece| reader.feed(piece));
        assert_holds(&reader.finish(), &samples);
    }

    #[test]
    fn garbage_never_panics_and_reads_the_same_in_any_pieces(
        page in prop::collection::vec(select(&GARBAGE[..]), 0..60),
        piece in 1usize..20,
    ) {
        let page = page.concat();
        let whole = read(&page);
        let mut pieces = reader();
        for _ in 0..2 {
            pieces.begin();
            page.chunks(piece).for_each(|piece| pieces.feed(piece));
            let read = pieces.finish();
            prop_assert_eq!(&read.layout.series, &whole.layout.series);
            prop_assert_eq!(series(&read).len(), series(&whole).len());
            prop_assert_eq!((read.skipped, &read.first_skipped), (whole.skipped, &whole.first_skipped));
        }
    }

    #[test]
    fn the_end_of_a_head_is_found_without_reading_it(sample in written(), choices in prop::collection::vec(any::<u8>(), 1..100)) {
        let mut pen = Pen { choices: choices.iter().cycle(), openmetrics: true };
        let line = pen.sample(&sample);
        let line = std::str::from_utf8(line::trim(line.as_bytes())).unwrap();
        prop_assert_eq!(line::head_len(line.as_bytes()), Some(line::head(line).unwrap().len));
    }
}

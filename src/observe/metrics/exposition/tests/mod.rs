mod property;

use std::collections::BTreeMap;
use std::path::Path;

use rstest::rstest;

use super::*;
use crate::config::{Families, Family};
use crate::sample::{SeriesId, SeriesKind};

/// Families with names of every shape.
fn families() -> Families {
    let mut families = Families::default();
    for name in ["job:webhooks:rate", "webhook.größe \"x\"\\", "x"] {
        families.names.insert(name.into(), Family::Received);
    }
    families
}

fn reader() -> Reader {
    Reader::new(Arc::new(Wanted::new(&families())), SERIES_LIMIT)
}

fn read_with(reader: &mut Reader, page: &[u8]) -> Page {
    reader.begin();
    reader.feed(page);
    reader.finish()
}

fn read(page: impl AsRef<[u8]>) -> Page {
    read_with(&mut reader(), page.as_ref())
}

type Labels = Vec<(String, String)>;

fn series(page: &Page) -> Vec<(String, Labels, f64)> {
    assert_eq!(page.layout.series.len(), page.values.len());
    let labels = |id: &SeriesId| id.labels.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
    let ids = page.layout.series.iter();
    ids.zip(&page.values)
        .map(|(id, &value)| (id.name.to_string(), labels(id), value))
        .collect()
}

fn one(page: &str) -> (String, Labels, f64) {
    let page = read(page);
    assert_eq!((page.skipped, page.first_skipped.clone()), (0, None));
    let mut series = series(&page);
    assert_eq!(series.len(), 1, "{series:?}");
    series.remove(0)
}

fn kinds(page: &str) -> Vec<(String, SeriesKind)> {
    read(page)
        .layout
        .series
        .iter()
        .map(|id| (id.name.to_string(), id.kind))
        .collect()
}

/// Every line that prometheus-parse 0.2.5 was seen to drop or to corrupt.
#[rstest]
#[case::closing_brace_in_a_value(r#"x{a="}"} 1"#, "x", &[("a", "}")], 1.0)]
#[case::opening_brace_in_a_value(r#"x{a="{b}"} 1"#, "x", &[("a", "{b}")], 1.0)]
#[case::comma_in_a_value(r#"x{a="1,2",b="3"} 1"#, "x", &[("a", "1,2"), ("b", "3")], 1.0)]
#[case::equals_sign_in_a_value(r#"x{a="b=c"} 1"#, "x", &[("a", "b=c")], 1.0)]
#[case::a_label_inside_a_value(r#"x{a="\", b=\""} 1"#, "x", &[("a", "\", b=\"")], 1.0)]
#[case::escapes(r#"x{a="C:\\DIR\n\"q\""} 1"#, "x", &[("a", "C:\\DIR\n\"q\"")], 1.0)]
#[case::unknown_escape_is_kept(r#"x{a="\d"} 1"#, "x", &[("a", "\\d")], 1.0)]
#[case::blank_between_labels(r#"x{ a = "1" , b = "2" } 1"#, "x", &[("a", "1"), ("b", "2")], 1.0)]
#[case::colon_in_a_name("job:webhooks:rate 1", "job:webhooks:rate", &[], 1.0)]
#[case::no_labels_in_braces("x{} 1", "x", &[], 1.0)]
#[case::trailing_comma(r#"x{a="1",} 1"#, "x", &[("a", "1")], 1.0)]
#[case::blank_before_the_brace(r#"x {a="1"} 1"#, "x", &[("a", "1")], 1.0)]
#[case::tabs("x\t{a=\"1\"}\t1\t", "x", &[("a", "1")], 1.0)]
#[case::no_blank_before_the_value(r#"x{a="1"}1"#, "x", &[("a", "1")], 1.0)]
#[case::quoted_name(r#"{"webhook.größe \"x\"\\",a="1"} 1"#, "webhook.größe \"x\"\\", &[("a", "1")], 1.0)]
#[case::quoted_name_alone(r#"{"x"} 1"#, "x", &[], 1.0)]
#[case::quoted_label_name(r#"x{"häuser, =}"="1"} 1"#, "x", &[("häuser, =}", "1")], 1.0)]
#[case::quotes_at_a_values_ends(r#"x{a="\"\"\""} 1"#, "x", &[("a", "\"\"\"")], 1.0)]
#[case::hash_in_a_value(r##"x{a="#"} 1 # {b="}"} 2 3"##, "x", &[("a", "#")], 1.0)]
#[case::timestamp_in_milliseconds("x 1 1395066363000", "x", &[], 1.0)]
#[case::timestamp_in_seconds("x 1 1395066363.123", "x", &[], 1.0)]
#[case::timestamp_before_the_epoch("x 1 -3982045", "x", &[], 1.0)]
#[case::exemplar(r#"x 1 # {trace_id="}{"} 0.5 1.5"#, "x", &[], 1.0)]
#[case::timestamp_and_exemplar("x 1 1.5 # {} 0.5", "x", &[], 1.0)]
#[case::carriage_return("x 1\r\n", "x", &[], 1.0)]
#[case::blanks_in_front("  \tx 1\n", "x", &[], 1.0)]
#[case::infinity("x +Inf", "x", &[], f64::INFINITY)]
#[case::negative_infinity("x -Inf", "x", &[], f64::NEG_INFINITY)]
#[case::exponent("x 1.7560473e+07", "x", &[], 17_560_473.0)]
#[case::largest_integer("x 18446744073709551615", "x", &[], 18_446_744_073_709_551_615.0)]
#[case::empty_value(r#"x{a=""} 1"#, "x", &[("a", "")], 1.0)]
#[case::labels_are_sorted(r#"x{b="2",a="1"} 1"#, "x", &[("a", "1"), ("b", "2")], 1.0)]
#[case::line_separators_in_a_value("x{a=\"\u{2028}\u{85}\u{a0}\"} 1", "x", &[("a", "\u{2028}\u{85}\u{a0}")], 1.0)]
fn lines_that_the_parser_alone_gets_wrong_read_right(
    #[case] line: &str,
    #[case] name: &str,
    #[case] labels: &[(&str, &str)],
    #[case] value: f64,
) {
    let labels = labels.iter().map(|&(k, v)| (k.to_owned(), v.to_owned())).collect();
    assert_eq!(one(line), (name.to_owned(), labels, value));
}

#[test]
fn nan_stays_nan() {
    assert!(one("x NaN").2.is_nan());
    assert!(one("x{a=\"1\"} nan").2.is_nan());
}

#[rstest]
#[case("x", "no value")]
#[case("x{a=\"1\"}", "no value")]
#[case("x # {} 1", "no value")]
#[case("x one", "the value is not a number")]
#[case("x 1\u{a0}2", "the value is not a number")]
#[case("x 1_000", "the value is not a number")]
#[case("x 1 soon", "the timestamp is not a number")]
#[case("x 1 2 3", "text after the sample")]
#[case("x{a=\"1} 1", "a quote is not closed")]
#[case("x{a=\"1\\", "a quote is not closed")]
#[case("x{a=\"1\"", "the braces are not closed")]
#[case("x{", "the braces are not closed")]
#[case("x{a=1} 1", "a label has no quoted value")]
#[case("x{a} 1", "a label has no quoted value")]
#[case("x{=\"1\"} 1", "a label has no name")]
#[case("x{,} 1", "a label has no name")]
#[case("x{a=\"1\" b=\"2\"} 1", "labels are not separated by commas")]
#[case("x{a=\"1\",a=\"2\"} 1", "a label stands twice")]
fn an_unreadable_line_is_counted_and_quoted(#[case] line: &str, #[case] reason: &str) {
    let page = read(format!("x{{ok=\"1\"}} 7\n{line}\nx{{also=\"1\"}} 8\n"));
    assert_eq!(page.skipped, 1);
    let said = page.first_skipped.unwrap();
    assert!(said.starts_with(&format!("{reason}: x")), "{said}");
    assert_eq!(page.values, [8.0, 7.0]);
}

#[test]
fn what_is_quoted_is_safe_and_short() {
    let page = read(format!("x{{a=\"\u{1b}[31m{}\n", "y".repeat(5_000)));
    let said = page.first_skipped.unwrap();
    assert!(said.chars().count() < 200 && !said.contains('\u{1b}'), "{said}");
}

#[test]
fn a_line_that_is_not_utf8_is_counted() {
    let page = read(b"x{a=\"\xff\"} 1\nx 2\n");
    assert_eq!(page.skipped, 1);
    assert!(page.first_skipped.unwrap().starts_with("not UTF-8: x"));
    assert_eq!(page.values, [2.0]);
}

#[test]
fn lines_of_unwanted_families_are_no_concern() {
    let page = read("y{a=\"1 2\nwebhook 3\n{\"y\"} 1\n{} 1\n}\nwebhook_batch_size_created 1\n\u{feff}\n");
    assert_eq!((page.skipped, page.layout.series.len(), page.found), (0, 0, false));
}

#[test]
fn a_series_that_stands_twice_counts_once_and_the_first_counts() {
    let page = read("x{a=\"1\",b=\"2\"} 1\nx 3\nx{b=\"2\",a=\"1\"} 2\n");
    assert_eq!(page.values, [3.0, 1.0]);
    assert_eq!(page.skipped, 1);
    assert_eq!(
        page.first_skipped.unwrap(),
        "the same series again: the first counts: x{b=\"2\",a=\"1\"}"
    );
}

#[test]
fn a_type_counts_wherever_it_stands() {
    use SeriesKind as K;
    let expected = [
        ("webhook_batch_size_bucket".to_owned(), K::Bucket),
        ("webhook_batch_size_count".to_owned(), K::Count),
        ("webhook_batch_size_sum".to_owned(), K::Sum),
        ("webhook_queue_depth".to_owned(), K::Gauge),
        ("webhook_queued_total".to_owned(), K::Counter),
    ];
    let types = "# TYPE webhook_batch_size histogram\n# TYPE webhook_queue_depth gauge\n#\tTYPE\twebhook_queued_total\tcounter\n";
    let samples = "webhook_queued_total 1\nwebhook_batch_size_bucket{le=\"+Inf\"} 1\nwebhook_queue_depth 1\nwebhook_batch_size_sum 1\nwebhook_batch_size_count 1\n";
    assert_eq!(kinds(&format!("{types}{samples}")), expected);
    assert_eq!(kinds(&format!("{samples}{types}")), expected);
    let openmetrics = types.replace("queued_total", "queued").replace("gauge", "stateset");
    assert_eq!(kinds(&format!("{openmetrics}{samples}# EOF\n")), expected);
}

#[test]
fn a_type_that_is_missing_is_taken_from_the_naming_where_it_leaves_no_doubt() {
    use SeriesKind as K;
    let found = kinds(
        "webhook_batch_size_bucket{le=\"1\"} 1\nwebhook_batch_size_bucket 1\nwebhook_batch_size_sum 1\nwebhook_batch_size_count 1\nwebhook_queued_total 1\nwebhook_queue_depth 1\n",
    );
    let kinds: Vec<_> = found.into_iter().map(|(_, kind)| kind).collect();
    assert_eq!(kinds, [K::Untyped, K::Bucket, K::Count, K::Sum, K::Untyped, K::Counter]);
}

#[test]
fn a_summary_has_quantiles() {
    use SeriesKind as K;
    let page = "# TYPE x summary\nx{quantile=\"0.5\"} 1\nx_sum 2\nx_count 3\n";
    let kinds: Vec<_> = kinds(page).into_iter().map(|(_, kind)| kind).collect();
    assert_eq!(kinds, [K::Quantile, K::Count, K::Sum]);
}

#[test]
fn families_declared_without_samples_are_found_and_have_no_value() {
    let page = read("# HELP webhook_queued_total h\n# TYPE webhook_queued_total counter\n# TYPE up gauge\n");
    assert!(page.found && page.values.is_empty());
    assert_eq!(page.families, 2);
    let undeclared = read("up 1\nup{a=\"1\"} 1\ndown 1\n");
    assert!(!undeclared.found);
    assert_eq!(undeclared.families, 2);
}

#[test]
fn openmetrics_ends_with_its_mark() {
    assert!(read("x 1\n# EOF").ended);
    assert!(read("x 1\n# EOF\n").ended);
    assert!(!read("x 1\n").ended);
}

#[test]
fn lines_above_the_limit_are_left_out_and_counted() {
    let mut reader = Reader::new(Arc::new(Wanted::new(&families())), 3);
    let page = "# TYPE x gauge\nx{a=\"1\"} 1\nx{a=\"2\"} 2\nx{a=\"3\"} 3\nx{a=\"4\"} 4\n# TYPE x_total counter\nx{a=\"5\"} 5\n";
    for _ in 0..3 {
        let read = read_with(&mut reader, page.as_bytes());
        assert_eq!((read.values, read.left_out), (vec![1.0, 2.0, 3.0], 2));
    }
}

#[test]
fn a_line_beyond_64_kib_is_counted_and_costs_no_more_than_itself() {
    let long = format!("x{{a=\"{}\"}} 1\n", "y".repeat(LINE_LIMIT));
    let unwanted = format!("z{{a=\"{}\"}} 1\n", "y".repeat(10 * LINE_LIMIT));
    let page = format!("x 1\n{unwanted}{long}webhook_queue_depth 2\n");
    let mut whole = reader();
    let mut pieces = reader();
    for _ in 0..2 {
        let read = read_with(&mut whole, page.as_bytes());
        assert_eq!((read.values.as_slice(), read.skipped), (&[2.0, 1.0][..], 1));
        assert!(read.first_skipped.unwrap().starts_with("longer than 64 KiB: x"));
        pieces.begin();
        page.as_bytes().chunks(1_000).for_each(|piece| pieces.feed(piece));
        assert!(pieces.page.carry.capacity() <= 2 * LINE_LIMIT);
        let read = pieces.finish();
        assert_eq!((read.values.as_slice(), read.skipped), (&[2.0, 1.0][..], 1));
    }
    let fits = format!("x{{a=\"{}\"}} 1", "y".repeat(LINE_LIMIT - 20));
    assert_eq!(read(fits).skipped, 0);
}

#[test]
fn the_layout_is_shared_while_the_series_stay_the_same() {
    let mut reader = reader();
    let first = read_with(&mut reader, b"# TYPE x gauge\nx{a=\"1\"} 1\nx 2\nx 3\nx{ oops\n");
    let second = read_with(&mut reader, b"# TYPE x gauge\nx{a=\"1\"} 10\nx 20\nx 30\nx{ oops\n");
    assert!(Arc::ptr_eq(&first.layout, &second.layout));
    assert_eq!(second.values, [20.0, 10.0]);
    assert_eq!(second.skipped, 2);
    let reordered = read_with(&mut reader, b"# TYPE x gauge\nx 200\nx{a=\"1\"} 100\n");
    assert!(Arc::ptr_eq(&first.layout, &reordered.layout));
    assert_eq!((reordered.values, reordered.skipped), (vec![200.0, 100.0], 0));
    let shorter = read_with(&mut reader, b"# TYPE x gauge\nx 1\n");
    assert_eq!(shorter.values, [1.0]);
    let retyped = read_with(&mut reader, b"# TYPE x counter\nx 1\n");
    assert_eq!(retyped.layout.series[0].kind, SeriesKind::Counter);
    assert_ne!(shorter.layout.hash, retyped.layout.hash);
}

#[rstest]
#[case::longer_name("x 1\n", "x5 1\nx 2\n", &[2.0])]
#[case::name_that_goes_on("x 1\n", "webhook 3\nwebhook_queue_depth 4\n", &[4.0])]
#[case::labels_appear("x 1\n", "x{a=\"1\"} 2\n", &[2.0])]
#[case::labels_vanish("x{a=\"1\"} 2\n", "x 3\n", &[3.0])]
#[case::value_unreadable("x 1\nx_sum 2\n", "x one\nx_sum 3\n", &[3.0])]
#[case::readable_again("x one\nx_sum 2\n", "x 1\nx_sum 3\n", &[1.0, 3.0])]
fn what_looks_like_the_last_page_is_told_apart(#[case] first: &str, #[case] second: &str, #[case] values: &[f64]) {
    let mut reader = reader();
    read_with(&mut reader, first.as_bytes());
    let known = read_with(&mut reader, second.as_bytes());
    let new = read(second);
    assert_eq!(known.values, values);
    assert_eq!((known.layout, known.skipped), (new.layout, new.skipped));
}

#[test]
fn a_known_line_that_grows_too_long_is_refused_like_a_new_one() {
    let mut reader = reader();
    read_with(&mut reader, b"x 1\n");
    let long = format!("x 1 # {{a=\"{}\"}} 1\n", "y".repeat(LINE_LIMIT));
    assert_eq!(read_with(&mut reader, long.as_bytes()).skipped, 1);
    assert_eq!(read_with(&mut reader, b"x 1\n").values, [1.0]);
}

#[test]
fn an_unfinished_page_leaves_no_trace() {
    let mut reader = reader();
    reader.begin();
    reader.feed(b"x{a=\"1\"} 1\nx{a=\"");
    let page = read_with(&mut reader, b"x 2\n");
    assert_eq!((page.values, page.skipped), (vec![2.0], 0));
}

#[test]
fn captured_pages_lose_no_wanted_sample() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/metrics");
    let mut reader = Reader::new(Arc::new(Wanted::new(&Families::default())), SERIES_LIMIT);
    for (file, expected) in [("00-idle", 12), ("load-01", 48), ("load-02", 48), ("load-03", 48)] {
        let text = std::fs::read_to_string(folder.join(file).with_extension("txt")).unwrap();
        let page = read_with(&mut reader, text.as_bytes());
        let families = Families::default();
        let naive: BTreeMap<&str, f64> = text
            .lines()
            .filter(|line| !line.starts_with('#') && !line.is_empty())
            .filter(|line| families.of(line.split(['{', ' ']).next().unwrap()).is_some())
            .map(|line| line.rsplit_once(' ').unwrap())
            .map(|(head, value)| (head, value.parse().unwrap()))
            .collect();
        assert_eq!((page.values.len(), page.skipped), (naive.len(), 0), "{file}");
        assert_eq!(page.values.len(), expected, "{file}");
        let sum: f64 = page.values.iter().sum();
        assert!((sum - naive.values().sum::<f64>()).abs() < 1e-6, "{file}");
    }
    for file in ["nats-down-down", "ratelimited"] {
        let text = std::fs::read(folder.join(file).with_extension("txt")).unwrap();
        assert!(!read_with(&mut reader, &text).found);
    }
}

//! What is acknowledged or silenced.

use super::*;

#[test]
fn what_is_acknowledged_stays_quiet_until_it_clears() {
    let mut bench = Bench::new();
    bench.facts.missing = vec!["a/b".into()];
    bench.hold(1);
    let now = bench.facts.now;
    assert!(
        bench.verdicts.acknowledge("consumer_missing", None, now).is_none(),
        "another subject"
    );
    assert!(
        bench
            .verdicts
            .acknowledge("consumer_missing", Some("a/b"), now)
            .is_some()
    );
    assert_eq!(bench.verdicts.view()[0].hush, Some(Hush::Acknowledged { at: now.at }));
    bench.facts.missing.clear();
    bench.hold(1);
    bench.facts.missing = vec!["a/b".into()];
    bench.hold(1);
    assert_eq!(bench.verdicts.view()[0].hush, None, "it is back");
}

#[test]
fn what_is_silenced_stays_quiet_for_its_time_even_when_it_comes_back() {
    let mut bench = Bench::new();
    bench.facts.missing = vec!["a/b".into()];
    bench.hold(1);
    let minute = Duration::from_mins(1);
    assert!(
        bench
            .verdicts
            .silence("consumer_missing", Some("a/b"), minute, bench.facts.now)
            .is_some()
    );
    bench.facts.missing.clear();
    bench.hold(2);
    bench.facts.missing = vec!["a/b".into()];
    bench.hold(1);
    assert!(matches!(bench.verdicts.view()[0].hush, Some(Hush::Silenced { .. })));
    bench.hold(60);
    assert_eq!(bench.verdicts.view()[0].hush, None);
    assert!(
        bench.verdicts.heed("consumer_missing", Some("a/b")).is_none(),
        "nothing to take back"
    );
    bench
        .verdicts
        .acknowledge("consumer_missing", Some("a/b"), bench.facts.now);
    assert!(bench.verdicts.heed("consumer_missing", Some("a/b")).is_some());
    assert_eq!(bench.verdicts.view()[0].hush, None);
}

#[test]
fn a_loss_is_over_when_it_is_acknowledged_and_news_when_it_grows() {
    let mut bench = Bench::new();
    bench.facts.lines = vec![line(LineId::Stored, 5.0, 3, 5.0)];
    bench.hold(1);
    assert!(
        bench
            .verdicts
            .acknowledge("loss", Some("stored"), bench.facts.now)
            .is_some()
    );
    bench.hold(30);
    assert!(!bench.has("loss"), "seen");
    bench.facts.lines[0].difference = 6.0;
    bench.hold(1);
    assert_eq!(bench.text("loss"), "6 confirmed webhooks are not in the stream");
}

//! Rules about the ledger: what is lost, and who contradicts whom.

use super::*;

#[test]
fn loss_needs_three_cycles_and_five_seconds_and_stays() {
    let mut bench = Bench::new();
    bench.facts.lines = vec![line(LineId::Stored, 5.0, 3, 4.9)];
    bench.hold(3);
    assert!(!bench.has("loss"));
    bench.facts.lines = vec![line(LineId::Stored, 5.0, 2, 9.0)];
    bench.hold(3);
    assert!(!bench.has("loss"));
    bench.facts.lines = vec![line(LineId::Stored, 5.0, 3, 5.0)];
    bench.hold(1);
    assert_eq!(bench.text("loss"), "5 confirmed webhooks are not in the stream");
    bench.facts.lines.clear();
    bench.hold(300);
    assert!(bench.has("loss"), "what is lost stays lost");
    // More in the stream than was confirmed is no loss.
    let mut bench = Bench::new();
    bench.facts.lines = vec![line(LineId::Stored, -5.0, 9, 9.0)];
    bench.hold(3);
    assert!(!bench.has("loss") && bench.has("sources_disagree"));
}

#[test]
fn sources_that_disagree_meet_for_two_cycles_before_it_is_over() {
    let mut bench = Bench::new();
    bench.facts.lines = vec![line(LineId::Written, 12.0, 3, 5.0)];
    bench.hold(1);
    assert_eq!(bench.text("sources_disagree"), "the workers say 12 more than Postgres");
    bench.facts.lines[0].apart = 0;
    bench.facts.lines[0].meeting = 1;
    bench.hold(3);
    assert!(bench.has("sources_disagree"));
    bench.facts.lines[0].meeting = 2;
    bench.hold(1);
    assert!(!bench.has("sources_disagree"));
    bench.facts.lines = vec![line(LineId::Written, 12.0, 2, 5.0)];
    bench.hold(3);
    assert!(!bench.has("sources_disagree"));
    bench.facts.depths = vec![DepthFacts {
        by: "api".into(),
        says: 0.0,
        backlog: (84_000.0, 84_210.0),
    }];
    bench.hold(1);
    assert_eq!(
        bench.text("sources_disagree"),
        "api says a queue depth of 0, NATS says 84,210"
    );
}

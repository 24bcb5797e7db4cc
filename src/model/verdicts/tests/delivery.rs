//! Rules about deliveries: what comes again and again.

use super::*;

#[test]
fn a_storm_is_a_fifth_of_the_deliveries_for_five_seconds() {
    let stormy = ConsumerFacts {
        attempts: Some(100.0),
        retries: Some(21.0),
        ..consumer()
    };
    let mut bench = bench_with(stormy.clone());
    bench.hold(5);
    assert!(!bench.has("redelivery_storm"));
    bench.hold(1);
    assert_eq!(bench.text("redelivery_storm"), "21.0 % of all deliveries are retries");
    bench.facts.consumers[0].retries = Some(12.0);
    bench.hold(60);
    assert!(bench.has("redelivery_storm"), "12 % are not below 10 %");
    bench.facts.consumers[0].retries = Some(9.0);
    bench.hold(30);
    assert!(bench.has("redelivery_storm"));
    bench.hold(1);
    assert!(!bench.has("redelivery_storm"));
    for (attempts, retries) in [(Some(100.0), Some(20.0)), (Some(2.0), Some(1.0)), (Some(100.0), None)] {
        let mut bench = bench_with(ConsumerFacts {
            attempts,
            retries,
            ..stormy.clone()
        });
        bench.hold(10);
        assert!(!bench.has("redelivery_storm"), "{attempts:?} {retries:?}");
    }
}

#[test]
fn an_ack_wait_below_a_batch_is_a_storm_and_printed_exactly() {
    let mut bench = bench_with(ConsumerFacts {
        ack_wait_s: 30e-6,
        ..consumer()
    });
    bench.hold(6);
    assert_eq!(
        bench.text("redelivery_storm"),
        "ack_wait is 30 µs: webhooks are delivered again before they are done"
    );
    let mut bench = bench_with(ConsumerFacts {
        ack_wait_s: 0.22,
        ..consumer()
    });
    bench.hold(6);
    assert!(!bench.has("redelivery_storm"), "a batch takes 210 ms");
}

//! Rules about providers: who falls silent, who is answered late.

use super::*;

#[test]
fn a_provider_is_silent_until_its_next_webhook() {
    let mut bench = Bench::new();
    let silence = |lasts| {
        Some(Silence {
            lasts,
            unusual: 5.0,
            mean: 0.012,
        })
    };
    bench.facts.providers = vec![ProviderFacts {
        silence: silence(5.0),
        ..provider(1_000.0, 0.0)
    }];
    bench.hold(1);
    assert!(!bench.has("provider_silent"));
    bench.facts.providers[0].silence = silence(6.0);
    bench.hold(1);
    assert_eq!(bench.text("provider_silent"), "Nothing from stripe for 6 s");
    // A gateway does not answer: nobody knows.
    bench.facts.providers[0].silence = None;
    bench.hold(9);
    assert!(bench.has("provider_silent"));
    bench.facts.providers[0].silence = silence(0.0);
    bench.hold(1);
    assert!(!bench.has("provider_silent"));
}

#[test]
fn slow_answers_are_told_after_five_seconds_until_thirty_below_eighty_per_cent() {
    let mut bench = Bench::new();
    bench.facts.providers = vec![ProviderFacts {
        answers: Some((0.14, 20.0)),
        ..provider(1_000.0, 0.0)
    }];
    bench.hold(6);
    assert_eq!(
        bench.text("slow_webhook"),
        "stripe waits 140 ms for an answer on average"
    );
    bench.facts.providers[0].answers = Some((0.09, 20.0));
    bench.hold(60);
    assert!(bench.has("slow_webhook"));
    bench.facts.providers[0].answers = Some((0.07, 20.0));
    bench.hold(31);
    assert!(!bench.has("slow_webhook"));
    for near in [(0.14, 19.0), (0.1, 20.0)] {
        let mut bench = Bench::new();
        bench.facts.providers = vec![ProviderFacts {
            answers: Some(near),
            ..provider(1_000.0, 0.0)
        }];
        bench.hold(10);
        assert!(!bench.has("slow_webhook"), "{near:?}");
    }
}

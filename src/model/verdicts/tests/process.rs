//! Rules about processes: failures, signatures, endpoints, heartbeats, canaries.

use super::*;

#[test]
fn an_error_rate_needs_fifty_attempts_and_must_still_go_on() {
    let mut bench = Bench::new();
    bench.facts.providers = vec![provider(1_000.0, 60.0)];
    bench.hold(5);
    assert_eq!(bench.text("error_rate"), "6.0 % of stripe's webhooks fail");
    bench.facts.providers = vec![provider(1_000.0, 40.0)];
    bench.hold(60);
    assert!(bench.has("error_rate"), "4 % are not below 3 %");
    bench.facts.providers = vec![provider(1_000.0, 29.0)];
    bench.hold(30);
    assert!(bench.has("error_rate"));
    bench.hold(1);
    assert!(!bench.has("error_rate"));

    for near in [provider(49.0, 40.0), provider(1_000.0, 50.0)] {
        let mut bench = Bench::new();
        bench.facts.providers = vec![near.clone()];
        bench.hold(10);
        assert!(!bench.has("error_rate"), "{near:?}");
    }
    let mut over = provider(1_000.0, 100.0);
    over.lately = Tried {
        received: 100.0,
        ..Tried::default()
    };
    let mut bench = Bench::new();
    bench.facts.providers = vec![over];
    bench.hold(10);
    assert!(!bench.has("error_rate"), "it is over");
}

#[test]
fn wrong_signatures_hide_the_same_providers_error_rate() {
    let mut bench = Bench::new();
    let mut stripe = provider(1_000.0, 400.0);
    stripe.signatures = (40.0, 11.0);
    let mut other = provider(1_000.0, 400.0);
    other.name = "github".into();
    bench.facts.providers = vec![stripe, other];
    bench.hold(5);
    assert_eq!(
        bench.text("signature_failures"),
        "21.6 % of stripe's signatures are wrong"
    );
    let about: Vec<_> = bench
        .verdicts
        .view()
        .into_iter()
        .filter(|verdict| &*verdict.id == "error_rate")
        .map(|verdict| verdict.subject.unwrap().to_string())
        .collect();
    assert_eq!(about, ["github"]);
    bench.facts.providers[0].signatures = (97.0, 4.0);
    bench.hold(60);
    assert!(bench.has("signature_failures"));
    bench.hold(1);
    assert!(!bench.has("signature_failures"));
    for near in [(4.0, 4.0), (40.0, 10.0)] {
        let mut bench = Bench::new();
        let mut stripe = provider(0.0, 0.0);
        stripe.signatures = near;
        bench.facts.providers = vec![stripe];
        bench.hold(3);
        assert!(!bench.has("signature_failures"), "{near:?}");
    }
}

#[test]
fn endpoints_that_fail_are_one_verdict_until_all_have_answered_twice() {
    let mut bench = Bench::new();
    bench.facts.sources = (1..=5)
        .map(|n| source(SourceKind::Metrics, &format!("w-{n}"), Health::Ok))
        .collect();
    bench.facts.sources[0].failures = 1;
    bench.facts.sources[0].health = Health::Failing;
    bench.hold(2);
    assert!(!bench.has("scrape_failing"));
    bench.facts.sources[0].failures = 2;
    bench.hold(1);
    assert_eq!(bench.text("scrape_failing"), "w-1 cannot be read");
    bench.facts.sources[1].health = Health::Stale;
    bench.hold(1);
    assert_eq!(bench.text("scrape_failing"), "2 of 5 metrics endpoints cannot be read");
    for source in &mut bench.facts.sources {
        source.failures = 0;
        source.health = Health::Ok;
    }
    bench.facts.sources[0].goods = 1;
    bench.hold(1);
    assert!(bench.has("scrape_failing"));
    bench.facts.sources[0].goods = 2;
    bench.hold(1);
    assert!(!bench.has("scrape_failing"));
}

#[test]
fn a_counter_that_fell_is_told_for_a_minute() {
    let mut bench = Bench::new();
    bench.facts.falls = vec![("w-1".into(), "acks")];
    bench.hold(1);
    assert_eq!(bench.text("counter_reset"), "A counter of w-1 fell");
    assert_eq!(bench.verdicts.view()[0].severity, Severity::Info);
    bench.facts.falls.clear();
    bench.hold(1);
    assert!(!bench.has("counter_reset"));
}

#[test]
fn an_inactive_worker_is_named_until_it_is_heard_of() {
    let mut bench = Bench::new();
    bench.facts.inactive = vec![SilentWorker {
        name: "w-7".into(),
        silent_s: 400.0,
    }];
    bench.hold(1);
    assert_eq!(bench.text("worker_inactive"), "Worker w-7 was last heard of 7 min ago");
    bench.facts.inactive.clear();
    bench.hold(1);
    assert!(!bench.has("worker_inactive"));
}

#[test]
fn a_canary_fails_at_once_and_is_well_after_two_passes() {
    let mut bench = Bench::new();
    let run = |passed| CanaryReading {
        name: "stripe".into(),
        passed,
        reason: (!passed).then(|| "no row within 10 s\u{1b}[2J".to_owned()),
        total: None,
    };
    let mut canary = Canary::default();
    for (passed, shown) in [(true, false), (false, true), (true, true), (true, false)] {
        canary.observe(&run(passed));
        bench.facts.canaries = vec![("stripe".into(), canary.clone())];
        bench.hold(1);
        assert_eq!(bench.has("canary_failed"), shown, "{canary:?}");
        if shown {
            assert_eq!(bench.text("canary_failed"), "Canary stripe did not get through");
            assert!(!bench.verdicts.view()[0].evidence[0].contains('\u{1b}'));
        }
    }
}

fn probe(health: Health, said: Option<ProbeState>) -> ProbeFacts {
    ProbeFacts {
        name: "billing".into(),
        health,
        failures: 0,
        error: None,
        said,
        status: said.map(|said| if said == ProbeState::Unhealthy { 503 } else { 200 }),
        well: 0,
        ill: 0,
        bad: Vec::new(),
    }
}

#[test]
fn a_service_that_calls_itself_unhealthy_twice_is_said_with_the_checks_that_fail() {
    let mut bench = Bench::new();
    let mut ill = probe(Health::Ok, Some(ProbeState::Unhealthy));
    ill.bad = ["database: refused", "a: x", "b: y", "c: z"]
        .map(str::to_owned)
        .to_vec();
    ill.ill = 1;
    bench.facts.probes = vec![ill];
    bench.hold(2);
    assert!(!bench.has("probe_failing"), "one answer may be a restart");
    bench.facts.probes[0].ill = 2;
    bench.hold(1);
    assert_eq!(bench.text("probe_failing"), "billing says that it is unhealthy");
    let verdict = bench.verdicts.view().remove(0);
    assert_eq!(verdict.severity, Severity::Critical);
    assert_eq!(
        verdict.evidence,
        [
            "2 answers in a row, the last with HTTP 503",
            "database: refused",
            "a: x",
            "b: y",
            "and 1 check more"
        ]
    );
    bench.facts.probes[0] = ProbeFacts {
        well: 1,
        ..probe(Health::Ok, Some(ProbeState::Healthy))
    };
    bench.hold(1);
    assert!(bench.has("probe_failing"), "one good answer is not enough");
    bench.facts.probes[0].well = 2;
    bench.hold(1);
    assert!(!bench.has("probe_failing"));
}

#[test]
fn a_degraded_service_and_one_that_does_not_answer_are_warnings() {
    let mut bench = Bench::new();
    bench.facts.probes = vec![ProbeFacts {
        ill: 2,
        ..probe(Health::Ok, Some(ProbeState::Degraded))
    }];
    bench.hold(1);
    assert_eq!(bench.text("probe_failing"), "billing says that it is degraded");
    assert_eq!(bench.verdicts.view()[0].severity, Severity::Warning);
    bench.facts.probes = vec![ProbeFacts {
        failures: 2,
        error: Some("ask http://billing/health: connection refused".to_owned()),
        ..probe(Health::Failing, Some(ProbeState::Healthy))
    }];
    bench.hold(1);
    assert_eq!(bench.text("probe_failing"), "billing's health endpoint cannot be read");
    assert_eq!(bench.verdicts.view()[0].evidence[1], "before that it said healthy");
    bench.facts.probes[0].failures = 1;
    bench.facts.probes[0].health = Health::Ok;
    bench.hold(1);
    assert!(bench.has("probe_failing"), "neither two good answers nor a bad one");
}

#[test]
fn an_unhealthy_service_is_a_symptom_of_a_database_that_is_down() {
    let mut bench = Bench::new();
    let mut postgres = source(SourceKind::Postgres, "postgres", Health::Failing);
    postgres.failures = 3;
    postgres.goods = 0;
    bench.facts.sources = vec![postgres];
    bench.facts.probes = vec![ProbeFacts {
        ill: 3,
        ..probe(Health::Ok, Some(ProbeState::Unhealthy))
    }];
    bench.hold(2);
    assert_eq!(bench.ids(), ["database_down"]);
}

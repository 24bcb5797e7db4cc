//! The ledger against a simulated pipeline: no false alarm whatever happens, and the right
//! number on the right line when something is lost.

use crate::model::testing::{Fault, Setup, Simulator};
use crate::model::view::View;

/// Loads for 12 s, then waits until all is done.
const QUIET: f64 = 24.0;

fn stop(at: f64) -> (f64, Fault) {
    (at, Fault::Load(0.0))
}

fn differences(view: &View) -> Vec<(&str, Option<f64>)> {
    view.ledger
        .lines
        .iter()
        .map(|line| (&*line.line, line.difference))
        .collect()
}

fn assert_all_zero(simulator: &Simulator) {
    let view = simulator.feed.view();
    assert_eq!(view.ledger.lines.len(), 6);
    for line in &view.ledger.lines {
        assert_eq!(line.balanced, Some(true), "{line:?}");
        assert_eq!(line.difference, Some(0.0), "{line:?}");
        assert_eq!(line.left, line.right, "{line:?}");
    }
}

fn run(setup: Setup, end: f64) -> Simulator {
    let mut simulator = Simulator::new(setup);
    simulator.run(end);
    simulator
}

#[test]
fn every_line_is_checked_and_balances_under_load_and_to_zero_after_it() {
    let setup = Setup {
        faults: vec![stop(12.0)],
        poison: 0.02,
        ..Setup::default()
    };
    let mut simulator = run(setup, 6.0);
    for line in &simulator.feed.view().ledger.lines {
        assert_eq!(line.balanced, Some(true), "{line:?}");
    }
    assert!(simulator.feed.view().ledger.since.is_some());
    simulator.run(QUIET);
    assert_eq!(simulator.alarms, vec![]);
    assert_eq!(simulator.backlog(), 0);
    assert_all_zero(&simulator);
    let received = simulator.feed.line("received");
    assert!((received.left.unwrap() - simulator.received() as f64).abs() < 0.5 || received.left.unwrap() > 11_000.0);
}

#[test]
fn two_seconds_after_the_load_stops_all_differences_are_zero() {
    for seed in 1..6 {
        let setup = Setup {
            seed,
            faults: vec![stop(8.0)],
            ..Setup::default()
        };
        let mut simulator = run(setup, 10.3);
        let view = simulator.feed.view();
        for (line, difference) in differences(view) {
            assert_eq!(difference, Some(0.0), "{line}");
        }
        simulator.run(14.0);
        assert_all_zero(&simulator);
    }
}

#[test]
fn seven_deleted_behind_our_back_show_as_seven_on_the_line_left() {
    for seed in 1..6 {
        let setup = Setup {
            seed,
            // The workers pause, so that there is something to delete.
            faults: vec![
                (5.0, Fault::Pause(true)),
                (6.0, Fault::Delete(7)),
                (6.5, Fault::Pause(false)),
                stop(10.0),
            ],
            ..Setup::default()
        };
        let simulator = run(setup, QUIET);
        let left = simulator.feed.line("left");
        assert_eq!(left.difference, Some(7.0), "{left:?}");
        assert_eq!(left.balanced, Some(false));
        assert_eq!(simulator.feed.line("total").difference, Some(7.0));
        for line in ["received", "stored", "acked", "written"] {
            assert_eq!(simulator.feed.line(line).difference, Some(0.0), "{line}");
        }
        let loss = simulator.feed.verdict("loss").unwrap();
        assert!(loss.text.starts_with("7 webhooks left the stream"), "{loss:?}");
        assert!(simulator.feed.verdict("sources_disagree").is_none());
    }
}

#[test]
fn five_confirmed_and_not_stored_show_as_five_on_the_line_stored() {
    let setup = Setup {
        faults: vec![(5.0, Fault::Forget(5)), stop(10.0)],
        ..Setup::default()
    };
    let simulator = run(setup, QUIET);
    let stored = simulator.feed.line("stored");
    assert_eq!(stored.difference, Some(5.0), "{stored:?}");
    assert_eq!(simulator.feed.line("left").difference, Some(0.0));
    assert!(simulator.feed.verdict("loss").is_some());
}

#[test]
fn a_session_that_began_under_load_sees_a_single_message_after_the_first_quiet_moment() {
    let setup = Setup {
        load_from: 0.0,
        watched_from: 4.0,
        faults: vec![
            stop(8.0),
            (14.0, Fault::Load(500.0)),
            (15.0, Fault::Pause(true)),
            (16.0, Fault::Delete(1)),
            (16.5, Fault::Pause(false)),
            stop(18.0),
        ],
        ..Setup::default()
    };
    let mut simulator = run(setup, 13.9);
    assert_eq!(simulator.alarms, vec![]);
    assert_all_zero(&simulator);
    simulator.run(30.0);
    assert_eq!(simulator.feed.line("left").difference, Some(1.0));
}

#[test]
fn a_killed_and_restarted_worker_raises_nothing() {
    for seed in 1..8 {
        let setup = Setup {
            seed,
            ack_wait: 2.0,
            faults: vec![(5.2, Fault::KillWorker(1)), (7.7, Fault::StartWorker(1)), stop(12.0)],
            ..Setup::default()
        };
        let simulator = run(setup, QUIET);
        assert_eq!(simulator.alarms, vec![], "seed {seed}");
        assert!(!simulator.verdicts.contains("loss"));
        assert_all_zero(&simulator);
    }
}

#[test]
fn a_worker_that_restarts_between_two_scrapes_raises_nothing() {
    for seed in 1..8 {
        let setup = Setup {
            seed,
            ack_wait: 2.0,
            faults: vec![(5.2, Fault::KillWorker(1)), (5.3, Fault::StartWorker(1)), stop(12.0)],
            ..Setup::default()
        };
        let simulator = run(setup, QUIET);
        assert_eq!(simulator.alarms, vec![], "seed {seed}");
        assert_all_zero(&simulator);
    }
}

#[test]
fn after_a_restart_a_single_deleted_message_is_still_seen() {
    let setup = Setup {
        ack_wait: 2.0,
        faults: vec![
            (5.2, Fault::KillWorker(1)),
            (7.7, Fault::StartWorker(1)),
            stop(9.0),
            (18.0, Fault::Load(500.0)),
            (19.0, Fault::Pause(true)),
            (20.0, Fault::Delete(1)),
            (20.5, Fault::Pause(false)),
            stop(22.0),
        ],
        ..Setup::default()
    };
    let simulator = run(setup, 34.0);
    assert_eq!(simulator.feed.line("left").difference, Some(1.0));
}

#[test]
fn a_killed_gateway_raises_nothing() {
    for seed in 1..6 {
        let setup = Setup {
            seed,
            faults: vec![(5.0, Fault::KillGateway), (8.0, Fault::StartGateway), stop(12.0)],
            ..Setup::default()
        };
        let simulator = run(setup, QUIET);
        assert_eq!(simulator.alarms, vec![], "seed {seed}");
        assert!(!simulator.verdicts.contains("loss"));
        assert_all_zero(&simulator);
    }
}

#[test]
fn a_server_that_restarts_and_forgets_acks_raises_nothing() {
    for (seed, forgets) in [(1, 0.0), (2, 0.5), (3, 1.5), (4, 3.0), (5, 0.2), (6, 1.0)] {
        let setup = Setup {
            seed,
            ack_wait: 2.0,
            faults: vec![(6.1, Fault::NatsDown { forgets }), (9.0, Fault::NatsUp), stop(14.0)],
            ..Setup::default()
        };
        let simulator = run(setup, 28.0);
        assert_eq!(simulator.alarms, vec![], "seed {seed}");
        assert!(!simulator.verdicts.contains("loss"));
        assert_all_zero(&simulator);
    }
}

#[test]
fn a_database_outage_raises_nothing() {
    for counts_early in [false, true] {
        let setup = Setup {
            counts_early,
            faults: vec![(5.0, Fault::DatabaseDown), (9.0, Fault::DatabaseUp), stop(12.0)],
            ..Setup::default()
        };
        let simulator = run(setup, QUIET);
        assert_eq!(simulator.alarms, vec![]);
        assert!(!simulator.verdicts.contains("loss"));
        assert_all_zero(&simulator);
    }
}

#[test]
fn messages_that_several_workers_have_raise_nothing() {
    let setup = Setup {
        // Shorter than a batch takes: everything is delivered several times.
        ack_wait: 0.01,
        rate: 300.0,
        faults: vec![stop(12.0)],
        ..Setup::default()
    };
    let simulator = run(setup, QUIET);
    assert_eq!(simulator.alarms, vec![]);
    assert_all_zero(&simulator);
}

#[test]
fn a_term_without_a_source_leaves_its_line_unchecked() {
    let mut feed = crate::model::testing::Feed::default();
    for t in 0..8_u32 {
        let n = f64::from(t) * 10.0;
        feed.at(f64::from(t) + 0.5).scrape(
            "gateway",
            &[
                ("webhook_received_total{provider=a}", n),
                ("webhook_queued_total{provider=a}", n),
            ],
        );
        feed.advance();
    }
    for line in &feed.view().ledger.lines {
        assert_eq!(line.balanced, None, "{line:?}");
        assert_eq!(line.right, None, "{line:?}");
    }
    let terms = &feed.line("received").terms;
    assert!(terms.contains(&("queued".into(), Some(70.0))));
    assert!(terms.contains(&("refused".into(), None)));
}

#[test]
fn a_silent_source_leaves_its_lines_unchecked() {
    let setup = Setup {
        faults: vec![(6.0, Fault::DatabaseDown)],
        ..Setup::default()
    };
    let simulator = run(setup, 12.0);
    assert_eq!(simulator.feed.line("written").balanced, None);
    assert_eq!(simulator.feed.line("written").right, None);
    assert_eq!(simulator.feed.line("stored").balanced, Some(true));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 24, failure_persistence: None, ..Default::default() })]
    #[test]
    fn a_healthy_pipeline_never_seems_to_lose_anything(
        seed in 1u64..1_000_000,
        rate in 20.0f64..3_000.0,
        workers in 1usize..5,
        poison in 0.0f64..0.1,
        watched_from in 0.0f64..3.0,
        load_from in 0.0f64..3.0,
        counts_early: bool,
        trouble in 0u8..6,
    ) {
        let mut faults = match trouble {
            1 => vec![(6.0, Fault::KillWorker(0)), (8.0, Fault::StartWorker(0))],
            2 => vec![(6.0, Fault::NatsDown { forgets: 1.0 }), (8.5, Fault::NatsUp)],
            3 => vec![(6.0, Fault::DatabaseDown), (8.0, Fault::DatabaseUp)],
            4 => vec![(6.0, Fault::KillGateway), (7.0, Fault::StartGateway)],
            5 => vec![(6.0, Fault::KillWorker(0)), (6.05, Fault::StartWorker(0))],
            _ => vec![],
        };
        faults.push(stop(11.0));
        let setup = Setup { seed, rate, workers, poison, watched_from, load_from, counts_early, ack_wait: 2.0, faults, ..Setup::default() };
        let simulator = run(setup, QUIET + 6.0);
        proptest::prop_assert_eq!(&simulator.alarms, &vec![]);
        proptest::prop_assert!(!simulator.verdicts.contains("loss"));
        for line in &simulator.feed.view().ledger.lines {
            proptest::prop_assert_eq!(line.difference, Some(0.0), "{:?}", line);
        }
    }
}

//! The model is a pure function: the same samples and moments give the same figures.

use crate::model::Model;
use crate::model::field::Field;
use crate::model::testing::{Fault, Setup, Simulator, Told, settings};

fn fold(told: &[Told]) -> Model {
    let mut model: Option<Model> = None;
    for step in told {
        match step {
            Told::Start(moment) => model = Some(Model::new(settings(), *moment)),
            Told::Apply(envelope) => model.as_mut().unwrap().apply(envelope),
            Told::Advance(moment) => model.as_mut().unwrap().advance(*moment),
        }
    }
    model.unwrap()
}

fn simulated(seed: u64) -> Simulator {
    let mut simulator = Simulator::new(Setup {
        seed,
        poison: 0.02,
        ack_wait: 2.0,
        faults: vec![
            (4.0, Fault::KillWorker(0)),
            (5.0, Fault::StartWorker(0)),
            (6.0, Fault::NatsDown { forgets: 1.0 }),
            (7.0, Fault::NatsUp),
        ],
        ..Setup::default()
    });
    simulator.run(12.0);
    simulator
}

#[test]
fn the_same_samples_give_the_same_view_and_histories() {
    for seed in 1..4 {
        let simulator = simulated(seed);
        let again = fold(&simulator.feed.told);
        assert_eq!(again.view(), simulator.feed.view());
        assert_eq!(again.histories(), simulator.feed.model.histories());
    }
}

#[test]
fn a_view_survives_its_own_json() {
    let simulator = simulated(7);
    let text = serde_json::to_string(simulator.feed.view()).unwrap();
    let back: crate::model::View = serde_json::from_str(&text).unwrap();
    assert_eq!(&back, simulator.feed.view());
    assert!(!text.contains(":-0.0"), "a sum of nothing is 0");
}

/// Batches make a single window breathe; over half a minute it must be right.
#[test]
fn rates_are_within_a_hundredth_of_the_truth() {
    for seed in 1..5 {
        let mut simulator = Simulator::new(Setup {
            seed,
            rate: 2_000.0,
            refused: 0.0,
            twice: 0.0,
            ..Setup::default()
        });
        simulator.run(14.0);
        for second in 15..45 {
            simulator.run(f64::from(second));
            let flow = &simulator.feed.view().flow;
            for (name, reading) in [
                ("received", &flow.received_per_s),
                ("queued", &flow.queued_per_s),
                ("stored", &flow.stored_per_s),
                ("processed", &flow.processed_per_s),
                ("written", &flow.written_per_s),
            ] {
                let value = reading.value.unwrap();
                assert!(
                    (value / 2_000.0 - 1.0).abs() < 0.03,
                    "{name} {value} in second {second}"
                );
            }
        }
        let mean = |field| {
            let key = crate::model::SeriesKey::of(field);
            let now = simulator.feed.moment();
            let window = simulator
                .feed
                .model
                .histories()
                .window(&key, now, std::time::Duration::from_secs(30), 30);
            let known: Vec<f64> = window.into_iter().flatten().map(f64::from).collect();
            known.iter().sum::<f64>() / known.len() as f64
        };
        for field in [
            Field::ReceivedPerS,
            Field::StoredPerS,
            Field::ProcessedPerS,
            Field::WrittenPerS,
        ] {
            let value = mean(field);
            assert!((value / 2_000.0 - 1.0).abs() < 0.01, "{field:?} {value}");
        }
    }
}

#[test]
fn the_backlog_is_the_servers_own() {
    let mut simulator = Simulator::new(Setup {
        faults: vec![(4.0, Fault::Pause(true)), (8.0, Fault::Load(0.0))],
        ..Setup::default()
    });
    simulator.run(12.0);
    let backlog = simulator.feed.view().flow.backlog.value.unwrap();
    assert!((backlog - simulator.backlog() as f64).abs() < 0.5, "{backlog}");
}

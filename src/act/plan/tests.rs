use std::sync::Arc;

use super::*;
use crate::sample::{StreamConfig, StreamState};

fn stream(name: &str, change: impl FnOnce(&mut StreamConfig, &mut StreamState)) -> StreamReading {
    let mut config = StreamConfig {
        discard: Discard::New,
        duplicate_window: Duration::from_mins(1),
        ..StreamConfig::default()
    };
    let mut state = StreamState {
        last_seq: 1_000,
        ..StreamState::default()
    };
    change(&mut config, &mut state);
    StreamReading {
        name: name.into(),
        created: Some(Timestamp::UNIX_EPOCH),
        ts: None,
        mono: Duration::ZERO,
        took: Duration::ZERO,
        config: Arc::new(config),
        state,
        cluster: None,
    }
}

fn letter(sequence: u64) -> Candidate {
    Candidate {
        sequence,
        form: LetterForm::Copy,
        subject: Some("webhook.a.b".into()),
        hash: "h".into(),
        size: 10,
        headers: ["X-Signature", "X-NATS-DLQ-Reason", "Nats-Msg-Id"]
            .map(Arc::from)
            .to_vec(),
        stored_at: Some(Timestamp::UNIX_EPOCH),
    }
}

fn selection(letters: Vec<Candidate>) -> Selection {
    Selection {
        dlq: stream("dlq", |_, _| {}),
        letters,
        replayed_before: BTreeSet::new(),
        filter: "all".into(),
        now: Timestamp::from_second(3_600).unwrap(),
    }
}

fn takers() -> Takers {
    [
        ("webhook.a.b", Some("webhooks")),
        ("dlq.x", Some("dlq")),
        ("nowhere", None),
    ]
    .into_iter()
    .map(|(subject, stream)| (Arc::from(subject), stream.map(Arc::from)))
    .collect()
}

fn draw_into(target: StreamReading, selection: &Selection, how: How) -> Result<Plan, PlanError> {
    let streams = [target, selection.dlq.clone()]
        .map(|stream| (stream.name.clone(), stream))
        .into();
    Plan::draw(selection, how, None, &takers(), &streams)
}

fn draw(selection: &Selection, how: How) -> Result<Plan, PlanError> {
    draw_into(stream("webhooks", |_, _| {}), selection, how)
}

#[test]
fn a_plan_says_how_many_go_where_and_what_is_stripped() {
    let how = How {
        rate: Some(2.0),
        ..How::default()
    };
    let plan = draw(&selection(vec![letter(1), letter(2)]), how).unwrap();
    assert_eq!((plan.count, plan.bytes, plan.estimate_s), (2, 20, Some(1.0)));
    assert_eq!((&*plan.targets[0].stream, plan.targets[0].letters), ("webhooks", 2));
    assert_eq!(plan.kept, BTreeSet::from(["X-Signature".into()]));
    assert_eq!(
        plan.stripped,
        BTreeSet::from(["Nats-Msg-Id".into(), "X-NATS-DLQ-Reason".into()])
    );
}

#[test]
fn a_subject_that_no_stream_takes_is_refused() {
    let how = How {
        to_subject: Some("nowhere".into()),
        ..How::default()
    };
    let error = draw(&selection(vec![letter(1)]), how).unwrap_err();
    assert_eq!(error, PlanError::NoStream("nowhere".into()));
}

#[test]
fn the_dead_letter_stream_itself_is_refused_as_a_target_unless_the_message_is_parked_there() {
    let how = How {
        to_subject: Some("dlq.x".into()),
        ..How::default()
    };
    let error = draw(&selection(vec![letter(1)]), how.clone()).unwrap_err();
    assert!(matches!(error, PlanError::Itself { .. }));
    let parked = Candidate {
        form: LetterForm::Parked,
        ..letter(1)
    };
    assert!(draw(&selection(vec![parked]), how).is_ok());
}

#[test]
fn a_target_that_discards_the_oldest_must_have_room() {
    let full = |discard| {
        stream("webhooks", |config, state| {
            config.discard = discard;
            config.max_msgs = Some(10);
            state.messages = 9;
        })
    };
    let two = selection(vec![letter(1), letter(2)]);
    let error = draw_into(full(Discard::Old), &two, How::default()).unwrap_err();
    assert!(
        matches!(
            error,
            PlanError::NoRoom {
                headroom: 1,
                count: 2,
                ..
            }
        ),
        "{error}"
    );
    let plan = draw_into(full(Discard::New), &two, How::default()).unwrap();
    assert!(plan.risks[0].contains("refuses the rest"), "{:?}", plan.risks);
    assert!(draw_into(full(Discard::Old), &selection(vec![letter(1)]), How::default()).is_ok());
}

#[test]
fn a_letter_without_a_subject_wants_one() {
    let unknown = Candidate {
        subject: None,
        ..letter(7)
    };
    let error = draw(&selection(vec![letter(1), unknown]), How::default()).unwrap_err();
    assert_eq!(error, PlanError::NoSubject { count: 1, first: 7 });
}

#[test]
fn orphans_and_what_came_back_after_a_crash_are_left_out() {
    let orphan = Candidate {
        form: LetterForm::Orphaned,
        ..letter(1)
    };
    let mut selection = selection(vec![orphan, letter(2), letter(3), letter(4), letter(1_001)]);
    selection.replayed_before.insert(2);
    let streams = [(Arc::from("webhooks"), stream("webhooks", |_, _| {}))].into();
    let plan = Plan::draw(&selection, How::default(), Some(1), &takers(), &streams).unwrap();
    let expected = LeftOut {
        orphaned: 1,
        replayed_before: 1,
        beyond_max: 1,
        later: 1,
    };
    assert_eq!((plan.count, plan.left_out), (1, expected));
}

#[test]
fn every_change_of_a_plan_is_another_plan() {
    let base = draw(&selection(vec![letter(1), letter(2)]), How::default()).unwrap();
    let same = draw(&selection(vec![letter(1), letter(2)]), How::default()).unwrap();
    assert_eq!(base.hash, same.hash);
    let edited = Candidate {
        hash: "other".into(),
        ..letter(2)
    };
    let how = How {
        canary: 0,
        ..How::default()
    };
    for other in [
        draw(&selection(vec![letter(1)]), How::default()).unwrap(),
        draw(&selection(vec![letter(1), edited]), How::default()).unwrap(),
        draw(&selection(vec![letter(1), letter(2)]), how).unwrap(),
    ] {
        assert_ne!(base.hash, other.hash);
    }
}

#[test]
fn an_edited_replay_takes_one_letter() {
    let how = How {
        payload: Some("e30=".into()),
        ..How::default()
    };
    assert!(draw(&selection(vec![letter(1)]), how.clone()).is_ok());
    let error = draw(&selection(vec![letter(1), letter(2)]), how).unwrap_err();
    assert_eq!(error, PlanError::EditOfMany(2));
}

#[test]
fn the_webhooks_own_headers_are_kept() {
    for name in [
        "X-Signature",
        "telnyx-timestamp",
        "Content-Type",
        "X-Event-Type",
        "svix-id",
    ] {
        assert!(is_kept(name), "{name}");
    }
    for name in [
        "Nats-Msg-Id",
        "nats-rollup",
        "NATS-TTL",
        "Nats-DLQ-Original-Seq",
        "x-dead-letter-reason",
        "X-DLQ-Timestamp",
        "X-NATS-Stream-Sequence",
        "exception-message",
        "Hookwatch-Replay-Id",
    ] {
        assert!(!is_kept(name), "{name}");
    }
}

#[test]
fn a_young_letter_with_an_id_may_be_lost_when_it_dies_again() {
    let mut selection = selection(vec![letter(1)]);
    selection.now = Timestamp::from_second(30).unwrap();
    let plan = draw(&selection, How::default()).unwrap();
    assert!(plan.risks[0].contains("loses it"), "{:?}", plan.risks);
}

//! Letters replayed: the lock, the plan, the question, the report.

use super::*;

#[test]
fn nothing_is_planned_before_it_is_unlocked_and_a_read_only_profile_never_is() {
    let mut desk = Desk::new();
    desk.press("R");
    assert!(desk.text.contains("Unlock changes on demo"), "{}", desk.text);
    desk.press("esc");
    let planned = |desk: &Desk| {
        let plans = desk
            .requests
            .iter()
            .filter(|request| matches!(request, Request::Ask(_, Query::Plan(_))));
        plans.count()
    };
    assert_eq!(planned(&desk), 0);
    desk.press("R y");
    assert_eq!(planned(&desk), 1);
    assert!(desk.text.contains(" WRITE "), "{}", desk.text);
    desk.press("esc");
    desk.at += Duration::from_mins(16);
    desk.press("R");
    assert_eq!(planned(&desk), 1, "it is locked again");

    let read_only = Profile {
        read_only: true,
        ..profile()
    };
    let mut desk = Desk::with(&read_only, letters(), 120, 40);
    for key in ["R", "A", "W"] {
        desk.press(key);
        assert!(desk.text.contains("demo is read-only"), "{}", desk.text);
    }
    assert_eq!(planned(&desk), 0);
}

#[test]
fn one_letter_takes_a_y_and_more_take_their_count() {
    let mut desk = Desk::new();
    desk.run();
    assert_eq!(desk.planned(), [37]);
    desk.press("enter");
    assert!(desk.orders().is_empty(), "enter cancels");
    assert!(matches!(desk.app.ui().letters().deed, Deed::None));
    desk.press("R y");
    let [Order::Replay { plan, said, .. }] = desk.orders()[..] else {
        panic!("{:?}", desk.orders());
    };
    assert_eq!((plan.count, said.count, &said.profile), (1, 1, &None));
    assert!(matches!(said.write, Write::Until(_)));

    let mut desk = Desk::new();
    desk.press("space space space R y");
    assert_eq!(desk.planned(), [37, 36, 35]);
    desk.press("y enter");
    assert!(desk.orders().is_empty());
    assert!(desk.app.ui().layers().is_empty(), "a wrong count cancels");
    desk.press("R '3 enter enter");
    assert_eq!(desk.orders().len(), 1);
}

#[test]
fn a_protected_profile_wants_its_name_besides() {
    let protected = Profile {
        protected: true,
        ..profile()
    };
    let mut desk = Desk::with(&protected, letters(), 120, 40);
    desk.press("R 'demo enter enter");
    assert_eq!(desk.planned(), [37]);
    desk.press("'1 enter");
    assert!(desk.orders().is_empty());
    desk.press("R");
    desk.press("'1");
    desk.press("space 'demo enter enter");
    let [Order::Replay { said, .. }] = desk.orders()[..] else {
        panic!("{}", desk.text);
    };
    assert_eq!(said.profile.as_deref(), Some("demo"));
}

#[test]
fn the_selection_is_frozen_while_a_question_is_open() {
    let mut desk = Desk::new();
    desk.press("a R y");
    assert_eq!(desk.planned().len(), 37);
    desk.letters.push(letter(38, 1, "webhook.telnyx.sent", "new", b"{}"));
    desk.at += Duration::from_secs(10);
    desk.tick();
    desk.press("'37 enter enter");
    let [Order::Replay { plan, .. }] = desk.orders()[..] else {
        panic!("{}", desk.text);
    };
    assert_eq!(plan.letters.len(), 37);
    assert!(plan.letters.iter().all(|letter| letter.sequence != 38));
}

#[test]
fn all_of_a_group_is_replayed_without_marking_each() {
    let mut desk = Desk::new();
    while desk.app.ui().focus() != Some(crate::console::screen::dead_letters::GROUPS) {
        desk.press("tab");
    }
    desk.press("j R y");
    assert_eq!(desk.planned(), [6, 5, 4, 3, 2]);
}

#[test]
fn a_replay_is_seen_steered_and_reported() {
    let mut desk = Desk::new();
    desk.press("a R y");
    desk.press("'37 enter enter");
    desk.tell(Told::Progress(Box::new(progress(Phase::Canary, 1, 0))));
    assert!(desk.text.contains("canary"), "{}", desk.text);
    desk.press("P");
    assert_eq!(desk.requests.last(), Some(&Request::Steer(Steering::Pause)));
    desk.tell(Told::Progress(Box::new(progress(Phase::Paused, 1, 0))));
    desk.press("P");
    assert_eq!(desk.requests.last(), Some(&Request::Steer(Steering::Run)));
    desk.press("R");
    assert!(desk.text.contains("A replay runs"), "one at a time: {}", desk.text);
    desk.press("X y");
    assert_eq!(desk.requests.last(), Some(&Request::Steer(Steering::Cancel)));
    desk.letters.truncate(6);
    desk.tell(Told::Ended(Ok(Box::new(report()))));
    assert!(
        desk.text.contains("done") && desk.text.contains("processed"),
        "{}",
        desk.text
    );
    assert_eq!(desk.app.ui().letters().list.rows.len(), 6, "the list is read again");
    desk.press("esc");
    assert!(matches!(desk.app.ui().letters().deed, Deed::None));
}

#[test]
fn whoever_leaves_while_a_replay_runs_is_asked() {
    let mut desk = Desk::new();
    desk.press("a R y");
    desk.press("'37 enter enter");
    let quits = |desk: &mut Desk, key| {
        let event = Event::Key(KeyEvent::new(KeyCode::Char(key), KeyModifiers::NONE));
        desk.at += Duration::from_millis(400);
        let now = desk.now();
        let effects = update(&mut desk.app, Msg::Input(now, event), &desk.hits);
        desk.draw();
        effects.contains(&Effect::Quit)
    };
    assert!(!quits(&mut desk, 'q'));
    assert!(desk.text.contains("Leave while a replay runs"), "{}", desk.text);
    assert!(quits(&mut desk, 'y'));
    desk.tell(Told::Ended(Ok(Box::new(report()))));
    assert!(quits(&mut desk, 'q'));
}

#[test]
fn somebody_elses_replay_is_shown_and_ours_waits() {
    let mut desk = Desk::new();
    desk.standing.claim = Some(Box::new(Claim {
        holder: "maria@ops".into(),
        session: "s".into(),
        replay: "r".into(),
        dlq: "webhooks_dlq".into(),
        dlq_created: Timestamp::UNIX_EPOCH,
        epoch: 1,
        since: fixture::now().at,
        lasts_ms: 15_000,
        released: false,
        ended: false,
        progress: Counts {
            selected: 310,
            landed: 120,
            ..Counts::default()
        },
    }));
    desk.press("R y");
    assert!(
        desk.text
            .contains("maria@ops is replaying since 14:03:22: 120 of 310 published"),
        "{}",
        desk.text
    );
    assert!(desk.orders().is_empty());
    desk.press("u");
    desk.press("'maria@ops enter enter");
    let [Order::Resume { take_over, .. }] = desk.orders()[..] else {
        panic!("{}", desk.text);
    };
    assert_eq!(take_over.as_deref(), Some("maria@ops"));
}

#[test]
fn an_unfinished_replay_is_offered_first() {
    let mut desk = Desk::new();
    desk.standing.unfinished = Some((12, 31));
    desk.press("r");
    assert!(desk.text.contains("12 of 31 published"), "{}", desk.text);
    desk.press("R y");
    assert!(desk.text.contains("a replay was left unfinished"), "{}", desk.text);
    desk.press("u y");
    assert!(matches!(desk.orders()[..], [Order::Resume { take_over: None, .. }]));
}

#[test]
fn nothing_is_done_to_letters_while_the_past_is_on_screen() {
    for command in [
        Command::Replay,
        Command::Archive,
        Command::Unlock,
        Command::ResumeReplay,
    ] {
        assert!(command.fits(Mode::Live), "{}", command.id());
        assert!(
            !command.fits(Mode::Recording) && !command.fits(Mode::Rewind),
            "{}",
            command.id()
        );
    }
}

#[test]
fn the_rate_of_the_next_replay_is_raised_and_lowered_by_keys() {
    let mut desk = Desk::new();
    let usual = desk.app.ui().letters().rate().unwrap();
    desk.press("+");
    let raised = desk.app.ui().letters().rate().unwrap();
    assert!(raised > usual, "{raised}");
    desk.press("- -");
    assert!(desk.app.ui().letters().rate().unwrap() < usual);
}

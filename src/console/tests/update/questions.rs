//! Questions, and what says yes to them.

use super::*;

fn ask(desk: &mut Desk, confirm: Confirm) {
    let consent = Consent::Effects(vec![Effect::Redraw]);
    desk.app.ask(Dialog::new("Replay", "Replay", confirm, consent));
    desk.draw();
}

#[test]
fn keys_that_were_on_their_way_answer_no_question() {
    let mut desk = Desk::rich();
    ask(&mut desk, Confirm::Yes);
    assert_eq!(
        desk.type_at(299, &[KeyCode::Char('y'), KeyCode::Enter, KeyCode::Esc]),
        []
    );
    assert_eq!(desk.app.ui().layers().len(), 1);
    assert_eq!(desk.type_at(300, &[KeyCode::Char('y')]), [Effect::Redraw]);
    assert_eq!(desk.app.ui().layers().len(), 0);
}

#[test]
fn enter_alone_says_no() {
    let mut desk = Desk::rich();
    ask(&mut desk, Confirm::Yes);
    assert_eq!(desk.type_at(400, &[KeyCode::Enter]), []);
    assert_eq!(desk.app.ui().layers().len(), 0);
}

#[test]
fn what_must_be_typed_must_be_typed_and_then_the_button_pressed() {
    let confirm = || Confirm::Typed {
        ask: "Type the count".to_owned(),
        expected: "31".to_owned(),
    };
    let mut desk = Desk::rich();
    ask(&mut desk, confirm());
    let wrong = [KeyCode::Char('3'), KeyCode::Tab, KeyCode::Enter];
    assert_eq!(desk.type_at(400, &wrong), []);
    assert_eq!(desk.app.ui().layers().len(), 1);
    let right = [KeyCode::Tab, KeyCode::Char('1'), KeyCode::Tab, KeyCode::Enter];
    assert_eq!(desk.type_at(400, &right), [Effect::Redraw]);
}

#[test]
fn a_verdict_is_acknowledged_and_heard_again() {
    let mut desk = Desk::rich();
    desk.press("v a");
    assert!(matches!(
        desk.app.view().verdicts[0].hush,
        Some(Hush::Acknowledged { .. })
    ));
    desk.press("a");
    assert_eq!(desk.app.view().verdicts[0].hush, None);
}

//! The form of a replay: what is chosen and typed there, and the plan that follows from it.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};

use super::*;
use crate::config::{Fire, SecretPlace};
use crate::console::letters::form::Target;
use crate::console::screen::Spot;
use crate::console::screen::dead_letters::{Place, place};

/// A profile with a gateway and two keys.
fn equipped() -> Profile {
    let secret = |name: &str| SecretPlace::Variable(name.to_owned());
    Profile {
        fire: Fire {
            url: Some("https://hooks.example.com/{provider}".to_owned()),
            secrets: [
                ("stripe".to_owned(), secret("STRIPE_KEY")),
                ("telnyx".to_owned(), secret("TELNYX_KEY")),
            ]
            .into(),
            ..Fire::default()
        },
        ..profile()
    }
}

impl Desk {
    /// Goes to a row of the form.
    fn go_to(&mut self, field: Field) {
        for _ in 0..20 {
            if self.form().focus == Focus::Field(field) {
                return;
            }
            self.press("tab");
        }
        panic!("no row {field:?}\n{}", self.text);
    }

    fn edit(&mut self, written: Result<&str, &str>) {
        let (what, _) = self.editing.take().expect("an editor is open");
        let written = written.map(ToOwned::to_owned).map_err(ToOwned::to_owned);
        self.send(Msg::Edited(self.now(), what, written));
    }

    fn click(&mut self, wanted: Place) {
        let is_it = |spot: &Spot| matches!(spot, Spot::Choice(number) if place(*number) == wanted);
        let spots = &self.hits.spots;
        let (at, _) = spots.iter().find(|(_, spot)| is_it(spot)).expect("it is on screen");
        let event = MouseEvent {
            kind: MouseEventKind::Down(MouseButton::Left),
            column: at.left() + 1,
            row: at.top(),
            modifiers: KeyModifiers::NONE,
        };
        self.at += Duration::from_millis(400);
        self.send(Msg::Input(self.now(), Event::Mouse(event)));
    }
}

#[test]
fn another_subject_is_typed_and_the_plan_follows_before_anything_can_be_said_yes_to() {
    let mut desk = Desk::new();
    desk.run();
    desk.go_to(Field::Target);
    desk.press("right");
    assert_eq!(desk.form().target, Target::Subject);
    assert!(desk.text.contains("type the subject above"), "{}", desk.text);
    desk.go_to(Field::Subject);
    desk.press("'webhook.test.it");
    assert!(desk.form().is_stale);
    desk.press("enter");
    assert_eq!(desk.wish().to, Destination::Subject("webhook.test.it".into()));
    assert!(desk.text.contains("webhooks: webhook.test.it"), "{}", desk.text);
    desk.press("esc");
    assert!(desk.orders().is_empty() && desk.app.ui().layers().is_empty());
}

#[test]
fn what_arrives_while_the_form_is_open_is_in_no_later_plan_either() {
    let mut desk = Desk::new();
    desk.press("W y");
    while desk.app.ui().focus() != Some(crate::console::screen::dead_letters::GROUPS) {
        desk.press("tab");
    }
    desk.press("R");
    assert_eq!(desk.planned().len(), 31);
    desk.letters.push(letter(
        38,
        1,
        "webhook.telnyx.sms_delivered",
        "timeout after 9 ms on UPDATE recipients",
        b"{}",
    ));
    desk.go_to(Field::Order);
    desk.press("right");
    assert!(desk.wish().ordered);
    assert_eq!(desk.wish().filter.upto, Some(37));
    assert_eq!(desk.planned().len(), 31);
}

#[test]
fn a_gateway_that_nobody_listed_wants_its_hosts_name() {
    let mut desk = Desk::with(&equipped(), letters(), 120, 40);
    desk.run();
    desk.go_to(Field::Target);
    desk.press("right right");
    let own = "https://hooks.example.com/telnyx";
    assert_eq!(desk.wish().to, Destination::Gateway(own.into()), "the profile's own");
    assert!(desk.text.contains("y says yes"), "it is listed: {}", desk.text);
    desk.go_to(Field::Url);
    for _ in 0..own.len() {
        desk.press_code(KeyCode::Backspace);
    }
    desk.press("'https://elsewhere.example/x tab");
    assert!(desk.text.contains("Type the host's name to replay"), "{}", desk.text);
    desk.press("y");
    assert!(desk.orders().is_empty());
    while desk.form().focus != Focus::Answer {
        desk.press("tab");
    }
    desk.press("'elsewhere.example enter enter");
    let [Order::Replay { plan, said, .. }] = desk.orders()[..] else {
        panic!("{}", desk.text);
    };
    assert_eq!(plan.to_url.as_deref(), Some("https://elsewhere.example/x"));
    assert_eq!(said.host.as_deref(), Some("elsewhere.example"));
}

#[test]
fn letters_are_signed_anew_when_asked_and_somebody_elses_key_is_pointed_out() {
    let mut desk = Desk::with(&equipped(), letters(), 120, 40);
    desk.run();
    desk.go_to(Field::Sign);
    desk.press("right");
    assert_eq!(desk.wish().sign.unwrap().provider, "stripe".into());
    assert!(desk.text.contains("but the letters are of telnyx"), "{}", desk.text);
    desk.press("right");
    assert!(
        desk.text.contains("anew with the key of telnyx, as telnyx"),
        "{}",
        desk.text
    );
    desk.click(Place::Go);
    let [Order::Replay { sign: Some(sign), .. }] = desk.orders()[..] else {
        panic!("{}", desk.text);
    };
    assert_eq!((&*sign.provider, &*sign.scheme), ("telnyx", "telnyx"));
    // Without keys there is nothing to choose.
    let mut desk = Desk::new();
    desk.run();
    assert!(!desk.form().fields().contains(&Field::Sign));
}

#[test]
fn a_payload_is_edited_laid_out_and_its_difference_shown_before_it_goes() {
    let mut desk = Desk::new();
    desk.run();
    desk.go_to(Field::Payload);
    desk.press("enter");
    let (what, text) = desk.editing.clone().expect("an editor was asked for");
    assert_eq!(what, Edit::Payload);
    assert!(text.starts_with("{\n  \"data\": {\n    \"event_type\""), "{text}");
    desk.edit(Ok(&text.replace("delivered", "failed")));
    let edited = desk.wish().payload.unwrap();
    assert!(!edited.contains(&b'\n'), "it is one line again");
    assert!(
        edited.ends_with(br#""payload":{"to":[{"status":"failed"}]}}}"#),
        "{edited:?}"
    );
    assert!(
        desk.text.contains("-           \"status\": \"delivered\"")
            && desk.text.contains("+           \"status\": \"failed\""),
        "{}",
        desk.text
    );
    // What is no JSON any more is not taken, and back to as it was is no edit.
    desk.press("enter");
    desk.edit(Ok("{ oops"));
    assert!(desk.text.contains("what was written is no JSON"), "{}", desk.text);
    assert_eq!(desk.form().edited.as_ref(), Some(&edited));
    desk.press("enter");
    desk.edit(Ok(&format!("{text}\n")));
    assert_eq!((desk.wish().payload, desk.form().chosen(Field::Payload)), (None, 0));
    desk.press("enter");
    desk.edit(Err("vi ended with 1: the text stays as it was"));
    assert!(desk.text.contains("vi ended with 1"), "{}", desk.text);
    // Of several letters none is edited.
    let mut desk = Desk::new();
    desk.press("space space R y");
    assert!(!desk.form().fields().contains(&Field::Payload));
}

#[test]
fn a_reason_goes_along_and_changes_no_plan() {
    let mut desk = Desk::new();
    desk.press("space space R y");
    let asked = desk.requests.len();
    desk.go_to(Field::Reason);
    desk.press("'OPS-31 space 'fixed enter");
    assert_eq!(desk.requests.len(), asked, "{:?}", desk.requests.last());
    assert_eq!(desk.form().focus, Focus::Answer);
    desk.press("'2 enter enter");
    let [Order::Replay { said, .. }] = desk.orders()[..] else {
        panic!("{}", desk.text);
    };
    assert_eq!(said.reason.as_deref(), Some("OPS-31 fixed"));
}

#[test]
fn rate_and_canary_are_chosen_by_key_and_by_click() {
    let mut desk = Desk::new();
    desk.press("a R y");
    desk.go_to(Field::Rate);
    desk.press("left");
    assert_eq!(desk.wish().rate, Some(10.0));
    let fields = desk.form().fields();
    let row = fields.iter().position(|field| *field == Field::Canary).unwrap();
    desk.click(Place::Option(row, 3));
    assert_eq!(desk.wish().canary, 25);
    assert!(desk.text.contains("canary 25, then at 10/s"), "{}", desk.text);
    desk.click(Place::Go);
    assert!(desk.orders().is_empty(), "the count is still to be typed");
    desk.click(Place::Cancel);
    assert!(desk.app.ui().layers().is_empty());
    assert_eq!(desk.app.ui().letters().rate(), Some(10.0), "the next one goes as fast");
}

#[test]
fn what_is_typed_before_the_plan_can_be_read_is_no_answer() {
    let mut desk = Desk::new();
    desk.press("W y");
    desk.slow = true;
    desk.press("R y y");
    assert!(desk.text.contains("being drawn"), "{}", desk.text);
    let Some(Request::Ask(number, Query::Plan(wish))) = desk.requests.last().cloned() else {
        panic!("{:?}", desk.requests.last());
    };
    let answer = desk.plan(&wish);
    desk.tell(Told::Answer(number, answer));
    // Within the time that nobody can read it in.
    desk.at += Duration::from_millis(100);
    for code in [KeyCode::Char('y'), KeyCode::Enter] {
        let event = Event::Key(KeyEvent::new(code, KeyModifiers::NONE));
        desk.send(Msg::Input(desk.now(), event));
    }
    assert!(desk.orders().is_empty());
    assert_eq!(desk.planned(), [37], "it is still open");
    desk.press("y");
    assert_eq!(desk.orders().len(), 1);
}

#[test]
fn a_plan_that_cannot_be_drawn_says_why_and_the_form_stays() {
    let mut desk = Desk::new();
    desk.press("W y");
    desk.slow = true;
    desk.press("R");
    let Some(Request::Ask(number, _)) = desk.requests.last().cloned() else {
        panic!("{:?}", desk.requests.last());
    };
    let reason = "plan: no stream takes the subject webhook.a → create one, or give --to-subject";
    desk.tell(Told::Answer(number, Answer::Failed(reason.to_owned())));
    assert!(
        desk.text.contains("no stream takes the subject webhook.a"),
        "{}",
        desk.text
    );
    desk.press("y");
    assert!(desk.orders().is_empty());
    desk.slow = false;
    desk.go_to(Field::Target);
    desk.press("right tab 'webhook.b tab");
    assert_eq!(desk.planned(), [37]);
}

/// Two calls of the queue in Postgres that failed.
pub(super) fn calls() -> Vec<FailedCall> {
    let call = |id: &str| FailedCall {
        call: id.into(),
        webhook: Some("crm".into()),
        retries: Some(5),
        status: Some(503),
        error: Some("upstream said no".into()),
        at: Some(fixture::now().at),
    };
    vec![call("c-1"), call("c-2")]
}

#[test]
fn failed_calls_are_put_back_by_mark_by_cursor_and_all_of_them() {
    for (keys, wanted) in [("j", &["c-2"][..]), ("space", &["c-1"]), ("a", &["c-1", "c-2"])] {
        let mut desk = Desk::new();
        desk.calls = calls();
        desk.press("W y f f");
        desk.press(keys);
        desk.press("R");
        let Some(Request::Ask(_, Query::PlanCalls(asked))) = desk.requests.last() else {
            panic!("{:?}", desk.requests.last());
        };
        assert!(asked.iter().map(|id| &**id).eq(wanted.iter().copied()), "{asked:?}");
        assert_eq!(desk.form().fields(), [Field::Reason]);
    }
    let mut desk = Desk::new();
    desk.calls = calls();
    desk.press("W y f f a R '2 enter enter");
    let [Order::Retry { plan, said }] = desk.orders()[..] else {
        panic!("{}", desk.text);
    };
    assert_eq!((plan.count, said.count), (2, 2));
    assert!(desk.text.contains("Retry 2 calls"), "{}", desk.text);
    desk.press("R");
    assert!(desk.text.contains("A replay runs"), "one at a time: {}", desk.text);
    desk.calls.truncate(1);
    desk.tell(Told::Retried(Ok(CallReport { retried: 1, left: 1 })));
    assert!(
        desk.text.contains("1 put back") && desk.text.contains("1 left alone"),
        "{}",
        desk.text
    );
    assert_eq!(desk.app.ui().letters().list.rows.len(), 1, "the list is read again");
    desk.press("A");
    assert!(desk.text.contains("not put aside"), "{}", desk.text);
}

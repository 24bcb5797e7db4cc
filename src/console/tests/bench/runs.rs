//! Runs: begun, refused, stopped, followed, fired again.

use super::*;

#[test]
fn a_target_elsewhere_is_fired_at_only_once_its_host_was_typed() {
    let mut table = Table::new();
    table.set("target", "https://hooks.example.org/in");
    let request = table.fires();
    table.hear(Report::Unconfirmed {
        request: Box::new(request.clone()),
        to: "https://hooks.example.org/in".to_owned(),
        host: "hooks.example.org".to_owned(),
    });
    assert!(table.text().contains("Fire at another machine"), "{}", table.text());
    table.later(Duration::from_secs(1));
    assert_eq!(table.press("enter"), [], "enter alone is no yes");
    table.hear(Report::Unconfirmed {
        request: Box::new(request.clone()),
        to: "https://hooks.example.org/in".to_owned(),
        host: "hooks.example.org".to_owned(),
    });
    table.later(Duration::from_secs(1));
    let effects = table.press("'hooks.example.org enter enter");
    let confirmed = Some("hooks.example.org".to_owned());
    let request = Box::new(request);
    assert_eq!(effects, [Effect::Fire { request, confirmed }]);
}

#[test]
fn a_read_only_profile_and_a_recording_fire_nothing() {
    let mut table = Table::with(Supply {
        refusal: Some("Nothing is fired from here: the profile is read-only.".to_owned()),
        ..fixture::supply()
    });
    assert_eq!(table.press("f C"), []);
    assert!(table.text().contains("the profile is read-only"), "{}", table.text());

    let (view, histories) = fixture::rich();
    let mut app = App::still(Still { view, histories }, None, Options::default());
    app.show(Screen::TestWebhooks);
    let hits = Hits::default();
    assert_eq!(app.run(super::super::Command::Fire, &hits), []);
    let text = rows(&paint(&app, &theme_of_roles(), 120, 40), |cell| {
        cell.symbol().to_owned()
    });
    assert!(text.contains("this is not live"), "{text}");
}

#[test]
fn one_thing_is_fired_at_a_time_and_can_be_stopped() {
    let mut table = Table::new();
    assert_eq!(table.press("x"), []);
    let request = table.fires();
    table.begin(request.clone());
    assert_eq!(table.press("f"), []);
    assert!(table.text().contains("x stops it"), "{}", table.text());
    assert_eq!(table.press("x"), [Effect::StopFiring]);
    let at = table.now;
    table.end(request, at, traced(stuck()));
    assert_eq!(table.press("f").len(), 1);
}

#[test]
fn a_trace_fills_from_top_to_bottom_and_says_where_it_is_stuck() {
    let mut table = Table::new();
    let request = table.fires();
    let at = table.now;
    table.begin(request.clone());
    let order = |text: &str| {
        let places: Vec<usize> = ["fired", "answered", "in stream", "acked", "in Postgres"]
            .iter()
            .map(|station| {
                text.find(&format!("  {station}"))
                    .unwrap_or_else(|| panic!("{station}: {text}"))
            })
            .collect();
        assert!(places.is_sorted(), "{places:?}");
    };
    let text = table.text();
    order(&text);
    assert!(text.contains("◐  answered"), "{text}");
    table.hear(Report::Step(way(
        [reached(3, false), State::Pending, State::Pending, State::Pending],
        None,
    )));
    assert!(table.text().contains("◐  in stream"), "{}", table.text());
    table.hear(Report::Step(stuck()));
    for (width, height) in [(80, 24), (120, 40)] {
        let text = table.text_at(width, height);
        assert!(
            text.contains("▲  acked") && text.contains("waiting in the stream, no worker pulls"),
            "{text}"
        );
    }
    table.end(request, at, traced(through()));
    let text = table.text();
    order(&text);
    assert!(text.contains("✔ through in 31 ms") && text.contains("≤2 ms"), "{text}");
}

#[test]
fn a_run_of_the_history_is_fired_again_or_taken_into_the_form() {
    let mut table = Table::new();
    table.set("count", "5");
    let first = table.fires();
    let at = table.now;
    table.begin(first.clone());
    table.end(first.clone(), at, Ended::Refused("no answer → start it".to_owned()));
    table.press("u");
    let fresh = table.fires();
    assert_eq!(fresh.load.count, None);
    table.later(Duration::from_secs(1));
    let at = table.now;
    table.end(fresh, at, traced(through()));

    table.focus(HISTORY);
    table.press("j");
    assert!(table.text().contains("f fires it again"), "{}", table.text());
    assert_eq!(table.fires(), first);
    assert!(table.text().contains("start it"), "what it came to: {}", table.text());
    table.press("enter");
    assert_eq!(table.fires(), first, "it is in the form now");
}

#[test]
fn a_canary_is_started_and_stopped_by_one_key_and_has_a_badge() {
    let mut table = Table::new();
    table.set("count", "5");
    let request = table.fires_at("C");
    assert_eq!(request.every, Some(Duration::from_secs(30)));
    assert!(request.trace && !request.is_load() && request.load.count.is_none());
    fly(&mut table, request, 3);
    let text = table.text();
    assert!(text.contains("CANARY FAILED") && text.contains("2 passed"), "{text}");
    assert_eq!(table.press("C"), [Effect::StopCanary]);
    table.hear(Report::CanaryEnded(None));
    assert!(!table.text().contains("CANARY"), "{}", table.text());
    assert!(
        table.text().contains("stopped") && table.text().contains("2 passed"),
        "its history stays"
    );
}

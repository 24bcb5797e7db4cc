//! The form: what is typed, refused, reset, edited.

use super::*;

#[test]
fn the_key_fires_what_the_form_says() {
    let mut table = Table::new();
    let request = table.fires();
    assert_eq!(request.order.template, "telnyx.message.sent");
    assert!(request.trace && request.every.is_none() && !request.is_load());
    assert_eq!(request.load.expect, ["2xx".parse().unwrap()]);

    table.set("count", "1,000");
    table.set("rate", "50/s");
    table.set("for", "30s");
    table.set("concurrency", "8");
    table.set("expect", "2xx p99<200ms");
    table.set("secret", "$OTHER_KEY");
    table.set("data.payload.text", "Hello {{seq}}");
    let request = table.fires();
    let load = &request.load;
    assert_eq!((load.count, load.rate), (Some(1_000), Some(50.0)));
    assert_eq!(
        (load.duration, load.concurrency.map(usize::from)),
        (Some(Duration::from_secs(30)), Some(8))
    );
    assert_eq!(load.expect.len(), 2);
    assert_eq!(request.order.set, ["data.payload.text=Hello {{seq}}"]);
    assert!(request.is_load() && !request.trace, "a load is not followed");
    table.press("esc");
    let text = table.text_at(200, 120);
    assert!(
        text.contains("\"text\": \"Hello 0\"") && text.contains("$OTHER_KEY"),
        "{text}"
    );
}

#[test]
fn what_makes_no_sense_is_refused_where_it_is_typed() {
    for (field, value, reason) in [
        ("target", "nonsense", "target nonsense"),
        ("scheme", "gitlab", "\"gitlab\" is not known"),
        ("count", "0", "there is nothing to fire"),
        ("count", "many", "it is no whole number"),
        ("rate", "0", "rate 0/s: it must be above 0"),
        ("rate", "1000000", "no single process"),
        ("for", "soon", "for soon"),
        ("concurrency", "20000", "more than 10000"),
        ("expect", "fast", "expectation fast"),
        ("data.payload.text", "{{uid}}", "placeholder {{uid}}"),
    ] {
        let mut table = Table::new();
        let before = table.fires();
        table.set(field, value);
        let line = table.text_at(200, 60).lines().last().unwrap().to_owned();
        assert!(line.contains(reason) && line.contains("esc"), "{field} {value}: {line}");
        table.press("esc");
        assert_eq!(table.fires(), before, "{field}");
    }
}

#[test]
fn a_key_that_is_typed_where_its_place_belongs_is_neither_kept_nor_shown() {
    let key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let mut table = Table::new();
    table.set("secret", key);
    assert!(table.text_at(200, 60).contains("a key is never typed here"));
    assert!(
        !table.text_at(200, 60).contains("MfKQ9r8GKYq"),
        "{}",
        table.text_at(200, 60)
    );
    table.press("esc");
    assert_eq!(table.fires().order.secret, None);
}

#[test]
fn a_field_goes_back_to_what_profile_and_template_say() {
    let mut table = Table::new();
    let before = table.fires();
    for (field, value) in [
        ("target", "http://localhost:1/x"),
        ("count", "7"),
        ("data.payload.text", "x"),
    ] {
        table.set(field, value);
        assert!(table.text().contains(&format!("▸ {value}")), "{}", table.text());
        table.press("u");
        assert_eq!(table.fires(), before, "{field}");
    }
    // Set to its own value it is not set at all.
    table.set("data.payload.parts", "2");
    table.set("data.payload.parts", "1");
    assert_eq!(table.fires(), before);
    let variant = |table: &mut Table| table.fires().load.variant.name();
    table.choose("variant");
    table.press("enter");
    assert_eq!(variant(&mut table), "wrong-signature");
    assert!(!table.fires().trace, "what is to be refused goes nowhere");
    assert!(table.text().contains("off for an attack"), "{}", table.text());
    table.press("u F");
    assert_eq!(variant(&mut table), "valid");
    assert!(!table.fires().trace);
}

#[test]
fn a_body_goes_to_the_editor_and_what_is_no_json_is_refused_and_kept() {
    let mut table = Table::new();
    let effects = table.press("e");
    let [
        Effect::Edit {
            what: Edit::Body(template),
            text,
        },
    ] = effects.as_slice()
    else {
        panic!("{effects:?}")
    };
    assert_eq!(template, "telnyx.message.sent");
    assert!(text.contains("  \"data\": {") && text.contains("{{id}}"), "{text}");

    let wrong = format!("{text},");
    let edited = |table: &Table, text: &str| {
        Msg::Edited(
            table.now,
            Edit::Body("telnyx.message.sent".to_owned()),
            Ok(text.to_owned()),
        )
    };
    let msg = edited(&table, &wrong);
    table.send(msg);
    let screen = table.text_at(200, 60);
    assert!(
        screen.contains("telnyx.message.sent, line") && screen.contains("no JSON"),
        "{screen}"
    );
    assert_eq!(table.press("f"), [], "it is not fired");
    let effects = table.press("e");
    assert!(
        matches!(effects.as_slice(), [Effect::Edit { text, .. }] if *text == wrong),
        "it is kept: {effects:?}"
    );

    let right = text.replace("\"cc\": []", "\"cc\": [1, 2]");
    let msg = edited(&table, &right);
    table.send(msg);
    assert!(table.fires().order.body.unwrap().contains("[1, 2]"));
    assert!(table.text_at(200, 120).contains("payload.cc.1"));

    table.send(Msg::Edited(
        table.now,
        Edit::Body("telnyx.message.sent".to_owned()),
        Err("vi: gone".to_owned()),
    ));
    assert!(table.text().contains("vi: gone"));
}

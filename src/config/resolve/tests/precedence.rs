//! Which of several places a value is taken from.

use super::*;

#[test]
fn a_flag_beats_the_environment_beats_the_file_beats_the_default() {
    let case = Case::new();
    let resolved = case.ok();
    assert!(resolved.profile.is_empty());
    assert!(
        resolved
            .require_something_to_watch()
            .unwrap_err()
            .to_string()
            .contains("nothing to watch")
    );

    let case = case.config("[nats]\nmonitoring = 'http://file:8222'\n");
    assert_eq!(servers(&case.ok()), ["nats://127.0.0.1:4222"]);
    assert_eq!(origin(&case.ok(), "nats.url"), "default");

    let case = case.config("[nats]\nurl = 'nats://file'\n");
    assert_eq!(servers(&case.ok()), ["nats://file:4222"]);
    assert!(origin(&case.ok(), "nats.url").ends_with("hookwatch.toml:2"));

    let case = case.variable("NATS_URL", "nats://env");
    assert_eq!(servers(&case.ok()), ["nats://env:4222"]);
    assert_eq!(origin(&case.ok(), "nats.url"), "environment NATS_URL");

    let case = case.variable("HOOKWATCH_NATS", "nats://ours");
    assert_eq!(servers(&case.ok()), ["nats://ours:4222"]);

    let case = case.flags(|flags| flags.nats = Some("nats://flag".to_owned()));
    assert_eq!(servers(&case.ok()), ["nats://flag:4222"]);
    assert_eq!(origin(&case.ok(), "nats.url"), "flag --nats");
}

#[test]
fn a_profile_beats_what_holds_for_all_key_by_key() {
    let case = Case::new().config(
        "default_profile = 'a'\n[pipeline]\nstream = 'common'\ndlq = 'dead'\n[profile.a.pipeline]\nstream = 'own'\n[profile.b]\nlabel = 'B'\n",
    );
    let a = case.ok();
    assert_eq!(&*a.profile.name, "a");
    assert_eq!(a.profile.pipeline.stream.as_deref(), Some("own"));
    assert_eq!(a.profile.pipeline.dlq.as_deref(), Some("dead"));
    let b = case.variable("HOOKWATCH_PROFILE", "b").ok();
    assert_eq!(&*b.profile.name, "b");
    assert_eq!(b.profile.label.as_deref(), Some("B"));
    assert_eq!(b.profile.pipeline.stream.as_deref(), Some("common"));
}

#[test]
fn the_only_profile_needs_no_default_but_one_of_several_does() {
    let case = Case::new().config("[profile.a.nats]\nurl = 'a'\n");
    assert_eq!(&*case.ok().profile.name, "a");
    let resolved = case
        .config("[profile.a.nats]\nurl = 'a'\n[profile.b.nats]\nurl = 'b'\n")
        .ok();
    let problem = resolved.require_something_to_watch().unwrap_err().to_string();
    assert!(problem.ends_with("choose a profile with --profile: a, b"), "{problem}");
}

#[test]
fn an_empty_variable_is_as_good_as_none() {
    let case = Case::new()
        .config("[nats]\nurl = 'nats://file'\n")
        .variable("NATS_URL", "");
    assert_eq!(servers(&case.ok()), ["nats://file:4222"]);
}

#[test]
fn a_general_variable_that_displaces_a_profile_is_pointed_out() {
    let config = "[profile.prod.nats]\nurl = 'nats://prod'\n[profile.prod.postgres]\nurl = 'postgres://prod/x'\n";
    let case = Case::new()
        .config(config)
        .variable("NATS_URL", "nats://env")
        .variable("DATABASE_URL", "postgres://env/x");
    let warnings = case.ok().warnings;
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].starts_with("$NATS_URL: overrides what ") && warnings[0].contains("hookwatch.toml:2"));
    assert!(warnings[1].starts_with("$DATABASE_URL: overrides what ") && warnings[1].contains("hookwatch.toml:4"));
    let case = case.flags(|flags| {
        flags.nats = Some("a".to_owned());
        flags.postgres = Some("postgres://a/x".to_owned());
    });
    assert_eq!(case.ok().warnings, Vec::<String>::new());
}

#[test]
fn with_only_metrics_there_is_no_queue() {
    let case = Case::new()
        .context("work", r#"{"url":"nats://work"}"#)
        .file(".config/nats/context.txt", "work\n")
        .flags(|flags| flags.metrics = vec!["http://a:9100".to_owned()]);
    let resolved = case.ok();
    assert!(resolved.profile.nats.is_none() && resolved.profile.postgres.is_none());
    assert_eq!(resolved.profile.targets.len(), 1);
}

#[test]
fn the_console_follows_flag_environment_and_file() {
    let case = Case::new().config("[console]\ntheme = 'mono'\nascii = true\nmouse = false\ntime = 'local'\n");
    let looks = case.ok().console;
    assert_eq!(
        (looks.theme.as_deref(), looks.ascii, looks.mouse, looks.utc),
        (Some("mono"), true, false, false)
    );
    let case = case
        .variable("HOOKWATCH_THEME", "light")
        .variable("HOOKWATCH_ASCII", "0")
        .variable("NO_COLOR", "1");
    let looks = case.ok().console;
    assert_eq!(
        (looks.theme.as_deref(), looks.ascii, looks.no_color),
        (Some("light"), false, true)
    );
    let case = case.flags(|flags| {
        flags.theme = Some("dark".to_owned());
        flags.utc = Some(true);
    });
    let looks = case.ok().console;
    assert_eq!((looks.theme.as_deref(), looks.utc), (Some("dark"), true));
    let problem = Case::new().config("[console]\ntime = 'utcc'\n").problem();
    assert!(problem.ends_with("hookwatch.toml:2: `console.time` is neither `utc` nor `local` → did you mean `utc`?"));
}

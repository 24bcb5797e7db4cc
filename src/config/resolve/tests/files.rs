//! Configuration files, and the profiles in them.

use super::*;

#[test]
fn the_file_that_is_asked_for_must_be_there() {
    let case = Case::new().flags(|flags| flags.config = Some("/nowhere/hookwatch.toml".into()));
    let problem = case.problem();
    assert!(
        problem.starts_with("--config: cannot read the configuration /nowhere/hookwatch.toml: "),
        "{problem}"
    );
    assert!(
        problem.ends_with("→ hookwatch config --example prints one to start from"),
        "{problem}"
    );
    let problem = Case::new().variable("HOOKWATCH_CONFIG", "/nowhere/x").problem();
    assert!(
        problem.starts_with("$HOOKWATCH_CONFIG: cannot read the configuration /nowhere/x"),
        "{problem}"
    );
    // A folder in its place cannot be read, although nobody asked for it.
    let problem = Case::new().file(".config/hookwatch/hookwatch.toml/x", "").problem();
    assert!(
        problem.starts_with("cannot read the configuration ~/.config/hookwatch/hookwatch.toml: "),
        "{problem}"
    );
}

#[test]
fn everything_wrong_with_a_file_is_said_at_once() {
    let case = Case::new().config(
        "[profile.a.nats]\nurll = 'x'\n[profile.a]\nstream = 'x'\n[profile.b.metrics]\ninterval = 'soon'\n[profile.b.metrics.names]\nrecieved = ['x']\n",
    );
    assert_eq!(
        case.problems(),
        [
            "~/.config/hookwatch/hookwatch.toml:2: unknown key `urll` in [profile.a.nats] → did you mean `url`?",
            "~/.config/hookwatch/hookwatch.toml:4: unknown key `stream` in [profile.a] → did you mean `pipeline.stream`?",
            "~/.config/hookwatch/hookwatch.toml:6: `profile.b.metrics.interval` not a duration: write it like 500ms, 20s or 2m",
            "~/.config/hookwatch/hookwatch.toml:8: unknown key `recieved` in [profile.b.metrics.names] → did you mean `received`?",
        ]
    );
}

#[test]
fn everything_wrong_with_the_values_is_said_at_once() {
    let case = Case::new().config(
        "[profile.a.nats]\nurl = 'ws://x'\n[profile.a.pipeline]\nstream = 'webhook.>'\n[profile.a.postgres]\nurl = 'mysql://x/y'\n[profile.a.thresholds]\nerror_ratio = 5\n",
    );
    let problems = case.problems();
    assert_eq!(problems.len(), 4, "{problems:#?}");
    assert!(
        problems
            .iter()
            .zip([2, 4, 6, 8])
            .all(|(p, line)| p.contains(&format!("hookwatch.toml:{line}: ")))
    );
}

#[test]
fn an_unknown_profile_is_told_the_nearest() {
    let case = Case::new()
        .config("[profile.demo]\n[profile.prod]\n")
        .flags(|f| f.profiles = vec!["prdo".to_owned()]);
    assert_eq!(
        case.problem(),
        "--profile: there is no profile `prdo` in ~/.config/hookwatch/hookwatch.toml → did you mean `prod`?"
    );
    let case = Case::new().config("default_profile = 'x'\n[profile.demo]\n[profile.prod]\n");
    assert_eq!(
        case.problem(),
        "~/.config/hookwatch/hookwatch.toml:1: there is no profile `x` in ~/.config/hookwatch/hookwatch.toml → there are: demo, prod"
    );
    let case = Case::new().flags(|f| f.profiles = vec!["prod".to_owned()]);
    assert!(
        case.problem()
            .contains("because there is no configuration file → hookwatch config --example")
    );
}

/// Two pipelines, and what holds for both.
const TWO: &str = "default_profile = ['a', 'b']\n[pipeline]\nstream = 'hooks'\n[profile.a.nats]\nurl = 'nats://a'\n[profile.b.nats]\nurl = 'nats://b'\n[profile.c]\n";

#[test]
fn several_profiles_are_resolved_each_by_itself_in_the_order_given() {
    let names = |case: &Case| -> Vec<(String, Vec<String>)> {
        let all = case.resolve_all().unwrap_or_else(|problems| panic!("{problems}"));
        all.iter()
            .map(|one| (one.profile.name.to_string(), servers(one)))
            .collect()
    };
    let expected =
        [("a", "nats://a:4222"), ("b", "nats://b:4222")].map(|(name, url)| (name.to_owned(), vec![url.to_owned()]));
    assert_eq!(names(&Case::new().config(TWO)), expected);
    let case = Case::new().config(TWO).variable("HOOKWATCH_PROFILE", "b, a");
    assert_eq!(names(&case), [expected[1].clone(), expected[0].clone()]);
    let twice = |f: &mut Overrides| f.profiles = ["b", "b"].map(str::to_owned).to_vec();
    assert_eq!(names(&case.flags(twice)), [expected[1].clone()]);
    let all = Case::new().config(TWO).resolve_all().unwrap();
    assert!(
        all.iter()
            .all(|one| one.profile.pipeline.stream.as_deref() == Some("hooks"))
    );
}

#[test]
fn what_works_on_one_profile_says_so_where_several_are_named() {
    let case = Case::new().config(TWO);
    assert_eq!(
        case.problem(),
        "~/.config/hookwatch/hookwatch.toml:1: this works on one profile, and 2 are named → give one with --profile: a, b"
    );
    let unknown = Case::new().config(TWO).variable("HOOKWATCH_PROFILE", "a,x");
    assert!(
        unknown
            .resolve_all()
            .unwrap_err()
            .to_string()
            .contains("there is no profile `x`")
    );
}

#[test]
fn of_several_profiles_each_says_itself_where_it_connects_to() {
    let case = Case::new()
        .config(TWO)
        .variable("NATS_URL", "nats://elsewhere")
        .variable("PGHOST", "db");
    let all = case.resolve_all().unwrap();
    assert_eq!(
        all.iter().flat_map(servers).collect::<Vec<_>>(),
        ["nats://a:4222", "nats://b:4222"]
    );
    assert!(all.iter().all(|one| one.profile.postgres.is_none()));
    assert_eq!(
        all[0].warnings,
        ["$NATS_URL, PGHOST left out: of several profiles, each says where it connects to"]
    );
    let case = Case::new()
        .config(TWO)
        .flags(|f| f.nats = Some("nats://elsewhere".to_owned()));
    assert_eq!(
        case.resolve_all().unwrap_err().to_string(),
        "--nats: it would hold for each of 2 profiles → leave it out, or name one profile"
    );
}

#[test]
fn a_misspelt_variable_of_ours_is_pointed_out() {
    let warnings = Case::new()
        .variable("HOOKWATCH_STREEM", "x")
        .variable("HOOKWATCH_SOAK", "1")
        .ok()
        .warnings;
    assert_eq!(
        warnings,
        ["$HOOKWATCH_STREEM: not a variable of hookwatch; did you mean HOOKWATCH_STREAM?"]
    );
}

//! Metrics targets, and the names of families.

use super::*;

fn metrics(urls: &[&str]) -> Case {
    let urls = urls.iter().map(|url| (*url).to_owned()).collect();
    Case::new().flags(|flags| flags.metrics = urls)
}

fn target_names(case: &Case) -> Vec<String> {
    case.ok()
        .profile
        .targets
        .iter()
        .map(|target| target.name.to_string())
        .collect()
}

#[test]
fn a_target_is_called_by_its_address_or_by_what_tells_it_apart() {
    assert_eq!(
        target_names(&metrics(&["http://a:1/m", "b:2", "gw=http://c/x?y=z"])),
        ["a:1", "b:2", "gw"]
    );
    assert_eq!(
        target_names(&metrics(&["http://a:1/x", "http://a:1/y", "http://b:2/m"])),
        ["/x", "/y", "b:2"]
    );
    assert_eq!(
        target_names(&metrics(&[
            "http://a:1/x",
            "http://a:1/y",
            "http://b:2/x",
            "http://b:2/z"
        ])),
        ["a:1/x", "/y", "b:2/x", "/z"]
    );
    let problem = metrics(&["http://a:1/m", "http://a:1/m"]).problem();
    assert_eq!(
        problem,
        "--metrics: two metrics endpoints are called `a:1/m` → give each a name of its own"
    );
    let problem = metrics(&["x=http://a:1/m", "x=http://b:1/m"]).problem();
    assert!(problem.contains("two metrics endpoints are called `x`"), "{problem}");
    let listed = Case::new().variable("HOOKWATCH_METRICS", "a:1, b:2").ok();
    assert_eq!(listed.profile.targets.len(), 2);
}

#[test]
fn a_target_in_a_table_has_its_own_login_headers_and_pace() {
    let case = Case::new()
        .config(
            "[profile.a.metrics]\ninterval = '5s'\ntimeout = '1s'\n[[profile.a.metrics.targets]]\nname = 'gw'\nurl = 'https://h/m'\nbearer_env = 'B'\nheaders.X-Scope = 'hooks'\nheaders.X-Api-Key = { file = 'k' }\nca = 'ca.pem'\ninterval = '2s'\n[[profile.a.metrics.targets]]\nurl = 'h:2'\nbasic = { user = 'ann', password_env = 'B' }\n",
        )
        .file(".config/hookwatch/k", "k3y!\n")
        .file(".config/hookwatch/ca.pem", "x")
        .variable("B", "b3arer");
    let resolved = case.ok();
    assert_eq!(resolved.warnings, Vec::<String>::new());
    let [gateway, other] = resolved.profile.targets.as_slice() else {
        panic!()
    };
    assert!(matches!(&gateway.auth, Some(HttpAuth::Bearer(token)) if token.expose_secret() == "b3arer"));
    let headers: Vec<(&str, &str)> = gateway
        .headers
        .iter()
        .map(|(k, v)| (k.as_str(), v.expose_secret()))
        .collect();
    assert_eq!(headers, [("X-Api-Key", "k3y!"), ("X-Scope", "hooks")]);
    assert!(gateway.tls.ca.as_ref().unwrap().ends_with(".config/hookwatch/ca.pem"));
    assert_eq!(
        (gateway.interval, gateway.timeout),
        (Duration::from_secs(2), Duration::from_secs(1))
    );
    assert!(matches!(&other.auth, Some(HttpAuth::Basic(user, _)) if user == "ann"));
    assert_eq!(other.interval, Duration::from_secs(5));
    assert_eq!(&*other.name, "h:2");
    // `ann:b3arer` as it travels.
    assert_eq!(resolved.profile.redactor.clean("Basic YW5uOmIzYXJlcg=="), "Basic •••");
    assert_eq!(resolved.profile.redactor.clean("hooks k3y!"), "hooks •••");
}

#[test]
fn many_targets_are_scraped_more_slowly() {
    let urls: Vec<String> = (0..1000).map(|i| format!("http://h:{}/m", 1000 + i)).collect();
    let case = Case::new().flags(|flags| flags.metrics = urls);
    assert!(
        case.ok()
            .profile
            .targets
            .iter()
            .all(|target| target.interval == Duration::from_secs(5))
    );
}

#[test]
fn what_a_target_cannot_be_is_refused() {
    let case = |text: &str| Case::new().config(&format!("[[profile.a.metrics.targets]]\n{text}\n"));
    for (text, expected) in [
        ("name = 'x'", "an entry of `profile.a.metrics.targets` has no url"),
        ("url = 'ftp://x'", "`ftp` is neither http nor https"),
        (
            "url = 'h'\nbearer_env = 'B'\nbasic = { user = 'a', password_env = 'B' }",
            "exclude each other",
        ),
        (
            "url = 'http://u:p@h'\nbasic = { user = 'a', password_env = 'B' }",
            "the URL has credentials too",
        ),
        ("url = 'h'\nbasic = { user = 'a' }", "basic wants a user and a password"),
        (
            "url = 'h'\nheaders.X = { env = 'B', file = 'x' }",
            "headers.X wants one of value, env and file",
        ),
        ("url = 'h'\nheaders.'a b' = 'x'", "`a b` is no name of a header"),
        ("url = 'h'\nname = \"a\\u001b[31m\"", "1 to 60 printable characters"),
        (
            "url = 'h'\nca = '/nowhere/ca'",
            "metrics.h:80.ca` /nowhere/ca: No such file",
        ),
    ] {
        let problem = case(text).variable("B", "b3arer").problem();
        assert!(problem.contains(expected), "{text}: {problem}");
        assert!(problem.contains("hookwatch.toml:"), "{problem}");
    }
}

#[test]
fn given_names_of_a_family_replace_its_default_ones() {
    let case = Case::new().config("[metrics.names]\nreceived = 'hooks_in'\nlag = ['a', 'b']\n");
    let families = case.ok().profile.families;
    assert_eq!(families.of("hooks_in"), Some(Family::Received));
    assert_eq!(families.of("webhooks_received_total"), None);
    assert_eq!(
        (families.of("a"), families.of("b")),
        (Some(Family::Lag), Some(Family::Lag))
    );
    assert_eq!(families.of("webhook_queued_total"), Some(Family::Queued));
    let problem = Case::new()
        .config("[metrics.names]\nreceived = 'webhook_queued_total'\n")
        .problem();
    assert!(
        problem.contains("is given to both `queued` and `received`"),
        "{problem}"
    );
}

//! Contexts of the NATS CLI, one for each form of login.

use super::*;

#[test]
fn each_login_of_a_context_is_read() {
    let case = Case::new()
        .context(
            "password",
            r#"{"url":"nats://a:4222, nats://b","user":"bob","password":"hunter2!","token":""}"#,
        )
        .context(
            "creds",
            r#"{"url":"tls://a","creds":"~/keys/a.creds","ca":"$KEYS/ca.pem"}"#,
        )
        .context("nkey", r#"{"url":"nats://a","nkey":"${KEYS}/a.nk","tls_first":true}"#)
        .context(
            "jwt",
            r#"{"url":"nats://a","user_jwt":"eyJhbGciOi.J9.sig","user_seed":"SUASEED123"}"#,
        )
        .context(
            "token",
            r#"{"url":"nats://a","token":"t0k3n","jetstream_domain":"hub","inbox_prefix":"_I.x"}"#,
        )
        .context(
            "both",
            r#"{"url":"nats://bob:hunter2!@a","creds":"~/keys/a.creds","token":"t0k3n"}"#,
        )
        .context("none", r#"{"description":"no url","jetstream_api_prefix":"acc.api."}"#)
        .file("keys/a.creds", CREDS)
        .file("keys/a.nk", &format!("# made by nk\n{SEED}\n"))
        .file("keys/ca.pem", "pem");
    let keys = case.home.path().join("keys").to_str().unwrap().to_owned();
    let mut case = case.variable("KEYS", &keys);
    let mut link = |name: &str| {
        case.overrides.context = Some(name.to_owned());
        let resolved = case.ok();
        assert_eq!(&*resolved.profile.name, name);
        assert_eq!(
            resolved.warnings,
            Vec::<String>::new(),
            "a context is where the CLI keeps secrets"
        );
        for shown in &resolved.values {
            for secret in ["hunter2!", "t0k3n", SEED, "SUASEED123", "eyJhbGciOi"] {
                assert!(!shown.value.contains(secret), "{shown:?}");
            }
        }
        resolved.profile.nats.unwrap()
    };

    let nats = link("password");
    assert_eq!(nats.servers, ["nats://a:4222", "nats://b:4222"]);
    let (user, password) = nats.auth.user.unwrap();
    assert_eq!((user.as_str(), password.expose_secret()), ("bob", "hunter2!"));
    assert!(nats.auth.token.is_none());

    let nats = link("creds");
    assert_eq!(nats.servers, ["tls://a:4222"]);
    assert_eq!(nats.auth.credentials.unwrap().expose_secret(), CREDS.trim_end());
    assert!(nats.tls.ca.unwrap().ends_with("keys/ca.pem"));

    let nats = link("nkey");
    assert_eq!(nats.auth.nkey.unwrap().expose_secret(), SEED);
    assert!(nats.tls_first);

    let nats = link("jwt");
    let (jwt, seed) = nats.auth.jwt.unwrap();
    assert_eq!(
        (jwt.expose_secret(), seed.expose_secret()),
        ("eyJhbGciOi.J9.sig", "SUASEED123")
    );

    let nats = link("token");
    assert_eq!(nats.auth.token.unwrap().expose_secret(), "t0k3n");
    assert_eq!(nats.api_prefix, "$JS.hub.API");
    assert_eq!(nats.inbox_prefix.as_deref(), Some("_I.x"));

    // User before credentials; the token besides.
    let nats = link("both");
    assert_eq!(nats.auth.user.unwrap().0, "bob");
    assert!(nats.auth.credentials.is_none());
    assert_eq!(nats.auth.token.unwrap().expose_secret(), "t0k3n");

    let nats = link("none");
    assert_eq!(nats.servers, ["nats://127.0.0.1:4222"]);
    assert_eq!(nats.api_prefix, "acc.api");
}

#[test]
fn a_context_does_not_mix_with_what_stands_below_it() {
    let case = Case::new()
        .context("staging", r#"{"url":"nats://staging"}"#)
        .context("prod", r#"{"url":"nats://prod","token":"t0k3n"}"#)
        .config("[profile.p.nats]\ncontext = 'prod'\nmonitoring = 'http://prod:8222'\n");
    let nats = case.ok().profile.nats.unwrap();
    assert_eq!(
        (nats.servers[0].as_str(), nats.auth.token.is_some()),
        ("nats://prod:4222", true)
    );
    assert_eq!(nats.monitoring.as_deref(), Some("http://prod:8222"));
    let nats = case
        .flags(|flags| flags.context = Some("staging".to_owned()))
        .ok()
        .profile
        .nats
        .unwrap();
    assert_eq!(
        (nats.servers[0].as_str(), nats.auth.token.is_some()),
        ("nats://staging:4222", false)
    );
    assert_eq!(nats.monitoring, None);
}

#[test]
fn the_selected_context_is_used_when_nothing_else_is_said() {
    let case = Case::new()
        .context("work", r#"{"url":"nats://work"}"#)
        .file(".config/nats/context.txt", "work\n");
    let resolved = case.ok();
    assert_eq!(servers(&resolved), ["nats://work:4222"]);
    assert!(origin(&resolved, "nats.context").ends_with("nats/context.txt:1"));
    assert_eq!(
        servers(&case.variable("NATS_URL", "nats://env").ok()),
        ["nats://env:4222"]
    );
}

#[test]
fn a_context_that_cannot_be_read_is_told_with_the_nearest() {
    let case = Case::new()
        .context("staging", "{}")
        .context("broken", "{\n\"url\": }")
        .context("dotted", r#"{"url":"nats://a","creds":"$NOPE/x"}"#)
        .context("nsc", r#"{"nsc":"nsc://o/a/u"}"#);
    let mut case = case;
    let mut problem = |name: &str| {
        case.overrides.context = Some(name.to_owned());
        case.problem()
    };
    let text = problem("stagin");
    assert!(
        text.starts_with("--context: cannot read the NATS context `stagin`"),
        "{text}"
    );
    assert!(text.ends_with("did you mean `staging`?"), "{text}");
    let text = problem("broken");
    assert!(
        text.contains("context `broken` (~/.config/nats/context/broken.json): not JSON: expected value at line 2"),
        "{text}"
    );
    let text = problem("dotted");
    assert!(text.contains("`creds`: the variable `NOPE` is not set"), "{text}");
    assert!(problem("nsc").contains("its `nsc` is not supported → write the user's credentials"));
    assert!(problem("../x").contains("is no name of a NATS context"));
    let mut case = Case::new();
    case.overrides.context = Some("production".to_owned());
    let text = case.problem();
    assert!(
        text.ends_with("→ there is no context: `nats context add` makes one, and --nats does without"),
        "{text}"
    );
}

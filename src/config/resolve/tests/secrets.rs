//! Secrets: from variables and files, never shown.

use super::*;

#[test]
fn a_secret_comes_from_a_variable_or_a_file() {
    let case = Case::new()
        .config("[profile.a.nats]\nuser = 'bob'\npassword_env = 'PW'\ntoken_file = 'token'\n")
        .file(".config/hookwatch/token", "t0k3n\n")
        .variable("PW", "hunter2!");
    let resolved = case.ok();
    let auth = &resolved.profile.nats.as_ref().unwrap().auth;
    assert_eq!(auth.user.as_ref().unwrap().1.expose_secret(), "hunter2!");
    assert_eq!(auth.token.as_ref().unwrap().expose_secret(), "t0k3n");
    assert_eq!(resolved.warnings, Vec::<String>::new());
    assert_eq!(resolved.profile.redactor.clean("hunter2! and t0k3n"), "••• and •••");
    assert!(value(&resolved, "nats.login").starts_with("user `bob`, password from $PW; token from "));
}

#[test]
fn a_secret_that_others_can_see_works_and_warns() {
    let case = Case::new()
        .config(
            "[profile.a.nats]\nurl = 'a'\ntoken = 't0k3n'\n[profile.a]\nmetrics = [{ url = 'http://u:hunter2@h' }]\n",
        )
        .flags(|flags| flags.postgres = Some("postgres://app:s3cret@db/x".to_owned()));
    let resolved = case.ok();
    let warnings = resolved.warnings.join("\n");
    assert_eq!(resolved.warnings.len(), 3, "{warnings}");
    assert!(
        warnings.contains("hookwatch.toml:3: whoever can read this file can see the token"),
        "{warnings}"
    );
    assert!(
        warnings.contains("--postgres: everybody on this machine can see the password"),
        "{warnings}"
    );
    assert_eq!(
        resolved.profile.nats.unwrap().auth.token.unwrap().expose_secret(),
        "t0k3n"
    );
    for secret in ["t0k3n", "hunter2", "s3cret"] {
        assert!(!resolved.profile.redactor.clean(secret).contains(secret));
        assert!(resolved.values.iter().all(|shown| !shown.value.contains(secret)));
        assert!(!warnings.contains(secret));
    }
}

#[test]
fn a_secret_that_is_missing_is_named() {
    let config = "[profile.a.nats]\nuser = 'bob'\npassword_env = 'NO_SUCH'\n";
    let problem = Case::new().config(config).problem();
    assert!(
        problem.ends_with(
            "hookwatch.toml:3: the variable `NO_SUCH` for the password is not set → set it before the start"
        )
    );
    let problem = Case::new()
        .config("[profile.a.nats]\ntoken_file = '~/none'\n")
        .problem();
    assert!(
        problem.contains("hookwatch.toml:2: cannot read the file of the token, ~/none: No such file"),
        "{problem}"
    );
    let problem = Case::new()
        .config("[profile.a.nats]\ntoken_file = '~/t'\n")
        .file("t", "\n")
        .problem();
    assert!(problem.contains("the file of the token, ~/t, is empty"), "{problem}");
    let problem = Case::new()
        .config("[profile.a.nats]\ntoken_env = 'A'\ntoken = 'b'\n")
        .variable("A", "a")
        .problem();
    assert!(
        problem.contains("`token` is given twice → keep one of token, token_env and token_file"),
        "{problem}"
    );
    let problem = Case::new().config("[profile.a.nats]\npassword = 'hunter2'\n").problem();
    assert!(
        problem.contains("a password for NATS is given, but no user"),
        "{problem}"
    );
    let problem = Case::new().config("[profile.a.postgres]\nurl_env = 'DB'\n").problem();
    assert!(
        problem.contains("the variable `DB` that postgres.url_env names is not set"),
        "{problem}"
    );
}

#[test]
fn credentials_that_cannot_be_used_are_named() {
    let case = |creds: &str| Case::new().flags(|flags| flags.creds = Some(creds.to_owned()));
    let problem = case("/nowhere/x.creds").problem();
    assert!(
        problem.starts_with("--creds: cannot read the file of the creds, /nowhere/x.creds: No such file"),
        "{problem}"
    );
    let broken = Case::new()
        .file("x.creds", "hunter2hunter2")
        .flags(|flags| flags.creds = Some("~/x.creds".to_owned()));
    let problem = broken.problem();
    assert!(problem.contains("`~/x.creds` is no NATS credentials file"), "{problem}");
    assert!(!problem.contains("hunter2"));
    let problem = Case::new()
        .config("[profile.a.nats]\nnkey = '~/k'\n")
        .file("k", "UABC")
        .problem();
    assert!(problem.contains("`~/k` holds no seed of a user nkey"), "{problem}");
    let problem = Case::new()
        .config("[profile.a.nats]\nuser_jwt_env = 'J'\n")
        .variable("J", "eyJx")
        .problem();
    assert!(problem.contains("user_jwt and user_seed go together"), "{problem}");
    let problem = Case::new()
        .config("[profile.a.nats]\ncert = '~/c'\n")
        .file("c", "x")
        .problem();
    assert!(problem.contains("nats.cert and nats.key go together"), "{problem}");
}

#[test]
fn a_login_is_taken_whole_from_the_first_place_that_has_one() {
    let case = Case::new()
        .config("[profile.a.nats]\nurl = 'nats://prod'\nuser = 'bob'\npassword_env = 'PW'\n")
        .variable("PW", "hunter2!")
        .file("x.creds", CREDS)
        .flags(|flags| flags.creds = Some("~/x.creds".to_owned()));
    let nats = case.ok().profile.nats.unwrap();
    assert!(nats.auth.credentials.is_some() && nats.auth.user.is_none());
    // Credentials in a URL go with that URL and not with another.
    let case = Case::new()
        .config("[profile.a.nats]\nurl = 'nats://bob:hunter2@prod'\n")
        .flags(|flags| flags.nats = Some("nats://other".to_owned()));
    assert!(case.ok().profile.nats.unwrap().auth.user.is_none());
}

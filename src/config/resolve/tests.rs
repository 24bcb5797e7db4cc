//! Rules of resolution, on files in temporary folders.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use secrecy::ExposeSecret as _;

use super::*;
use crate::config::document::Section as _;
use crate::config::{EXAMPLE, Environment, Families, Family, HttpAuth, SecretPlace, Thresholds};

/// A home folder with files in it, an environment and a command line.
struct Case {
    home: tempfile::TempDir,
    environment: Environment,
    overrides: Overrides,
}

impl Case {
    fn new() -> Self {
        Self {
            home: tempfile::tempdir().unwrap(),
            environment: Environment::new(),
            overrides: Overrides::default(),
        }
    }

    fn file(self, path: &str, text: &str) -> Self {
        let path = self.home.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    fn config(self, text: &str) -> Self {
        self.file(".config/hookwatch/hookwatch.toml", text)
    }

    fn context(self, name: &str, text: &str) -> Self {
        self.file(&format!(".config/nats/context/{name}.json"), text)
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    fn flags(mut self, change: impl FnOnce(&mut Overrides)) -> Self {
        change(&mut self.overrides);
        self
    }

    fn resolve(&self) -> Result<Resolved, Problems> {
        let surroundings = Surroundings {
            environment: &self.environment,
            home: Some(self.home.path()),
        };
        resolve(&self.overrides, &surroundings)
    }

    fn ok(&self) -> Resolved {
        self.resolve().unwrap_or_else(|problems| panic!("{problems}"))
    }

    fn resolve_all(&self) -> Result<Vec<Resolved>, Problems> {
        let surroundings = Surroundings {
            environment: &self.environment,
            home: Some(self.home.path()),
        };
        resolve_all(&self.overrides, &surroundings)
    }

    /// The problems, one a line, the home folder written as `~`.
    fn problems(&self) -> Vec<String> {
        let problems = self.resolve().expect_err("a problem was expected");
        let home = self.home.path().to_str().unwrap();
        problems
            .0
            .iter()
            .map(|problem| problem.to_string().replace(home, "~"))
            .collect()
    }

    fn problem(&self) -> String {
        let problems = self.problems();
        assert_eq!(problems.len(), 1, "{problems:#?}");
        problems.into_iter().next().unwrap()
    }
}

fn servers(resolved: &Resolved) -> Vec<String> {
    resolved
        .profile
        .nats
        .as_ref()
        .map(|nats| nats.servers.clone())
        .unwrap_or_default()
}

fn origin(resolved: &Resolved, key: &str) -> String {
    let shown = resolved.values.iter().find(|shown| shown.key == key);
    shown.unwrap_or_else(|| panic!("no {key}")).origin.describe()
}

fn value<'r>(resolved: &'r Resolved, key: &str) -> &'r str {
    let shown = resolved.values.iter().find(|shown| shown.key == key);
    &shown.unwrap_or_else(|| panic!("no {key}")).value
}

const CREDS: &str = "-----BEGIN NATS USER JWT-----\neyJ0eXAiOiJKV1QifQ.eyJqdGkiOiJIVU5URVIyIn0.c2lnbmF0dXJl\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\nSUAHUNTER2HUNTER2HUNTER2HUNTER2HUNTER2HUNTER2HUNTER2HUNTER2\n------END USER NKEY SEED------\n";
const SEED: &str = "SUAHUNTER2HUNTER2HUNTER2HUNTER2HUNTER2HUNTER2HUNTER2HUNTER2";

// Precedence.

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

// Files and profiles.

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

// Contexts of the NATS CLI, one for each form of login.

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
}

// Secrets.

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

// Metrics.

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

// Postgres.

#[test]
fn a_postgres_url_is_masked_and_completed() {
    let case = Case::new()
        .config("[profile.a.postgres]\nurl = 'postgres://app@db/x'\npassword_env = 'PW'\nstatement_timeout = '500ms'\npool = 2\n")
        .variable("PW", "hunter/2")
        .variable("PGPORT", "6432")
        .variable("PGPASSWORD", "another");
    let resolved = case.ok();
    let link = resolved.profile.postgres.as_ref().unwrap();
    assert_eq!(link.url.expose_secret(), "postgres://app:hunter%2F2@db/x?port=6432");
    assert_eq!(link.shown, "postgres://app:•••@db/x?port=6432");
    assert_eq!((link.statement_timeout, link.pool), (Duration::from_millis(500), 2));
    assert_eq!(value(&resolved, "postgres.login"), "user `app`, password from $PW");
    assert_eq!(origin(&resolved, "postgres.pgport"), "environment PGPORT");
    assert_eq!(resolved.profile.redactor.clean("hunter/2 hunter%2F2"), "••• •••");
}

#[test]
fn pg_variables_alone_describe_a_connection() {
    let case = Case::new()
        .variable("PGHOST", "db")
        .variable("PGDATABASE", "hooks")
        .variable("PGPASSWORD", "hunter2");
    let resolved = case.ok();
    assert_eq!(
        resolved.profile.postgres.as_ref().unwrap().url.expose_secret(),
        "postgres:///?host=db&dbname=hooks&password=hunter2"
    );
    assert_eq!(
        value(&resolved, "postgres.login"),
        "user of the system, password from $PGPASSWORD"
    );
    let problem = Case::new().variable("PGHOST", "db").variable("PGPORT", "x").problem();
    assert!(
        problem.starts_with("$PG*: the URL of `postgres.url` cannot be used: port is not"),
        "{problem}"
    );
    // A password alone describes none.
    assert!(
        Case::new()
            .variable("PGPASSWORD", "hunter2")
            .ok()
            .profile
            .postgres
            .is_none()
    );
}

#[test]
fn limits_that_make_no_sense_are_refused() {
    for (text, expected) in [
        (
            "[postgres]\nurl = 'postgres://a/b'\npool = 0",
            "postgres.pool wants 1 to 20 connections",
        ),
        (
            "[postgres]\nurl = 'postgres://a/b'\nstatement_timeout = '500us'",
            "postgres.statement_timeout is shorter than 10ms",
        ),
        (
            "[metrics]\ntargets = ['a']\ninterval = '5ms'",
            "metrics.interval is shorter than 100ms",
        ),
        (
            "[thresholds]\nheadroom = 10",
            "thresholds.headroom wants a ratio from 0 to 1 → write 5 % as 0.05",
        ),
        (
            "[thresholds]\nerror_ratio = nan",
            "thresholds.error_ratio wants a ratio",
        ),
        (
            "[thresholds]\nlag_warning = '20s'",
            "thresholds.lag_warning (20s) is above lag_critical (10s)",
        ),
        (
            "[nats]\njetstream_domain = 'a'\njetstream_api_prefix = 'b'",
            "exclude each other",
        ),
        ("[nats]\ninbox_prefix = 'a.>'", "`nats.inbox_prefix` is no NATS subject"),
        (
            "[nats]\nmonitoring = 'http://u:p@h'",
            "a NATS monitoring port takes none",
        ),
        ("[pipeline]\ndlq = 'a b'", "pipeline.dlq is no name of a stream"),
    ] {
        let problem = Case::new().config(text).problem();
        assert!(problem.contains(expected), "{text}: {problem}");
    }
}

// Alarms.

#[test]
fn runbooks_and_alarms_are_read_and_what_is_wrong_is_named() {
    let case = Case::new().config(
        "[runbooks]\nstalled = 'https://common'\n[profile.a]\non_alert = ['page', '--now']\n[profile.a.runbooks]\nstalled = 'https://own'\n[profile.a.alerts]\nleast = 'critical'\nbell = true\n",
    );
    let profile = case.ok().profile;
    assert_eq!(profile.runbooks["stalled"].as_ref(), "https://own");
    assert_eq!(profile.alerts.command, ["page", "--now"]);
    assert_eq!(profile.alerts.least, crate::config::AlertLevel::Critical);
    assert!(profile.alerts.bell && !profile.alerts.notify);
    let case = Case::new().config("on_alert = []\n[runbooks]\nstaled = 'x'\n[alerts]\nleast = 'critcal'\n");
    assert_eq!(
        case.problems(),
        [
            "~/.config/hookwatch/hookwatch.toml:3: `runbooks.staled`: there is no verdict of that name → did you mean `stalled`?",
            "~/.config/hookwatch/hookwatch.toml:1: `on_alert` names no command → write it like [\"notify-send\", \"hookwatch\"]",
            "~/.config/hookwatch/hookwatch.toml:5: `alerts.least` is none of `info`, `warning`, `critical` → did you mean `critical`?",
        ]
    );
}

#[test]
fn test_webhooks_name_their_keys_and_never_hold_them() {
    let resolved = Case::new()
        .variable("TX", "k3y-of-telnyx")
        .config(
            "[fire]\nurl = 'http://gw/{provider}'\nsecrets.telnyx = { env = 'TX' }\nsecrets.resend = { file = 'key' }\n\
             [profile.p.fire]\nsecrets.resend = { env = 'NOT_SET' }\nschemes.acme = 'slack'\ntrace.within = '3s'\n",
        )
        .ok();
    let fire = &resolved.profile.fire;
    assert_eq!(fire.url.as_deref(), Some("http://gw/{provider}"));
    assert_eq!(fire.secrets["telnyx"], SecretPlace::Variable("TX".to_owned()));
    // The profile's own comes before what holds for all; it is not looked up before it is needed.
    assert_eq!(fire.secrets["resend"], SecretPlace::Variable("NOT_SET".to_owned()));
    assert_eq!(fire.schemes["acme"], "slack");
    assert_eq!(fire.trace.within, Some(Duration::from_secs(3)));
    assert!(resolved.values.iter().all(|shown| !shown.value.contains("k3y-of")));
    assert_eq!(resolved.profile.redactor.clean("k3y-of-telnyx"), "•••");

    for (text, expected) in [
        (
            "[fire.secrets]\ntelnyx = 's3cr3t-in-clear'",
            "toml:2: `fire.secrets.telnyx` does not take a secret in clear",
        ),
        (
            "[fire.secrets]\ntelnyx = {}",
            "`fire.secrets.telnyx` wants one of env and file",
        ),
        (
            "[fire.secrets]\ntelnyx = { value = 's3cr3t-in-clear' }",
            "unknown key `value`",
        ),
        ("[fire]\nurl = 'https://u:s3cr3t-in-clear@h/'", "it holds credentials"),
        ("[fire]\nurl = 'ftp://h/'", "it is no http:// or https:// URL"),
        (
            "[fire]\ntrace.within = '1ms'",
            "fire.trace.within is shorter than 100ms",
        ),
    ] {
        let problem = Case::new().config(text).problem();
        assert!(problem.contains(expected), "{text}: {problem}");
        assert!(!problem.contains("s3cr3t"), "{problem}");
    }
}

#[test]
fn headers_of_dead_letters_are_named_and_a_query_only_asks() {
    let resolved = Case::new()
        .config(
            "[dead_letters]\nprocessed = 'SELECT 1 FROM inbox WHERE id = $1'\nid_path = '$.id'\n\
             headers.reason = ['X-Why', 'X-Error']\nheaders.strip = ['X-Acme-']\n",
        )
        .ok();
    let letters = &resolved.profile.dead_letters;
    assert_eq!(letters.processed.as_deref(), Some("SELECT 1 FROM inbox WHERE id = $1"));
    assert_eq!(letters.headers.reason, ["X-Why".into(), "X-Error".into()]);
    for (name, holds) in [
        ("x-why", true),
        ("x-acme-new", true),
        ("x-acme", false),
        ("X-Whyever", false),
    ] {
        assert_eq!(letters.headers.holds(name), holds, "{name}");
    }
    assert!(origin(&resolved, "dead_letters.headers.strip").ends_with("hookwatch.toml:5"));
    for (text, expected) in [
        (
            "[dead_letters.headers]\nreasons = ['X-Why']",
            "toml:2: unknown key `reasons` in `dead_letters.headers` → did you mean `reason`?",
        ),
        (
            "[dead_letters]\nheaders.strip = ['']",
            "toml:2: `dead_letters.headers.strip`: \"\" is no header's name",
        ),
        ("[dead_letters]\nprocessed = 'DELETE FROM inbox'", "it is no SELECT"),
        ("[dead_letters]\nprocessed = 'SELECT 1'", "it does not ask for $1"),
        (
            "[dead_letters]\nid_path = 'data.id'",
            "`dead_letters.id_path` is no JSONPath",
        ),
    ] {
        let problem = Case::new().config(text).problem();
        assert!(problem.contains(expected), "{text}: {problem}");
    }
}

// The example.

/// The example with every key in force: `#key = …` and `#[[…]]` become `key = …` and `[[…]]`.
fn whole_example() -> String {
    let lines = EXAMPLE.lines().map(|line| match line.strip_prefix('#') {
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_lowercase() || c == '[') => rest,
        _ => line,
    });
    // The list of URLs and the tables are two ways to say the same.
    lines
        .filter(|line| !line.starts_with("targets = "))
        .collect::<Vec<_>>()
        .join("\n")
}

/// The paths of the keys in a document, profiles' keys as if they stood at the top.
fn paths(value: &toml::Value, path: &str, out: &mut BTreeSet<String>) {
    match value {
        toml::Value::Table(table) => {
            for (key, value) in table {
                let path = match path {
                    "" | "@" => key.clone(),
                    "profile" => "@".to_owned(),
                    "metrics.targets.headers" | "probes.headers" | "fire.secrets" | "fire.schemes" | "runbooks" => {
                        format!("{path}.*")
                    }
                    _ => format!("{path}.{key}"),
                };
                paths(value, &path, out);
            }
        }
        toml::Value::Array(items) if items.iter().any(toml::Value::is_table) => {
            for item in items {
                paths(item, path, out);
            }
        }
        _ => {
            out.insert(path.to_owned());
        }
    }
}

#[test]
fn the_example_holds_as_it_stands() {
    let resolved = Case::new().config(EXAMPLE).ok();
    assert_eq!(&*resolved.profile.name, "local");
    assert_eq!(servers(&resolved), ["nats://127.0.0.1:4222"]);
    assert_eq!(resolved.warnings, Vec::<String>::new());
}

#[test]
fn every_key_is_in_the_example_and_no_other() {
    let whole = whole_example();
    let (_, problems) = Reader::read::<FileSection>(Path::new("example.toml"), &whole);
    assert_eq!(problems, []);
    let mut shown = BTreeSet::new();
    paths(&toml::from_str(&whole).unwrap(), "", &mut shown);
    let mut keys = Vec::new();
    FileSection::section_keys("", &mut keys);
    assert_eq!(shown, keys.into_iter().collect::<BTreeSet<_>>());
}

#[test]
fn the_examples_values_are_the_defaults_where_there_are_defaults() {
    let defaults = ["thresholds", "metrics.names"];
    let whole = whole_example();
    for section in defaults {
        let header = format!("[profile.local.{section}]");
        let text = whole.split(&header).nth(1).unwrap().split("\n[").next().unwrap();
        let resolved = Case::new().config(&format!("[{section}]{text}")).ok();
        let thresholds = Thresholds {
            // That it is configured is the one difference.
            lag_set: false,
            ..resolved.profile.thresholds
        };
        assert_eq!(thresholds, Thresholds::default());
        assert_eq!(resolved.profile.families, Families::default());
    }
    let (file, _) = Reader::read::<FileSection>(Path::new("example.toml"), &whole);
    let local = &file.profile["local"];
    let plain = Case::new()
        .config("[metrics]\ntargets = ['a']\n[postgres]\nurl = 'postgres://a/b'\n")
        .ok()
        .profile;
    assert_eq!(
        local.metrics.0.interval.as_ref().unwrap().value,
        plain.targets[0].interval
    );
    assert_eq!(
        local.metrics.0.timeout.as_ref().unwrap().value,
        plain.targets[0].timeout
    );
    let postgres = plain.postgres.unwrap();
    assert_eq!(
        local.postgres.statement_timeout.as_ref().unwrap().value,
        postgres.statement_timeout
    );
    assert_eq!(local.postgres.pool.as_ref().unwrap().value, postgres.pool);
}

#[test]
fn every_family_has_a_default_name_and_a_key_of_its_own() {
    let named: BTreeSet<Family> = Families::default().names.values().copied().collect();
    assert_eq!(named, Family::ALL.iter().copied().collect());
    let keys: BTreeSet<&str> = Family::ALL.iter().map(|family| family.key()).collect();
    assert_eq!(keys.len(), Family::ALL.len());
}

//! Limits, alarms, test webhooks and dead letters.

use super::*;

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
            "toml:2: unknown key `reasons` in [dead_letters.headers] → did you mean `reason`?",
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

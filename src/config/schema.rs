//! What `hookwatch.toml` may say. `example.toml` explains every key; a test compares the two.
//!
//! Flags, environment variables and NATS contexts are turned into the same sections, so that
//! precedence is one rule: the first layer that sets a key wins.

use std::collections::BTreeMap;
use std::time::Duration;

use toml::Spanned;
use toml::de::DeValue;

use super::document::{Field, Key, Nested, Reader, Section, Setting, Table, join, kind, section};
use super::family::Family;
use super::problem::Origin;
use crate::base::text;

/// The whole file.
#[derive(Clone, Debug, Default)]
pub(super) struct FileSection {
    /// The profiles that are used when none is named.
    pub(super) default_profile: Key<Vec<String>>,
    /// How the console looks.
    pub(super) console: Nested<ConsoleSection>,
    /// The profiles.
    pub(super) profile: BTreeMap<String, Nested<ProfileSection>>,
    /// What holds for every profile that does not say otherwise.
    pub(super) common: ProfileSection,
}

impl Section for FileSection {
    fn take(table: &mut Table<'_, '_>) -> Self {
        Self {
            default_profile: table.take("default_profile"),
            console: table.take("console"),
            profile: table.take("profile"),
            common: ProfileSection::take(table),
        }
    }

    fn section_keys(path: &str, out: &mut Vec<String>) {
        Key::<Vec<String>>::keys(&join(path, "default_profile"), out);
        Nested::<ConsoleSection>::keys(&join(path, "console"), out);
        // A profile has the keys of the top level.
        ProfileSection::section_keys(path, out);
    }
}

section! {
    /// How the console looks.
    ConsoleSection {
        theme: Key<String>,
        ascii: Key<bool>,
        mouse: Key<bool>,
        time: Key<String>,
        colours: Key<String>,
    }
}

section! {
    /// One pipeline.
    ProfileSection {
        label: Key<String>,
        protected: Key<bool>,
        read_only: Key<bool>,
        idempotent_workers: Key<bool>,
        nats: Nested<NatsSection>,
        pipeline: Nested<PipelineSection>,
        metrics: MetricsField,
        probes: Option<Targets>,
        postgres: Nested<PostgresSection>,
        thresholds: Nested<ThresholdsSection>,
        fire: Nested<FireSection>,
        dead_letters: Nested<DeadLettersSection>,
        runbooks: BTreeMap<String, Key<String>>,
        on_alert: Key<Vec<String>>,
        alerts: Nested<AlertsSection>,
    }
}

section! {
    /// When somebody is told of alarms, and how.
    AlertsSection {
        least: Key<String>,
        timeout: Key<Duration>,
        interval: Key<Duration>,
        bell: Key<bool>,
        notify: Key<bool>,
    }
}

section! {
    /// Where NATS is and how to log in.
    NatsSection {
        url: Key<Vec<String>>,
        context: Key<String>,
        user: Key<String>,
        password: Key<String>,
        password_env: Key<String>,
        password_file: Key<String>,
        creds: Key<String>,
        nkey: Key<String>,
        user_jwt: Key<String>,
        user_jwt_env: Key<String>,
        user_jwt_file: Key<String>,
        user_seed: Key<String>,
        user_seed_env: Key<String>,
        user_seed_file: Key<String>,
        token: Key<String>,
        token_env: Key<String>,
        token_file: Key<String>,
        ca: Key<String>,
        cert: Key<String>,
        key: Key<String>,
        tls_first: Key<bool>,
        inbox_prefix: Key<String>,
        jetstream_domain: Key<String>,
        jetstream_api_prefix: Key<String>,
        monitoring: Key<String>,
    }
}

section! {
    /// What the pipeline's parts are called.
    PipelineSection {
        stream: Key<String>,
        consumer: Key<String>,
        dlq: Key<String>,
    }
}

section! {
    /// Metrics endpoints and what their metrics are called.
    MetricsSection {
        targets: Option<Targets>,
        interval: Key<Duration>,
        timeout: Key<Duration>,
        names: Names,
    }
}

section! {
    /// One metrics endpoint.
    TargetSection {
        name: Key<String>,
        url: Key<String>,
        bearer: Key<String>,
        bearer_env: Key<String>,
        bearer_file: Key<String>,
        basic: Nested<BasicSection>,
        headers: BTreeMap<String, HeaderField>,
        ca: Key<String>,
        cert: Key<String>,
        key: Key<String>,
        interval: Key<Duration>,
        timeout: Key<Duration>,
    }
}

section! {
    /// HTTP basic authentication.
    BasicSection {
        user: Key<String>,
        password: Key<String>,
        password_env: Key<String>,
        password_file: Key<String>,
    }
}

section! {
    /// A header's value, from elsewhere.
    HeaderSection {
        value: Key<String>,
        env: Key<String>,
        file: Key<String>,
    }
}

section! {
    /// Where Postgres is.
    PostgresSection {
        url: Key<String>,
        url_env: Key<String>,
        password: Key<String>,
        password_env: Key<String>,
        password_file: Key<String>,
        statement_timeout: Key<Duration>,
        pool: Key<u32>,
    }
}

section! {
    /// When to raise an alarm.
    ThresholdsSection {
        lag_warning: Key<Duration>,
        lag_critical: Key<Duration>,
        success_ratio: Key<f64>,
        latency: Key<Duration>,
        worker_inactive: Key<Duration>,
        error_ratio: Key<f64>,
        headroom: Key<f64>,
    }
}

section! {
    /// Test webhooks.
    FireSection {
        url: Key<String>,
        allow: Key<Vec<String>>,
        secrets: BTreeMap<String, SecretField>,
        schemes: BTreeMap<String, Key<String>>,
        trace: Nested<TraceSection>,
    }
}

section! {
    /// How a test webhook is followed.
    TraceSection {
        header: Key<String>,
        path: Key<String>,
        sequence: Key<String>,
        query: Key<String>,
        within: Key<Duration>,
    }
}

section! {
    /// What is peculiar to dead letters.
    DeadLettersSection {
        processed: Key<String>,
        id_header: Key<String>,
        id_path: Key<String>,
        headers: Nested<LetterHeadersSection>,
    }
}

section! {
    /// Headers that say where a letter came from.
    LetterHeadersSection {
        subject: Key<Vec<String>>,
        stream: Key<Vec<String>>,
        sequence: Key<Vec<String>>,
        consumer: Key<Vec<String>>,
        deliveries: Key<Vec<String>>,
        reason: Key<Vec<String>>,
        failed_at: Key<Vec<String>>,
        strip: Key<Vec<String>>,
    }
}

section! {
    /// Where a secret is.
    SecretSection {
        env: Key<String>,
        file: Key<String>,
    }
}

/// A secret that must stand elsewhere.
#[derive(Clone, Debug, Default)]
pub(super) struct SecretField {
    pub(super) section: SecretSection,
    pub(super) origin: Option<Origin>,
}

impl Field for SecretField {
    fn read(reader: &mut Reader, path: &str, value: Spanned<DeValue<'_>>) -> Self {
        let span = value.span();
        if !matches!(value.get_ref(), DeValue::Table(_)) {
            // What stands there may be the secret: it is not quoted.
            let what = format!("`{}` does not take a secret in clear", text::safe(path));
            let next = "write { env = \"VARIABLE\" } or { file = \"PATH\" }".to_owned();
            reader.problem(&span, what, next);
            return Self::default();
        }
        Self {
            origin: Some(reader.origin(&span)),
            section: Nested::<SecretSection>::read(reader, path, value).0,
        }
    }

    fn keys(path: &str, out: &mut Vec<String>) {
        SecretSection::section_keys(path, out);
    }
}

/// `metrics`: a table, or the list of its targets.
#[derive(Clone, Debug, Default)]
pub(super) struct MetricsField(pub(super) MetricsSection);

impl Field for MetricsField {
    fn read(reader: &mut Reader, path: &str, value: Spanned<DeValue<'_>>) -> Self {
        if matches!(value.get_ref(), DeValue::Array(_)) {
            return Self(MetricsSection {
                targets: Option::<Targets>::read(reader, path, value),
                ..MetricsSection::default()
            });
        }
        Self(Nested::<MetricsSection>::read(reader, path, value).0)
    }

    fn keys(path: &str, out: &mut Vec<String>) {
        MetricsSection::section_keys(path, out);
    }
}

/// Metrics endpoints: each a URL or a table.
pub(super) type Targets = Setting<Vec<TargetSection>>;

impl Field for Option<Targets> {
    fn read(reader: &mut Reader, path: &str, value: Spanned<DeValue<'_>>) -> Self {
        let span = value.span();
        let origin = reader.origin(&span);
        let DeValue::Array(items) = value.into_inner() else {
            let what = format!("`{}` wants a list of URLs or tables", text::safe(path));
            reader.problem(
                &span,
                what,
                "write it like [\"http://127.0.0.1:9100/metrics\"]".to_owned(),
            );
            return None;
        };
        let mut targets = Vec::new();
        for item in items {
            let span = item.span();
            let origin = reader.origin(&span);
            match item.into_inner() {
                DeValue::String(url) => targets.push(TargetSection {
                    url: Some(Setting::new(url.into_owned(), origin)),
                    ..TargetSection::default()
                }),
                DeValue::Table(table) => {
                    let target: TargetSection = reader.section(path, table);
                    if target.url.is_none() {
                        let what = format!("an entry of `{}` has no url", text::safe(path));
                        reader.problem(&span, what, String::new());
                    } else {
                        targets.push(target);
                    }
                }
                other => {
                    let what = format!("`{}` wants URLs or tables, not {}", text::safe(path), kind(&other));
                    reader.problem(&span, what, String::new());
                }
            }
        }
        Some(Setting::new(targets, origin))
    }

    fn keys(path: &str, out: &mut Vec<String>) {
        TargetSection::section_keys(path, out);
    }
}

/// A header: its value, or a table that says where the value is.
#[derive(Clone, Debug, Default)]
pub(super) struct HeaderField(pub(super) HeaderSection);

impl Field for HeaderField {
    fn read(reader: &mut Reader, path: &str, value: Spanned<DeValue<'_>>) -> Self {
        if matches!(value.get_ref(), DeValue::Table(_)) {
            return Self(Nested::<HeaderSection>::read(reader, path, value).0);
        }
        Self(HeaderSection {
            value: Field::read(reader, path, value),
            ..HeaderSection::default()
        })
    }

    fn keys(path: &str, out: &mut Vec<String>) {
        HeaderSection::section_keys(path, out);
    }
}

/// Which names a family's metrics have, by family.
#[derive(Clone, Debug, Default)]
pub(super) struct Names(pub(super) BTreeMap<Family, Setting<Vec<String>>>);

impl Field for Names {
    fn read(reader: &mut Reader, path: &str, value: Spanned<DeValue<'_>>) -> Self {
        let Some(table) = reader.table(path, value) else {
            return Self::default();
        };
        let mut names = BTreeMap::new();
        for (key, value) in table {
            let Some(family) = Family::ALL.iter().copied().find(|family| family.key() == key.get_ref()) else {
                reader.unknown(path, &key, Family::ALL.iter().map(|family| family.key()));
                continue;
            };
            let read: Key<Vec<String>> = Field::read(reader, &join(path, family.key()), value);
            names.extend(read.map(|setting| (family, setting)));
        }
        Self(names)
    }

    fn keys(path: &str, out: &mut Vec<String>) {
        out.extend(Family::ALL.iter().map(|family| join(path, family.key())));
    }
}

impl NatsSection {
    /// Where its first login key stands, in order of precedence.
    pub(super) fn login(&self) -> Option<&Origin> {
        [
            &self.user,
            &self.password,
            &self.password_env,
            &self.password_file,
            &self.creds,
            &self.nkey,
            &self.user_jwt,
            &self.user_jwt_env,
            &self.user_jwt_file,
            &self.user_seed,
            &self.user_seed_env,
            &self.user_seed_file,
            &self.token,
            &self.token_env,
            &self.token_file,
        ]
        .into_iter()
        .find_map(|key| key.as_ref().map(|setting| &setting.origin))
    }

    /// Whether it says anything of where NATS is or how to log in.
    pub(super) fn is_set(&self) -> bool {
        self.login().is_some()
            || self.url.is_some()
            || self.context.is_some()
            || [
                &self.ca,
                &self.cert,
                &self.key,
                &self.inbox_prefix,
                &self.jetstream_domain,
            ]
            .into_iter()
            .chain([&self.jetstream_api_prefix, &self.monitoring])
            .any(Option::is_some)
            || self.tls_first.is_some()
    }
}

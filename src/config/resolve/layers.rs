//! The command line and the environment as layers of the same sections as the file.

use super::Overrides;
use crate::config::document::{Key, Setting};
use crate::config::paths::Surroundings;
use crate::config::problem::Origin;
use crate::config::profile::Environment;
use crate::config::schema::{
    ConsoleSection, MetricsSection, NatsSection, PipelineSection, PostgresSection, ProfileSection, TargetSection,
    Targets,
};

/// A variable as a setting.
pub(super) fn variable(surroundings: &Surroundings<'_>, name: &str) -> Key<String> {
    surroundings
        .variable(name)
        .map(|value| Setting::new(value.to_owned(), Origin::Variable(name.into())))
}

fn flag(value: Option<&String>, name: &'static str) -> Key<String> {
    value.map(|value| Setting::new(value.clone(), Origin::Flag(name)))
}

/// The command line as a layer.
pub(super) fn flags(overrides: &Overrides) -> ProfileSection {
    let mut layer = ProfileSection::default();
    layer.nats.0 = NatsSection {
        url: flag(overrides.nats.as_ref(), "--nats").map(|url| Setting::new(vec![url.value], url.origin)),
        context: flag(overrides.context.as_ref(), "--context"),
        creds: flag(overrides.creds.as_ref(), "--creds"),
        monitoring: flag(overrides.monitoring.as_ref(), "--monitoring"),
        ..NatsSection::default()
    };
    layer.pipeline.0 = PipelineSection {
        stream: flag(overrides.stream.as_ref(), "--stream"),
        consumer: flag(overrides.consumer.as_ref(), "--consumer"),
        dlq: flag(overrides.dlq.as_ref(), "--dlq"),
    };
    layer.postgres.0 = PostgresSection {
        url: flag(overrides.postgres.as_ref(), "--postgres"),
        ..PostgresSection::default()
    };
    layer.metrics.0 = MetricsSection {
        targets: named_targets(overrides.metrics.iter().map(String::as_str), &Origin::Flag("--metrics")),
        ..MetricsSection::default()
    };
    layer.probes = named_targets(overrides.probes.iter().map(String::as_str), &Origin::Flag("--probe"));
    layer.read_only = overrides
        .read_only
        .then(|| Setting::new(true, Origin::Flag("--read-only")));
    layer
}

/// The environment as a layer.
pub(super) fn environment(surroundings: &Surroundings<'_>) -> ProfileSection {
    let get = |name: &str| variable(surroundings, name);
    let mut layer = ProfileSection::default();
    layer.nats.0 = NatsSection {
        url: get("HOOKWATCH_NATS")
            .or_else(|| get("NATS_URL"))
            .map(|url| Setting::new(vec![url.value], url.origin)),
        context: get("HOOKWATCH_CONTEXT"),
        creds: get("HOOKWATCH_CREDS"),
        monitoring: get("HOOKWATCH_MONITORING"),
        ..NatsSection::default()
    };
    layer.pipeline.0 = PipelineSection {
        stream: get("HOOKWATCH_STREAM"),
        consumer: get("HOOKWATCH_CONSUMER"),
        dlq: get("HOOKWATCH_DLQ"),
    };
    layer.postgres.0 = PostgresSection {
        url: get("HOOKWATCH_POSTGRES").or_else(|| get("DATABASE_URL")),
        ..PostgresSection::default()
    };
    layer.metrics.0 = MetricsSection {
        targets: get("HOOKWATCH_METRICS").and_then(|list| listed_targets(&list)),
        ..MetricsSection::default()
    };
    layer.probes = get("HOOKWATCH_PROBES").and_then(|list| listed_targets(&list));
    layer.read_only = get("HOOKWATCH_READ_ONLY").map(|on| Setting::new(is_on(&on.value), on.origin));
    layer
}

/// The flags given that say where something is.
pub(super) fn link_flags(overrides: &Overrides) -> Vec<&'static str> {
    let given = [
        (overrides.context.is_some(), "--context"),
        (overrides.nats.is_some(), "--nats"),
        (overrides.creds.is_some(), "--creds"),
        (overrides.monitoring.is_some(), "--monitoring"),
        (!overrides.metrics.is_empty(), "--metrics"),
        (!overrides.probes.is_empty(), "--probe"),
        (overrides.postgres.is_some(), "--postgres"),
        (overrides.stream.is_some(), "--stream"),
        (overrides.consumer.is_some(), "--consumer"),
        (overrides.dlq.is_some(), "--dlq"),
    ];
    let given = given.into_iter().filter(|(given, _)| *given);
    given.map(|(_, flag)| flag).collect()
}

/// Variables that say where something is. What else libpq reads completes a URL, and makes none.
const LINKS: [&str; 15] = [
    "HOOKWATCH_NATS",
    "NATS_URL",
    "HOOKWATCH_CONTEXT",
    "HOOKWATCH_CREDS",
    "HOOKWATCH_MONITORING",
    "HOOKWATCH_STREAM",
    "HOOKWATCH_CONSUMER",
    "HOOKWATCH_DLQ",
    "HOOKWATCH_METRICS",
    "HOOKWATCH_PROBES",
    "HOOKWATCH_POSTGRES",
    "DATABASE_URL",
    "PGHOST",
    "PGHOSTADDR",
    "PGDATABASE",
];

/// The environment without the variables that say where something is, and which of them were set.
pub(super) fn without_links(surroundings: &Surroundings<'_>) -> (Environment, Vec<&'static str>) {
    let mut environment = surroundings.environment.clone();
    let set = LINKS
        .into_iter()
        .filter(|name| environment.remove(*name).is_some_and(|value| !value.is_empty()))
        .collect();
    (environment, set)
}

/// Targets in one variable, with commas or blanks between them.
fn listed_targets(list: &Setting<String>) -> Option<Targets> {
    let urls = list
        .value
        .split(|c: char| c == ',' || c.is_whitespace())
        .filter(|url| !url.is_empty());
    named_targets(urls, &list.origin)
}

/// Targets given as `URL` or `NAME=URL`.
fn named_targets<'a>(entries: impl Iterator<Item = &'a str>, origin: &Origin) -> Option<Targets> {
    let targets: Vec<TargetSection> = entries
        .map(|entry| {
            let named = entry
                .split_once('=')
                .filter(|(name, _)| !name.is_empty() && !name.contains(['/', ':', '?', '@']));
            let (name, url) = named.map_or((None, entry), |(name, url)| (Some(name), url));
            TargetSection {
                name: name.map(|name| Setting::new(name.to_owned(), origin.clone())),
                url: Some(Setting::new(url.to_owned(), origin.clone())),
                ..TargetSection::default()
            }
        })
        .collect();
    (!targets.is_empty()).then(|| Setting::new(targets, origin.clone()))
}

/// A switch in the environment is on unless it says that it is off.
fn is_on(value: &str) -> bool {
    !matches!(value.to_lowercase().as_str(), "0" | "false" | "no" | "off")
}

pub(super) fn console_flags(overrides: &Overrides) -> ConsoleSection {
    ConsoleSection {
        colours: None,
        theme: flag(overrides.theme.as_ref(), "--theme"),
        ascii: overrides.ascii.then(|| Setting::new(true, Origin::Flag("--ascii"))),
        mouse: overrides
            .no_mouse
            .then(|| Setting::new(false, Origin::Flag("--no-mouse"))),
        time: overrides.utc.map(|utc| {
            let (zone, flag) = if utc { ("utc", "--utc") } else { ("local", "--local") };
            Setting::new(zone.to_owned(), Origin::Flag(flag))
        }),
    }
}

pub(super) fn console_environment(surroundings: &Surroundings<'_>) -> ConsoleSection {
    let switch = |name: &str| variable(surroundings, name).map(|on| Setting::new(is_on(&on.value), on.origin));
    ConsoleSection {
        colours: variable(surroundings, "HOOKWATCH_COLOURS"),
        theme: variable(surroundings, "HOOKWATCH_THEME"),
        ascii: switch("HOOKWATCH_ASCII"),
        mouse: switch("HOOKWATCH_MOUSE"),
        time: variable(surroundings, "HOOKWATCH_TIME"),
    }
}

/// Every variable of ours, to find misspelt ones.
pub(super) const VARIABLES: [&str; 19] = [
    "HOOKWATCH_ASCII",
    "HOOKWATCH_COLOURS",
    "HOOKWATCH_CONFIG",
    "HOOKWATCH_CONSUMER",
    "HOOKWATCH_CONTEXT",
    "HOOKWATCH_CREDS",
    "HOOKWATCH_DLQ",
    "HOOKWATCH_LOG",
    "HOOKWATCH_METRICS",
    "HOOKWATCH_MONITORING",
    "HOOKWATCH_MOUSE",
    "HOOKWATCH_NATS",
    "HOOKWATCH_POSTGRES",
    "HOOKWATCH_PROBES",
    "HOOKWATCH_PROFILE",
    "HOOKWATCH_READ_ONLY",
    "HOOKWATCH_STREAM",
    "HOOKWATCH_THEME",
    "HOOKWATCH_TIME",
];

//! Metrics endpoints: URLs, logins, headers, names.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use super::secrets::{SecretKeys, learn};
use super::{Resolver, pick};
use crate::base::text::{self, UNKNOWN};
use crate::config::document::{Key, Setting};
use crate::config::duration::format_duration;
use crate::config::endpoint::{Endpoint, http, names_a_secret};
use crate::config::link::{Discovery, HttpAuth, Target};
use crate::config::problem::{Origin, Problem};
use crate::config::schema::{ProfileSection, TargetSection};

/// A scrape that takes longer has failed, so that a dead target is seen within 3 s.
const TIMEOUT: Duration = Duration::from_millis(1_500);

/// Scraping more often than this would load what is watched.
const SHORTEST: Duration = Duration::from_millis(100);

/// How often a probe is asked, and how long its answer may take.
const PROBE_INTERVAL: Duration = Duration::from_secs(5);
const PROBE_TIMEOUT: Duration = Duration::from_secs(3);

/// An endpoint that the configuration names.
struct Found<'a> {
    section: &'a TargetSection,
    url: &'a Setting<String>,
    endpoint: Endpoint,
    discovery: Discovery,
}

/// What an entry stands for, and the URL in it. Of a file with targets the URL says what they share.
fn discovery(entry: &str) -> (Discovery, String) {
    let entry = entry.trim();
    if let Some(url) = entry.strip_prefix("dns+") {
        return (Discovery::Dns, url.to_owned());
    }
    let path = entry.strip_prefix("file_sd:");
    let plain = || {
        (!entry.contains("://") && [".json", ".yml", ".yaml"].iter().any(|end| entry.ends_with(end))).then_some(entry)
    };
    match path.or_else(plain) {
        Some(path) => (Discovery::File(path.into()), "http://file.invalid/metrics".to_owned()),
        None => (Discovery::One, entry.to_owned()),
    }
}

/// Longest name of a target, in columns.
const NAME_WIDTH: usize = 60;

impl Resolver<'_> {
    /// The endpoints of the first layer that lists any.
    pub(super) fn targets(&mut self, layers: &[ProfileSection]) -> Vec<Target> {
        let Some(list) = pick(layers, |layer| &layer.metrics.0.targets) else {
            self.show("metrics", UNKNOWN, &Origin::Default);
            return Vec::new();
        };
        let interval = pick(layers, |layer| &layer.metrics.0.interval);
        let timeout = pick(layers, |layer| &layer.metrics.0.timeout);
        // Many targets are spread, so that scraping them stays cheap: 200 a second at most.
        let spread = Duration::from_secs_f64((list.value.len() as f64 / 200.0).max(1.0));
        let default_interval = interval.unwrap_or(Setting::new(spread, Origin::Default));
        let default_timeout = timeout.unwrap_or(Setting::new(TIMEOUT, Origin::Default));

        let own = list.value.iter().filter_map(|section| section.interval.as_ref());
        for interval in own.chain([&default_interval]) {
            self.at_least("metrics.interval", interval, SHORTEST);
        }

        let mut endpoints = Vec::new();
        for section in &list.value {
            let Some(url) = &section.url else { continue };
            let (discovery, address) = discovery(&url.value);
            match http(&address, "/metrics") {
                Ok(endpoint) => {
                    let federation =
                        discovery == Discovery::One && endpoint.path.split('?').next() == Some("/federate");
                    let discovery = if federation { Discovery::Federation } else { discovery };
                    endpoints.push(Found {
                        section,
                        url,
                        endpoint,
                        discovery,
                    });
                }
                Err(bad) => self.bad_url("metrics", &url.origin, &bad),
            }
        }
        let names = self.names(&endpoints, "metrics");
        if endpoints.is_empty() {
            self.show("metrics", UNKNOWN, &list.origin);
        }
        let targets = endpoints
            .into_iter()
            .zip(names)
            .map(|(found, name)| self.target("metrics", found, name, (&default_interval, &default_timeout)))
            .collect();
        self.show(
            "metrics.interval",
            format_duration(default_interval.value),
            &default_interval.origin,
        );
        self.show(
            "metrics.timeout",
            format_duration(default_timeout.value),
            &default_timeout.origin,
        );
        targets
    }

    /// The health endpoints of the first layer that lists any.
    pub(super) fn probes(&mut self, layers: &[ProfileSection]) -> Vec<Target> {
        let Some(list) = pick(layers, |layer| &layer.probes) else {
            return Vec::new();
        };
        let defaults = (
            Setting::new(PROBE_INTERVAL, Origin::Default),
            Setting::new(PROBE_TIMEOUT, Origin::Default),
        );
        let mut endpoints = Vec::new();
        for section in &list.value {
            if let Some(interval) = &section.interval {
                self.at_least("probes.interval", interval, SHORTEST);
            }
            let Some(url) = &section.url else { continue };
            match http(&url.value, "/health") {
                Ok(endpoint) => endpoints.push(Found {
                    section,
                    url,
                    endpoint,
                    discovery: Discovery::One,
                }),
                Err(bad) => self.bad_url("probes", &url.origin, &bad),
            }
        }
        let names = self.names(&endpoints, "health");
        endpoints
            .into_iter()
            .zip(names)
            .map(|(found, name)| self.target("probes", found, name, (&defaults.0, &defaults.1)))
            .collect()
    }

    fn target(
        &mut self,
        group: &str,
        found: Found<'_>,
        name: String,
        (interval, timeout): (&Setting<Duration>, &Setting<Duration>),
    ) -> Target {
        let Found {
            section,
            url,
            endpoint,
            discovery,
        } = found;
        let shown = match &discovery {
            Discovery::One => endpoint.url.clone(),
            Discovery::Dns => format!("every address of {}", endpoint.url),
            Discovery::File(path) => format!("the targets in {}", path.display()),
            Discovery::Federation => format!("every instance in {}", endpoint.url),
        };
        self.show(format!("{group}.{name}"), shown, &url.origin);
        for secret in &endpoint.query_secrets {
            learn(&mut self.redactor, secret);
        }
        let prefix = format!("{group}.{name}.");
        let tls = self.tls(
            &prefix,
            section.ca.as_ref(),
            section.cert.as_ref(),
            section.key.as_ref(),
        );
        Target {
            auth: self.http_auth(section, url, &endpoint, &prefix),
            headers: self.headers(section, &prefix),
            name: Arc::from(name),
            url: endpoint.url,
            discovery,
            tls,
            interval: section.interval.as_ref().map_or(interval.value, |own| own.value),
            timeout: section.timeout.as_ref().map_or(timeout.value, |own| own.value),
        }
    }

    fn http_auth(
        &mut self,
        section: &TargetSection,
        url: &Setting<String>,
        endpoint: &Endpoint,
        prefix: &str,
    ) -> Option<HttpAuth> {
        let bearer = self.secret(SecretKeys {
            name: "bearer",
            inline: &section.bearer,
            variable: &section.bearer_env,
            file: &section.bearer_file,
        });
        let basic = self.basic(section, url, endpoint, prefix);
        match (bearer, basic) {
            (Some(bearer), Some(_)) => {
                let what = format!("{prefix}bearer and a user with a password exclude each other");
                self.problem(Problem::new(&bearer.origin, what).next("keep one of them"));
                None
            }
            (Some(bearer), None) => {
                self.show(
                    format!("{prefix}login"),
                    format!("bearer {}", bearer.told),
                    &bearer.origin,
                );
                Some(HttpAuth::Bearer(bearer.secret))
            }
            (None, Some((user, password))) => Some(HttpAuth::Basic(user, password)),
            (None, None) => None,
        }
    }

    fn basic(
        &mut self,
        section: &TargetSection,
        url: &Setting<String>,
        endpoint: &Endpoint,
        prefix: &str,
    ) -> Option<(String, SecretString)> {
        let keys = SecretKeys {
            name: "password",
            inline: &section.basic.password,
            variable: &section.basic.password_env,
            file: &section.basic.password_file,
        };
        let user = section.basic.user.as_ref();
        let given = user.is_some() || keys.is_given();
        let (user, password, told, origin) = match (&endpoint.login, user) {
            (Some(_), _) if given => {
                let what = format!("{prefix}basic is given, and the URL has credentials too");
                self.problem(Problem::new(&url.origin, what).next("keep one of them"));
                return None;
            }
            (Some((user, password)), _) => {
                self.warn_of_inline("password", &url.origin);
                (
                    user.clone(),
                    password.clone(),
                    "in the URL".to_owned(),
                    url.origin.clone(),
                )
            }
            (None, Some(user)) if keys.is_given() => {
                let found = self.secret(keys)?;
                (user.value.clone(), found.secret, found.told, user.origin.clone())
            }
            (None, _) if given => {
                let what = format!("{prefix}basic wants a user and a password");
                self.problem(Problem::new(&url.origin, what));
                return None;
            }
            (None, _) => return None,
        };
        self.learn_basic(&user, &password);
        self.show(
            format!("{prefix}login"),
            format!("user `{user}`, password {told}"),
            &origin,
        );
        Some((user, password))
    }

    fn headers(&mut self, section: &TargetSection, prefix: &str) -> Vec<(String, SecretString)> {
        let mut headers = Vec::new();
        for (name, header) in &section.headers {
            let header = &header.0;
            let given = [&header.value, &header.env, &header.file]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>();
            let [setting] = given.as_slice() else {
                if let Some(setting) = given.first() {
                    let what = format!("{prefix}headers.{} wants one of value, env and file", text::safe(name));
                    self.problem(Problem::new(&setting.origin, what));
                }
                continue;
            };
            let fine = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
            if !fine {
                let what = format!("`{}` is no name of a header", text::safe(name));
                self.problem(Problem::new(&setting.origin, what));
                continue;
            }
            let value = if header.env.is_some() {
                self.variable_secret(name, setting).map(|found| found.secret)
            } else if header.file.is_some() {
                self.file_secret(name, setting).map(|found| found.secret)
            } else {
                if names_a_secret(name) {
                    learn(&mut self.redactor, &setting.value);
                    let hint = format!(
                        "whoever can read this file can see {name}; write {{ env = \"…\" }} or {{ file = \"…\" }} instead"
                    );
                    self.warn(&setting.origin, &hint);
                }
                Some(setting.value.clone().into())
            };
            headers.extend(value.map(|value| (name.clone(), value)));
        }
        if !headers.is_empty() {
            let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
            let origin = section.url.as_ref().map_or(Origin::Default, |url| url.origin.clone());
            self.show(format!("{prefix}headers"), names.join(", "), &origin);
        }
        headers
    }

    /// One name for each endpoint: its own, else `host:port`, else, where several share that, the
    /// path, else all of it.
    fn names(&mut self, endpoints: &[Found<'_>], kind: &str) -> Vec<String> {
        let mut at_address: BTreeMap<&str, usize> = BTreeMap::new();
        let mut with_path: BTreeMap<&str, usize> = BTreeMap::new();
        for Found { endpoint, .. } in endpoints {
            *at_address.entry(&endpoint.address).or_default() += 1;
            *with_path.entry(&endpoint.path).or_default() += 1;
        }
        let mut names: Vec<String> = Vec::new();
        for found in endpoints {
            let Found {
                section, url, endpoint, ..
            } = found;
            let name = match &section.name {
                Some(own) => self.target_name(own),
                None if let Discovery::File(path) = &found.discovery => {
                    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
                }
                None if at_address.get(endpoint.address.as_str()) == Some(&1) => endpoint.address.clone(),
                None if with_path.get(endpoint.path.as_str()) == Some(&1) => endpoint.path.clone(),
                None => format!("{}{}", endpoint.address, endpoint.path),
            };
            if names.contains(&name) {
                let at: &Key<String> = &section.name;
                let origin = at.as_ref().map_or(&url.origin, |own| &own.origin);
                let what = format!("two {kind} endpoints are called `{}`", text::safe(&name));
                self.problem(Problem::new(origin, what).next("give each a name of its own"));
            }
            names.push(name);
        }
        names
    }

    fn target_name(&mut self, own: &Setting<String>) -> String {
        let name = own.value.trim();
        if name.is_empty() || text::safe(name) != name || text::width(name) > NAME_WIDTH {
            let what = format!("a target's name wants 1 to {NAME_WIDTH} printable characters");
            self.problem(Problem::new(&own.origin, what));
        }
        name.to_owned()
    }
}

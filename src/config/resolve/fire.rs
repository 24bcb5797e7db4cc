//! Test webhooks: the target, where keys are, how one is followed.

use std::collections::BTreeMap;
use std::time::Duration;

use super::secrets::learn;
use super::{Resolver, pick};
use crate::base::text;
use crate::config::document::Setting;
use crate::config::duration::format_duration;
use crate::config::problem::Problem;
use crate::config::profile::{Fire, SecretPlace, TraceSettings};
use crate::config::schema::{ProfileSection, SecretField};

/// What stands for the template's provider in a URL.
const PROVIDER: &str = "{provider}";

impl Resolver<'_> {
    /// Test webhooks. Nothing of it is needed to watch, so no key is looked up.
    pub(super) fn fire(&mut self, layers: &[ProfileSection]) -> Fire {
        let url = pick(layers, |layer| &layer.fire.url).and_then(|setting| self.fire_url(&setting));
        let allow = pick(layers, |layer| &layer.fire.allow);
        if let Some(allow) = &allow {
            self.show("fire.allow", allow.value.join(", "), &allow.origin);
        }
        let mut secrets = BTreeMap::new();
        let mut schemes = BTreeMap::new();
        for layer in layers {
            for (provider, field) in &layer.fire.secrets {
                if !secrets.contains_key(provider)
                    && let Some(place) = self.secret_place(provider, field)
                {
                    secrets.insert(provider.clone(), place);
                }
            }
            for (provider, scheme) in &layer.fire.schemes {
                if let Some(scheme) = scheme
                    && !schemes.contains_key(provider)
                {
                    self.show(format!("fire.schemes.{provider}"), scheme.value.clone(), &scheme.origin);
                    schemes.insert(provider.clone(), scheme.value.clone());
                }
            }
        }
        Fire {
            url,
            allow: allow.map_or_else(Vec::new, |setting| setting.value),
            secrets,
            schemes,
            trace: self.trace(layers),
        }
    }

    fn fire_url(&mut self, setting: &Setting<String>) -> Option<String> {
        let reason = match url::Url::parse(&setting.value.replace(PROVIDER, "provider")) {
            Ok(url) if !url.username().is_empty() || url.password().is_some() => {
                learn(&mut self.redactor, url.password().unwrap_or_default());
                "it holds credentials, which would stand here in clear"
            }
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => {
                self.show("fire.url", setting.value.clone(), &setting.origin);
                return Some(setting.value.clone());
            }
            _ => "it is no http:// or https:// URL",
        };
        let what = format!("the URL of `fire.url` cannot be used: {reason}");
        let next = "write it like https://host/webhooks/{provider}";
        self.problem(Problem::new(&setting.origin, what).next(next));
        None
    }

    fn secret_place(&mut self, provider: &str, field: &SecretField) -> Option<SecretPlace> {
        let key = format!("fire.secrets.{provider}");
        let (place, shown, origin) = match (&field.section.env, &field.section.file) {
            (Some(variable), None) => {
                // Known already, it is masked wherever it turns up.
                if let Some(value) = self.surroundings.variable(&variable.value) {
                    learn(&mut self.redactor, value);
                }
                let shown = format!("from ${}", variable.value);
                (SecretPlace::Variable(variable.value.clone()), shown, &variable.origin)
            }
            (None, Some(file)) => {
                let path = self.path(&key, file)?;
                let shown = format!("from {}", path.display());
                (SecretPlace::File(path), shown, &file.origin)
            }
            _ => {
                if let Some(origin) = &field.origin {
                    let what = format!("`{}` wants one of env and file", text::safe(&key));
                    self.problem(Problem::new(origin, what).next("name where the key is"));
                }
                return None;
            }
        };
        self.show(key, shown, origin);
        Some(place)
    }

    fn trace(&mut self, layers: &[ProfileSection]) -> TraceSettings {
        let mut text = |name: &str, key: Option<Setting<String>>| {
            let setting = key?;
            self.show(format!("fire.trace.{name}"), setting.value.clone(), &setting.origin);
            Some(setting.value)
        };
        let mut settings = TraceSettings {
            header: text("header", pick(layers, |layer| &layer.fire.trace.header)),
            path: text("path", pick(layers, |layer| &layer.fire.trace.path)),
            sequence: text("sequence", pick(layers, |layer| &layer.fire.trace.sequence)),
            query: text("query", pick(layers, |layer| &layer.fire.trace.query)),
            within: None,
        };
        settings.within = pick(layers, |layer| &layer.fire.trace.within).map(|setting| {
            self.at_least("fire.trace.within", &setting, Duration::from_millis(100));
            self.show("fire.trace.within", format_duration(setting.value), &setting.origin);
            setting.value
        });
        settings
    }
}

//! What the pipeline's parts and metrics are called, and when to raise an alarm.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::nats::has_blank;
use super::{Resolver, pick};
use crate::base::text;
use crate::config::document::{Key, Setting};
use crate::config::duration::format_duration;
use crate::config::family::{Families, Family};
use crate::config::problem::{Origin, Problem, suggest};
use crate::config::profile::{AlertLevel, Alerts, Pipeline, Thresholds, VERDICTS};
use crate::config::schema::ProfileSection;

impl Resolver<'_> {
    /// The names of stream, consumer and dead letter stream.
    pub(super) fn pipeline(&mut self, layers: &[ProfileSection]) -> Pipeline {
        Pipeline {
            stream: self.part("pipeline.stream", pick(layers, |layer| &layer.pipeline.stream)),
            consumer: self.part("pipeline.consumer", pick(layers, |layer| &layer.pipeline.consumer)),
            dlq: self.part("pipeline.dlq", pick(layers, |layer| &layer.pipeline.dlq)),
        }
    }

    /// The rules of the server for names of streams and consumers.
    fn part(&mut self, key: &str, setting: Key<String>) -> Option<Arc<str>> {
        self.show_key(key, setting.as_ref());
        let setting = setting?;
        let name = setting.value.as_str();
        if name.is_empty() || has_blank(name) || name.contains(['.', '*', '>', '/', '\\']) {
            let what = format!("{key} is no name of a stream or consumer: no blanks and none of . * > / \\");
            self.problem(Problem::new(&setting.origin, what).next("give the name, not the subject"));
            return None;
        }
        Some(name.into())
    }

    /// The names of metrics: a family's names, where given, replace its default ones.
    pub(super) fn families(&mut self, layers: &[ProfileSection]) -> Families {
        let mut given: BTreeMap<Family, &Setting<Vec<String>>> = BTreeMap::new();
        for layer in layers {
            for (family, names) in &layer.metrics.0.names.0 {
                given.entry(*family).or_insert(names);
            }
        }
        let mut families = Families::default();
        families.names.retain(|_, family| !given.contains_key(family));
        for (family, setting) in given {
            self.show(
                format!("metrics.names.{}", family.key()),
                setting.value.join(", "),
                &setting.origin,
            );
            for name in &setting.value {
                self.metric_name(&mut families, family, name, &setting.origin);
            }
        }
        families
    }

    fn metric_name(&mut self, families: &mut Families, family: Family, name: &str, origin: &Origin) {
        if name.is_empty() || has_blank(name) {
            self.problem(Problem::new(
                origin,
                format!("metrics.names.{}: a name is empty or has blanks", family.key()),
            ));
            return;
        }
        if let Some(other) = families.names.insert(name.into(), family)
            && other != family
        {
            let what = format!(
                "the metric `{}` is given to both `{}` and `{}`",
                text::safe(name),
                other.key(),
                family.key()
            );
            self.problem(Problem::new(origin, what).next("a metric can mean one thing only"));
        }
    }

    /// The thresholds, each checked.
    pub(super) fn thresholds(&mut self, layers: &[ProfileSection]) -> Thresholds {
        let default = Thresholds::default();
        let warning = self.time(
            "lag_warning",
            pick(layers, |l| &l.thresholds.lag_warning),
            default.lag.0,
        );
        let critical = self.time(
            "lag_critical",
            pick(layers, |l| &l.thresholds.lag_critical),
            default.lag.1,
        );
        if warning.value > critical.value {
            let at = if warning.origin == Origin::Default {
                &critical
            } else {
                &warning
            };
            let what = format!(
                "thresholds.lag_warning ({}) is above lag_critical ({})",
                format_duration(warning.value),
                format_duration(critical.value)
            );
            self.problem(Problem::new(&at.origin, what).next("set both"));
        }
        Thresholds {
            lag: (warning.value, critical.value),
            lag_set: warning.origin != Origin::Default || critical.origin != Origin::Default,
            success_ratio: self.ratio(
                "success_ratio",
                pick(layers, |l| &l.thresholds.success_ratio),
                default.success_ratio,
            ),
            latency: self
                .time("latency", pick(layers, |l| &l.thresholds.latency), default.latency)
                .value,
            worker_inactive: self
                .time(
                    "worker_inactive",
                    pick(layers, |l| &l.thresholds.worker_inactive),
                    default.worker_inactive,
                )
                .value,
            error_ratio: self.ratio(
                "error_ratio",
                pick(layers, |l| &l.thresholds.error_ratio),
                default.error_ratio,
            ),
            headroom: self.ratio("headroom", pick(layers, |l| &l.thresholds.headroom), default.headroom),
        }
    }

    /// Where it says what to do, by a verdict's id.
    pub(super) fn runbooks(&mut self, layers: &[ProfileSection]) -> BTreeMap<Arc<str>, Arc<str>> {
        let mut out: BTreeMap<Arc<str>, Arc<str>> = BTreeMap::new();
        for (id, setting) in layers.iter().flat_map(|layer| &layer.runbooks) {
            let Some(setting) = setting else { continue };
            let key = format!("runbooks.{}", text::safe(id));
            if !VERDICTS.contains(&id.as_str()) {
                let what = format!("`{key}`: there is no verdict of that name");
                self.problem(Problem::new(&setting.origin, what).next(suggest(id, VERDICTS.iter().copied())));
                continue;
            }
            if out.contains_key(id.as_str()) {
                continue;
            }
            let url = text::safe(&setting.value).into_owned();
            self.show(key, url.clone(), &setting.origin);
            out.insert(id.as_str().into(), url.into());
        }
        out
    }

    /// Who is told of alarms.
    pub(super) fn alerts(&mut self, layers: &[ProfileSection]) -> Alerts {
        let default = Alerts::default();
        let command = pick(layers, |layer| &layer.on_alert);
        if let Some(setting) = &command {
            if setting.value.first().is_none_or(|program| program.trim().is_empty()) {
                let what = "`on_alert` names no command";
                self.problem(
                    Problem::new(&setting.origin, what).next("write it like [\"notify-send\", \"hookwatch\"]"),
                );
            }
            // Its arguments may hold a secret.
            let program = setting.value.first().cloned().unwrap_or_default();
            self.show("on_alert", text::safe(&program).into_owned(), &setting.origin);
        }
        let least = pick(layers, |layer| &layer.alerts.least);
        let least = least.unwrap_or(Setting::new("warning".to_owned(), Origin::Default));
        self.show("alerts.least", text::safe(&least.value).into_owned(), &least.origin);
        let level = match least.value.as_str() {
            "info" => AlertLevel::Info,
            "warning" => AlertLevel::Warning,
            "critical" => AlertLevel::Critical,
            other => {
                let problem = Problem::new(&least.origin, "`alerts.least` is none of `info`, `warning`, `critical`");
                self.problem(problem.next(suggest(other, ["info", "warning", "critical"])));
                default.least
            }
        };
        let timeout = pick(layers, |layer| &layer.alerts.timeout);
        let interval = pick(layers, |layer| &layer.alerts.interval);
        Alerts {
            command: command.map(|setting| setting.value).unwrap_or_default(),
            timeout: self.span("alerts.timeout", timeout, default.timeout).value,
            interval: self.span("alerts.interval", interval, default.interval).value,
            least: level,
            bell: self.switch("alerts.bell", pick(layers, |layer| &layer.alerts.bell), default.bell),
            notify: self.switch(
                "alerts.notify",
                pick(layers, |layer| &layer.alerts.notify),
                default.notify,
            ),
        }
    }

    fn time(&mut self, key: &str, setting: Key<Duration>, default: Duration) -> Setting<Duration> {
        self.span(&format!("thresholds.{key}"), setting, default)
    }

    fn span(&mut self, key: &str, setting: Key<Duration>, default: Duration) -> Setting<Duration> {
        let setting = setting.unwrap_or(Setting::new(default, Origin::Default));
        self.show(key, format_duration(setting.value), &setting.origin);
        setting
    }

    fn ratio(&mut self, key: &str, setting: Key<f64>, default: f64) -> f64 {
        let setting = setting.unwrap_or(Setting::new(default, Origin::Default));
        if !(0.0..=1.0).contains(&setting.value) {
            let what = format!("thresholds.{key} wants a ratio from 0 to 1");
            self.problem(Problem::new(&setting.origin, what).next("write 5 % as 0.05"));
        }
        self.show(format!("thresholds.{key}"), setting.value.to_string(), &setting.origin);
        setting.value
    }
}

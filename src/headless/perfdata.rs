//! Performance data as monitoring plug-ins write it: `'label'=value[unit];[warn];[crit];[min];[max]`.

use std::borrow::Cow;
use std::fmt;

use super::json::Number;

/// One figure of a check.
#[derive(Clone, Debug, PartialEq)]
pub struct Perfdata {
    /// Its label: a word without quotes and equals signs.
    pub label: Cow<'static, str>,
    /// Its value; a figure that is not known is written `U`.
    pub value: Number,
    /// `s` or nothing.
    pub unit: &'static str,
    /// Where the warning and the critical range begin.
    pub limits: Option<(f64, f64)>,
}

impl Perfdata {
    /// A figure without limits.
    #[must_use]
    pub fn new(label: &'static str, value: Option<f64>, unit: &'static str) -> Self {
        Self {
            label: Cow::Borrowed(label),
            value: Number(value),
            unit,
            limits: None,
        }
    }

    /// The same of one of several profiles: `profile.label`. What a label cannot hold becomes `-`.
    #[must_use]
    pub fn of(self, profile: &str) -> Self {
        let word = |c: char| {
            if c.is_alphanumeric() || "-_.".contains(c) {
                c
            } else {
                '-'
            }
        };
        let profile: String = profile.chars().map(word).collect();
        Self {
            label: format!("{profile}.{}", self.label).into(),
            ..self
        }
    }

    /// The same with limits.
    #[must_use]
    pub fn limits(mut self, warning: f64, critical: f64) -> Self {
        self.limits = Some((warning, critical));
        self
    }
}

impl fmt::Display for Perfdata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The convention: `U` alone where the value could not be determined.
        let Some(value) = self.value.value() else {
            return write!(f, "{}=U", self.label);
        };
        write!(f, "{}={}{}", self.label, plain(value), self.unit)?;
        match self.limits {
            Some((warning, critical)) => write!(f, ";{};{};0", plain(warning), plain(critical)),
            None => write!(f, ";;;0"),
        }
    }
}

/// A number without exponent and without needless digits.
fn plain(value: f64) -> String {
    let text = format!("{value:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn perfdata_is_written_as_plug_ins_write_it() {
        let figure = Perfdata::new("oldest", Some(8.4), "s").limits(5.0, 10.0);
        assert_eq!(figure.to_string(), "oldest=8.4s;5;10;0");
        assert_eq!(
            Perfdata::new("backlog", Some(84_210.0), "").to_string(),
            "backlog=84210;;;0"
        );
        assert_eq!(Perfdata::new("rate", Some(1.0e-9), "").to_string(), "rate=0;;;0");
        assert_eq!(
            Perfdata::new("rate", Some(1.5e12), "").to_string(),
            "rate=1500000000000;;;0"
        );
        assert_eq!(Perfdata::new("dead", None, "").to_string(), "dead=U");
        assert_eq!(Perfdata::new("dead", Some(f64::NAN), "").to_string(), "dead=U");
    }
}

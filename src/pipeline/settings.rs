//! Reading settings from the environment: every error names its variable.

use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use secrecy::SecretString;

use super::topology::Topology;
use crate::base::secret::strip_url_credentials;
use crate::base::text;
use crate::config::Environment;

/// A variable that cannot be used, why, and what would do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{variable}: {reason}")]
pub struct ConfigError {
    /// The variable's name.
    pub variable: String,
    /// What is wrong with its value, and what a right one looks like. Holds no secret.
    pub reason: String,
}

impl ConfigError {
    pub(super) fn new(variable: &str, reason: impl Into<String>) -> Self {
        Self {
            variable: variable.to_owned(),
            reason: reason.into(),
        }
    }
}

/// The environment, read with types. An empty value counts as absent.
pub(super) struct Settings<'a>(pub(super) &'a Environment);

impl Settings<'_> {
    pub(super) fn text(&self, variable: &str) -> Option<&str> {
        self.0
            .get(variable)
            .map(|value| value.trim())
            .filter(|value| !value.is_empty())
    }

    pub(super) fn secret(&self, variable: &str) -> Option<SecretString> {
        self.text(variable).map(SecretString::from)
    }

    /// A number or other parsed value; `what` says what is expected.
    pub(super) fn parsed<T: FromStr>(&self, variable: &str, default: T, what: &str) -> Result<T, ConfigError> {
        match self.text(variable) {
            None => Ok(default),
            Some(value) => value.parse().map_err(|_| {
                ConfigError::new(
                    variable,
                    format!("{:?} is not {what}", text::cut(&text::safe(value), 40)),
                )
            }),
        }
    }

    /// A whole number of at least `least`.
    pub(super) fn count(&self, variable: &str, default: usize, least: usize) -> Result<usize, ConfigError> {
        let value = self.parsed(variable, default, "a whole number")?;
        if value < least {
            return Err(ConfigError::new(variable, format!("{value} is less than {least}")));
        }
        Ok(value)
    }

    /// Milliseconds, at least 1.
    pub(super) fn millis(&self, variable: &str, default: Duration) -> Result<Duration, ConfigError> {
        let default = u64::try_from(default.as_millis()).unwrap_or(u64::MAX);
        let value = self.parsed(variable, default, "a number of milliseconds")?;
        if value == 0 {
            return Err(ConfigError::new(variable, "0 ms is no time: set 1 or more"));
        }
        Ok(Duration::from_millis(value))
    }

    /// Where to listen; a free port on the loopback by default.
    pub(super) fn listen(&self) -> Result<SocketAddr, ConfigError> {
        let default = SocketAddr::from(([127, 0, 0, 1], 0));
        self.parsed("WEBHOOK_LISTEN", default, "an address such as 127.0.0.1:8080")
    }

    /// `NATS_URL`: one server or a comma list. Parsed here so that the error names the variable.
    pub(super) fn nats(&self) -> Result<SecretString, ConfigError> {
        let list = self.text("NATS_URL").unwrap_or("nats://127.0.0.1:4222");
        for server in list.split(',') {
            async_nats::ServerAddr::from_str(server.trim()).map_err(|error| {
                let shown = strip_url_credentials(server);
                ConfigError::new(
                    "NATS_URL",
                    format!("{:?} is no server address: {error}", text::safe(&shown)),
                )
            })?;
        }
        Ok(SecretString::from(list))
    }

    /// The names of the pipeline's parts; limits keep their defaults.
    pub(super) fn topology(&self) -> Result<Topology, ConfigError> {
        let mut topology = Topology::default();
        for (variable, name) in [
            ("WEBHOOK_STREAM", &mut topology.stream),
            ("WEBHOOK_CONSUMER", &mut topology.consumer),
            ("WEBHOOK_DLQ", &mut topology.dlq),
        ] {
            if let Some(value) = self.text(variable) {
                if value.contains(|c: char| c.is_whitespace() || c.is_control() || ".*>/\\".contains(c)) {
                    return Err(ConfigError::new(
                        variable,
                        format!(
                            "{:?} is no name: no spaces, dots, wildcards or slashes",
                            text::safe(value)
                        ),
                    ));
                }
                value.clone_into(name);
            }
        }
        let batch = self.batch_size()?;
        let workers = self.count("WEBHOOK_MAX_WORKERS", 10, 1)?;
        topology.max_ack_pending = i64::try_from(workers.saturating_mul(in_flight(batch))).unwrap_or(i64::MAX);
        Ok(topology)
    }

    pub(super) fn batch_size(&self) -> Result<usize, ConfigError> {
        let size = self.count("WEBHOOK_BATCH_SIZE", 100, 1)?;
        if size > 10_000 {
            return Err(ConfigError::new(
                "WEBHOOK_BATCH_SIZE",
                format!("{size} is more than 10000"),
            ));
        }
        Ok(size)
    }
}

/// How many messages one worker holds at most: 1,000, or four batches where that is more, so that
/// one can be pulled while two are written and one is acked.
pub(super) fn in_flight(batch_size: usize) -> usize {
    batch_size.saturating_mul(4).max(1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn an_error_names_its_variable_and_hides_credentials() {
        let env = environment(&[("NATS_URL", "nats://bob:hunter2@ho st:x"), ("WEBHOOK_STREAM", "a.b")]);
        let settings = Settings(&env);
        let error = settings.nats().unwrap_err();
        assert_eq!(error.variable, "NATS_URL");
        assert!(!error.to_string().contains("hunter2"), "{error}");
        assert_eq!(settings.topology().unwrap_err().variable, "WEBHOOK_STREAM");
        let env = environment(&[("WEBHOOK_BATCH_SIZE", "0")]);
        assert_eq!(
            Settings(&env).batch_size().unwrap_err().to_string(),
            "WEBHOOK_BATCH_SIZE: 0 is less than 1"
        );
        let env = environment(&[("WEBHOOK_FLUSH_INTERVAL", "1s")]);
        let error = Settings(&env)
            .millis("WEBHOOK_FLUSH_INTERVAL", Duration::from_secs(1))
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "WEBHOOK_FLUSH_INTERVAL: \"1s\" is not a number of milliseconds"
        );
    }

    #[test]
    fn the_consumer_leaves_room_for_every_worker() {
        let env = environment(&[]);
        assert_eq!(Settings(&env).topology().unwrap().max_ack_pending, 10_000);
        let env = environment(&[("WEBHOOK_BATCH_SIZE", "1000"), ("WEBHOOK_MAX_WORKERS", "4")]);
        assert_eq!(Settings(&env).topology().unwrap().max_ack_pending, 16_000);
    }
}

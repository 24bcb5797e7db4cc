//! A worker's settings.

use std::net::SocketAddr;
use std::time::Duration;

use secrecy::SecretString;

use crate::config::Environment;
use crate::pipeline::breaker;
use crate::pipeline::settings::{ConfigError, Settings, in_flight};
use crate::pipeline::store;
use crate::pipeline::topology::Topology;

/// A worker's settings.
#[derive(Clone, Debug)]
pub struct Config {
    /// Its name: on its metrics page, at NATS, in Postgres. Two workers need two names.
    pub name: String,
    /// Where its metrics, health and ready pages are.
    pub listen: SocketAddr,
    /// NATS servers, separated by commas, credentials included.
    pub nats: SecretString,
    /// The database's URL, password included.
    pub database: SecretString,
    /// What the streams and the consumer are called, and how they are made where they are missing.
    pub topology: Topology,
    /// Webhooks in a batch at most.
    pub batch_size: usize,
    /// How long a batch that is not full waits for more.
    pub flush_interval: Duration,
    /// Webhooks per second at most; `None`: as many as it can.
    pub rate_limit: Option<f64>,
    /// Failed attempts after which a webhook is a dead letter.
    pub max_attempts: u32,
    /// Wait after the first failed attempt; doubled after every further one.
    pub retry_delay: Duration,
    /// When failures of the database stop further attempts.
    pub breaker: breaker::Limits,
    /// How long a transaction may take.
    pub database_timeout: Duration,
}

impl Config {
    /// Reads `NATS_URL`, `DATABASE_URL` (needed), `WEBHOOK_WORKER_NAME` (`worker`), `WEBHOOK_LISTEN`,
    /// `WEBHOOK_BATCH_SIZE` (100), `WEBHOOK_FLUSH_INTERVAL` (ms, 1,000), `WEBHOOK_MAX_WORKERS` (10),
    /// `WEBHOOK_RATE_LIMIT` (webhooks/s, none), `WEBHOOK_MAX_ATTEMPTS` (3), `WEBHOOK_RETRY_DELAY` (ms, 250),
    /// `WEBHOOK_BREAKER_FAILURES` (3), `WEBHOOK_BREAKER_OPEN` (ms, 1,000), `WEBHOOK_DATABASE_TIMEOUT` (ms, 5,000),
    /// `WEBHOOK_STREAM`, `WEBHOOK_CONSUMER`, `WEBHOOK_DLQ`.
    ///
    /// # Errors
    /// The first variable that cannot be used.
    pub fn from_env(environment: &Environment) -> Result<Self, ConfigError> {
        let settings = Settings(environment);
        let name = settings.text("WEBHOOK_WORKER_NAME").unwrap_or("worker").to_owned();
        let database = settings.secret("DATABASE_URL").ok_or_else(|| {
            ConfigError::new(
                "DATABASE_URL",
                "not set: give postgres://user:password@host:5432/database",
            )
        })?;
        store::options(&database, &name)?;
        let rate_limit: f64 = settings.parsed("WEBHOOK_RATE_LIMIT", 0.0, "a number of webhooks per second")?;
        if !rate_limit.is_finite() || rate_limit < 0.0 {
            return Err(ConfigError::new("WEBHOOK_RATE_LIMIT", "give 0 for no limit, or more"));
        }
        let breaker = breaker::Limits::default();
        Ok(Self {
            name,
            listen: settings.listen()?,
            nats: settings.nats()?,
            database,
            topology: settings.topology()?,
            batch_size: settings.batch_size()?,
            flush_interval: settings.millis("WEBHOOK_FLUSH_INTERVAL", Duration::from_secs(1))?,
            rate_limit: (rate_limit > 0.0).then_some(rate_limit),
            max_attempts: settings.parsed("WEBHOOK_MAX_ATTEMPTS", 3, "a number of attempts")?,
            retry_delay: settings.millis("WEBHOOK_RETRY_DELAY", Duration::from_millis(250))?,
            breaker: breaker::Limits {
                failures: settings.parsed("WEBHOOK_BREAKER_FAILURES", breaker.failures, "a number of failures")?,
                open_for: settings.millis("WEBHOOK_BREAKER_OPEN", breaker.open_for)?,
            },
            database_timeout: settings.millis("WEBHOOK_DATABASE_TIMEOUT", Duration::from_secs(5))?,
        })
    }

    /// Webhooks that are pulled at once. Under a rate limit no more than half a flush interval's
    /// worth: what this worker cannot do soon is left to others.
    pub(super) fn pull_size(&self) -> usize {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "finite and not negative"
        )]
        let paced = |rate: f64| (rate * self.flush_interval.as_secs_f64() / 2.0).ceil() as usize;
        self.rate_limit
            .map_or(self.batch_size, |rate| paced(rate).clamp(1, self.batch_size))
    }

    /// Webhooks that are held at most.
    pub(super) fn in_flight(&self) -> usize {
        if self.rate_limit.is_some() {
            2 * self.pull_size()
        } else {
            in_flight(self.batch_size)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let mut environment = Environment::from([("DATABASE_URL".to_owned(), "postgres://a:b@localhost/c".to_owned())]);
        environment.extend(pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
        Config::from_env(&environment)
    }

    #[test]
    fn the_defaults_are_those_of_the_documentation() {
        let config = config(&[]).unwrap();
        assert_eq!(config.batch_size, 100);
        assert_eq!(config.flush_interval, Duration::from_secs(1));
        assert_eq!(config.topology.max_ack_pending, 10_000);
        assert_eq!((config.pull_size(), config.in_flight()), (100, 1_000));
        assert!(!format!("{config:?}").contains("a:b"));
    }

    #[test]
    fn a_paced_worker_takes_little_at_once() {
        let config = config(&[("WEBHOOK_RATE_LIMIT", "40")]).unwrap();
        assert_eq!((config.pull_size(), config.in_flight()), (20, 40));
        assert_eq!(
            super::Config {
                rate_limit: Some(0.1),
                ..config
            }
            .pull_size(),
            1
        );
    }

    #[test]
    fn errors_name_the_variable() {
        assert_eq!(
            Config::from_env(&Environment::new()).unwrap_err().variable,
            "DATABASE_URL"
        );
        assert_eq!(
            config(&[("WEBHOOK_RATE_LIMIT", "-1")]).unwrap_err().variable,
            "WEBHOOK_RATE_LIMIT"
        );
        let error = config(&[("DATABASE_URL", "postgres://bob:hunter2@h:port/d")]).unwrap_err();
        assert_eq!(error.variable, "DATABASE_URL");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

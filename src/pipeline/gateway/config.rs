//! The gateway's settings.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use secrecy::SecretString;

use crate::config::Environment;
use crate::pipeline::provider::Provider;
use crate::pipeline::settings::{ConfigError, Settings};
use crate::pipeline::topology::Topology;
use crate::signature::Verifier;

/// The gateway's settings.
#[derive(Clone, Debug)]
pub struct Config {
    /// Its name on its metrics page and at NATS.
    pub name: String,
    /// Where it listens.
    pub listen: SocketAddr,
    /// NATS servers, separated by commas, credentials included.
    pub nats: SecretString,
    /// What the streams are called, and how they are made where they are missing.
    pub topology: Topology,
    /// The providers that it takes webhooks of, with their keys.
    pub verifiers: BTreeMap<Provider, Verifier>,
    /// Longest body, bytes.
    pub max_body: usize,
    /// How long a sender waits for the `PubAck` before it gets a 503.
    pub publish_timeout: Duration,
    /// By how much a signature's timestamp may be off.
    pub tolerance: Duration,
}

impl Config {
    /// Reads `NATS_URL`, `TELNYX_WEBHOOK_SECRET`, `RESEND_WEBHOOK_SECRET` (at least one of the two),
    /// `WEBHOOK_LISTEN`, `WEBHOOK_GATEWAY_NAME`, `WEBHOOK_MAX_BODY` (bytes, 1 MiB),
    /// `WEBHOOK_PUBLISH_TIMEOUT` (ms, 2,000), `WEBHOOK_TIMESTAMP_TOLERANCE` (s, 300), `WEBHOOK_STREAM`,
    /// `WEBHOOK_CONSUMER`, `WEBHOOK_DLQ`, `WEBHOOK_BATCH_SIZE` and `WEBHOOK_MAX_WORKERS` (for a consumer that is missing).
    ///
    /// # Errors
    /// The first variable that cannot be used.
    pub fn from_env(environment: &Environment) -> Result<Self, ConfigError> {
        let settings = Settings(environment);
        let mut verifiers = BTreeMap::new();
        for provider in Provider::ALL {
            let variable = provider.secret_variable();
            if let Some(secret) = settings.secret(variable) {
                let verifier = Verifier::new(&provider.scheme(), &secret)
                    .map_err(|error| ConfigError::new(variable, error.to_string()))?;
                verifiers.insert(provider, verifier);
            }
        }
        if verifiers.is_empty() {
            let all = Provider::ALL.map(Provider::secret_variable).join(" or ");
            return Err(ConfigError::new(&all, "not set: no webhook could be verified"));
        }
        Ok(Self {
            name: settings.text("WEBHOOK_GATEWAY_NAME").unwrap_or("gateway").to_owned(),
            listen: settings.listen()?,
            nats: settings.nats()?,
            topology: settings.topology()?,
            verifiers,
            max_body: settings.count("WEBHOOK_MAX_BODY", 1 << 20, 1)?,
            publish_timeout: settings.millis("WEBHOOK_PUBLISH_TIMEOUT", Duration::from_secs(2))?,
            tolerance: Duration::from_secs(settings.parsed(
                "WEBHOOK_TIMESTAMP_TOLERANCE",
                300,
                "a number of seconds",
            )?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn a_gateway_without_keys_is_refused() {
        let error = Config::from_env(&environment(&[])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "TELNYX_WEBHOOK_SECRET or RESEND_WEBHOOK_SECRET: not set: no webhook could be verified"
        );
    }

    #[test]
    fn a_bad_key_names_its_variable_and_not_itself() {
        let error = Config::from_env(&environment(&[("RESEND_WEBHOOK_SECRET", "whsec_hunter2!")])).unwrap_err();
        assert_eq!(error.variable, "RESEND_WEBHOOK_SECRET");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }

    #[test]
    fn only_providers_with_a_key_are_known() {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let config = Config::from_env(&environment(&[("RESEND_WEBHOOK_SECRET", secret)])).unwrap();
        assert!(config.verifiers.keys().eq(&[Provider::Resend]));
        assert_eq!(config.max_body, 1_048_576);
        assert!(!format!("{config:?}").contains("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));
    }
}

//! Where a lab's parts are, and how to connect to them.

use std::collections::BTreeMap;
use std::path::Path;

use secrecy::{ExposeSecret as _, SecretString};

use super::LabError;
use super::part::{Part, Role};
use super::servers::nats::{Auth, Nats};
use super::servers::postgres::Postgres;
use super::up::{DATABASE, Lab};
use crate::config::{Environment, Overrides, Profile, SecretPlace, Surroundings, resolve};
use crate::pipeline::topology::Topology;

/// The variable that holds a provider's signing key: `TELNYX_SIGNING_KEY`.
pub(super) fn signing_variable(provider: &str) -> String {
    format!("{}_SIGNING_KEY", provider.to_uppercase())
}

impl Lab {
    /// A connection to the lab's NATS.
    ///
    /// # Errors
    /// When the lab has none, or when it does not answer.
    pub async fn connect(&self) -> Result<async_nats::Client, LabError> {
        let servers: Vec<String> = self.nats.iter().map(Nats::address).collect();
        let first = self.nats.first().ok_or_else(|| LabError::Without("NATS".to_owned()))?;
        // The client ignores credentials in URLs.
        let options = match first.auth() {
            Auth::Open => async_nats::ConnectOptions::new(),
            Auth::User { user, password } => {
                async_nats::ConnectOptions::with_user_and_password(user.clone(), password.clone())
            }
            Auth::Token(token) => async_nats::ConnectOptions::with_token(token.clone()),
        };
        options
            .connect(servers)
            .await
            .map_err(|error| LabError::server("connect to the lab's NATS", &error))
    }

    /// The lab's folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.guard.folder()
    }

    /// The URL of NATS, credentials included; a comma list for a cluster.
    ///
    /// # Errors
    /// When the lab has none.
    pub fn nats_url(&self) -> Result<String, LabError> {
        if self.nats.is_empty() {
            return Err(LabError::Without("NATS".to_owned()));
        }
        Ok(self.nats.iter().map(Nats::url).collect::<Vec<_>>().join(","))
    }

    /// The URL of the monitoring endpoint of the (first) nats-server.
    ///
    /// # Errors
    /// When the lab has none.
    pub fn monitoring_url(&self) -> Result<String, LabError> {
        let first = self.nats.first().ok_or_else(|| LabError::Without("NATS".to_owned()))?;
        Ok(first.monitoring_url())
    }

    /// The URL of a database of the lab's Postgres, password included.
    ///
    /// # Errors
    /// When the lab has none.
    pub fn postgres_url(&self, database: &str) -> Result<String, LabError> {
        Ok(self.postgres()?.url(database))
    }

    /// The URL of the (first) gateway; a provider's webhooks go to `/webhooks/<provider>` there.
    ///
    /// # Errors
    /// When the lab has none.
    pub fn gateway_url(&self) -> Result<String, LabError> {
        self.parts()
            .find(|part| part.role == Role::Gateway)
            .map(Part::url)
            .ok_or_else(|| LabError::Without("gateway".to_owned()))
    }

    /// Name and metrics URL of every part, gateways first.
    #[must_use]
    pub fn metrics(&self) -> Vec<(String, String)> {
        let mut parts: Vec<&Part> = self.parts().collect();
        parts.sort_by_key(|part| part.role);
        parts
            .into_iter()
            .map(|part| (part.name().to_owned(), format!("{}/metrics", part.url())))
            .collect()
    }

    /// What a command line says to watch this lab.
    #[must_use]
    pub fn overrides(&self) -> Overrides {
        let topology = self.topology().ok();
        let name = |of: fn(&Topology) -> &String| topology.map(of).cloned();
        Overrides {
            nats: self.nats_url().ok(),
            monitoring: self.monitoring_url().ok(),
            metrics: self
                .metrics()
                .iter()
                .map(|(name, url)| format!("{name}={url}"))
                .collect(),
            postgres: self.postgres_url(DATABASE).ok(),
            stream: name(|topology| &topology.stream),
            consumer: name(|topology| &topology.consumer),
            dlq: name(|topology| &topology.dlq),
            ..Overrides::default()
        }
    }

    /// A profile that watches this lab.
    ///
    /// # Errors
    /// When the configuration refuses it.
    pub fn profile(&self, name: &str) -> Result<Profile, LabError> {
        // Neither variables nor files of the user's may get in between.
        let surroundings = Surroundings {
            environment: &Environment::new(),
            home: None,
        };
        let resolved = resolve(&self.overrides(), &surroundings)
            .map_err(|problems| LabError::server("make a profile of the lab", &problems))?;
        let mut profile = Profile {
            name: name.into(),
            ..resolved.profile
        };
        let gateway = self.gateway_url().ok();
        profile.fire.url = gateway.map(|gateway| format!("{gateway}/webhooks/{{provider}}"));
        for (provider, key) in self.signing_keys() {
            profile.redactor.learn(key.expose_secret());
            let variable = signing_variable(&provider);
            profile.fire.secrets.insert(provider, SecretPlace::Variable(variable));
        }
        Ok(profile)
    }

    /// The variables in which [`Lab::profile`] looks for the providers' keys.
    #[must_use]
    pub fn signing_environment(&self) -> Environment {
        self.signing_keys()
            .into_iter()
            .map(|(provider, key)| (signing_variable(&provider), key.expose_secret().to_owned()))
            .collect()
    }

    /// The keys that providers sign their webhooks with.
    #[must_use]
    pub fn signing_keys(&self) -> BTreeMap<String, SecretString> {
        self.pipeline
            .iter()
            .flat_map(|pipeline| &pipeline.keys)
            .map(|(provider, pair)| ((*provider).to_owned(), pair.signing.clone()))
            .collect()
    }

    /// The names of the pipeline's streams and consumer.
    ///
    /// # Errors
    /// When the lab has no pipeline.
    pub fn topology(&self) -> Result<&Topology, LabError> {
        let pipeline = self.pipeline.as_ref();
        pipeline
            .map(|pipeline| &pipeline.options.topology)
            .ok_or_else(|| LabError::Without("pipeline".to_owned()))
    }

    pub(super) fn postgres(&self) -> Result<&Postgres, LabError> {
        self.postgres
            .as_ref()
            .ok_or_else(|| LabError::Without("Postgres".to_owned()))
    }

    pub(super) fn parts(&self) -> impl Iterator<Item = &Part> {
        self.pipeline.iter().flat_map(|pipeline| pipeline.parts.values())
    }
}

//! A lab: servers and the parts of a pipeline, up and down.

use std::path::{Path, PathBuf};

use super::LabError;
use super::guard::Guard;
use super::servers::nats::{self, Nats};
use super::servers::postgres::{self, Postgres};
use super::servers::{self, Locator};
use crate::config::Environment;

/// The name of the lab's database.
pub const DATABASE: &str = "webhooks";

/// What a lab is made of.
#[derive(Clone, Debug)]
pub struct Options {
    /// The hookwatch executable, which is the guard and every part.
    pub program: PathBuf,
    /// The environment: PATH is searched for servers, TMPDIR holds the folder.
    pub environment: Environment,
    /// NATS, unless the lab has none.
    pub nats: Option<nats::Options>,
    /// Postgres, unless the lab has none.
    pub postgres: Option<postgres::Options>,
}

impl Options {
    /// One nats-server and one Postgres, both open, and no pipeline.
    #[must_use]
    pub fn servers(program: impl Into<PathBuf>, environment: Environment) -> Self {
        Self {
            program: program.into(),
            environment,
            nats: Some(nats::Options::default()),
            postgres: Some(postgres::Options::default()),
        }
    }
}

/// A running lab. [`Lab::down`] takes it down; dropping it does the same without waiting.
#[derive(Debug)]
pub struct Lab {
    nats: Vec<Nats>,
    postgres: Option<Postgres>,
    guard: Guard,
}

impl Lab {
    /// Starts what `options` ask for and waits until it is ready.
    ///
    /// # Errors
    /// When a program is missing or does not start. Whatever had been started is taken down.
    pub async fn up(options: Options) -> Result<Self, LabError> {
        let locator = Locator::new(&options.environment);
        let nats_server = options.nats.as_ref().map(|_| locator.nats_server()).transpose()?;
        let programs = options.postgres.as_ref().map(|_| locator.postgres()).transpose()?;
        let base = options.environment.get("TMPDIR").map_or(Path::new("/tmp"), Path::new);
        let guard = Guard::open(&options.program, base).await?;
        let environment = servers::environment(&options.environment);
        let mut lab = Self {
            nats: Vec::new(),
            postgres: None,
            guard,
        };
        let folder = lab.guard.folder();
        if let (Some(program), Some(options)) = (nats_server, &options.nats) {
            lab.nats = Nats::prepare(&program, &environment, folder, options)?;
        }
        if let (Some(programs), Some(options)) = (programs, &options.postgres) {
            lab.postgres = Some(Postgres::prepare(programs, &environment, folder, options)?);
        }
        tokio::try_join!(lab.start_nats(), async {
            let Some(postgres) = &lab.postgres else { return Ok(()) };
            postgres.initialise(&lab.guard).await?;
            postgres.start(&lab.guard).await
        })?;
        Ok(lab)
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

    /// The URL of the monitoring endpoint of (the first) nats-server.
    ///
    /// # Errors
    /// When the lab has none.
    pub fn monitoring_url(&self) -> Result<String, LabError> {
        let first = self.nats.first().ok_or_else(|| LabError::Without("NATS".to_owned()))?;
        Ok(first.monitoring_url())
    }

    /// The URL of a database of the lab's Postgres.
    ///
    /// # Errors
    /// When the lab has none.
    pub fn postgres_url(&self, database: &str) -> Result<String, LabError> {
        Ok(self.postgres()?.url(database))
    }

    /// Starts every nats-server that was stopped, and waits until JetStream answers.
    ///
    /// # Errors
    /// When one does not start.
    pub async fn start_nats(&self) -> Result<(), LabError> {
        futures_util::future::try_join_all(self.nats.iter().map(|nats| nats.start(&self.guard))).await?;
        if self.nats.len() > 1 {
            futures_util::future::try_join_all(self.nats.iter().map(|nats| nats.healthy(&self.guard))).await?;
        }
        Ok(())
    }

    fn postgres(&self) -> Result<&Postgres, LabError> {
        self.postgres
            .as_ref()
            .ok_or_else(|| LabError::Without("Postgres".to_owned()))
    }

    /// Takes everything down and waits until it is gone.
    ///
    /// # Errors
    /// When something could not be removed.
    pub async fn down(self) -> Result<(), LabError> {
        Ok(self.guard.down().await?)
    }
}

//! A lab: servers and the parts of a pipeline, up and down.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use futures_util::future::try_join_all;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use secrecy::ExposeSecret as _;
use sqlx::{Connection as _, Executor as _, PgConnection};
use tokio_util::sync::CancellationToken;

use super::LabError;
use super::guard::{Guard, GuardError};
use super::options::{Options, PipelineOptions};
use super::part::{Part, Role};
use super::servers::nats::Nats;
use super::servers::postgres::Postgres;
use super::servers::{self, Locator, PostgresPrograms};
use crate::config::Environment;
use crate::pipeline::provider::Provider;
use crate::pipeline::{store, topology};
use crate::signature::SecretPair;

/// The database that workers write to.
pub const DATABASE: &str = "webhooks";

/// nats-server, and initdb and postgres.
type Programs = (Option<PathBuf>, Option<PostgresPrograms>);

/// A running lab. [`Lab::down`] takes it down; dropping it does the same without waiting.
#[derive(Debug)]
pub struct Lab {
    pub(super) program: PathBuf,
    pub(super) nats: Vec<Nats>,
    pub(super) postgres: Option<Postgres>,
    pub(super) pipeline: Option<Pipeline>,
    pub(super) guard: Guard,
}

#[derive(Debug)]
pub(super) struct Pipeline {
    pub(super) options: PipelineOptions,
    /// Environment variables of every part.
    pub(super) common: BTreeMap<String, String>,
    pub(super) keys: BTreeMap<&'static str, SecretPair>,
    pub(super) parts: BTreeMap<String, Part>,
}

impl Lab {
    /// Starts what `options` ask for and waits until it is ready.
    ///
    /// # Errors
    /// When a program is missing or does not start. Whatever had been started is gone then.
    pub async fn up(options: Options) -> Result<Self, LabError> {
        let never = CancellationToken::new();
        let gone = || LabError::Guard(GuardError::Gone(None));
        Self::up_unless(options, &never).await?.ok_or_else(gone)
    }

    /// The same, unless `stop` is cancelled before: then there is none, and nothing is left of it.
    ///
    /// # Errors
    /// As [`Lab::up`].
    pub async fn up_unless(options: Options, stop: &CancellationToken) -> Result<Option<Self>, LabError> {
        let locator = Locator::new(&options.environment);
        let programs = (
            options.nats.as_ref().map(|_| locator.nats_server()).transpose()?,
            options.postgres.as_ref().map(|_| locator.postgres()).transpose()?,
        );
        let base = options.environment.get("TMPDIR").map_or(Path::new("/tmp"), Path::new);
        let mut lab = Self {
            program: options.program.clone(),
            nats: Vec::new(),
            postgres: None,
            pipeline: None,
            guard: Guard::open(&options.program, base).await?,
        };
        let built = tokio::select! {
            built = Box::pin(lab.build(options, programs)) => built.map(|()| true),
            () = stop.cancelled() => Ok(false),
        };
        if let Ok(true) = built {
            return Ok(Some(lab));
        }
        let down = lab.guard.down().await;
        // The first error is the one to tell.
        built?;
        down?;
        Ok(None)
    }

    /// The servers, all at once, then the pipeline.
    async fn build(&mut self, options: Options, programs: Programs) -> Result<(), LabError> {
        let folder = self.guard.folder();
        let environment = servers::environment(&options.environment);
        let (nats_server, postgres) = programs;
        if let (Some(program), Some(options)) = (nats_server, &options.nats) {
            self.nats = Nats::prepare(&program, &environment, folder, options)?;
        }
        if let (Some(programs), Some(options)) = (postgres, &options.postgres) {
            self.postgres = Some(Postgres::prepare(programs, &environment, folder, options)?);
        }
        tokio::try_join!(self.start_all_nats(), async {
            match &self.postgres {
                Some(postgres) => postgres.first_start(&self.guard).await,
                None => Ok(()),
            }
        })?;
        match options.pipeline {
            Some(pipeline) => self.build_pipeline(pipeline, &options.environment).await,
            None => Ok(()),
        }
    }

    /// Streams and schema, then the parts, all at once.
    async fn build_pipeline(&mut self, options: PipelineOptions, environment: &Environment) -> Result<(), LabError> {
        let keys = keys(options.seed);
        let common = self.environment(&options, &keys, environment)?;
        tokio::try_join!(
            async {
                let context = async_nats::jetstream::new(self.connect().await?);
                topology::ensure(&context, &options.topology)
                    .await
                    .map(drop)
                    .map_err(|error| LabError::server("set up the streams", &error))
            },
            async {
                self.create_database(DATABASE).await?;
                self.migrate(DATABASE).await
            }
        )?;
        let mut parts = BTreeMap::new();
        for (role, names, own) in [
            (Role::Gateway, &options.gateways, &options.gateway),
            (Role::Worker, &options.workers, &options.worker),
        ] {
            for name in names {
                let environment = common.clone().into_iter().chain(own.clone()).collect();
                parts.insert(name.clone(), Part::new(role, name, environment)?);
            }
        }
        try_join_all(parts.values().map(async |part| {
            part.start(&self.guard, &self.program).await?;
            part.ready(&self.guard).await
        }))
        .await?;
        self.pipeline = Some(Pipeline {
            options,
            common,
            keys,
            parts,
        });
        Ok(())
    }

    /// The environment variables of every part.
    fn environment(
        &self,
        options: &PipelineOptions,
        keys: &BTreeMap<&'static str, SecretPair>,
        environment: &Environment,
    ) -> Result<BTreeMap<String, String>, LabError> {
        let mut common = servers::environment(environment);
        for name in ["RUST_LOG", "RUST_BACKTRACE"] {
            if let Some(value) = environment.get(name) {
                common.insert(name.to_owned(), value.clone());
            }
        }
        let topology = &options.topology;
        for (name, value) in [
            ("NATS_URL", self.nats_url()?),
            ("DATABASE_URL", self.postgres_url(DATABASE)?),
            ("WEBHOOK_STREAM", topology.stream.clone()),
            ("WEBHOOK_CONSUMER", topology.consumer.clone()),
            ("WEBHOOK_DLQ", topology.dlq.clone()),
        ] {
            common.insert(name.to_owned(), value);
        }
        for provider in Provider::ALL {
            if let Some(pair) = keys.get(provider.name()) {
                let key = pair.verifying.expose_secret().to_owned();
                common.insert(provider.secret_variable().to_owned(), key);
            }
        }
        Ok(common)
    }

    async fn migrate(&self, database: &str) -> Result<(), LabError> {
        let failed = |error: sqlx::Error| LabError::server("create the pipeline's schema", &error);
        let mut connection = self.connect_postgres(database).await?;
        store::migrate(&mut connection).await.map_err(failed)?;
        connection.close().await.map_err(failed)
    }

    /// Makes an empty database.
    ///
    /// # Errors
    /// When the lab has no Postgres, or when there is one of that name.
    pub async fn create_database(&self, name: &str) -> Result<(), LabError> {
        let failed = |error: sqlx::Error| LabError::server(format!("create the database {name}"), &error);
        let mut connection = self.connect_postgres("postgres").await?;
        let statement = format!("CREATE DATABASE \"{}\"", name.replace('"', "\"\""));
        // The name is quoted above.
        connection
            .execute(sqlx::AssertSqlSafe(statement))
            .await
            .map_err(failed)?;
        connection.close().await.map_err(failed)
    }

    /// A connection to a database of the lab's Postgres.
    ///
    /// # Errors
    /// When the lab has none, or when it does not answer.
    pub async fn connect_postgres(&self, database: &str) -> Result<PgConnection, LabError> {
        PgConnection::connect(&self.postgres_url(database)?)
            .await
            .map_err(|error| LabError::server(format!("connect to the lab's database {database}"), &error))
    }

    /// Takes everything down and waits until it is gone.
    ///
    /// # Errors
    /// When something could not be removed.
    pub async fn down(self) -> Result<(), LabError> {
        Ok(self.guard.down().await?)
    }
}

/// A pair of keys for every provider.
fn keys(seed: u64) -> BTreeMap<&'static str, SecretPair> {
    let mut rng = StdRng::seed_from_u64(seed);
    let pair = |provider: Provider| (provider.name(), SecretPair::generate(&provider.scheme(), &mut rng));
    Provider::ALL.into_iter().map(pair).collect()
}

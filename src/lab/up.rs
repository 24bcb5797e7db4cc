//! A lab: servers and the parts of a pipeline, up and down.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use futures_util::future::try_join_all;
use rand::SeedableRng as _;
use secrecy::{ExposeSecret as _, SecretString};
use sqlx::{Connection as _, Executor as _};
use tokio::sync::watch;

use super::LabError;
use super::guard::{Exit, Guard, GuardError, Signal, Status};
use super::part::{Part, Role};
use super::servers::nats::{self, Auth, Nats};
use super::servers::postgres::{self, Postgres};
use super::servers::{self, Locator};
use crate::config::Environment;
use crate::pipeline::topology::{self, Topology};
use crate::signature::{Scheme, SecretPair};

/// The database that workers write to.
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
    /// The pipeline, unless the lab has none. It needs both servers.
    pub pipeline: Option<PipelineOptions>,
}

/// What a lab's pipeline is made of.
#[derive(Clone, Debug, Default)]
pub struct PipelineOptions {
    /// Streams and consumer.
    pub topology: Topology,
    /// Names of the gateways.
    pub gateways: Vec<String>,
    /// Names of the workers.
    pub workers: Vec<String>,
    /// Environment variables of every gateway.
    pub gateway: BTreeMap<String, String>,
    /// Environment variables of every worker.
    pub worker: BTreeMap<String, String>,
    /// Seed of the signing keys.
    pub seed: u64,
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
            pipeline: None,
        }
    }

    /// The same with a pipeline of one gateway and `workers` workers.
    #[must_use]
    pub fn pipeline(program: impl Into<PathBuf>, environment: Environment, workers: usize) -> Self {
        Self {
            pipeline: Some(PipelineOptions {
                gateways: vec!["gateway".to_owned()],
                workers: (1..=workers).map(|number| format!("worker-{number}")).collect(),
                ..PipelineOptions::default()
            }),
            ..Self::servers(program, environment)
        }
    }
}

/// A running lab. [`Lab::down`] takes it down; dropping it does the same without waiting.
#[derive(Debug)]
pub struct Lab {
    program: PathBuf,
    nats: Vec<Nats>,
    postgres: Option<Postgres>,
    pipeline: Option<Pipeline>,
    guard: Guard,
}

#[derive(Debug)]
struct Pipeline {
    options: PipelineOptions,
    /// Environment variables of every part.
    common: BTreeMap<String, String>,
    keys: BTreeMap<&'static str, SecretPair>,
    parts: BTreeMap<String, Part>,
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
        let mut lab = Self {
            program: options.program,
            nats: Vec::new(),
            postgres: None,
            pipeline: None,
            guard,
        };
        let folder = lab.guard.folder();
        let environment = servers::environment(&options.environment);
        if let (Some(program), Some(options)) = (nats_server, &options.nats) {
            lab.nats = Nats::prepare(&program, &environment, folder, options)?;
        }
        if let (Some(programs), Some(options)) = (programs, &options.postgres) {
            lab.postgres = Some(Postgres::prepare(programs, &environment, folder, options)?);
        }
        tokio::try_join!(lab.start_all_nats(), async {
            let Some(postgres) = &lab.postgres else { return Ok(()) };
            postgres.initialise(&lab.guard).await?;
            postgres.start(&lab.guard).await
        })?;
        if let Some(pipeline) = options.pipeline {
            lab.build_pipeline(pipeline, &options.environment).await?;
        }
        Ok(lab)
    }

    /// Streams, schema, then the parts.
    async fn build_pipeline(&mut self, options: PipelineOptions, environment: &Environment) -> Result<(), LabError> {
        let mut common = servers::environment(environment);
        for name in ["RUST_LOG", "RUST_BACKTRACE"] {
            if let Some(value) = environment.get(name) {
                common.insert(name.to_owned(), value.clone());
            }
        }
        let keys = keys(options.seed);
        let topology = &options.topology;
        for (name, value) in [
            ("NATS_URL", self.nats_url()?),
            ("DATABASE_URL", self.postgres_url(DATABASE)?),
            ("WEBHOOK_STREAM", topology.stream.clone()),
            ("WEBHOOK_CONSUMER", topology.consumer.clone()),
            ("WEBHOOK_DLQ", topology.dlq.clone()),
            (
                "TELNYX_WEBHOOK_SECRET",
                keys["telnyx"].verifying.expose_secret().to_owned(),
            ),
            (
                "RESEND_WEBHOOK_SECRET",
                keys["resend"].verifying.expose_secret().to_owned(),
            ),
        ] {
            common.insert(name.to_owned(), value);
        }
        tokio::try_join!(
            async {
                let context = async_nats::jetstream::new(self.connect().await?);
                topology::ensure(&context, topology)
                    .await
                    .map_err(|error| LabError::server("set up the streams", &error))
            },
            self.create_database(DATABASE)
        )?;
        let mut parts = BTreeMap::new();
        for (role, names, environment) in [
            (Role::Gateway, &options.gateways, &options.gateway),
            (Role::Worker, &options.workers, &options.worker),
        ] {
            for name in names {
                let environment = common.clone().into_iter().chain(environment.clone()).collect();
                parts.insert(name.clone(), Part::new(role, name, environment)?);
            }
        }
        try_join_all(parts.values().map(|part| part.start(&self.guard, &self.program))).await?;
        self.pipeline = Some(Pipeline {
            options,
            common,
            keys,
            parts,
        });
        Ok(())
    }

    /// Makes an empty database.
    ///
    /// # Errors
    /// When the lab has no Postgres, or when there is one of that name.
    pub async fn create_database(&self, name: &str) -> Result<(), LabError> {
        let failed = |error: sqlx::Error| LabError::server(format!("create the database {name}"), &error);
        let mut connection = sqlx::PgConnection::connect(&self.postgres_url("postgres")?)
            .await
            .map_err(failed)?;
        let statement = format!("CREATE DATABASE \"{}\"", name.replace('"', "\"\""));
        // The name is quoted above.
        connection
            .execute(sqlx::AssertSqlSafe(statement))
            .await
            .map_err(failed)?;
        connection.close().await.map_err(failed)
    }

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

    /// The key that a provider signs its webhooks with.
    ///
    /// # Errors
    /// When the pipeline does not know the provider, or the lab has none.
    pub fn signing_key(&self, provider: &str) -> Result<&SecretString, LabError> {
        self.pipeline
            .as_ref()
            .and_then(|pipeline| pipeline.keys.get(provider))
            .map(|pair| &pair.signing)
            .ok_or_else(|| LabError::Without(format!("signing key of {provider}")))
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

    /// Starts another worker, with further environment variables.
    ///
    /// # Errors
    /// When the lab has no pipeline, when the name is taken, or when it does not start.
    pub async fn start_worker(&mut self, name: &str, environment: BTreeMap<String, String>) -> Result<(), LabError> {
        let without = || LabError::Without("pipeline".to_owned());
        let pipeline = self.pipeline.as_mut().ok_or_else(without)?;
        if !pipeline.parts.contains_key(name) {
            let all = pipeline.common.clone().into_iter();
            let all = all.chain(pipeline.options.worker.clone()).chain(environment).collect();
            pipeline
                .parts
                .insert(name.to_owned(), Part::new(Role::Worker, name, all)?);
        }
        self.start(name).await
    }

    /// Sends a signal to a process: a server or a part.
    ///
    /// # Errors
    /// When it does not run.
    pub fn signal(&self, name: &str, signal: Signal) -> Result<(), LabError> {
        Ok(self.guard.signal(name, signal)?)
    }

    /// Kills a process with -9 (Postgres: an immediate shutdown, as after a power cut) and waits
    /// for its end.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn kill(&self, name: &str) -> Result<Exit, LabError> {
        // Killed with -9, Postgres leaves processes behind that keep its shared memory.
        let signal = if name == postgres::NAME {
            Signal::Quit
        } else {
            Signal::Kill
        };
        self.guard.signal(name, signal)?;
        Ok(self.guard.exited(name).await?)
    }

    /// Stops a process in its own way and waits for its end.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn stop(&self, name: &str) -> Result<Exit, LabError> {
        Ok(self.guard.stop(name).await?)
    }

    /// Starts a process again, on the same port, and waits until it is ready.
    ///
    /// # Errors
    /// When there is none of that name, when it runs, or when it does not start.
    pub async fn start(&self, name: &str) -> Result<(), LabError> {
        if let Some(part) = self.parts().find(|part| part.name() == name) {
            return part.start(&self.guard, &self.program).await;
        }
        if let Some(nats) = self.nats.iter().find(|nats| nats.name() == name) {
            return nats.start(&self.guard).await;
        }
        match &self.postgres {
            Some(postgres) if name == postgres::NAME => postgres.start(&self.guard).await,
            _ => Err(LabError::Without(format!("process named {name}"))),
        }
    }

    /// Stops NATS, in order or with -9; every server of a cluster.
    ///
    /// # Errors
    /// When one does not run.
    pub async fn stop_nats(&self, graceful: bool) -> Result<(), LabError> {
        let stop = async |nats: &Nats| {
            if graceful {
                self.stop(nats.name()).await
            } else {
                self.kill(nats.name()).await
            }
        };
        try_join_all(self.nats.iter().map(stop)).await.map(drop)
    }

    /// Starts what was stopped of NATS again, on the same ports and with the same store.
    ///
    /// # Errors
    /// When one does not start.
    pub async fn start_nats(&self) -> Result<(), LabError> {
        self.start_all_nats().await
    }

    async fn start_all_nats(&self) -> Result<(), LabError> {
        let stopped = self.nats.iter().filter(|nats| self.guard.running(nats.name()).is_err());
        try_join_all(stopped.map(|nats| nats.start(&self.guard))).await?;
        if self.nats.len() > 1 {
            try_join_all(self.nats.iter().map(|nats| nats.healthy(&self.guard))).await?;
        }
        Ok(())
    }

    /// Stops Postgres: every session is disconnected.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn stop_postgres(&self) -> Result<(), LabError> {
        self.stop(postgres::NAME).await.map(drop)
    }

    /// Starts Postgres again, on the same port and with the same data.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start_postgres(&self) -> Result<(), LabError> {
        self.start(postgres::NAME).await
    }

    /// How a process is, now and from now on.
    #[must_use]
    pub fn watch(&self, name: &str) -> watch::Receiver<Status> {
        self.guard.watch(name)
    }

    /// Waits until the guard is gone, and with it everything else: somebody ended it.
    pub async fn guard_gone(&self) -> GuardError {
        self.guard.gone().await
    }

    fn postgres(&self) -> Result<&Postgres, LabError> {
        self.postgres
            .as_ref()
            .ok_or_else(|| LabError::Without("Postgres".to_owned()))
    }

    fn parts(&self) -> impl Iterator<Item = &Part> {
        self.pipeline.iter().flat_map(|pipeline| pipeline.parts.values())
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
    let mut rng = rand::rngs::StdRng::seed_from_u64(seed);
    [("telnyx", Scheme::Telnyx), ("resend", Scheme::Svix)]
        .into_iter()
        .map(|(provider, scheme)| (provider, SecretPair::generate(&scheme, &mut rng)))
        .collect()
}

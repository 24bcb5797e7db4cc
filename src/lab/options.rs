//! What a lab is made of.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::scenario::Scenario;
use super::servers::{nats, postgres};
use crate::config::Environment;
use crate::pipeline::topology::Topology;

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

    /// The same with the pipeline that a scenario asks for.
    #[must_use]
    pub fn scenario(program: impl Into<PathBuf>, environment: Environment, scenario: &Scenario) -> Self {
        let replicas = scenario.servers.clamp(1, 5);
        Self {
            nats: Some(nats::Options {
                servers: scenario.servers,
                ..nats::Options::default()
            }),
            pipeline: Some(PipelineOptions {
                topology: Topology {
                    replicas,
                    ..scenario.topology.apply(Topology::default())
                },
                gateways: scenario.gateway_names(),
                workers: scenario.worker_names(),
                gateway: scenario.gateway.clone(),
                worker: scenario.worker.clone(),
                seed: scenario.seed,
            }),
            ..Self::servers(program, environment)
        }
    }
}

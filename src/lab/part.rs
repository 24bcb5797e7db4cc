//! The parts of the pipeline, each a process of its own: `hookwatch lab gateway`, `hookwatch lab worker`.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use super::LabError;
use super::guard::{Guard, Signal, Start};
use super::servers::{self, Port, answers_ok};
use crate::base::text;

/// How long a part may drain before it is killed.
const GRACE: Duration = Duration::from_secs(8);

/// How long a part may take from its start to its ready line.
const READY_WITHIN: Duration = Duration::from_mins(1);

/// What a part does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Takes webhooks over HTTP and publishes them.
    Gateway,
    /// Takes them from the stream and writes them to Postgres.
    Worker,
}

impl Role {
    /// Its name on the command line and in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Worker => "worker",
        }
    }
}

/// A part of the lab. Its port stays the same over restarts.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) role: Role,
    name: String,
    port: Port,
    environment: BTreeMap<String, String>,
}

/// The one line that a part prints when it is ready.
#[derive(Debug, Deserialize)]
struct Announcement {
    ready: String,
    listen: String,
}

impl Part {
    /// A part that has a port and an environment, and does not run yet.
    pub(super) fn new(role: Role, name: &str, mut environment: BTreeMap<String, String>) -> Result<Self, LabError> {
        let port = Port::reserve()?;
        environment.insert("WEBHOOK_LISTEN".to_owned(), port.address());
        let variable = match role {
            Role::Gateway => "WEBHOOK_GATEWAY_NAME",
            Role::Worker => "WEBHOOK_WORKER_NAME",
        };
        environment.insert(variable.to_owned(), name.to_owned());
        Ok(Self {
            role,
            name: name.to_owned(),
            port,
            environment,
        })
    }

    /// Its name in the lab.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// `http://127.0.0.1:<port>`.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.port.address())
    }

    /// Waits until its ready page says that it is connected to all it needs.
    pub(super) async fn ready(&self, guard: &Guard) -> Result<(), LabError> {
        let address = self.port.address();
        servers::ready(guard, &self.name, || answers_ok(&address, "/ready")).await
    }

    /// Starts it and waits until it says that it is ready.
    pub(super) async fn start(&self, guard: &Guard, program: &Path) -> Result<(), LabError> {
        guard
            .start(Start {
                name: self.name.clone(),
                program: program.to_owned(),
                args: vec!["lab".to_owned(), self.role.name().to_owned()],
                env: self.environment.clone(),
                cwd: None,
                user: None,
                stop: Signal::Term,
                grace: GRACE,
                stage: 2,
                announces: true,
            })
            .await?;
        let not_ready = |reason: String| LabError::NotReady {
            name: self.name.clone(),
            waited: READY_WITHIN,
            reason,
        };
        let line = tokio::time::timeout(READY_WITHIN, guard.announced(&self.name))
            .await
            .map_err(|_| not_ready(String::new()))??;
        match serde_json::from_str::<Announcement>(&line) {
            Ok(said) if said.ready == self.role.name() && said.listen == self.port.address() => Ok(()),
            _ => Err(not_ready(format!("it printed {}", text::cut(&text::safe(&line), 80)))),
        }
    }
}

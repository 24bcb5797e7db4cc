//! Stopping, killing and starting what is in a lab.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use tokio::sync::watch;

use super::LabError;
use super::guard::{Exit, GuardError, Signal, Status};
use super::part::{Part, Role};
use super::servers::nats::Nats;
use super::servers::postgres;
use super::up::Lab;

impl Lab {
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

    /// Waits until a part's ready page says that it is connected to all it needs.
    ///
    /// # Errors
    /// When there is none of that name, or when it ends before.
    pub async fn ready(&self, name: &str) -> Result<(), LabError> {
        let part = self.parts().find(|part| part.name() == name);
        part.ok_or_else(|| LabError::Without(format!("part named {name}")))?
            .ready(&self.guard)
            .await
    }

    /// The names of all processes, running or not: servers, then parts.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let servers = self.nats.iter().map(|nats| nats.name().to_owned());
        let postgres = self.postgres.iter().map(|_| postgres::NAME.to_owned());
        servers
            .chain(postgres)
            .chain(self.parts().map(|part| part.name().to_owned()))
            .collect()
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

    pub(super) async fn start_all_nats(&self) -> Result<(), LabError> {
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
}

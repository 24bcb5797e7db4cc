//! Private servers: nats-server and Postgres, loopback only, in the lab's folder, owned by the guard.

mod locate;
pub mod nats;
mod port;
pub mod postgres;

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::guard::{Guard, GuardError, Status};
use super::{LabError, Missing};
use crate::config::Environment;

pub(crate) use locate::{Locator, PostgresPrograms};
pub(crate) use port::Port;

/// How long a server may take to be ready. A loaded machine starts Postgres in seconds, not in
/// the 30 ms of a quiet one.
const READY_WITHIN: Duration = Duration::from_mins(1);

/// How often a ready file is looked for. Servers announce readiness by a file, and there is no
/// portable event for a file.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// The servers that a lab needs and that are not installed.
#[must_use]
pub fn missing_servers(environment: &Environment) -> Vec<Missing> {
    let locator = Locator::new(environment);
    let outcomes = [locator.nats_server().map(drop), locator.postgres().map(drop)];
    let missing = outcomes.into_iter().filter_map(Result::err);
    missing
        .filter_map(|error| match error {
            LabError::Missing(missing) => Some(missing),
            _ => None,
        })
        .collect()
}

/// Waits until `probe` finds `name` ready; fails when the process ends before.
pub(crate) async fn ready<F: Future<Output = bool>>(
    guard: &Guard,
    name: &str,
    mut probe: impl FnMut() -> F,
) -> Result<(), LabError> {
    let mut status = guard.watch(name);
    let look = async {
        while !probe().await {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    let over = async {
        let over = |status: &Status| !matches!(status, Status::Starting | Status::Running { .. });
        match status.wait_for(over).await.as_deref() {
            Ok(Status::Ended(exit)) => GuardError::Ended {
                name: name.to_owned(),
                exit: exit.clone(),
            },
            _ => GuardError::Gone(None),
        }
    };
    tokio::select! {
        () = look => Ok(()),
        error = over => Err(error.into()),
        () = tokio::time::sleep(READY_WITHIN) => Err(LabError::NotReady {
            name: name.to_owned(),
            waited: READY_WITHIN,
            reason: String::new(),
        }),
    }
}

/// The environment of a server: what it needs to find itself, in one language and time zone
/// wherever the lab runs.
pub(crate) fn environment(of: &Environment) -> BTreeMap<String, String> {
    let mut environment: BTreeMap<String, String> = [("LC_ALL", "C"), ("TZ", "UTC")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    for name in ["PATH", "TMPDIR", "LD_LIBRARY_PATH"] {
        if let Some(value) = of.get(name) {
            environment.insert(name.to_owned(), value.clone());
        }
    }
    environment
}

/// Whether `GET path` is answered with 200 at `address`.
pub(crate) async fn answers_ok(address: &str, path: &str) -> bool {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        let request = format!("GET {path} HTTP/1.0\r\nhost: {address}\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        std::io::Result::Ok(answer)
    };
    let answer = exchange.await.unwrap_or_default();
    answer.split(u8::is_ascii_whitespace).nth(1) == Some(b"200")
}

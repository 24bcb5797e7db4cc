//! The door of a running lab: `hookwatch lab fault` and `hookwatch lab load` knock here. A Unix
//! socket in the lab's folder, open to its owner alone; one JSON line in, one out.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};

use super::LabError;
use super::load::Target;
use super::play::Asked;
use super::scenario::{Fault, Phase, Timed};
use super::up::Lab;
use crate::base::text;
use crate::config::Environment;

/// The socket's name in the lab's folder.
const SOCKET: &str = "control";

/// What can be asked.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Request {
    /// Where a load goes.
    Target,
    /// Change the lab's own load.
    Load(Phase),
    /// Let something go wrong.
    Break(Fault),
    /// Undo it.
    Mend(Fault),
}

/// What is answered.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Answer {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// The error is about what was asked for: nothing was done.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    refused: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    target: Option<Directions>,
}

impl Answer {
    fn failed(error: String) -> Self {
        Self {
            error: Some(error),
            ..Self::default()
        }
    }

    fn refused(error: String) -> Self {
        Self {
            refused: true,
            ..Self::failed(error)
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Directions {
    url: String,
    keys: BTreeMap<String, String>,
}

/// Serves the lab's door until the returned handle is dropped; what is asked comes out of the
/// receiver.
pub(super) fn open(lab: &Lab) -> Result<(Door, mpsc::Receiver<Asked>), LabError> {
    let path = lab.folder().join(SOCKET);
    let listener = UnixListener::bind(&path).map_err(LabError::file("listen on", &path))?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))
        .map_err(LabError::file("set the permissions of", &path))?;
    let processes = lab.names().into_iter().collect();
    let serve = Serve {
        target: lab.target().ok(),
        processes,
    };
    let (sender, receiver) = mpsc::channel(8);
    let task = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // One after the other: what happens to a lab happens in an order.
            serve.answer(stream, &sender).await;
        }
    });
    Ok((Door(task), receiver))
}

/// Closed when dropped.
#[derive(Debug)]
pub(super) struct Door(tokio::task::JoinHandle<()>);

impl Drop for Door {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct Serve {
    target: Option<Target>,
    processes: std::collections::BTreeSet<String>,
}

impl Serve {
    /// Answers one request. A caller that goes away is nobody's trouble.
    async fn answer(&self, stream: UnixStream, sender: &mpsc::Sender<Asked>) {
        let (reader, mut writer) = stream.into_split();
        let mut line = String::new();
        if BufReader::new(reader).read_line(&mut line).await.is_err() {
            return;
        }
        let answer = match serde_json::from_str(&line) {
            Ok(request) => self.perform(request, sender).await,
            Err(error) => Err(Answer::refused(error.to_string())),
        };
        let answer = answer.unwrap_or_else(|error| error);
        if let Ok(mut text) = serde_json::to_vec(&answer) {
            text.push(b'\n');
            let _ = writer.write_all(&text).await;
        }
    }

    async fn perform(&self, request: Request, sender: &mpsc::Sender<Asked>) -> Result<Answer, Answer> {
        let (what, lasts) = match request {
            Request::Target => {
                let target = self.target.as_ref();
                let target = target.ok_or_else(|| Answer::refused("this lab has no gateway".to_owned()))?;
                let plain = |(name, key): (&String, &SecretString)| (name.clone(), key.expose_secret().to_owned());
                return Ok(Answer {
                    target: Some(Directions {
                        url: target.url.clone(),
                        keys: target.keys.iter().map(plain).collect(),
                    }),
                    ..Answer::default()
                });
            }
            Request::Load(phase) => (Timed::Load(phase), None),
            Request::Break(fault) => {
                fault.check(&self.processes).map_err(Answer::refused)?;
                let lasts = fault.lasts;
                (Timed::Break(fault), lasts)
            }
            Request::Mend(fault) => {
                fault.check_target(&self.processes).map_err(Answer::refused)?;
                (Timed::Mend(fault), None)
            }
        };
        let (reply, done) = oneshot::channel();
        let gone = || Answer::failed("the lab is being taken down".to_owned());
        sender.send((what, lasts, reply)).await.map_err(|_| gone())?;
        let outcome = done.await.map_err(|_| gone())?;
        outcome
            .map(|()| Answer::default())
            .map_err(|error| Answer::failed(error.to_string()))
    }
}

/// The folder of the lab that is meant: the one that was named, or the only one that runs.
pub(super) async fn find(named: Option<&Path>, environment: &Environment) -> Result<PathBuf, LabError> {
    if let Some(folder) = named {
        return Ok(folder.to_owned());
    }
    if let Some(folder) = environment.get("HOOKWATCH_LAB") {
        return Ok(folder.into());
    }
    let base = environment.get("TMPDIR").map_or("/tmp", String::as_str);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(base).into_iter().flatten().flatten() {
        let folder = entry.path();
        let is_lab = entry.file_name().to_string_lossy().starts_with("hookwatch-lab-");
        if is_lab && UnixStream::connect(folder.join(SOCKET)).await.is_ok() {
            found.push(folder);
        }
    }
    match found.as_slice() {
        [only] => Ok(only.clone()),
        [] => Err(LabError::Refused(format!(
            "find a running lab in {base}: there is none: start one with `hookwatch lab up`"
        ))),
        several => Err(LabError::Refused(format!(
            "find a running lab in {base}: there are {}: name one with --lab: {}",
            several.len(),
            several
                .iter()
                .map(|folder| folder.display().to_string())
                .collect::<Vec<_>>()
                .join(", ")
        ))),
    }
}

/// Asks a running lab where a load for it goes.
pub(super) async fn target(folder: &Path) -> Result<Target, LabError> {
    let answer = ask(folder, &serde_json::json!("target")).await?;
    let directions = answer
        .target
        .ok_or_else(|| LabError::server("ask the lab for its gateway", "it did not say"))?;
    Ok(Target {
        url: directions.url,
        keys: directions
            .keys
            .into_iter()
            .map(|(name, key)| (name, key.into()))
            .collect(),
    })
}

/// Asks a running lab to do something.
pub(super) async fn perform(folder: &Path, request: &serde_json::Value) -> Result<(), LabError> {
    ask(folder, request).await.map(drop)
}

async fn ask(folder: &Path, request: &serde_json::Value) -> Result<Answer, LabError> {
    let path = folder.join(SOCKET);
    let stream = UnixStream::connect(&path).await.map_err(|error| {
        let folder = folder.display();
        LabError::Refused(format!(
            "no lab answers in {folder}: {error} → `hookwatch lab up` prints the folder of a lab that runs"
        ))
    })?;
    let (reader, mut writer) = stream.into_split();
    let failed = LabError::file("ask", &path);
    let mut line = String::new();
    let exchange = async {
        writer.write_all(format!("{request}\n").as_bytes()).await?;
        BufReader::new(reader).read_line(&mut line).await
    };
    exchange.await.map_err(failed)?;
    let answer: Answer =
        serde_json::from_str(&line).map_err(|error| LabError::server("understand the lab's answer", &error))?;
    match answer.error {
        Some(reason) if answer.refused => Err(LabError::Refused(text::safe(&reason).into_owned())),
        Some(reason) => Err(LabError::server("ask the lab", &reason)),
        None => Ok(answer),
    }
}

//! Many targets under one name: every address of a host name, or the targets in a Prometheus
//! `file_sd` file. What is found is looked up again and again; each target is a source of its own,
//! which comes and goes. When a lookup fails, the targets that are known stay.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use reqwest::Url;
use serde::Deserialize;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::Fleet;
use crate::base::text;
use crate::config::{Discovery, Target};
use crate::observe::{Outlet, Source, SourceError, supervise};
use crate::sample::{Sample, SourceId, SourceKind, SourceReport, SourceState};

/// How often a host name is looked up, and a file looked at.
const LOOKUP: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_secs(2);

/// Targets of one group beyond which further ones are left out.
const TARGETS: usize = 5_000;

/// Largest `file_sd` file, bytes.
const FILE: u64 = 4 << 20;

/// Names that are taken, over all groups of a profile.
pub(super) type Names = Arc<Mutex<BTreeSet<String>>>;

/// A group of targets.
#[derive(Debug)]
pub struct Group {
    id: SourceId,
    target: Target,
    fleet: Fleet,
    members: BTreeMap<String, Member>,
    /// Of a file: its time and size when it was last read whole.
    read: Option<(Option<SystemTime>, u64)>,
}

#[derive(Debug)]
struct Member {
    id: SourceId,
    /// Ends it when dropped.
    stop: DropGuard,
}

/// Where one member is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    url: String,
    /// The address that its host name stands for here, where that is not to be looked up.
    address: Option<SocketAddr>,
}

impl Group {
    /// A group whose members are sources of `fleet`.
    pub(super) fn new(target: &Target, fleet: Fleet) -> Self {
        Self {
            id: SourceId::new(SourceKind::Metrics, &target.name),
            target: target.clone(),
            fleet,
            members: BTreeMap::new(),
            read: None,
        }
    }

    fn error(&self, operation: &'static str, reason: &(impl ToString + ?Sized), next: &str) -> SourceError {
        let thing = match &self.target.discovery {
            Discovery::File(path) => path.display().to_string(),
            _ => self.target.url.clone(),
        };
        SourceError::new(operation, thing, reason).next(next)
    }

    /// Every address of the host name, by `address:port`.
    async fn addresses(&self) -> Result<BTreeMap<String, Place>, SourceError> {
        let parsed = Url::parse(&self.target.url);
        let url = parsed.map_err(|error| self.error("use", &error, "write it like dns+http://host:9100/metrics"))?;
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let port = url.port_or_known_default().unwrap_or(80);
        let found = tokio::net::lookup_host((host.as_str(), port)).await.map_err(|error| {
            self.error(
                "look up",
                &error,
                "check the host name; the targets that were found before are kept",
            )
        })?;
        Ok(found
            .map(|address| {
                let place = Place {
                    url: self.target.url.clone(),
                    address: Some(address),
                };
                (address.to_string(), place)
            })
            .collect())
    }

    /// The targets in the file; `None`: it has not changed.
    async fn listed(&mut self, path: &Path) -> Result<Option<BTreeMap<String, Place>>, SourceError> {
        let kept = "check the file; the targets that were found before are kept";
        let wrong = |reason: &dyn std::fmt::Display| self.error("read", &reason.to_string(), kept);
        let about = tokio::fs::metadata(path).await.map_err(|error| wrong(&error))?;
        let state = (about.modified().ok(), about.len());
        if self.read == Some(state) {
            return Ok(None);
        }
        if about.len() > FILE {
            return Err(wrong(&format!("it is larger than {}", text::bytes(FILE))));
        }
        let form = Form::of(path).ok_or_else(|| {
            let next = "call it .json, .yml or .yaml, as Prometheus does";
            self.error("read", "its name tells neither JSON nor YAML", next)
        })?;
        let content = tokio::fs::read(path).await.map_err(|error| wrong(&error))?;
        let places = parse(&content, form).map_err(|reason| wrong(&reason))?;
        self.read = Some(state);
        Ok(Some(places))
    }

    /// Starts what is new and ends what is gone. Returns how many there is no room for.
    async fn settle(&mut self, places: BTreeMap<String, Place>, outlet: &mut Outlet) -> usize {
        let gone: Vec<String> = self
            .members
            .keys()
            .filter(|key| !places.contains_key(*key))
            .cloned()
            .collect();
        for key in gone {
            if let Some(member) = self.members.remove(&key) {
                self.taken().remove(&*member.id.name);
                let report = SourceReport {
                    state: SourceState::Off,
                    latency: None,
                    error: None,
                    retry_in: None,
                    period: self.target.interval,
                };
                drop(member.stop);
                outlet.of(member.id).send(Sample::Report(report)).await;
            }
        }
        let over = places.len().saturating_sub(TARGETS);
        self.fleet.expect(places.len());
        for (key, place) in places.into_iter().take(TARGETS) {
            if self.members.contains_key(&key) {
                continue;
            }
            let name = self.name(&key);
            let target = Target {
                name: name.as_str().into(),
                url: place.url,
                discovery: Discovery::One,
                ..self.target.clone()
            };
            let id = SourceId::new(SourceKind::Metrics, &name);
            let stop = CancellationToken::new();
            let mut outlet = outlet.of(id.clone());
            match self.fleet.source_at(&target, place.address, true) {
                Ok(source) => {
                    tokio::spawn(supervise(source, outlet, stop.clone()));
                }
                Err(error) => {
                    outlet.fail(&error, target.interval).await;
                }
            }
            let member = Member {
                id,
                stop: stop.drop_guard(),
            };
            self.members.insert(key, member);
        }
        over
    }

    /// A member's name: its address, with the group's name where that is taken.
    fn name(&self, key: &str) -> String {
        let cut = text::cut(&text::safe(key), 60).into_owned();
        let mut taken = self.taken();
        let name = if taken.contains(&cut) {
            format!("{}/{cut}", self.target.name)
        } else {
            cut
        };
        taken.insert(name.clone());
        name
    }

    fn taken(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        self.fleet.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Deserialize)]
struct Entry {
    targets: Vec<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

/// How a `file_sd` file is written. Prometheus goes by the ending as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Json,
    Yaml,
}

impl Form {
    fn of(path: &Path) -> Option<Self> {
        let ending = path.extension()?.to_str()?;
        let is = |name: &str| ending.eq_ignore_ascii_case(name);
        if is("json") {
            Some(Self::Json)
        } else {
            (is("yml") || is("yaml")).then_some(Self::Yaml)
        }
    }

    /// The entries; else why there are none, with the line.
    fn entries(self, content: &[u8]) -> Result<Vec<Entry>, String> {
        match self {
            Self::Json => serde_json::from_slice(content).map_err(|error| error.to_string()),
            Self::Yaml => {
                let options = serde_saphyr::options! { with_snippet: false };
                let read: Result<Option<Vec<Entry>>, _> = serde_saphyr::from_slice_with_options(content, options);
                // An empty file is one that is being written, not the end of every target.
                read.map_err(|error| error.to_string())?
                    .ok_or_else(|| "it is empty; no target at all is written []".to_owned())
            }
        }
    }
}

/// The targets of a `file_sd` file, by address. Of the labels, the scheme and the path count.
///
/// # Errors
/// When it is none, with the place.
fn parse(content: &[u8], form: Form) -> Result<BTreeMap<String, Place>, String> {
    let entries = form
        .entries(content)
        .map_err(|error| format!("it is no file_sd list: {}", text::safe(&error)))?;
    let mut places = BTreeMap::new();
    for (number, entry) in entries.into_iter().enumerate() {
        let label = |name: &str, default: &str| entry.labels.get(name).map_or(default, String::as_str).to_owned();
        let (scheme, path) = (label("__scheme__", "http"), label("__metrics_path__", "/metrics"));
        for target in &entry.targets {
            let url = format!("{scheme}://{target}/{}", path.trim_start_matches('/'));
            let fine = Url::parse(&url).is_ok_and(|url| url.has_host() && matches!(url.scheme(), "http" | "https"));
            // In YAML a number stands for its digits.
            let bare = target.bytes().all(|byte| byte.is_ascii_digit());
            let alone = !target.contains(['/', '@', '?', '#']) && !target.trim().is_empty() && !bare;
            if !fine || !alone {
                let shown = text::cut(&text::safe(target), 80).into_owned();
                return Err(format!("entry {}: `{shown}` is no host:port", number + 1));
            }
            let place = Place { url, address: None };
            // One address may serve several pages.
            let other = places.get(target).is_some_and(|known| *known != place);
            let key = if other {
                format!("{target}{path}")
            } else {
                target.clone()
            };
            places.insert(key, place);
        }
    }
    Ok(places)
}

impl Source for Group {
    fn id(&self) -> SourceId {
        self.id.clone()
    }

    fn period(&self) -> Duration {
        match self.target.discovery {
            Discovery::File(_) => LOOK,
            _ => LOOKUP,
        }
    }

    fn timeout(&self) -> Duration {
        Duration::from_secs(5)
    }

    async fn read(&mut self, outlet: &mut Outlet) -> Result<Duration, SourceError> {
        let clock = outlet.clock().clone();
        let begun = clock.now().mono;
        let file: Option<PathBuf> = match &self.target.discovery {
            Discovery::File(path) => Some(path.clone()),
            _ => None,
        };
        let places = match file {
            Some(path) => self.listed(&path).await?,
            None => Some(self.addresses().await?),
        };
        let took = clock.now().mono.saturating_sub(begun);
        if let Some(places) = places {
            let over = self.settle(places, outlet).await;
            if over > 0 {
                let reason = format!("{} targets are left out", text::count(over as u64));
                return Err(self.error("read all of", &reason, "split them over several profiles"));
            }
        }
        Ok(took)
    }
}

#[cfg(test)]
mod tests;

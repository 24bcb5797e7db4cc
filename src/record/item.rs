//! What a recording holds.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::time::{Moment, Timestamp};
use crate::sample::Envelope;

/// A schema version. A reader takes every minor version of its own and of earlier majors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// Changes when an older reader would misread.
    pub major: u32,
    /// Changes when something is added that an older reader may leave out.
    pub minor: u32,
}

/// The schema that this version writes.
pub const VERSION: Version = Version { major: 1, minor: 0 };

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl std::str::FromStr for Version {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (major, minor) = text.split_once('.').unwrap_or((text, "0"));
        Ok(Self {
            major: major.parse()?,
            minor: minor.parse()?,
        })
    }
}

/// The topics of a recording. A topic's number is its channel and its schema in schema version 1,
/// for ever: a chunk can be read without the chunk in which its channels were declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// Who recorded what, from when.
    Session = 1,
    /// Names of series, configurations: what frames refer to.
    Layout = 2,
    /// Samples and reports of the sources.
    Envelopes = 3,
    /// The moments at which figures were worked out.
    Ticks = 4,
    /// What is missing, and why.
    Gaps = 5,
    /// What somebody did.
    Actions = 6,
    /// What somebody marked.
    Markers = 7,
    /// What happened, for foreign readers: playback derives its own.
    Events = 8,
}

impl Topic {
    /// Every topic.
    pub const ALL: &[Self] = &[
        Self::Session,
        Self::Layout,
        Self::Envelopes,
        Self::Ticks,
        Self::Gaps,
        Self::Actions,
        Self::Markers,
        Self::Events,
    ];

    /// Its name in the file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Layout => "layout",
            Self::Envelopes => "envelopes",
            Self::Ticks => "ticks",
            Self::Gaps => "gaps",
            Self::Actions => "actions",
            Self::Markers => "markers",
            Self::Events => "events",
        }
    }

    /// Its channel.
    #[must_use]
    pub fn channel(self) -> u16 {
        self as u16
    }

    /// The JSON Schema of its messages.
    pub(super) fn schema(self) -> &'static [u8] {
        match self {
            Self::Session => include_bytes!("schema/session.json"),
            Self::Layout => include_bytes!("schema/layout.json"),
            Self::Envelopes => include_bytes!("schema/envelopes.json"),
            Self::Ticks => include_bytes!("schema/ticks.json"),
            Self::Gaps => include_bytes!("schema/gaps.json"),
            Self::Actions => include_bytes!("schema/actions.json"),
            Self::Markers => include_bytes!("schema/markers.json"),
            Self::Events => include_bytes!("schema/events.json"),
        }
    }

    pub(super) fn of_channel(channel: u16) -> Option<Self> {
        Self::ALL.iter().copied().find(|topic| topic.channel() == channel)
    }
}

/// Who recorded what, from when. The same in every file of a session but for `file`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionInfo {
    /// The schema, `major.minor`.
    pub schema: String,
    /// The version of hookwatch that wrote it.
    pub hookwatch: String,
    /// The session: the same in its rotated files, different in any other.
    pub session: String,
    /// The file's place in the session, from 0.
    pub file: u32,
    /// The profile's name.
    pub profile: String,
    /// When the model began, on both clocks.
    pub start: Moment,
    /// What the model needs to know of the profile, as JSON. Opaque here.
    pub settings: serde_json::Value,
}

impl SessionInfo {
    /// A session that is recorded from `start` on.
    #[must_use]
    pub fn new(profile: &str, start: Moment, settings: serde_json::Value) -> Self {
        Self {
            schema: VERSION.to_string(),
            hookwatch: env!("CARGO_PKG_VERSION").to_owned(),
            session: uuid::Uuid::new_v4().to_string(),
            file: 0,
            profile: profile.to_owned(),
            start,
            settings,
        }
    }

    /// A moment of this session as unix nanoseconds that never go back, whatever was done to the
    /// machine's clock: the wall clock at its start, and the monotonic clock since.
    #[must_use]
    pub fn axis(&self, moment: Moment) -> u64 {
        let origin = u64::try_from(self.start.at.as_nanosecond()).unwrap_or(0);
        let since = moment.mono.saturating_sub(self.start.mono);
        origin.saturating_add(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
    }
}

/// Figures were worked out.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tick {
    /// As of when.
    #[serde(flatten)]
    pub moment: Moment,
    /// Webhooks per second at that moment, for a timeline that need not fold; `None`: unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<f64>,
}

/// Something is missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// When it was noticed.
    #[serde(flatten)]
    pub moment: Moment,
    /// Items that are missing, where they were counted.
    pub lost: u64,
    /// Why.
    pub reason: String,
}

/// Somebody did something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    /// When.
    #[serde(flatten)]
    pub moment: Moment,
    /// What: `replay`, `fire`, `purge`, …
    pub what: String,
    /// In a few words.
    pub text: String,
    /// More, or empty.
    #[serde(default)]
    pub detail: String,
}

/// Somebody marked a moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    /// Which.
    #[serde(flatten)]
    pub moment: Moment,
    /// What is to be said of it.
    pub text: String,
}

/// Something happened, as the model tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When the model told it.
    #[serde(flatten)]
    pub moment: Moment,
    /// When it happened.
    pub happened: Timestamp,
    /// What kind: `source`, `verdict`, `advisory`, `process`, `action`, `console`.
    pub kind: String,
    /// How bad: `info`, `warning`, `critical`.
    pub severity: String,
    /// What, in a few words.
    pub text: String,
    /// More, or empty.
    #[serde(default)]
    pub detail: String,
    /// How many alike it stands for.
    pub count: u64,
}

impl Event {
    /// Whether it is a verdict that was raised: an alert on the timeline.
    #[must_use]
    pub fn is_alert(&self) -> bool {
        self.kind == "verdict" && self.severity != "info"
    }
}

/// One entry of a recording, in the order in which the model was given it.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// A session begins, or goes on in another file.
    Session(Box<SessionInfo>),
    /// A sample.
    Envelope(Box<Envelope>),
    /// Figures were worked out.
    Tick(Tick),
    /// Something is missing.
    Gap(Gap),
    /// Somebody did something.
    Action(Action),
    /// Somebody marked this moment.
    Marker(Marker),
    /// Something happened.
    Event(Event),
}

impl Item {
    /// When.
    #[must_use]
    pub fn moment(&self) -> Moment {
        match self {
            Self::Session(info) => info.start,
            Self::Envelope(envelope) => envelope.moment(),
            Self::Tick(tick) => tick.moment,
            Self::Gap(gap) => gap.moment,
            Self::Action(action) => action.moment,
            Self::Marker(marker) => marker.moment,
            Self::Event(event) => event.moment,
        }
    }

    /// Whether it is worth a write of its own: it must not be lost with the last 10 s.
    #[must_use]
    pub fn is_precious(&self) -> bool {
        match self {
            Self::Action(_) | Self::Marker(_) | Self::Gap(_) => true,
            Self::Event(event) => event.severity != "info",
            _ => false,
        }
    }
}

/// A span of unix nanoseconds as a duration.
pub(super) fn span(from: u64, to: u64) -> Duration {
    Duration::from_nanos(to.saturating_sub(from))
}

/// The beginning of time, where no better moment is known.
pub(super) const EPOCH: Moment = Moment {
    at: Timestamp::UNIX_EPOCH,
    mono: Duration::ZERO,
};

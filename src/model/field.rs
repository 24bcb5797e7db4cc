//! How a figure is named, formatted and exported: declared once, for screen, JSON, CSV and help.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::reading::{Reading, ReadingState};
use crate::base::text;

/// The unit of a figure; it decides how the figure is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A whole number.
    Count,
    /// Per second.
    PerSecond,
    /// Per minute.
    PerMinute,
    /// Seconds.
    Seconds,
    /// A ratio of 1, written as per cent.
    Ratio,
    /// Bytes.
    Bytes,
}

impl Unit {
    /// A value as text, with its unit.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "rounded; negative values are handled apart and infinities are unknown"
    )]
    pub fn format(self, value: f64) -> String {
        if !value.is_finite() {
            return text::UNKNOWN.to_owned();
        }
        match self {
            Self::Count if value < 0.0 => text::signed(value.round() as i64),
            Self::Count => text::count(value.round() as u64),
            Self::PerSecond => format!("{}/s", text::per_second(value)),
            Self::PerMinute => format!("{}/min", text::per_second(value)),
            Self::Seconds => {
                Duration::try_from_secs_f64(value).map_or_else(|_| text::UNKNOWN.to_owned(), text::duration)
            }
            Self::Ratio => text::percent(value),
            Self::Bytes => text::bytes(value.max(0.0) as u64),
        }
    }
}

macro_rules! fields {
    ($($(#[doc = $doc:literal])* $name:ident = $key:literal, $label:literal, $unit:ident;)*) => {
        /// A figure that can be named: charted, sorted by, explained, exported.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Field { $($(#[doc = $doc])* $name,)* }

        impl Field {
            /// Every field.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Its key in JSON and CSV.
            #[must_use]
            pub fn key(self) -> &'static str { match self { $(Self::$name => $key,)* } }

            /// Its name on screen.
            #[must_use]
            pub fn label(self) -> &'static str { match self { $(Self::$name => $label,)* } }

            /// Its unit.
            #[must_use]
            pub fn unit(self) -> Unit { match self { $(Self::$name => Unit::$unit,)* } }

            /// What it means, in one sentence.
            #[must_use]
            pub fn meaning(self) -> &'static str { match self { $(Self::$name => concat!($($doc),*).trim_ascii(),)* } }
        }
    };
}

fields! {
    /// Webhooks that reach the gateway.
    ReceivedPerS = "received_per_s", "received", PerSecond;
    /// Webhooks that the stream confirmed.
    QueuedPerS = "queued_per_s", "queued", PerSecond;
    /// Messages that the stream stored.
    StoredPerS = "stored_per_s", "ingest", PerSecond;
    /// Webhooks that workers have processed.
    ProcessedPerS = "processed_per_s", "processing", PerSecond;
    /// Rows that Postgres has taken.
    WrittenPerS = "written_per_s", "written", PerSecond;
    /// Messages waiting and held.
    Backlog = "backlog", "backlog", Count;
    /// Age of the oldest message that no worker has seen.
    OldestWaiting = "oldest_unprocessed_s", "oldest waiting", Seconds;
    /// Letters in the dead letter stream.
    Dead = "dead", "dead letters", Count;
    /// 99th percentile of the gateway's answer.
    ResponseP99 = "response_p99_s", "ack p99", Seconds;
    /// Webhooks that one worker has processed.
    WorkerRate = "rate_per_s", "rate", PerSecond;
}

/// A reading as it stands on screen: its value with its unit, `≤` before a bound, `–` when unknown.
#[must_use]
pub fn show(reading: &Reading, unit: Unit) -> String {
    match (reading.value, reading.state) {
        (None, _) | (_, ReadingState::Unknown) => text::UNKNOWN.to_owned(),
        (Some(value), ReadingState::AtMost) => format!("≤{}", unit.format(value)),
        (Some(value), _) => unit.format(value),
    }
}

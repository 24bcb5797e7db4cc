//! What a timeline shows of a recording without folding it.

use serde::{Deserialize, Serialize};

use super::item::Item;

/// The width of a bucket of load, unix nanoseconds.
pub const BUCKET: u64 = 10_000_000_000;

/// A point of the timeline: unix nanoseconds on the recording's axis, and what happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Point {
    /// When.
    pub at: u64,
    /// What, as it was recorded: a stranger's text may be in it.
    pub text: String,
}

/// Load by the bucket, and what stands out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Outline {
    /// Mean webhooks per second of a bucket, by the bucket's number (its time over [`BUCKET`]).
    pub load: Vec<(u64, f32)>,
    /// Verdicts that were raised.
    pub alerts: Vec<Point>,
    /// Marked moments.
    pub markers: Vec<Point>,
    /// Actions.
    pub actions: Vec<Point>,
    /// What is missing.
    pub gaps: Vec<Point>,
    /// Values in the last bucket.
    #[serde(skip)]
    weight: u32,
}

/// More than these of one kind are not kept: a timeline has no room for them.
const MOST: usize = 1_000;

impl Outline {
    /// Takes an item in, in the recording's order.
    pub fn note(&mut self, at: u64, item: &Item) {
        let point = |text: &str| Point {
            at,
            text: text.to_owned(),
        };
        let add = |points: &mut Vec<Point>, text: &str| {
            if points.len() < MOST {
                points.push(point(text));
            }
        };
        match item {
            Item::Tick(tick) => {
                if let Some(load) = tick.load {
                    self.note_load(at / BUCKET, load);
                }
            }
            Item::Event(event) if event.is_alert() => add(&mut self.alerts, &event.text),
            Item::Marker(marker) => add(&mut self.markers, &marker.text),
            Item::Action(action) => add(&mut self.actions, &action.text),
            Item::Gap(gap) => add(&mut self.gaps, &gap.reason),
            _ => {}
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "a timeline needs no more than f32")]
    fn note_load(&mut self, bucket: u64, load: f64) {
        match self.load.last_mut() {
            Some((last, mean)) if *last == bucket => {
                self.weight += 1;
                *mean += (load as f32 - *mean) / self.weight as f32;
            }
            _ => {
                self.load.push((bucket, load as f32));
                self.weight = 1;
            }
        }
    }

    /// Leaves out what is not within these times.
    pub(super) fn clip(&mut self, from: u64, to: u64) {
        self.load
            .retain(|(bucket, _)| (bucket + 1) * BUCKET > from && bucket * BUCKET < to);
        for points in [&mut self.alerts, &mut self.markers, &mut self.actions, &mut self.gaps] {
            points.retain(|point| (from..to).contains(&point.at));
        }
    }

    /// Adds what comes after it.
    pub fn extend(&mut self, later: Self) {
        self.load.extend(later.load);
        self.alerts.extend(later.alerts);
        self.markers.extend(later.markers);
        self.actions.extend(later.actions);
        self.gaps.extend(later.gaps);
        self.weight = 0;
    }
}

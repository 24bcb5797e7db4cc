//! How far charts reach back.

use std::time::Duration;

use super::widget::figure;

/// Spans of charts, shortest first.
pub const RANGES: [Duration; 4] = [
    Duration::from_mins(1),
    Duration::from_mins(5),
    Duration::from_mins(15),
    Duration::from_hours(1),
];

/// `15m`, `1h`.
#[must_use]
pub fn range_name(range: Duration) -> String {
    figure::duration(range).replace("m00s", "m").replace("h00m", "h")
}

//! The pipeline's figures at one moment, as a row: CSV and JSON lines.

use std::fmt::Write as _;

use crate::model::field::Field;
use crate::model::{Flow, Reading, View};

/// The figures of a row, in the order of the columns.
pub const COLUMNS: &[Field] = &[
    Field::ReceivedPerS,
    Field::QueuedPerS,
    Field::StoredPerS,
    Field::ProcessedPerS,
    Field::WrittenPerS,
    Field::Backlog,
    Field::OldestWaiting,
    Field::Dead,
    Field::ResponseP99,
];

fn figure(flow: &Flow, field: Field) -> Option<&Reading> {
    Some(match field {
        Field::ReceivedPerS => &flow.received_per_s,
        Field::QueuedPerS => &flow.queued_per_s,
        Field::StoredPerS => &flow.stored_per_s,
        Field::ProcessedPerS => &flow.processed_per_s,
        Field::WrittenPerS => &flow.written_per_s,
        Field::Backlog => &flow.backlog,
        Field::OldestWaiting => &flow.oldest_waiting_s,
        Field::Dead => &flow.dead,
        Field::ResponseP99 => &flow.response_p99_s,
        _ => return None,
    })
}

/// A value that may be written: known, finite, and not merely the last one known.
#[must_use]
pub fn value(flow: &Flow, field: Field) -> Option<f64> {
    let reading = figure(flow, field).filter(|reading| !reading.is_stale())?;
    reading.value.filter(|value| value.is_finite())
}

/// The columns' names, in SI units.
#[must_use]
pub fn csv_header() -> String {
    let keys: Vec<_> = COLUMNS.iter().map(|field| field.key()).collect();
    format!("time,{}", keys.join(","))
}

/// The figures of a moment; unknown and stale ones are empty.
#[must_use]
pub fn csv_row(view: &View) -> String {
    let mut row = view.now.at.to_string();
    for field in COLUMNS {
        row.push(',');
        if let Some(value) = value(&view.flow, *field) {
            let written = write!(row, "{value}");
            debug_assert!(written.is_ok(), "writing to a String does not fail");
        }
    }
    row
}

/// The figures of a moment as one JSON object on one line; unknown and stale ones are `null`.
#[must_use]
pub fn json_row(view: &View) -> String {
    let mut row = serde_json::Map::new();
    row.insert("time".to_owned(), view.now.at.to_string().into());
    for field in COLUMNS {
        row.insert(field.key().to_owned(), value(&view.flow, *field).into());
    }
    serde_json::Value::Object(row).to_string()
}

/// Seconds since the begin, and the figures in the order of [`COLUMNS`].
pub type Row = (f64, Vec<Option<f64>>);

/// Lowest, highest and last of each figure that was known.
#[must_use]
pub fn summary(rows: &[Row]) -> Vec<(Field, f64, f64, f64)> {
    let columns = COLUMNS.iter().enumerate();
    columns
        .filter_map(|(column, field)| {
            let mut known = rows.iter().filter_map(|(_, row)| row[column]);
            let first = known.next()?;
            let of_one = (*field, first, first, first);
            Some(known.fold(of_one, |(field, low, high, _), value| {
                (field, low.min(value), high.max(value), value)
            }))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::{Moment, Timestamp};
    use crate::model::ReadingState;
    use crate::sample::{SourceId, SourceKind};

    #[test]
    fn unknown_and_stale_figures_are_empty_or_null_and_never_zero() {
        let now = Moment {
            at: Timestamp::UNIX_EPOCH,
            mono: std::time::Duration::ZERO,
        };
        let mut view = View::empty("p", now);
        let source = SourceId::new(SourceKind::Metrics, "gateway");
        view.flow.received_per_s = Reading::fresh(12.5, now.at, source.clone());
        view.flow.backlog = Reading::fresh(3.0, now.at, source.clone());
        view.flow.dead = Reading {
            state: ReadingState::Stale,
            ..Reading::fresh(7.0, now.at, source)
        };
        assert_eq!(
            csv_header(),
            "time,received_per_s,queued_per_s,stored_per_s,processed_per_s,written_per_s,backlog,oldest_unprocessed_s,dead,response_p99_s"
        );
        assert_eq!(csv_row(&view), "1970-01-01T00:00:00Z,12.5,,,,,3,,,");
        let json: serde_json::Value = serde_json::from_str(&json_row(&view)).unwrap();
        assert_eq!(
            (&json["received_per_s"], &json["dead"]),
            (&12.5.into(), &serde_json::Value::Null)
        );
        assert_eq!(COLUMNS.len() + 1, json.as_object().unwrap().len());
        assert!(COLUMNS.iter().all(|field| figure(&view.flow, *field).is_some()));
    }
}

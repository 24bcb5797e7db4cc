//! The streams that a window goes to, as they stand before it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::pack::Wanted;
use crate::act::exchange::{Exchange, ExchangeError};
use crate::act::journal::TargetMark;

/// Targets by name.
pub(super) type Marks = BTreeMap<Arc<str>, TargetMark>;

/// The streams that letters go to.
pub(super) fn targets(wanted: &[Wanted]) -> BTreeSet<Arc<str>> {
    // A gateway is no stream.
    let streams = wanted.iter().map(|wanted| &wanted.stream);
    streams.filter(|stream| !stream.is_empty()).cloned().collect()
}

/// Targets as they stand.
pub(super) async fn marks(exchange: &Exchange, streams: BTreeSet<Arc<str>>) -> Result<Marks, ExchangeError> {
    let mut marks = Marks::new();
    for stream in streams {
        let reading = exchange.stream(&stream).await?;
        let mark = TargetMark {
            created: reading.created.unwrap_or_default(),
            last_seq: reading.state.last_seq,
            leader: reading.cluster.and_then(|cluster| cluster.leader),
        };
        marks.insert(stream, mark);
    }
    Ok(marks)
}

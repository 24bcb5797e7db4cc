//! One stream's reading: the stream (S1), its consumers (B), the stream again (S2).

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::future::join_all;

use super::api::{Api, ApiError};
use crate::sample::{ConsumerReading, QueueReading};

/// Sorted names.
pub(crate) type Names = Arc<[Arc<str>]>;

/// What to read of a stream.
#[derive(Clone, Debug)]
pub(crate) struct Errand {
    /// The stream.
    pub(crate) stream: Arc<str>,
    /// All its consumers, when it has no more than this.
    pub(crate) all_up_to: u64,
    /// These consumers in any case.
    pub(crate) named: BTreeSet<Arc<str>>,
    /// Its consumers as listed before, and how many the stream had then.
    pub(crate) names: Option<(Names, u64)>,
    /// Consumers that were there before and should be still.
    pub(crate) remembered: BTreeSet<Arc<str>>,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The stream.
    pub(crate) stream: Arc<str>,
    /// The sample.
    pub(crate) reading: Result<QueueReading, ApiError>,
    /// Its consumers, where they were listed anew, and how many the stream had then.
    pub(crate) names: Option<(Names, u64)>,
    /// Why they could not be listed.
    pub(crate) names_error: Option<ApiError>,
    /// Consumers that could not be read although they may exist.
    pub(crate) failed: Vec<(Arc<str>, ApiError)>,
    /// Whether a listed consumer turned out to be gone: the list is out of date.
    pub(crate) gone: bool,
}

/// Reads a stream. A consumer that does not answer does not cost the others their reading.
pub(crate) async fn read(api: Arc<Api>, errand: Errand) -> Outcome {
    let mut outcome = Outcome {
        stream: errand.stream.clone(),
        reading: Err(ApiError::Lost("not read".into())),
        names: None,
        names_error: None,
        failed: Vec::new(),
        gone: false,
    };
    outcome.reading = read_into(&api, errand, &mut outcome).await;
    outcome
}

async fn read_into(api: &Api, errand: Errand, outcome: &mut Outcome) -> Result<QueueReading, ApiError> {
    let before = api.stream(&errand.stream).await?;
    let total = before.state.consumer_count;
    let names = list(api, &errand, total, outcome).await?;
    let mut chosen: BTreeSet<Arc<str>> = errand.named.clone();
    let mut missing: BTreeSet<Arc<str>> = BTreeSet::new();
    if let Some(names) = &names {
        // What is not on the list need not be asked for: each miss would count as an API error.
        missing.extend(chosen.iter().filter(|name| names.binary_search(name).is_err()).cloned());
        missing.extend(
            errand
                .remembered
                .iter()
                .filter(|name| names.binary_search(name).is_err())
                .cloned(),
        );
        chosen = names.iter().cloned().collect();
    }
    let answers = join_all(chosen.iter().map(|consumer| api.consumer(&errand.stream, consumer))).await;
    let mut consumers: Vec<ConsumerReading> = Vec::with_capacity(answers.len());
    for (name, answer) in chosen.into_iter().zip(answers) {
        match answer {
            Ok(reading) => consumers.push(reading),
            Err(error) if error.is_missing_consumer() => {
                outcome.gone = true;
                if errand.named.contains(&name) || errand.remembered.contains(&name) {
                    missing.insert(name);
                }
            }
            Err(lost @ ApiError::Lost(_)) => return Err(lost),
            Err(error) => outcome.failed.push((name, error)),
        }
    }
    // Without a consumer in between, the second reading would tell nothing new.
    let after = if consumers.is_empty() {
        before.clone()
    } else {
        api.stream(&errand.stream).await?
    };
    Ok(QueueReading {
        before,
        consumers,
        after,
        consumers_total: total,
        missing: missing.into_iter().map(|name| name.to_string()).collect(),
    })
}

/// The consumers to read, when all of them are wanted and can be listed.
async fn list(api: &Api, errand: &Errand, total: u64, outcome: &mut Outcome) -> Result<Option<Names>, ApiError> {
    if total > errand.all_up_to {
        return Ok(None);
    }
    if let Some((names, then)) = &errand.names
        && *then == total
    {
        return Ok(Some(names.clone()));
    }
    let listed = if total == 0 {
        Ok(Vec::new())
    } else {
        api.consumer_names(&errand.stream).await
    };
    match listed {
        Ok(names) => {
            let names: Names = names.into();
            outcome.names = Some((names.clone(), total));
            Ok(Some(names))
        }
        Err(lost @ ApiError::Lost(_)) => Err(lost),
        Err(error) => {
            outcome.names_error = Some(error);
            Ok(None)
        }
    }
}

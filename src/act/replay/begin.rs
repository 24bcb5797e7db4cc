//! How a replay begins: from a plan, from its own journal, or from another operator's.

use std::sync::Arc;

use super::gateway::Gateway;
use super::halt::Halt;
use super::mirror::{self, Mirror, PART};
use super::run::Run;
use super::{Context, ReplayError, Report, Resume};
use crate::act::bucket;
use crate::act::exchange::{Exchange, ExchangeError};
use crate::act::journal::{Begin, Entry, Outcome, Record, Stand, Standings};
use crate::act::lease::{self, Lease, Wanted};
use crate::act::permit::Permit;
use crate::act::plan::Plan;
use crate::base::text;
use crate::base::time::{Timestamp, since};

/// Replays what a plan holds.
///
/// # Errors
/// When nothing was sent, or it broke off: the journal then knows how far it came.
pub async fn start(
    plan: &Plan,
    reason: Option<String>,
    permit: Permit,
    context: Context,
) -> Result<Report, ReplayError> {
    permit.redeem(&plan.hash)?;
    let gateway = Gateway::of(&plan.how, &context)?;
    let exchange = Arc::new(Exchange::connect(&context.link, &context.clock).await?);
    let dlq = stream(&exchange, &plan.dlq).await?;
    if dlq.created != Some(plan.dlq_created) {
        return Err(ReplayError::AnotherStream(text::safe(&plan.dlq).into_owned()));
    }
    bucket::ensure(&exchange, dlq.config.replicas)
        .await
        .map_err(failed("make the bucket"))?;
    let session: Arc<str> = uuid::Uuid::new_v4().simple().to_string().into();
    let begin = Begin {
        replay: session.clone(),
        profile: context.profile.clone(),
        dlq: plan.dlq.clone(),
        dlq_created: plan.dlq_created,
        dlq_last_seq: plan.dlq_last_seq,
        who: context.who.clone(),
        filter: plan.filter.clone(),
        reason,
        plan: plan.hash.clone(),
        count: plan.count,
        how: plan.how.clone(),
    };
    let selected = selection(plan);
    let claim = lease::look(&exchange, &plan.dlq).await?.map(|found| found.value);
    refuse_unfinished(&context, &begin, claim.as_ref())?;
    // The journal first: a lease without a journal could not be resumed.
    let mut journal = context.journals.create(&begin.replay)?;
    let mut records = vec![Record::Begin(Box::new(begin.clone()))];
    records.extend(selected.iter().cloned());
    let standings = Standings::of(&journal.commit(records).await?);
    let lease = match Lease::take(&exchange, &wanted(&begin, &context, session), &context.clock).await {
        Ok(lease) => lease,
        Err(error) => {
            let outcome = Outcome::Cancelled;
            journal.commit(vec![Record::End { outcome }]).await?;
            return Err(error.into());
        }
    };
    let mirror = Mirror::begin(&exchange, &begin, &selected).await?;
    let mut run = Run::new(context, exchange, journal, standings, begin, lease, mirror);
    run.gateway = gateway;
    Box::pin(run.complete()).await
}

/// Goes on with a replay that was left unfinished: our own, or with its holder's name typed
/// another operator's.
///
/// # Errors
/// When there is none, when it cannot be had, or when it broke off again.
pub async fn resume(dlq: &str, how: &Resume, permit: Permit, context: Context) -> Result<Report, ReplayError> {
    permit.redeem(dlq)?;
    let exchange = Arc::new(Exchange::connect(&context.link, &context.clock).await?);
    let stream = stream(&exchange, dlq).await?;
    let created = stream
        .created
        .ok_or_else(|| ReplayError::AnotherStream(text::safe(dlq).into_owned()))?;
    let nothing = || ReplayError::NothingToResume(text::safe(dlq).into_owned());
    bucket::ensure(&exchange, stream.config.replicas)
        .await
        .map_err(failed("make the bucket"))?;
    let session: Arc<str> = uuid::Uuid::new_v4().simple().to_string().into();
    let own = context.journals.of(dlq, created)?;
    let claim = lease::look(&exchange, dlq).await?.map(|found| found.value);
    let is_open = |standings: &&Standings| standings.outcome.is_none() && standings.is_begun();
    let own = own.iter().rfind(is_open).and_then(|standings| standings.begin.clone());
    // Another operator's replay is newer than any journal of ours.
    let own = own.filter(|begin| {
        claim
            .as_ref()
            .is_none_or(|claim| claim.replay == begin.replay && claim.holder == context.who)
    });
    let (journal, mut standings, begin, lease) = match (own, &how.take_over) {
        (Some(begin), None) => {
            let (journal, standings) = context.journals.open(&begin.replay)?;
            let lease = Lease::take_back(&exchange, &wanted(&begin, &context, session), &context.clock).await?;
            (journal, standings, begin, lease)
        }
        (_, Some(typed)) => {
            let claim = claim.filter(|claim| !claim.is_free()).ok_or_else(nothing)?;
            let wanted = wanted_for(claim.replay.clone(), dlq, created, &context, session.clone());
            let lease = Lease::take_over(&exchange, &wanted, typed, &context.clock).await?;
            let taken_at = lease::look(&exchange, dlq).await?.and_then(|found| found.at);
            let mirror::Copy {
                mut begin,
                mut records,
                mut windows,
                at,
            } = mirror::read(&exchange, dlq).await?;
            date(&mut windows, at.zip(taken_at), &context);
            // Its own name: the other operator's journal may lie in the same folder.
            let name = format!("{}-{}", begin.replay, lease.epoch());
            records.extend(windows.into_iter().map(|entry| entry.record));
            let mut journal = context.journals.create(&name)?;
            begin.replay = name.into();
            records[0] = Record::Begin(Box::new(begin.clone()));
            let standings = Standings::of(&journal.commit(records).await?);
            let lease = lease.rename(&exchange, begin.replay.clone()).await?;
            (journal, standings, begin, lease)
        }
        (None, None) => {
            return Err(match claim.filter(|claim| !claim.is_free()) {
                Some(claim) => lease::LeaseError::Held(Box::new(claim)).into(),
                None => nothing(),
            });
        }
    };
    let gateway = Gateway::of(&begin.how, &context)?;
    standings.retry_refused();
    let selected: Vec<Record> = parts(&standings);
    let mut mirror = Mirror::begin(&exchange, &begin, &selected).await?;
    mirror.settle_all(&standings);
    let mut run = Run::new(context, exchange, journal, standings, begin, lease, mirror);
    run.gateway = gateway;
    // What somebody knows by now is no longer a person's to decide.
    if let Err(Halt::Broken(error)) = run.reconsider().await {
        return Err(error);
    }
    run.settle_doubts(how.in_doubt).await?;
    Box::pin(run.complete()).await
}

/// Two times by one clock, the server's, say how old a window is, whosever clock it bears.
fn date(windows: &mut [Entry], sent_and_taken: Option<(Timestamp, Timestamp)>, context: &Context) {
    let Some((sent, taken)) = sent_and_taken.filter(|(sent, taken)| sent <= taken) else {
        return;
    };
    for entry in windows {
        if let Record::Window(window) = &mut entry.record {
            window.who.clone_from(&context.who);
            window.age_ms = u64::try_from(since(sent, taken).as_millis()).unwrap_or(u64::MAX / 2);
        }
    }
}

/// A bucket that was lost does not make us forget what we sent.
fn refuse_unfinished(context: &Context, begin: &Begin, claim: Option<&lease::Claim>) -> Result<(), ReplayError> {
    if claim.is_some() {
        return Ok(());
    }
    let own = context.journals.of(&begin.dlq, begin.dlq_created)?;
    let is_open = |standings: &&Standings| standings.outcome.is_none() && !standings.windows.is_empty();
    match own.iter().find(is_open) {
        None => Ok(()),
        Some(standings) => Err(ReplayError::Unfinished {
            dlq: text::safe(&begin.dlq).into_owned(),
            landed: standings.counts().landed,
            selected: standings.counts().selected,
        }),
    }
}

async fn stream(exchange: &Exchange, dlq: &str) -> Result<crate::sample::StreamReading, ReplayError> {
    exchange
        .stream(dlq)
        .await
        .map_err(failed("read the dead letter stream"))
}

fn failed(operation: &'static str) -> impl FnOnce(ExchangeError) -> ReplayError {
    move |source| ReplayError::Exchange {
        operation,
        source,
        next: "check the connection and the rights",
    }
}

fn wanted(begin: &Begin, context: &Context, session: Arc<str>) -> Wanted {
    wanted_for(begin.replay.clone(), &begin.dlq, begin.dlq_created, context, session)
}

fn wanted_for(
    replay: Arc<str>,
    dlq: &str,
    dlq_created: crate::base::time::Timestamp,
    context: &Context,
    session: Arc<str>,
) -> Wanted {
    Wanted {
        holder: context.who.clone(),
        session,
        replay,
        dlq: dlq.into(),
        dlq_created,
        lasts: context.timing.lease,
    }
}

/// The frozen selection in parts that fit a message.
fn selection(plan: &Plan) -> Vec<Record> {
    let letters = plan.letters.iter();
    parts_of(letters.map(|letter| {
        (
            letter.sequence,
            letter.hash.clone(),
            letter.subject.clone(),
            letter.stream.clone(),
        )
    }))
}

fn parts(standings: &Standings) -> Vec<Record> {
    let letters = standings.order.iter().filter_map(|letter| {
        let standing = standings.letters.get(letter)?;
        Some((
            *letter,
            standing.hash.clone(),
            standing.subject.clone(),
            standing.stream.clone(),
        ))
    });
    parts_of(letters)
}

fn parts_of(letters: impl Iterator<Item = (u64, Arc<str>, Arc<str>, Arc<str>)>) -> Vec<Record> {
    let mut parts = Vec::new();
    let mut targets: Vec<(Arc<str>, Arc<str>)> = Vec::new();
    let mut index = std::collections::BTreeMap::new();
    let mut part = Vec::new();
    for (letter, hash, subject, stream) in letters {
        let next = targets.len();
        let at = *index.entry(subject.clone()).or_insert(next);
        if at == next {
            targets.push((subject, stream));
        }
        part.push((letter, hash, at));
        if part.len() == PART {
            index.clear();
            parts.push(Record::Selected {
                targets: std::mem::take(&mut targets),
                letters: std::mem::take(&mut part),
            });
        }
    }
    if !part.is_empty() {
        parts.push(Record::Selected { targets, letters: part });
    }
    parts
}

impl Run {
    /// Settles the letters in doubt as a person decided.
    async fn settle_doubts(&mut self, settlement: Option<crate::act::journal::Settlement>) -> Result<(), ReplayError> {
        let Some(settlement) = settlement else { return Ok(()) };
        if settlement == crate::act::journal::Settlement::Drop {
            let dlq = stream(&self.exchange, &self.begin.dlq).await?;
            let archive = crate::act::plan::archive_of(&self.begin.dlq);
            let made = crate::act::select::ensure_archive(&self.exchange, &dlq, &archive).await;
            made.map_err(failed("make the archive"))?;
        }
        let doubts: Vec<u64> = self.standings.which(|s| matches!(s.stand, Stand::Doubt(_))).collect();
        let records = doubts
            .into_iter()
            .map(|letter| Record::Settled { letter, settlement })
            .collect();
        self.commit(records).await?;
        Ok(())
    }
}

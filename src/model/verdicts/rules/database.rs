//! Rules about the database: down, slow, behind an open breaker.

use super::{Facts, Finding, Words, stage};
use crate::base::text;
use crate::model::verdicts::facts::is;
use crate::model::verdicts::learnt::UPDATES;
use crate::model::verdicts::words::{about, count, counted, measured, names};
use crate::model::view::{Health, Severity};
use crate::sample::{Blocked, SourceKind};

/// Failed connects in a row, and good ones that clear.
const CONNECTS: (u32, u32) = (3, 3);
/// Updates this many times slower than usual alarm; below the second one they are as usual.
const SLOWER: (f64, f64) = (3.0, 2.0);
/// Quicker updates are never slow, seconds.
const SLOW: f64 = 0.1;
/// Updates must have been unusually slow for this long, seconds.
const HELD: f64 = 3.0;
/// A lock is waited for this long before it is worth a word, seconds.
const WAITED: f64 = 2.0;

pub(super) fn database_down(facts: &Facts) -> Vec<Finding> {
    facts
        .sources
        .iter()
        .filter(|source| is(source, SourceKind::Postgres))
        .map(|source| {
            let failing = source.health == Health::Failing;
            let breakers = !facts.crew.breaker_open.is_empty();
            // While the workers write, it is our own way to it that is closed.
            let down = failing && !facts.crew.working && (source.failures >= CONNECTS.0 || breakers);
            let clears = source.goods >= CONNECTS.1 || (failing && facts.crew.working);
            Finding::new(None, stage(down, clears), || {
                let breaker = breakers.then(|| {
                    format!(
                        "breaker open on {} of {} workers",
                        text::count(facts.crew.breaker_open.len() as u64),
                        text::count(facts.crew.breaker_known as u64)
                    )
                });
                Words::new(Severity::Critical, "Postgres cannot be read")
                    .because_unread(
                        source.error.as_deref(),
                        "start the server or the way to it; webhooks wait in the stream meanwhile",
                    )
                    .because(format!(
                        "{} failed in a row",
                        counted(f64::from(source.failures), "attempt", "attempts")
                    ))
                    .because_of(breaker)
            })
        })
        .collect()
}

pub(super) fn breaker_open(facts: &Facts) -> Vec<Finding> {
    let crew = &facts.crew;
    if crew.breaker_known == 0 {
        return Vec::new();
    }
    let half = !crew.breaker_half_open.is_empty();
    let stage = stage(!crew.breaker_open.is_empty(), !half);
    vec![Finding::new(None, stage, || {
        Words::new(
            Severity::Critical,
            format!(
                "Circuit breaker open on {} of {} workers",
                text::count(crew.breaker_open.len() as u64),
                text::count(crew.breaker_known as u64)
            ),
        )
        .because(format!("says {}", names(crew.breaker_open.iter().map(|name| &**name))))
        .next("look at the database: the breaker closes by itself when it answers again")
    })]
}

/// Slow by its own histogram, or held up by somebody's lock: then no update ends, and no
/// histogram tells.
pub(super) fn database_slow(facts: &Facts) -> Vec<Finding> {
    let crew = &facts.crew;
    let pace = crew
        .update_p95_s
        .zip(crew.usual_update_s)
        .filter(|_| crew.updates >= UPDATES);
    // What catches up after a pause is slow for a moment, too.
    let slow = pace.filter(|(p95, usual)| *p95 > usual * SLOWER.0 && *p95 > SLOW && crew.unusual_s >= HELD);
    let blocked = facts.blocked.as_deref().unwrap_or_default();
    let held_up = blocked.first().filter(|first| first.waited.as_secs_f64() >= WAITED);
    let usual = pace.is_none_or(|(p95, usual)| p95 < (usual * SLOWER.1).max(SLOW));
    // While it is not known who waits, a lock is not called released.
    let released = facts.blocked.is_some() || facts.consumers.is_empty();
    let stage = stage(
        slow.is_some() || held_up.is_some(),
        usual && released && blocked.is_empty(),
    );
    vec![Finding::new(None, stage, || {
        let p95 = crew
            .update_p95_s
            .map(|p95| format!("update p95 {} of {}", measured(p95), count(crew.updates)));
        match (held_up, slow) {
            (Some(first), _) => locked(first, blocked),
            (None, pace) => slower(pace.unwrap_or_default()),
        }
        .because_of(p95)
    })]
}

/// Updates take longer than usual.
fn slower((p95, usual): (f64, f64)) -> Words {
    Words::new(
        Severity::Critical,
        format!(
            "Postgres is slow: updates take {}, usually {}",
            measured(p95),
            measured(usual)
        ),
    )
    .next("look for missing indexes, vacuum, disk and long transactions; workers wait for it")
}

/// Sessions wait for somebody's lock.
fn locked(first: &Blocked, blocked: &[Blocked]) -> Words {
    let sessions = counted(blocked.len() as f64, "session waits", "sessions wait");
    let who = names(blocked.iter().map(|waits| &*waits.application));
    let doing = text::cut(&text::safe(&first.blocking_state), 40).into_owned();
    Words::new(
        Severity::Critical,
        format!("{} holds a lock that the database's sessions wait for", blocker(first)),
    )
    .because(format!(
        "{sessions} ({}), the first for {}",
        text::safe(&who),
        about(first.waited.as_secs_f64())
    ))
    .because(format!("pid {}, {doing}", first.blocking_pid))
    .next(format!(
        "ask who runs it; SELECT pg_cancel_backend({0}), then pg_terminate_backend({0}), ends it",
        first.blocking_pid
    ))
}

/// The session that holds the lock, by its application's name.
fn blocker(first: &Blocked) -> String {
    let name = text::safe(&first.blocking_application);
    if name.trim().is_empty() {
        format!("Session {}", first.blocking_pid)
    } else {
        text::cut(&name, 40).into_owned()
    }
}

//! A scenario on stage: the load's phases and the faults, each at its time.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::LabError;
use super::faults::Faults;
use super::load::{Load, Traffic};
use super::scenario::{Fault, Phase, Scenario, Timed};
use super::up::Lab;
use crate::act::fire::{Limit, Summary};
use crate::base::text;
use crate::base::time::SharedClock;

/// Plays a scenario on a lab once, to its end or until `stop` is cancelled, and returns what its
/// load came to. Faults without an end stay.
///
/// # Errors
/// When the load or a fault could not be what the scenario says.
pub async fn play(
    lab: &Lab,
    scenario: &Scenario,
    clock: SharedClock,
    stop: &CancellationToken,
) -> Result<Option<Summary>, LabError> {
    let mut player = Player::new(lab, scenario.seed, clock);
    player.round(scenario, stop, &mut |_| {}).await?;
    player.finish().await
}

/// Something that somebody outside asks for, and where the answer goes.
pub(super) type Asked = (Timed, Option<Duration>, oneshot::Sender<Result<(), LabError>>);

/// Lets things happen to one lab.
#[derive(Debug)]
pub struct Player<'a> {
    lab: &'a Lab,
    seed: u64,
    clock: SharedClock,
    load: Option<Load>,
    faults: Faults,
    /// What is to happen, by time and, at the same time, in the order of its coming.
    agenda: BTreeMap<(Duration, u64), Timed>,
    entries: u64,
    asked: Option<mpsc::Receiver<Asked>>,
}

/// Who is told what happens, in words.
pub type Tell<'a> = &'a mut (dyn FnMut(&str) + Send);

enum Next {
    Stopped,
    Due,
    Asked(Asked),
}

impl<'a> Player<'a> {
    /// A player on `lab`; the load's random choices follow from `seed`.
    #[must_use]
    pub fn new(lab: &'a Lab, seed: u64, clock: SharedClock) -> Self {
        Self {
            lab,
            seed,
            clock,
            load: None,
            faults: Faults::default(),
            agenda: BTreeMap::new(),
            entries: 0,
            asked: None,
        }
    }

    /// The same, also doing what is asked through `asked`.
    pub(super) fn asked_through(mut self, asked: mpsc::Receiver<Asked>) -> Self {
        self.asked = Some(asked);
        self
    }

    /// Plays a scenario once; the load goes on as its last phase left it. Returns false when it
    /// was stopped before its end.
    ///
    /// # Errors
    /// When something can't happen as the scenario says.
    pub async fn round(
        &mut self,
        scenario: &Scenario,
        stop: &CancellationToken,
        tell: Tell<'_>,
    ) -> Result<bool, LabError> {
        let begun = self.clock.now().mono;
        for (at, what) in scenario.timeline() {
            self.plan(begun + at, what);
        }
        self.run(Some(begun + scenario.lasts), stop, tell).await
    }

    /// Does what is asked and what is still to be undone, until stopped.
    ///
    /// # Errors
    /// When something can't be undone.
    pub async fn hold(&mut self, stop: &CancellationToken, tell: Tell<'_>) -> Result<(), LabError> {
        self.run(None, stop, tell).await.map(drop)
    }

    async fn run(
        &mut self,
        until: Option<Duration>,
        stop: &CancellationToken,
        tell: Tell<'_>,
    ) -> Result<bool, LabError> {
        loop {
            let first = self.agenda.first_key_value().map(|((at, _), _)| *at);
            let due = [first, until].into_iter().flatten().min();
            match self.next(due, stop).await {
                Next::Stopped => return Ok(false),
                Next::Asked(asked) => self.answer(asked, tell).await,
                Next::Due if first.is_some() && first == due => {
                    let Some((_, what)) = self.agenda.pop_first() else {
                        continue;
                    };
                    self.perform(&what).await?;
                    tell(&words(&what));
                }
                Next::Due => return Ok(true),
            }
        }
    }

    /// Waits for what comes next: a request, or the time `due`.
    async fn next(&mut self, due: Option<Duration>, stop: &CancellationToken) -> Next {
        let left = due.map(|due| due.saturating_sub(self.clock.now().mono));
        let time = async {
            match left {
                Some(left) => tokio::time::sleep(left).await,
                None => std::future::pending().await,
            }
        };
        let asked = async {
            match &mut self.asked {
                Some(asked) => match asked.recv().await {
                    Some(asked) => asked,
                    None => std::future::pending().await,
                },
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => Next::Stopped,
            asked = asked => Next::Asked(asked),
            () = time => Next::Due,
        }
    }

    async fn answer(&mut self, (what, lasts, reply): Asked, tell: Tell<'_>) {
        let outcome = self.perform(&what).await;
        if outcome.is_ok() {
            tell(&words(&what));
            if let (Timed::Break(fault), Some(lasts)) = (what, lasts) {
                self.plan(self.clock.now().mono + lasts, Timed::Mend(fault));
            }
        }
        // Whoever asked may have gone.
        let _ = reply.send(outcome);
    }

    fn plan(&mut self, at: Duration, what: Timed) {
        self.entries += 1;
        self.agenda.insert((at, self.entries), what);
    }

    /// Changes the load; starts it when there is none.
    ///
    /// # Errors
    /// When that makes no sense.
    pub fn change_load(&mut self, phase: &Phase) -> Result<(), LabError> {
        if let Some(load) = &mut self.load {
            return load.change(phase);
        }
        let mut traffic = Traffic::default();
        traffic.change(phase);
        let load = self
            .lab
            .load(traffic, self.seed, Limit::default(), self.clock.clone())?;
        self.load = Some(load);
        Ok(())
    }

    /// Lets something happen now.
    ///
    /// # Errors
    /// When it can't.
    pub async fn perform(&mut self, what: &Timed) -> Result<(), LabError> {
        match what {
            Timed::Load(phase) => self.change_load(phase),
            Timed::Break(fault) => self.faults.begin(self.lab, fault).await,
            Timed::Mend(fault) => self.faults.end(self.lab, fault).await,
        }
    }

    /// The load, if there is one.
    #[must_use]
    pub fn load(&self) -> Option<&Load> {
        self.load.as_ref()
    }

    /// Stops the load and returns what it came to.
    ///
    /// # Errors
    /// When it could not be sent at all.
    pub async fn finish(self) -> Result<Option<Summary>, LabError> {
        match self.load {
            Some(load) => load.stop().await.map(Some),
            None => Ok(None),
        }
    }
}

/// What happens, in words.
pub(super) fn words(what: &Timed) -> String {
    match what {
        Timed::Load(phase) => load_words(phase),
        Timed::Break(fault) => fault_words(fault),
        Timed::Mend(fault) => format!("over: {}", fault_words(fault)),
    }
}

fn fault_words(fault: &Fault) -> String {
    let mut words = vec![fault.what.name().to_owned()];
    words.extend(fault.target.clone());
    words.extend(fault.value.map(text::duration));
    words.join(" ")
}

fn load_words(phase: &Phase) -> String {
    let mut words = Vec::new();
    if let Some(rate) = phase.rate {
        words.push(format!("{} webhooks/s", text::per_second(rate)));
    }
    let list = |shares: &std::collections::BTreeMap<String, f64>, show: fn(f64) -> String| {
        let each = shares.iter().map(|(name, share)| format!("{name} {}", show(*share)));
        each.collect::<Vec<_>>().join(", ")
    };
    words.extend(
        phase
            .providers
            .as_ref()
            .map(|shares| list(shares, |weight| weight.to_string())),
    );
    words.extend(phase.poison.map(|share| format!("poison {}", text::percent(share))));
    words.extend(phase.variants.as_ref().map(|shares| list(shares, text::percent)));
    format!("load: {}", words.join(", "))
}

#[cfg(test)]
mod tests {
    use super::super::scenario::What;
    use super::*;

    #[test]
    fn what_happens_is_told_in_words() {
        let fault = Fault {
            at: Duration::ZERO,
            what: What::SlowDatabase,
            target: None,
            value: Some(Duration::from_millis(400)),
            lasts: None,
        };
        assert_eq!(words(&Timed::Break(fault.clone())), "slow-database 400 ms");
        assert_eq!(words(&Timed::Mend(fault)), "over: slow-database 400 ms");
        let phase = Phase {
            rate: Some(1500.0),
            poison: Some(0.01),
            ..Phase::default()
        };
        assert_eq!(words(&Timed::Load(phase)), "load: 1,500 webhooks/s, poison 1.0 %");
    }
}

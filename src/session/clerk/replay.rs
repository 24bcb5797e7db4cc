//! What is ordered: a replay with a permit, written down, told step by step.

use std::sync::Arc;

use tokio::sync::watch;

use super::{Desk, Reason};
use crate::act::audit::{Account, Deed};
use crate::act::exchange::Exchange;
use crate::act::journal::Purpose;
use crate::act::letters::{Order, Said, Told};
use crate::act::oracle::Oracle;
use crate::act::permit::{Asked, Confirmed, Gate, Permit};
use crate::act::plan::{Plan, archive_of};
use crate::act::replay::{self, Context, Progress, ReplayError, Report, Resume, Steering, Timing};
use crate::act::select;

/// What is done.
enum Work {
    Replay(Arc<Plan>),
    Resume(Arc<str>, Resume),
}

impl Desk {
    pub(super) async fn perform(&self, order: Order, steering: watch::Receiver<Steering>) -> Result<Report, Reason> {
        let (work, said, action) = match order {
            Order::Replay { plan, said } => {
                let action = match plan.how.purpose {
                    Purpose::Replay => "replay",
                    Purpose::Archive => "archive",
                };
                (Work::Replay(plan), said, action)
            }
            Order::Resume { dlq, take_over, said } => {
                let resume = Resume {
                    in_doubt: None,
                    take_over,
                };
                (Work::Resume(dlq, resume), said, "resume")
            }
        };
        let permit = self.permit(&work, &said, action)?;
        // Where nothing would be left to go on with, a letter that died again is the end.
        let attended = match &work {
            Work::Replay(plan) => plan.count > plan.canary,
            Work::Resume(..) => true,
        };
        let (dlq, filter, planned) = match &work {
            Work::Replay(plan) => (plan.dlq.clone(), plan.filter.clone(), plan.count),
            Work::Resume(dlq, _) => (dlq.clone(), String::new(), 0),
        };
        let deed = Deed {
            at: self.setting.clock.now().at,
            who: self.setting.who.clone(),
            profile: self.setting.profile.name.clone(),
            action: action.to_owned(),
            dlq,
            replay: None,
            filter,
            reason: None,
            planned,
            counts: None,
            outcome: "begun".to_owned(),
        };
        let account =
            Account::open(self.audit()?, deed, self.setting.clock.clone()).map_err(|error| error.to_string())?;
        let (progress, watched) = watch::channel(Progress::default());
        let context = Context {
            link: self.link()?.clone(),
            profile: self.setting.profile.name.clone(),
            who: self.setting.who.clone(),
            journals: self.journals()?,
            clock: self.setting.clock.clone(),
            steering,
            progress,
            timing: Timing::default(),
            attended,
            signer: None,
            oracle: Oracle::of(&self.setting.profile),
        };
        let end: Result<Result<Report, ReplayError>, Reason> = {
            let work = async {
                match work {
                    Work::Replay(plan) => {
                        self.make_archive(&plan).await?;
                        Ok(replay::start(&plan, None, permit, context).await)
                    }
                    Work::Resume(dlq, resume) => Ok(replay::resume(&dlq, &resume, permit, context).await),
                }
            };
            Box::pin(self.watch(work, watched.clone())).await
        };
        let last = watched.borrow().clone();
        let end = end?;
        let closed = account.close(&last, &end);
        closed.map_err(|error| error.to_string())?;
        end.map_err(|error| error.to_string())
    }

    /// The one gate. The plan was drawn before anything was confirmed: its hash is what is permitted.
    fn permit(&self, work: &Work, said: &Said, action: &'static str) -> Result<Permit, Reason> {
        let gate = Gate::new(&self.setting.profile, said.write);
        let (plan, count) = match work {
            Work::Replay(plan) => (&*plan.hash, plan.count),
            // The plan was confirmed when the replay began.
            Work::Resume(dlq, _) => (&**dlq, 1),
        };
        let asked = Asked {
            action,
            plan,
            count,
            is_load: false,
        };
        let confirmed = Confirmed {
            count: Some(said.count),
            profile: said.profile.as_deref(),
        };
        let now = self.setting.clock.now().mono;
        gate.permit(asked, confirmed, now)
            .map_err(|refusal| refusal.to_string())
    }

    async fn make_archive(&self, plan: &Plan) -> Result<(), Reason> {
        if plan.how.purpose != Purpose::Archive {
            return Ok(());
        }
        let exchange = Exchange::connect(self.link()?, &self.setting.clock).await;
        let exchange = exchange.map_err(|error| error.to_string())?;
        let dlq = exchange.stream(&plan.dlq).await.map_err(|error| error.to_string())?;
        let made = select::ensure_archive(&exchange, &dlq, &archive_of(&plan.dlq)).await;
        made.map_err(|error| format!("make the archive: {error} → create it, or ask for that right"))
    }

    /// Tells how it goes until it has ended.
    async fn watch<T>(&self, work: impl Future<Output = T>, mut watched: watch::Receiver<Progress>) -> T {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                outcome = &mut work => return outcome,
                Ok(()) = watched.changed() => {
                    let progress = Box::new(watched.borrow_and_update().clone());
                    // Only news: who has no time for it now gets the next.
                    let _ = self.told.try_send(Told::Progress(progress));
                }
            }
        }
    }
}

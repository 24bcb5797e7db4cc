//! What is ordered: a replay with a permit, written down, told step by step.

use std::sync::Arc;

use tokio::sync::watch;

use super::{Desk, Reason};
use crate::act::audit::{Account, Action};
use crate::act::calls::{self, CallPlan, CallReport};
use crate::act::exchange::Exchange;
use crate::act::fire;
use crate::act::journal::Purpose;
use crate::act::keys;
use crate::act::letters::{Order, Said, SignAs, Told};
use crate::act::oracle::Oracle;
use crate::act::permit::{Asked, Confirmed, Gate, Permit};
use crate::act::plan::{Plan, archive_of};
use crate::act::replay::{self, Context, Progress, ReplayError, Report, Resume, Steering, Timing};
use crate::act::select;
use crate::base::secret::Redactor;
use crate::base::text;
use crate::sample::LetterForm;

/// The table that failed calls lie in.
const CALLS: &str = "rule_webhook_calls";

/// What is done.
enum Work {
    Replay(Arc<Plan>),
    Resume(Arc<str>, Resume),
}

impl Work {
    /// What the audit log calls it.
    fn name(&self) -> &'static str {
        match self {
            Self::Replay(plan) => plan.how.purpose.name(),
            Self::Resume(..) => "resume",
        }
    }

    fn action<'a>(&'a self, reason: Option<&'a str>) -> Action<'a> {
        let (to, filter, planned) = match self {
            Self::Replay(plan) => (&plan.dlq, &*plan.filter, plan.count),
            // The plan was confirmed when the replay began.
            Self::Resume(dlq, _) => (dlq, "", 0),
        };
        Action {
            name: self.name(),
            to,
            filter,
            reason,
            planned,
        }
    }
}

impl Desk {
    pub(super) async fn perform(&self, order: Order, steering: watch::Receiver<Steering>) -> Result<Report, Reason> {
        let (work, said, sign) = match order {
            Order::Replay { plan, sign, said } => (Work::Replay(plan), said, sign),
            Order::Resume { dlq, take_over, said } => {
                let resume = Resume {
                    in_doubt: None,
                    take_over,
                };
                let sign = self.unfinished_signature(&dlq).await;
                (Work::Resume(dlq, resume), said, sign)
            }
            // Calls in Postgres are put back elsewhere.
            Order::Retry { .. } => return Err("failed calls are no letters".to_owned()),
        };
        let to_gateway = match &work {
            Work::Replay(plan) => plan.to_url.is_some(),
            Work::Resume(..) => true,
        };
        let read = |sign| keys::signer(sign, to_gateway, &self.setting.profile, &self.setting.environment);
        let key = sign.as_ref().map(read).transpose()?;
        let (signer, redactor) = key.map_or_else(
            || (None, self.setting.profile.redactor.clone()),
            |(signer, redactor)| (Some(signer), redactor),
        );
        let permit = self.permit(&work, &said)?;
        // Where nothing would be left to go on with, a letter that died again is the end.
        let attended = match &work {
            Work::Replay(plan) => plan.count > plan.canary,
            Work::Resume(..) => true,
        };
        let account = self.begin(work.action(said.reason.as_deref()), redactor.clone())?;
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
            signer,
            oracle: Oracle::of(&self.setting.profile),
        };
        let end: Result<Result<Report, ReplayError>, Reason> = {
            let work = async {
                match work {
                    Work::Replay(plan) => {
                        self.make_archive(&plan).await?;
                        Ok(replay::start(&plan, said.reason, permit, context).await)
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
        let clean = |reason: &str| redactor.clean(reason).into_owned();
        let mut report = end.map_err(|error| clean(&error.to_string()))?;
        for remark in report.in_doubt.iter_mut().chain(&mut report.refused) {
            remark.reason = clean(&remark.reason);
        }
        Ok(report)
    }

    /// Puts failed calls back.
    pub(super) async fn retry(&self, plan: &CallPlan, said: &Said) -> Result<CallReport, Reason> {
        let link = self.database()?;
        let permit = self.leave("retry", &plan.hash, plan.count, said)?;
        let redactor = self.setting.profile.redactor.clone();
        let filter = text::counted(plan.count, "call", "calls");
        let action = Action {
            name: "retry",
            to: &CALLS.into(),
            filter: &filter,
            reason: said.reason.as_deref(),
            planned: plan.count,
        };
        let account = self.begin(action, redactor)?;
        let outcome = calls::retry(link, plan, permit).await;
        let told = outcome.as_ref().map(|report| report.told(plan.count));
        account.settle(told).map_err(|error| error.to_string())?;
        outcome.map_err(|error| error.to_string())
    }

    /// Writes down that it begins.
    fn begin(&self, action: Action<'_>, redactor: Redactor) -> Result<Account, Reason> {
        let log = self.audit(redactor)?;
        let (who, profile) = (&self.setting.who, &self.setting.profile.name);
        let account = Account::open(log, action, who, profile, self.setting.clock.clone());
        account.map_err(|error| error.to_string())
    }

    /// The one gate. The plan was drawn before anything was confirmed: its hash is what is permitted.
    fn permit(&self, work: &Work, said: &Said) -> Result<Permit, Reason> {
        match work {
            Work::Replay(plan) => {
                if let Some(url) = &plan.to_url {
                    let host = fire::host_of(url).map_err(|error| error.to_string())?;
                    let confirmed = said.host.as_ref() == Some(&host.name);
                    let allowed = fire::guard(url, plan.count > 1, confirmed, &self.setting.profile);
                    allowed.map_err(|error| error.to_string())?;
                }
                self.leave(work.name(), &plan.hash, plan.count, said)
            }
            // The plan was confirmed when the replay began.
            Work::Resume(dlq, _) => self.leave(work.name(), dlq, 1, said),
        }
    }

    fn leave(&self, action: &'static str, plan: &str, count: u64, said: &Said) -> Result<Permit, Reason> {
        let gate = Gate::new(&self.setting.profile, said.write);
        let asked = Asked::change(action, plan, count);
        let confirmed = Confirmed {
            count: Some(said.count),
            profile: said.profile.as_deref(),
        };
        let now = self.setting.clock.now().mono;
        gate.permit(asked, confirmed, now)
            .map_err(|refusal| refusal.to_string())
    }

    /// The key that an unfinished replay was signed with, if just one of the profile's is of its
    /// scheme: a journal holds no keys.
    async fn unfinished_signature(&self, dlq: &str) -> Option<SignAs> {
        let mut forms = [LetterForm::Copy, LetterForm::Parked].into_iter();
        let form = forms.find(|form| self.stream(*form).is_ok_and(|stream| **stream == *dlq))?;
        let created = self.mailbox(form).await.ok()?.state().await.ok()?.created?;
        let known = self.journals().ok()?.of(dlq, created).ok()?;
        let open = known.iter().rfind(|standings| standings.outcome.is_none())?;
        let scheme = open.begin.as_ref()?.how.sign.clone()?;
        let mut fitting = keys::keys(&self.setting.profile.fire, &self.setting.library)
            .into_iter()
            .filter(|sign| keys::is_of(sign, &scheme));
        let only = fitting.next()?;
        fitting.next().is_none().then_some(only)
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

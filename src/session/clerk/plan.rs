//! From a wish to a plan: what would be done, before anything is.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use super::others::MOST;
use super::read::NEWS;
use super::{Desk, Reason, said};
use crate::act::calls;
use crate::act::draft::{self, Draft, Lying};
use crate::act::fire::{self, GuardError, Refusal};
use crate::act::journal::{How, Purpose};
use crate::act::keys;
use crate::act::letters::{Answer, Destination, Scanned, Told, Wish};
use crate::act::plan::Plan;
use crate::base::secret::strip_url_credentials;
use crate::model::letters;
use crate::observe::postgres::failed_calls;
use crate::sample::LetterForm;

/// The largest payload that is handed out to be edited, bytes.
const EDITABLE: usize = 1 << 20;

impl Desk {
    pub(super) async fn plan(&self, number: u64, wish: Wish) -> Result<(), Reason> {
        let profile = &self.setting.profile;
        let (to_subject, to_url) = match &wish.to {
            Destination::Own => (None, None),
            Destination::Subject(subject) => (Some(subject.clone()), None),
            Destination::Gateway(url) => (None, Some(url.clone())),
        };
        let read = |sign| keys::signer(sign, to_url.is_some(), profile, &self.setting.environment);
        let signer = wish.sign.as_ref().map(read).transpose()?;
        let replays = wish.purpose == Purpose::Replay;
        let draft = Draft {
            link: self.link()?,
            dlq: self.stream(wish.form)?,
            filter: &wish.filter,
            how: How {
                purpose: wish.purpose,
                to_subject,
                rate: wish.rate,
                canary: if replays { wish.canary } else { 0 },
                window: draft::window(profile.protected, to_url.is_some()),
                payload: wish.payload.as_ref().map(|payload| STANDARD.encode(payload)),
                to_url: to_url.clone(),
                sign: signer.map(|(signer, _)| signer.scheme().name().into()),
                ordered: wish.ordered,
                idempotent_workers: profile.idempotent_workers,
                parked: None,
                headers: profile.dead_letters.headers.clone(),
            },
            max: None,
            makes_archive: false,
        };
        let journals = self.journals()?;
        let (clock, progress) = (&self.setting.clock, self.planning(number));
        let lying = match wish.form {
            LetterForm::Parked => Lying::Parked {
                consumer: profile.pipeline.consumer.as_deref(),
            },
            _ => Lying::Copied,
        };
        let plan = draft.draw(lying, &journals, clock, progress).await;
        let mut plan = plan.map_err(|error| error.to_string())?;
        if let Some(url) = &to_url {
            self.check_gateway(url, plan.count)?;
        }
        let payload = self.only(&plan, wish.form).await?;
        if let (Some(edited), Some(before)) = (&wish.payload, &payload) {
            plan.diff = letters::difference(before, edited);
        }
        let (plan, standing) = (Arc::new(plan), self.standing(wish.form).await?);
        let payload = payload.filter(|payload| payload.len() <= EDITABLE);
        self.tell(
            number,
            Answer::Planned {
                plan,
                payload,
                standing,
            },
        )
        .await;
        Ok(())
    }

    /// Tells now and then how far a selection is.
    fn planning(&self, number: u64) -> impl FnMut(u64, u64) {
        let (told, clock) = (self.told.clone(), self.setting.clock.clone());
        let mut next = Duration::ZERO;
        move |looked_at, span| {
            let now = clock.now().mono;
            if now >= next {
                next = now + NEWS;
                let scan = Scanned {
                    looked_at,
                    span,
                    ..Scanned::default()
                };
                // Only news: who has no time for it now gets the next.
                let _ = told.try_send(Told::Answer(number, Answer::Planning(scan)));
            }
        }
    }

    /// The payload of the one letter of a plan.
    async fn only(&self, plan: &Plan, form: LetterForm) -> Result<Option<Bytes>, Reason> {
        let [letter] = plan.letters.as_slice() else {
            return Ok(None);
        };
        let letter = self.mailbox(form).await?.get(letter.sequence).await.map_err(said)?;
        Ok(letter.map(|letter| letter.payload))
    }

    /// Whether letters may go there at all. A host that has to be confirmed is asked for by the
    /// console, and checked when the order comes.
    fn check_gateway(&self, url: &str, count: u64) -> Result<(), Reason> {
        if strip_url_credentials(url) != *url {
            return Err("credentials in the URL would be written into the journal → leave them out".to_owned());
        }
        match fire::guard(url, count > 1, false, &self.setting.profile) {
            Ok(()) | Err(GuardError::Refusal(Refusal::Unconfirmed { .. })) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// How failed calls would be put back: those that still are failed.
    pub(super) async fn plan_calls(&self, number: u64, wanted: &BTreeSet<Arc<str>>) -> Result<(), Reason> {
        let link = self.database()?;
        let mut failed = failed_calls(link, MOST).await?;
        failed.retain(|call| wanted.contains(&call.call));
        let plan = calls::plan(link, &failed).await.map_err(|error| error.to_string())?;
        self.tell(number, Answer::CallsPlanned(Arc::new(plan))).await;
        Ok(())
    }
}

//! Letters that are no copies: messages parked in the source stream, failed calls of a queue in
//! Postgres.

use super::{Desk, Reason};
use crate::act::exchange::Exchange;
use crate::act::letters::{Answer, Scanned};
use crate::act::parked::{self, ParkedError};
use crate::act::search::Place;
use crate::model::letters::{GroupBy, Groups, LetterFilter, LetterRow, Origins};
use crate::observe::postgres::failed_calls;
use crate::sample::{FailedCall, LetterForm, Stored};

/// Failed calls that are shown, and chosen among.
pub(super) const MOST: u32 = 1_000;

impl Desk {
    /// Where letters of a form lie, and what they turn out to be: of messages in the source stream
    /// that nobody has in hand, parked or acked before a server crash.
    pub(super) async fn place(&self, form: LetterForm) -> Result<(Place, LetterForm), Reason> {
        let headers = &self.setting.profile.dead_letters.headers;
        if form == LetterForm::Copy {
            return Ok((Place::new(Origins::new(headers.clone())), form));
        }
        let mailbox = self.mailbox(form).await?;
        let exchange = Exchange::connect(self.link()?, &self.setting.clock).await;
        let exchange = exchange.map_err(|error| error.to_string())?;
        let consumer = self.setting.profile.pipeline.consumer.as_deref();
        let journals = self.journals().ok();
        let idle = parked::find(&mailbox, &exchange, consumer, headers, journals.as_ref()).await;
        let idle = idle.map_err(|error| error.to_string())?;
        if idle.count == 0 && idle.held > 0 {
            return Err(ParkedError::InHands(idle.held).to_string());
        }
        Ok((idle.place, idle.form))
    }

    /// Failed calls that a filter means, the latest first.
    async fn calls(&self, filter: &LetterFilter, most: u32) -> Result<Vec<FailedCall>, Reason> {
        let mut calls = failed_calls(self.database()?, most).await?;
        calls.retain(|call| filter.admit(&as_letter(call)).is_some());
        Ok(calls)
    }

    pub(super) async fn search_calls(
        &self,
        number: u64,
        filter: &LetterFilter,
        oldest_first: bool,
    ) -> Result<(), Reason> {
        let mut calls = self.calls(filter, MOST).await?;
        if oldest_first {
            calls.reverse();
        }
        let rows: Vec<LetterRow> = calls.iter().map(LetterRow::of_call).collect();
        let scan = whole(rows.len());
        self.tell(number, Answer::Found { rows, scan }).await;
        Ok(())
    }

    pub(super) async fn group_calls(&self, number: u64, by: GroupBy, filter: &LetterFilter) -> Result<(), Reason> {
        let calls = self.calls(filter, MOST).await?;
        let mut groups = Groups::new(by);
        for call in &calls {
            let letter = as_letter(call);
            groups.add(0, &Origins::default().of(&letter), letter.at);
        }
        let answer = Answer::Groups {
            left_out: groups.left_out(),
            groups: groups.sorted(),
            scan: whole(calls.len()),
        };
        self.tell(number, answer).await;
        Ok(())
    }
}

fn whole(found: usize) -> Scanned {
    let found = found as u64;
    Scanned {
        looked_at: found,
        span: found,
        found,
        done: true,
    }
}

/// A failed call as a letter: what a filter looks at.
fn as_letter(call: &FailedCall) -> Stored {
    let row = LetterRow::of_call(call);
    let texts = [
        ("x-dlq-reason", row.reason),
        ("x-original-subject", call.webhook.clone()),
        ("x-webhook-id", Some(call.call.clone())),
    ];
    let headers = texts
        .into_iter()
        .filter_map(|(name, value)| Some((name.into(), value?)));
    Stored {
        sequence: 0,
        subject: "".into(),
        headers: headers.collect(),
        payload: bytes::Bytes::new(),
        at: call.at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Timestamp;

    #[test]
    fn failed_calls_are_filtered_and_grouped_as_letters_are() {
        let call = FailedCall {
            call: "c-1".into(),
            webhook: Some("crm".into()),
            retries: Some(3),
            status: Some(503),
            error: Some("Upstream said no".into()),
            at: Timestamp::from_second(1_000).ok(),
        };
        let letter = as_letter(&call);
        let now = Timestamp::from_second(2_000).unwrap();
        for (typed, meant) in [
            ("upstream", true),
            ("crm c-1", true),
            ("upstream !503", false),
            ("reason=503", true),
            ("since=30m", true),
            ("since=10m", false),
            ("\"cause=HTTP ‹n›: Upstream said no\"", true),
        ] {
            let filter = LetterFilter::parse(typed, now).unwrap();
            assert_eq!(filter.admit(&letter).is_some(), meant, "{typed}");
        }
    }
}

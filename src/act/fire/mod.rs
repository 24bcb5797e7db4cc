//! Test webhooks: signed as their providers sign, sent on an open-loop schedule, counted exactly.
//!
//! ```text
//! Library ─Template─▶ Mix ─▶ Plan ─▶ run: Dispatcher ─number, intended time─▶ lane ─▶ Composer ─▶ target
//!                                                                              └─▶ Tally ─▶ Progress, Summary
//! ```
//!
//! A seed and a number make a shot, whichever lane sends it; its latency counts from the time at
//! which the schedule wanted it sent.

mod body;
mod capture;
mod compose;
mod connection;
mod dispatch;
mod edit;
mod error;
mod expect;
mod guard;
mod library;
mod load;
mod mix;
mod order;
mod outcome;
mod pattern;
mod payload;
mod plan;
mod request;
mod run;
mod selftest;
mod tally;
mod target;
mod template;
mod variant;

pub use body::{BodyField, Preview};
pub use capture::{Captured, save};
pub use error::{FireError, GuardError, MAX_CONCURRENCY, MAX_RETRIES, PlanError, Refusal};
pub use expect::{Checked, Expectation, UnknownExpectation, expectations};
pub use guard::guard;
pub use library::Library;
pub use load::{Batch, Load};
pub use mix::{Entry, Mix, Poison, check_scheme};
pub use order::{Composed, Order, OrderError, SecretSource};
pub use outcome::{CheckCount, Exchange, FailureKind, Latency, Outcomes, Part, Progress, Sample, Summary};
pub use plan::{HttpVersion, Limit, Plan, Steering};
pub use request::{Request, RequestError};
pub use run::run;
pub use selftest::{Attack, Judgement, selftest};
pub use target::{Host, host_of};
pub use template::{BodyKind, Template, TemplateError, Webhook};
pub use variant::{UnknownVariant, Variant};

#[cfg(test)]
mod tests;

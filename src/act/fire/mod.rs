//! Test webhooks: signed as their providers sign, sent on an open-loop schedule, counted exactly.

mod library;
mod pattern;
mod template;

pub use library::Library;
pub use template::{BodyKind, Template, TemplateError, Webhook};

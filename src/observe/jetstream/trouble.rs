//! Errors of the API in the words of the person who has to fix them.

use std::sync::Arc;

use super::api::ApiError;
use crate::base::text;
use crate::config::NatsLink;
use crate::observe::SourceError;

/// The API prefix where no domain and no import is in play.
const PLAIN_PREFIX: &str = "$JS.API";

/// Similarity from which on a name counts as meant.
const SIMILAR: f64 = 0.75;

/// Names listed in an error at most.
const LISTED: usize = 5;

/// What an error of an operation on a target means.
pub(crate) fn explain(
    operation: &'static str,
    target: &str,
    error: &ApiError,
    link: &NatsLink,
    server: &str,
) -> SourceError {
    if error.is_off() {
        return off(error, link, server);
    }
    let failed = SourceError::new(operation, target, error);
    match error {
        ApiError::Lost(reason) => SourceError::new("read", server, &format!("connection lost: {reason}"))
            .next("it is connected again by itself; if that fails, check the server"),
        ApiError::TimedOut(_) => failed.next("it may have no leader: see `nats server report jetstream`"),
        ApiError::Denied(subject) => failed.next(format!("allow this user to publish to {subject}")),
        ApiError::Unheard(subject) => failed.next(format!(
            "allow this user to subscribe to {subject}, or set an inbox_prefix that is allowed"
        )),
        ApiError::BadName(_) => failed.next("check the name: it holds no space, dot, * or >"),
        ApiError::NoResponders(_) | ApiError::Refused(_) | ApiError::Unreadable(_) => failed,
    }
}

fn off(error: &ApiError, link: &NatsLink, server: &str) -> SourceError {
    let prefix = link.api_prefix.trim_end_matches('.');
    match error {
        ApiError::NoResponders(_) if prefix != PLAIN_PREFIX => SourceError::new("use JetStream on", server, &error)
            .next("check the domain or the API prefix, and that its JetStream server is connected"),
        ApiError::Refused(body) => SourceError::new(
            "use JetStream on",
            server,
            &format!(
                "JetStream is not enabled on {server} for this account ({})",
                body.description()
            ),
        )
        .next("enable it for this account"),
        _ => SourceError::new(
            "use JetStream on",
            server,
            &format!("JetStream is not enabled on {server}"),
        )
        .next("start nats-server with -js or enable it for this account"),
    }
}

/// A stream that is not there, with the name that may have been meant.
pub(crate) fn missing_stream(name: &str, names: Option<&[Arc<str>]>) -> SourceError {
    let missing = SourceError::new("read stream", name, "there is no such stream in this account");
    match names {
        None => missing.next("check its name, or create it"),
        Some([]) => missing.next("create it, or check that this is the right account: it has no streams"),
        Some(names) => match nearest(name, names) {
            Some(meant) => missing.next(format!("did you mean {meant}?")),
            None => {
                let mut listed: Vec<&str> = names.iter().take(LISTED).map(|name| &**name).collect();
                if names.len() > LISTED {
                    listed.push("…");
                }
                missing.next(format!("create it, or choose one of: {}", listed.join(", ")))
            }
        },
    }
}

/// The name that is most like `name`, if any is.
fn nearest<'a>(name: &str, names: &'a [Arc<str>]) -> Option<&'a str> {
    let wanted = name.to_lowercase();
    names
        .iter()
        .map(|candidate| (strsim::jaro_winkler(&wanted, &candidate.to_lowercase()), &**candidate))
        .filter(|(similarity, _)| *similarity >= SIMILAR)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// An error on one line, ready to be shown.
pub(crate) fn line(error: &SourceError) -> String {
    text::safe(&error.to_string()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<Arc<str>> {
        names.iter().map(|name| Arc::from(*name)).collect()
    }

    #[test]
    fn a_missing_stream_is_named_with_the_nearest_one() {
        let names = names(&["orders", "WEBHOOKS", "webhooks-dlq"]);
        assert_eq!(
            missing_stream("webhook", Some(&names)).to_string(),
            "read stream webhook: there is no such stream in this account → did you mean WEBHOOKS?"
        );
        assert_eq!(
            missing_stream("zzz", Some(&names)).next,
            "create it, or choose one of: orders, WEBHOOKS, webhooks-dlq"
        );
        assert!(missing_stream("webhook", Some(&[])).next.contains("it has no streams"));
        assert!(missing_stream("webhook", None).next.contains("check its name"));
    }
}

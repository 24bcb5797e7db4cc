//! The providers that the gateway knows: how they sign, where their ids and events stand, whom a
//! webhook is about.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::signature::Scheme;

/// A provider of webhooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Provider {
    /// Telnyx, API v2.
    Telnyx,
    /// Resend.
    Resend,
}

/// What a webhook's body and headers say of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity<'a> {
    /// The provider's own id of the event: the same when the provider sends it again.
    pub id: Cow<'a, str>,
    /// The event's name as the provider writes it (`email.delivered`).
    pub event: Cow<'a, str>,
}

/// Why a webhook has no identity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unidentified {
    /// The body is not the JSON that the provider documents.
    #[error("the body is not the documented JSON: {0}")]
    Body(String),
    /// It is, and the id or the event cannot be used.
    #[error("{0} is missing, empty, too long or holds control characters")]
    Field(&'static str),
}

/// Longest id and event that are taken.
const LONGEST: usize = 200;

impl Provider {
    /// Every provider.
    pub const ALL: [Self; 2] = [Self::Telnyx, Self::Resend];

    /// Its name in URLs, subjects and labels.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Telnyx => "telnyx",
            Self::Resend => "resend",
        }
    }

    /// The provider of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|provider| provider.name() == name)
    }

    /// The variable that holds its verification key.
    #[must_use]
    pub fn secret_variable(self) -> &'static str {
        match self {
            Self::Telnyx => "TELNYX_WEBHOOK_SECRET",
            Self::Resend => "RESEND_WEBHOOK_SECRET",
        }
    }

    /// How it signs.
    #[must_use]
    pub fn scheme(self) -> Scheme {
        match self {
            Self::Telnyx => Scheme::Telnyx,
            Self::Resend => Scheme::Svix,
        }
    }

    /// The headers that a signature is checked against, lower case. They travel with the
    /// message, so that a replay can be verified.
    #[must_use]
    pub fn signature_headers(self) -> &'static [&'static str] {
        match self {
            Self::Telnyx => &["telnyx-signature-ed25519", "telnyx-timestamp"],
            Self::Resend => &["svix-id", "svix-timestamp", "svix-signature"],
        }
    }

    /// Events that it is known to send. Their series exist from the start, at 0, so that the
    /// first webhook already makes a rate.
    #[must_use]
    pub fn known_events(self) -> &'static [&'static str] {
        match self {
            Self::Telnyx => &[
                "message.received",
                "message.sent",
                "message.finalized",
                "call.initiated",
                "call.answered",
                "call.hangup",
            ],
            Self::Resend => &[
                "email.sent",
                "email.delivered",
                "email.delivery_delayed",
                "email.bounced",
                "email.complained",
                "email.opened",
                "email.clicked",
            ],
        }
    }

    /// Reads id and event. `header` finds a header by its lower-case name.
    ///
    /// # Errors
    /// When the body is not what the provider documents.
    pub fn identify<'a>(
        self,
        header: &dyn Fn(&str) -> Option<&'a str>,
        body: &'a [u8],
    ) -> Result<Identity<'a>, Unidentified> {
        let unreadable = |error: serde_json::Error| Unidentified::Body(error.to_string());
        let (id, event) = match self {
            Self::Telnyx => {
                let body: TelnyxBody<'_> = serde_json::from_slice(body).map_err(unreadable)?;
                (body.data.id, body.data.event_type)
            }
            Self::Resend => {
                let body: ResendBody<'_> = serde_json::from_slice(body).map_err(unreadable)?;
                (header("svix-id").unwrap_or_default().into(), body.event)
            }
        };
        let usable = |text: &str| !text.is_empty() && text.len() <= LONGEST && !text.contains(char::is_control);
        if !usable(&id) {
            return Err(Unidentified::Field("the id"));
        }
        if !usable(&event) {
            return Err(Unidentified::Field("the event"));
        }
        Ok(Identity { id, event })
    }

    /// Whom a webhook is about: a phone number or an e-mail address. `data` is the body's
    /// top-level `data`.
    #[must_use]
    pub fn recipient(self, data: &RawValue) -> Option<String> {
        match self {
            Self::Telnyx => serde_json::from_str::<TelnyxRecipient<'_>>(data.get())
                .ok()?
                .payload
                .to
                .first(),
            Self::Resend => serde_json::from_str::<ResendRecipient<'_>>(data.get()).ok()?.to.first(),
        }
    }
}

#[derive(Deserialize)]
struct TelnyxBody<'a> {
    #[serde(borrow)]
    data: TelnyxEvent<'a>,
}

#[derive(Deserialize)]
struct TelnyxEvent<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    event_type: Cow<'a, str>,
}

#[derive(Deserialize)]
struct ResendBody<'a> {
    #[serde(borrow, rename = "type")]
    event: Cow<'a, str>,
}

#[derive(Deserialize)]
struct TelnyxRecipient<'a> {
    #[serde(borrow)]
    payload: TelnyxPayload<'a>,
}

#[derive(Deserialize)]
struct TelnyxPayload<'a> {
    #[serde(borrow)]
    to: To<'a>,
}

#[derive(Deserialize)]
struct ResendRecipient<'a> {
    #[serde(borrow)]
    to: To<'a>,
}

/// `"to"` in its forms: one address, several, or several phone numbers with their carriers.
#[derive(Deserialize)]
#[serde(untagged)]
enum To<'a> {
    One(#[serde(borrow)] Cow<'a, str>),
    Many(#[serde(borrow)] Vec<Cow<'a, str>>),
    Numbers(#[serde(borrow)] Vec<Number<'a>>),
}

#[derive(Deserialize)]
struct Number<'a> {
    #[serde(borrow)]
    phone_number: Cow<'a, str>,
}

impl To<'_> {
    fn first(self) -> Option<String> {
        match self {
            Self::One(address) => Some(address.into_owned()),
            Self::Many(addresses) => addresses.into_iter().next().map(Cow::into_owned),
            Self::Numbers(numbers) => numbers
                .into_iter()
                .next()
                .map(|number| number.phone_number.into_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn none<'a>(_: &str) -> Option<&'a str> {
        None
    }

    #[test]
    fn telnyx_is_identified_by_its_body() {
        let body =
            br#"{"data":{"record_type":"event","event_type":"message.finalized","id":"0ccc7b54-4df3","payload":{}}}"#;
        let identity = Provider::Telnyx.identify(&none, body).unwrap();
        assert_eq!(
            (&*identity.id, &*identity.event),
            ("0ccc7b54-4df3", "message.finalized")
        );
    }

    #[test]
    fn resend_is_identified_by_its_header() {
        let header = |name: &str| (name == "svix-id").then_some("msg_1");
        let body = br#"{"type":"email.delivered","data":{"to":["a@b.example"]}}"#;
        let identity = Provider::Resend.identify(&header, body).unwrap();
        assert_eq!((&*identity.id, &*identity.event), ("msg_1", "email.delivered"));
        assert_eq!(
            Provider::Resend.identify(&none, body),
            Err(Unidentified::Field("the id")),
            "no header, no id"
        );
    }

    #[test]
    fn what_cannot_be_identified_is_said() {
        for body in [
            &b""[..],
            b"{",
            b"[]",
            b"{}",
            br#"{"data":{}}"#,
            b"{\"data\":{\"id\":\"1\",\"event_type\":\"x\"}} {",
        ] {
            assert!(matches!(
                Provider::Telnyx.identify(&none, body),
                Err(Unidentified::Body(_))
            ));
        }
        for body in [
            r#"{"data":{"id":"","event_type":"x"}}"#.to_owned(),
            r#"{"data":{"id":"a\r\nNats-Rollup: all","event_type":"x"}}"#.to_owned(),
            format!(r#"{{"data":{{"id":"{}","event_type":"x"}}}}"#, "i".repeat(201)),
        ] {
            assert_eq!(
                Provider::Telnyx.identify(&none, body.as_bytes()),
                Err(Unidentified::Field("the id"))
            );
        }
    }

    #[test]
    fn a_recipient_is_found_in_every_form() {
        let raw = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
        let telnyx = |text: &str| Provider::Telnyx.recipient(&raw(text));
        assert_eq!(
            telnyx(r#"{"payload":{"to":[{"phone_number":"+1555","carrier":"x"}]}}"#).as_deref(),
            Some("+1555")
        );
        assert_eq!(telnyx(r#"{"payload":{"to":"+1556"}}"#).as_deref(), Some("+1556"));
        assert_eq!(telnyx(r#"{"payload":{}}"#), None);
        let resend = |text: &str| Provider::Resend.recipient(&raw(text));
        assert_eq!(
            resend(r#"{"to":["a@b.example","c@d.example"]}"#).as_deref(),
            Some("a@b.example")
        );
        assert_eq!(resend(r#"{"to":[]}"#), None);
        assert_eq!(resend("7"), None);
    }
}

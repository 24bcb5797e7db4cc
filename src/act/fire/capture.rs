//! A webhook that was seen, a dead letter or a sample, as a template: what died can be fired again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::Value;

use super::library::Library;
use super::template::{Template, TemplateError};
use crate::base::text;
use crate::sample::Letter;

/// Headers that belong to one delivery and not to the webhook: the signer, HTTP or NATS writes them anew.
const DROPPED: [&str; 25] = [
    "accept",
    "accept-encoding",
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "date",
    "exception-message",
    "exception-type",
    "failed-at",
    "host",
    "transfer-encoding",
    "stripe-signature",
    "svix-id",
    "svix-signature",
    "svix-timestamp",
    "telnyx-signature-ed25519",
    "telnyx-timestamp",
    "webhook-id",
    "webhook-signature",
    "webhook-timestamp",
    "x-slack-request-timestamp",
    "x-slack-signature",
    "x-twilio-signature",
];

/// And those that begin or end like this.
const PREFIXES: [&str; 9] = [
    "nats-",
    "x-nats-",
    "x-dlq-",
    "x-dead-letter",
    "x-webhook-",
    "x-original-",
    "x-delivery-",
    "hookwatch-",
    "x-forwarded-",
];
const SIGNATURE: &str = "signature";

/// A webhook that was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Captured {
    /// The subject that it was published to.
    pub subject: String,
    /// Its headers.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub payload: Vec<u8>,
}

impl From<&Letter> for Captured {
    fn from(letter: &Letter) -> Self {
        let original = letter.origin.subject.as_ref();
        Self {
            subject: original.unwrap_or(&letter.subject).to_string(),
            headers: letter
                .headers
                .iter()
                .map(|(name, value)| (name.to_string(), value.to_string()))
                .collect(),
            payload: letter.payload.to_vec(),
        }
    }
}

/// The file of a template, keys in the order in which a person reads them.
#[derive(Serialize)]
struct File<'a> {
    name: &'a str,
    provider: &'a str,
    event: &'a str,
    scheme: &'a str,
    content_type: &'a str,
    body: String,
    headers: BTreeMap<String, String>,
}

impl Captured {
    /// Reads an exported line: `subject`, `headers` (an object, or a list of pairs) and `payload`
    /// (text or JSON), or `payload_base64`.
    ///
    /// # Errors
    /// When it is no such object.
    pub fn parse(label: &str, line: &str) -> Result<Self, TemplateError> {
        let wrong = |reason: String| {
            let next = "give a line of an export: {\"subject\", \"headers\", \"payload\"}";
            TemplateError::new(label, None, reason, next)
        };
        let value: Value = serde_json::from_str(line).map_err(|error| wrong(format!("it is no JSON: {error}")))?;
        let object = value
            .as_object()
            .ok_or_else(|| wrong("it is no JSON object".to_owned()))?;
        let payload = match (
            object.get("payload").or_else(|| object.get("body")),
            object.get("payload_base64"),
        ) {
            (_, Some(Value::String(encoded))) => STANDARD
                .decode(encoded)
                .map_err(|_| wrong("payload_base64 is no base64".to_owned()))?,
            (Some(Value::String(text)), _) => text.clone().into_bytes(),
            (Some(Value::Null) | None, _) => return Err(wrong("it has no payload".to_owned())),
            (Some(json), _) => json.to_string().into_bytes(),
        };
        let subject = ["original_subject", "subject"]
            .iter()
            .find_map(|key| object.get(*key)?.as_str())
            .unwrap_or_default();
        Ok(Self {
            subject: subject.to_owned(),
            headers: headers(object.get("headers")),
            payload,
        })
    }

    /// The file of a template called `name`. Provider and event are those of a subject
    /// `….<provider>.<event>`, else of the name; the scheme is that of the provider's other
    /// templates. The webhook's own id becomes `{{id}}`: what is fired is a new one.
    ///
    /// # Errors
    /// When its body is no text, or it cannot be a template.
    pub fn template(&self, name: &str, library: &Library) -> Result<String, TemplateError> {
        let wrong = |reason: &str, next: &str| TemplateError::new(name, None, reason, next);
        let is_name = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if name.is_empty() || name.starts_with('.') || !name.chars().all(is_name) {
            return Err(wrong(
                "that is no name",
                "use letters, digits, points, hyphens and underscores",
            ));
        }
        let body = std::str::from_utf8(&self.payload)
            .map_err(|_| wrong("its body is no text", "templates are text: this one cannot be one"))?;
        let (provider, event) = self.identity(name);
        let known = library.templates().find(|template| **template.provider() == *provider);
        let scheme = known.map_or_else(|| "standard-webhooks".to_owned(), |known| known.scheme().to_string());
        let is_json = serde_json::from_str::<Value>(body).is_ok();
        let content_type =
            self.header("content-type")
                .unwrap_or(if is_json { "application/json" } else { "text/plain" });
        let id = self.id(&provider);
        let body = pattern(body, id.as_deref());
        let headers = self.headers.iter().filter(|(name, value)| is_kept(name, value));
        let file = File {
            name,
            provider: &provider,
            event: &event,
            scheme: &scheme,
            content_type,
            body,
            headers: headers
                .map(|(name, value)| (name.to_ascii_lowercase(), pattern(value, id.as_deref())))
                .collect(),
        };
        let source = toml::to_string(&file).map_err(|error| {
            wrong(
                &format!("it cannot be written as TOML: {error}"),
                "change its headers or body",
            )
        })?;
        Template::parse(name, &source)?;
        Ok(source)
    }

    fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    fn identity(&self, name: &str) -> (String, String) {
        let mut parts = self.subject.splitn(3, '.');
        if let (Some(_), Some(provider), Some(event)) = (parts.next(), parts.next(), parts.next()) {
            return (provider.to_owned(), event.to_owned());
        }
        let (provider, event) = name.split_once('.').unwrap_or((name, "event"));
        (provider.to_owned(), event.to_owned())
    }

    /// The provider's own id of it.
    fn id(&self, provider: &str) -> Option<String> {
        let id = ["x-webhook-id", "webhook-id", "svix-id", "nats-msg-id"]
            .iter()
            .find_map(|name| self.header(name))?;
        let id = id
            .strip_prefix(provider)
            .and_then(|id| id.strip_prefix('-'))
            .unwrap_or(id);
        // A short one stands for anything.
        (id.len() >= 8).then(|| id.to_owned())
    }
}

/// A text as a pattern that renders to it, but for its id.
fn pattern(text: &str, id: Option<&str>) -> String {
    let text = text.replace("{{", "{{choice {{}}");
    match id {
        Some(id) => text.replace(id, "{{id}}"),
        None => text,
    }
}

fn is_kept(name: &str, value: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let is_header = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)) && !name.is_empty();
    is_header
        && value.bytes().all(|b| (0x20..0x7f).contains(&b))
        && !DROPPED.contains(&name.as_str())
        && !PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        && !name.contains(SIGNATURE)
}

fn headers(value: Option<&Value>) -> Vec<(String, String)> {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match value {
        Some(Value::Object(fields)) => fields
            .iter()
            .flat_map(|(name, value)| match value {
                Value::Array(values) => values.iter().map(|value| (name.clone(), text(value))).collect(),
                value => vec![(name.clone(), text(value))],
            })
            .collect(),
        Some(Value::Array(pairs)) => pairs
            .iter()
            .filter_map(|pair| match pair {
                Value::Array(pair) => Some((pair.first()?.as_str()?.to_owned(), text(pair.get(1)?))),
                Value::Object(pair) => Some((pair.get("name")?.as_str()?.to_owned(), text(pair.get("value")?))),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// Writes a template into the user's folder, which is made where it is missing. Never over a file
/// that is there.
///
/// # Errors
/// When it cannot be written.
pub fn save(folder: &Path, name: &str, source: &str) -> Result<PathBuf, TemplateError> {
    let path = folder.join(format!("{name}.toml"));
    let written = std::fs::create_dir_all(folder).and_then(|()| {
        let mut file = std::fs::File::create_new(&path)?;
        std::io::Write::write_all(&mut file, source.as_bytes())
    });
    written.map(|()| path.clone()).map_err(|error| {
        let shown = text::safe(&path.display().to_string()).into_owned();
        TemplateError::new(
            &shown,
            None,
            format!("it cannot be written: {error}"),
            "choose another name, or check the folder's rights",
        )
    })
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand::rngs::SmallRng;

    use super::*;
    use crate::base::time::Timestamp;

    const LETTER: &str = r#"{"subject":"webhook.resend.email.bounced","headers":{"X-Webhook-Id":"resend-msg_0123456789","Nats-Msg-Id":"x","svix-signature":"v1,abc","User-Agent":"Svix-Webhooks/1"},"payload":"{\"type\":\"email.bounced\",\"id\":\"msg_0123456789\",\"note\":\"a {{b}} c\"}"}"#;

    fn template(line: &str, name: &str) -> Template {
        let source = Captured::parse("x", line)
            .and_then(|captured| captured.template(name, &Library::load(None)))
            .unwrap();
        Template::parse(name, &source).unwrap()
    }

    #[test]
    fn a_letter_becomes_a_template_with_an_id_of_its_own_and_no_signature() {
        let template = template(LETTER, "bounce");
        assert_eq!(&**template.name(), "bounce");
        assert_eq!(
            (&**template.provider(), &**template.event()),
            ("resend", "email.bounced")
        );
        assert_eq!(template.scheme().name(), "svix");
        let webhook = template.render(0, Timestamp::UNIX_EPOCH, &mut SmallRng::seed_from_u64(1));
        let body: Value = serde_json::from_str(&webhook.body).unwrap();
        assert_eq!(body["id"], webhook.id.as_str());
        assert_eq!(
            body["note"], "a {{b}} c",
            "braces of the webhook's own stay what they are"
        );
        assert_eq!(
            webhook.headers,
            [("user-agent".to_owned(), "Svix-Webhooks/1".to_owned())]
        );
    }

    #[test]
    fn every_form_of_an_export_is_read() {
        for line in [
            r#"{"subject":"a.p.e","headers":[["X-A","1"]],"payload":{"n":1}}"#,
            r#"{"subject":"a.p.e","headers":[{"name":"X-A","value":"1"}],"payload_base64":"eyJuIjoxfQ=="}"#,
            r#"{"subject":"a.p.e","headers":{"X-A":["1"]},"payload":"{\"n\":1}"}"#,
        ] {
            let captured = Captured::parse("x", line).unwrap();
            assert_eq!(captured.payload, br#"{"n":1}"#, "{line}");
            assert_eq!(captured.headers, [("X-A".to_owned(), "1".to_owned())], "{line}");
        }
    }

    #[test]
    fn what_cannot_be_a_template_is_said() {
        for line in ["", "[]", "{}", r#"{"payload_base64":"%"}"#] {
            let error = Captured::parse("file", line).unwrap_err().to_string();
            assert!(error.contains("template file") && error.contains(" → "), "{error}");
        }
        let captured = Captured::parse("x", LETTER).unwrap();
        for name in ["", "../x", ".x", "a b"] {
            assert!(captured.template(name, &Library::load(None)).is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_template_is_saved_once_and_overrides_nothing_in_silence() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("templates");
        let library = Library::load(None);
        let source = Captured::parse("x", LETTER)
            .unwrap()
            .template("mine", &library)
            .unwrap();
        save(&folder, "mine", &source).unwrap();
        assert!(Library::load(Some(&folder)).get("mine").is_ok());
        let error = save(&folder, "mine", &source).unwrap_err().to_string();
        assert!(error.contains("it cannot be written"), "{error}");
    }
}

//! A template: what a provider's webhook looks like, as a data file.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use rand::SeedableRng as _;
use rand::rngs::SmallRng;
use serde::Deserialize;
use toml::Spanned;

use super::pattern::{Pattern, PlaceholderError, Values};
use crate::base::text;
use crate::base::time::Timestamp;
use crate::signature::Scheme;

const FORM: &str = "application/x-www-form-urlencoded";

/// A template that cannot be used: where, what, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("template {template}{}: {reason} → {next}", line.map(|line| format!(", line {line}")).unwrap_or_default())]
pub struct TemplateError {
    /// Its name or its file.
    pub template: String,
    /// The line in its file, from 1.
    pub line: Option<usize>,
    /// What is wrong.
    pub reason: String,
    /// What to do about it.
    pub next: String,
}

impl TemplateError {
    pub(super) fn new(template: &str, line: Option<usize>, reason: impl Into<String>, next: impl Into<String>) -> Self {
        Self {
            template: text::safe(template).into_owned(),
            line,
            reason: reason.into(),
            next: next.into(),
        }
    }
}

/// The file's form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: Option<String>,
    provider: String,
    event: String,
    scheme: Spanned<String>,
    #[serde(default = "json")]
    content_type: String,
    id: Option<Spanned<String>>,
    #[serde(default)]
    headers: BTreeMap<String, Spanned<String>>,
    body: Spanned<String>,
}

fn json() -> String {
    "application/json".to_owned()
}

/// What kind of body a template has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyKind {
    /// A JSON object.
    Object,
    /// Another JSON value: an array of events, say.
    Json,
    /// A form.
    Form,
    /// Anything else; not checked.
    Other,
}

/// A webhook to be, with placeholders.
#[derive(Clone, Debug)]
pub struct Template {
    name: Arc<str>,
    provider: Arc<str>,
    event: Arc<str>,
    scheme: Scheme,
    content_type: Arc<str>,
    kind: BodyKind,
    id: Pattern,
    headers: Vec<(String, Pattern)>,
    body: Pattern,
    source: Arc<str>,
}

/// A webhook, rendered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Its id: what standard-webhooks, Svix and Resend sign, and what stands in the body where
    /// the provider puts one there.
    pub id: String,
    /// The headers of the template, without the signature's and the content type.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Template {
    /// Reads a template's file. `label` names it in errors.
    ///
    /// # Errors
    /// When it is no TOML, has an unknown key, scheme or placeholder, or a body that is no JSON
    /// where its content type says JSON.
    pub fn parse(label: &str, source: &str) -> Result<Self, TemplateError> {
        let reader = Reader { label, source };
        let file: File = toml::from_str(source).map_err(|error| {
            let line = error.span().map(|span| reader.line_at(span.start));
            let reason = text::safe(error.message()).into_owned();
            reader.error(
                line,
                reason,
                "a template has provider, event, scheme, content_type, id, headers and body",
            )
        })?;
        let scheme: Scheme = file
            .scheme
            .as_ref()
            .parse()
            .map_err(|error: crate::signature::UnknownScheme| {
                reader.error(
                    Some(reader.line_at(file.scheme.span().start)),
                    format!("scheme {:?} is not known", text::safe(file.scheme.as_ref())),
                    error.next(),
                )
            })?;
        if file.provider.is_empty() || file.event.is_empty() {
            return Err(reader.error(None, "provider or event is empty", "name both"));
        }
        let id = match &file.id {
            Some(id) => reader.pattern(id)?,
            None => reader.pattern(&Spanned::new(0..0, "{{uuid}}".to_owned()))?,
        };
        let kind = BodyKind::of(&file.content_type);
        let body = reader.pattern(&file.body)?;
        let mut template = Self {
            name: file
                .name
                .unwrap_or_else(|| format!("{}.{}", file.provider, file.event))
                .into(),
            provider: file.provider.into(),
            event: file.event.into(),
            scheme,
            content_type: file.content_type.into(),
            kind,
            id,
            headers: reader.headers(&file.headers)?,
            body,
            source: source.into(),
        };
        reader.check_header("content_type", &template.content_type, None)?;
        if kind == BodyKind::Json {
            template.kind = reader.check_json(&template.body, &file.body)?;
            template.body = template.body.minify_json();
        }
        Ok(template)
    }

    /// `provider.event`, or a name of its own.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Whose webhook it is.
    #[must_use]
    pub fn provider(&self) -> &Arc<str> {
        &self.provider
    }

    /// What it tells.
    #[must_use]
    pub fn event(&self) -> &Arc<str> {
        &self.event
    }

    /// How its provider signs.
    #[must_use]
    pub fn scheme(&self) -> &Scheme {
        &self.scheme
    }

    /// The `Content-Type`.
    #[must_use]
    pub fn content_type(&self) -> &Arc<str> {
        &self.content_type
    }

    /// What kind of body it has.
    #[must_use]
    pub fn kind(&self) -> BodyKind {
        self.kind
    }

    /// Its file, as it was read; fields set later are not in it.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    pub(super) fn body(&self) -> &Pattern {
        &self.body
    }

    pub(super) fn with_kind(self, kind: BodyKind) -> Self {
        Self { kind, ..self }
    }

    pub(super) fn with_body(&self, body: Pattern) -> Self {
        Self { body, ..self.clone() }
    }

    /// Renders the webhook number `seq` of a run. The same random state and time give the same webhook.
    pub fn render(&self, seq: u64, now: Timestamp, random: &mut SmallRng) -> Webhook {
        let mut id = String::with_capacity(self.id.size());
        let mut values = Values {
            id: "",
            seq,
            now,
            random,
        };
        self.id.render(&mut values, &mut id);
        values.id = &id;
        let headers = self
            .headers
            .iter()
            .map(|(name, pattern)| {
                let mut value = String::with_capacity(pattern.size());
                pattern.render(&mut values, &mut value);
                (name.clone(), value)
            })
            .collect();
        let mut body = String::with_capacity(self.body.size());
        self.body.render(&mut values, &mut body);
        Webhook { id, headers, body }
    }
}

impl BodyKind {
    fn of(content_type: &str) -> Self {
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        if essence == "application/json" || essence.ends_with("+json") {
            Self::Json
        } else if essence == FORM {
            Self::Form
        } else {
            Self::Other
        }
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// A file being read, for errors that name the line.
struct Reader<'a> {
    label: &'a str,
    source: &'a str,
}

impl Reader<'_> {
    fn error(&self, line: Option<usize>, reason: impl Into<String>, next: impl Into<String>) -> TemplateError {
        TemplateError::new(self.label, line, reason, next)
    }

    fn line_at(&self, byte: usize) -> usize {
        let head = self.source.as_bytes().get(..byte).unwrap_or_default();
        head.split(|b| *b == b'\n').count()
    }

    fn pattern(&self, text: &Spanned<String>) -> Result<Pattern, TemplateError> {
        Pattern::parse(text.as_ref()).map_err(
            |PlaceholderError {
                 text: placeholder,
                 reason,
             }| {
                // The placeholder stands in the file as it stands in the text, escapes apart.
                let span = text.span();
                let within = self.source.get(span.clone()).and_then(|part| part.find(&placeholder));
                self.error(
                    Some(self.line_at(span.start + within.unwrap_or(0))),
                    format!("placeholder {}: {reason}", text::cut(&text::safe(&placeholder), 80)),
                    "correct the placeholder",
                )
            },
        )
    }

    fn headers(&self, headers: &BTreeMap<String, Spanned<String>>) -> Result<Vec<(String, Pattern)>, TemplateError> {
        headers
            .iter()
            .map(|(name, value)| {
                self.check_header(name, value.as_ref(), Some(self.line_at(value.span().start)))?;
                Ok((name.to_ascii_lowercase(), self.pattern(value)?))
            })
            .collect()
    }

    /// A value must not smuggle a line break into a request, a name must be one.
    fn check_header(&self, name: &str, value: &str, line: Option<usize>) -> Result<(), TemplateError> {
        let known = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
        if name.is_empty() || !known || !value.bytes().all(|b| (0x20..0x7f).contains(&b)) {
            return Err(self.error(
                line,
                format!("header {}: no valid name and value", text::safe(name)),
                "letters, digits and hyphens in the name, printable ASCII in the value",
            ));
        }
        Ok(())
    }

    fn check_json(&self, body: &Pattern, written: &Spanned<String>) -> Result<BodyKind, TemplateError> {
        json_kind(body).map_err(|error| {
            // Placeholders hold no line breaks, so lines count alike before and after.
            let opened = self.source.get(written.span()).unwrap_or_default();
            let skipped = usize::from(opened.starts_with("'''\n") || opened.starts_with("\"\"\"\n"));
            let line = self.line_at(written.span().start) + skipped + error.line().saturating_sub(1);
            self.error(
                Some(line),
                format!("the body is no JSON: {error}"),
                "correct the body, or name another content_type",
            )
        })
    }
}

/// Which JSON a body is. Renders once for every choice: a choice that holds a quotation mark shows here.
pub(super) fn json_kind(body: &Pattern) -> Result<BodyKind, serde_json::Error> {
    let mut kind = BodyKind::Json;
    for choice in 0..body.widest_choice() {
        let mut out = String::new();
        let mut values = Values {
            id: "id",
            seq: 0,
            now: Timestamp::UNIX_EPOCH,
            random: &mut SmallRng::seed_from_u64(choice as u64),
        };
        body.render_choice(&mut values, choice, &mut out);
        if serde_json::from_str::<serde_json::Value>(&out)?.is_object() {
            kind = BodyKind::Object;
        }
    }
    Ok(kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "provider = \"acme\"\nevent = \"thing.done\"\nscheme = \"github\"\n";

    fn parse(rest: &str) -> Result<Template, TemplateError> {
        Template::parse("acme.toml", &format!("{HEAD}{rest}"))
    }

    fn error(rest: &str) -> String {
        parse(rest).unwrap_err().to_string()
    }

    fn render(template: &Template, seed: u64) -> Webhook {
        template.render(3, Timestamp::UNIX_EPOCH, &mut SmallRng::seed_from_u64(seed))
    }

    #[test]
    fn a_webhook_carries_its_id_wherever_the_template_wants_it() {
        let template =
            parse("id = \"evt_{{hex 8}}\"\nbody = '{\"id\": \"{{id}}\"}'\n[headers]\nX-Id = \"{{id}}\"\n").unwrap();
        let webhook = render(&template, 1);
        assert!(webhook.id.starts_with("evt_") && webhook.id.len() == 12);
        assert_eq!(webhook.headers, [("x-id".to_owned(), webhook.id.clone())]);
        assert_eq!(webhook.body, format!("{{\"id\":\"{}\"}}", webhook.id));
        assert_eq!(webhook, render(&template, 1));
        assert_ne!(webhook.id, render(&template, 2).id);
        assert_eq!(&**template.name(), "acme.thing.done");
        assert_eq!(template.kind(), BodyKind::Object);
    }

    #[test]
    fn an_error_names_template_line_and_placeholder() {
        assert_eq!(
            error("body = '''\n{\n \"a\": \"{{uid}}\"\n}\n'''\n"),
            "template acme.toml, line 6: placeholder {{uid}}: there is no such placeholder: known are id, uuid, now, now_unix, seq, choice, int, hex → correct the placeholder"
        );
        assert!(error("body = '{}'\n[headers]\nx-a = \"{{int}}\"\n").contains("line 6: placeholder {{int}}"));
    }

    #[test]
    fn a_body_that_is_no_json_is_refused_with_its_line() {
        let text = error("body = '''\n{\n \"a\": 1,\n}\n'''\n");
        assert!(text.contains("line 7: the body is no JSON"), "{text}");
        assert!(error("body = '{\"a\": {{choice 1|\"x}}}'").contains("no JSON"));
        assert!(error("body = ''").contains("no JSON"));
        let form = parse("content_type = \"application/x-www-form-urlencoded\"\nbody = 'a=b'").unwrap();
        assert_eq!(form.kind(), BodyKind::Form);
        assert_eq!(parse("body = '[1, 2]'").unwrap().kind(), BodyKind::Json);
    }

    #[test]
    fn other_mistakes_are_named_with_their_line() {
        let text = error("boddy = '{}'\n");
        assert!(text.contains("line 4") && text.contains("boddy"), "{text}");
        assert!(error("body = '{}'\n[headers]\n\"x y\" = \"1\"\n").contains("header x y"));
        assert!(error("body = '{}'\n[headers]\nx = \"a\\nb\"\n").contains("header x"));
        let text = Template::parse("t", "provider='p'\nevent='e'\nscheme='gitlab'\nbody='{}'").unwrap_err();
        assert_eq!(text.line, Some(3));
        assert!(text.to_string().contains("\"gitlab\""), "{text}");
        let text = Template::parse("evil\x1b[2J", "").unwrap_err().to_string();
        assert!(!text.contains('\x1b'), "{text}");
    }
}

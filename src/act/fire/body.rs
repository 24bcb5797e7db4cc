//! A template's body as a person works with it: as text, field by field, and as it would be sent.

use serde_json::Value;

use super::edit::Marked;
use super::mix::random_of;
use super::pattern::{Pattern, Segment};
use super::template::{BodyKind, Template, TemplateError, json_kind};
use crate::base::text;
use crate::base::time::Timestamp;

/// The longest body that is taken from an editor, bytes.
const LONGEST: usize = 1 << 20;

/// Fields that are listed of a body.
const MOST_FIELDS: usize = 500;

/// A field of a body: what [`Template::set`] takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyField {
    /// Where it is: `data.to.0.status`, or a form's field.
    pub path: String,
    /// What stands there, with placeholders. What is a text but reads like other JSON is in quotation marks.
    pub value: String,
}

/// A webhook as it would be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview {
    /// Its headers, without the signature's and the content type.
    pub headers: Vec<(String, String)>,
    /// Its body, line by line; JSON is indented.
    pub body: Vec<String>,
    /// The size of the body as it is sent, bytes.
    pub size: usize,
}

impl Template {
    /// The body with its placeholders; JSON is indented.
    #[must_use]
    pub fn body_text(&self) -> String {
        if self.is_json() {
            indented(self.body().segments())
        } else {
            self.body().source()
        }
    }

    /// The same template with another body.
    ///
    /// # Errors
    /// When a placeholder is wrong, or the body is no JSON where it has to be.
    pub fn edit(&self, body: &str) -> Result<Self, TemplateError> {
        let error =
            |line: Option<usize>, reason: String, next: &str| TemplateError::new(self.name(), line, reason, next);
        if body.len() > LONGEST {
            let reason = format!("the body has {}", text::bytes(body.len() as u64));
            return Err(error(None, reason, "a template has at most 1 MiB"));
        }
        let pattern = Pattern::parse(body.trim_end()).map_err(|wrong| {
            let before = body.find(&wrong.text).and_then(|at| body.get(..at));
            let line = before.map(|before| before.split('\n').count());
            let placeholder = text::safe(&wrong.text);
            let reason = format!("placeholder {}: {}", text::cut(&placeholder, 80), wrong.reason);
            error(line, reason, "correct the placeholder")
        })?;
        if !self.is_json() {
            return Ok(self.with_body(pattern));
        }
        // Placeholders hold no line breaks, so lines count alike before and after.
        let kind = json_kind(&pattern).map_err(|wrong| {
            let reason = format!("the body is no JSON: {wrong}");
            error(Some(wrong.line()), reason, "correct the body")
        })?;
        Ok(self.with_body(pattern.minify_json()).with_kind(kind))
    }

    /// The fields of its body, as they stand there.
    #[must_use]
    pub fn fields(&self) -> Vec<BodyField> {
        let Some(marked) = Marked::of(self.body(), self.is_json()) else {
            return Vec::new();
        };
        let mut fields = Vec::new();
        match self.kind() {
            BodyKind::Object | BodyKind::Json => {
                if let Ok(body) = serde_json::from_str::<Value>(marked.text()) {
                    flatten(&body, String::new(), &marked, &mut fields);
                }
            }
            BodyKind::Form => {
                let pairs = form_urlencoded::parse(marked.text().as_bytes());
                fields.extend(pairs.map(|(name, value)| BodyField {
                    path: name.into_owned(),
                    value: marked.show(&value),
                }));
            }
            BodyKind::Other => {}
        }
        // `path=value` could not name those.
        fields.retain(|field| !field.path.contains('='));
        fields.truncate(MOST_FIELDS);
        fields
    }

    /// The webhook number 0 of the run with this seed, at this time.
    #[must_use]
    pub fn preview(&self, seed: u64, now: Timestamp) -> Preview {
        let webhook = self.render(0, now, &mut random_of(seed, 0));
        let size = webhook.body.len();
        let body = if self.is_json() {
            indented(&[Segment::Text(webhook.body.into())])
        } else if self.kind() == BodyKind::Form {
            webhook.body.replace('&', "\n&")
        } else {
            webhook.body
        };
        Preview {
            headers: webhook.headers,
            body: body.lines().map(ToOwned::to_owned).collect(),
            size,
        }
    }

    fn is_json(&self) -> bool {
        matches!(self.kind(), BodyKind::Object | BodyKind::Json)
    }
}

fn flatten(value: &Value, path: String, marked: &Marked, fields: &mut Vec<BodyField>) {
    let below = |key: &str| {
        if path.is_empty() {
            key.to_owned()
        } else {
            format!("{path}.{key}")
        }
    };
    match value {
        // A key with a point in it cannot be named.
        Value::Object(inner) if !inner.is_empty() => {
            for (key, value) in inner.iter().filter(|(key, _)| !key.is_empty() && !key.contains('.')) {
                flatten(value, below(key), marked, fields);
            }
        }
        Value::Array(inner) if !inner.is_empty() => {
            for (at, value) in inner.iter().enumerate() {
                flatten(value, below(&at.to_string()), marked, fields);
            }
        }
        _ if path.is_empty() => {}
        Value::String(text) => {
            let shown = marked.show(text);
            let is_plain = shown == *text;
            let value = match serde_json::from_str::<Value>(text) {
                Ok(_) if is_plain => Value::from(text.as_str()).to_string(),
                _ => shown,
            };
            fields.push(BodyField { path, value });
        }
        other => fields.push(BodyField {
            path,
            value: other.to_string(),
        }),
    }
}

/// JSON with a line for each member, in its own order; placeholders stay what they are.
fn indented(segments: &[Segment]) -> String {
    let mut out = String::new();
    let (mut depth, mut in_string, mut is_escaped, mut is_open) = (0usize, false, false, false);
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth));
    };
    for segment in segments {
        let Segment::Text(text) = segment else {
            if std::mem::take(&mut is_open) {
                line(&mut out, depth);
            }
            out.push_str(&segment.source());
            continue;
        };
        for c in text.chars() {
            if in_string {
                in_string = is_escaped || c != '"';
                is_escaped = !is_escaped && c == '\\';
                out.push(c);
                continue;
            }
            if c.is_ascii_whitespace() {
                continue;
            }
            let was_open = std::mem::take(&mut is_open);
            match c {
                '}' | ']' => {
                    depth = depth.saturating_sub(1);
                    if !was_open {
                        line(&mut out, depth);
                    }
                    out.push(c);
                    continue;
                }
                _ if was_open => line(&mut out, depth),
                _ => {}
            }
            out.push(c);
            match c {
                '"' => in_string = true,
                ':' => out.push(' '),
                ',' => line(&mut out, depth),
                '{' | '[' => (depth, is_open) = (depth + 1, true),
                _ => {}
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::act::fire::Library;

    fn template(name: &str) -> Template {
        (**Library::load(None).get(name).unwrap()).clone()
    }

    fn value(template: &Template, path: &str) -> String {
        let fields = template.fields();
        let field = fields.iter().find(|field| field.path == path);
        field.unwrap_or_else(|| panic!("{path}: {fields:?}")).value.clone()
    }

    #[test]
    fn the_text_of_every_body_is_a_body_again_and_renders_the_same() {
        for template in Library::load(None).templates() {
            let again = template.edit(&template.body_text()).unwrap();
            let body = |template: &Template| template.preview(7, Timestamp::UNIX_EPOCH);
            assert_eq!(body(&again), body(template), "{template}");
            assert_eq!(again.body_text(), template.body_text(), "{template}");
        }
    }

    #[test]
    fn every_field_can_be_set_to_what_it_is() {
        for template in Library::load(None).templates() {
            let fields = template.fields();
            assert!(!fields.is_empty(), "{template}");
            for field in &fields {
                let again = template.set(&field.path, &field.value).unwrap();
                assert_eq!(again.fields(), fields, "{template}: {}", field.path);
            }
        }
    }

    #[test]
    fn fields_have_their_placeholders_and_texts_that_look_like_numbers_are_told_from_numbers() {
        let telnyx = template("telnyx.message.sent");
        assert_eq!(value(&telnyx, "data.payload.parts"), "1");
        assert_eq!(
            value(&telnyx, "data.payload.to.0.phone_number"),
            "+1773555{{int 1000 9999}}"
        );
        assert_eq!(value(&telnyx, "data.payload.cc"), "[]");
        let text = telnyx.set("data.payload.parts", "\"1\"").unwrap();
        assert_eq!(value(&text, "data.payload.parts"), "\"1\"");
        assert!(
            text.preview(0, Timestamp::UNIX_EPOCH)
                .body
                .iter()
                .any(|line| line.contains("\"parts\": \"1\""))
        );
        assert_eq!(value(&template("twilio"), "From"), "+1312555{{int 1000 9999}}");
    }

    #[test]
    fn a_number_that_is_made_up_stays_a_number_when_it_is_set() {
        let bare = template("generic").edit("{\"n\": {{int 1 5}}, \"e\": {}}").unwrap();
        let set = bare.set("n", "{{int 7 7}}").unwrap();
        assert_eq!(
            set.preview(0, Timestamp::UNIX_EPOCH).body,
            ["{", "  \"e\": {},", "  \"n\": 7", "}"]
        );
        assert_eq!(set.body_text(), "{\n  \"e\": {},\n  \"n\": {{int 7 7}}\n}");
    }

    #[test]
    fn a_body_that_is_no_json_is_refused_by_name_line_and_reason() {
        let telnyx = template("telnyx.message.sent");
        let error = |body: &str| telnyx.edit(body).unwrap_err().to_string();
        let text = error("{\n  \"a\": 1,\n}");
        assert!(
            text.contains("telnyx.message.sent, line 3: the body is no JSON"),
            "{text}"
        );
        let text = error("{\n\"a\": \"{{uid}}\"}");
        assert!(text.contains("line 2: placeholder {{uid}}"), "{text}");
        assert!(error(&"x".repeat(LONGEST + 1)).contains("at most 1 MiB"));
        assert!(template("twilio").edit("a=b&c={{seq}}").is_ok());
    }
}

//! Setting a field of a template's body: `data.to.0.phone_number=+15550100`.
//!
//! A body with placeholders is no JSON. So each placeholder becomes a mark that JSON can carry,
//! the field is set, and the marks become placeholders again.

use serde_json::Value;

use super::pattern::{Pattern, Segment};
use super::template::{BodyKind, Template, TemplateError};
use crate::base::text;

/// A mark: one of the openers, the placeholder's number, the closer. Private characters, which no
/// webhook has a use for.
const WITHIN_STRING: char = '\u{e000}';
const BARE: char = '\u{e001}';
const CLOSE: char = '\u{e002}';

impl Template {
    /// The same template with a field of its body set. In JSON, `path` names keys and array
    /// positions separated by points, and `value` is JSON or else a text; in a form, `path` is a
    /// field's name. The value may hold placeholders.
    ///
    /// # Errors
    /// When there is no such place, or the value's placeholders are wrong.
    pub fn set(&self, path: &str, value: &str) -> Result<Self, TemplateError> {
        let error = |reason: String, next: &str| {
            let path = text::safe(path);
            TemplateError::new(
                self.name(),
                None,
                format!("set {}: {reason}", text::cut(&path, 80)),
                next,
            )
        };
        let pattern = Pattern::parse(value).map_err(|wrong| {
            error(
                format!("placeholder {}: {}", text::safe(&wrong.text), wrong.reason),
                "correct the placeholder",
            )
        })?;
        let mut marked = Marked::of(self.body(), self.kind() != BodyKind::Form)
            .ok_or_else(|| error("the body holds private characters".to_owned(), "remove them"))?;
        let edited = match self.kind() {
            BodyKind::Object | BodyKind::Json => {
                let mut body: Value = serde_json::from_str(&marked.text)
                    .map_err(|_| error("the body is no JSON".to_owned(), "correct the template"))?;
                let before = body.pointer(&pointer(path)).and_then(Value::as_str);
                let is_bare = before.is_some_and(|before| before.starts_with(BARE));
                let value = marked.json_value(&pattern, value, is_bare);
                put(&mut body, path, value).map_err(|reason| error(reason, "name a place that the body has"))?;
                body.to_string()
            }
            BodyKind::Form => {
                let value = marked.form_value(&pattern);
                put_field(&marked.text, path, &value)
            }
            BodyKind::Other => {
                return Err(error(
                    "the body is neither JSON nor a form".to_owned(),
                    "edit the template instead",
                ));
            }
        };
        Ok(self.with_body(marked.back(&edited)))
    }
}

/// A body with marks for placeholders.
pub(super) struct Marked {
    text: String,
    placeholders: Vec<Segment>,
}

impl Marked {
    /// `None`: the text holds what the marks are made of.
    pub(super) fn of(pattern: &Pattern, is_json: bool) -> Option<Self> {
        let mut marked = Self {
            text: String::new(),
            placeholders: Vec::new(),
        };
        let (mut in_string, mut is_escaped) = (false, false);
        for segment in pattern.segments() {
            let Segment::Text(text) = segment else {
                let mark = if is_json && !in_string {
                    format!("\"{}\"", marked.mark(segment, BARE))
                } else {
                    marked.mark(segment, WITHIN_STRING)
                };
                marked.text.push_str(&mark);
                continue;
            };
            if text.contains([WITHIN_STRING, BARE, CLOSE]) {
                return None;
            }
            for c in text.chars() {
                if c == '"' && !is_escaped {
                    in_string = !in_string;
                }
                is_escaped = in_string && c == '\\' && !is_escaped;
            }
            marked.text.push_str(text);
        }
        Some(marked)
    }

    /// The body: JSON where it has to be.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// A part of it, read: its marks are placeholders again.
    pub(super) fn show(&self, part: &str) -> String {
        let mut shown = String::new();
        let mut rest = part;
        while let Some(open) = rest.find([WITHIN_STRING, BARE]) {
            let (before, mark) = rest.split_at(open);
            let Some((number, after)) = mark[BARE.len_utf8()..].split_once(CLOSE) else {
                break;
            };
            shown.push_str(before);
            let placeholder = number.parse().ok().and_then(|at: usize| self.placeholders.get(at));
            shown.extend(placeholder.map(Segment::source));
            rest = after;
        }
        shown + rest
    }

    fn mark(&mut self, placeholder: &Segment, opener: char) -> String {
        self.placeholders.push(placeholder.clone());
        format!("{opener}{}{CLOSE}", self.placeholders.len() - 1)
    }

    /// `is_bare`: a placeholder alone stands there without quotation marks.
    fn json_value(&mut self, pattern: &Pattern, value: &str, is_bare: bool) -> Value {
        if !pattern.has_placeholders() {
            return serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
        }
        if let [placeholder] = pattern.segments()
            && is_bare
        {
            return Value::from(self.mark(placeholder, BARE));
        }
        let mut text = String::new();
        for segment in pattern.segments() {
            match segment {
                Segment::Text(part) => text.push_str(part),
                placeholder => text.push_str(&self.mark(placeholder, WITHIN_STRING)),
            }
        }
        Value::from(text)
    }

    fn form_value(&mut self, pattern: &Pattern) -> String {
        let mut text = String::new();
        for segment in pattern.segments() {
            match segment {
                Segment::Text(part) => text.extend(form_urlencoded::byte_serialize(part.as_bytes())),
                placeholder => text.push_str(&self.mark(placeholder, WITHIN_STRING)),
            }
        }
        text
    }

    /// Marks become placeholders again. A bare one loses the quotation marks that JSON needed.
    fn back(&self, text: &str) -> Pattern {
        let mut segments = Vec::new();
        let mut rest = text;
        while let Some(open) = rest.find([WITHIN_STRING, BARE]) {
            let is_bare = rest[open..].starts_with(BARE);
            let quotes = usize::from(is_bare);
            let inner = &rest[open + WITHIN_STRING.len_utf8()..];
            let Some((number, after)) = inner.split_once(CLOSE) else {
                break;
            };
            let Some(placeholder) = number.parse::<usize>().ok().and_then(|n| self.placeholders.get(n)) else {
                break;
            };
            segments.push(Segment::Text(rest[..open - quotes].into()));
            segments.push(placeholder.clone());
            rest = &after[quotes..];
        }
        segments.push(Segment::Text(rest.into()));
        Pattern::of(segments)
    }
}

/// A path as a JSON pointer.
fn pointer(path: &str) -> String {
    let parts = path.split('.').map(|part| part.replace('~', "~0").replace('/', "~1"));
    parts.flat_map(|part| ["/".to_owned(), part]).collect()
}

/// Sets the place of a path. All but its last part must be there.
fn put(body: &mut Value, path: &str, value: Value) -> Result<(), String> {
    let (parents, last) = path
        .rsplit_once('.')
        .map_or(("", path), |(parents, last)| (parents, last));
    let mut place = body;
    for part in parents.split('.').filter(|part| !part.is_empty()) {
        let next = match place {
            Value::Object(fields) => fields.get_mut(part),
            Value::Array(items) => part.parse().ok().and_then(|at: usize| items.get_mut(at)),
            _ => None,
        };
        place = next.ok_or_else(|| format!("there is no {}", text::safe(part)))?;
    }
    match place {
        Value::Object(fields) if !last.is_empty() => {
            fields.insert(last.to_owned(), value);
            Ok(())
        }
        Value::Array(items) => {
            let at: Option<usize> = last.parse().ok();
            let length = items.len();
            let item = at.and_then(|at| items.get_mut(at));
            *item.ok_or_else(|| format!("the array has {length} items, counted from 0"))? = value;
            Ok(())
        }
        _ => Err("what it would stand in is neither an object nor an array".to_owned()),
    }
}

/// Sets a form's field, or adds it.
fn put_field(form: &str, name: &str, value: &str) -> String {
    let encoded: String = form_urlencoded::byte_serialize(name.as_bytes()).collect();
    let mut found = false;
    let mut pairs: Vec<String> = form
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let known = form_urlencoded::parse(pair.as_bytes())
                .next()
                .is_some_and(|(known, _)| known == name);
            if known {
                found = true;
                format!("{encoded}={value}")
            } else {
                pair.to_owned()
            }
        })
        .collect();
    if !found {
        pairs.push(format!("{encoded}={value}"));
    }
    pairs.join("&")
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand::rngs::SmallRng;

    use super::*;
    use crate::act::fire::Library;
    use crate::base::time::Timestamp;

    fn body(template: &Template) -> String {
        template
            .render(7, Timestamp::UNIX_EPOCH, &mut SmallRng::seed_from_u64(1))
            .body
    }

    fn json(template: &Template) -> Value {
        serde_json::from_str(&body(template)).unwrap()
    }

    #[test]
    fn a_field_is_set_and_every_other_stays_what_it_was() {
        for template in Library::load(None).templates() {
            if template.kind() != BodyKind::Object {
                continue;
            }
            let edited = template.set("hookwatch_test", "{\"a\": [1, \"{ b }\"]}").unwrap();
            let mut after = json(&edited);
            let set = after.as_object_mut().unwrap().remove("hookwatch_test").unwrap();
            assert_eq!(set, serde_json::json!({"a": [1, "{ b }"]}));
            // Keys may stand in another order now, and random numbers with them: compare the shape.
            assert_eq!(shape(&after), shape(&json(template)), "{template}");
        }
    }

    fn shape(value: &Value) -> Value {
        match value {
            Value::Object(fields) => fields
                .iter()
                .map(|(name, value)| (name.clone(), shape(value)))
                .collect(),
            Value::Array(items) => items.iter().map(shape).collect(),
            Value::String(_) => Value::from("text"),
            Value::Number(_) => Value::from(0),
            other => other.clone(),
        }
    }

    #[test]
    fn values_are_json_or_text_and_may_hold_placeholders() {
        let library = Library::load(None);
        let template = library.get("telnyx.message.sent").unwrap();
        let edited = template
            .set("data.payload.text", "say \"hi\" no {{seq}}")
            .and_then(|t| t.set("data.payload.to.0.phone_number", "+15550100"))
            .and_then(|t| t.set("data.payload.parts", "3"))
            .and_then(|t| t.set("data.payload.cost", "{\"amount\": \"1\"}"))
            .unwrap();
        let payload = json(&edited)["data"]["payload"].clone();
        assert_eq!(payload["text"], "say \"hi\" no 7");
        assert_eq!(payload["to"][0]["phone_number"], "+15550100");
        assert_eq!(payload["parts"], 3);
        assert_eq!(payload["cost"]["amount"], "1");
    }

    #[test]
    fn a_field_of_a_form_is_replaced_or_added() {
        let library = Library::load(None);
        let template = library.get("twilio").unwrap();
        let edited = template
            .set("MessageStatus", "a&b {{seq}}")
            .and_then(|t| t.set("New", "ü"))
            .unwrap();
        let body = body(&edited);
        let fields: Vec<_> = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
        let of = |name: &str| -> Vec<_> {
            fields
                .iter()
                .filter(|(known, _)| known == name)
                .map(|(_, value)| value.clone())
                .collect()
        };
        assert_eq!(of("MessageStatus"), ["a&b 7"]);
        assert_eq!(of("New"), ["ü"]);
        assert!(of("MessageSid")[0].starts_with("SM"));
    }

    #[test]
    fn a_place_that_is_not_there_is_named() {
        let library = Library::load(None);
        let error = |template: &str, path: &str, value: &str| {
            library.get(template).unwrap().set(path, value).unwrap_err().to_string()
        };
        assert!(error("telnyx.message.sent", "data.nope.text", "x").contains("there is no nope"));
        assert!(error("telnyx.message.sent", "data.payload.to.4", "x").contains("1 items"));
        assert!(error("telnyx.message.sent", "data.payload.type.x", "x").contains("neither an object"));
        assert!(error("telnyx.message.sent", "", "x").contains("neither an object"));
        assert!(error("telnyx.message.sent", "data.id", "{{uid}}").contains("placeholder {{uid}}"));
    }
}

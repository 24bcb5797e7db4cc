//! Secrets are taken out before anything is written.

use serde_json::Value;

use crate::base::secret::{MASK, Redactor};

/// Words that name a secret, in lower case without `-` and `_`.
const NAMES: &[&str] = &[
    "authorization",
    "proxyauthorization",
    "apikey",
    "xapikey",
    "token",
    "accesstoken",
    "authtoken",
    "password",
    "passwd",
    "secret",
    "clientsecret",
    "signingsecret",
    "cookie",
    "setcookie",
    "privatekey",
];

/// Takes secrets out of what is to be written, and counts them.
#[derive(Clone, Debug, Default)]
pub struct Redaction {
    redactor: Redactor,
    count: u64,
}

impl Redaction {
    /// Takes out what `redactor` knows, credentials in URLs, and what looks like a secret header.
    #[must_use]
    pub fn new(redactor: Redactor) -> Self {
        Self { redactor, count: 0 }
    }

    /// How many texts held a secret.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Takes the secrets out of every text in `value`.
    pub fn clean(&mut self, value: &mut Value) {
        match value {
            Value::String(text) => self.clean_text(text),
            Value::Array(parts) => {
                // A label: its name and its value.
                if let [Value::String(name), Value::String(text)] = parts.as_mut_slice()
                    && names_a_secret(name)
                {
                    self.mask(text);
                    return;
                }
                for part in parts {
                    self.clean(part);
                }
            }
            Value::Object(fields) => {
                for (name, field) in fields.iter_mut() {
                    match field {
                        Value::String(text) if names_a_secret(name) => self.mask(text),
                        field => self.clean(field),
                    }
                }
            }
            _ => {}
        }
    }

    fn mask(&mut self, text: &mut String) {
        if text != MASK && !text.is_empty() {
            MASK.clone_into(text);
            self.count += 1;
        }
    }

    /// Whether a text holds a secret.
    #[must_use]
    pub fn finds(&self, text: &str) -> bool {
        let cleaned = self.redactor.clean(text);
        *cleaned != *text || mask_headers(&cleaned).is_some()
    }

    /// Takes the secrets out of one text.
    pub fn clean_text(&mut self, text: &mut String) {
        let cleaned = self.redactor.clean(text);
        let headers = mask_headers(&cleaned);
        let changed = match headers {
            Some(masked) => Some(masked),
            None if *cleaned != *text => Some(cleaned.into_owned()),
            None => None,
        };
        if let Some(changed) = changed {
            self.count += 1;
            *text = changed;
        }
    }
}

fn names_a_secret(name: &str) -> bool {
    // The longest known has 18 characters, and a few dashes.
    if name.len() > 24 {
        return false;
    }
    let plain: String = name
        .chars()
        .filter(|c| !matches!(c, '-' | '_' | ' '))
        .map(|c| c.to_ascii_lowercase())
        .collect();
    NAMES.contains(&plain.as_str())
}

/// Masks the values of `Authorization: Bearer x`, `token=x`, `"password": "x"` in a text.
fn mask_headers(text: &str) -> Option<String> {
    if !text.contains([':', '=']) {
        return None;
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut changed = false;
    while let Some(at) = rest.find([':', '=']) {
        let (head, tail) = rest.split_at(at);
        let word = head.trim_end_matches(['"', '\'', ' ']);
        let begin = word
            .rfind(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_'))
            .map_or(0, |i| i + word[i..].chars().next().map_or(1, char::len_utf8));
        out.push_str(head);
        out.push_str(&tail[..1]);
        rest = &tail[1..];
        if !names_a_secret(&word[begin..]) {
            continue;
        }
        let value = rest.trim_start_matches([' ', '"', '\'']);
        out.push_str(&rest[..rest.len() - value.len()]);
        let mut length = word_length(value);
        // A scheme before the secret itself.
        if ["Bearer", "Basic", "Token", "Digest"]
            .iter()
            .any(|scheme| value[..length].eq_ignore_ascii_case(scheme))
        {
            let after = value[length..].trim_start_matches(' ');
            length = value.len() - after.len() + word_length(after);
        }
        if length > 0 && &value[..length] != MASK {
            out.push_str(MASK);
            changed = true;
        } else {
            out.push_str(&value[..length]);
        }
        rest = &value[length..];
    }
    out.push_str(rest);
    changed.then_some(out)
}

fn word_length(text: &str) -> usize {
    text.find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ',' | ';' | '&' | '}' | ')' | '>'))
        .unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn cleaned(text: &str) -> (String, u64) {
        let mut redactor = Redactor::default();
        redactor.learn("hunter2\"x");
        let mut redaction = Redaction::new(redactor);
        let mut text = text.to_owned();
        redaction.clean_text(&mut text);
        (text, redaction.count())
    }

    #[test]
    fn known_secrets_urls_and_headers_are_masked_and_counted() {
        for (text, expected) in [
            ("said hunter2\"x twice", "said ••• twice"),
            ("nats://bob:pw@h:4222", "nats://•••@h:4222"),
            ("Authorization: Bearer abc.def, next", "Authorization: •••, next"),
            ("got {\"password\": \"pw\"} ok", "got {\"password\": \"•••\"} ok"),
            ("https://h/x?token=abc&y=1", "https://h/x?token=•••&y=1"),
            ("X-API-Key=k é", "X-API-Key=••• é"),
        ] {
            assert_eq!(cleaned(text), (expected.to_owned(), 1));
            assert_eq!(cleaned(expected).1, 0, "masking twice changes nothing");
        }
        for text in ["plain", "time: 12:03, rate=4", "the token was refused", "é: ü"] {
            assert_eq!(cleaned(text), (text.to_owned(), 0));
        }
    }

    #[test]
    fn a_label_or_field_that_is_named_like_a_secret_is_masked() {
        let mut value = json!({"series": [{"labels": [["token", "abc"], ["provider", "x"]]}], "metadata": {"api-key": "k", "n": 1}});
        let mut redaction = Redaction::default();
        redaction.clean(&mut value);
        assert_eq!(
            value,
            json!({"series": [{"labels": [["token", MASK], ["provider", "x"]]}], "metadata": {"api-key": MASK, "n": 1}})
        );
        assert_eq!(redaction.count(), 2);
    }

    proptest::proptest! {
        #[test]
        fn any_text_can_be_cleaned_and_stays_clean(text in "(token|a|é|=|:| |\"|Bearer|hunter2\"x|•){0,20}") {
            let (once, _) = cleaned(&text);
            proptest::prop_assert!(!once.contains("hunter2\"x"));
        }
    }
}

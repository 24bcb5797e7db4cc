//! `$.path=value`: what must be in a JSON document.

use serde_json::Value;
use serde_json_path::JsonPath;

/// A place in a document, and what must be there.
#[derive(Clone, Debug, PartialEq)]
pub struct JsonMatch {
    /// The place: RFC 9535.
    pub path: JsonPath,
    /// What must be there; `None`: anything.
    pub value: Option<Value>,
}

impl JsonMatch {
    /// Reads `$.path` or `$.path=value`: the value is JSON, or else a text. A filter holds `==`
    /// itself, so the first `=` after which a value and before which a path stands is the one.
    ///
    /// # Errors
    /// Why that is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        let whole = match JsonPath::parse(text) {
            Ok(path) => return Ok(Self { path, value: None }),
            Err(error) => error,
        };
        for (at, _) in text.match_indices('=') {
            if let Ok(path) = JsonPath::parse(text[..at].trim_end()) {
                let value = text[at + 1..].trim();
                let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
                return Ok(Self {
                    path,
                    value: Some(value),
                });
            }
        }
        Err(format!("that is no JSONPath: {whole}"))
    }

    /// Whether a document holds it: one of the nodes at the path is the value.
    #[must_use]
    pub fn holds(&self, document: &Value) -> bool {
        let nodes = self.path.query(document);
        match &self.value {
            None => !nodes.is_empty(),
            Some(wanted) => {
                // What was typed as `17` may be the text "17" there.
                let typed = wanted.to_string();
                nodes
                    .iter()
                    .any(|found| *found == wanted || found.as_str() == Some(typed.as_str()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_or_without_a_value_is_looked_for() {
        let document = serde_json::json!({"data": {"to": [{"status": "sent"}, {"n": 7, "id": "17"}]}});
        for (text, holds) in [
            ("$.data.to[*].status", true),
            ("$.data.to[*].status=sent", true),
            ("$.data.to[*].status=\"sent\"", true),
            ("$.data.to[*].status = failed", false),
            ("$..n=7", true),
            ("$..n=8", false),
            ("$..id=17", true),
            ("$.nothing", false),
            ("$.data.to[?@.n == 7]", true),
            ("$.data.to[?@.n == 7].id=17", true),
        ] {
            assert_eq!(JsonMatch::parse(text).unwrap().holds(&document), holds, "{text}");
        }
        assert!(JsonMatch::parse("data.to=1").unwrap_err().contains("no JSONPath"));
    }
}

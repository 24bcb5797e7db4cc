//! JSON laid out without being read into values: keys keep their order, numbers their digits, and
//! what stands there twice is shown twice.

/// Levels that are indented; deeper ones stand below each other.
const DEEPEST: usize = 40;

/// Valid JSON as lines, each part of a list or object on its own, at most `most` and one.
#[must_use]
pub fn indented(json: &str, most: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut depth = 0_usize;
    let mut pieces = Pieces { rest: json }.peekable();
    while let Some(piece) = pieces.next() {
        match piece {
            "{" | "[" => {
                line.push_str(piece);
                if let Some(close @ ("}" | "]")) = pieces.peek().copied() {
                    line.push_str(close);
                    pieces.next();
                    continue;
                }
                depth += 1;
                lines.push(std::mem::replace(&mut line, indent(depth)));
            }
            "}" | "]" => {
                depth = depth.saturating_sub(1);
                lines.push(std::mem::replace(&mut line, indent(depth)));
                line.push_str(piece);
            }
            "," => {
                line.push(',');
                lines.push(std::mem::replace(&mut line, indent(depth)));
            }
            ":" => line.push_str(": "),
            other => line.push_str(other),
        }
        if lines.len() > most {
            return lines;
        }
    }
    lines.push(line);
    lines
}

/// Valid JSON without the blanks between its parts.
#[must_use]
pub fn compact(json: &str) -> String {
    Pieces { rest: json }.collect()
}

fn indent(depth: usize) -> String {
    "  ".repeat(depth.min(DEEPEST))
}

/// The parts of JSON as they stand there: brackets, commas, colons, strings, all other words.
struct Pieces<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
        let bytes = self.rest.as_bytes();
        let end = match bytes.first()? {
            b'{' | b'}' | b'[' | b']' | b',' | b':' => 1,
            b'"' => {
                let mut at = 1;
                while let Some(byte) = bytes.get(at) {
                    match byte {
                        b'\\' => at += 2,
                        b'"' => break,
                        _ => at += 1,
                    }
                }
                // Of what is cut off within a string, the rest; never within a character.
                self.rest.ceil_char_boundary((at + 1).min(bytes.len()))
            }
            _ => {
                let ends = |byte: &u8| b"{}[],:\" \t\n\r".contains(byte);
                bytes.iter().position(ends).unwrap_or(bytes.len())
            }
        };
        let (piece, rest) = self.rest.split_at(end);
        self.rest = rest;
        Some(piece)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_keep_their_order_and_numbers_their_digits() {
        let json = r#"{"z":1.0,"a":12345678901234567890123,"a":[],"s":"{\"x\": [1, 2]}","e":{},"n":[null,true]}"#;
        let lines = indented(json, 99);
        assert_eq!(
            lines,
            [
                "{",
                r#"  "z": 1.0,"#,
                r#"  "a": 12345678901234567890123,"#,
                r#"  "a": [],"#,
                r#"  "s": "{\"x\": [1, 2]}","#,
                r#"  "e": {},"#,
                r#"  "n": ["#,
                "    null,",
                "    true",
                "  ]",
                "}",
            ]
        );
        assert_eq!(compact(&lines.join("\n")), json);
    }

    #[test]
    fn no_more_lines_are_laid_out_than_are_wanted_however_deep_it_is() {
        let deep = "[".repeat(100_000);
        let lines = indented(&deep, 50);
        assert_eq!(lines.len(), 51);
        assert!(lines.iter().all(|line| line.len() <= 2 * DEEPEST + 1));
    }

    proptest! {
        #[test]
        fn what_is_laid_out_says_the_same(json in any::<JsonText>()) {
            let JsonText(json) = json;
            let laid_out = indented(&json, usize::MAX).join("\n");
            let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
            prop_assert_eq!(read(&laid_out), read(&json));
            prop_assert_eq!(compact(&laid_out), compact(&json));
        }

        #[test]
        fn whatever_it_is_given_nothing_is_lost(text in "\\PC{0,60}") {
            let bare = |text: &str| text.replace([' ', '\t', '\n', '\r'], "");
            prop_assert_eq!(bare(&compact(&text)), bare(&text));
        }
    }

    #[derive(Clone, Debug)]
    struct JsonText(String);

    impl Arbitrary for JsonText {
        type Parameters = ();
        type Strategy = BoxedStrategy<Self>;

        fn arbitrary_with((): ()) -> Self::Strategy {
            let leaf = prop_oneof![
                Just(serde_json::Value::Null),
                any::<i64>().prop_map(Into::into),
                "\\PC{0,8}|[\"\\\\{}\\[\\],: ]{0,8}".prop_map(Into::into),
            ];
            let tree = leaf.prop_recursive(4, 32, 4, |inner| {
                prop_oneof![
                    proptest::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::Array),
                    proptest::collection::btree_map("\\PC{0,4}", inner, 0..4)
                        .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
                ]
            });
            tree.prop_map(|value| Self(value.to_string())).boxed()
        }
    }
}

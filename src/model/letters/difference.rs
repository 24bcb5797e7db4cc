//! How one payload differs from another, as a person reads it.

use similar::{ChangeTag, TextDiff};

use super::payload;
use crate::base::text;

/// Lines of a payload that are compared.
const LINES: usize = 2_000;

/// Lines of a difference that are told.
const TOLD: usize = 200;

/// Unchanged lines around a change.
const AROUND: usize = 2;

/// What is taken away and what is put in its place, as lines that begin with `-`, `+` or a blank;
/// JSON is compared by its indented form. Empty: nothing that can be seen.
#[must_use]
pub fn difference(before: &[u8], after: &[u8]) -> Vec<String> {
    let join = |bytes| payload(bytes, LINES).join("\n");
    let (before, after) = (join(before), join(after));
    let diff = TextDiff::from_lines(&before, &after);
    let mut told = Vec::new();
    for (number, group) in diff.grouped_ops(AROUND).iter().enumerate() {
        if number > 0 {
            told.push("  …".to_owned());
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let sign = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            told.push(format!("{sign} {}", change.value().trim_end_matches('\n')));
        }
    }
    if told.len() > TOLD {
        let left = told.len() - TOLD;
        told.truncate(TOLD);
        told.push(format!("  … {} more lines", text::count(left as u64)));
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_compared_by_what_it_says_and_not_by_its_blanks() {
        let told = difference(br#"{"a":1,"b":[1,2]}"#, br#"{ "a": 2, "b": [1, 2] }"#);
        assert_eq!(
            told,
            ["  {", "-   \"a\": 1,", "+   \"a\": 2,", "    \"b\": [", "      1,"]
        );
        assert!(difference(br#"{"a":1}"#, br#"{ "a" : 1 }"#).is_empty());
    }

    #[test]
    fn strangers_bytes_are_told_as_data_and_long_differences_are_cut() {
        let told = difference(b"\x1b[2Jboom", b"calm");
        assert!(
            told.iter().all(|line| line.chars().all(|c| !c.is_control())),
            "{told:?}"
        );
        let long: Vec<String> = (0..5_000).map(|n| format!("line {n}")).collect();
        let told = difference(b"", long.join("\n").as_bytes());
        assert_eq!(told.len(), TOLD + 1);
        assert!(told[TOLD].contains("more lines"), "{}", told[TOLD]);
    }
}

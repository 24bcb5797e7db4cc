//! What kind of error a message tells of: its text without the numbers, ids and times in it, so
//! that a thousand failures of one cause are one line.

use super::text;

/// Longest cause, in columns.
const COLUMNS: usize = 160;

/// Bytes of an error text that are looked at.
const MOST: usize = 16 << 10;

/// The cause that an error text names: safe to show, on one line, at most 160 columns.
/// `timeout after 3,004 ms` and `timeout after 17 ms` have the same one, `timeout after ‹n› ms`.
#[must_use]
pub fn cause(error: &str) -> String {
    let mut out = String::new();
    // Far more than is shown: a stranger's word may have megabytes.
    let head = &error[..error.floor_char_boundary(error.len().min(MOST))];
    let mut rest = head.trim();
    while !rest.is_empty() && out.len() < 8 * COLUMNS {
        let word = &rest[..rest.find(|c| !is_word(c)).unwrap_or(rest.len())];
        if word.is_empty() {
            let gap = rest.find(is_word).unwrap_or(rest.len());
            push_gap(&mut out, &rest[..gap]);
            rest = &rest[gap..];
        } else {
            // A full stop ends the sentence and not the number.
            let core = word.trim_end_matches(['.', ',', ':', '-']);
            out.push_str(&general(core));
            out.push_str(&word[core.len()..]);
            rest = &rest[word.len()..];
        }
    }
    let safe = text::safe(&out);
    text::cut(&safe, COLUMNS).into_owned()
}

/// Blanks and line ends become one blank.
fn push_gap(out: &mut String, gap: &str) {
    let mut blank = false;
    for c in gap.chars() {
        if c.is_whitespace() {
            blank = true;
        } else {
            if std::mem::take(&mut blank) {
                out.push(' ');
            }
            out.push(c);
        }
    }
    if blank {
        out.push(' ');
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ',' | ':' | '@' | '+')
}

/// A word without what differs from case to case.
fn general(word: &str) -> String {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let letters = word.chars().filter(|c| c.is_alphabetic()).count();
    if word.contains('@') && word.contains('.') {
        return "‹address›".to_owned();
    }
    if digits == 0 {
        return match word.len() {
            32.. if word.bytes().all(|b| b.is_ascii_hexdigit()) => "‹id›".to_owned(),
            _ => word.to_owned(),
        };
    }
    if letters == 0 {
        return match word.bytes().filter(|b| matches!(b, b'-' | b':')).count() {
            2.. => "‹time›".to_owned(),
            _ => numbers(word),
        };
    }
    if is_time(word) {
        return "‹time›".to_owned();
    }
    // Some of these have no letter, and nobody could tell them from a number.
    if (8..32).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_hexdigit()) {
        return "‹n›".to_owned();
    }
    if is_id(word, digits) {
        return "‹id›".to_owned();
    }
    if let Some(measure) = measure(word) {
        return measure;
    }
    match word.split_once(':') {
        // `host-1:4222`, `line:17`
        Some((name, value)) => format!("{}:{}", general(name), general(value)),
        None => word.to_owned(),
    }
}

/// `17`, `3,004`, `1.5`, `-3`, `10.0.0.1:4222`: each number is one `‹n›`.
fn numbers(word: &str) -> String {
    let sign = word.len() - word.trim_start_matches(['-', '+', ':', '.', ',', '_']).len();
    let kept = word[..sign].trim_end_matches(['-', '+']);
    let parts: Vec<&str> = word[sign..].split(':').map(|_| "‹n›").collect();
    format!("{kept}{}", parts.join(":"))
}

/// `30s`, `3004ms`, `1.5MB`: a number with its unit.
fn measure(word: &str) -> Option<String> {
    let unit = word.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.' || c == ',');
    (unit.len() < word.len() && unit.len() <= 3 && unit.chars().all(char::is_alphabetic)).then(|| format!("‹n›{unit}"))
}

/// `2026-11-21T04:00:01Z` and the like.
fn is_time(word: &str) -> bool {
    let bytes = word.as_bytes();
    bytes.len() >= 16 && bytes[..4].iter().all(u8::is_ascii_digit) && bytes[4] == b'-' && bytes[10] == b'T'
}

/// Uuids, hashes, `evt_07781`, `in_1Mq9xK`: digits and letters that no person chose.
fn is_id(word: &str, digits: usize) -> bool {
    let hex = |part: &str| part.bytes().all(|b| b.is_ascii_hexdigit());
    if word.contains(':') {
        return false;
    }
    if word.starts_with("0x") && hex(&word[2..]) {
        return true;
    }
    let bare: String = word.chars().filter(|c| *c != '-').collect();
    (bare.len() >= 8 && hex(&bare))
        || digits >= 4
        || word
            .split_once(['_', '-'])
            .is_some_and(|(_, tail)| tail.len() >= 4 && tail.bytes().any(|b| b.is_ascii_digit()) && !tail.contains('.'))
}

/// What an error comes down to: the innermost of its sources.
#[must_use]
pub fn root(error: &(dyn std::error::Error + 'static)) -> String {
    let mut root = error;
    while let Some(source) = root.source() {
        root = source;
    }
    root.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_from_case_to_case_is_left_out() {
        for (error, expected) in [
            ("timeout after 3,004 ms", "timeout after ‹n› ms"),
            ("timeout after 17 ms.", "timeout after ‹n› ms."),
            ("waited 30s, gave up", "waited ‹n›s, gave up"),
            ("recipient rcp_9f31k not found", "recipient ‹id› not found"),
            ("event evt_07781 seen", "event ‹id› seen"),
            ("id 0ccc7b54-4df3-4bca-a65a-3da1ecc777f0: gone", "id ‹id›: gone"),
            ("object at 0x7f3a12", "object at ‹id›"),
            ("commit deadbeef12 missing", "commit ‹n› missing"),
            ("commit 8392017412 missing", "commit ‹n› missing"),
            ("since 2026-11-21T04:00:01.123Z", "since ‹time›"),
            ("since 2026-11-21 04:00:01", "since ‹time› ‹time›"),
            ("dial tcp 10.0.0.1:4222: refused", "dial tcp ‹n›:‹n›: refused"),
            ("no mailbox ann@example.com", "no mailbox ‹address›"),
            ("HTTP 503", "HTTP ‹n›"),
        ] {
            assert_eq!(cause(error), expected, "{error}");
        }
    }

    #[test]
    fn words_of_the_cause_stay() {
        for error in [
            "invalid payload: missing `to`",
            "utf8 error in http2 stream",
            "sha256 mismatch",
            "column \"recipient_id\" does not exist",
            "connection refused (os error)",
        ] {
            assert_eq!(cause(error), error);
        }
    }

    #[test]
    fn a_cause_is_one_safe_line() {
        assert_eq!(cause("  a\n\n\tb \u{1b}[31mred"), "a b \\x1b[31mred");
        assert!(text::width(&cause(&"x ".repeat(10_000))) <= COLUMNS);
        assert_eq!(cause(""), "");
    }

    proptest::proptest! {
        #[test]
        fn any_text_gives_a_cause_and_numbers_do_not_change_it(before in "[a-z ]{0,20}", a in 0u64.., b in 0u64.., after in "\\PC{0,20}") {
            let text = |n| format!("{before} {n} {after}");
            proptest::prop_assert_eq!(cause(&text(a)), cause(&text(b)));
        }

        #[test]
        fn nothing_makes_it_stumble(error in ".{0,200}") {
            let cause = cause(&error);
            let shown = text::width(&cause) <= COLUMNS && cause.chars().all(text::is_harmless);
            proptest::prop_assert!(shown);
        }
    }
}

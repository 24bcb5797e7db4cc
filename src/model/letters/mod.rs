//! Dead letters: where they came from, what killed them, groups of the same cause. Pure.

mod difference;
mod group;
mod origin;

pub use difference::difference;
pub use group::{Group, GroupBy, Groups};
pub use origin::origin;

use crate::base::text;
use crate::sample::LetterOrigin;

/// A letter's provider and event: the second token of the subject that it came from, and what
/// follows it. Strangers' text.
#[must_use]
pub fn label(origin: &LetterOrigin) -> (Option<&str>, Option<&str>) {
    let mut tokens = origin.subject.as_deref().unwrap_or_default().splitn(3, '.').skip(1);
    (tokens.next(), tokens.next())
}

/// The id that a letter's webhook is known by, as a header says.
#[must_use]
pub fn webhook_id(headers: &[(std::sync::Arc<str>, std::sync::Arc<str>)]) -> Option<&str> {
    ["X-Webhook-Id", "svix-id", "webhook-id", "Nats-Msg-Id"]
        .iter()
        .find_map(|name| headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)))
        .map(|(_, value)| &**value)
}

/// A payload as text that can be shown: JSON is indented, other text is made safe, what is no text
/// is hexadecimal. At most `lines` lines; the last one says how much is left out.
#[must_use]
pub fn payload(bytes: &[u8], lines: usize) -> Vec<String> {
    /// Columns of a line at most.
    const WIDTH: usize = 400;
    /// Bytes that are looked at: nobody reads more on a screen.
    const MOST: usize = 256 * 1_024;
    let head = &bytes[..bytes.len().min(MOST)];
    let mut shown: Vec<String> = match std::str::from_utf8(bytes) {
        // serde_json refuses what is nested more than 128 deep: that is shown as it stands.
        Ok(_)
            if bytes.len() <= MOST
                && let Ok(value) = serde_json::from_slice::<serde_json::Value>(bytes) =>
        {
            let pretty = serde_json::to_string_pretty(&value).unwrap_or_default();
            pretty
                .lines()
                .take(lines + 1)
                .map(|line| text::cut(&text::safe(line), WIDTH).into_owned())
                .collect()
        }
        Ok(_) => String::from_utf8_lossy(head)
            .lines()
            .take(lines + 1)
            .map(|line| text::cut(&text::safe(line), WIDTH).into_owned())
            .collect(),
        Err(_) => {
            let rows = head.chunks(16).take(lines + 1).enumerate();
            rows.map(|(row, bytes)| format!("{:08x}  {}", row * 16, hex_row(bytes)))
                .collect()
        }
    };
    if shown.len() > lines || head.len() < bytes.len() {
        shown.truncate(lines.saturating_sub(1));
        shown.push(format!("… {} in all", text::bytes(bytes.len() as u64)));
    }
    shown
}

fn hex_row(bytes: &[u8]) -> String {
    let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let plain: String = bytes
        .iter()
        .map(|byte| {
            if byte.is_ascii_graphic() {
                char::from(*byte)
            } else {
                '.'
            }
        })
        .collect();
    format!("{:<47}  {plain}", hex.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_shown_as_what_it_is_and_nothing_of_it_reaches_the_terminal() {
        assert_eq!(payload(br#"{"a":[1]}"#, 9), ["{", "  \"a\": [", "    1", "  ]", "}"]);
        assert_eq!(payload(b"plain\x1b[31m", 9), ["plain\\x1b[31m"]);
        let hex = payload(&[0xff, b'a', 0x1b], 9);
        assert_eq!(hex.len(), 1);
        assert!(
            hex[0].starts_with("00000000  ff 61 1b") && hex[0].ends_with(".a."),
            "{hex:?}"
        );
        let deep = "[".repeat(10_000);
        assert_eq!(payload(deep.as_bytes(), 9).len(), 1);
        let long = format!("\"{}\"", "x".repeat(8 << 20));
        let shown = payload(long.as_bytes(), 9);
        assert!(
            shown.iter().all(|line| text::width(line) <= 400) && shown.last().unwrap().contains("8.0 MiB in all"),
            "{}",
            shown.last().unwrap()
        );
        for line in payload("{\"k\u{202e}\": \"\u{200b}\u{1b}]0;x\u{7}\"}".as_bytes(), 9) {
            assert!(line.chars().all(text::is_harmless), "{line}");
        }
    }
}

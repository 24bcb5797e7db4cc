//! A payload as lines that can be shown: a stranger's bytes, of any size, never a command.

use std::fmt::Write as _;

use super::layout;
use crate::base::text;

/// Columns of a line at most.
const WIDTH: usize = 400;

/// Bytes that are looked at: nobody reads more on a screen.
const MOST: usize = 256 * 1_024;

/// Columns of a folded line: what a small terminal shows.
const FOLD: usize = 72;

/// Bytes of a line in hexadecimal.
const ROW: usize = 16;

/// How a payload is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Look {
    /// JSON indented; else as what it is.
    #[default]
    Tree,
    /// As it stands.
    Raw,
    /// Its bytes.
    Hex,
}

impl Look {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Tree => "tree",
            Self::Raw => "raw",
            Self::Hex => "hex",
        }
    }

    /// The next one that a key shows.
    #[must_use]
    pub fn next(self) -> Self {
        match self {
            Self::Tree => Self::Raw,
            Self::Raw => Self::Hex,
            Self::Hex => Self::Tree,
        }
    }
}

/// What a payload is, in a word or two.
#[must_use]
pub fn kind(bytes: &[u8]) -> &'static str {
    let head = &bytes[..bytes.len().min(MOST)];
    match bytes {
        [] => "empty",
        [0x1f, 0x8b, ..] => "gzip",
        _ if bytes.len() <= MOST && serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok() => "JSON",
        _ => match std::str::from_utf8(head) {
            Ok(_) => "text",
            // The head may end within a character.
            Err(error) if error.error_len().is_none() && head.len() < bytes.len() => "text",
            Err(_) => "binary",
        },
    }
}

/// A payload as lines. As a tree, JSON is indented, other text is made safe, and what is no text
/// is hexadecimal. At most `most` lines; the last one says how much is left out.
#[must_use]
pub fn lines(bytes: &[u8], look: Look, most: usize) -> Vec<String> {
    let head = &bytes[..bytes.len().min(MOST)];
    let kind = kind(bytes);
    let mut lines = match look {
        Look::Tree if kind == "JSON" => indented(bytes, most),
        Look::Tree if matches!(kind, "binary" | "gzip") => hex(head, most),
        Look::Tree => safe_lines(&String::from_utf8_lossy(head), most),
        Look::Raw => folded(&escaped(head), most),
        Look::Hex => hex(head, most),
    };
    if lines.len() > most || head.len() < bytes.len() {
        lines.truncate(most.saturating_sub(1));
        lines.push(format!("… {} in all", text::bytes(bytes.len() as u64)));
    }
    lines
}

/// JSON as it stands, a part a line: a number keeps its digits and a key its place.
fn indented(bytes: &[u8], most: usize) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    safe_lines(&layout::indented(&text, most).join("\n"), most)
}

fn safe_lines(shown: &str, most: usize) -> Vec<String> {
    let lines = shown.lines().take(most + 1);
    lines
        .map(|line| {
            let head = &line[..line.floor_char_boundary(line.len().min(4 * WIDTH))];
            text::cut(&text::safe(head), WIDTH).into_owned()
        })
        .collect()
}

/// Text as it stands, long lines folded: nothing of it is left out.
fn folded(shown: &str, most: usize) -> Vec<String> {
    let mut rows = Vec::new();
    for line in shown.lines() {
        let safe = text::safe(line);
        let (mut row, mut columns) = (String::new(), 0);
        for c in safe.chars() {
            let mut buffer = [0; 4];
            let width = text::width(c.encode_utf8(&mut buffer));
            if columns + width > FOLD {
                rows.push(std::mem::take(&mut row));
                columns = 0;
            }
            row.push(c);
            columns += width;
            if rows.len() > most {
                return rows;
            }
        }
        rows.push(row);
        if rows.len() > most {
            return rows;
        }
    }
    rows
}

/// Text as it is, and bytes that are none as `\xff`.
fn escaped(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out
}

fn hex(bytes: &[u8], most: usize) -> Vec<String> {
    let rows = bytes.chunks(ROW).take(most + 1).enumerate();
    rows.map(|(row, bytes)| format!("{:08x}  {}", row * ROW, hex_row(bytes)))
        .collect()
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

    fn tree(bytes: &[u8]) -> Vec<String> {
        lines(bytes, Look::Tree, 9)
    }

    #[test]
    fn a_payload_is_shown_as_what_it_is_and_nothing_of_it_reaches_the_terminal() {
        assert_eq!(tree(br#"{"a":[1]}"#), ["{", "  \"a\": [", "    1", "  ]", "}"]);
        assert_eq!(tree(b"plain\x1b[31m"), ["plain\\x1b[31m"]);
        let bytes = tree(&[0xff, b'a', 0x1b]);
        assert_eq!(bytes.len(), 1);
        assert!(
            bytes[0].starts_with("00000000  ff 61 1b") && bytes[0].ends_with(".a."),
            "{bytes:?}"
        );
        let deep = "[".repeat(10_000);
        assert_eq!(tree(deep.as_bytes()).len(), 1);
        let long = format!("\"{}\"", "x".repeat(8 << 20));
        for look in [Look::Tree, Look::Raw, Look::Hex] {
            let shown = lines(long.as_bytes(), look, 9);
            assert!(
                shown.iter().all(|line| text::width(line) <= WIDTH) && shown.last().unwrap().contains("8.0 MiB in all"),
                "{}",
                shown.last().unwrap()
            );
            for line in lines("{\"k\u{202e}\": \"\u{200b}\u{1b}]0;x\u{7}\"}".as_bytes(), look, 9) {
                assert!(line.chars().all(text::is_harmless), "{line}");
            }
        }
    }

    #[test]
    fn a_payload_can_be_seen_as_it_stands_and_byte_by_byte() {
        assert_eq!(lines(br#"{"a": 1}"#, Look::Raw, 9), [r#"{"a": 1}"#]);
        assert_eq!(lines(b"a\xffb", Look::Raw, 9), ["a\\xffb"]);
        let folded = lines("ä".repeat(100).as_bytes(), Look::Raw, 9);
        assert_eq!(
            folded.iter().map(|line| text::width(line)).collect::<Vec<_>>(),
            [72, 28]
        );
        assert!(lines(b"{}", Look::Hex, 9)[0].starts_with("00000000  7b 7d"));
        assert_eq!(lines(b"", Look::Tree, 9), Vec::<String>::new());
        assert_eq!(lines(&[b'\n'; 20], Look::Raw, 9).len(), 9);
    }

    #[test]
    fn a_payloads_kind_is_found_out() {
        let long = "ä".repeat(MOST);
        for (bytes, is) in [
            (&b""[..], "empty"),
            (b"[1]", "JSON"),
            (b"[1", "text"),
            (b"\x1f\x8b\x08", "gzip"),
            (b"\xff", "binary"),
            (long.as_bytes(), "text"),
        ] {
            assert_eq!(kind(bytes), is);
        }
    }
}

//! Lines: JSON objects that end in a checksum of what stands before it.

use std::io;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::act::hash;

/// What stands between an object's fields and the checksum.
const MARK: &str = ",\"sum\":\"";
/// Hex digits of a checksum.
const DIGITS: usize = 16;

/// Why a line cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// It is cut off, or something was changed.
    #[error("its checksum is missing or wrong")]
    Damaged,
    /// It is whole, and says what this program does not know.
    #[error("it is of another version: {0}")]
    Unknown(String),
}

/// Appends `value` as a line.
///
/// # Errors
/// When it is no JSON object with at least one field.
pub fn encode<T: Serialize>(value: &T, out: &mut Vec<u8>) -> io::Result<()> {
    let begin = out.len();
    serde_json::to_writer(&mut *out, value)?;
    if out.get(begin) != Some(&b'{') || out.pop() != Some(b'}') || out.len() <= begin + 1 {
        return Err(io::Error::other("a line of the journal is an object with fields"));
    }
    let sum: [u8; DIGITS] = hash::digits(&out[begin..], sum);
    out.extend_from_slice(MARK.as_bytes());
    out.extend_from_slice(&sum);
    out.extend_from_slice(b"\"}\n");
    Ok(())
}

/// Reads a line without its line end.
///
/// # Errors
/// When it is damaged, or of another version.
pub fn decode<T: DeserializeOwned>(line: &[u8]) -> Result<T, LineError> {
    let tail = MARK.len() + DIGITS + 2;
    let (body, rest) = line
        .len()
        .checked_sub(tail)
        .map(|at| line.split_at(at))
        .ok_or(LineError::Damaged)?;
    let sum = rest
        .strip_prefix(MARK.as_bytes())
        .and_then(|rest| rest.strip_suffix(b"\"}"))
        .ok_or(LineError::Damaged)?;
    if hash::digits(body, self::sum) != *sum {
        return Err(LineError::Damaged);
    }
    let object = [body, b"}"].concat();
    serde_json::from_slice(&object).map_err(|error| LineError::Unknown(error.to_string()))
}

/// A checksum of a hash's digits.
fn sum(digits: &str) -> [u8; DIGITS] {
    let mut sum = [0; DIGITS];
    for (to, from) in sum.iter_mut().zip(digits.bytes()) {
        *to = from;
    }
    sum
}

/// What is left of a file of lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lines<T> {
    /// Everything up to the last whole line.
    pub entries: Vec<T>,
    /// How many bytes that is.
    pub whole: u64,
    /// Whether a torn line follows.
    pub torn: bool,
}

/// Reads all lines. The last one may be torn: the process was killed while it wrote.
///
/// # Errors
/// The number of a line, from 1, that is damaged and not the last, or of another version.
pub fn read_all<T: DeserializeOwned>(bytes: &[u8]) -> Result<Lines<T>, (usize, LineError)> {
    let mut lines = Lines {
        entries: Vec::new(),
        whole: 0,
        torn: false,
    };
    let mut rest = bytes;
    while !rest.is_empty() {
        let (line, after) = match rest.iter().position(|byte| *byte == b'\n') {
            Some(end) => (&rest[..end], Some(&rest[end + 1..])),
            None => (rest, None),
        };
        match (decode(line), after) {
            (Ok(entry), Some(after)) => {
                lines.entries.push(entry);
                lines.whole += line.len() as u64 + 1;
                rest = after;
            }
            // A write that was cut off leaves the beginning of a line; nothing can follow it.
            (_, None) | (Err(LineError::Damaged), Some([])) => {
                lines.torn = true;
                break;
            }
            (Err(error), Some(_)) => return Err((lines.entries.len() + 1, error)),
        }
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Note {
        n: u64,
        text: String,
    }

    fn file(notes: &[Note]) -> Vec<u8> {
        let mut out = Vec::new();
        for note in notes {
            encode(note, &mut out).unwrap();
        }
        out
    }

    fn notes() -> impl Strategy<Value = Vec<Note>> {
        prop::collection::vec((any::<u64>(), ".{0,20}").prop_map(|(n, text)| Note { n, text }), 0..8)
    }

    #[test]
    fn a_line_is_json_that_grep_finds() {
        let bytes = file(&[Note {
            n: 7,
            text: "a\nb".into(),
        }]);
        let text = String::from_utf8(bytes).unwrap();
        assert!(
            text.starts_with(r#"{"n":7,"text":"a\nb","sum":""#) && text.ends_with("\"}\n"),
            "{text}"
        );
        assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
        assert!(encode(&7, &mut Vec::new()).is_err());
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(notes in notes()) {
            let bytes = file(&notes);
            let lines = read_all::<Note>(&bytes).unwrap();
            prop_assert_eq!((lines.whole, lines.torn), (bytes.len() as u64, false));
            prop_assert_eq!(lines.entries, notes);
        }

        #[test]
        fn a_torn_last_line_costs_that_line_alone(notes in notes(), cut in any::<prop::sample::Index>()) {
            let bytes = file(&notes);
            let cut = cut.index(bytes.len() + 1);
            let lines = read_all::<Note>(&bytes[..cut]).unwrap();
            let whole = bytes[..cut].split(|byte| *byte == b'\n').count() - 1;
            prop_assert_eq!(&lines.entries, &notes[..whole]);
            prop_assert_eq!(lines.torn, cut as u64 != lines.whole);
        }

        #[test]
        fn a_changed_byte_is_never_believed(notes in notes(), at in any::<prop::sample::Index>(), flip in 1u8..) {
            let mut bytes = file(&notes);
            prop_assume!(!bytes.is_empty());
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            match read_all::<Note>(&bytes) {
                Ok(lines) => prop_assert!(lines.entries.len() < notes.len() && notes.starts_with(&lines.entries)),
                Err((number, _)) => prop_assert!(number <= notes.len()),
            }
        }
    }
}

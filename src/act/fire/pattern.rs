//! Text with placeholders: read once, rendered many times a second.
//!
//! | placeholder | becomes |
//! |---|---|
//! | `{{id}}` | the webhook's own id |
//! | `{{uuid}}` | a fresh UUID (version 4) at every place |
//! | `{{now}}` | the time, RFC 3339 with milliseconds, UTC |
//! | `{{now_unix}}` | the time in unix seconds |
//! | `{{seq}}` | the number of the webhook in its run, from 0 |
//! | `{{choice a\|b\|c}}` | one of them |
//! | `{{int 1 100}}` | a whole number, both ends included |
//! | `{{hex 24}}` | so many hexadecimal digits |

use std::fmt::Write as _;

use rand::RngExt as _;
use rand::rngs::SmallRng;

use crate::base::time::Timestamp;

/// The most digits of a `{{hex N}}`.
const LONGEST_HEX: usize = 4_096;

/// What is wrong with a placeholder, and which one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PlaceholderError {
    /// The placeholder as it was written, braces included.
    pub(super) text: String,
    pub(super) reason: &'static str,
}

/// A part of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    Text(Box<str>),
    Id,
    Uuid,
    Now,
    NowUnix,
    Seq,
    Choice(Box<[Box<str>]>),
    Int(i64, i64),
    Hex(usize),
}

/// What the placeholders of one webhook become.
pub(super) struct Values<'a> {
    pub(super) id: &'a str,
    pub(super) seq: u64,
    pub(super) now: Timestamp,
    pub(super) random: &'a mut SmallRng,
}

/// A text with placeholders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    segments: Box<[Segment]>,
    /// Room that a rendered text needs at most, roughly.
    size: usize,
}

impl Pattern {
    pub(super) fn parse(text: &str) -> Result<Self, PlaceholderError> {
        let mut segments = Vec::new();
        let mut rest = text;
        while let Some(open) = rest.find("{{") {
            if open > 0 {
                segments.push(Segment::Text(rest[..open].into()));
            }
            let inner = &rest[open + 2..];
            let close = inner.find("}}").ok_or_else(|| PlaceholderError {
                text: rest[open..].lines().next().unwrap_or_default().to_owned(),
                reason: "it is not closed with }}",
            })?;
            segments.push(Segment::parse(&inner[..close]).map_err(|reason| PlaceholderError {
                text: rest[open..open + close + 4].to_owned(),
                reason,
            })?);
            rest = &inner[close + 2..];
        }
        if !rest.is_empty() {
            segments.push(Segment::Text(rest.into()));
        }
        Ok(Self::of(segments))
    }

    pub(super) fn of(segments: Vec<Segment>) -> Self {
        let size = segments.iter().map(Segment::size).sum();
        Self {
            segments: segments.into(),
            size,
        }
    }

    /// The same without the white space that JSON does not need.
    pub(super) fn minify_json(self) -> Self {
        let mut in_string = false;
        let mut escaped = false;
        let segments = self
            .segments
            .into_iter()
            .map(|segment| match segment {
                Segment::Text(text) => Segment::Text(
                    text.chars()
                        .filter(|&c| {
                            if in_string {
                                in_string = escaped || c != '"';
                                escaped = !escaped && c == '\\';
                                true
                            } else {
                                in_string = c == '"';
                                !c.is_ascii_whitespace()
                            }
                        })
                        .collect(),
                ),
                other => other,
            })
            .collect();
        Self::of(segments)
    }

    /// How many ways of rendering there are that differ in more than digits: the longest choice.
    pub(super) fn widest_choice(&self) -> usize {
        let choices = self.segments.iter().map(|segment| match segment {
            Segment::Choice(options) => options.len(),
            _ => 1,
        });
        choices.max().unwrap_or(1)
    }

    pub(super) fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// As it is written.
    pub(super) fn source(&self) -> String {
        self.segments.iter().map(Segment::source).collect()
    }

    pub(super) fn has_placeholders(&self) -> bool {
        self.segments.iter().any(|segment| !matches!(segment, Segment::Text(_)))
    }

    /// Room for a rendered text.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    pub(super) fn render(&self, values: &mut Values<'_>, out: &mut String) {
        for segment in &self.segments {
            segment.render(values, None, out);
        }
    }

    /// Renders with the choices of the given number, for a check of every choice.
    pub(super) fn render_choice(&self, values: &mut Values<'_>, choice: usize, out: &mut String) {
        for segment in &self.segments {
            segment.render(values, Some(choice), out);
        }
    }
}

impl Segment {
    fn parse(inner: &str) -> Result<Self, &'static str> {
        let inner = inner.trim();
        let (name, rest) = inner.split_once(char::is_whitespace).unwrap_or((inner, ""));
        let rest = rest.trim();
        let bare = |segment| {
            if rest.is_empty() {
                Ok(segment)
            } else {
                Err("it takes no argument")
            }
        };
        match name {
            "id" => bare(Self::Id),
            "uuid" => bare(Self::Uuid),
            "now" => bare(Self::Now),
            "now_unix" => bare(Self::NowUnix),
            "seq" => bare(Self::Seq),
            "choice" if rest.is_empty() => Err("it needs options: {{choice a|b}}"),
            "choice" => Ok(Self::Choice(
                rest.split('|').map(|option| option.trim().into()).collect(),
            )),
            "int" => {
                let mut bounds = rest.split_whitespace().map(str::parse);
                match (bounds.next(), bounds.next(), bounds.next()) {
                    (Some(Ok(low)), Some(Ok(high)), None) if low <= high => Ok(Self::Int(low, high)),
                    _ => Err("it needs two whole numbers, the smaller first: {{int 1 100}}"),
                }
            }
            "hex" => match rest.parse() {
                Ok(digits) if (1..=LONGEST_HEX).contains(&digits) => Ok(Self::Hex(digits)),
                _ => Err("it needs a number of digits from 1 to 4096: {{hex 24}}"),
            },
            _ => Err("there is no such placeholder: known are id, uuid, now, now_unix, seq, choice, int, hex"),
        }
    }

    /// As it is written.
    pub(super) fn source(&self) -> String {
        match self {
            Self::Text(text) => text.to_string(),
            Self::Id => "{{id}}".to_owned(),
            Self::Uuid => "{{uuid}}".to_owned(),
            Self::Now => "{{now}}".to_owned(),
            Self::NowUnix => "{{now_unix}}".to_owned(),
            Self::Seq => "{{seq}}".to_owned(),
            Self::Choice(options) => format!("{{{{choice {}}}}}", options.join("|")),
            Self::Int(low, high) => format!("{{{{int {low} {high}}}}}"),
            Self::Hex(digits) => format!("{{{{hex {digits}}}}}"),
        }
    }

    fn size(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Id | Self::Uuid => 36,
            Self::Now => 24,
            Self::NowUnix => 10,
            Self::Seq | Self::Int(..) => 12,
            Self::Choice(options) => options.iter().map(|option| option.len()).max().unwrap_or(0),
            Self::Hex(digits) => *digits,
        }
    }

    fn render(&self, values: &mut Values<'_>, choice: Option<usize>, out: &mut String) {
        // Writing to a String does not fail.
        let _ = match self {
            Self::Text(text) => {
                out.push_str(text);
                Ok(())
            }
            Self::Id => {
                out.push_str(values.id);
                Ok(())
            }
            Self::Uuid => {
                let uuid = uuid::Builder::from_random_bytes(values.random.random()).into_uuid();
                out.push_str(uuid.hyphenated().encode_lower(&mut uuid::Uuid::encode_buffer()));
                Ok(())
            }
            Self::Now => write!(out, "{:.3}", values.now),
            Self::NowUnix => write!(out, "{}", values.now.as_second()),
            Self::Seq => write!(out, "{}", values.seq),
            Self::Choice(options) => {
                let at = choice.unwrap_or_else(|| values.random.random_range(0..options.len()));
                out.push_str(&options[at % options.len()]);
                Ok(())
            }
            Self::Int(low, high) => write!(out, "{}", values.random.random_range(*low..=*high)),
            Self::Hex(digits) => {
                push_hex(*digits, values.random, out);
                Ok(())
            }
        };
    }
}

fn push_hex(digits: usize, random: &mut SmallRng, out: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut left = digits;
    while left > 0 {
        let mut bits: u64 = random.random();
        for _ in 0..left.min(16) {
            out.push(char::from(DIGITS[(bits & 15) as usize]));
            bits >>= 4;
        }
        left = left.saturating_sub(16);
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    fn render(text: &str, seed: u64) -> String {
        let mut out = String::new();
        Pattern::parse(text).unwrap().render(
            &mut Values {
                id: "the-id",
                seq: 7,
                now: Timestamp::from_millisecond(1_700_000_000_250).unwrap(),
                random: &mut SmallRng::seed_from_u64(seed),
            },
            &mut out,
        );
        out
    }

    #[test]
    fn placeholders_become_their_values() {
        assert_eq!(
            render("{{id}} {{now}} {{ now_unix }} {{seq}}", 1),
            "the-id 2023-11-14T22:13:20.250Z 1700000000 7"
        );
        assert_eq!(render("{{int 5 5}}{{choice only}}", 1), "5only");
        assert_eq!(render(r#"{"a":{"n":{{seq}}}}"#, 1), r#"{"a":{"n":7}}"#);
    }

    #[test]
    fn random_values_keep_their_form_and_repeat_with_the_seed() {
        let text = "{{uuid}} {{hex 24}} {{int -3 3}} {{choice a|b c}}";
        for seed in 0..200 {
            let out = render(text, seed);
            assert_eq!(out, render(text, seed));
            let parts: Vec<_> = out.splitn(4, ' ').collect();
            assert_eq!(uuid::Uuid::parse_str(parts[0]).unwrap().get_version_num(), 4);
            assert!(parts[1].len() == 24 && parts[1].bytes().all(|b| b.is_ascii_hexdigit()));
            assert!((-3..=3).contains(&parts[2].parse::<i64>().unwrap()));
            assert!(["a", "b c"].contains(&parts[3]));
        }
        assert_ne!(render(text, 1), render(text, 2));
        assert_eq!(render("{{hex 17}}", 3).len(), 17);
        assert_ne!(render("{{uuid}}", 3), render("{{uuid}}{{uuid}}", 3)[36..]);
    }

    #[test]
    fn a_wrong_placeholder_is_named_with_its_reason() {
        for (text, named, reason) in [
            ("a {{uid}} b", "{{uid}}", "no such placeholder"),
            ("{{uuid 4}}", "{{uuid 4}}", "no argument"),
            ("{{int 5}}", "{{int 5}}", "two whole numbers"),
            ("{{int 5 1}}", "{{int 5 1}}", "the smaller first"),
            ("{{int a b}}", "{{int a b}}", "two whole numbers"),
            ("{{choice}}", "{{choice}}", "options"),
            ("{{hex 0}}", "{{hex 0}}", "from 1 to 4096"),
            ("{{hex 99999}}", "{{hex 99999}}", "from 1 to 4096"),
            ("x {{uuid\nmore", "{{uuid", "not closed"),
        ] {
            let error = Pattern::parse(text).unwrap_err();
            assert_eq!(error.text, named);
            assert!(error.reason.contains(reason), "{}", error.reason);
        }
    }

    #[test]
    fn minified_json_keeps_every_character_of_its_strings() {
        let pattern = Pattern::parse("{ \"a b\": \"x \\\" y {{choice p q|r}} z\",\n  \"n\" : {{int 1 1}} }").unwrap();
        let mut out = String::new();
        let mut random = SmallRng::seed_from_u64(1);
        let mut values = Values {
            id: "",
            seq: 0,
            now: Timestamp::UNIX_EPOCH,
            random: &mut random,
        };
        pattern.minify_json().render_choice(&mut values, 0, &mut out);
        assert_eq!(out, r#"{"a b":"x \" y p q z","n":1}"#);
    }
}

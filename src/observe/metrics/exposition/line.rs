//! One line of a metrics page, taken apart: the head (name and labels), the value, and what may
//! follow it. Blanks are spaces and tabs, and may stand wherever the format's own parsers take them.

use std::borrow::Cow;

/// Why a line could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Flaw {
    #[error("no name")]
    NoName,
    #[error("a label has no name")]
    NoLabelName,
    #[error("a label has no quoted value")]
    NoLabelValue,
    #[error("labels are not separated by commas")]
    NoComma,
    #[error("a label stands twice")]
    LabelTwice,
    #[error("a quote is not closed")]
    OpenQuote,
    #[error("the braces are not closed")]
    OpenBraces,
    #[error("no value")]
    NoValue,
    #[error("the value is not a number")]
    BadValue,
    #[error("the timestamp is not a number")]
    BadTimestamp,
    #[error("text after the sample")]
    TrailingText,
    #[error("not UTF-8")]
    NotUtf8,
    #[error("longer than 64 KiB")]
    TooLong,
    #[error("the same series again: the first counts")]
    Repeated,
    #[error("prometheus-parse reads it differently")]
    Misread,
}

/// What stands before a sample's value.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head<'a> {
    /// The name, unescaped.
    pub(super) name: Cow<'a, str>,
    /// Labels in the page's order, unescaped.
    pub(super) labels: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// Where it ends: behind the closing brace, or behind the name where there is none.
    pub(super) len: usize,
}

pub(super) const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// `text` without blanks at its start.
pub(super) fn skip_blanks(text: &[u8]) -> &[u8] {
    let at = text.iter().position(|&b| !is_blank(b)).unwrap_or(text.len());
    &text[at..]
}

/// `line` without blanks at both ends and without a carriage return.
pub(super) fn trim(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let end = line.iter().rposition(|&b| !is_blank(b)).map_or(0, |at| at + 1);
    skip_blanks(&line[..end])
}

/// A position in a line.
struct Scan<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scan<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn accept(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn blanks(&mut self) {
        while self.peek().is_some_and(is_blank) {
            self.at += 1;
        }
    }

    /// What stands before the next of `stops`, which are ASCII.
    fn word(&mut self, stops: &[u8]) -> &'a str {
        let rest = &self.text[self.at..];
        let len = rest.bytes().position(|b| stops.contains(&b)).unwrap_or(rest.len());
        self.at += len;
        &rest[..len]
    }

    /// What stands between the quote here and the next unescaped one, unescaped.
    fn quoted(&mut self) -> Result<Cow<'a, str>, Flaw> {
        let start = self.at + 1;
        let mut at = start;
        let mut escaped = false;
        loop {
            let rest = &self.text.as_bytes()[at..];
            let step = memchr::memchr2(b'"', b'\\', rest).ok_or(Flaw::OpenQuote)?;
            at += step;
            if rest[step] == b'"' {
                break;
            }
            escaped = true;
            // What an escape escapes is skipped; a line cannot end inside one.
            at += 2;
            if at > self.text.len() {
                return Err(Flaw::OpenQuote);
            }
        }
        self.at = at + 1;
        let raw = &self.text[start..at];
        Ok(if escaped { unescape(raw) } else { Cow::Borrowed(raw) })
    }
}

/// Resolves `\\`, `\"` and `\n`; any other escape stays as it is, so that nothing is lost.
fn unescape(raw: &str) -> Cow<'_, str> {
    let mut out = String::with_capacity(raw.len());
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => out.push('\n'),
            Some(same @ ('"' | '\\')) => out.push(same),
            other => {
                out.push('\\');
                out.extend(other);
            }
        }
    }
    Cow::Owned(out)
}

/// Reads the head of a sample line: `name`, `name{label="value",…}` or `{"name",label="value",…}`.
pub(super) fn head(line: &str) -> Result<Head<'_>, Flaw> {
    let mut scan = Scan { text: line, at: 0 };
    let mut name = Cow::Borrowed(scan.word(b" \t{"));
    let mut labels = Vec::new();
    let mut len = scan.at;
    scan.blanks();
    if scan.accept(b'{') {
        loop {
            scan.blanks();
            if scan.accept(b'}') {
                break;
            }
            let quoted = scan.peek() == Some(b'"');
            let key = if quoted {
                scan.quoted()?
            } else {
                Cow::Borrowed(scan.word(b" \t=,{}\""))
            };
            scan.blanks();
            if scan.accept(b'=') {
                if key.is_empty() {
                    return Err(Flaw::NoLabelName);
                }
                scan.blanks();
                if scan.peek() != Some(b'"') {
                    return Err(Flaw::NoLabelValue);
                }
                labels.push((key, scan.quoted()?));
            } else if quoted && name.is_empty() && labels.is_empty() {
                name = key;
            } else if scan.peek().is_none() {
                return Err(Flaw::OpenBraces);
            } else if key.is_empty() {
                return Err(Flaw::NoLabelName);
            } else {
                return Err(Flaw::NoLabelValue);
            }
            scan.blanks();
            match scan.peek() {
                Some(b',') => scan.at += 1,
                Some(b'}') => {}
                Some(_) => return Err(Flaw::NoComma),
                None => return Err(Flaw::OpenBraces),
            }
        }
        len = scan.at;
    }
    if name.is_empty() {
        return Err(Flaw::NoName);
    }
    let mut keys: Vec<&str> = labels.iter().map(|(key, _)| &**key).collect();
    keys.sort_unstable();
    if keys.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(Flaw::LabelTwice);
    }
    Ok(Head { name, labels, len })
}

/// Where the head of a line ends, quotes respected, without reading it: equal to [`Head::len`]
/// for every line that [`head`] reads.
pub(super) fn head_len(line: &[u8]) -> Option<usize> {
    let name = name_len(line);
    let rest = skip_blanks(&line[name..]);
    if rest.first() != Some(&b'{') {
        return (name > 0).then_some(name);
    }
    let mut at = line.len() - rest.len() + 1;
    let mut quoted = false;
    loop {
        let rest = &line[at..];
        let step = if quoted {
            memchr::memchr2(b'"', b'\\', rest)?
        } else {
            memchr::memchr2(b'"', b'}', rest)?
        };
        at += step + 1;
        match rest[step] {
            b'}' => return Some(at),
            b'"' => quoted = !quoted,
            _ => at += 1,
        }
        if at > line.len() {
            return None;
        }
    }
}

/// Length of the bare name that a line begins with.
pub(super) fn name_len(line: &[u8]) -> usize {
    memchr::memchr3(b'{', b' ', b'\t', line).unwrap_or(line.len())
}

/// The name of a line that begins with a brace: `{"name",…}`.
pub(super) fn quoted_name(line: &str) -> Option<Cow<'_, str>> {
    let mut scan = Scan { text: line, at: 0 };
    if !scan.accept(b'{') {
        return None;
    }
    scan.blanks();
    if scan.peek() != Some(b'"') {
        return None;
    }
    let name = scan.quoted().ok()?;
    scan.blanks();
    (scan.peek() != Some(b'=')).then_some(name)
}

/// The value of a sample, from what stands behind its head. A timestamp and an exemplar may follow.
pub(super) fn value(rest: &[u8]) -> Result<&str, Flaw> {
    let (value, rest) = token(rest);
    if value.is_empty() || value[0] == b'#' {
        return Err(Flaw::NoValue);
    }
    let rest = skip_blanks(rest);
    if !rest.is_empty() && rest[0] != b'#' {
        let (timestamp, rest) = token(rest);
        number(std::str::from_utf8(timestamp).map_err(|_| Flaw::NotUtf8)?).map_err(|_| Flaw::BadTimestamp)?;
        let rest = skip_blanks(rest);
        if !rest.is_empty() && rest[0] != b'#' {
            return Err(Flaw::TrailingText);
        }
    }
    std::str::from_utf8(value).map_err(|_| Flaw::NotUtf8)
}

fn token(text: &[u8]) -> (&[u8], &[u8]) {
    let text = skip_blanks(text);
    text.split_at(text.iter().position(|&b| is_blank(b)).unwrap_or(text.len()))
}

/// A value as prometheus-parse reads it: a decimal number, `NaN`, `Inf`, in any case.
pub(super) fn number(text: &str) -> Result<f64, Flaw> {
    text.parse().map_err(|_| Flaw::BadValue)
}

/// A comment that tells something: `# TYPE name kind`, or `# EOF`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Comment<'a> {
    Type { name: Cow<'a, str>, kind: &'a str },
    End,
    Other,
}

/// Reads a line that begins with `#`.
pub(super) fn comment(line: &[u8]) -> Comment<'_> {
    let (keyword, rest) = token(line.get(1..).unwrap_or_default());
    match keyword {
        b"EOF" if skip_blanks(rest).is_empty() => Comment::End,
        b"TYPE" => {
            let Ok(rest) = std::str::from_utf8(skip_blanks(rest)) else {
                return Comment::Other;
            };
            let mut scan = Scan { text: rest, at: 0 };
            let name = if scan.peek() == Some(b'"') {
                match scan.quoted() {
                    Ok(name) => name,
                    Err(_) => return Comment::Other,
                }
            } else {
                Cow::Borrowed(scan.word(b" \t"))
            };
            scan.blanks();
            let kind = scan.word(b" \t");
            if name.is_empty() || kind.is_empty() {
                return Comment::Other;
            }
            Comment::Type { name, kind }
        }
        _ => Comment::Other,
    }
}

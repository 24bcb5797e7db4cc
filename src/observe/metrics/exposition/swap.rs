//! The hand-over to prometheus-parse. Version 0.2.5 drops or corrupts lines whose label values
//! hold `{ } , = \ "` or whose names hold `:` or anything outside ASCII, and what a page may do
//! with blanks and commas besides. So it gets each line in the one form that it reads exactly:
//! label values swapped for numbers, odd names swapped for tokens. They are swapped back here.

use std::borrow::Cow;
use std::fmt::Write as _;

use prometheus_parse::{Scrape, Value};

use super::line::{self, Flaw, Head};

/// What stands for a name that the parser cannot read.
const ODD: &str = "odd";

/// A name that the parser reads as it is.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Has a line parsed that [`super::line`] has taken apart: indices into `head.labels` in the order of the label names, and the value.
///
/// No `# TYPE` line is ever handed over: with one, the parser would fold buckets together and
/// return them in random order.
pub(super) fn parse(head: &Head<'_>, value: &str) -> Result<(Vec<usize>, f64), Flaw> {
    // The parser would take what stands before a blank that is not ASCII.
    let expected = line::number(value)?;
    let name = if is_plain(&head.name) { &*head.name } else { ODD };
    let keys: Vec<Cow<'_, str>> = head
        .labels
        .iter()
        .enumerate()
        .map(|(i, (key, _))| {
            if is_plain(key) {
                Cow::Borrowed(&**key)
            } else {
                Cow::Owned(format!("{ODD}:{i}"))
            }
        })
        .collect();
    let mut line = String::with_capacity(name.len() + 16 * keys.len() + value.len() + 3);
    line.push_str(name);
    for (i, key) in keys.iter().enumerate() {
        let open = if i == 0 { '{' } else { ',' };
        let written = write!(line, "{open}{key}=\"{i}\"");
        debug_assert!(written.is_ok(), "writing to a String does not fail");
    }
    line.push_str(if keys.is_empty() { " " } else { "} " });
    line.push_str(value);

    let parsed = Scrape::parse(std::iter::once(Ok(line))).map_err(|_| Flaw::Misread)?;
    let [sample] = &parsed.samples[..] else {
        return Err(Flaw::Misread);
    };
    let Value::Untyped(number) = sample.value else {
        return Err(Flaw::Misread);
    };
    if number.total_cmp(&expected).is_ne() && !(number.is_nan() && expected.is_nan()) {
        return Err(Flaw::Misread);
    }
    let mut order = Vec::with_capacity(keys.len());
    for (key, token) in sample.labels.iter() {
        match token.parse::<usize>() {
            Ok(i) if keys.get(i).is_some_and(|handed| handed == key) => order.push(i),
            _ => return Err(Flaw::Misread),
        }
    }
    if sample.metric != name || order.len() != keys.len() {
        return Err(Flaw::Misread);
    }
    order.sort_unstable_by(|&a, &b| head.labels[a].0.cmp(&head.labels[b].0));
    Ok((order, number))
}

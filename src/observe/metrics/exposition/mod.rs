//! The exposition formats (Prometheus text 0.0.4 and `OpenMetrics`), as a front end around
//! prometheus-parse.
//!
//! A page is read as it arrives, line by line. Lines of families that nobody wants are dropped
//! by their name. A wanted line whose head (name and labels) stood at the same place on the
//! last page is known: only its value is read, and the page shares the last page's layout. Any
//! other head goes through prometheus-parse once, in the form that it reads exactly
//! (`swap`), and is remembered.
//!
//! Where a page says something twice, the first counts, as in Prometheus: a series, a label, a type.

mod draft;
mod kind;
mod line;
mod swap;
mod wanted;

use std::collections::BTreeMap;
use std::sync::Arc;

use self::draft::Draft;
use self::line::{Comment, Flaw};
pub use self::wanted::Wanted;
use crate::sample::Layout;

/// Series of one target beyond which further lines are left out.
pub const SERIES_LIMIT: usize = 50_000;

/// Longest line that is read, bytes.
const LINE_LIMIT: usize = 64 << 10;

/// What a page said.
#[derive(Clone, Debug)]
pub struct Page {
    /// What the values mean, by position. The same `Arc` while the series stay the same.
    pub layout: Arc<Layout>,
    /// One value per series.
    pub values: Vec<f64>,
    /// Lines of wanted families that could not be read.
    pub skipped: u64,
    /// The first of them and why, made safe and cut.
    pub first_skipped: Option<String>,
    /// Series left out because of the limit.
    pub left_out: u64,
    /// Families on the page, wanted or not: those declared, or where none is, those seen.
    pub families: u64,
    /// Whether a wanted family was declared or had a line.
    pub found: bool,
    /// Whether the page ended with `OpenMetrics`' `# EOF`.
    pub ended: bool,
}

/// What a wanted line of the last page meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    /// The series at this position of the layout.
    Series(u32),
    /// The same series again.
    Repeat(u32),
    /// A `# TYPE` line.
    Kind,
    /// Nothing that could be read.
    Unreadable(Flaw),
}

/// A wanted line of the last page: its head if it is a sample, else the whole of it.
#[derive(Clone, Copy, Debug)]
struct KnownLine {
    /// Its length, bytes.
    len: u32,
    /// A hash of its text under a key of this process, which nobody else knows: half a million
    /// series need not be kept as text as well.
    hash: u64,
    meaning: Meaning,
}

/// What the last page looked like.
#[derive(Debug)]
struct Known {
    lines: Vec<KnownLine>,
    /// The texts of lines that mean no series, by their place among the lines.
    texts: BTreeMap<u32, Box<[u8]>>,
    /// How many of the lines are samples, readable or not.
    samples: usize,
    layout: Arc<Layout>,
    skipped: u64,
    first_skipped: Option<String>,
}

impl Known {
    fn nothing() -> Self {
        Self {
            lines: Vec::new(),
            texts: BTreeMap::new(),
            samples: 0,
            layout: Arc::new(Layout::new(Vec::new())),
            skipped: 0,
            first_skipped: None,
        }
    }

    /// The text of line `index`, where it means no series.
    fn text(&self, index: usize) -> &[u8] {
        let text = u32::try_from(index).ok().and_then(|index| self.texts.get(&index));
        text.map_or(&[], |text| text)
    }
}

/// How far the current page has been read.
#[derive(Debug, Default)]
struct Progress {
    /// The beginning of a line whose end has not arrived.
    carry: Vec<u8>,
    /// Whether the rest of the carried line is thrown away.
    overlong: bool,
    /// Known lines that have come so far, in their order.
    matched: usize,
    /// Values of known series, by position.
    values: Vec<f64>,
    /// Set once the page differs from the last one.
    draft: Option<Draft>,
    left_out: u64,
    declared: u64,
    seen: u64,
    /// The last name that was not wanted: its lines come together.
    unwanted: Vec<u8>,
    found: bool,
    ended: bool,
}

/// Reads the pages of one target, one after the other.
#[derive(Debug)]
pub struct Reader {
    wanted: Arc<Wanted>,
    limit: usize,
    known: Known,
    page: Progress,
}

impl Reader {
    /// A reader that keeps the lines that `wanted` names, and at most `limit` of them.
    #[must_use]
    pub fn new(wanted: Arc<Wanted>, limit: usize) -> Self {
        Self {
            wanted,
            limit,
            known: Known::nothing(),
            page: Progress::default(),
        }
    }

    /// Begins a page. What was read of an unfinished one is forgotten.
    pub fn begin(&mut self) {
        self.page = Progress {
            values: vec![f64::NAN; self.known.layout.series.len()],
            carry: std::mem::take(&mut self.page.carry),
            unwanted: std::mem::take(&mut self.page.unwanted),
            ..Progress::default()
        };
        self.page.carry.clear();
        self.page.unwanted.clear();
    }

    /// Reads the next piece of the page; it may end anywhere.
    pub fn feed(&mut self, mut piece: &[u8]) {
        if !self.page.carry.is_empty() || self.page.overlong {
            let Some(end) = memchr::memchr(b'\n', piece) else {
                self.carry(piece);
                return;
            };
            self.carry(&piece[..end]);
            self.carried_line();
            piece = &piece[end + 1..];
        }
        while let Some(end) = memchr::memchr(b'\n', piece) {
            self.line(&piece[..end], end > LINE_LIMIT);
            piece = &piece[end + 1..];
        }
        self.carry(piece);
    }

    /// Ends the page. The final newline may be missing.
    pub fn finish(&mut self) -> Page {
        self.carried_line();
        if self.page.draft.is_none() && self.page.matched < self.known.lines.len() {
            self.diverge();
        }
        let mut page = std::mem::take(&mut self.page);
        if let Some(draft) = page.draft.take() {
            (self.known, page.values) = draft.finish(&self.known.layout);
        }
        Page {
            layout: self.known.layout.clone(),
            values: page.values,
            skipped: self.known.skipped,
            first_skipped: self.known.first_skipped.clone(),
            left_out: page.left_out,
            families: if page.declared > 0 { page.declared } else { page.seen },
            found: page.found,
            ended: page.ended,
        }
    }

    /// Keeps the beginning of a line, as much of it as is ever looked at.
    fn carry(&mut self, piece: &[u8]) {
        let room = LINE_LIMIT.saturating_sub(self.page.carry.len());
        self.page.overlong |= piece.len() > room;
        self.page.carry.extend_from_slice(&piece[..piece.len().min(room)]);
    }

    fn carried_line(&mut self) {
        let line = std::mem::take(&mut self.page.carry);
        let overlong = std::mem::take(&mut self.page.overlong);
        self.line(&line, overlong);
        self.page.carry = line;
        self.page.carry.clear();
    }

    /// Reads one line, without its newline.
    fn line(&mut self, line: &[u8], overlong: bool) {
        let line = line::trim(&line[..line.len().min(LINE_LIMIT)]);
        if line.is_empty() || (self.page.draft.is_none() && self.is_expected(line, overlong)) {
            return;
        }
        match line[0] {
            b'#' => self.comment(line),
            b'{' => {
                let name = std::str::from_utf8(line).ok().and_then(line::quoted_name);
                if name.is_some_and(|name| self.wanted.sample(name.as_bytes())) {
                    self.sample(line, overlong);
                }
            }
            _ => {
                let name = &line[..line::name_len(line)];
                if self.page.unwanted == name {
                    return;
                }
                self.page.seen += 1;
                if self.wanted.sample(name) {
                    self.page.unwanted.clear();
                    self.sample(line, overlong);
                } else {
                    self.page.unwanted.clear();
                    self.page.unwanted.extend_from_slice(name);
                }
            }
        }
    }

    /// Whether the line is the next one of the last page. If so, its value has been taken.
    fn is_expected(&mut self, line: &[u8], overlong: bool) -> bool {
        let Some(known) = self.known.lines.get(self.page.matched) else {
            return false;
        };
        let Some((head, rest)) = line.split_at_checked(known.len as usize) else {
            return false;
        };
        if self.wanted.hash(head) != known.hash {
            return false;
        }
        if overlong != (known.meaning == Meaning::Unreadable(Flaw::TooLong)) {
            return false;
        }
        match known.meaning {
            Meaning::Series(_) | Meaning::Repeat(_) => {
                // Behind a bare name, anything but a blank would belong to another name.
                if head.last() != Some(&b'}') && !rest.first().copied().is_some_and(line::is_blank) {
                    return false;
                }
                let Ok(value) = line::value(rest).and_then(line::number) else {
                    return false;
                };
                if let Meaning::Series(position) = known.meaning {
                    self.page.values[position as usize] = value;
                }
            }
            Meaning::Kind if rest.is_empty() => self.page.declared += 1,
            Meaning::Unreadable(_) if rest.is_empty() => {}
            Meaning::Kind | Meaning::Unreadable(_) => return false,
        }
        self.page.matched += 1;
        self.page.found = true;
        true
    }

    fn comment(&mut self, line: &[u8]) {
        match line::comment(line) {
            Comment::End => self.page.ended = true,
            Comment::Type { name, kind } => {
                self.page.declared += 1;
                if self.wanted.family(name.as_bytes()) {
                    self.page.found = true;
                    if !self.is_full() {
                        self.diverge().declare(line, &name, kind);
                    }
                }
            }
            Comment::Other => {}
        }
    }

    /// Takes a wanted sample line that the last page did not have at this place.
    fn sample(&mut self, line: &[u8], overlong: bool) {
        self.page.found = true;
        if self.is_full() {
            self.page.left_out += 1;
            return;
        }
        self.diverge();
        let Some(draft) = &mut self.page.draft else {
            return;
        };
        if overlong {
            draft.refuse(line, Flaw::TooLong);
        } else {
            draft.sample(line, &self.known);
        }
    }

    /// Whether the limit is reached: what comes now is left out.
    fn is_full(&self) -> bool {
        match &self.page.draft {
            Some(draft) => draft.is_full(self.limit),
            None => self.page.matched == self.known.lines.len() && self.known.samples >= self.limit,
        }
    }

    /// From here on the page is not the last one.
    fn diverge(&mut self) -> &mut Draft {
        let page = &mut self.page;
        page.draft
            .get_or_insert_with(|| Draft::resume(&self.wanted, &self.known, page.matched, &page.values))
    }
}

#[cfg(test)]
mod tests;

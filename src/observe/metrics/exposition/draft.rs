//! A page that differs from the last one, on its way to become the known one.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use super::kind::Declarations;
use super::line::{self, Comment, Flaw};
use super::wanted::Wanted;
use super::{Known, KnownLine, LINE_LIMIT, Meaning, swap};
use crate::base::text;
use crate::sample::{Layout, SeriesId, SeriesKind};

/// Columns of an unreadable line that are quoted.
const QUOTED: usize = 120;

/// A page in the making. [`Meaning::Series`] counts [`Draft::series`] here, not a layout.
#[derive(Debug)]
pub(super) struct Draft {
    text: Vec<u8>,
    lines: Vec<KnownLine>,
    samples: usize,
    /// Series in the page's order; their kinds are settled at the end, when every type is known.
    series: Vec<(Arc<SeriesId>, f64)>,
    declarations: Declarations,
    skipped: u64,
    /// The first unreadable line: its index and what is said of it.
    first_skipped: Option<(usize, String)>,
    strings: HashSet<Arc<str>>,
    /// Sample lines of the last page by the hash of their heads, made when first needed.
    index: Option<HashMap<u64, u32>>,
    hasher: RandomState,
}

impl Draft {
    /// A page that began with the first `matched` lines of `known`, with these values by
    /// position in its layout.
    pub(super) fn resume(known: &Known, matched: usize, values: &[f64]) -> Self {
        let mut draft = Self {
            text: Vec::with_capacity(known.text.len()),
            lines: Vec::with_capacity(known.lines.len()),
            samples: 0,
            series: Vec::with_capacity(known.layout.series.len()),
            declarations: Declarations::default(),
            skipped: 0,
            first_skipped: None,
            strings: HashSet::new(),
            index: None,
            hasher: RandomState::new(),
        };
        for index in 0..matched {
            let text = known.line(index);
            match known.lines[index].meaning {
                Meaning::Kind => {
                    if let Comment::Type { name, kind } = line::comment(text) {
                        draft.declare(text, &name, kind);
                    }
                }
                // The value of a repetition is of no interest: the first counts.
                Meaning::Series(position) | Meaning::Repeat(position) => {
                    let position = position as usize;
                    draft.accept(text, known.layout.series[position].clone(), values[position]);
                }
                Meaning::Unreadable(flaw) => draft.refuse(text, flaw),
            }
        }
        draft
    }

    /// Whether `limit` lines have been taken, or as much text as can be counted.
    pub(super) fn is_full(&self, limit: usize) -> bool {
        self.samples >= limit || self.text.len() + LINE_LIMIT > u32::MAX as usize
    }

    /// Takes a `# TYPE` line.
    pub(super) fn declare(&mut self, line: &[u8], family: &str, kind: &str) {
        self.declarations.add(family, kind);
        self.push(line, Meaning::Kind);
    }

    /// Takes a sample line.
    pub(super) fn sample(&mut self, line: &[u8], known: &Known) {
        if let Err(flaw) = self.read(line, known) {
            self.refuse(line, flaw);
        }
    }

    /// Takes a line that cannot be read.
    pub(super) fn refuse(&mut self, line: &[u8], flaw: Flaw) {
        self.note_skipped(self.lines.len(), line, flaw);
        self.samples += 1;
        self.push(line, Meaning::Unreadable(flaw));
    }

    fn read(&mut self, line: &[u8], known: &Known) -> Result<(), Flaw> {
        let len = line::head_len(line);
        if let Some((head, rest)) = len.and_then(|len| line.split_at_checked(len))
            && let Some(id) = self.recall(head, known)
        {
            let value = line::value(rest).and_then(line::number)?;
            self.accept(head, id, value);
            return Ok(());
        }
        let text = std::str::from_utf8(&line[..len.unwrap_or(line.len())]).map_err(|_| Flaw::NotUtf8)?;
        let head = line::head(text)?;
        let (order, value) = swap::parse(&head, line::value(&line[head.len..])?)?;
        let name = self.intern(&head.name);
        let labels = order
            .into_iter()
            .map(|i| (self.intern(&head.labels[i].0), self.intern(&head.labels[i].1)))
            .collect();
        let kind = SeriesKind::Untyped;
        self.accept(&line[..head.len], Arc::new(SeriesId { name, labels, kind }), value);
        Ok(())
    }

    /// The series that a head meant on the last page.
    fn recall(&mut self, head: &[u8], known: &Known) -> Option<Arc<SeriesId>> {
        let index = self.index.get_or_insert_with(|| {
            let samples = |index: &usize| matches!(known.lines[*index].meaning, Meaning::Series(_));
            let hashed = |index: usize| Some((self.hasher.hash_one(known.line(index)), u32::try_from(index).ok()?));
            (0..known.lines.len()).filter(samples).filter_map(hashed).collect()
        });
        let at = *index.get(&self.hasher.hash_one(head))? as usize;
        match known.lines[at].meaning {
            Meaning::Series(position) if known.line(at) == head => Some(known.layout.series[position as usize].clone()),
            _ => None,
        }
    }

    /// Label names and values repeat all over a page: one copy is enough.
    fn intern(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.strings.get(text) {
            return known.clone();
        }
        let new: Arc<str> = text.into();
        self.strings.insert(new.clone());
        new
    }

    fn accept(&mut self, head: &[u8], id: Arc<SeriesId>, value: f64) {
        self.samples += 1;
        let number = count(self.series.len());
        self.series.push((id, value));
        self.push(head, Meaning::Series(number));
    }

    fn push(&mut self, text: &[u8], meaning: Meaning) {
        self.text.extend_from_slice(text);
        let end = count(self.text.len());
        self.lines.push(KnownLine { end, meaning });
    }

    fn note_skipped(&mut self, index: usize, line: &[u8], flaw: Flaw) {
        self.skipped += 1;
        if self.first_skipped.as_ref().is_none_or(|(first, _)| *first > index) {
            let line = String::from_utf8_lossy(line);
            let quoted = text::safe(&line);
            self.first_skipped = Some((index, format!("{flaw}: {}", text::cut(&quoted, QUOTED))));
        }
    }

    /// The finished page and its values. The last page's layout is kept when the series are the same.
    pub(super) fn finish(mut self, wanted: &Wanted, previous: &Arc<Layout>) -> (Known, Vec<f64>) {
        let mut drawn = Vec::with_capacity(self.series.len());
        let mut sorted: Vec<(Arc<SeriesId>, usize)> = Vec::with_capacity(self.series.len());
        let mut shared = wanted.shared();
        for (number, (mut id, value)) in self.series.drain(..).enumerate() {
            let kind = self.declarations.kind(&id, wanted);
            if id.kind != kind {
                Arc::make_mut(&mut id).kind = kind;
            }
            sorted.push((shared.share(id), number));
            drawn.push(value);
        }
        drop(shared);
        // Stable: of a series that stands twice, the first comes first.
        sorted.sort_by(|(a, _), (b, _)| a.cmp(b));
        let mut meanings = vec![Meaning::Kind; drawn.len()];
        let mut series: Vec<Arc<SeriesId>> = Vec::with_capacity(drawn.len());
        let mut values = Vec::with_capacity(drawn.len());
        for (id, number) in sorted {
            if series.last() == Some(&id) {
                meanings[number] = Meaning::Repeat(count(series.len() - 1));
            } else {
                meanings[number] = Meaning::Series(count(series.len()));
                series.push(id);
                values.push(drawn[number]);
            }
        }
        series.shrink_to_fit();
        let layout = Layout::of(series);
        let same = layout.hash == previous.hash && layout.series == previous.series;
        let mut known = Known {
            text: std::mem::take(&mut self.text),
            lines: std::mem::take(&mut self.lines),
            samples: self.samples,
            layout: if same { previous.clone() } else { Arc::new(layout) },
            skipped: 0,
            first_skipped: None,
        };
        for index in 0..known.lines.len() {
            if let Meaning::Series(number) = known.lines[index].meaning {
                let meaning = meanings[number as usize];
                known.lines[index].meaning = meaning;
                if matches!(meaning, Meaning::Repeat(_)) {
                    self.note_skipped(index, known.line(index), Flaw::Repeated);
                }
            }
        }
        known.skipped = self.skipped;
        known.first_skipped = self.first_skipped.map(|(_, said)| said);
        known.text.shrink_to_fit();
        known.lines.shrink_to_fit();
        (known, values)
    }
}

/// A number of bytes or series as it is stored.
#[expect(clippy::expect_used, reason = "`Draft::is_full` stops in time")]
fn count(number: usize) -> u32 {
    u32::try_from(number).expect("invariant: a draft is full before it holds 4 GiB")
}

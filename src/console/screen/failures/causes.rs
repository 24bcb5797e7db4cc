//! Failures by their cause: numbers, ids and times taken out, so that alike ones are one row.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::super::Scene;
use crate::base::cause::cause;
use crate::base::time::Timestamp;
use crate::console::glyph::Glyphs;
use crate::console::theme::Role;
use crate::console::widget::grid::{Rows, Value, plain};
use crate::console::widget::span;
use crate::console::widget::table::{Cell, Column};
use crate::model::field::Unit;
use crate::model::{Event, EventKind, FailureGroup, Provider, Severity, View, letters};

const COLUMNS: [Column; 4] = [
    Column::number("count", 7, 0),
    Column::name("cause", 32),
    Column::text("last", 9, 1),
    Column {
        rank: 2,
        ..Column::name("latest example", 28)
    },
];

struct Group<'a> {
    cause: Cow<'a, str>,
    count: u64,
    last: Option<Timestamp>,
    example: Example<'a>,
}

/// The latest one of a group: something that happened here, a row of Postgres, a letter; or what a
/// counter tells, which knows of no single one.
enum Example<'a> {
    Event(&'a Event),
    Row(&'a FailureGroup),
    Letter(&'a letters::Group),
    Counted(&'static str),
}

/// The key of a row of letters begins with this.
const LETTERS: &str = "letters ";
/// The cause of letters that nobody has read yet.
const UNREAD: &str = "letters died: screen 5 reads why";

impl Example<'_> {
    fn text(&self, gap: &str) -> String {
        match self {
            Self::Event(event) => [event.text.as_str(), event.detail.as_str()].join(gap),
            Self::Row(row) if row.others > 0 => {
                format!("{} and {} more{gap}{}", row.about, row.others, row.example)
            }
            Self::Row(row) => format!("{}{gap}{}", row.about, row.example),
            Self::Letter(group) => format!("dead letter {}{gap}enter shows them", group.example),
            Self::Counted(says) => (*says).to_owned(),
        }
    }
}

/// Groups of events that tell of something that failed, and of the failures that Postgres tells.
pub(super) struct List<'a> {
    scene: Scene<'a>,
    groups: Vec<Group<'a>>,
}

/// Where a row is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// Something that happened.
    Event,
    /// Dead letters.
    Letters,
    /// A counter, or a row of Postgres.
    Counted,
}

/// Why there is no row.
pub(super) fn nothing(scene: &Scene<'_>) -> &'static str {
    let fails = |provider: &Provider| provider.error_ratio.value.is_some_and(|ratio| ratio > 0.0);
    if scene.view.providers.iter().any(fails) {
        "Failures are counted above, and nothing tells their causes."
    } else {
        "Nothing has failed since the start."
    }
}

impl<'a> List<'a> {
    /// Where the row with this key is from; `None`: there is none.
    pub(super) fn source(&self, key: &str) -> Option<Source> {
        let at = (0..self.groups.len()).find(|at| self.key(*at) == key)?;
        Some(match self.groups[at].example {
            Example::Event(event) if event.tells_letters() => Source::Letters,
            Example::Event(_) => Source::Event,
            Example::Letter(_) => Source::Letters,
            Example::Row(_) | Example::Counted(_) => Source::Counted,
        })
    }

    pub(super) fn new(scene: Scene<'a>) -> Self {
        let letters = scene.view.letter_groups.as_deref();
        let mut groups: BTreeMap<String, Group<'a>> = BTreeMap::new();
        for event in &scene.view.events {
            let tells = event.severity > Severity::Info && event.kind != EventKind::Verdict;
            let died = event.tells_letters();
            // Letters that were read tell their causes themselves.
            if !tells || (died && letters.is_some()) {
                continue;
            }
            let cause = match event.detail.as_str() {
                _ if died => UNREAD.to_owned(),
                "" => cause(&event.text),
                detail => cause(detail),
            };
            let group = groups.entry(cause.clone()).or_insert(Group {
                cause: cause.into(),
                count: 0,
                last: Some(event.at),
                example: Example::Event(event),
            });
            group.count = group.count.saturating_add(event.count);
            if Some(event.at) >= group.last {
                (group.last, group.example) = (Some(event.at), Example::Event(event));
            }
        }
        let told = scene.view.failures.iter().map(|row| Group {
            cause: row.kind.as_str().into(),
            count: row.count,
            last: row.last_at,
            example: Example::Row(row),
        });
        let died = letters.unwrap_or_default().iter().map(|group| Group {
            cause: (&*group.key).into(),
            count: group.count,
            last: group.last,
            example: Example::Letter(group),
        });
        Self {
            scene,
            groups: groups
                .into_values()
                .chain(told)
                .chain(died)
                .chain(counted(scene.view))
                .collect(),
        }
    }
}

/// What the gateways count as turned away: no event tells of each.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counters are whole and not negative; `as` saturates"
)]
fn counted<'a>(view: &View) -> impl Iterator<Item = Group<'a>> {
    let flow = &view.flow;
    let told = [
        (
            &flow.refused_total,
            "refused by the gateway with 4xx",
            "counted since the start: wrong signature, form or size",
        ),
        (
            &flow.unconfirmed_total,
            "not confirmed by the stream",
            "counted since the start: no PubAck, answered with 503",
        ),
    ];
    told.into_iter().filter_map(|(total, cause, says)| {
        let count = total.value.filter(|count| *count >= 1.0)?;
        Some(Group {
            cause: cause.into(),
            count: count as u64,
            last: None,
            example: Example::Counted(says),
        })
    })
}

impl Rows for List<'_> {
    fn columns(&self) -> &'static [Column] {
        &COLUMNS
    }

    fn count(&self) -> usize {
        self.groups.len()
    }

    /// The key of its latest example on the Events screen.
    fn key(&self, row: usize) -> Cow<'_, str> {
        match &self.groups[row].example {
            Example::Event(example) => format!("{} {}", example.at, example.text).into(),
            Example::Row(row) => format!("{} {}", row.relation, row.kind).into(),
            Example::Letter(group) => format!("{LETTERS}{}", group.key).into(),
            Example::Counted(_) => Cow::Borrowed(&*self.groups[row].cause),
        }
    }

    fn value(&self, row: usize, column: usize) -> Value<'_> {
        let group = &self.groups[row];
        match column {
            0 => Value::Number(group.count as f64, Unit::Count),
            1 => Value::text(&*group.cause),
            2 => group.last.map_or(Value::Unknown, Value::At),
            _ => Value::text(group.example.text(" ")),
        }
    }

    fn cell(&self, row: usize, column: usize, _: &Glyphs) -> Cell<'_> {
        let group = &self.groups[row];
        match (column, group.last) {
            (0, _) => Cell::Text(vec![span(Unit::Count.format(group.count as f64), Role::Critical)]),
            (1, _) => Cell::Text(vec![span(&*group.cause, Role::Strong)]),
            (2, Some(last)) => Cell::Text(vec![span(self.scene.zone().clock(last), Role::Dim)]),
            (3, _) => Cell::Text(vec![span(group.example.text("   "), Role::Dim)]),
            _ => plain(self.value(row, column)),
        }
    }

    fn sorted(&self) -> Option<(&'static str, bool)> {
        Some(("count", true))
    }
}

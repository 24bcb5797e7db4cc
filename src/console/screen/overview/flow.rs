//! The five hops of a webhook, and where the dead ones lie.

use ratatui::layout::Rect;

use super::super::{PanelId, Scene, Stage, status};
use super::staleness;
use crate::base::text;
use crate::base::time::since;
use crate::console::glyph::Glyphs;
use crate::console::theme::Role;
use crate::console::widget::{Frame, Line, figure, span};
use crate::model::field::{Field, Unit};
use crate::model::{Flow, Reading, Severity};

/// A place that a webhook passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hop {
    Received,
    Queued,
    Waiting,
    Processed,
    Written,
    Dead,
}

const HOPS: [Hop; 6] = [
    Hop::Received,
    Hop::Queued,
    Hop::Waiting,
    Hop::Processed,
    Hop::Written,
    Hop::Dead,
];

/// Shares of the width: the waiting ones have the most to say.
const SHARES: [u32; 6] = [18, 17, 22, 17, 16, 14];

/// Which hop a verdict is about: the hop takes its colour.
const CONCERNS: [(&str, Hop); 18] = [
    ("signature_failures", Hop::Received),
    ("provider_silent", Hop::Received),
    ("error_rate", Hop::Received),
    ("loss", Hop::Queued),
    ("storage_full", Hop::Queued),
    ("limit_eviction", Hop::Waiting),
    ("backlog_growing", Hop::Waiting),
    ("stalled", Hop::Waiting),
    ("saturated", Hop::Waiting),
    ("consumer_missing", Hop::Waiting),
    ("unmatched_messages", Hop::Waiting),
    ("no_workers", Hop::Processed),
    ("worker_inactive", Hop::Processed),
    ("redelivery_storm", Hop::Processed),
    ("breaker_open", Hop::Processed),
    ("database_down", Hop::Written),
    ("database_slow", Hop::Written),
    ("parked_messages", Hop::Dead),
];

impl Hop {
    fn label(self, roomy: bool) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Queued => "queued",
            Self::Waiting => "waiting",
            Self::Processed if roomy => "processed",
            Self::Processed => "done",
            Self::Written => "written",
            Self::Dead if roomy => "dead letters",
            Self::Dead => "dead",
        }
    }

    /// The figure that stands for it.
    fn value(self, flow: &Flow) -> (&Reading, Field) {
        match self {
            Self::Received => (&flow.received_per_s, Field::ReceivedPerS),
            Self::Queued => (&flow.queued_per_s, Field::QueuedPerS),
            Self::Waiting => (&flow.backlog, Field::Backlog),
            Self::Processed => (&flow.processed_per_s, Field::ProcessedPerS),
            Self::Written => (&flow.written_per_s, Field::WrittenPerS),
            Self::Dead => (&flow.dead, Field::Dead),
        }
    }

    /// How it is: the worst verdict about it; letters that die are bad without any.
    fn severity(self, scene: &Scene<'_>) -> Option<Severity> {
        let of_hop = |id: &str| CONCERNS.iter().any(|(known, hop)| *known == id && *hop == self);
        let verdict = scene
            .view
            .verdicts
            .iter()
            .filter(|verdict| of_hop(&verdict.id))
            .map(|verdict| verdict.severity)
            .max();
        let dying = self == Self::Dead && scene.view.flow.dead_per_min.value.is_some_and(|rate| rate > 0.0);
        let dead = self == Self::Dead && scene.view.flow.dead.value.is_some_and(|dead| dead > 0.0);
        verdict
            .max(dying.then_some(Severity::Critical))
            .max(dead.then_some(Severity::Warning))
            .filter(|severity| *severity > Severity::Info)
    }

    fn tone(self, scene: &Scene<'_>) -> Role {
        match (self.severity(scene), self.value(&scene.view.flow).0) {
            (_, reading) if reading.is_stale() => Role::Stale,
            (_, reading) if reading.value.is_none() => Role::Unknown,
            (Some(Severity::Critical), _) => Role::Critical,
            (Some(_), _) => Role::Warning,
            (None, _) => Role::Ok,
        }
    }

    /// What is to be said below its figure, each in forms from the longest to the shortest.
    fn below(self, scene: &Scene<'_>, glyphs: &Glyphs, tone: Role) -> [Vec<Line<'static>>; 2] {
        let flow = &scene.view.flow;
        let quiet = if matches!(tone, Role::Warning | Role::Critical) {
            tone
        } else {
            Role::Dim
        };
        let value = self.value(flow).0;
        if let (true, Some(at)) = (value.is_stale(), value.at) {
            let age = status::whole(since(at, scene.view.now.at));
            let forms = vec![vec![span(format!("{} stale {age}", glyphs.stale), Role::Warning)]];
            return [forms, Vec::new()];
        }
        match self {
            Self::Received => [
                labelled("ack p99 ", &flow.response_p99_s, Unit::Seconds, Role::Dim),
                total(&flow.received_total),
            ],
            Self::Queued => {
                let lost = &flow.unconfirmed_total;
                let unconfirmed = if lost.value.is_some_and(|count| count > 0.0) {
                    Role::Warning
                } else {
                    Role::Dim
                };
                let mut first = labelled("unconfirmed ", lost, Unit::Count, unconfirmed);
                let refused = labelled("refused ", &flow.refused_total, Unit::Count, Role::Dim);
                // The worse of the two speaks where there is room for one.
                if unconfirmed == Role::Warning {
                    [first, refused]
                } else {
                    [refused, std::mem::take(&mut first)]
                }
            }
            Self::Waiting => waiting(flow, glyphs, quiet),
            Self::Processed => [
                labelled("batch p95 ", &flow.batch_p95_s, Unit::Seconds, Role::Dim),
                total(&flow.processed_total),
            ],
            Self::Written => [
                labelled("update p95 ", &flow.update_p95_s, Unit::Seconds, Role::Dim),
                total(&flow.written_total),
            ],
            Self::Dead => {
                let rate = &flow.dead_per_min;
                let mut long = vec![span(
                    if rate.value.is_some_and(|rate| rate > 0.0) {
                        format!("{} ", glyphs.up)
                    } else {
                        String::new()
                    },
                    quiet,
                )];
                long.extend(figure::figure(rate, Unit::PerMinute, quiet));
                [vec![long, figure::short(rate, Unit::PerMinute, quiet)], Vec::new()]
            }
        }
    }
}

/// Age of the oldest, slope, and when it will be over.
fn waiting(flow: &Flow, glyphs: &Glyphs, quiet: Role) -> [Vec<Line<'static>>; 2] {
    let mut slope = Line::new();
    let mut short_slope = Line::new();
    if let Some(rate) = flow.backlog_per_s.value.filter(|rate| rate.abs() >= 0.5) {
        let arrow = if rate > 0.0 { glyphs.up } else { glyphs.down };
        let role = figure::tone(&flow.backlog_per_s, quiet);
        slope = vec![span(format!("  {arrow} {}/s", text::per_second(rate.abs())), role)];
        short_slope = vec![span(format!(" {arrow}{}", text::compact(rate.abs())), role)];
    }
    let oldest = || figure::figure(&flow.oldest_waiting_s, Unit::Seconds, quiet);
    let joined = |head: &'static str, tail: &Line<'static>| {
        let mut line = vec![span(head, quiet)];
        line.extend(oldest());
        line.extend(tail.iter().cloned());
        line
    };
    let mut shortest = figure::short(&flow.oldest_waiting_s, Unit::Seconds, quiet);
    let without = shortest.clone();
    shortest.extend(short_slope.iter().cloned());
    let first = vec![
        joined("oldest ", &slope),
        joined("", &slope),
        joined("oldest ", &Line::new()),
        shortest,
        without,
    ];
    let eta = &flow.drain_eta_s;
    let second = if eta.value.is_some() {
        labelled("empty in ", eta, Unit::Seconds, Role::Dim)
    } else if flow.oldest_held_s.value.is_some() {
        labelled("oldest held ", &flow.oldest_held_s, Unit::Seconds, Role::Dim)
    } else {
        Vec::new()
    };
    [first, second]
}

/// `label value`, and the value alone where there is no room.
fn labelled(label: &'static str, reading: &Reading, unit: Unit, role: Role) -> Vec<Line<'static>> {
    let long = figure::figure(reading, unit, role);
    let short = figure::short(reading, unit, role);
    // The last word of a label says most of it: `p99` of `ack p99`.
    let tail = label.trim_end().rsplit(' ').next().unwrap_or(label);
    let with = |label: String, value: &Line<'static>| {
        let mut line = vec![span(label, if role == Role::Warning { role } else { Role::Dim })];
        line.extend(value.iter().cloned());
        line
    };
    vec![
        with(label.to_owned(), &long),
        with(format!("{tail} "), &long),
        with(format!("{tail} "), &short),
        short.clone(),
    ]
}

fn total(reading: &Reading) -> Vec<Line<'static>> {
    let mut line = figure::figure(reading, Unit::Count, Role::Dim);
    line.push(span(" in all", Role::Dim));
    vec![
        line,
        figure::figure(reading, Unit::Count, Role::Dim),
        figure::short(reading, Unit::Count, Role::Dim),
    ]
}

/// Draws the panel.
pub(super) fn draw(scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect, id: PanelId) {
    let frame = Frame {
        title: "Flow",
        note: note(scene),
        ..Frame::default()
    };
    let inner = stage.panel(scene, id, area, frame);
    let glyphs = stage.canvas.glyphs();
    let roomy = inner.width >= 90;
    let mut done = 0;
    let mut edges = [0; HOPS.len() + 1];
    for (edge, share) in edges.iter_mut().skip(1).zip(SHARES) {
        done += share;
        let columns = u32::from(inner.width) * done / SHARES.iter().sum::<u32>();
        *edge = u16::try_from(columns).unwrap_or(inner.width);
    }
    // One row of air above the figures where there is room for it.
    let top = inner.top() + inner.height.saturating_sub(4).min(1);
    for (hop, edge) in HOPS.into_iter().zip(edges.windows(2)) {
        let tone = hop.tone(scene);
        let last = hop == Hop::Dead;
        let (x, width) = (
            inner.left() + edge[0],
            (edge[1] - edge[0]).saturating_sub(if last { 0 } else { 2 }),
        );
        let label = stage.canvas.put(x, top, width, hop.label(roomy), Role::Dim);
        let mut used = label;
        if let (Some(severity), false) = (hop.severity(scene), matches!(tone, Role::Stale | Role::Unknown)) {
            let (glyph, role) = status::severity(severity, glyphs);
            stage.canvas.glyph(x + label + 1, top, glyph, role);
            used += 2;
        }
        let next_is_end = matches!(hop, Hop::Written | Hop::Dead);
        let shaft = width.saturating_sub(used + 2);
        if !next_is_end && shaft >= 2 {
            arrow(stage, x + used + 1, top, shaft + 1, glyphs);
        }
        let (reading, field) = hop.value(&scene.view.flow);
        let strong = if tone == Role::Ok { Role::Strong } else { tone };
        let forms = [
            figure::figure(reading, field.unit(), strong),
            figure::short(reading, field.unit(), strong),
        ];
        first_fit(stage, x, top + 1, width, &forms);
        for (forms, y) in hop.below(scene, glyphs, tone).iter().zip(top + 2..inner.bottom()) {
            first_fit(stage, x, y, width, forms);
        }
        if area.height >= 3 {
            underline(stage, area, (x, edge[1] - edge[0]), tone, last);
        }
    }
}

fn arrow(stage: &mut Stage<'_>, x: u16, y: u16, columns: u16, glyphs: &Glyphs) {
    for at in x..x + columns - 1 {
        stage.canvas.glyph(at, y, glyphs.arrow.0, Role::Border);
    }
    stage.canvas.glyph(x + columns - 1, y, glyphs.arrow.1, Role::Border);
}

/// The hop's state as a line in the lower frame; the dead stand apart from the flow.
fn underline(stage: &mut Stage<'_>, area: Rect, (x, width): (u16, u16), tone: Role, last: bool) {
    if tone == Role::Unknown {
        return;
    }
    let end = if last {
        (x + width).min(area.right() - 2)
    } else {
        x + width
    };
    let end = if last { end } else { end.min(area.right() - 2) };
    for at in x..end {
        stage
            .canvas
            .glyph(at, area.bottom() - 1, stage.canvas.glyphs().heavy, tone);
    }
}

fn first_fit(stage: &mut Stage<'_>, x: u16, y: u16, width: u16, forms: &[Line<'static>]) {
    let fits = forms.iter().find(|form| stage.canvas.width(form) <= width);
    if let Some(form) = fits.or(forms.last()) {
        stage.canvas.line(x, y, width, form);
    }
}

/// The next limit where one comes near, else over how long the rates are.
fn note(scene: &Scene<'_>) -> Line<'static> {
    let flow = &scene.view.flow;
    if let (Some(limit), Some(seconds)) = (&flow.limit, flow.limit_eta_s.value) {
        let role = if seconds < 1_800.0 { Role::Warning } else { Role::Note };
        let mut line = vec![span(format!("{limit} reached in "), role)];
        line.extend(figure::figure(&flow.limit_eta_s, Unit::Seconds, role));
        return line;
    }
    if let Some(stale) = staleness(
        scene,
        [
            &flow.received_per_s,
            &flow.backlog,
            &flow.processed_per_s,
            &flow.written_per_s,
        ],
    ) {
        return stale;
    }
    if scene.view.window_s > 0.0 {
        return vec![span(format!("rates over {:.0} s", scene.view.window_s), Role::Note)];
    }
    vec![span("waiting for the first rates", Role::Note)]
}

//! The five hops of a webhook, and where the dead ones lie.

use ratatui::layout::Rect;

use super::super::{PanelId, Scene, Spot, Stage, status};
use super::staleness;
use crate::base::text;
use crate::base::time::since;
use crate::console::command::Command;
use crate::console::glyph::Glyphs;
use crate::console::theme::Role;
use crate::console::widget::{Frame, Line, figure, span};
use crate::model::field::{Field, Unit};
use crate::model::{Flow, Reading, Severity};

/// A limit that is nearer than this is drawn as a warning, seconds.
const SOON: f64 = 1_800.0;

/// A limit that would be reached later than this is no news, seconds.
const FAR: f64 = 86_400.0;

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
    ("error_rate", Hop::Processed),
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
    /// Its name in forms from the longest to the shortest.
    fn labels(self) -> [&'static str; 2] {
        match self {
            Self::Received => ["received", "in"],
            Self::Queued => ["queued", "queued"],
            Self::Waiting => ["waiting", "waiting"],
            Self::Processed => ["processed", "done"],
            Self::Written => ["written", "written"],
            Self::Dead => ["dead letters", "dead"],
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

    /// The role of its figure. A rate is not what is wrong: only what piles up takes the colour
    /// of a warning; the others show it beside their name and below.
    fn value_role(self, tone: Role) -> Role {
        match (self, tone) {
            (_, Role::Ok) => Role::Strong,
            (Self::Waiting | Self::Dead, _) | (_, Role::Critical | Role::Stale | Role::Unknown) => tone,
            _ => Role::Strong,
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
            let form = |word: &str| vec![span(format!("{} {word}{age}", glyphs.stale), Role::Warning)];
            let forms = vec![form("stale "), form("")];
            return [forms, Vec::new()];
        }
        match self {
            Self::Received => [
                labelled(&["ack p99 ", "p99 "], &flow.response_p99_s, Unit::Seconds, Role::Dim),
                total(&flow.received_total),
            ],
            Self::Queued => {
                let lost = flow.unconfirmed_total.value.is_some_and(|count| count > 0.0);
                let role = if lost { Role::Warning } else { Role::Dim };
                let unconfirmed = labelled(
                    &["unconfirmed ", "unconf. "],
                    &flow.unconfirmed_total,
                    Unit::Count,
                    role,
                );
                let refused = labelled(&["refused ", "4xx "], &flow.refused_total, Unit::Count, Role::Dim);
                // The worse of the two speaks where there is room for one.
                if lost {
                    [unconfirmed, refused]
                } else {
                    [refused, unconfirmed]
                }
            }
            Self::Waiting => waiting(flow, glyphs, quiet),
            Self::Processed => [
                labelled(&["batch p95 ", "p95 "], &flow.batch_p95_s, Unit::Seconds, Role::Dim),
                total(&flow.processed_total),
            ],
            Self::Written => [
                labelled(&["update p95 ", "p95 "], &flow.update_p95_s, Unit::Seconds, Role::Dim),
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
        slope = vec![span(format!(" {arrow} {}/s", text::per_second(rate.abs())), role)];
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
        let mut line = vec![span("empty in ", Role::Dim)];
        line.extend(figure::forecast(eta, Role::Dim));
        vec![line, figure::short(eta, Unit::Seconds, Role::Dim)]
    } else if flow.oldest_held_s.value.is_some() {
        labelled(
            &["oldest held ", "held "],
            &flow.oldest_held_s,
            Unit::Seconds,
            Role::Dim,
        )
    } else {
        Vec::new()
    };
    [first, second]
}

/// A figure behind its label, in forms from the longest to the shortest: the value alone at the end.
fn labelled(labels: &[&'static str; 2], reading: &Reading, unit: Unit, role: Role) -> Vec<Line<'static>> {
    let long = figure::figure(reading, unit, role);
    let short = figure::short(reading, unit, role);
    let label_role = if role == Role::Warning { role } else { Role::Dim };
    let with = |label: &'static str, value: &Line<'static>| {
        let mut line = vec![span(label, label_role)];
        line.extend(value.iter().cloned());
        line
    };
    vec![
        with(labels[0], &long),
        with(labels[1], &long),
        with(labels[1], &short),
        short,
    ]
}

fn total(reading: &Reading) -> Vec<Line<'static>> {
    if reading.value.is_none() {
        return Vec::new();
    }
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
    let gap = if inner.width < 70 { 1 } else { 2 };
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
            (edge[1] - edge[0]).saturating_sub(if last { 0 } else { gap }),
        );
        if last {
            let place = Rect::new(x, top, width, inner.bottom().saturating_sub(top));
            stage.hits.spots.push((place, Spot::Command(Command::ShowDeadLetters)));
        }
        let [long, short] = hop.labels();
        let label = stage.canvas.put(
            x,
            top,
            width,
            if long.len() <= usize::from(width) { long } else { short },
            Role::Dim,
        );
        let mut used = label;
        if let (Some(severity), false) = (hop.severity(scene), matches!(tone, Role::Stale | Role::Unknown)) {
            let (glyph, role) = status::severity(severity, glyphs);
            stage.canvas.glyph(x + label + 1, top, glyph, role);
            used += 2;
        }
        if !matches!(hop, Hop::Written | Hop::Dead) {
            arrow(stage, x + used + 1, top, (width + 1).saturating_sub(used + 1), glyphs);
        }
        let (reading, field) = hop.value(&scene.view.flow);
        let role = hop.value_role(tone);
        let mut forms = [
            figure::figure(reading, field.unit(), role),
            figure::short(reading, field.unit(), role),
        ];
        for form in &mut forms {
            form[0].strong = !matches!(role, Role::Stale | Role::Unknown);
        }
        first_fit(stage, x, top + 1, width, &forms);
        for (forms, y) in hop.below(scene, glyphs, tone).iter().zip(top + 2..inner.bottom()) {
            first_fit(stage, x, y, width, forms);
        }
        if area.height >= 3 {
            underline(stage, area, (x, edge[1] - edge[0]), tone, last);
        }
    }
}

/// From a hop's label to the next: a head at least, else nothing.
fn arrow(stage: &mut Stage<'_>, x: u16, y: u16, columns: u16, glyphs: &Glyphs) {
    let Some(head) = columns.checked_sub(1) else {
        return;
    };
    for at in x..x + head {
        stage.canvas.glyph(at, y, glyphs.arrow.0, Role::Border);
    }
    stage.canvas.glyph(x + head, y, glyphs.arrow.1, Role::Border);
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
    let near = flow.limit_eta_s.value.filter(|seconds| *seconds < FAR);
    if let (Some(limit), Some(seconds)) = (&flow.limit, near) {
        let role = if seconds < SOON { Role::Warning } else { Role::Note };
        let mut line = vec![span(format!("{limit} reached in "), role)];
        line.extend(figure::forecast(&flow.limit_eta_s, role));
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

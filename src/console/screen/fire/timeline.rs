//! The way of one webhook, from top to bottom: it fills as it happens.

use std::time::Duration;

use super::super::Scene;
use crate::act::trace::{Stage as Station, State, Step, Timeline};
use crate::base::text;
use crate::base::time::Timestamp;
use crate::console::glyph::Glyphs;
use crate::console::theme::Role;
use crate::console::widget::{Line, span, wrap};

/// Columns of a station's name and of its delay.
const NAME: usize = 11;
const DELAY: usize = 9;

/// Columns of the bars that compare delays, and from how much room on they are drawn.
const BAR: (usize, u16) = (20, 84);

/// A webhook on its way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way<'a> {
    /// How far it has come.
    pub(super) timeline: &'a Timeline,
    /// When it was fired.
    pub(super) at: Timestamp,
    /// How long it has been on its way.
    pub(super) elapsed: Duration,
    /// Where it went. Safe text.
    pub(super) to: &'a str,
    /// Whether nothing more will come.
    pub(super) is_over: bool,
}

impl Way<'_> {
    /// Its stations, with a line between them where `spaced`.
    pub(super) fn lines(&self, scene: &Scene<'_>, glyphs: &Glyphs, width: u16, spaced: bool) -> Vec<Line<'static>> {
        let clock = scene.zone().clock(self.at);
        let fired = vec![
            span(format!("{}  ", glyphs.ok), Role::Ok),
            span(format!("{:<NAME$}", "fired"), Role::Text),
            span(format!("{clock:>DELAY$}   "), Role::Strong),
        ];
        let mut stations = vec![(fired, self.to.to_owned(), Role::Dim)];
        let next = self.timeline.next();
        let slowest = Station::ALL
            .into_iter()
            .filter_map(|station| self.timeline.after(station))
            .max();
        for step in &self.timeline.steps {
            stations.push(self.station(step, next == Some(step.stage), slowest, glyphs, width));
        }
        let mut lines = Vec::new();
        let last = stations.len() - 1;
        for (number, (station, told, role)) in stations.into_iter().enumerate() {
            let used: usize = station.iter().map(|span| text::width(&span.text)).sum();
            let room = usize::from(width).saturating_sub(used).max(8);
            // What does not fit goes on beside the line to the next station.
            let rows = if spaced { 2 } else { 1 };
            let mut told = wrap(&told, u16::try_from(room).unwrap_or(u16::MAX), rows).into_iter();
            let mut line = station;
            line.push(span(told.next().unwrap_or_default(), role));
            lines.push(line);
            if spaced && number < last {
                let shaft = span(glyphs.lines.1.to_string(), Role::Border);
                lines.push(vec![shaft, span(" ".repeat(used - 1), role)]);
            }
            if let Some(rest) = told.next() {
                if number == last {
                    lines.push(vec![span(" ".repeat(used), role)]);
                }
                if let Some(line) = lines.last_mut() {
                    line.push(span(rest, role));
                }
            }
        }
        lines
    }

    fn station(
        &self,
        step: &Step,
        is_next: bool,
        slowest: Option<Duration>,
        glyphs: &Glyphs,
        width: u16,
    ) -> (Line<'static>, String, Role) {
        let stuck = self.timeline.stuck.as_deref().filter(|_| is_next);
        let (glyph, role, delay) = match &step.state {
            State::Reached { after, at_most } => {
                let bound = if *at_most { "≤" } else { "" };
                (glyphs.ok, Role::Ok, format!("{bound}{}", text::duration(*after)))
            }
            State::Pending if is_next && (stuck.is_some() || self.is_over) => {
                (glyphs.warning, Role::Warning, self.waited())
            }
            State::Pending if is_next => (glyphs.connecting, Role::Accent, self.waited()),
            State::Pending => (glyphs.off, Role::Dim, text::UNKNOWN.to_owned()),
            State::Skipped => (glyphs.info, Role::Dim, text::UNKNOWN.to_owned()),
            State::Failed => (glyphs.critical, Role::Critical, text::UNKNOWN.to_owned()),
        };
        let reached = matches!(step.state, State::Reached { .. });
        let (told, told_role) = match (stuck, &step.state) {
            (_, State::Failed) => (step.detail.clone(), Role::Critical),
            (Some(stuck), _) => (stuck.to_owned(), Role::Warning),
            (None, State::Pending) if is_next && !self.is_over => ("on its way".to_owned(), Role::Dim),
            _ => (step.detail.clone(), Role::Dim),
        };
        let mut line = vec![
            span(format!("{glyph}  "), role),
            span(
                format!("{:<NAME$}", name(step.stage)),
                if reached { Role::Text } else { Role::Dim },
            ),
            span(format!("{delay:>DELAY$}   "), if reached { Role::Strong } else { role }),
        ];
        if width >= BAR.1 {
            let after = self.timeline.after(step.stage);
            let length = after.zip(slowest).map_or(0, |(after, slowest)| share(after, slowest));
            let bar: String = std::iter::repeat_n(glyphs.heavy, length).collect();
            line.push(span(bar, Role::Sparkline));
            line.push(span(" ".repeat(BAR.0 + 3 - length), Role::Dim));
        }
        (line, told, told_role)
    }

    fn waited(&self) -> String {
        if self.is_over {
            return "stuck".to_owned();
        }
        // Tenths would only flicker: it is drawn anew once a second.
        text::duration(Duration::from_secs(self.elapsed.as_secs()))
    }

    /// How it stands in a few words, for the frame.
    pub(super) fn standing(&self, glyphs: &Glyphs) -> Line<'static> {
        let timeline = self.timeline;
        match (self.is_over, timeline.passed(), timeline.total()) {
            (true, true, Some(total)) => {
                let text = format!("{} through in {}", glyphs.check, text::duration(total));
                vec![span(text, Role::Ok)]
            }
            (true, true, None) => vec![span(format!("{} through", glyphs.check), Role::Ok)],
            (true, false, _) => {
                let station = timeline.next().map_or("its way", name);
                vec![span(format!("{} not {station}", glyphs.warning), Role::Warning)]
            }
            (false, ..) => vec![
                span(format!("{} on its way", glyphs.connecting), Role::Accent),
                span("   x ", Role::Key),
                span("stops", Role::Note),
            ],
        }
    }
}

/// What a station is called.
pub(super) fn name(station: Station) -> &'static str {
    match station {
        Station::Accepted => "answered",
        Station::Stored => "in stream",
        Station::Acked => "acked",
        Station::Written => "in Postgres",
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between 1 and the columns of a bar"
)]
fn share(after: Duration, slowest: Duration) -> usize {
    let ratio = after.as_secs_f64() / slowest.as_secs_f64().max(1e-9);
    ((ratio * BAR.0 as f64).round() as usize).clamp(1, BAR.0)
}

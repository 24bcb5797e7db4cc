//! The edges of every screen: the status line, what fails and why, the key line.

use ratatui::layout::Rect;
use std::time::Duration;

use super::{Badge, Scene, Spot, Stage};
use crate::base::text;
use crate::base::time::since;
use crate::console::command::{Chapter, Command, Mode};
use crate::console::glyph::Glyphs;
use crate::console::letters::Deed;
use crate::console::theme::Role;
use crate::console::widget::{Line, Span, figure, span, tidy, wrap};
use crate::model::{Health, Severity, SourceView};
use crate::sample::{ProbeState, SourceKind};

/// The glyph, role and word of a source's state.
#[must_use]
pub fn health(state: Health, glyphs: &Glyphs) -> (char, Role, &'static str) {
    match state {
        Health::Ok => (glyphs.ok, Role::Ok, "ok"),
        Health::Stale => (glyphs.stale, Role::Warning, "stale"),
        Health::Failing => (glyphs.critical, Role::Critical, "failing"),
        Health::Connecting => (glyphs.connecting, Role::Info, "connecting"),
        Health::Off => (glyphs.off, Role::Dim, "off"),
    }
}

/// The glyph and role of a severity.
#[must_use]
pub fn severity(severity: Severity, glyphs: &Glyphs) -> (char, Role) {
    match severity {
        Severity::Info => (glyphs.info, Role::Info),
        Severity::Warning => (glyphs.warning, Role::Warning),
        Severity::Critical => (glyphs.critical, Role::Critical),
    }
}

/// What the status line gives up, one after the other, until it fits. What fails is named to the end.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    /// The zone behind the clock.
    Zone,
    /// Round-trip times of what answers.
    Latency,
    /// The product's name.
    Product,
    /// Three columns between sources, not two.
    Air,
    /// READ-ONLY in full.
    Badges,
    /// LIVE: as long as nothing else is said, it is.
    Live,
    /// The words of states beside their glyphs.
    Words,
    /// The stream behind the profile.
    Stream,
    /// The clock.
    Clock,
    /// Ages of what does not answer.
    Ages,
}

impl Part {
    const ALL: [Self; 10] = [
        Self::Zone,
        Self::Latency,
        Self::Product,
        Self::Air,
        Self::Badges,
        Self::Live,
        Self::Words,
        Self::Stream,
        Self::Clock,
        Self::Ages,
    ];
}

/// How much has been given up: everything before this part; `None`: everything.
#[derive(Clone, Copy)]
struct Detail(Option<Part>);

impl Detail {
    fn keeps(self, part: Part) -> bool {
        self.0.is_some_and(|first| part >= first)
    }
}

/// Columns of a profile's name at most.
const NAME: usize = 24;

/// Draws the status line: on what, from where, how fresh.
pub fn status_line(scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect) {
    stage.canvas.fill(area, Role::Raised);
    let room = area.width.saturating_sub(2);
    let glyphs = stage.canvas.glyphs();
    let parts = |detail: Detail| {
        (
            name(scene, glyphs, detail),
            sources(scene, glyphs, detail),
            right(scene, detail),
        )
    };
    let fits = |detail: &Detail| {
        let (left, middle, right) = parts(*detail);
        let widths = [&left, &middle, &right].map(|line| stage.canvas.width(line));
        widths.iter().sum::<u16>() + 4 <= room
    };
    let detail = Part::ALL
        .into_iter()
        .map(|part| Detail(Some(part)))
        .find(fits)
        .unwrap_or(Detail(None));
    let (left, middle, right) = parts(detail);
    let y = area.top();
    let right_at = stage.canvas.line_right(area.left() + 1, y, room, &right);
    let left_room = (right_at - area.left()).saturating_sub(2);
    let used = stage.canvas.line(area.left() + 1, y, left_room, &left);
    // The sources stand in the middle of what is left, so that they do not move with the numbers beside them.
    let width = stage.canvas.width(&middle);
    let free = left_room.saturating_sub(used + 2);
    let begin = area.left() + 1 + used + 2 + free.saturating_sub(width) / 2;
    stage.canvas.line(begin, y, free, &middle);
}

fn name<'a>(scene: &Scene<'a>, glyphs: &Glyphs, detail: Detail) -> Line<'a> {
    let mut line = Line::new();
    if detail.keeps(Part::Product) {
        line.push(span("hookwatch", Role::Key));
        line.push(span("  ", Role::Text));
    }
    line.push(span(
        tidy(
            &scene.view.profile,
            if detail.keeps(Part::Stream) { NAME } else { NAME / 2 },
        )
        .into_owned(),
        Role::Text,
    ));
    if let Some(label) = scene.label {
        line.push(span(" ", Role::Text));
        line.push(span(format!(" {} ", tidy(label, NAME / 2)), Role::Badge));
    }
    if let Some(stream) = scene.stream.filter(|_| detail.keeps(Part::Stream)) {
        line.push(span(format!(" {} ", glyphs.under), Role::Dim));
        line.push(span(stream, Role::Text));
    }
    line
}

/// What a kind of source is called on screen.
pub(super) fn kind_name(kind: SourceKind) -> &'static str {
    match kind {
        SourceKind::Jetstream => "nats",
        SourceKind::Metrics => "metrics",
        SourceKind::Postgres => "postgres",
        SourceKind::Probe => "probes",
    }
}

/// One entry per kind: its worst state, and how many answer where there are several.
fn sources<'a>(scene: &Scene<'a>, glyphs: &Glyphs, detail: Detail) -> Line<'a> {
    let mut line = Line::new();
    for kind in [
        SourceKind::Jetstream,
        SourceKind::Metrics,
        SourceKind::Postgres,
        SourceKind::Probe,
    ] {
        let of_kind: Vec<&SourceView> = scene
            .view
            .sources
            .iter()
            .filter(|source| source.id.kind == kind)
            .collect();
        let Some(worst) = of_kind.iter().max_by_key(|source| source.state.badness()) else {
            continue;
        };
        if !line.is_empty() {
            line.push(span(if detail.keeps(Part::Air) { "   " } else { "  " }, Role::Text));
        }
        let (glyph, role, word) = health(worst.state, glyphs);
        let sick = (kind == SourceKind::Probe && worst.state == Health::Ok)
            .then(|| sickest(scene, glyphs))
            .flatten();
        let (glyph, role) = sick.map_or((glyph, role), |(glyph, role, _)| (glyph, role));
        line.push(span(format!("{glyph} "), role));
        line.push(span(kind_name(kind), Role::Text));
        let fresh = of_kind.iter().filter(|source| source.state == Health::Ok).count();
        if of_kind.len() > 1 {
            let counted = format!(" {}/{}", text::count(fresh as u64), text::count(of_kind.len() as u64));
            line.push(span(counted, Role::Dim));
        }
        if let Some(every) = usual_period(&of_kind).filter(|_| detail.keeps(Part::Air)) {
            line.push(span(format!(" every {}", text::duration(every)), Role::Dim));
        }
        if let Some((_, role, word)) = sick {
            line.push(span(format!(" {word}"), role));
        }
        match worst.state {
            Health::Ok if sick.is_none() && of_kind.len() == 1 && detail.keeps(Part::Latency) => {
                if let Some(latency) = worst.latency {
                    // As wide as any, so that what stands beside it does not move.
                    line.push(span(format!(" {:<6}", text::duration(latency)), Role::Dim));
                }
            }
            Health::Ok => {}
            Health::Connecting | Health::Off if !detail.keeps(Part::Words) => {}
            Health::Connecting | Health::Off => line.push(span(format!(" {word}"), role)),
            Health::Stale | Health::Failing => {
                if detail.keeps(Part::Words) {
                    line.push(span(format!(" {word}"), role));
                }
                if !detail.keeps(Part::Ages) {
                    continue;
                }
                let age = worst.age.unwrap_or_else(|| since(worst.since, scene.view.now.at));
                line.push(span(format!(" {}", whole(age)), role));
            }
        }
    }
    line
}

/// How often metrics targets are read, where that is more seldom than every second: many of them
/// share a pace. Of different periods the one in the middle.
fn usual_period(targets: &[&SourceView]) -> Option<Duration> {
    let mut periods: Vec<Duration> = targets
        .iter()
        .filter(|source| source.id.kind == SourceKind::Metrics)
        .filter_map(|source| source.period)
        .collect();
    periods.sort_unstable();
    let middle = *periods.get(periods.len().checked_sub(1)? / 2)?;
    (middle > Duration::from_secs(1)).then_some(middle)
}

/// What the worst of the probes says, where that is not that all is well.
fn sickest(scene: &Scene<'_>, glyphs: &Glyphs) -> Option<(char, Role, &'static str)> {
    match scene.view.probes.iter().filter_map(|probe| probe.state).max()? {
        ProbeState::Healthy => None,
        ProbeState::Degraded => Some((glyphs.warning, Role::Warning, "degraded")),
        ProbeState::Unhealthy => Some((glyphs.critical, Role::Critical, "unhealthy")),
    }
}

/// An age in whole seconds: tenths would only flicker.
#[must_use]
pub fn whole(age: Duration) -> String {
    figure::duration(Duration::from_secs(age.as_secs()))
}

/// The recording in the making: that it is one, how large, and what it had to leave out.
fn tape(scene: &Scene<'_>, detail: Detail) -> Option<(String, Role)> {
    let tape = scene.tape?;
    let size = text::bytes(tape.bytes);
    Some(if tape.dropped > 0 {
        let dropped = text::count(tape.dropped);
        (format!("REC {size}, {dropped} left out"), Role::BadgeDanger)
    } else if tape.bytes > 0 && detail.keeps(Part::Badges) {
        (format!("REC {size}"), Role::BadgeDanger)
    } else {
        ("REC".to_owned(), Role::BadgeDanger)
    })
}

/// Whether something goes on that changes something.
fn acts(scene: &Scene<'_>) -> bool {
    let replays = matches!(scene.ui.letters().deed, Deed::Running { .. } | Deed::Retrying(_));
    replays || scene.bench.is_firing() || scene.bench.canary().is_some_and(|canary| canary.is_flying)
}

fn right<'a>(scene: &Scene<'a>, detail: Detail) -> Line<'a> {
    let mut badges: Vec<(String, Role)> = tape(scene, detail)
        .into_iter()
        .chain(scene.badges.iter().map(|badge| match badge {
            Badge::Demo => ("DEMO".to_owned(), Role::Badge),
            // Unlocked, and for how long: louder than the lock.
            Badge::ReadOnly if let Some(left) = unlocked(scene) => {
                let left = text::duration(Duration::from_secs(left.as_secs().max(1)));
                let word = if detail.keeps(Part::Badges) {
                    format!("WRITE {left}")
                } else {
                    "WRITE".to_owned()
                };
                (word, Role::BadgeDanger)
            }
            // The lock is shut again, but what was begun before goes on: nobody calls that read-only.
            Badge::ReadOnly if acts(scene) => ("AT WORK".to_owned(), Role::BadgeCaution),
            Badge::ReadOnly if detail.keeps(Part::Badges) => ("READ-ONLY".to_owned(), Role::BadgeCaution),
            Badge::ReadOnly => ("RO".to_owned(), Role::BadgeCaution),
            Badge::Prod => ("PROD".to_owned(), Role::BadgeDanger),
            Badge::Playback => ("PLAYBACK".to_owned(), Role::Badge),
        }))
        .collect();
    if let Some(canary) = scene.bench.canary().filter(|canary| canary.is_flying) {
        if canary.is_failing() {
            badges.push(("CANARY FAILED".to_owned(), Role::BadgeDanger));
        } else if detail.keeps(Part::Live) {
            badges.push(("CANARY".to_owned(), Role::BadgeLive));
        }
    }
    let states = || scene.view.sources.iter().map(|source| source.state);
    if let Some(paused) = scene.paused {
        badges.push((format!("PAUSED {}", scene.zone().clock(paused.at)), Role::BadgeCaution));
    } else if let (Some(player), Some(live)) = (scene.player, scene.live) {
        let behind = crate::console::player::length(since(player.moment(), live.now.at));
        badges.push((format!("REWIND −{behind}"), Role::BadgeCaution));
    } else if scene.badges.contains(&Badge::Playback) {
        // A recording is not live, whatever it shows.
    } else if states().any(|state| state == Health::Ok) {
        if detail.keeps(Part::Live) {
            badges.push(("LIVE".to_owned(), Role::BadgeLive));
        }
    } else if states().any(|state| matches!(state, Health::Failing | Health::Stale)) {
        badges.push(("NO DATA".to_owned(), Role::BadgeDanger));
    }
    let mut line = Line::new();
    for (label, role) in badges {
        line.push(span(format!(" {label} "), role));
        line.push(span(" ", Role::Text));
    }
    if detail.keeps(Part::Clock) {
        line.push(span(format!(" {}", scene.zone().clock(scene.now.at)), Role::Dim));
    }
    if detail.keeps(Part::Zone) {
        line.push(span(format!(" {}", scene.zone().name), Role::Dim));
    }
    line
}

/// What fails and what to do about it, in rows of `width`, at most `rows` of them: every failing
/// source has its say before one has its second row.
#[must_use]
pub fn alerts(scene: &Scene<'_>, glyphs: &Glyphs, width: u16, rows: usize) -> Vec<Line<'static>> {
    let failing: Vec<&SourceView> = scene
        .view
        .sources
        .iter()
        .filter(|source| source.state == Health::Failing && source.error.is_some())
        .collect();
    if failing.is_empty() || rows == 0 {
        return Vec::new();
    }
    let told = if failing.len() > rows { rows - 1 } else { failing.len() };
    let (spoken, rest) = failing.split_at(told);
    let mut granted = vec![1; told];
    let mut spare = rows - told - usize::from(!rest.is_empty());
    let wanted: Vec<usize> = spoken
        .iter()
        .map(|source| alert(source, glyphs, width, usize::MAX).len())
        .collect();
    while spare > 0
        && let Some(index) = (0..told)
            .filter(|index| granted[*index] < wanted[*index])
            .min_by_key(|index| granted[*index])
    {
        granted[index] += 1;
        spare -= 1;
    }
    let mut lines: Vec<Line<'static>> = spoken
        .iter()
        .zip(granted)
        .flat_map(|(source, rows)| alert(source, glyphs, width, rows))
        .collect();
    if !rest.is_empty() {
        let names: Vec<&str> = rest.iter().map(|source| &*source.id.name).collect();
        let text = format!("{} more fail: {}", names.len(), names.join(", "));
        lines.push(vec![
            span(format!("{} ", glyphs.critical), Role::Critical),
            span(text, Role::Text),
        ]);
    }
    lines
}

/// Rows that one source's error may take at most.
const LONGEST: usize = 4;

/// One source's error. Where it does not fit, its cause is cut and the next step stays.
fn alert(source: &SourceView, glyphs: &Glyphs, width: u16, rows: usize) -> Vec<Line<'static>> {
    let rows = rows.min(LONGEST);
    let head = alert_head(source, glyphs);
    let indent = 2;
    let head_width: usize = head.iter().map(|span| text::width(&span.text)).sum();
    // The first row begins behind the head: it is wrapped as if the head were a word of it.
    let pad = "\u{a0}".repeat(head_width.saturating_sub(indent));
    let width = width.saturating_sub(u16::try_from(indent).unwrap_or(2));
    let error = tidy(
        source.error.as_deref().unwrap_or_default(),
        usize::from(width) * LONGEST * 2,
    );
    let mut wrapped = wrap(&format!("{pad}{error}"), width, rows);
    if wrapped.last().is_some_and(|row| row.ends_with('…'))
        && let (cause, Some(next)) = text::advice(&error)
    {
        let room = usize::from(width) * rows;
        let others = text::width(&pad) + text::width(next) + 3 + (rows - 1) * 8;
        let told = if room > others + 12 {
            format!("{pad}{} → {next}", shorten(cause, room - others))
        } else {
            format!("{pad}{}", shorten(cause, room.saturating_sub(text::width(&pad))))
        };
        wrapped = wrap(&told, width, rows);
    }
    let mut lines = Vec::with_capacity(wrapped.len());
    for (number, row) in wrapped.into_iter().enumerate() {
        let mut line = if number == 0 {
            head.clone()
        } else {
            vec![span("  ", Role::Text)]
        };
        line.push(span(row.trim_start_matches('\u{a0}').to_owned(), Role::Text));
        lines.push(line);
    }
    lines
}

/// `connect to a-long-url: refused` in fewer columns: what it was tried on is cut before the
/// reason, and left out where next to nothing of it would stay.
fn shorten(cause: &str, columns: usize) -> String {
    if text::width(cause) <= columns {
        return cause.to_owned();
    }
    let Some((target, reason)) = cause.split_once(": ") else {
        return text::cut(cause, columns).into_owned();
    };
    let room = columns.saturating_sub(text::width(reason) + 2);
    if room < 12 {
        return text::cut(reason, columns).into_owned();
    }
    format!("{}: {reason}", text::cut(target, room))
}

fn alert_head(source: &SourceView, glyphs: &Glyphs) -> Line<'static> {
    let kind = kind_name(source.id.kind);
    let name = tidy(&source.id.name, NAME);
    let name = if name == kind {
        kind.to_owned()
    } else {
        format!("{kind} {name}")
    };
    vec![
        span(format!("{} ", glyphs.critical), Role::Critical),
        span(format!("{name}  "), Role::Strong),
    ]
}

/// Draws the key line: the flash when there is one, else the keys of this screen.
pub fn key_line(scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect) {
    stage.canvas.fill(area, Role::Raised);
    let (x, y, room) = (area.left() + 1, area.top(), area.width.saturating_sub(2));
    if let Some(flash) = scene.ui.flash(scene.wall) {
        let (glyph, role) = severity(flash.severity, stage.canvas.glyphs());
        let text = if flash.severity == Severity::Info {
            Role::Text
        } else {
            role
        };
        let line = [span(format!("{glyph} "), role), span(flash.text.as_str(), text)];
        stage.canvas.line(x, y, room, &line);
        return;
    }
    let mut hints = hints(scene);
    let width = |hints: &[KeyHint]| -> u16 {
        let text: u16 = hints.iter().map(|hint| stage.canvas.width(&hint.line)).sum();
        text + 3 * u16::try_from(hints.len().saturating_sub(1)).unwrap_or(0)
    };
    while width(&hints) > room {
        let Some(worst) = hints.iter().map(|hint| hint.rank).max().filter(|rank| *rank > 0) else {
            break;
        };
        // Of equals the last goes first.
        if let Some(index) = hints.iter().rposition(|hint| hint.rank == worst) {
            hints.remove(index);
        }
    }
    let mut at = x;
    for hint in hints {
        let used = stage
            .canvas
            .line(at, y, (area.right() - 1).saturating_sub(at), &hint.line);
        stage
            .hits
            .spots
            .push((Rect::new(at, y, used, 1), Spot::Command(hint.command)));
        at += used + 3;
    }
}

/// How long changes stay unlocked, while they are.
fn unlocked(scene: &Scene<'_>) -> Option<Duration> {
    let end = scene.ui.letters().unlocked?;
    Some(end.saturating_sub(scene.now.mono)).filter(|left| !left.is_zero())
}

struct KeyHint {
    line: Vec<Span<'static>>,
    rank: u8,
    /// What a click on it runs.
    command: Command,
}

/// The hints of a screen: neighbours with the same label share one, `1-7 screens`.
fn hints(scene: &Scene<'_>) -> Vec<KeyHint> {
    let mode = scene.mode();
    let mut offered: Vec<(Command, &'static str, u8, String)> = Command::ALL
        .iter()
        .filter(|command| command.applies(scene.ui.screen()) && command.fits(mode))
        .filter_map(|command| {
            let hint = command.hint()?;
            let (label, rank) = match (command, mode) {
                // There is nothing live behind a recording.
                (Command::Rewind, Mode::Recording) => return None,
                (Command::Rewind | Command::Record, Mode::Live) => (hint.label, hint.rank),
                // How one moves in the past is told there.
                (_, Mode::Live) if command.chapter() == Chapter::Past => return None,
                (Command::Rewind, Mode::Rewind) => ("live", 0),
                // Of what is played, how it is moved in matters most.
                _ if mode == Mode::Live || command.chapter() == Chapter::Past || hint.rank == 0 => {
                    (hint.label, hint.rank)
                }
                _ => (hint.label, hint.rank + 3),
            };
            let key = scene.keymap.keys(*command).next()?.to_string();
            Some((*command, label, rank, key))
        })
        .collect();
    if mode != Mode::Live {
        offered.sort_by_key(|(command, ..)| command.chapter() != Chapter::Past);
    }
    offered
        .chunk_by(|a, b| a.1 == b.1)
        // One screen alone needs no key to go to it.
        .filter(|group| group[0].0.target().is_none() || group.len() > 1)
        .map(|group| {
            let (first, last) = (&group[0].3, &group[group.len() - 1].3);
            let keys = match group.len() {
                1 => first.clone(),
                2 => format!("{first}/{last}"),
                _ => format!("{first}-{last}"),
            };
            KeyHint {
                line: vec![span(keys, Role::Key), span(format!(" {}", group[0].1), Role::Dim)],
                rank: group[0].2,
                command: group[0].0,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_of_a_failure_outlives_its_address() {
        let cause = "connect to postgres://console@10.0.3.7:5432/webhooks: password authentication failed";
        assert_eq!(shorten(cause, 200), cause);
        assert_eq!(
            shorten(cause, 60),
            "connect to postgres://conso…: password authentication failed"
        );
        assert_eq!(shorten(cause, 34), "password authentication failed");
        assert_eq!(shorten(cause, 20), "password authentica…");
        assert_eq!(shorten("something else", 8), "somethi…");
    }
}

//! The replay: its plan being drawn, how it goes, what it did.

use ratatui::layout::Rect;

use super::super::{PanelId, Scene, Stage};
use super::parts::{fitting, label};
use crate::act::calls::CallReport;
use crate::act::journal::Counts;
use crate::act::replay::{Ending, Fates, Phase, Progress, Report};
use crate::base::text;
use crate::console::command::Command;
use crate::console::glyph::Glyphs;
use crate::console::letters::{Deed, share};
use crate::console::theme::Role;
use crate::console::widget::{Frame, Line, span, tidy, wrap};

/// The panel.
pub(super) const REPLAY: PanelId = PanelId("letters.replay");

/// Columns of a figure.
const FIGURE: usize = 12;

/// Remarks that are shown of letters in doubt or refused.
const REMARKS: usize = 20;

/// What the panel says: its title, a note on the right, the colour of its frame, lines.
type Content<'a> = (String, Line<'a>, Role, Vec<Line<'a>>);

/// Draws it.
pub(super) fn draw(scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect) {
    let room = usize::from(area.width.saturating_sub(6)).max(20);
    let Some((title, note, tone, lines)) = content(scene, stage.canvas.glyphs(), room) else {
        return;
    };
    let note = fitting(stage, area, &title, vec![note]);
    let title = tidy(&title, room).into_owned();
    let frame = Frame {
        title: &title,
        note,
        tone: Some(tone),
        ..Frame::default()
    };
    let inner = stage.panel(scene, REPLAY, area, frame);
    stage.lines(scene, REPLAY, area, inner, &lines);
}

fn content<'a>(scene: &Scene<'a>, glyphs: &Glyphs, room: usize) -> Option<Content<'a>> {
    let note = |text: String| vec![span(text, Role::Note)];
    let closing = |word: &str| note(format!("{word} · {} closes", scene.key(Command::Back)));
    Some(match &scene.ui.letters().deed {
        Deed::None => pending(scene)?,
        Deed::Running {
            title,
            progress,
            paused,
            cancelled,
        } => {
            let word = word(progress, *paused, *cancelled);
            let mut lines = vec![bar(share(progress), room.min(60), glyphs.heavy, glyphs.lines.0)];
            lines.extend(figures(&progress.counts, &progress.fates));
            lines.push(Line::new());
            lines.extend(going(scene, progress, *paused, *cancelled));
            (title.clone(), vec![span(word, Role::Note)], Role::BorderFocused, lines)
        }
        Deed::Ended { title, end: Ok(report) } => {
            let (word, role) = ending(report.ending);
            let lines = reported(report, role, word, room);
            (title.clone(), closing("report"), Role::Border, lines)
        }
        Deed::Ended {
            title,
            end: Err(reason),
        }
        | Deed::Retried(title, Err(reason)) => (title.clone(), closing("failed"), Role::Border, refused(reason, room)),
        Deed::Retrying(title) => {
            let lines = vec![vec![span("Being put back.", Role::Text)]];
            (title.clone(), note("going on".to_owned()), Role::BorderFocused, lines)
        }
        Deed::Retried(title, Ok(report)) => (title.clone(), closing("report"), Role::Border, retried(report)),
        Deed::Refused(reason) => {
            let lines = refused(reason, room);
            ("No plan".to_owned(), closing("refused"), Role::Border, lines)
        }
    })
}

/// Whether somebody else replays, or a replay was left unfinished.
pub(super) fn is_pending(scene: &Scene<'_>) -> bool {
    let standing = &scene.ui.letters().standing;
    standing.claim.is_some() || standing.unfinished.is_some()
}

/// Who replays, or what was left unfinished: a title, a note, a colour, lines.
fn pending<'a>(scene: &Scene<'a>) -> Option<Content<'a>> {
    let standing = &scene.ui.letters().standing;
    let far = |landed, selected| format!("{} of {} published", text::count(landed), text::count(selected));
    let go_on = |does: &'static str| {
        vec![
            span(scene.key(Command::ResumeReplay), Role::Key),
            span(does, Role::Note),
        ]
    };
    match (&standing.claim, standing.unfinished) {
        (Some(claim), _) if !standing.ours => {
            let line = vec![
                span(tidy(&claim.holder, 40).into_owned(), Role::Strong),
                span(format!(" since {}, ", scene.zone().clock(claim.since)), Role::Text),
                span(far(claim.progress.landed, claim.progress.selected), Role::Text),
                span(" · one replay at a time", Role::Dim),
            ];
            let note = go_on(" takes it over");
            Some(("Somebody else replays".to_owned(), note, Role::Warning, vec![line]))
        }
        (Some(claim), None) => {
            let far = far(claim.progress.landed, claim.progress.selected);
            let note = go_on(" goes on with it");
            Some(unfinished(far, note))
        }
        (_, Some((landed, selected))) => Some(unfinished(far(landed, selected), go_on(" goes on with it"))),
        (None, None) => None,
    }
}

fn unfinished(far: String, note: Line<'_>) -> (String, Line<'_>, Role, Vec<Line<'_>>) {
    let line = vec![
        span(far, Role::Strong),
        span(" · what was sent is looked for first, nothing is sent twice", Role::Dim),
    ];
    (
        "A replay was left unfinished".to_owned(),
        note,
        Role::Warning,
        vec![line],
    )
}

fn bar(share: f64, width: usize, full: char, empty: char) -> Line<'static> {
    let share = share.clamp(0.0, 1.0);
    let width = width.saturating_sub(6);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "between 0 and the width"
    )]
    let (filled, percent) = ((share * width as f64) as usize, (share * 100.0) as u64);
    vec![
        span(full.to_string().repeat(filled), Role::Accent),
        span(empty.to_string().repeat(width - filled), Role::Border),
        span(format!(" {percent:>3} %"), Role::Strong),
    ]
}

/// Headings and figures below them, right-aligned: they do not jump while they grow.
fn figures(counts: &Counts, fates: &Fates) -> [Line<'static>; 2] {
    let bad = |count: u64, role| if count == 0 { Role::Dim } else { role };
    let figures = [
        ("letters", counts.selected, Role::Text),
        ("published", counts.landed, Role::Text),
        ("processed", fates.processed, Role::Ok),
        ("died again", fates.died_again, bad(fates.died_again, Role::Critical)),
        ("failed", counts.refused, bad(counts.refused, Role::Warning)),
        (
            "in doubt",
            counts.in_doubt + counts.sent,
            bad(counts.in_doubt + counts.sent, Role::Warning),
        ),
    ];
    let heading = |(name, _, _): &(&str, u64, Role)| span(format!("{name:>FIGURE$}"), Role::Heading);
    let value =
        |(_, count, role): &(&str, u64, Role)| span(format!("{:>FIGURE$}", text::count(*count)), *role).strong();
    [
        figures.iter().map(heading).collect(),
        figures.iter().map(value).collect(),
    ]
}

fn word(progress: &Progress, paused: bool, cancelled: bool) -> &'static str {
    match progress.phase {
        _ if cancelled => "ending",
        Phase::Starting => "starting",
        Phase::Limbo => "looking what was sent",
        Phase::Canary => "canary",
        Phase::Paused => "paused",
        _ if paused => "pausing",
        Phase::Sending => "sending",
        Phase::Following => "following",
        Phase::Verifying => "verifying",
        Phase::Ended => "ended",
    }
}

fn going(scene: &Scene<'_>, progress: &Progress, paused: bool, cancelled: bool) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    if let Some(why) = &progress.why {
        lines.push(vec![span(text::safe(why).into_owned(), Role::Warning)]);
    }
    let what = match progress.phase {
        Phase::Canary => "The first one is followed to its end before the others go.",
        Phase::Following => "All are sent; waiting for the workers.",
        Phase::Verifying => "Looking whether what was deleted stays deleted.",
        _ => "",
    };
    let mut line = vec![span(text::duration(progress.elapsed), Role::Text)];
    if !cancelled {
        let stands = paused || progress.phase == Phase::Paused;
        line.push(span(format!("   {}", scene.key(Command::PauseReplay)), Role::Key));
        line.push(span(if stands { " goes on" } else { " pauses" }, Role::Dim));
        line.push(span(format!("   {}", scene.key(Command::CancelReplay)), Role::Key));
        line.push(span(" ends it", Role::Dim));
    }
    if !what.is_empty() {
        line.push(span(format!("   {what}"), Role::Dim));
    }
    lines.push(line);
    lines
}

fn ending(ending: Ending) -> (&'static str, Role) {
    match ending {
        Ending::Done => ("done", Role::Ok),
        Ending::Partial => ("done in part", Role::Warning),
        Ending::Stopped => ("stopped by itself", Role::Warning),
        Ending::Cancelled => ("ended by hand", Role::Warning),
    }
}

fn reported(report: &Report, role: Role, word: &'static str, room: usize) -> Vec<Line<'static>> {
    let took = std::time::Duration::try_from_secs_f64(report.elapsed_s).unwrap_or_default();
    let mut head = vec![
        span(word, role).strong(),
        span(format!(" after {}", text::duration(took)), Role::Dim),
    ];
    if report.fates.undecided > 0 {
        let count = text::count(report.fates.undecided);
        head.push(span(format!(" · {count} not seen to end"), Role::Warning));
    }
    if report.counts.gone > 0 {
        head.push(span(
            format!(" · {} were gone before", text::count(report.counts.gone)),
            Role::Dim,
        ));
    }
    if report.came_back > 0 {
        let count = text::count(report.came_back);
        head.push(span(format!(" · {count} came back and were deleted again"), Role::Dim));
    }
    let mut lines = vec![head];
    if let Some(why) = &report.why {
        let width = u16::try_from(room).unwrap_or(u16::MAX);
        let rows = wrap(why, width, 2);
        lines.extend(rows.into_iter().map(|row| vec![span(row, Role::Warning)]));
    }
    lines.extend(figures(&report.counts, &report.fates));
    let remarks = report
        .in_doubt
        .iter()
        .map(|remark| ("in doubt", remark))
        .chain(report.refused.iter().map(|remark| ("refused", remark)));
    for (what, remark) in remarks.take(REMARKS) {
        let text = format!("{} {}", remark.letter, remark.reason);
        lines.push(vec![
            label(what),
            span(tidy(&text, room.saturating_sub(10)).into_owned(), Role::Text),
        ]);
    }
    if !report.in_doubt.is_empty() {
        let next = "hookwatch dlq replay --resume --in-doubt resend|keep|drop settles them";
        lines.push(vec![span(next, Role::NextStep)]);
    }
    lines
}

fn retried(report: &CallReport) -> Vec<Line<'static>> {
    let (word, role) = if report.left == 0 {
        ("done", Role::Ok)
    } else {
        ("done in part", Role::Warning)
    };
    let mut lines = vec![vec![
        span(word, role).strong(),
        span(
            format!(
                " · {} put back: the workers take them from here",
                text::count(report.retried)
            ),
            Role::Text,
        ),
    ]];
    if report.left > 0 {
        let left = format!(
            "{} left alone: no longer failed, or in other hands",
            text::count(report.left)
        );
        lines.push(vec![span(left, Role::Warning)]);
    }
    lines
}

fn refused(reason: &str, room: usize) -> Vec<Line<'static>> {
    let (what, next) = reason.split_once(" → ").unwrap_or((reason, ""));
    let width = u16::try_from(room).unwrap_or(u16::MAX);
    let what = wrap(what, width, 4)
        .into_iter()
        .map(|row| vec![span(row, Role::Warning)]);
    let next = wrap(next, width, 2)
        .into_iter()
        .map(|row| vec![span(row, Role::NextStep)]);
    what.chain(next).filter(|line| !line[0].text.is_empty()).collect()
}

//! One letter: why it died, what is known of it, its headers, its payload.

use std::fmt::Write as _;

use ratatui::layout::{Constraint, Layout, Rect};

use super::super::{PanelId, Scene, Stage};
use super::parts::{WIDE, ago, fitting, label, sentence, when};
use super::{groups, list};
use crate::act::letters::Opened;
use crate::act::plan::is_kept;
use crate::base::cause::cause;
use crate::base::text;
use crate::base::time::Timestamp;
use crate::console::command::Command;
use crate::console::letters::{Answered, Kin, Open};
use crate::console::theme::Role;
use crate::console::widget::{Frame, Line, span, tidy, wrap};
use crate::model::letters;
use crate::sample::LetterForm;

const FACTS: PanelId = PanelId("letter.facts");
/// The payload.
pub(super) const PAYLOAD: PanelId = PanelId("letter.payload");

/// Lines of a webhook's history, the latest.
const HISTORY: usize = 12;

/// Bytes of a header's name that say whose it is.
const NAMED: usize = 256;

/// Rows of a long text.
const ROWS: usize = 4;

/// Draws it in place of the screen.
pub(super) fn draw(scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect, key: &str) {
    let title = format!("Letter {key}");
    let open = scene.ui.letters().opened.as_ref().filter(|open| open.key == key);
    let opened = match open.map(|open| (open, &open.letter)) {
        Some((open, Answered::Here(opened))) => (open, opened),
        Some((_, Answered::Gone)) => {
            let gone = "It is not there any more: it was replayed or deleted.";
            return sentence(scene, stage, PAYLOAD, area, &title, gone);
        }
        Some((_, Answered::Failed(reason))) => return sentence(scene, stage, PAYLOAD, area, &title, reason),
        Some((_, Answered::Waiting)) | None => return sentence(scene, stage, PAYLOAD, area, &title, "Reading."),
    };
    let about = (&**opened.1, opened.0.kin.as_ref());
    match scene.ui.zoomed() {
        Some(panel) if panel == FACTS => return facts(scene, stage, area, &title, about),
        Some(panel) if panel == PAYLOAD => return shown(scene, stage, area, opened.0, opened.1),
        _ => {}
    }
    let [first, second] = if area.width >= WIDE {
        let width = (area.width * 9 / 20).min(90);
        Layout::horizontal([Constraint::Length(width), Constraint::Fill(1)]).areas(area)
    } else {
        Layout::vertical([Constraint::Fill(1), Constraint::Fill(1)]).areas(area)
    };
    facts(scene, stage, first, &title, about);
    shown(scene, stage, second, opened.0, opened.1);
}

fn facts(scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect, title: &str, (opened, kin): (&Opened, Option<&Kin>)) {
    let subject = opened.origin.subject.as_deref().unwrap_or_default();
    let title = tidy(title, 40).into_owned();
    let note = fitting(
        stage,
        area,
        &title,
        vec![vec![span(tidy(subject, 80).into_owned(), Role::Note)]],
    );
    let frame = Frame {
        title: &title,
        note,
        ..Frame::default()
    };
    let inner = stage.panel(scene, FACTS, area, frame);
    let room = inner.width.saturating_sub(10).max(10);
    let mut lines: Vec<Line<'_>> = Vec::new();
    for (what, line) in known(scene, opened, kin) {
        let text: String = line.iter().map(|piece| piece.text.as_ref()).collect();
        let role = line.first().map_or(Role::Text, |piece| piece.role);
        // One that fits keeps its roles.
        if text::width(&text) <= usize::from(room) {
            let mut whole = vec![label(what)];
            whole.extend(line);
            lines.push(whole);
            continue;
        }
        for (number, row) in wrap(&text, room, ROWS).into_iter().enumerate() {
            lines.push(vec![label(if number == 0 { what } else { "" }), span(row, role)]);
        }
    }
    lines.push(Line::new());
    lines.extend(headers(opened, inner.width));
    stage.lines(scene, FACTS, area, inner, &lines);
}

/// What is known of a letter, by name.
fn known(scene: &Scene<'_>, opened: &Opened, kin: Option<&Kin>) -> Vec<(&'static str, Line<'static>)> {
    let (letter, origin) = (&opened.letter, &opened.origin);
    let unknown = || vec![span(text::UNKNOWN, Role::Unknown)];
    let text =
        |text: Option<&str>, role| text.map_or_else(unknown, |text| vec![span(tidy(text, 400).into_owned(), role)]);
    // When a message was stored in its own stream says nothing of its death.
    let is_copy = opened.form == LetterForm::Copy;
    let died = letters::died(origin, letter.at.filter(|_| is_copy));
    let mut facts = vec![
        ("why", text(origin.reason.as_deref(), Role::Critical)),
        ("subject", text(origin.subject.as_deref(), Role::Text)),
        ("id", text(letters::webhook_id(&letter.headers), Role::Text)),
    ];
    let died = died.map_or_else(unknown, |at| {
        vec![
            span(when(scene, at), Role::Text),
            span(format!(" · {}", ago(scene, at)), Role::Dim),
        ]
    });
    facts.push(("died", died));
    let mut tries = origin
        .deliveries
        .map_or_else(unknown, |tries| vec![span(text::count(tries), Role::Text)]);
    if let Some(consumer) = &origin.consumer {
        tries.push(span(format!(" · given up by {}", tidy(consumer, 60)), Role::Dim));
    }
    facts.push(("tries", tries));
    let from = origin.stream.as_deref().map_or_else(unknown, |stream| {
        let place = origin
            .sequence
            .map_or_else(String::new, |sequence| format!(" #{sequence}"));
        vec![span(format!("{}{place}", tidy(stream, 60)), Role::Text)]
    });
    facts.push(("from", from));
    facts.push(("siblings", siblings(scene, opened)));
    facts.push(("failed", failed(scene, kin)));
    let history = history(scene, opened, kin);
    if history.is_empty() {
        facts.push(("history", vec![span("no replay that we know", Role::Dim)]));
    }
    let hidden = history.len().saturating_sub(HISTORY);
    for (number, line) in history.into_iter().skip(hidden).enumerate() {
        facts.push((if number == 0 { "history" } else { "" }, line));
    }
    facts
}

/// How often the webhook died, since when and until when.
fn failed(scene: &Scene<'_>, kin: Option<&Kin>) -> Line<'static> {
    let Some(kin) = kin else {
        return vec![span(
            "other letters of this webhook were not looked for: there are many",
            Role::Unknown,
        )];
    };
    if !kin.scan.done {
        let looked = list::looked(kin.scan.looked_at, kin.scan.span);
        return vec![span(
            format!("looking for other letters of this webhook: {looked}"),
            Role::Info,
        )];
    }
    let times = kin.rows.iter().filter_map(|row| row.died);
    let (first, last) = (times.clone().min(), times.max());
    match (kin.rows.len(), first, last) {
        (0 | 1, ..) | (_, None, _) | (_, _, None) => vec![span("once, as far as this stream knows", Role::Dim)],
        (count, Some(first), Some(last)) => vec![
            span(format!("{} times", text::count(count as u64)), Role::Warning),
            span(
                format!(" · first {} · last {}", when(scene, first), when(scene, last)),
                Role::Dim,
            ),
        ],
    }
}

/// What happened to the webhook, oldest first: its deaths that still lie here, its replays.
fn history(scene: &Scene<'_>, opened: &Opened, kin: Option<&Kin>) -> Vec<Line<'static>> {
    let own = opened.letter.sequence;
    let rows = kin.map_or(&[][..], |kin| &kin.rows);
    // Of one death the lines above say all.
    let deaths = rows.iter().filter(|_| rows.len() > 1);
    let mut happened: Vec<(Timestamp, String, Role)> = deaths
        .filter_map(|row| {
            let reason = row.reason.as_deref().unwrap_or("no reason given");
            let which = if row.sequence == own {
                "this letter".to_owned()
            } else {
                format!("letter {}", row.sequence)
            };
            let role = if row.sequence == own { Role::Text } else { Role::Dim };
            Some((row.died?, format!("died, {which} · {reason}"), role))
        })
        .collect();
    let replays = opened.replays.iter();
    happened.extend(replays.map(|(at, became)| (*at, format!("replayed, {}", tidy(became, 200)), Role::Text)));
    happened.sort_by_key(|(at, ..)| *at);
    let line = |(at, what, role)| vec![span(format!("{} {what}", when(scene, at)), role)];
    happened.into_iter().map(line).collect()
}

/// Letters of the same cause: how many, and whether there are still new ones.
fn siblings(scene: &Scene<'_>, opened: &Opened) -> Line<'static> {
    let Some(reason) = &opened.origin.reason else {
        return vec![span(text::UNKNOWN, Role::Unknown)];
    };
    let groups = &scene.ui.letters().groups;
    let Some(causes) = &groups.causes else {
        return vec![span(
            format!(
                "not counted: {} in the list groups by cause",
                scene.key(Command::GroupBy)
            ),
            Role::Unknown,
        )];
    };
    let own = cause(reason);
    let Some(group) = causes.iter().find(|group| *group.key == own) else {
        return vec![span("none", Role::Dim)];
    };
    let others = group.count.saturating_sub(1);
    let mut line = vec![span(
        format!("{} of the same cause · ", text::count(others)),
        Role::Text,
    )];
    line.extend(groups::life(scene, group));
    line
}

/// Headers as they are: those that a replay keeps, and those of the dead letter stream, dim.
fn headers(opened: &Opened, width: u16) -> Vec<Line<'static>> {
    let headers = &opened.letter.headers;
    let name = headers
        .iter()
        .map(|(name, _)| text::width(&tidy(name, usize::from(width))))
        .max()
        .unwrap_or(0);
    let name = name.clamp(8, usize::from(width / 2));
    let room = width.saturating_sub(u16::try_from(name).unwrap_or(0) + 2).max(8);
    let mut lines = vec![vec![
        span("headers", Role::Heading),
        span("  dim: stripped by a replay", Role::Dim),
    ]];
    for (header, value) in headers {
        // The beginning decides: a stranger's name may have megabytes.
        let beginning = &header[..header.floor_char_boundary(header.len().min(NAMED))];
        let role = if is_kept(beginning) { Role::Text } else { Role::Dim };
        for (number, row) in wrap(&tidy(value, 2_000), room, ROWS).into_iter().enumerate() {
            let header = if number == 0 {
                tidy(header, name).into_owned()
            } else {
                String::new()
            };
            let gap = " ".repeat(name.saturating_sub(text::width(&header)) + 2);
            lines.push(vec![span(format!("{header}{gap}"), role), span(row, role)]);
        }
    }
    lines
}

fn shown(scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect, open: &Open, opened: &Opened) {
    let bytes = &opened.letter.payload;
    let look = scene.ui.letters().look;
    let kind = open.kind;
    let size = text::bytes(bytes.len() as u64);
    let notes = vec![
        vec![
            span(format!("{kind}, {size} · "), Role::Note),
            span(look.name(), Role::Strong),
            span(format!(" · {} turns", scene.key(Command::Look)), Role::Note),
        ],
        vec![span(format!("{kind}, {size} · {}", look.name()), Role::Note)],
    ];
    let note = fitting(stage, area, "Payload", notes);
    let frame = Frame {
        title: "Payload",
        note,
        ..Frame::default()
    };
    let inner = stage.panel(scene, PAYLOAD, area, frame);
    if open.lines.is_empty() {
        stage.hint(inner, "Empty.");
        return;
    }
    let offset = stage.scroll(scene, PAYLOAD, area, open.lines.len(), usize::from(inner.height));
    for (line, y) in open.lines.iter().skip(offset).zip(inner.top()..inner.bottom()) {
        stage.canvas.put(inner.left(), y, inner.width, line, Role::Text);
    }
}

/// The letter as plain text, to hand over.
pub(super) fn summary(scene: &Scene<'_>) -> Option<String> {
    let open = scene.ui.letters().opened.as_ref()?;
    let Answered::Here(opened) = &open.letter else {
        return None;
    };
    let mut out = format!("letter {}\n", tidy(&open.key, 40));
    for (what, line) in known(scene, opened, open.kin.as_ref()) {
        let text: String = line.iter().map(|piece| piece.text.as_ref()).collect();
        let _ = writeln!(out, "{what}: {text}");
    }
    for (name, value) in &opened.letter.headers {
        let _ = writeln!(out, "{}: {}", tidy(name, 200), tidy(value, 2_000));
    }
    out.push('\n');
    for line in open.lines.iter().take(200) {
        out.push_str(line);
        out.push('\n');
    }
    Some(out)
}

//! The first run: nothing is configured, so the screen says what can be.

use ratatui::layout::Rect;

use super::super::{PanelId, Scene, Stage};
use crate::console::theme::Role;
use crate::console::widget::{Frame, Line, span};

/// What to pass, and what it brings.
const WAYS: [(&str, &str); 8] = [
    ("hookwatch demo", "a private pipeline under load, to look around"),
    (
        "hookwatch --nats nats://127.0.0.1:4222",
        "backlog, oldest message, dead letters",
    ),
    (
        "          --metrics http://host:9100/metrics",
        "rates, errors, workers; give it once per target",
    ),
    (
        "          --postgres postgres://user@host/db",
        "rows written: the ledger's last line",
    ),
    (
        "          --stream webhooks --consumer workers",
        "what to follow, where there are several",
    ),
    ("hookwatch --context NAME", "a context of the NATS CLI"),
    ("hookwatch config", "what is configured now, and from where"),
    ("NATS_URL, DATABASE_URL, HOOKWATCH_*", "the same by environment"),
];

/// Draws it.
pub(super) fn draw(scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect) {
    let commands = WAYS.iter().map(|(way, _)| way.len()).max().unwrap_or(0);
    let wide = area.width >= 108;
    let mut lines: Vec<Line<'static>> = vec![
        vec![span("Nothing to watch yet", Role::Strong)],
        Line::new(),
        vec![span("Say where the pipeline is. Every part is optional;", Role::Text)],
        vec![span("watching changes nothing on any of them.", Role::Text)],
        Line::new(),
    ];
    for (way, brings) in WAYS {
        if wide {
            lines.push(vec![
                span(format!("{way:<commands$}   "), Role::Accent),
                span(brings, Role::Dim),
            ]);
        } else {
            lines.push(vec![span(way, Role::Accent)]);
        }
    }
    let id = PanelId("overview.welcome");
    let frame = Frame {
        title: "Welcome",
        note: vec![span("q quits", Role::Note)],
        ..Frame::default()
    };
    let inner = stage.panel(scene, id, area, frame);
    let width = lines
        .iter()
        .map(|line| stage.canvas.width(line))
        .max()
        .unwrap_or(0)
        .min(inner.width);
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX).min(inner.height);
    let block = Rect::new(
        inner.left() + (inner.width - width) / 2,
        inner.top() + (inner.height - height) / 3,
        width,
        height,
    );
    stage.lines(scene, id, area, block, &lines);
}

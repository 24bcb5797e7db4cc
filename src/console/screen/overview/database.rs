//! How the servers are: Postgres first, then NATS.

use ratatui::layout::Rect;

use super::super::{PanelId, Scene, Stage};
use super::absence;
use crate::base::text;
use crate::console::theme::Role;
use crate::console::widget::{Frame, Line, span, tidy, wrap};
use crate::sample::{DatabaseReading, ServerReading, SourceKind};

/// Columns for the names of the figures.
const LABEL: usize = 14;

/// Draws the panel.
pub(super) fn draw(scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect, id: PanelId) {
    let inner = stage.panel(
        scene,
        id,
        area,
        Frame {
            title: "Servers",
            ..Frame::default()
        },
    );
    let (database, server) = (&scene.view.database, &scene.view.server);
    if database.is_none() && server.is_none() {
        let text = absence(
            scene,
            SourceKind::Postgres,
            "Not watched: --postgres URL shows the database.",
            "Waiting for the first answers.",
        );
        stage.hint(inner, &text);
        return;
    }
    let mut lines = Vec::new();
    if let Some(database) = database {
        lines.extend(postgres(database, inner.width));
    }
    if let Some(server) = server {
        if !lines.is_empty() {
            lines.push(Line::new());
        }
        lines.extend(nats(server));
    }
    stage.lines(scene, id, area, inner, &lines);
}

fn row(label: &'static str, value: String, role: Role) -> Line<'static> {
    let role = if value == text::UNKNOWN { Role::Unknown } else { role };
    vec![span(format!("{label:<LABEL$}"), Role::Dim), span(value, role)]
}

fn number(value: Option<u64>) -> String {
    value.map_or_else(|| text::UNKNOWN.to_owned(), text::count)
}

fn postgres(database: &DatabaseReading, width: u16) -> Vec<Line<'static>> {
    let version = tidy(&database.version, 24).into_owned();
    let standby = if database.in_recovery { "  standby" } else { "" };
    let idle = database.idle_in_transaction;
    let mut lines = vec![
        vec![
            span("Postgres ", Role::Strong),
            span(version, Role::Dim),
            span(standby, Role::Warning),
        ],
        row("answers in", text::duration(database.latency), Role::Text),
        row(
            "sessions",
            format!(
                "{} of {}, {} active",
                number(database.connections),
                number(database.max_connections),
                number(database.active)
            ),
            Role::Text,
        ),
        row(
            "idle in tx",
            number(idle),
            if idle.is_some_and(|idle| idle > 0) {
                Role::Warning
            } else {
                Role::Text
            },
        ),
        row(
            "longest tx",
            database
                .longest_transaction
                .map_or_else(|| text::UNKNOWN.to_owned(), text::duration),
            Role::Text,
        ),
    ];
    for blocked in database.blocked.iter().take(3) {
        let sentence = format!(
            "{} ({}) waits {} for {} ({}, {})",
            blocked.application,
            blocked.pid,
            text::duration(blocked.waited),
            blocked.blocking_application,
            blocked.blocking_pid,
            blocked.blocking_state
        );
        lines.extend(
            wrap(&sentence, width, 2)
                .into_iter()
                .map(|row| vec![span(row, Role::Warning)]),
        );
    }
    lines
}

fn nats(server: &ServerReading) -> Vec<Line<'static>> {
    let name = format!("{} {}", tidy(&server.name, 32), tidy(&server.version, 16));
    let mut lines = vec![
        vec![span("NATS ", Role::Strong), span(name, Role::Dim)],
        row("answers in", text::duration(server.rtt), Role::Text),
    ];
    if let Some(account) = &server.account {
        let limit = account.max_storage.map_or_else(|| "no limit".to_owned(), text::bytes);
        lines.push(row(
            "storage",
            format!("{} of {limit}", text::bytes(account.storage)),
            Role::Text,
        ));
    }
    if let Some(skew) = server.skew_s.filter(|skew| skew.abs() > 1.0) {
        lines.push(row("clock", format!("{skew:+.1} s against ours"), Role::Warning));
    }
    lines
}

//! What the command prints.

use std::io::{self, Write};
use std::time::Duration;

use serde::Serialize;

use crate::act::fire::{Checked, Latency, Summary};
use crate::base::text;

/// A number of seconds as a person reads it.
pub(super) fn shown(seconds: Option<f64>) -> String {
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .map_or_else(|| text::UNKNOWN.to_owned(), text::duration)
}

/// What is printed at the end.
#[derive(Serialize)]
pub(super) struct Report<'a> {
    pub(super) template: &'a str,
    pub(super) to: String,
    pub(super) seed: u64,
    pub(super) expectations: &'a [Checked],
    #[serde(flatten)]
    pub(super) summary: &'a Summary,
}

impl Report<'_> {
    pub(super) fn print(&self, out: &mut impl Write) -> io::Result<()> {
        let summary = self.summary;
        writeln!(
            out,
            "{} → {}  seed {}",
            text::safe(self.template),
            text::safe(&self.to),
            self.seed
        )?;
        writeln!(
            out,
            "sent {}{}  answered {}  failed {}  unfinished {}  never sent {}  in {}{}",
            text::count(summary.sent),
            if summary.retried > 0 {
                format!(" ({} of them again)", text::count(summary.retried))
            } else {
                String::new()
            },
            text::count(summary.answered),
            text::count(summary.failed),
            text::count(summary.unfinished),
            text::count(summary.unsent),
            shown(Some(summary.elapsed_s)),
            summary
                .sent_per_s
                .filter(|_| summary.sent > 1)
                .map(|rate| format!("  {}/s", text::per_second(rate)))
                .unwrap_or_default(),
        )?;
        for (status, count) in &summary.statuses {
            writeln!(out, "  {status}  {}", text::count(*count))?;
        }
        for (kind, count) in &summary.failures {
            writeln!(out, "  {}  {}", kind.name(), text::count(*count))?;
        }
        if summary.answered > 0 {
            writeln!(out, "latency  {}", percentiles(&summary.latency_s))?;
            writeln!(out, "service  {}", percentiles(&summary.service_s))?;
        }
        for sample in &summary.samples {
            let what = sample
                .status
                .map(|status| status.to_string())
                .or_else(|| sample.failure.map(|kind| kind.name().to_owned()))
                .unwrap_or_default();
            writeln!(out, "first {what}: {}", sample.text)?;
        }
        for result in self.expectations {
            let word = if result.is_met { "met" } else { "not met" };
            writeln!(
                out,
                "expected {}: {} ({word})",
                text::safe(&result.expected),
                result.actual
            )?;
        }
        Ok(())
    }
}

fn percentiles(latency: &Latency) -> String {
    format!(
        "p50 {}  p90 {}  p99 {}  p99.9 {}  max {}",
        shown(latency.p50),
        shown(latency.p90),
        shown(latency.p99),
        shown(latency.p999),
        shown(latency.max)
    )
}

//! `hookwatch dlq audit`.

use std::io::{self, Write};

use super::report;
use crate::act::audit::AuditLog;
use crate::base::text;

/// Prints the log and returns the exit code: 1 when lines are damaged, 2 when it cannot be read.
pub fn audit(log: &AuditLog, json: bool, out: &mut impl Write, err: &mut impl Write) -> u8 {
    let mut print = || -> io::Result<u8> {
        let (deeds, damaged) = match log.read() {
            Ok(read) => read,
            Err(error) => {
                writeln!(err, "hookwatch dlq audit: {error}")?;
                return Ok(2);
            }
        };
        for deed in &deeds {
            if json {
                writeln!(out, "{}", serde_json::to_string(deed)?)?;
                continue;
            }
            let reason = deed
                .reason
                .as_deref()
                .map(|reason| format!("  \"{}\"", text::safe(reason)));
            writeln!(
                out,
                "{}  {}  {} {} on {} ({})  {}{}{}",
                deed.at.strftime("%Y-%m-%d %H:%M:%SZ"),
                text::safe(&deed.who),
                text::safe(&deed.action),
                text::count(deed.planned),
                text::safe(&deed.dlq),
                text::safe(&deed.filter),
                text::safe(&deed.outcome),
                deed.counts
                    .as_ref()
                    .map(|counts| format!(": {}", report::counts(counts)))
                    .unwrap_or_default(),
                reason.unwrap_or_default(),
            )?;
        }
        if damaged > 0 {
            writeln!(
                err,
                "hookwatch dlq audit: damaged: {}",
                text::counted(damaged, "line", "lines")
            )?;
        }
        out.flush()?;
        Ok(u8::from(damaged > 0))
    };
    print().unwrap_or(1)
}

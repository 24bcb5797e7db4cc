//! Which part of a recording is exported.

use crate::base::text;
use crate::base::time::Timestamp;
use crate::config::parse_duration;
use crate::headless::record::wall;
use crate::record::Recording;

/// Which part of a recording: from where, to where. Unix nanoseconds on its axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The first moment.
    pub from: u64,
    /// The last moment.
    pub to: u64,
}

impl Part {
    /// Reads `--from` and `--to`: a time (`2026-07-31T14:03:22Z`), or how long after the
    /// beginning (`90s`).
    ///
    /// # Errors
    /// When one makes no sense, or nothing of the recording lies between them.
    pub fn read(recording: &Recording, from: Option<&str>, to: Option<&str>) -> Result<Self, String> {
        let (start, end) = recording.span();
        let part = Self {
            from: from.map_or(Ok(start), |text| instant(start, "--from", text))?,
            to: to.map_or(Ok(end), |text| instant(start, "--to", text))?,
        };
        if part.from > part.to || part.from > end || part.to < start {
            return Err(format!(
                "nothing of the recording lies between --from and --to → it goes from {} to {}",
                wall(start),
                wall(end)
            ));
        }
        Ok(part)
    }

    /// Whether a moment lies in it.
    #[must_use]
    pub fn holds(self, at: u64) -> bool {
        (self.from..=self.to).contains(&at)
    }
}

/// Reads a moment of a recording: a time (`2026-07-31T14:03:22Z`), or how long after the
/// beginning (`90s`). Unix nanoseconds on the recording's axis.
///
/// # Errors
/// When it is neither, or not within the recording; `name` is the option's.
pub fn moment(recording: &Recording, name: &str, text: &str) -> Result<u64, String> {
    let (start, end) = recording.span();
    let at = instant(start, name, text)?;
    if (start..=end).contains(&at) {
        return Ok(at);
    }
    Err(format!(
        "{name} {}: not within the recording → it goes from {} to {}",
        text::safe(text),
        wall(start),
        wall(end)
    ))
}

fn instant(start: u64, name: &str, text: &str) -> Result<u64, String> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(u64::try_from(at.as_nanosecond()).unwrap_or(0));
    }
    parse_duration(text)
        .map(|after| start.saturating_add(u64::try_from(after.as_nanos()).unwrap_or(u64::MAX)))
        .map_err(|_| {
            format!(
                "{name} {}: neither a time nor a duration → write it like {} or 90s",
                text::safe(text),
                wall(start)
            )
        })
}

//! What is typed into a form, read.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use crate::act::fire::{MAX_CONCURRENCY, SecretSource};
use crate::act::pace::Rate;
use crate::base::text;
use crate::config::parse_duration;

/// A place that was typed. What is none may be the key itself: it is not repeated.
pub(super) fn place_of(typed: &str) -> Result<SecretSource, String> {
    if let Some(name) = typed.strip_prefix('$') {
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if !name.is_empty() && name.chars().all(is_name) && !name.starts_with(|c: char| c.is_ascii_digit()) {
            return Ok(SecretSource::Variable(name.to_owned()));
        }
    } else if typed.starts_with('/') {
        return Ok(SecretSource::File(PathBuf::from(typed)));
    }
    Err("a key is never typed here → give $VARIABLE, or the /path/of/a/file that holds it".to_owned())
}

pub(super) fn count_of(typed: &str) -> Result<u64, String> {
    let digits: String = typed.chars().filter(|c| !matches!(c, ',' | '_' | ' ')).collect();
    match digits.parse() {
        Ok(0) => Err("count 0: there is nothing to fire → give 1 or more".to_owned()),
        Ok(count) => Ok(count),
        Err(_) => Err(format!(
            "count {}: it is no whole number → give 1 or more",
            short(typed)
        )),
    }
}

pub(super) fn rate_of(typed: &str) -> Result<f64, String> {
    let number = typed.trim_end_matches("/s").replace([',', '_'], "");
    let rate: f64 = number
        .trim()
        .parse()
        .map_err(|_| format!("rate {}: it is no number → give webhooks a second", short(typed)))?;
    Rate::per_second(rate).map_err(|error| error.to_string())?;
    Ok(rate)
}

pub(super) fn lasts_of(typed: &str) -> Result<Duration, String> {
    let lasts = parse_duration(&typed.replace(' ', "")).map_err(|reason| format!("for {}: {reason}", short(typed)))?;
    if lasts.is_zero() {
        return Err("for 0: there is nothing to fire → give a time above 0".to_owned());
    }
    Ok(lasts)
}

pub(super) fn concurrency_of(typed: &str) -> Result<NonZeroUsize, String> {
    let lanes = count_of(typed).map_err(|reason| reason.replacen("count", "concurrency", 1))?;
    let lanes = usize::try_from(lanes).ok().and_then(NonZeroUsize::new);
    lanes.filter(|lanes| lanes.get() <= MAX_CONCURRENCY).ok_or_else(|| {
        format!(
            "concurrency {}: more than {MAX_CONCURRENCY} connections → give fewer",
            short(typed)
        )
    })
}

fn short(typed: &str) -> String {
    text::cut(&text::safe(typed), 40).into_owned()
}

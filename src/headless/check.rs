//! `hookwatch check`: one line and an exit code, as monitoring plug-ins do it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::json::{self, Number};
use super::observe::{unanswered, unreadable};
use super::perfdata::Perfdata;
use crate::base::text;
use crate::config::Thresholds;
use crate::model::field::{Unit, show};
use crate::model::{Reading, Severity, SourceView, Verdict, View};
use crate::sample::SourceId;

/// What a monitoring system knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// All is well.
    Ok,
    /// Look at it.
    Warning,
    /// Act now.
    Critical,
    /// It could not be found out.
    Unknown,
}

impl Status {
    /// The exit code of the plug-in convention.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Warning => 1,
            Self::Critical => 2,
            Self::Unknown => 3,
        }
    }

    /// The word that the line begins with.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// What a check concludes.
#[derive(Clone, Debug)]
pub struct Judgement {
    /// How it stands.
    pub status: Status,
    /// One sentence for each reason, the worst first.
    pub reasons: Vec<Reason>,
    /// The figures behind it.
    pub perfdata: Vec<Perfdata>,
    /// The profile; `None`: several, or none.
    profile: Option<Arc<str>>,
    /// Of several profiles: each with how it stands.
    profiles: Vec<(Arc<str>, Status)>,
    /// What to say when there is nothing to complain of.
    well: String,
}

/// One reason for a status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// A verdict's id, `lag`, or `source`.
    pub id: Arc<str>,
    /// How it weighs.
    pub status: Status,
    /// One sentence.
    pub text: String,
    /// What to do; may be empty.
    pub next: String,
    /// The profile, where several were checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<Arc<str>>,
}

impl Reason {
    /// One sentence and what to do, with the profile where there are several.
    fn told(&self) -> String {
        let arrow = if self.next.is_empty() { "" } else { " → " };
        let told = format!("{}{arrow}{}", self.text, self.next);
        match &self.profile {
            Some(profile) => format!("{profile}: {told}"),
            None => told,
        }
    }
}

impl Status {
    /// The worst first: what is critical needs somebody now, and what is not known might be.
    fn rank(self) -> u8 {
        match self {
            Self::Critical => 0,
            Self::Unknown => 1,
            Self::Warning => 2,
            Self::Ok => 3,
        }
    }
}

/// Judges what is known: a critical verdict, or the oldest waiting webhook beyond its critical
/// threshold, is critical; else a configured source that cannot be read, or not in what is judged
/// by, makes it unknown; else a warning is a warning.
#[must_use]
pub fn judge(view: &View, thresholds: &Thresholds, expected: &[SourceId]) -> Judgement {
    let mut reasons: Vec<Reason> = view.verdicts.iter().filter_map(verdict).collect();
    reasons.extend(lag(view, thresholds));
    let missing = unanswered(view, expected);
    reasons.extend(
        missing
            .iter()
            .map(|id| silent(id, view.sources.iter().find(|s| s.id == *id))),
    );
    reasons.extend(unreadable(view).map(|(panel, problem)| unknown(&format!("{}: {problem}", panel.relation()))));
    reasons.sort_by_key(|reason| reason.status.rank());
    Judgement {
        profiles: Vec::new(),
        status: reasons.first().map_or(Status::Ok, |reason| reason.status),
        reasons,
        perfdata: perfdata(view, thresholds),
        profile: Some(view.profile.clone()),
        well: well(view),
    }
}

/// Several profiles together: as bad as the worst of them, each reason and each figure with the
/// profile's name. One alone stays as it is.
#[must_use]
pub fn judge_all(judgements: Vec<Judgement>) -> Judgement {
    let [first, _, ..] = judgements.as_slice() else {
        let only = judgements.into_iter().next();
        return only.unwrap_or_else(|| Judgement::refused("there is no profile to check"));
    };
    let mut all = Judgement {
        status: first.status,
        reasons: Vec::new(),
        perfdata: Vec::new(),
        profile: None,
        profiles: Vec::new(),
        well: String::new(),
    };
    let mut well = Vec::new();
    for judgement in judgements {
        let name = judgement.profile.unwrap_or_else(|| "-".into());
        if judgement.status.rank() < all.status.rank() {
            all.status = judgement.status;
        }
        all.reasons.extend(judgement.reasons.into_iter().map(|reason| Reason {
            profile: Some(name.clone()),
            ..reason
        }));
        all.perfdata
            .extend(judgement.perfdata.into_iter().map(|figure| figure.of(&name)));
        all.profiles.push((name, judgement.status));
        well.push(judgement.well);
    }
    all.reasons.sort_by_key(|reason| reason.status.rank());
    all.well = well.join("; ");
    all
}

/// The figures that matter, when there is nothing to complain of.
fn well(view: &View) -> String {
    let flow = &view.flow;
    format!(
        "{}: backlog {}, oldest waiting {}, processing {}, dead letters {}",
        view.profile,
        show(&flow.backlog, Unit::Count),
        show(&flow.oldest_waiting_s, Unit::Seconds),
        show(&flow.processed_per_s, Unit::PerSecond),
        show(&flow.dead, Unit::Count),
    )
}

fn verdict(verdict: &Verdict) -> Option<Reason> {
    let status = match verdict.severity {
        Severity::Info => return None,
        Severity::Warning => Status::Warning,
        Severity::Critical => Status::Critical,
    };
    Some(Reason {
        id: verdict.id.clone(),
        status,
        text: verdict.text.clone(),
        next: verdict.next.clone(),
        profile: None,
    })
}

/// From where on the age of the oldest waiting webhook is a warning, and critical, seconds: by the
/// configuration, else by the stream's metadata, else by the defaults.
fn limits(view: &View, thresholds: &Thresholds) -> (f64, f64) {
    let (warning, critical) = (thresholds.lag.0.as_secs_f64(), thresholds.lag.1.as_secs_f64());
    let critical = view.lag_critical_s.unwrap_or(critical);
    (warning.min(critical), critical)
}

fn lag(view: &View, thresholds: &Thresholds) -> Option<Reason> {
    let reading = &view.flow.oldest_waiting_s;
    let oldest = reading.value.filter(|_| !reading.is_stale())?;
    let (warning, critical) = limits(view, thresholds);
    let (status, limit) = if oldest > critical {
        (Status::Critical, critical)
    } else if oldest > warning {
        (Status::Warning, warning)
    } else {
        return None;
    };
    let told = |seconds| Duration::try_from_secs_f64(seconds).map_or_else(|_| text::UNKNOWN.to_owned(), text::duration);
    let age = told(oldest);
    Some(Reason {
        id: "lag".into(),
        status,
        text: format!("the oldest webhook waits {age}, over {}", told(limit)),
        next: String::new(),
        profile: None,
    })
}

/// A configured source that cannot be read.
fn silent(id: &SourceId, source: Option<&SourceView>) -> Reason {
    let why = source.and_then(|source| source.error.as_deref());
    unknown(&match why {
        Some(error) => format!("{} cannot be read: {error}", id.name),
        None => format!("{} cannot be read: it has not answered yet", id.name),
    })
}

/// Something that cannot be found out, as its error says it: the reason, an arrow, the next step.
fn unknown(error: &str) -> Reason {
    let (text, next) = text::advice(error);
    Reason {
        id: "source".into(),
        status: Status::Unknown,
        text: text.to_owned(),
        next: next.unwrap_or_default().to_owned(),
        profile: None,
    }
}

fn perfdata(view: &View, thresholds: &Thresholds) -> Vec<Perfdata> {
    let flow = &view.flow;
    let (warning, critical) = limits(view, thresholds);
    // What was known before its source fell silent would be drawn as what is.
    let now = |reading: &Reading| reading.value.filter(|_| !reading.is_stale());
    vec![
        Perfdata::new("backlog", now(&flow.backlog), ""),
        Perfdata::new("oldest", now(&flow.oldest_waiting_s), "s").limits(warning, critical),
        Perfdata::new("received", now(&flow.received_per_s), ""),
        Perfdata::new("processed", now(&flow.processed_per_s), ""),
        Perfdata::new("written", now(&flow.written_per_s), ""),
        Perfdata::new("dead_letters", now(&flow.dead), ""),
    ]
}

impl Judgement {
    /// A check that could not be made at all.
    #[must_use]
    pub fn refused(why: &str) -> Self {
        Self {
            status: Status::Unknown,
            reasons: vec![Reason {
                id: "refused".into(),
                status: Status::Unknown,
                text: why.to_owned(),
                next: String::new(),
                profile: None,
            }],
            profiles: Vec::new(),
            perfdata: Vec::new(),
            profile: None,
            well: String::new(),
        }
    }

    /// The line: `CRITICAL - text (and 2 more) | backlog=…`.
    #[must_use]
    pub fn line(&self) -> String {
        let text = match self.reasons.as_slice() {
            [] => self.well.clone(),
            [only] => only.told(),
            [first, rest @ ..] => format!("{} (and {} more)", first.told(), rest.len()),
        };
        // A bar would begin the performance data, a line break would end the line.
        let text = text::safe(&text).replace('|', "/");
        let figures: Vec<String> = self.perfdata.iter().map(ToString::to_string).collect();
        if figures.is_empty() {
            format!("{} - {text}", self.status.word())
        } else {
            format!("{} - {text} | {}", self.status.word(), figures.join(" "))
        }
    }

    /// The same as one JSON object on one line.
    ///
    /// # Errors
    /// None that is known.
    pub fn json(&self) -> Result<String, serde_json::Error> {
        #[derive(Serialize)]
        struct Out<'a> {
            status: Status,
            code: u8,
            profile: Option<&'a str>,
            #[serde(skip_serializing_if = "Vec::is_empty")]
            profiles: Vec<Member<'a>>,
            reasons: &'a [Reason],
            figures: BTreeMap<&'a str, Number>,
        }
        #[derive(Serialize)]
        struct Member<'a> {
            profile: &'a str,
            status: Status,
            code: u8,
        }
        let members = self.profiles.iter().map(|(profile, status)| Member {
            profile,
            status: *status,
            code: status.exit_code(),
        });
        json::line(&Out {
            status: self.status,
            code: self.status.exit_code(),
            profile: self.profile.as_deref(),
            profiles: members.collect(),
            reasons: &self.reasons,
            figures: self
                .perfdata
                .iter()
                .map(|figure| (&*figure.label, figure.value))
                .collect(),
        })
    }
}

//! Letters from a file, put into a dead letter stream again: what an export wrote is read back.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead};
use std::sync::Arc;

use async_nats::HeaderMap;
use async_nats::header::{HeaderName, HeaderValue, NATS_MESSAGE_ID};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::exchange::{Exchange, ExchangeError, PATIENCE};
use super::hash;
use super::journal::Hash;
use super::permit::{Permit, Refusal};
use crate::base::text;
use crate::observe::letters::{LetterError, Mailbox, Reading};

/// The header that names an imported letter: what is in the stream already is not put there twice.
pub const IMPORT_ID: &str = "Hookwatch-Import-Id";

/// Letters on their way at the same time.
const IN_FLIGHT: usize = 256;

/// Bytes of a line at most: a message's limit in base64, and more.
const LONGEST: usize = 128 << 20;

/// Refusals that are told.
const TOLD: usize = 20;

/// A letter of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// Its line, from 1.
    pub line: u64,
    /// Where it lies.
    pub subject: Arc<str>,
    /// Its headers but for NATS's own.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Its payload.
    pub payload: Bytes,
    /// What it is known by: the same letter has the same.
    pub id: Hash,
}

/// Why a file is not imported. Nothing was sent.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file cannot be read.
    #[error("read the letters: {0} → check path and rights")]
    Read(#[from] io::Error),
    /// A line is no letter.
    #[error("line {line}: {reason} → import what hookwatch dlq export wrote")]
    Line {
        /// From 1.
        line: u64,
        /// What is wrong.
        reason: String,
    },
    /// There is nothing in it.
    #[error("the file holds no letters → check that it is the right one")]
    Empty,
    /// The stream would not take it.
    #[error(
        "line {line}: the subject {subject} is none of {dlq}'s → give the stream that it was exported from, with --dlq"
    )]
    Subject {
        /// From 1.
        line: u64,
        /// The subject.
        subject: String,
        /// The stream.
        dlq: String,
    },
    /// There is no permit.
    #[error(transparent)]
    Refusal(#[from] Refusal),
    /// The server did not answer as it should.
    #[error("ask the server: {0} → check the connection and the rights")]
    Exchange(#[from] ExchangeError),
    /// The stream cannot be read.
    #[error(transparent)]
    Letters(#[from] LetterError),
}

/// What an import would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ImportPlan {
    /// The stream.
    pub dlq: Arc<str>,
    /// Letters.
    pub count: u64,
    /// Bytes of their payloads.
    pub bytes: u64,
    /// How many are there already.
    pub there: u64,
    /// The hash of all of this and of every letter.
    pub hash: Hash,
    #[serde(skip)]
    letters: Vec<Imported>,
}

/// What an import did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ImportReport {
    /// Put into the stream.
    pub imported: u64,
    /// There already.
    pub there: u64,
    /// Not taken.
    pub refused: u64,
    /// Nobody knows: an import again settles it.
    pub unknown: u64,
    /// The first reasons, a line each.
    pub reasons: Vec<String>,
}

impl ImportReport {
    /// Whether every letter is there now.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.refused + self.unknown == 0
    }
}

/// Reads letters, a JSON object a line.
///
/// # Errors
/// The first line that is no letter.
pub fn read(mut lines: impl BufRead) -> Result<Vec<Imported>, ImportError> {
    let mut letters = Vec::new();
    let mut buffer = Vec::new();
    for line in 1.. {
        buffer.clear();
        let mut limited = io::Read::take(&mut lines, LONGEST as u64);
        if limited.read_until(b'\n', &mut buffer)? == 0 {
            break;
        }
        if buffer.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        letters.push(letter(line, &buffer).map_err(|reason| ImportError::Line { line, reason })?);
    }
    if letters.is_empty() {
        return Err(ImportError::Empty);
    }
    Ok(letters)
}

fn letter(line: u64, text: &[u8]) -> Result<Imported, String> {
    #[derive(Deserialize)]
    struct Written {
        subject: String,
        headers: Vec<(String, String)>,
        payload: Option<String>,
        payload_base64: Option<String>,
    }
    let written: Written = serde_json::from_slice(text).map_err(|error| text::safe(&error.to_string()).into_owned())?;
    let payload: Bytes = match (written.payload, written.payload_base64) {
        (Some(text), None) => text.into(),
        (None, Some(text)) => STANDARD
            .decode(text)
            .map_err(|error| format!("payload_base64: {error}"))?
            .into(),
        _ => return Err("it needs either payload or payload_base64".to_owned()),
    };
    let is_subject = !written.subject.is_empty()
        && written
            .subject
            .split('.')
            .all(|token| !token.is_empty() && token != "*" && token != ">")
        && !written.subject.contains(char::is_whitespace);
    if !is_subject {
        return Err(format!("{:?} is no subject", text::safe(&written.subject)));
    }
    let mut own = written.headers;
    own.retain(|(name, _)| {
        let name = name.to_ascii_lowercase();
        // NATS's own would be acted upon: a rollup purges, a TTL expires.
        !name.starts_with("nats-") && !name.eq_ignore_ascii_case(IMPORT_ID)
    });
    let named = serde_json::to_string(&(&written.subject, &own, hash::short(&payload))).unwrap_or_default();
    let headers = own
        .into_iter()
        .map(|(name, value)| {
            let wrong = || format!("the header {:?} cannot be sent", text::safe(&name));
            Ok((name.parse().map_err(|_| wrong())?, value.parse().map_err(|_| wrong())?))
        })
        .collect::<Result<_, String>>()?;
    Ok(Imported {
        line,
        subject: written.subject.into(),
        headers,
        payload,
        id: hash::short(named.as_bytes()),
    })
}

/// Looks what of it is there already, and whether the stream takes it.
///
/// # Errors
/// When it does not, or cannot be asked.
pub async fn plan(exchange: &Exchange, mailbox: &Mailbox, letters: Vec<Imported>) -> Result<ImportPlan, ImportError> {
    let dlq = mailbox.stream().clone();
    let mut takers: BTreeMap<Arc<str>, bool> = BTreeMap::new();
    for letter in &letters {
        let known = takers.get(&letter.subject).copied();
        let taken = match known {
            Some(taken) => taken,
            None => exchange.taker(&letter.subject).await?.is_some_and(|taker| taker == dlq),
        };
        if !taken {
            return Err(ImportError::Subject {
                line: letter.line,
                subject: text::safe(&letter.subject).into_owned(),
                dlq: text::safe(&dlq).into_owned(),
            });
        }
        takers.insert(letter.subject.clone(), taken);
    }
    let there = ids_in(mailbox).await?;
    let all = letters.len();
    // The same letter twice in a file is one letter.
    let mut seen = there;
    let letters: Vec<Imported> = letters
        .into_iter()
        .filter(|letter| seen.insert(letter.id.clone()))
        .collect();
    let mut text = format!("{dlq}\n");
    for letter in &letters {
        text.push_str(&letter.id);
        text.push('\n');
    }
    Ok(ImportPlan {
        dlq,
        count: letters.len() as u64,
        bytes: letters.iter().map(|letter| letter.payload.len() as u64).sum(),
        there: (all - letters.len()) as u64,
        hash: hash::short(text.as_bytes()),
        letters,
    })
}

/// The import ids of the letters that are there.
async fn ids_in(mailbox: &Mailbox) -> Result<BTreeSet<Hash>, LetterError> {
    let mut scan = mailbox.scan(&Reading::default()).await?;
    let mut ids = BTreeSet::new();
    while let Some(batch) = scan.next().await? {
        ids.extend(
            batch
                .messages
                .iter()
                .filter_map(|stored| stored.header(IMPORT_ID).cloned()),
        );
    }
    Ok(ids)
}

/// Puts the letters of a plan into their stream.
///
/// # Errors
/// When nothing was sent.
pub async fn import(exchange: &Exchange, plan: &ImportPlan, permit: Permit) -> Result<ImportReport, ImportError> {
    permit.redeem(&plan.hash)?;
    let mut report = ImportReport {
        there: plan.there,
        ..ImportReport::default()
    };
    for some in plan.letters.chunks(IN_FLIGHT) {
        let mut answers = Vec::with_capacity(some.len());
        for letter in some {
            let mut headers = HeaderMap::new();
            for (name, value) in &letter.headers {
                headers.append(name.clone(), value.clone());
            }
            headers.insert(IMPORT_ID, &*letter.id);
            headers.insert(NATS_MESSAGE_ID, format!("import-{}", letter.id));
            headers.insert("Nats-Expected-Stream", &*plan.dlq);
            let sent = exchange
                .send(letter.subject.to_string(), headers, letter.payload.clone())
                .await;
            answers.push((letter.line, sent));
        }
        for (line, answer) in answers {
            let outcome = match answer {
                Ok(answer) => answer.acked(PATIENCE).await,
                Err(error) => Err(error),
            };
            match outcome {
                Ok(ack) if ack.duplicate => report.there += 1,
                Ok(_) => report.imported += 1,
                Err(error) => {
                    let count = if error.is_open() {
                        &mut report.unknown
                    } else {
                        &mut report.refused
                    };
                    *count += 1;
                    if report.reasons.len() < TOLD {
                        report.reasons.push(format!("line {line}: {error}"));
                    }
                }
            }
        }
    }
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Result<Vec<Imported>, ImportError> {
        read(text.as_bytes())
    }

    #[test]
    fn what_is_no_letter_is_named_by_its_line() {
        for (text, words) in [
            ("{}\n", "line 1: missing field"),
            ("\n\nnonsense\n", "line 3: expected"),
            (r#"{"subject":"a.b","headers":[]}"#, "either payload or payload_base64"),
            (r#"{"subject":"a.*","headers":[],"payload":""}"#, "is no subject"),
            (
                r#"{"subject":"a.b","headers":[],"payload_base64":"%"}"#,
                "payload_base64",
            ),
            (
                r#"{"subject":"a.b","headers":[["a b\n","x"]],"payload":""}"#,
                "cannot be sent",
            ),
            (" \n", "no letters"),
        ] {
            let error = lines(text).unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn headers_keep_their_repeats_and_nats_does_not_act_on_any() {
        let text =
            r#"{"subject":"a.b","headers":[["X-A","1"],["X-A"," 2"],["Nats-Rollup","all"]],"payload_base64":"/w=="}"#;
        let letter = lines(text).unwrap().remove(0);
        let headers: Vec<(&str, &str)> = letter.headers.iter().map(|(n, v)| (n.as_ref(), v.as_str())).collect();
        assert_eq!(headers, [("X-A", "1"), ("X-A", " 2")]);
        assert_eq!(letter.payload, &b"\xff"[..]);
        let other = lines(&text.replace("/w==", "/g==")).unwrap().remove(0);
        assert_ne!(letter.id, other.id);
        let again = text.replace("\"Nats-Rollup\"", "\"Hookwatch-Import-Id\"");
        assert_eq!(letter.id, lines(&again).unwrap().remove(0).id, "exported once more");
    }
}

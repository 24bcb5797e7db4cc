//! Messages of a stream, read by sequence: no consumer, no ack.

use std::time::Duration;

use async_nats::Client;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;

use crate::base::time::Timestamp;

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(2);

/// A stored message.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) seq: u64,
    pub(super) stored_at: Timestamp,
    pub(super) headers: Vec<(String, String)>,
    pub(super) payload: Vec<u8>,
}

impl Message {
    /// The first header of a name, whatever its case.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// Reads messages of one stream.
#[derive(Debug)]
pub(super) struct Reader {
    client: Client,
    subject: String,
}

#[derive(Deserialize)]
struct Answer {
    error: Option<Refused>,
    message: Option<Stored>,
}

#[derive(Deserialize)]
struct Refused {
    #[serde(default)]
    code: u64,
    #[serde(default)]
    description: String,
}

#[derive(Deserialize)]
struct Stored {
    seq: u64,
    time: Timestamp,
    #[serde(default)]
    hdrs: String,
    #[serde(default)]
    data: String,
}

impl Reader {
    pub(super) fn new(client: Client, api_prefix: &str, stream: &str) -> Self {
        let prefix = api_prefix.trim_end_matches('.');
        Self {
            client,
            subject: format!("{prefix}.STREAM.MSG.GET.{stream}"),
        }
    }

    /// The first message from `seq` on; `None`: there is none yet.
    pub(super) async fn next(&self, seq: u64) -> Result<Option<Message>, String> {
        self.get(&json!({"seq": seq, "next_by_subj": ">"})).await
    }

    /// The message at `seq`; `None`: it is gone, or not there yet.
    pub(super) async fn at(&self, seq: u64) -> Result<Option<Message>, String> {
        self.get(&json!({ "seq": seq })).await
    }

    async fn get(&self, what: &serde_json::Value) -> Result<Option<Message>, String> {
        let request = self.client.request(self.subject.clone(), what.to_string().into());
        let answer = tokio::time::timeout(ANSWER, request)
            .await
            .map_err(|_| format!("no answer within {}", crate::base::text::duration(ANSWER)))?
            .map_err(|error| error.to_string())?;
        let answer: Answer =
            serde_json::from_slice(&answer.payload).map_err(|error| format!("the answer is unreadable: {error}"))?;
        match (answer.error, answer.message) {
            (Some(error), _) if error.code == 404 && !error.description.contains("stream not found") => Ok(None),
            (Some(error), _) => Err(error.description),
            (None, Some(stored)) => Ok(Some(Message {
                seq: stored.seq,
                stored_at: stored.time,
                headers: headers(&STANDARD.decode(stored.hdrs).unwrap_or_default()),
                payload: STANDARD.decode(stored.data).unwrap_or_default(),
            })),
            (None, None) => Err("the answer holds neither a message nor an error".to_owned()),
        }
    }
}

/// `NATS/1.0`, then a name and a value a line.
fn headers(block: &[u8]) -> Vec<(String, String)> {
    let block = String::from_utf8_lossy(block);
    let lines = block.split("\r\n").skip(1).filter_map(|line| line.split_once(':'));
    lines
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_block_is_read_line_by_line() {
        let read = headers(b"NATS/1.0\r\nX-Id: a:b\r\nEmpty:\r\n\r\n");
        assert_eq!(
            read,
            [
                ("X-Id".to_owned(), "a:b".to_owned()),
                ("Empty".to_owned(), String::new())
            ]
        );
    }
}

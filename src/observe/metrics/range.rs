//! What a Prometheus server remembers: one range query after the other (`/api/v1/query_range`).

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::Url;
use serde::Deserialize;

use super::PAGE_LIMIT;
use super::client::{ClientPool, shown};
use crate::base::cause::root;
use crate::base::text;
use crate::config::Tls;
use crate::observe::SourceError;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// One series of an answer.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct RangeSeries {
    /// Its labels: strangers' text.
    #[serde(default)]
    pub metric: BTreeMap<String, String>,
    /// Unix seconds and the value as Prometheus writes it.
    pub values: Vec<(f64, String)>,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    data: Option<Data>,
    #[serde(default)]
    error: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    result_type: String,
    result: serde_json::Value,
}

/// A Prometheus server's memory.
#[derive(Debug)]
pub struct RangeClient {
    client: reqwest::Client,
    url: Url,
    shown: String,
}

impl RangeClient {
    /// A server by its base URL; user and password may stand in it.
    ///
    /// # Errors
    /// When it is no URL, or there is no TLS.
    pub fn new(base: &str) -> Result<Self, SourceError> {
        let wrong = |reason: &str| {
            SourceError::new("use", "--history".to_owned(), reason).next("write it like http://prometheus:9090")
        };
        let mut url = Url::parse(base).map_err(|error| wrong(&format!("its URL is none: {error}")))?;
        let path = format!("{}/api/v1/query_range", url.path().trim_end_matches('/'));
        url.set_path(&path);
        url.set_query(None);
        Ok(Self {
            client: ClientPool::default().client(&url, &Tls::default())?,
            shown: shown(&url),
            url,
        })
    }

    /// The server without user and password.
    #[must_use]
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// The answer to a `PromQL` query for every `step` seconds from `start` to `end`, unix seconds.
    ///
    /// # Errors
    /// When the server does not answer, refuses, or answers something else.
    pub async fn query(&self, query: &str, start: i64, end: i64, step: u64) -> Result<Vec<RangeSeries>, SourceError> {
        let failed = |reason: &str| {
            SourceError::new("ask", self.shown.clone(), &text::safe(reason)).next("is that a Prometheus server?")
        };
        let ask = async {
            let parameters = [
                ("query", query.to_owned()),
                ("start", start.to_string()),
                ("end", end.to_string()),
                ("step", step.to_string()),
            ];
            let mut response = self.client.get(self.url.clone()).query(&parameters).send().await?;
            let (status, mut body) = (response.status(), Vec::new());
            while let Some(chunk) = response.chunk().await? {
                body.extend_from_slice(&chunk);
                if body.len() as u64 > PAGE_LIMIT {
                    break;
                }
            }
            Ok::<_, reqwest::Error>((status, body))
        };
        let (status, body) = match tokio::time::timeout(PATIENCE, ask).await {
            Ok(answered) => answered.map_err(|error| failed(&root(&error.without_url())))?,
            Err(_) => return Err(failed(&format!("no answer within {}", text::duration(PATIENCE)))),
        };
        if body.len() as u64 > PAGE_LIMIT {
            return Err(failed("its answer is larger than 16 MiB"));
        }
        let answer: Answer = serde_json::from_slice(&body)
            .map_err(|_| failed(&format!("HTTP {}, and the answer is not Prometheus's", status.as_u16())))?;
        match answer {
            Answer { data: Some(data), .. } if data.result_type == "matrix" => {
                serde_json::from_value(data.result).map_err(|error| failed(&error.to_string()))
            }
            Answer { error: Some(error), .. } => Err(failed(&error)),
            _ => Err(failed("it answered something else than a range")),
        }
    }
}

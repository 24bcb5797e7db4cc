//! Dead letters: further headers, and the query that knows what was processed.

use std::sync::Arc;

use serde_json_path::JsonPath;

use super::{Resolver, pick};
use crate::base::sql::one_select;
use crate::base::text;
use crate::config::document::{Key, Setting};
use crate::config::problem::Problem;
use crate::config::profile::{DeadLetters, LetterHeaders};
use crate::config::schema::{LetterHeadersSection, ProfileSection};

impl Resolver<'_> {
    /// What is peculiar to the dead letters.
    pub(super) fn dead_letters(&mut self, layers: &[ProfileSection]) -> DeadLetters {
        let mut shown = |name: &str, key: Option<Setting<String>>| {
            let setting = key?;
            let key = format!("dead_letters.{name}");
            self.show(key.clone(), setting.value.clone(), &setting.origin);
            Some((key, setting))
        };
        let processed = shown("processed", pick(layers, |layer| &layer.dead_letters.processed));
        let id_header = shown("id_header", pick(layers, |layer| &layer.dead_letters.id_header));
        let id_path = shown("id_path", pick(layers, |layer| &layer.dead_letters.id_path));
        if let Some((key, query)) = &processed
            && let Err(what) = question(&query.value)
        {
            let what = format!("`{key}` cannot be asked: {what}");
            let next = "write one SELECT that returns a row when the webhook $1 was processed";
            self.problem(Problem::new(&query.origin, what).next(next));
        }
        if let Some((key, header)) = &id_header {
            self.header_names(key, std::slice::from_ref(&header.value), header);
        }
        if let Some((key, path)) = &id_path
            && let Err(error) = JsonPath::parse(&path.value)
        {
            let what = format!("`{key}` is no JSONPath: {error}");
            self.problem(Problem::new(&path.origin, what).next("write it like $.data.id"));
        }
        let value = |read: Option<(String, Setting<String>)>| read.map(|(_, setting)| setting.value);
        DeadLetters {
            headers: self.letter_headers(layers),
            processed: value(processed),
            id_header: value(id_header),
            id_path: value(id_path),
        }
    }

    fn letter_headers(&mut self, layers: &[ProfileSection]) -> LetterHeaders {
        let mut names = |name: &str, key: fn(&LetterHeadersSection) -> &Key<Vec<String>>| -> Vec<Arc<str>> {
            let Some(setting) = pick(layers, |layer| key(&layer.dead_letters.headers)) else {
                return Vec::new();
            };
            let key = format!("dead_letters.headers.{name}");
            self.show(key.clone(), setting.value.join(", "), &setting.origin);
            self.header_names(&key, &setting.value, &setting);
            setting.value.into_iter().map(Arc::from).collect()
        };
        LetterHeaders {
            subject: names("subject", |headers| &headers.subject),
            stream: names("stream", |headers| &headers.stream),
            sequence: names("sequence", |headers| &headers.sequence),
            consumer: names("consumer", |headers| &headers.consumer),
            deliveries: names("deliveries", |headers| &headers.deliveries),
            reason: names("reason", |headers| &headers.reason),
            failed_at: names("failed_at", |headers| &headers.failed_at),
            strip: names("strip", |headers| &headers.strip),
        }
    }

    /// A name that is none would match nothing, or as a beginning everything.
    fn header_names<T>(&mut self, key: &str, names: &[String], setting: &Setting<T>) {
        let is_name =
            |name: &str| !name.is_empty() && name.bytes().all(|byte| (b'!'..=b'~').contains(&byte) && byte != b':');
        for name in names.iter().filter(|name| !is_name(name)) {
            let what = format!("`{key}`: {:?} is no header's name", text::safe(name));
            self.problem(Problem::new(&setting.origin, what).next("write names like X-Dead-Reason"));
        }
    }
}

fn question(query: &str) -> Result<(), &'static str> {
    one_select(query)?;
    if query.contains("$1") {
        Ok(())
    } else {
        Err("it does not ask for $1")
    }
}

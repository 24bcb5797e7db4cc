//! Keeping secrets out of everything that is shown, logged, recorded or exported.

use std::borrow::Cow;

/// What stands where a secret stood.
pub const MASK: &str = "•••";

/// Secrets shorter than this are not searched for in free text: masking every "a" would
/// destroy the text and hide nothing.
const SHORTEST: usize = 4;

/// Replaces the secrets that a profile holds, and the passwords and tokens inside URLs,
/// wherever they turn up in text that is on its way out.
#[derive(Clone, Default)]
pub struct Redactor {
    literals: Vec<String>,
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Redactor({} secrets)", self.literals.len())
    }
}

impl Redactor {
    /// Adds a secret to look for.
    pub fn learn(&mut self, secret: &str) {
        let secret = secret.trim();
        if secret.len() >= SHORTEST && !self.literals.iter().any(|known| known == secret) {
            self.literals.push(secret.to_owned());
            // Longest first, so that a secret that contains another is masked whole.
            self.literals.sort_by_key(|s| std::cmp::Reverse(s.len()));
        }
    }

    /// One that looks for the secrets of all of them.
    #[must_use]
    pub fn of_all<'a>(all: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut out = Self::default();
        for secret in all.into_iter().flat_map(|one| &one.literals) {
            out.learn(secret);
        }
        out
    }

    /// `text` without any known secret and without URL credentials.
    #[must_use]
    pub fn clean<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut out = strip_url_credentials(text);
        for secret in &self.literals {
            if out.contains(secret.as_str()) {
                out = Cow::Owned(out.replace(secret.as_str(), MASK));
            }
        }
        out
    }
}

/// Masks what stands between `://` and `@` in every URL of `text`: `nats://user:pass@host`
/// becomes `nats://•••@host`.
#[must_use]
pub fn strip_url_credentials(text: &str) -> Cow<'_, str> {
    if !text.contains("://") {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut changed = false;
    while let Some(at) = rest.find("://") {
        let (head, tail) = rest.split_at(at + 3);
        out.push_str(head);
        let end = tail
            .find(|c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#' | '"' | '\'' | ',' | '<' | '>'))
            .unwrap_or(tail.len());
        // A password may itself hold `@`: the last one before the host's end counts.
        if let Some(sign) = tail[..end].rfind('@') {
            out.push_str(MASK);
            rest = &tail[sign..];
            changed = true;
        } else {
            rest = tail;
        }
    }
    out.push_str(rest);
    if changed { Cow::Owned(out) } else { Cow::Borrowed(text) }
}

/// Masks what stands behind the host of every web address of `text`: receivers of webhooks put
/// tokens into its path. `https://u:p@host/services/T0?k=v` becomes `https://•••@host/•••`.
#[must_use]
pub fn strip_url_paths(text: &str) -> Cow<'_, str> {
    if !text.contains("://") {
        return Cow::Borrowed(text);
    }
    let cleaned = strip_url_credentials(text);
    let mut out = String::with_capacity(cleaned.len());
    let mut rest = &*cleaned;
    while let Some(at) = rest.find("://") {
        let (head, tail) = rest.split_at(at + 3);
        out.push_str(head);
        let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ',' | '<' | '>' | ')');
        let end = tail.find(ends).unwrap_or(tail.len());
        let host = tail[..end].find(['/', '?', '#']).unwrap_or(end);
        out.push_str(&tail[..host]);
        if end > host {
            out.push('/');
        }
        if end > host + 1 {
            out.push_str(MASK);
        }
        rest = &tail[end..];
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// Masks what follows `Bearer` or `Basic` in `text`.
#[must_use]
pub fn strip_bearers(text: &str) -> Cow<'_, str> {
    const SCHEMES: [&str; 4] = ["Bearer ", "bearer ", "Basic ", "basic "];
    if !SCHEMES.iter().any(|scheme| text.contains(scheme)) {
        return Cow::Borrowed(text);
    }
    let mut out = text.to_owned();
    for scheme in SCHEMES {
        let mut from = 0;
        while let Some(at) = out[from..].find(scheme) {
            let begin = from + at + scheme.len();
            let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ',' | ';' | ')');
            let end = out[begin..].find(ends).map_or(out.len(), |end| begin + end);
            out.replace_range(begin..end, MASK);
            from = begin + MASK.len();
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_credentials_are_masked_wherever_they_stand() {
        assert_eq!(
            strip_url_credentials("connect nats://bob:s3cret@10.0.0.1:4222 refused"),
            "connect nats://•••@10.0.0.1:4222 refused"
        );
        assert_eq!(
            strip_url_credentials("nats://tok3n@a:1,nats://u:p@ss@b:2"),
            "nats://•••@a:1,nats://•••@b:2"
        );
        assert_eq!(strip_url_credentials("http://h/p?q=a@b"), "http://h/p?q=a@b");
    }

    #[test]
    fn paths_and_bearers_are_masked_wherever_they_stand() {
        for (text, expected) in [
            (
                "to https://h/a/b, then http://i:1/?k=v.",
                "to https://h/•••, then http://i:1/•••",
            ),
            ("https://h and https://h/", "https://h and https://h/"),
            ("no address: a/b", "no address: a/b"),
        ] {
            assert_eq!(strip_url_paths(text), expected);
        }
        assert_eq!(strip_bearers("Bearer abc, Basic eHg="), "Bearer •••, Basic •••");
        assert_eq!(strip_bearers("Bearer "), "Bearer •••");
    }

    #[test]
    fn known_secrets_are_masked_longest_first() {
        let mut redactor = Redactor::default();
        redactor.learn("abcd");
        redactor.learn("abcdefgh");
        redactor.learn("x");
        assert_eq!(redactor.clean("token abcdefgh and abcd, x"), "token ••• and •••, x");
    }
}

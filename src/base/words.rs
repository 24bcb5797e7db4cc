//! What a person types to find something: words, some of them unwanted.

/// What a text must hold: every word, and none of those after a `!`. Capitals do not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    /// Words that it must hold, in small letters.
    pub with: Vec<String>,
    /// Words that it must not hold, in small letters.
    pub without: Vec<String>,
}

impl Words {
    /// Reads what was typed.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut words = Self::default();
        for word in text.split_whitespace() {
            match word.strip_prefix('!') {
                Some("") => {}
                Some(word) => words.without.push(word.to_lowercase()),
                None => words.with.push(word.to_lowercase()),
            }
        }
        words
    }

    /// Whether everything passes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.with.is_empty() && self.without.is_empty()
    }

    /// Whether a text, in small letters, passes.
    #[must_use]
    pub fn passes(&self, text: &str) -> bool {
        self.with.iter().all(|word| text.contains(word.as_str()))
            && !self.without.iter().any(|word| text.contains(word.as_str()))
    }

    /// Whether bytes pass of which the ASCII letters are small: payloads need be no text.
    #[must_use]
    pub fn passes_bytes(&self, bytes: &[u8]) -> bool {
        let holds = |word: &String| memchr::memmem::find(bytes, word.as_bytes()).is_some();
        self.with.iter().all(holds) && !self.without.iter().any(holds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_must_be_there_and_none_after_a_bang() {
        let words = Words::new(" Time  !retry ! ");
        assert!(words.passes("a timeout") && words.passes_bytes(b"a \xfftimeout"));
        assert!(!words.passes("a timeout, retry") && !words.passes_bytes(b"retry the timeout"));
        assert!(!words.passes("nothing"));
        assert!(Words::new(" ! ").is_empty());
    }
}

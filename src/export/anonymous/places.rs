//! What is done at the places of a recording where names may stand.

use std::sync::Arc;

use super::Class;
use crate::sample::Layout;

/// What is done with the names and texts that are found.
pub(super) trait Places {
    /// A name.
    fn word<T: AsRef<str> + From<String>>(&mut self, class: Class, word: &mut T);
    /// A subject or a filter of subjects: its tokens are names.
    fn subject<T: AsRef<str> + From<String>>(&mut self, subject: &mut T);
    /// A text in which names may stand.
    fn text<T: AsRef<str> + From<String>>(&mut self, text: &mut T);
    /// The layout that takes the place of this one, and where each of its values stood.
    fn layout(&mut self, layout: &Arc<Layout>) -> Option<(Arc<Layout>, Arc<[usize]>)>;

    /// Names, or one that may not be there.
    fn words<'a, T: AsRef<str> + From<String> + 'a>(
        &mut self,
        class: Class,
        words: impl IntoIterator<Item = &'a mut T>,
    ) {
        words.into_iter().for_each(|word| self.word(class, word));
    }

    /// Texts, or one that may not be there.
    fn texts<'a, T: AsRef<str> + From<String> + 'a>(&mut self, texts: impl IntoIterator<Item = &'a mut T>) {
        texts.into_iter().for_each(|text| self.text(text));
    }
}

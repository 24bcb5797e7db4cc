//! NATS subjects: which filter takes which subject.

/// Whether every subject that `subject` (which may hold wildcards) stands for is taken by `filter`.
pub(crate) fn covers(filter: &str, subject: &str) -> bool {
    let (mut filter, mut subject) = (filter.split('.'), subject.split('.'));
    loop {
        match (filter.next(), subject.next()) {
            (Some(">"), Some(_)) | (None, None) => return true,
            (Some("*"), Some(token)) if token != ">" => {}
            (Some(a), Some(b)) if a == b => {}
            _ => return false,
        }
    }
}

/// Whether some filter takes the subject; no filter at all takes everything.
pub(super) fn takes(filters: &[String], subject: &str) -> bool {
    filters.is_empty() || filters.iter().any(|filter| covers(filter, subject))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_cover_what_they_stand_for() {
        assert!(covers("webhook.>", "webhook.*.*"));
        assert!(covers("webhook.*.*", "webhook.a.b"));
        assert!(covers(">", "a"));
        assert!(covers("webhook.*.*", "webhook.*.*"));
        assert!(!covers("webhook.*", "webhook.a.b"));
        assert!(!covers("webhook.>", "webhook"));
        assert!(!covers("webhook.a.*", "webhook.*.*"));
        assert!(!covers("webhook.*.*", "webhook.>"));
    }

    #[test]
    fn no_filter_takes_everything() {
        assert!(takes(&[], "x.y"));
        assert!(takes(&["a.*".into(), "b.>".into()], "b.c.d"));
        assert!(!takes(&["a.*".into()], "b.c"));
    }
}

//! Names in texts: error messages, notes. What is known by name is replaced, and what looks like
//! an address or stands quoted, too: too much rather than too little.

use std::net::{IpAddr, SocketAddr};

use super::Class;
use super::pseudonyms::{Pseudonyms, is_inside_word};

/// A text without names.
pub(super) fn scrub(text: &str, pseudonyms: &mut Pseudonyms) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut before = None;
    while let Some(first) = rest.chars().next() {
        let at_word = !before.is_some_and(is_inside_word);
        let taken = if at_word { take(rest, pseudonyms) } else { None };
        debug_assert!(taken.as_ref().is_none_or(|(length, _)| *length > 0), "{rest}");
        match taken {
            Some((length, replacement)) => {
                out.push_str(&replacement);
                before = rest[..length].chars().next_back();
                rest = &rest[length..];
            }
            None => {
                out.push(first);
                before = Some(first);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    out
}

/// What is replaced at the beginning of `text`: how much of it, and by what.
fn take(text: &str, pseudonyms: &mut Pseudonyms) -> Option<(usize, String)> {
    if let Some(quote) = text.chars().next().filter(|first| matches!(first, '"' | '\'')) {
        let inside = &text[1..];
        let end = inside.find(quote).filter(|end| *end > 0)?;
        let pseudonym = pseudonyms.of(Class::Quoted, &inside[..end]);
        return Some((end + 2, format!("{quote}{pseudonym}{quote}")));
    }
    let end = text.find(|c: char| !is_of_address(c)).unwrap_or(text.len());
    let word = text[..end].trim_end_matches(['.', ',', ':', ';', '?', '-']);
    if let Some((scheme, rest)) = word.split_once("://").filter(|(_, rest)| !rest.is_empty()) {
        let host = pseudonyms.of(Class::Host, rest);
        return Some((word.len(), format!("{scheme}://{host}")));
    }
    if let Some(name) = pseudonyms.starting(text).map(str::to_owned) {
        return Some((name.len(), pseudonyms.of(Class::Quoted, &name)));
    }
    if !is_address(word) {
        return None;
    }
    let (host, port) = split_port(word);
    let pseudonym = pseudonyms.of(Class::Host, host);
    Some((word.len(), format!("{pseudonym}{port}")))
}

fn is_of_address(c: char) -> bool {
    c.is_alphanumeric()
        || matches!(
            c,
            '_' | '-' | '.' | ':' | '/' | '•' | '@' | '%' | '~' | '?' | '=' | '&' | '+' | '[' | ']'
        )
}

/// `name:4222` in its parts; the port with its colon.
fn split_port(word: &str) -> (&str, &str) {
    if word.parse::<IpAddr>().is_ok() {
        return (word, "");
    }
    match word.rfind(':') {
        Some(at) if at + 1 < word.len() && word[at + 1..].bytes().all(|b| b.is_ascii_digit()) => word.split_at(at),
        _ => (word, ""),
    }
}

/// Whether a word is an address, the name of a host, a path or somebody's account.
fn is_address(word: &str) -> bool {
    if word.parse::<IpAddr>().is_ok() || word.parse::<SocketAddr>().is_ok() {
        return true;
    }
    if word.contains('@') || (word.starts_with('/') && word.chars().any(char::is_alphanumeric)) {
        return true;
    }
    let (host, port) = split_port(word);
    let speaks = host.chars().any(char::is_alphabetic);
    let labels: Vec<&str> = host.split('.').collect();
    let dotted = labels.len() > 1 && labels.iter().all(|label| !label.is_empty());
    let ends_in_a_word = labels
        .last()
        .is_some_and(|label| label.len() > 1 && label.chars().all(char::is_alphabetic));
    speaks && ((dotted && ends_in_a_word) || !port.is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::places::Places as _;
    use super::super::readings::Names;
    use super::*;

    fn scrubbed(text: &str) -> String {
        let mut names = Names::default();
        for (class, name) in [
            (Class::Stream, "orders"),
            (Class::Consumer, "orders-eu"),
            (Class::Provider, "acme"),
        ] {
            names.word(class, &mut name.to_owned());
        }
        scrub(text, &mut names.into_pseudonyms())
    }

    #[test]
    fn known_names_are_replaced_where_they_stand_as_words() {
        assert_eq!(
            scrubbed("consumer orders-eu of orders is gone (acme), reorders stay"),
            "consumer consumer-1 of stream-1 is gone (provider-1), reorders stay"
        );
    }

    #[test]
    fn addresses_are_replaced_and_ports_and_figures_stay() {
        for (text, clean) in [
            (
                "connect to nats://n1.acme.example:4222: refused",
                "connect to nats://host-1: refused",
            ),
            (
                "dial 10.0.0.7:9100 failed after 3.5 s",
                "dial host-1:9100 failed after 3.5 s",
            ),
            ("[::1]:5432 and fe80::1", "host-1:5432 and host-2"),
            ("lookup db.internal. Version 2.9.10", "lookup host-1. Version 2.9.10"),
            (
                "no route to db-3:5432, twice: db-3:5432",
                "no route to host-1:5432, twice: host-1:5432",
            ),
            (
                "read postgres://•••@127.0.0.1:46799/webhooks, then x:// alone",
                "read postgres://host-1, then x:// alone",
            ),
            ("ask ops@acme.example or see /etc/acme/x", "ask host-1 or see host-2"),
        ] {
            assert_eq!(scrubbed(text), clean);
        }
    }

    #[test]
    fn what_stands_quoted_is_replaced_and_an_apostrophe_quotes_nothing() {
        assert_eq!(
            scrubbed("role \"bob\" can't read relation \"orders\", it's refused"),
            "role \"name-1\" can't read relation \"stream-1\", it's refused"
        );
    }

    #[test]
    fn the_same_name_has_the_same_pseudonym() {
        assert_eq!(scrubbed("db.internal db.internal x.internal"), "host-1 host-1 host-2");
    }
}

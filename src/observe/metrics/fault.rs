//! What went wrong with a scrape, in words, and what to do about it.

use std::error::Error;
use std::io;

use reqwest::header::{LOCATION, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use rustls::{AlertDescription, CertificateError};

use super::client::shown;
use crate::base::cause::root;
use crate::base::text;

/// Columns of a stranger's body that are quoted.
const QUOTED: usize = 100;

/// A reason and the next step.
pub(in crate::observe) type Fault = (String, &'static str);

/// A stranger's bytes as one short, harmless line.
pub(in crate::observe) fn quote(body: &[u8]) -> String {
    let body = String::from_utf8_lossy(&body[..body.len().min(4 * QUOTED)]);
    let line = body.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    text::cut(&text::safe(&line), QUOTED).into_owned()
}

/// Why a request got no answer, or its answer broke off.
pub(in crate::observe) fn transport(error: reqwest::Error, https: bool) -> Fault {
    let error = error.without_url();
    let mut cause: Option<&(dyn Error + 'static)> = Some(&error);
    let mut told = String::new();
    while let Some(found) = cause {
        if let Some(fault) = found.downcast_ref::<rustls::Error>().map(tls) {
            return fault;
        }
        // What an I/O error wraps is not its source, and it may wrap another one.
        let mut io = found.downcast_ref::<io::Error>();
        while let Some(error) = io {
            let inner = error.get_ref();
            if let Some(fault) = inner
                .and_then(|inner| inner.downcast_ref())
                .map(tls)
                .or_else(|| socket(error))
            {
                return fault;
            }
            io = inner.and_then(|inner| inner.downcast_ref());
        }
        told.push_str(&found.to_string());
        told.push('\n');
        cause = found.source();
    }
    let deepest = root(&error);
    if told.contains("dns error") {
        (
            format!("its host name is not known: {deepest}"),
            "check the host in its url",
        )
    } else if ["invalid HTTP", "HTTP/0.9", "received unexpected message"]
        .iter()
        .any(|words| told.contains(words))
    {
        let next = if https {
            "check the port in its url"
        } else {
            "write https:// if it speaks TLS, and check the port"
        };
        ("it does not answer in HTTP".to_owned(), next)
    } else if told.contains("connection closed before message completed") || told.contains("UnexpectedEof") {
        (
            "it closed the connection before its answer was complete".to_owned(),
            "look at the process's own log",
        )
    } else if error.is_decode() {
        (
            format!("its body is damaged: {deepest}"),
            "look at what compresses it on the way",
        )
    } else {
        (deepest, "")
    }
}

fn socket(error: &io::Error) -> Option<Fault> {
    let (reason, next) = match error.kind() {
        io::ErrorKind::ConnectionRefused => ("connection refused", "is the process up, and does it listen there?"),
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof => (
            "it closed the connection before its answer was complete",
            "look at the process's own log",
        ),
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => (
            "its host cannot be reached",
            "check the network and the host in its url",
        ),
        io::ErrorKind::TimedOut => ("its host does not answer", "check the host in its url and the firewall"),
        _ => return None,
    };
    Some((reason.to_owned(), next))
}

fn tls(error: &rustls::Error) -> Fault {
    use CertificateError as C;
    let next = match error {
        rustls::Error::InvalidCertificate(reason) => {
            let (reason, next) = match reason {
                // A bad signature: an authority of the same name, but with another key.
                C::UnknownIssuer | C::BadSignature => (
                    "its certificate is signed by nobody we trust",
                    "give this target the ca that signed it",
                ),
                C::Expired | C::ExpiredContext { .. } => ("its certificate has expired", "renew it"),
                C::NotValidYet | C::NotValidYetContext { .. } => {
                    ("its certificate is not valid yet", "check the clocks on both sides")
                }
                C::NotValidForName | C::NotValidForNameContext { .. } => (
                    "its certificate is for another host name",
                    "use a name in its url that the certificate holds",
                ),
                C::Revoked => ("its certificate is revoked", "replace it"),
                other if is_authority(other) => (
                    "its certificate is that of an authority, and not of a server",
                    "give the server a certificate of its own, signed by that authority",
                ),
                other => return (format!("its certificate is refused: {other}"), "check its certificate"),
            };
            return (reason.to_owned(), next);
        }
        rustls::Error::InvalidMessage(_) => return ("it does not speak TLS".to_owned(), "write http:// in its url"),
        rustls::Error::AlertReceived(
            AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnknownCA
            | AlertDescription::CertificateUnknown
            | AlertDescription::AccessDenied
            | AlertDescription::HandshakeFailure,
        ) => "give this target a cert and key that it accepts",
        _ => "check its TLS settings",
    };
    (format!("TLS failed: {error}"), next)
}

/// Whether a server shows an authority's own certificate, as `openssl req -x509` makes it: rustls
/// has no word for it but the verifier's.
pub(in crate::observe) fn is_authority(error: &CertificateError) -> bool {
    matches!(error, CertificateError::Other(other) if format!("{other:?}").contains("CaUsedAsEndEntity"))
}

/// What is wrong with an answer whose status is not 200, and how long it asks us to stay away
/// (seconds of its Retry-After).
pub(super) fn status(response: &Response, body: &[u8]) -> (Fault, Option<u64>) {
    let status = response.status();
    let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
    let retry_after = header(RETRY_AFTER);
    let mut reason = status.as_u16().to_string();
    if let Some(name) = status.canonical_reason() {
        reason = format!("{reason} {name}");
    }
    if let Some(after) = retry_after {
        let unit = if after.bytes().all(|b| b.is_ascii_digit()) {
            " s"
        } else {
            ""
        };
        reason = format!("{reason}, retry after {}{unit}", quote(after.as_bytes()));
    }
    let to = header(LOCATION).and_then(|to| response.url().join(to).ok());
    let to = to.filter(|_| status.is_redirection());
    // Redirects on the host itself are followed, but not for ever.
    let endless = to.as_ref().is_some_and(|to| to.origin() == response.url().origin());
    if let Some(to) = &to {
        let why = if endless {
            "after as many as are followed"
        } else {
            "which is another host"
        };
        reason = format!("{reason} to {}, {why}", quote(shown(to).as_bytes()));
    }
    let said = quote(body);
    if !said.is_empty() {
        reason = format!("{reason}: {said}");
    }
    let next = match status {
        StatusCode::UNAUTHORIZED => "give this target a bearer token, or basic user and password",
        StatusCode::FORBIDDEN => "its login lacks the right: check this target's bearer, basic or headers",
        StatusCode::NOT_FOUND => "check the path in its url, usually /metrics",
        StatusCode::TOO_MANY_REQUESTS => "give this target a longer interval",
        _ if endless => "look at what redirects it in a circle, or write the page it means as its url",
        status if status.is_redirection() => "write the place it names as its url",
        status if status.is_server_error() => "look at the process's own log",
        status if status.is_success() => "check that its url is a metrics page",
        _ => "",
    };
    ((reason, next), retry_after.and_then(|after| after.parse().ok()))
}

/// What is wrong with a page on which nothing was found.
pub(super) fn nothing_found(start: &[u8], families: u64) -> Fault {
    let begins = start.trim_ascii_start();
    let page = "check that its url is a metrics page, usually /metrics";
    match begins.first() {
        None => (
            "its page is empty".to_owned(),
            "check that the process registers its metrics",
        ),
        Some(b'<') => (format!("an HTML page instead of metrics: {}", quote(begins)), page),
        Some(b'[') => (format!("JSON instead of metrics: {}", quote(begins)), page),
        Some(b'{') if is_object(begins) => (format!("JSON instead of metrics: {}", quote(begins)), page),
        _ => {
            let count = text::count(families);
            let reason = format!(
                "no known metric among {count} families; the page begins {}",
                quote(begins)
            );
            (reason, "set [metrics.names] to what this pipeline calls them")
        }
    }
}

/// Whether what begins with a brace goes on like an object: `{"key":`. A sample goes on with
/// another label, or with the closing brace.
fn is_object(text: &[u8]) -> bool {
    let Some(rest) = text[1..].trim_ascii_start().strip_prefix(b"\"") else {
        return false;
    };
    let Some(end) = rest.iter().position(|&b| b == b'"') else {
        return false;
    };
    rest[end + 1..].trim_ascii_start().starts_with(b":")
}

//! Why a server did not let us in, in the words of the person who has to fix it.

use std::error::Error;
use std::io;
use std::time::Duration;

use async_nats::{ConnectError, ConnectErrorKind, ServerAddr, ServerError};
use rustls::{AlertDescription, CertificateError};

use crate::base::secret::strip_url_credentials;
use crate::base::text;
use crate::config::{NatsAuth, NatsLink};
use crate::observe::SourceError;
use crate::observe::metrics::fault::is_authority;

/// How much a failure tells, compared with another server's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// The server is away.
    Away,
    /// Something answered, but not as a NATS server should.
    Odd,
    /// Certificates do not fit.
    Tls,
    /// We are not let in.
    Login,
}

/// One server's refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    rank: Rank,
    reason: String,
    next: String,
}

impl Failure {
    fn new(rank: Rank, reason: impl Into<String>, next: impl Into<String>) -> Self {
        Self {
            rank,
            reason: reason.into(),
            next: next.into(),
        }
    }
}

/// One error for all servers: the gravest failure's next step, and every reason that differs.
/// Failures of servers that are not configured (told by the cluster) count only for the rank; a
/// server without one said nothing within `limit`.
pub(crate) fn report(configured: &[String], failures: Vec<(String, Failure)>, limit: Duration) -> SourceError {
    let configured: Vec<String> = configured
        .iter()
        .map(|url| strip_url_credentials(url).into_owned())
        .collect();
    let (mut known, others): (Vec<_>, Vec<_>) = failures.into_iter().partition(|(url, _)| configured.contains(url));
    for url in &configured {
        if !known.iter().any(|(failed, _)| failed == url) {
            known.push((url.clone(), timed_out(limit)));
        }
    }
    known.extend(others.into_iter().filter(|(_, failure)| failure.rank >= Rank::Tls));
    // Reverse, so that the first of equally grave ones is found last, where `max_by_key` looks.
    let gravest = known
        .iter()
        .rev()
        .max_by_key(|(_, failure)| failure.rank)
        .map(|(_, failure)| failure.clone());
    let gravest = gravest.unwrap_or_else(|| timed_out(limit));
    let reason = if known.iter().all(|(_, failure)| failure.reason == gravest.reason) {
        gravest.reason
    } else {
        let each: Vec<String> = known
            .iter()
            .map(|(url, failure)| format!("{url}: {}", failure.reason))
            .collect();
        each.join("; ")
    };
    SourceError::new("connect to", configured.join(", "), &reason).next(gravest.next)
}

/// Nothing came within `limit`.
pub(crate) fn timed_out(limit: Duration) -> Failure {
    Failure::new(
        Rank::Away,
        format!("no greeting within {}", text::duration(limit)),
        "check host, port and firewall; a server that wants TLS before its greeting needs tls_first",
    )
}

/// What an attempt's error means.
pub(crate) fn explain(error: &ConnectError, to: &NatsLink, url: &str) -> Failure {
    let host = url
        .parse::<ServerAddr>()
        .map_or_else(|_| url.to_owned(), |address| address.host().to_owned());
    match error.kind() {
        ConnectErrorKind::Dns => Failure::new(
            Rank::Away,
            format!("the host name {host} cannot be resolved"),
            "check the host name and the resolver",
        ),
        ConnectErrorKind::TimedOut => timed_out(Duration::from_secs(2)),
        ConnectErrorKind::AuthorizationViolation => refused_login(&to.auth),
        ConnectErrorKind::Authentication => Failure::new(
            Rank::Login,
            "the nkey seed cannot sign the server's challenge",
            "check the seed: it starts with SU",
        ),
        _ => explain_causes(error, to, &host),
    }
}

fn explain_causes(error: &ConnectError, to: &NatsLink, host: &str) -> Failure {
    let mut cause: Option<&(dyn Error + 'static)> = error.source();
    let mut last = None;
    while let Some(error) = cause {
        if let Some(refusal) = error.downcast_ref::<ServerError>() {
            return Failure::new(
                Rank::Login,
                format!("the server refused us: {}", plain(refusal)),
                "see the server's log",
            );
        }
        if let Some(error) = error.downcast_ref::<io::Error>() {
            if let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
                return explain_tls(tls, to, host);
            }
            if let Some(failure) = explain_io(error, to) {
                return failure;
            }
        }
        last = Some(error.to_string());
        cause = error.source();
    }
    Failure::new(
        Rank::Odd,
        last.unwrap_or_else(|| error.to_string()),
        "check that this is the client port of a NATS server",
    )
}

fn explain_io(error: &io::Error, to: &NatsLink) -> Option<Failure> {
    let closed = matches!(
        error.kind(),
        io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof
    );
    if error.kind() == io::ErrorKind::ConnectionRefused {
        Some(Failure::new(
            Rank::Away,
            "connection refused",
            "start nats-server there, or check host and port",
        ))
    } else if closed && to.tls.cert.is_none() && (to.tls.ca.is_some() || to.tls_first) {
        Some(Failure::new(
            Rank::Tls,
            "the server hung up during the TLS handshake",
            "if it asks for client certificates, set cert and key",
        ))
    } else if closed {
        Some(Failure::new(
            Rank::Away,
            "the server hung up before its greeting",
            "it may be starting or shutting down; else check that this is its client port",
        ))
    } else if error.get_ref().is_none() {
        Some(Failure::new(
            Rank::Away,
            io_reason(error),
            "check host, port and network",
        ))
    } else {
        None
    }
}

fn explain_tls(error: &rustls::Error, to: &NatsLink, host: &str) -> Failure {
    let (reason, next) = match error {
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => (
            "the server's certificate is signed by an unknown authority".to_owned(),
            to.tls.ca.as_ref().map_or_else(
                || "give the authority's certificate as ca".to_owned(),
                |ca| format!("{} does not hold the authority that signed it", ca.display()),
            ),
        ),
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => (
            format!("the server's certificate is not valid for {host}"),
            "connect by a name that stands in the certificate".to_owned(),
        ),
        rustls::Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => (
            "the server's certificate has expired".to_owned(),
            "renew it, and check this machine's clock".to_owned(),
        ),
        rustls::Error::InvalidCertificate(error) if is_authority(error) => (
            "the server shows an authority's certificate, and none of its own".to_owned(),
            "give the server a certificate that the authority signed".to_owned(),
        ),
        rustls::Error::InvalidMessage(_) => (
            "the server does not speak TLS here".to_owned(),
            "use nats:// without ca, cert and tls_first, or turn TLS on in the server".to_owned(),
        ),
        rustls::Error::AlertReceived(AlertDescription::CertificateRequired) => (
            "the server asks for a client certificate".to_owned(),
            "set cert and key".to_owned(),
        ),
        rustls::Error::AlertReceived(alert) if to.tls.cert.is_some() => (
            format!("the server refused our certificate ({alert:?})"),
            "check cert and key, and that the server's authority signed them".to_owned(),
        ),
        rustls::Error::AlertReceived(alert) => (
            format!("the server ended the TLS handshake ({alert:?})"),
            "if it asks for client certificates, set cert and key".to_owned(),
        ),
        other => (
            other.to_string(),
            "check ca, cert, key and the server's TLS settings".to_owned(),
        ),
    };
    Failure::new(Rank::Tls, format!("TLS: {reason}"), next)
}

fn refused_login(auth: &NatsAuth) -> Failure {
    let (who, next) = if let Some((user, _)) = &auth.user {
        (format!("user {user}"), "check the user name and the password")
    } else if auth.credentials.is_some() {
        (
            "these credentials".to_owned(),
            "check that the credentials belong to this server, and are neither expired nor revoked",
        )
    } else if auth.nkey.is_some() {
        ("this nkey".to_owned(), "check that the server knows its public key")
    } else if auth.jwt.is_some() {
        (
            "this JWT".to_owned(),
            "check that it belongs to this server, and is neither expired nor revoked",
        )
    } else if auth.token.is_some() {
        ("this token".to_owned(), "check the token")
    } else {
        (
            "a client without login".to_owned(),
            "set user and password, creds, nkey or token",
        )
    };
    Failure::new(Rank::Login, format!("authorization violation for {who}"), next)
}

/// A server's error without the client's own prefix.
pub(crate) fn plain(error: &ServerError) -> String {
    let text = error.to_string();
    text.strip_prefix("nats: ").map_or_else(|| text.clone(), str::to_owned)
}

/// An I/O error in a few words, without its number.
pub(crate) fn io_reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
        _ => {
            let text = error.to_string();
            text.split(" (os error").next().unwrap_or(&text).to_lowercase()
        }
    }
}

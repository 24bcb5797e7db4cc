//! What went wrong with Postgres, in words, and what to do about it. Codes are SQLSTATE.

use std::io;
use std::time::Duration;

use sqlx::error::DatabaseError;

use super::reading::Panel;
use super::reading::{Relations, columns};
use super::session::Failure;
use crate::base::text;
use crate::observe::metrics::fault::is_authority;

/// A reason and the next step.
pub(super) type Fault = (String, String);

fn fault(reason: impl Into<String>, next: impl Into<String>) -> Fault {
    (reason.into(), next.into())
}

/// A name as SQL writes it.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn code(error: &dyn DatabaseError) -> String {
    error.code().unwrap_or_default().into_owned()
}

/// Whether an answer concerns one statement only: the session goes on, and so do other panels.
pub(super) fn concerns_statement(failure: &Failure) -> bool {
    let Failure::Answered(sqlx::Error::Database(error)) = failure else {
        return false;
    };
    let code = code(&**error);
    // Query cancelled belongs to the class of operators' interventions, but is about a statement.
    code == "57014" || !matches!(code.get(..2), Some("08" | "28" | "53" | "57" | "58" | "XX") | None)
}

/// Whether a statement may well succeed in a moment: locks, time, conflicts on a standby.
pub(super) fn passes(failure: &Failure) -> bool {
    let Failure::Answered(sqlx::Error::Database(error)) = failure else {
        return false;
    };
    let code = code(&**error);
    code == "55P03" || code == "57014" || code.starts_with("40")
}

/// Whether the relation is missing, hidden or forbidden: worth a look at what there is.
pub(super) fn is_about_relation(failure: &Failure) -> bool {
    let Failure::Answered(sqlx::Error::Database(error)) = failure else {
        return false;
    };
    matches!(code(&**error).as_str(), "42P01" | "42501")
}

/// Why we cannot connect, or why a session ended.
pub(super) fn session(failure: &Failure) -> Fault {
    match failure {
        Failure::Hung(limit) => fault(
            format!("no answer within {}", text::duration(*limit)),
            "is the server hung or overloaded, or its host behind a firewall?",
        ),
        Failure::Answered(sqlx::Error::Io(error)) => network(error),
        Failure::Answered(sqlx::Error::Database(error)) => refusal(&**error),
        Failure::Answered(sqlx::Error::Tls(error)) => tls(&error.to_string()),
        Failure::Answered(sqlx::Error::Configuration(error)) => fault(
            format!("its url cannot be used: {error}"),
            "write it like postgres://user:password@host:5432/database",
        ),
        Failure::Answered(sqlx::Error::Protocol(_)) => fault(
            "it does not speak the Postgres protocol",
            "check host and port in its url",
        ),
        Failure::Answered(error) => fault(error.to_string(), ""),
    }
}

fn tls(reason: &str) -> Fault {
    let next = if reason.contains("does not support TLS") {
        "turn ssl on at the server, or write sslmode=disable in its url"
    } else {
        "check the server's certificate, and sslmode and sslrootcert in its url"
    };
    fault(format!("TLS failed: {reason}"), next)
}

fn network(error: &io::Error) -> Fault {
    use io::ErrorKind as K;
    if let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        return match error {
            rustls::Error::InvalidCertificate(error) if is_authority(error) => fault(
                "TLS failed: the server shows an authority's certificate, and none of its own",
                "give the server a certificate that the authority signed",
            ),
            other => tls(&other.to_string()),
        };
    }
    match error.kind() {
        K::ConnectionRefused => fault("connection refused", "is Postgres up, and does it listen there?"),
        K::NotFound => fault("no socket there", "is Postgres up, and is this its socket's folder?"),
        K::ConnectionReset | K::BrokenPipe | K::UnexpectedEof | K::ConnectionAborted => {
            fault("it closed the connection", "look at the server's log")
        }
        K::TimedOut | K::HostUnreachable | K::NetworkUnreachable => fault(
            "its host cannot be reached",
            "check the network and the host in its url",
        ),
        _ if error.to_string().contains("lookup") => fault(
            format!("its host name is not known: {error}"),
            "check the host in its url",
        ),
        _ => fault(error.to_string(), ""),
    }
}

/// Why the server itself turned us away.
fn refusal(error: &dyn DatabaseError) -> Fault {
    let said = error.message();
    let next = match (code(error).as_str(), said) {
        ("28P01", _) => "check user and password",
        ("28000", said) if said.contains("no pg_hba.conf entry") || said.contains("pg_hba.conf rejects") => {
            if said.contains("no encryption") || said.contains("SSL off") {
                "write sslmode=require in its url, or let pg_hba.conf admit us without TLS"
            } else {
                "let the server's pg_hba.conf admit this user, database and address"
            }
        }
        ("28000", said) if said.contains("not permitted to log in") => "ALTER ROLE … LOGIN, or use another user",
        ("28000", _) => "check the user in its url",
        ("3D000", _) => "check the database in its url",
        ("42501", _) => "GRANT CONNECT ON DATABASE … TO this user",
        ("53300", _) => "close sessions, or raise max_connections",
        ("57P03", _) => "wait: it comes back by itself",
        ("57P01" | "57P02" | "57P05", _) => "is somebody restarting it?",
        ("08P01", _) => "check what stands between: a pooler may refuse our settings",
        ("53100" | "53200" | "58030", _) => "look at the server's disk and memory",
        _ => "look at the server's log",
    };
    fault(said, next)
}

/// What a statement was about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    /// The relation.
    pub(super) relation: &'a str,
    /// The columns that it must have.
    pub(super) columns: &'a str,
    /// Whether it is one of the server's own, which a role of its own opens.
    pub(super) of_server: bool,
}

impl From<Panel> for Asked<'static> {
    fn from(panel: Panel) -> Self {
        Self {
            relation: panel.relation(),
            columns: columns(panel),
            of_server: panel == Panel::Health,
        }
    }
}

/// Why a panel's statement fails. `relations`: what there is of its name, where that was asked.
pub(super) fn panel(asked: Asked<'_>, failure: &Failure, relations: Option<&Relations>, limit: Duration) -> Fault {
    let Failure::Answered(sqlx::Error::Database(error)) = failure else {
        return session(failure);
    };
    let said = error.message();
    let relation = asked.relation;
    match code(&**error).as_str() {
        "42501" => {
            let role = relations.map_or("…".to_owned(), |relations| quoted(&relations.role));
            let next = match () {
                () if asked.of_server => format!("GRANT pg_monitor TO {role}"),
                () if said.contains("for schema") => grant_schema(relations, &role, relation),
                () => format!("GRANT SELECT ON {relation} TO {role}"),
            };
            fault(said, next)
        }
        "42P01" => match relations {
            Some(Relations { role, found }) if !found.is_empty() => {
                let role = quoted(role);
                match found.iter().find(|relation| relation.usage) {
                    Some(visible) => fault(
                        format!(
                            "{relation} is in schema {}, which is not in the search_path",
                            visible.schema
                        ),
                        format!(
                            "ALTER ROLE {role} SET search_path = {}, public",
                            quoted(&visible.schema)
                        ),
                    ),
                    None => fault(
                        format!(
                            "{relation} is in schema {}, which this role may not enter",
                            found[0].schema
                        ),
                        grant_schema(relations, &role, relation),
                    ),
                }
            }
            _ => fault(said, "connect to the database that has it, or let a worker create it"),
        },
        "42703" | "42725" | "42883" | "42846" | "42804" | "22P02" | "22003" | "0A000" => {
            fault(said, format!("{relation} wants the columns {}", asked.columns))
        }
        "55P03" => fault(
            format!("{relation} is locked by another session"),
            "wait, or look for it in pg_locks",
        ),
        "57014" => fault(
            format!("no answer within {}", text::duration(limit)),
            "raise postgres.statement_timeout, or look at what slows the server down",
        ),
        _ => fault(said, ""),
    }
}

fn grant_schema(relations: Option<&Relations>, role: &str, relation: &str) -> String {
    let Some(found) = relations.and_then(|relations| relations.found.first()) else {
        return format!("GRANT USAGE ON SCHEMA … TO {role}");
    };
    let schema = quoted(&found.schema);
    let mut next = format!("GRANT USAGE ON SCHEMA {schema} TO {role}");
    if !found.select {
        next = format!("{next}; GRANT SELECT ON {schema}.{relation} TO {role}");
    }
    next
}

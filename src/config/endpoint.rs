//! URLs: checked, completed and parted from the credentials in them. Reasons never quote the URL.

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use secrecy::{ExposeSecret as _, SecretString};
use url::{Host, Url};

use super::profile::Environment;
use crate::base::secret::MASK;

/// Why a URL is refused: the reason, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BadUrl {
    pub(super) reason: String,
    pub(super) next: &'static str,
}

const NATS_HOW: &str = "write it like nats://host:4222, or tls://host:4222 for TLS";
const HTTP_HOW: &str = "write it like http://host:9100/metrics";
const POSTGRES_HOW: &str = "write it like postgres://host:5432/database";
const ENCODE: &str = "in a user name or password, write / as %2F, # as %23, ? as %3F, : as %3A and @ as %40";

fn bad<T>(reason: impl Into<String>, next: &'static str) -> Result<T, BadUrl> {
    Err(BadUrl {
        reason: reason.into(),
        next,
    })
}

/// Credentials that stood in a URL.
#[derive(Clone, Debug)]
pub(super) enum Login {
    /// `user:password@`
    Password(String, SecretString),
    /// `token@`
    Token(SecretString),
}

impl PartialEq for Login {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Password(user, one), Self::Password(other_user, two)) => {
                user == other_user && one.expose_secret() == two.expose_secret()
            }
            (Self::Token(one), Self::Token(two)) => one.expose_secret() == two.expose_secret(),
            _ => false,
        }
    }
}

/// NATS servers, without credentials.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Servers {
    pub(super) urls: Vec<String>,
    pub(super) login: Option<Login>,
}

/// Reads NATS URLs, each entry possibly a list with commas. The scheme may be left out.
pub(super) fn nats_servers(entries: &[String]) -> Result<Servers, BadUrl> {
    let mut urls = Vec::new();
    let mut login: Option<Login> = None;
    for text in entries.iter().flat_map(|entry| entry.split(',')) {
        let (url, found) = nats_server(text.trim())?;
        if let (Some(one), Some(two)) = (&login, &found)
            && one != two
        {
            return bad("the servers have different credentials", "give all of them the same");
        }
        login = login.or(found);
        if !urls.contains(&url) {
            urls.push(url);
        }
    }
    if urls.is_empty() {
        return bad("no server is named", NATS_HOW);
    }
    Ok(Servers { urls, login })
}

fn nats_server(text: &str) -> Result<(String, Option<Login>), BadUrl> {
    if text.is_empty() {
        return bad("a server's URL is empty", NATS_HOW);
    }
    let with_scheme = if text.contains("://") {
        text.to_owned()
    } else {
        format!("nats://{text}")
    };
    let url = parse(&with_scheme, NATS_HOW)?;
    match url.scheme() {
        "nats" | "tls" => {}
        "ws" | "wss" => return bad("WebSocket connections are not supported", NATS_HOW),
        other => return bad(format!("`{other}` is not a scheme of NATS"), NATS_HOW),
    }
    if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
        return bad("a NATS URL ends after the port", ENCODE);
    }
    let host = host(&url, NATS_HOW)?;
    let login = match (url.username(), url.password()) {
        ("", None) => None,
        (token, None) => Some(Login::Token(decoded(token)?.into())),
        (user, Some(password)) => Some(Login::Password(decoded(user)?, decoded(password)?.into())),
    };
    Ok((
        format!("{}://{host}:{}", url.scheme(), url.port().unwrap_or(4222)),
        login,
    ))
}

/// An HTTP endpoint, without credentials.
#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    pub(super) url: String,
    /// `host:port`
    pub(super) address: String,
    /// Path and query; the path alone when there are secrets in the query.
    pub(super) path: String,
    pub(super) login: Option<(String, SecretString)>,
    /// Values in the query whose names say that they are secret.
    pub(super) query_secrets: Vec<String>,
}

/// Reads an HTTP URL. The scheme may be left out; without a path it gets `default_path`.
pub(super) fn http(text: &str, default_path: &str) -> Result<Endpoint, BadUrl> {
    let text = text.trim();
    if text.is_empty() {
        return bad("the URL is empty", HTTP_HOW);
    }
    let with_scheme = if text.contains("://") {
        text.to_owned()
    } else {
        format!("http://{text}")
    };
    let mut url = parse(&with_scheme, HTTP_HOW)?;
    if !matches!(url.scheme(), "http" | "https") {
        return bad(format!("`{}` is neither http nor https", url.scheme()), HTTP_HOW);
    }
    let host = host(&url, HTTP_HOW)?;
    let bare = with_scheme
        .split_once("://")
        .is_some_and(|(_, rest)| !rest.contains(['/', '?']));
    if bare {
        url.set_path(default_path);
    }
    let login = match (url.username(), url.password()) {
        ("", None) => None,
        (user, password) => Some((decoded(user)?, decoded(password.unwrap_or_default())?.into())),
    };
    let cleared = url.set_username("").is_ok() && url.set_password(None).is_ok();
    debug_assert!(cleared, "an http URL with a host may have credentials");
    url.set_fragment(None);
    let query_secrets: Vec<String> = url
        .query_pairs()
        .filter(|(key, _)| names_a_secret(key))
        .map(|(_, value)| value.into_owned())
        .collect();
    let path = match url.query().filter(|_| query_secrets.is_empty()) {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    };
    Ok(Endpoint {
        address: format!("{host}:{}", url.port_or_known_default().unwrap_or(80)),
        path,
        login,
        query_secrets,
        url: url.into(),
    })
}

/// Whether a header's or parameter's name says that its value is secret.
pub(super) fn names_a_secret(name: &str) -> bool {
    let name = name.to_lowercase();
    [
        "auth",
        "token",
        "secret",
        "passw",
        "key",
        "cookie",
        "credential",
        "signature",
    ]
    .iter()
    .any(|word| name.contains(word))
}

/// A Postgres URL.
#[derive(Clone, Debug)]
pub(super) struct Postgres {
    url: Url,
}

impl Postgres {
    /// Reads a Postgres URL.
    pub(super) fn parse(text: &str) -> Result<Self, BadUrl> {
        let text = text.trim();
        if text.is_empty() {
            return bad("the URL is empty", POSTGRES_HOW);
        }
        if !text.contains("://") {
            return bad("not a URL", POSTGRES_HOW);
        }
        let url = parse(text, POSTGRES_HOW)?;
        if !matches!(url.scheme(), "postgres" | "postgresql") {
            return bad(format!("`{}` is not a scheme of Postgres", url.scheme()), POSTGRES_HOW);
        }
        let url = Self { url };
        url.check()?;
        Ok(url)
    }

    /// Whether the client can use it.
    pub(super) fn check(&self) -> Result<(), BadUrl> {
        if self.url.fragment().is_some() {
            return bad("a Postgres URL has no fragment (#…)", ENCODE);
        }
        if self.url.host_str().is_some_and(|host| host.contains(',')) {
            return bad("several hosts in one URL are not supported", POSTGRES_HOW);
        }
        if let Some((_, mode)) = self
            .url
            .query_pairs()
            .find(|(key, _)| matches!(&**key, "sslmode" | "ssl-mode"))
        {
            const MODES: [&str; 6] = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];
            if !MODES.contains(&&*mode) {
                return bad(
                    "sslmode is none that Postgres knows",
                    "disable, allow, prefer, require, verify-ca or verify-full",
                );
            }
        }
        if let Some((_, port)) = self.url.query_pairs().find(|(key, _)| key == "port")
            && port.parse::<u16>().is_err()
        {
            return bad("port is not a port number", POSTGRES_HOW);
        }
        decoded(self.url.username())?;
        decoded(self.url.password().unwrap_or_default())?;
        Ok(())
    }

    /// The connection that the `PG*` variables describe, if they name a host or a database.
    pub(super) fn of_environment(environment: &Environment) -> Option<Self> {
        let named = ["PGHOST", "PGHOSTADDR", "PGDATABASE"]
            .iter()
            .any(|name| environment.get(*name).is_some_and(|value| !value.is_empty()));
        // The rest comes by `complete`.
        named
            .then(|| Url::parse("postgres:///").ok())
            .flatten()
            .map(|url| Self { url })
    }

    /// Fills in what the URL leaves out from the `PG*` variables, as libpq does. Returns the
    /// variables that were used.
    pub(super) fn complete(&mut self, environment: &Environment) -> Vec<&'static str> {
        let mut used = Vec::new();
        // A host must stand in the URL before a user or port can.
        let rows: [(&'static str, &[&str]); 9] = [
            ("PGHOSTADDR", &["host", "hostaddr"]),
            ("PGHOST", &["host", "hostaddr"]),
            ("PGPORT", &["port"]),
            ("PGUSER", &["user"]),
            ("PGDATABASE", &["dbname"]),
            ("PGSSLMODE", &["sslmode", "ssl-mode"]),
            ("PGSSLROOTCERT", &["sslrootcert", "ssl-root-cert", "ssl-ca"]),
            ("PGSSLCERT", &["sslcert", "ssl-cert"]),
            ("PGSSLKEY", &["sslkey", "ssl-key"]),
        ];
        for (variable, parameters) in rows {
            let Some(value) = environment.get(variable).filter(|value| !value.is_empty()) else {
                continue;
            };
            if !self.says(parameters) {
                self.url.query_pairs_mut().append_pair(parameters[0], value);
                used.push(variable);
            }
        }
        if self.password().is_none()
            && let Some(password) = environment.get("PGPASSWORD").filter(|value| !value.is_empty())
        {
            self.set_password(password);
            used.push("PGPASSWORD");
        }
        used
    }

    fn says(&self, parameters: &[&str]) -> bool {
        let in_url = match parameters[0] {
            "host" => self.url.host_str().is_some_and(|host| !host.is_empty()),
            "port" => self.url.port().is_some(),
            "user" => !self.url.username().is_empty(),
            "dbname" => !self.url.path().trim_start_matches('/').is_empty(),
            _ => false,
        };
        in_url || self.url.query_pairs().any(|(key, _)| parameters.contains(&&*key))
    }

    /// The password in it, decoded.
    pub(super) fn password(&self) -> Option<String> {
        let in_query = self.url.query_pairs().find(|(key, _)| key == "password");
        in_query
            .map(|(_, value)| value.into_owned())
            .or_else(|| decoded(self.url.password()?).ok())
    }

    /// Puts a password in.
    pub(super) fn set_password(&mut self, password: &str) {
        if self.url.set_password(Some(password)).is_err() {
            // A URL without a host (a socket) has no place for it but the query.
            self.url.query_pairs_mut().append_pair("password", password);
        }
    }

    /// The whole URL.
    pub(super) fn url(&self) -> SecretString {
        self.url.as_str().to_owned().into()
    }

    /// The user in it, decoded.
    pub(super) fn user(&self) -> Option<String> {
        let in_query = self.url.query_pairs().find(|(key, _)| key == "user");
        in_query
            .map(|(_, value)| value.into_owned())
            .or_else(|| decoded(self.url.username()).ok())
            .filter(|user| !user.is_empty())
    }

    /// The URL with its password masked.
    pub(super) fn shown(&self) -> String {
        let mut shown = self.url.clone();
        if shown.query_pairs().any(|(key, _)| key == "password") {
            let pairs: Vec<(String, String)> = shown.query_pairs().into_owned().collect();
            let mut query = shown.query_pairs_mut();
            query.clear();
            for (key, value) in pairs {
                query.append_pair(&key, if key == "password" { MASK } else { &value });
            }
        }
        if shown.password().is_some() {
            let masked = shown.set_password(Some(MASK));
            debug_assert!(masked.is_ok(), "a URL with a password may have one");
        }
        let encoded = utf8_percent_encode(MASK, NON_ALPHANUMERIC).to_string();
        shown.as_str().replace(&encoded, MASK)
    }

    /// The URL without user and password.
    pub(super) fn place(&self) -> String {
        let mut place = self.url.clone();
        let cleared = place.cannot_be_a_base() || !place.has_host() || {
            place.set_username("").is_ok() && place.set_password(None).is_ok()
        };
        debug_assert!(cleared, "a URL with a host may have credentials");
        let pairs: Vec<(String, String)> = place.query_pairs().into_owned().collect();
        place.set_query(None);
        for (key, value) in pairs.iter().filter(|(key, _)| key != "password" && key != "user") {
            place.query_pairs_mut().append_pair(key, value);
        }
        place.into()
    }
}

fn parse(text: &str, next: &'static str) -> Result<Url, BadUrl> {
    Url::parse(text).or_else(|error| {
        // A password with a `/` in it cuts the URL short: the port is then what cannot be read.
        let next = if text.contains('@') { ENCODE } else { next };
        bad(error.to_string(), next)
    })
}

/// The host as it stands in a URL (IPv6 in brackets).
fn host(url: &Url, next: &'static str) -> Result<String, BadUrl> {
    match url.host() {
        Some(Host::Domain("")) | None => bad("the host is missing", next),
        Some(host) if url.port() == Some(0) => bad(format!("{host} has port 0"), next),
        Some(host) => Ok(host.to_string()),
    }
}

fn decoded(text: &str) -> Result<String, BadUrl> {
    match percent_decode_str(text).decode_utf8() {
        Ok(decoded) => Ok(decoded.into_owned()),
        Err(_) => bad("the user name or password is not UTF-8", ENCODE),
    }
}

#[cfg(test)]
mod tests {
    use sqlx::ConnectOptions as _;
    use sqlx::postgres::PgConnectOptions;

    use super::*;

    fn servers(text: &str) -> Result<Servers, String> {
        nats_servers(&[text.to_owned()]).map_err(|bad| bad.reason)
    }

    #[test]
    fn nats_servers_are_completed_and_parted_from_credentials() {
        for (text, expected) in [
            ("nats://a:4222", vec!["nats://a:4222"]),
            ("a", vec!["nats://a:4222"]),
            ("a:5222", vec!["nats://a:5222"]),
            ("tls://a", vec!["tls://a:4222"]),
            ("nats://[::1]:4333/", vec!["nats://[::1]:4333"]),
            (
                "nats://a:1, b:2,tls://c,a:1",
                vec!["nats://a:1", "nats://b:2", "tls://c:4222"],
            ),
            ("bob:s3cret@a:1", vec!["nats://a:1"]),
        ] {
            assert_eq!(servers(text).unwrap().urls, expected, "{text}");
        }
        assert_eq!(
            servers("nats://bob:p%40ss@a,bob:p%40ss@b").unwrap().login,
            Some(Login::Password("bob".to_owned(), "p@ss".into()))
        );
        assert_eq!(
            servers("nats://bob:p@ss@a").unwrap().login,
            Some(Login::Password("bob".to_owned(), "p@ss".into()))
        );
        assert_eq!(
            servers("nats://t0ken@a,b").unwrap().login,
            Some(Login::Token("t0ken".into()))
        );
    }

    #[test]
    fn a_bad_nats_url_says_why() {
        for (text, reason) in [
            ("", "a server's URL is empty"),
            ("nats://a,,nats://b", "a server's URL is empty"),
            ("ws://a", "WebSocket connections are not supported"),
            ("wss://a", "WebSocket connections are not supported"),
            ("http://a:4222", "`http` is not a scheme of NATS"),
            ("nats://", "the host is missing"),
            ("nats://a:99999", "invalid port number"),
            ("nats://a:0", "a has port 0"),
            ("nats://a:4222/path", "a NATS URL ends after the port"),
            ("nats://u:p@a,v:q@b", "the servers have different credentials"),
            ("nats://a b", "invalid domain character"),
        ] {
            assert_eq!(servers(text).unwrap_err(), reason, "{text}");
        }
    }

    #[test]
    fn a_bad_url_with_credentials_is_never_quoted() {
        for text in [
            "nats://bob:hunter/2@a",
            "nats://bob:hunter#2@a",
            "nats://bob:hunter2@a:x",
            "nats://bob:hunter2@",
        ] {
            let bad = nats_servers(&[text.to_owned()]).unwrap_err();
            assert!(!bad.reason.contains("hunter"), "{text}: {}", bad.reason);
            assert!(!bad.next.contains("hunter"));
        }
    }

    #[test]
    fn a_metrics_url_gets_its_path_and_loses_its_credentials() {
        let endpoint = http("127.0.0.1:9100", "/metrics").unwrap();
        assert_eq!(endpoint.url, "http://127.0.0.1:9100/metrics");
        assert_eq!(endpoint.address, "127.0.0.1:9100");
        assert_eq!(http("http://a/", "/metrics").unwrap().url, "http://a/");
        assert_eq!(http("https://a/m?x=1#f", "/metrics").unwrap().path, "/m?x=1");
        let endpoint = http("https://ann:s%3Acret@h/m?token=abcdef", "/metrics").unwrap();
        assert_eq!(endpoint.url, "https://h/m?token=abcdef");
        assert_eq!(
            (endpoint.path.as_str(), endpoint.query_secrets.as_slice()),
            ("/m", ["abcdef".to_owned()].as_slice())
        );
        let (user, password) = endpoint.login.unwrap();
        assert_eq!((user.as_str(), password.expose_secret()), ("ann", "s:cret"));
        assert_eq!(
            http("dns+http://a", "/").unwrap_err().reason,
            "`dns+http` is neither http nor https"
        );
        assert_eq!(http("", "/").unwrap_err().reason, "the URL is empty");
    }

    #[test]
    fn a_postgres_url_is_checked_without_connecting() {
        for (text, reason) in [
            ("", "the URL is empty"),
            ("host=a dbname=b", "not a URL"),
            ("mysql://a/b", "`mysql` is not a scheme of Postgres"),
            ("postgres://a:x/b", "invalid port number"),
            ("postgres://a,b/c", "several hosts in one URL are not supported"),
            ("postgres://a/b?sslmode=maybe", "sslmode is none that Postgres knows"),
            ("postgres://u:p#w@a/b", "invalid port number"),
            ("postgres://u@a/b#c", "a Postgres URL has no fragment (#…)"),
        ] {
            assert_eq!(Postgres::parse(text).unwrap_err().reason, reason, "{text}");
        }
        assert!(Postgres::parse("postgresql:///app?host=/run/postgresql").is_ok());
    }

    #[test]
    fn a_postgres_password_is_masked_wherever_it_stands() {
        for (text, shown) in [
            ("postgres://app:hunter2@db/x", "postgres://app:•••@db/x"),
            ("postgres://app@db:5433/x", "postgres://app@db:5433/x"),
            (
                "postgres://db/x?user=app&password=hunter2",
                "postgres://db/x?user=app&password=•••",
            ),
            (
                "postgres:///x?host=%2Frun&password=hunter2",
                "postgres:///x?host=%2Frun&password=•••",
            ),
            ("postgres://db/x?sslkey=%2Fk.pem", "postgres://db/x?sslkey=%2Fk.pem"),
        ] {
            assert_eq!(Postgres::parse(text).unwrap().shown(), shown);
        }
    }

    #[test]
    fn a_postgres_url_can_be_told_without_its_login() {
        for (text, place, user) in [
            (
                "postgres://app:hunter2@db/x?sslmode=require",
                "postgres://db/x?sslmode=require",
                Some("app"),
            ),
            (
                "postgres:///x?host=%2Frun&user=b%40r&password=p",
                "postgres:///x?host=%2Frun",
                Some("b@r"),
            ),
            ("postgres://db/x", "postgres://db/x", None),
        ] {
            let url = Postgres::parse(text).unwrap();
            assert_eq!(url.place(), place);
            assert_eq!(url.user().as_deref(), user);
        }
    }

    #[test]
    fn the_client_reads_the_url_as_it_is_meant() {
        let environment: Environment = [
            ("PGHOST", "db.internal"),
            ("PGPORT", "6432"),
            ("PGUSER", "a n"),
            ("PGDATABASE", "ho/oks"),
            ("PGSSLMODE", "disable"),
        ]
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .into();
        let mut url = Postgres::of_environment(&environment).unwrap();
        url.complete(&environment);
        let options: PgConnectOptions = url.url().expose_secret().parse().unwrap();
        assert_eq!((options.get_host(), options.get_port()), ("db.internal", 6432));
        assert_eq!(
            (options.get_username(), options.get_database()),
            ("a n", Some("ho/oks"))
        );

        let mut url = Postgres::parse("postgres:///hooks?host=/run/pg").unwrap();
        url.set_password("p w/&");
        let options: PgConnectOptions = url.url().expose_secret().parse().unwrap();
        assert_eq!(options.get_socket().unwrap().to_str(), Some("/run/pg"));
        assert_eq!(options.to_url_lossy().password(), Some("p%20w%2F%26"));
    }

    #[test]
    fn pg_variables_fill_in_what_the_url_leaves_out() {
        let environment: Environment = [
            ("PGHOST", "db.internal"),
            ("PGPORT", "6432"),
            ("PGUSER", "ann"),
            ("PGDATABASE", "hooks"),
            ("PGPASSWORD", "hunter/2"),
        ]
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .into();
        let mut url = Postgres::of_environment(&environment).unwrap();
        url.complete(&environment);
        assert_eq!(
            url.shown(),
            "postgres:///?host=db.internal&port=6432&user=ann&dbname=hooks&password=•••"
        );
        assert_eq!(url.password().as_deref(), Some("hunter/2"));
        let mut url = Postgres::parse("postgres://app@other/x").unwrap();
        assert_eq!(url.complete(&environment), ["PGPORT", "PGPASSWORD"]);
        assert_eq!(url.password().as_deref(), Some("hunter/2"));
        assert!(Postgres::of_environment(&Environment::new()).is_none());
    }
}

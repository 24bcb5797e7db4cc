//! What is connected to, and how one logs in there.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

/// A connection to NATS.
#[derive(Clone, Debug)]
pub struct NatsLink {
    /// Server URLs, credentials removed.
    pub servers: Vec<String>,
    /// How to log in.
    pub auth: NatsAuth,
    /// TLS.
    pub tls: Tls,
    /// Whether TLS comes before the server's greeting.
    pub tls_first: bool,
    /// Prefix of inboxes, where rights are narrow.
    pub inbox_prefix: Option<String>,
    /// Prefix of the JetStream API: `$JS.API`, `$JS.<domain>.API`, or an imported one.
    pub api_prefix: String,
    /// The monitoring endpoint (`http://host:8222`), where given.
    pub monitoring: Option<String>,
}

impl NatsLink {
    /// These servers, without a login, and every default.
    #[must_use]
    pub fn to(servers: Vec<String>) -> Self {
        Self {
            servers,
            auth: NatsAuth::default(),
            tls: Tls::default(),
            tls_first: false,
            inbox_prefix: None,
            api_prefix: "$JS.API".to_owned(),
            monitoring: None,
        }
    }
}

/// How to log in at NATS. Precedence: user, credentials, nkey, JWT; a token applies besides.
#[derive(Clone, Debug, Default)]
pub struct NatsAuth {
    /// User and password.
    pub user: Option<(String, SecretString)>,
    /// The text of a `.creds` file.
    pub credentials: Option<SecretString>,
    /// An nkey seed.
    pub nkey: Option<SecretString>,
    /// A user JWT and its seed.
    pub jwt: Option<(SecretString, SecretString)>,
    /// A token.
    pub token: Option<SecretString>,
}

/// Certificates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// Authorities to trust instead of the system's.
    pub ca: Option<PathBuf>,
    /// Our certificate.
    pub cert: Option<PathBuf>,
    /// Its key.
    pub key: Option<PathBuf>,
}

/// What a target's address stands for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Discovery {
    /// One endpoint.
    #[default]
    One,
    /// Every address of its host name, each an endpoint; looked up again and again.
    Dns,
    /// The targets in a Prometheus `file_sd` file, read again when it changes.
    File(PathBuf),
    /// Every instance that a Prometheus server's `/federate` tells of.
    Federation,
}

/// An HTTP endpoint: of metrics, or of health.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its name on screen.
    pub name: Arc<str>,
    /// Its URL, credentials removed. Of a file with targets, what they share.
    pub url: String,
    /// What that stands for.
    pub discovery: Discovery,
    /// How to log in.
    pub auth: Option<HttpAuth>,
    /// Further headers.
    pub headers: Vec<(String, SecretString)>,
    /// TLS.
    pub tls: Tls,
    /// How often it is scraped.
    pub interval: Duration,
    /// How long a scrape may take.
    pub timeout: Duration,
}

/// How to log in at an HTTP endpoint.
#[derive(Clone, Debug)]
pub enum HttpAuth {
    /// `Authorization: Bearer`.
    Bearer(SecretString),
    /// `Authorization: Basic`.
    Basic(String, SecretString),
}

/// A connection to Postgres.
#[derive(Clone, Debug)]
pub struct PostgresLink {
    /// The whole URL, password included.
    pub url: SecretString,
    /// The same without secrets, to show.
    pub shown: String,
    /// Limit of a statement's run time.
    pub statement_timeout: Duration,
    /// Connections at most.
    pub pool: u32,
}

//! HTTP clients and requests for metrics endpoints.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use reqwest::header::{ACCEPT, AUTHORIZATION, HOST, HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Identity, Url};
use secrecy::ExposeSecret as _;

use crate::base::cause::root;
use crate::config::{HttpAuth, Target, Tls};
use crate::observe::SourceError;

/// The classic format first: every endpoint speaks it, and it needs no end mark.
const FORMATS: &str = "text/plain;version=0.0.4;q=1,application/openmetrics-text;version=1.0.0;q=0.8,*/*;q=0.1";

/// Redirects that are followed, all of them on one host.
const REDIRECTS: usize = 3;

/// Clients, one for each set of certificates, so that a thousand targets share one connection
/// pool and one set of trusted authorities.
#[derive(Debug, Default)]
pub(in crate::observe) struct ClientPool {
    /// `None`: the client of all targets without TLS. Whether it keeps connections.
    pub(in crate::observe) clients: Vec<(Option<Tls>, bool, Client)>,
    /// Whether connections without TLS are closed after each answer.
    pub(in crate::observe) transient: bool,
}

impl ClientPool {
    /// The client for a target.
    ///
    /// # Errors
    /// When a certificate file cannot be read or does not hold what it should.
    pub(in crate::observe) fn client(&mut self, url: &Url, tls: &Tls) -> Result<Client, SourceError> {
        let key = (url.scheme() == "https").then(|| tls.clone());
        let keeps = key.is_some() || !self.transient;
        let mut known = self.clients.iter();
        if let Some((_, _, client)) = known.find(|(tls, kept, _)| *tls == key && *kept == keeps) {
            return Ok(client.clone());
        }
        let client = build(key.as_ref(), None, keeps)?;
        self.clients.push((key, keeps, client.clone()));
        Ok(client)
    }
}

fn build(tls: Option<&Tls>, pinned: Option<(&str, SocketAddr)>, keeps: bool) -> Result<Client, SourceError> {
    let mut builder = Client::builder();
    if let Some((host, address)) = pinned {
        builder = builder.resolve(host, address);
    }
    let builder = builder
        .user_agent(concat!("hookwatch/", env!("CARGO_PKG_VERSION")))
        .redirect(same_host())
        // Several targets may be pages of one host.
        .pool_max_idle_per_host(if keeps { 8 } else { 0 })
        // Targets are reached as they are named; a proxy would be one more thing that can fail.
        .no_proxy();
    let builder = match tls {
        // Without the system's authorities: they may be missing, and nobody will ask for them.
        None => builder.tls_certs_only([]),
        Some(tls) => {
            let builder = match &tls.ca {
                Some(path) => builder.tls_certs_only(authorities(path)?),
                None => builder,
            };
            match (&tls.cert, &tls.key) {
                (Some(cert), Some(key)) => builder.identity(identity(cert, key)?),
                (None, None) => builder,
                (Some(path), None) | (None, Some(path)) => {
                    let error = SourceError::new("use", shown_path(path), "a certificate and its key belong together");
                    return Err(error.next("give this target both cert and key"));
                }
            }
        }
    };
    builder.build().map_err(|error| {
        let error = SourceError::new("prepare", "TLS", &root(&error));
        error.next("install the system's ca-certificates, or give this target a ca of its own")
    })
}

fn authorities(path: &Path) -> Result<Vec<Certificate>, SourceError> {
    let wrong = |reason: &str| {
        SourceError::new("read certificates", shown_path(path), reason).next("ca wants certificates in PEM form")
    };
    let found = Certificate::from_pem_bundle(&read(path)?).map_err(|error| wrong(&root(&error)))?;
    if found.is_empty() {
        return Err(wrong("no certificate in it"));
    }
    Ok(found)
}

fn identity(cert: &PathBuf, key: &PathBuf) -> Result<Identity, SourceError> {
    let mut pem = read(cert)?;
    if cert != key {
        pem.push(b'\n');
        pem.extend(read(key)?);
    }
    Identity::from_pem(&pem).map_err(|error| {
        SourceError::new("read certificate", shown_path(cert), &root(&error))
            .next("cert wants a certificate and key its private key, both in PEM form")
    })
}

fn read(path: &Path) -> Result<Vec<u8>, SourceError> {
    std::fs::read(path).map_err(|error| {
        SourceError::new("read", shown_path(path), &error).next("check the path and who may read the file")
    })
}

fn shown_path(path: &Path) -> String {
    path.display().to_string()
}

/// Follows redirects that stay on the host and port, or go to the host's HTTPS: credentials
/// go nowhere else. Any other redirect is an answer like any other.
fn same_host() -> Policy {
    Policy::custom(|attempt| {
        let stays = attempt.previous().last().is_some_and(|from| {
            let to = attempt.url();
            from.host() == to.host()
                && ((from.scheme() == to.scheme() && from.port_or_known_default() == to.port_or_known_default())
                    || (from.scheme(), to.scheme(), to.port()) == ("http", "https", None))
        });
        if stays && attempt.previous().len() <= REDIRECTS {
            attempt.follow()
        } else {
            attempt.stop()
        }
    })
}

/// What is asked of a target, ready to be sent again and again.
#[derive(Debug)]
pub(in crate::observe) struct Request {
    client: Client,
    url: Url,
    headers: HeaderMap,
    pub(in crate::observe) timeout: Duration,
    /// The URL without what may be secret in it.
    pub(in crate::observe) shown: String,
}

impl Request {
    /// # Errors
    /// When the URL, a header or a certificate is unusable.
    pub(in crate::observe) fn new(target: &Target, clients: &mut ClientPool) -> Result<Self, SourceError> {
        Self::accepting(FORMATS, target, clients)
    }

    /// The same, with what may be answered.
    ///
    /// # Errors
    /// When the URL, a header or a certificate is unusable.
    pub(in crate::observe) fn accepting(
        formats: &'static str,
        target: &Target,
        clients: &mut ClientPool,
    ) -> Result<Self, SourceError> {
        let wrong = |reason: &str| {
            SourceError::new("use", target.name.to_string(), reason)
                .next("write the target's url like http://host:9100/metrics")
        };
        let url = Url::parse(&target.url).map_err(|error| wrong(&format!("its url is none: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong("its url is neither http nor https"));
        }
        Ok(Self {
            client: clients.client(&url, &target.tls)?,
            headers: headers(formats, target)?,
            timeout: target.timeout,
            shown: shown(&url),
            url,
        })
    }

    /// The same of one address of the target's host name: asked there, and by its name.
    ///
    /// # Errors
    /// When the URL, a header or a certificate is unusable.
    pub(in crate::observe) fn pinned(
        target: &Target,
        address: SocketAddr,
        clients: &mut ClientPool,
    ) -> Result<Self, SourceError> {
        let mut request = Self::new(target, clients)?;
        let host = request.url.host_str().unwrap_or_default().to_owned();
        if request.is_https() {
            // The certificate is for the name, so the name stays in the URL.
            request.client = build(Some(&target.tls), Some((&host, address)), true)?;
        } else {
            let named = match request.url.port() {
                Some(port) => format!("{host}:{port}"),
                None => host,
            };
            if let Ok(named) = HeaderValue::from_str(&named) {
                request.headers.insert(HOST, named);
            }
            let placed = request.url.set_ip_host(address.ip());
            debug_assert!(placed.is_ok(), "an http URL has a host");
        }
        request.shown = format!("{} at {address}", request.shown);
        Ok(request)
    }

    pub(in crate::observe) async fn send(&self) -> reqwest::Result<reqwest::Response> {
        self.client
            .get(self.url.clone())
            .headers(self.headers.clone())
            .send()
            .await
    }

    /// Whether the target is asked over TLS.
    pub(in crate::observe) fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }
}

/// A URL without user, password, query and fragment.
pub(in crate::observe) fn shown(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{}://{host}:{port}{}", url.scheme(), url.path()),
        None => format!("{}://{host}{}", url.scheme(), url.path()),
    }
}

fn headers(formats: &'static str, target: &Target) -> Result<HeaderMap, SourceError> {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static(formats));
    let secret = |name: &str, text: &str| {
        let mut value = HeaderValue::from_str(text).map_err(|_| {
            SourceError::new(
                "use",
                target.name.to_string(),
                &format!("the value of its {name} header is no header value"),
            )
            .next("remove line breaks and control characters from it")
        })?;
        value.set_sensitive(true);
        Ok::<_, SourceError>(value)
    };
    match &target.auth {
        None => {}
        Some(HttpAuth::Bearer(token)) => {
            let value = format!("Bearer {}", token.expose_secret().trim());
            headers.insert(AUTHORIZATION, secret("authorization", &value)?);
        }
        Some(HttpAuth::Basic(user, password)) => {
            let pair = format!("{user}:{}", password.expose_secret());
            let value = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair));
            headers.insert(AUTHORIZATION, secret("authorization", &value)?);
        }
    }
    for (name, value) in &target.headers {
        let value = secret(name, value.expose_secret())?;
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| {
            SourceError::new("use", target.name.to_string(), &format!("`{name}` is no header name"))
                .next("check this target's headers")
        })?;
        headers.insert(name, value);
    }
    Ok(headers)
}

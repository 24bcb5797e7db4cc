//! Where a run goes: the URL taken apart, the host resolved, TLS prepared.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::HeaderValue;
use hyper::http::uri::{Authority, PathAndQuery, Scheme};
use reqwest::Url;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt as _;

use super::error::{FireError, PlanError};
use super::plan::{HttpVersion, Plan};
use crate::base::secret::strip_url_credentials;
use crate::config;

/// The host of a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Its name or address, as the URL has it.
    pub name: String,
    /// Whether it is this machine: `localhost` or an address of the loopback.
    pub is_loopback: bool,
}

/// Whom a URL leads to.
///
/// # Errors
/// When it is no URL that can be requested.
pub fn host_of(url: &str) -> Result<Host, PlanError> {
    let wrong = |reason: String| PlanError::Url {
        url: strip_url_credentials(url).into_owned(),
        reason,
    };
    let parsed = Url::parse(url).map_err(|error| wrong(error.to_string()))?;
    let name = parsed.host_str().ok_or_else(|| wrong("it names no host".to_owned()))?;
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    let address: Option<IpAddr> = bare.parse().ok();
    let is_named_so = bare == "localhost" || bare.ends_with(".localhost");
    Ok(Host {
        name: name.to_owned(),
        is_loopback: address.map_or(is_named_so, |address| address.to_canonical().is_loopback()),
    })
}

/// A target, ready to connect to.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// To show: without credentials.
    pub(super) shown: String,
    pub(super) scheme: Scheme,
    pub(super) authority: Authority,
    /// `https://host:port`
    pub(super) origin: String,
    pub(super) path: PathAndQuery,
    pub(super) authorization: Option<HeaderValue>,
    pub(super) version: HttpVersion,
    pub(super) addresses: Vec<SocketAddr>,
    pub(super) tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

impl Target {
    /// Takes the URL apart, resolves the host and reads the certificates.
    pub(super) async fn prepare(plan: &Plan) -> Result<Self, FireError> {
        let shown = strip_url_credentials(&plan.url).into_owned();
        let wrong = |reason: String| PlanError::Url {
            url: shown.clone(),
            reason,
        };
        let url = Url::parse(&plan.url).map_err(|error| wrong(error.to_string()))?;
        let scheme = match url.scheme() {
            "http" => Scheme::HTTP,
            "https" => Scheme::HTTPS,
            other => return Err(wrong(format!("{other}:// is not spoken here")).into()),
        };
        let host = url.host_str().ok_or_else(|| wrong("it names no host".to_owned()))?;
        let authority = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        let path = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        let port = url.port_or_known_default().unwrap_or(80);
        // An IPv6 address stands in brackets in a URL, and without them for the resolver and TLS.
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let tls = if scheme == Scheme::HTTPS {
            let name = ServerName::try_from(bare.to_owned())
                .map_err(|_| wrong("its host is no name that a certificate could have".to_owned()))?;
            Some((Arc::new(client_config(&plan.tls, plan.version)?), name))
        } else {
            None
        };
        Ok(Self {
            origin: format!("{scheme}://{authority}"),
            authority: authority.parse().map_err(|_| wrong("its host is no host".to_owned()))?,
            path: path.parse().map_err(|_| wrong("its path is no path".to_owned()))?,
            authorization: authorization(&url)?,
            version: plan.version,
            addresses: resolve(&shown, bare, port).await?,
            shown,
            scheme,
            tls,
        })
    }
}

async fn resolve(shown: &str, host: &str, port: u16) -> Result<Vec<SocketAddr>, FireError> {
    let unresolvable = |reason: String| FireError::Unresolvable {
        target: shown.to_owned(),
        host: host.to_owned(),
        reason,
    };
    let addresses: Vec<_> = tokio::net::lookup_host((host, port))
        .await
        .map_err(|error| unresolvable(error.to_string()))?
        .collect();
    if addresses.is_empty() {
        return Err(unresolvable("it has no address".to_owned()));
    }
    Ok(addresses)
}

fn authorization(url: &Url) -> Result<Option<HeaderValue>, PlanError> {
    if url.username().is_empty() && url.password().is_none() {
        return Ok(None);
    }
    let decode = |text: &str| {
        form_urlencoded::parse(format!("={}", text.replace('+', "%2B")).as_bytes())
            .next()
            .map_or_else(String::new, |(_, value)| value.into_owned())
    };
    let pair = format!(
        "{}:{}",
        decode(url.username()),
        decode(url.password().unwrap_or_default())
    );
    let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair))).map_err(|_| PlanError::Url {
        url: strip_url_credentials(url.as_str()).into_owned(),
        reason: "its credentials fit in no header".to_owned(),
    })?;
    value.set_sensitive(true);
    Ok(Some(value))
}

fn client_config(tls: &config::Tls, version: HttpVersion) -> Result<ClientConfig, FireError> {
    let unusable = |path: &Path, reason: String| FireError::Certificate {
        path: path.display().to_string(),
        reason,
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| FireError::Tls {
            target: "any".to_owned(),
            reason: error.to_string(),
        })?;
    let builder = if let Some(path) = &tls.ca {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(path).map_err(|reason| unusable(path, reason))? {
            roots
                .add(certificate)
                .map_err(|error| unusable(path, error.to_string()))?;
        }
        builder.with_root_certificates(roots)
    } else {
        builder.with_platform_verifier().map_err(|error| FireError::Tls {
            target: "any".to_owned(),
            reason: format!("the system's certificates cannot be read: {error}"),
        })?
    };
    let mut config = match (&tls.cert, &tls.key) {
        (Some(cert), Some(key)) => {
            let chain = certificates(cert).map_err(|reason| unusable(cert, reason))?;
            let private = PrivateKeyDer::from_pem_file(key).map_err(|error| unusable(key, error.to_string()))?;
            builder
                .with_client_auth_cert(chain, private)
                .map_err(|error| unusable(key, error.to_string()))?
        }
        _ => builder.with_no_client_auth(),
    };
    config.alpn_protocols = match version {
        HttpVersion::Http1 => vec![b"http/1.1".to_vec()],
        HttpVersion::Http2 => vec![b"h2".to_vec()],
    };
    Ok(config)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| error.to_string())?;
    if certificates.is_empty() {
        return Err("it holds no certificate".to_owned());
    }
    Ok(certificates)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_loopback() {
        for url in [
            "http://localhost:1/x",
            "https://LOCALHOST/",
            "http://127.0.0.1:80/",
            "http://127.9.9.9/",
            "http://[::1]:9/",
            "http://[::ffff:127.0.0.1]/",
            "http://a.localhost/",
        ] {
            assert!(host_of(url).unwrap().is_loopback, "{url}");
        }
        for url in [
            "http://localhost.example.com/",
            "http://127.0.0.1.example.com/",
            "http://10.0.0.1/",
            "http://localhost@example.com/",
            "http://[2001:db8::1]/",
        ] {
            assert!(!host_of(url).unwrap().is_loopback, "{url}");
        }
        assert!(host_of("nonsense").is_err());
    }
}

//! A metrics endpoint that does exactly what a test says, byte by byte, with or without TLS.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose, date_time_ymd};
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// One step of an answer.
#[derive(Clone, Debug)]
pub(in crate::observe) enum Step {
    Send(Vec<u8>),
    Pause(Duration),
    Hang,
    Close,
}

/// An answer: its steps in order. Without [`Step::Close`] the connection is kept.
pub(in crate::observe) type Answer = Vec<Step>;

/// An answer with this status line, headers and body.
pub(in crate::observe) fn answer(status: &str, headers: &str, body: impl AsRef<[u8]>) -> Answer {
    let body = body.as_ref();
    let head = format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n", body.len());
    vec![Step::Send([head.as_bytes(), body].concat())]
}

/// A page in the classic format.
pub(in crate::observe) fn page(body: impl AsRef<[u8]>) -> Answer {
    answer("200 OK", "content-type: text/plain; version=0.0.4\r\n", body)
}

pub(in crate::observe) fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

/// What a server was asked, and how many connections it took.
#[derive(Debug, Default)]
pub(in crate::observe) struct Seen {
    pub(in crate::observe) requests: Vec<String>,
    pub(in crate::observe) connections: usize,
}

/// A server on a free port; gone when dropped.
#[derive(Debug)]
pub(in crate::observe) struct Server {
    pub(in crate::observe) port: u16,
    pub(in crate::observe) seen: Arc<Mutex<Seen>>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// Answers the n-th request with `respond(n, request)`.
    pub(in crate::observe) async fn start(respond: impl Fn(usize, &str) -> Answer + Send + Sync + 'static) -> Self {
        Self::start_with(None, respond).await
    }

    pub(in crate::observe) async fn start_with(
        tls: Option<TlsAcceptor>,
        respond: impl Fn(usize, &str) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen: Arc<Mutex<Seen>> = Arc::default();
        let shared = seen.clone();
        let respond = Arc::new(respond);
        let task = tokio::spawn(async move {
            // Connections end with this task.
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                shared.lock().unwrap().connections += 1;
                let (tls, seen, respond) = (tls.clone(), shared.clone(), respond.clone());
                connections.spawn(async move {
                    match tls {
                        None => serve(stream, &seen, &*respond).await,
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => serve(stream, &seen, &*respond).await,
                            Err(_) => None,
                        },
                    }
                });
            }
        });
        Self { port, seen, task }
    }

    pub(in crate::observe) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/metrics", self.port)
    }

    pub(in crate::observe) fn requests(&self) -> Vec<String> {
        self.seen.lock().unwrap().requests.clone()
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    seen: &Mutex<Seen>,
    respond: &(dyn Fn(usize, &str) -> Answer + Send + Sync),
) -> Option<()> {
    let mut request = Vec::new();
    loop {
        request.clear();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(stream.read_u8().await.ok()?);
        }
        let request = String::from_utf8_lossy(&request).into_owned();
        let number = {
            let mut seen = seen.lock().unwrap();
            seen.requests.push(request.clone());
            seen.requests.len() - 1
        };
        for step in respond(number, &request) {
            match step {
                Step::Send(bytes) => stream.write_all(&bytes).await.ok()?,
                Step::Pause(time) => tokio::time::sleep(time).await,
                Step::Hang => std::future::pending::<()>().await,
                Step::Close => return stream.shutdown().await.ok(),
            }
            stream.flush().await.ok()?;
        }
    }
}

/// A private authority and what it signs, as files.
pub(in crate::observe) struct Authority {
    folder: tempfile::TempDir,
    issuer: Issuer<'static, KeyPair>,
    pub(in crate::observe) ca: PathBuf,
}

impl Authority {
    pub(in crate::observe) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().unwrap();
        let ca = folder.path().join("ca.pem");
        std::fs::write(&ca, params.self_signed(&key).unwrap().pem()).unwrap();
        Self {
            folder,
            issuer: Issuer::new(params, key),
            ca,
        }
    }

    /// A certificate for these names and its key, as files; valid until the given year.
    pub(in crate::observe) fn sign(&self, file: &str, names: &[&str], until: i32) -> (PathBuf, PathBuf) {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
        let key = KeyPair::generate().unwrap();
        let cert = self.folder.path().join(file).with_extension("crt");
        let key_file = self.folder.path().join(file).with_extension("key");
        std::fs::write(&cert, params.signed_by(&key, &self.issuer).unwrap().pem()).unwrap();
        std::fs::write(&key_file, key.serialize_pem()).unwrap();
        (cert, key_file)
    }

    /// Its own certificate and key, as files.
    pub(in crate::observe) fn itself(&self) -> (PathBuf, PathBuf) {
        let key_file = self.folder.path().join("ca.key");
        std::fs::write(&key_file, self.issuer.key().serialize_pem()).unwrap();
        (self.ca.clone(), key_file)
    }

    /// A server's side of TLS with this certificate; with `clients`, it asks for theirs.
    pub(in crate::observe) fn acceptor(&self, (cert, key): &(PathBuf, PathBuf), clients: bool) -> TlsAcceptor {
        use rustls::pki_types::CertificateDer;
        use rustls::pki_types::pem::PemObject as _;

        let chain = vec![CertificateDer::from_pem_file(cert).unwrap()];
        let key = PrivateKeyDer::from_pem_file(key).unwrap();
        let builder = rustls::ServerConfig::builder();
        let builder = if clients {
            let mut roots = rustls::RootCertStore::empty();
            roots.add(CertificateDer::from_pem_file(&self.ca).unwrap()).unwrap();
            let verifier = rustls::server::WebPkiClientVerifier::builder(Arc::new(roots))
                .build()
                .unwrap();
            builder.with_client_cert_verifier(verifier)
        } else {
            builder.with_no_client_auth()
        };
        Arc::new(builder.with_single_cert(chain, key).unwrap()).into()
    }
}

//! Connections: one to each lane in HTTP/1, a few shared ones in HTTP/2.
//!
//! hyper's own connections instead of a client with a pool: they say whether a request has left
//! (sent = received needs it), when it was put on the wire, and nothing is sent again in secret. A
//! lane drives its HTTP/1 connection itself, in one task.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio_rustls::TlsConnector;
use tokio_util::task::AbortOnDropHandle;

use super::outcome::{Answer, Failure, FailureKind, KEPT};
use super::payload::Payload;
use super::plan::HttpVersion;
use super::target::Target;

/// How much of an answer's body is read at most; beyond, the connection is given up.
pub(super) const READ: usize = 1 << 20;

/// Requests that share one HTTP/2 connection: below what servers commonly allow.
const STREAMS: usize = 100;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

type Io = TokioIo<Box<dyn Stream>>;

/// Opens a TCP connection, and TLS on it.
async fn open(target: &Target) -> Result<Io, Failure> {
    let mut last = None;
    for address in &target.addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                // A request is written in one go: waiting for more only delays it.
                let _ = stream.set_nodelay(true);
                let Some((config, name)) = &target.tls else {
                    return Ok(TokioIo::new(Box::new(stream)));
                };
                let stream = TlsConnector::from(config.clone())
                    .connect(name.clone(), stream)
                    .await
                    .map_err(|error| Failure::new(FailureKind::Tls, &error))?;
                return Ok(TokioIo::new(Box::new(stream)));
            }
            Err(error) => last = Some(error),
        }
    }
    Err(last.map_or_else(
        || Failure::new(FailureKind::Connect, "there is no address"),
        |error| Failure::new(FailureKind::Connect, &error),
    ))
}

/// Makes one connection and closes it: whether TLS can be had at all.
pub(super) async fn probe(target: &Target) -> Result<(), Failure> {
    open(target).await.map(drop)
}

/// Where the lanes of a run get their connections from.
pub(super) struct Pool {
    target: Arc<Target>,
    /// How much of a successful answer's body is kept, bytes.
    keep: usize,
    shared: Vec<Mutex<Option<Shared>>>,
}

/// An HTTP/2 connection and the task that drives it.
struct Shared {
    sender: http2::SendRequest<Payload>,
    _driver: AbortOnDropHandle<()>,
}

impl Pool {
    pub(super) fn new(target: Arc<Target>, lanes: usize, keep: usize) -> Self {
        let shared = match target.version {
            HttpVersion::Http1 => 0,
            HttpVersion::Http2 => lanes.div_ceil(STREAMS),
        };
        Self {
            target,
            keep,
            shared: std::iter::repeat_with(|| Mutex::new(None)).take(shared).collect(),
        }
    }

    async fn shared(&self, lane: usize) -> Result<http2::SendRequest<Payload>, Failure> {
        let mut place = self.shared[lane % self.shared.len()].lock().await;
        if let Some(shared) = place.as_ref().filter(|shared| !shared.sender.is_closed()) {
            return Ok(shared.sender.clone());
        }
        let io = open(&self.target).await?;
        let (sender, driver) = http2::handshake(TokioExecutor::new(), io)
            .await
            .map_err(|error| Failure::of(&error))?;
        let driver = tokio::spawn(async move {
            // What ends it ends the requests on it, too: they report it.
            let _ = driver.await;
        });
        *place = Some(Shared {
            sender: sender.clone(),
            _driver: AbortOnDropHandle::new(driver),
        });
        Ok(sender)
    }
}

/// One lane's way to the target.
pub(super) struct Lane {
    pool: Arc<Pool>,
    number: usize,
    own: Option<Own>,
}

/// An HTTP/1 connection, and what drives it until it ends.
struct Own {
    sender: http1::SendRequest<Payload>,
    driver: Driver,
}

/// Why a request has no answer.
enum Refused {
    /// The connection had been closed while it was idle; nothing of the request has left.
    Unsent(Box<Request<Payload>>),
    Failed(Failure),
}

impl From<hyper::client::conn::TrySendError<Request<Payload>>> for Refused {
    fn from(mut error: hyper::client::conn::TrySendError<Request<Payload>>) -> Self {
        match error.take_message() {
            Some(request) => Self::Unsent(Box::new(request)),
            None => Self::Failed(Failure::of(&error.into_error())),
        }
    }
}

impl Lane {
    pub(super) fn new(pool: Arc<Pool>, number: usize) -> Self {
        Self {
            pool,
            number,
            own: None,
        }
    }

    /// Sends a request and reads its answer. `on_send` is called when it is handed to an open
    /// connection. When the future is dropped, an HTTP/1 connection is, too.
    pub(super) async fn exchange(
        &mut self,
        mut request: Request<Payload>,
        mut on_send: impl FnMut(),
    ) -> Result<Answer, Failure> {
        let keep = self.pool.keep;
        // The answer may come before the body is out: the connection is of no more use then.
        let is_slow = request.body().is_slow();
        // A connection that idled may have been closed at the other end; a new one has not.
        for _ in 0..2 {
            let outcome = match self.pool.target.version {
                HttpVersion::Http1 => {
                    let mut own = match self.own.take() {
                        Some(own) => own,
                        None => Own::open(&self.pool.target).await?,
                    };
                    if !own.is_usable().await {
                        continue;
                    }
                    on_send();
                    let outcome = own.exchange(request, keep).await;
                    if !is_slow && matches!(outcome, Ok((_, true))) {
                        self.own = Some(own);
                    }
                    outcome
                }
                HttpVersion::Http2 => {
                    let mut sender = self.pool.shared(self.number).await?;
                    if sender.ready().await.is_err() {
                        continue;
                    }
                    on_send();
                    exchange_shared(&mut sender, request, keep).await
                }
            };
            match outcome {
                Ok((answer, _)) => return Ok(answer),
                Err(Refused::Unsent(unsent)) => request = *unsent,
                Err(Refused::Failed(failure)) => return Err(failure),
            }
        }
        Err(Failure::new(
            FailureKind::Refused,
            "the connection is closed as soon as it is open",
        ))
    }
}

async fn exchange_shared(
    sender: &mut http2::SendRequest<Payload>,
    request: Request<Payload>,
    keep: usize,
) -> Result<(Answer, bool), Refused> {
    let response = sender.try_send_request(request).await?;
    read(&mut None, response, keep).await.map_err(Refused::Failed)
}

impl Own {
    async fn open(target: &Target) -> Result<Self, Failure> {
        let io = open(target).await?;
        let (sender, driver) = http1::handshake(io).await.map_err(|error| Failure::of(&error))?;
        Ok(Self {
            sender,
            driver: Some(Box::pin(driver)),
        })
    }

    /// Whether a request may be sent: the answer before it was read whole, and the other end has
    /// not closed.
    async fn is_usable(&mut self) -> bool {
        let Self { sender, driver } = self;
        drive(driver, poll_fn(|cx| sender.poll_ready(cx))).await.is_ok() && driver.is_some()
    }

    /// The answer, and whether the connection may be used again.
    async fn exchange(&mut self, request: Request<Payload>, keep: usize) -> Result<(Answer, bool), Refused> {
        let response = self.sender.try_send_request(request);
        let response = drive(&mut self.driver, response).await?;
        let (answer, whole) = read(&mut self.driver, response, keep).await.map_err(Refused::Failed)?;
        Ok((answer, whole && self.driver.is_some()))
    }
}

type Driver = Option<Pin<Box<http1::Connection<Io, Payload>>>>;

/// Waits for something that happens only while the connection is driven.
async fn drive<F: Future>(driver: &mut Driver, future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|cx| {
        if let Some(connection) = driver
            && connection.as_mut().poll(cx).is_ready()
        {
            // Its errors arrive through the request that was on it.
            *driver = None;
        }
        future.as_mut().poll(cx)
    })
    .await
}

/// Reads an answer; false when its body was too long to be read to its end.
async fn read(driver: &mut Driver, response: Response<Incoming>, keep: usize) -> Result<(Answer, bool), Failure> {
    let (head, mut incoming) = response.into_parts();
    let status = head.status.as_u16();
    let keep = if status >= 300 { keep.max(KEPT) } else { keep };
    let mut body = Vec::new();
    let mut length = 0;
    while let Some(frame) = drive(driver, incoming.frame()).await {
        let frame = frame.map_err(|error| Failure::of(&error))?;
        let Ok(data) = frame.into_data() else { continue };
        length += data.len();
        if body.len() < keep {
            body.extend_from_slice(&data[..data.len().min(keep - body.len())]);
        }
        if length > READ {
            break;
        }
    }
    let answer = Answer {
        status,
        headers: head.headers,
        body,
    };
    Ok((answer, length <= READ))
}

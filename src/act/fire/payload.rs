//! A request's body: all at once, or in drips.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::Sleep;

/// In how many drips a slow body comes.
const DRIPS: u32 = 32;

/// A request's body.
#[derive(Debug)]
pub(super) struct Payload {
    left: Bytes,
    drips: Option<Drips>,
}

#[derive(Debug)]
struct Drips {
    /// Bytes of one.
    size: usize,
    /// From one to the next.
    every: Duration,
    /// Whether the first one waits, too.
    held: bool,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Payload {
    /// All at once.
    pub(super) fn whole(body: String) -> Self {
        Self {
            left: Bytes::from(body),
            drips: None,
        }
    }

    /// A little at a time, the last of it after about `over`.
    pub(super) fn slow(body: String, over: Duration) -> Self {
        let left = Bytes::from(body);
        Self {
            drips: Some(Drips {
                size: left.len().div_ceil(DRIPS as usize).max(1),
                every: over / DRIPS,
                held: false,
                sleep: None,
            }),
            left,
        }
    }

    /// All at once, but a while after the headers: who refuses it by its length can say so before
    /// the connection breaks under it.
    pub(super) fn held(body: String, wait: Duration) -> Self {
        let left = Bytes::from(body);
        Self {
            drips: Some(Drips {
                size: left.len().max(1),
                every: wait,
                held: true,
                sleep: None,
            }),
            left,
        }
    }

    /// Whether an answer may come before all of it is out.
    pub(super) fn is_slow(&self) -> bool {
        self.drips.is_some()
    }
}

impl Clone for Payload {
    fn clone(&self) -> Self {
        Self {
            left: self.left.clone(),
            drips: self.drips.as_ref().map(|drips| Drips { sleep: None, ..*drips }),
        }
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let Self { left, drips } = &mut *self;
        if left.is_empty() {
            return Poll::Ready(None);
        }
        let Some(drips) = drips else {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(left)))));
        };
        if drips.held && drips.sleep.is_none() {
            drips.sleep = Some(Box::pin(tokio::time::sleep(drips.every)));
        }
        if let Some(sleep) = &mut drips.sleep {
            ready!(sleep.as_mut().poll(cx));
        }
        drips.sleep = Some(Box::pin(tokio::time::sleep(drips.every)));
        let drip = left.split_to(drips.size.min(left.len()));
        Poll::Ready(Some(Ok(Frame::data(drip))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.len() as u64)
    }
}

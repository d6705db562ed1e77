//! The connections of a daemon: how many there may be, and how long one may be idle or not read what it is sent.
//!
//! | limit | what happens |
//! |---|---|
//! | [`Bounds::connections`] | a further connection is answered with 503 and closed |
//! | [`Bounds::idle`] until the head of a request has arrived, the first one or a further one | the connection is closed |
//! | [`Bounds::idle`] without a byte that could be written | the connection is closed; a client that connects again continues its events after `Last-Event-ID` |
//!
//! The time that an answer may take is bounded in [`access`](mod@crate::serve::access).

use std::io;
use std::net::TcpListener;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};
use tokio::time::Sleep;

use crate::serve::failure::{Error, Failure};

/// How long answers may take that have begun when the daemon ends.
const LAST_ANSWERS_MAX: Duration = Duration::from_secs(5);
/// The pause after a connection could not be accepted, for example because there are too many open files.
const PAUSE: Duration = Duration::from_millis(50);
/// How long a client may take to read that there are too many.
const REFUSAL_MAX: Duration = Duration::from_secs(1);
/// The number of clients that get such an answer at a time; the connections of further ones are closed without one.
const REFUSED_MAX: usize = 64;

/// Limits of connections.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The number of connections at most.
    pub connections: usize,
    /// How long a connection may be idle.
    pub idle: Duration,
}

/// Answers requests until the daemon ends, and then those that have begun, for a limited time.
///
/// # Errors
/// If the listener cannot be used.
pub async fn answer(
    listener: TcpListener,
    router: Router,
    bounds: Bounds,
    ends: watch::Receiver<bool>,
) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let permits = Arc::new(Semaphore::new(bounds.connections));
    let refusals = Arc::new(Semaphore::new(REFUSED_MAX));
    let mut ended = pin!(until_end(ends.clone()));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut ended => break,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        if let Ok(permit) = Arc::clone(&permits).try_acquire_owned() {
            let served = serve(stream, router.clone(), bounds.idle, ends.clone());
            tokio::spawn(async move {
                served.await;
                drop(permit);
            });
        } else if let Ok(permit) = Arc::clone(&refusals).try_acquire_owned() {
            tokio::spawn(async move {
                drop(tokio::time::timeout(REFUSAL_MAX, refuse(stream, bounds)).await);
                drop(permit);
            });
        }
    }
    drop(listener);
    // A client that does not read its answer does not keep the daemon from ending.
    let all = u32::try_from(bounds.connections).unwrap_or(u32::MAX);
    drop(tokio::time::timeout(LAST_ANSWERS_MAX, permits.acquire_many(all)).await);
    Ok(())
}

async fn until_end(mut ends: watch::Receiver<bool>) {
    let _ = ends.wait_for(|ends| *ends).await;
}

/// Answers the requests of a connection.
async fn serve(stream: TcpStream, router: Router, idle: Duration, ends: watch::Receiver<bool>) {
    let stream = Patient {
        stream,
        idle,
        waits: None,
    };
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(idle)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = pin!(connection);
    // A connection that fails or is closed concerns its client only.
    tokio::select! {
        _ = &mut connection => return,
        () = until_end(ends) => connection.as_mut().graceful_shutdown(),
    }
    drop(connection.await);
}

/// Answers a connection that is one too many, whatever it asks for.
async fn refuse(mut stream: TcpStream, bounds: Bounds) -> io::Result<()> {
    let why = format!(
        "{} clients are connected already; try again later",
        bounds.connections
    );
    let failure = Failure::new(StatusCode::SERVICE_UNAVAILABLE, why);
    let body = serde_json::to_string(&Error::from(failure))?;
    let head = "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nconnection: close\r\nretry-after: 1\r\n";
    let text = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
    stream.write_all(text.as_bytes()).await?;
    stream.shutdown().await?;
    // If it were closed before the request has been read, the client might not see the answer.
    tokio::io::copy(&mut stream, &mut tokio::io::sink())
        .await
        .map(drop)
}

/// A stream whose writes fail if its client reads nothing for a time.
struct Patient {
    stream: TcpStream,
    idle: Duration,
    /// The time of a write that waits for the client.
    waits: Option<Pin<Box<Sleep>>>,
}

impl Patient {
    /// Fails a write that has waited for too long.
    fn bounded<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.waits = None;
            return written;
        }
        let idle = self.idle;
        let waits = self
            .waits
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(idle)));
        ready!(waits.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Patient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Patient {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.bounded(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        self.bounded(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

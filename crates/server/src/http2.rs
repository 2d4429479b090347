//! Server: connections of HTTP/2, on the same port as all others. gRPC needs it; what else comes over it is
//! answered as over HTTP/1.1. It is told by its first bytes, so it needs no TLS and no second port.
//!
//! What bounds HTTP/1.1 bounds it, too: one connection carries many requests, so these are counted over all
//! connections; one that carries none, or whose client does not answer pings, is let go.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::response::{IntoResponse, Response};
use bellwether_app::{AppError, Refusal};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http2::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::Watcher;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tower::ServiceExt;

use crate::listen::Limits;
use crate::problem::Problem;
use crate::sync;

/// How every connection of HTTP/2 begins; no method of HTTP/1.1 does.
const PREFACE: &[u8] = b"PRI";

/// How long until a beginning that says too little is looked at again; twice as long each time.
const GLANCE: Duration = Duration::from_millis(5);

/// Requests at once on one connection. A proxy may bring many streams over one; whoever needs more opens a
/// second connection.
const MOST_STREAMS: u32 = 256;

/// A client that was silent for so long is asked whether it lives, and has so long to answer.
const PING: Duration = Duration::from_secs(30);

/// How much of requests a connection holds before it is read: they have a few bytes.
const WINDOW: u32 = 64 << 10;

/// Whether a connection begins with HTTP/2. An error is one that ended before it said anything.
pub(crate) async fn begins(stream: &TcpStream) -> std::io::Result<bool> {
    let mut glance = GLANCE;
    loop {
        let mut first = [0; PREFACE.len()];
        let seen = stream.peek(&mut first).await?;
        let first = first.get(..seen).unwrap_or_default();
        if first.is_empty() {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if !PREFACE.starts_with(first) {
            return Ok(false);
        }
        if first == PREFACE {
            return Ok(true);
        }
        tokio::time::sleep(glance).await;
        glance *= 2;
    }
}

/// The server's side of such connections.
#[derive(Clone)]
pub(crate) struct Http2 {
    router: Router,
    builder: Builder<TokioExecutor>,
    /// Requests at once over all connections.
    requests: Arc<Semaphore>,
    /// How long a connection may carry nothing.
    idle: Duration,
}

impl Http2 {
    pub(crate) fn new(router: Router, limits: &Limits) -> Self {
        let mut builder = Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .max_concurrent_streams(MOST_STREAMS)
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOW * 4)
            .keep_alive_interval(PING)
            .keep_alive_timeout(PING);
        let requests = Arc::new(Semaphore::new(limits.streams));
        Self { router, builder, requests, idle: limits.header_time }
    }

    /// Serves a connection to its end.
    pub(crate) async fn serve(&self, stream: TcpStream, peer: SocketAddr, watcher: Watcher) {
        let open = Arc::new(watch::Sender::new(0_usize));
        let (this, counted) = (self.clone(), Arc::clone(&open));
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            this.clone().answer(request, Arc::clone(&counted))
        });
        let connection = watcher.watch(self.builder.serve_connection(TokioIo::new(stream), service));
        tokio::select! {
            served = connection => if let Err(error) = served {
                tracing::debug!(%peer, %error, "a connection of HTTP/2 broke");
            },
            () = idle(open.subscribe(), self.idle) => {
                tracing::debug!(%peer, "a connection of HTTP/2 carries nothing and is let go");
            }
        }
    }

    async fn answer(
        self,
        request: Request<Incoming>,
        open: Arc<watch::Sender<usize>>,
    ) -> Result<Response, std::convert::Infallible> {
        let running = match self.requests.try_acquire_owned() {
            Ok(place) => Running::new(open, place),
            Err(_) => return Ok(full(&request)),
        };
        let response = self.router.oneshot(request).await?;
        // It runs until its last byte is sent or nobody wants it any more.
        Ok(response.map(|body| {
            Body::new(body.map_frame(move |frame| {
                let _running = &running;
                frame
            }))
        }))
    }
}

fn full(request: &Request<Incoming>) -> Response {
    let error = AppError::new(
        Refusal::Unavailable,
        "unavailable",
        "more streams are open at once than are taken",
        "connect again later, or to another server",
    );
    tracing::warn!("a request over HTTP/2 is refused: too many are open");
    if sync::is_grpc(request.headers()) { sync::refusal(error) } else { Problem(error).into_response() }
}

/// A request that is being answered.
struct Running {
    open: Arc<watch::Sender<usize>>,
    _place: OwnedSemaphorePermit,
}

impl Running {
    fn new(open: Arc<watch::Sender<usize>>, place: OwnedSemaphorePermit) -> Self {
        open.send_modify(|open| *open += 1);
        Self { open, _place: place }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.open.send_modify(|open| *open -= 1);
    }
}

/// Done when nothing has been open for so long.
async fn idle(mut open: watch::Receiver<usize>, most: Duration) {
    loop {
        // Who counts lives as long as the connection, so a change always comes or the connection ends.
        let nothing = *open.borrow_and_update() == 0;
        let changed = open.changed();
        if !nothing {
            drop(changed.await);
        } else if tokio::time::timeout(most, changed).await.is_err() {
            return;
        }
    }
}

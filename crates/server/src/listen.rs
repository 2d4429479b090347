//! Server: connections. Who connects and then says nothing, or says it slowly, is let go; how many there
//! are at once is bounded.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tower::ServiceExt;

use crate::body::Room;
use crate::http2::{self, Http2};
use crate::proxy::Proxies;

/// How much a server takes at once, and how long it waits for it.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at once. Whoever comes past it waits in the system's queue until another goes.
    pub connections: usize,
    /// Requests at once over all connections of HTTP/2, which carry many each: streams of flagd's providers.
    /// Whoever comes past it is told so at once.
    pub streams: usize,
    /// How long a connection may take until the headers of its next request are there. This is also how
    /// long one may be idle between two requests.
    pub header_time: Duration,
    /// How long a request's body may take.
    pub body_time: Duration,
    /// Room for the bodies that are held at once, but for those of events. Past it requests are refused
    /// with 503.
    pub bodies: Room,
    /// Room for the bodies of events that are held at once. Past it they are refused with 503.
    pub events: Room,
    /// Those that stand before the server, and are believed about whom a request is from.
    pub proxies: Proxies,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // A stream for each of 10,000 clients, and as many requests beside them.
            connections: 20_000,
            streams: 20_000,
            // Proxies let an idle connection go after a minute, and must be the first to: who sends a request
            // into a connection that is being closed sees it fail.
            header_time: Duration::from_secs(75),
            // 1 MB at 70 kbit/s, 20 MB at 1.4 Mbit/s.
            body_time: Duration::from_secs(120),
            // A body of the API has a few kB and at most 1 MB.
            bodies: Room::of(64 << 20),
            // The largest batches of a dozen senders; a batch of a browser has a few kB.
            events: Room::of(256 << 20),
            proxies: Proxies::default(),
        }
    }
}

/// How long to wait when the system gives no more connections, as when it has no more files.
const BREATH: Duration = Duration::from_millis(100);

/// Files that a server opens beside its connections: of the store, of the ledger, of the page.
const FILES: u64 = 256;

/// How many connections the system lets this process have. The soft limit on open files, which many systems
/// set to 1024 for the sake of programs of old, is raised as far as may be; the files of the store keep
/// their part of it, or a flood of connections would keep events from the disk.
#[cfg(unix)]
fn places(wanted: usize) -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let needed = u64::try_from(wanted).unwrap_or(u64::MAX).saturating_add(FILES);
    let Rlimit { current: Some(soft), maximum } = getrlimit(Resource::Nofile) else { return wanted };
    let mut may = soft;
    if soft < needed {
        let raised = maximum.map_or(needed, |hard| hard.min(needed));
        if setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum }).is_ok() {
            may = raised;
        }
    }
    let left = usize::try_from(may - FILES.min(may / 2)).unwrap_or(usize::MAX).min(wanted);
    if left < wanted {
        tracing::warn!(connections = left, wanted, "the limit on open files bounds connections: raise it");
    }
    left
}

#[cfg(not(unix))]
fn places(wanted: usize) -> usize {
    wanted
}

/// Takes connections until `stop` is done. What is returned ends those that are left; those that have said
/// nothing yet end when `closing` is true.
pub(crate) async fn accept(
    listener: TcpListener,
    router: Router,
    limits: &Limits,
    closing: watch::Receiver<bool>,
    stop: impl Future<Output = ()>,
) -> GracefulShutdown {
    let connections = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(places(limits.connections)));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.header_time);
    let http2 = Http2::new(router.clone(), limits);
    let taking = async {
        // The place comes first: past the bound nobody is taken whom nobody would serve.
        while let Ok(place) = Arc::clone(&places).acquire_owned().await {
            let (stream, peer) = next(&listener).await;
            let (router, http, http2) = (router.clone(), http.clone(), http2.clone());
            let (watcher, mut closing) = (connections.watcher(), closing.clone());
            let silence = limits.header_time;
            tokio::spawn(async move {
                let _place = place;
                let begun = tokio::select! {
                    begun = tokio::time::timeout(silence, http2::begins(&stream)) => begun,
                    _ = closing.wait_for(|closing| *closing) => return,
                };
                match begun {
                    // On a place of its own: it is larger than what all others need.
                    Ok(Ok(true)) => return Box::pin(http2.serve(stream, peer, watcher)).await,
                    Ok(Ok(false)) => {}
                    Ok(Err(_)) | Err(_) => {
                        tracing::debug!(%peer, "a connection said nothing");
                        return;
                    }
                }
                let service = service_fn(move |mut request: Request<Incoming>| {
                    request.extensions_mut().insert(ConnectInfo(peer));
                    router.clone().oneshot(request)
                });
                let served = watcher.watch(http.serve_connection(TokioIo::new(stream), service));
                if let Err(error) = served.await {
                    tracing::debug!(%peer, %error, "a connection broke");
                }
            });
        }
    };
    tokio::select! {
        () = taking => {}
        () = stop => {}
    }
    connections
}

/// The next connection. One that breaks before it is there is not ours; for anything else we wait, because
/// it goes away when others let go.
async fn next(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // Answers are small and wait for nothing.
                let _: std::io::Result<()> = stream.set_nodelay(true);
                return (stream, peer);
            }
            Err(error) => {
                use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
                if !matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
                    tracing::error!(%error, "no connection can be taken");
                    tokio::time::sleep(BREATH).await;
                }
            }
        }
    }
}

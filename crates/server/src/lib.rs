//! Server: the doors. HTTP, server-sent events and the page; the only room with sockets and a clock.
//!
//! It promises that a handler decides nothing: it reads the protocol, asks `app`, and writes the
//! protocol. Every answer that cannot be given is the protocol's own error with a hint, and no input
//! makes it panic.

mod amplitude;
mod api;
mod auth;
mod bell;
mod body;
mod clock;
mod committer;
mod events;
mod house;
mod http2;
mod json;
mod listen;
mod ofrep;
mod page;
mod problem;
mod proxy;
mod rules;
mod stream;
mod sync;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use bellwether_app::App;
use tower_http::catch_panic::CatchPanicLayer;

pub use bell::Bell;
pub use body::Room;
pub use clock::Clock;
pub use house::House;
pub use listen::Limits;
pub use proxy::Proxies;

/// How long requests that run may take to finish once the server is told to stop.
const PATIENCE: Duration = Duration::from_secs(10);

/// Serves until `stop` is done, then lets requests that run finish and makes what they brought durable.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    limits: Limits,
    app: Arc<App>,
    bell: Bell,
    clock: Clock,
    listener: tokio::net::TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let house = House::open(app, bell, clock, &limits);
    let router = router(house.clone(), limits.proxies.clone());
    let maintenance = tokio::spawn(house::maintain(house.clone()));
    let looking = tokio::spawn(house::look_around(house.clone()));
    let connections = listen::accept(listener, router, &limits, house.closing(), stop).await;
    // Streams never end by themselves: tell them.
    house.close();
    // A client that sends nothing and hangs on shall not keep the rest from being made durable.
    let _: Result<(), _> = tokio::time::timeout(PATIENCE, connections.shutdown()).await;
    maintenance.abort();
    looking.abort();
    house.settle();
    Ok(())
}

fn router(house: House, proxies: Proxies) -> Router {
    let router = Router::new()
        .merge(api::routes())
        .merge(auth::routes())
        .merge(clock::routes())
        .merge(ofrep::routes())
        .merge(amplitude::routes())
        .merge(events::routes())
        .merge(rules::routes())
        .merge(sync::routes())
        .fallback(page::page)
        .layer(CatchPanicLayer::custom(problem::panicked))
        .layer(axum::middleware::from_fn(problem::request_id))
        .with_state(house);
    if proxies.is_empty() {
        return router;
    }
    router.layer(axum::middleware::map_request(move |request| {
        std::future::ready(proxies.seen_through(request))
    }))
}

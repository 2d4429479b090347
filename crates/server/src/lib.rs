//! Server: the doors. HTTP, server-sent events and the page; the only room with sockets and a clock.
//!
//! It promises that a handler decides nothing: it reads the protocol, asks `app`, and writes the
//! protocol. Every answer that cannot be given is the protocol's own error with a hint, and no input
//! makes it panic.

mod amplitude;
mod api;
mod auth;
mod bell;
mod clock;
mod committer;
mod events;
mod house;
mod ofrep;
mod page;
mod problem;
mod stream;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::get;
use bellwether_app::App;
use tower_http::catch_panic::CatchPanicLayer;

pub use bell::Bell;
pub use clock::Clock;
pub use house::House;

/// Serves until `stop` is done, then lets requests that run finish and makes what they brought durable.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    app: Arc<App>,
    bell: Bell,
    clock: Clock,
    listener: tokio::net::TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let house = House::open(app, bell, clock);
    let maintenance = tokio::spawn(house::maintain(house.clone()));
    let stopping = house.clone();
    let router = router(house.clone()).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, router)
        .with_graceful_shutdown(async move {
            stop.await;
            // Streams never end by themselves: tell them.
            stopping.close();
        })
        .await?;
    maintenance.abort();
    house.settle();
    Ok(())
}

fn router(house: House) -> Router {
    Router::new()
        .merge(api::routes())
        .merge(auth::routes())
        .merge(clock::routes())
        .merge(ofrep::routes())
        .merge(amplitude::routes())
        .merge(events::routes())
        .route("/healthz", get(|| async { "ok" }))
        .fallback(page::page)
        .layer(DefaultBodyLimit::max(1 << 20))
        .layer(axum::middleware::from_fn(problem::request_id))
        .layer(CatchPanicLayer::custom(problem::panicked))
        .with_state(house)
}

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
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use bellwether_app::App;
use tower_http::catch_panic::CatchPanicLayer;

pub use bell::Bell;
pub use clock::Clock;
pub use house::House;

/// How long requests that run may take to finish once the server is told to stop.
const PATIENCE: Duration = Duration::from_secs(10);

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
    let (told, mut stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = axum::serve(listener, router).with_graceful_shutdown(async move {
        stop.await;
        // Streams never end by themselves: tell them.
        stopping.close();
        let _: Result<(), ()> = told.send(());
    });
    // A client that sends nothing and hangs on shall not keep the rest from being made durable.
    let impatient = async {
        match (&mut stopped).await {
            Ok(()) => tokio::time::sleep(PATIENCE).await,
            Err(_) => std::future::pending().await,
        }
    };
    let served = tokio::select! {
        served = async { serving.await } => served,
        () = impatient => Ok(()),
    };
    maintenance.abort();
    house.settle();
    served
}

fn router(house: House) -> Router {
    Router::new()
        .merge(api::routes())
        .merge(auth::routes())
        .merge(clock::routes())
        .merge(ofrep::routes())
        .merge(amplitude::routes())
        .merge(events::routes())
        .fallback(page::page)
        .layer(DefaultBodyLimit::max(1 << 20))
        .layer(CatchPanicLayer::custom(problem::panicked))
        .layer(axum::middleware::from_fn(problem::request_id))
        .with_state(house)
}

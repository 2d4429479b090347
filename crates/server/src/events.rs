//! Server: Amplitude's event endpoints. The reply is sent when the events are on disk.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bellwether_app::{AppError, Endpoint, Outcome, Refusal, Rejected};
use serde_json::json;
use tower_http::cors::{AllowHeaders, AllowMethods, Any, CorsLayer};

use crate::body::{Events, Unread};
use crate::house::House;
use crate::problem;

pub(crate) fn routes() -> Router<House> {
    let cors = CorsLayer::new()
        .allow_origin(Any)
        .allow_methods(AllowMethods::mirror_request())
        .allow_headers(AllowHeaders::mirror_request());
    Router::new()
        .route("/2/httpapi", post(http_v2).fallback(wrong_method))
        .route("/batch", post(batch).fallback(wrong_method))
        .route("/config/{key}", get(config))
        // Inside of `cors`, which answers `OPTIONS`.
        .method_not_allowed_fallback(problem::wrong_method)
        .layer(cors)
}

async fn http_v2(
    State(house): State<House>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Result<Events, Unread>,
) -> Response {
    take(house, Endpoint::HttpV2, peer, headers, body).await
}

async fn batch(
    State(house): State<House>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Result<Events, Unread>,
) -> Response {
    take(house, Endpoint::Batch, peer, headers, body).await
}

async fn take(
    house: House,
    endpoint: Endpoint,
    peer: SocketAddr,
    headers: HeaderMap,
    body: Result<Events, Unread>,
) -> Response {
    let body = match body {
        Ok(Events(body)) => body,
        Err(Unread::TooLarge) => return refuse(&Rejected::too_large(endpoint)),
        // The connection broke: whoever reads this has sent half a body.
        Err(Unread::Broken) => return refuse(&Rejected::unread()),
        Err(unread @ (Unread::Slow | Unread::Full)) => return refuse(&Rejected::of(&unread.into())),
    };
    let encoding = headers.get(header::CONTENT_ENCODING).and_then(|v| v.to_str().ok()).map(str::to_owned);
    let peer = peer.ip().to_string();
    // Parsing megabytes would hold up everybody else on this thread.
    let taken = house
        .parsing(move |house| {
            let now = house.clock.now();
            Ok(house.app.take_amplitude(endpoint, &body, encoding.as_deref(), Some(&peer), now))
        })
        .await;
    match taken {
        Ok(Outcome::Waiting { waiting, reply }) => match house.committer.settled(&waiting).await {
            Ok(()) => axum::Json(reply).into_response(),
            Err(e) => refuse(&Rejected::of(&e)),
        },
        Ok(Outcome::Rejected(rejected)) => refuse(&rejected),
        Err(e) => refuse(&Rejected::of(&e)),
    }
}

fn refuse(rejected: &Rejected) -> Response {
    let status = StatusCode::from_u16(rejected.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, axum::Json(&rejected.body)).into_response();
    if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
    }
    response
}

async fn wrong_method() -> Response {
    let error = AppError::new(Refusal::BadInput, "method", "events are sent with POST", "use POST");
    let body = json!({"code": 405, "error": error.message, "hint": error.hint});
    (StatusCode::METHOD_NOT_ALLOWED, axum::Json(body)).into_response()
}

/// What Amplitude's browser SDK asks its maker for; with nothing in it, it keeps its own settings.
async fn config() -> Response {
    axum::Json(json!({"configs": {}})).into_response()
}

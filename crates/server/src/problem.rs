//! Server: how a refusal leaves the house, and the id by which its cause is found in the log.

use std::any::Any;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, Method, Response, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::IntoResponse;
use bellwether_app::{AppError, Refusal};
use serde_json::Value;

tokio::task_local! {
    static REQUEST: String;
}

/// The id of the request that is being answered.
pub(crate) fn current_id() -> String {
    REQUEST.try_with(Clone::clone).unwrap_or_else(|_| "none".to_owned())
}

/// Gives every request an id, in the log and in the header `X-Request-Id`.
pub(crate) async fn request_id(request: Request, next: Next) -> axum::response::Response {
    static START: OnceLock<u32> = OnceLock::new();
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let start = START.get_or_init(|| getrandom::u32().unwrap_or_default());
    let id = format!("{start:08x}-{}", COUNT.fetch_add(1, Ordering::Relaxed));
    let (method, mut path) = (request.method().clone(), request.uri().path().to_owned());
    if path.starts_with("/config/") {
        // What follows is a key.
        path.truncate("/config/".len());
    }
    let mut response = REQUEST.scope(id.clone(), next.run(request)).await;
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-request-id", value);
    }
    tracing::debug!(%id, %method, path, status = response.status().as_u16(), "answered");
    response
}

/// A refusal on its way out: `{code, message, hint, request_id, details?}`.
#[derive(Debug)]
pub(crate) struct Problem(pub(crate) AppError);

impl From<AppError> for Problem {
    fn from(error: AppError) -> Self {
        Self(error)
    }
}

impl Problem {
    pub(crate) fn body(&self) -> Value {
        let id = current_id();
        if let Some(cause) = &self.0.cause {
            tracing::error!(%id, cause, "{}", self.0.message);
        }
        let mut body = self.0.body();
        if let Some(map) = body.as_object_mut() {
            map.insert("request_id".into(), id.into());
        }
        body
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> axum::response::Response {
        let status =
            StatusCode::from_u16(self.0.refusal.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, crate::json::Json(self.body())).into_response();
        if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            let seconds = self.0.details.as_ref().and_then(|d| d["retry_after"].as_u64()).unwrap_or(1);
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// A path that exists, asked with a method that it does not have.
pub(crate) async fn wrong_method(method: Method, uri: Uri) -> Problem {
    let path: String = uri.path().chars().take(100).collect();
    Problem(AppError::new(
        Refusal::Method,
        "method",
        format!("there is no `{method} {path}`, only other methods of it"),
        "see `/openapi.json` for what there is",
    ))
}

/// A bug of ours must not take the connection with it.
pub(crate) fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response<Body> {
    let said = panic
        .downcast_ref::<&str>()
        .map(|s| (*s).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned());
    tracing::error!(panic = said, "a request panicked: this is a bug");
    // Amplitude's SDKs read `code` as a number and nothing else; 500 tells them that the outcome is unknown.
    let body = serde_json::json!({"code": 500, "error": "internal", "message": "internal error",
        "hint": "try again", "request_id": current_id()});
    (StatusCode::INTERNAL_SERVER_ERROR, crate::json::Json(body)).into_response()
}

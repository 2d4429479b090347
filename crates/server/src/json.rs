//! Server: an answer in JSON. The framework's own would bring a feature of its reader by which a name that somebody sends
//! means something else: `crates/server/tests/http/events.rs`.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// An answer in JSON.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
            Err(error) => {
                tracing::error!(%error, "an answer cannot be written: this is a bug");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }
}

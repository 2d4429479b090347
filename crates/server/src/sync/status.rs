//! Server: how a gRPC call ends: a code, and a sentence with a hint.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use bellwether_app::{AppError, Refusal};

use crate::problem::Problem;

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Status {
    code: u8,
    message: String,
}

const OK: u8 = 0;
const INVALID_ARGUMENT: u8 = 3;
const DEADLINE_EXCEEDED: u8 = 4;
const NOT_FOUND: u8 = 5;
const PERMISSION_DENIED: u8 = 7;
const RESOURCE_EXHAUSTED: u8 = 8;
const FAILED_PRECONDITION: u8 = 9;
const UNIMPLEMENTED: u8 = 12;
const INTERNAL: u8 = 13;
const UNAVAILABLE: u8 = 14;
const UNAUTHENTICATED: u8 = 16;

impl Status {
    fn new(code: u8, message: &str, hint: &str) -> Self {
        Self { code, message: format!("{message}\nhint: {hint}") }
    }

    pub(super) fn ok() -> Self {
        Self { code: OK, message: String::new() }
    }

    pub(super) fn of(error: AppError) -> Self {
        let code = match error.refusal {
            Refusal::BadInput => INVALID_ARGUMENT,
            Refusal::Unauthenticated => UNAUTHENTICATED,
            Refusal::Forbidden => PERMISSION_DENIED,
            Refusal::NotFound => NOT_FOUND,
            Refusal::Stale | Refusal::Conflict => FAILED_PRECONDITION,
            Refusal::TooLarge | Refusal::Busy => RESOURCE_EXHAUSTED,
            Refusal::Method => UNIMPLEMENTED,
            Refusal::Slow => DEADLINE_EXCEEDED,
            Refusal::Unavailable => UNAVAILABLE,
            Refusal::Internal => INTERNAL,
        };
        let status = Self::new(code, &error.message, &error.hint);
        if code == INTERNAL {
            // For the log.
            Problem(error).body();
        }
        status
    }

    pub(super) fn invalid(message: String) -> Self {
        Self::new(INVALID_ARGUMENT, &message, "send a message of `flagd.sync.v1`, as the providers do")
    }

    pub(super) fn compressed() -> Self {
        Self::new(UNIMPLEMENTED, "the message is compressed", "send it as it is: it has a few bytes")
    }

    pub(super) fn unknown_method(method: &str) -> Self {
        let method: String = method.chars().take(60).collect();
        Self::new(
            UNIMPLEMENTED,
            &format!("`flagd.sync.v1.FlagSyncService` has no method `{method}`"),
            "use the resolver `in-process`; answers to single flags are given by OFREP",
        )
    }

    pub(super) fn revoked() -> Self {
        Self::new(UNAUTHENTICATED, "the key was revoked", "make a new one and set it as the selector")
    }

    pub(super) fn stopping() -> Self {
        Self::new(
            UNAVAILABLE,
            "the server is stopping",
            "connect again; until then the rules stay as they are",
        )
    }

    /// What ends the body.
    pub(super) fn trailers(&self) -> HeaderMap {
        let mut trailers = HeaderMap::with_capacity(2);
        trailers.insert(HeaderName::from_static("grpc-status"), HeaderValue::from(u16::from(self.code)));
        if !self.message.is_empty()
            && let Ok(message) = HeaderValue::from_str(&encoded(&self.message))
        {
            trailers.insert(HeaderName::from_static("grpc-message"), message);
        }
        trailers
    }

    #[cfg(test)]
    pub(super) fn code(&self) -> u8 {
        self.code
    }

    #[cfg(test)]
    pub(super) fn message(&self) -> &str {
        &self.message
    }
}

impl IntoResponse for Status {
    /// A call that ends before it began: gRPC calls it "trailers only".
    fn into_response(self) -> Response {
        let mut response = super::grpc(Body::empty());
        response.headers_mut().extend(self.trailers());
        response
    }
}

/// As the protocol encodes messages: printable ASCII but for `%` as it is, the rest percent-encoded UTF-8.
fn encoded(message: &str) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(message.len() + 8);
    for byte in message.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => text.push(char::from(byte)),
            _ => drop(write!(text, "%{byte:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_ascii_on_the_wire() {
        assert_eq!(encoded("50% of `käyttäjä`\nhint"), "50%25 of `k%C3%A4ytt%C3%A4j%C3%A4`%0Ahint");
    }
}

//! Provider: requests to the server, within bounds of time and size.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderValue};
use hyper::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};

use crate::settings::{ConnectError, Settings};

/// The most bytes of an answer that says why not.
const MOST_SAID: usize = 64 << 10;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The server is away, or takes nothing now: the same request may succeed later.
    Away(String),
    /// It was understood and refused: the same request is refused again.
    Refused {
        /// What is wrong.
        message: String,
        /// What to do about it.
        hint: String,
    },
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Away(message) => f.write_str(message),
            Self::Refused { message, hint } => write!(f, "{message}; {hint}"),
        }
    }
}

/// A server, and the key with which it is asked.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    /// The address without a slash at its end.
    base: String,
    bearer: HeaderValue,
    /// How long a request may take.
    pub(crate) timeout: Duration,
}

/// An answer that was read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Http {
    pub(crate) fn new(settings: &Settings) -> Result<Self, ConnectError> {
        let base = settings.address.trim().trim_end_matches('/');
        let shown: String = base.chars().take(100).collect();
        let wrong = || {
            ConnectError::new(
                format!("`{shown}` is no address of a server"),
                "write one such as `https://flags.example.com`",
            )
        };
        let uri: Uri = base.parse().map_err(|_| wrong())?;
        let secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(wrong()),
        };
        if uri.host().is_none_or(str::is_empty) || uri.query().is_some() {
            return Err(wrong());
        }
        let key = settings.key.trim();
        let bearer = HeaderValue::from_str(&format!("Bearer {key}")).ok().filter(|_| !key.is_empty());
        let mut bearer = bearer.ok_or_else(|| {
            ConnectError::new(
                "the key is empty or is none",
                "use the secret of a `server` key, as it was shown",
            )
        })?;
        bearer.set_sensitive(true);
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls(secure)?).https_or_http().enable_http1().build();
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self { client, base: base.to_owned(), bearer, timeout: settings.timeout })
    }

    /// Asks, and gives up after the time that a request may take.
    async fn send(
        &self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Response<Incoming>, Failure> {
        let unusable = |e: hyper::http::Error| Failure::Away(format!("`{path}` cannot be asked: {e}"));
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .body(Full::new(body))
            .map_err(unusable)?;
        request.headers_mut().extend(headers);
        request.headers_mut().insert(header::AUTHORIZATION, self.bearer.clone());
        let agent = concat!("bellwether-provider/", env!("CARGO_PKG_VERSION"));
        request.headers_mut().insert(header::USER_AGENT, HeaderValue::from_static(agent));
        match tokio::time::timeout(self.timeout, self.client.request(request)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(e)) => Err(Failure::Away(format!("the server cannot be reached: {}", causes(&e)))),
            Err(_) => Err(self.late()),
        }
    }

    fn late(&self) -> Failure {
        Failure::Away(format!("the server did not answer within {:?}", self.timeout))
    }

    /// Reads an answer of at most so many bytes.
    async fn whole(&self, response: Response<Incoming>, most: usize) -> Result<Answer, Failure> {
        let (head, body) = response.into_parts();
        let read = tokio::time::timeout(self.timeout, Limited::new(body, most).collect());
        let read = read.await.map_err(|_| self.late())?;
        let body = read.map_err(|e| Failure::Away(format!("the answer broke off: {e}")))?.to_bytes();
        Ok(Answer { status: head.status, headers: head.headers, body })
    }

    /// What is at `path`; nothing where it is still what `tag` names.
    pub(crate) async fn get(
        &self,
        path: &str,
        tag: Option<&str>,
        most: usize,
    ) -> Result<Option<Answer>, Failure> {
        let tag = tag.and_then(|tag| HeaderValue::from_str(&format!("\"{tag}\"")).ok());
        let asked = tag.is_some();
        let headers = tag.map(|tag| (header::IF_NONE_MATCH, tag)).into_iter().collect();
        let response = self.send(Method::GET, path, headers, Bytes::new()).await?;
        match response.status() {
            StatusCode::OK => self.whole(response, most).await.map(Some),
            StatusCode::NOT_MODIFIED if asked => Ok(None),
            _ => Err(self.why_not(response).await),
        }
    }

    /// Opens a stream of events.
    pub(crate) async fn stream(&self, path: &str) -> Result<Incoming, Failure> {
        let accept = HeaderValue::from_static("text/event-stream");
        let headers = HeaderMap::from_iter([(header::ACCEPT, accept)]);
        let response = self.send(Method::GET, path, headers, Bytes::new()).await?;
        if response.status() != StatusCode::OK {
            return Err(self.why_not(response).await);
        }
        // A page that something else gives would be a stream that ends, for no reason that could be said.
        let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        match kind.is_some_and(|kind| kind.starts_with("text/event-stream")) {
            true => Ok(response.into_body()),
            false => Err(self.stranger("it has no stream of events")),
        }
    }

    /// Sends JSON, and gives the answer whatever it is.
    pub(crate) async fn post(&self, path: &str, body: Vec<u8>) -> Result<Answer, Failure> {
        let json = HeaderValue::from_static("application/json");
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, json)]);
        let response = self.send(Method::POST, path, headers, body.into()).await?;
        self.whole(response, 1 << 20).await
    }

    /// Something answers that is no Bellwether.
    pub(crate) fn stranger(&self, what: &str) -> Failure {
        Failure::Away(format!(
            "what answers at `{}` is not Bellwether, or is behind something else: {what}",
            self.base
        ))
    }

    /// What an answer that is no success says. Only a Bellwether refuses, in its own words: what something says that
    /// stands between, such as a page about maintenance, passes.
    async fn why_not(&self, response: Response<Incoming>) -> Failure {
        let status = response.status();
        let said = self.whole(response, MOST_SAID).await.map(|answer| answer.body).unwrap_or_default();
        let said: serde_json::Value = serde_json::from_slice(&said).unwrap_or_default();
        let text = |field: &str| said.get(field).and_then(serde_json::Value::as_str).map(str::to_owned);
        match (text("message"), text("hint")) {
            (Some(message), Some(hint)) if !passes(status) => Failure::Refused { message, hint },
            (Some(message), _) => Failure::Away(message),
            (None, _) => self.stranger(&format!("status `{status}`")),
        }
    }
}

/// Whether the same request may be answered later.
pub(crate) fn passes(status: StatusCode) -> bool {
    status.is_server_error() || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT)
}

/// Whom to believe. The provider of cryptography is said here, because the program that we are part of may
/// have another one, and then none would be the default.
fn tls(secure: bool) -> Result<ClientConfig, ConnectError> {
    let unusable = |e: &dyn std::fmt::Display| {
        ConnectError::new(
            format!("TLS cannot be used: {e}"),
            "install the certificates of the system (package `ca-certificates`)",
        )
    };
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| unusable(&e))?;
    let builder = match secure {
        true => builder.with_native_roots().map_err(|e| unusable(&e))?,
        // A container without certificates can still speak to its neighbour.
        false => builder.with_root_certificates(RootCertStore::empty()),
    };
    Ok(builder.with_no_client_auth())
}

/// An error with what caused it, to the last cause.
fn causes(error: &dyn std::error::Error) -> String {
    let mut said = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        said = format!("{said}: {cause}");
        next = cause.source();
    }
    said
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_address_is_one_or_is_refused() {
        let new = |address: &str, key: &str| Http::new(&Settings::new(address, key)).map(|http| http.base);
        let check = |address: &str, base: &str| assert_eq!(new(address, "k").unwrap(), base);
        check("http://localhost:8080", "http://localhost:8080");
        check(" http://localhost:8080/ ", "http://localhost:8080");
        check("https://example.com/bellwether/", "https://example.com/bellwether");
        for wrong in ["", "localhost:8080", "ftp://x", "http://", "http://x?a=b", "/api"] {
            assert!(new(wrong, "k").unwrap_err().message.contains("is no address"), "{wrong}");
        }
        for wrong in ["", " ", "a\nb"] {
            assert_eq!(new("http://localhost", wrong).unwrap_err().message, "the key is empty or is none");
        }
    }
}

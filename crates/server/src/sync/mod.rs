//! Server: `flagd.sync.v1.FlagSyncService`, by which flagd's in-process providers load the rules and hear
//! of changes. It is gRPC over HTTP/2 without TLS, on the port of everything else.
//!
//! The protocol has no field for a credential, and most providers can send nothing but a selector. So the
//! selector is the environment's `server` key (`flagSetId=bws_…`); who can set headers sends the key in
//! `authorization` and may name the environment in the selector.
//!
//! A stream holds no backlog: it looks at what is served now whenever it is ready for more, so a slow client
//! skips what it was too slow for and costs the others nothing. The document is never copied, however many
//! streams there are.

mod message;
mod selector;
mod status;

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Version, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use bellwether_app::{AppError, Grant, Refusal, SdkGrant};
use bellwether_model::{Actor, EnvironmentKey};
use futures_util::stream;
use http_body_util::StreamBody;
use hyper::body::Frame;

use crate::auth;
use crate::body::Whole;
use crate::house::House;
use crate::problem::Problem;
use message::{Asked, METADATA};
use status::Status;

/// Where the service is. The rest of the address is a method.
const SERVICE: &str = "/flagd.sync.v1.FlagSyncService/";

pub(crate) fn routes() -> Router<House> {
    Router::new().route(&format!("{SERVICE}{{method}}"), any(call))
}

/// Whether a request is made in gRPC, and so answered in it.
pub(crate) fn is_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("application/grpc"))
}

/// A refusal in gRPC's words, where it is made before the service is asked.
pub(crate) fn refusal(error: AppError) -> Response {
    Status::of(error).into_response()
}

async fn call(
    State(house): State<House>,
    method: Result<Path<String>, PathRejection>,
    version: Version,
    headers: HeaderMap,
    body: Result<Whole, Problem>,
) -> Response {
    if version != Version::HTTP_2 || !is_grpc(&headers) {
        let error = AppError::bad_input(
            "this address speaks gRPC, which is HTTP/2 with the content type `application/grpc`",
            "connect a flagd provider with this host and port and the resolver `in-process`",
        );
        return (StatusCode::UNSUPPORTED_MEDIA_TYPE, crate::json::Json(Problem(error).body()))
            .into_response();
    }
    // One that is not UTF-8 is no method either.
    let method = method.as_ref().map_or("", |Path(method)| method.as_str());
    match answer(&house, method, &headers, body).await {
        Ok(response) => response,
        Err(status) => status.into_response(),
    }
}

async fn answer(
    house: &House,
    method: &str,
    headers: &HeaderMap,
    body: Result<Whole, Problem>,
) -> Result<Response, Status> {
    let Whole(body) = body.map_err(|Problem(error)| Status::of(error))?;
    let asked = Asked::read(&body)?;
    match method {
        "SyncFlags" => {
            let (grant, environment) = opened(house, headers, &asked).await?;
            Ok(documents(house, environment, grant.actor))
        }
        "FetchAllFlags" => {
            let (_, environment) = opened(house, headers, &asked).await?;
            let served = house.app.served(&environment).map_err(Status::of)?;
            Ok(once(message::document(&served.flagd)))
        }
        // Providers put what is said here into every context, where it would hide attributes: nothing is said.
        // It is asked without a selector, so anybody may.
        "GetMetadata" => Ok(once([Bytes::from_static(METADATA)])),
        other => Err(Status::unknown_method(other)),
    }
}

/// Whose rules are asked for, and by whom.
async fn opened(
    house: &House,
    headers: &HeaderMap,
    asked: &Asked,
) -> Result<(Grant, EnvironmentKey), Status> {
    let sent = headers.get("flagd-selector").map(|v| v.to_str().unwrap_or_default());
    let selector = selector::parse(sent.filter(|s| !s.is_empty()).unwrap_or(&asked.selector));
    let (grant, sdk) =
        auth::sdk_or(house, headers, selector.secret).await.map_err(|e| keyless(e, &selector))?;
    let SdkGrant { environment, rules } = sdk;
    let refused = |message, hint| Status::of(AppError::new(Refusal::Forbidden, "forbidden", message, hint));
    if !rules {
        return Err(refused(
            "a `client` key gets answers and no rules".to_owned(),
            "use a `server` key of this environment, and only where users cannot read it",
        ));
    }
    match selector.environment {
        Some(asked) if asked != environment.as_str() => Err(refused(
            format!("the key is of environment `{environment}`, and the selector names `{}`", shown(asked)),
            "send the key of the environment that is meant, or no selector beside it",
        )),
        _ => Ok((grant, environment)),
    }
}

/// What is asked without a key gets a hint that fits: a provider's user knows selectors, not headers.
fn keyless(mut error: AppError, selector: &selector::Selector<'_>) -> Status {
    if error.refusal == Refusal::Unauthenticated && selector.secret.is_none() {
        if let Some(name) = selector.environment {
            error.message = format!("the selector `{}` is no key, and none was sent beside it", shown(name));
        }
        error.hint = "set the provider's selector to `flagSetId=<server key of the environment>`".to_owned();
    }
    Status::of(error)
}

fn shown(text: &str) -> String {
    text.chars().take(60).collect()
}

/// One message, and that all is well.
fn once(message: impl IntoIterator<Item = Bytes>) -> Response {
    let frames: Vec<_> =
        message.into_iter().map(Frame::data).chain([Frame::trailers(Status::ok().trailers())]).collect();
    grpc(Body::new(StreamBody::new(stream::iter(frames.into_iter().map(Ok::<_, std::convert::Infallible>)))))
}

pub(super) fn grpc(body: Body) -> Response {
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/grpc"));
    response
}

/// The document of an environment, and again whenever it is another one.
///
/// It never ends well: the Node provider hears errors and not the end of a stream, so it would wait for ever.
fn documents(house: &House, environment: EnvironmentKey, by: Actor) -> Response {
    struct At {
        house: House,
        environment: EnvironmentKey,
        bell: tokio::sync::watch::Receiver<u64>,
        closing: tokio::sync::watch::Receiver<bool>,
        by: Actor,
        sent: Option<Arc<str>>,
        /// What of the last message is still to be sent.
        rest: Option<Bytes>,
        ended: bool,
    }
    impl At {
        /// Waits for the next message or the reason why there is none.
        async fn next(&mut self) -> Result<[Bytes; 2], Status> {
            loop {
                self.bell.borrow_and_update();
                if self.house.app.revoked(&self.by) {
                    return Err(Status::revoked());
                }
                let served = self.house.app.served(&self.environment).map_err(Status::of)?;
                if !self.sent.as_ref().is_some_and(|sent| Arc::ptr_eq(sent, &served.flagd)) {
                    self.sent = Some(Arc::clone(&served.flagd));
                    return Ok(message::document(&served.flagd));
                }
                if *self.closing.borrow() {
                    return Err(Status::stopping());
                }
                tokio::select! {
                    rung = self.bell.changed() => rung.map_err(|_| Status::stopping())?,
                    _ = self.closing.changed() => {}
                }
            }
        }
    }
    // Listen before looking: a change in between rings and is not missed.
    let (bell, closing) = (house.bell.listen(), house.closing());
    let house = house.clone();
    let at = At { house, environment, bell, closing, by, sent: None, rest: None, ended: false };
    let frames = stream::unfold(at, |mut at| async move {
        if at.ended {
            return None;
        }
        let frame = match at.rest.take() {
            Some(rest) => Frame::data(rest),
            None => match at.next().await {
                Ok([head, rest]) => {
                    at.rest = Some(rest);
                    Frame::data(head)
                }
                Err(status) => {
                    at.ended = true;
                    Frame::trailers(status.trailers())
                }
            },
        };
        Some((Ok::<_, std::convert::Infallible>(frame), at))
    });
    grpc(Body::new(StreamBody::new(Box::pin(frames))))
}

//! Server: OFREP 0.3, the OpenFeature remote evaluation protocol: single, bulk with ETag, and the
//! stream that tells web clients to evaluate again.

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bellwether_app::{Answer, AppError, Refusal, Track};
use bellwether_model::{Context, Unit};
use serde::Serialize;
use serde_json::{Map, Value, json};
use tower_http::cors::{AllowHeaders, AllowMethods, Any, CorsLayer};

use crate::body::{Whole, in_place};
use crate::house::House;
use crate::problem::{self, Problem};
use crate::{api, auth, stream};

pub(crate) fn routes() -> Router<House> {
    let cors = CorsLayer::new()
        .allow_origin(Any)
        .allow_methods(AllowMethods::mirror_request())
        .allow_headers(AllowHeaders::mirror_request())
        // Without these a browser client cannot read them and never gets a 304.
        .expose_headers([header::ETAG, header::RETRY_AFTER]);
    Router::new()
        .route("/ofrep/v1/evaluate/flags/{key}", post(single))
        .route("/ofrep/v1/evaluate/flags", post(bulk))
        .route("/ofrep/v1/stream", get(changes))
        // Inside of `cors`, which answers `OPTIONS`.
        .method_not_allowed_fallback(wrong_method)
        .layer(cors)
}

/// A failure in the protocol's words.
struct Failure {
    status: StatusCode,
    body: Map<String, Value>,
}

impl Failure {
    fn new(status: StatusCode, code: &str, details: impl Into<String>) -> Self {
        let mut body = Map::new();
        body.insert("errorCode".into(), code.into());
        body.insert("errorDetails".into(), details.into().into());
        Self { status, body }
    }

    fn of(error: AppError) -> Self {
        let details = format!("{}; {}", error.message, error.hint);
        match error.refusal {
            Refusal::Unauthenticated => Self::new(StatusCode::UNAUTHORIZED, "GENERAL", details),
            Refusal::Forbidden => Self::new(StatusCode::FORBIDDEN, "GENERAL", details),
            Refusal::Busy => Self::new(StatusCode::TOO_MANY_REQUESTS, "GENERAL", details),
            Refusal::Internal => {
                Problem(error).body();
                let body = Map::from_iter([("errorDetails".to_owned(), details.into())]);
                Self { status: StatusCode::INTERNAL_SERVER_ERROR, body }
            }
            _ => Self::new(StatusCode::BAD_REQUEST, "GENERAL", details),
        }
    }

    /// A body that did not come has no error code in the protocol.
    fn unread(error: &AppError) -> Self {
        let status = StatusCode::from_u16(error.refusal.status()).unwrap_or(StatusCode::BAD_REQUEST);
        let details = format!("{}; {}", error.message, error.hint);
        Self { status, body: Map::from_iter([("errorDetails".to_owned(), details.into())]) }
    }

    fn about(mut self, key: &str) -> Self {
        self.body.insert("key".into(), key.into());
        self
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = (self.status, crate::json::Json(self.body)).into_response();
        if matches!(self.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// Who the flags are evaluated for.
struct Asked {
    context: Context,
    /// In how many bytes they came.
    bytes: usize,
}

fn context(body: Result<Whole, Problem>) -> Result<Asked, Failure> {
    let invalid = |details: String| Failure::new(StatusCode::BAD_REQUEST, "INVALID_CONTEXT", details);
    let Whole(body) = body.map_err(|Problem(error)| Failure::unread(&error))?;
    let bytes = body.len();
    let parsed = api::sdk_json(&body).map_err(|e| {
        Failure::new(StatusCode::BAD_REQUEST, "PARSE_ERROR", format!("{}; {}", e.message, e.hint))
    })?;
    let Value::Object(mut request) = parsed else {
        return Err(Failure::new(
            StatusCode::BAD_REQUEST,
            "PARSE_ERROR",
            "the body is not an object; send `{\"context\": {\"targetingKey\": \"…\"}}`",
        ));
    };
    let mut attributes = match request.remove("context") {
        Some(Value::Object(attributes)) => attributes,
        None | Some(Value::Null) => {
            return Err(invalid(
                "`context` is missing; send `{\"context\": {\"targetingKey\": \"…\"}}`".into(),
            ));
        }
        Some(other) => {
            return Err(invalid(format!(
                "`context` is `{}`, not an object; send one with `targetingKey`",
                shown(&other)
            )));
        }
    };
    bellwether_app::fits(&attributes).map_err(|e| invalid(format!("{}; {}", e.message, e.hint)))?;
    let key = match attributes.remove("targetingKey") {
        None | Some(Value::Null) => None,
        Some(Value::String(key)) => Some(key),
        Some(other) => {
            return Err(invalid(format!(
                "`context.targetingKey` is `{}`, not text; send the id as text",
                shown(&other)
            )));
        }
    };
    Ok(Asked { context: Context::new(key.as_deref(), attributes), bytes })
}

fn shown(value: &Value) -> String {
    shown_text(&value.to_string())
}

fn shown_text(text: &str) -> String {
    text.chars().take(60).collect()
}

/// What a flag is answered with.
#[derive(Serialize)]
struct Answered<'s> {
    key: &'s str,
    reason: &'static str,
    value: &'s Value,
    variant: &'s str,
}

/// Where a split has nobody to place there is no answer: the SDK then uses the value in its code, and says why.
fn answered<'s>(answer: &Answer<'s>) -> Result<Answered<'s>, Failure> {
    let Answer { flag: key, variant, value, reason, lacks, .. } = *answer;
    let Some(unit) = lacks else { return Ok(Answered { key, reason, value, variant }) };
    let (code, field) = match unit {
        Unit::User => ("TARGETING_KEY_MISSING", "targetingKey"),
        unit => ("INVALID_CONTEXT", unit.attribute()),
    };
    let details =
        format!("flag `{key}` divides by `{field}`, which the context does not have; send it as text");
    Err(Failure::new(StatusCode::BAD_REQUEST, code, details).about(key))
}

/// Names the flag that was asked for, if one was. A key that is not UTF-8 is named as it stands in the address.
fn about_flag(failure: Failure, key: Result<Path<String>, PathRejection>, uri: &Uri) -> Failure {
    match (key, uri.path().strip_prefix("/ofrep/v1/evaluate/flags/")) {
        (Ok(Path(key)), _) => failure.about(&key),
        (Err(_), Some(encoded)) => failure.about(encoded),
        (Err(_), None) => failure,
    }
}

async fn wrong_method(method: Method, key: Result<Path<String>, PathRejection>, uri: Uri) -> Failure {
    let Problem(error) = problem::wrong_method(method, uri.clone()).await;
    let status = StatusCode::METHOD_NOT_ALLOWED;
    let details = format!("{}; {}", error.message, error.hint);
    about_flag(Failure::new(status, "GENERAL", details), key, &uri)
}

async fn single(
    State(house): State<House>,
    key: Result<Path<String>, PathRejection>,
    uri: Uri,
    headers: HeaderMap,
    body: Result<Whole, Problem>,
) -> Result<Response, Failure> {
    let Ok(Path(key)) = key else {
        let details = "the flag's key is not UTF-8; percent-encode it";
        let failure = Failure::new(StatusCode::BAD_REQUEST, "PARSE_ERROR", details);
        return Err(about_flag(failure, key, &uri));
    };
    let about = |failure: Failure| failure.about(&key);
    let (_, grant) = auth::sdk(&house, &headers).await.map_err(Failure::of).map_err(about)?;
    let Asked { context, bytes } = context(body).map_err(about)?;
    let served = house.app.served(&grant.environment).map_err(Failure::of).map_err(about)?;
    let now = house.clock.now();
    match in_place(bytes, || {
        house.app.evaluate(&served, &key, &context, Track::Exposure, agent(&headers), now)
    }) {
        Some(answer) => Ok(crate::json::Json(answered(&answer)?).into_response()),
        None => {
            let details = format!(
                "there is no flag `{}` in environment `{}`; see the list of flags for its spelling",
                shown_text(&key),
                grant.environment
            );
            Err(about(Failure::new(StatusCode::NOT_FOUND, "FLAG_NOT_FOUND", details)))
        }
    }
}

/// What the caller's browser calls itself.
fn agent(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok())
}

async fn bulk(
    State(house): State<House>,
    headers: HeaderMap,
    body: Result<Whole, Problem>,
) -> Result<Response, Failure> {
    let (key, grant) = auth::sdk(&house, &headers).await.map_err(Failure::of)?;
    let Asked { context, bytes } = context(body)?;
    let served = house.app.served(&grant.environment).map_err(Failure::of)?;
    let now = house.clock.now();
    let all = || house.app.evaluate_all(&served, None, &context, &[Track::Assignment], agent(&headers), now);
    let answers = in_place(bytes, all);
    let token = house.app.stream_token(&key).map_err(Failure::of)?;
    // What the answers are of: if something changes before the client listens, the stream says so at once.
    let uri = format!("/ofrep/v1/stream?token={token}&knows={}", served.tag);
    let streams = [json!({"type": "sse", "endpoint": {"requestUri": uri}, "inactivityDelaySec": 120})];
    let (body, flags) =
        written(&streams, &answers).map_err(|e| Failure::of(AppError::internal("write the answer", e)))?;
    let tag = tag(&house, &token, &context, body.get(flags..).unwrap_or_default()).map_err(Failure::of)?;
    let asked = headers.get(header::IF_NONE_MATCH).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let mut response = if asked.split(',').any(|one| one.trim().trim_start_matches("W/") == tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, "application/json")], body).into_response()
    };
    if let Ok(value) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(header::ETAG, value);
    }
    Ok(response)
}

/// A bulk answer as it is sent, and where in it the flags begin: 350 of them are 30 kB, which are written once.
fn written(streams: &[Value], answers: &[Answer<'_>]) -> serde_json::Result<(Vec<u8>, usize)> {
    let mut body = Vec::with_capacity(256 + 128 * answers.len());
    body.extend_from_slice(b"{\"eventStreams\":");
    serde_json::to_writer(&mut body, streams)?;
    body.extend_from_slice(b",\"flags\":[");
    let flags = body.len();
    for answer in answers {
        if body.len() > flags {
            body.push(b',');
        }
        match answered(answer) {
            Ok(answered) => serde_json::to_writer(&mut body, &answered)?,
            Err(failure) => serde_json::to_writer(&mut body, &failure.body)?,
        }
    }
    body.extend_from_slice(b"]}");
    Ok((body, flags))
}

/// Names an answer: to this key, of this context, with these results. The same tag is the same answer, its
/// stream included: who comes with a new key does not keep the stream of the old one.
fn tag(house: &House, token: &str, context: &Context, flags: &[u8]) -> Result<String, AppError> {
    let context = serde_json::to_vec(context).map_err(|e| AppError::internal("write the answer", e))?;
    Ok(format!("\"{}\"", house.app.name_of(&[token.as_bytes(), &context, flags])))
}

/// What the client knows is in the stream's address, and after a reconnect in `Last-Event-ID`: a change
/// between its answers and its stream, or while it was away, is said at once.
async fn changes(
    State(house): State<House>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let query = api::pairs(query.as_deref().unwrap_or_default()).map_err(Failure::of)?;
    let sent = |name: &str| query.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
    let (environment, key) =
        house.app.stream_opened(sent("token").unwrap_or_default()).map_err(Failure::of)?;
    let last = headers.get("last-event-id").and_then(|v| v.to_str().ok()).filter(|id| !id.is_empty());
    let knows = match last.or(sent("knows")) {
        Some(tag) => tag.to_owned(),
        None => house.app.served(&environment).map_err(Failure::of)?.tag.clone(),
    };
    Ok(stream::events(&house, environment, key, Some(knows), &REFETCH))
}

static REFETCH: stream::Words = stream::Words {
    tag: |served| &served.tag,
    say: |served| {
        let data = json!({
            "type": "refetchEvaluation", "etag": served.tag, "lastModified": served.since.0.div_euclid(1_000),
        });
        format!("id: {}\nevent: message\ndata: {data}\n\n", served.tag)
    },
    quiet: ": quiet\n\n",
};

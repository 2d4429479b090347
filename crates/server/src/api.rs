//! Server: the HTTP door of the registry. Routes, arguments and answers all come from its entries.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::Router;
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, RawQuery, State};
use axum::handler::Handler;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, delete, get, patch, post, put};
use bellwether_app::{
    AppError, Cancel, Class, Ctx, Entry, Method, OnceJson, Progress, REGISTRY, from_text, openapi, plain_text,
};

use crate::auth;
use crate::body::{Held, Long, Whole};
use crate::house::House;
use crate::problem::{Problem, wrong_method};

pub(crate) fn routes() -> Router<House> {
    let mut by_path: BTreeMap<&str, MethodRouter<House>> = BTreeMap::new();
    for entry in REGISTRY {
        let route = match entry.text {
            None => route(
                entry.method,
                move |State(house): State<House>,
                      path: Result<RawPathParams, RawPathParamsRejection>,
                      query: RawQuery,
                      headers: HeaderMap,
                      Whole(body): Whole| {
                    handle(entry, house, path, query, headers, Sent::Json(body))
                },
            ),
            Some(field) => route(
                entry.method,
                move |State(house): State<House>,
                      path: Result<RawPathParams, RawPathParamsRejection>,
                      query: RawQuery,
                      headers: HeaderMap,
                      Long(body): Long| {
                    handle(entry, house, path, query, headers, Sent::Text(field, body))
                },
            ),
        };
        let merged = match by_path.remove(entry.path) {
            Some(others) => others.merge(route),
            None => route,
        };
        by_path.insert(entry.path, merged);
    }
    let router =
        Router::new().route("/openapi.json", get(document)).route("/healthz", get(|| async { "ok" }));
    let router = by_path.into_iter().fold(router, |router, (path, route)| router.route(path, route));
    router.method_not_allowed_fallback(wrong_method)
}

/// The body of a call.
enum Sent {
    /// The fields of the input that are not in the path.
    Json(Held),
    /// One field of the input; all others are in path and query.
    Text(&'static str, Held),
}

fn route<H: Handler<T, House>, T: 'static>(method: Method, answer: H) -> MethodRouter<House> {
    match method {
        Method::Get => get(answer),
        Method::Post => post(answer),
        Method::Put => put(answer),
        Method::Patch => patch(answer),
        Method::Delete => delete(answer),
    }
}

async fn document() -> Response {
    static TEXT: LazyLock<String> = LazyLock::new(|| openapi().to_string());
    ([(header::CONTENT_TYPE, "application/json")], TEXT.as_str()).into_response()
}

/// Tells the operation to stop when its client has gone and this future is dropped.
struct Stops(Cancel);

impl Drop for Stops {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

async fn handle(
    entry: &'static Entry,
    house: House,
    path: Result<RawPathParams, RawPathParamsRejection>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    sent: Sent,
) -> Result<Response, Problem> {
    let changes = entry.method != Method::Get;
    let grant = auth::grant(&house, &headers, changes).await?;
    let path =
        path.map_err(|_| AppError::bad_input("the path is not UTF-8", "percent-encode it as UTF-8"))?;
    let mut texts: Vec<(String, String)> = path.iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
    let (mut dry_run, in_query) = (false, pairs(query.as_deref().unwrap_or_default())?);
    for (name, value) in in_query {
        if name == "dry_run" {
            // Anything but a plain word must not turn a rehearsal into the deed.
            dry_run = match value.as_str() {
                "true" => true,
                "false" => false,
                other => {
                    let shown: String = other.chars().take(40).collect();
                    let message = format!("in `dry_run`: `{shown}` is not `true` or `false`");
                    return Err(AppError::bad_input(message, "send `dry_run=true` to change nothing").into());
                }
            };
        } else if changes && entry.method != Method::Delete && entry.text.is_none() {
            return Err(AppError::bad_input(
                format!("`{name}` is in the query"),
                "send it in the body; only `dry_run` goes into the query",
            )
            .into());
        } else {
            texts.push((name, value));
        }
    }
    let body = match sent {
        Sent::Json(body) if body.is_empty() => None,
        Sent::Json(body) => Some(json(&body)?),
        Sent::Text(field, body) => Some(text(field, &body, &headers)?),
    };
    let input = from_text(entry, &texts, body)?;
    let cancel = Cancel::default();
    let ctx =
        Ctx { now: house.clock.now(), grant, dry_run, cancel: cancel.clone(), progress: Progress::default() };
    let stops = Stops(cancel);
    let output = match entry.class {
        Class::Instant => entry.call(&house.app, &ctx, input)?,
        Class::Write | Class::Bulk | Class::Scan => {
            house.blocking(move |house| entry.call(&house.app, &ctx, input)).await?
        }
    };
    drop(stops);
    let mut response = (StatusCode::OK, crate::json::Json(output)).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    Ok(response)
}

/// A body of plain text as the field that it is.
fn text(field: &str, body: &[u8], headers: &HeaderMap) -> Result<serde_json::Value, AppError> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("text/plain");
    let kind = kind.split(';').next().unwrap_or_default().trim();
    // JSON that is read as text would be taken for one strange id.
    if !kind.starts_with("text/") && kind != "application/octet-stream" {
        let shown: String = kind.chars().take(40).collect();
        return Err(AppError::bad_input(
            format!("the body is `{shown}`, and this takes plain text"),
            "send it with the Content-Type `text/plain`",
        ));
    }
    Ok(serde_json::json!({ field: plain_text(body)? }))
}

/// A JSON body, or what is wrong with it and where.
pub(crate) fn json(body: &[u8]) -> Result<serde_json::Value, AppError> {
    serde_json::from_slice(body).map(|OnceJson(json)| json).map_err(|e| not_json(&e))
}

/// The same of an SDK, which may have cut a text between the halves of a character.
pub(crate) fn sdk_json(body: &[u8]) -> Result<serde_json::Value, AppError> {
    bellwether_app::sdk_json(body).map(|OnceJson(json)| json).map_err(|e| not_json(&e))
}

fn not_json(error: &serde_json::Error) -> AppError {
    if error.is_data() {
        return AppError::bad_input(format!("in the body, {error}"), "say each field once");
    }
    AppError::bad_input(
        format!("the body is not JSON: {}", error.to_string().trim_end_matches('.')),
        "send a JSON object in UTF-8, without a Content-Encoding",
    )
}

/// The pairs of a query string.
pub(crate) fn pairs(query: &str) -> Result<Vec<(String, String)>, AppError> {
    serde_urlencoded::from_str(query).map_err(|e| {
        AppError::bad_input(format!("the query cannot be read: {e}"), "use `name=value&name=value`")
    })
}

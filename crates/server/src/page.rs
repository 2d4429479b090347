//! Server: the page. Its files are in the binary; every path that is no file is the page itself,
//! because the page keeps its state in the address.

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use bellwether_app::{AppError, Refusal};
use rust_embed::{EmbeddedFile, RustEmbed};
use serde_json::json;

use crate::problem::Problem;

#[derive(RustEmbed)]
#[folder = "../../web/dist"]
#[allow_missing = true]
struct Files;

/// What the browser may do on our page: run our scripts, talk to us, and nothing else.
const POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; \
    connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

/// Where programs ask and not people: what is not there is no page. SDKs look by `GET` also for what we do not have, such as
/// their makers' replay, and a page in its place would be run as a script.
const DOORS: [&str; 11] =
    ["api/", "sdk/", "ofrep/", "2/", "batch/", "config/", "array/", "static/", "s/", "decide", "v1/"];

pub(crate) async fn page(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path().trim_start_matches('/');
    if method != Method::GET && method != Method::HEAD {
        return nothing(&method, path);
    }
    if DOORS.iter().any(|door| path.starts_with(door)) {
        return nothing(&method, path);
    }
    if let Some(file) = Files::get(path).filter(|_| !path.is_empty()) {
        return send(path, &file, &headers);
    }
    match Files::get("index.html") {
        Some(file) => send("index.html", &file, &headers),
        None => (
            StatusCode::NOT_FOUND,
            "this binary was built without the page\nhint: run `npm ci && npm run build` in `web`, then build again\n",
        )
            .into_response(),
    }
}

fn nothing(method: &Method, path: &str) -> Response {
    let shown: String = path.chars().take(100).collect();
    let message = format!("there is no `{method} /{shown}`");
    let mut problem = Problem(AppError::new(
        Refusal::NotFound,
        "not_found",
        message,
        "see `/openapi.json` for what there is",
    ));
    let mut body = problem.body();
    problem.0.details = None;
    // Amplitude's SDKs take a number from `code`.
    if path.starts_with("2/") || path.starts_with("batch") {
        body = json!({"code": 404, "error": "Invalid request path", "hint": "use `POST /2/httpapi` or `POST /batch`"});
    }
    (StatusCode::NOT_FOUND, crate::json::Json(body)).into_response()
}

fn send(path: &str, file: &EmbeddedFile, headers: &HeaderMap) -> Response {
    let tag: String = file.metadata.sha256_hash().iter().take(8).map(|b| format!("{b:02x}")).collect();
    let tag = format!("\"{tag}\"");
    // Built files carry a hash in their names; the page itself must be asked for each time.
    let keep = if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    let same = headers.get(header::IF_NONE_MATCH).and_then(|v| v.to_str().ok()) == Some(tag.as_str());
    let mut response = if same {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, kind(path))], file.data.clone()).into_response()
    };
    let fixed: [(HeaderName, &str); 5] = [
        (header::CACHE_CONTROL, keep),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::ETAG, &tag),
    ];
    for (name, value) in fixed {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn kind(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("json" | "map") => "application/json",
        _ => "application/octet-stream",
    }
}

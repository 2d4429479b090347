//! Server: cookies, CSRF and keys in headers become a grant; what it allows is decided in `app`.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::Router;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bellwether_app::{AppError, Grant, Login, Refusal, SESSION, SdkGrant, Setup};
use serde::Deserialize;
use serde_json::json;

use crate::api;
use crate::body::Whole;
use crate::house::House;
use crate::json::Json;
use crate::problem::{Problem, wrong_method};

const COOKIE: &str = "bellwether_session";

pub(crate) fn routes() -> Router<House> {
    Router::new()
        .route("/api/setup", get(setup).post(set_up))
        .route("/api/login", post(log_in))
        .route("/api/logout", post(log_out))
        .route("/api/me", get(me))
        .method_not_allowed_fallback(wrong_method)
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, secret) = value.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("api-key")).then(|| secret.trim())
}

/// Who asks over the API: a key in `Authorization`, else a session, whose changes need the page's token.
pub(crate) async fn grant(house: &House, headers: &HeaderMap, changes: bool) -> Result<Grant, AppError> {
    if let Some(secret) = bearer(headers) {
        return key(house, secret).await;
    }
    let Some(token) = cookie(headers).map(str::to_owned) else {
        return Err(AppError::new(
            Refusal::Unauthenticated,
            "unauthenticated",
            "nobody is logged in and no key was sent",
            "log in, or send `Authorization: Bearer <admin key>`",
        ));
    };
    let (grant, csrf, _) = house.blocking(move |house| house.app.session(&token, house.clock.now())).await?;
    let sent = headers.get("x-csrf-token").and_then(|v| v.to_str().ok());
    if changes && sent != Some(csrf.as_str()) {
        return Err(AppError::new(
            Refusal::Forbidden,
            "csrf",
            "the request does not prove that it comes from the page",
            "send the header `X-CSRF-Token` with the `csrf` of `GET /api/me`",
        ));
    }
    Ok(grant)
}

/// What a key opens. One that was not seen before is looked up on a thread that may wait.
async fn key(house: &House, secret: &str) -> Result<Grant, AppError> {
    if let Some(known) = house.app.key_in_memory(secret) {
        return known;
    }
    let secret = secret.to_owned();
    house.blocking(move |house| house.app.key(&secret)).await
}

/// An SDK's key, and which environment it opens: `Authorization: Bearer`, `Authorization: Api-Key` or
/// `X-API-Key`.
pub(crate) async fn sdk(house: &House, headers: &HeaderMap) -> Result<(Grant, SdkGrant), AppError> {
    sdk_or(house, headers, None).await
}

/// The same, where the protocol has another place for a key, too.
pub(crate) async fn sdk_or(
    house: &House,
    headers: &HeaderMap,
    elsewhere: Option<&str>,
) -> Result<(Grant, SdkGrant), AppError> {
    let secret = bearer(headers).or_else(|| headers.get("x-api-key").and_then(|v| v.to_str().ok()));
    let Some(secret) = secret.or(elsewhere) else {
        return Err(AppError::new(
            Refusal::Unauthenticated,
            "unauthenticated",
            "no key was sent",
            "send `Authorization: Bearer <client or server key>`",
        ));
    };
    let grant = key(house, secret).await?;
    let sdk = grant.sdk()?;
    Ok((grant, sdk))
}

/// A browser says where a request comes from. What begins a session is not taken from another site,
/// or that site could log its visitors in as somebody else.
fn same_site(headers: &HeaderMap) -> Result<(), AppError> {
    let from = headers.get("sec-fetch-site").and_then(|v| v.to_str().ok());
    match from {
        None | Some("same-origin" | "none") => Ok(()),
        Some(_) => Err(AppError::new(
            Refusal::Forbidden,
            "csrf",
            "the request comes from another site",
            "log in on the page of this server",
        )),
    }
}

fn logged_in(house: &House, login: Login) -> Response {
    let Login { token, csrf, person } = login;
    let seconds = SESSION.0 / 1_000;
    // `Secure` would lock out the plain-HTTP loopback that a first start runs on; a proxy with TLS adds it.
    let set = format!("{COOKIE}={token}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}");
    let body = json!({"person": person, "csrf": csrf, "now": house.clock.now()});
    with_cookie(&set, Json(body).into_response())
}

fn with_cookie(set: &str, mut response: Response) -> Response {
    if let Ok(value) = HeaderValue::from_str(set) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    response
}

/// Whether the first account is still to be made. The login page asks it, so anybody may; it says nothing
/// that a failed login would not.
async fn setup(State(house): State<House>) -> Result<Json<serde_json::Value>, Problem> {
    let open = house.blocking(|house| house.app.unclaimed()).await?;
    Ok(Json(json!({"open": open})))
}

async fn set_up(State(house): State<House>, headers: HeaderMap, body: Whole) -> Result<Response, Problem> {
    same_site(&headers)?;
    let setup: Setup = read(&body.0)?;
    let login = house.with_password(move |house| house.app.set_up(&setup, house.clock.now())).await?;
    Ok(logged_in(&house, login))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Credentials {
    email: String,
    password: String,
}

async fn log_in(
    State(house): State<House>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Whole,
) -> Result<Response, Problem> {
    same_site(&headers)?;
    let Credentials { email, password } = read(&body.0)?;
    let from = household(peer.ip());
    let work = move |house: &House| house.app.log_in(&email, &password, &from, house.clock.now());
    let login = house.with_password(work).await?;
    Ok(logged_in(&house, login))
}

/// Whose attempts are counted together: a household has one address of version 4, and of version 6 a network of 64 bits, in which
/// everybody can choose another address for each attempt.
fn household(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).to_string(),
    }
}

async fn log_out(State(house): State<House>, headers: HeaderMap) -> Result<Response, Problem> {
    if let Some(token) = cookie(&headers).map(str::to_owned) {
        grant(&house, &headers, true).await?;
        house.blocking(move |house| house.app.log_out(&token)).await?;
    }
    let gone = format!("{COOKIE}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0");
    Ok(with_cookie(&gone, Json(json!({})).into_response()))
}

async fn me(State(house): State<House>, headers: HeaderMap) -> Result<Json<serde_json::Value>, Problem> {
    let Some(token) = cookie(&headers).map(str::to_owned) else {
        return Err(AppError::new(
            Refusal::Unauthenticated,
            "unauthenticated",
            "nobody is logged in",
            "log in",
        )
        .into());
    };
    let (_, csrf, person) = house.blocking(move |house| house.app.session(&token, house.clock.now())).await?;
    Ok(Json(json!({"person": person, "csrf": csrf, "now": house.clock.now()})))
}

fn read<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, AppError> {
    serde_json::from_value(api::json(body)?).map_err(|e| {
        // What serde quotes can be a password.
        let about = if e.to_string().starts_with("invalid type") {
            "a field is not text".to_owned()
        } else {
            e.to_string()
        };
        AppError::bad_input(about, "see the fields that this takes in the documentation")
    })
}

//! Server: Amplitude Experiment's endpoints, for its remote, local and streaming SDKs.

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bellwether_app::{AppError, Refusal, Track};
use serde::Serialize;
use serde_json::{Map, Value};
use tower_http::cors::{AllowHeaders, AllowMethods, Any, CorsLayer};

use crate::body::{Whole, in_place};
use crate::house::House;
use crate::problem::{Problem, wrong_method};
use crate::{api, auth, stream};

pub(crate) fn routes() -> Router<House> {
    let cors = CorsLayer::new()
        .allow_origin(Any)
        .allow_methods(AllowMethods::mirror_request())
        .allow_headers(AllowHeaders::mirror_request());
    Router::new()
        .route("/sdk/v2/vardata", get(vardata).post(vardata))
        .route("/sdk/v2/flags", get(flags))
        .route("/sdk/stream/v1/flags", get(flag_stream))
        .route("/sdk/v1/cohort/{id}", get(cohort))
        .route("/status", get(|| async { "OK" }))
        // Inside of `cors`, which answers `OPTIONS`.
        .method_not_allowed_fallback(wrong_method)
        .layer(cors)
}

/// An empty data field of exactly one space: the SDKs drop a connection that was silent for 17 seconds.
const KEEP_ALIVE: &str = "data:  \n\n";

/// Base64 in either alphabet, padded or not: SDKs differ.
fn decode(text: &str) -> Option<Vec<u8>> {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let standard = text.replace('-', "+").replace('_', "/");
    GeneralPurpose::new(&base64::alphabet::STANDARD, config).decode(standard.trim()).ok()
}

fn json_header(headers: &HeaderMap, name: &'static str) -> Result<Option<Value>, AppError> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    let decoded = value.to_str().ok().and_then(decode);
    let parsed = decoded.and_then(|bytes| api::sdk_json(&bytes).ok());
    parsed.map(Some).ok_or_else(|| {
        AppError::bad_input(
            format!("the header `{name}` cannot be read"),
            "send base64url of JSON, as the SDKs do",
        )
    })
}

async fn vardata(
    State(house): State<House>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    Whole(body): Whole,
) -> Result<Response, Problem> {
    let (_, grant) = auth::sdk(&house, &headers).await?;
    let query = api::pairs(query.as_deref().unwrap_or_default())?;
    let user = match json_header(&headers, "x-amp-exp-user")? {
        Some(user) => user,
        None if body.is_empty() => Value::Null,
        None => api::sdk_json(&body)?,
    };
    let Value::Object(user) = user else {
        return Err(AppError::bad_input(
            "there is no user",
            "send the user as an object with `user_id` or `device_id`, in the body or in `X-Amp-Exp-User`",
        )
        .into());
    };
    let named = |name: &str| user.get(name).and_then(Value::as_str).is_some_and(|id| !id.is_empty());
    if !named("user_id") && !named("device_id") {
        return Err(AppError::bad_input(
            "the user has neither `user_id` nor `device_id`",
            "send one of them",
        )
        .into());
    }
    let only: Option<Vec<String>> = match json_header(&headers, "x-amp-exp-flag-keys")? {
        Some(keys) => Some(serde_json::from_value(keys).map_err(|_| {
            AppError::bad_input(
                "the header `x-amp-exp-flag-keys` is not a list of keys",
                "send base64url of a JSON array",
            )
        })?),
        None => query
            .iter()
            .find(|(name, _)| name == "flag_key")
            .map(|(_, keys)| keys.split(',').map(|k| k.trim().to_owned()).collect()),
    };
    let sent = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
    let mut tracks = Vec::new();
    if sent("x-amp-exp-track").is_none_or(|t| t == "track") {
        tracks.push(Track::Assignment);
    }
    if sent("x-amp-exp-exposure-track") == Some("track") {
        tracks.push(Track::Exposure);
    }
    bellwether_app::fits(&user)?;
    let context = bellwether_app::amplitude_context(&user);
    let served = house.app.served(&grant.environment)?;
    let now = house.clock.now();
    let answers = in_place(body.len(), || {
        house.app.evaluate_all(&served, only.as_deref(), &context, &tracks, sent("user-agent"), now)
    });
    let answers: Map<String, Value> = answers.iter().map(|a| (a.flag.to_owned(), a.amplitude())).collect();
    Ok(crate::json::Json(answers).into_response())
}

async fn flags(State(house): State<House>, headers: HeaderMap) -> Result<Response, Problem> {
    let (_, grant) = auth::sdk(&house, &headers).await?;
    // The rules never leave for a browser.
    let rules =
        if grant.rules { house.app.served(&grant.environment)?.amplitude.to_string() } else { "[]".into() };
    Ok((StatusCode::OK, [(header::CONTENT_TYPE, "application/json")], rules).into_response())
}

async fn flag_stream(State(house): State<House>, headers: HeaderMap) -> Result<Response, Problem> {
    let (key, grant) = auth::sdk(&house, &headers).await?;
    let words = if grant.rules { &RULES } else { &NO_RULES };
    house.app.served(&grant.environment)?;
    Ok(stream::events(&house, grant.environment, key.actor, None, words))
}

static RULES: stream::Words = stream::Words {
    tag: |served| &served.tag,
    say: |served| format!("data: {}\n\n", served.amplitude),
    quiet: KEEP_ALIVE,
};

/// For a browser, which the rules never leave for.
static NO_RULES: stream::Words =
    stream::Words { tag: |served| &served.tag, say: |_| "data: []\n\n".to_owned(), quiet: KEEP_ALIVE };

/// A list of ids in Amplitude's words.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Cohort<'a> {
    cohort_id: &'a str,
    /// The SDKs' word for users, who have no groups.
    group_type: &'static str,
    group_type_id: u8,
    last_computed: i64,
    last_modified: i64,
    size: usize,
    member_ids: &'a [String],
}

/// When every cohort was written, as far as SDKs can tell: a list never changes under its id, so whoever
/// has a cohort has all of it.
const WRITTEN: i64 = 1;

/// What `Authorization: Basic` carries: SDKs send a pair of keys for cohorts, and the second is the secret.
fn basic(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    let pair =
        String::from_utf8(decode(encoded.trim()).filter(|_| scheme.eq_ignore_ascii_case("basic"))?).ok()?;
    pair.split_once(':').map(|(_, secret)| secret.to_owned())
}

async fn cohort(
    State(house): State<House>,
    id: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Ok(Path(id)) = id else {
        return Err(
            AppError::bad_input("the cohort's id is not UTF-8", "send the id that the flags name").into()
        );
    };
    let (_, grant) = auth::sdk_or(&house, &headers, basic(&headers).as_deref()).await?;
    if !grant.rules {
        return Err(AppError::new(
            Refusal::Forbidden,
            "forbidden",
            "a `client` key gets answers and no lists of users",
            "set the `server` key of this environment as the secret key of the SDK's cohorts",
        )
        .into());
    }
    let query = api::pairs(query.as_deref().unwrap_or_default())?;
    let sent = |name: &str| query.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
    let number = |name: &str| match sent(name).map(|text| (text, text.parse::<u64>())) {
        None => Ok(None),
        Some((_, Ok(number))) => Ok(Some(number)),
        Some((text, Err(_))) => {
            let text: String = text.chars().take(60).collect();
            Err(AppError::bad_input(format!("`{name}` is `{text}`, not a whole number"), "send a number"))
        }
    };
    let (most, known) = (number("maxCohortSize")?, number("lastModified")?);
    // As few at once as there are threads for parsing: a million ids take 30 MB.
    let text = house
        .parsing(0, move |house| {
            let members = house.app.cohort(&grant.environment, &id)?;
            if known.is_some() {
                return Ok(None);
            }
            let size = members.len();
            if most.is_some_and(|most| most < size as u64) {
                return Err(AppError::new(
                    Refusal::TooLarge,
                    "too_large",
                    format!("the cohort has {size} members"),
                    format!("set `maxCohortSize` of the SDK's cohorts to {size} or more"),
                ));
            }
            let cohort = Cohort {
                cohort_id: &id,
                group_type: "User",
                group_type_id: 0,
                last_computed: WRITTEN,
                last_modified: WRITTEN,
                size,
                member_ids: &members,
            };
            let text = serde_json::to_vec(&cohort).map_err(|e| AppError::internal("write a cohort", e))?;
            Ok(Some(text))
        })
        .await?;
    Ok(match text {
        None => StatusCode::NO_CONTENT.into_response(),
        Some(text) => (StatusCode::OK, [(header::CONTENT_TYPE, "application/json")], text).into_response(),
    })
}

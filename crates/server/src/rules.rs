//! Server: the rules of one environment for programs that evaluate by themselves, as our OpenFeature
//! provider does: the document with an ETag, the lists that it cites by name, and the stream that tells
//! when there is another one.

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bellwether_app::{AppError, Permission, Refusal};
use bellwether_model::{Actor, EnvironmentKey};
use serde_json::json;

use crate::house::House;
use crate::problem::{Problem, wrong_method};
use crate::{api, auth, stream};

pub(crate) fn routes() -> Router<House> {
    Router::new()
        .route("/api/rules", get(rules))
        .route("/api/rules/stream", get(changes))
        .route("/api/rules/lists/{list}", get(list))
        .method_not_allowed_fallback(wrong_method)
}

/// Who asks, and for which environment: a `server` key for its own, an admin for any that is named.
async fn opened(
    house: &House,
    headers: &HeaderMap,
    query: Option<&str>,
) -> Result<(Actor, EnvironmentKey), AppError> {
    let grant = auth::grant(house, headers, false).await?;
    let query = api::pairs(query.unwrap_or_default())?;
    let named = query.iter().find(|(name, _)| name == "environment").map(|(_, value)| value.parse());
    let named: Option<EnvironmentKey> = named.transpose()?;
    let Ok(sdk) = grant.sdk() else {
        grant.allows(Permission::Admin)?;
        let named = named.ok_or_else(|| {
            AppError::bad_input(
                "no environment is named, and the credential belongs to none",
                "add `?environment=` with its key, or use a `server` key",
            )
        })?;
        return Ok((grant.actor, named));
    };
    let forbidden = |message: String, hint: &str| {
        Err(AppError::new(Refusal::Forbidden, "forbidden", message, hint.to_owned()))
    };
    if !sdk.rules {
        return forbidden(
            "a `client` key gets answers, never rules".to_owned(),
            "use a `server` key, and keep it out of browsers and apps",
        );
    }
    match named {
        Some(named) if named != sdk.environment => forbidden(
            format!("the key belongs to environment `{}`, and not to `{named}`", sdk.environment),
            "use a key of that environment",
        ),
        _ => Ok((grant.actor, sdk.environment)),
    }
}

async fn rules(
    State(house): State<House>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (_, environment) = opened(&house, &headers, query.as_deref()).await?;
    let served = house.app.served(&environment)?;
    let tag = format!("\"{}\"", served.document_tag);
    let asked = headers.get(header::IF_NONE_MATCH).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let mut response = if asked.split(',').any(|one| one.trim().trim_start_matches("W/") == tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, "application/json")], served.document.to_string()).into_response()
    };
    // Kept by who asked and by nobody on the way: it names people.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    if let Ok(value) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(header::ETAG, value);
    }
    Ok(response)
}

/// A long list. It never changes under its name.
async fn list(
    State(house): State<House>,
    list: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (_, environment) = opened(&house, &headers, query.as_deref()).await?;
    let Path(list) =
        list.map_err(|_| AppError::bad_input("the path is not UTF-8", "percent-encode it as UTF-8"))?;
    let text = house
        .blocking(move |house| {
            let ids = house.app.list_apart(&environment, &list)?;
            serde_json::to_string(&ids).map_err(|e| AppError::internal("write the list", e))
        })
        .await?;
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "private, no-cache")];
    Ok((headers, text).into_response())
}

/// Tells the tag of what there is, at once and at each change. What a change is said to be is enough to
/// know whether to ask for it: nobody is sent rules that they have.
async fn changes(
    State(house): State<House>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (actor, environment) = opened(&house, &headers, query.as_deref()).await?;
    house.app.served(&environment)?;
    Ok(stream::events(&house, environment, actor, None, &CHANGED))
}

static CHANGED: stream::Words = stream::Words {
    tag: |served| &served.document_tag,
    say: |served| {
        let data = json!({"etag": served.document_tag});
        format!("id: {}\nevent: rules\ndata: {data}\n\n", served.document_tag)
    },
    quiet: ": quiet\n\n",
};

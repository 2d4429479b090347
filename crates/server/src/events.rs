//! Server: the doors that events come in by. Each path leads to a protocol of `app`; the reply is sent when
//! the events are on disk.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;

use axum::Router;
use axum::extract::{ConnectInfo, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use bellwether_app::{AppError, Begun, Body, Call, Door, Outcome, Refusal, Reply, Sent, Voice};
use serde_json::json;
use tower_http::cors::{AllowHeaders, AllowMethods, AllowOrigin, Any, CorsLayer};

use crate::body::{Events, Unread};
use crate::house::House;
use crate::problem;

/// The largest body that is parsed where it was read: about a hundred events, which take half a millisecond.
const SOON: usize = 64 << 10;

/// Where each door is. Those that a browser without scripts or an old caller asks with GET are marked.
const DOORS: [(&str, Door, bool); 35] = [
    ("/2/httpapi", Door::AmplitudeHttp, false),
    ("/batch", Door::AmplitudeBatch, false),
    ("/identify", Door::AmplitudeIdentify, true),
    ("/groupidentify", Door::AmplitudeGroupIdentify, true),
    ("/v1/batch", Door::Segment(None), false),
    ("/v1/import", Door::Segment(None), false),
    ("/v1/b", Door::Segment(None), false),
    ("/v1/track", Door::Segment(Some(Call::Track)), false),
    ("/v1/t", Door::Segment(Some(Call::Track)), false),
    ("/v1/identify", Door::Segment(Some(Call::Identify)), false),
    ("/v1/i", Door::Segment(Some(Call::Identify)), false),
    ("/v1/page", Door::Segment(Some(Call::Page)), false),
    ("/v1/p", Door::Segment(Some(Call::Page)), false),
    ("/v1/screen", Door::Segment(Some(Call::Screen)), false),
    ("/v1/s", Door::Segment(Some(Call::Screen)), false),
    ("/v1/group", Door::Segment(Some(Call::Group)), false),
    ("/v1/g", Door::Segment(Some(Call::Group)), false),
    ("/v1/alias", Door::Segment(Some(Call::Alias)), false),
    ("/v1/a", Door::Segment(Some(Call::Alias)), false),
    // With the slash at its end it is PostHog's, without it Amplitude's.
    ("/batch/", Door::PostHog, false),
    ("/e", Door::PostHog, true),
    ("/e/", Door::PostHog, true),
    ("/i/v0/e", Door::PostHog, true),
    ("/i/v0/e/", Door::PostHog, true),
    ("/capture", Door::PostHog, true),
    ("/capture/", Door::PostHog, true),
    ("/i/v1/analytics/events", Door::PostHogV1, false),
    ("/track", Door::MixpanelTrack, true),
    ("/track/", Door::MixpanelTrack, true),
    ("/engage", Door::MixpanelEngage, true),
    ("/engage/", Door::MixpanelEngage, true),
    ("/groups", Door::MixpanelGroups, true),
    ("/groups/", Door::MixpanelGroups, true),
    ("/import", Door::MixpanelImport, false),
    ("/v1/logs", Door::OtlpLogs, false),
];

pub(crate) fn routes() -> Router<House> {
    let cors = CorsLayer::new()
        .allow_methods(AllowMethods::mirror_request())
        .allow_headers(AllowHeaders::mirror_request());
    // Mixpanel's SDK asks with credentials, for which a browser wants its origin named, and sends again what it got no
    // answer to. These doors look at no cookie, and tell nothing but what became of what was sent.
    // It waits as long as `Retry-After` says, if it can read it. So does Segment's, but it tries ten times then and gives up; left to
    // itself it goes on for hours.
    let named = cors.clone().allow_origin(AllowOrigin::mirror_request()).allow_credentials(true);
    let named = named.expose_headers([header::RETRY_AFTER]);
    let doors = |mixpanel: bool| {
        let these = DOORS.iter().filter(move |(_, door, _)| is_mixpanel(*door) == mixpanel);
        these.fold(Router::new(), |router, &(path, door, by_get)| {
            let mut methods = MethodRouter::new().post(handler(door));
            if by_get {
                methods = methods.get(handler(door));
            }
            router.route(path, methods.fallback(move |method: Method| wrong_method(door, method)))
        })
    };
    let others = doors(false)
        .route("/config/{key}", get(config))
        // Inside of `cors`, which answers `OPTIONS`.
        .method_not_allowed_fallback(problem::wrong_method)
        .layer(cors.allow_origin(Any));
    others.merge(doors(true).layer(named))
}

fn is_mixpanel(door: Door) -> bool {
    matches!(door, Door::MixpanelTrack | Door::MixpanelEngage | Door::MixpanelGroups | Door::MixpanelImport)
}

type Answering = Pin<Box<dyn Future<Output = Response> + Send>>;

fn handler(
    door: Door,
) -> impl Fn(State<House>, ConnectInfo<SocketAddr>, RawQuery, HeaderMap, Result<Events, Unread>) -> Answering
+ Clone
+ Send
+ Sync
+ 'static {
    move |State(house), ConnectInfo(peer), RawQuery(query), headers, body| {
        Box::pin(take(house, door, peer, query.unwrap_or_default(), headers, body))
    }
}

/// A header as text.
fn text(headers: &HeaderMap, name: impl header::AsHeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

async fn take(
    house: House,
    door: Door,
    peer: SocketAddr,
    query: String,
    headers: HeaderMap,
    body: Result<Events, Unread>,
) -> Response {
    let voice = Voice::of(door, &query, text(&headers, header::CONTENT_TYPE).unwrap_or_default());
    let body = match body {
        Ok(Events(body)) => body,
        Err(Unread::TooLarge) => return answer(voice.refuse(&door.too_large())),
        // The connection broke: whoever reads this has sent half a body.
        Err(unread @ Unread::Broken) => return answer(voice.refuse(&unread.into())),
        Err(unread @ (Unread::Slow | Unread::Full)) => {
            // Nothing was stored, and the same may be sent again: SDKs read that in a 503.
            let error = AppError { refusal: Refusal::Unavailable, ..unread.into() };
            return answer(voice.refuse(&error));
        }
    };
    let voice = voice.heard(&body);
    let peer = peer.ip().to_string();
    let encoded = headers.contains_key(header::CONTENT_ENCODING);
    let soon = body.len() <= SOON && !encoded;
    let bytes = body.len();
    let parse = move |house: &House| {
        let now = house.clock.now();
        let sent = Sent {
            query: &query,
            content_type: text(&headers, header::CONTENT_TYPE).unwrap_or_default(),
            encoding: text(&headers, header::CONTENT_ENCODING),
            authorization: text(&headers, header::AUTHORIZATION),
            api_key: text(&headers, "x-api-key"),
            sent_at: text(&headers, "posthog-request-timestamp"),
            peer: Some(&peer),
            agent: text(&headers, header::USER_AGENT),
            body: &body,
        };
        house.app.begin(door, &sent, now)
    };
    // Parsing megabytes would hold up everybody else on this thread, and so would a sync of the quarantine.
    let taken = if soon {
        match house.parsing_here(parse).await {
            Begun::Done(outcome) => Ok(outcome),
            Begun::Apart(rest) => house.parsing(bytes, |house| Ok(house.app.finish(rest))).await,
        }
    } else {
        let both = move |house: &House| match parse(house) {
            Begun::Done(outcome) => outcome,
            Begun::Apart(rest) => house.app.finish(rest),
        };
        house.parsing(bytes, move |house| Ok(both(house))).await
    };
    match taken {
        Ok(Outcome::Waiting { waiting, reply }) => match house.committer.settled(&waiting).await {
            Ok(()) => answer(reply),
            Err(e) => answer(voice.refuse(&e)),
        },
        Ok(Outcome::Answered(reply)) => answer(reply),
        Err(e) => answer(voice.refuse(&e)),
    }
}

fn answer(reply: Reply) -> Response {
    let Reply { status, body, retry_after } = reply;
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = match body {
        Body::Json(body) => (status, crate::json::Json(body)).into_response(),
        Body::Text(body) => (status, body).into_response(),
        Body::Protobuf(body) => {
            (status, [(header::CONTENT_TYPE, "application/x-protobuf")], body).into_response()
        }
    };
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

async fn wrong_method(door: Door, method: Method) -> Response {
    let (message, hint) = (format!("events are not sent with {method}"), "use POST");
    answer(Voice::of(door, "", "").refuse(&AppError::new(Refusal::Method, "method", message, hint)))
}

/// What Amplitude's browser SDK asks its maker for; with nothing in it, it keeps its own settings.
async fn config() -> Response {
    crate::json::Json(json!({"configs": {}})).into_response()
}

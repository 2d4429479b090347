//! App intake: PostHog's Capture V1, which says of each event what became of it, by its `uuid`.

use bellwether_model::{Json, Millis};
use serde_json::{Map, json};

use super::super::door::{Door, Read, Refused, Reply, Sent, no_key};
use super::super::envelope;
use super::super::inspection::Inspection;
use super::super::raw::{Problem, Rules, admit};
use super::{MOST_EVENTS, called, raw, too_many};
use crate::App;
use crate::error::{AppError, Refusal};

/// A refusal of ours in the protocol's words.
pub(in super::super) fn refusal(error: &AppError) -> Reply {
    // What is not tried again must not have a status that is: 404, 408 and all of 5xx are.
    let status = match error.refusal {
        Refusal::Unauthenticated | Refusal::Forbidden => 401,
        Refusal::Busy => 429,
        Refusal::TooLarge => 413,
        Refusal::BadInput => 400,
        Refusal::Method => 405,
        _ => 503,
    };
    let detail = format!("{}; {}", error.message, error.hint);
    Reply::json(status, json!({"error": error.code, "error_description": detail}))
}

/// Reads a request.
pub(in super::super) fn read(
    app: &App,
    sent: &Sent<'_>,
    now: Millis,
    plan: &Inspection,
) -> Result<Read, Refused> {
    let key = sent
        .scheme("bearer")
        .ok_or_else(|| no_key("send `Authorization: Bearer`, with a `client` or `server` key"))?;
    let sender = app.sender(key)?;
    let mut body = sent.unpacked(Door::PostHogV1)?;
    let mut whole = envelope::keep(&mut body)?;
    let Some(Json::Array(events)) = whole.as_object_mut().and_then(|whole| whole.remove("batch")) else {
        return Err(AppError::bad_input("there is no `batch`", "send a list of events").into());
    };
    if events.len() > MOST_EVENTS {
        return Err(too_many(events.len()).into());
    }
    // The batch says when it was made, also when it is tried again later; a header, when it was sent.
    let sent_at = sent.sent_at.map(Json::from);
    let rules = Rules { shortest: 1, numbers_name: true, called, peer: sent.peer, now, plan };
    let mut results = Map::new();
    let mut taken = Vec::with_capacity(events.len());
    for (index, event) in events.into_iter().enumerate() {
        let mut problems: Vec<Problem> = Vec::new();
        let mut uuid = None;
        let event = match event {
            Json::Object(event) => {
                uuid = event.get("uuid").and_then(Json::as_str).map(str::to_owned);
                Some(raw(lowered(event), sent_at.as_ref(), now))
            }
            _ => None,
        };
        let Some(uuid) = uuid.filter(|uuid| !uuid.is_empty()) else {
            let message = format!("event {index} has no `uuid`");
            return Err(
                AppError::bad_input(message, "send a UUID with each event: results are told by it").into()
            );
        };
        taken.extend(admit(&sender.environment, index, event, &rules, &mut problems));
        let result = match problems.first() {
            None => json!({"result": "ok"}),
            Some(problem) => {
                json!({"result": "drop", "details": format!("`{}`: {}", problem.field, problem.hint)})
            }
        };
        results.insert(uuid, result);
    }
    Ok(Read::by(sender, taken, Reply::json(200, json!({"results": results})), plan))
}

/// What V1 lifted out of the properties, put back.
fn lowered(mut event: Map<String, Json>) -> Map<String, Json> {
    let mut lifted = Vec::new();
    for (from, to) in [("session_id", "$session_id"), ("window_id", "$window_id")] {
        lifted.extend(event.remove(from).filter(|v| !v.is_null()).map(|value| (to, value)));
    }
    if let Some(Json::Object(mut options)) = event.remove("options") {
        // A sender that knows its clock to be right.
        if options.remove("disable_skew_correction") == Some(Json::Bool(true)) {
            event.insert("exact".into(), true.into());
        }
        for (from, to) in [
            ("cookieless_mode", "$cookieless_mode"),
            ("process_person_profile", "$process_person_profile"),
            ("product_tour_id", "$product_tour_id"),
        ] {
            lifted.extend(options.remove(from).filter(|v| !v.is_null()).map(|value| (to, value)));
        }
    }
    if !lifted.is_empty() {
        let properties = event.entry("properties").or_insert_with(|| json!({}));
        if let Some(properties) = properties.as_object_mut() {
            properties.extend(lifted.into_iter().map(|(name, value)| (name.to_owned(), value)));
        }
    }
    event
}

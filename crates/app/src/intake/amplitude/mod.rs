//! App intake: Amplitude's HTTP V2 and batch protocols, answered as its SDKs expect.
//!
//! A 400 means that nothing was stored. Its lists name every bad event, because SDKs drop exactly
//! those and send the others again.

pub(super) mod forms;
mod wire;

use std::collections::BTreeMap;

use bellwether_model::{Json, Millis};
use serde_json::{Map, json};

use self::wire::{Request, SentEvent};
use super::door::{Door, Read, Refused, Reply, Sent};
use super::envelope::{self, Envelope, MOST_VALUES};
use super::inspection::Inspection;
use super::json::read as parse;
use super::raw::{Field, Problem, RawEvent, Rules, admit};
use crate::App;
use crate::error::{AppError, Refusal};

/// The most events of one request.
const MOST_EVENTS: usize = 2_000;

/// The most identifications of one request of the forms.
const MOST_FORMS: usize = 1_024;

/// The bad events of a request whose reasons are said.
const MOST_REASONS: usize = 20;

/// The shortest id of a user or device, unless the sender says otherwise.
const SHORTEST_ID: usize = 5;

fn answer(status: u16, error: &str, more: &[(&str, Json)]) -> Reply {
    let mut body = Map::new();
    // Always JSON with `code`, because the Python SDK takes the status from it.
    body.insert("code".into(), status.into());
    body.insert("error".into(), error.into());
    body.extend(more.iter().map(|(k, v)| ((*k).to_owned(), v.clone())));
    Reply::json(status, body.into())
}

/// More than a door takes at once, and of what.
fn too_large(door: Door, what: &str) -> Reply {
    let bytes = door.most_bytes();
    let most = match door {
        Door::AmplitudeIdentify | Door::AmplitudeGroupIdentify => format!("{MOST_FORMS} identifications"),
        _ => format!("{MOST_EVENTS} events"),
    };
    let hint = format!("{what}; send at most {bytes} bytes, {most} and {MOST_VALUES} values at once");
    answer(413, "Payload too large", &[("hint", hint.into())])
}

fn missing(field: &str, hint: &str) -> Reply {
    answer(400, "Request missing required field", &[("missing_field", field.into()), ("hint", hint.into())])
}

fn not_json(hint: &str) -> Reply {
    answer(400, "Invalid JSON request body", &[("hint", hint.into())])
}

/// A refusal of ours in the protocol's words.
pub(super) fn refusal(door: Door, error: &AppError) -> Reply {
    let hint = || error.hint.clone().into();
    match error.refusal {
        Refusal::Busy => {
            // Users, devices and their events where a rate of theirs was passed.
            let listed = |name: &str| error.details.as_ref().and_then(|d| d.get(name).cloned());
            let throttled = listed("throttled_events");
            answer(
                429,
                // The words of Amplitude where a list names somebody, and else what it is.
                if throttled.is_some() {
                    "Too many requests for some devices and users"
                } else {
                    &error.message
                },
                &[
                    // 0 where no rate was passed, as SDKs say it themselves; without it Java's loses the events.
                    ("eps_threshold", listed("eps_threshold").unwrap_or(0.into())),
                    ("throttled_devices", listed("throttled_devices").unwrap_or_else(|| json!({}))),
                    ("throttled_users", listed("throttled_users").unwrap_or_else(|| json!({}))),
                    ("exceeded_daily_quota_users", json!({})),
                    ("exceeded_daily_quota_devices", json!({})),
                    // SDKs wait half a minute with these, and send the others again at once until they give them up. Where
                    // nobody is at fault all wait: the events may not have been counted yet, and of more indexes than it
                    // sent events an SDK looks at none.
                    ("throttled_events", throttled.unwrap_or_else(|| (0..MOST_EVENTS).collect())),
                    // What is wrong is nowhere else where no list names it.
                    ("hint", format!("{}; {}", error.message, error.hint).into()),
                ],
            )
        }
        Refusal::Unauthenticated | Refusal::Forbidden => {
            // With the colon: the Python SDK looks for it, and without it resends for ever.
            answer(400, &format!("Invalid API key: {}", error.message), &[("hint", hint())])
        }
        Refusal::TooLarge => too_large(door, &error.message),
        Refusal::BadInput => not_json(&format!("{}; {}", error.message, error.hint)),
        Refusal::Method => answer(405, "Invalid request path", &[("hint", error.hint.clone().into())]),
        // Our fault: nothing was stored, so a retry is safe, and 503 is the code that says it.
        _ => answer(503, "Service unavailable", &[("hint", hint())]),
    }
}

/// Reads a request of HTTP V2 or batch.
pub(super) fn read(
    app: &App,
    door: Door,
    sent: &Sent<'_>,
    now: Millis,
    plan: &Inspection,
) -> Result<Read, Refused> {
    let mut body = sent.unpacked(door)?;
    let bytes = body.len();
    if body.iter().all(u8::is_ascii_whitespace) {
        let hint = "send a JSON object with `api_key` and `events`";
        return Err(answer(400, "Missing request body", &[("hint", hint.into())]).into());
    }
    let unread = |e: &serde_json::Error| not_json(&format!("{e}; send JSON in UTF-8"));
    const NO_KEY: &str = "send a `client` or `server` key as text";
    // Before anything of it is kept. Where its beginning says whose it is, it is read once.
    let opened = envelope::opening(&body, &["api_key"]);
    let opened = opened.and_then(|secret| app.sender(&secret).ok().map(|found| (secret, found)));
    let (secret, sender) = match opened {
        Some(opened) => opened,
        None => match envelope::look(&mut body, &["api_key"]).map_err(|e| unread(&e))? {
            Envelope::Key(secret) => {
                let sender = app.sender(&secret)?;
                (secret, sender)
            }
            Envelope::NoKey => return Err(missing("api_key", NO_KEY).into()),
            Envelope::NoObject => {
                return Err(not_json("the body is an object with `api_key` and `events`").into());
            }
        },
    };
    envelope::few(&body)?;
    let request: Request = parse(&mut body).map_err(|e| unread(&e))?;
    // The last of several counts.
    let sender = match request.key {
        Json::String(key) if key == secret => sender,
        Json::String(key) => app.sender(&key)?,
        _ => return Err(missing("api_key", NO_KEY).into()),
    };
    let shortest = shortest(request.options.as_ref())?;
    let events = match request.events {
        Some(events) if !events.is_empty() => events,
        _ => return Err(missing("events", "send a list of at least one event").into()),
    };
    if events.len() > MOST_EVENTS {
        return Err(too_large(door, &format!("the body has `{}` events", events.len())).into());
    }
    let count = events.len();
    let rules = Rules { shortest, numbers_name: false, called, peer: sent.peer, now, plan };
    let mut problems = Vec::new();
    let mut admitted = Vec::with_capacity(count);
    for (index, event) in events.into_iter().enumerate() {
        let raw = event.map(|mut sent| sent.raw());
        admitted.extend(admit(&sender.environment, index, raw, &rules, &mut problems));
    }
    if !problems.is_empty() {
        return Err(refused(&problems).into());
    }
    let reply = json!({
        "code": 200, "events_ingested": count, "payload_size_bytes": bytes, "server_upload_time": now,
    });
    Ok(Read::by(sender, admitted, Reply::json(200, reply), plan))
}

/// What the fields of an event are called.
fn called(field: Field) -> &'static str {
    match field {
        Field::Event => "event",
        Field::Name => "event_type",
        Field::User => "user_id",
        Field::Device => "device_id",
        Field::Time => "time",
        Field::InsertId => "insert_id",
        Field::Session => "session_id",
        Field::Properties => "event_properties",
        Field::UserProperties => "user_properties",
        Field::Groups => "groups",
        Field::GroupProperties => "group_properties",
        Field::Of(name) => name,
    }
}

/// An event of Amplitude's form.
fn raw(event: Map<String, Json>) -> RawEvent {
    let mut sent = SentEvent::default();
    event.into_iter().for_each(|(name, value)| sent.put(&name, value));
    sent.raw()
}

/// The shortest id that the sender wants to be one.
fn shortest(options: Option<&Json>) -> Result<usize, Reply> {
    let refused = || not_json("`options` is an object, and its `min_id_length` a whole number");
    let asked = match options {
        None | Some(Json::Null) => &Json::Null,
        Some(Json::Object(options)) => options.get("min_id_length").unwrap_or(&Json::Null),
        Some(_) => return Err(refused()),
    };
    if asked.is_null() {
        return Ok(SHORTEST_ID);
    }
    asked.as_u64().and_then(|n| usize::try_from(n).ok()).ok_or_else(refused)
}

/// Why events are bad: of the first of them each reason, and how many others there are. Amplitude's lists say which and where.
fn reasons(problems: &[Problem]) -> String {
    let mut said = String::new();
    let (mut bad, mut last) = (0, None);
    for problem in problems {
        let (index, hint) = (problem.index, problem.hint.as_str());
        // Of an event that lacks both ids the reason is one.
        if last == Some((index, hint)) {
            continue;
        }
        bad += usize::from(last.is_none_or(|(before, _)| before != index));
        last = Some((index, hint));
        if bad > MOST_REASONS {
            continue;
        }
        if !said.is_empty() {
            said.push_str("; ");
        }
        said.push_str(&problem.sentence());
    }
    match bad.saturating_sub(MOST_REASONS) {
        0 => said,
        1 => format!("{said}; 1 more event is bad"),
        more => format!("{said}; {more} more events are bad"),
    }
}

fn refused(problems: &[Problem]) -> Reply {
    let lists = |missing: bool| {
        let mut lists: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for problem in problems.iter().filter(|p| p.missing == missing) {
            lists.entry(problem.field).or_default().push(problem.index);
        }
        lists.values_mut().for_each(Vec::dedup);
        lists
    };
    let (invalid, absent) = (lists(false), lists(true));
    let error = if invalid.contains_key("event") {
        "Invalid event JSON"
    } else if invalid.is_empty() {
        "Request missing required field"
    } else {
        "Invalid field values on some events"
    };
    let mut more = Vec::new();
    if !invalid.is_empty() {
        more.push(("events_with_invalid_fields", json!(invalid)));
    }
    if !absent.is_empty() {
        more.push(("events_with_missing_fields", json!(absent)));
    }
    more.push(("hint", reasons(problems).into()));
    answer(400, error, &more)
}

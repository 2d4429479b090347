//! App intake: PostHog's capture protocol, as its SDKs speak it: one event, a list, or `{api_key, batch}`;
//! plain, gzip, or base64 in a form.
//!
//! Events are taken one by one: what cannot be is named in the answer, and the rest is stored.

pub(super) mod v1;

use std::borrow::Cow;

use bellwether_model::event::{ALIAS, GROUP_IDENTIFY};
use bellwether_model::{Event, Json, Millis};
use serde_json::{Map, json};

use super::body::unpack;
use super::conceal::made_by_an_sdk;
use super::door::{Door, Read, Refused, Reply, Sent, no_key};
use super::envelope;
use super::form;
use super::inspection::Inspection;
use super::raw::{Field, Problem, RawEvent, Rules, Time, admit};
use super::segment::rejected;
use super::senders::Senders;
use crate::App;
use crate::error::{AppError, Refusal};

/// The most events of one request.
const MOST_EVENTS: usize = 10_000;

/// A refusal of ours in the protocol's words.
pub(super) fn refusal(error: &AppError) -> Reply {
    let (status, kind) = match error.refusal {
        Refusal::Unauthenticated | Refusal::Forbidden => (401, "authentication_error"),
        // posthog-js drops what a 429 refuses, and sends again after a 503.
        Refusal::Busy => (503, "throttled_error"),
        Refusal::TooLarge => (413, "validation_error"),
        Refusal::BadInput => (400, "validation_error"),
        Refusal::Method => (405, "invalid_request"),
        _ => (503, "server_error"),
    };
    let detail = format!("{}; {}", error.message, error.hint);
    let mut body = json!({"type": kind, "code": error.code, "detail": detail, "attr": null});
    if let (Some(details), Some(body)) = (&error.details, body.as_object_mut()) {
        body.insert("details".into(), details.clone());
    }
    Reply::json(status, body)
}

/// Reads a request.
pub(super) fn read(app: &App, sent: &Sent<'_>, now: Millis, plan: &Inspection) -> Result<Read, Refused> {
    let mut body = plain(sent)?;
    let query = form::pairs("", sent.query.as_bytes())?;
    let mut whole = envelope::keep(&mut body)?;
    // Where the key of a whole request may stand.
    let key = ["api_key", "token"].into_iter().find_map(|name| whole.get(name)?.as_str().map(str::to_owned));
    let key = key.or_else(|| form::value(&query, "token").map(str::to_owned));
    let sent_at = whole.get("sent_at").cloned().or_else(|| form::value(&query, "_").map(millis));
    let listed =
        whole.as_object_mut().and_then(|whole| whole.remove("batch").or_else(|| whole.remove("data")));
    let events = match listed {
        Some(Json::Array(events)) => events,
        Some(_) => return Err(AppError::bad_input("`batch` is no list", "send a list of events").into()),
        None => match whole {
            Json::Array(events) => events,
            one @ Json::Object(_) => vec![one],
            _ => return Err(AppError::bad_input("there are no events", "send `{api_key, batch}`").into()),
        },
    };
    if events.len() > MOST_EVENTS {
        return Err(too_many(events.len()).into());
    }
    let sender = key.map(|key| app.sender(&key)).transpose()?;
    let rules = Rules { shortest: 1, numbers_name: true, called, peer: sent.peer, now, plan };
    let senders = Senders::of(sender);
    let mut taken = Taken { senders, problems: Vec::new(), events: Vec::with_capacity(events.len()) };
    for (index, event) in events.into_iter().enumerate() {
        taken.add(app, index, event, sent_at.as_ref(), &rules)?;
    }
    let Taken { problems, events, senders } = taken;
    if let (Some(first), true) = (problems.first(), events.is_empty() && plan.held() == 0) {
        let message = format!("`{}` cannot be taken", first.field);
        return Err(AppError {
            details: Some(rejected(&problems)),
            ..AppError::bad_input(message, &first.hint)
        }
        .into());
    }
    let mut reply = json!({"status": 1});
    if let (Some(reply), false) = (reply.as_object_mut(), problems.is_empty()) {
        reply.insert("rejected".into(), rejected(&problems));
    }
    Ok(Read { events, reply: Reply::json(200, reply), brought: senders.brought() })
}

pub(super) fn too_many(count: usize) -> AppError {
    AppError::new(
        Refusal::TooLarge,
        "too_large",
        format!("there are {count} events"),
        format!("send at most {MOST_EVENTS} at once"),
    )
}

/// The JSON of a request: unpacked, and out of its form where it is in one.
fn plain<'r>(sent: &Sent<'r>) -> Result<Cow<'r, [u8]>, AppError> {
    let most = Door::PostHog.most_bytes();
    let body = sent.unpacked(Door::PostHog)?;
    let start = body.iter().find(|b| !b.is_ascii_whitespace());
    if matches!(start, Some(b'{' | b'[')) {
        return Ok(body);
    }
    // What a beacon or a GET brings: `data=` with base64, of JSON or of gzip.
    let mut pairs = form::pairs("", sent.query.as_bytes())?;
    // Base64 has no `&`, wherever in the form `data` stands.
    let form = body.starts_with(b"data=") || body.windows(6).any(|at| at == b"&data=");
    if form || sent.content_type.contains("form-data") {
        pairs.extend(form::pairs(sent.content_type, &body)?);
    } else if !body.is_empty() {
        let text = String::from_utf8_lossy(&body).into_owned();
        pairs.push(("data".into(), text));
    }
    let none = || AppError::bad_input("there are no events", "send `{api_key, batch}` as JSON");
    let data = form::value(&pairs, "data").ok_or_else(none)?;
    if data.trim_start().starts_with(['{', '[']) {
        return Ok(data.as_bytes().to_vec().into());
    }
    let wrong = || AppError::bad_input("`data` is neither JSON nor base64 of it", "send JSON in base64");
    let decoded = form::decode(data).ok_or_else(wrong)?;
    let unpacked = unpack(&decoded, None, most).map_err(|_| wrong())?;
    Ok(unpacked.into_owned().into())
}

fn millis(text: &str) -> Json {
    text.parse::<i64>().map_or(Json::Null, Json::from)
}

/// What was taken of a request so far.
struct Taken {
    senders: Senders,
    problems: Vec<Problem>,
    events: Vec<Event>,
}

impl Taken {
    fn add(
        &mut self,
        app: &App,
        index: usize,
        event: Json,
        sent_at: Option<&Json>,
        rules: &Rules<'_>,
    ) -> Result<(), AppError> {
        let event = match event {
            Json::Object(event) => Some(event),
            _ => None,
        };
        // Where the request has no key each event has.
        let own = event.as_ref().and_then(|event| {
            let of = |name: &str| event.get(name).or_else(|| event.get("properties")?.get(name));
            of("token").or_else(|| of("api_key")).and_then(Json::as_str)
        });
        let none = || no_key("send `api_key`, a `client` or `server` key, in the body");
        let environment = self.senders.next(app, own)?.ok_or_else(none)?;
        let raw = event.map(|event| raw(event, sent_at, rules.now));
        let good = self.events.len() + rules.plan.held();
        self.events.extend(admit(environment, index, raw, rules, &mut self.problems));
        self.senders.count(self.events.len() + rules.plan.held() - good);
        Ok(())
    }
}

/// What the fields of an event are called.
fn called(field: Field) -> &'static str {
    match field {
        Field::Event | Field::Name => "event",
        Field::User | Field::Device => "distinct_id",
        Field::Time => "timestamp",
        Field::InsertId => "uuid",
        Field::Session => "$session_id",
        Field::Properties => "properties",
        Field::UserProperties => "$set",
        Field::Groups => "$groups",
        Field::GroupProperties => "$group_set",
        Field::Of(name) => name,
    }
}

const HINT: &str = "send a time in ISO 8601, such as `2026-11-22T12:48:15.730Z`";

/// A moment as SDKs write it, in ISO 8601 or in milliseconds.
fn moment(value: Option<&Json>) -> Result<Option<i64>, &'static str> {
    match value {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(text)) => form::instant(text).map(Some).ok_or(HINT),
        Some(number) => number.as_i64().map(Some).ok_or(HINT),
    }
}

/// When an event happened: with `sent_at`, the error of the sender's clock is taken out; `offset` is how many
/// milliseconds ago it was.
fn time(event: &Map<String, Json>, sent_at: Option<&Json>, now: Millis) -> Time {
    if let Some(offset) = event.get("offset").and_then(Json::as_i64) {
        return Time::At(now.0.saturating_sub(offset));
    }
    let sent_at = sent_at.filter(|_| event.get("exact").is_none());
    match (moment(event.get("timestamp")), moment(sent_at)) {
        (Err(hint), _) => Time::Unreadable(hint),
        (Ok(None), _) => Time::Missing,
        (Ok(Some(at)), Ok(None) | Err(_)) => Time::At(at),
        (Ok(Some(at)), Ok(Some(sent))) => Time::At(form::corrected(at, sent, now)),
    }
}

/// An event of PostHog's form.
pub(super) fn raw(mut event: Map<String, Json>, sent_at: Option<&Json>, now: Millis) -> RawEvent {
    let time = time(&event, sent_at, now);
    let mut take = |name: &str| event.remove(name).unwrap_or_default();
    let (name, outer_id, insert_id) = (take("event"), take("distinct_id"), take("uuid"));
    let (outer_set, outer_once) = (take("$set"), take("$set_once"));
    let mut properties = match take("properties") {
        Json::Object(properties) => properties,
        Json::Null => Map::new(),
        other => {
            return RawEvent {
                name,
                user: outer_id,
                time,
                insert_id,
                properties: other,
                ..RawEvent::default()
            };
        }
    };
    let mut take = |name: &str| properties.remove(name).unwrap_or_default();
    let either = |a: Json, b: Json| if a.is_null() { b } else { a };
    let inner_id = take("distinct_id");
    let (id, alias) = (either(outer_id, inner_id), take("alias"));
    let insert_id = either(insert_id, take("$insert_id"));
    let (anonymous, device) = (take("$anon_distinct_id"), take("$device_id"));
    let identified = take("$is_identified");
    take("token");
    let groups = take("$groups");
    let (kind, key, group_set) = (take("$group_type"), take("$group_key"), take("$group_set"));
    let mut changes = Map::new();
    let unset = match take("$unset") {
        Json::Array(names) => {
            let names = names.iter().filter_map(Json::as_str).map(|name| (name.to_owned(), Json::from("-")));
            Json::Object(names.collect())
        }
        other => other,
    };
    for (operation, value) in [
        ("$set", both(take("$set"), outer_set)),
        ("$setOnce", both(take("$set_once"), outer_once)),
        ("$unset", unset),
    ] {
        if !value.is_null() {
            changes.insert(operation.into(), value);
        }
    }
    let session = properties.get("$session_id").and_then(Json::as_str).and_then(began);
    let mut raw = RawEvent {
        time,
        insert_id,
        session: session.map_or(Json::Null, Json::from),
        user_properties: changes.into(),
        groups,
        ..RawEvent::default()
    };
    // Whose event it is. A browser's distinct id is that of its device until somebody signs in.
    let nobody_yet = identified == Json::Bool(false) || (!device.is_null() && device == id);
    (raw.user, raw.device) = if nobody_yet { (Json::Null, either(device, id)) } else { (id, device) };
    match name.as_str() {
        Some("$identify") if !anonymous.is_null() => raw.device = anonymous,
        // What the alias did before is the user's.
        Some(ALIAS) if !alias.is_null() => raw.device = alias,
        Some(GROUP_IDENTIFY) => {
            if let (Some(kind), Json::String(_) | Json::Number(_)) = (kind.as_str(), &key) {
                let key = key.as_str().map_or_else(|| key.to_string(), str::to_owned);
                // In a browser the distinct id is that of who is there; on a server it is made of the group: nobody did it.
                // Python's SDK makes one for each call.
                let made = format!("${kind}_{key}");
                let for_the_call = raw.device.is_null()
                    && identified.is_null()
                    && !properties.contains_key("$user_id")
                    && raw.user.as_str().is_some_and(made_by_an_sdk);
                if raw.user == made.as_str() || for_the_call {
                    (raw.user, raw.device) = (Json::Null, either(raw.device, made.into()));
                }
                raw.groups = json!({kind: key});
            }
            raw.group_properties = if group_set.is_null() { group_set } else { json!({"$set": group_set}) };
        }
        _ => {}
    }
    raw.name = name;
    for (name, fact) in [
        ("$os", "os_name"),
        ("$os_version", "os_version"),
        ("$app_version", "app_version"),
        ("$device_model", "device_model"),
        ("$device_manufacturer", "device_manufacturer"),
        ("$browser_language", "language"),
        ("$raw_user_agent", "user_agent"),
        ("$ip", "ip"),
    ] {
        if let Some(value) = properties.remove(name).filter(|v| !v.is_null()) {
            raw.facts.push((fact, value));
        }
    }
    let library = [properties.get("$lib"), properties.get("$lib_version")].map(|v| v.and_then(Json::as_str));
    if let [Some(library), Some(version)] = library {
        raw.facts.push(("library", format!("{library}/{version}").into()));
        properties.remove("$lib");
        properties.remove("$lib_version");
    }
    raw.properties = properties.into();
    raw
}

/// Of two objects one; what stands outside of the properties counts where both say it, as PostHog does.
fn both(inner: Json, outer: Json) -> Json {
    match (inner, outer) {
        (Json::Object(mut inner), Json::Object(outer)) => {
            inner.extend(outer);
            inner.into()
        }
        (Json::Null, outer) => outer,
        (inner, _) => inner,
    }
}

/// When a session began: its id is a UUIDv7, which begins with that.
fn began(id: &str) -> Option<i64> {
    let digits: String = id.chars().filter(|c| *c != '-').collect();
    if digits.len() != 32 || digits.as_bytes().get(12) != Some(&b'7') {
        return None;
    }
    i64::from_str_radix(digits.get(..12)?, 16).ok()
}

//! App intake: Mixpanel's protocol: `/track`, `/engage`, `/groups` and `/import`.
//!
//! Events are taken one by one. As with Mixpanel itself a 400 says that not all were, and what could be is
//! stored: no SDK sends a batch again because of it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bellwether_model::event::{ALIAS, GROUP_IDENTIFY, IDENTIFY};
use bellwether_model::{Event, Json, Millis};
use serde_json::{Map, json};

use super::conceal::OF_DEVICE;
use super::door::{Door, Read, Refused, Reply, Sent, Voice, no_key};
use super::envelope;
use super::form;
use super::inspection::Inspection;
use super::raw::{Field, Problem, RawEvent, Rules, Time, admit};
use super::senders::{Brought, Senders};
use crate::App;
use crate::access::Sender;
use crate::error::{AppError, Refusal};

/// The most events of one request.
const MOST_EVENTS: usize = 2_000;
/// What the SDK for browsers calls the distinct id of before somebody signed in.
const BEFORE: &str = "$anon_distinct_id";
const KEY: &str = "send a `client` or `server` key as the token";

fn status(error: &AppError) -> u16 {
    match error.refusal {
        Refusal::Unauthenticated | Refusal::Forbidden => 401,
        Refusal::Slow | Refusal::Internal => 503,
        other => other.status(),
    }
}

/// A refusal of ours in the words of `/track`, `/engage` and `/groups`: `0`, or why in JSON.
pub(super) fn refusal(error: &AppError, verbose: bool) -> Reply {
    let said = format!("{}; {}", error.message, error.hint);
    match verbose {
        true => Reply::json(status(error), json!({"status": 0, "error": said})),
        false => Reply::text(status(error), "0"),
    }
}

/// A refusal of ours in the words of `/import`.
pub(super) fn import_refusal(error: &AppError) -> Reply {
    let code = status(error);
    let said = match code {
        400 => "Bad Request",
        401 => "Unauthorized",
        405 => "Method Not Allowed",
        413 => "Request Entity Too Large",
        429 => "Too Many Requests",
        _ => "Service Unavailable",
    };
    let error = format!("{}; {}", error.message, error.hint);
    Reply::json(code, json!({"code": code, "error": error, "status": said, "num_records_imported": 0}))
}

/// Reads a request of `/track`.
pub(super) fn track(app: &App, sent: &Sent<'_>, now: Millis, plan: &Inspection) -> Result<Read, Refused> {
    let list = list(Door::MixpanelTrack, sent)?;
    let taken = Taken::of(app, list, sent, None, now, plan, event)?;
    Ok(taken.said(sent, Door::MixpanelTrack, plan))
}

/// Reads a request of `/engage`: what is known of people.
pub(super) fn engage(app: &App, sent: &Sent<'_>, now: Millis, plan: &Inspection) -> Result<Read, Refused> {
    let list = list(Door::MixpanelEngage, sent)?;
    let taken = Taken::of(app, list, sent, None, now, plan, |mut one, _| {
        let time = time(&one.remove("$time").unwrap_or_default());
        let mut raw = RawEvent { name: IDENTIFY.into(), time, ..RawEvent::default() };
        (raw.user, raw.device) = who(one.remove("$distinct_id").unwrap_or_default(), Json::Null, Json::Null);
        if let Some(device) = one.remove("$device_id") {
            raw.device = device;
        }
        if let Some(ip) = one.remove("$ip").filter(|ip| *ip != "0" && *ip != 0) {
            raw.facts.push(("ip", ip));
        }
        raw.user_properties = operations(one);
        raw
    })?;
    Ok(taken.said(sent, Door::MixpanelEngage, plan))
}

/// Reads a request of `/groups`: what is known of groups.
pub(super) fn groups(app: &App, sent: &Sent<'_>, now: Millis, plan: &Inspection) -> Result<Read, Refused> {
    let list = list(Door::MixpanelGroups, sent)?;
    let taken = Taken::of(app, list, sent, None, now, plan, |mut one, _| {
        let time = time(&one.remove("$time").unwrap_or_default());
        let mut raw = RawEvent { name: GROUP_IDENTIFY.into(), time, ..RawEvent::default() };
        let (kind, id) = (one.remove("$group_key"), one.remove("$group_id"));
        if let (Some(Json::String(kind)), Some(id)) = (kind, id) {
            let id = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
            // A group identifies itself: nobody does it.
            raw.device = format!("${kind}_{id}").into();
            raw.groups = json!({kind: id});
        }
        raw.group_properties = operations(one);
        raw
    })?;
    Ok(taken.said(sent, Door::MixpanelGroups, plan))
}

/// Reads a request of `/import`: a list, lines of JSON, or a form as its older callers send it.
pub(super) fn import(app: &App, sent: &Sent<'_>, now: Millis, plan: &Inspection) -> Result<Read, Refused> {
    let query = form::pairs("", sent.query.as_bytes())?;
    let key = match sent.scheme("basic") {
        Some(basic) => form::basic(basic),
        None => form::value(&query, "api_key").map(str::to_owned),
    };
    let key = key.or_else(|| sent.scheme("bearer").map(str::to_owned));
    // Before the body is kept.
    let sender = key.map(|key| app.sender(&key)).transpose()?;
    let list = list(Door::MixpanelImport, sent)?;
    let taken = Taken::of(app, list, sent, sender, now, plan, event)?;
    // Its SDKs say how to answer them, whichever way; others get what is documented.
    let heard = Voice::to(Door::MixpanelImport, sent);
    if heard.verbose || form::value(&query, "verbose").is_some() {
        return Ok(taken.said(sent, Door::MixpanelImport, plan));
    }
    let Taken { events, problems, ids, brought } = taken;
    // What is in quarantine was taken.
    let count = events.len() + plan.held();
    let strict = form::value(&query, "strict").is_none_or(|strict| strict != "0");
    if problems.is_empty() || !strict {
        let reply = json!({"code": 200, "status": "OK", "num_records_imported": count});
        return Ok(Read { events, reply: Reply::json(200, reply), brought });
    }
    let failed: Vec<Json> = problems
        .iter()
        .map(|p| {
            let id = ids.get(&p.index).cloned().unwrap_or_default();
            json!({"index": p.index, "$insert_id": id, "field": p.field, "message": p.hint})
        })
        .collect();
    let reply = json!({
        "code": 400, "status": "Bad Request", "error": "some data points in the request failed validation",
        "num_records_imported": count, "failed_records": failed,
    });
    Ok(Read { events, reply: Reply::json(400, reply), brought })
}

/// The list that a request brings: JSON, lines of JSON, or a form with base64 or JSON in `data`.
fn list(door: Door, sent: &Sent<'_>) -> Result<Vec<Json>, AppError> {
    let body = sent.unpacked(door)?;
    let start = body.iter().find(|b| !b.is_ascii_whitespace());
    let mut body: Cow<'_, [u8]> = match start {
        Some(b'[' | b'{') => body,
        _ => {
            let mut pairs = form::pairs("", sent.query.as_bytes())?;
            pairs.extend(form::pairs(sent.content_type, &body)?);
            let none =
                || AppError::bad_input("there is no `data`", "send JSON, or a form with `data` in base64");
            let data = form::value(&pairs, "data").ok_or_else(none)?;
            match data.trim_start().starts_with(['[', '{']) {
                true => data.as_bytes().to_vec().into(),
                false => {
                    let wrong = || AppError::bad_input("`data` is no base64", "send JSON in base64");
                    form::decode(data).ok_or_else(wrong)?.into()
                }
            }
        }
    };
    envelope::few(&body)?;
    let list = match envelope::keep(&mut body) {
        Ok(Json::Array(list)) => list,
        Ok(one) => vec![one],
        // Several values, one after the other, are lines.
        Err(error) => {
            let mut lines = Vec::new();
            for line in body.split(|b| *b == b'\n').filter(|line| !line.iter().all(u8::is_ascii_whitespace)) {
                match super::json::sdk_json(line) {
                    Ok(value) => lines.push(value),
                    Err(_) if lines.is_empty() => return Err(error),
                    Err(e) => return Err(envelope::not_json(&e)),
                }
            }
            lines
        }
    };
    if list.len() > MOST_EVENTS {
        return Err(AppError::new(
            Refusal::TooLarge,
            "too_large",
            format!("there are {} events", list.len()),
            format!("send at most {MOST_EVENTS} at once"),
        ));
    }
    Ok(list)
}

/// Why a request is refused, of which one event brings no key that is known.
fn of_one(error: AppError, index: usize) -> AppError {
    let message = format!("event {index}: {}", error.message);
    let hint = format!("{}; nothing of this request was stored", error.hint);
    AppError { message, hint, ..error }
}

/// What was taken of a request.
struct Taken {
    events: Vec<Event>,
    problems: Vec<Problem>,
    /// The `$insert_id`s of those that were not.
    ids: BTreeMap<usize, Json>,
    /// By which keys they came.
    brought: Vec<Brought>,
}

impl Taken {
    /// Takes each by the key of the request, or by its own token.
    fn of(
        app: &App,
        list: Vec<Json>,
        sent: &Sent<'_>,
        sender: Option<Sender>,
        now: Millis,
        plan: &Inspection,
        raw: fn(Map<String, Json>, &mut Json) -> RawEvent,
    ) -> Result<Self, AppError> {
        let rules = Rules { shortest: 1, numbers_name: true, called, peer: sent.peer, now, plan };
        let (events, problems) = (Vec::with_capacity(list.len()), Vec::new());
        let mut taken = Self { events, problems, ids: BTreeMap::new(), brought: Vec::new() };
        let mut senders = Senders::of(sender);
        let several = list.len() > 1;
        for (index, one) in list.into_iter().enumerate() {
            let mut token = Json::Null;
            let mut insert_id = Json::Null;
            let one = match one {
                Json::Object(mut one) => {
                    token = one.remove("$token").unwrap_or_default();
                    Some(raw(one, &mut token))
                }
                _ => None,
            };
            if let Some(one) = &one {
                insert_id = one.insert_id.clone();
            }
            // One wrong token is an error of the whole: nothing is stored then.
            let here = senders.next(app, token.as_str()).and_then(|here| here.ok_or_else(|| no_key(KEY)));
            let here = here.map_err(|error| if several { of_one(error, index) } else { error })?;
            let (before, good) = (taken.problems.len(), taken.events.len() + plan.held());
            taken.events.extend(admit(here, index, one, &rules, &mut taken.problems));
            senders.count(taken.events.len() + plan.held() - good);
            if taken.problems.len() > before {
                taken.ids.insert(index, insert_id);
            }
        }
        taken.brought = senders.brought();
        Ok(taken)
    }

    /// The answer of `/track`, `/engage` and `/groups`.
    fn said(self, sent: &Sent<'_>, door: Door, plan: &Inspection) -> Read {
        let verbose = Voice::to(door, sent).verbose;
        let reply = match (self.problems.first(), verbose) {
            (None, true) => Reply::json(200, json!({"status": 1, "error": null})),
            (None, false) => Reply::text(200, "1"),
            (Some(_), false) => Reply::text(400, "0"),
            (Some(first), true) => {
                let said =
                    format!("{}; {} others were taken", first.sentence(), self.events.len() + plan.held());
                Reply::json(
                    400,
                    json!({"status": 0, "error": said, "rejected": super::segment::rejected(&self.problems)}),
                )
            }
        };
        Read { events: self.events, reply, brought: self.brought }
    }
}

/// What the fields of an event are called.
fn called(field: Field) -> &'static str {
    match field {
        Field::Event | Field::Name => "event",
        Field::User => "distinct_id",
        Field::Device => "$device_id",
        Field::Time => "time",
        Field::InsertId => "$insert_id",
        Field::Session => "$session_id",
        Field::Properties => "properties",
        Field::UserProperties | Field::GroupProperties => "$set, $add or another operation",
        Field::Groups => "$group_id",
        Field::Of(name) => name,
    }
}

/// User and device, of the ids that an event has.
fn who(distinct: Json, user: Json, device: Json) -> (Json, Json) {
    if !user.is_null() {
        return (user, device);
    }
    // An anonymous visitor's distinct id is made of the device's.
    if let Some(id) = distinct.as_str().and_then(|id| id.strip_prefix(OF_DEVICE)) {
        return (Json::Null, id.into());
    }
    if !device.is_null() && device == distinct { (Json::Null, device) } else { (distinct, device) }
}

/// Earlier seconds than this are milliseconds: as seconds it is the year 5138, as milliseconds 1973.
const MOST_SECONDS: i64 = 100_000_000_000;

/// When something happened.
fn time(sent: &Json) -> Time {
    if sent.is_null() {
        return Time::Missing;
    }
    match sent.as_f64().filter(|at| at.is_finite() && *at >= 0.0) {
        // A fraction of a second is milliseconds; a float holds them exactly far past the year 9999.
        #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
        Some(at) if at < MOST_SECONDS as f64 => Time::At((at * 1_000.0).round() as i64),
        #[allow(clippy::cast_possible_truncation)]
        Some(at) => Time::At(at.round() as i64),
        None => Time::Unreadable("send seconds or milliseconds since 1970"),
    }
}

/// An event of `/track` or `/import`; its token is left in `token`.
fn event(mut event: Map<String, Json>, token: &mut Json) -> RawEvent {
    let name = event.remove("event").unwrap_or_default();
    let mut properties = match event.remove("properties").unwrap_or_default() {
        Json::Object(properties) => properties,
        Json::Null => Map::new(),
        other => return RawEvent { name, properties: other, ..RawEvent::default() },
    };
    let mut take = |name: &str| properties.remove(name).unwrap_or_default();
    let own = take("token");
    if token.is_null() {
        *token = own;
    }
    let time = time(&take("time"));
    let (distinct, user, device) = (take("distinct_id"), take("$user_id"), take("$device_id"));
    let mut raw = RawEvent { time, insert_id: take("$insert_id"), ..RawEvent::default() };
    (raw.user, raw.device) = who(distinct, user, device);
    match name.as_str() {
        Some(ALIAS) => {
            let alias = take("alias");
            if !alias.is_null() {
                raw.device = alias;
            }
        }
        Some(IDENTIFY) => {
            let (identified, anonymous) = (take("$identified_id"), take("$anon_id"));
            if !identified.is_null() {
                raw.user = identified;
            }
            if !anonymous.is_null() {
                raw.device = anonymous;
            } else if let Some(id) = properties.get(BEFORE).and_then(Json::as_str) {
                raw.device = id.strip_prefix(OF_DEVICE).unwrap_or(id).into();
                properties.remove(BEFORE);
            }
        }
        _ => {}
    }
    raw.name = name;
    for (name, fact) in [
        ("$os", "os_name"),
        ("$os_version", "os_version"),
        ("$app_version_string", "app_version"),
        ("$model", "device_model"),
        ("$manufacturer", "device_manufacturer"),
        ("$brand", "device_brand"),
        ("$carrier", "carrier"),
        ("$city", "city"),
        ("$region", "region"),
        ("mp_country_code", "country"),
        ("ip", "ip"),
    ] {
        if let Some(value) = properties.remove(name).filter(|v| !v.is_null()) {
            raw.facts.push((fact, value));
        }
    }
    let library =
        [properties.get("mp_lib"), properties.get("$lib_version")].map(|v| v.and_then(Json::as_str));
    if let [Some(library), Some(version)] = library {
        raw.facts.push(("library", format!("{library}/{version}").into()));
        properties.remove("mp_lib");
        properties.remove("$lib_version");
    }
    raw.properties = properties.into();
    raw
}

/// Mixpanel's operations in the words of [`profile`](bellwether_model::profile).
fn operations(one: Map<String, Json>) -> Json {
    let mut changes = Map::new();
    for (name, value) in one {
        let (operation, value) = match name.as_str() {
            "$set" => ("$set", value),
            "$set_once" => ("$setOnce", value),
            "$add" => ("$add", value),
            "$append" => ("$append", value),
            "$union" => ("$postInsert", value),
            "$remove" => ("$remove", value),
            "$delete" => ("$clearAll", "-".into()),
            "$unset" => match value {
                Json::Array(names) => {
                    let names = names.iter().filter_map(Json::as_str);
                    ("$unset", Json::Object(names.map(|n| (n.to_owned(), "-".into())).collect()))
                }
                other => ("$unset", other),
            },
            _ => continue,
        };
        changes.insert(operation.into(), value);
    }
    // What changes nothing is no object of changes.
    if changes.is_empty() { false.into() } else { changes.into() }
}

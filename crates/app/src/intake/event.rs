//! App intake: one event of Amplitude's form, checked field by field and admitted.

use std::collections::BTreeMap;

use bellwether_model::event::{ASSIGNMENT, EXPOSURE, FLAG_KEY, VARIANT, Who};
use bellwether_model::{EnvironmentKey, Event, Json, Millis, Properties};
use serde_json::Map;

use super::LONGEST;

/// What is wrong with which events, by field.
#[derive(Debug, Default)]
pub(super) struct Problems {
    /// Fields with a value that will not do.
    pub(super) invalid: BTreeMap<&'static str, Vec<usize>>,
    /// Fields that must be there and are not.
    pub(super) missing: BTreeMap<&'static str, Vec<usize>>,
    first: Option<String>,
}

impl Problems {
    pub(super) fn is_empty(&self) -> bool {
        self.invalid.is_empty() && self.missing.is_empty()
    }

    pub(super) fn not_objects(&self) -> bool {
        self.invalid.contains_key("event")
    }

    /// What to do about the first of them.
    pub(super) fn hint(&self) -> String {
        self.first.clone().unwrap_or_default()
    }

    fn invalid(&mut self, field: &'static str, index: usize, hint: &str) {
        self.invalid.entry(field).or_default().push(index);
        self.first.get_or_insert_with(|| format!("`{field}` of event {index}: {hint}"));
    }

    fn missing(&mut self, field: &'static str, index: usize, hint: &str) {
        self.missing.entry(field).or_default().push(index);
        self.first.get_or_insert_with(|| format!("`{field}` of event {index}: {hint}"));
    }
}

/// Ids that are no ids: placeholders that would make one giant user of many.
const NOBODY: [&str; 11] =
    ["anonymous", "nil", "none", "null", "n/a", "na", "undefined", "unknown", "{}", "lmy47d", "-1"];
/// The deepest nesting of a property.
const DEEPEST: usize = 40;
/// Group types that are tracked of an event.
const MOST_GROUP_TYPES: usize = 5;
/// Groups that are tracked of an event.
const MOST_GROUPS: usize = 10;
/// 1970 to the year 9999: what a calendar can show.
const CALENDAR: std::ops::Range<i64> = 0..253_402_300_800_000;
/// Facts of device and place that Amplitude keeps beside the user's properties.
const FACTS: [&str; 16] = [
    "app_version",
    "platform",
    "os_name",
    "os_version",
    "device_brand",
    "device_manufacturer",
    "device_model",
    "carrier",
    "language",
    "country",
    "region",
    "city",
    "dma",
    "user_agent",
    "library",
    "ip",
];

/// Whether an id names nobody: empty, a placeholder, or all zeros as a device gives it whose owner limits
/// tracking.
pub(crate) fn names_nobody(id: &str) -> bool {
    let id = id.trim();
    NOBODY.contains(&id.to_ascii_lowercase().as_str()) || id.chars().all(|c| matches!(c, '0' | '-'))
}

/// Checks one event. What is wrong is added to `problems`; only an event without problems comes back.
pub(super) fn admit(
    environment: &EnvironmentKey,
    index: usize,
    raw: Option<Map<String, Json>>,
    shortest: usize,
    peer: Option<&str>,
    now: Millis,
    problems: &mut Problems,
) -> Option<Event> {
    let Some(mut raw) = raw else {
        problems.invalid("event", index, "send an object");
        return None;
    };
    let mut good = true;
    let mut fail = |problems: &mut Problems, field, hint: &str| {
        problems.invalid(field, index, hint);
        good = false;
    };

    let name = match raw.remove("event_type") {
        Some(Json::String(name)) if !name.is_empty() && name.chars().count() <= LONGEST => name,
        None | Some(Json::Null) => {
            problems.missing("event_type", index, "say what happened, such as `purchase`");
            return None;
        }
        Some(_) => {
            fail(problems, "event_type", "send text of 1 to 1024 characters");
            String::new()
        }
    };
    let mut id = |field: &'static str, problems: &mut Problems| match raw.remove(field) {
        None | Some(Json::Null) => None,
        Some(Json::String(id)) => {
            // Kept as it was sent, spaces and all: answers to SDKs take ids as they are, too.
            let length = id.chars().count();
            if names_nobody(&id) {
                fail(problems, field, "this is a placeholder, not an id; leave it out");
                None
            } else if length > LONGEST {
                fail(problems, field, "send at most 1024 characters");
                None
            } else {
                // Too short an id is taken away, as Amplitude does; the other id may still name somebody.
                (length >= shortest).then_some(id)
            }
        }
        Some(_) => {
            fail(problems, field, "send text");
            None
        }
    };
    let (user, device) = (id("user_id", problems), id("device_id", problems));
    let time = match raw.get("time") {
        None | Some(Json::Null) => Some(now),
        Some(time) => time.as_i64().filter(|t| CALENDAR.contains(t)).map(Millis),
    };
    if time.is_none() {
        fail(problems, "time", "send whole milliseconds since 1970");
    }
    let insert_id = match raw.remove("insert_id") {
        None | Some(Json::Null) => None,
        Some(Json::String(id)) if id.is_empty() => None,
        Some(Json::String(id)) if id.chars().count() <= LONGEST => Some(id),
        Some(_) => {
            fail(problems, "insert_id", "send text of at most 1024 characters");
            None
        }
    };
    let session = match raw.get("session_id") {
        None | Some(Json::Null) => None,
        Some(session) => match session.as_i64() {
            Some(id) => Some(id).filter(|id| *id >= 0),
            None => {
                fail(problems, "session_id", "send the session's start in milliseconds, or -1");
                None
            }
        },
    };
    let mut object = |field: &'static str, problems: &mut Problems| match raw.remove(field) {
        None | Some(Json::Null) => Properties::new(),
        Some(value @ Json::Object(_)) if depth(&value) > DEEPEST => {
            fail(problems, field, "nest at most 40 levels");
            Properties::new()
        }
        Some(Json::Object(map)) if map.keys().any(|name| name.chars().nth(LONGEST).is_some()) => {
            fail(problems, field, "name properties with at most 1024 characters");
            Properties::new()
        }
        Some(Json::Object(map)) => map,
        Some(_) => {
            fail(problems, field, "send an object");
            Properties::new()
        }
    };
    let mut properties = object("event_properties", problems);
    let user_properties = object("user_properties", problems);
    let mut groups = object("groups", problems);
    let group_properties = object("group_properties", problems);
    let mut plain = |fields: &[&'static str], problems: &mut Problems, hint: &str, is: fn(&Json) -> bool| {
        for field in fields {
            if raw.get(*field).is_some_and(|value| !value.is_null() && !is(value)) {
                fail(problems, field, hint);
            }
        }
    };
    plain(&["price", "quantity", "revenue"], problems, "send a number", Json::is_number);
    plain(&["productId", "revenueType", "currency"], problems, "send text", scalar);
    plain(&FACTS, problems, "send text", scalar);
    if !good {
        return None;
    }
    let Some(who) = Who::new(user, device) else {
        problems.missing("user_id", index, "send `user_id` or `device_id` of at least the shortest length");
        problems.missing("device_id", index, "send `user_id` or `device_id` of at least the shortest length");
        return None;
    };
    if !group_properties.is_empty() {
        properties.insert("$group_properties".into(), group_properties.into());
    }
    revenue(&raw, &mut properties);
    let mut user_properties = settled(user_properties);
    for fact in FACTS {
        let value = match raw.remove(fact) {
            Some(Json::String(ip)) if fact == "ip" && ip == "$remote" => peer.map(Json::from),
            other => other.filter(|v| !v.is_null()),
        };
        if let Some(value) = value {
            user_properties.entry(fact).or_insert(value);
        }
    }
    few(&mut groups);
    let name = canonical(name, &mut properties);
    let texts = properties.values_mut().chain(user_properties.values_mut()).chain(groups.values_mut());
    texts.for_each(shorten);
    Some(Event {
        environment: environment.clone(),
        event: name,
        who,
        time: time?,
        received: now,
        insert_id,
        session,
        properties,
        user_properties,
        groups,
        revision: None,
    })
}

/// Keeps as many groups as are tracked: five types, ten groups over all of them.
fn few(groups: &mut Properties) {
    let mut left = MOST_GROUPS;
    let mut types = 0;
    groups.retain(|_, names| {
        types += 1;
        if types > MOST_GROUP_TYPES || left == 0 {
            return false;
        }
        if let Json::Array(names) = names {
            names.truncate(left);
            left -= names.len();
        } else {
            left -= 1;
        }
        true
    });
}

/// The three forms of an exposure become one; so do those of an assignment.
fn canonical(name: String, properties: &mut Properties) -> String {
    let canonical = match name.as_str() {
        "[Experiment] Exposure" => EXPOSURE,
        "[Experiment] Assignment" => ASSIGNMENT,
        _ => return name,
    };
    for (from, to) in [
        ("[Experiment] Flag Key", FLAG_KEY),
        ("[Experiment] Variant", VARIANT),
        ("[Experiment] Experiment Key", "experiment_key"),
    ] {
        if let Some(value) = properties.remove(from) {
            properties.insert(to.into(), value);
        }
    }
    canonical.to_owned()
}

/// User properties as they are at this event: plain keys and `$set` are values; the other operations
/// stay under their names, because what they do depends on what was before.
fn settled(mut properties: Properties) -> Properties {
    match properties.remove("$set") {
        Some(Json::Object(set)) => properties.extend(set),
        Some(other) => {
            properties.insert("$set".into(), other);
        }
        None => {}
    }
    properties
}

/// Amplitude's top-level revenue fields, in the form that its SDKs give to revenue events. Where price,
/// quantity and revenue are all sent, price times quantity wins.
fn revenue(raw: &Map<String, Json>, properties: &mut Properties) {
    let number = |field: &str| raw.get(field).and_then(Json::as_f64);
    let amount = match (number("price"), number("quantity"), number("revenue")) {
        (Some(price), Some(quantity), _) => Some(price * quantity),
        (_, _, Some(revenue)) => Some(revenue),
        (price, _, None) => price,
    };
    for (from, to) in [
        ("price", "$price"),
        ("quantity", "$quantity"),
        ("productId", "$productId"),
        ("revenueType", "$revenueType"),
        ("currency", "$currency"),
    ] {
        if let Some(value) = raw.get(from).filter(|v| !v.is_null()) {
            properties.entry(to).or_insert_with(|| value.clone());
        }
    }
    let inside = |field: &str, properties: &Properties| properties.get(field).and_then(Json::as_f64);
    let amount = amount.or_else(|| {
        let price = inside("$price", properties)?;
        Some(price * inside("$quantity", properties).unwrap_or(1.0))
    });
    if let Some(amount) = amount.filter(|_| !properties.contains_key("$revenue")) {
        properties.insert("$revenue".into(), Json::from(amount));
    }
}

/// Whether a value is text, or a number or boolean that can stand for it.
fn scalar(value: &Json) -> bool {
    value.is_string() || value.is_number() || value.is_boolean()
}

fn depth(value: &Json) -> usize {
    match value {
        Json::Object(map) => 1 + map.values().map(depth).max().unwrap_or(0),
        Json::Array(list) => 1 + list.iter().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

fn shorten(value: &mut Json) {
    match value {
        Json::String(text) => {
            if let Some((at, _)) = text.char_indices().nth(LONGEST) {
                text.truncate(at);
            }
        }
        Json::Array(list) => list.iter_mut().for_each(shorten),
        Json::Object(map) => map.values_mut().for_each(shorten),
        _ => {}
    }
}

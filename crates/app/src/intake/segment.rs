//! App intake: Segment's protocol, which RudderStack's SDKs speak, too.
//!
//! A batch is taken message by message: what cannot be is named in the answer, and the rest is stored. That
//! is because SDKs drop a batch that is refused, and lose the good with the bad.

use bellwether_model::event::{ALIAS, GROUP_IDENTIFY, IDENTIFY};
use bellwether_model::{Json, Millis};
use serde_json::{Map, json};

use super::door::{Call, Door, Read, Refused, Reply, Sent, no_key};
use super::envelope::{self, Envelope};
use super::form;
use super::inspection::Inspection;
use super::raw::{Field, Problem, RawEvent, Rules, Time, admit};
use crate::App;
use crate::error::{AppError, Refusal};

/// The most messages of one batch.
const MOST_MESSAGES: usize = 2_500;

/// A refusal of ours in the protocol's words: `{success, code, message, hint}`.
pub(super) fn refusal(error: &AppError) -> Reply {
    let status = match error.refusal {
        // The protocol knows no 413: what is too large is malformed.
        Refusal::TooLarge => 400,
        Refusal::Slow | Refusal::Internal => 503,
        other => other.status(),
    };
    let mut body = error.body();
    if let Some(body) = body.as_object_mut() {
        body.insert("success".into(), false.into());
    }
    Reply::json(status, body)
}

/// Reads a batch, or one message of this kind.
pub(super) fn read(
    app: &App,
    call: Option<Call>,
    sent: &Sent<'_>,
    now: Millis,
    plan: &Inspection,
) -> Result<Read, Refused> {
    let mut body = sent.unpacked(Door::Segment(call))?;
    let hint = "send the write key, a `client` or `server` key, as the user of `Authorization: Basic`";
    let within = envelope::look(&mut body, &["writeKey"]).map_err(|e| envelope::not_json(&e))?;
    let secret = match (sent.scheme("basic"), within) {
        (Some(basic), _) => form::basic(basic).ok_or_else(|| no_key(hint))?,
        // Browsers that send a beacon cannot set a header.
        (None, Envelope::Key(secret)) => secret,
        (None, _) => sent.scheme("bearer").map(str::to_owned).ok_or_else(|| no_key(hint))?,
    };
    let sender = app.sender(&secret)?;
    let no_object = || AppError::bad_input("the body is no object", "send `{\"batch\": […]}`, or a message");
    let Json::Object(mut body) = envelope::keep(&mut body)? else { return Err(no_object().into()) };
    let single = call.is_some();
    let sent_at = body.get("sentAt").cloned();
    // Of a batch it is that of each of its messages, which may say more.
    let shared = if single { Json::Null } else { body.remove("context").unwrap_or_default() };
    let messages = match call {
        Some(_) => vec![Json::Object(body)],
        None => match body.remove("batch") {
            Some(Json::Array(messages)) => messages,
            _ => return Err(AppError::bad_input("there is no `batch`", "send a list of messages").into()),
        },
    };
    if messages.len() > MOST_MESSAGES {
        return Err(AppError::new(
            Refusal::TooLarge,
            "too_large",
            format!("the batch has {} messages", messages.len()),
            format!("send at most {MOST_MESSAGES} at once"),
        )
        .into());
    }
    let rules = Rules { shortest: 1, numbers_name: true, called, peer: sent.peer, now, plan };
    let count = messages.len();
    let mut problems = Vec::new();
    let mut events = Vec::with_capacity(count);
    for (index, message) in messages.into_iter().enumerate() {
        let raw = match message {
            Json::Object(message) => match raw(message, call, sent_at.as_ref(), &shared, now) {
                Ok(raw) => Some(raw),
                Err(hint) => {
                    problems.push(Problem { index, field: "type", missing: false, hint: hint.to_owned() });
                    continue;
                }
            },
            _ => None,
        };
        events.extend(admit(&sender.environment, index, raw, &rules, &mut problems));
    }
    if let (Some(first), true) =
        (problems.first(), events.is_empty() && plan.held() == 0 && (single || count > 0))
    {
        let message = format!("`{}` cannot be taken", first.field);
        return Err(AppError {
            details: Some(rejected(&problems)),
            ..AppError::bad_input(message, &first.hint)
        }
        .into());
    }
    let mut reply = json!({"success": true});
    if let (Some(reply), false) = (reply.as_object_mut(), problems.is_empty()) {
        reply.insert("rejected".into(), rejected(&problems));
    }
    Ok(Read::by(sender, events, Reply::json(200, reply), plan))
}

/// What was not taken, message by message.
pub(super) fn rejected(problems: &[Problem]) -> Json {
    let each = problems.iter().map(|p| json!({"index": p.index, "field": p.field, "message": p.hint}));
    Json::Array(each.collect())
}

/// What the fields of a message are called.
fn called(field: Field) -> &'static str {
    match field {
        Field::Event => "message",
        Field::Name => "event",
        Field::User => "userId",
        Field::Device => "anonymousId",
        Field::Time => "timestamp",
        Field::InsertId => "messageId",
        Field::Session => "context.sessionId",
        Field::Properties => "properties",
        Field::UserProperties | Field::GroupProperties => "traits",
        Field::Groups => "groupId",
        Field::Of(name) => name,
    }
}

/// When a message happened: `receivedAt - (sentAt - originalTimestamp)`, which takes the error of the
/// sender's clock out of it.
fn time(original: Option<&Json>, sent_at: Option<&Json>, now: Millis) -> Time {
    const HINT: &str = "send a time in ISO 8601, such as `2026-11-22T12:48:15.730Z`";
    let read = |value: Option<&Json>| match value {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(text)) => form::instant(text).map(Some).ok_or(HINT),
        Some(number) => number.as_i64().map(Some).ok_or(HINT),
    };
    match (read(original), read(sent_at)) {
        (Err(hint), _) => Time::Unreadable(hint),
        (Ok(None), _) => Time::Missing,
        // When it was sent is not what is asked for: without it nothing is corrected.
        (Ok(Some(at)), Ok(None) | Err(_)) => Time::At(at),
        (Ok(Some(at)), Ok(Some(sent))) => Time::At(form::corrected(at, sent, now)),
    }
}

/// A message as an event, or why its type is none.
fn raw(
    mut message: Map<String, Json>,
    call: Option<Call>,
    sent_at: Option<&Json>,
    shared: &Json,
    now: Millis,
) -> Result<RawEvent, &'static str> {
    let call = match (call, message.get("type").and_then(Json::as_str)) {
        (Some(call), _) => call,
        (None, Some("track")) => Call::Track,
        (None, Some("identify")) => Call::Identify,
        (None, Some("page")) => Call::Page,
        (None, Some("screen")) => Call::Screen,
        (None, Some("group")) => Call::Group,
        (None, Some("alias")) => Call::Alias,
        _ => return Err("send `track`, `identify`, `page`, `screen`, `group` or `alias`"),
    };
    let mut take = |name: &str| message.remove(name).unwrap_or_default();
    let (original, stamp) = (take("originalTimestamp"), take("timestamp"));
    let (own, user, anonymous) = (take("sentAt"), take("userId"), take("anonymousId"));
    let (previous, group) = (take("previousId"), take("groupId"));
    let (traits, mut properties) = (take("traits"), take("properties"));
    let (title, category, event) = (take("name"), take("category"), take("event"));
    let insert_id = take("messageId");
    let mut context = match take("context") {
        Json::Object(context) => context,
        _ => Map::new(),
    };
    if let Json::Object(shared) = shared {
        fill(&mut context, shared);
    }
    let original = if original.is_null() { stamp } else { original };
    let sent_at = if own.is_null() { sent_at } else { Some(&own) };
    let mut raw = RawEvent {
        time: time(Some(&original), sent_at, now),
        insert_id,
        user,
        device: anonymous,
        ..RawEvent::default()
    };
    let add = |properties: &mut Json, name: &str, value: Json| {
        if value.is_null() {
            return;
        }
        if properties.is_null() {
            *properties = json!({});
        }
        if let Some(properties) = properties.as_object_mut() {
            properties.entry(name).or_insert(value);
        }
    };
    // What `group` says itself is another one; of the rest it is the one that they are in.
    let member = if call == Call::Group { group } else { context.remove("groupId").unwrap_or_default() };
    match call {
        Call::Track => raw.name = event,
        Call::Page | Call::Screen => {
            raw.name = if call == Call::Page { "Page Viewed" } else { "Screen Viewed" }.into();
            add(&mut properties, "name", title);
            add(&mut properties, "category", category);
        }
        Call::Identify => {
            raw.name = IDENTIFY.into();
            let traits = if traits.is_null() { context.remove("traits").unwrap_or_default() } else { traits };
            raw.user_properties = plain(traits);
        }
        Call::Group => {
            raw.name = GROUP_IDENTIFY.into();
            raw.group_properties = plain(traits);
        }
        Call::Alias => {
            raw.name = ALIAS.into();
            raw.device = previous;
        }
    }
    if !member.is_null() {
        raw.groups = json!({"group": member});
    }
    facts(context, &mut raw, &mut properties, add);
    raw.properties = properties;
    Ok(raw)
}

/// Adds to a context what that of its batch says and it does not.
fn fill(context: &mut Map<String, Json>, shared: &Map<String, Json>) {
    for (name, value) in shared {
        match (context.get_mut(name), value) {
            (Some(Json::Object(own)), Json::Object(shared)) => fill(own, shared),
            (Some(_), _) => {}
            (None, value) => drop(context.insert(name.clone(), value.clone())),
        }
    }
}

/// Traits are values, also where one is called as an operation is.
fn plain(traits: Json) -> Json {
    if traits.is_object() { json!({"$set": traits}) } else { traits }
}

/// What the context says of app, device and place; the rest of it is kept as a property.
fn facts(
    mut context: Map<String, Json>,
    raw: &mut RawEvent,
    properties: &mut Json,
    add: impl Fn(&mut Json, &str, Json),
) {
    if let Some(session) = context.get("sessionId").filter(|s| s.is_i64()) {
        raw.session = session.clone();
        context.remove("sessionId");
    }
    let library = context.get("library").and_then(|l| Some((l["name"].as_str()?, l["version"].as_str()?)));
    if let Some((name, version)) = library {
        raw.facts.push(("library", format!("{name}/{version}").into()));
        context.remove("library");
    }
    const PLACES: [(&str, &str, &str); 12] = [
        ("app", "version", "app_version"),
        ("os", "name", "os_name"),
        ("os", "version", "os_version"),
        ("device", "manufacturer", "device_manufacturer"),
        ("device", "model", "device_model"),
        ("device", "advertisingId", "adid"),
        ("network", "carrier", "carrier"),
        ("location", "country", "country"),
        ("location", "region", "region"),
        ("location", "city", "city"),
        ("location", "latitude", "location_lat"),
        ("location", "longitude", "location_lng"),
    ];
    for (of, name, fact) in PLACES {
        let Some(inner) = context.get_mut(of).and_then(Json::as_object_mut) else { continue };
        if let Some(value) = inner.remove(name) {
            raw.facts.push((fact, value));
        }
        if inner.is_empty() {
            context.remove(of);
        }
    }
    for (name, fact) in [("locale", "language"), ("userAgent", "user_agent"), ("ip", "ip")] {
        if let Some(value) = context.remove(name) {
            raw.facts.push((fact, value));
        }
    }
    raw.facts.retain(|(_, value)| !value.is_null());
    if !context.is_empty() {
        add(properties, "$context", context.into());
    }
}

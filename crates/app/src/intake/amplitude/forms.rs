//! App intake: Amplitude's `/identify` and `/groupidentify`, forms that tell more of people and groups. They
//! become events of the types `$identify` and `$groupidentify`, which make nobody active.

use bellwether_model::event::{GROUP_IDENTIFY, IDENTIFY};
use bellwether_model::{Json, Millis};
use serde_json::{Map, json};

use super::super::door::{Door, Read, Refused, Reply, Sent};
use super::super::form;
use super::super::inspection::Inspection;
use super::super::raw::{FACTS, Problem, Rules, admit};
use super::super::{envelope, json};
use super::{MOST_FORMS, SHORTEST_ID, answer, called, missing, raw, refused, too_large};
use crate::App;

/// Reads a request of `/identify`.
pub(in super::super) fn identify(
    app: &App,
    sent: &Sent<'_>,
    now: Millis,
    plan: &Inspection,
) -> Result<Read, Refused> {
    read(app, Door::AmplitudeIdentify, sent, now, plan, |mut one| {
        let mut event = Map::new();
        let mut kept = vec!["user_id", "device_id", "user_properties", "groups", "time", "insert_id"];
        kept.extend(FACTS);
        for name in kept {
            event.extend(one.remove_entry(name));
        }
        // Facts of payment are properties of the user.
        for name in ["paying", "start_version"] {
            if let Some(value) = one.remove(name) {
                let properties = event.entry("user_properties").or_insert_with(|| json!({}));
                let operations = properties.get("$set").is_some_and(Json::is_object);
                let set = if operations { properties.get_mut("$set") } else { Some(properties) };
                if let Some(set) = set.and_then(Json::as_object_mut) {
                    set.entry(name).or_insert(value);
                }
            }
        }
        event.insert("event_type".into(), IDENTIFY.into());
        Ok(event)
    })
}

/// Reads a request of `/groupidentify`.
pub(in super::super) fn group_identify(
    app: &App,
    sent: &Sent<'_>,
    now: Millis,
    plan: &Inspection,
) -> Result<Read, Refused> {
    read(app, Door::AmplitudeGroupIdentify, sent, now, plan, |mut one| {
        let mut event = Map::new();
        let mut text = |field| match one.remove(field) {
            Some(Json::String(text)) => Ok(text),
            Some(Json::Number(number)) => Ok(number.to_string()),
            None | Some(Json::Null) => Err((field, true)),
            Some(_) => Err((field, false)),
        };
        let (kind, value) = (text("group_type")?, text("group_value")?);
        // A group identifies itself: nobody does it.
        event.insert("device_id".into(), format!("${kind}_{value}").into());
        event.insert("groups".into(), json!({kind: value}));
        event.insert("event_type".into(), GROUP_IDENTIFY.into());
        event.extend(one.remove_entry("group_properties"));
        Ok(event)
    })
}

/// The field that says of which group, and whether it is missing or something else than a name.
type NoGroup = (&'static str, bool);

/// What an identification is as an event.
type Told = Result<Map<String, Json>, NoGroup>;

fn read(
    app: &App,
    door: Door,
    sent: &Sent<'_>,
    now: Millis,
    plan: &Inspection,
    event: fn(Map<String, Json>) -> Told,
) -> Result<Read, Refused> {
    let body = sent.unpacked(door)?;
    let mut pairs = form::pairs("", sent.query.as_bytes())?;
    pairs.extend(form::pairs(sent.content_type, &body)?);
    let secret = form::value(&pairs, "api_key");
    let secret = secret.ok_or_else(|| missing("api_key", "send a `client` or `server` key"))?;
    let sender = app.sender(secret)?;
    // The protocol has one word for an identification that is absent and one that cannot be read.
    let unread = || {
        let hint = "send `identification`, an object or a list of them, as JSON";
        answer(400, "missing_event", &[("hint", hint.into())])
    };
    let text = form::value(&pairs, "identification").ok_or_else(unread)?;
    envelope::few(text.as_bytes())?;
    let list = match json::sdk_json(text.as_bytes()).map_err(|_| unread())? {
        Json::Array(list) if !list.is_empty() => list,
        one @ Json::Object(_) => vec![one],
        _ => return Err(unread().into()),
    };
    if list.len() > MOST_FORMS {
        return Err(too_large(door, &format!("the form has `{}` of them", list.len())).into());
    }
    // What a group is called makes its id, however short that is.
    let shortest = if door == Door::AmplitudeGroupIdentify { 1 } else { SHORTEST_ID };
    let rules = Rules { shortest, numbers_name: false, called, peer: sent.peer, now, plan };
    let mut problems = Vec::new();
    let mut events = Vec::with_capacity(list.len());
    for (index, one) in list.into_iter().enumerate() {
        let one = match one {
            Json::Object(one) => match event(one) {
                Ok(event) => Some(raw(event)),
                Err((field, missing)) => {
                    let hint = if missing {
                        "say which group it is"
                    } else {
                        "send text, and of several groups one each"
                    };
                    let hint = hint.to_owned();
                    problems.push(Problem { index, field, missing, hint });
                    continue;
                }
            },
            _ => None,
        };
        events.extend(admit(&sender.environment, index, one, &rules, &mut problems));
    }
    if !problems.is_empty() {
        return Err(refused(&problems).into());
    }
    Ok(Read::by(sender, events, Reply::text(200, "success"), plan))
}

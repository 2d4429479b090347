//! App tests: what is personal is judged as it was sent, whatever is stored of it, and again when it is released.

use serde_json::{Value as Json, json};

use crate::house::House;
use crate::verdicts::{good, marks, order, planned};

/// Values of every type, and those that look like what is stored of a personal one.
fn values() -> Vec<Json> {
    let hash = format!("hash:{}", "0123456789abcdef".repeat(2));
    vec![
        json!("x"),
        json!("a"),
        json!("***"),
        json!(hash),
        json!("2026-11-27"),
        json!(7),
        json!(1.5),
        json!(true),
        json!([]),
        json!([1]),
        json!([1.5]),
        json!(["x", 1]),
        json!({"a": 1}),
        json!(null),
    ]
}

/// An event for each value of each planned personal property, which has another that is not planned, in an environment that
/// does this with personal values and with what does not follow the plan.
fn personal(concealed: &str, treatment: &str) -> (House, Marks) {
    let house = House::new();
    let kinds = ["any", "string", "number", "integer", "boolean", "date_time", "list", "object"];
    let mut properties: serde_json::Map<String, Json> =
        kinds.iter().map(|kind| ((*kind).to_owned(), json!({"type": kind, "personal": true}))).collect();
    properties.insert("numbers".into(), json!({"type": "list", "items": "number", "personal": true}));
    properties.insert("few".into(), json!({"type": "string", "values": ["a", "b"], "personal": true}));
    let plan = json!({"rules": {"environments": {"production": {"unplanned_properties": treatment, "invalid": treatment,
        "personal": concealed}}}, "events": {"Seen": {"properties": properties}}});
    house.did("plan.save", json!({"plan": plan, "why": "test"}));
    let key = house.key("client");
    let each = properties.keys().flat_map(|name| values().into_iter().map(move |value| (name, value)));
    let events: Vec<Json> = each
        .enumerate()
        .map(|(n, (name, value))| {
            json!({"event_type": "Seen", "user_id": format!("user-{}", n % 50),
                "event_properties": {"extra": 1, "$n": n, name.as_str(): value}})
        })
        .collect();
    house.send(&json!({"api_key": key, "events": events})).unwrap();
    let expected = events.iter().zip(0..).map(|(event, n)| {
        let properties = event["event_properties"].as_object().unwrap();
        let wrong = properties.iter().any(|(name, value)| !holds(name, value));
        (n, json!(if wrong { "invalid" } else { "unplanned_property" }))
    });
    (house, expected.collect())
}

/// Whether a property of this name may hold a value.
fn holds(name: &str, value: &Json) -> bool {
    let list = |each: fn(&Json) -> bool| value.as_array().is_some_and(|items| items.iter().all(each));
    value.is_null()
        || match name {
            "string" => value.is_string(),
            "number" => value.is_number(),
            "integer" => value.as_f64().is_some_and(|n| n.fract() == 0.0),
            "boolean" => value.is_boolean(),
            "date_time" => value == "2026-11-27",
            "list" => value.is_array(),
            "object" => value.is_object(),
            "numbers" => list(Json::is_number),
            "few" => value == "a",
            _ => true,
        }
}

/// How each is marked, by its number.
type Marks = std::collections::BTreeMap<u64, Json>;

fn numbered(house: &House) -> Marks {
    let properties = house.events().into_iter().map(|event| event["properties"].clone());
    properties.map(|of| (of["$n"].as_u64().unwrap(), of["$verdict"].clone())).collect()
}

#[test]
fn a_personal_value_is_judged_as_it_was_sent_also_when_it_is_released() {
    for concealed in ["keep", "mask", "hash", "drop"] {
        let (house, expected) = personal(concealed, "accept");
        assert_eq!(numbered(&house), expected, "{concealed}");
        let house = personal(concealed, "quarantine").0.restart();
        let released = house.did("quarantine.release", json!({"environment": "production", "all": true}));
        assert_eq!(released["stored"], json!(expected.len()));
        assert_eq!(numbered(&house), expected, "{concealed}, and released");
    }
}

#[test]
fn a_personal_value_is_judged_by_the_plan_that_there_is_when_it_is_released() {
    let (house, key) = planned("accept", "accept", "quarantine");
    let mut properties = good();
    properties["email"] = json!(7);
    house.send(&json!({"api_key": key, "events": [order(properties)]})).unwrap();
    let mut plan = house.did("plan.get", json!({}))["plan"].clone();
    plan["events"]["Order Completed"]["properties"]["email"]["type"] = json!("integer");
    house.did("plan.save", json!({"plan": plan, "why": "test"}));
    house.did("quarantine.release", json!({"environment": "production", "all": true}));
    assert_eq!(marks(&house), [Json::Null]);
    assert_eq!(house.events()[0]["properties"]["email"], "***");
}

/// Whether a value is among those that are planned is known also of one that was held because of its type.
#[test]
fn a_personal_value_that_is_held_by_one_type_is_judged_by_another() {
    let few = |of: Json| {
        let mut property = json!({"values": [1, 2, 3], "personal": true});
        property.as_object_mut().unwrap().extend(of.as_object().unwrap().clone());
        let handling = json!({"invalid": "quarantine", "personal": "mask"});
        json!({"rules": {"environments": {"production": handling}}, "events": {"Seen": {"properties": {"few": property}}}})
    };
    let (number, list) = (json!({"type": "number"}), json!({"type": "list", "items": "number"}));
    for (before, after, value, marked) in [
        (&number, &list, json!([1, 2, 3]), false),
        (&number, &list, json!([1, 2, 3, 99]), true),
        (&list, &number, json!(2), false),
        (&list, &number, json!(99), true),
        (&list, &number, json!([99]), true),
        (&list, &list, json!([1, 99]), true),
    ] {
        let house = House::new();
        house.did("plan.save", json!({"plan": few(before.clone()), "why": "test"}));
        let key = house.key("client");
        let event = json!({"event_type": "Seen", "user_id": "user-1", "event_properties": {"few": value}});
        house.send(&json!({"api_key": key, "events": [event]})).unwrap();
        house.did("plan.save", json!({"plan": few(after.clone()), "why": "test"}));
        let released = house.did("quarantine.release", json!({"environment": "production", "all": true}));
        assert_eq!(released["stored"], 1, "{value}");
        let mark = if marked { json!("invalid") } else { Json::Null };
        assert_eq!(marks(&house), [mark], "{before} to {after}: {value}");
    }
}

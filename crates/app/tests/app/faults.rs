//! App tests: however many things are wrong with an event, none of them hides another.

use base64::Engine;
use bellwether_app::{Call, Door, Reply, Sent};
use serde_json::{Value as Json, json};

use crate::house::House;

/// A house whose production treats what is planned so: a number that is required, and nothing else.
fn strict(extra: &str, invalid: &str) -> (House, String) {
    let house = House::new();
    let plan = json!({"rules": {"environments": {"production": {"unplanned_properties": extra, "invalid": invalid}}},
        "events": {"Order": {"properties": {"m": {"type": "number", "required": true}}}}});
    house.did("plan.save", json!({"plan": plan, "why": "test"}));
    let key = house.key("client");
    (house, key)
}

/// Events with a text for the number, and so many unplanned properties before and after it.
fn order(before: usize, after: usize) -> Json {
    let names = (0..before).map(|n| format!("a{n:05}")).chain((0..after).map(|n| format!("z{n:05}")));
    let mut properties: serde_json::Map<String, Json> = names.map(|name| (name, json!(1))).collect();
    properties.insert("m".into(), json!("x"));
    json!({"event_type": "Order", "user_id": "user-1", "event_properties": properties})
}

const INVALID: &str = "property `m` is `number`, and this is `string`";

#[test]
fn no_number_of_unplanned_properties_lets_an_invalid_one_pass() {
    let (kept, key) = strict("accept", "quarantine");
    let (refused, refusing) = strict("accept", "reject");
    let (marked, marking) = strict("accept", "accept");
    for (n, (before, after)) in
        [(0, 0), (19, 0), (20, 0), (21, 0), (0, 40), (40, 40), (9_998, 0)].into_iter().enumerate()
    {
        let events = |key: &str| json!({"api_key": key, "events": [order(before, after)]});
        kept.send(&events(&key)).unwrap();
        assert_eq!(kept.events(), Vec::<Json>::new(), "{before} and {after}");
        let held = kept.did("quarantine.list", json!({"environment": "production"}));
        assert_eq!(held["events"].as_array().unwrap().len(), n + 1);
        let why = held["events"][n]["why"].as_array().unwrap();
        assert!(why.contains(&json!(INVALID)) && why.len() <= 20, "{before} and {after}: {why:?}");
        // What it is refused for is said, and not what is accepted.
        let (status, said) = refused.send(&events(&refusing)).unwrap_err();
        assert_eq!((status, said["hint"].as_str().unwrap().contains(INVALID)), (400, true), "{said}");
        marked.send(&events(&marking)).unwrap();
        assert_eq!(marked.events()[0]["properties"]["$verdict"], "invalid", "{before} and {after}");
    }
    assert_eq!(refused.events(), Vec::<Json>::new());
}

/// The other way round: what is missing is accepted, what is not planned is not.
#[test]
fn no_number_of_missing_properties_lets_an_unplanned_one_pass() {
    for missing in [0, 19, 20, 60] {
        let house = House::new();
        let wanted: serde_json::Map<String, Json> =
            (0..missing).map(|n| (format!("r{n}"), json!({"type": "any", "required": true}))).collect();
        let handling = json!({"unplanned_properties": "reject", "invalid": "accept"});
        let plan = json!({"rules": {"environments": {"production": handling}}, "events": {"Order": {"properties": wanted}}});
        house.did("plan.save", json!({"plan": plan, "why": "test"}));
        let basic = format!(
            "Basic {}",
            base64::engine::general_purpose::STANDARD.encode(format!("{}:", house.key("client")))
        );
        let body = json!({"event": "Order", "userId": "u", "properties": {"secret": 1}}).to_string();
        let sent = Sent { authorization: Some(&basic), body: body.as_bytes(), ..Sent::default() };
        let Reply { status, body, .. } = house.bring(Door::Segment(Some(Call::Track)), &sent);
        let said = format!("{body:?}");
        assert!(
            status == 400 && said.contains("property `secret` is not in the tracking plan"),
            "{missing}: {said}"
        );
        assert_eq!(house.events(), Vec::<Json>::new());
    }
}

/// What its environment dropped is not missing when it is released; what never came is, where nothing is dropped.
#[test]
fn what_was_dropped_at_intake_is_no_fault_at_release() {
    for how in ["drop", "mask", "hash", "keep"] {
        let house = House::new();
        let plan = |extra: &str| {
            json!({"rules": {"environments": {"production": {"personal": how, "unplanned_properties": extra}}},
                "events": {"Signed Up": {"properties": {"email": {"type": "string", "personal": true, "required": true},
                    "plan": {"type": "string", "required": true}}}}})
        };
        house.did("plan.save", json!({"plan": plan("quarantine"), "why": "test"}));
        let key = house.key("client");
        let event = |properties: Json| json!({"event_type": "Signed Up", "user_id": "user-1", "event_properties": properties});
        let events = json!([
            event(json!({"email": "ada@example.com", "plan": "pro", "seats": 1})),
            event(json!({"email": "ada@example.com", "seats": 1}))
        ]);
        house.send(&json!({"api_key": key, "events": events})).unwrap();
        assert_eq!(house.events(), Vec::<Json>::new());
        // What was not planned is by now.
        let mut now = plan("accept");
        now["events"]["Signed Up"]["properties"]["seats"] = json!({"type": "integer"});
        house.did("plan.save", json!({"plan": now, "why": "test"}));
        house.did("quarantine.release", json!({"environment": "production", "all": true}));
        let marks: Vec<Json> =
            house.events().iter().rev().map(|event| event["properties"]["$verdict"].clone()).collect();
        assert_eq!(marks, [Json::Null, json!("invalid")], "{how}");
        // What comes is judged as it comes.
        house.send(&json!({"api_key": key, "events": [event(json!({"plan": "pro"}))]})).unwrap();
        assert_eq!(house.events()[0]["properties"]["$verdict"], "invalid", "{how}");
    }
}

/// The same of an address: dropped, or cut and not to be read as one.
#[test]
fn an_address_that_was_taken_out_is_no_fault_at_release() {
    for (how, ip, mark) in [
        ("drop", "203.0.113.77", Json::Null),
        ("truncate", "203.0.113.077", Json::Null),
        ("keep", "203.0.113.77", Json::Null),
    ] {
        let house = House::new();
        let plan = |extra: &str| {
            json!({"rules": {"environments": {"production": {"addresses": how, "unplanned_properties": extra}}},
                "events": {"Seen": {"properties": {"host.ip": {"type": "string", "required": true}}}}})
        };
        house.did("plan.save", json!({"plan": plan("quarantine"), "why": "test"}));
        let key = house.key("client");
        let event = json!({"event_type": "Seen", "user_id": "user-1", "event_properties": {"host.ip": ip, "seats": 1}});
        house.send(&json!({"api_key": key, "events": [event]})).unwrap();
        let mut now = plan("accept");
        now["events"]["Seen"]["properties"]["seats"] = json!({"type": "integer"});
        house.did("plan.save", json!({"plan": now, "why": "test"}));
        house.did("quarantine.release", json!({"environment": "production", "all": true}));
        assert_eq!(house.events()[0]["properties"]["$verdict"], mark, "{how}");
    }
}

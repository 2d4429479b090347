//! App tests: which values are shown as examples of how events do not follow the plan.

use serde_json::{Value as Json, json};

use crate::plan::shop_plan;
use crate::verdicts::{order, planned, violations};

#[test]
fn a_value_that_tells_who_it_was_is_no_example_and_nobodys_is_kept_when_somebody_is_forgotten() {
    let (house, key) = planned("accept", "accept", "accept");
    let send = |user: &str, total: &str| {
        let mut event = order(json!({"total": total, "currency": "EUR"}));
        event["user_id"] = json!(user);
        house.send(&json!({"api_key": key, "events": [event]})).unwrap();
    };
    let example = || violations(&house)["violations"][0]["example"].clone();
    for id in ["zoe@secret.example", "zoe \"the\" secret"] {
        send(id, &format!("of {id}"));
        assert_eq!(example(), Json::Null);
        // Also where what is kept of the value ends within it.
        send(id, &format!("{}{id}", "x".repeat(70)));
        assert_eq!(example(), Json::Null);
    }
    send("user-2", "ten");
    assert_eq!(example(), "\"ten\"");
    house.did("person.forget", json!({"environment": "production", "user": "user-2", "confirm": "user-2"}));
    assert_eq!(example(), Json::Null);
}

#[test]
fn a_value_that_is_not_stored_as_it_came_is_no_example() {
    let (house, key) = planned("accept", "accept", "accept");
    let mut plan = shop_plan();
    plan["events"]["Order Completed"]["properties"]["initial_ip"] = json!({"type": "number"});
    house.did("plan.save", json!({"plan": plan, "why": "test"}));
    let example = |initial_ip: &str| {
        let event = order(json!({"total": 5, "currency": "EUR", "initial_ip": initial_ip}));
        house.send(&json!({"api_key": key, "events": [event]})).unwrap();
        let seen = violations(&house);
        let of = seen["violations"].as_array().unwrap().iter().find(|one| one["property"] == "initial_ip");
        of.unwrap()["example"].clone()
    };
    assert_eq!(example("203.0.113.77"), Json::Null);
    assert_eq!(example("unknown"), "\"unknown\"");
}

//! App tests: what a setting would do to the people of the newest events, and a flag's variants.

use serde_json::{Value as Json, json};

use crate::house::House;

fn at(flag: &str, more: Json) -> Json {
    let mut input = json!({"flag": flag, "environment": "production"});
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    input
}

/// Thirty people, ten of whom pay; each is seen three times, first without the plan.
fn visited() -> House {
    let house = House::new();
    house.did("flag.create", json!({"flag": "f"}));
    house.did("flag.toggle", json!({"flag": "f", "environment": "production", "on": true, "why": "test"}));
    let key = house.key("client");
    for round in 0..3 {
        let events: Vec<Json> = (0..30)
            .map(|n| {
                let known = match round {
                    1 => json!({"plan": if n < 10 { "pro" } else { "free" }}),
                    _ => json!({}),
                };
                json!({"user_id": format!("user-{n}"), "event_type": "visit", "user_properties": known,
                    "time": house.now.0 + round, "insert_id": format!("{round}-{n}")})
            })
            .collect();
        house.send(&json!({"api_key": key, "events": events})).unwrap();
    }
    house
}

fn pros() -> Json {
    json!([{"name": "pros", "when": [[{"attribute": "plan", "op": "is", "values": ["pro"]}]],
        "serve": {"serve": "variant", "variant": "off"}}])
}

#[test]
fn who_would_move_is_counted() {
    let house = visited();
    let before = house.revision();
    let said = house.did("flag.preview", at("f", json!({"rules": pros()})));
    assert_eq!(
        said,
        json!({"users": 30, "events": 90, "moved": 10,
            "variants": [{"variant": "on", "now": 30, "then": 20}, {"variant": "off", "now": 0, "then": 10}],
            "moves": [{"from": "on", "to": "off", "users": 10}],
            "now_because": [{"variant": "on", "reason": {"because": "static"}, "users": 30}],
            "then_because": [
                {"variant": "on", "reason": {"because": "default"}, "users": 20},
                {"variant": "off", "reason": {"because": "rule", "index": 0}, "users": 10}]})
    );
    assert_eq!(house.revision(), before);
    // It says what saving does.
    let save = json!({"flag": "f", "environment": "production", "rules": pros(), "why": "test"});
    house.did("flag.target", save);
    let saved = house.did("flag.preview", at("f", json!({})));
    assert_eq!((&saved["moved"], &saved["now_because"]), (&json!(0), &said["then_because"]));
    let off = house.did("flag.preview", at("f", json!({"on": false, "limit": 7})));
    assert_eq!((&off["users"], &off["then_because"][0]["reason"]["because"]), (&json!(7), &json!("off")));
    let target = json!({"targets": [{"variant": "on", "ids": ["user-3"]}]});
    assert_eq!(house.did("flag.preview", at("f", target))["moved"], 1);
}

#[test]
fn a_preview_of_nobody_says_so_and_one_that_cannot_be_saved_is_refused() {
    let house = House::new();
    house.did("flag.create", json!({"flag": "f"}));
    let said = house.did("flag.preview", at("f", json!({})));
    assert_eq!((&said["users"], &said["variants"]), (&json!(0), &json!([])));
    let check = |flag: &str, more: Json, expected: &str| {
        assert_eq!(house.refused("flag.preview", at(flag, more)), expected);
    };
    check("g", json!({}), "404 there is no flag `g`\nhint: use `f`");
    check(
        "f",
        json!({"default": {"serve": "variant", "variant": "maybe"}}),
        "400 in environment `production`: flag `f` has no variant `maybe`\nhint: use one of `on`, `off`",
    );
    let staff = json!([{"when": [[{"segment": "staff"}]], "serve": {"serve": "variant", "variant": "on"}}]);
    check(
        "f",
        json!({"rules": staff}),
        "404 there is no segment `staff`\nhint: there is none yet; make one with `segment.save`",
    );
}

#[test]
fn a_flag_says_which_formats_carry_it() {
    let house = House::new();
    house.split_flag("f", 5_000);
    let carried = |format: &str| {
        let seen = house.did("flag.get", json!({"flag": "f"}));
        let all = seen["formats"]["production"].as_array().unwrap().clone();
        (all.into_iter().find(|one| one["format"] == format).unwrap(), seen["left_out"].clone())
    };
    assert_eq!(carried("amplitude"), (json!({"format": "amplitude", "carried": true}), json!({})));
    assert_eq!(carried("flagd").0, json!({"format": "flagd", "carried": true}));
    let office = json!([{"when": [[{"attribute": "ip", "op": "in_network", "values": ["10.0.0.0/8"]}]],
        "serve": {"serve": "variant", "variant": "on"}}]);
    house.did(
        "flag.target",
        json!({"flag": "f", "environment": "production", "rules": office, "why": "test"}),
    );
    let (amplitude, left_out) = carried("amplitude");
    assert_eq!(amplitude["carried"], false);
    assert_eq!(left_out["production"], amplitude["why"]);
    let (flagd, _) = carried("flagd");
    assert!(flagd["carried"] == false && flagd["why"].is_string(), "{flagd}");
}

#[test]
fn variants_are_replaced_but_not_taken_from_whom_they_serve() {
    let house = House::new();
    house.split_flag("f", 5_000);
    let variants = |keys: &[(&str, bool)]| {
        let all: Vec<Json> = keys.iter().map(|(key, value)| json!({"key": key, "value": value})).collect();
        json!({"flag": "f", "variants": all, "why": "test"})
    };
    let seen = house.did("flag.variants", variants(&[("on", true), ("off", false), ("spare", true)]));
    assert_eq!(seen["flag"]["variants"][2]["key"], "spare");
    house.did("flag.variants", variants(&[("on", true), ("off", false)]));
    let before = house.revision();
    let said = house.refused("flag.variants", variants(&[("on", true)]));
    assert!(said.starts_with("400 ") && said.contains("`off`") && said.contains("hint: "), "{said}");
    let said = house.refused(
        "flag.variants",
        json!({"flag": "f", "variants": [{"key": "on", "value": 1}, {"key": "off", "value": 2}], "why": "t"}),
    );
    assert!(said.contains("is not a boolean"), "{said}");
    assert_eq!(house.revision(), before);
}

//! App tests: what can be asked of events once they are stored.

use serde_json::{Value as Json, json};

use crate::house::House;

fn listed(house: &House, event: &Json) -> Json {
    house.did("event.properties", json!({"environment": "production", "event": event}))
}

fn names(listed: &Json) -> Vec<&str> {
    listed["properties"].as_array().unwrap().iter().map(|p| p["property"].as_str().unwrap()).collect()
}

#[test]
fn properties_are_listed_by_the_names_that_questions_take() {
    let house = House::new();
    let secret = house.key("client");
    let events = json!([
        {"event_type": "buy", "user_id": "user-1", "country": "FI", "platform": "web",
            "event_properties": {"price": 5, "item": "hat"}, "user_properties": {"$set": {"plan": "pro"}}},
        {"event_type": "buy", "user_id": "user-2", "country": "SE", "event_properties": {"price": 9.5}},
        {"event_type": "buy", "user_id": "user-3", "country": "FI", "event_properties": {"price": "free"}},
        {"event_type": "visit", "user_id": "user-3", "event_properties": {"page": "/"}},
        {"event_type": "$exposure", "user_id": "user-3", "event_properties": {"flag_key": "f", "variant": "on"}},
    ]);
    house.send(&json!({"api_key": secret, "events": events})).unwrap();
    assert_eq!(house.events().len(), 5);

    let buy = listed(&house, &json!("buy"));
    assert_eq!(buy["looked_at"], 3);
    assert_eq!(buy["seq"], 5);
    assert_eq!(names(&buy), ["price", "user.country", "item", "user.plan", "user.platform"]);
    assert_eq!(
        buy["properties"][0],
        json!({"property": "price", "kinds": ["number", "text"], "count": 3, "distinct": 3, "examples": [
            {"value": "5", "count": 1}, {"value": "9.5", "count": 1}, {"value": "free", "count": 1},
        ]})
    );
    assert_eq!(
        buy["properties"][1]["examples"],
        json!([{"value": "FI", "count": 2}, {"value": "SE", "count": 1}])
    );
    // What is listed answers.
    let ask = |by: &str| {
        let day = "2026-09-21";
        house.did(
            "query.segmentation",
            json!({"environment": "production", "event": "buy", "from": day, "to": day, "by": by}),
        )
    };
    for name in names(&buy) {
        assert_eq!(ask(name)["absent"], json!([]), "{name}");
    }
    assert_eq!(ask("country")["absent"], json!(["country"]), "it is the user's");

    for any in [json!("_any"), Json::Null] {
        let any = listed(&house, &any);
        assert_eq!(any["looked_at"], 4);
        assert!(names(&any).contains(&"page") && !names(&any).contains(&"variant"));
    }
    assert_eq!(names(&listed(&house, &json!("$exposure"))), ["flag_key", "variant"]);
    let none = listed(&house, &json!("never"));
    assert_eq!((none["looked_at"].as_u64(), &none["properties"]), (Some(0), &json!([])));
    let refused = house.refused("event.properties", json!({"environment": "nowhere"}));
    assert!(refused.starts_with("404 there is no environment `nowhere`"), "{refused}");
}

//! App tests: the tracking plan, proposals for it, and what is said of them.

use serde_json::{Value as Json, json};

use crate::house::House;

pub(crate) fn shop_plan() -> Json {
    json!({
        "rules": {"naming": {"events": "title_case", "properties": "snake_case"}},
        "events": {
            "Order Completed": {"description": "Somebody paid.", "owner": "payments", "properties": {
                "total": {"type": "number", "required": true},
                "currency": {"type": "string", "required": true, "values": ["EUR", "USD"]},
                "items": {"type": "list", "items": "integer"},
                "email": {"type": "string", "personal": true},
                "shipped": {"type": "date_time"}}},
            "Page Viewed": {"properties": {"path": {"type": "string", "required": true}}}},
    })
}

fn saved(house: &House, plan: &Json) -> Json {
    house.did("plan.save", json!({"plan": plan, "why": "the plan of the shop"}))
}

#[test]
fn a_plan_comes_back_as_it_was_saved_and_is_changed_as_a_whole() {
    let house = House::new();
    let empty = house.did("plan.get", json!({}));
    assert_eq!((&empty["revision"], &empty["plan"]["events"]), (&json!(0), &json!({})));
    let first = saved(&house, &shop_plan());
    assert_eq!(first["plan"], shop_plan());
    assert_eq!(house.did("plan.get", json!({})), first);
    let mut next = shop_plan();
    next["events"]["order_completed"] = next["events"]["Order Completed"].clone();
    next["events"]["order_completed"]["properties"]["Total"] = json!({"type": "string"});
    next["events"]["order_completed"]["properties"]["total"] = json!({"type": "integer"});
    next["events"]["Page Viewed"]["properties"]["path"]["required"] = json!(false);
    let checked = house.did("plan.check", json!({"plan": next}));
    insta::assert_json_snapshot!(checked);
    assert_eq!(house.did("plan.get", json!({})), first, "a look changes nothing");
    assert_eq!(saved(&house, &next)["warnings"], checked["warnings"]);
    let stale = house
        .refused("plan.save", json!({"plan": shop_plan(), "why": "x", "if_revision": first["revision"]}));
    insta::assert_snapshot!(stale);
    let changes = house.did("change.list", json!({"event": "Page Viewed"}));
    let said: Vec<&str> =
        changes["changes"].as_array().unwrap().iter().map(|c| c["sentence"].as_str().unwrap()).collect();
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn a_proposal_becomes_the_plan_when_somebody_else_approves_it() {
    let house = House::new();
    let mut plan = shop_plan();
    plan["rules"]["review"] = json!(true);
    let base = saved(&house, &plan)["revision"].clone();
    plan["events"]["Page Viewed"]["properties"]["referrer"] = json!({"type": "string", "required": true});
    let refused = house.refused("plan.save", json!({"plan": plan, "why": "x"}));
    assert!(refused.contains("only by proposals"), "{refused}");
    let proposed = house
        .did("plan.propose", json!({"proposal": "referrer", "title": "whence", "plan": plan, "base": base}));
    insta::assert_json_snapshot!(proposed);
    assert_eq!(house.did("plan.proposals", json!({}))["proposals"], json!([proposed]));
    let own = house.refused("plan.approve", json!({"proposal": "referrer", "why": "mine"}));
    assert!(own.contains("did not write it"), "{own}");
    let secret = house.key("admin");
    let other = house.app.key(&secret).unwrap();
    let looked_at = json!({"proposal": "referrer", "why": "good", "if_revision": proposed["revision"]});
    let approved = house.ask_as(&other, "plan.approve", looked_at.clone()).unwrap();
    assert_eq!(
        (&approved["proposal"]["state"]["state"], &approved["differences"]),
        (&json!("approved"), &json!([]))
    );
    assert_eq!(house.did("plan.get", json!({}))["plan"], plan);
    assert!(house.ask_as(&other, "plan.approve", looked_at).is_err(), "once");
    // What others changed meanwhile is not taken back by who proposes from an older plan.
    let mut older = shop_plan();
    older["rules"]["review"] = json!(true);
    older["events"]["Cart Opened"] = json!({});
    let late = house.did("plan.propose", json!({"proposal": "cart", "plan": older, "base": base}));
    let what: Vec<&Json> = late["differences"].as_array().unwrap().iter().map(|d| &d["event"]).collect();
    assert_eq!(what, [&json!("Cart Opened")]);
    let closed = house.did("plan.close", json!({"proposal": "cart", "why": "not now"}));
    assert_eq!(closed["proposal"]["state"]["because"], "not now");
    assert!(house.refused("plan.approve", json!({"proposal": "cart", "why": "x"})).contains("not open"));
}

#[test]
fn rules_for_an_environment_that_there_is_not_are_refused() {
    let house = House::new();
    let plan = json!({"rules": {"environments": {"prodution": {"personal": "drop"}}}});
    for (operation, more) in [
        ("plan.check", json!({})),
        ("plan.save", json!({"why": "test"})),
        ("plan.propose", json!({"proposal": "p", "title": "t", "base": 0})),
    ] {
        let mut asked = more;
        asked["plan"] = plan.clone();
        let said = house.refused(operation, asked);
        assert!(said.contains("there is no environment `prodution`"), "{operation}: {said}");
        assert!(said.contains("did you mean `production`?"), "{operation}: {said}");
    }
}

#[test]
fn what_is_mistyped_in_a_plan_is_named() {
    let house = House::new();
    let said = [
        json!({"events": {"A": {"properties": {"p": {"type": "text"}}}}}),
        json!({"events": {"A": {"propertys": {}}}}),
        json!({"events": {"$pageview": {}}}),
        json!({"events": {"A": {"properties": {"p": {"type": "boolean", "values": [true]}}}}}),
        json!({"rules": {"environments": {"moon": {}}}, "events": {"A": {}}}),
    ]
    .map(|plan| house.refused("plan.save", json!({"plan": plan, "why": "x"})));
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn the_plan_of_the_documentation_is_taken_without_a_warning() {
    let page = include_str!("../../../../docs/concepts/plan.md");
    let (_, rest) = page.split_once("```json\n").unwrap();
    let plan: Json = serde_json::from_str(rest.split_once("```").unwrap().0).unwrap();
    let house = House::new();
    assert_eq!(house.did("plan.check", json!({"plan": plan}))["warnings"], json!([]));
    assert_eq!(saved(&house, &plan)["plan"], plan);
}

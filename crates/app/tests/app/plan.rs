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

/// What a plan that follows another one does to what is stored, a line each.
fn consequences(was: Json, now: Json) -> Vec<String> {
    let house = House::new();
    house.did("plan.save", json!({"plan": was, "why": "test"}));
    let checked = house.did("plan.check", json!({"plan": now}));
    let told: Vec<String> = checked["consequences"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["message"].as_str().unwrap().to_owned())
        .collect();
    assert!(
        checked["consequences"].as_array().unwrap().iter().all(|c| !c["hint"].as_str().unwrap().is_empty())
    );
    // Who saves it is told the same.
    let warned = house.did("plan.save", json!({"plan": now, "why": "test"}))["warnings"].clone();
    let warned: Vec<&str> =
        warned.as_array().unwrap().iter().map(|w| w["message"].as_str().unwrap()).collect();
    assert!(told.iter().all(|one| warned.contains(&one.as_str())), "{warned:?}");
    told
}

#[test]
fn whoever_turns_protection_off_or_drops_values_is_told() {
    let plan = |names: Json, production: Json, email: Json| {
        json!({"rules": {"personal": names, "environments": {"production": production}},
            "events": {"Signed Up": {"properties": {"email": email}}}})
    };
    let (marked, open) = (json!({"type": "string", "personal": true}), json!({"type": "string"}));
    let of = |how: &str| json!({"personal": how});
    let was = |how: &str| plan(json!(["phone"]), of(how), marked.clone());
    let none: [&str; 0] = [];
    // What conceals more is nothing that has to be said.
    assert_eq!(consequences(was("keep"), was("mask")), none);
    assert_eq!(consequences(was("mask"), was("hash")), none);
    assert_eq!(consequences(plan(json!([]), of("mask"), open.clone()), was("mask")), none);
    // A property is not personal any more: by its mark, by its name, or with its event type.
    let both = "in `development`, `production` it is stored as it comes";
    let of_email = format!("`email` of `Signed Up` is not personal any more: {both}");
    let off = plan(json!(["phone"]), of("mask"), open.clone());
    assert_eq!(consequences(was("mask"), off), [of_email.as_str()]);
    let gone = json!({"rules": {"personal": ["phone"], "environments": {"production": of("mask")}}, "events": {"Other": {}}});
    assert_eq!(consequences(was("mask"), gone.clone()), [of_email.as_str()]);
    let named = plan(json!([]), of("hash"), marked.clone());
    assert_eq!(
        consequences(was("hash"), named),
        [format!("`phone` of the rules is not personal any more: {both}")]
    );
    // Where it is kept anyway nothing changes there.
    assert_eq!(
        consequences(was("keep"), plan(json!(["phone"]), of("keep"), open.clone())),
        ["`email` of `Signed Up` is not personal any more: in `development` it is stored as it comes"]
    );
    // The rules name it still, and hold for the event type once it is gone.
    let mut held = gone;
    held["rules"]["personal"] = json!(["email", "phone"]);
    assert_eq!(consequences(was("mask"), held.clone()), none);
    // An event type that plans it otherwise takes it from the rules.
    let mut planned = held.clone();
    planned["events"]["Asked"] = json!({"properties": {"email": {"type": "boolean"}}});
    assert_eq!(consequences(held, planned), [format!("`email` of `Asked` is not personal any more: {both}")]);
    // An environment keeps what it concealed, or drops what it kept in some form.
    for how in ["mask", "hash", "drop"] {
        assert_eq!(
            consequences(was(how), was("keep")),
            ["in `production`, personal values are stored as they come"],
            "{how}"
        );
    }
    for how in ["keep", "mask", "hash"] {
        assert_eq!(
            consequences(was(how), was("drop")),
            ["in `production`, personal values are dropped"],
            "{how}"
        );
    }
    let nobody = |how: &str| plan(json!([]), of(how), open.clone());
    assert_eq!(consequences(nobody("mask"), nobody("keep")), none, "nothing is personal");
    // What becomes personal is gone where values are dropped.
    assert_eq!(
        consequences(nobody("drop"), was("drop")),
        [
            "`email` of `Signed Up` becomes personal: in `production` its values are dropped",
            "`phone` of the rules becomes personal: in `production` its values are dropped",
        ]
    );
    let addresses = |how: &str| plan(json!([]), json!({"addresses": how}), open.clone());
    assert_eq!(
        consequences(addresses("truncate"), addresses("keep")),
        ["in `production`, addresses are stored whole"]
    );
    assert_eq!(
        consequences(addresses("drop"), addresses("keep")),
        ["in `production`, addresses are stored whole"]
    );
    assert_eq!(
        consequences(addresses("keep"), addresses("drop")),
        ["in `production`, addresses are dropped"]
    );
    assert_eq!(consequences(addresses("keep"), addresses("truncate")), none);
    let ids = |how: &str| plan(json!([]), json!({"user_ids": how}), open.clone());
    assert_eq!(
        consequences(ids("hash"), ids("keep")),
        [
            "in `production`, ids of users are stored as they come: whoever was seen before counts as somebody else"
        ]
    );
}

/// Who saves what is there already, such as a job in CI that runs again, is told so, and nothing changes.
#[test]
fn a_plan_that_is_like_that_already_is_saved_and_changes_nothing() {
    let house = House::new();
    let none = saved(&house, &json!({}));
    assert_eq!((&none["unchanged"], &none["revision"]), (&json!(true), &json!(0)));
    let mut plan = shop_plan();
    let first = saved(&house, &plan);
    assert_eq!(first["unchanged"], json!(null));
    let before = house.did("change.list", json!({}))["changes"].as_array().unwrap().len();
    let mut expected = first.clone();
    expected["unchanged"] = json!(true);
    assert_eq!(saved(&house, &plan), expected);
    // An answer that was lost: what was to be saved is saved, whichever revision it was of.
    assert_eq!(house.did("plan.save", json!({"plan": plan, "if_revision": 1})), expected);
    assert_eq!(house.rehearse("plan.save", json!({"plan": plan})).unwrap(), expected);
    assert_eq!(house.did("change.list", json!({}))["changes"].as_array().unwrap().len(), before);
    assert_eq!(house.did("plan.get", json!({})), first);
    // Also where changes need a review: it is none.
    plan["rules"]["review"] = json!(true);
    saved(&house, &plan);
    assert_eq!(saved(&house, &plan)["unchanged"], json!(true));
}

//! App tests: what can be asked of events once they are stored.

use bellwether_app::{Door, Sent};
use serde_json::{Value as Json, json};

use crate::house::{DAY, House};
use crate::quarantine::plan;

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

fn ask(house: &House, more: &Json) -> Json {
    let mut input = json!({"environment": "production", "from": "2026-09-21", "to": "2026-09-21"});
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    house.did("query.segmentation", input)
}

#[test]
fn a_name_that_names_nothing_is_no_believable_zero() {
    let house = House::new();
    let secret = house.key("server");
    let said = |more: Json| ask(&house, &more)["warnings"].clone();
    assert_eq!(
        said(json!({"event": "buy"})),
        json!([{"message": "no event `buy` is stored in `production`", "hint": "no event of any type is stored there"}])
    );
    assert_eq!(said(json!({"event": "_any"})), json!([]), "any event is no name");
    let events = json!([
        {"event_type": "purchase", "user_id": "user-1", "country": "FI", "event_properties": {"plan": "pro"}},
        {"event_type": "visit", "user_id": "user-1"},
    ]);
    house.send(&json!({"api_key": secret, "events": events})).unwrap();
    for measure in ["totals", "uniques"] {
        let mistyped = said(json!({"event": "purhcase", "measure": measure, "by": "plan"}));
        assert_eq!(
            mistyped,
            json!([{"message": "no event `purhcase` is stored in `production`",
                "hint": "did you mean `purchase`? `event.catalogue` shows what there is"}])
        );
    }
    // A zero that is one, and an answer, say nothing.
    let other = json!([{"property": "plan", "op": "is", "values": ["free"]}]);
    assert_eq!(said(json!({"event": "purchase", "filters": other})), json!([]));
    assert_eq!(said(json!({"event": "purchase", "from": "2026-09-01", "to": "2026-09-02"})), json!([]));
    assert_eq!(said(json!({"event": "purchase", "by": "plan"})), json!([]));

    let plam = json!([{"property": "plam", "op": "is", "values": ["pro"]}]);
    assert_eq!(
        said(json!({"event": "purchase", "filters": plam, "by": "country"})),
        json!([
            {"message": "no `purchase` from 2026-09-21 to 2026-09-21 had the property `plam`",
                "hint": "did you mean `plan`? `event.properties` shows what there is"},
            {"message": "no `purchase` from 2026-09-21 to 2026-09-21 had the property `country`",
                "hint": "did you mean `user.country`? `user.` is before the user's properties and not before the event's"},
        ])
    );
    let any = said(json!({"event": "_any", "by": "user.plan"}));
    assert_eq!(any[0]["message"], "no event from 2026-09-21 to 2026-09-21 had the property `user.plan`");
    assert!(any[0]["hint"].as_str().unwrap().starts_with("did you mean `plan`?"), "{any}");
}

/// What evaluating flags records happens to people and is not something that they do.
#[test]
fn being_evaluated_is_no_activity() {
    let house = House::new();
    house.split_flag("f", 5_000);
    for user in 0..20 {
        house.shown("f", &format!("user-{user}"));
        house.assigned("f", &format!("user-{user}"));
    }
    let secret = house.key("server");
    let of = |kind: &str, user: &str| json!({"event_type": kind, "user_id": user});
    let sent = json!([of("visit", "user-1"), of("[Experiment] Exposure", "user-8")]);
    let mut sent = sent.as_array().unwrap().clone();
    sent[1]["event_properties"] = json!({"flag_key": "f", "variant": "on"});
    house.send(&json!({"api_key": secret, "events": sent})).unwrap();
    assert_eq!(house.events().len(), 42);
    for measure in ["totals", "uniques"] {
        let total = |event: &str| {
            ask(&house, &json!({"event": event, "measure": measure}))["series"][0]["total"].clone()
        };
        assert_eq!(total("_any"), 1, "{measure}");
        assert_eq!(total("$assignment"), 20, "{measure}");
    }
}

#[test]
fn health_knows_the_newest_of_before_the_start_and_what_is_dated_ahead() {
    let house = House::new();
    let secret = house.key("client");
    let health = |house: &House| house.did("event.health", json!({"environment": "production"}));
    assert_eq!(health(&house)["received"], Json::Null);
    let now = house.now.0;
    let at = |time: i64| json!({"event_type": "buy", "user_id": "user-1", "time": time});
    let events = [at(now - 5), at(now + 400 * DAY), at(now + 3_600_001)];
    house.send(&json!({"api_key": secret, "events": events})).unwrap();
    let mut house = house.restart();
    let said = health(&house);
    let kind = &said["events"][0];
    assert_eq!((&said["received"], &said["stored"]), (&json!(now), &json!(0)));
    assert_eq!((&kind["count"], &kind["last"], &kind["ahead"]), (&json!(3), &json!(now - 5), &json!(2)));
    house.later(1);
    assert_eq!(health(&house)["events"][0]["last"], json!(now + 3_600_001));
}

/// Where each event of a request has a key of its own.
#[test]
fn health_counts_what_each_environment_had_of_one_request() {
    let house = House::new();
    house.did("plan.save", json!({"plan": plan("quarantine"), "why": "test"}));
    let here = house.key("client");
    let made =
        house.did("key.create", json!({"name": "there", "scope": "client", "environment": "development"}));
    let there = made["secret"].as_str().unwrap();
    let event = |token: &str, name: &str, id: &str| {
        let mut event =
            json!({"event": name, "properties": {"token": token, "distinct_id": "u", "path": "/"}});
        if !id.is_empty() {
            event["properties"]["$insert_id"] = id.into();
        }
        event
    };
    let sent = json!([
        event(&here, "Page Viewed", "1"),
        event(there, "Page Viewed", "1"),
        event(&here, "Odd", "2"),
        event(there, "Odd", "2"),
        event(there, "Page Viewed", ""),
        event(there, "Page Viewed", "1"),
    ])
    .to_string();
    for _ in 0..2 {
        let reply = house.bring(Door::MixpanelTrack, &Sent { body: sent.as_bytes(), ..Sent::default() });
        assert_eq!(reply.status, 200, "{reply:?}");
    }
    let health = |environment: &str| {
        let health = house.did("event.health", json!({"environment": environment}));
        ["stored", "duplicates", "unnamed"].map(|field| health[field].as_u64().unwrap())
    };
    assert_eq!(health("production"), [1, 2, 0]);
    assert_eq!(health("development"), [4, 4, 2]);
}

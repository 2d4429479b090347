//! App tests: what becomes of events that do not follow the tracking plan, by every protocol.

use base64::Engine;
use bellwether_app::{Body, Call, Door, Reply, Sent};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use serde_json::{Value as Json, json};

use crate::forgotten::files_with;
use crate::house::{House, MINUTE};
use crate::plan::shop_plan;

/// A house whose production treats the unplanned and the invalid so, and a key of it.
pub(crate) fn planned(unplanned: &str, extra: &str, invalid: &str) -> (House, String) {
    let house = House::new();
    let mut plan = shop_plan();
    plan["rules"]["environments"] = json!({"production": {
        "unplanned_events": unplanned, "unplanned_properties": extra, "invalid": invalid}});
    house.did("plan.save", json!({"plan": plan, "why": "test"}));
    let key = house.key("client");
    (house, key)
}

pub(crate) fn order(properties: Json) -> Json {
    json!({"event_type": "Order Completed", "user_id": "user-1", "event_properties": properties,
        "library": "amplitude-node-ts/1.5.73"})
}

pub(crate) fn good() -> Json {
    json!({"total": 9.5, "currency": "EUR", "items": [1, 2.0], "shipped": "2026-11-27", "$revenue": 9.5, "email": null})
}

pub(crate) fn violations(house: &House) -> Json {
    house.did("plan.violations", json!({"environment": "production"}))
}

/// The verdict that a stored event is marked with.
pub(crate) fn marks(house: &House) -> Vec<Json> {
    house.events().iter().rev().map(|event| event["properties"]["$verdict"].clone()).collect()
}

#[test]
fn what_is_accepted_is_marked_and_counted() {
    let (house, key) = planned("accept", "accept", "accept");
    let with = |name: &str, value: Json| {
        let mut properties = good();
        properties[name] = value;
        order(properties)
    };
    let events = json!([
        order(good()),
        with("total", json!("9.5")),
        with("currency", json!("SEK")),
        with("items", json!([1, "a"])),
        with("email", json!(7)),
        with("shipped", json!("soon")),
        with("Total", json!("ada@example.com")),
        order(json!({"currency": "EUR"})),
        {"event_type": "order completed", "user_id": "user-1"},
        {"event_type": "[Amplitude] Page Viewed", "user_id": "user-1"},
        {"event_type": "$identify", "user_id": "user-1", "user_properties": {"a": 1}},
    ]);
    let reply = house.send(&json!({"api_key": key, "events": events})).unwrap();
    assert_eq!(reply["events_ingested"], 11);
    let invalid = json!("invalid");
    assert_eq!(
        marks(&house),
        [
            Json::Null,
            invalid.clone(),
            invalid.clone(),
            invalid.clone(),
            invalid.clone(),
            invalid.clone(),
            json!("unplanned_property"),
            invalid,
            json!("unplanned_event"),
            Json::Null,
            Json::Null,
        ]
    );
    let seen = violations(&house);
    insta::assert_json_snapshot!(seen);
    assert!(!seen.to_string().contains("ada@"), "what is not planned may be personal");
}

#[test]
fn each_protocol_says_what_is_rejected_in_its_words() {
    let (house, key) = planned("reject", "accept", "reject");
    let said = |reply: Reply| match reply.body {
        Body::Json(body) => format!("{} {body}", reply.status),
        Body::Text(text) => format!("{} {text}", reply.status),
        Body::Protobuf(_) => panic!("no protobuf was asked for"),
    };
    let basic = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{key}:")));
    let bearer = format!("Bearer {key}");
    let bring = |door, query, authorization, body: Json| {
        let body = body.to_string();
        let sent = Sent {
            query,
            authorization: Some(authorization),
            body: body.as_bytes(),
            content_type: "application/json",
            ..Sent::default()
        };
        said(house.bring(door, &sent))
    };
    let (fine, bad) = (good(), json!({"total": "9", "currency": "EUR"}));
    let mut answers = Vec::new();
    let events = json!([order(fine.clone()), order(bad.clone()), order(json!({"currency": "EUR"})),
        {"event_type": "Checkout", "user_id": "user-1"}]);
    answers.push(bring(Door::AmplitudeHttp, "", "", json!({"api_key": key, "events": events})));
    let message = |event: &str, properties: &Json| {
        json!({"type": "track", "userId": "u", "event": event, "properties": properties,
            "context": {"library": {"name": "analytics-node", "version": "3.1.0"}}})
    };
    let batch = json!({"batch": [message("Order Completed", &fine), message("Order Completed", &bad), message("X", &fine)]});
    answers.push(bring(Door::Segment(None), "", &basic, batch));
    answers.push(bring(Door::Segment(Some(Call::Track)), "", &basic, message("Order Completed", &bad)));
    let event = |uuid: &str, event: &str, properties: &Json| {
        let mut properties = properties.clone();
        properties["$lib"] = json!("posthog-node");
        json!({"uuid": uuid, "event": event, "distinct_id": "u", "properties": properties, "timestamp": "2026-09-21T14:13:20Z"})
    };
    let batch = json!([event("1", "Order Completed", &fine), event("2", "Order Completed", &bad)]);
    answers.push(bring(Door::PostHog, "", "", json!({"api_key": key, "batch": batch})));
    let batch = json!([event("3", "Order Completed", &fine), event("4", "X", &bad)]);
    answers.push(bring(Door::PostHogV1, "", &bearer, json!({"batch": batch})));
    let mixpanel = |id: &str, properties: &Json| {
        let mut properties = properties.clone();
        properties["$insert_id"] = json!(id);
        properties["distinct_id"] = json!("u");
        properties["token"] = json!(key);
        json!({"event": "Order Completed", "properties": properties})
    };
    let list = json!([mixpanel("m1", &fine), mixpanel("m2", &bad)]);
    answers.push(bring(Door::MixpanelImport, "strict=1", &basic, list.clone()));
    answers.push(bring(Door::MixpanelTrack, "verbose=1", "", json!([mixpanel("m3", &bad)])));
    let attribute = |key: &str, value: Json| json!({"key": key, "value": value});
    let record = |name: &str| {
        json!({"eventName": name, "attributes": [attribute("user.id", json!({"stringValue": "u"})),
        attribute("path", json!({"stringValue": "/"}))]})
    };
    let logs = json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [record("Page Viewed"), record("Order Completed")]}]}]});
    answers.push(bring(Door::OtlpLogs, "", &bearer, logs));
    let answers = answers.join("\n").replace(&key, "KEY");
    insta::assert_snapshot!(answers);
    assert_eq!(
        marks(&house),
        vec![Json::Null; 5],
        "the good ones of all but Amplitude, whose 400 stores nothing"
    );
    let by_source: Vec<String> = violations(&house)["violations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| {
            format!("{} {} {} x{} by {}", v["event"], v["property"], v["reason"], v["rejected"], v["source"])
        })
        .collect();
    insta::assert_snapshot!(by_source.join("\n"));
}

#[test]
fn what_is_sent_again_because_others_were_rejected_counts_once() {
    let (house, key) = planned("reject", "accept", "accept");
    let wrong = order(json!({"total": 1}));
    let events = json!([wrong, {"event_type": "X", "user_id": "user-1"}]);
    let (status, _) = house.send(&json!({"api_key": key, "events": events})).unwrap_err();
    assert_eq!(status, 400);
    house.send(&json!({"api_key": key, "events": [wrong]})).unwrap();
    let seen = violations(&house);
    let counts: Vec<_> =
        seen["violations"].as_array().unwrap().iter().map(|v| (&v["event"], &v["count"])).collect();
    assert_eq!(counts.len(), 2);
    assert!(counts.iter().all(|(_, count)| **count == 1), "{counts:?}");
}

#[test]
fn health_counts_events_and_not_what_is_wrong_with_them_nor_copies_nor_other_environments() {
    let (house, key) = planned("accept", "accept", "quarantine");
    let health = |environment: &str| {
        let said = house.did("event.health", json!({"environment": environment}));
        (said["unfollowed"].as_u64().unwrap(), said["quarantined"].as_u64().unwrap())
    };
    let mut wrong = order(json!({"total": "1", "currency": "X"}));
    wrong["insert_id"] = json!("a");
    let unknown = json!({"event_type": "X", "user_id": "user-1", "insert_id": "b"});
    for events in [json!([wrong]), json!([unknown]), json!([wrong, unknown]), json!([order(good())])] {
        house.send(&json!({"api_key": key, "events": events})).unwrap();
    }
    let faults: u64 = violations(&house)["violations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|violation| violation["count"].as_u64().unwrap())
        .sum();
    assert_eq!(faults, 3, "two of one event, and one of the other");
    assert_eq!(health("production"), (2, 1));
    assert_eq!(health("development"), (0, 0));
    // Of a request with copies and new ones, only these count.
    let other = json!({"event_type": "X", "user_id": "user-1", "insert_id": "c"});
    let mut held = wrong.clone();
    held["insert_id"] = json!("d");
    let mixed = json!([unknown, held, order(good()), wrong, other, unknown]);
    house.send(&json!({"api_key": key, "events": mixed})).unwrap();
    assert_eq!(health("production"), (4, 2));
    // A mark that a sender made itself is none, and is not counted for one of ours.
    let mut own = order(good());
    own["event_properties"]["$verdict"] = json!("invalid");
    house.send(&json!({"api_key": key, "events": [own, unknown]})).unwrap();
    assert_eq!(health("production"), (4, 2));
    assert_eq!(marks(&house).last(), Some(&Json::Null));
}

#[test]
fn a_disk_without_room_is_said_to_senders_and_by_health() {
    let house = House::with(1, |settings| settings.store.reserve = u64::MAX);
    let key = house.key("client");
    let refusing = || house.did("event.health", json!({"environment": "production"}))["refusing"].clone();
    assert_eq!(refusing(), Json::Null, "nobody has looked yet");
    house.app.step(house.now).unwrap();
    let why = "the disk is nearly full, so no more events are taken";
    assert_eq!(refusing(), why);
    let (status, body) = house.send(&json!({"api_key": key, "events": [order(good())]})).unwrap_err();
    // No user and no device is blamed.
    assert_eq!((status, &body["error"], &body["throttled_users"]), (429, &json!(why), &json!({})));
    // Nor is a rate named that nobody has passed: 0 is what Amplitude's SDKs take for none, and Java's must have a number.
    assert_eq!(body["eps_threshold"], json!(0), "{body}");
    assert!(!body["error"].as_str().unwrap().contains("users"), "{body}");
    // Nobody makes room in a second.
    let body = json!({"api_key": key, "events": [order(good())]}).to_string();
    let refused = house.bring(Door::AmplitudeHttp, &Sent { body: body.as_bytes(), ..Sent::default() });
    assert_eq!(refused.retry_after, Some(30));
}

#[test]
fn what_is_planned_by_now_is_not_meant_for_itself() {
    let (house, key) = planned("accept", "accept", "accept");
    let hint = || violations(&house)["violations"][0]["hint"].clone();
    house
        .send(&json!({"api_key": key, "events": [{"event_type": "Order Complete", "user_id": "user-1"}]}))
        .unwrap();
    assert_eq!(hint(), "did you mean `Order Completed`?");
    let mut plan = shop_plan();
    plan["events"]["Order Complete"] = json!({});
    house.did("plan.save", json!({"plan": plan, "why": "test"}));
    assert_eq!(hint(), Json::Null);
}

#[test]
fn an_event_is_released_or_deleted_and_never_both() {
    let (house, key) = planned("quarantine", "accept", "accept");
    for round in 0..8 {
        let event = |n: usize| json!({"event_type": "X", "user_id": format!("user-{n}"), "insert_id": round.to_string()});
        house.send(&json!({"api_key": key, "events": (0..500).map(event).collect::<Vec<_>>()})).unwrap();
        let all = json!({"environment": "production", "all": true});
        let (released, deleted) = std::thread::scope(|scope| {
            let release =
                scope.spawn(|| house.did("quarantine.release", all.clone())["stored"].as_u64().unwrap());
            let delete =
                scope.spawn(|| house.did("quarantine.delete", all.clone())["deleted"].as_u64().unwrap());
            (release.join().unwrap(), delete.join().unwrap())
        });
        assert_eq!(released + deleted, 500, "{released} and {deleted}");
    }
}

#[test]
fn what_is_deleted_from_the_quarantine_is_in_no_file() {
    let (house, key) = planned("quarantine", "accept", "accept");
    let mark = "Qx7Vb3LkPj90HgFd6SaMu-Zw8Ry5Tn1xC";
    let event = json!({"event_type": "X", "user_id": "user-1", "event_properties": {"mark": mark}});
    house.send(&json!({"api_key": key, "events": [event]})).unwrap();
    assert!(!files_with(&house, mark).is_empty());
    house.did("quarantine.delete", json!({"environment": "production", "all": true}));
    assert!(files_with(&house, mark).is_empty());
}

#[test]
fn what_became_personal_while_it_was_in_quarantine_is_concealed_when_it_is_released() {
    let (house, key) = planned("quarantine", "accept", "accept");
    let event = json!({"event_type": "Signed Up", "user_id": "user-1", "event_properties": {"phone": "+41 44 668 18 00"}});
    house.send(&json!({"api_key": key, "events": [event]})).unwrap();
    let mut plan = shop_plan();
    plan["events"]["Signed Up"] = json!({"properties": {"phone": {"type": "string", "personal": true}}});
    plan["rules"]["environments"] = json!({"production": {"personal": "mask"}});
    house.did("plan.save", json!({"plan": plan, "why": "test"}));
    house.did("quarantine.release", json!({"environment": "production", "all": true}));
    assert_eq!(house.events()[0]["properties"]["phone"], "***");
}

#[test]
fn what_is_in_quarantine_survives_a_restart_and_is_released_once_or_deleted() {
    let (house, key) = planned("quarantine", "accept", "quarantine");
    let event = |id: &str, properties: Json| {
        let mut event = order(properties);
        event["insert_id"] = json!(id);
        event
    };
    let send = |house: &House, events: &Json| house.send(&json!({"api_key": key, "events": events})).unwrap();
    let missing = json!({"currency": "EUR"});
    let events = json!([event("a", good()), event("b", missing.clone()), event("c", json!({"total": "1", "currency": "X"})),
        {"event_type": "Checkout", "user_id": "user-1"}]);
    assert_eq!(send(&house, &events)["events_ingested"], 4, "its sender is told that all is well");
    send(&house, &events);
    assert_eq!(house.events().len(), 1, "sent again it is the same");
    let list = |house: &House| house.did("quarantine.list", json!({"environment": "production"}));
    let held = list(&house);
    insta::assert_json_snapshot!(held);
    let mut house = house.restart();
    assert_eq!(list(&house), held);
    house.later(MINUTE);
    let which = json!({"environment": "production", "event": "Order Completed"});
    assert_eq!(house.rehearse("quarantine.release", which.clone()).unwrap()["stored"], 2);
    assert_eq!(list(&house), held, "a rehearsal does nothing");
    // The plan has changed meanwhile: what follows it now is not marked.
    let mut plan = shop_plan();
    plan["events"]["Order Completed"]["properties"]["total"] = json!({"type": "number"});
    house.did("plan.save", json!({"plan": plan, "why": "test"}));
    assert_eq!(house.did("quarantine.release", which), json!({"stored": 2, "duplicates": 0}));
    assert_eq!(marks(&house), [Json::Null, Json::Null, json!("invalid")]);
    // Sent once more, by an SDK that was away, it is known.
    let again = json!([event("b", missing)]);
    send(&house, &again);
    assert_eq!(house.events().len(), 3);
    let ids: Vec<Json> =
        list(&house)["events"].as_array().unwrap().iter().map(|event| event["id"].clone()).collect();
    assert_eq!(ids.len(), 2, "two without an id are two");
    let gone = house.did("quarantine.delete", json!({"environment": "production", "ids": [ids[0], 999]}));
    assert_eq!(gone["deleted"], 1);
    assert_eq!(
        house.did("quarantine.release", json!({"environment": "production", "all": true}))["stored"],
        1
    );
    assert_eq!(list(&house)["events"], json!([]));
    let said =
        [json!({}), json!({"ids": [1], "all": true}), json!({"event": "x", "all": true})].map(|mut which| {
            which["environment"] = json!("production");
            house.refused("quarantine.delete", which)
        });
    insta::assert_snapshot!(said[0]);
    assert!(said.iter().all(|refused| *refused == said[0]));
}

#[test]
fn what_is_in_quarantine_is_in_a_backup_and_what_is_released_later_is_there_once() {
    let (house, key) = planned("quarantine", "accept", "quarantine");
    let events = json!([{"event_type": "Checkout", "user_id": "user-1", "insert_id": "a"},
        {"event_type": "Checkout", "user_id": "user-1"}]);
    house.send(&json!({"api_key": key, "events": events})).unwrap();
    let list = |house: &House| house.did("quarantine.list", json!({"environment": "production"}));
    let held = list(&house);
    let backup = house.did("backup.create", json!({}));
    let from = house.dir.path().join("backups").join(backup["backup"].as_str().unwrap());
    let all = json!({"environment": "production", "all": true});
    house.did("quarantine.delete", all.clone());
    let elsewhere = tempfile::tempdir().unwrap();
    let (_, checkup) = bellwether_app::App::restore(&from, elsewhere.path()).unwrap();
    assert!(
        checkup.findings.is_empty() && checkup.facts.contains(&"quarantine: 2 events".to_owned()),
        "{checkup:?}"
    );
    let restored = House::restored(elsewhere, house.now);
    assert_eq!(list(&restored), held);
    assert_eq!(restored.did("quarantine.release", all), json!({"stored": 2, "duplicates": 0}));
    assert_eq!(restored.events().len(), 2);
}

#[test]
fn a_question_is_answered_as_intake_judges_and_stores_nothing() {
    let (house, key) = planned("reject", "reject", "reject");
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let events = prop::collection::vec(any_event(), 200).new_tree(&mut runner).unwrap().current();
    let asked: Vec<Json> = events
        .iter()
        .map(|event| json!({"event": event["event_type"], "properties": event["event_properties"]}))
        .collect();
    let answer = house.did("plan.judge", json!({"events": asked}));
    let wrong: std::collections::BTreeSet<u64> =
        answer["faults"].as_array().unwrap().iter().map(|fault| fault["index"].as_u64().unwrap()).collect();
    assert!(house.events().is_empty() && violations(&house)["violations"] == json!([]));
    for (index, event) in events.iter().enumerate() {
        let taken = house.send(&json!({"api_key": key, "events": [event]})).is_ok();
        assert_eq!(taken, !wrong.contains(&(index as u64)), "{event}");
    }
    let names = json!([{"event": "Order Completed", "properties": ["total", "currency", "$lib"]}, {"event": "Order Completed"},
        {"event": "Order Completed", "properties": ["total", "curency"]}, {"event": "Page viewed", "properties": ["path"]},
        {"event": "$pageview", "properties": ["x"]}]);
    insta::assert_json_snapshot!(house.did("plan.judge", json!({"events": names})));
    let many = vec![json!({"event": "a"}); 5_001];
    insta::assert_snapshot!(house.refused("plan.judge", json!({"events": many})), @"
    400 these are `5001` events, and `5000` are judged at once
    hint: send them in pieces
    ");
}

/// The plan of the shop, asked without any table.
fn naive(event: &str, properties: &serde_json::Map<String, Json>) -> Option<&'static str> {
    if event.starts_with('$') || event.starts_with('[') {
        return None;
    }
    let get = |name: &str| properties.get(name).filter(|value| !value.is_null());
    let (known, right): (&[&str], bool) = match event {
        "Order Completed" => (
            &["total", "currency", "items", "email", "shipped"],
            get("total").is_some_and(Json::is_number)
                && get("currency").is_some_and(|c| c == "EUR" || c == "USD")
                && get("items").is_none_or(|items| {
                    let whole = |item: &Json| item.as_f64().is_some_and(|n| n.fract() == 0.0);
                    items.as_array().is_some_and(|items| items.iter().all(whole))
                })
                && get("email").is_none_or(Json::is_string)
                && get("shipped").is_none_or(|at| at == "2026-11-27" || at == "2026-11-27T10:00:00+01:00"),
        ),
        "Page Viewed" => (&["path"], get("path").is_some_and(Json::is_string)),
        _ => return Some("unplanned_event"),
    };
    let extra = properties.iter().any(|(name, value)| {
        !value.is_null()
            && !known.contains(&name.as_str())
            && !name.starts_with('$')
            && !name.starts_with('[')
    });
    match (right, extra) {
        (false, _) => Some("invalid"),
        (true, true) => Some("unplanned_property"),
        (true, false) => None,
    }
}

fn any_event() -> impl Strategy<Value = Json> {
    let value = prop_oneof![
        3 => Just(json!("EUR")),
        2 => Just(json!(9.5)),
        1 => Just(json!([1, 2.0])),
        1 => Just(json!([1.5])),
        1 => Just(json!("2026-11-27")),
        1 => Just(json!("2026-11-27T10:00:00+01:00")),
        1 => Just(json!(null)),
        1 => Just(json!(true)),
        1 => Just(json!({"a": 1})),
    ];
    let names = prop::sample::select(vec![
        "total", "currency", "items", "email", "shipped", "path", "Path", "$lib", "[A] b",
    ]);
    let properties = prop::collection::btree_map(names, value, 0..6);
    let events = prop::sample::select(vec![
        "Order Completed",
        "Order Completed",
        "Page Viewed",
        "page",
        "$pageview",
        "[A] Page",
    ]);
    (events, properties, any::<bool>()).prop_map(|(event, mut properties, whole)| {
        if whole {
            properties.extend(
                [("total", json!(1)), ("currency", json!("USD")), ("path", json!("/"))]
                    .into_iter()
                    .filter(|(name, _)| (*name == "path") == (event == "Page Viewed")),
            );
        }
        json!({"event_type": event, "user_id": "user-1", "event_properties": properties})
    })
}

#[test]
fn an_event_is_judged_as_the_plan_reads() {
    let (house, key) = planned("accept", "accept", "accept");
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let strategy = prop::collection::vec(any_event(), 400);
    let mut verdicts = std::collections::BTreeSet::new();
    let events = strategy.new_tree(&mut runner).unwrap().current();
    house.send(&json!({"api_key": key, "events": events})).unwrap();
    for (event, mark) in events.iter().zip(marks(&house)) {
        let properties = event["event_properties"].as_object().unwrap();
        let expected = naive(event["event_type"].as_str().unwrap(), properties);
        assert_eq!(mark.as_str(), expected, "{event}");
        verdicts.insert(expected);
    }
    assert_eq!(verdicts.len(), 4);
}

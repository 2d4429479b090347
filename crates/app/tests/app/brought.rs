//! App tests: what SDKs say of an event beside its properties is kept, where its person is found and its ids are concealed.

use bellwether_app::{Call, Door};
use serde_json::{Value as Json, json};

use crate::forgotten::{files_with, settle};
use crate::protocols::Desk;

const JANE: &str = "jane-Qx7vB2kLw9@example.org";
const DEVICE: &str = "Zr4Ty6Un-8pLm2Nb5VcXz";

fn hash_ids(desk: &Desk) {
    let handling = json!({"user_ids": "hash", "device_ids": "hash"});
    let plan = json!({"rules": {"environments": {"production": handling}}, "events": {}});
    desk.house.did("plan.save", json!({"plan": plan, "why": "test"}));
}

fn posthog(desk: &Desk, event: &Json) {
    let answer = desk.json(Door::PostHog, "", &json!({"api_key": "KEY", "batch": [event]}));
    assert_eq!(answer[0], 200, "{answer}");
}

/// As posthog-js tells of a group, in the browser of somebody who signed in.
fn of_a_group(by: &str) -> Json {
    json!({"event": "$groupidentify", "uuid": "g1", "distinct_id": by, "properties": {"$device_id": DEVICE, "$user_id": by,
        "$group_type": "company", "$group_key": "acme", "$group_set": {"tier": "gold"}, "$set": {"seat": "a"}}})
}

#[test]
fn what_a_browser_tells_of_a_group_is_of_who_is_there() {
    let desk = Desk::new();
    posthog(&desk, &of_a_group(JANE));
    // Of no user on a server, where the id is made of the group; and of a visitor.
    posthog(
        &desk,
        &json!({"event": "$groupidentify", "uuid": "g2", "distinct_id": "$company_acme",
        "properties": {"$group_type": "company", "$group_key": "acme", "$group_set": {"tier": "iron"}}}),
    );
    posthog(
        &desk,
        &json!({"event": "$groupidentify", "uuid": "g3", "distinct_id": "visitor", "properties": {
        "$device_id": "visitor", "$group_type": "company", "$group_key": 7, "$group_set": {"tier": "tin"}}}),
    );
    // As posthog-python does without a distinct id.
    posthog(
        &desk,
        &json!({"event": "$groupidentify", "uuid": "g4", "distinct_id": "0190b5c1-7d2e-4f3a-9b8c-1a2b3c4d5e6f",
        "properties": {"$group_type": "company", "$group_key": "acme", "$group_set": {"tier": "zinc"}, "$lib": "posthog-python"}}),
    );
    let who: Vec<Json> =
        desk.stored().into_iter().map(|event| json!([event["who"], event["groups"]])).collect();
    assert_eq!(
        Json::from(who),
        json!([
            [{"both": {"user": JANE, "device": DEVICE}}, {"company": "acme"}],
            [{"device": "$company_acme"}, {"company": "acme"}],
            [{"device": "visitor"}, {"company": "7"}],
            [{"device": "$company_acme"}, {"company": "acme"}],
        ])
    );
    posthog(&desk, &json!({"event": "after", "uuid": "a", "distinct_id": JANE, "properties": {}}));
    assert_eq!(desk.stored().last().unwrap()["user_properties"]["seat"], "a");
    settle(&desk.house);
    desk.house.did("person.forget", json!({"environment": "production", "user": JANE, "confirm": JANE}));
    settle(&desk.house);
    for theirs in [JANE, DEVICE, "gold"] {
        assert_eq!(files_with(&desk.house, theirs), Vec::<String>::new(), "{theirs}");
    }
}

#[test]
fn ids_beside_those_that_are_taken_are_hashed_too() {
    let desk = Desk::new();
    hash_ids(&desk);
    posthog(&desk, &of_a_group(JANE));
    // As mixpanel-browser says who a visitor became, with the device's id beside it or without.
    for own in [json!({"$device_id": DEVICE}), json!({})] {
        let mut properties = json!({"token": "KEY", "distinct_id": JANE, "$anon_distinct_id": format!("$device:{DEVICE}"),
            "before": format!("$device:{DEVICE}")});
        properties.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
        desk.json(Door::MixpanelTrack, "", &json!([{"event": "$identify", "properties": properties}]));
    }
    let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let others = ["pseudo-Lk3Jh9Gf1", "enduser-Mn8Bv2Cx4", "install-Qw7Er5Ty3", "hosts-Pl0Ok9Ij8"];
    let [pseudo, enduser, install, host] = others;
    let record = json!({"eventName": "seen", "attributes": [text("user.id", JANE), text("enduser.id", enduser),
        text("enduser.pseudo.id", pseudo), text("device.id", DEVICE), text("app.installation.id", install)]});
    let logs = json!({"resourceLogs": [{"resource": {"attributes": [text("user.id", host), text("enduser.id", enduser)]},
        "scopeLogs": [{"logRecords": [record]}]}]});
    desk.json(Door::OtlpLogs, "", &logs);
    let stored = desk.stored();
    assert_eq!(stored.len(), 4);
    // All of one person on one device.
    assert!(stored.iter().all(|event| event["who"] == stored[0]["who"]), "{stored:#?}");
    assert!(stored[0]["who"]["both"]["device"].as_str().unwrap().starts_with("hash:"), "{stored:#?}");
    settle(&desk.house);
    for id in [JANE, DEVICE].into_iter().chain(others) {
        assert_eq!(files_with(&desk.house, id), Vec::<String>::new(), "{id}");
    }
}

/// Where something else names the visitor it is a property.
#[test]
fn an_id_of_before_that_is_not_taken_stays() {
    let desk = Desk::new();
    for (before, more) in [(json!("other"), json!({"$anon_id": "d"})), (json!(7), json!({"$device_id": "d"}))]
    {
        let mut properties = json!({"token": "KEY", "distinct_id": "u", "$anon_distinct_id": before});
        properties.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        desk.json(Door::MixpanelTrack, "", &json!([{"event": "$identify", "properties": properties}]));
        let stored = desk.stored();
        let event = stored.last().unwrap();
        assert_eq!(event["properties"]["$anon_distinct_id"], before);
        assert_eq!(event["who"], json!({"both": {"user": "u", "device": "d"}}));
    }
}

#[test]
fn what_is_known_of_a_user_is_taken_from_both_of_its_places() {
    let desk = Desk::new();
    posthog(
        &desk,
        &json!({"event": "signup", "uuid": "1", "distinct_id": "u1",
        "$set": {"both": "outer", "out": 1}, "$set_once": {"$initial_utm_source": "ads"},
        "properties": {"$set": {"both": "inner", "in": 1}, "$set_once": {"first_seen": "2026"}}}),
    );
    assert_eq!(
        desk.stored()[0]["user_properties"],
        json!({"both": "outer", "out": 1, "in": 1, "$initial_utm_source": "ads", "first_seen": "2026"})
    );
}

#[test]
fn what_a_context_says_of_its_user_is_kept() {
    let desk = Desk::new();
    let message = |kind: &str, more: Json| {
        let mut message =
            json!({"type": kind, "userId": "u", "event": "e", "groupId": "acme", "previousId": "p"});
        message.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        message
    };
    let within = json!({"traits": {"email": "a@b.ch"}, "page": {"path": "/own"}, "groupId": "umbrella"});
    let batch = json!({"context": {"page": {"path": "/shared", "title": "t"}, "app": {"version": "7"}, "locale": "nl"},
    "batch": [
        message("track", json!({"context": within})),
        message("identify", json!({"context": within})),
        message("identify", json!({"context": within, "traits": {"plan": "pro"}})),
        message("group", json!({"context": within})),
        message("alias", json!({"context": within})),
        message("track", json!({})),
    ]});
    desk.json(Door::Segment(None), "", &batch);
    desk.json(Door::Segment(Some(Call::Track)), "", &message("track", json!({"context": within})));
    let kept = |event: &Json| {
        json!([
            event["event"],
            event["groups"],
            event["user_changes"],
            event["user_properties"]["app_version"],
            event["properties"]["$context"]
        ])
    };
    insta::assert_json_snapshot!(desk.stored().iter().map(kept).collect::<Vec<_>>());
}

#[test]
fn what_a_context_says_of_its_user_is_as_personal_as_what_is_known_of_them() {
    let desk = Desk::new();
    let plan = json!({"rules": {"personal": ["email"], "environments": {"production": {"personal": "mask"}}}, "events": {}});
    desk.house.did("plan.save", json!({"plan": plan, "why": "test"}));
    let traits = json!({"traits": {"email": "a@b.ch", "plan": "pro"}});
    desk.json(Door::Segment(Some(Call::Track)), "", &json!({"event": "e", "userId": "u", "context": traits}));
    assert_eq!(
        desk.stored()[0]["properties"]["$context"],
        json!({"traits": {"email": "***", "plan": "pro"}})
    );
}

#[test]
fn what_is_told_of_a_person_has_its_time() {
    let desk = Desk::new();
    for (door, whom) in [
        (Door::MixpanelEngage, json!({"$distinct_id": "u"})),
        (Door::MixpanelGroups, json!({"$group_key": "company", "$group_id": "acme"})),
    ] {
        let mut told = json!({"$token": "KEY", "$time": 1_790_000_000, "$set": {"a": 1}});
        told.as_object_mut().unwrap().extend(whom.as_object().unwrap().clone());
        desk.json(door, "verbose=1", &told);
        told["$time"] = "yesterday".into();
        let refused = desk.json(door, "verbose=1", &told);
        assert_eq!(refused[0], 400, "{refused}");
    }
    let times: Vec<Json> = desk.stored().into_iter().map(|event| event["time"].clone()).collect();
    assert_eq!(times, [1_790_000_000_000_i64, 1_790_000_000_000]);
}

#[test]
fn a_form_is_one_wherever_its_data_stands() {
    let desk = Desk::new();
    let event = json!({"api_key": desk.secret, "event": "e", "distinct_id": "u"}).to_string();
    let data = serde_urlencoded::to_string([("data", event)]).unwrap();
    for body in [format!("compression=none&{data}"), format!("{data}&ip=1"), format!("ip=1&{data}&x=2")] {
        let answer = desk.bytes(Door::PostHog, "", "", body.as_bytes());
        assert_eq!(answer[0], 200, "{answer}");
    }
    assert_eq!(desk.stored().len(), 3);
}

/// Programs write such a word where they have no name for an event.
#[test]
fn a_placeholder_is_no_name_by_which_another_event_is_a_copy() {
    let desk = Desk::new();
    for name in ["NaN", "null", "undefined", "None"] {
        desk.json(
            Door::Segment(None),
            "",
            &json!({"batch": [
            {"type": "track", "event": "a", "userId": "u", "messageId": name},
            {"type": "track", "event": "b", "userId": "u", "messageId": name}]}),
        );
    }
    let bare = r#"{"batch": [{"type": "track", "event": "c", "userId": "u", "messageId": NaN}, {"type": "track", "event": "d", "userId": NaN}]}"#;
    let answer = desk.bytes(Door::Segment(None), "", "", bare.as_bytes());
    assert_eq!(answer[1]["rejected"][0]["index"], 1, "{answer}");
    let stored = desk.stored();
    assert_eq!(stored.len(), 9);
    assert!(stored.iter().all(|event| event["insert_id"].is_null()), "{stored:#?}");
}

//! App tests: what tells who somebody is, and what of it gets into the store.

use bellwether_app::{Door, Reply, Sent};
use serde_json::{Value as Json, json};

use crate::house::House;

/// A house whose production does this to personal values and addresses, and a key of it.
fn careful(personal: &str, addresses: &str) -> (House, String) {
    let house = House::new();
    let plan = json!({
        "rules": {"personal": ["email", "$email"],
            "environments": {"production": {"personal": personal, "addresses": addresses, "invalid": "quarantine"}}},
        "events": {"Signed Up": {"properties": {
            "email": {"type": "string", "personal": true, "required": true},
            "age": {"type": "integer", "personal": true},
            "plan": {"type": "string"}}}},
    });
    house.did("plan.save", json!({"plan": plan, "why": "test"}));
    let key = house.key("client");
    (house, key)
}

fn signed_up(email: &str) -> Json {
    json!({"event_type": "Signed Up", "user_id": "user-1", "ip": "$remote", "insert_id": email,
        "event_properties": {"email": email, "age": 36, "plan": "pro"},
        "user_properties": {"$set": {"email": email, "seats": 2}, "$add": {"email": 1}}})
}

fn stored(house: &House) -> Vec<Json> {
    let events = house.events().into_iter().rev();
    events
        .map(|event| json!([event["properties"], event["user_properties"], event["user_changes"]]))
        .collect()
}

#[test]
fn what_is_personal_is_concealed_as_its_environment_says() {
    let mut said = String::new();
    for (personal, addresses) in
        [("keep", "keep"), ("mask", "truncate"), ("hash", "truncate"), ("drop", "drop")]
    {
        let (house, key) = careful(personal, addresses);
        let events =
            json!([signed_up("ada@example.com"), signed_up("bob@example.com"), signed_up("ada@example.com")]);
        house.send(&json!({"api_key": key, "events": events})).unwrap();
        said.push_str(&format!("{personal}, {addresses}\n"));
        stored(&house).iter().for_each(|event| said.push_str(&format!("  {event}\n")));
    }
    insta::assert_snapshot!(said);
}

#[test]
fn an_address_is_made_shorter_wherever_it_is_said_and_what_makers_name_can_be_personal() {
    let house = House::new();
    let plan = json!({"rules": {"personal": ["$context", "email"], "environments": {"production": {"personal": "mask"}}}});
    house.did("plan.save", json!({"plan": plan, "why": "test"}));
    let key = house.key("client");
    let event = json!({"event_type": "Seen", "user_id": "user-1", "ip": "203.0.113.77",
        "user_properties": {"$set": {"ip": "198.51.100.23", "$ip": "no address"}, "$unset": {"ip": "-"}},
        "event_properties": {"$ip": "2001:db8:1:2:3:4:5:6", "source.address": "192.0.2.200", "$context": {"page": "?email=a@b.ch"},
            "$resource": {"email": "a@b.ch", "host": "h"}}});
    house.send(&json!({"api_key": key, "events": [event]})).unwrap();
    insta::assert_snapshot!(stored(&house)[0]);
}

#[test]
fn no_byte_on_disk_tells_what_was_concealed() {
    for personal in ["mask", "hash", "drop"] {
        let (house, key) = careful(personal, "drop");
        // One that follows the plan, one that goes into the quarantine, one of another protocol.
        let mut odd = signed_up("secret-quarantine@example.com");
        odd["event_properties"]["plan"] = json!(7);
        let events = json!([signed_up("secret-stored@example.com"), odd]);
        let mut events = events;
        for event in events.as_array_mut().unwrap() {
            event.as_object_mut().unwrap().remove("insert_id");
        }
        house.send(&json!({"api_key": key, "events": events})).unwrap();
        let body = json!({"api_key": key, "batch": [{"event": "x", "distinct_id": "user-1", "properties": {
            "$set": {"$email": "secret-posthog@example.com"}}}]})
        .to_string();
        let sent = Sent { body: body.as_bytes(), content_type: "application/json", ..Sent::default() };
        assert!(matches!(house.bring(Door::PostHog, &sent), Reply { status: 200, .. }));
        assert_eq!(
            house.did("quarantine.list", json!({"environment": "production"}))["events"]
                .as_array()
                .unwrap()
                .len(),
            1
        );
        let found = walk(house.dir.path(), b"secret-");
        assert!(found.is_empty(), "{personal}: {found:?}");
        // What was kept apart is released as it is, and follows the plan as far as it did.
        let released = house.did("quarantine.release", json!({"environment": "production", "all": true}));
        assert_eq!(released["stored"], 1);
        assert!(walk(house.dir.path(), b"secret-").is_empty());
    }
}

/// The files below a directory in which there are these bytes.
fn walk(dir: &std::path::Path, bytes: &[u8]) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            found.extend(walk(&path, bytes));
        } else if std::fs::read(&path).unwrap().windows(bytes.len()).any(|window| window == bytes) {
            found.push(path);
        }
    }
    found
}

#[test]
fn an_address_is_cut_to_its_network_where_nothing_is_planned() {
    let house = House::new();
    let key = house.key("client");
    for ip in ["$remote", "198.51.100.77", "2001:db8:1:2::3", "not an address"] {
        let event = json!({"event_type": "x", "user_id": "user-1", "ip": ip});
        house.send(&json!({"api_key": key, "events": [event]})).unwrap();
    }
    let kept: Vec<Json> =
        house.events().iter().rev().map(|event| event["user_properties"]["ip"].clone()).collect();
    assert_eq!(json!(kept), json!(["203.0.113.0", "198.51.100.0", "2001:db8:1::", null]));
}

/// One event by each door, with an e-mail address as a property of the event, by types that a plan can name and cannot.
fn with_an_email(house: &House, key: &str, email: &str) {
    let json = |door, authorization: &str, body: Json| {
        let body = body.to_string();
        let sent = Sent {
            authorization: Some(authorization),
            content_type: "application/json",
            body: body.as_bytes(),
            ..Sent::default()
        };
        assert_eq!(house.bring(door, &sent).status, 200);
    };
    let ours =
        |name: &str| json!({"event_type": name, "user_id": "user-1", "event_properties": {"email": email}});
    let events = json!([ours("Signed Up"), ours("Planned"), ours("Unplanned"), ours("[Amplitude] Page Viewed"),
        {"event_type": "[Experiment] Exposure", "user_id": "user-1", "event_properties": {"email": email,
            "[Experiment] Flag Key": "f", "[Experiment] Variant": "on"}}]);
    house.send(&json!({"api_key": key, "events": events})).unwrap();
    let called = |name: &str| {
        json!({"event": name, "distinct_id": "user-1",
            "properties": {"email": email, "$feature_flag": "f", "$feature_flag_response": "on"}})
    };
    let batch = json!([called("$pageview"), called("$feature_flag_called")]);
    json(Door::PostHog, "", json!({"api_key": key, "batch": batch}));
    let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let record = |variant: &str| {
        json!({"eventName": "feature_flag.evaluation", "attributes": [text("feature_flag.key", "f"), text("email", email),
            text("feature_flag.context.id", "user-1"), text("feature_flag.result.variant", variant)]})
    };
    let failed = json!({"eventName": "feature_flag.evaluation", "attributes": [text("feature_flag.key", "f"),
        text("email", email), text("feature_flag.context.id", "user-1")]});
    let logs = json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [record("on"), failed]}]}]});
    json(Door::OtlpLogs, &format!("Bearer {key}"), logs);
}

#[test]
fn a_name_of_the_rules_is_personal_wherever_it_stands_and_is_not_planned_otherwise() {
    const EMAIL: &str = "ada@secret.example";
    let rules = |names: Json| {
        json!({"rules": {"personal": names, "environments": {"production": {"personal": "mask"}}},
            "events": {
                "Signed Up": {"properties": {"email": {"type": "string", "personal": true}}},
                "Planned": {"properties": {"email": {"type": "string"}}}}})
    };
    let house = House::new();
    // Flags and marks are named, too: what is ours stays, or nothing could be joined.
    house.did("plan.save", json!({"plan": rules(json!(["email", "flag_key", "variant", "$bot", "$verdict", "$cut"])), "why": "test"}));
    let key = house.key("client");
    with_an_email(&house, &key, EMAIL);
    let said: Vec<String> = house
        .events()
        .iter()
        .rev()
        .map(|event| format!("{} {}", event["event"].as_str().unwrap(), event["properties"]))
        .collect();
    insta::assert_snapshot!(said.join("\n"), @r#"
    Signed Up {"email":"***"}
    Planned {"email":"ada@secret.example"}
    Unplanned {"$verdict":"unplanned_event","email":"***"}
    [Amplitude] Page Viewed {"email":"***"}
    $exposure {"email":"***","flag_key":"f","variant":"on"}
    $pageview {"$feature_flag":"f","$feature_flag_response":"on","email":"***"}
    $exposure {"email":"***","flag_key":"f","variant":"on"}
    $exposure {"email":"***","flag_key":"f","variant":"on"}
    feature_flag.evaluation {"email":"***","feature_flag.key":"f"}
    "#);
    // Where its type is planned the plan's word counts, and there is none of it elsewhere.
    let report = house.did("personal.report", json!({"environment": "production"}));
    let places = |list: &Json| -> Vec<String> {
        let each = list.as_array().unwrap().iter();
        each.map(|m| {
            format!("{} {} of {}: {} {}", m["of"], m["property"], m["event"], m["stored"], m["plain"])
        })
        .collect()
    };
    assert_eq!(
        places(&report["marked"])[..6],
        [
            r#""event" "email" of "Signed Up": 1 0"#,
            r#""event" "email" of "$exposure": 3 0"#,
            r#""event" "email" of "$pageview": 1 0"#,
            r#""event" "email" of "Unplanned": 1 0"#,
            r#""event" "email" of "[Amplitude] Page Viewed": 1 0"#,
            r#""event" "email" of "feature_flag.evaluation": 1 0"#,
        ]
    );
    let suspects: Vec<&Json> = report["suspects"].as_array().unwrap().iter().map(|s| &s["event"]).collect();
    assert_eq!(suspects, ["Planned"]);
}

#[test]
fn a_name_of_the_rules_is_personal_in_what_an_event_tells_of_its_groups_by_operations() {
    let house = House::new();
    let rules = json!({"personal": ["email"], "environments": {"production": {"personal": "mask"}}});
    house.did("plan.save", json!({"plan": {"rules": rules}, "why": "test"}));
    let key = house.key("client");
    let told = json!({"email": "ada@secret.example", "$set": {"email": "ada@secret.example", "n": 1},
        "office": {"email": "office"}});
    let event = json!({"event_type": "Seen", "user_id": "user-1", "groups": {"company": "acme"}, "group_properties": told});
    house.send(&json!({"api_key": key, "events": [event]})).unwrap();
    assert_eq!(
        house.events()[0]["properties"]["$group_properties"],
        json!({"email": "***", "$set": {"email": "***", "n": 1}, "office": {"email": "office"}})
    );
    let report = house.did("personal.report", json!({"environment": "production"}));
    let marked: Vec<String> = report["marked"].as_array().unwrap().iter().map(Json::to_string).collect();
    assert_eq!(marked.len(), 1, "{marked:?}");
    assert!(marked[0].contains("\"stored\":2"), "{marked:?}");
}

#[test]
fn a_report_says_where_to_name_what_no_plan_can() {
    let house = House::new();
    house.did("plan.save", json!({"plan": {"events": {"Planned": {}}}, "why": "test"}));
    with_an_email(&house, &house.key("client"), "ada@secret.example");
    let report = house.did("personal.report", json!({"environment": "production"}));
    let mut hints: Vec<String> = report["suspects"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| format!("{}: {}", s["event"].as_str().unwrap_or_default(), s["hint"].as_str().unwrap()))
        .collect();
    hints.sort();
    insta::assert_snapshot!(hints.join("\n"), @"
    $exposure: add `email` to what the plan's rules call personal, then it is concealed from now on; or do not send it
    $pageview: add `email` to what the plan's rules call personal, then it is concealed from now on; or do not send it
    Planned: plan `email` of `Planned` as personal, then it is concealed from now on; or do not send it
    Signed Up: plan `email` of `Signed Up` as personal, then it is concealed from now on; or do not send it
    Unplanned: plan `email` of `Unplanned` as personal, then it is concealed from now on; or do not send it
    [Amplitude] Page Viewed: add `email` to what the plan's rules call personal, then it is concealed from now on; or do not send it
    feature_flag.evaluation: add `email` to what the plan's rules call personal, then it is concealed from now on; or do not send it
    ");
}

/// Addresses as proxies, sockets and SDKs write them, and what is kept of each.
const ADDRESSES: [(&str, Option<&str>); 24] = [
    ("203.0.113.77", Some("203.0.113.0")),
    ("::ffff:203.0.113.77", Some("203.0.113.0")),
    ("203.0.113.77:5123", Some("203.0.113.0")),
    (" 203.0.113.77\t", Some("203.0.113.0")),
    ("203.0.113.77/32", Some("203.0.113.0")),
    // Whom a chain of proxies began with.
    ("203.0.113.77, 10.0.0.1", Some("203.0.113.0")),
    ("unknown, 203.0.113.77:80", Some("203.0.113.0")),
    ("2001:db8:1:2::77", Some("2001:db8:1::")),
    ("[2001:db8:1:2::77]:80", Some("2001:db8:1::")),
    ("[2001:db8:1:2::77]", Some("2001:db8:1::")),
    ("2001:db8:1:2::77%eth0", Some("2001:db8:1::")),
    // One of version 4 stands within it.
    ("2002:cb00:714d:1::77", Some("2002:cb00:7100::")),
    // There is one in it, and it cannot be read.
    ("for=203.0.113.77;proto=https", None),
    ("203.0.113.077", None),
    ("for=\"[2001:db8:1:2::77]\"", None),
    ("a203.0.113.77", None),
    ("203.0.113.77ms", None),
    ("203%2E0%2E113%2e77", None),
    ("2001%3Adb8%3A1%3A2%3A%3A77", None),
    // As databases write one.
    (" 3405803853", None),
    ("0xCB00714D", None),
    // There is none.
    ("unknown", Some("unknown")),
    ("/var/run/shop.sock", Some("/var/run/shop.sock")),
    ("proxy-7.shop.example", Some("proxy-7.shop.example")),
];

#[test]
fn an_address_is_cut_however_it_is_written_wherever_it_is_known_to_stand() {
    const OF_EVENTS: [&str; 12] = [
        "ip",
        "$ip",
        "$initial_ip",
        "initial_ip",
        "client.address",
        "client.socket.address",
        "network.peer.address",
        "source.address",
        "http.client_ip",
        "net.peer.ip",
        "net.sock.peer.addr",
        "host.ip",
    ];
    const OF_USERS: [&str; 4] = ["ip", "$ip", "initial_ip", "$initial_ip"];
    for how in ["truncate", "drop"] {
        let (house, key) = careful("keep", how);
        let is_one = |text: &str| text.parse::<std::net::IpAddr>().is_ok();
        for (sent, wanted) in ADDRESSES {
            let all = |names: &[&str], value: Json| -> Json {
                names
                    .iter()
                    .map(|name| ((*name).to_owned(), value.clone()))
                    .collect::<serde_json::Map<_, _>>()
                    .into()
            };
            let mut properties = all(&OF_EVENTS, json!(sent));
            properties["$resource"] = json!({"host.ip": [sent, sent], "host.name": sent});
            let event = json!({"event_type": "Seen", "user_id": "user-1", "event_properties": properties,
                "user_properties": {"$set": all(&OF_USERS, json!(sent)), "$setOnce": {"initial_ip": {"first": sent}}}});
            house.send(&json!({"api_key": key, "events": [event]})).unwrap();
            let stored = &house.events()[0];
            let (wanted, what) = (
                json!(wanted.filter(|text| how == "truncate" || !is_one(text))),
                format!("{how} {sent:?}: {stored}"),
            );
            for name in OF_EVENTS {
                assert_eq!(stored["properties"][name], wanted, "{name} {what}");
            }
            for name in OF_USERS {
                assert_eq!(stored["user_changes"]["$set"][name], wanted, "{name} {what}");
            }
            assert_eq!(stored["user_changes"]["$setOnce"]["initial_ip"]["first"], wanted, "{what}");
            let list = if wanted.is_null() { json!([]) } else { json!([wanted, wanted]) };
            assert_eq!(stored["properties"]["$resource"]["host.ip"], list, "{what}");
            // What is called otherwise is its sender's.
            assert_eq!(stored["properties"]["$resource"]["host.name"], sent);
            // The address of the event is one, or is not there.
            let event = json!({"event_type": "Seen", "user_id": "user-2", "ip": sent});
            house.send(&json!({"api_key": key, "events": [event]})).unwrap();
            let stored = &house.events()[0];
            let own = wanted.as_str().filter(|text| is_one(text));
            assert_eq!(stored["user_properties"]["ip"], json!(own), "{what}");
        }
        // A number may be one, as databases write it, and a name of what is known of each.
        let event = json!({"event_type": "Seen", "user_id": "user-2", "ip": 3_405_803_853_u32,
            "event_properties": {"$ip": 3_405_803_853_u32, "host.ip": true, "client.address": {"203.0.113.77": true, "b": true}}});
        house.send(&json!({"api_key": key, "events": [event]})).unwrap();
        let stored = &house.events()[0];
        let wanted = json!({"$verdict": "unplanned_event", "client.address": {"b": true}, "host.ip": true});
        assert_eq!(stored["properties"], wanted);
        assert_eq!(stored["user_properties"]["ip"], Json::Null);
    }
}

#[test]
fn values_that_are_one_in_a_chart_are_one_when_they_are_hashed() {
    let house = House::new();
    let plan = json!({"rules": {"environments": {"production": {"personal": "hash"}}},
        "events": {"Paid": {"properties": {"code": {"type": "any", "personal": true}}}}});
    house.did("plan.save", json!({"plan": plan, "why": "test"}));
    let key = house.key("client");
    let values = [
        "5",
        "5.0",
        "\"5\"",
        "5e0",
        "\"5.0\"",
        "0",
        "-0.0",
        "0.5",
        "\"0.5\"",
        "5e-1",
        "18446744073709551615",
        "\"18446744073709551615\"",
        "1e300",
        "true",
        "\"true\"",
        "[1]",
        "[1.0]",
        "\"[1]\"",
        "{\"a\":1,\"b\":2}",
        "{\"b\":2,\"a\":1}",
    ];
    let events: Vec<String> = values
        .iter()
        .map(|value| {
            let of = format!(r#"{{"code":{value},"open":{value}}}"#);
            format!(r#"{{"event_type":"Paid","user_id":"user-1","event_properties":{of}}}"#)
        })
        .collect();
    let body = format!(r#"{{"api_key":"{key}","events":[{}]}}"#, events.join(","));
    house.send_bytes(body.as_bytes(), None).unwrap();
    let day = "2026-09-21";
    let groups = |by: &str| -> Vec<u64> {
        let input = json!({"environment": "production", "event": "Paid", "from": day, "to": day, "by": by});
        let answer = house.did("query.segmentation", input);
        let mut sizes: Vec<u64> =
            answer["series"].as_array().unwrap().iter().map(|one| one["total"].as_u64().unwrap()).collect();
        sizes.sort_unstable();
        sizes
    };
    assert_eq!(groups("code"), groups("open"));
    assert!(groups("open").contains(&4) && groups("open").len() < values.len(), "{:?}", groups("open"));
}

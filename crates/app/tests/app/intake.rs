//! App tests: Amplitude's HTTP V2, rule by rule, and what of it is admitted.

use bellwether_app::{Body, Door, Outcome, Reply, Sent};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use crate::house::{House, START};

const NO_ID: &str = "send `user_id` or `device_id` of at least the shortest length";

/// What one event is answered with; `None` if it is taken.
fn judged(house: &House, secret: &str, event: &Json) -> Option<Json> {
    let before = house.events().len();
    let good = json!({"event_type": "good", "user_id": "user-1"});
    let reply = house.send(&json!({"api_key": secret, "events": [good, event]}));
    let stored = house.events().len() - before;
    match reply {
        Ok(reply) => {
            assert_eq!(reply["events_ingested"], 2);
            assert_eq!(stored, 2, "{event}");
            None
        }
        Err((status, body)) => {
            assert_eq!(status, 400, "{body}");
            assert_eq!(stored, 0, "a refused request stores nothing, not even its good events");
            Some(body)
        }
    }
}

#[test]
fn each_field_has_its_rule() {
    let house = House::new();
    let secret = house.key("client");
    let check = |event: Json, expected: Option<(&str, &str)>| {
        let expected = expected.map(|(field, hint)| {
            json!({"code": 400, "error": "Invalid field values on some events",
                "events_with_invalid_fields": {field: [1]}, "hint": format!("`{field}` of event 1: {hint}")})
        });
        assert_eq!(judged(&house, &secret, &event), expected, "{event}");
    };
    let with = |field: &str, value: Json| {
        let mut event = json!({"event_type": "visit", "user_id": "user-1"});
        event[field] = value;
        event
    };
    let placeholder = "this is a placeholder, not an id; leave it out";
    let kind = "send text of 1 to 1024 characters";
    check(with("event_type", json!(7)), Some(("event_type", kind)));
    check(with("event_type", json!("")), Some(("event_type", kind)));
    check(with("event_type", json!("é".repeat(1024))), None);
    check(with("event_type", json!("é".repeat(1025))), Some(("event_type", kind)));
    check(with("user_id", json!(12345)), Some(("user_id", "send text")));
    for nobody in ["", "  ", "anonymous", "NULL", "undefined", "-1", "0", "{}", "lmy47d", "n/a"] {
        check(with("user_id", json!(nobody)), Some(("user_id", placeholder)));
    }
    for zeros in ["00000000-0000-0000-0000-000000000000", "0000000000"] {
        check(with("device_id", json!(zeros)), Some(("device_id", placeholder)));
    }
    check(with("user_id", json!("x".repeat(1025))), Some(("user_id", "send at most 1024 characters")));
    check(with("device_id", json!("dev")), None);
    for time in [json!("2026-09-21T14:13:20Z"), json!(1.5), json!({})] {
        check(with("time", time), Some(("time", "send whole milliseconds since 1970")));
    }
    for time in [-1, 253_402_300_800_000_i64] {
        check(with("time", json!(time)), Some(("time", "send a time from 1970 to the year 9999")));
    }
    check(with("time", json!(0)), None);
    check(with("time", Json::Null), None);
    let once = "send text of at most 1024 characters";
    check(with("insert_id", json!(7)), Some(("insert_id", once)));
    check(with("insert_id", json!("é".repeat(1024))), None);
    check(with("insert_id", json!("é".repeat(1025))), Some(("insert_id", once)));
    let session = "send the session's start in milliseconds, or -1";
    check(with("session_id", json!("soon")), Some(("session_id", session)));
    check(with("session_id", json!(-1)), None);
    for field in ["event_properties", "user_properties", "groups", "group_properties"] {
        check(with(field, json!("x")), Some((field, "send an object")));
        check(with(field, json!({"a": 1})), None);
        let mut deep = json!(1);
        for _ in 0..39 {
            deep = json!({"a": deep});
        }
        check(with(field, json!({"a": deep})), None);
        check(with(field, json!({"a": {"a": deep}})), Some((field, "nest at most 40 levels")));
        let long = json!({"k".repeat(1025): 1});
        check(with(field, long), Some((field, "name properties with at most 1024 characters")));
    }
    for fact in ["country", "platform", "ip", "library"] {
        check(with(fact, json!("x")), None);
        check(with(fact, json!({"a": [1]})), Some((fact, "send text")));
    }
    for amount in ["price", "quantity", "revenue"] {
        check(with(amount, json!(2.5)), None);
        check(with(amount, json!("2.5")), Some((amount, "send a number")));
    }
    check(with("productId", json!(["x"])), Some(("productId", "send text")));
}

#[test]
fn what_is_missing_is_named_and_every_bad_event_is_listed() {
    let house = House::new();
    let secret = house.key("client");
    let events = json!([
        {"event_type": "a", "user_id": "user-1"},
        {"user_id": "user-1"},
        {"event_type": "a", "user_id": "me"},
        {"event_type": "a", "user_id": "user-1", "time": "now"},
        {"event_type": null, "device_id": "device-1"},
        {"event_type": "a"},
    ]);
    let reply = house.send(&json!({"api_key": secret, "events": events})).unwrap_err();
    let expected = json!({
        "code": 400, "error": "Invalid field values on some events",
        "events_with_invalid_fields": {"time": [3]},
        "events_with_missing_fields": {"event_type": [1, 4], "user_id": [2, 5], "device_id": [2, 5]},
        "hint": format!("`event_type` of event 1: say what happened, such as `purchase`; `user_id` of event 2: {NO_ID}; \
            `time` of event 3: send whole milliseconds since 1970; `event_type` of event 4: say what happened, such as \
            `purchase`; `user_id` of event 5: {NO_ID}"),
    });
    assert_eq!(reply, (400, expected));
    let reply = house.send(&json!({"api_key": secret, "events": [{"event_type": "a", "user_id": "me"}]}));
    let expected = json!({
        "code": 400, "error": "Request missing required field",
        "events_with_missing_fields": {"user_id": [0], "device_id": [0]},
        "hint": format!("`user_id` of event 0: {NO_ID}"),
    });
    assert_eq!(reply.unwrap_err(), (400, expected));
    let reply =
        house.send(&json!({"api_key": secret, "events": [{"event_type": "a", "user_id": "user-1"}, 7]}));
    let expected = json!({
        "code": 400, "error": "Invalid event JSON", "events_with_invalid_fields": {"event": [1]},
        "hint": "`event` of event 1: send an object",
    });
    assert_eq!(reply.unwrap_err(), (400, expected));
    assert!(house.events().is_empty());
}

#[test]
fn a_request_as_a_whole_is_answered_in_the_protocols_words() {
    let house = House::new();
    let secret = house.key("client");
    let check = |body: &[u8], encoding: Option<&str>, status: u16, expected: Json| {
        let (was, reply) = house.send_bytes(body, encoding).unwrap_err();
        assert_eq!(was, status);
        let mut reply = reply;
        let hint = reply.as_object_mut().unwrap().remove("hint");
        assert!(hint.is_some_and(|h| h.as_str().is_some_and(|h| !h.is_empty())), "a hint: {reply}");
        assert_eq!(reply, expected, "{}", String::from_utf8_lossy(body));
        assert!(house.events().is_empty());
    };
    let json_error = || json!({"code": 400, "error": "Invalid JSON request body"});
    let missing =
        |f: &str| json!({"code": 400, "error": "Request missing required field", "missing_field": f});
    check(b"", None, 400, json!({"code": 400, "error": "Missing request body"}));
    check(b" \n", None, 400, json!({"code": 400, "error": "Missing request body"}));
    for body in [&b"{"[..], b"[]", b"7", b"\"x\"", b"\xff\xfe{\0}\0", b"{\"api_key\": \"\xff\"}", b"nul"] {
        check(body, None, 400, json_error());
    }
    check(b"{}", Some("gzip"), 400, json_error());
    check(b"\x1f\x8b garbage", None, 400, json_error());
    check(b"{}", Some("br"), 400, json_error());
    check(b"{}", None, 400, missing("api_key"));
    check(b"{\"api_key\": 7}", None, 400, missing("api_key"));
    let unknown = "Invalid API key: there is no such key, or it was revoked";
    let invalid_key = || json!({"code": 400, "error": unknown});
    check(b"{\"api_key\": \"\", \"events\": []}", None, 400, invalid_key());
    check(b"{\"api_key\": \"guess\", \"events\": []}", None, 400, invalid_key());
    let admin = house.key("admin");
    let not_sdk = json!({"code": 400, "error": "Invalid API key: this is for SDKs, and the credential is not an SDK key"});
    check(format!("{{\"api_key\": \"{admin}\"}}").as_bytes(), None, 400, not_sdk);
    for events in ["null", "[]", "7", "\"x\""] {
        let body = format!("{{\"api_key\": \"{secret}\", \"events\": {events}}}");
        check(body.as_bytes(), None, 400, missing("events"));
    }
    let event = r#"{"event_type": "a", "user_id": "user-1"}"#;
    for options in [r#"{"min_id_length": "3"}"#, r#"{"min_id_length": -1}"#, "7"] {
        let body = format!("{{\"api_key\": \"{secret}\", \"events\": [{event}], \"options\": {options}}}");
        check(body.as_bytes(), None, 400, json_error());
    }
    let many = format!("{{\"api_key\": \"{secret}\", \"events\": [{}]}}", vec![event; 2_001].join(","));
    let too_large = || json!({"code": 413, "error": "Payload too large"});
    check(many.as_bytes(), None, 413, too_large());
    let fat = format!("{{\"api_key\": \"{secret}\", \"x\": \"{}\"}}", "x".repeat(1 << 20));
    check(fat.as_bytes(), None, 413, too_large());
}

#[test]
fn why_each_bad_event_is_bad_is_said_and_of_many_how_many_more() {
    let house = House::new();
    let secret = house.key("client");
    let refused = |events: Json| {
        let (status, said) = house.send(&json!({"api_key": secret, "events": events})).unwrap_err();
        assert_eq!(status, 400);
        said
    };
    let events = json!([{"event_type": "a", "user_id": "user-1"}, {"event_type": "a", "user_id": "user-1", "time": "now"},
        {"user_id": "user-1"}, {"event_type": "a", "user_id": "none", "session_id": "x"}, 7]);
    let said = refused(events);
    assert_eq!(said["error"], "Invalid event JSON");
    assert_eq!(
        said["events_with_invalid_fields"],
        json!({"time": [1], "session_id": [3], "user_id": [3], "event": [4]})
    );
    assert_eq!(said["events_with_missing_fields"], json!({"event_type": [2]}));
    insta::assert_snapshot!(said["hint"].as_str().unwrap(), @"`time` of event 1: send whole milliseconds since 1970; `event_type` of event 2: say what happened, such as `purchase`; `user_id` of event 3: this is a placeholder, not an id; leave it out; `session_id` of event 3: send the session's start in milliseconds, or -1; `event` of event 4: send an object");
    let many = vec![json!({"event_type": "a", "user_id": "user-1", "time": "now"}); 2_000];
    let said = refused(json!(many));
    assert_eq!(said["events_with_invalid_fields"]["time"].as_array().unwrap().len(), 2_000);
    let hint = said["hint"].as_str().unwrap();
    assert!(hint.contains("`time` of event 19: ") && hint.ends_with("; 1980 more events are bad"), "{hint}");
    assert!(hint.len() < 4_000, "{}", hint.len());
}

#[test]
fn the_shortest_id_is_the_senders_to_say() {
    let house = House::new();
    let secret = house.key("client");
    let events = json!([{"event_type": "a", "user_id": "me"}]);
    let body = |options: Json| json!({"api_key": secret, "events": events, "options": options});
    assert!(house.send(&body(json!({}))).is_err());
    assert!(house.send(&body(json!({"min_id_length": 3}))).is_err());
    assert!(house.send(&body(json!({"min_id_length": null}))).is_err());
    assert!(house.send(&body(json!({"min_id_length": 2}))).is_ok());
    assert!(house.send(&body(json!({"min_id_length": 0}))).is_ok());
}

#[test]
fn an_event_is_admitted_as_it_is_written() {
    let house = House::new();
    let secret = house.key("client");
    let now = START.0;
    let check = |raw: Json, expected: Json| {
        let reply = house.send(&json!({"api_key": secret, "events": [raw]})).unwrap();
        assert_eq!((&reply["code"], &reply["events_ingested"]), (&json!(200), &json!(1)));
        assert_eq!(reply["server_upload_time"], now);
        let newest = house.events().into_iter().next().unwrap();
        assert_eq!(newest, expected);
    };
    check(
        json!({"event_type": "visit", "user_id": "user-1", "device_id": "d1", "insert_id": "i1", "time": 5,
            "session_id": 9, "event_properties": {"a": null, "b": [1, "x"]}, "ip": "$remote", "platform": "Web"}),
        json!({"environment": "production", "event": "visit", "who": {"user": "user-1"}, "time": 5, "received": now,
            "insert_id": "i1", "session": 9, "properties": {"b": [1, "x"]},
            "user_properties": {"ip": "203.0.113.0", "platform": "Web"}}),
    );
    check(
        json!({"event_type": "$exposure", "device_id": "device-1",
            "event_properties": {"flag_key": "f", "variant": "on"}}),
        json!({"environment": "production", "event": "$exposure", "who": {"device": "device-1"}, "time": now,
            "received": now, "properties": {"flag_key": "f", "variant": "on"}}),
    );
    check(
        json!({"event_type": "[Experiment] Exposure", "user_id": "user-1", "event_properties": {
            "[Experiment] Flag Key": "f", "[Experiment] Variant": "on", "metadata": {"x": 1}},
            "user_properties": {"$set": {"[Experiment] f": "on"}, "$unset": {}}}),
        json!({"environment": "production", "event": "$exposure", "who": {"user": "user-1"}, "time": now,
            "received": now, "properties": {"flag_key": "f", "variant": "on", "metadata": {"x": 1}},
            "user_properties": {"[Experiment] f": "on"},
            "user_changes": {"$set": {"[Experiment] f": "on"}, "$unset": {}}}),
    );
    let seven: Vec<_> = (0..7).map(|i| format!("g{i}")).collect();
    check(
        json!({"event_type": "visit", "user_id": "user-2",
            "groups": {"a": seven, "b": seven, "c": "x"}}),
        json!({"environment": "production", "event": "visit", "who": {"user": "user-2"}, "time": now,
            "received": now, "groups": {"a": seven, "b": seven[..3]}}),
    );
    let revenue = |sent: Json, amount: f64| {
        let mut raw = json!({"event_type": "buy", "user_id": "user-1"});
        raw.as_object_mut().unwrap().extend(sent.as_object().unwrap().clone());
        house.send(&json!({"api_key": secret, "events": [raw]})).unwrap();
        assert_eq!(house.events()[0]["properties"]["$revenue"], amount, "{sent}");
    };
    revenue(json!({"price": 2.5, "quantity": 2, "revenue": 9.0}), 5.0);
    revenue(json!({"price": 2.5}), 2.5);
    revenue(json!({"price": 2.5, "quantity": 3}), 7.5);
    revenue(json!({"price": 2.5, "revenue": 9.0}), 9.0);
    revenue(json!({"revenue": -9.0}), -9.0);
    revenue(json!({"event_properties": {"$price": 2.0, "$quantity": 3}}), 6.0);
    revenue(json!({"event_properties": {"$price": 2.0, "$revenue": 1.0}}), 1.0);
}

#[test]
fn the_same_event_twice_is_one() {
    let house = House::new();
    let secret = house.key("client");
    let event = json!({"event_type": "a", "user_id": "user-1", "insert_id": "i1"});
    for _ in 0..2 {
        let reply = house.send(&json!({"api_key": secret, "events": [event, event]})).unwrap();
        assert_eq!(reply["events_ingested"], 2);
    }
    assert_eq!(house.events().len(), 1);
}

fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        ".{0,12}".prop_map(Json::from),
        prop_oneof![Just("user-1"), Just("visit"), Just("$remote"), Just("anonymous")].prop_map(Json::from),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Json::from),
            proptest::collection::hash_map(".{0,8}", inner, 0..6)
                .prop_map(|m| Json::Object(m.into_iter().collect())),
        ]
    })
}

/// An event whose fields are of any type at all.
fn any_event() -> impl Strategy<Value = Json> {
    let fields = [
        "event_type",
        "user_id",
        "device_id",
        "time",
        "insert_id",
        "session_id",
        "event_properties",
        "user_properties",
        "groups",
        "group_properties",
        "price",
        "quantity",
        "revenue",
        "ip",
        "country",
    ];
    let field = (0..fields.len(), any_json()).prop_map(move |(i, value)| (fields[i].to_owned(), value));
    proptest::collection::vec(field, 0..10).prop_map(|fields| {
        let mut event = json!({"event_type": "visit", "user_id": "user-1"});
        event.as_object_mut().unwrap().extend(fields);
        event
    })
}

/// Hands in a body of Amplitude's batch protocol.
fn batch(house: &House, body: &[u8]) -> Outcome {
    house.app.take(Door::AmplitudeBatch, &Sent { body, ..Sent::default() }, house.now)
}

/// A body whose values are only read, with so many commas between them, and a fault at its end.
fn long(key: &str, commas: usize, end: &str) -> Vec<u8> {
    let values = vec!["0"; commas].join(",");
    format!(
        r#"{{"api_key": {key}, "events": [{{"event_type": "a", "user_id": "user-1",
        "event_properties": {{"p": [{values}]}}}}]{end}"#
    )
    .into_bytes()
}

#[test]
fn the_key_is_looked_at_before_a_body_is_kept() {
    let house = House::new();
    let (secret, admin) = (json!(house.key("client")).to_string(), json!(house.key("admin")).to_string());
    let ask = |body: &[u8]| match batch(&house, body) {
        Outcome::Answered(Reply { body: Body::Json(body), .. }) => body,
        taken => panic!("{taken:?}"),
    };
    // More values than are taken: whoever has a key is told that, whoever has none is told that.
    let many = 400_010;
    assert_eq!(ask(&long(&secret, many, "}"))["code"], 413);
    for key in [r#""guess""#, &admin] {
        let body = ask(&long(key, many, "}"));
        assert!(body["error"].as_str().unwrap().starts_with("Invalid API key: "), "{body}");
    }
    for none in ["7", "null", "[\"x\"]", r#"{"api_key": "x"}"#] {
        let body = ask(&long(none, many, "}"));
        assert_eq!((&body["missing_field"], &body["code"]), (&json!("api_key"), &json!(400)), "{none}");
    }
    // Only the key of the body itself is one, and of two the last, as it is where the body is kept.
    let inner = format!(r#"{{"events": [{{"api_key": {secret}}}], "options": {{"api_key": {secret}}}}}"#);
    assert_eq!(ask(inner.as_bytes())["missing_field"], "api_key");
    let twice =
        |first: &str, then: &str| format!(r#"{{"api_key": {first}, "api_key": {then}, "events": []}}"#);
    assert_eq!(ask(twice("\"guess\"", &secret).as_bytes())["missing_field"], "events");
    assert!(ask(twice(&secret, "\"guess\"").as_bytes())["error"].as_str().unwrap().contains("API key"));
    // A key may be written as JSON allows it.
    let escaped = secret.replacen('b', "\\u0062", 1);
    let body = format!(r#"{{"api_key": {escaped}, "events": []}}"#);
    assert_eq!(ask(body.as_bytes())["missing_field"], "events", "{body}");
    // What is no JSON is none, whoever sends it.
    assert_eq!(ask(&long(&secret, 10, ""))["error"], "Invalid JSON request body");
    for no_object in ["[]", "7", "\"text\"", "null", "true", "-0.5"] {
        assert_eq!(ask(no_object.as_bytes())["hint"], "the body is an object with `api_key` and `events`");
    }
    assert!(!house.app.waiting());
}

#[test]
fn as_many_values_as_are_taken_are_counted_outside_of_texts() {
    let house = House::new();
    let secret = house.key("client");
    let status = |body: &[u8]| match batch(&house, body) {
        Outcome::Answered(reply) => {
            assert!(format!("{reply:?}").contains("the body has more than `400000` values"), "{reply:?}");
            reply.status
        }
        Outcome::Waiting { .. } => 200,
    };
    // Four more commas are around the list.
    let key = json!(secret).to_string();
    let around = long(&key, 1, "}").iter().filter(|b| **b == b',').count();
    assert_eq!(status(&long(&key, 400_001 - around, "}")), 200);
    assert_eq!(status(&long(&key, 400_002 - around, "}")), 413);
    let text = format!(r#"\"{}\\"#, ",".repeat(500_000));
    let event = json!({"event_type": "a", "user_id": "user-1", "event_properties": {"p": text, ",\",": 1}});
    assert_eq!(status(json!({"api_key": secret, "events": [event]}).to_string().as_bytes()), 200);
}

#[test]
fn whatever_is_sent_is_answered_and_what_is_refused_stores_nothing() {
    let house = House::new();
    let secret = house.key("client");
    let mut stored = 0;
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(300));
    let bodies = prop_oneof![
        any_json(),
        proptest::collection::vec(any_event(), 1..4)
            .prop_map(move |events| json!({"api_key": secret, "events": events})),
    ];
    let stored = std::cell::RefCell::new(&mut stored);
    runner
        .run(&bodies, |body| {
            let seen = **stored.borrow();
            let bytes = serde_json::to_vec(&body).unwrap();
            match batch(&house, &bytes) {
                Outcome::Waiting { waiting, reply: Reply { body: Body::Json(reply), .. } } => {
                    let count = reply["events_ingested"].as_u64().unwrap();
                    prop_assert!(waiting.taken().stored + waiting.taken().duplicates == count);
                    **stored.borrow_mut() = seen + waiting.taken().stored;
                    house.app.commit().unwrap();
                }
                Outcome::Answered(Reply { status, body: Body::Json(body), .. }) => {
                    prop_assert_eq!(status, 400, "{}", body);
                    prop_assert_eq!(&body["code"], 400);
                    prop_assert!(body["error"].is_string());
                    prop_assert!(!house.app.waiting());
                }
                other => panic!("{other:?}"),
            }
            let now = house.ask("system.status", json!({})).unwrap()["events"].as_u64().unwrap();
            prop_assert_eq!(now, **stored.borrow());
            Ok(())
        })
        .unwrap();
    assert!(**stored.borrow() > 0, "some are taken");
}

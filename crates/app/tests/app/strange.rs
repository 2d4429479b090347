//! App tests: what is strange, at every door: what becomes of it, and that what cannot be taken is answered and
//! stores nothing.

use bellwether_app::{Body, Call, Door, Sent};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use crate::captures::{gzip, shown};
use crate::forgotten::settle;
use crate::house::House;
use crate::protocols::Desk;

/// An event of each protocol's own form, with these properties.
fn event_of(door: Door, secret: &str, properties: &str) -> String {
    static NEW: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(1);
    let new = format!("event {}", NEW.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
    let user = r#""user-1""#;
    match door {
        Door::Segment(_) => format!(
            r#"{{"batch": [{{"type": "track", "event": "a", "userId": {user}, "properties": {properties}}}]}}"#
        ),
        Door::PostHog => format!(
            r#"{{"api_key": "{secret}", "batch": [{{"event": "a", "distinct_id": {user}, "properties": {properties}}}]}}"#
        ),
        Door::PostHogV1 => format!(
            r#"{{"batch": [{{"event": "a", "uuid": "{new}", "distinct_id": {user}, "properties": {properties}}}]}}"#
        ),
        // Its ids are properties, too.
        Door::MixpanelImport => {
            let properties = match properties.strip_prefix('{') {
                Some("}") => format!(r#"{{"distinct_id": {user}}}"#),
                Some(rest) => format!(r#"{{"distinct_id": {user}, {rest}"#),
                None => properties.to_owned(),
            };
            format!(r#"[{{"event": "a", "properties": {properties}}}]"#)
        }
        _ => format!(
            r#"{{"api_key": "{secret}", "events": [{{"event_type": "a", "user_id": {user}, "event_properties": {properties}}}]}}"#
        ),
    }
}

const JSON_DOORS: [Door; 5] =
    [Door::AmplitudeBatch, Door::Segment(None), Door::PostHog, Door::PostHogV1, Door::MixpanelImport];

/// Each row: what is sent as properties, the status of each of [`JSON_DOORS`], and whether it is stored.
#[test]
fn what_is_strange_has_the_same_end_at_every_door() {
    let desk = Desk::new();
    let mut count = 0;
    let mut check = |name: &str, properties: &str, statuses: [u16; 5], kept: Option<&Json>| {
        for (door, status) in JSON_DOORS.into_iter().zip(statuses) {
            let body = event_of(door, &desk.secret, properties);
            let reply = desk.reply(door, "strict=1", "application/json", body.as_bytes());
            assert_eq!(reply.status, status, "{name} at {door:?}: {reply:?}");
            count += usize::from(kept.is_some());
            let stored = desk.stored();
            assert_eq!(stored.len(), count, "{name} at {door:?}: {reply:?}");
            for (name, value) in kept.and_then(Json::as_object).into_iter().flatten() {
                assert!(stored[count - 1]["properties"][name] == *value, "{name} at {door:?}");
            }
        }
    };
    // What is wrong with the whole is a 400; what is wrong with one event is said of that event.
    let (all, whole, one) = ([200; 5], [400; 5], [400, 400, 400, 200, 400]);
    check(
        "what is no number, as Python writes it",
        r#"{"x": NaN, "y": [Infinity, {"z": -Infinity}], "w": "NaN"}"#,
        all,
        Some(&json!({"x": "NaN", "y": ["Infinity", {"z": "-Infinity"}], "w": "NaN"})),
    );
    check("a number beyond all", r#"{"x": 1e999}"#, whole, None);
    check("nesting of 39", &format!("{}1{}", r#"{"a":"#.repeat(39), "}".repeat(39)), all, Some(&json!({})));
    check("nesting of 100", &format!("{}1{}", r#"{"a":"#.repeat(100), "}".repeat(100)), one, None);
    check("nesting of 500", &format!("{}1{}", r#"{"a":"#.repeat(500), "}".repeat(500)), whole, None);
    check("one name twice: the later counts", r#"{"x": 1, "x": 2}"#, all, Some(&json!({"x": 2})));
    check("null is missing", r#"{"x": null, "y": 1}"#, all, Some(&json!({"y": 1})));
    check(
        "a whole number beyond 64 bits is the nearest double",
        r#"{"x": 18446744073709551616, "y": 18446744073709551615, "z": -9223372036854775808}"#,
        all,
        Some(&json!({"x": 18_446_744_073_709_551_616_f64, "y": u64::MAX, "z": i64::MIN})),
    );
    check("no object", "7", one, None);
    let many: Vec<String> = (0..10_000).map(|i| format!(r#""p{i}": {i}"#)).collect();
    check(
        "10,000 properties",
        &format!("{{{}}}", many.join(",")),
        all,
        Some(&json!({"p0": 0, "p9999": 9999})),
    );
    let long = "é".repeat(500_000);
    let cut = "é".repeat(1024);
    check(
        "1 MB of text is cut",
        &format!(r#"{{"x": "{long}", "y": 1}}"#),
        all,
        Some(&json!({"x": cut, "y": 1})),
    );
    check("half a character", r#"{"x": "a\ud83d"}"#, all, Some(&json!({"x": "a\u{fffd}"})));
    check("a name of 1,025 characters", &format!(r#"{{"{}": 1}}"#, "k".repeat(1025)), one, None);
}

#[test]
fn what_was_cut_is_named() {
    let desk = Desk::new();
    let long = "x".repeat(1_025);
    let event = json!({"event_type": "a", "user_id": "user-1", "event_properties": {"l": [long], "s": "ok", "$cut": ["s"]},
        "user_properties": {"$set": {"u": long}}, "groups": {"g": long}, "country": long});
    desk.house.send(&json!({"api_key": desk.secret, "events": [event]})).unwrap();
    let stored = desk.stored();
    assert_eq!(stored[0]["properties"]["$cut"], json!(["group.g", "l", "user.country", "user.u"]));
    assert_eq!(stored[0]["user_properties"]["u"].as_str().unwrap().len(), 1_024);
    let none = json!({"event_type": "b", "user_id": "user-1", "event_properties": {"$cut": ["s"]}});
    desk.house.send(&json!({"api_key": desk.secret, "events": [none]})).unwrap();
    let stored = desk.stored();
    assert!(stored.iter().find(|event| event["event"] == "b").unwrap()["properties"].is_null());
}

/// Bytes that are no request at all, at every door.
#[test]
fn what_is_no_request_is_answered_and_stores_nothing() {
    let desk = Desk::new();
    let bomb = gzip(&vec![b' '; 64 << 20]);
    assert!(bomb.len() < 1 << 20);
    for door in Door::ALL {
        let check = |name: &str, body: &[u8], statuses: &[u16]| {
            let reply = desk.reply(door, "", "application/json", body);
            assert!(statuses.contains(&reply.status), "{name} at {door:?}: {reply:?}");
            assert!(desk.stored().is_empty(), "{name} at {door:?}");
        };
        check("a bomb", &bomb, &[413, 400]);
        check("half of gzip", &bomb[..500], &[400]);
        check("an empty body", b"", &[400, 401]);
        check("an array of arrays", b"[[[]]]", &[400, 401]);
        check("a text", b"\"x\"", &[400, 401]);
        check("a number", b"7", &[400, 401]);
    }
    // An encoding that is not what it says.
    for door in JSON_DOORS {
        let body = event_of(door, &desk.secret, "{}");
        for encoding in ["gzip", "zstd", "deflate", "br", "x"] {
            let bearer = format!("Bearer {}", desk.secret);
            let sent = Sent {
                encoding: Some(encoding),
                authorization: Some(&bearer),
                body: body.as_bytes(),
                ..Sent::default()
            };
            assert_eq!(desk.house.bring(door, &sent).status, 400, "{encoding} at {door:?}");
        }
    }
    assert!(desk.stored().is_empty());
}

/// A body with other bytes where it has `MARK`, in a value.
fn marked(body: &[u8], with: &[u8]) -> Vec<u8> {
    let at = body.windows(4).position(|four| four == b"MARK").unwrap();
    [&body[..at], with, &body[at + 4..]].concat()
}

/// Another id would be made of each of them, and of two such ids one.
#[test]
fn a_value_that_is_not_utf8_is_refused_at_every_door_and_in_every_form() {
    let desk = Desk::new();
    let check = |door: Door, query: &str, kind: &str, body: &[u8], status: u16| {
        let before = desk.stored().len();
        let reply = desk.reply(door, query, kind, body);
        let what = format!("{door:?} `{query}` {kind} {}: {reply:?}", body.escape_ascii());
        assert_eq!(reply.status, status, "{what}");
        assert!(status == 200 || desk.stored().len() == before, "{what}");
    };
    const FORM: &str = "application/x-www-form-urlencoded";
    for door in Door::ALL {
        let body = good(door, &desk.secret);
        let (json, form) = match String::from_utf8(body.clone()) {
            Ok(form) if form.starts_with("api_key") => (None, Some(form)),
            Ok(json) => {
                let forms = matches!(
                    door,
                    Door::PostHog
                        | Door::MixpanelTrack
                        | Door::MixpanelEngage
                        | Door::MixpanelGroups
                        | Door::MixpanelImport
                );
                let form = forms.then(|| serde_urlencoded::to_string([("data", &json)]).unwrap());
                (Some(json), form)
            }
            Err(e) => panic!("{e}"),
        };
        if let Some(json) = json {
            check(door, "", "application/json", &marked(json.as_bytes(), "\u{e9}".as_bytes()), 200);
            for bad in [&b"\xff"[..], b"M\xfcller", b"\xed\xa0\xbd", b"\xc3"] {
                check(door, "", "application/json", &marked(json.as_bytes(), bad), 400);
            }
        }
        if let Some(form) = form {
            for (put, status) in [("%C3%A9", 200), ("%FF", 400), ("M%fcller", 400), ("%C3", 400)] {
                let form = marked(form.as_bytes(), put.as_bytes());
                check(door, "", FORM, &form, status);
                check(door, std::str::from_utf8(&form).unwrap(), "", b"", status);
            }
            check(door, "", FORM, &marked(form.as_bytes(), b"M\xfcller"), 400);
        }
    }
}

#[test]
fn what_otlp_says_of_another_kind_is_kept_and_late_evaluations_are_of_their_day() {
    let desk = Desk::new();
    let send = |records: Json| {
        let body = json!({"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]}).to_string();
        let reply = desk.reply(Door::OtlpLogs, "", "application/json", body.as_bytes());
        assert_eq!((reply.status, reply.body), (200, Body::Json(json!({}))));
    };
    let nanos = |day: i64| (1_790_000_000_000_i64 + day * 86_400_000).to_string() + "000000";
    let values = json!([
        {"key": "user.id", "value": {"stringValue": "user-1"}},
        {"key": "large", "value": {"intValue": "18446744073709551616"}},
        {"key": "word", "value": {"intValue": "abc"}},
        {"key": "truth", "value": {"boolValue": "true"}},
        {"key": "five", "value": {"stringValue": 5}},
        {"key": "new", "value": {"newValue": {"a": 1}}},
        {"key": "list", "value": {"arrayValue": {"values": [{"intValue": "1"}, {"intValue": "9223372036854775808"}]}}},
    ]);
    send(json!([{"timeUnixNano": nanos(0), "eventName": "Logged", "attributes": values}]));
    assert_eq!(
        desk.stored()[0]["properties"],
        json!({"large": 18_446_744_073_709_551_616_f64, "word": "abc", "truth": "true", "five": 5.0, "new": "{\"a\":1}",
            "list": [1, 9_223_372_036_854_775_808_f64]})
    );
    let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let seen = |day: i64| {
        json!({"timeUnixNano": nanos(day), "eventName": "feature_flag.evaluation", "attributes": [
        text("feature_flag.key", "f"), text("feature_flag.result.variant", "on"), text("feature_flag.context.id", "user-1")]})
    };
    send(json!([seen(9)]));
    send(Json::from((0..9).map(seen).chain([seen(9)]).collect::<Vec<_>>()));
    let exposures = desk.stored().iter().filter(|event| event["event"] == "$exposure").count();
    assert_eq!(exposures, 10, "one of each day");
}

#[test]
fn whole_numbers_of_64_bits_are_told_apart_by_questions() {
    let house = House::new();
    let key = house.key("client");
    let event =
        |id: u64| json!({"event_type": "Ordered", "user_id": "user-1", "event_properties": {"order_id": id}});
    let (one, other) = (9_007_199_254_740_992, 9_007_199_254_740_993);
    house
        .send(&json!({"api_key": key, "events": [event(one), event(other), event(other), event(u64::MAX)]}))
        .unwrap();
    let ask = |more: Json| {
        let day = house.now.to_string().chars().take(10).collect::<String>();
        let mut asked = json!({"environment": "production", "event": "Ordered", "from": day, "to": day});
        asked.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = house.did("query.segmentation", asked);
        let series = answer["series"].as_array().unwrap().iter();
        series
            .map(|s| (s["group"].as_str().unwrap_or("").to_owned(), s["total"].as_u64().unwrap()))
            .collect::<Vec<_>>()
    };
    for sealed in [false, true] {
        if sealed {
            settle(&house);
        }
        let mut by = ask(json!({"by": "order_id"}));
        by.sort();
        let expected = [(u64::MAX, 1), (one, 1), (other, 2)];
        assert_eq!(by, expected.map(|(id, count)| (id.to_string(), count)), "sealed: {sealed}");
        let is = json!({"filters": [{"property": "order_id", "op": "is", "values": [other.to_string()]}]});
        assert_eq!(ask(is)[0].1, 2, "sealed: {sealed}");
    }
}

#[test]
fn ids_that_name_nobody_are_refused_by_every_protocol() {
    let refused = [
        "anonymous",
        "nil",
        "none",
        "null",
        "n/a",
        "na",
        "nan",
        "undefined",
        "unknown",
        "",
        "00000000-0000-0000-0000-000000000000",
        "{}",
        "lmy47d",
        "0",
        "-1",
    ];
    let desk = Desk::new();
    for door in JSON_DOORS {
        for id in refused {
            let body = event_of(door, &desk.secret, "{}").replace("user-1", id);
            let reply = desk.reply(door, "strict=1", "application/json", body.as_bytes());
            assert!(desk.stored().is_empty(), "{id} at {door:?}");
            let said = shown(reply).to_string();
            assert!(said.contains("placeholder"), "{id} at {door:?}: {said}");
        }
    }
}

#[test]
fn any_time_of_the_calendar_is_kept_as_it_is() {
    let desk = Desk::new();
    for (time, taken) in [
        ("0", true),
        ("1", true),
        ("253402300799999", true),
        ("253402300800000", false),
        ("-1", false),
        ("1795945025075.0", true),
        ("\"2026-01-01\"", false),
        ("1.5", false),
        ("NaN", false),
        ("-Infinity", false),
    ] {
        let before = desk.stored().len();
        let body = format!(
            r#"{{"api_key": "{}", "events": [{{"event_type": "a", "user_id": "user-1", "time": {time}}}]}}"#,
            desk.secret
        );
        let answer = desk.bytes(Door::AmplitudeHttp, "", "", body.as_bytes());
        assert_eq!(answer[0] == 200, taken, "{time}: {answer}");
        let stored = desk.stored();
        assert_eq!(stored.len(), before + usize::from(taken));
        if taken {
            assert_eq!(stored[before]["time"].to_string(), time.trim_end_matches(".0"));
        }
    }
    // A time in words, of a sender that says nothing of its own clock.
    for (time, at) in [
        ("1970-01-01T00:00:00Z", Some(0)),
        ("2525-01-01T00:00:00Z", Some(17_514_144_000_000_i64)),
        ("1969-12-31T23:59:59Z", None),
    ] {
        let before = desk.stored().len();
        let answer = desk.json(
            Door::Segment(None),
            "",
            &json!({"batch": [{"type": "track", "event": "a", "userId": "u", "timestamp": time}]}),
        );
        assert_eq!(answer[0] == 200, at.is_some(), "{time}: {answer}");
        assert_eq!(desk.stored().get(before).map(|e| e["time"].as_i64().unwrap()), at);
    }
}

/// When it was sent is a hint: what cannot be a clock moves no event. The clock of a machine that lost its battery can.
#[test]
fn a_time_of_sending_that_is_no_clocks_moves_no_event() {
    let desk = Desk::new();
    let now = desk.house.now.0;
    let (at, dead) = (now - 3_600_000, 86_400_000);
    let cases = [
        // As it should be, and a clock that is a year and a half ahead.
        (at, json!(now - 1_000), at + 1_000),
        (at + 50_000_000_000, json!(now + 50_000_000_000), at),
        // History that is imported.
        (1_000_000_000_000, json!(now), 1_000_000_000_000),
        // Of a machine whose clock began in 1970.
        (dead, json!(dead + 5_000), now - 5_000),
        // No times in milliseconds.
        (at, json!(5), at),
        (at, json!(now / 1_000), at),
        (at, json!(now * 1_000), at),
        (at, json!(i64::MAX), at),
        (at, json!(i64::MIN), at),
        (at, json!("1970-01-01T00:00:05Z"), at),
        (at, json!("2999-01-01T00:00:00Z"), at),
    ];
    for (at, sent, expected) in cases {
        let track = json!({"type": "track", "event": "a", "userId": "u", "timestamp": at});
        let mut own = track.clone();
        own["sentAt"] = sent.clone();
        desk.json(Door::Segment(None), "", &json!({"batch": [track], "sentAt": sent}));
        desk.json(Door::Segment(Some(Call::Track)), "", &own);
        let capture = json!({"event": "a", "distinct_id": "u", "timestamp": at});
        desk.json(Door::PostHog, "", &json!({"api_key": "KEY", "batch": [capture], "sent_at": sent}));
        let times: Vec<Json> = desk.stored().iter().rev().take(3).map(|e| e["time"].clone()).collect();
        assert_eq!(times, [expected; 3], "{at} sent {sent}");
    }
    let body = json!({"batch": [{"event": "a", "uuid": "1", "distinct_id": "u", "timestamp": "2026-09-21T14:00:00Z"}]});
    let (bearer, body) = (format!("Bearer {}", desk.secret), body.to_string());
    let sent = Sent {
        authorization: Some(&bearer),
        sent_at: Some("1970-01-01T00:00:05Z"),
        body: body.as_bytes(),
        ..Sent::default()
    };
    assert_eq!(desk.house.bring(Door::PostHogV1, &sent).status, 200);
    assert_eq!(desk.stored().last().unwrap()["time"], 1_789_999_200_000_i64);
}

/// A body that each door takes.
fn good(door: Door, secret: &str) -> Vec<u8> {
    let body = match door {
        Door::AmplitudeIdentify => {
            json!([{"user_id": "user-1", "user_properties": {"$set": {"a": "MARK"}, "$add": {"n": 2}}}])
        }
        Door::AmplitudeGroupIdentify => {
            json!({"group_type": "g", "group_value": "h", "group_properties": {"$set": {"a": ["MARK"]}}})
        }
        Door::Segment(Some(_)) => {
            json!({"type": "track", "event": "a", "userId": "u", "anonymousId": "b", "groupId": "g", "previousId": "p",
            "timestamp": "2026-09-21T14:00:00.000Z", "sentAt": "2026-09-21T14:00:00Z", "traits": {"a": "MARK"}, "context": {"os": {"name": "x"}, "sessionId": 5}})
        }
        Door::PostHog | Door::PostHogV1 => {
            json!({"api_key": secret, "sent_at": "2026-09-21T14:00:00Z", "batch": [{"event": "$groupidentify",
            "uuid": "u", "distinct_id": "d", "timestamp": "2026-09-21T14:00:00.000Z", "session_id": "s", "options": {"cookieless_mode": true},
            "properties": {"$set": {"a": "MARK"}, "$unset": ["b"], "$group_type": "g", "$group_key": "h", "$group_set": {"x": 1}, "$groups": {"g": "h"}}}]})
        }
        Door::MixpanelTrack | Door::MixpanelImport => {
            json!([{"event": "$identify", "properties": {"token": secret, "distinct_id": "$device:d",
            "time": 1_790_000_000.5, "$insert_id": "MARK", "$identified_id": "u", "$anon_id": "d"}}])
        }
        Door::MixpanelEngage => {
            json!({"$token": secret, "$distinct_id": "u", "$set": {"a": "MARK"}, "$union": {"l": [1]}, "$unset": ["b"], "$delete": ""})
        }
        Door::MixpanelGroups => {
            json!({"$token": secret, "$group_key": "g", "$group_id": 7, "$set": {"a": "MARK"}})
        }
        Door::OtlpLogs => {
            json!({"resourceLogs": [{"resource": {"attributes": []}, "scopeLogs": [{"logRecords": [{"timeUnixNano": "1790000000000000000",
            "eventName": "feature_flag.evaluation", "traceId": "00ff", "body": {"arrayValue": {"values": [{"doubleValue": "NaN"}]}},
            "attributes": [{"key": "feature_flag.key", "value": {"stringValue": "f"}}, {"key": "feature_flag.variant", "value": {"stringValue": "on"}},
                {"key": "feature_flag.context.id", "value": {"intValue": "7"}}, {"key": "a", "value": {"stringValue": "MARK"}}]}]}]}]})
        }
        other => {
            return event_of(other, secret, r#"{"$price": 2, "l": ["MARK", null, 1.5, {"y": "é"}]}"#)
                .into_bytes();
        }
    };
    match door {
        Door::AmplitudeIdentify | Door::AmplitudeGroupIdentify => {
            let pairs = [("api_key", secret), ("identification", &body.to_string())];
            serde_urlencoded::to_string(pairs).unwrap().into_bytes()
        }
        _ => body.to_string().into_bytes(),
    }
}

/// A change of a body: where, how much is taken away, and what is put there.
fn change() -> impl Strategy<Value = (u16, u8, Vec<u8>)> {
    let put = prop_oneof![
        3 => Just(vec![]),
        2 => proptest::collection::vec(any::<u8>(), 1..4),
        4 => proptest::sample::select(vec![
            "null", "7", "-1", "\"\"", "[]", "{}", "{\"$set\":{}}", "1e400", "\\ud83d", "\"2026-09-21\"", "true,", ",", "}", "]", "=", "&", "%",
        ]).prop_map(|text| text.as_bytes().to_vec()),
    ];
    (any::<u16>(), prop_oneof![Just(0_u8), 1_u8..12], put)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    /// A body that was good and is changed somewhere is answered, in the words of its door, and no more is
    /// stored than is said.
    #[test]
    fn whatever_comes_is_answered(changes in proptest::collection::vec(proptest::collection::vec(change(), 0..4), 20)) {
        thread_local! {
            static DESK: Desk = Desk::new();
        }
        DESK.with(|desk| {
            for (door, changes) in Door::ALL.into_iter().flat_map(|door| changes.iter().map(move |c| (door, c))) {
                let mut body = good(door, &desk.secret);
                for (at, gone, put) in changes {
                    let at = usize::from(*at) % (body.len() + 1);
                    let end = (at + usize::from(*gone)).min(body.len());
                    body.splice(at..end, put.iter().copied());
                }
                let bearer = format!("Bearer {}", desk.secret);
                let sent = Sent { authorization: Some(&bearer), content_type: "application/json", body: &body, ..Sent::default() };
                let (stored, reply) = match desk.house.app.take(door, &sent, desk.house.now) {
                    bellwether_app::Outcome::Waiting { waiting, reply } => (waiting.taken().stored + waiting.taken().duplicates, reply),
                    bellwether_app::Outcome::Answered(reply) => (0, reply),
                };
                desk.house.app.commit().unwrap();
                let text = String::from_utf8_lossy(&body).into_owned();
                prop_assert!(matches!(reply.status, 200 | 400 | 401), "{door:?} {text}: {reply:?}");
                let partial = matches!(door, Door::MixpanelTrack | Door::MixpanelEngage | Door::MixpanelGroups | Door::MixpanelImport);
                prop_assert!(stored == 0 || reply.status == 200 || partial, "{door:?} {text}: {reply:?}");
                prop_assert!(!changes.is_empty() || (stored == 1 && reply.status == 200), "{door:?} {text}: {reply:?}");
            }
            Ok(())
        })?;
    }
}

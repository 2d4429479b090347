//! App tests: each protocol, call by call: what is stored and what is answered, as snapshots; and what cannot
//! be taken, as a table.

use bellwether_app::{Body, Call, Door, Rates, Reply, Sent};
use proptest::prelude::*;
use prost::Message;
use serde_json::{Value as Json, json};

use crate::captures::{gzip, shown};
use crate::house::House;

/// An installation, and a key of it.
struct Desk {
    house: House,
    secret: String,
}

impl Desk {
    fn new() -> Self {
        let house = House::with(1, |settings| {
            settings.rates = Rates { environment: 0, unit: 0, unit_batch: 0 };
        });
        let secret = house.key("client");
        Self { house, secret }
    }

    /// Hands in JSON by a door, with the key where the protocol wants it; `KEY` in the body stands for it.
    fn json(&self, door: Door, query: &str, body: &Json) -> Json {
        let body = body.to_string().replace("KEY", &self.secret);
        self.bytes(door, query, "application/json", body.as_bytes())
    }

    fn bytes(&self, door: Door, query: &str, content_type: &str, body: &[u8]) -> Json {
        shown(self.reply(door, query, content_type, body))
    }

    fn reply(&self, door: Door, query: &str, content_type: &str, body: &[u8]) -> Reply {
        use base64::Engine;
        let key = base64::engine::general_purpose::STANDARD.encode(format!("{}:", self.secret));
        let authorization = match door {
            Door::Segment(_) | Door::MixpanelImport => Some(format!("Basic {key}")),
            Door::PostHogV1 | Door::OtlpLogs => Some(format!("Bearer {}", self.secret)),
            _ => None,
        };
        let query = query.replace("KEY", &self.secret);
        let sent = Sent {
            query: &query,
            content_type,
            authorization: authorization.as_deref(),
            peer: Some("203.0.113.9"),
            body,
            ..Sent::default()
        };
        self.house.bring(door, &sent)
    }

    /// What is stored, in its order, without what is the same everywhere.
    fn stored(&self) -> Vec<Json> {
        let mut events = self.house.events();
        events.reverse();
        for event in &mut events {
            let event = event.as_object_mut().unwrap();
            event.remove("environment");
            event.remove("received");
        }
        events
    }
}

#[test]
fn amplitudes_forms() {
    let desk = Desk::new();
    let form = "application/x-www-form-urlencoded";
    let identification = json!([
        {"user_id": "user-1", "user_properties": {"$set": {"plan": "pro"}, "$add": {"logins": 2}}, "country": "FI"},
        {"device_id": "device-1", "user_properties": {"color": "red"}, "paying": true},
    ]);
    let body = |door: &str, list: &Json| {
        serde_urlencoded::to_string([("api_key", desk.secret.as_str()), (door, &list.to_string())]).unwrap()
    };
    let posted = body("identification", &identification);
    let group = json!({"group_type": "company", "group_value": "acme", "group_properties": {"$set": {"tier": "gold"}}});
    let multipart = format!(
        "--b\r\nContent-Disposition: form-data; name=\"api_key\"\r\n\r\n{}\r\n--b\r\n\
         Content-Disposition: form-data; name=\"identification\"\r\n\r\n{group}\r\n--b--\r\n",
        desk.secret
    );
    let answers = [
        desk.bytes(Door::AmplitudeIdentify, "", form, posted.as_bytes()),
        desk.bytes(
            Door::AmplitudeIdentify,
            &body(
                "identification",
                &json!({"user_id": "user-1", "user_properties": {"$unset": {"plan": "-"}}}),
            ),
            "",
            b"",
        ),
        desk.bytes(Door::AmplitudeGroupIdentify, "", "multipart/form-data; boundary=b", multipart.as_bytes()),
        // What is absent, what cannot be read, and what is wrong with one of a list.
        desk.bytes(Door::AmplitudeIdentify, &body("other", &group), "", b""),
        desk.bytes(Door::AmplitudeIdentify, &format!("api_key={}&identification=%7B", desk.secret), "", b""),
        desk.bytes(
            Door::AmplitudeIdentify,
            &body("identification", &json!([{"user_id": "user-1"}, {"user_id": "anonymous"}, 7])),
            "",
            b"",
        ),
        desk.bytes(Door::AmplitudeIdentify, "identification=%7B%7D", "", b""),
        desk.bytes(Door::AmplitudeGroupIdentify, "api_key=guess&identification=%7B%7D", "", b""),
    ];
    // What was told is known at the next event, and not before.
    let event = |user: Json, groups: Json| {
        let mut event = json!({"event_type": "buy", "groups": groups});
        event.as_object_mut().unwrap().extend(user.as_object().unwrap().clone());
        desk.house.send(&json!({"api_key": desk.secret, "events": [event]})).unwrap();
    };
    event(json!({"user_id": "user-1"}), json!({"company": ["acme", "other"]}));
    event(json!({"user_id": "user-2", "device_id": "device-1"}), json!({}));
    insta::assert_json_snapshot!(json!({"answers": answers, "stored": desk.stored()}));
}

#[test]
fn every_operation_on_a_user_is_done_when_it_comes_and_not_before() {
    let desk = Desk::new();
    let send = |kind: &str, properties: Json| {
        let event = json!({"event_type": kind, "user_id": "user-1", "user_properties": properties});
        desk.house.send(&json!({"api_key": desk.secret, "events": [event]})).unwrap();
    };
    send("before", Json::Null);
    send(
        "$identify",
        json!({"$set": {"plan": "free", "n": 1}, "$setOnce": {"first": "a"}, "$append": {"list": ["x", "y"]}}),
    );
    send("set", Json::Null);
    send("$identify", json!({"$setOnce": {"first": "b"}, "$add": {"n": 2.5}, "$prepend": {"list": "z"}}));
    send("added", json!({"$postInsert": {"list": ["x", "w"]}, "$preInsert": {"list": "v"}}));
    send("inserted", json!({"plain": true, "plan": "pro"}));
    send("$identify", json!({"$remove": {"list": ["x", "w"]}, "$unset": {"plain": "-"}}));
    send("removed", Json::Null);
    send("$identify", json!({"$clearAll": "-"}));
    send("cleared", Json::Null);
    let known: Vec<Json> = desk
        .stored()
        .iter()
        .map(|e| json!([e["event"], e.get("user_properties").cloned().unwrap_or(json!({}))]))
        .collect();
    insta::assert_json_snapshot!(known);
    // The same after a restart: it follows from what is stored.
    let Desk { house, secret } = desk;
    house.send(&json!({"api_key": secret, "events": [
        {"event_type": "$identify", "device_id": "device-1", "user_properties": {"seen": 1, "plan": "none"}},
        {"event_type": "$identify", "user_id": "user-1", "user_properties": {"plan": "pro"}},
    ]})).unwrap();
    let house = house.restart();
    let event = json!({"event_type": "a", "device_id": "device-1", "user_id": "user-1"});
    house.send(&json!({"api_key": secret, "events": [event]})).unwrap();
    let newest = house.events()[0]["user_properties"].clone();
    assert_eq!(
        newest,
        json!({"seen": 1, "plan": "pro"}),
        "what was known of the visitor is known of the user"
    );
}

#[test]
fn segment() {
    let desk = Desk::new();
    let message = |more: Json| {
        let mut message = json!({"messageId": "m", "userId": "user-1", "anonymousId": "anon-1",
            "timestamp": "2026-09-21T14:00:00.000Z", "sentAt": "2026-09-21T14:00:01.000Z"});
        message.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        message
    };
    let track = message(
        json!({"messageId": "m1", "event": "Bought", "properties": {"price": 9.5}, "context": {
        "ip": "198.51.100.7", "userAgent": "UA", "locale": "fi-FI", "groupId": "acme", "library": {"name": "lib", "version": "1"},
        "app": {"name": "Shop", "version": "2.1"}, "os": {"name": "iOS", "version": "19"}, "page": {"path": "/"}}}),
    );
    let one = |call, message: Json| desk.json(Door::Segment(Some(call)), "", &message);
    let answers = [
        one(Call::Identify, message(json!({"messageId": "m0", "traits": {"email": "a@b.c", "$add": 7}}))),
        one(Call::Group, message(json!({"messageId": "m00", "groupId": "acme", "traits": {"tier": "gold"}}))),
        one(Call::Track, track.clone()),
        // Again: it is there once.
        one(Call::Track, track),
        one(Call::Page, message(json!({"messageId": "m2", "name": "Home", "category": "Docs", "properties": {"url": "/"}}))),
        one(Call::Screen, message(json!({"messageId": "m3", "name": "Main"}))),
        one(Call::Alias, message(json!({"messageId": "m4", "previousId": "anon-2"}))),
        // Of a batch the good is taken.
        desk.json(Door::Segment(None), "", &json!({"sentAt": "2026-09-21T14:00:01.000Z", "batch": [
            {"type": "track", "event": "Good", "userId": 17, "originalTimestamp": "2026-09-21T13:00:01.000Z"},
            {"type": "track", "event": "Bad"},
            {"type": "dance", "userId": "user-1"},
            {"type": "track", "event": "Bad", "userId": "user-1", "timestamp": "soon"},
            {"type": "track", "userId": "user-1"},
            7,
        ]})),
        // Of nothing good nothing.
        one(Call::Track, json!({"event": "Bad"})),
        desk.json(Door::Segment(None), "", &json!({"batch": [{"type": "track"}]})),
        desk.json(Door::Segment(None), "", &json!({})),
        desk.bytes(Door::Segment(None), "", "", b"[]"),
        desk.bytes(Door::Segment(None), "", "", b"{"),
        // gzip under any name.
        desk.bytes(Door::Segment(None), "", "application/x-www-form-urlencoded", &gzip(br#"{"batch": []}"#)),
    ];
    // The key in the body, for a beacon; and none at all.
    let beacon = |key: Option<&str>| {
        let body = json!({"writeKey": key, "event": "Beacon", "anonymousId": "anon-9"}).to_string();
        let sent = Sent { body: body.as_bytes(), content_type: "text/plain", ..Sent::default() };
        shown(desk.house.bring(Door::Segment(Some(Call::Track)), &sent))
    };
    let beacons = [beacon(Some(&desk.secret)), beacon(None), beacon(Some("guess"))];
    insta::assert_json_snapshot!(json!({"answers": answers, "beacons": beacons, "stored": desk.stored()}));
}

#[test]
fn posthog() {
    use base64::Engine;
    let desk = Desk::new();
    let event = |more: Json| {
        let mut event = json!({"event": "Bought", "distinct_id": "user-1", "uuid": "01a2034c-cc16-77a9-8bfa-000000000001",
            "timestamp": "2026-09-21T14:00:00.000Z"});
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    };
    let one = json!({"api_key": desk.secret, "event": "In a form", "distinct_id": "user-1"}).to_string();
    let encoded = base64::engine::general_purpose::STANDARD.encode(&one);
    let form = serde_urlencoded::to_string([("data", &encoded)]).unwrap();
    let zipped = base64::engine::general_purpose::STANDARD.encode(gzip(one.as_bytes()));
    let answers = [
        desk.json(Door::PostHog, "", &json!({"api_key": "KEY", "sent_at": "2026-09-21T14:00:10.000Z", "batch": [
            // A browser: first nobody, then somebody.
            event(json!({"distinct_id": "dev-1", "properties": {"$device_id": "dev-1", "$is_identified": false, "$os": "iOS",
                "$session_id": "01a2034c-cc16-77a9-8bfa-5d39b7b40a98", "$set": {"color": "red"}, "$set_once": {"first": 1}}})),
            event(json!({"event": "$identify", "uuid": "2", "properties": {"$anon_distinct_id": "dev-1", "$device_id": "dev-1"}, "$set": {"plan": "pro"}})),
            event(json!({"uuid": "3", "properties": {"$device_id": "dev-1", "$groups": {"company": "acme"}, "$unset": ["color"]}})),
            event(json!({"event": "$create_alias", "uuid": "4", "properties": {"distinct_id": "user-1", "alias": "anon-7"}})),
            event(json!({"event": "$groupidentify", "uuid": "5", "distinct_id": "$company_acme",
                "properties": {"$group_type": "company", "$group_key": "acme", "$group_set": {"tier": "gold"}}})),
            event(json!({"event": "$feature_flag_called", "uuid": "6", "properties": {"$feature_flag": "f", "$feature_flag_response": "on"}})),
            event(json!({"uuid": "7", "properties": {"$groups": {"company": "acme"}}})),
            event(json!({"uuid": "8", "distinct_id": ""})),
            event(json!({"uuid": "9", "timestamp": "soon"})),
        ]})),
        desk.bytes(Door::PostHog, "compression=base64", "application/x-www-form-urlencoded", form.as_bytes()),
        desk.bytes(Door::PostHog, "compression=gzip-js", "text/plain", &gzip(one.as_bytes())),
        desk.bytes(Door::PostHog, &format!("data={}", encoded.replace('+', "%2B")), "", b""),
        desk.bytes(Door::PostHog, "", "text/plain", zipped.as_bytes()),
        // A list whose events have the key.
        desk.json(Door::PostHog, "", &json!([{"event": "Listed", "properties": {"token": "KEY", "distinct_id": "user-1"}, "offset": 5000}])),
        desk.json(Door::PostHog, "", &json!({"api_key": "KEY", "batch": 7})),
        desk.json(Door::PostHog, "", &json!({"batch": [event(json!({}))]})),
        desk.json(Door::PostHog, "", &json!({"api_key": "guess", "batch": []})),
        desk.json(Door::PostHog, "", &json!({"api_key": "KEY", "batch": [event(json!({"distinct_id": "null"}))]})),
        desk.bytes(Door::PostHog, "", "", b""),
        desk.bytes(Door::PostHog, "", "", b"{"),
        desk.json(Door::PostHogV1, "", &json!({"created_at": "2026-09-21T14:00:10.000Z", "batch": [
            event(json!({"uuid": "v1", "session_id": "01a2034c-cc16-77a9-8bfa-5d39b7b40a98", "options": {"process_person_profile": false},
                "properties": {"$set": {"v1": true}}})),
            event(json!({"uuid": "v2", "distinct_id": "undefined", "options": {}, "properties": {}})),
        ]})),
        desk.json(Door::PostHogV1, "", &json!({"batch": [{"event": "a", "distinct_id": "user-1"}]})),
        desk.json(Door::PostHogV1, "", &json!({})),
    ];
    insta::assert_json_snapshot!(json!({"answers": answers, "stored": desk.stored()}));
}

#[test]
fn mixpanel() {
    use base64::Engine;
    let desk = Desk::new();
    let event = |name: &str, properties: Json| {
        let mut all = json!({"token": desk.secret, "time": 1_790_000_000, "$insert_id": name});
        all.as_object_mut().unwrap().extend(properties.as_object().unwrap().clone());
        json!({"event": name, "properties": all})
    };
    let told = |more: Json| {
        let mut told = json!({"$token": desk.secret, "$distinct_id": "user-1"});
        told.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        told
    };
    let group = |more: Json| {
        let mut told = json!({"$token": desk.secret, "$group_key": "company", "$group_id": "acme"});
        told.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        told
    };
    let data = |value: &Json| {
        let encoded = base64::engine::general_purpose::STANDARD.encode(value.to_string());
        serde_urlencoded::to_string([("data", encoded)]).unwrap()
    };
    let lines = [
        event("line 1", json!({"distinct_id": "user-1"})),
        event("line 2", json!({"distinct_id": "user-1"})),
    ]
    .map(|e| e.to_string())
    .join("\n");
    let bad = event("bad", json!({"distinct_id": "anonymous"}));
    let answers = [
        desk.bytes(Door::MixpanelEngage, &data(&told(json!({"$set": {"plan": "pro", "n": 1}, "$ip": "198.51.100.7"}))), "", b""),
        desk.json(Door::MixpanelEngage, "verbose=1", &json!([
            told(json!({"$set_once": {"plan": "free", "first": 1}})), told(json!({"$add": {"n": 2}})),
            told(json!({"$append": {"l": "a"}})), told(json!({"$union": {"l": ["a", "b"]}})),
            told(json!({"$remove": {"l": "a"}})), told(json!({"$unset": ["first"]})),
        ])),
        desk.json(Door::MixpanelGroups, "verbose=1", &json!([group(json!({"$set": {"tier": "gold", "x": 1}})), group(json!({"$unset": ["x"]}))])),
        desk.bytes(Door::MixpanelTrack, &data(&event("Bought", json!({"distinct_id": "user-1", "$os": "iOS", "mp_lib": "node", "$lib_version": "1", "price": 9.5}))), "", b""),
        desk.bytes(Door::MixpanelTrack, "verbose=1", "application/x-www-form-urlencoded", data(&json!([
            event("visitor", json!({"distinct_id": "$device:dev-1", "$device_id": "dev-1", "time": 1_790_000_000_123_i64})),
            event("$identify", json!({"distinct_id": "user-1", "$identified_id": "user-1", "$anon_id": "dev-1"})),
            event("member", json!({"distinct_id": "user-1", "$device_id": "dev-1", "$user_id": "user-1", "time": 1_790_000_000.5})),
            event("$create_alias", json!({"distinct_id": "user-1", "alias": "anon-7"})),
        ])).as_bytes()),
        // Of several the good are taken, and the answer says that not all were.
        desk.json(Door::MixpanelTrack, "", &json!([event("good", json!({"distinct_id": "user-1"})), bad])),
        desk.json(Door::MixpanelTrack, "verbose=1", &json!([event("also good", json!({"distinct_id": "user-1"})), bad])),
        desk.json(Door::MixpanelTrack, "verbose=1", &json!({"event": "a", "properties": {"distinct_id": "user-1"}})),
        desk.json(Door::MixpanelTrack, "", &json!({"event": "a", "properties": {"distinct_id": "user-1", "token": "guess"}})),
        desk.json(Door::MixpanelEngage, "verbose=1", &told(json!({"$dance": {}}))),
        desk.bytes(Door::MixpanelTrack, "verbose=1", "", b""),
        desk.json(Door::MixpanelImport, "strict=1", &json!([event("imported", json!({"distinct_id": "user-1"})), bad, 7])),
        desk.bytes(Door::MixpanelImport, "strict=1", "application/x-ndjson", &gzip(lines.as_bytes())),
        desk.json(Door::MixpanelImport, "strict=0", &json!([bad])),
        desk.bytes(Door::MixpanelImport, "strict=1", "", b"{\"event\": }"),
        desk.bytes(Door::MixpanelImport, "ip=0&verbose=0&api_key=KEY", "application/x-www-form-urlencoded", data(&json!([event("by the SDK", json!({"distinct_id": "user-1"}))])).as_bytes()),
    ];
    desk.house.send(&json!({"api_key": desk.secret, "events": [{"event_type": "after", "user_id": "user-1", "groups": {"company": "acme"}}]})).unwrap();
    insta::assert_json_snapshot!(json!({"answers": answers, "stored": desk.stored()}));
}

#[derive(Clone, PartialEq, Message)]
struct Any {
    #[prost(string, optional, tag = "1")]
    text: Option<String>,
    #[prost(double, optional, tag = "4")]
    double: Option<f64>,
}

#[derive(Clone, PartialEq, Message)]
struct Pair {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<Any>,
}

#[derive(Clone, PartialEq, Message)]
struct Record {
    #[prost(fixed64, tag = "1")]
    time: u64,
    #[prost(message, repeated, tag = "6")]
    attributes: Vec<Pair>,
    #[prost(string, tag = "12")]
    name: String,
}

/// A message whose field of this number is a list of messages.
fn wrapped(tag: u8, inner: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for one in inner {
        bytes.push(tag << 3 | 2);
        prost::encoding::encode_varint(one.len() as u64, &mut bytes);
        bytes.extend(one);
    }
    bytes
}

#[test]
fn otlp() {
    let desk = Desk::new();
    let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let request = |records: Json| {
        let resource = json!({"attributes": [text("service.name", "shop"), text("service.version", "2.1"),
            text("telemetry.sdk.name", "opentelemetry"), text("telemetry.sdk.version", "1.9")]});
        json!({"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": records}]}]})
    };
    let evaluation = |variant: &str, more: Json| {
        let mut attributes = vec![
            text("feature_flag.key", "f"),
            text("feature_flag.result.variant", variant),
            text("feature_flag.context.id", "user-1"),
            text("feature_flag.provider.name", "flagd"),
        ];
        attributes.extend(more.as_array().unwrap().clone());
        json!({"timeUnixNano": "1790000000000000000", "eventName": "feature_flag.evaluation", "attributes": attributes})
    };
    let records = json!([
        evaluation("on", json!([text("feature_flag.result.reason", "split"), text("feature_flag.version", "7")])),
        // The same evaluation again that day is the same exposure.
        evaluation("on", json!([])),
        // Under its older names.
        {"observedTimeUnixNano": 1_790_000_001_000_000_000_u64, "attributes": [text("event.name", "feature_flag.evaluation"),
            text("feature_flag.key", "f"), text("feature_flag.variant", "off"), text("feature_flag.provider_name", "x"),
            text("feature_flag.evaluation.reason", "split"), text("feature_flag.context.id", "user-2")]},
        // A failure showed nobody anything.
        evaluation("off", json!([text("error.type", "flag_not_found")])),
        {"eventName": "purchase", "body": {"kvlistValue": {"values": [text("item", "hat")]}}, "severityText": "INFO",
            "traceId": "0af7651916cd43dd8448eb211c80319c", "attributes": [text("user.id", "user-1"), text("device.id", "device-1"),
            text("log.record.uid", "u1"), {"key": "price", "value": {"doubleValue": 9.5}}, {"key": "n", "value": {"intValue": "3"}},
            {"key": "nan", "value": {"doubleValue": "NaN"}}, {"key": "list", "value": {"arrayValue": {"values": [{"boolValue": true}]}}},
            {"key": "bytes", "value": {"bytesValue": "AQI="}}]},
        // Nobody, and no event.
        {"eventName": "purchase"},
        {"body": {"stringValue": "a line of a log"}, "attributes": [text("user.id", "user-1")]},
    ]);
    let mut answers = vec![desk.json(Door::OtlpLogs, "", &request(records))];
    let pair = |key: &str, value: &str| Pair {
        key: key.into(),
        value: Some(Any { text: Some(value.into()), double: None }),
    };
    let record = Record {
        time: 1_790_000_000_000_000_000,
        name: "feature_flag.evaluation".into(),
        attributes: vec![
            pair("feature_flag.key", "f"),
            pair("feature_flag.result.variant", "on"),
            pair("feature_flag.context.id", "user-3"),
            Pair { key: "nan".into(), value: Some(Any { text: None, double: Some(f64::NAN) }) },
        ],
    };
    let nobody = Record { time: 0, name: "purchase".into(), attributes: vec![] };
    let protobuf = "application/x-protobuf";
    let logs = |records: &[Record]| {
        let records: Vec<Vec<u8>> = records.iter().map(Message::encode_to_vec).collect();
        wrapped(1, &[wrapped(2, &[wrapped(2, &records)])])
    };
    answers.push(desk.bytes(Door::OtlpLogs, "", protobuf, &gzip(&logs(std::slice::from_ref(&record)))));
    // Partial success, as protobuf: field 1 holds the count and the reason.
    let Reply { status, body: Body::Protobuf(partial), .. } =
        desk.reply(Door::OtlpLogs, "", protobuf, &logs(&[record, nobody]))
    else {
        panic!("an answer in protobuf")
    };
    assert_eq!((status, &partial[..4]), (200, &[10, partial.len() as u8 - 2, 8, 1][..]));
    answers.push(desk.bytes(Door::OtlpLogs, "", protobuf, b"\xff\xff"));
    answers.push(desk.bytes(Door::OtlpLogs, "", "application/json", b"[]"));
    answers.push(desk.bytes(Door::OtlpLogs, "", "application/json", b"{}"));
    answers.push(desk.bytes(Door::OtlpLogs, "", protobuf, b""));
    let nobody = Sent {
        body: b"{}",
        content_type: "application/json",
        authorization: Some("Bearer guess"),
        ..Sent::default()
    };
    answers.push(shown(desk.house.bring(Door::OtlpLogs, &nobody)));
    insta::assert_json_snapshot!(json!({"answers": answers, "stored": desk.stored()}));
}

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
    check("NaN", r#"{"x": NaN}"#, whole, None);
    check("a number beyond all", r#"{"x": 1e999}"#, whole, None);
    check("nesting of 39", &format!("{}1{}", r#"{"a":"#.repeat(39), "}".repeat(39)), all, Some(&json!({})));
    check("nesting of 100", &format!("{}1{}", r#"{"a":"#.repeat(100), "}".repeat(100)), one, None);
    check("nesting of 500", &format!("{}1{}", r#"{"a":"#.repeat(500), "}".repeat(500)), whole, None);
    check("one name twice: the later counts", r#"{"x": 1, "x": 2}"#, all, Some(&json!({"x": 2})));
    check("null is missing", r#"{"x": null, "y": 1}"#, all, Some(&json!({"y": 1})));
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
    let event = json!({"event_type": "a", "user_id": "user-1", "event_properties": {"l": [long], "s": "ok"},
        "user_properties": {"$set": {"u": long}}, "groups": {"g": long}, "country": long});
    desk.house.send(&json!({"api_key": desk.secret, "events": [event]})).unwrap();
    let stored = desk.stored();
    assert_eq!(stored[0]["properties"]["$cut"], json!(["group.g", "l", "user.country", "user.u"]));
    assert_eq!(stored[0]["user_properties"]["u"].as_str().unwrap().len(), 1_024);
}

/// Bytes that are no request at all, at every door.
#[test]
fn what_is_no_request_is_answered_and_stores_nothing() {
    let desk = Desk::new();
    let doors = [
        Door::AmplitudeHttp,
        Door::AmplitudeBatch,
        Door::AmplitudeIdentify,
        Door::AmplitudeGroupIdentify,
        Door::Segment(None),
        Door::Segment(Some(Call::Track)),
        Door::PostHog,
        Door::PostHogV1,
        Door::MixpanelTrack,
        Door::MixpanelEngage,
        Door::MixpanelGroups,
        Door::MixpanelImport,
        Door::OtlpLogs,
    ];
    let bomb = gzip(&vec![b' '; 64 << 20]);
    assert!(bomb.len() < 1 << 20);
    let utf8 = |door| {
        event_of(door, &desk.secret, "{}").into_bytes().into_iter().map(|b| if b == b'a' { 0xff } else { b })
    };
    for door in doors {
        let check = |name: &str, body: &[u8], statuses: &[u16]| {
            let reply = desk.reply(door, "", "application/json", body);
            assert!(statuses.contains(&reply.status), "{name} at {door:?}: {reply:?}");
            assert!(desk.stored().is_empty(), "{name} at {door:?}");
        };
        check("bytes that are not UTF-8", &utf8(door).collect::<Vec<u8>>(), &[400, 401]);
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

#[test]
fn ids_that_name_nobody_are_refused_by_every_protocol() {
    let refused = [
        "anonymous",
        "nil",
        "none",
        "null",
        "n/a",
        "na",
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
        ("1e3", false),
        ("\"2026-01-01\"", false),
        ("1.5", false),
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
            assert_eq!(stored[before]["time"].to_string(), time);
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

/// A body that each door takes.
fn good(door: Door, secret: &str) -> Vec<u8> {
    let body = match door {
        Door::AmplitudeIdentify => {
            json!([{"user_id": "user-1", "user_properties": {"$set": {"a": 1}, "$add": {"n": 2}}}])
        }
        Door::AmplitudeGroupIdentify => {
            json!({"group_type": "g", "group_value": "h", "group_properties": {"$set": {"a": [1]}}})
        }
        Door::Segment(Some(_)) => {
            json!({"type": "track", "event": "a", "userId": "u", "anonymousId": "b", "groupId": "g", "previousId": "p",
            "timestamp": "2026-09-21T14:00:00.000Z", "sentAt": "2026-09-21T14:00:00Z", "traits": {"a": 1}, "context": {"os": {"name": "x"}, "sessionId": 5}})
        }
        Door::PostHog | Door::PostHogV1 => {
            json!({"api_key": secret, "sent_at": "2026-09-21T14:00:00Z", "batch": [{"event": "$groupidentify",
            "uuid": "u", "distinct_id": "d", "timestamp": "2026-09-21T14:00:00.000Z", "session_id": "s", "options": {"cookieless_mode": true},
            "properties": {"$set": {"a": 1}, "$unset": ["b"], "$group_type": "g", "$group_key": "h", "$group_set": {"x": 1}, "$groups": {"g": "h"}}}]})
        }
        Door::MixpanelTrack | Door::MixpanelImport => {
            json!([{"event": "$identify", "properties": {"token": secret, "distinct_id": "$device:d",
            "time": 1_790_000_000.5, "$insert_id": "i", "$identified_id": "u", "$anon_id": "d"}}])
        }
        Door::MixpanelEngage => {
            json!({"$token": secret, "$distinct_id": "u", "$set": {"a": 1}, "$union": {"l": [1]}, "$unset": ["b"], "$delete": ""})
        }
        Door::MixpanelGroups => {
            json!({"$token": secret, "$group_key": "g", "$group_id": 7, "$set": {"a": 1}})
        }
        Door::OtlpLogs => {
            json!({"resourceLogs": [{"resource": {"attributes": []}, "scopeLogs": [{"logRecords": [{"timeUnixNano": "1790000000000000000",
            "eventName": "feature_flag.evaluation", "traceId": "00ff", "body": {"arrayValue": {"values": [{"doubleValue": "NaN"}]}},
            "attributes": [{"key": "feature_flag.key", "value": {"stringValue": "f"}}, {"key": "feature_flag.variant", "value": {"stringValue": "on"}},
                {"key": "feature_flag.context.id", "value": {"intValue": "7"}}]}]}]}]})
        }
        other => {
            return event_of(other, secret, r#"{"$price": 2, "l": ["x", null, 1.5, {"y": "é"}]}"#)
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

const DOORS: [Door; 13] = [
    Door::AmplitudeHttp,
    Door::AmplitudeBatch,
    Door::AmplitudeIdentify,
    Door::AmplitudeGroupIdentify,
    Door::Segment(None),
    Door::Segment(Some(Call::Group)),
    Door::PostHog,
    Door::PostHogV1,
    Door::MixpanelTrack,
    Door::MixpanelEngage,
    Door::MixpanelGroups,
    Door::MixpanelImport,
    Door::OtlpLogs,
];

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
            for (door, changes) in DOORS.into_iter().flat_map(|door| changes.iter().map(move |c| (door, c))) {
                let mut body = good(door, &desk.secret);
                for (at, gone, put) in changes {
                    let at = usize::from(*at) % (body.len() + 1);
                    let end = (at + usize::from(*gone)).min(body.len());
                    body.splice(at..end, put.iter().copied());
                }
                let bearer = format!("Bearer {}", desk.secret);
                let sent = Sent { authorization: Some(&bearer), content_type: "application/json", body: &body, ..Sent::default() };
                let (stored, reply) = match desk.house.app.take(door, &sent, desk.house.now) {
                    bellwether_app::Outcome::Waiting { waiting, reply } => (waiting.taken.stored + waiting.taken.duplicates, reply),
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

//! App tests: each protocol, call by call: what is stored and what is answered, as snapshots.

use bellwether_app::{Body, Call, Door, Rates, Reply, Sent};
use prost::Message;
use serde_json::{Value as Json, json};

use crate::captures::{gzip, shown};
use crate::house::House;

/// An installation, and a key of it.
pub(crate) struct Desk {
    pub(crate) house: House,
    pub(crate) secret: String,
}

impl Desk {
    pub(crate) fn new() -> Self {
        let house = House::with(1, |settings| {
            settings.rates = Rates { environment: 0, unit: 0, unit_batch: 0, bot: 0 };
        });
        let secret = house.key("client");
        Self { house, secret }
    }

    /// Hands in JSON by a door, with the key where the protocol wants it; `KEY` in the body stands for it.
    pub(crate) fn json(&self, door: Door, query: &str, body: &Json) -> Json {
        let body = body.to_string().replace("KEY", &self.secret);
        self.bytes(door, query, "application/json", body.as_bytes())
    }

    pub(crate) fn bytes(&self, door: Door, query: &str, content_type: &str, body: &[u8]) -> Json {
        shown(self.reply(door, query, content_type, body))
    }

    pub(crate) fn reply(&self, door: Door, query: &str, content_type: &str, body: &[u8]) -> Reply {
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
    pub(crate) fn stored(&self) -> Vec<Json> {
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
        // No group, and too many.
        desk.bytes(
            Door::AmplitudeGroupIdentify,
            &body("identification", &json!([{"group_value": "acme"}, {"group_type": "company", "group_value": ["a", "b"]}, group])),
            "",
            b"",
        ),
        desk.bytes(Door::AmplitudeGroupIdentify, &body("identification", &json!(vec![7; 1_025])), "", b""),
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
        // Without a key of one of them nothing is taken, and the answer says so.
        desk.json(Door::MixpanelTrack, "verbose=1", &json!([event("alone", json!({"distinct_id": "user-1"})), {"event": "a", "properties": {"distinct_id": "user-1"}}])),
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
pub(crate) struct Any {
    #[prost(string, optional, tag = "1")]
    pub(crate) text: Option<String>,
    #[prost(double, optional, tag = "4")]
    pub(crate) double: Option<f64>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Pair {
    #[prost(string, tag = "1")]
    pub(crate) key: String,
    #[prost(message, optional, tag = "2")]
    pub(crate) value: Option<Any>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Record {
    #[prost(fixed64, tag = "1")]
    pub(crate) time: u64,
    #[prost(message, repeated, tag = "6")]
    pub(crate) attributes: Vec<Pair>,
    #[prost(string, tag = "12")]
    pub(crate) name: String,
}

/// A message whose field of this number is a list of messages.
pub(crate) fn wrapped(tag: u8, inner: &[Vec<u8>]) -> Vec<u8> {
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

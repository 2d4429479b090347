//! App tests: who sends too much is told when to go on, in the words of its protocol, and nothing of it is
//! stored.

use bellwether_app::{Body, Call, Door, Rates, Reply, Sent};
use prost::Message;
use serde_json::{Value as Json, json};

use crate::house::House;
use crate::protocols::{Any, Desk, Pair, Record, wrapped};
use crate::quarantine::release;

fn events(secret: &str, ids: &[&str]) -> Vec<u8> {
    let events: Vec<Json> = ids.iter().map(|id| json!({"event_type": "a", "device_id": id})).collect();
    json!({"api_key": secret, "events": events}).to_string().into_bytes()
}

fn send(house: &House, door: Door, body: &[u8]) -> Reply {
    house.bring(door, &Sent { body, ..Sent::default() })
}

#[test]
fn a_device_that_sends_too_much_is_named_with_its_events() {
    let mut house = House::with(1, |settings| {
        settings.rates = Rates { environment: 0, unit: 2, unit_batch: 0, bot: 0 };
    });
    let secret = house.key("client");
    // Two a second over half a minute may come at once.
    let sixty = events(&secret, &["device-1"; 60]);
    assert_eq!(send(&house, Door::AmplitudeHttp, &sixty).status, 200);
    let mixed = events(&secret, &["device-2", "device-1", "device-2", "device-1"]);
    let refused = send(&house, Door::AmplitudeHttp, &mixed);
    let Body::Json(mut body) = refused.body.clone() else { panic!("{refused:?}") };
    body.as_object_mut().unwrap().remove("hint");
    assert_eq!(
        body,
        json!({"code": 429, "error": "Too many requests for some devices and users", "eps_threshold": 2,
            "throttled_devices": {"device-1": 2}, "throttled_users": {}, "throttled_events": [1, 3],
            "exceeded_daily_quota_devices": {}, "exceeded_daily_quota_users": {}})
    );
    assert_eq!((refused.status, refused.retry_after), (429, Some(1)));
    assert_eq!(house.events().len(), 60, "nothing of it is stored");
    // By the other door, and of the other device, it goes on; and so it does here after a while.
    assert_eq!(send(&house, Door::AmplitudeBatch, &mixed).status, 200);
    assert_eq!(send(&house, Door::AmplitudeHttp, &events(&secret, &["device-2"; 2])).status, 200);
    house.later(1_000);
    assert_eq!(send(&house, Door::AmplitudeHttp, &mixed).status, 200);
    assert_eq!(send(&house, Door::AmplitudeHttp, &mixed).status, 429);
    // A clock that goes back lets nobody in and shuts nobody out.
    house.later(-10_000);
    assert_eq!(send(&house, Door::AmplitudeHttp, &mixed).status, 429);
    house.later(70_000);
    assert_eq!(send(&house, Door::AmplitudeHttp, &mixed).status, 200);
}

#[test]
fn what_is_kept_apart_counts_by_its_place_in_the_request() {
    let mut house = House::with(1, |settings| {
        settings.rates = Rates { environment: 0, unit: 2, unit_batch: 0, bot: 0 };
    });
    let secret = house.key("client");
    let plan = json!({"rules": {"environments": {"production": {"unplanned_events": "quarantine"}}},
        "events": {"good": {"properties": {}}}});
    house.did("plan.save", json!({"plan": plan, "why": "test"}));
    let send = |house: &House, types: &[(&str, &str)]| {
        let events: Vec<Json> =
            types.iter().map(|(kind, id)| json!({"event_type": kind, "device_id": id})).collect();
        let body = json!({"api_key": secret, "events": events}).to_string();
        let reply = house.bring(Door::AmplitudeHttp, &Sent { body: body.as_bytes(), ..Sent::default() });
        let Body::Json(said) = reply.body else { panic!("{reply:?}") };
        (reply.status, said["throttled_events"].clone())
    };
    let (odd, good) = (("odd", "device-1"), ("good", "device-1"));
    assert_eq!(send(&house, &[odd; 60]), (200, Json::Null));
    let mixed = [
        ("odd", "device-2"),
        odd,
        ("good", "device-2"),
        good,
        odd,
        ("odd", "device-2"),
        ("good", "device-2"),
        good,
    ];
    assert_eq!(send(&house, &mixed), (429, json!([1, 3, 4, 7])));
    house.later(2_000);
    assert_eq!(send(&house, &mixed), (200, Json::Null));
    assert_eq!(release(&house)["stored"], 60 + 4, "of what was refused nothing is kept apart");
}

#[test]
fn an_environment_that_sends_too_much_is_told_when_to_go_on() {
    let mut house = House::with(1, |settings| {
        settings.rates = Rates { environment: 1, unit: 0, unit_batch: 0, bot: 0 };
    });
    let secret = house.key("client");
    let bearer = format!("Bearer {secret}");
    let track = |house: &House, n: usize| {
        let batch: Vec<Json> = vec![json!({"type": "track", "event": "a", "userId": "u"}); n];
        let body = json!({"batch": batch}).to_string();
        house.bring(
            Door::Segment(None),
            &Sent { authorization: Some(&bearer), body: body.as_bytes(), ..Sent::default() },
        )
    };
    assert_eq!(track(&house, 30).status, 200);
    let refused = track(&house, 12);
    assert_eq!((refused.status, refused.retry_after), (429, Some(12)));
    house.later(11_000);
    assert_eq!(track(&house, 12).status, 429);
    house.later(1_000);
    assert_eq!(track(&house, 12).status, 200);
    // One request that is larger than all that may come at once is taken when nothing was.
    assert_eq!(track(&house, 31).status, 429);
    house.later(60_000);
    assert_eq!(track(&house, 31).status, 200);
    assert_eq!(house.events().len(), 30 + 12 + 31);
}

/// The id of the key with this name, which is its scope where a house made it.
fn named(house: &House, name: &str) -> String {
    let keys = house.did("key.list", json!({}));
    let found = keys["keys"].as_array().unwrap().iter().find(|key| key["name"] == name);
    found.unwrap()["id"].as_str().unwrap().to_owned()
}

/// So many events, told by a door; `KEY` stands for the key.
struct Telling {
    door: Door,
    query: &'static str,
    content_type: &'static str,
    body: fn(usize) -> Vec<u8>,
}

fn told(list: Vec<Json>, of: impl Fn(Vec<Json>) -> Json) -> Vec<u8> {
    of(list).to_string().into_bytes()
}

/// A way to bring any number of events by each protocol.
fn tellings() -> Vec<Telling> {
    const JSON: &str = "application/json";
    const FORM: &str = "application/x-www-form-urlencoded";
    let tells = |door, query, body| Telling { door, query, content_type: JSON, body };
    let amplitude: fn(usize) -> Vec<u8> = |n| {
        told(
            vec![json!({"event_type": "a", "device_id": "device-1"}); n],
            |events| json!({"api_key": "KEY", "events": events}),
        )
    };
    let posthog: fn(usize) -> Vec<u8> = |n| {
        told(
            vec![json!({"event": "a", "distinct_id": "user-1"}); n],
            |batch| json!({"api_key": "KEY", "batch": batch}),
        )
    };
    let mixpanel: fn(usize) -> Vec<u8> = |n| {
        told(
            vec![json!({"event": "a", "properties": {"token": "KEY", "distinct_id": "user-1"}}); n],
            Json::from,
        )
    };
    vec![
        tells(Door::AmplitudeHttp, "", amplitude),
        tells(Door::AmplitudeBatch, "", amplitude),
        Telling {
            door: Door::AmplitudeIdentify,
            query: "",
            content_type: FORM,
            body: |n| {
                let list = vec![json!({"user_id": "user-1", "user_properties": {"x": 1}}); n];
                format!("api_key=KEY&identification={}", Json::from(list)).into_bytes()
            },
        },
        Telling {
            door: Door::AmplitudeGroupIdentify,
            query: "",
            content_type: FORM,
            body: |n| {
                let one = json!({"group_type": "t", "group_value": "v", "group_properties": {"x": 1}});
                format!("api_key=KEY&identification={}", Json::from(vec![one; n])).into_bytes()
            },
        },
        tells(Door::Segment(None), "", |n| {
            told(
                vec![json!({"type": "track", "event": "a", "userId": "user-1"}); n],
                |batch| json!({"batch": batch}),
            )
        }),
        tells(Door::PostHog, "", posthog),
        tells(Door::PostHogV1, "", |n| {
            let one = |i| json!({"event": "a", "distinct_id": "user-1", "uuid": format!("u{n}-{i}")});
            told((0..n).map(one).collect(), |batch| json!({"batch": batch}))
        }),
        tells(Door::MixpanelTrack, "", mixpanel),
        tells(Door::MixpanelTrack, "verbose=1", mixpanel),
        tells(Door::MixpanelEngage, "verbose=1", |n| {
            told(vec![json!({"$token": "KEY", "$distinct_id": "user-1", "$set": {"x": 1}}); n], Json::from)
        }),
        tells(Door::MixpanelGroups, "verbose=1", |n| {
            let one = json!({"$token": "KEY", "$group_key": "t", "$group_id": "v", "$set": {"x": 1}});
            told(vec![one; n], Json::from)
        }),
        tells(Door::MixpanelImport, "strict=1", mixpanel),
        tells(Door::OtlpLogs, "", |n| {
            let user = json!({"key": "user.id", "value": {"stringValue": "user-1"}});
            told(
                vec![json!({"eventName": "a", "attributes": [user]}); n],
                |records| json!({"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]}),
            )
        }),
        Telling {
            door: Door::OtlpLogs,
            query: "",
            content_type: "application/x-protobuf",
            body: |n| {
                let value = Some(Any { text: Some("user-1".into()), double: None });
                let attributes = vec![Pair { key: "user.id".into(), value }];
                let record = Record { time: 0, attributes, name: "a".into() }.encode_to_vec();
                wrapped(1, &[wrapped(2, &[wrapped(2, &vec![record; n])])])
            },
        },
    ]
}

/// Hands in so many events with the key of a desk.
fn tell(desk: &Desk, telling: &Telling, events: usize) -> Reply {
    let mut body = (telling.body)(events);
    // A form and JSON name the key; protobuf has it in a header.
    if let Ok(text) = std::str::from_utf8(&body)
        && telling.content_type != "application/x-protobuf"
    {
        body = text.replace("KEY", &desk.secret).into_bytes();
    }
    desk.reply(telling.door, telling.query, telling.content_type, &body)
}

/// posthog-js drops what a 429 refuses.
fn too_much(door: Door) -> u16 {
    if door == Door::PostHog { 503 } else { 429 }
}

#[test]
fn a_key_past_its_rate_is_told_in_the_words_of_each_protocol() {
    let mut desk = Desk::new();
    let stored = |desk: &Desk| desk.house.did("system.status", json!({}))["events"].as_u64().unwrap();
    let mut answers = Vec::new();
    for telling in tellings() {
        let given =
            json!({"name": "held", "scope": "client", "environment": "production", "events_per_second": 1});
        let made = desk.house.did("key.create", given);
        let others = std::mem::replace(&mut desk.secret, made["secret"].as_str().unwrap().to_owned());
        let id = made["id"].as_str().unwrap();
        let what = format!("{:?} {} {}", telling.door, telling.query, telling.content_type);
        let before = stored(&desk);
        // Thirty seconds' worth may come at once.
        assert_eq!(tell(&desk, &telling, 30).status, 200, "{what}");
        assert_eq!(stored(&desk), before + 30, "{what}");
        let refused = tell(&desk, &telling, 12);
        let status = too_much(telling.door);
        assert_eq!((refused.status, refused.retry_after), (status, Some(12)), "{what}");
        assert_eq!(stored(&desk), before + 30, "{what}: nothing of it is stored");
        let said = match &refused.body {
            Body::Json(body) => body.to_string(),
            Body::Text(body) => (*body).to_owned(),
            Body::Protobuf(body) => String::from_utf8_lossy(body).into_owned(),
        };
        // Mixpanel's plain answer is a digit, whatever is wrong.
        assert_eq!(said.contains(id), said != "0", "{what}: {said}");
        assert!(!said.contains(&desk.secret), "{what}: {said}");
        let said = said.replace(id, "ID").replace(&every_index(), "[EVERY INDEX]");
        answers.push(format!("{what}\n{}", said.replace(char::is_control, " ")));

        // Another key of the environment goes on, and so does this one when it was said.
        let held = std::mem::replace(&mut desk.secret, others);
        assert_eq!(tell(&desk, &telling, 40).status, 200, "{what}");
        let others = std::mem::replace(&mut desk.secret, held);
        desk.house.later(11_999);
        assert_eq!(tell(&desk, &telling, 12).status, status, "{what}");
        desk.house.later(1);
        assert_eq!(tell(&desk, &telling, 12).status, 200, "{what}");
        assert_eq!(stored(&desk), before + 30 + 40 + 12, "{what}");
        desk.secret = others;
    }
    insta::assert_snapshot!("too_much_by_a_key", answers.join("\n\n"));
}

/// What tells Amplitude's SDKs to wait with all that they sent: the indexes of the most events of one request.
fn every_index() -> String {
    Json::from_iter(0..2_000).to_string()
}

/// It is refused before it is read, so that nobody knows how many events it brings.
#[test]
fn who_is_overrun_tells_amplitudes_sdks_to_wait_with_all_that_they_sent() {
    let house = House::with(1, |settings| settings.store.seal_bytes = 1);
    let secret = house.key("client");
    assert_eq!(send(&house, Door::AmplitudeHttp, &events(&secret, &["device-1"])).status, 200);
    for door in [Door::AmplitudeHttp, Door::AmplitudeBatch] {
        let refused = send(&house, door, &events(&secret, &["device-1"]));
        let Body::Json(body) = &refused.body else { panic!("{refused:?}") };
        assert_eq!((refused.status, &body["eps_threshold"]), (429, &json!(0)));
        assert_eq!(body["throttled_events"].to_string(), every_index());
        assert_eq!(body["error"], "more events are waiting than may wait");
    }
}

#[test]
fn a_message_alone_counts_as_one() {
    let mut desk = Desk::new();
    let given =
        json!({"name": "held", "scope": "server", "environment": "production", "events_per_second": 1});
    desk.secret = desk.house.did("key.create", given)["secret"].as_str().unwrap().to_owned();
    let body = br#"{"event": "a", "userId": "user-1"}"#;
    let track = |desk: &Desk| desk.reply(Door::Segment(Some(Call::Track)), "", "", body).status;
    assert!((0..30).all(|_| track(&desk) == 200));
    assert_eq!(track(&desk), 429);
    assert_eq!(desk.house.events().len(), 30);
    desk.house.later(1_000);
    assert_eq!((track(&desk), track(&desk)), (200, 429));
}

#[test]
fn a_rate_holds_from_the_next_request_on() {
    let mut desk = Desk::new();
    let key = named(&desk.house, "client");
    let telling = &tellings()[0];
    assert_eq!(tell(&desk, telling, 500).status, 200);
    let limit =
        |desk: &Desk, rate: Json| desk.house.did("key.limit", json!({"key": key, "events_per_second": rate}));
    let rehearsed = desk.house.rehearse("key.limit", json!({"key": key, "events_per_second": 1}));
    assert_eq!(rehearsed.unwrap(), json!({"events_per_second": 1}));
    let listed = |desk: &Desk| desk.house.did("key.list", json!({}))["keys"][0]["events_per_second"].clone();
    assert_eq!((listed(&desk), tell(&desk, telling, 500).status), (Json::Null, 200));

    assert_eq!(limit(&desk, json!(2)), json!({"events_per_second": 2}));
    assert_eq!(listed(&desk), json!(2));
    let statuses = |desk: &Desk| [60, 1].map(|events| tell(desk, telling, events).status);
    assert_eq!(statuses(&desk), [200, 429]);
    desk.house = desk.house.restart();
    assert_eq!((listed(&desk), statuses(&desk)), (json!(2), [200, 429]));
    // A higher one lets it go on at once, none at all lets everything in.
    limit(&desk, json!(4));
    assert_eq!(tell(&desk, telling, 60).status, 200);
    assert_eq!(tell(&desk, telling, 60).status, 429);
    limit(&desk, Json::Null);
    assert_eq!((listed(&desk), tell(&desk, telling, 500).status), (Json::Null, 200));

    let refused = |rate: u32, key: &str| {
        desk.house.refused("key.limit", json!({"key": key, "events_per_second": rate}))
    };
    let ops = desk.house.key("admin");
    let admin = named(&desk.house, "admin");
    desk.house.did("key.revoke", json!({"key": key}));
    let create = json!({"name": "n", "scope": "admin", "events_per_second": 5});
    let answers = [
        refused(0, &key),
        refused(5, "k"),
        refused(5, &admin),
        refused(5, &key).replace(&key, "ID"),
        desk.house.refused("key.create", create),
        desk.house.refused("key.limit", json!({"key": key, "events_per_second": -1})),
    ];
    assert!(answers.iter().all(|said| !said.contains(&ops)));
    insta::assert_snapshot!(answers.join("\n"), @"
    400 a key may bring at least 1 event a second, and `events_per_second` is `0`
    hint: leave it out for as many as its environment takes; revoke a key that shall bring none
    404 there is no key `k`
    hint: `key.list` shows what there is
    400 an `admin` key brings no events, so it has no rate
    hint: leave `events_per_second` out, or limit the `client` or `server` key that sends
    409 the key `ID` was revoked and brings nothing
    hint: make another one with `key.create`
    400 an `admin` key brings no events, so it has no rate
    hint: leave `events_per_second` out, or limit the `client` or `server` key that sends
    400 in `events_per_second`: `-1` stands where a whole number from 0 to 4294967295 belongs
    hint: what belongs in `events_per_second`: How many events a second it may bring, on the average of 30 seconds; as many as its environment takes unless given
    ");
}

#[test]
fn keys_divide_the_rate_of_their_environment() {
    let mut house = House::with(1, |settings| {
        settings.rates = Rates { environment: 100, unit: 0, unit_batch: 0, bot: 0 };
    });
    let [wild, other] = [house.key("client"), house.key("server")];
    let send = |house: &House, secret: &str, n: usize| {
        send(house, Door::AmplitudeBatch, &events(secret, &vec!["device-1"; n]))
    };
    // One that is alone has all of it: thirty seconds' worth at once.
    assert_eq!([1_500, 1_500, 1].map(|n| send(&house, &wild, n).status), [200, 200, 429]);
    // Who comes then waits for its first request and no longer, and then it is the other that is held back.
    let refused = send(&house, &other, 100);
    assert_eq!((refused.status, refused.retry_after), (429, Some(1)));
    for second in 0..60 {
        house.later(1_000);
        let refused = send(&house, &wild, 100);
        assert_eq!(send(&house, &other, 50).status, 200, "{second}");
        if second == 0 {
            let Body::Json(body) = &refused.body else { panic!("{refused:?}") };
            assert_eq!(
                body["hint"].as_str().unwrap().replace(&named(&house, "client"), "ID"),
                "the key `ID` brings more than its part of the `100` events a second of `production`, which `2` \
                 keys share; send it again in 16 seconds; nothing of this request was stored"
            );
            assert_eq!((refused.status, &body["eps_threshold"]), (429, &json!(100)));
        }
    }
    // Another environment has a room of its own.
    let made = house.did("key.create", json!({"name": "d", "scope": "server", "environment": "development"}));
    assert_eq!(send(&house, made["secret"].as_str().unwrap(), 2_000).status, 200);
}

#[test]
fn a_revoked_key_has_no_part_any_more() {
    let mut house = House::with(1, |settings| {
        settings.rates = Rates { environment: 100, unit: 0, unit_batch: 0, bot: 0 };
    });
    let [gone, stays] = [house.key("client"), house.key("server")];
    let key = named(&house, "client");
    let send = |house: &House, secret: &str, n: usize| {
        send(house, Door::AmplitudeBatch, &events(secret, &vec!["device-1"; n])).status
    };
    assert_eq!(send(&house, &gone, 1), 200);
    house.later(10);
    // The lower half is anybody's, and of the upper each may have its half.
    assert_eq!([1_500, 750, 1].map(|n| send(&house, &stays, n)), [200, 200, 429]);
    house.did("key.revoke", json!({"key": key}));
    assert_eq!([750, 1].map(|n| send(&house, &stays, n)), [200, 429]);
    assert_eq!(send(&house, &gone, 1), 400);
}

#[test]
fn a_request_with_several_keys_is_taken_as_a_whole_or_not() {
    let house = House::with(1, |settings| {
        settings.rates = Rates { environment: 0, unit: 0, unit_batch: 0, bot: 0 };
    });
    let made = |rate: Option<u32>| {
        let given =
            json!({"name": "n", "scope": "client", "environment": "production", "events_per_second": rate});
        house.did("key.create", given)["secret"].as_str().unwrap().to_owned()
    };
    let (held, free) = (made(Some(1)), made(None));
    for (door, name) in [(Door::MixpanelTrack, "mix"), (Door::PostHog, "hog")] {
        let bring = |of_free: usize, of_held: usize| {
            let event =
                |token: &str| json!({"event": name, "properties": {"token": token, "distinct_id": "u-1"}});
            let mut list = vec![event(&free); of_free];
            list.extend(vec![event(&held); of_held]);
            // They need not stand together.
            list.rotate_left(of_free / 2);
            house
                .bring(door, &Sent { body: Json::from(list).to_string().as_bytes(), ..Sent::default() })
                .status
        };
        let before = house.events().len();
        // The first that is there is the free one, and each is asked for what it brings itself.
        let much = too_much(door);
        let taken = if name == "mix" { [200, much, 200] } else { [much, much, 200] };
        assert_eq!([(40, 20), (40, 11), (40, 0)].map(|(a, b)| bring(a, b)), taken, "{name}");
        let stored = if name == "mix" { 60 + 40 } else { 40 };
        assert_eq!(house.events().len() - before, stored, "{name}");
    }
}

//! App tests: an environment that stores hashes of ids. What joins by them goes on joining, who asks by an id is
//! answered, and the id itself is nowhere.

use bellwether_app::{Door, Track};
use serde_json::{Value as Json, json};

use crate::forgotten::{export, files_with, settle};
use crate::house::{DAY, Dice, HOUR, House, user};
use crate::protocols::Desk;

/// Ids that nothing compresses, so that they are found wherever they are.
const USER: &str = "kQ7vXz31-9fJtR0pLwYb64GdNh2sMcUe";
const DEVICE: &str = "Zw8Ry5Tn-1xCq7Vb3LkPj90HgFd6SaMu";

fn hash_ids(house: &House) -> Json {
    let handling = json!({"user_ids": "hash", "device_ids": "hash", "invalid": "quarantine"});
    let plan = json!({"rules": {"environments": {"production": handling}},
        "events": {"Odd": {"properties": {"plan": {"type": "integer"}}}}});
    house.did("plan.save", json!({"plan": plan, "why": "test"}))
}

fn text(key: &str, value: &str) -> Json {
    json!({"key": key, "value": {"stringValue": value}})
}

/// An evaluation as OpenTelemetry reports it.
fn evaluation(variant: &str, user: &str) -> Json {
    json!({"timeUnixNano": "1790000000000000000", "eventName": "feature_flag.evaluation", "attributes": [
        text("feature_flag.key", "f"), text("feature_flag.result.variant", variant),
        text("feature_flag.context.id", user)]})
}

fn logs(records: &Json) -> Json {
    json!({"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]})
}

/// The same person by every door, in the quarantine, remembered by a flag, in memory and in parts.
fn everywhere(desk: &Desk) {
    let Desk { house, .. } = desk;
    house.split_flag("f", 10_000);
    let sticky = json!({"flag": "f", "environment": "production", "sticky": true, "why": "test"});
    house.did("flag.enrolment", sticky);
    for round in 0..2 {
        let context = user(json!({"user_id": USER, "device_id": DEVICE}));
        house.app.evaluate(&house.served(), "f", &context, Track::Exposure, None, house.now).unwrap();
        let visitor = user(json!({"device_id": DEVICE}));
        house.app.evaluate(&house.served(), "f", &visitor, Track::Assignment, None, house.now).unwrap();
        let insert = |what: &str| format!("{what}-{USER}-{round}");
        desk.json(Door::AmplitudeHttp, "", &json!({"api_key": "KEY", "events": [
            {"event_type": "Seen", "user_id": USER, "device_id": DEVICE, "insert_id": insert("a"),
                "event_properties": {"viewer": USER, "seen": {"by": [DEVICE, "eve"]}}},
            {"event_type": "Odd", "user_id": USER, "insert_id": insert("odd"), "event_properties": {"plan": USER}},
            {"event_type": "$identify", "user_id": USER, "device_id": DEVICE,
                "user_properties": {"$set": {"login": USER, "town": "Delft"}}},
            {"event_type": "$exposure", "user_id": USER, "insert_id": insert("e"),
                "event_properties": {"flag_key": "f", "variant": "on"}}]}));
        let properties = json!({"distinct_id": USER, "$anon_distinct_id": DEVICE, "$device_id": DEVICE,
            "$user_id": USER, "$set": {"id": USER}});
        desk.json(
            Door::PostHog,
            "",
            &json!({"api_key": "KEY", "batch": [
            {"event": "$identify", "uuid": insert("p"), "properties": properties},
            {"event": "$pageview", "distinct_id": USER, "properties": {"$device_id": DEVICE}}]}),
        );
        desk.json(
            Door::Segment(None),
            "",
            &json!({"batch": [
            {"type": "identify", "userId": USER, "anonymousId": DEVICE, "messageId": insert("s"),
                "traits": {"id": USER}, "context": {"traits": {"userId": USER}}},
            {"type": "alias", "userId": USER, "previousId": DEVICE, "messageId": insert("t")}]}),
        );
        desk.json(Door::MixpanelTrack, "", &json!([{"event": "Mix", "properties": {"token": "KEY",
            "distinct_id": USER, "$user_id": USER, "$device_id": DEVICE, "$insert_id": format!("m{round}")}}]));
        desk.json(
            Door::MixpanelEngage,
            "",
            &json!([{"$token": "KEY", "$distinct_id": USER, "$set": {"x": USER}}]),
        );
        desk.json(Door::OtlpLogs, "", &logs(&json!([evaluation("on", USER)])));
        house.app.remember(house.now).unwrap();
        if round == 0 {
            settle(house);
        }
    }
}

#[test]
fn an_id_is_nowhere_and_its_person_is_found_by_it() {
    let desk = Desk::new();
    hash_ids(&desk.house);
    everywhere(&desk);
    for id in [USER, DEVICE] {
        assert_eq!(files_with(&desk.house, id), Vec::<String>::new(), "{id}");
    }
    let whole = export(&desk.house, &json!({"user": USER}));
    let stored = whole["user"].as_str().unwrap();
    assert!(stored.starts_with("hash:") && stored.len() == 37, "{stored}");
    let device = whole["devices"][0].as_str().unwrap();
    assert_eq!((whole["devices"].as_array().unwrap().len(), device.len()), (1, 37));
    // What every door brought is of one person, and nothing else is there.
    let all = desk.house.did("event.recent", json!({"environment": "production", "limit": 500}));
    assert_eq!(whole["events"].as_array().unwrap().len(), all["events"].as_array().unwrap().len());
    assert_eq!(whole["quarantine"].as_array().unwrap().len(), 2);
    assert_eq!(whole["properties"]["login"], stored);
    assert_eq!(whole["properties"]["town"], "Delft");
    assert_eq!(whole["enrolments"][0]["flag"], "f");
    let seen = whole["events"].as_array().unwrap().iter().find(|event| event["event"] == "Seen").unwrap();
    assert_eq!(seen["who"], json!({"both": {"user": stored, "device": device}}));
    let unplanned = json!({"viewer": stored, "seen": {"by": [device, "eve"]}, "$verdict": "unplanned_event"});
    assert_eq!(seen["properties"], unplanned);
    assert_eq!(seen["insert_id"].as_str().unwrap().len(), 36, "a part holds it in 16 bytes");
    // By the hash, as somebody sees it on the page, it is the same person; so it is by their device.
    for by in [json!({"user": stored}), json!({"device": DEVICE}), json!({"device": device})] {
        assert_eq!(export(&desk.house, &by), whole, "{by}");
    }
    let whom = json!({"environment": "production", "user": USER, "confirm": USER});
    desk.house.did("person.forget", whom);
    settle(&desk.house);
    assert_eq!(export(&desk.house, &json!({"user": USER}))["events"], json!([]));
    for id in [stored, device, &stored[5..], &device[5..]] {
        assert_eq!(files_with(&desk.house, id), Vec::<String>::new(), "{id}");
    }
}

#[test]
fn what_is_told_twice_counts_once() {
    let desk = Desk::new();
    hash_ids(&desk.house);
    desk.house.split_flag("f", 10_000);
    for _ in 0..2 {
        // Asked for here, and reported by who asked.
        desk.house.shown("f", "user-1");
        desk.json(Door::OtlpLogs, "", &logs(&json!([evaluation("on", "user-1")])));
        let event = json!({"event_type": "Seen", "user_id": "user-1", "insert_id": "once"});
        desk.json(Door::AmplitudeHttp, "", &json!({"api_key": "KEY", "events": [event]}));
        let odd = json!({"event_type": "Odd", "user_id": "user-1", "insert_id": "odd", "event_properties": {"plan": "x"}});
        desk.json(Door::AmplitudeHttp, "", &json!({"api_key": "KEY", "events": [odd]}));
    }
    let mut stored: Vec<String> =
        desk.house.events().iter().map(|event| event["event"].to_string()).collect();
    stored.sort();
    assert_eq!(stored, [r#""$exposure""#, r#""Seen""#]);
    let released = json!({"environment": "production", "all": true});
    assert_eq!(desk.house.did("quarantine.release", released), json!({"stored": 1, "duplicates": 0}));
}

/// What is refused of an id is refused of the id that came, and what is judged of an event is its own.
#[test]
fn an_id_is_judged_before_it_is_hashed() {
    let desk = Desk::new();
    hash_ids(&desk.house);
    for (user, status) in [("anonymous", 400), ("null", 400), ("abc", 400), ("abcde", 200)] {
        let event = json!({"event_type": "Seen", "user_id": user});
        let answer = desk.json(Door::AmplitudeHttp, "", &json!({"api_key": "KEY", "events": [event]}));
        assert_eq!(answer[0], status, "{user}: {answer}");
    }
    desk.house.split_flag("f", 10_000);
    desk.house.shown("f", "anonymous");
    assert_eq!(desk.house.events().len(), 1);
}

/// An experiment says the same whether ids are hashed or not: exposures of evaluations and of SDKs are joined with what
/// SDKs send, devices with the users that they become.
#[test]
fn an_experiment_says_the_same_of_hashes() {
    let said = |hashed: bool| {
        let mut desk = Desk::new();
        if hashed {
            hash_ids(&desk.house);
        }
        desk.house.split_flag("f", 5_000);
        let metric = json!({"metric": "buys", "event": "buy", "measure": {"measure": "conversion"}});
        desk.house.did("metric.save", metric);
        desk.house.did(
            "experiment.create",
            json!({"experiment": "e", "flag": "f", "environment": "production",
            "control": "off", "metric": "buys", "days": 7}),
        );
        desk.house.did("experiment.start", json!({"experiment": "e", "why": "test"}));
        desk.house.later(HOUR);
        let mut dice = Dice(42);
        let mut events = Vec::new();
        for n in 0..3_000 {
            let (user, device) = (format!("user-{n}"), format!("device-{n}"));
            // Every third is exposed by an SDK's own event.
            let variant = if n % 3 == 0 {
                let variant = desk.house.peeked("f", &user);
                events.push(
                    json!({"event_type": "[Experiment] Exposure", "user_id": user, "time": desk.house.now.0,
                    "event_properties": {"[Experiment] Flag Key": "f", "[Experiment] Variant": variant}}),
                );
                variant
            } else {
                desk.house.shown("f", &user)
            };
            events.push(
                json!({"event_type": "Seen", "user_id": user, "device_id": device, "time": desk.house.now.0}),
            );
            if dice.below(if variant == "on" { 0.16 } else { 0.10 }) {
                // As a visitor, on the device that is theirs.
                let who = if n % 2 == 0 { ("user_id", &user) } else { ("device_id", &device) };
                events.push(json!({"event_type": "buy", who.0: who.1, "time": desk.house.now.0 + 1}));
            }
        }
        for some in events.chunks(500) {
            desk.house.send(&json!({"api_key": desk.secret, "events": some})).unwrap();
        }
        settle(&desk.house);
        desk.house.later(8 * DAY);
        let found = desk.house.did("experiment.results", json!({"experiment": "e"}));
        found["judgement"].clone()
    };
    let (plain, mut hashed) = (said(false), said(true));
    // The revision is of a plan more.
    hashed["evidence"]["revision"] = plain["evidence"]["revision"].clone();
    assert_eq!(hashed["comparisons"], plain["comparisons"]);
    assert_eq!(hashed["verdict"], plain["verdict"]);
    assert_eq!(hashed["verdict"]["verdict"], "ship");
}

/// Who was enrolled keeps what they had: before ids were hashed and after, over a restart, and where a memory is made
/// of what is recorded.
#[test]
fn who_is_enrolled_stays_enrolled() {
    let sticky = json!({"flag": "f", "environment": "production", "sticky": true, "why": "test"});
    let other = |house: &House| {
        let shares = json!([{"variant": "on", "share": 1}, {"variant": "off", "share": 9_999}]);
        let default = json!({"serve": "split", "shares": shares, "salt": "f-1"});
        house.did(
            "flag.target",
            json!({"flag": "f", "environment": "production", "default": default, "why": "test"}),
        );
    };
    for (remembers_first, hashes_first) in [(true, true), (true, false), (false, true)] {
        let mut house = House::new();
        house.split_flag("f", 5_000);
        let made = |house: &House| house.did("flag.enrolment", sticky.clone());
        if remembers_first {
            made(&house);
        }
        if hashes_first {
            hash_ids(&house);
        }
        let users: Vec<String> = (0..300).map(|n| format!("user-{n}")).collect();
        let had: Vec<String> = users.iter().map(|user| house.shown("f", user)).collect();
        assert!(had.iter().any(|variant| variant == "on") && had.iter().any(|variant| variant == "off"));
        house.app.commit().unwrap();
        house.app.remember(house.now).unwrap();
        if !hashes_first {
            hash_ids(&house);
        }
        if !remembers_first {
            made(&house);
        }
        other(&house);
        let has = |house: &House| users.iter().map(|user| house.peeked("f", user)).collect::<Vec<_>>();
        assert_eq!(has(&house), had, "{remembers_first} {hashes_first}");
        house.later(HOUR);
        house = house.restart();
        assert_eq!(has(&house), had, "{remembers_first} {hashes_first}, after a restart");
    }
}

#[test]
fn whoever_hashes_ids_is_told_what_comes_of_it() {
    let house = House::new();
    let key = house.key("server");
    let events = |n: i64| json!({"api_key": key, "events": [{"event_type": "Seen", "user_id": USER, "insert_id": format!("{n}")}]});
    house.send(&events(1)).unwrap();
    let saved = hash_ids(&house);
    assert_eq!(
        saved["warnings"],
        json!([
            {"message": "in `production`, ids of users are stored as keyed hashes: whoever was seen before counts as somebody else",
                "hint": "what is stored already stays as it is; the events that SDKs send again across the change count twice"},
            {"message": "in `production`, ids of devices are stored as keyed hashes: whoever was seen before counts as somebody else",
                "hint": "what is stored already stays as it is; the events that SDKs send again across the change count twice"},
        ])
    );
    // Whoever was stored before is handed out and forgotten with who came after.
    house.send(&events(2)).unwrap();
    assert_eq!(export(&house, &json!({"user": USER}))["events"].as_array().unwrap().len(), 2);
    house.did("person.forget", json!({"environment": "production", "user": USER, "confirm": USER}));
    assert_eq!(export(&house, &json!({"user": USER}))["events"], json!([]));
    settle(&house);
    assert_eq!(files_with(&house, USER), Vec::<String>::new());

    let house = House::new();
    house.split_flag("f", 5_000);
    house.did("metric.save", json!({"metric": "buys", "event": "buy", "measure": {"measure": "conversion"}}));
    house.did(
        "experiment.create",
        json!({"experiment": "e", "flag": "f", "environment": "production",
        "control": "off", "metric": "buys", "days": 7}),
    );
    house.did("experiment.start", json!({"experiment": "e", "why": "test"}));
    let saved = hash_ids(&house);
    assert_eq!(
        saved["warnings"][0]["hint"],
        "end `e` first: who was exposed before the change is not joined with what they do after it"
    );
}

fn hash_users(house: &House) {
    let plan = json!({"rules": {"environments": {"production": {"user_ids": "hash"}}}});
    house.did("plan.save", json!({"plan": plan, "why": "test"}));
}

/// An alias by each door: Segment's, PostHog's and Mixpanel's, for one user each.
fn aliases(desk: &Desk, earlier: &str) {
    let alias = json!({"type": "alias", "userId": "new-user-1", "previousId": earlier});
    desk.json(Door::Segment(None), "", &json!({"batch": [alias]}));
    let alias =
        json!({"event": "$create_alias", "distinct_id": "new-user-2", "properties": {"alias": earlier}});
    desk.json(Door::PostHog, "", &json!({"api_key": "KEY", "batch": [alias]}));
    let properties = json!({"token": "KEY", "distinct_id": "new-user-3", "alias": earlier});
    desk.json(Door::MixpanelTrack, "", &json!([{"event": "$create_alias", "properties": properties}]));
}

#[test]
fn an_id_of_a_user_is_a_hash_where_it_stands_as_another_id_too() {
    let desk = Desk::new();
    hash_users(&desk.house);
    let track = json!({"type": "track", "event": "Seen", "userId": USER, "anonymousId": USER});
    desk.json(Door::Segment(None), "", &json!({"batch": [track]}));
    let seen = json!({"event_type": "Seen", "user_id": USER, "device_id": USER});
    desk.json(Door::AmplitudeHttp, "", &json!({"api_key": "KEY", "events": [seen]}));
    let mut otlp = evaluation("on", USER);
    otlp["attributes"].as_array_mut().unwrap().push(text("device.id", USER));
    desk.json(Door::OtlpLogs, "", &logs(&json!([otlp])));
    // An evaluation of ours.
    desk.house.split_flag("f", 5_000);
    let context = user(json!({"user_id": USER, "device_id": USER}));
    desk.house
        .app
        .evaluate(&desk.house.served(), "f", &context, Track::Exposure, None, desk.house.now)
        .unwrap();
    aliases(&desk, "old@secret.example");
    let stored = desk.house.events();
    // An evaluation that is told twice is one exposure.
    assert_eq!(stored.len(), 6);
    for event in &stored {
        let both = &event["who"]["both"];
        let is_hash = |id: &Json| id.as_str().is_some_and(|id| id.starts_with("hash:") && id.len() == 37);
        assert!(is_hash(&both["user"]) && is_hash(&both["device"]), "{event}");
    }
    settle(&desk.house);
    for id in [USER, "old@secret.example"] {
        assert_eq!(files_with(&desk.house, id), Vec::<String>::new(), "{id}");
    }
    // Who asks by the id finds them, also by an earlier one, and each alias is of its user alone.
    assert_eq!(export(&desk.house, &json!({"user": USER}))["events"].as_array().unwrap().len(), 3);
    assert_eq!(export(&desk.house, &json!({"user": "new-user-1"}))["events"].as_array().unwrap().len(), 1);
    let first = export(&desk.house, &json!({"user": "new-user-1"}))["devices"][0].clone();
    assert_eq!(export(&desk.house, &json!({"user": "new-user-2"}))["devices"], json!([first]));
}

/// A device that is kept is not hashed because somebody else's id is; and whoever's device an alias names stays theirs.
#[test]
fn an_alias_joins_what_a_visitor_did_whether_ids_are_hashed_or_not() {
    // As SDKs of browsers make them: UUIDs, and Mixpanel's.
    let made = [
        "0192a5c4-7d3e-7b1a-9f52-c0ffee123456",
        "18f3b2c4d5e6f-0a1b2c3d4e5f6a-1f3b1c2d-1fa400-18f3b2c4d5e7a",
    ];
    let (users, both) = (json!({"user_ids": "hash"}), json!({"user_ids": "hash", "device_ids": "hash"}));
    let chosen = "visitor-of-the-shop";
    for (handling, devices) in [
        (json!({}), [made[0], made[1], chosen]),
        (both, [made[0], made[1], chosen]),
        (users, [made[0], made[1], made[0]]),
    ] {
        for device in devices {
            let desk = Desk::new();
            let plan = json!({"rules": {"environments": {"production": handling}}});
            desk.house.did("plan.save", json!({"plan": plan, "why": "test"}));
            let page = json!({"type": "page", "anonymousId": device});
            desk.json(Door::Segment(None), "", &json!({"batch": [page]}));
            aliases(&desk, device);
            // The first who claims it has it.
            let whole = export(&desk.house, &json!({"user": "new-user-1"}));
            let types: Vec<&Json> = whole["events"].as_array().unwrap().iter().map(|e| &e["event"]).collect();
            assert_eq!(types, ["Page Viewed", "$create_alias"], "{handling} {device}");
        }
    }
}

/// What Mixpanel's `$merge` names is of nobody that the event itself names.
#[test]
fn the_ids_of_a_merge_are_hashed_as_ids_are() {
    let device = "0192a5c4-7d3e-7b1a-9f52-c0ffee123456";
    for (handling, kept) in [
        (json!({}), vec![USER, "other@secret.example", device]),
        (json!({"user_ids": "hash"}), vec![device]),
        (json!({"device_ids": "hash"}), vec![USER, "other@secret.example"]),
        (json!({"user_ids": "hash", "device_ids": "hash"}), vec![]),
    ] {
        let desk = Desk::new();
        let plan = json!({"rules": {"environments": {"production": handling}}});
        desk.house.did("plan.save", json!({"plan": plan, "why": "test"}));
        let ids = json!([USER, "other@secret.example", device, 7]);
        let properties = json!({"token": "KEY", "distinct_id": "somebody-else", "$distinct_ids": ids});
        desk.json(Door::MixpanelTrack, "", &json!([{"event": "$merge", "properties": properties}]));
        let stored = desk.house.events()[0]["properties"]["$distinct_ids"].clone();
        let plain: Vec<&str> = stored.as_array().unwrap().iter().filter_map(Json::as_str).collect();
        assert_eq!(plain.len(), 3);
        let plain: Vec<&str> = plain.into_iter().filter(|id| !id.starts_with("hash:")).collect();
        assert_eq!(plain, kept, "{handling}");
    }
}

//! App tests: what evaluations leave behind.

use bellwether_app::Track;
use bellwether_model::Context;
use serde_json::json;

use crate::house::{DAY, HOUR, House, user};

fn exposures(house: &House) -> Vec<(String, String, String)> {
    let mut found: Vec<_> = house
        .events()
        .iter()
        .map(|e| {
            let text = |v: &serde_json::Value| v.as_str().unwrap_or_default().to_owned();
            (text(&e["event"]), e["who"].to_string(), text(&e["properties"]["variant"]))
        })
        .collect();
    found.sort();
    found
}

#[test]
fn a_unit_is_exposed_once_a_day_and_again_for_a_new_trial() {
    let mut house = House::new();
    house.split_flag("f", 10_000);
    for _ in 0..3 {
        house.shown("f", "user-1");
    }
    assert_eq!(house.events().len(), 1, "the same day");
    house.later(DAY);
    house.shown("f", "user-1");
    assert_eq!(house.events().len(), 2, "the next day");
    let rollout = json!({"flag": "f", "environment": "production", "candidate": "on", "control": "off",
        "share": 5000, "why": "test"});
    house.did("rollout.start", rollout);
    house.shown("f", "user-1");
    assert_eq!(house.events().len(), 3, "a rollout has begun");
    let widen = json!({"flag": "f", "environment": "production", "share": 6000, "why": "test"});
    house.later(HOUR);
    house.did("rollout.widen", widen);
    house.shown("f", "user-1");
    assert_eq!(house.events().len(), 4, "another epoch has begun");
}

#[test]
fn health_tells_what_the_server_recorded_from_what_came() {
    let house = House::new();
    house.split_flag("f", 10_000);
    let health = |house: &House| {
        house.app.commit().unwrap();
        let health = house.did("event.health", json!({"environment": "production"}));
        ["stored", "recorded", "duplicates", "unnamed"].map(|field| health[field].as_u64().unwrap())
    };
    house.shown("f", "user-1");
    house.shown("f", "user-2");
    house.assigned("f", "user-1");
    assert_eq!(health(&house), [0, 3, 0, 0]);
    let key = house.key("server");
    house.send(&json!({"api_key": key, "events": [{"event_type": "buy", "user_id": "user-1"}]})).unwrap();
    assert_eq!(health(&house), [1, 3, 0, 1]);
    // After a start it does not know whom it recorded today: what is there already is recorded no second time.
    let house = house.restart();
    house.shown("f", "user-1");
    house.shown("f", "user-3");
    assert_eq!(health(&house), [0, 1, 0, 0]);
    let elsewhere = house.did("event.health", json!({"environment": "development"}));
    assert_eq!(elsewhere["recorded"], 0);
}

#[test]
fn an_exposure_says_who_and_what_and_under_which_revision() {
    let house = House::new();
    house.split_flag("f", 10_000);
    let context = user(json!({"user_id": "user-1", "device_id": "device-1"}));
    house.app.evaluate(&house.served(), "f", &context, Track::Exposure, None, house.now).unwrap();
    let stored = house.events();
    let [event] = stored.as_slice() else { panic!("one event") };
    assert_eq!(event["event"], "$exposure");
    assert_eq!(event["who"], json!({"both": {"user": "user-1", "device": "device-1"}}));
    assert_eq!(event["properties"], json!({"flag_key": "f", "variant": "on"}));
    assert_eq!(event["revision"], house.revision());
    assert_eq!((&event["time"], &event["received"]), (&json!(house.now), &json!(house.now)));
}

#[test]
fn only_the_enrolled_are_recorded_as_they_were_tracked() {
    let house = House::new();
    house.split_flag("split", 10_000);
    house.did("flag.create", json!({"flag": "plain"}));
    house
        .did("flag.toggle", json!({"flag": "plain", "environment": "production", "on": true, "why": "test"}));
    house.shown("plain", "user-1");
    house.peeked("split", "user-1");
    assert!(exposures(&house).is_empty(), "nobody was compared");
    let context = Context::new(Some("user-1"), serde_json::Map::new());
    let both = [Track::Assignment, Track::Exposure];
    house.app.evaluate_all(&house.served(), None, &context, &both, None, house.now);
    let who = r#"{"user":"user-1"}"#.to_owned();
    let on = "on".to_owned();
    assert_eq!(
        exposures(&house),
        [("$assignment".into(), who.clone(), on.clone()), ("$exposure".into(), who, on)]
    );
}

#[test]
fn an_id_that_intake_would_refuse_is_answered_and_not_recorded() {
    let house = House::new();
    house.split_flag("f", 10_000);
    assert_eq!(house.shown("f", &"x".repeat(100_000)), "on");
    assert!(house.events().is_empty());
}

#[test]
fn an_id_that_names_nobody_is_answered_and_not_recorded() {
    let house = House::new();
    house.split_flag("f", 10_000);
    let nobody = ["", " ", "null", "undefined", "Anonymous", "unknown", "none", "nil", "N/A", "-1", "{}"];
    let zeros = ["0", "00000000-0000-0000-0000-000000000000"];
    for id in nobody.into_iter().chain(zeros) {
        // An empty id is no unit at all: nobody can be assigned by it.
        assert_eq!(house.shown("f", id), if id.is_empty() { "off" } else { "on" }, "{id:?}");
        // A device that is none would be counted as one giant unit of flags that divide by it.
        let context = user(json!({"user_id": "user-1", "device_id": id}));
        house.app.evaluate(&house.served(), "f", &context, Track::Exposure, None, house.now).unwrap();
        let recorded = house.events();
        assert!(recorded.iter().all(|e| e["who"] == json!({"user": "user-1"})), "{id:?}: {recorded:?}");
    }
    house.shown("f", "nobody-1");
    assert!(house.events().iter().any(|e| e["who"] == json!({"user": "nobody-1"})));
}

/// Who is in the same part of a split is the same unit in what is recorded.
#[test]
fn a_device_that_is_a_number_is_named_as_it_was_divided() {
    let house = House::new();
    house.split_flag("f", 10_000);
    for id in [json!(5), json!(5.0), json!("5"), json!(1e21), json!("1e+21"), json!(null)] {
        let context = user(json!({"user_id": "user-1", "device_id": id}));
        house.app.evaluate(&house.served(), "f", &context, Track::Exposure, None, house.now).unwrap();
    }
    let who: Vec<_> = house.events().iter().map(|e| e["who"].clone()).collect();
    let both = |device| json!({"both": {"user": "user-1", "device": device}});
    let mut who: Vec<String> = who.iter().map(ToString::to_string).collect();
    who.sort();
    assert_eq!(
        who,
        [both("1e+21").to_string(), both("5").to_string(), json!({"user": "user-1"}).to_string()]
    );
}

#[test]
fn a_full_store_neither_loses_exposures_nor_stops_committing() {
    let house = House::with(1, |settings| settings.store.queue_bytes = 4_000);
    house.split_flag("f", 10_000);
    let secret = house.key("server");
    let events: Vec<_> =
        (0..40).map(|i| json!({"event_type": "visit", "user_id": format!("user-{i}")})).collect();
    let body = serde_json::to_vec(&json!({"api_key": secret, "events": events})).unwrap();
    let sent = bellwether_app::Sent { body: &body, ..Default::default() };
    let taken = house.app.take(bellwether_app::Door::AmplitudeHttp, &sent, house.now);
    assert!(matches!(taken, bellwether_app::Outcome::Waiting { .. }), "{taken:?}");
    house.shown("f", "user-1");
    house.app.commit().unwrap();
    house.app.commit().unwrap();
    assert_eq!(house.events().len(), 41);
    assert_eq!(house.did("system.status", json!({}))["exposures_dropped"], 0);
}

#[test]
fn exposures_that_fit_beside_no_ingestion_at_once_are_stored_in_pieces() {
    // Room for about a third of what waits, and in every round somebody else's event is there first.
    let house = House::with(1, |settings| settings.store.queue_bytes = 2_500_000);
    house.split_flag("f", 10_000);
    let secret = house.key("server");
    let total = || house.did("system.status", json!({}))["events"].as_u64().unwrap();
    for i in 0..6_500 {
        house.shown("f", &format!("user-{i}"));
    }
    for round in 1..=6_u64 {
        let visit = json!({"event_type": "visit", "user_id": "user-1"});
        let body = serde_json::to_vec(&json!({"api_key": secret, "events": [visit]})).unwrap();
        let sent = bellwether_app::Sent { body: &body, ..Default::default() };
        let taken = house.app.take(bellwether_app::Door::AmplitudeHttp, &sent, house.now);
        assert!(matches!(taken, bellwether_app::Outcome::Waiting { .. }), "{taken:?}");
        let before = total();
        house.app.commit().unwrap();
        let stored = total() - before - 1;
        assert!(stored > 0 || total() == round + 6_500, "round {round} stored {stored} exposures");
    }
    assert_eq!(total(), 6_500 + 6);
    assert!(!house.app.waiting());
    assert_eq!(house.did("system.status", json!({}))["exposures_dropped"], 0);
}

#[test]
fn a_disk_that_refuses_loses_no_exposure() {
    let house = House::new();
    house.split_flag("f", 10_000);
    let (log, away) = (house.dir.path().join("events/wal"), house.dir.path().join("away"));
    std::fs::rename(&log, &away).unwrap();
    house.shown("f", "user-1");
    assert!(house.app.commit().is_err(), "there is nowhere to write");
    assert!(house.app.waiting(), "it goes on waiting");
    assert!(house.app.commit().is_err());
    std::fs::rename(&away, &log).unwrap();
    assert_eq!(house.events().len(), 1);
    assert_eq!(house.did("system.status", json!({}))["exposures_dropped"], 0);
}

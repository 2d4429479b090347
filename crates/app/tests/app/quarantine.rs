//! App tests: what is kept apart is kept once, whatever becomes of the rest of its request.

use std::path::PathBuf;

use bellwether_app::{Door, Outcome, Reply, Sent, Settled};
use serde_json::{Value as Json, json};

use crate::house::House;
use crate::plan::shop_plan;

/// A plan whose production treats events that are not planned so.
fn plan(unplanned: &str) -> Json {
    let mut plan = shop_plan();
    plan["rules"]["environments"] = json!({"production": {"unplanned_events": unplanned}});
    plan
}

fn quarantining(adjust: impl FnOnce(&mut bellwether_app::Settings)) -> (House, String) {
    let house = House::with(1, adjust);
    house.did("plan.save", json!({"plan": plan("quarantine"), "why": "test"}));
    let key = house.key("client");
    (house, key)
}

/// An event that is planned, and two that are not: with a name by which a copy is known, and without.
fn mixed() -> Json {
    json!([
        {"event_type": "Page Viewed", "user_id": "user-1", "event_properties": {"path": "/"}, "insert_id": "p"},
        {"event_type": "X", "user_id": "user-1", "insert_id": "x"},
        {"event_type": "Y", "user_id": "user-1"},
    ])
}

/// Hands in events and commits nothing.
fn take(house: &House, key: &str, events: &Json) -> Outcome {
    let body = json!({"api_key": key, "events": events}).to_string();
    house.app.take(Door::AmplitudeHttp, &Sent { body: body.as_bytes(), ..Sent::default() }, house.now)
}

fn answered(outcome: Outcome) -> Reply {
    match outcome {
        Outcome::Answered(reply) => reply,
        Outcome::Waiting { .. } => panic!("it waits"),
    }
}

/// The types of what is kept apart.
fn held(house: &House) -> Vec<String> {
    let list = house.did("quarantine.list", json!({"environment": "production"}));
    let events = list["events"].as_array().unwrap().iter();
    events.map(|held| held["event"]["event"].as_str().unwrap().to_owned()).collect()
}

fn unfollowed(house: &House) -> Json {
    house.did("event.health", json!({"environment": "production"}))["unfollowed"].clone()
}

/// Moves the write-ahead log away, so that no file of it can be made, and says how to bring it back.
fn without_log(house: &House) -> (PathBuf, PathBuf) {
    let log = house.dir.path().join("events/wal");
    let away = house.dir.path().join("events/away");
    std::fs::rename(&log, &away).unwrap();
    (away, log)
}

#[test]
fn what_a_request_held_goes_when_the_rest_of_it_is_not_taken() {
    let (house, key) = quarantining(|settings| settings.store.queue_bytes = 160);
    // One waits, and there is no room for another.
    let first =
        json!([{"event_type": "Page Viewed", "user_id": "user-2", "event_properties": {"path": "/"}}]);
    let Outcome::Waiting { .. } = take(&house, &key, &first) else { panic!("it is taken") };
    let refused = answered(take(&house, &key, &mixed()));
    assert_eq!(refused.status, 429);
    assert_eq!(held(&house), [""; 0], "nothing of the request is there");
    assert_eq!(unfollowed(&house), 0);
    house.app.commit().unwrap();
    house.send(&json!({"api_key": key, "events": mixed()})).unwrap();
    assert_eq!(held(&house), ["X", "Y"]);
    assert_eq!((house.events().len(), unfollowed(&house)), (2, json!(2)));
}

#[test]
fn what_a_request_held_goes_when_the_disk_refuses_the_rest_of_it() {
    let (house, key) = quarantining(|_| {});
    let (away, log) = without_log(&house);
    let Outcome::Waiting { waiting, .. } = take(&house, &key, &mixed()) else { panic!("it is taken") };
    assert_eq!(held(&house), ["X", "Y"], "on disk before the request is answered");
    house.app.commit().unwrap_err();
    assert_eq!(house.app.settled(&waiting), Settled::Lost);
    assert_eq!(held(&house), [""; 0]);
    std::fs::rename(away, log).unwrap();
    house.send(&json!({"api_key": key, "events": mixed()})).unwrap();
    assert_eq!(held(&house), ["X", "Y"]);
    assert_eq!(house.events().len(), 1);
}

#[test]
fn what_another_request_was_acknowledged_for_stays() {
    let (house, key) = quarantining(|_| {});
    let (away, log) = without_log(&house);
    let Outcome::Waiting { waiting, .. } = take(&house, &key, &mixed()) else { panic!("it is taken") };
    let copy = json!([{"event_type": "X", "user_id": "user-1", "insert_id": "x"}]);
    assert_eq!(answered(take(&house, &key, &copy)).status, 200);
    house.app.commit().unwrap_err();
    assert_eq!(house.app.settled(&waiting), Settled::Lost);
    assert_eq!(held(&house), ["X"], "whoever sent the copy was told that it is kept");
    std::fs::rename(away, log).unwrap();
}

#[test]
fn what_cannot_be_taken_back_at_once_is_later_unless_it_was_acknowledged() {
    let (house, key) = quarantining(|_| {});
    let (away, log) = without_log(&house);
    let Outcome::Waiting { waiting, .. } = take(&house, &key, &mixed()) else { panic!("it is taken") };
    let other = json!([{"event_type": "Z", "user_id": "user-1", "insert_id": "z"}, mixed()[0].clone()]);
    let Outcome::Waiting { waiting: second, .. } = take(&house, &key, &other) else { panic!("it is taken") };
    house.app.commit().unwrap_err();
    // As a disk without room does.
    let hands = rusqlite::Connection::open(house.dir.path().join("quarantine.sqlite")).unwrap();
    let refuse = "create trigger full before delete on held begin select raise(abort, 'no room'); end";
    hands.execute_batch(refuse).unwrap();
    for waiting in [&waiting, &second] {
        assert_eq!(house.app.settled(waiting), Settled::Lost);
    }
    drop((waiting, second));
    assert_eq!(held(&house), ["X", "Y", "Z"]);
    let all = json!({"environment": "production", "all": true});
    let released = house.did("quarantine.release", all);
    assert_eq!(released["stored"], 0, "its senders send it again");
    let copy = json!([{"event_type": "X", "user_id": "user-1", "insert_id": "x"}]);
    assert_eq!(answered(take(&house, &key, &copy)).status, 200);
    hands.execute_batch("drop trigger full").unwrap();
    house.app.step(house.now).unwrap();
    assert_eq!(held(&house), ["X"]);
    std::fs::rename(away, log).unwrap();
}

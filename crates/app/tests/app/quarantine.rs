//! App tests: what is kept apart is kept once, whatever becomes of the rest of its request.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bellwether_app::{Door, Outcome, Reply, Sent, Settled};
use serde_json::{Value as Json, json};

use crate::forgotten::{files_with, settle};
use crate::house::{DAY, House};
use crate::plan::shop_plan;

/// A plan whose production treats events that are not planned so.
pub(crate) fn plan(unplanned: &str) -> Json {
    let mut plan = shop_plan();
    plan["rules"]["environments"] = json!({"production": {"unplanned_events": unplanned}});
    plan
}

pub(crate) fn quarantining(adjust: impl FnOnce(&mut bellwether_app::Settings)) -> (House, String) {
    let house = House::with(1, adjust);
    house.did("plan.save", json!({"plan": plan("quarantine"), "why": "test"}));
    let key = house.key("client");
    (house, key)
}

/// An event that is planned, and two that are not: with a name by which a copy is known, and without.
pub(crate) fn mixed() -> Json {
    json!([
        {"event_type": "Page Viewed", "user_id": "user-1", "event_properties": {"path": "/"}, "insert_id": "p"},
        {"event_type": "X", "user_id": "user-1", "insert_id": "x"},
        {"event_type": "Y", "user_id": "user-1"},
    ])
}

/// Hands in events and commits nothing.
pub(crate) fn take(house: &House, key: &str, events: &Json) -> Outcome {
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
pub(crate) fn held(house: &House) -> Vec<String> {
    let list = house.did("quarantine.list", json!({"environment": "production"}));
    let events = list["events"].as_array().unwrap().iter();
    events.map(|held| held["event"]["event"].as_str().unwrap().to_owned()).collect()
}

fn unfollowed(house: &House) -> Json {
    house.did("event.health", json!({"environment": "production"}))["unfollowed"].clone()
}

/// Moves the write-ahead log away, so that no file of it can be made, and says how to bring it back.
pub(crate) fn without_log(house: &House) -> (PathBuf, PathBuf) {
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
    let named = house.did("quarantine.release", json!({"environment": "production", "event": "X"}));
    assert_eq!(named["stored"], 0, "and it is there");
    let copy = json!([{"event_type": "X", "user_id": "user-1", "insert_id": "x"}]);
    assert_eq!(answered(take(&house, &key, &copy)).status, 200);
    hands.execute_batch("drop trigger full").unwrap();
    house.app.step(house.now).unwrap();
    assert_eq!(held(&house), ["X"]);
    std::fs::rename(away, log).unwrap();
}

/// One event with a name, which no plan has.
pub(crate) fn named() -> Json {
    json!([{"event_type": "X", "user_id": "user-1", "insert_id": "x"}])
}

pub(crate) fn release(house: &House) -> Json {
    house.did("quarantine.release", json!({"environment": "production", "all": true}))
}

pub(crate) fn again(house: &House) -> Json {
    house.did("event.health", json!({"environment": "production"}))["duplicates"].clone()
}

#[test]
fn a_user_and_a_device_of_the_same_text_are_two() {
    let (house, key) = quarantining(|_| {});
    let of = |who: &str| json!([{"event_type": "X", who: "same-text", "insert_id": "x"}]);
    for who in ["user_id", "device_id", "user_id"] {
        house.send(&json!({"api_key": key, "events": of(who)})).unwrap();
    }
    assert_eq!((held(&house), again(&house)), (vec!["X".into(), "X".into()], json!(1)));
    assert_eq!(release(&house), json!({"stored": 2, "duplicates": 0}));
}

#[test]
fn within_a_request_what_follows_a_sign_in_is_theirs_and_what_stands_before_it_is_not() {
    let (house, key) = quarantining(|_| {});
    let send = |events: Json| house.send(&json!({"api_key": key, "events": events})).unwrap();
    let signs_in = |user: &str| json!({"event_type": "Page Viewed", "user_id": user, "device_id": "tablet-1", "event_properties": {"path": "/"}});
    let alone = |event: &str| json!({"event_type": event, "device_id": "tablet-1"});
    send(json!([signs_in("anna-anna")]));
    send(
        json!([alone("Before Bert"), signs_in("bert-bert"), alone("Bert"), {"event_type": "X", "device_id": "other-1"}]),
    );
    let of = |user: &str| -> Vec<String> {
        let export = house.did("person.export", json!({"environment": "production", "user": user}));
        let theirs = export["quarantine"].as_array().unwrap().iter();
        theirs.map(|event| event["event"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(of("anna-anna"), ["Before Bert"]);
    assert_eq!(of("bert-bert"), ["Bert"]);
    house.did(
        "person.forget",
        json!({"environment": "production", "user": "bert-bert", "confirm": "bert-bert"}),
    );
    assert_eq!(held(&house), ["Before Bert", "X"]);
}

#[test]
fn what_was_deleted_does_not_come_back_for_seven_days_but_may_follow_the_plan() {
    let (mut house, key) = quarantining(|_| {});
    let send = |house: &House| house.send(&json!({"api_key": key, "events": named()})).unwrap();
    send(&house);
    house.did("quarantine.delete", json!({"environment": "production", "all": true}));
    house.later(6 * DAY);
    send(&house);
    assert_eq!((held(&house), again(&house)), (vec![], json!(1)));
    house.did("plan.save", json!({"plan": plan("accept"), "why": "test"}));
    send(&house);
    assert_eq!(house.events().len(), 1);
    house.did("plan.save", json!({"plan": plan("quarantine"), "why": "test"}));
    house.later(8 * DAY);
    send(&house);
    assert_eq!(held(&house), ["X"]);
}

#[test]
fn what_is_stored_is_not_held_when_the_plan_changes_before_it_comes_again() {
    let (mut house, key) = quarantining(|_| {});
    let send = |house: &House, events: &Json| {
        house.send(&json!({"api_key": key, "events": events})).unwrap();
    };
    house.did("plan.save", json!({"plan": plan("accept"), "why": "test"}));
    send(&house, &named());
    house.did("plan.save", json!({"plan": plan("quarantine"), "why": "test"}));
    house.later(DAY);
    // Beside one that is new, and one that has no name.
    let mut more = mixed();
    more.as_array_mut().unwrap().extend(named().as_array().unwrap().clone());
    send(&house, &more);
    assert_eq!((held(&house), again(&house), unfollowed(&house)), (vec!["Y".into()], json!(2), json!(2)));
    assert_eq!(release(&house), json!({"stored": 1, "duplicates": 0}));
    assert_eq!(house.events().len(), 3);
}

#[test]
fn what_is_held_is_not_stored_when_the_plan_changes_before_it_comes_again() {
    let (house, key) = quarantining(|_| {});
    house.send(&json!({"api_key": key, "events": mixed()})).unwrap();
    house.did("plan.save", json!({"plan": plan("accept"), "why": "test"}));
    let mut house = house.restart();
    house.later(DAY);
    // Marked and not, in any order: only what is new is counted as not following the plan.
    let more = json!([{"event_type": "X", "user_id": "user-1", "insert_id": "x"}, mixed()[0].clone(),
        {"event_type": "X", "user_id": "user-2", "insert_id": "x"}, {"event_type": "Z", "user_id": "user-1"}]);
    house.send(&json!({"api_key": key, "events": more})).unwrap();
    assert_eq!((house.events().len(), again(&house), unfollowed(&house)), (3, json!(2), json!(2)));
    // However long it is kept.
    house.later(30 * DAY);
    house.send(&json!({"api_key": key, "events": named()})).unwrap();
    assert_eq!((house.events().len(), again(&house)), (3, json!(3)));
    assert_eq!(release(&house), json!({"stored": 2, "duplicates": 0}));
    house.send(&json!({"api_key": key, "events": named()})).unwrap();
    assert_eq!((house.events().len(), again(&house)), (5, json!(4)));
}

#[test]
fn a_copy_that_is_stored_no_more_because_it_is_held_keeps_it_there() {
    let (house, key) = quarantining(|_| {});
    let (away, log) = without_log(&house);
    let Outcome::Waiting { waiting, .. } = take(&house, &key, &mixed()) else { panic!("it is taken") };
    house.did("plan.save", json!({"plan": plan("accept"), "why": "test"}));
    house.app.commit().unwrap_err();
    std::fs::rename(away, log).unwrap();
    let Outcome::Waiting { waiting: copy, .. } = take(&house, &key, &named()) else { panic!("it is taken") };
    assert_eq!(house.app.settled(&copy), Settled::Committed);
    assert_eq!(house.app.settled(&waiting), Settled::Lost);
    assert_eq!(held(&house), ["X"]);
    assert_eq!(house.events(), [Json::Null; 0]);
}

#[test]
fn nothing_of_who_is_forgotten_is_known_of_what_was_decided() {
    let (house, key) = quarantining(|_| {});
    let of = |who: Json| {
        let mut events = named();
        events[0].as_object_mut().unwrap().extend(who.as_object().unwrap().clone());
        events[0].clone()
    };
    let people = [json!({"user_id": "gone-1", "device_id": "phone-1"}), json!({"user_id": "other-1"})];
    let on_device = json!({"device_id": "phone-1", "user_id": null, "insert_id": "d"});
    let events: Vec<Json> = [people[0].clone(), on_device, people[1].clone()].map(of).into();
    let send = || house.send(&json!({"api_key": key, "events": events})).unwrap();
    // Whose the device is, is known by what is stored.
    let seen = json!([{"event_type": "Page Viewed", "user_id": "gone-1", "device_id": "phone-1",
        "event_properties": {"path": "/"}}]);
    house.send(&json!({"api_key": key, "events": seen})).unwrap();
    send();
    house.did("quarantine.delete", json!({"environment": "production", "all": true}));
    send();
    assert_eq!(held(&house), [""; 0]);
    let hands = rusqlite::Connection::open(house.dir.path().join("quarantine.sqlite")).unwrap();
    let decided = || -> Vec<Vec<u8>> {
        let mut rows = hands.prepare("select print from decided order by print").unwrap();
        rows.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let before = decided();
    assert_eq!(before.len(), 3);
    house.did("person.forget", json!({"environment": "production", "user": "gone-1", "confirm": "gone-1"}));
    let left = decided();
    assert_eq!(left.len(), 1, "that of somebody else");
    for print in before.iter().filter(|print| !left.contains(print)) {
        let file = std::fs::read(house.dir.path().join("quarantine.sqlite")).unwrap();
        assert!(!file.windows(print.len()).any(|window| window == print.as_slice()));
    }
    assert!(files_with(&house, "gone-1").iter().all(|file| !file.contains("quarantine")));
    send();
    assert_eq!(held(&house), ["X", "X"], "what comes again is of somebody new");
}

#[test]
fn what_comes_while_its_person_is_forgotten_goes_with_them() {
    for round in 0..10 {
        let (house, key) = quarantining(|_| {});
        let (sent, forgotten) = (AtomicU64::new(0), AtomicBool::new(false));
        // One that is stored, one that is kept apart, and so on, each acknowledged before the next is sent.
        let send = || {
            while !forgotten.load(Ordering::SeqCst) {
                let number = sent.fetch_add(1, Ordering::SeqCst).to_string();
                for sort in ["Page Viewed", "X"] {
                    let event = json!([{"event_type": sort, "user_id": "gone-1", "event_properties": {"path": number}}]);
                    house.send(&json!({"api_key": key, "events": event})).unwrap();
                }
            }
        };
        std::thread::scope(|threads| {
            threads.spawn(send);
            while sent.load(Ordering::SeqCst) < 5 {
                std::thread::yield_now();
            }
            house.did(
                "person.forget",
                json!({"environment": "production", "user": "gone-1", "confirm": "gone-1"}),
            );
            forgotten.store(true, Ordering::SeqCst);
        });
        let path = |event: &Json| event["properties"]["path"].as_str().unwrap().parse::<u64>().unwrap();
        let first_stored = house.events().iter().map(path).min().unwrap_or(sent.into_inner());
        let list = house.did("quarantine.list", json!({"environment": "production"}));
        let kept = list["events"].as_array().unwrap().iter().map(|held| path(&held["event"]));
        // What came before something that went is gone.
        let before: Vec<u64> = kept.filter(|number| number + 1 < first_stored).collect();
        assert_eq!(before, [0; 0], "round {round}: those from {first_stored} on are of somebody new");
    }
}

#[test]
fn what_a_kill_left_in_the_files_log_goes_after_the_start() {
    let (house, key) = quarantining(|_| {});
    house
        .send(&json!({"api_key": key, "events": [{"event_type": "X", "user_id": "kQ7vXz31-9fJtR0pLwYb"}]}))
        .unwrap();
    // Deleted, and killed before the file was written anew: while somebody has it open its log stays.
    let hands = rusqlite::Connection::open(house.dir.path().join("quarantine.sqlite")).unwrap();
    hands.execute_batch("pragma secure_delete = on; delete from held").unwrap();
    let house = house.restart();
    drop(hands);
    let left = || files_with(&house, "kQ7vXz31-9fJtR0pLwYb");
    assert_eq!(left(), ["quarantine.sqlite-wal"], "as a kill leaves it");
    settle(&house);
    assert_eq!(left(), [""; 0]);
}

#[test]
fn a_page_of_large_events_ends_early_and_every_event_is_on_one() {
    let (house, key) = quarantining(|_| {});
    let event = |n: usize| {
        let list = vec!["x".repeat(1_000); 600];
        json!({"event_type": "X", "user_id": "user-1", "insert_id": n.to_string(), "event_properties": {"list": list}})
    };
    // Larger than a body may be: one by one.
    for n in 0..30 {
        house.send(&json!({"api_key": key, "events": [event(n)]})).unwrap();
    }
    let (mut pages, mut seen, mut after) = (0, Vec::new(), Json::Null);
    loop {
        let input = json!({"environment": "production", "limit": 500, "after": after});
        let page = house.did("quarantine.list", input);
        assert!(page["events"].to_string().len() < 9 << 20);
        pages += 1;
        seen.extend(page["events"].as_array().unwrap().iter().map(|held| held["event"]["insert_id"].clone()));
        after = page["next"].clone();
        if after.is_null() {
            break;
        }
    }
    assert_eq!(seen, (0..30).map(|n| json!(n.to_string())).collect::<Vec<_>>());
    assert_eq!(pages, 3);
    let ids: Vec<i64> = (1..=30).rev().collect();
    let these = json!({"environment": "production", "ids": ids});
    assert_eq!(house.rehearse("quarantine.release", these.clone()).unwrap()["stored"], 30);
    assert_eq!(house.did("quarantine.release", these)["stored"], 30, "however they are named");
    assert_eq!(held(&house), [""; 0]);
}

#[test]
fn what_is_named_and_is_not_there_is_refused_and_of_nothing_all_are_done() {
    let (house, key) = quarantining(|_| ());
    house.send(&json!({"api_key": key, "events": mixed()})).unwrap();
    let sends = json!([{"event_type": "Checkout", "user_id": "user-1"}]);
    house.send(&json!({"api_key": key, "events": sends})).unwrap();
    let list = "`quarantine.list` shows what there is";
    let types =
        [("Checkot", format!("did you mean `Checkout`? {list}")), ("Order Completed", list.to_owned())];
    let mut cases: Vec<(Json, String)> = types
        .iter()
        .map(|(event, hint)| {
            let said = format!("404 no event `{event}` is in the quarantine of `production`\nhint: {hint}");
            (json!({"event": event}), said)
        })
        .collect();
    let numbers =
        |ids: Json, said: &str| (json!({"ids": ids}), format!("404 no event with {said}\nhint: {list}"));
    let place = "is in the quarantine of `production`";
    cases.push(numbers(json!([99_999]), &format!("the number `99999` {place}")));
    cases.push(numbers(json!([96, 97, 98]), &format!("one of these numbers {place}: `96`, `97`, `98`")));
    cases.push(numbers(
        json!([95, 96, 97, 98, 99]),
        &format!("one of these numbers {place}: `95`, `96`, `97`, and 2 more"),
    ));
    for operation in ["quarantine.release", "quarantine.delete"] {
        for (which, said) in &cases {
            let mut named = which.clone();
            named["environment"] = json!("production");
            assert_eq!(house.refused(operation, named.clone()), *said);
            let rehearsed = house.rehearse(operation, named).unwrap_err();
            assert_eq!(rehearsed.refusal.status(), 404, "{which}: a rehearsal says so, too");
        }
    }
    assert_eq!(held(&house), ["X", "Y", "Checkout"]);
    // What is there is released once; of all that are there, none may be.
    let which = json!({"environment": "production", "event": "X"});
    assert_eq!(house.did("quarantine.release", which.clone()), json!({"stored": 1, "duplicates": 0}));
    assert!(house.refused("quarantine.release", which).starts_with("404 "));
    let all = json!({"environment": "production", "all": true});
    assert_eq!(house.did("quarantine.delete", all.clone()), json!({"deleted": 2}));
    assert_eq!(house.did("quarantine.delete", all.clone()), json!({"deleted": 0}));
    assert_eq!(house.did("quarantine.release", all), json!({"stored": 0, "duplicates": 0}));
}

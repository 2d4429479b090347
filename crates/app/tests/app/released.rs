//! App tests: what is released from quarantine is stored once, of whom it is, and finished where it was cut off.

use serde_json::{Value as Json, json};

use crate::house::{DAY, House};
use crate::quarantine::{again, held, mixed, named, plan, quarantining, release, without_log};

/// Somebody signs in on a device, and looks at a page that is planned.
fn signs_in(house: &House, key: &str, user: &str, device: &str) {
    let event = json!({"event_type": "Page Viewed", "user_id": user, "device_id": device, "event_properties": {"path": "/"}});
    house.send(&json!({"api_key": key, "events": [event]})).unwrap();
}

/// A visitor, Anna, and Bert on one tablet: of each an event that is kept apart, with its number.
fn tablet() -> (House, String) {
    let (house, key) = quarantining(|_| {});
    let send = |event: Json| house.send(&json!({"api_key": key, "events": [event]})).unwrap();
    let alone = |event: &str| {
        let known = json!({"$set": {"name": event}});
        send(
            json!({"event_type": event, "device_id": "tablet-1", "insert_id": event, "user_properties": known}),
        )
    };
    alone("Before Anna");
    signs_in(&house, &key, "anna-anna", "tablet-1");
    alone("Anna");
    signs_in(&house, &key, "bert-bert", "tablet-1");
    alone("Bert");
    (house, key)
}

/// What is handed out to a user: the types of what is kept apart, and of what is stored.
fn of(house: &House, user: &str) -> [Vec<String>; 2] {
    let export = house.did("person.export", json!({"environment": "production", "user": user}));
    ["quarantine", "events"].map(|place| {
        let theirs = export[place].as_array().unwrap().iter();
        theirs.map(|event| event["event"].as_str().unwrap().to_owned()).collect()
    })
}

fn forget(house: &House, user: &str) -> Json {
    house.did("person.forget", json!({"environment": "production", "user": user, "confirm": user}))
}

#[test]
fn what_is_held_of_a_device_that_several_share_is_of_who_had_it_then() {
    let house = tablet().0.restart();
    assert_eq!(of(&house, "anna-anna")[0], ["Before Anna", "Anna"]);
    assert_eq!(of(&house, "bert-bert")[0], ["Bert"]);
    assert_eq!(forget(&house, "anna-anna")["quarantined"], 2);
    assert_eq!(held(&house), ["Bert"]);
}

#[test]
fn what_is_released_of_a_device_that_several_share_is_of_who_had_it_then() {
    let (house, key) = tablet();
    let anna = json!([{"event_type": "X", "user_id": "anna-anna", "device_id": "tablet-1"}]);
    house.send(&json!({"api_key": key, "events": anna})).unwrap();
    release(&house);
    let [kept, stored] = of(&house, "anna-anna");
    assert_eq!(
        (kept, stored),
        (vec![], ["Page Viewed", "Before Anna", "Anna", "X"].map(str::to_owned).into())
    );
    let name = |user: &str| {
        let input = json!({"environment": "production", "user": user});
        house.did("person.export", input)["properties"]["name"].clone()
    };
    assert_eq!((name("anna-anna"), name("bert-bert")), (json!("Anna"), json!("Bert")));
    // Released events take no device from who has it.
    let next =
        json!([{"event_type": "Page Viewed", "device_id": "tablet-1", "event_properties": {"path": "/"}}]);
    house.send(&json!({"api_key": key, "events": next})).unwrap();
    assert_eq!(of(&house, "bert-bert")[1], ["Page Viewed", "Bert", "Page Viewed"]);
    forget(&house, "anna-anna");
    assert_eq!(house.events().len(), 3);
    assert_eq!(of(&house, "bert-bert")[1].len(), 3);
}

#[test]
fn what_was_decided_of_a_device_that_several_share_is_forgotten_with_who_had_it_then() {
    let (house, key) = tablet();
    house.did("quarantine.delete", json!({"environment": "production", "all": true}));
    forget(&house, "anna-anna");
    for event in ["Before Anna", "Anna", "Bert"] {
        let again = json!([{"event_type": event, "device_id": "tablet-1", "insert_id": event}]);
        house.send(&json!({"api_key": key, "events": again})).unwrap();
    }
    assert_eq!(held(&house), ["Before Anna", "Anna"], "they are somebody new's, and Bert's stays deleted");
}

#[test]
fn what_comes_while_all_is_released_or_deleted_stays() {
    for (operation, told, stored) in [
        ("quarantine.release", json!({"stored": 1, "duplicates": 0}), 1),
        ("quarantine.delete", json!({"deleted": 1}), 0),
    ] {
        let (house, key) = quarantining(|_| {});
        house.send(&json!({"api_key": key, "events": [{"event_type": "X", "user_id": "user-1"}]})).unwrap();
        // For each that leaves another comes.
        let hands = rusqlite::Connection::open(house.dir.path().join("quarantine.sqlite")).unwrap();
        let comes = "create trigger comes after delete on held when old.id < 50 begin
            insert into held (environment, sort, at, why, body, after)
            values (old.environment, old.sort, old.at, old.why, old.body, old.after); end";
        hands.execute_batch(comes).unwrap();
        assert_eq!(house.did(operation, json!({"environment": "production", "all": true})), told);
        assert_eq!((held(&house).len(), house.events().len()), (1, stored), "{operation}");
    }
}

#[test]
fn a_release_that_is_cut_off_is_finished_whatever_the_clock_and_the_plan_say() {
    let hashed = || {
        let mut plan = plan("quarantine");
        plan["rules"]["environments"]["production"]["device_ids"] = json!("hash");
        plan
    };
    for (earlier, plan) in [(0, None), (2_000, None), (0, Some(hashed()))] {
        let (mut house, key) = quarantining(|_| {});
        let one = json!([{"event_type": "X", "device_id": "tablet-1", "insert_id": "x"}, {"event_type": "Y", "device_id": "tablet-1"}]);
        house.later(10_000);
        house.send(&json!({"api_key": key, "events": one})).unwrap();
        // The clock was ahead.
        house.later(-earlier);
        let hands = rusqlite::Connection::open(house.dir.path().join("quarantine.sqlite")).unwrap();
        let refuse = "create trigger full before delete on held begin select raise(abort, 'no room'); end";
        hands.execute_batch(refuse).unwrap();
        house.ask("quarantine.release", json!({"environment": "production", "all": true})).unwrap_err();
        // It came after that release.
        house.send(&json!({"api_key": key, "events": [{"event_type": "Z", "user_id": "user-1"}]})).unwrap();
        if let Some(plan) = plan {
            house.did("plan.save", json!({"plan": plan, "why": "test"}));
        }
        hands.execute_batch("drop trigger full").unwrap();
        drop(hands);
        house.later(8 * DAY);
        let house = house.restart();
        assert_eq!((held(&house), house.events().len()), (vec!["Z".to_owned()], 2), "{earlier}");
        assert_eq!(release(&house), json!({"stored": 1, "duplicates": 0}));
    }
}

#[test]
fn what_was_released_is_known_for_seven_days_from_then() {
    let (mut house, key) = quarantining(|_| {});
    let send = |house: &House| house.send(&json!({"api_key": key, "events": named()})).unwrap();
    send(&house);
    house.later(5 * DAY);
    assert_eq!(release(&house), json!({"stored": 1, "duplicates": 0}));
    house.later(6 * DAY);
    send(&house);
    assert_eq!((held(&house), again(&house)), (vec![], json!(1)));
    let mut house = house.restart();
    send(&house);
    assert_eq!(held(&house), [""; 0]);
    house.later(DAY + 1);
    send(&house);
    assert_eq!(held(&house), ["X"], "after that it is another");
    assert_eq!(house.events().len(), 1);
}

#[test]
fn a_release_that_is_cut_off_is_finished_before_anything_is_released_again() {
    // Killed, or with a disk that stays full; for so many days; by a round, or by the next release itself.
    for (killed, days, round) in
        [(false, 0, true), (false, 9, false), (true, 0, true), (true, 9, true), (true, 9, false)]
    {
        let (mut house, key) = quarantining(|_| {});
        house.send(&json!({"api_key": key, "events": mixed()})).unwrap();
        // In the store, and it does not leave.
        let hands = rusqlite::Connection::open(house.dir.path().join("quarantine.sqlite")).unwrap();
        let refuse = "create trigger full before delete on held begin select raise(abort, 'no room'); end";
        hands.execute_batch(refuse).unwrap();
        house.ask("quarantine.release", json!({"environment": "production", "all": true})).unwrap_err();
        assert_eq!((held(&house).len(), house.events().len()), (2, 3));
        let new = json!([{"event_type": "Z", "user_id": "user-1"}]);
        house.send(&json!({"api_key": key, "events": new})).unwrap();
        if !killed {
            house.app.step(house.now).unwrap_err();
        }
        hands.execute_batch("drop trigger full").unwrap();
        drop(hands);
        house.now = house.now.plus(bellwether_model::Span::DAY.times(days));
        if killed {
            house = house.restart();
        }
        if round {
            house.app.step(house.now).unwrap();
            assert_eq!(held(&house), ["Z"], "what was not released stays");
        }
        assert_eq!(release(&house), json!({"stored": 1, "duplicates": 0}));
        assert_eq!((held(&house).len(), house.events().len()), (0, 4), "{killed} {days} {round}");
    }
}

#[test]
fn what_is_held_a_week_after_it_was_stored_is_another_also_for_a_start() {
    let (mut house, key) = quarantining(|_| {});
    house.did("plan.save", json!({"plan": plan("accept"), "why": "test"}));
    house.send(&json!({"api_key": key, "events": named()})).unwrap();
    house.did("plan.save", json!({"plan": plan("quarantine"), "why": "test"}));
    // Nothing is stored meanwhile.
    house.later(8 * DAY);
    house.send(&json!({"api_key": key, "events": named()})).unwrap();
    let house = house.restart();
    house.app.step(house.now).unwrap();
    assert_eq!(held(&house), ["X"]);
    assert_eq!(release(&house), json!({"stored": 1, "duplicates": 0}));
}

#[test]
fn what_has_no_name_of_its_own_has_none_that_a_sender_can_give() {
    let (house, key) = quarantining(|_| {});
    let send = |events: Json| house.send(&json!({"api_key": key, "events": events})).unwrap();
    send(json!([{"event_type": "Y", "user_id": "user-1"}]));
    release(&house);
    let planned = |name: &str| json!([{"event_type": "Page Viewed", "user_id": "user-1", "event_properties": {"path": "/"}, "insert_id": name}]);
    for number in 1..9 {
        send(planned(&format!("quarantine-{number}")));
    }
    send(json!([{"event_type": "Y", "user_id": "user-1"}]));
    assert_eq!(release(&house), json!({"stored": 1, "duplicates": 0}));
}

#[test]
fn what_is_released_takes_no_device_from_who_has_it_under_a_hash_by_now() {
    let (house, key) = quarantining(|_| {});
    let send = |event: Json| house.send(&json!({"api_key": key, "events": [event]})).unwrap();
    let seen = |who: Json| {
        let mut event =
            json!({"event_type": "Page Viewed", "device_id": "tablet-1", "event_properties": {"path": "/"}});
        event.as_object_mut().unwrap().extend(who.as_object().unwrap().clone());
        send(event)
    };
    send(json!({"event_type": "X", "user_id": "anna-anna", "device_id": "tablet-1"}));
    let mut hashing = plan("quarantine");
    hashing["rules"]["environments"]["production"]["device_ids"] = json!("hash");
    hashing["rules"]["environments"]["production"]["user_ids"] = json!("hash");
    house.did("plan.save", json!({"plan": hashing, "why": "test"}));
    seen(json!({"user_id": "bert-bert"}));
    release(&house);
    seen(json!({}));
    assert_eq!(of(&house, "anna-anna")[1], ["X"]);
    assert_eq!(of(&house, "bert-bert")[1], ["Page Viewed", "Page Viewed"]);
}

/// An event's name is one among those of its device: without the device it must not be taken for another of its user.
#[test]
fn what_is_released_without_its_device_is_no_copy_of_another_event() {
    let (house, key) = quarantining(|_| {});
    let send = |event: Json| house.send(&json!({"api_key": key, "events": [event]})).unwrap();
    let tablets = ["tablet-1", "tablet-2"];
    tablets.iter().for_each(|tablet| signs_in(&house, &key, "anna-anna", tablet));
    // Of a server, which names no device.
    let path = json!({"path": "/"});
    send(
        json!({"event_type": "Page Viewed", "user_id": "anna-anna", "insert_id": "7", "event_properties": path}),
    );
    for tablet in tablets {
        send(json!({"event_type": "X", "user_id": "anna-anna", "device_id": tablet, "insert_id": "7"}));
    }
    tablets.iter().for_each(|tablet| signs_in(&house, &key, "bert-bert", tablet));
    assert_eq!(release(&house), json!({"stored": 2, "duplicates": 0}));
    assert_eq!(of(&house, "anna-anna")[1], ["Page Viewed", "Page Viewed", "Page Viewed", "X", "X"]);
    assert_eq!(of(&house, "bert-bert")[1], ["Page Viewed", "Page Viewed"]);
}

#[test]
fn no_text_of_a_device_that_is_taken_off_is_stored_where_devices_are_hashed() {
    let (house, key) = quarantining(|_| {});
    signs_in(&house, &key, "anna-anna", "tablet-1");
    let told = json!({"dev": "tablet-1", "list": ["tablet-1"]});
    let event = json!({"event_type": "X", "device_id": "tablet-1", "insert_id": "tablet-1/x", "event_properties": told});
    house.send(&json!({"api_key": key, "events": [event]})).unwrap();
    signs_in(&house, &key, "bert-bert", "tablet-1");
    let mut hashed = plan("quarantine");
    hashed["rules"]["environments"]["production"]["device_ids"] = json!("hash");
    house.did("plan.save", json!({"plan": hashed, "why": "test"}));
    release(&house);
    let stored = &house.events()[0];
    assert_eq!((&stored["event"], &stored["who"]), (&json!("X"), &json!({"user": "anna-anna"})));
    assert!(!stored.to_string().contains("tablet-1"), "{stored}");
}

/// What a device did that was nobody's is of whoever came there first.
#[test]
fn what_was_deleted_of_a_device_stays_deleted_when_its_second_user_is_forgotten() {
    let (house, key) = quarantining(|_| {});
    let one = json!([{"event_type": "X", "device_id": "tablet-1", "insert_id": "x"}]);
    let send = || house.send(&json!({"api_key": key, "events": one})).unwrap();
    send();
    house.did("quarantine.delete", json!({"environment": "production", "all": true}));
    signs_in(&house, &key, "bert-bert", "tablet-1");
    signs_in(&house, &key, "anna-anna", "tablet-1");
    forget(&house, "anna-anna");
    send();
    assert_eq!(held(&house), [""; 0], "it was Bert's");
    forget(&house, "bert-bert");
    send();
    assert_eq!(held(&house), ["X"]);
}

/// Devices and names may have any character: where one ends and the other begins is no question.
#[test]
fn two_events_whose_devices_and_names_run_on_alike_stay_two() {
    let (house, key) = quarantining(|_| {});
    let held = |device: &str, name: &str| json!({"event_type": "X", "user_id": "anna-anna", "device_id": device, "insert_id": name});
    let events = json!([held("phone of", "ann 1"), held("phone", "of ann 1")]);
    house.send(&json!({"api_key": key, "events": events})).unwrap();
    // Both devices are somebody else's by the time of the release.
    for device in ["phone of", "phone"] {
        signs_in(&house, &key, "bert-bert", device);
    }
    assert_eq!(release(&house), json!({"stored": 2, "duplicates": 0}));
    assert_eq!(of(&house, "anna-anna")[1], ["X", "X"]);
}

#[test]
fn a_disk_that_is_full_refuses_a_release_in_clear_words() {
    let full = "429 the disk is nearly full, so no more events are released\n\
        hint: free space, then release them again: what was not stored is in quarantine still";
    let broken = "500 cannot store events\n\
        hint: try again; if it stays, the server's log has the cause under this request id";
    for (reserve, said) in [(u64::MAX / 2, full), (0, broken)] {
        let (house, key) = quarantining(|settings| settings.store.reserve = reserve);
        house.send(&json!({"api_key": key, "events": named()})).unwrap();
        let (away, log) = without_log(&house);
        let all = json!({"environment": "production", "all": true});
        assert_eq!(house.refused("quarantine.release", all.clone()), said);
        std::fs::rename(away, log).unwrap();
        assert_eq!(held(&house), ["X"]);
        assert_eq!(house.did("quarantine.release", all), json!({"stored": 1, "duplicates": 0}));
    }
}

//! App tests: copies of one event that meet, of which one belongs into the quarantine and another into the store.

use bellwether_app::{Outcome, Settled};
use serde_json::{Value as Json, json};

use crate::house::House;
use crate::quarantine::{again, held, mixed, named, plan, quarantining, take, without_log};

/// An event that waits for its commit, and the same again, which the plan puts into the quarantine by now.
fn waits_and_comes_again(house: &House, key: &str, more: &Json) -> [bellwether_app::Waiting; 2] {
    house.did("plan.save", json!({"plan": plan("accept"), "why": "test"}));
    let Outcome::Waiting { waiting: first, .. } = take(house, key, &named()) else { panic!("it is taken") };
    house.did("plan.save", json!({"plan": plan("quarantine"), "why": "test"}));
    let mut events = named();
    events.as_array_mut().unwrap().extend(more.as_array().unwrap().clone());
    let Outcome::Waiting { waiting: second, .. } = take(house, key, &events) else { panic!("it waits, too") };
    [first, second]
}

#[test]
fn what_waits_for_its_commit_is_not_held_beside_it() {
    for more in [json!([]), json!([mixed()[0], mixed()[2]])] {
        let (house, key) = quarantining(|_| {});
        let waiting = waits_and_comes_again(&house, &key, &more);
        assert!(waiting.iter().all(|waiting| house.app.settled(waiting) == Settled::Waiting));
        house.app.commit().unwrap();
        assert!(waiting.iter().all(|waiting| house.app.settled(waiting) == Settled::Committed));
        assert!(!held(&house).contains(&"X".into()), "{:?}", held(&house));
        assert_eq!((house.events().len(), again(&house)), (1 + more.as_array().unwrap().len() / 2, json!(1)));
    }
}

#[test]
fn what_waits_for_its_commit_and_is_lost_is_sent_again_by_both() {
    for more in [json!([]), json!([mixed()[0], mixed()[2]])] {
        let (house, key) = quarantining(|_| {});
        let (away, log) = without_log(&house);
        let waiting = waits_and_comes_again(&house, &key, &more);
        house.app.commit().unwrap_err();
        assert!(waiting.iter().all(|waiting| house.app.settled(waiting) == Settled::Lost));
        assert_eq!(held(&house), [""; 0]);
        std::fs::rename(away, log).unwrap();
        house.send(&json!({"api_key": key, "events": named()})).unwrap();
        assert_eq!((held(&house), house.events().len()), (vec!["X".into()], 0));
    }
}

#[test]
fn what_is_lost_while_a_copy_is_held_takes_the_whole_request_with_it() {
    for later in 0..20 {
        let (house, key) = quarantining(|_| {});
        house.did("plan.save", json!({"plan": plan("accept"), "why": "test"}));
        let Outcome::Waiting { .. } = take(&house, &key, &named()) else { panic!("it is taken") };
        house.did("plan.save", json!({"plan": plan("quarantine"), "why": "test"}));
        let (away, log) = without_log(&house);
        // The request waits for this to put something into the quarantine, and meanwhile what it found waiting is lost.
        let hands = rusqlite::Connection::open(house.dir.path().join("quarantine.sqlite")).unwrap();
        hands.execute_batch("begin immediate").unwrap();
        let outcome = std::thread::scope(|scope| {
            let taking = scope.spawn(|| take(&house, &key, &mixed()));
            // At first before it has looked into the store, at last long after.
            (0..later * 1_000).for_each(|_| std::thread::yield_now());
            while house.app.commit().is_ok() {}
            std::fs::rename(&away, &log).unwrap();
            hands.execute_batch("rollback").unwrap();
            taking.join().unwrap()
        });
        house.app.commit().unwrap();
        // Whichever came first: of what is refused nothing is there, and of what is taken all.
        let there = (house.events().len(), held(&house).len());
        match outcome {
            Outcome::Answered(reply) => assert_eq!((reply.status, there), (503, (0, 0))),
            Outcome::Waiting { waiting, .. } => match house.app.settled(&waiting) {
                Settled::Committed => assert_eq!(there, (1, 2)),
                other => panic!("{other:?} with {there:?}"),
            },
        }
    }
}

#[test]
fn copies_that_come_at_the_same_moment_are_stored_or_held() {
    let (house, key) = quarantining(|_| {});
    let ids = 0..if cfg!(debug_assertions) { 200 } else { 2_000 };
    for id in ids.clone() {
        let start = std::sync::Barrier::new(4);
        let good = json!([{"event_type": "Page Viewed", "user_id": "user-1", "event_properties": {"path": "/"},
            "insert_id": id.to_string()}]);
        let bad = json!([{"event_type": "X", "user_id": "user-1", "insert_id": id.to_string()}]);
        std::thread::scope(|scope| {
            for events in [&good, &bad, &good, &bad] {
                let (house, key, start) = (&house, &key, &start);
                scope.spawn(move || {
                    start.wait();
                    if let Outcome::Answered(reply) = take(house, key, events) {
                        assert_eq!(reply.status, 200);
                    }
                    let _ = house.app.commit();
                });
            }
        });
    }
    let stored = house.events().len();
    let list = house.did("quarantine.list", json!({"environment": "production"}));
    let held = list["types"].as_array().unwrap().iter().map(|of| of["count"].as_u64().unwrap()).sum::<u64>();
    assert_eq!(stored as u64 + held, ids.end, "{stored} stored, {held} held");
}

//! App tests: one person under an id and under its hash, where an environment began to store hashes of ids or left off. By
//! whatever they are asked for, it is all of them, also what is known beside events.

use serde_json::{Value as Json, json};

use crate::forgotten::{export, files_with, settle};
use crate::house::{DAY, House};

/// Texts that nothing compresses, so that they are found wherever they are.
const USER: &str = "kQ7vXz31-9fJtR0pLwYb64GdNh2sMcUe";
const PHONE: &str = "Zw8Ry5Tn-1xCq7Vb3LkPj90HgFd6SaMu";
const TABLET: &str = "Pb6Gt1Xe-5uKj3Za9WcQn72RmVy8FsDh";
const OTHER: &str = "Hs4Nf9Kc-2mWd8Eq6TvBx15YzLr7JgPo";
const STREET: &str = "Dm2Rv8Ys-7pLx4Ck1QgTz63JbNw5HfUe";
const NOBODY: &str = "nobody is known by this id here: look at how it is written, and where";

/// Stores ids of users and of devices so from now on.
fn store_ids(house: &House, [user_ids, device_ids]: [&str; 2]) {
    let plan = json!({"rules": {"environments": {"production": {"user_ids": user_ids, "device_ids": device_ids}}},
        "events": {"Brief": {"retention_days": 7}, "Seen": {}}});
    house.did("plan.save", json!({"plan": plan, "why": "test"}));
}

fn send(house: &House, key: &str, kind: &str, who: &Json) {
    let mut event = json!({"event_type": kind, "user_properties": {"$set": {"street": STREET}}});
    event.as_object_mut().unwrap().extend(who.as_object().unwrap().clone());
    house.send(&json!({"api_key": key, "events": [event]})).unwrap();
}

fn on(user: &str, device: &str) -> Json {
    json!({"user_id": user, "device_id": device})
}

fn alone(device: &str) -> Json {
    json!({"device_id": device})
}

fn forget(house: &House, by: &Json) -> Json {
    let mut input = by.clone();
    input["environment"] = "production".into();
    let rehearsed = house.rehearse("person.forget", input.clone()).unwrap();
    input["confirm"] = by.as_object().unwrap().values().next().unwrap().clone();
    let forgot = house.did("person.forget", input);
    for said in ["user", "devices", "events", "listed", "notes"] {
        assert_eq!(rehearsed[said], forgot[said], "{by}: a dry run says the same of `{said}`");
    }
    forgot
}

/// The hash of an id, as it is stored.
fn hash(house: &House, id: &str) -> String {
    store_ids(house, ["hash", "hash"]);
    let stored = export(house, &json!({"user": id}))["user"].as_str().unwrap().to_owned();
    assert!(stored.starts_with("hash:"), "{stored}");
    stored
}

const KEEP: [&str; 2] = ["keep", "keep"];
const HASH: [&str; 2] = ["hash", "hash"];
const USERS: [&str; 2] = ["hash", "keep"];

#[test]
fn what_is_known_of_whose_events_are_gone_is_handed_out_and_forgotten_however_ids_are_stored() {
    for (before, after) in [(KEEP, KEEP), (KEEP, HASH), (HASH, KEEP), (KEEP, USERS), (USERS, KEEP)] {
        for by in [json!({"user": USER}), json!({"device": PHONE})] {
            let case = format!("{before:?} {after:?} {by}");
            let mut house = House::new();
            store_ids(&house, before);
            let key = house.key("server");
            send(&house, &key, "Brief", &alone(PHONE));
            send(&house, &key, "Brief", &on(USER, PHONE));
            let stored = export(&house, &json!({"user": USER}));
            house.app.step(house.now).unwrap();
            house.later(10 * DAY);
            settle(&house);
            store_ids(&house, after);
            let whole = export(&house, &by);
            assert_eq!(whole["events"], json!([]), "{case}");
            assert_eq!(whole["properties"]["street"], STREET, "{case}");
            assert_eq!((&whole["user"], &whole["devices"]), (&stored["user"], &stored["devices"]), "{case}");
            assert!(!files_with(&house, STREET).is_empty(), "{case}: what is looked for is found");
            let forgot = forget(&house, &by);
            assert_eq!(
                (&forgot["user"], &forgot["devices"]),
                (&stored["user"], &stored["devices"]),
                "{case}"
            );
            assert_eq!(forgot["events"], 0, "{case}");
            assert!(!forgot["notes"].as_array().unwrap().contains(&json!(NOBODY)), "{case}");
            settle(&house);
            let texts = [&stored["user"], &stored["devices"][0]].map(|id| id.as_str().unwrap().to_owned());
            for text in texts.iter().map(String::as_str).chain([STREET, USER, PHONE]) {
                assert_eq!(files_with(&house, text), Vec::<String>::new(), "{case}: {text}");
            }
            assert_eq!(export(&house, &by)["properties"], json!({}), "{case}");
            assert_eq!(forget(&house, &by)["notes"][0], NOBODY, "{case}");
        }
    }
}

/// A user on a telephone, then ids are stored otherwise, and they are on a tablet and, as a visitor, on the telephone.
fn before_and_after(before: [&str; 2], after: [&str; 2]) -> (House, String) {
    let house = House::new();
    store_ids(&house, before);
    let key = house.key("server");
    send(&house, &key, "Seen", &alone(PHONE));
    send(&house, &key, "Seen", &on(USER, PHONE));
    settle(&house);
    store_ids(&house, after);
    send(&house, &key, "Seen", &on(USER, TABLET));
    send(&house, &key, "Seen", &on(OTHER, "another-device"));
    (house, key)
}

#[test]
fn by_a_device_it_is_the_whole_person_of_before_and_after_ids_were_stored_otherwise() {
    for (before, after) in [(KEEP, HASH), (HASH, KEEP), (KEEP, USERS), (USERS, KEEP)] {
        for by in [json!({"user": USER}), json!({"device": PHONE}), json!({"device": TABLET})] {
            let case = format!("{before:?} {after:?} {by}");
            let (house, _) = before_and_after(before, after);
            let whole = export(&house, &by);
            assert_eq!(whole, export(&house, &json!({"user": USER})), "{case}");
            assert_eq!(whole["events"].as_array().unwrap().len(), 3, "{case}");
            assert_eq!(whole["devices"].as_array().unwrap().len(), 2, "{case}: {}", whole["devices"]);
            let forgot = forget(&house, &by);
            assert_eq!((&forgot["events"], &forgot["user"]), (&json!(3), &whole["user"]), "{case}");
            assert_eq!(forgot["devices"], whole["devices"], "{case}");
            settle(&house);
            for device in whole["devices"].as_array().unwrap() {
                assert_eq!(files_with(&house, device.as_str().unwrap()), Vec::<String>::new(), "{case}");
            }
            assert_eq!(files_with(&house, USER), Vec::<String>::new(), "{case}");
            assert_eq!(
                export(&house, &json!({"user": OTHER}))["events"].as_array().unwrap().len(),
                1,
                "{case}"
            );
        }
    }
}

#[test]
fn what_a_visitor_does_on_their_device_is_theirs_also_by_its_hash_until_it_is_anothers() {
    for by in [json!({"user": USER}), json!({"device": PHONE})] {
        let (house, key) = before_and_after(KEEP, HASH);
        send(&house, &key, "Seen", &alone(PHONE));
        let whole = export(&house, &by);
        assert_eq!(whole["events"].as_array().unwrap().len(), 4, "{by}");
        assert_eq!(whole["devices"].as_array().unwrap().len(), 3, "{by}: {}", whole["devices"]);
        assert_eq!(forget(&house, &by)["events"], 4, "{by}");
    }
    // Somebody else signs in there.
    let (house, key) = before_and_after(KEEP, HASH);
    send(&house, &key, "Seen", &on(OTHER, PHONE));
    assert_eq!(export(&house, &json!({"user": USER}))["events"].as_array().unwrap().len(), 3);
    assert_eq!(
        house.refused("person.export", json!({"environment": "production", "device": PHONE})),
        format!(
            "409 the device `{PHONE}` is of several users: `{}`, `{USER}`\nhint: name one of the users",
            hash(&house, OTHER)
        )
    );
    assert_eq!(forget(&house, &json!({"user": USER}))["events"], 3);
    // Now it is of one.
    assert_eq!(forget(&house, &json!({"device": PHONE}))["events"], 2);
}

#[test]
fn of_whom_only_a_hash_is_known_it_is_said() {
    let note = "of some of the person's other ids only hashes are known here: where lists name these ids they still do, \
        and what is stored under an id itself stays";
    // Before ids were hashed they were on no device.
    let house = House::new();
    store_ids(&house, KEEP);
    let key = house.key("server");
    send(&house, &key, "Seen", &json!({"user_id": USER}));
    store_ids(&house, HASH);
    send(&house, &key, "Seen", &on(USER, TABLET));
    let said = |by: &Json| {
        let mut input = by.clone();
        input["environment"] = "production".into();
        let rehearsed = house.rehearse("person.forget", input).unwrap();
        (rehearsed["events"].clone(), rehearsed["notes"].as_array().unwrap().contains(&json!(note)))
    };
    assert_eq!(said(&json!({"device": TABLET})), (json!(1), true));
    // By the hash itself nobody knows the id, and what is stored under it stays, if anything is.
    let other = "somebody-else-9";
    send(&house, &key, "Seen", &json!({"user_id": other}));
    assert_eq!(said(&json!({"user": hash(&house, other)})), (json!(1), true));
    // By the user the tablet is known by its hash alone.
    assert_eq!(said(&json!({"user": USER})), (json!(2), true));
}

#[test]
fn who_signs_in_on_a_device_while_its_visitor_is_being_forgotten_stays() {
    for later in [0, 1_000, 10_000, 100_000] {
        let (house, key) = before_and_after(KEEP, HASH);
        send(&house, &key, "Seen", &alone(PHONE));
        // Forgetting waits for the ledger when it has looked who is meant.
        let hands = rusqlite::Connection::open(house.dir.path().join("ledger.sqlite")).unwrap();
        hands.execute_batch("begin immediate").unwrap();
        let input = json!({"environment": "production", "user": USER, "confirm": USER});
        std::thread::scope(|scope| {
            let forgets = scope.spawn(|| house.ask("person.forget", input.clone()));
            // At first before it has looked, at last long after.
            (0..later).for_each(|_| std::thread::yield_now());
            send(&house, &key, "Seen", &on(OTHER, PHONE));
            hands.execute_batch("rollback").unwrap();
            if let Err(refused) = forgets.join().unwrap() {
                assert_eq!(refused.refusal.status(), 409, "{refused}");
            }
        });
        house.did("person.forget", input);
        let left = export(&house, &json!({"user": OTHER}))["events"].as_array().unwrap().len();
        // With what the visitor did before them.
        assert_eq!(left, 3, "{later}");
    }
}

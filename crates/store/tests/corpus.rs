//! Store: what older versions wrote opens, and reads as they meant it. A directory in `corpus/` is
//! never changed; a new format adds one (`CORPUS=write cargo test -p bellwether-store --test corpus`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;
use std::path::{Path, PathBuf};

use bellwether_model::event::Who;
use bellwether_model::{Event, Millis, Properties, Revision};
use bellwether_store::{Id, Settings, Store};
use serde_json::json;

/// What this program writes: parts of version 2, and a checkpoint of what is known of people.
const NEWEST: &str = "v2-checkpoint";

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// Events of every shape: the first four go into a part, the others stay in the log.
fn events() -> Vec<Event> {
    let object = |json: serde_json::Value| -> Properties { json.as_object().unwrap().clone() };
    let whos = [
        Who::User("u1".into()),
        Who::Device("d1".into()),
        Who::Both { user: "u2".into(), device: "d1".into() },
    ];
    (0..7_i64)
        .map(|i| Event {
            environment: if i % 3 == 2 { "staging" } else { "production" }.parse().unwrap(),
            event: if i % 2 == 0 { "$exposure" } else { "purchase" }.into(),
            who: whos[usize::try_from(i).unwrap() % 3].clone(),
            time: Millis(1_771_622_898_000 + i * 1_000),
            received: Millis(1_771_622_898_123 + i * 1_000),
            // One of them is a UUID, which has a column of its own.
            insert_id: (i % 4 != 3).then(|| match i {
                1 => "0b9f6d3e-1c2a-4f5b-8a7d-00ff10203040".to_owned(),
                _ => format!("id-{i}"),
            }),
            session: (i % 2 == 0).then_some(1_771_622_000_000 + i),
            properties: object(match i {
                0 => json!({"flag_key": "checkout", "variant": "treatment"}),
                1 => json!({"price": 5, "quantity": 2, "tags": ["a", 1.5], "gift": true}),
                2 => json!({"price": 4.99, "id": u64::MAX, "gift": false}),
                3 => json!({"price": -1, "mixed": "text", "naïve \u{1F600}": "yes"}),
                _ => json!({"price": 0.1, "mixed": i, "nested": {"a": [{}]}}),
            }),
            user_properties: if i % 2 == 0 {
                object(json!({"plan": "pro", "age": i}))
            } else {
                Properties::new()
            },
            groups: if i % 5 == 1 { object(json!({"company": ["acme"]})) } else { Properties::new() },
            group_properties: Properties::new(),
            user_changes: match i {
                0 => object(json!({"$set": {"seats": 2}, "$append": {"tags": "a"}})),
                1 => object(json!({"$set": {"seen": true}})),
                3 | 6 => object(json!({"$add": {"seats": 0.5}, "$unset": {"tags": "-"}})),
                _ => Properties::new(),
            },
            group_changes: if i == 1 { object(json!({"$set": {"tier": "gold"}})) } else { Properties::new() },
            revision: (i == 0).then_some(Revision(42)),
        })
        .collect()
}

/// What is known of people.
fn known(store: &Store) -> String {
    let here = "production".parse().unwrap();
    let known = ["u1", "u2"].map(|user| {
        let person = store.person(&here, Id::User(user)).unwrap();
        json!({"user": user, "devices": person.devices, "properties": store.properties_of(&here, &person)})
    });
    serde_json::to_string_pretty(&known).unwrap() + "\n"
}

fn write(dir: &Path) {
    let (store, _) = Store::open(dir, Settings { checkpoint_bytes: 1, ..Settings::default() }).unwrap();
    let mut parts = events();
    let mut log = parts.split_off(4);
    let last = log.split_off(2);
    let _ = store.append(parts).unwrap();
    store.commit().unwrap();
    store.flush().unwrap();
    // It knows of some of what is in the log, too.
    let _ = store.append(vec![log.remove(0)]).unwrap();
    store.commit().unwrap();
    store.step(Millis(1_771_622_900_000)).unwrap();
    for group in [log, last] {
        let _ = store.append(group).unwrap();
        store.commit().unwrap();
    }
    // As they are stored: with what was known of their users and groups.
    let mut stored = Vec::new();
    for environment in ["production", "staging"] {
        let mut found = store.snapshot().events(&environment.parse().unwrap(), usize::MAX).unwrap();
        found.reverse();
        stored.extend(found);
    }
    // In their order, in which they were received.
    stored.sort_by_key(|event| event.received);
    fs::write(dir.join("known.json"), known(&store)).unwrap();
    drop(store);
    fs::remove_file(dir.join("LOCK")).unwrap();
    fs::write(dir.join("events.json"), serde_json::to_string_pretty(&stored).unwrap() + "\n").unwrap();
}

#[test]
fn what_older_versions_wrote_always_opens() {
    if std::env::var("CORPUS").is_ok_and(|v| v == "write") && !corpus().join(NEWEST).exists() {
        write(&corpus().join(NEWEST));
    }
    let mut versions = 0;
    for version in fs::read_dir(corpus()).unwrap() {
        let version = version.unwrap().path();
        let home = tempfile::tempdir().unwrap();
        copy(&version, home.path());
        fs::write(home.path().join("LOCK"), []).unwrap();
        let text = fs::read_to_string(version.join("events.json")).unwrap();
        let expected: Vec<Event> = serde_json::from_str(&text).unwrap();

        let report = Store::doctor_deep(home.path()).unwrap();
        assert!(report.is_sound() && report.notes.is_empty(), "{report:?}");
        assert!(report.part_events > 0 && report.log_events > 0);
        let (store, _) =
            Store::open(home.path(), Settings { seal_rows: 100, ..Settings::default() }).unwrap();
        let check = || {
            for environment in ["production", "staging"] {
                let environment = environment.parse().unwrap();
                let mut found = store.snapshot().events(&environment, usize::MAX).unwrap();
                found.reverse();
                let expected = expected.iter().filter(|e| e.environment == environment);
                assert!(found.iter().eq(expected), "{version:?}: {found:#?}");
            }
        };
        if let Ok(was) = fs::read_to_string(version.join("known.json")) {
            assert_eq!(known(&store), was, "{version:?}");
        }
        // As it was found, once everything was written by this version, and once old and new parts became one.
        check();
        store.flush().unwrap();
        check();
        for more in 0..2 {
            let other = |mut event: Event| {
                event.environment = "other".parse().unwrap();
                event.insert_id = event.insert_id.map(|id| format!("{more} {id}"));
                event
            };
            let _ = store.append(expected[..4].iter().cloned().map(other).collect()).unwrap();
            store.commit().unwrap();
            store.flush().unwrap();
        }
        let now = expected[0].received;
        assert_eq!((store.step(now).unwrap().merged, store.stats().parts), (4, 1));
        check();
        let named = expected.iter().filter(|e| e.insert_id.is_some()).cloned().collect();
        assert_eq!(store.append(named).unwrap().taken.stored, 0, "fingerprints have not changed");
        drop(store);
        assert!(Store::doctor_deep(home.path()).unwrap().is_sound());
        versions += 1;
    }
    assert!(versions > 0);
    assert!(corpus().join(NEWEST).exists());
}

//! Sim: somebody is forgotten whose events are gone, and the power goes in each operation of the disk on the way: what is known
//! of them and of their groups is all there or not at all, and whoever comes with their id then is somebody new.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::sync::Arc;

use bellwether_model::{EnvironmentKey, Event, Millis, Properties};
use bellwether_sim::disk::SimDisk;
use bellwether_store::disk::Disk;
use bellwether_store::{Id, Past, Settings, Store};
use serde_json::json;

fn here() -> EnvironmentKey {
    "production".parse().unwrap()
}

fn open(disk: &SimDisk) -> Store {
    // Each step writes a part and, if anything is new, what is known.
    let settings = Settings { seal_rows: 1, step_rows: 1, checkpoint_bytes: 1, ..Settings::default() };
    Store::open_on(Arc::new(disk.clone()), Path::new("/data/events"), settings).unwrap().0
}

/// An event of one of the users, each on a device of their own, that sets a property of the user and one of the group.
fn event(n: i64, sort: &str, user: &str, value: &str) -> Event {
    serde_json::from_value(json!({
        "environment": "production", "event": sort, "who": {"both": {"user": user, "device": format!("{user}-phone")}},
        "time": n, "received": n, "insert_id": n.to_string(), "properties": {}, "user_properties": {},
        "groups": {"company": "acme"}, "user_changes": {"$set": {"name": value}},
        "group_changes": {"$set": {user: value}},
    }))
    .unwrap()
}

fn put(store: &Store, events: Vec<Event>) {
    let _ = store.append(events).unwrap();
    store.commit().unwrap();
}

/// A store that knows of `ada` by an event that is gone, and of `bo` by one that is there.
fn begun(disk: &SimDisk) -> Store {
    let store = open(disk);
    let add = || json!({"$add": {"times": 1}}).as_object().cloned().unwrap_or_default();
    // Told twice it would be more; of a group that has nothing to do with it.
    let apart = Event {
        groups: Properties::from_iter([("company".to_owned(), "bolt".into())]),
        user_changes: add(),
        group_changes: add(),
        ..event(4, "visit", "cy", "")
    };
    put(
        &store,
        vec![
            event(1, "brief", "ada", "a"),
            event(2, "visit", "bo", "b"),
            event(3, "visit", "ada", "a"),
            apart,
        ],
    );
    store.flush().unwrap();
    let mut past = Past::default();
    past.only(&here(), "brief", Some(Millis(100)));
    store.expire(&past, Millis(200)).unwrap();
    while store.stats().events > 3 {
        store.step(Millis(200)).unwrap();
    }
    store
}

/// How many files there are of what is known.
fn files(disk: &SimDisk) -> usize {
    let parts = disk.list(Path::new("/data/events/parts")).unwrap();
    parts.iter().filter(|path| path.to_string_lossy().contains("/people-")).count()
}

#[test]
fn a_disk_that_fails_is_not_filled_with_what_could_not_be_named() {
    let disk = SimDisk::new(1);
    let store = begun(&disk);
    let before = known(&store, 1_000);
    for failing in 1..40 {
        for part in 0..4 {
            put(&store, vec![event(2_000 + 10 * failing + part, "visit", "ada", "a")]);
            store.flush().unwrap();
        }
        disk.set_failing(Some(2 + failing as u64 % 5));
        for _ in 0..10 {
            let _ = store.step(Millis(3_000));
            assert!(files(&disk) <= 2, "{failing}: {}", files(&disk));
        }
        disk.set_failing(None);
    }
    store.step(Millis(3_000)).unwrap();
    put(&store, vec![event(4_000, "visit", "ada", "a")]);
    store.flush().unwrap();
    store.step(Millis(3_000)).unwrap();
    assert_eq!(files(&disk), 1);
    drop(store);
    assert_eq!(known(&open(&disk), 5_000), before);
}

/// What is known of all and of their group, and whose the first one's device is; as one line.
fn known(store: &Store, n: i64) -> String {
    let [ada, bo, cy] = ["ada", "bo", "cy"].map(|user| {
        let person = store.person(&here(), Id::User(user)).unwrap();
        json!(store.properties_of(&here(), &person)).to_string()
    });
    let owner = store.person(&here(), Id::Device("ada-phone")).unwrap().user;
    // Of a group it is what the next event keeps.
    let bare = Event {
        user_changes: Properties::new(),
        group_changes: Properties::new(),
        ..event(n, "visit", "eve", "")
    };
    put(store, vec![bare]);
    let newest = store.snapshot().events(&here(), 1).unwrap().remove(0);
    format!("ada {ada}, bo {bo}, cy {cy}, {} {}", json!(newest.group_properties), owner.unwrap_or_default())
}

const ALL: &str =
    r#"ada {"name":"a"}, bo {"name":"b"}, cy {"times":1}, {"company":{"acme":{"ada":"a","bo":"b"}}} ada"#;
const NONE: &str = r#"ada {}, bo {"name":"b"}, cy {"times":1}, {"company":{"acme":{"bo":"b"}}} "#;
const NEW: &str =
    r#"ada {"name":"new"}, bo {"name":"b"}, cy {"times":1}, {"company":{"acme":{"ada":"new","bo":"b"}}} ada"#;

#[test]
fn all_or_nothing_is_known_of_who_is_forgotten_whichever_operation_the_power_goes_in() {
    let (mut all, mut none, mut returned) = (0, 0, 0);
    for operation in 0.. {
        let disk = SimDisk::new(operation);
        let store = begun(&disk);
        disk.cut_after(Some(operation), true);
        let forgot = store.forget(&here(), Id::User("ada")).is_ok();
        let off = disk.is_off();
        drop(store);
        disk.cut_after(None, false);
        disk.restart();

        let store = open(&disk);
        let is = known(&store, 1_000);
        assert!(is == NONE || (is == ALL && !forgot), "operation {operation}: {is}");
        all += u64::from(is == ALL);
        none += u64::from(is == NONE);
        if is == ALL {
            store.forget(&here(), Id::User("ada")).unwrap();
        }
        // Somebody new with that id, while a reader keeps the files of before and so the forgetting from its end.
        let reader = store.snapshot();
        put(&store, vec![event(2_000, "visit", "ada", "new")]);
        for _ in 0..20 {
            store.step(Millis(3_000)).unwrap();
        }
        assert_eq!(known(&store, 4_000), NEW, "operation {operation}");
        drop((reader, store));
        let store = open(&disk);
        assert_eq!(known(&store, 5_000), NEW, "operation {operation}, begun again");
        for _ in 0..50 {
            store.step(Millis(6_000)).unwrap();
        }
        assert_eq!(store.forgetting(), 0, "operation {operation}");
        assert_eq!(known(&store, 7_000), NEW, "operation {operation}, in the end");
        drop(store);
        let report = Store::doctor_on(Arc::new(disk), Path::new("/data/events"), true).unwrap();
        assert!(report.is_sound() && report.notes.is_empty(), "operation {operation}: {report:?}");
        if !off {
            returned += 1;
            break;
        }
    }
    assert!(all > 1 && none > 9 && returned == 1, "{all} and {none}");
}

//! App tests: a backup is a data directory of one moment, made while everything goes on.

use std::path::{Path, PathBuf};

use bellwether_app::App;
use serde_json::{Value as Json, json};

use crate::house::{House, START};

fn dir(house: &House, backup: &Json) -> PathBuf {
    house.dir.path().join("backups").join(backup["backup"].as_str().unwrap())
}

fn event(user: &str, n: u32) -> Json {
    json!({"user_id": user, "event_type": "click", "insert_id": format!("{user}-{n}"), "time": START.0})
}

#[test]
fn what_is_restored_is_what_was_there_and_what_came_later_is_not() {
    let house = House::new();
    house.did("segment.save", json!({"segment": "staff", "why": "t"}));
    house.did("segment.ids", json!({"segment": "staff", "list": "included", "add": ["ada"], "why": "t"}));
    let send = |from: u32| {
        let events: Vec<Json> = (from..from + 5).map(|n| event("ada-lovelace", n)).collect();
        house.send(&json!({"api_key": house.key("client"), "events": events})).unwrap();
    };
    send(0);
    let (revision, events) = (house.revision(), house.events().len());
    let rehearsed = house.rehearse("backup.create", json!({})).unwrap();
    assert!(!dir(&house, &rehearsed).exists());
    let backup = house.did("backup.create", json!({}));
    assert_eq!(backup["revision"], revision);
    house.did("segment.ids", json!({"segment": "staff", "list": "included", "add": ["bob"], "why": "t"}));
    send(5);
    assert_eq!(house.did("backup.list", json!({}))["backups"], json!([backup]));

    let elsewhere = tempfile::tempdir().unwrap();
    let (said, checkup) = App::restore(&dir(&house, &backup), elsewhere.path()).unwrap();
    assert_eq!((json!(said), checkup.findings), (backup, Vec::new()));
    let restored = House::restored(elsewhere, house.now);
    assert_eq!((restored.revision(), restored.events().len()), (revision, events));
    let included = |house: &House| house.did("segment.get", json!({"segment": "staff"}))["included"].clone();
    assert_eq!(included(&restored), json!({"count": 1, "first": ["ada"]}));
    // An event of before the backup that is sent again is known.
    let again = json!({"api_key": restored.key("client"), "events": [event("ada-lovelace", 1), event("ada-lovelace", 77)]});
    restored.send(&again).unwrap();
    assert_eq!(restored.events().len(), events + 1);
    // The server went on, and what was restored shares nothing with it.
    assert_eq!(house.events().len(), events + 5);
    assert_eq!(included(&house)["count"], 2);
}

#[test]
fn what_is_no_backup_is_refused_and_nothing_is_overwritten() {
    let mut house = House::new();
    let first = house.did("backup.create", json!({}));
    let said = house.refused("backup.create", json!({}));
    assert_eq!(
        said,
        format!(
            "409 there is a backup `{}` already\nhint: make the next one a moment later",
            first["backup"].as_str().unwrap()
        )
    );
    house.later(1);
    let second = house.did("backup.create", json!({}));
    assert_eq!(house.did("backup.list", json!({}))["backups"], json!([second, first]));
    // Names are in the order of their moments: each has three digits of a second.
    let name = |backup: &Json| backup["backup"].as_str().unwrap().to_owned();
    assert!(name(&first).ends_with("-20.000Z") && name(&second).ends_with("-20.001Z"), "{}", name(&first));
    // A restored one into what is there already, from what is none, and from one that was cut off.
    let refused = |from: &Path, to: &Path| {
        let e = App::restore(from, to).unwrap_err();
        (e.refusal.status(), e.message)
    };
    let elsewhere = tempfile::tempdir().unwrap();
    let (status, message) = refused(&dir(&house, &first), house.dir.path());
    assert_eq!((status, message), (409, format!("`{}` has something in it", house.dir.path().display())));
    let to = elsewhere.path().join("new");
    assert_eq!(refused(elsewhere.path(), &to).0, 400);
    let cut = dir(&house, &second);
    std::fs::remove_file(cut.join("backup.json")).unwrap();
    assert_eq!(refused(&cut, &to), (400, format!("`{}` is no backup", cut.display())));
    assert!(!to.exists());
    // One whose ledger was damaged is said to be so, and not copied silently.
    let ledger = dir(&house, &first).join("ledger.sqlite");
    let mut bytes = std::fs::read(&ledger).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 4_096].fill(0xa5);
    std::fs::write(&ledger, bytes).unwrap();
    let damaged = App::restore(&dir(&house, &first), &to);
    assert!(damaged.is_err() || !damaged.unwrap().1.findings.is_empty());

    let gone = house.did("backup.delete", json!({"backup": first["backup"]}));
    assert_eq!(gone["backup"], first["backup"]);
    assert!(!dir(&house, &first).exists());
    for name in [first["backup"].as_str().unwrap(), "..", "../events", ""] {
        assert!(house.refused("backup.delete", json!({"backup": name})).starts_with("404 "), "{name}");
    }
    assert!(house.dir.path().join("events").is_dir());
}

#[test]
fn what_is_kept_apart_and_what_hashes_are_made_with_are_in_a_backup() {
    let house = House::new();
    let plan = json!({
        "rules": {"environments": {"production": {"invalid": "quarantine", "personal": "hash"}}},
        "events": {"Signed Up": {"properties": {
            "email": {"type": "string", "personal": true}, "age": {"type": "integer"}}}},
    });
    house.did("plan.save", json!({"plan": plan, "why": "t"}));
    let send = |house: &House, id: &str, age: Json| {
        let event = json!({"event_type": "Signed Up", "user_id": "ada-lovelace", "insert_id": id,
            "event_properties": {"email": "ada@example.com", "age": age}});
        house.send(&json!({"api_key": house.key("client"), "events": [event]})).unwrap();
    };
    let hash = |house: &House| house.events()[0]["properties"]["email"].clone();
    send(&house, "fine", json!(36));
    send(&house, "odd", json!("old"));
    let backup = house.did("backup.create", json!({}));
    let elsewhere = tempfile::tempdir().unwrap();
    App::restore(&dir(&house, &backup), elsewhere.path()).unwrap();
    let restored = House::restored(elsewhere, house.now);
    let apart = restored.did("quarantine.list", json!({"environment": "production"}));
    assert_eq!(apart["events"].as_array().unwrap().len(), 1);
    send(&restored, "later", json!(37));
    assert_eq!(restored.events().len(), 2);
    assert_eq!(hash(&restored), hash(&house), "the same address after a restore");
    assert_eq!(
        restored.did("quarantine.release", json!({"environment": "production", "all": true}))["stored"],
        1
    );
}

//! App tests: a backup is a data directory of one moment, made while everything goes on.

use std::path::{Path, PathBuf};

use bellwether_app::{App, Settings};
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

/// A house with events in a part, in the log and in the quarantine, and its backup in a place of its own.
fn backed_up() -> (House, tempfile::TempDir, PathBuf) {
    let house = House::with(1, |settings| settings.store.seal_rows = 1);
    let rules = json!({"environments": {"production": {"unplanned_events": "quarantine"}}});
    let events = json!({"click": {"properties": {}}});
    house.did("plan.save", json!({"plan": {"rules": rules, "events": events}, "why": "t"}));
    let send = |events: Vec<Json>| {
        house.send(&json!({"api_key": house.key("client"), "events": events})).unwrap();
    };
    send((0..5).map(|n| event("ada-lovelace", n)).collect());
    assert_eq!(house.app.step(house.now).unwrap().sealed, 5);
    send(vec![event("ada-lovelace", 5)]);
    let unplanned =
        |n: u32| json!({"user_id": "ada-lovelace", "event_type": "clock", "insert_id": format!("q-{n}")});
    send((0..50).map(unplanned).collect());
    let backup = dir(&house, &house.did("backup.create", json!({})));
    let elsewhere = tempfile::tempdir().unwrap();
    let copy = elsewhere.path().join("copy");
    copy_all(&backup, &copy);
    (house, elsewhere, copy)
}

fn copy_all(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_all(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// The files below a directory.
fn below(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            found.extend(below(&path).into_iter().map(|file| format!("{name}/{file}")));
        } else {
            found.push(name);
        }
    }
    found.sort();
    found
}

fn remove(path: &Path) {
    if path.is_dir() { std::fs::remove_dir_all(path).unwrap() } else { std::fs::remove_file(path).unwrap() }
}

#[test]
fn what_a_copy_of_a_backup_lost_is_named_and_nothing_is_restored() {
    let (_house, elsewhere, whole) = backed_up();
    let to = elsewhere.path().join("restored");
    let note: Json = serde_json::from_slice(&std::fs::read(whole.join("backup.json")).unwrap()).unwrap();
    let files = below(&whole);
    let listed: Vec<&String> = note["files"].as_object().unwrap().keys().collect();
    assert_eq!(listed, files.iter().filter(|file| *file != "backup.json").collect::<Vec<_>>());
    let of = |start: &str| files.iter().filter(|file| file.starts_with(start)).count();
    assert!(of("events/parts/") > 0 && of("events/wal/") > 1, "{files:?}");

    let copy = elsewhere.path().join("lossy");
    let check = |what: &str, lose: &dyn Fn(&Path)| {
        copy_all(&whole, &copy);
        lose(&copy);
        let refused = App::restore(&copy, &to).expect_err(what);
        assert_eq!(refused.refusal.status(), 400, "{what}: {}", refused.message);
        assert_eq!(refused.hint, "copy all of it again from where it was made, or restore an older one");
        assert!(!to.exists() && !to.with_added_extension("tmp").exists(), "{what}");
        let found = App::doctor(&copy, false).unwrap().findings;
        std::fs::remove_dir_all(&copy).unwrap();
        let of_it = format!("the backup `{}` is not whole: ", copy.display());
        let named = refused.message.strip_prefix(&of_it).unwrap().to_owned();
        assert!(found.iter().any(|found| named.starts_with(found)), "{what}: {named}, {found:?}");
        named
    };
    for file in listed {
        let bytes = note["files"][file].as_u64().unwrap();
        assert_eq!(check(file, &|copy| remove(&copy.join(file))), format!("`{file}` is missing"));
        if bytes > 0 {
            let cut = |copy: &Path| {
                std::fs::OpenOptions::new()
                    .write(true)
                    .open(copy.join(file))
                    .unwrap()
                    .set_len(bytes - 1)
                    .unwrap();
            };
            assert_eq!(check(file, &cut), format!("`{file}` has `{}` bytes, and had `{bytes}`", bytes - 1));
        }
    }
    for directory in ["events", "events/wal", "events/parts"] {
        let said = check(directory, &|copy| remove(&copy.join(directory)));
        assert_eq!(said, format!("`{directory}` is missing"));
    }
    let all = check("all but the note", &|copy| {
        for file in files.iter().filter(|file| *file != "backup.json") {
            remove(&copy.join(file));
        }
    });
    assert!(
        all.starts_with("`events/LOCK` is missing, ") && all.ends_with("` more are not as they were"),
        "{all}"
    );

    // The note of an earlier version lists no files. What every data directory has is missed all the same, and what the
    // ledger knows to have been there.
    let older = |copy: &Path| {
        let mut note = note.clone();
        note.as_object_mut().unwrap().remove("files");
        std::fs::write(copy.join("backup.json"), note.to_string()).unwrap();
    };
    for file in ["ledger.sqlite", "events", "events/wal", "events/parts", "events/LOCK"] {
        let said = check(file, &|copy| {
            older(copy);
            remove(&copy.join(file));
        });
        assert_eq!(said, format!("`{file}` is missing"));
    }
    // A list that is none is not taken for none.
    copy_all(&whole, &copy);
    let text = std::fs::read_to_string(copy.join("backup.json")).unwrap();
    std::fs::write(copy.join("backup.json"), text.replace("\"files\": {", "\"files\": 7, \"was\": {"))
        .unwrap();
    for refused in [App::restore(&copy, &to).map(|_| ()), App::doctor(&copy, false).map(|_| ())] {
        assert_eq!(refused.unwrap_err().message, format!("`{}` is no backup", copy.display()));
    }
    remove(&copy);
    for lost in [None, Some("quarantine.sqlite")] {
        copy_all(&whole, &copy);
        older(&copy);
        lost.iter().for_each(|file| remove(&copy.join(file)));
        let (_, checkup) = App::restore(&copy, &to).unwrap();
        let expected = lost.map(|file| format!("`{file}` is missing"));
        assert_eq!(checkup.findings, expected.into_iter().collect::<Vec<_>>());
        [&copy, &to].into_iter().for_each(|dir| remove(dir));
    }
    let (_, checkup) = App::restore(&whole, &to).unwrap();
    assert_eq!((checkup.findings, checkup.facts.last().unwrap().as_str()), (vec![], "quarantine: 50 events"));
}

/// What was held apart has a file wherever a version was that knows of it.
#[test]
fn a_data_directory_whose_quarantine_is_gone_is_not_well() {
    let (_house, elsewhere, whole) = backed_up();
    let to = elsewhere.path().join("restored");
    App::restore(&whole, &to).unwrap();
    // One that a server was started on is no backup any more, whatever its note says.
    drop(App::open(Settings::new(&whole, Box::new(|| {})), START).unwrap());
    assert_eq!(App::doctor(&whole, true).unwrap().findings, [""; 0]);
    std::fs::write(to.join("quarantine.sqlite"), "no database, however long it is read").unwrap();
    let findings = App::doctor(&to, true).unwrap().findings;
    assert!(findings.iter().any(|found| found.starts_with("quarantine: ")), "{findings:?}");
    remove(&to.join("quarantine.sqlite"));
    assert_eq!(App::doctor(&to, true).unwrap().findings, ["`quarantine.sqlite` is missing"]);
}

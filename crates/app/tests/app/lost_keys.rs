//! App tests: the key that personal values are hashed with is the one of before, or nothing starts and the doctor says
//! so. Files of secrets are there whole or not at all.

use std::path::Path;

use bellwether_app::{App, AppError, Settings};
use serde_json::{Value as Json, json};
use tempfile::TempDir;

use crate::house::{House, START};

fn open(data: &Path, new_personal_key: bool) -> Result<App, AppError> {
    let settings = Settings { new_personal_key, ..Settings::new(data, Box::new(|| {})) };
    App::open(settings, START).map(|(app, _)| app)
}

fn said(error: &AppError, data: &Path) -> String {
    let data = data.display().to_string();
    format!("{} {}\nhint: {}", error.refusal.status(), error.message, error.hint).replace(&data, "DATA")
}

/// A house whose users are hashed, with one event.
fn hashing() -> House {
    let house = House::new();
    let rules = json!({"environments": {"production": {"user_ids": "hash"}}});
    house.did("plan.save", json!({"plan": {"rules": rules, "events": {}}, "why": "t"}));
    send(&house);
    house
}

/// Sends one event; sent again it is a copy.
fn send(house: &House) {
    let event =
        json!({"event_type": "click", "user_id": "ada-lovelace", "insert_id": "one", "time": START.0});
    house.send(&json!({"api_key": house.key("client"), "events": [event]})).unwrap();
}

/// The data directory of a house that stopped.
fn stopped(house: House) -> TempDir {
    let House { app, dir, .. } = house;
    drop(app);
    dir
}

fn findings(data: &Path) -> Vec<String> {
    let [quick, deep] = [false, true].map(|deep| App::doctor(data, deep).unwrap().findings);
    assert_eq!(quick, deep);
    quick
}

/// Does something to the file of a key, which was this.
type Lose = fn(&Path, Vec<u8>);

/// Ways to lose a key, of which nothing is there any more.
const LOST: [(&str, Lose); 4] = [
    ("missing", |key, _| std::fs::remove_file(key).unwrap()),
    ("empty", |key, _| std::fs::write(key, []).unwrap()),
    ("cut", |key, was| std::fs::write(key, &was[..31]).unwrap()),
    ("altered", |key, was| std::fs::write(key, was.iter().map(|b| b ^ 1).collect::<Vec<u8>>()).unwrap()),
];

#[test]
fn a_key_that_is_not_the_one_of_before_is_noticed_and_made_anew_only_when_that_is_asked_for() {
    let mut shown = Vec::new();
    for (how, lose) in LOST {
        let dir = stopped(hashing());
        let (data, key) = (dir.path(), dir.path().join("personal.key"));
        assert_eq!(findings(data), [""; 0]);
        let was = std::fs::read(&key).unwrap();
        lose(&key, was.clone());
        let left = std::fs::read(&key).ok();
        let refused = said(&open(data, false).err().expect(how), data);
        let (message, hint) = refused.split_once("; with another key ").unwrap();
        shown.push(format!("{how}: {message}\n{}", findings(data).join("\n")));
        if how == "missing" {
            shown.push(format!("… with another key {hint}"));
        }
        assert_eq!(std::fs::read(&key).ok(), left, "{how}: nothing was done to it");
        // Put back, it is the same installation: what is sent again is known.
        std::fs::write(&key, &was).unwrap();
        assert_eq!(findings(data), [""; 0]);
        let house = House::restored(dir, START);
        send(&house);
        assert_eq!(house.events().len(), 1, "{how}");
        // Lost for good, a new one is made once, and what was there is not thrown away.
        let dir = stopped(house);
        let (data, key) = (dir.path(), dir.path().join("personal.key"));
        lose(&key, was.clone());
        drop(open(data, true).unwrap_or_else(|e| panic!("{how}: {}", e.message)));
        let new = std::fs::read(&key).unwrap();
        assert!(new.len() == was.len() && new != was, "{how}");
        let aside = std::fs::read(data.join("personal.key.old")).ok();
        assert_eq!(aside, left.filter(|left| !left.is_empty()), "{how}");
        assert_eq!(findings(data), [""; 0]);
        for asked_for in [true, false] {
            drop(open(data, asked_for).unwrap_or_else(|e| panic!("{how}: {}", e.message)));
            assert_eq!(std::fs::read(&key).unwrap(), new, "{how}: one that fits stays");
        }
    }
    insta::assert_snapshot!(shown.join("\n\n"), @"
    missing: 409 `DATA/personal.key` is missing, and personal values were hashed with it
    `personal.key` is missing, and personal values were hashed with it

    … with another key whoever was hashed is somebody else from now on: what they send again counts twice, and they are not found or forgotten by their id
    hint: put the file back from a backup; where there is none, start once with `bellwether serve --new-personal-key`: who was hashed before is then nobody who comes again, and is found by their hash only

    empty: 409 `DATA/personal.key` is cut: it has `0` bytes, and a key has `32` at least
    `personal.key` is cut: it has `0` bytes, and a key has `32` at least

    cut: 409 `DATA/personal.key` is cut: it has `31` bytes, and a key has `32` at least
    `personal.key` is cut: it has `31` bytes, and a key has `32` at least

    altered: 409 `DATA/personal.key` is not the key that personal values were hashed with
    `personal.key` is not the key that personal values were hashed with
    ");
}

/// Earlier versions wrote no mark into the ledger.
#[test]
fn the_key_of_an_earlier_version_is_believed_once_and_half_of_one_is_made_anew() {
    let forget = |data: &Path| {
        let ledger = rusqlite::Connection::open(data.join("ledger.sqlite")).unwrap();
        ledger.execute_batch("drop table personal_key; pragma user_version = 4").unwrap();
    };
    let dir = stopped(hashing());
    let (data, key) = (dir.path(), dir.path().join("personal.key"));
    let was = std::fs::read(&key).unwrap();
    forget(data);
    assert_eq!(findings(data), [""; 0]);
    drop(open(data, false).unwrap());
    assert_eq!(std::fs::read(&key).unwrap(), was);
    std::fs::remove_file(&key).unwrap();
    assert!(open(data, false).is_err());
    for there in [None, Some(&was[..20])] {
        forget(data);
        match there {
            Some(half) => std::fs::write(&key, half).unwrap(),
            None => drop(std::fs::remove_file(&key)),
        }
        let expected: &[&str] = match there {
            Some(_) => &["`personal.key` is cut: it has `20` bytes, and a key has `32` at least"],
            None => &[],
        };
        assert_eq!(findings(data), expected);
        drop(open(data, false).unwrap());
        assert_ne!(std::fs::read(&key).unwrap(), was);
        assert_eq!(findings(data), [""; 0]);
    }
}

/// A crash leaves at most half a file by another name.
#[test]
fn half_a_secret_that_a_crash_left_is_in_nobodys_way() {
    let dir = tempfile::tempdir().unwrap();
    let names = ["personal.key", "stream.key"];
    for name in names {
        std::fs::write(dir.path().join(name).with_added_extension("tmp"), "half").unwrap();
    }
    drop(open(dir.path(), false).unwrap());
    for name in names {
        let path = dir.path().join(name);
        assert_eq!(std::fs::read(&path).unwrap().len(), 43);
        assert!(!path.with_added_extension("tmp").exists());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
}

#[test]
fn a_backup_has_the_key_that_the_server_hashes_with_and_one_that_lost_it_is_not_restored_in_silence() {
    for (how, lose) in LOST {
        let house = hashing();
        let key = house.dir.path().join("personal.key");
        let was = std::fs::read(&key).unwrap();
        // Lost while the server runs: the next backup has it.
        lose(&key, was.clone());
        let backup: Json = house.did("backup.create", json!({}));
        let from = house.dir.path().join("backups").join(backup["backup"].as_str().unwrap());
        assert_eq!(std::fs::read(from.join("personal.key")).unwrap(), was, "{how}");
        let elsewhere = tempfile::tempdir().unwrap();
        let (_, checkup) = App::restore(&from, &elsewhere.path().join("whole")).unwrap();
        assert_eq!(checkup.findings, [""; 0]);
        // Lost in the backup.
        lose(&from.join("personal.key"), was.clone());
        let told = match App::restore(&from, &elsewhere.path().join("lost")) {
            Ok((_, checkup)) => checkup.findings.join("\n"),
            Err(refused) => refused.message,
        };
        assert!(told.contains("`personal.key`"), "{how}: {told}");
    }
}

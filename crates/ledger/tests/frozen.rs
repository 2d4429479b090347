//! Ledger, tests: whole ledgers as some versions wrote them. Each must open, be found healthy, fold to the same
//! state and take new changes, for ever.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::num::NonZeroU32;
use std::path::PathBuf;

use bellwether_ledger::{
    Decided, Enrolled, Held, Ledger, NewKey, NewPerson, Placed, Quarantine, Role, Scope, Standing, State,
};
use bellwether_model::{Actor, ListId, Millis, Seq, Span};
use common::{Place, live, shop, step};

/// The file of a version of the schema.
fn frozen(version: u32) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/corpus/ledger-v{version}.sqlite"))
}

/// The version of the schema that this program writes.
fn newest() -> u32 {
    let place = Place::new();
    drop(place.open());
    place.hands().query_row("pragma user_version", [], |row| row.get(0)).unwrap()
}

/// A frozen ledger, opened, in a place of its own.
fn thawed(version: u32) -> (Place, Ledger) {
    let place = Place::new();
    std::fs::copy(frozen(version), place.path()).unwrap();
    assert_eq!(Ledger::doctor(&place.path()).unwrap().findings, []);
    let ledger = place.open();
    (place, ledger)
}

fn goes_on(place: &Place, ledger: &Ledger) {
    assert_eq!(ledger.people().list().unwrap().len(), 1);
    step(ledger, shop::edit(shop::toggle("banner", "production", false))).unwrap();
    assert_eq!(Ledger::doctor(&place.path()).unwrap().findings, []);
    assert_eq!(ledger.state_at(ledger.state().revision).unwrap(), State::clone(&ledger.state()));
}

#[test]
fn the_first_ledger_still_opens() {
    let (place, ledger) = thawed(1);
    insta::assert_json_snapshot!(*ledger.state());
    assert_eq!(ledger.list(&ListId("l_77".into())).unwrap().len(), 2);
    goes_on(&place, &ledger);
}

/// Lists are series there, units were enrolled, and every edit has happened.
#[test]
fn a_ledger_of_the_third_schema_still_opens() {
    let (place, ledger) = thawed(3);
    insta::assert_json_snapshot!(*ledger.state());
    for (list, members) in [("l_77", 2), ("l_80", 1), ("l_81", 2)] {
        assert_eq!(ledger.list(&ListId(list.into())).unwrap().len(), members, "{list}");
    }
    let (environment, flag) = ("production".parse().unwrap(), "checkout".parse().unwrap());
    let (memory, units) = ledger.enrolments().open(&environment, &flag, "salt", shop::START).unwrap();
    assert_eq!((memory.made, memory.seen), (shop::START, Some(shop::START)));
    assert_eq!(units, enrolled());
    goes_on(&place, &ledger);
}

/// Keys may have a rate there.
#[test]
fn a_ledger_of_the_fourth_schema_still_opens() {
    let (place, ledger) = thawed(4);
    insta::assert_json_snapshot!(*ledger.state());
    let rates = ledger.people().keys().unwrap().into_iter().map(|key| (key.id, key.events_per_second));
    let expected = [("k_1".to_owned(), NonZeroU32::new(250)), ("k_2".to_owned(), None)];
    assert_eq!(rates.collect::<Vec<_>>(), expected);
    goes_on(&place, &ledger);
}

/// It knows which key personal values are hashed with; an earlier one does not.
#[test]
fn a_ledger_of_the_fifth_schema_still_opens() {
    let (place, ledger) = thawed(5);
    insta::assert_json_snapshot!(*ledger.state());
    assert_eq!(ledger.personal_key_mark().unwrap().as_deref(), Some("of-nothing"));
    assert_eq!(thawed(4).1.personal_key_mark().unwrap(), None);
    goes_on(&place, &ledger);
}

fn enrolled() -> Vec<Enrolled> {
    let place = |unit, holds: Option<&str>| Enrolled {
        unit,
        is: Standing::Placed { hash: 7, holds: holds.map(|key| key.parse().unwrap()), inherited: false },
    };
    vec![place(1, Some("treatment")), place(2, None), Enrolled { unit: 3, is: Standing::Owned { by: 1 } }]
}

#[test]
fn the_newest_schema_is_frozen() {
    let version = newest();
    assert!(frozen(version).exists(), "run `freeze` for version {version}, and test what it wrote");
}

/// Writes the ledger of this version. A file that is there is never written again.
#[test]
#[ignore = "run by hand for a new version of the schema"]
fn freeze() {
    let place = Place::new();
    let ledger = place.open();
    live(&ledger, shop::whole());
    let new = NewPerson {
        id: "p_4f1c",
        email: "ada@example.com",
        name: "Ada",
        role: Role::Admin,
        password_hash: "$argon2id$of-nothing",
    };
    ledger.people().create_person(&new, shop::START).unwrap();
    let (environment, flag) = ("production".parse().unwrap(), "checkout".parse().unwrap());
    let enrolments = ledger.enrolments();
    let (memory, _) = enrolments.open(&environment, &flag, "salt", shop::START).unwrap();
    enrolments.write(memory.id, &enrolled(), Some(shop::START)).unwrap();
    let new = NewKey {
        id: "k_1",
        name: "web",
        scope: Scope::Client,
        environment: Some(&environment),
        events_per_second: NonZeroU32::new(250),
        secret_hash: "of-nothing",
        created_by: &Actor::Person { id: "p_4f1c".to_owned() },
    };
    ledger.people().create_key(&new, shop::START).unwrap();
    let other = NewKey { id: "k_2", events_per_second: None, secret_hash: "of-nothing-too", ..new };
    ledger.people().create_key(&other, shop::START).unwrap();
    ledger.set_personal_key_mark("of-nothing").unwrap();
    drop(ledger);
    // The last connection to close has folded the write-ahead log into the one file.
    let frozen = frozen(newest());
    assert!(!frozen.exists(), "it is frozen");
    std::fs::copy(place.path(), frozen).unwrap();
}

/// The quarantine of a version of its schema.
fn frozen_quarantine(version: u32) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/corpus/quarantine-v{version}.sqlite"))
}

/// What is in it; the first two versions did not keep what had been stored by then, nor the first five what was sent.
fn kept_apart(version: u32) -> Vec<Held> {
    let one = |environment: &str, print: Option<u8>, body: &str| Held {
        environment: environment.parse().unwrap(),
        sort: "Checkout".to_owned(),
        at: shop::START,
        after: (version > 2).then_some(Seq(40)),
        print: print.map(|print| [print; 16]),
        why: "[\"the event type is not in the tracking plan\"]".to_owned(),
        sent: (version > 5).then(|| "{\"email\":{\"is\":\"string\"}}".to_owned()),
        body: body.to_owned(),
    };
    vec![
        one("production", Some(1), "{\"a\": 1}"),
        one("production", None, "{}"),
        one("staging", Some(2), "{}"),
    ]
}

fn decided() -> Decided {
    Decided { print: [9; 16], whose: [Some([3; 16]), None], at: shop::START }
}

/// A frozen quarantine, opened, in a place of its own: what is in it is found, and it goes on.
fn thawed_quarantine(version: u32) -> (tempfile::TempDir, Quarantine) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("quarantine.sqlite");
    std::fs::copy(frozen_quarantine(version), &path).unwrap();
    assert_eq!(Quarantine::doctor(&path).unwrap(), (3, vec![]));
    let quarantine = Quarantine::open(&path).unwrap();
    let list = |environment: &str| quarantine.page(&environment.parse().unwrap(), None, 0, 9, 99).unwrap().0;
    let kept: Vec<_> = list("production").into_iter().chain(list("staging")).collect();
    assert_eq!(kept.iter().map(|kept| kept.held.clone()).collect::<Vec<_>>(), kept_apart(version));
    let (placed, _) = quarantine.hold(&kept_apart(3), Span::DAY).unwrap();
    assert!(matches!(placed[..], [Placed::There(1), Placed::New(_), Placed::There(3)]), "{placed:?}");
    quarantine
        .decide(&"production".parse().unwrap(), &[1], &[Decided { print: [1; 16], ..decided() }])
        .unwrap();
    assert_eq!(quarantine.hold(&kept_apart(3)[..1], Span::DAY).unwrap().0, [Placed::Decided]);
    (dir, quarantine)
}

#[test]
fn the_first_quarantine_still_opens() {
    let (dir, quarantine) = thawed_quarantine(1);
    drop(quarantine);
    assert_eq!(quarantine_version(&dir.path().join("quarantine.sqlite")), 6);
}

/// It knows what was decided.
#[test]
fn a_quarantine_of_the_second_schema_still_opens() {
    let (_dir, quarantine) = thawed_quarantine(2);
    assert_eq!(quarantine.forget_decided_of(&[[3; 16]]).unwrap(), 2);
    assert_eq!(quarantine.forget_decided_until(Millis(i64::MAX)).unwrap(), 0);
}

/// It knows after which event each thing came.
#[test]
fn a_quarantine_of_the_third_schema_still_opens() {
    let (_dir, quarantine) = thawed_quarantine(3);
    let kept = quarantine.page(&"staging".parse().unwrap(), None, 0, 9, 99).unwrap().0;
    assert_eq!(kept.first().unwrap().held.after, Some(Seq(40)));
}

/// It reads pages by an index of their order.
#[test]
fn a_quarantine_of_the_fourth_schema_still_opens() {
    let (_dir, quarantine) = thawed_quarantine(4);
    let kept = quarantine.page(&"production".parse().unwrap(), None, 1, 9, 99).unwrap().0;
    assert_eq!(kept.iter().map(|kept| kept.id).collect::<Vec<_>>(), [2, 5]);
}

/// It knows what is about to leave.
#[test]
fn a_quarantine_of_the_fifth_schema_still_opens() {
    let (_dir, quarantine) = thawed_quarantine(5);
    let leaving = quarantine.leaving().unwrap();
    let known = leaving.iter().map(|one| (one.kept.id, one.at, one.name)).collect::<Vec<_>>();
    assert_eq!(known, [(3, shop::START, [7; 16])]);
}

/// It knows what was sent of what was taken out.
#[test]
fn a_quarantine_of_the_sixth_schema_still_opens() {
    let (_dir, quarantine) = thawed_quarantine(6);
    let kept = quarantine.page(&"staging".parse().unwrap(), None, 0, 9, 99).unwrap().0;
    assert_eq!(kept.first().unwrap().held.sent, kept_apart(6)[2].sent);
}

fn quarantine_version(path: &std::path::Path) -> u32 {
    let conn = rusqlite::Connection::open(path).unwrap();
    conn.query_row("pragma user_version", [], |row| row.get(0)).unwrap()
}

#[test]
fn the_newest_quarantine_is_frozen() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("quarantine.sqlite");
    drop(Quarantine::open(&path).unwrap());
    let version = quarantine_version(&path);
    let frozen = frozen_quarantine(version);
    assert!(frozen.exists(), "run `freeze_the_quarantine` for version {version}, and test what it wrote");
}

/// Writes the quarantine of this version. A file that is there is never written again.
#[test]
#[ignore = "run by hand for a new version of the schema"]
fn freeze_the_quarantine() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("quarantine.sqlite");
    let quarantine = Quarantine::open(&path).unwrap();
    quarantine.hold(&kept_apart(6), Span::DAY).unwrap();
    quarantine.decide(&"production".parse().unwrap(), &[], &[decided()]).unwrap();
    quarantine.leave(shop::START, &[(3, [7; 16])]).unwrap();
    drop(quarantine);
    let frozen = frozen_quarantine(quarantine_version(&path));
    assert!(!frozen.exists(), "it is frozen");
    std::fs::copy(path, frozen).unwrap();
}

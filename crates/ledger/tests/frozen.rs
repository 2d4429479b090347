//! Ledger, tests: whole ledgers as some versions wrote them. Each must open, be found healthy, fold to the same
//! state and take new changes, for ever.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::num::NonZeroU32;
use std::path::PathBuf;

use bellwether_ledger::{Enrolled, Ledger, NewKey, NewPerson, Role, Scope, Standing, State};
use bellwether_model::{Actor, ListId};
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
    drop(ledger);
    // The last connection to close has folded the write-ahead log into the one file.
    let frozen = frozen(newest());
    assert!(!frozen.exists(), "it is frozen");
    std::fs::copy(place.path(), frozen).unwrap();
}

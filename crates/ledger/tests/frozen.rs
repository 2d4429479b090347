//! Ledger, tests: a whole ledger as the first version wrote it. It must open, be found healthy, fold
//! to the same state and take new changes, for ever.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::path::PathBuf;

use bellwether_ledger::Ledger;
use common::{Place, live, shop, step};

fn frozen() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/ledger-v1.sqlite")
}

#[test]
fn the_first_ledger_still_opens() {
    let place = Place::new();
    std::fs::copy(frozen(), place.path()).unwrap();
    assert_eq!(Ledger::doctor(&place.path()).unwrap().findings, []);
    let ledger = place.open();
    insta::assert_json_snapshot!(*ledger.state());
    assert_eq!(ledger.list(&bellwether_model::ListId("l_77".into())).unwrap().len(), 2);
    assert_eq!(ledger.people().list().unwrap().len(), 1);
    step(&ledger, shop::edit(shop::toggle("checkout", "production", false))).unwrap();
    assert_eq!(Ledger::doctor(&place.path()).unwrap().findings, []);
}

/// Writes the ledger of this version. A file that is there is never written again.
#[test]
#[ignore = "run by hand for a new version of the schema"]
fn freeze() {
    let place = Place::new();
    let ledger = place.open();
    live(&ledger, shop::history());
    let new = bellwether_ledger::NewPerson {
        id: "p_4f1c",
        email: "ada@example.com",
        name: "Ada",
        role: bellwether_ledger::Role::Admin,
        password_hash: "$argon2id$of-nothing",
    };
    ledger.people().create_person(&new, shop::START).unwrap();
    drop(ledger);
    // The last connection to close has folded the write-ahead log into the one file.
    assert!(!frozen().exists(), "it is frozen");
    std::fs::copy(place.path(), frozen()).unwrap();
}

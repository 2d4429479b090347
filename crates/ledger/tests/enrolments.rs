//! Ledger, tests: who was enrolled is there after a restart, one memory does not know another, and what
//! nobody wants any more is taken out piece by piece.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use bellwether_ledger::{Enrolled, Ledger, Standing};
use bellwether_model::{EnvironmentKey, FlagKey, Millis};
use common::Place;

const NOW: Millis = Millis(1_790_000_000_000);

fn production() -> EnvironmentKey {
    "production".parse().unwrap()
}

fn flag(key: &str) -> FlagKey {
    key.parse().unwrap()
}

fn placed(unit: u64, hash: u32, holds: Option<&str>, inherited: bool) -> Enrolled {
    Enrolled { unit, is: Standing::Placed { hash, holds: holds.map(|key| key.parse().unwrap()), inherited } }
}

fn open(ledger: &Ledger, of: &str, salt: &str) -> (i64, Option<Millis>, Vec<Enrolled>) {
    let (memory, mut units) = ledger.enrolments().open(&production(), &flag(of), salt, NOW).unwrap();
    units.sort_by_key(|line| line.unit);
    (memory.id, memory.seen, units)
}

#[test]
fn what_is_written_is_read_after_a_restart() {
    let place = Place::new();
    let first = [
        placed(7, 0, Some("on"), false),
        // All of the range: fingerprints and hashes know no sign.
        placed(u64::MAX, u32::MAX, None, true),
        Enrolled { unit: u64::MAX - 1, is: Standing::Owned { by: 1 << 63 } },
    ];
    {
        let ledger = place.open();
        let (id, seen, units) = open(&ledger, "f", "f:1");
        assert_eq!((seen, units), (None, vec![]));
        ledger.enrolments().write(id, &first, Some(NOW)).unwrap();
        // A device that becomes a user's, and a place that is left.
        let later = [Enrolled { unit: 7, is: Standing::Owned { by: u64::MAX } }];
        ledger.enrolments().write(id, &later, Some(Millis(NOW.0 + 5))).unwrap();
    }
    let ledger = place.open();
    let (id, seen, units) = open(&ledger, "f", "f:1");
    assert_eq!(seen, Some(Millis(NOW.0 + 5)));
    let owned = Enrolled { unit: 7, is: Standing::Owned { by: u64::MAX } };
    assert_eq!(units, [owned, first[2].clone(), first[1].clone()]);
    // Another salt, another flag, another environment: another memory.
    let others = [open(&ledger, "f", "f:2"), open(&ledger, "g", "f:1")];
    assert!(others.iter().all(|(other, seen, units)| *other != id && seen.is_none() && units.is_empty()));
    assert_eq!(Ledger::doctor(&place.path()).unwrap().findings, []);
}

#[test]
fn what_is_put_aside_is_asked_no_more() {
    let place = Place::new();
    let ledger = place.open();
    let enrolments = ledger.enrolments();
    let (id, ..) = open(&ledger, "f", "f:1");
    enrolments.write(id, &[placed(1, 1, Some("on"), false)], Some(NOW)).unwrap();
    open(&ledger, "f", "f:2");
    enrolments.retire(&production(), &flag("f")).unwrap();
    let (new, seen, units) = open(&ledger, "f", "f:1");
    assert!(new != id && seen.is_none() && units.is_empty());
    assert_eq!(enrolments.sweep(&|_, _, salt| salt == "f:1", 100).unwrap(), 1);
    assert_eq!(open(&ledger, "f", "f:1").0, new);
}

#[test]
fn the_secret_stays_what_it_was() {
    let place = Place::new();
    assert_eq!(place.open().enrolments().secret("first").unwrap(), "first");
    assert_eq!(place.open().enrolments().secret("second").unwrap(), "first");
}

#[test]
fn what_nobody_wants_is_taken_out_piece_by_piece() {
    let place = Place::new();
    let ledger = place.open();
    let fill = |of: &str, salt: &str| {
        let (id, ..) = open(&ledger, of, salt);
        let units: Vec<Enrolled> = (0..250).map(|unit| placed(unit, 1, Some("on"), false)).collect();
        ledger.enrolments().write(id, &units, Some(NOW)).unwrap();
        id
    };
    let old = fill("f", "f:1");
    fill("f", "f:2");
    fill("gone", "gone:1");
    let wanted = |environment: &str, flag: &str, salt: &str| {
        assert_eq!(environment, "production");
        (flag, salt) == ("f", "f:2")
    };
    let sweep = || ledger.enrolments().sweep(&wanted, 100).unwrap();
    assert_eq!(sweep(), 100);
    // What is wanted again half way is looked at anew.
    let (again, seen, units) = open(&ledger, "f", "f:1");
    assert_eq!((again, seen, units.len()), (old, None, 150));
    let rounds: Vec<usize> = std::iter::repeat_with(sweep).take(6).collect();
    assert_eq!(rounds, [100, 100, 100, 100, 0, 0]);
    assert_eq!(open(&ledger, "f", "f:2").2.len(), 250);
    // Whoever still holds a memory that is gone writes into nothing.
    ledger.enrolments().write(old, &[placed(1, 1, None, false)], Some(NOW)).unwrap();
    let (new, seen, units) = open(&ledger, "f", "f:1");
    assert_eq!((seen, units), (None, vec![]), "{new}");
    assert_eq!(Ledger::doctor(&place.path()).unwrap().findings, []);
}

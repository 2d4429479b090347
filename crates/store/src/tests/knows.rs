//! Store: tests. What is known of an event without taking it.

use bellwether_model::{Millis, Seq};

use super::{WEEK, named, open};
use crate::{Fingerprint, Known, Outcome};

/// How the events `a` and `b` are asked for.
fn both(at: i64) -> [(Option<Fingerprint>, Millis); 2] {
    ["a", "b"].map(|name| (Fingerprint::of(&named(name, at)), Millis(at)))
}

#[test]
fn what_is_committed_is_known_for_a_week_in_memory_and_in_parts() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path());
    let knows = |at: i64| {
        let Known { known, ticket, .. } = store.knows(&both(at)).unwrap();
        assert!(ticket.is_none(), "nothing waits");
        known
    };
    assert_eq!(knows(1), [false, false]);
    let ticket = store.append(vec![named("a", 1)]).unwrap();
    let Known { known, ticket: waits, .. } = store.knows(&both(2)).unwrap();
    assert_eq!((known, store.outcome(waits.as_ref().unwrap())), (vec![true, false], Outcome::Waiting));
    store.commit().unwrap();
    assert_eq!(store.outcome(&waits.unwrap()), Outcome::Committed);
    assert_eq!(knows(2), [true, false]);
    // Asking changes nothing.
    assert_eq!(store.append(vec![named("b", 2), named("a", 2)]).unwrap().taken.stored, 1);
    store.commit().unwrap();
    assert_eq!(ticket.seq, Seq(1));
    for at in [2, WEEK] {
        assert_eq!(knows(at), [true, true], "{at}");
    }
    assert_eq!(knows(WEEK + 1), [false, true]);
    store.step(Millis(WEEK)).unwrap();
    assert_eq!(store.stats().parts, 1);
    assert_eq!(knows(WEEK), [true, true]);
    assert_eq!(knows(WEEK + 1), [false, true]);
    let mut unnamed = named("a", 2);
    unnamed.insert_id = None;
    assert_eq!(store.knows(&[(Fingerprint::of(&unnamed), Millis(2))]).unwrap().known, [false]);
}

//! Store: tests. What is refused, what is forgotten, and many threads at once.

use std::sync::atomic::{AtomicBool, Ordering};

use bellwether_model::{Json, Millis, Seq, Span};

use super::{WEEK, eager, named, names, open, put};
use crate::{Outcome, Settings, Store, StoreError};

#[test]
fn a_store_is_open_once() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path());
    let error = Store::open(home.path(), eager()).unwrap_err();
    assert!(matches!(error, StoreError::InUse { .. }));
    assert!(error.to_string().contains("already open\nhint: "), "{error}");
    assert!(matches!(Store::doctor_deep(home.path()), Err(StoreError::InUse { .. })));
    drop(store);
    assert!(Store::doctor_deep(home.path()).unwrap().is_sound());
    drop(open(home.path()));
    assert!(matches!(Store::doctor_deep(&home.path().join("nowhere")), Err(StoreError::Storage { .. })));
}

#[test]
fn a_queue_is_bounded_and_a_refusal_takes_nothing() {
    let home = tempfile::tempdir().unwrap();
    let settings = Settings { queue_bytes: 5_000, ..eager() };
    let (store, _) = Store::open(home.path(), settings).unwrap();
    let mut taken = 0;
    let refused = loop {
        match store.append(vec![named(&format!("a{taken}"), 1), named(&format!("b{taken}"), 1)]) {
            Ok(_) => taken += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, StoreError::Full { waiting, bound: 5_000 } if waiting > 5_000), "{refused}");
    assert!(taken > 1);
    store.commit().unwrap();
    assert_eq!(names(&store).len(), 2 * taken);
    let again = store.append(vec![named(&format!("b{taken}"), 1)]).unwrap();
    assert_eq!(again.taken.stored, 1, "what was refused is not known");
}

#[test]
fn memory_is_bounded_when_nobody_seals() {
    let home = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(home.path(), Settings { seal_bytes: 1_000, ..eager() }).unwrap();
    let mut events = 0;
    while store.append(vec![named(&events.to_string(), 1)]).is_ok() {
        store.commit().unwrap();
        events += 1;
    }
    assert!(events > 4);
    store.step(Millis(0)).unwrap();
    put(&store, ["more"]);
    assert_eq!(names(&store).len(), events + 1);
}

#[test]
fn nesting_that_could_not_be_read_back_is_refused() {
    let nested = |depth: usize| (0..depth).fold(Json::from(1), |inner, _| Json::from(vec![inner]));
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path());
    let of = |name: &str, depth| {
        let mut event = named(name, 1);
        event.properties.insert("x".into(), nested(depth));
        // Two types, so that the column is JSON text.
        event.user_properties.insert("x".into(), Json::from(name));
        event
    };
    let error = store.append(vec![of("a", 1), of("b", 100)]).unwrap_err();
    assert!(matches!(error, StoreError::TooDeep { bound: 100, .. }), "{error}");
    let _ = store.append(vec![of("a", 99), named("c", 1)]).unwrap();
    store.commit().unwrap();
    drop(store);
    let store = open(home.path());
    store.flush().unwrap();
    assert_eq!(names(&store).concat(), "ac");
}

#[test]
fn an_insert_id_is_known_for_seven_days_of_receipt_and_no_longer() {
    let home = tempfile::tempdir().unwrap();
    let take = |store: &Store, received| {
        let ticket = store.append(vec![named("a", received)]).unwrap();
        store.commit().unwrap();
        ticket.taken.stored == 1
    };
    // The same, whether in memory, read back from the log, or read back from parts.
    for reopen in [None, Some(false), Some(true)] {
        let home = home.path().join(format!("{reopen:?}"));
        let mut store = open(&home);
        assert!(take(&store, 10));
        for (received, new) in [(10 + WEEK - 1, false), (10 + WEEK, true), (10 + WEEK + 1, false)] {
            if let Some(seal) = reopen {
                if seal {
                    store.flush().unwrap();
                }
                drop(store);
                store = open(&home);
            }
            assert_eq!(take(&store, received), new, "{received} {reopen:?}");
        }
    }
    // Old generations go.
    let store = open(&home.path().join("long"));
    for day in 0..30 {
        put(&store, [] as [&str; 0]);
        let _ = store.append(vec![named(&day.to_string(), day * 86_400_000)]).unwrap();
        store.commit().unwrap();
        store.step(Millis(0)).unwrap();
        assert!(store.stats().remembered <= 8);
    }
}

#[test]
fn a_ticket_covers_duplicates_that_are_still_on_their_way() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path());
    put(&store, ["old"]);
    let first = store.append(vec![named("a", 1)]).unwrap();
    let retry = store.append(vec![named("a", 2)]).unwrap();
    assert_eq!((retry.taken.duplicates, store.outcome(&retry)), (1, Outcome::Waiting));
    crate::store::lock(&store.writer).log.break_file(&[]);
    assert!(store.commit().is_err());
    // Had the retry been acknowledged, its event would be lost.
    assert_eq!([store.outcome(&first), store.outcome(&retry)], [Outcome::Lost; 2]);
    let known = store.append(vec![named("old", 3)]).unwrap();
    assert_eq!((known.taken.duplicates, store.outcome(&known)), (1, Outcome::Committed));
    assert_eq!(store.append(vec![]).unwrap().seq, Seq(1));
}

#[test]
fn a_step_seals_by_rows_or_by_age() {
    let home = tempfile::tempdir().unwrap();
    let settings = Settings { seal_rows: 3, seal_age: Span::MINUTE, ..Settings::default() };
    let (store, _) = Store::open(home.path(), settings).unwrap();
    assert_eq!(store.step(Millis(i64::MAX)).unwrap().sealed, 0, "there is nothing");
    let seal = |name: &str, now| {
        let _ = store.append(vec![named(name, 1_000)]).unwrap();
        store.commit().unwrap();
        store.step(Millis(now)).unwrap().sealed
    };
    assert_eq!([seal("a", 1_000), seal("b", 60_999), seal("c", 60_999)], [0, 0, 3]);
    assert_eq!(seal("d", 61_000), 1);
    // Received under a clock that was a day ahead: its age is not known, and not negative.
    let _ = store.append(vec![named("e", 86_400_000)]).unwrap();
    store.commit().unwrap();
    let step = store.step(Millis(61_000)).unwrap();
    // The day of the others has passed, so that their parts became one.
    assert_eq!((step.sealed, step.merged, store.snapshot().parts()), (1, 2, 2));
}

/// Writers, a committer, a sealer and readers at once. A call's two events are seen together or not
/// at all, nothing that was seen goes away, and in the end everything is there once.
#[test]
fn calls_are_seen_whole_by_readers_that_never_wait() {
    const WRITERS: usize = 3;
    const CALLS: usize = 150;
    let home = tempfile::tempdir().unwrap();
    let store = Store::open(home.path(), Settings { seal_rows: 50, ..Settings::default() }).unwrap().0;
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (store, done) = (&store, &done);
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                scope.spawn(move || {
                    for call in 0..CALLS {
                        let pair = ["a", "b"].map(|half| named(&format!("{writer}-{call}-{half}"), 1));
                        let ticket = store.append(pair.to_vec()).unwrap();
                        while store.outcome(&ticket) == Outcome::Waiting {
                            store.commit().unwrap();
                        }
                        assert!(store.snapshot().seq() >= ticket.seq);
                    }
                })
            })
            .collect();
        scope.spawn(move || {
            while !done.load(Ordering::Acquire) {
                store.step(Millis(0)).unwrap();
            }
        });
        scope.spawn(move || {
            let mut before = 0;
            while !done.load(Ordering::Acquire) {
                let found = names(store);
                let mut whole: Vec<&str> = found.iter().map(|n| n.trim_end_matches(['a', 'b'])).collect();
                whole.dedup();
                assert_eq!(found.len(), 2 * whole.len());
                assert!(found.len() >= before);
                before = found.len();
            }
        });
        for writer in writers {
            writer.join().unwrap();
        }
        done.store(true, Ordering::Release);
    });
    let mut found = names(&store);
    found.dedup();
    assert_eq!(found.len(), 2 * WRITERS * CALLS);
    drop(store);
    assert_eq!(names(&open(home.path())), found);
    assert!(Store::doctor_deep(home.path()).unwrap().is_sound());
}

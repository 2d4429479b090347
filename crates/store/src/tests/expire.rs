//! Store: tests. What cannot be let go now keeps nothing else from going, and is tried again.

use bellwether_model::Millis;

use super::{named, names, open};
use crate::{Past, Store};

/// A part of this event, which was received then.
fn part(store: &Store, name: &str, received: i64) {
    let _ = store.append(vec![named(name, received)]).unwrap();
    store.commit().unwrap();
    store.flush().unwrap();
}

fn past(before: i64) -> Past {
    let mut past = Past::default();
    past.others(&"production".parse().unwrap(), Millis(before));
    past
}

#[test]
fn a_part_that_cannot_be_read_keeps_no_other_from_going() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path());
    part(&store, "a", 10);
    let damaged: Vec<_> = std::fs::read_dir(home.path().join("parts")).unwrap().flatten().collect();
    part(&store, "b", 20);
    for file in damaged.iter().map(std::fs::DirEntry::path) {
        if file.extension().is_some_and(|end| end == "parquet") {
            let whole = std::fs::read(&file).unwrap().len();
            std::fs::write(&file, vec![0; whole]).unwrap();
        }
    }
    assert_eq!(store.stats().parts, 2);
    let (past, now) = (past(1_000), Millis(2_000));
    assert!(store.expire(&past, now).is_err(), "it says that it cannot be read");
    assert_eq!(store.expire(&past, now).unwrap(), 1, "the other goes all the same");
    assert_eq!(store.stats().parts, 1);
    // Not at each step, and not only after a day.
    assert_eq!(store.expire(&past, Millis(now.0 + 60_000)).unwrap(), 0);
    assert!(store.expire(&past, Millis(now.0 + 3_600_000)).is_err());
}

#[test]
fn a_part_that_is_not_written_again_is_tried_before_a_day_is_over() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path());
    let _ = store.append(vec![named("a", 10), named("b", 5_000)]).unwrap();
    store.commit().unwrap();
    store.flush().unwrap();
    let (past, now) = (past(1_000), Millis(6_000));
    assert_eq!(store.expire(&past, now).unwrap(), 1);
    // As a step does that fails in the midst of writing.
    drop(crate::store::lock(&store.compaction).take().unwrap());
    assert_eq!(names(&store), ["a", "b"]);
    let later = Millis(now.0 + 3_600_000);
    assert_eq!(store.expire(&past, later).unwrap(), 1);
    while store.step(later).unwrap().merged == 0 {}
    assert_eq!(names(&store), ["b"]);
}

//! Store: tests. A model beside the store, damage to every byte, and the crashes between two syscalls.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

mod crash;
mod damage;
mod expire;
mod forget;
mod gen_events;
mod hot;
mod jumps;
mod knows;
mod limits;
mod oracle;
mod packed;
mod people;
mod rot;
mod rows;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bellwether_model::event::Who;
use bellwether_model::{Event, Millis, Properties, Span};
use tempfile::TempDir;

use crate::{Settings, Store};

/// Settings under which a step writes whatever there is.
fn eager() -> Settings {
    Settings { seal_rows: 1, ..Settings::default() }
}

fn open(dir: &Path) -> Store {
    Store::open(dir, eager()).unwrap().0
}

fn named(insert_id: &str, received: i64) -> Event {
    Event {
        environment: "production".parse().unwrap(),
        event: "visit".into(),
        who: Who::User("u1".into()),
        time: Millis(received - 5),
        received: Millis(received),
        insert_id: Some(insert_id.into()),
        session: None,
        properties: Properties::new(),
        user_properties: Properties::new(),
        groups: Properties::new(),
        group_properties: Default::default(),
        user_changes: Default::default(),
        group_changes: Default::default(),
        revision: None,
    }
}

/// The names of everything in the store, sorted; what is there twice is there twice.
fn names(store: &Store) -> Vec<String> {
    let events = store.snapshot().events(&"production".parse().unwrap(), usize::MAX).unwrap();
    let mut names: Vec<String> = events.into_iter().filter_map(|e| e.insert_id).collect();
    names.sort();
    names
}

/// Every file of a directory, by its path in it; the lock is no content.
type Files = BTreeMap<PathBuf, Vec<u8>>;

fn read_dir(dir: &Path) -> Files {
    let mut found = Files::new();
    let mut left = vec![dir.to_owned()];
    while let Some(next) = left.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                left.push(path);
            } else if !path.ends_with("LOCK") {
                found.insert(path.strip_prefix(dir).unwrap().to_owned(), std::fs::read(&path).unwrap());
            }
        }
    }
    found
}

/// A directory with these files.
fn write_dir(files: &Files) -> TempDir {
    let home = tempfile::tempdir().unwrap();
    for dir in ["wal", "parts"] {
        std::fs::create_dir(home.path().join(dir)).unwrap();
    }
    for (path, bytes) in files {
        std::fs::write(home.path().join(path), bytes).unwrap();
    }
    std::fs::write(home.path().join("LOCK"), []).unwrap();
    home
}

fn put(store: &Store, names: impl IntoIterator<Item = impl AsRef<str>>) {
    let events = names.into_iter().enumerate().map(|(i, name)| named(name.as_ref(), i as i64)).collect();
    let _ = store.append(events).unwrap();
    store.commit().unwrap();
}

const WEEK: i64 = Span::DAY.times(7).0 as i64;

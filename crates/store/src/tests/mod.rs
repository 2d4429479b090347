//! Store: tests. A model beside the store, damage to every byte, and the crashes between two syscalls.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod gen_events;
mod oracle;

use std::path::Path;

use bellwether_model::event::Who;
use bellwether_model::{Event, Millis, Properties, Span};

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
        revision: None,
    }
}

/// The names of everything in the store, in order of receipt.
fn names(store: &Store) -> Vec<String> {
    let events = store.snapshot().events(&"production".parse().unwrap(), usize::MAX).unwrap();
    events.into_iter().rev().filter_map(|e| e.insert_id).collect()
}

const WEEK: i64 = Span::DAY.times(7).0 as i64;

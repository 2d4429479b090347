//! App: copies of one event that come at the same moment, of which one belongs into the quarantine and another into the
//! store. Each is looked for where the other goes before it is put where it belongs: here they are kept from passing each
//! other between the two.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use bellwether_model::Event;

use super::{locked, print};

/// What is on its way into the quarantine.
#[derive(Debug, Default)]
pub(crate) struct Arriving {
    /// Held by one request from before it looks into the store until its events are in the quarantine, which takes a sync
    /// of the disk.
    holding: Mutex<()>,
    /// The names of its events. Whoever stores reads them from before it looks into the quarantine until its events are in
    /// the store, which waits for no sync of theirs. After `holding`, never before. Senders choose the names: the hasher is one that
    /// they cannot foresee.
    names: RwLock<HashSet<[u8; 16]>>,
}

/// One request's events are on their way into the quarantine as long as this is held.
#[derive(Debug)]
pub(crate) struct Held<'a> {
    names: &'a RwLock<HashSet<[u8; 16]>>,
    _alone: MutexGuard<'a, ()>,
}

/// No copy of these events comes into the quarantine as long as this is held.
#[derive(Debug)]
pub(crate) enum Clear<'a> {
    /// Others may, whose names these are.
    Of { _names: RwLockReadGuard<'a, HashSet<[u8; 16]>> },
    /// Nothing does.
    All { _alone: MutexGuard<'a, ()> },
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.names.write().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Arriving {
    /// Waits for other requests that put something into the quarantine, and for those of these events that are being stored.
    pub(crate) fn hold<'e>(&self, events: impl Iterator<Item = &'e Event>) -> Held<'_> {
        let arriving = events.filter_map(print).collect();
        let alone = locked(&self.holding);
        *self.names.write().unwrap_or_else(PoisonError::into_inner) = arriving;
        Held { names: &self.names, _alone: alone }
    }

    /// Waits for those of these events that are on their way into the quarantine, and for no others.
    pub(crate) fn clear(&self, events: &[Event]) -> Clear<'_> {
        let names = self.names.read().unwrap_or_else(PoisonError::into_inner);
        // Nearly always there are none, and then no name is hashed.
        let meet = |event| print(event).is_some_and(|print| names.contains(&print));
        if names.is_empty() || !events.iter().any(meet) {
            return Clear::Of { _names: names };
        }
        drop(names);
        Clear::All { _alone: locked(&self.holding) }
    }
}

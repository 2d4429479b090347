//! Store: whether it has an event, asked by who is about to put a copy of it elsewhere.

use std::sync::Arc;

use bellwether_model::{Event, Millis};

use super::Seen;
use crate::error::StoreError;
use crate::fingerprint::Fingerprint;
use crate::ids::{Named, Sought};
use crate::store::{Store, lock};

impl Seen {
    /// Whether an event is a copy of one that is committed. `listed` are those of its name in the lists.
    fn has(&self, print: Fingerprint, received: Millis, listed: &[Named]) -> bool {
        let here = self.recent.find(print).chain(self.frozen.find(print));
        let listed = listed.iter().filter(|named| named.print == print).copied();
        here.chain(listed).any(|named| self.counts(named, received))
    }
}

impl Store {
    /// Of each event whether [`Store::append`] would find that it came before and is committed: what waits for its commit
    /// may be lost still. One without `insert_id` is never known.
    ///
    /// # Errors
    /// [`StoreError::Storage`] or [`StoreError::Corrupt`] where it cannot be read.
    pub fn knows(&self, events: &[&Event]) -> Result<Vec<bool>, StoreError> {
        let prints: Vec<_> = events.iter().map(|event| (Fingerprint::of(event), event.received)).collect();
        let sought: Vec<Sought> = prints.iter().filter_map(|(print, _)| print.map(Sought::of)).collect();
        if sought.is_empty() {
            return Ok(vec![false; events.len()]);
        }
        loop {
            let lists = Arc::clone(lock(&self.intake).seen.lists());
            let mut listed = Vec::new();
            for ids in lists.iter() {
                ids.find(&sought, &mut listed)?;
            }
            let intake = lock(&self.intake);
            // What was in memory when the lists were read may be in a list by now.
            if Arc::ptr_eq(intake.seen.lists(), &lists) {
                let has = |print, received| intake.seen.has(print, received, &listed);
                return Ok(prints
                    .iter()
                    .map(|(print, received)| print.is_some_and(|print| has(print, *received)))
                    .collect());
            }
        }
    }
}

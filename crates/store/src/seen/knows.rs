//! Store: whether it has an event, asked by who is about to put a copy of it elsewhere.

use std::sync::Arc;

use bellwether_model::event::Taken;
use bellwether_model::{Millis, Seq};

use super::Seen;
use crate::error::StoreError;
use crate::fingerprint::Fingerprint;
use crate::ids::{Named, Sought};
use crate::store::{Store, Ticket, lock};

/// What a store has of events that are asked for.
#[derive(Debug)]
#[must_use]
pub struct Known {
    /// Of each event whether [`Store::append`] would find that it came before.
    pub known: Vec<bool>,
    /// What to wait for, where some of them are not committed yet: if it is lost, they are not known after all.
    pub ticket: Option<Ticket>,
    /// The last event that was taken until then, committed or not.
    pub after: Seq,
}

impl Seen {
    /// Whether an event is a copy of one that is committed. `listed` are those of its name in the lists.
    fn has(&self, print: Fingerprint, received: Millis, listed: &[Named]) -> bool {
        let here = self.recent.find(print).chain(self.frozen.find(print));
        let listed = listed.iter().filter(|named| named.print == print).copied();
        here.chain(listed).any(|named| self.counts(named, received))
    }
}

impl Store {
    /// Which events it has, or is about to have, by their fingerprints and when they were received. One without `insert_id`
    /// has none and is never known.
    ///
    /// # Errors
    /// [`StoreError::Storage`] or [`StoreError::Corrupt`] where it cannot be read.
    pub fn knows(&self, prints: &[(Option<Fingerprint>, Millis)]) -> Result<Known, StoreError> {
        let sought: Vec<Sought> = prints.iter().filter_map(|(print, _)| print.map(Sought::of)).collect();
        loop {
            let lists = Arc::clone(lock(&self.intake).seen.lists());
            let mut listed = Vec::new();
            for ids in lists.iter() {
                ids.find(&sought, &mut listed)?;
            }
            let intake = lock(&self.intake);
            // What was in memory when the lists were read may be in a list by now.
            if !Arc::ptr_eq(intake.seen.lists(), &lists) {
                continue;
            }
            let mut waits = false;
            let mut knows = |(print, received): (Option<Fingerprint>, Millis)| {
                let Some(print) = print else { return false };
                let waiting = intake.seen.waiting.contains(&print);
                waits |= waiting;
                waiting || intake.seen.has(print, received, &listed)
            };
            let known = prints.iter().copied().map(&mut knows).collect();
            let ticket =
                waits.then(|| Ticket { seq: intake.assigned, taken: Taken::default(), again: Vec::new() });
            return Ok(Known { known, ticket, after: intake.assigned });
        }
    }
}

//! Store: events that are past their time go. A part whose rows are all past goes as a whole; one with some of them is
//! written again without, as for who is forgotten, a piece with each step. What is not past is never touched, and a
//! process that ends on the way leaves either the old part or the new one.

use std::collections::BTreeMap;
use std::sync::Arc;

use bellwether_model::{EnvironmentKey, Millis, Span};

use crate::compact::Compaction;
use crate::error::StoreError;
use crate::part;
use crate::seal::unreadable;
use crate::store::{Store, lock};

/// How long after a part was looked at it is again: so often it is written anew at most.
const AGAIN: Span = Span::DAY;
/// The same where it is not sure that what is past goes: it could not be read, there was no room to write it anew, or what
/// is being written may fail. What was written is a part of another name, and is looked at as a new one.
const RETRY: Span = Span(10 * Span::MINUTE.0);

/// Which events are past their time: those of an environment and a type that were received before a moment. What is not
/// named is kept.
///
/// ```
/// use bellwether_model::Millis;
/// use bellwether_store::Past;
/// let mut past = Past::default();
/// past.others(&"production".parse().unwrap(), Millis(500));
/// past.only(&"production".parse().unwrap(), "order", None);
/// let is = |event, received| past.is("production", event, Millis(received));
/// assert!(is("visit", 499) && !is("visit", 500) && !is("order", 0));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Past(BTreeMap<EnvironmentKey, Before>);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Before {
    others: Option<Millis>,
    only: BTreeMap<String, Option<Millis>>,
}

impl Past {
    /// Of all types of an environment of which nothing else is said, what was received before this is past.
    pub fn others(&mut self, environment: &EnvironmentKey, before: Millis) {
        self.0.entry(environment.clone()).or_default().others = Some(before);
    }

    /// Of one type of an environment, what was received before this is past; nothing where it is `None`.
    pub fn only(&mut self, environment: &EnvironmentKey, event: &str, before: Option<Millis>) {
        self.0.entry(environment.clone()).or_default().only.insert(event.to_owned(), before);
    }

    /// Whether an event is past its time.
    #[must_use]
    pub fn is(&self, environment: &str, event: &str, received: Millis) -> bool {
        self.before(environment, event).is_some_and(|before| received < before)
    }

    /// Before when an event of a type must have been received.
    #[must_use]
    pub fn before(&self, environment: &str, event: &str) -> Option<Millis> {
        let of = self.0.iter().find(|(key, _)| key.as_str() == environment).map(|(_, of)| of)?;
        of.only.get(event).copied().unwrap_or(of.others)
    }

    /// The same of an environment's type that is kept the shortest.
    #[must_use]
    pub fn before_of_any(&self, environment: &str) -> Option<Millis> {
        let of = self.0.iter().find(|(key, _)| key.as_str() == environment).map(|(_, of)| of)?;
        of.only.values().copied().flatten().chain(of.others).max()
    }

    /// What was received then or later is not past, whatever it is.
    fn latest(&self) -> Option<Millis> {
        self.0.values().flat_map(|of| of.only.values().copied().flatten().chain(of.others)).max()
    }
}

impl Store {
    /// Looks at the next part that may have events that are past, at each once a day, and lets them go: at once where all
    /// are past, by the next [`Store::step`]s where some are. Returns how many are going. Nothing begins while somebody is being
    /// forgotten or parts are being merged. What is in memory stays until it is in a part.
    ///
    /// Which properties people have, and whose their devices are, stays known by what these events told.
    ///
    /// # Errors
    /// When a part cannot be read or the manifest not be written; it is tried again after ten minutes, and the next call looks at
    /// another.
    pub fn expire(&self, past: &Past, now: Millis) -> Result<u64, StoreError> {
        let Some(latest) = past.latest() else { return Ok(0) };
        let mut manifest = lock(&self.manifest);
        let mut under_way = lock(&self.compaction);
        if under_way.is_some() || !manifest.forgotten.is_empty() {
            return Ok(0);
        }
        let parts = Arc::clone(&lock(&self.shown).parts);
        let looked = |part: &part::Part| lock(&self.looked).get(&part.entry().file).copied();
        let due = |part: &part::Part| {
            part.entry().received.0 < latest
                && looked(part).is_none_or(|looked| now < looked || now.since(looked) >= AGAIN)
        };
        // The one that waits the longest, so that each has its turn however rarely this is called.
        let waiting = parts.iter().filter(|part| due(part));
        let Some(part) = waiting.min_by_key(|part| looked(part)) else { return Ok(0) };
        let entry = part.entry();
        // Noted first: whatever becomes of it, the next call looks at another.
        let note = |after: Span| {
            let mut looked = lock(&self.looked);
            looked.retain(|file, _| parts.iter().any(|part| part.entry().file == *file));
            looked.insert(entry.file.clone(), now.minus(AGAIN).plus(after));
        };
        note(RETRY);
        let going = part.past(past).map_err(unreadable)?;
        let count = going.len() as u64;
        if count > 0 && manifest.people.as_ref().is_none_or(|known| known.seq < entry.last) {
            // Of the last bytes of the disk, too: what goes makes room.
            self.checkpoint(&mut manifest, 0)?;
        }
        if count == 0 {
            note(AGAIN);
        } else if count == entry.rows {
            self.replace(&[Arc::clone(part)], None, &mut manifest)?;
        } else if !self.has_room_for(entry.bytes) {
            tracing::warn!(
                events = count,
                "events are past their time, and there is no room to write their part without them"
            );
            return Ok(0);
        } else {
            let dir = self.dir.join("parts");
            let rows = part::Join::begin(&self.disk, &dir, vec![Arc::clone(part)], going.into());
            *under_way = Some(Compaction::of(rows));
        }
        if count > 0 {
            // Nor is what is sealed in the log any longer.
            lock(&self.writer).log.purge(manifest.sealed)?;
        }
        Ok(count)
    }
}

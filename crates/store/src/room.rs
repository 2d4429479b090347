//! Store: whether there is room, in memory and on the disk: what does not fit is refused before anything of it is taken.

use std::sync::atomic::Ordering;

use crate::error::StoreError;
use crate::store::{Intake, Store, lock};

/// How many times `seal_bytes` may be in memory, when sealing fails or lags, before events are refused.
const RESIDENT: usize = 3;

impl Store {
    /// Whether [`Store::append`] would take events now, so that nobody parses a request for nothing.
    ///
    /// # Errors
    /// [`StoreError::Full`] and [`StoreError::NoRoom`], as an append of the smallest event would answer.
    pub fn takes(&self) -> Result<(), StoreError> {
        self.has_room(&lock(&self.intake), 1)
    }

    /// Whether the disk has the room that is kept free, at this moment.
    ///
    /// # Errors
    /// [`StoreError::NoRoom`].
    pub fn check_room(&self) -> Result<(), StoreError> {
        if self.has_room_for(0) {
            return Ok(());
        }
        Err(StoreError::NoRoom { dir: self.dir.clone(), reserve: self.settings.reserve })
    }

    /// Whether so much is in memory that [`Store::step`] would write a part.
    #[must_use]
    pub fn is_due(&self) -> bool {
        let shown = lock(&self.shown);
        shown.active.len() >= self.settings.seal_rows || shown.active.bytes() >= self.settings.seal_bytes
    }

    /// How much more is in memory than while sealing keeps up: 0 is no more, and at 1 events are refused. Who slows down
    /// between the two is not refused.
    #[must_use]
    pub fn pressure(&self) -> f64 {
        let resident = lock(&self.intake).resident;
        // What is being written into a part, and as much that came meanwhile.
        let usual = self.settings.seal_bytes.saturating_mul(2);
        let most = self.settings.seal_bytes.saturating_mul(RESIDENT);
        // Of bytes a few more or less do not matter.
        #[allow(clippy::cast_precision_loss)]
        let share = resident.saturating_sub(usual) as f64 / most.saturating_sub(usual).max(1) as f64;
        share.min(1.0)
    }

    /// Whether a call of so many bytes may wait for the disk.
    pub(crate) fn has_room(&self, intake: &Intake, bytes: usize) -> Result<(), StoreError> {
        if self.tight.load(Ordering::Acquire) {
            return Err(StoreError::NoRoom { dir: self.dir.clone(), reserve: self.settings.reserve });
        }
        // One call larger than the bound is taken when nothing else waits, or it never would be.
        let waiting = intake.bytes + bytes;
        if !intake.queue.is_empty() && waiting > self.settings.queue_bytes {
            return Err(StoreError::Full { waiting, bound: self.settings.queue_bytes });
        }
        let resident = self.settings.seal_bytes.saturating_mul(RESIDENT);
        if intake.resident > resident {
            return Err(StoreError::Full { waiting: intake.resident + bytes, bound: resident });
        }
        Ok(())
    }

    /// Whether so many bytes can be written, and the reserve stays.
    pub(crate) fn has_room_for(&self, bytes: u64) -> bool {
        let room = self.disk.room(&self.dir);
        room.is_none_or(|room| room >= bytes.saturating_add(self.settings.reserve))
    }
}

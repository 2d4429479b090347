//! Store: maintenance. Rows in memory become a part; log files that parts make superfluous go; small
//! parts become larger ones.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bellwether_columns::ScanError;
use bellwether_model::{Millis, Seq};

use crate::error::StoreError;
use crate::files;
use crate::forget;
use crate::ids::Ids;
use crate::manifest::Manifest;
use crate::memory::{Memtable, View};
use crate::packed::Packed;
use crate::part::{self, Part};
use crate::store::{Store, lock};

/// What a step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Step {
    /// Events that were written into a part.
    pub sealed: u64,
    /// Parts that became one.
    pub merged: usize,
    /// Log files that were removed.
    pub logs_removed: usize,
}

impl Store {
    /// A bounded piece of maintenance: writes a part, if there are enough rows in memory or the first of
    /// them is old enough; goes on merging parts next to each other; removes superfluous log files; forgets
    /// `insert_id`s of long ago; looks whether the disk has room. A step that finds nothing to do costs next to
    /// nothing, so call it every second.
    ///
    /// # Errors
    /// When a file could not be written. Nothing is lost or half-done then: the rows stay in memory
    /// and in the log, and the next step tries again.
    pub fn step(&self, now: Millis) -> Result<Step, StoreError> {
        let room = self.disk.room(&self.dir);
        let tight = room.is_some_and(|room| room < self.settings.reserve);
        if self.tight.swap(tight, Ordering::AcqRel) != tight {
            tracing::warn!(tight, ?room, "the room on the disk of events");
        }
        let mut manifest = lock(&self.manifest);
        let sealed = manifest.sealed;
        let forgetting = manifest.forgotten.iter().any(|one| one.until > sealed);
        let step = self.seal(&mut manifest, |memory| {
            // Either way: what was received in the future was stamped by a clock that has been set back.
            let apart = |first: Millis| now.since(first).max(first.since(now));
            let aged = memory.first().is_some_and(|first| apart(first) >= self.settings.seal_age);
            self.is_large(memory) || aged || forgetting
        })?;
        let merged = self.compact(&mut manifest)?;
        self.heat()?;
        self.checkpoint_if_due(&mut manifest)?;
        self.end_forgetting(&mut manifest)?;
        Ok(Step { merged, ..step })
    }

    /// Writes everything in memory into a part, as before an export or a long stop.
    ///
    /// # Errors
    /// As [`Store::step`].
    pub fn flush(&self) -> Result<Step, StoreError> {
        // The first seals what an earlier step failed to, if there is such a thing.
        let mut manifest = lock(&self.manifest);
        let first = self.seal(&mut manifest, |_| true)?;
        let second = self.seal(&mut manifest, |_| true)?;
        Ok(Step {
            sealed: first.sealed + second.sealed,
            merged: 0,
            logs_removed: first.logs_removed + second.logs_removed,
        })
    }

    /// Whether so much is in memory that a part is due.
    pub(crate) fn is_large(&self, memory: &Memtable) -> bool {
        memory.len() >= self.settings.seal_rows || memory.bytes() >= self.settings.seal_bytes
    }

    pub(crate) fn seal(
        &self,
        manifest: &mut Manifest,
        due: impl FnOnce(&Memtable) -> bool,
    ) -> Result<Step, StoreError> {
        let frozen = self.freeze(due)?;
        let mut step = Step::default();
        if let Some((view, sealed)) = frozen {
            let mut rows: Vec<Packed<'_>> = view.rows().collect();
            let mut receipts = manifest.receipts(self.settings.dedupe);
            for row in &rows {
                let received = row.received().map_err(|why| StoreError::corrupt(&self.dir, 0, why))?;
                receipts.tick(row.seq, received, self.settings.dedupe);
            }
            let corrupt = |why| StoreError::corrupt(&self.dir, 0, why);
            let mut without = Vec::new();
            for row in rows.iter().filter(|_| !manifest.forgotten.is_empty()) {
                if forget::hides(&manifest.forgotten, *row).map_err(corrupt)? {
                    without.push(row.seq);
                }
            }
            rows.retain(|row| without.binary_search(&row.seq).is_err());
            let dir = self.dir.join("parts");
            let mut next = manifest.clone();
            let mut parts = Vec::new();
            let mut list = None;
            if let Some(entry) = part::write(&self.disk, &dir, &rows)? {
                let (named, tally) = lock(&self.intake).seen.frozen(&without);
                let seqs = (entry.first, entry.last);
                Ids::write(&self.disk, &dir.join(&entry.file), seqs, named, &tally)?;
                files::sync_dir(&*self.disk, &dir)?;
                let part = Part::open(&self.disk, &dir, &entry).map_err(unreadable)?;
                list = Some(Ids::open(&self.disk, part.path(), seqs, entry.received.1)?);
                parts.push(Arc::new(part));
                next.parts.push(entry);
            }
            next.receipts = Some(receipts);
            next.sealed = sealed;
            next.write(&*self.disk, &self.dir)?;
            *manifest = next;

            let mut shown = lock(&self.shown);
            Arc::make_mut(&mut shown.parts).extend(parts);
            shown.frozen = View::default();
            drop(shown);
            let mut intake = lock(&self.intake);
            intake.seen.thaw(list);
            intake.resident = intake.resident.saturating_sub(view.bytes());
            step.sealed = view.len() as u64;
        }
        step.logs_removed = lock(&self.writer).log.trim(manifest.sealed)?;
        lock(&self.intake).seen.forget();
        Ok(step)
    }

    /// The rows that must become a part and the last of them, if there are any: those that an earlier
    /// step could not write, or else those in memory, if they are due.
    fn freeze(&self, due: impl FnOnce(&Memtable) -> bool) -> Result<Option<(View, Seq)>, StoreError> {
        let of = |view: View| view.last().map(|last| (view, last));
        let waiting = lock(&self.shown).frozen.clone();
        if waiting.len() > 0 {
            return Ok(of(waiting));
        }
        let mut writer = lock(&self.writer);
        if writer.active.len() == 0 || !due(&writer.active) {
            return Ok(None);
        }
        // What comes next goes to another file, so that this one can be removed.
        let next = Seq(writer.log.last().0 + 1);
        writer.log.rotate(next)?;
        let view = std::mem::take(&mut writer.active).view();
        lock(&self.intake).seen.freeze();
        let mut shown = lock(&self.shown);
        shown.frozen = view.clone();
        shown.active = View::default();
        Ok(of(view))
    }
}

/// A part that was just written does not read.
pub(crate) fn unreadable(error: ScanError) -> StoreError {
    match error {
        ScanError::Unreadable { what, why } => StoreError::corrupt(what.as_ref(), 0, why),
    }
}

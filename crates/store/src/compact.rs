//! Store: small parts become larger ones, so that a year is not a hundred thousand files. A merge is cut into
//! steps: between two of them rows are sealed, and readers never wait for either.

use std::ops::Range;
use std::sync::Arc;

use bellwether_model::Seq;

use crate::error::StoreError;
use crate::files;
use crate::ids::{self, Ids};
use crate::manifest::{Entry, Manifest};
use crate::part::{self, Part};
use crate::seal::unreadable;
use crate::store::{Store, lock};

/// How many neighbours become one. Of small ones fewer, so that a quiet hour does not leave many.
const TOGETHER: usize = 8;
const SMALL_TOGETHER: usize = 4;
/// How much further than usual a step goes where much is to be merged.
const HURRY: usize = 8;

/// The oldest neighbours to merge, if there are any: together they have at most `most` rows, and none
/// has more than half of them. So each merge at least doubles the part that a row lies in, and a row
/// is rewritten at most log2 of `most` times: 24 times for 16 million. Parts of one size, the usual case, become
/// four times as large up to `small` rows and eight times from there on: 2 or 3 times after the first `small`.
fn mergeable(parts: &[Entry], small: u64, most: u64) -> Option<Range<usize>> {
    let find = |together: usize, most: u64| {
        let fits = |window: &[Entry]| {
            let rows: u64 = window.iter().map(|p| p.rows).sum();
            rows <= most && window.iter().all(|p| p.rows <= rows / 2)
        };
        let begin = parts.windows(together).position(fits)?;
        Some(begin..begin + together)
    };
    find(SMALL_TOGETHER, small.min(most)).or_else(|| find(TOGETHER, most))
}

/// A merge under way. Dropped, it leaves nothing behind but what the next open removes.
#[derive(Debug)]
pub(crate) struct Compaction {
    rows: part::Join,
    /// What was written, and the list beside it as far as it has come; none where no named event matters any more.
    written: Option<(Entry, Option<ids::Join>)>,
}

impl Compaction {
    /// A part without rows of these places.
    pub(crate) fn of(rows: part::Join) -> Self {
        Self { rows, written: None }
    }

    /// The part that it wrote and that no manifest names yet.
    pub(crate) fn unnamed(&self) -> Option<&Entry> {
        self.written.as_ref().map(|(entry, _)| entry)
    }
}

impl Store {
    /// Merges some neighbouring parts, if there are enough, or goes on with that; says how many became one.
    /// Snapshots that still read the old ones keep them until they are dropped.
    pub(crate) fn compact(&self, manifest: &mut Manifest) -> Result<usize, StoreError> {
        let mut under_way = lock(&self.compaction);
        let small = self.settings.seal_rows as u64;
        let most = self.settings.merge_rows.max(small);
        let behind = manifest.parts.iter().filter(|p| p.rows <= most / 2).count() / TOGETHER;
        let mut left = self.settings.step_rows.saturating_mul(behind.clamp(1, HURRY));
        let piece = (self.settings.step_rows / 8).max(1);
        while left > 0 {
            left = left.saturating_sub(piece);
            let Some(mut compaction) = under_way.take() else {
                if let Some(begun) = self.begin_forgetting(manifest)? {
                    *under_way = begun;
                    continue;
                }
                let Some(range) = mergeable(&manifest.parts, small, most) else { return Ok(0) };
                let parts = lock(&self.shown).parts.get(range).unwrap_or_default().to_vec();
                if !self.has_room_for(parts.iter().map(|p| p.entry().bytes).sum()) {
                    return Ok(0);
                }
                let rows = part::Join::begin(&self.disk, &self.dir.join("parts"), parts, Arc::default());
                *under_way = Some(Compaction { rows, written: None });
                continue;
            };
            // An error drops it: the next step begins again.
            if self.advance(&mut compaction, piece)? {
                return self.publish(compaction, manifest);
            }
            *under_way = Some(compaction);
            // Rows come fast: those in memory first, or new ones would be refused. Not without end, because each part
            // makes the next append a little slower.
            if behind < HURRY && self.is_large(&lock(&self.writer).active) {
                break;
            }
        }
        Ok(0)
    }

    /// Whether so many bytes can be written, and the reserve stays.
    pub(crate) fn has_room_for(&self, bytes: u64) -> bool {
        let room = self.disk.room(&self.dir);
        room.is_none_or(|room| room >= bytes.saturating_add(self.settings.reserve))
    }

    /// Goes on for about so many rows; whether all is written.
    fn advance(&self, compaction: &mut Compaction, rows: usize) -> Result<bool, StoreError> {
        match &mut compaction.written {
            None => {
                let without = compaction.rows.without();
                let without = &Arc::clone(without);
                let Some(entry) = compaction.rows.advance(rows)? else { return Ok(false) };
                let part = self.dir.join("parts").join(&entry.file);
                let lists = Arc::clone(lock(&self.intake).seen.lists());
                let old: Vec<Ids> = lists
                    .iter()
                    .filter(|ids| ids.first() >= entry.first && ids.last() <= entry.last)
                    .cloned()
                    .collect();
                let join = if old.is_empty() {
                    None
                } else {
                    Some(ids::Join::begin(&self.disk, &part, entry.first, &old, Arc::clone(without))?)
                };
                let done = join.is_none();
                compaction.written = Some((entry, join));
                Ok(done)
            }
            Some((_, Some(join))) => join.advance(rows),
            Some((_, None)) => Ok(true),
        }
    }

    /// Puts the new part in the place of the old ones.
    fn publish(&self, compaction: Compaction, manifest: &mut Manifest) -> Result<usize, StoreError> {
        let old = compaction.rows.parts();
        let Some((entry, listed)) = compaction.written else { return Ok(0) };
        let dir = self.dir.join("parts");
        files::sync_dir(&*self.disk, &dir)?;
        let merged = Arc::new(Part::open(&self.disk, &dir, &entry).map_err(unreadable)?);
        let seqs = (entry.first, entry.last);
        let list = match listed {
            Some(_) => Some(Ids::open(&self.disk, merged.path(), seqs, entry.received.1)?),
            None => None,
        };
        self.replace(old, Some((entry, merged, list)), manifest)?;
        Ok(old.len())
    }

    /// Puts a part, or nothing, in the place of those that lie side by side.
    pub(crate) fn replace(
        &self,
        old: &[Arc<Part>],
        new: Option<(Entry, Arc<Part>, Option<Ids>)>,
        manifest: &mut Manifest,
    ) -> Result<(), StoreError> {
        // Sealing only adds parts at the end, so the old ones are where they were, side by side.
        let Some(begin) = manifest.parts.iter().position(|p| Some(p) == old.first().map(|o| o.entry()))
        else {
            return Ok(());
        };
        let seqs = (
            old.first().map_or(Seq(0), |part| part.entry().first),
            old.last().map_or(Seq(0), |part| part.entry().last),
        );
        let (entry, (merged, list)) = match new {
            Some((entry, merged, list)) => (Some(entry), (Some(merged), list)),
            None => (None, (None, None)),
        };
        let range = begin..begin + old.len();
        let mut next = manifest.clone();
        next.parts.splice(range.clone(), entry);
        next.write(&*self.disk, &self.dir)?;
        *manifest = next;
        Arc::make_mut(&mut lock(&self.shown).parts).splice(range, merged);
        lock(&self.intake).seen.replace(seqs, list);
        let mut fading = lock(&self.fading);
        fading.retain(|part| part.strong_count() > 0);
        fading.extend(old.iter().map(Arc::downgrade));
        old.iter().for_each(|part| part.retire());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use bellwether_model::{Millis, Seq};

    use super::*;

    fn parts(rows: &[u64]) -> Vec<Entry> {
        let entry = |&rows: &u64| Entry {
            file: String::new(),
            rows,
            bytes: 0,
            first: Seq(0),
            last: Seq(0),
            time: (Millis(0), Millis(0)),
            received: (Millis(0), Millis(0)),
        };
        rows.iter().map(entry).collect()
    }

    #[test]
    fn few_parts_are_left_and_no_row_is_rewritten_often() {
        let (mut sizes, mut rewritten) = (Vec::new(), 0);
        for _ in 0..10_000 {
            sizes.extend([10]);
            while let Some(range) = mergeable(&parts(&sizes), 1_000, 1_000) {
                let rows = sizes.drain(range.clone()).sum::<u64>();
                rewritten += rows;
                sizes.insert(range.start, rows);
            }
        }
        assert_eq!(sizes.iter().sum::<u64>(), 100_000);
        assert!(sizes.len() < 400, "{} parts", sizes.len());
        assert!(rewritten <= 100_000 * 10, "each row {} times", rewritten as f64 / 100_000.0);
        assert_eq!(mergeable(&parts(&[100, 10, 10, 10]), 1_000, 1_000), None);
        assert_eq!(mergeable(&parts(&[500, 10, 10, 10, 10]), 1_000, 1_000), Some(1..5));
    }
}

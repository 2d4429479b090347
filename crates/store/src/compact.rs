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
use crate::seen::DAY;
use crate::store::{Store, lock};

/// How many neighbours become one. Of small ones fewer, so that a quiet hour does not leave many.
const TOGETHER: usize = 8;
const SMALL_TOGETHER: usize = 4;
/// How much further than usual a step goes where much is to be merged.
const HURRY: usize = 8;

/// The days on which the first and the last event of a part were received.
fn days(part: &Entry) -> (i64, i64) {
    (part.received.0.0.div_euclid(DAY), part.received.1.0.div_euclid(DAY))
}

/// The oldest neighbours to merge, if there are any: together they have at most `most` rows, and none
/// has more than half of them. So each merge at least doubles the part that a row lies in, and a row
/// is rewritten at most log2 of `most` times: 24 times for 16 million. Parts of one size, the usual case, become
/// four times as large up to `small` rows and eight times from there on: 2 or 3 times after the first `small`.
///
/// Where they have more than `small` rows, all were received on one day: a question about a day reads the parts of that
/// day, and of other days no more than `small` rows on either side, and those parts in which something came late. Once a
/// day has passed, what is left of it becomes one part.
///
/// Those that are `spoilt` stay as they are.
fn mergeable(
    parts: &[Entry],
    small: u64,
    most: u64,
    spoilt: &dyn Fn(&Entry) -> bool,
) -> Option<Range<usize>> {
    let find = |together: usize, most: u64| {
        let fits = |window: &[Entry]| {
            let rows: u64 = window.iter().map(|p| p.rows).sum();
            let even = window.iter().all(|p| p.rows <= rows / 2);
            rows <= most && even && (rows <= small || one_day(window).is_some()) && !window.iter().any(spoilt)
        };
        let begin = parts.windows(together).position(fits)?;
        Some(begin..begin + together)
    };
    find(SMALL_TOGETHER, small.min(most))
        .or_else(|| find(TOGETHER, most))
        .or_else(|| passed(parts, most, spoilt))
}

/// The day on which all events of some parts were received, if there is one.
fn one_day(parts: &[Entry]) -> Option<i64> {
    let (first, last) = days(parts.first()?);
    (first == last && parts.iter().all(|part| days(part) == (first, first))).then_some(first)
}

/// The oldest neighbours of a day that has passed, as many as may be one part.
fn passed(parts: &[Entry], most: u64, spoilt: &dyn Fn(&Entry) -> bool) -> Option<Range<usize>> {
    let (_, newest) = days(parts.last()?);
    let mut begin = 0;
    while begin < parts.len() {
        let mut rows = 0;
        let together = (begin..parts.len()).take_while(|&end| {
            rows += parts.get(end).map_or(0, |part| part.rows);
            let window = parts.get(begin..=end);
            let day = window.filter(|window| !window.iter().any(spoilt)).and_then(one_day);
            rows <= most && day.is_some_and(|day| day != newest)
        });
        match together.count() {
            0 | 1 => begin += 1,
            parts => return Some(begin..begin + parts),
        }
    }
    None
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
                let parts = Arc::clone(&lock(&self.shown).parts);
                let spoilt: Vec<&str> =
                    parts.iter().filter(|p| p.is_spoilt()).map(|p| p.entry().file.as_str()).collect();
                let is_spoilt = |entry: &Entry| spoilt.contains(&entry.file.as_str());
                let Some(range) = mergeable(&manifest.parts, small, most, &is_spoilt) else { return Ok(0) };
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
        // What was looked at for events that are past their time was, also as a part of another one.
        if let Some((entry, ..)) = &new {
            let mut looked = lock(&self.looked);
            let first = old.iter().map(|part| looked.get(&part.entry().file).copied()).min().flatten();
            first.map(|first| looked.insert(entry.file.clone(), first));
        }
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
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use bellwether_model::{Millis, Seq};

    use super::*;

    /// A part of so many rows that were received on these days.
    fn part(rows: u64, (first, last): (i64, i64)) -> Entry {
        Entry {
            file: String::new(),
            rows,
            bytes: 0,
            first: Seq(0),
            last: Seq(0),
            time: (Millis(0), Millis(0)),
            received: (Millis(first * DAY), Millis(last * DAY)),
        }
    }

    fn parts(rows: &[u64]) -> Vec<Entry> {
        rows.iter().map(|&rows| part(rows, (0, 0))).collect()
    }

    /// Days of so many rows, one after the other in parts of `sealed` rows, each merged as long as something is to be
    /// merged; and how many rows were rewritten.
    fn stream(rows: &[u64], sealed: u64, small: u64, most: u64) -> (Vec<Entry>, u64) {
        let (mut parts, mut rewritten): (Vec<Entry>, u64) = (Vec::new(), 0);
        let mut memory: Option<(u64, i64)> = None;
        for (day, &rows) in (0..).zip(rows) {
            let mut left = rows;
            while left > 0 {
                let (there, first) = memory.unwrap_or((0, day));
                let more = left.min(sealed - there);
                left -= more;
                memory = Some((there + more, first));
                if there + more < sealed {
                    continue;
                }
                memory = None;
                parts.push(part(sealed, (first, day)));
                while let Some(range) = mergeable(&parts, small, most, &|_| false) {
                    let merged: Vec<Entry> = parts.drain(range.clone()).collect();
                    let rows = merged.iter().map(|p| p.rows).sum();
                    rewritten += rows;
                    let (first, last) = (days(&merged[0]).0, days(&merged[merged.len() - 1]).1);
                    parts.insert(range.start, part(rows, (first, last)));
                }
            }
        }
        (parts, rewritten)
    }

    proptest::proptest! {
        #[test]
        fn a_question_about_a_day_reads_that_day_and_few_rows_of_others(
            rows in proptest::collection::vec(0_u64..9_000, 1..40), sealed in 20_u64..900,
        ) {
            let (small, most) = (1_000, 5_000);
            let (parts, rewritten) = stream(&rows, sealed, small, most);
            for (day, &rows) in (0..).zip(&rows) {
                let of = |p: &&Entry| days(p).0 <= day && days(p).1 >= day;
                let read: u64 = parts.iter().filter(of).map(|p| p.rows).sum();
                proptest::prop_assert!(read <= rows + 2 * small, "day {day} of {rows} rows reads {read}");
            }
            // Of each day those that are full, one that is not and one that is of the next day, too; of the last, which
            // goes on, some more.
            let full: u64 = rows.iter().map(|rows| rows / (most / 2) + 2).sum();
            proptest::prop_assert!(parts.len() as u64 <= full + 30, "{} parts, {full} are enough", parts.len());
            let total: u64 = rows.iter().sum();
            proptest::prop_assert!(rewritten <= total * 13, "each row {} times", rewritten as f64 / total as f64);
        }
    }

    #[test]
    fn few_parts_are_left_and_no_row_is_rewritten_often() {
        let (mut sizes, mut rewritten) = (Vec::new(), 0);
        for _ in 0..10_000 {
            sizes.extend([10]);
            while let Some(range) = mergeable(&parts(&sizes), 1_000, 1_000, &|_| false) {
                let rows = sizes.drain(range.clone()).sum::<u64>();
                rewritten += rows;
                sizes.insert(range.start, rows);
            }
        }
        assert_eq!(sizes.iter().sum::<u64>(), 100_000);
        assert!(sizes.len() < 400, "{} parts", sizes.len());
        assert!(rewritten <= 100_000 * 10, "each row {} times", rewritten as f64 / 100_000.0);
        assert_eq!(mergeable(&parts(&[100, 10, 10, 10]), 1_000, 1_000, &|_| false), None);
        assert_eq!(mergeable(&parts(&[500, 10, 10, 10, 10]), 1_000, 1_000, &|_| false), Some(1..5));
    }
}

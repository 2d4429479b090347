//! Store: small parts become larger ones, so that a quiet year is not a hundred thousand files.

use std::ops::Range;
use std::sync::Arc;

use crate::error::StoreError;
use crate::manifest::{Entry, Manifest};
use crate::memory::Row;
use crate::part::{self, Part};
use crate::seal::unreadable;
use crate::store::{Store, lock};

/// How many neighbours become one.
const TOGETHER: usize = 4;

/// The oldest neighbours to merge, if there are any: together they have at most `most` rows, and none
/// has more than half of them. So each merge at least doubles the part that a row lies in, and a row
/// is rewritten at most log2 of `most` times.
fn mergeable(parts: &[Entry], most: u64) -> Option<Range<usize>> {
    let begin = parts.windows(TOGETHER).position(|window| {
        let rows: u64 = window.iter().map(|p| p.rows).sum();
        rows <= most && window.iter().all(|p| p.rows <= rows / 2)
    })?;
    Some(begin..begin + TOGETHER)
}

impl Store {
    /// Merges some neighbouring small parts, if there are enough, and says how many. Snapshots that
    /// still read the old ones keep them until they are dropped.
    pub(crate) fn merge(&self, manifest: &mut Manifest) -> Result<usize, StoreError> {
        let Some(range) = mergeable(&manifest.parts, self.settings.seal_rows as u64) else { return Ok(0) };
        let old: Vec<Arc<Part>> = lock(&self.shown).parts.get(range.clone()).unwrap_or_default().to_vec();
        let mut rows: Vec<Row> = Vec::new();
        for part in &old {
            rows.extend(part.all().map_err(unreadable)?);
        }
        let dir = self.dir.join("parts");
        let Some(entry) = part::write(&dir, &rows.iter().collect::<Vec<_>>())? else { return Ok(0) };
        let merged = Arc::new(Part::open(&dir, &entry).map_err(unreadable)?);
        let mut next = manifest.clone();
        next.parts.splice(range.clone(), [entry]);
        next.write(&self.dir)?;
        *manifest = next;
        Arc::make_mut(&mut lock(&self.shown).parts).splice(range, [merged]);
        for part in &old {
            part.retire();
        }
        Ok(old.len())
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
            while let Some(range) = mergeable(&parts(&sizes), 1_000) {
                let rows = sizes.drain(range.clone()).sum::<u64>();
                rewritten += rows;
                sizes.insert(range.start, rows);
            }
        }
        assert_eq!(sizes.iter().sum::<u64>(), 100_000);
        assert!(sizes.len() < 400, "{} parts", sizes.len());
        assert!(rewritten <= 100_000 * 10, "each row {} times", rewritten as f64 / 100_000.0);
        assert_eq!(mergeable(&parts(&[100, 10, 10, 10]), 1_000), None);
        assert_eq!(mergeable(&parts(&[500, 10, 10, 10, 10]), 1_000), Some(1..5));
    }
}

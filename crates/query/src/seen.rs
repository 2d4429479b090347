//! Query: on which days units were in which groups, for counting each once.

use rustc_hash::{FxHashMap, FxHashSet};

/// On which days each unit was in each group: 64 days are the bits of a number, so that many days of a unit take the
/// room of one.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    days: FxHashMap<(u32, u32, u32), u64>,
    /// Which units were in which groups at all.
    whole: FxHashSet<(u32, u32)>,
    /// The last of them and its bits so far: a unit's events come together.
    last: Option<((u32, u32, u32), u64)>,
}

impl Seen {
    /// A unit was in a group on a day.
    pub(crate) fn insert(&mut self, group: u32, unit: u32, day: u32) {
        let (key, bit) = ((group, unit, day / 64), 1 << (day % 64));
        match &mut self.last {
            Some((last, bits)) if *last == key => *bits |= bit,
            _ => {
                self.settle();
                self.last = Some((key, bit));
            }
        }
    }

    fn settle(&mut self) {
        if let Some((key, bits)) = self.last.take() {
            *self.days.entry(key).or_insert_with(|| {
                self.whole.insert((key.0, key.1));
                0
            }) |= bits;
        }
    }

    /// Calls `each` for each group and day of a unit, and once without a day for each group of a unit.
    pub(crate) fn tell(mut self, mut each: impl FnMut(u32, Option<u32>)) {
        self.settle();
        self.whole.iter().for_each(|&(group, _)| each(group, None));
        for (&(group, _, word), &bits) in &self.days {
            let mut left = bits;
            while left != 0 {
                each(group, Some(word * 64 + left.trailing_zeros()));
                left &= left - 1;
            }
        }
    }
}

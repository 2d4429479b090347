//! Flags: which flag a key names. A table tells where it may be by half a fingerprint, and the key itself
//! whether it is: an unknown key is never taken for a known one.

use bellwether_model::fingerprint::{ends, fingerprint, fold};

/// Where keys are in an order.
#[derive(Debug)]
pub(crate) struct Keys {
    /// Open addressing, at most half full. A slot has the lower half of a print above the place of the key,
    /// which counts from 1; 0 is free.
    slots: Box<[u64]>,
    /// How many slots prints are spread over; the table may go on behind them, and ends with a free slot.
    spread: usize,
}

impl Keys {
    pub(crate) fn new(keys: impl IntoIterator<Item = Spelling>) -> Self {
        let mut entries: Vec<(u64, u32)> = keys.into_iter().map(Spelling::print).zip(1..).collect();
        // They go in sorted, so that each is at its slot or behind it.
        entries.sort_unstable();
        let spread = entries.len() * 2 + 1;
        let mut slots: Vec<u64> = Vec::with_capacity(spread + entries.len() + 1);
        for (print, place) in entries {
            slots.resize(slot(spread, print).max(slots.len()), 0);
            slots.push(print << 32 | u64::from(place));
        }
        slots.resize(slots.len().max(spread) + 1, 0);
        Self { slots: slots.into(), spread }
    }

    /// The places, counted from 0, at which a key may be; nearly always one or none.
    #[inline]
    pub(crate) fn places(&self, key: Spelling) -> impl Iterator<Item = usize> {
        let print = key.print();
        let mut at = slot(self.spread, print);
        std::iter::from_fn(move || {
            loop {
                let slot = *self.slots.get(at)?;
                let place = low(slot).checked_sub(1)?;
                at += 1;
                if low(slot >> 32) == low(print) {
                    return Some(place as usize);
                }
            }
        })
    }
}

/// Where a print belongs in a table of so many slots.
#[inline]
#[allow(clippy::cast_possible_truncation)]
fn slot(slots: usize, print: u64) -> usize {
    ((u128::from(print) * slots as u128) >> 64) as usize
}

#[allow(clippy::cast_possible_truncation)]
const fn low(n: u64) -> u32 {
    n as u32
}

/// A key as it is compared. Of one of up to sixteen bytes it is all there is, so that nobody needs to look
/// at where the text is; a longer one is told by its fingerprint first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spelling {
    // Two numbers and not an array, which would be compared by way of memory.
    first: u64,
    last: u64,
    length: usize,
}

impl Spelling {
    #[inline]
    pub(crate) fn of(text: &str) -> Self {
        let [first, last] = if text.len() <= 16 { ends(text.as_bytes()) } else { [long(text), 0] };
        Self { first, last, length: text.len() }
    }

    /// Whether it is all of the text.
    #[inline]
    pub(crate) fn is_whole(self) -> bool {
        self.length <= 16
    }

    /// Where it is looked for.
    #[inline]
    fn print(self) -> u64 {
        // The golden ratio, and the first digits of pi: numbers that no text is likely to be.
        let last = self.last ^ self.length as u64;
        fold(self.first ^ 0x9e37_79b9_7f4a_7c15, last ^ 0x243f_6a88_85a3_08d3)
    }
}

// Not inlined: it would take the registers of whoever asks for a short key.
#[inline(never)]
fn long(text: &str) -> u64 {
    fingerprint(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use bellwether_model::FlagKey;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn a_key_is_at_its_place_and_another_is_not_taken_for_it(
            keys in prop::collection::btree_set("[ab]{1,12}|[ab]{15,18}|[ab]{40}", 0..40),
            others in prop::collection::vec("[ab]{0,18}|[ab]{40}|[ab]{300}", 0..40),
        ) {
            let keys: Vec<FlagKey> = keys.iter().map(|key| key.parse().unwrap()).collect();
            let spellings: Vec<Spelling> = keys.iter().map(|key| Spelling::of(key.as_str())).collect();
            let table = Keys::new(spellings.iter().copied());
            for sought in keys.iter().map(FlagKey::as_str).chain(others.iter().map(String::as_str)) {
                let place = keys.iter().position(|key| key.as_str() == sought);
                let spelling = Spelling::of(sought);
                let found = table.places(spelling).find(|place| spellings[*place] == spelling);
                let found = found.filter(|place| spelling.is_whole() || keys[*place].as_str() == sought);
                prop_assert_eq!(found, place);
            }
        }
    }

    #[test]
    fn like_keys_are_spread_evenly() {
        for name in ["feature-", "f", "a-rather-long-name-of-a-feature-", "x.y_"] {
            let spellings = (0..10_000).map(|n| Spelling::of(&format!("{name}{n:04}")));
            let table = Keys::new(spellings.clone());
            let steps = spellings.clone().map(|key| {
                let begin = slot(table.spread, key.print());
                let end = table.slots.iter().skip(begin).position(|s| low(s >> 32) == low(key.print()));
                end.unwrap() + 1
            });
            let mean = steps.sum::<usize>() as f64 / 10_000.0;
            // Of a table that is half full, 1.5 slots are looked at to find a key.
            assert!(mean < 1.6, "{name}: {mean}");
        }
    }

    /// Where keys share a slot and half a fingerprint, both places are looked at.
    #[test]
    fn a_shared_half_hides_nobody() {
        let half = Spelling::of("a").print() << 32;
        let table = Keys { slots: [half | 7, half.wrapping_add(1 << 32) | 8, half | 9, 0].into(), spread: 1 };
        assert_eq!(table.places(Spelling::of("a")).collect::<Vec<_>>(), [6, 8]);
        assert_eq!(table.places(Spelling::of("b")).count(), 0);
    }
}

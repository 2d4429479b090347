//! Numbers that look random and are a function of a seed: nothing here asks the system for any.

use crate::Refusal;

/// One step of SplitMix64 (Steele, Lea and Flood 2014): every state gives another number, and numbers of
/// neighbouring states look unrelated.
pub(crate) const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

#[inline]
pub(crate) fn mixed(state: u64) -> u64 {
    let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// More draws lessen no error that matters, and take for ever.
pub(crate) const MOST_DRAWS: u64 = 10_000_000;

/// That so many draws are enough, and an end is near.
pub(crate) fn check_draws(draws: u64, fewest: u64) -> Result<(), Refusal> {
    if draws < fewest {
        return Err(Refusal::too_few("draws", draws, fewest));
    }
    if draws > MOST_DRAWS {
        return Err(Refusal::out_of_range(
            "a number of draws",
            &format!("at or below `{MOST_DRAWS}`"),
            draws,
        ));
    }
    Ok(())
}

/// SplitMix64, which passes BigCrush and has a period of 2⁶⁴.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    /// Streams of one seed that differ in `stream` are unrelated.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        Self(
            mixed(seed.wrapping_add(STEP))
                ^ mixed(stream.wrapping_mul(STEP).wrapping_add(seed.rotate_left(32))),
        )
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        mixed(self.0)
    }

    /// One of `n` numbers from 0, for `n` above zero; uneven by less than `n` parts in 2⁶⁴.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next()) * n as u128) >> 64) as usize
    }

    pub(crate) fn coin(&mut self) -> bool {
        self.next() >> 63 == 1
    }

    /// A random order (Fisher and Yates).
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of SplitMix64's own reference: the state 1234567 gives these.
    #[test]
    fn the_generator_is_splitmix() {
        let mut random = Random(1_234_567);
        assert_eq!([random.next(), random.next()], [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]);
    }

    #[test]
    fn every_order_is_as_likely() {
        let mut random = Random::new(3, 0);
        let mut counts = std::collections::BTreeMap::new();
        for _ in 0..24_000 {
            let mut order = [0, 1, 2, 3];
            random.shuffle(&mut order);
            *counts.entry(order).or_insert(0u32) += 1;
        }
        // 1,000 ± 31 each.
        assert_eq!(counts.len(), 24);
        assert!(counts.values().all(|count| (850..1_150).contains(count)), "{counts:?}");
    }
}

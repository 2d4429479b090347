//! Flags: where a unit stands in a split. MurmurHash3 x86 32 over `salt/unit`, and thresholds that
//! are exact in integers, so that every SDK that hashes UTF-8 puts the unit in the same place.

/// The number of positions: a position is below this.
const POSITIONS: u32 = 42_949_673;

/// Where a unit stands.
///
/// ```
/// let bucket = bellwether_flags::bucket("checkout-v2:a1", "user-42");
/// assert_eq!((bucket.hash, bucket.position()), (815_771_390, 8_157_713));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    /// The 32-bit hash of `salt/unit`.
    pub hash: u32,
}

impl Bucket {
    /// The position, a hundredth of the hash: in `0..42949673`. A range from `a` to `b` basis points
    /// holds it when `threshold(a) <= position < threshold(b)`.
    pub const fn position(self) -> u32 {
        self.hash / 100
    }

    /// The position in percent of the population, for people to read; nothing decides by it.
    pub fn percent(self) -> f64 {
        f64::from(self.position()) / f64::from(POSITIONS) * 100.0
    }
}

/// Where `unit` stands in the split with this salt.
pub fn bucket(salt: &str, unit: &str) -> Bucket {
    Salted::new(salt).bucket(unit)
}

/// The first position that no longer belongs to the first `points` basis points.
///
/// ```
/// use bellwether_flags::threshold;
/// assert_eq!((threshold(1), threshold(5_000), threshold(10_000)), (4_294, 21_474_836, 42_949_673));
/// ```
pub const fn threshold(points: u16) -> u32 {
    // At most 65535/10000 of 42949673, which fits.
    #[allow(clippy::cast_possible_truncation)]
    let threshold = (points as u64 * POSITIONS as u64 / 10_000) as u32;
    threshold
}

/// A salt that is already hashed up to the slash; only the unit is left to do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Salted(Murmur3);

impl Salted {
    pub(crate) fn new(salt: &str) -> Self {
        let mut hash = Murmur3::default();
        hash.write(salt.as_bytes());
        hash.write(b"/");
        Self(hash)
    }

    pub(crate) fn bucket(mut self, unit: &str) -> Bucket {
        self.0.write(unit.as_bytes());
        Bucket { hash: self.0.finish() }
    }
}

/// MurmurHash3 x86 32 with seed 0 (Austin Appleby, public domain), taking its input in pieces.
#[derive(Debug, Clone, Copy, Default)]
struct Murmur3 {
    hash: u32,
    /// Bytes that do not make a block yet, the first in the lowest place.
    tail: u32,
    length: u32,
}

impl Murmur3 {
    fn write(&mut self, mut bytes: &[u8]) {
        while !self.length.is_multiple_of(4) || bytes.len() < 4 {
            let Some((first, rest)) = bytes.split_first() else { return };
            self.tail |= u32::from(*first) << (self.length % 4 * 8);
            self.length = self.length.wrapping_add(1);
            if self.length.is_multiple_of(4) {
                self.block(self.tail);
                self.tail = 0;
            }
            bytes = rest;
        }
        let (blocks, rest) = bytes.as_chunks::<4>();
        for block in blocks {
            self.block(u32::from_le_bytes(*block));
            self.length = self.length.wrapping_add(4);
        }
        if !rest.is_empty() {
            self.write(rest);
        }
    }

    fn block(&mut self, block: u32) {
        self.hash = (self.hash ^ scramble(block)).rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64);
    }

    fn finish(self) -> u32 {
        let mut hash = self.hash ^ scramble(self.tail) ^ self.length;
        hash = (hash ^ (hash >> 16)).wrapping_mul(0x85eb_ca6b);
        hash = (hash ^ (hash >> 13)).wrapping_mul(0xc2b2_ae35);
        hash ^ (hash >> 16)
    }
}

const fn scramble(block: u32) -> u32 {
    block.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn golden_positions_of_the_specification() {
        let check = |salt: &str, unit: &str, hash: u32, position: u32, variant: &str| {
            let bucket = bucket(salt, unit);
            assert_eq!((bucket.hash, bucket.position()), (hash, position), "{salt}/{unit}");
            let ends = [("a", 1_000), ("b", 4_000), ("c", 10_000)];
            let owner = ends.iter().find(|(_, points)| position < threshold(*points)).map(|(v, _)| *v);
            assert_eq!(owner, Some(variant), "{salt}/{unit}");
        };
        check("checkout-v2:a1", "user-0", 988_804_984, 9_888_049, "b");
        check("checkout-v2:a1", "user-1", 2_002_644_378, 20_026_443, "c");
        check("checkout-v2:a1", "user-2", 2_425_204_957, 24_252_049, "c");
        check("checkout-v2:a1", "user-42", 815_771_390, 8_157_713, "b");
        check("exp-1", "f021d0f9-33b7-4b22-b0bd-9fec66ba1d7d", 1_837_572_164, 18_375_721, "c");
        check("s", "u1", 3_822_514_879, 38_225_148, "c");
        check("s", "ünïcode-ключ", 1_529_783_223, 15_297_832, "b");
        check("", "x", 2_002_945_852, 20_029_458, "c");
    }

    #[test]
    fn golden_thresholds_of_the_specification() {
        for (points, expected) in [
            (0, 0),
            (1, 4_294),
            (50, 214_748),
            (100, 429_496),
            (1_000, 4_294_967),
            (3_334, 14_319_420),
            (4_000, 17_179_869),
            (5_000, 21_474_836),
            (6_667, 28_634_546),
            (9_999, 42_945_378),
            (10_000, 42_949_673),
        ] {
            assert_eq!(threshold(points), expected, "{points}");
        }
        // The last position there is belongs to the last basis point.
        assert_eq!(Bucket { hash: u32::MAX }.position(), threshold(10_000) - 1);
    }

    /// 300,000 users of a 10/30/60 split: each share is within five standard deviations.
    #[test]
    fn a_split_divides_as_planned() {
        const USERS: u32 = 300_000;
        let salted = Salted::new("checkout-v2:a1");
        let (mut a, mut b) = (0_u32, 0_u32);
        for user in 0..USERS {
            let position = salted.bucket(&format!("user-{user}")).position();
            a += u32::from(position < threshold(1_000));
            b += u32::from((threshold(1_000)..threshold(4_000)).contains(&position));
        }
        for (count, share) in [(a, 0.1), (b, 0.3)] {
            let n = f64::from(USERS);
            let deviations = (f64::from(count) - n * share) / (n * share * (1.0 - share)).sqrt();
            assert!(deviations.abs() < 5.0, "{count} of {share}: {deviations} deviations");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn hashing_in_pieces_is_hashing_at_once(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..9), 0..6)) {
            let mut whole = Murmur3::default();
            whole.write(&pieces.concat());
            let mut parts = Murmur3::default();
            for piece in &pieces {
                parts.write(piece);
            }
            prop_assert_eq!(whole.finish(), parts.finish());
        }
    }
}

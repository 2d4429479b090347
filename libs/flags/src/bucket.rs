//! Flags: where a unit stands in a split, a layer or a holdout. MurmurHash3 x86 32 over `salt/unit`, and thresholds that
//! are exact in integers, so that every SDK that hashes UTF-8 puts the unit in the same place.

use std::num::NonZeroU32;

use bellwether_model::Bucketing;

/// The number of positions: a position is below this.
const POSITIONS: u32 = 42_949_673;

/// Where a unit stands.
///
/// ```
/// use bellwether_model::Bucketing;
/// let bucket = bellwether_flags::bucket(Bucketing::Utf8, "checkout-v2:a1", "user-42");
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

/// Where `unit` stands in the split with this salt, in an environment with this bucketing.
pub fn bucket(bucketing: Bucketing, salt: &str, unit: &str) -> Bucket {
    Salted::new(bucketing, salt).bucket(unit)
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

/// A salt that is ready to be joined with a unit.
#[derive(Debug, Clone)]
// In this order: the text comes last.
#[repr(C)]
pub(crate) struct Salted {
    /// In UTF-8, the hash of the salt and the slash; only the unit is left to do. In CBOR the text begins
    /// with its length, so nothing can be hashed before the unit is known.
    begun: Option<Begun>,
    salt: Box<str>,
}

impl Salted {
    pub(crate) fn new(bucketing: Bucketing, salt: &str) -> Self {
        let begun = match bucketing {
            Bucketing::Utf8 => Some(Begun::new(salt)),
            Bucketing::Cbor => None,
        };
        Self { begun, salt: salt.into() }
    }

    pub(crate) fn salt(&self) -> &str {
        &self.salt
    }

    #[inline]
    pub(crate) fn bucket(&self, unit: &str) -> Bucket {
        let hash = match &self.begun {
            Some(begun) => begun.end(unit.as_bytes()),
            None => self.cbor(unit),
        };
        Bucket { hash }
    }

    #[cold]
    fn cbor(&self, unit: &str) -> u32 {
        let mut hash = Murmur3::default();
        hash.write_text_header(self.salt.len() + 1 + unit.len());
        hash.write(self.salt.as_bytes());
        hash.write(b"/");
        hash.write(unit.as_bytes());
        hash.finish()
    }
}

/// A hash of a salt and a slash that waits for the unit. Of their bytes one to four are held back, so that
/// the unit's first bytes always fill up a block, and no branch asks whether they do.
#[derive(Debug, Clone, Copy)]
struct Begun {
    hash: u32,
    /// What is held back, the first byte in the lowest place.
    held: u32,
    /// How many bytes of the unit fill it up, at most three.
    missing: u8,
    /// How many bits are held back.
    bits: u8,
    /// How many bytes there are, with those that are held back.
    length: NonZeroU32,
}

impl Begun {
    fn new(salt: &str) -> Self {
        let mut hash = Murmur3::default();
        let (blocks, rest) = salt.as_bytes().as_chunks::<4>();
        hash.write(blocks.as_flattened());
        // At most three bytes, and the slash.
        let held = first(rest) | u32::from(b'/') << (rest.len() * 8);
        let (missing, bits) = match rest.len() {
            0 => (3, 8),
            1 => (2, 16),
            2 => (1, 24),
            _ => (0, 32),
        };
        let length = NonZeroU32::MIN.saturating_add(low(salt.len() as u64));
        Self { hash: hash.hash, held, missing, bits, length }
    }

    /// The hash of all with the unit.
    #[inline(always)]
    fn end(&self, unit: &[u8]) -> u32 {
        let length = self.length.get().wrapping_add(low(unit.len() as u64));
        let (Some(begin), Some(last)) = (unit.first_chunk(), unit.last_chunk()) else {
            return self.end_short(unit, length);
        };
        let filled = u64::from(u32::from_le_bytes(*begin)) << self.bits;
        let mut hash = mix(self.hash, low(filled) | self.held);
        // The mask says that there are as many.
        let rest = unit.get(usize::from(self.missing & 3)..).unwrap_or_default();
        let (pairs, rest) = rest.as_chunks::<8>();
        for pair in pairs {
            let pair = u64::from_le_bytes(*pair);
            hash = mix(mix(hash, low(pair)), low(pair >> 32));
        }
        let (block, rest) = rest.as_chunks::<4>();
        if let [block] = block {
            hash = mix(hash, u32::from_le_bytes(*block));
        }
        // The last bytes are read at once, and those that were in a block fall out.
        let tail = u64::from(u32::from_le_bytes(*last)) << (rest.len() * 8) >> 32;
        finish(hash, low(tail), length)
    }

    /// The same for a unit of up to three bytes, which may not fill up the block.
    #[cold]
    fn end_short(&self, unit: &[u8], length: u32) -> u32 {
        let all = u64::from(first(unit)) << self.bits | u64::from(self.held);
        if unit.len() < usize::from(self.missing) {
            finish(self.hash, low(all), length)
        } else {
            finish(mix(self.hash, low(all)), low(all >> 32), length)
        }
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
    /// Takes in whole blocks: the first is filled up from what is left from before, so that it does not
    /// matter where the pieces of the input meet.
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let held = self.length % 4;
        #[allow(clippy::cast_possible_truncation)]
        let written = bytes.len() as u32;
        self.length = self.length.wrapping_add(written);
        self.tail |= first(bytes) << (held * 8);
        let missing = if held == 0 { 0 } else { 4 - held as usize };
        let Some((filled, rest)) = bytes.split_at_checked(missing) else { return };
        if !filled.is_empty() {
            self.hash = mix(self.hash, self.tail);
        }
        let (blocks, rest) = rest.as_chunks::<4>();
        for block in blocks {
            self.hash = mix(self.hash, u32::from_le_bytes(*block));
        }
        // The last bytes are read at once, where there are four, and those that were in a block fall out.
        self.tail = match bytes.last_chunk::<4>() {
            Some(last) => low(u64::from(u32::from_le_bytes(*last)) << (rest.len() * 8) >> 32),
            None => first(rest),
        };
    }

    /// What a text of this length begins with in CBOR (RFC 8949, major type 3, shortest form).
    fn write_text_header(&mut self, length: usize) {
        let bytes = (length as u64).to_be_bytes();
        let (kind, from) = match length {
            0..=23 => (0x60 | bytes[7], 8),
            24..=0xff => (0x78, 7),
            0x100..=0xffff => (0x79, 6),
            0x1_0000..=0xffff_ffff => (0x7a, 4),
            _ => (0x7b, 0),
        };
        self.write(&[kind]);
        self.write(bytes.get(from..).unwrap_or_default());
    }

    fn finish(self) -> u32 {
        finish(self.hash, self.tail, self.length)
    }
}

/// Takes in a block.
const fn mix(hash: u32, block: u32) -> u32 {
    (hash ^ scramble(block)).rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64)
}

/// The hash, from up to three last bytes and how many there were.
const fn finish(hash: u32, tail: u32, length: u32) -> u32 {
    let mut hash = hash ^ scramble(tail) ^ length;
    hash = (hash ^ (hash >> 16)).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ (hash >> 13)).wrapping_mul(0xc2b2_ae35);
    hash ^ (hash >> 16)
}

/// The first four bytes, or fewer.
#[inline]
fn first(bytes: &[u8]) -> u32 {
    match bytes.first_chunk() {
        Some(four) => u32::from_le_bytes(*four),
        None => bytes.iter().rev().fold(0, |n, b| n << 8 | u32::from(*b)),
    }
}

#[allow(clippy::cast_possible_truncation)]
const fn low(n: u64) -> u32 {
    n as u32
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
            let bucket = bucket(Bucketing::Utf8, salt, unit);
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

    /// The texts of the specification's table of CBOR hashes, split where a slash may stand.
    #[test]
    fn golden_hashes_of_cbor() {
        let hash = |text: &str| {
            let mut hash = Murmur3::default();
            hash.write_text_header(text.len());
            hash.write(text.as_bytes());
            hash.finish()
        };
        assert_eq!(hash("user1"), 3_686_933_882);
        assert_eq!(hash("123"), 3_729_299_010);
        assert_eq!(hash(""), 661_569_231);
        for length in [1, 22, 23, 24, 254, 255, 256, 70_000] {
            let unit = "u".repeat(length);
            assert_eq!(bucket(Bucketing::Cbor, "s", &unit).hash, hash(&format!("s/{unit}")), "{length}");
        }
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
        let salted = Salted::new(Bucketing::Utf8, "checkout-v2:a1");
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
        fn a_salt_is_hashed_beforehand(salt in "[a-z]{0,9}", unit in ".{0,14}") {
            let mut whole = Murmur3::default();
            whole.write(format!("{salt}/{unit}").as_bytes());
            prop_assert_eq!(bucket(Bucketing::Utf8, &salt, &unit).hash, whole.finish());
        }

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

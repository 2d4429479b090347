//! Store: the filter of a list as it is asked: a split-block Bloom filter as [Parquet specifies it][spec], which `parquet`
//! writes. What of a question depends on the event alone is worked out once for all lists, and the answer has no branch:
//! a server has dozens of lists, and each event that comes asks them all.
//!
//! [spec]: https://parquet.apache.org/docs/file-format/bloomfilter/

use twox_hash::XxHash64;

use crate::fingerprint::Fingerprint;

/// What the specification multiplies with, one for each word of a block.
const SALT: [u32; 8] =
    [0x47b6_137b, 0x4497_4d91, 0x8824_ad5b, 0xa2b7_289d, 0x7054_95c7, 0x2df1_424b, 0x9efc_4947, 0x5c6b_fb31];

/// 32 bytes that one line of the processor's cache holds.
#[derive(Debug, Clone, Copy)]
#[repr(align(32))]
struct Block([u32; 8]);

/// What is asked of filters.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sought {
    print: Fingerprint,
    place: u64,
    mask: Block,
}

impl Sought {
    pub(crate) fn of(print: Fingerprint) -> Self {
        let hash = XxHash64::oneshot(0, &print.to_bytes());
        // The lower half says which bit of each word, the upper half which block.
        #[allow(clippy::cast_possible_truncation)]
        let low = hash as u32;
        Self { print, place: hash >> 32, mask: Block(SALT.map(|salt| 1 << (low.wrapping_mul(salt) >> 27))) }
    }

    pub(crate) fn print(&self) -> Fingerprint {
        self.print
    }
}

/// A filter in memory.
#[derive(Debug)]
pub(super) struct Filter(Box<[Block]>);

impl Filter {
    /// Of the bytes that `parquet` wrote, 32 for each block; `None` where there are none, or some are left over.
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        let (blocks, []) = bytes.as_chunks::<32>() else { return None };
        let block = |bytes: &[u8; 32]| {
            let mut words = [0; 8];
            for (word, bytes) in words.iter_mut().zip(bytes.as_chunks::<4>().0) {
                *word = u32::from_le_bytes(*bytes);
            }
            Block(words)
        };
        (!blocks.is_empty()).then(|| Self(blocks.iter().map(block).collect()))
    }

    /// Whether it may hold the event: `false` is certain.
    #[inline]
    pub(super) fn may_hold(&self, sought: &Sought) -> bool {
        let at = usize::try_from((sought.place * self.0.len() as u64) >> 32).unwrap_or(usize::MAX);
        let Some(Block(words)) = self.0.get(at) else { return true };
        let Block(mask) = sought.mask;
        words.iter().zip(mask).fold(0, |missing, (word, mask)| missing | (mask & !word)) == 0
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use parquet::bloom_filter::Sbbf;
    use proptest::prelude::*;

    proptest! {
        /// It says the same as the library that wrote it, of what is in it and of what is not.
        #[test]
        fn it_says_what_parquet_says(held in 0_u64..3_000, others in 0_u64..3_000, room in 1_u64..4_000) {
            let mut library = Sbbf::new_with_ndv_fpp(room, 0.01).unwrap();
            let print = |n: u64| Fingerprint::from_bytes((u128::from(n) << 64 | u128::from(!n)).to_le_bytes());
            for n in 0..held {
                library.insert(print(n).to_bytes().as_slice());
            }
            let mut bytes = Vec::new();
            library.write_bitset(&mut bytes).unwrap();
            let filter = Filter::of(&bytes).unwrap();
            for n in 0..held + others {
                let says = filter.may_hold(&Sought::of(print(n)));
                prop_assert_eq!(says, library.check(print(n).to_bytes().as_slice()));
                prop_assert!(says || n >= held);
            }
        }
    }

    #[test]
    fn what_is_no_filter_is_none() {
        for bytes in [0, 1, 31, 33, 63] {
            assert!(Filter::of(&vec![0; bytes]).is_none(), "{bytes}");
        }
        assert!(Filter::of(&[0; 64]).is_some());
    }
}

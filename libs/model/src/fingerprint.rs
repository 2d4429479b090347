//! Model: 64-bit fingerprints of text, by which attributes are found and long lists of ids are held.
//! They live in memory: what is stored does not depend on them, and a tag that is sent may change with
//! a version.

/// A fingerprint: two rounds of folded 64 x 64 to 128 bit multiplication, as in wyhash. Texts that
/// nobody chose to collide do so with a probability of 2^-64; the function is no secret and no
/// cryptography, so nothing that is secured may depend on it.
///
/// ```
/// use bellwether_model::fingerprint::fingerprint;
/// assert_ne!(fingerprint("user-1"), fingerprint("user-2"));
/// ```
#[inline]
pub fn fingerprint(text: &str) -> u64 {
    let bytes = text.as_bytes();
    let length = bytes.len() as u64;
    let mut seed = SECRET[0] ^ length;
    let mut rest = bytes;
    while rest.len() > 16 {
        let Some((block, after)) = rest.split_first_chunk::<16>() else { break };
        seed = fold(low(block) ^ SECRET[1], high(block) ^ seed);
        rest = after;
    }
    let [a, b] = ends(rest);
    fold(SECRET[2] ^ length, fold(a ^ SECRET[1], b ^ seed))
}

/// What bytes begin and end with, as two numbers: the first and the last eight of them, or four, or what
/// there is. They overlap in short texts. Together with their count they say all of up to sixteen bytes.
#[inline]
pub fn ends(bytes: &[u8]) -> [u64; 2] {
    if let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        [u64::from_le_bytes(*first), u64::from_le_bytes(*last)]
    } else if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        [u64::from(u32::from_le_bytes(*first)), u64::from(u32::from_le_bytes(*last))]
    } else {
        // Up to three bytes, each in a place of its own.
        [bytes.iter().fold(0, |n, b| n << 8 | u64::from(*b)), 0]
    }
}

/// Odd numbers whose bits are half ones: the first digits of pi, e and the golden ratio after the point.
const SECRET: [u64; 3] = [0x243f_6a88_85a3_08d3, 0xb7e1_5162_8aed_2a6b, 0x9e37_79b9_7f4a_7c15];

/// The product of two numbers, whose halves are joined: each bit of it depends on all of both numbers, but
/// where one of them is nearly nothing.
#[inline]
pub fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    #[allow(clippy::cast_possible_truncation)]
    let (low, high) = (product as u64, (product >> 64) as u64);
    low ^ high
}

pub(crate) fn low(block: &[u8; 16]) -> u64 {
    block.first_chunk::<8>().map_or(0, |b| u64::from_le_bytes(*b))
}

pub(crate) fn high(block: &[u8; 16]) -> u64 {
    block.last_chunk::<8>().map_or(0, |b| u64::from_le_bytes(*b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn ends_and_a_count_say_all_of_a_short_text() {
        let texts = (0..=16).flat_map(|n| {
            let like = move |at, c| (0..n).map(move |i| if i == at { c } else { 'a' }).collect::<String>();
            (0..n).flat_map(move |at| ['b', '\0', '\u{7f}'].map(|c| like(at, c))).chain([like(n, 'a')])
        });
        let all: Vec<String> = texts.collect();
        let said: HashSet<_> = all.iter().map(|text| (text.len(), ends(text.as_bytes()))).collect();
        assert_eq!(said.len(), all.len());
    }

    /// Half a million texts that differ in little: no two have the same fingerprint, every bit is set
    /// in half of them, and every slice of 16 bits takes its values evenly.
    #[test]
    fn fingerprints_of_like_texts_are_unlike() {
        let ids = (0..500_000_u32).map(|n| match n % 4 {
            0 => format!("user-{n}"),
            1 => n.to_string(),
            2 => format!("{n:036}"),
            _ => format!("{n:x}@example.com"),
        });
        let all: HashSet<u64> = ids.map(|id| fingerprint(&id)).collect();
        assert_eq!(all.len(), 500_000);
        for bit in 0..64 {
            let ones = all.iter().filter(|f| **f >> bit & 1 == 1).count();
            // Five standard deviations.
            assert!((248_232..=251_768).contains(&ones), "bit {bit}: {ones}");
        }
        for slice in 0..4 {
            let mut counts = vec![0_u32; 1 << 16];
            for f in &all {
                counts[(f >> (slice * 16) & 0xffff) as usize] += 1;
            }
            // A Poisson count of mean 7.6 passes 40 once in 10^16.
            assert!(counts.iter().all(|n| *n < 40), "slice {slice}");
        }
    }
}

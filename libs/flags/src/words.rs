//! Flags: a few words that text may equal, compared as numbers.

use rustc_hash::FxHashSet;

/// Values that text may equal. `true` and `false` are known in any spelling.
#[derive(Debug)]
pub(crate) struct Words {
    /// Those of up to 15 bytes, each in one number, read one after the other where they are few.
    short: Box<[u128]>,
    /// All, where they are many, and the longer ones.
    others: FxHashSet<Box<str>>,
    truth: bool,
    falsehood: bool,
}

/// Up to here, reading is faster than hashing.
const FEW: usize = 16;

impl Words {
    pub(crate) fn new(values: &[String]) -> Self {
        let few = values.len() <= FEW;
        let mut short = Vec::new();
        let mut others = FxHashSet::default();
        for value in values {
            match packed(value).filter(|_| few) {
                Some(number) => short.push(number),
                None => drop(others.insert(value.as_str().into())),
            }
        }
        Self {
            short: short.into(),
            others,
            truth: values.iter().any(|v| v.eq_ignore_ascii_case("true")),
            falsehood: values.iter().any(|v| v.eq_ignore_ascii_case("false")),
        }
    }

    #[inline]
    pub(crate) fn hold(&self, text: &str) -> bool {
        if (self.truth || self.falsehood) && text.eq_ignore_ascii_case("true") {
            self.truth
        } else if (self.truth || self.falsehood) && text.eq_ignore_ascii_case("false") {
            self.falsehood
        } else {
            packed(text).is_some_and(|number| self.short.contains(&number))
                || (!self.others.is_empty() && self.others.contains(text))
        }
    }
}

/// Text of up to 15 bytes as one number: its bytes, the first lowest, and its length on top.
#[inline]
fn packed(text: &str) -> Option<u128> {
    let bytes = text.as_bytes();
    let length = bytes.len();
    // The last bytes are laid over the first ones, where they are the same bytes.
    let letters = match (bytes.first_chunk::<8>(), bytes.first_chunk::<4>()) {
        _ if length > 15 => return None,
        (Some(first), _) => {
            let last = bytes.last_chunk::<8>()?;
            u128::from(u64::from_le_bytes(*first))
                | u128::from(u64::from_le_bytes(*last)) << ((length - 8) * 8)
        }
        (None, Some(first)) => {
            let last = bytes.last_chunk::<4>()?;
            u128::from(u32::from_le_bytes(*first))
                | u128::from(u32::from_le_bytes(*last)) << ((length - 4) * 8)
        }
        (None, None) => u128::from(bytes.iter().rev().fold(0_u32, |n, b| n << 8 | u32::from(*b))),
    };
    Some(letters | (length as u128) << 120)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_words_are_told_apart() {
        let all: Vec<String> = (0..40)
            .map(|n| "abcdefghijklmnopqrstuvwxyz"[n % 5..n % 5 + n / 2].to_owned())
            .chain(["a\0".to_owned(), "\0a".to_owned(), "ab".to_owned(), "ba".to_owned()])
            .collect();
        for one in &all {
            for other in &all {
                assert_eq!(
                    Words::new(std::slice::from_ref(one)).hold(other),
                    one == other,
                    "{one:?} {other:?}"
                );
            }
        }
    }
}

//! Model: what most tests of an attribute need to know of its value, as two numbers. They are worked
//! out once, when a context is made, and answer whichever flags are then evaluated.

use std::num::NonZeroU64;

use crate::fingerprint::{high, low};
use crate::operand::Version;

/// A text of up to 15 bytes, as two numbers.
///
/// ```
/// use bellwether_model::glance::Word;
/// assert_eq!(Word::of("FI"), Word::of("FI"));
/// assert_ne!(Word::of("FI"), Word::of("FI\0"));
/// assert_eq!(Word::of("more than fifteen"), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word {
    low: u64,
    high: NonZeroU64,
}

impl Word {
    /// Marks a text of up to 7 bytes, which is said by the other number.
    const SHORT: NonZeroU64 = NonZeroU64::MIN;

    /// The bytes, the first lowest, and on top the length and a bit that is always set: in the lower
    /// number where there is room for them, else in the higher one.
    pub fn of(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let mut padded = [0; 16];
        padded.get_mut(..bytes.len()).filter(|room| room.len() < 16)?.copy_from_slice(bytes);
        let [low, high] = [low(&padded), high(&padded)];
        let top = (bytes.len() as u64 | 0x80) << 56;
        if bytes.len() < 8 {
            return Some(Self { low: low | top, high: Self::SHORT });
        }
        NonZeroU64::new(high | top).map(|high| Self { low, high })
    }

    /// One number that says all of a text of up to 7 bytes; `None` of a longer one.
    #[inline]
    pub fn short(self) -> Option<u64> {
        (self.high == Self::SHORT).then_some(self.low)
    }

    /// Whether it is one of these. All are compared: to guess which one it is takes longer.
    #[inline]
    pub fn among(self, words: &[Self]) -> bool {
        words.iter().fold(false, |found, one| found | (*one == self))
    }
}

/// A version without a pre-release and without very large numbers, as one number of the same order.
///
/// ```
/// use bellwether_model::glance::Release;
/// assert!(Release::of("2.10") > Release::of("2.9.9"));
/// assert_eq!(Release::of("2.10-rc.1"), None);
/// assert_eq!(Release::of("2.10.0-rc.1"), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Release(NonZeroU64);

impl Release {
    /// Before all others.
    pub const FIRST: Self = Self(NonZeroU64::MIN);
    /// After all others.
    pub const LAST: Self = Self(NonZeroU64::MAX);

    /// Major, minor and patch in 20 bits each, below a bit that is always set.
    pub fn of(text: &str) -> Option<Self> {
        let numbers = Version::parse(text)?.release()?;
        let fits = numbers.iter().all(|n| *n < 1 << 20);
        let packed = numbers.iter().fold(1, |packed, n| packed << 20 | n);
        NonZeroU64::new(packed).filter(|_| fits).map(Self)
    }

    /// What comes right after it.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// What comes right before it.
    #[must_use]
    pub fn previous(self) -> Self {
        Self(NonZeroU64::new(self.0.get() - 1).unwrap_or(self.0))
    }
}

/// What is known of a value at a glance. Where it does not say, the value itself does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Glance {
    /// Of a short text that is not a list written as JSON.
    pub word: Option<Word>,
    /// Of a text that is a version.
    pub release: Option<Release>,
}

impl Glance {
    /// Of what is no text.
    pub const NOTHING: Self = Self { word: None, release: None };

    /// Reads a text.
    pub fn of(text: &str) -> Self {
        // Rules read `["a", "b"]` as a list.
        if text.as_bytes().first() == Some(&b'[') {
            return Self::NOTHING;
        }
        Self { word: Word::of(text), release: Release::of(text) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn words_are_equal_where_texts_are(a in "[ab\0é]{0,9}", b in "[ab\0é]{0,9}") {
            prop_assert_eq!(Word::of(&a).is_some(), a.len() <= 15);
            if let Some(word) = Word::of(&a) {
                prop_assert_eq!(word.short().is_some(), a.len() <= 7);
                prop_assert_eq!(Some(word) == Word::of(&b), a == b);
                let words = [Word::of("x").unwrap(), Word::of(&a.clone()).unwrap()];
                prop_assert!(word.among(&words) && !word.among(&words[..1]));
            }
        }

        #[test]
        fn releases_are_ordered_as_versions_are(
            a in "[0-9]{1,8}\\.[0-9]{1,2}(\\.[0-9]{1,2})?(-a)?", b in "[0-9]{1,8}\\.[0-9]{1,2}(\\.[0-9]{1,2})?",
        ) {
            if let (Some(one), Some(other)) = (Release::of(&a), Release::of(&b)) {
                let versions = (Version::parse(&a).unwrap(), Version::parse(&b).unwrap());
                prop_assert_eq!(one.cmp(&other), versions.0.compare(&versions.1));
                prop_assert_eq!(one >= other.next(), one > other);
                prop_assert_eq!(one <= other.previous(), one < other);
            }
            let small = a.split('.').next().is_some_and(|major| major.parse::<u32>().unwrap() < 1 << 20);
            prop_assert_eq!(Release::of(&a).is_some(), small && Version::parse(&a).is_some() && !a.contains('-'));
        }
    }
}

//! Model: versions, as Amplitude's engine reads and orders them, and as semver.org does.

use std::cmp::Ordering;

/// A version. There are two readings of text, and two orders of pre-releases, because operators that Amplitude
/// has must mean what its engine means: [`parse`](Version::parse) and [`compare`](Version::compare). Our own
/// mean what semver.org does: [`semantic`](Version::semantic) and [`precedence`](Version::precedence). Under both
/// a pre-release comes before its release.
///
/// ```
/// use bellwether_model::operand::Version;
/// let semantic = |text: &'static str| Version::semantic(text).unwrap();
/// assert!(semantic("v1.2.3+45").precedence(&semantic("1.2.3")).is_eq());
/// assert!(semantic("1.0.0-rc.10").precedence(&semantic("1.0.0-rc.2")).is_gt());
/// // As Amplitude's engine has it, the former is no version, and the latter is text.
/// assert_eq!(Version::parse("v1.2.3+45"), None);
/// assert!(semantic("1.0.0-rc.10").compare(&semantic("1.0.0-rc.2")).is_lt());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version<T = Box<str>> {
    /// In the order of the doubles that the engine has.
    numbers: [u64; 3],
    /// With its hyphen.
    pre_release: Option<T>,
}

impl<'a> Version<&'a str> {
    /// `major.minor[.patch[-prerelease]]`, with build metadata (`+45`, behind a patch) and behind a `v` if
    /// need be; neither is part of the version.
    pub fn semantic(text: &'a str) -> Option<Self> {
        let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
        let Some((version, build)) = text.split_once('+') else { return Self::parse(text) };
        let word =
            |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let release = version.split_once('-').map_or(version, |(release, _)| release);
        let whole = release.bytes().filter(|b| *b == b'.').count() == 2;
        if whole && build.split('.').all(word) { Self::parse(version) } else { None }
    }

    /// `major.minor[.patch[-prerelease]]`, as Amplitude's engine reads it.
    #[inline]
    pub fn parse(text: &'a str) -> Option<Self> {
        let bytes = text.as_bytes();
        let (major, at) = digits(text, 0)?;
        if bytes.get(at) != Some(&b'.') {
            return None;
        }
        let (minor, at) = digits(text, at + 1)?;
        let (patch, at) = match bytes.get(at) {
            None => (0, at),
            Some(b'.') => digits(text, at + 1)?,
            Some(_) => return None,
        };
        let numbers = [major, minor, patch];
        match bytes.get(at) {
            None => Some(Self { numbers, pre_release: None }),
            Some(b'-') => Self::pre_release(numbers, text.get(at..)?),
            Some(_) => None,
        }
    }

    fn pre_release(numbers: [u64; 3], text: &'a str) -> Option<Self> {
        let word = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
        let ids = text.as_bytes();
        // No identifier is empty but a single one.
        let empty = ids.get(1) == Some(&b'.') || ids.windows(2).any(|pair| pair == b"..");
        (!empty && ids.iter().all(word)).then_some(Self { numbers, pre_release: Some(text) })
    }

    /// Major, minor and patch, where there is no pre-release.
    pub(crate) fn release(&self) -> Option<[u64; 3]> {
        self.pre_release.is_none().then_some(self.numbers)
    }

    /// The same, kept.
    pub fn into_owned(self) -> Version {
        Version { numbers: self.numbers, pre_release: self.pre_release.map(Into::into) }
    }
}

impl<T: AsRef<str>> Version<T> {
    /// Earlier or later, by semver.org: of pre-releases the identifiers are compared one by one, numbers as
    /// numbers and before words, and fewer are before more.
    pub fn precedence(&self, other: &Version<impl AsRef<str>>) -> Ordering {
        self.numbers.cmp(&other.numbers).then_with(|| match (&self.pre_release, &other.pre_release) {
            (Some(a), Some(b)) => identifiers(a.as_ref()).cmp(identifiers(b.as_ref())),
            (a, b) => b.is_some().cmp(&a.is_some()),
        })
    }

    /// Earlier or later, as Amplitude's engine has it: pre-releases are compared as text.
    #[inline]
    pub fn compare(&self, other: &Version<impl AsRef<str>>) -> Ordering {
        self.numbers.cmp(&other.numbers).then_with(|| match (&self.pre_release, &other.pre_release) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(a), Some(b)) => a.as_ref().cmp(b.as_ref()),
        })
    }

    /// Whether the first `n` of major, minor and patch are the same.
    pub fn shares(&self, other: &Version<impl AsRef<str>>, n: usize) -> bool {
        self.numbers.iter().zip(&other.numbers).take(n).all(|(a, b)| a == b)
    }
}

/// The identifiers of a pre-release, in an order by which numbers are before words: a number as how long it is
/// and its digits.
fn identifiers(pre_release: &str) -> impl Iterator<Item = (bool, usize, &str)> {
    pre_release.strip_prefix('-').unwrap_or(pre_release).split('.').map(|word| {
        let number = !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit());
        let word = if number { word.trim_start_matches('0') } else { word };
        (!number, if number { word.len() } else { 0 }, word)
    })
}

/// A version of major, minor and perhaps patch, without leading zeros and without a pre-release, written
/// in full: the form in which every format reads it alike.
///
/// ```
/// use bellwether_model::operand::plain_version;
/// assert_eq!(plain_version("2.1").as_deref(), Some("2.1.0"));
/// assert_eq!(plain_version("2.1.0-rc.1"), None);
/// ```
pub fn plain_version(text: &str) -> Option<String> {
    let part = |part: &str| {
        let digits = !part.is_empty() && part.len() <= 9 && part.bytes().all(|b| b.is_ascii_digit());
        digits && (part == "0" || !part.starts_with('0'))
    };
    let plain = text.split('.').all(part);
    match text.split('.').count() {
        2 if plain => Some(format!("{text}.0")),
        3 if plain => Some(text.to_owned()),
        _ => None,
    }
}

/// A number that may not be exact as a double: the double itself where it is exact, and above all those
/// its bits, of which the order is its own.
#[cold]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn large(digits: &str) -> Option<u64> {
    let double: f64 = digits.parse().ok()?;
    Some(if double < 9_007_199_254_740_992.0 { double as u64 } else { double.to_bits() })
}

/// The decimal digits from `at` on, as a number that is ordered as their double is, and where they end.
#[inline]
fn digits(text: &str, at: usize) -> Option<(u64, usize)> {
    let digits = text.as_bytes().get(at..)?;
    let mut number = 0_u64;
    let mut count = 0;
    while let Some(digit) = digits.get(count).map(|b| b.wrapping_sub(b'0')).filter(|d| *d < 10) {
        number = number.wrapping_mul(10).wrapping_add(u64::from(digit));
        count += 1;
    }
    match count {
        0 => None,
        1..=15 => Some((number, at + count)),
        _ => Some((large(text.get(at..at + count)?)?, at + count)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn versions_are_ordered() {
        let sorted =
            ["0.9", "1.2.0-", "1.2.0-alpha", "1.2.0-alpha.1", "1.2.0-beta", "1.2", "1.2.1", "1.10", "2.0.0"];
        for (i, a) in sorted.iter().enumerate() {
            for (j, b) in sorted.iter().enumerate() {
                let order = Version::parse(a).unwrap().compare(&Version::parse(b).unwrap());
                assert_eq!(order, i.cmp(&j), "{a} {b}");
            }
        }
        let large = |text: &'static str| Version::parse(text).unwrap();
        assert!(large("9007199254740992.0").compare(&large("9007199254740993.0")).is_eq());
        assert!(large("9007199254740994.0").compare(&large("9007199254740993.0")).is_gt());
        assert!(large("00000000000000000001.0").compare(&large("1.0")).is_eq());
        assert!(large("99999999999999999999999999.0").compare(&large("9007199254740994.0")).is_gt());
        for text in [
            "",
            "1",
            "1.",
            "v1.2",
            "1.2.",
            "1.2-a",
            "1.2.3.4",
            "1.2.3-.a",
            "1.2.3-a..b",
            "1.2.3-ä",
            "1.2.3+b",
        ] {
            assert_eq!(Version::parse(text), None, "{text}");
        }
    }

    #[test]
    fn versions_are_ordered_as_semver_says() {
        // The example of semver.org, and numbers of any length.
        let sorted = [
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "v1.0.0-beta.99999999999999999999999+b",
            "1.0.0-rc.1",
            "1.0.0+5",
            "V1.0.1",
            "10.0.0+45.x-y",
        ];
        let semantic = |text: &'static str| Version::semantic(text).unwrap();
        for (i, a) in sorted.iter().enumerate() {
            for (j, b) in sorted.iter().enumerate() {
                assert_eq!(semantic(a).precedence(&semantic(b)), i.cmp(&j), "{a} {b}");
            }
        }
        assert!(semantic("1.0.0-rc.010").precedence(&semantic("1.0.0-rc.10")).is_eq());
        for text in [
            "v",
            "vv1.2.3",
            "1.2+5",
            "1.2.3+",
            "1.2.3+a..b",
            "1.2.3+a+b",
            "1.2.3+ä",
            "v2",
            "+1.2.3",
            " v1.2.3",
        ] {
            assert_eq!(Version::semantic(text), None, "{text}");
        }
    }
}

//! Model: what the values of a clause look like: patterns, points in time, networks, versions. Each is
//! parsed here once, so that what a person may save is what an evaluation can use.

use core::net::{IpAddr, Ipv6Addr};
use std::cmp::Ordering;

use regex::{Regex, RegexBuilder};
use regex_syntax::ast::{self, Ast};

use crate::id::Invalid;
use crate::rule::Op;
use crate::time::Millis;

/// The longest pattern, in bytes.
pub const LONGEST_PATTERN: usize = 1_000;

/// The most memory that a compiled pattern may take, in bytes.
const PATTERN_SIZE: usize = 1 << 18;

/// Checks that an operator can use a value. Numbers and the older version operators take any text:
/// what is no number is less than nothing.
pub(crate) fn check(op: Op, value: &str) -> Result<(), Invalid> {
    let hint = match op {
        Op::Matches | Op::DoesNotMatch => return pattern(value).map(|_| ()),
        Op::Before | Op::After if instant(value).is_none() => {
            "use RFC 3339, such as `2026-11-03T09:00:00Z`, a date, or milliseconds since 1970"
        }
        Op::InNetwork | Op::NotInNetwork if Network::parse(value).is_none() => {
            "use an IP address, or a network such as `10.0.0.0/8` or `2001:db8::/32`"
        }
        Op::VersionIs | Op::VersionIsNot | Op::VersionCaret | Op::VersionTilde
            if Version::semantic(value).is_none() =>
        {
            "use `major.minor` or `major.minor.patch`, with a pre-release if need be, such as `2.1.0-rc.1`"
        }
        _ => return Ok(()),
    };
    let kind = match op {
        Op::Before | Op::After => "a point in time",
        Op::InNetwork | Op::NotInNetwork => "a network",
        _ => "a version",
    };
    Err(Invalid::new(format!("`{}` is not {kind}", value.chars().take(60).collect::<String>()), hint))
}

/// A regular expression that takes time linear in the text, whatever the text is (no back-references,
/// no look-around). `\d`, `\s`, `\w` and `\b` are ASCII, as in JavaScript.
///
/// # Errors
/// When it is longer than [`LONGEST_PATTERN`], is none, or would compile to more than 256 KiB.
pub fn pattern(text: &str) -> Result<Regex, Invalid> {
    let shown = || text.chars().take(60).collect::<String>();
    if text.len() > LONGEST_PATTERN {
        return Err(Invalid::new(
            format!("a pattern of `{}` bytes is too long", text.len()),
            format!("use at most {LONGEST_PATTERN} bytes; a list of words is better told by `contains`"),
        ));
    }
    let ascii = syntax(text).map_err(|e| {
        let reason = match e.kind() {
            ast::ErrorKind::UnsupportedBackreference => "back-references are not supported".to_owned(),
            ast::ErrorKind::UnsupportedLookAround => "look-around is not supported".to_owned(),
            kind => kind.to_string(),
        };
        Invalid::new(
            format!("`{}` is not a pattern: {reason}, at character {}", shown(), e.span().start.column),
            "use the syntax of https://docs.rs/regex, which never takes more than linear time",
        )
    })?;
    let mut printed = String::with_capacity(text.len() + 16);
    ast::print::Printer::new().print(&ascii, &mut printed).ok();
    RegexBuilder::new(&printed).size_limit(PATTERN_SIZE).dfa_size_limit(PATTERN_SIZE).build().map_err(|e| {
        let (reason, hint) = match e {
            regex::Error::CompiledTooBig(_) => ("it is too large once compiled", "repeat fewer times"),
            _ => ("it cannot be compiled", "use the syntax of https://docs.rs/regex"),
        };
        Invalid::new(format!("`{}` is not a pattern: {reason}", shown()), hint)
    })
}

/// The syntax tree of a pattern, in which `\d`, `\s`, `\w` and `\b` are spelt as the ASCII they mean.
///
/// # Errors
/// Where it is no pattern, and why.
pub fn syntax(text: &str) -> Result<Ast, Box<ast::Error>> {
    let mut tree = ast::parse::ParserBuilder::new().nest_limit(64).build().parse(text)?;
    to_ascii(&mut tree);
    Ok(tree)
}

fn to_ascii(tree: &mut Ast) {
    match tree {
        Ast::ClassPerl(class) => {
            let kind = ast::ClassSet::Item(ast::ClassSetItem::Ascii(ascii_class(class)));
            *tree = Ast::class_bracketed(ast::ClassBracketed { span: class.span, negated: false, kind });
        }
        Ast::ClassBracketed(class) => set_to_ascii(&mut class.kind),
        Ast::Assertion(assertion)
            if matches!(
                assertion.kind,
                ast::AssertionKind::WordBoundary | ast::AssertionKind::NotWordBoundary
            ) =>
        {
            let span = assertion.span;
            let item = |kind| ast::FlagsItem { span, kind };
            let items =
                vec![item(ast::FlagsItemKind::Negation), item(ast::FlagsItemKind::Flag(ast::Flag::Unicode))];
            let kind = ast::GroupKind::NonCapturing(ast::Flags { span, items });
            let inner = Box::new(Ast::Assertion(assertion.clone()));
            *tree = Ast::group(ast::Group { span, kind, ast: inner });
        }
        Ast::Repetition(repetition) => to_ascii(&mut repetition.ast),
        Ast::Group(group) => to_ascii(&mut group.ast),
        Ast::Alternation(alternation) => alternation.asts.iter_mut().for_each(to_ascii),
        Ast::Concat(concat) => concat.asts.iter_mut().for_each(to_ascii),
        Ast::Empty(_)
        | Ast::Flags(_)
        | Ast::Literal(_)
        | Ast::Dot(_)
        | Ast::Assertion(_)
        | Ast::ClassUnicode(_) => {}
    }
}

fn set_to_ascii(set: &mut ast::ClassSet) {
    match set {
        ast::ClassSet::Item(item) => item_to_ascii(item),
        ast::ClassSet::BinaryOp(op) => {
            set_to_ascii(&mut op.lhs);
            set_to_ascii(&mut op.rhs);
        }
    }
}

fn item_to_ascii(item: &mut ast::ClassSetItem) {
    match item {
        ast::ClassSetItem::Perl(class) => *item = ast::ClassSetItem::Ascii(ascii_class(class)),
        ast::ClassSetItem::Bracketed(class) => set_to_ascii(&mut class.kind),
        ast::ClassSetItem::Union(union) => union.items.iter_mut().for_each(item_to_ascii),
        _ => {}
    }
}

fn ascii_class(class: &ast::ClassPerl) -> ast::ClassAscii {
    let kind = match class.kind {
        ast::ClassPerlKind::Digit => ast::ClassAsciiKind::Digit,
        ast::ClassPerlKind::Space => ast::ClassAsciiKind::Space,
        ast::ClassPerlKind::Word => ast::ClassAsciiKind::Word,
    };
    ast::ClassAscii { span: class.span, kind, negated: class.negated }
}

/// A point in time: RFC 3339, a date (midnight in UTC), or milliseconds since 1970.
///
/// ```
/// use bellwether_model::{Millis, operand::instant};
/// let day = Some(Millis(1_771_545_600_000));
/// assert_eq!(instant("2026-02-20"), day);
/// assert_eq!(instant("2026-02-20T01:00:00+01:00"), day);
/// assert_eq!(instant("1771545600000"), day);
/// assert_eq!(instant("20 February"), None);
/// ```
pub fn instant(text: &str) -> Option<Millis> {
    let bytes = text.as_bytes();
    if bytes.strip_prefix(b"-").unwrap_or(bytes).iter().all(u8::is_ascii_digit) {
        return text.parse().ok().map(Millis);
    }
    // What cannot be a date is told without an error being built.
    if bytes.get(4) != Some(&b'-') || bytes.get(7) != Some(&b'-') {
        return None;
    }
    match bytes.get(10) {
        None if bytes.len() == 10 => {
            let date: jiff::civil::Date = text.parse().ok()?;
            let midnight = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
            Some(Millis(midnight.timestamp().as_millisecond()))
        }
        Some(b'T' | b't' | b' ') => {
            let at: jiff::Timestamp = text.parse().ok()?;
            Some(Millis(at.as_millisecond()))
        }
        _ => None,
    }
}

/// A network of IP addresses. An IPv4 address in IPv6 clothes (`::ffff:10.0.0.1`) is an IPv4 address.
///
/// ```
/// use bellwether_model::operand::{Network, address};
/// let office = Network::parse("10.1.0.0/16").unwrap();
/// assert!(office.holds(address("10.1.2.3").unwrap()));
/// assert!(office.holds(address("::ffff:10.1.2.3").unwrap()));
/// assert!(!office.holds(address("10.2.0.1").unwrap()));
/// assert!(Network::parse("10.0.0.0/33").is_none());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// The first bits, as of an IPv6 address.
    bits: u128,
    mask: u128,
}

impl Network {
    /// `address/length`, or an address alone.
    pub fn parse(text: &str) -> Option<Self> {
        let (base, length) = match text.split_once('/') {
            Some((base, length)) => {
                let plain = !length.is_empty() && length.bytes().all(|b| b.is_ascii_digit());
                (base, Some(length.parse::<u32>().ok().filter(|_| plain)?))
            }
            None => (text, None),
        };
        let base: IpAddr = base.parse().ok()?;
        let widest = if base.is_ipv4() { 32 } else { 128 };
        let length = length.unwrap_or(widest);
        if length > widest {
            return None;
        }
        let mask = u128::MAX.checked_shl(widest - length).unwrap_or(0);
        Some(Self { bits: bits(base) & mask, mask })
    }

    /// Whether an address is in it.
    pub fn holds(self, address: IpAddr) -> bool {
        bits(address) & self.mask == self.bits
    }
}

/// An address; what is around it must be nothing.
pub fn address(text: &str) -> Option<IpAddr> {
    text.parse().ok()
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => Ipv6Addr::to_bits(v6),
    }
}

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

    #[test]
    fn patterns_are_linear_and_speak_ascii() {
        let finds = |pattern: &str, text: &str| super::pattern(pattern).unwrap().is_match(text);
        assert!(finds(r"^\d+$", "12") && !finds(r"^\d+$", "١٢"));
        assert!(finds(r"\bfoo\b", "éfoo") && !finds(r"\bfoo\b", "afoo"));
        assert!(finds(r"[^\W_]", "a") && !finds(r"[^\W_]", "é"));
        assert!(finds(r"^.$", "é"));
        // Catastrophic where engines go back.
        assert!(!finds("^(a+)+$", &format!("{}!", "a".repeat(50_000))));
        let said = |pattern: &str| super::pattern(pattern).unwrap_err().message;
        let wrong = [r"(a", r"(a)\1", "(?=a)", "(?:a{1000}){1000}", &"a".repeat(2_000)];
        insta::assert_snapshot!(wrong.map(said).join("\n"), @r"
        `(a` is not a pattern: unclosed group, at character 1
        `(a)\1` is not a pattern: back-references are not supported, at character 4
        `(?=a)` is not a pattern: look-around is not supported, at character 1
        `(?:a{1000}){1000}` is not a pattern: it is too large once compiled
        a pattern of `2000` bytes is too long
        ");
    }

    #[test]
    fn networks_hold_addresses() {
        let holds = |network: &str, ip: &str| Network::parse(network).unwrap().holds(address(ip).unwrap());
        assert!(holds("0.0.0.0/0", "255.1.1.1") && !holds("0.0.0.0/0", "::1"));
        assert!(holds("::/0", "::1") && holds("::/0", "1.2.3.4"));
        assert!(holds("2001:db8::/33", "2001:db8:7fff::1") && !holds("2001:db8::/33", "2001:db8:8000::1"));
        assert!(holds("10.1.2.3", "10.1.2.3") && !holds("10.1.2.3/31", "10.1.2.4"));
        for wrong in ["", "10.0.0.0/", "10.0.0.0/+8", "10.0.0/8", "::/129", "10.0.0.0/8/8", " 10.0.0.1"] {
            assert_eq!(Network::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn points_in_time() {
        for (text, expected) in [
            ("-1", Some(-1)),
            ("0", Some(0)),
            ("1970-01-02", Some(86_400_000)),
            ("1970-01-01T00:00:00.5Z", Some(500)),
            ("1970-01-01t00:00:00z", Some(0)),
            ("1970-01-01 01:00:00-01:00", Some(7_200_000)),
            ("1970-01-01T00:00:00", None),
            ("1970-02-30", None),
            ("1970-01-01x", None),
            ("99999999999999999999", None),
            ("", None),
            ("-", None),
        ] {
            assert_eq!(instant(text).map(|m| m.0), expected, "{text}");
        }
    }
}

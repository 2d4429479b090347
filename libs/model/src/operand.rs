//! Model: what the values of a clause look like: patterns, points in time, networks, versions. Each is
//! parsed here once, so that what a person may save is what an evaluation can use.

mod version;

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddrV4};

use regex::{Regex, RegexBuilder};
use regex_syntax::ast::{self, Ast};

use crate::id::Invalid;
use crate::rule::Op;
use crate::time::Millis;

pub use version::{Version, plain_version};

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

/// An address without what tells one household from the next: 24 bits of version 4 stay, 48 of version 6.
///
/// ```
/// use bellwether_model::operand::household;
/// assert_eq!(household("203.0.113.9").unwrap().to_string(), "203.0.113.0");
/// assert_eq!(household("::ffff:203.0.113.9").unwrap().to_string(), "203.0.113.0");
/// assert_eq!(household("2001:db8:1:2:3:4:5:6").unwrap().to_string(), "2001:db8:1::");
/// assert_eq!(household("here"), None);
/// ```
pub fn household(text: &str) -> Option<IpAddr> {
    address(text).map(network)
}

/// The same of an address that was read.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => Ipv4Addr::from_bits(v4.to_bits() & (u32::MAX << 8)).into(),
        // In 6to4 the household's address of version 4 comes after the first 16 bits.
        IpAddr::V6(v6) if v6.segments().first() == Some(&0x2002) => {
            Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 88)).into()
        }
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 80)).into(),
    }
}

/// An address as proxies and sockets write it: with blanks around it, a port, brackets, a zone or a length; of several the
/// first, whom a chain of proxies began with.
///
/// ```
/// use bellwether_model::operand::as_written;
/// for text in ["203.0.113.9", "203.0.113.9:80", " 203.0.113.9, 10.0.0.1", "unknown, 203.0.113.9", "203.0.113.9/32"] {
///     assert_eq!(as_written(text), "203.0.113.9".parse().ok(), "{text}");
/// }
/// for text in ["2001:db8::9", "[2001:db8::9]", "[2001:db8::9]:80", "2001:db8::9%eth0"] {
///     assert_eq!(as_written(text), "2001:db8::9".parse().ok(), "{text}");
/// }
/// assert_eq!(as_written("for=203.0.113.9"), None);
/// ```
pub fn as_written(text: &str) -> Option<IpAddr> {
    text.split(',').find_map(|one| {
        let one = one.trim();
        let one = one.strip_prefix('[').map_or(Some(one), |rest| rest.split(']').next())?;
        let bare = one.split(['%', '/']).next()?;
        address(bare).or_else(|| bare.parse().ok().map(|socket: SocketAddrV4| IpAddr::V4(*socket.ip())))
    })
}

/// Whether something in a text is written as an address is, whether or not it can be read: four numbers, digits between
/// colons, as addresses of pages write these, or one number alone.
///
/// ```
/// use bellwether_model::operand::holds_address;
/// for text in ["for=203.0.113.9;proto=https", "203.0.113.009", "<2001:db8::9>", "203%2E0%2E113%2e9", "3405803785", "0xcb007109"] {
///     assert!(holds_address(text), "{text}");
/// }
/// assert!(!holds_address("unknown") && !holds_address("proxy-7.shop.example:8080") && !holds_address("/run/shop.sock"));
/// ```
pub fn holds_address(text: &str) -> bool {
    let text = text.trim().to_ascii_lowercase().replace("%25", "%").replace("%2e", ".").replace("%3a", ":");
    let digits = |of: &str| !of.is_empty() && of.bytes().all(|b| b.is_ascii_digit());
    let hexadecimal = |of: &str| !of.is_empty() && of.bytes().all(|b| b.is_ascii_hexdigit());
    if digits(&text) || text.strip_prefix("0x").is_some_and(hexadecimal) {
        return true;
    }
    text.split(|c: char| !c.is_ascii_hexdigit() && !matches!(c, '.' | ':')).any(|piece| {
        // A letter that touches a number is of another word.
        let number = |of: &&str| digits(of.trim_matches(|c: char| c.is_ascii_alphabetic()));
        piece.matches(':').count() > 1 || piece.split(['.', ':']).filter(number).count() > 3
    })
}

/// Whether a text is the address of one household or machine on the internet: it is more than its network, and not
/// one of those that everybody has at home.
///
/// ```
/// use bellwether_model::operand::names_household;
/// assert!(names_household("203.0.113.9") && names_household("2001:db8:1:2:3:4:5:6"));
/// assert!(!names_household("203.0.113.0") && !names_household("192.168.0.7") && !names_household("::1"));
/// ```
pub fn names_household(text: &str) -> bool {
    let Some(address) = address(text).map(|address| address.to_canonical()) else { return false };
    let at_home = match address {
        IpAddr::V4(v4) => v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_unspecified(),
        IpAddr::V6(v6) => {
            v6.is_loopback() || v6.is_unspecified() || v6.is_unique_local() || v6.is_unicast_link_local()
        }
    };
    !at_home && household(text) != Some(address)
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => Ipv6Addr::to_bits(v6),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

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

//! Flags: values as the rules see them. Rules compare text, and what a number, a list or a version
//! is as text (and back) is what JavaScript says, because the Amplitude engine is written in it.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt::Write as _;

use bellwether_model::Json;

/// A value as text: strings as they are, numbers as JavaScript writes them, lists and objects as
/// their JSON. Null has none.
pub(crate) fn text(value: &Json) -> Option<Cow<'_, str>> {
    Some(match value {
        Json::Null => return None,
        Json::Bool(true) => "true".into(),
        Json::Bool(false) => "false".into(),
        Json::String(text) => text.as_str().into(),
        Json::Number(number) => number_text(number).into(),
        Json::Array(_) | Json::Object(_) => {
            let mut out = String::new();
            write_json(value, &mut out);
            out.into()
        }
    })
}

/// The elements as text, if the value is a list or a string that holds one as JSON. Null and empty
/// elements are dropped.
pub(crate) fn elements(value: &Json) -> Option<Vec<String>> {
    let texts =
        |list: &[Json]| list.iter().filter_map(text).filter(|t| !t.is_empty()).map(Cow::into_owned).collect();
    match value {
        Json::Array(list) => Some(texts(list)),
        Json::String(text) => elements_of(text),
        _ => None,
    }
}

/// The same for a string.
pub(crate) fn elements_of(text: &str) -> Option<Vec<String>> {
    if !text.starts_with('[') {
        return None;
    }
    elements(&Json::Array(serde_json::from_str(text).ok()?))
}

/// `JSON.stringify`, but for the order of an object's keys, which is the map's.
fn write_json(value: &Json, out: &mut String) {
    match value {
        Json::Number(number) => out.push_str(&number_text(number)),
        Json::Array(list) => {
            out.push('[');
            for (i, item) in list.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_json(item, out);
            }
            out.push(']');
        }
        Json::Object(map) => {
            out.push('{');
            for (i, (name, item)) in map.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                let _ = write!(out, "{}:", Json::String(name.clone()));
                write_json(item, out);
            }
            out.push('}');
        }
        Json::Null | Json::Bool(_) | Json::String(_) => {
            let _ = write!(out, "{value}");
        }
    }
}

/// Integers up to here are exact in a double.
const EXACT: u64 = 1 << 53;

fn number_text(number: &serde_json::Number) -> String {
    match (number.as_i64(), number.as_f64()) {
        (Some(whole), _) if whole.unsigned_abs() <= EXACT => whole.to_string(),
        (_, Some(double)) => double_text(double),
        (_, None) => number.to_string(),
    }
}

/// `Number.prototype.toString`: the shortest digits that read back as the same number, with an
/// exponent only from 1e21 up and below 1e-6.
fn double_text(double: f64) -> String {
    if double == 0.0 {
        return "0".to_owned();
    }
    let shortest = format!("{double:e}");
    let Some((mantissa, exponent)) = shortest.split_once('e') else { return shortest };
    let Ok(exponent) = exponent.parse::<i32>() else { return shortest };
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |m| ("-", m));
    let digits = mantissa.replace('.', "");
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    let zeros = |n: i32| "0".repeat(usize::try_from(n).unwrap_or(0));
    // The decimal point stands behind this many digits.
    let point = exponent + 1;
    if count <= point && point <= 21 {
        format!("{sign}{digits}{}", zeros(point - count))
    } else if 0 < point && point <= 21 {
        let (whole, rest) = digits.split_at(usize::try_from(point).unwrap_or(0));
        format!("{sign}{whole}.{rest}")
    } else if -6 < point && point <= 0 {
        format!("{sign}0.{}{digits}", zeros(-point))
    } else {
        let plus = if exponent < 0 { "" } else { "+" };
        format!("{sign}{mantissa}e{plus}{exponent}")
    }
}

/// `Number(text)`: a decimal, a hexadecimal, octal or binary literal, `Infinity`; blank is 0 and
/// anything else is not a number.
pub(crate) fn number(text: &str) -> f64 {
    // JavaScript's white space is Unicode's without NEL and with the byte order mark.
    let text = text.trim_matches(|c: char| c == '\u{feff}' || (c.is_whitespace() && c != '\u{85}'));
    if text.is_empty() {
        return 0.0;
    }
    for (radix, prefixes) in [(16, ["0x", "0X"]), (8, ["0o", "0O"]), (2, ["0b", "0B"])] {
        if let Some(digits) = prefixes.iter().find_map(|p| text.strip_prefix(p)) {
            return radix_number(digits, radix);
        }
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let spelled = unsigned == "Infinity";
    if spelled || unsigned.bytes().all(|b| matches!(b, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-')) {
        text.parse().unwrap_or(f64::NAN)
    } else {
        f64::NAN
    }
}

fn radix_number(digits: &str, radix: u32) -> f64 {
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return f64::NAN;
    }
    // Rounded once up to 128 bits, which is exact; longer literals round at each digit.
    #[allow(clippy::cast_precision_loss)]
    u128::from_str_radix(digits, radix).map_or_else(
        |_| {
            digits
                .chars()
                .filter_map(|c| c.to_digit(radix))
                .fold(0.0, |n, d| n * f64::from(radix) + f64::from(d))
        },
        |n| n as f64,
    )
}

/// JavaScript's order of strings: by UTF-16 code unit.
pub(crate) fn compare(a: &str, b: &str) -> Ordering {
    if a.is_ascii() && b.is_ascii() { a.cmp(b) } else { a.encode_utf16().cmp(b.encode_utf16()) }
}

/// `major.minor[.patch[-prerelease]]`. A pre-release comes before its release, and pre-releases are
/// compared as text: what the engine does, not what semver.org says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Version<'a> {
    numbers: [f64; 3],
    /// With its hyphen.
    pre_release: Option<Cow<'a, str>>,
}

impl<'a> Version<'a> {
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let (major, rest) = digits(text)?;
        let (minor, rest) = digits(rest.strip_prefix('.')?)?;
        let (patch, rest) = match rest.strip_prefix('.') {
            Some(rest) => digits(rest)?,
            None if rest.is_empty() => (0.0, ""),
            None => return None,
        };
        let pre_release = match rest.strip_prefix('-') {
            None if rest.is_empty() => None,
            None => return None,
            Some(ids) => {
                let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
                if ids.starts_with('.') || ids.contains("..") || !ids.chars().all(word) {
                    return None;
                }
                Some(rest.into())
            }
        };
        Some(Self { numbers: [major, minor, patch], pre_release })
    }

    pub(crate) fn into_owned(self) -> Version<'static> {
        Version { numbers: self.numbers, pre_release: self.pre_release.map(|p| p.into_owned().into()) }
    }

    pub(crate) fn compare(&self, other: &Version<'_>) -> Ordering {
        let numbers = self.numbers.partial_cmp(&other.numbers).unwrap_or(Ordering::Equal);
        numbers.then_with(|| match (&self.pre_release, &other.pre_release) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(a), Some(b)) => a.as_ref().cmp(b.as_ref()),
        })
    }
}

/// Leading decimal digits as a number, and what follows them.
fn digits(text: &str) -> Option<(f64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    Some((digits.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::float_cmp)]
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    /// Expected values printed by Node 22.
    #[test]
    fn values_read_as_javascript_writes_them() {
        let check = |value: Json, expected: &str| assert_eq!(text(&value).unwrap(), expected);
        check(json!(1.0), "1");
        check(json!(-0.0), "0");
        check(json!(0.1), "0.1");
        check(json!(-12.5), "-12.5");
        check(json!(1e21), "1e+21");
        check(json!(1.5e300), "1.5e+300");
        check(json!(123_456_789_012_345_680_000.0), "123456789012345680000");
        check(json!(0.000_001), "0.000001");
        check(json!(0.000_000_1), "1e-7");
        check(json!(1.25e-9), "1.25e-9");
        check(json!(9_007_199_254_740_993_u64), "9007199254740992");
        check(json!(u64::MAX), "18446744073709552000");
        check(json!(true), "true");
        check(json!({"a": [1.0, "x\n\"", null, {}]}), r#"{"a":[1,"x\n\"",null,{}]}"#);
        assert_eq!(text(&Json::Null), None);
    }

    #[test]
    fn text_reads_as_javascript_reads_numbers() {
        let check = |text: &str, expected: f64| {
            let got = number(text);
            assert!(got == expected || (got.is_nan() && expected.is_nan()), "`{text}`: {got}");
        };
        for (text, expected) in [
            ("", 0.0),
            (" \u{feff}\t", 0.0),
            (" 12 ", 12.0),
            ("+1.", 1.0),
            (".5", 0.5),
            ("1.e2", 100.0),
            ("-1e-2", -0.01),
            ("0x1F", 31.0),
            ("0b11", 3.0),
            ("0O17", 15.0),
            ("Infinity", f64::INFINITY),
            ("-Infinity", f64::NEG_INFINITY),
        ] {
            check(text, expected);
        }
        for text in [".", "e5", "1e", "inf", "NaN", "-0x1", "0x", "1_000", "1,5", "12px", "\u{85}1"] {
            check(text, f64::NAN);
        }
    }

    #[test]
    fn lists_are_lists_also_as_strings() {
        let check = |value: Json, expected: Option<&[&str]>| {
            let got = elements(&value);
            assert_eq!(
                got.as_ref().map(|e| e.iter().map(String::as_str).collect()),
                expected.map(<[_]>::to_vec)
            );
        };
        check(json!(["a", 1, null, "", [2]]), Some(&["a", "1", "[2]"]));
        check(json!("[1, \"b\"]"), Some(&["1", "b"]));
        check(json!("[1, "), None);
        check(json!("a"), None);
        check(json!({}), None);
    }

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

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn a_number_survives_its_text(bits in any::<u64>()) {
            let double = f64::from_bits(bits);
            prop_assume!(double.is_finite());
            prop_assert_eq!(number(&double_text(double)), double);
        }
    }
}

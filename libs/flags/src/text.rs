//! Flags: values as the rules see them. Rules compare text, and what a number, a list or a version
//! is as text (and back) is what JavaScript says, because the Amplitude engine is written in it.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt::{self, Write as _};

use bellwether_model::{Context, Json};

/// Hands a value on as text: strings as they are, numbers as JavaScript writes them, lists and objects
/// as their JSON. Null has none. Only lists and objects are written to the heap.
pub(crate) fn with<R>(value: &Json, f: impl FnOnce(&str) -> R) -> Option<R> {
    Some(match value {
        Json::Null => return None,
        Json::Bool(true) => f("true"),
        Json::Bool(false) => f("false"),
        Json::String(text) => f(text),
        Json::Number(number) => {
            let mut out = Digits::default();
            let _ = write_number(number, &mut out);
            f(out.as_str())
        }
        Json::Array(_) | Json::Object(_) => {
            let mut out = String::new();
            let _ = write_json(value, &mut out);
            f(&out)
        }
    })
}

/// The same, owned where it must be.
pub(crate) fn text(value: &Json) -> Option<Cow<'_, str>> {
    match value {
        Json::String(text) => Some(text.as_str().into()),
        other => with(other, |text| text.to_owned().into()),
    }
}

/// An attribute as the text that a split divides by: what is recorded of whom names them in the same way.
/// The user's id answers to `targetingKey` and `user_id`.
///
/// ```
/// use bellwether_model::Context;
/// use serde_json::json;
/// let phone = Context::new(None, json!({"device_id": 5.0}).as_object().cloned().unwrap_or_default());
/// assert_eq!(bellwether_flags::unit(&phone, "device_id").as_deref(), Some("5"));
/// ```
pub fn unit<'c>(context: &'c Context, attribute: &str) -> Option<Cow<'c, str>> {
    match attribute {
        "targetingKey" | "user_id" => context.key().map(Cow::Borrowed),
        _ => text(context.attribute(attribute)?),
    }
}

/// A list that is written as JSON in a string.
pub(crate) fn list_of(text: &str) -> Option<Vec<Json>> {
    if text.starts_with('[') { serde_json::from_str(text).ok() } else { None }
}

/// Whether any element holds, as text. Null and empty elements do not count.
pub(crate) fn any_element(list: &[Json], mut holds: impl FnMut(&str) -> bool) -> bool {
    list.iter().any(|element| with(element, |text| !text.is_empty() && holds(text)) == Some(true))
}

/// `JSON.stringify`, but for the order of an object's keys, which is the map's.
fn write_json(value: &Json, out: &mut String) -> fmt::Result {
    match value {
        Json::Number(number) => write_number(number, out)?,
        Json::Array(list) => {
            out.push('[');
            for (i, item) in list.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_json(item, out)?;
            }
            out.push(']');
        }
        Json::Object(map) => {
            out.push('{');
            for (i, (name, item)) in map.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write!(out, "{}:", Json::String(name.clone()))?;
                write_json(item, out)?;
            }
            out.push('}');
        }
        Json::Null | Json::Bool(_) | Json::String(_) => write!(out, "{value}")?,
    }
    Ok(())
}

/// The text of a number, which is never longer: a sign, 21 digits and a point, or 17 digits with an
/// exponent or behind six zeros.
#[derive(Default)]
struct Digits {
    bytes: [u8; 32],
    length: usize,
}

impl Digits {
    fn as_str(&self) -> &str {
        let written = self.bytes.get(..self.length).unwrap_or_default();
        std::str::from_utf8(written).unwrap_or_default()
    }
}

impl fmt::Write for Digits {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        let room = self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

/// No number has more zeros in a row before it takes an exponent.
const ZEROS: &str = "00000000000000000000";

/// Integers up to here are exact in a double.
const EXACT: u64 = 1 << 53;

fn write_number(number: &serde_json::Number, out: &mut impl fmt::Write) -> fmt::Result {
    match (number.as_i64(), number.as_f64()) {
        (Some(whole), _) if whole.unsigned_abs() <= EXACT => write!(out, "{whole}"),
        (_, Some(double)) => write_double(double, out),
        (_, None) => write!(out, "{number}"),
    }
}

/// `Number.prototype.toString`: the shortest digits that read back as the same number, with an
/// exponent only from 1e21 up and below 1e-6.
fn write_double(double: f64, out: &mut impl fmt::Write) -> fmt::Result {
    if double == 0.0 {
        return out.write_str("0");
    }
    let mut shortest = Digits::default();
    write!(shortest, "{double:e}")?;
    let (mantissa, exponent) = shortest.as_str().split_once('e').ok_or(fmt::Error)?;
    let exponent: i32 = exponent.parse().map_err(|_| fmt::Error)?;
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |m| ("-", m));
    let (first, others) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let zeros = |n: i32| ZEROS.get(..usize::try_from(n).unwrap_or(0)).unwrap_or(ZEROS);
    let count = i32::try_from(first.len() + others.len()).map_err(|_| fmt::Error)?;
    // The decimal point stands behind this many digits.
    let point = exponent + 1;
    if count <= point && point <= 21 {
        write!(out, "{sign}{first}{others}{}", zeros(point - count))
    } else if 0 < point && point <= 21 {
        let (whole, rest) = others.split_at(usize::try_from(point - 1).unwrap_or(0));
        write!(out, "{sign}{first}{whole}.{rest}")
    } else if -6 < point && point <= 0 {
        write!(out, "{sign}0.{}{first}{others}", zeros(-point))
    } else {
        let plus = if exponent < 0 { "" } else { "+" };
        write!(out, "{sign}{mantissa}e{plus}{exponent}")
    }
}

/// Whether a number can be compared with a text. Blank text is 0 to the engine, and nobody means that.
///
/// ```
/// use bellwether_flags::is_number;
/// assert!(is_number("18") && is_number("-1.5e3") && is_number("0x1f"));
/// assert!(!is_number("18 years") && !is_number("1,000") && !is_number(" "));
/// ```
pub fn is_number(text: &str) -> bool {
    !text.trim().is_empty() && !number(text).is_nan()
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

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn a_number_survives_its_text(bits in any::<u64>()) {
            let double = f64::from_bits(bits);
            prop_assume!(double.is_finite());
            let mut out = String::new();
            write_double(double, &mut out).unwrap();
            prop_assert_eq!(number(&out), double);
            // And its text fits where it is written without the heap.
            write_double(double, &mut Digits::default()).unwrap();
        }
    }
}

//! App intake: what is not JSON by itself. Forms, query strings, base64, and times as people and clocks write them.

use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bellwether_model::{Json, Millis};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::error::AppError;

/// The pairs of a form, url-encoded or multipart. A body that is neither has none.
pub(super) fn pairs(content_type: &str, body: &[u8]) -> Result<Vec<(String, String)>, AppError> {
    let kind = content_type.trim_start();
    if kind.to_ascii_lowercase().starts_with("multipart/form-data") {
        return multipart(kind, body);
    }
    if !is_text(body) {
        return Err(AppError::bad_input("the form is not UTF-8", "send UTF-8, url-encoded"));
    }
    serde_urlencoded::from_bytes(body).map_err(|e| {
        AppError::bad_input(format!("the form cannot be read: {e}"), "use `name=value&name=value`")
    })
}

/// Whether a url-encoded form is UTF-8 once its escapes are read. Whoever reads it as text puts U+FFFD for what is none,
/// and then two ids are one.
fn is_text(body: &[u8]) -> bool {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut bytes = Vec::with_capacity(body.len());
    let mut rest = body;
    while let [byte, after @ ..] = rest {
        let escaped = match after {
            [high, low, after @ ..] if *byte == b'%' => digit(*high).zip(digit(*low)).map(|of| (of, after)),
            _ => None,
        };
        let (byte, after) = escaped.map_or((*byte, after), |((high, low), after)| (high << 4 | low, after));
        bytes.push(byte);
        rest = after;
    }
    std::str::from_utf8(&bytes).is_ok()
}

/// The text fields of a multipart body.
fn multipart(kind: &str, body: &[u8]) -> Result<Vec<(String, String)>, AppError> {
    let wrong =
        |what: &str| AppError::bad_input(format!("the form {what}"), "send multipart/form-data of text");
    let boundary = kind.split(';').find_map(|p| p.trim().strip_prefix("boundary="));
    let boundary = boundary.map(|b| b.trim_matches('"')).filter(|b| !b.is_empty() && b.len() <= 70);
    let boundary = boundary.ok_or_else(|| wrong("has no boundary"))?;
    let text = std::str::from_utf8(body).map_err(|_| wrong("is not UTF-8"))?;
    let mut pairs = Vec::new();
    // The first line has no line before it.
    let (text, boundary) = (format!("\r\n{text}"), format!("\r\n--{boundary}"));
    let mut sections = text.split(boundary.as_str()).skip(1);
    loop {
        let section = sections.next().ok_or_else(|| wrong("ends before its last boundary"))?;
        if section.starts_with("--") {
            return Ok(pairs);
        }
        let (head, value) =
            section.split_once("\r\n\r\n").ok_or_else(|| wrong("has a field without an empty line"))?;
        let disposition = head.lines().find(|l| l.to_ascii_lowercase().starts_with("content-disposition:"));
        let name = disposition.and_then(|l| l.split(';').find_map(|p| p.trim().strip_prefix("name=")));
        let name = name.ok_or_else(|| wrong("has a field without a name"))?;
        pairs.push((name.trim_matches('"').to_owned(), value.to_owned()));
    }
}

/// The last value of a name: of two, the later counts, as in JSON.
pub(super) fn value<'p>(pairs: &'p [(String, String)], name: &str) -> Option<&'p str> {
    pairs.iter().rev().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
}

/// Base64 in either alphabet, padded or not: SDKs differ.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    // In a form a plus that was not escaped reads as a space.
    let standard = text.trim().replace('-', "+").replace('_', "/").replace(' ', "+");
    GeneralPurpose::new(&base64::alphabet::STANDARD, config).decode(standard).ok()
}

/// The user of `Authorization: Basic`.
pub(super) fn basic(encoded: &str) -> Option<String> {
    let pair = String::from_utf8(decode(encoded)?).ok()?;
    let user = pair.split_once(':').map_or(pair.as_str(), |(user, _)| user);
    (!user.is_empty()).then(|| user.to_owned())
}

/// A whole number, also as languages write it whose numbers are all doubles: `1795945025075.0`.
pub(super) fn whole(number: &Json) -> Option<i64> {
    // Beyond it a double is no longer one whole number.
    const MOST: f64 = 9_007_199_254_740_992.0;
    let double = || number.as_f64().filter(|n| n.fract() == 0.0 && n.abs() < MOST);
    #[allow(clippy::cast_possible_truncation)]
    number.as_i64().or_else(|| double().map(|n| n as i64))
}

/// A time in ISO 8601, in milliseconds since 1970. Without an offset it is UTC.
pub(super) fn instant(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        return Some(at.as_millisecond());
    }
    let civil: DateTime = text.parse().ok()?;
    Some(civil.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond())
}

/// A clock is believed that is at most so wrong: ten years.
const MOST_SKEW: i64 = 3_652 * 86_400_000;

/// When an event happened, without the error of the clock of who sent it. When it was sent is believed where the clock may be
/// as wrong as that, or where the event's time is by the same clock, as where a machine begins in 1970.
pub(super) fn corrected(at: i64, sent: i64, now: Millis) -> i64 {
    let near = |other: i64| sent.checked_sub(other).is_some_and(|by| (-MOST_SKEW..=MOST_SKEW).contains(&by));
    if near(now.0) || near(at) { now.0.saturating_sub(sent.saturating_sub(at)) } else { at }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_form_is_read_in_both_its_forms() {
        let form = |kind: &str, body: &str| pairs(kind, body.as_bytes()).map_err(|e| e.message);
        let two = [("a".to_owned(), "1 2".to_owned()), ("b".to_owned(), "{\"x\":1}".to_owned())];
        assert_eq!(form("application/x-www-form-urlencoded", "a=1+2&b=%7B%22x%22%3A1%7D").unwrap(), two);
        let body = "--xyz\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1 2\r\n--xyz\r\n\
            content-disposition: form-data; name=\"b\"\r\nContent-Type: text/plain\r\n\r\n{\"x\":1}\r\n--xyz--\r\n";
        assert_eq!(form("multipart/form-data; boundary=xyz", body).unwrap(), two);
        assert_eq!(form("multipart/form-data; boundary=\"xyz\"", body).unwrap(), two);
        let check = |kind: &str, body: &str, message: &str| {
            assert_eq!(form(kind, body).unwrap_err(), message, "{body}");
        };
        check("multipart/form-data", body, "the form has no boundary");
        check("multipart/form-data; boundary=xyz", &body[..60], "the form ends before its last boundary");
        check(
            "multipart/form-data; boundary=xyz",
            "--xyz\r\nx: y\r\n\r\n1\r\n--xyz--",
            "the form has a field without a name",
        );
        check(
            "multipart/form-data; boundary=xyz",
            "--xyz\r\nx--xyz--",
            "the form has a field without an empty line",
        );
        for (body, is) in [
            (&b"a=%C3%A9"[..], true),
            (b"a=\xc3\xa9", true),
            (b"a=\xc3%a9&%f0%9F%98%80=1", true),
            (b"a=100%&b=%&c=%zz&d=%4", true),
            (b"a=%E9", false),
            (b"a=\xe9", false),
            (b"%e9=1", false),
            (b"a=%C3&b=%A9", false),
            (b"a=1&b=%ff", false),
        ] {
            let read = pairs("", body).map_err(|e| e.message);
            assert_eq!(
                read.as_ref().err().map(String::as_str),
                (!is).then_some("the form is not UTF-8"),
                "{body:?}"
            );
        }
        assert_eq!(value(&[("a".into(), "1".into()), ("a".into(), "2".into())], "a"), Some("2"));
    }

    #[test]
    fn a_whole_number_is_one_as_a_double_too() {
        let check = |text: &str, is: Option<i64>| {
            assert_eq!(whole(&serde_json::from_str(text).unwrap()), is, "{text}");
        };
        check("1795945025075", Some(1_795_945_025_075));
        check("1795945025075.0", Some(1_795_945_025_075));
        check("1.795945025075e12", Some(1_795_945_025_075));
        check("-1.0", Some(-1));
        check("9007199254740991.0", Some(9_007_199_254_740_991));
        check("9223372036854775807", Some(i64::MAX));
        for none in
            ["1795945025075.5", "9007199254740992.0", "1e300", "18446744073709551615", "null", "\"1\""]
        {
            check(none, None);
        }
    }

    #[test]
    fn base64_is_read_as_sdks_write_it() {
        for text in ["Pz8+YQ==", "Pz8-YQ", "Pz8 YQ==", " Pz8+YQ\n"] {
            assert_eq!(decode(text).as_deref(), Some(&b"??>a"[..]), "{text}");
        }
        assert_eq!(decode("%"), None);
        assert_eq!(basic("V1JJVEVLRVk6").as_deref(), Some("WRITEKEY"));
        assert_eq!(basic("V1JJVEVLRVk").as_deref(), Some("WRITEKEY"));
        assert_eq!(basic("Og=="), None);
    }

    #[test]
    fn a_time_is_read_with_its_offset() {
        let check = |text: &str, at: Option<i64>| assert_eq!(instant(text), at, "{text}");
        check("2026-01-01T00:00:00.123Z", Some(1_767_225_600_123));
        check("2026-01-01T02:00:00.123456+02:00", Some(1_767_225_600_123));
        check("2026-01-01T00:00:00", Some(1_767_225_600_000));
        check("2026-01-01 00:00:00", Some(1_767_225_600_000));
        check("2026-01-01", Some(1_767_225_600_000));
        check("yesterday", None);
        check("1767225600000", None);
    }
}

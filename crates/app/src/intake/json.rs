//! App intake: JSON as SDKs write it. They cut text where JavaScript counts, between the halves of a
//! character, and write the half that is left as an escape that no UTF-8 has a byte for; and Python writes what is no
//! number as a bare word.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use serde::Deserialize;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, Error, Visitor};

/// The name of a field. It lies in the body, unless something in it was escaped: that of serde's `Cow` is always a copy.
#[derive(Debug)]
pub(super) struct Name<'b>(Cow<'b, str>);

impl Deref for Name<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfName;
        impl<'de> Visitor<'de> for OfName {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(name.into()))
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Name<'de>, E> {
                Ok(Name(name.to_owned().into()))
            }
        }
        deserializer.deserialize_str(OfName)
    }
}

/// What an SDK sent. A surrogate escape without its other half is read as U+FFFD, as every decoder of
/// UTF-16 reads it: there is nothing else that UTF-8 could keep of it. A bare `NaN`, `Infinity` or `-Infinity` is read
/// as that text, as in OTLP's JSON. A body without such costs nothing.
///
/// ```
/// let text: String = bellwether_app::sdk_json(br#""Great product \ud83d""#).unwrap();
/// assert_eq!(text, "Great product \u{fffd}");
/// let list: [String; 2] = bellwether_app::sdk_json(br#"[NaN, "NaN"]"#).unwrap();
/// assert_eq!(list, ["NaN"; 2]);
/// ```
///
/// # Errors
/// When it is no JSON of that shape.
pub fn sdk_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, serde_json::Error> {
    read(&mut Cow::Borrowed(body))
}

/// The same, and from then on the body is JSON.
pub(super) fn read<T: DeserializeOwned>(body: &mut Cow<'_, [u8]>) -> Result<T, serde_json::Error> {
    read_seed(body, || std::marker::PhantomData)
}

/// The same by a seed.
pub(super) fn read_seed<T, S: for<'de> DeserializeSeed<'de, Value = T>>(
    body: &mut Cow<'_, [u8]>,
    seed: impl Fn() -> S,
) -> Result<T, serde_json::Error> {
    let whole = |body: &[u8]| match std::str::from_utf8(body) {
        // Looked at as a whole, which is faster than each of its texts by itself.
        Ok(text) => all(serde_json::Deserializer::from_str(text), seed()),
        // Which says where.
        Err(_) => all(serde_json::Deserializer::from_slice(body), seed()),
    };
    whole(body).or_else(|error| {
        let halves = halves(body);
        if !halves.is_empty() {
            let bytes = body.to_mut();
            for at in &halves {
                if let Some(digits) = bytes.get_mut(*at..at + 4) {
                    digits.copy_from_slice(b"fffd");
                }
            }
        }
        match quoted(body) {
            Some(quoted) => *body = quoted.into(),
            None if halves.is_empty() => return Err(error),
            None => {}
        }
        whole(body)
    })
}

/// What is read, with nothing behind it.
fn all<'b, R: serde_json::de::Read<'b>, S: DeserializeSeed<'b>>(
    mut reader: serde_json::Deserializer<R>,
    seed: S,
) -> Result<S::Value, serde_json::Error> {
    let value = seed.deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}

/// Where the digits of the surrogate escapes stand that have no other half.
fn halves(body: &[u8]) -> Vec<usize> {
    let mut found = Vec::new();
    // Of the leading half that ended just before `at`.
    let mut leading = None;
    let mut at = 0;
    while let Some(&byte) = body.get(at) {
        let unit = if byte == b'\\' { unit(body, at) } else { None };
        match (unit, leading.take()) {
            (Some(0xdc00..=0xdfff), Some(_)) => {}
            (unit, alone) => {
                found.extend(alone);
                match unit {
                    Some(0xd800..=0xdbff) => leading = Some(at + 2),
                    Some(0xdc00..=0xdfff) => found.push(at + 2),
                    _ => {}
                }
            }
        }
        at += match (byte, unit) {
            (_, Some(_)) => 6,
            // What is escaped begins no escape.
            (b'\\', None) => 2,
            _ => 1,
        };
    }
    found.extend(leading);
    found
}

/// What Python writes where a number is none.
const WORDS: [&[u8]; 3] = [b"NaN", b"Infinity", b"-Infinity"];

/// The body with each of [`WORDS`] that is a bare value in quotes, if it has one.
fn quoted(body: &[u8]) -> Option<Vec<u8>> {
    let mut written = Vec::new();
    // What is written already, and whether `at` is within a text.
    let (mut done, mut at, mut text) = (0, 0, false);
    while let Some(rest @ [byte, ..]) = body.get(at..) {
        at += match byte {
            b'\\' if text => 2,
            b'"' => {
                text = !text;
                1
            }
            _ if text => 1,
            _ => match WORDS.iter().find(|word| rest.starts_with(word)) {
                // Nobody writes a name like that.
                Some(word) if !names(rest.get(word.len()..)) => {
                    written.extend_from_slice(body.get(done..at)?);
                    written.extend(br#"""#.iter().chain(*word).chain(br#"""#));
                    done = at + word.len();
                    word.len()
                }
                Some(word) => word.len(),
                None => 1,
            },
        };
    }
    written.extend_from_slice(body.get(done..)?);
    (done > 0).then_some(written)
}

/// Whether what stood before this is the name of a field.
fn names(rest: Option<&[u8]>) -> bool {
    rest.is_some_and(|rest| rest.trim_ascii_start().starts_with(b":"))
}

/// The UTF-16 unit of the escape `\uXXXX` that begins here.
fn unit(body: &[u8], at: usize) -> Option<u16> {
    let digits = body.get(at..at + 6)?.strip_prefix(b"\\u")?;
    digits.iter().try_fold(0, |unit, &digit| {
        let digit = char::from(digit).to_digit(16).and_then(|digit| u16::try_from(digit).ok())?;
        Some(unit << 4 | digit)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    /// A piece of a text: what it stands for in UTF-16, and how it is written in JSON.
    fn piece() -> impl Strategy<Value = (Vec<u16>, String)> {
        let units = |text: &str| text.encode_utf16().collect::<Vec<_>>();
        let half = prop_oneof![0xd800_u16..0xe000, Just(0xd83d), Just(0xde00), any::<u16>()];
        prop_oneof![
            4 => (half, any::<bool>()).prop_map(|(unit, upper)| {
                (vec![unit], if upper { format!("\\u{unit:04X}") } else { format!("\\u{unit:04x}") })
            }),
            1 => Just((vec![0x5c], r"\\".to_owned())),
            1 => Just((vec![0x22], r#"\""#.to_owned())),
            1 => Just((vec![0x0a], r"\n".to_owned())),
            2 => prop_oneof![Just("ud83d"), Just("u"), Just("d83d"), Just("😀"), Just(" "), Just("/")]
                .prop_map(move |text| (units(text), text.to_owned())),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn a_text_is_what_a_decoder_of_utf_16_makes_of_it(pieces in proptest::collection::vec(piece(), 0..12)) {
            let units = pieces.iter().flat_map(|(units, _)| units.iter().copied());
            let wanted: String =
                char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
            let written: String = pieces.iter().map(|(_, written)| written.as_str()).collect();
            let body = format!(r#"{{"{written}":["{written}",1]}}"#);
            let mut bytes = Cow::Borrowed(body.as_bytes());
            let read: Value = read(&mut bytes).unwrap();
            prop_assert_eq!(&read, &serde_json::json!({ wanted.as_str(): [&wanted, 1] }));
            prop_assert_eq!(bytes.len(), body.len());
            // What was good already is not written anew.
            prop_assert_eq!(
                matches!(bytes, Cow::Borrowed(_)), serde_json::from_str::<Value>(&body).is_ok()
            );
        }

        #[test]
        fn other_bytes_are_refused_as_ever(body in proptest::collection::vec(
            prop_oneof![Just(b'\\'), Just(b'u'), Just(b'd'), Just(b'8'), Just(b'"'), any::<u8>()], 0..24
        )) {
            let strict = serde_json::from_slice::<Value>(&body);
            match (sdk_json::<Value>(&body), strict) {
                (Ok(read), Ok(strict)) => prop_assert_eq!(read, strict),
                (Ok(_), Err(_)) => prop_assert!(!halves(&body).is_empty() || quoted(&body).is_some()),
                (Err(_), strict) => prop_assert!(strict.is_err()),
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        /// Python's own way: a bare word wherever a value may stand, and never in a text.
        #[test]
        fn a_bare_word_is_that_text(values in proptest::collection::vec(prop_oneof![
            3 => proptest::sample::select(vec!["NaN", "Infinity", "-Infinity"]).prop_map(|w| (w.to_owned(), Value::from(w))),
            4 => proptest::sample::select(vec!["NaN", "\"NaN", "NaN\\", ":NaN", "Infinity,-Infinity", "\\\"NaN\"", "x"])
                .prop_map(|text| (Value::from(text).to_string(), text.into())),
            1 => (-9_i64..9).prop_map(|n| (n.to_string(), n.into())),
        ], 1..8), space in "[ \n]?", half in any::<bool>()) {
            let written: Vec<_> = values.iter().map(|(written, _)| written.as_str()).collect();
            let written = written.join(",");
            let wanted: Vec<_> = values.iter().map(|(_, value)| value.clone()).collect();
            let (end, read_as) = if half { (r#""\udc00""#, Value::from("\u{fffd}")) } else { ("1", 1.into()) };
            let body = format!("{space}{{\"NaN\":[[{written}{space}]{space}],\"b\":{space}{{\"c\":{}}},\"d\":{}}}{space}", values[0].0, end);
            let mut bytes = Cow::Borrowed(body.as_bytes());
            let read: Value = read(&mut bytes).unwrap();
            prop_assert_eq!(read, serde_json::json!({"NaN": [wanted], "b": {"c": values[0].1}, "d": read_as}));
            prop_assert!(serde_json::from_slice::<Value>(&bytes).is_ok());
        }
    }

    #[test]
    fn what_is_nearly_such_a_word_is_no_json() {
        for body in [
            "nan",
            "NAN",
            "+Infinity",
            "-NaN",
            "--Infinity",
            "Infinit",
            "Infinity2",
            "NaNNaN",
            "1NaN",
            "[NaN",
            "{NaN:1}",
            "{NaN :1}",
            "{\"a\":NaN,Infinity:1}",
            "[NaN,]",
            "[1e999]",
            "[NaN,1e999]",
            "\"NaN",
            "NaN\"",
            "[NaN\u{a0}]",
        ] {
            assert!(sdk_json::<Value>(body.as_bytes()).is_err(), "{body}");
        }
        assert_eq!(sdk_json::<Value>(b"NaN").unwrap(), "NaN");
        assert_eq!(
            sdk_json::<Value>(b"[-Infinity,Infinity]").unwrap(),
            serde_json::json!(["-Infinity", "Infinity"])
        );
    }

    #[test]
    fn what_is_broken_beyond_a_half_stays_broken() {
        for body in [r#""\ud83d"#, r#""\ud83""#, r#"{"a":"\ud83d",}"#, r"\ud83d", r#""\ud83d\x""#, "\\"] {
            assert!(sdk_json::<Value>(body.as_bytes()).is_err(), "{body}");
        }
        assert_eq!(sdk_json::<String>(br#""\\ud83d""#).unwrap(), r"\ud83d");
        assert_eq!(sdk_json::<String>(br#""\\\ud83d""#).unwrap(), "\\\u{fffd}");
        assert_eq!(sdk_json::<String>(br#""\ud83d\ud83d\ude00\ude00""#).unwrap(), "\u{fffd}😀\u{fffd}");
    }
}

//! App: what in a text tells who somebody is, known by its form and, where it has one, by its checksum. Names and
//! addresses of houses have neither and are not found.
//!
//! Sources: e-mail as browsers check it (WHATWG HTML), telephone numbers by Google's metadata (`phonenumber`), cards by
//! ISO/IEC 7812 (Luhn), IBAN by ISO 13616 (`iban_validate`), and the national ids' own rules, named where they stand.

use std::sync::LazyLock;

use bellwether_model::operand::names_household;
use iban::IbanLike;
use regex::Regex;
use schemars::JsonSchema;
use serde::Serialize;

/// A kind of personal data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// An e-mail address, alone or within a text.
    Email,
    /// A telephone number with its country, such as `+41 44 668 18 00`.
    Phone,
    /// A number of a bank card.
    Card,
    /// An account at a bank.
    Iban,
    /// A number that a state gives to its people.
    NationalId,
    /// An address of a household or a machine, and not of a network.
    Ip,
}

impl Kind {
    /// Whether one of them is enough to say so. Of the others, digits that mean something else look the same now and
    /// then: it is their share that tells.
    pub(crate) fn is_sure(self) -> bool {
        matches!(self, Self::Email | Self::Phone | Self::Iban)
    }

    /// In a sentence, with its article.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Email => "an e-mail address",
            Self::Phone => "a telephone number",
            Self::Card => "a number of a bank card",
            Self::Iban => "an IBAN",
            Self::NationalId => "a national id",
            Self::Ip => "an address of a machine",
        }
    }
}

/// There is one: the tests find addresses.
static EMAIL: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)(?-u:\b)[a-z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*\.[a-z]{2,24}(?-u:\b)").ok()
});

/// The longest text that is looked at; what is longer is looked at to here.
const LONGEST: usize = 1_024;

/// What a text tells, if it does.
pub(crate) fn recognise(text: &str) -> Option<Kind> {
    let text = match text.char_indices().nth(LONGEST) {
        Some((at, _)) => text.get(..at).unwrap_or_default(),
        None => text,
    };
    let text = text.trim();
    if text.contains('@') && EMAIL.as_ref().is_some_and(|email| email.is_match(text)) {
        return Some(Kind::Email);
    }
    if text.len() > 40 {
        return None;
    }
    if text.starts_with('+') && is_phone(text) {
        return Some(Kind::Phone);
    }
    if text.parse::<iban::Iban>().is_ok_and(|iban| iban.country_code().len() == 2) {
        return Some(Kind::Iban);
    }
    if is_card(text) {
        return Some(Kind::Card);
    }
    if NATIONAL.iter().any(|is| is(text)) {
        return Some(Kind::NationalId);
    }
    names_household(text).then_some(Kind::Ip)
}

fn is_phone(text: &str) -> bool {
    phonenumber::parse(None, text).is_ok_and(|number| number.is_valid())
}

/// Digits without the spaces and hyphens between them; nothing where there is anything else.
fn digits(text: &str) -> Option<Vec<u32>> {
    text.chars().filter(|c| !matches!(c, ' ' | '-')).map(|c| c.to_digit(10)).collect()
}

/// ISO/IEC 7812: the sum of all digits, every second from the right doubled and its own digits added, ends in 0.
fn luhn(digits: &[u32]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, &digit)| match (at % 2, digit * 2) {
            (0, _) => digit,
            (_, double) => double / 10 + double % 10,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// By the networks' beginnings and lengths, so that most times in milliseconds and ids are none.
fn is_card(text: &str) -> bool {
    let Some(digits) = digits(text) else { return false };
    let first = |n: usize| digits.iter().take(n).fold(0, |number, digit| number * 10 + digit);
    let issued = match digits.len() {
        15 => matches!(first(2), 34 | 37),
        14 => matches!(first(2), 36 | 38 | 39),
        13 => first(1) == 4,
        16 => {
            matches!(first(1), 4)
                || matches!(first(2), 51..=55 | 62 | 65)
                || matches!(first(4), 2221..=2720 | 3528..=3589 | 6011)
        }
        _ => false,
    };
    issued && luhn(&digits) && !digits.windows(2).all(|pair| pair.first() == pair.last())
}

/// By their states' rules. What has no checksum is known by its punctuation.
const NATIONAL: [fn(&str) -> bool; 8] = [us, spain, finland, sweden, poland, brazil, france, italy];

/// `AAA-GG-SSSS`; some groups were never given (Social Security Administration).
fn us(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [area, group, serial] = parts.as_slice() else { return false };
    let number = |text: &str, length: usize| {
        (text.len() == length && text.bytes().all(|b| b.is_ascii_digit()))
            .then(|| text.parse::<u32>().unwrap_or_default())
    };
    matches!((number(area, 3), number(group, 2), number(serial, 4)), (Some(area), Some(group), Some(serial))
        if area != 0 && area != 666 && area < 900 && group != 0 && serial != 0)
}

/// DNI and NIE: the number's rest by 23 is a letter.
fn spain(text: &str) -> bool {
    const LETTERS: &[u8; 23] = b"TRWAGMYFPDXBNJZSQVHLCKE";
    let bytes = text.as_bytes();
    let [first, middle @ .., last] = bytes else { return false };
    let lead = match first {
        b'X' => "0",
        b'Y' => "1",
        b'Z' => "2",
        b'0'..=b'9' => std::str::from_utf8(std::slice::from_ref(first)).unwrap_or_default(),
        _ => return false,
    };
    let Ok(middle) = std::str::from_utf8(middle) else { return false };
    if middle.len() != 7 || !middle.bytes().all(|b| b.is_ascii_digit()) {
        return false;
    }
    let number: usize = format!("{lead}{middle}").parse().unwrap_or_default();
    LETTERS.get(number % 23) == Some(last)
}

/// Henkilötunnus, `DDMMYY-NNNC`: the nine digits' rest by 31 is a character.
fn finland(text: &str) -> bool {
    const CHECKS: &[u8; 31] = b"0123456789ABCDEFHJKLMNPRSTUVWXY";
    let bytes = text.as_bytes();
    let [date @ .., sign, a, b, c, check] = bytes else { return false };
    let century = matches!(sign, b'+' | b'-' | b'A'..=b'F' | b'U'..=b'Y');
    let number: Vec<u8> = date.iter().chain([a, b, c]).copied().collect();
    if date.len() != 6 || !century || !number.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let number: usize = std::str::from_utf8(&number).unwrap_or_default().parse().unwrap_or_default();
    let (day, month) = (number / 10_000_000, number / 100_000 % 100);
    is_day(day, month) && CHECKS.get(number % 31) == Some(check)
}

/// Personnummer, `YYMMDD-NNNN` or with four digits of the year: Luhn over the last ten digits. Without its sign it is
/// as any number.
fn sweden(text: &str) -> bool {
    let Some((date, serial)) = text.split_once(['-', '+']) else { return false };
    let Some(date) =
        date.len().checked_sub(6).and_then(|at| date.get(at..)).filter(|_| matches!(date.len(), 6 | 8))
    else {
        return false;
    };
    let (Some(date), Some(serial)) = (digits(date), digits(serial)) else { return false };
    let two = |at: usize| date.iter().skip(at).take(2).fold(0, |n, d| n * 10 + *d as usize);
    let all: Vec<u32> = date.iter().chain(&serial).copied().collect();
    // A number for coordination has 60 added to its day.
    let day = two(4);
    date.len() == 6
        && serial.len() == 4
        && is_day(if day > 60 { day - 60 } else { day }, two(2))
        && luhn(&all)
}

/// PESEL: eleven digits with a date of birth and weights 1, 3, 7, 9.
fn poland(text: &str) -> bool {
    let Some(digits) = alone(text, 11) else { return false };
    let two = |at: usize| digits.iter().skip(at).take(2).fold(0, |n, d| n * 10 + *d as usize);
    let sum: u32 =
        digits.iter().zip([1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]).map(|(digit, weight)| digit * weight).sum();
    // Of other centuries 20, 40, 60 or 80 is added to the month.
    is_day(two(4), two(2) % 20) && sum.is_multiple_of(10)
}

/// CPF, `NNN.NNN.NNN-NN`: two check digits, each of the digits before it.
fn brazil(text: &str) -> bool {
    let bytes = text.as_bytes();
    let marks = [(3, b'.'), (7, b'.'), (11, b'-')];
    if bytes.len() != 14 || !marks.iter().all(|&(at, mark)| bytes.get(at) == Some(&mark)) {
        return false;
    }
    let Some(digits) = alone(&text.replace(['.', '-'], ""), 11) else { return false };
    let check = |length: usize| {
        let weights = (2..=length as u32 + 1).rev();
        let sum: u32 = digits.iter().take(length).zip(weights).map(|(digit, weight)| digit * weight).sum();
        Some(&(sum * 10 % 11 % 10)) == digits.get(length)
    };
    !digits.windows(2).all(|pair| pair.first() == pair.last()) && check(9) && check(10)
}

/// NIR: fifteen digits, of which the last two are 97 less the rest of the others.
fn france(text: &str) -> bool {
    let plain = text.replace(' ', "");
    let Some(digits) = alone(&plain, 15) else { return false };
    let of = |range: std::ops::Range<usize>| {
        digits.get(range).unwrap_or_default().iter().fold(0_u64, |n, d| n * 10 + u64::from(*d))
    };
    matches!(of(0..1), 1 | 2)
        && matches!(of(3..5), 1..=12 | 20 | 30..=42 | 50..=99)
        && 97 - of(0..13) % 97 == of(13..15)
}

/// Codice fiscale: sixteen characters, the last of which is of the others, at odd places by a table.
fn italy(text: &str) -> bool {
    const ODD: [u32; 26] =
        [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
    let bytes = text.as_bytes();
    let letter = |at: usize| matches!(at, 0..=5 | 8 | 11 | 15);
    let formed = bytes.len() == 16
        && bytes.iter().enumerate().all(|(at, b)| match letter(at) {
            true => b.is_ascii_uppercase(),
            // Digits become letters where two people would have the same.
            false => b.is_ascii_digit() || b"LMNPQRSTUV".contains(b),
        });
    let value = |b: u8| u32::from(if b.is_ascii_digit() { b - b'0' } else { b.wrapping_sub(b'A') });
    let sum: u32 = bytes
        .iter()
        .take(15)
        .enumerate()
        .map(|(at, &b)| match at % 2 {
            0 => ODD.get(value(b) as usize).copied().unwrap_or_default(),
            _ => value(b),
        })
        .sum();
    formed && bytes.last().is_some_and(|&check| value(check) == sum % 26)
}

/// So many digits and nothing else.
fn alone(text: &str, length: usize) -> Option<Vec<u32>> {
    if text.len() != length {
        return None;
    }
    text.chars().map(|c| c.to_digit(10)).collect()
}

fn is_day(day: usize, month: usize) -> bool {
    (1..=31).contains(&day) && (1..=12).contains(&month)
}

/// The shape of a text, which tells nothing: `xx.xx@xxx.xx` of an address. What is long is cut.
pub(crate) fn shape(text: &str) -> String {
    let shown = text.chars().take(40).map(|c| match c {
        c if c.is_ascii_digit() || c.is_numeric() => '9',
        c if c.is_alphabetic() => 'x',
        c => c,
    });
    shown.collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_tells_who_somebody_is_is_known() {
        let check = |kind: Kind, texts: &[&str]| {
            for text in texts {
                assert_eq!(recognise(text), Some(kind), "{text}");
            }
        };
        check(
            Kind::Email,
            &["ada@example.com", " Ada.L+x@sub.example.co.uk ", "write to ada@example.com, please"],
        );
        check(Kind::Phone, &["+41 44 668 18 00", "+14155552671", "+49 30 901820", "+33 1 42 68 53 00"]);
        // Published for tests by the networks and their processors.
        check(
            Kind::Card,
            &["4242424242424242", "5555 5555 5555 4444", "3782-822463-10005", "6011111111111117"],
        );
        // Of the registry of ISO 13616.
        check(
            Kind::Iban,
            &["DE89370400440532013000", "GB29 NWBK 6016 1331 9268 19", "FR1420041010050500013M02606"],
        );
        // Examples of the authorities and of their published rules.
        check(
            Kind::NationalId,
            &[
                "123-45-6789",
                "12345678Z",
                "X1234567L",
                "131052-308T",
                "811228-9874",
                "19811228-9874",
                "44051401359",
                "529.982.247-25",
                "2 55 08 14 168 025 38",
                "RSSMRA85T10A562S",
            ],
        );
        check(Kind::Ip, &["203.0.113.9", "2001:db8:1:2:3:4:5:6"]);
    }

    #[test]
    fn what_tells_nothing_is_left_alone() {
        let texts = [
            "",
            "pro",
            "user@localhost",
            "@handle",
            "a@b",
            "+1",
            "+123",
            "+999999999999",
            "4242424242424241",
            "0000000000000000",
            "1732700000000",
            "DE89370400440532013001",
            "123-45-678",
            "000-12-3456",
            "900-12-3456",
            "12345678A",
            "131052-308U",
            "999999-9999",
            "44051401358",
            "111.111.111-11",
            "529.982.247-24",
            "255081416802539",
            "RSSMRA85T10A562T",
            "203.0.113.0",
            "10.0.0.7",
            "127.0.0.1",
            "::1",
            "2001:db8:1::",
            "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
            "2026-11-27",
            "2026-11-27T12:00:00Z",
            "1.2",
            "é€𐍈",
            "***",
            "hash:0123456789abcdef0123456789abcdef",
        ];
        for text in texts {
            assert_eq!(recognise(text), None, "{text}");
        }
    }

    #[test]
    fn a_shape_tells_nothing() {
        assert_eq!(shape("Ada.L@example.com"), "xxx.x@xxxxxxx.xxx");
        assert_eq!(shape("+41 44 ٣"), "+99 99 9");
        assert_eq!(shape(&"é".repeat(50)), "x".repeat(40));
    }

    proptest::proptest! {
        /// Whatever comes, it is looked at and nothing breaks.
        #[test]
        fn any_text_is_looked_at(text in "\\PC{0,60}", near in "[+0-9A-Z.: @-]{0,24}") {
            let _ = (recognise(&text), recognise(&near), shape(&text));
        }

        /// A digit that is written wrong is found out by the checksum.
        #[test]
        fn a_card_with_a_wrong_digit_is_none(at in 0_usize..16, by in 1_u32..10) {
            let mut digits = digits("4242424242424242").unwrap();
            digits[at] = (digits[at] + by) % 10;
            let text: String = digits.iter().map(u32::to_string).collect();
            proptest::prop_assert!(!is_card(&text));
        }
    }
}

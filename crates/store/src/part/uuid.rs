//! Store: an `insert_id` that is a UUID takes 16 bytes instead of 36.

/// The bytes of a UUID in lower case with its four hyphens; `None` for any other text.
pub(super) fn bytes(text: &str) -> Option<[u8; 16]> {
    let text: &[u8; 36] = text.as_bytes().try_into().ok()?;
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; 16];
    let mut digits = 0_usize;
    for (place, &byte) in text.iter().enumerate() {
        if matches!(place, 8 | 13 | 18 | 23) {
            if byte != b'-' {
                return None;
            }
            continue;
        }
        let into = bytes.get_mut(digits / 2)?;
        *into = *into << 4 | digit(byte)?;
        digits += 1;
    }
    Some(bytes)
}

/// The text of these bytes.
pub(super) fn text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(36);
    for (i, byte) in bytes.iter().enumerate() {
        if matches!(i, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(digit.into(), 16).unwrap_or('0'));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_taken_for_a_uuid_comes_back_as_it_was(any in any::<[u8; 16]>(), other in "[-0-9a-fA-Fg]{36}") {
            prop_assert_eq!(bytes(&text(&any)), Some(any));
            if let Some(taken) = bytes(&other) {
                prop_assert_eq!(text(&taken), other);
            }
        }
    }

    #[test]
    fn only_the_usual_form_is_a_uuid() {
        let usual = "0b9f6d3e-1c2a-4f5b-8a7d-00ff10203040";
        assert_eq!(text(&bytes(usual).unwrap()), usual);
        for other in ["", &usual[1..], &usual.to_uppercase(), &usual.replace('-', "0"), &format!("{usual}0")]
        {
            assert_eq!(bytes(other), None, "{other}");
        }
        assert_eq!(bytes("0b9f6d3e01c2a-4f5b-8a7d-00ff10203040"), None);
    }
}

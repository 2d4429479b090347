//! Flags: what a clause says of an attribute at a glance, in a form that lies in one cache line with the
//! attribute's name. Where it says nothing, the clause looks at the value itself.

use bellwether_model::glance::{Glance, Release, Word};

/// A test that needs no more than a [`Glance`]. `not` is whether the test is negated.
#[derive(Debug)]
pub(crate) enum Quick {
    /// There is none.
    Nothing,
    /// Is this word.
    Word { word: Word, not: bool },
    /// Is one of up to three words of up to seven bytes; the first stands in for those that are missing.
    Three { words: [u64; 3], not: bool },
    /// Is one of these words.
    Words { words: Box<[Word]>, not: bool },
    /// Is a release from one up to and including another.
    Releases { first: Release, last: Release, not: bool },
}

impl Quick {
    /// Whether a text is one of these, all of which are short.
    pub(crate) fn words(words: &[Word], not: bool) -> Self {
        if let [word] = words {
            return Self::Word { word: *word, not };
        }
        let shortest = words.iter().map(|word| word.short()).collect::<Option<Vec<_>>>();
        match shortest.as_deref() {
            Some(&[a, b]) => Self::Three { words: [a, b, a], not },
            Some(&[a, b, c]) => Self::Three { words: [a, b, c], not },
            _ => Self::Words { words: words.into(), not },
        }
    }

    /// What it says, if it says anything. No branch depends on whether it holds: that cannot be guessed.
    #[inline]
    pub(crate) fn holds(&self, glance: &Glance) -> Option<bool> {
        let (holds, not) = match self {
            Self::Nothing => return None,
            Self::Word { word, not } => (glance.word? == *word, not),
            Self::Three { words: [a, b, c], not } => {
                let short = glance.word?.short();
                let is = |one: &u64| short == Some(*one);
                (is(a) | is(b) | is(c), not)
            }
            Self::Words { words, not } => (glance.word?.among(words), not),
            Self::Releases { first, last, not } => {
                let release = glance.release?;
                ((*first <= release) & (release <= *last), not)
            }
        };
        Some(holds != *not)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::place::Seen;
    use crate::test::Test;
    use bellwether_model::Op;
    use proptest::prelude::*;

    const OPS: [Op; 6] = [
        Op::Is,
        Op::IsNot,
        Op::VersionLess,
        Op::VersionLessOrEqual,
        Op::VersionGreater,
        Op::VersionGreaterOrEqual,
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        /// Texts of all lengths about 7 and 15 bytes, and versions.
        #[test]
        fn a_glance_says_what_a_look_says(
            op in prop::sample::select(&OPS[..]),
            values in prop::collection::vec("[a\0]{0,3}|[ab]{6,9}|a{14,16}|true|[12]\\.[01](\\.[01])?(-a)?", 1..6),
            text in "[a\0]{0,3}|[ab]{6,9}|a{14,16}|True|\\[\"a\"\\]|[12]\\.[01](\\.[01])?(-a)?",
        ) {
            let test = Test::new(op, &values).unwrap();
            for text in values.iter().chain([&text]) {
                if let Some(said) = test.quick().holds(&Glance::of(text)) {
                    prop_assert_eq!(said, test.holds(Some(Seen::Text(text))), "{:?} {:?}", text, test.quick());
                }
            }
        }
    }

    #[test]
    fn each_form_has_its_clauses() {
        let quick = |op, values: &[&str]| {
            let values: Vec<String> = values.iter().map(|v| (*v).to_owned()).collect();
            Test::new(op, &values).unwrap().quick()
        };
        assert!(matches!(quick(Op::Is, &["FI"]), Quick::Word { not: false, .. }));
        assert!(matches!(quick(Op::IsNot, &["more than 7"]), Quick::Word { not: true, .. }));
        assert!(matches!(quick(Op::Is, &["FI", "SE"]), Quick::Three { .. }));
        assert!(matches!(quick(Op::Is, &["FI", "more than 7"]), Quick::Words { .. }));
        assert!(matches!(quick(Op::Is, &["FI", "SE", "NO", "DK"]), Quick::Words { .. }));
        assert!(matches!(quick(Op::Is, &["FI", "true"]), Quick::Nothing));
        assert!(matches!(quick(Op::VersionGreater, &["2.0"]), Quick::Releases { .. }));
        assert!(matches!(quick(Op::VersionGreater, &["2.0-a"]), Quick::Nothing));
        assert!(matches!(quick(Op::Contains, &["a"]), Quick::Nothing));
    }
}

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

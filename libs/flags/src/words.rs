//! Flags: a few words that text may equal, compared as numbers.

use bellwether_model::glance::Word;
use rustc_hash::FxHashSet;

/// Values that text may equal.
#[derive(Debug)]
pub(crate) struct Words {
    /// The short ones, read one after the other where they are not very many.
    short: Box<[Word]>,
    /// All where they are very many, and the longer ones.
    others: FxHashSet<Box<str>>,
    /// Whether the short ones are all that a short text may equal.
    plain: bool,
    /// `true` and `false` are known in any spelling.
    truth: bool,
    falsehood: bool,
}

/// Up to here, reading is faster than hashing.
const READABLE: usize = 16;

impl Words {
    pub(crate) fn new(values: &[String]) -> Self {
        let readable = values.len() <= READABLE;
        let mut short = Vec::new();
        let mut others = FxHashSet::default();
        for value in values {
            match Word::of(value).filter(|_| readable) {
                Some(word) => short.push(word),
                None => drop(others.insert(value.as_str().into())),
            }
        }
        let truth = values.iter().any(|v| v.eq_ignore_ascii_case("true"));
        let falsehood = values.iter().any(|v| v.eq_ignore_ascii_case("false"));
        Self { short: short.into(), others, plain: readable && !truth && !falsehood, truth, falsehood }
    }

    /// All that a short text may equal, where that can be told without the text.
    pub(crate) fn short(&self) -> Option<&[Word]> {
        self.plain.then_some(&self.short)
    }

    pub(crate) fn hold(&self, text: &str) -> bool {
        if (self.truth || self.falsehood) && text.eq_ignore_ascii_case("true") {
            self.truth
        } else if (self.truth || self.falsehood) && text.eq_ignore_ascii_case("false") {
            self.falsehood
        } else {
            Word::of(text).is_some_and(|word| word.among(&self.short))
                || (!self.others.is_empty() && self.others.contains(text))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_words_are_told_apart() {
        let all: Vec<String> = (0..40)
            .map(|n| "abcdefghijklmnopqrstuvwxyz"[n % 5..n % 5 + n / 2].to_owned())
            .chain(["a\0".to_owned(), "\0a".to_owned(), "ab".to_owned(), "ba".to_owned()])
            .collect();
        for one in &all {
            for other in &all {
                assert_eq!(
                    Words::new(std::slice::from_ref(one)).hold(other),
                    one == other,
                    "{one:?} {other:?}"
                );
            }
        }
    }
}

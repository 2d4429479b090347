//! Flags: words that stand somewhere in a text, whatever their case. Many are looked for in one walk.

use aho_corasick::AhoCorasick;
use bellwether_model::Invalid;

/// What a text may contain.
#[derive(Debug)]
pub(crate) struct Parts {
    lowered: Box<[Box<str>]>,
    /// All of them, where they are many.
    many: Option<Box<AhoCorasick>>,
}

/// Up to here each is looked for by itself, which allocates nothing for any text.
const FEW: usize = 8;

impl Parts {
    /// # Errors
    /// When there are more than can be looked for together.
    pub(crate) fn new(values: &[String]) -> Result<Self, Invalid> {
        let lowered: Box<[Box<str>]> = values.iter().map(|v| v.to_lowercase().into_boxed_str()).collect();
        let many = (lowered.len() > FEW).then(|| {
            let words = lowered.iter().map(|word| word.as_bytes());
            let built = AhoCorasick::builder().ascii_case_insensitive(true).build(words);
            built.map(Box::new).map_err(|_| {
                Invalid::new(
                    format!("`{}` words are too many to look for", lowered.len()),
                    "give fewer, or a segment",
                )
            })
        });
        Ok(Self { many: many.transpose()?, lowered })
    }

    /// Whether the text has any of them in it.
    pub(crate) fn are_in(&self, text: &str) -> bool {
        match &self.many {
            Some(many) if text.is_ascii() => many.is_match(text),
            Some(many) => many.is_match(&text.to_lowercase()),
            None => any_in(text, &self.lowered),
        }
    }
}

fn any_in(text: &str, lowered: &[Box<str>]) -> bool {
    if text.is_ascii() {
        return lowered.iter().any(|word| {
            word.is_empty()
                || text.as_bytes().windows(word.len()).any(|w| w.eq_ignore_ascii_case(word.as_bytes()))
        });
    }
    // Only the sigma is another small letter at the end of a word than within it.
    if text.contains('Σ') {
        let text = text.to_lowercase();
        return lowered.iter().any(|word| text.contains(word.as_ref()));
    }
    lowered.iter().any(|word| {
        let mut letters = text.chars().flat_map(char::to_lowercase);
        loop {
            let mut here = letters.clone();
            if word.chars().all(|c| here.next() == Some(c)) {
                return true;
            }
            if letters.next().is_none() {
                return false;
            }
        }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]
        #[test]
        fn many_are_found_as_few_are(
            text in "[aAbB éÉßΣσςİK]{0,8}",
            values in proptest::collection::vec("[aAbB éÉßΣσςİK]{0,3}", 1..5),
        ) {
            let few = Parts::new(&values).unwrap();
            let others = (0..=FEW).map(|n| format!("{n}{n}{n}"));
            let many = Parts::new(&values.iter().cloned().chain(others).collect::<Vec<_>>()).unwrap();
            prop_assert!(few.many.is_none() && many.many.is_some());
            prop_assert_eq!(few.are_in(&text), many.are_in(&text), "{:?} in {:?}", values, text);
        }
    }
}

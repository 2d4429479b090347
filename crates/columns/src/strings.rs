//! Columns: text that repeats, as codes into the distinct values.

use std::collections::HashMap;
use std::sync::Arc;

use rustc_hash::FxBuildHasher;

use crate::batch::kept;

/// Texts, one after the other in one piece of memory. A copy is cheap.
///
/// ```
/// use bellwether_columns::Words;
/// let words: Words = ["view", "", "buy"].into_iter().collect();
/// assert_eq!((words.len(), words.get(2), words.get(3)), (3, Some("buy"), None));
/// assert_eq!(Words::new("viewbuy".into(), vec![4, 4, 7]).unwrap(), words);
/// assert!(Words::new("é".into(), vec![1, 2]).is_none());
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Words {
    text: Arc<str>,
    /// Where each ends.
    ends: Arc<[u32]>,
}

impl Words {
    /// From all texts joined and where each ends; `None` where one would end before it begins, or within a character.
    pub fn new(text: String, ends: Vec<u32>) -> Option<Self> {
        let mut begin = 0;
        for &end in &ends {
            text.get(begin..end as usize)?;
            begin = end as usize;
        }
        (begin == text.len()).then(|| Self { text: text.into(), ends: ends.into() })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The text of a code.
    pub fn get(&self, code: usize) -> Option<&str> {
        let end = *self.ends.get(code)? as usize;
        let begin =
            code.checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |&end| end as usize);
        self.text.get(begin..end)
    }

    /// All of them, by code.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|code| self.get(code).unwrap_or_default())
    }
}

impl<'t> FromIterator<&'t str> for Words {
    fn from_iter<T: IntoIterator<Item = &'t str>>(texts: T) -> Self {
        let (mut text, mut ends) = (String::new(), Vec::new());
        for word in texts {
            text.push_str(word);
            // A batch has far less than 4 GiB of text.
            ends.push(u32::try_from(text.len()).unwrap_or(u32::MAX));
        }
        Self { text: text.into(), ends: ends.into() }
    }
}

/// A column of text: codes into a dictionary of distinct values.
#[derive(Debug, Clone, Default)]
pub struct Strings {
    codes: Vec<u32>,
    values: Words,
}

/// The code of a missing value.
const NONE: u32 = u32::MAX;

impl Strings {
    /// A column from codes, where `u32::MAX` is a missing value; `None` if a code has no value.
    pub fn new(codes: Vec<u32>, values: Words) -> Option<Self> {
        codes.iter().all(|&c| c == NONE || (c as usize) < values.len()).then_some(Self { codes, values })
    }

    /// A column from values, interned in order of appearance.
    pub fn intern<'a>(texts: impl Iterator<Item = Option<&'a str>>) -> Self {
        let mut coding = Coding::default();
        for text in texts {
            let code = text.map(|text| coding.code(text));
            coding.push(code);
        }
        coding.finish()
    }

    /// The value in a row.
    pub fn get(&self, row: usize) -> Option<&str> {
        self.code(row).and_then(|c| self.values.get(c))
    }

    /// The code in a row; the same text has the same code within this column.
    pub fn code(&self, row: usize) -> Option<usize> {
        self.codes.get(row).filter(|&&c| c != NONE).map(|&c| c as usize)
    }

    /// The distinct values by code, of which some may be in no row.
    pub fn values(&self) -> &Words {
        &self.values
    }

    /// The rows that pass, by the same codes.
    pub(crate) fn keep(&self, pass: &[bool]) -> Self {
        Self { codes: kept(&self.codes, pass), values: self.values.clone() }
    }
}

/// A column that is being made: texts get codes in order of appearance.
#[derive(Debug, Default)]
pub(crate) struct Coding<'t> {
    known: HashMap<&'t str, u32, FxBuildHasher>,
    values: Vec<&'t str>,
    codes: Vec<u32>,
}

impl<'t> Coding<'t> {
    /// A column in which the values of another have the codes that they have there, without its rows.
    pub(crate) fn on(column: &'t Strings) -> Self {
        let mut coding = Self::default();
        for text in column.values.iter() {
            coding.code(text);
        }
        coding
    }

    /// The code of a text.
    pub(crate) fn code(&mut self, text: &'t str) -> u32 {
        *self.known.entry(text).or_insert_with(|| {
            self.values.push(text);
            // A batch has far fewer than 2^32 rows.
            u32::try_from(self.values.len() - 1).unwrap_or(NONE)
        })
    }

    /// Adds a row.
    pub(crate) fn push(&mut self, code: Option<u32>) {
        self.codes.push(code.unwrap_or(NONE));
    }

    pub(crate) fn finish(self) -> Strings {
        Strings { codes: self.codes, values: self.values.into_iter().collect() }
    }
}

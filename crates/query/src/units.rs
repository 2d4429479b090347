//! Query: units as small numbers, so that sets of them are cheap.

use bellwether_columns::Strings;
use rustc_hash::FxHashMap;

/// Ids seen so far, numbered in order of appearance.
#[derive(Debug, Default)]
pub(crate) struct Ids(FxHashMap<Box<str>, u32>);

impl Ids {
    /// The number of an id; `next` gives the number of one that is new.
    pub(crate) fn number(&mut self, id: &str, next: impl FnOnce() -> u32) -> u32 {
        // Looked up before it is entered, because entering needs an owned copy.
        if let Some(&known) = self.0.get(id) {
            return known;
        }
        let new = next();
        self.0.insert(id.into(), new);
        new
    }

    /// The number of an id, if it has one.
    pub(crate) fn get(&self, id: &str) -> Option<u32> {
        self.0.get(id).copied()
    }
}

/// What the codes of one column of one batch stand for, looked up once per distinct text.
#[derive(Debug)]
pub(crate) struct Codes<T>(Vec<Option<T>>);

impl<T: Copy> Codes<T> {
    /// Nothing is looked up yet.
    pub(crate) fn of(column: &Strings) -> Self {
        Self(vec![None; column.values().len()])
    }

    /// What the text in a row stands for; `None` where there is no text.
    pub(crate) fn get(&mut self, column: &Strings, row: usize, look_up: impl FnOnce(&str) -> T) -> Option<T> {
        let code = column.code(row)?;
        let (slot, text) = (self.0.get_mut(code)?, column.values().get(code)?);
        Some(*slot.get_or_insert_with(|| look_up(text)))
    }
}

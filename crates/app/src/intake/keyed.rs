//! App intake: tables by who somebody is, of ids that senders choose. An id is known by a hash whose key is the process's
//! own, so that nobody can make two of them collide, and no id is kept. By chance two of the hundred thousand of a table
//! do once in several billion tables; they are then counted as one.

use std::collections::HashMap;

use rustc_hash::FxBuildHasher;

/// What is known of ids, by their keys.
pub(super) type Table<T> = HashMap<u64, T, FxBuildHasher>;

/// Makes keys of ids.
#[derive(Debug, Default)]
pub(super) struct Keyed(ahash::RandomState);

impl Keyed {
    /// The key of an id.
    pub(super) fn of(&self, id: &str) -> u64 {
        self.0.hash_one(id)
    }
}

//! App: intake. What comes over the wire becomes admitted events, or an answer in the protocol's own
//! words that says why not; a refused request stores nothing.

pub(crate) mod amplitude;
mod body;
mod event;
pub(crate) mod json;
pub(crate) mod once;

pub(crate) use event::names_nobody;

/// The longest id that names somebody and the longest text that is kept of a property, in characters.
pub(crate) const LONGEST: usize = 1_024;

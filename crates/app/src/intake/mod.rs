//! App: intake. What comes over the wire becomes admitted events, or an answer in the protocol's own
//! words that says why not; a refused request stores nothing.

pub(crate) mod amplitude;
mod body;
mod event;

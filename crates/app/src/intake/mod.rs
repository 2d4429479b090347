//! App: intake. What comes over the wire becomes admitted events, or an answer in the protocol's own
//! words that says why not.
//!
//! Each protocol has a file that reads its requests into raw events and answers in its words. The rest is the
//! same for all: `taking` leads a request from its `door` to the store, `raw` admits an event or says what is wrong with it, `rates`
//! and `shares` hold back who sends too much, `bots` marks programs, `judge` holds each event against the tracking plan, and `inspection` keeps what it
//! finds. What is promised of each protocol is in `docs/reference/ingestion.md`.

mod amplitude;
mod body;
pub(crate) mod bots;
pub(crate) mod conceal;
pub(crate) mod door;
mod envelope;
mod form;
pub(crate) mod inspection;
pub(crate) mod json;
pub(crate) mod judge;
mod keyed;
mod mixpanel;
mod nobody;
pub(crate) mod once;
mod otlp;
mod posthog;
pub(crate) mod rates;
mod raw;
mod segment;
mod senders;
mod shares;
pub(crate) mod taking;

pub(crate) use nobody::names_nobody;

/// The longest id that names somebody and the longest text that is kept of a property, in characters.
pub(crate) const LONGEST: usize = 1_024;

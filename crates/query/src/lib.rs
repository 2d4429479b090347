//! Query: questions over a [`Scan`](bellwether_columns::Scan), answered with numbers.
//!
//! This room promises that an answer depends only on the question and on the events up to the `seq`
//! that it names: not on the order in which a store hands out rows, nor on how they lie on disk. The
//! same question at the same `seq` gives the same bits. What is left out of an answer (cut groups,
//! crossed units, units that are still being watched) is counted in it, never dropped silently.
//!
//! It knows no files, no plans and no clock: `now` is an argument.

pub mod catalogue;
pub mod enrolled;
pub mod evidence;
pub mod history;
pub mod properties;
pub mod segmentation;

mod days;
mod error;
mod filter;
mod seen;
mod units;

pub use error::QueryError;
pub use filter::NONE;

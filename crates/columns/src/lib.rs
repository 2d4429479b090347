//! Columns: the shape of event data. Dictionaries, batches and the one trait [`Scan`].
//!
//! This room promises that whoever asks for events gets exactly the rows that match, column by
//! column, from wherever they lie. It knows no files and no plans: `store` implements [`Scan`] over
//! parts and memory, `query` consumes it.

mod batch;
mod rows;
mod scan;

pub use batch::{Batch, Cells, Strings, text};
pub use rows::Rows;
pub use scan::{PropertyName, Scan, ScanError, Want};

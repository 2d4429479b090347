//! Columns: the shape of event data. Dictionaries, batches, the one trait [`Scan`], and whose a device is.
//!
//! This room promises that whoever asks for events gets exactly the rows that match, column by
//! column, from wherever they lie. It knows no files and no plans: `store` implements [`Scan`] over
//! parts and memory, `query` consumes it.

mod batch;
mod owners;
mod rows;
mod scan;
mod strings;

pub use batch::{Batch, Cells, text};
pub use owners::{Devices, Owners, Told, Turn, person};
pub use rows::Rows;
pub use scan::{Ids, Known, PropertyName, Scan, ScanError, Want};
pub use strings::{Strings, Words};

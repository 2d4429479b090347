//! Store: parts, the Parquet files that events end up in. This module says what a part looks like.
//!
//! Rows are sorted by bucket of the unit (CRC-32 of the user id, or of the device id where the user
//! is not known, modulo [`BUCKETS`]), unit, event time, and place in the log. Columns:
//!
//! | column | type | |
//! |---|---|---|
//! | `environment`, `event` | text | |
//! | `user`, `device` | text | null where not known, never both |
//! | `time`, `received` | timestamp, ms, UTC | |
//! | `insert_id` | text | null where it is a UUID, or there is none |
//! | `insert_uuid` | 16 bytes | an `insert_id` that is a UUID in its usual form |
//! | `session`, `revision` | integer | |
//! | `seq` | integer | place in the log |
//! | `groups` | JSON text | |
//! | `group_properties`, `user_changes`, `group_changes` | JSON text | where an event has some |
//! | `p.<name>`, `u.<name>` | see below | a property of the event, of the user |
//! | `p`, `u` | JSON text | the properties past the first [`COLUMNS`] of their kind |
//!
//! A property's column has the type of its values: text, boolean, integer (64 bits), float, or, where
//! they are of several types or are lists, objects or larger integers, JSON text. The field says
//! `bellwether.type` `json` then; a float column says `bellwether.whole` `integer` where its whole
//! numbers were written without a fraction, and `none` where no number is whole, so that each value comes
//! back as it was. `docs/reference/parts.md` is this for readers of other programs.
//!
//! The first version (`bellwether.part` is `1`) had a column `fingerprint` and no `insert_uuid`. The columns of
//! groups and changes came after it, and a part of either version may have them.

mod check;
mod convert;
mod decode;
mod draft;
mod gather;
pub(crate) mod hot;
mod join;
mod read;
mod scan;
mod shape;
mod survey;
mod tell;
mod texts;
mod uuid;
mod whole;
mod write;

pub(crate) use check::Checked;
pub(crate) use decode::{Why, column, numbers};
pub(crate) use draft::digest;
pub(crate) use join::Join;
pub(crate) use read::Part;
pub(crate) use shape::Texts;
pub(crate) use write::write;

use crate::packed::{Flat, Object};

/// Buckets that units are spread over: a query may walk them side by side.
const BUCKETS: u32 = 64;
/// Properties of one kind that get a column of their own, the most frequent first.
const COLUMNS: usize = if cfg!(test) { 6 } else { 200 };
/// Rows of a row group.
const ROW_GROUP: usize = 65_536;
/// Rows that are read at once where each may be large.
const FEW: usize = 32;

/// Field metadata: how to read a column whose Arrow type does not say it all.
const TYPE: &str = "bellwether.type";
/// Field metadata: whether whole numbers of a float column were integers.
const WHOLE: &str = "bellwether.whole";

/// The two kinds of properties.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Event,
    User,
}

impl Kind {
    const ALL: [Self; 2] = [Self::Event, Self::User];

    /// The column of the rest; with a point and a name, the column of a property.
    fn prefix(self) -> &'static str {
        match self {
            Self::Event => "p",
            Self::User => "u",
        }
    }

    fn column(self, name: &str) -> String {
        format!("{}.{name}", self.prefix())
    }

    /// The name of the property that has this column, if it is one of this kind.
    fn property(self, column: &str) -> Option<&str> {
        column.strip_prefix(self.prefix())?.strip_prefix('.')
    }

    fn of<'b>(self, event: &Flat<'b>) -> Object<'b> {
        match self {
            Self::Event => event.properties,
            Self::User => event.user_properties,
        }
    }
}

//! Store: what can go wrong, in words, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use bellwether_model::Seq;

/// Why the store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process, or another `Store` of this one, has the directory open.
    #[error(
        "the event store `{}` is already open\nhint: stop the other `bellwether`, or choose another directory",
        dir.display()
    )]
    InUse {
        /// The directory.
        dir: PathBuf,
    },
    /// More events wait to be written than the bound allows. Nothing of the call was taken.
    #[error(
        "too many events are waiting: `{waiting}` bytes of `{bound}`\nhint: send them again in a second; if this lasts, the disk is too slow or full"
    )]
    Full {
        /// About how many bytes wait, those of this call included.
        waiting: usize,
        /// The bound that this passes.
        bound: usize,
    },
    /// The disk is nearly full. Nothing of the call was taken; what is stored can be read.
    #[error(
        "the disk of `{}` has less than `{reserve}` bytes left, so no more events are taken\nhint: free space; events are taken again by themselves then",
        dir.display()
    )]
    NoRoom {
        /// The directory of the store.
        dir: PathBuf,
        /// How many bytes are kept free.
        reserve: u64,
    },
    /// A property is nested deeper than can be read back. Nothing of the call was taken.
    #[error("the event `{event}` has a property nested deeper than `{bound}` levels\nhint: send it flatter")]
    TooDeep {
        /// The event type.
        event: String,
        /// The deepest nesting that is taken.
        bound: usize,
    },
    /// A device was used by several people, so that it does not say who is meant.
    #[error(
        "the device `{device}` is of several users: {}\nhint: name one of the users",
        users.iter().map(|user| format!("`{user}`")).collect::<Vec<_>>().join(", ")
    )]
    Shared {
        /// The device.
        device: String,
        /// Its users, in the order in which they were first seen on it.
        users: Vec<String>,
    },
    /// A commit failed. Every event after the last committed one, up to and including `through`, is
    /// withdrawn: it is not stored, and may be appended again.
    #[error(
        "events up to `{through}` could not be written and were withdrawn: {cause}\nhint: free space or repair the disk, then send them again"
    )]
    Lost {
        /// The last event that was withdrawn.
        through: Seq,
        /// What the disk said.
        cause: String,
    },
    /// A file or directory could not be read or written.
    #[error("cannot {doing} `{}`: {cause}\nhint: check that the disk has space and the directory may be written", what.display())]
    Storage {
        /// What was tried, such as `write`.
        doing: &'static str,
        /// The file or directory.
        what: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// A stored file is not what was written. Nothing was changed.
    #[error("`{}` is damaged at byte `{offset}`: {why}\nhint: run `bellwether doctor`, and restore the file from a backup", file.display())]
    Corrupt {
        /// The file.
        file: PathBuf,
        /// Where in it.
        offset: u64,
        /// What is wrong there.
        why: String,
    },
    /// A stored file was written by a newer version of Bellwether.
    #[error("`{}` has format version `{version}`, newer than this program knows\nhint: start the version that wrote it, or a later one", file.display())]
    Newer {
        /// The file.
        file: PathBuf,
        /// The version it says.
        version: u64,
    },
}

impl StoreError {
    /// An I/O error while `doing` something to `what`.
    pub(crate) fn io(doing: &'static str, what: &Path) -> impl FnOnce(io::Error) -> Self {
        let what = what.to_owned();
        move |cause| Self::Storage { doing, what, cause }
    }

    /// Damage found in a file.
    pub(crate) fn corrupt(file: &Path, offset: u64, why: impl Into<String>) -> Self {
        Self::Corrupt { file: file.to_owned(), offset, why: why.into() }
    }
}

//! Store: events at rest. What [`Store::commit`] returned for is there exactly once, after a kill or a
//! power cut too; what it did not return for is there at most once.
//!
//! An event goes through three places:
//!
//! 1. [`Store::append`] packs events as the log has them, drops duplicates, writes into each of the rest what is known
//!    of its user and groups, and queues them. Nothing is visible or durable yet.
//! 2. [`Store::commit`] writes all that is queued as one record of the write-ahead log, syncs it, and
//!    then shows it to readers, whole calls at a time.
//! 3. [`Store::step`] now and then writes what is in memory into a part (a Parquet file sorted by unit
//!    and time), names it in the manifest, and removes the log files that it makes superfluous. Small
//!    parts next to each other become one, a piece with each step.
//!
//! [`Store::forget`] takes a person out of all of this: out of what is read at once, and out of parts by steps.
//!
//! [`Store::snapshot`] is what a query reads: parts and memory at one moment, as a
//! [`Scan`](bellwether_columns::Scan). The room knows no queries and no clock; receipt times come with
//! the events, and [`Store::step`] is told what time it is.
//!
//! ```text
//! LOCK             held while the store is open
//! manifest.json    which parts there are, and up to which event they reach
//! wal/*.wal        the write-ahead log
//! parts/*.parquet  the parts, named by their events and their content
//! parts/*.ids      which named events each part of the last seven days holds
//! parts/*.hot      hot columns: what most questions ask of each part
//! ```
//!
//! # What it costs
//! A commit is one `write` and one `fdatasync`, whatever the number of calls that wait for it: the
//! caller groups them by committing from one thread. Sizes below are of 20,000 generated events of 285
//! bytes of JSON, each with four properties and a random UUID as `insert_id`
//! (`an_event_takes_few_bytes`). A log record takes 87 bytes for each (LZ4 over MessagePack, 100 to a
//! group), and as much as before it was compressed in memory: rows are what their record held, and are read in place.
//! Sealing reads no file: it sorts rows that are in memory, and writes 34 bytes for each into the
//! part, of which 16 are the UUID, and 31 into the list beside it, for seven days. Appends and commits
//! wait for it only while the log changes files. Merging rewrites a row two or three times in its life, and at most
//! 24 times: see `docs/decisions/0021-parts-and-compaction.md`. A snapshot is a handful of pointers.
//!
//! In memory are: the rows since the last part (bounded by [`Settings`]), 2 to 4 bytes for each named
//! event of the last seven days (bounded, too), the footer of each part and the index of its hot columns (about one
//! byte for 50 events), of a merge a batch of each part and a block of the new one, the
//! properties of each user and group that has some, and the users of each device that had one. The last two are
//! read from parts and log when a store is opened.
//!
//! ```
//! use bellwether_model::{Event, Millis, event::Who};
//! use bellwether_store::{Outcome, Settings, Store};
//! # let home = tempfile::tempdir()?;
//! # let dir = home.path();
//! let (store, _) = Store::open(dir, Settings::default())?;
//! let visit = Event {
//!     environment: "production".parse()?, event: "visit".into(), who: Who::User("u1".into()),
//!     time: Millis(10), received: Millis(12), insert_id: Some("a".into()), session: None,
//!     properties: Default::default(), user_properties: Default::default(), groups: Default::default(),
//!     group_properties: Default::default(), user_changes: Default::default(), group_changes: Default::default(),
//!     revision: None,
//! };
//! let ticket = store.append(vec![visit.clone(), visit])?;
//! assert_eq!((ticket.taken.stored, ticket.taken.duplicates), (1, 1));
//! assert_eq!(store.outcome(&ticket), Outcome::Waiting);
//! store.commit()?;
//! assert_eq!(store.outcome(&ticket), Outcome::Committed);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod backup;
mod compact;
pub mod disk;
mod doctor;
mod error;
mod expire;
mod files;
mod fingerprint;
mod forget;
mod had;
mod heat;
mod ids;
mod manifest;
mod memory;
mod pack;
mod packed;
mod part;
mod people;
mod person;
mod receipt;
mod recovery;
mod room;
mod seal;
mod seen;
mod snapshot;
mod store;
mod wal;

#[cfg(test)]
mod tests;

pub use backup::Backup;
pub use doctor::Report;
pub use error::StoreError;
pub use expire::Past;
pub use fingerprint::Fingerprint;
pub use forget::{Id, Person};
pub use had::{Asked, Had};
pub use person::Page;
pub use recovery::Recovery;
pub use seal::Step;
pub use seen::Known;
pub use snapshot::Snapshot;
pub use store::{Outcome, Settings, Stats, Store, Ticket};

//! Store: what is committed at one moment, for reading.

use std::ops::ControlFlow;
use std::sync::Arc;

use bellwether_columns::{Batch, Known, Scan, ScanError, Want};
use bellwether_model::{EnvironmentKey, Event, Seq};

use crate::memory::{Row, View};
use crate::part::Part;
use crate::people::Shared;

/// The events of a store at one moment: its parts, the rows that are being written into the next
/// one, and the rows since. Every committed event is in exactly one of them.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub(crate) parts: Arc<Vec<Arc<Part>>>,
    pub(crate) frozen: View,
    pub(crate) active: View,
    pub(crate) owners: Shared,
    pub(crate) seq: Seq,
}

/// Rows in memory that become one batch.
const BATCH: usize = 8_192;

impl Snapshot {
    /// The last committed event: all up to it are here, and none after it.
    #[must_use]
    pub fn seq(&self) -> Seq {
        self.seq
    }

    /// How many events there are.
    #[must_use]
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> u64 {
        let parts: u64 = self.parts.iter().map(|p| p.entry().rows).sum();
        parts + (self.frozen.len() + self.active.len()) as u64
    }

    /// How many parts they lie in, those in memory not counted.
    #[must_use]
    pub fn parts(&self) -> usize {
        self.parts.len()
    }

    /// The newest `limit` events of an environment by time of receipt, the newest first; of several
    /// with the same time, the later in the log first.
    ///
    /// # Errors
    /// When a part cannot be read.
    pub fn events(&self, environment: &EnvironmentKey, limit: usize) -> Result<Vec<Event>, ScanError> {
        self.newest(environment, &|_| true, limit)
    }

    /// As [`Snapshot::events`], of the event types that `of` says.
    ///
    /// # Errors
    /// When a part cannot be read.
    pub fn newest(
        &self,
        environment: &EnvironmentKey,
        of: &dyn Fn(&str) -> bool,
        limit: usize,
    ) -> Result<Vec<Event>, ScanError> {
        let age = |row: &Row| std::cmp::Reverse((row.event.received, row.seq));
        let wanted = |row: &&Row| row.event.environment == *environment && of(&row.event.event);
        let mut memory: Vec<&Row> = self.memory().filter(wanted).collect();
        memory.sort_unstable_by_key(|row| age(row));
        memory.truncate(limit);
        let mut found: Vec<Row> = memory.into_iter().cloned().collect();

        let mut parts: Vec<&Arc<Part>> = self.parts.iter().collect();
        parts.sort_by_key(|part| std::cmp::Reverse(part.entry().received.1));
        for part in parts {
            let enough = found.len() >= limit;
            if enough && found.last().is_none_or(|oldest| oldest.event.received > part.entry().received.1) {
                break;
            }
            found.extend(part.newest(environment, of, limit)?);
            found.sort_unstable_by_key(age);
            found.truncate(limit);
        }
        Ok(found.into_iter().map(|row| row.event).collect())
    }

    fn memory(&self) -> impl Iterator<Item = &Row> {
        self.frozen.rows().chain(self.active.rows())
    }
}

impl Scan for Snapshot {
    fn seq(&self) -> Seq {
        self.seq
    }

    fn scan(&self, want: &Want, each: &mut dyn FnMut(&Batch) -> ControlFlow<()>) -> Result<(), ScanError> {
        let name = |batch: &mut Batch, seqs: &[Seq]| {
            let owners = self.owners.read();
            batch.name_people(
                owners.of(&want.environment),
                seqs,
                want.people.unwrap_or(Known::Now),
                self.seq,
            );
        };
        for part in self.parts.iter() {
            if part.scan(want, &name, each)?.is_break() {
                return Ok(());
            }
        }
        let mut wanted = self.memory().filter(|row| want.wants(&row.event)).peekable();
        while wanted.peek().is_some() {
            let (seqs, events): (Vec<Seq>, Vec<&Event>) =
                wanted.by_ref().take(BATCH).map(|row| (row.seq, &row.event)).unzip();
            let mut batch = Batch::of(&events, &want.properties);
            if want.people.is_some() {
                name(&mut batch, &seqs);
            }
            if each(&batch).is_break() {
                return Ok(());
            }
        }
        Ok(())
    }
}

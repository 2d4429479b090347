//! Store: what is committed at one moment, for reading.

use std::cmp::Reverse;
use std::ops::ControlFlow;
use std::sync::Arc;

use bellwether_columns::{Batch, Cells, Ids, Known, PropertyName, Scan, ScanError, Strings, Want};
use bellwether_model::{EnvironmentKey, Event, Json, Seq};

use crate::forget::{self, Forgotten};
use crate::memory::{Row, View};
use crate::packed::{Brief, Cell, Flat, Packed};
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
    /// Who is being forgotten: their rows are not shown.
    pub(crate) forgotten: Arc<Vec<Forgotten>>,
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

    /// How many events there are; those that are being forgotten count until they are gone.
    #[must_use]
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> u64 {
        let parts: u64 = self.parts.iter().map(|p| p.entry().rows).sum();
        parts + (self.frozen.len() + self.active.len()) as u64
    }

    /// Whether nobody is being forgotten, so that all that is stored is shown.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.forgotten.is_empty()
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
        let age = |row: &Row| Reverse((row.event.received, row.seq));
        let mut memory = Vec::new();
        for row in self.memory() {
            if self.hides(row)? {
                continue;
            }
            let brief = row.brief().map_err(unread)?;
            if brief.environment == environment.as_str() && of(brief.event) {
                memory.push((Reverse((brief.received, row.seq)), row));
            }
        }
        memory.sort_unstable_by_key(|(age, _)| *age);
        memory.truncate(limit);
        let mut found = Vec::with_capacity(memory.len());
        for (_, row) in memory {
            found.push(Row { seq: row.seq, event: row.event().map_err(unread)? });
        }

        let mut parts: Vec<&Arc<Part>> = self.parts.iter().collect();
        parts.sort_by_key(|part| Reverse(part.entry().received.1));
        for part in parts {
            let enough = found.len() >= limit;
            if enough && found.last().is_none_or(|oldest| oldest.event.received > part.entry().received.1) {
                break;
            }
            found.extend(part.newest(environment, of, &self.forgotten, limit)?);
            found.sort_unstable_by_key(age);
            found.truncate(limit);
        }
        Ok(found.into_iter().map(|row| row.event).collect())
    }

    /// Whether a row in memory is of somebody who is being forgotten.
    fn hides(&self, row: Packed<'_>) -> Result<bool, ScanError> {
        Ok(!self.forgotten.is_empty() && forget::hides(&self.forgotten, row).map_err(unread)?)
    }

    fn memory(&self) -> impl Iterator<Item = Packed<'_>> {
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
                want.ids.known().unwrap_or(Known::Now),
                self.seq,
            );
        };
        for part in self.parts.iter() {
            if part.scan(want, &self.forgotten, &name, each)?.is_break() {
                return Ok(());
            }
        }
        let mut memory = self.memory();
        loop {
            let mut rows = Vec::new();
            for row in memory.by_ref() {
                if wants(want, row.brief().map_err(unread)?) && !self.hides(row)? {
                    rows.push(row.flat().map_err(unread)?);
                    if rows.len() == BATCH {
                        break;
                    }
                }
            }
            if rows.is_empty() {
                return Ok(());
            }
            let mut batch = batch(&rows, want);
            if want.ids.known().is_some() {
                let seqs: Vec<Seq> = rows.iter().map(|row| row.seq).collect();
                name(&mut batch, &seqs);
            }
            if each(&batch).is_break() {
                return Ok(());
            }
        }
    }
}

/// Events in memory do not read.
fn unread(why: &str) -> ScanError {
    ScanError::Unreadable { what: "memory".to_owned(), why: why.to_owned() }
}

/// Whether a row is wanted: [`Want::wants`] of an event that is not read yet.
fn wants(want: &Want, brief: Brief<'_>) -> bool {
    brief.environment == want.environment.as_str()
        && brief.time >= want.from
        && brief.time < want.to
        && want.events.as_ref().is_none_or(|events| events.iter().any(|event| event == brief.event))
}

/// The batch of these events, all of which become rows: [`Batch::of`] of events that are read in place.
fn batch<'b>(rows: &[Flat<'b>], want: &Want) -> Batch {
    let cells = |property: &PropertyName| {
        let of = |row: &Flat<'b>| match property {
            PropertyName::Event(name) => row.properties.get(name).map(Cell::json),
            PropertyName::User(name) => row.user_properties.get(name).map(Cell::json),
            PropertyName::Group(kind) => row.groups.get(kind).map(Cell::json),
        };
        let values: Vec<Option<Json>> = rows.iter().map(of).collect();
        Cells::typed(values.iter().map(Option::as_ref))
    };
    let ids = |of: fn(&Flat<'b>) -> Option<&'b str>| match want.ids {
        Ids::None => Strings::default(),
        Ids::Came | Ids::People(_) => Strings::intern(rows.iter().map(of)),
    };
    Batch {
        rows: rows.len(),
        time: rows.iter().map(|row| row.time.0).collect(),
        event: Strings::intern(rows.iter().map(|row| Some(row.event))),
        user: ids(|row| row.user),
        device: ids(|row| row.device),
        person: Strings::default(),
        properties: want.properties.iter().map(cells).collect(),
    }
}

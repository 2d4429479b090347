//! Store: what is stored of a person, counted, and handed out by pages. However much somebody has, no more of it is in
//! memory at once than a page and a few rows.

use std::collections::{BTreeMap, BinaryHeap};
use std::io::{self, Write};
use std::sync::Arc;

use bellwether_model::{EnvironmentKey, Event, Seq};

use crate::error::StoreError;
use crate::forget::{Forgotten, Id, Person, hides};
use crate::part::Part;
use crate::seal::unreadable;
use crate::snapshot::Snapshot;
use crate::store::{Store, lock};

/// Rows of a part that are looked for at once before it is known how large they are.
const AT_ONCE: usize = 500;

/// A page of what is stored of somebody.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// Who each of the ids is.
    pub people: Vec<Person>,
    /// Their events and their places in the log, which rise.
    pub events: Vec<(Seq, Event)>,
    /// The bytes of these events, as JSON.
    pub bytes: usize,
    /// Whether there are others after them.
    pub more: bool,
}

/// The first events of those that are added in any order: as many as a page holds, and one always.
#[derive(Debug)]
struct First {
    limit: usize,
    most: usize,
    bytes: usize,
    rows: BTreeMap<Seq, (Event, usize)>,
    /// The first that is too much: nothing from it on belongs to the page.
    cut: Option<Seq>,
}

impl First {
    fn new(limit: usize, most: usize) -> Self {
        Self { limit, most, bytes: 0, rows: BTreeMap::new(), cut: None }
    }

    fn add(&mut self, seq: Seq, event: Event) {
        if self.cut.is_some_and(|cut| seq >= cut) {
            return;
        }
        let size = size(&event);
        self.bytes += size;
        self.rows.insert(seq, (event, size));
        while self.rows.len() > self.limit || (self.bytes > self.most && self.rows.len() > 1) {
            let Some((last, (_, size))) = self.rows.pop_last() else { return };
            self.bytes -= size;
            self.cut = Some(last);
        }
    }

    /// How many more rows of the size of those that are there it has room for, and the one that is too much.
    fn room(&self) -> usize {
        let left = self.limit.saturating_sub(self.rows.len()).saturating_add(1);
        match self.bytes / self.rows.len().max(1) {
            0 => left.min(AT_ONCE),
            mean => left.min((self.most.saturating_sub(self.bytes) / mean).max(AT_ONCE)),
        }
    }
}

/// The bytes of an event as JSON, in which it is handed out.
fn size(event: &Event) -> usize {
    struct Count(usize);

    impl Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let mut count = Count(0);
    // An event is JSON everywhere: nothing of it cannot be written.
    let _ = serde_json::to_writer(&mut count, event);
    count.0
}

/// The first of a part's rows of these people after one of the log, at most so many: their places in the log, which rise,
/// and in the part.
fn first_in(
    part: &Part,
    people: &[Forgotten],
    except: &[Forgotten],
    after: Seq,
    most: usize,
) -> Result<Vec<(Seq, usize)>, StoreError> {
    let mut first = BinaryHeap::new();
    part.each_of(people, except, &mut |seq, place| {
        if seq > after {
            first.push((seq, place));
            if first.len() > most {
                first.pop();
            }
        }
    })
    .map_err(unreadable)?;
    Ok(first.into_sorted_vec())
}

/// Whom a snapshot does not show of those in a part.
fn unseen<'s>(snapshot: &'s Snapshot, part: &Part) -> &'s [Forgotten] {
    if part.may_hide(&snapshot.forgotten) { &snapshot.forgotten } else { &[] }
}

impl Store {
    /// The events of a person after one of the log, in the order in which they came: at most `limit`, and of no more than
    /// so many bytes where it is more than one; and who each of their ids is. Each page looks for them in the parts that
    /// it needs.
    ///
    /// # Errors
    /// As [`Store::person`], and [`StoreError::Corrupt`] where a part cannot be read.
    pub fn events_of(
        &self,
        environment: &EnvironmentKey,
        ids: &[Id<'_>],
        after: Seq,
        limit: usize,
        bytes: usize,
    ) -> Result<Page, StoreError> {
        let people: Vec<Forgotten> =
            ids.iter().map(|id| self.meant(environment, *id)).collect::<Result<_, _>>()?;
        let snapshot = self.snapshot();
        let mut first = First::new(limit, bytes);
        let mut parts: Vec<&Arc<Part>> = snapshot.parts.iter().collect();
        parts.sort_by_key(|part| part.entry().first);
        for part in parts.into_iter().filter(|part| part.entry().last > after) {
            if first.cut.is_some() {
                break;
            }
            let left = limit.saturating_sub(first.rows.len()).saturating_add(1);
            let theirs = first_in(part, &people, unseen(&snapshot, part), after, left)?;
            let mut theirs = theirs.as_slice();
            // By pieces: who has much in a part has more there than fits.
            while !theirs.is_empty() && first.cut.is_none() {
                let (piece, rest) = theirs.split_at(first.room().min(theirs.len()));
                theirs = rest;
                let mut places: Vec<usize> = piece.iter().map(|(_, place)| *place).collect();
                places.sort_unstable();
                part.each_at(&places, &mut |row| first.add(row.seq, row.event)).map_err(unreadable)?;
            }
        }
        for row in snapshot.frozen.rows().chain(snapshot.active.rows()).filter(|row| row.seq > after) {
            let unread = |why| StoreError::corrupt(&self.dir, 0, why);
            if first.cut.is_some() {
                break;
            }
            if hides(&people, row).map_err(unread)? && !hides(&snapshot.forgotten, row).map_err(unread)? {
                first.add(row.seq, row.event().map_err(unread)?);
            }
        }
        Ok(Page {
            people: people.iter().map(Forgotten::person).collect(),
            bytes: first.bytes,
            more: first.cut.is_some(),
            events: first.rows.into_iter().map(|(seq, (event, _))| (seq, event)).collect(),
        })
    }

    /// Of which of these ids anything is known beside the events: properties, devices, what they told of groups. It outlives
    /// events that are past their time.
    ///
    /// # Errors
    /// As [`Store::person`].
    pub fn known(&self, environment: &EnvironmentKey, ids: &[Id<'_>]) -> Result<Vec<bool>, StoreError> {
        let people: Vec<Forgotten> =
            ids.iter().map(|id| self.meant(environment, *id)).collect::<Result<_, _>>()?;
        let intake = lock(&self.intake);
        Ok(people.iter().map(|one| intake.people.knows(one)).collect())
    }

    /// Of which of these ids anything is stored: what is known, or events.
    ///
    /// # Errors
    /// As [`Store::events_of`].
    pub fn seen(&self, environment: &EnvironmentKey, ids: &[Id<'_>]) -> Result<Vec<bool>, StoreError> {
        let mut found = self.known(environment, ids)?;
        let people: Vec<Forgotten> =
            ids.iter().map(|id| self.meant(environment, *id)).collect::<Result<_, _>>()?;
        let snapshot = self.snapshot();
        for part in snapshot.parts.iter() {
            if !found.contains(&false) {
                return Ok(found);
            }
            part.find(&people, unseen(&snapshot, part), &mut found).map_err(unreadable)?;
        }
        for row in snapshot.frozen.rows().chain(snapshot.active.rows()) {
            let unread = |why| StoreError::corrupt(&self.dir, 0, why);
            if hides(&snapshot.forgotten, row).map_err(unread)? {
                continue;
            }
            for (one, found) in people.iter().zip(&mut found).filter(|(_, found)| !**found) {
                *found = hides(std::slice::from_ref(one), row).map_err(unread)?;
            }
        }
        Ok(found)
    }

    /// The users of a device, in the order in which they were first seen on it.
    #[must_use]
    pub fn users_of(&self, environment: &EnvironmentKey, device: &str) -> Vec<String> {
        let owners = lock(&self.shown).owners.clone();
        let owners = owners.read();
        let users = owners.of(environment).map(|known| known.users(device)).unwrap_or_default();
        users.into_iter().map(str::to_owned).collect()
    }

    /// The users of any device whose ids are `wanted`, sorted. Appends wait while it is asked of each.
    #[must_use]
    pub fn users(&self, environment: &EnvironmentKey, wanted: &dyn Fn(&str) -> bool) -> Vec<Arc<str>> {
        let owners = lock(&self.shown).owners.clone();
        let mut users: Vec<Arc<str>> = {
            let owners = owners.read();
            let everybody = owners.of(environment).into_iter().flat_map(|known| known.everybody());
            everybody.filter(|user| wanted(user)).map(Arc::clone).collect()
        };
        users.sort_unstable();
        users.dedup();
        users
    }

    /// How many events are stored of who has one of these ids.
    ///
    /// # Errors
    /// As [`Store::events_of`].
    pub fn count_of(&self, environment: &EnvironmentKey, ids: &[Id<'_>]) -> Result<u64, StoreError> {
        let people: Vec<Forgotten> =
            ids.iter().map(|id| self.meant(environment, *id)).collect::<Result<_, _>>()?;
        let snapshot = self.snapshot();
        let mut count = 0;
        for part in snapshot.parts.iter() {
            part.each_of(&people, unseen(&snapshot, part), &mut |_, _| count += 1).map_err(unreadable)?;
        }
        for row in snapshot.frozen.rows().chain(snapshot.active.rows()) {
            let unread = |why| StoreError::corrupt(&self.dir, 0, why);
            let theirs = hides(&people, row).map_err(unread)?;
            count += u64::from(theirs && !hides(&snapshot.forgotten, row).map_err(unread)?);
        }
        Ok(count)
    }
}

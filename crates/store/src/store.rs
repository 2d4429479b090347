//! Store: taking events in. A call is admitted or refused as a whole, and committed or lost as a whole.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bellwether_model::event::Taken;
use bellwether_model::{Event, Millis, Seq, Span};
use rustc_hash::FxHashMap;

use crate::compact::Compaction;
use crate::disk::{Disk, Held};
use crate::error::StoreError;
use crate::fingerprint::Fingerprint;
use crate::heat::Heating;
use crate::ids::{Named, Sought};
use crate::manifest::Manifest;
use crate::memory::{Memtable, is_shallow};
use crate::pack;
use crate::packed::Chunk;
use crate::part::Part;
use crate::people::People;
use crate::seen::Seen;
use crate::snapshot::Snapshot;
use crate::wal::Log;

/// The deepest nesting of a property that is taken. JSON text reads back to 128.
const DEEPEST: usize = 100;
/// About how many bytes an event is packed into.
const PACKED: usize = 448;

/// When to do what, and how much to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Rows in memory that make [`Store::step`] write a part.
    pub seal_rows: usize,
    /// Bytes in memory that make it write a part.
    pub seal_bytes: usize,
    /// How long after the receipt of the first row in memory it writes a part anyway.
    pub seal_age: Span,
    /// How many bytes of events may wait for a commit. As much again may be in one under way.
    pub queue_bytes: usize,
    /// How long after the receipt of an event its `insert_id` is known.
    pub dedupe: Span,
    /// How much memory the filters may take that say of most `insert_id`s at once that they are new: 2 to 4
    /// bytes for each named event of that time. Past it, the oldest are looked up on disk.
    pub dedupe_bytes: usize,
    /// Rows of the largest part that merging makes.
    pub merge_rows: u64,
    /// About how many rows a step merges; up to eight times as many where much is to be merged.
    pub step_rows: usize,
    /// Bytes of new parts after which what is known of people is written down again: a start reads no more.
    pub checkpoint_bytes: u64,
    /// Bytes of the disk that are kept free for sealing and for others: below them new events are refused.
    pub reserve: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            seal_rows: 200_000,
            seal_bytes: 64 << 20,
            seal_age: Span::MINUTE.times(5),
            queue_bytes: 16 << 20,
            dedupe: Span::DAY.times(7),
            dedupe_bytes: 256 << 20,
            merge_rows: 16_000_000,
            step_rows: 262_144,
            checkpoint_bytes: 16 << 20,
            reserve: 128 << 20,
        }
    }
}

/// What became of an append.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Ticket {
    /// The events are committed once [`Store::commit`] returned this or more, and none of the commits
    /// since failed. [`Store::outcome`] says which it is.
    pub seq: Seq,
    /// How many events are new.
    pub taken: Taken,
    /// The places in the call of those that are not, rising.
    pub again: Vec<usize>,
}

/// How a ticket stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Its events wait for a commit.
    Waiting,
    /// Its events are on disk and visible.
    Committed,
    /// A commit failed: its events were withdrawn, and may be appended again.
    Lost,
}

/// What a store holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Committed events.
    pub events: u64,
    /// Parts.
    pub parts: u64,
    /// Bytes on disk: parts and write-ahead log.
    pub bytes: u64,
    /// The last committed event.
    pub seq: Seq,
    /// Named events that duplicates are still known of.
    pub remembered: u64,
}

/// Events at rest. All methods may be called from many threads.
#[derive(Debug)]
pub struct Store {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) dir: PathBuf,
    pub(crate) settings: Settings,
    pub(crate) intake: Mutex<Intake>,
    /// Taken by whoever writes the log. Before `intake` and `shown`, never after.
    pub(crate) writer: Mutex<Writer>,
    pub(crate) shown: Mutex<Snapshot>,
    /// Taken by whoever changes the parts. Before `writer`, never after.
    pub(crate) manifest: Mutex<Manifest>,
    /// The merge under way. After `manifest`, never before.
    pub(crate) compaction: Mutex<Option<Compaction>>,
    /// Hot columns that are being written again. After `manifest`, never before.
    pub(crate) heating: Mutex<Option<Heating>>,
    /// Parts that are superfluous and may still be read.
    pub(crate) fading: Mutex<Vec<Weak<Part>>>,
    /// When parts were looked at for events that are past their time, by their file. After `compaction`, never before.
    pub(crate) looked: Mutex<FxHashMap<String, Millis>>,
    /// Whether the disk has less room than is kept free.
    pub(crate) tight: AtomicBool,
    /// Held, not used: the lock on the directory ends with it.
    pub(crate) _lock: Box<dyn Held>,
}

/// What is appended and not committed, and what must be known to append.
#[derive(Debug)]
pub(crate) struct Intake {
    pub(crate) queue: Vec<Queued>,
    /// How many bytes are in the queue.
    pub(crate) bytes: usize,
    /// How many bytes are committed and in no part yet.
    pub(crate) resident: usize,
    /// Whether a commit is under way.
    pub(crate) committing: bool,
    /// The last event that has a number.
    pub(crate) assigned: Seq,
    pub(crate) committed: Seq,
    pub(crate) seen: Seen,
    pub(crate) people: People,
    /// Events that were withdrawn, as ranges that end with their second number. Two neighbours have a
    /// commit that succeeded between them, so there are few.
    pub(crate) lost: Vec<(Seq, Seq)>,
}

/// What was taken of one call, on its way.
#[derive(Debug)]
pub(crate) struct Queued {
    first: Seq,
    /// Events as the log has them, and among them what is not stored.
    bytes: Vec<u8>,
    rows: Vec<Pending>,
}

/// An event on its way.
#[derive(Debug)]
pub(crate) struct Pending {
    /// Where it lies among the bytes.
    range: Range<usize>,
    print: Option<Fingerprint>,
    received: Millis,
}

/// Events as a record and memory have them: one after the other, and where each ends.
#[derive(Debug)]
struct Joined {
    bytes: Vec<u8>,
    ends: Vec<u32>,
}

impl Joined {
    /// All that is queued, after the head of their list.
    fn of(queued: &[Queued]) -> Result<Self, String> {
        let rows = || queued.iter().flat_map(|call| call.rows.iter().map(move |row| (call, row)));
        let long = || "a group of events passes 4 GiB".to_owned();
        let count: usize = queued.iter().map(|call| call.rows.len()).sum();
        let mut bytes = pack::head(count);
        bytes.reserve_exact(rows().map(|(_, row)| row.range.len()).sum());
        let mut ends = Vec::with_capacity(count + 1);
        let place = |bytes: &Vec<u8>| u32::try_from(bytes.len()).map_err(|_| long());
        ends.push(place(&bytes)?);
        for (call, row) in rows() {
            bytes.extend_from_slice(call.bytes.get(row.range.clone()).unwrap_or_default());
            ends.push(place(&bytes)?);
        }
        Ok(Self { bytes, ends })
    }
}

/// The writing end: the log, and the memory that shows what is in it.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) log: Log,
    pub(crate) active: Memtable,
}

/// Takes a lock. A thread that panicked while holding it left nothing half-done that the next one
/// would not notice: the log checks that its records follow each other.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Appends an event to bytes, and says where it lies there.
fn pack(event: &Event, into: &mut Vec<u8>) -> Range<usize> {
    let begin = into.len();
    pack::write(event, into);
    begin..into.len()
}

/// Those of one fingerprint.
fn named(sorted: &[Named], print: Fingerprint) -> &[Named] {
    let begin = sorted.partition_point(|named| named.print < print);
    let end = sorted.partition_point(|named| named.print <= print);
    sorted.get(begin..end).unwrap_or_default()
}

impl Store {
    /// Drops duplicates and queues the rest; nothing is visible or durable before [`Store::commit`].
    ///
    /// An event is a duplicate if one with the same environment, device (or user, where there is no
    /// device) and `insert_id` was received less than [`Settings::dedupe`] before, or still waits for
    /// its commit. That holds through a clock that went wrong and was set right. One without
    /// `insert_id` never is. Properties that are null are missing ones, and are left out.
    ///
    /// What an event changes of its user and its groups is done now, and each event keeps the properties that
    /// they have then. Those that it brings itself in `user_properties` count for it alone, where the user has
    /// no property of that name.
    ///
    /// The ticket covers the duplicates too: once it is committed, their originals are.
    ///
    /// # Errors
    /// [`StoreError::Full`], [`StoreError::NoRoom`] and [`StoreError::TooDeep`], and [`StoreError::Storage`] or
    /// [`StoreError::Corrupt`] where it cannot be read whether an event is new; nothing of the call was taken then.
    pub fn append(&self, mut events: Vec<Event>) -> Result<Ticket, StoreError> {
        let (packed, incoming) = Self::packed(&mut events)?;
        let (intake, listed) = self.look_up(&incoming)?;
        self.admit(intake, &listed, events, packed, incoming)
    }

    /// Events as the log has them, before they have numbers.
    pub(crate) fn packed(events: &mut [Event]) -> Result<(Vec<u8>, Vec<Pending>), StoreError> {
        let mut packed = Vec::with_capacity(events.len().saturating_mul(PACKED));
        let mut incoming = Vec::with_capacity(events.len());
        for event in events {
            event.properties.retain(|_, value| !value.is_null());
            event.user_properties.retain(|_, value| !value.is_null());
            if !is_shallow(event, DEEPEST) {
                return Err(StoreError::TooDeep { event: std::mem::take(&mut event.event), bound: DEEPEST });
            }
            // Here and not under the lock: nearly all of them are stored as they are.
            let range = pack(event, &mut packed);
            incoming.push(Pending { range, print: Fingerprint::of(event), received: event.received });
        }
        Ok((packed, incoming))
    }

    /// Gives numbers to those that are new, and queues them.
    pub(crate) fn admit(
        &self,
        mut intake: MutexGuard<'_, Intake>,
        listed: &[Named],
        mut events: Vec<Event>,
        mut packed: Vec<u8>,
        incoming: Vec<Pending>,
    ) -> Result<Ticket, StoreError> {
        self.has_room(&intake, packed.len())?;
        intake.people.near(&events);
        let mut taken = Taken::default();
        let first = Seq(intake.assigned.0 + 1);
        let mut rows = Vec::with_capacity(incoming.len());
        let mut again = Vec::new();
        for (at, (mut pending, event)) in incoming.into_iter().zip(&mut events).enumerate() {
            let listed = pending.print.map_or(&[][..], |print| named(listed, print));
            if pending.print.is_some_and(|print| !intake.seen.admit(print, event.received, listed)) {
                taken.duplicates += 1;
                again.push(at);
                continue;
            }
            let seq = Seq(intake.assigned.0 + 1);
            if intake.people.take(event, seq) {
                pending.range = pack(event, &mut packed);
            }
            taken.stored += 1;
            taken.unnamed += u64::from(pending.print.is_none());
            intake.assigned = seq;
            rows.push(pending);
        }
        if !rows.is_empty() {
            intake.bytes += packed.len();
            intake.queue.push(Queued { first, bytes: packed, rows });
        }
        // The original of a duplicate may be anywhere in what is not committed yet.
        let open = intake.committing || !intake.queue.is_empty();
        let seq = if open { intake.assigned } else { intake.committed };
        Ok(Ticket { seq, taken, again })
    }

    /// What the lists beside parts hold of these events, sorted, and the intake as long as that is true.
    pub(crate) fn look_up(
        &self,
        incoming: &[Pending],
    ) -> Result<(MutexGuard<'_, Intake>, Vec<Named>), StoreError> {
        let prints = incoming.iter().filter_map(|pending| pending.print);
        let sought: Vec<Sought> = prints.map(Sought::of).collect();
        loop {
            let lists = Arc::clone(lock(&self.intake).seen.lists());
            let mut listed = Vec::new();
            // List by list: the filter of one stays near the processor for all events of a call.
            for ids in lists.iter() {
                ids.find(&sought, &mut listed)?;
            }
            listed.sort_unstable();
            listed.dedup();
            let intake = lock(&self.intake);
            // What was in memory when the lists were read may be in a list by now.
            if Arc::ptr_eq(intake.seen.lists(), &lists) {
                return Ok((intake, listed));
            }
        }
    }

    /// Writes what is queued, with one sync, and shows it to readers. Returns the last committed event.
    /// Calls from several threads wait for each other.
    ///
    /// # Errors
    /// [`StoreError::Lost`] when the disk refused: then every event that was not committed is
    /// withdrawn, those appended meanwhile included, as duplicates among them may rely on the others.
    pub fn commit(&self) -> Result<Seq, StoreError> {
        let mut writer = lock(&self.writer);
        let queued = {
            let mut intake = lock(&self.intake);
            if intake.queue.is_empty() {
                return Ok(intake.committed);
            }
            intake.committing = true;
            intake.bytes = 0;
            std::mem::take(&mut intake.queue)
        };
        let joined = Joined::of(&queued);
        let first = queued.first().map_or(Seq(0), |call| call.first);
        let written = joined.and_then(|joined| {
            let count = joined.ends.len() as u64 - 1;
            writer.log.append(first, count, &joined.bytes).map(|()| joined)
        });
        match written {
            Ok(joined) => {
                let grown = self.show(&mut writer, &queued, joined);
                // After `shown`: who is told that an event is committed finds it.
                Ok(committed(&mut lock(&self.intake), &queued, writer.log.last(), grown))
            }
            Err(cause) => Err(withdraw(&mut lock(&self.intake), &queued, cause)),
        }
    }

    /// As [`Store::commit`], of what waits now and without letting go of either lock.
    pub(crate) fn drain(&self, writer: &mut Writer, intake: &mut Intake) -> Result<(), StoreError> {
        if intake.queue.is_empty() {
            return Ok(());
        }
        intake.bytes = 0;
        let queued = std::mem::take(&mut intake.queue);
        let first = queued.first().map_or(Seq(0), |call| call.first);
        let written = Joined::of(&queued).and_then(|joined| {
            let count = joined.ends.len() as u64 - 1;
            writer.log.append(first, count, &joined.bytes).map(|()| joined)
        });
        match written {
            Ok(joined) => {
                let grown = self.show(writer, &queued, joined);
                committed(intake, &queued, writer.log.last(), grown);
                Ok(())
            }
            Err(cause) => Err(withdraw(intake, &queued, cause)),
        }
    }

    /// Shows what was written to readers; by how many bytes memory grew.
    fn show(&self, writer: &mut Writer, queued: &[Queued], Joined { bytes, ends }: Joined) -> usize {
        let rows = || queued.iter().flat_map(|call| (call.first.0..).map(Seq).zip(&call.rows));
        let before = writer.active.bytes();
        if let Some((first, row)) = rows().next() {
            let chunk = Chunk::new(first, row.received, bytes, ends);
            writer.active.push(chunk);
        }
        let mut shown = lock(&self.shown);
        shown.active = writer.active.view();
        shown.seq = writer.log.last();
        writer.active.bytes() - before
    }

    /// How a ticket stands.
    #[must_use]
    pub fn outcome(&self, ticket: &Ticket) -> Outcome {
        let intake = lock(&self.intake);
        if intake.lost.iter().any(|&(from, through)| ticket.seq >= from && ticket.seq <= through) {
            Outcome::Lost
        } else if ticket.seq <= intake.committed {
            Outcome::Committed
        } else {
            Outcome::Waiting
        }
    }

    /// Whether a commit has anything to do.
    #[must_use]
    pub fn pending(&self) -> bool {
        !lock(&self.intake).queue.is_empty()
    }

    /// What is committed now. Later commits and steps do not change it.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        lock(&self.shown).clone()
    }

    /// What the store holds.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let log = lock(&self.writer).log.bytes();
        let snapshot = self.snapshot();
        let parts = Arc::clone(&snapshot.parts);
        Stats {
            events: snapshot.len(),
            parts: parts.len() as u64,
            bytes: log + parts.iter().map(|p| p.entry().bytes).sum::<u64>(),
            seq: snapshot.seq,
            remembered: lock(&self.intake).seen.len(),
        }
    }
}

/// What waited is on disk and shown.
fn committed(intake: &mut Intake, queued: &[Queued], seq: Seq, grown: usize) -> Seq {
    intake.committed = seq;
    intake.committing = false;
    intake.resident += grown;
    for (seq, row) in queued.iter().flat_map(|call| (call.first.0..).map(Seq).zip(&call.rows)) {
        intake.seen.commit(seq, row.print, row.received);
    }
    intake.people.commit(seq);
    seq
}

/// What waited could not be written.
fn withdraw(intake: &mut Intake, queued: &[Queued], cause: String) -> StoreError {
    let behind = std::mem::take(&mut intake.queue);
    intake.bytes = 0;
    intake.committing = false;
    let calls = queued.iter().chain(&behind);
    for print in calls.flat_map(|call| &call.rows).filter_map(|row| row.print) {
        intake.seen.withdraw(print);
    }
    intake.people.withdraw();
    let (from, through) = (Seq(intake.committed.0 + 1), intake.assigned);
    match intake.lost.last_mut() {
        Some((begin, end)) if *begin >= from => *end = through,
        _ => intake.lost.push((from, through)),
    }
    tracing::error!(%through, %cause, "a commit failed");
    StoreError::Lost { through, cause }
}

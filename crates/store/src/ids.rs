//! Store: which named events a part holds, sorted by fingerprint, beside it (`parts/*.ids`).
//!
//! It follows from the part: one that is lost or damaged is written again. All numbers are little-endian.
//!
//! ```text
//! header   magic "bwelids\n", version u32, crc32 u32 of what follows, events u64, first event u64
//! blocks   4096 bytes each: crc32 u32 of what follows, 146 entries or fewer, zeros
//! entry    fingerprint 16 bytes, event less the first u32, received i64
//! end      for each block: the first 8 bytes of its first fingerprint; the filter: a split-block Bloom filter
//!          of the fingerprints; the days: first event of the stretch u64, day i64, events u64; what it covers:
//!          first event u64, last u64; their four lengths in bytes, u64 each; crc32 u32 of the end
//! ```
//!
//! A part that came of several, some of which did not matter any more, has a list that covers the others.
//!
//! In memory are the end's fences and, where the bound allows it, the filter: 2 bytes for each event. A look-up
//! that the filter cannot answer (one in a thousand, and each true duplicate) reads one block.

mod filter;
mod join;

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bellwether_model::{Millis, Seq};
use parquet::bloom_filter::Sbbf;

use crate::disk::{Disk, Reading, Writing};
use crate::error::StoreError;
use crate::files::UNFINISHED;
use crate::fingerprint::Fingerprint;
use filter::Filter;
pub(crate) use filter::Sought;
pub(crate) use join::Join;

const MAGIC: &[u8; 8] = b"bwelids\n";
const VERSION: u32 = 1;
const HEADER: usize = 32;
const BLOCK: usize = 4_096;
const ENTRY: usize = 28;
const PER_BLOCK: usize = (BLOCK - 4) / ENTRY;
/// How often the filter says "maybe" of what is not there.
const MAYBE: f64 = 0.001;

/// How many events of each day of each stretch of the clock, by the stretch's first event.
pub(crate) type Tally = BTreeMap<(Seq, i64), u64>;

/// The first and the last of some events.
pub(crate) type Seqs = (Seq, Seq);

/// A named event: which, its place in the log, its receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Named {
    pub(crate) print: Fingerprint,
    pub(crate) seq: Seq,
    pub(crate) received: Millis,
}

/// The named events of a part. A copy is cheap.
#[derive(Debug, Clone)]
pub(crate) struct Ids {
    file: Arc<File>,
    filter: Option<Arc<Filter>>,
}

#[derive(Debug)]
struct File {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    reading: Arc<dyn Reading>,
    first: Seq,
    last: Seq,
    latest: Millis,
    events: u64,
    fences: Vec<u64>,
    filter_bytes: usize,
    tally: Tally,
    covers: Vec<Seqs>,
    /// Whether the file goes with the last who asks it.
    retired: AtomicBool,
}

impl Drop for File {
    fn drop(&mut self) {
        if self.retired.load(Ordering::Acquire)
            && let Err(cause) = self.disk.remove(&self.path)
        {
            tracing::warn!(file = %self.path.display(), %cause, "a superfluous file stays behind");
        }
    }
}

/// Where they lie beside a part.
pub(crate) fn path(part: &Path) -> PathBuf {
    part.with_extension("ids")
}

/// What the end of a file says: the first fingerprint of each block, the filter and its bytes, names a day, events covered.
type End = (Vec<u64>, Filter, usize, Tally, Vec<Seqs>);

/// The part of a file that is read: where it is, so that damage has its place.
fn damaged(path: &Path, why: &str) -> StoreError {
    StoreError::corrupt(path, 0, why)
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

fn long(bytes: &[u8], at: usize) -> Option<u64> {
    number(bytes, at).map(u64::from_le_bytes)
}

impl Ids {
    /// Opens what lies beside a part whose events are `first` to `last`, none received after `latest`.
    pub(crate) fn open(
        disk: &Arc<dyn Disk>,
        part: &Path,
        (first, last): Seqs,
        latest: Millis,
    ) -> Result<Self, StoreError> {
        let path = path(part);
        let reading = disk.open(&path).map_err(StoreError::io("open", &path))?;
        let bytes = |from: u64, len: usize| {
            let mut bytes = vec![0; len];
            reading.read_at(from, &mut bytes).map_err(StoreError::io("read", &path)).map(|()| bytes)
        };
        let header = bytes(0, HEADER)?;
        let (version, crc) =
            (number(&header, 8).map(u32::from_le_bytes), number(&header, 12).map(u32::from_le_bytes));
        if !header.starts_with(MAGIC) || crc != header.get(16..).map(crc32fast::hash) {
            return Err(damaged(&path, "this is not the header of a list of named events"));
        }
        if version != Some(VERSION) {
            return Err(StoreError::Newer { file: path, version: version.unwrap_or_default().into() });
        }
        let events = long(&header, 16).unwrap_or_default();
        if long(&header, 24) != Some(first.0) {
            return Err(damaged(&path, "it is of another part"));
        }
        let blocks = events.div_ceil(PER_BLOCK as u64);
        let end = HEADER as u64 + blocks * BLOCK as u64;
        let rest = reading.len().checked_sub(end).and_then(|len| usize::try_from(len).ok());
        let tail =
            bytes(end, rest.filter(|&len| len >= 36).ok_or_else(|| damaged(&path, "its end is missing"))?)?;
        let (body, crc) = tail.split_at(tail.len() - 4);
        if number(crc, 0).map(u32::from_le_bytes) != Some(crc32fast::hash(body)) {
            return Err(damaged(&path, "its end is not what was written"));
        }
        let parse = || -> Option<End> {
            let lengths = body.len().checked_sub(32)?;
            let length = |i: usize| long(body, lengths + 8 * i).and_then(|l| usize::try_from(l).ok());
            let (fences, rest) = body.get(..lengths)?.split_at_checked(length(0)?)?;
            let (filter, rest) = rest.split_at_checked(length(1)?)?;
            let (days, covers) = rest.split_at_checked(length(2)?)?;
            let fences: Vec<u64> = fences.chunks_exact(8).filter_map(|b| long(b, 0)).collect();
            let whole = fences.len() as u64 == blocks && covers.len() == length(3)?;
            if !whole {
                return None;
            }
            let day =
                |b: &[u8]| Some(((Seq(long(b, 0)?), number(b, 8).map(i64::from_le_bytes)?), long(b, 16)?));
            let tally: Tally = days.chunks_exact(24).filter_map(day).collect();
            let covers: Vec<Seqs> =
                covers.chunks_exact(16).filter_map(|b| Some((Seq(long(b, 0)?), Seq(long(b, 8)?)))).collect();
            Some((fences, Filter::of(filter)?, filter.len(), tally, covers))
        };
        let (fences, filter, filter_bytes, tally, covers) =
            parse().ok_or_else(|| damaged(&path, "its end does not add up"))?;
        let file = File {
            disk: Arc::clone(disk),
            path: path.clone(),
            reading,
            first,
            last,
            latest,
            events,
            fences,
            filter_bytes,
            tally,
            covers,
            retired: AtomicBool::new(false),
        };
        Ok(Self { file: Arc::new(file), filter: Some(Arc::new(filter)) })
    }

    /// Writes these events, sorted, beside the part of `seqs`, and syncs them, but not the name.
    pub(crate) fn write(
        disk: &Arc<dyn Disk>,
        part: &Path,
        seqs: Seqs,
        mut named: Vec<Named>,
        tally: &Tally,
    ) -> Result<(), StoreError> {
        named.sort_unstable();
        let mut writer = Writer::begin(disk, part, seqs.0, named.len() as u64)?;
        for event in named {
            writer.push(event)?;
        }
        writer.finish(tally, &[seqs])
    }

    /// The events of the part that it is of.
    pub(crate) fn covers(&self) -> &[Seqs] {
        &self.file.covers
    }

    pub(crate) fn first(&self) -> Seq {
        self.file.first
    }

    pub(crate) fn last(&self) -> Seq {
        self.file.last
    }

    /// The latest receipt.
    pub(crate) fn latest(&self) -> Millis {
        self.file.latest
    }

    pub(crate) fn events(&self) -> u64 {
        self.file.events
    }

    /// The bytes of its filter.
    pub(crate) fn filter_bytes(&self) -> usize {
        self.file.filter_bytes
    }

    /// Gives the memory of its filter back: each look-up reads a block from now on.
    pub(crate) fn unload(&mut self) {
        self.filter = None;
    }

    /// How many events came on which day.
    pub(crate) fn tally(&self) -> &Tally {
        &self.file.tally
    }

    /// Nobody asks it any more: its file goes with the last who still does.
    pub(crate) fn retire(&self) {
        self.file.retired.store(true, Ordering::Release);
    }

    /// Every event of these fingerprints.
    pub(crate) fn find(&self, sought: &[Sought], found: &mut Vec<Named>) -> Result<(), StoreError> {
        for one in sought {
            if self.filter.as_ref().is_none_or(|filter| filter.may_hold(one)) {
                self.read(one.print(), found)?;
            }
        }
        Ok(())
    }

    fn read(&self, print: Fingerprint, found: &mut Vec<Named>) -> Result<(), StoreError> {
        // Of several blocks that begin alike, the one before them may hold it, too.
        let after = self.file.fences.partition_point(|&fence| fence < print.high());
        for block in after.saturating_sub(1)..self.file.fences.len() {
            if self.file.fences.get(block).is_none_or(|&fence| fence > print.high()) {
                break;
            }
            found.extend(self.block(block)?.into_iter().filter(|named| named.print == print));
        }
        Ok(())
    }

    /// The events of a block.
    fn block(&self, block: usize) -> Result<Vec<Named>, StoreError> {
        let offset = (HEADER + block * BLOCK) as u64;
        let mut bytes = [0; BLOCK];
        self.file.reading.read_at(offset, &mut bytes).map_err(StoreError::io("read", &self.file.path))?;
        let (crc, body) = bytes.split_at(4);
        if number(crc, 0).map(u32::from_le_bytes) != Some(crc32fast::hash(body)) {
            return Err(StoreError::corrupt(&self.file.path, offset, "a block is not what was written"));
        }
        let before = (block * PER_BLOCK) as u64;
        let here =
            usize::try_from(self.file.events.saturating_sub(before)).unwrap_or(PER_BLOCK).min(PER_BLOCK);
        let entry = |bytes: &[u8]| {
            Some(Named {
                print: Fingerprint::from_bytes(number(bytes, 0)?),
                seq: Seq(self.file.first.0 + u64::from(number(bytes, 16).map(u32::from_le_bytes)?)),
                received: Millis(number(bytes, 20).map(i64::from_le_bytes)?),
            })
        };
        Ok(body.chunks_exact(ENTRY).take(here).filter_map(entry).collect())
    }

    /// All of them, sorted.
    pub(crate) fn all(&self) -> All {
        All { ids: self.clone(), block: 0, named: Vec::new().into_iter() }
    }
}

/// The events of a list, block by block.
#[derive(Debug)]
pub(crate) struct All {
    ids: Ids,
    block: usize,
    named: std::vec::IntoIter<Named>,
}

impl Iterator for All {
    type Item = Result<Named, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(named) = self.named.next() {
                return Some(Ok(named));
            }
            if self.block >= self.ids.file.fences.len() {
                return None;
            }
            match self.ids.block(self.block) {
                Ok(named) => {
                    self.block += 1;
                    self.named = named.into_iter();
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// A list that is being written. Dropped, it leaves nothing behind.
#[derive(Debug)]
struct Writer {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    unfinished: PathBuf,
    file: Option<BufWriter<Box<dyn Writing>>>,
    first: Seq,
    left: u64,
    block: Vec<u8>,
    fences: Vec<u64>,
    filter: Sbbf,
}

impl Drop for Writer {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            let _ = self.disk.remove(&self.unfinished);
        }
    }
}

impl Writer {
    fn begin(disk: &Arc<dyn Disk>, part: &Path, first: Seq, events: u64) -> Result<Self, StoreError> {
        let path = path(part);
        let unfinished = path.with_added_extension(UNFINISHED);
        let failed = |cause: parquet::errors::ParquetError| StoreError::Storage {
            doing: "prepare",
            what: path.clone(),
            cause: io::Error::other(cause),
        };
        let filter = Sbbf::new_with_ndv_fpp(events.max(1), MAYBE).map_err(failed)?;
        let mut header = Vec::with_capacity(HEADER);
        header.extend_from_slice(&events.to_le_bytes());
        header.extend_from_slice(&first.0.to_le_bytes());
        let crc = crc32fast::hash(&header);
        let file = disk.create(&unfinished).map_err(StoreError::io("create", &unfinished))?;
        let mut writer = Self {
            disk: Arc::clone(disk),
            path,
            unfinished,
            file: Some(BufWriter::with_capacity(1 << 16, file)),
            first,
            left: events,
            block: Vec::with_capacity(BLOCK),
            fences: Vec::new(),
            filter,
        };
        writer.bytes(MAGIC)?;
        writer.bytes(&VERSION.to_le_bytes())?;
        writer.bytes(&crc.to_le_bytes())?;
        writer.bytes(&header)?;
        Ok(writer)
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let Some(file) = &mut self.file else { return Ok(()) };
        file.write_all(bytes).map_err(StoreError::io("write", &self.unfinished))
    }

    fn push(&mut self, event: Named) -> Result<(), StoreError> {
        let place = u32::try_from(event.seq.0.wrapping_sub(self.first.0));
        let Ok(place) = place else {
            return Err(damaged(&self.path, "its part spans more than 2^32 events"));
        };
        if self.block.is_empty() {
            self.fences.push(event.print.high());
        }
        let print = event.print.to_bytes();
        self.filter.insert(print.as_slice());
        self.block.extend_from_slice(&print);
        self.block.extend_from_slice(&place.to_le_bytes());
        self.block.extend_from_slice(&event.received.0.to_le_bytes());
        self.left = self.left.saturating_sub(1);
        if self.left == 0 || self.block.len() == PER_BLOCK * ENTRY {
            let mut block = std::mem::take(&mut self.block);
            block.resize(BLOCK - 4, 0);
            self.bytes(&crc32fast::hash(&block).to_le_bytes())?;
            self.bytes(&block)?;
            block.clear();
            self.block = block;
        }
        Ok(())
    }

    fn finish(mut self, tally: &Tally, covers: &[Seqs]) -> Result<(), StoreError> {
        let mut end: Vec<u8> = self.fences.iter().flat_map(|fence| fence.to_le_bytes()).collect();
        let fences = end.len();
        self.filter.write_bitset(&mut end).map_err(|cause| StoreError::Storage {
            doing: "write",
            what: self.unfinished.clone(),
            cause: io::Error::other(cause),
        })?;
        let filter = end.len() - fences;
        for (&(stretch, day), &events) in tally {
            end.extend_from_slice(&stretch.0.to_le_bytes());
            end.extend_from_slice(&day.to_le_bytes());
            end.extend_from_slice(&events.to_le_bytes());
        }
        for seq in covers.iter().flat_map(|(first, last)| [first, last]) {
            end.extend_from_slice(&seq.0.to_le_bytes());
        }
        for length in [fences, filter, tally.len() * 24, covers.len() * 16] {
            end.extend_from_slice(&(length as u64).to_le_bytes());
        }
        let crc = crc32fast::hash(&end);
        self.bytes(&end)?;
        self.bytes(&crc.to_le_bytes())?;
        let Some(file) = self.file.take() else { return Ok(()) };
        let ended = file
            .into_inner()
            .map_err(|e| e.into_error())
            .and_then(|mut file| file.sync())
            .and_then(|()| self.disk.rename(&self.unfinished, &self.path))
            .map_err(StoreError::io("write", &self.path));
        if ended.is_err() {
            let _ = self.disk.remove(&self.unfinished);
        }
        ended
    }
}

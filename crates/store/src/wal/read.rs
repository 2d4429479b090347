//! Store: reading the log back. A torn tail of the newest file is a write that never returned and is
//! dropped; anything else that does not read is damage, and is named.

use std::path::{Path, PathBuf};

use bellwether_model::{Event, Seq};

use super::{Closed, HEADER, MAGIC, RECORD_HEADER, VERSION, checksum, ordinal};
use crate::disk::Disk;
use crate::error::StoreError;
use crate::files;

/// What was found in the log.
#[derive(Debug)]
pub(crate) struct Replayed {
    /// The files, oldest first.
    pub(crate) files: Vec<Closed>,
    /// The ordinal of the newest file.
    pub(crate) ordinal: u64,
    /// The last event of log and parts.
    pub(crate) last: Seq,
    /// How many records were read.
    pub(crate) records: u64,
    /// The tail that was not read.
    pub(crate) torn: Option<Torn>,
}

/// The bytes at the end of the newest file that are no whole record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Torn {
    pub(crate) file: PathBuf,
    /// Where the last whole record ends.
    pub(crate) offset: u64,
    pub(crate) bytes: u64,
}

struct Header {
    after: Seq,
    next: Seq,
}

/// The `N` bytes at `at`.
fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

fn parse_header(path: &Path, bytes: &[u8]) -> Result<Header, StoreError> {
    let parse = || {
        let magic: [u8; 8] = array(bytes, 0)?;
        let version = u32::from_le_bytes(array(bytes, 8)?);
        let after = Seq(u64::from_le_bytes(array(bytes, 12)?));
        let next = Seq(u64::from_le_bytes(array(bytes, 20)?));
        let crc = u32::from_le_bytes(array(bytes, 28)?);
        let whole = crc == crc32fast::hash(bytes.get(..HEADER - 4)?);
        Some((magic, version, Header { after, next }, whole))
    };
    match parse() {
        Some((magic, version, ..)) if &magic == MAGIC && version > VERSION => {
            Err(StoreError::Newer { file: path.to_owned(), version: version.into() })
        }
        Some((magic, _, header, true)) if &magic == MAGIC && header.next > header.after => Ok(header),
        _ => Err(StoreError::corrupt(path, 0, "this is not the header of a write-ahead log")),
    }
}

/// The record at `at`, if there is a whole one: its first event, its payload, and where it ends.
fn parse_record(bytes: &[u8], at: usize) -> Option<(Seq, &[u8], usize)> {
    let length = u32::from_le_bytes(array(bytes, at)?);
    let crc = u32::from_le_bytes(array(bytes, at + 4)?);
    let first = Seq(u64::from_le_bytes(array(bytes, at + 8)?));
    let begin = at + RECORD_HEADER;
    let end = begin.checked_add(usize::try_from(length).ok()?)?;
    let payload = bytes.get(begin..end)?;
    (checksum(length, first, payload) == crc).then_some((first, payload, end))
}

/// Whether a whole record that may follow `next` stands anywhere past `at`.
fn has_record_past(bytes: &[u8], at: usize, next: Seq) -> Option<usize> {
    (at + 1..bytes.len().saturating_sub(RECORD_HEADER)).find(|&candidate| {
        // The number is looked at first: it rules out nearly every place without a checksum.
        let follows = array(bytes, candidate + 8)
            .map(u64::from_le_bytes)
            .is_some_and(|first| first > next.0 && first - next.0 < 1 << 32);
        follows && parse_record(bytes, candidate).is_some()
    })
}

/// Reads every event past `sealed` from the log files of `dir`, in order, and changes nothing.
pub(crate) fn replay(
    disk: &dyn Disk,
    dir: &Path,
    sealed: Seq,
    each: &mut dyn FnMut(Seq, Event),
) -> Result<Replayed, StoreError> {
    let mut paths = Vec::new();
    for path in files::list(disk, dir)?.finished {
        let Some(ordinal) = ordinal(&path) else {
            return Err(StoreError::corrupt(&path, 0, "this file is no part of the write-ahead log"));
        };
        if let Some((previous, _)) = paths.last()
            && ordinal != previous + 1
        {
            return Err(StoreError::corrupt(&path, 0, "the file before it is missing"));
        }
        paths.push((ordinal, path));
    }
    let mut found = Replayed {
        files: Vec::new(),
        ordinal: paths.last().map_or(0, |(o, _)| *o),
        last: sealed,
        records: 0,
        torn: None,
    };
    if paths.is_empty() && sealed > Seq(0) {
        return Err(StoreError::corrupt(dir, 0, "there are parts, but the write-ahead log is missing"));
    }

    let mut upcoming = paths.into_iter().map(|(_, path)| path).peekable();
    let mut begun: Option<(Vec<u8>, Header)> = None;
    let mut last = None;
    while let Some(path) = upcoming.next() {
        let (bytes, header) = match begun.take() {
            Some(begun) => begun,
            None => read(disk, &path)?,
        };
        begun = upcoming.peek().map(|next| read(disk, next)).transpose()?;
        let until = begun.as_ref().map(|(_, next)| next.after);
        match last {
            None if header.after > sealed => {
                let why = format!("events `{}` to `{}` before it are missing", sealed.0 + 1, header.after);
                return Err(StoreError::corrupt(&path, 0, why));
            }
            Some(last) if header.after != last => {
                let why =
                    format!("it follows event `{}`, but the file before it ends at `{last}`", header.after);
                return Err(StoreError::corrupt(&path, 0, why));
            }
            _ => {}
        }
        let end = if until.is_some_and(|until| until <= sealed) {
            // Everything in it is in a part already.
            until.unwrap_or(sealed)
        } else {
            File { path: &path, bytes: &bytes, until, sealed }.events(header, &mut found, each)?
        };
        last = Some(end);
        found.last = found.last.max(end);
        let kept = found.torn.as_ref().map_or(bytes.len() as u64, |torn| torn.offset);
        found.files.push(Closed { path, last: end, bytes: kept });
    }
    Ok(found)
}

fn read(disk: &dyn Disk, path: &Path) -> Result<(Vec<u8>, Header), StoreError> {
    let bytes = files::read(disk, path).map_err(StoreError::io("read", path))?;
    let header = parse_header(path, &bytes)?;
    Ok((bytes, header))
}

struct File<'f> {
    path: &'f Path,
    bytes: &'f [u8],
    /// The last event that counts; none in the newest file.
    until: Option<Seq>,
    sealed: Seq,
}

impl File<'_> {
    /// Reads the records, and returns the last event.
    fn events(
        &self,
        header: Header,
        found: &mut Replayed,
        each: &mut dyn FnMut(Seq, Event),
    ) -> Result<Seq, StoreError> {
        let (mut last, mut next, mut at) = (header.after, header.next, HEADER);
        while self.until.is_none_or(|until| last < until) && at < self.bytes.len() {
            let damaged = |why: String| StoreError::corrupt(self.path, at as u64, why);
            let Some((first, payload, end)) = parse_record(self.bytes, at) else {
                if let Some(until) = self.until {
                    return Err(damaged(format!("no whole record, but events up to `{until}` must follow")));
                }
                if let Some(later) = has_record_past(self.bytes, at, next) {
                    return Err(damaged(format!("no whole record, but one follows at byte `{later}`")));
                }
                let bytes = (self.bytes.len() - at) as u64;
                found.torn = Some(Torn { file: self.path.to_owned(), offset: at as u64, bytes });
                break;
            };
            if first != next {
                return Err(damaged(format!("the record begins at event `{first}` instead of `{next}`")));
            }
            let events = decode(payload).map_err(damaged)?;
            for event in events {
                if next > self.sealed {
                    each(next, event);
                }
                last = next;
                next = Seq(next.0 + 1);
            }
            found.records += 1;
            at = end;
        }
        match self.until {
            Some(until) if last != until => {
                let why = format!("it ends at event `{last}`, but `{until}` was committed in it");
                Err(StoreError::corrupt(self.path, at as u64, why))
            }
            _ => Ok(last),
        }
    }
}

/// The events of a payload; there is at least one.
fn decode(payload: &[u8]) -> Result<Vec<Event>, String> {
    let packed = lz4_flex::decompress_size_prepended(payload).map_err(|e| e.to_string())?;
    let events: Vec<Event> = rmp_serde::from_slice(&packed).map_err(|e| e.to_string())?;
    if events.is_empty() { Err("a record without events".to_owned()) } else { Ok(events) }
}

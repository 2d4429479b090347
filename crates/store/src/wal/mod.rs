//! Store: the write-ahead log. What [`Log::append`] returned for is read back after a crash.
//!
//! A file is `wal/<ordinal>.wal`: a header, then records to its end. Ordinals have no gaps. All
//! numbers are little-endian.
//!
//! ```text
//! header   magic "bwelwal\n", version u32, after u64, next u64, crc32 u32 of what stands before it
//! record   length u32, crc32 u32 of (length, first, payload), first u64, payload
//! payload  uncompressed length u32, LZ4 block of the MessagePack of a list of events, fields by name
//! ```
//!
//! `first` is the `Seq` of the record's first event; within a file events are numbered without gaps
//! from `next`. `after` is the last event that was committed when the file was begun: whatever an
//! older file holds past it comes from a write that failed, was reported as failed, and is not read.

mod read;
mod write;

pub(crate) use read::replay;
pub(crate) use write::Log;

use std::path::{Path, PathBuf};

use bellwether_model::Seq;

const MAGIC: &[u8; 8] = b"bwelwal\n";
const VERSION: u32 = 1;
const HEADER: usize = 32;
const RECORD_HEADER: usize = 16;

/// A log file that is not written any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Closed {
    pub(crate) path: PathBuf,
    /// The last committed event in it or before it.
    pub(crate) last: Seq,
    pub(crate) bytes: u64,
}

fn path(dir: &Path, ordinal: u64) -> PathBuf {
    dir.join(format!("{ordinal:012}.wal"))
}

fn ordinal(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?.strip_suffix(".wal")?;
    (name.len() == 12).then(|| name.parse().ok())?
}

fn header(after: Seq, next: Seq) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&after.0.to_le_bytes());
    bytes.extend_from_slice(&next.0.to_le_bytes());
    let crc = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&crc.to_le_bytes());
    bytes
}

fn checksum(length: u32, first: Seq, payload: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&length.to_le_bytes());
    crc.update(&first.0.to_le_bytes());
    crc.update(payload);
    crc.finalize()
}

/// The record of events whose list is packed, at the beginning of `room`, which is kept from one record to the next: what
/// is new each time has to be made empty first.
fn record<'r>(first: Seq, packed: &[u8], room: &'r mut Vec<u8>) -> Result<&'r [u8], String> {
    const LONG: &str = "a group of events passes 4 GiB";
    let whole = u32::try_from(packed.len()).map_err(|_| LONG)?;
    let most = lz4_flex::block::get_maximum_output_size(packed.len());
    let begin = RECORD_HEADER + 4;
    if room.len() < begin + most {
        room.resize(begin + most, 0);
    }
    let payload = room.get_mut(begin..).unwrap_or_default();
    let packed = lz4_flex::block::compress_into(packed, payload).map_err(|e| e.to_string())?;
    let bytes = room.get_mut(..begin + packed).unwrap_or_default();
    let length = u32::try_from(packed + 4).map_err(|_| LONG)?;
    let mut head = Vec::with_capacity(begin);
    head.extend_from_slice(&length.to_le_bytes());
    head.extend_from_slice(&[0; 4]);
    head.extend_from_slice(&first.0.to_le_bytes());
    head.extend_from_slice(&whole.to_le_bytes());
    if let Some(place) = bytes.get_mut(..begin) {
        place.copy_from_slice(&head);
    }
    let crc = checksum(length, first, bytes.get(RECORD_HEADER..).unwrap_or_default());
    if let Some(place) = bytes.get_mut(4..8) {
        place.copy_from_slice(&crc.to_le_bytes());
    }
    Ok(bytes)
}

//! Store: hot columns, what most questions ask of a part, beside it and ready to be compared (`parts/*.hot`).
//!
//! They follow from the part: lost, damaged or of another version, they are written again, and until then its pages
//! answer. A block holds the rows of a row group. Of each it has the columns `environment`, `event`, `time`, `user`,
//! `device` and `seq`, and of properties those that many rows have and that take few bytes. All numbers are
//! little-endian.
//!
//! ```text
//! start    magic "bwelhot\n"
//! chunks   the columns of the first block one after the other, then those of the next
//! index    MessagePack: names of columns, and of each block its rows, least and greatest time, and chunks
//! end      bytes of the index u64, crc32 u32 of the index, version u32, magic "bwelhot\n"
//! ```
//!
//! A chunk is, for text: where each distinct value ends, u32; the values, UTF-8. For fractions: the distinct values, f64.
//! Then, for all: a number for each row in as few bytes as the greatest needs (none where all are 0), or for each run of
//! rows with the same number, and after these where each run ends, u32: whichever is shorter.
//!
//! - `time`: milliseconds since the `base` that the index says.
//! - `seq`: places in the log since `base`. Only whose a device is depends on it, so a row with a user has that of the
//!   row before it.
//! - text and fractions: 0 is missing, 1 the first of the distinct values. Distinct values are in order of appearance.
//! - booleans: 0 is missing, 1 false, 2 true. Integers: 0 is missing, and any other is added to `base`.
//!
//! Each chunk has a CRC-32 in the index, which is looked at whenever the chunk is read.

mod read;
mod write;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::decode::Why;
use crate::disk::Disk;
pub(super) use read::Found;
pub(crate) use write::{Encoder, Writer};

const MAGIC: &[u8; 8] = b"bwelhot\n";
const VERSION: u32 = 1;
/// Bytes of the end.
const END: usize = 24;

/// Where they lie beside a part.
pub(crate) fn path(part: &Path) -> PathBuf {
    part.with_extension("hot")
}

/// The hot columns of a part, without their bytes: a file is opened by each reader anew.
#[derive(Debug)]
pub(crate) struct Hot {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    index: Index,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Index {
    columns: Vec<String>,
    blocks: Vec<Block>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Block {
    rows: u32,
    /// Least and greatest time.
    time: (i64, i64),
    chunks: Vec<Chunk>,
}

/// A column of a block.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Chunk {
    /// Which of the columns.
    column: u32,
    /// Where its bytes begin, and how many there are.
    at: u64,
    bytes: u32,
    crc: u32,
    base: i64,
    /// Bytes of each number.
    width: u8,
    /// How many runs; 0 where each row has its number.
    runs: u32,
    /// How many distinct values, and the bytes of their texts.
    values: u32,
    texts: u32,
}

impl Hot {
    /// Opens what lies beside a part whose row groups have so many rows. Chunks are looked at when they are read.
    pub(crate) fn open(disk: &Arc<dyn Disk>, part: &Path, groups: &[u32]) -> Result<Self, Why> {
        let path = path(part);
        let file = disk.open(&path)?;
        let end = file.len().checked_sub(END as u64).ok_or("it is too short")?;
        let mut tail = [0; END];
        file.read_at(end, &mut tail)?;
        let (length, rest) = tail.split_first_chunk().ok_or("it is too short")?;
        let (crc, rest) = rest.split_first_chunk().ok_or("it is too short")?;
        let (version, magic) = rest.split_first_chunk().ok_or("it is too short")?;
        if magic != MAGIC {
            return Err("these are no hot columns".into());
        }
        let version = u32::from_le_bytes(*version);
        if version != VERSION {
            return Err(format!("they are of the version `{version}`, which is not read").into());
        }
        let length = u64::from_le_bytes(*length);
        let begin = end.checked_sub(length).ok_or("the index does not fit")?;
        let mut bytes = vec![0; usize::try_from(length)?];
        file.read_at(begin, &mut bytes)?;
        if crc32fast::hash(&bytes) != u32::from_le_bytes(*crc) {
            return Err("the index is not what was written".into());
        }
        let index: Index = rmp_serde::from_slice(&bytes)?;
        if !index.blocks.iter().map(|block| block.rows).eq(groups.iter().copied()) {
            return Err("its blocks are not the row groups of the part".into());
        }
        let mut chunks = index.blocks.iter().flat_map(|block| &block.chunks);
        if !chunks.all(|chunk| chunk.at.checked_add(chunk.bytes.into()).is_some_and(|end| end <= begin)) {
            return Err("a chunk is not in the file".into());
        }
        Ok(Self { disk: Arc::clone(disk), path, index })
    }
}

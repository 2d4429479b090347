//! Store: whether the bytes of parts are those that their names say, a piece at a time, before another part is made of them:
//! what a disk has changed meanwhile would be valid there, under a name of its own.

use std::sync::Arc;

use bellwether_columns::ScanError;
use sha2::{Digest, Sha256};

use super::decode::Why;
use super::digest;
use super::read::Part;
use crate::disk::Reading;

/// Bytes that are read at once.
const PIECE: usize = if cfg!(test) { 1_000 } else { 1 << 18 };

/// Parts that are looked at.
pub(super) struct Whole {
    left: Vec<Arc<Part>>,
    reading: Option<(Arc<dyn Reading>, u64, Sha256)>,
    /// Whether damage is an error; else it is said, and what is there counts.
    strict: bool,
}

impl std::fmt::Debug for Whole {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Whole").field("left", &self.left.len()).finish_non_exhaustive()
    }
}

impl Whole {
    pub(super) fn begin(parts: &[Arc<Part>], strict: bool) -> Self {
        Self { left: parts.iter().rev().cloned().collect(), reading: None, strict }
    }

    /// Goes on for about so many bytes; whether all is looked at.
    pub(super) fn advance(&mut self, bytes: usize) -> Result<bool, ScanError> {
        let mut read = 0;
        while read < bytes {
            let Some(part) = self.left.last() else { return Ok(true) };
            let part = Arc::clone(part);
            read += self.piece(&part).map_err(|why| part.unreadable(&why))?;
        }
        Ok(self.left.is_empty())
    }

    fn piece(&mut self, part: &Part) -> Result<usize, Why> {
        let (reading, at, hash) = match &mut self.reading {
            Some(reading) => reading,
            none => none.insert((part.disk().open(part.path())?, 0, Sha256::new())),
        };
        let left = usize::try_from(reading.len() - *at).unwrap_or(usize::MAX);
        let mut piece = vec![0; left.min(PIECE)];
        reading.read_at(*at, &mut piece)?;
        hash.update(&piece);
        *at += piece.len() as u64;
        if left > PIECE {
            return Ok(piece.len());
        }
        let hash = std::mem::take(hash);
        self.reading = None;
        self.left.pop();
        if part.entry().file.contains(&digest(hash)) {
            return Ok(piece.len());
        }
        part.spoil();
        if self.strict {
            return Err("its bytes are not those that its name says".into());
        }
        tracing::error!(part = %part.path().display(), "its bytes are not those that its name says; it is written again as it reads");
        Ok(piece.len())
    }
}

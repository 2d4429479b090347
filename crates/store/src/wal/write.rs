//! Store: writing the log, one record and one sync at a time.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bellwether_model::Seq;

use super::{Closed, HEADER, header, path, record};
use crate::disk::{Disk, Writing};
use crate::error::StoreError;
use crate::files;

#[derive(Debug)]
struct Open {
    file: Box<dyn Writing>,
    path: PathBuf,
    bytes: u64,
}

/// The log's writing end.
#[derive(Debug)]
pub(crate) struct Log {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    /// The file that records go to; none until the first record, and none after a failed write.
    open: Option<Open>,
    closed: Vec<Closed>,
    ordinal: u64,
    last: Seq,
    /// Where records are made, as large as the largest.
    room: Vec<u8>,
    /// Whether a file was removed and the removal may not last.
    removed: bool,
    /// A disk that takes these bytes of each record and then no more.
    #[cfg(test)]
    pub(crate) full: Option<Vec<u8>>,
}

impl Log {
    /// The log of `dir` whose files are `closed`, the last of them `ordinal`, and whose last event
    /// is `last`. The first record goes to a new file.
    pub(crate) fn new(disk: Arc<dyn Disk>, dir: &Path, closed: Vec<Closed>, ordinal: u64, last: Seq) -> Self {
        Self {
            disk,
            dir: dir.to_owned(),
            open: None,
            closed,
            ordinal,
            last,
            room: Vec::new(),
            removed: false,
            #[cfg(test)]
            full: None,
        }
    }

    /// The last event that is on disk.
    pub(crate) fn last(&self) -> Seq {
        self.last
    }

    /// The bytes of all its files.
    pub(crate) fn bytes(&self) -> u64 {
        self.closed.iter().map(|c| c.bytes).sum::<u64>() + self.open.as_ref().map_or(0, |o| o.bytes)
    }

    /// Writes `count` events, the first of which is `first` and whose list is packed, as one record, and syncs it: on success
    /// all of them are on disk, on failure none of them is ever read back by this process, nor by
    /// a later one once this one has written another record.
    pub(crate) fn append(&mut self, first: Seq, count: u64, packed: &[u8]) -> Result<(), String> {
        let mut room = std::mem::take(&mut self.room);
        let appended = record(first, packed, &mut room).and_then(|bytes| self.write(first, count, bytes));
        self.room = room;
        appended
    }

    fn write(&mut self, first: Seq, count: u64, bytes: &[u8]) -> Result<(), String> {
        if self.open.is_none() || first.0 != self.last.0 + 1 {
            self.rotate(first).map_err(|e| e.to_string())?;
        }
        #[cfg(test)]
        if let Some(torn) = self.full.clone() {
            self.break_file(&torn);
        }
        let Some(open) = &mut self.open else { return Err("the log has no open file".to_owned()) };
        match open.file.write_all(bytes).and_then(|()| open.file.sync()) {
            Ok(()) => {
                open.bytes += bytes.len() as u64;
                self.last = Seq(first.0 + count - 1);
                Ok(())
            }
            Err(cause) => {
                // After a failed sync nobody knows what is on disk, so nothing is written after it:
                // the next file's header says where this one ends. Cutting the torn bytes off is a
                // courtesy that may fail too.
                let why = format!("cannot write `{}`: {cause}", open.path.display());
                let _ = open.file.cut(open.bytes).and_then(|()| open.file.sync());
                // A file without a record goes, and its ordinal is free: or each try on a full disk would
                // leave a file and eat the rest of it. Not the only one: it says how far the log had come.
                let superfluous = open.bytes == HEADER as u64 && !self.closed.is_empty();
                if superfluous && self.disk.remove(&open.path).is_ok() {
                    self.open = None;
                    self.ordinal -= 1;
                }
                self.close();
                Err(why)
            }
        }
    }

    /// Begins a new file; `next` is the first event that it will hold.
    pub(crate) fn rotate(&mut self, next: Seq) -> Result<(), StoreError> {
        self.close();
        let path = path(&self.dir, self.ordinal + 1);
        let header = header(self.last, next);
        let file = files::create_from(&*self.disk, &path, &header)?;
        self.ordinal += 1;
        self.open = Some(Open { file, path, bytes: header.len() as u64 });
        Ok(())
    }

    /// What a failed write left is read back by no later process from now on, as after another record.
    pub(crate) fn settle(&mut self) -> Result<(), StoreError> {
        if self.open.is_none() && !self.closed.is_empty() {
            self.rotate(Seq(self.last.0 + 1))
        } else {
            Ok(())
        }
    }

    /// The files that are not written any more, oldest first.
    pub(crate) fn closed(&self) -> &[Closed] {
        &self.closed
    }

    /// The file that was just begun, and what is in it.
    pub(crate) fn begun(&self) -> Option<(PathBuf, Vec<u8>)> {
        let open = self.open.as_ref()?;
        Some((open.path.clone(), header(self.last, Seq(self.last.0 + 1))))
    }

    fn close(&mut self) {
        if let Some(open) = self.open.take() {
            self.closed.push(Closed { path: open.path, last: self.last, bytes: open.bytes });
        }
    }

    /// Removes files that hold nothing past `sealed`, oldest first, and says how many went. The
    /// newest file stays, because it says how far the log had come.
    pub(crate) fn trim(&mut self, sealed: Seq) -> Result<usize, StoreError> {
        let spare = usize::from(self.open.is_none());
        let mut removed = 0;
        self.sync_removal()?;
        while self.closed.len() > spare {
            let Some(oldest) = self.closed.first().filter(|c| c.last <= sealed) else { break };
            match self.disk.remove(&oldest.path) {
                Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
                    return Err(StoreError::io("remove", &oldest.path)(cause));
                }
                _ => {}
            }
            // It counts as gone from here on, even if that does not last: what is left must stand without it.
            self.closed.remove(0);
            self.removed = true;
            removed += 1;
            // Durable one by one, so that a crash never leaves a gap between two files.
            self.sync_removal()?;
        }
        Ok(removed)
    }

    /// As [`Log::trim`]; whether nothing that is sealed is left in any file.
    pub(crate) fn purge(&mut self, sealed: Seq) -> Result<bool, StoreError> {
        if self.open.is_none() && self.closed.last().is_some_and(|newest| newest.last <= sealed) {
            // The newest says how far the log had come, so another one must.
            self.rotate(Seq(self.last.0 + 1))?;
        }
        self.trim(sealed)?;
        Ok(self.closed.first().is_none_or(|oldest| oldest.last > sealed))
    }

    fn sync_removal(&mut self) -> Result<(), StoreError> {
        if self.removed {
            files::sync_dir(&*self.disk, &self.dir)?;
            self.removed = false;
        }
        Ok(())
    }

    /// Lets every write to the open file fail, as a full disk would, after `torn` bytes of garbage.
    #[cfg(test)]
    pub(crate) fn break_file(&mut self, torn: &[u8]) {
        #[derive(Debug)]
        struct Full;
        impl std::io::Write for Full {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                Err(std::io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        impl Writing for Full {
            fn sync(&mut self) -> std::io::Result<()> {
                Err(std::io::ErrorKind::StorageFull.into())
            }
            fn cut(&mut self, _: u64) -> std::io::Result<()> {
                Err(std::io::ErrorKind::StorageFull.into())
            }
        }
        if let Some(open) = &mut self.open {
            let _ = open.file.write_all(torn);
            open.file = Box::new(Full);
        }
    }
}

//! Sim: what is open on a disk: a file that is written, one that is read, and a lock. Each does to the disk's
//! state what is asked of it, and keeps nothing of the file itself.

use std::io::{self, Write};
use std::path::PathBuf;

use bellwether_store::disk::{Held, Reading, Writing};

use super::{Change, SimDisk, power};

#[derive(Debug)]
pub(super) struct SimLock {
    pub(super) disk: SimDisk,
    pub(super) path: PathBuf,
}

impl Held for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        self.disk.inner().locks.remove(&self.path);
    }
}

#[derive(Debug)]
pub(super) struct SimWriting {
    pub(super) disk: SimDisk,
    pub(super) file: usize,
    pub(super) at: usize,
}

impl Write for SimWriting {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.disk.between();
        let written = self.disk.inner().write(self.file, self.at, bytes)?;
        self.at += written;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Writing for SimWriting {
    fn sync(&mut self) -> io::Result<()> {
        self.disk.between();
        self.disk.inner().sync(self.file)
    }

    fn cut(&mut self, len: u64) -> io::Result<()> {
        let mut inner = self.disk.inner();
        let cut = inner.operate()?;
        let len = usize::try_from(len).map_err(io::Error::other)?;
        let content = inner.content(self.file)?;
        content.now.truncate(len);
        content.since.push(Change::Cut(len));
        self.at = len;
        if cut { Err(power()) } else { Ok(()) }
    }
}

#[derive(Debug)]
pub(super) struct SimReading {
    pub(super) disk: SimDisk,
    pub(super) file: usize,
    pub(super) len: u64,
}

impl Reading for SimReading {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        let inner = self.disk.inner();
        if inner.off {
            return Err(power());
        }
        let from = usize::try_from(offset).map_err(io::Error::other)?;
        let bytes = inner.files.get(self.file).and_then(|content| content.now.get(from..from + into.len()));
        into.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

//! Store: writing files so that a crash leaves either the old one or the new one, whole.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::disk::{Disk, Reading, Writing};
use crate::error::StoreError;

/// The name that a file has until it is whole.
pub(crate) const UNFINISHED: &str = "tmp";

/// Creates `path` with what `fill` writes: under a temporary name first, synced, then renamed, and
/// the rename synced too. When this returns, the file survives a power cut; when it fails, there is
/// no new file, or (where only the last sync failed) a whole one.
pub(crate) fn create<T>(
    disk: &dyn Disk,
    path: &Path,
    fill: impl FnOnce(&mut dyn Writing) -> Result<T, StoreError>,
) -> Result<(Box<dyn Writing>, T), StoreError> {
    let unfinished = path.with_added_extension(UNFINISHED);
    let made = (|| {
        let mut file = disk.create(&unfinished).map_err(StoreError::io("create", &unfinished))?;
        let filled = fill(&mut *file)?;
        file.sync().map_err(StoreError::io("sync", &unfinished))?;
        disk.rename(&unfinished, path).map_err(StoreError::io("create", path))?;
        Ok((file, filled))
    })();
    match made {
        Ok(made) => {
            sync_parent(disk, path)?;
            Ok(made)
        }
        Err(error) => {
            // What stays behind is removed at the next open.
            let _ = disk.remove(&unfinished);
            Err(error)
        }
    }
}

/// As [`create`], for bytes at hand.
pub(crate) fn create_from(
    disk: &dyn Disk,
    path: &Path,
    bytes: &[u8],
) -> Result<Box<dyn Writing>, StoreError> {
    let fill = |file: &mut dyn Writing| file.write_all(bytes).map_err(StoreError::io("write", path));
    create(disk, path, fill).map(|(file, ())| file)
}

/// All bytes of a file.
pub(crate) fn read(disk: &dyn Disk, path: &Path) -> io::Result<Vec<u8>> {
    let file = disk.open(path)?;
    let len = usize::try_from(file.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
    let mut bytes = vec![0; len];
    file.read_at(0, &mut bytes)?;
    Ok(bytes)
}

/// Makes what was created, renamed or removed beside `path` survive a power cut.
pub(crate) fn sync_parent(disk: &dyn Disk, path: &Path) -> Result<(), StoreError> {
    path.parent().map_or(Ok(()), |dir| sync_dir(disk, dir))
}

/// Makes what was created, renamed or removed in `dir` survive a power cut.
pub(crate) fn sync_dir(disk: &dyn Disk, dir: &Path) -> Result<(), StoreError> {
    disk.sync_dir(dir).map_err(StoreError::io("sync", dir))
}

/// What is read or written, hashed and counted on its way.
pub(crate) struct Summed<T> {
    pub(crate) inner: T,
    pub(crate) hash: Sha256,
    pub(crate) bytes: u64,
}

impl<T> Summed<T> {
    pub(crate) fn new(inner: T) -> Self {
        Self { inner, hash: Sha256::new(), bytes: 0 }
    }

    fn add(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
    }
}

impl<T: Write> Write for Summed<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.add(bytes.get(..written).unwrap_or(bytes));
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<T: Read> Read for Summed<T> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(into)?;
        self.add(into.get(..read).unwrap_or_default());
        Ok(read)
    }
}

/// The files of a directory by name, those that were never finished set apart.
pub(crate) struct Listing {
    pub(crate) finished: Vec<PathBuf>,
    pub(crate) unfinished: Vec<PathBuf>,
}

/// Lists a directory, sorted by name.
pub(crate) fn list(disk: &dyn Disk, dir: &Path) -> Result<Listing, StoreError> {
    let mut paths = disk.list(dir).map_err(StoreError::io("list", dir))?;
    paths.sort();
    let (unfinished, finished) =
        paths.into_iter().partition(|p| p.extension().is_some_and(|e| e == UNFINISHED));
    Ok(Listing { finished, unfinished })
}

/// Reads a file from a place on, one piece after the other.
#[derive(Debug)]
pub(crate) struct Cursor {
    file: Arc<dyn Reading>,
    at: u64,
}

impl Cursor {
    pub(crate) fn new(file: Arc<dyn Reading>, at: u64) -> Self {
        Self { file, at }
    }
}

impl Read for Cursor {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.file.len().saturating_sub(self.at)).unwrap_or(usize::MAX);
        let much = into.len().min(left);
        let Some(into) = into.get_mut(..much) else { return Ok(0) };
        self.file.read_at(self.at, into)?;
        self.at += much as u64;
        Ok(much)
    }
}

//! Store: writing files so that a crash leaves either the old one or the new one, whole.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::error::StoreError;

/// The name that a file has until it is whole.
pub(crate) const UNFINISHED: &str = "tmp";

/// Creates `path` with what `fill` writes: under a temporary name first, synced, then renamed, and
/// the rename synced too. When this returns, the file survives a power cut; when it fails, there is
/// no new file, or (where only the last sync failed) a whole one.
pub(crate) fn create<T>(
    path: &Path,
    fill: impl FnOnce(&mut File) -> Result<T, StoreError>,
) -> Result<(File, T), StoreError> {
    let unfinished = path.with_added_extension(UNFINISHED);
    let made = (|| {
        let mut file = File::create(&unfinished).map_err(StoreError::io("create", &unfinished))?;
        let filled = fill(&mut file)?;
        file.sync_all().map_err(StoreError::io("sync", &unfinished))?;
        fs::rename(&unfinished, path).map_err(StoreError::io("create", path))?;
        Ok((file, filled))
    })();
    match made {
        Ok(made) => {
            sync_parent(path)?;
            Ok(made)
        }
        Err(error) => {
            // What stays behind is removed at the next open.
            let _ = fs::remove_file(&unfinished);
            Err(error)
        }
    }
}

/// As [`create`], for bytes at hand.
pub(crate) fn create_from(path: &Path, bytes: &[u8]) -> Result<File, StoreError> {
    create(path, |file| file.write_all(bytes).map_err(StoreError::io("write", path))).map(|(file, ())| file)
}

/// Makes what was created, renamed or removed beside `path` survive a power cut.
pub(crate) fn sync_parent(path: &Path) -> Result<(), StoreError> {
    path.parent().map_or(Ok(()), sync_dir)
}

/// Makes what was created, renamed or removed in `dir` survive a power cut.
pub(crate) fn sync_dir(dir: &Path) -> Result<(), StoreError> {
    // Windows cannot sync a directory and does not need to.
    if cfg!(unix) {
        File::open(dir).and_then(|d| d.sync_all()).map_err(StoreError::io("sync", dir))?;
    }
    Ok(())
}

/// The files of a directory by name, those that were never finished set apart.
pub(crate) struct Listing {
    pub(crate) finished: Vec<PathBuf>,
    pub(crate) unfinished: Vec<PathBuf>,
}

/// Lists a directory, sorted by name.
pub(crate) fn list(dir: &Path) -> Result<Listing, StoreError> {
    let read = |entry: io::Result<fs::DirEntry>| entry.map(|e| e.path());
    let mut paths: Vec<PathBuf> = fs::read_dir(dir)
        .and_then(|entries| entries.map(read).collect())
        .map_err(StoreError::io("list", dir))?;
    paths.sort();
    let (unfinished, finished) =
        paths.into_iter().partition(|p| p.extension().is_some_and(|e| e == UNFINISHED));
    Ok(Listing { finished, unfinished })
}

//! Store: opening. Whatever moment the last process ended at, the store is what was committed.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use bellwether_model::Seq;

use crate::error::StoreError;
use crate::files;
use crate::fingerprint::Fingerprint;
use crate::manifest::Manifest;
use crate::memory::{Memtable, Row, View, weight};
use crate::part::Part;
use crate::people::{People, Telling};
use crate::seal::unreadable;
use crate::seen::Seen;
use crate::snapshot::Snapshot;
use crate::store::{Intake, Settings, Store, Writer};
use crate::wal::{self, Log};

/// What was found when a store was opened.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recovery {
    /// Parts.
    pub parts: usize,
    /// Log records that were read.
    pub records: u64,
    /// Events that were read from the log into memory.
    pub replayed: u64,
    /// Bytes of a write that never returned, dropped from the end of the log.
    pub torn: u64,
    /// Files that a crash left unfinished or unnamed, removed.
    pub removed: usize,
    /// The last committed event.
    pub seq: Seq,
}

/// Locks a store's directory, for one process alone or (`shared`) among those that only read.
pub(crate) fn lock_dir(dir: &Path, shared: bool) -> Result<File, StoreError> {
    let path = dir.join("LOCK");
    let file = OpenOptions::new()
        .read(true)
        .write(!shared)
        .create(!shared)
        .truncate(false)
        .open(&path)
        .map_err(StoreError::io("open", &path))?;
    match if shared { file.try_lock_shared() } else { file.try_lock() } {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse { dir: dir.to_owned() }),
        Err(TryLockError::Error(cause)) => Err(StoreError::io("lock", &path)(cause)),
    }
}

/// Files in `parts/` that are named as a part is, finished or not, but that the manifest does not name.
pub(crate) fn orphans(dir: &Path, manifest: &Manifest) -> Result<Vec<PathBuf>, StoreError> {
    let named = |path: &Path| manifest.parts.iter().any(|e| path.ends_with(&e.file));
    let listing = files::list(&dir.join("parts"))?;
    let ours = |path: &PathBuf| {
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        let digits = name.bytes().take_while(|b| b.is_ascii_digit() || *b == b'-').count();
        digits >= 33 && !named(path)
    };
    Ok(listing.finished.into_iter().filter(ours).chain(listing.unfinished).collect())
}

impl Store {
    /// Opens the store in `dir`, which is created if it is not there.
    ///
    /// # Errors
    /// [`StoreError::InUse`] if it is open already; [`StoreError::Corrupt`] if what is there is not
    /// what was written, and then nothing is changed; [`StoreError::Newer`], [`StoreError::Storage`].
    pub fn open(dir: &Path, settings: Settings) -> Result<(Self, Recovery), StoreError> {
        let (logs, parts_dir) = (dir.join("wal"), dir.join("parts"));
        fs::create_dir_all(dir).map_err(StoreError::io("create", dir))?;
        let lock = lock_dir(dir, false)?;
        for dir in [&logs, &parts_dir] {
            fs::create_dir_all(dir).map_err(StoreError::io("create", dir))?;
        }
        files::sync_dir(dir)?;
        files::sync_parent(dir)?;

        let manifest = Manifest::read(dir)?;
        let mut seen = Seen::new(settings.dedupe, manifest.receipts(settings.dedupe));
        let mut parts = Vec::with_capacity(manifest.parts.len());
        for entry in &manifest.parts {
            parts.push(Arc::new(Part::open(&parts_dir, entry).map_err(unreadable)?));
        }

        // In the order of their events, which is that of the parts: no two of them overlap.
        let mut people = People::default();
        let mut ordered: Vec<&Arc<Part>> = parts.iter().collect();
        ordered.sort_by_key(|part| part.entry().first);
        for part in ordered {
            let mut tellings = part.tellings().map_err(unreadable)?;
            tellings.sort_unstable_by_key(|(seq, _)| *seq);
            for (seq, telling) in &tellings {
                people.restore(*seq, telling);
            }
        }

        let mut active = Memtable::default();
        let replayed = wal::replay(&logs, manifest.sealed, &mut |seq, event| {
            seen.commit(seq, Fingerprint::of(&event), event.received);
            if let Some(telling) = Telling::of(&event) {
                people.restore(seq, &telling);
            }
            let bytes = weight(&event, usize::MAX).unwrap_or(0);
            active.push(Row { seq, event }, bytes);
        })?;
        let orphans = orphans(dir, &manifest)?;
        if replayed.files.is_empty() && !orphans.is_empty() {
            return Err(StoreError::corrupt(
                dir,
                0,
                "there are parts, but no manifest and no write-ahead log",
            ));
        }
        for part in &parts {
            let entry = part.entry();
            if seen.reaches(entry.first, entry.last, entry.received.1) {
                let restore = &mut |seq, print, received| seen.restore(seq, print, received);
                part.prints(restore).map_err(unreadable)?;
            }
        }
        seen.forget();

        // From here on things change: what is there has been understood.
        let torn = replayed.torn.as_ref().map_or(0, |torn| torn.bytes);
        if let Some(torn) = &replayed.torn {
            let cut = OpenOptions::new().write(true).open(&torn.file).and_then(|file| {
                file.set_len(torn.offset)?;
                file.sync_all()
            });
            cut.map_err(StoreError::io("truncate", &torn.file))?;
            tracing::warn!(file = %torn.file.display(), bytes = torn.bytes, "dropped a torn write");
        }
        let mut removed = 0;
        let unfinished = [files::list(dir)?.unfinished, files::list(&logs)?.unfinished].concat();
        for path in orphans.iter().chain(&unfinished) {
            fs::remove_file(path).map_err(StoreError::io("remove", path))?;
            removed += 1;
        }

        let seq = replayed.last;
        let recovery = Recovery {
            parts: parts.len(),
            records: replayed.records,
            replayed: active.len() as u64,
            torn,
            removed,
            seq,
        };
        let shown = Snapshot {
            parts: Arc::new(parts),
            frozen: View::default(),
            active: active.view(),
            owners: people.owners(),
            seq,
        };
        let intake = Intake {
            queue: Vec::new(),
            bytes: 0,
            resident: active.bytes(),
            committing: false,
            assigned: seq,
            committed: seq,
            seen,
            people,
            lost: Vec::new(),
        };
        let log = Log::new(&logs, replayed.files, replayed.ordinal, seq);
        let store = Self {
            dir: dir.to_owned(),
            settings,
            intake: Mutex::new(intake),
            writer: Mutex::new(Writer { log, active }),
            shown: Mutex::new(shown),
            manifest: Mutex::new(manifest),
            _lock: lock,
        };
        Ok((store, recovery))
    }
}

//! Store: opening. Whatever moment the last process ended at, the store is what was committed.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use bellwether_model::Seq;

use crate::disk::{Disk, Held, RealDisk};
use crate::error::StoreError;
use crate::files;
use crate::fingerprint::Fingerprint;
use crate::ids::{self, Ids, Named};
use crate::manifest::Manifest;
use crate::memory::{Memtable, View};
use crate::packed::Gathering;
use crate::part::Part;
use crate::people::checkpoint;
use crate::people::{Opening, Telling};
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
pub(crate) fn lock_dir(disk: &dyn Disk, dir: &Path, shared: bool) -> Result<Box<dyn Held>, StoreError> {
    let path = dir.join("LOCK");
    disk.lock(&path, shared).map_err(|cause| match cause.kind() {
        io::ErrorKind::WouldBlock => StoreError::InUse { dir: dir.to_owned() },
        _ => StoreError::io("lock", &path)(cause),
    })
}

/// Files in `parts/` that are named as a part or a checkpoint is, finished or not, but that the manifest does not name.
pub(crate) fn orphans(disk: &dyn Disk, dir: &Path, manifest: &Manifest) -> Result<Vec<PathBuf>, StoreError> {
    // What lies beside a part belongs to it.
    let named = |path: &Path| {
        let files = manifest.parts.iter().map(|entry| &entry.file);
        let stem = |path| Path::file_stem(path);
        files.chain(manifest.people.iter().map(|known| &known.file)).any(|f| stem(f.as_ref()) == stem(path))
    };
    let listing = files::list(disk, &dir.join("parts"))?;
    let ours = |path: &PathBuf| {
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        let digits = name.bytes().take_while(|b| b.is_ascii_digit() || *b == b'-').count();
        (digits >= 33 || name.starts_with(checkpoint::NAME)) && !named(path)
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
        Self::open_on(Arc::new(RealDisk), dir, settings)
    }

    /// As [`Store::open`], on another disk than that of this machine.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_on(
        disk: Arc<dyn Disk>,
        dir: &Path,
        settings: Settings,
    ) -> Result<(Self, Recovery), StoreError> {
        let (logs, parts_dir) = (dir.join("wal"), dir.join("parts"));
        disk.create_dir(dir).map_err(StoreError::io("create", dir))?;
        let lock = lock_dir(&*disk, dir, false)?;
        for dir in [&logs, &parts_dir] {
            disk.create_dir(dir).map_err(StoreError::io("create", dir))?;
        }
        files::sync_dir(&*disk, dir)?;
        files::sync_parent(&*disk, dir)?;

        let manifest = Manifest::read(&*disk, dir)?;
        let receipts = manifest.receipts(settings.dedupe);
        let mut seen = Seen::new(settings.dedupe, receipts, settings.dedupe_bytes);
        let mut parts = Vec::with_capacity(manifest.parts.len());
        for entry in &manifest.parts {
            parts.push(Arc::new(Part::open(&disk, &parts_dir, entry).map_err(unreadable)?));
        }

        let mut people = Opening::begin(&*disk, &parts_dir, &manifest, &parts)?;

        let mut active = Memtable::default();
        let mut gathering = Gathering::default();
        let replayed = wal::replay(&*disk, &logs, manifest.sealed, &mut |seq, event| {
            seen.commit(seq, Fingerprint::of(&event), event.received);
            if let Some(telling) = Telling::of(&event) {
                people.take(seq, &telling);
            }
            // Packed anew, as this version packs them.
            gathering.add(seq, &event).into_iter().for_each(|chunk| active.push(chunk));
        })?;
        gathering.take().into_iter().for_each(|chunk| active.push(chunk));
        let people = people.end();
        if let Some(why) = manifest.people.as_ref().and_then(|known| known.ahead_of(replayed.last)) {
            return Err(StoreError::corrupt(&logs, 0, why));
        }
        let orphans = orphans(&*disk, dir, &manifest)?;
        if replayed.files.is_empty() && !orphans.is_empty() {
            return Err(StoreError::corrupt(
                dir,
                0,
                "there are parts, but no manifest and no write-ahead log",
            ));
        }
        // From here on things change: what is there has been understood.
        let torn = replayed.torn.as_ref().map_or(0, |torn| torn.bytes);
        if let Some(newest) = replayed.files.last() {
            // Where nothing is torn, too: a process that was killed may have written what it never synced, or what a
            // sync failed for, and what is read from here on is answered for.
            disk.cut(&newest.path, newest.bytes).map_err(StoreError::io("truncate", &newest.path))?;
            files::sync_dir(&*disk, &logs)?;
        }
        if let Some(torn) = &replayed.torn {
            tracing::warn!(file = %torn.file.display(), bytes = torn.bytes, "dropped a torn write");
        }
        let mut removed = 0;
        let unfinished =
            [files::list(&*disk, dir)?.unfinished, files::list(&*disk, &logs)?.unfinished].concat();
        for path in orphans.iter().chain(&unfinished) {
            disk.remove(path).map_err(StoreError::io("remove", path))?;
            removed += 1;
        }

        list_named(&disk, &parts, &mut seen)?;

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
            forgotten: Arc::new(manifest.forgotten.clone()),
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
        let log = Log::new(Arc::clone(&disk), &logs, replayed.files, replayed.ordinal, seq);
        let store = Self {
            disk,
            dir: dir.to_owned(),
            settings,
            intake: Mutex::new(intake),
            writer: Mutex::new(Writer { log, active }),
            shown: Mutex::new(shown),
            manifest: Mutex::new(manifest),
            compaction: Mutex::new(None),
            heating: Mutex::new(None),
            fading: Mutex::default(),
            looked: Mutex::default(),
            tight: AtomicBool::new(false),
            _lock: lock,
        };
        Ok((store, recovery))
    }
}

/// Opens the lists beside those parts that still matter, and writes those that are missing or damaged.
fn list_named(disk: &Arc<dyn Disk>, parts: &[Arc<Part>], seen: &mut Seen) -> Result<(), StoreError> {
    for part in parts {
        let entry = part.entry();
        let seqs = (entry.first, entry.last);
        if !seen.reaches(entry.first, entry.last, entry.received.1) {
            // Forgotten before, and the process ended before it was removed.
            let _ = disk.remove(&ids::path(part.path()));
            continue;
        }
        let open = || Ids::open(disk, part.path(), seqs, entry.received.1);
        let list = match open() {
            Ok(list) => list,
            Err(why) => {
                tracing::warn!(part = %part.path().display(), %why, "a part's list of named events is written again");
                let mut named = Vec::new();
                let each = &mut |seq, print, received| named.push(Named { print, seq, received });
                part.prints(each).map_err(unreadable)?;
                let tally = seen.tally(&named);
                Ids::write(disk, part.path(), seqs, named, &tally)?;
                files::sync_parent(&**disk, part.path())?;
                open()?
            }
        };
        seen.add(list);
    }
    Ok(())
}

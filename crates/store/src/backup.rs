//! Store: a copy of the store as it is at one moment, while it goes on.

use std::path::Path;
use std::sync::Arc;

use bellwether_model::Seq;

use crate::error::StoreError;
use crate::files;
use crate::ids;
use crate::manifest::Manifest;
use crate::part::{Part, hot};
use crate::recovery::lock_dir;
use crate::store::{Store, lock};

/// What a backup holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backup {
    /// The last event in it: every event that was committed before the backup began is in it.
    pub seq: Seq,
    /// Parts.
    pub parts: usize,
    /// Bytes of parts and log, of which a link takes none.
    pub bytes: u64,
}

impl Store {
    /// Makes `to`, which must not exist, a store with everything that is committed now. Parts and log files are
    /// linked where the disk can do that, so that a backup on the same disk takes no space, and copied elsewhere.
    /// Appends, commits and reads go on; a commit waits while the log changes files, and sealing while log files are
    /// linked. A backup that was cut off is not a store.
    ///
    /// The backup is a store like any other: open it, or copy it to where it is wanted. On the same disk it shares
    /// its files with this store until it is copied, so restore by copying.
    ///
    /// `begun` is called once it is settled what is in it: what is committed from then on is not. It is not called where
    /// that fails.
    ///
    /// # Errors
    /// When `to` exists, or cannot be written; then nothing of it is left but `to` with `.tmp` added.
    pub fn backup(&self, to: &Path, begun: impl FnOnce()) -> Result<Backup, StoreError> {
        let disk = &*self.disk;
        let exists = |dir: &Path| disk.list(dir).is_ok_and(|paths| !paths.is_empty());
        if exists(to) {
            let cause = std::io::ErrorKind::AlreadyExists.into();
            return Err(StoreError::Storage { doing: "make a backup in", what: to.to_owned(), cause });
        }
        let unfinished = to.with_added_extension(files::UNFINISHED);
        let (logs, parts_dir) = (unfinished.join("wal"), unfinished.join("parts"));
        for dir in [&logs, &parts_dir] {
            disk.create_dir(dir).map_err(StoreError::io("create", dir))?;
            // What an earlier one that was cut off left behind.
            for path in disk.list(dir).map_err(StoreError::io("list", dir))? {
                disk.remove(&path).map_err(StoreError::io("remove", &path))?;
            }
        }

        let (manifest, parts, mut backup) = self.log_and_manifest(&logs, &parts_dir)?;
        begun();
        for part in &parts {
            let path = part.path();
            self.link(path, &parts_dir)?;
            // Where one is needed and missing, it is written again.
            for beside in [ids::path(path), hot::path(path)] {
                if disk.open(&beside).is_ok() {
                    let _ = self.link(&beside, &parts_dir);
                }
            }
            backup.bytes += part.entry().bytes;
        }
        // It says who is being forgotten, too, whose events are in the log still.
        if !manifest.parts.is_empty() || manifest.sealed > Seq(0) || !manifest.forgotten.is_empty() {
            manifest.write(disk, &unfinished)?;
        }
        drop(lock_dir(disk, &unfinished, false)?);
        for dir in [&logs, &parts_dir, &unfinished] {
            files::sync_dir(disk, dir)?;
        }
        disk.rename(&unfinished, to).map_err(StoreError::io("create", to))?;
        files::sync_parent(disk, to)?;
        Ok(backup)
    }

    /// Links the log files and what is known of people, and says what belongs to them. While that lasts none of these goes;
    /// the parts stay while somebody has them.
    fn log_and_manifest(
        &self,
        logs: &Path,
        parts_dir: &Path,
    ) -> Result<(Manifest, Vec<Arc<Part>>, Backup), StoreError> {
        let manifest = lock(&self.manifest);
        let (closed, begun, seq) = {
            let mut writer = lock(&self.writer);
            let seq = writer.log.last();
            // What comes next goes to another file, so that all that is there stays as it is.
            writer.log.rotate(Seq(seq.0 + 1))?;
            (writer.log.closed().to_vec(), writer.log.begun(), seq)
        };
        let mut bytes = 0;
        for file in &closed {
            self.link(&file.path, logs)?;
            bytes += file.bytes;
        }
        if let Some((path, header)) = begun {
            // It says how far the others came. The store goes on writing it, so it is no link.
            let copy = logs.join(path.file_name().unwrap_or_default());
            files::create(&*self.disk, &copy, |file| {
                file.write_all(&header).map_err(StoreError::io("write", &copy))
            })?;
            bytes += header.len() as u64;
        }
        if let Some(known) = &manifest.people {
            self.link(&self.dir.join("parts").join(&known.file), parts_dir)?;
            bytes += known.bytes;
        }
        let parts = lock(&self.shown).parts.to_vec();
        let backup = Backup { seq, parts: parts.len(), bytes };
        Ok((manifest.clone(), parts, backup))
    }

    fn link(&self, from: &Path, into: &Path) -> Result<(), StoreError> {
        let to = into.join(from.file_name().unwrap_or_default());
        self.disk.link(from, &to).map_err(StoreError::io("link", from))
    }
}

//! App: backups. A backup is a data directory of one moment: the quarantine, the events, then the ledger, so that no event
//! is in none of them, and none in it was given by rules that its ledger does not know. It is made while the server goes
//! on, and restored by copying.

use std::fs::{self, DirBuilder, File};
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};

use bellwether_ledger::Ledger;
use bellwether_model::{Millis, Revision, Seq};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::{AppError, Refusal};
use crate::{App, Checkup};

mod files;

use files::Files;

/// What a backup says of itself; the last file that is written.
const NOTE: &str = "backup.json";
/// How many files are named of those that were lost.
const NAMED: usize = 5;
/// A directory that is not whole yet.
const UNFINISHED: &str = "tmp";

/// What every data directory has. The lock is empty, and without it nothing reads the events.
const ALWAYS: [&str; 4] = ["ledger.sqlite", "events/LOCK", "events/parts", "events/wal"];

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Backup {
    /// Its name, which is the name of its directory, too.
    pub backup: String,
    /// When it was made.
    pub taken: Millis,
    /// The newest change in it.
    pub revision: Revision,
    /// The newest event in it: every event that was acknowledged before it was begun is in it.
    pub seq: Seq,
    /// Bytes of events, ledger and quarantine. On the disk of the data directory events are linked, and take no space until the
    /// server has merged or forgotten what they are linked to.
    pub bytes: u64,
    /// The version of the program that made it.
    pub version: String,
}

impl Backup {
    /// What a directory says of itself, if it is a backup.
    ///
    /// # Errors
    /// `bad_input` when it is none, or cannot be read.
    pub fn read(dir: &Path) -> Result<Self, AppError> {
        told(dir)
    }

    /// The note of it, with the files that are there but the note.
    fn note(&self, dir: &Path) -> Result<Vec<u8>, AppError> {
        let failed = |e: &dyn std::fmt::Display| AppError::internal("write the backup", e);
        let mut note = serde_json::to_value(self).map_err(|e| failed(&e))?;
        if let Some(note) = note.as_object_mut() {
            note.insert("files".to_owned(), serde_json::json!(files::list(dir).map_err(|e| failed(&e))?));
        }
        serde_json::to_vec_pretty(&note).map_err(|e| failed(&e))
    }
}

/// What the note of a backup says, or some of it.
fn told<T: DeserializeOwned>(dir: &Path) -> Result<T, AppError> {
    let none = |cause: String| {
        AppError::bad_input(
            format!("`{}` is no backup", dir.display()),
            "name the directory of one backup, in which there is `backup.json`; one that was cut off has none",
        )
        .caused(cause)
    };
    let text = fs::read(dir.join(NOTE)).map_err(|e| none(e.to_string()))?;
    serde_json::from_slice(&text).map_err(|e| none(e.to_string()))
}

/// The files that the note of a backup lists. Those of earlier versions list none.
fn listed(dir: &Path) -> Result<Files, AppError> {
    #[derive(Deserialize)]
    struct Listed {
        #[serde(default)]
        files: Files,
    }
    told(dir).map(|Listed { files }| files)
}

/// Whether a directory is a backup. One that a server was started on is none any more: it has changed since.
pub(crate) fn is_one(dir: &Path) -> bool {
    dir.join(NOTE).is_file() && !dir.join("stream.key").exists()
}

/// What a data directory lacks, or a backup has lost, a sentence each. What was held apart has a file since the ledger has a
/// mark of the key of personal values.
///
/// # Errors
/// `bad_input` when the note of a backup cannot be read.
pub(crate) fn lost(dir: &Path, marked: bool) -> Result<Vec<String>, AppError> {
    let must = [&ALWAYS[..], if marked { &[crate::QUARANTINE] } else { &[] }].concat();
    let listed = if is_one(dir) { listed(dir)? } else { Files::new() };
    Ok(files::lost(dir, &must, &listed))
}

impl App {
    /// Where backups are made.
    fn backups_dir(&self) -> &Path {
        &self.backups
    }

    /// The backups that are there, the newest first.
    pub(crate) fn backups(&self) -> Result<Vec<Backup>, AppError> {
        let entries = match fs::read_dir(self.backups_dir()) {
            Ok(entries) => entries,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(AppError::internal("list the backups", e)),
        };
        let mut found: Vec<Backup> =
            entries.filter_map(|entry| Backup::read(&entry.ok()?.path()).ok()).collect();
        found.sort_by(|a, b| (b.taken, &b.backup).cmp(&(a.taken, &a.backup)));
        Ok(found)
    }

    /// Makes a backup of what is durable now. Requests are answered meanwhile; a second backup is refused.
    pub(crate) fn back_up(&self, now: Millis, rehearsed: bool) -> Result<Backup, AppError> {
        let Ok(_alone) = self.backing_up.try_lock() else {
            return Err(AppError::conflict("a backup is being made", "wait until `backup.list` shows it"));
        };
        let name = name(now);
        let dir = self.backups_dir().join(&name);
        if dir.exists() {
            return Err(AppError::conflict(
                format!("there is a backup `{name}` already"),
                "make the next one a moment later",
            ));
        }
        let stats = self.store.stats();
        let mut backup = Backup {
            backup: name,
            taken: now,
            revision: self.ledger.state().revision,
            seq: stats.seq,
            bytes: stats.bytes,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let failed = |e: Error| {
            AppError::new(
                Refusal::Conflict,
                "no_backup",
                format!("the backup could not be written: {}", e.kind()),
                "is there space, and may the server write where `--backups` says?",
            )
            .caused(e.to_string())
        };
        make(self.backups_dir()).map_err(failed)?;
        if rehearsed {
            return Ok(backup);
        }
        let unfinished = dir.with_added_extension(UNFINISHED);
        let written = (|| {
            remove(&unfinished).map_err(failed)?;
            make(&unfinished).map_err(failed)?;
            // Of one moment, as far as the two have something in common: nothing is released or deleted between them.
            let quarantine = unfinished.join(crate::QUARANTINE);
            let deciding = self.quarantine.decide();
            self.quarantine.file.backup(&quarantine)?;
            let events = self.store.backup(&unfinished.join("events"), || drop(deciding))?;
            let ledger = unfinished.join("ledger.sqlite");
            self.ledger.backup(&ledger)?;
            // Without it, what is hashed after a restore would not be what was hashed before.
            self.personal_key.copy_to(&unfinished).map_err(failed)?;
            backup.seq = events.seq;
            backup.revision = Ledger::newest_in(&ledger)?;
            let size = |path| fs::metadata(path).map(|file| file.len()).map_err(failed);
            backup.bytes = events.bytes + size(&ledger)? + size(&quarantine)?;
            let note = backup.note(&unfinished)?;
            let path = unfinished.join(NOTE);
            fs::write(&path, note).and_then(|()| File::open(&path)?.sync_all()).map_err(failed)?;
            sync(&unfinished).map_err(failed)?;
            fs::rename(&unfinished, &dir).map_err(failed)?;
            sync(self.backups_dir()).map_err(failed)
        })();
        if let Err(error) = written {
            // What is left of it is no backup; the next one of this name, or a person, removes it where this fails.
            let _ = remove(&unfinished);
            return Err(error);
        }
        Ok(backup)
    }

    /// Removes a backup.
    pub(crate) fn drop_backup(&self, name: &str, rehearsed: bool) -> Result<Backup, AppError> {
        let found = self.backups()?.into_iter().find(|backup| backup.backup == name);
        let found =
            found.ok_or_else(|| AppError::not_found("backup", name, "`backup.list` shows what there is"))?;
        if !rehearsed {
            let dir = self.backups_dir().join(&found.backup);
            // Half of one must not be taken for a backup.
            fs::remove_file(dir.join(NOTE))
                .and_then(|()| remove(&dir))
                .map_err(|e| AppError::internal("remove the backup", e))?;
        }
        Ok(found)
    }

    /// Makes a data directory of a backup: copies it, so that the two share nothing, and checks the copy.
    ///
    /// # Errors
    /// `bad_input` when `from` is no backup, or not all of one; `conflict` when `to` has something in it; `internal`
    /// when it cannot be copied. Nothing is left at `to` then.
    pub fn restore(from: &Path, to: &Path) -> Result<(Backup, Checkup), AppError> {
        let backup = Backup::read(from)?;
        if fs::read_dir(to).is_ok_and(|mut entries| entries.next().is_some()) {
            return Err(AppError::conflict(
                format!("`{}` has something in it", to.display()),
                "name a directory that is not there yet; nothing is overwritten",
            ));
        }
        let lost = files::lost(from, &ALWAYS, &listed(from)?);
        if !lost.is_empty() {
            let more = lost.len().saturating_sub(NAMED);
            let named = lost.into_iter().take(NAMED).collect::<Vec<_>>().join(", ");
            let more =
                if more == 0 { String::new() } else { format!(", and `{more}` more are not as they were") };
            return Err(AppError::bad_input(
                format!("the backup `{}` is not whole: {named}{more}", from.display()),
                "copy all of it again from where it was made, or restore an older one",
            ));
        }
        let failed = |e: Error| AppError::internal("copy the backup", e);
        let unfinished = to.with_added_extension(UNFINISHED);
        remove(&unfinished).map_err(failed)?;
        make(&unfinished).map_err(failed)?;
        let copied = copy(from, &unfinished).map_err(failed).and_then(|()| {
            fs::remove_file(unfinished.join(NOTE)).map_err(failed)?;
            let checkup = Self::doctor(&unfinished, false)?;
            let _ = fs::remove_dir(to);
            fs::rename(&unfinished, to).map_err(failed)?;
            Ok((backup, checkup))
        });
        if copied.is_err() {
            let _ = remove(&unfinished);
        }
        copied
    }
}

/// A moment as the name of a directory. Names are in the order of their moments.
fn name(at: Millis) -> String {
    let text = at.to_string();
    // A moment is written without the zeros that end it.
    let (whole, part) =
        text.trim_end_matches('Z').split_once('.').unwrap_or((text.trim_end_matches('Z'), ""));
    format!("{}.{part:0<3}Z", whole.replace(':', "-"))
}

/// A directory for its owner's eyes alone.
fn make(dir: &Path) -> Result<(), Error> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(dir)
}

fn remove(dir: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(dir) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

/// Copies what is in a directory, and has it on disk before it returns.
fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (from, to): (PathBuf, PathBuf) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            make(&to)?;
            copy(&from, &to)?;
        } else {
            fs::copy(&from, &to)?;
            File::open(&to)?.sync_all()?;
        }
    }
    sync(to)
}

fn sync(dir: &Path) -> Result<(), Error> {
    File::open(dir)?.sync_all()
}

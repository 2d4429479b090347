//! Store: the checkpoint of what is known of people, a file beside the parts: so that a start reads only the parts that
//! came since, and so that what an event told stays known when the event is past its time and goes.
//!
//! It is text, a line of JSON for each device and for each person or group, and its name holds the beginning of the SHA-256
//! of its bytes, as that of a part does. The manifest says which it is.

use std::borrow::Cow;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use bellwether_columns::Owners;
use bellwether_model::{EnvironmentKey, Properties, Seq};
use serde::{Deserialize, Serialize};

use super::{People, Profiles, Tellers};
use crate::disk::Disk;
use crate::error::StoreError;
use crate::files::{self, Cursor, Summed};
use crate::fingerprint::Fingerprint;
use crate::manifest::Manifest;
use crate::part::digest;
use crate::recovery::orphans;
use crate::store::{Store, lock};

/// How its files are named.
pub(crate) const NAME: &str = "people-";
const VERSION: u64 = 1;
/// How many times as large the parts must be that it does not know of before it is written again: so it costs a fraction
/// of what is written anyway, however many people there are.
const TIMES: u64 = 8;
const BUFFER: usize = 1 << 18;

/// The checkpoint, as the manifest knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Checkpoint {
    /// File name in `parts/`: the last event, and the beginning of the SHA-256 of its bytes.
    pub(crate) file: String,
    pub(crate) bytes: u64,
    /// It has what the events up to this one told.
    pub(crate) seq: Seq,
}

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    version: u64,
    seq: Seq,
}

/// A line after it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line<'l> {
    /// A device, with its users in their order and the event that each came with.
    Device { environment: EnvironmentKey, device: Cow<'l, str>, users: Vec<(Seq, Cow<'l, str>)> },
    /// A user, a device or a group, by the hash of its id; and by whose events a group was changed.
    Known {
        of: Fingerprint,
        properties: Cow<'l, Properties>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        by: Vec<Fingerprint>,
    },
}

/// What is known of people by what is committed.
#[derive(Debug)]
struct Settled {
    owners: Owners,
    profiles: Profiles,
    tellers: Tellers,
    seq: Seq,
}

impl People {
    /// What is known by the events up to the last that is committed, which is `seq`.
    fn settled(&self, seq: Seq) -> Settled {
        let mut owners = self.owners.read().clone();
        let mut profiles = self.profiles.clone();
        self.undo.iter().rev().for_each(|(_, undo)| undo.apply(&mut owners, &mut profiles));
        Settled { owners, profiles, tellers: self.tellers.clone(), seq }
    }

    fn know(&mut self, line: Line<'_>) {
        match line {
            Line::Device { environment, device, users } => {
                let mut owners = self.owners.write();
                for (from, user) in users {
                    owners.saw(&environment, &device, &user, from);
                }
            }
            Line::Known { of, properties, by } => {
                // As it was: it was written from such a text.
                self.profiles.insert(of, super::text(&properties));
                if !by.is_empty() {
                    self.tellers.insert(of, by.into_iter().collect());
                }
            }
        }
    }
}

impl Settled {
    fn write_to(&self, into: &mut dyn Write) -> io::Result<()> {
        let mut into = BufWriter::with_capacity(BUFFER, into);
        serde_json::to_writer(&mut into, &Head { version: VERSION, seq: self.seq })?;
        let mut line = |line: &Line<'_>| -> io::Result<()> {
            into.write_all(b"\n")?;
            Ok(serde_json::to_writer(&mut into, line)?)
        };
        for (environment, device, turns) in self.owners.all() {
            let users = turns.iter().map(|turn| (turn.from(), turn.user().into())).collect();
            line(&Line::Device { environment: environment.clone(), device: device.into(), users })?;
        }
        for (of, properties) in &self.profiles {
            let mut by: Vec<Fingerprint> = self.tellers.get(of).into_iter().flatten().copied().collect();
            by.sort_unstable();
            let properties = Cow::Owned(serde_json::from_str(properties)?);
            line(&Line::Known { of: *of, properties, by })?;
        }
        into.write_all(b"\n")?;
        into.flush()
    }

    /// Writes its file; the name lasts once the directory is synced.
    fn write(&self, disk: &dyn Disk, dir: &Path) -> Result<Checkpoint, StoreError> {
        // Its name follows from its content: until it is whole it has another.
        let unfinished = dir.join(format!("{NAME}{:016}.{}", self.seq.0, files::UNFINISHED));
        let named = (|| {
            let file = disk.create(&unfinished).map_err(StoreError::io("create", &unfinished))?;
            let mut file = Summed::new(file);
            self.write_to(&mut file).map_err(StoreError::io("write", &unfinished))?;
            file.inner.sync().map_err(StoreError::io("sync", &unfinished))?;
            let name = format!("{NAME}{:016}-{}.jsonl", self.seq.0, digest(file.hash));
            let path = dir.join(&name);
            disk.rename(&unfinished, &path).map_err(StoreError::io("create", &path))?;
            Ok(Checkpoint { file: name, bytes: file.bytes, seq: self.seq })
        })();
        if named.is_err() {
            let _ = disk.remove(&unfinished);
        }
        named
    }
}

impl Checkpoint {
    /// What is wrong where the log ends before it: what it knows of was committed.
    pub(crate) fn ahead_of(&self, last: Seq) -> Option<String> {
        let Self { file, seq, .. } = self;
        (*seq > last).then(|| format!("`{file}` knows of the event `{seq}`, and the log ends with `{last}`"))
    }

    /// What it knows.
    ///
    /// # Errors
    /// Where its bytes are not those that were written.
    pub(crate) fn read(&self, disk: &dyn Disk, parts: &Path) -> Result<People, StoreError> {
        let path = parts.join(&self.file);
        let file = disk.open(&path).map_err(StoreError::io("open", &path))?;
        let mut reader = BufReader::with_capacity(BUFFER, Summed::new(Cursor::new(file, 0)));
        let mut people = People::default();
        let (mut text, mut at) = (Vec::new(), 0);
        loop {
            text.clear();
            let read = reader.read_until(b'\n', &mut text).map_err(StoreError::io("read", &path))?;
            if read == 0 {
                break;
            }
            let damaged = |error: serde_json::Error| StoreError::corrupt(&path, at, error.to_string());
            if at > 0 {
                people.know(serde_json::from_slice(&text).map_err(damaged)?);
            } else {
                let Head { version, seq } = serde_json::from_slice(&text).map_err(damaged)?;
                if version > VERSION {
                    return Err(StoreError::Newer { file: path, version });
                }
                if seq != self.seq {
                    return Err(StoreError::corrupt(
                        &path,
                        at,
                        "it is not of the event that the manifest says",
                    ));
                }
            }
            at += read as u64;
        }
        if !self.file.contains(&digest(reader.into_inner().hash)) {
            return Err(StoreError::corrupt(&path, 0, "its bytes are not those that its name says"));
        }
        Ok(people)
    }
}

impl Store {
    /// Writes what is known of people by now beside the parts, in the place of what was written before. Appends wait while
    /// it is copied in memory. So many bytes of the disk stay free.
    ///
    /// # Errors
    /// [`StoreError::NoRoom`], or when a file could not be written; then the earlier one holds.
    pub(crate) fn checkpoint(&self, manifest: &mut Manifest, reserve: u64) -> Result<(), StoreError> {
        let about = manifest.people.as_ref().map_or(0, |known| known.bytes);
        if self.disk.room(&self.dir).is_some_and(|room| room < about.saturating_add(reserve)) {
            return Err(StoreError::NoRoom { dir: self.dir.clone(), reserve });
        }
        self.clear_unnamed(manifest)?;
        let settled = {
            let intake = lock(&self.intake);
            intake.people.settled(intake.committed)
        };
        let dir = self.dir.join("parts");
        let entry = settled.write(&*self.disk, &dir)?;
        files::sync_dir(&*self.disk, &dir)?;
        let mut next = manifest.clone();
        next.people = Some(entry);
        // Memory is without them.
        next.forgotten.iter_mut().for_each(|one| one.known = false);
        next.write(&*self.disk, &self.dir)?;
        let old = std::mem::replace(manifest, next).people;
        if let Some(old) = old.filter(|old| manifest.people.as_ref().is_some_and(|new| new.file != old.file))
        {
            let path = dir.join(&old.file);
            self.disk.remove(&path).map_err(StoreError::io("remove", &path))?;
        }
        Ok(())
    }

    /// Removes what was written before and could not be named, so that a disk that fails is not filled with it.
    fn clear_unnamed(&self, manifest: &Manifest) -> Result<(), StoreError> {
        let ours = |path: &PathBuf| {
            path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(NAME))
        };
        let unnamed: Vec<PathBuf> =
            orphans(&*self.disk, &self.dir, manifest)?.into_iter().filter(ours).collect();
        if !unnamed.is_empty() {
            // The manifest that names one of them, whose sync failed, may be the one on disk.
            manifest.write(&*self.disk, &self.dir)?;
        }
        for path in unnamed {
            self.disk.remove(&path).map_err(StoreError::io("remove", &path))?;
        }
        Ok(())
    }

    /// The same, where so much came since that a start would take long.
    pub(crate) fn checkpoint_if_due(&self, manifest: &mut Manifest) -> Result<(), StoreError> {
        let (since, bytes) = manifest.people.as_ref().map_or((Seq(0), 0), |known| (known.seq, known.bytes));
        let new: u64 = manifest.parts.iter().filter(|part| part.last > since).map(|part| part.bytes).sum();
        if new < self.settings.checkpoint_bytes.max(bytes.saturating_mul(TIMES)) {
            return Ok(());
        }
        match self.checkpoint(manifest, self.settings.reserve) {
            // Then a start takes longer, and that is all.
            Err(StoreError::NoRoom { .. }) => Ok(()),
            done => done,
        }
    }
}

//! Sim: a disk that keeps what was synced and nothing else. Between a write and its sync anything may be on it:
//! all of it, none, the front, some sectors; names that were made may be gone and removed ones back. It can be
//! full, refuse a sync, and lose its power before or in any operation.

mod open;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bellwether_store::disk::{Disk, Held, Reading, Writing};

use self::open::{SimLock, SimReading, SimWriting};
use crate::random::Random;

/// What is written at once or not at all.
const SECTOR: usize = 512;

/// A simulated disk; copies are the same disk.
#[derive(Debug, Clone)]
pub struct SimDisk {
    inner: Arc<Mutex<Inner>>,
    /// Called at each write and sync, as if other threads came in between.
    between: Arc<Mutex<Option<Between>>>,
}

/// What happens in between.
struct Between(Box<dyn FnMut() + Send>);

impl std::fmt::Debug for Between {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Between")
    }
}

/// Names that change at once, and what each then means.
type Renames = Vec<(PathBuf, Option<usize>)>;

#[derive(Debug)]
struct Inner {
    random: Random,
    files: Vec<Content>,
    dirs: BTreeSet<PathBuf>,
    /// What programs see.
    names: BTreeMap<PathBuf, usize>,
    /// What a power cut leaves for certain.
    durable: BTreeMap<PathBuf, usize>,
    /// Changes of names since the last sync of their directory, in order.
    pending: BTreeMap<PathBuf, Vec<Renames>>,
    locks: BTreeMap<PathBuf, usize>,
    /// Operations that change something, so far.
    operations: u64,
    /// The operation in which it ends, and whether it is the power that goes, or only the process.
    cut_at: Option<(u64, bool)>,
    off: bool,
    /// Bytes that fit; all, if none.
    capacity: Option<u64>,
    /// One sync in so many fails.
    failing: Option<u64>,
}

#[derive(Debug, Clone, Default)]
struct Content {
    now: Vec<u8>,
    synced: Vec<u8>,
    /// What was done since the last sync.
    since: Vec<Change>,
}

#[derive(Debug, Clone)]
enum Change {
    Write(usize, Vec<u8>),
    Cut(usize),
}

fn put(bytes: &mut Vec<u8>, at: usize, what: &[u8]) {
    if bytes.len() < at + what.len() {
        bytes.resize(at + what.len(), 0);
    }
    if let Some(place) = bytes.get_mut(at..at + what.len()) {
        place.copy_from_slice(what);
    }
}

/// What everything is answered with once the power is off.
pub(crate) const NO_POWER: &str = "the power is off";

fn power() -> io::Error {
    io::Error::other(NO_POWER)
}

impl Inner {
    fn content(&mut self, file: usize) -> io::Result<&mut Content> {
        self.files.get_mut(file).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn file(&self, path: &Path) -> io::Result<usize> {
        if self.off {
            return Err(power());
        }
        self.names.get(path).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// An operation that changes something: counts it, and says whether the power goes in it.
    fn operate(&mut self) -> io::Result<bool> {
        if self.off {
            return Err(power());
        }
        self.operations += 1;
        self.off = self.cut_at.is_some_and(|(at, _)| self.operations >= at);
        Ok(self.off)
    }

    fn used(&self) -> u64 {
        let held: BTreeSet<usize> = self.names.values().copied().collect();
        held.iter().filter_map(|&file| self.files.get(file)).map(|file| file.now.len() as u64).sum()
    }

    fn rename_in(&mut self, dir: &Path, changes: Renames) {
        for (path, file) in &changes {
            match file {
                Some(file) => self.names.insert(path.clone(), *file),
                None => self.names.remove(path),
            };
        }
        self.pending.entry(dir.to_owned()).or_default().push(changes);
    }

    fn write(&mut self, file: usize, at: usize, bytes: &[u8]) -> io::Result<usize> {
        let cut = self.operate()?;
        let mut len = bytes.len();
        if cut {
            // Torn in the write itself.
            len = self.random.place(len + 1);
        } else if let Some(capacity) = self.capacity {
            let room = usize::try_from(capacity.saturating_sub(self.used())).unwrap_or(usize::MAX);
            if room == 0 && len > 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            len = len.min(room);
        }
        let bytes = bytes.get(..len).unwrap_or(bytes).to_vec();
        let content = self.content(file)?;
        put(&mut content.now, at, &bytes);
        content.since.push(Change::Write(at, bytes));
        if cut { Err(power()) } else { Ok(len) }
    }

    fn sync(&mut self, file: usize) -> io::Result<()> {
        let cut = self.operate()?;
        let fails = self.failing.is_some_and(|often| self.random.once_in(often));
        if cut || fails {
            // Nobody knows how far it came. Of a process that is killed in it, the disk knows nothing.
            if fails || self.cut_at.is_some_and(|(_, power)| power) {
                self.settle(file);
            }
            return Err(if cut { power() } else { io::Error::other("the sync failed") });
        }
        let content = self.content(file)?;
        for change in std::mem::take(&mut content.since) {
            match change {
                Change::Write(at, bytes) => put(&mut content.synced, at, &bytes),
                Change::Cut(len) => content.synced.truncate(len),
            }
        }
        Ok(())
    }

    /// Some of what was done to a file since its last sync is on the disk now, and what is not never will be:
    /// a sync that fails is not made up for by one that works. Programs go on seeing all of it.
    fn settle(&mut self, file: usize) {
        let Some(content) = self.files.get_mut(file) else { return };
        let since = std::mem::take(&mut content.since);
        let mut kept = std::mem::take(&mut content.synced);
        // As a rule in order up to some point; sometimes each for itself.
        let ordered = self.random.once_in(2);
        let through = self.random.place(since.len() + 1);
        for (i, change) in since.iter().enumerate() {
            let whole = if ordered { i < through } else { self.random.once_in(2) };
            match change {
                Change::Cut(len) if whole => kept.truncate(*len),
                Change::Cut(_) => {}
                Change::Write(at, bytes) if whole => put(&mut kept, *at, bytes),
                Change::Write(at, bytes) if !ordered || i == through => {
                    if self.random.once_in(2) {
                        let front = self.random.place(bytes.len() + 1);
                        put(&mut kept, *at, bytes.get(..front).unwrap_or_default());
                    } else {
                        for (sector, bytes) in bytes.chunks(SECTOR).enumerate() {
                            if self.random.once_in(2) {
                                put(&mut kept, at + sector * SECTOR, bytes);
                            }
                        }
                    }
                }
                Change::Write(..) => {}
            }
        }
        if let Some(content) = self.files.get_mut(file) {
            content.synced = kept;
        }
    }
}

impl SimDisk {
    /// An empty disk.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let inner = Inner {
            random: Random::new(seed),
            files: Vec::new(),
            dirs: BTreeSet::new(),
            names: BTreeMap::new(),
            durable: BTreeMap::new(),
            pending: BTreeMap::new(),
            locks: BTreeMap::new(),
            operations: 0,
            cut_at: None,
            off: false,
            capacity: None,
            failing: None,
        };
        Self { inner: Arc::new(Mutex::new(inner)), between: Arc::default() }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets others act.
    fn between(&self) {
        // Taken out meanwhile: what others do does not let yet others act.
        let taken = self.between.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut between) = taken {
            (between.0)();
            *self.between.lock().unwrap_or_else(PoisonError::into_inner) = Some(between);
        }
    }

    /// Calls this at each write and sync from now on; nothing without.
    pub fn set_between(&self, between: Option<Box<dyn FnMut() + Send>>) {
        *self.between.lock().unwrap_or_else(PoisonError::into_inner) = between.map(Between);
    }

    /// How many operations there were that change something.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.inner().operations
    }

    /// Ends everything in the operation that comes so many after this: cuts the `power`, or kills the process;
    /// never without.
    pub fn cut_after(&self, operations: Option<u64>, power: bool) {
        let mut inner = self.inner();
        inner.cut_at = operations.map(|more| (inner.operations + 1 + more, power));
    }

    /// Whether everything has ended.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.inner().off
    }

    /// How many bytes are on it.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.inner().used()
    }

    /// How many bytes fit on it.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.inner().capacity = bytes;
    }

    /// Lets one sync in so many fail.
    pub fn set_failing(&self, often: Option<u64>) {
        self.inner().failing = often;
    }

    /// The process has ended and another begins, and says whether the power was off. Then there is what was synced
    /// and some of the rest; else all that was written, which is no more synced than before.
    pub fn restart(&self) -> bool {
        let mut inner = self.inner();
        let power = inner.off && inner.cut_at.is_some_and(|(_, power)| power);
        // An end that is still to come comes in the next process.
        if std::mem::take(&mut inner.off) {
            inner.cut_at = None;
        }
        inner.locks.clear();
        if !power {
            return false;
        }
        for file in 0..inner.files.len() {
            inner.settle(file);
            if let Some(content) = inner.files.get_mut(file) {
                content.now.clone_from(&content.synced);
                content.since.clear();
            }
        }
        let pending = std::mem::take(&mut inner.pending);
        for changes in pending.into_values() {
            let ordered = inner.random.once_in(2);
            let through = inner.random.place(changes.len() + 1);
            for (i, change) in changes.into_iter().enumerate() {
                if if ordered { i < through } else { inner.random.once_in(2) } {
                    apply(&mut inner.durable, change);
                }
            }
        }
        inner.names = inner.durable.clone();
        true
    }

    /// Turns one bit of a file over, and syncs it; false if there is no such file, or nothing in it.
    #[must_use]
    pub fn flip(&self, path: &Path) -> bool {
        let mut inner = self.inner();
        let Some(&file) = inner.names.get(path) else { return false };
        let len = inner.files.get(file).map_or(0, |content| content.now.len());
        let (at, bit) = (inner.random.place(len), inner.random.below(8));
        let Some(byte) = inner.files.get_mut(file).and_then(|content| content.now.get_mut(at)) else {
            return false;
        };
        *byte ^= 1 << bit;
        if let Some(content) = inner.files.get_mut(file) {
            content.synced.clone_from(&content.now);
            content.since.clear();
        }
        true
    }
}

fn apply(names: &mut BTreeMap<PathBuf, usize>, changes: Renames) {
    for (path, file) in changes {
        match file {
            Some(file) => names.insert(path, file),
            None => names.remove(&path),
        };
    }
}

fn parent(path: &Path) -> PathBuf {
    path.parent().unwrap_or(Path::new("")).to_owned()
}

impl Disk for SimDisk {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        let mut inner = self.inner();
        if inner.off {
            return Err(power());
        }
        // Directories are made once, before anything is in them, and synced: nothing to learn from losing them.
        inner.dirs.extend(dir.ancestors().map(Path::to_owned));
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        let inner = self.inner();
        if inner.off {
            return Err(power());
        }
        if !inner.dirs.contains(dir) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let files = inner.names.keys().chain(&inner.dirs);
        Ok(files.filter(|path| path.parent() == Some(dir)).cloned().collect())
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn Writing>> {
        let mut inner = self.inner();
        let cut = inner.operate()?;
        let file = inner.files.len();
        inner.files.push(Content::default());
        inner.rename_in(&parent(path), vec![(path.to_owned(), Some(file))]);
        if cut {
            return Err(power());
        }
        drop(inner);
        Ok(Box::new(SimWriting { disk: self.clone(), file, at: 0 }))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn Reading>> {
        let inner = self.inner();
        let file = inner.file(path)?;
        let len = inner.files.get(file).map_or(0, |content| content.now.len() as u64);
        drop(inner);
        Ok(Arc::new(SimReading { disk: self.clone(), file, len }))
    }

    fn cut(&self, path: &Path, len: u64) -> io::Result<()> {
        let mut inner = self.inner();
        let file = inner.file(path)?;
        let cut = inner.operate()?;
        let len = usize::try_from(len).map_err(io::Error::other)?;
        let content = inner.content(file)?;
        content.now.truncate(len);
        content.since.push(Change::Cut(len));
        let again = content.now.clone();
        content.since.push(Change::Write(0, again));
        if cut { Err(power()) } else { inner.sync(file) }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut inner = self.inner();
        let cut = inner.operate()?;
        let mut changes = Vec::new();
        if let Some(&file) = inner.names.get(from) {
            changes.extend([(from.to_owned(), None), (to.to_owned(), Some(file))]);
        } else if inner.dirs.contains(from) {
            let moved = |path: &Path| path.strip_prefix(from).ok().map(|rest| to.join(rest));
            for (path, file) in &inner.names {
                changes.extend(
                    moved(path).map(|new| [(path.clone(), None), (new, Some(*file))]).into_iter().flatten(),
                );
            }
            let dirs: Vec<PathBuf> = inner.dirs.iter().filter_map(|dir| moved(dir)).collect();
            inner.dirs.retain(|dir| !dir.starts_with(from));
            inner.dirs.extend(dirs);
            inner.dirs.insert(to.to_owned());
        } else {
            return Err(io::ErrorKind::NotFound.into());
        }
        inner.rename_in(&parent(to), changes);
        if cut { Err(power()) } else { Ok(()) }
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut inner = self.inner();
        inner.file(path)?;
        let cut = inner.operate()?;
        inner.rename_in(&parent(path), vec![(path.to_owned(), None)]);
        if cut { Err(power()) } else { Ok(()) }
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut inner = self.inner();
        let file = inner.file(from)?;
        if inner.names.contains_key(to) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let cut = inner.operate()?;
        inner.rename_in(&parent(to), vec![(to.to_owned(), Some(file))]);
        if cut { Err(power()) } else { Ok(()) }
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.between();
        let mut inner = self.inner();
        let cut = inner.operate()?;
        let fails = inner.failing.is_some_and(|often| inner.random.once_in(often));
        if cut || fails {
            return Err(if cut { power() } else { io::Error::other("the sync failed") });
        }
        for change in inner.pending.remove(dir).unwrap_or_default() {
            apply(&mut inner.durable, change);
        }
        Ok(())
    }

    fn lock(&self, path: &Path, shared: bool) -> io::Result<Box<dyn Held>> {
        let mut inner = self.inner();
        if inner.off {
            return Err(power());
        }
        if shared && !inner.dirs.contains(&parent(path)) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let held = inner.locks.entry(path.to_owned()).or_default();
        if *held > 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        *held += 1;
        drop(inner);
        Ok(Box::new(SimLock { disk: self.clone(), path: path.to_owned() }))
    }

    fn room(&self, _: &Path) -> Option<u64> {
        let inner = self.inner();
        inner.capacity.map(|capacity| capacity.saturating_sub(inner.used()))
    }
}

//! Store: the narrow door to a disk. All that the store does to files goes through [`Disk`], so that a
//! simulated disk can tear, reorder, lose and refuse whatever a real one may.

use std::fmt::Debug;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a store is kept on.
///
/// What it must promise is what POSIX does: bytes survive a power cut once [`Writing::sync`] returned, names
/// once [`Disk::sync_dir`] did. Before that each of them may or may not, in any order, and of bytes any part.
pub trait Disk: Debug + Send + Sync {
    /// Makes a directory, and those above it.
    ///
    /// # Errors
    /// When the disk refuses; so for all below.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;
    /// The paths in a directory, in no promised order.
    ///
    /// # Errors
    /// As above.
    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>>;
    /// Makes a file, or empties the one that is there.
    ///
    /// # Errors
    /// As above.
    fn create(&self, path: &Path) -> io::Result<Box<dyn Writing>>;
    /// A file for reading. It can be read to the end of what is returned, even if the path goes.
    ///
    /// # Errors
    /// As above.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn Reading>>;
    /// Cuts a file to `len` bytes and makes them last, also if an earlier sync of them failed: they are written
    /// again, since after such a failure the system takes them for written.
    ///
    /// # Errors
    /// As above.
    fn cut(&self, path: &Path, len: u64) -> io::Result<()>;
    /// Gives a file another path, whose file it takes the place of, in one step.
    ///
    /// # Errors
    /// As above.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    ///
    /// # Errors
    /// As above.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Gives a file that nobody writes any more a second path: a link, or where the disk has none, a copy.
    ///
    /// # Errors
    /// As above; when there is a file at `to`.
    fn link(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Makes what was created, renamed, linked or removed in a directory survive a power cut.
    ///
    /// # Errors
    /// As above.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// Locks a file, for one holder alone or (`shared`) among those that only read, until what is returned is
    /// dropped. The file is made if it is not there and the lock is not shared.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if somebody else holds it.
    fn lock(&self, path: &Path, shared: bool) -> io::Result<Box<dyn Held>>;
    /// How many bytes can still be written in a directory; `None` where the disk does not say.
    fn room(&self, dir: &Path) -> Option<u64>;
}

/// A file that is being written, from its beginning to its end.
pub trait Writing: Write + Debug + Send {
    /// Makes all that was written survive a power cut.
    ///
    /// # Errors
    /// When the disk refuses: then nobody knows what survives.
    fn sync(&mut self) -> io::Result<()>;
    /// Drops what was written past `len`; the next write goes there.
    ///
    /// # Errors
    /// When the disk refuses.
    fn cut(&mut self, len: u64) -> io::Result<()>;
}

/// A file that can be read.
pub trait Reading: Debug + Send + Sync {
    /// Its length in bytes.
    fn len(&self) -> u64;
    /// Whether it has no bytes.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Fills `into` with the bytes at `offset`.
    ///
    /// # Errors
    /// When they cannot be read, or there are fewer.
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()>;
}

/// A lock that is held.
pub trait Held: Debug + Send + Sync {}

/// The disk of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealDisk;

#[derive(Debug)]
struct RealWriting(File);

#[derive(Debug)]
struct RealReading {
    file: File,
    len: u64,
}

impl Held for File {}

impl Disk for RealDisk {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        fs::create_dir_all(dir)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        fs::read_dir(dir)?.map(|entry| entry.map(|e| e.path())).collect()
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn Writing>> {
        Ok(Box::new(RealWriting(File::create(path)?)))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn Reading>> {
        let file = File::open(path)?;
        let len = file.metadata()?.len();
        Ok(Arc::new(RealReading { file, len }))
    }

    fn cut(&self, path: &Path, len: u64) -> io::Result<()> {
        let mut file = OpenOptions::new().read(true).write(true).open(path)?;
        file.set_len(len)?;
        let mut piece = vec![0; 1 << 20];
        let mut at = 0;
        while at < len {
            let left = usize::try_from(len - at).unwrap_or(usize::MAX).min(piece.len());
            let piece = piece.get_mut(..left).unwrap_or_default();
            file.seek(SeekFrom::Start(at))?;
            file.read_exact(piece)?;
            file.seek(SeekFrom::Start(at))?;
            file.write_all(piece)?;
            at += left as u64;
        }
        file.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        match fs::hard_link(from, to) {
            Err(cause) if !matches!(cause.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::NotFound) => {
                // Another file system, or one without links.
                let mut copy = File::create_new(to)?;
                io::copy(&mut File::open(from)?, &mut copy)?;
                copy.sync_all()
            }
            linked => linked,
        }
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        // Windows cannot sync a directory and does not need to.
        if cfg!(unix) { File::open(dir)?.sync_all() } else { Ok(()) }
    }

    fn lock(&self, path: &Path, shared: bool) -> io::Result<Box<dyn Held>> {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(!shared).create(!shared).truncate(false).open(path)?;
        match if shared { file.try_lock_shared() } else { file.try_lock() } {
            Ok(()) => Ok(Box::new(file)),
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(cause)) => Err(cause),
        }
    }

    #[cfg(unix)]
    fn room(&self, dir: &Path) -> Option<u64> {
        let disk = rustix::fs::statvfs(dir).ok()?;
        Some(disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    #[cfg(not(unix))]
    fn room(&self, _dir: &Path) -> Option<u64> {
        None
    }
}

impl Write for RealWriting {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Writing for RealWriting {
    fn sync(&mut self) -> io::Result<()> {
        // The length of a file is part of its data: this is `fsync` less the times.
        self.0.sync_data()
    }

    fn cut(&mut self, len: u64) -> io::Result<()> {
        self.0.set_len(len)?;
        self.0.seek(SeekFrom::Start(len)).map(drop)
    }
}

impl Reading for RealReading {
    fn len(&self) -> u64 {
        self.len
    }

    #[cfg(unix)]
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.file, into, offset)
    }

    #[cfg(windows)]
    fn read_at(&self, mut offset: u64, mut into: &mut [u8]) -> io::Result<()> {
        while !into.is_empty() {
            match std::os::windows::fs::FileExt::seek_read(&self.file, into, offset)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => {
                    into = into.get_mut(read..).unwrap_or_default();
                    offset += read as u64;
                }
            }
        }
        Ok(())
    }
}

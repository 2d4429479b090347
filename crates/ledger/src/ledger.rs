//! Ledger: the door. One writer behind a lock, one immutable state behind an atomic swap.

use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use bellwether_model::{Change, Millis, Revision, Subject};
use parking_lot::{FairMutex, FairMutexGuard};
use rusqlite::Connection;

use crate::check::{Proposed, check};
use crate::doctor::{self, Report};
use crate::enrolments::Enrolments;
use crate::error::{LedgerError, refused, unknown};
use crate::log::{self, Digest, Stored, damaged};
use crate::people::People;
use crate::state::State;
use crate::{lists, schema, snapshot};

/// The log of changes and what it has brought about.
///
/// Reading the state takes no lock and never waits for a writer. Several ledgers may be open on one
/// file: each change is checked against the newest state on disk, whoever wrote it.
pub struct Ledger {
    // Dropped before the writer: the last connection to close folds SQLite's write-ahead log into the
    // file, and a reader may not.
    pub(crate) reader: Turns,
    pub(crate) writer: Turns,
    state: ArcSwap<State>,
}

/// A connection that is given in the order in which it was asked for: who writes or reads a long list asks
/// for it again and again, and must not be faster each time than all who wait.
pub(crate) type Turns = FairMutex<Connection>;

/// A stretch of the log, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// Only changes below this revision; `None` begins with the newest.
    pub before: Option<Revision>,
    /// At most this many.
    pub limit: u32,
    /// Only changes that altered this; an experiment that is shipped alters its flag too.
    pub about: Option<Subject>,
}

impl Ledger {
    /// Opens a ledger, or makes one where there is none (the folder must exist), and folds the newest
    /// snapshot and the log's tail. Lists that no change cites are swept: whoever writes one on the same
    /// file at this moment is told so, and sends it again.
    ///
    /// # Errors
    /// [`LedgerError::Storage`] if the file cannot be read or written or is not a ledger;
    /// [`LedgerError::Corrupt`] if the tail has a gap, an altered change or one that cannot be read.
    pub fn open(path: &Path) -> Result<Self, LedgerError> {
        let writer = schema::open_writer(path)?;
        let reader = schema::open_reader(path)?;
        let (mut state, mut digest) = snapshot::start(&writer, Revision(u64::MAX))?;
        fold(&writer, &mut state, &mut digest, Revision(u64::MAX))?;
        let ledger = Self {
            writer: FairMutex::new(writer),
            reader: FairMutex::new(reader),
            state: ArcSwap::from_pointee(state),
        };
        ledger.sweep(None, &mut || {})?;
        Ok(ledger)
    }

    /// The state as of the newest change that this ledger has made or seen.
    pub fn state(&self) -> Arc<State> {
        self.state.load_full()
    }

    /// Makes a change: log, lists and state together, on disk before this returns.
    ///
    /// # Errors
    /// [`LedgerError::Stale`] if the subject has changed since `expect`; [`LedgerError::Refused`] and
    /// [`LedgerError::Unknown`] if the edit breaks a rule or names what is not there;
    /// [`LedgerError::Storage`] and [`LedgerError::Corrupt`] as [`Ledger::open`]. Nothing is stored then.
    pub fn apply(&self, proposed: Proposed, now: Millis) -> Result<Change, LedgerError> {
        let mut writer = lock(&self.writer);
        let tx = schema::write(&mut writer, "write the change")?;
        let (state, before) = self.newest(&tx)?;
        let (change, stored) = judge(&tx, &state, &proposed, now)?;
        let touched = state.touched(&change.by, &change.edit);
        let digest = stored.digest(&before);
        log::append(&tx, &stored, &digest, &touched)?;
        for (id, members) in &proposed.lists {
            lists::bring(&tx, change.revision, now, id, members)?;
        }
        let mut next = State::clone(&state);
        if !next.apply(&change) {
            return Err(refused("this edit would change nothing", "look at the state of what it is about"));
        }
        if change.revision.0.is_multiple_of(snapshot::EVERY) {
            snapshot::write(&tx, &next, &digest)?;
        }
        tx.commit().map_err(LedgerError::storage("write the change"))?;
        self.state.store(Arc::new(next));
        Ok(change)
    }

    /// The change that [`Ledger::apply`] would make now; nothing is stored.
    ///
    /// # Errors
    /// As [`Ledger::apply`].
    pub fn try_apply(&self, proposed: &Proposed, now: Millis) -> Result<Change, LedgerError> {
        let mut writer = lock(&self.writer);
        let tx = schema::write(&mut writer, "look at the log")?;
        let (state, _) = self.newest(&tx)?;
        let (change, _) = judge(&tx, &state, proposed, now)?;
        Ok(change)
    }

    /// A stretch of the log, newest first.
    ///
    /// # Errors
    /// [`LedgerError::Corrupt`] if one of its changes cannot be read, [`LedgerError::Storage`].
    pub fn changes(&self, page: &Page) -> Result<Vec<Change>, LedgerError> {
        log::newest_first(&lock(&self.reader), page.before, page.limit, page.about.as_ref())
    }

    /// The state as it was when a revision was the newest.
    ///
    /// # Errors
    /// [`LedgerError::Unknown`] for a revision that is yet to come; else as [`Ledger::open`].
    pub fn state_at(&self, revision: Revision) -> Result<State, LedgerError> {
        let reader = lock(&self.reader);
        let (mut state, mut digest) = snapshot::start(&reader, revision)?;
        fold(&reader, &mut state, &mut digest, revision)?;
        if state.revision == revision { Ok(state) } else { Err(unknown("revision", revision)) }
    }

    /// Looks at everything in a ledger's file without altering it: that the database is sound, that
    /// the log has no gap and no altered change and folds, and that snapshots, index and lists agree.
    /// A log that was cut off at its end, with all that knew of it, is an older log and no damage.
    ///
    /// # Errors
    /// Only if there is nothing to look at: no file, not a ledger, not readable. What is wrong with a
    /// ledger is in the report.
    pub fn doctor(path: &Path) -> Result<Report, LedgerError> {
        doctor::look(path)
    }

    /// Writes everything in the ledger, as of one moment, to a file that must not be there. Changes go on meanwhile.
    ///
    /// # Errors
    /// [`LedgerError::Storage`]; what is at `to` then is no ledger.
    pub fn backup(&self, to: &Path) -> Result<(), LedgerError> {
        let from = lock(&self.reader).path().map(std::path::PathBuf::from).unwrap_or_default();
        // A connection of its own: this reads for as long as there is something to read.
        schema::copy(&schema::open_reader(&from)?, to)
    }

    /// The newest revision in a ledger's file.
    ///
    /// # Errors
    /// [`LedgerError::Storage`], or [`LedgerError::Unknown`] if there is none.
    pub fn newest_in(path: &Path) -> Result<Revision, LedgerError> {
        let reader = schema::open_reader(path)?;
        reader
            .query_row("select coalesce(max(revision), 0) from changes", [], |row| log::revision(row, 0))
            .map_err(LedgerError::storage("read the log"))
    }

    /// People, sessions, API keys and setup links: the rewritable tables beside the log.
    pub fn people(&self) -> People<'_> {
        People::new(&self.writer, &self.reader)
    }

    /// Who was enrolled by flags that remember it.
    pub fn enrolments(&self) -> Enrolments<'_> {
        Enrolments::new(&self.writer, &self.reader)
    }

    /// The newest state on disk and the digest of the log there, inside the writer's transaction. It
    /// becomes the state that readers see, also if what follows is refused.
    fn newest(&self, conn: &Connection) -> Result<(Arc<State>, Digest), LedgerError> {
        let state = self.state.load_full();
        let Some(mut digest) = log::digest_at(conn, state.revision)? else {
            return Err(damaged(state.revision, "it is gone since this program has read it"));
        };
        let newest = conn
            .query_row("select coalesce(max(revision), 0) from changes", [], |row| log::revision(row, 0))
            .map_err(LedgerError::storage("read the log"))?;
        if newest == state.revision {
            return Ok((state, digest));
        }
        let mut state = State::clone(&state);
        fold(conn, &mut state, &mut digest, newest)?;
        let state = Arc::new(state);
        self.state.store(state.clone());
        Ok((state, digest))
    }
}

/// Folds the changes after the state's revision up to `to`, checking that each follows the one before.
fn fold(conn: &Connection, state: &mut State, digest: &mut Digest, to: Revision) -> Result<(), LedgerError> {
    log::walk(conn, state.revision, to, |stored, kept| {
        let next = Revision(state.revision.0 + 1);
        if stored.revision != next {
            return Err(damaged(next, format!("it is missing, and `{}` follows", stored.revision)));
        }
        *digest = stored.digest(digest);
        if digest.as_slice() != kept {
            return Err(damaged(next, "it is not what was written"));
        }
        let change = stored.decode().map_err(|what| damaged(next, what))?;
        if !state.apply(&change) {
            tracing::warn!(revision = next.0, "a change of the ledger finds nothing to act on");
        }
        Ok(())
    })
}

/// The change that a proposal becomes, with its stored form.
fn judge(
    conn: &Connection,
    state: &State,
    proposed: &Proposed,
    now: Millis,
) -> Result<(Change, Stored), LedgerError> {
    check(state, proposed, now)?;
    for (id, members) in &proposed.lists {
        lists::check(conn, id, members)?;
    }
    for id in proposed.cited() {
        if !proposed.lists.iter().any(|(new, _)| new == id) && !lists::exists(conn, id)? {
            return Err(unknown("list", &id.0));
        }
    }
    let change = proposed.change(Revision(state.revision.0 + 1), now);
    let stored = Stored::encode(&change)?;
    Ok((change, stored))
}

/// A connection, also after a panic elsewhere: its transaction was rolled back when it was dropped.
pub(crate) fn lock(conn: &Turns) -> FairMutexGuard<'_, Connection> {
    conn.lock()
}

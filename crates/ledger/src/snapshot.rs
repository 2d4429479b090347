//! Ledger: the state at some revisions, so that opening folds a short tail. A snapshot is only ever
//! a shortcut: one that is wrong in any way is passed over and the log is folded instead.

use bellwether_model::Revision;
use rusqlite::Connection;
use sha2::{Digest as _, Sha256};

use crate::error::LedgerError;
use crate::log::{self, Digest};
use crate::state::State;

/// A snapshot is taken at every revision that this divides.
pub(crate) const EVERY: u64 = 256;

/// How many are kept: the newest to open with, some more for time travel.
const KEPT: i64 = 8;

/// The version of the fold. It goes up when [`State`] or what it makes of a change is another than
/// before; snapshots of other versions are passed over. Since 2, scheduled changes that are over leave it.
const FOLD: i64 = 2;

/// A snapshot as it is stored.
pub(crate) struct Snapshot {
    pub(crate) revision: Revision,
    fold: i64,
    log_digest: Vec<u8>,
    state: String,
    checksum: Vec<u8>,
}

impl Snapshot {
    /// The state and the digest of the log it was folded from, or why it cannot be used.
    pub(crate) fn read(&self, conn: &Connection) -> Result<Result<(State, Digest), String>, LedgerError> {
        if self.fold != FOLD {
            return Ok(Err(format!("it is of fold `{}`, and this program folds `{FOLD}`", self.fold)));
        }
        if checksum(&self.log_digest, &self.state) != *self.checksum {
            return Ok(Err("its checksum does not match".to_owned()));
        }
        let Some(digest) = log::digest_at(conn, self.revision)?.filter(|d| *d == *self.log_digest) else {
            return Ok(Err("it was folded from another log".to_owned()));
        };
        let state = match serde_json::from_str::<State>(&self.state) {
            Ok(state) if state.revision == self.revision => state,
            Ok(state) => return Ok(Err(format!("it holds revision `{}`", state.revision))),
            Err(error) => return Ok(Err(format!("it cannot be read: {error}"))),
        };
        Ok(Ok((state, digest)))
    }

    /// Whether another program's fold made it, which is no damage.
    pub(crate) fn foreign(&self) -> bool {
        self.fold != FOLD
    }
}

/// Every snapshot at or below a revision, newest first.
pub(crate) fn all(conn: &Connection, to: Revision) -> Result<Vec<Snapshot>, LedgerError> {
    let doing = LedgerError::storage("read the snapshots");
    let mut statement = conn
        .prepare_cached(
            "select revision, fold, log_digest, state, checksum from snapshots
             where revision <= ?1 order by revision desc",
        )
        .map_err(&doing)?;
    let rows = statement
        .query_map([log::number(to)], |row| {
            Ok(Snapshot {
                revision: log::revision(row, 0)?,
                fold: row.get(1)?,
                log_digest: row.get(2)?,
                state: row.get(3)?,
                checksum: row.get(4)?,
            })
        })
        .map_err(&doing)?;
    rows.collect::<Result<_, _>>().map_err(&doing)
}

/// The state at the newest usable snapshot at or below a revision, and the digest of the log there;
/// the beginning if there is none.
pub(crate) fn start(conn: &Connection, to: Revision) -> Result<(State, Digest), LedgerError> {
    for snapshot in all(conn, to)? {
        match snapshot.read(conn)? {
            Ok(start) => return Ok(start),
            Err(why) => {
                tracing::warn!(
                    revision = snapshot.revision.0,
                    why,
                    "a snapshot of the ledger is passed over"
                );
            }
        }
    }
    Ok((State::default(), log::NOTHING))
}

/// Stores the state, in the place of one of the same revision and of the oldest.
pub(crate) fn write(conn: &Connection, state: &State, log_digest: &Digest) -> Result<(), LedgerError> {
    let doing = LedgerError::storage("write a snapshot");
    let text = serde_json::to_string(state).map_err(|_| LedgerError::Storage {
        doing: "write a snapshot",
        reason: "the state has no stored form".to_owned(),
    })?;
    let checksum = checksum(log_digest, &text);
    let revision = log::number(state.revision);
    conn.execute(
        "insert or replace into snapshots (revision, fold, log_digest, state, checksum) values (?, ?, ?, ?, ?)",
        (revision, FOLD, log_digest.as_slice(), text, checksum.as_slice()),
    )
    .map_err(&doing)?;
    conn.execute(
        "delete from snapshots where revision not in
         (select revision from snapshots order by revision desc limit ?1)",
        [KEPT],
    )
    .map_err(&doing)?;
    Ok(())
}

fn checksum(log_digest: &[u8], state: &str) -> Digest {
    let mut hash = Sha256::new();
    hash.update(log_digest);
    hash.update(state.as_bytes());
    hash.finalize().into()
}

//! Ledger, tests: ledgers in folders of their own, a shop's history and proposals.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod shop;
pub mod storm;
pub mod world;

use std::path::PathBuf;

use bellwether_ledger::{Ledger, LedgerError, Proposed};
use bellwether_model::{Change, Millis};
use tempfile::TempDir;

/// A folder for a ledger; it is gone when this is dropped.
pub struct Place(TempDir);

impl Place {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self) -> PathBuf {
        self.0.path().join("ledger.sqlite")
    }

    pub fn open(&self) -> Ledger {
        Ledger::open(&self.path()).unwrap()
    }

    /// A connection that may do anything, as somebody with the file in their hands can.
    pub fn hands(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.path()).unwrap()
    }

    /// Alters what cannot be altered: the triggers are taken off and put back.
    pub fn tamper(&self, sql: &str) {
        let conn = self.hands();
        let mut triggers =
            conn.prepare("select name, sql from sqlite_schema where type = 'trigger'").unwrap();
        let triggers: Vec<(String, String)> =
            triggers.query_map([], |r| Ok((r.get(0)?, r.get(1)?))).unwrap().map(Result::unwrap).collect();
        conn.execute_batch("pragma foreign_keys = off").unwrap();
        for (name, _) in &triggers {
            conn.execute_batch(&format!("drop trigger {name}")).unwrap();
        }
        conn.execute_batch(sql).unwrap();
        for (_, sql) in &triggers {
            conn.execute_batch(sql).unwrap();
        }
    }

    /// Another place with a copy of the database file and of its write-ahead log, if there is one.
    pub fn copy(&self) -> Self {
        let other = Self::new();
        for end in ["", "-wal"] {
            let from = PathBuf::from(format!("{}{end}", self.path().display()));
            if from.exists() {
                std::fs::copy(from, format!("{}{end}", other.path().display())).unwrap();
            }
        }
        other
    }
}

/// Makes every change, one second apart.
pub fn live(ledger: &Ledger, proposed: Vec<Proposed>) -> Vec<Change> {
    proposed.into_iter().map(|p| step(ledger, p).unwrap_or_else(|e| panic!("{e}"))).collect()
}

/// Makes one change at a time that follows from its revision.
pub fn step(ledger: &Ledger, proposed: Proposed) -> Result<Change, LedgerError> {
    ledger.apply(proposed, next(ledger))
}

/// The time of the next change.
pub fn next(ledger: &Ledger) -> Millis {
    Millis(shop::START.0 + 1_000 * i64::try_from(ledger.state().revision.0).unwrap())
}

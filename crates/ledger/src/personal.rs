//! Ledger: which key personal values are hashed with. The key lies in a file of its own; what is here is its mark, which
//! tells it from any other and does not give it away, so that a key that is lost or altered is noticed.

use rusqlite::{Connection, OptionalExtension};

use crate::error::LedgerError;
use crate::ledger::{Ledger, lock};
use crate::schema;

const READING: &str = "read which key is for personal values";

impl Ledger {
    /// The mark of the key that personal values are hashed with; `None` where none was ever written down.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    pub fn personal_key_mark(&self) -> Result<Option<String>, LedgerError> {
        mark(&lock(&self.writer))
    }

    /// Writes down the mark of the key that personal values are hashed with from now on.
    ///
    /// # Errors
    /// [`LedgerError::Storage`]; the mark is what it was then.
    pub fn set_personal_key_mark(&self, mark: &str) -> Result<(), LedgerError> {
        lock(&self.writer)
            .execute("insert or replace into personal_key (only_one, mark) values (1, ?1)", [mark])
            .map(|_| ())
            .map_err(LedgerError::storage("write down which key is for personal values"))
    }
}

/// The mark in a file, which may be of an earlier version of the schema.
pub(crate) fn mark(conn: &Connection) -> Result<Option<String>, LedgerError> {
    // Before its fifth version the schema had none.
    if schema::ours(conn)? < 5 {
        return Ok(None);
    }
    conn.query_row("select mark from personal_key", [], |row| row.get(0))
        .optional()
        .map_err(LedgerError::storage(READING))
}

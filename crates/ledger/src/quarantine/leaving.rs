//! Ledger: what is about to leave the quarantine because it goes elsewhere. It is said before it goes there, so that after a
//! kill between the two it is known what to look for, and under which name.

use bellwether_model::{EnvironmentKey, Millis};
use rusqlite::Transaction;

use super::reading::{COLUMNS, kept};
use super::{Kept, Quarantine, READING, WRITING};
use crate::error::LedgerError;
use crate::schema;

/// Something that is about to leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaving {
    /// What it is, as it is kept.
    pub kept: Kept,
    /// When it goes.
    pub at: Millis,
    /// The name that it has where it goes.
    pub name: [u8; 16],
}

pub(super) const TABLE: &str =
    "create table leaving (id integer primary key, at integer not null, name blob not null) strict;";

/// Whatever becomes of it: what is taken out is about to leave no more.
pub(super) fn left(tx: &Transaction<'_>, id: i64) -> rusqlite::Result<()> {
    tx.prepare_cached("delete from leaving where id = ?1")?.execute([id]).map(drop)
}

impl Quarantine {
    /// Says of things, by their numbers, that they leave at a moment, and their names elsewhere; on disk before this returns.
    ///
    /// # Errors
    /// [`LedgerError::Storage`]; nothing is said of any then.
    pub fn leave(&self, at: Millis, things: &[(i64, [u8; 16])]) -> Result<(), LedgerError> {
        let doing = LedgerError::storage(WRITING);
        let mut conn = self.conn.lock();
        let tx = schema::write(&mut conn, WRITING)?;
        for (id, name) in things {
            let say = "insert or replace into leaving (id, at, name) values (?1, ?2, ?3)";
            tx.prepare_cached(say).and_then(|mut say| say.execute((id, at.0, name))).map_err(&doing)?;
        }
        tx.commit().map_err(&doing)
    }

    /// What is about to leave, in the order of its numbers.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    pub fn leaving(&self) -> Result<Vec<Leaving>, LedgerError> {
        let doing = LedgerError::storage(READING);
        let conn = self.conn.lock();
        let question = format!(
            "select {COLUMNS}, environment, leaving.at, name from leaving join held using (id) order by id"
        );
        let mut statement = conn.prepare_cached(&question).map_err(&doing)?;
        let rows = statement.query_map([], |row| {
            let environment: String = row.get(8)?;
            let environment: EnvironmentKey = environment.parse().map_err(|_| {
                rusqlite::Error::InvalidColumnType(8, "environment".to_owned(), rusqlite::types::Type::Text)
            })?;
            Ok(Leaving { kept: kept(&environment, row)?, at: Millis(row.get(9)?), name: row.get(10)? })
        });
        rows.and_then(Iterator::collect).map_err(&doing)
    }

    /// Says of everything that was about to leave that it does not.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    pub fn stay(&self) -> Result<(), LedgerError> {
        let stays = self.conn.lock().execute("delete from leaving", []);
        stays.map(drop).map_err(LedgerError::storage(WRITING))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use bellwether_model::Span;

    use super::*;
    use crate::quarantine::{Held, Placed};

    #[test]
    fn what_leaves_is_known_until_it_is_out_or_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("quarantine.sqlite");
        let held = |environment: &str, print: u8| Held {
            environment: environment.parse().unwrap(),
            sort: "a".to_owned(),
            at: Millis(7),
            after: None,
            print: Some([print; 16]),
            why: "because".to_owned(),
            sent: None,
            body: "{}".to_owned(),
        };
        let quarantine = Quarantine::open(&path).unwrap();
        let three = [held("production", 1), held("staging", 2), held("production", 3)];
        let (placed, _) = quarantine.hold(&three, Span::DAY).unwrap();
        assert_eq!(placed, [Placed::New(1), Placed::New(2), Placed::New(3)]);
        quarantine.leave(Millis(9), &[(1, [10; 16]), (2, [20; 16])]).unwrap();
        drop(quarantine);
        let quarantine = Quarantine::open(&path).unwrap();
        let leaving = |at: i64, id: i64| Leaving {
            kept: Kept { id, held: three[usize::try_from(id).unwrap() - 1].clone() },
            at: Millis(at),
            name: [u8::try_from(id * 10).unwrap(); 16],
        };
        assert_eq!(quarantine.leaving().unwrap(), [leaving(9, 1), leaving(9, 2)]);
        quarantine.leave(Millis(11), &[(2, [20; 16]), (3, [30; 16])]).unwrap();
        quarantine.decide(&"production".parse().unwrap(), &[1], &[]).unwrap();
        assert_eq!(quarantine.leaving().unwrap(), [leaving(11, 2), leaving(11, 3)]);
        quarantine.stay().unwrap();
        assert_eq!(quarantine.leaving().unwrap(), []);
        assert_eq!(quarantine.newest().unwrap(), 3);
    }
}

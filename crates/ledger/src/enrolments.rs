//! Ledger: who was enrolled by flags that remember it. These tables are rewritable and no part of the log:
//! they hold no id, only fingerprints that whoever keeps the secret makes of ids, and what becomes
//! superfluous is taken out.

use bellwether_model::{EnvironmentKey, FlagKey, Millis, VariantKey};
use rusqlite::{OptionalExtension, Row};

use crate::error::LedgerError;
use crate::ledger::{Turns, lock};
use crate::schema;

/// The memory of one flag in one environment under one salt. Another salt is another memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Enrolment {
    /// Names it in this file.
    pub id: i64,
    /// When it was made.
    pub made: Millis,
    /// What was recorded of units before this is in it; `None` where nothing was looked at yet.
    pub seen: Option<Millis>,
}

/// What is stored of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolled {
    /// The fingerprint of its id.
    pub unit: u64,
    /// What it is.
    pub is: Standing,
}

/// What a unit is to a flag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It stands somewhere.
    Placed {
        /// The hash that says where.
        hash: u32,
        /// The variant that it holds, if it holds one.
        holds: Option<VariantKey>,
        /// Whether its place is that of a device before its user signed in.
        inherited: bool,
    },
    /// It is a device whose place is that of a user.
    Owned {
        /// The fingerprint of the user's id.
        by: u64,
    },
}

/// The tables of a [`Ledger`](crate::Ledger) that hold who was enrolled. All methods answer
/// [`LedgerError::Storage`] when the database cannot be read or written.
pub struct Enrolments<'l> {
    writer: &'l Turns,
    reader: &'l Turns,
}

const READING: &str = "read who is enrolled";
const WRITING: &str = "write who is enrolled";

impl<'l> Enrolments<'l> {
    pub(crate) fn new(writer: &'l Turns, reader: &'l Turns) -> Self {
        Self { writer, reader }
    }

    /// What fingerprints are made with. It stays what it was the first time; without it no row means
    /// anything.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    pub fn secret(&self, fresh: &str) -> Result<String, LedgerError> {
        let doing = LedgerError::storage(READING);
        let writer = lock(self.writer);
        writer
            .execute("insert or ignore into enrolment_secret (only_one, secret) values (1, ?1)", [fresh])
            .map_err(&doing)?;
        writer.query_row("select secret from enrolment_secret", [], |row| row.get(0)).map_err(&doing)
    }

    /// The memory of a flag, and all that is in it. It is made where there is none.
    ///
    /// # Errors
    /// [`LedgerError::Storage`]; [`LedgerError::Corrupt`] if a row is none that was written.
    pub fn open(
        &self,
        environment: &EnvironmentKey,
        flag: &FlagKey,
        salt: &str,
        now: Millis,
    ) -> Result<(Enrolment, Vec<Enrolled>), LedgerError> {
        let doing = LedgerError::storage(READING);
        let (environment, flag) = (environment.as_str(), flag.as_str());
        lock(self.writer)
            .execute(
                "insert or ignore into enrolments (environment, flag, salt, made) values (?1, ?2, ?3, ?4)",
                (environment, flag, salt, now.0),
            )
            .map_err(LedgerError::storage(WRITING))?;
        let reader = lock(self.reader);
        let enrolment = reader
            .query_row(
                "select id, made, seen from enrolments where environment = ?1 and flag = ?2 and salt = ?3",
                (environment, flag, salt),
                |row| {
                    let seen: Option<i64> = row.get(2)?;
                    Ok(Enrolment { id: row.get(0)?, made: Millis(row.get(1)?), seen: seen.map(Millis) })
                },
            )
            .map_err(&doing)?;
        let mut statement = reader
            .prepare_cached(
                "select unit, owner, hash, holds, inherited from enrolled_units where enrolment = ?1",
            )
            .map_err(&doing)?;
        let rows = statement.query_map([enrolment.id], enrolled).map_err(&doing)?;
        let rows = rows.map(|row| row.map_err(&doing)?.ok_or_else(unreadable)).collect::<Result<_, _>>()?;
        Ok((enrolment, rows))
    }

    /// Stores what is new of units, and how far what was recorded of them is in it. A memory that was taken
    /// out meanwhile takes nothing in.
    ///
    /// # Errors
    /// [`LedgerError::Storage`]; nothing of it is stored then.
    pub fn write(&self, id: i64, units: &[Enrolled], seen: Option<Millis>) -> Result<(), LedgerError> {
        let doing = LedgerError::storage(WRITING);
        let mut writer = lock(self.writer);
        let tx = schema::write(&mut writer, WRITING)?;
        let there = tx
            .execute("update enrolments set seen = ?2 where id = ?1", (id, seen.map(|at| at.0)))
            .map_err(&doing)?;
        if there == 0 {
            return Ok(());
        }
        let mut put = tx
            .prepare_cached(
                "insert or replace into enrolled_units (enrolment, unit, owner, hash, holds, inherited)
                 values (?1, ?2, ?3, ?4, ?5, ?6)",
            )
            .map_err(&doing)?;
        for Enrolled { unit, is } in units {
            let (owner, hash, holds, inherited) = match is {
                Standing::Placed { hash, holds, inherited } => {
                    (None, Some(*hash), holds.as_ref().map(VariantKey::as_str), *inherited)
                }
                Standing::Owned { by } => (Some(by.cast_signed()), None, None, false),
            };
            put.execute((id, unit.cast_signed(), owner, hash, holds, inherited)).map_err(&doing)?;
        }
        drop(put);
        tx.commit().map_err(&doing)
    }

    /// Forgets units of an environment in every memory, whatever its salt, and that devices were theirs; how many lines
    /// there were.
    ///
    /// # Errors
    /// [`LedgerError::Storage`]; nothing is forgotten then.
    pub fn forget(&self, environment: &EnvironmentKey, units: &[u64]) -> Result<usize, LedgerError> {
        let doing = LedgerError::storage("forget who was enrolled");
        let mut writer = lock(self.writer);
        let tx = schema::write(&mut writer, "forget who was enrolled")?;
        let mut gone = 0;
        for unit in units {
            gone += tx
                .execute(
                    "delete from enrolled_units where (unit = ?2 or owner = ?2)
                     and enrolment in (select id from enrolments where environment = ?1)",
                    (environment.as_str(), unit.cast_signed()),
                )
                .map_err(&doing)?;
        }
        tx.commit().map_err(&doing)?;
        Ok(gone)
    }

    /// Puts the memories of a flag aside: what was remembered is not asked any more, and a sweep takes it out.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    pub fn retire(&self, environment: &EnvironmentKey, flag: &FlagKey) -> Result<(), LedgerError> {
        lock(self.writer)
            .execute(
                // No salt is as long.
                "update enrolments set salt = printf('%300d', id) where environment = ?1 and flag = ?2",
                (environment.as_str(), flag.as_str()),
            )
            .map(|_| ())
            .map_err(LedgerError::storage("forget who was enrolled"))
    }

    /// Takes out memories that nobody wants any more, at most so many units of them. Says how many units it
    /// took out; fewer than `most` means that there are no more.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    pub fn sweep(&self, wanted: &dyn Fn(&str, &str, &str) -> bool, most: u32) -> Result<usize, LedgerError> {
        let mut taken = 0;
        for id in self.unwanted(wanted)? {
            let left = (most as usize).saturating_sub(taken);
            if left == 0 {
                break;
            }
            taken += self.take_out(id, left)?;
        }
        Ok(taken)
    }

    fn unwanted(&self, wanted: &dyn Fn(&str, &str, &str) -> bool) -> Result<Vec<i64>, LedgerError> {
        let doing = LedgerError::storage(READING);
        let reader = lock(self.reader);
        let mut statement =
            reader.prepare_cached("select id, environment, flag, salt from enrolments").map_err(&doing)?;
        let mut rows = statement.query([]).map_err(&doing)?;
        let mut unwanted = Vec::new();
        while let Some(row) = rows.next().map_err(&doing)? {
            let text = |at: usize| row.get::<_, String>(at).map_err(&doing);
            if !wanted(&text(1)?, &text(2)?, &text(3)?) {
                unwanted.push(row.get(0).map_err(&doing)?);
            }
        }
        Ok(unwanted)
    }

    fn take_out(&self, id: i64, most: usize) -> Result<usize, LedgerError> {
        let doing = LedgerError::storage("forget who was enrolled");
        let mut writer = lock(self.writer);
        let tx = schema::write(&mut writer, "forget who was enrolled")?;
        // Should it be wanted again before all of it is out, what was recorded is looked at anew.
        tx.execute("update enrolments set seen = null where id = ?1", [id]).map_err(&doing)?;
        let taken = tx
            .execute(
                "delete from enrolled_units where enrolment = ?1
                 and unit in (select unit from enrolled_units where enrolment = ?1 limit ?2)",
                (id, i64::try_from(most).unwrap_or(i64::MAX)),
            )
            .map_err(&doing)?;
        let left = tx
            .query_row("select 1 from enrolled_units where enrolment = ?1 limit 1", [id], |_| Ok(()))
            .optional()
            .map_err(&doing)?;
        if left.is_none() {
            tx.execute("delete from enrolments where id = ?1", [id]).map_err(&doing)?;
        }
        tx.commit().map_err(&doing)?;
        Ok(taken)
    }
}

/// A row as what is stored of a unit; `None` where it is none that was written.
fn enrolled(row: &Row<'_>) -> rusqlite::Result<Option<Enrolled>> {
    let unit = row.get::<_, i64>(0)?.cast_unsigned();
    let (owner, hash) = (row.get::<_, Option<i64>>(1)?, row.get::<_, Option<u32>>(2)?);
    let Ok(holds) = row.get::<_, Option<String>>(3)?.map(|key| key.parse()).transpose() else {
        return Ok(None);
    };
    let is = match (owner, hash) {
        (Some(by), None) => Standing::Owned { by: by.cast_unsigned() },
        (None, Some(hash)) => Standing::Placed { hash, holds, inherited: row.get(4)? },
        _ => return Ok(None),
    };
    Ok(Some(Enrolled { unit, is }))
}

fn unreadable() -> LedgerError {
    LedgerError::Corrupt { revision: None, what: "a row of who is enrolled is none that was written".into() }
}

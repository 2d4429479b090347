//! Ledger: somebody is forgotten. What names them beside the log goes; the log itself is never altered.

use bellwether_model::Revision;

use crate::error::LedgerError;
use crate::ledger::{Ledger, lock};
use crate::lists::{BATCH, number};
use crate::{log, schema};

impl Ledger {
    /// Takes ids off every list that there is or ever was; how many entries there were. An old revision cites the same
    /// lists as before, and they are on none of them.
    ///
    /// # Errors
    /// [`LedgerError::Storage`]; asking again is right then.
    pub fn forget(&self, ids: &[String]) -> Result<usize, LedgerError> {
        let doing = LedgerError::storage("forget who is on lists");
        let mut gone = 0;
        // A few lists at a time: others write in between.
        for some in self.every_list()?.chunks(BATCH) {
            gone += self.in_turn(|tx| {
                let mut gone = 0;
                let mut delete = tx
                    .prepare_cached(
                        "delete from list_members where series = ?1 and member = ?2 returning until is null",
                    )
                    .map_err(&doing)?;
                for series in some {
                    for member in ids {
                        let rows = delete.query_map((series, member), |row| row.get::<_, bool>(0));
                        let stood: Vec<bool> = rows.and_then(Iterator::collect).map_err(&doing)?;
                        let ended = stood.iter().filter(|stood| **stood).count();
                        if ended > 0 {
                            tx.execute(
                                "update list_series set ended = ended + ?2 where series = ?1",
                                (series, number(ended)),
                            )
                            .map_err(&doing)?;
                        }
                        gone += stood.len();
                    }
                }
                Ok(gone)
            })?;
        }
        Ok(gone)
    }

    /// How many entries [`Ledger::forget`] would take off.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    pub fn entries_of(&self, ids: &[String]) -> Result<usize, LedgerError> {
        let doing = LedgerError::storage("read who is on lists");
        let mut found = 0;
        for some in self.every_list()?.chunks(BATCH) {
            let reader = lock(&self.reader);
            let mut statement = reader
                .prepare_cached("select count(*) from list_members where series = ?1 and member = ?2")
                .map_err(&doing)?;
            for series in some {
                for member in ids {
                    let here: i64 =
                        statement.query_row((series, member), |row| row.get(0)).map_err(&doing)?;
                    found += usize::try_from(here).unwrap_or_default();
                }
            }
        }
        Ok(found)
    }

    /// Every list that there is or ever was.
    fn every_list(&self) -> Result<Vec<i64>, LedgerError> {
        let doing = LedgerError::storage("read the lists");
        let reader = lock(&self.reader);
        let mut statement = reader.prepare_cached("select series from list_series").map_err(&doing)?;
        let rows = statement.query_map([], |row| row.get(0)).map_err(&doing)?;
        rows.collect::<Result<_, _>>().map_err(&doing)
    }

    /// Writes the file anew, so that no page of it and of its log has what was deleted. Writers wait meanwhile.
    ///
    /// # Errors
    /// [`LedgerError::Storage`]; asking again is right then.
    pub fn scrub(&self) -> Result<(), LedgerError> {
        // Nobody reads: a reader would keep the log from being emptied.
        let _reader = lock(&self.reader);
        schema::scrub(&lock(&self.writer))
    }

    /// The newest changes in which a text stands: in what somebody wrote, or in what was changed. The log keeps it.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    pub fn naming(&self, text: &str, limit: usize) -> Result<Vec<Revision>, LedgerError> {
        let doing = LedgerError::storage("read the log");
        let reader = lock(&self.reader);
        let mut statement = reader
            .prepare_cached(
                "select revision from changes where instr(edit, ?1) > 0 or instr(why, ?1) > 0
                 order by revision desc limit ?2",
            )
            .map_err(&doing)?;
        let rows = statement.query_map((text, number(limit)), |row| log::revision(row, 0)).map_err(&doing)?;
        rows.collect::<Result<_, _>>().map_err(&doing)
    }
}

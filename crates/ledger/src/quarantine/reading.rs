//! Ledger: what is in the quarantine, read: how much of what, a page of it, and what is old.

use bellwether_model::{EnvironmentKey, Millis, Seq};
use rusqlite::Row;

use super::{Count, Held, Kept, Quarantine, READING, number};
use crate::error::LedgerError;

/// What [`kept`] reads, in its order.
pub(super) const COLUMNS: &str = "id, sort, held.at, print, why, body, after, sent";

/// What asks for a page of an environment, or of one sort of it. Two questions, for each an index in the order of the numbers:
/// one that asks for both sorts all that there is for each page.
fn page_of(one_sort: bool) -> String {
    let sort = if one_sort { " and sort = ?3" } else { "" };
    format!("select {COLUMNS} from held where environment = ?1 and id > ?2{sort} order by id")
}

pub(super) fn kept(environment: &EnvironmentKey, row: &Row<'_>) -> rusqlite::Result<Kept> {
    let print: Option<Vec<u8>> = row.get(3)?;
    let held = Held {
        environment: environment.clone(),
        sort: row.get(1)?,
        at: Millis(row.get(2)?),
        print: print.and_then(|print| print.try_into().ok()),
        why: row.get(4)?,
        sent: row.get(7)?,
        body: row.get(5)?,
        after: row.get::<_, Option<i64>>(6)?.and_then(|after| u64::try_from(after).ok()).map(Seq),
    };
    Ok(Kept { id: row.get(0)?, held })
}

impl Quarantine {
    /// How many of each sort are kept of an environment, in the order of the sorts.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    pub fn counts(&self, environment: &EnvironmentKey) -> Result<Vec<Count>, LedgerError> {
        let doing = LedgerError::storage(READING);
        let conn = self.conn.lock();
        let mut statement = conn
            .prepare_cached(
                "select sort, count(*), min(at), max(at) from held where environment = ?1
                 group by sort order by sort",
            )
            .map_err(&doing)?;
        let rows = statement.query_map([environment.as_str()], |row| {
            let (first, last) = (Millis(row.get(2)?), Millis(row.get(3)?));
            Ok(Count { sort: row.get(0)?, count: number(row, 1)?, first, last })
        });
        rows.and_then(Iterator::collect).map_err(&doing)
    }

    /// What is kept of an environment, of one sort or of all, in the order in which it came, after a number: at most `limit`
    /// things, and no more than `bytes` where it is more than one; and whether there are others after them.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    pub fn page(
        &self,
        environment: &EnvironmentKey,
        sort: Option<&str>,
        after: i64,
        limit: usize,
        bytes: usize,
    ) -> Result<(Vec<Kept>, bool), LedgerError> {
        let doing = LedgerError::storage(READING);
        let conn = self.conn.lock();
        let mut statement = conn.prepare_cached(&page_of(sort.is_some())).map_err(&doing)?;
        let rows = match sort {
            Some(sort) => statement.query((environment.as_str(), after, sort)),
            None => statement.query((environment.as_str(), after)),
        };
        let mut rows = rows.map_err(&doing)?;
        let (mut page, mut size) = (Vec::new(), 0_usize);
        while let Some(row) = rows.next().map_err(&doing)? {
            // Looked at before it is taken: a large one may be the one too many.
            size += row.get_ref(5).map_err(&doing)?.as_bytes().map_or(0, <[u8]>::len);
            if page.len() >= limit || (size > bytes && !page.is_empty()) {
                return Ok((page, true));
            }
            page.push(kept(environment, row).map_err(&doing)?);
        }
        Ok((page, false))
    }

    /// What is kept of an environment under a number.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    pub fn get(&self, environment: &EnvironmentKey, id: i64) -> Result<Option<Kept>, LedgerError> {
        let page = self.page(environment, None, id.saturating_sub(1), 1, 0)?;
        Ok(page.0.into_iter().find(|kept| kept.id == id))
    }

    /// The numbers of what came before a moment, of one sort of an environment, the first of them.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    pub fn older(
        &self,
        environment: &EnvironmentKey,
        sort: &str,
        before: Millis,
        limit: usize,
    ) -> Result<Vec<i64>, LedgerError> {
        let doing = LedgerError::storage(READING);
        let conn = self.conn.lock();
        let mut statement = conn
            .prepare_cached(
                "select id from held where environment = ?1 and sort = ?2 and at < ?3 order by id",
            )
            .map_err(&doing)?;
        let rows = statement.query_map((environment.as_str(), sort, before.0), |row| row.get(0));
        rows.and_then(|rows| rows.take(limit).collect()).map_err(&doing)
    }

    /// The highest number of what is there; 0 where nothing is.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    pub fn newest(&self) -> Result<i64, LedgerError> {
        let newest = "select coalesce(max(id), 0) from held";
        self.conn.lock().query_row(newest, [], |row| row.get(0)).map_err(LedgerError::storage(READING))
    }

    /// The prints of everything that is kept, and its numbers.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    pub fn prints(&self) -> Result<Vec<([u8; 16], i64)>, LedgerError> {
        let doing = LedgerError::storage(READING);
        let conn = self.conn.lock();
        let mut statement =
            conn.prepare("select print, id from held where print is not null").map_err(&doing)?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
        rows.and_then(Iterator::collect).map_err(&doing)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_page_is_read_in_order_and_nothing_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let quarantine = Quarantine::open(&dir.path().join("quarantine.sqlite")).unwrap();
        let conn = quarantine.conn.lock();
        let check = |one_sort: bool, plan: &str| {
            let values = [("?1", "'a'"), ("?2", "1"), ("?3", "'b'")];
            let question = values.iter().fold(page_of(one_sort), |text, (of, is)| text.replace(of, is));
            let mut steps = conn.prepare(&format!("explain query plan {question}")).unwrap();
            let steps = steps.query_map([], |row| row.get::<_, String>(3)).unwrap();
            assert_eq!(steps.map(Result::unwrap).collect::<Vec<_>>(), [plan], "{question}");
        };
        let plan = "SEARCH held USING INDEX held_by_environment (environment=? AND rowid>?)";
        check(false, plan);
        let plan = "SEARCH held USING INDEX held_by_sort (environment=? AND sort=? AND id>?)";
        check(true, plan);
    }
}

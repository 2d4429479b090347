//! Ledger: the quarantine, a file of its own beside the ledger. It holds what was taken and is kept apart until
//! somebody decides, as text that this room does not read. It is rewritable, and what is taken out is overwritten.

use std::path::Path;
use std::time::Duration;

use bellwether_model::{EnvironmentKey, Millis, Seq, Span};
use parking_lot::Mutex;
use rusqlite::{Connection, OpenFlags, Row};

use crate::error::LedgerError;
use crate::schema;

mod decided;
mod leaving;
mod reading;

pub use decided::Decided;
pub use leaving::Leaving;

/// Something to be kept apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Where it came from.
    pub environment: EnvironmentKey,
    /// Its sort, to find it by.
    pub sort: String,
    /// When it came.
    pub at: Millis,
    /// The last event that had been stored by then; `None` of what came before this was kept.
    pub after: Option<Seq>,
    /// The same print is the same thing, which is kept once; `None` is always new.
    pub print: Option<[u8; 16]>,
    /// Why it is here.
    pub why: String,
    /// What it was before something of it was taken out; `None` of what came before this was kept.
    pub sent: Option<String>,
    /// It itself.
    pub body: String,
}

/// Something that is kept apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its number in the file; a number is never used again.
    pub id: i64,
    /// What it is.
    pub held: Held,
}

/// Where something was put that is to be kept apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placed {
    /// It is new, and has this number.
    New(i64),
    /// It is there already, under this number.
    There(i64),
    /// It is not there: of the same was decided not long ago.
    Decided,
}

/// What was taken out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gone {
    /// How many there were.
    pub count: u64,
    /// How many bytes they had.
    pub bytes: u64,
    /// The prints of those that have one.
    pub prints: Vec<[u8; 16]>,
}

/// How much of a sort is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    /// The sort.
    pub sort: String,
    /// How many.
    pub count: u64,
    /// When the first of them came.
    pub first: Millis,
    /// When the last of them came.
    pub last: Millis,
}

/// The file of what is kept apart.
#[derive(Debug)]
pub struct Quarantine {
    conn: Mutex<Connection>,
}

/// Marks the file as a quarantine of Bellwether ("BWQT").
const APPLICATION: i32 = 0x4257_5154;

const TABLES: &str = "
    create table held (
        id integer primary key autoincrement,
        environment text not null,
        sort text not null,
        at integer not null,
        print blob unique,
        why text not null,
        body text not null
    ) strict;
    create index held_by_sort on held (environment, sort, id);
";

/// By it is told whose it is: who had the device then.
const AFTER: &str = "alter table held add column after integer;";

/// In it an environment's things are in the order of their numbers: any index ends with those.
const BY_ENVIRONMENT: &str = "create index held_by_environment on held (environment);";

/// By it is told what is wrong with what was taken out.
const SENT: &str = "alter table held add column sent text;";

/// What is done to the tables of each version to make them those of the next.
const VERSIONS: [&str; 6] = [TABLES, decided::TABLE, AFTER, BY_ENVIRONMENT, leaving::TABLE, SENT];

const READING: &str = "read the quarantine";
const WRITING: &str = "write into the quarantine";

impl Quarantine {
    /// Opens the file, or makes one where there is none; the folder must exist.
    ///
    /// # Errors
    /// [`LedgerError::Storage`] if it cannot be used, or is not a quarantine.
    pub fn open(path: &Path) -> Result<Self, LedgerError> {
        schema::create(path)?;
        let doing = LedgerError::storage("open the quarantine");
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut conn = Connection::open_with_flags(path, flags).map_err(&doing)?;
        conn.busy_timeout(Duration::from_secs(10)).map_err(&doing)?;
        let pragma = |name: &str| conn.query_row(&format!("pragma {name}"), [], |row| row.get::<_, i64>(0));
        let version = pragma("user_version").map_err(&doing)?;
        let application = pragma("application_id").map_err(&doing)?;
        let _: String = conn.query_row("pragma journal_mode = wal", [], |row| row.get(0)).map_err(&doing)?;
        // FULL: what is acknowledged is on disk. `secure_delete`: what is taken out is overwritten.
        conn.execute_batch(
            "pragma synchronous = full; pragma secure_delete = on; pragma trusted_schema = off;",
        )
        .map_err(&doing)?;
        let newest = i64::try_from(VERSIONS.len()).unwrap_or(i64::MAX);
        let ours = application == i64::from(APPLICATION) && (1..=newest).contains(&version);
        if !ours && (application, version) != (0, 0) {
            return Err(LedgerError::Storage {
                doing: "open the quarantine",
                reason: "it is another program's file, or a newer Bellwether's".to_owned(),
            });
        }
        if version < newest {
            let tx = schema::write(&mut conn, "open the quarantine")?;
            for tables in VERSIONS.iter().skip(usize::try_from(version).unwrap_or_default()) {
                tx.execute_batch(tables).map_err(&doing)?;
            }
            let marks = format!("pragma application_id = {APPLICATION}; pragma user_version = {newest}");
            tx.execute_batch(&marks).map_err(&doing)?;
            tx.commit().map_err(&doing)?;
        }
        Ok(Self { conn: Mutex::new(conn) })
    }

    /// Keeps things apart, on disk before this returns; where each is, and how many bytes the new ones have. Of what was
    /// decided less than `known` before it came, nothing is kept.
    ///
    /// # Errors
    /// [`LedgerError::Storage`]; nothing of it is kept then.
    pub fn hold(&self, held: &[Held], known: Span) -> Result<(Vec<Placed>, u64), LedgerError> {
        let doing = LedgerError::storage(WRITING);
        let mut conn = self.conn.lock();
        let tx = schema::write(&mut conn, WRITING)?;
        let (mut placed, mut bytes) = (Vec::with_capacity(held.len()), 0);
        {
            let mut there = tx.prepare_cached("select id from held where print = ?1").map_err(&doing)?;
            let mut decided = tx.prepare_cached(decided::IS).map_err(&doing)?;
            let mut insert = tx
                .prepare_cached(
                    "insert or ignore into held (environment, sort, at, print, why, body, after, sent)
                     values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                )
                .map_err(&doing)?;
            for one in held {
                let print = one.print.as_ref().map(|print| print.as_slice());
                if print.is_some() && decided.exists((print, one.at.minus(known).0)).map_err(&doing)? {
                    placed.push(Placed::Decided);
                    continue;
                }
                // Numbers of events are far from the end of what SQLite holds.
                let after = one.after.and_then(|after| i64::try_from(after.0).ok());
                let (why, body, sent) = (&one.why, &one.body, &one.sent);
                let row = (one.environment.as_str(), &one.sort, one.at.0, print, why, body, after, sent);
                placed.push(if insert.execute(row).map_err(&doing)? > 0 {
                    bytes += one.body.len() as u64;
                    Placed::New(tx.last_insert_rowid())
                } else {
                    Placed::There(there.query_row([print], |row| row.get(0)).map_err(&doing)?)
                });
            }
        }
        tx.commit().map_err(&doing)?;
        Ok((placed, bytes))
    }

    /// Makes `last` the last event that had been stored when things came, where these say one after it: events that nobody was told
    /// of are gone, and others get their numbers. How many things there were.
    ///
    /// # Errors
    /// [`LedgerError::Storage`]; nothing is altered then.
    pub fn stored_up_to(&self, last: Seq) -> Result<usize, LedgerError> {
        // Numbers of events are far from the end of what SQLite holds.
        let last = i64::try_from(last.0).unwrap_or(i64::MAX);
        let altered = self.conn.lock().execute("update held set after = ?1 where after > ?1", [last]);
        altered.map_err(LedgerError::storage(WRITING))
    }

    /// Writes everything that is kept, as of one moment, to a file that must not be there. Nothing waits for it.
    ///
    /// # Errors
    /// [`LedgerError::Storage`]; what is at `to` then is no quarantine.
    pub fn backup(&self, to: &Path) -> Result<(), LedgerError> {
        let from = self.conn.lock().path().map(std::path::PathBuf::from).unwrap_or_default();
        let reader = Connection::open_with_flags(from, OpenFlags::SQLITE_OPEN_READ_ONLY)
            .map_err(LedgerError::storage("write a backup"))?;
        schema::copy(&reader, to)
    }

    /// Looks at a file without changing it: how many things are in it, and what is wrong with it, a sentence each.
    ///
    /// # Errors
    /// [`LedgerError::Storage`] if it cannot be read at all.
    pub fn doctor(path: &Path) -> Result<(u64, Vec<String>), LedgerError> {
        let doing = LedgerError::storage(READING);
        let reader = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(&doing)?;
        let mut check = reader.prepare("pragma integrity_check(20)").map_err(&doing)?;
        let said = check.query_map([], |row| row.get::<_, String>(0));
        let said: Vec<String> = said.and_then(Iterator::collect).map_err(&doing)?;
        let count =
            reader.query_row("select count(*) from held", [], |row| number(row, 0)).map_err(&doing)?;
        Ok((count, said.into_iter().filter(|line| line != "ok").collect()))
    }

    /// How many things are kept, and how many bytes they have.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    pub fn size(&self) -> Result<(u64, u64), LedgerError> {
        self.conn
            .lock()
            .query_row("select count(*), coalesce(sum(length(cast(body as blob))), 0) from held", [], |row| {
                Ok((number(row, 0)?, number(row, 1)?))
            })
            .map_err(LedgerError::storage(READING))
    }

    /// Writes the file anew, so that no page of it has what was taken out.
    ///
    /// # Errors
    /// [`LedgerError::Storage`]; asking again is right then.
    pub fn scrub(&self) -> Result<(), LedgerError> {
        schema::scrub(&self.conn.lock())
    }

    /// Takes things of an environment out, by their numbers.
    ///
    /// # Errors
    /// [`LedgerError::Storage`]; nothing is taken out then.
    pub fn remove(&self, environment: &EnvironmentKey, ids: &[i64]) -> Result<Gone, LedgerError> {
        self.take_out(Some(environment), ids, &[])
    }

    /// Takes out what was just put there, of whichever environment.
    ///
    /// # Errors
    /// [`LedgerError::Storage`]; nothing is taken out then.
    pub fn withdraw(&self, ids: &[i64]) -> Result<Gone, LedgerError> {
        self.take_out(None, ids, &[])
    }

    fn take_out(
        &self,
        of: Option<&EnvironmentKey>,
        ids: &[i64],
        decided: &[Decided],
    ) -> Result<Gone, LedgerError> {
        let doing = LedgerError::storage(WRITING);
        let mut conn = self.conn.lock();
        let tx = schema::write(&mut conn, WRITING)?;
        let mut gone = Gone::default();
        {
            let mut delete = tx
                .prepare_cached(
                    "delete from held where id = ?2 and (?1 is null or environment = ?1)
                     returning length(cast(body as blob)), print",
                )
                .map_err(&doing)?;
            for &id in ids {
                leaving::left(&tx, id).map_err(&doing)?;
                let mut rows = delete.query((of.map(EnvironmentKey::as_str), id)).map_err(&doing)?;
                while let Some(row) = rows.next().map_err(&doing)? {
                    gone.count += 1;
                    gone.bytes += number(row, 0).map_err(&doing)?;
                    gone.prints.extend(row.get::<_, Option<[u8; 16]>>(1).map_err(&doing)?);
                }
            }
        }
        decided::write(&tx, decided).map_err(&doing)?;
        tx.commit().map_err(&doing)?;
        Ok(gone)
    }
}

fn number(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let stored: i64 = row.get(column)?;
    u64::try_from(stored).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, stored))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn held(environment: &str, sort: &str, print: Option<u8>, body: &str) -> Held {
        Held {
            environment: environment.parse().unwrap(),
            sort: sort.to_owned(),
            at: Millis(7),
            after: print.map(|print| Seq(print.into())),
            print: print.map(|print| [print; 16]),
            why: "because".to_owned(),
            sent: print.map(|print| print.to_string()),
            body: body.to_owned(),
        }
    }

    fn one() -> impl Strategy<Value = Held> {
        let words = |words: &'static [&'static str]| prop::sample::select(words);
        (
            words(&["production", "staging"]),
            words(&["a", "b"]),
            prop::option::of(0_u8..4),
            words(&["x", "yyé"]),
        )
            .prop_map(|(environment, sort, print, body)| held(environment, sort, print, body))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        /// It is a list from which some are taken out, also after it was closed and opened again.
        #[test]
        fn it_keeps_what_a_list_would(
            steps in prop::collection::vec((prop::collection::vec(one(), 0..4), 0_i64..9), 0..6)
        ) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("q.sqlite");
            let mut quarantine = Quarantine::open(&path).unwrap();
            let (mut list, mut seen): (Vec<Held>, usize) = (Vec::new(), 0);
            let production: EnvironmentKey = "production".parse().unwrap();
            for (batch, gone) in steps {
                let (new, _) = quarantine.hold(&batch, Span::DAY).unwrap();
                for one in batch {
                    if one.print.is_none() || list.iter().all(|kept| kept.print != one.print) {
                        list.push(one);
                        seen += 1;
                    }
                }
                let new = new.into_iter().filter(|placed| matches!(placed, Placed::New(_))).count();
                prop_assert!(new <= seen);
                let kept = quarantine.page(&production, None, 0, 100, usize::MAX).unwrap().0;
                let nth = usize::try_from(gone).unwrap();
                if let Some(out) = kept.get(nth) {
                    prop_assert_eq!(quarantine.remove(&production, &[out.id, -1]).unwrap().count, 1);
                    let at = list.iter().enumerate().filter(|(_, h)| h.environment == production).nth(nth);
                    let at = at.unwrap().0;
                    list.remove(at);
                }
                drop(quarantine);
                quarantine = Quarantine::open(&path).unwrap();
                let of = |sort: Option<&str>| -> Vec<Held> {
                    let mine = list.iter().filter(|h| h.environment == production);
                    mine.filter(|h| sort.is_none_or(|sort| h.sort == sort)).cloned().collect()
                };
                for sort in [None, Some("a")] {
                    let kept = quarantine.page(&production, sort, 0, 100, usize::MAX).unwrap().0;
                    prop_assert_eq!(kept.into_iter().map(|kept| kept.held).collect::<Vec<_>>(), of(sort));
                }
                let bytes: usize = list.iter().map(|h| h.body.len()).sum();
                prop_assert_eq!(quarantine.size().unwrap(), (list.len() as u64, bytes as u64));
                let counted: u64 = quarantine.counts(&production).unwrap().iter().map(|c| c.count).sum();
                prop_assert_eq!(counted as usize, of(None).len());
            }
        }
    }

    #[test]
    fn a_page_ends_where_it_is_too_long_or_too_large_and_never_before_its_first() {
        let dir = tempfile::tempdir().unwrap();
        let quarantine = Quarantine::open(&dir.path().join("q.sqlite")).unwrap();
        let production = "production".parse().unwrap();
        let bodies = ["12", "1234567", "1", "é", "123"];
        quarantine.hold(&bodies.map(|body| held("production", "a", None, body)), Span::DAY).unwrap();
        let check = |after: i64, limit, bytes, expected: &[i64], more: bool| {
            let (page, left) = quarantine.page(&production, None, after, limit, bytes).unwrap();
            let ids: Vec<i64> = page.iter().map(|kept| kept.id).collect();
            assert_eq!((ids.as_slice(), left), (expected, more), "after {after}, {limit} of {bytes} bytes");
        };
        check(0, 9, 99, &[1, 2, 3, 4, 5], false);
        check(0, 5, 99, &[1, 2, 3, 4, 5], false);
        check(0, 4, 99, &[1, 2, 3, 4], true);
        check(0, 9, 9, &[1, 2], true);
        check(0, 9, 8, &[1], true);
        check(1, 9, 3, &[2], true);
        check(2, 9, 3, &[3, 4], true);
        check(4, 9, 3, &[5], false);
        check(5, 9, 3, &[], false);
        assert_eq!(quarantine.get(&production, 3).unwrap().unwrap().held.body, "1");
        assert_eq!(quarantine.get(&production, 6).unwrap(), None);
        assert_eq!(quarantine.get(&"staging".parse().unwrap(), 3).unwrap(), None);
    }

    #[test]
    fn what_came_after_events_that_are_gone_came_after_the_last_that_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let quarantine = Quarantine::open(&dir.path().join("q.sqlite")).unwrap();
        let production = "production".parse().unwrap();
        quarantine
            .hold(&[None, Some(3), Some(4), Some(5)].map(|n| held("production", "a", n, "")), Span::DAY)
            .unwrap();
        assert_eq!(quarantine.stored_up_to(Seq(5)).unwrap(), 0);
        assert_eq!(quarantine.stored_up_to(Seq(3)).unwrap(), 2);
        let kept = quarantine.page(&production, None, 0, 9, 9).unwrap().0;
        let after: Vec<Option<Seq>> = kept.into_iter().map(|kept| kept.held.after).collect();
        assert_eq!(after, [None, Some(Seq(3)), Some(Seq(3)), Some(Seq(3))]);
    }

    #[test]
    fn a_full_disk_is_said_and_stores_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let quarantine = Quarantine::open(&dir.path().join("q.sqlite")).unwrap();
        let pages: i64 =
            quarantine.conn.lock().pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
        quarantine.conn.lock().pragma_update(None, "max_page_count", pages + 1).unwrap();
        let large = vec![held("production", "a", None, &"x".repeat(100_000))];
        let error = quarantine.hold(&large, Span::DAY).unwrap_err();
        assert!(matches!(error, LedgerError::NoRoom { .. }), "{error}");
        assert_eq!(quarantine.size().unwrap(), (0, 0));
    }

    #[test]
    fn another_file_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let other = dir.path().join("other.sqlite");
        Connection::open(&other)
            .unwrap()
            .execute_batch("pragma application_id = 7; create table t (x)")
            .unwrap();
        let refused = Quarantine::open(&other).unwrap_err();
        insta::assert_snapshot!(refused.message(), @"the ledger could not open the quarantine: it is another program's file, or a newer Bellwether's");
    }

    #[test]
    fn what_is_taken_out_is_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("q.sqlite");
        let quarantine = Quarantine::open(&path).unwrap();
        quarantine.hold(&[held("production", "a", None, "ada@example.com")], Span::DAY).unwrap();
        let id = quarantine.page(&"production".parse().unwrap(), None, 0, 1, 0).unwrap().0[0].id;
        quarantine.remove(&"production".parse().unwrap(), &[id]).unwrap();
        drop(quarantine);
        let bytes = std::fs::read(&path).unwrap();
        assert!(!bytes.windows(15).any(|window| window == b"ada@example.com"));
    }
}

//! Ledger: lists of ids, of which a change cites each by a random id. A list is never altered, and may
//! be a million long; what is promised here is that nobody waits for that:
//!
//! - A long list is written before the change that cites it, in transactions of [`BATCH`] ids. Between
//!   them the writer is free, and is given in the order in which it was asked for.
//! - A change cites only what is whole. What was written and is cited by no change is swept: when a
//!   ledger is opened, and after a day.
//! - A list that is another one but for a few ids is stored as these few. Lists that came from one another
//!   so are a *series*, each a version of it; a member is there once, from one version to another.
//!   Why: decision 16 in `docs/decisions`.

use std::collections::HashSet;
use std::sync::Arc;

use bellwether_model::{ListId, Millis, Revision};
use rusqlite::{Connection, OptionalExtension, Transaction};

use crate::error::{LedgerError, refused, unknown};
use crate::ledger::{Ledger, lock};
use crate::{log, schema};

/// The most ids that one transaction writes, and the most that are read without letting others read.
pub(crate) const BATCH: usize = 2_000;

/// The most bytes of ids that one transaction writes.
const BATCH_BYTES: usize = 256 << 10;

/// The most ids by which a list may differ from another one to be stored as a difference. Ids lie in
/// the order of their text, so that an id costs a page; this many cost as much as some batches.
const FEW: usize = 500;

/// A series is begun anew when so many more members have gone from it than are left.
const SLACK: i64 = 1_000;

/// What is not cited after so long is swept.
const ABANDONED: i64 = 24 * 60 * 60 * 1_000;

/// Positions and ids of a version of a series that come after a text, in the order of their text.
const IN_ORDER: &str = "select position, member from list_members
    where series = ?1 and member > ?2 and since <= ?3 and coalesce(until > ?3, true) order by member limit ?4";

/// Who is on a list that a change brings. Few ids can be given with the change, by `into()`; many are
/// written before it by [`Ledger::prepare`], and a list that is almost another one is described by
/// [`Ledger::prepare_edit`]. What is prepared is used once, or given back by [`Ledger::discard`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Members(Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    /// Written with the change.
    Given(Vec<String>),
    /// Written: a series that is whole and that no list is of.
    Staged(i64),
    /// Those of another list, but for these few.
    Edited { base: ListId, added: Vec<String>, removed: Vec<String> },
}

impl From<Vec<String>> for Members {
    fn from(ids: Vec<String>) -> Self {
        Self(Kind::Given(ids))
    }
}

impl Members {
    /// The ids that the change itself brings.
    pub(crate) fn brought(&self) -> &[String] {
        match &self.0 {
            Kind::Given(ids) | Kind::Edited { added: ids, .. } => ids,
            Kind::Staged(_) => &[],
        }
    }
}

/// A list as it lies in the database: a version of a series.
struct Version {
    series: i64,
    version: i64,
}

impl Ledger {
    /// The ids of a list, in the order in which they were given, each once. Those that have been
    /// forgotten are not in it any more.
    ///
    /// # Errors
    /// [`LedgerError::Unknown`] if no change has brought this list, [`LedgerError::Storage`].
    pub fn list(&self, id: &ListId) -> Result<Arc<[String]>, LedgerError> {
        let doing = LedgerError::storage("read a list");
        let Version { series, version } =
            version(&lock(&self.reader), id)?.ok_or_else(|| unknown("list", &id.0))?;
        let mut members: Vec<(i64, String)> = Vec::new();
        loop {
            // A list never changes, so that it may be read in pieces, and others read in between.
            let before = members.len();
            let reader = lock(&self.reader);
            let mut statement = reader.prepare_cached(IN_ORDER).map_err(&doing)?;
            let last = members.last().map_or("", |(_, member)| member.as_str()).to_owned();
            let rows = statement
                .query_map((series, last, version, number(BATCH)), |row| Ok((row.get(0)?, row.get(1)?)))
                .map_err(&doing)?;
            for row in rows {
                members.push(row.map_err(&doing)?);
            }
            if members.len() < before + BATCH {
                break;
            }
        }
        members.sort_unstable_by_key(|(position, _)| *position);
        Ok(members.into_iter().map(|(_, member)| member).collect())
    }

    /// So many ids of a list that come after a text, in the order of their text. However long the list is, it
    /// costs what is read.
    ///
    /// # Errors
    /// As [`Ledger::list`].
    pub fn page(&self, id: &ListId, after: &str, limit: usize) -> Result<Vec<String>, LedgerError> {
        let doing = LedgerError::storage("read a list");
        let reader = lock(&self.reader);
        let Version { series, version } = version(&reader, id)?.ok_or_else(|| unknown("list", &id.0))?;
        let mut statement = reader.prepare_cached(IN_ORDER).map_err(&doing)?;
        let rows =
            statement.query_map((series, after, version, number(limit)), |row| row.get(1)).map_err(&doing)?;
        rows.collect::<Result<_, _>>().map_err(&doing)
    }

    /// Which of these ids are on a list, one answer each.
    ///
    /// # Errors
    /// As [`Ledger::list`].
    pub fn listed(&self, id: &ListId, ids: &[String]) -> Result<Vec<bool>, LedgerError> {
        let doing = LedgerError::storage("read a list");
        let mut found = Vec::with_capacity(ids.len());
        for ids in ids.chunks(BATCH) {
            let reader = lock(&self.reader);
            let Version { series, version } = version(&reader, id)?.ok_or_else(|| unknown("list", &id.0))?;
            let mut statement = reader
                .prepare_cached(
                    "select 1 from list_members where series = ?1 and member = ?2 and since <= ?3
                     and coalesce(until > ?3, true)",
                )
                .map_err(&doing)?;
            for member in ids {
                found.push(statement.exists((series, member, version)).map_err(&doing)?);
            }
        }
        Ok(found)
    }

    /// Makes ids ready to be brought by a change. Many are written now, and others write in between;
    /// few are written with the change. The same id twice counts once.
    ///
    /// # Errors
    /// [`LedgerError::Refused`] if an id is empty or too long, or somebody has swept the list away while it
    /// was written; [`LedgerError::Storage`]. Nothing is left behind then that would not be swept.
    pub fn prepare(&self, ids: Vec<String>, now: Millis) -> Result<Members, LedgerError> {
        self.prepare_with(ids, now, &mut || {})
    }

    /// The same; `between` is called where others may write.
    pub(crate) fn prepare_with(
        &self,
        ids: Vec<String>,
        now: Millis,
        between: &mut dyn FnMut(),
    ) -> Result<Members, LedgerError> {
        ids.iter().try_for_each(|id| crate::check::member(id))?;
        if ids.len() <= BATCH && ids.iter().map(String::len).sum::<usize>() <= BATCH_BYTES {
            return Ok(ids.into());
        }
        self.sweep(Some(Millis(now.0.saturating_sub(ABANDONED))), between)?;
        let series = self.in_turn(|tx| begin(tx, "writing", now))?;
        let written = self.write_whole(series, &sorted(&ids), between);
        if let Err(error) = written {
            // What was written cannot be cited. If the disk is at fault, it is swept later.
            let _ = self.remove(series, between);
            return Err(error);
        }
        Ok(Members(Kind::Staged(series)))
    }

    /// Makes a list ready that is another one without some of its ids and with others behind them. Few are
    /// written with the change, as long as no other list was made of `base` by then; else the list
    /// is written whole, as by [`Ledger::prepare`].
    ///
    /// # Errors
    /// As [`Ledger::prepare`], and [`LedgerError::Unknown`] if there is no such list.
    pub fn prepare_edit(
        &self,
        base: &ListId,
        added: Vec<String>,
        removed: Vec<String>,
        now: Millis,
    ) -> Result<Members, LedgerError> {
        added.iter().try_for_each(|id| crate::check::member(id))?;
        if added.len() + removed.len() <= FEW && extensible(&lock(&self.reader), base)? {
            return Ok(Members(Kind::Edited { base: base.clone(), added, removed }));
        }
        let known = self.list(base)?;
        let gone: HashSet<&String> = removed.iter().collect();
        let kept = known.iter().filter(|id| !gone.contains(id));
        self.prepare(kept.chain(&added).cloned().collect(), now)
    }

    /// Gives back what was prepared and will not be cited.
    ///
    /// # Errors
    /// [`LedgerError::Storage`]; it is swept later then.
    pub fn discard(&self, members: Members) -> Result<(), LedgerError> {
        match members.0 {
            Kind::Staged(series) => self.remove(series, &mut || {}),
            Kind::Given(_) | Kind::Edited { .. } => Ok(()),
        }
    }

    /// Sweeps what no change cites: of before a moment, or all of it.
    pub(crate) fn sweep(&self, before: Option<Millis>, between: &mut dyn FnMut()) -> Result<(), LedgerError> {
        let doing = LedgerError::storage("sweep lists");
        let left: Vec<i64> = {
            let reader = lock(&self.reader);
            let mut statement = reader
                .prepare_cached(
                    "select series from list_series where began < ?1
                     and series not in (select series from lists)",
                )
                .map_err(&doing)?;
            let rows = statement
                .query_map([before.map_or(i64::MAX, |before| before.0)], |row| row.get(0))
                .map_err(&doing)?;
            rows.collect::<Result<_, _>>().map_err(&doing)?
        };
        left.into_iter().try_for_each(|series| self.remove(series, between))
    }

    /// Writes the members of a series that was begun, and declares it whole.
    fn write_whole(
        &self,
        series: i64,
        mut ids: &[(i64, &String)],
        between: &mut dyn FnMut(),
    ) -> Result<(), LedgerError> {
        loop {
            let (batch, rest) = ids.split_at(batch(ids));
            ids = rest;
            self.in_turn(|tx| {
                let state = if rest.is_empty() { "whole" } else { "writing" };
                let going_on = tx
                    .prepare_cached(
                        "update list_series set state = ?2 where series = ?1 and state = 'writing'",
                    )
                    .and_then(|mut s| s.execute((series, state)))
                    .map_err(LedgerError::storage("write a list"))?;
                if going_on == 0 {
                    return Err(swept());
                }
                add(tx, series, 0, batch)
            })?;
            between();
            if rest.is_empty() {
                return Ok(());
            }
        }
    }

    /// Removes a series that no list is of: first it is no longer whole, then its members go.
    fn remove(&self, series: i64, between: &mut dyn FnMut()) -> Result<(), LedgerError> {
        let doing = LedgerError::storage("sweep lists");
        let uncited = self.in_turn(|tx| {
            tx.execute(
                "update list_series set state = 'going' where series = ?1
                 and series not in (select series from lists)",
                [series],
            )
            .map_err(&doing)
        })?;
        let mut more = uncited > 0;
        while more {
            between();
            more = self.in_turn(|tx| {
                let gone = tx
                    .execute(
                        "delete from list_members where series = ?1 and member in
                         (select member from list_members where series = ?1 order by member limit ?2)",
                        (series, number(BATCH)),
                    )
                    .map_err(&doing)?;
                if gone == 0 {
                    tx.execute("delete from list_series where series = ?1", [series]).map_err(&doing)?;
                }
                Ok(gone > 0)
            })?;
        }
        Ok(())
    }

    /// One transaction of the writer, in its turn.
    pub(crate) fn in_turn<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        let doing = "write a list";
        let mut writer = lock(&self.writer);
        let tx = schema::write(&mut writer, doing)?;
        let done = work(&tx)?;
        tx.commit().map_err(LedgerError::storage(doing))?;
        Ok(done)
    }
}

/// Whether a change has brought this list.
pub(crate) fn exists(conn: &Connection, id: &ListId) -> Result<bool, LedgerError> {
    Ok(version(conn, id)?.is_some())
}

/// Whether a change may bring this list.
pub(crate) fn check(conn: &Connection, id: &ListId, members: &Members) -> Result<(), LedgerError> {
    if exists(conn, id)? {
        return Err(refused(
            format!("list `{}` exists already", id.0),
            "a list is written once: send the members under a new id",
        ));
    }
    match &members.0 {
        Kind::Given(_) => Ok(()),
        Kind::Staged(series) => {
            let citable = conn
                .prepare_cached(
                    "select 1 from list_series where series = ?1 and state = 'whole'
                     and series not in (select series from lists)",
                )
                .and_then(|mut s| s.exists([series]))
                .map_err(LedgerError::storage("read a list"))?;
            if citable { Ok(()) } else { Err(swept()) }
        }
        Kind::Edited { base, .. } => {
            let known = version(conn, base)?.ok_or_else(|| unknown("list", &base.0))?;
            if newest(conn, &known)? {
                return Ok(());
            }
            Err(refused(
                format!("another list was made of list `{}` before", base.0),
                "read the list again, and edit the newest",
            ))
        }
    }
}

/// Stores a list that a change brings, in the change's transaction.
pub(crate) fn bring(
    tx: &Transaction<'_>,
    revision: Revision,
    now: Millis,
    id: &ListId,
    members: &Members,
) -> Result<(), LedgerError> {
    // Asked again, because two lists of one change may be made of the same.
    check(tx, id, members)?;
    let at = match &members.0 {
        Kind::Given(ids) => {
            let series = begin(tx, "whole", now)?;
            add(tx, series, 0, &sorted(ids))?;
            Version { series, version: 0 }
        }
        Kind::Staged(series) => Version { series: *series, version: 0 },
        Kind::Edited { base, added, removed } => edit(tx, base, added, removed)?,
    };
    tx.prepare_cached("insert into lists (id, revision, series, version) values (?, ?, ?, ?)")
        .and_then(|mut s| s.execute((&id.0, log::number(revision), at.series, at.version)))
        .map_err(LedgerError::storage("write a list"))?;
    Ok(())
}

/// Adds a version to the series of `base`: what has gone ends, what has come begins.
fn edit(
    tx: &Transaction<'_>,
    base: &ListId,
    added: &[String],
    removed: &[String],
) -> Result<Version, LedgerError> {
    let doing = LedgerError::storage("write a list");
    let known = version(tx, base)?.ok_or_else(|| unknown("list", &base.0))?;
    let Version { series, version } = Version { version: known.version + 1, ..known };
    let mut end = tx
        .prepare_cached(
            "update list_members set until = ?3 where series = ?1 and member = ?2 and until is null",
        )
        .map_err(&doing)?;
    let mut ended = 0;
    for member in removed {
        ended += end.execute((series, member, version)).map_err(&doing)?;
    }
    let mut there = tx
        .prepare_cached("select 1 from list_members where series = ?1 and member = ?2 and until is null")
        .map_err(&doing)?;
    let first = written(tx, series)?;
    let mut new: Vec<(i64, &String)> = Vec::new();
    for id in added {
        if !there.exists((series, id)).map_err(&doing)? {
            new.push((first + number(new.len()), id));
        }
    }
    new.sort_unstable_by_key(|(position, id)| (*id, *position));
    new.dedup_by_key(|(_, id)| *id);
    add(tx, series, version, &new)?;
    tx.prepare_cached("update list_series set ended = ended + ?2 where series = ?1")
        .and_then(|mut s| s.execute((series, number(ended))))
        .map_err(&doing)?;
    Ok(Version { series, version })
}

/// Whether a list may be the base of a difference: it is the newest of its series, and the series is not
/// mostly of members that have gone.
fn extensible(conn: &Connection, base: &ListId) -> Result<bool, LedgerError> {
    let known = version(conn, base)?.ok_or_else(|| unknown("list", &base.0))?;
    let (written, ended): (i64, i64) = conn
        .prepare_cached("select written, ended from list_series where series = ?1")
        .and_then(|mut s| s.query_row([known.series], |row| Ok((row.get(0)?, row.get(1)?))))
        .map_err(LedgerError::storage("read a list"))?;
    Ok(newest(conn, &known)? && ended <= written - ended + SLACK)
}

fn newest(conn: &Connection, of: &Version) -> Result<bool, LedgerError> {
    conn.prepare_cached("select max(version) from lists where series = ?1")
        .and_then(|mut s| s.query_row([of.series], |row| row.get::<_, Option<i64>>(0)))
        .map(|newest| newest == Some(of.version))
        .map_err(LedgerError::storage("read a list"))
}

fn version(conn: &Connection, id: &ListId) -> Result<Option<Version>, LedgerError> {
    conn.prepare_cached("select series, version from lists where id = ?1")
        .and_then(|mut s| {
            s.query_row([&id.0], |row| Ok(Version { series: row.get(0)?, version: row.get(1)? })).optional()
        })
        .map_err(LedgerError::storage("read a list"))
}

fn written(conn: &Connection, series: i64) -> Result<i64, LedgerError> {
    conn.prepare_cached("select written from list_series where series = ?1")
        .and_then(|mut s| s.query_row([series], |row| row.get(0)))
        .map_err(LedgerError::storage("read a list"))
}

fn begin(tx: &Transaction<'_>, state: &str, now: Millis) -> Result<i64, LedgerError> {
    tx.prepare_cached("insert into list_series (state, began) values (?, ?)")
        .and_then(|mut s| s.insert((state, now.0)))
        .map_err(LedgerError::storage("write a list"))
}

/// Adds members to a series from a version on, each at its position.
fn add(
    tx: &Transaction<'_>,
    series: i64,
    version: i64,
    members: &[(i64, &String)],
) -> Result<(), LedgerError> {
    let doing = LedgerError::storage("write a list");
    let mut insert = tx
        .prepare_cached("insert into list_members (series, member, since, position) values (?, ?, ?, ?)")
        .map_err(&doing)?;
    for (position, member) in members {
        insert.execute((series, member, version, position)).map_err(&doing)?;
    }
    let next = members.iter().map(|(position, _)| position + 1).max().unwrap_or(0);
    tx.prepare_cached("update list_series set written = max(written, ?2) where series = ?1")
        .and_then(|mut s| s.execute((series, next)))
        .map_err(&doing)?;
    Ok(())
}

/// Ids with their positions, each once, in the order in which they lie on disk: so every page is
/// written once.
fn sorted(ids: &[String]) -> Vec<(i64, &String)> {
    let mut sorted: Vec<(i64, &String)> = (0..).zip(ids).collect();
    sorted.sort_unstable_by_key(|(position, id)| (*id, *position));
    sorted.dedup_by_key(|(_, id)| *id);
    sorted
}

/// How many of these are written in one transaction.
fn batch(ids: &[(i64, &String)]) -> usize {
    let mut bytes = 0;
    let within = ids.iter().take(BATCH).take_while(|(_, id)| {
        bytes += id.len();
        bytes <= BATCH_BYTES
    });
    within.count()
}

fn swept() -> LedgerError {
    refused("this list was swept away before a change cited it, or was cited before", "send it again")
}

pub(crate) fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
#[path = "lists_tests.rs"]
mod tests;

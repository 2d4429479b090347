//! Ledger: the doctor. It looks at every row of the file, alters none, and says what is wrong and
//! where.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use bellwether_model::{ListId, Revision};
use rusqlite::{Connection, OptionalExtension};

use crate::error::LedgerError;
use crate::log::{self, Digest};
use crate::state::State;
use crate::{personal, schema, snapshot};

/// What the doctor found.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The newest change.
    pub revision: Revision,
    /// How many changes there are.
    pub changes: u64,
    /// How many snapshots there are.
    pub snapshots: u64,
    /// The mark of the key that personal values are hashed with; see [`Ledger::personal_key_mark`].
    ///
    /// [`Ledger::personal_key_mark`]: crate::Ledger::personal_key_mark
    pub personal_key_mark: Option<String>,
    /// What is wrong, in the order of the log; empty if all is well.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn healthy(&self) -> bool {
        self.findings.is_empty()
    }
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// At which change, where it is at one.
    pub revision: Option<Revision>,
    /// What sort of damage it is.
    pub fault: Fault,
    /// What exactly.
    pub detail: String,
}

/// A sort of damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// SQLite finds its own file damaged.
    Database,
    /// Changes are missing.
    Gap,
    /// A change is not what was written.
    Altered,
    /// A change cannot be read.
    Unreadable,
    /// A change finds nothing to act on.
    Dangling,
    /// A snapshot is not what the log folds to. It is passed over when the ledger is opened.
    Snapshot,
    /// The index of what changes touched does not agree with the log.
    Index,
    /// A list that a flag or a segment cites is not there, or not as it was written.
    List,
    /// The triggers that keep the log as it is are not there.
    Unguarded,
}

impl fmt::Display for Finding {
    /// One line, such as ``change `7`: it is not what was written``.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.revision {
            Some(revision) => write!(f, "change `{revision}`: {}", self.detail),
            None => f.write_str(&self.detail),
        }
    }
}

pub(crate) fn look(path: &Path) -> Result<Report, LedgerError> {
    let conn = schema::open_reader(path)?;
    // One transaction: all that follows sees the same ledger, while a server may be writing.
    conn.execute_batch("begin").map_err(LedgerError::storage("read the log"))?;
    let mut findings = Vec::new();
    database(&conn, &mut findings)?;
    guarded(&conn, &mut findings)?;
    let snapshots = snapshot::all(&conn, Revision(u64::MAX))?;
    let (state, changes) = refold(&conn, &snapshots, &mut findings)?;
    lists(&conn, &state, &mut findings)?;
    // Before its second version the schema had no series.
    if schema::ours(&conn)? > 1 {
        series(&conn, &mut findings)?;
    }
    let personal_key_mark = personal::mark(&conn)?;
    let snapshots = snapshots.len() as u64;
    Ok(Report { revision: state.revision, changes, snapshots, personal_key_mark, findings })
}

/// Folds the whole log anew, and compares on the way.
fn refold(
    conn: &Connection,
    snapshots: &[snapshot::Snapshot],
    findings: &mut Vec<Finding>,
) -> Result<(State, u64), LedgerError> {
    let mut state = State::default();
    let mut before: Digest = log::NOTHING;
    let mut changes = 0;
    // Behind a change that is missing or wrong, the log says nothing about a snapshot.
    let mut whole = true;
    let mut unseen: BTreeSet<Revision> = snapshots.iter().map(|s| s.revision).collect();
    log::walk(conn, Revision(0), Revision(u64::MAX), |stored, kept| {
        let revision = stored.revision;
        changes += 1;
        let mut found =
            |fault, detail: String| findings.push(Finding { revision: Some(revision), fault, detail });
        if revision.0 != state.revision.0 + 1 {
            found(Fault::Gap, format!("it follows `{}`; what was between them is missing", state.revision));
            whole = false;
        } else if stored.digest(&before).as_slice() != kept {
            found(Fault::Altered, "it is not what was written".to_owned());
            whole = false;
        }
        // The chain goes on from what is stored, so that one altered change is one finding.
        before = kept.try_into().unwrap_or(log::NOTHING);
        match stored.decode() {
            Ok(change) => {
                let expected: BTreeSet<String> =
                    state.touched(&change.by, &change.edit).iter().map(log::subject_text).collect();
                if touches(conn, revision)? != expected {
                    found(Fault::Index, "the index of what it touched does not agree with it".to_owned());
                }
                if !state.apply(&change) {
                    found(Fault::Dangling, "it finds nothing to act on".to_owned());
                }
            }
            Err(what) => {
                found(Fault::Unreadable, what);
                state.revision = revision;
                whole = false;
            }
        }
        if let Some(snapshot) = snapshots.iter().find(|s| s.revision == revision && !s.foreign()) {
            match snapshot.read(conn)? {
                Err(why) => found(Fault::Snapshot, format!("its snapshot is wrong: {why}")),
                Ok((snapshot, _)) if whole && snapshot != state => {
                    found(Fault::Snapshot, "its snapshot is not what the log folds to".to_owned());
                }
                Ok(_) => {}
            }
        }
        unseen.remove(&revision);
        Ok(())
    })?;
    findings.extend(unseen.into_iter().map(|revision| Finding {
        revision: Some(revision),
        fault: Fault::Gap,
        detail: "there is a snapshot of it, but not the change".to_owned(),
    }));
    Ok((state, changes))
}

fn touches(conn: &Connection, revision: Revision) -> Result<BTreeSet<String>, LedgerError> {
    let doing = LedgerError::storage("read the log");
    let mut statement =
        conn.prepare_cached("select subject from touches where revision = ?1").map_err(&doing)?;
    let rows = statement.query_map([log::number(revision)], |row| row.get(0)).map_err(&doing)?;
    rows.collect::<Result<_, _>>().map_err(&doing)
}

fn database(conn: &Connection, findings: &mut Vec<Finding>) -> Result<(), LedgerError> {
    let doing = LedgerError::storage("check the database");
    let mut found = |detail| findings.push(Finding { revision: None, fault: Fault::Database, detail });
    let mut check = conn.prepare("pragma integrity_check(20)").map_err(&doing)?;
    let rows = check.query_map([], |row| row.get::<_, String>(0)).map_err(&doing)?;
    for said in rows {
        let said = said.map_err(&doing)?;
        if said != "ok" {
            found(format!("sqlite says: {said}"));
        }
    }
    let mut check = conn.prepare("pragma foreign_key_check").map_err(&doing)?;
    let rows = check.query_map([], |row| row.get::<_, String>(0)).map_err(&doing)?;
    let tables: BTreeSet<String> = rows.collect::<Result<_, _>>().map_err(&doing)?;
    for table in tables {
        found(format!("a row of table `{table}` cites a row that is not there"));
    }
    Ok(())
}

fn guarded(conn: &Connection, findings: &mut Vec<Finding>) -> Result<(), LedgerError> {
    for trigger in ["changes_have_no_gap", "changes_stay_as_they_are", "changes_stay"] {
        let found: Option<i64> = conn
            .query_row(
                "select 1 from sqlite_schema where type = 'trigger' and tbl_name = 'changes' and name = ?1",
                [trigger],
                |row| row.get(0),
            )
            .optional()
            .map_err(LedgerError::storage("check the database"))?;
        if found.is_none() {
            findings.push(Finding {
                revision: None,
                fault: Fault::Unguarded,
                detail: format!("trigger `{trigger}` is not there, so the log can be altered"),
            });
        }
    }
    Ok(())
}

fn lists(conn: &Connection, state: &State, findings: &mut Vec<Finding>) -> Result<(), LedgerError> {
    let doing = LedgerError::storage("read the lists");
    let mut statement = conn.prepare("select id from lists").map_err(&doing)?;
    let rows = statement.query_map([], |row| row.get(0).map(ListId)).map_err(&doing)?;
    let there: BTreeSet<ListId> = rows.collect::<Result<_, _>>().map_err(&doing)?;
    for flag in state.flags.values() {
        for (environment, setting) in &flag.settings {
            for target in setting.targets.iter().filter(|t| !there.contains(&t.list)) {
                findings.push(Finding {
                    revision: Some(flag.revision),
                    fault: Fault::List,
                    detail: format!(
                        "flag `{}` in `{environment}` cites list `{}`, which is not there",
                        flag.key, target.list.0
                    ),
                });
            }
        }
    }
    for segment in state.segments.values() {
        for list in segment.lists().filter(|list| !there.contains(*list)) {
            findings.push(Finding {
                revision: Some(segment.revision),
                fault: Fault::List,
                detail: format!("segment `{}` cites list `{}`, which is not there", segment.key, list.0),
            });
        }
    }
    Ok(())
}

/// Every list is whole, and who is on it since when and until when is something that lists can say.
/// What no list is of waits for being swept and is no damage.
fn series(conn: &Connection, findings: &mut Vec<Finding>) -> Result<(), LedgerError> {
    let doing = LedgerError::storage("read the lists");
    for (sql, what) in [
        (
            "select l.id from lists l left join list_series s on s.series = l.series
             where s.state is not 'whole'",
            "is not whole",
        ),
        (
            "select l.id from lists l where l.version > 0
             and not exists (select 1 from lists b where b.series = l.series and b.version = l.version - 1)",
            "is made of a list that is not there",
        ),
        (
            "select l.id from lists l where l.version = 0 and exists
             (select distinct since from list_members where series = l.series
              union select distinct until from list_members where series = l.series and until is not null
              except select version from lists where series = l.series)",
            "has a member since or until a list that is not there",
        ),
        (
            "select l.id from lists l where l.version = 0 and exists
             (select 1 from list_members m join list_members n
              on n.series = m.series and n.member = m.member and n.since > m.since
              where m.series = l.series and coalesce(m.until > n.since, true))",
            "has a member twice",
        ),
        (
            "select l.id from lists l join list_series s on s.series = l.series
             where l.version = 0 and exists (select 1 from list_members m
             where m.series = l.series and (m.position < 0 or m.position >= s.written))",
            "has a member at a place that was never written",
        ),
    ] {
        let mut statement = conn.prepare(sql).map_err(&doing)?;
        let rows = statement.query_map([], |row| row.get::<_, String>(0)).map_err(&doing)?;
        for list in rows {
            let detail = format!("list `{}` {what}", list.map_err(&doing)?);
            findings.push(Finding { revision: None, fault: Fault::List, detail });
        }
    }
    Ok(())
}

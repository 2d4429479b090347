//! Ledger: the log as it is stored. A row is a change in JSON and a digest that chains it to the row
//! before, so that an altered row is seen and can be named.

use bellwether_model::{Change, Edit, Json, Millis, Revision, Subject};
use rusqlite::{Connection, OptionalExtension, Row};
use sha2::{Digest as _, Sha256};

use crate::error::{LedgerError, refused};

/// The version of the stored form of an edit. The number goes up when a stored form can no longer be
/// read as it is; then [`decode`] also reads the older ones, which lie in `tests/corpus`.
const VERSION: u64 = 1;

/// What chains a change to all before it: SHA-256 over the digest before and the row's own text.
/// It shows a hand's edit of the file; it does not hinder somebody who computes the chain anew.
pub(crate) type Digest = [u8; 32];

/// The digest before the first change.
pub(crate) const NOTHING: Digest = [0; 32];

/// A change as it lies in the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) revision: Revision,
    pub(crate) at: Millis,
    pub(crate) by: String,
    pub(crate) why: String,
    pub(crate) edit: String,
}

impl Stored {
    /// The stored form, which must read back as the very same change.
    pub(crate) fn encode(change: &Change) -> Result<Self, LedgerError> {
        let lost = |_: serde_json::Error| {
            refused("this edit has no stored form", "use finite numbers and keys that are text")
        };
        let mut edit = serde_json::to_value(&change.edit).map_err(lost)?;
        if let Some(fields) = edit.as_object_mut() {
            fields.insert("v".to_owned(), VERSION.into());
        }
        let stored = Self {
            revision: change.revision,
            at: change.at,
            by: serde_json::to_string(&change.by).map_err(lost)?,
            why: change.why.clone(),
            edit: edit.to_string(),
        };
        match stored.decode() {
            Ok(read) if read == *change => Ok(stored),
            _ => Err(refused(
                "this edit would not read back as it is",
                "use finite numbers, and nest values less deep",
            )),
        }
    }

    /// The change; what is wrong with it if it cannot be read.
    pub(crate) fn decode(&self) -> Result<Change, String> {
        let by = serde_json::from_str(&self.by).map_err(|e| format!("its actor cannot be read: {e}"))?;
        let edit = decode(&self.edit)?;
        Ok(Change { revision: self.revision, at: self.at, by, why: self.why.clone(), edit })
    }

    /// Chains this change to the digest before.
    pub(crate) fn digest(&self, before: &Digest) -> Digest {
        let mut hash = Sha256::new();
        hash.update(before);
        hash.update(self.revision.0.to_be_bytes());
        hash.update(self.at.0.to_be_bytes());
        for text in [&self.by, &self.why, &self.edit] {
            // The length keeps a text from flowing into the next one.
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text.as_bytes());
        }
        hash.finalize().into()
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<(Self, Vec<u8>)> {
        let stored = Self {
            revision: revision(row, 0)?,
            at: Millis(row.get(1)?),
            by: row.get(2)?,
            why: row.get(3)?,
            edit: row.get(4)?,
        };
        Ok((stored, row.get(5)?))
    }
}

/// Reads an edit of any version that was ever stored.
pub(crate) fn decode(stored: &str) -> Result<Edit, String> {
    let json: Json = serde_json::from_str(stored).map_err(|e| format!("its edit is not JSON: {e}"))?;
    match json.get("v").and_then(Json::as_u64) {
        Some(VERSION) => serde_json::from_value(json).map_err(|e| format!("its edit cannot be read: {e}")),
        Some(newer) => {
            Err(format!("its edit has version `{newer}`, and this program reads up to `{VERSION}`"))
        }
        None => Err("its edit has no version".to_owned()),
    }
}

/// Calls `each` with every change after one revision up to another and the digest stored with it.
pub(crate) fn walk(
    conn: &Connection,
    after: Revision,
    to: Revision,
    mut each: impl FnMut(Stored, &[u8]) -> Result<(), LedgerError>,
) -> Result<(), LedgerError> {
    let doing = LedgerError::storage("read the log");
    let mut rows = conn
        .prepare_cached(
            "select revision, at, by, why, edit, digest from changes
             where revision > ?1 and revision <= ?2 order by revision",
        )
        .map_err(&doing)?;
    let mut rows = rows.query([number(after), number(to)]).map_err(&doing)?;
    while let Some(row) = rows.next().map_err(&doing)? {
        let (stored, digest) = Stored::read(row).map_err(&doing)?;
        each(stored, &digest)?;
    }
    Ok(())
}

/// Changes below a revision, newest first; of one subject or of all.
pub(crate) fn newest_first(
    conn: &Connection,
    before: Option<Revision>,
    limit: u32,
    about: Option<&Subject>,
) -> Result<Vec<Change>, LedgerError> {
    let doing = LedgerError::storage("read the log");
    let below = before.map_or(i64::MAX, number);
    let (sql, about) = match about {
        None => (
            "select revision, at, by, why, edit, digest from changes
             where revision < ?1 and ?3 is null order by revision desc limit ?2",
            None,
        ),
        Some(subject) => (
            "select c.revision, c.at, c.by, c.why, c.edit, c.digest
             from touches t join changes c on c.revision = t.revision
             where t.subject = ?3 and t.revision < ?1 order by t.revision desc limit ?2",
            Some(subject_text(subject)),
        ),
    };
    let mut statement = conn.prepare_cached(sql).map_err(&doing)?;
    let mut rows = statement.query((below, limit, about)).map_err(&doing)?;
    let mut changes = Vec::new();
    while let Some(row) = rows.next().map_err(&doing)? {
        let (stored, _) = Stored::read(row).map_err(&doing)?;
        changes.push(stored.decode().map_err(|what| damaged(stored.revision, what))?);
    }
    Ok(changes)
}

/// The digest stored with a change; [`NOTHING`] before the first, `None` where there is no such change.
pub(crate) fn digest_at(conn: &Connection, revision: Revision) -> Result<Option<Digest>, LedgerError> {
    if revision == Revision(0) {
        return Ok(Some(NOTHING));
    }
    let digest: Option<Vec<u8>> = conn
        .prepare_cached("select digest from changes where revision = ?1")
        .and_then(|mut s| s.query_row([number(revision)], |row| row.get(0)).optional())
        .map_err(LedgerError::storage("read the log"))?;
    Ok(digest.and_then(|d| d.try_into().ok()))
}

/// Adds a change and what it touches; `digest` chains it to the one before.
pub(crate) fn append(
    conn: &Connection,
    stored: &Stored,
    digest: &Digest,
    touched: &[Subject],
) -> Result<(), LedgerError> {
    let doing = LedgerError::storage("write the change");
    let revision = number(stored.revision);
    conn.prepare_cached(
        "insert into changes (revision, at, by, why, edit, digest) values (?, ?, ?, ?, ?, ?)",
    )
    .and_then(|mut s| {
        s.execute((revision, stored.at.0, &stored.by, &stored.why, &stored.edit, digest.as_slice()))
    })
    .map_err(&doing)?;
    for subject in touched {
        conn.prepare_cached("insert into touches (subject, revision) values (?, ?)")
            .and_then(|mut s| s.execute((subject_text(subject), revision)))
            .map_err(&doing)?;
    }
    Ok(())
}

/// What is wrong with a change.
pub(crate) fn damaged(revision: Revision, what: impl Into<String>) -> LedgerError {
    LedgerError::Corrupt { revision: Some(revision), what: what.into() }
}

/// A revision as SQLite's integer; one that SQLite cannot hold is later than all it does.
pub(crate) fn number(revision: Revision) -> i64 {
    i64::try_from(revision.0).unwrap_or(i64::MAX)
}

/// A column that holds a revision.
pub(crate) fn revision(row: &Row<'_>, column: usize) -> rusqlite::Result<Revision> {
    let stored: i64 = row.get(column)?;
    u64::try_from(stored).map(Revision).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, stored))
}

/// A subject as one text. What stands before the first `/` says of which sort it is.
pub(crate) fn subject_text(subject: &Subject) -> String {
    match subject {
        Subject::Environment(key) => format!("environment/{key}"),
        Subject::Flag(key) => format!("flag/{key}"),
        Subject::Metric(key) => format!("metric/{key}"),
        Subject::Experiment(key) => format!("experiment/{key}"),
        Subject::Segment(key) => format!("segment/{key}"),
        Subject::Layer(key) => format!("layer/{key}"),
        Subject::Holdout(key) => format!("holdout/{key}"),
        Subject::Beta(key) => format!("beta/{key}"),
        Subject::Schedule(key) => format!("schedule/{key}"),
        Subject::Plan => "plan/".to_owned(),
        Subject::EventType(name) => format!("event/{name}"),
        Subject::Proposal(key) => format!("proposal/{key}"),
    }
}

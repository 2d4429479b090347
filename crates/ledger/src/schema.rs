//! Ledger: the database file. Its tables, how they came to be, and how a connection is opened.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use crate::error::LedgerError;

/// Marks the file as a ledger of Bellwether ("BWLG").
const APPLICATION: i32 = 0x4257_4c47;

/// Every version of the schema is one step from the one before; a step that has been released is
/// never edited. `user_version` counts the steps taken.
const MIGRATIONS: &[&str] = &[FIRST, SERIES, ENROLMENTS, KEY_RATES, PERSONAL_KEY];

const FIRST: &str = "
    create table changes (
        revision integer primary key check (revision > 0),
        at integer not null,
        by text not null,
        why text not null,
        edit text not null,
        digest blob not null check (length(digest) = 32)
    ) strict;

    create trigger changes_have_no_gap before insert on changes
    when new.revision <> (select coalesce(max(revision), 0) + 1 from changes)
    begin select raise(abort, 'changes are numbered without gaps'); end;

    create trigger changes_stay_as_they_are before update on changes
    begin select raise(abort, 'a change is never altered'); end;

    create trigger changes_stay before delete on changes
    begin select raise(abort, 'a change is never removed'); end;

    -- What a change alters, to page through the history of one thing. Made from the log.
    create table touches (
        subject text not null,
        revision integer not null references changes (revision),
        primary key (subject, revision)
    ) strict, without rowid;

    -- Made from the log, to open faster; every row may be lost.
    create table snapshots (
        revision integer primary key,
        fold integer not null,
        log_digest blob not null,
        state text not null,
        checksum blob not null
    ) strict;

    -- From here on personal data: rewritable, and never named in the log but by a random id.
    create table lists (
        id text primary key,
        revision integer not null references changes (revision)
    ) strict, without rowid;

    create table list_members (
        list text not null references lists (id),
        position integer not null,
        member text not null,
        primary key (list, position)
    ) strict, without rowid;

    create table people (
        id text primary key,
        email text not null unique,
        name text not null,
        role text not null,
        password_hash text not null,
        created integer not null
    ) strict;

    create table sessions (
        token_hash text primary key,
        person text not null references people (id) on delete cascade,
        csrf text not null,
        expires integer not null
    ) strict, without rowid;
    create index sessions_by_person on sessions (person);

    create table api_keys (
        id text primary key,
        name text not null,
        scope text not null,
        environment text,
        secret_hash text not null unique,
        created_by text not null,
        created integer not null,
        revoked integer
    ) strict;

    create table setup_links (
        only_one integer primary key check (only_one = 1),
        token_hash text not null,
        created integer not null
    ) strict;
";

/// Lists that came from one another share their members: see `lists.rs`.
const SERIES: &str = "
    create table list_series (
        series integer primary key autoincrement,
        state text not null check (state in ('writing', 'whole', 'going')),
        -- When, in milliseconds; what no list is of is swept some time after.
        began integer not null,
        -- How many members were ever written, which is the position of the next; how many have gone.
        written integer not null default 0,
        ended integer not null default 0
    ) strict;

    create table new_lists (
        id text primary key,
        revision integer not null references changes (revision),
        series integer not null references list_series (series),
        version integer not null check (version >= 0),
        unique (series, version)
    ) strict, without rowid;

    -- A member is on the lists of its series from the version `since` on, and from `until` on no more.
    create table new_members (
        series integer not null references list_series (series),
        member text not null,
        since integer not null,
        until integer check (until > since),
        position integer not null,
        primary key (series, member, since)
    ) strict, without rowid;

    insert into list_series (series, state, began, written)
    select row_number() over (order by l.revision, l.id), 'whole', c.at,
        coalesce((select max(position) + 1 from list_members where list = l.id), 0)
    from lists l join changes c on c.revision = l.revision;

    insert into new_lists
    select id, revision, row_number() over (order by revision, id), 0 from lists order by id;

    insert into new_members (series, member, since, position)
    select l.series, m.member, 0, min(m.position)
    from list_members m join new_lists l on l.id = m.list
    group by l.series, m.member order by l.series, m.member;

    drop table list_members;
    drop table lists;
    alter table new_lists rename to lists;
    alter table new_members rename to list_members;
";

/// Who was enrolled by flags that remember it: see `enrolments.rs`.
const ENROLMENTS: &str = "
    -- Who was enrolled by flags that remember it: rewritable, and never named in the log. There is no id in
    -- it: a unit is 64 bits of a keyed hash, and the key is here so that it goes where the rows go.
    create table enrolment_secret (
        only_one integer primary key check (only_one = 1),
        secret text not null
    ) strict;

    create table enrolments (
        id integer primary key,
        environment text not null,
        flag text not null,
        salt text not null,
        made integer not null,
        seen integer,
        unique (environment, flag, salt)
    ) strict;

    create table enrolled_units (
        enrolment integer not null references enrolments (id),
        unit integer not null,
        -- The user whose device it is; else it has a place of its own.
        owner integer,
        hash integer,
        holds text,
        inherited integer not null,
        primary key (enrolment, unit),
        check ((owner is null) <> (hash is null))
    ) strict, without rowid;
";

/// How many events a second a key may bring; null is as many as its environment takes.
const KEY_RATES: &str = "
    alter table api_keys add column events_per_second integer
        check (events_per_second between 1 and 4294967295);
";

/// What tells the key that personal values are hashed with from any other, and not the key: see `personal.rs`.
const PERSONAL_KEY: &str = "
    create table personal_key (
        only_one integer primary key check (only_one = 1),
        mark text not null
    ) strict;
";

/// Opens the file for writing, creates or migrates it where that is needed.
pub(crate) fn open_writer(path: &Path) -> Result<Connection, LedgerError> {
    create(path)?;
    let doing = LedgerError::storage("open its file");
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut conn = Connection::open_with_flags(path, flags).map_err(&doing)?;
    conn.busy_timeout(Duration::from_secs(10)).map_err(&doing)?;
    ours(&conn)?;
    let mode: String = conn.query_row("pragma journal_mode = wal", [], |row| row.get(0)).map_err(&doing)?;
    if mode != "wal" {
        return Err(LedgerError::Storage {
            doing: "open its file",
            reason: format!("the file system allows journal mode `{mode}` only, and `wal` is needed"),
        });
    }
    // FULL: a commit is on disk before it returns. `secure_delete`: what is forgotten is overwritten.
    conn.execute_batch(
        "pragma synchronous = full; pragma foreign_keys = on; pragma secure_delete = on;
         pragma trusted_schema = off;",
    )
    .map_err(&doing)?;
    migrate(&mut conn, MIGRATIONS)?;
    Ok(conn)
}

/// Opens a file that is there for reading only; the file itself is never altered.
pub(crate) fn open_reader(path: &Path) -> Result<Connection, LedgerError> {
    let doing = LedgerError::storage("open its file");
    if !path.is_file() {
        return Err(LedgerError::Unknown { what: "ledger", key: path.display().to_string() });
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags).map_err(&doing)?;
    conn.busy_timeout(Duration::from_secs(10)).map_err(&doing)?;
    conn.execute_batch("pragma trusted_schema = off").map_err(&doing)?;
    let version = ours(&conn)?;
    if version == 0 {
        return Err(LedgerError::Storage {
            doing: "open its file",
            reason: "it is not a ledger of Bellwether".to_owned(),
        });
    }
    Ok(conn)
}

/// Writes all of a database, as of one moment, to a file that must not be there; on disk before this returns.
pub(crate) fn copy(from: &Connection, to: &Path) -> Result<(), LedgerError> {
    let doing = LedgerError::storage("write a backup");
    let io =
        |e: std::io::Error| LedgerError::Storage { doing: "write a backup", reason: e.kind().to_string() };
    create(to)?;
    from.execute("vacuum into ?1", [to.to_string_lossy()]).map_err(&doing)?;
    std::fs::File::open(to).and_then(|file| file.sync_all()).map_err(io)
}

/// Writes a file anew and empties its log: what was deleted is in no page of either.
pub(crate) fn scrub(conn: &Connection) -> Result<(), LedgerError> {
    let doing = "write its file anew";
    conn.execute_batch("vacuum").map_err(LedgerError::storage(doing))?;
    let busy: i64 = conn
        .query_row("pragma wal_checkpoint(truncate)", [], |row| row.get(0))
        .map_err(LedgerError::storage(doing))?;
    if busy == 0 {
        return Ok(());
    }
    Err(LedgerError::Storage { doing, reason: "somebody reads it all the time".to_owned() })
}

/// A transaction that is the only one to write from its first statement on.
pub(crate) fn write<'c>(
    conn: &'c mut Connection,
    doing: &'static str,
) -> Result<Transaction<'c>, LedgerError> {
    conn.transaction_with_behavior(TransactionBehavior::Immediate).map_err(LedgerError::storage(doing))
}

/// Makes the file if there is none, for its owner alone: it holds hashes of passwords. SQLite gives
/// its other files the same permissions.
pub(crate) fn create(path: &Path) -> Result<(), LedgerError> {
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) => Err(LedgerError::Storage {
            doing: "open its file",
            reason: format!("`{}`: {}", path.display(), error.kind()),
        }),
    }
}

/// The schema version of a file that is empty or ours.
pub(crate) fn ours(conn: &Connection) -> Result<usize, LedgerError> {
    let doing = LedgerError::storage("open its file");
    let pragma = |name: &str| conn.query_row(&format!("pragma {name}"), [], |row| row.get::<_, i64>(0));
    let version = pragma("user_version").map_err(&doing)?;
    let application = pragma("application_id").map_err(&doing)?;
    let tables: i64 =
        conn.query_row("select count(*) from sqlite_schema", [], |row| row.get(0)).map_err(&doing)?;
    let refuse = |reason: String| Err(LedgerError::Storage { doing: "open its file", reason });
    if application != i64::from(APPLICATION) && (application, version, tables) != (0, 0, 0) {
        return refuse("it is another program's database".to_owned());
    }
    match usize::try_from(version) {
        Ok(version) if version <= MIGRATIONS.len() => Ok(version),
        _ => refuse(format!("schema version `{version}` was written by a newer Bellwether")),
    }
}

/// Takes the steps that are missing, each in a transaction of its own.
fn migrate(conn: &mut Connection, steps: &[&str]) -> Result<(), LedgerError> {
    let doing = "bring its schema up to date";
    for (i, step) in steps.iter().enumerate() {
        let tx = write(conn, doing)?;
        let version: i64 =
            tx.query_row("pragma user_version", [], |row| row.get(0)).map_err(LedgerError::storage(doing))?;
        if usize::try_from(version).is_ok_and(|done| done <= i) {
            tx.execute_batch(step).map_err(LedgerError::storage(doing))?;
            tx.execute_batch(&format!(
                "pragma application_id = {APPLICATION}; pragma user_version = {}",
                i + 1
            ))
            .map_err(LedgerError::storage(doing))?;
        }
        tx.commit().map_err(LedgerError::storage(doing))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_later_step_is_taken_once_and_keeps_what_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("l.sqlite");
        let mut conn = open_writer(&path).unwrap();
        conn.execute("insert into people values ('p', 'a@b', 'A', 'viewer', 'x', 1)", []).unwrap();
        let steps = [MIGRATIONS, &["alter table people add column locale text"]].concat();
        migrate(&mut conn, &steps).unwrap();
        migrate(&mut conn, &steps).unwrap();
        let kept: (String, Option<String>) = conn
            .query_row("select id, locale from people", [], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap();
        assert_eq!(kept, ("p".to_owned(), None));
        drop(conn);
        let newer = open_writer(&path).unwrap_err();
        assert!(newer.message().contains("newer Bellwether"), "{newer}");
        assert!(open_reader(&path).unwrap_err().message().contains("newer Bellwether"));
    }

    #[test]
    fn lists_of_the_first_version_are_what_they_were() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("l.sqlite");
        create(&path).unwrap();
        let mut conn = Connection::open(&path).unwrap();
        conn.execute_batch("pragma foreign_keys = on").unwrap();
        migrate(&mut conn, &[FIRST]).unwrap();
        conn.execute_batch(
            "insert into changes values (1, 70, '', '', '', zeroblob(32)), (2, 80, '', '', '', zeroblob(32));
             insert into lists values ('many', 2), ('few', 1), ('none', 1);
             insert into list_members values ('few', 0, 'b'), ('few', 1, 'a'), ('few', 2, 'b'),
                ('many', 0, 'x'), ('many', 1, 'b'), ('many', 3, 'a');",
        )
        .unwrap();
        migrate(&mut conn, MIGRATIONS).unwrap();
        let mut rows = conn
            .prepare(
                "select l.id || ' of ' || l.revision || ', ' || s.state || ' since ' || s.began || ', '
                 || s.written || ':' || coalesce((select group_concat(member, '') from
                 (select ' ' || member as member from list_members m
                  where m.series = l.series and since = 0 and until is null order by position)), '')
                 from lists l join list_series s on s.series = l.series where l.version = 0 order by l.id",
            )
            .unwrap();
        let rows: Vec<String> = rows.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        insta::assert_snapshot!(rows.join("\n"), @r"
        few of 1, whole since 70, 3: b a
        many of 2, whole since 80, 4: x b a
        none of 1, whole since 70, 0:
        ");
        let broken: i64 =
            conn.query_row("select count(*) from pragma_foreign_key_check", [], |row| row.get(0)).unwrap();
        assert_eq!(broken, 0);
    }

    #[test]
    fn a_file_that_is_not_ours_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let other = dir.path().join("other.sqlite");
        Connection::open(&other).unwrap().execute_batch("create table t (x)").unwrap();
        let text = dir.path().join("text");
        std::fs::write(&text, "not a database, but long enough to be looked at ".repeat(40)).unwrap();
        let before = std::fs::read(&other).unwrap();
        let said = [open_writer(&other), open_reader(&other), open_writer(&text), open_writer(dir.path())]
            .map(|r| r.unwrap_err().message().replace(&dir.path().display().to_string(), "DIR"));
        insta::assert_snapshot!(said.join("\n"), @r"
        the ledger could not open its file: it is another program's database
        the ledger could not open its file: it is another program's database
        the ledger could not open its file: file is not a database (sqlite code 26)
        the ledger could not open its file: `DIR`: is a directory
        ");
        assert_eq!(std::fs::read(&other).unwrap(), before);
    }

    #[cfg(unix)]
    #[test]
    fn only_its_owner_may_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("l.sqlite");
        let _conn = open_writer(&path).unwrap();
        for file in std::fs::read_dir(dir.path()).unwrap() {
            assert_eq!(file.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
}

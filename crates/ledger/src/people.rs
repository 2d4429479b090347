//! Ledger: people, sessions and setup links; API keys are in `keys.rs`. These tables are rewritable, so that a person
//! can be forgotten; the log cites people and keys by a random id. Every secret arrives hashed.

use std::fmt;
use std::str::FromStr;

use bellwether_model::{Invalid, Millis};
use rusqlite::{OptionalExtension, Row, ToSql};
use serde::{Deserialize, Serialize};

use crate::error::{LedgerError, refused, unknown};
use crate::ledger::{Turns, lock};

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident ($what:literal, $hint:literal) {
        $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)*
    })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(match self { $(Self::$variant => $word,)* })
            }
        }

        impl FromStr for $name {
            type Err = Invalid;
            fn from_str(text: &str) -> Result<Self, Invalid> {
                match text {
                    $($word => Ok(Self::$variant),)*
                    _ => {
                        let shown: String = text.chars().take(40).collect();
                        Err(Invalid::new(format!("`{shown}` is not a {}", $what), $hint))
                    }
                }
            }
        }
    )*};
}

words! {
    /// What a person may do. The order is that of power.
    Role ("role", "use `viewer`, `editor` or `admin`") {
        /// Sees everything, changes nothing.
        Viewer = "viewer",
        /// Changes flags, metrics and experiments.
        Editor = "editor",
        /// Also people and keys.
        Admin = "admin",
    }

    /// What an API key may do.
    Scope ("scope", "use `client`, `server` or `admin`") {
        /// Public: sends events and evaluates for one context.
        Client = "client",
        /// Secret: also reads the rules.
        Server = "server",
        /// Secret: does what an administrator does.
        Admin = "admin",
    }
}

/// Somebody who can log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// A random id: the only thing by which the log knows this person.
    pub id: String,
    /// In lower case.
    pub email: String,
    /// What others call them.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// The hash of their password, with its salt and parameters.
    pub password_hash: String,
    /// Since when.
    pub created: Millis,
}

/// Somebody to be.
#[derive(Debug, Clone, Copy)]
pub struct NewPerson<'a> {
    /// A random id that has never been used.
    pub id: &'a str,
    /// Unique, whatever its case.
    pub email: &'a str,
    /// What others call them.
    pub name: &'a str,
    /// What they may do.
    pub role: Role,
    /// The hash of their password, with its salt and parameters.
    pub password_hash: &'a str,
}

/// Somebody who is logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Who.
    pub person: Person,
    /// What every request that changes something must bring along.
    pub csrf: String,
    /// From then on it is over.
    pub expires: Millis,
}

/// The rewritable tables of a [`Ledger`](crate::Ledger). All methods answer
/// [`LedgerError::Storage`] when the database cannot be read or written.
pub struct People<'l> {
    pub(crate) writer: &'l Turns,
    reader: &'l Turns,
}

const PERSON: &str = "select id, email, name, role, password_hash, created from people";

impl<'l> People<'l> {
    pub(crate) fn new(writer: &'l Turns, reader: &'l Turns) -> Self {
        Self { writer, reader }
    }

    /// Adds a person.
    ///
    /// # Errors
    /// [`LedgerError::Refused`] if the address is none, or somebody has it (or the id) already.
    pub fn create_person(&self, new: &NewPerson<'_>, now: Millis) -> Result<Person, LedgerError> {
        let email = address(new.email);
        if new.id.is_empty()
            || email.len() > 320
            || email.chars().any(|c| c.is_whitespace() || c.is_control())
            || !matches!(email.rsplit_once('@'), Some((who, host)) if !who.is_empty() && !host.is_empty())
        {
            return Err(refused("this is not an email address", "use an address such as `ada@example.com`"));
        }
        self.write(
            "add a person",
            "insert into people (id, email, name, role, password_hash, created) values (?, ?, ?, ?, ?, ?)",
            &[&new.id, &email, &new.name, &new.role.to_string(), &new.password_hash, &now.0],
            ("somebody has this email address or id already", "log in, or use another address"),
        )?;
        Ok(Person {
            id: new.id.to_owned(),
            email,
            name: new.name.to_owned(),
            role: new.role,
            password_hash: new.password_hash.to_owned(),
            created: now,
        })
    }

    /// The person with an email address, whatever its case.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    pub fn person_by_email(&self, email: &str) -> Result<Option<Person>, LedgerError> {
        self.one(&format!("{PERSON} where email = ?1"), &[&address(email)], person)
    }

    /// The person with an id.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    pub fn person(&self, id: &str) -> Result<Option<Person>, LedgerError> {
        self.one(&format!("{PERSON} where id = ?1"), &[&id], person)
    }

    /// Everybody, in the order in which they came.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    pub fn list(&self) -> Result<Vec<Person>, LedgerError> {
        self.all(&format!("{PERSON} order by created, id"), person)
    }

    /// Gives a person another password and ends all of their sessions.
    ///
    /// # Errors
    /// [`LedgerError::Unknown`] if there is no such person.
    pub fn set_password(&self, id: &str, password_hash: &str) -> Result<(), LedgerError> {
        let doing = "set a password";
        let storage = LedgerError::storage(doing);
        let mut writer = lock(self.writer);
        let tx = crate::schema::write(&mut writer, doing)?;
        let found = tx
            .execute("update people set password_hash = ?2 where id = ?1", [id, password_hash])
            .map_err(&storage)?;
        if found == 0 {
            return Err(unknown("person", id));
        }
        tx.execute("delete from sessions where person = ?1", [id]).map_err(&storage)?;
        tx.commit().map_err(&storage)
    }

    /// Forgets a person: row and sessions are overwritten on disk. The log keeps their random id,
    /// which says no more than that the same somebody made these changes. Says whether there was such
    /// a person.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    pub fn forget(&self, id: &str) -> Result<bool, LedgerError> {
        let storage = LedgerError::storage("forget a person");
        let writer = lock(self.writer);
        let found = writer.execute("delete from people where id = ?1", [id]).map_err(&storage)?;
        // The write-ahead log still holds the pages as they were. Readers of another program can keep
        // it from being emptied now; it then is at the next checkpoint without them.
        let _: i64 =
            writer.query_row("pragma wal_checkpoint(truncate)", [], |row| row.get(0)).map_err(&storage)?;
        Ok(found > 0)
    }

    /// Begins a session, and sweeps out those that are over.
    ///
    /// # Errors
    /// [`LedgerError::Unknown`] if there is no such person; [`LedgerError::Refused`] if the token has
    /// been used.
    pub fn open_session(
        &self,
        token_hash: &str,
        person: &str,
        csrf: &str,
        expires: Millis,
        now: Millis,
    ) -> Result<(), LedgerError> {
        if self.person(person)?.is_none() {
            return Err(unknown("person", person));
        }
        lock(self.writer)
            .execute("delete from sessions where expires <= ?1", [now.0])
            .map_err(LedgerError::storage("begin a session"))?;
        self.write(
            "begin a session",
            "insert into sessions (token_hash, person, csrf, expires) values (?, ?, ?, ?)",
            &[&token_hash, &person, &csrf, &expires.0],
            ("this session could not begin", "log in again"),
        )?;
        Ok(())
    }

    /// The session of a token, unless it is over or was ended.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    pub fn session(&self, token_hash: &str, now: Millis) -> Result<Option<Session>, LedgerError> {
        self.one(
            "select p.id, p.email, p.name, p.role, p.password_hash, p.created, s.csrf, s.expires
             from sessions s join people p on p.id = s.person where s.token_hash = ?1 and s.expires > ?2",
            &[&token_hash, &now.0],
            |row| {
                Ok(person(row)?.and_then(|person| {
                    Some(Session { person, csrf: row.get(6).ok()?, expires: Millis(row.get(7).ok()?) })
                }))
            },
        )
    }

    /// Ends a session; says whether there was one.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    pub fn end_session(&self, token_hash: &str) -> Result<bool, LedgerError> {
        let ended = lock(self.writer)
            .execute("delete from sessions where token_hash = ?1", [token_hash])
            .map_err(LedgerError::storage("end a session"))?;
        Ok(ended > 0)
    }

    /// Makes this the one setup link; an older one is worthless.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    pub fn set_setup(&self, token_hash: &str, now: Millis) -> Result<(), LedgerError> {
        lock(self.writer)
            .execute(
                "insert into setup_links (only_one, token_hash, created) values (1, ?1, ?2)
                 on conflict do update set token_hash = ?1, created = ?2",
                (token_hash, now.0),
            )
            .map(|_| ())
            .map_err(LedgerError::storage("make a setup link"))
    }

    /// Uses the setup link up; `false` if it is not this one, or was used before.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    pub fn take_setup(&self, token_hash: &str) -> Result<bool, LedgerError> {
        let taken = lock(self.writer)
            .execute("delete from setup_links where token_hash = ?1", [token_hash])
            .map_err(LedgerError::storage("use a setup link"))?;
        Ok(taken > 0)
    }

    /// Writes one row; what breaks a rule of its table is refused in the given words, which hold no
    /// value of the row.
    pub(crate) fn write(
        &self,
        doing: &'static str,
        sql: &str,
        values: &[&dyn ToSql],
        taken: (&str, &str),
    ) -> Result<(), LedgerError> {
        match lock(self.writer).execute(sql, values) {
            Ok(_) => Ok(()),
            Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::ConstraintViolation) => {
                Err(refused(taken.0, taken.1))
            }
            Err(error) => Err(LedgerError::storage(doing)(error)),
        }
    }

    pub(crate) fn one<T>(
        &self,
        sql: &str,
        values: &[&dyn ToSql],
        read: impl Fn(&Row<'_>) -> rusqlite::Result<Option<T>>,
    ) -> Result<Option<T>, LedgerError> {
        let found = lock(self.reader)
            .prepare_cached(sql)
            .and_then(|mut s| s.query_row(values, |row| read(row)).optional())
            .map_err(LedgerError::storage(READING))?;
        found.map(|row| row.ok_or_else(unreadable)).transpose()
    }

    pub(crate) fn all<T>(
        &self,
        sql: &str,
        read: impl Fn(&Row<'_>) -> rusqlite::Result<Option<T>>,
    ) -> Result<Vec<T>, LedgerError> {
        let doing = LedgerError::storage(READING);
        let reader = lock(self.reader);
        let mut statement = reader.prepare_cached(sql).map_err(&doing)?;
        let rows = statement.query_map([], |row| read(row)).map_err(&doing)?;
        rows.map(|row| row.map_err(&doing)?.ok_or_else(unreadable)).collect()
    }
}

const READING: &str = "read people and keys";

fn unreadable() -> LedgerError {
    LedgerError::Corrupt {
        revision: None,
        what: "a person or key has a word in it that is none of ours".into(),
    }
}

/// An email address as it is compared and stored.
fn address(email: &str) -> String {
    email.trim().to_lowercase()
}

/// A row as a person; `None` where a word in it is none of ours.
fn person(row: &Row<'_>) -> rusqlite::Result<Option<Person>> {
    let Ok(role) = row.get::<_, String>(3)?.parse() else { return Ok(None) };
    Ok(Some(Person {
        id: row.get(0)?,
        email: row.get(1)?,
        name: row.get(2)?,
        role,
        password_hash: row.get(4)?,
        created: Millis(row.get(5)?),
    }))
}

//! Ledger: what it answers when it cannot do what it was asked.

use std::fmt;

use bellwether_model::{Actor, Invalid, Millis, Revision, Subject};

/// Why the ledger did not do it. Nothing was stored.
///
/// No variant carries a stored value that could be secret: what SQLite says is reduced to its result
/// code before it comes here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LedgerError {
    /// The subject has changed since it was read.
    Stale {
        /// What has changed.
        subject: Subject,
        /// The revision that the edit was based on.
        expected: Revision,
        /// The revision of the subject's newest change.
        newest: Revision,
        /// Who made it.
        by: Actor,
        /// When.
        at: Millis,
    },
    /// The edit breaks a rule.
    Refused(Invalid),
    /// There is no such thing.
    Unknown {
        /// What sort of thing, such as `flag`.
        what: &'static str,
        /// The key that names nothing.
        key: String,
    },
    /// The database could not be read or written.
    Storage {
        /// What the ledger was about to do, such as `write a change`.
        doing: &'static str,
        /// The database's or the file system's reason, without any stored value.
        reason: String,
    },
    /// The disk has no room for what was to be written. Nothing was stored.
    NoRoom {
        /// What the ledger was about to do, such as `write a change`.
        doing: &'static str,
    },
    /// What is stored is not what was written.
    Corrupt {
        /// The first change that is wrong, where it is a change.
        revision: Option<Revision>,
        /// What is wrong with it.
        what: String,
    },
}

impl LedgerError {
    /// What is wrong: lowercase, no full stop, values in backticks.
    pub fn message(&self) -> String {
        match self {
            Self::Stale { subject, expected, newest, by, at } => format!(
                "{} is at revision `{newest}`, by {} at {at}, and this edit expects `{expected}`",
                subject_words(subject),
                actor_words(by),
            ),
            Self::Refused(invalid) => invalid.message.clone(),
            Self::Unknown { what, key } => {
                format!("there is no {what} `{}`", key.chars().take(100).collect::<String>())
            }
            Self::Storage { doing, reason } => format!("the ledger could not {doing}: {reason}"),
            Self::NoRoom { doing } => format!("the ledger could not {doing}: its disk is full"),
            Self::Corrupt { revision: Some(revision), what } => {
                format!("change `{revision}` of the ledger is damaged: {what}")
            }
            Self::Corrupt { revision: None, what } => format!("the ledger is damaged: {what}"),
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Stale { newest, .. } => {
                format!("read it again, and repeat the edit based on revision `{newest}` if it still holds")
            }
            Self::Refused(invalid) => invalid.hint.clone(),
            Self::Unknown { what, .. } => match *what {
                "list" => "send the list together with the edit that cites it".to_owned(),
                "person" | "key" => format!("look at the list of {what}s for their ids"),
                "ledger" => {
                    "look at the path; `bellwether serve` makes a ledger where there is none".to_owned()
                }
                _ => format!("look at the list of {what}s for what there is"),
            },
            Self::Storage { .. } => {
                "nothing was stored; look at the disk's free space and at the file's permissions".to_owned()
            }
            Self::NoRoom { .. } => {
                "free space on the server's disk, then try again; nothing was stored".to_owned()
            }
            Self::Corrupt { .. } => {
                "run `bellwether doctor` to see all that is wrong, and restore the file from a backup"
                    .to_owned()
            }
        }
    }

    /// The error for a failure of SQLite, reduced to its result code.
    pub(crate) fn storage(doing: &'static str) -> impl Fn(rusqlite::Error) -> Self {
        move |error| {
            if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull) {
                return Self::NoRoom { doing };
            }
            let reason = match &error {
                rusqlite::Error::SqliteFailure(code, _)
                | rusqlite::Error::SqlInputError { error: code, .. } => {
                    let word = rusqlite::ffi::code_to_str(code.extended_code).to_lowercase();
                    format!("{word} (sqlite code {})", code.extended_code)
                }
                rusqlite::Error::InvalidColumnType(_, column, _)
                | rusqlite::Error::InvalidColumnName(column) => {
                    format!("column `{column}` is not what it should be")
                }
                rusqlite::Error::FromSqlConversionFailure(column, ..)
                | rusqlite::Error::IntegralValueOutOfRange(column, _) => {
                    format!("column `{column}` does not hold what it should")
                }
                rusqlite::Error::QueryReturnedNoRows => "a row is missing".to_owned(),
                _ => "the database did not answer as expected".to_owned(),
            };
            Self::Storage { doing, reason }
        }
    }
}

impl fmt::Display for LedgerError {
    /// The message, and the hint on a line of its own.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\nhint: {}", self.message(), self.hint())
    }
}

impl std::error::Error for LedgerError {}

impl From<Invalid> for LedgerError {
    fn from(invalid: Invalid) -> Self {
        Self::Refused(invalid)
    }
}

/// A refusal with its hint.
pub(crate) fn refused(message: impl Into<String>, hint: impl Into<String>) -> LedgerError {
    LedgerError::Refused(Invalid::new(message, hint))
}

/// There is no such thing.
pub(crate) fn unknown(what: &'static str, key: impl fmt::Display) -> LedgerError {
    LedgerError::Unknown { what, key: key.to_string() }
}

fn subject_words(subject: &Subject) -> String {
    match subject {
        Subject::Environment(key) => format!("environment `{key}`"),
        Subject::Flag(key) => format!("flag `{key}`"),
        Subject::Metric(key) => format!("metric `{key}`"),
        Subject::Experiment(key) => format!("experiment `{key}`"),
        Subject::Segment(key) => format!("segment `{key}`"),
        Subject::Layer(key) => format!("layer `{key}`"),
        Subject::Holdout(key) => format!("holdout `{key}`"),
        Subject::Beta(key) => format!("beta `{key}`"),
        Subject::Schedule(key) => format!("scheduled change `{key}`"),
        Subject::Plan => "the tracking plan".to_owned(),
        Subject::EventType(name) => format!("event type `{name}`"),
        Subject::Proposal(key) => format!("proposal `{key}`"),
    }
}

fn actor_words(actor: &Actor) -> String {
    match actor {
        Actor::Person { id } => format!("person `{id}`"),
        Actor::Key { id } => format!("key `{id}`"),
        Actor::Guard { flag, environment } => format!("the guard of `{flag}` in `{environment}`"),
        Actor::Ramp { flag, environment } => format!("the ramp of `{flag}` in `{environment}`"),
        Actor::Schedule { schedule } => format!("the scheduled change `{schedule}`"),
        Actor::System => "bellwether itself".to_owned(),
    }
}

//! App: what every operation and door answers when it cannot do what it was asked.

use bellwether_ledger::LedgerError;
use bellwether_model::{Invalid, Json};
use bellwether_query::QueryError;
use bellwether_store::StoreError;
use serde_json::json;

/// What sort of refusal it is; a door turns it into its protocol's status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The input is not what it should be.
    BadInput,
    /// Nobody we know.
    Unauthenticated,
    /// Known, but not allowed.
    Forbidden,
    /// There is no such thing.
    NotFound,
    /// The thing has changed since it was read.
    Stale,
    /// The thing is in a state that does not allow it.
    Conflict,
    /// More at once than is taken.
    TooLarge,
    /// The thing is there, but not for this method.
    Method,
    /// More than we can take now; try later.
    Busy,
    /// It took too long to come.
    Slow,
    /// Others take all that there is; nothing was done, and a retry is safe.
    Unavailable,
    /// Our fault.
    Internal,
}

impl Refusal {
    /// The HTTP status of it.
    pub fn status(self) -> u16 {
        match self {
            Self::BadInput => 400,
            Self::Unauthenticated => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::Stale | Self::Conflict => 409,
            Self::TooLarge => 413,
            Self::Method => 405,
            Self::Busy => 429,
            Self::Slow => 408,
            Self::Unavailable => 503,
            Self::Internal => 500,
        }
    }
}

/// A refusal: what sort, a stable code, what is wrong and what to do about it.
///
/// The message is lowercase and has values in backticks. What only the operator may see (a path, a
/// database error) is in `cause`, which doors log and never send.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct AppError {
    /// The sort.
    pub refusal: Refusal,
    /// For programs, such as `stale`.
    pub code: &'static str,
    /// For people.
    pub message: String,
    /// What to do.
    pub hint: String,
    /// Facts for programs, such as the newest revision.
    pub details: Option<Json>,
    /// For the log.
    pub cause: Option<Box<str>>,
}

impl AppError {
    /// What was to be stored was lost on the way to the disk.
    #[must_use]
    pub fn not_stored() -> Self {
        let message = "the disk refused the events and none of them was stored";
        Self::new(Refusal::Internal, "not_stored", message, "send them again")
    }

    /// A refusal without details.
    pub fn new(
        refusal: Refusal,
        code: &'static str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self { refusal, code, message: message.into(), hint: hint.into(), details: None, cause: None }
    }

    /// The input is not what it should be.
    pub fn bad_input(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(Refusal::BadInput, "bad_input", message, hint)
    }

    /// There is no such thing.
    pub fn not_found(what: &str, key: impl std::fmt::Display, hint: impl Into<String>) -> Self {
        Self::new(Refusal::NotFound, "not_found", format!("there is no {what} `{key}`"), hint)
    }

    /// The thing is in a state that does not allow it.
    pub fn conflict(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(Refusal::Conflict, "conflict", message, hint)
    }

    /// With what only the operator may see.
    #[must_use]
    pub(crate) fn caused(self, cause: impl std::fmt::Display) -> Self {
        Self { cause: Some(cause.to_string().into()), ..self }
    }

    /// Our fault; `cause` goes to the log.
    pub fn internal(what: &str, cause: impl std::fmt::Display) -> Self {
        Self {
            cause: Some(cause.to_string().into()),
            ..Self::new(
                Refusal::Internal,
                "internal",
                format!("cannot {what}"),
                "try again; if it stays, the server's log has the cause under this request id",
            )
        }
    }

    /// The public form: `{code, message, hint, details?}`. The server adds the request id.
    pub fn body(&self) -> Json {
        let mut body = json!({"code": self.code, "message": self.message, "hint": self.hint});
        if let (Some(details), Some(map)) = (&self.details, body.as_object_mut()) {
            map.insert("details".into(), details.clone());
        }
        body
    }
}

impl From<Invalid> for AppError {
    fn from(invalid: Invalid) -> Self {
        Self::bad_input(invalid.message, invalid.hint)
    }
}

impl From<StoreError> for AppError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NoRoom { .. } => Self {
                cause: Some(error.to_string().into()),
                // Nobody makes room in a second, and SDKs give up after so many tries.
                details: Some(serde_json::json!({"retry_after": 30})),
                ..Self::new(
                    Refusal::Busy,
                    "busy",
                    "the disk is nearly full, so no more events are taken",
                    "send them again later; nothing of this request was stored",
                )
            },
            StoreError::Shared { .. } => {
                let said = error.to_string();
                let (message, hint) = said.split_once("\nhint: ").unwrap_or((&said, ""));
                Self::conflict(message, hint)
            }
            StoreError::Full { .. } => Self {
                cause: Some(error.to_string().into()),
                ..Self::new(
                    Refusal::Busy,
                    "busy",
                    "more events are waiting than may wait",
                    "send them again in a moment; nothing of this request was stored",
                )
            },
            other => Self::internal("store events", other),
        }
    }
}

impl From<QueryError> for AppError {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::Invalid(invalid) => invalid.into(),
            QueryError::Cancelled => Self::conflict("the query was cancelled", "ask again"),
            other => Self::internal("read events", other),
        }
    }
}

impl From<LedgerError> for AppError {
    fn from(error: LedgerError) -> Self {
        let (message, hint) = (error.message(), error.hint());
        match error {
            LedgerError::Stale { subject, expected, newest, by, at } => {
                let details =
                    json!({"subject": subject, "expected": expected, "newest": newest, "by": by, "at": at});
                Self { details: Some(details), ..Self::new(Refusal::Stale, "stale", message, hint) }
            }
            LedgerError::Refused(invalid) => invalid.into(),
            LedgerError::Unknown { .. } => Self::new(Refusal::NotFound, "not_found", message, hint),
            LedgerError::NoRoom { .. } => Self::new(Refusal::Unavailable, "no_room", message, hint),
            // What the database says is for the operator.
            LedgerError::Storage { .. } | LedgerError::Corrupt { .. } => {
                Self::internal("use the ledger", message)
            }
        }
    }
}

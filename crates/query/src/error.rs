//! Query: why a question has no answer.

use bellwether_columns::ScanError;
use bellwether_model::Invalid;

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The question makes no sense as it stands.
    #[error("{}\nhint: {}", .0.message, .0.hint)]
    Invalid(#[from] Invalid),
    /// Whoever asked no longer wants to know.
    #[error("the query was cancelled\nhint: ask again, for fewer days or with a filter")]
    Cancelled,
    /// The events could not be read.
    #[error(transparent)]
    Scan(#[from] ScanError),
}

impl QueryError {
    /// A question that makes no sense, and what to do about it.
    pub(crate) fn refused(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Invalid(Invalid::new(message, hint))
    }
}

//! Cli: why a command could not do what it was asked, and what to do about it.

use std::fmt;

use bellwether_app::{AppError, Refusal};

/// What a command says before it exits with 1.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    hint: String,
}

impl Failure {
    pub(crate) fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into() }
    }

    /// The same, with the place where it happened before it.
    pub(crate) fn at(self, place: &str) -> Self {
        Self { message: format!("{place}: {}", self.message), ..self }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)?;
        if self.hint.is_empty() { Ok(()) } else { write!(f, "\nhint: {}", self.hint) }
    }
}

impl From<AppError> for Failure {
    fn from(error: AppError) -> Self {
        // Whoever runs the binary is the operator: the cause is theirs to see, and where it says itself
        // what to do, nothing better can be said.
        let Some(cause) = error.cause else { return Self::new(error.message, error.hint) };
        match cause.split_once("\nhint: ") {
            Some((cause, hint)) => Self::new(cause, hint),
            // What was asked for cannot be done, and says itself what can.
            None if error.refusal != Refusal::Internal => {
                Self::new(format!("{}: {cause}", error.message), error.hint)
            }
            None => {
                Self::new(format!("{}: {cause}", error.message), "see whether the disk is full or failing")
            }
        }
    }
}

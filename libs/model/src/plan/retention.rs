//! Model, plan: how long events are kept.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::{ALIAS, GROUP_IDENTIFY, IDENTIFY};
use crate::id::Invalid;
use crate::time::Span;

/// For how many days an event is kept after it was received.
///
/// ```
/// use bellwether_model::plan::Retention;
/// assert_eq!(Retention::try_from(30).unwrap().to_string(), "30 days");
/// assert!(Retention::try_from(6).is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Retention(u32);

impl Retention {
    /// The fewest days: for as long an event that is sent again must be known.
    pub const LEAST: u32 = 7;
    /// The most: a hundred years. What is kept longer has no retention.
    pub const MOST: u32 = 36_500;

    /// How long it is.
    #[must_use]
    pub fn span(self) -> Span {
        Span::DAY.times(self.0.into())
    }
}

impl TryFrom<u32> for Retention {
    type Error = Invalid;
    fn try_from(days: u32) -> Result<Self, Invalid> {
        if (Self::LEAST..=Self::MOST).contains(&days) {
            return Ok(Self(days));
        }
        Err(Invalid::new(
            format!("events cannot be kept for `{days}` days"),
            format!(
                "give {} to {} days: one that is sent again must be known for a week; leave it out to keep them for ever",
                Self::LEAST,
                Self::MOST
            ),
        ))
    }
}

impl From<Retention> for u32 {
    fn from(retention: Retention) -> Self {
        retention.0
    }
}

impl fmt::Display for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} days", self.0)
    }
}

impl JsonSchema for Retention {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Retention".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "integer", "minimum": Retention::LEAST, "maximum": Retention::MOST,
            "description": "Days.",
        })
    }
}

/// Event types that tell who people are: no environment's retention is theirs.
pub const KEPT: [&str; 3] = [IDENTIFY, GROUP_IDENTIFY, ALIAS];

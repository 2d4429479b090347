//! Model: a share of a population, in basis points, so that shares add up without rounding.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::Invalid;

/// A share of a population in basis points: 0 is nobody, 10,000 is everybody.
///
/// ```
/// use bellwether_model::Share;
/// assert_eq!(Share::percent(12.5).unwrap().to_string(), "12.5%");
/// assert!(Share::percent(100.01).is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct Share(u16);

impl Share {
    /// Nobody.
    pub const NONE: Self = Self(0);
    /// Everybody.
    pub const ALL: Self = Self(10_000);

    /// A share of `n` basis points; more than 10,000 does not exist.
    pub fn basis_points(n: u16) -> Result<Self, Invalid> {
        if n <= Self::ALL.0 {
            Ok(Self(n))
        } else {
            Err(Invalid::new(
                format!("`{n}` basis points is more than everybody"),
                "a share lies between 0 and 10000 basis points (100%)",
            ))
        }
    }

    /// A share in percent with at most two decimals.
    pub fn percent(percent: f64) -> Result<Self, Invalid> {
        let points = percent * 100.0;
        let whole = points.round();
        if (0.0..=10_000.0).contains(&whole) && (points - whole).abs() < 1e-6 {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            Ok(Self(whole as u16))
        } else {
            Err(Invalid::new(
                format!("`{percent}%` is not a share"),
                "a share lies between 0% and 100% with at most two decimals",
            ))
        }
    }

    /// In basis points.
    pub const fn points(self) -> u16 {
        self.0
    }

    /// Between 0 and 1.
    pub fn fraction(self) -> f64 {
        f64::from(self.0) / 10_000.0
    }
}

impl TryFrom<u16> for Share {
    type Error = Invalid;
    fn try_from(n: u16) -> Result<Self, Invalid> {
        Self::basis_points(n)
    }
}

impl From<Share> for u16 {
    fn from(share: Share) -> Self {
        share.0
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", f64::from(self.0) / 100.0)
    }
}

impl JsonSchema for Share {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Share".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "integer", "minimum": 0, "maximum": 10_000,
            "description": "A share of the population in basis points: 10000 is everybody.",
        })
    }
}

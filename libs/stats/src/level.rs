//! The confidence level of an interval or a test.

use crate::Refusal;
use serde::{Deserialize, Serialize};

/// A confidence level such as 95 %, above one half so that it cannot be mistaken for its complement.
///
/// Serialized as the confidence, `0.95`.
///
/// ```
/// use bellwether_stats::Level;
/// assert_eq!(Level::new(0.95).unwrap(), Level::P95);
/// assert_eq!(Level::from_alpha(0.05).unwrap(), Level::P95);
/// assert!(Level::new(0.05).is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Level {
    /// The error rate is kept, not the confidence: 1 - 1e-20 is no `f64`.
    alpha: f64,
}

impl Level {
    /// 95 %: an error rate of one in twenty.
    pub const P95: Self = Self { alpha: 0.05 };
    /// 99 %.
    pub const P99: Self = Self { alpha: 0.01 };

    /// From a confidence between 0.5 and 1, both excluded.
    pub fn new(confidence: f64) -> Result<Self, Refusal> {
        if confidence > 0.5 && confidence < 1.0 {
            // 1 - 0.95 is 0.05 plus rounding, which nobody meant.
            let alpha = ((1.0 - confidence) * 1e15).round() / 1e15;
            return Self::from_alpha(alpha.max(f64::EPSILON / 2.0));
        }
        Err(Refusal::out_of_range("a confidence level", "between 0.5 and 1", confidence))
    }

    /// From an error rate between 0 and 0.5, both excluded.
    pub fn from_alpha(alpha: f64) -> Result<Self, Refusal> {
        if alpha > 0.0 && alpha < 0.5 {
            return Ok(Self { alpha });
        }
        Err(Refusal::out_of_range("an error rate alpha", "between 0 and 0.5", alpha))
    }

    /// The error rate, such as 0.05.
    pub fn alpha(self) -> f64 {
        self.alpha
    }

    /// The confidence, such as 0.95.
    pub fn confidence(self) -> f64 {
        1.0 - self.alpha
    }
}

impl TryFrom<f64> for Level {
    type Error = Refusal;
    fn try_from(confidence: f64) -> Result<Self, Refusal> {
        Self::new(confidence)
    }
}

impl From<Level> for f64 {
    fn from(level: Level) -> Self {
        level.confidence()
    }
}

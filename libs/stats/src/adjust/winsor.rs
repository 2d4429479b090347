//! Winsorising and trimming: few enormous values must not decide an experiment.

use crate::quantile::{Definition, quantile};
use crate::{Moments, Refusal};
use serde::{Deserialize, Serialize};

/// The smallest and the largest value that count.
///
/// Fix them before the experiment, or take them once over all arms together: caps of each arm's own would
/// compare two metrics. The estimate is then of the *capped* metric: an effect that lives in the largest
/// values is not seen.
///
/// ```
/// use bellwether_stats::adjust::Caps;
/// let caps = Caps::at_quantiles(&[1.0, 2.0, 3.0, 4.0, 1000.0], 0.0, 0.75).unwrap();
/// assert_eq!((caps.low(), caps.high()), (1.0, 4.0));
/// assert_eq!(caps.winsorised(&[1.0, 1000.0]).unwrap().mean(), Some(2.5));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Caps {
    low: f64,
    high: f64,
}

/// The serialized form: JSON has no infinity.
#[derive(Serialize, Deserialize)]
struct Stored {
    low: Option<f64>,
    high: Option<f64>,
}

impl TryFrom<Stored> for Caps {
    type Error = Refusal;
    fn try_from(Stored { low, high }: Stored) -> Result<Self, Refusal> {
        Self::new(low.unwrap_or(f64::NEG_INFINITY), high.unwrap_or(f64::INFINITY))
    }
}

impl From<Caps> for Stored {
    fn from(Caps { low, high }: Caps) -> Self {
        let finite = |cap: f64| cap.is_finite().then_some(cap);
        Self { low: finite(low), high: finite(high) }
    }
}

impl Caps {
    /// Fixed ones; an infinity caps nothing.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] unless the lower one is below the higher.
    pub fn new(low: f64, high: f64) -> Result<Self, Refusal> {
        if low < high {
            return Ok(Self { low, high });
        }
        Err(Refusal::out_of_range("the lower cap", &format!("below the higher one, `{high}`"), low))
    }

    /// Quantiles (type 7) of the values of all arms together.
    ///
    /// # Errors
    /// [`Refusal::TooFew`] without values, [`Refusal::OutOfRange`] for a value that is not finite, a share outside of 0 to 1,
    /// or a lower quantile that is not below the higher one: where shares are out of order, and where both quantiles are the
    /// same value. With so many zeros, take [`Caps::of_non_zero`].
    pub fn at_quantiles(pooled: &[f64], low: f64, high: f64) -> Result<Self, Refusal> {
        let at = |share| quantile(pooled, share, Definition::Linear);
        Self::new(at(low)?, at(high)?)
    }

    /// Only a higher cap: a quantile of the values that are not zero (Statsig caps so, at 0.999).
    ///
    /// # Errors
    /// As [`Caps::at_quantiles`], and [`Refusal::OutOfRange`] for a cap that is not above 0: it would move the zeros.
    pub fn of_non_zero(pooled: &[f64], high: f64) -> Result<Self, Refusal> {
        let values: Vec<f64> = pooled.iter().copied().filter(|&value| value != 0.0).collect();
        let high = quantile(&values, high, Definition::Linear)?;
        if high <= 0.0 {
            return Err(Refusal::out_of_range("the cap of the values that are not zero", "above 0", high));
        }
        Self::new(f64::NEG_INFINITY, high)
    }

    /// The lower cap.
    pub fn low(self) -> f64 {
        self.low
    }

    /// The higher cap.
    pub fn high(self) -> f64 {
        self.high
    }

    /// The value, or the cap that it is beyond; a NaN stays one.
    pub fn cap(self, value: f64) -> f64 {
        if value < self.low {
            self.low
        } else if value > self.high {
            self.high
        } else {
            value
        }
    }

    /// Moments of the capped values: every unit counts, the far ones with the cap.
    ///
    /// # Errors
    /// As [`Moments::of`].
    pub fn winsorised(self, values: &[f64]) -> Result<Moments, Refusal> {
        let capped: Vec<f64> = values.iter().map(|&value| self.cap(value)).collect();
        Moments::of(&capped)
    }

    /// Moments of the values within the caps: units beyond do not count. Arms then differ in whom they
    /// leave out, so that an effect on who is large looks like one on the rest; prefer winsorising.
    ///
    /// # Errors
    /// As [`Moments::of`].
    pub fn trimmed(self, values: &[f64]) -> Result<Moments, Refusal> {
        // A NaN is beyond no cap and is refused below.
        let within: Vec<f64> =
            values.iter().copied().filter(|&value| !(value < self.low || value > self.high)).collect();
        Moments::of(&within)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn caps_hold() {
        let values = [0.0, 0.0, 1.0, 2.0, 3.0, 500.0];
        let caps = Caps::of_non_zero(&values, 0.75).unwrap();
        assert_eq!(caps.high(), 127.25);
        assert_eq!(caps.winsorised(&values).unwrap().sum(), 133.25);
        assert_eq!(caps.trimmed(&values).unwrap().n(), 5);
        assert_eq!(
            Caps::new(2.0, 1.0).unwrap_err().to_string(),
            "the lower cap must lie below the higher one, `1`: `2`"
        );
        assert!(Caps::new(f64::NAN, 1.0).is_err());
        assert!(Caps::at_quantiles(&values, 0.0, 0.1).is_err());
        assert!(Caps::at_quantiles(&[], 0.0, 0.9).is_err());
        assert!(Caps::at_quantiles(&values, -0.1, 0.9).is_err());
        assert!(caps.trimmed(&[f64::NAN]).is_err() && caps.winsorised(&[f64::NAN]).is_err());
        let text = serde_json::to_string(&caps).unwrap();
        assert_eq!(text, r#"{"low":null,"high":127.25}"#);
        assert_eq!(serde_json::from_str::<Caps>(&text).unwrap(), caps);
    }
}

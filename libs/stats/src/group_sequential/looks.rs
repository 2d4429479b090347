//! When one looks.

use crate::Refusal;
use serde::{Deserialize, Serialize};

/// More looks than this are a stream: use [`crate::ConfidenceSequence`].
const MOST: usize = 500;

/// Looks closer than this share of their information cannot be told apart by the recursion.
const CLOSEST: f64 = 1e-6;

/// Shares of the planned information at which one looks, rising; past 1 where an experiment ran on.
///
/// The information of a look is the inverse of the variance of the estimate: its share is
/// `V_planned/V_k`, for equal allocation `n_k/n_planned`. Bounds by spending depend only on the looks
/// so far, so that a look may come at any time: list those that were, and those still planned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<f64>", into = "Vec<f64>")]
pub struct Looks {
    shares: Vec<f64>,
}

impl Looks {
    /// Looks at the shares given.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] for shares that are not above 0, not finite, not in order, or closer
    /// than a millionth; for none, and for more than 500.
    pub fn new(shares: &[f64]) -> Result<Self, Refusal> {
        if shares.is_empty() || shares.len() > MOST {
            return Err(Refusal::out_of_range("the number of looks", "between 1 and 500", shares.len()));
        }
        let mut before = 0.0;
        for &share in shares {
            if !(share.is_finite() && share > 0.0 && share <= 1e6) {
                return Err(Refusal::out_of_range("the information of a look", "above 0, up to 1e6", share));
            }
            if share - before < CLOSEST * share {
                return Err(Refusal::out_of_range(
                    "the information of a look",
                    &format!("more than a millionth above that of the look before, `{before}`"),
                    share,
                ));
            }
            before = share;
        }
        Ok(Self { shares: shares.to_vec() })
    }

    /// `k` looks at equal distances, the last at all of the information.
    ///
    /// What a design costs grows with the power 3/2 of their number, since close looks need a finer grid: 100 of them take
    /// about a second, 500 some ten (by spending functions less, by [`Boundary::WangTsiatis`](super::Boundary) most, whose constant is
    /// searched for).
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] for none, and for more than 500.
    pub fn equal(k: usize) -> Result<Self, Refusal> {
        let shares: Vec<f64> = (1..=k.min(MOST + 1)).map(|i| i as f64 / k as f64).collect();
        Self::new(&shares)
    }

    /// The shares, rising.
    pub fn shares(&self) -> &[f64] {
        &self.shares
    }

    /// The share of the last look.
    pub(super) fn last(&self) -> f64 {
        self.shares.last().copied().unwrap_or(1.0)
    }
}

impl TryFrom<Vec<f64>> for Looks {
    type Error = Refusal;
    fn try_from(shares: Vec<f64>) -> Result<Self, Refusal> {
        Self::new(&shares)
    }
}

impl From<Looks> for Vec<f64> {
    fn from(looks: Looks) -> Self {
        looks.shares
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn looks_out_of_order_are_refused() {
        let check = |shares: &[f64]| Looks::new(shares).unwrap_err().to_string();
        assert_eq!(
            check(&[0.5, 0.25]),
            "the information of a look must lie more than a millionth above that of the look before, `0.5`: `0.25`"
        );
        assert!(check(&[0.5, 0.5]).contains("`0.5`: `0.5`"));
        assert_eq!(check(&[0.0]), "the information of a look must lie above 0, up to 1e6: `0`");
        assert_eq!(check(&[0.5, f64::NAN]), "the information of a look must lie above 0, up to 1e6: `NaN`");
        assert_eq!(check(&[]), "the number of looks must lie between 1 and 500: `0`");
        assert!(Looks::equal(0).is_err() && Looks::equal(usize::MAX).is_err());
        assert_eq!(Looks::equal(4).unwrap().shares(), [0.25, 0.5, 0.75, 1.0]);
    }
}

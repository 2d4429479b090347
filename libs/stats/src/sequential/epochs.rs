//! Allocation that changes over time: compare within each epoch, and add up.

use crate::means::mean_of;
use crate::{Arm, Interval, Level, Method, Moments, Refusal};
use serde::{Deserialize, Serialize};

use super::{ConfidenceSequence, Sides, Tuning};

/// What both arms showed while the allocation stayed the same.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// Units of control.
    pub control: Moments,
    /// Units of the treatment.
    pub treatment: Moments,
}

impl Epoch {
    fn units(&self) -> u64 {
        self.control.n().saturating_add(self.treatment.n())
    }
}

/// A comparison over epochs with different allocations: each epoch's difference with the weight of its units.
///
/// Pooling the arms instead compares a treatment that is mostly of late with a control that is mostly of
/// early: where the metric moves in time the difference is that of the days, and where the allocation is
/// changed the estimate leaves its own interval.
///
/// Assumes that an allocation was not changed because of what was seen in the same epoch.
///
/// ```
/// use bellwether_stats::sequential::{Epoch, OverEpochs};
/// use bellwether_stats::Moments;
/// let arm = |n, mean| Moments::new(n, mean, n as f64).unwrap();
/// let slow = Epoch { control: arm(9_000, 1.0), treatment: arm(1_000, 1.1) };
/// let busy = Epoch { control: arm(5_000, 2.0), treatment: arm(5_000, 2.1) };
/// let both = OverEpochs::new(&[slow, busy]).unwrap();
/// assert!((both.estimate() - 0.1).abs() < 1e-12);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OverEpochs {
    estimate: f64,
    se: f64,
    n: u64,
    left_out: u64,
}

impl OverEpochs {
    /// How it is made.
    pub const METHOD: Method = Method::OverEpochs;

    /// From the epochs. One with fewer than two units in an arm has no difference, and is left out; see
    /// [`OverEpochs::left_out`].
    ///
    /// # Errors
    /// [`Refusal::TooLittle`] where no epoch has two units in each arm, [`Refusal::NoVariance`] where all are
    /// constant, [`Refusal::NotFinite`] where the values overflow.
    pub fn new(epochs: &[Epoch]) -> Result<Self, Refusal> {
        let (mut n, mut left_out) = (0u64, 0u64);
        let (mut sum, mut squares) = (0.0, 0.0);
        let mut missing = Refusal::TooLittle { arm: Arm::Control, have: 0, need: 2 };
        for epoch in epochs {
            let arms = (mean_of(&epoch.control, Arm::Control), mean_of(&epoch.treatment, Arm::Treatment));
            match arms {
                (Ok(control), Ok(treatment)) => {
                    let units = epoch.units() as f64;
                    n = n.saturating_add(epoch.units());
                    sum += units * (treatment.mean - control.mean);
                    squares += units * units * (treatment.variance + control.variance);
                }
                (Err(refusal), _) | (_, Err(refusal)) => {
                    left_out = left_out.saturating_add(epoch.units());
                    missing = refusal;
                }
            }
        }
        if n == 0 {
            return Err(missing);
        }
        let (estimate, se) = (sum / n as f64, squares.sqrt() / n as f64);
        if !(estimate.is_finite() && se.is_finite()) {
            return Err(Refusal::not_finite("difference"));
        }
        if se == 0.0 {
            return Err(Refusal::NoVariance);
        }
        Ok(Self { estimate, se, n, left_out })
    }

    /// `treatment - control`, for the units that came.
    pub fn estimate(&self) -> f64 {
        self.estimate
    }

    /// Its standard error.
    pub fn se(&self) -> f64 {
        self.se
    }

    /// Units that count.
    pub fn n(&self) -> u64 {
        self.n
    }

    /// Units of epochs without two units in each arm.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// The interval that holds at every look, changes of allocation included.
    ///
    /// # Errors
    /// As [`ConfidenceSequence::half_width`].
    pub fn interval(&self, level: Level, tuning: Tuning) -> Result<Interval, Refusal> {
        let sequence = ConfidenceSequence::new(level, tuning, Sides::Two);
        Ok(Interval::around(self.estimate, sequence.half_width(self.se, self.n)?))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use proptest::prelude::*;

    fn arm() -> impl Strategy<Value = Moments> {
        (2u64..5_000, -3.0..3.0f64, 0.1..9.0f64)
            .prop_map(|(n, mean, v)| Moments::new(n, mean, v * n as f64).unwrap())
    }

    proptest! {
        /// One epoch is the plain comparison, and their order does not matter.
        #[test]
        fn one_epoch_is_welchs(control in arm(), treatment in arm(), other in arm()) {
            let epoch = Epoch { control, treatment };
            let ours = OverEpochs::new(&[epoch]).unwrap();
            let welch = crate::welch(&control, &treatment, Level::P95).unwrap();
            prop_assert!((ours.estimate() - welch.estimate).abs() < 1e-12);
            prop_assert!((ours.se() / welch.se - 1.0).abs() < 1e-12);
            let second = Epoch { control: other, treatment: control };
            let (a, b) = (OverEpochs::new(&[epoch, second]).unwrap(), OverEpochs::new(&[second, epoch]).unwrap());
            prop_assert!((a.estimate() - b.estimate()).abs() < 1e-12);
        }
    }

    #[test]
    fn an_epoch_without_an_arm_is_named() {
        let arm = |n, mean| Moments::new(n, mean, n as f64).unwrap();
        let whole = Epoch { control: arm(10, 1.0), treatment: arm(10, 2.0) };
        let half = Epoch { control: arm(7, 1.0), treatment: Moments::EMPTY };
        let both = OverEpochs::new(&[half, whole]).unwrap();
        assert_eq!((both.n(), both.left_out(), both.estimate()), (20, 7, 1.0));
        let refusal = Refusal::TooLittle { arm: Arm::Treatment, have: 0, need: 2 };
        assert_eq!(OverEpochs::new(&[half]), Err(refusal));
        assert!(OverEpochs::new(&[]).is_err());
    }
}

//! Allocation that changes over time: compare within each epoch, and add up.

use crate::harm::MIN_UNITS;
use crate::means::{mean_of, wary_variance};
use crate::ratio::Estimated;
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
/// Assumes that an allocation was not changed because of what was seen in the same epoch. As with a guard ([`harm`](crate::harm()))
/// an epoch counts from [`MIN_UNITS`] in each arm on, and its error is the larger of the unpooled and the pooled one: the confidence
/// sequence is asymptotic, and of a rare outcome a small arm may show no variance at all.
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

    /// From the epochs. One with fewer than [`MIN_UNITS`] in an arm is left out; see [`OverEpochs::left_out`].
    ///
    /// # Errors
    /// [`Refusal::TooLittle`] where no epoch has so many in each arm, [`Refusal::NoVariance`] where all are
    /// constant, [`Refusal::NotFinite`] where the values overflow.
    pub fn new(epochs: &[Epoch]) -> Result<Self, Refusal> {
        let (mut n, mut left_out) = (0u64, 0u64);
        let (mut sum, mut squares) = (0.0, 0.0);
        let mut missing = Refusal::TooLittle { arm: Arm::Control, have: 0, need: MIN_UNITS };
        for epoch in epochs {
            let arms = (of_many(&epoch.control, Arm::Control), of_many(&epoch.treatment, Arm::Treatment));
            match arms {
                (Ok(control), Ok(treatment)) => {
                    let units = epoch.units() as f64;
                    n = n.saturating_add(epoch.units());
                    sum += units * (treatment.mean - control.mean);
                    let arms = ((control, epoch.control.n()), (treatment, epoch.treatment.n()));
                    squares += units * units * wary_variance(arms.0, arms.1);
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

    /// Units of epochs without [`MIN_UNITS`] in each arm.
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

fn of_many(moments: &Moments, arm: Arm) -> Result<Estimated, Refusal> {
    let have = moments.n();
    if have < MIN_UNITS {
        Err(Refusal::TooLittle { arm, have, need: MIN_UNITS })
    } else {
        mean_of(moments, arm)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]
    use super::*;
    use crate::random::Random;
    use crate::{Direction, Proportion};
    use proptest::prelude::*;

    fn arm() -> impl Strategy<Value = Moments> {
        (MIN_UNITS..5_000, -3.0..3.0f64, 0.1..9.0f64)
            .prop_map(|(n, mean, v)| Moments::new(n, mean, v * n as f64).unwrap())
    }

    proptest! {
        /// One epoch is what a guard sees, and their order does not matter.
        #[test]
        fn one_epoch_is_what_a_guard_sees(control in arm(), treatment in arm(), other in arm()) {
            let epoch = Epoch { control, treatment };
            let ours = OverEpochs::new(&[epoch]).unwrap();
            let (level, tuning) = (Level::P95, Tuning::default());
            let look = crate::harm(&control, &treatment, 0.0, Direction::Higher, level, tuning).unwrap();
            prop_assert!((ours.estimate() - look.estimate).abs() < 1e-12);
            prop_assert!((ours.se() / look.se - 1.0).abs() < 1e-12);
            prop_assert!(ours.se() >= crate::welch(&control, &treatment, level).unwrap().se * (1.0 - 1e-12));
            let second = Epoch { control: other, treatment: control };
            let (a, b) = (OverEpochs::new(&[epoch, second]).unwrap(), OverEpochs::new(&[second, epoch]).unwrap());
            prop_assert!((a.estimate() - b.estimate()).abs() < 1e-12);
        }
    }

    /// A rare outcome, small arms, shares that change, a look after every seventh unit: no difference is found that is not there.
    #[test]
    fn small_epochs_of_a_rare_outcome_are_not_read() {
        let mut random = Random::new(4, 0);
        let mut happens = |rate: f64| ((random.next() >> 11) as f64) < rate * (1u64 << 53) as f64;
        for (base, rise, units) in [(0.05, 0.03, 400), (0.01, 0.01, 1_000)] {
            let (runs, mut wrong) = (1_000, 0);
            for _ in 0..runs {
                let mut epochs: Vec<Epoch> = Vec::new();
                let mut excluded = false;
                for (epoch, share) in [0.05, 0.1, 0.3, 0.5, 0.9].into_iter().enumerate() {
                    let mut arms = [Proportion::default(); 2];
                    epochs.push(Epoch { control: Moments::EMPTY, treatment: Moments::EMPTY });
                    for unit in 1..=units {
                        let success = u64::from(happens(base + rise * epoch as f64));
                        let arm = &mut arms[usize::from(happens(share))];
                        *arm = arm.merge(&Proportion::new(success, 1).unwrap());
                        if unit % 7 == 0 {
                            let [control, treatment] = arms.map(|arm| {
                                let rate = arm.rate().unwrap_or(0.0);
                                Moments::new(arm.n(), rate, arm.n() as f64 * rate * (1.0 - rate)).unwrap()
                            });
                            *epochs.last_mut().unwrap() = Epoch { control, treatment };
                            let interval = OverEpochs::new(&epochs)
                                .and_then(|over| over.interval(Level::P95, Tuning::default()));
                            excluded |= interval.is_ok_and(|interval| !interval.contains(0.0));
                        }
                    }
                }
                wrong += u32::from(excluded);
            }
            println!("{base}, {units} an epoch: {wrong} of {runs}");
            assert!(wrong <= 50, "{base}, {units} an epoch: {wrong} of {runs}");
        }
    }

    #[test]
    fn an_epoch_without_an_arm_is_named() {
        let arm = |n, mean| Moments::new(n, mean, n as f64).unwrap();
        let whole = Epoch { control: arm(100, 1.0), treatment: arm(100, 2.0) };
        let half = Epoch { control: arm(700, 1.0), treatment: arm(99, 9.0) };
        let both = OverEpochs::new(&[half, whole]).unwrap();
        assert_eq!((both.n(), both.left_out(), both.estimate()), (200, 799, 1.0));
        let refusal = Refusal::TooLittle { arm: Arm::Treatment, have: 99, need: MIN_UNITS };
        assert_eq!(OverEpochs::new(&[half]), Err(refusal));
        assert!(OverEpochs::new(&[]).is_err());
    }
}

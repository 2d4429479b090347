//! What makes an interval less than it says, though it is given.

use crate::{Arm, Moments, Proportion, Refusal};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A reason to trust an answer less than its level says. `Display` is the sentence, [`Caution::hint`] what to do about it.
///
/// An answer that is certainly wrong is refused; one that may be is given with one of these: as
/// [`Estimate::caution`](crate::Estimate::caution) or `caution` of the result wherever the method has what it is seen by (rates, clusters,
/// weights, the scores of evals). Moments do not tell skew: [`Caution::of_means`] is asked with the values, or
/// [`Caution::of_non_negative`] with the moments of values that are never below zero, and
/// [`Estimate::with_caution`](crate::Estimate::with_caution) keeps what they say.
/// `docs/reference/calibration.md` has what such answers cover.
///
/// ```
/// use bellwether_stats::Caution;
/// let mut revenue = vec![0.0; 500];
/// revenue[7] = 900.0;
/// let caution = Caution::of_means(&revenue, &[1.0, 2.0, 3.0]).unwrap().unwrap();
/// assert!(caution.to_string().starts_with("the values are skewed: control has `500` of the"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Caution {
    /// A mean of so few and so skewed values is not yet normal.
    #[error(
        "the values are skewed: {arm} has `{have}` of the `{need}` units that an interval of the mean needs"
    )]
    Skewed {
        /// The arm that is short.
        arm: Arm,
        /// Its units.
        have: u64,
        /// 355 times the square of its skewness, or of the least that it can have.
        need: u64,
    },
    /// A rate of so few successes, or failures, is not yet normal.
    #[error(
        "the outcome is rare: {arm} has some `{expected:.1}` of it, an interval of the rate needs `{need}`"
    )]
    Rare {
        /// The arm with the smaller number.
        arm: Arm,
        /// Expected of the rarer outcome by the common rate; where the arms are unlike, the number with the skew of their
        /// difference, `1/γ²`.
        expected: f64,
        /// 5 by the common rate, 30 by the skew.
        need: f64,
    },
    /// Errors of so few, or so unequal, clusters are too small.
    #[error("there are few clusters: they are worth `{worth:.1}` of like size, clustered errors need `40`")]
    FewClusters {
        /// `(Σn)²/Σn²`; of two arms twice that of the smaller one, which the error is as uncertain as.
        worth: f64,
    },
    /// A mean of so few, so unequally weighted or so skewed units is not yet normal.
    #[error(
        "the units are few, weigh much or are skewed: they are worth `{worth:.1}` of a like, an interval needs `30`"
    )]
    FewUnits {
        /// `(Σw)²/Σw²`; of values that are skewed, as of passes that are rare, `1/γ²` with the skewness `γ` of their mean.
        worth: f64,
    },
}

/// Clusters below which HC1's errors are too small to rely on.
const ENOUGH_CLUSTERS: f64 = 40.0;

/// Successes, and failures, that each arm needs by the common rate (Cochran's rule).
const ENOUGH_OUTCOMES: f64 = 5.0;

/// Units of like weight below which an interval of their mean is not relied on, whatever their values.
const ENOUGH_UNITS: f64 = 30.0;

impl Caution {
    /// Of a comparison of means: 355 times the squared skewness units are needed an arm for both tails of an interval at
    /// 95 % to hold (Kohavi, Deng and Longbotham 2014). In a difference of arms of one size and shape most of the skew cancels: then
    /// it is on the safe side. A sample of heavy tails looks less skewed than it is.
    ///
    /// # Errors
    /// [`Refusal::TooLittle`] below three units an arm, [`Refusal::NotFinite`].
    pub fn of_means(control: &[f64], treatment: &[f64]) -> Result<Option<Self>, Refusal> {
        Self::of_skewness([control, treatment].map(|values| (values.len() as u64, skewness(values))))
    }

    /// The same from moments alone, of values that are never below zero (revenue, counts, times): their skewness is at least
    /// `s/m - m/s`, whatever they are, since `(Σx²)² <= Σx Σx³` (Cauchy and Schwarz). What it says is therefore said rightly;
    /// it may be silent where the values themselves would not be.
    ///
    /// # Errors
    /// [`Refusal::TooLittle`] below three units an arm, [`Refusal::OutOfRange`] for a mean below zero.
    ///
    /// ```
    /// use bellwether_stats::{Caution, Moments};
    /// // One unit in a hundred pays 50.
    /// let revenue = Moments::new(2_000, 0.5, 2_000.0 * (25.0 - 0.25)).unwrap();
    /// assert!(matches!(Caution::of_non_negative(&revenue, &revenue), Ok(Some(Caution::Skewed { .. }))));
    /// ```
    pub fn of_non_negative(control: &Moments, treatment: &Moments) -> Result<Option<Self>, Refusal> {
        if let Some(below) =
            [control, treatment].into_iter().filter_map(Moments::mean).find(|mean| *mean < 0.0)
        {
            return Err(Refusal::out_of_range(
                "a mean of values that are never below zero",
                "at 0 or above",
                below,
            ));
        }
        Self::of_skewness([control, treatment].map(|arm| {
            let spread = (arm.squared_deviations() / arm.n() as f64).sqrt();
            let ratio = spread / arm.mean().unwrap_or(0.0);
            // Where they spread less than their mean they need not be skewed; all zero, they are not.
            (arm.n(), if ratio > 1.0 { ratio - ratio.recip() } else { 0.0 })
        }))
    }

    /// Of the units of control and of treatment, and their skewness.
    fn of_skewness(arms: [(u64, f64); 2]) -> Result<Option<Self>, Refusal> {
        let mut worst: Option<(f64, Self)> = None;
        for (arm, (have, skewness)) in [Arm::Control, Arm::Treatment].into_iter().zip(arms) {
            if have < 3 {
                return Err(Refusal::TooLittle { arm, have, need: 3 });
            }
            if skewness.is_nan() {
                return Err(Refusal::not_finite("skewness"));
            }
            let need = (355.0 * skewness * skewness).ceil();
            let short = need / have as f64;
            if short > 1.0 && worst.is_none_or(|(before, _)| short > before) {
                worst = Some((short, Self::Skewed { arm, have, need: need as u64 }));
            }
        }
        Ok(worst.map(|(_, caution)| caution))
    }

    /// Of a comparison of rates: each arm needs five successes and five failures by the common rate; and where the arms are not
    /// alike, so that the skew of one is not taken off by that of the other, their difference must not be more skewed than 30 successes
    /// are. Both rates are taken with one success and one failure more (Agresti and Caffo), so that an arm without any is not one
    /// without skew. By counting, where most intervals come without it they cover 93 % and more at 95 %; by five alone some covered 63 %.
    ///
    /// # Errors
    /// [`Refusal::TooLittle`] for an arm without units.
    pub fn of_rates(control: &Proportion, treatment: &Proportion) -> Result<Option<Self>, Refusal> {
        let (arm, units) = if treatment.n() < control.n() {
            (Arm::Treatment, treatment.n())
        } else {
            (Arm::Control, control.n())
        };
        if units == 0 {
            return Err(Refusal::TooLittle { arm, have: 0, need: 1 });
        }
        let (successes, failures, both) = control.pooled(treatment);
        let expected = successes.min(failures) / both * units as f64;
        if expected < ENOUGH_OUTCOMES {
            return Ok(Some(Self::Rare { arm, expected, need: ENOUGH_OUTCOMES }));
        }
        let ((of_c, var_c), (of_t, var_t)) = (third(control), third(treatment));
        let worth = (var_c + var_t).powi(3) / (of_t - of_c).powi(2);
        let arm = if of_t.abs() > of_c.abs() { Arm::Treatment } else { Arm::Control };
        Ok((worth < ENOUGH_UNITS).then_some(Self::Rare { arm, expected: worth, need: ENOUGH_UNITS }))
    }

    /// Of one mean of values, with the skewness `γ` that they have.
    pub(crate) fn of_mean(values: &[f64]) -> Option<Self> {
        Self::of_worth(values.len() as f64 / skewness(values).powi(2))
    }

    /// Of errors that are clustered, where `clusters` names the cluster of each row: unequal clusters are worth fewer.
    ///
    /// # Errors
    /// [`Refusal::TooFew`] without rows.
    pub fn of_clusters(clusters: &[u64]) -> Result<Option<Self>, Refusal> {
        Ok(Self::of_worth_in_clusters(worth(clusters)?))
    }

    /// Of errors that are clustered in two ways: by the one that is worth less.
    pub(crate) fn of_two_ways(a: &[u64], b: &[u64]) -> Result<Option<Self>, Refusal> {
        Ok(Self::of_worth_in_clusters(worth(a)?.min(worth(b)?)))
    }

    /// Of clusters that are worth so many of like size.
    pub(crate) fn of_worth_in_clusters(worth: f64) -> Option<Self> {
        // A whole number may come out a little below itself.
        (worth < ENOUGH_CLUSTERS - 1e-9).then_some(Self::FewClusters { worth })
    }

    /// Of the difference of two arms whose clusters are worth so many of like size (without end where an arm is not clustered). The arm
    /// with few makes most of the error, and the other one does not make up for it.
    pub(crate) fn of_worth_in_arms(control: f64, treatment: f64) -> Option<Self> {
        Self::of_worth_in_clusters(2.0 * control.min(treatment))
    }

    /// Of a weighted mean whose units are worth so many of like weight.
    pub(crate) fn of_worth(worth: f64) -> Option<Self> {
        // A whole number may come out a little below itself.
        (worth < ENOUGH_UNITS - 1e-9).then_some(Self::FewUnits { worth })
    }

    /// What to do about it, in the voice of an error's `hint:` line.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Skewed { .. } => {
                "cap the values, or wait; for arms of different sizes read the studentised bootstrap"
            }
            Self::Rare { .. } => "read an exact test, and Newcombe's interval",
            Self::FewClusters { .. } => "read CR2 errors, or the randomisation test",
            Self::FewUnits { .. } => {
                "gather more; where weights differ, raise the floor of the shares; of passes that are rare read Wilson's interval"
            }
        }
    }
}

/// How many clusters of like size these are worth, of which each row names its own: `(Σn)²/Σn²`.
fn worth(clusters: &[u64]) -> Result<f64, Refusal> {
    if clusters.is_empty() {
        return Err(Refusal::too_few("rows", 0, 1));
    }
    let mut sizes: BTreeMap<u64, f64> = BTreeMap::new();
    for cluster in clusters {
        *sizes.entry(*cluster).or_default() += 1.0;
    }
    let squares: f64 = sizes.values().map(|size| size * size).sum();
    Ok((clusters.len() as f64).powi(2) / squares)
}

/// The third central moment and the variance of a rate, with one success and one failure more than were seen.
fn third(arm: &Proportion) -> (f64, f64) {
    let n = arm.n() as f64 + 2.0;
    let (p, q) = ((arm.successes() as f64 + 1.0) / n, ((arm.n() - arm.successes()) as f64 + 1.0) / n);
    (p * q * (q - p) / (n * n), p * q / n)
}

/// `m₃/m₂^1.5` of the values; zero where they are all the same.
pub(crate) fn skewness(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let spread = (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n).sqrt();
    if spread == 0.0 {
        return 0.0;
    }
    if spread.is_infinite() {
        return f64::NAN;
    }
    values.iter().map(|value| ((value - mean) / spread).powi(3)).sum::<f64>() / n
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        /// Whatever is never below zero is at least as skewed as its moments say, so that these never say what the values deny.
        #[test]
        fn moments_say_no_more_than_the_values(values in proptest::collection::vec(0.0..9.0f64, 3..40), zeros in 0..40usize) {
            let values: Vec<f64> = values.into_iter().chain(std::iter::repeat_n(0.0, zeros)).collect();
            let moments = Moments::of(&values).unwrap();
            let need = |told: Option<Caution>| match told {
                Some(Caution::Skewed { need, .. }) => need,
                _ => 0,
            };
            let by_moments = need(Caution::of_non_negative(&moments, &moments).unwrap());
            prop_assert!(by_moments <= need(Caution::of_means(&values, &values).unwrap()) + 1, "{by_moments}");
        }
    }

    #[test]
    fn moments_tell_the_skew_of_what_is_never_below_zero() {
        // Of two values, one of them zero, the least skewness is the skewness.
        let mut values = vec![0.0; 400];
        values[..8].fill(7.0);
        let moments = Moments::of(&values).unwrap();
        let told = Caution::of_non_negative(&moments, &moments).unwrap();
        assert_eq!(told, Caution::of_means(&values, &values).unwrap());
        assert!(told.is_some());
        let even = Moments::of(&[3.0, 4.0, 5.0]).unwrap();
        assert_eq!(Caution::of_non_negative(&even, &even), Ok(None));
        let none = Moments::of(&[0.0; 9]).unwrap();
        assert_eq!(Caution::of_non_negative(&none, &even), Ok(None));
        let below = Moments::of(&[-3.0, 1.0, 1.0]).unwrap();
        assert_eq!(
            Caution::of_non_negative(&even, &below).unwrap_err().to_string(),
            "a mean of values that are never below zero must lie at 0 or above: `-0.3333333333333333`"
        );
        assert!(Caution::of_non_negative(&Moments::EMPTY, &even).is_err());
    }

    #[test]
    fn cautions_speak_where_they_should() {
        let even: Vec<f64> = (0..200).map(|i| f64::from(i % 10)).collect();
        assert_eq!(Caution::of_means(&even, &even), Ok(None));
        // Exponential quantiles: skewness near 2, so that some 1,400 units are needed.
        let skewed: Vec<f64> = (0..200).map(|i| -(1.0 - (f64::from(i) + 0.5) / 200.0).ln()).collect();
        let Some(Caution::Skewed { arm, have, need }) = Caution::of_means(&even, &skewed).unwrap() else {
            panic!()
        };
        assert!(arm == Arm::Treatment && have == 200 && (900..1_400).contains(&need), "{need}");
        assert!(Caution::of_means(&[1.0], &even).is_err());
        assert!(Caution::of_means(&even, &[1.0, f64::NAN, 2.0]).is_err());
        assert_eq!(Caution::of_means(&[1.0; 9], &[1.0; 9]), Ok(None));

        let rate = |x, n| Proportion::new(x, n).unwrap();
        assert_eq!(Caution::of_rates(&rate(50, 900), &rate(40, 1_000)), Ok(None));
        let rare = Caution::of_rates(&rate(30, 10_000), &rate(1, 300)).unwrap().unwrap();
        assert_eq!(
            rare.to_string(),
            "the outcome is rare: treatment has some `0.9` of it, an interval of the rate needs `5`"
        );
        assert!(matches!(Caution::of_rates(&rate(99, 100), &rate(99, 100)), Ok(Some(Caution::Rare { .. }))));
        assert!(Caution::of_rates(&rate(0, 0), &rate(1, 9)).is_err());
        // By the common rate there is plenty, and the small arm has next to none.
        for few in [0, 1] {
            let told = Caution::of_rates(&rate(50_000, 100_000), &rate(few, 100)).unwrap();
            assert!(
                matches!(told, Some(Caution::Rare { arm: Arm::Treatment, need, .. }) if need == 30.0),
                "{told:?}"
            );
        }
        // Ten successes are few beside a large arm, and enough beside one of like size.
        assert!(Caution::of_rates(&rate(1_000, 100_000), &rate(10, 1_000)).unwrap().is_some());
        assert_eq!(Caution::of_rates(&rate(10, 1_000), &rate(12, 1_000)), Ok(None));
        assert_eq!(Caution::of_rates(&rate(u64::MAX / 2, u64::MAX), &rate(50, 100)), Ok(None));

        let like: Vec<u64> = (0..400).map(|i| i % 50).collect();
        assert_eq!(Caution::of_clusters(&like), Ok(None));
        // One cluster with as many rows as the fifty others together.
        let unequal: Vec<u64> = like.iter().copied().chain(std::iter::repeat_n(99, 400)).collect();
        let Ok(Some(Caution::FewClusters { worth })) = Caution::of_clusters(&unequal) else { panic!() };
        assert!((worth - 800.0f64.powi(2) / (400.0f64.powi(2) + 50.0 * 64.0)).abs() < 1e-12);
        assert!(Caution::of_clusters(&[]).is_err());
    }
}

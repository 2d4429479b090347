//! What makes an interval less than it says, though it is given.

use crate::{Arm, Proportion, Refusal};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A reason to trust an answer less than its level says. `Display` is the sentence, [`Caution::hint`] what to do about it.
///
/// An answer that is certainly wrong is refused; one that may be is given with one of these: as
/// [`Estimate::caution`](crate::Estimate::caution) or `caution` of the result wherever the method has what it is seen by (rates, clusters,
/// weights). Moments do not tell skew, so that [`Caution::of_means`] is asked with the values, and
/// [`Estimate::with_caution`](crate::Estimate::with_caution) keeps what it says.
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
        /// 355 times the square of its skewness.
        need: u64,
    },
    /// A rate of so few successes, or failures, is not yet normal.
    #[error("the outcome is rare: {arm} expects `{expected:.1}` of it, an interval of the rate needs `5`")]
    Rare {
        /// The arm with the smaller number.
        arm: Arm,
        /// Expected of the rarer outcome by the common rate.
        expected: f64,
    },
    /// Errors of so few, or so unequal, clusters are too small.
    #[error("there are few clusters: they are worth `{worth:.1}` of like size, clustered errors need `40`")]
    FewClusters {
        /// `(Σn)²/Σn²`; of two arms twice that of the smaller one, which the error is as uncertain as.
        worth: f64,
    },
    /// A weighted mean of so few, or so unequally weighted, units is not yet normal.
    #[error(
        "the units weigh much or are few: they are worth `{worth:.1}` of like weight, an interval needs `30`"
    )]
    FewUnits {
        /// `(Σw)²/Σw²`.
        worth: f64,
    },
}

/// Clusters below which HC1's errors are too small to rely on.
const ENOUGH_CLUSTERS: f64 = 40.0;

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
        let mut worst: Option<(f64, Self)> = None;
        for (arm, values) in [(Arm::Control, control), (Arm::Treatment, treatment)] {
            let have = values.len() as u64;
            if have < 3 {
                return Err(Refusal::TooLittle { arm, have, need: 3 });
            }
            let skewness = skewness(values);
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

    /// Of a comparison of rates: each arm needs five successes and five failures by the common rate.
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
        Ok((expected < 5.0).then_some(Self::Rare { arm, expected }))
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
            Self::FewUnits { .. } => "gather more; where their weights differ, raise the floor of the shares",
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

/// `m₃/m₂^1.5` of the values; zero where they are all the same.
fn skewness(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let (mut squares, mut cubes) = (0.0, 0.0);
    for value in values {
        let deviation = value - mean;
        squares += deviation * deviation;
        cubes += deviation * deviation * deviation;
    }
    if squares == 0.0 { 0.0 } else { (cubes / n) / (squares / n).powf(1.5) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

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
            "the outcome is rare: treatment expects `0.9` of it, an interval of the rate needs `5`"
        );
        assert!(matches!(Caution::of_rates(&rate(99, 100), &rate(99, 100)), Ok(Some(Caution::Rare { .. }))));
        assert!(Caution::of_rates(&rate(0, 0), &rate(1, 9)).is_err());

        let like: Vec<u64> = (0..400).map(|i| i % 50).collect();
        assert_eq!(Caution::of_clusters(&like), Ok(None));
        // One cluster with as many rows as the fifty others together.
        let unequal: Vec<u64> = like.iter().copied().chain(std::iter::repeat_n(99, 400)).collect();
        let Ok(Some(Caution::FewClusters { worth })) = Caution::of_clusters(&unequal) else { panic!() };
        assert!((worth - 800.0f64.powi(2) / (400.0f64.powi(2) + 50.0 * 64.0)).abs() < 1e-12);
        assert!(Caution::of_clusters(&[]).is_err());
    }
}

//! What an arm is worth, from shares that changed over time.
//!
//! Where shares follow the data the pooled mean of an arm is biased: units of a good day are over-represented
//! in the arm that was preferred on it, and an arm that was unlucky is not sampled again to mend that.

use crate::estimate::critical;
use crate::{Caution, Interval, Level, Method, Moments, Refusal};
use serde::{Deserialize, Serialize};

/// A time in which the shares did not change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Period {
    /// The share of each arm, as assigned.
    pub shares: Vec<f64>,
    /// What each arm showed, in the same order.
    pub arms: Vec<Moments>,
}

/// How periods are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weighting {
    /// Each period's mean by the units of that period over all arms. The least noise; needs units of the
    /// arm in each period, which a floor of the shares sees to.
    Period,
    /// Each value by the inverse of the probability of its arm (Horvitz and Thompson). Without bias even if
    /// a period happens to have no unit of the arm, and noisy where shares are small.
    InverseProbability,
    /// As by inverse probability, divided by the sum of its weights (Hájek): a little bias, less noise.
    SelfNormalised,
}

/// The value of an arm: what the mean of all units would have been in it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Value {
    /// The estimate.
    pub mean: f64,
    /// Its standard error.
    pub se: f64,
    /// Degrees of freedom of that error.
    pub df: f64,
    /// Units of the arm.
    pub n: u64,
    /// How many units of like weight they are worth: `(Σw)²/Σw²`, with `w = u/(N n)` by period and `1/share` otherwise.
    pub worth: f64,
    /// What makes its interval less than it says.
    pub caution: Option<Caution>,
}

/// The difference between two arms.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Contrast {
    /// The value of the second arm less that of the first.
    pub estimate: f64,
    /// Its standard error.
    pub se: f64,
    /// Degrees of freedom of that error (Satterthwaite).
    pub df: f64,
    /// What makes its interval less than it says: that of the arm which is worth fewer units.
    pub caution: Option<Caution>,
}

impl Value {
    /// The interval of the value, by t.
    pub fn interval(&self, level: Level) -> Interval {
        Interval::around(self.mean, critical(Some(self.df), level.alpha() / 2.0) * self.se)
    }
}

impl Contrast {
    /// The interval of the difference, by t.
    pub fn interval(&self, level: Level) -> Interval {
        Interval::around(self.estimate, critical(Some(self.df), level.alpha() / 2.0) * self.se)
    }
}

/// All periods of a bandit.
///
/// Assumes that the shares of a period were fixed before it. It fails where they were changed within one
/// while looking at its data: cut the period there.
///
/// With `w = 1/share` for a unit of the arm, `u` the units of a period over all arms and `N` all units, the variances are
/// `Σ (u/N)² s²/n` by period; `Σ u/(u-1) Σ(z - z̄)²/N²` with `z = w y` in the arm and 0 elsewhere by inverse probability
/// (Horvitz and Thompson 1952); and `n/(n-1) Σ w²(y - mean)²/(Σw)²` self-normalised (Hájek 1971; Särndal, Swensson and Wretman 1992, 5.7). Each
/// divides by one less than it counts. By period the degrees of freedom are Satterthwaite's over the periods; by weights
/// they are one less than the units of the arm are worth, `(Σw)²/Σw²` (Kish 1965). Where that is below 30, by period with
/// `w = u/(N n)`, a
/// [`Caution::FewUnits`] comes with the answer: a few heavy units then make most of the mean, and of its error.
///
/// ```
/// use bellwether_stats::Moments;
/// use bellwether_stats::bandit::{Period, Periods, Weighting};
/// let arm = |n, mean| Moments::new(n, mean, n as f64).unwrap();
/// // A bad day with equal shares, a good one with most of it on the second arm; no difference between arms.
/// let monday = Period { shares: vec![0.5, 0.5], arms: vec![arm(500, 1.0), arm(500, 1.0)] };
/// let tuesday = Period { shares: vec![0.1, 0.9], arms: vec![arm(100, 3.0), arm(900, 3.0)] };
/// let periods = Periods::new(&[monday, tuesday]).unwrap();
/// assert!(periods.contrast(0, 1, Weighting::Period).unwrap().estimate.abs() < 1e-12);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Periods {
    periods: Vec<Period>,
    arms: usize,
    units: f64,
}

/// One arm in one period: what its weighted sum adds.
struct Part {
    mean: f64,
    variance: f64,
    n: f64,
    share: f64,
    /// Units of the period over all arms.
    units: f64,
}

impl Periods {
    /// How it is made.
    pub const METHOD: Method = Method::OffPolicy;

    /// From the periods, each with the same arms.
    ///
    /// # Errors
    /// [`Refusal::TooFew`] without a period that has units, [`Refusal::ArmsDiffer`],
    /// [`Refusal::OutOfRange`] for shares that are not between 0 and 1 or do not add up to 1,
    /// [`Refusal::UnplannedArm`] for units in an arm with a share of zero.
    pub fn new(periods: &[Period]) -> Result<Self, Refusal> {
        let arms = periods.first().map_or(0, |p| p.arms.len());
        let mut units = 0.0;
        for period in periods {
            if period.shares.len() != arms || period.arms.len() != arms {
                return Err(Refusal::ArmsDiffer { counts: period.arms.len(), shares: period.shares.len() });
            }
            let total: f64 = period.shares.iter().sum();
            if let Some(bad) = period.shares.iter().find(|s| !(0.0..=1.0).contains(*s)) {
                return Err(Refusal::out_of_range("the share of an arm", "between 0 and 1", bad));
            }
            if (total - 1.0).abs() > 1e-6 {
                return Err(Refusal::out_of_range("the sum of shares", "at 1", total));
            }
            for (arm, (moments, share)) in period.arms.iter().zip(&period.shares).enumerate() {
                if *share == 0.0 && moments.n() > 0 {
                    return Err(Refusal::UnplannedArm { arm, units: moments.n() });
                }
                units += moments.n() as f64;
            }
        }
        if units == 0.0 || arms == 0 {
            return Err(Refusal::too_few("units", 0, 2));
        }
        Ok(Self { periods: periods.to_vec(), arms, units })
    }

    /// The value of an arm.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] for an arm that is not there. By period, [`Refusal::TooFew`] where a period
    /// with units has fewer than two of the arm; by weights, where the units of the arm are worth fewer than two, or where a
    /// period with units had no share for it: what it would have done then nobody knows. By inverse probability also where
    /// a period has one unit. [`Refusal::NoVariance`] where the error would be zero, [`Refusal::NotFinite`].
    pub fn value(&self, arm: usize, weighting: Weighting) -> Result<Value, Refusal> {
        let parts = self.parts(arm, weighting)?;
        let n: f64 = parts.iter().map(|p| p.n).sum();
        let Estimated { mean, variance, df, worth } = self.estimate(&parts, weighting)?;
        let se = error(variance)?;
        if !mean.is_finite() {
            return Err(Refusal::not_finite("value"));
        }
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let n = n as u64;
        Ok(Value { mean, se, df, n, worth, caution: Caution::of_worth(worth) })
    }

    /// The value of the arm `of` less that of the arm `against`.
    ///
    /// # Errors
    /// As [`Periods::value`], of both; [`Refusal::OutOfRange`] where they are the same arm.
    pub fn contrast(&self, against: usize, of: usize, weighting: Weighting) -> Result<Contrast, Refusal> {
        if against == of {
            return Err(Refusal::out_of_range(
                "the arm of a contrast",
                "beside the one it is held against",
                of,
            ));
        }
        let parts = [self.parts(against, weighting)?, self.parts(of, weighting)?];
        let [a, b] = &parts;
        let (first, second) = (self.estimate(a, weighting)?, self.estimate(b, weighting)?);
        let mut variance = first.variance + second.variance;
        let shares = [&first, &second].map(|arm| (arm.variance / variance).powi(2) / arm.df);
        if weighting == Weighting::InverseProbability {
            // A unit that is in one arm is not in the other: their weighted sums go against each other.
            for (a, b) in a.iter().zip(b) {
                variance +=
                    2.0 * a.expected() * b.expected() * a.units * a.correction() / (self.units * self.units);
            }
        }
        let se = error(variance)?;
        let (estimate, df) = (second.mean - first.mean, shares.iter().sum::<f64>().recip());
        if !(estimate.is_finite() && df.is_finite()) {
            return Err(Refusal::not_finite("contrast"));
        }
        Ok(Contrast { estimate, se, df, caution: Caution::of_worth(first.worth.min(second.worth)) })
    }

    fn parts(&self, arm: usize, weighting: Weighting) -> Result<Vec<Part>, Refusal> {
        if arm >= self.arms {
            let range = format!("below the number of arms, `{}`", self.arms);
            return Err(Refusal::out_of_range("the number of an arm", &range, arm));
        }
        let mut parts = Vec::with_capacity(self.periods.len());
        for period in &self.periods {
            let units: f64 = period.arms.iter().map(|m| m.n() as f64).sum();
            let (Some(moments), Some(&share)) = (period.arms.get(arm), period.shares.get(arm)) else {
                continue;
            };
            if units == 0.0 {
                continue;
            }
            let n = moments.n();
            if weighting == Weighting::Period && n < 2 || share == 0.0 {
                return Err(Refusal::too_few("units of an arm in a period", n, 2));
            }
            if weighting == Weighting::InverseProbability && units < 2.0 {
                return Err(Refusal::too_few("units of a period", 1, 2));
            }
            parts.push(Part {
                mean: moments.mean().unwrap_or(0.0),
                variance: moments.squared_deviations() / (n.max(2) - 1) as f64,
                n: n as f64,
                share,
                units,
            });
        }
        let n: f64 = parts.iter().map(|p| p.n).sum();
        if n < 2.0 {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            return Err(Refusal::too_few("units of an arm", n as u64, 2));
        }
        Ok(parts)
    }

    fn estimate(&self, parts: &[Part], weighting: Weighting) -> Result<Estimated, Refusal> {
        let weights: f64 = parts.iter().map(|p| p.n / p.share).sum();
        let squares: f64 = parts.iter().map(|p| p.n / (p.share * p.share)).sum();
        let n: f64 = parts.iter().map(|p| p.n).sum();
        let worth = match weighting {
            // A unit weighs `u/N` over the units of the arm in its period.
            Weighting::Period => {
                parts.iter().map(|p| (p.units / self.units).powi(2) / p.n).sum::<f64>().recip()
            }
            _ => weights / squares * weights,
        };
        if worth.is_nan() {
            return Err(Refusal::not_finite("sum of weights"));
        }
        // A whole number may come out a little below itself.
        if worth < 2.0 - 1e-9 {
            return Err(Refusal::too_few("units of like weight, as those of the arm are worth", 1, 2));
        }
        let (mean, variance, df) = match weighting {
            Weighting::Period => {
                let share = |p: &Part| p.units / self.units;
                let mean = parts.iter().map(|p| share(p) * p.mean).sum();
                let variance = |p: &Part| share(p) * share(p) * p.variance / p.n;
                let total: f64 = parts.iter().map(variance).sum();
                let inverse: f64 = parts.iter().map(|p| (variance(p) / total).powi(2) / (p.n - 1.0)).sum();
                (mean, total, inverse.recip())
            }
            Weighting::InverseProbability => {
                let mean = parts.iter().map(|p| p.expected() * p.units).sum::<f64>() / self.units;
                let total: f64 = parts.iter().map(|p| p.correction() * p.spread()).sum();
                (mean, total / (self.units * self.units), worth - 1.0)
            }
            Weighting::SelfNormalised => {
                let mean = parts.iter().map(|p| p.n / p.share * p.mean).sum::<f64>() / weights;
                // Linearised: weighted squares of what is left after the mean.
                let left: f64 = parts.iter().map(|p| p.squares(mean)).sum();
                (mean, n / (n - 1.0) * left / (weights * weights), worth - 1.0)
            }
        };
        Ok(Estimated { mean, variance, df, worth })
    }
}

/// The mean of an arm, the variance of that mean, its degrees of freedom, and how many units of like weight it is of.
struct Estimated {
    mean: f64,
    variance: f64,
    df: f64,
    worth: f64,
}

fn error(variance: f64) -> Result<f64, Refusal> {
    if !variance.is_finite() {
        return Err(Refusal::not_finite("variance of a value"));
    }
    if variance <= 0.0 {
        return Err(Refusal::NoVariance);
    }
    Ok(variance.sqrt())
}

impl Part {
    /// Average over all units of the period of `1{arm}·y/p`.
    fn expected(&self) -> f64 {
        self.n * self.mean / (self.share * self.units)
    }

    /// A variance divides by one less than it counts.
    fn correction(&self) -> f64 {
        self.units / (self.units - 1.0)
    }

    /// Sum over all units of the period of the squared distances of `1{arm}·y/p` from their average.
    fn spread(&self) -> f64 {
        let outside = (1.0 - self.n / self.units).max(0.0);
        ((self.n - 1.0).max(0.0) * self.variance + self.n * self.mean * self.mean * outside)
            / (self.share * self.share)
    }

    /// Sum over the units of the arm of `(y - centre)²/p²`.
    fn squares(&self, centre: f64) -> f64 {
        let off = self.mean - centre;
        ((self.n - 1.0).max(0.0) * self.variance + self.n * off * off) / (self.share * self.share)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        /// With one period and shares as planned all three are the plain mean.
        #[test]
        fn one_period_is_the_plain_mean(n in 2u64..1_000, m in 2u64..1_000, mean in -5.0..5.0f64, spread in 0.1..4.0f64) {
            let total = (n + m) as f64;
            let arm = |n: u64, mean: f64| Moments::new(n, mean, spread * (n - 1) as f64).unwrap();
            let period = Period {
                shares: vec![n as f64 / total, m as f64 / total],
                arms: vec![arm(n, mean), arm(m, mean + 1.0)],
            };
            let periods = Periods::new(&[period]).unwrap();
            for weighting in [Weighting::Period, Weighting::InverseProbability, Weighting::SelfNormalised] {
                let value = periods.value(0, weighting).unwrap();
                prop_assert!((value.mean - mean).abs() < 1e-12 && value.n == n);
                let contrast = periods.contrast(0, 1, weighting).unwrap();
                prop_assert!((contrast.estimate - 1.0).abs() < 1e-11);
            }
            let plain = (spread / n as f64).sqrt();
            prop_assert!((periods.value(0, Weighting::Period).unwrap().se / plain - 1.0).abs() < 1e-12);
            let hajek = periods.value(0, Weighting::SelfNormalised).unwrap();
            prop_assert!((hajek.se / plain - 1.0).abs() < 1e-9 && (hajek.df / (n - 1) as f64 - 1.0).abs() < 1e-9);
            prop_assert!(hajek.caution.is_some() == (n < 30));
        }
    }

    /// By period a unit weighs what its period has of all units, over the units of the arm in it.
    #[test]
    fn few_units_that_carry_a_period_are_told() {
        let arm = |n: u64| Moments::new(n, 1.0, (n - 1) as f64).unwrap();
        let even = Period { shares: vec![0.5, 0.5], arms: vec![arm(500), arm(500)] };
        let rare = Period { shares: vec![0.004, 0.996], arms: vec![arm(4), arm(996)] };
        let periods = Periods::new(&[even, rare]).unwrap();
        let weights: Vec<f64> = std::iter::repeat_n(0.5 / 500.0, 500).chain([0.5 / 4.0; 4]).collect();
        let worth =
            weights.iter().sum::<f64>().powi(2) / weights.iter().map(|weight| weight * weight).sum::<f64>();
        let ours = periods.value(0, Weighting::Period).unwrap();
        assert!((ours.worth - worth).abs() < 1e-9 && worth < 16.0, "{} {worth}", ours.worth);
        assert!(matches!(ours.caution, Some(Caution::FewUnits { .. })));
        assert!(periods.contrast(0, 1, Weighting::Period).unwrap().caution.is_some());
        assert_eq!(periods.value(1, Weighting::Period).unwrap().caution, None);
    }

    #[test]
    fn what_cannot_be_weighted_is_refused() {
        let arm =
            |n: u64| if n == 0 { Moments::EMPTY } else { Moments::new(n, 1.0, (n - 1) as f64).unwrap() };
        let period = |shares: &[f64], n: &[u64]| Period {
            shares: shares.to_vec(),
            arms: n.iter().map(|&n| arm(n)).collect(),
        };
        let of = |periods: &[Period]| Periods::new(periods).unwrap_err().to_string();
        assert_eq!(of(&[]), "too little data: `0` units, this method needs `2`");
        assert_eq!(of(&[period(&[0.5, 0.5], &[0, 0])]), "too little data: `0` units, this method needs `2`");
        assert_eq!(of(&[period(&[0.5, 0.4], &[5, 5])]), "the sum of shares must lie at 1: `0.9`");
        assert_eq!(
            of(&[period(&[0.0, 1.0], &[5, 5])]),
            "arm `0` has `5` units, but its planned share is `0`"
        );
        assert_eq!(of(&[period(&[1.0], &[5, 5])]), "`2` counts do not fit `1` planned shares");
        let periods = Periods::new(&[period(&[0.5, 0.5], &[5, 5]), period(&[0.0, 1.0], &[0, 9])]).unwrap();
        for weighting in [Weighting::Period, Weighting::InverseProbability] {
            assert_eq!(
                periods.value(0, weighting).unwrap_err().to_string(),
                "too little data: `0` units of an arm in a period, this method needs `2`"
            );
        }
        assert!(periods.value(1, Weighting::Period).is_ok() && periods.value(2, Weighting::Period).is_err());
        assert!(periods.contrast(1, 1, Weighting::Period).is_err());
        // A hundred units, and one that weighs as much as all of them a hundred times over.
        let heavy = Periods::new(&[period(&[0.5, 0.5], &[99, 9]), period(&[1e-4, 0.9999], &[1, 9])]).unwrap();
        assert_eq!(
            heavy.value(0, Weighting::SelfNormalised).unwrap_err().to_string(),
            "too little data: `1` units of like weight, as those of the arm are worth, this method needs `2`"
        );
    }
}

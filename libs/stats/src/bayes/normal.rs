//! The normal model: an estimate with its standard error, and a normal prior.

use super::{a_number, check_range};
use crate::means::{mean_of, some_variance};
use crate::root::bracketed;
use crate::special::normal;
use crate::{Arm, Interval, Level, Method, Moments, Refusal};
use serde::{Deserialize, Serialize};

/// What an effect is measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// The unit of the metric.
    Absolute,
    /// Shares of the control mean.
    Relative,
}

/// What is believed of an effect before the data.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Prior {
    /// Mean and variance; none is flat.
    normal: Option<(f64, f64, Scale)>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Stored {
    Flat,
    Normal { mean: f64, variance: f64, scale: Scale },
}

impl TryFrom<Stored> for Prior {
    type Error = Refusal;
    fn try_from(stored: Stored) -> Result<Self, Refusal> {
        match stored {
            Stored::Flat => Ok(Self::FLAT),
            Stored::Normal { mean, variance, scale } => Self::normal(mean, variance, scale),
        }
    }
}

impl From<Prior> for Stored {
    fn from(prior: Prior) -> Self {
        match prior.normal {
            None => Self::Flat,
            Some((mean, variance, scale)) => Self::Normal { mean, variance, scale },
        }
    }
}

impl Prior {
    /// Every effect is as likely: the posterior is the estimate.
    pub const FLAT: Self = Self { normal: None };

    /// A normal prior, in the unit of the metric or as a share of the control mean.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] for a mean that is not finite or a variance that is not above 0.
    pub fn normal(mean: f64, variance: f64, scale: Scale) -> Result<Self, Refusal> {
        if !mean.is_finite() {
            return Err(Refusal::out_of_range("the mean of a prior", "among the finite numbers", mean));
        }
        if !(variance > 0.0 && variance.is_finite()) {
            return Err(Refusal::out_of_range("the variance of a prior", "above 0", variance));
        }
        Ok(Self { normal: Some((mean, variance, scale)) })
    }

    /// The prior that past experiments speak for: their effects, freed from their noise (empirical Bayes,
    /// the estimator of Paule and Mandel). `past` are estimates with their standard errors, all on one
    /// scale. A `centre` of zero is right where it is arbitrary which arm was called the treatment.
    ///
    /// Assumes that the next experiment is of the kind of the past ones. It fails where only winners were
    /// kept, or where a few effects are very large: the tails of a normal prior are thin, and it then draws
    /// a large true effect in too far.
    ///
    /// # Errors
    /// [`Refusal::TooFew`] below five experiments, [`Refusal::OutOfRange`] for values that are not finite or
    /// errors that are not above 0, and where the estimates vary no more than their noise explains: that
    /// past says only that effects are small, and no variance is the honest one.
    ///
    /// ```
    /// use bellwether_stats::bayes::{Prior, Scale};
    /// let past = [(0.02, 0.01), (-0.01, 0.01), (0.03, 0.02), (0.0, 0.01), (0.05, 0.015), (-0.03, 0.01)];
    /// let prior = Prior::fit(&past, Some(0.0), Scale::Relative).unwrap();
    /// assert!(prior.parameters().unwrap().1.sqrt() > 0.01);
    /// ```
    pub fn fit(past: &[(f64, f64)], centre: Option<f64>, scale: Scale) -> Result<Self, Refusal> {
        const FEWEST: u64 = 5;
        if (past.len() as u64) < FEWEST {
            return Err(Refusal::too_few("past experiments", past.len() as u64, FEWEST));
        }
        for &(estimate, se) in past {
            if !estimate.is_finite() {
                return Err(Refusal::out_of_range("a past estimate", "among the finite numbers", estimate));
            }
            if !(se > 0.0 && se.is_finite()) {
                return Err(Refusal::out_of_range("a past standard error", "above 0", se));
            }
        }
        let mean_at = |variance: f64| {
            centre.unwrap_or_else(|| {
                let weights = past.iter().map(|(_, se)| 1.0 / (variance + se * se));
                let (mut sum, mut total) = (0.0, 0.0);
                for (weight, (estimate, _)) in weights.zip(past) {
                    sum += weight * estimate;
                    total += weight;
                }
                sum / total
            })
        };
        let free = past.len() as f64 - if centre.is_some() { 0.0 } else { 1.0 };
        // Falls in the variance: with the true one, squared deviations are as large as their number.
        let excess = |variance: f64| {
            let mean = mean_at(variance);
            let squares = past.iter().map(|(d, se)| (d - mean) * (d - mean) / (variance + se * se));
            squares.sum::<f64>() - free
        };
        if excess(0.0) <= 0.0 {
            let range = "more than the noise of the past estimates explains";
            return Err(Refusal::out_of_range("the spread of past effects", range, 0.0));
        }
        let largest = past.iter().map(|(d, _)| (d - mean_at(0.0)).abs()).fold(0.0, f64::max);
        let high = 4.0 * largest * largest * past.len() as f64;
        let variance = bracketed("the variance of past effects", 0.0, high, excess)?;
        Self::normal(mean_at(variance), variance, scale)
    }

    /// Mean and variance; none where it is flat.
    pub fn parameters(&self) -> Option<(f64, f64)> {
        self.normal.map(|(mean, variance, _)| (mean, variance))
    }

    /// On another scale, for a control mean.
    fn on(self, scale: Scale, control: f64) -> Self {
        let rescaled = |(mean, variance, own): (f64, f64, Scale)| {
            let factor = match (own, scale) {
                (Scale::Relative, Scale::Absolute) => control.abs(),
                (Scale::Absolute, Scale::Relative) => control.abs().recip(),
                _ => 1.0,
            };
            (mean * factor, variance * factor * factor, scale)
        };
        Self { normal: self.normal.map(rescaled) }
    }
}

/// What is believed of an effect after the data: a normal distribution.
///
/// ```
/// use bellwether_stats::bayes::{NormalPosterior, Prior, Scale};
/// use bellwether_stats::Level;
/// let prior = Prior::normal(0.0, 0.01, Scale::Absolute).unwrap();
/// let posterior = NormalPosterior::new(0.25, 0.1425, &prior).unwrap();
/// assert!(posterior.mean() < 0.09 && posterior.chance_above(0.0).unwrap() > 0.8);
/// assert!(posterior.interval(Level::P95).low < 0.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct NormalPosterior {
    mean: f64,
    sd: f64,
}

impl NormalPosterior {
    /// How it is made.
    pub const METHOD: Method = Method::NormalPosterior;

    /// Of an estimate with its standard error; the prior is taken to be on the scale of the estimate. Weights
    /// by precision: `(d/v + m₀/v₀)/(1/v + 1/v₀)`.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] for an estimate that is not finite or an error that is not above 0.
    pub fn new(estimate: f64, se: f64, prior: &Prior) -> Result<Self, Refusal> {
        if !estimate.is_finite() {
            return Err(Refusal::out_of_range("an estimate", "among the finite numbers", estimate));
        }
        if !(se > 0.0 && se.is_finite()) {
            return Err(Refusal::out_of_range("a standard error", "above 0", se));
        }
        let posterior = match prior.normal {
            None => Self { mean: estimate, sd: se },
            Some((mean, variance, _)) => {
                // By the share of the data, in standard deviations: neither squares nor differences overflow.
                let share = (1.0 + (se / variance.sqrt()).powi(2)).recip();
                Self { mean: (1.0 - share) * mean + share * estimate, sd: se * share.sqrt() }
            }
        };
        if !(posterior.sd > 0.0 && posterior.sd.is_finite() && posterior.mean.is_finite()) {
            return Err(Refusal::out_of_range(
                "a standard error",
                "one whose square, beside that of the prior, is a number",
                se,
            ));
        }
        Ok(posterior)
    }

    /// The expected effect.
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// Its standard deviation.
    pub fn sd(&self) -> f64 {
        self.sd
    }

    /// The chance that the effect is above `x`: at 0 the chance to win, where more is better.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] for a NaN.
    pub fn chance_above(&self, x: f64) -> Result<f64, Refusal> {
        Ok(normal::cdf((self.mean - a_number(x)?) / self.sd))
    }

    /// The chance that the effect is below `x`: at 0 the chance to win, where less is better.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] for a NaN.
    pub fn chance_below(&self, x: f64) -> Result<f64, Refusal> {
        Ok(normal::sf((self.mean - a_number(x)?) / self.sd))
    }

    /// `E[max(effect, 0)]`: what is lost on average by keeping control, where more is better.
    pub fn expected_gain(&self) -> f64 {
        expected_above_zero(self.mean, self.sd)
    }

    /// `E[max(-effect, 0)]`: what is lost on average by choosing the treatment, where more is better.
    pub fn expected_loss(&self) -> f64 {
        expected_above_zero(-self.mean, self.sd)
    }

    /// The equal-tailed credible interval.
    pub fn interval(&self, level: Level) -> Interval {
        Interval::around(self.mean, -normal::quantile(level.alpha() / 2.0) * self.sd)
    }

    /// The chance that the effect lies in a region of practical equivalence.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] for ends that are not in order or not finite.
    pub fn chance_within(&self, low: f64, high: f64) -> Result<f64, Refusal> {
        let region = check_range(low, high)?;
        let (a, b) = ((region.low - self.mean) / self.sd, (region.high - self.mean) / self.sd);
        // From the tail on whose side both ends lie.
        Ok(if a > 0.0 { normal::sf(a) - normal::sf(b) } else { normal::cdf(b) - normal::cdf(a) })
    }

    /// Quantiles at the tails of a level, for grids.
    pub(crate) fn quantile(&self, z: f64) -> f64 {
        self.mean + z * self.sd
    }
}

/// `E[max(X, 0)]` of a normal `X`. Past a thousand standard deviations it is the mean, or nothing, also where the quotient
/// overflows.
fn expected_above_zero(mean: f64, sd: f64) -> f64 {
    const FAR: f64 = 1e3;
    let z = mean / sd;
    if z > FAR { mean } else { sd * expected_positive(z.max(-FAR)) }
}

/// `E[max(X, 0)]` of a normal `X` with mean `z` and variance 1: `zΦ(z) + φ(z)`. For a very negative mean
/// these cancel; there `φ(z)/z²·(1 - 3/z² + 15/z⁴ - ...)` by the same continued fraction as the tail.
fn expected_positive(z: f64) -> f64 {
    if z > -5.0 {
        return z * normal::cdf(z) + normal::pdf(z);
    }
    // φ - |z|·SF: with SF = φ/(|z| + K) the difference is φ·K/(|z| + K), and K = 1/(|z| + 2/(|z| + ...)).
    let x = -z;
    let mut k = 0.0;
    for i in (1..=60).rev() {
        k = f64::from(i) / (x + k);
    }
    normal::pdf(x) * k / (x + k)
}

/// The normal model of a comparison of two means.
#[derive(Debug, Clone, PartialEq)]
pub struct Lift {
    /// Of `treatment - control`, in the unit of the metric.
    pub absolute: NormalPosterior,
    /// Of the difference as a share of the control mean, or why there is none. By the delta method, for
    /// all control means but zero: with one close to zero it is as wide as that is uncertain.
    pub relative: Result<NormalPosterior, Refusal>,
}

/// The posterior of a comparison of means (or of rates, as means of zeros and ones), on both scales.
///
/// A relative prior is rescaled by the control mean for the absolute effect and an absolute one divided by
/// it for the relative effect, so that both say the same. GrowthBook forgets the second.
///
/// # Errors
/// [`Refusal::TooLittle`] with fewer than two units in an arm, [`Refusal::NoVariance`] and
/// [`Refusal::OnlyRounding`] where the arms are constant, [`Refusal::NotFinite`] where the values overflow.
///
/// ```
/// use bellwether_stats::bayes::{Prior, Scale, lift};
/// use bellwether_stats::{Moments, Proportion};
/// let [control, treatment] = [120, 150].map(|x| Moments::from(Proportion::new(x, 1_000).unwrap()));
/// let prior = Prior::normal(0.0, 0.09, Scale::Relative).unwrap();
/// let posterior = lift(&control, &treatment, &prior).unwrap();
/// assert!(posterior.absolute.chance_above(0.0).unwrap() > 0.96);
/// ```
pub fn lift(control: &Moments, treatment: &Moments, prior: &Prior) -> Result<Lift, Refusal> {
    let c = mean_of(control, Arm::Control)?;
    let t = mean_of(treatment, Arm::Treatment)?;
    let (estimate, variance) = (t.mean - c.mean, c.variance + t.variance);
    if !(estimate.is_finite() && variance.is_finite()) {
        return Err(Refusal::not_finite("difference"));
    }
    some_variance([(c, control.n()), (t, treatment.n())])?;
    let absolute = NormalPosterior::new(estimate, variance.sqrt(), &prior.on(Scale::Absolute, c.mean))?;
    let relative = if c.mean == 0.0 {
        Err(Refusal::ZeroBaseline)
    } else {
        let ratio = t.mean / c.mean;
        let se = (t.variance + ratio * ratio * c.variance).sqrt() / c.mean.abs();
        if se.is_finite() && ratio.is_finite() {
            let lift = estimate / c.mean.abs();
            NormalPosterior::new(lift, se, &prior.on(Scale::Relative, c.mean))
        } else {
            Err(Refusal::not_finite("relative lift"))
        }
    };
    Ok(Lift { absolute, relative })
}

/// Ends of the mass of a posterior and points between them, in standard deviations.
pub(crate) const SPAN: [f64; 9] = [-9.0, -6.0, -4.0, -2.0, 0.0, 2.0, 4.0, 6.0, 9.0];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::super::tails;
    use super::*;
    use crate::quadrature::Rule;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        /// By the definition as an integral, in relative terms also where it is tiny.
        #[test]
        fn expected_gain_is_its_integral(z in -30.0..8.0f64) {
            let rule = Rule::new(40);
            let integral: f64 = rule
                .over(0.0, z.max(0.0) + 12.0, 60)
                .map(|(x, w)| w * x * (-0.5 * x * x + x * z).exp())
                .sum();
            let exact = integral.ln() - 0.5 * z * z - 0.5 * (2.0 * core::f64::consts::PI).ln();
            let got = expected_positive(z).ln();
            prop_assert!((got - exact).abs() < 1e-11 * exact.abs().max(1.0), "{got} {exact}");
        }

        #[test]
        fn gain_less_loss_is_the_mean(mean in -1e3..1e3f64, sd in 1e-3..1e3f64) {
            let posterior = NormalPosterior { mean, sd };
            let difference = posterior.expected_gain() - posterior.expected_loss();
            prop_assert!((difference - mean).abs() <= 1e-12 * mean.abs().max(sd));
            prop_assert!((posterior.chance_above(0.3).unwrap() + posterior.chance_below(0.3).unwrap() - 1.0).abs() < 1e-14);
        }

        /// A flat prior is the limit of a wide one, and a narrow one leaves nothing of the data.
        #[test]
        fn the_prior_draws_in(estimate in -10.0..10.0f64, se in 0.01..10.0f64, mean in -5.0..5.0f64) {
            let at = |variance| {
                let prior = Prior::normal(mean, variance, Scale::Absolute).unwrap();
                NormalPosterior::new(estimate, se, &prior).unwrap()
            };
            prop_assert!((at(1e12).mean() - estimate).abs() < 1e-8);
            prop_assert!((at(1e-12).mean() - mean).abs() < 1e-4);
            let half = at(se * se);
            prop_assert!((half.mean() - 0.5 * (estimate + mean)).abs() < 1e-12);
            prop_assert!((half.sd() - se / 2f64.sqrt()).abs() < 1e-12);
        }
    }

    #[test]
    fn a_prior_is_recovered_from_past_experiments() {
        // Quantiles of N(0.01, 0.02²) as effects, and of their noise, paired so that they are uncorrelated.
        let n = 400;
        let q = |i: usize| normal::quantile((i as f64 + 0.5) / n as f64);
        let past: Vec<(f64, f64)> = (0..n)
            .map(|i| {
                let se = 0.005 + 0.02 * ((i * 37) % n) as f64 / n as f64;
                (0.01 + 0.02 * q(i) + se * q((i * 149) % n), se)
            })
            .collect();
        let (mean, variance) = Prior::fit(&past, None, Scale::Relative).unwrap().parameters().unwrap();
        assert!((mean - 0.01).abs() < 0.002 && (variance.sqrt() - 0.02).abs() < 0.002, "{mean} {variance}");
    }

    #[test]
    fn a_past_that_says_nothing_is_refused() {
        let check = |past: &[(f64, f64)]| Prior::fit(past, None, Scale::Relative).unwrap_err().to_string();
        assert_eq!(check(&[(0.1, 0.1); 3]), "too little data: `3` past experiments, this method needs `5`");
        assert_eq!(
            check(&[(0.1, 0.1); 6]),
            "the spread of past effects must lie more than the noise of the past estimates explains: `0`"
        );
        assert!(check(&[(f64::NAN, 0.1); 6]).contains("past estimate"));
        assert!(check(&[(0.1, 0.0); 6]).contains("past standard error"));
        assert!(Prior::normal(0.0, 0.0, Scale::Absolute).is_err());
        assert!(NormalPosterior::new(0.0, 0.0, &Prior::FLAT).is_err());
        let text = r#"{"normal":{"mean":0,"variance":-1,"scale":"relative"}}"#;
        assert!(serde_json::from_str::<Prior>(text).is_err());
    }

    #[test]
    fn quantiles_of_an_interval_match_its_tails() {
        let posterior = NormalPosterior { mean: 1.0, sd: 2.0 };
        let interval = posterior.interval(Level::P95);
        let [low, high] = tails(Level::P95);
        assert!((posterior.chance_below(interval.low).unwrap() - low).abs() < 1e-14);
        assert!((posterior.chance_below(interval.high).unwrap() - high).abs() < 1e-14);
    }
}

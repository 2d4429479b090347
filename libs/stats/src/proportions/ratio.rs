//! The ratio of two rates: on the logarithmic scale, and by the score.

use super::pooled;
use super::score::boundary;
use crate::estimate::critical;
use crate::{Alternative, Arm, Caution, Estimate, Interval, Level, Method, Proportion, Refusal, Test};

/// A rate of an arm that has a success, so that its logarithm exists.
pub(super) fn positive_rate(proportion: &Proportion, arm: Arm) -> Result<f64, Refusal> {
    let rate = proportion.estimated(arm)?.mean;
    match (rate > 0.0, arm) {
        (true, _) => Ok(rate),
        (false, Arm::Control) => Err(Refusal::ZeroBaseline),
        (false, Arm::Treatment) => {
            Err(Refusal::out_of_range("the successes of treatment for a ratio", "above 0", 0))
        }
    }
}

/// `ln(p_t / p_c)` with the variance `1/x_t - 1/n_t + 1/x_c - 1/n_c` (Katz 1978).
///
/// The exponential of its interval is that of the ratio. Fails with few successes: each variance is that of
/// a logarithm near its mean.
///
/// # Errors
/// [`Refusal::TooLittle`] for an arm without units, [`Refusal::ZeroBaseline`] where control has no
/// success, [`Refusal::OutOfRange`] where treatment has none, [`Refusal::NoVariance`] where all
/// units of both arms succeed.
pub fn log_ratio(control: &Proportion, treatment: &Proportion) -> Result<Estimate, Refusal> {
    let c = positive_rate(control, Arm::Control)?;
    let t = positive_rate(treatment, Arm::Treatment)?;
    // 1/x - 1/n = failures/(x n), without the difference.
    let variance =
        |arm: &Proportion| (arm.n() - arm.successes()) as f64 / (arm.successes() as f64 * arm.n() as f64);
    let se = (variance(control) + variance(treatment)).sqrt();
    let estimate = Estimate::new((t / c).ln(), se, None, Method::LogRatio)?;
    Ok(estimate.with_caution(Caution::of_rates(control, treatment)?))
}

/// [`log_ratio`] with the variance under one common rate, as tea-tasting has it.
///
/// # Errors
/// Those of [`log_ratio`].
pub fn pooled_log_ratio(control: &Proportion, treatment: &Proportion) -> Result<Estimate, Refusal> {
    let c = positive_rate(control, Arm::Control)?;
    let t = positive_rate(treatment, Arm::Treatment)?;
    let (_, se, common) = pooled(control, treatment)?;
    let estimate = Estimate::new((t / c).ln(), se / common, None, Method::LogRatio)?;
    Ok(estimate.with_caution(Caution::of_rates(control, treatment)?))
}

struct Arms {
    control: f64,
    treatment: f64,
    control_x: f64,
    treatment_x: f64,
    control_n: f64,
    treatment_n: f64,
}

impl Arms {
    /// Control may have no success.
    fn new(control: &Proportion, treatment: &Proportion) -> Result<Self, Refusal> {
        Ok(Self {
            control: control.estimated(Arm::Control)?.mean,
            treatment: treatment.estimated(Arm::Treatment)?.mean,
            control_x: control.successes() as f64,
            treatment_x: treatment.successes() as f64,
            control_n: control.n() as f64,
            treatment_n: treatment.n() as f64,
        })
    }

    /// The standard error of `p_t - ratio·p_c` at the most likely rates with that ratio.
    fn se(&self, ratio: f64) -> f64 {
        let n = self.control_n + self.treatment_n;
        let a = n * ratio;
        let b = -(self.treatment_n * ratio + self.treatment_x + self.control_n + self.control_x * ratio);
        let c = self.control_x + self.treatment_x;
        // The smaller root of a p² + b p + c, in the form without cancellation.
        let root = (b * b - 4.0 * a * c).max(0.0).sqrt();
        let control = (2.0 * c / (root - b)).min(1.0);
        let treatment = (ratio * control).min(1.0);
        let variance = treatment * (1.0 - treatment) / self.treatment_n
            + ratio * ratio * control * (1.0 - control) / self.control_n;
        (variance * n / (n - 1.0)).sqrt()
    }

    fn statistic(&self, ratio: f64) -> f64 {
        let distance = self.treatment - ratio * self.control;
        if distance == 0.0 { 0.0 } else { distance / self.se(ratio) }
    }

    /// The ratio that is observed, where control has a success.
    fn ratio(&self) -> f64 {
        self.treatment / self.control
    }
}

/// The score test of "the ratio of the rates is `ratio`" (Miettinen and Nurminen 1985).
///
/// # Errors
/// [`Refusal::TooLittle`] for an arm without units, [`Refusal::ZeroBaseline`] where control has no
/// success, [`Refusal::OutOfRange`] for a ratio that is not above zero and finite,
/// [`Refusal::NoVariance`] where both rates would be certain.
pub fn ratio_score_test(
    control: &Proportion,
    treatment: &Proportion,
    ratio: f64,
    alternative: Alternative,
) -> Result<Test, Refusal> {
    let arms = Arms::new(control, treatment)?;
    positive_rate(control, Arm::Control)?;
    if !(ratio > 0.0 && ratio.is_finite()) {
        return Err(Refusal::out_of_range("a ratio of rates", "above 0", ratio));
    }
    let se = arms.se(ratio);
    if se == 0.0 {
        return Err(Refusal::NoVariance);
    }
    Test::of_statistic((arms.treatment - ratio * arms.control) / se, None, alternative, Method::RatioScore)
}

/// The interval of the ratios that [`ratio_score_test`] does not reject; its lower end is 0 where
/// treatment has no success.
///
/// # Errors
/// [`Refusal::TooLittle`] for an arm without units, [`Refusal::ZeroBaseline`] where control has no
/// success: the ratio has then no upper bound, and [`ratio_score_low`] has the lower one.
pub fn ratio_score(control: &Proportion, treatment: &Proportion, level: Level) -> Result<Interval, Refusal> {
    let arms = Arms::new(control, treatment)?;
    positive_rate(control, Arm::Control)?;
    let z = critical(None, level.alpha() / 2.0);
    let ratio = arms.ratio();
    // Outwards until a ratio is rejected: with a success in control one is, in the end.
    let mut outside = ratio.max(1.0);
    while arms.statistic(outside) > -z && outside < f64::MAX / 4.0 {
        outside *= 2.0;
    }
    let high = boundary(ratio, outside, |r| arms.statistic(r) > -z);
    Ok(Interval { low: ratio_score_low(control, treatment, level)?, high })
}

/// The lower end of [`ratio_score`], which exists also where control has no success: every ratio
/// below it is rejected. With `level` of 95 % it is a one-sided bound of 97.5 %.
///
/// # Errors
/// [`Refusal::TooLittle`] for an arm without units.
///
/// ```
/// use bellwether_stats::proportions::ratio_score_low;
/// use bellwether_stats::{Level, Proportion};
/// let [control, treatment] = [(0, 200), (4, 210)].map(|(x, n)| Proportion::new(x, n).unwrap());
/// // As statsmodels has it.
/// let low = ratio_score_low(&control, &treatment, Level::P95).unwrap();
/// assert!((low - 0.999_019).abs() < 1e-6);
/// ```
pub fn ratio_score_low(control: &Proportion, treatment: &Proportion, level: Level) -> Result<f64, Refusal> {
    let arms = Arms::new(control, treatment)?;
    if treatment.successes() == 0 {
        return Ok(0.0);
    }
    let z = critical(None, level.alpha() / 2.0);
    let mut inside = if control.successes() == 0 { 1.0 } else { arms.ratio() };
    // The statistic falls with the ratio, to 0 where nothing is observed in control.
    while arms.statistic(inside) >= z && inside < f64::MAX / 4.0 {
        inside *= 2.0;
    }
    Ok(boundary(inside, 0.0, |r| arms.statistic(r) < z))
}

//! Means by the normal approximation, and what reduces to them.

use super::{Design, SampleSize, check_sd, finite, power, units};
use crate::special::{fisher_f, normal};
use crate::{Alternative, Level, Refusal, Sides};

/// Units to tell two means apart whose difference is `effect`, from the standard deviation of one
/// unit in each arm. Two-sided, both tails are counted.
///
/// # Errors
/// [`Refusal::OutOfRange`] for a standard deviation that is not positive, [`Refusal::NoEffect`].
pub fn sample_size_of_means(
    effect: f64,
    control_sd: f64,
    treatment_sd: f64,
    design: &Design,
) -> Result<SampleSize, Refusal> {
    check_means(effect, control_sd, treatment_sd)?;
    // Standard deviation of the difference with one unit of treatment.
    let unit = treatment_sd.hypot(control_sd / design.allocation.sqrt());
    SampleSize::of_treatment((shift(design) * unit / effect).powi(2).max(1.0), design)
}

/// The probability to find a difference of means with so many units; two-sided, both tails are counted. Each arm
/// is its standard deviation of one unit, and its units.
///
/// # Errors
/// Those of [`sample_size_of_means`]; [`Refusal::OutOfRange`] without units in an arm.
pub fn power_of_means(
    effect: f64,
    (control_sd, control_units): (f64, u64),
    (treatment_sd, treatment_units): (f64, u64),
    level: Level,
    alternative: Alternative,
) -> Result<f64, Refusal> {
    check_means(effect, control_sd, treatment_sd)?;
    let (nc, nt) = units(control_units, treatment_units)?;
    let se = (control_sd / nc.sqrt()).hypot(treatment_sd / nt.sqrt());
    power(effect, se, se, level, alternative)
}

/// The smallest difference of means that an experiment with so many units sees with the power of the
/// design (whose allocation is not used), from the standard deviation of one unit in each arm.
///
/// # Errors
/// [`Refusal::OutOfRange`] for a standard deviation that is not positive, or an arm without units.
pub fn mde_of_means(
    (control_sd, control_units): (f64, u64),
    (treatment_sd, treatment_units): (f64, u64),
    design: &Design,
) -> Result<f64, Refusal> {
    check_sd(control_sd)?;
    check_sd(treatment_sd)?;
    let (nc, nt) = units(control_units, treatment_units)?;
    finite("effect", shift(design) * (control_sd / nc.sqrt()).hypot(treatment_sd / nt.sqrt()))
}

/// Standard errors from the null at which the test has its power; two-sided, both tails are counted.
pub(super) fn shift(design: &Design) -> f64 {
    let z = design.critical();
    let mut shift = z + normal::quantile(design.power);
    if design.sides == Sides::Two {
        // The other tail helps a little: Newton on Φ(shift - z) + Φ(-shift - z) = power.
        for _ in 0..20 {
            let missing = design.power - normal::cdf(shift - z) - normal::cdf(-shift - z);
            let step = missing / (normal::pdf(shift - z) - normal::pdf(shift + z));
            shift += step.clamp(-0.5, 0.5);
            if step.abs() < 1e-13 {
                break;
            }
        }
    }
    shift
}

/// The standard deviation of one unit of a ratio metric `Σy/Σx`, by the delta method: with it a ratio is
/// planned as a mean.
///
/// `y` and `x` are (mean, variance) by unit of the numerator and the denominator.
///
/// # Errors
/// [`Refusal::ZeroBaseline`] for a denominator of mean zero; [`Refusal::OutOfRange`] for a variance
/// below zero, or a covariance that these variances do not allow.
///
/// ```
/// use bellwether_stats::planning::{Design, ratio_sd, sample_size_of_means};
/// // Clicks by page view: 2 of 10 on average, over users.
/// let sd = ratio_sd((2.0, 9.0), (10.0, 100.0), 24.0).unwrap();
/// assert!((sd - 0.184).abs() < 1e-3);
/// let size = sample_size_of_means(0.01, sd, sd, &Design::default()).unwrap();
/// assert_eq!(size.rounded_up().0, 5_338);
/// ```
pub fn ratio_sd(
    (y_mean, y_variance): (f64, f64),
    (x_mean, x_variance): (f64, f64),
    covariance: f64,
) -> Result<f64, Refusal> {
    for variance in [y_variance, x_variance] {
        if !(variance >= 0.0 && variance.is_finite()) {
            return Err(Refusal::out_of_range("a variance", "at 0 or above", variance));
        }
    }
    if x_mean == 0.0 {
        return Err(Refusal::ZeroBaseline);
    }
    let largest = (y_variance * x_variance).sqrt();
    if covariance.is_nan() || covariance.abs() > largest * (1.0 + 1e-9) {
        let range = format!("within ±`{largest}`");
        return Err(Refusal::out_of_range("the covariance of these variances", &range, covariance));
    }
    let r = y_mean / x_mean;
    let variance = (y_variance - 2.0 * r * covariance + r * r * x_variance) / (x_mean * x_mean);
    if !variance.is_finite() {
        return Err(Refusal::not_finite("variance of the ratio"));
    }
    Ok(variance.max(0.0).sqrt())
}

/// The power of a one-way analysis of variance of `groups` groups with `units` units in all, against Cohen's
/// effect size `f` (the standard deviation of the group means over that of a unit).
///
/// # Errors
/// [`Refusal::OutOfRange`] for fewer than two groups, no more units than groups, an effect below zero, or so many groups
/// beside so large an effect that the noncentral F has no answer in time.
pub fn power_of_f(groups: u64, effect: f64, units: u64, level: Level) -> Result<f64, Refusal> {
    if groups < 2 {
        return Err(Refusal::out_of_range("the number of groups", "at 2 or above", groups));
    }
    if units <= groups {
        return Err(Refusal::out_of_range("the units of all groups", &format!("above `{groups}`"), units));
    }
    if !(effect >= 0.0 && effect.is_finite()) {
        return Err(Refusal::out_of_range("an effect size f", "at 0 or above", effect));
    }
    let (d1, d2) = ((groups - 1) as f64, (units - groups) as f64);
    let critical = fisher_f::upper_quantile(level.alpha(), d1, d2);
    let noncentrality = effect * effect * units as f64;
    // The sum over Poisson weights has some twenty times its root of terms.
    const MOST: f64 = 1e7;
    if noncentrality <= MOST {
        return Ok(fisher_f::noncentral_sf(critical, d1, d2, noncentrality));
    }
    // Neither is the numerator below a quarter of its mean, nor the denominator above a hundred of its own, with a
    // probability of `1e-18`.
    if noncentrality > 400.0 * critical * d1 {
        return Ok(1.0);
    }
    let range = format!("at most `{}` with these units and groups", (MOST / units as f64).sqrt());
    Err(Refusal::out_of_range("an effect size f", &range, effect))
}

fn check_means(effect: f64, control_sd: f64, treatment_sd: f64) -> Result<(), Refusal> {
    check_sd(control_sd)?;
    check_sd(treatment_sd)?;
    if !effect.is_finite() {
        return Err(Refusal::out_of_range("an effect", "among the finite numbers", effect));
    }
    if effect == 0.0 {
        return Err(Refusal::NoEffect { value: 0.0 });
    }
    Ok(())
}

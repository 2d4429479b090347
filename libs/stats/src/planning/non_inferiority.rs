//! Plans to show that a treatment is not worse than a margin. One-sided; "better" is higher, so that rates or
//! means where lower is better are turned round by the caller.
//!
//! The difference that is expected counts: a treatment that is truly a little better needs far fewer units
//! than one that is truly the same.

use super::{Design, SampleSize, check_rate, check_sd, reach};
use crate::proportions::restricted;
use crate::special::normal;
use crate::{Level, Refusal};

fn check_margin(margin: f64) -> Result<(), Refusal> {
    if margin > 0.0 && margin.is_finite() {
        return Ok(());
    }
    Err(Refusal::out_of_range("a margin", "above 0", margin))
}

/// Units to show that a rate is not lower than that of control by `margin` or more, by the score test
/// of Farrington and Manning (1990): the null variance is that of the most likely rates at the margin. The sides of
/// the design are not used: its level is one-sided.
///
/// # Errors
/// [`Refusal::OutOfRange`] for a rate outside of 0 to 1 or a margin that is not above zero,
/// [`Refusal::NoEffect`] where treatment is expected to be worse by the margin or more.
///
/// ```
/// use bellwether_stats::planning::{Design, non_inferiority};
/// use bellwether_stats::{Level, Sides};
/// let design = Design::new(Level::from_alpha(0.025).unwrap(), 0.8, Sides::One).unwrap();
/// let size = non_inferiority::sample_size_of_proportions(0.10, 0.10, 0.01, &design).unwrap();
/// assert!((size.total() - 28_289.420_559_6).abs() < 1e-6);
/// ```
pub fn sample_size_of_proportions(
    control: f64,
    treatment: f64,
    margin: f64,
    design: &Design,
) -> Result<SampleSize, Refusal> {
    let (distance, null, alternative) = score(control, treatment, margin, design.allocation)?;
    let z = -normal::quantile(design.level.alpha());
    let root = z * null + normal::quantile(design.power) * alternative;
    SampleSize::of_treatment((root.max(0.0) / distance).powi(2).max(1.0), design)
}

/// The distance from the margin, and the standard deviations of the difference with one unit of treatment
/// under the null and under the alternative.
fn score(control: f64, treatment: f64, margin: f64, k: f64) -> Result<(f64, f64, f64), Refusal> {
    check_rate(control)?;
    check_rate(treatment)?;
    check_margin(margin)?;
    if margin >= 1.0 {
        return Err(Refusal::out_of_range("a margin of rates", "above 0 and below 1", margin));
    }
    let distance = treatment - control + margin;
    if distance <= 0.0 {
        return Err(Refusal::NoEffect { value: control - margin });
    }
    let (t, c) = restricted((treatment, 1.0), (control, k), -margin);
    let sd = |t: f64, c: f64| (t * (1.0 - t) + c * (1.0 - c) / k).sqrt();
    Ok((distance, sd(t, c), sd(treatment, control)))
}

/// The probability to show that a rate is not lower by `margin` or more.
///
/// # Errors
/// Those of [`sample_size_of_proportions`]; [`Refusal::OutOfRange`] without units in an arm.
pub fn power_of_proportions(
    (control, control_units): (f64, u64),
    (treatment, treatment_units): (f64, u64),
    margin: f64,
    level: Level,
) -> Result<f64, Refusal> {
    let (nc, nt) = super::units(control_units, treatment_units)?;
    let (distance, null, alternative) = score(control, treatment, margin, nc / nt)?;
    let z = -normal::quantile(level.alpha());
    if alternative == 0.0 {
        return Ok(f64::from(u8::from(distance * nt.sqrt() > z * null)));
    }
    Ok(normal::cdf((distance * nt.sqrt() - z * null) / alternative))
}

/// The smallest margin within which so many units show a rate with the power of the design.
///
/// # Errors
/// [`Refusal::OutOfRange`] for a rate outside of 0 to 1 or an arm without units; [`Refusal::OutOfReach`]
/// where no margin below the control rate is shown.
pub fn margin_of_proportions(
    (control, control_units): (f64, u64),
    (treatment, treatment_units): (f64, u64),
    design: &Design,
) -> Result<f64, Refusal> {
    check_rate(control)?;
    check_rate(treatment)?;
    super::units(control_units, treatment_units)?;
    let least = (control - treatment).max(0.0);
    reach("margin", (least, control.max(least)), design.power, |margin| {
        let (c, t) = ((control, control_units), (treatment, treatment_units));
        power_of_proportions(c, t, margin, design.level).unwrap_or(0.0)
    })
}

/// Units to show that a mean is not lower than that of control by `margin` or more, where a difference of
/// `effect` is expected, from the standard deviation of one unit in each arm. The level is one-sided.
///
/// # Errors
/// [`Refusal::OutOfRange`] for a standard deviation or a margin that is not above zero,
/// [`Refusal::NoEffect`] where treatment is expected to be worse by the margin or more.
pub fn sample_size_of_means(
    effect: f64,
    margin: f64,
    control_sd: f64,
    treatment_sd: f64,
    design: &Design,
) -> Result<SampleSize, Refusal> {
    check_margin(margin)?;
    check_sd(control_sd)?;
    check_sd(treatment_sd)?;
    let distance = distance(effect, margin)?;
    let unit = treatment_sd.hypot(control_sd / design.allocation.sqrt());
    let shift = normal::quantile(design.power) - normal::quantile(design.level.alpha());
    SampleSize::of_treatment((shift * unit / distance).powi(2).max(1.0), design)
}

fn distance(effect: f64, margin: f64) -> Result<f64, Refusal> {
    if !effect.is_finite() {
        return Err(Refusal::out_of_range("an effect", "among the finite numbers", effect));
    }
    if effect + margin <= 0.0 {
        return Err(Refusal::NoEffect { value: -margin });
    }
    Ok(effect + margin)
}

/// The probability to show that a mean is not lower by `margin` or more.
///
/// # Errors
/// Those of [`sample_size_of_means`]; [`Refusal::OutOfRange`] without units in an arm.
pub fn power_of_means(
    effect: f64,
    margin: f64,
    (control_sd, control_units): (f64, u64),
    (treatment_sd, treatment_units): (f64, u64),
    level: Level,
) -> Result<f64, Refusal> {
    check_margin(margin)?;
    let distance = distance(effect, margin)?;
    super::power_of_means(
        distance,
        (control_sd, control_units),
        (treatment_sd, treatment_units),
        level,
        crate::Alternative::Greater,
    )
}

/// The smallest margin within which so many units show a mean with the power of the design, where a difference of
/// `effect` is expected. Zero and below says that they show it better than control.
///
/// # Errors
/// [`Refusal::OutOfRange`] for a standard deviation that is not above zero, or an arm without units.
pub fn margin_of_means(
    effect: f64,
    (control_sd, control_units): (f64, u64),
    (treatment_sd, treatment_units): (f64, u64),
    design: &Design,
) -> Result<f64, Refusal> {
    check_sd(control_sd)?;
    check_sd(treatment_sd)?;
    if !effect.is_finite() {
        return Err(Refusal::out_of_range("an effect", "among the finite numbers", effect));
    }
    let (nc, nt) = super::units(control_units, treatment_units)?;
    let shift = normal::quantile(design.power) - normal::quantile(design.level.alpha());
    super::finite("margin", shift * (control_sd / nc.sqrt()).hypot(treatment_sd / nt.sqrt()) - effect)
}

//! Counts of events: exposure to tell two Poisson rates apart, by the score test of
//! [`crate::counts::score`].

use super::{Design, SampleSize, power, reach, towards};
use crate::special::normal;
use crate::{Alternative, Direction, Level, Refusal};

fn check(rates: [f64; 2], dispersion: f64) -> Result<(), Refusal> {
    for rate in rates {
        if !(rate >= 0.0 && rate.is_finite()) {
            return Err(Refusal::out_of_range("a rate of events", "at 0 or above", rate));
        }
    }
    if !(dispersion > 0.0 && dispersion.is_finite()) {
        return Err(Refusal::out_of_range("a dispersion", "above 0", dispersion));
    }
    Ok(())
}

/// The error of the difference of two rates of events, each arm its rate and its exposure, unpooled.
pub(super) fn error(
    (control, control_exposure): (f64, f64),
    (treatment, treatment_exposure): (f64, f64),
    dispersion: f64,
) -> Result<f64, Refusal> {
    check([control, treatment], dispersion)?;
    for exposure in [control_exposure, treatment_exposure] {
        if !(exposure > 0.0 && exposure.is_finite()) {
            return Err(Refusal::out_of_range("an exposure", "above 0", exposure));
        }
    }
    let variance = dispersion * (treatment / treatment_exposure + control / control_exposure);
    if variance == 0.0 {
        return Err(Refusal::NoVariance);
    }
    super::finite("error of a rate of events", variance.sqrt())
}

/// Exposure of treatment with which both arms together expect one event: with less there is nothing whose law could be near
/// normal. Rates that are both zero have none.
pub(super) fn one_event(control: f64, treatment: f64, allocation: f64) -> f64 {
    (treatment + allocation * control).recip()
}

/// Exposure of control and of treatment to tell two rates of events apart.
///
/// `dispersion` is the variance of a count over its mean: 1 for events that come independently, more where
/// a user causes several. Measure it; the exposure is proportional to it.
///
/// # Errors
/// [`Refusal::OutOfRange`] for a rate below zero or a dispersion that is not above zero,
/// [`Refusal::NoEffect`] for equal rates.
///
/// ```
/// use bellwether_stats::planning::{Design, counts};
/// // Crashes by hour: from 0.02 to 0.025.
/// let hours = counts::exposure(0.020, 0.025, 1.0, &Design::default()).unwrap();
/// assert_eq!(hours.rounded_up(), (14_128, 14_128));
/// ```
pub fn exposure(
    control: f64,
    treatment: f64,
    dispersion: f64,
    design: &Design,
) -> Result<SampleSize, Refusal> {
    check([control, treatment], dispersion)?;
    if control == treatment {
        return Err(Refusal::NoEffect { value: control });
    }
    let k = design.allocation;
    let common = (treatment + k * control) / (1.0 + k);
    let null = (common * (1.0 + 1.0 / k)).sqrt();
    let alternative = (treatment + control / k).sqrt();
    let root = (design.critical() * null + normal::quantile(design.power) * alternative).max(0.0);
    SampleSize::of_treatment(dispersion * (root / (treatment - control)).powi(2), design)
}

/// The probability to tell two rates of events apart; each arm is its rate and its exposure. Two-sided,
/// both tails are counted.
///
/// # Errors
/// Those of [`exposure`]; [`Refusal::OutOfRange`] for an exposure that is not above zero.
pub fn power_of_rates(
    (control, control_exposure): (f64, f64),
    (treatment, treatment_exposure): (f64, f64),
    dispersion: f64,
    level: Level,
    alternative: Alternative,
) -> Result<f64, Refusal> {
    check([control, treatment], dispersion)?;
    if control == treatment {
        return Err(Refusal::NoEffect { value: control });
    }
    let (nc, nt) = (control_exposure, treatment_exposure);
    let se = error((control, nc), (treatment, nt), dispersion)?;
    let common = (nt * treatment + nc * control) / (nt + nc);
    let null = (dispersion * common * (1.0 / nt + 1.0 / nc)).sqrt();
    power(treatment - control, null, se, level, alternative)
}

/// The smallest change of a rate that so much exposure sees with the power of the design, in the direction
/// given: above zero for [`Direction::Higher`], below for [`Direction::Lower`].
///
/// # Errors
/// Those of [`power_of_rates`]; [`Refusal::OutOfReach`] where not even a rate of zero would be seen.
pub fn mde(
    control: f64,
    (control_exposure, treatment_exposure): (f64, f64),
    dispersion: f64,
    direction: Direction,
    design: &Design,
) -> Result<f64, Refusal> {
    let (sign, most) = match direction {
        Direction::Higher => (1.0, 1e18),
        Direction::Lower => (-1.0, control),
    };
    let at = |change: f64| {
        let treatment = (control + sign * change).max(0.0);
        let (c, t) = ((control, control_exposure), (treatment, treatment_exposure));
        power_of_rates(c, t, dispersion, design.level, towards(sign, design.sides))
    };
    // An error of the arguments is told, not taken for no power.
    match at(0.5 * control + 1e-3) {
        Err(refusal) if !matches!(refusal, Refusal::NoEffect { .. }) => return Err(refusal),
        _ => {}
    }
    let change = reach("effect", (0.0, most), design.power, |x| at(x).unwrap_or(0.0))?;
    Ok(sign * change)
}

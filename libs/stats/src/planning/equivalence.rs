//! Plans to show that a difference lies within `±margin`, by two one-sided tests (TOST).

use super::{Design, MOST_UNITS, SampleSize, check_rate, check_sd, counts, reach, survival, units};
use crate::special::normal;
use crate::{Level, Refusal};

/// What is expected, and within what it is to be shown.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Aim {
    effect: f64,
    margin: f64,
}

impl Aim {
    fn new(effect: f64, margin: f64) -> Result<Self, Refusal> {
        if !(margin > 0.0 && margin.is_finite()) {
            return Err(Refusal::out_of_range("a margin", "above 0", margin));
        }
        if effect.is_nan() || effect.abs() >= margin {
            let range = format!("within ±`{margin}`, or equivalence is not what is true");
            return Err(Refusal::out_of_range("the effect that is expected", &range, effect));
        }
        Ok(Self { effect, margin })
    }

    /// The probability that both tests reject.
    fn power(self, se: f64, level: Level) -> f64 {
        let z = -normal::quantile(level.alpha());
        let upper = normal::cdf((self.margin - self.effect) / se - z);
        let lower = normal::sf((self.margin + self.effect) / se - z);
        (upper - lower).max(0.0)
    }

    /// Units of treatment, from the standard deviation of the difference with one unit of it.
    fn size(self, unit: f64, design: &Design) -> Result<SampleSize, Refusal> {
        SampleSize::of_treatment(self.reached(1.0, unit, design)?, design)
    }

    /// How much of what the error shrinks with, from the error that one of it has; not less than `least`.
    fn reached(self, least: f64, unit: f64, design: &Design) -> Result<f64, Refusal> {
        let power = |n: f64| self.power(unit / n.sqrt(), design.level);
        reach("sample size", (least, MOST_UNITS), design.power, power)
    }
}

/// Units to show that two means differ by less than `margin`, where a difference of `effect` is expected.
/// The level is that of each one-sided test; the sides of the design are not used.
///
/// # Errors
/// [`Refusal::OutOfRange`] for a standard deviation or a margin that is not above zero, or an effect that
/// is not within the margin.
pub fn sample_size_of_means(
    effect: f64,
    margin: f64,
    control_sd: f64,
    treatment_sd: f64,
    design: &Design,
) -> Result<SampleSize, Refusal> {
    check_sd(control_sd)?;
    check_sd(treatment_sd)?;
    let unit = treatment_sd.hypot(control_sd / design.allocation.sqrt());
    Aim::new(effect, margin)?.size(unit, design)
}

/// The probability to show that two means differ by less than `margin`.
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
    check_sd(control_sd)?;
    check_sd(treatment_sd)?;
    let (nc, nt) = units(control_units, treatment_units)?;
    let se = (control_sd / nc.sqrt()).hypot(treatment_sd / nt.sqrt());
    Ok(Aim::new(effect, margin)?.power(se, level))
}

/// The smallest margin within which so many units show two means, with the power of the design.
///
/// # Errors
/// Those of [`power_of_means`].
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
    let (nc, nt) = units(control_units, treatment_units)?;
    let se = (control_sd / nc.sqrt()).hypot(treatment_sd / nt.sqrt());
    smallest(effect, se, design)
}

fn smallest(effect: f64, se: f64, design: &Design) -> Result<f64, Refusal> {
    // In standard errors beyond the effect.
    let beyond = reach("margin", (0.0, 1e6), design.power, |z| {
        Aim { effect, margin: effect.abs() + z * se }.power(se, design.level)
    })?;
    super::finite("margin", effect.abs() + beyond * se)
}

/// Units to show that two rates differ by less than `margin`, with the unpooled variance.
///
/// # Errors
/// [`Refusal::OutOfRange`] for a rate outside of 0 to 1, a margin that is not above zero, or rates that
/// are not within it; [`Refusal::NoVariance`] where both outcomes are certain.
pub fn sample_size_of_proportions(
    control: f64,
    treatment: f64,
    margin: f64,
    design: &Design,
) -> Result<SampleSize, Refusal> {
    check_rate(control)?;
    check_rate(treatment)?;
    let unit = (treatment * (1.0 - treatment) + control * (1.0 - control) / design.allocation).sqrt();
    let aim = Aim::new(treatment - control, margin)?;
    if unit == 0.0 { Err(Refusal::NoVariance) } else { aim.size(unit, design) }
}

/// The probability to show that two rates differ by less than `margin`.
///
/// # Errors
/// Those of [`sample_size_of_proportions`]; [`Refusal::OutOfRange`] without units in an arm.
pub fn power_of_proportions(
    (control, control_units): (f64, u64),
    (treatment, treatment_units): (f64, u64),
    margin: f64,
    level: Level,
) -> Result<f64, Refusal> {
    check_rate(control)?;
    check_rate(treatment)?;
    let (nc, nt) = units(control_units, treatment_units)?;
    let se = (treatment * (1.0 - treatment) / nt + control * (1.0 - control) / nc).sqrt();
    let aim = Aim::new(treatment - control, margin)?;
    if se == 0.0 { Err(Refusal::NoVariance) } else { Ok(aim.power(se, level)) }
}

/// The smallest margin within which so many units show two rates, with the power of the design.
///
/// # Errors
/// [`Refusal::OutOfRange`] for a rate outside of 0 to 1 or an arm without units; [`Refusal::NoVariance`] where
/// both outcomes are certain.
pub fn margin_of_proportions(
    (control, control_units): (f64, u64),
    (treatment, treatment_units): (f64, u64),
    design: &Design,
) -> Result<f64, Refusal> {
    check_rate(control)?;
    check_rate(treatment)?;
    let sd = |rate: f64| (rate * (1.0 - rate)).sqrt();
    let (nc, nt) = units(control_units, treatment_units)?;
    let se = (sd(control) / nc.sqrt()).hypot(sd(treatment) / nt.sqrt());
    if se == 0.0 {
        return Err(Refusal::NoVariance);
    }
    smallest(treatment - control, se, design)
}

/// Exposure of control and of treatment to show that two rates of events differ by less than `margin`, by the unpooled error;
/// `dispersion` as in [`counts::exposure`]. Not less than brings one event in both arms together.
///
/// # Errors
/// [`Refusal::OutOfRange`] for a rate below zero, a dispersion or a margin that is not above zero, or rates that are not
/// within it; [`Refusal::NoVariance`] where no events are expected.
pub fn exposure_of_rates(
    control: f64,
    treatment: f64,
    dispersion: f64,
    margin: f64,
    design: &Design,
) -> Result<SampleSize, Refusal> {
    let unit = counts::error((control, design.allocation), (treatment, 1.0), dispersion)?;
    let one_event = counts::one_event(control, treatment, design.allocation);
    let exposure = Aim::new(treatment - control, margin)?.reached(one_event, unit, design)?;
    SampleSize::of_treatment(exposure, design)
}

/// The probability to show that two rates of events differ by less than `margin`; each arm is its rate and its exposure.
///
/// # Errors
/// Those of [`exposure_of_rates`]; [`Refusal::OutOfRange`] for an exposure that is not above zero.
pub fn power_of_rates(
    control: (f64, f64),
    treatment: (f64, f64),
    dispersion: f64,
    margin: f64,
    level: Level,
) -> Result<f64, Refusal> {
    let se = counts::error(control, treatment, dispersion)?;
    Ok(Aim::new(treatment.0 - control.0, margin)?.power(se, level))
}

/// The smallest margin within which so much exposure shows two rates of events, with the power of the design.
///
/// # Errors
/// Those of [`power_of_rates`].
pub fn margin_of_rates(
    control: (f64, f64),
    treatment: (f64, f64),
    dispersion: f64,
    design: &Design,
) -> Result<f64, Refusal> {
    let se = counts::error(control, treatment, dispersion)?;
    smallest(treatment.0 - control.0, se, design)
}

fn hazards(ratio: f64, margin: f64) -> Result<Aim, Refusal> {
    survival::check(ratio)?;
    if !(margin > 1.0 && margin.is_finite()) {
        return Err(Refusal::out_of_range("the margin of a hazard ratio", "above 1", margin));
    }
    Aim::new(ratio.ln(), margin.ln())
}

/// Events in both arms together to show that a hazard ratio lies between `1/margin` and `margin`, by Schoenfeld's error of
/// its logarithm.
///
/// # Errors
/// [`Refusal::OutOfRange`] for a ratio that is not above zero, a margin that is not above one, or a ratio that is not within
/// it, told as its logarithm.
///
/// ```
/// use bellwether_stats::planning::{Design, equivalence};
/// let events = equivalence::events(1.0, 1.25, &Design::default()).unwrap();
/// let power = equivalence::power_of_hazards(1.0, 1.25, events, 1.0, Design::default().level()).unwrap();
/// assert!((power - 0.8).abs() < 1e-9);
/// ```
pub fn events(ratio: f64, margin: f64, design: &Design) -> Result<f64, Refusal> {
    hazards(ratio, margin)?.reached(1.0, survival::spread(design.allocation), design)
}

/// The probability to show with so many events that a hazard ratio lies between `1/margin` and `margin`.
///
/// # Errors
/// Those of [`events`]; [`Refusal::OutOfRange`] for fewer than one event or units of control for one of treatment that are not
/// above zero.
pub fn power_of_hazards(
    ratio: f64,
    margin: f64,
    events: f64,
    allocation: f64,
    level: Level,
) -> Result<f64, Refusal> {
    let se = survival::error(events, allocation)?;
    Ok(hazards(ratio, margin)?.power(se, level))
}

/// The smallest margin within which so many events show a hazard ratio, with the power of the design.
///
/// # Errors
/// [`Refusal::OutOfRange`] for a ratio that is not above zero or fewer than one event.
pub fn margin_of_hazards(ratio: f64, events: f64, design: &Design) -> Result<f64, Refusal> {
    survival::check(ratio)?;
    let ln = smallest(ratio.ln(), survival::error(events, design.allocation)?, design)?;
    super::finite("margin", ln.exp())
}

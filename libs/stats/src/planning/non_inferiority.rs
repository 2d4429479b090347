//! Plans to show that a treatment is not worse than a margin. One-sided. For proportions and means "better" is higher, so
//! that those where lower is better are turned round by the caller; counts are told which, and the margin of a hazard ratio
//! tells it by its side of one.
//!
//! The difference that is expected counts: a treatment that is truly a little better needs far fewer units
//! than one that is truly the same.

use super::{Design, SampleSize, check_rate, check_sd, counts, reach, survival};
use crate::proportions::restricted;
use crate::special::normal;
use crate::{Direction, Level, Refusal};

/// What is expected lies at the margin or beyond it.
fn beyond(what: &str, (side, margin): (&str, f64), expected: f64) -> Refusal {
    let range = format!("{side} the margin, `{margin}`, or that it is not worse is not what is true");
    Refusal::out_of_range(&format!("{what} that is expected"), &range, expected)
}

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
/// [`Refusal::OutOfRange`] for a rate outside of 0 to 1, a margin that is not above zero, or a treatment that is expected to be
/// worse by the margin or more.
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
        return Err(beyond("the rate of treatment", ("above", control - margin), treatment));
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
/// [`Refusal::OutOfRange`] for a standard deviation or a margin that is not above zero, or a treatment that is expected to be
/// worse by the margin or more.
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
    SampleSize::of_treatment((one_sided(design) * unit / distance).powi(2).max(1.0), design)
}

fn distance(effect: f64, margin: f64) -> Result<f64, Refusal> {
    if !effect.is_finite() {
        return Err(Refusal::out_of_range("an effect", "among the finite numbers", effect));
    }
    if effect + margin <= 0.0 {
        return Err(beyond("the effect", ("above", -margin), effect));
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
    super::finite(
        "margin",
        one_sided(design) * (control_sd / nc.sqrt()).hypot(treatment_sd / nt.sqrt()) - effect,
    )
}

/// How far a rate of events that is expected lies from the margin, on the side that is to be shown.
fn rates_apart(control: f64, treatment: f64, (margin, better): (f64, Direction)) -> Result<f64, Refusal> {
    check_margin(margin)?;
    let (gain, edge) = match better {
        Direction::Higher => (treatment - control, ("above", control - margin)),
        Direction::Lower => (control - treatment, ("below", control + margin)),
    };
    if gain + margin <= 0.0 {
        return Err(beyond("the rate of treatment", edge, treatment));
    }
    Ok(gain + margin)
}

/// Exposure of control and of treatment to show that a rate of events is not worse than that of control by `margin` or
/// more; worse is higher where [`Direction::Lower`] is better, as of crashes. By the difference of the rates over its
/// unpooled error `√(φ(λ_t/T_t + λ_c/T_c))`, with `dispersion` φ as in [`counts::exposure`]; not less than brings one event in both
/// arms together.
///
/// # Errors
/// [`Refusal::OutOfRange`] for a rate below zero, a dispersion or a margin that is not above zero, or a treatment that is
/// expected to be worse by the margin or more; [`Refusal::NoVariance`] where no events are expected.
///
/// ```
/// use bellwether_stats::planning::{Design, non_inferiority};
/// use bellwether_stats::{Direction, Level, Sides};
/// let design = Design::new(Level::from_alpha(0.025).unwrap(), 0.9, Sides::One).unwrap();
/// // Two crashes in a hundred hours, and no more than a fifth of one on top.
/// let hours = non_inferiority::exposure_of_rates(0.02, 0.02, 1.0, (0.002, Direction::Lower), &design).unwrap();
/// assert_eq!(hours.rounded_up(), (105_075, 105_075));
/// ```
pub fn exposure_of_rates(
    control: f64,
    treatment: f64,
    dispersion: f64,
    (margin, better): (f64, Direction),
    design: &Design,
) -> Result<SampleSize, Refusal> {
    let unit = counts::error((control, design.allocation), (treatment, 1.0), dispersion)?;
    let distance = rates_apart(control, treatment, (margin, better))?;
    let exposure = (one_sided(design) * unit / distance).powi(2);
    SampleSize::of_treatment(exposure.max(counts::one_event(control, treatment, design.allocation)), design)
}

/// The probability to show that a rate of events is not worse by `margin` or more; each arm is its rate and its exposure.
///
/// # Errors
/// Those of [`exposure_of_rates`]; [`Refusal::OutOfRange`] for an exposure that is not above zero.
pub fn power_of_rates(
    control: (f64, f64),
    treatment: (f64, f64),
    dispersion: f64,
    (margin, better): (f64, Direction),
    level: Level,
) -> Result<f64, Refusal> {
    let se = counts::error(control, treatment, dispersion)?;
    let distance = rates_apart(control.0, treatment.0, (margin, better))?;
    super::power(distance, se, se, level, crate::Alternative::Greater)
}

/// The smallest margin within which so much exposure shows a rate of events with the power of the design. Zero and below says
/// that it shows it better than control.
///
/// # Errors
/// Those of [`power_of_rates`].
pub fn margin_of_rates(
    control: (f64, f64),
    treatment: (f64, f64),
    dispersion: f64,
    better: Direction,
    design: &Design,
) -> Result<f64, Refusal> {
    let se = counts::error(control, treatment, dispersion)?;
    let gain = match better {
        Direction::Higher => treatment.0 - control.0,
        Direction::Lower => control.0 - treatment.0,
    };
    super::finite("margin", one_sided(design) * se - gain)
}

/// How far the logarithm of a hazard ratio that is expected lies from that of the margin.
fn hazards_apart(ratio: f64, margin: f64) -> Result<f64, Refusal> {
    survival::check(ratio)?;
    if !(margin > 0.0 && margin.is_finite() && margin != 1.0) {
        let range = "above 0 and not 1: above 1 where more events are worse, below 1 where they are better";
        return Err(Refusal::out_of_range("the margin of a hazard ratio", range, margin));
    }
    let distance = (margin.ln() - ratio.ln()) * (margin - 1.0).signum();
    if distance <= 0.0 {
        let side = if margin > 1.0 { "below" } else { "above" };
        return Err(beyond("the hazard ratio", (side, margin), ratio));
    }
    Ok(distance)
}

/// Events in both arms together to show that a hazard ratio, treatment over control, does not reach `margin`: stays below
/// one that is above 1, or above one that is below 1; at least one. By Schoenfeld's error `1/√(d p q)` of the log ratio, which a
/// proportional-hazards model has near a ratio of one.
///
/// # Errors
/// [`Refusal::OutOfRange`] for a ratio that is not above zero, a margin of one, a ratio that is expected to reach the margin, or one
/// so near to it that more than 10¹⁸ events are needed.
///
/// ```
/// use bellwether_stats::planning::{Design, non_inferiority};
/// use bellwether_stats::{Level, Sides};
/// let design = Design::new(Level::from_alpha(0.025).unwrap(), 0.8, Sides::One).unwrap();
/// assert_eq!(non_inferiority::events(1.0, 1.3, &design).unwrap().ceil(), 457.0);
/// ```
pub fn events(ratio: f64, margin: f64, design: &Design) -> Result<f64, Refusal> {
    let distance = hazards_apart(ratio, margin)?;
    survival::planned((one_sided(design) * survival::spread(design.allocation) / distance).powi(2))
}

/// The probability to show with so many events that a hazard ratio does not reach `margin`.
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
    super::power(hazards_apart(ratio, margin)?, se, se, level, crate::Alternative::Greater)
}

/// The margin nearest to one that so many events show a hazard ratio not to reach, with the power of the design: above the
/// ratio for [`Direction::Lower`], where fewer events are better, below it for [`Direction::Higher`]. A margin on the other
/// side of one says that they show it better than control.
///
/// # Errors
/// Those of [`power_of_hazards`].
pub fn margin_of_hazards(
    ratio: f64,
    events: f64,
    better: Direction,
    design: &Design,
) -> Result<f64, Refusal> {
    survival::check(ratio)?;
    let beyond = one_sided(design) * survival::error(events, design.allocation)?;
    let ln = match better {
        Direction::Lower => ratio.ln() + beyond,
        Direction::Higher => ratio.ln() - beyond,
    };
    super::finite("margin", ln.exp())
}

/// Standard errors from the margin at which a one-sided test has its power.
fn one_sided(design: &Design) -> f64 {
    normal::quantile(design.power) - normal::quantile(design.level.alpha())
}

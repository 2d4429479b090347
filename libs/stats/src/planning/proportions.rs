//! Rates of yes-or-no metrics.

use super::{Design, SampleSize, check_rate, critical, power, reach, sides_of, towards, units};
use crate::special::normal;
use crate::{Alternative, Direction, Level, Refusal};

/// Units to tell two rates apart.
///
/// Two-sided, the closed formula leaves out the other tail, as R and statsmodels do: the power is
/// higher by less than `1e-5` at the usual designs. [`power_of_proportions`] counts it.
///
/// # Errors
/// [`Refusal::OutOfRange`] for a rate outside of 0 to 1, [`Refusal::NoEffect`] for equal rates.
///
/// ```
/// use bellwether_stats::planning::{Design, sample_size_of_proportions};
/// let size = sample_size_of_proportions(0.10, 0.11, &Design::default()).unwrap();
/// assert_eq!(size.rounded_up(), (14_751, 14_751));
/// ```
pub fn sample_size_of_proportions(
    control: f64,
    treatment: f64,
    design: &Design,
) -> Result<SampleSize, Refusal> {
    let effect = effect_of_rates(control, treatment)?;
    let k = design.allocation;
    let pooled = (treatment + k * control) / (1.0 + k);
    let null = (pooled * (1.0 - pooled) * (1.0 + 1.0 / k)).sqrt();
    let alternative = (treatment * (1.0 - treatment) + control * (1.0 - control) / k).sqrt();
    let root = design.critical() * null + normal::quantile(design.power) * alternative;
    // With certain outcomes and a low power no unit would do; one in each arm is the least.
    SampleSize::of_treatment((root.max(0.0) / effect).powi(2).max(1.0), design)
}

/// The probability to find the difference of two rates with so many units; two-sided, both tails are counted.
///
/// # Errors
/// Those of [`sample_size_of_proportions`]; [`Refusal::OutOfRange`] without units in an arm.
pub fn power_of_proportions(
    (control, control_units): (f64, u64),
    (treatment, treatment_units): (f64, u64),
    level: Level,
    alternative: Alternative,
) -> Result<f64, Refusal> {
    let effect = effect_of_rates(control, treatment)?;
    let (nc, nt) = units(control_units, treatment_units)?;
    let pooled = (nt * treatment + nc * control) / (nt + nc);
    let null = (pooled * (1.0 - pooled) * (1.0 / nt + 1.0 / nc)).sqrt();
    let se = (treatment * (1.0 - treatment) / nt + control * (1.0 - control) / nc).sqrt();
    if se == 0.0 {
        // Both outcomes are certain: the difference is the effect itself, every time.
        let shown = match alternative {
            Alternative::Greater => effect,
            Alternative::Less => -effect,
            Alternative::TwoSided => effect.abs(),
        };
        return Ok(f64::from(u8::from(shown > critical(level, sides_of(alternative)) * null)));
    }
    power(effect, null, se, level, alternative)
}

/// The smallest change of a rate that an experiment with so many units of control and of treatment sees
/// with the power of the design (whose allocation is not used), in the direction given: above zero for
/// [`Direction::Higher`], below for [`Direction::Lower`].
///
/// # Errors
/// [`Refusal::OutOfRange`] for a rate outside of 0 to 1 or an arm without units; [`Refusal::OutOfReach`]
/// where not even the largest change of that rate would be seen.
///
/// ```
/// use bellwether_stats::Direction;
/// use bellwether_stats::planning::{Design, mde_of_proportions};
/// let mde = mde_of_proportions(0.10, (14_751, 14_751), Direction::Higher, &Design::default()).unwrap();
/// assert!((mde - 0.01).abs() < 1e-5);
/// ```
pub fn mde_of_proportions(
    control: f64,
    (control_units, treatment_units): (u64, u64),
    direction: Direction,
    design: &Design,
) -> Result<f64, Refusal> {
    check_rate(control)?;
    units(control_units, treatment_units)?;
    let (sign, most) = match direction {
        Direction::Higher => (1.0, 1.0 - control),
        Direction::Lower => (-1.0, control),
    };
    let power = |change: f64| {
        // Rounding must not carry the rate past its end.
        let rate = (control + sign * change).clamp(0.0, 1.0);
        let (c, t) = ((control, control_units), (rate, treatment_units));
        power_of_proportions(c, t, design.level, towards(sign, design.sides)).unwrap_or(0.0)
    };
    Ok(sign * reach("effect", (0.0, most), design.power, power)?)
}

/// Cohen's effect size `h`: the difference of `2 arcsin √p`, whose variance hardly depends on the rate.
///
/// # Errors
/// [`Refusal::OutOfRange`] for a rate outside of 0 to 1.
pub fn arcsine_effect(control: f64, treatment: f64) -> Result<f64, Refusal> {
    check_rate(control)?;
    check_rate(treatment)?;
    Ok(2.0 * treatment.sqrt().asin() - 2.0 * control.sqrt().asin())
}

fn effect_of_rates(control: f64, treatment: f64) -> Result<f64, Refusal> {
    check_rate(control)?;
    check_rate(treatment)?;
    if control == treatment {
        return Err(Refusal::NoEffect { value: control });
    }
    Ok(treatment - control)
}

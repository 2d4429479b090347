//! Planning a fixed-horizon experiment: how many units it needs, and what it can see.
//!
//! Normal approximation. For proportions the null variance is pooled and the alternative is not (R's
//! `power.prop.test`, statsmodels): the same test that [`crate::two_proportions`] makes.

use crate::special::normal;
use crate::{Level, Refusal, Sides};
use serde::{Deserialize, Serialize};

/// What a plan asks of its test.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "StoredDesign", into = "StoredDesign")]
pub struct Design {
    level: Level,
    power: f64,
    sides: Sides,
    allocation: f64,
}

#[derive(Serialize, Deserialize)]
struct StoredDesign {
    level: Level,
    power: f64,
    sides: Sides,
    allocation: f64,
}

impl TryFrom<StoredDesign> for Design {
    type Error = Refusal;
    fn try_from(stored: StoredDesign) -> Result<Self, Refusal> {
        Self::new(stored.level, stored.power, stored.sides)?.with_allocation(stored.allocation)
    }
}

impl From<Design> for StoredDesign {
    fn from(design: Design) -> Self {
        Self { level: design.level, power: design.power, sides: design.sides, allocation: design.allocation }
    }
}

impl Design {
    /// A test of the level given that sees the effect with a probability of `power`, with arms of
    /// the same size. `power` lies above the error rate and below 1.
    pub fn new(level: Level, power: f64, sides: Sides) -> Result<Self, Refusal> {
        if !(power > level.alpha() && power < 1.0) {
            return Err(Refusal::out_of_range("the power of a test", "between its error rate and 1", power));
        }
        Ok(Self { level, power, sides, allocation: 1.0 })
    }

    /// With `control_per_treatment` units of control for one of treatment.
    pub fn with_allocation(self, control_per_treatment: f64) -> Result<Self, Refusal> {
        if !(control_per_treatment > 0.0 && control_per_treatment.is_finite()) {
            return Err(Refusal::out_of_range(
                "units of control for one of treatment",
                "above 0",
                control_per_treatment,
            ));
        }
        Ok(Self { allocation: control_per_treatment, ..self })
    }

    /// The critical value of the test.
    fn critical(&self) -> f64 {
        critical(self.level, self.sides)
    }
}

impl Default for Design {
    /// 95 %, two sides, power 80 %, arms of the same size.
    fn default() -> Self {
        Self { level: Level::P95, power: 0.8, sides: Sides::Two, allocation: 1.0 }
    }
}

fn critical(level: Level, sides: Sides) -> f64 {
    -normal::quantile(match sides {
        Sides::One => level.alpha(),
        Sides::Two => level.alpha() / 2.0,
    })
}

/// Units that a plan needs, not rounded.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SampleSize {
    /// Units of control.
    pub control: f64,
    /// Units of treatment.
    pub treatment: f64,
}

impl SampleSize {
    /// Whole units of control and of treatment.
    pub fn rounded_up(&self) -> (u64, u64) {
        // The cast saturates; a plan of 2^64 units is as impossible as a larger one.
        (self.control.ceil() as u64, self.treatment.ceil() as u64)
    }

    fn of_treatment(treatment: f64, design: &Design) -> Result<Self, Refusal> {
        if !treatment.is_finite() {
            return Err(Refusal::not_finite("sample size"));
        }
        Ok(Self { control: treatment * design.allocation, treatment })
    }
}

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

/// The probability to find the difference of two rates with so many units, both tails counted.
///
/// # Errors
/// Those of [`sample_size_of_proportions`]; [`Refusal::OutOfRange`] without units in an arm.
pub fn power_of_proportions(
    (control, control_units): (f64, u64),
    (treatment, treatment_units): (f64, u64),
    level: Level,
    sides: Sides,
) -> Result<f64, Refusal> {
    let effect = effect_of_rates(control, treatment)?.abs();
    let (nc, nt) = units(control_units, treatment_units)?;
    let pooled = (nt * treatment + nc * control) / (nt + nc);
    let null = (pooled * (1.0 - pooled) * (1.0 / nt + 1.0 / nc)).sqrt();
    let alternative = (treatment * (1.0 - treatment) / nt + control * (1.0 - control) / nc).sqrt();
    if alternative == 0.0 {
        // Both outcomes are certain: the difference is the effect itself, every time.
        return Ok(f64::from(u8::from(effect > critical(level, sides) * null)));
    }
    Ok(power(effect, null, alternative, level, sides))
}

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
    SampleSize::of_treatment((shift * unit / effect).powi(2).max(1.0), design)
}

/// The probability to find a difference of means with so many units, both tails counted. Each arm
/// is its standard deviation of one unit, and its units.
///
/// # Errors
/// Those of [`sample_size_of_means`]; [`Refusal::OutOfRange`] without units in an arm.
pub fn power_of_means(
    effect: f64,
    (control_sd, control_units): (f64, u64),
    (treatment_sd, treatment_units): (f64, u64),
    level: Level,
    sides: Sides,
) -> Result<f64, Refusal> {
    check_means(effect, control_sd, treatment_sd)?;
    let (nc, nt) = units(control_units, treatment_units)?;
    let se = (control_sd / nc.sqrt()).hypot(treatment_sd / nt.sqrt());
    Ok(power(effect.abs(), se, se, level, sides))
}

/// P(|estimate| > critical·null) where the estimate is normal around a positive effect.
fn power(effect: f64, null_se: f64, se: f64, level: Level, sides: Sides) -> f64 {
    let reach = critical(level, sides) * null_se;
    let near = normal::cdf((effect - reach) / se);
    match sides {
        Sides::One => near,
        Sides::Two => near + normal::sf((effect + reach) / se),
    }
}

fn units(control: u64, treatment: u64) -> Result<(f64, f64), Refusal> {
    if control == 0 || treatment == 0 {
        return Err(Refusal::out_of_range("units of an arm", "above 0", 0));
    }
    Ok((control as f64, treatment as f64))
}

fn effect_of_rates(control: f64, treatment: f64) -> Result<f64, Refusal> {
    for rate in [control, treatment] {
        if !(0.0..=1.0).contains(&rate) {
            return Err(Refusal::out_of_range("a rate", "from 0 to 1", rate));
        }
    }
    if control == treatment {
        return Err(Refusal::NoEffect { value: control });
    }
    Ok(treatment - control)
}

fn check_means(effect: f64, control_sd: f64, treatment_sd: f64) -> Result<(), Refusal> {
    for sd in [control_sd, treatment_sd] {
        if !(sd > 0.0 && sd.is_finite()) {
            return Err(Refusal::out_of_range("a standard deviation", "above 0", sd));
        }
    }
    if !effect.is_finite() {
        return Err(Refusal::out_of_range("an effect", "among the finite numbers", effect));
    }
    if effect == 0.0 {
        return Err(Refusal::NoEffect { value: 0.0 });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use proptest::prelude::*;

    fn design() -> impl Strategy<Value = Design> {
        let sides = prop_oneof![Just(Sides::One), Just(Sides::Two)];
        (0.001..0.2f64, 0.5..0.99f64, sides, 0.1..10.0f64).prop_map(|(alpha, power, sides, k)| {
            let level = Level::from_alpha(alpha).unwrap();
            Design::new(level, power, sides).unwrap().with_allocation(k).unwrap()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        /// The planned size has the planned power, and a smaller one has not.
        #[test]
        fn sizes_of_means_have_their_power(design in design(), effect in 0.001..0.1f64, sd in 0.5..2.0f64) {
            let size = sample_size_of_means(effect, sd, 1.0, &design).unwrap();
            let (nc, nt) = size.rounded_up();
            let at = |nc, nt| power_of_means(effect, (sd, nc), (1.0, nt), design.level, design.sides).unwrap();
            prop_assert!(at(nc, nt) >= design.power - 1e-12);
            prop_assert!(at(nc - 2, nt - 2) < design.power);
        }

        #[test]
        fn sizes_of_rates_have_their_power(design in design(), rate in 0.02..0.9f64, effect in 0.005..0.05f64) {
            let size = sample_size_of_proportions(rate, rate + effect, &design).unwrap();
            let (nc, nt) = size.rounded_up();
            let got = power_of_proportions((rate, nc), (rate + effect, nt), design.level, design.sides).unwrap();
            // Rounding both arms up moves the split a little; the far tail only adds.
            prop_assert!(got >= design.power - 1e-3 && got <= design.power + 0.1, "{got}");
        }
    }

    #[test]
    fn impossible_plans_are_refused() {
        let check =
            |c: f64, t: f64| sample_size_of_proportions(c, t, &Design::default()).unwrap_err().to_string();
        assert_eq!(check(1.2, 0.5), "a rate must lie from 0 to 1: `1.2`");
        assert_eq!(check(0.5, 0.5), "a plan needs an effect to look for: both arms expect `0.5`");
        assert!(Design::new(Level::P95, 1.0, Sides::Two).is_err());
        assert!(Design::default().with_allocation(0.0).is_err());
        assert!(sample_size_of_means(f64::NAN, 1.0, 1.0, &Design::default()).is_err());
        assert!(power_of_proportions((0.1, 0), (0.2, 5), Level::P95, Sides::Two).is_err());
    }
}

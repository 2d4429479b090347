//! Planning a fixed-horizon experiment: the units it needs, the power it has, and the smallest effect it
//! can see, each from the other two.
//!
//! - rates: [`sample_size_of_proportions`], [`power_of_proportions`], [`mde_of_proportions`];
//! - means by the normal approximation: [`sample_size_of_means`], [`power_of_means`], [`mde_of_means`];
//!   exactly, for few units: [`student`]; ratio metrics: means of [`ratio_sd`];
//! - [`counts`] of events, [`survival`] times, several [`variants`], analysis of variance ([`power_of_f`]);
//! - not worse than a margin, and equal within margins: [`non_inferiority`], [`equivalence`];
//! - what makes an experiment larger or smaller by a factor, and how long it takes: [`factors`].
//!
//! A power is that of a test with its side: [`Alternative::Greater`] hardly ever finds a decrease. A size, or a
//! smallest effect, of a one-sided [`Design`] is that of the test on the side of its effect.
//!
//! Normal approximation, where nothing else is said. For proportions the null variance is pooled and the
//! alternative is not (R's `power.prop.test`, statsmodels): the same test that
//! [`crate::two_proportions`] makes. A plan is as good as the rate and the spread that it is given: take them from
//! history, of the same length as the experiment.

pub mod counts;
pub mod equivalence;
pub mod factors;
mod means;
pub mod non_inferiority;
mod proportions;
pub mod student;
pub mod survival;
#[cfg(test)]
mod tests;
pub mod variants;

pub use means::{mde_of_means, power_of_f, power_of_means, ratio_sd, sample_size_of_means};
pub use proportions::{arcsine_effect, mde_of_proportions, power_of_proportions, sample_size_of_proportions};

use crate::special::normal;
use crate::{Alternative, Level, Refusal, Sides};
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

    /// The level of its test.
    pub fn level(&self) -> Level {
        self.level
    }

    /// Its power.
    pub fn power(&self) -> f64 {
        self.power
    }

    /// Its sides.
    pub fn sides(&self) -> Sides {
        self.sides
    }

    /// Units of control for one of treatment.
    pub fn allocation(&self) -> f64 {
        self.allocation
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
    -normal::quantile(critical_tail(level, sides))
}

/// The probability of the tail beyond a critical value.
fn critical_tail(level: Level, sides: Sides) -> f64 {
    match sides {
        Sides::One => level.alpha(),
        Sides::Two => level.alpha() / 2.0,
    }
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
    /// Units of both arms.
    pub fn total(&self) -> f64 {
        self.control + self.treatment
    }

    /// Whole units of control and of treatment.
    pub fn rounded_up(&self) -> (u64, u64) {
        // A plan has at most 1e18 units: no cast saturates.
        (self.control.ceil() as u64, self.treatment.ceil() as u64)
    }

    fn of_treatment(treatment: f64, design: &Design) -> Result<Self, Refusal> {
        let control = treatment * design.allocation;
        if treatment.max(control) <= MOST_UNITS {
            return Ok(Self { control, treatment });
        }
        let range = format!("at or below `{MOST_UNITS:e}` in each arm");
        Err(Refusal::out_of_range("the sample size of a plan", &range, treatment.max(control)))
    }
}

/// The sides of an alternative.
fn sides_of(alternative: Alternative) -> Sides {
    match alternative {
        Alternative::TwoSided => Sides::Two,
        Alternative::Greater | Alternative::Less => Sides::One,
    }
}

/// What a plan with these sides tests for: one-sided, the side of the effect that it is made for.
fn towards(effect: f64, sides: Sides) -> Alternative {
    match sides {
        Sides::Two => Alternative::TwoSided,
        Sides::One if effect < 0.0 => Alternative::Less,
        Sides::One => Alternative::Greater,
    }
}

/// The probability that an estimate, normal around the effect, is beyond critical·null on the side of the
/// alternative.
fn power(effect: f64, null_se: f64, se: f64, level: Level, alternative: Alternative) -> Result<f64, Refusal> {
    let reach = critical(level, sides_of(alternative)) * null_se;
    let above = || normal::cdf((effect - reach) / se);
    let below = || normal::sf((effect + reach) / se);
    let power = match alternative {
        Alternative::Greater => above(),
        Alternative::Less => below(),
        Alternative::TwoSided => above() + below(),
    };
    // Errors that overflow or vanish, both of them, say nothing.
    if power.is_finite() { Ok(power) } else { Err(Refusal::not_finite("power")) }
}

fn units(control: u64, treatment: u64) -> Result<(f64, f64), Refusal> {
    if control == 0 || treatment == 0 {
        return Err(Refusal::out_of_range("units of an arm", "above 0", 0));
    }
    Ok((control as f64, treatment as f64))
}

fn check_sd(sd: f64) -> Result<(), Refusal> {
    if sd > 0.0 && sd.is_finite() {
        return Ok(());
    }
    Err(Refusal::out_of_range("a standard deviation", "above 0", sd))
}

fn check_rate(rate: f64) -> Result<(), Refusal> {
    if (0.0..=1.0).contains(&rate) {
        return Ok(());
    }
    Err(Refusal::out_of_range("a rate", "from 0 to 1", rate))
}

/// What a plan answers, unless it overflows.
fn finite(what: &str, value: f64) -> Result<f64, Refusal> {
    if value.is_finite() { Ok(value) } else { Err(Refusal::not_finite(what)) }
}

/// No experiment has more units.
const MOST_UNITS: f64 = 1e18;

/// The least value from `low` on at which a rising function reaches `target`, to the last digits.
///
/// # Errors
/// [`Refusal::OutOfReach`] where it does not up to `high`.
fn reach(what: &str, (low, high): (f64, f64), target: f64, f: impl Fn(f64) -> f64) -> Result<f64, Refusal> {
    if f(low) >= target {
        return Ok(low);
    }
    // Outwards in doubling steps, then by halves.
    let (mut below, mut above) = (low, low);
    let mut step = low.abs().max(1e-12);
    loop {
        above = (above + step).min(high);
        step *= 2.0;
        if f(above) >= target {
            break;
        }
        if above >= high {
            let (what, power) = (what.to_owned(), f(high));
            return Err(Refusal::OutOfReach { what, most: high, power, wanted: target });
        }
        below = above;
    }
    for _ in 0..200 {
        let middle = 0.5 * (below + above);
        if middle <= below || middle >= above {
            break;
        }
        if f(middle) >= target { above = middle } else { below = middle }
    }
    Ok(above)
}

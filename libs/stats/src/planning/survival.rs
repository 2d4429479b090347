//! Time to an event: how many events a log-rank test needs, and how many units bring them.
//!
//! What counts is the number of events, not of units. The effect is a hazard ratio, taken to be the same at
//! all times; where curves cross, a log-rank test sees little and these plans are wrong.

use super::{Design, MOST_UNITS, means::shift, reach, towards};
use crate::{Alternative, Direction, Level, Refusal};
use serde::{Deserialize, Serialize};

/// Whose approximation of the log-rank statistic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Approximation {
    /// Schoenfeld (1981): mean `√(d p q) ln HR`. Good near a hazard ratio of one.
    #[default]
    Schoenfeld,
    /// Freedman (1982): mean `√(d k)(HR - 1)/(k HR + 1)...`, which needs more events for a large effect; the better one
    /// for arms of the same size.
    Freedman,
}

/// The mean of the log-rank statistic over `√events`.
fn drift(ratio: f64, allocation: f64, by: Approximation) -> f64 {
    // Shares of control and of treatment.
    let (c, t) = (allocation / (1.0 + allocation), 1.0 / (1.0 + allocation));
    match by {
        Approximation::Schoenfeld => (c * t).sqrt() * ratio.ln(),
        // With φ units of treatment for one of control: √φ (1 - HR)/(1 + φ HR).
        Approximation::Freedman => {
            let phi = 1.0 / allocation;
            phi.sqrt() * (ratio - 1.0) / (1.0 + phi * ratio)
        }
    }
}

pub(super) fn check(ratio: f64) -> Result<(), Refusal> {
    if ratio > 0.0 && ratio.is_finite() {
        return Ok(());
    }
    Err(Refusal::out_of_range("a hazard ratio", "above 0", ratio))
}

/// The error of the logarithm of a hazard ratio with one event in both arms together: `1/√(p q)`, by Schoenfeld.
pub(super) fn spread(allocation: f64) -> f64 {
    (1.0 + allocation) / allocation.sqrt()
}

/// The same with so many events.
pub(super) fn error(events: f64, allocation: f64) -> Result<f64, Refusal> {
    if !(events >= 1.0 && events.is_finite()) {
        return Err(Refusal::out_of_range("the number of events", "at 1 or above", events));
    }
    Design::default().with_allocation(allocation)?;
    Ok(spread(allocation) / events.sqrt())
}

/// The events of a plan: no log-rank test is made of less than one, and no experiment has more than 10¹⁸.
pub(super) fn planned(events: f64) -> Result<f64, Refusal> {
    if events <= MOST_UNITS {
        return Ok(events.max(1.0));
    }
    Err(Refusal::out_of_range("the events of a plan", &format!("at or below `{MOST_UNITS:e}`"), events))
}

/// Events in both arms together to find a hazard ratio, treatment over control; at least one.
///
/// # Errors
/// [`Refusal::OutOfRange`] for a ratio that is not above zero, or so near to one that it needs more than 10¹⁸ events;
/// [`Refusal::NoEffect`] for a ratio of one.
///
/// ```
/// use bellwether_stats::planning::Design;
/// use bellwether_stats::planning::survival::{Approximation, events};
/// let design = Design::default();
/// assert_eq!(events(0.5, &design, Approximation::Schoenfeld).unwrap().ceil(), 66.0);
/// assert_eq!(events(0.5, &design, Approximation::Freedman).unwrap().ceil(), 71.0);
/// ```
pub fn events(ratio: f64, design: &Design, by: Approximation) -> Result<f64, Refusal> {
    check(ratio)?;
    if ratio == 1.0 {
        return Err(Refusal::NoEffect { value: ratio });
    }
    planned((shift(design) / drift(ratio, design.allocation, by)).powi(2))
}

/// The probability to find a hazard ratio with so many events in both arms together. Two-sided, both
/// tails are counted; [`Alternative::Greater`] is a ratio above one.
///
/// # Errors
/// [`Refusal::OutOfRange`] for a ratio that is not above zero, or fewer than one event.
pub fn power(
    ratio: f64,
    events: f64,
    allocation: f64,
    (level, alternative): (Level, Alternative),
    by: Approximation,
) -> Result<f64, Refusal> {
    check(ratio)?;
    error(events, allocation)?;
    let mean = drift(ratio, allocation, by) * events.sqrt();
    super::power(mean, 1.0, 1.0, level, alternative)
}

/// The hazard ratio nearest to one that so many events find with the power of the design: above one for
/// [`Direction::Higher`], below for [`Direction::Lower`].
///
/// # Errors
/// [`Refusal::OutOfRange`] for fewer than one event; [`Refusal::OutOfReach`] where no ratio is found, as
/// with few events by Freedman's approximation.
pub fn mde(events: f64, direction: Direction, design: &Design, by: Approximation) -> Result<f64, Refusal> {
    let sign = match direction {
        Direction::Higher => 1.0,
        Direction::Lower => -1.0,
    };
    let test = (design.level, towards(sign, design.sides));
    power(1.0, events, design.allocation, test, by)?;
    let ln = reach("effect", (0.0, 700.0), design.power, |ln| {
        power((sign * ln).exp(), events, design.allocation, test, by).unwrap_or(0.0)
    })?;
    Ok((sign * ln).exp())
}

/// Units of both arms that bring so many events, from the share of units in each arm that will have one
/// within its time.
///
/// # Errors
/// [`Refusal::OutOfRange`] for shares outside of 0 to 1, or both zero.
pub fn units(events: f64, (control, treatment): (f64, f64), design: &Design) -> Result<f64, Refusal> {
    if !(events >= 0.0 && events.is_finite()) {
        return Err(Refusal::out_of_range("a number of events", "at 0 or above", events));
    }
    super::check_rate(control)?;
    super::check_rate(treatment)?;
    let k = design.allocation;
    let share = (k * control + treatment) / (1.0 + k);
    if share == 0.0 {
        return Err(Refusal::out_of_range("the share of units with an event", "above 0", share));
    }
    super::finite("number of units", events / share)
}

/// The probability that a unit which came at a random moment of `accrual` and is followed until `follow_up`
/// after its end has its event, for a constant hazard and losses at a constant rate, all by the same unit of
/// time.
///
/// # Errors
/// [`Refusal::OutOfRange`] for a time or a rate below zero, or a hazard of zero; [`Refusal::NotFinite`] where hazard and losses
/// overflow together.
pub fn event_share(hazard: f64, loss: f64, accrual: f64, follow_up: f64) -> Result<f64, Refusal> {
    if !(hazard > 0.0 && hazard.is_finite()) {
        return Err(Refusal::out_of_range("a hazard", "above 0", hazard));
    }
    for (what, value) in
        [("a rate of losses", loss), ("an accrual time", accrual), ("a follow-up time", follow_up)]
    {
        if !(value >= 0.0 && value.is_finite()) {
            return Err(Refusal::out_of_range(what, "at 0 or above", value));
        }
    }
    let rate = super::finite("rate of leaving", hazard + loss)?;
    // The mean of e^(-rate·time) over the times from follow_up to follow_up + accrual.
    let spread = if rate * accrual < 1e-12 { 1.0 } else { -(-rate * accrual).exp_m1() / (rate * accrual) };
    Ok(hazard / rate * (1.0 - (-rate * follow_up).exp() * spread))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn each_from_the_other_two() {
        let design = Design::default().with_allocation(2.0).unwrap();
        for by in [Approximation::Schoenfeld, Approximation::Freedman] {
            for (ratio, direction) in [(0.7, Direction::Lower), (1.3, Direction::Higher)] {
                let events = events(ratio, &design, by).unwrap();
                let got = power(ratio, events, 2.0, (design.level, towards(ratio - 1.0, design.sides)), by)
                    .unwrap();
                assert!((got - 0.8).abs() < 1e-9, "{got}");
                assert!((mde(events, direction, &design, by).unwrap() - ratio).abs() < 1e-9);
            }
        }
        // A few events find nothing by Freedman's approximation, whose drift is bounded.
        assert!(mde(2.0, Direction::Lower, &Design::default(), Approximation::Freedman).is_err());
        assert!(events(1.0, &design, Approximation::Freedman).is_err());
        assert!(events(-1.0, &design, Approximation::Freedman).is_err());
    }

    /// Against a sum over arrival times.
    #[test]
    fn event_shares_are_means_over_arrivals() {
        let (hazard, loss, accrual, follow) = (0.3, 0.1, 2.0, 1.0);
        let n = 100_000;
        let mean: f64 = (0..n)
            .map(|i| {
                let time = follow + accrual * (f64::from(i) + 0.5) / f64::from(n);
                hazard / (hazard + loss) * (1.0 - (-(hazard + loss) * time).exp())
            })
            .sum::<f64>()
            / f64::from(n);
        assert!((event_share(hazard, loss, accrual, follow).unwrap() - mean).abs() < 1e-9);
    }
}

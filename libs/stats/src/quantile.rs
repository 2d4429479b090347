//! Quantiles and their errors: latency at the 95th percentile is a metric too.

use crate::joint::same_length;
use crate::means::degrees;
use crate::special::normal;
use crate::{Caution, Estimate, Method, Refusal, adjust};
use std::collections::BTreeMap;

/// What a quantile is where it falls between two values (Hyndman and Fan 1996).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Definition {
    /// Type 7: linear between order statistics. R's, numpy's and Excel's default.
    Linear,
    /// Type 1: the smallest value that at least the share of all values is not above.
    InverseEcdf,
}

/// The quantile of unordered values at a share between 0 and 1, both included.
///
/// Selects in linear time; the values are copied.
///
/// # Errors
/// [`Refusal::TooFew`] without values, [`Refusal::OutOfRange`] for a share outside or a value that is not finite.
///
/// ```
/// use bellwether_stats::quantile::{Definition, quantile};
/// assert_eq!(quantile(&[4.0, 1.0, 2.0, 3.0], 0.5, Definition::Linear).unwrap(), 2.5);
/// assert_eq!(quantile(&[4.0, 1.0, 2.0, 3.0], 0.5, Definition::InverseEcdf).unwrap(), 2.0);
/// ```
pub fn quantile(values: &[f64], share: f64, definition: Definition) -> Result<f64, Refusal> {
    check(values, share)?;
    let mut values = values.to_vec();
    let (low, part) = position(values.len(), share, definition);
    let (_, &mut at_low, above) = values.select_nth_unstable_by(low, f64::total_cmp);
    if part == 0.0 {
        return Ok(at_low);
    }
    let next = above.iter().copied().fold(f64::INFINITY, f64::min);
    Ok(between(at_low, next, part))
}

/// The same of values in ascending order; NaN without values.
pub(crate) fn of_sorted(sorted: &[f64], share: f64, definition: Definition) -> f64 {
    let (low, part) = position(sorted.len(), share, definition);
    let at = |place: usize| sorted.get(place).or(sorted.last()).copied().unwrap_or(f64::NAN);
    if part == 0.0 { at(low) } else { between(at(low), at(low + 1), part) }
}

/// The point so far on the way from one value to the next, also where their distance overflows.
fn between(from: f64, to: f64, part: f64) -> f64 {
    let distance = to - from;
    if distance.is_finite() { from + part * distance } else { from * (1.0 - part) + to * part }
}

/// The place of an order statistic, from 0, and how far beyond it the quantile lies.
fn position(n: usize, share: f64, definition: Definition) -> (usize, f64) {
    let last = n.saturating_sub(1);
    // A share like 0.07·100 comes out as 7.000000000000001: it means the seventh.
    let snapped =
        |x: f64| if (x - x.round()).abs() <= 4.0 * f64::EPSILON * x.abs().max(1.0) { x.round() } else { x };
    match definition {
        Definition::Linear => {
            let place = snapped(last as f64 * share);
            ((place.floor() as usize).min(last), place - place.floor())
        }
        Definition::InverseEcdf => {
            let place = snapped(n as f64 * share).ceil();
            ((place as usize).saturating_sub(1).min(last), 0.0)
        }
    }
}

fn check(values: &[f64], share: f64) -> Result<(), Refusal> {
    if !(0.0..=1.0).contains(&share) {
        return Err(Refusal::out_of_range("a share of a quantile", "between 0 and 1", share));
    }
    if values.is_empty() {
        return Err(Refusal::too_few("values", 0, 1));
    }
    if let Some(wrong) = values.iter().find(|value| !value.is_finite()) {
        return Err(Refusal::out_of_range("a value of a metric", "among the finite numbers", wrong));
    }
    Ok(())
}

/// A quantile of one arm, with the order statistics that tell its error.
///
/// The distance of the order statistics at `ν ± z √(ν(1-ν)/n)` is `2 z` standard errors (Deng, Knoblich and Lu
/// 2018; Yao et al. 2024): no density is estimated. Assumes a density at the quantile: where many units share one
/// value there, as in counts or rounded times, upper and lower end coincide and the error is refused or too small.
///
/// The variance is that squared distance over `(2z)²`, times `(n-1)/n`: GrowthBook's factor, kept so that the numbers are the same. It
/// makes the error smaller by a share of `1/(2n)`, half a percent with 100 values; no published source asks for it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QuantileArm {
    value: f64,
    variance: f64,
    /// What is independent: values, or as many units of like size as those are worth that have several. At least 2.
    units: f64,
    clustered: bool,
}

/// How many standard errors the order statistics are from the quantile: those of a 95 % interval.
fn reach() -> f64 {
    -normal::quantile(0.025)
}

impl QuantileArm {
    /// From a count, the quantile, and the order statistics at the ends of its 95 % interval, as a database
    /// gives them.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] where the ends are not in order, [`Refusal::TooFew`] below two values,
    /// [`Refusal::NotFinite`] where the distance of the ends has no finite square.
    pub fn from_ends(n: u64, value: f64, lower: f64, upper: f64) -> Result<Self, Refusal> {
        if n < 2 {
            return Err(Refusal::too_few("values", n, 2));
        }
        if !(lower <= value && value <= upper && lower.is_finite() && upper.is_finite()) {
            return Err(Refusal::out_of_range("a quantile", "between the ends of its interval", value));
        }
        let se = (upper - lower) / (2.0 * reach());
        // As GrowthBook: the variance of n values that are divided by n again.
        let variance = se * se * (n - 1) as f64 / n as f64;
        if !variance.is_finite() {
            return Err(Refusal::not_finite("variance of a quantile"));
        }
        Ok(Self { value, variance, units: n as f64, clustered: false })
    }

    /// Of the values of units that are independent of each other.
    ///
    /// # Errors
    /// [`Refusal::TooFew`] unless both order statistics exist: more than `z²ν/(1-ν)` and `z²(1-ν)/ν` values;
    /// [`Refusal::OutOfRange`] for a share of 0 or 1; otherwise as [`quantile`].
    pub fn of(values: &[f64], share: f64) -> Result<Self, Refusal> {
        Self::with_inflation(values, share, 1.0)
    }

    /// Of the values of events whose units have many each: `units` names the unit of each value. The variance
    /// is multiplied by that of the share below the quantile, clustered by unit, over that of independent events.
    ///
    /// The variance of the share is that of a jackknife which leaves out one unit at a time (CV3: MacKinnon, Nielsen and Webb 2023),
    /// `(C - 1)/C Σ (Σ(below - share)/(n - nᵢ))²` over `C` units of `nᵢ` of the `n` events. Where they have as many each it is the delta
    /// method's; a unit with a large part of the events pulls the share towards itself and would hide its own distance there. The degrees of freedom are one less than the units are worth, `n²/Σnᵢ²`, however many events
    /// they have (Donner and Klar 2000 for means of like clusters). Worth fewer than 20: [`compare`] says so with a
    /// [`Caution::FewClusters`].
    ///
    /// # Errors
    /// As [`QuantileArm::of`], and [`Refusal::TooFew`] below two units, or where one has so many of the events that they are worth less than
    /// two of like size.
    pub fn of_clustered(values: &[f64], units: &[u64], share: f64) -> Result<Self, Refusal> {
        same_length("units", units.len(), "values", values.len())?;
        let value = quantile(values, share, Definition::Linear)?;
        let mut by_unit: BTreeMap<u64, (f64, f64)> = BTreeMap::new();
        for (unit, event) in units.iter().zip(values) {
            let (below, events) = by_unit.entry(*unit).or_default();
            *below += f64::from(u8::from(*event <= value));
            *events += 1.0;
        }
        if by_unit.len() < 2 {
            return Err(Refusal::too_few("units", by_unit.len() as u64, 2));
        }
        let n = values.len() as f64;
        // It is the units that differ by chance: the error is known as well as they are many.
        let worth = n * n / by_unit.values().map(|(_, events)| events * events).sum::<f64>();
        // A whole number may come out a little below itself.
        if worth < 2.0 - 1e-9 {
            return Err(Refusal::too_few("units of like size, as those of an arm are worth", 1, 2));
        }
        let not_above = by_unit.values().map(|(below, _)| below).sum::<f64>() / n;
        let off = |(below, events): &(f64, f64)| ((below - not_above * events) / (n - events)).powi(2);
        let c = by_unit.len() as f64;
        let clustered = (c - 1.0) / c * by_unit.values().map(off).sum::<f64>();
        let arm = Self::with_inflation(values, share, clustered / (share * (1.0 - share) / n))?;
        Ok(Self { units: worth, clustered: true, ..arm })
    }

    fn with_inflation(values: &[f64], share: f64, inflation: f64) -> Result<Self, Refusal> {
        if !(share > 0.0 && share < 1.0) {
            let what = "the share of a quantile with an error";
            return Err(Refusal::out_of_range(what, "between 0 and 1, both excluded", share));
        }
        check(values, share)?;
        let (n, z) = (values.len() as f64, reach());
        let odds = share / (1.0 - share);
        let need = z * z * odds.max(1.0 / odds);
        if n <= need {
            // The cast saturates for a share within 1e-19 of an end.
            let need = (need.ceil() as u64).saturating_add(1);
            return Err(Refusal::too_few("values", values.len() as u64, need));
        }
        let mut sorted = values.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let half = z * (share * (1.0 - share) / n).sqrt();
        let end = |share: f64| of_sorted(&sorted, share.clamp(0.0, 1.0), Definition::Linear);
        let value = end(share);
        let plain = Self::from_ends(values.len() as u64, value, end(share - half), end(share + half))?;
        let variance = plain.variance * inflation;
        if !variance.is_finite() {
            return Err(Refusal::not_finite("variance of a quantile"));
        }
        Ok(Self { variance, ..plain })
    }

    /// The quantile.
    pub fn value(&self) -> f64 {
        self.value
    }

    /// Its standard error.
    pub fn se(&self) -> f64 {
        self.variance.sqrt()
    }
}

/// The difference of a quantile between two arms, and its lift by the delta method; Welch's degrees of freedom, by the values of
/// an arm or, where they are clustered, by what its units are worth.
///
/// # Errors
/// [`Refusal::NoVariance`] where the ends of both arms coincide, [`Refusal::NotFinite`].
pub fn compare(control: &QuantileArm, treatment: &QuantileArm) -> Result<adjust::Effect, Refusal> {
    let (c, t) = (control.variance, treatment.variance);
    if c + t == 0.0 {
        return Err(Refusal::NoVariance);
    }
    let df = degrees([(c, control.units), (t, treatment.units)].into_iter());
    let value = treatment.value - control.value;
    let method = Method::QuantileOrderStatistics;
    let share = treatment.value / control.value;
    let size = control.value.abs();
    let lift = if size == 0.0 {
        Err(Refusal::ZeroBaseline)
    } else {
        Estimate::new(value / size, (t + share * share * c).sqrt() / size, Some(df), method)
    };
    let effect = adjust::Effect { difference: Estimate::new(value, (c + t).sqrt(), Some(df), method)?, lift };
    let worth = |arm: &QuantileArm| if arm.clustered { arm.units } else { f64::INFINITY };
    Ok(effect.with_caution(Caution::of_worth_in_arms(worth(control), worth(treatment))))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        /// Against the definitions, by sorting.
        #[test]
        fn selection_is_sorting(mut values in proptest::collection::vec(-9.0..9.0f64, 1..60), share in 0.0..=1.0f64) {
            let linear = quantile(&values, share, Definition::Linear).unwrap();
            let inverse = quantile(&values, share, Definition::InverseEcdf).unwrap();
            values.sort_by(f64::total_cmp);
            prop_assert_eq!(linear, of_sorted(&values, share, Definition::Linear));
            let place = (values.len() - 1) as f64 * share;
            let (low, high) = (values[place.floor() as usize], values[place.ceil() as usize]);
            prop_assert!((low + place.fract() * (high - low) - linear).abs() < 1e-9);
            let not_above = |value: f64| values.iter().filter(|v| **v <= value).count() as f64;
            prop_assert!(not_above(inverse) >= values.len() as f64 * share - 1e-9);
            let before = values.iter().rev().find(|v| **v < inverse);
            prop_assert!(before.is_none_or(|v| not_above(*v) < values.len() as f64 * share + 1e-9));
        }

        /// The k-th of n values is the quantile at k/n, whatever k/n is rounded to.
        #[test]
        fn rounding_skips_no_value(n in 1..400usize, k in 1..400usize) {
            let k = k.min(n);
            let values: Vec<f64> = (1..=n).map(|i| i as f64).collect();
            let at = |share| quantile(&values, share, Definition::InverseEcdf).unwrap();
            prop_assert_eq!(at(k as f64 / n as f64), k as f64);
            prop_assert_eq!(at(k as f64 * (1.0 / n as f64)), k as f64);
        }
    }

    #[test]
    fn what_has_no_quantile_is_refused() {
        let message = |refusal: Refusal| refusal.to_string();
        assert_eq!(
            message(quantile(&[], 0.5, Definition::Linear).unwrap_err()),
            "too little data: `0` values, this method needs `1`"
        );
        assert_eq!(
            message(quantile(&[1.0], 1.5, Definition::Linear).unwrap_err()),
            "a share of a quantile must lie between 0 and 1: `1.5`"
        );
        assert!(quantile(&[f64::NAN], 0.5, Definition::Linear).is_err());
        let values: Vec<f64> = (0..70).map(f64::from).collect();
        // 3.84·0.95/0.05 = 72.99.
        assert_eq!(
            message(QuantileArm::of(&values, 0.95).unwrap_err()),
            "too little data: `70` values, this method needs `74`"
        );
        assert!(QuantileArm::of(&values, 1.0).is_err() && QuantileArm::of(&values, 0.0).is_err());
        assert!(QuantileArm::of_clustered(&values, &[3; 70], 0.5).is_err());
        let same = QuantileArm::of(&[2.0; 70], 0.5).unwrap();
        assert_eq!(compare(&same, &same), Err(Refusal::NoVariance));
        assert!(QuantileArm::from_ends(9, 3.0, 4.0, 5.0).is_err());
    }
}

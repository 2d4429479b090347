//! Dunnett's comparisons of several arms with one control.

use crate::Level;
use crate::quadrature::Rule;
use crate::root::bracketed;
use crate::special::normal;
use crate::{Refusal, Sides};

/// The standard errors that a comparison must exceed so that *any* of them errs with exactly the level, where all
/// share one control (Dunnett 1955), for many units. `units` are those of control and of the others, or their
/// shares.
///
/// Given the mean of control the comparisons are independent, so that the probability that none exceeds is
/// one integral over it; the trapezoid rule is exact to rounding. For few units t would be wider.
///
/// # Errors
/// [`Refusal::TooFew`] below two arms, [`Refusal::OutOfRange`] for units that are not above zero.
///
/// ```
/// use bellwether_stats::multiplicity::dunnett_critical;
/// use bellwether_stats::{Level, Sides};
/// // Dunnett's table for infinite degrees of freedom: 2.21 for two treatments, 2.35 for three.
/// let two = dunnett_critical(&[1.0, 1.0, 1.0], Level::P95, Sides::Two).unwrap();
/// let three = dunnett_critical(&[1.0; 4], Level::P95, Sides::Two).unwrap();
/// assert!((two - 2.212).abs() < 1e-3 && (three - 2.349).abs() < 1e-3);
/// ```
pub fn dunnett_critical(units: &[f64], level: Level, sides: Sides) -> Result<f64, Refusal> {
    let loadings = loadings(units)?;
    let ln_target = level.alpha().ln();
    // The logarithm falls smoothly, so that few steps are needed; each integrates over all arms.
    bracketed("Dunnett's critical value", 0.0, 40.0, |z| exceeds(z, &loadings, sides).ln() - ln_target)
}

/// Dunnett's adjusted p-values of the comparisons with control, from their z statistics in the order of the
/// arms after control. `units` are those of control and of the others.
///
/// # Errors
/// Those of [`dunnett_critical`]; [`Refusal::ArmsDiffer`] for another number of statistics than arms
/// after control, [`Refusal::OutOfRange`] for one that is not finite.
pub fn dunnett(z: &[f64], units: &[f64], sides: Sides) -> Result<Vec<f64>, Refusal> {
    let loadings = loadings(units)?;
    if z.len() != loadings.len() {
        return Err(Refusal::ArmsDiffer { counts: z.len(), shares: loadings.len() });
    }
    if let Some(bad) = z.iter().find(|z| !z.is_finite()) {
        return Err(Refusal::out_of_range("a z statistic", "among the finite numbers", bad));
    }
    Ok(z.iter()
        .map(|&z| {
            let reach = match sides {
                Sides::One => z,
                Sides::Two => z.abs(),
            };
            exceeds(reach, &loadings, sides).clamp(f64::MIN_POSITIVE, 1.0)
        })
        .collect())
}

/// For each comparison `√(n/(n + n_control))`: the weight of control in it.
fn loadings(units: &[f64]) -> Result<Vec<f64>, Refusal> {
    if let Some(bad) = units.iter().find(|n| !(**n > 0.0 && n.is_finite())) {
        return Err(Refusal::out_of_range("the units of an arm", "above 0", bad));
    }
    match units.split_first() {
        Some((control, others)) if !others.is_empty() => {
            Ok(others.iter().map(|n| (n / (n + control)).sqrt()).collect())
        }
        _ => Err(Refusal::too_few("arms", units.len() as u64, 2)),
    }
}

/// The probability that any comparison exceeds `c`: the complement is taken inside of the integral, so
/// that a small one keeps its digits.
fn exceeds(c: f64, loadings: &[f64], sides: Sides) -> f64 {
    // Where the mean of control alone carries a comparison past `c`, and ten standard deviations on.
    let least = loadings.iter().copied().fold(1.0, f64::min);
    let reach = (c / least + 10.0).min(39.0);
    // Cut at every unit, and around the steps, one by loading: they are as steep as control is small.
    let mut distinct = loadings.to_vec();
    distinct.sort_by(f64::total_cmp);
    distinct.dedup();
    let steps = distinct.iter().flat_map(|&l| {
        let own = ((1.0 - l) * (1.0 + l)).sqrt();
        [-9.0, -6.0, -4.0, -2.0, -1.0, 0.0, 1.0, 2.0, 4.0, 6.0, 9.0].map(|k| (c + k * own) / l)
    });
    let mut cuts: Vec<f64> =
        (0..40).map(f64::from).chain(steps).filter(|x| (0.0..reach).contains(x)).collect();
    cuts.push(reach);
    cuts.sort_by(f64::total_cmp);
    cuts.dedup();
    let rule = Rule::new(20);
    let points = cuts.windows(2).flat_map(|ends| match ends {
        [low, high] => rule.over(*low, *high, 1).flat_map(|(x, w)| [(x, w), (-x, w)]).collect(),
        _ => Vec::new(),
    });
    points
        .map(|(x, weight)| {
            // ln of the probability that none exceeds, given control.
            let ln_none: f64 = loadings
                .iter()
                .map(|&l| {
                    // Not zero: control of no weight at all makes a step.
                    let own = ((1.0 - l) * (1.0 + l)).sqrt().max(f64::MIN_POSITIVE);
                    let above = normal::sf((c - l * x) / own);
                    let below = match sides {
                        Sides::One => 0.0,
                        Sides::Two => normal::cdf((-c - l * x) / own),
                    };
                    (-(above + below).min(1.0)).ln_1p()
                })
                .sum();
            weight * normal::pdf(x) * -ln_none.exp_m1()
        })
        .sum()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn one_comparison_is_a_z_test() {
        for z in [0.5, 2.0, 6.0, 30.0] {
            let p = dunnett(&[z], &[3.0, 1.0], Sides::Two).unwrap()[0];
            let expected = 2.0 * normal::sf(z);
            assert!((p / expected - 1.0).abs() < 1e-9, "{z}: {p:e} {expected:e}");
        }
        let critical = dunnett_critical(&[1.0, 5.0], Level::P95, Sides::One).unwrap();
        assert!((critical + normal::quantile(0.05)).abs() < 1e-10, "{critical}");
    }

    /// Between no correction and Bonferroni; a large control makes the comparisons independent (Šidák).
    #[test]
    fn it_lies_between_its_limits() {
        let z = |tail: f64| -normal::quantile(tail);
        let equal = dunnett_critical(&[1.0; 5], Level::P95, Sides::Two).unwrap();
        assert!(z(0.025) < equal && equal < z(0.025 / 4.0));
        let independent = dunnett_critical(&[1e12, 1.0, 1.0, 1.0, 1.0], Level::P95, Sides::Two).unwrap();
        assert!((independent - z(0.5 * (1.0 - 0.95f64.powf(0.25)))).abs() < 1e-5);
        let shared = dunnett_critical(&[1e-9, 1.0, 1.0, 1.0], Level::P95, Sides::Two).unwrap();
        assert!((shared - z(0.025)).abs() < 1e-2, "{shared}");
        let steep = dunnett_critical(&[1e-300, 1.0, 1.0, 2.0], Level::P95, Sides::Two).unwrap();
        assert!((steep - z(0.025)).abs() < 1e-9, "{steep}");
        assert!(dunnett_critical(&[1.0], Level::P95, Sides::Two).is_err());
        assert!(dunnett_critical(&[1.0, 0.0], Level::P95, Sides::Two).is_err());
        assert!(dunnett(&[1.0, 2.0], &[1.0, 1.0], Sides::Two).is_err());
        assert!(dunnett(&[f64::NAN], &[1.0, 1.0], Sides::Two).is_err());
    }
}

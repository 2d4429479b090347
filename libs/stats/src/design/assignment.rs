//! Assignments that are balanced by design.

use crate::joint::same_length;
use crate::linear::{Cholesky, Matrix, independent, inner};
use crate::random::Random;
use crate::special::chi_squared;
use crate::{JointMoments, Refusal};
use std::collections::BTreeMap;

/// Complete randomisation: exactly `treated` of `units`, every choice as likely.
///
/// # Errors
/// [`Refusal::OutOfRange`] for more treated than units, and above 100 million units.
pub fn complete(units: usize, treated: usize, seed: u64) -> Result<Vec<bool>, Refusal> {
    super::few_units("the units of an assignment", units)?;
    if treated > units {
        return Err(Refusal::out_of_range(
            "a number of treated units",
            &format!("at most `{units}`"),
            treated,
        ));
    }
    let mut arms: Vec<bool> = (0..units).map(|unit| unit < treated).collect();
    Random::new(seed, 0).shuffle(&mut arms);
    Ok(arms)
}

/// Half of each stratum, in random order; the odd unit of a stratum by a coin of its own.
///
/// Analyse with [`post_stratify`](crate::adjust::post_stratify), or by [`randomisation`](super::randomisation) with this as
/// the mechanism. New accounts, of whom there are few, are then in both arms alike.
///
/// ```
/// use bellwether_stats::design::assignment::stratified;
/// let arms = stratified(&["new", "old", "new", "old", "old", "old"], 7);
/// assert_eq!([&arms[0], &arms[2]].iter().filter(|arm| ***arm).count(), 1);
/// assert_eq!(arms.iter().filter(|arm| **arm).count(), 3);
/// ```
pub fn stratified<K: Ord>(strata: &[K], seed: u64) -> Vec<bool> {
    let mut members: BTreeMap<&K, Vec<usize>> = BTreeMap::new();
    for (unit, stratum) in strata.iter().enumerate() {
        members.entry(stratum).or_default().push(unit);
    }
    let mut arms = vec![false; strata.len()];
    for (number, mut members) in members.into_values().enumerate() {
        let mut random = Random::new(seed, number as u64);
        random.shuffle(&mut members);
        let treated = members.len() / 2 + usize::from(members.len() % 2 == 1 && random.coin());
        for unit in members.into_iter().take(treated) {
            if let Some(arm) = arms.get_mut(unit) {
                *arm = true;
            }
        }
    }
    arms
}

/// An assignment whose covariates are balanced, and what it took.
#[derive(Debug, Clone, PartialEq)]
pub struct Balanced {
    /// The arm of each unit.
    pub treated: Vec<bool>,
    /// Mahalanobis distance of the arms' covariate means.
    pub distance: f64,
    /// Assignments that were drawn.
    pub drawn: u64,
}

/// Values of covariates that are read until, on average, a draw is accepted: some ten seconds.
const MOST_READ: f64 = 1e10;

/// One in a million assignments.
const LEAST_ACCEPTANCE: f64 = 1e-6;

/// Re-randomisation (Morgan and Rubin 2012): half of the units are treated, drawn again until the Mahalanobis distance of
/// the arms' covariate means is among the smallest `acceptance` of all assignments (by χ² with a degree of freedom for
/// each covariate that is independent of those before it).
///
/// The usual standard errors are then too large: test by [`randomisation`](super::randomisation) with this function, and the same
/// acceptance, as the mechanism, or adjust for the covariates by [`regression::lin`](crate::regression::lin).
///
/// # Errors
/// [`Refusal::OutOfRange`] for an acceptance outside of (0, 1], or so small that the draws until one is accepted would be without
/// end: below a millionth, or below the values of covariates over 10¹⁰; also where no draw of a bounded number is balanced (few
/// units: the χ² does not hold). [`Refusal::LengthsDiffer`], [`Refusal::TooFew`] below 4 units or without a covariate that varies,
/// [`Refusal::NotFinite`].
pub fn rerandomised(covariates: &[&[f64]], acceptance: f64, seed: u64) -> Result<Balanced, Refusal> {
    const WHAT: &str = "a share of accepted assignments";
    if !(acceptance > 0.0 && acceptance <= 1.0) {
        return Err(Refusal::out_of_range(WHAT, "above 0 and at most 1", acceptance));
    }
    let units = covariates.first().map_or(0, |covariate| covariate.len());
    for covariate in covariates {
        same_length("values of a covariate", covariate.len(), "units", units)?;
    }
    if units < 4 {
        return Err(Refusal::too_few("units", units as u64, 4));
    }
    // A draw reads them all.
    let values = units as f64 * covariates.len() as f64;
    let least = (values / MOST_READ).max(LEAST_ACCEPTANCE);
    if acceptance < least {
        let range = format!("at or above `{least:e}` for `{values}` values of covariates");
        return Err(Refusal::out_of_range(WHAT, &range, acceptance));
    }
    let joint = JointMoments::of(covariates)?;
    let products = Matrix::of(covariates.len(), |i, j| joint.cross_of(i, j));
    let kept = independent(&products);
    let Some(root) = Cholesky::of(&products.select(&kept)).filter(|_| !kept.is_empty()) else {
        return Err(Refusal::too_few("covariates that vary", 0, 1));
    };
    let columns: Vec<&&[f64]> = kept.iter().filter_map(|&at| covariates.get(at)).collect();
    let (n, treated) = (units as f64, units / 2);
    let (of_treated, of_control) = (treated as f64, n - treated as f64);
    // M = d' Cov(d)⁻¹ d, with Cov(d) = S/(n - 1) · n/(n_t n_c).
    let scale = (n - 1.0) * of_treated * of_control / n;
    let threshold = chi_squared::quantile(acceptance, kept.len() as f64);
    // A thousand times as many as are expected; ten times, where that would be without end.
    let most = (1_000.0 / acceptance).min((10.0 * MOST_READ / values).max(10.0 / acceptance)) as u64;
    for drawn in 1..=most {
        let arms = complete(units, treated, seed.wrapping_add(drawn.wrapping_mul(0x9e37_79b9)))?;
        let difference: Vec<f64> = columns
            .iter()
            .map(|column| {
                let (mut t, mut c) = (0.0, 0.0);
                for (value, &arm) in column.iter().zip(&arms) {
                    *(if arm { &mut t } else { &mut c }) += value;
                }
                t / of_treated - c / of_control
            })
            .collect();
        let distance = scale * inner(&difference, &root.solve(&difference));
        if distance <= threshold || acceptance == 1.0 {
            return Ok(Balanced { treated: arms, distance, drawn });
        }
    }
    Err(Refusal::out_of_range(WHAT, &format!("where one of `{most}` draws is balanced"), acceptance))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn covariates() -> [Vec<f64>; 3] {
        let x: Vec<f64> = (0..80).map(|i| f64::from((i * 37) % 41)).collect();
        let y: Vec<f64> = (0..80).map(|i| f64::from((i * i) % 17)).collect();
        let both = x.iter().zip(&y).map(|(x, y)| x + y).collect();
        [x, y, both]
    }

    #[test]
    fn accepted_assignments_are_balanced_and_as_rare_as_asked() {
        let [x, y, both] = covariates();
        let (mut drawn, mut distance) = (0, 0.0f64);
        for seed in 0..60 {
            let ours = rerandomised(&[&x, &y, &both], 0.05, seed).unwrap();
            assert_eq!(ours.treated.iter().filter(|arm| **arm).count(), 40);
            drawn += ours.drawn;
            distance = distance.max(ours.distance);
        }
        // 20 each are expected; χ² with 2 degrees of freedom has its 5 % point at 0.1026 (the third covariate says nothing new).
        assert!((700..1_900).contains(&drawn), "{drawn}");
        assert!(distance <= 0.102_6, "{distance}");
        assert_eq!(rerandomised(&[&x], 1.0, 3).unwrap().drawn, 1);
    }

    #[test]
    fn strata_are_halved_and_odd_units_are_tossed() {
        let strata: Vec<u32> = (0..101).map(|i| i % 4).collect();
        let mut odd = 0;
        for seed in 0..200 {
            let arms = stratified(&strata, seed);
            for stratum in 0..4 {
                let own: Vec<bool> =
                    arms.iter().zip(&strata).filter(|(_, s)| **s == stratum).map(|(a, _)| *a).collect();
                let treated = own.iter().filter(|arm| **arm).count();
                assert!(treated == own.len() / 2 || treated == own.len().div_ceil(2));
                odd += usize::from(own.len() % 2 == 1 && treated > own.len() / 2);
            }
        }
        // Three strata have an odd unit: 600 tosses.
        assert!((240..360).contains(&odd), "{odd}");
        assert_ne!(stratified(&strata, 1), stratified(&strata, 2));
    }

    #[test]
    fn what_cannot_be_balanced_is_refused() {
        assert!(rerandomised(&[&[1.0; 9]], 0.1, 1).is_err());
        assert!(rerandomised(&[], 0.1, 1).is_err());
        assert!(rerandomised(&[&[1.0, 2.0, 3.0, 4.0]], 0.0, 1).is_err());
        assert!(rerandomised(&[&[1.0, 2.0, f64::NAN, 4.0]], 0.5, 1).is_err());
        // Six assignments, none of them within so little.
        assert!(matches!(rerandomised(&[&[0.0, 1.0, 5.0, 70.0]], 1e-4, 1), Err(Refusal::OutOfRange { .. })));
        assert_eq!(
            complete(3, 4, 1).unwrap_err().to_string(),
            "a number of treated units must lie at most `3`: `4`"
        );
    }
}

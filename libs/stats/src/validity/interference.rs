//! Hints of interference: the treatment of some reaches others.

use crate::{Estimate, Method, Moments, Refusal};
use serde::{Deserialize, Serialize};

/// Units of *control* that lived beside the same share of treated units: a market, a team, a stage of a ramp.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// Share of their surroundings that was treated, from 0 to 1.
    pub treated_share: f64,
    /// Their values.
    pub control: Moments,
}

/// The change of control's mean from surroundings without to surroundings full of treatment: the slope of the cells' means on the
/// treated share, by least squares with each cell weighted by its precision.
///
/// A slope other than zero says that control is not what it would be without the experiment: buyers of one arm take the
/// stock of the other, senders reach receivers. The shares must come from assignment (markets that were ramped at random), or cells
/// differ for other reasons. Cells of few units understate the error.
///
/// # Errors
/// [`Refusal::TooFew`] below two cells, [`Refusal::OutOfRange`] for a share outside of 0 to 1,
/// [`Refusal::TooLittle`] for a cell of fewer than two units, [`Refusal::NoVariance`] where a cell is constant or all
/// shares are the same.
///
/// ```
/// use bellwether_stats::validity::{Cell, spillover};
/// use bellwether_stats::{Alternative, Moments};
/// let cell = |treated_share, mean| Cell { treated_share, control: Moments::new(1_000, mean, 1_000.0).unwrap() };
/// let slope = spillover(&[cell(0.1, 5.0), cell(0.3, 4.8), cell(0.5, 4.6)]).unwrap();
/// assert!((slope.value() + 1.0).abs() < 1e-9);
/// assert!(slope.test(0.0, Alternative::TwoSided).unwrap().p < 1e-9);
/// ```
pub fn spillover(cells: &[Cell]) -> Result<Estimate, Refusal> {
    if cells.len() < 2 {
        return Err(Refusal::too_few("cells", cells.len() as u64, 2));
    }
    let mut weighted = Vec::with_capacity(cells.len());
    for cell in cells {
        if !(0.0..=1.0).contains(&cell.treated_share) {
            return Err(Refusal::out_of_range("a share of treated units", "from 0 to 1", cell.treated_share));
        }
        let control = crate::means::mean_of(&cell.control, crate::Arm::Control)?;
        if control.variance == 0.0 {
            return Err(Refusal::NoVariance);
        }
        weighted.push((cell.treated_share, control.mean, control.variance.recip()));
    }
    let total: f64 = weighted.iter().map(|(_, _, w)| w).sum();
    let centre = weighted.iter().map(|(x, _, w)| w * x).sum::<f64>() / total;
    let squares: f64 = weighted.iter().map(|(x, _, w)| w * (x - centre) * (x - centre)).sum();
    if squares <= 0.0 {
        return Err(Refusal::NoVariance);
    }
    let products: f64 = weighted.iter().map(|(x, y, w)| w * (x - centre) * y).sum();
    Estimate::new(products / squares, squares.sqrt().recip(), None, Method::Spillover)
}

/// The difference between the effect where whole clusters were assigned and that where single units were, in
/// an experiment that ran both designs side by side (Saveski et al. 2017): zero where units do not reach each
/// other. Its error must be that of two independent estimates.
///
/// # Errors
/// Those of [`Estimate::new`].
pub fn disagreement(of_units: &Estimate, of_clusters: &Estimate) -> Result<Estimate, Refusal> {
    Estimate::new(
        of_clusters.value() - of_units.value(),
        of_clusters.se().hypot(of_units.se()),
        None,
        Method::Spillover,
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::{Alternative, Variances, difference};
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        /// Two cells, none and all: a plain difference of means.
        #[test]
        fn two_cells_are_a_z_test(n in 5..500u64, m in 5..500u64, a in -3.0..3.0f64, b in -3.0..3.0f64) {
            let (none, all) = (Moments::new(n, a, n as f64).unwrap(), Moments::new(m, b, 3.0 * m as f64).unwrap());
            let slope = spillover(&[Cell { treated_share: 0.0, control: none }, Cell { treated_share: 1.0, control: all }]).unwrap();
            let plain = difference(&none, &all, Variances::Unequal).unwrap();
            prop_assert!((slope.value() - plain.value()).abs() < 1e-9);
            prop_assert!((slope.se() / plain.se() - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn designs_that_disagree_are_found() {
        let estimate = |value: f64| Estimate::new(value, 0.3, None, Method::WelchT).unwrap();
        let p = |a: f64, b: f64| {
            disagreement(&estimate(a), &estimate(b)).unwrap().test(0.0, Alternative::TwoSided).unwrap().p
        };
        assert!(p(1.0, 1.1) > 0.5 && p(1.0, 2.5) < 0.001);
    }

    #[test]
    fn what_has_no_slope_is_refused() {
        let cell =
            |treated_share, values: &[f64]| Cell { treated_share, control: Moments::of(values).unwrap() };
        assert!(spillover(&[cell(0.1, &[1.0, 2.0])]).is_err());
        assert_eq!(spillover(&[cell(0.1, &[1.0, 2.0]), cell(0.1, &[1.0, 3.0])]), Err(Refusal::NoVariance));
        assert_eq!(spillover(&[cell(0.1, &[1.0, 2.0]), cell(0.2, &[1.0, 1.0])]), Err(Refusal::NoVariance));
        assert!(spillover(&[cell(0.1, &[1.0, 2.0]), cell(1.2, &[1.0, 3.0])]).is_err());
        assert!(spillover(&[cell(0.1, &[1.0, 2.0]), cell(0.2, &[1.0])]).is_err());
    }
}

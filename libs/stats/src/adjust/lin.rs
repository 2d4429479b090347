//! Lin's estimator: a slope for each arm.

use super::cuped::{Slope, enough_units, slope};
use crate::linear::{Cholesky, Matrix, inner};
use crate::{Estimate, JointMoments, Method, Refusal};

/// Lin (2013) from moments: a slope for each arm, taken at the covariates' means over both arms.
///
/// Columns as for [`cuped`](super::cuped). The same estimate as [`regression::lin`](crate::regression::lin), which sees units and gives HC2
/// errors; here the residuals of an arm are taken to have one variance: `s²(1/n + d'S⁻¹d)` with `n - 1 - k` in s²,
/// `d` the distance of the arm's covariate means from the common ones. Never less precise than no adjustment in large samples, also where arms
/// differ in size or slope.
///
/// # Errors
/// As [`cuped`](super::cuped).
pub fn lin(control: &JointMoments, treatment: &JointMoments) -> Result<Estimate, Refusal> {
    let joint = control.merge(treatment)?;
    let (c, t) = (own_slope(control, &joint), own_slope(treatment, &joint));
    enough_units(control, treatment, c.kept.max(t.kept))?;
    let (value, variance) = (t.mean - c.mean, c.variance + t.variance);
    let df = variance * variance / (c.variance * c.variance / c.df + t.variance * t.variance / t.df);
    Estimate::new(value, variance.sqrt(), Some(df), Method::Lin)
}

struct OwnSlope {
    mean: f64,
    variance: f64,
    df: f64,
    kept: usize,
}

fn own_slope(arm: &JointMoments, joint: &JointMoments) -> OwnSlope {
    let Slope { theta, kept, dropped } = slope(arm);
    let distance: Vec<f64> =
        (1..arm.columns()).map(|column| arm.mean_or_zero(column) - joint.mean_or_zero(column)).collect();
    let explained: f64 = theta.iter().enumerate().map(|(at, theta)| theta * arm.cross_of(0, at + 1)).sum();
    let df = arm.n() as f64 - 1.0 - kept as f64;
    let residual = (arm.cross_of(0, 0) - explained).max(0.0) / df;
    let used: Vec<usize> = (0..theta.len()).filter(|at| !dropped.contains(at)).collect();
    let of_used: Vec<f64> = used.iter().filter_map(|&at| distance.get(at).copied()).collect();
    let products = Matrix::of(theta.len(), |i, j| arm.cross_of(i + 1, j + 1)).select(&used);
    let leverage = Cholesky::of(&products).map_or(0.0, |root| inner(&of_used, &root.solve(&of_used)));
    OwnSlope {
        mean: arm.mean_or_zero(0) - inner(&theta, &distance),
        variance: residual * (1.0 / arm.n() as f64 + leverage),
        df,
        kept,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::regression;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        /// From moments and from rows the same estimate; the errors differ by how they take the variance.
        #[test]
        fn lin_from_moments_is_lin_from_rows(
            rows in proptest::collection::vec((any::<bool>(), -3.0..3.0f64, -3.0..3.0f64, -1.0..1.0f64), 120..240)
        ) {
            let columns = |arm: bool| -> [Vec<f64>; 3] {
                let own = || rows.iter().filter(|r| r.0 == arm);
                let shift = f64::from(u8::from(arm));
                let y = own().map(|r| 10.0 + (2.0 + shift) * r.1 - r.2 + r.3 + shift).collect();
                [y, own().map(|r| r.1).collect(), own().map(|r| r.2).collect()]
            };
            let (c, t) = (columns(false), columns(true));
            prop_assume!(c[0].len() > 45 && t[0].len() > 45);
            let joint = |[y, x, z]: &[Vec<f64>; 3]| JointMoments::of(&[y, x, z]).unwrap();
            let ours = lin(&joint(&c), &joint(&t)).unwrap();
            let all: Vec<Vec<f64>> = (0..3).map(|i| [c[i].clone(), t[i].clone()].concat()).collect();
            let treated: Vec<bool> = (0..all[0].len()).map(|i| i >= c[0].len()).collect();
            let by_rows = regression::lin(&all[0], &treated, &[&all[1], &all[2]]).unwrap();
            prop_assert!((ours.value() - by_rows.value()).abs() < 1e-9);
            prop_assert!((ours.se() / by_rows.se() - 1.0).abs() < 0.2);
        }
    }
}

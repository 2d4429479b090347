//! Imbalance before the experiment: arms that were assigned by chance are alike in all that came before.

use crate::linear::{Cholesky, Matrix, independent};
use crate::multiplicity::{Adjustment, adjust};
use crate::special::fisher_f;
use crate::{
    Alternative, Arm, JointMoments, Level, Refusal, Test, Variances, comparison::probability, difference,
};
use serde::{Deserialize, Serialize};

/// One covariate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Imbalance {
    /// The difference of the means in standard deviations of a unit (pooled): beyond 0.1 it is usually called large, whatever
    /// its p-value.
    pub standardised: f64,
    /// Welch's test of "no difference".
    pub test: Test,
    /// Its p-value adjusted for all covariates by Holm.
    pub adjusted_p: f64,
}

/// All covariates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Balance {
    /// By covariate, in the order of the columns; a covariate without variance is none.
    pub covariates: Vec<Option<Imbalance>>,
    /// Hotelling's T² of all covariates together: one question, one p-value. Covariates that others explain are
    /// left out of it.
    pub statistic: f64,
    /// p-value of `statistic` by its F distribution.
    pub p: f64,
    /// Its natural logarithm.
    pub ln_p: f64,
    /// Whether the arms are alike, at the level asked for, by the joint test.
    pub alike: bool,
}

/// Compares covariates of before the experiment between two arms.
///
/// A failure means that assignment was not by chance alone, or that units were lost after it; adjusting
/// for the covariate (CUPED) repairs the covariate, not the assignment. For assignment at random one
/// experiment in twenty fails at 95 %: use a strict level.
///
/// # Errors
/// [`Refusal::LengthsDiffer`] for other covariates in one arm than in the other, [`Refusal::TooLittle`] below two units
/// in an arm, [`Refusal::NoVariance`] where no covariate varies, [`Refusal::TooFew`] for fewer units than
/// covariates.
///
/// ```
/// use bellwether_stats::validity::balance;
/// use bellwether_stats::{JointMoments, Level};
/// let visits: Vec<f64> = (0..300).map(|i| f64::from(i % 10)).collect();
/// let spent: Vec<f64> = (0..300).map(|i| f64::from(i * 7 % 31)).collect();
/// let more: Vec<f64> = spent.iter().map(|x| x + 6.0).collect();
/// let control = JointMoments::of(&[&visits, &spent]).unwrap();
/// let treatment = JointMoments::of(&[&visits, &more]).unwrap();
/// let found = balance(&control, &treatment, Level::P99).unwrap();
/// assert!(!found.alike && found.covariates[0].unwrap().adjusted_p == 1.0);
/// ```
pub fn balance(control: &JointMoments, treatment: &JointMoments, level: Level) -> Result<Balance, Refusal> {
    let k = control.columns();
    crate::joint::same_length("covariates of treatment", treatment.columns(), "covariates of control", k)?;
    for (arm, moments) in [(Arm::Control, control), (Arm::Treatment, treatment)] {
        if moments.n() < 2 {
            return Err(Refusal::TooLittle { arm, have: moments.n(), need: 2 });
        }
    }
    let (n_c, n_t) = (control.n() as f64, treatment.n() as f64);
    let df = n_c + n_t - 2.0;
    let pooled = |i: usize, j: usize| (control.cross_of(i, j) + treatment.cross_of(i, j)) / df;
    let mut covariates: Vec<Option<Imbalance>> = (0..k)
        .map(|i| {
            let (c, t) = (control.column(i)?, treatment.column(i)?);
            let estimate = difference(&c, &t, Variances::Unequal).ok()?;
            let test = estimate.test(0.0, Alternative::TwoSided).ok()?;
            Some(Imbalance { standardised: estimate.value() / pooled(i, i).sqrt(), test, adjusted_p: test.p })
        })
        .collect();
    let raw: Vec<f64> = covariates.iter().flatten().map(|found| found.test.p).collect();
    for (found, adjusted) in covariates.iter_mut().flatten().zip(adjust(&raw, Adjustment::Holm)?) {
        found.adjusted_p = adjusted;
    }
    // Scaled to correlations, so that covariates of different units do not lose each other's digits.
    let scale: Vec<f64> = (0..k).map(|i| pooled(i, i).sqrt()).collect();
    let of = |list: &[f64], i: usize| list.get(i).copied().unwrap_or(0.0);
    let varying: Vec<usize> = (0..k).filter(|&i| covariates.get(i).is_some_and(Option::is_some)).collect();
    let correlations = |kept: &[usize]| {
        Matrix::of(kept.len(), |a, b| match (kept.get(a), kept.get(b)) {
            (Some(&i), Some(&j)) => pooled(i, j) / (of(&scale, i) * of(&scale, j)),
            _ => 0.0,
        })
    };
    let kept: Vec<usize> =
        independent(&correlations(&varying)).into_iter().filter_map(|i| varying.get(i).copied()).collect();
    if kept.is_empty() {
        return Err(Refusal::NoVariance);
    }
    let dimensions = kept.len() as f64;
    let df_within = df + 1.0 - dimensions;
    if df_within < 1.0 {
        return Err(Refusal::too_few("units", (n_c + n_t) as u64, kept.len() as u64 + 2));
    }
    let distances: Vec<f64> =
        kept.iter().map(|&i| (treatment.mean_or_zero(i) - control.mean_or_zero(i)) / of(&scale, i)).collect();
    let solved = Cholesky::of(&correlations(&kept)).ok_or(Refusal::NoVariance)?.solve(&distances);
    let squared: f64 = distances.iter().zip(&solved).map(|(a, b)| a * b).sum();
    let statistic = squared * (n_c * n_t / (n_c + n_t));
    let ln_p = fisher_f::ln_sf(statistic * df_within / (df * dimensions), dimensions, df_within).min(0.0);
    if ln_p.is_nan() {
        return Err(Refusal::not_finite("test statistic"));
    }
    let p = probability(ln_p);
    Ok(Balance { covariates, statistic, p, ln_p, alike: p >= level.alpha() })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use proptest::prelude::*;

    fn columns(n: usize) -> impl Strategy<Value = Vec<Vec<f64>>> {
        proptest::collection::vec(proptest::collection::vec(-10.0..10.0f64, n), 3)
    }

    fn moments(columns: &[Vec<f64>]) -> JointMoments {
        JointMoments::of(&columns.iter().map(Vec::as_slice).collect::<Vec<_>>()).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        /// One covariate: Hotelling's T² is the square of the pooled t.
        #[test]
        fn one_covariate_is_a_t_test(c in columns(12), t in columns(9)) {
            let (c, t) = (moments(&c[..1]), moments(&t[..1]));
            let joint = balance(&c, &t, Level::P99).unwrap();
            let pooled = difference(&c.column(0).unwrap(), &t.column(0).unwrap(), Variances::Equal).unwrap();
            let test = pooled.test(0.0, Alternative::TwoSided).unwrap();
            prop_assert!((joint.statistic / test.statistic.powi(2) - 1.0).abs() < 1e-9);
            prop_assert!((joint.ln_p - test.ln_p).abs() < 1e-9);
        }

        /// Mixing the covariates, or repeating one, changes nothing.
        #[test]
        fn it_does_not_depend_on_the_axes(c in columns(15), t in columns(20)) {
            let plain = balance(&moments(&c), &moments(&t), Level::P99).unwrap();
            let mixed = |columns: &[Vec<f64>]| {
                let sum = |a: f64, b: f64| -> Vec<f64> { columns[0].iter().zip(&columns[1]).map(|(x, y)| a * x + b * y).collect() };
                moments(&[sum(1.0, 2.0), sum(1e4, -3e4), columns[2].iter().map(|x| 1e6 + 1e-3 * x).collect(), sum(1.0, 1.0)])
            };
            let turned = balance(&mixed(&c), &mixed(&t), Level::P99).unwrap();
            prop_assert!((plain.statistic / turned.statistic - 1.0).abs() < 1e-5, "{plain:?} {turned:?}");
        }
    }

    #[test]
    fn what_cannot_be_compared_is_refused() {
        let of = |columns: &[&[f64]]| JointMoments::of(columns).unwrap();
        let good = of(&[&[1.0, 2.0, 4.0]]);
        assert!(balance(&good, &of(&[&[1.0, 2.0], &[1.0, 2.0]]), Level::P99).is_err());
        assert!(matches!(
            balance(&of(&[&[1.0]]), &good, Level::P99),
            Err(Refusal::TooLittle { arm: Arm::Control, .. })
        ));
        assert_eq!(balance(&of(&[&[1.0, 1.0]]), &of(&[&[1.0, 1.0]]), Level::P99), Err(Refusal::NoVariance));
        // A covariate without variance is named as none and left out.
        let half = of(&[&[1.0, 2.0, 4.0], &[5.0, 5.0, 5.0]]);
        let found = balance(&half, &half, Level::P99).unwrap();
        assert!(found.alike && found.covariates[1].is_none() && found.covariates[0].is_some());
    }
}

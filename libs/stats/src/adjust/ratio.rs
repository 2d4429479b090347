//! Ratios of sums: clicks per impression, revenue per order, where the unit is the user.

use super::{Effect, effect};
use crate::{JointMoments, Method, Moments, Refusal};

/// The moments of a ratio metric in one arm, as if each unit had a value: mean `ΣY/ΣX`, and the variance
/// of the linearised values `(Y - R·X)/X̄`.
///
/// Delta method (Deng, Knoblich and Lu 2018), which is the linearisation of survey statistics
/// (`svyratio`); `n - 1` in the variance. Whatever takes [`Moments`] takes these. Assumes that units are
/// independent, while events of one unit may depend on each other, and that the mean denominator is far
/// from zero against its standard error: with a few units the true distribution is skewed and the
/// interval covers too rarely.
///
/// # Errors
/// [`Refusal::OutOfRange`] for a column that is not there, [`Refusal::ZeroBaseline`] where the
/// denominators add up to zero.
///
/// ```
/// use bellwether_stats::{JointMoments, adjust::ratio_moments};
/// let (clicks, views) = ([1.0, 0.0, 3.0, 2.0], [4.0, 2.0, 9.0, 5.0]);
/// let arm = JointMoments::of(&[&clicks, &views]).unwrap();
/// let ratio = ratio_moments(&arm, 0, 1).unwrap().mean().unwrap();
/// assert!((ratio - 0.3).abs() < 1e-15);
/// ```
pub fn ratio_moments(arm: &JointMoments, numerator: usize, denominator: usize) -> Result<Moments, Refusal> {
    let both = arm.select(&[numerator, denominator])?;
    let Some([a, b]) = linearised(&both, 0, 1)? else {
        return Ok(Moments::EMPTY);
    };
    // The weights take off the ratio once more than they add.
    both.combination(both.mean_or_zero(0) / both.mean_or_zero(1), &[a, b])
}

/// The ratio metric of `treatment` against that of `control`; each has the numerator in column 0 and the
/// denominator in column 1. See [`ratio_moments`].
///
/// # Errors
/// Those of [`ratio_moments`], and of [`welch`](crate::welch).
pub fn ratio(control: &JointMoments, treatment: &JointMoments) -> Result<Effect, Refusal> {
    effect(&ratio_moments(control, 0, 1)?, &ratio_moments(treatment, 0, 1)?, Method::RatioDelta)
}

/// Weights of numerator and denominator in the linearised ratio, unless there are no units.
pub(super) fn linearised(
    arm: &JointMoments,
    numerator: usize,
    denominator: usize,
) -> Result<Option<[f64; 2]>, Refusal> {
    let (Some(m), Some(d)) = (arm.mean(numerator), arm.mean(denominator)) else {
        return Ok(None);
    };
    if d == 0.0 {
        return Err(Refusal::ZeroBaseline);
    }
    Ok(Some([1.0 / d, -m / (d * d)]))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::{Level, welch};
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        /// Per a constant a ratio is a mean.
        #[test]
        fn per_one_is_a_mean(a in proptest::collection::vec(-9.0..9.0f64, 3..40), b in proptest::collection::vec(-9.0..9.0f64, 3..40), per in 0.1..9.0f64) {
            let arm = |values: &[f64]| JointMoments::of(&[values, &vec![per; values.len()]]).unwrap();
            let ours = ratio(&arm(&a), &arm(&b)).unwrap();
            let [a, b] = [a, b].map(|v| Moments::of(&v.iter().map(|x| x / per).collect::<Vec<_>>()).unwrap());
            let theirs = welch(&a, &b, Level::P95).unwrap();
            prop_assert!((ours.difference.value() - theirs.estimate).abs() < 1e-12);
            prop_assert!((ours.difference.se() / theirs.se - 1.0).abs() < 1e-10);
            prop_assert!((ours.difference.df().unwrap() / theirs.df.unwrap() - 1.0).abs() < 1e-9);
        }

        /// The mean of the linearised values, unit by unit, has the same variance.
        #[test]
        fn units_have_linearised_values(rows in proptest::collection::vec((0.0..9.0f64, 0.5..9.0f64), 2..60)) {
            let (y, x): (Vec<f64>, Vec<f64>) = rows.iter().copied().unzip();
            let ours = ratio_moments(&JointMoments::of(&[&y, &x]).unwrap(), 0, 1).unwrap();
            let (sy, sx): (f64, f64) = (y.iter().sum(), x.iter().sum());
            let n = rows.len() as f64;
            let linear: Vec<f64> = rows.iter().map(|(y, x)| sy / sx + (y - sy / sx * x) / (sx / n)).collect();
            let direct = Moments::of(&linear).unwrap();
            prop_assert!((ours.mean().unwrap() - sy / sx).abs() < 1e-12);
            prop_assert!((ours.squared_deviations() - direct.squared_deviations()).abs() < 1e-9 * direct.squared_deviations().max(1.0));
        }
    }

    #[test]
    fn nothing_is_no_denominator() {
        let arm = JointMoments::of(&[&[1.0, 2.0], &[0.0, 0.0]]).unwrap();
        assert_eq!(ratio_moments(&arm, 0, 1), Err(Refusal::ZeroBaseline));
        assert!(ratio_moments(&arm, 0, 2).is_err());
        assert!(matches!(
            ratio(&JointMoments::of_none(2), &JointMoments::of_none(2)),
            Err(Refusal::TooLittle { .. })
        ));
    }
}

//! Adjustment by covariates from before the experiment.

use super::ratio::linearised;
use super::{Effect, baseline};
use crate::joint::same_length;
use crate::linear::{Cholesky, Matrix, independent, inner};
use crate::means::{mean_of, satterthwaite, some_variance};
use crate::{Arm, Estimate, JointMoments, Method, Moments, Refusal};

/// Two arms whose unit values were adjusted by covariates.
#[derive(Debug, Clone, PartialEq)]
pub struct Adjusted {
    theta: Vec<f64>,
    dropped: Vec<usize>,
    control: AdjustedArm,
    treatment: AdjustedArm,
    variance_reduction: f64,
    /// The mean of treatment over that of control, as the lift's error takes it: without the adjustment
    /// for means, with it for ratios (GrowthBook does both so).
    share: Share,
    method: Method,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Share {
    Plain,
    Adjusted,
}

#[derive(Debug, Clone, PartialEq)]
struct AdjustedArm {
    joint: JointMoments,
    /// Weights of the columns in a unit's outcome, and in what is taken off.
    outcome: Vec<f64>,
    taken_off: Vec<f64>,
    /// Mean without the adjustment.
    plain: f64,
    adjusted: Moments,
}

impl AdjustedArm {
    /// `centre` is what the covariates' part is centred at: what is taken off at the joint mean.
    fn new(
        joint: JointMoments,
        outcome: Vec<f64>,
        taken_off: Vec<f64>,
        plain: f64,
        own: f64,
        centre: f64,
    ) -> Result<Self, Refusal> {
        let weights: Vec<f64> = outcome.iter().zip(&taken_off).map(|(a, b)| a - b).collect();
        let at_weights = inner(&weights, &joint_means(&joint));
        let adjusted = joint.combination(plain - (own - centre) - at_weights, &weights)?;
        Ok(Self { joint, outcome, taken_off, plain, adjusted })
    }

    fn adjusted_mean(&self) -> f64 {
        self.adjusted.mean().unwrap_or(f64::NAN)
    }

    /// Variance of the mean of `scale·outcome - taken off`.
    fn variance_of_mean(&self, scale: f64) -> Result<f64, Refusal> {
        let weights: Vec<f64> =
            self.outcome.iter().zip(&self.taken_off).map(|(a, b)| scale * a - b).collect();
        let moments = self.joint.combination(0.0, &weights)?;
        Ok(moments.variance().unwrap_or(f64::NAN) / moments.n() as f64)
    }
}

fn joint_means(joint: &JointMoments) -> Vec<f64> {
    (0..joint.columns()).map(|column| joint.mean_or_zero(column)).collect()
}

/// CUPED (Deng, Xu, Kohavi and Walker 2013): means less what covariates from before the experiment explain.
///
/// Column 0 of each arm is the outcome, all others are covariates. `θ = Σ_XX⁻¹ Σ_XY` over both arms as one
/// sample, the difference between them included (GrowthBook, tea-tasting and statsmodels' users do the same);
/// a unit's value is `Y - θ'(X - X̄)` with the means of both arms, then Welch's test.
///
/// A covariate that is constant, or a combination of those before it, is dropped: [`Adjusted::dropped`] says so.
/// Assumes that the treatment cannot have changed the covariates: use only what was known before the first
/// exposure. With a handful of units per covariate θ fits noise and the error comes out too small: 10 units an arm
/// for each covariate are required, otherwise this is refused. Where arms differ in size and slope, see [`lin`](super::lin).
///
/// # Errors
/// [`Refusal::TooLittle`] with fewer than 10 units an arm for each covariate that is kept,
/// [`Refusal::LengthsDiffer`] where the arms have other columns, [`Refusal::NotFinite`] where sums overflow.
///
/// ```
/// use bellwether_stats::{JointMoments, adjust::cuped};
/// let before: Vec<f64> = (0..60).map(|i| f64::from(i % 10)).collect();
/// let arm = |effect: f64| {
///     let after: Vec<f64> = before.iter().enumerate().map(|(i, x)| 2.0 * x + effect + f64::from(i as u32 % 3)).collect();
///     JointMoments::of(&[&after, &before]).unwrap()
/// };
/// let ours = cuped(&arm(0.0), &arm(0.5)).unwrap();
/// let effect = ours.effect().unwrap().difference;
/// assert!((effect.value() - 0.5).abs() < 1e-9 && effect.se() < 0.2 && ours.variance_reduction() > 0.9);
/// ```
pub fn cuped(control: &JointMoments, treatment: &JointMoments) -> Result<Adjusted, Refusal> {
    let joint = control.merge(treatment)?;
    let slope = slope(&joint);
    enough_units(control, treatment, slope.kept)?;
    adjusted(control, treatment, &joint, slope)
}

/// [`cuped`] for arms of any size from two units on, as others compute it. With fewer than 10 units an arm for each covariate the
/// slope explains noise and the error is too small: such a number is to compare with another program, not to decide by.
///
/// # Errors
/// Those of [`cuped`], with two units an arm enough.
pub fn cuped_of_few(control: &JointMoments, treatment: &JointMoments) -> Result<Adjusted, Refusal> {
    let joint = control.merge(treatment)?;
    enough_units(control, treatment, 0)?;
    adjusted(control, treatment, &joint, slope(&joint))
}

fn adjusted(
    control: &JointMoments,
    treatment: &JointMoments,
    joint: &JointMoments,
    Slope { theta, dropped, .. }: Slope,
) -> Result<Adjusted, Refusal> {
    let outcome: Vec<f64> = (0..joint.columns()).map(|column| f64::from(u8::from(column == 0))).collect();
    let taken_off: Vec<f64> = core::iter::once(0.0).chain(theta.iter().copied()).collect();
    let centre = inner(&taken_off, &joint_means(joint));
    let arm = |arm: &JointMoments| {
        let own = inner(&taken_off, &joint_means(arm));
        AdjustedArm::new(arm.clone(), outcome.clone(), taken_off.clone(), arm.mean_or_zero(0), own, centre)
    };
    let explained: f64 = theta.iter().enumerate().map(|(at, theta)| theta * joint.cross_of(0, at + 1)).sum();
    Ok(Adjusted {
        control: arm(control)?,
        treatment: arm(treatment)?,
        variance_reduction: explained / joint.cross_of(0, 0),
        theta,
        dropped,
        share: Share::Plain,
        method: Method::Cuped,
    })
}

pub(super) struct Slope {
    /// One for each covariate, zero where it was dropped.
    pub(super) theta: Vec<f64>,
    pub(super) kept: usize,
    pub(super) dropped: Vec<usize>,
}

/// Least squares of column 0 on all others.
pub(super) fn slope(joint: &JointMoments) -> Slope {
    let covariates = joint.columns().saturating_sub(1);
    let products = Matrix::of(covariates, |i, j| joint.cross_of(i + 1, j + 1));
    let varies = |&at: &usize| {
        let size = joint.n() as f64 * joint.mean_or_zero(at + 1).powi(2);
        products.at(at, at) > 16.0 * size * f64::EPSILON * f64::EPSILON
    };
    let possible: Vec<usize> = (0..covariates).filter(varies).collect();
    let kept: Vec<usize> = independent(&products.select(&possible))
        .into_iter()
        .filter_map(|at| possible.get(at).copied())
        .collect();
    let mut theta = vec![0.0; covariates];
    if let Some(root) = Cholesky::of(&products.select(&kept)) {
        let with_outcome: Vec<f64> = kept.iter().map(|at| joint.cross_of(0, at + 1)).collect();
        for (at, slope) in kept.iter().zip(root.solve(&with_outcome)) {
            if let Some(theta) = theta.get_mut(*at) {
                *theta = slope;
            }
        }
    }
    let dropped = (0..covariates).filter(|at| !kept.contains(at)).collect();
    Slope { theta, kept: kept.len(), dropped }
}

/// Units an arm that each covariate needs: θ from fewer explains noise.
const UNITS_FOR_A_COVARIATE: u64 = 10;

pub(super) fn enough_units(
    control: &JointMoments,
    treatment: &JointMoments,
    covariates: usize,
) -> Result<(), Refusal> {
    let need = (UNITS_FOR_A_COVARIATE * covariates as u64).max(2);
    for (arm, have) in [(Arm::Control, control.n()), (Arm::Treatment, treatment.n())] {
        if have < need {
            return Err(Refusal::TooLittle { arm, have, need });
        }
    }
    Ok(())
}

/// From which samples the slope of an adjusted ratio is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RatioSlope {
    /// Both arms as one sample, linearised at its means: as for means, and as tea-tasting does.
    Joint,
    /// The sum of the arms' covariances over the sum of their variances, each arm linearised at its own means
    /// and counted once, whatever its size: as GrowthBook does, to compare with it.
    SumOfArms,
}

/// CUPED of a ratio metric by the same ratio before the experiment.
///
/// Columns of each arm: numerator, denominator, numerator before, denominator before. Both ratios are
/// linearised (see [`ratio_moments`](super::ratio_moments)), each arm at its own means for the variance; the
/// adjusted ratio of an arm is `R - θ (R_before - R_before of both arms)`.
///
/// # Errors
/// As [`cuped`], and [`Refusal::ZeroBaseline`] where denominators add up to zero.
pub fn cuped_ratio(
    control: &JointMoments,
    treatment: &JointMoments,
    slope: RatioSlope,
) -> Result<Adjusted, Refusal> {
    adjusted_ratio(control, treatment, slope, 1)
}

/// [`cuped_ratio`] for arms of any size from two units on, with the warning of [`cuped_of_few`].
///
/// # Errors
/// Those of [`cuped_ratio`], with two units an arm enough.
pub fn cuped_ratio_of_few(
    control: &JointMoments,
    treatment: &JointMoments,
    slope: RatioSlope,
) -> Result<Adjusted, Refusal> {
    adjusted_ratio(control, treatment, slope, 0)
}

/// With units enough for so many covariates.
fn adjusted_ratio(
    control: &JointMoments,
    treatment: &JointMoments,
    slope: RatioSlope,
    covariates: usize,
) -> Result<Adjusted, Refusal> {
    let joint = control.merge(treatment)?;
    same_length("columns", joint.columns(), "columns of two ratios", 4)?;
    enough_units(control, treatment, covariates)?;
    let of_joint = Linear::of(&joint)?;
    let (of_control, of_treatment) = (Linear::of(control)?, Linear::of(treatment)?);
    let (products, squares) = match slope {
        RatioSlope::Joint => of_joint.products(&joint),
        RatioSlope::SumOfArms => {
            let (a, b) = (of_control.products(control), of_treatment.products(treatment));
            (a.0 + b.0, a.1 + b.1)
        }
    };
    let theta = if squares > 0.0 { products / squares } else { 0.0 };
    let dropped = if squares > 0.0 { vec![] } else { vec![0] };
    let centre = of_joint.before * theta;
    let arm = |arm: &JointMoments, linear: &Linear| {
        let taken_off = linear.covariate.iter().map(|weight| theta * weight).collect();
        AdjustedArm::new(
            arm.clone(),
            linear.outcome.to_vec(),
            taken_off,
            linear.now,
            theta * linear.before,
            centre,
        )
    };
    let (products, _) = of_joint.products(&joint);
    let total = joint.combination(0.0, &of_joint.outcome)?.variance().unwrap_or(f64::NAN);
    Ok(Adjusted {
        control: arm(control, &of_control)?,
        treatment: arm(treatment, &of_treatment)?,
        variance_reduction: (theta * (2.0 * products - theta * of_joint.products(&joint).1)) / total,
        theta: vec![theta],
        dropped,
        share: Share::Adjusted,
        method: Method::CupedRatio,
    })
}

/// Both ratios of an arm, and the weights of its columns in their linearised values.
struct Linear {
    outcome: [f64; 4],
    covariate: [f64; 4],
    now: f64,
    before: f64,
}

impl Linear {
    fn of(arm: &JointMoments) -> Result<Self, Refusal> {
        let [a, b] = linearised(arm, 0, 1)?.unwrap_or_default();
        let [c, d] = linearised(arm, 2, 3)?.unwrap_or_default();
        Ok(Self {
            outcome: [a, b, 0.0, 0.0],
            covariate: [0.0, 0.0, c, d],
            now: arm.mean_or_zero(0) / arm.mean_or_zero(1),
            before: arm.mean_or_zero(2) / arm.mean_or_zero(3),
        })
    }

    /// Covariance of both linearised ratios, and the variance of that before.
    fn products(&self, arm: &JointMoments) -> (f64, f64) {
        let between = |a: &[f64; 4], b: &[f64; 4]| -> f64 {
            let columns = || a.iter().enumerate();
            let with = |i: usize, x: f64| -> f64 {
                b.iter().enumerate().map(|(j, y)| x * y * arm.covariance(i, j).unwrap_or(f64::NAN)).sum()
            };
            columns().map(|(i, x)| with(i, *x)).sum()
        };
        (between(&self.outcome, &self.covariate), between(&self.covariate, &self.covariate))
    }
}

impl Adjusted {
    /// The slope of each covariate, in order; zero where it was dropped.
    pub fn theta(&self) -> &[f64] {
        &self.theta
    }

    /// Covariates, counted from 0, that are constant or a combination of those before them.
    pub fn dropped(&self) -> &[usize] {
        &self.dropped
    }

    /// The adjusted values of control's units.
    pub fn control(&self) -> &Moments {
        &self.control.adjusted
    }

    /// The adjusted values of treatment's units.
    pub fn treatment(&self) -> &Moments {
        &self.treatment.adjusted
    }

    /// By how much the variance of a unit's value is smaller, over both arms: `ρ²` for one covariate. It needs as
    /// many units less as the same share.
    pub fn variance_reduction(&self) -> f64 {
        self.variance_reduction
    }

    /// The effect; its lift is relative to control's mean *without* the adjustment, whose error and covariance with
    /// the adjusted values are taken into account (as in GrowthBook's source since 2026).
    ///
    /// The variance of that lift is `(Var(t̄') + Var(r c̄ - θx̄_c))/c̄²`, where `r` is the ratio of means: for means, as there, the
    /// one *without* adjustment, though by the delta method it is `1 + lift`. Both tend to the same; in a sample they are
    /// apart by what the adjustment moved the difference, so that the error is off, in either direction, by 2 % on average with 60 units
    /// an arm and a covariate that explains half, by 0.2 % with 6,000, and by 4 % in the worst of the reference cases.
    /// Ratios take `1 + lift`.
    ///
    /// # Errors
    /// As [`welch`](crate::welch).
    pub fn effect(&self) -> Result<Effect, Refusal> {
        let (difference, df) = self.difference()?;
        let lift = baseline(self.control.plain).and_then(|size| {
            let value = difference.value() / size;
            let share = match self.share {
                Share::Plain => self.treatment.plain / self.control.plain,
                // `1 + lift`, also where control is negative.
                Share::Adjusted => 1.0 + difference.value() / self.control.plain,
            };
            let variance = self.treatment.variance_of_mean(1.0)? + self.control.variance_of_mean(share)?;
            Estimate::new(value, variance.sqrt() / size, Some(df), self.method)
        });
        Ok(Effect { difference, lift })
    }

    /// The lift with the variance of [`welch`](crate::welch)'s delta method: adjusted variances, means without
    /// adjustment, and no covariance between them. It is what GrowthBook 0.8.0 on PyPI reports, here to compare
    /// with; where the covariate explains much it is not the lift's variance.
    ///
    /// # Errors
    /// As [`Adjusted::effect`].
    pub fn lift_without_covariance(&self) -> Result<Estimate, Refusal> {
        let (difference, df) = self.difference()?;
        let size = baseline(self.control.plain)?;
        let share = self.treatment.plain / self.control.plain;
        let variance =
            self.treatment.variance_of_mean(1.0)? + share * share * self.control.variance_of_mean(1.0)?;
        Estimate::new(
            difference.value() / size,
            variance.sqrt() / size,
            Some(df),
            Method::CupedWithoutCovariance,
        )
    }

    fn difference(&self) -> Result<(Estimate, f64), Refusal> {
        let (control, treatment) = (self.control(), self.treatment());
        let (c, t) = (mean_of(control, Arm::Control)?, mean_of(treatment, Arm::Treatment)?);
        some_variance([(c, control.n()), (t, treatment.n())])?;
        let df = satterthwaite(&[(c.variance, control.n()), (t.variance, treatment.n())]);
        let value = self.treatment.adjusted_mean() - self.control.adjusted_mean();
        let se = (c.variance + t.variance).sqrt();
        Ok((Estimate::new(value, se, Some(df), self.method)?, df))
    }
}

/// A covariate that some units do not have, as two columns: the value or zero, and one where it is missing.
///
/// NaN stands for a missing value. With both columns among the covariates it does not matter what stands in for it:
/// the second column takes up the difference, so that parts may be made ready before any mean is known. New users,
/// who have no past, are then adjusted as a group of their own. Where no value is missing the second column is constant,
/// and [`cuped`] drops it.
///
/// ```
/// use bellwether_stats::adjust::with_missing;
/// assert_eq!(with_missing(&[2.5, f64::NAN]), [vec![2.5, 0.0], vec![0.0, 1.0]]);
/// ```
pub fn with_missing(covariate: &[f64]) -> [Vec<f64>; 2] {
    let missing = |value: &f64| f64::from(u8::from(value.is_nan()));
    let value = |value: &f64| if value.is_nan() { 0.0 } else { *value };
    [covariate.iter().map(value).collect(), covariate.iter().map(missing).collect()]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use proptest::prelude::*;

    type Row = (bool, f64, f64, f64);

    fn rows() -> impl Strategy<Value = Vec<Row>> {
        proptest::collection::vec((any::<bool>(), -3.0..3.0f64, -3.0..3.0f64, -1.0..1.0f64), 120..240)
    }

    fn columns(rows: &[Row], arm: bool) -> [Vec<f64>; 3] {
        let own: Vec<&Row> = rows.iter().filter(|r| r.0 == arm).collect();
        let y = own.iter().map(|r| 10.0 + 2.0 * r.1 - r.2 + r.3 + f64::from(u8::from(arm))).collect();
        [y, own.iter().map(|r| r.1).collect(), own.iter().map(|r| r.2).collect()]
    }

    fn joint(columns: &[Vec<f64>]) -> JointMoments {
        JointMoments::of(&columns.iter().map(Vec::as_slice).collect::<Vec<_>>()).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        /// What a covariate adds to all is taken off again; a combination of covariates adds nothing.
        #[test]
        fn a_covariate_is_taken_off_and_a_double_is_dropped(rows in rows(), more in -5.0..5.0f64) {
            let (c, t) = (columns(&rows, false), columns(&rows, true));
            prop_assume!(c[0].len() > 61 && t[0].len() > 61);
            let plain = cuped(&joint(&c), &joint(&t)).unwrap();
            let moved = |columns: &[Vec<f64>; 3]| {
                let mut columns = columns.to_vec();
                for (y, x) in columns[0].clone().iter().zip(columns[1].clone()).enumerate().map(|(i, (y, x))| ((i, *y), x)) {
                    columns[0][y.0] = y.1 + more * x;
                }
                let double = columns[1].iter().zip(&columns[2]).map(|(a, b)| a - 2.0 * b + 1.0).collect();
                columns.push(double);
                joint(&columns)
            };
            let ours = cuped(&moved(&c), &moved(&t)).unwrap();
            prop_assert_eq!(ours.dropped(), [2]);
            let (a, b) = (plain.effect().unwrap().difference, ours.effect().unwrap().difference);
            prop_assert!((a.value() - b.value()).abs() < 1e-9 && (a.se() - b.se()).abs() < 1e-9);
            prop_assert!((ours.theta()[0] - plain.theta()[0] - more).abs() < 1e-9);
        }

        /// What stands in for a missing value does not matter beside its indicator.
        #[test]
        fn what_stands_in_does_not_matter(rows in rows(), stand_in in -50.0..50.0f64) {
            let (c, t) = (columns(&rows, false), columns(&rows, true));
            prop_assume!(c[0].len() > 41 && t[0].len() > 41);
            let arm = |columns: &[Vec<f64>; 3], stand_in: f64| {
                let gaps: Vec<f64> = columns[1].iter().enumerate().map(|(i, x)| if i % 4 == 0 { f64::NAN } else { *x }).collect();
                let [value, missing] = with_missing(&gaps);
                let value = value.iter().zip(&missing).map(|(v, m)| v + stand_in * m).collect();
                joint(&[columns[0].clone(), value, missing])
            };
            let ours = |stand_in| cuped(&arm(&c, stand_in), &arm(&t, stand_in)).unwrap().effect().unwrap().difference;
            let (a, b) = (ours(0.0), ours(stand_in));
            prop_assert!((a.value() - b.value()).abs() < 1e-9 && (a.se() / b.se() - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn without_covariates_it_is_welch_and_with_too_many_it_is_refused() {
        let arm =
            |shift: f64, n: u32| -> Vec<f64> { (0..n).map(|i| shift + f64::from((i * 7) % 5)).collect() };
        let (c, t) = (arm(0.0, 30), arm(0.5, 25));
        let ours = cuped(&joint(core::slice::from_ref(&c)), &joint(core::slice::from_ref(&t)))
            .unwrap()
            .effect()
            .unwrap();
        let [mc, mt] = [&c, &t].map(|v| Moments::of(v).unwrap());
        let welch = crate::welch(&mc, &mt, crate::Level::P95).unwrap();
        assert!((ours.difference.se() - welch.se).abs() < 1e-14);
        assert!((ours.lift.unwrap().se() - welch.relative.unwrap().se).abs() < 1e-14);
        let two =
            |y: &[f64]| joint(&[y.to_vec(), arm(0.0, y.len() as u32), y.iter().map(|y| y * y).collect()]);
        assert_eq!(
            cuped(&two(&c[..15]), &two(&t)).unwrap_err().to_string(),
            "too little data: control has `15` of the `20` units that this test needs"
        );
        assert!(cuped(&joint(&[c]), &JointMoments::of_none(2)).is_err());
        assert!(
            cuped_ratio(&JointMoments::of_none(3), &JointMoments::of_none(3), RatioSlope::Joint).is_err()
        );
    }
}

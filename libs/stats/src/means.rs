//! The comparison of two means.

use crate::ratio::{Estimated, relative};
use crate::{Alternative, Arm, Comparison, Estimate, Interval, Level, Method, Moments, Refusal};
use serde::{Deserialize, Serialize};

/// Values whose standard deviation is below this share of their mean are taken to be the same value.
///
/// A sum of k amounts is off by up to k/2 units in the last place (each 2.2e-16 of it), by an amount that
/// depends on their order: 0.1 + 0.2 is not 0.3. Units with hundreds of amounts stay below 1e-13 at worst, and
/// with millions where the errors go both ways; values of 1e12 with a variance of one are above it. It is
/// held against the spread of the units, not against the standard error, which shrinks with their number
/// and would refuse what many units do show.
const ROUNDING: f64 = 1e-13;

/// Welch's t test of `treatment - control`, with the relative lift by the delta method.
///
/// Unequal variances, sample variances divided by `n - 1`, Satterthwaite's degrees of freedom; those
/// of the absolute difference also serve the relative lift (as GrowthBook does).
///
/// # Errors
/// [`Refusal::TooLittle`] with fewer than two units in an arm, [`Refusal::NoVariance`] where each
/// arm is constant, [`Refusal::OnlyRounding`] where it is but for the rounding of sums,
/// [`Refusal::NotFinite`] where the values overflow.
///
/// ```
/// use bellwether_stats::{Level, Moments, welch};
/// let control = Moments::of(&[5.1, 4.9, 6.2, 5.6, 5.8]).unwrap();
/// let treatment = Moments::of(&[6.4, 6.1, 7.0, 5.9, 6.8]).unwrap();
/// let result = welch(&control, &treatment, Level::P95).unwrap();
/// assert!(result.p < 0.05 && result.interval.low > 0.0);
/// ```
pub fn welch(control: &Moments, treatment: &Moments, level: Level) -> Result<Comparison, Refusal> {
    let estimate = difference(control, treatment, Variances::Unequal)?;
    let test = estimate.test(0.0, Alternative::TwoSided)?;
    let q = estimate.quantile(level.alpha() / 2.0);
    Ok(Comparison {
        estimate: estimate.value(),
        se: estimate.se(),
        level,
        interval: estimate.interval(level),
        statistic: test.statistic,
        df: test.df,
        p: test.p,
        ln_p: test.ln_p,
        relative: relative(mean_of(control, Arm::Control)?, mean_of(treatment, Arm::Treatment)?, q),
        method: Method::WelchT,
        caution: estimate.caution(),
    })
}

/// What a t test takes for granted of the variances of both arms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Variances {
    /// Nothing: each arm has its own (Welch), with Satterthwaite's degrees of freedom.
    Unequal,
    /// They are the same: pooled (Student), with `n_c + n_t - 2` degrees of freedom. Errs more often than it says
    /// where the smaller arm varies more.
    Equal,
}

impl Variances {
    /// The standard error and the degrees of freedom of a difference, from the variance of one unit in
    /// each arm (divided by `n - 1`) and the sizes.
    pub(crate) fn combine(self, (s_c, n_c): (f64, f64), (s_t, n_t): (f64, f64)) -> (f64, f64) {
        match self {
            Self::Unequal => {
                let (v_c, v_t) = (s_c / n_c, s_t / n_t);
                ((v_c + v_t).sqrt(), degrees([(v_c, n_c), (v_t, n_t)].into_iter()))
            }
            Self::Equal => {
                let df = n_c + n_t - 2.0;
                // In shares, so that huge variances do not overflow.
                let pooled = (n_c - 1.0) / df * s_c + (n_t - 1.0) / df * s_t;
                (pooled.sqrt() * (1.0 / n_c + 1.0 / n_t).sqrt(), df)
            }
        }
    }

    pub(crate) fn method(self) -> Method {
        match self {
            Self::Unequal => Method::WelchT,
            Self::Equal => Method::PooledT,
        }
    }
}

/// `treatment - control` with its standard error, against t: Welch's or Student's test, at any null and on any
/// side. [`Estimate::as_normal`] makes it a z test.
///
/// # Errors
/// Those of [`welch`].
///
/// ```
/// use bellwether_stats::{Alternative, Moments, Variances, difference};
/// let control = Moments::of(&[5.1, 4.9, 6.2, 5.6, 5.8]).unwrap();
/// let treatment = Moments::of(&[6.4, 6.1, 7.0, 5.9, 6.8]).unwrap();
/// let estimate = difference(&control, &treatment, Variances::Equal).unwrap();
/// assert_eq!(estimate.df(), Some(8.0));
/// // Is it more than 0.2?
/// assert!(estimate.test(0.2, Alternative::Greater).unwrap().p < 0.05);
/// ```
pub fn difference(control: &Moments, treatment: &Moments, variances: Variances) -> Result<Estimate, Refusal> {
    let c = mean_of(control, Arm::Control)?;
    let t = mean_of(treatment, Arm::Treatment)?;
    let estimate = t.mean - c.mean;
    let unit = |moments: &Moments| (moments.variance().unwrap_or(0.0), moments.n() as f64);
    let (se, df) = variances.combine(unit(control), unit(treatment));
    if !(se.is_finite() && estimate.is_finite()) {
        return Err(Refusal::not_finite("difference"));
    }
    some_variance([(c, control.n()), (t, treatment.n())])?;
    Estimate::new(estimate, se, Some(df), variances.method())
}

/// The relative lift `(treatment - control)/|control|` with its standard error by the delta method, to be
/// tested by itself. Its degrees of freedom are those of the absolute difference (as GrowthBook has it).
///
/// "The lift is zero" and "the difference is zero" are one hypothesis and two tests: this one adds the noise
/// of the baseline to the error, so that its p-value is the larger one as a rule. The interval of
/// [`crate::Comparison::relative`] is that of this estimate, or Fieller's where the delta method does not
/// hold: within 3 standard errors of a control mean of zero this function still answers, and should not
/// be asked.
///
/// # Errors
/// Those of [`welch`], and [`Refusal::ZeroBaseline`].
pub fn lift(control: &Moments, treatment: &Moments) -> Result<Estimate, Refusal> {
    let absolute = difference(control, treatment, Variances::Unequal)?;
    let c = mean_of(control, Arm::Control)?;
    let t = mean_of(treatment, Arm::Treatment)?;
    let (lift, se) = crate::ratio::delta(c, t)?;
    Estimate::new(lift, se, absolute.df(), Method::LiftDelta)
}

/// Fieller's interval (1954) of the relative lift: all lifts that a t test of `m_t = (1 + lift) m_c` does not reject.
/// Exact for normal means also where the baseline is uncertain, and the wider one there; with a precise baseline it is
/// [`lift`]'s.
///
/// # Errors
/// Those of [`welch`]; [`Refusal::ZeroBaseline`], and [`Refusal::UnboundedLift`] where the control mean
/// itself may be zero at this level: every lift is then compatible with the data.
pub fn fieller_lift(control: &Moments, treatment: &Moments, level: Level) -> Result<Interval, Refusal> {
    let absolute = difference(control, treatment, Variances::Unequal)?;
    let c = mean_of(control, Arm::Control)?;
    if c.mean == 0.0 {
        return Err(Refusal::ZeroBaseline);
    }
    let q = absolute.quantile(level.alpha() / 2.0);
    crate::ratio::fieller_lift(c, mean_of(treatment, Arm::Treatment)?, q)
}

/// `ln(treatment/control)` of two means of the same sign, with the variances `s²/(n m²)` of the logarithms and
/// degrees of freedom by those: the exponential of its interval is that of the ratio (tea-tasting's
/// relative interval). Both variances are pooled on the logarithmic scale where they are taken to be equal.
///
/// Against [`lift`]: it can never put a ratio below zero, and holds better for a large lift; for a small one
/// both agree. Fails where a mean is within some standard errors of zero.
///
/// # Errors
/// Those of [`welch`]; [`Refusal::ZeroBaseline`] where the control mean is zero, and
/// [`Refusal::OutOfRange`] where the means are not of the same sign.
pub fn log_ratio(control: &Moments, treatment: &Moments, variances: Variances) -> Result<Estimate, Refusal> {
    let c = mean_of(control, Arm::Control)?;
    let t = mean_of(treatment, Arm::Treatment)?;
    if c.mean == 0.0 {
        return Err(Refusal::ZeroBaseline);
    }
    let ratio = t.mean / c.mean;
    if ratio.is_nan() || ratio <= 0.0 {
        return Err(Refusal::out_of_range("a ratio of means on the logarithmic scale", "above 0", ratio));
    }
    some_variance([(c, control.n()), (t, treatment.n())])?;
    let unit =
        |moments: &Moments, mean: f64| (moments.variance().unwrap_or(0.0) / mean / mean, moments.n() as f64);
    let (se, df) = variances.combine(unit(control, c.mean), unit(treatment, t.mean));
    Estimate::new(ratio.ln(), se, Some(df), Method::LogRatio)
}

/// The mean of an arm of at least two units, with the variance of that mean.
pub(crate) fn mean_of(moments: &Moments, arm: Arm) -> Result<Estimated, Refusal> {
    match (moments.mean(), moments.variance()) {
        (Some(mean), Some(variance)) => Ok(Estimated { mean, variance: variance / moments.n() as f64 }),
        _ => Err(Refusal::TooLittle { arm, have: moments.n(), need: 2 }),
    }
}

/// That the units of at least one arm differ, by more than sums are rounded.
pub(crate) fn some_variance(arms: [(Estimated, u64); 2]) -> Result<(), Refusal> {
    if arms.iter().all(|(arm, _)| arm.variance == 0.0) {
        return Err(Refusal::NoVariance);
    }
    let rounded = |&(arm, n): &(Estimated, u64)| {
        // The root of each, so that neither product overflows or vanishes.
        arm.variance.sqrt() * (n as f64).sqrt() <= ROUNDING * arm.mean.abs()
    };
    if arms.iter().all(rounded) { Err(Refusal::OnlyRounding) } else { Ok(()) }
}

/// The variance of a difference where an arm may be small: the larger of the unpooled one and the pooled one. Early in a rollout a
/// metric that is mostly zero may show the smaller arm no variance at all.
pub(crate) fn wary_variance((c, n_c): (Estimated, u64), (t, n_t): (Estimated, u64)) -> f64 {
    let (n_c, n_t) = (n_c as f64, n_t as f64);
    let of_a_unit = (n_c * n_c * c.variance + n_t * n_t * t.variance) / (n_c + n_t);
    (c.variance + t.variance).max(of_a_unit * (1.0 / n_c + 1.0 / n_t))
}

/// `(Σv)² / Σ v²/(n-1)`, in shares of the whole so that tiny or huge variances do not overflow.
pub(crate) fn satterthwaite(variances: &[(f64, u64)]) -> f64 {
    degrees(variances.iter().map(|&(v, n)| (v, n as f64)))
}

/// The same of sizes that need not be whole, as plans have them, and units of different weight.
pub(crate) fn degrees(variances: impl Iterator<Item = (f64, f64)> + Clone) -> f64 {
    let total: f64 = variances.clone().map(|(v, _)| v).sum();
    let inverse: f64 = variances.map(|(v, n)| (v / total) * (v / total) / (n - 1.0)).sum();
    inverse.recip()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use proptest::prelude::*;

    fn arm() -> impl Strategy<Value = Moments> {
        (2..1_000_000u64, -1e3..1e3f64, 1e-3..1e3f64)
            .prop_map(|(n, mean, sd)| Moments::new(n, mean, sd * sd * n as f64).unwrap())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn swapping_the_arms_turns_the_sign(a in arm(), b in arm()) {
            let forth = welch(&a, &b, Level::P95).unwrap();
            let back = welch(&b, &a, Level::P95).unwrap();
            prop_assert_eq!(forth.estimate, -back.estimate);
            prop_assert!((forth.ln_p - back.ln_p).abs() <= 1e-12 * forth.ln_p.abs().max(1.0));
            prop_assert!((forth.interval.low + back.interval.high).abs() <= 1e-12 * forth.se.max(forth.estimate.abs()));
        }

        #[test]
        fn interval_and_p_agree(a in arm(), b in arm(), level in 0.6..0.9999f64) {
            let level = Level::new(level).unwrap();
            let result = welch(&a, &b, level).unwrap();
            prop_assume!((result.p / level.alpha() - 1.0).abs() > 1e-9);
            prop_assert_eq!(result.p < level.alpha(), !result.interval.contains(0.0));
        }

        #[test]
        fn a_p_value_is_never_zero(a in arm(), b in arm()) {
            let result = welch(&a, &b, Level::P95).unwrap();
            prop_assert!(result.p > 0.0 && result.p <= 1.0 && result.ln_p.is_finite());
        }
    }

    /// With a precise baseline the three intervals of a lift are one; with an uncertain one Fieller's is the widest on its
    /// far side, and with none at all it is refused where the delta method still answers.
    #[test]
    fn three_intervals_of_a_lift() {
        let arm = |mean: f64, variance: f64| Moments::new(1_000, mean, 1_000.0 * variance).unwrap();
        let ends = |baseline_variance: f64| {
            let (control, treatment) = (arm(1.0, baseline_variance), arm(1.2, 1.0));
            let delta = lift(&control, &treatment).unwrap().interval(Level::P95);
            let log = log_ratio(&control, &treatment, Variances::Unequal).unwrap().interval(Level::P95);
            (delta, log.high.exp() - 1.0, fieller_lift(&control, &treatment, Level::P95))
        };
        let (delta, log, fieller) = ends(1e-3);
        let fieller = fieller.unwrap();
        assert!((delta.high - fieller.high).abs() < 1e-5 && (delta.low - fieller.low).abs() < 1e-5);
        assert!((delta.high - log).abs() < 0.01);
        let (delta, _, fieller) = ends(60.0);
        assert!(fieller.unwrap().high > delta.high + 0.1);
        let (delta, _, fieller) = ends(400.0);
        assert!(delta.high.is_finite() && matches!(fieller, Err(Refusal::UnboundedLift { .. })));
        let zero = arm(0.0, 1.0);
        assert_eq!(fieller_lift(&zero, &zero, Level::P95), Err(Refusal::ZeroBaseline));
    }

    /// 0.1 + 0.2 is not 0.3, and units that were paid in two parts are no better than those paid in one.
    #[test]
    fn the_rounding_of_sums_is_no_difference() {
        let parts = 0.1 + 0.2;
        let control: Vec<f64> = (0..100).map(|i| if i < 50 { 0.3 } else { parts }).collect();
        let (control, treatment) = (Moments::of(&control).unwrap(), Moments::of(&[parts; 100]).unwrap());
        assert!(control.variance() > Some(0.0), "{control:?}");
        assert_eq!(welch(&control, &treatment, Level::P95), Err(Refusal::OnlyRounding));
        assert_eq!(welch(&treatment, &control, Level::P95), Err(Refusal::OnlyRounding));
        // One arm that varies is enough, and so is little where it is not rounding: milliseconds of a clock.
        let varies = Moments::of(&[1.0, 2.0, 3.0]).unwrap();
        assert!(welch(&control, &varies, Level::P95).is_ok());
        let clock = |second: f64| Moments::new(1_000_000, 1.7e12 + second, 1e6 * 1e6).unwrap();
        assert!(welch(&clock(0.0), &clock(10.0), Level::P95).unwrap().p < 0.01);
    }

    #[test]
    fn what_cannot_be_compared_is_refused() {
        let one = Moments::of(&[1.0]).unwrap();
        let two = Moments::of(&[1.0, 1.0]).unwrap();
        let huge = Moments::new(2, 0.0, f64::MAX).unwrap();
        let huge = huge.merge(&huge);
        assert_eq!(
            welch(&one, &two, Level::P95).unwrap_err().to_string(),
            "too little data: control has `1` of the `2` units that this test needs"
        );
        assert_eq!(welch(&two, &two, Level::P95), Err(Refusal::NoVariance));
        // A merge that overflows is refused where it is compared.
        assert!(welch(&two, &huge, Level::P95).is_err());
    }
}

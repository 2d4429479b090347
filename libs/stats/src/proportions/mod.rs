//! More on proportions than the default test of [`crate::two_proportions`]: exact and score methods for
//! small counts, ratios of rates, and the conventions of other tools.
//!
//! Which to take: from some hundred conversions on they all agree. Below that
//! [`miettinen_nurminen`] has the coverage closest to its level, [`fisher`] never errs more often than
//! it says and pays with power, and the Wald interval is too short.

mod exact;
mod ratio;
mod score;
mod table;

pub use exact::{clopper_pearson, fisher, odds_ratio};
pub use ratio::{log_ratio, pooled_log_ratio, ratio_score, ratio_score_low, ratio_score_test};
pub(crate) use score::restricted;
pub use score::{miettinen_nurminen, score_test};
pub(crate) use table::deviance;
pub use table::{Continuity, likelihood_ratio, pearson};

use crate::comparison::probability;
use crate::estimate::critical;
use crate::{Alternative, Arm, Caution, Estimate, Interval, Level, Method, Proportion, Refusal, Test};
use serde::{Deserialize, Serialize};

/// The z test of `treatment - control` with the variance of each arm by itself (Wald), which is also
/// what Spotify's `ZTest` makes. [`crate::two_proportions`] tests with the pooled variance instead,
/// which is that of the null hypothesis.
///
/// Fails where either rate is close to 0 or 1: with 0 successes in an arm its variance is zero. A [`Caution::Rare`] says so.
///
/// # Errors
/// [`Refusal::TooLittle`] for an arm without units, [`Refusal::NoVariance`] where each arm has only
/// successes or only failures.
pub fn unpooled(control: &Proportion, treatment: &Proportion) -> Result<Estimate, Refusal> {
    let c = control.estimated(Arm::Control)?;
    let t = treatment.estimated(Arm::Treatment)?;
    let se = (c.variance + t.variance).sqrt();
    let estimate = Estimate::new(t.mean - c.mean, se, None, Method::TwoProportionsWald)?;
    Ok(estimate.with_caution(Caution::of_rates(control, treatment)?))
}

/// Agresti and Caffo's interval (2000): Wald's after one success and one failure were added to each
/// arm. It covers well from about ten units an arm on.
///
/// # Errors
/// [`Refusal::TooLittle`] for an arm without units.
pub fn agresti_caffo(
    control: &Proportion,
    treatment: &Proportion,
    level: Level,
) -> Result<Interval, Refusal> {
    let padded = |arm: &Proportion, which| {
        arm.estimated(which)?;
        Proportion::new(arm.successes().saturating_add(1), arm.n().saturating_add(2))
    };
    let interval =
        unpooled(&padded(control, Arm::Control)?, &padded(treatment, Arm::Treatment)?)?.interval(level);
    Ok(Interval { low: interval.low.max(-1.0), high: interval.high.min(1.0) })
}

/// The pooled z test of [`crate::two_proportions`], one-sided or two-sided.
///
/// # Errors
/// [`Refusal::TooLittle`] for an arm without units, [`Refusal::NoVariance`] where all units of both
/// arms have the same outcome.
pub fn pooled_z(
    control: &Proportion,
    treatment: &Proportion,
    alternative: Alternative,
) -> Result<Test, Refusal> {
    let (difference, se, _) = pooled(control, treatment)?;
    Test::of_statistic(difference / se, None, alternative, Method::TwoProportionsZ)
}

/// The difference of the rates, its standard error under one common rate, and that rate.
fn pooled(control: &Proportion, treatment: &Proportion) -> Result<(f64, f64, f64), Refusal> {
    let c = control.estimated(Arm::Control)?;
    let t = treatment.estimated(Arm::Treatment)?;
    let (successes, failures, n) = control.pooled(treatment);
    let variance = (successes / n) * (failures / n) * (1.0 / control.n() as f64 + 1.0 / treatment.n() as f64);
    if variance == 0.0 {
        return Err(Refusal::NoVariance);
    }
    Ok((t.mean - c.mean, variance.sqrt(), successes / n))
}

/// What tea-tasting reports of two proportions: everything with the pooled variance and Yates'
/// continuity correction.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Corrected {
    /// The z test, its statistic moved towards zero by the correction.
    pub test: Test,
    /// Interval of the difference, widened by the correction, within -1 to 1.
    pub interval: Interval,
    /// Interval of the ratio of the rates on the logarithmic scale, widened by the correction over the
    /// control rate.
    pub ratio: Interval,
    /// Why both intervals are to be trusted less than their level says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caution: Option<Caution>,
}

/// The z test with the pooled variance and Yates' continuity correction, two-sided.
///
/// The correction makes the test close to Fisher's, and so as conservative: prefer
/// [`crate::two_proportions`], or [`fisher`] where an exact test is wanted. The intervals use the
/// pooled variance, which is that of the null and not of the estimate: they are offered to reproduce
/// tea-tasting.
///
/// # Errors
/// Those of [`pooled_z`]; [`Refusal::ZeroBaseline`] where control has no success,
/// [`Refusal::OutOfRange`] where treatment has none.
pub fn corrected_z(control: &Proportion, treatment: &Proportion, level: Level) -> Result<Corrected, Refusal> {
    let (difference, se, common) = pooled(control, treatment)?;
    let test = corrected_z_test(control, treatment, Alternative::TwoSided)?;
    let correction = correction(control, treatment);
    let z = critical(None, level.alpha() / 2.0);
    let half_width = z * se + correction;
    let c = ratio::positive_rate(control, Arm::Control)?;
    let t = ratio::positive_rate(treatment, Arm::Treatment)?;
    let log_half_width = z * se / common + correction / c;
    Ok(Corrected {
        test,
        interval: Interval {
            low: (difference - half_width).max(-1.0),
            high: (difference + half_width).min(1.0),
        },
        ratio: Interval { low: t / c * (-log_half_width).exp(), high: t / c * log_half_width.exp() },
        caution: Caution::of_rates(control, treatment)?,
    })
}

/// The test of [`corrected_z`], one-sided or two-sided. One-sided, the correction applies only where
/// the difference points the way that is asked about.
///
/// # Errors
/// Those of [`pooled_z`].
pub fn corrected_z_test(
    control: &Proportion,
    treatment: &Proportion,
    alternative: Alternative,
) -> Result<Test, Refusal> {
    let (difference, se, _) = pooled(control, treatment)?;
    let towards_zero = difference.signum() * (difference.abs() - correction(control, treatment)).max(0.0);
    let corrected = match alternative {
        Alternative::Greater if difference < 0.0 => difference,
        Alternative::Less if difference > 0.0 => difference,
        _ => towards_zero,
    };
    Test::of_statistic(corrected / se, None, alternative, Method::TwoProportionsZCorrected)
}

/// Half a unit in each arm.
fn correction(control: &Proportion, treatment: &Proportion) -> f64 {
    0.5 * (1.0 / control.n() as f64 + 1.0 / treatment.n() as f64)
}

/// A test from the logarithm of an exact p-value.
fn exact_test(statistic: f64, ln_p: f64, method: Method) -> Test {
    let ln_p = ln_p.min(0.0);
    Test { statistic, df: None, p: probability(ln_p), ln_p, method }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::newcombe;
    use proptest::prelude::*;

    fn arm() -> impl Strategy<Value = Proportion> {
        (1..400u64).prop_flat_map(|n| (0..=n).prop_map(move |x| Proportion::new(x, n).unwrap()))
    }

    fn failed(arm: &Proportion) -> Proportion {
        Proportion::new(arm.n() - arm.successes(), arm.n()).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        /// An interval is the set of differences that its test does not reject.
        #[test]
        fn score_ends_are_just_rejected(a in arm(), b in arm()) {
            let interval = miettinen_nurminen(&a, &b, Level::P95).unwrap();
            prop_assert!(interval.contains(b.rate().unwrap() - a.rate().unwrap()));
            for end in [interval.low, interval.high] {
                if end.abs() < 1.0 - 1e-9 && let Ok(test) = score_test(&a, &b, end, Alternative::TwoSided) {
                    prop_assert!((test.p - 0.05).abs() < 1e-6, "{a:?} {b:?} {end} {test:?}");
                }
            }
        }

        /// Counting failures instead of successes turns every difference round.
        #[test]
        fn failures_mirror_successes(a in arm(), b in arm()) {
            let (plain, turned) = (miettinen_nurminen(&a, &b, Level::P95).unwrap(), miettinen_nurminen(&failed(&a), &failed(&b), Level::P95).unwrap());
            prop_assert!((plain.low + turned.high).abs() < 1e-9 && (plain.high + turned.low).abs() < 1e-9);
            let p = |alternative, a: &Proportion, b: &Proportion| fisher(a, b, alternative).unwrap().ln_p;
            let (greater, less) = (p(Alternative::Greater, &a, &b), p(Alternative::Less, &failed(&a), &failed(&b)));
            prop_assert!((greater - less).abs() < 1e-9 * greater.abs().max(1.0), "{greater} {less}");
        }

        /// Fisher's p is never below that of the corrected test by much, and never above one.
        #[test]
        fn intervals_hold_the_estimate(a in arm(), b in arm()) {
            let difference = b.rate().unwrap() - a.rate().unwrap();
            for interval in [newcombe(&a, &b, Level::P95).unwrap(), miettinen_nurminen(&a, &b, Level::P95).unwrap()] {
                prop_assert!(interval.contains(difference));
                prop_assert!(-1.0 <= interval.low && interval.high <= 1.0);
            }
            let exact = clopper_pearson(&a, Level::P95).unwrap();
            prop_assert!(0.0 <= exact.low && exact.high <= 1.0 && exact.contains(a.rate().unwrap()));
        }

        /// The ratio's interval too is the set of ratios that its test does not reject.
        #[test]
        fn ratio_ends_are_just_rejected(a in arm(), b in arm()) {
            prop_assume!(a.successes() > 0 && b.successes() > 0 && a.successes() < a.n());
            let interval = ratio_score(&a, &b, Level::P95).unwrap();
            for end in [interval.low, interval.high] {
                if let Ok(test) = ratio_score_test(&a, &b, end, Alternative::TwoSided) {
                    prop_assert!((test.p - 0.05).abs() < 1e-6, "{end} {test:?}");
                }
            }
        }
    }

    #[test]
    fn what_cannot_be_compared_is_refused() {
        let arm = |x, n| Proportion::new(x, n).unwrap();
        let (none, some, zero, all) = (arm(0, 0), arm(3, 10), arm(0, 10), arm(10, 10));
        let too_little = |which| Refusal::TooLittle { arm: which, have: 0, need: 1 };
        assert_eq!(unpooled(&none, &some), Err(too_little(Arm::Control)));
        assert_eq!(fisher(&some, &none, Alternative::Less), Err(too_little(Arm::Treatment)));
        assert_eq!(miettinen_nurminen(&none, &some, Level::P95), Err(too_little(Arm::Control)));
        assert_eq!(agresti_caffo(&some, &none, Level::P95), Err(too_little(Arm::Treatment)));
        assert_eq!(clopper_pearson(&none, Level::P95), Err(too_little(Arm::Control)));
        assert_eq!(unpooled(&zero, &all), Err(Refusal::NoVariance));
        for flat in [&zero, &all] {
            assert_eq!(pooled_z(flat, flat, Alternative::TwoSided), Err(Refusal::NoVariance));
            assert_eq!(pearson(flat, flat, Continuity::None), Err(Refusal::NoVariance));
            assert_eq!(likelihood_ratio(flat, flat, Continuity::Yates), Err(Refusal::NoVariance));
            assert_eq!(score_test(flat, flat, 0.0, Alternative::TwoSided), Err(Refusal::NoVariance));
            // The exact answers exist.
            assert_eq!(fisher(flat, flat, Alternative::TwoSided).unwrap().p, 1.0);
            let interval = miettinen_nurminen(flat, flat, Level::P95).unwrap();
            assert!(interval.low < -0.2 && interval.high > 0.2);
        }
        assert_eq!(log_ratio(&zero, &some), Err(Refusal::ZeroBaseline));
        assert!(log_ratio(&some, &zero).is_err());
        assert_eq!(ratio_score(&zero, &some, Level::P95), Err(Refusal::ZeroBaseline));
        assert_eq!(ratio_score_low(&none, &some, Level::P95), Err(too_little(Arm::Control)));
        assert_eq!(ratio_score_low(&zero, &zero, Level::P95), Ok(0.0));
        assert_eq!(ratio_score_low(&some, &zero, Level::P95), Ok(0.0));
        assert!(score_test(&some, &some, 1.0, Alternative::Less).is_err());
        assert!(score_test(&some, &some, f64::NAN, Alternative::Less).is_err());
        assert!(odds_ratio(&zero, &some).is_err() && odds_ratio(&zero, &zero).is_err());
        assert_eq!(odds_ratio(&some, &zero), Ok(0.0));
    }

    /// Far beyond the range of `f64`, and for arms of a hundred million.
    #[test]
    fn huge_arms_have_exact_tests_too() {
        let arm = |x, n| Proportion::new(x, n).unwrap();
        let (control, treatment) = (arm(5_000_000, 100_000_000), arm(5_100_000, 100_000_000));
        let exact = fisher(&control, &treatment, Alternative::TwoSided).unwrap();
        let z = pooled_z(&control, &treatment, Alternative::TwoSided).unwrap();
        assert!(exact.ln_p < -500.0 && (exact.ln_p / z.ln_p - 1.0).abs() < 0.01, "{exact:?} {z:?}");
        let ratio = odds_ratio(&control, &treatment).unwrap();
        let plain = (51.0 / 949.0) / (50.0 / 950.0);
        assert!((ratio / plain - 1.0).abs() < 1e-6, "{ratio} {plain}");
    }
}

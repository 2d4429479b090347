//! The relative lift of one mean over another.

use crate::{Interval, Refusal, Relative, RelativeMethod};

/// Within this many standard errors of zero a control mean is too uncertain for the delta method.
const UNCERTAIN_BASELINE: f64 = 3.0;

/// A mean and the variance of that mean.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Estimated {
    pub(crate) mean: f64,
    pub(crate) variance: f64,
}

/// `(m_t - m_c)/|m_c|` with an interval of `q` standard errors.
///
/// Delta method with the error of the control mean (GrowthBook, Eppo and PostHog do the same);
/// Fieller's interval where the control mean is within 3 standard errors of zero; refused where
/// Fieller's interval has no bounds. Never the absolute interval divided by the control mean, which
/// takes that mean for a constant and covers too rarely.
pub(crate) fn relative(control: Estimated, treatment: Estimated, q: f64) -> Result<Relative, Refusal> {
    let (lift, se) = delta(control, treatment)?;
    let c = control.mean;
    let baseline_se = control.variance.sqrt();
    if c.abs() >= UNCERTAIN_BASELINE * baseline_se {
        return Ok(Relative {
            lift,
            se,
            interval: Interval::around(lift, q * se),
            method: RelativeMethod::Delta,
        });
    }
    let interval = fieller_lift(control, treatment, q)?;
    Ok(Relative { lift, se, interval, method: RelativeMethod::Fieller })
}

/// Fieller's interval of the lift; a negative control mean turns the axis round.
pub(crate) fn fieller_lift(control: Estimated, treatment: Estimated, q: f64) -> Result<Interval, Refusal> {
    let c = control.mean;
    let unbounded = Refusal::UnboundedLift { mean: c, se: control.variance.sqrt() };
    let ends = fieller(control, treatment, q).ok_or(unbounded)?;
    let (a, b) = (c.signum() * (ends.low - 1.0), c.signum() * (ends.high - 1.0));
    Ok(Interval { low: a.min(b), high: a.max(b) })
}

/// The lift and its standard error by the delta method.
pub(crate) fn delta(control: Estimated, treatment: Estimated) -> Result<(f64, f64), Refusal> {
    let (c, t) = (control.mean, treatment.mean);
    if c == 0.0 {
        return Err(Refusal::ZeroBaseline);
    }
    let ratio = t / c;
    let lift = (t - c) / c.abs();
    let variance = (treatment.variance + ratio * ratio * control.variance) / (c * c);
    let se = variance.sqrt();
    if !(lift.is_finite() && se.is_finite()) {
        return Err(Refusal::not_finite("relative lift"));
    }
    Ok((lift, se))
}

/// All ratios `r` with `(m_t - r m_c)² <= q² (v_t + r² v_c)`, where that is one bounded interval.
fn fieller(control: Estimated, treatment: Estimated, q: f64) -> Option<Interval> {
    let q2 = q * q;
    let a = control.mean * control.mean - q2 * control.variance;
    let b = control.mean * treatment.mean;
    let c = treatment.mean * treatment.mean - q2 * treatment.variance;
    if a <= 0.0 {
        return None;
    }
    // The estimate itself satisfies the inequality, so that with a > 0 the roots are real.
    let root = (b * b - a * c).max(0.0).sqrt();
    let (low, high) = ((b - root) / a, (b + root) / a);
    (low.is_finite() && high.is_finite()).then_some(Interval { low, high })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use proptest::prelude::*;

    fn estimated(mean: f64, variance: f64) -> Estimated {
        Estimated { mean, variance }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        /// The ends are where the test of `m_t = r m_c` just rejects: the definition of the interval.
        #[test]
        fn fiellers_ends_are_just_rejected(z in 2.0..50.0f64, t in -5.0..5.0f64, vt in 0.01..2.0f64) {
            let (control, treatment) = (estimated(1.0, 1.0 / (z * z)), estimated(t, vt));
            let q = 1.96;
            let ends = fieller(control, treatment, q).unwrap();
            for r in [ends.low, ends.high] {
                let rejects = (t - r).powi(2) / (vt + r * r * control.variance);
                prop_assert!((rejects / (q * q) - 1.0).abs() < 1e-8, "{r}: {rejects}");
            }
        }

        /// With a precise baseline both methods agree.
        #[test]
        fn fieller_and_delta_meet(t in 0.5..2.0f64, v in 0.001..0.01f64) {
            let (control, treatment) = (estimated(1.0, 1e-10), estimated(t, v));
            let delta = relative(control, treatment, 1.96).unwrap().interval;
            let exact = fieller(control, treatment, 1.96).unwrap();
            prop_assert!((delta.low - (exact.low - 1.0)).abs() < 1e-6);
            prop_assert!((delta.high - (exact.high - 1.0)).abs() < 1e-6);
        }

        /// Multiplying a metric by -1 turns the lift round and changes nothing else.
        #[test]
        fn a_mirrored_metric_mirrors_the_lift(c in 0.5..2.0f64, t in -2.0..2.0f64, vc in 0.001..0.06f64, v in 0.001..1.0f64) {
            let plain = relative(estimated(c, vc), estimated(t, v), 1.96);
            let mirrored = relative(estimated(-c, vc), estimated(-t, v), 1.96);
            match (plain, mirrored) {
                (Ok(plain), Ok(mirrored)) => {
                    prop_assert!((plain.lift + mirrored.lift).abs() < 1e-12);
                    prop_assert!((plain.interval.low + mirrored.interval.high).abs() < 1e-9);
                    prop_assert!((plain.interval.high + mirrored.interval.low).abs() < 1e-9);
                    prop_assert_eq!(plain.method, mirrored.method);
                }
                (Err(_), Err(_)) => {}
                other => prop_assert!(false, "{other:?}"),
            }
        }
    }

    #[test]
    fn an_uncertain_baseline_is_named() {
        let treatment = estimated(1.0, 0.1);
        let check = |mean: f64, variance: f64| relative(estimated(mean, variance), treatment, 1.96);
        assert_eq!(check(1.0, 0.01).unwrap().method, RelativeMethod::Delta);
        assert_eq!(check(1.0, 0.2).unwrap().method, RelativeMethod::Fieller);
        assert!(matches!(check(1.0, 0.5), Err(Refusal::UnboundedLift { .. })));
        assert_eq!(check(0.0, 0.5), Err(Refusal::ZeroBaseline));
    }
}

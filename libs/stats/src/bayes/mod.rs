//! Bayesian answers: the chance to win, the expected loss, and how far a prior draws an estimate in.
//!
//! - [`NormalPosterior`], [`Prior`], [`lift`]: the normal model, for anything with a standard error.
//! - [`Beta`], [`BetaComparison`]: rates, exactly, however few the conversions.
//! - [`Prior::fit`], [`Beta::fit`]: priors from past experiments.
//!
//! All integrals are computed by quadrature, not by draws: the same data give the same answer. A chance to
//! win that is looked at daily with a flat prior finds winners that are not there, as any fixed-horizon
//! test does; an informative prior helps as far as it is true. For stopping at any time see
//! [`crate::sequential`].

mod beta;
mod compare;
mod normal;

pub use beta::Beta;
pub use compare::BetaComparison;
pub(crate) use normal::SPAN;
pub use normal::{Lift, NormalPosterior, Prior, Scale, lift};

use crate::quadrature::Rule;
use crate::{Interval, Level, Refusal};

/// A value that is asked about: an infinity has an answer, a NaN has none.
pub(crate) fn a_number(x: f64) -> Result<f64, Refusal> {
    if x.is_nan() { Err(Refusal::out_of_range("a value", "among the numbers", x)) } else { Ok(x) }
}

pub(crate) fn check_range(low: f64, high: f64) -> Result<Interval, Refusal> {
    if low <= high && low.is_finite() && high.is_finite() {
        return Ok(Interval { low, high });
    }
    Err(Refusal::out_of_range(
        "the lower end of a region",
        &format!("at or below the upper one, `{high}`"),
        low,
    ))
}

/// `ln ∫ exp(h)` over the line for a concave `h`, from a point where it is finite and a step that is about
/// as wide as its top. `cuts` are points between which it is smooth. Exact in relative terms however small
/// the integral is.
pub(crate) fn ln_integral(
    start: f64,
    step: f64,
    cuts: &[f64],
    h: impl Fn(f64) -> f64,
) -> Result<f64, Refusal> {
    /// What lies this far below the top is below the rounding of the rest: e⁻⁴⁵ = 3e-20.
    const DEPTH: f64 = 45.0;
    /// Panels double from the top outward: a density may fall like a wall on one side and reach far on the
    /// other.
    const PANELS: i32 = 10;
    let fail = || Refusal::not_converged("an integral over a posterior");
    let (mut x, mut top, mut step) = (start, h(start), step);
    if !(top.is_finite() && step > 0.0 && step.is_finite()) {
        return Err(fail());
    }
    // Uphill in growing steps, then in shrinking ones.
    for _ in 0..400 {
        let (up, down) = (h(x + step), h(x - step));
        if up > top && up >= down {
            (x, top, step) = (x + step, up, step * 2.0);
        } else if down > top {
            (x, top, step) = (x - step, down, step * 2.0);
        } else if top - up.min(down) < 1.0 {
            break;
        } else {
            step *= 0.5;
        }
    }
    let reach = |direction: f64| {
        let mut out = step;
        while h(x + direction * out) > top - DEPTH {
            out *= 2.0;
            if !out.is_finite() {
                return Err(fail());
            }
        }
        // Within a tenth of where it is so deep.
        let mut inside = 0.0;
        while out - inside > 0.05 * out {
            let middle = 0.5 * (inside + out);
            if h(x + direction * middle) > top - DEPTH { inside = middle } else { out = middle }
        }
        Ok(out)
    };
    let mut points = vec![x];
    for direction in [-1.0, 1.0] {
        let out = reach(direction)?;
        points.extend((0..PANELS).map(|panel| x + direction * out * 0.5f64.powi(panel)));
    }
    points.sort_by(f64::total_cmp);
    if let (Some(&low), Some(&high)) = (points.first(), points.last()) {
        points.extend(cuts.iter().filter(|cut| **cut > low && **cut < high));
    }
    points.sort_by(f64::total_cmp);
    let rule = Rule::new(20);
    let mut sum = 0.0;
    for pair in points.windows(2) {
        let &[from, to] = pair else { continue };
        sum += rule.over(from, to, 1).map(|(x, w)| w * (h(x) - top).exp()).sum::<f64>();
    }
    let ln = top + sum.ln();
    if ln.is_finite() { Ok(ln) } else { Err(fail()) }
}

/// The equal-tailed levels of an interval.
pub(crate) fn tails(level: Level) -> [f64; 2] {
    [level.alpha() / 2.0, 1.0 - level.alpha() / 2.0]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        #[test]
        fn a_normal_density_is_integrated(at in -100.0..100.0f64, ln_sd in -12.0..6.0f64, off in -30.0..30.0f64, depth in -1e4..1e2f64) {
            let sd = ln_sd.exp();
            let mean = at * sd;
            let h = |x: f64| depth - 0.5 * ((x - mean) / sd).powi(2);
            let ln = ln_integral(mean + off * sd, sd * 0.3, &[mean], h).unwrap();
            let exact = depth + sd.ln() + 0.5 * (2.0 * core::f64::consts::PI).ln();
            prop_assert!((ln - exact).abs() < 1e-12 * exact.abs().max(10.0), "{ln} {exact}");
        }

        /// A lopsided one: the density of a gamma variable's logarithm.
        #[test]
        fn a_skewed_density_is_integrated(shape in 0.05..50.0f64) {
            let ln = ln_integral(0.0, 1.0, &[], |w| shape * w - w.exp()).unwrap();
            prop_assert!((ln - libm::lgamma(shape)).abs() < 1e-12 * ln.abs().max(1.0), "{shape} {ln}");
        }
    }
}

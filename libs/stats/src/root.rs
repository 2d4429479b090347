//! One root of a function between two points, in a bounded number of steps.

use crate::Refusal;

/// Bisection alone needs this many steps for the whole range of `f64`; interpolation needs about ten.
const MAX_STEPS: usize = 200;

/// The root of `f` between `low` and `high`, to the last few digits of `x` (Chandrupatla 1997: inverse
/// quadratic interpolation where it is safe, bisection where it is not).
///
/// # Errors
/// [`Refusal::NotConverged`] where `f` is not a number, has the same sign at both ends, or the steps
/// run out. `what` names the quantity that is looked for.
pub(crate) fn bracketed(
    what: &str,
    low: f64,
    high: f64,
    mut f: impl FnMut(f64) -> f64,
) -> Result<f64, Refusal> {
    let (mut a, mut b) = (high, low);
    let (mut fa, mut fb) = (f(a), f(b));
    let mut share = 0.5;
    if fa == 0.0 {
        return Ok(a);
    }
    if fb == 0.0 {
        return Ok(b);
    }
    if fa.is_nan() || fb.is_nan() || (fa > 0.0) == (fb > 0.0) {
        return Err(Refusal::not_converged(what));
    }
    for _ in 0..MAX_STEPS {
        let x = a + share * (b - a);
        let fx = f(x);
        if fx.is_nan() {
            break;
        }
        let (c, fc);
        if (fx > 0.0) == (fa > 0.0) {
            (c, fc) = (a, fa);
        } else {
            (c, fc, b, fb) = (b, fb, a, fa);
        }
        (a, fa) = (x, fx);
        let (best, f_best) = if fa.abs() < fb.abs() { (a, fa) } else { (b, fb) };
        let tolerance = 2.0 * f64::EPSILON * best.abs() + f64::MIN_POSITIVE;
        let least = tolerance / (b - a).abs();
        if f_best == 0.0 || least >= 0.5 {
            return Ok(best);
        }
        let xi = (a - b) / (c - b);
        let phi = (fa - fb) / (fc - fb);
        share = if phi * phi < xi && (1.0 - phi) * (1.0 - phi) < 1.0 - xi {
            fa / (fb - fa) * fc / (fb - fc) + (c - a) / (b - a) * fa / (fc - fa) * fb / (fc - fb)
        } else {
            0.5
        };
        share = share.clamp(least, 1.0 - least);
    }
    Err(Refusal::not_converged(what))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_cube_root_is_found(y in -1e6..1e6f64) {
            let x = bracketed("a cube root", -200.0, 200.0, |x| x * x * x - y).unwrap();
            prop_assert!((x - y.cbrt()).abs() <= 1e-13 * y.cbrt().abs().max(1e-3));
        }
    }

    #[test]
    fn what_has_no_root_is_an_error() {
        for f in [|_: f64| 1.0, |x: f64| x * x + 1e-300, |_: f64| f64::NAN] {
            let refusal = bracketed("a root", -1.0, 1.0, f).unwrap_err();
            assert_eq!(refusal.to_string(), "the search for a root did not converge");
        }
        assert_eq!(bracketed("a root", 0.0, 1.0, |x| x).unwrap(), 0.0);
    }

    /// A step is the worst case of interpolation: the number of steps stays bounded.
    #[test]
    fn a_step_is_found_by_bisection() {
        let mut steps = 0;
        let x = bracketed("a step", -1e9, 1e9, |x| {
            steps += 1;
            if x < 1.0 / 3.0 { -1.0 } else { 1e-9 }
        });
        assert!((x.unwrap() - 1.0 / 3.0).abs() < 1e-15 && steps < 150, "{steps}");
    }
}

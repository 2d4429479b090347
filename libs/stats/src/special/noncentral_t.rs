//! Student's t distribution with a noncentrality: what the power of a t test is read from.
//!
//! `T = (Z + ncp)/S` with `S² = χ²/df`. Given `S` the tail is normal, so that the tail of `T` is one
//! integral over the distribution of `ln S`. Its integrand falls off on both sides at least like an
//! exponential and is analytic, so that the trapezoid rule gains digits exponentially; it is refined until it
//! stands still. No recurrence that loses digits in the tails (Lenth's AS 243 does), and no limit on
//! the noncentrality or the degrees of freedom.

use super::{LN_SQRT_2PI, ln_1p_minus, normal, stirling_error};

/// From here on `S` is one to the last bit.
const NORMAL_FROM: f64 = 1e17;

/// The integrand is left where it has fallen below `e⁻⁴²` of its maximum.
const CUT: f64 = 42.0;

/// The trapezoid rule is refined at most to this number of points.
const MAX_POINTS: u32 = 1 << 18;

/// `P(T > t)` for `df` degrees of freedom and the noncentrality `ncp`.
///
/// ```
/// use bellwether_stats::special::noncentral_t;
/// assert!((noncentral_t::sf(2.0, 50.0, 0.5) - 0.0719561732902271).abs() < 1e-12);
/// ```
pub fn sf(t: f64, df: f64, ncp: f64) -> f64 {
    tail(t, df, ncp, true)
}

/// `P(T <= t)`.
pub fn cdf(t: f64, df: f64, ncp: f64) -> f64 {
    tail(t, df, ncp, false)
}

fn tail(t: f64, df: f64, ncp: f64, upper: bool) -> f64 {
    if df.is_nan() || df <= 0.0 || t.is_nan() || !ncp.is_finite() {
        return f64::NAN;
    }
    if t < 0.0 {
        // -T is noncentral with -ncp.
        return tail(-t, df, -ncp, !upper);
    }
    if t == f64::INFINITY {
        return if upper { 0.0 } else { 1.0 };
    }
    if df >= NORMAL_FROM {
        return if upper { normal::sf(t - ncp) } else { normal::cdf(t - ncp) };
    }
    let half = df / 2.0;
    // The density of w = ln S without its constant, and the conditional tail.
    let ln_integrand = |w: f64| {
        let s = w.exp();
        let u = (2.0 * w).exp_m1();
        let deviance = if u.abs() < 0.5 { ln_1p_minus(u) } else { 2.0 * w - u };
        let ln_tail = if upper { normal::ln_sf(t * s - ncp) } else { normal::ln_cdf(t * s - ncp) };
        half * deviance + ln_tail
    };
    let mode = maximum(&ln_integrand);
    let highest = ln_integrand(mode);
    if highest == f64::NEG_INFINITY {
        return 0.0;
    }
    let low = edge(&ln_integrand, mode, highest - CUT, -1.0);
    let high = edge(&ln_integrand, mode, highest - CUT, 1.0);
    let integral = trapezoid(low, high, |w| (ln_integrand(w) - highest).exp());
    // 2 aᵃ e⁻ᵃ / Γ(a) with a = df/2.
    let ln_constant = core::f64::consts::LN_2 + 0.5 * half.ln() - LN_SQRT_2PI - stirling_error(half);
    (ln_constant + highest + integral.ln()).exp().min(1.0)
}

/// Where a function with one maximum has it, on `w` from -40 to 4: outside of that `S` never matters.
fn maximum(f: &impl Fn(f64) -> f64) -> f64 {
    let (mut low, mut high) = (-40.0, 4.0);
    for _ in 0..80 {
        let (a, b) = (low + (high - low) / 3.0, high - (high - low) / 3.0);
        // Where both are -∞ (the normal tail of a huge t·S) the maximum lies to the left.
        if f(a) < f(b) { low = a } else { high = b }
    }
    (low + high) / 2.0
}

/// Where the function has fallen to `level` on one side of its maximum.
fn edge(f: &impl Fn(f64) -> f64, mode: f64, level: f64, side: f64) -> f64 {
    let mut step = 1e-9;
    while f(mode + side * step) > level && step < 1e4 {
        step *= 2.0;
    }
    mode + side * step
}

fn trapezoid(low: f64, high: f64, f: impl Fn(f64) -> f64) -> f64 {
    let width = high - low;
    let mut points = 64u32;
    let mut sum: f64 = (1..points).map(|i| f(low + width * f64::from(i) / f64::from(points))).sum();
    let mut integral = sum * width / f64::from(points);
    while points < MAX_POINTS {
        sum += (0..points).map(|i| f(low + width * (f64::from(i) + 0.5) / f64::from(points))).sum::<f64>();
        points *= 2;
        let refined = sum * width / f64::from(points);
        let still = (refined - integral).abs() <= 4.0 * f64::EPSILON * refined;
        integral = refined;
        if still {
            break;
        }
    }
    integral
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::special::student_t;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        #[test]
        fn without_noncentrality_it_is_students(t in -30.0..30.0f64, ln_df in -0.5..20.0f64) {
            let df = ln_df.exp();
            let (got, expected) = (sf(t, df, 0.0), student_t::sf(t, df));
            prop_assert!((got - expected).abs() <= 1e-11 * expected, "t {t} df {df}: {got:e} {expected:e}");
        }

        #[test]
        fn the_tails_add_up(t in -30.0..30.0f64, ln_df in -0.5..15.0f64, ncp in -20.0..20.0f64) {
            let df = ln_df.exp();
            let sum = sf(t, df, ncp) + cdf(t, df, ncp);
            prop_assert!((sum - 1.0).abs() < 1e-11, "t {t} df {df} ncp {ncp}: {sum}");
        }

        /// At zero only the numerator counts.
        #[test]
        fn at_zero_it_is_normal(ln_df in -0.5..15.0f64, ncp in -20.0..20.0f64) {
            let (got, expected) = (cdf(0.0, ln_df.exp(), ncp), normal::cdf(-ncp));
            prop_assert!((got - expected).abs() <= 1e-12 * expected, "{got} {expected}");
        }

        #[test]
        fn many_degrees_are_normal(t in -5.0..9.0f64, ncp in -3.0..8.0f64) {
            prop_assert!((sf(t, 1e16, ncp) - normal::sf(t - ncp)).abs() < 1e-7);
        }
    }
}

//! Fisher's F distribution, central and noncentral.

use super::beta::{self, Point, incomplete_beta};

fn in_domain(d1: f64, d2: f64) -> bool {
    d1 > 0.0 && d2 > 0.0 && d1.is_finite() && d2.is_finite()
}

/// The point `d1·f/(d1·f + d2)` of a beta distribution with parameters `a` and `b`.
fn point(f: f64, d1: f64, d2: f64, a: f64, b: f64) -> Point {
    let total = d1 * f + d2;
    Point::new(a, b, d1 * f / total, d2 / total)
}

/// `P(F > f)` for `d1` and `d2` degrees of freedom.
pub fn sf(f: f64, d1: f64, d2: f64) -> f64 {
    ln_sf(f, d1, d2).exp()
}

/// `ln P(F > f)`.
pub fn ln_sf(f: f64, d1: f64, d2: f64) -> f64 {
    if !in_domain(d1, d2) || f.is_nan() {
        return f64::NAN;
    }
    if f <= 0.0 {
        return 0.0;
    }
    if f == f64::INFINITY {
        return f64::NEG_INFINITY;
    }
    let (a, b) = (d1 / 2.0, d2 / 2.0);
    incomplete_beta(a, b, point(f, d1, d2, a, b)).ln_upper
}

/// The value that is exceeded with a probability of `tail`.
pub fn upper_quantile(tail: f64, d1: f64, d2: f64) -> f64 {
    if !in_domain(d1, d2) || !(0.0..=1.0).contains(&tail) {
        return f64::NAN;
    }
    if tail == 0.0 {
        return f64::INFINITY;
    }
    if tail == 1.0 {
        return 0.0;
    }
    let (a, b) = (d1 / 2.0, d2 / 2.0);
    // Log-odds of x = d1 f/(d1 f + d2) are ln(d1 f/d2).
    let w = beta::quantile_log_odds(a, b, 1.0 - tail, tail, (a / b).ln());
    w.exp() * d2 / d1
}

/// `P(F > f)` for a noncentral F with noncentrality `lambda`: the power of an analysis of variance.
///
/// A mixture of incomplete beta functions with Poisson weights, summed from the most likely weight
/// outwards until the rest is below `1e-17`; some `20·√lambda` terms.
///
/// ```
/// use bellwether_stats::special::fisher_f;
/// // Four groups of 1,000, effect size f = 0.05, α = 0.05.
/// let critical = fisher_f::upper_quantile(0.05, 3.0, 3996.0);
/// assert!((fisher_f::noncentral_sf(critical, 3.0, 3996.0, 10.0) - 0.7606108281532945).abs() < 1e-9);
/// ```
pub fn noncentral_sf(f: f64, d1: f64, d2: f64, lambda: f64) -> f64 {
    if !in_domain(d1, d2) || f.is_nan() || !(lambda >= 0.0 && lambda.is_finite()) {
        return f64::NAN;
    }
    if f <= 0.0 {
        return 1.0;
    }
    if f == f64::INFINITY {
        return 0.0;
    }
    if lambda == 0.0 {
        return sf(f, d1, d2);
    }
    let half = lambda / 2.0;
    let b = d2 / 2.0;
    let tail = |j: f64| {
        let a = d1 / 2.0 + j;
        incomplete_beta(a, b, point(f, d1, d2, a, b)).upper
    };
    let mode = half.floor();
    let weight = super::poisson::ln_pmf(mode, half).exp();
    let mut sum = weight * tail(mode);
    let (mut j, mut w) = (mode, weight);
    loop {
        j += 1.0;
        w *= half / j;
        sum += w * tail(j);
        if w < 1e-18 * weight.min(1.0) || !j.is_finite() {
            break;
        }
    }
    let (mut j, mut w) = (mode, weight);
    while j > 0.0 && w > 1e-18 * weight {
        w *= j / half;
        j -= 1.0;
        sum += w * tail(j);
    }
    sum.min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::special::student_t;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn one_degree_is_the_square_of_t(t in 0.01..40.0f64, df in 1.0..1e6f64) {
            let (got, expected) = (ln_sf(t * t, 1.0, df), core::f64::consts::LN_2 + student_t::ln_sf(t, df));
            prop_assert!((got - expected).abs() <= 1e-10 * expected.abs().max(1.0), "{got} {expected}");
        }

        #[test]
        fn the_quantile_inverts(ln_tail in -40.0..-0.1f64, d1 in 1.0..50.0f64, d2 in 1.0..1e5f64) {
            let tail = ln_tail.exp();
            let f = upper_quantile(tail, d1, d2);
            prop_assert!((ln_sf(f, d1, d2) - ln_tail).abs() < 1e-9 * ln_tail.abs().max(1.0));
        }

        #[test]
        fn noncentrality_raises_the_tail(f in 0.1..10.0f64, lambda in 0.0..500.0f64, more in 0.1..50.0f64) {
            let tail = |lambda| noncentral_sf(f, 3.0, 40.0, lambda);
            prop_assert!(tail(lambda + more) >= tail(lambda) - 1e-14);
        }
    }
}

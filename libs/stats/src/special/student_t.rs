//! Student's t distribution for any positive, also fractional, number of degrees of freedom.
//!
//! `P(|T| > t)` is an incomplete beta function of `x = df/(df + t²)`, whose critical quantity
//! `a·y - b·x` is known here without cancellation; so one method serves 1.5 and 10⁹ degrees alike.

use super::beta::{Point, incomplete_beta, ln_leading_coefficient, quantile_log_odds};
use super::normal;

/// From here on the distribution is normal to the last bit.
const NORMAL_FROM: f64 = 1e17;

/// Below this `ln x` the tail is its leading term to the last bit, and `x` itself may underflow.
const LEADING_TERM_BELOW: f64 = -600.0;

fn point(t: f64, df: f64) -> Point {
    let total = df + t * t;
    Point { x: df / total, y: t * t / total, lambda: 0.5 * df * (t * t - 1.0) / total }
}

/// `P(T > t)`; accurate in the upper tail.
pub fn sf(t: f64, df: f64) -> f64 {
    if t < 0.0 {
        return 1.0 - sf(-t, df);
    }
    ln_sf(t, df).exp()
}

/// `P(T <= t)`; accurate in the lower tail.
pub fn cdf(t: f64, df: f64) -> f64 {
    sf(-t, df)
}

/// `ln P(T > t)`; for a positive `t` finite far beyond the range of `f64`.
pub fn ln_sf(t: f64, df: f64) -> f64 {
    if df.is_nan() || df <= 0.0 || t.is_nan() {
        return f64::NAN;
    }
    if df >= NORMAL_FROM {
        return normal::ln_sf(t);
    }
    if t < 0.0 {
        return (-sf(-t, df)).ln_1p();
    }
    if t == f64::INFINITY {
        return f64::NEG_INFINITY;
    }
    let ln_x = df.ln() - 2.0 * t.ln();
    if ln_x < LEADING_TERM_BELOW {
        return 0.5 * df * ln_x + ln_leading_coefficient(df / 2.0, 0.5) - core::f64::consts::LN_2;
    }
    let both = incomplete_beta(df / 2.0, 0.5, point(t, df));
    both.ln_lower - core::f64::consts::LN_2
}

/// The value below which a share `p` of the distribution lies.
///
/// ```
/// use bellwether_stats::special::student_t;
/// // The Welch degrees of freedom of a large experiment: a hair outside of the normal 1.95996398.
/// let t = student_t::quantile(0.975, 1e6);
/// assert!((t - 1.95996635681411).abs() < 1e-12);
/// ```
pub fn quantile(p: f64, df: f64) -> f64 {
    if df.is_nan() || df <= 0.0 || !(0.0..=1.0).contains(&p) {
        return f64::NAN;
    }
    if df >= NORMAL_FROM {
        return normal::quantile(p);
    }
    let (tail, sign) = if p <= 0.5 { (p, -1.0) } else { (1.0 - p, 1.0) };
    if tail == 0.5 {
        return 0.0;
    }
    if tail == 0.0 {
        return sign * f64::INFINITY;
    }
    let a = df / 2.0;
    let ln_x = ((2.0 * tail).ln() - ln_leading_coefficient(a, 0.5)) / a;
    if ln_x < LEADING_TERM_BELOW {
        return sign * (0.5 * (df.ln() - ln_x)).exp();
    }
    // The log-odds of x = df/(df + t²) are -ln(t²/df).
    let start = -(2.0 * starting_point(tail, df).ln() - df.ln());
    let w = quantile_log_odds(a, 0.5, 2.0 * tail, 1.0 - 2.0 * tail, start);
    sign * (0.5 * (df.ln() - w)).exp()
}

/// Cornish and Fisher's expansion about the normal quantile; for few degrees of freedom, where it
/// is far off, the quantile of one degree (Cauchy) scaled by the power of the tail.
fn starting_point(tail: f64, df: f64) -> f64 {
    let z = -normal::quantile(tail);
    if df < 3.0 {
        return (core::f64::consts::PI * tail).tan().recip().max(1e-8).powf(1.0 / df.max(0.1));
    }
    z + (z * z * z + z) / (4.0 * df)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        #[test]
        fn quantile_inverts_in_both_tails(ln_df in -0.5..22.0f64, ln_p in -600.0..-0.70f64) {
            let (df, p) = (ln_df.exp(), ln_p.exp());
            let t = -quantile(p, df);
            prop_assume!(t.is_finite());
            let back = ln_sf(t, df);
            prop_assert!((back - p.ln()).abs() <= 1e-12 * p.ln().abs().max(1.0), "df {df} p {p:e} t {t} {back}");
        }

        #[test]
        fn near_the_median_too(ln_df in -0.5..22.0f64, q in 1e-9..0.4f64) {
            let df = ln_df.exp();
            let t = quantile(0.5 + q, df);
            prop_assert!(((cdf(t, df) - 0.5) - q).abs() <= 1e-12 * q + 2e-16, "df {df} q {q} t {t}");
        }

        #[test]
        fn one_degree_is_the_cauchy_distribution(t in 0.0..1e6f64) {
            let expected = (1.0f64).atan2(t) / core::f64::consts::PI;
            prop_assert!((sf(t, 1.0) / expected - 1.0).abs() < 1e-12);
        }

        #[test]
        fn more_degrees_come_closer_to_the_normal(z in 0.5..20.0f64, ln_df in 1.0..20.0f64) {
            let df = ln_df.exp();
            prop_assert!(ln_sf(z, df) >= ln_sf(z, 2.0 * df) - 1e-12);
            prop_assert!(ln_sf(z, df) >= normal::ln_sf(z) - 1e-12);
        }
    }

    #[test]
    fn every_quantile_returns() {
        for df in [1e-3, 0.1, 0.5, 1.0, 1.5, 2.0, 30.0, 1e6, 1e9, 1e16, 1e18, f64::INFINITY] {
            for p in [f64::MIN_POSITIVE, 1e-300, 1e-12, 0.2, 0.499_999_999, 0.5, 0.9, 1.0 - 1e-16] {
                let t = quantile(p, df);
                assert!(!t.is_nan(), "df {df} p {p}");
            }
        }
    }
}

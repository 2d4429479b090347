//! The χ² distribution: survival function, distribution function, quantile.

use super::gamma::{incomplete_gamma, ln_prefactor};
use super::{normal, solve_ln_tail};

fn in_domain(x: f64, df: f64) -> bool {
    df > 0.0 && df.is_finite() && x >= 0.0
}

/// `P(X > x)` for `df` degrees of freedom.
pub fn sf(x: f64, df: f64) -> f64 {
    if !in_domain(x, df) {
        return f64::NAN;
    }
    incomplete_gamma(df / 2.0, x / 2.0).upper
}

/// `ln P(X > x)`; finite far beyond the range of `f64`.
pub fn ln_sf(x: f64, df: f64) -> f64 {
    if !in_domain(x, df) {
        return f64::NAN;
    }
    incomplete_gamma(df / 2.0, x / 2.0).ln_upper
}

/// `P(X <= x)` for `df` degrees of freedom.
pub fn cdf(x: f64, df: f64) -> f64 {
    if !in_domain(x, df) {
        return f64::NAN;
    }
    incomplete_gamma(df / 2.0, x / 2.0).lower
}

/// The value below which a share `p` of the distribution lies.
pub fn quantile(p: f64, df: f64) -> f64 {
    inverse(p, 1.0 - p, df)
}

/// The value above which a share `p` of the distribution lies; keeps the digits of a small `p`.
pub fn upper_quantile(p: f64, df: f64) -> f64 {
    inverse(1.0 - p, p, df)
}

fn inverse(p: f64, q: f64, df: f64) -> f64 {
    if !(0.0..=1.0).contains(&p) || !(0.0..=1.0).contains(&q) || !in_domain(0.0, df) {
        return f64::NAN;
    }
    if p == 0.0 {
        return 0.0;
    }
    if q == 0.0 {
        return f64::INFINITY;
    }
    let a = df / 2.0;
    // Start by Wilson and Hilferty, or where that is not positive by the leading term of the tail.
    let c = 2.0 / (9.0 * df);
    let z = if p <= 0.5 { normal::quantile(p) } else { -normal::quantile(q) };
    let cube = 1.0 - c + z * c.sqrt();
    let leading = (p.ln() + libm::lgamma(a + 1.0)) / a;
    if leading < -600.0 {
        // The leading term to the last bit; it may underflow to zero.
        return 2.0 * leading.exp();
    }
    let start = if cube > 0.1 { (a * cube * cube * cube).ln() } else { leading };
    let from_below = p <= 0.5;
    let target = if from_below { p.ln() } else { q.ln() };
    let w = solve_ln_tail(start, target, |w| {
        let x = w.exp();
        let tails = incomplete_gamma(a, x);
        let derivative = ln_prefactor(a, x);
        if from_below {
            (tails.ln_lower, (derivative - tails.ln_lower).exp())
        } else {
            (tails.ln_upper, -(derivative - tails.ln_upper).exp())
        }
    });
    2.0 * w.exp()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn quantile_inverts(ln_df in -1.0..10.0f64, ln_p in -30.0..-0.7f64) {
            let (df, p) = (ln_df.exp(), ln_p.exp());
            let back = cdf(quantile(p, df), df);
            prop_assert!((back / p - 1.0).abs() < 1e-10, "df {df}, p {p}: {back}");
        }

        #[test]
        fn one_degree_is_the_square_of_a_normal(z in 0.01..37.0f64) {
            let expected = 2.0 * normal::sf(z);
            prop_assert!((sf(z * z, 1.0) / expected - 1.0).abs() < 1e-12);
        }
    }
}

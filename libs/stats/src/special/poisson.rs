//! The Poisson distribution.

use super::{LN_SQRT_2PI, gamma, relative_deviance, stirling_error};

/// `ln P(X = k)` for a mean of `mean`; `k` is a whole number, given as `f64`.
///
/// By Stirling's error and a deviance (Loader 2000), so that large counts lose no digits.
pub fn ln_pmf(k: f64, mean: f64) -> f64 {
    if !(mean >= 0.0 && mean.is_finite() && k >= 0.0 && k.is_finite()) {
        return f64::NAN;
    }
    if mean == 0.0 {
        return if k == 0.0 { 0.0 } else { f64::NEG_INFINITY };
    }
    if k == 0.0 {
        return -mean;
    }
    k * relative_deviance((mean - k) / k, mean / k) - 0.5 * k.ln() - LN_SQRT_2PI - stirling_error(k)
}

/// `ln P(X >= k)`.
pub fn ln_sf_inclusive(k: f64, mean: f64) -> f64 {
    if k <= 0.0 { 0.0 } else { gamma::incomplete_gamma(k, mean).ln_lower }
}

/// `ln P(X <= k)`.
pub fn ln_cdf(k: f64, mean: f64) -> f64 {
    if k < 0.0 { f64::NEG_INFINITY } else { gamma::incomplete_gamma(k.floor() + 1.0, mean).ln_upper }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn the_tails_are_sums(mean in 0.01..60.0f64, k in 0..80u32) {
            let sum: f64 = (0..=k).map(|i| ln_pmf(f64::from(i), mean).exp()).sum();
            prop_assert!((ln_cdf(f64::from(k), mean).exp() - sum).abs() < 1e-13);
            let rest = ln_sf_inclusive(f64::from(k) + 1.0, mean).exp();
            prop_assert!((rest + sum - 1.0).abs() < 1e-13);
        }
    }
}

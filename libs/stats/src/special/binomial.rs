//! The binomial distribution: exact tails, and the exact two-sided test.

use super::beta::{Point, incomplete_beta};
use super::{LN_SQRT_2PI, relative_deviance, stirling_error};

/// Outcomes whose probability is within this share of that of the observed one count as equally likely
/// (R and scipy use the same): rounding must not decide a tie.
pub(crate) const TIE: f64 = 1e-7;

fn in_domain(k: f64, n: f64, p: f64) -> bool {
    (0.0..=1.0).contains(&p) && n >= 0.0 && n.is_finite() && (0.0..=n).contains(&k)
}

/// `ln P(X = k)` of `n` trials that succeed with probability `p`; counts are whole numbers.
///
/// By Stirling's error and deviances (Loader 2000), so that a billion trials lose no digits.
pub fn ln_pmf(k: f64, n: f64, p: f64) -> f64 {
    if !in_domain(k, n, p) {
        return f64::NAN;
    }
    let q = 1.0 - p;
    if p == 0.0 || q == 0.0 {
        let certain = if p == 0.0 { 0.0 } else { n };
        return if k == certain { 0.0 } else { f64::NEG_INFINITY };
    }
    if k == 0.0 {
        return n * (-p).ln_1p();
    }
    if k == n {
        return n * p.ln();
    }
    let rest = n - k;
    let deviance = k * relative_deviance((n * p - k) / k, n * p / k)
        + rest * relative_deviance((n * q - rest) / rest, n * q / rest);
    deviance + stirling_error(n) - stirling_error(k) - stirling_error(rest) - LN_SQRT_2PI
        + 0.5 * (n.ln() - k.ln() - rest.ln())
}

/// `ln P(X <= k)`.
pub fn ln_cdf(k: f64, n: f64, p: f64) -> f64 {
    tails(k, n, p).0
}

/// `ln P(X >= k)`: the observed count included.
pub fn ln_sf_inclusive(k: f64, n: f64, p: f64) -> f64 {
    if k <= 0.0 { 0.0 } else { tails(k - 1.0, n, p).1 }
}

/// `(ln P(X <= k), ln P(X > k))`.
fn tails(k: f64, n: f64, p: f64) -> (f64, f64) {
    if !in_domain(k, n, p) {
        return (f64::NAN, f64::NAN);
    }
    if k == n || p == 0.0 {
        return (0.0, f64::NEG_INFINITY);
    }
    if p == 1.0 {
        return (f64::NEG_INFINITY, 0.0);
    }
    // P(X > k) = I_p(k + 1, n - k).
    let (a, b) = (k + 1.0, n - k);
    let upper = incomplete_beta(a, b, Point::new(a, b, p, 1.0 - p));
    (upper.ln_upper, upper.ln_lower)
}

/// `ln` of the exact two-sided p-value: the probability of all counts that are at most as likely as `k`.
pub fn ln_two_sided(k: f64, n: f64, p: f64) -> f64 {
    if !in_domain(k, n, p) {
        return f64::NAN;
    }
    if p == 0.0 || p == 1.0 {
        return if k == n * p { 0.0 } else { f64::NEG_INFINITY };
    }
    let mode = ((n + 1.0) * p).floor().min(n);
    let limit = ln_pmf(k, n, p) + TIE;
    if k == mode {
        return 0.0;
    }
    if k < mode {
        // The first count above the mode that is as unlikely.
        let other = first(mode, n, |j| ln_pmf(j, n, p) <= limit);
        add(ln_cdf(k, n, p), other.map_or(f64::NEG_INFINITY, |j| ln_sf_inclusive(j, n, p)))
    } else {
        let other = first(n - mode, n, |i| ln_pmf(n - i, n, p) <= limit);
        add(ln_sf_inclusive(k, n, p), other.map_or(f64::NEG_INFINITY, |i| ln_cdf(n - i, n, p)))
    }
    .min(0.0)
}

/// The first whole number from `from` to `to` that satisfies a predicate which stays true from there.
pub(crate) fn first(from: f64, to: f64, holds: impl Fn(f64) -> bool) -> Option<f64> {
    if !holds(to) {
        return None;
    }
    let (mut low, mut high) = (from - 1.0, to);
    while high - low > 1.0 {
        let middle = ((low + high) / 2.0).floor();
        // Above 2^53 not every whole number is an `f64`: two neighbours may be further apart than one.
        if middle <= low || middle >= high {
            break;
        }
        if holds(middle) { high = middle } else { low = middle }
    }
    Some(high)
}

/// `ln(eᵃ + eᵇ)`.
pub(crate) fn add(a: f64, b: f64) -> f64 {
    let (high, low) = if a >= b { (a, b) } else { (b, a) };
    if low == f64::NEG_INFINITY { high } else { high + (low - high).exp().ln_1p() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The search ends where neighbouring numbers are more than one apart.
    #[test]
    fn a_search_among_numbers_beyond_the_whole_ones_ends() {
        let sought = 1.2e19;
        assert_eq!(first(0.0, 1.8e19, |j| j >= sought), Some(sought));
        let p = ln_two_sided(9.1e18, 1.8e19, 0.5);
        assert!(p < 0.0 && !p.is_nan());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn tails_and_test_are_sums(n in 1..60u32, share in 0.0..1.0f64, p in 0.001..0.999f64) {
            let k = (f64::from(n) * share).round();
            let pmf: Vec<f64> = (0..=n).map(|i| ln_pmf(f64::from(i), f64::from(n), p).exp()).collect();
            let own = ln_pmf(k, f64::from(n), p).exp();
            let lower: f64 = pmf.iter().take(k as usize + 1).sum();
            let both: f64 = pmf.iter().filter(|&&x| x <= own * (1.0 + TIE)).sum();
            prop_assert!((ln_cdf(k, f64::from(n), p).exp() - lower).abs() < 1e-12);
            prop_assert!((ln_two_sided(k, f64::from(n), p).exp() - both.min(1.0)).abs() < 1e-12);
        }
    }

    #[test]
    fn a_billion_trials_keep_their_digits() {
        // Far beyond the range of f64, and close to the normal tail with z = 63.2: ln p about -2,001.
        let ln_p = ln_two_sided(501_000_000.0, 1e9, 0.5);
        assert!((-2_010.0..-2_000.0).contains(&ln_p), "{ln_p}");
    }
}

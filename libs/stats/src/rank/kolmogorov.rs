//! Kolmogorov and Smirnov's test of two distributions.

use super::{Sorted, tally};
use crate::{Arm, Method, Refusal, Test};

/// Up to this product of the sizes of the arms the p-value is exact (half a second).
pub const EXACT_CELLS: u64 = 100_000_000;

/// Kolmogorov and Smirnov's two-sided test of "both distributions are the same"; the statistic is the
/// largest distance between the two distribution functions.
///
/// The p-value is exact up to [`EXACT_CELLS`], by the probability that a path through the merged values leaves
/// the band, added up where it leaves; beyond that by Kolmogorov's limit. Both are for values without
/// ties; with ties they are conservative.
///
/// # Errors
/// [`Refusal::TooLittle`] for an arm without values, [`Refusal::OutOfRange`] for one that is not finite.
///
/// ```
/// use bellwether_stats::rank::kolmogorov_smirnov;
/// let test = kolmogorov_smirnov(&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0]).unwrap();
/// assert!(test.statistic == 1.0 && (test.p - 0.1).abs() < 1e-15);
/// ```
pub fn kolmogorov_smirnov(control: &[f64], treatment: &[f64]) -> Result<Test, Refusal> {
    let c = Sorted::new(control, Arm::Control, 1)?;
    let t = Sorted::new(treatment, Arm::Treatment, 1)?;
    let (n, m) = (control.len() as u64, treatment.len() as u64);
    // In units of 1/(n·m), without rounding.
    let (mut below_c, mut below_t, mut largest) = (0u64, 0u64, 0u128);
    for (of_c, of_t) in tally(&c, &t) {
        below_c += of_c;
        below_t += of_t;
        largest = largest.max(distance((below_c, n), (below_t, m)));
    }
    let statistic = largest as f64 / (n as f64 * m as f64);
    if n.saturating_mul(m) <= EXACT_CELLS {
        let p = leaves_band(n, m, largest);
        return Test::new(statistic, None, p.ln(), Method::KolmogorovSmirnovExact);
    }
    let effective = c.len() * t.len() / (c.len() + t.len());
    Test::new(statistic, None, ln_limit(effective.sqrt() * statistic), Method::KolmogorovSmirnov)
}

/// `|i/n - j/m|` in units of `1/(n·m)`.
fn distance((i, n): (u64, u64), (j, m): (u64, u64)) -> u128 {
    (u128::from(i) * u128::from(m)).abs_diff(u128::from(j) * u128::from(n))
}

/// The probability that a random order of `n` and `m` values is at some point `limit` or more apart.
fn leaves_band(n: u64, m: u64, limit: u128) -> f64 {
    if limit == 0 {
        return 1.0;
    }
    // inside[j]: the probability to come to (i, j) without having left.
    let mut inside = vec![0.0; m as usize + 1];
    let mut left = 0.0;
    for i in 0..=n {
        let mut from_beside = 0.0;
        for (j, slot) in inside.iter_mut().enumerate() {
            let j = j as u64;
            // What came from (i - 1, j) lies here already; (0, 0) is the start.
            let mut here = if i == 0 && j == 0 { 1.0 } else { *slot + from_beside };
            if distance((i, n), (j, m)) >= limit {
                left += here;
                here = 0.0;
            }
            let rest = (n - i) + (m - j);
            let per_value = if rest == 0 { 0.0 } else { here / rest as f64 };
            *slot = per_value * (n - i) as f64;
            from_beside = per_value * (m - j) as f64;
        }
    }
    left.min(1.0)
}

/// `ln P(K > x)` of Kolmogorov's distribution.
pub(crate) fn ln_limit(x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x < 1.0 {
        let f = |k: f64| (-(2.0 * k - 1.0).powi(2) * core::f64::consts::PI.powi(2) / (8.0 * x * x)).exp();
        let cdf = (2.0 * core::f64::consts::PI).sqrt() / x * (f(1.0) + f(2.0) + f(3.0));
        return (-cdf).ln_1p();
    }
    // 2 Σ (-1)^(k-1) exp(-2k²x²), over its first term.
    let over_first = |k: f64| (-2.0 * (k * k - 1.0) * x * x).exp();
    core::f64::consts::LN_2 - 2.0 * x * x + (1.0 - over_first(2.0) + over_first(3.0) - over_first(4.0)).ln()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn the_series_meet() {
        assert!((ln_limit(1.0 - 1e-12) - ln_limit(1.0)).abs() < 1e-10);
        // Kolmogorov's 5 % point.
        assert!((ln_limit(1.358_098_8).exp() - 0.05).abs() < 1e-7);
        assert!((ln_limit(40.0) + 3_200.0 - core::f64::consts::LN_2).abs() < 1e-9);
    }

    /// scipy's exact count of paths (1.17.1, `ks_2samp`). In the far tail the limit is 6 % off, also for
    /// three thousand units an arm.
    #[test]
    fn the_exact_probability_is_that_of_scipy() {
        let (n, m) = (3_000, 3_001);
        for (d, expected) in [
            (0.02, 0.575_479_628_698_223_6),
            (0.04, 0.015_819_032_534_817_933),
            (0.06, 3.831_039_962_675_960_6e-5),
        ] {
            let exact = leaves_band(n, m, f64::ceil(d * (n * m) as f64) as u128);
            assert!((exact / expected - 1.0).abs() < 1e-9, "{d}: {exact}");
            let limit = ln_limit((n as f64 * m as f64 / (n + m) as f64).sqrt() * d).exp();
            assert!((exact / limit - 1.0).abs() < 0.07, "{d}: {exact} {limit}");
        }
    }
}

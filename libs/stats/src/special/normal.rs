//! The standard normal distribution: `cdf`, `sf` (survival function), their logarithms, `quantile`.

use super::LN_SQRT_2PI;
use core::f64::consts::FRAC_1_SQRT_2;

/// Density `φ(x)`.
pub fn pdf(x: f64) -> f64 {
    exp_minus_half_square(x) * (-LN_SQRT_2PI).exp()
}

/// Distribution function `Φ(x)`; accurate in the lower tail.
pub fn cdf(x: f64) -> f64 {
    sf(-x)
}

/// Survival function `1 - Φ(x)`; accurate in the upper tail, down to the smallest `f64`.
///
/// ```
/// use bellwether_stats::special::normal;
/// let p = 2.0 * normal::sf(22.5);
/// assert!(p > 0.0 && p < 1e-110);
/// ```
pub fn sf(x: f64) -> f64 {
    if x < 5.0 { 0.5 * libm::erfc(x * FRAC_1_SQRT_2) } else { pdf(x) * mills_ratio(x) }
}

/// `ln Φ(x)`.
pub fn ln_cdf(x: f64) -> f64 {
    ln_sf(-x)
}

/// `ln(1 - Φ(x))`; finite for every finite `x`.
pub fn ln_sf(x: f64) -> f64 {
    if x < -1.0 {
        (-sf(-x)).ln_1p()
    } else if x < 5.0 {
        sf(x).ln()
    } else {
        -0.5 * x * x - LN_SQRT_2PI + mills_ratio(x).ln()
    }
}

/// `(1 - Φ(x)) / φ(x)` for `x >= 5`, by its continued fraction `1/(x + 1/(x + 2/(x + ...)))`.
pub(super) fn mills_ratio(x: f64) -> f64 {
    if x == f64::INFINITY {
        return 0.0;
    }
    // At x = 5 forty levels are exact to the last bit; further out fewer would do.
    let mut tail = x;
    for k in (1..=40).rev() {
        tail = x + f64::from(k) / tail;
    }
    1.0 / tail
}

/// `exp(-x²/2)` with the square split, so that its rounding does not reach the exponent (W. Cody).
fn exp_minus_half_square(x: f64) -> f64 {
    let x = x.abs();
    if x > 1e3 {
        return 0.0;
    }
    let head = (x * 16.0).trunc() / 16.0;
    let rest = (x - head) * (x + head);
    (-0.5 * head * head).exp() * (-0.5 * rest).exp()
}

/// Quantile `Φ⁻¹(p)`: Wichura's AS 241 followed by one Newton step on the logarithm of the tail.
///
/// `0` and `1` give the infinities. For an upper critical value use `-quantile(alpha)`, which keeps
/// small `alpha` exact.
pub fn quantile(p: f64) -> f64 {
    if !(0.0..=1.0).contains(&p) {
        return f64::NAN;
    }
    if p == 0.0 {
        return f64::NEG_INFINITY;
    }
    if p == 1.0 {
        return f64::INFINITY;
    }
    if p > 0.5 {
        return -lower_quantile(1.0 - p);
    }
    lower_quantile(p)
}

/// The quantile for `0 < p <= ½`, which is never positive.
fn lower_quantile(p: f64) -> f64 {
    let x = as241(p);
    if x > -0.1 {
        // Close to the median the tail hardly changes; the step is taken on the central area.
        let area = 0.5 * libm::erf(x * FRAC_1_SQRT_2);
        return x - (area - (p - 0.5)) / pdf(x);
    }
    let ln_tail = ln_cdf(x);
    let slope = (-0.5 * x * x - LN_SQRT_2PI - ln_tail).exp();
    x - (ln_tail - p.ln()) / slope
}

/// Wichura (1988), algorithm AS 241, PPND16, for `0 < p <= ½`.
fn as241(p: f64) -> f64 {
    let q = p - 0.5;
    if q.abs() <= 0.425 {
        let r = 0.180_625 - q * q;
        return q * ratio(r, &CENTRE);
    }
    let r = (-p.ln()).sqrt();
    if r <= 5.0 { -ratio(r - 1.6, &MIDDLE) } else { -ratio(r - 5.0, &FAR) }
}

/// Two polynomials by rising power, numerator and denominator.
type Rational = ([f64; 8], [f64; 8]);

fn ratio(r: f64, (numerator, denominator): &Rational) -> f64 {
    let horner = |c: &[f64; 8]| c.iter().rev().fold(0.0, |sum, k| sum * r + k);
    horner(numerator) / horner(denominator)
}

const CENTRE: Rational = (
    [
        3.387_132_872_796_366_5,
        133.141_667_891_784_38,
        1_971.590_950_306_551_3,
        13_731.693_765_509_46,
        45_921.953_931_549_87,
        67_265.770_927_008_7,
        33_430.575_583_588_13,
        2_509.080_928_730_122_7,
    ],
    [
        1.0,
        42.313_330_701_600_91,
        687.187_007_492_057_9,
        5_394.196_021_424_751,
        21_213.794_301_586_597,
        39_307.895_800_092_71,
        28_729.085_735_721_943,
        5_226.495_278_852_854,
    ],
);

const MIDDLE: Rational = (
    [
        1.423_437_110_749_683_5,
        4.630_337_846_156_545,
        5.769_497_221_460_691,
        3.647_848_324_763_204_5,
        1.270_458_252_452_368_4,
        0.241_780_725_177_450_6,
        0.022_723_844_989_269_184,
        7.745_450_142_783_414e-4,
    ],
    [
        1.0,
        2.053_191_626_637_759,
        1.676_384_830_183_803_8,
        0.689_767_334_985_1,
        0.148_103_976_427_480_08,
        0.015_198_666_563_616_457,
        5.475_938_084_995_345e-4,
        1.050_750_071_644_416_9e-9,
    ],
);

const FAR: Rational = (
    [
        6.657_904_643_501_103,
        5.463_784_911_164_114,
        1.784_826_539_917_291_3,
        0.296_560_571_828_504_87,
        0.026_532_189_526_576_124,
        0.001_242_660_947_388_078_4,
        2.711_555_568_743_487_6e-5,
        2.010_334_399_292_288_1e-7,
    ],
    [
        1.0,
        0.599_832_206_555_888,
        0.136_929_880_922_735_8,
        0.014_875_361_290_850_615,
        7.868_691_311_456_133e-4,
        1.846_318_317_510_054_8e-5,
        1.421_511_758_316_446e-7,
        2.044_263_103_389_939_8e-15,
    ],
);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn quantile_inverts_the_lower_tail(ln_p in -690.0..-0.694f64) {
            let p = ln_p.exp();
            let back = ln_cdf(quantile(p));
            prop_assert!((back - p.ln()).abs() <= 1e-14 * p.ln().abs().max(1.0), "{p:e}");
        }

        #[test]
        fn the_tails_add_up(x in -8.0..8.0f64) {
            prop_assert!((cdf(x) + sf(x) - 1.0).abs() < 4e-16);
        }

        #[test]
        fn the_survival_function_falls(x in -10.0..37.0f64, step in 1e-3..1.0f64) {
            prop_assert!(sf(x + step) <= sf(x));
        }
    }

    #[test]
    fn the_methods_meet_without_a_step() {
        let mills = pdf(5.0) * mills_ratio(5.0);
        let erfc = 0.5 * libm::erfc(5.0 * FRAC_1_SQRT_2);
        assert!((mills / erfc - 1.0).abs() < 1e-14);
    }
}

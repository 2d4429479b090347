//! The incomplete gamma function and the pieces that keep large arguments exact.
//!
//! Prefactors such as `xᵃ e⁻ˣ / Γ(a)` are the difference of huge logarithms; they are written as a
//! deviance plus the error of Stirling's formula (C. Loader, 2000), so that a million users lose no
//! digits.

use super::{LN_SQRT_2PI, Tails, normal};

/// Enough: both expansions take a few times `√a` terms near `x = a`, some hundred far from it, and from
/// [`LARGE`] on those near are not asked.
const MAX_TERMS: u32 = 100_000;

/// From here on, within a tenth of `x = a`, the uniform expansion has all digits with three orders.
const LARGE: f64 = 1e6;

/// `ln Γ(z) - [(z - ½) ln z - z + ln √(2π)]` for `z > 0`.
pub(crate) fn stirling_error(z: f64) -> f64 {
    if z < 10.0 {
        return libm::lgamma(z) - ((z - 0.5) * z.ln() - z + LN_SQRT_2PI);
    }
    let r = 1.0 / (z * z);
    let series =
        1.0 / 1260.0 + r * (-1.0 / 1680.0 + r * (1.0 / 1188.0 + r * (-691.0 / 360_360.0 + r / 156.0)));
    (1.0 / 12.0 + r * (-1.0 / 360.0 + r * series)) / z
}

/// `ln(1 + u) - u`, without the cancellation near zero.
pub(crate) fn ln_1p_minus(u: f64) -> f64 {
    if u.abs() > 0.1 {
        return u.ln_1p() - u;
    }
    // ln(1+u) - u = -u²/2 + u³/3 - ...; at |u| = 0.1 seventeen terms reach 1e-17.
    let mut sum = 0.0;
    for k in (2..=18).rev() {
        let k = f64::from(k);
        sum = sum * -u + 1.0 / k;
    }
    -u * u * sum
}

/// `ln(1 + u) - u`, where `1 + u` is given too: close to the mean `u` has the digits, close to an
/// end of the range `1 + u` has them.
pub(super) fn relative_deviance(u: f64, one_plus_u: f64) -> f64 {
    if u.abs() < 0.5 { ln_1p_minus(u) } else { one_plus_u.ln() - u }
}

/// `ln( xᵃ e⁻ˣ / Γ(a) )`, the derivative of the incomplete gamma function by `ln x`.
pub(super) fn ln_prefactor(a: f64, x: f64) -> f64 {
    0.5 * a.ln() - LN_SQRT_2PI + a * relative_deviance((x - a) / a, x / a) - stirling_error(a)
}

/// Regularised incomplete gamma function: `lower` is `P(a, x)`, `upper` is `Q(a, x)`.
pub(super) fn incomplete_gamma(a: f64, x: f64) -> Tails {
    incomplete_gamma_beyond(a, x, x - a)
}

/// The same of `x = a + beyond`, where the difference has more digits than `x`.
pub(super) fn incomplete_gamma_beyond(a: f64, x: f64, beyond: f64) -> Tails {
    if x <= 0.0 {
        return Tails::from_ln_lower(f64::NEG_INFINITY);
    }
    if x == f64::INFINITY {
        return Tails::from_ln_upper(f64::NEG_INFINITY);
    }
    if a >= LARGE && beyond.abs() <= 0.1 * a {
        return uniform(a, beyond / a);
    }
    if x < a + 1.0 {
        // P = prefactor / a · (1 + x/(a+1) + x²/((a+1)(a+2)) + ...)
        let mut term = 1.0;
        let mut sum = 1.0;
        let mut denominator = a;
        for _ in 0..MAX_TERMS {
            denominator += 1.0;
            term *= x / denominator;
            sum += term;
            if term < sum * f64::EPSILON * 0.25 {
                break;
            }
        }
        Tails::from_ln_lower((ln_prefactor(a, x) + (sum / a).ln()).min(0.0))
    } else {
        // Legendre's continued fraction for Q, by the modified Lentz method.
        let mut b = x + 1.0 - a;
        let mut c = 1.0 / f64::MIN_POSITIVE;
        let mut d = 1.0 / b;
        let mut h = d;
        for i in 1..MAX_TERMS {
            let i = f64::from(i);
            let numerator = -i * (i - a);
            b += 2.0;
            d = 1.0 / nonzero(numerator * d + b);
            c = nonzero(b + numerator / c);
            let factor = d * c;
            h *= factor;
            if (factor - 1.0).abs() < f64::EPSILON {
                break;
            }
        }
        Tails::from_ln_upper((ln_prefactor(a, x) + h.ln()).min(0.0))
    }
}

/// Temme's (1979) expansion, uniform in `u = x/a - 1`: a normal tail at `η√a`, where `η²/2 = u - ln(1 + u)`, and
/// `φ(η√a)/√a · Σ Cₖ(η)/aᵏ`. The coefficients are the Taylor series of the `Cₖ`, in exact fractions, rounded.
fn uniform(a: f64, u: f64) -> Tails {
    const C: [&[f64]; 3] = [
        &[
            -0.3333333333333333,
            0.08333333333333333,
            -0.014814814814814815,
            0.0011574074074074073,
            0.0003527336860670194,
            -0.0001787551440329218,
            3.919263178522438e-05,
            -2.185448510679992e-06,
            -1.85406221071516e-06,
            8.296711340953087e-07,
            -1.7665952736826078e-07,
            6.707853543401498e-09,
            1.0261809784240309e-08,
        ],
        &[
            -0.001851851851851852,
            -0.003472222222222222,
            0.0026455026455026454,
            -0.0009902263374485596,
            0.00020576131687242798,
            -4.018775720164609e-07,
        ],
        &[0.004133597883597883, -0.0026813271604938273, 0.0007716049382716049],
    ];
    let far = (-2.0 * ln_1p_minus(u)).sqrt();
    let eta = far.copysign(u);
    let z = far * a.sqrt();
    let order = |coefficients: &[f64]| coefficients.iter().rev().fold(0.0, |sum, c| sum * eta + c);
    let sum = C.iter().rev().fold(0.0, |sum, coefficients| sum / a + order(coefficients));
    let ln_sf = normal::ln_cdf(-z);
    // φ(z) over its tail; far out the difference of the logarithms has no digits left.
    let hazard =
        if z < 5.0 { (-0.5 * z * z - LN_SQRT_2PI - ln_sf).exp() } else { 1.0 / normal::mills_ratio(z) };
    let ln_tail = |sign: f64| (ln_sf + (sign * hazard * sum / a.sqrt()).ln_1p()).min(0.0);
    if u >= 0.0 { Tails::from_ln_upper(ln_tail(1.0)) } else { Tails::from_ln_lower(ln_tail(-1.0)) }
}

fn nonzero(x: f64) -> f64 {
    if x.abs() < f64::MIN_POSITIVE { f64::MIN_POSITIVE } else { x }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stirling_error_has_no_step_where_the_methods_meet() {
        let below = libm::lgamma(10.0) - ((10.0 - 0.5) * 10f64.ln() - 10.0 + LN_SQRT_2PI);
        assert!((stirling_error(10.0) - below).abs() < 5e-15);
    }

    #[test]
    fn ln_1p_minus_has_no_step_where_the_methods_meet() {
        for u in [0.1, -0.1, 0.05, -0.05] {
            let direct = f64::ln_1p(u) - u;
            assert!((ln_1p_minus(u) - direct).abs() < 2e-17, "{u}");
        }
    }

    /// `ln` of the smaller tail, by mpmath 1.4 with 40 digits.
    #[test]
    fn large_arguments_have_all_digits() {
        for (a, u, exact) in [
            (1e6, 0.003, -6.598_991_510_666_552),
            (1e6, -0.08, -3_386.910_047_998_852),
            (1e10, 1e-4, -53.227_953_029_732_27),
            (1e10, -2e-5, -3.783_208_066_237_635),
            (1e15, 1e-7, -7.152_759_308_901_187),
        ] {
            let tails = incomplete_gamma_beyond(a, a + u * a, u * a);
            let ours = tails.ln_lower.min(tails.ln_upper);
            assert!((ours / exact - 1.0).abs() < 2e-15, "{a} {u}: {ours}");
        }
    }

    /// Where the expansion takes over from the series and from the fraction nothing changes.
    #[test]
    fn the_expansion_has_no_step_where_the_methods_meet() {
        for u in [-0.0999, -0.05, -1e-3, 0.0, 2e-3, 0.05, 0.0999] {
            let by = |a: f64| incomplete_gamma(a, a + u * a);
            let (below, above) = (by(LARGE * (1.0 - 1e-15)), by(LARGE));
            for (below, above) in [(below.ln_lower, above.ln_lower), (below.ln_upper, above.ln_upper)] {
                assert!((below - above).abs() <= 1e-11 * above.abs().max(1e-3), "{u}: {below} {above}");
            }
        }
    }

    #[test]
    fn one_degree_of_the_gamma_is_exponential() {
        for x in [1e-8, 0.3, 1.0, 1.9, 2.1, 30.0, 700.0] {
            let tails = incomplete_gamma(1.0, x);
            assert!((tails.ln_upper + x).abs() <= 1e-14 * x.max(1e-2), "{x}");
        }
    }
}

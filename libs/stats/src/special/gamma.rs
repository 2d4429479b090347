//! The incomplete gamma function and the pieces that keep large arguments exact.
//!
//! Prefactors such as `xᵃ e⁻ˣ / Γ(a)` are the difference of huge logarithms; they are written as a
//! deviance plus the error of Stirling's formula (C. Loader, 2000), so that a million users lose no
//! digits.

use super::{LN_SQRT_2PI, Tails};

/// Enough for arguments up to about `1e9`: both expansions take a few times `√a` terms.
const MAX_TERMS: u32 = 1_000_000;

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
    if x <= 0.0 {
        return Tails::from_ln_lower(f64::NEG_INFINITY);
    }
    if x == f64::INFINITY {
        return Tails::from_ln_upper(f64::NEG_INFINITY);
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

    #[test]
    fn one_degree_of_the_gamma_is_exponential() {
        for x in [1e-8, 0.3, 1.0, 1.9, 2.1, 30.0, 700.0] {
            let tails = incomplete_gamma(1.0, x);
            assert!((tails.ln_upper + x).abs() <= 1e-14 * x.max(1e-2), "{x}");
        }
    }
}

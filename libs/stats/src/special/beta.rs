//! The beta distribution (regularised incomplete beta function) and its quantile.

use super::{LN_SQRT_2PI, Tails, relative_deviance, solve_ln_tail, stirling_error};

/// Below this logarithm a tail is its leading term to the last bit, for parameters that matter there.
const LEADING_TERM_BELOW: f64 = -600.0;

/// A few times the square root of the larger parameter is needed.
const MAX_TERMS: u32 = 1_000_000;

/// A point of the unit interval that keeps both distances, and the one quantity in which they cancel.
#[derive(Debug, Clone, Copy)]
pub(super) struct Point {
    /// Distance from 0.
    pub(super) x: f64,
    /// Distance from 1.
    pub(super) y: f64,
    /// `a·y - b·x`: positive below the mean.
    pub(super) lambda: f64,
}

impl Point {
    pub(super) fn new(a: f64, b: f64, x: f64, y: f64) -> Self {
        Self { x, y, lambda: a * y - b * x }
    }

    pub(super) fn from_log_odds(a: f64, b: f64, w: f64) -> Self {
        // Each from its own exponential, so that neither is 1 minus the other.
        Self::new(a, b, 1.0 / (1.0 + (-w).exp()), 1.0 / (1.0 + w.exp()))
    }

    pub(super) fn mirrored(self) -> Self {
        Self { x: self.y, y: self.x, lambda: -self.lambda }
    }
}

/// `ln( xᵃ yᵇ / B(a, b) )`, the derivative of the incomplete beta function by the log-odds of `x`.
pub(super) fn ln_prefactor(a: f64, b: f64, at: Point) -> f64 {
    let deviance = a * relative_deviance(-at.lambda / a, at.x * (a + b) / a)
        + b * relative_deviance(at.lambda / b, at.y * (a + b) / b);
    0.5 * (a.ln() + b.ln() - (a + b).ln()) - LN_SQRT_2PI + deviance + stirling_error(a + b)
        - stirling_error(a)
        - stirling_error(b)
}

/// The logarithm of `I_x(a, b) / xᵃ` as `x` goes to zero.
pub(super) fn ln_leading_coefficient(a: f64, b: f64) -> f64 {
    libm::lgamma(a + b) - libm::lgamma(a + 1.0) - libm::lgamma(b)
}

/// `I_x(a, b)` as the lower tail.
pub(super) fn incomplete_beta(a: f64, b: f64, at: Point) -> Tails {
    if at.x <= 0.0 {
        return Tails::from_ln_lower(f64::NEG_INFINITY);
    }
    if at.y <= 0.0 {
        return Tails::from_ln_upper(f64::NEG_INFINITY);
    }
    if at.lambda >= 0.0 { below_the_mean(a, b, at) } else { below_the_mean(b, a, at.mirrored()).swapped() }
}

/// A beta distribution at a point given by its log-odds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AtLogOdds {
    /// Of the density by the log-odds.
    pub(crate) ln_density: f64,
    pub(crate) ln_lower: f64,
    pub(crate) ln_upper: f64,
}

pub(crate) fn at_log_odds(a: f64, b: f64, w: f64) -> AtLogOdds {
    let at = Point::from_log_odds(a, b, w);
    let tails = incomplete_beta(a, b, at);
    AtLogOdds { ln_density: ln_prefactor(a, b, at), ln_lower: tails.ln_lower, ln_upper: tails.ln_upper }
}

/// The even part of the classical continued fraction (Didonato and Morris 1992, eq. 9). Written in
/// `lambda` it has no cancellation when one parameter is huge, which is the t distribution of a
/// large experiment; the usual form loses nine digits there.
fn below_the_mean(a: f64, b: f64, at: Point) -> Tails {
    let Point { x, y, lambda } = at;
    let beta = |n: f64| {
        n + n * (b - n) * x / (a + 2.0 * n - 1.0)
            + (a + n) / (a + 2.0 * n + 1.0) * (lambda + 1.0 + n * (1.0 + y))
    };
    let mut numerator = (0.0, 1.0);
    let mut denominator = (1.0, (a / (a + 1.0)) * (lambda + 1.0));
    let mut value = numerator.1 / denominator.1;
    for n in 1..MAX_TERMS {
        let n = f64::from(n);
        let half = (a + 2.0 * n - 1.0).recip();
        let alpha = (a + n - 1.0) * half * (a + b + n - 1.0) * half * n * (b - n) * x * x;
        let beta = beta(n);
        let next = (alpha * numerator.0 + beta * numerator.1, alpha * denominator.0 + beta * denominator.1);
        // Rescaled at every step: only ratios matter.
        let previous = value;
        value = next.0 / next.1;
        numerator = (numerator.1 / next.1, value);
        denominator = (denominator.1 / next.1, 1.0);
        if (value - previous).abs() <= f64::EPSILON * value.abs() {
            break;
        }
    }
    Tails::from_ln_lower((ln_prefactor(a, b, at) + value.ln()).min(0.0))
}

fn in_domain(a: f64, b: f64) -> bool {
    a > 0.0 && b > 0.0 && a.is_finite() && b.is_finite()
}

/// `P(X <= x)` for a beta distribution with parameters `a` and `b`.
pub fn cdf(x: f64, a: f64, b: f64) -> f64 {
    if !in_domain(a, b) || !(0.0..=1.0).contains(&x) {
        return f64::NAN;
    }
    incomplete_beta(a, b, Point::new(a, b, x, 1.0 - x)).lower
}

/// `P(X > x)` for a beta distribution with parameters `a` and `b`.
pub fn sf(x: f64, a: f64, b: f64) -> f64 {
    if !in_domain(a, b) || !(0.0..=1.0).contains(&x) {
        return f64::NAN;
    }
    incomplete_beta(a, b, Point::new(a, b, x, 1.0 - x)).upper
}

/// The value below which a share `p` of the distribution lies.
pub fn quantile(p: f64, a: f64, b: f64) -> f64 {
    if !in_domain(a, b) || !(0.0..=1.0).contains(&p) {
        return f64::NAN;
    }
    if p == 0.0 || p == 1.0 {
        return p;
    }
    let w = quantile_log_odds(a, b, p, 1.0 - p, (a / b).ln());
    Point::from_log_odds(a, b, w).x
}

/// The value above which a share `p` of the distribution lies; keeps the digits of a small `p`.
pub fn upper_quantile(p: f64, a: f64, b: f64) -> f64 {
    if !in_domain(a, b) || !(0.0..=1.0).contains(&p) {
        return f64::NAN;
    }
    if p == 0.0 || p == 1.0 {
        return 1.0 - p;
    }
    let w = quantile_log_odds(a, b, 1.0 - p, p, (a / b).ln());
    Point::from_log_odds(a, b, w).x
}

/// The log-odds `w` of the quantile, from both probabilities `p + q = 1` and a starting point.
pub(super) fn quantile_log_odds(a: f64, b: f64, p: f64, q: f64, start: f64) -> f64 {
    let from_below = p <= q;
    let target = if from_below { p.ln() } else { q.ln() };
    // So far out that the distance from the end is its leading term to the last bit, and may underflow.
    let (near, far) = if from_below { (a, b) } else { (b, a) };
    let leading = (target - ln_leading_coefficient(near, far)) / near;
    if leading < LEADING_TERM_BELOW {
        return if from_below { leading } else { -leading };
    }
    solve_ln_tail(start, target, |w| {
        let at = Point::from_log_odds(a, b, w);
        let tails = incomplete_beta(a, b, at);
        let derivative = ln_prefactor(a, b, at);
        if from_below {
            (tails.ln_lower, (derivative - tails.ln_lower).exp())
        } else {
            (tails.ln_upper, -(derivative - tails.ln_upper).exp())
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn quantile_inverts(ln_a in -1.0..12.0f64, ln_b in -1.0..12.0f64, p in 1e-9..0.999_999f64) {
            let (a, b) = (ln_a.exp(), ln_b.exp());
            let x = quantile(p, a, b);
            // Within a few units in the last place of x, which the density turns into probability.
            let at = Point::new(a, b, x, 1.0 - x);
            let slack = 1e-10 * p + 4.0 * f64::EPSILON * (ln_prefactor(a, b, at).exp() / at.y.max(1e-300));
            prop_assert!((cdf(x, a, b) - p).abs() <= slack, "a {a} b {b} p {p} x {x}");
        }

        #[test]
        fn one_parameter_of_one_is_a_power(ln_a in -2.0..9.0f64, x in 1e-6..0.999_999f64) {
            let a = ln_a.exp();
            let expected = a * x.ln();
            let got = incomplete_beta(a, 1.0, Point::new(a, 1.0, x, 1.0 - x)).ln_lower;
            prop_assert!((got - expected).abs() <= 1e-11 * expected.abs().max(1e-2), "{got} {expected}");
        }

        #[test]
        fn mirrored_parameters_swap_the_tails(ln_a in -1.0..10.0f64, ln_b in -1.0..10.0f64, x in 0.001..0.999f64) {
            let (a, b) = (ln_a.exp(), ln_b.exp());
            let (lower, upper) = (cdf(x, a, b), sf(1.0 - x, b, a));
            prop_assert!((lower - upper).abs() <= 1e-10 * lower.max(1e-200), "{lower} {upper}");
        }
    }
}

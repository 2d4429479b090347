//! Special functions of the statistics room: distribution functions and their inverses, accurate
//! in both tails.
//!
//! What they promise:
//! - the small tail is computed by itself, never as `1 - cdf`, and its logarithm is available past
//!   the range of `f64` (a p-value of `1e-112` is that number, not zero);
//! - every inverse returns after a bounded number of steps, for every degree of freedom;
//! - outside of the domain (a NaN, a negative number of degrees of freedom, a probability above 1)
//!   the answer is NaN, as everywhere in floating-point arithmetic. The rooms above never ask there.
//!
//! They are checked against R's `nmath` (`tests/golden`, family `distributions`).

pub mod beta;
pub mod binomial;
pub mod chi_squared;
pub mod fisher_f;
mod gamma;
pub mod noncentral_t;
pub mod normal;
pub mod poisson;
pub mod student_t;

use gamma::relative_deviance;
pub(crate) use gamma::{ln_1p_minus, stirling_error};

/// Logarithms of the lower and the upper regularised incomplete gamma function.
pub(crate) fn ln_incomplete_gamma(a: f64, x: f64) -> (f64, f64) {
    ln_incomplete_gamma_beyond(a, x, x - a)
}

/// The same of `x = a + beyond`, where the difference has more digits than `x`.
pub(crate) fn ln_incomplete_gamma_beyond(a: f64, x: f64, beyond: f64) -> (f64, f64) {
    let tails = gamma::incomplete_gamma_beyond(a, x, beyond);
    (tails.ln_lower, tails.ln_upper)
}

/// `ln √(2π)`.
const LN_SQRT_2PI: f64 = 0.918_938_533_204_672_8;

/// At most this many Newton steps; from our starting points fewer than twenty are taken.
const MAX_NEWTON_STEPS: usize = 100;

/// Both tails of a distribution at one point, with the logarithm of the smaller one.
#[derive(Debug, Clone, Copy)]
struct Tails {
    lower: f64,
    upper: f64,
    /// Computed natively for the smaller tail; for the larger one from its complement.
    ln_lower: f64,
    ln_upper: f64,
}

impl Tails {
    /// From the logarithm of the lower tail, where that is the smaller one (or at most about 0.7).
    fn from_ln_lower(ln_lower: f64) -> Self {
        let lower = ln_lower.exp();
        Self { lower, upper: -ln_lower.exp_m1(), ln_lower, ln_upper: ln_of_complement(ln_lower) }
    }

    fn from_ln_upper(ln_upper: f64) -> Self {
        Self::from_ln_lower(ln_upper).swapped()
    }

    fn swapped(self) -> Self {
        Self { lower: self.upper, upper: self.lower, ln_lower: self.ln_upper, ln_upper: self.ln_lower }
    }
}

/// `ln(1 - exp(x))` for `x <= 0`.
fn ln_of_complement(x: f64) -> f64 {
    if x > -core::f64::consts::LN_2 { (-x.exp_m1()).ln() } else { (-x.exp()).ln_1p() }
}

/// Solves `ln tail(w) = ln_target` by Newton's method.
///
/// `tail(w)` gives the logarithm of a tail and its derivative. All our tails are log-concave in the
/// variable chosen by the caller (the logarithm, or the log-odds, of the argument), so that one
/// Newton step lands on the steep side of the root and the following ones approach it from there.
fn solve_ln_tail(start: f64, ln_target: f64, tail: impl Fn(f64) -> (f64, f64)) -> f64 {
    // Far out on the flat side the first step would be enormous; it is taken in pieces.
    const LONGEST_STEP: f64 = 20.0;
    let mut w = start;
    for _ in 0..MAX_NEWTON_STEPS {
        let (ln_tail, slope) = tail(w);
        let step = ((ln_tail - ln_target) / slope).clamp(-LONGEST_STEP, LONGEST_STEP);
        if !step.is_finite() {
            return f64::NAN;
        }
        w -= step;
        if step.abs() <= f64::EPSILON * w.abs().max(1.0) {
            break;
        }
    }
    w
}

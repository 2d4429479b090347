//! Asymptotic confidence sequences: intervals and p-values that hold at every look.

use crate::{Level, Method, Refusal};
use serde::{Deserialize, Serialize};

/// The number of units, over both arms, at which a confidence sequence is tightest.
///
/// The default, 5,000, is GrowthBook's. Far from the tuning the interval is wider, never wrong.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Tuning(f64);

impl Tuning {
    /// From a number of units, at least 1.
    pub fn new(units: f64) -> Result<Self, Refusal> {
        if units >= 1.0 && units.is_finite() {
            return Ok(Self(units));
        }
        Err(Refusal::out_of_range("the tuning of a confidence sequence", "at 1 unit or above", units))
    }
}

impl Default for Tuning {
    fn default() -> Self {
        Self(5_000.0)
    }
}

impl TryFrom<f64> for Tuning {
    type Error = Refusal;
    fn try_from(units: f64) -> Result<Self, Refusal> {
        Self::new(units)
    }
}

impl From<Tuning> for f64 {
    fn from(tuning: Tuning) -> Self {
        tuning.0
    }
}

/// Whether both directions are asked about, or one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sides {
    /// Only one direction.
    One,
    /// Both.
    Two,
}

/// An asymptotic confidence sequence (Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas), in the form
/// that GrowthBook, Eppo and confseq use: a normal mixture with the closed approximation of the
/// optimal `ρ`, and for one side `ρ` at `2α`.
///
/// Asymptotic: it needs a minimum of data before the first look, which the caller sees to (see
/// [`crate::MIN_UNITS`]), and units that arrive with a constant allocation. Where the allocation
/// changes, compare within each epoch.
///
/// ```
/// use bellwether_stats::{ConfidenceSequence, Level, Sides, Tuning};
/// let sequence = ConfidenceSequence::new(Level::P95, Tuning::default(), Sides::Two);
/// // 5,000 units so far, a difference of 0.04 with a standard error of 0.01: 3.03 errors to either side.
/// let half = sequence.half_width(0.01, 5_000).unwrap();
/// assert!((half - 0.0303).abs() < 1e-4);
/// // Zero is outside, and p below 5 %, at whatever look this was.
/// assert!(0.04 - half > 0.0 && sequence.ln_p(0.04 / 0.01, 5_000).unwrap().exp() < 0.05);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ConfidenceSequence {
    rho_squared: f64,
    alpha: f64,
    sides: Sides,
}

impl ConfidenceSequence {
    /// How it is made.
    pub const METHOD: Method = Method::AsymptoticConfidenceSequence;

    /// A sequence of the confidence given, tightest at the tuning.
    pub fn new(level: Level, tuning: Tuning, sides: Sides) -> Self {
        let alpha = level.alpha();
        let log = doubled_log(alpha, sides);
        Self { rho_squared: (log + log.ln_1p()) / tuning.0, alpha, sides }
    }

    /// As [`ConfidenceSequence::new`], with the `ρ` that is exactly tightest at the tuning instead of its
    /// closed approximation, `ρ² = (-W₋₁(-α²/e) - 1)/N`: about 1 % narrower there at 95 %. Peers use the
    /// approximation, which is why it is the default.
    pub fn exactly_tuned(level: Level, tuning: Tuning, sides: Sides) -> Self {
        let alpha = level.alpha();
        let log = doubled_log(alpha, sides);
        // With y = -W - 1 Lambert's equation is y - ln(1 + y) = -2 ln α: convex, so that Newton's steps
        // from above descend to the root. One-sided at alpha near ½ there is nothing to tune for.
        let mut y = log + log.ln_1p() + 1.0;
        for _ in 0..50 {
            let step = (y - y.ln_1p() - log) * (1.0 + y) / y;
            y -= step;
            if step.abs() <= f64::EPSILON * y {
                break;
            }
        }
        Self { rho_squared: y / tuning.0, alpha, sides }
    }

    /// Its error rate and its sides.
    pub(crate) fn test(&self) -> (f64, Sides) {
        (self.alpha, self.sides)
    }

    /// `ρ`, the parameter of the mixture, as the literature prints it.
    pub fn rho(&self) -> f64 {
        self.rho_squared.sqrt()
    }

    /// Distance from the estimate to an end of the interval, from the standard error of the estimate
    /// and the number of units `n` over both arms. One-sided: the other end is infinite.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] for a standard error that is negative or not finite, [`Refusal::TooFew`] without units,
    /// [`Refusal::NotFinite`] where the width overflows.
    pub fn half_width(&self, se: f64, n: u64) -> Result<f64, Refusal> {
        if !(se >= 0.0 && se.is_finite()) {
            return Err(Refusal::out_of_range("a standard error", "at 0 or above", se));
        }
        let growth = self.growth(n)?;
        let ln_root = 0.5 * growth.ln_1p();
        let log = match self.sides {
            Sides::Two => ln_root - self.alpha.ln(),
            // ln(1 + eˣ), whatever the x.
            Sides::One => {
                let x = ln_root - (2.0 * self.alpha).ln();
                x + (-x).exp().ln_1p()
            }
        };
        let width = se * (2.0 * (growth + 1.0) / growth * log).sqrt();
        if width.is_finite() { Ok(width) } else { Err(Refusal::not_finite("interval")) }
    }

    /// `N ρ²`.
    fn growth(&self, n: u64) -> Result<f64, Refusal> {
        if n == 0 { Err(Refusal::too_few("units", 0, 1)) } else { Ok(n as f64 * self.rho_squared) }
    }

    /// `ln p` of this look: the smallest error rate, at this `ρ`, whose interval leaves out a
    /// hypothesis `z` standard errors from the estimate. One-sided, only a positive `z` speaks
    /// against it. The always-valid p-value is the smallest of all looks so far.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] for a `z` that is not finite, [`Refusal::TooFew`] without units, [`Refusal::NotFinite`]
    /// where the square of `z` overflows.
    pub fn ln_p(&self, z: f64, n: u64) -> Result<f64, Refusal> {
        if !z.is_finite() {
            return Err(Refusal::out_of_range("a z statistic", "among the finite numbers", z));
        }
        let growth = self.growth(n)?;
        let exponent = 0.5 * z * z * growth / (growth + 1.0);
        let ln_root = 0.5 * growth.ln_1p();
        let ln_p = match self.sides {
            Sides::Two => ln_root - exponent,
            // p = root / (2 (eˣ - 1)); for a large x, eˣ - 1 overflows and its logarithm is x.
            Sides::One if z <= 0.0 => 0.0,
            Sides::One if exponent > 40.0 => ln_root - core::f64::consts::LN_2 - exponent,
            Sides::One => ln_root - core::f64::consts::LN_2 - exponent.exp_m1().ln(),
        };
        if ln_p.is_finite() { Ok(ln_p.min(0.0)) } else { Err(Refusal::not_finite("p-value's logarithm")) }
    }
}

/// `-2 ln α`, one-sided at `2α`.
fn doubled_log(alpha: f64, sides: Sides) -> f64 {
    -2.0 * match sides {
        Sides::Two => alpha.ln(),
        Sides::One => (2.0 * alpha).ln(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::NormalMixture;
    use proptest::prelude::*;

    fn sides() -> impl Strategy<Value = Sides> {
        prop_oneof![Just(Sides::One), Just(Sides::Two)]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        /// The p-value at the end of the interval is alpha: both are one boundary.
        #[test]
        fn the_ends_have_p_alpha(alpha in 1e-6..0.2f64, tuning in 10.0..1e7f64, n in 2..100_000_000u64, sides in sides()) {
            let level = Level::from_alpha(alpha).unwrap();
            let sequence = ConfidenceSequence::new(level, Tuning::new(tuning).unwrap(), sides);
            let z = sequence.half_width(1.0, n).unwrap();
            prop_assert!((sequence.ln_p(z, n).unwrap() - alpha.ln()).abs() < 1e-9);
        }

        /// The exact tuning is a minimum of the width at its number of units, over all `ρ`.
        #[test]
        fn the_exact_tuning_is_tightest(alpha in 1e-8..0.4f64, tuning in 10.0..1e7f64) {
            let level = Level::from_alpha(alpha).unwrap();
            let units = Tuning::new(tuning.round()).unwrap();
            let exact = ConfidenceSequence::exactly_tuned(level, units, Sides::Two);
            let width = |factor: f64| {
                let other = ConfidenceSequence { rho_squared: exact.rho_squared * factor, ..exact };
                other.half_width(1.0, tuning.round() as u64).unwrap()
            };
            for factor in [0.9, 0.99, 1.01, 1.1] {
                prop_assert!(width(factor) > width(1.0));
            }
            let near = ConfidenceSequence::new(level, units, Sides::Two).half_width(1.0, tuning.round() as u64).unwrap();
            prop_assert!(near >= width(1.0) * (1.0 - 1e-14));
        }

        /// The one-sided p-value falls without steps over (0, 1] (GrowthBook's is clipped at both ends).
        #[test]
        fn p_is_continuous(z in -3.0..30.0f64, n in 200..10_000_000u64, sides in sides()) {
            let sequence = ConfidenceSequence::new(Level::P95, Tuning::default(), sides);
            let (here, beside) = (sequence.ln_p(z, n).unwrap(), sequence.ln_p(z + 1e-7, n).unwrap());
            prop_assert!(here <= 0.0 && here.is_finite());
            prop_assert!((here - beside).abs() < 1e-3);
            if z > 0.0 {
                prop_assert!(beside <= here);
            }
        }

        /// GrowthBook's form is the mixture with `τ² = V·N·ρ²`.
        #[test]
        fn it_is_a_normal_mixture(se in 1e-6..1e3f64, n in 2..10_000_000u64) {
            let sequence = ConfidenceSequence::new(Level::P95, Tuning::default(), Sides::Two);
            let tau_squared = se * se * n as f64 * sequence.rho().powi(2);
            let mixture = NormalMixture::new(tau_squared).unwrap();
            let (a, b) = (sequence.half_width(se, n).unwrap(), mixture.half_width(se * se, Level::P95).unwrap());
            prop_assert!((a / b - 1.0).abs() < 1e-12);
        }

        #[test]
        fn one_side_is_tighter_than_two(n in 2..100_000_000u64) {
            let [one, two] = [Sides::One, Sides::Two]
                .map(|sides| ConfidenceSequence::new(Level::P95, Tuning::default(), sides).half_width(1.0, n).unwrap());
            prop_assert!(one < two);
        }
    }
}

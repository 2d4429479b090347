//! E-values: evidence that may be multiplied, averaged, and looked at at any time.

use crate::comparison::probability;
use crate::{Level, Refusal};
use serde::{Deserialize, Serialize};

/// Evidence against a null hypothesis: a number that is at least 0 and, where the null is true, at most 1
/// in expectation. `20` is what a p-value of `0.05` promises, and more honest: by Markov's inequality
/// `1/e` is a p-value, and no looking spoils it.
///
/// Kept by its logarithm, so that the product of a million factors neither overflows nor vanishes.
///
/// ```
/// use bellwether_stats::sequential::EValue;
/// let [monday, tuesday] = [EValue::new(4.0).unwrap(), EValue::new(6.0).unwrap()];
/// assert!((monday.and(tuesday).p() - 1.0 / 24.0).abs() < 1e-15);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct EValue {
    /// Never NaN, never plus infinity; minus infinity is an e-value of zero.
    ln: f64,
}

/// JSON has no infinity: zero is written as no logarithm.
#[derive(Serialize, Deserialize)]
struct Stored {
    ln: Option<f64>,
}

impl TryFrom<Stored> for EValue {
    type Error = Refusal;
    fn try_from(stored: Stored) -> Result<Self, Refusal> {
        Self::from_ln(stored.ln.unwrap_or(f64::NEG_INFINITY))
    }
}

impl From<EValue> for Stored {
    fn from(e: EValue) -> Self {
        Self { ln: (e.ln > f64::NEG_INFINITY).then_some(e.ln) }
    }
}

impl EValue {
    /// No evidence either way.
    pub const ONE: Self = Self { ln: 0.0 };
    /// What cannot be under the alternative.
    pub const ZERO: Self = Self { ln: f64::NEG_INFINITY };

    /// From the value itself.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] for a value that is negative or not finite.
    pub fn new(value: f64) -> Result<Self, Refusal> {
        if value >= 0.0 && value.is_finite() {
            return Ok(Self { ln: value.ln() });
        }
        Err(Refusal::out_of_range("an e-value", "at 0 or above, and be finite", value))
    }

    /// From its natural logarithm; minus infinity is zero.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] for plus infinity and for what is not a number.
    pub fn from_ln(ln: f64) -> Result<Self, Refusal> {
        if ln < f64::INFINITY {
            return Ok(Self { ln });
        }
        Err(Refusal::out_of_range("the logarithm of an e-value", "below infinity", ln))
    }

    /// From a p-value, `κ·p^(κ-1)` (Vovk and Wang 2021). Something is lost: a p-value of 0.01 is worth an
    /// e-value of 5 at `κ = ½`.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] for a p-value outside of (0, 1], or a `κ` outside of (0, 1).
    pub fn from_p(p: f64, kappa: f64) -> Result<Self, Refusal> {
        if !(p > 0.0 && p <= 1.0) {
            return Err(Refusal::out_of_range("a p-value", "above 0, up to 1", p));
        }
        if !(kappa > 0.0 && kappa < 1.0) {
            return Err(Refusal::out_of_range("the kappa of a calibrator", "between 0 and 1", kappa));
        }
        Ok(Self { ln: kappa.ln() + (kappa - 1.0) * p.ln() })
    }

    /// The natural logarithm.
    pub fn ln(self) -> f64 {
        self.ln
    }

    /// The value; infinite where it is beyond the range of `f64`, unlike its logarithm.
    pub fn value(self) -> f64 {
        self.ln.exp()
    }

    /// `min(1, 1/e)`: a p-value, never zero.
    pub fn p(self) -> f64 {
        probability(-self.ln.max(0.0))
    }

    /// Whether the null is rejected: `e ≥ 1/alpha`.
    pub fn rejects(self, level: Level) -> bool {
        self.ln >= -level.alpha().ln()
    }

    /// The product: evidence from independent data, or from new data whose e-value holds given all that
    /// was seen before. Not for two e-values of the same data.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        // Evidence past e^(1e308) stays there; zero times that is zero.
        let ln = self.ln + other.ln;
        Self { ln: if ln.is_nan() { f64::NEG_INFINITY } else { ln.min(f64::MAX) } }
    }

    /// The average, which is an e-value whatever the dependence: of several bets on the same data, or of
    /// several tests of one null.
    ///
    /// # Errors
    /// [`Refusal::TooFew`] for none.
    pub fn average(values: &[Self]) -> Result<Self, Refusal> {
        let weighted: Vec<(Self, f64)> = values.iter().map(|&e| (e, 1.0)).collect();
        Self::weighted_average(&weighted)
    }

    /// The average with weights that were chosen before the data; they need not add up to one.
    ///
    /// # Errors
    /// [`Refusal::TooFew`] for none, [`Refusal::OutOfRange`] for a weight that is negative or not finite,
    /// or where all are zero.
    pub fn weighted_average(values: &[(Self, f64)]) -> Result<Self, Refusal> {
        if values.is_empty() {
            return Err(Refusal::too_few("e-values", 0, 1));
        }
        if let Some((_, bad)) = values.iter().find(|(_, w)| !(*w >= 0.0 && w.is_finite())) {
            return Err(Refusal::out_of_range("a weight", "at 0 or above", bad));
        }
        let total: f64 = values.iter().map(|(_, w)| w).sum();
        if !(total > 0.0 && total.is_finite()) {
            return Err(Refusal::out_of_range("the sum of weights", "above 0", total));
        }
        let largest = values.iter().map(|(e, _)| e.ln).fold(f64::NEG_INFINITY, f64::max);
        if largest == f64::NEG_INFINITY {
            return Ok(Self::ZERO);
        }
        let sum: f64 = values.iter().map(|(e, w)| w / total * (e.ln - largest).exp()).sum();
        Ok(Self { ln: largest + sum.ln() })
    }
}

/// Evidence that grows as data come in: at whatever time one stops, the current value is an e-value.
///
/// By Ville's inequality the highest value so far is as good for rejecting: it is `1/alpha` or more at any
/// time with probability at most alpha. The highest value is not an e-value itself: to combine processes,
/// average (or, for independent streams, multiply) the current values of all of them at each look and
/// [`EProcess::observe`] the result.
///
/// ```
/// use bellwether_stats::sequential::{EProcess, EValue};
/// let mut process = EProcess::default();
/// for factor in [3.0, 9.0, 0.1] {
///     process.multiply(EValue::new(factor).unwrap());
/// }
/// assert!((process.current().value() - 2.7).abs() < 1e-12);
/// assert!((process.p() - 1.0 / 27.0).abs() < 1e-15);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EProcess {
    current: EValue,
    highest: EValue,
}

impl Default for EProcess {
    fn default() -> Self {
        Self { current: EValue::ONE, highest: EValue::ONE }
    }
}

impl EProcess {
    /// Takes the e-value of the data since the last look, given all before.
    pub fn multiply(&mut self, factor: EValue) {
        self.observe(self.current.and(factor));
    }

    /// Takes the value of the process at this look, where it is computed from all data (such as a mixture
    /// likelihood ratio) or from other processes.
    pub fn observe(&mut self, value: EValue) {
        self.current = value;
        if value > self.highest {
            self.highest = value;
        }
    }

    /// The e-value now.
    pub fn current(&self) -> EValue {
        self.current
    }

    /// The highest value at any look so far, at least one.
    pub fn highest(&self) -> EValue {
        self.highest
    }

    /// The p-value that holds at every look: the smallest so far. Never zero.
    pub fn p(&self) -> f64 {
        self.highest.p()
    }

    /// Whether the null is rejected, now or at any look before.
    pub fn rejects(&self, level: Level) -> bool {
        self.highest.rejects(level)
    }
}

/// Which nulls to reject so that false rejections are at most a share `alpha` of all in expectation,
/// whatever the dependence between the e-values (e-BH, Wang and Ramdas 2022): those of the `k` largest,
/// for the largest `k` with `e_(k) ≥ m/(alpha·k)`.
pub fn e_benjamini_hochberg(values: &[EValue], level: Level) -> Vec<bool> {
    let mut sorted: Vec<f64> = values.iter().map(|e| e.ln).collect();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let m = values.len() as f64;
    let needed = |k: usize| (m / (level.alpha() * k as f64)).ln();
    let passing = sorted.iter().enumerate().rev().find(|&(i, ln)| *ln >= needed(i + 1));
    let threshold = passing.map_or(f64::INFINITY, |(_, ln)| *ln);
    values.iter().map(|e| e.ln >= threshold).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use proptest::prelude::*;

    fn e(value: f64) -> EValue {
        EValue::new(value).unwrap()
    }

    proptest! {
        /// A calibrator is an e-value: over uniform p it is one in expectation.
        #[test]
        fn a_calibrated_p_is_one_in_expectation(kappa in 0.2..0.9f64) {
            let rule = crate::quadrature::Rule::new(30);
            // p = uᵐ takes the singularity at zero away.
            let m = 2.0 / kappa;
            let mean: f64 = rule
                .over(0.0, 1.0, 10)
                .map(|(u, w)| w * m * u.powf(m - 1.0) * EValue::from_p(u.powf(m), kappa).unwrap().value())
                .sum();
            prop_assert!((mean - 1.0).abs() < 1e-9, "{mean}");
        }

        #[test]
        fn an_average_lies_between(values in proptest::collection::vec(0.0..1e6f64, 1..20)) {
            let all: Vec<EValue> = values.iter().map(|&v| e(v)).collect();
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            let ours = EValue::average(&all).unwrap().value();
            prop_assert!((ours - mean).abs() <= 1e-12 * mean);
        }

        /// The definition, tried for every k.
        #[test]
        fn e_bh_is_its_definition(values in proptest::collection::vec(0.0..400.0f64, 0..12), alpha in 0.01..0.4f64) {
            let level = Level::from_alpha(alpha).unwrap();
            let all: Vec<EValue> = values.iter().map(|&v| e(v)).collect();
            let ours = e_benjamini_hochberg(&all, level);
            let m = values.len();
            let count = |k: usize| values.iter().filter(|v| **v >= m as f64 / (alpha * k as f64)).count();
            let k = (1..=m).rev().find(|&k| count(k) >= k).unwrap_or(0);
            prop_assert_eq!(ours.iter().filter(|r| **r).count(), if k == 0 { 0 } else { count(k) });
        }

        #[test]
        fn what_is_written_is_read(ln in -1e5..1e5f64) {
            let process = EProcess { current: EValue::ZERO, highest: EValue::from_ln(ln).unwrap() };
            let text = serde_json::to_string(&process).unwrap();
            prop_assert_eq!(serde_json::from_str::<EProcess>(&text).unwrap(), process);
        }
    }

    #[test]
    fn a_million_factors_neither_overflow_nor_vanish() {
        let mut process = EProcess::default();
        (0..1_000_000).for_each(|_| process.multiply(e(1.01)));
        assert!((process.current().ln() - 1e6 * 1.01f64.ln()).abs() < 1e-4);
        assert!(process.p() > 0.0);
        process.multiply(EValue::ZERO);
        assert_eq!(process.current().value(), 0.0);
        assert!(process.rejects(Level::P99));
        assert_eq!(EValue::ZERO.and(EValue { ln: f64::MAX }), EValue::ZERO);
    }

    #[test]
    fn what_is_no_e_value_is_refused() {
        let texts = [EValue::new(-1.0), EValue::new(f64::NAN), EValue::new(f64::INFINITY)]
            .map(|r| r.unwrap_err().to_string());
        assert_eq!(texts[0], "an e-value must lie at 0 or above, and be finite: `-1`");
        assert!(EValue::from_ln(f64::NAN).is_err() && EValue::from_ln(f64::INFINITY).is_err());
        assert!(EValue::from_p(0.0, 0.5).is_err() && EValue::from_p(0.5, 1.0).is_err());
        assert_eq!(
            EValue::average(&[]).unwrap_err().to_string(),
            "too little data: `0` e-values, this method needs `1`"
        );
        assert!(EValue::weighted_average(&[(EValue::ONE, 0.0)]).is_err());
        assert!(EValue::weighted_average(&[(EValue::ONE, -1.0)]).is_err());
        assert_eq!(EValue::average(&[EValue::ZERO]).unwrap(), EValue::ZERO);
    }
}

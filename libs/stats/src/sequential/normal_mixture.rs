//! The normal mixture: one boundary under the names mSPRT and confidence sequence.

use crate::sequential::EValue;
use crate::special::normal;
use crate::{Level, Method, Refusal};

/// A normal prior with variance `τ²` on the effect, mixed over the likelihood ratio against zero.
///
/// The ratio is a martingale under the null, so that `1/Λ` holds as a p-value at every look (keep the
/// running minimum), and the interval at every look at once. GrowthBook, Eppo and the mSPRT differ in
/// `τ²` only; [`crate::ConfidenceSequence`] picks it by a tuning.
///
/// ```
/// use bellwether_stats::NormalMixture;
/// let mixture = NormalMixture::new(1e-4).unwrap();
/// let (estimate, variance) = (0.01, 2.5e-5);
/// let ln_ratio = mixture.ln_likelihood_ratio(estimate, variance).unwrap();
/// assert!((ln_ratio.exp() - 2.215063439141613).abs() < 1e-12);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NormalMixture {
    tau_squared: f64,
}

impl NormalMixture {
    /// How it is made.
    pub const METHOD: Method = Method::NormalMixture;

    /// From the prior variance of the effect, in squared units of the metric.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] unless it is above 0 and finite.
    pub fn new(tau_squared: f64) -> Result<Self, Refusal> {
        if tau_squared > 0.0 && tau_squared.is_finite() {
            return Ok(Self { tau_squared });
        }
        Err(Refusal::out_of_range("a prior variance", "above 0", tau_squared))
    }

    /// `ln Λ` for an estimate with the variance given (that of the estimate, not of one unit).
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] for a variance that is not above 0 and finite, or an estimate that is not finite;
    /// [`Refusal::NotFinite`] where the ratio overflows even so.
    pub fn ln_likelihood_ratio(&self, estimate: f64, variance: f64) -> Result<f64, Refusal> {
        check_variance(variance)?;
        if !estimate.is_finite() {
            return Err(Refusal::out_of_range("an estimate", "among the finite numbers", estimate));
        }
        let share = 1.0 / (variance / self.tau_squared + 1.0);
        let z = estimate / variance.sqrt();
        finite(0.5 * (share * z * z - (self.tau_squared / variance).ln_1p()))
    }

    /// The same as evidence, to be combined with other evidence.
    ///
    /// # Errors
    /// As [`NormalMixture::ln_likelihood_ratio`].
    pub fn e_value(&self, estimate: f64, variance: f64) -> Result<EValue, Refusal> {
        EValue::from_ln(self.ln_likelihood_ratio(estimate, variance)?)
    }

    /// `ln Λ` where the prior is cut off at `±limit`.
    ///
    /// # Errors
    /// As [`NormalMixture::ln_likelihood_ratio`], and [`Refusal::OutOfRange`] for a limit that is not above 0;
    /// [`Refusal::NotFinite`] where an estimate lies so far beyond the limit that nothing of it is left within.
    pub fn ln_likelihood_ratio_within(
        &self,
        limit: f64,
        estimate: f64,
        variance: f64,
    ) -> Result<f64, Refusal> {
        let ratio = self.ln_likelihood_ratio(estimate, variance)?;
        if limit.is_nan() || limit <= 0.0 {
            return Err(Refusal::out_of_range("the limit of a prior", "above 0", limit));
        }
        let share = 1.0 / (variance / self.tau_squared + 1.0);
        let (mean, sd) = (share * estimate, (share * variance).sqrt());
        let posterior = mass_between((-limit - mean) / sd, (limit - mean) / sd);
        let tau = self.tau_squared.sqrt();
        let prior = mass_between(-limit / tau, limit / tau);
        finite(ratio + (posterior / prior).ln())
    }

    /// Half the width of the interval that holds at every look.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] for a variance that is not above 0 and finite, [`Refusal::NotFinite`] where it is so
    /// much larger than the prior's that the width overflows.
    pub fn half_width(&self, variance: f64, level: Level) -> Result<f64, Refusal> {
        check_variance(variance)?;
        let log = (self.tau_squared / variance).ln_1p() - 2.0 * level.alpha().ln();
        let width = variance.sqrt() * (variance / self.tau_squared + 1.0).sqrt() * log.sqrt();
        if width.is_finite() { Ok(width) } else { Err(Refusal::not_finite("interval")) }
    }
}

fn check_variance(variance: f64) -> Result<(), Refusal> {
    if variance > 0.0 && variance.is_finite() {
        return Ok(());
    }
    Err(Refusal::out_of_range("the variance of an estimate", "above 0", variance))
}

fn finite(ln_ratio: f64) -> Result<f64, Refusal> {
    if ln_ratio.is_finite() { Ok(ln_ratio) } else { Err(Refusal::not_finite("likelihood ratio")) }
}

/// `Φ(high) - Φ(low)` from the tail on whose side both ends lie.
fn mass_between(low: f64, high: f64) -> f64 {
    if low > 0.0 { normal::sf(low) - normal::sf(high) } else { normal::cdf(high) - normal::cdf(low) }
}

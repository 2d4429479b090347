//! Yuen's t test of trimmed means.

use super::Sorted;
use crate::{Arm, Estimate, Method, Moments, Refusal, Variances};

/// The difference of the means that are left when a share `trim` of the values is cut off at each end of
/// each arm (Yuen 1974); its variance is that of the values moved to the cut (winsorised).
///
/// For heavy tails: with a tenth cut off, a few absurd values change nothing. It asks about the middle of the
/// distribution and not about its mean, which differ where tails are skewed. With
/// [`Variances::Unequal`] as Yuen has it; [`Variances::Equal`] pools (Yuen and Dixon 1973, and scipy's
/// default).
///
/// # Errors
/// [`Refusal::TooLittle`] for an arm with fewer than two values left, [`Refusal::OutOfRange`] for a share
/// outside of 0 to ½ or a value that is not finite, [`Refusal::NoVariance`].
pub fn yuen(
    control: &[f64],
    treatment: &[f64],
    trim: f64,
    variances: Variances,
) -> Result<Estimate, Refusal> {
    if !(0.0..0.5).contains(&trim) {
        return Err(Refusal::out_of_range("the share to trim at each end", "from 0 to below 0.5", trim));
    }
    let c = Trimmed::new(control, Arm::Control, trim)?;
    let t = Trimmed::new(treatment, Arm::Treatment, trim)?;
    let (se, df) = variances.combine((c.variance, c.left), (t.variance, t.left));
    Estimate::new(t.mean - c.mean, se, Some(df), Method::YuenT)
}

struct Trimmed {
    mean: f64,
    /// Squared deviations of the winsorised values over the values left less one.
    variance: f64,
    left: f64,
}

impl Trimmed {
    fn new(values: &[f64], arm: Arm, trim: f64) -> Result<Self, Refusal> {
        let sorted = Sorted::new(values, arm, 2)?.0;
        let cut = (sorted.len() as f64 * trim) as usize;
        let left = sorted.len() - 2 * cut;
        let kept = sorted.get(cut..cut + left).unwrap_or_default();
        let (Some(&low), Some(&high), true) = (kept.first(), kept.last(), left >= 2) else {
            return Err(Refusal::TooLittle { arm, have: left as u64, need: 2 });
        };
        let kept = Moments::of(kept)?;
        let cut = cut as u64;
        let winsorised = kept.merge(&Moments::constant(cut, low)?).merge(&Moments::constant(cut, high)?);
        Ok(Self {
            mean: kept.mean().unwrap_or(0.0),
            variance: winsorised.squared_deviations() / (left as f64 - 1.0),
            left: left as f64,
        })
    }
}

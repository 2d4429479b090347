//! Sample-ratio mismatch: did the units split as planned?

use crate::comparison::probability;
use crate::proportions::deviance;
use crate::special::{binomial, chi_squared, ln_1p_minus, stirling_error};
use crate::{Alternative, Method, Refusal, Test};
use serde::{Deserialize, Serialize};

/// Expected units that a χ² test needs in its smallest arm (Cochran's rule).
const MIN_EXPECTED: f64 = 5.0;

/// The concentration of the Dirichlet prior around the planned split: expects mismatches of about
/// one percentage point.
pub const DEFAULT_CONCENTRATION: f64 = 10_000.0;

/// The χ² test of the counts of units against the planned split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SampleRatio {
    /// Units that each arm should have, in the order given.
    pub expected: Vec<f64>,
    /// `Σ (observed - expected)² / expected`.
    pub chi2: f64,
    /// Arms with a positive share, minus one.
    pub df: u32,
    /// p-value of this look alone; a check at every look is [`SampleRatioSequence`]'s.
    pub p: f64,
}

impl SampleRatio {
    /// `ln p` of this look: finite where the p-value is too small for a number, and not cut off as that is.
    ///
    /// ```
    /// use bellwether_stats::sample_ratio;
    /// let check = sample_ratio(&[40_000, 50_000], &[0.5, 0.5]).unwrap();
    /// // χ² = 1111.1 with one degree of freedom, by mpmath.
    /// assert!((check.ln_p() / -559.288_802_789_453_8 - 1.0).abs() < 1e-12);
    /// ```
    pub fn ln_p(&self) -> f64 {
        // Of a split as planned `0`, not `-0`.
        chi_squared::ln_sf(self.chi2, f64::from(self.df)) + 0.0
    }
}

/// Tests `observed` counts against planned shares, which need not add up to one.
///
/// Arms with a share of zero are no arms: they add no degree of freedom (GrowthBook counts them).
///
/// # Errors
/// [`Refusal::ArmsDiffer`], [`Refusal::TooFewArms`], [`Refusal::OutOfRange`] for a share that is
/// negative or not finite, [`Refusal::UnplannedArm`] where an arm without a share has units,
/// [`Refusal::TooFewExpected`] where an arm expects fewer than five units.
///
/// ```
/// use bellwether_stats::sample_ratio;
/// let check = sample_ratio(&[44_700, 45_489], &[0.5, 0.5]).unwrap();
/// assert!((check.p - 0.008607987810836262).abs() < 1e-12);
/// ```
pub fn sample_ratio(observed: &[u64], shares: &[f64]) -> Result<SampleRatio, Refusal> {
    at_least(MIN_EXPECTED, observed, shares)
}

/// [`sample_ratio`] without the demand for five expected units, from one unit on, as others compute it. With fewer than five the
/// χ² distribution is only roughly that of the statistic: for two arms [`sample_ratio_exact`] is right.
///
/// # Errors
/// Those of [`sample_ratio`]; [`Refusal::TooFewExpected`] only without any unit, [`Refusal::NotFinite`] where χ² overflows.
pub fn sample_ratio_of_few(observed: &[u64], shares: &[f64]) -> Result<SampleRatio, Refusal> {
    at_least(0.0, observed, shares)
}

fn at_least(need: f64, observed: &[u64], shares: &[f64]) -> Result<SampleRatio, Refusal> {
    let split = Split::new(shares)?;
    split.check_counts(observed)?;
    let total: f64 = observed.iter().map(|&o| o as f64).sum();
    let expected: Vec<f64> = split.shares.iter().map(|share| share * total).collect();
    let smallest = expected.iter().copied().filter(|&e| e > 0.0).fold(f64::INFINITY, f64::min);
    if smallest < need || total == 0.0 {
        return Err(Refusal::TooFewExpected {
            expected: if total == 0.0 { 0.0 } else { smallest },
            need: MIN_EXPECTED,
        });
    }
    let chi2: f64 = observed
        .iter()
        .zip(&expected)
        .filter(|&(_, &e)| e > 0.0)
        .map(|(&o, &e)| (o as f64 - e) * (o as f64 - e) / e)
        .sum();
    if !chi2.is_finite() {
        return Err(Refusal::not_finite("χ²"));
    }
    let df = u32::try_from(split.arms() - 1).unwrap_or(u32::MAX);
    Ok(SampleRatio {
        chi2,
        df,
        p: chi_squared::sf(chi2, f64::from(df)).clamp(f64::MIN_POSITIVE, 1.0),
        expected,
    })
}

/// The likelihood-ratio (G) form of [`sample_ratio`]: `2 Σ o ln(o/e)`, against the same χ².
///
/// # Errors
/// Those of [`sample_ratio`].
pub fn sample_ratio_g(observed: &[u64], shares: &[f64]) -> Result<Test, Refusal> {
    g_of(&sample_ratio(observed, shares)?, observed)
}

/// [`sample_ratio_g`] without the demand for five expected units: [`sample_ratio_of_few`] says what it is worth.
///
/// # Errors
/// Those of [`sample_ratio_of_few`].
pub fn sample_ratio_g_of_few(observed: &[u64], shares: &[f64]) -> Result<Test, Refusal> {
    g_of(&sample_ratio_of_few(observed, shares)?, observed)
}

fn g_of(check: &SampleRatio, observed: &[u64]) -> Result<Test, Refusal> {
    let g: f64 = observed
        .iter()
        .zip(&check.expected)
        .filter(|(_, e)| **e > 0.0)
        .map(|(&o, &e)| deviance(o as f64, e))
        .sum();
    let (statistic, df) = (2.0 * g, f64::from(check.df));
    Test::new(statistic, Some(df), chi_squared::ln_sf(statistic, df), Method::LikelihoodRatioG)
}

/// The exact binomial test of a split in two arms: for any number of units, also below the five expected
/// that χ² needs. Two-sided, by the counts that are at most as likely; the statistic is the number of
/// units of the first arm with a share.
///
/// # Errors
/// Those of [`sample_ratio`] but for [`Refusal::TooFewExpected`]; [`Refusal::OutOfRange`] for more than
/// two arms with a share.
pub fn sample_ratio_exact(observed: &[u64], shares: &[f64]) -> Result<Test, Refusal> {
    let [(first, share), (second, other)] = two_arms(observed, shares)?;
    // By the smaller share: the larger one may be one but for rounding.
    let (rare, share) = if share <= other { (first, share) } else { (second, other) };
    Test::new(first, None, binomial::ln_two_sided(rare, first + second, share), Method::BinomialExact)
}

/// The z test of a split in two arms with a continuity correction of half a unit, as tea-tasting makes it from
/// 1,000 units on. [`sample_ratio`] is the test without the correction.
///
/// # Errors
/// Those of [`sample_ratio_exact`], and [`Refusal::NoVariance`] without units.
pub fn sample_ratio_corrected(observed: &[u64], shares: &[f64]) -> Result<Test, Refusal> {
    let [(first, share), (second, other)] = two_arms(observed, shares)?;
    let n = first + second;
    if n == 0.0 {
        return Err(Refusal::NoVariance);
    }
    let distance = first * other - second * share;
    let corrected = distance.signum() * (distance.abs() - 0.5).max(0.0);
    let z = corrected / (n * share * other).sqrt();
    Test::of_statistic(z, None, Alternative::TwoSided, Method::SampleRatioCorrected)
}

/// Units and planned share of each of two arms.
fn two_arms(observed: &[u64], shares: &[f64]) -> Result<[(f64, f64); 2], Refusal> {
    let split = Split::new(shares)?;
    split.check_counts(observed)?;
    let planned = observed.iter().zip(&split.shares).filter(|(_, share)| **share > 0.0);
    let arms: Vec<(f64, f64)> = planned.map(|(&units, &share)| (units as f64, share)).collect();
    let arms: Result<[(f64, f64); 2], _> = arms.try_into();
    arms.map_err(|arms| Refusal::out_of_range("the arms of an exact check", "at two", arms.len()))
}

/// A planned split: shares that add up to one, at least two of them positive.
#[derive(Debug, Clone, PartialEq)]
struct Split {
    shares: Vec<f64>,
}

impl Split {
    fn new(weights: &[f64]) -> Result<Self, Refusal> {
        if let Some(bad) = weights.iter().find(|w| !(w.is_finite() && **w >= 0.0)) {
            return Err(Refusal::out_of_range("a planned share", "at 0 or above", bad));
        }
        let have = weights.iter().filter(|w| **w > 0.0).count();
        if have < 2 {
            return Err(Refusal::TooFewArms { have });
        }
        let total: f64 = weights.iter().sum();
        if !total.is_finite() {
            return Err(Refusal::not_finite("sum of shares"));
        }
        let shares: Vec<f64> = weights.iter().map(|w| w / total).collect();
        if let Some((lost, _)) = weights.iter().zip(&shares).find(|(w, share)| **w > 0.0 && **share == 0.0) {
            let range = format!("at 0, or large enough to be told from it beside a sum of `{total:e}`");
            return Err(Refusal::out_of_range("a planned share", &range, lost));
        }
        Ok(Self { shares })
    }

    fn arms(&self) -> usize {
        self.shares.iter().filter(|s| **s > 0.0).count()
    }

    fn check_counts(&self, counts: &[u64]) -> Result<(), Refusal> {
        if counts.len() != self.shares.len() {
            return Err(Refusal::ArmsDiffer { counts: counts.len(), shares: self.shares.len() });
        }
        for (arm, (&units, &share)) in counts.iter().zip(&self.shares).enumerate() {
            if share == 0.0 && units > 0 {
                return Err(Refusal::UnplannedArm { arm, units });
            }
        }
        Ok(())
    }
}

/// The sequential test of Lindon and Malek (2020): a sample-ratio check at every look.
///
/// The Bayes factor of a Dirichlet-multinomial around the planned split against the split itself.
/// Its inverse is an always-valid p-value, kept as a running minimum. It depends on the counts so
/// far and not on how they were cut into increments; the minimum depends on the looks.
///
/// ```
/// use bellwether_stats::SampleRatioSequence;
/// let mut check = SampleRatioSequence::new(&[0.5, 0.5]).unwrap();
/// let p = check.observe(&[44_700, 45_489]).unwrap();
/// assert!((p - 0.14163).abs() < 1e-5);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct SampleRatioSequence {
    split: Split,
    concentration: f64,
    counts: Vec<u64>,
    ln_p: f64,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    shares: Vec<f64>,
    concentration: f64,
    counts: Vec<u64>,
    ln_p: f64,
}

impl TryFrom<Stored> for SampleRatioSequence {
    type Error = Refusal;
    fn try_from(stored: Stored) -> Result<Self, Refusal> {
        let mut sequence = Self::with_concentration(&stored.shares, stored.concentration)?;
        sequence.split.check_counts(&stored.counts)?;
        if stored.ln_p.is_nan() || stored.ln_p > 0.0 {
            return Err(Refusal::out_of_range("the logarithm of a p-value", "at 0 or below", stored.ln_p));
        }
        sequence.counts = stored.counts;
        sequence.ln_p = stored.ln_p;
        Ok(sequence)
    }
}

impl From<SampleRatioSequence> for Stored {
    fn from(sequence: SampleRatioSequence) -> Self {
        Self {
            shares: sequence.split.shares,
            concentration: sequence.concentration,
            counts: sequence.counts,
            ln_p: sequence.ln_p,
        }
    }
}

impl SampleRatioSequence {
    /// A check against planned shares, which need not add up to one, before the first unit.
    ///
    /// # Errors
    /// [`Refusal::TooFewArms`], [`Refusal::OutOfRange`].
    pub fn new(shares: &[f64]) -> Result<Self, Refusal> {
        Self::with_concentration(shares, DEFAULT_CONCENTRATION)
    }

    /// As [`SampleRatioSequence::new`], with another concentration of the prior: the larger, the
    /// smaller the mismatches that it expects.
    pub fn with_concentration(shares: &[f64], concentration: f64) -> Result<Self, Refusal> {
        if !(concentration > 0.0 && concentration.is_finite()) {
            return Err(Refusal::out_of_range("the concentration of a prior", "above 0", concentration));
        }
        let split = Split::new(shares)?;
        Ok(Self { counts: vec![0; split.shares.len()], split, concentration, ln_p: 0.0 })
    }

    /// Takes the units that came since the last look, and gives the p-value that holds now.
    ///
    /// # Errors
    /// [`Refusal::ArmsDiffer`], [`Refusal::UnplannedArm`], [`Refusal::OutOfRange`] for more units than can be counted; nothing is
    /// counted then.
    pub fn observe(&mut self, increments: &[u64]) -> Result<f64, Refusal> {
        self.split.check_counts(increments)?;
        let sums = self.counts.iter().zip(increments).map(|(count, increment)| {
            let most = u64::MAX - count;
            let too_many =
                || Refusal::out_of_range("new units of an arm", &format!("at or below `{most}`"), increment);
            count.checked_add(*increment).ok_or_else(too_many)
        });
        self.counts = sums.collect::<Result<_, _>>()?;
        self.ln_p = self.ln_p.min(-self.ln_bayes_factor());
        Ok(self.p())
    }

    /// The p-value that holds at every look: the smallest so far. Never zero.
    pub fn p(&self) -> f64 {
        probability(self.ln_p)
    }

    /// Units counted so far, by arm.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// The logarithm of the Bayes factor for a mismatch, at the counts so far.
    ///
    /// The products of increments telescope to the counts. Written with Stirling's formula and its
    /// error, since the gamma functions themselves are some `1e10` at a billion users: with
    /// `A = κ + N` and `u = (x - Np)/(Ap)` the large terms are a divergence, `A Σ p((1+u)ln(1+u) - u)`.
    pub fn ln_bayes_factor(&self) -> f64 {
        let n: f64 = self.counts.iter().map(|&x| x as f64).sum();
        let prior = self.concentration;
        let total = prior + n;
        let mut sum = stirling_error(prior) - stirling_error(total);
        let mut arms = 0.0;
        for (&count, &share) in self.counts.iter().zip(&self.split.shares) {
            if share == 0.0 {
                continue;
            }
            arms += 1.0;
            let x = count as f64;
            let u = (x - n * share) / (total * share);
            // (1+u) ln(1+u) - u, without the cancellation of ln(1+u) and u.
            let divergence = u * u + (1.0 + u) * ln_1p_minus(u);
            sum += total * share * divergence - 0.5 * u.ln_1p() + stirling_error(prior * share + x)
                - stirling_error(prior * share);
        }
        sum - 0.5 * (arms - 1.0) * (n / prior).ln_1p()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use proptest::prelude::*;

    fn counts() -> impl Strategy<Value = Vec<u64>> {
        proptest::collection::vec(0..5_000u64, 3)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        /// The definition by gamma functions, increment by increment.
        #[test]
        fn increments_telescope(looks in proptest::collection::vec(counts(), 1..6), concentration in 50.0..20_000.0f64) {
            let shares = [0.5, 0.3, 0.2];
            let mut sequence = SampleRatioSequence::with_concentration(&shares, concentration).unwrap();
            let mut alpha = shares.map(|s| s * concentration);
            let mut ln_factor = 0.0;
            for look in &looks {
                let before: f64 = alpha.iter().sum();
                let n: u64 = look.iter().sum();
                ln_factor += libm::lgamma(before) - libm::lgamma(before + n as f64);
                for i in 0..3 {
                    let x = look[i] as f64;
                    ln_factor += libm::lgamma(alpha[i] + x) - libm::lgamma(alpha[i]) - x * f64::ln(shares[i]);
                    alpha[i] += x;
                }
                sequence.observe(look).unwrap();
            }
            let got = sequence.ln_bayes_factor();
            prop_assert!((got - ln_factor).abs() <= 1e-8 * ln_factor.abs().max(1.0), "{got} {ln_factor}");
        }

        #[test]
        fn p_never_rises(looks in proptest::collection::vec(counts(), 1..6)) {
            let mut sequence = SampleRatioSequence::new(&[1.0, 1.0, 1.0]).unwrap();
            let mut before = 1.0;
            for look in &looks {
                let p = sequence.observe(look).unwrap();
                prop_assert!(p > 0.0 && p <= before);
                before = p;
            }
            let text = serde_json::to_string(&sequence).unwrap();
            let back: SampleRatioSequence = serde_json::from_str(&text).unwrap();
            prop_assert!((back.p() / before - 1.0).abs() < 1e-9);
            prop_assert_eq!(back.counts(), sequence.counts());
        }
    }

    #[test]
    fn exact_and_corrected_checks_agree_with_chi_squared_for_many_units() {
        let counts = [50_500, 49_500];
        let plain = sample_ratio(&counts, &[0.5, 0.5]).unwrap().p;
        for p in [
            sample_ratio_exact(&counts, &[0.5, 0.5]).unwrap().p,
            sample_ratio_corrected(&counts, &[1.0, 1.0]).unwrap().p,
            sample_ratio_g(&counts, &[2.0, 2.0]).unwrap().p,
        ] {
            assert!((p / plain - 1.0).abs() < 0.02, "{p} {plain}");
        }
        // An arm without a share is none here either.
        let with = sample_ratio_exact(&[0, 9, 1], &[0.0, 0.5, 0.5]).unwrap();
        assert_eq!(with.p, sample_ratio_exact(&[9, 1], &[0.5, 0.5]).unwrap().p);
        assert_eq!(sample_ratio_exact(&[0, 0], &[0.5, 0.5]).unwrap().p, 1.0);
        assert_eq!(sample_ratio_corrected(&[0, 0], &[0.5, 0.5]), Err(Refusal::NoVariance));
        assert!(sample_ratio_exact(&[1, 2, 3], &[1.0, 1.0, 1.0]).is_err());
        let far = sample_ratio_exact(&[600_000, 400_000], &[0.5, 0.5]).unwrap();
        assert!(far.ln_p < -20_000.0 && far.p == f64::MIN_POSITIVE);
    }

    #[test]
    fn an_arm_without_a_share_is_no_arm() {
        let with = sample_ratio(&[500, 560, 0], &[0.5, 0.5, 0.0]).unwrap();
        let without = sample_ratio(&[500, 560], &[1.0, 1.0]).unwrap();
        assert_eq!((with.df, with.p), (1, without.p));
        let even = sample_ratio(&[10, 10], &[0.5, 0.5]).unwrap().ln_p();
        assert!(even == 0.0 && even.is_sign_positive());
        // So far off that the statistic is no number.
        let far = sample_ratio_of_few(&[u64::MAX, u64::MAX], &[1e-300, 1.0]);
        assert!(matches!(far, Err(Refusal::NotFinite { .. })), "{far:?}");
        assert!((with.p - 0.065).abs() < 0.001);
    }

    #[test]
    fn what_cannot_be_checked_is_refused() {
        let check = |counts: &[u64], shares: &[f64]| {
            let refusal = sample_ratio(counts, shares).unwrap_err();
            if let Ok(mut sequence) = SampleRatioSequence::new(shares)
                && !matches!(refusal, Refusal::TooFewExpected { .. })
            {
                assert_eq!(sequence.observe(counts), Err(refusal.clone()));
                assert!(sequence.counts().iter().all(|c| *c == 0));
            }
            refusal.to_string()
        };
        assert_eq!(check(&[1, 2, 3], &[0.5, 0.5]), "`3` counts do not fit `2` planned shares");
        assert_eq!(
            check(&[10, 0], &[1.0, 0.0]),
            "a sample-ratio check needs two arms with a positive share: this split has `1`"
        );
        assert_eq!(check(&[10, 10], &[0.5, f64::NAN]), "a planned share must lie at 0 or above: `NaN`");
        assert_eq!(
            check(&[10, 10, 1], &[0.5, 0.5, 0.0]),
            "arm `2` has `1` units, but its planned share is `0`"
        );
        assert_eq!(
            check(&[3, 3], &[0.5, 0.5]),
            "too little data: the smallest arm expects `3` units, a χ² test needs `5`"
        );
        assert_eq!(
            check(&[0, 0], &[0.5, 0.5]),
            "too little data: the smallest arm expects `0` units, a χ² test needs `5`"
        );
    }
}

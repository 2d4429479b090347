//! Segments that say the opposite of the whole: Simpson's reversal, and effects that cross.

use crate::multiplicity::{Adjustment, adjust};
use crate::special::binomial;
use crate::special::chi_squared;
use crate::{Alternative, Estimate, Level, Method, Moments, Refusal, Test, Variances, difference};
use serde::{Deserialize, Serialize};

/// One segment: its units in both arms. Segments do not overlap, and are known before exposure (a platform, a country);
/// what the treatment may have changed is no segment.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Segment {
    /// Of control.
    pub control: Moments,
    /// Of treatment.
    pub treatment: Moments,
}

/// What the segments say beside the whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Segments {
    /// The effect over all units, segments ignored.
    pub pooled: Estimate,
    /// The effects of the segments, weighted by their units in both arms.
    pub stratified: Estimate,
    /// By segment, in order: the effect, and its p-value adjusted for all segments by Holm.
    pub effects: Vec<(Estimate, f64)>,
    /// χ² test of "segments have the same shares in both arms": where it fails, the pooled effect compares
    /// different people, which is what makes a reversal possible.
    pub same_mix: Test,
    /// Cochran's Q of "the effect is the same in all segments".
    pub same_effect: Test,
    /// Gail and Simon's test (1985) of "no segment gains while another loses".
    pub no_crossing: Test,
    /// Simpson's reversal: the pooled effect is shown at the level and points one way, the stratified one
    /// points the other.
    pub reversed: bool,
}

/// Compares the effect over all units with those of their segments.
///
/// Believe the stratified effect where the two differ: in it each person is compared with their like. Looking
/// for a segment with an effect is what the adjusted p-values are for.
///
/// # Errors
/// [`Refusal::TooFew`] below two segments, those of [`crate::welch`] for a segment that has no answer by itself:
/// merge it with another one.
///
/// ```
/// use bellwether_stats::validity::{Segment, simpson};
/// use bellwether_stats::{Level, Moments, Proportion};
/// // The textbook case: each segment gains, and the whole loses, since the arms differ in their mix.
/// let of = |x, n| Moments::from(Proportion::new(x, n).unwrap());
/// let small = Segment { control: of(234, 270), treatment: of(81, 87) };
/// let large = Segment { control: of(55, 80), treatment: of(192, 263) };
/// let found = simpson(&[small, large], Level::new(0.85).unwrap()).unwrap();
/// assert!(found.reversed && found.same_mix.p < 1e-9);
/// ```
pub fn simpson(segments: &[Segment], level: Level) -> Result<Segments, Refusal> {
    if segments.len() < 2 {
        return Err(Refusal::too_few("segments", segments.len() as u64, 2));
    }
    let effects: Vec<Estimate> = segments
        .iter()
        .map(|segment| difference(&segment.control, &segment.treatment, Variances::Unequal))
        .collect::<Result<_, _>>()?;
    let all = |arm: fn(&Segment) -> &Moments| {
        segments.iter().fold(Moments::EMPTY, |sum, segment| sum.merge(arm(segment)))
    };
    let pooled = difference(&all(|s| &s.control), &all(|s| &s.treatment), Variances::Unequal)?;
    // Added as floats: counts of both arms may be more than a `u64` holds.
    let sizes: Vec<f64> =
        segments.iter().map(|segment| segment.control.n() as f64 + segment.treatment.n() as f64).collect();
    let total: f64 = sizes.iter().sum();
    let (mut value, mut variance) = (0.0, 0.0);
    for (effect, size) in effects.iter().zip(&sizes) {
        let weight = size / total;
        value += weight * effect.value();
        variance += weight * weight * effect.se() * effect.se();
    }
    let stratified = Estimate::new(value, variance.sqrt(), None, Method::Stratified)?;
    let raw: Vec<f64> = effects
        .iter()
        .map(|effect| effect.test(0.0, Alternative::TwoSided).map(|test| test.p))
        .collect::<Result<_, _>>()?;
    let adjusted = adjust(&raw, Adjustment::Holm)?;
    let shown = pooled.test(0.0, Alternative::TwoSided)?.p < level.alpha();
    Ok(Segments {
        same_mix: same_mix(segments)?,
        same_effect: same_effect(&effects)?,
        no_crossing: no_crossing(&effects)?,
        reversed: shown && pooled.value() * stratified.value() < 0.0,
        effects: effects.into_iter().zip(adjusted).collect(),
        pooled,
        stratified,
    })
}

fn same_mix(segments: &[Segment]) -> Result<Test, Refusal> {
    let counts = |arm: fn(&Segment) -> u64| segments.iter().map(|s| arm(s) as f64).sum::<f64>();
    let (c, t) = (counts(|s| s.control.n()), counts(|s| s.treatment.n()));
    let statistic: f64 = segments
        .iter()
        .map(|segment| {
            let (of_c, of_t) = (segment.control.n() as f64, segment.treatment.n() as f64);
            // (o - e)²/e of both arms: their distances are the same but for the sign.
            let expected = (of_c + of_t) * t / (c + t);
            let expected_c = (of_c + of_t) * c / (c + t);
            (of_t - expected).powi(2) * (1.0 / expected + 1.0 / expected_c)
        })
        .sum();
    let df = segments.len() as f64 - 1.0;
    Test::new(statistic, Some(df), chi_squared::ln_sf(statistic, df), Method::PearsonChi2)
}

/// Weights by the inverse of the variance.
fn same_effect(effects: &[Estimate]) -> Result<Test, Refusal> {
    let weight = |effect: &Estimate| (effect.se() * effect.se()).recip();
    let total: f64 = effects.iter().map(weight).sum();
    let common = effects.iter().map(|effect| weight(effect) * effect.value()).sum::<f64>() / total;
    let statistic: f64 = effects.iter().map(|effect| ((effect.value() - common) / effect.se()).powi(2)).sum();
    let df = effects.len() as f64 - 1.0;
    Test::new(statistic, Some(df), chi_squared::ln_sf(statistic, df), Method::CochranQ)
}

/// The smaller of the sums of squared z of either sign, against a mixture of χ² with binomial weights.
fn no_crossing(effects: &[Estimate]) -> Result<Test, Refusal> {
    let sum = |sign: f64| -> f64 {
        let z = |effect: &Estimate| (sign * effect.value() / effect.se()).max(0.0);
        effects.iter().map(|effect| z(effect).powi(2)).sum()
    };
    let statistic = sum(1.0).min(sum(-1.0));
    let others = effects.len() as f64 - 1.0;
    if statistic == 0.0 {
        return Test::new(0.0, None, 0.0, Method::GailSimon);
    }
    let ln_p = (1..effects.len())
        .map(|h| binomial::ln_pmf(h as f64, others, 0.5) + chi_squared::ln_sf(statistic, h as f64))
        .fold(f64::NEG_INFINITY, binomial::add);
    Test::new(statistic, None, ln_p, Method::GailSimon)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::special::normal;
    use proptest::prelude::*;

    fn moments() -> impl Strategy<Value = Moments> {
        (5..500u64, -3.0..3.0f64, 0.5..3.0f64)
            .prop_map(|(n, mean, sd)| Moments::new(n, mean, sd * sd * n as f64).unwrap())
    }

    fn segments() -> impl Strategy<Value = Vec<Segment>> {
        proptest::collection::vec(
            (moments(), moments()).prop_map(|(control, treatment)| Segment { control, treatment }),
            2..6,
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(150))]

        /// With the same mix in both arms nothing is reversed: both effects are one number.
        #[test]
        fn the_same_mix_cannot_reverse(mut segments in segments()) {
            for segment in &mut segments {
                let n = segment.control.n();
                segment.treatment = Moments::new(n, segment.treatment.mean().unwrap(), segment.treatment.squared_deviations()).unwrap();
            }
            let found = simpson(&segments, Level::P95).unwrap();
            prop_assert!((found.pooled.value() - found.stratified.value()).abs() < 1e-9);
            prop_assert!(!found.reversed && found.same_mix.p > 0.999_999);
        }

        /// Swapping the arms turns every effect and no test.
        #[test]
        fn swapping_the_arms_turns_the_sign(segments in segments()) {
            let turned: Vec<_> = segments.iter().map(|s| Segment { control: s.treatment, treatment: s.control }).collect();
            let (a, b) = (simpson(&segments, Level::P95).unwrap(), simpson(&turned, Level::P95).unwrap());
            prop_assert_eq!(a.reversed, b.reversed);
            prop_assert!((a.stratified.value() + b.stratified.value()).abs() < 1e-12);
            prop_assert!((a.no_crossing.ln_p - b.no_crossing.ln_p).abs() < 1e-9);
            prop_assert!((a.same_effect.ln_p - b.same_effect.ln_p).abs() < 1e-9 * a.same_effect.ln_p.abs().max(1.0));
        }
    }

    /// Gail and Simon (1985), table 1: with two segments the test rejects at 5 % from min Q = 2.71 on, which is
    /// the one-sided z test of the weaker effect.
    #[test]
    fn two_segments_cross_by_the_weaker_one() {
        let effect = |z: f64| Estimate::new(z, 1.0, None, Method::WelchT).unwrap();
        let test = no_crossing(&[effect(4.0), effect(-1.645)]).unwrap();
        assert!((test.p - normal::sf(1.645)).abs() < 1e-12, "{test:?}");
        // Three segments: 4.23; five: 6.50.
        let critical = |others: usize, q: f64| {
            let mut effects = vec![effect(-10.0), effect(f64::sqrt(q))];
            effects.extend((2..others).map(|_| effect(-10.0)));
            no_crossing(&effects).unwrap().p
        };
        assert!((critical(3, 4.23) - 0.05).abs() < 1e-3 && (critical(5, 6.50) - 0.05).abs() < 1e-3);
        assert_eq!(no_crossing(&[effect(1.0), effect(2.0)]).unwrap().p, 1.0);
    }

    #[test]
    fn what_has_no_segments_is_refused() {
        let good = Moments::of(&[1.0, 2.0, 4.0]).unwrap();
        let segment = Segment { control: good, treatment: good };
        assert!(simpson(&[segment], Level::P95).is_err());
        let empty = Segment { control: Moments::EMPTY, treatment: good };
        assert!(matches!(simpson(&[segment, empty], Level::P95), Err(Refusal::TooLittle { .. })));
    }
}

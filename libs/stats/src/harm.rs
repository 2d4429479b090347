//! The guard's question: is the treatment worse than control by more than a margin?

use crate::comparison::probability;
use crate::means::{mean_of, some_variance, wary_variance};
use crate::ratio::Estimated;
use crate::refusal::Outcome;
use crate::sequential::{ConfidenceSequence, Sides, Tuning};
use crate::{Arm, Level, Method, Moments, Proportion, Refusal};
use serde::{Deserialize, Serialize};

/// Units that each arm needs before a guard may speak. The confidence sequence is asymptotic: below
/// this its error rate is not what it says (Amplitude waits for the same number of exposures).
pub const MIN_UNITS: u64 = 100;

/// Successes, and failures, that a proportion needs in both arms together before a guard may speak,
/// where the arms are of the same size. A smaller arm needs more in total: half as many as this must
/// be expected in it by the common rate.
pub const MIN_SUCCESSES: u64 = 25;

/// Which way a metric gets better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// More is better: conversions, revenue.
    Higher,
    /// Less is better: errors, latency.
    Lower,
}

impl Direction {
    /// `1` where more is better.
    fn sign(self) -> f64 {
        match self {
            Self::Higher => 1.0,
            Self::Lower => -1.0,
        }
    }
}

/// One look at a guardrail metric.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct HarmTest {
    /// `treatment - control`, in the unit of the metric.
    pub estimate: f64,
    /// Its standard error: the larger of the unpooled one (Welch's, Wald's) and the pooled one.
    pub se: f64,
    /// The best that the effect can still be, with the confidence of `level` at every look: an upper
    /// bound where higher is better, a lower bound where lower is better.
    pub bound: f64,
    /// The harm that is tolerated, in the unit of the metric; not negative.
    pub margin: f64,
    /// Which way the metric gets better.
    pub better: Direction,
    /// One-sided confidence of the bound.
    pub level: Level,
    /// p-value of this look against "not worse by more than the margin". The always-valid p-value is
    /// the smallest so far. Never zero; see `ln_p`.
    pub p: f64,
    /// Its natural logarithm.
    pub ln_p: f64,
    /// Whether harm is shown: even the bound is worse than the margin.
    pub crossed: bool,
    /// How the test was made.
    pub method: Method,
}

/// Tests whether the treatment's mean is worse than control's by more than `margin`; look as often
/// as you like.
///
/// Harm is shown when the one-sided confidence sequence for `treatment - control` lies wholly beyond
/// the margin: its upper end below `-margin` where higher is better, its lower end above `margin`
/// where lower is better. Under "no harm beyond the margin" this happens *at any look* with a
/// probability of at most `level.alpha()`.
///
/// The standard error is the larger of the unpooled and the pooled one. Early in a rollout the treated
/// arm is small, and a metric that is mostly zero may show it no variance at all; the unpooled error
/// alone would then call chance harm, one time in eight for a hundred units at a rate of 2 %.
///
/// For conversions use [`harm_in_proportions`], which also waits for enough successes. `margin` is
/// absolute, in the unit of the metric.
///
/// # Errors
/// [`Refusal::TooLittle`] below [`MIN_UNITS`] in an arm, [`Refusal::NoVariance`] where each arm is
/// constant, [`Refusal::OnlyRounding`] where it is but for the rounding of sums, [`Refusal::OutOfRange`] for a margin that is negative or not finite.
///
/// ```
/// use bellwether_stats::{Direction, Level, Moments, Tuning, harm};
/// let control = Moments::new(4_000, 10.0, 4_000.0 * 9.0).unwrap();
/// let treatment = Moments::new(4_000, 9.0, 4_000.0 * 9.0).unwrap();
/// let look = harm(&control, &treatment, 0.2, Direction::Higher, Level::P95, Tuning::default()).unwrap();
/// assert!(look.crossed && look.bound < -0.2 && look.p < 0.001);
/// ```
pub fn harm(
    control: &Moments,
    treatment: &Moments,
    margin: f64,
    better: Direction,
    level: Level,
    tuning: Tuning,
) -> Result<HarmTest, Refusal> {
    enough_units(control.n(), treatment.n())?;
    let c = mean_of(control, Arm::Control)?;
    let t = mean_of(treatment, Arm::Treatment)?;
    look((c, control.n()), (t, treatment.n()), margin, better, level, tuning)
}

/// As [`harm`], for the rates of a yes-or-no metric.
///
/// # Errors
/// Those of [`harm`], and [`Refusal::TooFewOutcomes`] below [`MIN_SUCCESSES`] successes or failures
/// in both arms together, or as many more as the smaller arm needs.
pub fn harm_in_proportions(
    control: &Proportion,
    treatment: &Proportion,
    margin: f64,
    better: Direction,
    level: Level,
    tuning: Tuning,
) -> Result<HarmTest, Refusal> {
    enough_units(control.n(), treatment.n())?;
    let failures = |arm: &Proportion| arm.n() - arm.successes();
    let smaller = control.n().min(treatment.n()) as f64;
    let (_, _, units) = control.pooled(treatment);
    let arms_in_smaller = units / smaller;
    // Small by construction: at most MIN_SUCCESSES/2 times the units of both arms over 100.
    let need = (MIN_SUCCESSES as f64 / 2.0 * arms_in_smaller).ceil() as u64;
    for (outcome, have) in [
        (Outcome::Successes, control.successes().saturating_add(treatment.successes())),
        (Outcome::Failures, failures(control).saturating_add(failures(treatment))),
    ] {
        if have < need {
            return Err(Refusal::TooFewOutcomes { outcome, have, need });
        }
    }
    let c = control.estimated(Arm::Control)?;
    let t = treatment.estimated(Arm::Treatment)?;
    look((c, control.n()), (t, treatment.n()), margin, better, level, tuning)
}

fn enough_units(control: u64, treatment: u64) -> Result<(), Refusal> {
    for (arm, have) in [(Arm::Control, control), (Arm::Treatment, treatment)] {
        if have < MIN_UNITS {
            return Err(Refusal::TooLittle { arm, have, need: MIN_UNITS });
        }
    }
    Ok(())
}

fn look(
    (control, control_n): (Estimated, u64),
    (treatment, treatment_n): (Estimated, u64),
    margin: f64,
    better: Direction,
    level: Level,
    tuning: Tuning,
) -> Result<HarmTest, Refusal> {
    if !(margin >= 0.0 && margin.is_finite()) {
        return Err(Refusal::out_of_range("a margin of tolerated harm", "at 0 or above", margin));
    }
    let estimate = treatment.mean - control.mean;
    let se = wary_variance((control, control_n), (treatment, treatment_n)).sqrt();
    let n = control_n.saturating_add(treatment_n);
    if !(estimate.is_finite() && se.is_finite()) {
        return Err(Refusal::not_finite("difference"));
    }
    some_variance([(control, control_n), (treatment, treatment_n)])?;
    let sequence = ConfidenceSequence::new(level, tuning, Sides::One);
    let sign = better.sign();
    // Turned so that more is better: then the bound is the upper end, and harm is below the margin.
    let bound = sign * estimate + sequence.half_width(se, n)?;
    let ln_p = sequence.ln_p((-margin - sign * estimate) / se, n)?;
    Ok(HarmTest {
        estimate,
        se,
        bound: sign * bound,
        margin,
        better,
        level,
        p: probability(ln_p),
        ln_p,
        crossed: bound < -margin,
        method: Method::AsymptoticConfidenceSequence,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use proptest::prelude::*;

    fn arm() -> impl Strategy<Value = Moments> {
        (MIN_UNITS..1_000_000, -5.0..5.0f64, 0.1..10.0f64)
            .prop_map(|(n, mean, sd)| Moments::new(n, mean, sd * sd * n as f64).unwrap())
    }

    fn mirrored(m: &Moments) -> Moments {
        Moments::new(m.n(), -m.mean().unwrap(), m.squared_deviations()).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn crossing_and_p_agree(c in arm(), t in arm(), margin in 0.0..2.0f64) {
            let look = harm(&c, &t, margin, Direction::Higher, Level::P95, Tuning::default()).unwrap();
            prop_assume!((look.p / 0.05 - 1.0).abs() > 1e-9);
            prop_assert_eq!(look.crossed, look.p < 0.05);
            prop_assert!(look.p > 0.0 && look.p <= 1.0);
            if look.crossed {
                prop_assert!(look.estimate < -margin);
            }
        }

        /// A metric multiplied by -1 with the other direction is the same question.
        #[test]
        fn directions_are_mirrors(c in arm(), t in arm(), margin in 0.0..2.0f64) {
            let higher = harm(&c, &t, margin, Direction::Higher, Level::P95, Tuning::default()).unwrap();
            let lower = harm(&mirrored(&c), &mirrored(&t), margin, Direction::Lower, Level::P95, Tuning::default()).unwrap();
            prop_assert_eq!(higher.crossed, lower.crossed);
            prop_assert_eq!(higher.p, lower.p);
            prop_assert_eq!(higher.bound, -lower.bound);
        }

        #[test]
        fn a_wider_margin_is_harder_to_cross(c in arm(), t in arm(), margin in 0.0..2.0f64, more in 0.0..2.0f64) {
            let ln_p = |margin| harm(&c, &t, margin, Direction::Lower, Level::P95, Tuning::default()).unwrap().ln_p;
            prop_assert!(ln_p(margin) <= ln_p(margin + more));
        }
    }

    #[test]
    fn the_rounding_of_sums_is_no_harm() {
        let parts = 0.1 + 0.2;
        let treatment: Vec<f64> = (0..500).map(|i| if i < 250 { 0.3 } else { parts }).collect();
        let (control, treatment) = (Moments::of(&[parts; 500]).unwrap(), Moments::of(&treatment).unwrap());
        assert!(treatment.variance() > Some(0.0), "{treatment:?}");
        let look = harm(&control, &treatment, 0.0, Direction::Higher, Level::P95, Tuning::default());
        assert_eq!(look, Err(Refusal::OnlyRounding));
    }

    #[test]
    fn too_little_is_said() {
        let check = |c: (u64, u64), t: (u64, u64), margin: f64| {
            let [c, t] = [c, t].map(|(x, n)| Proportion::new(x, n).unwrap());
            let (level, tuning) = (Level::P95, Tuning::default());
            harm_in_proportions(&c, &t, margin, Direction::Higher, level, tuning).unwrap_err().to_string()
        };
        assert_eq!(
            check((30, 200), (30, 99), 0.0),
            "too little data: treatment has `99` of the `100` units that this test needs"
        );
        assert_eq!(
            check((20, 200), (4, 200), 0.0),
            "too little data: `24` successes in both arms, this test needs `25`"
        );
        assert_eq!(
            check((190, 200), (186, 200), 0.0),
            "too little data: `24` failures in both arms, this test needs `25`"
        );
        // A treated arm of a tenth needs ten times its own share: 12.5 expected in it.
        assert_eq!(
            check((30, 900), (9, 100), 0.0),
            "too little data: `39` successes in both arms, this test needs `125`"
        );
        assert_eq!(
            check((30, 200), (30, 200), -0.01),
            "a margin of tolerated harm must lie at 0 or above: `-0.01`"
        );
    }
}

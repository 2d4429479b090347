//! Trial: a guard's look at a rollout. Valid at every look, so it may be taken every minute.

use std::f64::consts::PI;

use bellwether_model::metric::{Better, Measure};
use bellwether_model::rollout::RolloutState;
use bellwether_model::{Edit, EnvironmentKey, FlagKey, Guard, Invalid, Metric, Millis, Rollout, VariantKey};
use bellwether_stats::{Direction, HarmTest, Level, Proportion, Refusal, Tuning, harm, harm_in_proportions};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::SampleRatio;
use crate::evidence::{Arm, Evidence};
use crate::proposal::Proposal;
use crate::words::{self, Scale};

/// The concentration of the sample-ratio test. A guard acts on hundreds of units, where the prior of
/// experiments (10,000, tuned to mismatches of a percentage point) sees nothing: of 1,750 units it misses a
/// candidate that lost a fourth. At a million units this one needs a tenth more of a mismatch.
const CONCENTRATION: f64 = 100.0;

/// What one look at a guarded rollout says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum GuardVerdict {
    /// No harm beyond the margin is shown. That is not proof that there is none.
    Quiet {
        /// The numbers.
        look: Look,
        /// The same in words.
        sentence: String,
    },
    /// The test cannot answer yet.
    TooLittle {
        /// Why, in words.
        sentence: String,
        /// What to do about it.
        hint: String,
    },
    /// The candidate is worse than the control by more than the margin.
    Harm {
        /// The numbers.
        look: Look,
        /// The same in words.
        sentence: String,
    },
    /// Units did not split by the shares of this epoch: something other than chance decides who is
    /// counted, so the metric neither clears the candidate nor halts it. That may be harm of its own, such
    /// as a crash before an exposure is sent; a person must look.
    Mismatch {
        /// The tests of the sample ratio.
        sample_ratio: SampleRatio,
        /// The candidate's units.
        candidate: Divided,
        /// The control's.
        control: Divided,
        /// The same in words, with what the metric would say if the split were trusted.
        sentence: String,
        /// What to do about it.
        hint: String,
    },
}

/// The numbers of one look.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Look {
    /// Candidate minus control, in the unit of the metric (0.01 is one percentage point).
    pub estimate: f64,
    /// The best that the difference can still be, valid at every look: an upper bound where higher is
    /// better, a lower bound where lower is better.
    pub bound: f64,
    /// The harm that is tolerated.
    pub margin: f64,
    /// The p-value against "not worse by more than the margin", valid at every look. It may go up again
    /// at the next one; the smallest so far stays valid.
    pub p: f64,
    /// The error rate that this epoch may spend.
    pub alpha: f64,
    /// The candidate's measured units and their mean.
    pub candidate: Measured,
    /// The control's.
    pub control: Measured,
    /// The method, with its version.
    pub method: String,
}

/// Units of a variant against its share.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Divided {
    /// Units first exposed to it in this epoch, measured or not.
    pub exposed: u64,
    /// Of the exposed units of both variants, those that its share would give it.
    pub expected: f64,
}

/// Measured units and their mean.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Measured {
    /// How many units.
    pub units: u64,
    /// Their mean; null without units.
    pub mean: Option<f64>,
}

impl GuardVerdict {
    /// The verdict in words, with its numbers.
    pub fn sentence(&self) -> &str {
        match self {
            Self::Quiet { sentence, .. }
            | Self::TooLittle { sentence, .. }
            | Self::Harm { sentence, .. }
            | Self::Mismatch { sentence, .. } => sentence,
        }
    }

    /// Whether harm is shown.
    pub fn harm(&self) -> bool {
        matches!(self, Self::Harm { .. })
    }
}

/// The error rate that an epoch may spend of a guard's whole `alpha`: `alpha * 6 / (pi k)^2` in the
/// k-th epoch (k from 1; [`Rollout::epoch`] counts from 0). These add up to `alpha` over endlessly many
/// epochs, so that changing the ratio of candidate to control buys no new chance of a false halt.
///
/// ```
/// let spent: f64 = (0..100_000).map(|epoch| bellwether_trial::guard::epoch_alpha(0.05, epoch)).sum();
/// assert!(spent < 0.05 && spent > 0.0499);
/// ```
pub fn epoch_alpha(alpha: f64, epoch: u32) -> f64 {
    let k = f64::from(epoch) + 1.0;
    alpha * 6.0 / (PI * PI * k * k)
}

/// Judges a guarded rollout by what was seen of its two variants since its epoch began.
///
/// The arms must hold only units whose window has passed: their values are then final, and each look
/// adds units to the ones before without altering them, which is what the test assumes. (A unit that
/// later turns out to have seen both variants leaves; a sticky split gives it no occasion to.)
///
/// The test is a one-sided asymptotic confidence sequence (`statistics.md` 3.11) on candidate minus
/// control. Over the whole life of the rollout, a candidate that is not worse than the control by
/// more than the margin is halted with a probability of at most `guard.alpha`.
///
/// The units are first held against the shares of the rollout's ranges, which stay in proportion during
/// an epoch, by the sequential test that stops experiments, tuned to few units: it is valid at every look, and calls a
/// mismatch that is none in at most one of a thousand epochs. Where they do not fit, that is the verdict.
///
/// # Errors
/// When the guard's margin, alpha or window is not one.
pub fn judge(
    rollout: &Rollout,
    guard: &Guard,
    metric: &Metric,
    evidence: &Evidence,
) -> Result<GuardVerdict, Invalid> {
    guard.check()?;
    let arm =
        |variant: &VariantKey| evidence.arm(variant).cloned().unwrap_or_else(|| Arm::empty(variant.clone()));
    let (control, candidate) = (arm(&rollout.control), arm(&rollout.candidate));
    let by_metric = match test(guard, metric, rollout.epoch, &control, &candidate) {
        Ok(tested) => said(guard, metric, &control, &candidate, &tested),
        Err(refusal) => GuardVerdict::TooLittle {
            sentence: words::refusal(&refusal, &control, &candidate),
            hint: refusal.hint().to_owned(),
        },
    };
    let share = |variant: &VariantKey| rollout.split.share(variant).fraction();
    let shares =
        [(&rollout.candidate, share(&rollout.candidate)), (&rollout.control, share(&rollout.control))];
    let sample_ratio = SampleRatio::check(&shares, evidence, CONCENTRATION);
    Ok(if sample_ratio.broken {
        mismatch(metric, shares, &candidate, &control, sample_ratio, &by_metric)
    } else {
        by_metric
    })
}

fn mismatch(
    metric: &Metric,
    [(_, for_candidate), (_, for_control)]: [(&VariantKey, f64); 2],
    candidate: &Arm,
    control: &Arm,
    sample_ratio: SampleRatio,
    by_metric: &GuardVerdict,
) -> GuardVerdict {
    #[allow(clippy::cast_precision_loss)]
    let both = candidate.exposed.saturating_add(control.exposed) as f64;
    let of = |arm: &Arm, share: f64| Divided {
        exposed: arm.exposed,
        expected: both * share / (for_candidate + for_control),
    };
    let (new, old) = (of(candidate, for_candidate), of(control, for_control));
    let units = |arm: &Arm, divided: Divided| {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let expected = divided.expected.round() as u64;
        format!(
            "`{}` has {} units, not {}",
            arm.variant,
            words::count(divided.exposed),
            words::count(expected)
        )
    };
    let sentence = format!(
        "sample ratio mismatch: {}, and {} ({}), so `{}` cannot be judged; without that the guard would say: {}",
        units(candidate, new),
        units(control, old),
        sample_ratio.said(),
        metric.key,
        by_metric.sentence()
    );
    let hint = format!(
        "look at `{}` by hand, and halt it if in doubt: a crash or a redirect can lose the units of one \
         variant; once exposures are recorded as they should, halt and resume for an epoch that is judged anew",
        candidate.variant
    );
    GuardVerdict::Mismatch { sample_ratio, candidate: new, control: old, sentence, hint }
}

fn test(
    guard: &Guard,
    metric: &Metric,
    epoch: u32,
    control: &Arm,
    candidate: &Arm,
) -> Result<HarmTest, Refusal> {
    let level = Level::from_alpha(epoch_alpha(guard.alpha, epoch))?;
    let better = match metric.better {
        Better::Higher => Direction::Higher,
        Better::Lower => Direction::Lower,
    };
    let tuning = Tuning::default();
    match metric.measure {
        Measure::Conversion => {
            let control = Proportion::new(control.converted, control.units)?;
            let candidate = Proportion::new(candidate.converted, candidate.units)?;
            harm_in_proportions(&control, &candidate, guard.margin, better, level, tuning)
        }
        Measure::Count | Measure::Sum { .. } => {
            harm(&control.moments, &candidate.moments, guard.margin, better, level, tuning)
        }
    }
}

fn said(guard: &Guard, metric: &Metric, control: &Arm, candidate: &Arm, test: &HarmTest) -> GuardVerdict {
    let alpha = test.level.alpha();
    let scale = Scale::absolute(metric);
    let width = 2.0 * (test.bound - test.estimate);
    let size = |x| scale.size(x, width);
    let with = |arm: &Arm| words::level(metric, arm.mean(metric), arm.units);
    let arms = format!(
        "{} with `{}` against {} with `{}`",
        with(candidate),
        candidate.variant,
        with(control),
        control.variant
    );
    let error = format!(
        "{}, valid at every look, alpha {} of {} in this epoch",
        words::p(test.p),
        words::percent(alpha),
        words::percent(guard.alpha)
    );
    let look = Look {
        estimate: test.estimate,
        bound: test.bound,
        margin: test.margin,
        p: test.p,
        alpha,
        candidate: Measured { units: candidate.units, mean: candidate.mean(metric) },
        control: Measured { units: control.units, mean: control.mean(metric) },
        method: test.method.name().to_owned(),
    };
    if test.crossed {
        let does = match metric.better {
            Better::Higher => "lowers",
            Better::Lower => "raises",
        };
        let sentence = format!(
            "harm shown: `{}` {does} `{}` by {}, at least by {}, against a margin of {}: {arms}, {error}",
            candidate.variant,
            metric.key,
            size(test.estimate),
            size(test.bound),
            size(test.margin),
        );
        GuardVerdict::Harm { look, sentence }
    } else {
        let sentence = format!(
            "no harm beyond the tolerated {} is shown in `{}`: {arms}, {error}",
            size(test.margin),
            metric.key
        );
        GuardVerdict::Quiet { look, sentence }
    }
}

/// The proposal to halt a rollout: `None` unless harm is shown and the rollout is still widening.
pub fn halt(
    flag: &FlagKey,
    environment: &EnvironmentKey,
    rollout: &Rollout,
    verdict: &GuardVerdict,
    now: Millis,
) -> Option<Proposal> {
    rollout.widening().filter(|_| verdict.harm())?;
    let why = verdict.sentence().to_owned();
    let state = RolloutState::Halted { at: now, because: why.clone() };
    let (flag, environment) = (flag.clone(), environment.clone());
    Some(Proposal {
        edit: Edit::RolloutSet { flag, environment, rollout: Rollout { state, ..rollout.clone() } },
        why,
    })
}

#[cfg(test)]
#[path = "guard_tests.rs"]
mod tests;

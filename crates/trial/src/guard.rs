//! Trial: a guard's look at a rollout. Valid at every look, so it may be taken every minute.

use std::f64::consts::PI;

use bellwether_model::metric::{Better, Measure};
use bellwether_model::rollout::RolloutState;
use bellwether_model::{Edit, EnvironmentKey, FlagKey, Guard, Invalid, Metric, Millis, Rollout, VariantKey};
use bellwether_stats::{Direction, HarmTest, Level, Proportion, Refusal, Tuning, harm, harm_in_proportions};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::evidence::Arm;
use crate::proposal::Proposal;
use crate::words::{self, Scale};

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
            Self::Quiet { sentence, .. } | Self::TooLittle { sentence, .. } | Self::Harm { sentence, .. } => {
                sentence
            }
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
/// # Errors
/// When the guard's margin, alpha or window is not one.
pub fn judge(
    rollout: &Rollout,
    guard: &Guard,
    metric: &Metric,
    arms: &[Arm],
) -> Result<GuardVerdict, Invalid> {
    guard.check()?;
    let arm = |variant: &VariantKey| arms.iter().find(|a| a.variant == *variant).cloned();
    let control = arm(&rollout.control).unwrap_or_else(|| Arm::empty(rollout.control.clone()));
    let candidate = arm(&rollout.candidate).unwrap_or_else(|| Arm::empty(rollout.candidate.clone()));
    Ok(match test(guard, metric, rollout.epoch, &control, &candidate) {
        Ok(tested) => said(guard, metric, &control, &candidate, &tested),
        Err(refusal) => GuardVerdict::TooLittle {
            sentence: words::refusal(&refusal, &control, &candidate),
            hint: refusal.hint().to_owned(),
        },
    })
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

//! Trial: an experiment's verdict. One look counts, at the horizon that was planned.

mod compare;
mod sentence;

use bellwether_model::experiment::{Horizon, Plan};
use bellwether_model::metric::Better;
use bellwether_model::{Experiment, Invalid, Metric, Millis, VariantKey};
use bellwether_stats::DEFAULT_CONCENTRATION;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use compare::{Compared, Comparison, Interval, Relative};

use crate::SampleRatio;
use crate::evidence::{Arm, Evidence};

/// When an experiment is judged, and the stretch of time that its evidence is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// The time of this look.
    pub now: Millis,
    /// The start of the experiment.
    pub since: Millis,
    /// The end of its evidence: the horizon, or earlier if it was ended before
    /// ([`Experiment::period`]).
    pub until: Millis,
}

impl Clock {
    /// For a look at an experiment at `now`; `None` for a draft.
    pub fn at(experiment: &Experiment, now: Millis) -> Option<Self> {
        experiment.period().map(|(since, until)| Self { now, since, until })
    }
}

/// What an experiment says, in a word that programs can act on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// The horizon is not reached. There are intervals but no decision: a fixed-horizon test that is
    /// looked at until it pleases is wrong far more often than it says.
    Running {
        /// The horizon.
        ends_at: Millis,
    },
    /// It was ended before its horizon: there are intervals but no decision.
    EndedEarly {
        /// When it ended.
        at: Millis,
        /// The horizon.
        planned: Millis,
    },
    /// Units did not split as planned: no number of this experiment can be trusted.
    Broken,
    /// This treatment is better than the control; of several, the one with the largest effect.
    Ship {
        /// It.
        variant: VariantKey,
    },
    /// Every treatment is worse than the control.
    Keep {
        /// The control.
        variant: VariantKey,
    },
    /// No treatment is shown to be better, and not all are shown to be worse.
    Inconclusive,
    /// No treatment can be compared with the control.
    TooLittle {
        /// Why.
        reason: String,
        /// What to do about it.
        hint: String,
    },
}

impl Verdict {
    /// Whether the test has decided: only then may a difference be called shown or not shown.
    pub fn decides(&self) -> bool {
        match self {
            Self::Ship { .. } | Self::Keep { .. } | Self::Inconclusive | Self::TooLittle { .. } => true,
            Self::Running { .. } | Self::EndedEarly { .. } | Self::Broken => false,
        }
    }
}

/// A verdict with everything that it rests on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// Whether the horizon is still to come: the numbers will change, and show estimates and intervals
    /// only. Comparisons carry no `significant`, and the sentence no p-value.
    pub interim: bool,
    /// The horizon: when it is or would have been judged.
    pub ends_at: Millis,
    /// The verdict in words, with its numbers.
    pub sentence: String,
    /// The variant that the others are compared with.
    pub control: VariantKey,
    /// One per treatment, in the order of the plan.
    pub comparisons: Vec<Comparison>,
    /// The error rate of each comparison: the plan's, divided by the number of comparisons
    /// (Bonferroni). The intervals are at this rate and the verdict goes by it, so that all of them
    /// hold together with the plan's.
    pub alpha: f64,
    /// Whether the units split as planned.
    pub sample_ratio: SampleRatio,
    /// One per arm of the plan, in its order.
    pub counts: Vec<Counts>,
    /// Units that saw several variants and are therefore in no arm.
    pub crossed: u64,
}

/// What was counted in one arm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    /// The variant.
    pub variant: VariantKey,
    /// Units first exposed to it.
    pub exposed: u64,
    /// Units that are measured.
    pub units: u64,
    /// Those of them that did what the metric counts at least once.
    pub converted: u64,
    /// The mean per unit, for a conversion the rate; null without units.
    pub mean: Option<f64>,
}

/// Checks that a plan can be judged. Whoever stores a plan asks this first.
///
/// # Errors
/// When there are fewer than two arms, an arm is named twice or has no share, the control is no arm,
/// alpha is not between 0 and one half, or the horizon is no time.
pub fn check(plan: &Plan) -> Result<(), Invalid> {
    let arms = &plan.arms;
    if arms.len() < 2 {
        return Err(Invalid::new(
            format!("an experiment compares two variants or more: this plan has `{}`", arms.len()),
            "name the control and at least one treatment",
        ));
    }
    for (i, arm) in arms.iter().enumerate() {
        if arms.iter().take(i).any(|a| a.variant == arm.variant) {
            return Err(Invalid::new(
                format!("variant `{}` is two arms of the plan", arm.variant),
                "name each variant once",
            ));
        }
        if arm.share.points() == 0 {
            return Err(Invalid::new(
                format!("arm `{}` has a share of `0%`", arm.variant),
                "give it a share, or leave it out of the plan",
            ));
        }
    }
    if !arms.iter().any(|a| a.variant == plan.control) {
        return Err(Invalid::new(
            format!("the control `{}` is not an arm of the plan", plan.control),
            "name one of the arms as the control",
        ));
    }
    if !(plan.alpha > 0.0 && plan.alpha < 0.5) {
        return Err(Invalid::new(
            format!("alpha `{}` is not an error rate", plan.alpha),
            "use a value between 0 and 0.5, such as 0.05",
        ));
    }
    let Horizon::After { span } = plan.horizon;
    if span.0 == 0 {
        return Err(Invalid::new("a horizon of `0` ms sees nobody", "use some days, such as 1209600000"));
    }
    Ok(())
}

/// Judges an experiment.
///
/// Conversions are compared by the pooled z test with an unpooled interval, means by Welch's t test
/// (`statistics.md` 3.1, 3.2). Several treatments share alpha by Bonferroni rather than Holm: it has
/// slightly less power, and its intervals agree with its decisions. A treatment that is reported as
/// the best of several is likely to be a little less good than it looks.
///
/// The sample ratio is checked at every look by a sequential test, so it may stop an experiment
/// before its horizon; everything else decides only after it.
///
/// # Errors
/// When the plan is none: see [`check`].
pub fn judge(plan: &Plan, metric: &Metric, evidence: &Evidence, clock: Clock) -> Result<Judgement, Invalid> {
    check(plan)?;
    let arms: Vec<Arm> = plan
        .arms
        .iter()
        .map(|a| evidence.arm(&a.variant).cloned().unwrap_or_else(|| Arm::empty(a.variant.clone())))
        .collect();
    let shares: Vec<_> = plan.arms.iter().map(|a| (&a.variant, a.share.fraction())).collect();
    let sample_ratio = SampleRatio::check(&shares, evidence, DEFAULT_CONCENTRATION);
    let (mut comparisons, alpha) = compare::all(plan, metric, &arms)?;
    let Horizon::After { span } = plan.horizon;
    let ends_at = clock.since.plus(span);
    let verdict = decide(metric, &comparisons, &sample_ratio, clock, ends_at, &plan.control);
    if !verdict.decides() {
        comparisons.iter_mut().for_each(|c| c.compared.undecide());
    }
    let ended = clock.until < ends_at && clock.until <= clock.now;
    let mut judgement = Judgement {
        verdict,
        interim: clock.now < ends_at && !ended,
        ends_at,
        sentence: String::new(),
        control: plan.control.clone(),
        comparisons,
        alpha,
        sample_ratio,
        counts: arms.iter().map(|arm| Counts::of(arm, metric)).collect(),
        crossed: evidence.crossed,
    };
    judgement.sentence = sentence::say(plan, metric, &judgement);
    Ok(judgement)
}

impl Counts {
    fn of(arm: &Arm, metric: &Metric) -> Self {
        Self {
            variant: arm.variant.clone(),
            exposed: arm.exposed,
            units: arm.units,
            converted: arm.converted,
            mean: arm.mean(metric),
        }
    }
}

fn decide(
    metric: &Metric,
    comparisons: &[Comparison],
    sample_ratio: &SampleRatio,
    clock: Clock,
    planned: Millis,
    control: &VariantKey,
) -> Verdict {
    if sample_ratio.broken {
        return Verdict::Broken;
    }
    if clock.until < planned && clock.until <= clock.now {
        return Verdict::EndedEarly { at: clock.until, planned };
    }
    if clock.now < planned {
        return Verdict::Running { ends_at: planned };
    }
    // In the direction that is good.
    let good = |c: &Comparison| match (&c.compared, metric.better) {
        (Compared::Given { estimate, .. }, Better::Higher) => *estimate,
        (Compared::Given { estimate, .. }, Better::Lower) => -*estimate,
        (Compared::Refused { .. }, _) => 0.0,
    };
    let shown = || comparisons.iter().filter(|c| c.compared.significant());
    let best = shown().filter(|c| good(c) > 0.0).max_by(|a, b| good(a).total_cmp(&good(b)));
    if let Some(best) = best {
        return Verdict::Ship { variant: best.variant.clone() };
    }
    if comparisons.iter().all(|c| c.compared.significant()) {
        return Verdict::Keep { variant: control.clone() };
    }
    let refused = comparisons.iter().find_map(|c| match &c.compared {
        Compared::Refused { reason, hint } => Some((reason, hint)),
        Compared::Given { .. } => None,
    });
    let all_refused = comparisons.iter().all(|c| matches!(c.compared, Compared::Refused { .. }));
    match refused {
        Some((reason, hint)) if all_refused => {
            Verdict::TooLittle { reason: reason.clone(), hint: hint.clone() }
        }
        _ => Verdict::Inconclusive,
    }
}

#[cfg(test)]
#[path = "experiment_tests.rs"]
mod tests;

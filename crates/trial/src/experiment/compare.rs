//! Trial: the comparison of each treatment with the control.

use bellwether_model::experiment::Plan;
use bellwether_model::metric::Measure;
use bellwether_model::{Invalid, Metric, VariantKey};
use bellwether_stats::{Level, Proportion, Refusal, two_proportions, welch};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::evidence::Arm;
use crate::words;

/// Successes and failures that each arm must expect under "no difference" before a z test of two
/// proportions is said to be approximately right (Cochran's rule; the same test as a 2x2 χ²).
const EXPECTED: f64 = 5.0;

/// Units that each arm needs before a mean is taken to be roughly normal: the usual convention. Means
/// of strongly skewed values need more.
const UNITS: u64 = 30;

/// One treatment against the control.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Comparison {
    /// The treatment.
    pub variant: VariantKey,
    /// How it compares.
    pub compared: Compared,
}

/// How two arms compare, or why they cannot be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "compared", rename_all = "snake_case")]
pub enum Compared {
    /// The numbers.
    Given {
        /// Treatment minus control, in the unit of the metric: 0.01 is one percentage point.
        estimate: f64,
        /// Its standard error.
        se: f64,
        /// Its interval, at [`Judgement::alpha`](super::Judgement::alpha).
        interval: Interval,
        /// The two-sided p-value of this comparison alone.
        p: f64,
        /// The p-value with regard to the other comparisons: `p` times their number, at most 1. It is
        /// below the plan's alpha exactly where the difference is called one.
        p_adjusted: f64,
        /// Whether it is called one; absent where nothing is decided: before the horizon, of an experiment
        /// that was ended before it, and where the split is broken. `p` then answers no question.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        significant: Option<bool>,
        /// As a share of the control's mean.
        relative: Relative,
        /// The method, with its version.
        method: String,
    },
    /// The reason.
    Refused {
        /// Why.
        reason: String,
        /// What to do about it.
        hint: String,
    },
}

/// A two-sided interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// A difference as a share of the control's mean.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "relative", rename_all = "snake_case")]
pub enum Relative {
    /// The numbers.
    Given {
        /// 0.1 is ten percent more than control.
        lift: f64,
        /// Its interval, at the same error rate.
        interval: Interval,
    },
    /// The reason why there is no relative lift.
    Refused {
        /// Why.
        reason: String,
    },
}

impl Compared {
    /// Whether a difference is shown.
    pub fn significant(&self) -> bool {
        matches!(self, Self::Given { significant: Some(true), .. })
    }

    /// Takes back whether a difference is shown: nothing is decided.
    pub(super) fn undecide(&mut self) {
        if let Self::Given { significant, .. } = self {
            *significant = None;
        }
    }
}

impl From<bellwether_stats::Interval> for Interval {
    fn from(bellwether_stats::Interval { low, high }: bellwether_stats::Interval) -> Self {
        Self { low, high }
    }
}

/// Each treatment against the control, and the error rate of each comparison.
pub(super) fn all(plan: &Plan, metric: &Metric, arms: &[Arm]) -> Result<(Vec<Comparison>, f64), Invalid> {
    let treatments: Vec<&Arm> = arms.iter().filter(|a| a.variant != plan.control).collect();
    #[allow(clippy::cast_precision_loss)]
    let comparisons = treatments.len() as f64;
    let alpha = plan.alpha / comparisons;
    let level =
        Level::from_alpha(alpha).map_err(|refusal| Invalid::new(refusal.to_string(), refusal.hint()))?;
    let control = arms.iter().find(|a| a.variant == plan.control).ok_or_else(|| {
        Invalid::new(format!("the control `{}` is not an arm", plan.control), "name one of the arms")
    })?;
    let compared = |treatment: &&Arm| {
        let compared = match one(metric, control, treatment, level) {
            Err(refusal) => Compared::Refused {
                reason: words::refusal(&refusal, control, treatment),
                hint: refusal.hint().to_owned(),
            },
            Ok(c) => Compared::Given {
                estimate: c.estimate,
                se: c.se,
                interval: c.interval.into(),
                p: c.p,
                p_adjusted: (c.p * comparisons).min(1.0),
                significant: Some(c.p < alpha),
                relative: match c.relative {
                    Ok(r) => Relative::Given { lift: r.lift, interval: r.interval.into() },
                    Err(refusal) => Relative::Refused { reason: refusal.to_string() },
                },
                method: c.method.name().to_owned(),
            },
        };
        Comparison { variant: treatment.variant.clone(), compared }
    };
    Ok((treatments.iter().map(compared).collect(), alpha))
}

fn one(
    metric: &Metric,
    control: &Arm,
    treatment: &Arm,
    level: Level,
) -> Result<bellwether_stats::Comparison, Refusal> {
    use bellwether_stats::Arm::{Control, Treatment};
    match metric.measure {
        Measure::Conversion => {
            let c = Proportion::new(control.converted, control.units)?;
            let t = Proportion::new(treatment.converted, treatment.units)?;
            let rate = c.merge(&t).rate().unwrap_or(0.0);
            for (arm, of) in [(Control, &c), (Treatment, &t)] {
                let need = needed(rate);
                if of.n() < need {
                    return Err(Refusal::TooLittle { arm, have: of.n(), need });
                }
            }
            two_proportions(&c, &t, level)
        }
        Measure::Count | Measure::Sum { .. } => {
            for (arm, of) in [(Control, control), (Treatment, treatment)] {
                if of.units < UNITS {
                    return Err(Refusal::TooLittle { arm, have: of.units, need: UNITS });
                }
            }
            welch(&control.moments, &treatment.moments, level)
        }
    }
}

/// Units that an arm needs to expect enough successes and failures at a pooled rate.
fn needed(rate: f64) -> u64 {
    let rarer = rate.min(1.0 - rate);
    if rarer <= 0.0 {
        // No rate is known yet; where there is none at all, the test itself says so.
        return 2;
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let need = (EXPECTED / rarer).ceil() as u64;
    need
}

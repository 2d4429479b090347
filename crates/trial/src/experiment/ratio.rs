//! Trial: whether units split as planned. Where they did not, something other than chance decided
//! who was counted, and no comparison of the arms can be trusted.

use bellwether_model::experiment::Plan;
use bellwether_stats::{Refusal, SampleRatioSequence, sample_ratio};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::seen;
use crate::evidence::Evidence;

/// Below this the χ² test of one look warns.
const WARN: f64 = 0.01;

/// Below this the sequential test stops the experiment. It holds at every look.
const BROKEN: f64 = 0.001;

/// Units by arm against the planned shares.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SampleRatio {
    /// The p-value of a χ² test at this look; null where `refused` says why.
    pub p: Option<f64>,
    /// Whether that is below 0.01: look for the reason before acting.
    pub warn: bool,
    /// The p-value of the sequential test (Lindon and Malek), valid at every look.
    pub sequential: Option<f64>,
    /// Whether that is below 0.001, or an arm has units that no plan gave it.
    pub broken: bool,
    /// Why there is no χ² test.
    pub refused: Option<String>,
}

impl SampleRatio {
    /// Checks first exposures against the plan's shares, as shares of those enrolled.
    pub(super) fn check(plan: &Plan, evidence: &Evidence) -> Self {
        let shares: Vec<f64> = plan.arms.iter().map(|a| a.share.fraction()).collect();
        let exposed: Vec<u64> =
            plan.arms.iter().map(|a| seen(evidence, &a.variant).map_or(0, |arm| arm.exposed)).collect();
        let (p, refused) = match sample_ratio(&exposed, &shares) {
            Ok(ratio) => (Some(ratio.p), None),
            Err(refusal) => (None, Some(refusal)),
        };
        let unplanned = matches!(refused, Some(Refusal::UnplannedArm { .. }));
        let sequential = sequential(plan, evidence, &shares).ok();
        Self {
            p,
            warn: p.is_some_and(|p| p < WARN),
            sequential,
            broken: unplanned || sequential.is_some_and(|p| p < BROKEN),
            refused: refused.map(|r| r.to_string()),
        }
    }
}

fn sequential(plan: &Plan, evidence: &Evidence, shares: &[f64]) -> Result<f64, Refusal> {
    let mut sequence = SampleRatioSequence::new(shares)?;
    let places: Vec<Option<usize>> =
        plan.arms.iter().map(|a| evidence.arms.iter().position(|e| e.variant == a.variant)).collect();
    let mut p = 1.0;
    for increment in &evidence.increments {
        let counts: Vec<u64> =
            places.iter().map(|at| at.and_then(|at| increment.get(at)).copied().unwrap_or(0)).collect();
        p = sequence.observe(&counts)?;
    }
    Ok(p)
}

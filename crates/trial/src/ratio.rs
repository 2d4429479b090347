//! Trial: whether units split as they should. Where they did not, something other than chance decided
//! who was counted, and no comparison of the arms can be trusted.

use bellwether_model::VariantKey;
use bellwether_stats::{Refusal, SampleRatioSequence, sample_ratio};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::evidence::Evidence;

/// Below this the χ² test of one look warns.
const WARN: f64 = 0.01;

/// Below this the sequential test calls the split broken. It holds at every look.
const BROKEN: f64 = 0.001;

/// Units by arm against their shares.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SampleRatio {
    /// The p-value of a χ² test at this look; null where `refused` says why.
    pub p: Option<f64>,
    /// Whether that is below 0.01: look for the reason before acting.
    pub warn: bool,
    /// The p-value of the sequential test (Lindon and Malek), valid at every look.
    pub sequential: Option<f64>,
    /// Whether that is below 0.001, or an arm has units that no share gave it.
    pub broken: bool,
    /// Why there is no χ² test.
    pub refused: Option<String>,
}

impl SampleRatio {
    /// Checks first exposures against the shares of the arms, which need not add up to one. The larger
    /// the `concentration`, the smaller the mismatches that the sequential test is tuned to; it is valid
    /// for every one.
    pub(crate) fn check(arms: &[(&VariantKey, f64)], evidence: &Evidence, concentration: f64) -> Self {
        let shares: Vec<f64> = arms.iter().map(|(_, share)| *share).collect();
        let exposed: Vec<u64> =
            arms.iter().map(|(variant, _)| evidence.arm(variant).map_or(0, |arm| arm.exposed)).collect();
        let (p, refused) = match sample_ratio(&exposed, &shares) {
            Ok(ratio) => (Some(ratio.p), None),
            Err(refusal) => (None, Some(refusal)),
        };
        let unplanned = matches!(refused, Some(Refusal::UnplannedArm { .. }));
        let sequential = sequential(arms, evidence, &shares, concentration).ok();
        Self {
            p,
            warn: p.is_some_and(|p| p < WARN),
            sequential,
            broken: unplanned || sequential.is_some_and(|p| p < BROKEN),
            refused: refused.map(|r| r.to_string()),
        }
    }

    /// What the check of a broken split rests on, in words.
    pub(crate) fn said(&self) -> String {
        match (&self.refused, self.sequential) {
            (_, Some(p)) => format!("{}, valid at every look", crate::words::p(p)),
            (Some(reason), None) => reason.clone(),
            (None, None) => "no test".to_owned(),
        }
    }
}

fn sequential(
    arms: &[(&VariantKey, f64)],
    evidence: &Evidence,
    shares: &[f64],
    concentration: f64,
) -> Result<f64, Refusal> {
    let mut sequence = SampleRatioSequence::with_concentration(shares, concentration)?;
    let places: Vec<Option<usize>> =
        arms.iter().map(|(variant, _)| evidence.arms.iter().position(|e| e.variant == **variant)).collect();
    let mut p = 1.0;
    for increment in &evidence.increments {
        let counts: Vec<u64> =
            places.iter().map(|at| at.and_then(|at| increment.get(at)).copied().unwrap_or(0)).collect();
        p = sequence.observe(&counts)?;
    }
    Ok(p)
}

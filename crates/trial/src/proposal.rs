//! Trial: a proposal, the change that a verdict asks for. Somebody else performs it.

use bellwether_model::experiment::ExperimentState;
use bellwether_model::{Edit, Experiment, Invalid, Millis, VariantKey};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::experiment::{Judgement, Verdict};

/// An edit and the reason for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Proposal {
    /// What is to change.
    pub edit: Edit,
    /// Why: the verdict in words, with its numbers.
    pub why: String,
}

/// What an experiment's flag is to serve to everybody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "ship", rename_all = "snake_case")]
pub enum Shipping {
    /// What the verdict says: the winner, or the control where the treatments are worse.
    Verdict,
    /// This variant, whatever the verdict says.
    Despite {
        /// The variant.
        variant: VariantKey,
        /// Why the verdict does not decide.
        reason: String,
    },
}

/// The proposal to end an experiment and serve one variant to everybody.
///
/// # Errors
/// When the experiment is not running, when the verdict names no variant and none is given, when the
/// variant is not an arm of the experiment, or when going against the verdict is given no reason.
pub fn ship(
    experiment: &Experiment,
    judgement: &Judgement,
    shipping: &Shipping,
    now: Millis,
) -> Result<Proposal, Invalid> {
    let key = &experiment.key;
    if !matches!(experiment.state, ExperimentState::Running { .. }) {
        return Err(Invalid::new(
            format!("experiment `{key}` is not running"),
            "only a running experiment can be shipped; change the flag itself instead",
        ));
    }
    let (variant, why) = match (shipping, &judgement.verdict) {
        (Shipping::Verdict, Verdict::Ship { variant } | Verdict::Keep { variant }) => {
            (variant.clone(), judgement.sentence.clone())
        }
        (Shipping::Verdict, _) => {
            return Err(Invalid::new(
                format!("experiment `{key}` has no winner: {}", judgement.sentence),
                "wait for the horizon, stop the experiment, or name a variant and the reason",
            ));
        }
        (Shipping::Despite { reason, .. }, _) if reason.trim().is_empty() => {
            return Err(Invalid::new(
                format!("shipping `{key}` against its verdict needs a reason"),
                "say why the verdict does not decide",
            ));
        }
        (Shipping::Despite { variant, reason }, _) => {
            (variant.clone(), format!("{} (the verdict was: {})", reason.trim(), judgement.sentence))
        }
    };
    if !experiment.plan.arms.iter().any(|arm| arm.variant == variant) {
        return Err(Invalid::new(
            format!("`{variant}` is not an arm of experiment `{key}`"),
            "name a variant that the experiment compares",
        ));
    }
    Ok(Proposal { edit: Edit::ExperimentShipped { experiment: key.clone(), at: now, variant }, why })
}

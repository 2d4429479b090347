//! Trial: a proposal, the change that a verdict asks for. Somebody else performs it.

use bellwether_model::experiment::ExperimentState;
use bellwether_model::{Edit, Experiment, ExperimentKey, Invalid, Millis, VariantKey};
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
    Verdict {
        /// What there is to say beside the verdict. Needed where the sample ratio warns; may be empty
        /// otherwise.
        reason: String,
    },
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
/// variant is not an arm of the experiment, or when going against the verdict, or by it while the sample
/// ratio warns, is given no reason. The verdict itself is none: it is in the change anyway.
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
    let own = |reason: &str| {
        let reason = reason.trim();
        (!reason.is_empty() && reason != judgement.sentence)
            .then(|| format!("{reason} (the verdict was: {})", judgement.sentence))
    };
    let (variant, why) = match (shipping, &judgement.verdict) {
        (Shipping::Verdict { reason }, Verdict::Ship { variant } | Verdict::Keep { variant }) => {
            let why = match (own(reason), judgement.sample_ratio.p) {
                (Some(why), _) => why,
                (None, Some(p)) if judgement.sample_ratio.warn => return Err(unexplained(key, p)),
                (None, _) => judgement.sentence.clone(),
            };
            (variant.clone(), why)
        }
        (Shipping::Verdict { .. }, _) => {
            return Err(Invalid::new(
                format!("experiment `{key}` has no winner: {}", judgement.sentence),
                "wait for the horizon, stop the experiment, or name a variant and the reason",
            ));
        }
        (Shipping::Despite { variant, reason }, _) => match own(reason) {
            Some(why) => (variant.clone(), why),
            None => {
                return Err(Invalid::new(
                    format!("shipping `{key}` against its verdict needs a reason"),
                    "say why the verdict does not decide",
                ));
            }
        },
    };
    if !experiment.plan.arms.iter().any(|arm| arm.variant == variant) {
        return Err(Invalid::new(
            format!("`{variant}` is not an arm of experiment `{key}`"),
            "name a variant that the experiment compares",
        ));
    }
    Ok(Proposal { edit: Edit::ExperimentShipped { experiment: key.clone(), at: now, variant }, why })
}

/// Shipping by a verdict whose units did not split as planned, without a word on it.
fn unexplained(key: &ExperimentKey, p: f64) -> Invalid {
    let p = crate::words::p(p);
    Invalid::new(
        format!("the sample ratio of `{key}` is off ({p}), so shipping it needs a reason"),
        format!(
            "find out why units did not split as planned ({p}), and say in `why` that the verdict stands all the same"
        ),
    )
}

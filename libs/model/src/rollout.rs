//! Model: a rollout widens, is halted or is done, and may name a guard that watches it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{Invalid, MetricKey, VariantKey};
use crate::share::Share;
use crate::split::Split;
use crate::time::{Millis, Span};

/// A candidate on its way from nobody to everybody.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Rollout {
    /// The variant that is rolled out.
    pub candidate: VariantKey,
    /// The variant that it replaces, and that everybody gets when it is halted.
    pub control: VariantKey,
    /// Who gets which while it widens.
    pub split: Split,
    /// What watches it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guard: Option<Guard>,
    /// Where it stands.
    pub state: RolloutState,
    /// When it began.
    pub started: Millis,
    /// Counts the times that the ratio of candidate to control changed: evidence from different
    /// epochs is not pooled.
    #[serde(default)]
    pub epoch: u32,
    /// When this epoch began.
    pub epoch_began: Millis,
}

/// Where a rollout stands; it is never in two states.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum RolloutState {
    /// The split decides.
    Widening,
    /// Everybody has the control.
    Halted {
        /// Since when.
        at: Millis,
        /// The sentence that says why.
        because: String,
    },
    /// Everybody has the candidate.
    Done {
        /// Since when.
        at: Millis,
    },
}

/// What must not get worse while a rollout widens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Guard {
    /// The guardrail metric.
    pub metric: MetricKey,
    /// The harm that is tolerated, in the metric's unit and as an absolute difference: 0.01 is one
    /// percentage point of a conversion. Never negative.
    pub margin: f64,
    /// How often a harmless rollout may be halted, over its whole life; 0.05 is one in twenty.
    #[serde(default = "five_percent")]
    pub alpha: f64,
    /// How long after its first exposure a unit is watched. Units count once this has passed, so that
    /// early and late units are measured alike.
    #[serde(default = "ten_minutes")]
    pub window: Span,
}

fn five_percent() -> f64 {
    0.05
}

fn ten_minutes() -> Span {
    Span::MINUTE.times(10)
}

impl Guard {
    /// Checks the numbers.
    ///
    /// # Errors
    /// When the margin is negative or not finite, or alpha is not between 0 and one half.
    pub fn check(&self) -> Result<(), Invalid> {
        if !(self.margin.is_finite() && self.margin >= 0.0) {
            return Err(Invalid::new(
                format!("a margin of `{}` is not a tolerated harm", self.margin),
                "use 0 or a positive difference in the metric's unit, such as 0.01",
            ));
        }
        if !(self.alpha > 0.0 && self.alpha < 0.5) {
            return Err(Invalid::new(
                format!("alpha `{}` is not an error rate", self.alpha),
                "use a value between 0 and 0.5, such as 0.05",
            ));
        }
        if self.window.0 == 0 {
            return Err(Invalid::new(
                "a window of `0` ms watches nobody",
                "use some minutes, such as 600000",
            ));
        }
        Ok(())
    }
}

impl Rollout {
    /// The split, while it decides.
    pub fn widening(&self) -> Option<&Split> {
        matches!(self.state, RolloutState::Widening).then_some(&self.split)
    }

    /// The one variant that everybody has, when the rollout is not widening.
    pub fn settled(&self) -> Option<&VariantKey> {
        match self.state {
            RolloutState::Widening => None,
            RolloutState::Halted { .. } => Some(&self.control),
            RolloutState::Done { .. } => Some(&self.candidate),
        }
    }

    /// The candidate's share of the population right now.
    pub fn share(&self) -> Share {
        match self.state {
            RolloutState::Widening => self.split.share(&self.candidate),
            RolloutState::Halted { .. } => Share::NONE,
            RolloutState::Done { .. } => Share::ALL,
        }
    }
}

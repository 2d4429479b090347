//! Model: an experiment is a plan that was fixed before the data came, and a state.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{EnvironmentKey, ExperimentKey, FlagKey, MetricKey, VariantKey};
use crate::share::Share;
use crate::time::{Millis, Span};

/// An experiment on a flag in one environment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Experiment {
    /// Its key.
    pub key: ExperimentKey,
    /// What people call it.
    pub name: String,
    /// What is believed, and what will be done if it is true.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hypothesis: String,
    /// The flag whose variants are compared.
    pub flag: FlagKey,
    /// Where.
    pub environment: EnvironmentKey,
    /// What was decided before the data came.
    pub plan: Plan,
    /// Where it stands.
    pub state: ExperimentState,
}

/// What was decided before the data came; it cannot be edited once the experiment runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// The variant that the others are compared with.
    pub control: VariantKey,
    /// The variants compared, control included, with their planned shares of the population.
    pub arms: Vec<Arm>,
    /// The metric that decides.
    pub metric: MetricKey,
    /// When the data ends: the one look that counts is taken then.
    pub horizon: Horizon,
    /// How often a difference that is not there may be called one; two-sided.
    #[serde(default = "five_percent")]
    pub alpha: f64,
    /// The smallest effect worth finding, as an absolute difference; drawn beside the interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<f64>,
}

fn five_percent() -> f64 {
    0.05
}

/// One variant of an experiment and the share that it should get.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Arm {
    /// The variant.
    pub variant: VariantKey,
    /// Its share of the population. Shares of arms need not add up to 100%: the rest is not enrolled.
    pub share: Share,
}

/// When an experiment ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "horizon", rename_all = "snake_case")]
pub enum Horizon {
    /// After this long.
    After {
        /// From the start.
        span: Span,
    },
}

/// Where an experiment stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ExperimentState {
    /// The plan can still be changed.
    Draft,
    /// Exposures count from `since` on, until the horizon.
    Running {
        /// The start.
        since: Millis,
    },
    /// Ended without a winner being shipped.
    Stopped {
        /// The start.
        since: Millis,
        /// The end: later events do not count.
        at: Millis,
        /// The sentence that says why.
        because: String,
    },
    /// Ended, and everybody has `variant`.
    Shipped {
        /// The start.
        since: Millis,
        /// The end: later events do not count.
        at: Millis,
        /// What everybody has.
        variant: VariantKey,
    },
}

impl Experiment {
    /// The stretch of time whose exposures and events count, if the experiment has begun: from the
    /// start to the horizon, or to the end if that came first.
    pub fn period(&self) -> Option<(Millis, Millis)> {
        let Horizon::After { span } = self.plan.horizon;
        match self.state {
            ExperimentState::Draft => None,
            ExperimentState::Running { since } => Some((since, since.plus(span))),
            ExperimentState::Stopped { since, at, .. } | ExperimentState::Shipped { since, at, .. } => {
                Some((since, at.min(since.plus(span))))
            }
        }
    }

    /// Whether it is running.
    pub fn running(&self) -> bool {
        matches!(self.state, ExperimentState::Running { .. })
    }
}

//! App operations: the guard of a rollout, as it is set and what it sees.

use bellwether_model::rollout::Guard;
use bellwether_model::{EnvironmentKey, FlagKey, MetricKey, Rollout, RolloutState};
use bellwether_trial::guard::GuardVerdict;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::experiment::{programs, set_aside};
use super::rollout::current;
use super::serve::Length;
use super::{Class, Ctx, Effect, Method, Operation};
use crate::App;
use crate::access::Permission;
use crate::error::AppError;
use crate::view::Warning;

/// What must not get worse while a rollout widens.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WatchInput {
    /// The guardrail metric.
    metric: MetricKey,
    /// The harm that is tolerated, in the metric's unit and as an absolute difference: 0.01 is one percentage
    /// point of a conversion. Never negative.
    margin: f64,
    /// How often a harmless rollout may be halted, over its whole life; 0.05, one in twenty, unless given.
    alpha: Option<f64>,
    /// How long after its first exposure a unit is watched: milliseconds, or a text such as `10m`, which it is
    /// unless given.
    window: Option<Length>,
}

impl WatchInput {
    /// The guard that this makes.
    pub(super) fn plan(self) -> Guard {
        let Self { metric, margin, alpha, window } = self;
        let usual = Guard::of(metric, margin);
        Guard {
            alpha: alpha.unwrap_or(usual.alpha),
            window: window.map_or(usual.window, |window| window.0),
            ..usual
        }
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StatusInput {
    /// The flag.
    flag: FlagKey,
    /// Where.
    environment: EnvironmentKey,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct GuardView {
    /// The rollout that is watched.
    rollout: Rollout,
    /// What the guard says of the evidence up to now; once the rollout is halted or done, up to then.
    verdict: GuardVerdict,
    /// What makes the numbers mean less than they say, such as amounts that were set aside.
    warnings: Vec<Warning>,
}

pub(super) struct Status;

impl Operation for Status {
    const NAME: &'static str = "guard.status";
    const ABOUT: &'static str = "Says what the guard of a rollout sees right now, with its numbers.";
    const ROUTE: (Method, &'static str) = (Method::Get, "/api/flags/{flag}/guard");
    const NEEDS: Permission = Permission::View;
    const CLASS: Class = Class::Scan;
    const EFFECT: Effect = Effect::Reads;
    type Input = StatusInput;
    type Output = GuardView;

    fn run(app: &App, ctx: &Ctx, input: StatusInput) -> Result<GuardView, AppError> {
        let setting = app.setting(&input.flag, &input.environment)?;
        let rollout = current(&setting, &input.flag)?;
        // What is settled was settled by the evidence of that moment; units that ripen later would blur it.
        let look = match rollout.state {
            RolloutState::Widening => ctx.now,
            RolloutState::Halted { at, .. } | RolloutState::Done { at } => at,
        };
        let judged = app.judge_guard(&input.flag, &input.environment, &rollout, look)?;
        let aside = set_aside(&judged.evidence, &judged.metric);
        let warnings = aside.into_iter().chain(programs(&judged.evidence)).collect();
        Ok(GuardView { rollout, verdict: judged.verdict, warnings })
    }
}

//! App operations: the ramp of a rollout, the steps by which it widens by itself.

use bellwether_model::{EnvironmentKey, FlagKey, Pace, Ramp, Revision, Step};
use schemars::JsonSchema;
use serde::Deserialize;

use super::rollout::{Steering, steer};
use super::serve::StepInput;
use super::{Class, Ctx, Effect, Method, Operation};
use crate::App;
use crate::access::Permission;
use crate::error::AppError;
use crate::view::FlagView;

pub(super) struct Pause;

impl Operation for Pause {
    const NAME: &'static str = "rollout.pause";
    const ABOUT: &'static str =
        "Keeps a rollout from taking the next step of its ramp; everybody keeps what they have.";
    const ROUTE: (Method, &'static str) = (Method::Post, "/api/flags/{flag}/rollout/pause");
    const NEEDS: Permission = Permission::Edit;
    const CLASS: Class = Class::Write;
    const EFFECT: Effect = Effect::Changes;
    type Input = Steering;
    type Output = FlagView;

    fn run(app: &App, ctx: &Ctx, input: Steering) -> Result<FlagView, AppError> {
        let flag = input.flag().clone();
        let on = app.setting(&flag, input.environment())?.on;
        steer(app, ctx, input, |rollout| {
            let widening = rollout.widening().is_some();
            match rollout.ramp.as_mut().filter(|_| widening) {
                Some(Ramp { pace: Pace::Paused { .. }, .. }) => Err(AppError::conflict(
                    format!("the ramp of `{flag}` is paused already"),
                    "resume it with `rollout.resume`; to take the rollout back, halt it",
                )),
                Some(ramp) if ramp.pace != Pace::Ended => {
                    // While the flag is off nobody sees the step: all of it is left.
                    if !on {
                        ramp.hold(ctx.now);
                    }
                    ramp.pause(ctx.now);
                    Ok(())
                }
                _ => Err(AppError::conflict(
                    format!("the rollout of `{flag}` has no step to come"),
                    "only a ramp that goes on can be paused; to take a rollout back, halt it",
                )),
            }
        })
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RampInput {
    /// The flag.
    flag: FlagKey,
    /// Where.
    environment: EnvironmentKey,
    /// The steps, such as `[{"share": 500, "hold": "1d"}, {"share": 10000}]`; the first is taken now and is not
    /// less than the share that there is. None, `[]`, take the ramp away, and the share stays.
    steps: Vec<StepInput>,
    /// The reason; needed in production.
    why: Option<String>,
    /// The revision that the edit is of.
    if_revision: Option<Revision>,
}

pub(super) struct SetRamp;

impl Operation for SetRamp {
    const NAME: &'static str = "rollout.ramp";
    const ABOUT: &'static str =
        "Gives a rollout that widens the steps by which it goes on by itself, or takes them away.";
    const ROUTE: (Method, &'static str) = (Method::Put, "/api/flags/{flag}/rollout/ramp");
    const NEEDS: Permission = Permission::Edit;
    const CLASS: Class = Class::Write;
    const EFFECT: Effect = Effect::Changes;
    type Input = RampInput;
    type Output = FlagView;

    fn run(app: &App, ctx: &Ctx, input: RampInput) -> Result<FlagView, AppError> {
        let RampInput { flag, environment, steps, why, if_revision } = input;
        let steps: Vec<Step> = steps.into_iter().map(Step::from).collect();
        let steering = Steering::new(flag.clone(), environment, why, if_revision);
        steer(app, ctx, steering, |rollout| {
            if rollout.widening().is_none() {
                return Err(AppError::conflict(
                    format!("the rollout of `{flag}` is not widening"),
                    "resume it, or start a new one",
                ));
            }
            let Some(first) = steps.first() else {
                rollout.ramp = None;
                return Ok(());
            };
            let has = rollout.share();
            if first.share < has {
                return Err(AppError::bad_input(
                    format!("the first step is `{}`, and the rollout is at `{has}`", first.share),
                    "begin with the share that there is, or more; to narrow it use `rollout.widen` first",
                ));
            }
            let (share, ramp) = (first.share, Ramp::begin(steps, ctx.now)?);
            super::rollout::climbs(rollout, &ramp.steps, ctx.now)?;
            super::rollout::widen(rollout, share, ctx.now)?;
            rollout.ramp = Some(ramp);
            Ok(())
        })
    }
}

//! App operations: rollouts.

use bellwether_ledger::State;
use bellwether_model::{
    Edit, EnvironmentKey, Flag, FlagKey, Millis, Pace, Planned, Ramp, Revision, Rollout, RolloutState, Serve,
    Setting, Share, Split, Step, VariantKey,
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::guard::WatchInput;
use super::serve::StepInput;
use super::{Class, Ctx, Effect, Method, Operation};
use crate::access::Permission;
use crate::error::AppError;
use crate::view::{FlagView, Warning};
use crate::{App, advice};

/// The split of a rollout: `share` for the candidate, as much for the control where a third variant
/// holds the rest, else everybody else has the control.
fn shares(
    candidate: &VariantKey,
    control: &VariantKey,
    rest: Option<&VariantKey>,
    share: Share,
) -> Result<Vec<(VariantKey, Share)>, AppError> {
    let bp = share.points();
    let shares = match rest {
        None => vec![(candidate.clone(), share), (control.clone(), Share::basis_points(10_000 - bp)?)],
        Some(rest) => {
            if bp > 5_000 {
                return Err(AppError::bad_input(
                    format!("`{share}` leaves no control of the same size"),
                    "with a rest variant a rollout widens to 50% at most; then finish it",
                ));
            }
            let left = Share::basis_points(10_000 - 2 * bp)?;
            vec![(candidate.clone(), share), (control.clone(), share), (rest.clone(), left)]
        }
    };
    Ok(shares)
}

/// Gives the candidate a share. All of everybody finishes the rollout.
///
/// Arms in another ratio must not be pooled with what was before: they begin a new epoch.
pub(crate) fn widen(rollout: &mut Rollout, share: Share, now: Millis) -> Result<(), AppError> {
    if share == Share::ALL {
        rollout.state = RolloutState::Done { at: now };
        return Ok(());
    }
    let rest = rollout.split.rest().filter(|rest| **rest != rollout.control).cloned();
    let wanted = shares(&rollout.candidate, &rollout.control, rest.as_ref(), share)?;
    let split = rollout.split.reshare(&wanted)?;
    if !rollout.split.same_ratio(&split, [&rollout.candidate, &rollout.control]) {
        rollout.epoch += 1;
        rollout.epoch_began = now;
    }
    rollout.split = split;
    Ok(())
}

/// Whether the rollout can be widened to each of these, one after the other.
pub(crate) fn climbs(rollout: &Rollout, steps: &[Step], now: Millis) -> Result<(), AppError> {
    let mut rollout = rollout.clone();
    steps.iter().try_for_each(|step| widen(&mut rollout, step.share, now))
}

pub(super) fn current(setting: &Setting, flag: &FlagKey) -> Result<Rollout, AppError> {
    match &setting.default {
        Serve::Rollout { rollout } => Ok(rollout.clone()),
        _ => Err(AppError::conflict(
            format!("flag `{flag}` has no rollout here"),
            "begin one with `rollout.start`",
        )),
    }
}

/// Whether a rollout was brought by somebody else to where a plan would bring it, so that there is nothing to
/// do but to say so.
pub(super) fn is_so(
    app: &App,
    flag: &FlagKey,
    environment: &EnvironmentKey,
    planned: &Planned,
) -> Result<bool, AppError> {
    let Serve::Rollout { rollout } = app.setting(flag, environment)?.default else { return Ok(false) };
    Ok(matches!(
        (planned, rollout.state),
        (Planned::Halt { .. }, RolloutState::Halted { .. })
            | (Planned::Finish { .. } | Planned::Widen { share: Share::ALL, .. }, RolloutState::Done { .. })
    ))
}

fn set(app: &App, ctx: &Ctx, edit: Steering, rollout: Rollout) -> Result<FlagView, AppError> {
    let Steering { flag, environment, why, if_revision } = edit;
    let edit = Edit::RolloutSet { flag: flag.clone(), environment, rollout };
    let after = app.edit(ctx, edit, why, if_revision, Vec::new())?;
    app.flag_after(&after, &flag)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StartInput {
    /// The flag.
    flag: FlagKey,
    /// Where.
    environment: EnvironmentKey,
    /// The variant that is rolled out.
    candidate: VariantKey,
    /// The variant that it replaces.
    control: VariantKey,
    /// The candidate's share to begin with; the first step's where there are steps.
    share: Option<Share>,
    /// The steps by which it widens by itself, the first of which is taken now; none unless given. Such as
    /// `[{"share": 500, "hold": "1d"}, {"share": 10000}]`: 5% for a day, then everybody.
    steps: Option<Vec<StepInput>>,
    /// A third variant for those in neither arm: the control arm is then as large as the candidate's.
    rest: Option<VariantKey>,
    /// What watches it, such as `{"metric": "errors", "margin": 0.01, "window": "10m"}`.
    guard: Option<WatchInput>,
    /// The salt of the split; a new one unless given.
    salt: Option<String>,
    /// The reason; needed in production.
    why: Option<String>,
    /// The revision that the edit is of.
    if_revision: Option<Revision>,
}

pub(super) struct Start;

impl Operation for Start {
    const NAME: &'static str = "rollout.start";
    const ABOUT: &'static str =
        "Rolls a variant out to a share of everybody, watched by a guard if one is named.";
    const ROUTE: (Method, &'static str) = (Method::Post, "/api/flags/{flag}/rollout");
    const NEEDS: Permission = Permission::Edit;
    const CLASS: Class = Class::Write;
    const EFFECT: Effect = Effect::Changes;
    type Input = StartInput;
    type Output = FlagView;

    fn run(app: &App, ctx: &Ctx, input: StartInput) -> Result<FlagView, AppError> {
        let setting = app.setting(&input.flag, &input.environment)?;
        if let Serve::Rollout { rollout } = &setting.default
            && rollout.widening().is_some()
        {
            return Err(AppError::conflict(
                format!("flag `{}` is rolling out `{}` already", input.flag, rollout.candidate),
                "widen, halt or finish that rollout first",
            ));
        }
        if input.candidate == input.control {
            return Err(AppError::bad_input(
                format!("`{}` cannot replace itself", input.candidate),
                "name two variants, the new one as `candidate`",
            ));
        }
        let guard = input.guard.map(WatchInput::plan);
        if let Some(guard) = &guard {
            guard.check()?;
            if !app.ledger.state().metrics.contains_key(&guard.metric) {
                return Err(AppError::not_found("metric", &guard.metric, "define it with `metric.save`"));
            }
        }
        let salt = match input.salt {
            Some(salt) => salt,
            None => app.salt(&input.flag)?,
        };
        let steps: Vec<Step> = input.steps.into_iter().flatten().map(Step::from).collect();
        let steps = (!steps.is_empty()).then_some(steps);
        let share = match (input.share, steps.as_ref().and_then(|steps| steps.first())) {
            (Some(share), Some(first)) if first.share != share => {
                return Err(AppError::bad_input(
                    format!("`share` is `{share}`, and the first of `steps` is `{}`", first.share),
                    "leave `share` out: the first step says it",
                ));
            }
            (Some(share), _) => share,
            (None, Some(first)) => first.share,
            (None, None) => {
                return Err(AppError::bad_input(
                    "this rollout has no share to begin with",
                    "give `share` in basis points, such as 500 for 5%, or `steps`",
                ));
            }
        };
        let rest = input.rest.as_ref();
        let wanted = shares(&input.candidate, &input.control, rest, share)?;
        let ramp = steps.map(|steps| Ramp::begin(steps, ctx.now)).transpose()?;
        let mut rollout = Rollout {
            split: Split::new(&salt, &wanted, rest.or(Some(&input.control)))?,
            candidate: input.candidate,
            control: input.control,
            guard,
            ramp: None,
            state: RolloutState::Widening,
            started: ctx.now,
            resumed: None,
            epoch: 0,
            epoch_began: ctx.now,
        };
        if let Some(ramp) = ramp {
            climbs(&rollout, &ramp.steps, ctx.now)?;
            // A first step of everybody finishes it.
            widen(&mut rollout, share, ctx.now)?;
            rollout.ramp = Some(ramp);
        }
        let steering = Steering {
            flag: input.flag,
            environment: input.environment,
            why: input.why,
            if_revision: input.if_revision,
        };
        set(app, ctx, steering, rollout)
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WidenInput {
    /// The flag.
    pub(super) flag: FlagKey,
    /// Where.
    pub(super) environment: EnvironmentKey,
    /// The candidate's new share.
    pub(super) share: Share,
    /// The reason; needed in production.
    pub(super) why: Option<String>,
    /// The revision that the edit is of.
    pub(super) if_revision: Option<Revision>,
}

pub(super) struct Widen;

impl Operation for Widen {
    const NAME: &'static str = "rollout.widen";
    const ABOUT: &'static str =
        "Gives the candidate a new share. Evidence from before counts on while the ratio of the arms stays.";
    const ROUTE: (Method, &'static str) = (Method::Post, "/api/flags/{flag}/rollout/widen");
    const NEEDS: Permission = Permission::Edit;
    const CLASS: Class = Class::Write;
    const EFFECT: Effect = Effect::Changes;
    type Input = WidenInput;
    type Output = FlagView;

    fn run(app: &App, ctx: &Ctx, input: WidenInput) -> Result<FlagView, AppError> {
        let setting = app.setting(&input.flag, &input.environment)?;
        let mut rollout = current(&setting, &input.flag)?;
        if rollout.widening().is_none() {
            return Err(AppError::conflict(
                format!("the rollout of `{}` is not widening", input.flag),
                "resume it, or start a new one",
            ));
        }
        let before = rollout.share();
        widen(&mut rollout, input.share, ctx.now)?;
        let fewer = advice::narrowed(&input.flag, before, input.share);
        // A share that is set by hand is not a step of the ramp.
        rollout.ramp = None;
        rollout.resumed = None;
        let steering = Steering {
            flag: input.flag,
            environment: input.environment,
            why: input.why,
            if_revision: input.if_revision,
        };
        Ok(set(app, ctx, steering, rollout)?.warned(fewer))
    }
}

/// Which rollout, and why it is steered.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Steering {
    /// The flag.
    flag: FlagKey,
    /// Where.
    environment: EnvironmentKey,
    /// The reason; needed in production.
    why: Option<String>,
    /// The revision that the edit is of.
    if_revision: Option<Revision>,
}

impl Steering {
    pub(crate) fn new(
        flag: FlagKey,
        environment: EnvironmentKey,
        why: Option<String>,
        if_revision: Option<Revision>,
    ) -> Self {
        Self { flag, environment, why, if_revision }
    }

    pub(crate) fn flag(&self) -> &FlagKey {
        &self.flag
    }

    pub(crate) fn environment(&self) -> &EnvironmentKey {
        &self.environment
    }
}

pub(crate) fn steer(
    app: &App,
    ctx: &Ctx,
    input: Steering,
    turn: impl FnOnce(&mut Rollout) -> Result<(), AppError>,
) -> Result<FlagView, AppError> {
    let setting = app.setting(&input.flag, &input.environment)?;
    let mut rollout = current(&setting, &input.flag)?;
    rollout.resumed = None;
    turn(&mut rollout)?;
    set(app, ctx, input, rollout)
}

pub(super) struct Halt;

impl Operation for Halt {
    const NAME: &'static str = "rollout.halt";
    const ABOUT: &'static str = "Halts a rollout: everybody gets the control at once.";
    const ROUTE: (Method, &'static str) = (Method::Post, "/api/flags/{flag}/rollout/halt");
    const NEEDS: Permission = Permission::Edit;
    const CLASS: Class = Class::Write;
    const EFFECT: Effect = Effect::Changes;
    type Input = Steering;
    type Output = FlagView;

    fn run(app: &App, ctx: &Ctx, input: Steering) -> Result<FlagView, AppError> {
        let why = input.why.as_deref().map(str::trim).filter(|why| !why.is_empty());
        let because = why.unwrap_or("halted by hand").to_owned();
        let (flag, environment) = (input.flag.clone(), input.environment.clone());
        let mut halted = steer(app, ctx, input, |rollout| {
            // Twice is once: the first reason, perhaps a guard's, stays.
            if let RolloutState::Halted { because, .. } = &rollout.state {
                return Err(AppError::conflict(
                    format!("the rollout of `{flag}` is halted already: {because}"),
                    "resume it, or start a new one",
                ));
            }
            rollout.state = RolloutState::Halted { at: ctx.now, because };
            Ok(())
        })?;
        halted.warnings.extend(shown_still(&app.ledger.state(), &halted.flag, &environment));
        Ok(halted)
    }
}

/// What a halt leaves: a beta comes before the default, and shows its audience what it did.
fn shown_still(state: &State, flag: &Flag, environment: &EnvironmentKey) -> Option<Warning> {
    let setting = flag.settings.get(environment).filter(|setting| setting.on)?;
    let Serve::Rollout { rollout } = &setting.default else { return None };
    let mut betas = state.betas.values();
    let (beta, served) = betas.find_map(|beta| Some((&beta.key, beta.serves(flag, environment)?)))?;
    (*served != rollout.control).then(|| Warning {
        message: format!("beta `{beta}` is on in `{environment}`: its audience still gets `{served}`"),
        hint: "turn the beta off with `beta.switch`, or the flag with `flag.toggle`".to_owned(),
    })
}

pub(super) struct Resume;

impl Operation for Resume {
    const NAME: &'static str = "rollout.resume";
    const ABOUT: &'static str = "Lets a halted rollout go on with the shares it had, where its guard begins a new epoch, or a ramp that was paused. A ramp that was paused before the halt stays paused.";
    const ROUTE: (Method, &'static str) = (Method::Post, "/api/flags/{flag}/rollout/resume");
    const NEEDS: Permission = Permission::Edit;
    const CLASS: Class = Class::Write;
    const EFFECT: Effect = Effect::Changes;
    type Input = Steering;
    type Output = FlagView;

    fn run(app: &App, ctx: &Ctx, input: Steering) -> Result<FlagView, AppError> {
        let flag = input.flag.clone();
        steer(app, ctx, input, |rollout| {
            let widening = rollout.widening().is_some();
            match rollout.state {
                RolloutState::Halted { .. } => {
                    rollout.state = RolloutState::Widening;
                    rollout.resumed = Some(ctx.now);
                    rollout.epoch += 1;
                    rollout.epoch_began = ctx.now;
                    // The step that it stands on is seen anew, and held for its whole time; what somebody had
                    // paused stays paused. One that was done stands again where it was before everybody got the
                    // candidate.
                    let share = rollout.share();
                    if let Some(ramp) = &mut rollout.ramp {
                        let paused = matches!(ramp.pace, Pace::Paused { .. });
                        if !ramp.stand_on(share, ctx.now) {
                            rollout.ramp = None;
                        } else if paused {
                            ramp.pause(ctx.now);
                        }
                    }
                    Ok(())
                }
                RolloutState::Widening | RolloutState::Done { .. } => match &mut rollout.ramp {
                    Some(ramp) if widening && matches!(ramp.pace, Pace::Paused { .. }) => {
                        ramp.resume(ctx.now);
                        rollout.resumed = Some(ctx.now);
                        Ok(())
                    }
                    _ => Err(AppError::conflict(
                        format!("the rollout of `{flag}` is neither halted nor paused"),
                        "only a halted or a paused rollout can be resumed",
                    )),
                },
            }
        })
    }
}

pub(super) struct Finish;

impl Operation for Finish {
    const NAME: &'static str = "rollout.finish";
    const ABOUT: &'static str = "Finishes a rollout: everybody gets the candidate.";
    const ROUTE: (Method, &'static str) = (Method::Post, "/api/flags/{flag}/rollout/finish");
    const NEEDS: Permission = Permission::Edit;
    const CLASS: Class = Class::Write;
    const EFFECT: Effect = Effect::Changes;
    type Input = Steering;
    type Output = FlagView;

    fn run(app: &App, ctx: &Ctx, input: Steering) -> Result<FlagView, AppError> {
        let flag = input.flag.clone();
        steer(app, ctx, input, |rollout| match rollout.state {
            RolloutState::Widening => {
                rollout.state = RolloutState::Done { at: ctx.now };
                Ok(())
            }
            RolloutState::Halted { .. } | RolloutState::Done { .. } => Err(AppError::conflict(
                format!("the rollout of `{flag}` is not widening"),
                "resume it first, if it was halted",
            )),
        })
    }
}

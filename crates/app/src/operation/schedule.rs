//! App operations: scheduled changes, which are made by themselves when their time has come.

use bellwether_ledger::Versioned;
use bellwether_model::{
    Edit, EnvironmentKey, FlagKey, Millis, Planned, Revision, Schedule, ScheduleKey, ScheduleState,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rollout::{self, Steering};
use super::serve::{After, ShareInput};
use super::{Class, Ctx, Effect, Method, Operation, beta, flag, targeting};
use crate::App;
use crate::access::Permission;
use crate::error::AppError;
use crate::view::{ActorView, planned};

/// A scheduled change with its newest revision.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct ScheduleView {
    /// The scheduled change.
    schedule: Schedule,
    /// What is planned, such as `turn checkout on`.
    sentence: String,
    /// Who planned it.
    planned_by: ActorView,
    /// Send it as `if_revision` with an edit.
    revision: Revision,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListInput {
    /// Only those of this environment.
    environment: Option<EnvironmentKey>,
    /// Only those of this flag.
    flag: Option<FlagKey>,
    /// Also those that were made, were refused or are cancelled.
    over: Option<bool>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Schedules {
    /// In order of their times.
    schedules: Vec<ScheduleView>,
}

pub(super) struct List;

impl Operation for List {
    const NAME: &'static str = "schedule.list";
    const ABOUT: &'static str =
        "Lists the scheduled changes that wait, and what became of those that do not.";
    const ROUTE: (Method, &'static str) = (Method::Get, "/api/schedules");
    const NEEDS: Permission = Permission::View;
    const CLASS: Class = Class::Instant;
    const EFFECT: Effect = Effect::Reads;
    type Input = ListInput;
    type Output = Schedules;

    fn run(app: &App, _: &Ctx, input: ListInput) -> Result<Schedules, AppError> {
        let state = app.ledger.state();
        let all = input.over.unwrap_or(false);
        let mut shown: Vec<_> = state
            .schedules
            .values()
            .filter(|s| all || s.waiting())
            .filter(|s| input.environment.as_ref().is_none_or(|environment| s.environment == *environment))
            .filter(|s| input.flag.is_none() || s.planned.flag() == input.flag.as_ref())
            .collect();
        shown.sort_by_key(|s| (s.value.at, &s.value.key));
        Ok(Schedules { schedules: shown.into_iter().map(|s| app.schedule_view(s)).collect() })
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateInput {
    /// Where.
    environment: EnvironmentKey,
    /// What is to be done, such as `{"plan": "toggle", "flag": "checkout", "on": true}`,
    /// `{"plan": "widen", "flag": "checkout", "share": 2500}`, the same with `halt` or `finish` and no share,
    /// `{"plan": "switch", "beta": "friends", "on": true}`, or
    /// `{"plan": "reshare", "flag": "checkout", "shares": [{"variant": "on", "share": 10000}]}`.
    planned: Planned,
    /// When, in milliseconds since 1970; two years ahead at most.
    at: Millis,
    /// The reason, which the change will have as well; needed in production.
    why: Option<String>,
}

pub(super) struct Create;

impl Operation for Create {
    const NAME: &'static str = "schedule.create";
    const ABOUT: &'static str = "Plans a change for a time to come. It is made then to what is there then, or refused with the reason.";
    const ROUTE: (Method, &'static str) = (Method::Post, "/api/schedules");
    const NEEDS: Permission = Permission::Edit;
    const CLASS: Class = Class::Write;
    const EFFECT: Effect = Effect::Changes;
    type Input = CreateInput;
    type Output = ScheduleView;

    fn run(app: &App, ctx: &Ctx, input: CreateInput) -> Result<ScheduleView, AppError> {
        let why = input.why.unwrap_or_default().trim().to_owned();
        let schedule = Schedule {
            key: app.entropy.text(12)?.parse()?,
            environment: input.environment,
            planned: input.planned,
            at: input.at,
            by: ctx.grant.actor.clone(),
            why: why.clone(),
            state: ScheduleState::Waiting,
        };
        app.edit_schedule(ctx, schedule, Some(why), None)
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CancelInput {
    /// The scheduled change.
    schedule: ScheduleKey,
    /// The reason; needed in production.
    why: Option<String>,
    /// The revision that the edit is of.
    if_revision: Option<Revision>,
}

pub(super) struct Cancel;

impl Operation for Cancel {
    const NAME: &'static str = "schedule.cancel";
    const ABOUT: &'static str = "Takes back a scheduled change that waits.";
    const ROUTE: (Method, &'static str) = (Method::Post, "/api/schedules/{schedule}/cancel");
    const NEEDS: Permission = Permission::Edit;
    const CLASS: Class = Class::Write;
    const EFFECT: Effect = Effect::Changes;
    type Input = CancelInput;
    type Output = ScheduleView;

    fn run(app: &App, ctx: &Ctx, input: CancelInput) -> Result<ScheduleView, AppError> {
        let known = app.ledger.state().schedules.get(&input.schedule).map(|s| s.value.clone());
        let known = known.ok_or_else(|| app.unknown("scheduled change", &input.schedule))?;
        let schedule = Schedule { state: ScheduleState::Cancelled { at: ctx.now }, ..known };
        app.edit_schedule(ctx, schedule, input.why, input.if_revision)
    }
}

/// Does what is planned, by the operations that people use, in the name of the grant.
pub(crate) fn perform(app: &App, ctx: &Ctx, schedule: &Schedule) -> Result<(), AppError> {
    let Schedule { environment, planned, why, .. } = schedule.clone();
    let (why, if_revision) = (Some(why), None);
    let steering = |flag: &FlagKey| Steering::new(flag.clone(), environment.clone(), why.clone(), None);
    if let Some(flag) = planned.flag()
        && rollout::is_so(app, flag, &environment, &planned)?
    {
        return rollout::steer(app, ctx, steering(flag), |_| Ok(())).map(drop);
    }
    match planned {
        Planned::Toggle { flag, on } => {
            flag::Toggle::run(app, ctx, flag::ToggleInput { flag, environment, on, why, if_revision })
                .map(drop)
        }
        Planned::Reshare { flag, shares } => {
            let shares = shares.into_iter().map(|of| ShareInput { variant: of.variant, share: of.share });
            let shares = shares.collect();
            let input = targeting::ReshareInput { flag, environment, shares, why, if_revision };
            targeting::Reshare::run(app, ctx, input).map(drop)
        }
        Planned::Widen { flag, share } => {
            let input = rollout::WidenInput { flag, environment, share, why, if_revision };
            rollout::Widen::run(app, ctx, input).map(drop)
        }
        Planned::Halt { flag } => rollout::Halt::run(app, ctx, steering(&flag)).map(drop),
        Planned::Finish { flag } => rollout::Finish::run(app, ctx, steering(&flag)).map(drop),
        Planned::Switch { beta, on } => {
            beta::Switch::run(app, ctx, beta::SwitchInput { beta, environment, on, why, if_revision })
                .map(drop)
        }
    }
}

impl App {
    fn edit_schedule(
        &self,
        ctx: &Ctx,
        schedule: Schedule,
        why: Option<String>,
        if_revision: Option<Revision>,
    ) -> Result<ScheduleView, AppError> {
        let key = schedule.key.clone();
        let edit = Edit::ScheduleSaved { schedule };
        let After { state, .. } = self.edit(ctx, edit, why, if_revision, Vec::new())?;
        let saved = state.schedules.get(&key).ok_or_else(|| self.unknown("scheduled change", &key))?;
        Ok(self.schedule_view(saved))
    }

    fn schedule_view(&self, schedule: &Versioned<Schedule>) -> ScheduleView {
        ScheduleView {
            sentence: planned(&schedule.planned),
            planned_by: self.actor_view(&schedule.value.by),
            revision: schedule.revision,
            schedule: schedule.value.clone(),
        }
    }
}

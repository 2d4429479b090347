//! App operations: scheduled changes, which are made by themselves when their time has come.

use bellwether_ledger::Versioned;
use bellwether_model::{
    BetaKey, Edit, EnvironmentKey, FlagKey, Planned, Revision, Schedule, ScheduleKey, ScheduleState, Share,
    Span,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rollout::{self, Steering};
use super::serve::{After, Moment, ShareInput};
use super::{Class, Ctx, Effect, Method, Operation, beta, flag, targeting};
use crate::App;
use crate::access::Permission;
use crate::error::AppError;
use crate::view::{ActorView, Warning, planned};

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
    /// Of one that was just planned, what speaks against it as things are now.
    warnings: Vec<Warning>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListInput {
    /// Only those of this environment.
    environment: Option<EnvironmentKey>,
    /// Only those of this flag.
    flag: Option<FlagKey>,
    /// Also those that were made, were refused or are cancelled: the last 20 of each flag and beta. The log of
    /// changes has them all.
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
    /// When: milliseconds since 1970, or a text such as `2026-11-22T18:33:00Z`; two years ahead at most.
    at: Moment,
    /// The reason, which the change will have as well; needed in production.
    why: Option<String>,
}

pub(super) struct Create;

impl Operation for Create {
    const NAME: &'static str = "schedule.create";
    const ABOUT: &'static str = "Plans a change for a time to come. It is made then to what is there then, or refused with the reason. What speaks against it today is said as a warning.";
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
            at: input.at.0,
            by: ctx.grant.actor.clone(),
            why: why.clone(),
            state: ScheduleState::Waiting,
        };
        let state = app.ledger.state();
        let others = state.schedules.values().map(|other| &other.value);
        let mut warnings: Vec<Warning> =
            others.filter(|other| other.waiting()).filter_map(|other| against(&schedule, other)).collect();
        warnings.dedup();
        let view = app.edit_schedule(ctx, schedule.clone(), Some(why), None)?;
        warnings.extend(doubtful(app, ctx, &schedule));
        Ok(ScheduleView { warnings, ..view })
    }
}

/// Two changes that are planned for times so close are planned for one moment.
const MOMENT: Span = Span::MINUTE;

/// What another plan has against this one: at the same time it wants the same thing otherwise, or it ends the
/// rollout that the later one steers.
fn against(new: &Schedule, other: &Schedule) -> Option<Warning> {
    if new.environment != other.environment
        || thing(&new.planned) != thing(&other.planned)
        || new.planned == other.planned
    {
        return None;
    }
    // Of one time, in the order in which they were planned.
    let (first, last) = if new.at < other.at { (new, other) } else { (other, new) };
    let what = planned(&other.planned);
    if last.at.since(first.at) < MOMENT {
        let stays = planned(&last.planned);
        return Some(Warning {
            message: format!("at `{}` it is planned to {what}", other.at),
            hint: format!("cancel one of them with `schedule.cancel`; to {stays} comes last"),
        });
    }
    let ended = match (&first.planned, &last.planned) {
        (Planned::Halt { .. }, Planned::Widen { .. } | Planned::Finish { .. }) => "is halted",
        (Planned::Finish { .. } | Planned::Widen { share: Share::ALL, .. }, Planned::Widen { share, .. })
            if *share != Share::ALL =>
        {
            "is done"
        }
        _ => return None,
    };
    Some(Warning {
        message: format!(
            "at `{}` it is planned to {what}: of a rollout that {ended}, the later plan is refused",
            other.at
        ),
        hint: "cancel one of them with `schedule.cancel`, or plan them the other way round".to_owned(),
    })
}

/// What a plan is about: of one thing there is one state.
fn thing(planned: &Planned) -> (u8, Option<&FlagKey>, Option<&BetaKey>) {
    let kind = match planned {
        Planned::Toggle { .. } | Planned::Switch { .. } => 0,
        Planned::Reshare { .. } => 1,
        Planned::Widen { .. } | Planned::Halt { .. } | Planned::Finish { .. } => 2,
    };
    (kind, planned.flag(), planned.beta())
}

/// Why what is planned would be refused if its time were now.
fn doubtful(app: &App, ctx: &Ctx, schedule: &Schedule) -> Option<Warning> {
    let rehearsal = Ctx { dry_run: true, ..ctx.clone() };
    let refused = perform(app, &rehearsal, schedule).err()?;
    Some(Warning {
        message: format!("today this would be refused: {}", refused.message),
        hint: format!("it is made to what is there at its time; until then: {}", refused.hint),
    })
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
            warnings: Vec::new(),
            schedule: schedule.value.clone(),
        }
    }
}

//! Ledger: a scheduled change waits until it is made, refused or cancelled, and then stays as it is. It is
//! made once, by itself, and is what was planned.

use bellwether_model::{Planned, Portion, Schedule, ScheduleKey, ScheduleState};

use super::*;

/// Whether a schedule may be saved: a new one that waits, or what became of one that has waited.
pub(super) fn saved(state: &State, schedule: &Schedule, by: &Actor, at: Millis) -> Result<(), LedgerError> {
    let key = &schedule.key;
    environment_exists(state, &schedule.environment)?;
    let itself = matches!(by, Actor::Schedule { schedule } if schedule == key);
    let Some(was) = state.schedules.get(key).map(|s| &s.value) else {
        if !schedule.waiting() {
            return Err(refused(
                format!("scheduled change `{key}` would be over when it begins"),
                "let it wait, and cancel it afterwards",
            ));
        }
        if schedule.at <= at {
            return Err(refused(
                format!("`{}` has passed", schedule.at),
                "plan it for a time to come, or make the change now",
            ));
        }
        if schedule.at.since(at) > Schedule::FURTHEST {
            return Err(refused(
                format!("`{}` is more than two years ahead", schedule.at),
                "plan it for the next two years; times are milliseconds since 1970",
            ));
        }
        if schedule.by != *by {
            return Err(refused(
                format!("scheduled change `{key}` would be planned in the name of somebody else"),
                "plan it in your own",
            ));
        }
        return possible(state, schedule);
    };
    waits(was)?;
    let same = Schedule { state: was.state.clone(), ..schedule.clone() } == *was;
    let over = match schedule.state {
        ScheduleState::Cancelled { .. } => !itself,
        ScheduleState::Refused { .. } => itself,
        ScheduleState::Waiting | ScheduleState::Done { .. } => false,
    };
    if same && over {
        return Ok(());
    }
    Err(refused(format!("scheduled change `{key}` cannot be altered"), "cancel it and make another one"))
}

/// Whether what is planned names what is there.
fn possible(state: &State, schedule: &Schedule) -> Result<(), LedgerError> {
    if let Some(flag) = schedule.planned.flag() {
        let found = state.flags.get(flag).ok_or_else(|| unknown("flag", flag))?;
        if found.archived {
            return Err(archived(flag));
        }
        setting(state, found, &schedule.environment)?;
        if let Planned::Reshare { shares, .. } = &schedule.planned {
            divides(found, shares)?;
        }
    }
    if let Some(key) = schedule.planned.beta() {
        let beta = state.betas.get(key).ok_or_else(|| unknown("beta", key))?;
        shelved("beta", key, Some(beta.archived), beta.archived)?;
    }
    Ok(())
}

/// Whether shares could be those of a split of this flag.
fn divides(flag: &Flag, shares: &[Portion]) -> Result<(), LedgerError> {
    if let Some(strange) = shares.iter().find(|of| flag.variant(&of.variant).is_none()) {
        let has: Vec<_> = flag.variants.iter().map(|v| format!("`{}`", v.key)).collect();
        return Err(refused(
            format!("flag `{}` has no variant `{}`", flag.key, strange.variant),
            format!("use one of {}", has.join(", ")),
        ));
    }
    let shares: Vec<_> = shares.iter().map(|of| (of.variant.clone(), of.share)).collect();
    Split::new("any", &shares, None)?;
    Ok(())
}

/// Whether a scheduled change may make this edit now: it waits, its time has come, and this is what was
/// planned, or says why that cannot be.
pub(super) fn comes(state: &State, key: &ScheduleKey, edit: &Edit, at: Millis) -> Result<(), LedgerError> {
    let schedule = &state.schedules.get(key).ok_or_else(|| unknown("scheduled change", key))?.value;
    waits(schedule)?;
    if at < schedule.at {
        return Err(refused(
            format!("scheduled change `{key}` is for `{}`", schedule.at),
            "let it wait, or make the change in your own name",
        ));
    }
    if is_planned(schedule, edit) || matches!(edit, Edit::ScheduleSaved { schedule } if schedule.key == *key)
    {
        return Ok(());
    }
    Err(refused(
        format!("scheduled change `{key}` is for something else"),
        "make the change in your own name",
    ))
}

fn waits(schedule: &Schedule) -> Result<(), LedgerError> {
    if schedule.waiting() {
        return Ok(());
    }
    Err(refused(
        format!("scheduled change `{}` is over", schedule.key),
        "look at what became of it; make another one for another change",
    ))
}

/// Whether an edit is what was planned.
fn is_planned(schedule: &Schedule, edit: &Edit) -> bool {
    let here = |environment: &EnvironmentKey| *environment == schedule.environment;
    match (&schedule.planned, edit) {
        (Planned::Toggle { flag, on }, Edit::FlagToggled { flag: of, environment, on: to }) => {
            here(environment) && (flag, on) == (of, to)
        }
        (Planned::Switch { beta, on }, Edit::BetaSwitched { beta: of, environment, on: to }) => {
            here(environment) && (beta, on) == (of, to)
        }
        (Planned::Reshare { flag, shares }, Edit::SplitReshared { flag: of, environment, split }) => {
            here(environment) && flag == of && shares.iter().all(|s| split.share(&s.variant) == s.share)
        }
        (Planned::Widen { flag, share }, Edit::RolloutSet { flag: of, environment, rollout }) => {
            here(environment) && flag == of && rollout.share() == *share
        }
        (Planned::Halt { flag }, Edit::RolloutSet { flag: of, environment, rollout }) => {
            here(environment) && flag == of && matches!(rollout.state, RolloutState::Halted { .. })
        }
        (Planned::Finish { flag }, Edit::RolloutSet { flag: of, environment, rollout }) => {
            here(environment) && flag == of && matches!(rollout.state, RolloutState::Done { .. })
        }
        _ => false,
    }
}

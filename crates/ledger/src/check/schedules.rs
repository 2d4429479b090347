//! Ledger: a scheduled change waits until it is made, refused or cancelled, and then stays as it is.

use bellwether_model::{Schedule, ScheduleState};

use super::*;

pub(super) fn saved(state: &State, schedule: &Schedule, at: Millis) -> Result<(), LedgerError> {
    let key = &schedule.key;
    environment_exists(state, &schedule.environment)?;
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
        if let Some(flag) = schedule.planned.flag() {
            let found = state.flags.get(flag).ok_or_else(|| unknown("flag", flag))?;
            if found.archived {
                return Err(archived(flag));
            }
            setting(state, found, &schedule.environment)?;
        }
        if let Some(beta) = schedule.planned.beta() {
            state.betas.get(beta).ok_or_else(|| unknown("beta", beta))?;
        }
        return Ok(());
    };
    if !was.waiting() {
        return Err(refused(
            format!("scheduled change `{key}` is over"),
            "look at what became of it; make another one for another change",
        ));
    }
    let same = Schedule { state: was.state.clone(), ..schedule.clone() };
    if same != *was || matches!(schedule.state, ScheduleState::Waiting | ScheduleState::Done { .. }) {
        return Err(refused(
            format!("scheduled change `{key}` cannot be altered"),
            "cancel it and make another one",
        ));
    }
    Ok(())
}

//! Ledger: a ramp takes its next step when its time has come, and does nothing else. Its steps can all be
//! taken, and none is held for too long.

use super::*;

/// Whether no step is held for too long. Steps that are there already stay as they are: a rollout that has them
/// must be steered and halted like any other.
pub(super) fn held(was: &Serve, next: &Rollout) -> Result<(), LedgerError> {
    let Some(ramp) = &next.ramp else { return Ok(()) };
    let same = matches!(was, Serve::Rollout { rollout } if rollout.ramp.as_ref().is_some_and(|was| was.steps == ramp.steps));
    if !same {
        bellwether_model::Ramp::check_holds(&ramp.steps)?;
    }
    Ok(())
}

/// Whether a ramp can come to its end: a limit by number and everybody do not go together, so that its last step
/// would wait for ever. What stands against the other already is left to whoever takes one of them away.
pub(super) fn ends(flag: &FlagKey, was: Option<&Setting>, next: &Setting) -> Result<(), LedgerError> {
    match endless(next).filter(|_| was.and_then(endless).is_none()) {
        None => Ok(()),
        Some(units) => Err(refused(
            format!(
                "the ramp of flag `{flag}` ends at everybody, and at most `{units}` units are allowed: its last step \
                 would wait for ever"
            ),
            "end the ramp below 100%, with `rollout.ramp`, or lift the limit with `flag.enrolment`",
        )),
    }
}

/// The limit by number that the last step of a ramp can never meet, also while it is halted and can be resumed.
fn endless(setting: &Setting) -> Option<u32> {
    let units = setting.enrolment.units?.get();
    let Serve::Rollout { rollout } = &setting.default else { return None };
    let last = rollout.ramp.as_ref()?.steps.last()?;
    let done = matches!(rollout.state, RolloutState::Done { .. });
    (last.share == Share::ALL && !done).then_some(units)
}

/// Whether this is the step that is due.
pub(super) fn steps(
    state: &State,
    flag: &FlagKey,
    environment: &EnvironmentKey,
    edit: &Edit,
    at: Millis,
) -> Result<(), LedgerError> {
    let setting = state.flags.get(flag).and_then(|flag| flag.settings.get(environment));
    let was = setting.filter(|setting| setting.on).and_then(|setting| match &setting.default {
        Serve::Rollout { rollout } => Some(rollout),
        Serve::Variant { .. } | Serve::Split { .. } => None,
    });
    let due = |rollout: &Rollout| Some((rollout.due(at)?, rollout.ramp.clone()?));
    let stepped = match (was.and_then(due), edit) {
        (Some((step, mut ramp)), Edit::RolloutSet { flag: of, environment: place, rollout }) => {
            ramp.advance(at);
            (of, place, rollout.share(), rollout.ramp.as_ref())
                == (flag, environment, step.share, Some(&ramp))
                && was.is_some_and(|was| arms(was) == arms(rollout))
        }
        _ => false,
    };
    if stepped {
        return Ok(());
    }
    Err(refused(
        format!("the ramp of flag `{flag}` in `{environment}` has no such step to take now"),
        "it takes the next of its steps when its time has come and the flag is on, and does nothing else",
    ))
}

/// What a step leaves as it is.
fn arms(rollout: &Rollout) -> impl PartialEq {
    (rollout.candidate.clone(), rollout.control.clone(), rollout.guard.clone(), rollout.started)
}

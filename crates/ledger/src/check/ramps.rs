//! Ledger: a ramp takes its next step when its time has come, and does nothing else.

use super::*;

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

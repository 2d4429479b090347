//! Ledger: a flag that is made or edited holds together, and so does all that hangs on it.

use super::*;
use crate::state::{Versioned, amend};

pub(super) fn created(state: &State, flag: &Flag) -> Result<(), LedgerError> {
    if let Some(was) = state.flags.get(&flag.key) {
        let hint = if was.archived { "restore the archived flag" } else { "choose another key" };
        return Err(refused(format!("flag `{}` exists already", flag.key), hint));
    }
    if flag.archived {
        return Err(refused(format!("flag `{}` would be born archived", flag.key), "archive it afterwards"));
    }
    variants::shallow(&flag.variants)?;
    flag.check()?;
    schema::matched(flag)?;
    for (environment, setting) in &flag.settings {
        environment_exists(state, environment)?;
        serves(state, setting)?;
    }
    stands(state, flag)
}

/// All that a flag names is there, also when it is restored after others have changed.
fn stands(state: &State, flag: &Flag) -> Result<(), LedgerError> {
    for (environment, setting) in &flag.settings {
        segments::named(state, setting)?;
        prerequisites::named(state, flag, environment, setting)?;
    }
    prerequisites::no_circle(state, flag)?;
    flag.layer.as_ref().map_or(Ok(()), |layer| layers::holds(state, flag, layer))
}

pub(super) fn edited(state: &State, key: &FlagKey, edit: &Edit, at: Millis) -> Result<(), LedgerError> {
    let flag = &live_or_restored(state, key, edit)?.value;
    let mut next = flag.clone();
    amend(&mut next, edit, at);
    match edit {
        Edit::FlagArchived { archived: true, .. } => {
            let running = flag.settings.keys().find_map(|e| state.running(key, e));
            if let Some(experiment) = running {
                return Err(refused(
                    format!("experiment `{}` is running on flag `{key}`", experiment.key),
                    "stop the experiment first",
                ));
            }
            prerequisites::needless(state, key)?;
        }
        Edit::FlagArchived { archived: false, .. } => stands(state, &next)?,
        Edit::FlagTeamSet { .. } => running::same_team(state, flag, &next)?,
        Edit::FlagLayerSet { layer, .. } => {
            layer.as_ref().map_or(Ok(()), |layer| layers::holds(state, flag, layer))?;
            if *layer != flag.layer {
                running::same_layer(state, flag)?;
            }
        }
        Edit::FlagVariantsReplaced { variants, .. } => variants::replaced(state, flag, variants)?,
        Edit::FlagToggled { environment, .. } => {
            setting(state, flag, environment)?;
        }
        Edit::TargetingReplaced { environment, setting, .. } => {
            environment_exists(state, environment)?;
            serves(state, setting)?;
            segments::named(state, setting)?;
            prerequisites::named(state, flag, environment, setting)?;
            let was = flag.settings.get(environment).map(|s| &s.default);
            if matches!(setting.default, Serve::Rollout { .. }) && was != Some(&setting.default) {
                return Err(refused(
                    format!("targeting cannot start or alter a rollout of flag `{key}`"),
                    "keep the default as it is, or use the rollout's own operations",
                ));
            }
            running::undisturbed(state, key, environment, was, &setting.default)?;
            running::undiverted(state, flag, environment, setting)?;
        }
        Edit::SplitReshared { environment, split, .. } => {
            let was = &setting(state, flag, environment)?.default;
            let Some(old) = was.split() else {
                return Err(refused(
                    format!("flag `{key}` has no split in `{environment}`"),
                    "make its default a split, or start or resume a rollout",
                ));
            };
            if old.salt() != split.salt() {
                return Err(refused(
                    format!("another salt would assign everybody in `{environment}` anew"),
                    "keep the salt and change the shares; for a new assignment replace the targeting",
                ));
            }
            let serve = Serve::Split { split: split.clone() };
            running::undisturbed(state, key, environment, Some(was), &serve)?;
            if let Serve::Rollout { rollout } = &setting(state, &next, environment)?.default {
                rollout.check_ramp()?;
            }
        }
        Edit::EnrolmentSet { environment, enrolment, .. } => {
            let was = &setting(state, flag, environment)?.enrolment;
            running::same_memory(state, key, environment, was, enrolment)?;
        }
        Edit::RolloutSet { environment, rollout, .. } => {
            let was = &setting(state, flag, environment)?.default;
            rollout_set(state, rollout)?;
            ramps::held(was, rollout)?;
            let serve = Serve::Rollout { rollout: rollout.clone() };
            running::undisturbed(state, key, environment, Some(was), &serve)?;
        }
        _ => {}
    }
    next.check()?;
    if let Edit::EnrolmentSet { environment, .. } | Edit::RolloutSet { environment, .. } = edit
        && let Some(setting) = next.settings.get(environment)
    {
        ramps::ends(key, flag.settings.get(environment), setting)?;
    }
    if let Edit::FlagSchemaSet { .. } | Edit::FlagVariantsReplaced { .. } = edit {
        schema::matched(&next)?;
    }
    if let Edit::TargetingReplaced { environment, .. }
    | Edit::SplitReshared { environment, .. }
    | Edit::RolloutSet { environment, .. } = edit
        && let Some(setting) = next.settings.get(environment)
    {
        prerequisites::no_circle(state, &next)?;
        running::let_through(state, flag, environment, setting)?;
    }
    Ok(())
}

/// The flag, if it may be edited: an archived one may only be restored.
fn live_or_restored<'s>(
    state: &'s State,
    key: &FlagKey,
    edit: &Edit,
) -> Result<&'s Versioned<Flag>, LedgerError> {
    let flag = state.flags.get(key).ok_or_else(|| unknown("flag", key))?;
    if flag.archived && !matches!(edit, Edit::FlagArchived { .. }) {
        return Err(archived(key));
    }
    Ok(flag)
}

/// What a setting serves can be watched and halted.
fn serves(state: &State, setting: &Setting) -> Result<(), LedgerError> {
    for (i, rule) in setting.rules.iter().enumerate() {
        if matches!(rule.serve, Serve::Rollout { .. }) {
            return Err(refused(
                format!("rule {} (`{}`) serves a rollout, which nobody could halt", i + 1, rule.name),
                "serve a split in the rule, or roll out by the default",
            ));
        }
    }
    match &setting.default {
        Serve::Rollout { rollout } => rollout_set(state, rollout),
        Serve::Variant { .. } | Serve::Split { .. } => Ok(()),
    }
}

fn rollout_set(state: &State, rollout: &Rollout) -> Result<(), LedgerError> {
    if rollout.candidate == rollout.control {
        return Err(refused(
            format!("a rollout from `{0}` to `{0}` changes nothing", rollout.control),
            "name two variants",
        ));
    }
    rollout.check_ramp()?;
    if let Some(guard) = &rollout.guard {
        guard.check()?;
        if !state.metrics.contains_key(&guard.metric) {
            return Err(unknown("metric", &guard.metric));
        }
    }
    Ok(())
}

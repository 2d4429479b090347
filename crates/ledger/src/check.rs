//! Ledger: what is asked of a change before it is made. Rules may become stricter here at any time:
//! they are never asked of a change that is stored.

use bellwether_model::experiment::{Arm, ExperimentState};
use bellwether_model::{
    Actor, Change, Edit, Environment, EnvironmentKey, Experiment, ExperimentKey, Flag, FlagKey, Json, ListId,
    Metric, Millis, Revision, Rollout, RolloutState, Serve, Setting, Share, Split, VariantKey,
};

use crate::error::{LedgerError, refused, unknown};
use crate::state::{State, amend};

mod experiments;
mod metrics;
mod texts;

/// The deepest nesting of a variant's JSON value; what is read back must not run into the parser's
/// own limit of 128 with what surrounds it.
const DEEPEST: usize = 64;

/// A change that somebody wants to make.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposed {
    /// Who.
    pub by: Actor,
    /// The reason; never empty where customers are served.
    pub why: String,
    /// What is to change.
    pub edit: Edit,
    /// The revision that the edit is based on: that of the subject, or of the whole state when it was
    /// read. The edit is stale if the subject has changed since. `None` takes the newest as it is.
    pub expect: Option<Revision>,
    /// Lists of ids that the edit cites and that are new. A list is written once: a change of its
    /// members is a new list under a new id, so that an old revision still means what it meant.
    pub lists: Vec<(ListId, Vec<String>)>,
}

impl Proposed {
    /// The change that this becomes.
    pub(crate) fn change(&self, revision: Revision, at: Millis) -> Change {
        let (by, why, edit) = (self.by.clone(), self.why.clone(), self.edit.clone());
        Change { revision, at, by, why, edit }
    }

    /// Every list that the edit cites.
    pub(crate) fn cited(&self) -> Vec<&ListId> {
        let settings: Vec<&Setting> = match &self.edit {
            Edit::FlagCreated { flag } => flag.settings.values().collect(),
            Edit::TargetingReplaced { setting, .. } => vec![setting],
            Edit::SegmentSaved { segment } => return segment.lists().collect(),
            _ => vec![],
        };
        settings.into_iter().flat_map(|s| &s.targets).map(|t| &t.list).collect()
    }
}

/// Whether a proposed change may be made to this state. Lists that are cited must be looked up by
/// the caller, who has the database.
pub(crate) fn check(state: &State, proposed: &Proposed, at: Millis) -> Result<(), LedgerError> {
    fresh(state, proposed)?;
    lists(proposed)?;
    texts::readable(proposed)?;
    match &proposed.edit {
        Edit::EnvironmentCreated { environment } => environment_created(state, environment)?,
        Edit::EnvironmentSaved { environment } => environment_exists(state, &environment.key)?,
        Edit::SegmentSaved { segment } => segment.check()?,
        Edit::LayerSaved { layer: _ } => {}
        Edit::HoldoutSaved { holdout } => holdout.check()?,
        Edit::FlagCreated { flag } => flag_created(state, flag)?,
        Edit::MetricSaved { metric } => metrics::saved(state, metric)?,
        Edit::ExperimentSaved { experiment } => experiments::saved(state, experiment)?,
        Edit::ExperimentStarted { experiment, since: _ } => experiments::started(state, experiment)?,
        Edit::ExperimentStopped { experiment, at } => {
            experiments::ended(state, experiment, *at)?;
        }
        Edit::ExperimentShipped { experiment, at, variant } => {
            experiments::shipped(state, experiment, *at, variant)?;
        }
        Edit::FlagDescribed { flag, .. }
        | Edit::FlagToggled { flag, .. }
        | Edit::TargetingReplaced { flag, .. }
        | Edit::SplitReshared { flag, .. }
        | Edit::FlagArchived { flag, .. }
        | Edit::FlagTeamSet { flag, .. }
        | Edit::FlagLayerSet { flag, .. }
        | Edit::FlagSchemaSet { flag, .. }
        | Edit::RolloutSet { flag, .. } => flag_edited(state, flag, &proposed.edit, at)?,
    }
    reason(state, proposed)
}

/// The subject has not changed since the edit was thought of.
fn fresh(state: &State, proposed: &Proposed) -> Result<(), LedgerError> {
    let Some(expected) = proposed.expect else { return Ok(()) };
    if expected > state.revision {
        return Err(refused(
            format!("revision `{expected}` does not exist: the newest is `{}`", state.revision),
            "read the subject again; the ledger may have been restored from a backup",
        ));
    }
    let subject = proposed.edit.subject();
    match state.newest(&subject) {
        Some((newest, by, at)) if newest > expected => {
            Err(LedgerError::Stale { subject, expected, newest, by: by.clone(), at })
        }
        _ => Ok(()),
    }
}

fn lists(proposed: &Proposed) -> Result<(), LedgerError> {
    let cited = proposed.cited();
    for (i, (id, members)) in proposed.lists.iter().enumerate() {
        if id.0.is_empty() || id.0.len() > 100 {
            return Err(refused("a list has an id of 1 to 100 bytes", "give each list a random id"));
        }
        if !cited.contains(&id) || proposed.lists.iter().take(i).any(|(other, _)| other == id) {
            return Err(refused(
                format!("list `{}` is not cited by this edit, or is given twice", id.0),
                "send each list once, with the edit whose targets cite it",
            ));
        }
        if members.iter().any(String::is_empty) {
            return Err(refused(
                format!("list `{}` has an empty id in it", id.0),
                "name each user or device by its id",
            ));
        }
    }
    Ok(())
}

/// A reason is given where customers are served.
fn reason(state: &State, proposed: &Proposed) -> Result<(), LedgerError> {
    if !proposed.why.trim().is_empty() {
        return Ok(());
    }
    let flag_environments = |flag: &FlagKey| -> Vec<&EnvironmentKey> {
        state.flags.get(flag).map(|f| f.settings.keys().collect()).unwrap_or_default()
    };
    let experiment_environment =
        |key: &ExperimentKey| state.experiments.get(key).map(|e| &e.value.environment).into_iter().collect();
    let touched: Vec<&EnvironmentKey> = match &proposed.edit {
        Edit::FlagCreated { flag } => flag.settings.keys().collect(),
        Edit::FlagArchived { flag, .. }
        | Edit::FlagTeamSet { flag, .. }
        | Edit::FlagLayerSet { flag, .. }
        | Edit::FlagSchemaSet { flag, .. } => flag_environments(flag),
        Edit::EnvironmentSaved { environment } => vec![&environment.key],
        // One definition for all environments.
        Edit::SegmentSaved { .. } | Edit::LayerSaved { .. } | Edit::HoldoutSaved { .. } => {
            state.environments.keys().collect()
        }
        Edit::FlagToggled { environment, .. }
        | Edit::TargetingReplaced { environment, .. }
        | Edit::SplitReshared { environment, .. }
        | Edit::RolloutSet { environment, .. } => vec![environment],
        Edit::ExperimentStarted { experiment, .. }
        | Edit::ExperimentStopped { experiment, .. }
        | Edit::ExperimentShipped { experiment, .. } => experiment_environment(experiment),
        Edit::EnvironmentCreated { .. }
        | Edit::FlagDescribed { .. }
        | Edit::MetricSaved { .. }
        | Edit::ExperimentSaved { .. } => vec![],
    };
    let production = touched.into_iter().find(|e| state.environments.get(*e).is_some_and(|e| e.production));
    match production {
        None => Ok(()),
        Some(environment) => Err(refused(
            format!("a change in `{environment}` needs a reason, because customers are served from it"),
            "say in `why` what this is for",
        )),
    }
}

fn environment_created(state: &State, environment: &Environment) -> Result<(), LedgerError> {
    if state.environments.contains_key(&environment.key) {
        return Err(refused(
            format!("environment `{}` exists already", environment.key),
            "choose another key",
        ));
    }
    Ok(())
}

fn flag_created(state: &State, flag: &Flag) -> Result<(), LedgerError> {
    if let Some(was) = state.flags.get(&flag.key) {
        let hint = if was.archived { "restore the archived flag" } else { "choose another key" };
        return Err(refused(format!("flag `{}` exists already", flag.key), hint));
    }
    if flag.archived {
        return Err(refused(format!("flag `{}` would be born archived", flag.key), "archive it afterwards"));
    }
    for variant in &flag.variants {
        if deep(&variant.value, DEEPEST) {
            return Err(refused(
                format!("the value of variant `{}` is nested too deep", variant.key),
                format!("nest at most {DEEPEST} objects and lists"),
            ));
        }
    }
    flag.check()?;
    for (environment, setting) in &flag.settings {
        environment_exists(state, environment)?;
        serves(state, setting)?;
    }
    Ok(())
}

fn flag_edited(state: &State, key: &FlagKey, edit: &Edit, at: Millis) -> Result<(), LedgerError> {
    let flag = &live_or_restored(state, key, edit)?.value;
    match edit {
        Edit::FlagArchived { archived: true, .. } => {
            let running = flag.settings.keys().find_map(|e| state.running(key, e));
            if let Some(experiment) = running {
                return Err(refused(
                    format!("experiment `{}` is running on flag `{key}`", experiment.key),
                    "stop the experiment first",
                ));
            }
        }
        Edit::FlagToggled { environment, .. } => {
            setting(state, flag, environment)?;
        }
        Edit::TargetingReplaced { environment, setting, .. } => {
            environment_exists(state, environment)?;
            serves(state, setting)?;
            let was = flag.settings.get(environment).map(|s| &s.default);
            if matches!(setting.default, Serve::Rollout { .. }) && was != Some(&setting.default) {
                return Err(refused(
                    format!("targeting cannot start or alter a rollout of flag `{key}`"),
                    "keep the default as it is, or use the rollout's own operations",
                ));
            }
            undisturbed(state, key, environment, was, &setting.default)?;
            undiverted(state, flag, environment, setting)?;
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
            undisturbed(state, key, environment, Some(was), &Serve::Split { split: split.clone() })?;
        }
        Edit::RolloutSet { environment, rollout, .. } => {
            let was = &setting(state, flag, environment)?.default;
            rollout_set(state, rollout)?;
            undisturbed(state, key, environment, Some(was), &Serve::Rollout { rollout: rollout.clone() })?;
        }
        _ => {}
    }
    let mut next = flag.clone();
    amend(&mut next, edit, at);
    Ok(next.check()?)
}

/// The flag, if it may be edited: an archived one may only be restored.
fn live_or_restored<'s>(
    state: &'s State,
    key: &FlagKey,
    edit: &Edit,
) -> Result<&'s crate::state::Versioned<Flag>, LedgerError> {
    let flag = state.flags.get(key).ok_or_else(|| unknown("flag", key))?;
    if flag.archived && !matches!(edit, Edit::FlagArchived { .. }) {
        return Err(archived(key));
    }
    Ok(flag)
}

fn archived(key: &FlagKey) -> LedgerError {
    refused(format!("flag `{key}` is archived"), "restore it first")
}

fn environment_exists(state: &State, key: &EnvironmentKey) -> Result<(), LedgerError> {
    state.environments.get(key).map(|_| ()).ok_or_else(|| unknown("environment", key))
}

fn setting<'f>(
    state: &State,
    flag: &'f Flag,
    environment: &EnvironmentKey,
) -> Result<&'f Setting, LedgerError> {
    environment_exists(state, environment)?;
    flag.settings.get(environment).ok_or_else(|| {
        refused(
            format!("flag `{}` is not served in `{environment}`", flag.key),
            "replace its targeting there first",
        )
    })
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
    if let Some(guard) = &rollout.guard {
        guard.check()?;
        if !state.metrics.contains_key(&guard.metric) {
            return Err(unknown("metric", &guard.metric));
        }
    }
    Ok(())
}

/// A running experiment keeps its split and everybody who is enrolled in it. A halt is always
/// allowed: it takes nobody's assignment away, and it must never wait for anything.
fn undisturbed(
    state: &State,
    flag: &FlagKey,
    environment: &EnvironmentKey,
    was: Option<&Serve>,
    next: &Serve,
) -> Result<(), LedgerError> {
    let Some(experiment) = state.running(flag, environment) else { return Ok(()) };
    let Some(next) = division(next) else {
        return Err(refused(
            format!("experiment `{}` runs on the split of flag `{flag}` in `{environment}`", experiment.key),
            "stop the experiment first",
        ));
    };
    let Some(was) = was.and_then(division) else { return Ok(()) };
    let moved = was.moved(next);
    if moved != Share::NONE {
        return Err(refused(
            format!(
                "this would give `{moved}` of all units another variant in experiment `{}`",
                experiment.key
            ),
            "stop the experiment first",
        ));
    }
    // Units that come later would divide otherwise than those before: the sample-ratio check would
    // call the experiment broken, and pooled arms could show a difference that is none.
    let arms = &experiment.plan.arms;
    let points = |split: &Split, variant: &VariantKey| u32::from(split.share(variant).points());
    let keeps = |a: &Arm, b: &Arm| {
        points(was, &a.variant) * points(next, &b.variant)
            == points(was, &b.variant) * points(next, &a.variant)
    };
    if arms.windows(2).all(|pair| matches!(pair, [a, b] if keeps(a, b))) {
        return Ok(());
    }
    Err(refused(
        format!("this would change the ratio of the arms of experiment `{}` while it runs", experiment.key),
        "widen all arms alike, or stop the experiment first",
    ))
}

/// A running experiment keeps who reaches its split: a new target or rule would take units out of their
/// arm, or give them the variant of another, while their exposures still count them where they were.
fn undiverted(
    state: &State,
    flag: &Flag,
    environment: &EnvironmentKey,
    next: &Setting,
) -> Result<(), LedgerError> {
    let Some(experiment) = state.running(&flag.key, environment) else { return Ok(()) };
    let was = flag.settings.get(environment);
    if was.is_none_or(|was| was.rules == next.rules && was.targets == next.targets) {
        return Ok(());
    }
    Err(refused(
        format!("this would change who takes part in experiment `{}` while it runs", experiment.key),
        "keep targets and rules as they are, or stop the experiment first",
    ))
}

/// The split by which units are assigned, also while a rollout is halted and can be resumed.
fn division(serve: &Serve) -> Option<&Split> {
    match serve {
        Serve::Variant { .. } => None,
        Serve::Split { split } => Some(split),
        Serve::Rollout { rollout } => {
            (!matches!(rollout.state, RolloutState::Done { .. })).then_some(&rollout.split)
        }
    }
}

/// Whether a value is nested deeper than `most`; walks no deeper than that.
fn deep(value: &Json, most: usize) -> bool {
    let Some(less) = most.checked_sub(1) else {
        return value.is_array() || value.is_object();
    };
    match value {
        Json::Array(items) => items.iter().any(|v| deep(v, less)),
        Json::Object(fields) => fields.values().any(|v| deep(v, less)),
        _ => false,
    }
}

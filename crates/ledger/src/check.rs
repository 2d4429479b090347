//! Ledger: what is asked of a change before it is made. Rules may become stricter here at any time:
//! they are never asked of a change that is stored.

use bellwether_model::experiment::ExperimentState;
use bellwether_model::{
    Actor, Change, Edit, Environment, EnvironmentKey, Experiment, ExperimentKey, Flag, FlagKey, Json, ListId,
    Metric, Millis, Revision, Rollout, RolloutState, Serve, Setting, Share, Split, VariantKey,
};

use crate::error::{LedgerError, refused, unknown};
use crate::lists::Members;
use crate::state::State;

mod betas;
mod environments;
mod experiments;
mod flags;
mod holdouts;
mod layers;
mod metrics;
mod plan;
mod prerequisites;
mod ramps;
mod running;
mod schedules;
mod schema;
mod segments;
mod texts;
mod variants;

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
    pub lists: Vec<(ListId, Members)>,
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
    match &proposed.by {
        Actor::Schedule { schedule } => schedules::comes(state, schedule, &proposed.edit, at)?,
        Actor::Ramp { flag, environment } => ramps::steps(state, flag, environment, &proposed.edit, at)?,
        Actor::Person { .. } | Actor::Key { .. } | Actor::Guard { .. } | Actor::System => {}
    }
    match &proposed.edit {
        Edit::EnvironmentCreated { environment } => environments::created(state, environment)?,
        Edit::EnvironmentSaved { environment } => environments::saved(state, environment)?,
        Edit::SegmentSaved { segment } => segments::saved(state, segment)?,
        Edit::LayerSaved { layer } => layers::saved(state, layer)?,
        Edit::LayerAllotted { layer, flag } => layers::allotted(state, layer, flag)?,
        Edit::HoldoutSaved { holdout } => holdouts::saved(state, holdout)?,
        Edit::BetaSaved { beta } => betas::saved(state, beta)?,
        Edit::BetaSwitched { beta, environment, on } => betas::switched(state, beta, environment, *on)?,
        Edit::ScheduleSaved { schedule } => schedules::saved(state, schedule, &proposed.by, at)?,
        Edit::FlagCreated { flag } => flags::created(state, flag)?,
        Edit::MetricSaved { metric } => metrics::saved(state, metric)?,
        Edit::PlanChanged { changes } => plan::changed(state, changes)?,
        Edit::ProposalSaved { proposal } => plan::saved(state, proposal)?,
        Edit::ProposalApproved { proposal } => plan::approved(state, proposal, &proposed.by)?,
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
        | Edit::FlagVariantsReplaced { flag, .. }
        | Edit::EnrolmentSet { flag, .. }
        | Edit::RolloutSet { flag, .. } => flags::edited(state, flag, &proposed.edit, at)?,
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
        if members.brought().iter().any(String::is_empty) {
            return Err(refused(
                format!("list `{}` has an empty id in it", id.0),
                "name each user or device by its id",
            ));
        }
    }
    Ok(())
}

/// Whether an id can be on a list that is written before the change that cites it.
pub(crate) fn member(id: &str) -> Result<(), LedgerError> {
    if id.is_empty() {
        return Err(refused("a list has an empty id in it", "name each user or device by its id"));
    }
    texts::member(id)
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
        | Edit::FlagSchemaSet { flag, .. }
        | Edit::FlagVariantsReplaced { flag, .. } => flag_environments(flag),
        Edit::EnvironmentSaved { environment } => vec![&environment.key],
        // One definition for all environments.
        Edit::SegmentSaved { .. }
        | Edit::LayerSaved { .. }
        | Edit::LayerAllotted { .. }
        | Edit::HoldoutSaved { .. } => state.environments.keys().collect(),
        Edit::FlagToggled { environment, .. }
        | Edit::TargetingReplaced { environment, .. }
        | Edit::SplitReshared { environment, .. }
        | Edit::EnrolmentSet { environment, .. }
        | Edit::BetaSwitched { environment, .. }
        | Edit::RolloutSet { environment, .. } => vec![environment],
        Edit::ScheduleSaved { schedule } => vec![&schedule.environment],
        // What it serves changes where it is on.
        Edit::BetaSaved { beta } => {
            state.betas.get(&beta.key).map(|was| was.on.iter().collect()).unwrap_or_default()
        }
        Edit::ExperimentStarted { experiment, .. }
        | Edit::ExperimentStopped { experiment, .. }
        | Edit::ExperimentShipped { experiment, .. } => experiment_environment(experiment),
        // What it says may keep events out.
        Edit::PlanChanged { .. } | Edit::ProposalApproved { .. } => state.environments.keys().collect(),
        Edit::EnvironmentCreated { .. }
        | Edit::ProposalSaved { .. }
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

fn archived(key: &FlagKey) -> LedgerError {
    refused(format!("flag `{key}` is archived"), "restore it first")
}

/// What is archived is restored before anything else, and nothing is born archived.
fn shelved(
    what: &str,
    key: impl std::fmt::Display,
    was: Option<bool>,
    archived: bool,
) -> Result<(), LedgerError> {
    match (was, archived) {
        (None, true) => {
            Err(refused(format!("{what} `{key}` would be born archived"), "archive it afterwards"))
        }
        (Some(true), true) => Err(refused(format!("{what} `{key}` is archived"), "restore it first")),
        _ => Ok(()),
    }
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

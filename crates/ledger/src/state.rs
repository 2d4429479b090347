//! Ledger: the state, a pure fold of the log. Folding is total: it judges nothing, so that a change
//! that was accepted once is accepted for ever.

use std::collections::BTreeMap;
use std::ops::Deref;

use bellwether_model::experiment::ExperimentState;
use bellwether_model::{
    Actor, Beta, BetaKey, Change, Edit, Environment, EnvironmentKey, Experiment, ExperimentKey, Flag,
    FlagKey, Holdout, HoldoutKey, Layer, LayerKey, Metric, MetricKey, Millis, Planned, Proposal, ProposalKey,
    Revision, Schedule, ScheduleKey, ScheduleState, Segment, SegmentKey, Serve, Share, Subject, Variant,
    VariantKey,
};
use serde::{Deserialize, Serialize};

use crate::plan::Plan;

/// A value with the change that made it what it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Versioned<T> {
    /// The value.
    pub value: T,
    /// The revision of its last change: what an edit based on this value sends as `expect`.
    pub revision: Revision,
    /// When it was last changed.
    pub at: Millis,
    /// By whom.
    pub by: Actor,
}

impl<T> Versioned<T> {
    pub(crate) fn new(value: T, change: &Change) -> Self {
        Self { value, revision: change.revision, at: change.at, by: change.by.clone() }
    }

    pub(crate) fn touch(&mut self, change: &Change) {
        (self.revision, self.at, self.by) = (change.revision, change.at, change.by.clone());
    }
}

impl<T> Deref for Versioned<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

/// Everything that changes have brought about, as of one revision.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// The revision of the last change that is folded in; 0 before the first.
    pub revision: Revision,
    /// Environments by key.
    pub environments: BTreeMap<EnvironmentKey, Versioned<Environment>>,
    /// Flags by key, archived ones included.
    pub flags: BTreeMap<FlagKey, Versioned<Flag>>,
    /// Metrics by key.
    pub metrics: BTreeMap<MetricKey, Versioned<Metric>>,
    /// Experiments by key, in every state.
    pub experiments: BTreeMap<ExperimentKey, Versioned<Experiment>>,
    /// Segments of users by key, archived ones included.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub segments: BTreeMap<SegmentKey, Versioned<Segment>>,
    /// Layers by key, archived ones included.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub layers: BTreeMap<LayerKey, Versioned<Layer>>,
    /// Holdouts by key, archived ones included.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub holdouts: BTreeMap<HoldoutKey, Versioned<Holdout>>,
    /// Betas by key, archived ones included.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub betas: BTreeMap<BetaKey, Versioned<Beta>>,
    /// Scheduled changes by key: those that wait, and of those that are over the last [`State::OVER`] of each flag
    /// and each beta. The log has them all.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub schedules: BTreeMap<ScheduleKey, Versioned<Schedule>>,
    /// The tracking plan, if somebody has made one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Versioned<Plan>>,
    /// Proposals for the tracking plan by key: those that are open, and the last [`State::OVER`] of the others.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub proposals: BTreeMap<ProposalKey, Versioned<Proposal>>,
}

impl State {
    /// How many scheduled changes that are over are kept of a flag or a beta, in all environments together: a
    /// flag that is switched by plan each night must not grow the state for good.
    pub const OVER: usize = 20;

    /// Folds one change in, and where a scheduled change has made it, that it did. Total and without
    /// judgement; `false` says that the change found nothing to act on (only a damaged log holds such a
    /// change) and only the revision moved.
    pub fn apply(&mut self, change: &Change) -> bool {
        self.revision = change.revision;
        if let Actor::Schedule { schedule } = &change.by
            && let Some(schedule) = self.schedules.get_mut(schedule)
            && schedule.value.waiting()
        {
            schedule.touch(change);
            schedule.value.state = ScheduleState::Done { at: change.at, revision: change.revision };
            let planned = schedule.value.planned.clone();
            self.forget_over(&planned);
        }
        match &change.edit {
            Edit::EnvironmentCreated { environment } | Edit::EnvironmentSaved { environment } => {
                self.environments
                    .insert(environment.key.clone(), Versioned::new(environment.clone(), change));
                true
            }
            Edit::FlagCreated { flag } => {
                self.flags.insert(flag.key.clone(), Versioned::new(flag.clone(), change));
                true
            }
            Edit::MetricSaved { metric } => {
                self.metrics.insert(metric.key.clone(), Versioned::new(metric.clone(), change));
                true
            }
            Edit::PlanChanged { changes } => {
                self.replan(changes, change);
                true
            }
            Edit::ProposalSaved { proposal } => {
                self.proposals.insert(proposal.key.clone(), Versioned::new(proposal.clone(), change));
                self.forget_proposals();
                true
            }
            Edit::ProposalApproved { proposal } => self.approve(proposal, change),
            Edit::ExperimentSaved { experiment } => {
                self.experiments.insert(experiment.key.clone(), Versioned::new(experiment.clone(), change));
                true
            }
            Edit::SegmentSaved { segment } => {
                self.segments.insert(segment.key.clone(), Versioned::new(segment.clone(), change));
                true
            }
            Edit::LayerSaved { layer } => {
                self.layers.insert(layer.key.clone(), Versioned::new(layer.clone(), change));
                true
            }
            Edit::LayerAllotted { layer, flag } => {
                self.layers.insert(layer.key.clone(), Versioned::new(layer.clone(), change));
                self.flags.get_mut(flag).map(|flag| flag.touch(change)).is_some()
            }
            Edit::HoldoutSaved { holdout } => {
                self.holdouts.insert(holdout.key.clone(), Versioned::new(holdout.clone(), change));
                true
            }
            Edit::BetaSaved { beta } => {
                let on = self.betas.get(&beta.key).map(|was| was.on.clone()).unwrap_or_default();
                let beta = Beta { on, ..beta.clone() };
                self.betas.insert(beta.key.clone(), Versioned::new(beta, change));
                true
            }
            Edit::BetaSwitched { beta, environment, on } => self.betas.get_mut(beta).is_some_and(|beta| {
                beta.touch(change);
                match on {
                    true => beta.value.on.insert(environment.clone()),
                    false => beta.value.on.remove(environment),
                };
                true
            }),
            Edit::ScheduleSaved { schedule } => {
                self.schedules.insert(schedule.key.clone(), Versioned::new(schedule.clone(), change));
                self.forget_over(&schedule.planned);
                true
            }
            Edit::FlagDescribed { flag, .. }
            | Edit::EnrolmentSet { flag, .. }
            | Edit::FlagTeamSet { flag, .. }
            | Edit::FlagLayerSet { flag, .. }
            | Edit::FlagSchemaSet { flag, .. }
            | Edit::FlagVariantsReplaced { flag, .. }
            | Edit::FlagToggled { flag, .. }
            | Edit::TargetingReplaced { flag, .. }
            | Edit::SplitReshared { flag, .. }
            | Edit::FlagArchived { flag, .. }
            | Edit::RolloutSet { flag, .. } => {
                self.leave_layer(change);
                self.flags.get_mut(flag).is_some_and(|flag| {
                    flag.touch(change);
                    amend(&mut flag.value, &change.edit, change.at)
                })
            }
            Edit::ExperimentStarted { experiment, since } => {
                self.experiment(experiment, change, |_| Some(ExperimentState::Running { since: *since }))
            }
            Edit::ExperimentStopped { experiment, at } => self.experiment(experiment, change, |was| {
                Some(ExperimentState::Stopped { since: since(was)?, at: *at, because: change.why.clone() })
            }),
            Edit::ExperimentShipped { experiment, at, variant } => {
                let shipped = self.experiment(experiment, change, |was| {
                    Some(ExperimentState::Shipped { since: since(was)?, at: *at, variant: variant.clone() })
                });
                let Some(experiment) = self.experiments.get(experiment).filter(|_| shipped) else {
                    return false;
                };
                let Some(flag) = self.flags.get_mut(&experiment.flag) else { return false };
                flag.touch(change);
                let setting = flag.value.settings.get_mut(&experiment.environment);
                setting.is_some_and(|setting| {
                    setting.default = Serve::Variant { variant: variant.clone() };
                    true
                })
            }
        }
    }

    /// Lets go of the oldest scheduled changes that are over, of the flag or beta that this one is of.
    fn forget_over(&mut self, planned: &Planned) {
        let of = |planned: &Planned| (planned.flag().cloned(), planned.beta().cloned());
        let over = self.schedules.values().filter(|s| !s.waiting() && of(&s.planned) == of(planned));
        let mut over: Vec<(Revision, ScheduleKey)> = over.map(|s| (s.revision, s.key.clone())).collect();
        over.sort_unstable();
        for (_, key) in over.iter().take(over.len().saturating_sub(Self::OVER)) {
            self.schedules.remove(key);
        }
    }

    /// What a change alters: its subject, the flag of an experiment that is shipped or of a part of a layer, the
    /// layer that a flag leaves, and the scheduled change that made it.
    pub(crate) fn touched(&self, by: &Actor, edit: &Edit) -> Vec<Subject> {
        let mut touched = vec![edit.subject()];
        if let Actor::Schedule { schedule } = by
            && self.schedules.get(schedule).is_some_and(|schedule| schedule.waiting())
            && edit.subject() != Subject::Schedule(schedule.clone())
        {
            touched.push(Subject::Schedule(schedule.clone()));
        }
        if let Edit::ExperimentShipped { experiment, .. } = edit {
            touched.extend(self.experiments.get(experiment).map(|e| Subject::Flag(e.flag.clone())));
        }
        if let Edit::LayerAllotted { flag, .. } = edit {
            touched.push(Subject::Flag(flag.clone()));
        }
        let planned = match edit {
            Edit::PlanChanged { changes } => Some(changes),
            Edit::ProposalApproved { proposal } => self.proposals.get(proposal).map(|p| &p.value.changes),
            _ => None,
        };
        if let Some(changes) = planned {
            touched.extend(changes.events().cloned().map(Subject::EventType));
            touched.extend(Some(Subject::Plan).filter(|plan| !touched.contains(plan)));
        }
        touched.extend(self.left(edit).map(|(layer, _)| Subject::Layer(layer)));
        touched
    }

    /// The layer of which a flag gives up its part when it leaves, and what becomes of the layer.
    fn left(&self, edit: &Edit) -> Option<(LayerKey, Layer)> {
        let Edit::FlagLayerSet { flag, layer } = edit else { return None };
        let old = self.flags.get(flag)?.layer.as_ref().filter(|old| Some(*old) != layer.as_ref())?;
        let left = self.layers.get(old).filter(|old| old.share(flag) != Share::NONE)?;
        Some((old.clone(), left.allot(flag, Share::NONE).ok()?))
    }

    /// A flag that leaves its layer takes its part along, in the same change: there is no moment in
    /// which it belongs to the layer and has no part in it.
    fn leave_layer(&mut self, change: &Change) {
        if let Some((key, layer)) = self.left(&change.edit) {
            self.layers.insert(key, Versioned::new(layer, change));
        }
    }

    /// The newest change of a subject: its revision, by whom and when.
    pub(crate) fn newest(&self, subject: &Subject) -> Option<(Revision, &Actor, Millis)> {
        fn of<T>(found: Option<&Versioned<T>>) -> Option<(Revision, &Actor, Millis)> {
            found.map(|v| (v.revision, &v.by, v.at))
        }
        match subject {
            Subject::Environment(key) => of(self.environments.get(key)),
            Subject::Flag(key) => of(self.flags.get(key)),
            Subject::Metric(key) => of(self.metrics.get(key)),
            Subject::Experiment(key) => of(self.experiments.get(key)),
            Subject::Segment(key) => of(self.segments.get(key)),
            Subject::Layer(key) => of(self.layers.get(key)),
            Subject::Holdout(key) => of(self.holdouts.get(key)),
            Subject::Beta(key) => of(self.betas.get(key)),
            Subject::Schedule(key) => of(self.schedules.get(key)),
            Subject::Plan => of(self.plan.as_ref()),
            Subject::EventType(name) => of(self.plan.as_ref().and_then(|plan| plan.events.get(name))),
            Subject::Proposal(key) => of(self.proposals.get(key)),
        }
    }

    /// The experiment that runs on a flag in an environment; there is at most one.
    pub fn running(&self, flag: &FlagKey, environment: &EnvironmentKey) -> Option<&Versioned<Experiment>> {
        self.experiments.values().find(|e| e.running() && e.flag == *flag && e.environment == *environment)
    }

    fn experiment(
        &mut self,
        key: &ExperimentKey,
        change: &Change,
        next: impl FnOnce(&ExperimentState) -> Option<ExperimentState>,
    ) -> bool {
        let Some(experiment) = self.experiments.get_mut(key) else { return false };
        experiment.touch(change);
        match next(&experiment.value.state) {
            Some(state) => {
                experiment.value.state = state;
                true
            }
            None => false,
        }
    }
}

/// When an experiment began, if it has.
fn since(state: &ExperimentState) -> Option<Millis> {
    match state {
        ExperimentState::Draft => None,
        ExperimentState::Running { since }
        | ExperimentState::Stopped { since, .. }
        | ExperimentState::Shipped { since, .. } => Some(*since),
    }
}

/// What an edit makes of a flag; `false` where it finds nothing to act on.
pub(crate) fn amend(flag: &mut Flag, edit: &Edit, at: Millis) -> bool {
    match edit {
        Edit::FlagDescribed { name, description, .. } => {
            flag.name.clone_from(name);
            flag.description.clone_from(description);
            true
        }
        Edit::FlagArchived { archived, .. } => {
            let back = flag.archived && !archived;
            flag.archived = *archived;
            if back {
                flag.settings.values_mut().for_each(|setting| seen_anew(&mut setting.default, at));
            }
            true
        }
        Edit::FlagTeamSet { team, .. } => {
            flag.team.clone_from(team);
            true
        }
        Edit::FlagLayerSet { layer, .. } => {
            flag.layer.clone_from(layer);
            true
        }
        Edit::FlagSchemaSet { schema, .. } => {
            flag.schema.clone_from(schema);
            true
        }
        Edit::FlagVariantsReplaced { variants, .. } => {
            revalue(flag, variants, at);
            true
        }
        Edit::FlagToggled { environment, on, .. } => {
            let Some(setting) = flag.settings.get_mut(environment) else { return false };
            if *on && !setting.on {
                seen_anew(&mut setting.default, at);
            }
            setting.on = *on;
            true
        }
        Edit::TargetingReplaced { environment, setting, .. } => {
            // Where the flag was not served it was not on: a first setting starts off.
            let on = flag.settings.get(environment).is_some_and(|was| was.on);
            let mut setting = setting.clone();
            setting.on = on;
            setting.enrolment =
                flag.settings.get(environment).map(|was| was.enrolment.clone()).unwrap_or_default();
            flag.settings.insert(environment.clone(), setting);
            true
        }
        Edit::EnrolmentSet { environment, enrolment, .. } => {
            flag.settings.get_mut(environment).map(|setting| setting.enrolment = enrolment.clone()).is_some()
        }
        Edit::RolloutSet { environment, rollout, .. } => flag
            .settings
            .get_mut(environment)
            .map(|setting| setting.default = Serve::Rollout { rollout: rollout.clone() })
            .is_some(),
        Edit::SplitReshared { environment, split, .. } => {
            match flag.settings.get_mut(environment).map(|setting| &mut setting.default) {
                Some(Serve::Split { split: was }) => {
                    *was = split.clone();
                    true
                }
                Some(Serve::Rollout { rollout }) => {
                    if !rollout.split.same_ratio(split, [&rollout.candidate, &rollout.control]) {
                        rollout.epoch = rollout.epoch.saturating_add(1);
                        rollout.epoch_began = at;
                    }
                    rollout.split = split.clone();
                    true
                }
                Some(Serve::Variant { .. }) | None => false,
            }
        }
        Edit::EnvironmentCreated { .. }
        | Edit::EnvironmentSaved { .. }
        | Edit::SegmentSaved { .. }
        | Edit::LayerSaved { .. }
        | Edit::LayerAllotted { .. }
        | Edit::HoldoutSaved { .. }
        | Edit::BetaSaved { .. }
        | Edit::BetaSwitched { .. }
        | Edit::ScheduleSaved { .. }
        | Edit::FlagCreated { .. }
        | Edit::PlanChanged { .. }
        | Edit::ProposalSaved { .. }
        | Edit::ProposalApproved { .. }
        | Edit::MetricSaved { .. }
        | Edit::ExperimentSaved { .. }
        | Edit::ExperimentStarted { .. }
        | Edit::ExperimentStopped { .. }
        | Edit::ExperimentShipped { .. } => false,
    }
}

/// Gives a flag other variants. Where one that a rollout compares gets another value, what was seen of the
/// old one says nothing of the new one: the rollout begins a new epoch.
fn revalue(flag: &mut Flag, variants: &[Variant], at: Millis) {
    let value =
        |among: &[Variant], key: &VariantKey| among.iter().find(|v| v.key == *key).map(|v| v.value.clone());
    for setting in flag.settings.values_mut() {
        if let Serve::Rollout { rollout } = &mut setting.default
            && rollout.widening().is_some()
            && [&rollout.candidate, &rollout.control]
                .into_iter()
                .any(|key| value(&flag.variants, key) != value(variants, key))
        {
            rollout.epoch = rollout.epoch.saturating_add(1);
            rollout.epoch_began = at;
            seen_anew(&mut setting.default, at);
        }
    }
    flag.variants = variants.to_vec();
}

/// Nobody saw the candidate while its flag was off or archived, or saw another value: the step of a ramp is
/// held for its whole time from here on.
fn seen_anew(serve: &mut Serve, at: Millis) {
    if let Serve::Rollout { rollout } = serve
        && let Some(ramp) = &mut rollout.ramp
    {
        ramp.hold_anew(at);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use bellwether_model::{Millis, Revision, Subject};
    use proptest::prelude::*;

    use super::State;
    use crate::check::check;
    use crate::log::Stored;
    use crate::storm::{based, kept, sound, storm};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        /// Whatever is accepted lands, leaves a sound state, and is folded again to the same state
        /// from its stored form; a state reads back from its own.
        #[test]
        fn what_is_accepted_lands_and_folds_again(storm in storm(60)) {
            let (mut state, mut again) = (State::default(), State::default());
            for (i, (proposed, ago)) in storm.into_iter().enumerate() {
                let at = Millis(crate::shop::START.0 + i as i64);
                let proposed = based(proposed, ago, &state, at);
                if check(&state, &proposed, at).is_err() {
                    continue;
                }
                let change = proposed.change(Revision(state.revision.0 + 1), at);
                let before = state.clone();
                prop_assert!(state.apply(&change), "{:?} was accepted and lands nowhere", change);
                again.apply(&Stored::encode(&change).unwrap().decode().unwrap());
                prop_assert_eq!(&state, &again);
                sound(&state)?;
                kept(&before, &state, &change)?;
                for subject in before.touched(&change.by, &change.edit) {
                    // An event type that the plan has no more has no newest change.
                    let gone = matches!(&subject, Subject::EventType(name)
                        if !state.tracking_plan().events.contains_key(name));
                    prop_assert!(gone || state.newest(&subject).unwrap().0 == change.revision, "{subject:?}");
                }
            }
            let read: State = serde_json::from_str(&serde_json::to_string(&state).unwrap()).unwrap();
            prop_assert_eq!(read, state);
        }
    }
}

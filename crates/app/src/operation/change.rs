//! App operations: the log of changes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bellwether_ledger::{Page, State, Versioned};
use bellwether_model::{
    BetaKey, ExperimentKey, FlagKey, HoldoutKey, Json, LayerKey, ListId, MetricKey, ProposalKey, Revision,
    ScheduleKey, SegmentKey, Subject, plan::Name,
};
use rustc_hash::FxHashSet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::input::at_most;
use super::{Class, Ctx, Effect, Method, Operation};
use crate::App;
use crate::access::Permission;
use crate::error::AppError;
use crate::view::ChangeView;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// Only changes before this revision: the `next` of the page before.
    before: Option<Revision>,
    /// At most so many, 50 unless given, 500 at most.
    limit: Option<u32>,
    /// Only changes of this flag.
    flag: Option<FlagKey>,
    /// Only changes of this experiment.
    experiment: Option<ExperimentKey>,
    /// Only changes of this metric.
    metric: Option<MetricKey>,
    /// Only changes of this segment.
    segment: Option<SegmentKey>,
    /// Only changes of this layer.
    layer: Option<LayerKey>,
    /// Only changes of this holdout.
    holdout: Option<HoldoutKey>,
    /// Only changes of this beta.
    beta: Option<BetaKey>,
    /// Only changes of this scheduled change.
    schedule: Option<ScheduleKey>,
    /// Only changes of the tracking plan that are about this event type.
    event: Option<Name>,
    /// Only changes of this proposal for the tracking plan.
    proposal: Option<ProposalKey>,
    /// Only changes of the tracking plan.
    #[serde(default)]
    plan: bool,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Output {
    /// Newest first.
    changes: Vec<ChangeView>,
    /// Send it as `before` for the next page; absent on the last.
    next: Option<Revision>,
}

pub(super) struct List;

impl Operation for List {
    const NAME: &'static str = "change.list";
    const ABOUT: &'static str = "Lists changes, newest first: who changed what, when and why.";
    const ROUTE: (Method, &'static str) = (Method::Get, "/api/changes");
    const NEEDS: Permission = Permission::View;
    const CLASS: Class = Class::Scan;
    const EFFECT: Effect = Effect::Reads;
    type Input = Input;
    type Output = Output;

    fn run(app: &App, _: &Ctx, input: Input) -> Result<Output, AppError> {
        let mut things = [
            input.flag.map(Subject::Flag),
            input.experiment.map(Subject::Experiment),
            input.metric.map(Subject::Metric),
            input.segment.map(Subject::Segment),
            input.layer.map(Subject::Layer),
            input.holdout.map(Subject::Holdout),
            input.beta.map(Subject::Beta),
            input.schedule.map(Subject::Schedule),
            input.event.map(Subject::EventType),
            input.proposal.map(Subject::Proposal),
            input.plan.then_some(Subject::Plan),
        ]
        .into_iter()
        .flatten();
        let about = things.next();
        if things.next().is_some() {
            return Err(AppError::bad_input(
                "the list can be of one thing",
                "give one of `flag`, `experiment`, `metric`, `segment`, `layer`, `holdout`, `beta`, `schedule`, `event`, `proposal` and `plan`",
            ));
        }
        let most = at_most(input.limit, 50, 500)?;
        let limit = u32::try_from(most + 1).unwrap_or(u32::MAX);
        let mut changes = app.ledger.changes(&Page { before: input.before, limit, about })?;
        let more = changes.len() > most;
        changes.truncate(most);
        let next = changes.last().filter(|_| more).map(|c| c.revision);
        let changes = changes.into_iter().map(|c| app.change_view(c)).collect();
        Ok(Output { changes, next })
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GetInput {
    /// The revision that the change made.
    revision: Revision,
}

/// A change, and the whole of what it is about before and after it: an edit says what somebody sent, and of much that
/// it sends nothing is new.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Detail {
    #[serde(flatten)]
    view: ChangeView,
    /// As it stood until then; nothing of what is new.
    before: Option<Json>,
    /// As it stood from then on; nothing of what is gone.
    after: Option<Json>,
    /// The lists of ids that it changed, of which `before` and `after` only have the names.
    lists: Vec<ListChange>,
}

/// How many ids of each sort a change shows.
const SHOWN: usize = 100;

/// What a change did to a list of ids.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ListChange {
    /// Which one, such as `included`, or ``targets of `on` in `production` ``.
    list: String,
    /// How many ids were on it.
    before: usize,
    /// How many are on it from then on.
    after: usize,
    /// How many came.
    came: usize,
    /// How many went.
    went: usize,
    /// Those who came, in the order of their ids, the first hundred.
    added: Vec<String>,
    /// Those who went, likewise. Who was forgotten since is not among them.
    removed: Vec<String>,
}

pub(super) struct Get;

impl Operation for Get {
    const NAME: &'static str = "change.get";
    const ABOUT: &'static str = "Shows one change, with what it is about as it stood before and after.";
    const ROUTE: (Method, &'static str) = (Method::Get, "/api/changes/{revision}");
    const NEEDS: Permission = Permission::View;
    const CLASS: Class = Class::Scan;
    const EFFECT: Effect = Effect::Reads;
    type Input = GetInput;
    type Output = Detail;

    fn run(app: &App, _: &Ctx, GetInput { revision }: GetInput) -> Result<Detail, AppError> {
        let unknown = || app.unknown("revision", revision);
        let (until, upto) = (revision.0.checked_sub(1).ok_or_else(unknown)?, revision.0.saturating_add(1));
        let page = Page { before: Some(Revision(upto)), limit: 1, about: None };
        let found = app.ledger.changes(&page)?.into_iter().find(|change| change.revision == revision);
        let change = found.ok_or_else(unknown)?;
        let mut state = app.ledger.state_at(Revision(until)).map_err(|error| app.refused(error))?;
        let about = change.edit.subject();
        let (before, listed) = (stands(&state, &about)?, lists(&state, &about));
        state.apply(&change);
        let (after, lists) = (stands(&state, &about)?, app.listed(&listed, &lists(&state, &about))?);
        Ok(Detail { view: app.change_view(change), before, after, lists })
    }
}

/// The lists that a thing cites, by what they are to it.
fn lists(state: &State, about: &Subject) -> BTreeMap<String, ListId> {
    match about {
        Subject::Segment(key) => {
            let segment = state.segments.get(key).map(|known| &known.value);
            let of = |name: &str, list: Option<&ListId>| list.map(|list| (name.to_owned(), list.clone()));
            segment.map_or_else(BTreeMap::new, |segment| {
                [of("included", segment.included.as_ref()), of("excluded", segment.excluded.as_ref())]
                    .into_iter()
                    .flatten()
                    .collect()
            })
        }
        Subject::Flag(key) => {
            let settings = state.flags.get(key).map(|known| &known.value.settings);
            let targets = settings.into_iter().flatten().flat_map(|(environment, setting)| {
                setting.targets.iter().map(move |target| {
                    let name = format!("targets of `{}` in `{environment}`", target.variant);
                    (name, target.list.clone())
                })
            });
            targets.collect()
        }
        _ => BTreeMap::new(),
    }
}

impl App {
    /// What became of lists; those that stayed are not among them.
    fn listed(
        &self,
        before: &BTreeMap<String, ListId>,
        after: &BTreeMap<String, ListId>,
    ) -> Result<Vec<ListChange>, AppError> {
        let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        let mut changes = Vec::new();
        for name in names {
            let (old, new) = (before.get(name), after.get(name));
            if old == new {
                continue;
            }
            let none = || Ok(Arc::from([]));
            let ids = |list: Option<&ListId>| list.map_or_else(none, |list| self.ledger.list(list));
            let (old, new) = (ids(old)?, ids(new)?);
            let without = |of: &[String], others: &[String]| -> Vec<String> {
                let others: FxHashSet<&String> = others.iter().collect();
                let mut only: Vec<String> = of.iter().filter(|id| !others.contains(id)).cloned().collect();
                only.sort_unstable();
                only
            };
            let (mut added, mut removed) = (without(&new, &old), without(&old, &new));
            let (came, went) = (added.len(), removed.len());
            if came + went == 0 {
                continue;
            }
            added.truncate(SHOWN);
            removed.truncate(SHOWN);
            let list = name.clone();
            changes.push(ListChange {
                list,
                before: old.len(),
                after: new.len(),
                came,
                went,
                added,
                removed,
            });
        }
        Ok(changes)
    }
}

/// What a change is about, as it stands in a state.
fn stands(state: &State, about: &Subject) -> Result<Option<Json>, AppError> {
    fn json<T: Serialize>(found: Option<&Versioned<T>>) -> serde_json::Result<Option<Json>> {
        found.map(|found| serde_json::to_value(&found.value)).transpose()
    }
    let found = match about {
        Subject::Environment(key) => json(state.environments.get(key)),
        Subject::Flag(key) => json(state.flags.get(key)),
        Subject::Metric(key) => json(state.metrics.get(key)),
        Subject::Experiment(key) => json(state.experiments.get(key)),
        Subject::Segment(key) => json(state.segments.get(key)),
        Subject::Layer(key) => json(state.layers.get(key)),
        Subject::Holdout(key) => json(state.holdouts.get(key)),
        Subject::Beta(key) => json(state.betas.get(key)),
        Subject::Schedule(key) => json(state.schedules.get(key)),
        Subject::Proposal(key) => json(state.proposals.get(key)),
        Subject::Plan | Subject::EventType(_) => json(state.plan.as_ref()),
    };
    found.map_err(|error| AppError::internal("write what the change is about", error))
}

//! App operations: the log of changes.

use bellwether_ledger::{Page, State, Versioned};
use bellwether_model::{
    BetaKey, ExperimentKey, FlagKey, HoldoutKey, Json, LayerKey, MetricKey, ProposalKey, Revision,
    ScheduleKey, SegmentKey, Subject, plan::Name,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
        let limit = input.limit.unwrap_or(50).clamp(1, 500);
        let mut changes = app.ledger.changes(&Page { before: input.before, limit: limit + 1, about })?;
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
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
        let before = stands(&state, &about)?;
        state.apply(&change);
        let after = stands(&state, &about)?;
        Ok(Detail { view: app.change_view(change), before, after })
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

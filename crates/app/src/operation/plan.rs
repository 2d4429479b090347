//! App operations: the tracking plan and proposals for it. A plan is given as a whole, as it is written in a
//! file; what is stored is what changes.

use bellwether_ledger::{State, Versioned};
use bellwether_model::plan::{Difference, Lint, PlanChanges, differences};
use bellwether_model::{
    Edit, Millis, Properties, Proposal, ProposalKey, ProposalState, Revision, TrackingPlan,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::environment::Nothing;
use super::{Class, Ctx, Effect, Method, Operation, consequences};
use crate::App;
use crate::access::Permission;
use crate::error::AppError;
use crate::intake::judge::Reason;
use crate::view::ActorView;

/// The tracking plan with its newest revision.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct PlanView {
    /// The plan; empty where nobody has made one.
    plan: TrackingPlan,
    /// Send it as `if_revision` with an edit; 0 where nobody has made one.
    revision: Revision,
    /// When it last changed.
    changed: Option<Millis>,
    /// Who changed it.
    changed_by: Option<ActorView>,
    /// What is probably not meant, such as a name that is not written as the plan says.
    warnings: Vec<Lint>,
    /// Said of a plan that was saved and was like that already: nothing changed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    unchanged: bool,
}

pub(super) struct Get;

impl Operation for Get {
    const NAME: &'static str = "plan.get";
    const ABOUT: &'static str = "Shows the tracking plan: what events there are and what is in them.";
    const ROUTE: (Method, &'static str) = (Method::Get, "/api/plan");
    const NEEDS: Permission = Permission::View;
    const CLASS: Class = Class::Instant;
    const EFFECT: Effect = Effect::Reads;
    type Input = Nothing;
    type Output = PlanView;

    fn run(app: &App, _: &Ctx, _: Nothing) -> Result<PlanView, AppError> {
        Ok(app.plan_view(&app.ledger.state()))
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SaveInput {
    /// The whole plan as it is to be, such as
    /// `{"events": {"Order Completed": {"owner": "checkout", "properties": {"total": {"type": "number", "required": true}}}}}`.
    plan: TrackingPlan,
    /// The reason; needed where there is a production environment.
    why: Option<String>,
    /// The revision that the edit is of.
    if_revision: Option<Revision>,
}

pub(super) struct Save;

impl Operation for Save {
    const NAME: &'static str = "plan.save";
    const ABOUT: &'static str = "Makes the tracking plan another one at once; refused where the plan says that changes need a review. Where it is like that \
         already nothing changes.";
    const ROUTE: (Method, &'static str) = (Method::Put, "/api/plan");
    const NEEDS: Permission = Permission::Edit;
    const CLASS: Class = Class::Write;
    const EFFECT: Effect = Effect::Changes;
    type Input = SaveInput;
    type Output = PlanView;

    fn run(app: &App, ctx: &Ctx, input: SaveInput) -> Result<PlanView, AppError> {
        input.plan.check()?;
        let state = app.ledger.state();
        let was = state.tracking_plan();
        let changes = input.plan.changes_from(&was);
        // The log has changes alone. Whoever says again what is so, such as a job that runs again, has what it wants.
        if changes.is_empty() {
            return Ok(PlanView { unchanged: true, ..app.plan_view(&state) });
        }
        let edit = Edit::PlanChanged { changes };
        let after = app.edit(ctx, edit, input.why, input.if_revision, Vec::new())?;
        let mut view = app.plan_view(&after.state);
        view.warnings.extend(consequences::of(&state, &was, &view.plan));
        Ok(view)
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CheckInput {
    /// The whole plan to look at, such as
    /// `{"events": {"Order Completed": {"owner": "checkout", "properties": {"total": {"type": "number", "required": true}}}}}`.
    plan: TrackingPlan,
}

/// How a plan stands to the one that there is.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Checked {
    /// What would become of the plan that there is.
    differences: Vec<Difference>,
    /// Whether events that follow the plan that there is may not follow this one.
    breaking: bool,
    /// What is probably not meant, such as a name that is not written as the plan says.
    warnings: Vec<Lint>,
    /// Those of them that the plan that there is has not.
    new_warnings: Vec<Lint>,
    /// What comes of it for what is stored already, such as events that are removed.
    consequences: Vec<Lint>,
    /// The revision of the plan that it was held against.
    revision: Revision,
}

pub(super) struct Check;

impl Operation for Check {
    const NAME: &'static str = "plan.check";
    const ABOUT: &'static str =
        "Holds a plan against its own rules and against the plan that there is, and changes nothing.";
    const ROUTE: (Method, &'static str) = (Method::Post, "/api/plan/check");
    const NEEDS: Permission = Permission::View;
    const CLASS: Class = Class::Instant;
    const EFFECT: Effect = Effect::Reads;
    type Input = CheckInput;
    type Output = Checked;

    fn run(app: &App, _: &Ctx, input: CheckInput) -> Result<Checked, AppError> {
        input.plan.check()?;
        let state = app.ledger.state();
        app.rules_are_of_environments(&state, &input.plan)?;
        let was = state.tracking_plan();
        let differences = differences(&was, &input.plan);
        let (known, warnings) = (was.lint(), input.plan.lint());
        let is_new = |warning: &&Lint| known.iter().all(|known| known.message != warning.message);
        Ok(Checked {
            new_warnings: warnings.iter().filter(is_new).cloned().collect(),
            consequences: consequences::of(&state, &was, &input.plan),
            breaking: differences.iter().any(|difference| difference.breaking),
            differences,
            warnings,
            revision: state.plan.as_ref().map(|plan| plan.revision).unwrap_or_default(),
        })
    }
}

impl App {
    /// Whether there is each environment that a plan has rules for.
    fn rules_are_of_environments(&self, state: &State, plan: &TrackingPlan) -> Result<(), AppError> {
        let unknown = plan.rules.environments.keys().find(|key| !state.environments.contains_key(*key));
        unknown.map_or(Ok(()), |key| Err(self.unknown("environment", key)))
    }
}

/// An event as code sends it, as far as is known.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Usage {
    /// The event type.
    event: String,
    /// Its properties with their values, or a list of their names; nothing is said of them where they are left out.
    properties: Option<Used>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Used {
    /// The names alone.
    Names(Vec<String>),
    /// With their values.
    Values(Properties),
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct JudgeInput {
    /// The events, 5000 at most: `[{"event": "Order Completed", "properties": {"total": 9.5}}]`, or with the names of the
    /// properties alone, `[{"event": "Order Completed", "properties": ["total"]}]`.
    events: Vec<Usage>,
}

/// How one event does not follow the plan.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Misuse {
    /// Which of the events, from 0.
    index: usize,
    /// The event type.
    event: String,
    /// The property; none where the event type is not planned.
    property: Option<String>,
    #[serde(flatten)]
    reason: Reason,
    /// The same in words.
    message: String,
    /// What was perhaps meant, of what is planned.
    hint: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Judged {
    /// What is wrong, in the order of the events.
    faults: Vec<Misuse>,
    /// The revision of the plan; 0 where nothing is planned, and then nothing is wrong.
    revision: Revision,
}

pub(super) struct Judge;

impl Judge {
    /// The most events at once.
    const MOST: usize = 5_000;
}

impl Operation for Judge {
    const NAME: &'static str = "plan.judge";
    const ABOUT: &'static str =
        "Says how events would not follow the tracking plan, as intake would, and stores nothing.";
    const ROUTE: (Method, &'static str) = (Method::Post, "/api/plan/judge");
    const NEEDS: Permission = Permission::View;
    const CLASS: Class = Class::Instant;
    const EFFECT: Effect = Effect::Reads;
    type Input = JudgeInput;
    type Output = Judged;

    fn run(app: &App, _: &Ctx, input: JudgeInput) -> Result<Judged, AppError> {
        if input.events.len() > Self::MOST {
            return Err(AppError::bad_input(
                format!("these are `{}` events, and `{}` are judged at once", input.events.len(), Self::MOST),
                "send them in pieces",
            ));
        }
        let judges = app.judges.load_full();
        let mut faults = Vec::new();
        for (index, Usage { event, properties }) in input.events.into_iter().enumerate() {
            let found = match &properties {
                Some(Used::Values(values)) => judges.faults(&event, values),
                Some(Used::Names(names)) => judges.faults_of_names(&event, names),
                None => judges.faults_of_names(&event, &[]).filter(|found| {
                    // Of its properties nothing was said.
                    found.iter().all(|fault| fault.property.is_none())
                }),
            };
            faults.extend(found.into_iter().flatten().map(|fault| Misuse {
                index,
                message: fault.sentence(),
                hint: judges.hint(&event, fault.property.as_deref(), fault.reason),
                event: event.clone(),
                reason: fault.reason,
                property: fault.property.map(Into::into),
            }));
        }
        Ok(Judged { faults, revision: judges.revision() })
    }
}

/// A proposal and what it would make of the plan that there is.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ProposalView {
    /// The proposal.
    proposal: Proposal,
    /// What would become of the plan that there is; empty once it is approved or closed.
    differences: Vec<Difference>,
    /// Whether events that follow the plan that there is may not follow it then.
    breaking: bool,
    /// What is probably not meant in the plan that it would make.
    warnings: Vec<Lint>,
    /// Send it as `if_revision` with an approval: what is approved is what was looked at.
    revision: Revision,
    /// When it last changed.
    changed: Millis,
    /// Who changed it; of an open proposal, who wrote it.
    changed_by: ActorView,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProposeInput {
    /// Its key, such as the name of a branch.
    proposal: ProposalKey,
    /// What it is for, in a line.
    #[serde(default)]
    title: String,
    /// The whole plan as it is to be, such as
    /// `{"events": {"Order Completed": {"owner": "checkout", "properties": {"total": {"type": "number", "required": true}}}}}`.
    plan: TrackingPlan,
    /// The revision of the plan that it was made of, the newest unless given. Event types that have changed since
    /// stand against its approval.
    base: Option<Revision>,
    /// The reason.
    why: Option<String>,
    /// The revision of the proposal that the edit is of.
    if_revision: Option<Revision>,
}

pub(super) struct Propose;

impl Operation for Propose {
    const NAME: &'static str = "plan.propose";
    const ABOUT: &'static str = "Proposes another tracking plan, or makes a proposal another one; the plan stays until it is approved.";
    const ROUTE: (Method, &'static str) = (Method::Put, "/api/plan/proposals/{proposal}");
    const NEEDS: Permission = Permission::Edit;
    const CLASS: Class = Class::Write;
    const EFFECT: Effect = Effect::Changes;
    type Input = ProposeInput;
    type Output = ProposalView;

    fn run(app: &App, ctx: &Ctx, input: ProposeInput) -> Result<ProposalView, AppError> {
        input.plan.check()?;
        let state = app.ledger.state();
        let changes = match input.base {
            // What others have changed since is not taken back.
            Some(base) if base < state.revision => input
                .plan
                .changes_from(&app.ledger.state_at(base).map_err(|e| app.refused(e))?.tracking_plan()),
            _ => input.plan.changes_from(&state.tracking_plan()),
        };
        let base = input.base.unwrap_or(state.revision);
        let proposal =
            Proposal { key: input.proposal, title: input.title, changes, base, state: ProposalState::Open };
        app.save_proposal(ctx, proposal, input.why, input.if_revision)
    }
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Proposals {
    /// Those that are open, and the last of those that are over, newest first.
    proposals: Vec<ProposalView>,
}

pub(super) struct List;

impl Operation for List {
    const NAME: &'static str = "plan.proposals";
    const ABOUT: &'static str = "Lists the proposals for the tracking plan, each with what it would change.";
    const ROUTE: (Method, &'static str) = (Method::Get, "/api/plan/proposals");
    const NEEDS: Permission = Permission::View;
    const CLASS: Class = Class::Instant;
    const EFFECT: Effect = Effect::Reads;
    type Input = Nothing;
    type Output = Proposals;

    fn run(app: &App, _: &Ctx, _: Nothing) -> Result<Proposals, AppError> {
        let state = app.ledger.state();
        let mut proposals: Vec<_> = state.proposals.values().collect();
        proposals.sort_by_key(|proposal| {
            (proposal.state != ProposalState::Open, std::cmp::Reverse(proposal.revision))
        });
        Ok(Proposals { proposals: proposals.into_iter().map(|p| app.proposal_view(&state, p)).collect() })
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Which {
    /// The proposal.
    proposal: ProposalKey,
}

pub(super) struct One;

impl Operation for One {
    const NAME: &'static str = "plan.proposal";
    const ABOUT: &'static str = "Shows a proposal for the tracking plan, and what it would change.";
    const ROUTE: (Method, &'static str) = (Method::Get, "/api/plan/proposals/{proposal}");
    const NEEDS: Permission = Permission::View;
    const CLASS: Class = Class::Instant;
    const EFFECT: Effect = Effect::Reads;
    type Input = Which;
    type Output = ProposalView;

    fn run(app: &App, _: &Ctx, input: Which) -> Result<ProposalView, AppError> {
        app.proposal_seen(&app.ledger.state(), &input.proposal)
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DecideInput {
    /// The proposal.
    proposal: ProposalKey,
    /// The reason; an approval needs one where there is a production environment.
    why: Option<String>,
    /// The revision of the proposal that was looked at.
    if_revision: Option<Revision>,
}

pub(super) struct Approve;

impl Operation for Approve {
    const NAME: &'static str = "plan.approve";
    const ABOUT: &'static str =
        "Makes what a proposal says the tracking plan; where changes need a review, not by who wrote it.";
    const ROUTE: (Method, &'static str) = (Method::Post, "/api/plan/proposals/{proposal}/approve");
    const NEEDS: Permission = Permission::Edit;
    const CLASS: Class = Class::Write;
    const EFFECT: Effect = Effect::Changes;
    type Input = DecideInput;
    type Output = ProposalView;

    fn run(app: &App, ctx: &Ctx, input: DecideInput) -> Result<ProposalView, AppError> {
        let edit = Edit::ProposalApproved { proposal: input.proposal.clone() };
        let after = app.edit(ctx, edit, input.why, input.if_revision, Vec::new())?;
        app.proposal_seen(&after.state, &input.proposal)
    }
}

pub(super) struct Close;

impl Operation for Close {
    const NAME: &'static str = "plan.close";
    const ABOUT: &'static str = "Closes a proposal for the tracking plan without making it the plan.";
    const ROUTE: (Method, &'static str) = (Method::Post, "/api/plan/proposals/{proposal}/close");
    const NEEDS: Permission = Permission::Edit;
    const CLASS: Class = Class::Write;
    const EFFECT: Effect = Effect::Changes;
    type Input = DecideInput;
    type Output = ProposalView;

    fn run(app: &App, ctx: &Ctx, input: DecideInput) -> Result<ProposalView, AppError> {
        let state = app.ledger.state();
        let known = state.proposals.get(&input.proposal);
        let known = known.ok_or_else(|| app.unknown("proposal", &input.proposal))?;
        let because = input.why.clone().unwrap_or_default();
        let closed =
            Proposal { state: ProposalState::Closed { at: ctx.now, because }, ..known.value.clone() };
        app.save_proposal(ctx, closed, input.why, input.if_revision)
    }
}

impl App {
    fn plan_view(&self, state: &State) -> PlanView {
        let plan = state.tracking_plan();
        let known = state.plan.as_ref();
        PlanView {
            warnings: plan.lint(),
            unchanged: false,
            plan,
            revision: known.map(|known| known.revision).unwrap_or_default(),
            changed: known.map(|known| known.at),
            changed_by: known.map(|known| self.actor_view(&known.by)),
        }
    }

    fn save_proposal(
        &self,
        ctx: &Ctx,
        proposal: Proposal,
        why: Option<String>,
        if_revision: Option<Revision>,
    ) -> Result<ProposalView, AppError> {
        let key = proposal.key.clone();
        let after = self.edit(ctx, Edit::ProposalSaved { proposal }, why, if_revision, Vec::new())?;
        self.proposal_seen(&after.state, &key)
    }

    fn proposal_seen(&self, state: &State, key: &ProposalKey) -> Result<ProposalView, AppError> {
        let proposal = state.proposals.get(key).ok_or_else(|| self.unknown("proposal", key))?;
        Ok(self.proposal_view(state, proposal))
    }

    fn proposal_view(&self, state: &State, proposal: &Versioned<Proposal>) -> ProposalView {
        let now = state.tracking_plan();
        let nothing = PlanChanges::default();
        let open = proposal.state == ProposalState::Open;
        let then = now.clone().with(if open { &proposal.changes } else { &nothing });
        let differences = differences(&now, &then);
        let mut warnings = if open { then.lint() } else { Vec::new() };
        warnings.extend(consequences::of(state, &now, &then));
        ProposalView {
            breaking: differences.iter().any(|difference| difference.breaking),
            differences,
            warnings,
            proposal: proposal.value.clone(),
            revision: proposal.revision,
            changed: proposal.at,
            changed_by: self.actor_view(&proposal.by),
        }
    }
}

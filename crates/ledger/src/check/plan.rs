//! Ledger: the tracking plan is well-formed after each change, and a proposal is approved as it was looked at.

use bellwether_model::plan::{Name, PlanChanges};
use bellwether_model::{Proposal, ProposalKey, ProposalState};

use super::*;

/// A change of the plan without a proposal.
pub(super) fn changed(state: &State, changes: &PlanChanges) -> Result<(), LedgerError> {
    if state.plan.as_ref().is_some_and(|plan| plan.rules.review) {
        return Err(refused(
            "the tracking plan changes only by proposals that somebody else has approved",
            "propose the change with `plan.propose`",
        ));
    }
    possible(state, changes)
}

/// A proposal is new or still open, and does not begin as approved.
pub(super) fn saved(state: &State, proposal: &Proposal) -> Result<(), LedgerError> {
    let key = &proposal.key;
    let was = state.proposals.get(key).map(|was| &was.value);
    let open = was.is_some_and(|was| was.state == ProposalState::Open);
    match proposal.state {
        ProposalState::Open if proposal.base > state.revision => Err(refused(
            format!("proposal `{key}` is based on revision `{}`, which does not exist", proposal.base),
            "base it on the plan that there is",
        )),
        ProposalState::Open => possible(state, &proposal.changes),
        ProposalState::Approved { .. } => {
            Err(refused(format!("proposal `{key}` would approve itself"), "approve it with `plan.approve`"))
        }
        ProposalState::Closed { .. } if !open => Err(over(key)),
        ProposalState::Closed { .. } => match was {
            Some(was) if was.changes == proposal.changes && was.base == proposal.base => Ok(()),
            _ => {
                Err(refused(format!("proposal `{key}` would be another one and closed"), "close it as it is"))
            }
        },
    }
}

/// Whether what a proposal says may become the plan now, in the name of whoever approves it.
pub(super) fn approved(state: &State, key: &ProposalKey, by: &Actor) -> Result<(), LedgerError> {
    let proposal = state.proposals.get(key).ok_or_else(|| unknown("proposal", key))?;
    if proposal.state != ProposalState::Open {
        return Err(over(key));
    }
    let plan = state.plan.as_ref().map(|plan| &plan.value);
    if plan.is_some_and(|plan| plan.rules.review) && proposal.by == *by {
        return Err(refused(
            format!("proposal `{key}` needs the approval of somebody who did not write it"),
            "ask somebody else to look at it",
        ));
    }
    let newer =
        |name: &&Name| plan.and_then(|plan| plan.events.get(*name)).filter(|e| e.revision > proposal.base);
    if let Some((name, found)) = proposal.changes.events().find_map(|name| Some((name, newer(&name)?))) {
        return Err(refused(
            format!(
                "event type `{name}` has changed in revision `{}`, after proposal `{key}` was made",
                found.revision
            ),
            "propose it again, based on the plan that there is now",
        ));
    }
    if let Some(plan) = plan.filter(|plan| proposal.changes.rules.is_some() && plan.ruled > proposal.base) {
        return Err(refused(
            format!(
                "the rules of the plan have changed in revision `{}`, after proposal `{key}` was made",
                plan.ruled
            ),
            "propose it again, based on the plan that there is now",
        ));
    }
    possible(state, &proposal.changes)
}

fn over(key: &ProposalKey) -> LedgerError {
    refused(format!("proposal `{key}` is not open"), "make another one")
}

/// Whether the plan with these changes is one, and another than it was.
fn possible(state: &State, changes: &PlanChanges) -> Result<(), LedgerError> {
    let was = state.tracking_plan();
    if let Some(name) = changes.remove.iter().find(|name| !was.events.contains_key(*name)) {
        return Err(unknown("event type", name));
    }
    if let Some(name) = changes.remove.iter().find(|name| changes.save.contains_key(*name)) {
        return Err(refused(
            format!("event type `{name}` would be saved and removed"),
            "say what is to become of it",
        ));
    }
    if let Some(rules) = &changes.rules {
        rules.environments.keys().try_for_each(|environment| environment_exists(state, environment))?;
    }
    for event in changes.save.values() {
        texts::prose("the description of an event type", &event.description)?;
        for property in event.properties.values() {
            texts::prose("the description of a property", &property.description)?;
        }
    }
    let next = was.clone().with(changes);
    next.check()?;
    if next == was {
        return Err(refused("the tracking plan is like that already", "look at it with `plan.get`"));
    }
    Ok(())
}

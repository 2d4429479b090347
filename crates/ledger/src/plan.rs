//! Ledger: the tracking plan as changes have made it, each event type with its last change, and the
//! proposals for it.

use std::collections::BTreeMap;

use bellwether_model::plan::{EventType, Name, PlanChanges, PlanRules};
use bellwether_model::{Change, ProposalKey, ProposalState, Revision, TrackingPlan};
use serde::{Deserialize, Serialize};

use crate::state::{State, Versioned};

/// The tracking plan.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// What holds for all event types.
    pub rules: PlanRules,
    /// The revision that made the rules what they are; 0 where nobody has said any.
    pub ruled: Revision,
    /// The event types by name.
    pub events: BTreeMap<Name, Versioned<EventType>>,
}

impl Plan {
    /// The plan as it is written in a file.
    #[must_use]
    pub fn document(&self) -> TrackingPlan {
        let events = self.events.iter().map(|(name, event)| (name.clone(), event.value.clone())).collect();
        TrackingPlan { rules: self.rules.clone(), events }
    }

    fn take(&mut self, changes: &PlanChanges, change: &Change) {
        if let Some(rules) = &changes.rules {
            self.rules = rules.clone();
            self.ruled = change.revision;
        }
        self.events.retain(|name, _| !changes.remove.contains(name));
        for (name, event) in &changes.save {
            self.events.insert(name.clone(), Versioned::new(event.clone(), change));
        }
    }
}

impl State {
    /// The tracking plan as it is written in a file; empty where there is none yet.
    #[must_use]
    pub fn tracking_plan(&self) -> TrackingPlan {
        self.plan.as_ref().map(|plan| plan.document()).unwrap_or_default()
    }

    /// Makes the changes of a plan.
    pub(crate) fn replan(&mut self, changes: &PlanChanges, change: &Change) {
        let mut plan = self.plan.take().map(|plan| plan.value).unwrap_or_default();
        plan.take(changes, change);
        self.plan = Some(Versioned::new(plan, change));
    }

    /// Makes what a proposal says the plan.
    pub(crate) fn approve(&mut self, key: &ProposalKey, change: &Change) -> bool {
        let Some(proposal) = self.proposals.get_mut(key) else { return false };
        proposal.touch(change);
        proposal.value.state = ProposalState::Approved { at: change.at };
        let changes = proposal.value.changes.clone();
        self.replan(&changes, change);
        self.forget_proposals();
        true
    }

    /// Lets go of the oldest proposals that are approved or closed. The log has them all.
    pub(crate) fn forget_proposals(&mut self) {
        let over = self.proposals.values().filter(|p| p.state != ProposalState::Open);
        let mut over: Vec<(Revision, ProposalKey)> = over.map(|p| (p.revision, p.key.clone())).collect();
        over.sort_unstable();
        for (_, key) in over.iter().take(over.len().saturating_sub(Self::OVER)) {
            self.proposals.remove(key);
        }
    }
}

//! App: what was changed or is planned, in words.

use bellwether_model::plan::PlanChanges;
use bellwether_model::{
    Actor, Change, Edit, Pace, Planned, Proposal, ProposalState, Rollout, RolloutState, Schedule,
    ScheduleState,
};

use crate::operation::stretches;

/// What is planned, in words that follow "to".
pub(crate) fn planned(planned: &Planned) -> String {
    let switch = |on: bool| if on { "on" } else { "off" };
    match planned {
        Planned::Toggle { flag, on } => format!("turn {flag} {}", switch(*on)),
        Planned::Reshare { flag, shares } => {
            let shares: Vec<_> = shares.iter().map(|s| format!("{} {}", s.variant, s.share)).collect();
            format!("set the shares of {flag} to {}", shares.join(", "))
        }
        Planned::Widen { flag, share } => format!("set the rollout of {flag} to {share}"),
        Planned::Halt { flag } => format!("halt the rollout of {flag}"),
        Planned::Finish { flag } => format!("finish the rollout of {flag}"),
        Planned::Switch { beta, on } => format!("turn beta {beta} {}", switch(*on)),
    }
}

/// What a change did to a rollout: the words before its name, and those after.
///
/// The log holds what a rollout became, not what it was, so that this is read from what it became. Of changes that
/// were stored before a rollout said that it was resumed: whose ramp waits for less than the hold of its step was
/// paused before.
fn turned(change: &Change, rollout: &Rollout) -> (String, String) {
    let Rollout { candidate, ramp, .. } = rollout;
    let to = rollout.share();
    if let (Actor::Ramp { .. }, Some(ramp)) = (&change.by, ramp) {
        let step = format!("took step {} of {} of", ramp.taken, ramp.steps.len());
        return (step, format!(": {candidate} to {to}"));
    }
    match &rollout.state {
        RolloutState::Halted { .. } => return ("halted".to_owned(), String::new()),
        RolloutState::Done { .. } => return ("finished".to_owned(), String::new()),
        RolloutState::Widening if rollout.started == change.at => {
            let steps = ramp.as_ref().map(|ramp| format!(", the first of {} steps", ramp.steps.len()));
            return ("started".to_owned(), format!(": {candidate} to {to}{}", steps.unwrap_or_default()));
        }
        RolloutState::Widening if rollout.resumed == Some(change.at) => {
            let paused = matches!(ramp.as_ref().map(|ramp| ramp.pace), Some(Pace::Paused { .. }));
            let still = if paused { ", where its ramp is paused" } else { "" };
            return ("resumed".to_owned(), format!(" at {to}{still}"));
        }
        RolloutState::Widening => {}
    }
    match ramp.as_ref().map(|ramp| (ramp, ramp.pace)) {
        Some((_, Pace::Paused { .. })) => ("paused".to_owned(), format!(" at {to}")),
        Some((ramp, Pace::Due { at })) => {
            let whole = ramp.standing().is_some_and(|step| at == change.at.plus(step.hold));
            if ramp.taken > 1 || !whole {
                ("resumed".to_owned(), format!(" at {to}"))
            } else {
                (
                    "set".to_owned(),
                    format!(" to {candidate} for {to}, the first of {} steps", ramp.steps.len()),
                )
            }
        }
        Some((_, Pace::Ended)) | None => ("set".to_owned(), format!(" to {candidate} for {to}")),
    }
}

/// What a change did, in words that follow the name of whoever made it.
pub(super) fn said(change: &Change) -> String {
    use Edit as E;
    match &change.edit {
        E::EnvironmentCreated { environment } => format!("created environment {}", environment.key),
        E::EnvironmentSaved { environment } => format!("changed environment {}", environment.key),
        E::FlagTeamSet { flag, team: Some(team) } => format!("gave flag {flag} to team {team}"),
        E::FlagTeamSet { flag, team: None } => format!("took flag {flag} from its team"),
        E::FlagLayerSet { flag, layer: Some(layer) } => format!("put flag {flag} into layer {layer}"),
        E::FlagLayerSet { flag, layer: None } => format!("took flag {flag} out of its layer"),
        E::FlagSchemaSet { flag, .. } => format!("changed the schema of flag {flag}"),
        E::FlagVariantsReplaced { flag, .. } => format!("changed the variants of flag {flag}"),
        E::SegmentSaved { segment } => format!("saved segment {}", segment.key),
        E::LayerSaved { layer } => format!("saved layer {}", layer.key),
        E::LayerAllotted { layer, flag } => {
            let own = layer.ranges().iter().filter(|range| range.flag == *flag);
            let own: Vec<_> = own.map(|range| (range.from, range.to)).collect();
            match own.is_empty() {
                true => format!("took from flag {flag} its part of layer {}", layer.key),
                false => {
                    let (share, key) = (layer.share(flag), &layer.key);
                    format!("gave flag {flag} {share} of layer {key}, from {}", stretches(&own))
                }
            }
        }
        E::HoldoutSaved { holdout } => format!("saved holdout {}", holdout.key),
        E::BetaSaved { beta } => format!("saved beta {}", beta.key),
        E::BetaSwitched { beta, environment, on } => {
            format!("turned beta {beta} {} in {environment}", if *on { "on" } else { "off" })
        }
        E::ScheduleSaved { schedule } => {
            let what = planned(&schedule.planned);
            let Schedule { environment, .. } = schedule;
            match &schedule.state {
                ScheduleState::Waiting => format!("scheduled to {what} in {environment} at {}", schedule.at),
                ScheduleState::Done { .. } => format!("did {what} in {environment}"),
                ScheduleState::Refused { .. } => {
                    format!("could not {what} in {environment}, as was scheduled")
                }
                ScheduleState::Cancelled { .. } => {
                    format!("cancelled to {what} in {environment}, which was scheduled")
                }
            }
        }
        E::EnrolmentSet { flag, environment, .. } => {
            format!("changed who may be enrolled by {flag} in {environment}")
        }
        E::FlagCreated { flag } => format!("created flag {} with {} variants", flag.key, flag.variants.len()),
        E::FlagDescribed { flag, .. } => format!("changed the name or the description of flag {flag}"),
        E::FlagToggled { flag, environment, on } => {
            format!("turned {flag} {} in {environment}", if *on { "on" } else { "off" })
        }
        E::TargetingReplaced { flag, environment, .. } => {
            format!("changed who gets what of {flag} in {environment}")
        }
        E::SplitReshared { flag, environment, split } => {
            let shares: Vec<_> = split.shares().iter().map(|(v, s)| format!("{v} {s}")).collect();
            format!("set the shares of {flag} in {environment} to {}", shares.join(", "))
        }
        E::FlagArchived { flag, archived } => {
            format!("{} flag {flag}", if *archived { "archived" } else { "restored" })
        }
        E::RolloutSet { flag, environment, rollout } => {
            let turn = turned(change, rollout);
            format!("{} the rollout of {flag} in {environment}{}", turn.0, turn.1)
        }
        E::MetricSaved { metric } => format!("saved metric {}", metric.key),
        E::PlanChanged { changes } => format!("changed the tracking plan: {}", replanned(changes)),
        E::ProposalSaved { proposal } => {
            let Proposal { key, changes, .. } = proposal;
            match &proposal.state {
                ProposalState::Open => {
                    format!("proposed {key} for the tracking plan: {}", replanned(changes))
                }
                ProposalState::Approved { .. } | ProposalState::Closed { .. } => {
                    format!("closed proposal {key} for the tracking plan")
                }
            }
        }
        E::ProposalApproved { proposal } => format!("approved proposal {proposal} for the tracking plan"),
        E::ExperimentSaved { experiment } => format!("planned experiment {}", experiment.key),
        E::ExperimentStarted { experiment, .. } => format!("started experiment {experiment}"),
        E::ExperimentStopped { experiment, .. } => format!("stopped experiment {experiment}"),
        E::ExperimentShipped { experiment, variant, .. } => {
            format!("shipped {variant} of experiment {experiment}")
        }
    }
}

/// What becomes of the tracking plan: names while they are few.
fn replanned(changes: &PlanChanges) -> String {
    let mut parts = Vec::new();
    let mut list = |verb: &str, names: Vec<&str>| match names.as_slice() {
        [] => {}
        few if few.len() <= 3 => parts.push(format!("{verb} {}", few.join(", "))),
        many => parts.push(format!("{verb} {} event types", many.len())),
    };
    list("saved", changes.save.keys().map(|name| name.as_str()).collect());
    list("removed", changes.remove.iter().map(|name| name.as_str()).collect());
    if changes.rules.is_some() {
        parts.push("other rules".to_owned());
    }
    parts.join("; ")
}

//! Ledger: what people write is of a length that others read, and shows as it is written.

use bellwether_model::Variant;

use super::*;

/// The most characters of a name.
const NAME: usize = 200;
/// The most characters of a reason, a description or a hypothesis.
const PROSE: usize = 10_000;
/// The most characters of the id of a user or a device; events of longer ones are refused as well.
const ID: usize = 1_024;

pub(super) fn readable(proposed: &Proposed) -> Result<(), LedgerError> {
    // A guard's halt waits for nothing, and its sentence is ours.
    if !matches!(proposed.by, Actor::Guard { .. }) {
        prose("the reason", &proposed.why)?;
    }
    match &proposed.edit {
        Edit::EnvironmentCreated { environment } | Edit::EnvironmentSaved { environment } => {
            name("the environment's name", &environment.name)?;
        }
        Edit::SegmentSaved { segment } => {
            name("the segment's name", &segment.name)?;
            prose("the segment's description", &segment.description)?;
        }
        Edit::LayerSaved { layer } => name("the layer's name", &layer.name)?,
        Edit::HoldoutSaved { holdout } => name("the holdout's name", &holdout.name)?,
        Edit::BetaSaved { beta } => {
            name("the beta's name", &beta.name)?;
            prose("the beta's description", &beta.description)?;
        }
        Edit::ScheduleSaved { schedule } => prose("the reason of the scheduled change", &schedule.why)?,
        Edit::FlagCreated { flag } => {
            name("the flag's name", &flag.name)?;
            prose("the flag's description", &flag.description)?;
            variants(&flag.variants)?;
            flag.settings.values().try_for_each(rules)?;
        }
        Edit::FlagDescribed { name: new, description, .. } => {
            name("the flag's name", new)?;
            prose("the flag's description", description)?;
        }
        Edit::FlagVariantsReplaced { variants: new, .. } => variants(new)?,
        Edit::TargetingReplaced { setting, .. } => rules(setting)?,
        Edit::MetricSaved { metric } => {
            name("the metric's name", &metric.name)?;
            prose("the metric's description", &metric.description)?;
        }
        Edit::ExperimentSaved { experiment } => {
            name("the experiment's name", &experiment.name)?;
            prose("the hypothesis", &experiment.hypothesis)?;
        }
        Edit::ProposalSaved { proposal } => name("the title of the proposal", &proposal.title)?,
        Edit::PlanChanged { .. }
        | Edit::ProposalApproved { .. }
        | Edit::FlagToggled { .. }
        | Edit::LayerAllotted { .. }
        | Edit::FlagTeamSet { .. }
        | Edit::FlagLayerSet { .. }
        | Edit::FlagSchemaSet { .. }
        | Edit::SplitReshared { .. }
        | Edit::FlagArchived { .. }
        | Edit::RolloutSet { .. }
        | Edit::EnrolmentSet { .. }
        | Edit::BetaSwitched { .. }
        | Edit::ExperimentStarted { .. }
        | Edit::ExperimentStopped { .. }
        | Edit::ExperimentShipped { .. } => {}
    }
    let mut ids = proposed.lists.iter().flat_map(|(_, members)| members.brought());
    ids.try_for_each(|id| member(id))
}

pub(super) fn member(id: &str) -> Result<(), LedgerError> {
    short("the id of a target", id, ID)
}

fn variants(variants: &[Variant]) -> Result<(), LedgerError> {
    variants
        .iter()
        .try_for_each(|v| prose(&format!("the description of variant `{}`", v.key), &v.description))
}

fn rules(setting: &Setting) -> Result<(), LedgerError> {
    (1..).zip(&setting.rules).try_for_each(|(n, rule)| name(&format!("the name of rule {n}"), &rule.name))
}

/// One line. A name that moves the cursor of a terminal would show others something else.
fn name(what: &str, text: &str) -> Result<(), LedgerError> {
    if text.chars().any(char::is_control) {
        return Err(refused(format!("{what} has a control character in it"), "write it in one line of text"));
    }
    short(what, text, NAME)
}

pub(super) fn prose(what: &str, text: &str) -> Result<(), LedgerError> {
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        return Err(refused(
            format!("{what} has a control character in it"),
            "write it as text, in as many lines as you like",
        ));
    }
    short(what, text, PROSE)
}

fn short(what: &str, text: &str, most: usize) -> Result<(), LedgerError> {
    if text.len() > most && text.chars().nth(most).is_some() {
        return Err(refused(
            format!("{what} is longer than `{most}` characters"),
            "say it shorter, and keep the rest elsewhere",
        ));
    }
    Ok(())
}

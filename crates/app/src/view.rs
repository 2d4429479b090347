//! App: how the things of the ledger look from outside, with people's names and sentences of state.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use bellwether_flags::Format;
use bellwether_ledger::{Page, Versioned};
use bellwether_model::{
    Actor, Change, Edit, EnvironmentKey, Experiment, Flag, FlagKey, ListId, Metric, Millis, Pace, Planned,
    Ramp, Revision, Rollout, RolloutState, Schedule, ScheduleKey, ScheduleState, Serve, Setting, Share,
    Subject,
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::App;
use crate::enrolment::EnrolledView;
use crate::error::AppError;
use crate::serving::Served;

/// Who made a change, with the name that people know.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct ActorView {
    /// `person`, `key`, `guard`, `ramp`, `schedule` or `system`.
    kind: &'static str,
    /// A name: of the person, of the key, of the flag that is guarded or ramped, of whoever planned it.
    pub(crate) name: String,
}

/// Something that whoever asked should know, and that keeps nothing from being done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Warning {
    /// What, in words.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) hint: String,
}

/// A flag with its newest revision.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct FlagView {
    /// The flag.
    pub(crate) flag: Flag,
    /// Send it as `if_revision` with an edit.
    pub(crate) revision: Revision,
    /// When it last changed.
    pub(crate) changed: Millis,
    /// Who changed it.
    pub(crate) changed_by: ActorView,
    /// One sentence per environment, such as ``off: everybody gets `old` ``.
    pub(crate) states: BTreeMap<EnvironmentKey, String>,
    /// Why a step of a ramp that is due is not taken, by environment; absent where none is late.
    pub(crate) waiting: BTreeMap<EnvironmentKey, String>,
    /// The ids behind the settings' target lists.
    pub(crate) targets: BTreeMap<String, Vec<String>>,
    /// Why Amplitude's SDKs, evaluating by themselves, are not given this flag, by environment; absent
    /// where they are.
    pub(crate) left_out: BTreeMap<EnvironmentKey, String>,
    /// By environment, which formats for SDKs that evaluate by themselves carry this flag as it is served
    /// now. Whoever asks the server gets every flag.
    pub(crate) formats: BTreeMap<EnvironmentKey, Vec<Carried>>,
    /// By environment, how many are enrolled, where the flag counts or remembers them.
    pub(crate) enrolled: BTreeMap<EnvironmentKey, EnrolledView>,
    /// What the edit that this answers does not do, such as take a variant from the audience of a beta.
    pub(crate) warnings: Vec<Warning>,
}

/// `10,003`.
pub(crate) fn grouped(n: u32) -> String {
    let digits = n.to_string();
    let mut grouped = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Whether a format carries a flag. It does so exactly, or not at all.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct Carried {
    /// The format.
    format: Format,
    /// Whether the flag is in it.
    carried: bool,
    /// Why it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

impl Carried {
    fn all(served: &Served, flag: &FlagKey) -> Vec<Self> {
        let formats = [
            (Format::Amplitude, &served.left_out),
            (Format::Flagd, &served.flagd_left_out),
            (Format::Provider, &served.provider_left_out),
        ];
        formats
            .into_iter()
            .map(|(format, left_out)| {
                let why = left_out.iter().find(|(key, _)| key == flag).map(|(_, why)| why.clone());
                Self { format, carried: why.is_none(), why }
            })
            .collect()
    }
}

/// An experiment with its newest revision.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct ExperimentView {
    /// The experiment.
    pub(crate) experiment: Experiment,
    /// Send it as `if_revision` with an edit.
    pub(crate) revision: Revision,
    /// When it last changed.
    pub(crate) changed: Millis,
    /// Who changed it.
    pub(crate) changed_by: ActorView,
    /// The first moment whose exposures do not count any more; absent for a draft.
    pub(crate) ends: Option<Millis>,
}

/// A metric with its newest revision.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct MetricView {
    /// The metric.
    pub(crate) metric: Metric,
    /// Send it as `if_revision` with an edit.
    pub(crate) revision: Revision,
    /// When it last changed.
    pub(crate) changed: Millis,
    /// Who changed it.
    pub(crate) changed_by: ActorView,
}

/// A change with the name of who made it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct ChangeView {
    /// The change as it stands in the log.
    pub(crate) change: Change,
    /// Who made it.
    pub(crate) by: ActorView,
    /// What it is about.
    pub(crate) about: Subject,
    /// What it did, in words.
    pub(crate) sentence: String,
}

impl App {
    pub(crate) fn actor_view(&self, actor: &Actor) -> ActorView {
        match actor {
            Actor::Person { id } => ActorView {
                kind: "person",
                name: self.known.person(id).unwrap_or_else(|| "a person who was forgotten".to_owned()),
            },
            Actor::Key { id } => {
                ActorView { kind: "key", name: self.known.key(id).unwrap_or_else(|| id.clone()) }
            }
            Actor::Guard { flag, .. } => ActorView { kind: "guard", name: format!("the guard of {flag}") },
            Actor::Ramp { flag, .. } => ActorView { kind: "ramp", name: format!("the ramp of {flag}") },
            Actor::Schedule { schedule } => {
                let by = self.planner(schedule).map(|by| self.actor_view(&by).name);
                let name = by.map_or_else(|| "a schedule".to_owned(), |by| format!("a schedule of {by}"));
                ActorView { kind: "schedule", name }
            }
            Actor::System => ActorView { kind: "system", name: "Bellwether".to_owned() },
        }
    }

    /// Who planned a change: the state says it of the newest ones, the log of all.
    fn planner(&self, schedule: &ScheduleKey) -> Option<Actor> {
        if let Some(known) = self.ledger.state().schedules.get(schedule) {
            return Some(known.value.by.clone());
        }
        let about = Some(Subject::Schedule(schedule.clone()));
        // It was planned, and then it was over: it has no more than these.
        let changes = self.ledger.changes(&Page { before: None, limit: 2, about }).ok()?;
        changes.into_iter().find_map(|change| match change.edit {
            Edit::ScheduleSaved { schedule } => Some(schedule.by),
            _ => None,
        })
    }

    /// A flag; `fresh` are lists that it cites and that a rehearsal has not stored.
    pub(crate) fn flag_view(
        &self,
        flag: &Versioned<Flag>,
        fresh: &[(ListId, Vec<String>)],
    ) -> Result<FlagView, AppError> {
        let settings = &flag.value.settings;
        let lists = settings.values().flat_map(|s| s.targets.iter().map(|t| &t.list));
        let targets = lists
            .map(|id| {
                let ids = match fresh.iter().find(|(list, _)| list == id) {
                    Some((_, ids)) => ids.clone(),
                    None => self.targets(id)?.to_vec(),
                };
                Ok((id.0.clone(), ids))
            })
            .collect::<Result<_, AppError>>()?;
        let (mut left_out, mut formats, mut enrolled) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for (environment, setting) in settings.iter().filter(|_| !flag.value.archived) {
            let Ok(served) = self.served(environment) else { continue };
            if let Some(count) = served.enrolled(&flag.value.key) {
                let most = setting.enrolment.units.map(NonZeroU32::get);
                enrolled.insert(environment.clone(), EnrolledView::new(count, most));
            }
            let carried = Carried::all(&served, &flag.value.key);
            let amplitude = carried.iter().find(|carried| carried.format == Format::Amplitude);
            if let Some(why) = amplitude.and_then(|carried| carried.why.clone()) {
                left_out.insert(environment.clone(), why);
            }
            formats.insert(environment.clone(), carried);
        }
        let waiting: BTreeMap<EnvironmentKey, String> = settings
            .keys()
            .filter_map(|environment| Some((environment.clone(), self.waits_because(flag, environment)?)))
            .collect();
        let states = settings.iter().map(|(environment, setting)| {
            let late = waiting.get(environment).map(String::as_str);
            (environment.clone(), sentence(&flag.value, setting, late))
        });
        Ok(FlagView {
            states: states.collect(),
            flag: flag.value.clone(),
            revision: flag.revision,
            changed: flag.at,
            changed_by: self.actor_view(&flag.by),
            waiting,
            targets,
            left_out,
            formats,
            enrolled,
            warnings: Vec::new(),
        })
    }

    /// One flag by key, for reading.
    pub(crate) fn flag(&self, key: &FlagKey) -> Result<Versioned<Flag>, AppError> {
        self.ledger.state().flags.get(key).cloned().ok_or_else(|| self.unknown("flag", key))
    }

    pub(crate) fn experiment_view(&self, e: &Versioned<Experiment>) -> ExperimentView {
        ExperimentView {
            ends: e.value.period().map(|(_, end)| end),
            experiment: e.value.clone(),
            revision: e.revision,
            changed: e.at,
            changed_by: self.actor_view(&e.by),
        }
    }

    pub(crate) fn metric_view(&self, m: &Versioned<Metric>) -> MetricView {
        MetricView {
            metric: m.value.clone(),
            revision: m.revision,
            changed: m.at,
            changed_by: self.actor_view(&m.by),
        }
    }

    pub(crate) fn change_view(&self, change: Change) -> ChangeView {
        let by = self.actor_view(&change.by);
        ChangeView { by, about: change.edit.subject(), sentence: said(&change), change }
    }
}

/// How one environment serves a flag, in words; `late` is why a step of its ramp is not taken.
fn sentence(flag: &Flag, setting: &Setting, late: Option<&str>) -> String {
    if flag.archived {
        return "archived: served to nobody".to_owned();
    }
    if !setting.on {
        return format!("off: everybody gets `{}`", setting.off);
    }
    let first: Vec<_> = [("target", setting.targets.len()), ("rule", setting.rules.len())]
        .into_iter()
        .filter(|(_, n)| *n > 0)
        .map(|(what, n)| format!("{n} {what}{}", if n == 1 { "" } else { "s" }))
        .collect();
    if first.is_empty() {
        return format!("on: {}", default(&setting.default, "everybody", "", late));
    }
    let one = setting.targets.len() + setting.rules.len() == 1;
    let decide = if one { "decides" } else { "decide" };
    let rest = default(&setting.default, "everybody else", " of the others", late);
    format!("on: {} {decide} first, then {rest}", first.join(" and "))
}

/// What those get for whom no target and no rule decides.
fn default(serve: &Serve, everybody: &str, of: &str, late: Option<&str>) -> String {
    match serve {
        Serve::Variant { variant } => format!("{everybody} gets `{variant}`"),
        Serve::Split { split } => {
            let shares = split.shares();
            let parts: Vec<_> = shares
                .iter()
                .filter(|(_, share)| *share != Share::NONE)
                .map(|(variant, share)| format!("{share} get `{variant}`"))
                .collect();
            format!("{}{}", parts.join(", "), of)
        }
        Serve::Rollout { rollout } => {
            let Rollout { candidate, control, .. } = rollout;
            match &rollout.state {
                RolloutState::Widening => {
                    let watched = if rollout.guard.is_some() { "guarded rollout" } else { "rollout" };
                    let goes_on = rollout.ramp.as_ref().map_or_else(String::new, |ramp| goes_on(ramp, late));
                    format!("a {watched} gives `{candidate}` to {}{of} so far{goes_on}", rollout.share())
                }
                RolloutState::Halted { .. } => {
                    format!("{everybody} gets `{control}`, because the rollout of `{candidate}` is halted")
                }
                RolloutState::Done { .. } => format!("{everybody} gets `{candidate}`, which is rolled out"),
            }
        }
    }
}

/// When a ramp takes its next step, in words that follow where it stands.
fn goes_on(ramp: &Ramp, late: Option<&str>) -> String {
    match (ramp.next(), ramp.pace, late) {
        (Some(next), Pace::Due { at }, None) => format!("; {} follows at {at}", next.share),
        (Some(next), Pace::Due { .. }, Some(why)) => format!("; {} is due and waits: {why}", next.share),
        (Some(next), Pace::Paused { .. }, _) => format!("; it is paused before {}", next.share),
        (None, ..) | (_, Pace::Ended, _) => String::new(),
    }
}

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
fn said(change: &Change) -> String {
    use bellwether_model::Edit as E;
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
        E::ExperimentSaved { experiment } => format!("planned experiment {}", experiment.key),
        E::ExperimentStarted { experiment, .. } => format!("started experiment {experiment}"),
        E::ExperimentStopped { experiment, .. } => format!("stopped experiment {experiment}"),
        E::ExperimentShipped { experiment, variant, .. } => {
            format!("shipped {variant} of experiment {experiment}")
        }
    }
}

//! App: how the things of the ledger look from outside, with people's names and sentences of state.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use bellwether_flags::Format;
use bellwether_ledger::{Page, State, Versioned};
use bellwether_model::{
    Actor, Change, Edit, EnvironmentKey, Experiment, Flag, FlagKey, ListId, Metric, Millis, Revision,
    ScheduleKey, Subject,
};
use schemars::JsonSchema;
use serde::Serialize;

mod said;
mod state;

use crate::App;
use crate::enrolment::EnrolledView;
use crate::error::AppError;
use crate::serving::Served;
pub(crate) use said::planned;
use said::said;

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
    /// One sentence per environment, in the order in which is decided, such as ``off: everybody gets `old` `` or
    /// ``on: 1 target decides first, then `old` outside its 20% of layer `page`, then everybody else gets `new` ``.
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
    /// What the edit that this answers does not do, such as take a variant from the audience of a beta, or does
    /// besides, such as turn the flag off for those outside its layer's part.
    pub(crate) warnings: Vec<Warning>,
}

impl FlagView {
    /// With what whoever made the edit should know.
    pub(crate) fn warned(mut self, warnings: impl IntoIterator<Item = Warning>) -> Self {
        self.warnings.extend(warnings);
        self
    }
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

/// `1 unit`, `10,003 units`.
pub(crate) fn units(n: u32) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{} unit{plural}", grouped(n))
}

/// ``a, b and c``.
pub(crate) fn among(of: &[String], word: &str) -> String {
    match of {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} {word} {last}", most.join(", ")),
    }
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
    /// What whoever made the edit that this answers should know of it.
    pub(crate) warnings: Vec<Warning>,
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

    /// A flag in a state; `fresh` are lists that it cites and that a rehearsal has not stored.
    pub(crate) fn flag_view(
        &self,
        state: &State,
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
            let served = state::Served {
                state,
                flag: &flag.value,
                environment,
                setting,
                late: waiting.get(environment).map(String::as_str),
                enrolled: enrolled.get(environment),
            };
            (environment.clone(), served.sentence())
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
            warnings: Vec::new(),
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

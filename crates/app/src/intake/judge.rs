//! App intake: the tracking plan, compiled once for each of its revisions. An event that follows it costs a few
//! look-ups and no allocation; of one that does not, each fault is named.

use std::collections::BTreeMap;
use std::sync::Arc;

use bellwether_ledger::State;
use bellwether_model::plan::{Concealment, Handling, Kind, Property, Treatment, reserved};
use bellwether_model::{EnvironmentKey, Event, Json, Revision};
use rustc_hash::FxHashMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::conceal::{self, Pepper};

/// The property that says of an accepted event how it does not follow the plan.
pub(crate) const VERDICT: &str = "$verdict";
/// Faults of one event that are named; the rest is likely the same.
const MOST_FAULTS: usize = 20;

/// The plan in each environment.
#[derive(Debug, Default)]
pub(crate) struct Judges {
    /// The revision of the plan that was compiled.
    plan: Revision,
    of: BTreeMap<EnvironmentKey, Judge>,
}

/// The plan in one environment.
#[derive(Debug, Clone)]
pub(crate) struct Judge {
    handling: Handling,
    /// Personal properties of users and groups.
    traits: Arc<[Box<str>]>,
    /// By name. The names in the tables are the plan's own, so that senders cannot make them collide.
    events: Arc<FxHashMap<Box<str>, Planned>>,
}

/// A planned event type.
#[derive(Debug)]
struct Planned {
    properties: FxHashMap<Box<str>, Property>,
    /// How many properties each event has.
    required: usize,
    /// Those that are personal.
    personal: Vec<Box<str>>,
}

/// How an event does not follow the plan; the later is the worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    /// It has a property that is not planned.
    UnplannedProperty,
    /// Its type is not planned.
    UnplannedEvent,
    /// It lacks a property, or one is of another type or value.
    Invalid,
}

impl Verdict {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::UnplannedProperty => "unplanned_property",
            Self::UnplannedEvent => "unplanned_event",
            Self::Invalid => "invalid",
        }
    }
}

/// One thing by which an event does not follow the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The property; none where the whole event is not planned.
    pub(crate) property: Option<Box<str>>,
    pub(crate) reason: Reason,
    /// The value, as JSON and cut, where the plan says that it is not personal.
    pub(crate) example: Option<Box<str>>,
}

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "reason")]
pub(crate) enum Reason {
    /// The event type is not planned.
    UnplannedEvent,
    /// The property is not planned.
    UnplannedProperty {
        /// What it holds.
        got: Word,
    },
    /// A required property is missing.
    Missing,
    /// The property is of another type than planned.
    WrongType {
        /// What is planned.
        wanted: Word,
        /// What it holds.
        got: Word,
    },
    /// A list has an element of another type than planned.
    WrongItem {
        /// What is planned.
        wanted: Word,
        /// What it holds.
        got: Word,
    },
    /// The value is none of those that are planned.
    NotAmong,
}

/// A kind by its word, which has an order.
pub(crate) type Word = &'static str;

impl Reason {
    fn verdict(self) -> Verdict {
        match self {
            Self::UnplannedEvent => Verdict::UnplannedEvent,
            Self::UnplannedProperty { .. } => Verdict::UnplannedProperty,
            Self::Missing | Self::WrongType { .. } | Self::WrongItem { .. } | Self::NotAmong => {
                Verdict::Invalid
            }
        }
    }
}

impl Fault {
    /// What is wrong, in words that need no event before them.
    pub(crate) fn sentence(&self) -> String {
        let name = self.property.as_deref().unwrap_or_default();
        match self.reason {
            Reason::UnplannedEvent => "the event type is not in the tracking plan".to_owned(),
            Reason::UnplannedProperty { .. } => format!("property `{name}` is not in the tracking plan"),
            Reason::Missing => format!("property `{name}` is required"),
            Reason::WrongType { wanted, got } => {
                format!("property `{name}` is `{wanted}`, and this is `{got}`")
            }
            Reason::WrongItem { wanted, got } => {
                format!("property `{name}` is a list of `{wanted}`, and one of these is `{got}`")
            }
            Reason::NotAmong => format!("property `{name}` has a value that is not planned"),
        }
    }
}

/// What is found of an event that does not follow the plan.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) treatment: Treatment,
    pub(crate) verdict: Verdict,
    /// At least one.
    pub(crate) faults: Vec<Fault>,
}

impl Judges {
    /// The plan of a state; `None` where it is the one that was compiled.
    pub(crate) fn renewed(&self, state: &State) -> Option<Self> {
        let plan = state.plan.as_ref()?;
        let same = plan.revision == self.plan && self.of.len() == state.environments.len();
        if same {
            return None;
        }
        let mut of = BTreeMap::new();
        let events = plan.value.events.iter().map(|(name, event)| {
            let properties = event.value.properties.iter();
            let with =
                |of: fn(&Property) -> bool| properties.clone().filter(move |(_, property)| of(property));
            let planned = Planned {
                required: with(|property| property.required).count(),
                personal: with(|property| property.personal).map(|(name, _)| name.as_str().into()).collect(),
                properties: properties.clone().map(|(name, p)| (name.as_str().into(), p.clone())).collect(),
            };
            (name.as_str().into(), planned)
        });
        let events = Arc::new(events.collect());
        let traits: Arc<[Box<str>]> =
            plan.value.rules.personal.iter().map(|name| name.as_str().into()).collect();
        for environment in state.environments.keys() {
            let handling = plan.value.rules.environments.get(environment).copied().unwrap_or_default();
            let (events, traits) = (Arc::clone(&events), Arc::clone(&traits));
            of.insert(environment.clone(), Judge { handling, traits, events });
        }
        Some(Self { plan: plan.revision, of })
    }

    /// What does not follow the plan of an event; `None` where all does, or nothing is planned.
    pub(crate) fn judge(&self, event: &Event) -> Option<Found> {
        self.of.get(&event.environment)?.judge(event)
    }

    /// Takes out of an event what is not to be stored of it.
    pub(crate) fn conceal(&self, event: &mut Event, pepper: &Pepper) {
        let Some(judge) = self.of.get(&event.environment) else {
            return conceal::address(event, Handling::default().addresses);
        };
        conceal::address(event, judge.handling.addresses);
        let how = judge.handling.personal;
        if how == Concealment::Keep {
            return;
        }
        if let Some(planned) = judge.events.get(event.event.as_str()) {
            pepper.properties(&mut event.properties, planned.personal.iter().map(|name| &**name), how);
        }
        if !judge.traits.is_empty() {
            let names = judge.traits.iter().map(|name| &**name);
            for changes in [&mut event.user_changes, &mut event.group_changes] {
                pepper.changes(changes, names.clone(), how);
            }
            pepper.properties(&mut event.user_properties, names.clone(), how);
            if let Some(Json::Object(of_groups)) = event.properties.get_mut("$group_properties") {
                pepper.properties(of_groups, names, how);
            }
        }
    }

    /// The property of an event type, if it is planned.
    pub(crate) fn planned(&self, environment: &EnvironmentKey) -> Option<&Judge> {
        self.of.get(environment)
    }
}

impl Judge {
    /// The names of the event types.
    pub(crate) fn events(&self) -> impl Iterator<Item = &str> {
        self.events.keys().map(|name| &**name)
    }

    /// The names of the properties of an event type.
    pub(crate) fn properties(&self, event: &str) -> impl Iterator<Item = &str> {
        self.events.get(event).into_iter().flat_map(|planned| planned.properties.keys()).map(|name| &**name)
    }

    fn judge(&self, event: &Event) -> Option<Found> {
        let Some(planned) = self.events.get(event.event.as_str()) else {
            if self.events.is_empty() || reserved(&event.event) {
                return None;
            }
            let fault = Fault { property: None, reason: Reason::UnplannedEvent, example: None };
            return Some(self.found(vec![fault]));
        };
        let mut required = 0;
        let follows = event.properties.iter().all(|(name, value)| {
            if value.is_null() {
                return true;
            }
            match planned.properties.get(name.as_str()) {
                Some(property) => {
                    required += usize::from(property.required);
                    wrong(property, value).is_none()
                }
                None => reserved(name),
            }
        });
        if follows && required == planned.required {
            return None;
        }
        Some(self.found(planned.faults(event)))
    }

    fn found(&self, faults: Vec<Fault>) -> Found {
        let verdicts = || faults.iter().map(|fault| fault.reason.verdict());
        let treatment = |verdict| match verdict {
            Verdict::UnplannedEvent => self.handling.unplanned_events,
            Verdict::UnplannedProperty => self.handling.unplanned_properties,
            Verdict::Invalid => self.handling.invalid,
        };
        Found {
            treatment: verdicts().map(treatment).max().unwrap_or_default(),
            verdict: verdicts().max().unwrap_or(Verdict::Invalid),
            faults,
        }
    }
}

impl Planned {
    fn faults(&self, event: &Event) -> Vec<Fault> {
        let there = |name: &str| event.properties.get(name).is_some_and(|value| !value.is_null());
        let mut missing: Vec<&str> = self
            .properties
            .iter()
            .filter(|(name, property)| property.required && !there(name))
            .map(|(name, _)| &**name)
            .collect();
        missing.sort_unstable();
        let missing = missing.into_iter().map(|name| Fault {
            property: Some(name.into()),
            reason: Reason::Missing,
            example: None,
        });
        let others =
            event.properties.iter().filter(|(_, value)| !value.is_null()).filter_map(|(name, value)| {
                let (reason, example) = match self.properties.get(name.as_str()) {
                    Some(property) => {
                        (wrong(property, value)?, (!property.personal).then(|| cut(&value.to_string(), 80)))
                    }
                    None if reserved(name) => return None,
                    None => (Reason::UnplannedProperty { got: word(value) }, None),
                };
                Some(Fault { property: Some(cut(name, 100)), reason, example })
            });
        missing.chain(others).take(MOST_FAULTS).collect()
    }
}

/// As much of a text as is kept of what a sender wrote.
pub(crate) fn cut(text: &str, most: usize) -> Box<str> {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()).into(),
        None => text.into(),
    }
}

fn word(value: &Json) -> Word {
    Kind::of(value).map_or("null", Kind::word)
}

/// What is wrong with a value that is not null.
fn wrong(planned: &Property, value: &Json) -> Option<Reason> {
    if planned.personal && conceal::concealed(value) {
        return None;
    }
    if !planned.kind.holds(value) {
        return Some(Reason::WrongType { wanted: planned.kind.word(), got: word(value) });
    }
    match (planned.kind, value) {
        (Kind::List, Json::Array(items)) => {
            let kind = planned.items.unwrap_or_default();
            if let Some(item) = items.iter().find(|item| !kind.holds(item)) {
                return Some(Reason::WrongItem { wanted: kind.word(), got: word(item) });
            }
            (!items.iter().all(|item| planned.allows(item))).then_some(Reason::NotAmong)
        }
        _ => (!planned.allows(value)).then_some(Reason::NotAmong),
    }
}

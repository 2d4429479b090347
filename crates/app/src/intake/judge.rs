//! App intake: the tracking plan, compiled once for each of its revisions. An event that follows it costs a few
//! look-ups and no allocation; of one that does not, each fault is named.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use bellwether_ledger::State;
use bellwether_model::plan::{Addresses, Concealment, Handling, Kind, Property, Treatment, reserved};
use bellwether_model::{EnvironmentKey, Event, Json, Properties, Revision};
use rustc_hash::{FxHashMap, FxHashSet};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::conceal;
use crate::names::nearest;

mod concealed;
mod sent;
pub(crate) use concealed::ours;
pub(crate) use sent::SentAs;

/// The property that says of an accepted event how it does not follow the plan.
pub(crate) const VERDICT: &str = "$verdict";
/// Faults of one event that are named; the rest is likely the same. What decides what becomes of an event is among them,
/// and decides it however many others there are.
const MOST_FAULTS: usize = 20;

/// The plan as events are held against it.
#[derive(Debug, Default)]
pub(crate) struct Judges {
    /// The revision of the plan that was compiled.
    plan: Revision,
    /// By name. The names in the tables are the plan's own, so that senders cannot make them collide.
    events: FxHashMap<Box<str>, Planned>,
    /// What is done, where the plan says so.
    handling: BTreeMap<EnvironmentKey, Handling>,
    /// What is personal wherever nothing else is planned: of users, of groups, and of events.
    named: Box<[Box<str>]>,
}

/// A planned event type.
#[derive(Debug)]
struct Planned {
    properties: FxHashMap<Box<str>, Wanted>,
    /// How many properties each event has.
    required: usize,
    /// Those that are personal, by their own mark or by a name that is not planned here.
    personal: Box<[Box<str>]>,
}

/// A planned property.
#[derive(Debug)]
struct Wanted {
    property: Property,
    /// The texts that it may be, where they are many.
    texts: FxHashSet<Box<str>>,
}

impl Wanted {
    /// So many values are compared one by one.
    const FEW: usize = 8;

    fn of(property: &Property) -> Self {
        let texts = property.values.iter().filter_map(Json::as_str).map(Into::into);
        let many = property.values.len() > Self::FEW;
        Self { property: property.clone(), texts: if many { texts.collect() } else { FxHashSet::default() } }
    }

    fn allows(&self, value: &Json) -> bool {
        match value {
            Json::String(text) if !self.texts.is_empty() => self.texts.contains(text.as_str()),
            _ => self.property.allows(value),
        }
    }

    /// Whether a value, or an element of a list, is none of those that are planned, whatever its type.
    fn is_other(&self, value: &Json) -> bool {
        let each = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        !each.iter().all(|one| self.allows(one))
    }

    /// What is wrong with a value that is not null.
    fn wrong(&self, value: &Json) -> Option<Reason> {
        let planned = &self.property;
        if !planned.kind.holds(value) {
            return Some(Reason::WrongType { wanted: planned.kind.word(), got: word(value) });
        }
        if let (Kind::List, Json::Array(items)) = (planned.kind, value) {
            let kind = planned.items.unwrap_or_default();
            if let Some(item) = items.iter().find(|item| !kind.holds(item)) {
                return Some(Reason::WrongItem { wanted: kind.word(), got: word(item) });
            }
        }
        self.is_other(value).then_some(Reason::NotAmong)
    }
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
    /// That of an event type that is not planned.
    fn unplanned() -> Self {
        Self { property: None, reason: Reason::UnplannedEvent, example: None }
    }

    /// What is wrong, in words that need no event before them.
    pub(crate) fn sentence(&self) -> String {
        let name = self.property.as_deref().unwrap_or_default();
        match self.reason {
            Reason::UnplannedEvent => "the event type is not in the tracking plan".to_owned(),
            Reason::UnplannedProperty { .. } => format!("property `{name}` is not in the tracking plan"),
            Reason::Missing => format!("property `{name}` is required"),
            Reason::WrongType { wanted: "date_time", got: "string" } => {
                format!("property `{name}` is `date_time`, and this text is no day or moment in ISO 8601")
            }
            Reason::WrongType { wanted, got } => {
                format!("property `{name}` is `{wanted}`, and this is `{got}`")
            }
            Reason::WrongItem { wanted: "date_time", got: "string" } => {
                format!(
                    "property `{name}` is a list of `date_time`, and a text in it is no day or moment in ISO 8601"
                )
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
    /// At least one; what decided the treatment comes first.
    pub(crate) faults: Vec<Fault>,
}

impl Judges {
    /// The plan of a state; `None` where it is the one that was compiled.
    pub(crate) fn renewed(&self, state: &State) -> Option<Self> {
        let plan = state.plan.as_ref().filter(|plan| plan.revision != self.plan)?;
        let rules = &plan.value.rules;
        let named: Box<[Box<str>]> = rules.personal.iter().map(|name| name.as_str().into()).collect();
        let events = plan.value.events.iter().map(|(name, event)| {
            let properties = event.value.properties.iter();
            let with =
                |of: fn(&Property) -> bool| properties.clone().filter(move |(_, property)| of(property));
            let planned = Planned {
                required: with(|property| property.required).count(),
                personal: with(|property| property.personal)
                    .map(|(name, _)| name.as_str().into())
                    .chain(
                        named.iter().filter(|name| !event.value.properties.contains_key(&***name)).cloned(),
                    )
                    .collect(),
                properties: properties
                    .clone()
                    .map(|(name, p)| (name.as_str().into(), Wanted::of(p)))
                    .collect(),
            };
            (name.as_str().into(), planned)
        });
        Some(Self {
            plan: plan.revision,
            events: events.collect(),
            handling: rules.environments.clone(),
            named,
        })
    }

    /// The revision of the plan; 0 where there is none.
    pub(crate) fn revision(&self) -> Revision {
        self.plan
    }

    /// What does not follow the plan of an event; `None` where all does, or nothing is planned.
    pub(crate) fn judge(&self, event: &Event) -> Option<Found> {
        self.found(event, self.all_faults(&event.event, &event.properties, None)?)
    }

    /// The same of an event that was held, from which its environment took what is personal, and addresses: that these are
    /// missing says nothing, and of what is personal is judged what was sent.
    pub(crate) fn judge_again(&self, event: &Event, sent: Option<&SentAs>) -> Option<Found> {
        let again = sent::Again { handling: self.handling(&event.environment), sent };
        self.found(event, self.all_faults(&event.event, &event.properties, Some(again))?)
    }

    /// What becomes of an event by what is wrong with it; `None` where nothing is.
    fn found(&self, event: &Event, mut faults: Vec<Fault>) -> Option<Found> {
        let handling = self.handling(&event.environment);
        let treatment = |fault: &Fault| match fault.reason.verdict() {
            Verdict::UnplannedEvent => handling.unplanned_events,
            Verdict::UnplannedProperty => handling.unplanned_properties,
            Verdict::Invalid => handling.invalid,
        };
        let verdict = faults.iter().map(|fault| fault.reason.verdict()).max()?;
        faults.sort_by_key(|fault| Reverse((treatment(fault), fault.reason.verdict())));
        faults.truncate(MOST_FAULTS);
        Some(Found { treatment: faults.first().map(treatment)?, verdict, faults })
    }

    /// Whether an event type is planned; nothing where nothing is, or no plan is asked about it.
    pub(crate) fn plans(&self, event: &str) -> Option<bool> {
        (!self.events.is_empty() && !reserved(event)).then(|| self.events.contains_key(event))
    }

    fn handling(&self, environment: &EnvironmentKey) -> Handling {
        self.handling.get(environment).copied().unwrap_or_default()
    }

    /// What was perhaps meant, of what is planned.
    pub(crate) fn hint(&self, event: &str, property: Option<&str>, reason: Reason) -> Option<String> {
        let (wanted, mut names): (&str, Vec<&str>) = match (reason, property) {
            (Reason::UnplannedEvent, _) => (event, self.events.keys().map(|name| &**name).collect()),
            (Reason::UnplannedProperty { .. }, Some(property)) => {
                (property, self.events.get(event)?.properties.keys().map(|name| &**name).collect())
            }
            _ => return None,
        };
        names.sort_unstable();
        // What is planned by now is what was meant.
        nearest(wanted, &names).filter(|near| *near != wanted).map(|near| format!("did you mean `{near}`?"))
    }

    /// What is wrong, in the event's order, whatever the environment does about it; of more than is named the worst.
    pub(crate) fn faults(&self, event: &str, properties: &Properties) -> Option<Vec<Fault>> {
        let mut faults = self.all_faults(event, properties, None)?;
        if faults.len() > MOST_FAULTS {
            faults.sort_by_key(|fault| Reverse(fault.reason.verdict()));
            faults.truncate(MOST_FAULTS);
        }
        Some(faults)
    }

    /// What is wrong, of each verdict as much as is named; `None` where nothing is, and nothing was allocated then. What was
    /// taken out may be missing `again`.
    fn all_faults(
        &self,
        event: &str,
        properties: &Properties,
        again: Option<sent::Again<'_>>,
    ) -> Option<Vec<Fault>> {
        if self.events.is_empty() {
            return None;
        }
        let Some(planned) = self.events.get(event) else {
            return (!reserved(event)).then(|| vec![Fault::unplanned()]);
        };
        let mut required = 0;
        let follows = properties.iter().all(|(name, value)| {
            if value.is_null() {
                return true;
            }
            match planned.properties.get(name.as_str()) {
                Some(wanted) => {
                    required += usize::from(wanted.property.required);
                    wanted.wrong(value).is_none()
                }
                None => reserved(name),
            }
        });
        // What was sent does not stand in the event by then.
        let looked = !follows || required != planned.required || again.is_some();
        let faults = looked.then(|| planned.faults(properties, again));
        faults.filter(|faults| !faults.is_empty())
    }

    /// The same where only the names of the properties are known.
    pub(crate) fn faults_of_names(&self, event: &str, names: &[String]) -> Option<Vec<Fault>> {
        if self.events.is_empty() {
            return None;
        }
        let Some(planned) = self.events.get(event) else {
            return (!reserved(event)).then(|| vec![Fault::unplanned()]);
        };
        let extra =
            names.iter().filter(|name| !planned.properties.contains_key(name.as_str()) && !reserved(name));
        let extra = extra.map(|name| Fault {
            property: Some(cut(name, 100)),
            reason: Reason::UnplannedProperty { got: Kind::Any.word() },
            example: None,
        });
        let faults: Vec<Fault> =
            planned.missing(|name| names.iter().any(|n| n == name)).chain(extra).collect();
        (!faults.is_empty()).then_some(faults)
    }
}

impl Planned {
    /// A fault for each required property that is not there, in the order of their names.
    fn missing(&self, there: impl Fn(&str) -> bool) -> impl Iterator<Item = Fault> {
        let wanted = self.properties.iter().filter(|(name, wanted)| wanted.property.required && !there(name));
        let mut missing: Vec<&str> = wanted.map(|(name, _)| &**name).collect();
        missing.sort_unstable();
        missing.into_iter().map(|name| Fault {
            property: Some(name.into()),
            reason: Reason::Missing,
            example: None,
        })
    }

    /// What is wrong: of each verdict the first that are named, so that a sender who makes up ten thousand properties hides
    /// nothing by them and costs no more than a look at each.
    fn faults(&self, properties: &Properties, again: Option<sent::Again<'_>>) -> Vec<Fault> {
        let there = |name: &str| properties.get(name).is_some_and(|value| !value.is_null());
        let personal = |name: &str| self.properties.get(name).is_some_and(|of| of.property.personal);
        let taken = |name: &str| {
            again.is_some_and(|sent::Again { handling: by, .. }| {
                (by.personal == Concealment::Drop && personal(name))
                    // Also where they are cut: what cannot be read as an address is dropped.
                    || (by.addresses != Addresses::Keep && conceal::is_address(name))
            })
        };
        let missing = self.missing(|name| there(name) || taken(name));
        let mut faults: Vec<Fault> = missing.take(MOST_FAULTS).collect();
        faults.extend(again.into_iter().flat_map(|again| again.faults(self)).take(MOST_FAULTS));
        let (mut invalid, mut unplanned) = (faults.len(), 0);
        for (name, value) in properties.iter().filter(|(_, value)| !value.is_null()) {
            if self.properties.contains_key(name.as_str())
                && again.is_some_and(|again| again.says(name, value))
            {
                continue;
            }
            let (reason, example) = match self.properties.get(name.as_str()) {
                Some(_) if invalid >= MOST_FAULTS => continue,
                Some(wanted) => {
                    let Some(reason) = wanted.wrong(value) else { continue };
                    invalid += 1;
                    (reason, (!wanted.property.personal).then(|| example(value)))
                }
                None if unplanned >= MOST_FAULTS || reserved(name) => continue,
                None => {
                    unplanned += 1;
                    (Reason::UnplannedProperty { got: word(value) }, None)
                }
            };
            faults.push(Fault { property: Some(cut(name, 100)), reason, example });
        }
        faults
    }
}

/// A value as it is shown for example.
pub(super) fn example(value: &Json) -> Box<str> {
    cut(&value.to_string(), 80)
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

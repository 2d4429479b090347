//! App intake: what was sent of an event in quarantine where something else stands by now, such as `***`: its type, and never
//! its value. By it the event is judged as it came when it is released, also by another plan.

use std::collections::BTreeMap;

use bellwether_model::plan::{Concealment, Handling, Kind};
use bellwether_model::{Event, Json};
use serde::{Deserialize, Serialize};

use super::{Fault, Judges, Planned, Reason, Wanted, conceal, cut};

/// What an event that is judged again was, of which its environment takes something.
#[derive(Debug, Clone, Copy)]
pub(super) struct Again<'s> {
    pub(super) handling: Handling,
    /// What was sent of what was concealed; nothing of what was held before this was kept.
    pub(super) sent: Option<&'s SentAs>,
}

impl Again<'_> {
    /// What is wrong with what was sent.
    pub(super) fn faults(self, planned: &Planned) -> impl Iterator<Item = Fault> {
        self.sent.into_iter().flatten().filter_map(|(name, was)| {
            let reason = was.wrong(planned.properties.get(name.as_str())?)?;
            Some(Fault { property: Some(cut(name, 100)), reason, example: None })
        })
    }

    /// Whether nothing is told by a value itself: it stands for another one.
    pub(super) fn says(self, name: &str, value: &Json) -> bool {
        self.sent.map_or_else(|| conceal::concealed(value), |sent| sent.contains_key(name))
    }
}

/// What was sent of the properties of an event that were concealed, by their names.
pub(crate) type SentAs = BTreeMap<String, Was>;

/// What can be told of a value without telling it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Was {
    is: Kind,
    /// What the elements of a list are, each once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    of: Vec<Kind>,
    /// Whether it, or an element of it, was none of the values that were planned, whatever its type.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    other: bool,
}

impl Was {
    pub(super) fn of(value: &Json, wanted: Option<&Wanted>) -> Self {
        let kind = |value: &Json| match Kind::of(value) {
            Some(Kind::String) if Kind::DateTime.holds(value) => Kind::DateTime,
            kind => kind.unwrap_or_default(),
        };
        let mut of: Vec<Kind> = Vec::new();
        for item in value.as_array().into_iter().flatten().map(kind) {
            if !of.contains(&item) {
                of.push(item);
            }
        }
        let other = wanted.is_some_and(|wanted| wanted.is_other(value));
        Self { is: kind(value), of, other }
    }

    pub(super) fn wrong(&self, wanted: &Wanted) -> Option<Reason> {
        // A kind is a part of these, and a text of a day is called a text.
        let within = |is: Kind, wanted: Kind| {
            is == wanted
                || wanted == Kind::Any
                || matches!((is, wanted), (Kind::Integer, Kind::Number) | (Kind::DateTime, Kind::String))
        };
        let word = |kind: Kind| match kind {
            Kind::DateTime => Kind::String.word(),
            // An element that is null.
            Kind::Any => "null",
            kind => kind.word(),
        };
        let planned = &wanted.property;
        if !within(self.is, planned.kind) {
            return Some(Reason::WrongType { wanted: planned.kind.word(), got: word(self.is) });
        }
        let items = planned.items.filter(|_| planned.kind == Kind::List).unwrap_or_default();
        if let Some(got) = self.of.iter().find(|of| !within(**of, items)) {
            return Some(Reason::WrongItem { wanted: items.word(), got: word(*got) });
        }
        (self.other && !planned.values.is_empty()).then_some(Reason::NotAmong)
    }
}

impl Judges {
    /// What an event, as it came, has of what is about to be concealed.
    pub(crate) fn sent(&self, event: &Event) -> SentAs {
        if self.handling(&event.environment).personal == Concealment::Keep {
            return SentAs::new();
        }
        let planned = self.events.get(event.event.as_str());
        let personal = planned.map_or(&self.named, |planned| &planned.personal);
        let was = |name: &str| {
            let value = event.properties.get(name).filter(|value| !value.is_null())?;
            Some(Was::of(value, planned.and_then(|planned| planned.properties.get(name))))
        };
        personal.iter().filter_map(|name| Some((name.to_string(), was(name)?))).collect()
    }
}

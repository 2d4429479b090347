//! App: personal data in what came: what is stored of it where the tracking plan says that it is there, and what looks
//! like it where the plan says that there is none. It is looked for in a sample of the newest events, beside the events'
//! way and never on it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use bellwether_ledger::Plan;
use bellwether_model::event::BOT;
use bellwether_model::{EnvironmentKey, Event, Json, Millis, Properties, Seq, Span};
use bellwether_query::QueryError;
use schemars::JsonSchema;
use serde::Serialize;

use crate::App;
use crate::error::AppError;
use crate::intake::conceal::concealed;
use crate::intake::judge::{VERDICT, cut, ours};
use crate::recognise::{Kind, recognise, shape};

/// Newest events that a report looks at.
pub(crate) const LOOKED_AT: usize = 5_000;
/// Newest events that are looked at by itself, and how often.
const SAMPLE: usize = 1_000;
const EVERY: Span = Span(10 * Span::MINUTE.0);
/// Places that are remembered at once, of all environments.
const MOST: usize = 2_000;
/// Places that one look tells apart; senders can make up any number of names.
const MOST_PLACES: usize = 20_000;
/// Values inside of lists and objects are looked at to this depth.
const DEEPEST: usize = 4;
/// Where a kind is not sure: so many of the values, and such a share of them, must look like it.
const FEWEST: u64 = 3;
const SHARE: f64 = 0.2;

/// Whose property it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Of {
    /// Of the event.
    Event,
    /// Of its user.
    User,
    /// Of a group.
    Group,
    /// None: it is the id by which a user, a device or a group is named.
    Id,
}

/// A place where personal data can be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) of: Of,
    /// The event type, of what is a property of it.
    pub(crate) event: Option<Box<str>>,
    /// The property; inside of it after a dot, and `[]` of a list.
    pub(crate) property: Box<str>,
}

/// What was found at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) kind: Kind,
    /// So many of the values look like it.
    pub(crate) found: u64,
    /// Of so many texts and numbers that were looked at.
    pub(crate) of: u64,
    /// What one of them looks like, without telling it.
    pub(crate) shape: Box<str>,
    /// When the newest came.
    pub(crate) last: Millis,
}

/// Values at a place that the plan calls personal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Stored {
    /// So many there are.
    pub(crate) values: u64,
    /// So many of them are not concealed.
    pub(crate) plain: u64,
}

/// What a look found, and in how many events.
#[derive(Debug, Default)]
pub(crate) struct Look {
    pub(crate) found: BTreeMap<Place, Found>,
    /// What the plan calls personal, and is there.
    pub(crate) marked: BTreeMap<Place, Stored>,
    pub(crate) looked_at: u64,
    /// Whether there were more places than are told apart.
    pub(crate) cut: bool,
}

/// What was found by itself since the start.
#[derive(Debug, Default)]
pub(crate) struct Scanner(Mutex<Watch>);

#[derive(Debug, Default)]
struct Watch {
    next: Millis,
    at: BTreeMap<EnvironmentKey, Seq>,
    remembered: BTreeMap<EnvironmentKey, BTreeMap<Place, Found>>,
}

/// What was seen at one place.
#[derive(Debug, Default)]
struct Seen {
    of: u64,
    kinds: BTreeMap<Kind, (u64, Box<str>, Millis)>,
}

impl Look {
    /// Looks at events; of what the plan calls personal is only said whether it is concealed.
    pub(crate) fn at(events: &[Event], plan: Option<&Plan>) -> Self {
        let mut look = Looking::default();
        for event in events {
            let name: Box<str> = cut(&event.event, 100);
            let place = |of, property: &str| Place {
                of,
                event: (of == Of::Event).then(|| name.clone()),
                property: cut(property, 100),
            };
            for (id, property) in [(event.who.user(), "user_id"), (event.who.device(), "device_id")] {
                if let Some(id) = id {
                    look.text(place(Of::Id, property), id, event.received);
                }
            }
            for (kind, names) in &event.groups {
                look.value(
                    &|path| place(Of::Id, &format!("groups.{kind}{path}")),
                    "",
                    names,
                    event.received,
                    0,
                );
            }
            let of_event = plan.and_then(|plan| plan.events.get(event.event.as_str())).map(|of| &of.value);
            let of_plan = |name: &str| plan.is_some_and(|plan| plan.rules.calls_personal(of_event, name));
            for (property, value) in &event.properties {
                if of_plan(property) && !ours(&event.event, property) {
                    look.marked(place(Of::Event, property), value);
                } else if !matches!(property.as_str(), VERDICT | BOT | "$cut" | "$group_properties") {
                    look.value(
                        &|path| place(Of::Event, &format!("{property}{path}")),
                        "",
                        value,
                        event.received,
                        0,
                    );
                }
            }
            let known = |name: &str| plan.is_some_and(|plan| plan.rules.personal.contains(name));
            // What an event tells of its user is, once it is stored, in what is known of them, too.
            let twice = |of: Of, name: &str| of == Of::User && event.user_properties.contains_key(name);
            let mut told = |of: Of, properties: &Properties, twice: &dyn Fn(Of, &str) -> bool| {
                for (property, value) in properties.iter().filter(|(name, _)| !twice(of, name)) {
                    if known(property) {
                        look.marked(place(of, property), value);
                    } else {
                        let path = |path: &str| place(of, &format!("{property}{path}"));
                        look.value(&path, "", value, event.received, 0);
                    }
                }
            };
            told(Of::User, &event.user_properties, &|_, _| false);
            for (of, changes) in [(Of::User, &event.user_changes), (Of::Group, &event.group_changes)] {
                changes.values().filter_map(Json::as_object).for_each(|values| told(of, values, &twice));
            }
            if let Some(values) = event.properties.get("$group_properties").and_then(Json::as_object) {
                told(Of::Group, values, &twice);
                let operations = values.iter().filter(|(name, _)| name.starts_with('$'));
                operations
                    .filter_map(|(_, values)| values.as_object())
                    .for_each(|values| told(Of::Group, values, &twice));
            }
        }
        look.finish(events.len() as u64)
    }
}

#[derive(Debug, Default)]
struct Looking {
    seen: BTreeMap<Place, Seen>,
    marked: BTreeMap<Place, Stored>,
    cut: bool,
}

impl Looking {
    fn marked(&mut self, place: Place, value: &Json) {
        if !self.marked.contains_key(&place) && self.marked.len() >= MOST_PLACES {
            self.cut = true;
        } else if !value.is_null() {
            let stored = self.marked.entry(place).or_default();
            stored.values += 1;
            stored.plain += u64::from(!concealed(value));
        }
    }

    fn value(&mut self, place: &dyn Fn(&str) -> Place, path: &str, value: &Json, at: Millis, depth: usize) {
        match value {
            Json::String(text) => self.text(place(path), text, at),
            // A number of a card can come as a number.
            Json::Number(number) => self.text(place(path), &number.to_string(), at),
            Json::Array(list) if depth < DEEPEST => {
                for value in list.iter().take(20) {
                    self.value(place, &format!("{path}[]"), value, at, depth + 1);
                }
            }
            Json::Object(map) if depth < DEEPEST => {
                for (name, value) in map.iter().take(50) {
                    self.value(place, &format!("{path}.{}", cut(name, 40)), value, at, depth + 1);
                }
            }
            Json::Array(_) | Json::Object(_) | Json::Bool(_) | Json::Null => {}
        }
    }

    fn text(&mut self, place: Place, text: &str, at: Millis) {
        if !self.seen.contains_key(&place) && self.seen.len() >= MOST_PLACES {
            self.cut = true;
            return;
        }
        let seen = self.seen.entry(place).or_default();
        seen.of += 1;
        if concealed(&Json::from(text)) {
            return;
        }
        if let Some(kind) = recognise(text) {
            let (found, _, last) = seen.kinds.entry(kind).or_insert_with(|| (0, shape(text).into(), at));
            *found += 1;
            *last = (*last).max(at);
        }
    }

    fn finish(self, looked_at: u64) -> Look {
        let found = self.seen.into_iter().filter_map(|(place, Seen { of, kinds })| {
            let told = |kind: Kind, found: u64| {
                kind.is_sure() || (found >= FEWEST && found as f64 >= SHARE * of as f64)
            };
            let (kind, (found, shape, last)) = kinds
                .into_iter()
                .filter(|(kind, (found, ..))| told(*kind, *found))
                .max_by_key(|(kind, (found, ..))| (kind.is_sure(), *found))?;
            Some((place, Found { kind, found, of, shape, last }))
        });
        Look { found: found.collect(), marked: self.marked, looked_at, cut: self.cut }
    }
}

impl App {
    /// Looks at the newest events of an environment.
    pub(crate) fn look_at(&self, environment: &EnvironmentKey, most: usize) -> Result<Look, AppError> {
        let state = self.ledger.state();
        let newest = self.store.snapshot().newest(environment, &|_| true, most).map_err(QueryError::from)?;
        Ok(Look::at(&newest, state.plan.as_ref().map(|plan| &plan.value)))
    }

    /// Now and then, at what came lately: what is found the first time is said in the program's log.
    pub(crate) fn look_for_personal_data(&self, now: Millis) -> Result<(), AppError> {
        let snapshot = self.store.snapshot();
        {
            let mut watch = self.scanner.0.lock().unwrap_or_else(PoisonError::into_inner);
            if now < watch.next {
                return Ok(());
            }
            watch.next = now.plus(EVERY);
        }
        for environment in self.ledger.state().environments.keys() {
            let mut watch = self.scanner.0.lock().unwrap_or_else(PoisonError::into_inner);
            if watch.at.insert(environment.clone(), snapshot.seq()) == Some(snapshot.seq()) {
                continue;
            }
            drop(watch);
            self.scanner.remember(environment, self.look_at(environment, SAMPLE)?);
        }
        Ok(())
    }
}

impl Scanner {
    fn remember(&self, environment: &EnvironmentKey, look: Look) {
        let mut watch = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut room = MOST.saturating_sub(watch.remembered.values().map(BTreeMap::len).sum());
        let mine = watch.remembered.entry(environment.clone()).or_default();
        for (place, found) in look.found {
            if let Some(before) = mine.get_mut(&place) {
                *before = found;
            } else if room > 0 {
                room -= 1;
                tracing::warn!(
                    %environment, event = place.event.as_deref(), property = &*place.property,
                    "values look like {}, and the tracking plan does not call them personal", found.kind.words()
                );
                mine.insert(place, found);
            }
        }
    }

    /// What was found by itself.
    pub(crate) fn of(&self, environment: &EnvironmentKey) -> BTreeMap<Place, Found> {
        let watch = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        watch.remembered.get(environment).cloned().unwrap_or_default()
    }
}

//! App: personal data in what came: what is stored of it where the tracking plan says that it is there, and what looks
//! like it where the plan says that there is none. It is looked for in a sample of the newest events, beside the events'
//! way and never on it. Who asks is told of the newest of each event type: what few events hold does not leave the report
//! because others came after them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use bellwether_ledger::Plan;
use bellwether_model::event::BOT;
use bellwether_model::{EnvironmentKey, Event, Json, Millis, Properties, Seq, Span};
use bellwether_query::{QueryError, catalogue};
use schemars::JsonSchema;
use serde::Serialize;

use crate::App;
use crate::error::AppError;
use crate::intake::conceal::concealed;
use crate::intake::judge::{VERDICT, cut, ours};
use crate::recognise::{Kind, recognise, shape};

/// Newest events that a report looks at, of whatever type.
const LOOKED_AT: usize = 5_000;
/// Newest events of each type that a report looks at, also where they are not among these; fewer where there are so many
/// types that they would be more than `LOOKED_AT` at once.
const OF_EACH: usize = 200;
/// So often a report goes for events of types that it has not seen enough of. Each time it takes at least half of what it
/// gets from types that it then has enough of.
const ROUNDS: usize = 8;
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
    /// What is there as it came by a name that differs from a personal one by case alone: that name, and how many.
    pub(crate) alike: BTreeMap<Place, (Box<str>, u64)>,
    pub(crate) looked_at: u64,
    /// Whether there were more places than are told apart, or more types than were looked at.
    pub(crate) cut: bool,
    /// Event types of which older events were not looked at, as places name them.
    unseen: BTreeSet<Box<str>>,
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
        let names_of = |planned| plan.map(|plan| plan.rules.personal_names(planned)).unwrap_or_default();
        let of_others = names_of(None);
        let mut of_types: BTreeMap<&str, BTreeMap<String, &str>> = BTreeMap::new();
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
            let personal = of_types.entry(&event.event).or_insert_with(|| names_of(of_event));
            let of_plan = |name: &str| plan.is_some_and(|plan| plan.rules.calls_personal(of_event, name));
            for (property, value) in &event.properties {
                if of_plan(property) && !ours(&event.event, property) {
                    look.marked(place(Of::Event, property), value);
                } else if !matches!(property.as_str(), VERDICT | BOT | "$cut" | "$group_properties") {
                    look.alike(personal, property, value, &|| place(Of::Event, property));
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
                        look.alike(&of_others, property, value, &|| place(of, property));
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
    alike: BTreeMap<Place, (Box<str>, u64)>,
    cut: bool,
}

impl Looking {
    /// Notes what has a personal name but for its case.
    fn alike(
        &mut self,
        personal: &BTreeMap<String, &str>,
        name: &str,
        value: &Json,
        place: &dyn Fn() -> Place,
    ) {
        if personal.is_empty() || value.is_null() || concealed(value) {
            return;
        }
        let Some(like) = personal.get(&name.to_lowercase()) else { return };
        let place = place();
        if !self.alike.contains_key(&place) && self.alike.len() >= MOST_PLACES {
            self.cut = true;
            return;
        }
        self.alike.entry(place).or_insert_with(|| (cut(like, 100), 0)).1 += 1;
    }

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
        Look {
            found: found.collect(),
            marked: self.marked,
            alike: self.alike,
            looked_at,
            cut: self.cut,
            unseen: BTreeSet::new(),
        }
    }
}

impl App {
    /// Looks at the newest events of an environment, whatever their type.
    fn look_at_newest(&self, environment: &EnvironmentKey, most: usize) -> Result<Look, AppError> {
        let state = self.ledger.state();
        let newest = self.store.snapshot().newest(environment, &|_| true, most).map_err(QueryError::from)?;
        Ok(Look::at(&newest, state.plan.as_ref().map(|plan| &plan.value)))
    }

    /// Looks at the newest events of an environment, and at the newest of each type.
    pub(crate) fn look_at_each(
        &self,
        environment: &EnvironmentKey,
        now: Millis,
        cancel: &dyn Fn() -> bool,
    ) -> Result<Look, AppError> {
        let (state, snapshot) = (self.ledger.state(), self.store.snapshot());
        let counted = catalogue::read(environment, now, &snapshot, cancel)?;
        let mut left: BTreeMap<&str, u64> =
            counted.events.iter().map(|kind| (kind.event.as_str(), kind.count)).collect();
        let newest = |of: &dyn Fn(&str) -> bool| {
            snapshot.newest(environment, of, LOOKED_AT).map_err(|e| AppError::from(QueryError::from(e)))
        };
        let mut events: Vec<Event> = Vec::new();
        let mut seen: BTreeMap<String, u64> = BTreeMap::new();
        for round in 0..ROUNDS {
            if left.is_empty() {
                break;
            }
            if cancel() {
                return Err(QueryError::Cancelled.into());
            }
            let found = newest(&|event| left.contains_key(event))?;
            let whole = found.len() < LOOKED_AT;
            let enough = (LOOKED_AT / (2 * left.len())).clamp(1, OF_EACH) as u64;
            let mut of_type: BTreeMap<&str, u64> = BTreeMap::new();
            found.iter().for_each(|event| *of_type.entry(&event.event).or_default() += 1);
            let done: BTreeSet<String> = of_type
                .iter()
                .filter(|(event, n)| {
                    whole || **n >= enough || left.get(*event).is_some_and(|count| *n >= count)
                })
                .map(|(event, _)| (*event).to_owned())
                .collect();
            let last = whole || round + 1 == ROUNDS;
            for event in found {
                // What is not enough comes again with the next round.
                if !last && !done.contains(event.event.as_str()) {
                    continue;
                }
                let of_type = seen.entry(event.event.to_string()).or_default();
                // The first time as many as there are: what is most of what comes is looked at most.
                if round == 0 || *of_type < OF_EACH as u64 {
                    *of_type += 1;
                    events.push(event);
                }
            }
            left.retain(|event, _| !whole && !done.contains(*event));
        }
        let mut look = Look::at(&events, state.plan.as_ref().map(|plan| &plan.value));
        look.cut |= left.keys().any(|event| !seen.contains_key(*event));
        let all = |kind: &&catalogue::Kind| seen.get(&kind.event).is_some_and(|seen| *seen >= kind.count);
        look.unseen =
            counted.events.iter().filter(|kind| !all(kind)).map(|kind| cut(&kind.event, 100)).collect();
        Ok(look)
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
            self.scanner.remember(environment, self.look_at_newest(environment, SAMPLE)?);
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

    /// What was found by itself and may be stored still, by what a look at each type has found since; what is gone is
    /// forgotten.
    pub(crate) fn still(&self, environment: &EnvironmentKey, look: &Look) -> BTreeMap<Place, Found> {
        let mut watch = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(mine) = watch.remembered.get_mut(environment) else { return BTreeMap::new() };
        mine.retain(|place, _| look.may_have(place));
        mine.clone()
    }
}

impl Look {
    /// Whether what was found at a place earlier may be there: it is, or the plan calls it personal by now and it is there as
    /// it came, or not all of its events were looked at.
    fn may_have(&self, place: &Place) -> bool {
        let unseen = match &place.event {
            Some(event) => self.unseen.contains(event),
            None => !self.unseen.is_empty(),
        };
        let mut plain = self.marked.iter().filter(|(_, stored)| stored.plain > 0).map(|(place, _)| place);
        let within = |of: &Place| {
            (of.of, &of.event) == (place.of, &place.event)
                && place
                    .property
                    .strip_prefix(&*of.property)
                    .is_some_and(|inside| inside.is_empty() || inside.starts_with(['.', '[']))
        };
        self.cut || unseen || self.found.contains_key(place) || plain.any(within)
    }
}

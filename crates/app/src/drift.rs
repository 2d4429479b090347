//! App: drift. Whether the last whole day's events are unlike those of the days before: how many of a type there are,
//! how many have a property, and which values it has.
//!
//! A day is 24 hours of UTC. What is judged needs no setting; the rules are chosen so that days that differ as chance and
//! weeks make them differ are not spoken of (`the_same_every_week_is_no_drift`).
//!
//! Where events are kept for less long than what they are compared with, how many there were each day is remembered while the
//! server runs.

mod volume;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use bellwether_columns::{PropertyName, Scan};
use bellwether_model::event::is_active;
use bellwether_model::{EnvironmentKey, Millis, Seq, Span};
use bellwether_query::QueryError;
use bellwether_query::history::{self, Held};
use bellwether_query::properties;
use bellwether_stats::{Level, Proportion, two_proportions};
use schemars::JsonSchema;
use serde::Serialize;

use crate::App;
use crate::error::AppError;
use crate::retention::past;
use volume::volume;

/// Who asks is told what was found not longer ago.
const AGAIN: Span = Span(10 * Span::MINUTE.0);
/// Days before the one that is judged.
const BEFORE: usize = 28;
/// Days whose properties a day's are compared with.
const WEEK: u32 = 7;
/// The most event types whose properties are looked at, and properties of each.
const MOST_TYPES: usize = 20;
const MOST_PROPERTIES: usize = 40;
/// A share has moved by so much, at such a p-value: with 800 properties looked at each day, once in three years by
/// chance.
const SHARE_MOVED: f64 = 0.05;
const P: f64 = 1e-6;
/// A value that is new has such a share of the day and is there so often; one that is gone had such a share of the week,
/// of so many events that it would be there.
const NEW: (f64, u64) = (0.01, 20);
const GONE: (f64, u64) = (0.05, 400);
/// Values that are named.
const NAMED: usize = 3;

/// How events have changed.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Drift {
    /// The event type.
    pub(crate) event: String,
    /// The property, where it is not the number of events.
    pub(crate) property: Option<String>,
    #[serde(flatten)]
    pub(crate) moved: Moved,
    /// The same in words.
    pub(crate) message: String,
}

/// What has moved.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "moved")]
pub(crate) enum Moved {
    /// How many events of the type there are.
    Volume {
        /// On the day.
        events: u64,
        /// As the days before lead one to expect.
        expected: f64,
    },
    /// The share of events that have the property.
    Presence {
        /// On the day, from 0 to 1.
        share: f64,
        /// In the week before.
        before: f64,
    },
    /// The sort of its values: a share of another sort than all before.
    Sort {
        /// The sort that is new.
        sort: &'static str,
        /// Its share of the values of the day.
        share: f64,
    },
    /// Values that were not there in the week before.
    New {
        /// The most frequent of them.
        values: Vec<String>,
    },
    /// Values that are not there any more.
    Gone {
        /// The most frequent of them.
        values: Vec<String>,
    },
}

/// What was found of one day.
#[derive(Debug, Clone, Default)]
pub(crate) struct Judged {
    /// The beginning of the day.
    pub(crate) day: Millis,
    pub(crate) drifts: Vec<Drift>,
    /// Event types that were judged.
    pub(crate) types: u64,
    /// Event types that have not been there for long enough.
    pub(crate) young: u64,
    /// When, and by which events.
    pub(crate) at: (Millis, Seq),
}

/// What was found of the last day, by environment.
#[derive(Debug, Default)]
pub(crate) struct Drifts {
    judged: Mutex<BTreeMap<EnvironmentKey, Judged>>,
    counted: Mutex<BTreeMap<EnvironmentKey, Counted>>,
}

/// How many events each day had, from its beginning, of types whose events go before they have been compared with: as many as
/// there were while the day was whole.
type Counted = BTreeMap<String, BTreeMap<Millis, u64>>;

/// What is known of days that are not all there any more.
struct Kept<'k> {
    /// Before when events of a type are removed.
    since: &'k dyn Fn(&str) -> Option<Millis>,
    counted: &'k mut Counted,
}

/// The beginning of the last day that is over. Events that come an hour late are of it.
pub(crate) fn last_day(now: Millis) -> Millis {
    let day = day();
    Millis((now.0 - hour()).div_euclid(day) * day - day)
}

fn day() -> i64 {
    i64::try_from(Span::DAY.0).unwrap_or(i64::MAX)
}

fn hour() -> i64 {
    i64::try_from(Span::HOUR.0).unwrap_or(i64::MAX)
}

/// How a property has changed, from what it held in the week before to what it holds.
fn moved(before: &Held, of: u64, now: &Held, on: u64) -> Vec<Moved> {
    let mut moved = Vec::new();
    let share = |part: u64, of: u64| if of == 0 { 0.0 } else { part as f64 / of as f64 };
    let (was, is) = (share(before.had, of), share(now.had, on));
    if (is - was).abs() >= SHARE_MOVED && differs((before.had, of), (now.had, on)) {
        moved.push(Moved::Presence { share: is, before: was });
    }
    for (sort, (was, is)) in
        ["text", "number", "boolean", "other"].into_iter().zip(before.kinds.into_iter().zip(now.kinds))
    {
        if was == 0 && before.had >= GONE.1 && is >= NEW.1 && share(is, now.had) >= NEW.0 {
            moved.push(Moved::Sort { sort, share: share(is, now.had) });
        }
    }
    let (Some(was), Some(is)) = (&before.values, &now.values) else { return moved };
    // One that is new with its first day has no set of values yet.
    if before.had < GONE.1 || was.is_empty() {
        return moved;
    }
    let named = |mut values: Vec<(&String, u64)>| -> Vec<String> {
        values.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
        values.into_iter().take(NAMED).map(|(value, _)| value.clone()).collect()
    };
    let new = is
        .iter()
        .filter(|(value, n)| !was.contains_key(*value) && **n >= NEW.1 && share(**n, now.had) >= NEW.0);
    let gone = was.iter().filter(|(value, n)| {
        !is.contains_key(*value) && share(**n, before.had) >= GONE.0 && now.had >= GONE.1
    });
    let new = named(new.map(|(value, n)| (value, *n)).collect());
    let gone = named(gone.map(|(value, n)| (value, *n)).collect());
    if !new.is_empty() {
        moved.push(Moved::New { values: new });
    }
    if !gone.is_empty() {
        moved.push(Moved::Gone { values: gone });
    }
    moved
}

/// Whether two shares differ beyond chance; where all or none have it on both sides they do not.
fn differs(before: (u64, u64), now: (u64, u64)) -> bool {
    let proportion = |(part, of): (u64, u64)| Proportion::new(part, of).ok();
    let (Some(before), Some(now)) = (proportion(before), proportion(now)) else {
        return false;
    };
    match two_proportions(&before, &now, Level::P95) {
        Ok(comparison) => comparison.ln_p < P.ln(),
        // No variance on both sides and not the same share: all had it, and now none has, or the other way round.
        Err(_) => before != now && before.n().min(now.n()) >= NEW.1,
    }
}

impl Moved {
    fn sentence(&self, event: &str, property: Option<&str>) -> String {
        let whole = |share: f64| format!("{:.0}%", 100.0 * share);
        let listed = |values: &[String]| {
            values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", ")
        };
        let property = property.unwrap_or_default();
        match self {
            Self::Volume { events, expected } => {
                format!("`{event}` came {events} times, and {expected:.0} were expected")
            }
            Self::Presence { share, before } => format!(
                "{} of `{event}` have `{property}`, and {} had it in the week before",
                whole(*share),
                whole(*before)
            ),
            Self::Sort { sort, share } => format!(
                "{} of the values of `{property}` of `{event}` are of the sort `{sort}`, and none was in the week before",
                whole(*share)
            ),
            Self::New { values } => format!("`{property}` of `{event}` has new values: {}", listed(values)),
            Self::Gone { values } => {
                format!("`{property}` of `{event}` has values no more that it had: {}", listed(values))
            }
        }
    }
}

fn drift(event: &str, property: Option<&str>, moved: Moved) -> Drift {
    let message = moved.sentence(event, property);
    Drift { event: event.to_owned(), property: property.map(str::to_owned), moved, message }
}

/// Puts in what is remembered of days that are not all there any more, and remembers those that are whole. Returns of each
/// type where the days begin of which something is known; what was received before `since` says is removed.
fn remember(
    volumes: &mut BTreeMap<String, Vec<u64>>,
    from: Millis,
    Kept { since, counted }: Kept<'_>,
) -> BTreeMap<String, usize> {
    let starts: Vec<Millis> = (0..=BEFORE)
        .map(|n| Millis(from.0.saturating_add(day() * i64::try_from(n).unwrap_or_default())))
        .collect();
    counted.retain(|event, days| {
        days.retain(|start, _| *start >= from);
        !days.is_empty() && since(event).is_some()
    });
    // A type of which nothing is left is one still.
    for event in counted.keys() {
        volumes.entry(event.clone()).or_insert_with(|| vec![0; BEFORE + 1]);
    }
    let begin = volumes.iter_mut().map(|(event, days)| {
        let Some(since) = since(event) else { return (event.clone(), 0) };
        let known = counted.entry(event.clone()).or_default();
        let mut begin = 0;
        for (n, (start, count)) in starts.iter().zip(days.iter_mut()).enumerate() {
            match known.get(start) {
                Some(was) => *count = (*count).max(*was),
                None if *start < since => begin = n + 1,
                None => {}
            }
            if *start >= since {
                known.insert(*start, *count);
            }
        }
        (event.clone(), begin)
    });
    begin.collect()
}

/// Judges a day by the days before it. `names` are the properties of a type that are looked at.
fn judge(
    environment: &EnvironmentKey,
    at: Millis,
    names: &dyn Fn(&str) -> Result<Vec<PropertyName>, QueryError>,
    kept: Kept<'_>,
    scan: &dyn Scan,
    cancel: &dyn Fn() -> bool,
) -> Result<Judged, QueryError> {
    let before = i64::try_from(BEFORE).unwrap_or_default();
    let from = Millis(at.0 - before * day());
    let mut volumes = history::volumes(environment, from, BEFORE + 1, scan, cancel)?;
    let begin = remember(&mut volumes, from, kept);
    let mut judged = Judged { day: at, ..Judged::default() };
    let mut types: Vec<(&str, u64)> = Vec::new();
    for (event, days) in volumes.iter().filter(|(event, _)| is_active(event)) {
        let events = days.last().copied().unwrap_or_default();
        let begin = begin.get(event).copied().unwrap_or_default();
        match volume(days.get(begin..).unwrap_or_default(), begin > 0) {
            None => judged.young += 1,
            Some((expected, unlike)) => {
                judged.types += 1;
                if unlike {
                    judged.drifts.push(drift(event, None, Moved::Volume { events, expected }));
                }
                types.push((event, events));
            }
        }
    }
    types.sort_unstable_by_key(|(event, events)| (std::cmp::Reverse(*events), *event));
    types.truncate(MOST_TYPES);
    for (event, _) in types {
        let mut names = names(event)?;
        names.truncate(MOST_PROPERTIES);
        let held = |days| history::holding((environment, event), days, &names, scan, cancel);
        let before = held((Millis(at.0 - i64::from(WEEK) * day()), WEEK))?;
        let now = held((at, 1))?;
        for ((name, was), is) in names.iter().zip(&before.properties).zip(&now.properties) {
            let Some(name) = name.public() else { continue };
            let moved = moved(was, before.events, is, now.events);
            judged.drifts.extend(moved.into_iter().map(|moved| drift(event, Some(&name), moved)));
        }
    }
    Ok(judged)
}

impl App {
    /// Judges the last whole day of an environment, and remembers what was found: once a day, and again for who asks
    /// where events came since, at most every ten minutes.
    pub(crate) fn judge_drift(
        &self,
        environment: &EnvironmentKey,
        now: Millis,
        asked: bool,
        cancel: &dyn Fn() -> bool,
    ) -> Result<Judged, AppError> {
        let at = last_day(now);
        let snapshot = self.store.snapshot();
        let holds = |judged: &&Judged| {
            let young = now.since(judged.at.0) < AGAIN && judged.types > 0;
            judged.day == at && (!asked || young || judged.at.1 == snapshot.seq())
        };
        let known = {
            let drifts = self.drifts.judged.lock().unwrap_or_else(PoisonError::into_inner);
            drifts.get(environment).filter(holds).cloned()
        };
        if let Some(judged) = known {
            return Ok(judged);
        }
        let state = self.ledger.state();
        // What is planned, and what the newest have: a property that is gone from all is found by the plan alone.
        let names = |event: &str| -> Result<Vec<PropertyName>, QueryError> {
            let newest = snapshot.newest(environment, &|of| of == event, 500)?;
            let listed = properties::read(&newest, snapshot.seq());
            let plan = state.plan.as_ref().map(|plan| &plan.value);
            let of_type = plan.and_then(|plan| plan.events.get(event)).map(|of| &of.value);
            let personal = |name: &str| plan.is_some_and(|plan| plan.rules.calls_personal(of_type, name));
            let planned: Vec<&str> = of_type
                .map(|planned| {
                    // Values of those that are personal are not shown.
                    let properties = planned.properties.iter().filter(|(_, property)| !property.personal);
                    properties.map(|(name, _)| name.as_str()).collect()
                })
                .unwrap_or_default();
            let mut names: Vec<PropertyName> =
                planned.iter().map(|name| PropertyName::Event((*name).to_owned())).collect();
            names.extend(
                listed.properties.iter().map(|property| PropertyName::parse(&property.property)).filter(
                    |name| match name {
                        PropertyName::Event(name) => {
                            let known = of_type.is_some_and(|of| of.properties.contains_key(name.as_str()));
                            !name.starts_with('$') && !known && !personal(name)
                        }
                        // Of the user's properties only those of the device and the program that came with it.
                        PropertyName::User(name) => {
                            matches!(name.as_str(), "platform" | "library" | "app_version")
                                && plan.is_none_or(|plan| !plan.rules.personal.contains(name))
                        }
                        PropertyName::Group(_) => false,
                    },
                ),
            );
            Ok(names)
        };
        let past = past(&state, now);
        let since = |event: &str| past.before(environment.as_str(), event);
        // Taken out: nobody waits for a question over a month of events.
        let counting = || self.drifts.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let mut counted = counting().get(environment).cloned().unwrap_or_default();
        let mut judged =
            judge(environment, at, &names, Kept { since: &since, counted: &mut counted }, &snapshot, cancel)?;
        counting().insert(environment.clone(), counted);
        judged.at = (now, snapshot.seq());
        let mut drifts = self.drifts.judged.lock().unwrap_or_else(PoisonError::into_inner);
        let said = drifts.get(environment).filter(|before| before.day == at);
        for drift in
            judged.drifts.iter().filter(|drift| !said.is_some_and(|said| said.drifts.contains(drift)))
        {
            tracing::warn!(%environment, event = drift.event, "drift: {}", drift.message);
        }
        drifts.insert(environment.clone(), judged.clone());
        Ok(judged)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn held(had: u64, kinds: [u64; 4], values: &[(&str, u64)]) -> Held {
        let values = values.iter().map(|(value, n)| ((*value).to_owned(), *n)).collect();
        Held { had, kinds, values: Some(values) }
    }

    #[test]
    fn what_moves_of_a_property_is_said_and_what_does_not_is_not() {
        let said = |before: &Held, of, now: &Held, on| -> String {
            let moved = moved(before, of, now, on);
            moved.iter().map(|moved| moved.sentence("signup", Some("plan")) + "\n").collect()
        };
        let before = held(9_000, [9_000, 0, 0, 0], &[("free", 6_000), ("pro", 3_000)]);
        // The same, by chance.
        let same = held(905, [905, 0, 0, 0], &[("free", 610), ("pro", 290), ("oops", 5)]);
        assert_eq!(said(&before, 10_000, &same, 1_000), "");
        let other = held(500, [430, 70, 0, 0], &[("free", 400), ("team", 30)]);
        insta::assert_snapshot!(said(&before, 10_000, &other, 1_000), @r"
        50% of `signup` have `plan`, and 90% had it in the week before
        14% of the values of `plan` of `signup` are of the sort `number`, and none was in the week before
        `plan` of `signup` has new values: `team`
        `plan` of `signup` has values no more that it had: `pro`
        ");
        let none = held(0, [0; 4], &[]);
        let all = held(1_000, [1_000, 0, 0, 0], &[("free", 1_000)]);
        insta::assert_snapshot!(said(&all, 1_000, &none, 1_000), @"0% of `signup` have `plan`, and 100% had it in the week before");
        // Of a handful nothing is said, nor of a property that is new with its type.
        assert_eq!(
            said(&held(9, [9, 0, 0, 0], &[("a", 9)]), 10, &held(1, [1, 0, 0, 0], &[("b", 1)]), 10),
            ""
        );
        // What has more values than are told apart is no set of them.
        let open = Held { values: None, ..before.clone() };
        assert_eq!(said(&open, 10_000, &same, 1_000), "");
    }

    #[test]
    fn the_last_whole_day_is_over_for_an_hour() {
        let at = |hours: i64| last_day(Millis(hours * 3_600_000)).0 / 86_400_000;
        assert_eq!((at(48), at(49), at(72), at(73)), (0, 1, 1, 2));
    }
}

//! Query: the catalogue, which events there are.

use std::collections::BTreeMap;

use bellwether_columns::{Cells, Ids, PropertyName, Scan, Want};
use bellwether_model::event::BOT;
use bellwether_model::{EnvironmentKey, Millis, Seq, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::QueryError;
use crate::filter::{Bots, walk};

/// The event types of an environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Catalogue {
    /// By name.
    pub events: Vec<Kind>,
    /// Every event up to and including this one was counted, and none after it.
    pub seq: Seq,
}

/// An event type as it was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Kind {
    /// The event type.
    pub event: String,
    /// How many there are.
    pub count: u64,
    /// The earliest event time.
    pub first: Millis,
    /// How many of them a program did, and not a person.
    pub bots: u64,
    /// The latest event time that is not ahead; where all are, the earliest.
    pub last: Millis,
    /// How many have a time more than an hour ahead of now: a clock is wrong, or the event tells of a day to come.
    pub ahead: u64,
}

/// From so far ahead of now on an event's time is no time at which it happened.
const AHEAD: Span = Span(3_600_000);

/// What was seen of an event type.
#[derive(Debug, Clone, Copy)]
struct Seen {
    count: u64,
    ahead: u64,
    first: i64,
    /// The latest that is not ahead.
    last: Option<i64>,
}

impl Seen {
    const NONE: Self = Self { count: 0, ahead: 0, first: i64::MAX, last: None };

    fn and(self, other: Self) -> Self {
        Self {
            count: self.count + other.count,
            ahead: self.ahead + other.ahead,
            first: self.first.min(other.first),
            last: self.last.max(other.last),
        }
    }
}

/// Counts the event types of an environment, exposures and assignments included, as they stand `now`.
///
/// # Errors
/// When it was cancelled or events cannot be read. `cancel` is asked once per batch.
pub fn read(
    environment: &EnvironmentKey,
    now: Millis,
    scan: &dyn Scan,
    cancel: &dyn Fn() -> bool,
) -> Result<Catalogue, QueryError> {
    let want = Want {
        environment: environment.clone(),
        events: None,
        from: Millis(i64::MIN),
        to: Millis(i64::MAX),
        properties: vec![PropertyName::Event(BOT.to_owned())],
        ids: Ids::None,
    };
    let ahead = now.plus(AHEAD).0;
    let mut kinds: BTreeMap<String, (Seen, u64)> = BTreeMap::new();
    walk(scan, &want, Bots::All, cancel, &mut |batch| {
        // Per code first, so that names are looked up once per batch.
        let mut seen = vec![Seen::NONE; batch.event.values().len()];
        let marks = batch.properties.first().unwrap_or(&Cells::Missing);
        let mut marked = vec![0; seen.len()];
        if !matches!(marks, Cells::Missing) {
            for row in (0..batch.rows).filter(|&row| marks.text(row).is_some()) {
                if let Some(n) = batch.event.code(row).and_then(|code| marked.get_mut(code)) {
                    *n += 1;
                }
            }
        }
        for (row, &time) in batch.time.iter().enumerate() {
            if let Some(slot) = batch.event.code(row).and_then(|code| seen.get_mut(code)) {
                let is_ahead = time > ahead;
                let last = (!is_ahead).then_some(time);
                *slot = slot.and(Seen { count: 1, ahead: is_ahead.into(), first: time, last });
            }
        }
        for ((name, seen), bots) in batch.event.values().iter().zip(seen).zip(marked) {
            if seen.count > 0 {
                let (of, marked) = kinds.entry(name.to_string()).or_insert((Seen::NONE, 0));
                (*of, *marked) = (of.and(seen), *marked + bots);
            }
        }
        Ok(())
    })?;
    let kind = |(event, (seen, bots)): (String, (Seen, u64))| {
        let Seen { count, ahead, first, last } = seen;
        Kind { event, count, first: Millis(first), bots, last: Millis(last.unwrap_or(first)), ahead }
    };
    Ok(Catalogue { events: kinds.into_iter().map(kind).collect(), seq: scan.seq() })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use bellwether_columns::Rows;
    use bellwether_model::Event;
    use bellwether_model::event::Who;

    #[test]
    fn every_type_is_counted_with_its_first_and_last_time() {
        let event = |environment: &str, name: &str, time| Event {
            environment: environment.parse().unwrap(),
            event: name.into(),
            who: Who::User("u".into()),
            time: Millis(time),
            received: Millis(0),
            insert_id: None,
            session: None,
            properties: serde_json::Map::new(),
            user_properties: serde_json::Map::new(),
            groups: serde_json::Map::new(),
            group_properties: Default::default(),
            user_changes: Default::default(),
            group_changes: Default::default(),
            revision: None,
        };
        let mut events = vec![event("staging", "a", 1), event("production", "b", -4)];
        // More than one batch.
        events.extend((0..20_000).map(|t| event("production", "a", 30_000 - t)));
        let rows = Rows::new(events, Seq(3));
        let read = |now| read(&"production".parse().unwrap(), Millis(now), &rows, &|| false).unwrap();
        let kind = |event: &str, count, first, last, ahead| Kind {
            event: event.into(),
            count,
            bots: 0,
            first: Millis(first),
            last: Millis(last),
            ahead,
        };
        assert_eq!(read(0).events, [kind("a", 20_000, 10_001, 30_000, 0), kind("b", 1, -4, -4, 0)]);
        assert_eq!(read(0).seq, Seq(3));
        // An hour ahead is no time at which something happened.
        let then = |ago: i64| ago - 3_600_000;
        let (some, all) = (read(then(29_990)).events, read(then(-5)).events);
        assert_eq!(some, [kind("a", 20_000, 10_001, 29_990, 10), kind("b", 1, -4, -4, 0)]);
        assert_eq!(all, [kind("a", 20_000, 10_001, 10_001, 20_000), kind("b", 1, -4, -4, 1)]);
    }
}

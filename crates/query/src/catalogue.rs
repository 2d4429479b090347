//! Query: the catalogue, which events there are.

use std::collections::BTreeMap;

use bellwether_columns::{Cells, Ids, PropertyName, Scan, Want};
use bellwether_model::event::BOT;
use bellwether_model::{EnvironmentKey, Millis, Seq};
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
    /// The latest event time.
    pub last: Millis,
}

/// Counts the event types of an environment, exposures and assignments included.
///
/// # Errors
/// When it was cancelled or events cannot be read. `cancel` is asked once per batch.
pub fn read(
    environment: &EnvironmentKey,
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
    let mut kinds: BTreeMap<String, Kind> = BTreeMap::new();
    walk(scan, &want, Bots::All, cancel, &mut |batch| {
        // Per code first, so that names are looked up once per batch.
        let mut seen: Vec<Option<(u64, i64, i64)>> = vec![None; batch.event.values().len()];
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
                let (n, first, last) = slot.unwrap_or((0, time, time));
                *slot = Some((n + 1, first.min(time), last.max(time)));
            }
        }
        for ((name, seen), bots) in batch.event.values().iter().zip(seen).zip(marked) {
            if let Some((n, first, last)) = seen {
                let (first, last) = (Millis(first), Millis(last));
                kinds
                    .entry(name.to_string())
                    .and_modify(|k| {
                        k.count += n;
                        k.bots += bots;
                        k.first = k.first.min(first);
                        k.last = k.last.max(last);
                    })
                    .or_insert_with(|| Kind { event: name.to_string(), count: n, bots, first, last });
            }
        }
        Ok(())
    })?;
    Ok(Catalogue { events: kinds.into_values().collect(), seq: scan.seq() })
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
        let read = read(&"production".parse().unwrap(), &Rows::new(events, Seq(3)), &|| false).unwrap();
        let kind = |event: &str, count, first, last| Kind {
            event: event.into(),
            count,
            bots: 0,
            first: Millis(first),
            last: Millis(last),
        };
        assert_eq!(read.events, [kind("a", 20_000, 10_001, 30_000), kind("b", 1, -4, -4)]);
        assert_eq!(read.seq, Seq(3));
    }
}

//! App intake: a request of Amplitude's HTTP V2 and batch as it is read from its JSON, field by field: an event is never
//! a tree of its own. What a field must be is said later; here everything is taken that is JSON, and of several fields
//! of one name the last.

use std::fmt;

use bellwether_model::Json;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::json;

use super::super::form;
use super::super::json::Name;
use super::super::raw::{FACTS, RawEvent, Time};

/// A request.
#[derive(Debug, Default)]
pub(super) struct Request {
    pub(super) key: Json,
    /// `None` where they are no list; an event that is no object is `None`. Some hand-written callers send one event
    /// without the list.
    pub(super) events: Option<Vec<Option<Box<SentEvent>>>>,
    pub(super) options: Option<Json>,
}

/// Facts that an SDK sends of a device and its place, in most events.
const FEW: usize = 8;

/// An event as it came.
#[derive(Debug, Default)]
pub(super) struct SentEvent {
    raw: RawEvent,
    time: Json,
    /// What governance says of it.
    plan: Json,
    metadata: Json,
    /// Facts, by their place among [`FACTS`].
    facts: Vec<(usize, Json)>,
}

impl SentEvent {
    /// Takes a field.
    pub(super) fn put(&mut self, name: &str, value: Json) {
        if let Some(slot) = self.slot(name) {
            *slot = value;
        }
    }

    /// Where a field goes, if it is one that is kept.
    fn slot(&mut self, name: &str) -> Option<&mut Json> {
        let Self { raw, time, plan, metadata, facts } = self;
        let [product, kind, currency] = &mut raw.money.about;
        Some(match name {
            "event_type" => &mut raw.name,
            "user_id" => &mut raw.user,
            "device_id" => &mut raw.device,
            "time" => time,
            "insert_id" => &mut raw.insert_id,
            "session_id" => &mut raw.session,
            "event_properties" => &mut raw.properties,
            "user_properties" => &mut raw.user_properties,
            "groups" => &mut raw.groups,
            "group_properties" => &mut raw.group_properties,
            "price" => &mut raw.money.price,
            "quantity" => &mut raw.money.quantity,
            "revenue" => &mut raw.money.revenue,
            "productId" => product,
            "revenueType" => kind,
            "currency" => currency,
            "plan" => plan,
            "ingestion_metadata" => metadata,
            fact => {
                let place = FACTS.iter().position(|known| *known == fact)?;
                let at = facts.iter().position(|(there, _)| *there == place).unwrap_or_else(|| {
                    if facts.is_empty() {
                        facts.reserve(FEW);
                    }
                    facts.push((place, Json::Null));
                    facts.len() - 1
                });
                &mut facts.get_mut(at)?.1
            }
        })
    }

    /// The event in the form of all protocols, taken out.
    pub(super) fn raw(&mut self) -> RawEvent {
        let Self { raw, time, plan, metadata, facts } = self;
        raw.time = match time {
            Json::Null => Time::Missing,
            time => match form::whole(time) {
                Some(at) => Time::At(at),
                None => Time::Unreadable("send whole milliseconds since 1970"),
            },
        };
        // What governance says of the event is kept beside what the event says.
        for (value, to) in [(plan, "$plan"), (metadata, "$ingestion_metadata")] {
            if value.is_null() {
                continue;
            }
            if raw.properties.is_null() {
                raw.properties = json!({});
            }
            if let Some(properties) = raw.properties.as_object_mut() {
                properties.insert(to.into(), std::mem::take(value));
            }
        }
        facts.sort_unstable_by_key(|(place, _)| *place);
        let facts = facts.drain(..).filter(|(_, value)| !value.is_null());
        raw.facts = facts.filter_map(|(place, value)| Some((*FACTS.get(place)?, value))).collect();
        std::mem::take(raw)
    }
}

impl<'de> Deserialize<'de> for Request {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(OfRequest)
    }
}

struct OfRequest;

impl<'de> Visitor<'de> for OfRequest {
    type Value = Request;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with `api_key` and `events`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Request, A::Error> {
        let mut request = Request::default();
        while let Some(name) = map.next_key::<Name<'de>>()? {
            match &*name {
                "api_key" => request.key = map.next_value()?,
                "options" => request.options = Some(map.next_value()?),
                "events" => request.events = map.next_value_seed(OfEvents)?,
                // Read all the same: what is no JSON is refused wherever it stands.
                _ => drop(map.next_value::<Json>()?),
            }
        }
        Ok(request)
    }
}

/// Reads the events.
struct OfEvents;

/// Reads an event.
struct OfEvent;

/// What is no object, and no list where one may be, is read as `None`.
macro_rules! nothing_else {
    () => {
        fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(None)
        }
    };
}

impl<'de> DeserializeSeed<'de> for OfEvents {
    type Value = Option<Vec<Option<Box<SentEvent>>>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for OfEvents {
    type Value = Option<Vec<Option<Box<SentEvent>>>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of events")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut events = Vec::new();
        while let Some(event) = items.next_element_seed(OfEvent)? {
            events.push(event);
        }
        Ok(Some(events))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        OfEvent.visit_map(map).map(|one| Some(vec![one]))
    }

    nothing_else!();
}

impl<'de> DeserializeSeed<'de> for OfEvent {
    type Value = Option<Box<SentEvent>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for OfEvent {
    type Value = Option<Box<SentEvent>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        // Half a kilobyte, which is not moved as the list grows.
        let mut event = Box::<SentEvent>::default();
        while let Some(name) = map.next_key::<Name<'de>>()? {
            let value = map.next_value()?;
            event.put(&name, value);
        }
        Ok(Some(event))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        while items.next_element::<Json>()?.is_some() {}
        Ok(None)
    }

    nothing_else!();
}

//! Query: which properties events have, what sort of values, and the most frequent of them.

use std::borrow::Cow;

use bellwether_columns::{PropertyName, text};
use bellwether_model::event::is_active;
use bellwether_model::{Event, Json, Seq};
use rustc_hash::FxHashMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::filter::NONE;
use crate::segmentation::ANY;

/// How many of the newest events are worth looking at: enough that a value of one event in a hundred
/// is seen about a hundred times, and few enough to be read at once.
pub const ENOUGH: usize = 10_000;
/// More properties than this are not listed.
const MOST: usize = 500;
/// Values that are shown of a property.
const EXAMPLES: usize = 5;
/// Values of more bytes than this are no examples; cut short, they would be other values.
const LONGEST: usize = 200;

/// The properties of some events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Properties {
    /// The most frequent first, equals by name.
    pub properties: Vec<Property>,
    /// How many more there are than are listed.
    pub cut: u64,
    /// How many events were looked at: the newest by time of receipt, 10,000 at most. Counts are of these.
    pub looked_at: u64,
    /// No event after this one was looked at.
    pub seq: Seq,
}

/// A property as it was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Property {
    /// Its name, as filters and breakdowns take it: plain for the event's, `user.` for the user's, `group.` for kinds of groups.
    pub property: String,
    /// The sorts of its values, the most frequent first.
    pub kinds: Vec<ValueKind>,
    /// How many of the events have it.
    pub count: u64,
    /// How many different values it has there.
    pub distinct: u64,
    /// Its most frequent values, five at most, the most frequent first.
    pub examples: Vec<Example>,
}

/// A sort of value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ValueKind {
    /// Text.
    Text,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// A list or an object.
    Other,
}

/// A value that occurs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Example {
    /// As text, as the filter `is` takes it.
    pub value: String,
    /// How many of the events have it.
    pub count: u64,
}

/// Whether events of this type are among those that are asked for: `event` itself; every type that
/// somebody did for `_any` or none.
///
/// ```
/// use bellwether_query::properties::asks;
/// assert!(asks(Some("visit"), "visit") && asks(Some("_any"), "visit") && asks(None, "visit"));
/// assert!(!asks(None, "$exposure") && asks(Some("$exposure"), "$exposure"));
/// ```
#[must_use]
pub fn asks(event: Option<&str>, of: &str) -> bool {
    match event {
        None | Some(ANY) => is_active(of),
        Some(event) => event == of,
    }
}

/// What was seen of one property.
#[derive(Default)]
struct Observed<'e> {
    kinds: [u64; 4],
    values: FxHashMap<Cow<'e, str>, u64>,
}

/// The properties of these events, all of which are looked at; none is later than `seq`.
///
/// A property of the event whose name begins with `user.` or `group.` is not listed: no filter can name it.
#[must_use]
pub fn read(events: &[Event], seq: Seq) -> Properties {
    let mut seen: [FxHashMap<&str, Observed<'_>>; 3] = Default::default();
    for event in events {
        let told = [&event.properties, &event.user_properties, &event.groups];
        for (of, properties) in seen.iter_mut().zip(told) {
            for (name, value) in properties {
                let (Some(kind), Some(text)) = (kind(value), text(value)) else { continue };
                let observed = of.entry(name.as_str()).or_default();
                if let Some(count) = observed.kinds.get_mut(kind as usize) {
                    *count += 1;
                }
                *observed.values.entry(text).or_default() += 1;
            }
        }
    }
    let names: [fn(String) -> PropertyName; 3] =
        [PropertyName::Event, PropertyName::User, PropertyName::Group];
    let mut properties: Vec<Property> = names
        .into_iter()
        .zip(seen)
        .flat_map(|(name, seen)| seen.into_iter().map(move |(of, seen)| (name(of.to_owned()), seen)))
        .filter_map(|(name, seen)| Some(seen.summed(name.public()?)))
        .collect();
    properties.sort_unstable_by(|a, b| b.count.cmp(&a.count).then_with(|| a.property.cmp(&b.property)));
    let cut = properties.len().saturating_sub(MOST) as u64;
    properties.truncate(MOST);
    Properties { properties, cut, looked_at: events.len() as u64, seq }
}

impl Observed<'_> {
    fn summed(self, property: String) -> Property {
        const KINDS: [ValueKind; 4] =
            [ValueKind::Text, ValueKind::Number, ValueKind::Boolean, ValueKind::Other];
        let mut kinds: Vec<(ValueKind, u64)> =
            KINDS.into_iter().zip(self.kinds).filter(|(_, n)| *n > 0).collect();
        kinds.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
        let distinct = self.values.len() as u64;
        // A text that reads as a missing value cannot be asked for alone.
        let shown = self.values.into_iter().filter(|(value, _)| value.len() <= LONGEST && value != NONE);
        let mut examples: Vec<_> = shown.collect();
        examples.sort_unstable_by(|(a, n), (b, m)| m.cmp(n).then_with(|| a.cmp(b)));
        examples.truncate(EXAMPLES);
        Property {
            property,
            count: kinds.iter().map(|(_, n)| n).sum(),
            kinds: kinds.into_iter().map(|(kind, _)| kind).collect(),
            distinct,
            examples: examples
                .into_iter()
                .map(|(value, count)| Example { value: value.into_owned(), count })
                .collect(),
        }
    }
}

fn kind(value: &Json) -> Option<ValueKind> {
    match value {
        Json::Null => None,
        Json::String(_) => Some(ValueKind::Text),
        Json::Number(_) => Some(ValueKind::Number),
        Json::Bool(_) => Some(ValueKind::Boolean),
        Json::Array(_) | Json::Object(_) => Some(ValueKind::Other),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::segmentation::{self, Segmentation};
    use bellwether_columns::Rows;
    use bellwether_model::Millis;
    use bellwether_model::event::Who;
    use bellwether_model::metric::{Filter, FilterOp};
    use proptest::prelude::*;
    use serde_json::json;

    fn object(json: Json) -> serde_json::Map<String, Json> {
        json.as_object().cloned().unwrap_or_default()
    }

    fn event(properties: Json, user_properties: Json) -> Event {
        Event {
            environment: "production".parse().unwrap(),
            event: "visit".into(),
            who: Who::User("u".into()),
            time: Millis(5),
            received: Millis(5),
            insert_id: None,
            session: None,
            properties: object(properties),
            user_properties: object(user_properties),
            groups: serde_json::Map::new(),
            group_properties: Default::default(),
            user_changes: Default::default(),
            group_changes: Default::default(),
            revision: None,
        }
    }

    #[test]
    fn names_sorts_and_frequent_values_are_listed() {
        let mut events: Vec<Event> =
            (0..10).map(|i| event(json!({"price": i % 3, "tags": [1]}), json!({"country": "FI"}))).collect();
        events.push(event(
            json!({"price": "free", "gone": null, "user.x": 1, "note": "n".repeat(201), "no": "(none)"}),
            json!({"x": true}),
        ));
        for (event, company) in events.iter_mut().zip([json!("acme"), json!("acme"), json!(["acme", "bolt"])])
        {
            event.groups = object(json!({"company": company}));
        }
        let found = read(&events, Seq(11));
        let lines: Vec<String> = found.properties.iter().map(|p| serde_json::to_string(p).unwrap()).collect();
        insta::assert_snapshot!(lines.join("\n"), @r#"
        {"property":"price","kinds":["number","text"],"count":11,"distinct":4,"examples":[{"value":"0","count":4},{"value":"1","count":3},{"value":"2","count":3},{"value":"free","count":1}]}
        {"property":"tags","kinds":["other"],"count":10,"distinct":1,"examples":[{"value":"[1]","count":10}]}
        {"property":"user.country","kinds":["text"],"count":10,"distinct":1,"examples":[{"value":"FI","count":10}]}
        {"property":"group.company","kinds":["text","other"],"count":3,"distinct":2,"examples":[{"value":"acme","count":2},{"value":"[\"acme\",\"bolt\"]","count":1}]}
        {"property":"no","kinds":["text"],"count":1,"distinct":1,"examples":[]}
        {"property":"note","kinds":["text"],"count":1,"distinct":1,"examples":[]}
        {"property":"user.x","kinds":["boolean"],"count":1,"distinct":1,"examples":[{"value":"true","count":1}]}
        "#);
        assert_eq!((found.looked_at, found.cut, found.seq), (11, 0, Seq(11)));
    }

    #[test]
    fn a_flood_of_names_is_cut_and_that_is_said() {
        let names: serde_json::Map<String, Json> = (0..700).map(|i| (format!("p{i}"), json!(i))).collect();
        let found = read(&[event(json!({"often": 1}), json!({})), event(names.into(), json!({}))], Seq(2));
        assert_eq!((found.properties.len(), found.cut), (MOST, 201));
    }

    fn value() -> impl Strategy<Value = Json> {
        prop_oneof![
            3 => "[ab]{0,2}".prop_map(Json::from),
            2 => (-3_i64..4).prop_map(Json::from),
            1 => (-3_i32..4).prop_map(|i| json!(f64::from(i) / 2.0)),
            1 => any::<bool>().prop_map(Json::from),
            1 => Just(json!(u64::MAX)),
            1 => Just(json!("(none)")),
            1 => Just(json!({"a": [1, null]})),
            1 => Just(Json::Null),
        ]
    }

    fn properties() -> impl Strategy<Value = Json> {
        let name = prop_oneof![Just("p"), Just("q"), Just("user.p"), Just(""), Just("user.")];
        proptest::collection::vec((name, value()), 0..4)
            .prop_map(|list| Json::Object(list.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()))
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

        /// What is listed is what a question finds: each value by a filter, each absence by a breakdown.
        #[test]
        fn a_question_finds_what_is_listed(of in proptest::collection::vec((properties(), properties()), 1..30)) {
            let events: Vec<Event> = of.into_iter().map(|(p, u)| event(p, u)).collect();
            let found = read(&events, Seq(1));
            let rows = Rows::new(events, Seq(1));
            let ask = |filters: Vec<Filter>, by: Option<&str>| {
                let mut asked: Segmentation = serde_json::from_value(json!({
                    "environment": "production", "event": "visit", "from": "1970-01-01", "to": "1970-01-01",
                    "by": by, "limit": 1000,
                })).unwrap();
                asked.filters = filters;
                segmentation::run(&asked, Millis(0), &rows, &|| false).unwrap()
            };
            for p in &found.properties {
                prop_assert!(p.count > 0 && !p.kinds.is_empty());
                for example in &p.examples {
                    let is = Filter {
                        property: p.property.clone(), op: FilterOp::Is, values: vec![example.value.clone()],
                    };
                    prop_assert_eq!(ask(vec![is], None).series[0].total, example.count);
                }
                let groups = ask(vec![], Some(&p.property)).series;
                let of = |named: bool| groups.iter().filter(move |s| (s.group.as_deref() != Some(NONE)) == named);
                let literal = p.count - of(true).map(|s| s.total).sum::<u64>();
                prop_assert_eq!(of(false).map(|s| s.total).sum::<u64>() - literal, found.looked_at - p.count);
                prop_assert_eq!(of(true).count() as u64 + u64::from(literal > 0), p.distinct);
            }
        }
    }
}

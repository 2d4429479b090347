//! Model, plan: what is different between two plans, in words, and whether events that followed the one do
//! not follow the other.

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    Addresses, Concealment, EventType, Handling, Identifiers, Kind, Name, Property, Retention, TrackingPlan,
};

/// One thing that is different.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Difference {
    /// The event type; none where it is about the rules.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<Name>,
    /// The property, where it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub property: Option<Name>,
    /// What becomes of it, in words.
    pub what: String,
    /// Whether an event that followed the plan before may not follow it now, or is treated more strictly.
    pub breaking: bool,
}

/// What is different in `now` from `was`, in the order of the names; rules come first.
///
/// ```
/// use bellwether_model::plan::{TrackingPlan, differences};
/// use serde_json::json;
/// let plan = |required| -> TrackingPlan {
///     serde_json::from_value(json!({"events": {"Order Completed": {"properties": {
///         "total": {"type": "number", "required": required}}}}})).unwrap()
/// };
/// let found = differences(&plan(false), &plan(true));
/// assert_eq!((found[0].what.as_str(), found[0].breaking), ("becomes required", true));
/// ```
#[must_use]
pub fn differences(was: &TrackingPlan, now: &TrackingPlan) -> Vec<Difference> {
    let mut found = Found(Vec::new());
    found.rules(was, now);
    let names: std::collections::BTreeSet<&Name> = was.events.keys().chain(now.events.keys()).collect();
    for name in names {
        match (was.events.get(name), now.events.get(name)) {
            (None, Some(event)) => {
                let count = event.properties.len();
                let what = match count {
                    0 => "is added, without properties".to_owned(),
                    1 => "is added, with 1 property".to_owned(),
                    _ => format!("is added, with {count} properties"),
                };
                found.add(Some(name), None, what, false);
            }
            (Some(_), None) => found.add(Some(name), None, "is removed", true),
            (Some(was), Some(now)) if was != now => found.event(name, was, now),
            _ => {}
        }
    }
    found.0
}

struct Found(Vec<Difference>);

impl Found {
    fn add(
        &mut self,
        event: Option<&Name>,
        property: Option<&Name>,
        what: impl Into<String>,
        breaking: bool,
    ) {
        let (event, property) = (event.cloned(), property.cloned());
        self.0.push(Difference { event, property, what: what.into(), breaking });
    }

    fn rules(&mut self, was: &TrackingPlan, now: &TrackingPlan) {
        let (was, now) = (&was.rules, &now.rules);
        for (what, was, now) in [
            ("event types", &was.naming.events, &now.naming.events),
            ("properties", &was.naming.properties, &now.naming.properties),
        ] {
            if was != now {
                let convention = now.as_ref().map_or_else(|| "as people like".to_owned(), |c| c.words());
                self.add(None, None, format!("names of {what} are written: {convention}"), false);
            }
        }
        if was.review != now.review {
            let what = if now.review { "changes need a review" } else { "changes need no review" };
            self.add(None, None, what, false);
        }
        for (what, names) in [
            ("become personal", now.personal.difference(&was.personal)),
            ("are personal no more", was.personal.difference(&now.personal)),
        ] {
            let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
            if !names.is_empty() {
                self.add(None, None, format!("names of properties {what}: {}", names.join(", ")), false);
            }
        }
        let all: std::collections::BTreeSet<_> =
            was.environments.keys().chain(now.environments.keys()).collect();
        for environment in all {
            let of = |handlings: &std::collections::BTreeMap<_, Handling>| {
                handlings.get(environment).copied().unwrap_or_default()
            };
            let (was, now) = (of(&was.environments), of(&now.environments));
            if was.personal != now.personal {
                let word = match now.personal {
                    Concealment::Keep => "stored as they come",
                    Concealment::Mask => "masked",
                    Concealment::Hash => "hashed",
                    Concealment::Drop => "left out",
                };
                self.add(None, None, format!("in {environment}, personal values are {word}"), false);
            }
            if was.addresses != now.addresses {
                let word = match now.addresses {
                    Addresses::Truncate => "cut to their network",
                    Addresses::Keep => "stored whole",
                    Addresses::Drop => "left out",
                };
                self.add(None, None, format!("in {environment}, addresses are {word}"), false);
            }
            for (whose, was, now) in
                [("users", was.user_ids, now.user_ids), ("devices", was.device_ids, now.device_ids)]
            {
                if was != now {
                    let word = match now {
                        Identifiers::Keep => "as they come",
                        Identifiers::Hash => "as keyed hashes",
                    };
                    let what = format!(
                        "in {environment}, ids of {whose} are stored {word}: whoever was seen before counts as somebody else from then on"
                    );
                    self.add(None, None, what, false);
                }
            }
            if was.retention_days != now.retention_days {
                self.add(
                    None,
                    None,
                    format!("in {environment}, {}", kept("events", now.retention_days)),
                    false,
                );
            }
            for (what, was, now) in [
                ("unplanned events", was.unplanned_events, now.unplanned_events),
                ("events with unplanned properties", was.unplanned_properties, now.unplanned_properties),
                ("invalid events", was.invalid, now.invalid),
            ] {
                if was != now {
                    let word = |treatment| match treatment {
                        super::Treatment::Accept => "accepted and marked",
                        super::Treatment::Quarantine => "put into quarantine",
                        super::Treatment::Reject => "rejected",
                    };
                    let what = format!("in {environment}, {what} are {} instead of {}", word(now), word(was));
                    self.add(None, None, what, now > was);
                }
            }
        }
    }

    fn event(&mut self, name: &Name, was: &EventType, now: &EventType) {
        if was.description != now.description {
            self.add(Some(name), None, "has another description", false);
        }
        if was.owner != now.owner {
            let what = match &now.owner {
                Some(owner) => format!("belongs to {owner}"),
                None => "belongs to nobody".to_owned(),
            };
            self.add(Some(name), None, what, false);
        }
        if was.retention_days != now.retention_days {
            let what = match now.retention_days {
                Some(days) => format!("is kept for {days}"),
                None => "is kept as long as its environment says".to_owned(),
            };
            self.add(Some(name), None, what, false);
        }
        let all: std::collections::BTreeSet<&Name> =
            was.properties.keys().chain(now.properties.keys()).collect();
        for property in all {
            match (was.properties.get(property), now.properties.get(property)) {
                (None, Some(now)) => {
                    let required = if now.required { "a required" } else { "an optional" };
                    let what = format!("is added, {required} {}", kind(now));
                    self.add(Some(name), Some(property), what, now.required);
                }
                (Some(_), None) => self.add(Some(name), Some(property), "is removed", true),
                (Some(was), Some(now)) => self.property(name, property, was, now),
                (None, None) => {}
            }
        }
    }

    fn property(&mut self, event: &Name, name: &Name, was: &Property, now: &Property) {
        let mut add = |what: String, breaking| self.add(Some(event), Some(name), what, breaking);
        if (was.kind, was.items) != (now.kind, now.items) {
            let same =
                was.kind == now.kind && now.items.is_none_or(|now| wider(was.items.unwrap_or_default(), now));
            let wider = if was.kind == now.kind { same } else { wider(was.kind, now.kind) };
            add(format!("becomes {} instead of {}", kind(now), kind(was)), !wider);
        }
        if was.required != now.required {
            add(format!("becomes {}", if now.required { "required" } else { "optional" }), now.required);
        }
        if was.values != now.values {
            let gone: Vec<String> = was
                .values
                .iter()
                .filter(|value| !now.allows(value))
                .map(|value| format!("`{}`", text(value)))
                .collect();
            let what = match (now.values.is_empty(), was.values.is_empty(), gone.is_empty()) {
                (true, ..) => "may have any value".to_owned(),
                (false, true, _) => format!("may have only {} values", now.values.len()),
                (false, false, false) => format!("may not be {} any more", gone.join(", ")),
                (false, false, true) => "may have more values".to_owned(),
            };
            add(what, !now.values.is_empty() && (was.values.is_empty() || !gone.is_empty()));
        }
        if was.personal != now.personal {
            add(format!("is {} personal", if now.personal { "now" } else { "no more" }), false);
        }
        if was.description != now.description {
            add("has another description".to_owned(), false);
        }
        if was.owner != now.owner {
            add("has another owner".to_owned(), false);
        }
    }
}

fn kept(what: &str, days: Option<Retention>) -> String {
    match days {
        Some(days) => format!("{what} are removed {days} after they were received"),
        None => format!("{what} are kept for ever"),
    }
}

/// Whether every value of the one kind is of the other.
fn wider(was: Kind, now: Kind) -> bool {
    was == now
        || matches!(
            (was, now),
            (_, Kind::Any) | (Kind::Integer, Kind::Number) | (Kind::DateTime, Kind::String)
        )
}

fn kind(property: &Property) -> String {
    match property.items {
        Some(items) => format!("list of {}", items.word()),
        None => property.kind.word().to_owned(),
    }
}

fn text(value: &crate::Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn plan(value: crate::Json) -> TrackingPlan {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn what_is_different_is_said_in_words() {
        let was = plan(json!({"rules": {"naming": {"events": "title_case"}}, "events": {
            "Gone": {},
            "Order Completed": {"description": "paid", "properties": {
                "total": {"type": "integer"}, "currency": {"type": "string", "values": ["EUR", "USD"]},
                "coupon": {"type": "string"}, "tags": {"type": "list", "items": "string"}}}}}));
        let now = plan(
            json!({"rules": {"review": true, "environments": {"production": {"invalid": "reject"}}},
            "events": {
            "New": {"properties": {"a": {"type": "any"}}},
            "Order Completed": {"description": "paid", "owner": "payments", "properties": {
                "total": {"type": "number", "required": true}, "currency": {"type": "string", "values": ["EUR"]},
                "email": {"type": "string", "personal": true}, "tags": {"type": "list"}}}}}),
        );
        let said: Vec<String> = differences(&was, &now)
            .into_iter()
            .map(|d| {
                let mark = if d.breaking { "!" } else { " " };
                let place = [d.event, d.property].map(|n| n.map(|n| format!("{n} / ")).unwrap_or_default());
                format!("{mark} {}{}", place.concat(), d.what)
            })
            .collect();
        insta::assert_snapshot!(said.join("\n"), @r"
          names of event types are written: as people like
          changes need a review
        ! in production, invalid events are rejected instead of accepted and marked
        ! Gone / is removed
          New / is added, with 1 property
          Order Completed / belongs to payments
        ! Order Completed / coupon / is removed
        ! Order Completed / currency / may not be `USD` any more
          Order Completed / email / is added, an optional string
          Order Completed / tags / becomes list instead of list of string
          Order Completed / total / becomes number instead of integer
        ! Order Completed / total / becomes required
        ");
    }

    fn any_plan() -> impl Strategy<Value = TrackingPlan> {
        let kinds = prop::sample::select(vec![Kind::Any, Kind::String, Kind::Integer, Kind::Number]);
        let property = (kinds, any::<bool>()).prop_map(|(kind, required)| Property {
            kind,
            required,
            ..Default::default()
        });
        let event = prop::collection::btree_map("[ab]", property, 0..3).prop_map(|properties| EventType {
            properties: properties.into_iter().map(|(name, p)| (name.parse().unwrap(), p)).collect(),
            ..Default::default()
        });
        prop::collection::btree_map("[XY]", event, 0..3).prop_map(|events| TrackingPlan {
            events: events.into_iter().map(|(name, e)| (name.parse().unwrap(), e)).collect(),
            ..Default::default()
        })
    }

    proptest! {
        #[test]
        fn changes_make_the_one_plan_of_the_other_and_are_none_where_nothing_is_said(
            was in any_plan(), now in any_plan()
        ) {
            let changes = now.changes_from(&was);
            prop_assert_eq!(was.clone().with(&changes), now.clone());
            prop_assert_eq!(changes.is_empty(), differences(&was, &now).is_empty());
        }
    }
}

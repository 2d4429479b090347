//! Model: the tracking plan, which says what events there are and what is in them. One plan holds for all
//! environments; what happens to an event that does not follow it is said for each.

mod difference;
mod handling;
mod naming;
mod retention;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use difference::{Difference, differences};
pub use handling::{Addresses, Concealment, Handling, Identifiers, Treatment};
pub use naming::{Convention, Lint, Naming};
pub use retention::{KEPT, Retention};

use crate::Json;
use crate::id::{EnvironmentKey, Invalid, ProposalKey, Revision, Team};
use crate::time::Millis;

/// The name of an event type or a property in a plan: 1 to 200 characters in one line.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

impl Name {
    /// The most characters of a name.
    pub const LONGEST: usize = 200;

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Name {
    type Error = Invalid;
    fn try_from(text: String) -> Result<Self, Invalid> {
        let long = text.chars().nth(Self::LONGEST).is_some();
        if text.trim().is_empty() || long || text.chars().any(char::is_control) {
            let shown: String = text.chars().filter(|c| !c.is_control()).take(40).collect();
            return Err(Invalid::new(
                format!("`{shown}` is not a name of an event type or a property"),
                "write 1 to 200 characters in one line",
            ));
        }
        if reserved(&text) {
            return Err(Invalid::new(
                format!("`{text}` is a name of an SDK's maker, which no plan is asked about"),
                "plan names that begin with neither `$` nor `[`",
            ));
        }
        Ok(Self(text))
    }
}

impl std::str::FromStr for Name {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        text.to_owned().try_into()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl std::borrow::Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl JsonSchema for Name {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Name".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string", "minLength": 1, "maxLength": Name::LONGEST,
            "description": "Name of an event type or a property.",
        })
    }
}

/// Whether a name is one that SDKs give to what they collect by themselves, such as `$pageview` or
/// `[Amplitude] Page Viewed`. No plan is asked about it.
///
/// ```
/// use bellwether_model::plan::reserved;
/// assert!(reserved("$exposure") && reserved("[Amplitude] Page Viewed"));
/// assert!(!reserved("Order Completed"));
/// ```
#[must_use]
pub fn reserved(name: &str) -> bool {
    name.starts_with(['$', '[']) || name == crate::event::EVALUATION
}

/// The whole plan, as it is written in a file and given to people.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrackingPlan {
    /// What holds for all event types.
    #[serde(default)]
    pub rules: PlanRules,
    /// The event types by name. While there is none, no event is judged.
    #[serde(default)]
    pub events: BTreeMap<Name, EventType>,
}

/// What holds for all event types.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanRules {
    /// How names are written.
    #[serde(default)]
    pub naming: Naming,
    /// What happens to events that do not follow the plan; in an environment that is not here they are
    /// accepted and marked.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environments: BTreeMap<EnvironmentKey, Handling>,
    /// Properties that tell who somebody is, by name, such as `email`: of users, of groups, and of events whose type does
    /// not plan them. What becomes of them says [`Handling::personal`].
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub personal: BTreeSet<String>,
    /// Whether the plan changes only by proposals that somebody else has approved.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub review: bool,
}

/// What happens, and what is in it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventType {
    /// When it is sent, and what it means.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Who answers for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Team>,
    /// For how many days its events are kept after they were received, in each environment; where it is not said, as long
    /// as their environment says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention_days: Option<Retention>,
    /// Its properties by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub properties: BTreeMap<Name, Property>,
}

/// A property of an event type.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Property {
    /// What it holds.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// What it means.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Who answers for it, where that is not who answers for the event type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Team>,
    /// Whether each event has it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub required: bool,
    /// Whether it tells who somebody is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub personal: bool,
    /// The only values that it may have, of a text, a number or a list's elements; empty allows all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<Json>,
    /// What a list holds; anything unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<Kind>,
}

/// What a property holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Whatever it is.
    #[default]
    Any,
    /// Text.
    String,
    /// A number.
    Number,
    /// A number without a fraction; `1.0` is one.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// A day or a moment in ISO 8601, as text: `2026-11-27` or `2026-11-27T09:00:00Z`.
    DateTime,
    /// A list.
    List,
    /// An object.
    Object,
}

impl Kind {
    /// Its word in the plan.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::String => "string",
            Self::Number => "number",
            Self::Integer => "integer",
            Self::Boolean => "boolean",
            Self::DateTime => "date_time",
            Self::List => "list",
            Self::Object => "object",
        }
    }

    /// The narrowest kind of a value; `None` of null, which is a missing value.
    #[must_use]
    pub fn of(value: &Json) -> Option<Self> {
        Some(match value {
            Json::Null => return None,
            Json::Bool(_) => Self::Boolean,
            Json::Number(_) if Self::Integer.holds(value) => Self::Integer,
            Json::Number(_) => Self::Number,
            Json::String(_) => Self::String,
            Json::Array(_) => Self::List,
            Json::Object(_) => Self::Object,
        })
    }

    /// Whether a value is of this kind.
    ///
    /// ```
    /// use bellwether_model::plan::Kind;
    /// use serde_json::json;
    /// assert!(Kind::Integer.holds(&json!(1.0)) && !Kind::Integer.holds(&json!(1.5)));
    /// assert!(Kind::DateTime.holds(&json!("2026-11-27")) && !Kind::DateTime.holds(&json!("soon")));
    /// ```
    #[must_use]
    pub fn holds(self, value: &Json) -> bool {
        match self {
            Self::Any => true,
            Self::String => value.is_string(),
            Self::Number => value.is_number(),
            Self::Integer => {
                value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|n| n.fract() == 0.0)
            }
            Self::Boolean => value.is_boolean(),
            Self::DateTime => value.as_str().is_some_and(moment),
            Self::List => value.is_array(),
            Self::Object => value.is_object(),
        }
    }
}

fn moment(text: &str) -> bool {
    // The cheap look first: most texts that are no date do not begin like one.
    text.as_bytes().first().is_some_and(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-'))
        && (text.parse::<jiff::Timestamp>().is_ok() || text.parse::<jiff::civil::DateTime>().is_ok())
}

impl Property {
    /// Whether one of the values that it may have is this one. Numbers are compared as numbers.
    #[must_use]
    pub fn allows(&self, value: &Json) -> bool {
        let same = |planned: &Json| match (planned, value) {
            (Json::Number(a), Json::Number(b)) => a == b || a.as_f64() == b.as_f64(),
            (a, b) => a == b,
        };
        self.values.is_empty() || self.values.iter().any(same)
    }

    /// What is wrong with it in itself.
    fn check(&self, place: &str) -> Result<(), Invalid> {
        if self.items.is_some() && self.kind != Kind::List {
            return Err(Invalid::new(
                format!("{place} is `{}` and says what a list holds", self.kind.word()),
                "leave `items` out, or make it a `list`",
            ));
        }
        if matches!(self.items, Some(Kind::List | Kind::Object)) && !self.values.is_empty() {
            return Err(Invalid::new(
                format!("{place} has values of lists or objects"),
                "leave `values` out",
            ));
        }
        let of = if self.kind == Kind::List { self.items.unwrap_or_default() } else { self.kind };
        let listed = matches!(of, Kind::String | Kind::Number | Kind::Integer);
        if !self.values.is_empty() && !listed {
            return Err(Invalid::new(
                format!("{place} is `{}` and has a list of values", of.word()),
                "only `string`, `number`, `integer`, and a `list` of them, may have `values`",
            ));
        }
        if self.values.len() > TrackingPlan::MOST_VALUES {
            return Err(Invalid::new(
                format!("{place} has more than `{}` values", TrackingPlan::MOST_VALUES),
                "leave `values` out where they are many",
            ));
        }
        if let Some(value) = self.values.iter().find(|value| !of.holds(value)) {
            return Err(Invalid::new(
                format!("{place} is `{}`, and its value `{value}` is not", of.word()),
                "give values of its type",
            ));
        }
        Ok(())
    }
}

impl EventType {
    /// Checks what the type alone cannot say.
    ///
    /// # Errors
    /// The first thing that is wrong, and where.
    pub fn check(&self, name: &Name) -> Result<(), Invalid> {
        if self.properties.len() > TrackingPlan::MOST_PROPERTIES {
            return Err(Invalid::new(
                format!("event type `{name}` has more than `{}` properties", TrackingPlan::MOST_PROPERTIES),
                "put what belongs together into an object",
            ));
        }
        for (property, planned) in &self.properties {
            planned.check(&format!("property `{property}` of `{name}`"))?;
        }
        Ok(())
    }
}

impl PlanRules {
    /// Whether a property of an event tells who somebody is. Where the event's type plans it, that decides; anywhere else
    /// the names do, also of event types that no plan can name.
    ///
    /// ```
    /// use bellwether_model::TrackingPlan;
    /// let plan: TrackingPlan = serde_json::from_value(serde_json::json!({"rules": {"personal": ["email"]},
    ///     "events": {"Asked": {"properties": {"email": {"type": "boolean"}}}}})).unwrap();
    /// let personal = |event: &str| plan.rules.calls_personal(plan.events.get(event), "email");
    /// assert!(personal("$pageview") && personal("Unplanned") && !personal("Asked"));
    /// ```
    #[must_use]
    pub fn calls_personal(&self, planned: Option<&EventType>, property: &str) -> bool {
        match planned.and_then(|planned| planned.properties.get(property)) {
            Some(planned) => planned.personal,
            None => self.personal.contains(property),
        }
    }

    /// Checks what the type alone cannot say.
    ///
    /// # Errors
    /// A pattern that is no regular expression, or personal names that can be nobody's.
    pub fn check(&self) -> Result<(), Invalid> {
        let odd = |name: &&String| name.trim().is_empty() || name.chars().nth(Name::LONGEST).is_some();
        if self.personal.len() > TrackingPlan::MOST_PROPERTIES || self.personal.iter().any(|name| odd(&name))
        {
            return Err(Invalid::new(
                "`personal` has too many names, or one that is empty or too long",
                format!(
                    "name at most {} properties, each with 1 to {} characters",
                    TrackingPlan::MOST_PROPERTIES,
                    Name::LONGEST
                ),
            ));
        }
        [&self.naming.events, &self.naming.properties].into_iter().flatten().try_for_each(Convention::check)
    }
}

impl TrackingPlan {
    /// The most event types of a plan.
    pub const MOST_EVENTS: usize = 5_000;
    /// The most properties of an event type.
    pub const MOST_PROPERTIES: usize = 500;
    /// The most values that a property may be held to.
    pub const MOST_VALUES: usize = 1_000;

    /// Checks what the type alone cannot say.
    ///
    /// # Errors
    /// The first thing that is wrong, and where.
    pub fn check(&self) -> Result<(), Invalid> {
        self.rules.check()?;
        if self.events.len() > Self::MOST_EVENTS {
            return Err(Invalid::new(
                format!("the plan has more than `{}` event types", Self::MOST_EVENTS),
                "plan what somebody looks at; a property tells what is alike apart",
            ));
        }
        self.events.iter().try_for_each(|(name, event)| event.check(name))
    }

    /// What makes this plan of another; empty where they are the same.
    #[must_use]
    pub fn changes_from(&self, was: &Self) -> PlanChanges {
        PlanChanges {
            rules: (self.rules != was.rules).then(|| self.rules.clone()),
            save: self
                .events
                .iter()
                .filter(|(name, event)| was.events.get(*name) != Some(event))
                .map(|(name, event)| (name.clone(), event.clone()))
                .collect(),
            remove: was.events.keys().filter(|name| !self.events.contains_key(*name)).cloned().collect(),
        }
    }

    /// The plan with changes made to it.
    #[must_use]
    pub fn with(mut self, changes: &PlanChanges) -> Self {
        if let Some(rules) = &changes.rules {
            self.rules = rules.clone();
        }
        self.events.retain(|name, _| !changes.remove.contains(name));
        self.events.extend(changes.save.iter().map(|(name, event)| (name.clone(), event.clone())));
        self
    }
}

/// What is to become of a plan.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlanChanges {
    /// Other rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<PlanRules>,
    /// Event types that are new or become other.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub save: BTreeMap<Name, EventType>,
    /// Event types that are planned no more.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub remove: BTreeSet<Name>,
}

impl PlanChanges {
    /// Whether nothing would change.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_none() && self.save.is_empty() && self.remove.is_empty()
    }

    /// The event types that it is about.
    pub fn events(&self) -> impl Iterator<Item = &Name> {
        self.save.keys().chain(&self.remove)
    }
}

/// Changes of the plan that somebody proposes and somebody else looks at: a branch of the plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Proposal {
    /// Its key.
    pub key: ProposalKey,
    /// What it is for, in a line.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// What would change.
    pub changes: PlanChanges,
    /// The revision of the plan that it was made of: what has changed of the same event types since stands
    /// against it.
    pub base: Revision,
    /// What became of it.
    pub state: ProposalState,
}

/// What became of a proposal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ProposalState {
    /// It can be looked at, made otherwise, approved or closed.
    Open,
    /// It is in the plan.
    Approved {
        /// Since when.
        at: Millis,
    },
    /// It was given up.
    Closed {
        /// When.
        at: Millis,
        /// Why.
        because: String,
    },
}

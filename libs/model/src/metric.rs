//! Model: a metric, the one definition that experiments, guards and charts share.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::MetricKey;

/// A number per unit, computed from its events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Metric {
    /// Its key.
    pub key: MetricKey,
    /// What people call it.
    pub name: String,
    /// What it means and why it matters.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The event type it counts.
    pub event: String,
    /// Only events with these properties.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub only: Vec<Filter>,
    /// What is computed per unit.
    pub measure: Measure,
    /// Which way is good.
    #[serde(default)]
    pub better: Better,
}

/// What is computed per unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "measure", rename_all = "snake_case")]
pub enum Measure {
    /// Whether the unit did the event at least once: a proportion of units.
    Conversion,
    /// How many times the unit did it: a mean per unit.
    Count,
    /// The sum of a numeric property over the unit's events: a mean per unit.
    Sum {
        /// The property that is summed; events without a number there count as 0.
        property: String,
    },
}

/// Which way is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// More is better.
    #[default]
    Higher,
    /// Less is better.
    Lower,
}

/// A condition on an event: the property has one of the values (as text), or none of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Filter {
    /// The property's name. Event properties are plain (`plan`), user properties have the prefix `user.`.
    pub property: String,
    /// The test.
    pub op: FilterOp,
    /// The values, as text; several are alternatives. `(none)` is the missing property.
    pub values: Vec<String>,
}

/// How a filter tests a property.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FilterOp {
    /// Equals any value.
    Is,
    /// Equals no value; a missing property passes.
    IsNot,
    /// Contains any value, case-insensitive.
    Contains,
    /// Contains no value; a missing property passes.
    DoesNotContain,
    /// A smaller number than any value.
    Less,
    /// A smaller or the same number.
    LessOrEqual,
    /// A greater number than any value.
    Greater,
    /// A greater or the same number.
    GreaterOrEqual,
}

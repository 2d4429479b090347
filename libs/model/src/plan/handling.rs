//! Model, plan: what happens to events as they come in.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Retention;

/// What happens to events: to those that do not follow the plan, where the strictest of what is due is done, and to
/// what is personal in them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Handling {
    /// To events whose type is not planned.
    #[serde(default)]
    pub unplanned_events: Treatment,
    /// To events with a property that is not planned.
    #[serde(default)]
    pub unplanned_properties: Treatment,
    /// To events that lack a required property, or have one of another type or value.
    #[serde(default)]
    pub invalid: Treatment,
    /// To the values of properties that are personal, those that the rules name included.
    #[serde(default)]
    pub personal: Concealment,
    /// To the addresses (IP) that events came from.
    #[serde(default)]
    pub addresses: Addresses,
    /// To the ids of users.
    #[serde(default)]
    pub user_ids: Identifiers,
    /// To the ids of devices.
    #[serde(default)]
    pub device_ids: Identifiers,
    /// For how many days events are kept after they were received, where their type says nothing else; without it, for
    /// ever. What tells who people are is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention_days: Option<Retention>,
}

/// What is stored of an id. Flags are evaluated by the id that an SDK sends, whatever is stored of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Identifiers {
    /// It, as it came.
    #[default]
    Keep,
    /// A keyed hash of it, in events and exposures alike: the same id has the same hash, so that joins hold.
    Hash,
}

/// What becomes of a personal value before it is stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Concealment {
    /// It is stored as it came.
    Keep,
    /// `***` stands where it was.
    #[default]
    Mask,
    /// A keyed hash stands where it was: equal values stay equal, and can be counted.
    Hash,
    /// It is left out.
    Drop,
}

/// What is kept of the address that an event came from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Addresses {
    /// Its network: 24 bits of version 4, 48 of version 6.
    #[default]
    Truncate,
    /// All of it.
    Keep,
    /// Nothing.
    Drop,
}

/// What is done with an event. The later is the stricter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Treatment {
    /// It is stored, and marked by the property `$verdict`.
    #[default]
    Accept,
    /// It is kept apart until somebody releases or deletes it; its sender is told that all is well.
    Quarantine,
    /// It is not stored; its sender is told why, where the protocol has words for it.
    Reject,
}

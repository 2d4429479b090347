//! Model: an admitted event. What comes over the wire is another type until intake has checked it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Map;

use crate::Json;
use crate::id::{EnvironmentKey, Revision};
use crate::time::Millis;

/// Properties by name; values are JSON, in practice text, numbers, booleans and lists.
pub type Properties = Map<String, Json>;

/// The event type of every exposure, whichever SDK or door it came through.
pub const EXPOSURE: &str = "$exposure";
/// The event type of a bulk answer: the unit was assigned, which does not mean that it saw anything.
pub const ASSIGNMENT: &str = "$assignment";
/// The event type of what only tells more of somebody: their properties, their groups.
pub const IDENTIFY: &str = "$identify";
/// The event type of what tells more of groups.
pub const GROUP_IDENTIFY: &str = "$groupidentify";
/// The event type of what says that a device is somebody's, or that two ids are one person's.
pub const ALIAS: &str = "$create_alias";
/// The event type of an evaluation that showed nobody a variant, as OpenTelemetry reports it.
pub const EVALUATION: &str = "feature_flag.evaluation";
/// Property of exposures and assignments: the flag.
pub const FLAG_KEY: &str = "flag_key";
/// Property of exposures and assignments: the variant.
pub const VARIANT: &str = "variant";
/// Property of what a program did, and not a person: by what it is known, [`BY_AGENT`] or [`BY_PACE`]. What a sender
/// writes into it itself is kept.
pub const BOT: &str = "$bot";
/// It calls itself a program.
pub const BY_AGENT: &str = "agent";
/// It is faster than people are.
pub const BY_PACE: &str = "pace";

/// Whether somebody did this, or it only happened to them or tells of them: exposures, assignments and what
/// is told of people and groups make nobody active.
///
/// ```
/// use bellwether_model::event::{EXPOSURE, IDENTIFY, is_active};
/// assert!(is_active("purchase"));
/// assert!(!is_active(EXPOSURE) && !is_active(IDENTIFY));
/// ```
pub fn is_active(event: &str) -> bool {
    !matches!(event, EXPOSURE | ASSIGNMENT | IDENTIFY | GROUP_IDENTIFY | ALIAS | EVALUATION)
}

/// Who did it: at least one id, or the event does not exist. Ids are never empty.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// A known user, on no device that we were told of.
    User(String),
    /// A device whose user is not known.
    Device(String),
    /// A known user on a device.
    Both {
        /// The user's id.
        user: String,
        /// The device's id.
        device: String,
    },
}

impl Who {
    /// Who it is; `None` where both ids are missing or empty.
    pub fn new(user: Option<String>, device: Option<String>) -> Option<Self> {
        let some = |id: Option<String>| id.filter(|id| !id.is_empty());
        match (some(user), some(device)) {
            (Some(user), Some(device)) => Some(Self::Both { user, device }),
            (Some(user), None) => Some(Self::User(user)),
            (None, Some(device)) => Some(Self::Device(device)),
            (None, None) => None,
        }
    }

    /// The user's id.
    pub fn user(&self) -> Option<&str> {
        match self {
            Self::User(user) | Self::Both { user, .. } => Some(user),
            Self::Device(_) => None,
        }
    }

    /// The device's id.
    pub fn device(&self) -> Option<&str> {
        match self {
            Self::Device(device) | Self::Both { device, .. } => Some(device),
            Self::User(_) => None,
        }
    }
}

/// An event that intake has admitted: it has an environment, somebody who did it, and a time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Where it happened.
    pub environment: EnvironmentKey,
    /// What happened, such as `purchase` or [`EXPOSURE`].
    pub event: String,
    /// Who did it.
    pub who: Who,
    /// When it happened, by the sender's clock.
    pub time: Millis,
    /// When we got it, by ours.
    pub received: Millis,
    /// The sender's id for it. The same id from the same device within seven days is the same event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub insert_id: Option<String>,
    /// The sender's session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<i64>,
    /// Its properties at that time.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub properties: Properties,
    /// What was known of the user at that time, this event's own changes included.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub user_properties: Properties,
    /// The groups, such as `{"company": "acme"}`.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub groups: Properties,
    /// What was known of the groups at that time: `{"company": {"acme": {"tier": "gold"}}}`.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub group_properties: Properties,
    /// What it changed of the user's properties, as [`profile`](crate::profile) reads it.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub user_changes: Properties,
    /// What it changed of the properties of its groups.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub group_changes: Properties,
    /// The revision of the ruleset that answered, on our own exposures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<Revision>,
}

/// What became of a batch of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Taken {
    /// Events that are new.
    pub stored: u64,
    /// Events that were here already.
    pub duplicates: u64,
    /// Of the new ones those without [`Event::insert_id`]: a copy of them would be new, too.
    #[serde(default)]
    pub unnamed: u64,
}

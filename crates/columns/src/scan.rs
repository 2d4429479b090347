//! Columns: how events are asked for.

use std::ops::ControlFlow;

use bellwether_model::{EnvironmentKey, Event, Json, Millis, Seq};

use crate::batch::Batch;

/// A property that a question needs: of the event, or of the user at that time; or which group of a kind it belongs to.
///
/// ```
/// use bellwether_columns::PropertyName;
/// assert_eq!(PropertyName::parse("plan"), PropertyName::Event("plan".into()));
/// assert_eq!(PropertyName::parse("user.plan"), PropertyName::User("plan".into()));
/// assert_eq!(PropertyName::parse("group.company"), PropertyName::Group("company".into()));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PropertyName {
    /// A property of the event.
    Event(String),
    /// A property of the user at the time of the event.
    User(String),
    /// The group of this kind that the event belongs to, as text; a list where it belongs to several.
    Group(String),
}

/// What marks the properties that are not the event's.
const USER: &str = "user.";
const GROUP: &str = "group.";

impl PropertyName {
    /// From the public form: plain names are event properties, `user.` marks user properties and `group.` kinds of groups.
    pub fn parse(name: &str) -> Self {
        if let Some(rest) = name.strip_prefix(USER) {
            Self::User(rest.to_owned())
        } else if let Some(rest) = name.strip_prefix(GROUP) {
            Self::Group(rest.to_owned())
        } else {
            Self::Event(name.to_owned())
        }
    }

    /// The public form; `None` for a property of the event that looks like one of the user or like a kind of groups,
    /// which no public form names.
    ///
    /// ```
    /// use bellwether_columns::PropertyName;
    /// for name in ["plan", "user.plan", "group.company"] {
    ///     assert_eq!(PropertyName::parse(name).public().as_deref(), Some(name));
    /// }
    /// assert_eq!(PropertyName::Event("user.plan".into()).public(), None);
    /// ```
    #[must_use]
    pub fn public(&self) -> Option<String> {
        match self {
            Self::Event(name) => (!name.starts_with(USER) && !name.starts_with(GROUP)).then(|| name.clone()),
            Self::User(name) => Some(format!("{USER}{name}")),
            Self::Group(kind) => Some(format!("{GROUP}{kind}")),
        }
    }

    /// The value that an event has for it; null is missing.
    pub fn of<'e>(&self, event: &'e Event) -> Option<&'e Json> {
        match self {
            Self::Event(name) => event.properties.get(name),
            Self::User(name) => event.user_properties.get(name),
            Self::Group(kind) => event.groups.get(kind),
        }
        .filter(|v| !v.is_null())
    }
}

/// Which rows and which columns are wanted.
#[derive(Debug, Clone)]
pub struct Want {
    /// Rows of this environment.
    pub environment: EnvironmentKey,
    /// Rows of these event types; `None` is every type.
    pub events: Option<Vec<String>>,
    /// Rows whose event time is at or after this.
    pub from: Millis,
    /// Rows whose event time is before this.
    pub to: Millis,
    /// The properties that batches must carry, in this order.
    pub properties: Vec<PropertyName>,
    /// The ids that batches must carry.
    pub ids: Ids,
}

/// Whose ids batches carry. What is not asked for is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ids {
    /// Nobody's: the columns of ids are empty.
    None,
    /// User and device, as the event came with them.
    Came,
    /// These, and the person: the user whose device it is where the event came without one.
    People(Known),
}

impl Ids {
    /// As of when it is asked whose a device is, where it is.
    #[must_use]
    pub fn known(self) -> Option<Known> {
        match self {
            Self::People(known) => Some(known),
            Self::None | Self::Came => None,
        }
    }
}

/// As of when it is asked whose a device is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// As it was known when the event came; a later sign-in changes nothing, so that what was counted once stays.
    Then,
    /// As it is known now: what a visitor did before they signed in is theirs.
    Now,
}

impl Want {
    /// Whether a row is wanted.
    pub fn wants(&self, event: &Event) -> bool {
        event.environment == self.environment
            && event.time >= self.from
            && event.time < self.to
            && self.events.as_ref().is_none_or(|events| events.contains(&event.event))
    }
}

/// Why events could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// A stored file could not be read or is not what it should be.
    #[error("cannot read `{what}`: {why}\nhint: run `bellwether doctor`")]
    Unreadable {
        /// The file.
        what: String,
        /// The cause.
        why: String,
    },
}

/// Events that can be read, at one moment: what is appended later is not seen.
pub trait Scan: Send + Sync {
    /// The moment: every event up to and including this one is seen, and none after it.
    fn seq(&self) -> Seq;

    /// Calls `each` with batches that hold exactly the rows that are wanted, in no promised order,
    /// until it breaks or there are no more.
    ///
    /// # Errors
    /// When a stored file cannot be read; what `each` saw until then is not the whole answer.
    fn scan(&self, want: &Want, each: &mut dyn FnMut(&Batch) -> ControlFlow<()>) -> Result<(), ScanError>;
}

//! Model: the names of things. A key that exists is well-formed; revisions and sequence numbers
//! cannot be mistaken for one another.

use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Input that cannot become a word of ours: what it was, where it stood and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Invalid {
    /// What is wrong, with the value in backticks; lowercase, no full stop.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

impl Invalid {
    /// An error with its hint.
    pub fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into() }
    }
}

/// A key: 1 to 100 characters of `A-Z a-z 0-9 . _ -`, the first a letter or a digit. A clone shares
/// the text.
///
/// ```
/// use bellwether_model::Key;
/// assert!("checkout-v2".parse::<Key>().is_ok());
/// assert!("-no".parse::<Key>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Key(Arc<str>);

impl Key {
    /// The most characters a key may have.
    pub const LONGEST: usize = 100;

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for Key {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let hint = "use 1 to 100 letters, digits, `.`, `_` or `-`, starting with a letter or digit";
        let starts = text.chars().next().is_some_and(|c| c.is_ascii_alphanumeric());
        let holds = text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
        if starts && holds && text.len() <= Self::LONGEST {
            Ok(Self(text.into()))
        } else {
            let shown: String = text.chars().take(40).collect();
            Err(Invalid::new(format!("`{shown}` is not a key"), hint))
        }
    }
}

impl TryFrom<String> for Key {
    type Error = Invalid;
    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        key.0.as_ref().into()
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn key_schema(about: &str) -> schemars::Schema {
    schemars::json_schema!({
        "type": "string", "minLength": 1, "maxLength": Key::LONGEST,
        "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]*$", "description": about,
    })
}

macro_rules! keys {
    ($($(#[$doc:meta])* $name:ident = $about:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Key);

        impl $name {
            /// The key as text.
            pub fn as_str(&self) -> &str { self.0.as_str() }
        }
        impl std::str::FromStr for $name {
            type Err = Invalid;
            fn from_str(text: &str) -> Result<Self, Invalid> { Ok(Self(text.parse()?)) }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { self.0.fmt(f) }
        }
        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str { self.as_str() }
        }
        impl JsonSchema for $name {
            fn inline_schema() -> bool { true }
            fn schema_name() -> std::borrow::Cow<'static, str> { stringify!($name).into() }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema { key_schema($about) }
        }
    )*};
}

keys! {
    /// Names an environment, such as `production`; unique in the whole installation.
    EnvironmentKey = "Key of an environment, such as `production`.";
    /// Names a flag.
    FlagKey = "Key of a flag.";
    /// Names a variant of a flag.
    VariantKey = "Key of a variant of the flag.";
    /// Names a metric.
    MetricKey = "Key of a metric.";
    /// Names an experiment.
    ExperimentKey = "Key of an experiment.";
    /// Names a segment of users.
    SegmentKey = "Key of a segment.";
    /// Names a layer of mutually exclusive flags.
    LayerKey = "Key of a layer.";
    /// Names a holdout.
    HoldoutKey = "Key of a holdout.";
    /// Names a beta, a group of flags that is switched as one.
    BetaKey = "Key of a beta.";
    /// Names a scheduled change.
    ScheduleKey = "Key of a scheduled change.";
    /// Names a proposal for the tracking plan.
    ProposalKey = "Key of a proposal for the tracking plan.";
    /// Names a team, whose flags a holdout may cover and who answers for events.
    Team = "Key of a team.";
}

// `Borrow<str>` requires that hashing a key equals hashing its text.
// `Key` derives `Hash` over `Arc<str>`, whose hash is that of `str`.

/// The number of a change in the ledger: 1 is the first, 0 is "before anything".
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct Revision(pub u64);

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number of an event in the order of its log: what is at or below the committed `Seq` is on disk.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct Seq(pub u64);

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Cites a list of ids that lives outside the log of changes, so that a person in it can be forgotten.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct ListId(pub String);

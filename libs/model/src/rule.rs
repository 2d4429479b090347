//! Model: what a rule may ask: operators, clauses on attributes, membership in segments. What an
//! operator says of an attribute is the business of `flags`; what its values must look like stands in
//! [`operand`](crate::operand).

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::flag::Serve;
use crate::id::{Invalid, SegmentKey};
use crate::operand;

/// A condition and what it serves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Rule {
    /// What people call it; shown as the reason.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Any of these groups must hold; a group holds when all its conditions do. Never empty.
    pub when: Vec<Vec<Condition>>,
    /// What it serves.
    pub serve: Serve,
}

/// What a rule asks of a context.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Condition {
    /// A test of an attribute.
    Clause(Clause),
    /// Whether the context is in a segment of users, or is not.
    Segment {
        /// The segment.
        segment: SegmentKey,
        /// Whether it must not be in it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        not: bool,
    },
}

impl Condition {
    /// The clause, if it is one.
    pub fn clause(&self) -> Option<&Clause> {
        match self {
            Self::Clause(clause) => Some(clause),
            Self::Segment { .. } => None,
        }
    }

    /// The segment that it asks for, if it asks for one.
    pub fn segment(&self) -> Option<&SegmentKey> {
        match self {
            Self::Clause(_) => None,
            Self::Segment { segment, .. } => Some(segment),
        }
    }
}

impl From<Clause> for Condition {
    fn from(clause: Clause) -> Self {
        Self::Clause(clause)
    }
}

impl<'de> Deserialize<'de> for Condition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// Everything that either form has, so that an error says what is wrong with the field that is.
        #[derive(Deserialize)]
        struct Fields {
            attribute: Option<String>,
            op: Option<Op>,
            values: Option<Vec<String>>,
            segment: Option<SegmentKey>,
            #[serde(default)]
            not: bool,
        }
        use serde::de::Error;
        let said = Fields::deserialize(deserializer)?;
        match said {
            Fields { segment: Some(segment), attribute: None, op: None, values: None, not } => {
                Ok(Self::Segment { segment, not })
            }
            Fields { segment: Some(_), .. } => Err(D::Error::custom(
                "a condition is a clause (`attribute`, `op`, `values`) or a `segment`, not both",
            )),
            Fields { not: true, .. } => Err(D::Error::custom(
                "`not` belongs to a `segment`; a clause has operators for it, as `is_not`",
            )),
            Fields { attribute, op, values, .. } => Ok(Self::Clause(Clause {
                attribute: attribute.ok_or_else(|| D::Error::missing_field("attribute"))?,
                op: op.ok_or_else(|| D::Error::missing_field("op"))?,
                values: values.ok_or_else(|| D::Error::missing_field("values"))?,
            })),
        }
    }
}

/// A test of one attribute against values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Clause {
    /// The attribute's name; dots walk into objects.
    pub attribute: String,
    /// The test.
    pub op: Op,
    /// What it is tested against, as text; several values are alternatives, but for `set_is` and
    /// `set_contains`, where they are the elements of one set.
    pub values: Vec<String>,
}

/// The most bytes that the attributes and values of a flag's rules, or of a segment, may have together.
pub const HEAVIEST: usize = 1 << 20;

impl Clause {
    /// Checks that it has an attribute and values that its operator can use. `at` says where it
    /// stands, for the message.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self, at: &dyn Fn() -> String) -> Result<(), Invalid> {
        let lacks = |what: String| {
            Err(Invalid::new(format!("{} {what}", at()), "name an attribute and give at least one value"))
        };
        if self.attribute.is_empty() {
            return lacks("tests no attribute".into());
        }
        if self.values.is_empty() {
            return lacks(format!("tests `{}` against nothing", self.attribute));
        }
        for value in &self.values {
            operand::check(self.op, value).map_err(|e| {
                Invalid::new(format!("in {}, on `{}`: {}", at(), self.attribute, e.message), e.hint)
            })?;
        }
        Ok(())
    }

    /// How many bytes it brings to what it is part of.
    pub fn weight(&self) -> usize {
        self.attribute.len() + self.values.iter().map(String::len).sum::<usize>()
    }
}

/// Checks groups of conditions that stand alone: there are some, none is empty, each clause can be asked, and
/// together they are not too heavy.
///
/// # Errors
/// The first thing that is wrong; `at` says where it stands.
pub(crate) fn checked(when: &[Vec<Condition>], at: &dyn Fn() -> String) -> Result<(), Invalid> {
    let weight = asked(when, at)?;
    weighs(weight, &at())
}

/// The same without the bound: what the groups weigh.
pub(crate) fn asked(when: &[Vec<Condition>], at: &dyn Fn() -> String) -> Result<usize, Invalid> {
    if when.is_empty() || when.iter().any(Vec::is_empty) {
        return Err(Invalid::new(
            format!("{} has an empty condition", at()),
            "give it at least one clause; to serve everybody use the default",
        ));
    }
    let mut weight = 0;
    for clause in when.iter().flatten().filter_map(Condition::clause) {
        clause.check(at)?;
        weight += clause.weight();
    }
    Ok(weight)
}

/// Refuses what weighs more than [`HEAVIEST`].
pub(crate) fn weighs(bytes: usize, what: &str) -> Result<(), Invalid> {
    if bytes <= HEAVIEST {
        return Ok(());
    }
    Err(Invalid::new(
        format!("{what} weigh `{bytes}` bytes, and at most {HEAVIEST} are read at every evaluation"),
        "put long lists of ids into a segment's list, which is looked up and not read",
    ))
}

/// A test of an attribute. The exact meaning, also for missing attributes, is that of the Amplitude
/// Experiment engine where it has the operator; where it has none, a missing attribute, or one that is
/// not of the operator's type, satisfies neither the operator nor its negation.
///
/// An operator that is not one of sets holds for a list when any element satisfies it, also where it
/// is negated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// Equals any value.
    Is,
    /// Equals none of the values.
    IsNot,
    /// Contains any value, case-insensitive.
    Contains,
    /// Contains none of the values, case-insensitive.
    DoesNotContain,
    /// A smaller number than any value.
    Less,
    /// A smaller or the same number.
    LessOrEqual,
    /// A greater number than any value.
    Greater,
    /// A greater or the same number.
    GreaterOrEqual,
    /// An earlier version than any value.
    VersionLess,
    /// An earlier or the same version.
    VersionLessOrEqual,
    /// A later version than any value.
    VersionGreater,
    /// A later or the same version.
    VersionGreaterOrEqual,
    /// The same version as any value.
    VersionIs,
    /// A version, and none of the values.
    VersionIsNot,
    /// At or after any value, with the same major number: `^1.2` is 1.2.0 up to 2.0.0.
    VersionCaret,
    /// At or after any value, with the same major and minor number: `~1.2.3` is 1.2.3 up to 1.3.0.
    VersionTilde,
    /// Starts with any value.
    StartsWith,
    /// Starts with none of the values.
    DoesNotStartWith,
    /// Ends with any value.
    EndsWith,
    /// Ends with none of the values.
    DoesNotEndWith,
    /// A regular expression among the values finds something in it.
    Matches,
    /// None of the regular expressions finds anything in it.
    DoesNotMatch,
    /// A list of exactly the values, in any order.
    SetIs,
    /// A list that is not exactly the values.
    SetIsNot,
    /// A list that holds every value.
    SetContains,
    /// A list that lacks a value.
    SetDoesNotContain,
    /// A list that holds at least one value.
    SetContainsAny,
    /// A list that holds none of the values.
    SetDoesNotContainAny,
    /// A point in time before any value.
    Before,
    /// A point in time after any value.
    After,
    /// An IP address in any of the networks.
    InNetwork,
    /// An IP address in none of the networks.
    NotInNetwork,
}

impl Op {
    /// Every operator.
    pub const ALL: [Self; 32] = [
        Self::Is,
        Self::IsNot,
        Self::Contains,
        Self::DoesNotContain,
        Self::Less,
        Self::LessOrEqual,
        Self::Greater,
        Self::GreaterOrEqual,
        Self::VersionLess,
        Self::VersionLessOrEqual,
        Self::VersionGreater,
        Self::VersionGreaterOrEqual,
        Self::VersionIs,
        Self::VersionIsNot,
        Self::VersionCaret,
        Self::VersionTilde,
        Self::StartsWith,
        Self::DoesNotStartWith,
        Self::EndsWith,
        Self::DoesNotEndWith,
        Self::Matches,
        Self::DoesNotMatch,
        Self::SetIs,
        Self::SetIsNot,
        Self::SetContains,
        Self::SetDoesNotContain,
        Self::SetContainsAny,
        Self::SetDoesNotContainAny,
        Self::Before,
        Self::After,
        Self::InNetwork,
        Self::NotInNetwork,
    ];

    /// The word by which it is stored and shown, such as `starts_with`.
    pub fn word(self) -> String {
        match serde_json::to_value(self) {
            Ok(serde_json::Value::String(word)) => word,
            _ => format!("{self:?}"),
        }
    }
}

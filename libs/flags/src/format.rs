//! Flags: which formats can say what. An operator names the formats that express it exactly; a flag
//! that uses another one is left out of the format, with the reason, and never approximated.

use bellwether_model::Op;
use schemars::JsonSchema;
use serde::Serialize;

/// A way by which a flag reaches somebody who evaluates it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// We evaluate and send the answer: OFREP and Amplitude's vardata.
    Answer,
    /// Our own provider evaluates our rules (see [`Document`](crate::Document)).
    Provider,
    /// The Amplitude Experiment SDKs evaluate our export (see [`amplitude`](crate::amplitude)), exactly for
    /// attributes of the types that it names: whole numbers are `1` and not `1.0`, for one.
    Amplitude,
    /// The flagd providers evaluate our export (see [`flagd`](crate::flagd)).
    Flagd,
}

/// The formats that express an operator exactly. What a flag's values, segments and lists say beyond
/// that is found when it is exported.
pub fn formats(op: Op) -> &'static [Format] {
    match (amplitude(op).is_some(), flagd(op)) {
        (true, true) => &[Format::Answer, Format::Provider, Format::Amplitude, Format::Flagd],
        (true, false) => &[Format::Answer, Format::Provider, Format::Amplitude],
        (false, true) => &[Format::Answer, Format::Provider, Format::Flagd],
        (false, false) => &[Format::Answer, Format::Provider],
    }
}

/// Why a flag that needs a memory is in no format: whoever evaluates by themselves has none.
pub(crate) const REMEMBERED: &str =
    "its enrolment is counted or sticky, and only the server remembers who was enrolled";

/// Whether JSONLogic with flagd's operators has a form for it. It has no letters in any case, no
/// patterns, no calendar and no networks.
pub(crate) fn flagd(op: Op) -> bool {
    !matches!(
        op,
        Op::Contains
            | Op::DoesNotContain
            | Op::Matches
            | Op::DoesNotMatch
            | Op::Before
            | Op::After
            | Op::InNetwork
            | Op::NotInNetwork
    )
}

/// How an operator reads in Amplitude's evaluation flags, where it can be said at all.
pub(crate) enum Amplitude {
    /// An operator of its own, with the values as they are.
    Op(&'static str),
    /// A search for each value, literally, between a prefix and a suffix.
    Search { before: &'static str, after: &'static str },
    /// A search for each pattern, where other engines read it alike.
    Pattern,
}

pub(crate) fn amplitude(op: Op) -> Option<Amplitude> {
    Some(Amplitude::Op(match op {
        Op::Is => "is",
        Op::IsNot => "is not",
        Op::Contains => "contains",
        Op::DoesNotContain => "does not contain",
        Op::Less => "less",
        Op::LessOrEqual => "less or equal",
        Op::Greater => "greater",
        Op::GreaterOrEqual => "greater or equal",
        Op::VersionLess => "version less",
        Op::VersionLessOrEqual => "version less or equal",
        Op::VersionGreater => "version greater",
        Op::VersionGreaterOrEqual => "version greater or equal",
        Op::SetIs => "set is",
        Op::SetIsNot => "set is not",
        Op::SetContains => "set contains",
        Op::SetDoesNotContain => "set does not contain",
        Op::SetContainsAny => "set contains any",
        Op::SetDoesNotContainAny => "set does not contain any",
        Op::StartsWith => return Some(Amplitude::Search { before: "^", after: "" }),
        // `$` would also match before a last line break in Python.
        Op::EndsWith => return Some(Amplitude::Search { before: "", after: END }),
        Op::Matches => return Some(Amplitude::Pattern),
        // Empty text holds for these and a missing attribute does not, and in Python it is missing.
        Op::DoesNotStartWith
        | Op::DoesNotEndWith
        | Op::DoesNotMatch
        | Op::VersionIs
        | Op::VersionIsNot
        | Op::VersionCaret
        | Op::VersionTilde
        | Op::Before
        | Op::After
        | Op::InNetwork
        | Op::NotInNetwork => return None,
    }))
}

/// The end of a text, in JavaScript and in Python.
pub(crate) const END: &str = "(?![\\s\\S])";

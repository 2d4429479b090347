//! Flags: which variant somebody gets, and why.
//!
//! This room promises that one environment's flags, compiled into a [`Ruleset`], give the same answer
//! for the same [`Context`](bellwether_model::Context) everywhere and always: evaluation reads no
//! clock, no network and no randomness, and [`explain`](Ruleset::explain) walks the very code that
//! [`evaluate`](Ruleset::evaluate) does. Bucketing is MurmurHash3 over `salt/unit` (see [`bucket`]),
//! tests of attributes follow the Amplitude Experiment engine, so that its official SDKs, given
//! [`amplitude::export`], agree with the server, and so do flagd's providers, given
//! [`flagd::export`].
//!
//! # The order of evaluation
//!
//! 1. A flag that is unknown, or archived, has no answer.
//! 2. A flag that is off serves `off` ([`Reason::Off`]).
//! 3. Each prerequisite is a flag that must serve one of the named variants to the same context; where
//!    one does not, or is not there, `off` is served ([`Reason::Prerequisite`]).
//! 4. A unit on a target's list gets the target's variant ([`Reason::Target`]).
//! 5. A unit in the held share of a holdout that covers the flag gets `off` ([`Reason::Holdout`]);
//!    without an id it is not held.
//! 6. A unit outside the flag's part of its layer gets `off` ([`Reason::Layer`]); without an id it is
//!    outside ([`Reason::NoUnit`]).
//! 7. The audience of a beta that holds the flag and is on gets the beta's variant ([`Reason::Beta`]).
//! 8. The first rule decides of whose groups one holds as a whole ([`Reason::Rule`],
//!    [`Reason::RuleSplit`]).
//! 9. The default decides ([`Reason::Split`], [`Reason::Default`], [`Reason::Static`]).
//!
//! A split without an id to place serves `off` ([`Reason::NoUnit`]).
//!
//! Where the default divides and the flag's enrolment is counted or sticky, a [`Memory`] says who keeps what
//! they had ([`Reason::Kept`]) and who comes too late ([`Reason::Closed`]). Only [`Ruleset::evaluate_with`]
//! asks one, and formats for SDKs that evaluate by themselves leave such a flag out.
//!
//! ```
//! use bellwether_flags::{Ruleset, Source};
//! use bellwether_model::{Context, Environment, Flag, Revision};
//! let flag: Flag = serde_json::from_value(serde_json::json!({
//!     "key": "checkout", "kind": "boolean", "created": 0,
//!     "variants": [{"key": "on", "value": true}, {"key": "off", "value": false}],
//!     "settings": {"production": {"on": true, "off": "off",
//!         "rules": [{"when": [[{"attribute": "country", "op": "is", "values": ["FI"]}]],
//!                    "serve": {"serve": "variant", "variant": "on"}}],
//!         "default": {"serve": "variant", "variant": "off"}}}
//! }))?;
//! let production: Environment =
//!     serde_json::from_value(serde_json::json!({"key": "production", "name": "Production"}))?;
//! let rules = Ruleset::compile(&production, Revision(1), Source::of_flags([&flag]))?;
//! let attributes = serde_json::json!({"country": "FI"}).as_object().cloned().unwrap_or_default();
//! let answer = rules.evaluate("checkout", &Context::new(Some("u1"), attributes)).unwrap();
//! assert_eq!(answer.variant.as_str(), "on");
//! assert_eq!(answer.reason.ofrep(), "TARGETING_MATCH");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod amplitude;
mod bucket;
mod compile;
mod document;
mod elements;
mod enrolment;
mod evaluate;
mod explain;
pub mod flagd;
mod format;
mod ids;
mod javascript;
mod keys;
mod parts;
mod pattern;
mod place;
mod quick;
mod ruleset;
mod test;
mod text;
mod words;

pub use bucket::{Bucket, bucket, threshold};
pub use document::Document;
pub use enrolment::{Asked, Division, Entry, How, Line, Memory, Origin, Prints, Register, Standing};
pub use evaluate::{Evaluation, Membership, Reason};
pub use explain::{Bucketed, ClauseStep, ConditionStep, Explanation, Placed, SegmentStep, Step, Stretch};
pub use format::{Format, formats};
pub use ids::Ids;
pub use ruleset::{Ruleset, Source};
pub use text::{is_number, unit};

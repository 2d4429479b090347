//! The words of Bellwether: ids, values, shares, contexts, flags, events, plans and changes.
//!
//! This room promises that whatever exists here is well-formed: a [`Key`] has been parsed, a
//! [`Split`]'s shares add up to 100%, a rollout is in exactly one state. It knows no clock and does
//! no I/O; every other room speaks these types and adds none of its own for the same thing.

pub mod change;
pub mod context;
pub mod event;
pub mod experiment;
pub mod flag;
pub mod id;
pub mod metric;
pub mod rollout;
pub mod share;
pub mod split;
pub mod time;

pub use change::{Actor, Change, Edit, Subject};
pub use context::Context;
pub use event::{Event, Properties};
pub use experiment::Experiment;
pub use flag::{Clause, Environment, Flag, Op, Rule, Serve, Setting, Target, Unit, Variant};
pub use id::{
    EnvironmentKey, ExperimentKey, FlagKey, Invalid, Key, ListId, MetricKey, Revision, Seq, VariantKey,
};
pub use metric::Metric;
pub use rollout::{Guard, Rollout, RolloutState};
pub use share::Share;
pub use split::Split;
pub use time::{Millis, Span};

/// A JSON value, as variants, attributes and properties carry it.
pub type Json = serde_json::Value;

//! The words of Bellwether: ids, values, shares, contexts, flags, events, plans and changes.
//!
//! This room promises that whatever exists here is well-formed: a [`Key`] has been parsed, a
//! [`Split`]'s shares add up to 100%, a rollout is in exactly one state. It knows no clock and does
//! no I/O; every other room speaks these types and adds none of its own for the same thing.

pub mod beta;
pub mod change;
pub mod context;
pub mod enrolment;
pub mod event;
pub mod experiment;
pub mod fingerprint;
pub mod flag;
pub mod glance;
pub mod holdout;
pub mod id;
pub mod layer;
pub mod metric;
pub mod operand;
pub mod plan;
pub mod prerequisite;
pub mod profile;
pub mod rollout;
pub mod rule;
pub mod schedule;
pub mod segment;
pub mod share;
pub mod split;
pub mod time;

pub use beta::Beta;
pub use change::{Actor, Change, Edit, Subject};
pub use context::{Attribute, Context};
pub use enrolment::Enrolment;
pub use event::{Event, Properties};
pub use experiment::Experiment;
pub use flag::{Bucketing, Environment, Flag, Serve, Setting, Target, Unit, Variant};
pub use holdout::{Covers, Holdout};
pub use id::{
    BetaKey, EnvironmentKey, ExperimentKey, FlagKey, HoldoutKey, Invalid, Key, LayerKey, ListId, MetricKey,
    ProposalKey, Revision, ScheduleKey, SegmentKey, Seq, Team, VariantKey,
};
pub use layer::Layer;
pub use metric::Metric;
pub use plan::{Proposal, ProposalState, TrackingPlan};
pub use prerequisite::Prerequisite;
pub use rollout::{Guard, Pace, Ramp, Rollout, RolloutState, Step};
pub use rule::{Clause, Condition, Op, Rule};
pub use schedule::{Planned, Portion, Schedule, ScheduleState};
pub use segment::Segment;
pub use share::Share;
pub use split::Split;
pub use time::{Millis, Span};

/// A JSON value, as variants, attributes and properties carry it.
pub type Json = serde_json::Value;

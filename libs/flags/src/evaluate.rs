//! Flags: which variant. One walk over the compiled segments, watched by a visitor that either
//! records everything or compiles to nothing.

use std::borrow::Cow;

use bellwether_model::{Context, FlagKey, Json, Revision, Unit, VariantKey};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::bucket::Bucket;
use crate::ruleset::{Arm, Compiled, Condition, Outcome, Place, Segment, Serves, When};
use crate::test::{Attribute, Seen};
use crate::text;

/// What somebody gets of a flag.
#[derive(Debug, Clone)]
pub struct Evaluation<'r> {
    /// The flag.
    pub flag: &'r FlagKey,
    /// The variant.
    pub variant: &'r VariantKey,
    /// Its value.
    pub value: &'r Json,
    /// Why.
    pub reason: Reason,
    /// Whether the default's split enrolled the unit: it has an arm and is not part of the split's rest, or
    /// it has either side of a rollout that widens. Only then does an exposure count.
    pub enrolled: bool,
    pub(crate) revision: Revision,
    pub(crate) compiled: &'r Compiled,
    pub(crate) segment: &'r Segment,
    pub(crate) outcome: &'r Outcome,
}

impl Evaluation<'_> {
    /// The id that a split needed and the context does not have: then nobody was placed, and the variant
    /// is the off variant for want of another.
    pub fn lacks(&self) -> Option<Unit> {
        (self.reason == Reason::NoUnit).then_some(self.compiled.unit)
    }
}

/// Why a variant was served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "because", rename_all = "snake_case")]
pub enum Reason {
    /// The flag is off.
    Off,
    /// The unit is a target.
    Target,
    /// A rule matched and serves one variant.
    Rule {
        /// Which one, from 0.
        index: u32,
    },
    /// A rule matched and divides.
    RuleSplit {
        /// Which one, from 0.
        index: u32,
    },
    /// The default divides.
    Split,
    /// Everybody gets it: there are no targets and no rules.
    Static,
    /// No target and no rule took it, and the default serves one variant.
    Default,
    /// A split decides, but the context has no id to place; it gets the off variant.
    NoUnit,
}

impl Reason {
    /// The word that OpenFeature and OFREP have for it.
    pub fn ofrep(self) -> &'static str {
        match self {
            Self::Off => "DISABLED",
            Self::Target | Self::Rule { .. } => "TARGETING_MATCH",
            Self::RuleSplit { .. } | Self::Split => "SPLIT",
            Self::Static => "STATIC",
            Self::Default | Self::NoUnit => "DEFAULT",
        }
    }
}

/// Watches an evaluation. By default it sees nothing.
pub(crate) trait Visitor {
    /// A segment is looked at.
    fn enter(&mut self, _segment: &Segment) {}
    /// A group of clauses begins.
    fn group(&mut self) {}
    /// A clause was tested.
    fn clause(&mut self, _condition: &Condition, _seen: Option<Seen<'_>>, _matched: bool) {}
    /// The segment that was entered decides, or does not.
    fn leave(&mut self, _matched: bool) {}
    /// A split placed a unit, or had none.
    fn split(&mut self, _unit: Unit, _salt: &str, _arms: &[Arm], _placed: Option<(&str, Bucket)>) {}
}

/// Sees nothing and costs nothing.
pub(crate) struct Silent;

impl Visitor for Silent {}

/// A decision before it knows its revision.
pub(crate) struct Decision<'r> {
    compiled: &'r Compiled,
    segment: &'r Segment,
    outcome: &'r Outcome,
    reason: Reason,
    enrolled: bool,
}

impl<'r> Decision<'r> {
    pub(crate) fn at(self, revision: Revision) -> Evaluation<'r> {
        Evaluation {
            flag: &self.compiled.key,
            variant: &self.outcome.key,
            value: &self.outcome.value,
            reason: self.reason,
            enrolled: self.enrolled,
            revision,
            compiled: self.compiled,
            segment: self.segment,
            outcome: self.outcome,
        }
    }
}

impl Compiled {
    pub(crate) fn decide<V: Visitor>(&self, context: &Context, visitor: &mut V) -> Decision<'_> {
        for (when, segment) in &self.conditional {
            visitor.enter(segment);
            let matched = when.holds(context, visitor);
            visitor.leave(matched);
            if matched {
                return self.serve(segment, context, visitor);
            }
        }
        visitor.enter(&self.otherwise);
        visitor.leave(true);
        self.serve(&self.otherwise, context, visitor)
    }

    fn serve<'r, V: Visitor>(
        &'r self,
        segment: &'r Segment,
        context: &Context,
        visitor: &mut V,
    ) -> Decision<'r> {
        let decision =
            |outcome, reason, enrolled| Decision { compiled: self, segment, outcome, reason, enrolled };
        let (salt, salted, arms) = match &segment.serves {
            Serves::One(outcome) => {
                let reason = match segment.place {
                    Place::Off => Reason::Off,
                    Place::Target => Reason::Target,
                    Place::Rule(index) => Reason::Rule { index },
                    Place::Everybody => Reason::Static,
                    Place::Default => Reason::Default,
                };
                return decision(outcome, reason, false);
            }
            Serves::Split { salt, salted, arms } => (salt, salted, arms),
        };
        let id = unit_id(self.unit, context);
        let placed = id.as_deref().map(|id| (id, salted.bucket(id)));
        visitor.split(self.unit, salt, arms, placed);
        let arm = placed.and_then(|(_, bucket)| arms.iter().find(|arm| bucket.position() < arm.end));
        let Some(arm) = arm else { return decision(&self.off, Reason::NoUnit, false) };
        let reason = match segment.place {
            Place::Rule(index) => Reason::RuleSplit { index },
            Place::Off | Place::Target | Place::Everybody | Place::Default => Reason::Split,
        };
        // A rule picks whom it divides: its shares are not the default's, and pooling the two would show
        // the difference between whom they pick as an effect.
        decision(&arm.outcome, reason, arm.enrolled && segment.compares())
    }
}

/// The id that a split places, never empty.
fn unit_id(unit: Unit, context: &Context) -> Option<Cow<'_, str>> {
    match unit {
        Unit::User => context.key().map(Cow::Borrowed),
        Unit::Device => context.attribute(unit.attribute()).and_then(text::text).filter(|id| !id.is_empty()),
    }
}

impl When {
    fn holds<V: Visitor>(&self, context: &Context, visitor: &mut V) -> bool {
        match self {
            Self::Listed { attribute, test, .. } => test.holds(Attribute::find(attribute, context)),
            Self::Any(groups) => groups.iter().any(|group| {
                visitor.group();
                group.iter().all(|condition| {
                    let seen = condition.attribute.find(context);
                    let matched = condition.test.holds(seen);
                    visitor.clause(condition, seen, matched);
                    matched
                })
            }),
        }
    }
}

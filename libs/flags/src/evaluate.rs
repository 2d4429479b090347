//! Flags: which variant. One walk over a flag's branches, watched by a visitor that either records
//! everything or compiles to nothing.
//!
//! Nothing is copied and nothing allocated, but for attributes of the kinds that [`test`](crate::test) names,
//! and the ids of the unit and the device where a memory is asked.
//!
//! # What it costs
//!
//! A rule of three clauses and a percentage needs, at the least: the fingerprint of the flag's key (two
//! multiplications), a look into the table of keys and a comparison with the key found there; for each
//! clause one attribute, found and compared; one hash of the unit's id; a comparison with each end of the
//! split. In memory that is about ten lines of the ruleset, which stay near while flags are asked, and five
//! of the context: its head, three slots, the id. The hash bounds how soon it can be done: MurmurHash3 takes
//! five cycles for each four bytes and twenty at its end, forty for an id of fifteen bytes. A clause cannot
//! be had for less than some twenty instructions, the whole not for less than some two hundred, which a core
//! of today works off in 20 ns.
//!
//! This code takes about 490 instructions (callgrind) and guesses no branch that people's attributes or
//! positions decide: eight names are compared at once, all words of a clause and all ends of a split are
//! compared whatever the first says, versions were parsed when the context was made. That is 50 ns on a core
//! of 2021 that nobody shares (`bench/RESULTS.md`). Where the rest goes: 60 instructions for a clause, of
//! which a third is the comparison with three words where one would do; 100 for the hash and the split;
//! 90 for finding the flag; 40 for handing out the answer. What would take them away is one form of code
//! for each form of rule, and is not worth it.

use std::sync::Arc;

use bellwether_model::{BetaKey, Context, FlagKey, HoldoutKey, Json, LayerKey, ListId, Unit, VariantKey};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::bucket::Bucket;
use crate::enrolment::{Asked, How, Memory, Standing};
use crate::ids::Ids;
use crate::place::Place;
use crate::ruleset::{
    Arm, Branch, Compiled, Condition, Gate, Groups, Members, Outcome, Parent, Part, Ranges, Ruleset, Serves,
    Tested, When,
};

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
    pub reason: &'r Reason,
    /// Whether the default's split enrolled the unit: it has an arm and is not part of the split's rest, or
    /// it has either side of a rollout that widens. Only then does an exposure count.
    pub enrolled: bool,
    pub(crate) compiled: &'r Compiled,
    pub(crate) branch: &'r Branch,
}

impl Evaluation<'_> {
    /// The id that a split or a layer needed and the context does not have: then nobody was placed, and the
    /// variant is the off variant for want of another.
    pub fn lacks(&self) -> Option<Unit> {
        let needed = match &self.branch.when {
            When::Outside(gate) => gate.unit,
            _ => self.compiled.unit,
        };
        (*self.reason == Reason::NoUnit).then_some(needed)
    }
}

/// Why a variant was served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "because", rename_all = "snake_case")]
pub enum Reason {
    /// The flag is off.
    Off,
    /// A prerequisite is not met.
    Prerequisite {
        /// The flag that does not serve what it should.
        flag: FlagKey,
    },
    /// The unit is a target.
    Target,
    /// The unit is held out.
    Holdout {
        /// By which holdout.
        holdout: HoldoutKey,
    },
    /// The unit is not in the flag's part of its layer.
    Layer {
        /// Which layer.
        layer: LayerKey,
    },
    /// Whoever is in the audience of a beta gets its variant.
    Beta {
        /// Which beta.
        beta: BetaKey,
    },
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
    /// The default divides, and the unit keeps what it got before.
    Kept,
    /// The default divides, and the unit comes too late: as many are enrolled as may be.
    Closed,
    /// Everybody gets it: there is nothing else in the setting.
    Static,
    /// Nothing else took it, and the default serves one variant.
    Default,
    /// A split or a layer decides, but the context has no id to place; it gets the off variant.
    NoUnit,
}

impl Reason {
    /// Why a part of a setting serves what it serves, where the unit has what it needs.
    pub(crate) fn of(part: &Part, serves: &Serves) -> Self {
        match (part, serves) {
            (Part::Off, _) => Self::Off,
            (Part::Prerequisite(flag), _) => Self::Prerequisite { flag: flag.clone() },
            (Part::Target, _) => Self::Target,
            (Part::Holdout(holdout), _) => Self::Holdout { holdout: holdout.clone() },
            (Part::Layer(layer), _) => Self::Layer { layer: layer.clone() },
            (Part::Beta(beta), _) => Self::Beta { beta: beta.clone() },
            (Part::Rule(index), Serves::One(_)) => Self::Rule { index: *index },
            (Part::Rule(index), Serves::Split(_)) => Self::RuleSplit { index: *index },
            (Part::Everybody, Serves::One(_)) => Self::Static,
            (Part::Default, Serves::One(_)) => Self::Default,
            (Part::Everybody | Part::Default, Serves::Split(_)) => Self::Split,
        }
    }

    /// The word that OpenFeature and OFREP have for it.
    pub fn ofrep(&self) -> &'static str {
        match self {
            Self::Off => "DISABLED",
            Self::Target | Self::Beta { .. } | Self::Rule { .. } => "TARGETING_MATCH",
            Self::RuleSplit { .. } | Self::Split | Self::Kept | Self::Holdout { .. } | Self::Layer { .. } => {
                "SPLIT"
            }
            Self::Static => "STATIC",
            Self::Default | Self::Closed | Self::NoUnit | Self::Prerequisite { .. } => "DEFAULT",
        }
    }
}

/// Why somebody is in a segment, or is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Membership {
    /// The list of those included has the id.
    Included,
    /// The list of those excluded has the id.
    Excluded,
    /// The condition holds.
    Matched,
    /// Nothing of it.
    Unmatched,
}

impl Membership {
    /// Whether it is a membership.
    pub fn holds(self) -> bool {
        matches!(self, Self::Included | Self::Matched)
    }
}

/// Goes along with an evaluation. By default it remembers nothing and sees nothing.
pub(crate) trait Visitor {
    /// What remembers who was enrolled.
    fn memory(&self) -> Option<&dyn Memory> {
        None
    }
    /// A branch is looked at.
    fn enter(&mut self, _branch: &Branch) {}
    /// A prerequisite was asked.
    fn parent(&mut self, _parent: &Parent, _answer: Option<&Evaluation<'_>>) {}
    /// A position was compared with a part of the population.
    fn gate(&mut self, _gate: &Gate, _placed: Option<(&str, Bucket)>) {}
    /// A group of conditions begins.
    fn group(&mut self) {}
    /// A clause was tested.
    fn clause(&mut self, _tested: &Tested, _context: &Context, _matched: bool) {}
    /// A segment is asked; its groups and clauses follow.
    fn segment(&mut self, _members: &Members, _not: bool) {}
    /// The segment has answered.
    fn member(&mut self, _membership: Membership, _matched: bool) {}
    /// The branch that was entered decides, or does not.
    fn leave(&mut self, _matched: bool) {}
    /// A split placed a unit, or had none.
    fn split(&mut self, _unit: Unit, _salt: &str, _arms: &[Arm], _placed: Option<(&str, Bucket)>) {}
    /// A memory has said how a unit stands.
    fn stands(&mut self, _asked: &Asked<'_>, _standing: Standing) {}
}

/// Sees nothing and costs nothing.
pub(crate) struct Silent;

impl Visitor for Silent {}

/// Sees nothing, and remembers.
pub(crate) struct Recalling<'m>(pub(crate) &'m dyn Memory);

impl Visitor for Recalling<'_> {
    fn memory(&self) -> Option<&dyn Memory> {
        Some(self.0)
    }
}

impl Compiled {
    // Not inlined: so it has all registers, and what hashing waits for is in none of the stack's.
    #[inline(never)]
    pub(crate) fn decide<'r, V: Visitor>(
        &'r self,
        rules: &'r Ruleset,
        context: &Context,
        visitor: &mut V,
    ) -> Evaluation<'r> {
        let branch = if self.branches.is_empty() { None } else { self.branch(rules, context, visitor) };
        let branch = branch.unwrap_or_else(|| {
            visitor.enter(&self.otherwise);
            visitor.leave(true);
            &self.otherwise
        });
        let ranges = match &branch.serves {
            Serves::One(outcome) => return self.evaluation(branch, outcome, branch.reason(context), false),
            Serves::Split(ranges) => ranges,
        };
        if visitor.memory().is_some()
            && branch.compares()
            && let Some(evaluation) = self.recall(branch, context, visitor)
        {
            return evaluation;
        }
        let arm = match &self.id {
            Place::User => context.key().and_then(|id| self.arm(ranges, id, visitor)),
            Place::Named(_) => self.arm_of_another(ranges, context, visitor),
        };
        let Some(arm) = arm else {
            visitor.split(self.unit, ranges.salted.salt(), &ranges.arms, None);
            return self.evaluation(branch, &self.off, &Reason::NoUnit, false);
        };
        self.evaluation(branch, &arm.outcome, &branch.reason, arm.enrolled)
    }

    #[inline(always)]
    fn evaluation<'r>(
        &'r self,
        branch: &'r Branch,
        outcome: &'r Outcome,
        reason: &'r Reason,
        enrolled: bool,
    ) -> Evaluation<'r> {
        Evaluation {
            flag: &self.key,
            variant: &outcome.key,
            value: &outcome.value,
            reason,
            enrolled,
            compiled: self,
            branch,
        }
    }

    /// The first branch that decides, if one does.
    // Not inlined: many flags have no branches, and keep the registers.
    #[inline(never)]
    fn branch<'r, V: Visitor>(
        &'r self,
        rules: &'r Ruleset,
        context: &Context,
        visitor: &mut V,
    ) -> Option<&'r Branch> {
        self.branches.iter().find(|branch| {
            visitor.enter(branch);
            let matched = branch.when.holds(self, rules, context, visitor);
            visitor.leave(matched);
            matched
        })
    }

    /// Where a unit stands.
    #[inline(always)]
    fn arm<'r, V: Visitor>(
        &self,
        Ranges { arms, salted }: &'r Ranges,
        id: &str,
        visitor: &mut V,
    ) -> Option<&'r Arm> {
        let bucket = salted.bucket(id);
        visitor.split(self.unit, salted.salt(), arms, Some((id, bucket)));
        let passed = |arm: &Arm| arm.begin <= bucket.hash;
        // Counted, not searched: where somebody stands cannot be guessed. Everybody has passed the first.
        let at = match &**arms {
            [_, second] => usize::from(passed(second)),
            arms => arms.iter().skip(1).filter(|arm| passed(arm)).count(),
        };
        arms.get(at)
    }

    // Not inlined: the id may have any type of JSON, and hashing would be written out for each of them.
    #[inline(never)]
    fn arm_of_another<'r, V: Visitor>(
        &self,
        ranges: &'r Ranges,
        context: &Context,
        visitor: &mut V,
    ) -> Option<&'r Arm> {
        self.id.with_id(context, |id| self.arm(ranges, id, visitor)).flatten()
    }

    /// What a unit gets of the default by what is remembered of it; `None` where nothing is.
    #[inline(never)]
    fn recall<'r, V: Visitor>(
        &'r self,
        branch: &'r Branch,
        context: &Context,
        visitor: &mut V,
    ) -> Option<Evaluation<'r>> {
        let division = self.division()?;
        let placed = |place: &Place| place.with_id(context, |id| (id.to_owned(), division.salted.bucket(id)));
        let unit = placed(&self.id);
        let device = division.enrolling.device.as_ref().and_then(placed);
        let asked = Asked {
            flag: &self.key,
            by: self.unit,
            division,
            unit: unit.as_ref().map(|(id, bucket)| (id.as_str(), *bucket)),
            device: device.as_ref().map(|(id, bucket)| (id.as_str(), *bucket)),
        };
        let standing = visitor.memory()?.stand(&asked)?;
        let arm = standing.arm.and_then(|arm| division.arms.get(arm));
        // The control is not held, so that its side of a rollout ends with enrolment; the other must.
        let ended = division.enrolling.rollout && standing.closed;
        let (outcome, reason, enrolled) = match (standing.how, arm) {
            (How::Kept, Some(arm)) => (&arm.outcome, &Reason::Kept, arm.enrolled && !ended),
            (How::Enrolled | How::Placed, Some(arm)) => {
                (&arm.outcome, &branch.reason, arm.enrolled && !ended)
            }
            (How::Closed, _) => (&division.enrolling.shut, &Reason::Closed, false),
            (How::Kept | How::Enrolled | How::Placed, None) => return None,
        };
        visitor.stands(&asked, standing);
        Some(self.evaluation(branch, outcome, reason, enrolled))
    }
}

impl Branch {
    /// Why it serves its one variant.
    #[inline]
    fn reason(&self, context: &Context) -> &Reason {
        match &self.when {
            When::Outside(gate) if !gate.places(context) => &Reason::NoUnit,
            _ => &self.reason,
        }
    }
}

impl When {
    #[inline]
    fn holds<V: Visitor>(
        &self,
        flag: &Compiled,
        rules: &Ruleset,
        context: &Context,
        visitor: &mut V,
    ) -> bool {
        match self {
            Self::Always => true,
            Self::Any(groups) => groups.hold(context, visitor),
            Self::Listed { ids, .. } => flag.id.is_listed(ids, context),
            Self::Within(gate) => gate.holds(context, visitor) == Some(true),
            Self::Outside(gate) => gate.holds(context, visitor) != Some(true),
            Self::Unmet(parent) => !parent.met(rules, context, visitor),
        }
    }
}

impl Groups {
    #[inline]
    fn hold<V: Visitor>(&self, context: &Context, visitor: &mut V) -> bool {
        let others = |visitor: &mut V| self.others.as_ref().is_some_and(|o| any_holds(o, context, visitor));
        all_hold(&self.first, context, visitor) || others(visitor)
    }
}

#[inline(never)]
fn any_holds<V: Visitor>(groups: &[Box<[Condition]>], context: &Context, visitor: &mut V) -> bool {
    groups.iter().any(|group| all_hold(group, context, visitor))
}

#[inline(always)]
fn all_hold<V: Visitor>(group: &[Condition], context: &Context, visitor: &mut V) -> bool {
    visitor.group();
    // A loop, because the closure of `all` is not inlined.
    for condition in group {
        let holds = match condition {
            Condition::Clause(tested) => tested.holds(context, visitor),
            Condition::Segment { members, not } => members.hold(*not, context, visitor),
        };
        if !holds {
            return false;
        }
    }
    true
}

impl Parent {
    // Not inlined: it is the one place where the walk goes deeper.
    #[inline(never)]
    fn met<V: Visitor>(&self, rules: &Ruleset, context: &Context, visitor: &mut V) -> bool {
        let flag = self.at.and_then(|at| rules.flags().get(at));
        let answer = flag.map(|flag| match visitor.memory() {
            None => flag.decide(rules, context, &mut Silent),
            Some(memory) => flag.decide(rules, context, &mut Recalling(memory)),
        });
        visitor.parent(self, answer.as_ref());
        answer.is_some_and(|answer| self.variants.contains(answer.variant))
    }
}

impl Gate {
    /// Whether the unit's position is in it; `None` without an id.
    #[inline(never)]
    fn holds<V: Visitor>(&self, context: &Context, visitor: &mut V) -> Option<bool> {
        let inside = self.id.with_id(context, |id| {
            let bucket = self.salted.bucket(id);
            visitor.gate(self, Some((id, bucket)));
            self.has(bucket.position())
        });
        if inside.is_none() {
            visitor.gate(self, None);
        }
        inside
    }

    /// Whether there is an id to place.
    #[inline(never)]
    fn places(&self, context: &Context) -> bool {
        self.id.with_id(context, |_| ()).is_some()
    }

    pub(crate) fn has(&self, position: u32) -> bool {
        self.spans.iter().any(|span| span.positions.0 <= position && position < span.positions.1)
    }
}

impl Tested {
    #[inline]
    fn holds<V: Visitor>(&self, context: &Context, visitor: &mut V) -> bool {
        let glanced = self.quick.holds(self.place.glance(context));
        let matched = glanced.unwrap_or_else(|| self.holds_looking(context));
        visitor.clause(self, context, matched);
        matched
    }

    #[inline(never)]
    fn holds_looking(&self, context: &Context) -> bool {
        self.whole.test.holds(self.place.find(context))
    }
}

impl Members {
    /// Whether the context is in the segment, or is `not`.
    #[inline(never)]
    fn hold<V: Visitor>(&self, not: bool, context: &Context, visitor: &mut V) -> bool {
        visitor.segment(self, not);
        let membership = self.membership(context, visitor);
        let matched = membership.holds() != not;
        visitor.member(membership, matched);
        matched
    }

    #[inline]
    fn membership<V: Visitor>(&self, context: &Context, visitor: &mut V) -> Membership {
        let listed = |list: &Option<(ListId, Arc<Ids>)>| {
            list.as_ref().is_some_and(|(_, ids)| self.id.is_listed(ids, context))
        };
        if listed(&self.included) {
            return Membership::Included;
        }
        if listed(&self.excluded) {
            return Membership::Excluded;
        }
        let matched = self.groups.iter().any(|group| {
            visitor.group();
            group.iter().all(|tested| tested.holds(context, visitor))
        });
        if matched { Membership::Matched } else { Membership::Unmatched }
    }
}

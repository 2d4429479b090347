//! Flags: one environment's flags, compiled. What exists here needs no more checks to be evaluated:
//! variants are found, splits are thresholds, values are parsed, segments and parents are at hand.

use std::fmt;
use std::sync::Arc;

use bellwether_model::flag::Kind;
use bellwether_model::{
    Beta, BetaKey, Bucketing, Clause, Context, Environment, EnvironmentKey, Flag, FlagKey, Holdout,
    HoldoutKey, Invalid, Json, Layer, LayerKey, ListId, Revision, Segment, SegmentKey, Unit, VariantKey,
    prerequisite,
};

use crate::bucket::{Salted, threshold};
use crate::compile::{Compiler, Role};
use crate::enrolment::{Division, Memory};
use crate::evaluate::{Evaluation, Reason, Recalling, Silent};
use crate::explain::{self, Explanation};
use crate::ids::Ids;
use crate::keys::{Keys, Spelling};
use crate::place::Place;
use crate::quick::Quick;
use crate::test::Test;

/// The flags of one environment at one revision, immutable and ready to be evaluated. Share it in an
/// [`Arc`].
#[derive(Debug)]
pub struct Ruleset {
    environment: EnvironmentKey,
    bucketing: Bucketing,
    revision: Revision,
    flags: Box<[Compiled]>,
    /// Where a flag is, by its key.
    keys: Keys,
    /// Segments that rules ask for, by key.
    segments: Box<[Arc<Members>]>,
    etag: u64,
}

/// What a ruleset is compiled from. Archived flags, and flags without a setting for the environment,
/// may be among them.
#[derive(Clone)]
pub struct Source<'a> {
    /// All flags.
    pub flags: Vec<&'a Flag>,
    /// All segments that rules may name.
    pub segments: Vec<&'a Segment>,
    /// All layers that flags may name.
    pub layers: Vec<&'a Layer>,
    /// All holdouts.
    pub holdouts: Vec<&'a Holdout>,
    /// All betas; those that are off or archived may be among them.
    pub betas: Vec<&'a Beta>,
    /// Resolves the lists that targets and segments cite. Keep the [`Ids`] of a list and give the same
    /// ones again: building them is what takes time.
    pub lists: &'a dyn Fn(&ListId) -> Arc<Ids>,
}

impl fmt::Debug for Source<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("flags", &self.flags)
            .field("segments", &self.segments)
            .field("layers", &self.layers)
            .field("holdouts", &self.holdouts)
            .field("betas", &self.betas)
            .finish_non_exhaustive()
    }
}

impl<'a> Source<'a> {
    /// Flags alone: no segments, layers, holdouts, betas or lists.
    ///
    /// A rule that names a segment, or a flag a layer, does not compile then; a list is empty.
    pub fn of_flags(flags: impl IntoIterator<Item = &'a Flag>) -> Self {
        Self {
            flags: flags.into_iter().collect(),
            segments: Vec::new(),
            layers: Vec::new(),
            holdouts: Vec::new(),
            betas: Vec::new(),
            lists: &nobody,
        }
    }
}

/// The ids of a list that nobody knows.
fn nobody(_: &ListId) -> Arc<Ids> {
    Arc::new(Ids::new::<&str>([]))
}

/// One flag in one environment.
#[derive(Debug)]
// In this order, from the beginning of a cache line on: what every evaluation reads is in the first two.
#[repr(C, align(64))]
pub(crate) struct Compiled {
    pub(crate) spelling: Spelling,
    /// In order; the first whose condition holds decides.
    pub(crate) branches: Box<[Branch]>,
    /// Where the unit's id stands.
    pub(crate) id: Place,
    /// What decides for everybody else.
    pub(crate) otherwise: Branch,
    /// What an off flag serves, and a split to whom it cannot place.
    pub(crate) off: Arc<Outcome>,
    pub(crate) key: FlagKey,
    pub(crate) variants: Box<[Arc<Outcome>]>,
    pub(crate) kind: Kind,
    /// What its splits divide by.
    pub(crate) unit: Unit,
    /// Of the ruleset.
    pub(crate) revision: Revision,
    /// What a memory is asked where `otherwise` divides, if the flag needs one.
    pub(crate) enrolling: Option<Box<Enrolling>>,
}

/// The limits of a default that divides and needs a memory.
#[derive(Debug)]
pub(crate) struct Enrolling {
    /// How many units may hold a variant at most.
    pub(crate) most: Option<u32>,
    pub(crate) sticky: bool,
    /// Whether it is a rollout: a candidate, which is held, against a control, which is not.
    pub(crate) rollout: bool,
    /// Where the id of the device stands by which somebody is placed who is not known yet.
    pub(crate) device: Option<Place>,
    /// What those get who come too late.
    pub(crate) shut: Arc<Outcome>,
}

/// A variant as it is served.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) key: VariantKey,
    pub(crate) value: Json,
    /// Whether the default's split knows it only as the variant of those who are not enrolled.
    pub(crate) rest_only: bool,
}

/// A part of a setting that may decide.
#[derive(Debug)]
// As `Compiled`: an evaluation reads the first line only, and gives the address of the reason.
#[repr(C, align(64))]
pub(crate) struct Branch {
    pub(crate) when: When,
    pub(crate) serves: Serves,
    /// Why it serves what it serves, where the unit has what it needs.
    pub(crate) reason: Reason,
    pub(crate) part: Part,
    pub(crate) name: Box<str>,
}

/// Which part of the setting a branch is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    Off,
    Prerequisite(FlagKey),
    Target,
    Holdout(HoldoutKey),
    Layer(LayerKey),
    Beta(BetaKey),
    Rule(u32),
    /// Everybody's share of a flag that has nothing else.
    Everybody,
    /// What is left for whom nothing else took.
    Default,
}

impl Branch {
    pub(crate) fn new(part: Part, name: &str, when: When, serves: Serves) -> Self {
        let reason = Reason::of(&part, &serves);
        Self { part, name: name.into(), when, serves, reason }
    }

    /// Whether its variants are compared: those of the default are, a rule's are not.
    pub(crate) fn compares(&self) -> bool {
        matches!(self.serves, Serves::Split(_)) && matches!(self.part, Part::Everybody | Part::Default)
    }
}

/// When a branch decides. What is large is in a box of its own, so that a branch is small.
#[derive(Debug)]
pub(crate) enum When {
    Always,
    /// The parent does not serve any of the variants.
    Unmet(Box<Parent>),
    /// The unit is in a list.
    Listed {
        list: Box<ListId>,
        ids: Arc<Ids>,
    },
    /// The unit is in the share that is held.
    Within(Arc<Gate>),
    /// The unit is not in the flag's part of the layer, or has no id.
    Outside(Arc<Gate>),
    /// Any group of conditions holds as a whole.
    Any(Groups),
}

/// Groups of conditions, of which there is one at least; most often there is no other.
#[derive(Debug)]
pub(crate) struct Groups {
    pub(crate) first: Box<[Condition]>,
    pub(crate) others: Option<Box<Others>>,
}

/// The groups behind the first.
type Others = Box<[Box<[Condition]>]>;

impl Groups {
    /// `None` where there is no group.
    pub(crate) fn new(groups: Vec<Box<[Condition]>>) -> Option<Self> {
        let mut groups = groups.into_iter();
        let first = groups.next()?;
        let others: Others = groups.collect();
        Some(Self { first, others: (!others.is_empty()).then(|| Box::new(others)) })
    }

    /// All in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[Condition]> {
        let others = self.others.iter().flat_map(|others| others.iter());
        std::iter::once(&self.first).chain(others).map(AsRef::as_ref)
    }
}

#[derive(Debug)]
pub(crate) struct Parent {
    pub(crate) flag: FlagKey,
    /// Where it is in the ruleset, if it is.
    pub(crate) at: Option<usize>,
    pub(crate) variants: Box<[VariantKey]>,
}

/// A part of the population by position.
#[derive(Debug)]
pub(crate) struct Gate {
    /// What it divides by.
    pub(crate) unit: Unit,
    /// Where the unit's id stands.
    pub(crate) id: Place,
    pub(crate) salted: Salted,
    /// In order: in basis points, and as positions.
    pub(crate) spans: Box<[Span]>,
}

/// A stretch of the population, from `from` up to but not including `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) points: (u16, u16),
    pub(crate) positions: (u32, u32),
}

#[derive(Debug)]
pub(crate) enum Condition {
    Clause(Tested),
    Segment { members: Arc<Members>, not: bool },
}

/// A clause, ready to be tested. It fills a cache line.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Tested {
    pub(crate) place: Place,
    pub(crate) quick: Quick,
    pub(crate) whole: Box<Whole>,
}

/// What is looked at of a clause when a glance at the attribute does not do.
#[derive(Debug)]
pub(crate) struct Whole {
    pub(crate) test: Test,
    /// The clause as people wrote it.
    pub(crate) source: Clause,
}

/// A segment of users.
#[derive(Debug)]
pub(crate) struct Members {
    pub(crate) key: SegmentKey,
    pub(crate) unit: Unit,
    /// Where the ids that the lists hold stand.
    pub(crate) id: Place,
    pub(crate) included: Option<(ListId, Arc<Ids>)>,
    pub(crate) excluded: Option<(ListId, Arc<Ids>)>,
    pub(crate) groups: Box<[Box<[Tested]>]>,
}

#[derive(Debug)]
pub(crate) enum Serves {
    One(Arc<Outcome>),
    Split(Ranges),
}

/// A split.
#[derive(Debug)]
// As `Branch`: the text of the salt comes last.
#[repr(C)]
pub(crate) struct Ranges {
    pub(crate) arms: Box<[Arm]>,
    pub(crate) salted: Salted,
}

/// A range of a split; it begins where the one before it ends, the first at 0.
#[derive(Debug)]
pub(crate) struct Arm {
    /// In basis points.
    pub(crate) to: u16,
    /// The first hash that stands in it or behind it.
    pub(crate) begin: u32,
    pub(crate) outcome: Arc<Outcome>,
    /// Whether those in it take part in what the flag compares: a part of the default's split may.
    pub(crate) enrolled: bool,
    pub(crate) role: Role,
}

impl Arm {
    /// The first position after it.
    pub(crate) fn end(&self) -> u32 {
        threshold(self.to)
    }
}

impl Ruleset {
    /// Compiles the flags that have a setting for `environment` and are not archived.
    ///
    /// # Errors
    /// When a flag or a segment does not hold together (see [`Flag::check`] and [`Segment::check`]),
    /// two have the same key, a segment or a layer that is named is not there, or prerequisites make a
    /// circle (see [`prerequisite::check`]).
    pub fn compile(
        environment: &Environment,
        revision: Revision,
        source: Source<'_>,
    ) -> Result<Self, Invalid> {
        prerequisite::check(&environment.key, source.flags.iter().copied())?;
        let compiled = Compiler::new(environment, revision, &source)?.compile()?;
        Ok(Self {
            environment: environment.key.clone(),
            bucketing: environment.bucketing,
            revision,
            keys: Keys::new(compiled.flags.iter().map(|flag| flag.spelling)),
            flags: compiled.flags.into(),
            segments: compiled.segments.into(),
            etag: compiled.etag,
        })
    }

    /// The environment that it is for.
    pub fn environment(&self) -> &EnvironmentKey {
        &self.environment
    }

    /// Which bytes place a unit.
    pub fn bucketing(&self) -> Bucketing {
        self.bucketing
    }

    /// The revision that it was compiled at.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// A hash of everything that can change an answer, and not of the revision: the same flags have
    /// the same tag on every machine and after every restart of the same version.
    pub fn etag(&self) -> u64 {
        self.etag
    }

    /// The keys of its flags, sorted.
    pub fn keys(&self) -> impl Iterator<Item = &FlagKey> {
        self.flags.iter().map(|flag| &flag.key)
    }

    /// What `context` gets of a flag; `None` where there is no such flag.
    // Not inlined: the code of whoever asks would leave it too few registers.
    #[inline(never)]
    pub fn evaluate(&self, flag: &str, context: &Context) -> Option<Evaluation<'_>> {
        let flag = self.flag(flag)?;
        Some(flag.decide(self, context, &mut Silent))
    }

    /// What `context` gets of every flag, in the order of their keys.
    pub fn evaluate_all(&self, context: &Context) -> impl Iterator<Item = Evaluation<'_>> {
        self.flags.iter().map(move |flag| flag.decide(self, context, &mut Silent))
    }

    /// The same as [`Ruleset::evaluate`] for whoever remembers who was enrolled: a flag whose enrolment is
    /// counted or sticky asks `memory` where its default divides, and so does one that is a prerequisite. It
    /// may allocate.
    pub fn evaluate_with(
        &self,
        flag: &str,
        context: &Context,
        memory: &dyn Memory,
    ) -> Option<Evaluation<'_>> {
        let flag = self.flag(flag)?;
        Some(flag.decide(self, context, &mut Recalling(memory)))
    }

    /// What `context` gets of the flags that are asked for, in the order of their keys, as by
    /// [`Ruleset::evaluate_with`]. Nobody is enrolled by a flag that is not asked for.
    pub fn evaluate_all_with(
        &self,
        context: &Context,
        memory: &dyn Memory,
        asked: impl Fn(&FlagKey) -> bool,
    ) -> impl Iterator<Item = Evaluation<'_>> {
        let flags = self.flags.iter().filter(move |flag| asked(&flag.key));
        flags.map(move |flag| flag.decide(self, context, &mut Recalling(memory)))
    }

    /// The same as [`Ruleset::evaluate`], with every step that led there.
    pub fn explain(&self, flag: &str, context: &Context) -> Option<Explanation> {
        self.explain_with(flag, context, &())
    }

    /// The same as [`Ruleset::evaluate_with`], with every step that led there.
    pub fn explain_with(&self, flag: &str, context: &Context, memory: &dyn Memory) -> Option<Explanation> {
        let flag = self.flag(flag)?;
        let mut record = explain::Record::new(memory);
        let evaluation = flag.decide(self, context, &mut record);
        Some(record.explain(&self.environment, self.revision, &evaluation))
    }

    /// What a memory of a flag goes by; `None` where the flag does not ask one: its enrolment is neither
    /// counted nor sticky, or its default does not divide now.
    pub fn division(&self, flag: &str) -> Option<Division<'_>> {
        self.flag(flag).and_then(Compiled::division)
    }

    pub(crate) fn flags(&self) -> &[Compiled] {
        &self.flags
    }

    pub(crate) fn segments(&self) -> &[Arc<Members>] {
        &self.segments
    }

    #[inline]
    fn flag(&self, key: &str) -> Option<&Compiled> {
        let spelling = Spelling::of(key);
        let place = self.keys.places(spelling).next()?;
        let flag = self.flags.get(place).filter(|flag| flag.is(spelling, key));
        flag.or_else(|| self.flag_behind(spelling, key))
    }

    /// The flag, where another one is at the first place.
    #[cold]
    fn flag_behind(&self, spelling: Spelling, key: &str) -> Option<&Compiled> {
        let mut flags = self.keys.places(spelling).skip(1).filter_map(|place| self.flags.get(place));
        flags.find(|flag| flag.is(spelling, key))
    }
}

impl Compiled {
    /// Whether its key is this one.
    #[inline]
    fn is(&self, spelling: Spelling, key: &str) -> bool {
        self.spelling == spelling && (spelling.is_whole() || self.key.as_str() == key)
    }

    /// All its branches in order, the last of which always holds.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Branch> {
        self.branches.iter().chain([&self.otherwise])
    }

    /// What a memory goes by, if the flag asks one.
    #[inline]
    pub(crate) fn division(&self) -> Option<Division<'_>> {
        match (&self.enrolling, &self.otherwise.serves) {
            (Some(enrolling), Serves::Split(Ranges { arms, salted })) => {
                Some(Division { salted, arms, enrolling })
            }
            _ => None,
        }
    }

    /// Whether any part of it divides the population.
    pub(crate) fn splits(&self) -> bool {
        self.all().any(|b| matches!(b.serves, Serves::Split(_)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::offset_of;

    /// In cache lines of 64 bytes: one for a condition, one for what is read of a branch, and the second of
    /// a flag begins with its default.
    #[test]
    fn what_is_read_lies_together() {
        assert_eq!((size_of::<Condition>(), size_of::<Tested>()), (64, 64));
        assert_eq!((offset_of!(Branch, serves), size_of::<When>()), (32, 32));
        assert_eq!(offset_of!(Compiled, otherwise), 64);
        assert_eq!(size_of::<Salted>() + offset_of!(Ranges, salted), 48, "the last 16 are the salt's text");
    }
}

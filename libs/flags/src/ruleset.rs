//! Flags: one environment's flags, compiled. What exists here needs no more checks to be evaluated:
//! variants are found, splits are thresholds, values are parsed, segments and parents are at hand.

use std::fmt;
use std::sync::Arc;

use bellwether_model::fingerprint::fingerprint;
use bellwether_model::flag::Kind;
use bellwether_model::{
    Beta, BetaKey, Bucketing, Clause, Context, Environment, EnvironmentKey, Flag, FlagKey, Holdout,
    HoldoutKey, Invalid, Json, Layer, LayerKey, ListId, Revision, Segment, SegmentKey, Unit, VariantKey,
    prerequisite,
};

use crate::bucket::Salted;
use crate::compile::Compiler;
use crate::enrolment::{Division, Memory};
use crate::evaluate::{Evaluation, Reason, Recalling, Silent};
use crate::explain::{self, Explanation};
use crate::ids::Ids;
use crate::test::{Place, Test};

/// The flags of one environment at one revision, immutable and ready to be evaluated. Share it in an
/// [`Arc`].
#[derive(Debug)]
pub struct Ruleset {
    environment: EnvironmentKey,
    bucketing: Bucketing,
    revision: Revision,
    flags: Box<[Compiled]>,
    /// Where a flag is, by the fingerprint of its key: open addressing, at most half full.
    table: Box<[(u64, u32)]>,
    /// How many slots fingerprints are spread over; the table may go on behind them.
    slots: usize,
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
pub(crate) struct Compiled {
    pub(crate) key: FlagKey,
    pub(crate) kind: Kind,
    /// What its splits divide by.
    pub(crate) unit: Unit,
    /// Where the unit's id stands.
    pub(crate) id: Place,
    pub(crate) variants: Box<[Arc<Outcome>]>,
    /// What an off flag serves, and a split to whom it cannot place.
    pub(crate) off: Arc<Outcome>,
    /// In order; the first whose condition holds decides.
    pub(crate) branches: Box<[Branch]>,
    /// What decides for everybody else.
    pub(crate) otherwise: Branch,
    /// What a memory is asked where `otherwise` divides, if the flag needs one.
    pub(crate) enrolling: Option<Box<Enrolling>>,
}

/// The limits of a default that divides and needs a memory.
#[derive(Debug)]
pub(crate) struct Enrolling {
    /// How many units may hold a variant at most.
    pub(crate) most: Option<u32>,
    pub(crate) sticky: bool,
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
pub(crate) struct Branch {
    pub(crate) part: Part,
    pub(crate) name: Box<str>,
    pub(crate) when: When,
    pub(crate) serves: Serves,
    /// Why it serves what it serves, where the unit has what it needs.
    pub(crate) reason: Reason,
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
        matches!(self.serves, Serves::Split { .. }) && matches!(self.part, Part::Everybody | Part::Default)
    }
}

/// When a branch decides.
#[derive(Debug)]
pub(crate) enum When {
    Always,
    /// The parent does not serve any of the variants.
    Unmet(Parent),
    /// The unit is in a list.
    Listed {
        list: ListId,
        ids: Arc<Ids>,
    },
    /// The unit is in the share that is held.
    Within(Arc<Gate>),
    /// The unit is not in the flag's part of the layer, or has no id.
    Outside(Arc<Gate>),
    /// Any group of conditions holds as a whole.
    Any(Box<[Box<[Condition]>]>),
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

/// A clause, ready to be tested.
#[derive(Debug)]
pub(crate) struct Tested {
    pub(crate) place: Place,
    pub(crate) test: Test,
    /// The clause as people wrote it.
    pub(crate) source: Box<Clause>,
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
    Split { salted: Salted, arms: Box<[Arm]> },
}

/// A range of a split; it begins where the one before it ends, the first at 0.
#[derive(Debug)]
pub(crate) struct Arm {
    /// In basis points.
    pub(crate) to: u16,
    /// The first position after it.
    pub(crate) end: u32,
    pub(crate) outcome: Arc<Outcome>,
    /// Whether those in it take part in what the flag compares: a part of the default's split may.
    pub(crate) enrolled: bool,
    /// Whether it is what a memory keeps and counts: of a split what it enrolls, of a rollout the candidate,
    /// since widening is to move those who have the control.
    pub(crate) held: bool,
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
        let compiled = Compiler::new(environment, &source)?.compile()?;
        Ok(Self {
            environment: environment.key.clone(),
            bucketing: environment.bucketing,
            revision,
            slots: compiled.flags.len() * 2 + 1,
            table: table(&compiled.flags),
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
    #[inline]
    pub fn evaluate(&self, flag: &str, context: &Context) -> Option<Evaluation<'_>> {
        let flag = self.flag(flag)?;
        Some(flag.decide(self, context, &mut Silent).at(self.revision))
    }

    /// What `context` gets of every flag, in the order of their keys.
    pub fn evaluate_all(&self, context: &Context) -> impl Iterator<Item = Evaluation<'_>> {
        self.flags.iter().map(move |flag| flag.decide(self, context, &mut Silent).at(self.revision))
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
        Some(flag.decide(self, context, &mut Recalling(memory)).at(self.revision))
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
        flags.map(move |flag| flag.decide(self, context, &mut Recalling(memory)).at(self.revision))
    }

    /// The same as [`Ruleset::evaluate`], with every step that led there.
    pub fn explain(&self, flag: &str, context: &Context) -> Option<Explanation> {
        self.explain_with(flag, context, &())
    }

    /// The same as [`Ruleset::evaluate_with`], with every step that led there.
    pub fn explain_with(&self, flag: &str, context: &Context, memory: &dyn Memory) -> Option<Explanation> {
        let flag = self.flag(flag)?;
        let mut record = explain::Record::new(memory);
        let evaluation = flag.decide(self, context, &mut record).at(self.revision);
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
        let print = fingerprint(key).max(1);
        let mut at = slot(self.slots, print);
        loop {
            let (seen, index) = self.table.get(at)?;
            if *seen == print {
                return self.flags.get(*index as usize).filter(|flag| flag.key.as_str() == key);
            }
            if *seen == 0 {
                return None;
            }
            at += 1;
        }
    }
}

/// Where a fingerprint belongs in a table of so many slots, of which the last is always free.
#[inline]
#[allow(clippy::cast_possible_truncation)]
fn slot(slots: usize, print: u64) -> usize {
    ((u128::from(print) * slots as u128) >> 64) as usize
}

/// A table of the flags' keys. Fingerprints go in sorted, so that each is at its slot or behind it, and
/// the table ends with a free slot.
fn table(flags: &[Compiled]) -> Box<[(u64, u32)]> {
    let mut prints: Vec<(u64, u32)> = flags
        .iter()
        .zip(0_u32..)
        .map(|(flag, index)| (fingerprint(flag.key.as_str()).max(1), index))
        .collect();
    prints.sort_unstable();
    let slots = flags.len() * 2 + 1;
    let mut table: Vec<(u64, u32)> = Vec::with_capacity(slots + flags.len() + 1);
    for entry in prints {
        let at = slot(slots, entry.0).max(table.len());
        table.resize(at, (0, 0));
        table.push(entry);
    }
    table.resize(table.len().max(slots) + 1, (0, 0));
    table.into()
}

impl Compiled {
    /// All its branches in order, the last of which always holds.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Branch> {
        self.branches.iter().chain([&self.otherwise])
    }

    /// What a memory goes by, if the flag asks one.
    #[inline]
    pub(crate) fn division(&self) -> Option<Division<'_>> {
        match (&self.enrolling, &self.otherwise.serves) {
            (Some(enrolling), Serves::Split { salted, arms }) => Some(Division { salted, arms, enrolling }),
            _ => None,
        }
    }

    /// Whether any part of it divides the population.
    pub(crate) fn splits(&self) -> bool {
        self.all().any(|b| matches!(b.serves, Serves::Split { .. }))
    }
}

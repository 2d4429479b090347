//! Flags: from what people define to what is evaluated. All that can be wrong is found here.

use std::collections::BTreeMap;
use std::io;
use std::num::NonZeroU32;
use std::sync::Arc;

use bellwether_model::{
    Beta, BetaKey, Clause, Enrolment, Environment, EnvironmentKey, Flag, FlagKey, Holdout, Invalid, Layer,
    LayerKey, ListId, Revision, Segment, SegmentKey, Serve, Setting, Split, Unit, VariantKey, rule, split,
};
use rustc_hash::FxHashMap;

use crate::bucket::{Salted, threshold};
use crate::ids::Ids;
use crate::keys::Spelling;
use crate::place::Place;
use crate::ruleset::{
    Arm, Branch, Compiled, Condition, Enrolling, Gate, Groups, Members, Outcome, Parent, Part, Ranges,
    Serves, Source, Span, Tested, When, Whole,
};
use crate::test::Test;

/// Flags on their way into a ruleset.
pub(crate) struct Compiler<'a> {
    environment: &'a Environment,
    revision: Revision,
    flags: Vec<(&'a Flag, &'a Setting)>,
    places: FxHashMap<FlagKey, usize>,
    definitions: BTreeMap<&'a SegmentKey, &'a Segment>,
    layers: BTreeMap<&'a LayerKey, &'a Layer>,
    holdouts: Vec<(&'a Holdout, Arc<Gate>)>,
    betas: BTreeMap<&'a BetaKey, &'a Beta>,
    lists: &'a dyn Fn(&ListId) -> Arc<Ids>,
    segments: BTreeMap<SegmentKey, Arc<Members>>,
    etag: Fnv1a,
}

/// What it makes.
pub(crate) struct Output {
    pub(crate) flags: Vec<Compiled>,
    pub(crate) segments: Vec<Arc<Members>>,
    pub(crate) etag: u64,
}

impl<'a> Compiler<'a> {
    pub(crate) fn new(
        environment: &'a Environment,
        revision: Revision,
        source: &Source<'a>,
    ) -> Result<Self, Invalid> {
        let key: &EnvironmentKey = &environment.key;
        let live = source.flags.iter().filter(|flag| !flag.archived);
        let mut flags: Vec<(&Flag, &Setting)> =
            live.filter_map(|flag| Some((*flag, flag.settings.get(key)?))).collect();
        flags.sort_by_key(|(flag, _)| &flag.key);
        let mut places = FxHashMap::default();
        for (at, (flag, _)) in flags.iter().enumerate() {
            if places.insert(flag.key.clone(), at).is_some() {
                return Err(twice("flag", &flag.key));
            }
        }
        let mut definitions = BTreeMap::new();
        for segment in &source.segments {
            if definitions.insert(&segment.key, *segment).is_some() {
                return Err(twice("segment", &segment.key));
            }
        }
        let mut layers = BTreeMap::new();
        for layer in &source.layers {
            if layers.insert(&layer.key, *layer).is_some() {
                return Err(twice("layer", &layer.key));
            }
        }
        let mut sorted = source.holdouts.clone();
        sorted.sort_by_key(|holdout| &holdout.key);
        let mut holdouts: Vec<(&Holdout, Arc<Gate>)> = Vec::new();
        for holdout in sorted {
            holdout.check()?;
            if holdouts.last().is_some_and(|(last, _)| last.key == holdout.key) {
                return Err(twice("holdout", &holdout.key));
            }
            let spans = Span::new(0, holdout.share.points()).into_iter().collect();
            holdouts.push((holdout, gate(environment, holdout.unit, &holdout.salt, spans)));
        }
        let mut betas = BTreeMap::new();
        for beta in &source.betas {
            beta.check()?;
            if betas.insert(&beta.key, *beta).is_some() {
                return Err(twice("beta", &beta.key));
            }
        }
        let mut etag = Fnv1a::new();
        etag.feed(&(key, environment.bucketing));
        let segments = BTreeMap::new();
        let lists = source.lists;
        Ok(Self {
            environment,
            revision,
            flags,
            places,
            definitions,
            layers,
            holdouts,
            betas,
            lists,
            segments,
            etag,
        })
    }

    pub(crate) fn compile(mut self) -> Result<Output, Invalid> {
        let mut flags = Vec::with_capacity(self.flags.len());
        for (flag, setting) in std::mem::take(&mut self.flags) {
            flag.check()?;
            self.etag.feed(&(&flag.key, flag.kind, flag.unit, &flag.variants, setting));
            flags.push(self.flag(flag, setting)?);
        }
        let segments = self.segments.into_values().collect();
        Ok(Output { flags, segments, etag: self.etag.0 })
    }

    fn flag(&mut self, flag: &'a Flag, setting: &Setting) -> Result<Compiled, Invalid> {
        // Only the default compares; what a rule's split has for a rest says nothing of it.
        let default = || Some(&setting.default).filter(|_| setting.on).and_then(arms_of);
        let variants: Box<[Arc<Outcome>]> = flag
            .variants
            .iter()
            .map(|variant| {
                let arms =
                    || default().into_iter().flatten().filter(|owned| owned.range.variant == variant.key);
                let rest_only = arms().next().is_some() && arms().all(|owned| !owned.enrolled);
                Arc::new(Outcome { key: variant.key.clone(), value: variant.value.clone(), rest_only })
            })
            .collect();
        let outcome = |key: &VariantKey| {
            variants.iter().find(|v| v.key == *key).cloned().ok_or_else(|| {
                Invalid::new(
                    format!("flag `{}` has no variant `{key}`", flag.key),
                    "use one of the flag's variants",
                )
            })
        };
        let off = outcome(&setting.off)?;
        let mut branches = Vec::new();
        if setting.on {
            self.gates(flag, setting, &off, &outcome, &mut branches)?;
            let environment = &self.environment.key;
            let shown = self.betas.values().find_map(|beta| Some((*beta, beta.serves(flag, environment)?)));
            if let Some((beta, variant)) = shown {
                self.etag.feed(&(&beta.key, variant, &beta.audience));
                let when = self.any(&beta.audience, &|| format!("the audience of beta `{}`", beta.key))?;
                let serves = Serves::One(outcome(variant)?);
                branches.push(Branch::new(Part::Beta(beta.key.clone()), "beta", when, serves));
            }
            for (index, rule) in (0..).zip(&setting.rules) {
                let number = format!("rule {}", index + 1);
                let name = if rule.name.is_empty() { &number } else { &rule.name };
                let at = || format!("flag `{}`, rule `{}`", flag.key, rule.name);
                let (when, serves) = (self.any(&rule.when, &at)?, self.serves(&rule.serve, false, &outcome)?);
                branches.push(Branch::new(Part::Rule(index), name, when, serves));
            }
        }
        let (part, name, serves) = match (setting.on, branches.is_empty()) {
            (false, _) => (Part::Off, "off", Serves::One(off.clone())),
            (true, true) => (Part::Everybody, "default", self.serves(&setting.default, true, &outcome)?),
            (true, false) => (Part::Default, "default", self.serves(&setting.default, true, &outcome)?),
        };
        let enrolling = enrolling(flag.unit, setting, &serves, &off, &outcome)?;
        let otherwise = Branch::new(part, name, When::Always, serves);
        Ok(Compiled {
            enrolling,
            spelling: Spelling::of(flag.key.as_str()),
            key: flag.key.clone(),
            kind: flag.kind,
            unit: flag.unit,
            revision: self.revision,
            id: Place::unit(flag.unit),
            off,
            branches: branches.into(),
            otherwise,
            variants,
        })
    }

    /// What stands before the rules: prerequisites, targets, holdouts, the layer.
    fn gates(
        &mut self,
        flag: &'a Flag,
        setting: &Setting,
        off: &Arc<Outcome>,
        outcome: &dyn Fn(&VariantKey) -> Result<Arc<Outcome>, Invalid>,
        branches: &mut Vec<Branch>,
    ) -> Result<(), Invalid> {
        let off = || Serves::One(off.clone());
        for needed in &setting.prerequisites {
            let parent = Parent {
                flag: needed.flag.clone(),
                at: self.places.get(&needed.flag).copied(),
                variants: needed.variants.clone().into(),
            };
            let part = Part::Prerequisite(needed.flag.clone());
            branches.push(Branch::new(part, "prerequisite", When::Unmet(Box::new(parent)), off()));
        }
        for target in &setting.targets {
            let when = When::Listed { ids: self.list(&target.list), list: Box::new(target.list.clone()) };
            let serves = Serves::One(outcome(&target.variant)?);
            branches.push(Branch::new(Part::Target, "target", when, serves));
        }
        for (holdout, gate) in self.holdouts.iter().filter(|(holdout, _)| holdout.covers(flag)) {
            self.etag.feed(&(&holdout.key, holdout.unit, &holdout.salt, holdout.share));
            let part = Part::Holdout(holdout.key.clone());
            branches.push(Branch::new(part, "holdout", When::Within(gate.clone()), off()));
        }
        if let Some(key) = &flag.layer {
            let layer = self.layers.get(key).ok_or_else(|| {
                Invalid::new(
                    format!("flag `{}` belongs to layer `{key}`, which is not there", flag.key),
                    "make the layer, or take the flag out of it",
                )
            })?;
            let own = layer.ranges().iter().filter(|range| range.flag == flag.key);
            let spans: Vec<Span> = own.filter_map(|range| Span::new(range.from, range.to)).collect();
            let points: Vec<_> = spans.iter().map(|span| span.points).collect();
            self.etag.feed(&(key, layer.unit, layer.salt(), points));
            let when = When::Outside(gate(self.environment, layer.unit, layer.salt(), spans));
            branches.push(Branch::new(Part::Layer(key.clone()), "layer", when, off()));
        }
        Ok(())
    }

    /// Groups of conditions; `at` says where they stand.
    fn any(&mut self, when: &[Vec<rule::Condition>], at: &dyn Fn() -> String) -> Result<When, Invalid> {
        let mut groups: Vec<Box<[Condition]>> = Vec::with_capacity(when.len());
        for group in when {
            let mut conditions = Vec::with_capacity(group.len());
            for condition in group {
                conditions.push(match condition {
                    rule::Condition::Clause(clause) => Condition::Clause(tested(clause)?),
                    rule::Condition::Segment { segment, not } => {
                        let members = self
                            .segment(segment)
                            .map_err(|e| Invalid::new(format!("{}: {}", at(), e.message), e.hint))?;
                        Condition::Segment { members, not: *not }
                    }
                });
            }
            groups.push(conditions.into());
        }
        let empty = || {
            // `Flag::check` says so first.
            let message = format!("{} has an empty condition", at());
            Invalid::new(message, "give it at least one clause or segment")
        };
        Groups::new(groups).map(When::Any).ok_or_else(empty)
    }

    fn segment(&mut self, key: &SegmentKey) -> Result<Arc<Members>, Invalid> {
        if let Some(members) = self.segments.get(key) {
            return Ok(members.clone());
        }
        let segment = *self.definitions.get(key).ok_or_else(|| {
            Invalid::new(format!("there is no segment `{key}`"), "make the segment, or write out its clauses")
        })?;
        segment.check()?;
        self.etag.feed(&(key, segment.unit, &segment.when));
        let mut groups = Vec::with_capacity(segment.when.len());
        for group in &segment.when {
            groups.push(group.iter().map(tested).collect::<Result<_, _>>()?);
        }
        let mut list = |id: &Option<ListId>| id.clone().map(|id| (id.clone(), self.list(&id)));
        let members = Arc::new(Members {
            key: key.clone(),
            unit: segment.unit,
            id: Place::unit(segment.unit),
            included: list(&segment.included),
            excluded: list(&segment.excluded),
            groups: groups.into(),
        });
        self.segments.insert(key.clone(), members.clone());
        Ok(members)
    }

    fn list(&mut self, id: &ListId) -> Arc<Ids> {
        let ids = (self.lists)(id);
        self.etag.feed(&(id, ids.tag()));
        ids
    }

    /// What a serve is. `compares` is false of a rule's: a rule picks whom it divides, so its shares are
    /// not the default's, and pooling the two would show the difference between whom they pick as an
    /// effect.
    fn serves(
        &self,
        serve: &Serve,
        compares: bool,
        outcome: &dyn Fn(&VariantKey) -> Result<Arc<Outcome>, Invalid>,
    ) -> Result<Serves, Invalid> {
        let split: &Split = match serve {
            Serve::Variant { variant } => return Ok(Serves::One(outcome(variant)?)),
            Serve::Split { split } => split,
            Serve::Rollout { rollout } => match rollout.settled() {
                Some(variant) => return Ok(Serves::One(outcome(variant)?)),
                None => &rollout.split,
            },
        };
        let arms = arms_of(serve).into_iter().flatten().map(|Owned { range, enrolled, role }| {
            Ok(Arm {
                to: range.to,
                // A position is a hundredth of the hash. No range begins where the last one ends.
                begin: threshold(range.from).saturating_mul(100),
                outcome: outcome(&range.variant)?,
                enrolled: enrolled && compares,
                role: if compares || role == Role::Rest { role } else { Role::Other },
            })
        });
        Ok(Serves::Split(Ranges {
            salted: Salted::new(self.environment.bucketing, split.salt()),
            arms: arms.collect::<Result<_, Invalid>>()?,
        }))
    }
}

impl Span {
    /// A stretch in basis points; nothing where it is empty.
    fn new(from: u16, to: u16) -> Option<Self> {
        (from < to).then(|| Self { points: (from, to), positions: (threshold(from), threshold(to)) })
    }
}

fn gate(environment: &Environment, unit: Unit, salt: &str, spans: Vec<Span>) -> Arc<Gate> {
    let salted = Salted::new(environment.bucketing, salt);
    Arc::new(Gate { unit, id: Place::unit(unit), salted, spans: spans.into() })
}

fn tested(clause: &Clause) -> Result<Tested, Invalid> {
    let test = Test::new(clause.op, &clause.values)?;
    Ok(Tested {
        place: Place::new(&clause.attribute),
        quick: test.quick(),
        whole: Box::new(Whole { test, source: clause.clone() }),
    })
}

fn twice(what: &str, key: &dyn std::fmt::Display) -> Invalid {
    Invalid::new(format!("there are two {what}s `{key}`"), format!("give each {what} a key of its own"))
}

/// What a flag asks a memory by, where it needs one: its enrolment is counted or sticky, and its default
/// divides.
fn enrolling(
    unit: Unit,
    setting: &Setting,
    serves: &Serves,
    off: &Arc<Outcome>,
    outcome: &dyn Fn(&VariantKey) -> Result<Arc<Outcome>, Invalid>,
) -> Result<Option<Box<Enrolling>>, Invalid> {
    let Enrolment { units, sticky, .. } = setting.enrolment;
    if !setting.enrolment.remembers() || !matches!(serves, Serves::Split { .. }) {
        return Ok(None);
    }
    Ok(Some(Box::new(Enrolling {
        most: units.map(NonZeroU32::get),
        sticky,
        rollout: matches!(setting.default, Serve::Rollout { .. }),
        device: (sticky && unit == Unit::User).then(|| Place::unit(Unit::Device)),
        shut: match setting.default.split().and_then(Split::rest) {
            Some(rest) => outcome(rest)?,
            None => off.clone(),
        },
    })))
}

/// What an arm is to its split. One byte, so that an arm stays as small as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// What a memory keeps and counts: of a split what it enrolls, of a rollout the candidate, since widening is
    /// to move those who have the control.
    Held,
    /// The variant of those who are not enrolled.
    Rest,
    /// Neither: the control of a rollout, or an arm of what compares nothing.
    Other,
}

/// A range of what divides.
struct Owned<'s> {
    range: &'s split::Range,
    /// Whether those in it are enrolled. A split does not enroll its rest; a rollout compares its candidate
    /// with its control, so it enrolls both.
    enrolled: bool,
    role: Role,
}

/// The ranges by which it divides, if it does.
fn arms_of(serve: &Serve) -> Option<impl Iterator<Item = Owned<'_>>> {
    let split = serve.split()?;
    let (candidate, third) = match serve {
        Serve::Rollout { rollout } => {
            (Some(&rollout.candidate), split.rest().filter(|rest| **rest != rollout.control))
        }
        Serve::Variant { .. } | Serve::Split { .. } => (None, None),
    };
    Some(split.ranges().iter().map(move |range| {
        let enrolled = candidate.is_some() || split.rest() != Some(&range.variant);
        let role = match candidate {
            Some(candidate) if *candidate == range.variant => Role::Held,
            // In a rollout the rest is in neither arm; where there is no third variant it is the control.
            Some(_) if third == Some(&range.variant) => Role::Rest,
            Some(_) => Role::Other,
            None if enrolled => Role::Held,
            None => Role::Rest,
        };
        Owned { range, enrolled, role }
    }))
}

/// FNV-1a, 64 bits: a hash that is the same on every machine and in every version of ours.
struct Fnv1a(u64);

impl Fnv1a {
    fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    /// Takes a value in as its JSON. The words of the model always have one.
    fn feed(&mut self, value: &(impl serde::Serialize + ?Sized)) {
        let _ = serde_json::to_writer(&mut *self, value);
        let _ = io::Write::write(self, b"\n");
    }
}

impl io::Write for Fnv1a {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

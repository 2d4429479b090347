//! Flags: one environment's flags, compiled. What exists here needs no more checks to be evaluated:
//! variants are found, splits are thresholds, values are parsed.

use std::io;
use std::sync::Arc;

use bellwether_model::Invalid;
use bellwether_model::flag::Kind;
use bellwether_model::{
    Clause, Context, EnvironmentKey, Flag, FlagKey, Json, ListId, Op, Revision, Serve, Setting, Split, Unit,
    VariantKey,
};
use rustc_hash::FxHashMap;

use crate::bucket::{Salted, threshold};
use crate::evaluate::{Evaluation, Silent};
use crate::explain::{self, Explanation};
use crate::test::{Attribute, Test};

/// The flags of one environment at one revision, immutable and ready to be evaluated. Share it in an
/// [`Arc`].
#[derive(Debug)]
pub struct Ruleset {
    environment: EnvironmentKey,
    revision: Revision,
    flags: Box<[Compiled]>,
    places: FxHashMap<FlagKey, usize>,
    etag: u64,
}

/// One flag in one environment.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) key: FlagKey,
    pub(crate) kind: Kind,
    pub(crate) unit: Unit,
    pub(crate) variants: Box<[Arc<Outcome>]>,
    /// What an off flag serves, and a split to whom it cannot place.
    pub(crate) off: Arc<Outcome>,
    /// In order; the first whose condition holds decides.
    pub(crate) conditional: Box<[(When, Segment)]>,
    /// What decides for everybody else.
    pub(crate) otherwise: Segment,
}

/// A variant as it is served.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) key: VariantKey,
    pub(crate) value: Json,
    /// Whether the default's split knows it only as the variant of those who are not enrolled.
    pub(crate) rest_only: bool,
}

#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) place: Place,
    pub(crate) name: Box<str>,
    pub(crate) serves: Serves,
}

/// Which part of the setting a segment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Off,
    Target,
    Rule(u32),
    /// Everybody's share of a flag without targets and rules.
    Everybody,
    /// What is left for whom no target and no rule took.
    Default,
}

impl Segment {
    /// Whether its variants are compared: those of the default are, a rule's are not.
    pub(crate) fn compares(&self) -> bool {
        matches!(self.serves, Serves::Split { .. }) && matches!(self.place, Place::Everybody | Place::Default)
    }
}

#[derive(Debug)]
pub(crate) enum When {
    /// The unit is in a list.
    Listed { attribute: Attribute, test: Test, ids: Arc<[String]> },
    /// Any group of clauses holds as a whole.
    Any(Box<[Box<[Condition]>]>),
}

#[derive(Debug)]
pub(crate) struct Condition {
    pub(crate) attribute: Attribute,
    pub(crate) test: Test,
    /// The clause as people wrote it.
    pub(crate) source: Clause,
}

#[derive(Debug)]
pub(crate) enum Serves {
    One(Arc<Outcome>),
    Split { salt: Box<str>, salted: Salted, arms: Box<[Arm]> },
}

/// A range of a split; it begins where the one before it ends, the first at 0.
#[derive(Debug)]
pub(crate) struct Arm {
    /// In basis points.
    pub(crate) to: u16,
    /// The first position after it.
    pub(crate) end: u32,
    pub(crate) outcome: Arc<Outcome>,
    /// Whether those in it take part in what the split is for.
    pub(crate) enrolled: bool,
}

impl Ruleset {
    /// Compiles the flags that have a setting for `environment` and are not archived. `targets`
    /// resolves the lists that targets cite.
    ///
    /// # Errors
    /// When a flag does not hold together (see [`Flag::check`]) or two have the same key.
    pub fn compile<'a>(
        environment: &EnvironmentKey,
        revision: Revision,
        flags: impl IntoIterator<Item = &'a Flag>,
        targets: &dyn Fn(&ListId) -> Arc<[String]>,
    ) -> Result<Self, Invalid> {
        let mut etag = Fnv1a::new();
        etag.feed(environment);
        let mut sorted: Vec<(&Flag, &Setting)> = Vec::new();
        for flag in flags.into_iter().filter(|f| !f.archived) {
            if let Some(setting) = flag.settings.get(environment) {
                sorted.push((flag, setting));
            }
        }
        sorted.sort_by_key(|(flag, _)| &flag.key);
        let mut compiled = Vec::with_capacity(sorted.len());
        let mut places = FxHashMap::default();
        for (flag, setting) in sorted {
            flag.check()?;
            if places.insert(flag.key.clone(), compiled.len()).is_some() {
                return Err(Invalid::new(
                    format!("there are two flags `{}`", flag.key),
                    "give each flag a key of its own",
                ));
            }
            etag.feed(&(&flag.key, flag.kind, flag.unit, &flag.variants, setting));
            compiled.push(Compiled::new(flag, setting, &mut |list| {
                let ids = targets(list);
                etag.feed(&ids[..]);
                ids
            })?);
        }
        Ok(Self { environment: environment.clone(), revision, flags: compiled.into(), places, etag: etag.0 })
    }

    /// The environment that it is for.
    pub fn environment(&self) -> &EnvironmentKey {
        &self.environment
    }

    /// The revision that it was compiled at.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// A hash of everything that can change an answer, and not of the revision: the same flags have
    /// the same tag on every machine and after every restart.
    pub fn etag(&self) -> u64 {
        self.etag
    }

    /// The keys of its flags, sorted.
    pub fn keys(&self) -> impl Iterator<Item = &FlagKey> {
        self.flags.iter().map(|flag| &flag.key)
    }

    /// What `context` gets of a flag; `None` where there is no such flag.
    pub fn evaluate(&self, flag: &str, context: &Context) -> Option<Evaluation<'_>> {
        let flag = self.flag(flag)?;
        Some(flag.decide(context, &mut Silent).at(self.revision))
    }

    /// The same, with every step that led there.
    pub fn explain(&self, flag: &str, context: &Context) -> Option<Explanation> {
        let flag = self.flag(flag)?;
        let mut record = explain::Record::default();
        let evaluation = flag.decide(context, &mut record).at(self.revision);
        Some(record.explain(&self.environment, self.revision, &evaluation))
    }

    pub(crate) fn flags(&self) -> &[Compiled] {
        &self.flags
    }

    fn flag(&self, key: &str) -> Option<&Compiled> {
        self.places.get(key).and_then(|at| self.flags.get(*at))
    }
}

impl Compiled {
    fn new(
        flag: &Flag,
        setting: &Setting,
        targets: &mut dyn FnMut(&ListId) -> Arc<[String]>,
    ) -> Result<Self, Invalid> {
        // Only the default compares; what a rule's split has for a rest says nothing of it.
        let default = || Some(&setting.default).filter(|_| setting.on).and_then(arms_of);
        let variants: Box<[Arc<Outcome>]> = flag
            .variants
            .iter()
            .map(|variant| {
                let arms = || default().into_iter().flatten().filter(|(key, ..)| *key == &variant.key);
                let rest_only = arms().next().is_some() && arms().all(|(.., enrolled)| !enrolled);
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
        let mut conditional = Vec::new();
        let otherwise = if setting.on {
            for target in &setting.targets {
                let ids = targets(&target.list);
                let attribute = Attribute::new(flag.unit.attribute());
                let serves = Serves::One(outcome(&target.variant)?);
                conditional.push((
                    When::Listed { attribute, test: Test::member(&ids), ids },
                    Segment { place: Place::Target, name: "target".into(), serves },
                ));
            }
            for (index, rule) in (0..).zip(&setting.rules) {
                let name =
                    if rule.name.is_empty() { format!("rule {}", index + 1) } else { rule.name.clone() };
                let groups = rule.when.iter().map(|g| g.iter().map(Condition::new).collect()).collect();
                conditional.push((
                    When::Any(groups),
                    Segment {
                        place: Place::Rule(index),
                        name: name.into(),
                        serves: Serves::new(&rule.serve, &outcome)?,
                    },
                ));
            }
            let place = if conditional.is_empty() { Place::Everybody } else { Place::Default };
            Segment { place, name: "default".into(), serves: Serves::new(&setting.default, &outcome)? }
        } else {
            Segment { place: Place::Off, name: "off".into(), serves: Serves::One(off.clone()) }
        };
        Ok(Self {
            key: flag.key.clone(),
            kind: flag.kind,
            unit: flag.unit,
            off,
            conditional: conditional.into(),
            otherwise,
            variants,
        })
    }

    /// Whether any part of it divides the population.
    pub(crate) fn splits(&self) -> bool {
        let all = self.conditional.iter().map(|(_, s)| s).chain([&self.otherwise]);
        all.into_iter().any(|s| matches!(s.serves, Serves::Split { .. }))
    }
}

impl Condition {
    fn new(clause: &Clause) -> Self {
        let op: Op = clause.op;
        Self {
            attribute: Attribute::new(&clause.attribute),
            test: Test::new(op, &clause.values),
            source: clause.clone(),
        }
    }
}

impl Serves {
    fn new(
        serve: &Serve,
        outcome: &dyn Fn(&VariantKey) -> Result<Arc<Outcome>, Invalid>,
    ) -> Result<Self, Invalid> {
        let split: &Split = match serve {
            Serve::Variant { variant } => return Ok(Self::One(outcome(variant)?)),
            Serve::Split { split } => split,
            Serve::Rollout { rollout } => match rollout.settled() {
                Some(variant) => return Ok(Self::One(outcome(variant)?)),
                None => &rollout.split,
            },
        };
        let arms = arms_of(serve)
            .into_iter()
            .flatten()
            .map(|(key, to, enrolled)| Ok(Arm { to, end: threshold(to), outcome: outcome(key)?, enrolled }));
        Ok(Self::Split {
            salt: split.salt().into(),
            salted: Salted::new(split.salt()),
            arms: arms.collect::<Result<_, Invalid>>()?,
        })
    }
}

/// The ranges by which it divides, if it does: the owner, where the range ends, and whether those in
/// it are enrolled. A split does not enroll its rest; a rollout compares its candidate with its
/// control, so it enrolls both.
fn arms_of(serve: &Serve) -> Option<impl Iterator<Item = (&VariantKey, u16, bool)>> {
    let split = serve.split()?;
    let rollout = matches!(serve, Serve::Rollout { .. });
    Some(
        split
            .ranges()
            .iter()
            .map(move |range| (&range.variant, range.to, rollout || split.rest() != Some(&range.variant))),
    )
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

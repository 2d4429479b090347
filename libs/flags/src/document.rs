//! Flags: the rules of one environment as a document, for those who evaluate elsewhere. What is read from
//! it compiles to a [`Ruleset`] that answers as the one that it was written from.
//!
//! It says what an answer needs and nothing else: no other environment's settings, no names,
//! descriptions, owners or times, no variant that cannot be served, and of a flag that is off only what
//! it serves. A flag whose answers need the server's memory is not in it, nor what needs that flag.
//!
//! ```
//! use bellwether_flags::{Document, Ruleset, Source};
//! use bellwether_model::{Context, Environment, Flag, Revision};
//! let flag: Flag = serde_json::from_value(serde_json::json!({
//!     "key": "checkout", "kind": "boolean", "created": 0,
//!     "variants": [{"key": "on", "value": true}, {"key": "off", "value": false}],
//!     "settings": {"production": {"on": true, "off": "off", "default": {"serve": "variant", "variant": "on"}}}
//! }))?;
//! let production: Environment =
//!     serde_json::from_value(serde_json::json!({"key": "production", "name": "Production"}))?;
//! let written = Document::of(&production, Revision(7), &Source::of_flags([&flag]))?.to_json()?;
//! let rules = Document::parse(written.as_bytes())?.compile(&|_| None)?;
//! assert_eq!(rules.evaluate("checkout", &Context::default()).unwrap().variant.as_str(), "on");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bellwether_model::{
    Beta, Covers, Enrolment, Environment, EnvironmentKey, Flag, FlagKey, Holdout, Invalid, Layer, LayerKey,
    ListId, Millis, Prerequisite, Revision, Rollout, RolloutState, Segment, SegmentKey, Serve, Setting,
    VariantKey, rule::Condition,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::format::REMEMBERED;
use crate::ids::Ids;
use crate::ruleset::{Ruleset, Source};

/// The rules of one environment, as they travel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Document {
    version: u32,
    environment: Environment,
    revision: Revision,
    flags: Vec<Flag>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    segments: Vec<Segment>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    layers: Vec<Layer>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    holdouts: Vec<Holdout>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    betas: Vec<Beta>,
    /// The lists that are cited, where they are short.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    lists: BTreeMap<ListId, Vec<String>>,
    /// The longer ones, by name alone.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    apart: BTreeSet<ListId>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    trials: BTreeMap<FlagKey, String>,
    #[serde(skip)]
    left_out: Vec<(FlagKey, String)>,
}

/// What is read of a document first: another version means other things by the same words.
#[derive(Deserialize)]
struct Version {
    version: u32,
}

impl Document {
    /// The version of the form. It changes when a reader of the version before could misunderstand.
    pub const VERSION: u32 = 2;

    /// The most bytes that are read.
    pub const MOST_BYTES: usize = 64 << 20;

    /// The most ids of a list that stand in the document itself. A longer list is cited by name: a list
    /// never changes under its name, so whoever has it once need not get it again with every change of a
    /// flag.
    pub const MOST_IDS: usize = 1_000;

    /// The document of an environment.
    ///
    /// # Errors
    /// When a layer does not hold together.
    pub fn of(environment: &Environment, revision: Revision, source: &Source<'_>) -> Result<Self, Invalid> {
        let key = &environment.key;
        let live = source.flags.iter().filter(|flag| !flag.archived);
        let mut served: Vec<(&Flag, &Setting)> =
            live.filter_map(|flag| Some((*flag, flag.settings.get(key)?))).collect();
        let left_out = left_out(&mut served);
        let betas = |flag: &Flag| source.betas.iter().find_map(|beta| beta.serves(flag, key)).cloned();
        let flags: Vec<Flag> =
            served.iter().map(|(flag, setting)| plain(flag, key, setting, betas(flag))).collect();

        let live: BTreeSet<&FlagKey> = served.iter().filter(|(_, s)| s.on).map(|(f, _)| &f.key).collect();
        let betas: Vec<Beta> = source.betas.iter().filter_map(|beta| shown(beta, key, &live)).collect();

        let audiences = betas.iter().flat_map(|beta| beta.audience.iter().flatten());
        let asked = conditions(&flags).chain(audiences).filter_map(Condition::segment);
        let asked: BTreeSet<&SegmentKey> = asked.collect();
        let segments: Vec<Segment> = source
            .segments
            .iter()
            .filter(|segment| asked.contains(&segment.key))
            .map(|segment| Segment {
                name: String::new(),
                description: String::new(),
                created: Millis::default(),
                archived: false,
                ..(*segment).clone()
            })
            .collect();

        let mut members: BTreeMap<&LayerKey, BTreeSet<&FlagKey>> = BTreeMap::new();
        for flag in &flags {
            if let Some(layer) = &flag.layer {
                members.entry(layer).or_default().insert(&flag.key);
            }
        }
        let named = source.layers.iter().filter_map(|layer| Some((layer, members.get(&layer.key)?)));
        let layers = named.map(|(layer, members)| part(layer, members)).collect::<Result<_, _>>()?;

        let covered = |holdout: &Holdout| -> BTreeSet<FlagKey> {
            let flags = served.iter().map(|(flag, _)| *flag);
            let covered = flags.filter(|flag| live.contains(&flag.key) && holdout.covers(flag));
            covered.map(|flag| flag.key.clone()).collect()
        };
        let holdouts = source
            .holdouts
            .iter()
            .map(|holdout| Holdout {
                name: String::new(),
                created: Millis::default(),
                covers: Covers::Flags { flags: covered(holdout) },
                ..(*holdout).clone()
            })
            .filter(|holdout| !matches!(&holdout.covers, Covers::Flags { flags } if flags.is_empty()))
            .collect();

        let mut document = Self {
            version: Self::VERSION,
            environment: Environment { name: key.to_string(), production: false, ..environment.clone() },
            revision,
            flags,
            segments,
            layers,
            holdouts,
            betas,
            lists: BTreeMap::new(),
            apart: BTreeSet::new(),
            trials: BTreeMap::new(),
            left_out,
        };
        let cited: BTreeSet<ListId> = document.cited().cloned().collect();
        for id in cited {
            let ids = (source.lists)(&id);
            if let Some(texts) = ids.texts().filter(|texts| texts.len() <= Self::MOST_IDS) {
                document.lists.insert(id, texts.to_vec());
            } else {
                document.apart.insert(id);
            }
        }
        Ok(document)
    }

    /// The same with the name of what compares each flag's variants now. Evaluation does not ask for it; who
    /// reports what was served names it, so that the same variant of a new trial is reported anew.
    #[must_use]
    pub fn with_trials(mut self, trials: BTreeMap<FlagKey, String>) -> Self {
        let ours: BTreeSet<&FlagKey> = self.flags.iter().map(|flag| &flag.key).collect();
        self.trials = trials.into_iter().filter(|(flag, _)| ours.contains(flag)).collect();
        self
    }

    /// What compares a flag's variants now, if anything does.
    pub fn trials(&self) -> &BTreeMap<FlagKey, String> {
        &self.trials
    }

    /// Flags that are not in it, each with the reason. A document that was read does not know them.
    pub fn left_out(&self) -> &[(FlagKey, String)] {
        &self.left_out
    }

    /// The lists that [`Document::compile`] asks for, because they are too long to stand in the document.
    pub fn apart(&self) -> impl Iterator<Item = &ListId> {
        self.apart.iter()
    }

    /// Writes it.
    ///
    /// # Errors
    /// None that is known: what is in it has a JSON form.
    pub fn to_json(&self) -> Result<String, Invalid> {
        serde_json::to_string(self)
            .map_err(|e| Invalid::new(format!("the rules cannot be written: {e}"), "report this as a bug"))
    }

    /// Reads one that was written by this version or an older one.
    ///
    /// # Errors
    /// When it is larger than [`Document::MOST_BYTES`], is not JSON of this form, or is of a newer version.
    pub fn parse(bytes: &[u8]) -> Result<Self, Invalid> {
        if bytes.len() > Self::MOST_BYTES {
            return Err(Invalid::new(
                format!("a document of `{}` bytes is too large to read", bytes.len()),
                format!("at most {} bytes are read", Self::MOST_BYTES),
            ));
        }
        let unreadable = |e: serde_json::Error| {
            Invalid::new(
                format!("this is not a document of rules: {e}"),
                "send what `GET /api/rules` of the server answers",
            )
        };
        let Version { version } = serde_json::from_slice(bytes).map_err(unreadable)?;
        // An older one says less, and nothing otherwise.
        if !(1..=Self::VERSION).contains(&version) {
            return Err(Invalid::new(
                format!("the rules are of version `{version}`, and this reads up to `{}`", Self::VERSION),
                "update this library to the version of the server",
            ));
        }
        serde_json::from_slice(bytes).map_err(unreadable)
    }

    /// Compiles it. `apart` gives the lists that [`Document::apart`] names.
    ///
    /// # Errors
    /// As [`Ruleset::compile`], and when a list is cited that is neither in the document nor given.
    pub fn compile(&self, apart: &dyn Fn(&ListId) -> Option<Arc<Ids>>) -> Result<Ruleset, Invalid> {
        let mut lists: BTreeMap<&ListId, Arc<Ids>> = BTreeMap::new();
        for id in self.cited() {
            if lists.contains_key(id) {
                continue;
            }
            let ids = match self.lists.get(id) {
                Some(texts) => Some(Arc::new(Ids::new(texts))),
                None if self.apart.contains(id) => apart(id),
                None => None,
            };
            let ids = ids.ok_or_else(|| {
                Invalid::new(
                    format!("the list `{}` is cited and is not there", excerpt(&id.0)),
                    "get the lists that the document names apart, and then compile it",
                )
            })?;
            lists.insert(id, ids);
        }
        let nobody = Arc::new(Ids::new::<&str>([]));
        let resolve = |id: &ListId| lists.get(id).unwrap_or(&nobody).clone();
        let source = Source {
            flags: self.flags.iter().collect(),
            segments: self.segments.iter().collect(),
            layers: self.layers.iter().collect(),
            holdouts: self.holdouts.iter().collect(),
            betas: self.betas.iter().collect(),
            lists: &resolve,
        };
        Ruleset::compile(&self.environment, self.revision, source)
    }

    /// The lists that targets and segments cite, some of them twice.
    fn cited(&self) -> impl Iterator<Item = &ListId> {
        let settings = self.flags.iter().flat_map(|flag| flag.settings.values());
        let targets = settings.flat_map(|setting| &setting.targets).map(|target| &target.list);
        targets.chain(self.segments.iter().flat_map(Segment::lists))
    }
}

/// A beta that is on, with what an answer needs of it: those of its flags that are on.
fn shown(beta: &Beta, environment: &EnvironmentKey, live: &BTreeSet<&FlagKey>) -> Option<Beta> {
    let flags: BTreeMap<FlagKey, VariantKey> = beta
        .flags
        .iter()
        .filter(|(flag, _)| live.contains(flag))
        .map(|(flag, variant)| (flag.clone(), variant.clone()))
        .collect();
    let on = !beta.archived && beta.on.contains(environment) && !flags.is_empty();
    on.then(|| Beta {
        key: beta.key.clone(),
        name: String::new(),
        description: String::new(),
        flags,
        audience: beta.audience.clone(),
        on: BTreeSet::from([environment.clone()]),
        created: Millis::default(),
        archived: false,
    })
}

/// Takes out the flags that need a memory, and what needs those.
fn left_out(served: &mut Vec<(&Flag, &Setting)>) -> Vec<(FlagKey, String)> {
    let mut left_out: Vec<(FlagKey, String)> = Vec::new();
    loop {
        let why = |(_, setting): &(&Flag, &Setting)| {
            let lost = |needed: &&Prerequisite| left_out.iter().any(|(key, _)| *key == needed.flag);
            if !setting.on {
                None
            } else if setting.enrolment.remembers() && setting.default.split().is_some() {
                Some(REMEMBERED.to_owned())
            } else {
                let lost = setting.prerequisites.iter().find(lost)?;
                Some(format!("it needs flag `{}`, which is left out", lost.flag))
            }
        };
        let found: Vec<_> = served.iter().filter_map(|of| Some((of.0.key.clone(), why(of)?))).collect();
        if found.is_empty() {
            left_out.sort_by(|a, b| a.0.cmp(&b.0));
            return left_out;
        }
        served.retain(|(flag, _)| found.iter().all(|(key, _)| *key != flag.key));
        left_out.extend(found);
    }
}

fn excerpt(text: &str) -> String {
    text.chars().take(60).collect()
}

fn conditions(flags: &[Flag]) -> impl Iterator<Item = &Condition> {
    let settings = flags.iter().flat_map(|flag| flag.settings.values());
    settings.flat_map(|setting| &setting.rules).flat_map(|rule| rule.when.iter().flatten())
}

/// A flag with what one environment serves of it.
///
/// `beta` is the variant that a beta serves of it.
fn plain(flag: &Flag, environment: &EnvironmentKey, setting: &Setting, beta: Option<VariantKey>) -> Flag {
    let mut setting = match setting.on {
        true => setting.clone(),
        false => Setting {
            on: false,
            off: setting.off.clone(),
            prerequisites: Vec::new(),
            targets: Vec::new(),
            rules: Vec::new(),
            default: Serve::Variant { variant: setting.off.clone() },
            enrolment: Enrolment::default(),
        },
    };
    for rule in &mut setting.rules {
        rule.name.clear();
        rule.serve = bare(&rule.serve);
    }
    setting.default = bare(&setting.default);
    setting.enrolment = Enrolment::default();
    let variants = {
        let serves = setting.rules.iter().map(|rule| &rule.serve).chain([&setting.default]);
        let mut served: BTreeSet<&VariantKey> = serves.flat_map(Serve::variants).collect();
        served.extend(setting.targets.iter().map(|target| &target.variant));
        served.insert(&setting.off);
        served.extend(beta.iter().filter(|_| setting.on));
        let kept = flag.variants.iter().filter(|variant| served.contains(&variant.key)).cloned();
        kept.map(|mut variant| {
            variant.description.clear();
            variant
        })
        .collect()
    };
    Flag {
        key: flag.key.clone(),
        name: String::new(),
        description: String::new(),
        kind: flag.kind,
        variants,
        unit: flag.unit,
        team: None,
        layer: flag.layer.clone().filter(|_| setting.on),
        schema: None,
        settings: BTreeMap::from([(environment.clone(), setting)]),
        created: Millis::default(),
        archived: false,
    }
}

/// What is served, without who watches it and since when.
fn bare(serve: &Serve) -> Serve {
    let Serve::Rollout { rollout } = serve else { return serve.clone() };
    if let Some(variant) = rollout.settled() {
        return Serve::Variant { variant: variant.clone() };
    }
    let rollout = Rollout {
        candidate: rollout.candidate.clone(),
        control: rollout.control.clone(),
        split: rollout.split.clone(),
        guard: None,
        ramp: None,
        state: RolloutState::Widening,
        started: Millis::default(),
        resumed: None,
        epoch: 0,
        epoch_began: Millis::default(),
    };
    Serve::Rollout { rollout }
}

/// A layer with the parts of these flags.
fn part(layer: &Layer, members: &BTreeSet<&FlagKey>) -> Result<Layer, Invalid> {
    let ranges: Vec<_> = layer.ranges().iter().filter(|range| members.contains(&range.flag)).collect();
    let part = json!({"key": layer.key, "unit": layer.unit, "salt": layer.salt(), "ranges": ranges});
    serde_json::from_value(part)
        .map_err(|e| Invalid::new(format!("layer `{}`: {e}", layer.key), "mend the layer's ranges"))
}

//! Flags: the Amplitude Experiment format. The export makes its SDKs, evaluating by themselves, agree
//! with [`Ruleset::evaluate`]; [`variant`] is the same answer given by the server; and [`context`] is the
//! user that both speak of.
//!
//! The engine for JavaScript agrees on every user but where an object is asked as text, whose keys it may
//! have in another order. The one for Python agrees on *typed* users, which are these:
//!
//! - the fields of a user (`user_id`, `country`, ...) are text, and so are ids; a whole number may be an id;
//! - a property that is asked as text is text (also empty) that does not begin with `[`, a boolean, a number
//!   whose text is the same in both languages (whole ones as `int`, not `1.0`; others from 0.0001 up), or a
//!   list of these, empty or not, without null and empty text in it; it is no object;
//! - a property that is asked for a number is a number of any kind, a boolean, text that is a decimal
//!   (`18`, `-2.5e3`) or no number at all, but not empty, or a list of numbers;
//! - a property that is asked for a version is ASCII text, not empty, on one line;
//! - a property that is asked by a set operator is a list as above.
//!
//! A missing or null property is always right. A clause that Python would answer otherwise on such a user is
//! written so that it does not, or keeps its flag out. Why: decision 20.

mod clause;
mod needs;

use std::collections::{BTreeMap, BTreeSet};

use bellwether_model::flag::Kind;
use bellwether_model::{Bucketing, Context, FlagKey, Json, ListId, Revision, SegmentKey, Unit, VariantKey};
use serde_json::{Map, json};

use crate::bucket::threshold;
use crate::evaluate::{Evaluation, Reason};
use crate::format::REMEMBERED;
use crate::javascript;
use crate::ruleset::{
    Arm, Branch, Compiled, Condition, Gate, Members, Outcome, Part, Ranges, Ruleset, Serves, Tested, When,
};
use crate::text;
use needs::Needs;

/// The fields of an Amplitude user. Attributes of these names are read there, all others among the
/// user's properties.
const FIELDS: [&str; 17] = [
    "user_id",
    "device_id",
    "country",
    "region",
    "city",
    "dma",
    "language",
    "platform",
    "version",
    "os",
    "device_manufacturer",
    "device_brand",
    "device_model",
    "carrier",
    "library",
    "ip_address",
    "cohort_ids",
];

/// The flags of a ruleset as Amplitude's evaluation flags.
#[derive(Debug, Clone, PartialEq)]
pub struct Export {
    /// Flags that the format says exactly, as `EvaluationFlag` objects. Layers, holdouts and segments
    /// are among them as flags of their own (`layer:checkout`, `holdout:global`, `segment:staff`), on
    /// which the others depend; SDKs hide their variants.
    pub flags: Vec<Json>,
    /// Lists that are too long to be written out: SDKs load them as cohorts whose id is the list's.
    pub cohorts: Vec<ListId>,
    /// Flags that it cannot say, each with the reason.
    pub left_out: Vec<(FlagKey, String)>,
}

/// Writes a ruleset in Amplitude's format.
///
/// Segments that serve one variant and those of rules carry `trackExposure: false`, and so do variants
/// that are only the rest of the default's split: nothing is compared there, so the SDKs need not report
/// it. No variant of a flag is marked `default`, because SDKs hide default variants and Bellwether serves
/// them.
pub fn export(ruleset: &Ruleset) -> Export {
    if ruleset.bucketing() == Bucketing::Cbor {
        let reason = "its SDKs hash UTF-8, and this environment hashes CBOR";
        let left_out = ruleset.keys().map(|key| (key.clone(), reason.to_owned())).collect();
        return Export { flags: Vec::new(), cohorts: Vec::new(), left_out };
    }
    let segments: BTreeMap<&SegmentKey, Result<Said, String>> = ruleset
        .segments()
        .iter()
        .map(|members| (&members.key, segment_flag(members, ruleset.revision())))
        .collect();
    let mut said: BTreeMap<&FlagKey, Result<Said, String>> = ruleset
        .flags()
        .iter()
        .map(|flag| (&flag.key, flag_json(flag, &segments, ruleset.revision())))
        .collect();
    // What needs a flag that is left out is left out, too. Prerequisites make no circles.
    loop {
        let orphan = ruleset.flags().iter().find_map(|flag| {
            let mut parents = said.get(&flag.key)?.as_ref().ok().map(|_| flag.parents())?;
            let lost = parents.find(|key| matches!(said.get(key), Some(Err(_))))?;
            Some((&flag.key, format!("it needs flag `{lost}`, which is left out")))
        });
        let Some((flag, reason)) = orphan else { break };
        said.insert(flag, Err(reason));
    }
    let mut out = Export { flags: Vec::new(), cohorts: Vec::new(), left_out: Vec::new() };
    let mut helpers: BTreeMap<String, Json> = BTreeMap::new();
    let mut cohorts = BTreeSet::new();
    for (key, flag) in said {
        match flag {
            Ok(said) => {
                helpers.extend(said.helpers);
                cohorts.extend(said.cohorts);
                out.flags.push(said.flag);
            }
            Err(reason) => out.left_out.push((key.clone(), reason)),
        }
    }
    out.flags.extend(helpers.into_values());
    out.cohorts.extend(cohorts);
    out
}

/// One answer as an entry of vardata: what the official SDK makes of the export for the same user.
pub fn variant(evaluation: &Evaluation<'_>) -> Json {
    let flag = evaluation.compiled;
    let mut metadata = flag_metadata(flag, flag.revision);
    metadata.extend(branch_metadata(evaluation.branch));
    let mut variant = variant_json(flag.kind, evaluation.variant, evaluation.value);
    let outcome = flag.variants.iter().find(|outcome| outcome.key == *evaluation.variant);
    metadata.extend(outcome.map(|outcome| variant_metadata(outcome)).unwrap_or_default());
    if *evaluation.reason == Reason::Closed {
        // Nothing is compared for who comes too late, though others may be compared by the same variant.
        metadata.insert("trackExposure".to_owned(), false.into());
    }
    variant.insert("metadata".to_owned(), metadata.into());
    variant.into()
}

/// An Amplitude user as a context. Its fields and its properties become attributes, as rules name
/// them; what an exported rule cannot see is not in the context either: null values, unknown fields,
/// properties named like a field, and properties with a dot in their name (a dot is a path).
pub fn context(user: &Map<String, Json>) -> Context {
    let mut attributes = Map::new();
    if let Some(Json::Object(properties)) = user.get("user_properties") {
        for (name, value) in properties {
            if !value.is_null() && !name.contains('.') && !FIELDS.contains(&name.as_str()) {
                attributes.insert(name.clone(), value.clone());
            }
        }
    }
    for field in FIELDS {
        let Some(value) = user.get(field).filter(|v| !v.is_null()) else { continue };
        // The user's id is the context's key, but for an empty one, which is no key.
        if field != "user_id" || value.as_str() == Some("") {
            attributes.insert(field.to_owned(), value.clone());
        }
    }
    let key = user.get("user_id").and_then(text::text);
    Context::new(key.as_deref(), attributes)
}

/// A flag in the format, with what it depends on.
#[derive(Debug, Clone)]
struct Said {
    flag: Json,
    /// Flags that stand for layers, holdouts, segments and clauses, by key.
    helpers: BTreeMap<String, Json>,
    cohorts: BTreeSet<ListId>,
}

impl Compiled {
    /// The flags that it needs and that are in the ruleset.
    fn parents(&self) -> impl Iterator<Item = &FlagKey> {
        self.branches.iter().filter_map(|branch| match &branch.when {
            When::Unmet(parent) if parent.at.is_some() => Some(&parent.flag),
            _ => None,
        })
    }
}

fn flag_json(
    flag: &Compiled,
    segments: &BTreeMap<&SegmentKey, Result<Said, String>>,
    revision: Revision,
) -> Result<Said, String> {
    if flag.division().is_some() {
        return Err(REMEMBERED.to_owned());
    }
    let mut needs = Needs::new(flag.key.as_str(), revision);
    needs.asked.extend(flag.parents().map(ToString::to_string));
    let mut branches = Vec::with_capacity(flag.branches.len() + 1);
    for branch in &flag.branches {
        let conditions = match &branch.when {
            When::Always => json!([[]]),
            When::Unmet(parent) => {
                let spelt = |key: &VariantKey| key.as_str().to_ascii_lowercase();
                if parent.variants.iter().any(|v| matches!(&*spelt(v), "true" | "false")) {
                    return Err(format!(
                        "it needs a variant of flag `{}` that is named like a truth value, which its SDKs know in any spelling",
                        parent.flag
                    ));
                }
                json!([[result(parent.flag.as_str(), "is not", &parent.variants)]])
            }
            When::Listed { list, ids } => {
                json!([needs.listed(list, ids, flag.unit)?])
            }
            When::Within(gate) => {
                let Part::Holdout(key) = &branch.part else { return Err(unsaid(branch)) };
                let key = format!("holdout:{key}");
                let helper = gate_flag(&key, "holdout-group", HELD, gate, revision);
                json!([[needs.ask(&key, helper, "is", HELD)]])
            }
            When::Outside(gate) => {
                let Part::Layer(key) = &branch.part else { return Err(unsaid(branch)) };
                // Each flag has a helper of its own for its part: the parts are disjoint.
                let key = format!("layer:{key}:{}", flag.key);
                let helper = gate_flag(&key, "mutual-exclusion-group", INSIDE, gate, revision);
                json!([[needs.ask(&key, helper, "is not", INSIDE)]])
            }
            When::Any(groups) => {
                let mut said = Vec::new();
                for group in groups.iter() {
                    let mut conditions = Vec::with_capacity(group.len());
                    for condition in group {
                        match condition {
                            Condition::Clause(Tested { whole, .. }) => {
                                conditions.extend(needs.clause(&whole.source, &whole.test)?);
                            }
                            Condition::Segment { members, not } => {
                                let segment = segments.get(&members.key).ok_or_else(|| unsaid(branch))?;
                                let segment = segment.as_ref().map_err(Clone::clone)?;
                                needs.cohorts.extend(segment.cohorts.iter().cloned());
                                needs.helpers.extend(segment.helpers.clone());
                                let key = format!("segment:{}", members.key);
                                let op = if *not { "is not" } else { "is" };
                                conditions.push(needs.ask(&key, segment.flag.clone(), op, INSIDE));
                            }
                        }
                    }
                    said.push(conditions);
                }
                json!(said)
            }
        };
        let mut json = branch_json(flag, branch);
        json.insert("conditions".to_owned(), conditions);
        branches.push(json);
    }
    branches.push(branch_json(flag, &flag.otherwise));
    let variants: Map<String, Json> = flag
        .variants
        .iter()
        .map(|outcome| {
            let mut json = variant_json(flag.kind, &outcome.key, &outcome.value);
            let metadata = variant_metadata(outcome);
            if !metadata.is_empty() {
                json.insert("metadata".to_owned(), metadata.into());
            }
            (outcome.key.to_string(), json.into())
        })
        .collect();
    let json = json!({
        "key": flag.key,
        "variants": variants,
        "segments": branches,
        "metadata": flag_metadata(flag, revision),
    });
    Ok(needs.said(json))
}

fn unsaid(branch: &Branch) -> String {
    format!("its part `{}` has no form here", branch.name)
}

/// What a helper answers for those inside, and for those who are not but whose answer is known.
const INSIDE: &str = "in";
const BESIDE: &str = "out";
const HELD: &str = "held";

/// A test of what another flag has answered.
fn result(flag: &str, op: &str, values: &[impl serde::Serialize]) -> Json {
    json!({"selector": ["result", flag, "key"], "op": op, "values": values})
}

/// A flag that says who is in a part of the population. Nobody else has a variant of it.
fn gate_flag(key: &str, kind: &str, variant: &str, gate: &Gate, revision: Revision) -> Json {
    let ranges: Vec<Json> =
        gate.spans.iter().map(|span| json!({"variant": variant, "range": span.positions})).collect();
    let segment = json!({
        "bucket": {
            "selector": unit_selector(gate.unit),
            "salt": gate.salted.salt(),
            "allocations": [{"range": [0, 100], "distributions": ranges}],
        },
        "metadata": {"segmentName": kind, "trackExposure": false},
    });
    helper_json(key, kind, &[variant], vec![segment], revision)
}

/// A flag that says who is in a segment of users.
fn segment_flag(members: &Members, revision: Revision) -> Result<Said, String> {
    let inside = |e: String| format!("segment `{}`: {e}", members.key);
    let key = format!("segment:{}", members.key);
    let mut needs = Needs::new(&key, revision);
    let mut segments = Vec::new();
    for (list, variant) in [(&members.included, INSIDE), (&members.excluded, BESIDE)] {
        if let Some((list, ids)) = list {
            let conditions = needs.listed(list, ids, members.unit).map_err(inside)?;
            segments.push(json!({"conditions": [conditions], "variant": variant}));
        }
    }
    if !members.groups.is_empty() {
        let mut groups = Vec::with_capacity(members.groups.len());
        for group in &members.groups {
            let mut conditions = Vec::with_capacity(group.len());
            for Tested { whole, .. } in group {
                conditions.extend(needs.clause(&whole.source, &whole.test).map_err(inside)?);
            }
            groups.push(conditions);
        }
        segments.push(json!({"conditions": groups, "variant": INSIDE}));
    }
    Ok(needs.said(helper_json(&key, "segment", &[INSIDE, BESIDE], segments, revision)))
}

/// A flag that only others ask: marked as a default, which SDKs leave out of `evaluate` and show in `evaluateV2`.
fn helper_json(key: &str, kind: &str, variants: &[&str], segments: Vec<Json>, revision: Revision) -> Json {
    let variant = |key: &str| json!({"key": key, "value": key, "metadata": {"default": true}});
    let variants: Map<String, Json> = variants.iter().map(|key| ((*key).to_owned(), variant(key))).collect();
    json!({
        "key": key,
        "variants": variants,
        "segments": segments,
        "metadata": {
            "deployed": false,
            "evaluationMode": "local",
            "flagType": kind,
            "flagVersion": revision.0,
            "trackExposure": false,
        },
    })
}

fn branch_json(flag: &Compiled, branch: &Branch) -> Map<String, Json> {
    let mut json = Map::new();
    json.insert("metadata".to_owned(), branch_metadata(branch).into());
    let variant = match &branch.serves {
        Serves::One(outcome) => outcome,
        Serves::Split(Ranges { salted, arms }) => {
            let bucket = json!({
                "selector": unit_selector(flag.unit),
                "salt": salted.salt(),
                "allocations": [{"range": [0, 100], "distributions": distributions(arms)}],
            });
            json.insert("bucket".to_owned(), bucket);
            // For whom there is no id to place.
            &flag.off
        }
    };
    json.insert("variant".to_owned(), variant.key.as_str().into());
    json
}

fn distributions(arms: &[Arm]) -> Vec<Json> {
    let mut from = threshold(0);
    let mut distributions = Vec::with_capacity(arms.len());
    for arm in arms {
        distributions.push(json!({"variant": arm.outcome.key, "range": [from, arm.end()]}));
        from = arm.end();
    }
    distributions
}

/// Where Amplitude's engine finds the id of a unit.
fn unit_selector(unit: Unit) -> Vec<&'static str> {
    match unit {
        Unit::User | Unit::Device => vec!["context", "user", unit.attribute()],
        Unit::Session | Unit::Account => vec!["context", "user", "user_properties", unit.attribute()],
    }
}

/// Where Amplitude's engine finds an attribute.
fn selector(attribute: &str) -> Result<Vec<&str>, String> {
    if matches!(attribute, "targetingKey" | "user_id") {
        return Ok(vec!["context", "user", "user_id"]);
    }
    let mut selector = vec!["context", "user"];
    for (depth, step) in javascript::steps(attribute)?.enumerate() {
        if depth == 0 && !FIELDS.contains(&step) {
            selector.push("user_properties");
        }
        selector.push(step);
    }
    Ok(selector)
}

/// `value` is text, as Amplitude's flags have it: the variant's own text or number, and the
/// variant's key where the value is a boolean or JSON. `payload` is the value itself.
fn variant_json(kind: Kind, key: &VariantKey, value: &Json) -> Map<String, Json> {
    let said = match kind {
        Kind::String | Kind::Number => text::text(value),
        Kind::Boolean | Kind::Json => None,
    };
    let mut json = Map::new();
    json.insert("key".to_owned(), key.as_str().into());
    json.insert("value".to_owned(), said.as_deref().unwrap_or(key.as_str()).into());
    json.insert("payload".to_owned(), value.clone());
    json
}

fn flag_metadata(flag: &Compiled, revision: Revision) -> Map<String, Json> {
    let kind = if flag.splits() { "experiment" } else { "release" };
    Map::from_iter([
        ("deployed".to_owned(), true.into()),
        ("evaluationMode".to_owned(), "local".into()),
        ("flagType".to_owned(), kind.into()),
        ("flagVersion".to_owned(), revision.0.into()),
    ])
}

fn branch_metadata(branch: &Branch) -> Map<String, Json> {
    let mut metadata = Map::from_iter([("segmentName".to_owned(), branch.name.to_string().into())]);
    if !branch.compares() {
        metadata.insert("trackExposure".to_owned(), false.into());
    }
    metadata
}

fn variant_metadata(outcome: &Outcome) -> Map<String, Json> {
    let mut metadata = Map::new();
    if outcome.rest_only {
        metadata.insert("trackExposure".to_owned(), false.into());
    }
    metadata
}

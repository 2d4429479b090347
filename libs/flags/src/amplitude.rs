//! Flags: the Amplitude Experiment format. The export makes its SDKs, evaluating by themselves, agree
//! with [`Ruleset::evaluate`] on every user; [`variant`] is the same answer given by the server; and
//! [`context`] is the user that both speak of.

use bellwether_model::flag::Kind;
use bellwether_model::{Context, FlagKey, Json, Revision};
use serde_json::{Map, json};

use crate::bucket::threshold;
use crate::evaluate::Evaluation;
use crate::format::{Amplitude, amplitude};
use crate::ruleset::{Arm, Compiled, Condition, Outcome, Ruleset, Segment, Serves, When};
use crate::test::NONE;
use crate::text;

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
    /// Flags that the format says exactly, as `EvaluationFlag` objects.
    pub flags: Vec<Json>,
    /// Flags that it cannot say, each with the reason.
    pub left_out: Vec<(FlagKey, String)>,
}

/// Writes a ruleset in Amplitude's format.
///
/// Segments that serve one variant and those of rules carry `trackExposure: false`, and so do variants
/// that are only the rest of the default's split: nothing is compared there, so the SDKs need not report
/// it. No variant is marked `default`, because SDKs hide default variants and Bellwether serves them.
pub fn export(ruleset: &Ruleset) -> Export {
    let mut out = Export { flags: Vec::new(), left_out: Vec::new() };
    for flag in ruleset.flags() {
        match flag_json(flag, ruleset.revision()) {
            Ok(json) => out.flags.push(json),
            Err(reason) => out.left_out.push((flag.key.clone(), reason)),
        }
    }
    out
}

/// One answer as an entry of vardata: what the official SDK makes of the export for the same user.
pub fn variant(evaluation: &Evaluation<'_>) -> Json {
    let mut metadata = flag_metadata(evaluation.compiled, evaluation.revision);
    metadata.extend(segment_metadata(evaluation.segment));
    let mut variant = variant_json(evaluation.compiled.kind, evaluation.outcome);
    metadata.extend(variant_metadata(evaluation.outcome));
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

fn flag_json(flag: &Compiled, revision: Revision) -> Result<Json, String> {
    let mut segments = Vec::with_capacity(flag.conditional.len() + 1);
    for (when, segment) in &flag.conditional {
        let mut json = segment_json(flag, segment);
        json.insert("conditions".to_owned(), conditions(flag, when)?);
        segments.push(json);
    }
    segments.push(segment_json(flag, &flag.otherwise));
    let variants: Map<String, Json> = flag
        .variants
        .iter()
        .map(|outcome| {
            let mut json = variant_json(flag.kind, outcome);
            let metadata = variant_metadata(outcome);
            if !metadata.is_empty() {
                json.insert("metadata".to_owned(), metadata.into());
            }
            (outcome.key.to_string(), json.into())
        })
        .collect();
    Ok(json!({
        "key": flag.key,
        "variants": variants,
        "segments": segments,
        "metadata": flag_metadata(flag, revision),
    }))
}

fn segment_json(flag: &Compiled, segment: &Segment) -> Map<String, Json> {
    let mut json = Map::new();
    json.insert("metadata".to_owned(), segment_metadata(segment).into());
    let variant = match &segment.serves {
        Serves::One(outcome) => outcome,
        Serves::Split { salt, arms, .. } => {
            let bucket = json!({
                "selector": ["context", "user", flag.unit.attribute()],
                "salt": salt,
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
        distributions.push(json!({"variant": arm.outcome.key, "range": [from, arm.end]}));
        from = arm.end;
    }
    distributions
}

fn conditions(flag: &Compiled, when: &When) -> Result<Json, String> {
    match when {
        When::Listed { ids, .. } => {
            if ids.iter().any(|id| id == NONE) {
                return Err(format!("the target `{NONE}` means \"no id\" in Amplitude's format"));
            }
            let selector = ["context", "user", flag.unit.attribute()];
            Ok(json!([[{"selector": selector, "op": "is", "values": &ids[..]}]]))
        }
        When::Any(groups) => {
            let group = |group: &[Condition]| group.iter().map(condition).collect::<Result<Vec<_>, _>>();
            Ok(groups.iter().map(|g| group(g)).collect::<Result<Vec<_>, _>>()?.into())
        }
    }
}

fn condition(condition: &Condition) -> Result<Json, String> {
    let clause = &condition.source;
    let selector = selector(&clause.attribute)?;
    let Some(said) = amplitude(clause.op) else {
        return Err(format!("Amplitude's format has no operator `{:?}`", clause.op));
    };
    Ok(match said {
        Amplitude::Op(op) => json!({"selector": selector, "op": op, "values": clause.values}),
        Amplitude::Search { before, after } => {
            let patterns = clause.values.iter().map(|v| format!("{before}{}{after}", literally(v)));
            let patterns: Vec<_> = patterns.collect();
            json!({"selector": selector, "op": "regex match", "values": patterns})
        }
    })
}

/// A pattern that matches exactly this text, in JavaScript and in Python.
fn literally(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 4);
    for c in text.chars() {
        if matches!(c, '\\' | '^' | '$' | '.' | '|' | '?' | '*' | '+' | '(' | ')' | '[' | ']' | '{' | '}') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}

/// Where Amplitude's engine finds an attribute.
fn selector(attribute: &str) -> Result<Vec<&str>, String> {
    if matches!(attribute, "targetingKey" | "user_id") {
        return Ok(vec!["context", "user", "user_id"]);
    }
    let mut selector = vec!["context", "user"];
    for (depth, step) in attribute.split('.').enumerate() {
        if depth == 0 && !FIELDS.contains(&step) {
            selector.push("user_properties");
        }
        if step.is_empty() {
            return Err(format!("the attribute `{attribute}` has an empty step, which its SDKs never find"));
        }
        let index = depth > 0 && (step.bytes().all(|b| b.is_ascii_digit()) || LIST_MEMBERS.contains(&step));
        if index || OBJECT_MEMBERS.contains(&step) {
            return Err(format!(
                "the attribute `{attribute}` has the step `{step}`, which JavaScript finds where there is no such property"
            ));
        }
        selector.push(step);
    }
    Ok(selector)
}

/// What every object has in JavaScript without being given it.
const OBJECT_MEMBERS: [&str; 12] = [
    "__defineGetter__",
    "__defineSetter__",
    "__lookupGetter__",
    "__lookupSetter__",
    "__proto__",
    "constructor",
    "hasOwnProperty",
    "isPrototypeOf",
    "propertyIsEnumerable",
    "toLocaleString",
    "toString",
    "valueOf",
];

/// What every list has besides.
const LIST_MEMBERS: [&str; 37] = [
    "at",
    "concat",
    "copyWithin",
    "entries",
    "every",
    "fill",
    "filter",
    "find",
    "findIndex",
    "findLast",
    "findLastIndex",
    "flat",
    "flatMap",
    "forEach",
    "includes",
    "indexOf",
    "join",
    "keys",
    "lastIndexOf",
    "length",
    "map",
    "pop",
    "push",
    "reduce",
    "reduceRight",
    "reverse",
    "shift",
    "slice",
    "some",
    "sort",
    "splice",
    "toReversed",
    "toSorted",
    "toSpliced",
    "unshift",
    "values",
    "with",
];

/// `value` is text, as Amplitude's flags have it: the variant's own text or number, and the
/// variant's key where the value is a boolean or JSON. `payload` is the value itself.
fn variant_json(kind: Kind, outcome: &Outcome) -> Map<String, Json> {
    let value = match kind {
        Kind::String | Kind::Number => text::text(&outcome.value),
        Kind::Boolean | Kind::Json => None,
    };
    let mut json = Map::new();
    json.insert("key".to_owned(), outcome.key.as_str().into());
    json.insert("value".to_owned(), value.as_deref().unwrap_or(outcome.key.as_str()).into());
    json.insert("payload".to_owned(), outcome.value.clone());
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

fn segment_metadata(segment: &Segment) -> Map<String, Json> {
    let mut metadata = Map::from_iter([("segmentName".to_owned(), segment.name.to_string().into())]);
    if !segment.compares() {
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

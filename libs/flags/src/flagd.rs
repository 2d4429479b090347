//! Flags: flagd definitions. The export is a document that flagd's in-process providers evaluate by
//! themselves, to the variant that [`Ruleset::evaluate`] gives: those of `fractional` v2 (Node, Go, Java,
//! .NET) where the environment hashes UTF-8, those of v3 (Python, Rust) where it hashes CBOR.
//!
//! Everything is written out in place: prerequisites as their parent's whole rule, segments as their
//! clauses, layers and holdouts as a `fractional` that says who is inside. (`$evaluators` would be shorter,
//! but one provider substitutes them by a regular expression, which breaks on letters beyond ASCII.)
//!
//! JSONLogic has one kind of comparison per kind of value, so the agreement is for *typed* contexts:
//! ids are text; numbers are numbers where they are compared; versions are `major.minor.patch`, with a
//! pre-release if need be; an attribute that is asked by a set operator is a list of text; no attribute
//! that is asked is an object, a list in a list, or a list written in a string; booleans are asked by
//! `is` and `is_not` only; a dot in a name is a path. With other contexts a provider answers, too, but
//! perhaps as if the clause did not hold. Where ids are not ASCII, the Node provider hashes other bytes
//! than the rest of the world (UTF-16).

mod clause;

use std::sync::Arc;

use bellwether_model::flag::Kind;
use bellwether_model::{FlagKey, Json, ListId, Unit};
use serde_json::{Map, json};

use crate::bucket::{Salted, threshold};
use crate::format::REMEMBERED;
use crate::ids::Ids;
use crate::ruleset::{
    Branch, Compiled, Condition, Gate, Members, Outcome, Ranges, Ruleset, Serves, Tested, When,
};
use clause::Said;

/// The most bytes that a document may have: providers take gRPC messages of up to 4 MiB, and the
/// message holds a little more than the document.
pub const LARGEST: usize = (4 << 20) - 1024;

/// The flags of a ruleset as flagd definitions.
#[derive(Debug, Clone, PartialEq)]
pub struct Export {
    /// The document, of at most [`LARGEST`] bytes once written.
    pub document: Json,
    /// Flags that it cannot say, each with the reason.
    pub left_out: Vec<(FlagKey, String)>,
}

/// Writes a ruleset as flagd definitions.
///
/// A flag that is off is enabled and serves its `off` variant, because providers give a disabled flag no
/// value at all. A flag whose default serves one variant has it as `defaultVariant`, so that providers
/// report the reason `DEFAULT` (or `STATIC` where there is nothing else); every other answer has the reason
/// `TARGETING_MATCH`, the only other one that the format knows.
pub fn export(ruleset: &Ruleset) -> Export {
    let mut left_out = Vec::new();
    let mut said: Vec<(&FlagKey, Json, usize)> = Vec::new();
    for flag in ruleset.flags() {
        match flag_json(ruleset, flag) {
            Ok(json) => {
                let bytes = json.to_string().len() + flag.key.as_str().len() + 4;
                said.push((&flag.key, json, bytes));
            }
            Err(reason) => left_out.push((flag.key.clone(), reason)),
        }
    }
    // Without a `scope` the Node provider gives its selector as one with every answer, and the selector may be
    // a key.
    let environment = ruleset.environment();
    let envelope = json!({"flags": {}, "metadata": {"flagSetId": environment, "scope": environment}});
    let mut total = envelope.to_string().len() + said.iter().map(|(.., bytes)| bytes).sum::<usize>();
    // The largest go first: they are fewest.
    while total > LARGEST {
        let Some(at) = (0..said.len()).max_by_key(|at| said.get(*at).map(|(.., bytes)| *bytes)) else {
            break;
        };
        let (key, _, bytes) = said.swap_remove(at);
        total -= bytes;
        left_out.push((
            key.clone(),
            format!("the document would have more than {LARGEST} bytes, of which this flag has {bytes}"),
        ));
    }
    left_out.sort_by(|a, b| a.0.cmp(&b.0));
    let mut document = envelope;
    let flags: Map<String, Json> = said.into_iter().map(|(key, json, _)| (key.to_string(), json)).collect();
    document["flags"] = flags.into();
    Export { document, left_out }
}

fn flag_json(ruleset: &Ruleset, flag: &Compiled) -> Result<Json, String> {
    if flag.kind == Kind::Json && flag.variants.iter().any(|v| !v.value.is_object()) {
        return Err("a variant is a list, and the format has objects only".to_owned());
    }
    let variants: Map<String, Json> =
        flag.variants.iter().map(|v| (v.key.to_string(), v.value.clone())).collect();
    let by_default = match &flag.otherwise.serves {
        Serves::One(outcome) => outcome,
        Serves::Split(_) => &flag.off,
    };
    // What is left over is the default variant.
    let leftover = match &flag.otherwise.serves {
        Serves::One(_) => Json::Null,
        Serves::Split(_) => serves(flag, &flag.otherwise),
    };
    Ok(match decision(ruleset, flag, leftover)? {
        // A rule must be an object: what is always served is the default.
        Json::Null => json!({"state": "ENABLED", "variants": variants, "defaultVariant": by_default.key}),
        Json::String(always) => json!({"state": "ENABLED", "variants": variants, "defaultVariant": always}),
        rule => json!({
            "state": "ENABLED", "variants": variants, "defaultVariant": by_default.key, "targeting": rule}),
    })
}

/// The rule by which a flag is decided.
fn decision(ruleset: &Ruleset, flag: &Compiled, leftover: Json) -> Result<Json, String> {
    if flag.division().is_some() {
        return Err(REMEMBERED.to_owned());
    }
    let mut steps = Vec::with_capacity(flag.branches.len() * 2 + 1);
    for branch in &flag.branches {
        match when(ruleset, flag, branch)? {
            Said::Never => {}
            Said::Always => {
                steps.push(serves(flag, branch));
                return Ok(choice(steps));
            }
            Said::If(condition) => steps.extend([condition, serves(flag, branch)]),
        }
    }
    steps.push(leftover);
    Ok(choice(steps))
}

/// Conditions and what follows from each; at the end what follows otherwise.
fn choice(mut steps: Vec<Json>) -> Json {
    match (steps.len(), steps.pop()) {
        (1, Some(only)) => only,
        (_, last) => {
            steps.extend(last);
            json!({"if": steps})
        }
    }
}

fn when(ruleset: &Ruleset, flag: &Compiled, branch: &Branch) -> Result<Said, String> {
    Ok(match &branch.when {
        When::Always => Said::Always,
        When::Unmet(parent) => {
            let Some(of) = parent.at.and_then(|at| ruleset.flags().get(at)) else { return Ok(Said::Always) };
            let inside = |e| format!("its prerequisite `{}`: {e}", parent.flag);
            let answer = decision(ruleset, of, serves(of, &of.otherwise)).map_err(inside)?;
            Said::If(json!({"!": [{"in": [answer, parent.variants]}]}))
        }
        When::Listed { list, ids } => listed(list, ids, flag.unit)?,
        When::Within(gate) => within(gate),
        When::Outside(gate) => !within(gate),
        When::Any(groups) => Said::any(groups.iter().map(|group| {
            Said::all(group.iter().map(|condition| match condition {
                Condition::Clause(tested) => tested_json(tested),
                Condition::Segment { members, not } => {
                    let said = segment(members)?;
                    Ok(if *not { !said } else { said })
                }
            }))
        }))?,
    })
}

fn tested_json(tested: &Tested) -> Result<Said, String> {
    clause::clause(&tested.whole.source, &tested.whole.test)
}

fn segment(members: &Members) -> Result<Said, String> {
    let inside = |e| format!("segment `{}`: {e}", members.key);
    let list = |list: &Option<(ListId, Arc<Ids>)>| match list {
        Some((id, ids)) => listed(id, ids, members.unit).map_err(inside),
        None => Ok(Said::Never),
    };
    let groups = members.groups.iter().map(|group| Said::all(group.iter().map(tested_json)));
    let rules = Said::any(groups).map_err(inside)?;
    let unless = Said::all([Ok(!list(&members.excluded)?), Ok(rules)])?;
    Said::any([list(&members.included), Ok(unless)])
}

fn listed(list: &ListId, ids: &Ids, unit: Unit) -> Result<Said, String> {
    match ids.texts() {
        Some(texts) => clause::member(unit.attribute(), texts),
        None => Err(format!("the list `{}` of {} ids is too long to be written out", list.0, ids.len())),
    }
}

fn serves(flag: &Compiled, branch: &Branch) -> Json {
    let (salted, arms) = match &branch.serves {
        Serves::One(outcome) => return json!(outcome.key),
        Serves::Split(Ranges { salted, arms }) => (salted, arms),
    };
    let mut ranges = Vec::with_capacity(arms.len());
    let mut from = 0;
    for arm in arms {
        ranges.push((name(&arm.outcome), arm.end() - from));
        from = arm.end();
    }
    json!({"if": [known(flag.unit), fractional(salted, flag.unit, &ranges), flag.off.key]})
}

fn name(outcome: &Outcome) -> &str {
    outcome.key.as_str()
}

/// Whether a unit's position is in a part of the population; false where it has none.
fn within(gate: &Gate) -> Said {
    if gate.spans.is_empty() {
        return Said::Never;
    }
    let mut ranges = Vec::with_capacity(gate.spans.len() * 2 + 1);
    let mut from = 0;
    for span in &gate.spans {
        if span.positions.0 > from {
            ranges.push(("out", span.positions.0 - from));
        }
        ranges.push(("in", span.positions.1 - span.positions.0));
        from = span.positions.1;
    }
    if from < END {
        ranges.push(("out", END - from));
    }
    let place = fractional(&gate.salted, gate.unit, &ranges);
    Said::If(json!({"and": [known(gate.unit), {"===": [place, "in"]}]}))
}

const END: u32 = threshold(10_000);

/// All weights together: a power of two that makes `fractional` compare as we do.
const TOTAL: u32 = 1 << 30;

/// Ranges of positions as the weights of `fractional`: a position counts 25, and the last range also has
/// what is left of [`TOTAL`].
fn fractional(salted: &Salted, unit: Unit, ranges: &[(&str, u32)]) -> Json {
    let mut arguments = vec![json!({"cat": [salted.salt(), "/", clause::variable(unit.attribute())]})];
    let mut left = TOTAL;
    for (at, (name, positions)) in ranges.iter().enumerate() {
        let weight = if at + 1 == ranges.len() { left } else { positions * 25 };
        left -= weight;
        arguments.push(json!([name, weight]));
    }
    json!({"fractional": arguments})
}

/// Whether there is an id to place.
fn known(unit: Unit) -> Json {
    let id = clause::variable(unit.attribute());
    match unit {
        // Always text.
        Unit::User => id,
        Unit::Device | Unit::Session | Unit::Account => {
            json!({"and": [{"!==": [id, null]}, {"!==": [id, ""]}]})
        }
    }
}

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
//! pre-release, build metadata and a `v` if need be; an attribute that is asked by a set operator is a list
//! of text; no attribute that is asked is an object, a list in a list, or a list written in a string;
//! booleans are asked by `is` and `is_not` only; a dot in a name is a path. With other contexts a provider
//! answers, too, but perhaps as if the clause did not hold. Where ids are not ASCII, the Node provider hashes
//! other bytes than the rest of the world (UTF-16).

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
    let mut said: Vec<(&Compiled, usize)> = Vec::new();
    // What a flag would have is known before any is written: each that needs another has the other's rule in it.
    let mut sizes = Sizes::new(ruleset);
    for flag in ruleset.flags() {
        match sizes.flag(flag) {
            Ok(bytes) => said.push((flag, bytes.saturating_add(flag.key.as_str().len() + 4))),
            Err(reason) => left_out.push((flag.key.clone(), reason)),
        }
    }
    // Without a `scope` the Node provider gives its selector as one with every answer, and the selector may be
    // a key.
    let environment = ruleset.environment();
    let envelope = json!({"flags": {}, "metadata": {"flagSetId": environment, "scope": environment}});
    let bytes = said.iter().fold(0_usize, |all, (_, bytes)| all.saturating_add(*bytes));
    let mut total = envelope.to_string().len().saturating_add(bytes);
    // The largest go first: they are fewest.
    while total > LARGEST {
        let Some(at) = (0..said.len()).max_by_key(|at| said.get(*at).map(|(_, bytes)| *bytes)) else {
            break;
        };
        let (flag, bytes) = said.swap_remove(at);
        let others = said.iter().fold(0_usize, |all, (_, bytes)| all.saturating_add(*bytes));
        total = envelope.to_string().len().saturating_add(others);
        left_out.push((
            flag.key.clone(),
            format!("the document would have more than {LARGEST} bytes, of which this flag has {bytes}"),
        ));
    }
    let mut flags = Map::new();
    for (flag, _) in said {
        match flag_json(flag, &mut |at| answer(ruleset, at)) {
            Ok(json) => drop(flags.insert(flag.key.to_string(), json)),
            Err(reason) => left_out.push((flag.key.clone(), reason)),
        }
    }
    left_out.sort_by(|a, b| a.0.cmp(&b.0));
    let mut document = envelope;
    document["flags"] = flags.into();
    Export { document, left_out }
}

/// Gives the rule of the flag at a place, for one that needs it.
type Answers<'a> = &'a mut dyn FnMut(usize) -> Result<Json, String>;

/// The rule of a flag as it stands in those that need it.
fn answer(ruleset: &Ruleset, at: usize) -> Result<Json, String> {
    match ruleset.flags().get(at) {
        Some(flag) => decision(flag, serves(flag, &flag.otherwise), &mut |at| answer(ruleset, at)),
        None => Ok(Json::Null),
    }
}

/// How many bytes rules have, written out. Each flag is looked at once, whoever needs it: to write out what
/// is needed by what is needed would take memory without bounds.
struct Sizes<'r> {
    ruleset: &'r Ruleset,
    answers: Vec<Option<Result<usize, String>>>,
}

impl<'r> Sizes<'r> {
    fn new(ruleset: &'r Ruleset) -> Self {
        Self { ruleset, answers: vec![None; ruleset.flags().len()] }
    }

    fn flag(&mut self, flag: &Compiled) -> Result<usize, String> {
        self.measured(|answers| flag_json(flag, answers))
    }

    fn answer(&mut self, at: usize) -> Result<usize, String> {
        if let Some(Some(known)) = self.answers.get(at) {
            return known.clone();
        }
        let ruleset = self.ruleset;
        let size = match ruleset.flags().get(at) {
            Some(flag) => {
                let rest = serves(flag, &flag.otherwise);
                self.measured(|answers| decision(flag, rest, answers))
            }
            None => Ok(GAP),
        };
        if let Some(known) = self.answers.get_mut(at) {
            *known = Some(size.clone());
        }
        size
    }

    /// Writes something with gaps for the answers of others, and adds what these have.
    fn measured(&mut self, write: impl FnOnce(Answers<'_>) -> Result<Json, String>) -> Result<usize, String> {
        let (mut gaps, mut others) = (0, 0_usize);
        let json = write(&mut |at| {
            others = others.saturating_add(self.answer(at)?);
            gaps += GAP;
            Ok(Json::Null)
        })?;
        Ok((json.to_string().len() - gaps).saturating_add(others))
    }
}

/// The bytes of `null`.
const GAP: usize = 4;

fn flag_json(flag: &Compiled, answers: Answers<'_>) -> Result<Json, String> {
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
    Ok(match decision(flag, leftover, answers)? {
        // A rule must be an object: what is always served is the default.
        Json::Null => json!({"state": "ENABLED", "variants": variants, "defaultVariant": by_default.key}),
        Json::String(always) => json!({"state": "ENABLED", "variants": variants, "defaultVariant": always}),
        rule => json!({
            "state": "ENABLED", "variants": variants, "defaultVariant": by_default.key, "targeting": rule}),
    })
}

/// The rule by which a flag is decided.
fn decision(flag: &Compiled, leftover: Json, answers: Answers<'_>) -> Result<Json, String> {
    if flag.division().is_some() {
        return Err(REMEMBERED.to_owned());
    }
    let mut steps = Vec::with_capacity(flag.branches.len() * 2 + 1);
    for branch in &flag.branches {
        match when(flag, branch, answers)? {
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

fn when(flag: &Compiled, branch: &Branch, answers: Answers<'_>) -> Result<Said, String> {
    Ok(match &branch.when {
        When::Always => Said::Always,
        When::Unmet(parent) => {
            let Some(at) = parent.at else { return Ok(Said::Always) };
            let inside = |e| format!("its prerequisite `{}`: {e}", parent.flag);
            let answer = answers(at).map_err(inside)?;
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use bellwether_model::{Flag, Revision};

    use super::*;
    use crate::ruleset::Source;

    /// Flags of which each needs the two before it.
    fn chain(length: usize, words: usize) -> Ruleset {
        let values: Vec<String> = (0..words).map(|n| format!("city-{n}")).collect();
        let flags: Vec<Flag> = (0..length)
            .map(|at| {
                let parents: Vec<Json> = (at.saturating_sub(2)..at)
                    .map(|at| json!({"flag": format!("f{at:03}"), "variants": ["on"]}))
                    .collect();
                serde_json::from_value(json!({
                    "key": format!("f{at:03}"), "kind": "boolean", "created": 0,
                    "variants": [{"key": "on", "value": true}, {"key": "off", "value": false}],
                    "settings": {"test": {"on": true, "off": "off", "prerequisites": parents,
                        "rules": [{"when": [[{"attribute": "city", "op": "is", "values": values}]],
                            "serve": {"serve": "variant", "variant": "off"}}],
                        "default": {"serve": "variant", "variant": "on"}}},
                }))
                .unwrap()
            })
            .collect();
        let test = serde_json::from_value(json!({"key": "test", "name": "Test"})).unwrap();
        Ruleset::compile(&test, Revision(1), Source::of_flags(&flags)).unwrap()
    }

    #[test]
    fn what_a_flag_would_have_is_known_before_it_is_written() {
        let rules = chain(6, 3);
        let mut sizes = Sizes::new(&rules);
        for (at, flag) in rules.flags().iter().enumerate() {
            let json = flag_json(flag, &mut |at| answer(&rules, at)).unwrap();
            assert_eq!(sizes.flag(flag), Ok(json.to_string().len()));
            assert_eq!(sizes.answer(at), Ok(answer(&rules, at).unwrap().to_string().len()));
        }
    }

    /// The last flag of this chain has 144 copies of rules in it, of 100 kB each.
    #[test]
    fn what_does_not_fit_is_not_written() {
        let rules = chain(11, 6_500);
        let Export { document, left_out } = export(&rules);
        let carried = document["flags"].as_object().unwrap();
        assert_eq!(carried.len() + left_out.len(), 11);
        assert!(carried.contains_key("f003") && !carried.contains_key("f010"), "{}", carried.len());
        assert!(document.to_string().len() <= LARGEST);
        assert!(left_out.iter().all(|(_, why)| why.starts_with("the document would have more than")));
    }
}

//! Flags, tests: the real engines of the official SDKs answer as the server does, on random worlds.
//! Where an engine is not installed its test says so and passes, but in CI, where it fails; the same worlds are
//! checked against written-down engines elsewhere.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

#[path = "oracle/engines.rs"]
mod engines;
mod world;

use std::collections::BTreeMap;

use bellwether_flags::{Ruleset, Source, amplitude, flagd};
use bellwether_model::{Context, Flag, Revision};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

use world::amplitude::{amplitude_clause, amplitude_user, ordinary_clause};
use world::{World, environment, ops, typed_clause, typed_context, user, world, world_of};

/// The same cases at every run.
fn drawn<T: std::fmt::Debug>(count: usize, strategy: impl Strategy<Value = T>) -> Vec<T> {
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    (0..count).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect()
}

/// How many flags an export has and how many it left out, and that an engine answers all of the former as
/// the server does.
fn amplitude_agrees(cases: &[(World, Vec<Value>)], script: &str, package: &str) -> Option<(usize, usize)> {
    let compiled: Vec<_> = cases.iter().map(|(world, _)| world.compile(7)).collect();
    let exports: Vec<_> = compiled.iter().map(amplitude::export).collect();
    let asked: Vec<Value> = exports
        .iter()
        .zip(cases)
        .map(|(export, (_, users))| json!({"flags": export.flags, "users": users}))
        .collect();
    let answers = engines::ask(script, package, &asked)?;
    let (mut compared, mut carried, mut reasons) = (0, 0, BTreeMap::<String, usize>::new());
    for (at, (_, users)) in cases.iter().enumerate() {
        for (_, why) in &exports[at].left_out {
            *reasons.entry(why.rsplit('`').next().unwrap().to_owned()).or_default() += 1;
        }
        carried += compiled[at].keys().count() - exports[at].left_out.len();
        for (user, local) in users.iter().zip(answers[at].as_array().unwrap()) {
            for answer in compiled[at].evaluate_all(&amplitude::context(user.as_object().unwrap())) {
                if exports[at].left_out.iter().any(|(key, _)| key == answer.flag) {
                    continue;
                }
                let ours = amplitude::variant(&answer);
                let theirs = &local[answer.flag.as_str()];
                assert_eq!(
                    *theirs,
                    json!([ours["key"], ours["metadata"]]),
                    "{} for {user} of {:#?}",
                    answer.flag,
                    cases[at].0
                );
                compared += 1;
            }
        }
    }
    let left_out = reasons.values().sum();
    println!("{compared} answers compared; {carried} flags carried, left out: {reasons:?}");
    assert!(compared > 20_000, "{compared}");
    Some((carried, left_out))
}

const JAVASCRIPT: (&str, &str) = ("amplitude.mjs", "@amplitude/experiment-core");
const PYTHON: (&str, &str) = ("amplitude_engine.py", "amplitude_experiment");

/// The one for JavaScript agrees on whatever a user has.
#[test]
fn amplitude_for_javascript() {
    let cases = drawn(1_500, (world("utf8", ops()), prop::collection::vec(user(), 10)));
    amplitude_agrees(&cases, JAVASCRIPT.0, JAVASCRIPT.1);
}

/// Both agree on the users that the format's documentation names, odd ones among them: 0, false, empty
/// text, empty lists, and text where a number is asked.
#[test]
fn amplitude_for_python() {
    let worlds = world_of("utf8", amplitude_clause().boxed());
    let cases = drawn(1_500, (worlds, prop::collection::vec(amplitude_user(), 10)));
    amplitude_agrees(&cases, PYTHON.0, PYTHON.1);
    amplitude_agrees(&cases, JAVASCRIPT.0, JAVASCRIPT.1);
}

/// Rules as people write them are carried, all of them.
#[test]
fn amplitude_carries_ordinary_rules() {
    let worlds = world_of("utf8", ordinary_clause().boxed()).prop_map(|mut world| {
        for (n, list) in world.lists.values_mut().enumerate() {
            *list = vec![format!("u-{n}"), format!("1234{n}")];
        }
        world
    });
    let cases = drawn(1_500, (worlds, prop::collection::vec(amplitude_user(), 10)));
    let Some((carried, left_out)) = amplitude_agrees(&cases, PYTHON.0, PYTHON.1) else { return };
    assert!(carried > 4_000 && left_out == 0, "{carried} carried, {left_out} left out");
}

/// A pattern as it is exported, if it is.
fn exported(pattern: &str) -> Option<String> {
    let flag: Flag = serde_json::from_value(json!({
        "key": "f", "kind": "boolean", "created": 0,
        "variants": [{"key": "on", "value": true}, {"key": "off", "value": false}],
        "settings": {"test": {"on": true, "off": "off",
            "rules": [{"when": [[{"attribute": "user_id", "op": "matches", "values": [pattern]}]],
                "serve": {"serve": "variant", "variant": "on"}}],
            "default": {"serve": "variant", "variant": "off"}}},
    }))
    .unwrap();
    // What is too large once compiled is no pattern.
    let rules = Ruleset::compile(&environment("utf8"), Revision(1), Source::of_flags([&flag])).ok()?;
    let export = amplitude::export(&rules);
    let flag = export.flags.first()?;
    Some(flag["segments"][0]["conditions"][0][0]["values"][0].as_str().unwrap().to_owned())
}

/// Random patterns of two letters, most of which would make an engine go back.
fn pattern() -> impl Strategy<Value = String> {
    let leaf = select(&["a", "b", "[ab]", "[^b]", ".", "^", "$", r"\w"][..]).prop_map(str::to_owned);
    leaf.prop_recursive(4, 12, 3, |inner| {
        prop_oneof![
            3 => prop::collection::vec(inner.clone(), 2..4).prop_map(|all| all.concat()),
            1 => (inner.clone(), inner.clone()).prop_map(|(one, other)| format!("(?:{one}|{other})")),
            2 => (inner, select(&["?", "*", "+", "{2}", "{0,3}", "{2,}", "{1,200}"][..]))
                .prop_map(|(of, many)| format!("(?:{of}){many}")),
        ]
    })
}

/// What is given to an engine that goes back comes to an end on texts made for it not to.
#[test]
fn patterns_come_to_an_end_in_javascript() {
    let patterns: Vec<String> = drawn(4_000, pattern()).iter().filter_map(|p| exported(p)).collect();
    let texts = ["a", "b", "ab", "aab"].map(|of| of.repeat(400)).map(|text| format!("{text}!"));
    let asked: Vec<Value> = patterns.iter().map(|p| json!({"pattern": p, "texts": texts})).collect();
    let Some(answers) = engines::ask("patterns.mjs", "@amplitude/experiment-core", &asked) else { return };
    for (pattern, found) in patterns.iter().zip(&answers) {
        assert!(found.as_array().unwrap().iter().all(Value::is_boolean), "`{pattern}`: {found}");
    }
    println!("{} patterns came to an end", patterns.len());
    assert!(patterns.len() > 500, "{}", patterns.len());
}

fn flagd_agrees(bucketing: &'static str, script: &str, package: &str) {
    let worlds = world_of(bucketing, typed_clause().boxed());
    let cases = drawn(1_500, (worlds, prop::collection::vec(typed_context(), 10)));
    let compiled: Vec<_> = cases.iter().map(|(world, _)| world.compile(7)).collect();
    let exports: Vec<_> = compiled.iter().map(flagd::export).collect();
    let asked: Vec<Value> = exports
        .iter()
        .zip(&cases)
        .map(|(export, (_, contexts))| json!({"document": export.document, "contexts": contexts}))
        .collect();
    let Some(answers) = engines::ask(script, package, &asked) else { return };
    let (mut compared, mut reasons) = (0, BTreeMap::<String, usize>::new());
    for export in &exports {
        for (_, why) in &export.left_out {
            *reasons.entry(why.split('`').next().unwrap().to_owned()).or_default() += 1;
        }
    }
    for (at, (_, contexts)) in cases.iter().enumerate() {
        for (context, local) in contexts.iter().zip(answers[at].as_array().unwrap()) {
            let mut attributes = context.as_object().cloned().unwrap();
            let key = attributes.remove("targetingKey");
            let ours = Context::new(key.as_ref().and_then(Value::as_str), attributes);
            for answer in compiled[at].evaluate_all(&ours) {
                if exports[at].left_out.iter().any(|(key, _)| key == answer.flag) {
                    continue;
                }
                let theirs = &local[answer.flag.as_str()];
                assert_eq!(
                    theirs[0],
                    answer.variant.as_str(),
                    "{} ({:?}) for {context}: {local}\n{}\n{:#?}",
                    answer.flag,
                    answer.reason,
                    exports[at].document["flags"][answer.flag.as_str()],
                    cases[at].0
                );
                compared += 1;
            }
        }
    }
    println!("{compared} answers compared; left out: {reasons:?}");
    assert!(compared > 20_000, "{compared}");
}

#[test]
fn flagd_for_javascript() {
    flagd_agrees("utf8", "flagd.mjs", "@openfeature/flagd-core");
}

#[test]
fn flagd_for_python() {
    flagd_agrees("cbor", "flagd.py", "openfeature.contrib.tools.flagd.core");
}

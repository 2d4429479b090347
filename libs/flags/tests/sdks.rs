//! Flags, tests: the real engines of the official SDKs answer as the server does, on random worlds.
//! Where an engine is not installed its test says so and passes; the same worlds are checked against
//! written-down engines elsewhere.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

#[path = "oracle/engines.rs"]
mod engines;
mod world;

use bellwether_flags::{amplitude, flagd};
use bellwether_model::Context;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

use world::{ops, typed_clause, typed_context, user, world, world_of};

/// The same cases at every run.
fn drawn<T: std::fmt::Debug>(count: usize, strategy: impl Strategy<Value = T>) -> Vec<T> {
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    (0..count).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect()
}

#[test]
fn amplitude_for_javascript() {
    let cases = drawn(1_500, (world("utf8", ops()), prop::collection::vec(user(), 10)));
    let compiled: Vec<_> = cases.iter().map(|(world, _)| world.compile(7)).collect();
    let exports: Vec<_> = compiled.iter().map(amplitude::export).collect();
    let asked: Vec<Value> = exports
        .iter()
        .zip(&cases)
        .map(|(export, (_, users))| json!({"flags": export.flags, "users": users}))
        .collect();
    let Some(answers) = engines::ask("amplitude.mjs", "@amplitude/experiment-core", &asked) else { return };
    let (mut compared, mut left_out) = (0, 0);
    for (at, (_, users)) in cases.iter().enumerate() {
        left_out += exports[at].left_out.len();
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
    println!("{compared} answers compared, {left_out} flags left out");
    assert!(compared > 20_000, "{compared}");
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
    let (mut compared, mut reasons) = (0, std::collections::BTreeMap::<String, usize>::new());
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

//! Flags, tests: the real engines of the official SDKs answer as the server does, on random worlds.
//! Where an engine is not installed its test says so and passes; the same worlds are checked against
//! written-down engines elsewhere.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "oracle/engines.rs"]
mod engines;
mod world;

use bellwether_flags::amplitude;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

use world::{ops, user, world};

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

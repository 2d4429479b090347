//! Flags, tests: the frozen vectors of `conformance/vectors`, by which an engine in another language can
//! check itself. Ours must pass them for ever.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod naive;
mod oracle;
mod world;

use std::collections::BTreeMap;
use std::path::PathBuf;

use bellwether_flags::{bucket, threshold};
use bellwether_model::{Bucketing, Clause, Context, ListId, Op, Serve};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use world::{World, attribute, ops, typed_context, world};

fn path(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../conformance/vectors").join(file)
}

fn read<T: serde::de::DeserializeOwned>(file: &str) -> T {
    serde_json::from_str(&std::fs::read_to_string(path(file)).unwrap()).unwrap()
}

#[derive(Serialize, Deserialize)]
struct Positions {
    thresholds: Vec<(u16, u32)>,
    positions: Vec<Position>,
}

#[derive(Serialize, Deserialize)]
struct Position {
    bucketing: Bucketing,
    salt: String,
    unit: String,
    hash: u32,
    position: u32,
}

#[derive(Serialize, Deserialize)]
struct Operators {
    values: Vec<Value>,
    clauses: Vec<Row>,
}

#[derive(Serialize, Deserialize)]
struct Row {
    op: Op,
    values: Vec<String>,
    /// One digit per value: 1 holds, 0 does not.
    holds: String,
}

#[derive(Serialize, Deserialize)]
struct Ruleset {
    ruleset: Parts,
    cases: Vec<Case>,
}

#[derive(Serialize, Deserialize)]
struct Parts {
    environment: bellwether_model::Environment,
    flags: Vec<bellwether_model::Flag>,
    segments: Vec<bellwether_model::Segment>,
    layers: Vec<bellwether_model::Layer>,
    holdouts: Vec<bellwether_model::Holdout>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    betas: Vec<bellwether_model::Beta>,
    lists: BTreeMap<ListId, Vec<String>>,
}

#[derive(Serialize, Deserialize)]
struct Case {
    /// As OFREP has it: `targetingKey` and attributes.
    context: Value,
    /// By flag; a flag that is not here is not found.
    answers: BTreeMap<String, Answer>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Answer {
    variant: String,
    reason: Value,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    enrolled: bool,
}

fn context(of: &Value) -> Context {
    let mut attributes = of.as_object().cloned().unwrap();
    let key = attributes.remove("targetingKey");
    Context::new(key.as_ref().and_then(Value::as_str), attributes)
}

#[test]
fn positions() {
    let file: Positions = read("positions.json");
    for (points, expected) in &file.thresholds {
        assert_eq!(threshold(*points), *expected, "{points}");
    }
    for at in &file.positions {
        let found = bucket(at.bucketing, &at.salt, &at.unit);
        assert_eq!((found.hash, found.position()), (at.hash, at.position), "{}/{}", at.salt, at.unit);
    }
    assert!(file.positions.len() > 50);
}

#[test]
fn operators() {
    let file: Operators = read("operators.json");
    hold(&file);
    assert!(Op::ALL.iter().all(|op| file.clauses.iter().any(|row| row.op == *op)));
}

#[test]
fn versions() {
    let file: Operators = read("versions.json");
    hold(&file);
    assert!(file.clauses.iter().any(|row| row.holds.contains('1')) && file.clauses.len() >= 48);
}

fn hold(file: &Operators) {
    for row in &file.clauses {
        let flag = json!({
            "key": "f", "kind": "boolean", "created": 0,
            "variants": [{"key": "on", "value": true}, {"key": "off", "value": false}],
            "settings": {"test": {"on": true, "off": "off",
                "rules": [{"when": [[{"attribute": "p", "op": row.op, "values": row.values}]],
                    "serve": {"serve": "variant", "variant": "on"}}],
                "default": {"serve": "variant", "variant": "off"}}},
        });
        let flag = serde_json::from_value(flag).unwrap();
        let source = bellwether_flags::Source::of_flags([&flag]);
        let rules =
            bellwether_flags::Ruleset::compile(&world::environment("utf8"), Default::default(), source)
                .unwrap();
        assert_eq!(row.holds.len(), file.values.len());
        for (value, expected) in file.values.iter().zip(row.holds.chars()) {
            let answer = rules.evaluate("f", &context(&json!({"p": value}))).unwrap();
            assert_eq!(
                answer.variant.as_str() == "on",
                expected == '1',
                "{value} {:?} {:?}",
                row.op,
                row.values
            );
        }
    }
}

#[test]
fn rulesets() {
    let files: [Vec<Ruleset>; 2] = [read("rulesets.json"), read("betas.json")];
    let mut reasons = std::collections::BTreeSet::new();
    for Ruleset { ruleset, cases } in files.into_iter().flatten() {
        let Parts { environment, flags, segments, layers, holdouts, betas, lists } = ruleset;
        let world = World { environment, flags, segments, layers, holdouts, betas, lists };
        let rules = world.compile(1);
        for case in cases {
            let found: BTreeMap<String, Answer> = rules
                .evaluate_all(&context(&case.context))
                .map(|a| {
                    let reason = serde_json::to_value(a.reason).unwrap();
                    (
                        a.flag.to_string(),
                        Answer { variant: a.variant.to_string(), reason, enrolled: a.enrolled },
                    )
                })
                .collect();
            assert_eq!(found, case.answers, "{}", case.context);
            reasons.extend(case.answers.values().map(|a| a.reason["because"].as_str().unwrap().to_owned()));
        }
    }
    assert_eq!(reasons.len(), 12, "{reasons:?}");
}

/// Writes the vectors, answered by the naive evaluation. Files that are there are never written again.
#[test]
#[ignore = "run by hand for a new file of vectors"]
fn freeze() {
    let mut runner =
        TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let write = |file: &str, text: String| {
        let options = std::fs::OpenOptions::new().write(true).create_new(true).open(path(file));
        std::io::Write::write_all(&mut options.unwrap(), text.as_bytes()).unwrap();
    };
    std::fs::create_dir_all(path("")).unwrap();

    let units: Vec<String> = (0..12)
        .map(|n| format!("user-{n}"))
        .chain(
            ["x", "u1", "ünïcode-ключ", "用户-1", "f021d0f9-33b7-4b22-b0bd-9fec66ba1d7d", "😀"]
                .map(str::to_owned),
        )
        .chain([21, 22, 23, 253, 254, 255, 300].map(|n| "u".repeat(n)))
        .collect();
    let place = |bucketing: &str, salt: &str, unit: &str| {
        let mut world = empty(bucketing);
        world.environment.bucketing = serde_json::from_value(json!(bucketing)).unwrap();
        let hash = naive::hash(&world, salt, unit);
        let position = hash / 100;
        json!({"bucketing": bucketing, "salt": salt, "unit": unit, "hash": hash, "position": position})
    };
    let positions: Vec<String> = ["utf8", "cbor"]
        .iter()
        .flat_map(|b| units.iter().flat_map(|u| ["checkout-v2:a1", "s"].map(|s| place(b, s, u).to_string())))
        .collect();
    let thresholds: Vec<Value> = [0, 1, 50, 100, 1_000, 3_333, 3_334, 5_000, 6_667, 9_999, 10_000]
        .map(|n: u16| json!([n, naive::edge(n)]))
        .into();
    let lines = positions.join(",\n    ");
    write(
        "positions.json",
        format!("{{\n  \"thresholds\": {},\n  \"positions\": [\n    {lines}\n  ]\n}}\n", json!(thresholds)),
    );

    let mut values: Vec<Value> = world::WORDS.iter().map(|w| json!(w)).collect();
    values.push(Value::Null);
    while values.len() < 80 {
        let value = attribute().new_tree(&mut runner).unwrap().current();
        if !values.contains(&value) {
            values.push(value);
        }
    }
    let mut rows = Vec::new();
    for op in Op::ALL {
        for _ in 0..4 {
            let clause = world::clause(vec![op.word()]).new_tree(&mut runner).unwrap().current();
            let clause: Clause = serde_json::from_value(clause).unwrap();
            let clause = Clause { attribute: "p".to_owned(), ..clause };
            let holds: String = values
                .iter()
                .map(|v| if naive::holds(&clause, &context(&json!({"p": v}))) { '1' } else { '0' })
                .collect();
            let row = Row { op, values: clause.values, holds };
            rows.push(serde_json::to_string(&row).unwrap());
        }
    }
    let lines = rows.join(",\n    ");
    write(
        "operators.json",
        format!("{{\n  \"values\": {},\n  \"clauses\": [\n    {lines}\n  ]\n}}\n", json!(values)),
    );

    write("rulesets.json", answered(&mut runner, 60, |world| world.betas.is_empty()));
}

/// The same for the rulesets with betas, which came later.
#[test]
#[ignore = "run by hand for a new file of vectors"]
fn freeze_betas() {
    let mut runner =
        TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let options = std::fs::OpenOptions::new().write(true).create_new(true).open(path("betas.json"));
    let shown =
        |world: &World| world.betas.iter().any(|b| !b.archived && b.on.contains(&world.environment.key));
    let text = answered(&mut runner, 20, shown);
    std::io::Write::write_all(&mut options.unwrap(), text.as_bytes()).unwrap();
}

/// Versions with build metadata, behind a `v` and with numbered pre-releases, which came later.
#[test]
#[ignore = "run by hand for a new file of vectors"]
fn freeze_versions() {
    let mut runner =
        TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let options = std::fs::OpenOptions::new().write(true).create_new(true).open(path("versions.json"));
    let mut values: Vec<Value> = world::SEMANTIC.iter().chain(&world::VERSIONS).map(|v| json!(v)).collect();
    values.extend([json!(null), json!("junk"), json!(1.5), json!(["v1.2.3", "9.0.0+1"])]);
    let versioned = Op::ALL.into_iter().filter(|op| op.word().starts_with("version_"));
    let mut rows = Vec::new();
    for op in versioned {
        for _ in 0..6 {
            let of = [&world::SEMANTIC[..], &world::VERSIONS].concat();
            let of = prop::collection::vec(prop::sample::select(of), 1..3);
            let of = of.new_tree(&mut runner).unwrap().current().into_iter().map(str::to_owned).collect();
            let clause = Clause { attribute: "p".to_owned(), op, values: of };
            let holds = |v: &Value| if naive::holds(&clause, &context(&json!({"p": v}))) { '1' } else { '0' };
            let row = Row { op, holds: values.iter().map(holds).collect(), values: clause.values.clone() };
            rows.push(serde_json::to_string(&row).unwrap());
        }
    }
    let lines = rows.join(",\n    ");
    let text = format!("{{\n  \"values\": {},\n  \"clauses\": [\n    {lines}\n  ]\n}}\n", json!(values));
    std::io::Write::write_all(&mut options.unwrap(), text.as_bytes()).unwrap();
}

/// So many random rulesets of a sort, each with what the naive evaluation answers.
fn answered(runner: &mut TestRunner, count: usize, wanted: impl Fn(&World) -> bool) -> String {
    let mut rulesets = Vec::new();
    while rulesets.len() < count {
        let bucketing = if rulesets.len() % 3 == 2 { "cbor" } else { "utf8" };
        let world = world(bucketing, ops()).new_tree(runner).unwrap().current();
        if !wanted(&world) {
            continue;
        }
        let cases = prop::collection::vec(typed_context(), 5).new_tree(runner).unwrap().current();
        let cases = cases.into_iter().map(|of| {
            let answers = world.flags.iter().filter_map(|flag| {
                let (variant, reason) = naive::answer(&world, flag.key.as_str(), &context(&of))?;
                // The default's split enrols whom it does not leave in its rest, a rollout everybody.
                let default = &flag.settings.get(&world.environment.key)?.default;
                let rest = match default {
                    Serve::Split { split } => split.rest().map(ToString::to_string),
                    Serve::Variant { .. } | Serve::Rollout { .. } => None,
                };
                let enrolled = reason["because"] == "split" && rest.as_deref() != Some(&*variant);
                Some((flag.key.to_string(), Answer { variant, reason, enrolled }))
            });
            Case { answers: answers.collect(), context: of }
        });
        let cases = cases.collect();
        let World { environment, flags, segments, layers, holdouts, betas, lists } = world;
        let ruleset = Parts { environment, flags, segments, layers, holdouts, betas, lists };
        rulesets.push(serde_json::to_string(&Ruleset { ruleset, cases }).unwrap());
    }
    format!("[\n{}\n]\n", rulesets.join(",\n"))
}

fn empty(bucketing: &str) -> World {
    World {
        environment: world::environment(bucketing),
        flags: Vec::new(),
        segments: Vec::new(),
        layers: Vec::new(),
        holdouts: Vec::new(),
        betas: Vec::new(),
        lists: BTreeMap::new(),
    }
}

//! Flags, tests: every operator on every kind of value says what the real Amplitude engine says
//! (`golden/conditions.json`, written by `golden/conditions.mjs`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use bellwether_flags::{Ruleset, Source};
use bellwether_model::{Clause, Context, Flag, Op, Revision};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Golden {
    values: Vec<Value>,
    clauses: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    op: Op,
    values: Vec<String>,
    /// One digit per value: 1 holds, 0 does not.
    holds: String,
}

#[test]
fn operators_mean_what_the_engine_means() {
    let golden: Golden = serde_json::from_str(include_str!("golden/conditions.json")).unwrap();
    let mut wrong = Vec::new();
    for row in &golden.clauses {
        let clause = Clause { attribute: "p".to_owned(), op: row.op, values: row.values.clone() };
        let rules = one_rule(&clause);
        for (value, expected) in golden.values.iter().zip(row.holds.chars()) {
            let attributes = json!({"p": value}).as_object().cloned().unwrap();
            let answer = rules.evaluate("f", &Context::new(None, attributes)).unwrap();
            if (answer.variant.as_str() == "on") != (expected == '1') {
                wrong.push(format!("{value} {:?} {:?}: the engine says {expected}", row.op, row.values));
            }
        }
        assert_eq!(row.holds.len(), golden.values.len());
    }
    assert!(golden.clauses.len() > 100, "{}", golden.clauses.len());
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

fn one_rule(clause: &Clause) -> Ruleset {
    let flag: Flag = serde_json::from_value(json!({
        "key": "f", "kind": "boolean", "created": 0,
        "variants": [{"key": "on", "value": true}, {"key": "off", "value": false}],
        "settings": {"test": {
            "on": true, "off": "off",
            "rules": [{"when": [[clause]], "serve": {"serve": "variant", "variant": "on"}}],
            "default": {"serve": "variant", "variant": "off"}}},
    }))
    .unwrap();
    let test = serde_json::from_value(json!({"key": "test", "name": "Test"})).unwrap();
    Ruleset::compile(&test, Revision(1), Source::of_flags([&flag])).unwrap()
}

//! Flags, tests: an evaluation allocates nothing. Every operator on ordinary contexts, with segments, a
//! prerequisite, a layer, a holdout and a split.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::hint::black_box;
use std::sync::Arc;

use bellwether_flags::{Ids, Ruleset, Source};
use bellwether_model::{Context, Environment, Flag, Holdout, Layer, ListId, Op, Revision, Segment};
use serde_json::{Value, json};

fn allocations(f: impl FnOnce()) -> u64 {
    allocation_counter::measure(f).count_total
}

#[test]
fn the_count_counts() {
    assert_eq!(allocations(|| drop(black_box(vec![1_u8]))), 1);
}

fn contexts() -> Vec<Context> {
    let attributes = |extra: Value| {
        let mut all = json!({
            "country": "FI", "plan": {"tier": "pro"}, "version": "2.10.3-rc.1", "email": "ada@Example.com",
            "age": 41, "height": 1.68, "beta": true, "tags": ["new", "vip", 7], "ip": "10.1.2.3",
            "since": "2026-02-20T12:00:00+02:00", "city": "Jyväskylä", "device_id": "d-1",
        });
        all.as_object_mut().unwrap().extend(extra.as_object().cloned().unwrap());
        all.as_object().cloned().unwrap()
    };
    vec![
        Context::new(Some("user-42"), attributes(json!({}))),
        Context::new(None, attributes(json!({"version": "2.0.0", "since": 1_771_545_600_000_i64}))),
        Context::new(Some("user-7"), attributes(json!({"version": "9", "ip": "2001:db8::1", "country": 7}))),
        Context::new(Some("user-8"), serde_json::Map::new()),
    ]
}

fn values(op: Op) -> Vec<&'static str> {
    match op {
        Op::Matches | Op::DoesNotMatch => vec![r"^\d+\.\d+", "@example", "ä.k"],
        Op::Before | Op::After => vec!["2026-03-01", "2027-01-01T00:00:00Z"],
        Op::InNetwork | Op::NotInNetwork => vec!["10.0.0.0/8", "2001:db8::/32"],
        Op::VersionIs | Op::VersionIsNot | Op::VersionCaret | Op::VersionTilde => vec!["2.10.3-rc.1", "2.0"],
        _ => vec!["FI", "2.0.0", "ada", "VIP", "40", "true", "ÄS"],
    }
}

fn world() -> Ruleset {
    let attributes = [
        "country",
        "plan.tier",
        "version",
        "email",
        "age",
        "height",
        "beta",
        "tags",
        "ip",
        "since",
        "city",
        "user_id",
        "missing",
    ];
    let setting = |rules: Vec<Value>, extra: Value| {
        let split = json!({"salt": "s:1", "ranges": [
            {"from": 0, "to": 3000, "variant": "on"}, {"from": 3000, "to": 10000, "variant": "off"}]});
        let mut setting = json!({"on": true, "off": "off", "rules": rules,
            "default": {"serve": "split", "split": split}});
        setting.as_object_mut().unwrap().extend(extra.as_object().cloned().unwrap());
        setting
    };
    let flag = |key: String, unit: &str, layer: Option<&str>, setting: Value| -> Flag {
        serde_json::from_value(json!({
            "key": key, "kind": "boolean", "unit": unit, "created": 0, "layer": layer,
            "variants": [{"key": "on", "value": true}, {"key": "off", "value": false}],
            "settings": {"test": setting},
        }))
        .unwrap()
    };
    let mut flags = Vec::new();
    for op in Op::ALL {
        let group = |attribute: &str| json!([[{"attribute": attribute, "op": op, "values": values(op)}]]);
        let rules = attributes.iter().map(|a| {
            // None decides, so that all are asked.
            let mut when = group(a);
            when[0]
                .as_array_mut()
                .unwrap()
                .push(json!({"attribute": "missing", "op": "is", "values": ["x"]}));
            json!({"when": when, "serve": {"serve": "variant", "variant": "on"}})
        });
        flags.push(flag(op.word(), "user", None, setting(rules.collect(), json!({}))));
    }
    let asks = vec![
        json!({"when": [[{"segment": "listed"}]], "serve": {"serve": "variant", "variant": "on"}}),
        json!({"when": [[{"segment": "listed", "not": true}, {"segment": "ruled"}]],
            "serve": {"serve": "variant", "variant": "on"}}),
    ];
    let needs = json!({"prerequisites": [{"flag": "is", "variants": ["on", "off"]}],
        "targets": [{"variant": "on", "list": "million"}]});
    flags.push(flag("all".to_owned(), "device", Some("l"), setting(asks, needs)));
    let segment = |value: Value| serde_json::from_value::<Segment>(value).unwrap();
    let segments = [
        segment(json!({"key": "listed", "created": 0, "included": "million", "excluded": "million"})),
        segment(json!({"key": "ruled", "created": 0, "unit": "device",
            "when": [[{"attribute": "country", "op": "is_not", "values": ["SE"]}]]})),
    ];
    let layer = Layer::new("l".parse().unwrap(), Default::default(), "l:1").unwrap();
    let layer = layer.allot(&"all".parse().unwrap(), bellwether_model::Share::ALL).unwrap();
    let holdout: Holdout = serde_json::from_value(json!(
        {"key": "h", "salt": "h:1", "share": 3000, "covers": {"covers": "everything"}}))
    .unwrap();
    let million = Arc::new(Ids::new((0..1_000_000).map(|n| format!("user-{n}"))));
    let lists = |_: &ListId| million.clone();
    let environment: Environment =
        serde_json::from_value(json!({"key": "test", "name": "Test", "bucketing": "utf8"})).unwrap();
    let source = Source {
        flags: flags.iter().collect(),
        segments: segments.iter().collect(),
        layers: vec![&layer],
        holdouts: vec![&holdout],
        betas: Vec::new(),
        lists: &lists,
    };
    Ruleset::compile(&environment, Revision(1), source).unwrap()
}

#[test]
fn evaluating_allocates_nothing() {
    let rules = world();
    let contexts = contexts();
    // A pattern makes room for its states when it is first used.
    for context in &contexts {
        rules.evaluate_all(context).for_each(|answer| _ = black_box(answer));
    }
    for context in &contexts {
        for key in rules.keys() {
            let count = allocations(|| _ = black_box(rules.evaluate(key.as_str(), context)));
            assert_eq!(count, 0, "`{key}` for {context:?}");
        }
        assert_eq!(allocations(|| rules.evaluate_all(context).for_each(|a| _ = black_box(a))), 0);
    }
}

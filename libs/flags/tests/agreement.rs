//! Flags, tests: what the server answers is what the Amplitude SDKs make of the export, on random
//! flags and random users; and an explanation is never about another answer than the evaluation.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod oracle;

use std::sync::Arc;

use bellwether_flags::{Ids, Reason, Ruleset, Source, Step, amplitude};
use bellwether_model::{Context, Flag, ListId, Revision, Share, Split, VariantKey};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

const VARIANTS: [&str; 3] = ["a", "b", "off"];
const OPS: [&str; 14] = [
    "is",
    "is_not",
    "contains",
    "does_not_contain",
    "less",
    "less_or_equal",
    "greater",
    "greater_or_equal",
    "version_less",
    "version_less_or_equal",
    "version_greater",
    "version_greater_or_equal",
    "starts_with",
    "ends_with",
];
const ATTRIBUTES: [&str; 12] = [
    "country",
    "plan",
    "plan.tier",
    "age",
    "version",
    "email",
    "tags",
    "user_id",
    "targetingKey",
    "device_id",
    "os.name",
    "a.b",
];
const WORDS: [&str; 28] = [
    "",
    " ",
    "fi",
    "FI",
    "Finland",
    "true",
    "False",
    "(none)",
    "10",
    "9",
    "9.50",
    " 9.5",
    "-1e2",
    "1.2.3",
    "1.2",
    "1.10.0",
    "1.2.3-rc.1",
    "v2",
    "[\"fi\", 10]",
    "[",
    "a+b",
    "b*",
    "x@Example.com",
    ".com",
    "u-1",
    "u-2",
    "d-1",
    "\n",
];

fn word() -> impl Strategy<Value = String> {
    prop_oneof![9 => select(&WORDS[..]).prop_map(str::to_owned), 1 => "[ -~]{0,4}"]
}

fn clause() -> impl Strategy<Value = Value> {
    (select(&ATTRIBUTES[..]), select(&OPS[..]), prop::collection::vec(word(), 1..4))
        .prop_map(|(attribute, op, values)| json!({"attribute": attribute, "op": op, "values": values}))
}

fn split() -> impl Strategy<Value = Split> {
    let shares = || (0_u16..=5_000, 0_u16..=5_000);
    (shares(), shares(), select(&["s:1", "checkout", "x/y"][..]), any::<bool>()).prop_map(
        |(first, then, salt, rest)| {
            let key = |k: &str| k.parse::<VariantKey>().unwrap();
            let parts = |(a, b): (u16, u16)| {
                [("a", a), ("b", b), ("off", 10_000 - a - b)]
                    .map(|(k, n)| (key(k), Share::basis_points(n).unwrap()))
            };
            let split = Split::new(salt, &parts(first), rest.then(|| key("off")).as_ref()).unwrap();
            split.reshare(&parts(then)).unwrap()
        },
    )
}

fn serve() -> impl Strategy<Value = Value> {
    let states = [
        json!({"state": "widening"}),
        json!({"state": "halted", "at": 1, "because": "harm"}),
        json!({"state": "done", "at": 1}),
    ];
    prop_oneof![
        select(&VARIANTS[..]).prop_map(|v| json!({"serve": "variant", "variant": v})),
        split().prop_map(|s| json!({"serve": "split", "split": s})),
        (split(), select(states.to_vec())).prop_map(|(split, state)| json!({"serve": "rollout", "rollout": {
            "candidate": "a", "control": "b", "split": split, "state": state, "started": 0, "epoch_began": 0}})),
    ]
}

fn flag() -> impl Strategy<Value = (Flag, Vec<String>)> {
    let rule = (prop::collection::vec(prop::collection::vec(clause(), 1..3), 1..3), serve());
    let values = select(vec![
        ("boolean", json!([true, true, false])),
        ("string", json!(["x", "", "off"])),
        ("number", json!([1.5, 10, 1e21])),
        ("json", json!([{"k": [1]}, [], {}])),
    ]);
    (
        (values, select(&["user", "device"][..]), prop::bool::weighted(0.9)),
        prop::option::of(select(&VARIANTS[..])),
        prop::collection::vec(word(), 0..4),
        prop::collection::vec(rule, 0..3),
        serve(),
    )
        .prop_map(|(((kind, values), unit, on), target, ids, rules, default)| {
            let variants: Vec<_> =
                VARIANTS.iter().enumerate().map(|(i, v)| json!({"key": v, "value": values[i]})).collect();
            let rules: Vec<_> =
                rules.into_iter().map(|(when, serve)| json!({"when": when, "serve": serve})).collect();
            let targets: Vec<_> = target.iter().map(|v| json!({"variant": v, "list": "l"})).collect();
            let flag = json!({
                "key": "f", "kind": kind, "unit": unit, "variants": variants, "created": 0,
                "settings": {"test": {
                    "on": on, "off": "off", "targets": targets, "rules": rules, "default": default}},
            });
            (serde_json::from_value(flag).unwrap(), ids)
        })
}

fn attribute() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        6 => word().prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => (-20_i64..20).prop_map(Value::from),
        1 => (-40_i64..40).prop_map(|n| json!(n as f64 / 4.0)),
        1 => Just(Value::Null),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map(select(&["tier", "name", "b"][..]), inner, 0..3)
                .prop_map(|m| json!(m)),
        ]
    })
}

fn user() -> impl Strategy<Value = Value> {
    let fields = ["user_id", "device_id", "country", "version", "os", "plan", "targetingKey", "a.b"];
    let properties = ["plan", "age", "email", "tags", "a", "a.b", "country", "user_id", "targetingKey"];
    let id = (0..3).prop_map(|n| json!(format!("u-{n}")));
    (
        prop::collection::btree_map(select(fields.to_vec()), attribute(), 0..5),
        prop::option::weighted(0.8, id),
        prop::option::weighted(
            0.9,
            prop::collection::btree_map(select(properties.to_vec()), attribute(), 0..6),
        ),
    )
        .prop_map(|(fields, id, properties)| {
            let mut user = json!(fields);
            if let Some(id) = id {
                user["user_id"] = id;
            }
            if let Some(properties) = properties {
                user["user_properties"] = json!(properties);
            }
            user
        })
}

fn compile(flag: &Flag, ids: &[String]) -> Ruleset {
    compile_at(flag, ids, Revision(7))
}

fn compile_at(flag: &Flag, ids: &[String], revision: Revision) -> Ruleset {
    let ids = Arc::new(Ids::new(ids));
    let lists = |_: &ListId| ids.clone();
    let source = Source { lists: &lists, ..Source::of_flags([flag]) };
    let test = serde_json::from_value(json!({"key": "test", "name": "Test"})).unwrap();
    Ruleset::compile(&test, revision, source).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_server_and_the_sdks_agree((flag, ids) in flag(), users in prop::collection::vec(user(), 8)) {
        let rules = compile(&flag, &ids);
        let export = amplitude::export(&rules);
        for user in users {
            let context = amplitude::context(user.as_object().unwrap());
            let answer = rules.evaluate("f", &context).unwrap();
            if export.left_out.is_empty() {
                let expected = &oracle::evaluate_all(&export.flags, &user)["f"];
                prop_assert_eq!(&amplitude::variant(&answer), expected, "user {}", user);
            }
        }
    }

    #[test]
    fn whoever_is_enrolled_is_reported_by_the_sdks_and_nobody_else((flag, ids) in flag(), user in user()) {
        let rules = compile(&flag, &ids);
        let context = amplitude::context(user.as_object().unwrap());
        let answer = rules.evaluate("f", &context).unwrap();
        let reported = amplitude::variant(&answer)["metadata"]["trackExposure"] != false;
        // Without a unit there is nobody whom a report could be joined with.
        prop_assert_eq!(answer.enrolled, reported && *answer.reason != Reason::NoUnit, "{:?}", answer);
        // Rules and targets pick whom they serve: only the default compares.
        let defaults = matches!(answer.reason, Reason::Split);
        prop_assert!(!answer.enrolled || defaults, "{:?}", answer);
    }

    #[test]
    fn an_explanation_explains_the_answer((flag, ids) in flag(), user in user()) {
        let rules = compile(&flag, &ids);
        let context = amplitude::context(user.as_object().unwrap());
        let answer = rules.evaluate("f", &context).unwrap();
        let why = rules.explain("f", &context).unwrap();
        prop_assert_eq!((&why.variant, &why.value, &why.reason), (answer.variant, answer.value, answer.reason));
        prop_assert_eq!(why.enrolled, answer.enrolled);
        prop_assert!(!answer.enrolled || answer.reason.ofrep() == "SPLIT");
        // Exactly the last segment matched, and it names what was served.
        let matched: Vec<bool> = why.steps.iter().filter_map(|step| match step {
            Step::Target { matched, .. } | Step::Rule { matched, .. } => Some(*matched),
            Step::Off | Step::Default => Some(true),
            _ => None,
        }).collect();
        let (last, before) = matched.split_last().unwrap();
        prop_assert!(*last && !before.contains(&true), "{:?}", why);
        if let Some(Step::Bucket(bucket)) = why.steps.last() {
            let chosen: Vec<_> = bucket.ranges.iter().filter(|r| r.chosen).map(|r| &r.variant).collect();
            let expected = if bucket.id.is_some() { vec![answer.variant] } else { vec![] };
            prop_assert_eq!(chosen, expected);
        }
    }

    #[test]
    fn the_tag_is_of_the_content((flag, ids) in flag(), (other, others) in flag()) {
        let tag = |flag: &Flag, ids: &[String], revision| compile_at(flag, ids, revision).etag();
        prop_assert_eq!(tag(&flag, &ids, Revision(1)), tag(&flag, &ids, Revision(2)));
        if flag != other {
            prop_assert_ne!(tag(&flag, &ids, Revision(1)), tag(&other, &others, Revision(1)));
        }
    }
}

/// 100,000 users: bucketing through the export is bucketing here, and widening moves nobody who had
/// an arm.
#[test]
fn widening_moves_nobody() {
    let key = |k: &str| k.parse::<VariantKey>().unwrap();
    let shares = |n: u16| {
        [("a", n), ("b", n), ("off", 10_000 - 2 * n)].map(|(k, n)| (key(k), Share::basis_points(n).unwrap()))
    };
    let five = Split::new("checkout:1", &shares(500), Some(&key("off"))).unwrap();
    let ten = five.reshare(&shares(1_000)).unwrap();
    let half = ten.reshare(&shares(5_000)).unwrap();
    let stages = [five, ten, half].map(|split| {
        let flag: Flag = serde_json::from_value(json!({
            "key": "f", "kind": "string", "created": 0,
            "variants": VARIANTS.map(|v| json!({"key": v, "value": v})),
            "settings": {"test": {"on": true, "off": "off", "default": {"serve": "split", "split": split}}},
        }))
        .unwrap();
        let rules = compile(&flag, &[]);
        let exported = amplitude::export(&rules).flags.remove(0);
        (rules, exported)
    });
    let mut enrolled = [0; 3];
    for n in 0..100_000 {
        let id = format!("user-{n}");
        let context = Context::new(Some(&id), serde_json::Map::new());
        let mut had = None;
        for (stage, (rules, exported)) in stages.iter().enumerate() {
            let answer = rules.evaluate("f", &context).unwrap();
            if n % 20 == 0 {
                let local = oracle::evaluate(exported, &json!({"user_id": id})).unwrap();
                assert_eq!(amplitude::variant(&answer), local);
            }
            assert!(had.is_none_or(|had| had == answer.variant.as_str()), "{id} moved");
            if answer.enrolled {
                had = Some(answer.variant.as_str());
                enrolled[stage] += 1;
            }
        }
    }
    // Five standard deviations of 10% and 20% of 100,000; then everybody.
    assert!((9_526..=10_474).contains(&enrolled[0]), "{enrolled:?}");
    assert!((19_368..=20_632).contains(&enrolled[1]), "{enrolled:?}");
    assert_eq!(enrolled[2], 100_000);
}

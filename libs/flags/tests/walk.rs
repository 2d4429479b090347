//! Flags, tests: what holds of every world. The answer is that of the naive evaluation and that of
//! Amplitude's SDKs; explaining changes nothing; flags of a layer exclude one another; holdouts hold.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod naive;
mod oracle;
mod world;

use std::collections::BTreeMap;

use bellwether_flags::{Reason, Ruleset, Source, Step, amplitude, threshold};
use bellwether_model::{Context, Flag, FlagKey, Holdout, Layer, Revision, Share, Unit};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use world::{World, ops, user, world};

fn context(user: &Value) -> Context {
    amplitude::context(user.as_object().unwrap())
}

fn agrees(world: &World, rules: &Ruleset, user: &Value) -> Result<(), TestCaseError> {
    let context = context(user);
    for flag in &world.flags {
        let answer = rules.evaluate(flag.key.as_str(), &context);
        let answer = answer.map(|a| (a.variant.to_string(), serde_json::to_value(a.reason).unwrap()));
        prop_assert_eq!(answer, naive::answer(world, flag.key.as_str(), &context), "{} {}", flag.key, user);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn the_answer_is_what_the_order_says(world in world("utf8", ops()), users in prop::collection::vec(user(), 6)) {
        let rules = world.compile(1);
        for user in &users {
            agrees(&world, &rules, user)?;
        }
    }

    #[test]
    fn and_so_it_is_where_cbor_is_hashed(world in world("cbor", ops()), user in user()) {
        agrees(&world, &world.compile(1), &user)?;
    }

    #[test]
    fn the_sdks_agree(world in world("utf8", ops()), users in prop::collection::vec(user(), 6)) {
        let rules = world.compile(7);
        let export = amplitude::export(&rules);
        let left_out: Vec<&FlagKey> = export.left_out.iter().map(|(key, _)| key).collect();
        for user in &users {
            let local = oracle::evaluate_all(&export.flags, user);
            for answer in rules.evaluate_all(&context(user)) {
                if !left_out.contains(&answer.flag) {
                    let expected = local.get(answer.flag.as_str());
                    prop_assert_eq!(Some(&amplitude::variant(&answer)), expected, "{} {}", answer.flag, user);
                }
            }
            // What stands for layers, holdouts and segments is hidden by the SDKs.
            for (key, variant) in &local {
                prop_assert_eq!(key.contains(':'), variant["metadata"]["default"] == true, "{}", key);
            }
        }
        prop_assert_eq!(export.flags.iter().filter(|f| !f["key"].as_str().unwrap().contains(':')).count()
            + left_out.len(), rules.keys().count());
    }

    #[test]
    fn explaining_changes_nothing(world in world("utf8", ops()), user in user()) {
        let rules = world.compile(1);
        let context = context(&user);
        for answer in rules.evaluate_all(&context) {
            let why = rules.explain(answer.flag.as_str(), &context).unwrap();
            prop_assert_eq!((&why.variant, &why.value, &why.reason), (answer.variant, answer.value, answer.reason));
            prop_assert_eq!(why.enrolled, answer.enrolled);
            prop_assert!(!answer.enrolled || matches!(answer.reason, Reason::Split));
            // Exactly the last part decided.
            let decided: Vec<bool> = why.steps.iter().filter_map(|step| match step {
                Step::Target { matched, .. } | Step::Rule { matched, .. } => Some(*matched),
                Step::Prerequisite { met, .. } => Some(!*met),
                Step::Holdout { held, .. } => Some(*held),
                Step::Layer { inside, .. } => Some(!*inside),
                Step::Off | Step::Default => Some(true),
                Step::Bucket(_) => None,
            }).collect();
            let (last, before) = decided.split_last().unwrap();
            prop_assert!(*last && !before.contains(&true), "{:?}", why);
            let stored: bellwether_flags::Explanation =
                serde_json::from_value(serde_json::to_value(&why).unwrap()).unwrap();
            prop_assert_eq!(stored, why);
        }
    }

    #[test]
    fn the_order_in_which_things_come_does_not_matter(world in world("utf8", ops()), user in user()) {
        let mut turned = world.clone();
        turned.flags.reverse();
        turned.segments.reverse();
        turned.layers.reverse();
        turned.holdouts.reverse();
        let (one, other) = (world.compile(1), turned.compile(2));
        prop_assert_eq!(one.etag(), other.etag());
        let context = context(&user);
        let answers = |rules: &Ruleset| -> Vec<(String, String, Reason)> {
            rules.evaluate_all(&context)
                .map(|a| (a.flag.to_string(), a.variant.to_string(), a.reason.clone())).collect()
        };
        prop_assert_eq!(answers(&one), answers(&other));
        let single: Vec<_> = one.keys().map(|key| {
            let a = one.evaluate(key.as_str(), &context).unwrap();
            (a.flag.to_string(), a.variant.to_string(), a.reason.clone())
        }).collect();
        prop_assert_eq!(answers(&one), single);
    }

    #[test]
    fn flags_of_a_layer_exclude_one_another(world in world("utf8", ops()), users in prop::collection::vec(user(), 6)) {
        let rules = world.compile(1);
        for user in &users {
            let mut inside: BTreeMap<String, Vec<&FlagKey>> = BTreeMap::new();
            for answer in rules.evaluate_all(&context(user)) {
                let flag = world.flags.iter().find(|f| f.key == *answer.flag).unwrap();
                let why = rules.explain(flag.key.as_str(), &context(user)).unwrap();
                if why.steps.iter().any(|s| matches!(s, Step::Layer { inside: true, .. })) {
                    inside.entry(flag.layer.as_ref().unwrap().to_string()).or_default().push(answer.flag);
                }
            }
            prop_assert!(inside.values().all(|flags| flags.len() == 1), "{:?}", inside);
        }
    }
}

fn plain(key: &str, layer: Option<&str>, salt: &str) -> Flag {
    serde_json::from_value(json!({
        "key": key, "kind": "boolean", "created": 0, "layer": layer,
        "variants": [{"key": "on", "value": true}, {"key": "off", "value": false}],
        "settings": {"test": {"on": true, "off": "off", "default": {"serve": "split", "split": {"salt": salt,
            "ranges": [{"from": 0, "to": 5000, "variant": "on"}, {"from": 5000, "to": 10000, "variant": "off"}]}}}},
    }))
    .unwrap()
}

fn users(n: u32) -> impl Iterator<Item = Context> {
    (0..n).map(|n| Context::new(Some(&format!("user-{n}")), Map::new()))
}

const N: u32 = 100_000;

/// Within five standard deviations of a share of `N` users.
fn within(count: u32, share: f64, of: f64) {
    let deviations = (f64::from(count) - of * share) / (of * share * (1.0 - share)).sqrt();
    assert!(deviations.abs() < 5.0, "{count} of {of} for a share of {share}: {deviations} deviations");
}

/// A holdout of 5%, a layer divided 30/50, and splits in both: shares are as planned, the layer's
/// flags never meet, nobody who is held gets anything, and what one salt says is nothing to another.
#[test]
fn shares_are_as_planned_and_independent() {
    let flags = [plain("a", Some("l"), "a:1"), plain("b", Some("l"), "b:1"), plain("c", None, "c:1")];
    let layer = Layer::new("l".parse().unwrap(), Unit::User, "l:1").unwrap();
    let points = |n| Share::basis_points(n).unwrap();
    let layer = layer.allot(&"a".parse().unwrap(), points(3_000)).unwrap();
    let layer = layer.allot(&"b".parse().unwrap(), points(5_000)).unwrap();
    let holdout: Holdout = serde_json::from_value(json!(
        {"key": "h", "salt": "h:1", "share": 500, "covers": {"covers": "everything"}}))
    .unwrap();
    let source = Source { layers: vec![&layer], holdouts: vec![&holdout], ..Source::of_flags(&flags) };
    let rules = Ruleset::compile(&world::environment("utf8"), Revision(1), source).unwrap();
    let (mut held, mut inside, mut on) = (0, [0; 2], [0; 3]);
    let mut both = 0;
    for context in users(N) {
        let answers: Vec<_> = rules.evaluate_all(&context).collect();
        let out = answers.iter().filter(|a| matches!(a.reason, Reason::Holdout { .. })).count();
        assert!(out == 0 || out == 3, "held from {out} flags of three");
        held += u32::from(out == 3);
        let splits: Vec<bool> = answers.iter().map(|a| *a.reason == Reason::Split).collect();
        assert!(!(splits[0] && splits[1]), "two flags of a layer meet");
        for flag in 0..3 {
            on[flag] += u32::from(answers[flag].variant.as_str() == "on");
        }
        inside[0] += u32::from(splits[0]);
        inside[1] += u32::from(splits[1]);
        both += u32::from(answers[0].variant.as_str() == "on" && answers[2].variant.as_str() == "on");
    }
    let n = f64::from(N);
    within(held, 0.05, n);
    within(inside[0], 0.95 * 0.3, n);
    within(inside[1], 0.95 * 0.5, n);
    within(on[0], 0.95 * 0.3 * 0.5, n);
    within(on[2], 0.95 * 0.5, n);
    // Independence: of those who have `a` on, half have `c` on.
    within(both, 0.5, f64::from(on[0]));
}

/// Every pair of salts divides independently: a chi-square of one degree of freedom on 100,000 users.
#[test]
fn salts_are_independent() {
    let salts = ["a", "b", "checkout:1", "checkout:2", "l:1", "l:11"];
    let half = threshold(5_000);
    let sides: Vec<Vec<bool>> = salts
        .iter()
        .map(|salt| {
            let place =
                |n| bellwether_flags::bucket(Default::default(), salt, &format!("user-{n}")).position();
            (0..N).map(|n| place(n) < half).collect()
        })
        .collect();
    for (i, one) in sides.iter().enumerate() {
        for (j, other) in sides.iter().enumerate().skip(i + 1) {
            let same = one.iter().zip(other).filter(|(a, b)| a == b).count();
            within(u32::try_from(same).unwrap(), 0.5, f64::from(N));
            assert!(i < j);
        }
    }
}

/// A holdout that grows holds those whom it held, and a layer that gives a flag more keeps everybody.
#[test]
fn growth_moves_nobody() {
    let flags = [plain("a", Some("l"), "a:1"), plain("b", Some("l"), "b:1")];
    let mut layer = Layer::new("l".parse().unwrap(), Unit::User, "l:1").unwrap();
    let mut had: Vec<Option<String>> = vec![None; 20_000];
    let mut out: Vec<bool> = vec![false; 20_000];
    for (flag, share, held) in [("a", 1_000, 0), ("b", 1_000, 100), ("a", 4_000, 500), ("b", 5_500, 2_000)] {
        layer = layer.allot(&flag.parse().unwrap(), Share::basis_points(share).unwrap()).unwrap();
        let holdout: Holdout = serde_json::from_value(json!(
            {"key": "h", "salt": "h:1", "share": held, "covers": {"covers": "everything"}}))
        .unwrap();
        let source = Source { layers: vec![&layer], holdouts: vec![&holdout], ..Source::of_flags(&flags) };
        let rules = Ruleset::compile(&world::environment("utf8"), Revision(1), source).unwrap();
        for (at, context) in users(20_000).enumerate() {
            let mut now = None;
            for answer in rules.evaluate_all(&context) {
                match answer.reason {
                    Reason::Holdout { .. } => out[at] = true,
                    Reason::Split => now = Some(format!("{} {}", answer.flag, answer.variant)),
                    _ => assert!(!out[at] || matches!(answer.reason, Reason::Layer { .. }), "released"),
                }
            }
            assert!(!(out[at] && now.is_some()), "whoever was held stays held");
            if !out[at] {
                assert!(had[at].is_none() || had[at] == now, "{:?} became {now:?}", had[at]);
                had[at] = now;
            }
        }
    }
}

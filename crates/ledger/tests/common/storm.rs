//! Ledger, tests: proposals at random over a small world, so that many meet and many are refused.
#![allow(dead_code, unreachable_pub)]

use bellwether_ledger::{Proposed, State};
use bellwether_model::{Edit, Revision, Serve};
use proptest::prelude::*;
use serde_json::json;

use super::shop;

/// One proposal. Its `expect` is the state's revision of so many changes ago, or none.
pub fn proposal() -> impl Strategy<Value = (Proposed, Option<u64>)> {
    let flag = prop::sample::select(vec!["a", "b", "c"]);
    let environment = prop::sample::select(vec!["production", "staging"]);
    let experiment = prop::sample::select(vec!["x", "y"]);
    let metric = prop::sample::select(vec!["m", "n"]);
    let variant = prop::sample::select(vec!["off", "control", "treatment", "nothing"]);
    let shares = (0_u16..=5, 0_u16..=5).prop_map(|(c, t)| shop::split(c * 1_000, t * 1_000));
    let state = prop::sample::select(vec![
        json!({"state": "widening"}),
        json!({"state": "halted", "at": 5, "because": "harm"}),
        json!({"state": "done", "at": 6}),
    ]);
    let default = prop_oneof![
        variant.clone().prop_map(shop::variant),
        shares.clone().prop_map(shop::served),
        shares.clone().prop_map(shop::served),
    ];
    let rollout = (0_u16..=5, 0_u16..=5, prop::option::of(metric.clone()), state)
        .prop_map(|(c, t, guard, state)| shop::rollout(c * 1_000, t * 1_000, guard, state));
    let edit = prop_oneof![
        1 => environment.clone().prop_map(|e| shop::environment(e, e == "production")),
        4 => (flag.clone(), default.clone()).prop_map(|(f, d)| shop::flag(f, &["production", "staging"], &d)),
        1 => (flag.clone(), default.clone()).prop_map(|(f, d)| shop::flag(f, &["production"], &d)),
        1 => (flag.clone(), "[a-z]{0,4}").prop_map(|(f, n)|
            json!({"edit": "flag_described", "flag": f, "name": n, "description": ""})),
        2 => (flag.clone(), environment.clone(), any::<bool>()).prop_map(|(f, e, on)| shop::toggle(f, e, on)),
        4 => (flag.clone(), environment.clone(), default).prop_map(|(f, e, d)| shop::targeting(f, e, &d)),
        3 => (flag.clone(), environment.clone(), shares).prop_map(|(f, e, s)| shop::reshare(f, e, s)),
        2 => (flag.clone(), any::<bool>()).prop_map(|(f, archived)| shop::archive(f, archived)),
        3 => (flag.clone(), environment.clone(), rollout).prop_map(|(f, e, r)| shop::set_rollout(f, e, r)),
        2 => (metric.clone(), "[pq]").prop_map(|(m, event)| shop::metric(m, &event)),
        3 => (experiment.clone(), flag, environment, metric).prop_map(|(x, f, e, m)| shop::experiment(x, f, e, m)),
        5 => experiment.clone().prop_map(shop::start),
        1 => experiment.clone().prop_map(shop::stop),
        1 => (experiment, variant).prop_map(|(x, v)| shop::ship(x, v)),
    ];
    let why = prop_oneof![4 => Just("because"), 1 => Just(" ")];
    (edit, why, prop::option::weighted(0.3, 0_u64..4)).prop_map(|(edit, why, ago)| {
        let mut proposed = shop::edit(edit);
        proposed.why = why.to_owned();
        (proposed, ago)
    })
}

/// The world in which something can happen at all, then the storm.
pub fn storm(most: usize) -> impl Strategy<Value = Vec<(Proposed, Option<u64>)>> {
    let world = [
        shop::environment("production", true),
        shop::environment("staging", false),
        shop::metric("m", "p"),
        shop::flag("a", &["production", "staging"], &shop::served(shop::split(1_000, 1_000))),
        shop::experiment("x", "a", "production", "m"),
    ];
    let world: Vec<_> = world.into_iter().map(|e| (shop::edit(e), None)).collect();
    prop::collection::vec(proposal(), 0..most).prop_map(move |storm| [world.clone(), storm].concat())
}

/// Based on the state of some changes ago.
pub fn based(mut proposed: Proposed, ago: Option<u64>, state: &State) -> Proposed {
    proposed.expect = ago.map(|ago| Revision(state.revision.0.saturating_sub(ago)));
    proposed
}

/// What holds in every state that proposals can bring about.
pub fn sound(state: &State) -> Result<(), TestCaseError> {
    for flag in state.flags.values() {
        prop_assert!(flag.check().is_ok(), "{:?}", flag);
        prop_assert!(flag.settings.keys().all(|e| state.environments.contains_key(e)));
    }
    for experiment in state.experiments.values().filter(|e| e.running()) {
        let flag = &state.flags[&experiment.flag];
        prop_assert!(!flag.archived, "{} is archived and {} runs", flag.key, experiment.key);
        let default = &flag.settings[&experiment.environment].default;
        prop_assert!(!matches!(default, Serve::Variant { .. }), "{} runs on {default:?}", experiment.key);
        let rivals = state.experiments.values().filter(|e| {
            e.running() && (&e.flag, &e.environment) == (&experiment.flag, &experiment.environment)
        });
        prop_assert_eq!(rivals.count(), 1);
    }
    Ok(())
}

/// While an experiment runs, nobody who is enrolled gets another variant but by a halt.
pub fn kept(before: &State, after: &State, edit: &Edit) -> Result<(), TestCaseError> {
    let division = |state: &State, x: &bellwether_model::Experiment| match &state.flags[&x.flag].settings
        [&x.environment]
        .default
    {
        Serve::Variant { .. } => None,
        Serve::Split { split } => Some(split.clone()),
        Serve::Rollout { rollout } => Some(rollout.split.clone()),
    };
    for (key, was) in before.experiments.iter().filter(|(_, e)| e.running()) {
        let now = &after.experiments[key];
        if now.running() {
            prop_assert_eq!(&was.plan, &now.plan);
            if let (Some(was), Some(now)) = (division(before, was), division(after, now)) {
                prop_assert_eq!(was.moved(&now).points(), 0, "{:?}", edit);
            }
        }
    }
    Ok(())
}

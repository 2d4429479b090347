//! Ledger, tests: proposals at random over a small world, so that many meet and many are refused.
//! Long because: it is every proposal that there is, and what holds after each.
#![allow(dead_code, unreachable_pub)]

use bellwether_ledger::{Members, Proposed, State};
use bellwether_model::{
    Actor, Change, Edit, EnvironmentKey, Experiment, FlagKey, Json, ListId, Millis, Revision, Rollout,
    RolloutState, Schedule, ScheduleState, Serve, Share, VariantKey, prerequisite,
};
use proptest::prelude::*;
use serde_json::json;

use super::shop;
use super::world::{answer, people};

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
    let older = prop_oneof![
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
    let edit = prop_oneof![1 => older, 1 => engine()].prop_map(shop::edit);
    let edit = prop_oneof![8 => edit, 2 => timed(), 2 => tracking().prop_map(shop::edit)];
    let why = prop_oneof![4 => Just("because"), 1 => Just(" ")];
    (edit, why, prop::option::weighted(0.3, 0_u64..4)).prop_map(|(mut proposed, why, ago)| {
        proposed.why = why.to_owned();
        proposed.lists = lists(&proposed.edit);
        (proposed, ago)
    })
}

/// An edit of the tracking plan.
fn tracking() -> impl Strategy<Value = Json> {
    let event = prop::sample::select(vec!["Order", "Visit"]);
    let changes = prop_oneof![
        3 => (event.clone(), any::<bool>()).prop_map(|(event, required)| shop::planned(event, required)),
        1 => event.prop_map(|event| json!({"remove": [event]})),
        1 => prop::bool::weighted(0.3).prop_map(shop::plan_rules),
    ];
    let key = prop::sample::select(vec!["p", "q"]);
    let state = prop_oneof![
        4 => Just(json!({"state": "open"})),
        1 => Just(json!({"state": "closed", "at": 5, "because": "no"})),
        1 => Just(json!({"state": "approved", "at": 5})),
    ];
    prop_oneof![
        2 => changes.clone().prop_map(shop::plan),
        3 => (key.clone(), 0_u64..40, changes, state).prop_map(|(key, base, changes, state)|
            shop::proposal(key, base, &changes, state)),
        3 => key.prop_map(shop::approve),
    ]
}

/// A new list wherever one is cited: one that is there already is refused by the ledger.
fn lists(edit: &Edit) -> Vec<(ListId, Members)> {
    let Edit::SegmentSaved { segment } = edit else { return vec![] };
    let mut lists: Vec<ListId> = segment.lists().cloned().collect();
    lists.dedup();
    lists.into_iter().map(|id| (id, vec!["ada".to_owned()].into())).collect()
}

/// An edit of what came with segments, layers and holdouts.
fn engine() -> impl Strategy<Value = Json> {
    let flag = prop::sample::select(vec!["a", "b", "c"]);
    let environment = prop::sample::select(vec!["production", "staging"]);
    let some_segment = prop::sample::select(vec!["s", "r"]);
    let some_layer = prop::sample::select(vec!["l", "k"]);
    let plan = prop::sample::select(vec!["p", "q"]);
    let list = || prop::option::weighted(0.3, prop::sample::select(vec!["l0", "l1", "l2", "l3", "l4", "l5"]));
    let rarely = || prop::bool::weighted(0.2);
    let maybe_archived = |edit: Json, archived: bool| if archived { shop::archived(edit) } else { edit };
    let segment = (some_segment.clone(), plan, list(), list(), rarely())
        .prop_map(move |(s, p, i, x, gone)| maybe_archived(shop::segment(s, p, [i, x]), gone));
    let tenths = prop::collection::vec(prop::sample::select(vec!["", "", "a", "a", "b", "c"]), 10);
    let layer =
        (some_layer.clone(), tenths, rarely(), rarely()).prop_map(move |(l, tenths, gone, salted)| {
            let owned: Vec<(u16, u16, &str)> = (0..10)
                .zip(tenths)
                .filter(|(_, flag)| !flag.is_empty())
                .map(|(n, flag)| (n * 1_000, n * 1_000 + 1_000, flag))
                .collect();
            let mut edit = shop::layer(l, &owned);
            if salted {
                edit["layer"]["salt"] = json!("another");
            }
            maybe_archived(edit, gone)
        });
    let covers = prop_oneof![
        Just(shop::everything()),
        prop::sample::select(vec!["us", "them"]).prop_map(shop::team_flags),
        prop::sample::subsequence(vec!["a", "b", "c"], 0..=3).prop_map(|flags| shop::these(&flags)),
    ];
    let part = (0_u16..=10, prop::option::weighted(0.7, flag.clone())).prop_map(|(n, whose)| {
        let layer = match n {
            0 => shop::layer("l", &[]),
            n => shop::layer("l", &[(0, n * 1_000, "a")]),
        };
        match whose {
            Some(flag) => shop::allotted(flag, layer),
            None => layer,
        }
    });
    let holdout = (prop::sample::select(vec!["h", "g"]), 0_u16..=4, covers, rarely()).prop_map(
        move |(h, share, covers, gone)| maybe_archived(shop::holdout(h, share * 500, covers), gone),
    );
    let needs = (flag.clone(), prop::sample::subsequence(vec!["off", "control", "treatment"], 0..=3));
    let shares = (0_u16..=5, 0_u16..=5).prop_map(|(c, t)| shop::served(shop::split(c * 1_000, t * 1_000)));
    let gated = (
        flag.clone(),
        environment.clone(),
        prop::option::weighted(0.6, needs),
        prop::option::weighted(0.5, some_segment),
        shares,
    )
        .prop_map(|(f, e, needs, asks, default)| {
            let needs = needs.as_ref().map(|(flag, variants)| (*flag, variants.as_slice()));
            shop::gated(f, e, needs, asks, &default)
        });
    let keys = prop::sample::subsequence(vec!["off", "control", "treatment", "extra"], 1..=4);
    let variants =
        (flag.clone(), keys, prop::sample::select(vec!["c", "t", "cc"])).prop_map(|(f, keys, value)| {
            let of = |key: &str| if key == "control" { value } else { "t" };
            shop::variants(f, &keys.iter().map(|key| (*key, of(key))).collect::<Vec<_>>())
        });
    let beta = prop::sample::select(vec!["e", "f"]);
    let shown = prop::sample::subsequence(vec!["a", "b", "c"], 0..=2);
    let what = (prop::sample::select(vec!["off", "control", "treatment", "extra"]), rarely());
    let betas = (beta.clone(), shown, what, prop::sample::select(vec!["s", "r"])).prop_map(
        move |(key, flags, (variant, gone), segment)| {
            let flags: Vec<_> = flags.into_iter().map(|flag| (flag, variant)).collect();
            maybe_archived(shop::beta(key, &flags, segment), gone)
        },
    );
    let switched =
        (beta, environment.clone(), any::<bool>()).prop_map(|(key, e, on)| shop::switch(key, e, on));
    let schema = prop::option::of(0_u64..=2).prop_map(|most| most.map(|most| json!({"maxLength": most})));
    let bucketing = prop::sample::select(vec!["utf8", "cbor"]);
    let team = prop::option::of(prop::sample::select(vec!["us", "them"]));
    prop_oneof![
        3 => segment,
        2 => betas,
        3 => switched,
        2 => layer,
        3 => part,
        3 => holdout,
        6 => gated,
        2 => variants,
        2 => (flag.clone(), prop::option::of(some_layer)).prop_map(|(f, l)| shop::layered(f, l)),
        2 => (flag.clone(), team).prop_map(|(f, t)| shop::team(f, t)),
        1 => (flag, schema).prop_map(|(f, s)| shop::schema(f, s)),
        1 => (environment, bucketing).prop_map(|(e, b)| shop::saved(e, e == "production", b)),
    ]
}

/// When something is due: soon in storms of a change a millisecond, and in those of a change a second.
fn due_at() -> impl Strategy<Value = i64> {
    prop::sample::select(vec![10, 20, 40, 8_000, 15_000, 30_000, 10_000_000])
}

/// What can be planned, and the edit that it becomes where all is as it was planned for.
fn plans() -> Vec<(Json, Json)> {
    let done = json!({"state": "done", "at": 6});
    let halted = json!({"state": "halted", "at": 5, "because": "as was planned"});
    let portions = json!([{"variant": "off", "share": 4_000}, {"variant": "control", "share": 3_000},
        {"variant": "treatment", "share": 3_000}]);
    let rollout = |state: &Json| shop::rollout(2_000, 2_000, None, state.clone());
    let set = |flag, rollout| shop::set_rollout(flag, "production", rollout);
    vec![
        (json!({"plan": "toggle", "flag": "a", "on": false}), shop::toggle("a", "production", false)),
        (json!({"plan": "toggle", "flag": "b", "on": true}), shop::toggle("b", "production", true)),
        (
            json!({"plan": "reshare", "flag": "a", "shares": portions}),
            shop::reshare("a", "production", shop::split(3_000, 3_000)),
        ),
        (
            json!({"plan": "widen", "flag": "b", "share": 2_000}),
            set("b", rollout(&json!({"state": "widening"}))),
        ),
        (json!({"plan": "halt", "flag": "a"}), set("a", rollout(&halted))),
        (json!({"plan": "finish", "flag": "b"}), set("b", rollout(&done))),
        (json!({"plan": "switch", "beta": "q", "on": true}), shop::switch("q", "production", true)),
    ]
}

/// What came with ramps and scheduled changes, also in their own names.
fn timed() -> impl Strategy<Value = Proposed> {
    let flag = prop::sample::select(vec!["a", "b", "c"]);
    let environment = prop::sample::select(vec!["production", "production", "staging"]);
    let state = prop::sample::select(vec![json!({"state": "widening"}), json!({"state": "done", "at": 6})]);
    let pace = prop_oneof![
        3 => due_at().prop_map(shop::due),
        1 => Just(json!({"pace": "paused", "left": 7})),
        1 => Just(json!({"pace": "ended"})),
    ];
    // A rollout and a ramp that mostly agree.
    let ramped =
        (0_u16..=2, 0_u64..=3, 0_u16..=7, pace, state).prop_map(|(control, taken, share, pace, state)| {
            let standing = match taken {
                _ if share == 7 => 3_000,
                0 | 1 => 1_000,
                _ => 5_000,
            };
            shop::ramped(shop::rollout(control * 1_000, standing, None, state), taken, pace)
        });
    let set = (flag.clone(), environment.clone(), ramped)
        .prop_map(|(f, e, r)| shop::edit(shop::set_rollout(f, e, r)));
    let step = (flag, environment).prop_map(|(f, e)| {
        let halted = shop::rollout(1_000, 1_000, None, json!({"state": "halted", "at": 5, "because": "-"}));
        shop::by_ramp(shop::edit(shop::set_rollout(f, e, halted)), f, e)
    });
    let key = || prop::sample::select(vec!["s1", "s2", "s3", "s4", "s5", "s6", "s7"]);
    let saved = prop::sample::select(vec![
        json!({"state": "waiting"}),
        json!({"state": "waiting"}),
        json!({"state": "cancelled", "at": 5}),
        json!({"state": "refused", "at": 5, "because": "nothing to widen"}),
        json!({"state": "done", "at": 5, "revision": 1}),
    ]);
    let schedule = (key(), prop::sample::select(plans()), due_at(), saved, prop::bool::weighted(0.3))
        .prop_map(|(key, (plan, _), after, state, itself)| {
            let proposed = shop::edit(shop::schedule(key, &plan, after, state));
            if itself { shop::by_schedule(proposed, key) } else { proposed }
        });
    let made = (key(), prop::sample::select(plans()))
        .prop_map(|(key, (_, edit))| shop::by_schedule(shop::edit(edit), key));
    prop_oneof![3 => set, 3 => step, 3 => schedule, 3 => made]
}

/// The step of a ramp as it is taken: the arms stay, and the candidate's grows into the control and the rest.
fn stepped(rollout: &Rollout, at: Millis) -> Option<Rollout> {
    let mut next = rollout.clone();
    let share = next.ramp.as_ref()?.next()?.share;
    next.ramp.as_mut()?.advance(at);
    if share == Share::ALL {
        next.state = RolloutState::Done { at };
        return Some(next);
    }
    let points = |variant: &VariantKey| rollout.split.share(variant).points();
    let control = points(&rollout.control).min(10_000 - share.points());
    let rest = 10_000 - share.points() - control;
    let of = |points| Share::basis_points(points).ok();
    let shares =
        [(&rollout.candidate, share), (&rollout.control, of(control)?), (rollout.split.rest()?, of(rest)?)];
    next.split = rollout.split.reshare(&shares.map(|(variant, share)| (variant.clone(), share))).ok()?;
    Some(next)
}

fn rollout<'s>(state: &'s State, flag: &FlagKey, environment: &EnvironmentKey) -> Option<&'s Rollout> {
    match &state.flags.get(flag)?.settings.get(environment)?.default {
        Serve::Rollout { rollout } => Some(rollout),
        Serve::Variant { .. } | Serve::Split { .. } => None,
    }
}

/// The world in which something can happen at all, then the storm. In some of them an experiment runs, on
/// a flag that asks for a segment, is in a layer and needs another flag; in some a ramp is due and changes
/// are scheduled.
pub fn storm(most: usize) -> impl Strategy<Value = Vec<(Proposed, Option<u64>)>> {
    let split = || shop::served(shop::split(1_000, 1_000));
    let bare = vec![
        shop::environment("production", true),
        shop::environment("staging", false),
        shop::metric("m", "p"),
        shop::flag("a", &["production", "staging"], &split()),
        shop::experiment("x", "a", "production", "m"),
    ];
    let wide = shop::served(shop::split(5_000, 4_000));
    let rich = vec![
        shop::segment("s", "p", [None, Some("l9")]),
        shop::flag("b", &["production", "staging"], &wide),
        shop::layer("l", &[]),
        shop::layered("a", Some("l")),
        shop::layer("l", &[(0, 6_000, "a")]),
        shop::holdout("h", 500, shop::these(&["a"])),
        shop::gated("b", "production", None, Some("s"), &wide),
        shop::gated(
            "a",
            "production",
            Some(("b", &["control"])),
            Some("s"),
            &shop::served(shop::split(3_000, 3_000)),
        ),
        shop::beta("e", &[("a", "treatment"), ("b", "control")], "s"),
        shop::switch("e", "production", true),
        shop::start("x"),
    ];
    let rich: Vec<Json> = [bare.clone(), rich].concat();
    let widening = || shop::rollout(1_000, 1_000, None, json!({"state": "widening"}));
    let mut steered = vec![
        shop::flag("b", &["production"], &split()),
        shop::beta("q", &[("b", "treatment")], "s"),
        shop::set_rollout("a", "production", shop::ramped(widening(), 1, shop::due(12))),
        shop::set_rollout("b", "production", shop::ramped(widening(), 1, shop::due(15))),
    ];
    let keys = ["s1", "s2", "s3", "s4", "s5", "s6", "s7"];
    let planned = keys.iter().zip([40, 15, 25, 20_000, 30, 35, 16_000]).zip(plans());
    steered.extend(
        planned
            .map(|((key, after), (plan, _))| shop::schedule(key, &plan, after, json!({"state": "waiting"}))),
    );
    steered.insert(0, shop::segment("s", "p", [None, None]));
    let steered: Vec<Json> = [bare.clone(), steered].concat();
    let world = prop_oneof![Just(bare), Just(rich), Just(steered)].prop_map(|world| {
        let proposed = |edit| {
            let mut proposed = shop::edit(edit);
            proposed.lists = lists(&proposed.edit);
            (proposed, None)
        };
        world.into_iter().map(proposed).collect::<Vec<_>>()
    });
    (world, prop::collection::vec(proposal(), 0..most)).prop_map(|(world, storm)| [world, storm].concat())
}

/// Based on the state of some changes ago. A ramp proposes the step that comes next, due or not; a scheduled
/// change mostly what was planned, and becomes something of what is there.
pub fn based(mut proposed: Proposed, ago: Option<u64>, state: &State, at: Millis) -> Proposed {
    if let (Actor::Ramp { flag, environment }, Edit::RolloutSet { rollout: next, .. }) =
        (&proposed.by, &mut proposed.edit)
        && let Some(stepped) = rollout(state, flag, environment).and_then(|was| stepped(was, at))
    {
        *next = stepped;
    }
    if let Edit::ScheduleSaved { schedule } = &mut proposed.edit
        && let Some(known) = state.schedules.get(&schedule.key)
        && !schedule.waiting()
    {
        *schedule = Schedule { state: schedule.state.clone(), ..known.value.clone() };
    } else if let Actor::Schedule { schedule } = &proposed.by
        && let Some(known) = state.schedules.get(schedule)
        && ago.is_none()
        && !matches!(proposed.edit, Edit::ScheduleSaved { .. })
    {
        let planned = json!(known.planned);
        let as_planned = plans().into_iter().find(|(plan, _)| *plan == planned);
        proposed.edit = as_planned.map_or(proposed.edit, |(_, edit)| shop::edit(edit).edit);
    }
    proposed.expect = ago.map(|ago| Revision(state.revision.0.saturating_sub(ago)));
    proposed
}

/// What holds in every state that proposals can bring about.
pub fn sound(state: &State) -> Result<(), TestCaseError> {
    for flag in state.flags.values() {
        prop_assert!(flag.check().is_ok(), "{:?}", flag);
        prop_assert!(flag.settings.keys().all(|e| state.environments.contains_key(e)));
        if !flag.archived {
            served(state, flag)?;
        }
        let most = flag.schema.as_ref().and_then(|schema| schema["maxLength"].as_u64());
        let longest = flag.variants.iter().filter_map(|v| v.value.as_str().map(str::len)).max();
        prop_assert!(most.is_none_or(|most| longest.unwrap_or(0) as u64 <= most), "{flag:?}");
        for setting in flag.settings.values() {
            if let Serve::Rollout { rollout } = &setting.default {
                prop_assert!(rollout.check_ramp().is_ok(), "{:?}", rollout);
            }
        }
    }
    let plan = state.tracking_plan();
    prop_assert!(plan.check().is_ok(), "{plan:?}");
    prop_assert!(plan.rules.environments.keys().all(|e| state.environments.contains_key(e)));
    for environment in state.environments.keys() {
        let circle = prerequisite::check(environment, state.flags.values().map(|flag| &flag.value));
        prop_assert!(circle.is_ok(), "{circle:?}");
    }
    for beta in state.betas.values().filter(|beta| !beta.archived) {
        for (flag, variant) in &beta.flags {
            prop_assert!(state.flags[flag].variant(variant).is_some(), "{beta:?}");
            let others = state.betas.values().filter(|b| !b.archived && b.flags.contains_key(flag));
            prop_assert_eq!(others.count(), 1, "{}", flag);
        }
        for segment in beta.audience.iter().flatten().filter_map(|condition| condition.segment()) {
            prop_assert!(!state.segments[segment].archived, "{} asks for {segment}", beta.key);
        }
    }
    for layer in state.layers.values() {
        let mut end = 0;
        for range in layer.ranges() {
            prop_assert!(end <= range.from && range.from < range.to && range.to <= 10_000, "{layer:?}");
            // A part may be a flag's before the flag is in the layer.
            prop_assert_eq!(state.flags[&range.flag].unit, layer.unit);
            end = range.to;
        }
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

/// What a live flag names is there, and not archived.
fn served(state: &State, flag: &bellwether_model::Flag) -> Result<(), TestCaseError> {
    for (environment, setting) in &flag.settings {
        let asked = setting.rules.iter().flat_map(|rule| rule.when.iter().flatten());
        for segment in asked.filter_map(|condition| condition.segment()) {
            prop_assert!(!state.segments[segment].archived, "{} asks for {segment}", flag.key);
        }
        for needed in &setting.prerequisites {
            let parent = &state.flags[&needed.flag];
            prop_assert!(!parent.archived && parent.settings.contains_key(environment));
            prop_assert!(needed.variants.iter().all(|v| parent.variant(v).is_some()), "{:?}", needed);
        }
    }
    if let Some(layer) = flag.layer.as_ref().map(|layer| &state.layers[layer]) {
        prop_assert!(!layer.archived && layer.unit == flag.unit, "{} is in {layer:?}", flag.key);
    }
    Ok(())
}

/// What protects customers may take people out of an experiment: an off switch and a halt.
fn protects(edit: &Edit) -> bool {
    match edit {
        Edit::FlagToggled { .. } => true,
        Edit::BetaSwitched { on, .. } => !on,
        Edit::BetaSaved { beta } => beta.archived,
        Edit::RolloutSet { rollout, .. } => matches!(rollout.state, RolloutState::Halted { .. }),
        _ => false,
    }
}

/// Whoever takes part in a running experiment takes part in it after the edit, with the same variant and
/// the same value; salts and units stay for ever.
fn taken(before: &State, after: &State, edit: &Edit) -> Result<(), TestCaseError> {
    for (key, was) in &before.layers {
        prop_assert_eq!(was.salt(), after.layers[key].salt());
    }
    for (key, was) in &before.holdouts {
        let now = &after.holdouts[key];
        prop_assert_eq!((&was.salt, was.unit), (&now.salt, now.unit));
    }
    for (key, x) in
        before.experiments.iter().filter(|(key, e)| e.running() && after.experiments[*key].running())
    {
        let arm = |variant| x.plan.arms.iter().any(|arm| arm.variant == variant);
        for who in people() {
            let get = |state| answer(state, &x.environment, &x.flag, who);
            let Some((variant, true)) = get(before) else { continue };
            if !arm(variant.clone()) || protects(edit) {
                continue;
            }
            let value = |state: &State| state.flags[&x.flag].variant(&variant).map(|v| v.value.clone());
            prop_assert_eq!(get(after), Some((variant.clone(), true)), "{:?} in {}: {:?}", who, key, edit);
            prop_assert_eq!(value(before), value(after));
        }
    }
    Ok(())
}

/// A ramp only rises, to its next step when that is due, and takes the candidate from nobody. What is over
/// of the scheduled changes stays as it is, and what was made is made in its time.
fn timely(before: &State, after: &State, change: &Change) -> Result<(), TestCaseError> {
    if let Actor::Ramp { flag, environment } = &change.by {
        let (was, now) = (rollout(before, flag, environment), rollout(after, flag, environment));
        let (Some(was), Some(now)) = (was, now) else { return Err(TestCaseError::fail("no rollout")) };
        prop_assert!(before.flags[flag].settings[environment].on, "{flag} is off");
        prop_assert_eq!(was.due(change.at).map(|step| step.share), Some(now.share()), "{:?}", was);
        let has = |rollout: &Rollout| -> Vec<u16> {
            let own = rollout.split.ranges().iter().filter(|r| r.variant == rollout.candidate);
            own.flat_map(|r| r.from..r.to).collect()
        };
        let keep = has(now);
        prop_assert!(now.widening().is_none() || has(was).iter().all(|at| keep.contains(at)));
        prop_assert_eq!(now.due(change.at), None, "it holds the step");
    }
    for (key, was) in before.schedules.iter().filter(|(_, schedule)| !schedule.waiting()) {
        prop_assert_eq!(was, &after.schedules[key]);
    }
    for (key, was) in before.schedules.iter().filter(|(_, schedule)| schedule.waiting()) {
        let now = &after.schedules[key];
        let itself = Actor::Schedule { schedule: key.clone() } == change.by;
        match now.state {
            ScheduleState::Waiting => prop_assert!(!itself),
            ScheduleState::Cancelled { .. } => prop_assert!(!itself),
            ScheduleState::Done { .. } | ScheduleState::Refused { .. } => {
                prop_assert!(itself && was.value.at <= change.at, "{:?} by {:?}", now, change);
            }
        }
    }
    Ok(())
}

/// What is proposed is not in the plan before it is approved, and then nothing of it is of an event type that
/// has changed since; where a review is needed, whoever approves it did not write it.
fn reviewed(before: &State, after: &State, change: &Change) -> Result<(), TestCaseError> {
    if let Edit::ProposalApproved { proposal } = &change.edit {
        let was = &before.proposals[proposal];
        prop_assert_eq!(after.tracking_plan(), before.tracking_plan().with(&was.changes));
        if let Some(plan) = &before.plan {
            prop_assert!(!plan.rules.review || was.by != change.by, "{:?}", change);
            let touched = was.changes.events().filter_map(|name| plan.events.get(name));
            prop_assert!(touched.into_iter().all(|event| event.revision <= was.base));
        }
    } else if !matches!(change.edit, Edit::PlanChanged { .. }) {
        prop_assert_eq!(&before.plan, &after.plan);
    } else {
        prop_assert!(before.plan.as_ref().is_none_or(|plan| !plan.rules.review));
    }
    Ok(())
}

/// While an experiment runs, nobody who is enrolled gets another variant but by a halt.
pub fn kept(before: &State, after: &State, change: &Change) -> Result<(), TestCaseError> {
    let edit = &change.edit;
    timely(before, after, change)?;
    reviewed(before, after, change)?;
    taken(before, after, edit)?;
    let division =
        |state: &State, x: &Experiment| match &state.flags[&x.flag].settings[&x.environment].default {
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

//! Ledger, tests: what is refused of experiments, and for their sake while they run.

use bellwether_ledger::Proposed;
use bellwether_model::Millis;
use serde_json::json;

use crate::common::{Place, shop, step};
use crate::{all, diverting, said, with, world};

#[test]
fn a_running_experiment_is_not_disturbed() {
    let rollout = |control, treatment, state: &str| {
        shop::rollout(control, treatment, None, json!({"state": state, "at": 1, "because": "harm"}))
    };
    let saved = shop::experiment("x", "f", "production", "m");
    let said = said(
        &[shop::start("x")],
        all([
            // People would get another variant, or none by a split.
            shop::reshare("f", "production", shop::split(500, 1_000)),
            shop::targeting("f", "production", &shop::served(shop::split(1_000, 250))),
            // Nobody moves, but newcomers would split otherwise than planned.
            shop::targeting("f", "production", &shop::served(shop::split(1_000, 5_000))),
            shop::targeting("f", "production", &shop::variant("treatment")),
            shop::set_rollout("f", "production", rollout(1_000, 999, "widening")),
            shop::set_rollout("f", "production", rollout(1_000, 1_000, "done")),
            shop::archive("f", true),
            // What was decided before the data came.
            saved,
            shop::start("x"),
            shop::metric("m", "purchase"),
            shop::experiment("y", "f", "production", "m"),
            // Nobody who is enrolled moves; a halt and the off switch are always there; elsewhere anything.
            shop::reshare("f", "production", shop::split(2_000, 2_000)),
            shop::targeting("f", "production", &shop::served(shop::split(5_000, 5_000))),
            shop::set_rollout("f", "production", rollout(1_000, 1_000, "widening")),
            shop::set_rollout("f", "production", rollout(1_000, 1_000, "halted")),
            shop::toggle("f", "production", false),
            shop::targeting("f", "staging", &shop::variant("treatment")),
            shop::stop("x"),
        ]),
    );
    insta::assert_snapshot!(said, @r"
    this would give `5%` of all units another variant in experiment `x`
    hint: stop the experiment first
    this would give `7.5%` of all units another variant in experiment `x`
    hint: stop the experiment first
    this would change the ratio of the arms of experiment `x` while it runs
    hint: widen all arms alike, or stop the experiment first
    experiment `x` runs on the split of flag `f` in `production`
    hint: stop the experiment first
    this would give `0.01%` of all units another variant in experiment `x`
    hint: stop the experiment first
    experiment `x` runs on the split of flag `f` in `production`
    hint: stop the experiment first
    experiment `x` is running on flag `f`
    hint: stop the experiment first
    experiment `x` is running, and its plan was fixed before the data came
    hint: stop it, and plan a new experiment
    experiment `x` is running, and only a draft can start
    hint: plan a new experiment
    metric `m` decides experiment `x`, which is running
    hint: stop the experiment first, or save the metric under another key
    ok
    ok
    ok
    ok
    ok
    ok
    ok
    ok
    ");
}

/// Closing enrolment takes nobody out. Beginning to remember, or forgetting who is enrolled, would, and so
/// would anything about a flag that the experiment needs.
#[test]
fn what_is_remembered_of_a_running_experiment_stays() {
    let set = |limits| shop::enrolment("f", "production", limits);
    let said = said(
        &[set(json!({"units": 100, "sticky": true})), shop::start("x")],
        all([
            set(json!({"units": 100})),
            set(json!({})),
            // Fewer, more, or as many as like to come.
            set(json!({"units": 1, "sticky": true})),
            set(json!({"units": 1_000, "sticky": true, "share": 10_000})),
            set(json!({"sticky": true})),
            shop::enrolment("f", "staging", json!({})),
        ]),
    );
    insta::assert_snapshot!(said, @r"
    visitors who are not signed in would lose their variant in experiment `x`, which runs on flag `f` in `production`
    hint: keep it sticky, or stop the experiment first
    visitors who are not signed in would lose their variant in experiment `x`, which runs on flag `f` in `production`
    hint: keep it sticky, or stop the experiment first
    ok
    ok
    ok
    ok
    ");
    let said = self::said(
        &[set(json!({"units": 100})), shop::start("x")],
        all([set(json!({"sticky": true})), set(json!({}))]),
    );
    insta::assert_snapshot!(said, @r"
    ok
    who was enrolled could get another variant in experiment `x`, which runs on flag `f` in `production`
    hint: change the limit but keep one, or stop the experiment first
    ");
    // SDKs that evaluate by themselves do not get a flag that only the server remembers.
    let said = self::said(
        &[shop::start("x")],
        all([set(json!({"units": 100})), set(json!({"sticky": true})), set(json!({"share": 10_000}))]),
    );
    insta::assert_snapshot!(said, @r"
    users of SDKs that evaluate by themselves would drop out in experiment `x`, which runs on flag `f` in `production`
    hint: limit by share only, or stop the experiment first
    users of SDKs that evaluate by themselves would drop out in experiment `x`, which runs on flag `f` in `production`
    hint: limit by share only, or stop the experiment first
    ok
    ");
}

#[test]
fn nobody_is_diverted_from_a_running_experiment() {
    let off = shop::toggle("f", "production", false);
    let mut asked: Vec<Proposed> = diverting("production").into();
    asked.extend(diverting("staging"));
    // What leaves everybody where they are goes through.
    let same = shop::targeting("f", "production", &shop::served(shop::split(2_000, 2_000)));
    asked.extend(all([same, off]));
    insta::assert_snapshot!(said(&[shop::start("x")], asked), @r"
    this would change who takes part in experiment `x` while it runs
    hint: keep prerequisites, targets and rules as they are, or stop the experiment first
    this would change who takes part in experiment `x` while it runs
    hint: keep prerequisites, targets and rules as they are, or stop the experiment first
    ok
    ok
    ok
    ok
    ");
    for before in [vec![], vec![shop::start("x"), shop::stop("x")]] {
        assert_eq!(said(&before, diverting("production")), "ok\nok\n", "{before:?}");
    }
}

#[test]
fn nobody_is_brought_back_into_a_running_experiment() {
    let place = Place::new();
    let ledger = world(&place);
    for proposed in diverting("production") {
        step(&ledger, proposed).unwrap();
    }
    step(&ledger, shop::edit(shop::start("x"))).unwrap();
    // The last of the two stands: a rule, and no targets.
    let bare = shop::edit(shop::targeting("f", "production", &shop::served(shop::split(1_000, 1_000))));
    let refused = ledger.try_apply(&bare, Millis(0)).unwrap_err().message();
    assert_eq!(refused, "this would change who takes part in experiment `x` while it runs");
    let [_, ruled] = diverting("production");
    assert!(ledger.try_apply(&ruled, Millis(0)).is_ok(), "as it is, it may be said again");
    step(&ledger, shop::edit(shop::stop("x"))).unwrap();
    assert!(ledger.try_apply(&bare, Millis(0)).is_ok());
}

#[test]
fn experiments() {
    let saved = || shop::experiment("y", "f", "staging", "m");
    let plan = |path: &str, value| with(saved(), &format!("/experiment/plan{path}"), value);
    let arm = |variant: &str, share: u16| json!({"variant": variant, "share": share});
    let mut wishful = saved();
    wishful["experiment"]["plan"]["effect"] = json!(0.0);
    let said = said(
        &[],
        [
            shop::edit(shop::experiment("y", "nope", "staging", "m")),
            shop::edit(shop::experiment("y", "f", "moon", "m")),
            shop::edit(shop::experiment("y", "f", "staging", "nope")),
            with(saved(), "/experiment/state", json!({"state": "running", "since": 0})),
            plan("/arms", json!([arm("control", 100)])),
            plan("/arms", json!([arm("control", 100), arm("control", 100)])),
            plan("/arms", json!([arm("control", 100), arm("gone", 100)])),
            plan("/arms", json!([arm("control", 100), arm("treatment", 0)])),
            plan("/arms", json!([arm("control", 5_000), arm("treatment", 5_001)])),
            plan("/control", json!("off")),
            plan("/alpha", json!(0.5)),
            plan("/horizon/span", json!(0)),
            shop::edit(wishful),
            shop::edit(shop::start("y")),
            shop::edit(shop::stop("x")),
            shop::edit(shop::ship("x", "treatment")),
            with(shop::metric("n", "e"), "/metric/event", json!("")),
            with(shop::metric("n", "e"), "/metric/measure", json!({"measure": "sum", "property": ""})),
        ],
    );
    insta::assert_snapshot!(said, @r"
    there is no flag `nope`
    hint: look at the list of flags for what there is
    there is no environment `moon`
    hint: look at the list of environments for what there is
    there is no metric `nope`
    hint: look at the list of metrics for what there is
    experiment `y` would be saved in the middle of its life
    hint: save it as a draft, then start it
    experiment `y` compares `1` variants
    hint: plan at least two arms, the control among them
    variant `control` is two arms of experiment `y`
    hint: plan one arm for each variant
    flag `f` has no variant `gone`
    hint: use two or more of `off`, `control`, `treatment`
    arm `treatment` of experiment `y` gets nobody
    hint: give it a share, or leave it out
    the arms add up to more than everybody: `100.01%`
    hint: lower the shares to 100% at most
    the control `off` is not an arm of experiment `y`
    hint: plan an arm for the control
    alpha `0.5` is not an error rate
    hint: use a value between 0 and 0.5, such as 0.05
    experiment `y` would end when it starts
    hint: plan a horizon, such as two weeks (1209600000 ms)
    the smallest effect worth finding is not a positive number
    hint: use an absolute difference in the metric's unit, or leave it out
    there is no experiment `y`
    hint: look at the list of experiments for what there is
    experiment `x` is a draft, and only a running one can end
    hint: start it first
    experiment `x` is a draft, and only a running one can end
    hint: start it first
    metric `n` counts no event
    hint: name an event type
    metric `n` sums no property
    hint: name a numeric property
    ");
}

#[test]
fn an_experiment_runs_once_and_alone() {
    let second = || shop::experiment("y", "f", "production", "m");
    let early = json!({"edit": "experiment_stopped", "experiment": "x", "at": 5});
    let running = said(
        &[second(), shop::start("x")],
        all([shop::start("y"), early, shop::ship("x", "off"), shop::ship("x", "treatment")]),
    );
    insta::assert_snapshot!(running, @r"
    experiment `x` already runs on flag `f` in `production`
    hint: stop the experiment first
    experiment `x` would end at 1970-01-01T00:00:00.005Z, before it began at 2026-02-02T02:40:00Z
    hint: use a later time
    variant `off` was not compared in experiment `x`
    hint: ship one of its arms, or stop it and change the flag
    ok
    ");
    let ended = said(
        &[shop::start("x"), shop::stop("x")],
        all([
            shop::start("x"),
            shop::stop("x"),
            shop::ship("x", "control"),
            shop::experiment("x", "f", "production", "m"),
        ]),
    );
    insta::assert_snapshot!(ended, @r"
    experiment `x` has been stopped, and only a draft can start
    hint: plan a new experiment
    experiment `x` has been stopped, and only a running one can end
    hint: plan a new experiment
    experiment `x` has been stopped, and only a running one can end
    hint: plan a new experiment
    experiment `x` has ended
    hint: plan a new experiment
    ");
    let nobody = said(
        &[shop::targeting("f", "production", &shop::served(shop::split(1_000, 0)))],
        all([shop::start("x")]),
    );
    insta::assert_snapshot!(nobody, @r"
    the default of flag `f` in `production` gives nobody `treatment`
    hint: make the default a split with a share for each arm
    ");
}

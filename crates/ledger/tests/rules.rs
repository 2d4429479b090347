//! Ledger, tests: what is refused, in which words, and that nothing of it is stored.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use bellwether_ledger::{Ledger, Proposed};
use bellwether_model::{Edit, Json, ListId, Millis, Revision, Serve};
use common::{Place, live, shop, step};
use serde_json::json;

/// A shop with flag `f` everywhere on, `m` a metric, `x` a draft on the split of `f` in production.
fn world(place: &Place) -> Ledger {
    let ledger = place.open();
    live(
        &ledger,
        [
            shop::environment("production", true),
            shop::environment("staging", false),
            shop::metric("m", "signup"),
            shop::flag("f", &["production", "staging"], &shop::served(shop::split(1_000, 1_000))),
            shop::experiment("x", "f", "production", "m"),
        ]
        .map(shop::edit)
        .to_vec(),
    );
    ledger
}

/// Makes the first edits, then says what is answered to each of the others on its own.
fn said(before: &[Json], asked: impl IntoIterator<Item = Proposed>) -> String {
    let place = Place::new();
    let ledger = world(&place);
    live(&ledger, before.iter().cloned().map(shop::edit).collect());
    let state = ledger.state();
    let mut said = String::new();
    for proposed in asked {
        match ledger.try_apply(&proposed, Millis(0)) {
            Ok(_) => said.push_str("ok\n"),
            Err(error) => {
                assert_eq!(ledger.apply(proposed, Millis(0)).unwrap_err(), error);
                assert_eq!(ledger.state(), state, "{error} and yet the state moved");
                said.push_str(&format!("{error}\n"));
            }
        }
    }
    drop(ledger);
    assert_eq!(*place.open().state(), *state);
    said
}

fn with(mut edit: Json, path: &str, value: Json) -> Proposed {
    *edit.pointer_mut(path).unwrap_or_else(|| panic!("no {path}")) = value;
    shop::edit(edit)
}

fn all(edits: impl IntoIterator<Item = Json>) -> Vec<Proposed> {
    edits.into_iter().map(shop::edit).collect()
}

#[test]
fn flags() {
    let created = || shop::flag("g", &["staging"], &shop::variant("off"));
    let rollout = |guard| shop::rollout(500, 500, guard, json!({"state": "widening"}));
    let mut deep = json!([]);
    for _ in 0..80 {
        deep = json!([deep]);
    }
    let mut ruled = created();
    ruled["flag"]["settings"]["staging"]["rules"] = json!([{"name": "r", "when": [[
        {"attribute": "a", "op": "is", "values": ["1"]}]],
        "serve": {"serve": "rollout", "rollout": rollout(None)}}]);
    let mut nested = created();
    nested["flag"]["kind"] = json!("json");
    nested["flag"]["variants"] = json!([{"key": "off", "value": deep}]);
    let said = said(
        &[],
        [
            shop::edit(shop::environment("staging", false)),
            shop::edit(shop::flag("f", &["staging"], &shop::variant("off"))),
            shop::edit(shop::flag("g", &["moon"], &shop::variant("off"))),
            shop::edit(shop::flag("g", &["staging"], &shop::variant("on"))),
            with(created(), "/flag/variants", json!([])),
            with(created(), "/flag/variants/0/value", json!(true)),
            shop::edit(nested),
            shop::edit(ruled),
            shop::edit(shop::toggle("nope", "staging", true)),
            shop::edit(shop::toggle("f", "moon", true)),
            shop::edit(json!({"edit": "flag_described", "flag": "nope", "name": "", "description": ""})),
            shop::edit(shop::targeting("f", "staging", &shop::variant("gone"))),
            shop::edit(shop::targeting(
                "f",
                "staging",
                &json!({"serve": "rollout", "rollout": rollout(None)}),
            )),
            shop::edit(shop::set_rollout("f", "staging", rollout(Some("nope")))),
            with(shop::set_rollout("f", "staging", rollout(Some("m"))), "/rollout/guard/margin", json!(-1.0)),
            with(shop::set_rollout("f", "staging", rollout(None)), "/rollout/candidate", json!("control")),
            with(shop::reshare("f", "staging", shop::split(10, 10)), "/split/salt", json!("s2")),
        ],
    );
    insta::assert_snapshot!(said, @r"
    environment `staging` exists already
    hint: choose another key
    flag `f` exists already
    hint: choose another key
    there is no environment `moon`
    hint: look at the list of environments for what there is
    in environment `staging`: flag `g` has no variant `on`
    hint: use one of `off`, `control`, `treatment`
    flag `g` has no variants
    hint: give it at least one variant, such as `on` with the value true
    variant `off` is `true`, which is not a string
    hint: all variants of flag `g` must be of kind string
    the value of variant `off` is nested too deep
    hint: nest at most 64 objects and lists
    rule 1 (`r`) serves a rollout, which nobody could halt
    hint: serve a split in the rule, or roll out by the default
    there is no flag `nope`
    hint: look at the list of flags for what there is
    there is no environment `moon`
    hint: look at the list of environments for what there is
    there is no flag `nope`
    hint: look at the list of flags for what there is
    in environment `staging`: flag `f` has no variant `gone`
    hint: use one of `off`, `control`, `treatment`
    targeting cannot start or alter a rollout of flag `f`
    hint: keep the default as it is, or use the rollout's own operations
    there is no metric `nope`
    hint: look at the list of metrics for what there is
    a margin of `-1` is not a tolerated harm
    hint: use 0 or a positive difference in the metric's unit, such as 0.01
    a rollout from `control` to `control` changes nothing
    hint: name two variants
    another salt would assign everybody in `staging` anew
    hint: keep the salt and change the shares; for a new assignment replace the targeting
    ");
}

#[test]
fn an_archived_flag_can_only_be_restored() {
    let rollout = shop::rollout(500, 500, None, json!({"state": "widening"}));
    let said = said(
        &[shop::archive("f", true)],
        all([
            shop::toggle("f", "staging", false),
            shop::targeting("f", "staging", &shop::variant("off")),
            shop::reshare("f", "staging", shop::split(2_000, 2_000)),
            shop::set_rollout("f", "staging", rollout),
            shop::flag("f", &["staging"], &shop::variant("off")),
            shop::start("x"),
            shop::experiment("y", "f", "staging", "m"),
            shop::archive("f", false),
        ]),
    );
    insta::assert_snapshot!(said, @r"
    flag `f` is archived
    hint: restore it first
    flag `f` is archived
    hint: restore it first
    flag `f` is archived
    hint: restore it first
    flag `f` is archived
    hint: restore it first
    flag `f` exists already
    hint: restore the archived flag
    flag `f` is archived
    hint: restore it first
    flag `f` is archived
    hint: restore it first
    ok
    ");
}

#[test]
fn what_people_write_is_bounded_and_shows_as_it_is() {
    let described = |name: &str, description: &str| {
        shop::edit(json!({"edit": "flag_described", "flag": "f", "name": name, "description": description}))
    };
    let [target, mut rule] = diverting("staging");
    let ids = |id: String| Proposed { lists: vec![(ListId("l".to_owned()), vec![id])], ..target.clone() };
    let because =
        |why: &str| Proposed { why: why.to_owned(), ..shop::edit(shop::toggle("f", "staging", true)) };
    let Edit::TargetingReplaced { setting, .. } = &mut rule.edit else { panic!() };
    setting.rules[0].name = "a\u{7}".to_owned();
    let said = said(
        &[],
        [
            described("\u{1b}[2Jgone", ""),
            described("two\nlines", ""),
            described(&"é".repeat(201), ""),
            described("f", "\u{0}"),
            described("f", &"é".repeat(10_001)),
            because("\u{9b}31m"),
            because(&"x".repeat(10_001)),
            ids("x".repeat(1_025)),
            rule,
            with(shop::metric("n", "e"), "/metric/name", json!("\r")),
            with(shop::experiment("y", "f", "staging", "m"), "/experiment/name", json!("x".repeat(201))),
            // As long as may be, and in as many lines.
            described(&"é".repeat(200), &"é\n".repeat(5_000)),
            because("first\n\tthen"),
            ids("é".repeat(1_024)),
        ],
    );
    insta::assert_snapshot!(said, @r"
    the flag's name has a control character in it
    hint: write it in one line of text
    the flag's name has a control character in it
    hint: write it in one line of text
    the flag's name is longer than `200` characters
    hint: say it shorter, and keep the rest elsewhere
    the flag's description has a control character in it
    hint: write it as text, in as many lines as you like
    the flag's description is longer than `10000` characters
    hint: say it shorter, and keep the rest elsewhere
    the reason has a control character in it
    hint: write it as text, in as many lines as you like
    the reason is longer than `10000` characters
    hint: say it shorter, and keep the rest elsewhere
    the id of a target is longer than `1024` characters
    hint: say it shorter, and keep the rest elsewhere
    the name of rule 1 has a control character in it
    hint: write it in one line of text
    the metric's name has a control character in it
    hint: write it in one line of text
    the experiment's name is longer than `200` characters
    hint: say it shorter, and keep the rest elsewhere
    ok
    ok
    ok
    ");
}

#[test]
fn a_split_is_needed_to_reshare() {
    let halted = json!({"state": "halted", "at": 1, "because": "harm"});
    let said = said(
        &[
            shop::targeting("f", "staging", &shop::variant("off")),
            shop::set_rollout("f", "production", shop::rollout(1_000, 1_000, None, halted)),
            shop::flag("g", &["staging"], &shop::variant("off")),
        ],
        all([
            shop::reshare("f", "staging", shop::split(10, 10)),
            shop::reshare("f", "production", shop::split(2_000, 2_000)),
            shop::reshare("g", "production", shop::split(10, 10)),
        ]),
    );
    insta::assert_snapshot!(said, @r"
    flag `f` has no split in `staging`
    hint: make its default a split, or start or resume a rollout
    flag `f` has no split in `production`
    hint: make its default a split, or start or resume a rollout
    flag `g` is not served in `production`
    hint: replace its targeting there first
    ");
}

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

/// The same default, and somebody who is taken out of it, or a rule that does.
fn diverting(environment: &str) -> [Proposed; 2] {
    let mut target = shop::targeting("f", environment, &shop::served(shop::split(1_000, 1_000)));
    let mut rule = target.clone();
    target["setting"]["targets"] = json!([{"variant": "treatment", "list": "l"}]);
    rule["setting"]["rules"] = json!([{"name": "staff", "serve": shop::variant("treatment"),
        "when": [[{"attribute": "email", "op": "ends_with", "values": ["@example.com"]}]]}]);
    let mut target = shop::edit(target);
    target.lists = vec![(ListId("l".to_owned()), vec!["ada".to_owned()])];
    [target, shop::edit(rule)]
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
    hint: keep targets and rules as they are, or stop the experiment first
    this would change who takes part in experiment `x` while it runs
    hint: keep targets and rules as they are, or stop the experiment first
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

#[test]
fn where_customers_are_served_a_reason_is_given() {
    let place = Place::new();
    let ledger = world(&place);
    let mut answers = String::new();
    let edits = [
        shop::toggle("f", "production", false),
        shop::toggle("f", "staging", false),
        shop::archive("f", true),
        shop::flag("g", &["production"], &shop::variant("off")),
        shop::flag("g", &["staging"], &shop::variant("off")),
        shop::reshare("f", "production", shop::split(2_000, 2_000)),
        shop::start("x"),
        shop::metric("n", "e"),
    ];
    for edit in edits {
        let mut proposed = shop::edit(edit);
        proposed.why = " \n".to_owned();
        let word = serde_json::to_value(&proposed.edit).unwrap()["edit"].clone();
        let answer = ledger.try_apply(&proposed, Millis(0)).map_or_else(|e| e.message(), |_| "ok".to_owned());
        answers.push_str(&format!("{word} {answer}\n"));
    }
    insta::assert_snapshot!(answers, @r#"
    "flag_toggled" a change in `production` needs a reason, because customers are served from it
    "flag_toggled" ok
    "flag_archived" a change in `production` needs a reason, because customers are served from it
    "flag_created" a change in `production` needs a reason, because customers are served from it
    "flag_created" ok
    "split_reshared" a change in `production` needs a reason, because customers are served from it
    "experiment_started" a change in `production` needs a reason, because customers are served from it
    "metric_saved" ok
    "#);
}

#[test]
fn what_edits_make_of_a_flag() {
    let place = Place::new();
    let ledger = world(&place);
    let setting = |environment: &str| ledger.state().flags["f"].settings[environment].clone();
    let run = |edit| step(&ledger, shop::edit(edit)).unwrap();

    // Targeting keeps the switch as it is, whatever it says itself.
    run(shop::toggle("f", "staging", false));
    run(shop::targeting("f", "staging", &shop::variant("control")));
    assert!(!setting("staging").on && setting("production").on);

    // An environment that comes later does not serve the flag; a first targeting there starts off.
    run(shop::environment("later", false));
    assert!(!ledger.state().flags["f"].settings.contains_key("later"));
    run(shop::targeting("f", "later", &shop::variant("control")));
    assert!(!setting("later").on);

    // A rollout that is reshared begins a new epoch when the ratio changes, and only then.
    run(shop::set_rollout("f", "staging", shop::rollout(1_000, 500, None, json!({"state": "widening"}))));
    let epoch = || match setting("staging").default {
        Serve::Rollout { rollout } => (rollout.epoch, rollout.epoch_began),
        other => panic!("{other:?}"),
    };
    run(shop::reshare("f", "staging", shop::split(2_000, 1_000)));
    assert_eq!(epoch(), (0, shop::START));
    let change = run(shop::reshare("f", "staging", shop::split(2_000, 2_000)));
    assert_eq!(epoch(), (1, change.at));

    // Shipping changes the default there and nothing else, and marks the flag as changed.
    run(shop::start("x"));
    let (there, elsewhere) = (setting("production"), setting("staging"));
    let change = run(shop::ship("x", "treatment"));
    assert_eq!(setting("staging"), elsewhere);
    let shipped = setting("production");
    assert_eq!(shipped.default, Serve::Variant { variant: "treatment".parse().unwrap() });
    assert_eq!((shipped.on, shipped.off, shipped.rules), (there.on, there.off, there.rules));
    assert_eq!(ledger.state().flags["f"].revision, change.revision);
}

#[test]
fn a_number_that_is_none_is_not_stored() {
    let place = Place::new();
    let ledger = world(&place);
    let mut proposed = shop::edit(shop::set_rollout(
        "f",
        "staging",
        shop::rollout(500, 500, Some("m"), json!({"state": "widening"})),
    ));
    let check = |proposed: &Proposed| ledger.apply(proposed.clone(), Millis(0)).unwrap_err().message();
    for none in [f64::NAN, f64::INFINITY] {
        let Edit::RolloutSet { rollout, .. } = &mut proposed.edit else { panic!() };
        rollout.guard.as_mut().unwrap().margin = none;
        assert!(check(&proposed).contains("is not a tolerated harm"));
    }
    assert_eq!(ledger.state().revision, Revision(5));
}

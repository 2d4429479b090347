//! Ledger, tests: what is refused, in which words, and that nothing of it is stored.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
#[path = "rules/engine.rs"]
mod engine;
#[path = "rules/experiments.rs"]
mod experiments;
#[path = "rules/people_of.rs"]
mod people_of;
#[path = "rules/plan.rs"]
mod plan;
#[path = "rules/timed.rs"]
mod timed;
#[path = "rules/variants.rs"]
mod variants;

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
    said_at(Millis(0), before.iter().cloned().map(shop::edit).collect(), asked)
}

/// The same for what is asked at a time.
fn said_at(at: Millis, before: Vec<Proposed>, asked: impl IntoIterator<Item = Proposed>) -> String {
    let place = Place::new();
    let ledger = world(&place);
    live(&ledger, before);
    let state = ledger.state();
    let mut said = String::new();
    for proposed in asked {
        match ledger.try_apply(&proposed, at) {
            Ok(_) => said.push_str("ok\n"),
            Err(error) => {
                assert_eq!(ledger.apply(proposed, at).unwrap_err(), error);
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
    let ids =
        |id: String| Proposed { lists: vec![(ListId("l".to_owned()), vec![id].into())], ..target.clone() };
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

/// The same default, and somebody who is taken out of it, or a rule that does.
fn diverting(environment: &str) -> [Proposed; 2] {
    let mut target = shop::targeting("f", environment, &shop::served(shop::split(1_000, 1_000)));
    let mut rule = target.clone();
    target["setting"]["targets"] = json!([{"variant": "treatment", "list": "l"}]);
    rule["setting"]["rules"] = json!([{"name": "staff", "serve": shop::variant("treatment"),
        "when": [[{"attribute": "email", "op": "ends_with", "values": ["@example.com"]}]]}]);
    let mut target = shop::edit(target);
    target.lists = vec![(ListId("l".to_owned()), vec!["ada".to_owned()].into())];
    [target, shop::edit(rule)]
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

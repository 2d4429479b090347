//! Ledger, tests: who takes part in a running experiment stays in it, whatever else is edited.

use bellwether_model::Json;
use serde_json::json;

use crate::common::shop;
use crate::{all, said};

/// Experiment `x` runs in production on `f`, which asks for segment `staff`, is in layer `l` and needs
/// `treatment` of `p`, which a quarter of its part of the layer gets; `p` asks for `partners`.
fn running() -> Vec<Json> {
    let share = |n| shop::served(shop::split(0, n));
    vec![
        shop::segment("staff", "staff", [None, None]),
        shop::segment("partners", "partner", [None, None]),
        shop::segment("others", "other", [None, None]),
        shop::layer("l", &[]),
        shop::layer("m", &[]),
        shop::flag("p", &["production", "staging"], &share(2_500)),
        shop::gated("p", "production", None, Some("partners"), &share(2_500)),
        shop::layered("f", Some("l")),
        shop::layered("p", Some("l")),
        shop::layer("l", &[(0, 3_000, "f"), (3_000, 6_000, "p")]),
        shop::gated(
            "f",
            "production",
            Some(("p", &["treatment"])),
            Some("staff"),
            &shop::served(shop::split(1_000, 1_000)),
        ),
        shop::holdout("some", 500, shop::these(&["f", "p"])),
        shop::holdout("ours", 500, shop::team_flags("us")),
        shop::start("x"),
    ]
}

#[test]
fn segments_that_decide_stay_as_they_are() {
    let mut renamed = shop::segment("staff", "staff", [None, None]);
    renamed["segment"]["name"] = json!("Everybody here");
    insta::assert_snapshot!(said(&running(), all([
        shop::segment("staff", "employee", [None, None]),
        shop::segment("partners", "friend", [None, None]),
        renamed,
        shop::segment("others", "stranger", [None, None]),
    ])), @r"
    segment `staff` decides who takes part in experiment `x`, which runs on flag `f` in `production`
    hint: stop the experiment first, or make another segment
    segment `partners` decides who takes part in experiment `x` in `production`, whose flag `f` needs flag `p`
    hint: stop the experiment first, or make another segment
    ok
    ok
    ");
}

#[test]
fn holdouts_take_nobody_out() {
    insta::assert_snapshot!(said(&running(), all([
        shop::holdout("all", 100, shop::everything()),
        shop::holdout("new", 100, shop::these(&["p"])),
        shop::holdout("some", 600, shop::these(&["f", "p"])),
        // `off` may be what an experiment needs, so that nothing changes of `p`.
        shop::holdout("some", 400, shop::these(&["f", "p"])),
        shop::holdout("ours", 500, shop::these(&["f"])),
        shop::team("f", Some("us")),
        shop::team("p", Some("us")),
        // Somebody else's, nobody, and a name.
        shop::team("f", Some("them")),
        shop::holdout("none", 0, shop::everything()),
        shop::holdout("ours", 700, shop::team_flags("us")),
    ])), @r"
    holdout `all` would change who takes part in experiment `x`, which runs on flag `f` in `production`
    hint: stop the experiment first, or cover only flags that none runs on
    holdout `new` would change who takes part in experiment `x` in `production`, whose flag `f` needs flag `p`
    hint: stop the experiment first, or cover only flags that none runs on
    holdout `some` would change who takes part in experiment `x`, which runs on flag `f` in `production`
    hint: stop the experiment first, or cover only flags that none runs on
    holdout `some` would change who takes part in experiment `x` in `production`, whose flag `f` needs flag `p`
    hint: stop the experiment first, or cover only flags that none runs on
    holdout `ours` would change who takes part in experiment `x`, which runs on flag `f` in `production`
    hint: stop the experiment first, or cover only flags that none runs on
    by its team, holdout `ours` would change who takes part in experiment `x`, which runs on flag `f` in `production`
    hint: stop the experiment first
    by its team, holdout `ours` would change who takes part in experiment `x` in `production`, whose flag `f` needs flag `p`
    hint: stop the experiment first
    ok
    ok
    ok
    ");
    // Whoever is let go comes in at random.
    let only = |share| shop::holdout("some", share, shop::these(&["f"]));
    let own = [&running()[..11], &[only(500), shop::start("x")]].concat();
    insta::assert_snapshot!(said(&own, all([only(600), only(400)])), @r"
    holdout `some` would change who takes part in experiment `x`, which runs on flag `f` in `production`
    hint: stop the experiment first, or cover only flags that none runs on
    ok
    ");
}

#[test]
fn layers_keep_their_parts() {
    insta::assert_snapshot!(said(&running(), all([
        shop::layered("f", None),
        shop::layered("f", Some("m")),
        shop::layered("p", None),
        shop::layer("l", &[(0, 2_000, "f"), (3_000, 6_000, "p")]),
        shop::layer("l", &[(0, 3_000, "f"), (3_000, 7_000, "p")]),
        shop::layer("l", &[(0, 3_000, "f"), (3_000, 6_000, "p"), (6_000, 7_000, "f")]),
    ])), @r"
    another layer would change who takes part in experiment `x`, which runs on flag `f` in `production`
    hint: stop the experiment first
    another layer would change who takes part in experiment `x`, which runs on flag `f` in `production`
    hint: stop the experiment first
    another layer would change who takes part in experiment `x` in `production`, whose flag `f` needs flag `p`
    hint: stop the experiment first
    this part of layer `l` would change who takes part in experiment `x`, which runs on flag `f` in `production`
    hint: stop the experiment first, or let the part grow
    this part of layer `l` would change who takes part in experiment `x` in `production`, whose flag `f` needs flag `p`
    hint: stop the experiment first, or let the part grow
    ok
    ");
}

#[test]
fn what_an_experiment_needs_lets_nobody_out() {
    let p = |asks: Option<&str>, default: &Json| shop::gated("p", "production", None, asks, default);
    let share = |n| shop::served(shop::split(0, n));
    let mut resalted = share(2_500);
    resalted["split"]["salt"] = json!("s2");
    let mut other_off = p(Some("partners"), &share(2_500));
    other_off["setting"]["off"] = json!("control");
    let rollout =
        |n, state: &str| shop::rollout(0, n, None, json!({"state": state, "at": 1, "because": "harm"}));
    insta::assert_snapshot!(said(&running(), all([
        p(None, &share(2_500)),
        p(Some("others"), &share(2_500)),
        other_off,
        p(Some("partners"), &share(2_000)),
        p(Some("partners"), &resalted),
        p(Some("partners"), &shop::variant("control")),
        shop::reshare("p", "production", shop::split(0, 2_499)),
        shop::enrolment("p", "production", json!({"units": 5})),
        shop::gated("f", "production", None, Some("staff"), &shop::served(shop::split(1_000, 1_000))),
        // More people, everybody, elsewhere, and what protects customers.
        p(Some("partners"), &share(2_501)),
        p(Some("partners"), &shop::variant("treatment")),
        shop::reshare("p", "production", shop::split(1_000, 3_000)),
        shop::set_rollout("p", "production", rollout(2_500, "widening")),
        shop::set_rollout("p", "production", rollout(2_500, "done")),
        shop::set_rollout("p", "production", rollout(2_500, "halted")),
        shop::toggle("p", "production", false),
        shop::enrolment("p", "production", json!({"share": 5_000})),
        shop::targeting("p", "staging", &shop::variant("off")),
    ])), @r"
    this would change who takes part in experiment `x` in `production`, whose flag `f` needs flag `p`
    hint: keep all but the default of flag `p` as it is, or stop the experiment first
    this would change who takes part in experiment `x` in `production`, whose flag `f` needs flag `p`
    hint: keep all but the default of flag `p` as it is, or stop the experiment first
    this would change who takes part in experiment `x` in `production`, whose flag `f` needs flag `p`
    hint: keep all but the default of flag `p` as it is, or stop the experiment first
    this would take people out of experiment `x` in `production`, whose flag `f` needs flag `p`
    hint: stop the experiment first; the flag can be turned off at any time
    this would take people out of experiment `x` in `production`, whose flag `f` needs flag `p`
    hint: stop the experiment first; the flag can be turned off at any time
    this would take people out of experiment `x` in `production`, whose flag `f` needs flag `p`
    hint: stop the experiment first; the flag can be turned off at any time
    this would take people out of experiment `x` in `production`, whose flag `f` needs flag `p`
    hint: stop the experiment first; the flag can be turned off at any time
    this would change who takes part in experiment `x` in `production`, whose flag `f` needs flag `p`
    hint: change the limit by share only, or stop the experiment first
    this would change who takes part in experiment `x` while it runs
    hint: keep prerequisites, targets and rules as they are, or stop the experiment first
    ok
    ok
    ok
    ok
    ok
    ok
    ok
    ok
    ok
    ");
    // An experiment on what another one needs ends in a way that lets nobody out.
    let mut metric = shop::experiment("y", "p", "production", "m");
    metric["experiment"]["plan"]["arms"][0]["variant"] = json!("off");
    metric["experiment"]["plan"]["control"] = json!("off");
    let both = [&running()[..], &[metric, shop::start("y")]].concat();
    insta::assert_snapshot!(said(&both, all([shop::ship("y", "off"), shop::ship("y", "treatment")])), @r"
    this would take people out of experiment `x` in `production`, whose flag `f` needs flag `p`
    hint: stop the experiment first; the flag can be turned off at any time
    ok
    ");
}

//! App tests: betas, groups of flags that are shown to an audience and switched as one.

use serde_json::{Value as Json, json};

use crate::house::House;

/// A house with the flags `one` and `two`, which are on and serve `off`, and a beta of both.
fn friends() -> House {
    let house = House::new();
    for flag in ["one", "two"] {
        house.did("flag.create", json!({"flag": flag, "default": "off", "why": "test"}));
        house.did(
            "flag.toggle",
            json!({"flag": flag, "environment": "production", "on": true, "why": "test"}),
        );
    }
    house.did(
        "beta.save",
        json!({"beta": "friends", "flags": {"one": "on", "two": "on"},
        "audience": [[{"attribute": "user_id", "op": "starts_with", "values": ["friend-"]}]]}),
    );
    house
}

fn switch(on: bool) -> Json {
    json!({"beta": "friends", "environment": "production", "on": on, "why": "test"})
}

#[test]
fn one_switch_shows_all_of_its_flags_to_its_audience() {
    let house = friends();
    let shown = |who: &str| ["one", "two"].map(|flag| house.peeked(flag, who));
    assert_eq!(shown("friend-1"), ["off", "off"], "a new beta is off");
    house.did("beta.switch", switch(true));
    assert_eq!(
        (shown("friend-1"), shown("other")),
        (["on", "on"].map(Into::into), ["off", "off"].map(Into::into))
    );
    house.did("beta.switch", switch(false));
    assert_eq!(shown("friend-1"), ["off", "off"]);
    house.did("beta.switch", switch(true));
    let archived = house.did("flag.archive", json!({"flag": "one", "why": "test"}));
    assert_eq!(
        archived["warnings"],
        json!([{
            "message": "flag `one` is in beta `friends`, whose audience gets nothing of it now",
            "hint": "take it out with `beta.save`, or restore the flag",
        }])
    );
    house.did("flag.archive", json!({"flag": "one", "archived": false, "why": "test"}));
    house.did("beta.archive", json!({"beta": "friends", "why": "test"}));
    assert_eq!(shown("friend-1"), ["off", "off"], "an archived beta is shown to nobody");
    assert_eq!(house.did("beta.list", json!({}))["betas"], json!([]));
    house.did("beta.archive", json!({"beta": "friends", "archived": false, "why": "test"}));
    assert_eq!(shown("friend-1"), ["on", "on"], "it is on where it was");
    let changes = house.did("change.list", json!({"beta": "friends"}));
    let said: Vec<&str> =
        changes["changes"].as_array().unwrap().iter().map(|c| c["sentence"].as_str().unwrap()).collect();
    insta::assert_snapshot!(said.join("\n"), @r"
    saved beta friends
    saved beta friends
    turned beta friends on in production
    turned beta friends off in production
    turned beta friends on in production
    saved beta friends
    ");
}

#[test]
fn a_flag_that_is_off_stays_off_and_the_beta_says_so() {
    let house = friends();
    house.did("beta.switch", switch(true));
    house.did("flag.toggle", json!({"flag": "two", "environment": "production", "on": false, "why": "test"}));
    assert_eq!(["one", "two"].map(|flag| house.peeked(flag, "friend-1")), ["on", "off"]);
    let seen = house.did("beta.get", json!({"beta": "friends"}));
    assert_eq!(seen["dark"], json!({"production": ["two"], "development": ["one", "two"]}));
    let why = house.did(
        "flag.explain",
        json!({"flag": "one", "environment": "production", "context": {"targetingKey": "friend-1"}}),
    );
    insta::assert_snapshot!(why["sentence"].as_str().unwrap(), @"gets `on` because it is in the audience of beta `friends`: `user_id` starts with `friend-`");
}

#[test]
fn what_does_not_hold_together_is_refused() {
    let house = friends();
    let audience = json!([[{"attribute": "country", "op": "is", "values": ["FI"]}]]);
    let save = |more: Json| {
        let mut input = json!({"beta": "other", "flags": {"one": "on"}, "audience": audience});
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        house.refused("beta.save", input)
    };
    let said = [
        save(json!({"flags": {"one": "maybe"}})),
        save(json!({"flags": {"three": "on"}})),
        save(json!({"flags": {}})),
        save(json!({"audience": []})),
        house.refused("beta.save", json!({"beta": "friends", "audience": [[{"segment": "nobody"}]]})),
        save(json!({})),
        house.refused("beta.save", json!({"beta": "new"})),
        house.refused("beta.switch", json!({"beta": "friends", "environment": "production", "on": true})),
        house.refused(
            "beta.switch",
            json!({"beta": "friend", "environment": "production", "on": true, "why": "x"}),
        ),
        house.refused(
            "flag.variants",
            json!({"flag": "one", "why": "x", "variants": [{"key": "off", "value": false}]}),
        ),
    ];
    insta::assert_snapshot!(said.join("\n"), @r#"
    400 flag `one` has no variant `maybe`
    hint: use one of `on`, `off`
    404 there is no flag `three`
    hint: use `one` or `two`
    400 beta `other` has no flags
    hint: name the flags that it switches, each with the variant for the audience
    400 the audience of beta `other` has an empty condition
    hint: say who takes part, such as a segment of those who signed up
    404 there is no segment `nobody`
    hint: there is none yet; make one with `segment.save`
    400 flag `one` is in beta `friends` already
    hint: take it out there first: a flag is in one beta at most
    400 the new beta `new` has no `flags`
    hint: give `flags`, such as `{"new-checkout": "on"}`
    400 a change in `production` needs a reason, because customers are served from it
    hint: say in `why` what this is for
    404 there is no beta `friend`
    hint: did you mean `friends`? `beta.list` shows what there is
    400 variant `on` of flag `one` is used by beta `friends`
    hint: keep it, or let another variant take its place there first
    "#);
}

#[test]
fn a_running_experiment_keeps_its_people() {
    let house = House::new();
    house.split_flag("exp", 5_000);
    house.did(
        "metric.save",
        json!({"metric": "signup", "event": "signup", "measure": {"measure": "conversion"}}),
    );
    house.did(
        "beta.save",
        json!({"beta": "friends", "flags": {"exp": "on"}, "why": "test",
        "audience": [[{"attribute": "country", "op": "is", "values": ["FI"]}]]}),
    );
    house.did(
        "experiment.create",
        json!({"experiment": "e", "flag": "exp", "environment": "production",
        "metric": "signup", "control": "off", "days": 14}),
    );
    house.did("experiment.start", json!({"experiment": "e", "why": "test"}));
    insta::assert_snapshot!(house.refused("beta.switch", switch(true)), @r"
    400 beta `friends` would change who takes part in experiment `e`, which runs on flag `exp` in `production`
    hint: stop the experiment first, or leave the flag out of the beta
    ");
    house.did("beta.switch", switch(false));
}

/// A beta comes before the default: a halt leaves its audience with what it shows, and says so.
#[test]
fn a_halt_says_which_beta_still_shows_the_candidate() {
    let house = House::new();
    house.did("flag.create", json!({"flag": "f"}));
    let rollout = |operation: &str, more: serde_json::Value| {
        let mut input = json!({"flag": "f", "environment": "production", "why": "test"});
        input.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        house.did(operation, input)["warnings"].clone()
    };
    rollout("flag.toggle", json!({"on": true}));
    rollout("rollout.start", json!({"candidate": "on", "control": "off", "share": 500}));
    let audience = json!([[{"attribute": "plan", "op": "is", "values": ["pro"]}]]);
    house.did("beta.save", json!({"beta": "friends", "flags": {"f": "on"}, "audience": audience}));
    let said = |on: bool| {
        let switch = json!({"beta": "friends", "environment": "production", "on": on, "why": "test"});
        house.did("beta.switch", switch);
        let warnings = rollout("rollout.halt", json!({}));
        rollout("rollout.resume", json!({}));
        warnings
    };
    assert_eq!(said(false), json!([]));
    assert_eq!(
        said(true),
        json!([{"message": "beta `friends` is on in `production`: its audience still gets `on`",
            "hint": "turn the beta off with `beta.switch`, or the flag with `flag.toggle`"}])
    );
    // Nobody gets anything of a flag that is off, nor of a beta that shows the control.
    rollout("flag.toggle", json!({"on": false}));
    assert_eq!(said(true), json!([]));
    rollout("flag.toggle", json!({"on": true}));
    house.did("beta.save", json!({"beta": "friends", "flags": {"f": "off"}, "why": "test"}));
    assert_eq!(said(true), json!([]));
}

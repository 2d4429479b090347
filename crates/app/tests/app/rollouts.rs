//! App tests: a rollout from its start to its end.

use serde_json::{Value as Json, json};

use crate::house::{HOUR, House};

pub(crate) fn at(flag: &str, more: Json) -> Json {
    let mut input = json!({"flag": flag, "environment": "production", "why": "test"});
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    input
}

fn started(house: &House) -> Json {
    house.did("flag.create", json!({"flag": "f"}));
    house.did("flag.toggle", at("f", json!({"on": true})));
    house.did("rollout.start", at("f", json!({"candidate": "on", "control": "off", "share": 500})))
}

fn rollout(view: &Json) -> &Json {
    &view["flag"]["settings"]["production"]["default"]["rollout"]
}

#[test]
fn it_starts_widens_halts_resumes_and_is_done() {
    let mut house = House::new();
    let begun = started(&house);
    assert_eq!(begun["states"]["production"], "on: a rollout gives `on` to 5% so far");
    let users: Vec<_> = (0..2_000).map(|i| format!("user-{i}")).collect();
    let on =
        |house: &House| users.iter().filter(|u| house.peeked("f", u) == "on").cloned().collect::<Vec<_>>();
    let first = on(&house);
    assert!((60..=140).contains(&first.len()), "{}", first.len());

    house.later(HOUR);
    let wider = house.did("rollout.widen", at("f", json!({"share": 1000})));
    let second = on(&house);
    assert!(first.iter().all(|u| second.contains(u)) && second.len() > first.len());
    assert_eq!(rollout(&wider)["epoch"], 1, "the ratio of the arms has changed");
    assert_eq!(rollout(&wider)["epoch_began"], house.now.0);

    house.later(HOUR);
    let halted = house.did("rollout.halt", at("f", json!({"why": "errors rise"})));
    assert_eq!(
        rollout(&halted)["state"],
        json!({"state": "halted", "at": house.now, "because": "errors rise"})
    );
    assert!(on(&house).is_empty());

    house.later(HOUR);
    let resumed = house.did("rollout.resume", at("f", json!({})));
    assert_eq!(rollout(&resumed)["epoch"], 2);
    assert_eq!(rollout(&resumed)["epoch_began"], house.now.0);
    assert_eq!(on(&house), second, "everybody has again what they had");

    house.did("rollout.finish", at("f", json!({})));
    assert_eq!(on(&house).len(), users.len());
}

#[test]
fn with_a_rest_the_arms_are_alike_and_widening_goes_on_in_one_epoch() {
    let house = House::new();
    let variants =
        json!([{"key": "new", "value": 1}, {"key": "old", "value": 0}, {"key": "rest", "value": 0}]);
    house.did("flag.create", json!({"flag": "f", "kind": "number", "variants": variants, "off": "old"}));
    house.did("flag.toggle", at("f", json!({"on": true})));
    let start = json!({"candidate": "new", "control": "old", "rest": "rest", "share": 500});
    house.did("rollout.start", at("f", start));
    let wider = house.did("rollout.widen", at("f", json!({"share": 1000})));
    assert_eq!(rollout(&wider)["epoch"], 0);
    assert_eq!(
        house.refused("rollout.widen", at("f", json!({"share": 5001}))),
        "400 `50.01%` leaves no control of the same size\nhint: with a rest variant a rollout widens to 50% at most; then finish it"
    );
}

#[test]
fn a_step_that_does_not_follow_is_refused() {
    let house = House::new();
    let check = |operation: &str, more: Json, expected: &str| {
        let before = house.revision();
        assert_eq!(house.refused(operation, at("f", more)), expected, "{operation}");
        assert_eq!(house.revision(), before);
    };
    house.did("flag.create", json!({"flag": "f"}));
    let none = "409 flag `f` has no rollout here\nhint: begin one with `rollout.start`";
    check("rollout.widen", json!({"share": 1}), none);
    check("rollout.halt", json!({}), none);
    check(
        "guard.status",
        json!({"why": null}),
        "400 there is no field `why`\nhint: what there is: `environment`, `flag`",
    );
    check(
        "rollout.start",
        json!({"candidate": "on", "control": "on", "share": 1}),
        "400 `on` cannot replace itself\nhint: name two variants, the new one as `candidate`",
    );
    let guard = json!({"metric": "errors", "margin": 0.01});
    check(
        "rollout.start",
        json!({"candidate": "on", "control": "off", "share": 1, "guard": guard}),
        "404 there is no metric `errors`\nhint: define it with `metric.save`",
    );
    house.did("rollout.start", at("f", json!({"candidate": "on", "control": "off", "share": 500})));
    check(
        "rollout.start",
        json!({"candidate": "on", "control": "off", "share": 1}),
        "409 flag `f` is rolling out `on` already\nhint: widen, halt or finish that rollout first",
    );
    check(
        "rollout.resume",
        json!({}),
        "409 the rollout of `f` is neither halted nor paused\nhint: only a halted or a paused rollout can be resumed",
    );
    check(
        "flag.reshare",
        json!({"shares": []}),
        "409 flag `f` is rolling out\nhint: widen the rollout with `rollout.widen`",
    );
    house.did("rollout.halt", at("f", json!({"why": "errors rise"})));
    check(
        "rollout.halt",
        json!({"why": "me too"}),
        "409 the rollout of `f` is halted already: errors rise\nhint: resume it, or start a new one",
    );
    check(
        "rollout.widen",
        json!({"share": 1}),
        "409 the rollout of `f` is not widening\nhint: resume it, or start a new one",
    );
    check(
        "rollout.finish",
        json!({}),
        "409 the rollout of `f` is not widening\nhint: resume it first, if it was halted",
    );
}

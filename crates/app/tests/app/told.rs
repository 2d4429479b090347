//! App tests: what is said of how a flag is served and of what an edit does besides: nobody is called everybody who
//! is not.

use serde_json::{Value as Json, json};

use crate::house::House;

fn at(more: Json) -> Json {
    let mut input = json!({"flag": "f", "environment": "production", "why": "test"});
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    input
}

/// A flag that is on and gives `on` to everybody.
fn shop() -> House {
    let house = House::new();
    house.did("flag.create", json!({"flag": "f"}));
    house.did("flag.toggle", at(json!({"on": true})));
    house.did("flag.create", json!({"flag": "login"}));
    house.did("layer.save", json!({"layer": "page", "why": "test"}));
    house
}

fn state(house: &House) -> String {
    house.did("flag.get", json!({"flag": "f"}))["states"]["production"].as_str().unwrap().to_owned()
}

/// The warnings of an answer, each with its hint.
fn warned(answer: &Json) -> String {
    let warnings = answer["warnings"].as_array().unwrap();
    let text = |part: &Json| part.as_str().unwrap().to_owned();
    let said = warnings.iter().map(|w| format!("{}\nhint: {}", text(&w["message"]), text(&w["hint"])));
    said.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_sentence_goes_the_way_of_an_evaluation() {
    let house = shop();
    let mut said = vec![state(&house)];
    let mut then = |operation: &str, input: Json| {
        house.did(operation, input);
        said.push(state(&house));
    };
    then("flag.target", at(json!({"prerequisites": [{"flag": "login", "variants": ["on", "off"]}]})));
    then("flag.target", at(json!({"targets": [{"variant": "on", "ids": ["ada"]}]})));
    then("flag.layer", json!({"flag": "f", "layer": "page", "why": "test"}));
    then("layer.allot", json!({"layer": "page", "flag": "f", "share": 2_000, "why": "test"}));
    let everything = json!({"covers": "everything"});
    then("holdout.save", json!({"holdout": "q3", "share": 500, "covers": everything, "why": "test"}));
    let pro = json!([{"attribute": "plan", "op": "is", "values": ["pro"]}]);
    let flags = json!({"f": "on"});
    house.did("beta.save", json!({"beta": "b", "flags": flags, "audience": [pro], "why": "test"}));
    then("beta.switch", json!({"beta": "b", "environment": "production", "on": true, "why": "test"}));
    let rule = json!({"when": [pro], "serve": {"serve": "variant", "variant": "on"}});
    then("flag.target", at(json!({"rules": [rule], "prerequisites": []})));
    let shares = json!([{"variant": "on", "share": 5_000}, {"variant": "off", "share": 5_000}]);
    let split = json!({"serve": "split", "shares": shares, "rest": "off"});
    then("flag.target", at(json!({"default": split})));
    then("flag.enrolment", at(json!({"share": 6_000, "units": 1})));
    then("layer.allot", json!({"layer": "page", "flag": "f", "share": 10_000, "why": "test"}));
    then("layer.allot", json!({"layer": "page", "flag": "f", "share": 0, "why": "test"}));
    then("flag.toggle", at(json!({"on": false})));
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn who_is_too_late_is_not_everybody() {
    let house = shop();
    let shares = json!([{"variant": "on", "share": 10_000}, {"variant": "off", "share": 0}]);
    house.did("flag.target", at(json!({"default": {"serve": "split", "shares": shares, "rest": "off"}})));
    house.did("flag.enrolment", at(json!({"units": 1})));
    assert_eq!(state(&house), "on: 100% get `on`; at most 1 unit may be enrolled, 0 so far");
    let who = crate::house::user(json!({"user_id": "ada"}));
    house.app.evaluate(&house.served(), "f", &who, bellwether_app::Track::Exposure, None, house.now).unwrap();
    assert_eq!(
        state(&house),
        "on: the 1 who is enrolled keeps the variant, and everybody else gets `off`: enrolment is closed"
    );
}

#[test]
fn who_is_kept_out_by_a_layer_is_told_of() {
    let house = shop();
    let layer = |layer: Json| house.did("flag.layer", json!({"flag": "f", "layer": layer, "why": "test"}));
    let allot = |share: u16| {
        house.did("layer.allot", json!({"layer": "page", "flag": "f", "share": share, "why": "test"}))
    };
    let said = [
        warned(&layer("page".into())),
        warned(&allot(3_000)),
        warned(&layer("page".into())),
        warned(&allot(2_000)),
        warned(&allot(0)),
        warned(&house.did("flag.toggle", at(json!({"on": true})))),
        warned(&house.did("flag.toggle", at(json!({"on": false})))),
        // A flag that is off keeps nobody out, nor does one that serves nothing else.
        warned(&layer("page".into())),
        warned(&layer(Json::Null)),
    ];
    insta::assert_snapshot!(said.join("\n--\n"));
    let history = house.did("change.list", json!({"flag": "f", "limit": 7}));
    let told: Vec<_> = history["changes"].as_array().unwrap().iter().map(|c| c["sentence"].clone()).collect();
    insta::assert_json_snapshot!(told);
}

#[test]
fn a_limit_that_limits_nothing_is_told_of() {
    let house = shop();
    let shares = json!([{"variant": "on", "share": 500}, {"variant": "off", "share": 9_500}]);
    let split = json!({"serve": "split", "shares": shares, "rest": "off"});
    let one = |variant: &str| json!({"default": {"serve": "variant", "variant": variant}});
    let said = [
        warned(&house.did("flag.enrolment", at(json!({"share": 1_000, "units": 100})))),
        warned(&house.did("flag.target", at(json!({"default": split})))),
        warned(&house.did("flag.enrolment", at(json!({"sticky": true})))),
        warned(&house.did("flag.target", at(one("on")))),
        warned(&house.did("flag.target", at(one("off")))),
        warned(&house.did("flag.toggle", at(json!({"on": true})))),
        warned(&house.did("flag.enrolment", at(json!({"share": "none", "units": "none", "sticky": false})))),
    ];
    insta::assert_snapshot!(said.join("\n--\n"));
}

#[test]
fn nobody_is_a_target_of_two_variants() {
    let house = shop();
    let targets = |on: &[&str], off: &[&str]| {
        at(json!({"targets": [{"variant": "on", "ids": on}, {"variant": "off", "ids": off}]}))
    };
    let said = house.refused("flag.target", targets(&["ada", "bob", "eve"], &["tim", "bob"]));
    assert_eq!(
        said,
        "400 in `targets`: `bob` is a target of `on` and of `off`\nhint: name each id with one variant"
    );
    house.did("flag.target", targets(&["ada", "bob", "ada"], &["tim"]));
}

//! App tests: who the population is: segments, layers, holdouts, teams, prerequisites, bucketing.

use bellwether_model::Op;
use serde_json::{Value as Json, json};

use crate::house::{House, user};

fn with(why: Json, more: Json) -> Json {
    let mut input = json!({"why": why});
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    input
}

fn at(flag: &str, more: Json) -> Json {
    with("test".into(), {
        let mut input = json!({"flag": flag, "environment": "production"});
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        input
    })
}

/// A boolean flag that is on in production and gives `on` to everybody.
fn on(house: &House, flag: &str) {
    house.did("flag.create", json!({"flag": flag}));
    house.did("flag.toggle", at(flag, json!({"on": true})));
}

fn paying() -> Json {
    json!({"segment": "paying", "why": "test", "description": "who pays",
        "when": [[{"attribute": "plan", "op": "is", "values": ["pro", "team"]}]]})
}

fn gets(house: &House, flag: &str, who: Json) -> String {
    let track = bellwether_app::Track::Nothing;
    let served = house.served();
    house.app.evaluate(&served, flag, &user(who), track, None, house.now).unwrap().variant.to_owned()
}

#[test]
fn a_segment_is_defined_used_redefined_and_archived() {
    let house = House::new();
    assert_eq!(house.did("segment.list", json!({})), json!({"segments": []}));
    let made = house.did("segment.save", paying());
    assert_eq!(made["segment"]["name"], "paying");
    assert_eq!(made["changed_by"], json!({"kind": "person", "name": "Ada"}));
    assert_eq!((&made["used_by"], &made["included"]), (&json!([]), &json!({"count": 0, "first": []})));
    on(&house, "f");
    let rules = json!([
        {"when": [[{"segment": "paying", "not": true}]], "serve": {"serve": "variant", "variant": "off"}},
    ]);
    house.did("flag.target", at("f", json!({"rules": rules})));
    let pro = json!({"user_id": "u", "user_properties": {"plan": "pro"}});
    let free = json!({"user_id": "u", "user_properties": {"plan": "free"}});
    assert_eq!(
        (gets(&house, "f", pro.clone()), gets(&house, "f", free.clone())),
        ("on".into(), "off".into())
    );
    // One definition for every flag; what is left out stays.
    let when = json!([[{"attribute": "plan", "op": "is", "values": ["free"]}]]);
    house.did("segment.save", json!({"segment": "paying", "why": "test", "when": when}));
    assert_eq!((gets(&house, "f", pro), gets(&house, "f", free)), ("off".into(), "on".into()));
    let seen = house.did("segment.get", json!({"segment": "paying"}));
    assert_eq!(seen["segment"]["description"], "who pays");
    assert_eq!(seen["used_by"], json!([{"flag": "f", "environment": "production", "rules": [0]}]));
    house.did("flag.target", at("f", json!({"rules": []})));
    house.did("segment.archive", json!({"segment": "paying", "why": "test"}));
    assert_eq!(house.did("segment.list", json!({})), json!({"segments": []}));
    let all = house.did("segment.list", json!({"archived": true}));
    assert_eq!(all["segments"][0]["segment"]["archived"], true);
    house.did("segment.archive", json!({"segment": "paying", "archived": false, "why": "test"}));
    let changes = house.did("change.list", json!({"segment": "paying"}));
    assert_eq!(changes["changes"].as_array().unwrap().len(), 4);
}

#[test]
fn a_layer_keeps_flags_apart() {
    let house = House::new();
    house.did("layer.save", json!({"layer": "checkout", "name": "Checkout page", "why": "test"}));
    for flag in ["a", "b", "c"] {
        on(&house, flag);
        house.did("flag.layer", json!({"flag": flag, "layer": "checkout", "why": "test"}));
    }
    // In the layer and without a part: nobody.
    assert!((0..50).all(|n| house.peeked("c", &format!("user-{n}")) == "off"));
    for (flag, share) in [("a", 3_000), ("b", 5_000), ("a", 2_000)] {
        house.did("layer.allot", json!({"layer": "checkout", "flag": flag, "share": share, "why": "test"}));
    }
    let seen = house.did("layer.get", json!({"layer": "checkout"}));
    assert_eq!(seen["free"], 3_000);
    assert_eq!(
        seen["parts"],
        json!([
            {"flag": "a", "share": 2_000, "inside": true},
            {"flag": "b", "share": 5_000, "inside": true},
            {"flag": "c", "share": 0, "inside": true}
        ])
    );
    assert_eq!(
        seen["layer"]["ranges"],
        json!([{"from": 0, "to": 2_000, "flag": "a"}, {"from": 3_000, "to": 8_000, "flag": "b"}])
    );
    let mut in_both = [0, 0, 0];
    for n in 0..1_000 {
        let who = format!("user-{n}");
        let inside = ["a", "b", "c"].iter().filter(|flag| house.peeked(flag, &who) == "on").count();
        in_both[inside] += 1;
    }
    assert!(in_both[2] == 0 && (650..750).contains(&in_both[1]), "{in_both:?}");
    // The name changes, the division stays.
    let renamed = house.did("layer.save", json!({"layer": "checkout", "name": "Checkout", "why": "test"}));
    assert_eq!((&renamed["layer"]["name"], &renamed["parts"]), (&"Checkout".into(), &seen["parts"]));
    let full = house
        .refused("layer.allot", json!({"layer": "checkout", "flag": "c", "share": 3_001, "why": "test"}));
    assert_eq!(
        full,
        "400 layer `checkout` has `30%` for flag `c`, which is less than `30.01%`\nhint: give flag `b` less first, or ask for less"
    );
}

/// A part is given before a flag is put in, so that the flag is at no moment in the layer without one; and what was
/// given back comes back to the same people, or not at all.
#[test]
fn a_part_is_given_first_and_comes_back_as_it_was() {
    let house = House::new();
    for flag in ["a", "b"] {
        on(&house, flag);
    }
    house.did("layer.save", json!({"layer": "checkout", "why": "test"}));
    let allot = |flag: &str, part: Json| {
        let mut input = json!({"layer": "checkout", "flag": flag, "why": "test"});
        input.as_object_mut().unwrap().extend(part.as_object().unwrap().clone());
        input
    };
    let served = || -> Vec<String> {
        (0..300).map(|n| format!("user-{n}")).filter(|who| house.peeked("a", who) == "on").collect()
    };
    let everybody = served();
    assert_eq!(everybody.len(), 300);
    house.did("layer.allot", allot("b", json!({"share": 2_000})));
    house.did("layer.allot", allot("a", json!({"share": 3_000})));
    assert_eq!(served(), everybody, "a part alone keeps nobody out");
    house.did("flag.layer", json!({"flag": "a", "layer": "checkout", "why": "test"}));
    let inside = served();
    assert!((60..120).contains(&inside.len()), "{}", inside.len());
    let had = house.did("layer.get", json!({"layer": "checkout"}))["layer"]["ranges"].clone();
    let had: Vec<Json> = had
        .as_array()
        .unwrap()
        .iter()
        .filter(|r| r["flag"] == "a")
        .map(|r| json!({"from": r["from"], "to": r["to"]}))
        .collect();
    // Smaller, with a place free before it: a share would come back to others.
    house.did("layer.allot", allot("b", json!({"share": 0})));
    house.did("layer.allot", allot("a", json!({"share": 1_000})));
    house.did("layer.allot", allot("a", json!({"ranges": had})));
    assert_eq!(served(), inside);
    // Out of the layer, and in again.
    house.did("flag.layer", json!({"flag": "a", "why": "test"}));
    assert_eq!(served(), everybody);
    house.did("layer.allot", allot("a", json!({"ranges": had})));
    house.did("flag.layer", json!({"flag": "a", "layer": "checkout", "why": "test"}));
    assert_eq!(served(), inside);
    // Not what somebody else has taken meanwhile.
    house.did("flag.layer", json!({"flag": "a", "why": "test"}));
    house.did("layer.allot", allot("b", json!({"share": 4_000})));
    let taken = house.refused("layer.allot", allot("a", json!({"ranges": had})));
    assert_eq!(
        taken,
        "400 `2000..5000` of layer `checkout` cannot be flag `a`'s: flag `b` owns `0..4000`\nhint: ask for stretches that are free, each once, or for a share"
    );
}

#[test]
fn a_holdout_of_nothing_says_so() {
    let house = House::new();
    let said = |covers: Json| {
        let asked = json!({"holdout": "h", "share": 500, "covers": covers, "why": "test"});
        let saved = house.did("holdout.save", asked);
        match saved["warnings"].as_array().unwrap().as_slice() {
            [] => "nothing".to_owned(),
            [one] => format!("{}; {}", one["message"].as_str().unwrap(), one["hint"].as_str().unwrap()),
            more => panic!("{more:?}"),
        }
    };
    let (everything, growth) = (json!({"covers": "everything"}), json!({"covers": "team", "team": "growth"}));
    let mut all = vec![said(everything.clone())];
    on(&house, "a");
    all.push(said(growth.clone()));
    all.push(said(json!({"covers": "flags", "flags": ["a"]})));
    house.did("flag.team", json!({"flag": "a", "team": "growth", "why": "test"}));
    all.extend([said(growth), said(everything)]);
    insta::assert_snapshot!(all.join("\n"), @r"
    holdout `h` keeps people from nothing: there is no flag; it covers each flag from when it is made
    holdout `h` keeps people from nothing: team `growth` has no flags; say whose a flag is with `flag.team`; it covers each from then on
    nothing
    nothing
    nothing
    ");
}

#[test]
fn a_holdout_keeps_people_from_what_it_covers() {
    let house = House::new();
    for flag in ["a", "b"] {
        on(&house, flag);
    }
    house.did("flag.team", json!({"flag": "a", "team": "growth", "why": "test"}));
    let covers = json!({"covers": "team", "team": "growth"});
    let saved = house
        .did("holdout.save", json!({"holdout": "growth", "share": 2_000, "covers": covers, "why": "test"}));
    assert_eq!(saved["flags"], json!(["a"]));
    let held = |flag: &str| (0..1_000).filter(|n| house.peeked(flag, &format!("user-{n}")) == "off").count();
    let (a, b) = (held("a"), held("b"));
    assert!((150..250).contains(&a) && b == 0, "{a} {b}");
    let saved = house
        .did("holdout.save", json!({"holdout": "growth", "covers": {"covers": "everything"}, "why": "test"}));
    assert_eq!((&saved["flags"], &saved["holdout"]["share"]), (&json!(["a", "b"]), &json!(2_000)));
    assert_eq!((held("a"), held("b")), (a, a), "one salt holds the same people");
    house.did("holdout.archive", json!({"holdout": "growth", "why": "test"}));
    assert_eq!((held("a"), held("b")), (0, 0));
    assert_eq!(house.did("holdout.list", json!({})), json!({"holdouts": []}));
    assert_eq!(house.did("holdout.get", json!({"holdout": "growth"}))["flags"], json!([]));
}

#[test]
fn a_prerequisite_comes_first() {
    let house = House::new();
    for flag in ["parent", "child"] {
        on(&house, flag);
    }
    let needs = json!([{"flag": "parent", "variants": ["on"]}]);
    let seen = house.did("flag.target", at("child", json!({"prerequisites": needs})));
    assert_eq!(seen["flag"]["settings"]["production"]["prerequisites"], needs);
    assert_eq!(house.peeked("child", "user-1"), "on");
    house.did("flag.toggle", at("parent", json!({"on": false})));
    assert_eq!(house.peeked("child", "user-1"), "off");
    // What is left out stays.
    house.did("flag.target", at("child", json!({"off": "off"})));
    assert_eq!(house.peeked("child", "user-1"), "off");
    house.did("flag.target", at("child", json!({"prerequisites": []})));
    assert_eq!(house.peeked("child", "user-1"), "on");
}

#[test]
fn an_environment_is_renamed_and_hashes_otherwise() {
    let house = House::new();
    house.split_flag("f", 5_000);
    let before: Vec<String> = (0..200).map(|n| house.peeked("f", &format!("user-{n}"))).collect();
    let saved = house.did(
        "environment.save",
        json!({"environment": "production", "bucketing": "cbor", "name": "Shop", "why": "python"}),
    );
    assert_eq!(
        saved["environment"],
        json!({"key": "production", "name": "Shop", "production": true, "bucketing": "cbor"})
    );
    let after: Vec<String> = (0..200).map(|n| house.peeked("f", &format!("user-{n}"))).collect();
    let moved = before.iter().zip(&after).filter(|(was, is)| was != is).count();
    assert!((60..140).contains(&moved), "{moved}");
    let listed = house.did("environment.list", json!({}));
    assert_eq!(listed["environments"][1]["name"], "Shop");
    assert_eq!(house.did("environment.get", json!({"environment": "production"})), saved);
    let said = house.refused(
        "environment.save",
        json!({"environment": "production", "name": "Store", "why": "test", "if_revision": 1}),
    );
    assert!(said.starts_with("409 environment `production` was changed by"), "{said}");
}

#[test]
fn what_does_not_hold_together_is_refused() {
    let house = House::new();
    house.did("segment.save", paying());
    house.did("layer.save", json!({"layer": "checkout", "why": "test"}));
    on(&house, "f");
    let before = house.revision();
    let check = |operation: &str, input: Json, expected: &str| {
        assert_eq!(house.refused(operation, with("test".into(), input)), expected, "{operation}");
    };
    check(
        "segment.save",
        json!({"segment": "x", "when": [[{"attribute": "plan", "op": "matches", "values": ["(a"]}]]}),
        "400 in segment `x`, group 1, on `plan`: `(a` is not a pattern: unclosed group, at character 1\nhint: use the syntax of https://docs.rs/regex, which never takes more than linear time",
    );
    check(
        "segment.save",
        json!({"segment": "x", "when": [[{"attribute": "plan", "op": "equals", "values": ["a"]}]]}),
        &format!(
            "400 in `when[0][0].op`: `equals` is not a word that belongs here\nhint: what there is: `{}`",
            Op::ALL.map(Op::word).join("`, `")
        ),
    );
    check(
        "segment.archive",
        json!({"segment": "payin"}),
        "404 there is no segment `payin`\nhint: did you mean `paying`? `segment.list` shows what there is",
    );
    check(
        "layer.archive",
        json!({"layer": "search"}),
        "404 there is no layer `search`\nhint: use `checkout`",
    );
    check(
        "layer.allot",
        json!({"layer": "checkout", "flag": "f"}),
        "400 a part is a `share` or `ranges`, and one of them\nhint: give `share` in basis points, such as 500 for 5%, or `ranges` as `layer.get` shows them",
    );
    check(
        "holdout.save",
        json!({"holdout": "global", "share": 500}),
        "400 the new holdout `global` has no `covers`\nhint: give `covers`, such as `{\"covers\": \"everything\"}`",
    );
    check(
        "holdout.save",
        json!({"holdout": "global", "share": 500, "covers": {"covers": "flags", "flags": ["g"]}}),
        "404 there is no flag `g`\nhint: use `f`",
    );
    check(
        "holdout.archive",
        json!({"holdout": "global"}),
        "404 there is no holdout `global`\nhint: there is none yet; make one with `holdout.save`",
    );
    check(
        "environment.save",
        json!({"environment": "moon"}),
        "404 there is no environment `moon`\nhint: use `development` or `production`",
    );
    check(
        "flag.target",
        json!({"flag": "f", "environment": "production", "prerequisites": [{"flag": "f", "variants": ["on"]}]}),
        "400 in environment `production`: flag `f` is its own prerequisite\nhint: name another flag, or use a rule",
    );
    for (operation, input) in [
        ("segment.save", json!({"segment": "paying", "description": "x"})),
        ("layer.save", json!({"layer": "checkout", "name": "x"})),
        ("holdout.save", json!({"holdout": "global", "share": 500, "covers": {"covers": "everything"}})),
        ("flag.team", json!({"flag": "f", "team": "growth"})),
        ("environment.save", json!({"environment": "production", "name": "x"})),
    ] {
        let said = house.refused(operation, input);
        assert!(said.starts_with("400 a change in `production` needs a reason"), "{operation}: {said}");
    }
    assert_eq!(house.revision(), before);
}

#[test]
fn a_rehearsal_of_the_population_changes_nothing() {
    let house = House::new();
    on(&house, "f");
    house.did("layer.save", json!({"layer": "checkout", "why": "test"}));
    let before = house.revision();
    for (operation, input, place, expected) in [
        ("segment.save", paying(), "/segment/key", json!("paying")),
        ("layer.save", json!({"layer": "l", "why": "test"}), "/free", json!(10_000)),
        (
            "holdout.save",
            json!({"holdout": "h", "share": 500, "covers": {"covers": "everything"}, "why": "test"}),
            "/flags",
            json!(["f"]),
        ),
        (
            "flag.layer",
            json!({"flag": "f", "layer": "checkout", "why": "test"}),
            "/flag/layer",
            json!("checkout"),
        ),
        ("flag.team", json!({"flag": "f", "team": "growth", "why": "test"}), "/flag/team", json!("growth")),
        (
            "environment.save",
            json!({"environment": "development", "bucketing": "cbor"}),
            "/environment/bucketing",
            json!("cbor"),
        ),
    ] {
        let would = house.rehearse(operation, input).unwrap_or_else(|e| panic!("{operation}: {}", e.message));
        assert_eq!(would.pointer(place), Some(&expected), "{operation}: {would}");
        assert_eq!(would["revision"], before + 1, "{operation}");
    }
    assert_eq!(house.revision(), before);
    assert_eq!(house.did("segment.list", json!({})), json!({"segments": []}));
}

//! Ledger, tests: what is refused of segments, layers, holdouts and prerequisites.

use bellwether_model::Subject;
use serde_json::json;

use crate::common::shop;
use crate::{all, said, with};

#[test]
fn what_rules_ask_for_is_there() {
    let asks = |segment| shop::gated("f", "staging", None, Some(segment), &shop::variant("off"));
    let staff = || shop::segment("staff", "staff", [None, None]);
    let mut shelved = staff();
    shelved["segment"]["archived"] = json!(true);
    let asked = [asks("nobody"), asks("staff"), shelved.clone()];
    insta::assert_snapshot!(said(&[staff()], all(asked.clone())), @r"
    there is no segment `nobody`
    hint: look at the list of segments for what there is
    ok
    ok
    ");
    insta::assert_snapshot!(said(&[staff(), asks("staff")], all(asked.clone())), @r"
    there is no segment `nobody`
    hint: look at the list of segments for what there is
    ok
    segment `staff` is asked for by the rules of flag `f` in `staging`
    hint: take it out of the rules first
    ");
    insta::assert_snapshot!(said(&[staff(), shelved.clone()], all(asked)), @r"
    there is no segment `nobody`
    hint: look at the list of segments for what there is
    segment `staff`, which rule 1 asks for, is archived
    hint: restore it first
    segment `staff` is archived
    hint: restore it first
    ");

    let mut wrong = staff();
    wrong["segment"]["key"] = json!("other");
    insta::assert_snapshot!(said(&[], [
        with(wrong.clone(), "/segment/when", json!([[]])),
        with(wrong.clone(), "/segment/when/0/0/op", json!("in_network")),
        shop::edit(shelved.clone()),
        shop::edit(shop::segment("staff", "staff", [Some("l"), None])),
    ]), @r"
    group 1 of segment `other` is empty
    hint: give it at least one clause, or leave the group out
    in segment `other`, group 1, on `plan`: `staff` is not a network
    hint: use an IP address, or a network such as `10.0.0.0/8` or `2001:db8::/32`
    segment `staff` would be born archived
    hint: archive it afterwards
    there is no list `l`
    hint: send the list together with the edit that cites it
    ");

    // An archived flag asks for nothing, and is not restored before what it asks for.
    let before = [staff(), asks("staff"), shop::archive("f", true), shelved];
    insta::assert_snapshot!(said(&before, all([shop::archive("f", false), staff()])), @r"
    segment `staff`, which rule 1 asks for, is archived
    hint: restore it first
    ok
    ");
}

#[test]
fn what_a_flag_needs_is_there_and_does_not_need_it() {
    let off = shop::variant("off");
    let served = |key: &str| shop::flag(key, &["production", "staging"], &shop::variant("off"));
    let needs = |flag: &str, needed: &str, variants: &[&str]| {
        shop::gated(flag, "staging", Some((needed, variants)), None, &shop::variant("off"))
    };
    let before = [
        served("g"),
        served("h"),
        shop::flag("elsewhere", &["production"], &off),
        served("gone"),
        shop::archive("gone", true),
        needs("f", "g", &["control", "treatment"]),
        needs("g", "h", &["control"]),
    ];
    let mut twice = needs("h", "f", &["off"]);
    twice["setting"]["prerequisites"] =
        json!([{"flag": "f", "variants": ["off"]}, {"flag": "f", "variants": ["control"]}]);
    let mut born = served("new");
    born["flag"]["settings"]["staging"]["prerequisites"] = json!([{"flag": "f", "variants": ["gone"]}]);
    let asked = all([
        needs("h", "nobody", &["off"]),
        needs("h", "gone", &["off"]),
        needs("h", "elsewhere", &["off"]),
        needs("h", "f", &["nothing"]),
        needs("h", "f", &[]),
        needs("h", "h", &["off"]),
        twice,
        needs("h", "g", &["off"]),
        needs("h", "f", &["off"]),
        born,
        shop::archive("g", true),
        shop::archive("h", true),
        // Another environment is another world.
        shop::gated("h", "production", Some(("f", &["off"])), None, &off),
        shop::archive("f", true),
    ]);
    insta::assert_snapshot!(said(&before, asked), @r"
    there is no flag `nobody`
    hint: look at the list of flags for what there is
    flag `gone` is archived, and flag `h` would need it
    hint: restore it first, or need another flag
    flag `elsewhere` is not served in `staging`, and flag `h` would need it
    hint: replace its targeting there first, or need another flag
    flag `f` has no variant `nothing`, and flag `h` would need it
    hint: need one of `off`, `control`, `treatment`
    in environment `staging`: the prerequisite `f` of flag `h` names no variant
    hint: name the variants that will do
    in environment `staging`: flag `h` is its own prerequisite
    hint: name another flag, or use a rule
    in environment `staging`: flag `h` names the prerequisite `f` twice
    hint: name it once, with all the variants that will do
    in environment `staging`: flag `g` needs `h`, which needs `g`
    hint: remove one of these prerequisites
    in environment `staging`: flag `f` needs `g`, which needs `h`, which needs `f`
    hint: remove one of these prerequisites
    flag `f` has no variant `gone`, and flag `new` would need it
    hint: need one of `off`, `control`, `treatment`
    flag `f` needs flag `g` in `staging`
    hint: take the prerequisite off flag `f` first
    flag `g` needs flag `h` in `staging`
    hint: take the prerequisite off flag `g` first
    ok
    ok
    ");
}

#[test]
fn a_layer_is_divided_among_its_flags() {
    let served = |key: &str| shop::flag(key, &["staging"], &shop::variant("off"));
    let mut device = served("device");
    device["flag"]["unit"] = json!("device");
    let before = [
        shop::layer("l", &[]),
        served("g"),
        device,
        shop::layered("f", Some("l")),
        shop::layered("g", Some("l")),
        shop::layer("l", &[(0, 2_000, "f"), (2_000, 5_000, "g")]),
    ];
    let layer = |ranges: &[(u16, u16, &str)]| shop::layer("l", ranges);
    let mut born = served("new");
    born["flag"]["layer"] = json!("nowhere");
    let mut shelved = layer(&[(0, 2_000, "f"), (2_000, 5_000, "g")]);
    shelved["layer"]["archived"] = json!(true);
    insta::assert_snapshot!(said(&before, [
        shop::edit(shop::layered("f", Some("nowhere"))),
        shop::edit(shop::layered("device", Some("l"))),
        shop::edit(born),
        with(layer(&[]), "/layer/salt", json!("l:2")),
        with(layer(&[]), "/layer/unit", json!("device")),
        shop::edit(layer(&[(0, 2_000, "nobody")])),
        shop::edit(layer(&[(5_000, 6_000, "device")])),
        shop::edit(shop::layer("m", &[(0, 1, "f")])),
        shop::edit(shelved),
        // Taken from another, and moved.
        shop::edit(layer(&[(0, 3_000, "f"), (3_000, 5_000, "g")])),
        shop::edit(layer(&[(2_000, 5_000, "g"), (5_000, 7_000, "f")])),
        shop::edit(layer(&[(1_000, 2_000, "f"), (2_000, 5_000, "g"), (5_000, 6_000, "f")])),
        // Grown, shrunk, left.
        shop::edit(layer(&[(0, 2_000, "f"), (2_000, 5_000, "g"), (5_000, 10_000, "f")])),
        shop::edit(layer(&[(500, 1_000, "f")])),
        shop::edit(shop::layered("f", None)),
    ]), @r"
    there is no layer `nowhere`
    hint: look at the list of layers for what there is
    flag `device` divides by `device_id`, and layer `l` by `user_id`
    hint: use a layer of the flag's own unit
    there is no layer `nowhere`
    hint: look at the list of layers for what there is
    another salt would draw everybody in layer `l` anew
    hint: keep the salt; for a new draw make a new layer
    flag `f` divides by `user_id`, and layer `l` by `device_id`
    hint: use a layer of the flag's own unit
    there is no flag `nobody`
    hint: look at the list of flags for what there is
    flag `device` divides by `device_id`, and layer `l` by `user_id`
    hint: use a layer of the flag's own unit
    ok
    flag `f` belongs to layer `l`
    hint: take it out of the layer first
    this would give what flag `g` has of layer `l` to flag `f`
    hint: let flag `g` shrink first, then give what is free
    this would move the part of flag `f` in layer `l`
    hint: let it grow or shrink where it is
    this would move the part of flag `f` in layer `l`
    hint: let it grow or shrink where it is
    ok
    ok
    ok
    ");
}

#[test]
fn a_part_of_a_layer_is_in_the_history_of_its_flag() {
    use crate::common::{Place, live, step};
    let before = [
        shop::layer("l", &[]),
        shop::flag("g", &["staging"], &shop::variant("off")),
        shop::layered("f", Some("l")),
        shop::layered("g", Some("l")),
        shop::layer("l", &[(0, 2_000, "g")]),
    ];
    let allotted = |flag: &str, ranges: &[(u16, u16, &str)]| shop::allotted(flag, shop::layer("l", ranges));
    let own = allotted("f", &[(0, 2_000, "g"), (2_000, 3_000, "f")]);
    let mut named = own.clone();
    named["layer"]["name"] = json!("Another");
    insta::assert_snapshot!(said(&before, [
        shop::edit(shop::allotted("f", shop::layer("nowhere", &[]))),
        shop::edit(allotted("nobody", &[(0, 2_000, "g")])),
        // More than that flag's part.
        shop::edit(named),
        shop::edit(allotted("f", &[(0, 1_000, "g")])),
        shop::edit(allotted("f", &[(0, 1_000, "f"), (1_000, 2_000, "g")])),
        shop::edit(own.clone()),
        shop::edit(allotted("f", &[(0, 2_000, "g")])),
    ]), @r"
    there is no layer `nowhere`
    hint: look at the list of layers for what there is
    there is no flag `nobody`
    hint: look at the list of flags for what there is
    this alters more of layer `l` than the part of flag `f`
    hint: save the layer as a whole for that
    this alters more of layer `l` than the part of flag `f`
    hint: save the layer as a whole for that
    this alters more of layer `l` than the part of flag `f`
    hint: save the layer as a whole for that
    ok
    ok
    ");
    let place = Place::new();
    let ledger = crate::world(&place);
    live(&ledger, before.map(shop::edit).to_vec());
    let change = step(&ledger, shop::edit(own)).unwrap();
    let state = ledger.state();
    assert_eq!((state.layers["l"].revision, state.flags["f"].revision), (change.revision, change.revision));
    assert_ne!(state.flags["g"].revision, change.revision);
    for about in [Subject::Layer("l".parse().unwrap()), Subject::Flag("f".parse().unwrap())] {
        let page = bellwether_ledger::Page { before: None, limit: 1, about: Some(about) };
        assert_eq!(ledger.changes(&page).unwrap(), std::slice::from_ref(&change));
    }
    drop(ledger);
    assert!(bellwether_ledger::Ledger::doctor(&place.path()).unwrap().healthy());
}

#[test]
fn who_leaves_a_layer_takes_its_part_along() {
    use crate::common::{Place, live, step};
    let place = Place::new();
    let ledger = crate::world(&place);
    let before = [
        shop::layer("l", &[]),
        shop::layer("m", &[]),
        shop::layered("f", Some("l")),
        shop::layer("l", &[(0, 2_000, "f")]),
    ];
    live(&ledger, before.map(shop::edit).to_vec());
    let change = step(&ledger, shop::edit(shop::layered("f", Some("m")))).unwrap();
    let state = ledger.state();
    assert_eq!((state.layers["l"].ranges(), state.layers["m"].ranges()), (&[][..], &[][..]));
    assert_eq!(state.layers["l"].revision, change.revision);
    let about = Subject::Layer("l".parse().unwrap());
    let page = bellwether_ledger::Page { before: None, limit: 1, about: Some(about) };
    assert_eq!(ledger.changes(&page).unwrap(), [change]);
    // Where it had no part, the layer has not changed.
    let before = state.layers["m"].revision;
    step(&ledger, shop::edit(shop::layered("f", None))).unwrap();
    assert_eq!(ledger.state().layers["m"].revision, before);
    drop(ledger);
    assert!(bellwether_ledger::Ledger::doctor(&place.path()).unwrap().healthy());
}

#[test]
fn an_archived_flag_keeps_its_part_and_takes_no_more() {
    let mut shelved = shop::layer("l", &[(0, 2_000, "f")]);
    shelved["layer"]["archived"] = json!(true);
    let before = [
        shop::layer("l", &[]),
        shop::layered("f", Some("l")),
        shop::layer("l", &[(0, 2_000, "f")]),
        shop::archive("f", true),
    ];
    let asked = all([
        shop::layer("l", &[(0, 3_000, "f")]),
        shop::layer("l", &[(0, 1_000, "f")]),
        shelved.clone(),
        shop::archive("f", false),
    ]);
    insta::assert_snapshot!(said(&before, asked), @r"
    flag `f` is archived
    hint: restore it first
    ok
    ok
    ok
    ");
    let before = [before.as_slice(), &[shelved]].concat();
    insta::assert_snapshot!(said(&before, all([shop::archive("f", false), shop::layer("l", &[])])), @r"
    layer `l` is archived
    hint: restore it first
    ok
    ");
}

#[test]
fn a_holdout_holds_the_same_people_as_long_as_it_lives() {
    let kept = |share| shop::holdout("kept", share, shop::everything());
    let mut shelved = kept(500);
    shelved["holdout"]["archived"] = json!(true);
    let gone = [shop::flag("gone", &["staging"], &shop::variant("off")), shop::archive("gone", true)];
    let before = [&[kept(500)][..], &gone].concat();
    insta::assert_snapshot!(said(&before, [
        with(kept(500), "/holdout/salt", json!("other")),
        with(kept(500), "/holdout/unit", json!("device")),
        with(kept(500), "/holdout/salt", json!("")),
        with(kept(500), "/holdout/key", json!("new")),
        shop::edit(shop::holdout("new", 500, shop::these(&[]))),
        shop::edit(shop::holdout("new", 500, shop::these(&["nobody"]))),
        shop::edit(shop::holdout("new", 500, shop::these(&["f", "gone"]))),
        shop::edit(shop::holdout("kept", 900, shop::these(&["f"]))),
        shop::edit(shelved.clone()),
    ]), @r"
    another salt would draw everybody in holdout `kept` anew
    hint: keep the salt; for a new draw make a new holdout
    another unit would draw everybody in holdout `kept` anew
    hint: keep the unit; for a new draw make a new holdout
    in holdout `kept`: `` is not a salt
    hint: use 1 to 200 visible ASCII characters, so that every SDK hashes the same bytes
    ok
    holdout `new` covers no flag
    hint: name flags or a team, cover everything, or archive the holdout
    there is no flag `nobody`
    hint: look at the list of flags for what there is
    flag `gone` is archived
    hint: restore it first
    ok
    ok
    ");
    let before = [&[kept(500), shelved.clone()][..], &gone].concat();
    insta::assert_snapshot!(said(&before, [
        shop::edit(shelved),
        shop::edit(kept(100)),
    ]), @r"
    holdout `kept` is archived
    hint: restore it first
    ok
    ");
}

#[test]
fn bucketing_stays_while_somebody_is_watched() {
    let widening = shop::rollout(500, 500, None, json!({"state": "widening"}));
    let halted = shop::rollout(500, 500, None, json!({"state": "halted", "at": 1, "because": "harm"}));
    let before = [shop::start("x"), shop::set_rollout("f", "staging", widening)];
    let asked = || {
        all([
            shop::saved("nowhere", false, "cbor"),
            shop::saved("production", true, "cbor"),
            shop::saved("staging", false, "cbor"),
            shop::saved("production", false, "utf8"),
        ])
    };
    insta::assert_snapshot!(said(&before, asked()), @r"
    there is no environment `nowhere`
    hint: look at the list of environments for what there is
    another bucketing would draw everybody in `production` anew, and experiment `x` is running there
    hint: stop it first, or make another environment with this bucketing
    another bucketing would draw everybody in `staging` anew, and the rollout of flag `f` is widening there
    hint: stop it first, or make another environment with this bucketing
    ok
    ");
    let after = [&before[..], &[shop::stop("x"), shop::set_rollout("f", "staging", halted)]].concat();
    insta::assert_snapshot!(said(&after, asked()), @r"
    there is no environment `nowhere`
    hint: look at the list of environments for what there is
    ok
    ok
    ok
    ");
}

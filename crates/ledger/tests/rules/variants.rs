//! Ledger, tests: which variants a flag may lose or change, and the schema of its values.

use bellwether_ledger::{Members, Proposed};
use bellwether_model::{Json, ListId, Serve};
use serde_json::json;

use crate::common::{Place, live, shop, step};
use crate::{all, said, with, world};

const ALL: [(&str, &str); 3] = [("off", "-"), ("control", "c"), ("treatment", "t")];

fn without(gone: &str) -> Json {
    let left: Vec<_> =
        [&ALL[..], &[("third", "z")]].concat().into_iter().filter(|(k, _)| *k != gone).collect();
    shop::variants("f", &left)
}

#[test]
fn a_variant_that_somebody_may_get_is_not_taken_away() {
    let more = || shop::variants("f", &[&ALL[..], &[("third", "z")]].concat());
    let split = || shop::served(shop::split(1_000, 1_000));
    let in_staging = |edit: Value<'_>| -> Vec<Proposed> {
        let mut targeting = shop::targeting("f", "staging", &split());
        edit(&mut targeting["setting"]);
        let mut proposed = shop::edit(targeting);
        proposed.lists = proposed_lists(&proposed);
        vec![shop::edit(more()), proposed]
    };
    let check = |before: Vec<Proposed>, edit: Json| {
        let place = Place::new();
        let ledger = world(&place);
        live(&ledger, before);
        match step(&ledger, shop::edit(edit)) {
            Ok(_) => "ok".to_owned(),
            Err(error) => error.to_string(),
        }
    };
    let third = shop::variant("third");
    let said = [
        check(vec![], without("off")),
        check(vec![], without("control")),
        check(in_staging(&|s| s["default"] = third.clone()), without("third")),
        check(in_staging(&|s| s["targets"] = json!([{"variant": "third", "list": "l"}])), without("third")),
        check(
            in_staging(&|s| {
                s["rules"] = json!([{"name": "staff", "serve": third,
                    "when": [[{"attribute": "a", "op": "is", "values": ["b"]}]]}]);
            }),
            without("third"),
        ),
        check(
            vec![shop::edit(shop::set_rollout(
                "f",
                "production",
                shop::rollout(0, 500, None, json!({"state": "widening"})),
            ))],
            without("treatment"),
        ),
        check(
            [
                more(),
                shop::flag("g", &["staging"], &shop::variant("off")),
                shop::gated("g", "staging", Some(("f", &["third"])), None, &shop::variant("off")),
            ]
            .map(shop::edit)
            .to_vec(),
            without("third"),
        ),
        check(
            {
                let mut plan = shop::experiment("y", "f", "staging", "m");
                plan["experiment"]["plan"]["arms"][0]["variant"] = json!("third");
                plan["experiment"]["plan"]["control"] = json!("third");
                [more(), plan].map(shop::edit).to_vec()
            },
            without("third"),
        ),
        check(vec![shop::edit(more())], without("third")),
        check(vec![], shop::variants("f", &[("off", "-"), ("off", "-")])),
        check(vec![], shop::variants("f", &[])),
        check(vec![], shop::variants("nobody", &ALL)),
    ];
    insta::assert_snapshot!(said.join("\n"), @r"
    variant `off` of flag `f` is used by the off switch in `production`
    hint: keep it, or let another variant take its place there first
    variant `control` of flag `f` is used by the default's split in `production`
    hint: keep it, or let another variant take its place there first
    variant `third` of flag `f` is used by the default in `staging`
    hint: keep it, or let another variant take its place there first
    variant `third` of flag `f` is used by a target in `staging`
    hint: keep it, or let another variant take its place there first
    variant `third` of flag `f` is used by rule 1 (`staff`) in `staging`
    hint: keep it, or let another variant take its place there first
    variant `treatment` of flag `f` is used by the rollout in `production`
    hint: keep it, or let another variant take its place there first
    variant `third` of flag `f` is used by a prerequisite of flag `g` in `staging`
    hint: keep it, or let another variant take its place there first
    variant `third` of flag `f` is used by experiment `y`
    hint: keep it, or let another variant take its place there first
    ok
    variant `control` of flag `f` is used by the default's split in `production`
    hint: keep it, or let another variant take its place there first
    variant `off` of flag `f` is used by the off switch in `production`
    hint: keep it, or let another variant take its place there first
    there is no flag `nobody`
    hint: look at the list of flags for what there is
    ");
}

type Value<'a> = &'a dyn Fn(&mut Json);

/// A list for each that the edit cites.
fn proposed_lists(proposed: &Proposed) -> Vec<(ListId, Members)> {
    let bellwether_model::Edit::TargetingReplaced { setting, .. } = &proposed.edit else { return vec![] };
    setting.targets.iter().map(|target| (target.list.clone(), vec!["ada".to_owned()].into())).collect()
}

#[test]
fn an_arm_keeps_its_value_while_it_is_compared() {
    let changed = |key: &str| {
        let changed = ALL.map(|(k, value)| (k, if k == key { "new" } else { value }));
        shop::variants("f", &changed)
    };
    let mut described = shop::variants("f", &ALL);
    described["variants"][1]["description"] = json!("as it was");
    let mut number = shop::variants("f", &ALL);
    number["variants"][0]["value"] = json!(1);
    let mut deep = json!("x");
    for _ in 0..70 {
        deep = json!([deep]);
    }
    let asked = || {
        [
            shop::edit(changed("control")),
            shop::edit(changed("off")),
            shop::edit(described.clone()),
            shop::edit(number.clone()),
            with(shop::variants("f", &ALL), "/variants/0/value", deep.clone()),
            with(described.clone(), "/variants/1/description", json!("\u{0}")),
        ]
    };
    insta::assert_snapshot!(said(&[shop::start("x")], asked()), @r"
    variant `control` of flag `f` is an arm of experiment `x`, which is running
    hint: stop the experiment first, or add another variant
    ok
    ok
    variant `off` is `1`, which is not a string
    hint: all variants of flag `f` must be of kind string
    the value of variant `off` is nested too deep
    hint: nest at most 64 objects and lists
    the description of variant `control` has a control character in it
    hint: write it as text, in as many lines as you like
    ");
    insta::assert_snapshot!(said(&[], [shop::edit(changed("control"))]), @"ok");
}

#[test]
fn another_value_of_what_a_rollout_compares_is_another_epoch() {
    let place = Place::new();
    let ledger = world(&place);
    let run = |edit| step(&ledger, shop::edit(edit)).unwrap();
    run(shop::set_rollout("f", "staging", shop::rollout(500, 500, None, json!({"state": "widening"}))));
    let epoch = || match &ledger.state().flags["f"].settings["staging"].default {
        Serve::Rollout { rollout } => (rollout.epoch, rollout.epoch_began),
        other => panic!("{other:?}"),
    };
    let before = epoch();
    run(shop::variants("f", &[("off", "new"), ("control", "c"), ("treatment", "t"), ("third", "z")]));
    assert_eq!(epoch(), before);
    let change = run(shop::variants("f", &[("off", "new"), ("control", "c"), ("treatment", "u")]));
    assert_eq!(epoch(), (before.0 + 1, change.at));
}

#[test]
fn values_match_the_schema() {
    let mut flag = shop::flag("j", &["staging"], &shop::variant("small"));
    flag["flag"]["kind"] = json!("json");
    flag["flag"]["settings"]["staging"]["off"] = json!("small");
    flag["flag"]["variants"] = json!([
        {"key": "small", "value": {"sizes": [5, 6], "colour": "red"}},
        {"key": "large", "value": {"sizes": [50, 1], "colour": "blue", "x/y": {"deep": "aab"}}},
    ]);
    let schema = |schema: Json| shop::schema("j", Some(schema));
    let object = |properties: Json| json!({"type": "object", "properties": properties});
    let mut born = flag.clone();
    born["flag"]["key"] = json!("k");
    born["flag"]["schema"] = json!({"type": "array"});
    let said_of = said(
        &[flag.clone(), schema(object(json!({"colour": {"enum": ["red", "blue"]}})))],
        all([
            born,
            schema(json!({"type": "array"})),
            schema(object(json!({"sizes": {"items": {"minimum": 5}}}))),
            schema(object(json!({"colour": {"const": "red"}}))),
            schema(object(json!({"x/y": {"properties": {"deep": {"pattern": "^a+$"}}}}))),
            schema(object(json!({"colour": {"format": "email"}}))),
            schema(object(json!({"colour": {"format": "paint"}}))),
            schema(json!({"required": ["sizes", "weight"]})),
            schema(json!({"properties": {"sizes": true, "colour": true}, "additionalProperties": false})),
            schema(json!({"properties": {"colour": {"anyOf": [{"const": "red"}, {"type": "null"}]}}})),
            schema(json!({"properties": {"sizes": {"items": {"$ref": "#/$defs/size"}}},
                "$defs": {"size": {"type": "integer", "exclusiveMaximum": 50}}})),
            json!({"edit": "flag_variants_replaced", "flag": "j", "variants": [
                {"key": "small", "value": {"colour": "green"}}]}),
            schema(json!({"properties": {"sizes": {"items": {"$ref": "#/$defs/size"}}},
                "$defs": {"size": {"type": "integer", "maximum": 50}}})),
            shop::schema("j", None),
        ]),
    );
    insta::assert_snapshot!(said_of, @r#"
    in variant `small` of flag `k`, the whole is `{"colour":"red","sizes":[5,6]}`, and the schema expects `type: "array"`
    hint: give the variant a value that matches, or change the schema first
    in variant `small` of flag `j`, the whole is `{"colour":"red","sizes":[5,6]}`, and the schema expects `type: "array"`
    hint: give the variant a value that matches, or change the schema first
    in variant `large` of flag `j`, `/sizes/1` is `1`, and the schema expects `minimum: 5`
    hint: give the variant a value that matches, or change the schema first
    in variant `large` of flag `j`, `/colour` is `"blue"`, and the schema expects `const: "red"`
    hint: give the variant a value that matches, or change the schema first
    in variant `large` of flag `j`, `/x~1y/deep` is `"aab"`, and the schema expects `pattern: "^a+$"`
    hint: give the variant a value that matches, or change the schema first
    in variant `small` of flag `j`, `/colour` is `"red"`, and the schema expects `format: "email"`
    hint: give the variant a value that matches, or change the schema first
    ok
    in variant `small` of flag `j`, the whole lacks `weight`, which the schema requires
    hint: give the variant a value that matches, or change the schema first
    in variant `large` of flag `j`, the whole has `x/y`, which the schema does not know
    hint: give the variant a value that matches, or change the schema first
    in variant `large` of flag `j`, `/colour` is `"blue"`, and the schema expects `anyOf: [{"const":"red"},{"type":"null"}]`
    hint: give the variant a value that matches, or change the schema first
    in variant `large` of flag `j`, `/sizes/0` is `50`, and the schema expects `exclusiveMaximum: 50`
    hint: give the variant a value that matches, or change the schema first
    in variant `small` of flag `j`, `/colour` is `"green"`, and the schema expects `enum: ["red","blue"]`
    hint: give the variant a value that matches, or change the schema first
    ok
    ok
    "#);
}

#[test]
fn a_schema_is_one_document_that_is_soon_read() {
    let schema = |schema: Json| shop::edit(shop::schema("f", Some(schema)));
    let mut doubled = serde_json::Map::new();
    for n in 0..30 {
        let next = format!("#/$defs/d{}", n + 1);
        doubled.insert(format!("d{n}"), json!({"allOf": [{"$ref": next}, {"$ref": next}]}));
    }
    doubled.insert("d30".to_owned(), json!({"type": "string"}));
    let mut chain = serde_json::Map::new();
    for n in 0..2_000 {
        chain.insert(format!("d{n}"), json!({"$ref": format!("#/$defs/d{}", n + 1)}));
    }
    chain.insert("d2000".to_owned(), json!(true));
    let mut nested = json!({"type": "string"});
    for _ in 0..20 {
        nested = json!({"allOf": [nested], "unevaluatedProperties": false});
    }
    let mut deep = json!({});
    for _ in 0..70 {
        deep = json!({"not": deep});
    }
    let said_of = said(
        &[],
        [
            schema(json!(3)),
            schema(json!({"type": "text"})),
            schema(json!({"properties": {"a": {"minimum": "1"}}})),
            schema(json!({"pattern": "(?=a)b"})),
            schema(json!({"pattern": "(a{1000}){1000}"})),
            schema(json!({"patternProperties": {"(": true}})),
            schema(json!({"$schema": "https://example.com/mine"})),
            schema(json!({"$ref": "https://example.com/schema"})),
            schema(json!({"properties": {"a": {"items": {"$ref": "file:///etc/passwd"}}}})),
            schema(json!({"$ref": "other.json#/a"})),
            schema(json!({"$dynamicRef": "#a"})),
            schema(json!({"$ref": "#/$defs/none"})),
            schema(json!({"$ref": "#"})),
            schema(json!({"$defs": {"tree": {"properties": {"left": {"$ref": "#/$defs/tree"}}}}})),
            schema(json!({"allOf": [{"$id": "https://example.com/inner", "$ref": "#"}]})),
            schema(json!({"$ref": "#/$defs/d0", "$defs": doubled})),
            schema(json!({"$ref": "#/$defs/d0", "$defs": chain})),
            schema(nested),
            schema(deep),
            schema(json!({"description": "x".repeat(1 << 16)})),
            // What looks like a reference and is none; drafts that are known; what says nothing.
            schema(json!({"not": {"const": {"$ref": "https://example.com"}}})),
            schema(json!({"properties": {"$ref": {"type": "string"}}})),
            schema(json!({"$schema": "http://json-schema.org/draft-07/schema#", "type": "string"})),
            schema(json!(true)),
        ],
    );
    insta::assert_snapshot!(said_of, @r#"
    the schema of flag `f` is no JSON Schema: the whole cannot be `3`
    hint: use draft 2020-12, whose `$schema` may be left out
    the schema of flag `f` is no JSON Schema: `/type` cannot be `"text"`
    hint: use draft 2020-12, whose `$schema` may be left out
    the schema of flag `f` is no JSON Schema: `/properties/a/minimum` cannot be `"1"`
    hint: use draft 2020-12, whose `$schema` may be left out
    the schema of flag `f` is no JSON Schema: at `/pattern`, `(?=a)b` is not a pattern: look-around is not supported, at character 1
    hint: use the syntax of https://docs.rs/regex, which never takes more than linear time
    the schema of flag `f` is no JSON Schema: at `/pattern`, `(a{1000}){1000}` is not a pattern: it is too large once compiled
    hint: repeat fewer times
    the schema of flag `f` is no JSON Schema: at `/patternProperties/(`, `(` is not a pattern: unclosed group, at character 1
    hint: use the syntax of https://docs.rs/regex, which never takes more than linear time
    the schema of flag `f` names a draft of JSON Schema, or refers to a part, that is not known
    hint: use draft 2020-12, whose `$schema` may be left out
    the schema of flag `f` refers to `https://example.com/schema`, which is not in it
    hint: nothing is fetched: put the part into `$defs` and refer to it, such as `#/$defs/size`
    the schema of flag `f` refers to `file:///etc/passwd`, which is not in it
    hint: nothing is fetched: put the part into `$defs` and refer to it, such as `#/$defs/size`
    the schema of flag `f` refers to `other.json#/a`, which is not in it
    hint: nothing is fetched: put the part into `$defs` and refer to it, such as `#/$defs/size`
    the schema of flag `f` refers to `#a` by `$dynamicRef`
    hint: use `$ref` with a place in the schema itself, such as `#/$defs/size`
    the schema of flag `f` refers to `#/$defs/none`, where there is nothing
    hint: refer to a part that is there
    the schema of flag `f` refers to itself at `#`
    hint: spell out as many levels as the values have
    the schema of flag `f` refers to itself at `#/$defs/tree`
    hint: spell out as many levels as the values have
    the schema of flag `f` has another schema with an `$id` in it
    hint: put the part into `$defs` and refer to it by its place
    the schema of flag `f` unfolds to more than `4096` parts
    hint: refer to the same part less often, and nest `unevaluatedProperties` less
    the schema of flag `f` unfolds to more than `4096` parts
    hint: refer to the same part less often, and nest `unevaluatedProperties` less
    the schema of flag `f` unfolds to more than `4096` parts
    hint: refer to the same part less often, and nest `unevaluatedProperties` less
    the schema of flag `f` is nested too deep
    hint: nest at most 64 objects and lists
    the schema of flag `f` has `65554` bytes, and at most 65536 are read
    hint: describe less of the value
    ok
    ok
    ok
    ok
    "#);
}

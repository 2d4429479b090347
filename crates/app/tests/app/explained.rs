//! App tests: why somebody gets a variant, in a sentence, now and in the past.

use serde_json::{Value as Json, json};

use crate::house::House;
use crate::rollouts::at;

fn asked(flag: &str, context: Json) -> Json {
    json!({"flag": flag, "environment": "production", "context": context})
}

/// A flag with everything in its way.
fn shop() -> House {
    let house = House::new();
    for flag in ["parent", "f"] {
        house.did("flag.create", json!({"flag": flag}));
        house.did("flag.toggle", at(flag, json!({"on": true})));
    }
    house.did("segment.save", json!({"segment": "staff", "why": "test"}));
    house.did("segment.ids", json!({"segment": "staff", "list": "included", "add": ["ada"], "why": "test"}));
    let shares = json!([{"variant": "on", "share": 5_000}, {"variant": "off", "share": 5_000}]);
    let split = json!({"serve": "split", "shares": shares, "salt": "f-1"});
    let rules = json!([
        {"name": "staff", "when": [[{"segment": "staff"}]], "serve": {"serve": "variant", "variant": "on"}},
        {"when": [[{"attribute": "plan", "op": "is", "values": ["pro", "team"]},
            {"segment": "staff", "not": true}]], "serve": split},
    ]);
    house.did(
        "flag.target",
        at(
            "f",
            json!({"rules": rules, "default": {"serve": "variant", "variant": "off"},
        "prerequisites": [{"flag": "parent", "variants": ["on"]}],
        "targets": [{"variant": "on", "ids": ["tess"]}]}),
        ),
    );
    house
}

#[test]
fn each_reason_is_a_sentence() {
    let house = shop();
    let check = |context: Json, expected: &str| {
        let said = house.did("flag.explain", asked("f", context.clone()));
        assert_eq!(said["sentence"], expected, "{context}");
    };
    check(json!({"targetingKey": "tess"}), "gets `on` because it is one of the targets of `on`");
    check(
        json!({"targetingKey": "ada"}),
        "gets `on` because rule 1 (`staff`) matches: it is in segment `staff`",
    );
    check(
        json!({"targetingKey": "user-1", "plan": "pro"}),
        "gets `on` because rule 2 matches: `plan` is `pro` or `team` and it is not in segment `staff`, and `user-1` stands at 38.70%, where 0% to 50% is for `on`",
    );
    check(
        json!({"plan": "pro"}),
        "gets `off` because the context has no `targetingKey` (`user_id`), by which the split divides",
    );
    check(json!({"targetingKey": "eve"}), "gets `off` because nothing before the default decides");
    let holdout = json!({"holdout": "global", "share": 10_000, "covers": {"covers": "flags", "flags": ["f"]}, "why": "test"});
    house.did("holdout.save", holdout);
    let held = house.did("flag.explain", asked("f", json!({"targetingKey": "eve"})));
    let sentence = held["sentence"].as_str().unwrap();
    assert!(
        sentence.starts_with("gets `off` because holdout `global` holds 0% to 100%, and `eve` stands at ")
    );
    house.did("holdout.archive", json!({"holdout": "global", "why": "test"}));
    house.did("layer.save", json!({"layer": "shop", "why": "test"}));
    house.did("flag.layer", json!({"flag": "f", "layer": "shop", "why": "test"}));
    let outside = house.did("flag.explain", asked("f", json!({"targetingKey": "eve"})));
    let sentence = outside["sentence"].as_str().unwrap();
    assert!(sentence.ends_with("% in layer `shop`, where the flag has no part"), "{sentence}");
    check(
        json!({}),
        "gets `off` because the context has no `targetingKey` (`user_id`), by which layer `shop` divides",
    );
    house.did("flag.toggle", at("parent", json!({"on": false})));
    check(
        json!({"targetingKey": "tess"}),
        "gets `off` because its prerequisite `parent` serves `off` and not `on`",
    );
    house.did("flag.toggle", at("f", json!({"on": false})));
    check(json!({"targetingKey": "tess"}), "gets `off` because the flag is off in `production`");
}

#[test]
fn the_past_is_asked_at_its_revision() {
    let house = shop();
    let before = house.revision();
    house.did(
        "segment.ids",
        json!({"segment": "staff", "list": "included", "remove": ["ada"], "why": "test"}),
    );
    house.did("flag.create", json!({"flag": "later"}));
    house.did("flag.archive", json!({"flag": "f", "why": "test"}));
    let mut asked = asked("f", json!({"targetingKey": "ada"}));
    let archived = format!(
        "409 flag `f` is archived at revision `{}`, and served to nobody\nhint: restore it, or ask at a revision before it was archived",
        house.revision()
    );
    assert_eq!(house.refused("flag.explain", asked.clone()), archived);
    asked["revision"] = json!(before);
    let said = house.did("flag.explain", asked.clone());
    assert_eq!(said["sentence"], "gets `on` because rule 1 (`staff`) matches: it is in segment `staff`");
    assert_eq!(said["revision"], before);
    asked["revision"] = json!(before + 1);
    assert_eq!(house.did("flag.explain", asked.clone())["explanation"]["variant"], "off");
    asked["flag"] = json!("later");
    assert_eq!(
        house.refused("flag.explain", asked.clone()),
        format!(
            "404 there was no flag `later` at revision `{}`\nhint: it was made later: `change.list` says when",
            before + 1
        )
    );
    asked["revision"] = json!(10_000);
    let newest = house.did("change.list", json!({}))["changes"][0]["change"]["revision"].clone();
    assert_eq!(
        house.refused("flag.explain", asked),
        format!("404 there is no revision `10000`\nhint: the newest is `{newest}`: `change.list` shows them")
    );
}

#[test]
fn each_step_is_said_in_words() {
    let house = House::new();
    house.did("segment.save", json!({"segment": "staff", "why": "t", "when": [[{"attribute": "mail", "op": "ends_with", "values": ["@example.com"]}]]}));
    house.did("flag.create", json!({"flag": "cart"}));
    house.did("flag.toggle", json!({"flag": "cart", "environment": "production", "on": true, "why": "t"}));
    house.did("flag.target", json!({"flag": "cart", "environment": "production", "why": "t", "default": {"serve": "variant", "variant": "on"}}));
    house.did("flag.create", json!({"flag": "f"}));
    house.did("flag.toggle", json!({"flag": "f", "environment": "production", "on": true, "why": "t"}));
    house.did("layer.save", json!({"layer": "checkout", "why": "t"}));
    house.did("flag.layer", json!({"flag": "f", "layer": "checkout", "why": "t"}));
    house.did("layer.allot", json!({"layer": "checkout", "flag": "f", "share": 9_000, "why": "t"}));
    house.did(
        "holdout.save",
        json!({"holdout": "global", "share": 500, "covers": {"covers": "everything"}, "why": "t"}),
    );
    let rules = json!([
        {"name": "staff", "when": [[{"segment": "staff"}], [{"attribute": "plan", "op": "is", "values": ["pro", "max"]}, {"attribute": "age", "op": "greater", "values": ["17"]}]],
            "serve": {"serve": "variant", "variant": "on"}},
        {"when": [[{"attribute": "country", "op": "is_not", "values": ["CH"]}, {"segment": "staff", "not": true}]], "serve": {"serve": "variant", "variant": "off"}},
    ]);
    house.did("flag.target", json!({"flag": "f", "environment": "production", "why": "t", "rules": rules,
        "prerequisites": [{"flag": "cart", "variants": ["on"]}], "targets": [{"variant": "on", "ids": ["zoe"]}],
        "default": {"serve": "split", "salt": "s", "shares": [{"variant": "on", "share": 5_000}, {"variant": "off", "share": 5_000}]}}));
    let mut said = String::new();
    for context in [
        json!({"targetingKey": "zoe"}),
        json!({"targetingKey": "ada", "country": "CH", "plan": "pro"}),
        json!({"targetingKey": "ada", "country": "CH", "plan": "pro", "age": 18}),
        json!({"targetingKey": "ada", "country": "FR", "mail": "ada@example.com"}),
        json!({"targetingKey": "ada", "country": "FR", "plan": 7}),
        json!({"country": "CH"}),
    ] {
        let told =
            house.did("flag.explain", json!({"flag": "f", "environment": "production", "context": context}));
        let steps: Vec<&str> =
            told["steps"].as_array().unwrap().iter().map(|step| step.as_str().unwrap()).collect();
        assert_eq!(steps.len(), told["explanation"]["steps"].as_array().unwrap().len());
        said.push_str(&format!(
            "{context}\n{}\n  {}\n\n",
            told["sentence"].as_str().unwrap(),
            steps.join("\n  ")
        ));
    }
    insta::assert_snapshot!(said);
}

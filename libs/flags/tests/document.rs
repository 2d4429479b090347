//! Flags, tests: the document of an environment answers as the ruleset that it was written from, says
//! nothing of other environments, and whatever else is read as one is refused and does no harm.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bellwether_flags::{Document, Ids, Ruleset, Source, amplitude};
use bellwether_model::{Context, ListId, Revision};
use proptest::prelude::*;
use serde_json::{Value, json};

use world::{World, environment, ops, typed_context, user, world};

fn document(world: &World, revision: u64) -> Document {
    let lists: BTreeMap<&ListId, Arc<Ids>> =
        world.lists.iter().map(|(id, texts)| (id, Arc::new(Ids::new(texts)))).collect();
    let lists = |id: &ListId| lists[id].clone();
    let source = Source {
        flags: world.flags.iter().collect(),
        segments: world.segments.iter().collect(),
        layers: world.layers.iter().collect(),
        holdouts: world.holdouts.iter().collect(),
        betas: world.betas.iter().collect(),
        lists: &lists,
    };
    Document::of(&world.environment, Revision(revision), &source).unwrap()
}

fn contexts(users: &[Value], typed: &[Value]) -> Vec<Context> {
    let typed = typed.iter().map(|context| {
        let mut attributes = context.as_object().unwrap().clone();
        let key = attributes.remove("targetingKey");
        Context::new(key.as_ref().and_then(Value::as_str), attributes)
    });
    users.iter().map(|user| amplitude::context(user.as_object().unwrap())).chain(typed).collect()
}

/// Everything that is answered, in a form that can be compared.
fn answers(rules: &Ruleset, context: &Context) -> Vec<Value> {
    let all = rules.evaluate_all(context);
    all.map(|a| {
        json!([a.flag, a.variant, a.value, a.reason, a.enrolled, a.lacks().map(|unit| unit.attribute())])
    })
    .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn a_document_answers_as_what_it_was_written_from(
        world in any::<bool>().prop_flat_map(|cbor| world(if cbor { "cbor" } else { "utf8" }, ops())),
        users in prop::collection::vec(user(), 6),
        typed in prop::collection::vec(typed_context(), 6),
    ) {
        let rules = world.compile(9);
        let written = document(&world, 9);
        let text = written.to_json().unwrap();
        let read = Document::parse(text.as_bytes()).unwrap();
        prop_assert_eq!(&read, &written);
        let there = read.compile(&|_| None).unwrap();
        prop_assert_eq!((there.revision(), there.bucketing()), (rules.revision(), rules.bucketing()));
        for context in contexts(&users, &typed) {
            prop_assert_eq!(answers(&there, &context), answers(&rules, &context), "{}", text);
        }
        // A document says all that it was compiled from: written again it is the same.
        let lists: BTreeSet<&str> = ["i0", "i1"].into_iter().filter(|id| text.contains(&format!("\"{id}\":["))).collect();
        let cited = |id: &str| text.matches(&format!("\"{id}\"")).count() > 1;
        prop_assert!(lists.iter().all(|id| cited(id)), "a list that nothing cites is in {}", text);
    }

    #[test]
    fn what_is_spoilt_on_the_way_is_refused_or_harmless(
        world in world("utf8", ops()),
        user in user(),
        at in any::<prop::sample::Index>(),
        with in any::<u8>(),
        cut in any::<bool>(),
    ) {
        let mut bytes = document(&world, 1).to_json().unwrap().into_bytes();
        let at = at.index(bytes.len());
        if cut { bytes.truncate(at) } else { bytes[at] = with }
        if let Ok(rules) = Document::parse(&bytes).and_then(|read| read.compile(&|_| None)) {
            let context = amplitude::context(user.as_object().unwrap());
            rules.evaluate_all(&context).for_each(drop);
        }
    }
}

/// A world in which all that the environment `test` must not tell says `secret`.
fn world_with_secrets() -> World {
    let other = json!({"on": true, "off": "secret-variant", "targets": [{"variant": "on", "list": "secret-list"}],
        "rules": [{"name": "secret rule", "when": [[{"segment": "secret-segment"}]],
            "serve": {"serve": "variant", "variant": "on"}}],
        "default": {"serve": "variant", "variant": "secret-variant"}});
    let guard = json!({"metric": "secret-metric", "margin": 0.1});
    let split = json!({"salt": "s", "ranges": [{"from": 0, "to": 5000, "variant": "on"},
        {"from": 5000, "to": 10000, "variant": "off"}]});
    let rollout = |state: Value| {
        json!({"serve": "rollout", "rollout": {"candidate": "on", "control": "off", "split": split,
            "guard": guard, "state": state, "started": 77_777, "epoch": 3, "epoch_began": 77_777}})
    };
    let flag = |key: &str, setting: Value| {
        json!({"key": key, "name": "secret name", "description": "secret", "kind": "string", "team": "secret-team",
            "schema": {"description": "secret"}, "created": 77_777, "layer": "l",
            "variants": [{"key": "on", "value": "yes", "description": "secret"}, {"key": "off", "value": "no"},
                {"key": "secret-variant", "value": "secret"}],
            "settings": {"test": setting, "secret-environment": other}})
    };
    let flags = [
        flag(
            "widening",
            json!({"on": true, "off": "off", "default": rollout(json!({"state": "widening"})),
            "rules": [{"name": "secret rule", "when": [[{"segment": "s"}]],
                "serve": rollout(json!({"state": "halted", "at": 77_777, "because": "secret"}))}]}),
        ),
        flag(
            "off",
            json!({"on": false, "off": "off", "targets": [{"variant": "on", "list": "secret-list"}],
            "default": {"serve": "variant", "variant": "secret-variant"}}),
        ),
        json!({"key": "secret-flag", "kind": "boolean", "created": 1, "layer": "l",
            "variants": [{"key": "on", "value": true}], "settings": {"secret-environment":
                {"on": true, "off": "on", "default": {"serve": "variant", "variant": "on"}}}}),
    ];
    let clause = json!([[{"attribute": "plan", "op": "is", "values": ["pro"]}]]);
    let secret = json!([[{"attribute": "secret", "op": "is", "values": ["secret"]}]]);
    let segments = [
        json!({"key": "s", "name": "secret", "description": "secret", "when": clause, "created": 77_777, "included": "l"}),
        json!({"key": "secret-segment", "when": secret, "created": 1, "included": "secret-list"}),
    ];
    let layer = json!({"key": "l", "name": "secret", "salt": "l", "created": 77_777, "ranges": [
        {"from": 0, "to": 5000, "flag": "secret-flag"}, {"from": 5000, "to": 10000, "flag": "widening"}]});
    let holdouts = [
        json!({"key": "h", "name": "secret", "salt": "h", "share": 500, "created": 77_777,
            "covers": {"covers": "team", "team": "secret-team"}}),
        json!({"key": "secret-holdout", "salt": "h", "share": 500, "covers": {"covers": "flags", "flags": ["secret-flag"]}}),
    ];
    let beta = |key: &str, on: &[&str], archived: bool| {
        json!({"key": key, "name": "secret", "description": "secret", "created": 77_777, "on": on,
            "flags": {"widening": "on", "secret-flag": "on", "off": "secret-variant"},
            "audience": if key == "b" { clause.clone() } else { secret.clone() }, "archived": archived})
    };
    let betas = [
        beta("b", &["test", "secret-environment"], false),
        beta("secret-beta", &["secret-environment"], false),
        beta("secret-past", &["test"], true),
    ];
    let read = |value: &Value| serde_json::from_value(value.clone()).unwrap();
    let mut environment = environment("utf8");
    environment.name = "secret".to_owned();
    World {
        environment,
        flags: flags.iter().map(read).collect(),
        segments: segments.iter().map(|s| serde_json::from_value(s.clone()).unwrap()).collect(),
        layers: vec![serde_json::from_value(layer).unwrap()],
        holdouts: holdouts.iter().map(|h| serde_json::from_value(h.clone()).unwrap()).collect(),
        betas: betas.iter().map(|b| serde_json::from_value(b.clone()).unwrap()).collect(),
        lists: [("l", vec!["u-1".to_owned()]), ("secret-list", vec!["secret-user".to_owned()])]
            .map(|(id, ids)| (ListId(id.to_owned()), ids))
            .into(),
    }
}

#[test]
fn nothing_is_said_that_is_not_for_this_environment() {
    let world = world_with_secrets();
    let trials = ["widening", "secret-flag"].map(|flag| (flag.parse().unwrap(), format!("trial of {flag}")));
    let text = document(&world, 3).with_trials(trials.into()).to_json().unwrap();
    assert!(!text.contains("secret") && !text.contains("77777"), "{text}");
    let (rules, there) = (world.compile(3), Document::parse(text.as_bytes()).unwrap());
    assert_eq!(there.trials().len(), 1);
    let there = there.compile(&|_| None).unwrap();
    for n in 0..2_000 {
        let attributes = json!({"plan": if n % 2 == 0 { "pro" } else { "free" }});
        let context = Context::new(Some(&format!("u-{n}")), attributes.as_object().unwrap().clone());
        assert_eq!(answers(&there, &context), answers(&rules, &context));
    }
}

#[test]
fn a_long_list_is_cited_and_not_written() {
    let mut world = world_with_secrets();
    let ids: Vec<String> = (0..=Document::MOST_IDS).map(|n| format!("u-{n}")).collect();
    let list = ListId("l".to_owned());
    world.lists.insert(list.clone(), ids.clone());
    let text = document(&world, 3).to_json().unwrap();
    assert!(!text.contains("u-17"), "{text}");
    let read = Document::parse(text.as_bytes()).unwrap();
    assert_eq!(read.apart().collect::<Vec<_>>(), [&list]);
    let missing = read.compile(&|_| None).unwrap_err();
    assert_eq!(missing.message, "the list `l` is cited and is not there");
    let ids = Arc::new(Ids::new(&ids));
    let there = read.compile(&|id| (*id == list).then(|| ids.clone())).unwrap();
    let rules = world.compile(3);
    for n in 0..2_000 {
        let context = Context::new(Some(&format!("u-{n}")), serde_json::Map::new());
        assert_eq!(answers(&there, &context), answers(&rules, &context));
    }
}

#[test]
fn what_is_no_document_is_refused_with_a_reason() {
    let check = |text: &str, expected: &str| {
        let refused = Document::parse(text.as_bytes()).and_then(|read| read.compile(&|_| None)).unwrap_err();
        assert!(refused.message.contains(expected), "{}", refused.message);
        assert!(!refused.hint.is_empty());
    };
    let with = |field: &str, value: Value| {
        let mut document =
            json!({"version": 2, "environment": {"key": "e", "name": "e"}, "revision": 1, "flags": []});
        document[field] = value;
        document.to_string()
    };
    check("", "not a document of rules");
    check("[]", "not a document of rules");
    check(&with("version", json!(3)), "of version `3`, and this reads up to `2`");
    check(&with("environment", json!({"key": "e e", "name": "e"})), "`e e` is not a key");
    let flag = |rules: Value| {
        json!([{"key": "f", "kind": "boolean", "created": 0, "variants": [{"key": "on", "value": true}],
            "settings": {"e": {"on": true, "off": "on", "rules": rules, "default": {"serve": "variant", "variant": "on"}}}}])
    };
    let rule = |when: Value| json!([{"when": [[when]], "serve": {"serve": "variant", "variant": "on"}}]);
    let clause = |op: &str, value: &str| rule(json!({"attribute": "a", "op": op, "values": [value]}));
    check(&with("flags", flag(clause("sounds_like", "x"))), "unknown variant `sounds_like`");
    check(&with("flags", flag(clause("matches", "("))), "is not a pattern");
    check(&with("flags", flag(rule(json!({"segment": "s"})))), "there is no segment `s`");
    let deep = "[".repeat(100_000);
    check(&deep, "not a document of rules");
}

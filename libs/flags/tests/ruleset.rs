//! Flags, tests: what a ruleset holds, how an answer is explained and exported, and what Amplitude's
//! format cannot carry.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use bellwether_flags::{Format, Ids, Reason, Ruleset, Source, Step, amplitude, flagd, formats};
use bellwether_model::{Context, Environment, Flag, ListId, Op, Revision, Unit, VariantKey};
use serde_json::{Value, json};

/// A flag on which everything is used.
fn checkout() -> Value {
    json!({
        "key": "checkout", "name": "New checkout", "kind": "string", "created": 0,
        "variants": [{"key": "new", "value": "v2"}, {"key": "old", "value": "v1"}, {"key": "none", "value": ""}],
        "settings": {"production": {
            "on": true, "off": "old",
            "targets": [{"variant": "new", "list": "staff"}],
            "rules": [
                {"name": "nordic pro", "when": [
                    [{"attribute": "country", "op": "is", "values": ["FI", "SE"]},
                     {"attribute": "plan.tier", "op": "is", "values": ["pro"]}],
                    [{"attribute": "email", "op": "ends_with", "values": ["@example.com"]}]],
                 "serve": {"serve": "variant", "variant": "new"}},
                {"when": [[{"attribute": "version", "op": "version_less", "values": ["2.0"]}]],
                 "serve": {"serve": "split", "split": {"salt": "c:1", "rest": "none", "ranges": [
                    {"from": 0, "to": 1000, "variant": "new"},
                    {"from": 1000, "to": 2000, "variant": "old"},
                    {"from": 2000, "to": 10000, "variant": "none"}]}}}],
            "default": {"serve": "variant", "variant": "old"}}},
    })
}

fn production() -> Environment {
    serde_json::from_value(json!({"key": "production", "name": "Production"})).unwrap()
}

fn compile(flag: &Value) -> Ruleset {
    compile_with(flag, &["u-1"])
}

fn compile_with(flag: &Value, ids: &[&str]) -> Ruleset {
    let flag: Flag = serde_json::from_value(flag.clone()).unwrap();
    let staff = Arc::new(Ids::new(ids));
    let lists = |_: &ListId| staff.clone();
    let source = Source { lists: &lists, ..Source::of_flags([&flag]) };
    Ruleset::compile(&production(), Revision(12), source).unwrap()
}

fn context(key: Option<&str>, attributes: &Value) -> Context {
    Context::new(key, attributes.as_object().cloned().unwrap())
}

#[test]
fn every_reason() {
    let check =
        |flag: &Value, key: Option<&str>, attributes: Value, variant: &str, reason, ofrep: &str, enrolled| {
            let rules = compile(flag);
            let answer = rules.evaluate("checkout", &context(key, &attributes)).unwrap();
            assert_eq!((answer.variant.as_str(), answer.reason), (variant, &reason));
            assert_eq!((answer.reason.ofrep(), answer.enrolled), (ofrep, enrolled));
        };
    let flag = checkout();
    check(&flag, Some("u-1"), json!({}), "new", Reason::Target, "TARGETING_MATCH", false);
    let finn = json!({"country": "FI", "plan": {"tier": "pro"}});
    check(&flag, Some("u-2"), finn, "new", Reason::Rule { index: 0 }, "TARGETING_MATCH", false);
    let early = json!({"version": "1.9"});
    check(&flag, Some("user-14"), early.clone(), "new", Reason::RuleSplit { index: 1 }, "SPLIT", false);
    check(&flag, Some("user-0"), early.clone(), "none", Reason::RuleSplit { index: 1 }, "SPLIT", false);
    check(&flag, None, early, "old", Reason::NoUnit, "DEFAULT", false);
    check(&flag, Some("u-2"), json!({}), "old", Reason::Default, "DEFAULT", false);

    let mut off = flag.clone();
    off["settings"]["production"]["on"] = false.into();
    check(&off, Some("u-1"), json!({}), "old", Reason::Off, "DISABLED", false);

    let mut bare = flag;
    let setting = bare["settings"]["production"].as_object_mut().unwrap();
    setting.remove("targets");
    let rules = setting.remove("rules").unwrap();
    check(&bare, None, json!({}), "old", Reason::Static, "STATIC", false);
    // A rollout compares its candidate with its control, also where the control is the rest.
    bare["settings"]["production"]["default"] = json!({"serve": "rollout", "rollout": {
        "candidate": "new", "control": "none", "split": rules[1]["serve"]["split"],
        "state": {"state": "widening"}, "started": 0, "epoch_began": 0}});
    check(&bare, Some("user-0"), json!({}), "none", Reason::Split, "SPLIT", true);
    for (state, variant) in [
        (json!({"state": "halted", "at": 1, "because": "harm"}), "none"),
        (json!({"state": "done", "at": 1}), "new"),
    ] {
        bare["settings"]["production"]["default"]["rollout"]["state"] = state;
        check(&bare, Some("user-0"), json!({}), variant, Reason::Static, "STATIC", false);
    }
}

#[test]
fn a_split_says_which_id_it_lacks() {
    let lacks = |flag: &Value, key: Option<&str>, attributes: Value| {
        compile(flag).evaluate("checkout", &context(key, &attributes)).unwrap().lacks()
    };
    let mut flag = checkout();
    let early = json!({"version": "1.9"});
    assert_eq!(lacks(&flag, None, early.clone()), Some(Unit::User));
    assert_eq!(lacks(&flag, Some(""), early.clone()), Some(Unit::User), "an empty id is none");
    assert_eq!(lacks(&flag, Some("u-2"), early.clone()), None);
    // Targets, other rules and a default that divide nobody need no id.
    assert_eq!(lacks(&flag, None, json!({})), None);
    assert_eq!(lacks(&flag, None, json!({"email": "a@example.com"})), None);
    flag["unit"] = json!("device");
    assert_eq!(lacks(&flag, Some("u-2"), early), Some(Unit::Device));
    assert_eq!(lacks(&flag, None, json!({"version": "1.9", "device_id": "d-1"})), None);
    flag["settings"]["production"]["on"] = false.into();
    assert_eq!(lacks(&flag, None, json!({"version": "1.9"})), None);
}

#[test]
fn a_rules_own_split_is_not_compared() {
    let mut flag = checkout();
    let setting = &mut flag["settings"]["production"];
    // Even where the two divide by the same salt and the same shares.
    setting["default"] = setting["rules"][1]["serve"].clone();
    let rules = compile(&flag);
    let answer =
        |attributes: Value| rules.evaluate("checkout", &context(Some("user-14"), &attributes)).unwrap();
    let (ruled, rest) = (answer(json!({"version": "1.9"})), answer(json!({})));
    assert_eq!((ruled.variant, ruled.reason), (rest.variant, &Reason::RuleSplit { index: 1 }));
    assert_eq!((ruled.enrolled, rest.enrolled), (false, true));
    let segments = &amplitude::export(&rules).flags[0]["segments"];
    let reported: Vec<_> = segments
        .as_array()
        .unwrap()
        .iter()
        .map(|s| (s["metadata"]["segmentName"].as_str().unwrap(), s["metadata"]["trackExposure"] != false))
        .collect();
    assert_eq!(reported, [("target", false), ("nordic pro", false), ("rule 2", false), ("default", true)]);
}

#[test]
fn a_ruleset_is_of_one_environment() {
    let flag = |key: &str, environment: &str, archived: bool| -> Flag {
        let mut flag = checkout();
        flag["key"] = key.into();
        flag["archived"] = archived.into();
        let setting = flag["settings"]["production"].take();
        flag["settings"] = json!({environment: setting});
        serde_json::from_value(flag).unwrap()
    };
    let flags = [
        flag("b", "production", false),
        flag("a", "production", false),
        flag("c", "staging", false),
        flag("d", "production", true),
    ];
    let production = production();
    let compile = |flags: &[Flag]| Ruleset::compile(&production, Revision(3), Source::of_flags(flags));
    let rules = compile(&flags).unwrap();
    assert_eq!(rules.keys().map(|k| k.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!((rules.environment(), rules.revision()), (&production.key, Revision(3)));
    assert!(rules.evaluate("c", &Context::default()).is_none());
    assert!(rules.explain("d", &Context::default()).is_none());
    // The order in which flags come does not matter.
    let [b, a, ..] = flags.clone();
    assert_eq!(compile(&[a.clone(), b]).unwrap().etag(), rules.etag());
    assert_ne!(compile(&flags[..1]).unwrap().etag(), rules.etag());

    let twice = compile(&[a.clone(), a.clone()]).unwrap_err();
    assert_eq!(twice.message, "there are two flags `a`");
    let mut broken = a;
    broken.variants.truncate(2);
    let broken = compile(&[broken]).unwrap_err();
    assert!(broken.message.contains("has no variant `none`"), "{}", broken.message);
}

#[test]
fn an_explanation_tells_the_whole_way() {
    let rules = compile(&checkout());
    let context = context(Some("user-14"), &json!({"country": "FI", "version": "1.9"}));
    insta::assert_json_snapshot!(rules.explain("checkout", &context).unwrap());
}

/// Who draws a split must not draw those who are not enrolled as one more arm.
#[test]
fn an_explained_split_names_the_variant_of_those_who_are_not_enrolled() {
    let check = |default: Value, expected: Option<&str>| {
        let mut flag = checkout();
        let setting = &mut flag["settings"]["production"];
        (setting["rules"], setting["default"]) = (json!([]), default);
        let why = compile(&flag).explain("checkout", &context(Some("user-14"), &json!({}))).unwrap();
        let Some(Step::Bucket(bucket)) = why.steps.last() else { panic!("no split in {why:?}") };
        assert_eq!(bucket.rest.as_ref().map(VariantKey::as_str), expected);
    };
    let split = |rest: Value, ends: &[(u16, &str)]| {
        let mut from = 0;
        let ranges = ends.iter().map(
            |(to, variant)| json!({"from": std::mem::replace(&mut from, *to), "to": to, "variant": variant}),
        );
        json!({"salt": "c:1", "rest": rest, "ranges": ranges.collect::<Vec<_>>()})
    };
    let divided = |split: Value| json!({"serve": "split", "split": split});
    let rollout = |split: Value| {
        json!({"serve": "rollout", "rollout": {"candidate": "new", "control": "old", "split": split,
            "state": {"state": "widening"}, "started": 0, "epoch_began": 0}})
    };
    let (two, three) =
        (&[(1_000, "new"), (10_000, "old")], &[(1_000, "new"), (2_000, "old"), (10_000, "none")]);
    check(divided(split(json!("none"), three)), Some("none"));
    check(divided(split(json!("old"), two)), Some("old"));
    check(divided(split(Value::Null, three)), None);
    // Nobody is left out, and there is nothing to draw.
    check(divided(split(json!("none"), two)), None);
    // Of a rollout those in neither arm; without a third variant everybody is in one.
    check(rollout(split(json!("none"), three)), Some("none"));
    check(rollout(split(json!("old"), two)), None);
    check(rollout(split(Value::Null, two)), None);
}

#[test]
fn an_export_is_an_evaluation_flag() {
    let export = amplitude::export(&compile(&checkout()));
    assert_eq!(export.left_out, []);
    insta::assert_json_snapshot!(export.flags);
}

#[test]
fn an_answer_is_a_variant_of_vardata() {
    let check = |kind: &str, value: Value, text: &str| {
        let rules = compile(&json!({
            "key": "f", "kind": kind, "created": 0, "variants": [{"key": "on", "value": value}],
            "settings": {"production": {"on": true, "off": "on", "default": {"serve": "variant", "variant": "on"}}},
        }));
        let answer = amplitude::variant(&rules.evaluate("f", &Context::default()).unwrap());
        assert_eq!(
            answer,
            json!({"key": "on", "value": text, "payload": value, "metadata": {
                "deployed": true, "evaluationMode": "local", "flagType": "release", "flagVersion": 12,
                "segmentName": "default", "trackExposure": false}})
        );
    };
    check("boolean", json!(true), "on");
    check("string", json!("blue"), "blue");
    check("number", json!(2.5), "2.5");
    check("json", json!({"a": 1}), "on");
}

#[test]
fn what_the_format_cannot_say_is_left_out() {
    let check = |attribute: &str, selector: Result<&[&str], &str>| {
        let mut flag = checkout();
        let clause = &mut flag["settings"]["production"]["rules"][0]["when"][0][0];
        clause["attribute"] = attribute.into();
        let export = amplitude::export(&compile(&flag));
        match selector {
            Ok(expected) => {
                let found = &export.flags[0]["segments"][1]["conditions"][0][0]["selector"];
                assert_eq!(*found, json!(expected));
            }
            Err(reason) => {
                assert_eq!(export.flags, [] as [Value; 0]);
                let [(flag, why)] = &export.left_out[..] else { panic!("{:?}", export.left_out) };
                assert_eq!(flag.as_str(), "checkout");
                assert!(why.contains(reason), "{why}");
            }
        }
    };
    check("country", Ok(&["context", "user", "country"]));
    check("targetingKey", Ok(&["context", "user", "user_id"]));
    check("device_id", Ok(&["context", "user", "device_id"]));
    check("os.name", Ok(&["context", "user", "os", "name"]));
    check("plan", Ok(&["context", "user", "user_properties", "plan"]));
    check("plan.tier", Ok(&["context", "user", "user_properties", "plan", "tier"]));
    check("length", Ok(&["context", "user", "user_properties", "length"]));
    check("a..b", Err("empty step"));
    check("tags.0", Err("step `0`"));
    check("tags.length", Err("step `length`"));
    check("constructor", Err("step `constructor`"));

    assert_eq!(
        amplitude::export(&compile_with(&checkout(), &["(none)"])).left_out[0].1,
        "the id `(none)` on a list means \"no id\" in Amplitude's format"
    );
}

#[test]
fn a_context_is_what_rules_can_see_of_a_user() {
    let user = json!({
        "user_id": "u1", "device_id": "d1", "country": "FI", "os": null, "unknown": 1,
        "user_properties": {"plan": {"tier": "pro"}, "country": "SE", "os": "iOS", "a.b": 1, "none": null, "age": 7},
    });
    let context = amplitude::context(user.as_object().unwrap());
    assert_eq!(context.key(), Some("u1"));
    assert_eq!(
        context.attributes().map(|(name, value)| (name.to_owned(), value.clone())).collect::<Value>(),
        json!({"device_id": "d1", "country": "FI", "plan": {"tier": "pro"}, "age": 7})
    );
    let number = amplitude::context(json!({"user_id": 7}).as_object().unwrap());
    assert_eq!(number.key(), Some("7"));
}

/// The whole table, so that a change of it is seen.
#[test]
fn every_operator_says_where_it_holds() {
    let line = |op: Op| {
        let other = |format| if formats(op).contains(&format) { "yes" } else { "no" };
        format!("{}: amplitude {}, flagd {}", op.word(), other(Format::Amplitude), other(Format::Flagd))
    };
    insta::assert_snapshot!(Op::ALL.map(line).join("\n"));
}

#[test]
fn a_flagd_definition() {
    let export = flagd::export(&compile(&checkout()));
    assert_eq!(export.left_out, []);
    insta::assert_json_snapshot!(export.document);
}

#[test]
fn what_flagd_cannot_say_is_left_out() {
    let check = |op: &str, value: &str, why: &str| {
        let mut flag = checkout();
        flag["settings"]["production"]["rules"][0]["when"] =
            json!([[{"attribute": "country", "op": op, "values": [value]}]]);
        let export = flagd::export(&compile(&flag));
        assert_eq!(export.document["flags"], json!({}));
        assert!(export.left_out[0].1.contains(why), "{}", export.left_out[0].1);
    };
    check("contains", "FI", "no operator for `contains`");
    check("matches", "^F", "no operator for `matches`");
    check("in_network", "10.0.0.0/8", "no operator for `in_network`");
    check("version_less", "2.0.0-rc.1", "is not plain `major.minor.patch`");
    check("is", "[1]", "may be an object or a list");
    let mut list = checkout();
    list["kind"] = "json".into();
    list["variants"] = json!([
        {"key": "new", "value": {}}, {"key": "old", "value": []}, {"key": "none", "value": {}}]);
    let export = flagd::export(&compile(&list));
    assert!(export.left_out[0].1.contains("a variant is a list"));
    let many: Vec<String> = (0..=Ids::SPOKEN).map(|n| format!("u-{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let long = compile_with(&checkout(), &many);
    assert!(flagd::export(&long).left_out[0].1.contains("too long to be written out"));
    assert_eq!(amplitude::export(&long).cohorts, [ListId("staff".to_owned())]);
}

/// The largest flags are left out until the rest fits into one message.
#[test]
fn a_document_fits_into_a_message() {
    let flags: Vec<Flag> = (0..12)
        .map(|n| {
            let mut flag = checkout();
            flag["key"] = format!("f{n:02}").into();
            flag["variants"][0]["value"] = "v".repeat(400_000 + n * 10).into();
            serde_json::from_value(flag).unwrap()
        })
        .collect();
    let rules = Ruleset::compile(&production(), Revision(1), Source::of_flags(&flags)).unwrap();
    let export = flagd::export(&rules);
    let bytes = export.document.to_string().len();
    assert!(bytes <= flagd::LARGEST && bytes > flagd::LARGEST - 400_200, "{bytes}");
    let left_out: Vec<_> = export.left_out.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(left_out, ["f10", "f11"]);
}

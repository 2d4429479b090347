//! The provider answers as the server does over OFREP: for flags with everything that an engine has, and
//! for contexts that lack what a flag needs.

use bellwether_provider::{Provider, Settings};
use open_feature::provider::FeatureProvider;
use open_feature::{EvaluationContext, EvaluationContextFieldValue, EvaluationError, EvaluationErrorCode};
use serde_json::{Value, json};

use crate::{House, ask, at_once, run, split};

/// How many ids are asked for: the whole in the proof.
fn many() -> usize {
    if std::env::var("PROOF").is_ok_and(|v| v == "full") { 100_000 } else { 10_000 }
}

/// A flag with a segment (rules and a long list), a prerequisite, a layer, a holdout and a three-way split,
/// and its neighbours.
fn build(house: &House, environment: &str) {
    let did = |method: &str, path: &str, body: Value| {
        let said = house.call(method, path, &body);
        assert!(said.get("code").is_none(), "{method} {path}: {said}");
    };
    house.flag("parent", environment, &split(&[("a", 7_000), ("b", 2_000), ("off", 1_000)], "parent-1"));
    house.flag("rival", environment, &split(&[("a", 5_000), ("b", 5_000)], "rival-1"));
    house.flag("checkout", environment, &split(&[("a", 1_000), ("b", 3_000), ("off", 6_000)], "checkout-1"));
    let device = json!({"flag": "device", "kind": "number", "unit": "device",
        "variants": [{"key": "a", "value": 10}, {"key": "b", "value": 2.5}, {"key": "off", "value": 0}]});
    did("POST", "/api/flags", device);
    house.target(
        "device",
        environment,
        &json!({"off": "off", "default": split(&[("a", 5_000), ("b", 5_000)], "d-1")}),
    );
    house.toggle("device", environment, true);
    let clause =
        |attribute: &str, op: &str, value: &str| json!({"attribute": attribute, "op": op, "values": [value]});
    let when = json!([[clause("country", "is", "FI"), clause("version", "version_greater", "1.9.0")]]);
    did("PUT", "/api/segments/nordic", json!({"when": when, "why": "test"}));
    let long: Vec<String> = (0..30_000).step_by(11).map(|n| format!("user-{n}")).collect();
    did("POST", "/api/segments/nordic/ids", json!({"list": "included", "add": long, "why": "test"}));
    let short: Vec<String> = (0..200).map(|n| format!("user-{n}")).collect();
    did("POST", "/api/segments/nordic/ids", json!({"list": "excluded", "add": short, "why": "test"}));
    did("PUT", "/api/layers/pay", json!({"why": "test"}));
    for (flag, share) in [("rival", 2_500), ("checkout", 6_000)] {
        did("PUT", &format!("/api/flags/{flag}/layer"), json!({"layer": "pay", "why": "test"}));
        let part = json!({"flag": flag, "share": share, "why": "test"});
        did("POST", "/api/layers/pay/shares", part);
    }
    let covers = json!({"covers": "flags", "flags": ["checkout", "device"]});
    did("PUT", "/api/holdouts/quarter", json!({"share": 500, "covers": covers, "why": "test"}));
    let rules = json!([
        {"name": "the north", "when": [[{"segment": "nordic"}]],
            "serve": split(&[("a", 3_333), ("b", 3_333), ("off", 3_334)], "north-1")},
        {"name": "pro", "when": [[{"segment": "nordic", "not": true}, clause("plan.tier", "is", "pro")],
            [clause("email", "matches", "@example\\.(com|org)$")]],
            "serve": {"serve": "variant", "variant": "b"}},
    ]);
    house.target(
        "checkout",
        environment,
        &json!({"rules": rules, "prerequisites": [{"flag": "parent", "variants": ["a", "b"]}],
            "targets": [{"variant": "b", "ids": ["user-7", "user-8"]}]}),
    );
    house.flag("idle", environment, &split(&[("a", 5_000), ("b", 5_000)], "idle-1"));
    house.toggle("idle", environment, false);
}

/// The same context in both languages.
fn contexts(n: usize, id: String) -> (Value, EvaluationContext) {
    let (country, version) = (["FI", "SE", "DE"][n % 3], ["1.8.2", "2.0.1"][n % 2]);
    let tier = ["pro", "free", "team", "free"][n % 4];
    let mut sent = json!({
        "country": country, "version": version, "plan": {"tier": tier}, "beta": n.is_multiple_of(2), "age": n % 90,
    });
    let mut given = EvaluationContext::default()
        .with_custom_field("country", country)
        .with_custom_field("version", version)
        .with_custom_field("plan", EvaluationContextFieldValue::new_struct(sent["plan"].clone()))
        .with_custom_field("beta", n.is_multiple_of(2))
        .with_custom_field("age", i64::try_from(n % 90).unwrap());
    if n.is_multiple_of(13) {
        sent["email"] = json!("x@example.org");
        given.add_custom_field("email", "x@example.org");
    }
    if !n.is_multiple_of(3) {
        sent["device_id"] = json!(format!("device-{n}"));
        given.add_custom_field("device_id", format!("device-{n}"));
    }
    if n % 101 != 100 {
        sent["targetingKey"] = json!(id);
        given.targeting_key = Some(id);
    }
    (sent, given)
}

fn code(error: &EvaluationError) -> Value {
    json!({"errorCode": error.code.to_string()})
}

/// What the provider says of a flag, in OFREP's words.
async fn said(provider: &Provider, flag: &str, context: &EvaluationContext) -> Value {
    let answer = |value: Value, variant: Option<String>, reason: String| json!({"value": value, "variant": variant, "reason": reason});
    if flag == "device" {
        return match provider.resolve_float_value(flag, context).await {
            Ok(got) => answer(json!(got.value), got.variant, got.reason.unwrap().to_string()),
            Err(e) => code(&e),
        };
    }
    match provider.resolve_string_value(flag, context).await {
        Ok(got) => answer(json!(got.value), got.variant, got.reason.unwrap().to_string()),
        Err(e) => code(&e),
    }
}

/// What OFREP says of it, as far as both say it.
fn heard(flag: &Value) -> Value {
    if flag["errorCode"].is_string() {
        return json!({"errorCode": flag["errorCode"]});
    }
    let value = flag["value"].as_f64().map_or_else(|| flag["value"].clone(), |number| json!(number));
    json!({"value": value, "variant": flag["variant"], "reason": flag["reason"]})
}

/// Asks both sides for all flags and `count` ids, and gives how often each answer was heard.
fn compare(
    house: &House,
    key: &str,
    count: usize,
    id: impl Fn(usize) -> String + Sync,
) -> std::collections::BTreeMap<String, usize> {
    const ASKERS: usize = 4;
    let provider = run_in_place(house, key);
    let (runtime, provider) = (&provider.0, &provider.1);
    let (id, house) = (&id, house);
    let mut heard_of = std::collections::BTreeMap::new();
    std::thread::scope(|scope| {
        let askers: Vec<_> = (0..ASKERS)
            .map(|asker| {
                scope.spawn(move || {
                    let agent: ureq::Agent = ureq::Agent::config_builder().build().into();
                    let mut tally = std::collections::BTreeMap::<String, usize>::new();
                    for n in (asker..count).step_by(ASKERS) {
                        let (sent, given) = contexts(n, id(n));
                        let body = json!({"context": sent});
                        let path = "/ofrep/v1/evaluate/flags";
                        let all = ask(&agent, &house.address, key, "POST", path, &body);
                        let all = all["flags"].as_array().unwrap();
                        assert_eq!(all.len(), 5);
                        for flag in all {
                            let (name, heard) = (flag["key"].as_str().unwrap(), heard(flag));
                            let said = runtime.block_on(said(provider, name, &given));
                            assert_eq!(said, heard, "{name} of {sent}");
                            *tally.entry(format!("{name} {}", heard["variant"])).or_default() += 1;
                        }
                    }
                    tally
                })
            })
            .collect();
        for asker in askers {
            for (answer, times) in asker.join().unwrap() {
                *heard_of.entry(answer).or_default() += times;
            }
        }
    });
    heard_of
}

/// A provider and the runtime that it lives in.
fn run_in_place(house: &House, key: &str) -> (tokio::runtime::Runtime, Provider) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let settings = Settings { key: key.to_owned(), queue: 0, ..house.settings() };
    let provider = runtime.block_on(Provider::connect(settings)).unwrap();
    (runtime, provider)
}

/// Every answer that there should be was heard often, so that agreeing means something.
fn heard_all(heard: &std::collections::BTreeMap<String, usize>, count: usize) {
    let answers = [
        "checkout \"a\"",
        "checkout \"b\"",
        "checkout \"off\"",
        "rival \"a\"",
        "device \"b\"",
        "idle \"off\"",
    ];
    for answer in answers {
        assert!(heard.get(answer).is_some_and(|times| *times > count / 50), "{answer}: {heard:?}");
    }
    assert!(heard.get("parent null").is_some_and(|times| *times > 0), "{heard:?}");
}

#[test]
fn the_provider_answers_as_ofrep_does() {
    let house = House::open();
    build(&house, "production");
    let heard = compare(&house, &house.key, many(), |n| format!("user-{n}"));
    heard_all(&heard, many());
}

#[test]
fn and_so_it_does_where_cbor_is_hashed_and_ids_are_not_ascii() {
    let house = House::open();
    let cbor = json!({"bucketing": "cbor", "why": "test"});
    assert!(house.call("PUT", "/api/environments/development", &cbor).get("code").is_none());
    build(&house, "development");
    let key = house.made_key("server", "development");
    let id = |n: usize| match n % 4 {
        0 => format!("user-{n}"),
        1 => format!("käyttäjä-{n}"),
        2 => format!("用户-{n}"),
        // Longer than what one byte of CBOR's head can count.
        _ => format!("ключ-🔑-{n}-{}", "ü".repeat(n % 150)),
    };
    let heard = compare(&house, &key, many() / 4, id);
    heard_all(&heard, many() / 4);
}

#[test]
fn an_answer_is_of_the_type_that_is_asked_for_or_is_an_error() {
    let house = House::open();
    build(&house, "production");
    run(async {
        let provider = Provider::connect(house.settings()).await.unwrap();
        let who = crate::user("user-1").with_custom_field("device_id", "d-1");
        let wrong = provider.resolve_bool_value("checkout", &who).await.unwrap_err();
        assert_eq!(wrong.code, EvaluationErrorCode::TypeMismatch);
        assert!(wrong.message.unwrap().ends_with("of flag `checkout` is not a boolean"));
        assert_eq!(
            provider.resolve_struct_value("checkout", &who).await.unwrap_err().code,
            EvaluationErrorCode::TypeMismatch
        );
        let missing = provider.resolve_bool_value("chekout", &who).await.unwrap_err();
        assert_eq!(missing.code, EvaluationErrorCode::FlagNotFound);
        let nobody = EvaluationContext::default();
        let nobody = provider.resolve_string_value("rival", &nobody).await.unwrap_err();
        assert_eq!(nobody.code, EvaluationErrorCode::TargetingKeyMissing);
        // Another user each, here and below: the holdout holds some of them, and salts are drawn anew with each house.
        let without = |n| at_once(provider.resolve_float_value("device", &crate::user(&format!("u-{n}"))));
        let (held, refused): (Vec<_>, Vec<_>) = (0..100).map(without).partition(Result::is_ok);
        assert!(held.iter().flatten().all(|out| out.value == 0.0), "{held:?}");
        assert!(refused.len() > held.len(), "a device is divided by its id: {held:?}");
        assert!(
            refused.iter().all(|no| matches!(no, Err(e) if e.code == EvaluationErrorCode::InvalidContext))
        );
        let (ten, half) = (0..100)
            .map(|n| crate::user(&format!("u-{n}")).with_custom_field("device_id", format!("d-{n}")))
            .fold((0, 0), |(ten, half), who| match at_once(provider.resolve_int_value("device", &who)) {
                Ok(got) if got.value == 10 => (ten + 1, half),
                // Held out.
                Ok(got) if got.value == 0 => (ten, half),
                Ok(got) => panic!("{got:?}"),
                Err(e) => {
                    assert_eq!(e.code, EvaluationErrorCode::TypeMismatch);
                    (ten, half + 1)
                }
            });
        assert!(ten > 0 && half > 0, "2.5 is no whole number: {ten} {half}");
    });
}

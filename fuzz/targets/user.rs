//! Fuzz: who is asked for, as an SDK's JSON. The first byte picks one of the frozen rulesets; what follows is
//! read as OFREP's context and as an Amplitude user, and every flag answers both and explains what it answers.
#![no_main]
#![allow(unreachable_pub, dead_code)]

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use bellwether_flags::{Ids, Ruleset, Source, amplitude};
use bellwether_model::{Context, Environment, Flag, Holdout, Json, Layer, ListId, Revision, Segment};
use libfuzzer_sys::{Corpus, fuzz_target};
use serde::Deserialize;

#[path = "../../crates/app/src/intake/json.rs"]
mod json;

#[derive(Deserialize)]
struct Vector {
    ruleset: Parts,
}

#[derive(Deserialize)]
struct Parts {
    environment: Environment,
    flags: Vec<Flag>,
    segments: Vec<Segment>,
    layers: Vec<Layer>,
    holdouts: Vec<Holdout>,
    lists: BTreeMap<ListId, Vec<String>>,
}

static RULESETS: LazyLock<Vec<Ruleset>> = LazyLock::new(|| {
    let vectors = include_str!("../../conformance/vectors/rulesets.json");
    let vectors: Vec<Vector> = serde_json::from_str(vectors).expect("the frozen vectors can be read");
    vectors.iter().map(|Vector { ruleset }| compiled(ruleset)).collect()
});

fn compiled(parts: &Parts) -> Ruleset {
    let lists = |id: &ListId| Arc::new(Ids::new(parts.lists.get(id).map_or(&[][..], Vec::as_slice)));
    let source = Source {
        flags: parts.flags.iter().collect(),
        segments: parts.segments.iter().collect(),
        layers: parts.layers.iter().collect(),
        holdouts: parts.holdouts.iter().collect(),
        lists: &lists,
    };
    Ruleset::compile(&parts.environment, Revision(1), source).expect("the frozen vectors compile")
}

fn answered(rules: &Ruleset, context: &Context) {
    for answer in rules.evaluate_all(context) {
        let explained = rules.explain(answer.flag.as_str(), context).expect("what is answered is explained");
        assert_eq!((answer.variant, &answer.reason), (&explained.variant, &explained.reason));
        assert!(amplitude::variant(&answer).is_object());
    }
}

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let Some((first, body)) = bytes.split_first() else { return Corpus::Reject };
    let strict = serde_json::from_slice::<Json>(body);
    let Ok(read) = json::sdk_json::<Json>(body) else {
        assert!(strict.is_err(), "what is JSON is read");
        return Corpus::Reject;
    };
    assert!(strict.is_err() || strict.is_ok_and(|strict| strict == read), "and says what it says");
    let Json::Object(user) = read else { return Corpus::Reject };
    let rules = RULESETS.get(usize::from(*first) % RULESETS.len()).expect("there are vectors");
    answered(rules, &amplitude::context(&user));
    let mut attributes = user;
    let key = attributes.remove("targetingKey");
    answered(rules, &Context::new(key.as_ref().and_then(Json::as_str), attributes));
    Corpus::Keep
});

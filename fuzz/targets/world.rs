//! Fuzz: everything that one environment's rules are made of, and a context. Whatever compiles evaluates,
//! explains to the same answer, and is exported, and none of it panics.
#![no_main]

use std::collections::BTreeMap;
use std::sync::Arc;

use bellwether_flags::{Ids, Ruleset, Source, amplitude, flagd};
use bellwether_model::{Beta, Context, Environment, Flag, Holdout, Json, Layer, ListId, Revision, Segment};
use libfuzzer_sys::{Corpus, fuzz_target};
use serde::Deserialize;

#[derive(Deserialize)]
struct World {
    environment: Environment,
    flags: Vec<Flag>,
    #[serde(default)]
    segments: Vec<Segment>,
    #[serde(default)]
    layers: Vec<Layer>,
    #[serde(default)]
    holdouts: Vec<Holdout>,
    #[serde(default)]
    betas: Vec<Beta>,
    #[serde(default)]
    lists: BTreeMap<ListId, Vec<String>>,
    #[serde(default)]
    context: serde_json::Map<String, Json>,
}

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let Ok(world) = serde_json::from_slice::<World>(bytes) else { return Corpus::Reject };
    let lists = |id: &ListId| Arc::new(Ids::new(world.lists.get(id).map_or(&[][..], Vec::as_slice)));
    let source = Source {
        flags: world.flags.iter().collect(),
        segments: world.segments.iter().collect(),
        layers: world.layers.iter().collect(),
        holdouts: world.holdouts.iter().collect(),
        betas: world.betas.iter().collect(),
        lists: &lists,
    };
    let Ok(rules) = Ruleset::compile(&world.environment, Revision(1), source) else { return Corpus::Keep };
    let mut attributes = world.context;
    let key = attributes.remove("targetingKey");
    let context = Context::new(key.as_ref().and_then(Json::as_str), attributes);
    for flag in &world.flags {
        let answer = rules.evaluate(flag.key.as_str(), &context);
        let explained = rules.explain(flag.key.as_str(), &context);
        assert_eq!(answer.is_some(), explained.is_some());
        if let (Some(answer), Some(explained)) = (answer, explained) {
            assert_eq!((answer.variant, answer.reason), (&explained.variant, &explained.reason));
        }
    }
    let exported = amplitude::export(&rules);
    assert!(serde_json::to_vec(&exported.flags).is_ok());
    flagd::export(&rules);
    Corpus::Keep
});

//! Bench of flags: `unleash-yggdrasil`, the engine of the Unleash SDKs.
//!
//! Asked by `is_enabled`, which answers no more than yes or no; the SDKs also count the answer, which
//! is left out. A segment is a constraint that it compiles into a hash set.

use std::io::Cursor;

use serde_json::{Value, json};
use unleash_yggdrasil::{ClientFeatures, Context, EngineState};

use crate::Failure;
use crate::engine::Engine;
use crate::scenario::{FlagSpec, Person, Rule, Rules};

pub(super) struct Yggdrasil(EngineState);

impl Engine for Yggdrasil {
    const NAME: &'static str = "yggdrasil";
    const PACKAGE: &'static str = "unleash-yggdrasil";
    type Context = Context;
    type Answer<'a> = bool;

    fn build(rules: &Rules) -> Result<Self, Failure> {
        let features: Vec<Value> = rules.flags.iter().map(feature).collect();
        let segments = json!([{"id": 1, "constraints": [
            {"contextName": "userId", "operator": "IN", "values": rules.members}]}]);
        let state: ClientFeatures =
            serde_json::from_value(json!({"version": 2, "features": features, "segments": segments}))?;
        let engine = EngineState::default();
        match engine.apply_client_features(state) {
            None => Ok(Self(engine)),
            Some(warnings) => Err(format!("{warnings:?}").into()),
        }
    }

    fn context(&self, person: &Person) -> Result<Context, Failure> {
        let properties = person.attributes.as_ref().map(|a| {
            let named = |name: &str, value: &str| (name.to_owned(), value.to_owned());
            let asked = [
                named("country", a.country),
                named("plan", a.plan),
                named("version", &a.version),
                named("email", &a.email),
                named("platform", a.platform),
                named("seats", &a.seats.to_string()),
            ];
            asked.into_iter().chain(a.others.iter().map(|(name, value)| named(name, value))).collect()
        });
        Ok(Context { user_id: Some(person.id.clone()), properties, ..Context::default() })
    }

    #[inline]
    fn evaluate<'a>(&'a self, flag: &'a str, context: &'a Context) -> bool {
        self.0.is_enabled(flag, context, &None)
    }

    fn on(answer: &bool) -> Option<bool> {
        Some(*answer)
    }

    fn half(flag: &FlagSpec, id: &str) -> bool {
        murmur(format!("{}:{id}", flag.key).as_bytes()) % 100 < 50
    }
}

/// MurmurHash3 x86 32 with seed 0.
pub(super) fn murmur(bytes: &[u8]) -> u32 {
    murmur3::murmur3_32(&mut Cursor::new(bytes), 0).unwrap_or_default()
}

fn feature(spec: &FlagSpec) -> Value {
    let half = json!({"rollout": "50", "stickiness": "default", "groupId": spec.key});
    let strategy = match spec.rule {
        Rule::Half => json!({"name": "flexibleRollout", "parameters": half}),
        Rule::HalfOf(countries) => json!({"name": "flexibleRollout", "parameters": half, "constraints": [
            {"contextName": "country", "operator": "IN", "values": countries},
            {"contextName": "plan", "operator": "IN", "values": ["pro"]},
            {"contextName": "version", "operator": "SEMVER_GT", "value": "2.0.0"}]}),
        Rule::Members => json!({"name": "default", "segments": [1]}),
    };
    json!({"name": spec.key, "type": "release", "enabled": true, "strategies": [strategy]})
}
